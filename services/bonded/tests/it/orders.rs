//! Lists under every order and repetition of what is told of them, without a database: the rules alone, more than ten
//! thousand orders, each invariant looked at after every step. A failure prints the seed.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use bonded::domain::Rules;
use bonded::domain::amount::{Amount, Total, Totals, Units};
use bonded::domain::book::Book;
use bonded::domain::declaration::KnownDeclaration;
use bonded::domain::desk::Desk;
use bonded::domain::discrepancy::{DiscrepancyKind, Resolution};
use bonded::domain::hold::ListHold;
use bonded::domain::ledger::{Head, Movement};
use bonded::domain::line::{BookLine, LineId};
use bonded::domain::list_commands::{Change, ChangeStockList, ChangeView, Target, change};
use bonded::domain::list_filing::{FileStockList, FilingView, WrittenList, WrittenListLine, file};
use bonded::domain::list_posting::consider;
use bonded::domain::lot::{Entry, StockedLot};
use bonded::domain::opening::{PostOpening, take_over};
use bonded::domain::passage::{Pass, PassState, Passage};
use bonded::domain::stock_list::{Dossier, ListFact, ListFactKind, ListState};
use bonded::domain::verification::Verification;
use chrono::{DateTime, TimeDelta, Utc};
use kernel::{BookNumber, Direction, HsCode, Quantity, Refusal, StockListNumber, UnitCode, new_id};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::support::{BOOK_A, CENTRE, operator, rules, trader};

/// Runs a property with a seed of its own, which a failure prints.
fn check<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value)) {
    let seed = [new_id().into_bytes(), new_id().into_bytes()].concat();
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let outcome = TestRunner::new_with_rng(config, rng).run(strategy, |value| {
        test(value);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => panic!("with the seed {seed:?}: {why}: {value:?}"),
        Err(error) => panic!("with the seed {seed:?}: {error}"),
    }
}

fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap()
}

fn unit(code: &str) -> UnitCode {
    UnitCode::parse(code).unwrap()
}

fn pieces(number: i64) -> Quantity {
    Quantity::new(number.into(), unit("NAR")).unwrap()
}

thread_local! {
    static NEXT_ID: Cell<u128> = const { Cell::new(1) };
}

/// Ids that follow from how many were given before: so that two worlds can be compared.
const IDS: &(dyn Fn() -> Uuid + Send + Sync) = &|| {
    NEXT_ID.with(|next| {
        next.set(next.get() + 1);
        Uuid::from_u128(next.get())
    })
};

/// One book with three lines, its stock and its lists, as the service keeps them.
#[derive(Clone)]
struct World {
    rules: Rules,
    book: Book,
    lines: BTreeMap<u32, BookLine>,
    lots: BTreeMap<String, StockedLot>,
    movements: Vec<Movement>,
    dossiers: BTreeMap<StockListNumber, Dossier>,
    serials: BTreeMap<i32, u32>,
    said: Vec<ListFact>,
    clock: i64,
    /// Whether the invariants are looked at after every step.
    watched: bool,
}

impl World {
    /// Three lines in pieces, kilograms and pieces, with some lots each.
    fn new(stock: &[(u32, i64, i64)]) -> Self {
        NEXT_ID.with(|next| next.set(1));
        let number = BookNumber::parse(BOOK_A).unwrap();
        let line = |line_number| BookLine {
            id: LineId {
                book_number: number.clone(),
                line_number,
            },
            version: 1,
            hs_code: HsCode::parse("42021219").unwrap(),
            goods_description: "Vanity cases".into(),
            units: Units {
                declared: unit("NAR"),
                statutory_1: unit("KGM"),
                statutory_2: unit("LTR"),
            },
            suspended_for_increase: false,
            suspended_for_decrease: false,
            suspension: None,
            lots: 0,
            added_at: instant(0),
            added_by_party: "trader-a".into(),
            added_by_subject: "clerk".into(),
        };
        let mut world = Self {
            rules: rules(),
            book: Book {
                head: Head::start(&number),
                clock: None,
                book_number: number.clone(),
                version: 1,
                site_id: CENTRE.into(),
                trader_party: "trader-a".into(),
                lines: 3,
                opened_at: instant(0),
                opened_by_party: "trader-a".into(),
                opened_by_subject: "clerk".into(),
            },
            lines: (1..=3).map(|at| (at, line(at))).collect(),
            lots: BTreeMap::new(),
            movements: Vec::new(),
            dossiers: BTreeMap::new(),
            serials: BTreeMap::new(),
            said: Vec::new(),
            clock: 1_000,
            watched: true,
        };
        for (at, (line, number, kilograms)) in stock.iter().enumerate() {
            let opening = PostOpening {
                actor: trader("trader-a"),
                line: LineId::parse(&format!("{BOOK_A}/{line}")).unwrap(),
                reference: at.to_string(),
                entry_date: (instant(0) - TimeDelta::days(100 - i64::try_from(at).unwrap()))
                    .date_naive(),
                declared: pieces(*number),
                statutory_1: Quantity::new((*kilograms).into(), unit("KGM")).unwrap(),
                statutory_2: Quantity::new(7.into(), unit("LTR")).unwrap(),
            };
            let line = world.lines[line].clone();
            let (book, now) = (world.book.clone(), world.now());
            let desk = take_over(
                &opening,
                Some(&book),
                Some(&line),
                false,
                &world.rules,
                IDS,
                now,
            )
            .unwrap();
            world.put(desk);
        }
        world
    }

    fn now(&self) -> DateTime<Utc> {
        instant(self.clock)
    }

