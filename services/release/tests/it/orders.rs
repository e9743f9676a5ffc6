//! Rule 4: any order and any repetition of the same facts gives the same final decision. The decisions
//! are called as the loop calls them, without a database; topics interleave at random, and in half of
//! the runs even the order within a key is broken, which versions must bear.

use std::cell::Cell;

use chrono::{DateTime, Duration, Utc};
use fabric::{Context, Knowledge, ParkedKeys, Service, Working};
use prost::Message;
use proto::release::events::v1 as events;
use release::app::state::{Group, State, StoppedPartitions};
use release::app::{
    Answer, GrantCommercialRelease, Heading, Input, Release, RevokeCommercialRelease, RevokeWhich,
};
use release::domain::clearance::{Clearance, Consignment, Direction};
use release::domain::commercial_release::ReleaseScope;
use release::domain::condition::{Condition, Who};
use release::domain::container_visit::{ManifestLine, Mode, Phase, Stay};
use release::domain::decision::{DecisionState, Verdict};
use release::domain::hold::{Hold, HoldId, HoldKind, Lifted, Scope, ScopeKind};
use release::domain::party::KnownParty;
use release::domain::pre_arrival::{PreArrival, PreArrivalContainer};
use release::domain::reader::Reader;
use release::domain::version::Version;
use uuid::Uuid;

const CONTAINER: &str = "MRKU4976720";
const VISIT: &str = "GUOYUAN-PORT/MRKU4976720/1";
const DOCUMENTS: [(&str, &str); 2] = [("TD-1", "line-a"), ("TD-2", "line-b")];
/// Sets of facts, and orders tried of each: ten thousand orders in all.
const SETS: u64 = 200;
const ORDERS: u64 = 50;

/// SplitMix64: small, and the same on every machine for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            let other = usize::try_from(self.roll(index as u64 + 1)).unwrap();
            items.swap(index, other);
        }
    }
}

/// A fact with the stream within which its order may be kept, and its own time.
struct Fact {
    stream: String,
    at: DateTime<Utc>,
    input: Input,
}

fn minute(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + Duration::minutes(minute)
}

fn heading(fact: &str, at: DateTime<Utc>) -> Heading {
    Heading {
        fact: fact.into(),
        observed_at: at,
        recorded_at: at,
        party: String::new(),
    }
}

fn stay(version: u64, phase: Phase, available: bool) -> Input {
    let at = minute(i64::try_from(version).unwrap());
    let stay = Stay {
        container_visit_id: VISIT.into(),
        site_id: "GUOYUAN-PORT".into(),
        container_number: CONTAINER.into(),
        version: Version::new(1, version),
        event_id: format!("visit/{version}"),
        phase,
        came_by: Mode::Rail,
        manifest_lines: DOCUMENTS
            .iter()
            .map(|(document, line)| ManifestLine {
                transport_document: (*document).into(),
                line_party: (*line).into(),
            })
            .collect(),
        available,
        empty: false,
        arrived_at: (phase != Phase::Announced).then(|| minute(2)),
        departed_at: (phase == Phase::Departed).then(|| minute(500)),
    };
    Input::ContainerVisit(heading("CONTAINER_VISIT_AMENDED", at), stay)
}

fn clearance(key: &str, version: u64, consignments: &[(&str, bool)]) -> Input {
    let consignment = |(document, released): &(&str, bool)| Consignment {
        declaration_id: format!("declaration of {document}"),
        mrn: String::new(),
        container_visit_id: Some(VISIT.into()),
        transport_document: (*document).into(),
        unbound_because: String::new(),
        released: *released,
        conditions: (!released)
            .then(|| Condition {
                code: "DOCUMENTS_CONTROL".into(),
                subject: format!("declaration/{document}"),
                who: Who::role("officer"),
                since: Some(minute(3)),
                evidence: Vec::new(),
                description: String::new(),
            })
            .into_iter()
            .collect(),
        filer_party: "broker-a".into(),
        trader_party: "trader-a".into(),
        direction: Direction::Import,
    };
    Input::Clearance(Clearance {
        key: key.into(),
        version: Version::new(1, version),
        event_id: format!("{key}/{version}"),
        recorded_at: minute(4),
        consignments: consignments.iter().map(consignment).collect(),
    })
}

