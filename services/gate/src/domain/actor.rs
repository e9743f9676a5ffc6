//! Who asks. A decision knows the party, the person and what the party is; it must not know tokens.

use kernel::Refusal;

use super::site::Site;

/// The party and person behind a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The party.
    pub party: String,
    /// The person, or the machine at the lane.
    pub subject: String,
    /// The party is a customs officer's.
    pub is_officer: bool,
    /// The party runs a terminal.
    pub is_terminal: bool,
    /// The party operates bonded centres: those of the sites that the token names.
    pub is_operator: bool,
    /// The party is a haulier.
    pub is_haulier: bool,
    /// The sites that the person's token names; none named narrows nothing at a terminal.
    pub sites: Vec<String>,
}

impl Actor {
    /// Whether the actor runs the gate of this site.
    pub fn runs(&self, site: &Site) -> bool {
        self.is_terminal
            && site.terminal_party == self.party
            && (self.sites.is_empty() || self.sites.contains(&site.site_id))
    }

    /// Whether the actor operates this bonded centre.
    pub fn operates(&self, site: &Site) -> bool {
        self.is_operator && site.bonded && self.sites.contains(&site.site_id)
    }

    /// Demands that the actor runs this site's gate.
    ///
    /// # Errors
    /// `NOT_FOUND`: another party's site is nobody's business.
    pub fn must_run(&self, site: Option<&Site>, site_id: &str) -> Result<(), Refusal> {
        match site {
            Some(site) if self.runs(site) => Ok(()),
            _ => Err(Refusal::not_found("site", site_id)),
        }
    }
}
