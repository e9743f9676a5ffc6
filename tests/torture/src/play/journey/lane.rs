//! The truck: its filing, its coming and going at the lanes of both sites, and what gate must know afresh for
//! that. It must not know why it comes when it does.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use proto::common::v1::Quantity;
use proto::gate::v1 as gate;
use tonic::Status;

use super::{CENTRE, Journey, PORT, SEAL, codes, from_now, kilograms, request_id};
use crate::play::parties::{Parties, Party};
use crate::play::waiting::{answered, if_so, seen};

/// The mass of the truck with its empty chassis, in kilograms.
const TRUCK_KILOGRAMS: u32 = 15_200;
/// The mass of the empty container, in kilograms.
const TARE_KILOGRAMS: u32 = 2_250;
/// Gate's knowledge counts as fresh below this age: half of its limit, so that it lasts for the next step.
const FRESH_MILLIS_MAX: u64 = 15_000;
/// A truck that is kept until gate knows afresh asks so often.
const TIMES_ASKED_MAX: usize = 5;
/// Partitions are stamped so far apart at most: when the oldest is older than the limit by this, all are.
const WATERMARKS_APART_MILLIS_MAX: u64 = 6_000;

/// Where a truck comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The river port.
    Port,
    /// The bonded centre.
    Centre,
}

impl Place {
    fn site(self) -> &'static str {
        match self {
            Place::Port => PORT,
            Place::Centre => CENTRE,
        }
    }

    fn staff(self, parties: &Parties) -> &Party {
        match self {
            Place::Port => &parties.terminal,
            Place::Centre => &parties.centre_gate,
        }
    }
}

/// What a truck weighs.
#[derive(Clone, Copy)]
enum Load {
    Nothing,
    EmptyContainer,
    LadenContainer,
}

