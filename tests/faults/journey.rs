//! One container's journey: what things are called, what each step asks of the services, and what must come
//! of it. A step that is repeated because an answer was lost asks the very same with the same request id.
//! This file must not know who is away meanwhile.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{TimeDelta, Utc};
use kernel::ContainerNumber;
use proto::common::v1::{Condition, HoldKind, HoldScope, HoldScopeKind, Quantity};
use proto::customs::v1 as customs;
use proto::gate::v1 as gate;
use proto::release::v1 as release;
use tonic::Status;

use crate::parties::Parties;
use crate::script::{Closing, Script, Step};
use crate::site::document;
use crate::waiting::{answered, if_so, seen};

/// Where it all happens.
pub const PORT: &str = "GUOYUAN-PORT";
/// The mass of the truck with its empty chassis, in kilograms.
const TRUCK_KILOGRAMS: u32 = 15_200;
/// The mass of the empty container, in kilograms.
const TARE_KILOGRAMS: u32 = 2_250;
/// Gate's knowledge counts as fresh below this age: half of its limit, so that it lasts for the next step.
const FRESH_MILLIS_MAX: u64 = 15_000;

/// A real declaration and what it says about its goods.
struct Goods {
    path: &'static str,
    lrn: &'static str,
    packages: u32,
    gross_kilograms: u32,
}

/// Umbrellas: nothing that customs looks at more closely.
const GREEN: Goods = Goods {
    path: "TT_IM109a/TT_IM109a.xml",
    lrn: "784830951QEHNSOQN",
    packages: 500,
    gross_kilograms: 150,
};

/// Shavers, whose description asks for a control of the documents and one of the goods.
const RED: Goods = Goods {
    path: "TT_IM017a/Step1_TT_IM017a.xml",
    lrn: "TT_IM17a_v1.4_1907_01",
    packages: 80,
    gross_kilograms: 180,
};

/// A journey and how far it has come.
pub struct Journey<'a> {
    /// What happens in it.
    pub script: &'static Script,
    /// The container's number.
    pub container: String,
    /// The transport document of its goods.
    pub transport_document: String,
    /// The broker's reference.
    pub lrn: String,
    plate: String,
    parties: &'a Parties,
    goods: &'static Goods,
    serial: u32,
    container_visit: String,
    declaration: String,
    mrn: String,
    pre_arrival: String,
    truck_visit: gate::TruckVisit,
    terminal_hold: String,
    customs_hold: String,
}

