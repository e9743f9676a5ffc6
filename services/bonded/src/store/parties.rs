//! What is known of parties, for those who wait for it.

use sqlx::PgPool;

/// Whether the register has named the party as a trader that may act.
///
/// # Errors
/// The database does not answer.
pub async fn is_trader(pool: &PgPool, party: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from known_party where party_id = $1 and 'trader' = any(roles) and not suspended) as "known!""#,
        party
    )
    .fetch_one(pool)
    .await
}
