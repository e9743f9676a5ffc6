//! A haulier's pre-arrival, as far as release must know it: whose truck comes for which stay, so that
//! the haulier is told of the decision and may read it; and of which stock list it carries a part. It
//! decides nothing here.

use super::version::Version;

/// A truck that is announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreArrival {
    /// Gate's id.
    pub pre_arrival_id: String,
    /// Of the fact that it was learnt from.
    pub version: Version,
    /// The site it comes to.
    pub site_id: String,
    /// Of a transfer: the bonded centre that it goes on to; empty if none.
    pub second_site_id: String,
    /// The stock list of which it carries a part; empty if none.
    pub list_number: String,
    /// Who filed: the haulier, or the operator of the bonded centre for it.
    pub filer_party: String,
    /// The firm whose truck it is.
    pub haulier_party: String,
    /// Its containers, each with the stay that it is bound to; none while unbound.
    pub containers: Vec<PreArrivalContainer>,
    /// Cancelled or expired: the haulier has nothing more to do with the stays.
    pub withdrawn: bool,
}

/// A container of a pre-arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreArrivalContainer {
    /// Its number.
    pub container_number: String,
    /// The stay that it is bound to.
    pub container_visit_id: Option<String>,
}

impl PreArrival {
    /// The stays that its containers are bound to.
    pub fn visits(&self) -> impl Iterator<Item = &str> {
        self.containers
            .iter()
            .filter_map(|container| container.container_visit_id.as_deref())
    }

    /// The operator of the bonded centre, where it filed for the haulier.
    pub fn operator(&self) -> &str {
        if self.filer_party == self.haulier_party {
            ""
        } else {
            &self.filer_party
        }
    }

    /// Whether a truck is, or was, to carry a part of this stock list.
    pub fn carries(&self, list_number: &str) -> bool {
        !self.withdrawn && !self.list_number.is_empty() && self.list_number == list_number
    }

    /// Whether a truck is, or was, to come for this stay.
    pub fn concerns(&self, container_visit_id: &str) -> bool {
        !self.withdrawn && self.visits().any(|visit| visit == container_visit_id)
    }
}
