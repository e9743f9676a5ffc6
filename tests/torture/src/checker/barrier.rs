//! What passed a barrier or left by train or barge, and on what: no goods without a release that stood, no truck that had
//! been recalled, no container twice. It takes the times at which facts were recorded, by services of one machine.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use prost::Message;
use prost_types::Timestamp;
use proto::gate::events::v1::{
    AnswerEvent, AnswerVerdict, ContainerVisit, ContainerVisitEvent, ContainerVisitFact,
    ListPassageEvent, ListPassageFact, PreArrivalEvent, TruckVisitEvent, TruckVisitFact,
};
use proto::release::events::v1::DecisionEvent;

use super::{Kind, Violation};
use crate::evidence::{Event, Evidence};

/// When something was recorded, by a clock that was right all the while.
type Moment = DateTime<Utc>;

/// A decision of release.
struct Decided {
    version: u64,
    at: Moment,
    granted: bool,
    haulier: String,
    ask: String,
}

/// What is known of all barriers.
#[derive(Default)]
struct Barriers<'a> {
    /// By visit, or by `list/` and the list's number.
    decisions: BTreeMap<&'a str, Vec<Decided>>,
    /// When gate has taken a release back, by ask.
    applied: BTreeMap<String, Moment>,
    /// The firms of trucks, by visit of the truck.
    hauliers: BTreeMap<&'a str, String>,
    /// The stock lists whose goods trucks carry, as decisions are kept, by visit of the truck.
    lists: BTreeMap<&'a str, String>,
}

pub(super) fn violations(evidence: &Evidence) -> Vec<Violation> {
    let barriers = Barriers::of(evidence);
    let mut found = Vec::new();
    let mut departed: BTreeMap<&str, String> = BTreeMap::new();
    let mut recalled: BTreeMap<&str, bool> = BTreeMap::new();
    for event in events(evidence) {
        match event.topic.as_str() {
            "gate.container-visit" => {
                let said: ContainerVisitEvent = read(event);
                let has_left = said.fact() == ContainerVisitFact::Departed;
                let Some(visit) = said.visit.filter(|_| has_left) else {
                    continue;
                };
                let at = moment(evidence, said.recorded_at.as_ref());
                found.extend(barriers.left_without_release(event, &visit, at));
                if let Some(before) = departed.insert(&event.key, visit.container_visit_id.clone())
                    && before == visit.container_visit_id
                {
                    let what = format!("{}: {before}", event.id());
                    found.push(Violation::new(Kind::DepartedTwice, what));
                }
            }
            "gate.truck-visit" => {
                let said: TruckVisitEvent = read(event);
                let kept = recalled.entry(&event.key).or_default();
                match said.fact() {
                    TruckVisitFact::Recalled => *kept = true,
                    TruckVisitFact::RecallEnded => *kept = false,
                    TruckVisitFact::GatedOut if *kept => {
                        let what = format!("{}: {}", event.id(), event.key);
                        found.push(Violation::new(Kind::LetOutWhileRecalled, what));
                    }
                    _ => {}
                }
            }
            "gate.list-passage" => {
                let said: ListPassageEvent = read(event);
                if said.fact() == ListPassageFact::Passed {
                    let at = moment(evidence, said.recorded_at.as_ref());
                    let list = format!("list/{}", event.key);
                    found.extend(barriers.without_release(event, &list, at, None));
                }
            }
            _ => {}
        }
    }
    found
}

