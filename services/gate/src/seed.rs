//! The model sites, put into an empty database through the loop, so that the other services learn of them
//! as they would of any. Restarts repeat the first answers.

use std::time::Duration;

use fabric::{Command, Handle, Origin, fingerprint};
use serde::Deserialize;
use uuid::{Uuid, uuid};

use crate::app::Input;
use crate::domain::Site;

const DEVELOPMENT: &str = include_str!("../../../deploy/seed/sites.toml");
const NAMESPACE: Uuid = uuid!("4c0f7f0e-6f0e-4b52-9d0b-0e6a2b1f0c11");
/// How long to wait before a site that could not be put in is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// The file of the sites is faulty.
#[derive(Debug, thiserror::Error)]
#[error("deploy/seed/sites.toml: {0}")]
pub struct SeedError(#[from] toml::de::Error);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    site: Vec<Site>,
}

/// The model sites.
///
/// # Errors
/// The file is faulty.
pub fn sites() -> Result<Vec<Site>, SeedError> {
    let file: File = toml::from_str(DEVELOPMENT)?;
    Ok(file.site)
}

/// Puts the sites in; what is too busy or away is asked again.
pub async fn plant(sites: Vec<Site>, handle: Handle<Input>) {
    for site in sites {
        let content = serde_json::to_vec(&site).unwrap_or_default();
        loop {
            // The content names the request, so that a site that changed in the file is declared anew.
            let command = Command {
                party: "seed".to_owned(),
                origin: Origin::default(),
                request_id: Some(kernel::derived_id(NAMESPACE, &content)),
                fingerprint: fingerprint("DeclareSite", &content),
                traceparent: None,
                input: Input::DeclareSite(site.clone()),
            };
            match handle.submit(&site.site_id, command).await.outcome {
                Ok(_) => break,
                Err(refusal) => tracing::warn!(
                    site = site.site_id,
                    reason = refusal.reason,
                    "a seeded site waits"
                ),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}
