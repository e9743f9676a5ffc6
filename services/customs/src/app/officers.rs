//! What an officer does to a declaration as a whole: detain its goods, end that, have it void. Each names the
//! declaration; what belongs to it follows.

use fabric::Decision;

use super::desk::{DeclarationCommand, Desk};

/// Detains goods.
#[derive(Clone, Debug)]
pub struct Detain {
    /// Who asks, and about which declaration.
    pub command: DeclarationCommand,
}

impl Detain {
    /// Decides it.
    pub fn decide(&self, desk: Desk<'_>) -> Decision {
        desk.on_declaration(&self.command, |declaration, world| {
            declaration.detain(&self.command.reason, world)
        })
    }
}

/// Ends a detention.
#[derive(Clone, Debug)]
pub struct EndDetention {
    /// Who asks, and about which declaration.
    pub command: DeclarationCommand,
}

impl EndDetention {
    /// Decides it.
    pub fn decide(&self, desk: Desk<'_>) -> Decision {
        desk.on_declaration(&self.command, |declaration, world| {
            declaration.end_detention(&self.command.reason, world)
        })
    }
}

/// Wants a declaration to be void.
#[derive(Clone, Debug)]
pub struct Invalidate {
    /// Who asks, and about which declaration.
    pub command: DeclarationCommand,
}

impl Invalidate {
    /// Decides it.
    pub fn decide(&self, desk: Desk<'_>) -> Decision {
        desk.on_declaration(&self.command, |declaration, world| {
            declaration.invalidate(&self.command.reason, world)
        })
    }
}
