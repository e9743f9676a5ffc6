//! A site of one's own, with what stands in its books from the start. It must not know what is played on it.

use super::parties::Parties;
use super::settling::Databases;
use super::{journey, settling};
use crate::site::Site;

/// Starts a site, and waits until its books are there and everybody has heard of everything.
///
/// # Panics
/// If the site does not start.
pub async fn open() -> (&'static Site, &'static Parties, Databases) {
    open_with(Vec::new()).await
}

/// As [`open`], with these variables in the environment of the services.
///
/// # Panics
/// If the site does not start.
pub async fn open_with(
    environment: Vec<(String, String)>,
) -> (&'static Site, &'static Parties, Databases) {
    let site: &'static Site = Box::leak(Box::new(Site::start_with(environment)));
    let parties: &'static Parties = Box::leak(Box::new(Parties::of(site)));
    let databases = settling::open(site);
    journey::stock_is_seeded(parties).await;
    settling::settled(&databases).await;
    (site, parties, databases)
}
