//! A stock list as release keeps it: the highest version of what bonded said of it and of what gate said of
//! its passage, the decision on it, and who was told. What it does not know: quantities, declarations, holds.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use kernel::{Direction, StockListNumber};
use serde::{Deserialize, Serialize};

use super::decision::Decision;
use super::hold::PartyHolds;
use super::notice::Concerned;
use super::version::Version;

/// One list, and what was decided about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockList {
    /// Its number, which says whether its goods go into bond or out of it.
    pub list_number: String,
    /// Whether they go in or out.
    pub direction: Direction,
    /// The earliest time at which anything about it was recorded, whatever order it is learnt in.
    pub known_since: DateTime<Utc>,
    /// What bonded said; none if nothing was heard yet.
    pub filed: Option<Filed>,
    /// What gate said of its passage; none if nothing was heard yet.
    pub passage: Option<Passage>,
    /// The decision, once there was one.
    pub decision: Decision,
    /// The parties that were told of a grant: a revocation reaches them too.
    pub told_parties: BTreeSet<String>,
    /// The parties concerned: they are told of it, and may read it.
    pub concerned: Concerned,
    /// The bonded centre, and the sites that its passes lead through: their terminals may read it.
    pub site_ids: BTreeSet<String>,
    /// The holds on parties that were weighed last.
    #[serde(default)]
    pub party_holds: PartyHolds,
}

/// The list, as one event of bonded states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filed {
    /// Of the fact that it was learnt from.
    pub version: Version,
    /// The event it was learnt from.
    pub event_id: String,
    /// When bonded recorded it.
    pub recorded_at: DateTime<Utc>,
    /// The bonded centre.
    pub site_id: String,
    /// Whose stock it is.
    pub trader_party: String,
    /// Who filed it.
    pub filer_party: String,
    /// The reference of the declaration that goes with it.
    pub declaration_lrn: String,
    /// Where it stands.
    pub standing: ListStanding,
}

/// Where a list stands, in bonded's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ListStanding {
    /// An increase was filed.
    Filed,
    /// The operator approved an increase.
    Approved,
    /// The goods of a decrease are set aside.
    Reserved,
    /// Gate is asked whether it can still be void.
    VoidAsked,
    /// Void.
    Voided,
    /// Final: its goods have come in, or left.
    Posted,
    /// The final posting was reversed.
    Reversed,
}

/// What passes of it, as one event of gate states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Of the fact that it was learnt from.
    pub version: Version,
    /// The event it was learnt from.
    pub event_id: String,
    /// Nothing more of it will pass.
    pub closed: bool,
    /// The containers that have passed with goods of it: what becomes of them later is another stay's affair.
    pub passed_containers: BTreeSet<String>,
}

impl ListStanding {
    const ALL: [(ListStanding, &'static str); 7] = [
        (ListStanding::Filed, "FILED"),
        (ListStanding::Approved, "APPROVED"),
        (ListStanding::Reserved, "RESERVED"),
        (ListStanding::VoidAsked, "VOID_ASKED"),
        (ListStanding::Voided, "VOIDED"),
        (ListStanding::Posted, "POSTED"),
        (ListStanding::Reversed, "REVERSED"),
    ];

    /// The standing of bonded's word.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, named)| *named == name)
            .map(|(standing, _)| *standing)
    }
}

impl StockList {
    /// A list heard of for the first time.
    pub fn first_heard(list_number: &StockListNumber, recorded_at: DateTime<Utc>) -> Self {
        Self {
            list_number: list_number.as_str().to_owned(),
            direction: list_number.direction(),
            known_since: recorded_at,
            filed: None,
            passage: None,
            decision: Decision::default(),
            told_parties: BTreeSet::new(),
            concerned: Concerned::default(),
            site_ids: BTreeSet::new(),
            party_holds: PartyHolds::default(),
        }
    }

    /// Takes what bonded says if it is newer than what is held.
    pub fn learn_filed(&mut self, filed: &Filed) {
        self.known_since = self.known_since.min(filed.recorded_at);
        if self
            .filed
            .as_ref()
            .is_none_or(|held| held.version < filed.version)
        {
            self.filed = Some(filed.clone());
        }
    }

    /// Takes what gate says of its passage if it is newer than what is held.
    pub fn learn_passage(&mut self, passage: &Passage, recorded_at: DateTime<Utc>) {
        self.known_since = self.known_since.min(recorded_at);
        if self
            .passage
            .as_ref()
            .is_none_or(|held| held.version < passage.version)
        {
            self.passage = Some(passage.clone());
        }
    }

    /// Whether nothing more of it will pass: gate's own word, or bonded's that it is final. A void list has
    /// nothing that passed, and was not used up.
    pub fn is_used_up(&self) -> bool {
        match self.filed.as_ref().map(|filed| filed.standing) {
            Some(ListStanding::Posted | ListStanding::Reversed) => true,
            Some(ListStanding::Voided) => false,
            _ => self.passage.as_ref().is_some_and(|passage| passage.closed),
        }
    }

    /// Whether nothing can become of it any more.
    pub fn is_over(&self) -> bool {
        matches!(
            self.filed.as_ref().map(|filed| filed.standing),
            Some(ListStanding::Voided | ListStanding::Posted | ListStanding::Reversed)
        )
    }

    /// The bonded centre; empty if bonded has not said.
    pub fn centre(&self) -> &str {
        self.filed.as_ref().map_or("", |filed| &filed.site_id)
    }

    /// The list as conditions and notices name it.
    pub fn subject(&self) -> String {
        subject(&self.list_number)
    }
}

/// A list as conditions and notices name it.
pub fn subject(list_number: &str) -> String {
    format!("stock-list/{list_number}")
}