impl Journey<'_> {
    pub(super) async fn pre_arrive(&mut self) {
        // The train has not come yet; or everything is known already.
        let wanted = match self.script.letter {
            'A' | 'E' => gate::PreArrivalState::Blocked,
            _ => gate::PreArrivalState::Ready,
        };
        self.file_truck(wanted).await;
    }

    /// The truck is filed for goods of a list that may not move.
    pub async fn pre_arrive_in_vain(&mut self) {
        self.until_truck_would_be(gate::PreArrivalState::Blocked)
            .await;
        self.file_truck(gate::PreArrivalState::Blocked).await;
    }

    async fn file_truck(&mut self, wanted: gate::PreArrivalState) {
        let request = self.truck(false);
        let answer = answered("the truck is filed", &request.request_id, async || {
            let mut gate = self.filer().gate();
            gate.submit_pre_arrival(request.clone()).await
        })
        .await;
        let filed = answer.pre_arrival.unwrap_or_default();
        assert_eq!(filed.state(), wanted, "{filed:?}");
        self.pre_arrival = filed.pre_arrival_id;
    }

    /// Gate has heard all that it lets the truck come on.
    pub(super) async fn until_truck_would_be_ready(&self) {
        self.until_truck_would_be(gate::PreArrivalState::Ready)
            .await;
    }

    async fn until_truck_would_be(&self, wanted: gate::PreArrivalState) {
        seen(&format!("the truck would be {wanted:?}"), async || {
            let request = self.truck(true);
            let answer = self.filer().gate().submit_pre_arrival(request).await?;
            let filed = answer.into_inner().pre_arrival.unwrap_or_default();
            let instead = format!("{:?} {:?}", filed.state(), codes(&filed.conditions));
            Ok(if_so(filed.state() == wanted, (), instead))
        })
        .await;
    }

    /// Between port and centre the operator files for the haulier.
    fn filer(&self) -> &Party {
        match self.script.letter {
            'C' => &self.parties.operator,
            _ => &self.parties.haulier,
        }
    }

    fn truck(&self, validate_only: bool) -> gate::SubmitPreArrivalRequest {
        let mass = Some(kilograms(self.laden_kilograms()));
        let number = gate::PreArrivalContainer {
            container_number: self.container.clone(),
            ..Default::default()
        };
        let weighed = gate::PreArrivalContainer {
            gross_mass: mass.clone(),
            ..number.clone()
        };
        let to =
            |kind: gate::PreArrivalKind, place: Place, container| gate::SubmitPreArrivalRequest {
                request_id: request_id(),
                validate_only,
                kind: kind.into(),
                site_id: place.site().to_owned(),
                vehicle: Some(self.vehicle()),
                driver: Some(gate::Driver {
                    name: "Zhang Wei".to_owned(),
                    licence: "500103198801012345".to_owned(),
                    phone: String::new(),
                }),
                containers: vec![container],
                planned_arrival: Some(from_now(TimeDelta::minutes(30))),
                ..Default::default()
            };
        // All that is on it.
        let list = Some(gate::PreArrivalList {
            list_number: self.list.clone(),
            lines: Vec::new(),
        });
        let document_references = vec![self.mrn.clone()];
        match self.script.letter {
            'B' => gate::SubmitPreArrivalRequest {
                document_references,
                ..to(
                    gate::PreArrivalKind::FullIn,
                    Place::Port,
                    gate::PreArrivalContainer {
                        seals: vec![SEAL.to_owned()],
                        verified_mass: mass,
                        ..weighed
                    },
                )
            },
            'C' => gate::SubmitPreArrivalRequest {
                list,
                second_site_id: CENTRE.to_owned(),
                haulier_party: self.parties.haulier.name.to_owned(),
                ..to(gate::PreArrivalKind::BondTransfer, Place::Port, weighed)
            },
            'D' => gate::SubmitPreArrivalRequest {
                list,
                ..to(gate::PreArrivalKind::BondExit, Place::Centre, weighed)
            },
            _ => to(gate::PreArrivalKind::FullOut, Place::Port, number),
        }
    }

    pub(super) async fn filed_truck(&self) -> Result<gate::PreArrival, Status> {
        let request = gate::GetPreArrivalRequest {
            pre_arrival_id: self.pre_arrival.clone(),
        };
        let answer = self.parties.haulier.gate().get_pre_arrival(request).await?;
        Ok(answer.into_inner().pre_arrival.unwrap_or_default())
    }

    /// The truck comes, as often as it takes to be answered. Gate that has just started knows of nobody how
    /// old its knowledge is and would ask a person, so the truck waits for that.
    pub(super) async fn come(&mut self, place: Place, wanted: gate::TruckVisitState) {
        let mut visit = self.ask_to_come(place).await;
        for _ in 1..TIMES_ASKED_MAX {
            if visit.state() == wanted || !waits_for_knowledge(&visit) {
                break;
            }
            visit = self.ask_to_come(place).await;
        }
        assert_eq!(visit.state(), wanted, "{visit:?}");
        // Of a container that a truck brings the stay begins here.
        if let Some(brought) = visit.containers.first()
            && self.container_visit.is_empty()
        {
            self.container_visit = brought.container_visit_id.clone();
        }
        self.truck_visit = visit;
    }

    /// Once gate's knowledge is fresh.
    async fn ask_to_come(&self, place: Place) -> gate::TruckVisit {
        let request_id = request_id();
        let answer = answered("the truck is at the lane", &request_id, async || {
            knowledge_is_fresh(self.parties, self.weighed()).await;
            let mut gate = place.staff(self.parties).gate();
            gate.check_in(self.check_in(place, &request_id)).await
        });
        answer.await.truck_visit.unwrap_or_default()
    }

    /// The truck asks to be let in, once, and is given an answer of whatever kind.
    pub async fn ask_for_the_way_in(&mut self) -> gate::TruckVisit {
        let place = match self.script.letter {
            'D' => Place::Centre,
            _ => Place::Port,
        };
        let request_id = request_id();
        let visit = answered("the truck is at the lane", &request_id, async || {
            let mut gate = place.staff(self.parties).gate();
            gate.check_in(self.check_in(place, &request_id)).await
        })
        .await
        .truck_visit
        .unwrap_or_default();
        self.truck_visit = visit.clone();
        visit
    }

    /// Loaded, the truck stands on the weighbridge of the way out.
    pub(super) async fn weigh(&mut self) {
        let request = gate::RecordWeightRequest {
            request_id: request_id(),
            truck_visit_id: self.truck_visit.truck_visit_id.clone(),
            barrier: gate::Barrier::Out.into(),
            weight: Some(self.weight(Load::LadenContainer)),
            observed_at: None,
        };
        answered("the truck is weighed", &request.request_id, async || {
            let mut gate = self.parties.centre_gate.gate();
            gate.record_weight(request.clone()).await
        })
        .await;
    }

    pub(super) async fn leave(&mut self, place: Place, wanted: gate::CheckOutOutcome) {
        let mut answer = self.ask_to_leave(place).await;
        for _ in 1..TIMES_ASKED_MAX {
            let visit = answer.truck_visit.as_ref();
            if answer.outcome() == wanted || !visit.is_some_and(waits_for_knowledge) {
                break;
            }
            answer = self.ask_to_leave(place).await;
        }
        assert_eq!(answer.outcome(), wanted, "{answer:?}");
        self.truck_visit = answer.truck_visit.unwrap_or_default();
    }

    /// Once gate's knowledge is fresh.
    async fn ask_to_leave(&self, place: Place) -> gate::CheckOutResponse {
        let request_id = request_id();
        answered("the truck is at the way out", &request_id, async || {
            knowledge_is_fresh(self.parties, self.weighed()).await;
            let mut gate = place.staff(self.parties).gate();
            gate.check_out(self.check_out(place, &request_id)).await
        })
        .await
    }

    /// The truck asks to be let out of the port, once, and is given an answer of whatever kind.
    pub async fn ask_for_the_way_out(&self) -> gate::CheckOutResponse {
        let request_id = request_id();
        answered("the truck is at the way out", &request_id, async || {
            let mut gate = self.parties.terminal.gate();
            gate.check_out(self.check_out(Place::Port, &request_id))
                .await
        })
        .await
    }

    fn check_in(&self, place: Place, request_id: &str) -> gate::CheckInRequest {
        let load = match (self.script.letter, place) {
            ('B', _) | ('C', Place::Centre) => Load::LadenContainer,
            ('D', _) => Load::EmptyContainer,
            _ => Load::Nothing,
        };
        gate::CheckInRequest {
            request_id: request_id.to_owned(),
            site_id: place.site().to_owned(),
            lane: "IN-1".to_owned(),
            vehicle: Some(self.vehicle()),
            container_numbers: vec![self.container.clone()],
            carrier_party: self.parties.haulier.name.to_owned(),
            pre_arrival: self.pre_arrival.clone(),
            weight: Some(self.weight(load)),
            observed_at: None,
            barrier_number: 0,
        }
    }

    fn check_out(&self, place: Place, request_id: &str) -> gate::CheckOutRequest {
        let (containers, load) = match (self.script.letter, place) {
            ('B', _) | ('C', Place::Centre) => (Vec::new(), Load::Nothing),
            _ => (vec![self.container.clone()], Load::LadenContainer),
        };
        gate::CheckOutRequest {
            request_id: request_id.to_owned(),
            site_id: place.site().to_owned(),
            lane: "OUT-1".to_owned(),
            truck_visit_id: self.truck_visit.truck_visit_id.clone(),
            vehicle: Some(self.vehicle()),
            container_numbers: containers,
            weight: Some(self.weight(load)),
            observed_at: None,
            without_goods: false,
        }
    }

    fn weight(&self, load: Load) -> Quantity {
        kilograms(match load {
            Load::Nothing => TRUCK_KILOGRAMS,
            Load::EmptyContainer => TRUCK_KILOGRAMS + TARE_KILOGRAMS,
            Load::LadenContainer => TRUCK_KILOGRAMS + self.laden_kilograms(),
        })
    }

    fn laden_kilograms(&self) -> u32 {
        TARE_KILOGRAMS + self.cargo.gross_kilograms
    }

    fn vehicle(&self) -> gate::Vehicle {
        gate::Vehicle {
            tractor: Some(gate::Plate {
                text: self.plate.clone(),
                country_code: String::new(),
            }),
            trailer: None,
        }
    }

    /// The topics of others that gate weighs at the barrier for this truck.
    pub(super) fn weighed(&self) -> &'static [&'static str] {
        match self.script.letter {
            'B' => &[
                "release.decision",
                "release.hold",
                "customs.clearance",
                "customs.hold",
                "customs.party",
                "customs.declaration",
            ],
            'C' | 'D' => &[
                "release.decision",
                "release.hold",
                "customs.clearance",
                "customs.hold",
                "customs.party",
                "bonded.stock-list",
            ],
            _ => &[
                "release.decision",
                "release.hold",
                "customs.clearance",
                "customs.hold",
                "customs.party",
            ],
        }
    }
}