impl<'a> Barriers<'a> {
    fn of(evidence: &'a Evidence) -> Barriers<'a> {
        let mut barriers = Barriers::default();
        let mut filed: BTreeMap<String, String> = BTreeMap::new();
        let mut filings: BTreeMap<&str, String> = BTreeMap::new();
        for event in events(evidence) {
            match event.topic.as_str() {
                "gate.pre-arrival" => {
                    let said: PreArrivalEvent = read(event);
                    let filing = said.pre_arrival.unwrap_or_default();
                    if !filing.list_number.is_empty() {
                        let list = format!("list/{}", filing.list_number);
                        filed.insert(filing.pre_arrival_id, list);
                    }
                }
                "release.decision" => {
                    let said: DecisionEvent = read(event);
                    let decision = said.decision.unwrap_or_default();
                    let of_key = barriers.decisions.entry(&event.key).or_default();
                    of_key.push(Decided {
                        version: decision.version,
                        at: moment(evidence, said.recorded_at.as_ref()),
                        granted: decision.state == "GRANTED",
                        haulier: decision.haulier_party,
                        ask: decision.ask_id,
                    });
                }
                "gate.answer" => {
                    let said: AnswerEvent = read(event);
                    if said.verdict() == AnswerVerdict::Applied {
                        let at = moment(evidence, said.recorded_at.as_ref());
                        barriers.applied.entry(said.ask_id).or_insert(at);
                    }
                }
                "gate.truck-visit" => {
                    let said: TruckVisitEvent = read(event);
                    let truck = said.truck_visit.unwrap_or_default();
                    barriers.hauliers.insert(&event.key, truck.haulier_party);
                    filings.insert(&event.key, truck.pre_arrival_id);
                }
                _ => {}
            }
        }
        let on_lists = filings.into_iter();
        let on_lists = on_lists.filter_map(|(truck, filing)| Some((truck, filed.get(&filing)?)));
        barriers.lists = on_lists
            .map(|(truck, list)| (truck, list.clone()))
            .collect();
        barriers
    }

    /// A stay that has ended, of a container with goods: on its own release, or on that of the stock list that its truck
    /// carries.
    fn left_without_release(
        &self,
        event: &Event,
        visit: &ContainerVisit,
        at: Moment,
    ) -> Option<Violation> {
        let decided_by_gate = visit.empty && visit.manifest_lines.is_empty();
        if decided_by_gate || !visit.list_number.is_empty() {
            return None;
        }
        let truck = visit.departed_with_truck_visit_id.as_str();
        let haulier = self.hauliers.get(truck).map(String::as_str);
        match self.lists.get(truck) {
            Some(list) => self.without_release(event, list, at, haulier),
            None => self.without_release(event, &visit.container_visit_id, at, haulier),
        }
    }

    /// Something passed at that moment: on the newest grant until then, which nobody had taken back, to this haulier.
    fn without_release(
        &self,
        event: &Event,
        key: &str,
        at: Moment,
        haulier: Option<&str>,
    ) -> Option<Violation> {
        let none = Vec::new();
        let decisions = self.decisions.get(key).unwrap_or(&none);
        let mut until_then = decisions.iter().filter(|decided| decided.at <= at);
        let grant = until_then
            .clone()
            .filter(|decided| decided.granted)
            .max_by_key(|decided| decided.version);
        let Some(grant) = grant else {
            let what = format!("{}: {key}", event.id());
            return Some(Violation::new(Kind::PassedWithoutRelease, what));
        };
        let taken_back = until_then.find(|decided| {
            let applied = self.applied.get(&decided.ask);
            decided.version > grant.version && applied.is_some_and(|applied| *applied < at)
        });
        if let Some(taken_back) = taken_back {
            let what = format!("{}: {key}, ask {}", event.id(), taken_back.ask);
            return Some(Violation::new(Kind::PassedOnRevokedRelease, what));
        }
        let other =
            haulier.filter(|haulier| !grant.haulier.is_empty() && *haulier != grant.haulier);
        other.map(|other| {
            let what = format!("{}: {key}, with {other} for {}", event.id(), grant.haulier);
            Violation::new(Kind::PassedWithOtherHaulier, what)
        })
    }
}

fn events(evidence: &Evidence) -> impl Iterator<Item = &Event> {
    evidence.exchanges.values().flat_map(|one| &one.events)
}

/// What cannot be read is found elsewhere.
fn read<M: Message + Default>(event: &Event) -> M {
    M::decode(event.payload.as_slice()).unwrap_or_default()
}

fn moment(evidence: &Evidence, recorded_at: Option<&Timestamp>) -> Moment {
    let recorded = recorded_at
        .and_then(|time| DateTime::from_timestamp(time.seconds, time.nanos.unsigned_abs()));
    evidence.right(recorded.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proto::gate::events::v1::{PreArrivalState, TruckVisitState};
    use proto::release::events::v1::Decision;

    use super::super::exchange::tests::having_published;
    use super::*;
    use crate::evidence::Step;

    const VISIT: &str = "GUOYUAN-PORT/MSKU9070323/1";
    const TRUCK: &str = "truck";

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos: 0 })
    }

    fn decided(seconds: i64, version: u64, state: &str, haulier: &str) -> Vec<u8> {
        DecisionEvent {
            recorded_at: at(seconds),
            decision: Some(Decision {
                version,
                state: state.into(),
                haulier_party: haulier.into(),
                ask_id: if state == "REVOCATION_ASKED" {
                    "ask"
                } else {
                    ""
                }
                .into(),
                ..Decision::default()
            }),
            ..DecisionEvent::default()
        }
        .encode_to_vec()
    }

    fn left(seconds: i64, empty: bool) -> Vec<u8> {
        ContainerVisitEvent {
            fact: ContainerVisitFact::Departed.into(),
            recorded_at: at(seconds),
            visit: Some(ContainerVisit {
                container_visit_id: VISIT.into(),
                departed_with_truck_visit_id: TRUCK.into(),
                empty,
                ..ContainerVisit::default()
            }),
            ..ContainerVisitEvent::default()
        }
        .encode_to_vec()
    }

    fn truck(fact: TruckVisitFact) -> Vec<u8> {
        TruckVisitEvent {
            fact: fact.into(),
            truck_visit: Some(TruckVisitState {
                haulier_party: "haulier-a".into(),
                pre_arrival_id: "filing".into(),
                ..TruckVisitState::default()
            }),
            ..TruckVisitEvent::default()
        }
        .encode_to_vec()
    }

    fn applied(seconds: i64) -> Vec<u8> {
        AnswerEvent {
            ask_id: "ask".into(),
            verdict: AnswerVerdict::Applied.into(),
            recorded_at: at(seconds),
            ..AnswerEvent::default()
        }
        .encode_to_vec()
    }

    /// What is found where these topics hold these messages, each under the key.
    fn found(topics: &[(&str, &str, &[Vec<u8>])]) -> Vec<Kind> {
        found_after(&[], topics)
    }

    /// As [`found`], where clocks were wrong for a while.
    fn found_after(steps: &[Step], topics: &[(&str, &str, &[Vec<u8>])]) -> Vec<Kind> {
        let exchanges = topics.iter().enumerate();
        let exchanges = exchanges.map(|(place, (topic, key, payloads))| {
            let name = format!("{place}");
            (name, having_published(topic, key, payloads))
        });
        let evidence = Evidence {
            steps: steps.to_vec(),
            exchanges: exchanges.collect(),
            ..Evidence::default()
        };
        let violations = violations(&evidence);
        violations.into_iter().map(|one| one.kind).collect()
    }

    fn departure(decisions: &[Vec<u8>], answers: &[Vec<u8>], left: &[Vec<u8>]) -> Vec<Kind> {
        found(&[
            ("release.decision", VISIT, decisions),
            ("gate.answer", VISIT, answers),
            ("gate.container-visit", VISIT, left),
            ("gate.truck-visit", TRUCK, &[truck(TruckVisitFact::GatedIn)]),
        ])
    }

    #[test]
    fn goods_that_leave_without_a_release_are_found() {
        let granted = decided(1, 1, "GRANTED", "haulier-a");
        assert_eq!(
            departure(std::slice::from_ref(&granted), &[], &[left(2, false)]),
            []
        );
        let without = [Kind::PassedWithoutRelease];
        assert_eq!(departure(&[], &[], &[left(2, false)]), without);
        assert_eq!(departure(&[granted], &[], &[left(0, false)]), without);
        let withheld = decided(1, 1, "WITHHELD", "");
        assert_eq!(departure(&[withheld], &[], &[left(2, false)]), without);
    }

    #[test]
    fn what_was_recorded_by_a_clock_that_was_fast_counts_when_it_happened() {
        let moment = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        let fast = Step {
            from: moment(10),
            until: moment(20),
            seconds: 3_600,
        };
        let of = |granted: i64, left_at: i64| {
            found_after(
                &[fast],
                &[
                    (
                        "release.decision",
                        VISIT,
                        &[decided(granted, 1, "GRANTED", "")],
                    ),
                    ("gate.container-visit", VISIT, &[left(left_at, false)]),
                ],
            )
        };
        assert_eq!(of(3_600 + 15, 25), []);
        assert_eq!(of(25, 3_600 + 15), [Kind::PassedWithoutRelease]);
    }

    #[test]
    fn an_empty_container_needs_no_release() {
        assert_eq!(departure(&[], &[], &[left(2, true)]), []);
    }

    #[test]
    fn goods_that_leave_on_what_was_taken_back_are_found() {
        let asked = [
            decided(1, 1, "GRANTED", "haulier-a"),
            decided(2, 2, "REVOCATION_ASKED", "haulier-a"),
        ];
        assert_eq!(departure(&asked, &[], &[left(4, false)]), []);
        assert_eq!(departure(&asked, &[applied(5)], &[left(4, false)]), []);
        let found = departure(&asked, &[applied(3)], &[left(4, false)]);
        assert_eq!(found, [Kind::PassedOnRevokedRelease]);
        let mut anew = asked.to_vec();
        anew.push(decided(4, 3, "GRANTED", "haulier-a"));
        assert_eq!(departure(&anew, &[applied(3)], &[left(5, false)]), []);
    }

    #[test]
    fn goods_that_leave_with_another_haulier_are_found() {
        let granted = decided(1, 1, "GRANTED", "haulier-b");
        let found = departure(&[granted], &[], &[left(2, false)]);
        assert_eq!(found, [Kind::PassedWithOtherHaulier]);
    }

    #[test]
    fn a_stay_that_ends_twice_is_found() {
        let granted = decided(1, 1, "GRANTED", "haulier-a");
        let found = departure(&[granted], &[], &[left(2, false), left(3, false)]);
        assert_eq!(found, [Kind::DepartedTwice]);
    }

    #[test]
    fn a_truck_that_is_let_out_while_it_is_recalled_is_found() {
        use TruckVisitFact::{GatedIn, GatedOut, RecallEnded, Recalled};
        let of = |facts: &[TruckVisitFact]| {
            let said: Vec<_> = facts.iter().map(|fact| truck(*fact)).collect();
            found(&[("gate.truck-visit", TRUCK, &said)])
        };
        assert_eq!(of(&[GatedIn, Recalled, RecallEnded, GatedOut]), []);
        let found = of(&[GatedIn, Recalled, GatedOut]);
        assert_eq!(found, [Kind::LetOutWhileRecalled]);
    }

    #[test]
    fn goods_of_a_list_pass_on_the_release_of_the_list_alone() {
        let filing = PreArrivalEvent {
            pre_arrival: Some(PreArrivalState {
                pre_arrival_id: "filing".into(),
                list_number: "L1".into(),
                ..PreArrivalState::default()
            }),
            ..PreArrivalEvent::default()
        };
        let passed = ListPassageEvent {
            fact: ListPassageFact::Passed.into(),
            recorded_at: at(3),
            ..ListPassageEvent::default()
        };
        let of = |key: &str| {
            found(&[
                ("gate.pre-arrival", "filing", &[filing.encode_to_vec()]),
                ("gate.truck-visit", TRUCK, &[truck(TruckVisitFact::GatedIn)]),
                ("release.decision", key, &[decided(1, 1, "GRANTED", "")]),
                ("gate.container-visit", VISIT, &[left(2, false)]),
                ("gate.list-passage", "L1", &[passed.encode_to_vec()]),
            ])
        };
        assert_eq!(of("list/L1"), []);
        let without = Kind::PassedWithoutRelease;
        assert_eq!(of(VISIT), [without, without]);
    }
}
