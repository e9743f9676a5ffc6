//! Holds and controls: who places, lifts or completes them. It must not know what they keep from moving.

use proto::common::v1::{Hold, HoldKind, HoldScope, HoldScopeKind};
use proto::customs::v1 as customs;
use proto::gate::v1 as gate;

use super::journey::{Journey, state_name};
use super::mishap::Mishap;
use crate::parties::PORT;

impl Journey<'_> {
    /// The terminal holds the container.
    ///
    /// # Errors
    /// Gate refuses.
    pub async fn hold_by_terminal(&self, reason: &str) -> Result<Hold, Mishap> {
        let terminal = &self.parties.terminal;
        let request = gate::PlaceHoldRequest {
            request_id: terminal.request_id(),
            validate_only: false,
            site_id: PORT.to_owned(),
            scope: Some(self.scope()),
            kind: HoldKind::Terminal.into(),
            reason: reason.to_owned(),
        };
        let answer = terminal.gate()?.place_hold(request).await?.into_inner();
        answer
            .hold
            .ok_or_else(|| Mishap::otherwise("a hold", "an empty answer"))
    }

    /// The officer holds the container.
    ///
    /// # Errors
    /// Customs refuses.
    pub async fn hold_by_customs(&self, reason: &str) -> Result<Hold, Mishap> {
        let officer = &self.parties.officer;
        let request = customs::PlaceHoldRequest {
            request_id: officer.request_id(),
            scope: Some(self.scope()),
            kind: HoldKind::Customs.into(),
            reason: reason.to_owned(),
        };
        let answer = officer.customs()?.place_hold(request).await?.into_inner();
        answer
            .hold
            .ok_or_else(|| Mishap::otherwise("a hold", "an empty answer"))
    }

    fn scope(&self) -> HoldScope {
        HoldScope {
            kind: HoldScopeKind::ContainerVisit.into(),
            key: self.ids.container_visit.clone(),
        }
    }

    /// The terminal lifts its hold.
    ///
    /// # Errors
    /// Gate refuses.
    pub async fn lift_by_terminal(&self, hold: &Hold, reason: &str) -> Result<(), Mishap> {
        let terminal = &self.parties.terminal;
        let request = gate::LiftHoldRequest {
            request_id: terminal.request_id(),
            hold_id: hold.hold_id.clone(),
            reason: reason.to_owned(),
        };
        terminal.gate()?.lift_hold(request).await?;
        Ok(())
    }

    /// The officer lifts customs' hold.
    ///
    /// # Errors
    /// Customs refuses.
    pub async fn lift_by_customs(&self, hold: &Hold, reason: &str) -> Result<(), Mishap> {
        let officer = &self.parties.officer;
        let request = customs::LiftHoldRequest {
            request_id: officer.request_id(),
            hold_id: hold.hold_id.clone(),
            reason: reason.to_owned(),
        };
        officer.customs()?.lift_hold(request).await?;
        Ok(())
    }

    /// The officer completes every open control: all is as declared.
    ///
    /// # Errors
    /// Customs refuses.
    pub async fn complete_controls(&self) -> Result<(), Mishap> {
        let officer = &self.parties.officer;
        let open = self.declaration().await?.controls;
        for control in open.iter().filter(|control| control.done_at.is_none()) {
            let request = customs::CompleteControlRequest {
                request_id: officer.request_id(),
                declaration_id: self.ids.declaration.clone(),
                expected_version: 0,
                control_id: control.control_id.clone(),
                result: customs::ControlResult::Conform.into(),
                reason: "as declared".to_owned(),
            };
            officer.customs()?.complete_control(request).await?;
            let kind = state_name(control.kind().as_str_name(), "CONTROL_KIND_");
            self.outcome(format!("control {kind} is done: as declared"));
        }
        Ok(())
    }
}
