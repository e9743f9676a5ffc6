//! Presenting goods where no container visit can say that they are there. Names the declaration; what belongs
//! to it follows.

use chrono::{DateTime, Utc};
use fabric::Decision;

use super::desk::{DeclarationCommand, Desk};

/// The command.
#[derive(Clone, Debug)]
pub struct PresentGoods {
    /// Who asks, and about which declaration.
    pub command: DeclarationCommand,
    /// When the goods were seen; none: now.
    pub presented_at: Option<DateTime<Utc>>,
}

impl PresentGoods {
    /// Decides it.
    pub fn decide(&self, desk: Desk<'_>) -> Decision {
        let at = self.presented_at.unwrap_or_else(|| desk.now());
        desk.on_declaration(&self.command, |declaration, world| {
            declaration.present(at, world)
        })
    }
}
