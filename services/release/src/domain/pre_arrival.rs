//! A haulier's pre-arrival, as far as release must know it: whose truck comes for which stay, so that
//! the haulier is told of the decision and may read it. It decides nothing here.

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

    /// Whether a truck is, or was, to come for this stay.
    pub fn concerns(&self, container_visit_id: &str) -> bool {
        !self.withdrawn && self.visits().any(|visit| visit == container_visit_id)
    }
}
