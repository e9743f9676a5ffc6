//! Stock lists: an increase or decrease of one book, from its filing to its final posting or its void. What stands
//! here is the list and what can be said of it; who may change it how is `list_commands`, `list_filing` and
//! `list_posting`. It must not know how stock is counted up.
//!
//! ```text
//! increase   FILED -> APPROVED -> POSTED -> REVERSED
//! decrease   RESERVED ----------> POSTED -> REVERSED
//! before POSTED: VOID_ASKED -> VOIDED, or back where it stood
//! ```

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kernel::{BookNumber, Direction, Lrn, Quantity, Refusal, StockListNumber, UnitCode, Unmet};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::actor::Actor;
use super::amount::{Amount, Units};
use super::declaration::KnownDeclaration;
use super::discrepancy::{Difference, Discrepancy, DiscrepancyKind};
use super::hold::ListHold;
use super::line::BookLine;
use super::passage::Passage;

/// The most lines of a list.
pub const LIST_LINES_MAX: usize = 100;
/// The most lots from which one list takes.
pub const LIST_PARTS_MAX: usize = 1_000;
/// The most discrepancies of a list.
pub const DISCREPANCIES_MAX: usize = 1_000;

/// A stock list.
#[derive(Clone, Debug, PartialEq)]
pub struct StockList {
    /// Its number.
    pub number: StockListNumber,
    /// Grows by one with every fact of the list.
    pub version: u64,
    /// The bonded centre.
    pub site_id: String,
    /// Into bond or out of it.
    pub direction: Direction,
    /// The book.
    pub book_number: BookNumber,
    /// The trader whose stock it is.
    pub trader_party: String,
    /// The party that filed it.
    pub filer_party: String,
    /// The person or machine.
    pub filer_subject: String,
    /// The mandate by which it was filed for the trader; none: the trader filed it.
    pub mandate_id: Option<String>,
    /// The reference of the declaration that goes with it.
    pub declaration_lrn: Lrn,
    /// The party that is to file that declaration, where the list names one: for people, whoever files it counts.
    pub declaration_filer_party: Option<String>,
    /// Where it is in its life.
    pub state: ListState,
    /// Where it stood before void was asked.
    pub stood: Option<ListState>,
    /// The ask to gate, once void was asked.
    pub void_ask_id: Option<Uuid>,
    /// Who said that no more of it comes.
    pub closed_short: Option<ClosedShort>,
    /// Why it stands as it does.
    pub reason: Option<String>,
    /// Its lines, from 1.
    pub lines: Vec<ListLine>,
    /// Its discrepancies, in the order of their opening.
    pub discrepancies: Vec<Discrepancy>,
    /// Since when the goods that came by it are held and were, on the book's clock; oldest first.
    pub held: Vec<HeldSpan>,
    /// When it was counted last.
    pub counted_at: Option<DateTime<Utc>>,
    /// When it was filed.
    pub filed_at: DateTime<Utc>,
    /// When it was posted, and the business time of that.
    pub posted: Option<Posted>,
}

/// Where a list is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListState {
    /// An increase that waits for the operator.
    Filed,
    /// An increase that waits for its facts.
    Approved,
    /// A decrease that waits for its facts.
    Reserved,
    /// Gate is asked whether anything of it can still pass.
    VoidAsked,
    /// Void.
    Voided,
    /// Final.
    Posted,
    /// Final, and taken back.
    Reversed,
}

/// The operator's word that no more of a list comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedShort {
    /// The party.
    pub by_party: String,
    /// The person.
    pub by_subject: String,
    /// Why.
    pub reason: String,
}

/// The final posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// When it took effect.
    pub effective_at: DateTime<Utc>,
}

/// A span in which the goods that came by a list were held, on the book's clock of recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldSpan {
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when; none while it lasts.
    pub until: Option<DateTime<Utc>>,
}

/// A line of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListLine {
    /// Its number within the list, from 1.
    pub number: u32,
    /// The line of the book.
    pub book_line: u32,
    /// How much.
    pub amount: Amount,
    /// The units of the book's line.
    pub units: Units,
    /// What was counted last, in the declared unit.
    pub counted: Option<Decimal>,
    /// The lots that it makes or takes from.
    pub parts: Vec<Part>,
}