    fn desk(&self) -> Desk<'static> {
        Desk::new(
            self.book.clone(),
            self.lines.values().cloned(),
            self.lots.values().cloned(),
            self.now(),
            IDS,
        )
    }

    fn put(&mut self, desk: Desk<'_>) {
        self.book = desk.book;
        self.lines.extend(desk.lines);
        self.lots.extend(desk.lots);
        self.movements
            .extend(desk.posted.into_iter().map(|(movement, _)| movement));
    }

    fn held(&self) -> BTreeSet<StockListNumber> {
        self.dossiers
            .iter()
            .filter(|(_, dossier)| dossier.list.is_held())
            .map(|(number, _)| number.clone())
            .collect()
    }

    fn file(
        &mut self,
        direction: Direction,
        lines: &[(u32, i64)],
    ) -> Result<StockListNumber, Refusal> {
        let written = WrittenList {
            direction: Some(direction),
            book_number: BOOK_A,
            declaration_lrn: "LRN-1",
            declaration_filer_party: "",
            lines: lines
                .iter()
                .map(|(line, number)| {
                    let statutory = |code: &str, factor: i64| {
                        (direction == Direction::In).then(|| {
                            Ok(Quantity::new((number * factor).into(), unit(code)).unwrap())
                        })
                    };
                    WrittenListLine {
                        book_line: *line,
                        declared: Ok(pieces(*number)),
                        statutory: [statutory("KGM", 3), statutory("LTR", 5)],
                        lot_ids: Vec::new(),
                    }
                })
                .collect(),
        };
        let command = FileStockList::read(trader("trader-a"), false, written).unwrap();
        let (held, serials) = (self.held(), self.serials.clone());
        let view = FilingView {
            mandates: Vec::new(),
            register_known: true,
            suspended: None,
            serials: &serials,
            epoch: 1,
            held_lists: &held,
        };
        let (filed, desk) = file(&command, &view, Some(self.desk()), &self.rules)?;
        let number = filed.dossier.list.number.clone();
        self.serials.insert(filed.serial.0, filed.serial.1);
        self.said.push(filed.fact);
        self.dossiers.insert(number.clone(), filed.dossier);
        self.put(desk);
        self.clock += 1;
        self.assert_holds();
        Ok(number)
    }

    fn order(&mut self, number: &StockListNumber, what: Change) -> Result<(), Refusal> {
        let target = match &what {
            Change::Resolve { .. } => {
                let open = self.dossiers[number].list.discrepancies.iter();
                Target::Discrepancy(
                    open.filter(|one| one.is_open())
                        .min_by_key(|one| one.difference.kind != DiscrepancyKind::Count)
                        .map(|one| one.id)
                        .unwrap(),
                )
            }
            _ => Target::List(number.clone()),
        };
        let command = ChangeStockList {
            actor: operator(),
            target,
            expected_version: None,
            change: what,
        };
        let mut dossier = self.dossiers[number].clone();
        let mut desk = self.desk();
        let held = self.held();
        let view = ChangeView {
            mandates: Vec::new(),
            register_known: true,
            held_lists: &held,
        };
        let mut said = change(&command, &mut dossier, &mut desk, &view)?;
        said.extend(consider(&mut dossier, &mut desk, &self.rules).unwrap());
        self.keep(number, dossier, desk, said);
        Ok(())
    }

    /// Something is told of a list.
    fn tell(&mut self, number: &StockListNumber, told: &Told) {
        let mut dossier = self.dossiers[number].clone();
        match told {
            Told::Passage(passage) => {
                if passage.replaces(dossier.passage.as_ref()) {
                    dossier.passage = Some(passage.clone());
                }
            }
            Told::Declaration(declaration) => {
                let held = dossier.declarations.first().cloned();
                dossier.declarations = vec![declaration.clone().after(held.as_ref())];
            }
            Told::Hold(hold) => {
                let held = dossier.holds.first().cloned();
                dossier.holds = vec![hold.clone().after(held.as_ref())];
            }
            Told::Approve => {
                let _ = self.order(number, Change::Approve);
                return;
            }
            Told::Count(counts) => {
                let counts = counts.clone();
                let _ = self.order(number, Change::Count { counts });
                return;
            }
        }
        let mut desk = self.desk();
        let said = consider(&mut dossier, &mut desk, &self.rules).unwrap();
        self.keep(number, dossier, desk, said);
    }

    fn keep(
        &mut self,
        number: &StockListNumber,
        dossier: Dossier,
        desk: Desk<'_>,
        said: Vec<ListFact>,
    ) {
        self.put(desk);
        self.dossiers.insert(number.clone(), dossier);
        self.said.extend(said);
        self.clock += 1;
        self.assert_holds();
    }

    /// Settles whatever is open, as the operator of this scenario does.
    fn settle_all(&mut self, number: &StockListNumber, resolution: Resolution) {
        while self.dossiers[number]
            .list
            .discrepancies
            .iter()
            .any(|one| one.is_open())
        {
            let reason = "as agreed".to_owned();
            let how = Change::Resolve {
                resolution,
                reason: reason.clone(),
            };
            if self.order(number, how).is_err() {
                let how = Change::Resolve {
                    resolution: Resolution::PostPassed,
                    reason,
                };
                if self.order(number, how).is_err() {
                    return;
                }
            }
        }
    }

    /// The invariants of the stock (domain.md, section 6), looked at after every step.
    #[track_caller]
    fn assert_holds(&self) {
        if !self.watched {
            return;
        }
        let mut sums: BTreeMap<&str, Totals> = BTreeMap::new();
        for movement in &self.movements {
            let sum = sums.entry(&movement.posting.lot_id).or_default();
            *sum = sum
                .after(movement.posting.total, &movement.posting.amount)
                .unwrap();
        }
        let mut open: BTreeMap<(&str, Total), Amount> = BTreeMap::new();
        for dossier in self
            .dossiers
            .values()
            .filter(|dossier| dossier.list.is_open())
        {
            let total = match dossier.list.direction {
                Direction::In => Total::ProvisionalIncrease,
                Direction::Out => Total::ProvisionalDecrease,
            };
            for part in dossier.list.lines.iter().flat_map(|line| &line.parts) {
                let sum = open.entry((&part.lot_id, total)).or_default();
                *sum = sum.plus(&part.provisional).unwrap();
            }
        }
        for (id, lot) in &self.lots {
            assert_eq!(
                sums.get(id.as_str()).copied().unwrap_or_default(),
                lot.totals,
                "the sum of movements is the balance"
            );
            assert!(
                !lot.totals.available().unwrap().is_below_zero(),
                "available is never below zero"
            );
            for total in [Total::ProvisionalIncrease, Total::ProvisionalDecrease] {
                let listed = open.get(&(id.as_str(), total)).copied().unwrap_or_default();
                assert_eq!(
                    *lot.totals.of(total),
                    listed,
                    "provisional totals are the sum over open lists"
                );
            }
            let book = lot.totals.book().unwrap();
            assert!(
                !book.declared.is_zero() || book.is_zero(),
                "a lot closes at zero in all units"
            );
        }
        for (number, dossier) in &self.dossiers {
            let finals = self.said.iter().filter(|fact| {
                fact.list.number == *number
                    && matches!(fact.kind, ListFactKind::Posted | ListFactKind::Voided)
            });
            assert!(finals.count() <= 1, "a list finalises at most once");
            let versions: Vec<u64> = self
                .said
                .iter()
                .filter(|fact| fact.list.number == *number)
                .map(|fact| fact.list.version)
                .collect();
            assert_eq!(
                versions,
                (1..=dossier.list.version).collect::<Vec<_>>(),
                "a version for every fact"
            );
        }
    }

    /// Replays the ledger from empty: it verifies and gives the same balances.
    #[track_caller]
    fn assert_replays(&mut self) {
        self.watched = true;
        self.assert_holds();
        let mut verification = Verification::start(&self.book.book_number, None);
        for movement in &self.movements {
            verification.next(movement).unwrap();
        }
        assert_eq!(
            verification.finish(&self.book.head).unwrap(),
            self.book.head
        );
    }

    /// What must not depend on the order in which anything was told.
    fn outcome(&self, number: &StockListNumber) -> String {
        let dossier = &self.dossiers[number];
        let actual: Vec<_> = dossier
            .list
            .lines
            .iter()
            .map(|line| {
                line.parts
                    .iter()
                    .map(|part| {
                        (
                            part.lot_id.clone(),
                            part.provisional,
                            part.actual.map(|(amount, _)| amount),
                        )
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        let open: BTreeSet<String> = dossier
            .list
            .discrepancies
            .iter()
            .filter(|one| one.is_open())
            .map(|one| one.difference.to_string())
            .collect();
        let lots: Vec<_> = self
            .lots
            .values()
            .map(|lot| (lot.lot.lot_id.clone(), lot.lot.entry, lot.totals))
            .collect();
        format!("{:?} {actual:?} {open:?} {lots:?}", dossier.list.state)
    }
}

/// What can be told of a list.
#[derive(Clone, Debug)]
enum Told {
    Approve,
    Passage(Passage),
    Declaration(KnownDeclaration),
    Hold(ListHold),
    Count(Vec<(u32, Quantity)>),
}

/// A list, its trucks, and what is told.
#[derive(Clone, Debug)]
struct Scenario {
    increase: bool,
    lines: Vec<(u32, i64)>,
    /// What each truck carries of each line.
    trucks: Vec<Vec<i64>>,
    /// What is counted of each line, if it is.
    counted: Option<Vec<i64>>,
    held: Held,
    counted_wins: bool,
    /// Where in the order each told thing stands, with repetitions.
    order: Vec<u16>,
}

#[derive(Clone, Copy, Debug)]
enum Held {
    Never,
    Lifted,
    Stands,
}

fn any_scenario() -> impl Strategy<Value = Scenario> {
    let lines = prop::collection::vec((1u32..=3, 1i64..9), 1..4);
    (any::<bool>(), lines, 1usize..4, any::<bool>(), any::<bool>())
        .prop_flat_map(|(increase, lines, trucks, exact, counts)| {
            let count = lines.len();
            let differences = prop::collection::vec(-2i64..3, count);
            let counted = prop::collection::vec(-1i64..2, count);
            let held = prop_oneof![3 => Just(Held::Never), 2 => Just(Held::Lifted), 1 => Just(Held::Stands)];
            (
                Just((increase, lines, trucks, exact, counts)),
                differences,
                counted,
                held,
                any::<bool>(),
                prop::collection::vec(any::<u16>(), 32),
            )
        })
        .prop_map(
            |((increase, lines, trucks, exact, counts), differences, counted, held, counted_wins, order)| {
                let passed: Vec<i64> = lines
                    .iter()
                    .zip(&differences)
                    .map(|((_, listed), difference)| if exact { *listed } else { (listed + difference).max(0) })
                    .collect();
                // Spread over the trucks, the rest on the last.
                let loads = (0..trucks)
                    .map(|truck| {
                        passed
                            .iter()
                            .map(|all| {
                                let each = all / i64::try_from(trucks).unwrap();
                                if truck + 1 == trucks { all - each * i64::try_from(trucks - 1).unwrap() } else { each }
                            })
                            .collect()
                    })
                    .collect();
                let counted = (counts && increase).then(|| {
                    passed.iter().zip(&counted).map(|(passed, difference)| (passed + difference).max(0)).collect()
                });
                Scenario { increase, lines, trucks: loads, counted, held, counted_wins, order }
            },
        )
}

impl Scenario {
    fn direction(&self) -> Direction {
        if self.increase {
            Direction::In
        } else {
            Direction::Out
        }
    }

    /// Everything that is told, in the order in which it happened; and what is told only then. A hold that stands and
    /// a count are words of people: they count if they are said before the goods are final.
    fn told(&self, number: &StockListNumber) -> (Vec<Told>, Vec<Told>) {
        let mut told = Vec::new();
        let mut released = Vec::new();
        if self.increase {
            told.push(Told::Approve);
        }
        let declaration = |version, released: bool| {
            Told::Declaration(KnownDeclaration {
                declaration_id: "declaration".into(),
                version: (1, version),
                lrn: "LRN-1".into(),
                filer_party: "broker-a".into(),
                trader_party: "trader-a".into(),
                procedure_kind: "INTO_BOND".into(),
                released,
                released_at: released.then(|| instant(400 + i64::try_from(version).unwrap())),
                stock_lists: vec![number.clone()],
            })
        };
        told.push(declaration(1, false));
        let last = matches!(self.held, Held::Stands) || self.counted.is_some();
        let releases = [declaration(2, true), declaration(3, true)];
        if last { &mut released } else { &mut told }.extend(releases);
        let trucks = self.trucks.len();
        for passed in 0..=trucks {
            told.push(Told::Passage(passage(
                number,
                u64::try_from(passed).unwrap() + 1,
                &self.trucks,
                passed,
                false,
            )));
        }
        told.push(Told::Passage(passage(
            number,
            u64::try_from(trucks).unwrap() + 2,
            &self.trucks,
            trucks,
            true,
        )));
        let hold = |lifted: bool| {
            Told::Hold(ListHold {
                key: ("customs.hold".into(), "H1".into()),
                list_number: number.clone(),
                kind: "CUSTOMS".into(),
                placed_by_party: "officer-1".into(),
                reason: "papers".into(),
                placed_at: instant(100),
                lifted_at: lifted.then(|| instant(200)),
            })
        };
        match self.held {
            Held::Never => {}
            Held::Lifted => told.extend([hold(false), hold(true)]),
            Held::Stands => told.push(hold(false)),
        }
        if let Some(counted) = &self.counted {
            let counts = (1..)
                .zip(counted)
                .map(|(line, counted)| (line, pieces(*counted)));
            told.push(Told::Count(counts.collect()));
        }
        (told, released)
    }

    /// Plays it: everything in the given order, then the operator settles what is open.
    fn play(&self, world: &mut World, number: &StockListNumber, told: &[Told]) {
        for one in told {
            world.tell(number, one);
        }
        let resolution = if self.counted_wins {
            Resolution::PostCounted
        } else {
            Resolution::PostPassed
        };
        world.settle_all(number, resolution);
    }
}

/// Gate's word after so many trucks have passed.
fn passage(
    number: &StockListNumber,
    version: u64,
    trucks: &[Vec<i64>],
    passed: usize,
    closed: bool,
) -> Passage {
    let passes = trucks.iter().enumerate().map(|(at, load)| {
        let has_passed = at < passed;
        Pass {
            pre_arrival_id: format!("P{at}"),
            pass_number: String::new(),
            state: if has_passed {
                PassState::Passed
            } else {
                PassState::Issued
            },
            passed_at: has_passed.then(|| instant(300 + i64::try_from(at).unwrap())),
            lines: (1..)
                .zip(load)
                .map(|(line, number)| (line, pieces(*number)))
                .collect(),
        }
    });
    Passage {
        list_number: number.clone(),
        version: (1, version),
        passes: passes.collect(),
        closed,
        void_ask_id: String::new(),
        void_applied: false,
    }
}

/// The same things in another order, some of them again.
fn shuffled(told: &[Told], order: &[u16]) -> Vec<Told> {
    let mut keyed: Vec<(u16, &Told)> = told
        .iter()
        .chain(told)
        .zip(order.iter().copied().chain(std::iter::repeat(u16::MAX)))
        .map(|(one, at)| (at, one))
        .collect();
    keyed.sort_by_key(|(at, _)| *at);
    keyed.into_iter().map(|(_, one)| one.clone()).collect()
}

fn stock() -> Vec<(u32, i64, i64)> {
    vec![
        (1, 20, 31),
        (1, 25, 17),
        (2, 40, 100),
        (3, 40, 9),
        (3, 3, 1),
    ]
}

#[test]
fn any_order_and_any_repetition_of_the_facts_of_a_list_end_in_the_same_state() {
    check(10_000, &any_scenario(), |scenario| {
        let mut as_it_happened = World::new(&stock());
        let number = as_it_happened
            .file(scenario.direction(), &scenario.lines)
            .unwrap();
        as_it_happened.watched = false;
        let (told, released) = scenario.told(&number);
        let all = [told.as_slice(), &released].concat();
        scenario.play(&mut as_it_happened, &number, &all);
        as_it_happened.assert_replays();
        let expected = as_it_happened.outcome(&number);

        let mut otherwise = World::new(&stock());
        otherwise.watched = false;
        assert_eq!(
            otherwise
                .file(scenario.direction(), &scenario.lines)
                .unwrap(),
            number
        );
        let mut all = shuffled(&told, &scenario.order);
        all.extend(shuffled(&released, &scenario.order));
        scenario.play(&mut otherwise, &number, &all);
        otherwise.assert_replays();
        assert_eq!(otherwise.outcome(&number), expected);
        let state = otherwise.dossiers[&number].list.state;
        match scenario.held {
            Held::Stands => assert_ne!(state, ListState::Posted, "a hold stands"),
            Held::Never | Held::Lifted => {
                assert_eq!(state, ListState::Posted, "both facts are there")
            }
        }
    });
}

/// What people and gate do with several lists at once.
#[derive(Clone, Debug)]
enum Act {
    File(bool, u32, i64),
    Approve(usize),
    Release(usize),
    PassAll(usize),
    PassSome(usize),
    AskVoid(usize),
    AnswerVoid(usize, bool),
    CloseShort(usize),
    Reverse(usize),
    Hold(usize, bool),
    Resolve(usize),
}

fn any_act() -> impl Strategy<Value = Act> {
    let list = || 0usize..6;
    prop_oneof![
        4 => (any::<bool>(), 1u32..=3, 1i64..30).prop_map(|(increase, line, number)| Act::File(increase, line, number)),
        2 => list().prop_map(Act::Approve),
        3 => list().prop_map(Act::Release),
        3 => list().prop_map(Act::PassAll),
        2 => list().prop_map(Act::PassSome),
        2 => list().prop_map(Act::AskVoid),
        2 => (list(), any::<bool>()).prop_map(|(list, applied)| Act::AnswerVoid(list, applied)),
        1 => list().prop_map(Act::CloseShort),
        1 => list().prop_map(Act::Reverse),
        1 => (list(), any::<bool>()).prop_map(|(list, lifted)| Act::Hold(list, lifted)),
        1 => list().prop_map(Act::Resolve),
    ]
}

impl World {
    fn act(&mut self, act: &Act) {
        let numbers: Vec<StockListNumber> = self.dossiers.keys().cloned().collect();
        let of = |at: &usize| numbers.get(*at).cloned();
        let reason = || "because".to_owned();
        match act {
            Act::File(increase, line, number) => {
                let direction = if *increase {
                    Direction::In
                } else {
                    Direction::Out
                };
                let _ = self.file(direction, &[(*line, *number)]);
            }
            Act::Approve(at) => drop(of(at).map(|number| self.order(&number, Change::Approve))),
            Act::AskVoid(at) => {
                drop(of(at).map(|number| self.order(&number, Change::Void { reason: reason() })))
            }
            Act::CloseShort(at) => drop(
                of(at).map(|number| self.order(&number, Change::CloseShort { reason: reason() })),
            ),
            Act::Reverse(at) => {
                drop(of(at).map(|number| self.order(&number, Change::Reverse { reason: reason() })))
            }
            Act::Resolve(at) => {
                if let Some(number) = of(at) {
                    self.settle_all(&number, Resolution::PostPassed);
                }
            }
            Act::Release(at) => {
                if let Some(number) = of(at) {
                    let told = KnownDeclaration {
                        declaration_id: number.to_string(),
                        version: (1, 1),
                        lrn: "LRN-1".into(),
                        filer_party: "broker-a".into(),
                        trader_party: "trader-a".into(),
                        procedure_kind: "INTO_BOND".into(),
                        released: true,
                        released_at: Some(self.now() - TimeDelta::seconds(30)),
                        stock_lists: vec![number.clone()],
                    };
                    self.tell(&number, &Told::Declaration(told));
                }
            }
            Act::PassAll(at) => self.pass(of(at), true),
            Act::PassSome(at) => self.pass(of(at), false),
            Act::AnswerVoid(at, applied) => {
                if let Some(number) = of(at) {
                    let dossier = &self.dossiers[&number];
                    let Some(ask) = dossier.list.void_ask_id else {
                        return;
                    };
                    let mut passage = dossier
                        .passage
                        .clone()
                        .unwrap_or_else(|| passage(&number, 0, &[], 0, false));
                    let nothing_passed = passage.passed().is_empty();
                    passage.version.1 += 1;
                    passage.void_ask_id = ask.to_string();
                    // Gate applies only what has not passed.
                    passage.void_applied = *applied && nothing_passed;
                    self.tell(&number, &Told::Passage(passage));
                }
            }
            Act::Hold(at, lifted) => {
                if let Some(number) = of(at) {
                    let hold = ListHold {
                        key: ("gate.hold".into(), "H".into()),
                        list_number: number.clone(),
                        kind: "SAFETY".into(),
                        placed_by_party: "terminal".into(),
                        reason: "leak".into(),
                        placed_at: instant(5),
                        lifted_at: lifted.then(|| instant(6)),
                    };
                    self.tell(&number, &Told::Hold(hold));
                }
            }
        }
    }

    fn pass(&mut self, number: Option<StockListNumber>, all: bool) {
        let Some(number) = number else { return };
        let dossier = &self.dossiers[&number];
        let listed: Vec<i64> = dossier
            .list
            .lines
            .iter()
            .map(|line| i64::try_from(line.amount.declared).unwrap())
            .collect();
        let load = listed
            .iter()
            .map(|listed| if all { *listed } else { listed / 2 })
            .collect();
        let version = dossier
            .passage
            .as_ref()
            .map_or(1, |passage| passage.version.1 + 1);
        let ask = dossier
            .passage
            .as_ref()
            .map(|passage| passage.void_ask_id.clone());
        if !matches!(
            dossier.list.state,
            ListState::Approved | ListState::Reserved
        ) {
            return;
        }
        let told = Passage {
            void_ask_id: ask.unwrap_or_default(),
            ..passage(&number, version, &[load], 1, true)
        };
        self.tell(&number, &Told::Passage(told));
    }
}

#[test]
fn whatever_is_done_with_many_lists_every_invariant_holds_after_every_step() {
    check(3_000, &prop::collection::vec(any_act(), 1..60), |acts| {
        let mut world = World::new(&stock());
        for act in &acts {
            world.act(act);
        }
        world.assert_replays();
        // Replaying the same acts from empty gives the same ledger, to the byte of its chain.
        let mut again = World::new(&stock());
        again.watched = false;
        for act in &acts {
            again.act(act);
        }
        assert_eq!(again.book.head, world.book.head);
    });
}

/// A world with one list of ten pieces on line 1, its approval given.
fn one_list(direction: Direction) -> (World, StockListNumber) {
    let mut world = World::new(&stock());
    let number = world.file(direction, &[(1, 10)]).unwrap();
    if direction == Direction::In {
        world.order(&number, Change::Approve).unwrap();
    }
    (world, number)
}

fn released(number: &StockListNumber) -> Told {
    Told::Declaration(KnownDeclaration {
        declaration_id: "d".into(),
        version: (1, 1),
        lrn: "LRN-1".into(),
        filer_party: "broker-a".into(),
        trader_party: "trader-a".into(),
        procedure_kind: "INTO_BOND".into(),
        released: true,
        released_at: Some(instant(500)),
        stock_lists: vec![number.clone()],
    })
}

fn passed(number: &StockListNumber, version: u64, load: i64) -> Told {
    Told::Passage(passage(number, version, &[vec![load]], 1, true))
}

fn state(world: &World, number: &StockListNumber) -> ListState {
    world.dossiers[number].list.state
}

fn open_kinds(world: &World, number: &StockListNumber) -> Vec<DiscrepancyKind> {
    let all = &world.dossiers[number].list.discrepancies;
    all.iter()
        .filter(|one| one.is_open())
        .map(|one| one.difference.kind)
        .collect()
}

fn count(number: i64) -> Told {
    Told::Count(vec![(1, pieces(number))])
}

#[test]
fn rule_2_final_posting_needs_both_facts_in_either_order() {
    for direction in [Direction::In, Direction::Out] {
        for declaration_first in [true, false] {
            let (mut world, number) = one_list(direction);
            let (first, second) = if declaration_first {
                (released(&number), passed(&number, 1, 10))
            } else {
                (passed(&number, 1, 10), released(&number))
            };
            let open = state(&world, &number);
            world.tell(&number, &first);
            assert_eq!(state(&world, &number), open);
            world.tell(&number, &second);
            assert_eq!(state(&world, &number), ListState::Posted);
            // The later of the last pass (300) and the release (500), not the present time; no earlier than the filing.
            let posted = world.dossiers[&number].list.posted.unwrap();
            assert_eq!(posted.effective_at, world.dossiers[&number].list.filed_at);
        }
    }
}

#[test]
fn rule_8_a_posting_takes_effect_at_the_later_of_the_last_pass_and_the_release_and_no_later_than_now()
 {
    for (pass_at, release_at, told_at, expected) in [
        (1_500, 1_400, 9_000, 1_500),
        (1_500, 1_600, 9_000, 1_600),
        (10, 20, 9_000, 1_000),
        (1_500, 99_000, 9_000, 9_001),
    ] {
        for pass_first in [true, false] {
            let (mut world, number) = one_list(Direction::In);
            world.clock = told_at;
            let (Told::Passage(mut passage), Told::Declaration(mut declaration)) =
                (passed(&number, 1, 10), released(&number))
            else {
                unreachable!()
            };
            passage.passes[0].passed_at = Some(instant(pass_at));
            declaration.released_at = Some(instant(release_at));
            let mut told = [Told::Passage(passage), Told::Declaration(declaration)];
            if !pass_first {
                told.reverse();
            }
            for one in &told {
                world.tell(&number, one);
            }
            let posted = world.dossiers[&number].list.posted.unwrap();
            assert_eq!(
                posted.effective_at,
                instant(expected),
                "{pass_at} {release_at}"
            );
            assert!(posted.at >= posted.effective_at);
        }
    }
}

#[test]
fn rule_2_another_declaration_does_not_release_a_list() {
    for (direction, fitting) in [
        (Direction::In, ["INTO_BOND"].as_slice()),
        (Direction::Out, &["OUT_OF_BOND", "INTO_BOND"]),
    ] {
        let (mut world, number) = one_list(direction);
        let open = state(&world, &number);
        world.tell(&number, &passed(&number, 1, 10));
        let Told::Declaration(right) = released(&number) else {
            unreachable!()
        };
        let mut wrong = vec![
            KnownDeclaration {
                lrn: "LRN-2".into(),
                ..right.clone()
            },
            KnownDeclaration {
                stock_lists: Vec::new(),
                ..right.clone()
            },
            KnownDeclaration {
                trader_party: "trader-b".into(),
                ..right.clone()
            },
            // Not known, and filed by whoever filed the list.
            KnownDeclaration {
                trader_party: String::new(),
                filer_party: "trader-a".into(),
                ..right.clone()
            },
            KnownDeclaration {
                released: false,
                ..right.clone()
            },
        ];
        let kinds = [
            "HOME_USE",
            "INTO_BOND",
            "OUT_OF_BOND",
            "EXPORT",
            "TEMPORARY",
            "SPECIAL",
            "",
        ];
        let of_kind = |kind: &str| KnownDeclaration {
            procedure_kind: kind.to_owned(),
            ..right.clone()
        };
        let unfitting = kinds.iter().filter(|kind| !fitting.contains(kind));
        wrong.extend(unfitting.map(|kind| of_kind(kind)));
        for wrong in wrong {
            let mut other = world.clone();
            other.tell(&number, &Told::Declaration(wrong.clone()));
            assert_eq!(state(&other, &number), open, "{wrong:?}");
        }
        let mut all: Vec<KnownDeclaration> = fitting.iter().map(|kind| of_kind(kind)).collect();
        // Another spelling of the reference, and another filer than anybody thought of.
        all.push(KnownDeclaration {
            lrn: " LRN-1 ".into(),
            filer_party: "broker-b".into(),
            ..right.clone()
        });
        for right in all {
            let mut other = world.clone();
            other.tell(&number, &Told::Declaration(right.clone()));
            assert_eq!(state(&other, &number), ListState::Posted, "{right:?}");
        }
    }
}

#[test]
fn what_came_is_unstuffed_once_every_line_is_counted_and_no_count_differs_undecided() {
    let mut world = World::new(&stock());
    let number = world.file(Direction::In, &[(1, 10), (2, 4)]).unwrap();
    world.order(&number, Change::Approve).unwrap();
    let unstuffed = |world: &World| world.said.last().unwrap().unstuffed_at;
    let one = |line, found| Told::Count(vec![(line, pieces(found))]);
    world.tell(&number, &one(1, 10));
    assert_eq!(unstuffed(&world), None, "line 2 may still be in it");
    world.tell(&number, &one(2, 4));
    let counted_at = world.dossiers[&number].list.counted_at;
    assert!(counted_at.is_some());
    assert_eq!(unstuffed(&world), counted_at);
    // Every fact of the list says so from then on, and none while a count differs.
    world.tell(&number, &one(2, 3));
    let told = world.said.iter().rev().take(2).map(|fact| fact.kind);
    assert!(told.eq([ListFactKind::DiscrepancyOpened, ListFactKind::Counted]));
    assert!(
        world
            .said
            .iter()
            .rev()
            .take(2)
            .all(|fact| fact.unstuffed_at.is_none())
    );
    let settled = Change::Resolve {
        resolution: Resolution::PostCounted,
        reason: "one is missing".into(),
    };
    world.order(&number, settled).unwrap();
    assert_eq!(unstuffed(&world), world.dossiers[&number].list.counted_at);
}

#[test]
fn rule_3_a_void_is_final_only_once_gate_has_answered() {
    for direction in [Direction::In, Direction::Out] {
        for applied in [true, false] {
            let (mut world, number) = one_list(direction);
            let stood = state(&world, &number);
            world
                .order(
                    &number,
                    Change::Void {
                        reason: "wrong goods".into(),
                    },
                )
                .unwrap();
            assert_eq!(state(&world, &number), ListState::VoidAsked);
            let ask = world.dossiers[&number]
                .list
                .void_ask_id
                .unwrap()
                .to_string();
            let answer = |ask: &str, version| {
                Told::Passage(Passage {
                    void_ask_id: ask.into(),
                    void_applied: applied,
                    ..passage(&number, version, &[], 0, false)
                })
            };
            world.tell(&number, &answer("another ask", 1));
            assert_eq!(state(&world, &number), ListState::VoidAsked);
            world.tell(&number, &answer(&ask, 2));
            world.tell(&number, &answer(&ask, 2));
            let expected = if applied { ListState::Voided } else { stood };
            assert_eq!(state(&world, &number), expected);
        }
    }
}

#[test]
fn rule_3_nothing_is_posted_while_void_is_asked_and_what_passed_is_posted_when_it_is_too_late() {
    let (mut world, number) = one_list(Direction::Out);
    world
        .order(
            &number,
            Change::Void {
                reason: "wrong goods".into(),
            },
        )
        .unwrap();
    world.tell(&number, &released(&number));
    world.tell(&number, &passed(&number, 1, 10));
    assert_eq!(state(&world, &number), ListState::VoidAsked);
    let ask = world.dossiers[&number].list.void_ask_id.unwrap();
    let Told::Passage(passage) = passed(&number, 2, 10) else {
        unreachable!()
    };
    world.tell(
        &number,
        &Told::Passage(Passage {
            void_ask_id: ask.to_string(),
            ..passage
        }),
    );
    assert_eq!(state(&world, &number), ListState::Posted);
}

#[test]
fn rule_3_a_final_posting_is_reversed_by_contra_entries_that_name_what_they_take_back() {
    for direction in [Direction::In, Direction::Out] {
        let (mut world, number) = one_list(direction);
        let before: Vec<_> = world
            .lots
            .values()
            .filter(|lot| lot.lot.origin.is_none())
            .map(|lot| lot.totals.book().unwrap())
            .collect();
        world.tell(&number, &released(&number));
        world.tell(&number, &passed(&number, 1, 10));
        world
            .order(
                &number,
                Change::Reverse {
                    reason: "wrong book".into(),
                },
            )
            .unwrap();
        assert_eq!(state(&world, &number), ListState::Reversed);
        let finals: BTreeMap<Uuid, Amount> = world
            .movements
            .iter()
            .map(|movement| (movement.id, movement.posting.amount))
            .collect();
        let contra: Vec<_> = world
            .movements
            .iter()
            .filter(|movement| movement.posting.cause.kind.as_str() == "REVERSAL")
            .collect();
        assert!(!contra.is_empty());
        for movement in contra {
            let reversed = finals[&movement.posting.reverses.unwrap()];
            assert_eq!(movement.posting.amount, reversed.opposite());
        }
        let after: Vec<_> = world
            .lots
            .values()
            .filter(|lot| lot.lot.origin.is_none())
            .map(|lot| lot.totals.book().unwrap())
            .collect();
        assert_eq!(after, before);
    }
}

#[test]
fn rule_3_an_increase_whose_goods_are_reserved_is_not_taken_back() {
    let mut world = World::new(&[]);
    let number = world.file(Direction::In, &[(1, 10)]).unwrap();
    world.order(&number, Change::Approve).unwrap();
    world.tell(&number, &released(&number));
    world.tell(&number, &passed(&number, 1, 10));
    world.file(Direction::Out, &[(1, 1)]).unwrap();
    let refusal = world
        .order(
            &number,
            Change::Reverse {
                reason: "wrong book".into(),
            },
        )
        .unwrap_err();
    assert_eq!(refusal.reason, "STOCK_NOT_AVAILABLE");
    assert_eq!(state(&world, &number), ListState::Posted);
}

#[test]
fn rule_4_a_difference_opens_a_discrepancy_with_both_quantities_and_posts_nothing() {
    for (load, kind) in [
        (9, DiscrepancyKind::UnderDelivery),
        (12, DiscrepancyKind::OverDelivery),
    ] {
        for direction in [Direction::In, Direction::Out] {
            let (mut world, number) = one_list(direction);
            let open = state(&world, &number);
            world.tell(&number, &released(&number));
            world.tell(&number, &passed(&number, 1, load));
            assert_eq!(state(&world, &number), open);
            let discrepancy = world.dossiers[&number].list.discrepancies[0].clone();
            assert_eq!(discrepancy.difference.kind, kind);
            assert_eq!(
                (
                    discrepancy.difference.expected,
                    discrepancy.difference.found
                ),
                (pieces(10), pieces(load))
            );
            world.settle_all(&number, Resolution::PostPassed);
            assert_eq!(state(&world, &number), ListState::Posted);
            let posted: Decimal = world.dossiers[&number].list.lines[0]
                .parts
                .iter()
                .filter_map(|part| part.actual)
                .map(|(amount, _)| amount.declared)
                .sum();
            assert_eq!(posted, load.into());
        }
    }
}

#[test]
fn rule_4_a_corrected_pass_explains_a_discrepancy() {
    let (mut world, number) = one_list(Direction::In);
    world.tell(&number, &released(&number));
    world.tell(&number, &passed(&number, 1, 9));
    assert_eq!(
        open_kinds(&world, &number),
        [DiscrepancyKind::UnderDelivery]
    );
    world.tell(&number, &passed(&number, 2, 10));
    assert_eq!(state(&world, &number), ListState::Posted);
    let settled = world.dossiers[&number].list.discrepancies[0]
        .settled
        .clone()
        .unwrap();
    assert_eq!(settled.resolution, Resolution::Explained);
}

#[test]
fn rule_4_goods_in_another_unit_or_of_another_line_are_a_discrepancy_and_never_guessed() {
    let (mut world, number) = one_list(Direction::In);
    world.tell(&number, &released(&number));
    let Told::Passage(mut passage) = passed(&number, 1, 10) else {
        unreachable!()
    };
    passage.passes[0].lines.push((7, pieces(3)));
    passage.passes[0]
        .lines
        .push((1, Quantity::parse("5", "KGM").unwrap()));
    world.tell(&number, &Told::Passage(passage));
    assert_eq!(state(&world, &number), ListState::Approved);
    assert_eq!(
        open_kinds(&world, &number),
        [DiscrepancyKind::OverDelivery, DiscrepancyKind::OverDelivery]
    );
    world.settle_all(&number, Resolution::PostPassed);
    assert_eq!(state(&world, &number), ListState::Posted);
}

#[test]
fn rule_4_a_fact_that_contradicts_a_final_posting_opens_a_discrepancy_and_edits_nothing() {
    let (mut world, number) = one_list(Direction::In);
    world.tell(&number, &released(&number));
    world.tell(&number, &passed(&number, 1, 10));
    let posted = world.movements.len();
    world.tell(&number, &passed(&number, 2, 11));
    assert_eq!(state(&world, &number), ListState::Posted);
    assert_eq!(open_kinds(&world, &number), [DiscrepancyKind::OverDelivery]);
    assert_eq!(world.movements.len(), posted);
    let resolve = Change::Resolve {
        resolution: Resolution::PostPassed,
        reason: "as passed".into(),
    };
    assert_eq!(
        world.order(&number, resolve).unwrap_err().reason,
        "STOCK_LIST_STATE"
    );
    world
        .order(
            &number,
            Change::Reverse {
                reason: "list it again".into(),
            },
        )
        .unwrap();
    assert_eq!(open_kinds(&world, &number), []);
}

#[test]
fn rule_4_a_decision_on_a_count_stands_whether_the_list_was_closed_short_before_or_after_it() {
    for closed_first in [true, false] {
        let (mut world, number) = one_list(Direction::In);
        world.tell(&number, &passed(&number, 1, 6));
        let counts = vec![(1, pieces(5))];
        world.order(&number, Change::Count { counts }).unwrap();
        let close = Change::CloseShort {
            reason: "cancelled".into(),
        };
        let settle = Change::Resolve {
            resolution: Resolution::PostCounted,
            reason: "one is missing".into(),
        };
        let order = if closed_first {
            [close, settle]
        } else {
            [settle, close]
        };
        for change in order {
            world.order(&number, change).unwrap();
        }
        world.tell(&number, &released(&number));
        assert_eq!(state(&world, &number), ListState::Posted);
        let posted: Vec<_> = world
            .movements
            .iter()
            .filter(|movement| movement.posting.cause.kind.as_str() == "COUNT")
            .map(|movement| movement.posting.amount.declared)
            .filter(|declared| *declared > Decimal::ZERO)
            .collect();
        assert_eq!(posted, [Decimal::from(5)], "closed first: {closed_first}");
    }
}

#[test]
fn a_line_that_is_counted_twice_in_one_count_is_a_fault() {
    let (mut world, number) = one_list(Direction::In);
    let counts = vec![(1, pieces(5)), (1, pieces(6))];
    let refused = world.order(&number, Change::Count { counts }).unwrap_err();
    assert_eq!(refused.reason, "COUNT_INVALID");
    assert_eq!(refused.faults[0].path, "counts[1]");
    assert_eq!(world.dossiers[&number].list.lines[0].counted, None);
}

#[test]
fn a_list_closed_short_posts_what_passed_and_frees_the_rest_in_either_order() {
    for closed_first in [true, false] {
        let (mut world, number) = one_list(Direction::Out);
        world.tell(&number, &released(&number));
        let none = world
            .order(
                &number,
                Change::CloseShort {
                    reason: "cancelled".into(),
                },
            )
            .unwrap_err();
        assert_eq!(none.reason, "STOCK_LIST_NOTHING_PASSED");
        let Told::Passage(open) = passed(&number, 1, 6) else {
            unreachable!()
        };
        world.tell(
            &number,
            &Told::Passage(Passage {
                closed: false,
                ..open
            }),
        );
        if closed_first {
            world.tell(&number, &passed(&number, 2, 6));
            assert_eq!(
                open_kinds(&world, &number),
                [DiscrepancyKind::UnderDelivery]
            );
        }
        world
            .order(
                &number,
                Change::CloseShort {
                    reason: "the last truck never came".into(),
                },
            )
            .unwrap();
        if !closed_first {
            world.tell(&number, &passed(&number, 2, 6));
        }
        assert_eq!(state(&world, &number), ListState::Posted);
        let discrepancy = &world.dossiers[&number].list.discrepancies[0];
        assert_eq!(discrepancy.settled.as_ref().unwrap().by_party, "operator");
        let gone: Decimal = world
            .lots
            .values()
            .map(|lot| lot.totals.actual_decrease.declared)
            .sum();
        let reserved: Decimal = world
            .lots
            .values()
            .map(|lot| lot.totals.provisional_decrease.declared)
            .sum();
        assert_eq!((gone, reserved), (6.into(), 0.into()));
    }
}

#[test]
fn rule_1_more_than_was_reserved_goes_out_only_if_the_rest_is_available() {
    let mut world = World::new(&[(1, 12, 12)]);
    let number = world.file(Direction::Out, &[(1, 10)]).unwrap();
    world.tell(&number, &released(&number));
    world.tell(&number, &passed(&number, 1, 13));
    let resolve = || Change::Resolve {
        resolution: Resolution::PostPassed,
        reason: "as passed".into(),
    };
    let refusal = world.order(&number, resolve()).unwrap_err();
    assert_eq!(refusal.reason, "STOCK_NOT_AVAILABLE");
    world.tell(&number, &passed(&number, 2, 12));
    world.order(&number, resolve()).unwrap();
    assert_eq!(state(&world, &number), ListState::Posted);
    assert!(
        world
            .lots
            .values()
            .all(|lot| lot.totals.book().unwrap().is_zero())
    );
}

#[test]
fn rule_7_a_suspended_line_is_checked_at_filing_and_again_at_posting() {
    let (mut world, number) = one_list(Direction::In);
    world.lines.get_mut(&1).unwrap().suspended_for_increase = true;
    assert_eq!(
        world.file(Direction::In, &[(1, 1)]).unwrap_err().reason,
        "BOOK_LINE_SUSPENDED"
    );
    world.tell(&number, &released(&number));
    world.tell(&number, &passed(&number, 1, 10));
    assert_eq!(state(&world, &number), ListState::Approved);
    world.lines.get_mut(&1).unwrap().suspended_for_increase = false;
    world.tell(&number, &released(&number));
    assert_eq!(state(&world, &number), ListState::Posted);
}

#[test]
fn nothing_is_posted_on_what_is_unknown() {
    let (mut world, number) = one_list(Direction::In);
    world.tell(&number, &passed(&number, 1, 10));
    world.dossiers.get_mut(&number).unwrap().unknown = vec!["customs.hold stock-list".into()];
    world.tell(&number, &released(&number));
    assert_eq!(state(&world, &number), ListState::Approved);
    world.dossiers.get_mut(&number).unwrap().unknown.clear();
    world.tell(&number, &released(&number));
    assert_eq!(state(&world, &number), ListState::Posted);
}

#[test]
fn goods_that_came_by_a_held_list_are_skipped_and_reported() {
    let mut world = World::new(&[]);
    let number = world.file(Direction::In, &[(1, 10)]).unwrap();
    world.order(&number, Change::Approve).unwrap();
    world.tell(&number, &released(&number));
    world.tell(&number, &passed(&number, 1, 10));
    let hold = |lifted: bool| {
        Told::Hold(ListHold {
            key: ("release.hold".into(), "H1".into()),
            list_number: number.clone(),
            kind: "LEGAL".into(),
            placed_by_party: "officer-1".into(),
            reason: "court".into(),
            placed_at: instant(1),
            lifted_at: lifted.then(|| instant(2)),
        })
    };
    world.tell(&number, &hold(false));
    let refusal = world.file(Direction::Out, &[(1, 1)]).unwrap_err();
    assert_eq!(refusal.reason, "STOCK_NOT_AVAILABLE");
    let told: Vec<_> = refusal
        .unmet
        .iter()
        .map(|unmet| unmet.condition.as_str())
        .collect();
    assert_eq!(told, ["STOCK_NOT_AVAILABLE", "LOT_HELD"]);
    world.tell(&number, &hold(true));
    world.tell(&number, &hold(false));
    world.file(Direction::Out, &[(1, 1)]).unwrap();
}

#[test]
fn known_bug_a_back_dated_movement_before_a_count_makes_the_count_ineffective() {
    // Counted first, as listed; then gate tells of a pass that was earlier and brought less.
    let (mut world, number) = one_list(Direction::In);
    world.tell(&number, &released(&number));
    world.tell(&number, &count(10));
    assert_eq!(open_kinds(&world, &number), []);
    world.tell(&number, &passed(&number, 1, 8));
    assert_eq!(
        open_kinds(&world, &number),
        [DiscrepancyKind::UnderDelivery, DiscrepancyKind::Count],
        "the count still stands against what passed"
    );
    world.settle_all(&number, Resolution::PostCounted);
    let posted = world.dossiers[&number].list.lines[0].parts[0]
        .actual
        .unwrap()
        .0;
    assert_eq!(posted.declared, 10.into());
}

#[test]
fn known_bug_a_recount_cannot_finish_because_stock_moved() {
    let (mut world, number) = one_list(Direction::In);
    world.tell(&number, &passed(&number, 1, 10));
    world.tell(&number, &count(9));
    assert_eq!(open_kinds(&world, &number), [DiscrepancyKind::Count]);
    // Stock of the same line comes, is reserved and goes meanwhile.
    for _ in 0..3 {
        let out = world.file(Direction::Out, &[(1, 5)]).unwrap();
        world.tell(&out, &released(&out));
        world.tell(&out, &passed(&out, 1, 5));
        assert_eq!(state(&world, &out), ListState::Posted);
    }
    world.tell(&number, &count(10));
    assert_eq!(open_kinds(&world, &number), []);
    world.tell(&number, &released(&number));
    assert_eq!(state(&world, &number), ListState::Posted);
}

#[test]
fn known_bug_the_reserved_quantity_kept_twice_drifts_apart() {
    // What is reserved follows from open lists alone, whatever becomes of them in between.
    let mut world = World::new(&stock());
    let reserved = |world: &World| -> Decimal {
        world
            .lots
            .values()
            .map(|lot| lot.totals.provisional_decrease.declared)
            .sum()
    };
    for round in 0..20 {
        let number = world.file(Direction::Out, &[(1, 7)]).unwrap();
        assert_eq!(reserved(&world), 7.into());
        if round % 5 == 0 {
            world.tell(&number, &released(&number));
            world.tell(&number, &passed(&number, 1, 7));
            assert_eq!(state(&world, &number), ListState::Posted);
        } else {
            let at = world
                .dossiers
                .keys()
                .position(|one| *one == number)
                .unwrap();
            world.act(&Act::AskVoid(at));
            world.act(&Act::AnswerVoid(at, true));
            assert_eq!(state(&world, &number), ListState::Voided);
        }
        assert_eq!(reserved(&world), Decimal::ZERO);
    }
}

#[test]
fn rule_9_every_movement_names_its_cause_and_no_cause_moves_a_total_of_a_lot_twice() {
    check(500, &prop::collection::vec(any_act(), 1..80), |acts| {
        let mut world = World::new(&stock());
        for act in &acts {
            world.act(act);
        }
        let mut causes = BTreeSet::new();
        for movement in &world.movements {
            let posting = &movement.posting;
            assert!(!posting.cause.reference.is_empty());
            let lot = &world.lots[&posting.lot_id].lot;
            let of_line = (lot.line.line_number, posting.cause.reference.clone());
            assert!(
                causes.insert((
                    posting.cause.kind,
                    of_line,
                    posting.lot_id.clone(),
                    posting.total
                )),
                "{} moves a total twice",
                posting.cause
            );
        }
    });
}

#[test]
fn rule_12_a_lot_enters_on_the_day_of_its_last_pass() {
    let (mut world, number) = one_list(Direction::In);
    world.tell(&number, &released(&number));
    world.tell(&number, &passed(&number, 1, 10));
    let lot = world
        .lots
        .values()
        .find(|lot| lot.lot.origin.is_some())
        .unwrap();
    assert_eq!(lot.lot.entry, Entry::on(instant(300).date_naive(), 24));
}
