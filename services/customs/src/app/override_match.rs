//! An officer's decision which container visit goods are in. Names the declaration and the visit with its
//! container; what belongs to the declaration follows.

use fabric::{Decision, Subjects};
use kernel::{ContainerNumber, Refusal, TransportDocumentNumber};

use super::desk::{DeclarationCommand, Desk};
use super::state::subject;
use crate::domain::matching::container_key;

/// The command.
#[derive(Clone, Debug)]
pub struct OverrideMatch {
    /// Who asks, and about which declaration.
    pub command: DeclarationCommand,
    /// The visit.
    pub visit_id: String,
    /// The container in the visit's id.
    pub container: ContainerNumber,
    /// The manifest line that is meant.
    pub transport_document: Option<TransportDocumentNumber>,
}

impl OverrideMatch {
    /// What it says itself that it touches.
    pub fn subjects(&self) -> Subjects {
        Subjects::new()
            .write(subject::KEY, container_key(&self.container))
            .read(subject::VISIT, &self.visit_id)
    }

    /// Decides it.
    pub fn decide(&self, desk: Desk<'_>) -> Decision {
        let visit = desk
            .state
            .visits_of(&self.container)
            .into_iter()
            .find(|visit| visit.visit_id == self.visit_id);
        let Some(visit) = visit else {
            return Decision::refuse(Refusal::not_found("container visit", &self.visit_id));
        };
        desk.on_declaration(&self.command, |declaration, world| {
            declaration.override_match(
                &visit,
                self.transport_document.clone(),
                &self.command.reason,
                world,
            )
        })
    }
}