/// Whether a truck is kept for nothing but that gate does not know afresh what it weighs: a clock has stepped, or somebody
/// has gone away, since that was looked at.
fn waits_for_knowledge(visit: &gate::TruckVisit) -> bool {
    let codes = codes(&visit.conditions);
    let of_knowledge = |code: &&str| ["KNOWLEDGE_TOO_OLD", "KNOWLEDGE_UNKNOWN"].contains(code);
    !codes.is_empty() && codes.iter().all(of_knowledge)
}

/// Waits until gate has read all that was said until now of what it weighs: that a truck is READY shows it of the
/// decision, and not that customs asks for no inspection.
pub(super) async fn all_is_read(parties: &Parties, weighed: &[&str]) {
    let mut heads = BTreeMap::new();
    let told_by = |service: &&str| weighed.iter().any(|topic| topic.starts_with(*service));
    for service in ["customs", "bonded", "release"].into_iter().filter(told_by) {
        let what = format!("{service} says how far its topics go");
        let status = seen(&what, async || parties.exchange(service).await.map(Ok)).await;
        for produced in status.produced {
            let partition = (produced.topic, produced.partition);
            heads.insert(partition, produced.head_sequence);
        }
    }
    seen("gate has read everything that it weighs", async || {
        let status = parties.exchange("gate").await?;
        let mut weighed_ones = status.consumed.into_iter();
        let behind = weighed_ones.find(|read| {
            let head = heads.get(&(read.topic.clone(), read.partition));
            weighed.contains(&read.topic.as_str())
                && head.is_some_and(|head| read.applied_sequence < *head)
        });
        Ok(if_so(behind.is_none(), (), format!("{behind:?}")))
    })
    .await;
}

