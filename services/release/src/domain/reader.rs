//! Who reads, and what that party may see: its own affairs, its sites, or, as an authority, everything.

use std::collections::BTreeSet;

/// A caller, as the rules on reading see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    /// The party it acts for.
    pub party: String,
    /// The person or program.
    pub subject: String,
    /// Its roles, as tokens name them: "haulier".
    pub roles: BTreeSet<String>,
    /// The sites it works at.
    pub sites: BTreeSet<String>,
}

impl Reader {
    /// Whether it has a role.
    pub fn is(&self, role: &str) -> bool {
        self.roles.contains(role)
    }

    /// Officers and administrators read everything.
    pub fn reads_everything(&self) -> bool {
        self.is("officer") || self.is("admin")
    }

    /// The sites of which it reads everything: a terminal's own.
    pub fn terminal_sites(&self) -> Vec<String> {
        if self.is("terminal") {
            self.sites.iter().cloned().collect()
        } else {
            Vec::new()
        }
    }

    /// Whether it works at this site as its terminal.
    pub fn is_terminal_of(&self, site_id: &str) -> bool {
        self.is("terminal") && self.sites.contains(site_id)
    }

    /// Whether it sees every party's name at this site.
    pub fn sees_names_at(&self, site_id: &str) -> bool {
        self.reads_everything() || self.is_terminal_of(site_id)
    }
}