/// A list line's part of one lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The lot.
    pub lot_id: String,
    /// What is expected of it or reserved on it.
    pub provisional: Amount,
    /// The movement that says so.
    pub provisional_movement: Uuid,
    /// What was posted, and the movement that says so.
    pub actual: Option<(Amount, Uuid)>,
}

/// A list with everything that others told of it.
#[derive(Clone, Debug)]
pub struct Dossier {
    /// The list.
    pub list: StockList,
    /// What gate told.
    pub passage: Option<Passage>,
    /// The declarations that name it.
    pub declarations: Vec<KnownDeclaration>,
    /// The holds on it, also lifted ones.
    pub holds: Vec<ListHold>,
    /// What of it cannot be known now: a record about it waits, unread. Empty: all is known.
    pub unknown: Vec<String>,
}

/// What happened to a list, with the list after it.
#[derive(Clone, Debug, PartialEq)]
pub struct ListFact {
    /// What.
    pub kind: ListFactKind,
    /// When it happened.
    pub observed_at: DateTime<Utc>,
    /// The party; empty where facts of others did.
    pub by_party: String,
    /// For a person.
    pub detail: String,
    /// The list after it.
    pub list: StockList,
    /// The declaration that goes with it, if customs knows it.
    pub declaration_id: Option<String>,
    /// When its goods were unstuffed and counted, all that had come by then.
    pub unstuffed_at: Option<DateTime<Utc>>,
}

/// What can happen to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFactKind {
    /// An increase was filed.
    Filed,
    /// It was approved.
    Approved,
    /// A decrease was filed and reserved.
    Reserved,
    /// Void is asked for.
    VoidAsked,
    /// It is void.
    Voided,
    /// It cannot be void.
    VoidTooLate,
    /// Something differs.
    DiscrepancyOpened,
    /// A difference is settled.
    DiscrepancyResolved,
    /// It was counted.
    Counted,
    /// No more of it comes.
    ClosedShort,
    /// Provisional became actual.
    Posted,
    /// The final posting was taken back.
    Reversed,
}

impl StockList {
    /// Whether nothing of it is final yet.
    pub fn is_open(&self) -> bool {
        matches!(
            self.state,
            ListState::Filed | ListState::Approved | ListState::Reserved | ListState::VoidAsked
        )
    }

    /// Whether it exists for the actor.
    pub fn is_seen_by(&self, actor: &Actor) -> bool {
        (actor.trader && self.trader_party == actor.party)
            || (actor.broker && self.filer_party == actor.party)
            || actor.operated_sites.contains(&self.site_id)
    }

    /// Whether the goods that came by it are held.
    pub fn is_held(&self) -> bool {
        self.held.last().is_some_and(|span| span.until.is_none())
    }

    /// Whether a declaration goes with it: one of its own trader that names it, under the reference that it names,
    /// for a procedure that moves goods in its direction. Release lets the goods move by the same rule: on what does
    /// not count here they would pass and never be posted.
    pub fn goes_with(&self, declaration: &KnownDeclaration) -> bool {
        let procedures = self.direction.procedure_kinds();
        declaration.stock_lists.contains(&self.number)
            && declaration.trader_party == self.trader_party
            && Lrn::parse(&declaration.lrn).is_ok_and(|lrn| lrn == self.declaration_lrn)
            && procedures.contains(&declaration.procedure_kind.as_str())
    }

    /// Its line of this number.
    pub fn line(&self, number: u32) -> Option<&ListLine> {
        self.lines.iter().find(|line| line.number == number)
    }

    /// The cause of a movement: list, line, and which part of it.
    pub fn reference(&self, line: u32, part: usize) -> String {
        format!("{}/{line}/{}", self.number, part + 1)
    }

    /// Checks the version that somebody has seen.
    ///
    /// # Errors
    /// STALE_VERSION.
    pub fn expect(&self, expected_version: Option<u64>) -> Result<(), Refusal> {
        match expected_version {
            Some(expected) if expected != self.version => {
                Err(Refusal::stale(self.version).with_resource("stock list", self.number.as_str()))
            }
            _ => Ok(()),
        }
    }
}

