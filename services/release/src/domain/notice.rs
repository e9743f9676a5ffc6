//! Notices: who is told what, in one table, and in which words. Every notice goes to one party, once
//! per fact; it must not know how parties read them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::condition::Condition;

/// Sorts of facts, by who is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Sort {
    /// The decision on a stay or a stock list.
    Decision,
    /// A granted release asked back, revoked, or too late to be: everyone who was told of the grant.
    Revocation,
    /// A stay: announced, arrived, available, departed.
    Stay,
    /// A declaration.
    Declaration,
    /// A pre-arrival.
    PreArrival,
    /// A truck visit.
    TruckVisit,
    /// A hold on a stay, a stock list or a declaration.
    Hold,
    /// A commercial release.
    CommercialRelease,
    /// An account book and its movements.
    Book,
    /// A stock list: filed, approved, void, posted, short; and what passes of it.
    StockList,
}

/// In what way a party is concerned with a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Concern {
    /// Its truck comes, or may come, for it.
    Haulier,
    /// It filed the declaration, or the stock list.
    Filer,
    /// The goods, the list or the book are its own.
    Trader,
    /// It carried the consignment.
    Line,
    /// It runs the site's gate.
    Terminal,
    /// A hold of its stands on the stay.
    Holder,
    /// It placed the very hold that the fact is about.
    Placer,
    /// It was told of the grant.
    Told,
    /// It runs the bonded centre.
    Operator,
}

/// Who is told what. A party that is concerned in several ways is told once.
pub const AUDIENCES: &[(Sort, &[Concern])] = &[
    (
        Sort::Decision,
        &[
            Concern::Haulier,
            Concern::Filer,
            Concern::Trader,
            Concern::Line,
            Concern::Terminal,
            Concern::Holder,
            Concern::Operator,
        ],
    ),
    (
        Sort::Revocation,
        &[
            Concern::Haulier,
            Concern::Filer,
            Concern::Trader,
            Concern::Line,
            Concern::Terminal,
            Concern::Holder,
            Concern::Operator,
            Concern::Told,
        ],
    ),
    (
        Sort::Stay,
        &[
            Concern::Haulier,
            Concern::Filer,
            Concern::Trader,
            Concern::Line,
            Concern::Terminal,
        ],
    ),
    (Sort::Declaration, &[Concern::Filer, Concern::Trader]),
    (
        Sort::PreArrival,
        &[Concern::Haulier, Concern::Terminal, Concern::Operator],
    ),
    (Sort::TruckVisit, &[Concern::Haulier, Concern::Terminal]),
    (
        Sort::Hold,
        &[
            Concern::Haulier,
            Concern::Filer,
            Concern::Trader,
            Concern::Line,
            Concern::Terminal,
            Concern::Operator,
            Concern::Placer,
        ],
    ),
    (Sort::CommercialRelease, &[Concern::Haulier, Concern::Line]),
    (Sort::Book, &[Concern::Trader, Concern::Operator]),
    (
        Sort::StockList,
        &[Concern::Filer, Concern::Trader, Concern::Operator],
    ),
];

/// The parties concerned with a fact, each with the ways in which it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concerned {
    parties: BTreeSet<(String, Concern)>,
}

impl Concerned {
    /// Adds a party; an empty one is nobody.
    pub fn add(&mut self, concern: Concern, party: &str) {
        if !party.is_empty() {
            self.parties.insert((party.to_owned(), concern));
        }
    }

