//! What is known of parties, for those who wait for it.

use fabric::{Reads, Rights};

/// Whether the register has named the party as a trader that may act.
///
/// # Errors
/// The database does not answer.
pub async fn is_trader(reads: &Reads, party: &str) -> Result<bool, sqlx::Error> {
    let mut db = reads.of(&Rights::Everything).await?;
    sqlx::query_scalar!(
        r#"select exists (select from known_party where party_id = $1 and 'trader' = any(roles) and not suspended) as "known!""#,
        party
    )
    .fetch_one(&mut *db)
    .await
}
