//! Controls, routing and the officer's own release. Each names the declaration; what belongs to it follows.

use fabric::Decision;
use proto::customs::v1 as wire;
use uuid::Uuid;

use super::desk::{DeclarationCommand, Desk, respond};
use crate::domain::debt::ManualDuty;
use crate::domain::declaration::ControlResult;
use crate::domain::risk::{Channel, ControlOrder};

/// Orders a control.
#[derive(Clone, Debug)]
pub struct OpenControl {
    /// Who asks, and about which declaration.
    pub command: DeclarationCommand,
    /// What is to be looked at.
    pub order: ControlOrder,
}

impl OpenControl {
    /// Decides it.
    pub fn decide(&self, mut desk: Desk<'_>) -> Decision {
        let mut control_id = Uuid::nil();
        let outcome = desk.run_on_declaration(&self.command, |declaration, world| {
            control_id = declaration.open_control(self.order, &self.command.reason, world)?;
            Ok(())
        });
        match outcome {
            Ok(declaration) => {
                let record = desk.record_of(&declaration);
                let answer = wire::OpenControlResponse {
                    control_id: control_id.to_string(),
                    declaration: Some(record),
                };
                respond(&answer, desk.facts)
            }
            Err(refusal) => Decision::refuse(refusal),
        }
    }
}

/// Records what a control found.
#[derive(Clone, Debug)]
pub struct CompleteControl {
    /// Who asks, and about which declaration; its reason is what was noted.
    pub command: DeclarationCommand,
    /// The control.
    pub control_id: Uuid,
    /// What it found.
    pub result: ControlResult,
}

impl CompleteControl {
    /// Decides it.
    pub fn decide(&self, desk: Desk<'_>) -> Decision {
        desk.on_declaration(&self.command, |declaration, world| {
            declaration.complete_control(self.control_id, self.result, &self.command.reason, world)
        })
    }
}

/// Chooses another channel.
#[derive(Clone, Debug)]
pub struct Reroute {
    /// Who asks, and about which declaration.
    pub command: DeclarationCommand,
    /// The channel.
    pub channel: Channel,
}

impl Reroute {
    /// Decides it.
    pub fn decide(&self, desk: Desk<'_>) -> Decision {
        desk.on_declaration(&self.command, |declaration, world| {
            declaration.reroute(self.channel, &self.command.reason, world)
        })
    }
}

/// The officer's own release.
#[derive(Clone, Debug)]
pub struct Release {
    /// Who asks, and about which declaration.
    pub command: DeclarationCommand,
    /// The officer's assessment.
    pub manual_duties: Vec<ManualDuty>,
}

impl Release {
    /// Decides it.
    pub fn decide(&self, desk: Desk<'_>) -> Decision {
        desk.on_declaration(&self.command, |declaration, world| {
            declaration.release_by_officer(&self.manual_duties, &self.command.reason, world)
        })
    }
}
