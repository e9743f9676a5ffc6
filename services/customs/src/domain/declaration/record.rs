//! What is told of a declaration: each fact with the state right after it, and the notifications to the
//! filer. It must not know why something happened, nor where its words go: to tables, topics or an inbox.

use chrono::{DateTime, Utc};

use super::{Ask, Declaration, ExitState, Status, World};
use crate::domain::Actor;
use crate::domain::debt::DebtState;
use crate::domain::notification::{Code, Detail, Notification};
use crate::domain::risk::{Channel, HoldOrder};

/// What one decision adds to a declaration's record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Facts, in order.
    pub happenings: Vec<Happening>,
    /// Notifications to the filer, in order.
    pub notifications: Vec<Notification>,
    /// Holds that the risk rules place.
    pub hold_orders: Vec<HoldOrder>,
}

/// A fact as it is published: with the state right after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// What happened.
    pub fact: Fact,
    /// The declaration's version after it.
    pub version: u64,
    /// When it happened.
    pub observed_at: DateTime<Utc>,
    /// Who caused it; none where a rule did.
    pub by: Option<Actor>,
    /// For a person.
    pub detail: String,
    /// Where it stood after it.
    pub status: Status,
    /// Where the debt stood after it.
    pub debt: DebtState,
    /// The channel after it.
    pub channel: Option<Channel>,
    /// The version of the filing after it.
    pub filing_version: u32,
    /// Of an export, whether it had left after it.
    pub exit: Option<ExitState>,
    /// What gate was asked and had not answered after it.
    pub asks: Vec<Ask>,
}

/// What can happen to a declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Found faulty; not published.
    Rejected,
    /// Lodged before the goods arrived.
    Registered,
    /// Agrees with the manifest.
    Matched,
    /// Does not.
    Mismatched,
    /// An officer decided the match.
    MatchOverridden,
    /// Accepted.
    Accepted,
    /// A channel was chosen.
    Routed,
    /// A control was opened.
    ControlOpened,
    /// A control is done.
    ControlDone,
    /// The debt moved.
    Debt,
    /// Goods were released.
    Released,
    /// Nothing is left to do.
    Cleared,
    /// An export's goods have left.
    Exited,
    /// An export's goods have not left in time.
    ExitOverdue,
    /// Goods are detained.
    Detained,
    /// A detention has ended.
    DetentionEnded,
    /// Gate is asked whether it can be void.
    InvalidationAsked,
    /// It is void.
    Invalidated,
    /// Goods had left: it stands as before.
    InvalidationTooLate,
}

impl Fact {
    /// The name in the history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "REJECTED",
            Self::Registered => "REGISTERED",
            Self::Matched => "MATCHED",
            Self::Mismatched => "MISMATCHED",
            Self::MatchOverridden => "MATCH_OVERRIDDEN",
            Self::Accepted => "ACCEPTED",
            Self::Routed => "ROUTED",
            Self::ControlOpened => "CONTROL_OPENED",
            Self::ControlDone => "CONTROL_DONE",
            Self::Debt => "DEBT",
            Self::Released => "RELEASED",
            Self::Cleared => "CLEARED",
            Self::Exited => "EXITED",
            Self::ExitOverdue => "EXIT_OVERDUE",
            Self::Detained => "DETAINED",
            Self::DetentionEnded => "DETENTION_ENDED",
            Self::InvalidationAsked => "INVALIDATION_ASKED",
            Self::Invalidated => "INVALIDATED",
            Self::InvalidationTooLate => "INVALIDATION_TOO_LATE",
        }
    }
}

impl Declaration {
    pub(super) fn record(&mut self, fact: Fact, world: &World<'_>, detail: String) {
        self.version += 1;
        let happening = Happening {
            fact,
            version: self.version,
            observed_at: world.now,
            by: world.actor.cloned(),
            detail,
            status: self.status(),
            debt: self.debt.state(),
            channel: self.channel,
            filing_version: self.filing_version(),
            exit: self.exit(),
            asks: self
                .invalidation
                .as_ref()
                .map(|asked| asked.asks.clone())
                .unwrap_or_default(),
        };
        self.news.happenings.push(happening);
    }

    pub(super) fn notify(&mut self, code: Code, world: &World<'_>, detail: Detail) {
        let notification = Notification {
            code,
            declaration_id: self.id,
            mrn: self
                .mrn
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            lrn: self.filing.lrn.clone(),
            filing_version: self.filing_version(),
            issued_at: world.now,
            detail,
        };
        self.news.notifications.push(notification);
    }
}