    /// Adds several.
    pub fn add_all<'a>(&mut self, concern: Concern, parties: impl IntoIterator<Item = &'a str>) {
        for party in parties {
            self.add(concern, party);
        }
    }

    /// Adds everybody that another fact concerns.
    pub fn extend(&mut self, other: Concerned) {
        self.parties.extend(other.parties);
    }

    /// Everybody, and everybody that another fact concerns.
    pub fn with<'a>(&'a self, other: &Self) -> Cow<'a, Self> {
        if other.parties.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut all = self.clone();
        all.extend(other.clone());
        Cow::Owned(all)
    }

    /// The parties that are told of this sort of fact: each once.
    pub fn audience(&self, sort: Sort) -> BTreeSet<&str> {
        let concerns = AUDIENCES
            .iter()
            .find(|(named, _)| *named == sort)
            .map_or(&[][..], |(_, concerns)| concerns);
        self.parties
            .iter()
            .filter(|(_, concern)| concerns.contains(concern))
            .map(|(party, _)| party.as_str())
            .collect()
    }

    /// The hauliers among them.
    pub fn hauliers(&self) -> BTreeSet<String> {
        self.parties
            .iter()
            .filter(|(_, concern)| *concern == Concern::Haulier)
            .map(|(party, _)| party.clone())
            .collect()
    }

    /// Those whose business a stock list is, and not only its transport: they read all of it.
    pub fn owners(&self) -> BTreeSet<String> {
        let owns = |concern: &Concern| {
            matches!(
                concern,
                Concern::Trader | Concern::Filer | Concern::Operator
            )
        };
        self.parties
            .iter()
            .filter(|(_, concern)| owns(concern))
            .map(|(party, _)| party.clone())
            .collect()
    }

    /// Everybody, whatever the concern, but for terminals: those read by site.
    pub fn readers(&self) -> BTreeSet<String> {
        self.parties
            .iter()
            .filter(|(_, concern)| *concern != Concern::Terminal)
            .map(|(party, _)| party.clone())
            .collect()
    }
}

/// One notice to one party.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The party that it is for.
    pub party: String,
    /// What happened: "PRE_ARRIVAL_READY".
    pub fact: String,
    /// The service that recorded the fact.
    pub service: String,
    /// The subject's kind and key.
    pub subject: String,
    /// The subject in a person's words.
    pub title: String,
    /// What it means and what to do.
    pub text: String,
    /// When it happened.
    pub observed_at: DateTime<Utc>,
    /// When its service recorded it.
    pub recorded_at: DateTime<Utc>,
    /// The event that it is about.
    pub source_event_id: String,
    /// The container, where there is one.
    pub container_number: String,
    /// What is missing, for a refusal.
    pub conditions: Vec<Condition>,
}

/// With whom a container may leave, as one party is told: a haulier is not told who its competitor is. Where
/// it is granted to no haulier, it goes by train or barge. Goods of a stock list go by their passes.
pub fn granted_text(
    subject: &str,
    party: &str,
    haulier_party: &str,
    concerned: &Concerned,
) -> String {
    if subject.starts_with("stock-list/") {
        "Goods of the list may move, each truck on its gate pass.".to_owned()
    } else if haulier_party.is_empty() {
        "The container may be loaded onto a train or barge.".to_owned()
    } else if party == haulier_party {
        "The container may leave with your truck.".to_owned()
    } else if concerned.hauliers().contains(party) {
        "The container may leave with another haulier; ask the line if it should be yours."
            .to_owned()
    } else {
        format!("The container may leave with {haulier_party}.")
    }
}

/// What a fact means, and what to do. A fact that is not in the table is said in its own words.
pub fn text_of(fact: &str) -> String {
    TEXTS.iter().find(|(named, _)| *named == fact).map_or_else(
        || format!("{}.", fact.replace('_', " ").to_lowercase()),
        |(_, text)| (*text).to_owned(),
    )
}