fn hold(id: &str, scope: Scope, lifted: bool) -> Input {
    let hold = Hold {
        id: HoldId {
            service: "gate".into(),
            id: id.into(),
        },
        scope,
        kind: HoldKind::Terminal,
        placed_by_party: "terminal".into(),
        placed_by_role: String::new(),
        placed_by_subject: String::new(),
        reason: "damaged".into(),
        placed_at: minute(5),
        lifted: lifted.then(|| Lifted {
            at: minute(6),
            by_subject: String::new(),
            reason: String::new(),
        }),
        event_id: format!("hold/{id}/{}", u8::from(lifted)),
    };
    Input::Hold(heading("HOLD_PLACED", minute(5)), hold)
}

fn line(party: &str) -> Reader {
    Reader {
        party: party.into(),
        roles: ["line".to_owned()].into(),
        ..Reader::default()
    }
}

fn scope(document: &str) -> ReleaseScope {
    ReleaseScope {
        transport_document: document.into(),
        site_id: None,
        container_number: None,
    }
}

fn grant(document: &str, by: &str, haulier: &str) -> Input {
    Input::GrantCommercialRelease(GrantCommercialRelease {
        by: line(by),
        scope: scope(document),
        haulier_party: haulier.into(),
        validate_only: false,
    })
}

fn revoke(document: &str, by: &str) -> Input {
    Input::RevokeCommercialRelease(RevokeCommercialRelease {
        by: line(by),
        which: RevokeWhich::Scope(scope(document)),
        reason: "x".into(),
        expected_version: 0,
        validate_only: false,
    })
}

/// A set of facts, in the order in which each topic has them. Which facts belong to it is diced from
/// the set's seed, so that some sets end granted, some withheld for each reason, some consumed.
fn facts(set_seed: u64) -> Vec<Fact> {
    let mut dice = Dice(set_seed);
    let mut chance = |percent: u64| dice.roll(100) < percent;
    let mut facts = Vec::new();
    let mut add = |stream: &str, at: i64, input: Input| {
        facts.push(Fact {
            stream: stream.into(),
            at: minute(at),
            input,
        })
    };
    add("visit", 1, stay(1, Phase::Announced, false));
    if chance(95) {
        add("visit", 2, stay(2, Phase::Arrived, false));
        if chance(90) {
            add("visit", 3, stay(3, Phase::Arrived, true));
        }
        if chance(15) {
            add("visit", 4, stay(4, Phase::Arrived, false));
        }
        if chance(15) {
            add("visit", 9, stay(9, Phase::Departed, false));
        }
    }
    let container = format!("container/{CONTAINER}");
    add("clearance", 4, clearance(&container, 1, &[("TD-1", false)]));
    if chance(90) {
        add(
            "clearance",
            5,
            clearance(&container, 2, &[("TD-1", true), ("TD-2", false)]),
        );
        if chance(50) {
            // The second consignment moves to its transport document's key.
            add("clearance", 6, clearance(&container, 3, &[("TD-1", true)]));
            add(
                "clearance of TD-2",
                6,
                clearance("transport-document/TD-2", 1, &[("TD-2", chance(85))]),
            );
        } else if chance(85) {
            add(
                "clearance",
                6,
                clearance(&container, 3, &[("TD-1", true), ("TD-2", true)]),
            );
        }
    }
    for (id, key) in [
        ("T1", Scope::new(ScopeKind::ContainerVisit, VISIT)),
        (
            "T2",
            Scope::new(ScopeKind::Declaration, "declaration of TD-1"),
        ),
    ] {
        if chance(60) {
            add(id, 5, hold(id, key.clone(), false));
            if chance(80) {
                add(id, 6, hold(id, key, true));
            }
        }
    }
    if chance(90) {
        add("lines", 10, grant("TD-1", "line-a", "haulier-a"));
        if chance(30) {
            add("lines", 11, revoke("TD-1", "line-a"));
            if chance(80) {
                add("lines", 12, grant("TD-1", "line-a", "haulier-b"));
            }
        }
    }
    if chance(90) {
        add(
            "lines",
            13,
            grant(
                "TD-2",
                "line-b",
                if chance(80) { "haulier-a" } else { "haulier-b" },
            ),
        );
    }
    let pre_arrival = PreArrival {
        pre_arrival_id: "P1".into(),
        version: Version::new(1, 1),
        site_id: "GUOYUAN-PORT".into(),
        haulier_party: "haulier-a".into(),
        containers: vec![PreArrivalContainer {
            container_number: CONTAINER.into(),
            container_visit_id: Some(VISIT.into()),
        }],
        withdrawn: false,
    };
    add(
        "pre-arrival",
        7,
        Input::PreArrival(
            heading("PRE_ARRIVAL_SUBMITTED", minute(7)),
            pre_arrival,
            Vec::new(),
        ),
    );
    facts
}

