//! The ledger of a book: movements on two clocks (bonded rule 8), each with its
//! cause (rule 9), in a hash chain (rule 14). A movement is only ever added. It must
//! not know what causes are made of, nor how long a ledger is.

use chrono::{DateTime, TimeDelta, Utc};
use kernel::BookNumber;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::amount::{Amount, AmountError, Total, Totals, Units};

/// The value of a book's chain.
pub type Chain = [u8; 32];

/// Two movements of a book are recorded at least so far apart.
const RECORDING_STEP: TimeDelta = TimeDelta::microseconds(1);
/// Sets these chains apart from any other use of the hash; names their format.
const CHAIN_FORMAT: &[u8] = b"greenlane bonded movement 1";

/// Where a book's ledger ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many movements there are: the place of the last one.
    pub ordinal: u64,
    /// The chain after the last one.
    pub chain: Chain,
    /// When the last one was recorded; none before the first.
    pub recorded_at: Option<DateTime<Utc>>,
}

/// What is to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The line of the book.
    pub line_number: u32,
    /// The lot.
    pub lot_id: String,
    /// Which total moves.
    pub total: Total,
    /// By how much; negative in a contra entry.
    pub amount: Amount,
    /// The units of the line.
    pub units: Units,
    /// Why.
    pub cause: Cause,
    /// When it took effect.
    pub effective_at: DateTime<Utc>,
    /// The party that causes it; empty where facts of others do.
    pub by_party: String,
    /// The person or machine.
    pub by_subject: String,
    /// The movement that this contra entry takes back.
    pub reverses: Option<Uuid>,
}

/// Why a movement is posted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// Its kind.
    pub kind: CauseKind,
    /// Which one, within the kind.
    pub reference: String,
}

/// The kinds of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CauseKind {
    /// Stock taken over when the books were set up.
    Opening,
    /// A line of a stock list: expected or reserved.
    ListLine,
    /// What passed the gate of a line of a stock list.
    Pass,
    /// What was counted of a line of a stock list.
    Count,
    /// A stock list was voided.
    Void,
    /// A final posting was taken back.
    Reversal,
}

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Its id.
    pub id: Uuid,
    /// The book.
    pub book_number: BookNumber,
    /// Its place in the book, from 1, without gaps.
    pub ordinal: u64,
    /// What was posted.
    pub posting: Posting,
    /// When it was recorded: later than every movement before it.
    pub recorded_at: DateTime<Utc>,
    /// The chain after it.
    pub chain: Chain,
}

/// Why nothing is posted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostingError {
    /// The amount is zero in every unit.
    #[error("a movement moves something; give an amount")]
    Nothing,
    /// It would take effect later than it is recorded.
    #[error("a movement takes effect no later than it is recorded; give a time that is over")]
    NotYetEffective,
    /// The lot is not among those that the decision knows.
    #[error("the lot is not one of this book; name a lot as the stock shows it")]
    NoSuchLot,
    /// The clock has come to its end.
    #[error("the book's clock cannot grow any further")]
    ClockEnded,
    /// The totals do not allow it.
    #[error(transparent)]
    Amount(#[from] AmountError),
}

impl Head {
    /// The head of a book without movements; other books start otherwise, so that no
    /// movement can be carried over.
    pub fn start(book_number: &BookNumber) -> Self {
        let mut hash = Sha256::new();
        absorb(&mut hash, CHAIN_FORMAT);
        absorb(&mut hash, book_number.as_str().as_bytes());
        Self {
            ordinal: 0,
            chain: hash.finalize().into(),
            recorded_at: None,
        }
    }

    /// When the next movement is recorded, given the present time: strictly growing,
    /// also within one instant and when the clock steps back (rule 8).
    fn next_recorded_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.recorded_at {
            None => Some(now),
            Some(last) => last
                .checked_add_signed(RECORDING_STEP)
                .map(|least| now.max(least)),
        }
    }
}

