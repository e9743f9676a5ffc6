//! All of bonded's SQL: what a batch reads and writes, and what callers ask for, each
//! question filtered by who asks. It must not decide anything else.

pub mod batch;
pub mod books;
pub mod movements;
pub mod parties;
mod rows;
pub mod stock;

use std::time::Duration;

use chassis::DatabaseConfig;
use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// How long a question waits for a connection before the caller is told.
const CONNECTION_WAIT: Duration = Duration::from_secs(5);

/// The connections that answer questions; they write nothing. None is made before the
/// first question.
///
/// # Errors
/// If the address is none.
pub fn connect(config: &DatabaseConfig) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = config.url.expose_secret().parse()?;
    let options = options.application_name("bonded-reads").options([
        ("default_transaction_read_only", "on".to_owned()),
        ("statement_timeout", config.statement_timeout_ms.to_string()),
        ("lock_timeout", config.lock_timeout_ms.to_string()),
        (
            "idle_in_transaction_session_timeout",
            config.idle_in_transaction_timeout_ms.to_string(),
        ),
    ]);
    Ok(PgPoolOptions::new()
        .max_connections(config.read_connections_max)
        .acquire_timeout(CONNECTION_WAIT)
        .connect_lazy_with(options))
}