/// A random interleaving of the streams, with repetitions. The lines' own commands stay in order: they
/// are decided here, one after the other.
fn order(dice: &mut Dice, facts: &[Fact], keep_order: bool) -> Vec<usize> {
    let mut slots: Vec<usize> = (0..facts.len()).collect();
    dice.shuffle(&mut slots);
    for stream in facts.iter().map(|fact| &fact.stream) {
        if keep_order || stream == "lines" {
            let places: Vec<usize> = (0..slots.len())
                .filter(|place| facts[slots[*place]].stream == *stream)
                .collect();
            let mut own: Vec<usize> = places.iter().map(|place| slots[*place]).collect();
            own.sort_unstable();
            for (place, fact) in places.into_iter().zip(own) {
                slots[place] = fact;
            }
        }
    }
    let mut repeated = Vec::new();
    for slot in slots {
        repeated.push(slot);
        // A record may come again, at once or any number of others later.
        if facts[slot].stream != "lines" && dice.roll(4) == 0 {
            repeated.push(slot);
        }
    }
    if !keep_order {
        for _ in 0..dice.roll(4) {
            let again = repeated[usize::try_from(dice.roll(repeated.len() as u64)).unwrap()];
            if facts[again].stream != "lines" {
                repeated.push(again);
            }
        }
    }
    repeated
}

/// Everything the facts can touch, read and found absent.
fn nothing_yet() -> State {
    let documents = DOCUMENTS.iter().map(|(document, _)| (*document).to_owned());
    let scopes = [
        Scope::new(ScopeKind::ContainerVisit, VISIT),
        Scope::new(ScopeKind::Declaration, "declaration of TD-1"),
        Scope::new(ScopeKind::Declaration, "declaration of TD-2"),
    ];
    let keys = documents
        .clone()
        .map(|document| format!("transport-document/{document}"))
        .chain([format!("container/{CONTAINER}")]);
    let haulier = |party: &str| {
        let known = KnownParty {
            party_id: party.into(),
            version: Version::new(1, 1),
            name: String::new(),
            roles: vec!["haulier".into()],
            suspended: false,
        };
        (party.to_owned(), known)
    };
    State {
        sites: Working::loaded(["GUOYUAN-PORT".to_owned()], []),
        parties: Working::loaded([], [haulier("haulier-a"), haulier("haulier-b")]),
        containers: Working::loaded([CONTAINER.to_owned()], []),
        clearances: Working::loaded(keys, []),
        releases: Working::loaded(documents, []),
        holds: Working::loaded(scopes, []),
        pre_arrivals: Working::loaded(["P1".to_owned()], []),
        declarations: Working::loaded(
            [
                "declaration of TD-1".to_owned(),
                "declaration of TD-2".to_owned(),
            ],
            [],
        ),
        stopped: StoppedPartitions::default(),
        operators: Vec::new(),
        timeline: Vec::new(),
    }
}

/// What a decision came to, once gate has answered every ask.
#[derive(Debug, PartialEq, Eq)]
struct Final {
    state: Option<DecisionState>,
    haulier_party: Option<String>,
    conditions: Vec<Condition>,
    evidence: Vec<String>,
}

struct Run {
    state: State,
    ids: Cell<u128>,
    asks: Vec<Uuid>,
}