/// Posts to a lot: gives the movement, the book's head after it and the lot's totals
/// after it. `now` is in whole microseconds, as a database keeps them.
///
/// # Errors
/// Nothing is posted that would take a total or what is available below zero, that
/// moves nothing, or that takes effect in the future.
pub fn post(
    book_number: &BookNumber,
    head: &Head,
    totals: &Totals,
    posting: Posting,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(Movement, Head, Totals), PostingError> {
    if posting.amount.is_zero() {
        return Err(PostingError::Nothing);
    }
    let recorded_at = head.next_recorded_at(now).ok_or(PostingError::ClockEnded)?;
    if posting.effective_at > recorded_at {
        return Err(PostingError::NotYetEffective);
    }
    let totals = totals.after(posting.total, &posting.amount)?;
    let mut movement = Movement {
        id,
        book_number: book_number.clone(),
        ordinal: head.ordinal + 1,
        posting,
        recorded_at,
        chain: head.chain,
    };
    movement.chain = movement.chain_after(&head.chain);
    let head = Head {
        ordinal: movement.ordinal,
        chain: movement.chain,
        recorded_at: Some(recorded_at),
    };
    Ok((movement, head, totals))
}

impl Movement {
    /// The chain's value after this movement: SHA-256 over the value before it and
    /// every field, each with its length, so that no two contents read alike.
    pub fn chain_after(&self, previous: &Chain) -> Chain {
        let posting = &self.posting;
        let mut hash = Sha256::new();
        absorb(&mut hash, CHAIN_FORMAT);
        absorb(&mut hash, previous);
        absorb(&mut hash, self.id.as_bytes());
        absorb(&mut hash, self.book_number.as_str().as_bytes());
        absorb(&mut hash, &self.ordinal.to_be_bytes());
        absorb(&mut hash, &posting.line_number.to_be_bytes());
        absorb(&mut hash, posting.lot_id.as_bytes());
        absorb(&mut hash, posting.total.as_str().as_bytes());
        for number in posting.amount.numbers() {
            absorb(&mut hash, number.to_string().as_bytes());
        }
        for unit in [
            &posting.units.declared,
            &posting.units.statutory_1,
            &posting.units.statutory_2,
        ] {
            absorb(&mut hash, unit.as_str().as_bytes());
        }
        absorb(&mut hash, posting.cause.kind.as_str().as_bytes());
        absorb(&mut hash, posting.cause.reference.as_bytes());
        absorb(
            &mut hash,
            &posting.effective_at.timestamp_micros().to_be_bytes(),
        );
        absorb(
            &mut hash,
            &self.recorded_at.timestamp_micros().to_be_bytes(),
        );
        absorb(&mut hash, posting.by_party.as_bytes());
        absorb(&mut hash, posting.by_subject.as_bytes());
        // The last field, and only in contra entries: one field more reads like no other content.
        if let Some(reversed) = posting.reverses {
            absorb(&mut hash, reversed.as_bytes());
        }
        hash.finalize().into()
    }
}

impl CauseKind {
    /// Its name in the ledger, in events and in the chain.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "OPENING",
            Self::ListLine => "LIST_LINE",
            Self::Pass => "PASS",
            Self::Count => "COUNT",
            Self::Void => "VOID",
            Self::Reversal => "REVERSAL",
        }
    }

    /// The kind of this name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Opening,
            Self::ListLine,
            Self::Pass,
            Self::Count,
            Self::Void,
            Self::Reversal,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == name)
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.kind.as_str(), self.reference)
    }
}