impl<'a> Journey<'a> {
    /// A journey of a container that nobody has heard of.
    pub fn new(parties: &'a Parties, script: &'static Script) -> Journey<'a> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        Journey {
            script,
            container: container(script.letter, serial),
            transport_document: format!("CRE-FAULTS-{serial:05}"),
            lrn: format!("FAULTS-{serial:05}"),
            plate: format!("渝{}{serial:05}", script.letter),
            parties,
            goods: if script.red { &RED } else { &GREEN },
            serial,
            container_visit: String::new(),
            declaration: String::new(),
            mrn: String::new(),
            pre_arrival: String::new(),
            truck_visit: gate::TruckVisit::default(),
            terminal_hold: String::new(),
            customs_hold: String::new(),
        }
    }

    /// Does what the step asks of a service, until that has answered; a step that is only waited for asks
    /// nothing.
    pub async fn act(&mut self, step: Step) {
        match step {
            Step::Announce => self.announce().await,
            Step::Lodge => self.lodge().await,
            Step::PreArrive => self.pre_arrive().await,
            Step::LandContainer => self.land().await,
            Step::CommercialRelease => self.release_commercially().await,
            Step::MakeAvailable => self.make_available().await,
            Step::HoldByTerminal => self.hold_by_terminal().await,
            Step::HoldByCustoms => self.hold_by_customs().await,
            Step::ComeInVain => self.come(gate::TruckVisitState::TurnedAway).await,
            Step::CompleteControls => self.complete_controls().await,
            Step::LiftByCustoms => self.lift_by_customs().await,
            Step::LiftByTerminal => self.lift_by_terminal().await,
            Step::CheckIn => self.come(gate::TruckVisitState::GatedIn).await,
            Step::OrderInspection => self.order_inspection().await,
            Step::LeaveInVain => self.leave(gate::CheckOutOutcome::Refused).await,
            Step::Inspect => self.inspect().await,
            Step::CheckOut => self.leave(gate::CheckOutOutcome::LetOut).await,
            Step::KnownTrain | Step::Cleared | Step::Stopped | Step::Ready | Step::Departed => {}
        }
    }

    /// Waits for what must come of the step.
    pub async fn consequence(&self, step: Step) {
        match step {
            Step::KnownTrain => self.until_customs_would_register().await,
            Step::Lodge => self.until_matched().await,
            Step::LandContainer => self.until_accepted().await,
            Step::Cleared => self.until_cleared().await,
            Step::Stopped => self.until_gate_knows_everything().await,
            Step::Ready => self.until_ready().await,
            Step::Departed => self.until_departed().await,
            // The answer was all.
            _ => {}
        }
    }

    async fn announce(&mut self) {
        let request = gate::AnnounceArrivalRequest {
            request_id: request_id(),
            validate_only: false,
            site_id: PORT.to_owned(),
            mode: gate::TransportMode::Rail.into(),
            conveyance: self.train(),
            estimated_arrival: Some(from_now(TimeDelta::hours(1))),
            containers: vec![gate::AnnouncedContainer {
                container_number: self.container.clone(),
                size_type: "22G1".to_owned(),
                seals: vec!["CN1".to_owned()],
                empty: false,
                manifest_lines: vec![gate::ManifestLine {
                    transport_document: self.transport_document.clone(),
                    line_party: self.parties.line.name.to_owned(),
                    packages: Some(self.goods.packages),
                    gross_mass: Some(kilograms(self.goods.gross_kilograms)),
                    goods_description: String::new(),
                }],
            }],
        };
        let answer = answered("the train is announced", async || {
            let mut gate = self.parties.terminal.gate();
            gate.announce_arrival(request.clone()).await
        })
        .await;
        self.container_visit = accepted_line(answer.results).container_visit_id;
    }

    async fn until_customs_would_register(&self) {
        seen("customs would register the declaration", async || {
            let filing = self.file(true, request_id()).await?;
            let is_so = filing.outcome() == customs::FilingOutcome::Registered;
            Ok(if_so(is_so, (), format!("{filing:?}")))
        })
        .await;
    }

    async fn lodge(&mut self) {
        let request_id = request_id();
        let filing = seen("the declaration is lodged", async || {
            self.file(false, request_id.clone()).await.map(Ok)
        })
        .await;
        let outcome = filing.outcome();
        assert_eq!(outcome, customs::FilingOutcome::Registered, "{filing:?}");
        self.declaration = filing.declaration_id;
        self.mrn = filing.mrn;
    }

    async fn file(
        &self,
        validate_only: bool,
        request_id: String,
    ) -> Result<customs::Filing, Status> {
        let request = customs::FileDocumentRequest {
            request_id,
            validate_only,
            document: self.document().into(),
        };
        let answer = self.parties.broker.customs().file_document(request).await?;
        Ok(answer.into_inner().filing.unwrap_or_default())
    }

    async fn until_matched(&self) {
        self.until_declaration("is matched", |declaration| {
            declaration.consignments.first().is_some_and(|consignment| {
                consignment.r#match() == customs::MatchState::Matched
                    && consignment.container_visit_id == self.container_visit
            })
        })
        .await;
    }

    async fn pre_arrive(&mut self) {
        let request = gate::SubmitPreArrivalRequest {
            request_id: request_id(),
            validate_only: false,
            site_id: PORT.to_owned(),
            kind: gate::PreArrivalKind::FullOut.into(),
            vehicle: Some(self.vehicle()),
            driver: Some(gate::Driver {
                name: "Zhang Wei".to_owned(),
                licence: "500103198801012345".to_owned(),
                phone: String::new(),
            }),
            containers: vec![gate::PreArrivalContainer {
                container_number: self.container.clone(),
                ..Default::default()
            }],
            document_references: Vec::new(),
            planned_arrival: Some(from_now(TimeDelta::minutes(30))),
            ..Default::default()
        };
        let answer = answered("the truck is filed", async || {
            let mut gate = self.parties.haulier.gate();
            gate.submit_pre_arrival(request.clone()).await
        })
        .await;
        let filed = answer.pre_arrival.unwrap_or_default();
        assert_eq!(filed.state(), gate::PreArrivalState::Blocked, "{filed:?}");
        self.pre_arrival = filed.pre_arrival_id;
    }

    async fn land(&mut self) {
        let request = gate::RecordArrivalRequest {
            request_id: request_id(),
            validate_only: false,
            site_id: PORT.to_owned(),
            mode: gate::TransportMode::Rail.into(),
            conveyance: self.train(),
            arrived_at: None,
            containers: vec![gate::LandedContainer {
                container_number: self.container.clone(),
                seals_found: vec!["CN1".to_owned()],
                ..Default::default()
            }],
            complete: true,
        };
        let answer = answered("the container is landed", async || {
            let mut gate = self.parties.terminal.gate();
            gate.record_arrival(request.clone()).await
        })
        .await;
        accepted_line(answer.results);
    }

    async fn until_accepted(&self) {
        let open_controls = if self.script.red { 2 } else { 0 };
        self.until_declaration("is accepted, its duty secured", |declaration| {
            let accepted = declaration
                .history
                .iter()
                .any(|entry| entry.fact == "ACCEPTED");
            let secured = matches!(
                declaration.debt(),
                customs::DebtState::Secured | customs::DebtState::Paid
            );
            accepted && secured && declaration.controls.len() == open_controls
        })
        .await;
    }

    async fn until_cleared(&self) {
        self.until_declaration("is cleared", |declaration| {
            declaration.status() == customs::DeclarationStatus::Cleared
        })
        .await;
    }

    async fn release_commercially(&mut self) {
        let request = release::GrantCommercialReleaseRequest {
            request_id: request_id(),
            validate_only: false,
            transport_document: self.transport_document.clone(),
            haulier_party: self.parties.haulier.name.to_owned(),
            site_id: PORT.to_owned(),
            container_number: String::new(),
        };
        answered("the line releases the goods", async || {
            let mut release = self.parties.line.release();
            release.grant_commercial_release(request.clone()).await
        })
        .await;
    }

    async fn make_available(&mut self) {
        self.set_available(true, "").await;
    }

    async fn set_available(&mut self, available: bool, reason: &str) {
        let request = gate::SetAvailabilityRequest {
            request_id: request_id(),
            container_visit_id: self.container_visit.clone(),
            available,
            reason: reason.to_owned(),
            expected_version: 0,
        };
        answered("the terminal says whether it is available", async || {
            let mut gate = self.parties.terminal.gate();
            gate.set_availability(request.clone()).await
        })
        .await;
    }

    /// Closes the barrier for a truck that is inside.
    pub async fn close(&mut self, closing: Closing) {
        match closing {
            Closing::TerminalHold => self.hold_by_terminal().await,
            Closing::Unavailable => self.set_available(false, "a crane is down").await,
            Closing::Inspection => self.order_inspection().await,
            Closing::CustomsHold => self.hold_by_customs().await,
            Closing::LineHold => self.hold_by_line().await,
            Closing::Revocation => self.revoke_commercially().await,
        }
    }

    /// Waits until the truck is recalled.
    pub async fn until_recalled(&self) {
        seen("the truck is recalled", async || {
            let request = gate::GetTruckVisitRequest {
                truck_visit_id: self.truck_visit.truck_visit_id.clone(),
            };
            let mut gate = self.parties.terminal.gate();
            let answer = gate.get_truck_visit(request).await?.into_inner();
            let visit = answer.truck_visit.unwrap_or_default();
            let recalled = visit.state() == gate::TruckVisitState::Recalled;
            let instead = format!("{:?} {:?}", visit.state(), codes(&visit.conditions));
            Ok(if_so(recalled, (), instead))
        })
        .await;
    }

    async fn hold_by_line(&mut self) {
        let request = release::PlaceHoldRequest {
            request_id: request_id(),
            validate_only: false,
            scope: Some(self.hold_scope()),
            kind: HoldKind::Commercial.into(),
            reason: "freight not paid".to_owned(),
        };
        answered("the line holds the container", async || {
            let mut release = self.parties.line.release();
            release.place_hold(request.clone()).await
        })
        .await;
    }

    async fn revoke_commercially(&mut self) {
        let request = release::RevokeCommercialReleaseRequest {
            request_id: request_id(),
            transport_document: self.transport_document.clone(),
            site_id: PORT.to_owned(),
            reason: "freight not paid".to_owned(),
            ..Default::default()
        };
        let answer = answered("the line takes its release back", async || {
            let mut release = self.parties.line.release();
            release.revoke_commercial_release(request.clone()).await
        })
        .await;
        let asked = answer.revocation_asked_container_visit_ids;
        assert_eq!(asked, [self.container_visit.as_str()]);
    }

    async fn hold_by_terminal(&mut self) {
        let request = gate::PlaceHoldRequest {
            request_id: request_id(),
            validate_only: false,
            site_id: PORT.to_owned(),
            scope: Some(self.hold_scope()),
            kind: HoldKind::Terminal.into(),
            reason: "T1: damaged".to_owned(),
        };
        let answer = answered("the terminal holds the container", async || {
            let mut gate = self.parties.terminal.gate();
            gate.place_hold(request.clone()).await
        })
        .await;
        self.terminal_hold = answer.hold.unwrap_or_default().hold_id;
    }

    async fn hold_by_customs(&mut self) {
        let request = customs::PlaceHoldRequest {
            request_id: request_id(),
            scope: Some(self.hold_scope()),
            kind: HoldKind::Customs.into(),
            reason: "H1: the seal".to_owned(),
        };
        let answer = answered("customs holds the container", async || {
            let mut customs = self.parties.officer.customs();
            customs.place_hold(request.clone()).await
        })
        .await;
        self.customs_hold = answer.hold.unwrap_or_default().hold_id;
    }

    async fn until_gate_knows_everything(&self) {
        let wanted = [
            "DOCUMENTS_CONTROL_OPEN",
            "PHYSICAL_CONTROL_OPEN",
            "TERMINAL_HOLD",
            "CUSTOMS_HOLD",
        ];
        seen("gate knows everything in the truck's way", async || {
            let filed = self.filed_truck().await?;
            let all = wanted
                .iter()
                .all(|code| codes(&filed.conditions).contains(code));
            Ok(if_so(all, (), format!("{:?}", codes(&filed.conditions))))
        })
        .await;
    }

    async fn complete_controls(&mut self) {
        let declaration = self
            .until_declaration("has its controls", |declaration| {
                declaration.controls.len() == 2
            })
            .await;
        for control in declaration.controls {
            let request = customs::CompleteControlRequest {
                request_id: request_id(),
                declaration_id: self.declaration.clone(),
                expected_version: 0,
                control_id: control.control_id,
                result: customs::ControlResult::Conform.into(),
                reason: "as declared".to_owned(),
            };
            answered("a control is done", async || {
                let mut customs = self.parties.officer.customs();
                customs.complete_control(request.clone()).await
            })
            .await;
        }
    }

    async fn lift_by_customs(&mut self) {
        let request = customs::LiftHoldRequest {
            request_id: request_id(),
            hold_id: self.customs_hold.clone(),
            reason: "the seal is in order".to_owned(),
        };
        answered("customs lifts its hold", async || {
            let mut customs = self.parties.officer.customs();
            customs.lift_hold(request.clone()).await
        })
        .await;
    }

    async fn lift_by_terminal(&mut self) {
        let request = gate::LiftHoldRequest {
            request_id: request_id(),
            hold_id: self.terminal_hold.clone(),
            reason: "only paint".to_owned(),
        };
        answered("the terminal lifts its hold", async || {
            let mut gate = self.parties.terminal.gate();
            gate.lift_hold(request.clone()).await
        })
        .await;
    }

    async fn until_ready(&self) {
        seen("the release is granted", async || {
            let decision = self.decision().await?;
            let granted = decision.state() == release::ReleaseState::Granted;
            let instead = format!("{:?} {:?}", decision.state(), codes(&decision.conditions));
            Ok(if_so(granted, (), instead))
        })
        .await;
        seen("the truck may come", async || {
            let filed = self.filed_truck().await?;
            let ready = filed.state() == gate::PreArrivalState::Ready;
            let instead = format!("{:?} {:?}", filed.state(), codes(&filed.conditions));
            Ok(if_so(ready, (), instead))
        })
        .await;
    }

    /// The truck comes, as often as it takes to be answered. Gate that has just started knows of nobody how
    /// old its knowledge is and would ask a person, so the truck waits for that.
    async fn come(&mut self, wanted: gate::TruckVisitState) {
        let request_id = request_id();
        let visit = answered("the truck is at the lane", async || {
            knowledge_is_fresh(self.parties).await;
            let mut gate = self.parties.terminal.gate();
            gate.check_in(self.check_in(&request_id)).await
        })
        .await
        .truck_visit
        .unwrap_or_default();
        assert_eq!(visit.state(), wanted, "{visit:?}");
        self.truck_visit = visit;
    }

    /// The truck asks to be let in, once, and is given an answer of whatever kind.
    pub async fn ask_for_the_way_in(&mut self) -> gate::TruckVisit {
        let request_id = request_id();
        let visit = answered("the truck is at the lane", async || {
            let mut gate = self.parties.terminal.gate();
            gate.check_in(self.check_in(&request_id)).await
        })
        .await
        .truck_visit
        .unwrap_or_default();
        self.truck_visit = visit.clone();
        visit
    }

    async fn order_inspection(&mut self) {
        let request = gate::OrderInspectionRequest {
            request_id: request_id(),
            truck_visit_id: self.truck_visit.truck_visit_id.clone(),
            inspection_sites: Vec::new(),
            reason: "a density that is not declared".to_owned(),
            expected_version: 0,
        };
        let visit = answered("an inspection is ordered", async || {
            let mut gate = self.parties.officer.gate();
            gate.order_inspection(request.clone()).await
        })
        .await
        .truck_visit
        .unwrap_or_default();
        let state = visit.state();
        assert_eq!(state, gate::TruckVisitState::Recalled, "{visit:?}");
        self.truck_visit = visit;
    }

    async fn inspect(&mut self) {
        let steps: usize = self
            .truck_visit
            .inspections
            .iter()
            .map(|inspection| inspection.steps.len())
            .sum();
        for _ in 0..steps {
            let open = self
                .truck_visit
                .inspections
                .iter()
                .find(|inspection| inspection.ended_at.is_none())
                .expect("an open inspection");
            let request = gate::RecordInspectionRequest {
                request_id: request_id(),
                truck_visit_id: self.truck_visit.truck_visit_id.clone(),
                inspection_id: open.inspection_id.clone(),
                inspection_site: self.truck_visit.next_inspection_site.clone(),
                result: gate::InspectionResult::Passed.into(),
                note: String::new(),
                observed_at: None,
            };
            self.truck_visit = answered("an inspection site is passed", async || {
                let mut gate = self.parties.officer.gate();
                gate.record_inspection(request.clone()).await
            })
            .await
            .truck_visit
            .unwrap_or_default();
        }
        let visit = &self.truck_visit;
        let state = visit.state();
        assert_eq!(state, gate::TruckVisitState::GatedIn, "{visit:?}");
    }

    async fn leave(&mut self, wanted: gate::CheckOutOutcome) {
        let request_id = request_id();
        let answer = answered("the truck is at the way out", async || {
            knowledge_is_fresh(self.parties).await;
            let mut gate = self.parties.terminal.gate();
            gate.check_out(self.check_out(&request_id)).await
        })
        .await;
        assert_eq!(answer.outcome(), wanted, "{answer:?}");
        self.truck_visit = answer.truck_visit.unwrap_or_default();
    }

    /// The truck asks to be let out, once, and is given an answer of whatever kind.
    pub async fn ask_for_the_way_out(&self) -> gate::CheckOutResponse {
        let request_id = request_id();
        answered("the truck is at the way out", async || {
            let mut gate = self.parties.terminal.gate();
            gate.check_out(self.check_out(&request_id)).await
        })
        .await
    }

    async fn until_departed(&self) {
        seen("the container has left", async || {
            let request = gate::GetContainerVisitRequest {
                container_visit_id: self.container_visit.clone(),
            };
            let mut gate = self.parties.terminal.gate();
            let visit = gate.get_container_visit(request).await?.into_inner();
            let visit = visit.container_visit.unwrap_or_default();
            let departed = visit.phase() == gate::ContainerVisitPhase::Departed;
            Ok(if_so(departed, (), format!("{:?}", visit.phase())))
        })
        .await;
        seen("the release is consumed", async || {
            let state = self.decision().await?.state();
            let consumed = state == release::ReleaseState::Consumed;
            Ok(if_so(consumed, (), format!("{state:?}")))
        })
        .await;
    }

    async fn until_declaration(
        &self,
        what: &str,
        is_so: impl Fn(&customs::DeclarationRecord) -> bool,
    ) -> customs::DeclarationRecord {
        let what = format!("the declaration {what}");
        seen(&what, async || {
            let name =
                customs::get_declaration_request::Name::DeclarationId(self.declaration.clone());
            let request = customs::GetDeclarationRequest { name: Some(name) };
            let mut customs = self.parties.broker.customs();
            let answer = customs.get_declaration(request).await?.into_inner();
            let declaration = answer.declaration.unwrap_or_default();
            let instead = format!("{:?} {:?}", declaration.status(), declaration.debt());
            Ok(if_so(is_so(&declaration), declaration, instead))
        })
        .await
    }

    async fn filed_truck(&self) -> Result<gate::PreArrival, Status> {
        let request = gate::GetPreArrivalRequest {
            pre_arrival_id: self.pre_arrival.clone(),
        };
        let answer = self.parties.haulier.gate().get_pre_arrival(request).await?;
        Ok(answer.into_inner().pre_arrival.unwrap_or_default())
    }

    async fn decision(&self) -> Result<release::ContainerRelease, Status> {
        let request = release::GetContainerReleaseRequest {
            container_visit_id: self.container_visit.clone(),
        };
        let mut release = self.parties.terminal.release();
        let answer = release.get_container_release(request).await?.into_inner();
        Ok(answer.release.unwrap_or_default())
    }

    fn check_in(&self, request_id: &str) -> gate::CheckInRequest {
        gate::CheckInRequest {
            request_id: request_id.to_owned(),
            site_id: PORT.to_owned(),
            lane: "IN-1".to_owned(),
            vehicle: Some(self.vehicle()),
            container_numbers: vec![self.container.clone()],
            carrier_party: self.parties.haulier.name.to_owned(),
            pre_arrival: self.pre_arrival.clone(),
            weight: Some(kilograms(TRUCK_KILOGRAMS)),
            observed_at: None,
            barrier_number: 0,
        }
    }

    fn check_out(&self, request_id: &str) -> gate::CheckOutRequest {
        let loaded = TRUCK_KILOGRAMS + TARE_KILOGRAMS + self.goods.gross_kilograms;
        gate::CheckOutRequest {
            request_id: request_id.to_owned(),
            site_id: PORT.to_owned(),
            lane: "OUT-1".to_owned(),
            truck_visit_id: self.truck_visit.truck_visit_id.clone(),
            vehicle: Some(self.vehicle()),
            container_numbers: vec![self.container.clone()],
            weight: Some(kilograms(loaded)),
            observed_at: None,
            without_goods: false,
        }
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

    fn hold_scope(&self) -> HoldScope {
        HoldScope {
            kind: HoldScopeKind::ContainerVisit.into(),
            key: self.container_visit.clone(),
        }
    }

    fn train(&self) -> String {
        format!("X8044-{}", self.serial)
    }

    /// The real document with our names in it: broker-a declares for trader-a.
    fn document(&self) -> Vec<u8> {
        let mut text = fs::read_to_string(document(self.goods.path)).unwrap();
        for (old, new) in [
            (self.goods.lrn, self.lrn.clone()),
            ("<ID>AD12345</ID>", format!("<ID>{}</ID>", self.container)),
            (
                "</Consignment>",
                format!(
                    "<TransportContractDocument><ID>{}</ID><TypeCode>720</TypeCode></TransportContractDocument></Consignment>",
                    self.transport_document
                ),
            ),
            (
                "<Name>WLALONBTW</Name>",
                "<Name>GUOYUANPORT</Name>".to_owned(),
            ),
            (
                "<ID>GB603202734852</ID>",
                "<ID>GB270000000011</ID>".to_owned(),
            ),
            (
                "<ID>GB553202734852</ID>",
                "<ID>GB270000000021</ID>".to_owned(),
            ),
        ] {
            assert!(text.contains(old), "{old} is not in {}", self.goods.path);
            text = text.replace(old, &new);
        }
        text.into_bytes()
    }
}