impl ListLine {
    /// What was posted of it, in its declared unit; none where nothing was.
    pub fn posted(&self) -> Option<Decimal> {
        let posted = self.parts.iter().filter_map(|part| part.actual.as_ref());
        posted
            .map(|(amount, _)| amount.declared)
            .reduce(|sum, amount| sum + amount)
    }

    /// A number in its declared unit.
    pub fn quantity(&self, number: Decimal) -> Quantity {
        // What was read as a quantity, and sums of such, are quantities.
        Quantity::new(number, self.units.declared.clone())
            .unwrap_or_else(|_| Quantity::zero(self.units.declared.clone()))
    }
}

impl Dossier {
    /// The declaration that goes with the list; a released one before others.
    pub fn declaration(&self) -> Option<&KnownDeclaration> {
        self.declarations
            .iter()
            .filter(|declaration| self.list.goes_with(declaration))
            .max_by(|one, other| {
                (one.released, &one.declaration_id).cmp(&(other.released, &other.declaration_id))
            })
    }

    /// When customs released the declaration; none while it has not.
    pub fn released_at(&self) -> Option<DateTime<Utc>> {
        self.declaration()
            .filter(|declaration| declaration.released)
            .and_then(|declaration| declaration.released_at)
    }

    /// The passage, once nothing more will pass.
    pub fn closed_passage(&self) -> Option<&Passage> {
        self.passage.as_ref().filter(|passage| passage.closed)
    }

    /// What differs, as the facts stand: what passed from what is listed, once nothing more will pass; and what was
    /// counted from what is posted, or before that from what passed, or before that from what is listed (rule 4).
    pub fn differences(&self) -> Vec<Difference> {
        let closed = self.closed_passage();
        let mut differences = Vec::new();
        if let Some(passage) = closed {
            let mut passed = passage.passed();
            for line in &self.list.lines {
                let of_line = passed.remove(&(line.number, line.units.declared.clone()));
                differences.extend(delivery(
                    line.number,
                    line.quantity(line.amount.declared),
                    line.quantity(of_line.unwrap_or_default()),
                ));
            }
            differences.extend(foreign(passed));
        }
        for line in &self.list.lines {
            let Some(counted) = line.counted else {
                continue;
            };
            let posted = line
                .posted()
                .filter(|_| self.list.state == ListState::Posted);
            let expected = posted.unwrap_or_else(|| {
                closed.map_or(line.amount.declared, |passage| {
                    passage.passed_of(line.number, &line.units.declared)
                })
            });
            if counted != expected {
                differences.push(Difference {
                    line_number: line.number,
                    kind: DiscrepancyKind::Count,
                    expected: line.quantity(expected),
                    found: line.quantity(counted),
                });
            }
        }
        differences
    }

    /// Everything that stands in the way of the final posting; none where both facts agree and nothing does.
    pub fn waits_for(&self, lines: &BTreeMap<u32, BookLine>) -> Vec<Unmet> {
        let list = &self.list;
        let subject = list.number.as_str();
        let mut unmet = Vec::new();
        let mut add = |condition: &str, subject: &str, who: &str, description: String| {
            unmet.push(Unmet {
                condition: condition.to_owned(),
                subject: subject.to_owned(),
                who: who.to_owned(),
                since: None,
                evidence: String::new(),
                description,
            });
        };
        match list.state {
            ListState::Filed => add(
                "LIST_NOT_APPROVED",
                subject,
                "operator",
                "The operator approves the list.".into(),
            ),
            ListState::VoidAsked => add(
                "VOID_ASKED",
                subject,
                "terminal",
                "Gate answers whether anything of the list can still pass.".into(),
            ),
            ListState::Approved | ListState::Reserved => {}
            ListState::Voided | ListState::Posted | ListState::Reversed => return Vec::new(),
        }
        match self.declaration() {
            None => add(
                "DECLARATION_MISSING",
                subject,
                "broker",
                format!(
                    "A declaration of the list's trader under the reference {} names the list, for a procedure {}.",
                    list.declaration_lrn,
                    match list.direction {
                        Direction::In => "into bond",
                        Direction::Out => "out of bond, or into another bonded account",
                    }
                ),
            ),
            Some(declaration) if !declaration.released => add(
                "DECLARATION_NOT_RELEASED",
                &declaration.declaration_id,
                "officer",
                "Customs releases the declaration. If it has invalidated it, the trader voids the list and files another."
                    .into(),
            ),
            Some(_) => {}
        }
        if self.closed_passage().is_none() {
            add(
                "GOODS_NOT_PASSED",
                subject,
                "haulier",
                "All goods of the list pass the centre's gate, or the operator closes the list short."
                    .into(),
            );
        }
        for discrepancy in list.discrepancies.iter().filter(|one| one.is_open()) {
            add(
                "DISCREPANCY_OPEN",
                &discrepancy.id.to_string(),
                "operator",
                format!("{}; the operator resolves it.", discrepancy.difference),
            );
        }
        for hold in self.holds.iter().filter(|hold| hold.stands()) {
            add(
                "LIST_HELD",
                &hold.key.1,
                &hold.placed_by_party,
                format!("{}: {}", hold.kind, hold.reason),
            );
        }
        let suspended = list
            .lines
            .iter()
            .filter_map(|line| lines.get(&line.book_line));
        for line in suspended {
            let stands = match list.direction {
                Direction::In => line.suspended_for_increase,
                Direction::Out => line.suspended_for_decrease,
            };
            if stands {
                add(
                    "BOOK_LINE_SUSPENDED",
                    &line.id.to_string(),
                    "operator",
                    "The operator lifts the suspension of the line.".into(),
                );
            }
        }
        for place in &self.unknown {
            add(
                "FACTS_UNKNOWN",
                place,
                "admin",
                "A record about the list waits unread; the platform's operator retries or discards it."
                    .into(),
            );
        }
        unmet
    }

