//! Goods that come by train, and go by truck from the port: the train's lists, the line's release, the
//! terminal's word. It must not know what customs does with them.

use chrono::TimeDelta;
use proto::gate::v1 as gate;
use proto::release::v1 as release;
use tonic::Status;

use super::lane::all_is_read;
use super::{Journey, PORT, SEAL, accepted_line, codes, from_now, kilograms, request_id};
use crate::play::waiting::{answered, if_so, seen};

impl Journey<'_> {
    pub(super) async fn announce(&mut self) {
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
                seals: vec![SEAL.to_owned()],
                empty: false,
                manifest_lines: vec![gate::ManifestLine {
                    transport_document: self.transport_document.clone(),
                    line_party: self.parties.line.name.to_owned(),
                    packages: Some(self.cargo.packages),
                    gross_mass: Some(kilograms(self.cargo.gross_kilograms)),
                    goods_description: String::new(),
                }],
            }],
        };
        let answer = answered("the train is announced", &request.request_id, async || {
            let mut gate = self.parties.terminal.gate();
            gate.announce_arrival(request.clone()).await
        })
        .await;
        self.container_visit = accepted_line(answer.results).container_visit_id;
    }

    pub(super) async fn land(&mut self) {
        let request = gate::RecordArrivalRequest {
            request_id: request_id(),
            validate_only: false,
            site_id: PORT.to_owned(),
            mode: gate::TransportMode::Rail.into(),
            conveyance: self.train(),
            arrived_at: None,
            containers: vec![gate::LandedContainer {
                container_number: self.container.clone(),
                seals_found: vec![SEAL.to_owned()],
                ..Default::default()
            }],
            complete: true,
        };
        let answer = answered("the container is landed", &request.request_id, async || {
            let mut gate = self.parties.terminal.gate();
            gate.record_arrival(request.clone()).await
        })
        .await;
        accepted_line(answer.results);
    }

    pub(super) async fn release_commercially(&mut self) {
        let request = release::GrantCommercialReleaseRequest {
            request_id: request_id(),
            validate_only: false,
            transport_document: self.transport_document.clone(),
            haulier_party: self.parties.haulier.name.to_owned(),
            site_id: PORT.to_owned(),
            container_number: String::new(),
        };
        answered(
            "the line releases the goods",
            &request.request_id,
            async || {
                let mut release = self.parties.line.release();
                release.grant_commercial_release(request.clone()).await
            },
        )
        .await;
    }

    pub(super) async fn make_available(&mut self) {
        self.set_available(true, "").await;
    }

    pub(super) async fn set_available(&mut self, available: bool, reason: &str) {
        let request = gate::SetAvailabilityRequest {
            request_id: request_id(),
            container_visit_id: self.container_visit.clone(),
            available,
            reason: reason.to_owned(),
            expected_version: 0,
        };
        answered(
            "the terminal says whether it is available",
            &request.request_id,
            async || {
                let mut gate = self.parties.terminal.gate();
                gate.set_availability(request.clone()).await
            },
        )
        .await;
    }

    pub(super) async fn until_granted(&self) {
        self.until_decision_is(&[release::ReleaseState::Granted])
            .await;
    }

    /// Gate has agreed, and then it is withheld for whatever stands in the way.
    pub(super) async fn until_revoked(&self) {
        self.until_decision_is(&[
            release::ReleaseState::Revoked,
            release::ReleaseState::Withheld,
        ])
        .await;
    }

    async fn until_decision_is(&self, wanted: &[release::ReleaseState]) {
        seen(&format!("the release is {wanted:?}"), async || {
            let decision = self.decision().await?;
            let instead = format!("{:?} {:?}", decision.state(), codes(&decision.conditions));
            Ok(if_so(wanted.contains(&decision.state()), (), instead))
        })
        .await;
    }

    pub(super) async fn decision(&self) -> Result<release::ContainerRelease, Status> {
        let request = release::GetContainerReleaseRequest {
            container_visit_id: self.container_visit.clone(),
        };
        let mut release = self.parties.terminal.release();
        let answer = release.get_container_release(request).await?.into_inner();
        Ok(answer.release.unwrap_or_default())
    }

    pub(super) async fn until_ready(&self) {
        self.until_granted().await;
        seen("the truck may come", async || {
            let filed = self.filed_truck().await?;
            let ready = filed.state() == gate::PreArrivalState::Ready;
            let instead = format!("{:?} {:?}", filed.state(), codes(&filed.conditions));
            Ok(if_so(ready, (), instead))
        })
        .await;
        all_is_read(self.parties, self.weighed()).await;
    }

    pub(super) async fn until_departed(&self) {
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
        self.until_decision_is(&[release::ReleaseState::Consumed])
            .await;
    }

    pub(super) fn train(&self) -> String {
        format!("X8044-{}", self.serial)
    }
}