/// Waits until gate knows of everything of others that it weighs at the barrier, and how old that is.
pub async fn knowledge_is_fresh(parties: &Parties) {
    seen("gate's knowledge is fresh", async || {
        let answer = knowledge(parties).await?;
        let weighed = [
            "release.decision",
            "release.hold",
            "customs.clearance",
            "customs.hold",
        ];
        let known = weighed.map(|topic| {
            let source = answer.sources.iter().find(|source| source.topic == topic);
            source.and_then(|source| source.age_millis)
        });
        let fresh = known
            .iter()
            .all(|age| age.is_some_and(|age| age <= FRESH_MILLIS_MAX));
        Ok(if_so(fresh, (), format!("{answer:?}")))
    })
    .await;
}

/// Waits until gate's knowledge of release's decisions is older than gate allows.
pub async fn knowledge_is_old(parties: &Parties) {
    seen("gate's knowledge is old", async || {
        let answer = knowledge(parties).await?;
        let decisions = answer
            .sources
            .iter()
            // The oldest partition's age is given; each must be past the limit, whichever holds a decision.
            .find(|source| source.topic == "release.decision")
            .and_then(|source| source.age_millis);
        let old = decisions
            .is_some_and(|age| age > answer.decision_age_max_millis + WATERMARKS_APART_MILLIS_MAX);
        Ok(if_so(old, (), format!("{answer:?}")))
    })
    .await;
}