impl Run {
    /// `first_id` is the id of what the input makes; asks get ids after it.
    fn decide(&mut self, input: &Input, at: DateTime<Utc>, first_id: Option<u128>) {
        let first = Cell::new(first_id);
        let base = self.ids.get();
        let next = std::sync::atomic::AtomicU64::new(0);
        let first = std::sync::Mutex::new(first.take());
        let ids = || match first.lock().unwrap().take() {
            Some(id) => Uuid::from_u128(id),
            None => Uuid::from_u128(
                base + 1 + u128::from(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
            ),
        };
        let (parked, knowledge) = (ParkedKeys::default(), Knowledge::default());
        let context = Context {
            now: at,
            ids: &ids,
            record: None,
            parked: &parked,
            knowledge: &knowledge,
        };
        let decision = Release.decide(&mut self.state, input, &context);
        if let Some(Err(refusal)) = decision.answer {
            panic!("{refusal}: {input:?}");
        }
        for fact in decision
            .facts
            .into_iter()
            .filter(|fact| fact.topic == "release.decision")
        {
            let event = events::DecisionEvent::decode(fact.payload.as_slice())
                .unwrap()
                .decision
                .unwrap();
            if event.state == "REVOCATION_ASKED" {
                self.asks.push(Uuid::parse_str(&event.ask_id).unwrap());
            }
        }
        self.ids.set(base + 1 + u128::from(next.into_inner()));
    }

    fn answer_one(&mut self) {
        let ask = self.asks.remove(0);
        let answer = Answer {
            ask_id: Some(ask),
            container_visit_id: VISIT.into(),
            verdict: Verdict::Applied,
        };
        self.decide(
            &Input::Answer(heading("REVOCATION_APPLIED", minute(90)), answer),
            minute(90),
            None,
        );
    }
}

fn play(dice: &mut Dice, facts: &[Fact], order: &[usize]) -> Final {
    let mut run = Run {
        state: nothing_yet(),
        ids: Cell::new(1 << 64),
        asks: Vec::new(),
    };
    for index in order {
        let fact = &facts[*index];
        run.decide(&fact.input, fact.at, Some(*index as u128 + 1));
        while !run.asks.is_empty() && dice.roll(2) == 0 {
            run.answer_one();
        }
    }
    while !run.asks.is_empty() {
        run.answer_one();
    }
    let visits = run
        .state
        .containers
        .get(&CONTAINER.to_owned())
        .into_iter()
        .flat_map(Group::rows);
    let visit = visits.into_iter().next().unwrap();
    let decision = visit.decision.clone();
    // After the departure nothing is weighed any more: who was named by then depends on when it came.
    let left = decision.state == Some(DecisionState::Consumed);
    Final {
        state: decision.state,
        haulier_party: decision.haulier_party.filter(|_| !left),
        conditions: decision.conditions,
        evidence: if left { Vec::new() } else { decision.evidence },
    }
}

#[test]
fn rule_4_any_order_and_any_repetition_of_the_same_facts_gives_the_same_decision() {
    let seed = match std::env::var("RELEASE_ORDERS_SEED") {
        Ok(seed) => seed.parse().expect("RELEASE_ORDERS_SEED is a number"),
        Err(_) => u64::from_be_bytes(kernel::new_id().as_bytes()[8..].try_into().unwrap()),
    };
    eprintln!("RELEASE_ORDERS_SEED={seed}");
    let mut dice = Dice(seed);
    let mut reached = std::collections::BTreeMap::new();
    for _ in 0..SETS {
        let set_seed = dice.roll(u64::MAX);
        let facts = facts(set_seed);
        let straight: Vec<usize> = (0..facts.len()).collect();
        let expected = play(&mut dice, &facts, &straight);
        *reached.entry(format!("{:?}", expected.state)).or_insert(0) += 1;
        for round in 0..ORDERS {
            let order = order(&mut dice, &facts, round % 2 == 0);
            let got = play(&mut dice, &facts, &order);
            assert_eq!(
                got, expected,
                "seed {seed}, set {set_seed}, order {order:?}"
            );
        }
    }
    for state in ["Some(Granted)", "Some(Withheld)", "Some(Consumed)"] {
        assert!(
            reached.contains_key(state),
            "seed {seed}: the sets reach {reached:?} only"
        );
    }
}
