//! Keeps the outbox's days in order: the coming ones are made ahead, those beyond
//! retention are dropped, and so are answers beyond theirs. It needs the database alone, so that a broker that is
//! away for days, or an instance that does not relay, changes nothing. What may be
//! dropped the database decides.

use std::time::Duration;

use sqlx::Connection as _;
use tokio::sync::watch;

use crate::config::FabricConfig;
use crate::store;

/// How often the days are looked after.
const KEEP_EVERY: Duration = Duration::from_secs(3_600);
/// How soon it is tried again after a failure.
const RETRY_WAIT: Duration = Duration::from_secs(60);

/// Keeps them until told to stop; the fabric has done so once at its start.
pub(crate) async fn keep(url: String, config: FabricConfig, mut stop: watch::Receiver<bool>) {
    let mut wait = KEEP_EVERY;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = crate::fabric::told_to_stop(&mut stop) => return,
        }
        wait = match keep_once(&url, &config).await {
            Ok(()) => KEEP_EVERY,
            Err(error) => {
                tracing::warn!(%error, "the outbox's days could not be kept; trying again");
                RETRY_WAIT
            }
        };
    }
}

async fn keep_once(url: &str, config: &FabricConfig) -> Result<(), sqlx::Error> {
    let mut db = store::connect(url).await?;
    let dropped = store::maintain_outbox(&mut db, config.outbox_retention_days).await?;
    if dropped > 0 {
        tracing::info!(dropped, "dropped days of the outbox beyond their retention");
    }
    while store::drop_answers(&mut db, config.answer_retention_days).await?
        >= store::ANSWERS_DROPPED_MAX.unsigned_abs()
    {}
    db.close().await
}