/// Partitions are stamped so far apart at most: when the oldest is older than the limit by this, all are.
const WATERMARKS_APART_MILLIS_MAX: u64 = 6_000;

async fn knowledge(parties: &Parties) -> Result<gate::GetKnowledgeResponse, Status> {
    let request = gate::GetKnowledgeRequest {};
    let answer = parties.terminal.gate().get_knowledge(request).await?;
    Ok(answer.into_inner())
}

/// The codes of conditions.
pub fn codes(conditions: &[Condition]) -> Vec<&str> {
    let codes = conditions.iter().map(|condition| condition.code.as_str());
    codes.collect()
}

fn accepted_line(results: Vec<gate::ListLineResult>) -> gate::ListLineResult {
    let [line] = results.try_into().expect("one line, one result");
    let outcome = line.outcome();
    assert_eq!(outcome, gate::ListLineOutcome::Accepted, "{line:?}");
    line
}

fn request_id() -> String {
    kernel::new_id().to_string()
}

fn kilograms(value: u32) -> Quantity {
    Quantity {
        value: value.to_string(),
        unit_code: "KGM".to_owned(),
    }
}

fn from_now(later: TimeDelta) -> prost_types::Timestamp {
    chassis::convert::timestamp(Utc::now() + later)
}

/// The number of this serial, with its right check digit: of ten digits one passes.
fn container(letter: char, serial: u32) -> String {
    (0..10)
        .find_map(|check| {
            let written = format!("GF{letter}U{serial:06}{check}");
            ContainerNumber::parse(&written).ok()
        })
        .unwrap()
        .to_string()
}