    /// Records a fact of the list.
    pub fn say(
        &mut self,
        kind: ListFactKind,
        observed_at: DateTime<Utc>,
        by_party: &str,
        detail: impl Into<String>,
    ) -> ListFact {
        self.list.version += 1;
        ListFact {
            kind,
            observed_at,
            by_party: by_party.to_owned(),
            detail: detail.into(),
            list: self.list.clone(),
            declaration_id: self
                .declaration()
                .map(|declaration| declaration.declaration_id.clone()),
            unstuffed_at: self.unstuffed_at(),
        }
    }

    /// When the goods that had come were unstuffed and counted: with the last count, once every line is counted. While
    /// a count differs and nobody has decided on that, the rest may still be in a container.
    pub fn unstuffed_at(&self) -> Option<DateTime<Utc>> {
        let list = &self.list;
        let whole = list.lines.iter().all(|line| line.counted.is_some());
        let agreed = self.differences().iter().all(|difference| {
            difference.kind != DiscrepancyKind::Count
                || list.discrepancies.iter().any(|one| one.decides(difference))
        });
        list.counted_at.filter(|_| whole && agreed)
    }
}

fn delivery(line_number: u32, expected: Quantity, found: Quantity) -> Option<Difference> {
    let kind = match found.amount().cmp(&expected.amount()) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => DiscrepancyKind::OverDelivery,
        std::cmp::Ordering::Less => DiscrepancyKind::UnderDelivery,
    };
    Some(Difference {
        line_number,
        kind,
        expected,
        found,
    })
}

/// What passed and is not listed: another line, or another unit.
fn foreign(passed: BTreeMap<(u32, UnitCode), Decimal>) -> impl Iterator<Item = Difference> {
    passed.into_iter().filter_map(|((line, unit), number)| {
        let found = Quantity::new(number, unit.clone()).ok()?;
        delivery(line, Quantity::zero(unit), found)
    })
}

impl ListState {
    const ALL: [Self; 7] = [
        Self::Filed,
        Self::Approved,
        Self::Reserved,
        Self::VoidAsked,
        Self::Voided,
        Self::Posted,
        Self::Reversed,
    ];

    /// Its name in tables and facts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filed => "FILED",
            Self::Approved => "APPROVED",
            Self::Reserved => "RESERVED",
            Self::VoidAsked => "VOID_ASKED",
            Self::Voided => "VOIDED",
            Self::Posted => "POSTED",
            Self::Reversed => "REVERSED",
        }
    }

    /// The state of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// The direction's name in facts and tables.
pub fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "INCREASE",
        Direction::Out => "DECREASE",
    }
}

/// The refusal of whoever names a list that does not exist for it.
pub fn not_found(number: &str) -> Refusal {
    Refusal::not_found("stock list", number)
}