/// Waits until gate knows of everything that it weighs, and how old that is.
pub(super) async fn knowledge_is_fresh(parties: &Parties, weighed: &[&str]) {
    seen("gate's knowledge is fresh", async || {
        is_fresh(parties, weighed).await
    })
    .await;
}

/// Whether gate knows of everything that it weighs, and how old that is; or what it knows instead.
pub(super) async fn is_fresh(
    parties: &Parties,
    weighed: &[&str],
) -> Result<Result<(), String>, Status> {
    let answer = knowledge(parties).await?;
    let fresh = weighed
        .iter()
        .all(|topic| age(&answer, topic).is_some_and(|age| age <= FRESH_MILLIS_MAX));
    Ok(if_so(fresh, (), format!("{answer:?}")))
}

/// Waits until gate's knowledge of release's decisions is older than gate allows.
pub async fn knowledge_is_old(parties: &Parties) {
    seen("gate's knowledge is old", async || {
        let answer = knowledge(parties).await?;
        // The oldest partition's age is given; each must be past the limit, whichever holds a decision.
        let limit = answer.decision_age_max_millis + WATERMARKS_APART_MILLIS_MAX;
        let old = age(&answer, "release.decision").is_some_and(|age| age > limit);
        Ok(if_so(old, (), format!("{answer:?}")))
    })
    .await;
}

fn age(knowledge: &gate::GetKnowledgeResponse, topic: &str) -> Option<u64> {
    let mut sources = knowledge.sources.iter();
    sources.find(|source| source.topic == topic)?.age_millis
}

async fn knowledge(parties: &Parties) -> Result<gate::GetKnowledgeResponse, Status> {
    let request = gate::GetKnowledgeRequest {};
    let answer = parties.terminal.gate().get_knowledge(request).await?;
    Ok(answer.into_inner())
}