fn absorb(hash: &mut Sha256, field: &[u8]) {
    hash.update((field.len() as u64).to_be_bytes());
    hash.update(field);
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use kernel::UnitCode;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::verification::{Fault, Verification};

    pub(crate) fn instant(micros: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(1_790_000_000_000_000 + micros).unwrap()
    }

    fn book_number() -> BookNumber {
        BookNumber::parse("BOOKTRADERA1").unwrap()
    }

    fn amount(number: i64) -> Amount {
        Amount::new(number.into(), (number * 2).into(), (number * 3).into()).unwrap()
    }

    fn posting(
        lot: u8,
        total: Total,
        number: i64,
        effective_at: DateTime<Utc>,
        reference: &str,
    ) -> Posting {
        let unit = |code: &str| UnitCode::parse(code).unwrap();
        Posting {
            line_number: 1,
            lot_id: format!("BOOKTRADERA1/1/{lot}"),
            total,
            amount: amount(number),
            units: Units {
                declared: unit("NAR"),
                statutory_1: unit("KGM"),
                statutory_2: unit("LTR"),
            },
            cause: Cause {
                kind: CauseKind::Opening,
                reference: reference.to_owned(),
            },
            effective_at,
            by_party: "trader-a".into(),
            by_subject: "clerk".into(),
            reverses: None,
        }
    }

    /// A ledger as the service keeps it: movements, head, running balances.
    #[derive(Clone)]
    pub(crate) struct Ledger {
        pub movements: Vec<Movement>,
        pub head: Head,
        balances: BTreeMap<String, Totals>,
    }

    impl Ledger {
        fn new() -> Self {
            Self {
                movements: Vec::new(),
                head: Head::start(&book_number()),
                balances: BTreeMap::new(),
            }
        }

        fn post(&mut self, posting: Posting, now: DateTime<Utc>) -> Result<(), PostingError> {
            let totals = self
                .balances
                .get(&posting.lot_id)
                .copied()
                .unwrap_or_default();
            let lot = posting.lot_id.clone();
            let id = Uuid::from_u128(self.movements.len() as u128 + 1);
            let (movement, head, totals) =
                post(&book_number(), &self.head, &totals, posting, id, now)?;
            self.movements.push(movement);
            self.head = head;
            self.balances.insert(lot, totals);
            Ok(())
        }

        /// What the movements add up to, by lot, as of both clocks.
        fn sums(
            &self,
            effective_at: DateTime<Utc>,
            recorded_at: DateTime<Utc>,
        ) -> BTreeMap<String, [Amount; 4]> {
            let mut sums: BTreeMap<String, [Amount; 4]> = BTreeMap::new();
            for movement in &self.movements {
                if movement.posting.effective_at <= effective_at
                    && movement.recorded_at <= recorded_at
                {
                    let lot = sums.entry(movement.posting.lot_id.clone()).or_default();
                    let sum = &mut lot[movement.posting.total as usize];
                    *sum = sum.plus(&movement.posting.amount).unwrap();
                }
            }
            sums
        }

        fn balances(&self) -> BTreeMap<String, [Amount; 4]> {
            self.balances
                .iter()
                .map(|(lot, totals)| (lot.clone(), Total::ALL.map(|total| *totals.of(total))))
                .collect()
        }
    }

    /// What happens to a ledger: a posting, and how far the clock moves before it.
    #[derive(Clone, Debug)]
    struct Step {
        lot: u8,
        total: Total,
        number: i64,
        back_dated_micros: i64,
        clock_micros: i64,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        (
            0u8..3,
            0usize..4,
            -20i64..60,
            prop_oneof![Just(0), 0i64..50],
            prop_oneof![Just(0), -5i64..20],
        )
            .prop_map(
                |(lot, total, number, back_dated_micros, clock_micros)| Step {
                    lot,
                    total: Total::ALL[total],
                    number,
                    back_dated_micros,
                    clock_micros,
                },
            )
    }

    /// Posts what can be posted; the clock may stand still and step back.
    fn play(
        ledger: &mut Ledger,
        steps: &[Step],
        mut clock: i64,
        mut after_each: impl FnMut(&Ledger, DateTime<Utc>),
    ) -> i64 {
        for (index, step) in steps.iter().enumerate() {
            clock += step.clock_micros;
            let effective_at = instant(clock - step.back_dated_micros);
            let _ = ledger.post(
                posting(
                    step.lot,
                    step.total,
                    step.number,
                    effective_at,
                    &index.to_string(),
                ),
                instant(clock),
            );
            after_each(ledger, instant(clock));
        }
        clock
    }

    fn some_ledger(movements: usize) -> Ledger {
        let mut ledger = Ledger::new();
        for number in 1..=movements {
            let number = i64::try_from(number).unwrap();
            let lot = u8::try_from(number % 3).unwrap();
            ledger
                .post(
                    posting(
                        lot,
                        Total::ActualIncrease,
                        number,
                        instant(0),
                        &number.to_string(),
                    ),
                    instant(number),
                )
                .unwrap();
        }
        ledger
    }

    fn verify(movements: &[Movement], head: &Head) -> Result<Head, Fault> {
        let mut verification = Verification::start(&book_number(), None);
        for movement in movements {
            verification.next(movement)?;
        }
        verification.finish(head)
    }

    #[test]
    fn rule_8_two_postings_in_the_same_instant_have_an_order_and_a_right_balance() {
        let mut ledger = Ledger::new();
        for reference in ["1", "2", "3"] {
            ledger
                .post(
                    posting(1, Total::ActualIncrease, 5, instant(0), reference),
                    instant(0),
                )
                .unwrap();
        }
        let recorded: Vec<_> = ledger
            .movements
            .iter()
            .map(|movement| movement.recorded_at)
            .collect();
        assert_eq!(recorded, [instant(0), instant(1), instant(2)]);
        assert_eq!(
            ledger.sums(instant(0), instant(1))["BOOKTRADERA1/1/1"][2],
            amount(10)
        );
        assert_eq!(ledger.balances()["BOOKTRADERA1/1/1"][2], amount(15));
    }

    #[test]
    fn rule_8_the_clock_of_recording_grows_when_the_database_steps_back() {
        let mut ledger = Ledger::new();
        ledger
            .post(
                posting(1, Total::ActualIncrease, 5, instant(0), "1"),
                instant(100),
            )
            .unwrap();
        ledger
            .post(
                posting(1, Total::ActualIncrease, 5, instant(0), "2"),
                instant(40),
            )
            .unwrap();
        assert_eq!(ledger.head.recorded_at, Some(instant(101)));
    }

    #[test]
    fn nothing_takes_effect_in_the_future_and_nothing_moves_nothing() {
        let mut ledger = Ledger::new();
        let late = posting(1, Total::ActualIncrease, 5, instant(2), "1");
        assert_eq!(
            ledger.post(late, instant(1)),
            Err(PostingError::NotYetEffective)
        );
        let empty = posting(1, Total::ActualIncrease, 0, instant(0), "1");
        assert_eq!(ledger.post(empty, instant(1)), Err(PostingError::Nothing));
        assert_eq!(ledger.head, Head::start(&book_number()));
    }

    #[test]
    fn the_chains_of_two_books_start_differently() {
        let other = BookNumber::parse("BOOKTRADERB1").unwrap();
        assert_ne!(Head::start(&book_number()).chain, Head::start(&other).chain);
    }

    #[test]
    fn a_field_does_not_run_into_the_next() {
        let mut one = some_ledger(1).movements.remove(0);
        let mut other = one.clone();
        (one.posting.by_party, one.posting.by_subject) = ("ab".into(), "c".into());
        (other.posting.by_party, other.posting.by_subject) = ("a".into(), "bc".into());
        assert_ne!(one.chain_after(&[0; 32]), other.chain_after(&[0; 32]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_sum_of_movements_equals_the_balance_at_every_instant_on_both_clocks(steps in prop::collection::vec(any_step(), 0..60)) {
            let mut ledger = Ledger::new();
            let mut as_recorded = Vec::new();
            play(&mut ledger, &steps, 0, |ledger, _| {
                if let Some(recorded_at) = ledger.head.recorded_at {
                    as_recorded.push((recorded_at, ledger.balances()));
                }
            });
            // The running balance at each record is the sum up to it, whatever came later.
            for (recorded_at, balances) in &as_recorded {
                prop_assert_eq!(&ledger.sums(DateTime::<Utc>::MAX_UTC, *recorded_at), balances);
            }
            // At each instant of effect, the sum grows by exactly what took effect then.
            let mut instants: Vec<_> = ledger.movements.iter().map(|movement| movement.posting.effective_at).collect();
            instants.sort();
            for effective_at in instants {
                let before = ledger.sums(effective_at - TimeDelta::microseconds(1), DateTime::<Utc>::MAX_UTC);
                let after = ledger.sums(effective_at, DateTime::<Utc>::MAX_UTC);
                for (lot, sums) in &after {
                    for total in Total::ALL {
                        let then = ledger.movements.iter()
                            .filter(|movement| movement.posting.effective_at == effective_at && &movement.posting.lot_id == lot && movement.posting.total == total)
                            .try_fold(Amount::ZERO, |sum, movement| sum.plus(&movement.posting.amount)).unwrap();
                        let earlier = before.get(lot).map_or(Amount::ZERO, |sums| sums[total as usize]);
                        prop_assert_eq!(sums[total as usize], earlier.plus(&then).unwrap());
                    }
                }
            }
        }

        #[test]
        fn an_answer_for_an_earlier_recorded_at_never_changes(first in prop::collection::vec(any_step(), 1..30), later in prop::collection::vec(any_step(), 1..30), effective in -100i64..400) {
            let mut ledger = Ledger::new();
            let clock = play(&mut ledger, &first, 0, |_, _| {});
            // An empty book answers as of no time.
            let Some(recorded) = ledger.head.recorded_at else { return Ok(()) };
            let answer = ledger.sums(instant(effective), recorded);
            // Even if the clock steps far back in between.
            play(&mut ledger, &later, clock - 1_000, |_, _| {});
            prop_assert_eq!(ledger.sums(instant(effective), recorded), answer);
        }

        #[test]
        fn available_and_every_total_never_fall_below_zero(steps in prop::collection::vec(any_step(), 0..80)) {
            let mut ledger = Ledger::new();
            play(&mut ledger, &steps, 0, |ledger, _| {
                for totals in ledger.balances.values() {
                    assert!(!totals.available().unwrap().is_below_zero());
                    assert!(Total::ALL.iter().all(|total| !totals.of(*total).is_below_zero()));
                }
            });
        }

        #[test]
        fn recorded_at_and_ordinals_grow_strictly_and_the_chain_holds(steps in prop::collection::vec(any_step(), 0..60)) {
            let mut ledger = Ledger::new();
            play(&mut ledger, &steps, 0, |_, _| {});
            prop_assert!(ledger.movements.windows(2).all(|pair| pair[0].recorded_at < pair[1].recorded_at && pair[0].ordinal + 1 == pair[1].ordinal));
            prop_assert_eq!(verify(&ledger.movements, &ledger.head), Ok(ledger.head.clone()));
        }

        #[test]
        fn replaying_from_empty_gives_the_same_balances_and_the_same_chain(steps in prop::collection::vec(any_step(), 0..40)) {
            let (mut one, mut other) = (Ledger::new(), Ledger::new());
            play(&mut one, &steps, 0, |_, _| {});
            play(&mut other, &steps, 0, |_, _| {});
            prop_assert_eq!(one.balances(), other.balances());
            prop_assert_eq!(one.head, other.head);
        }
    }

    /// What somebody with access to the tables might do.
    #[derive(Clone, Debug)]
    enum Edit {
        Field(usize, u8),
        Remove(usize),
        Repeat(usize),
        Swap(usize, usize),
        Insert(usize),
        /// Changes a movement and computes its own chain value anew.
        Forge(usize),
    }

    const MOVEMENTS: usize = 40;

    fn any_edit() -> impl Strategy<Value = Edit> {
        prop_oneof![
            4 => (0..MOVEMENTS, 0u8..18).prop_map(|(at, field)| Edit::Field(at, field)),
            1 => (0..MOVEMENTS).prop_map(Edit::Remove),
            1 => (0..MOVEMENTS).prop_map(Edit::Repeat),
            1 => (0..MOVEMENTS, 1..MOVEMENTS).prop_map(|(at, by)| Edit::Swap(at, (at + by) % MOVEMENTS)),
            1 => (0..MOVEMENTS).prop_map(Edit::Insert),
            1 => (0..MOVEMENTS).prop_map(Edit::Forge),
        ]
    }

    fn apply(edit: &Edit, movements: &mut Vec<Movement>) {
        match edit {
            Edit::Field(at, field) => change(&mut movements[*at], *field),
            Edit::Remove(at) => drop(movements.remove(*at)),
            Edit::Repeat(at) => movements.insert(*at, movements[*at].clone()),
            Edit::Swap(at, with) => movements.swap(*at, *with),
            Edit::Insert(at) => {
                let mut foreign = movements[*at].clone();
                foreign.id = Uuid::from_u128(999);
                movements.insert(*at, foreign);
            }
            Edit::Forge(at) => {
                let previous = if *at == 0 {
                    Head::start(&book_number()).chain
                } else {
                    movements[*at - 1].chain
                };
                movements[*at].posting.amount = amount(1_000);
                movements[*at].chain = movements[*at].chain_after(&previous);
            }
        }
    }

    fn change(movement: &mut Movement, field: u8) {
        let posting = &mut movement.posting;
        let more: rust_decimal::Decimal = "0.000001".parse().unwrap();
        match field {
            0 => movement.id = Uuid::from_u128(999),
            1 => movement.book_number = BookNumber::parse("BOOKTRADERB1").unwrap(),
            2 => movement.ordinal += 1,
            3 => posting.line_number += 1,
            4 => posting.lot_id.push('0'),
            5 => posting.total = Total::ActualDecrease,
            6 => posting.amount.declared += more,
            7 => posting.amount.statutory_1 += more,
            8 => posting.amount.statutory_2 += more,
            9 => posting.units.declared = UnitCode::parse("TNE").unwrap(),
            10 => posting.units.statutory_1 = UnitCode::parse("TNE").unwrap(),
            11 => posting.units.statutory_2 = UnitCode::parse("TNE").unwrap(),
            12 => posting.cause.reference.push('0'),
            13 => posting.effective_at -= TimeDelta::microseconds(1),
            14 => movement.recorded_at += TimeDelta::microseconds(1),
            15 => posting.by_party = "trader-b".into(),
            16 => posting.reverses = Some(Uuid::from_u128(999)),
            _ => posting.by_subject = "nobody".into(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn rule_14_verification_finds_each_of_100_random_edits(edit in any_edit()) {
            let ledger = some_ledger(MOVEMENTS);
            let mut movements = ledger.movements.clone();
            apply(&edit, &mut movements);
            prop_assert!(verify(&movements, &ledger.head).is_err(), "{:?} was not found", edit);
        }
    }
}
