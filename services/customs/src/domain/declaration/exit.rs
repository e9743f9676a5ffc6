//! Whether the goods of an export have left the country: by train or barge, or not in time after their
//! release. It must not know visits: the goods carry what gate said of them.

use chrono::{DateTime, Utc};

use super::{Declaration, Fact, FactKind, Facts, World};
use crate::domain::notification::{Code, Detail};

/// Whether the goods of an export have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitState {
    /// They have not.
    None,
    /// By train or barge.
    Exited,
    /// Released, and not left in time.
    Overdue,
}

impl ExitState {
    /// The name in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Exited => "EXITED",
            Self::Overdue => "OVERDUE",
        }
    }
}

/// Where the goods of an export with these facts stand: once they have left, they have.
pub fn exit_state(facts: &Facts) -> ExitState {
    if facts.when(FactKind::Exited).is_some() {
        ExitState::Exited
    } else if facts.when(FactKind::ExitOverdue).is_some() {
        ExitState::Overdue
    } else {
        ExitState::None
    }
}

impl Declaration {
    /// Whether the goods of an export have left; none for all others.
    pub fn exit(&self) -> Option<ExitState> {
        (self.direction_name() == "EXPORT").then(|| exit_state(&self.facts))
    }

    /// Since when an export has been released whose leaving a site of ours will see, and which has not left.
    pub fn exit_awaited_since(&self) -> Option<DateTime<Utc>> {
        let awaited = self.exit() == Some(ExitState::None)
            && self.site.is_some()
            && !self.is_void()
            && self.consignments.iter().all(|goods| goods.list.is_none());
        self.facts.when(FactKind::Released).filter(|_| awaited)
    }

    /// An export has left once all its containers have, by train or barge. One that a truck took away again
    /// has not left the country.
    pub(super) fn exit_if_gone(&mut self, world: &mut World<'_>) {
        if !matches!(self.exit(), Some(ExitState::None | ExitState::Overdue)) {
            return;
        }
        let mut boxes = self
            .consignments
            .iter()
            .filter(|goods| goods.container.is_some())
            .peekable();
        if boxes.peek().is_none() || !boxes.all(|goods| goods.exited) {
            return;
        }
        self.facts.learn(FactKind::Exited, world.now);
        let text = "all containers have left by train or barge";
        self.record(Fact::Exited, world, text.to_owned());
        self.notify(
            Code::Exited,
            world,
            Detail {
                text: "The goods have left.".into(),
                ..Detail::default()
            },
        );
    }

    /// An export was released so many days ago and has not left.
    pub fn look_for_exit(&mut self, overdue_days: u32, world: &mut World<'_>) {
        let within = chrono::Duration::days(i64::from(overdue_days));
        let overdue = self
            .exit_awaited_since()
            .is_some_and(|since| since + within <= world.now);
        if !overdue {
            return;
        }
        self.facts.learn(FactKind::ExitOverdue, world.now);
        self.record(
            Fact::ExitOverdue,
            world,
            format!("released, and not left within {overdue_days} days"),
        );
        self.notify(
            Code::ExitOverdue,
            world,
            Detail {
                text: format!(
                    "Released {overdue_days} days ago, and the goods have not left; say where they are."
                ),
                ..Detail::default()
            },
        );
    }
}