const TEXTS: &[(&str, &str)] = &[
    (
        "CONTAINER_VISIT_ANNOUNCED",
        "The container is on the list of a train or barge to come. Declarations and pre-arrivals can be filed.",
    ),
    (
        "CONTAINER_VISIT_AMENDED",
        "The list that announced the container was sent again with changes.",
    ),
    (
        "CONTAINER_VISIT_ARRIVED",
        "The container stands at the site.",
    ),
    (
        "CONTAINER_VISIT_AVAILABLE",
        "The terminal says that the container can be picked up.",
    ),
    (
        "CONTAINER_VISIT_UNAVAILABLE",
        "The terminal says that the container cannot be picked up for now.",
    ),
    (
        "CONTAINER_VISIT_LOADED",
        "The container is loaded onto what will take it away.",
    ),
    (
        "CONTAINER_VISIT_DEPARTED",
        "The container has left the site.",
    ),
    ("CONTAINER_VISIT_EMPTIED", "The container is empty."),
    (
        "CONTAINER_VISIT_SHORT_LANDED",
        "The container did not come: the list or the check-in that named it was wrong.",
    ),
    ("PRE_ARRIVAL_SUBMITTED", "The pre-arrival is filed."),
    (
        "PRE_ARRIVAL_READY",
        "Nothing is in the way any more: the truck may come.",
    ),
    (
        "PRE_ARRIVAL_BLOCKED",
        "The truck should not come yet; the conditions say what is missing and who must act.",
    ),
    (
        "PRE_ARRIVAL_REPLACED",
        "Plate or driver of the pre-arrival changed.",
    ),
    (
        "PRE_ARRIVAL_USED",
        "The truck has gone in on the pre-arrival.",
    ),
    ("PRE_ARRIVAL_CANCELLED", "The pre-arrival is cancelled."),
    (
        "PRE_ARRIVAL_EXPIRED",
        "The truck did not come in time; file a new pre-arrival.",
    ),
    ("TRUCK_VISIT_ARRIVED", "The truck was recognised at a lane."),
    ("TRUCK_VISIT_GATED_IN", "The truck is in."),
    ("TRUCK_VISIT_WEIGHED", "The truck was weighed."),
    ("TRUCK_VISIT_INSPECTED", "An inspection site is done."),
    (
        "TRUCK_VISIT_RECALLED",
        "The truck must not leave: a hold or an inspection came after it went in.",
    ),
    (
        "TRUCK_VISIT_RECALL_ENDED",
        "The recall is over: the truck may leave.",
    ),
    (
        "TRUCK_VISIT_MANUAL_REVIEW",
        "A person at the gate must decide about the truck.",
    ),
    (
        "TRUCK_VISIT_TURNED_AWAY",
        "The truck was sent away; the conditions say why. The pre-arrival stands, and it may come again.",
    ),
    (
        "TRUCK_VISIT_GATE_OUT_REFUSED",
        "The truck asked to leave and was refused; the conditions say why.",
    ),
    ("TRUCK_VISIT_GATED_OUT", "The truck has left."),
    ("TRUCK_VISIT_CLOSED", "The truck's visit is over."),
    (
        "DECLARATION_REGISTERED",
        "The declaration is registered; it is accepted when the goods arrive.",
    ),
    (
        "DECLARATION_MATCHED",
        "The declaration agrees with the manifest.",
    ),
    (
        "DECLARATION_MISMATCHED",
        "The declaration does not agree with the manifest; the line corrects the manifest, or an officer decides.",
    ),
    (
        "DECLARATION_MATCH_OVERRIDDEN",
        "An officer let the declaration stand although it does not agree with the manifest.",
    ),
    ("DECLARATION_ACCEPTED", "The declaration is accepted."),
    (
        "DECLARATION_ROUTED",
        "The declaration was given its channel of control.",
    ),
    (
        "DECLARATION_CONTROL_OPENED",
        "Customs controls the goods or the documents.",
    ),
    ("DECLARATION_CONTROL_DONE", "A control is done."),
    ("DECLARATION_DEBT", "The duty changed."),
    (
        "DECLARATION_RELEASED",
        "Customs has released the goods; something is still to be done.",
    ),
    (
        "DECLARATION_CLEARED",
        "Customs has cleared the goods; nothing is left to do.",
    ),
    (
        "DECLARATION_EXPIRED",
        "The goods did not arrive in time; file a new declaration.",
    ),
    (
        "RELEASE_WITHHELD",
        "It may not leave; the conditions say what is missing and who must act.",
    ),
    ("RELEASE_GRANTED", "It may leave."),
    (
        "RELEASE_REVOCATION_ASKED",
        "The release is taken back, if it has not left yet: do not send a truck for it, and do not load it. Gate answers next.",
    ),
    (
        "RELEASE_REVOKED",
        "The release is taken back; it is decided anew.",
    ),
    ("RELEASE_CONSUMED", "It has left; the release is used up."),
    (
        "REVOCATION_APPLIED",
        "Gate has taken the release back: nothing leaves on it any more.",
    ),
    (
        "REVOCATION_TOO_LATE",
        "The release could not be taken back for what had left.",
    ),
    (
        "HOLD_PLACED",
        "A hold was placed: it must not leave before whoever placed it lifts it.",
    ),
    (
        "HOLD_LIFTED",
        "A hold was lifted. Other holds stand on their own.",
    ),
    (
        "COMMERCIAL_RELEASE_GRANTED",
        "The line lets the haulier collect the consignment.",
    ),
    (
        "COMMERCIAL_RELEASE_REVOCATION_ASKED",
        "The line takes its release of the consignment back, if no container of it has left yet: do not send a truck. Gate answers next.",
    ),
    (
        "COMMERCIAL_RELEASE_REVOKED",
        "The line takes its release of the consignment back.",
    ),
    (
        "COMMERCIAL_RELEASE_REVOCATION_FAILED",
        "The line's release of the consignment could not be taken back, because a container of it had left: it stands as before. The line revokes it again for what is still here, or holds that.",
    ),
    (
        "DECLARATION_DETAINED",
        "Customs detains the goods: nothing of them moves.",
    ),
    (
        "DECLARATION_DETENTION_ENDED",
        "The detention is over; the declaration stands as its other facts say.",
    ),
    (
        "DECLARATION_INVALIDATION_ASKED",
        "Customs wants the declaration void, and asks gate whether the goods can still be kept.",
    ),
    ("DECLARATION_INVALIDATED", "The declaration is void."),
    (
        "DECLARATION_INVALIDATION_TOO_LATE",
        "The declaration could not be made void: goods had left. It stands as before.",
    ),
    (
        "STOCK_LIST_FILED",
        "The increase is filed; the operator of the bonded centre approves it next.",
    ),
    ("STOCK_LIST_APPROVED", "The operator approved the list."),
    (
        "STOCK_LIST_RESERVED",
        "The decrease is filed, and its goods are set aside.",
    ),
    (
        "STOCK_LIST_VOID_ASKED",
        "The list is to be void; gate says whether anything of it can still pass.",
    ),
    (
        "STOCK_LIST_VOIDED",
        "The list is void, and nothing of it will pass.",
    ),
    (
        "STOCK_LIST_VOID_TOO_LATE",
        "The list could not be made void: goods of it are on their way. It stands as before.",
    ),
    (
        "STOCK_LIST_DISCREPANCY_OPENED",
        "What passed or was counted differs from the list: nothing is posted before the operator resolves it.",
    ),
    (
        "STOCK_LIST_DISCREPANCY_RESOLVED",
        "A difference from the list was resolved.",
    ),
    (
        "STOCK_LIST_COUNTED",
        "What came in was unstuffed and counted.",
    ),
    (
        "STOCK_LIST_CLOSED_SHORT",
        "No more of the list comes: what passed is all.",
    ),
    (
        "STOCK_LIST_POSTED",
        "The list is final: its quantities are in the account book.",
    ),
    (
        "STOCK_LIST_REVERSED",
        "The final posting of the list was reversed.",
    ),
    (
        "LIST_PASSAGE_PASS_ISSUED",
        "A truck is announced for a part of the list.",
    ),
    (
        "LIST_PASSAGE_PASS_WITHDRAWN",
        "A truck that was announced for a part of the list does not carry it.",
    ),
    (
        "LIST_PASSAGE_PASSED",
        "Goods of the list have passed the gate of the bonded centre.",
    ),
    ("LIST_PASSAGE_CLOSED", "Nothing more of the list will pass."),
    (
        "LIST_PASSAGE_REOPENED",
        "More of the list is to pass after all.",
    ),
    (
        "LIST_PASSAGE_VOID_APPLIED",
        "Gate has taken the passes of the list back: nothing of it will pass.",
    ),
    (
        "LIST_PASSAGE_VOID_TOO_LATE",
        "Goods of the list have passed, or are on a truck: it cannot be void.",
    ),
    ("BOOK_OPENED", "The account book is open."),
    (
        "BOOK_LINE_DECLARED",
        "A line of the account book was added or changed.",
    ),
    (
        "STOCK_MOVEMENT_POSTED",
        "A movement was posted to the account book.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_that_is_concerned_twice_is_told_once() {
        let mut concerned = Concerned::default();
        concerned.add(Concern::Filer, "trader-a");
        concerned.add(Concern::Trader, "trader-a");
        concerned.add(Concern::Haulier, "");
        assert_eq!(concerned.audience(Sort::Declaration), ["trader-a"].into());
    }

    #[test]
    fn hauliers_are_not_told_of_declarations() {
        let mut concerned = Concerned::default();
        concerned.add(Concern::Haulier, "haulier-a");
        assert!(concerned.audience(Sort::Declaration).is_empty());
        assert_eq!(concerned.audience(Sort::Decision), ["haulier-a"].into());
    }

    #[test]
    fn every_sort_of_fact_has_one_audience() {
        for (sort, _) in AUDIENCES {
            assert_eq!(
                AUDIENCES.iter().filter(|(other, _)| other == sort).count(),
                1,
                "{sort:?}"
            );
        }
    }
}
