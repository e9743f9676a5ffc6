//! What stands in a container's way and how it is done away with: holds, controls and inspections, and what
//! closes the barrier for a truck that is inside. It must not know when that happens.

use proto::common::v1::{Condition, HoldKind, HoldScope, HoldScopeKind};
use proto::customs::v1 as customs;
use proto::gate::v1 as gate;
use proto::release::v1 as release;

use super::lane::all_is_read;
use super::{Journey, PORT, codes, request_id};
use crate::play::script::Closing;
use crate::play::waiting::{answered, if_so, seen};

impl Journey<'_> {
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
        answered(
            "the line holds the container",
            &request.request_id,
            async || {
                let mut release = self.parties.line.release();
                release.place_hold(request.clone()).await
            },
        )
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
        let answer = answered(
            "the line takes its release back",
            &request.request_id,
            async || {
                let mut release = self.parties.line.release();
                release.revoke_commercial_release(request.clone()).await
            },
        )
        .await;
        let asked = answer.revocation_asked_container_visit_ids;
        assert_eq!(asked, [self.container_visit.as_str()]);
    }

    pub(super) async fn hold_by_terminal(&mut self) {
        let request = gate::PlaceHoldRequest {
            request_id: request_id(),
            validate_only: false,
            site_id: PORT.to_owned(),
            scope: Some(self.hold_scope()),
            kind: HoldKind::Terminal.into(),
            reason: "T1: damaged".to_owned(),
        };
        let answer = answered(
            "the terminal holds the container",
            &request.request_id,
            async || {
                let mut gate = self.parties.terminal.gate();
                gate.place_hold(request.clone()).await
            },
        )
        .await;
        self.terminal_hold = answer.hold.unwrap_or_default().hold_id;
    }

    pub(super) async fn hold_by_customs(&mut self) {
        let request = customs::PlaceHoldRequest {
            request_id: request_id(),
            scope: Some(self.hold_scope()),
            kind: HoldKind::Customs.into(),
            reason: "H1: the seal".to_owned(),
        };
        let answer = answered(
            "customs holds the container",
            &request.request_id,
            async || {
                let mut customs = self.parties.officer.customs();
                customs.place_hold(request.clone()).await
            },
        )
        .await;
        self.customs_hold = answer.hold.unwrap_or_default().hold_id;
    }

    /// Release knows of all of it, and gate of what it hears itself besides: of what they heard only when it is over,
    /// they would say that it begins.
    pub(super) async fn until_all_is_known(&self) {
        let wanted = [
            "DOCUMENTS_CONTROL_OPEN",
            "PHYSICAL_CONTROL_OPEN",
            "TERMINAL_HOLD",
            "CUSTOMS_HOLD",
        ];
        let all = |conditions: &[Condition]| {
            let codes = codes(conditions);
            let known = wanted.iter().all(|code| codes.contains(code));
            if_so(known, (), format!("{codes:?}"))
        };
        seen("release knows everything in the truck's way", async || {
            Ok(all(&self.decision().await?.conditions))
        })
        .await;
        seen("gate knows everything in the truck's way", async || {
            Ok(all(&self.filed_truck().await?.conditions))
        })
        .await;
        all_is_read(self.parties, self.weighed()).await;
    }

    pub(super) async fn complete_controls(&mut self) {
        let declaration = self
            .until_declaration("has its controls", |declaration| {
                declaration.controls.len() == self.cargo.controls
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
            answered("a control is done", &request.request_id, async || {
                let mut customs = self.parties.officer.customs();
                customs.complete_control(request.clone()).await
            })
            .await;
        }
    }

    pub(super) async fn lift_by_customs(&mut self) {
        let request = customs::LiftHoldRequest {
            request_id: request_id(),
            hold_id: self.customs_hold.clone(),
            reason: "the seal is in order".to_owned(),
        };
        answered("customs lifts its hold", &request.request_id, async || {
            let mut customs = self.parties.officer.customs();
            customs.lift_hold(request.clone()).await
        })
        .await;
    }

    pub(super) async fn lift_by_terminal(&mut self) {
        let request = gate::LiftHoldRequest {
            request_id: request_id(),
            hold_id: self.terminal_hold.clone(),
            reason: "only paint".to_owned(),
        };
        answered(
            "the terminal lifts its hold",
            &request.request_id,
            async || {
                let mut gate = self.parties.terminal.gate();
                gate.lift_hold(request.clone()).await
            },
        )
        .await;
    }

    pub(super) async fn order_inspection(&mut self) {
        let request = gate::OrderInspectionRequest {
            request_id: request_id(),
            truck_visit_id: self.truck_visit.truck_visit_id.clone(),
            inspection_sites: Vec::new(),
            reason: "a density that is not declared".to_owned(),
            expected_version: 0,
        };
        let visit = answered(
            "an inspection is ordered",
            &request.request_id,
            async || {
                let mut gate = self.parties.officer.gate();
                gate.order_inspection(request.clone()).await
            },
        )
        .await
        .truck_visit
        .unwrap_or_default();
        let state = visit.state();
        assert_eq!(state, gate::TruckVisitState::Recalled, "{visit:?}");
        self.truck_visit = visit;
    }

    pub(super) async fn inspect(&mut self) {
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
            self.truck_visit = answered(
                "an inspection site is passed",
                &request.request_id,
                async || {
                    let mut gate = self.parties.officer.gate();
                    gate.record_inspection(request.clone()).await
                },
            )
            .await
            .truck_visit
            .unwrap_or_default();
        }
        let visit = &self.truck_visit;
        let state = visit.state();
        assert_eq!(state, gate::TruckVisitState::GatedIn, "{visit:?}");
    }

    fn hold_scope(&self) -> HoldScope {
        HoldScope {
            kind: HoldScopeKind::ContainerVisit.into(),
            key: self.container_visit.clone(),
        }
    }
}
