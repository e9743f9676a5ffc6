//! What callers read. Every query takes who asks and gives only what they may see: another firm's row is not
//! there.

use chrono::{DateTime, Utc};
use fabric::{Reads, Rights};
use kernel::Currency;
use rust_decimal::Decimal;
use sqlx::types::Json;
use uuid::Uuid;

use super::accounts::account;
use super::guarantees::guarantee;
use super::parties::MandateRow;
use super::visits::HoldRow;
use super::{count, unreadable};
use crate::domain::account::Account;
use crate::domain::declaration::Declaration;
use crate::domain::guarantee::Guarantee;
use crate::domain::hold::Hold;
use crate::domain::notification::{Code, Detail, Notification};
use crate::domain::party::{Identifier, Mandate, Party};

/// The most entries of a declaration's history that are shown.
pub const HISTORY_MAX: i64 = 1_000;
/// The newest entries of an account that are shown.
pub const ACCOUNT_ENTRIES_MAX: i64 = 100;

/// Who asks, as far as rows care: an officer or the fabric's admin sees all, everybody else their own.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The party.
    pub party: String,
    /// Sees all.
    pub sees_all: bool,
}

impl Reader {
    /// What the database lets through to it.
    fn rights(&self) -> Rights<'_> {
        if self.sees_all {
            return Rights::Everything;
        }
        Rights::Own {
            party: &self.party,
            roles: Vec::new(),
            sites: Vec::new(),
        }
    }
}

/// How a declaration is named.
#[derive(Clone, Debug)]
pub enum Name {
    /// By its id.
    Id(Uuid),
    /// By its number.
    Mrn(String),
}

/// What a list of declarations is narrowed to; an empty filter narrows nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Movement reference number.
    pub mrn: Option<String>,
    /// The filer's own reference.
    pub lrn: Option<String>,
    /// A container, normalised.
    pub container: Option<String>,
    /// A transport document, normalised.
    pub transport_document: Option<String>,
    /// Where they stand.
    pub statuses: Vec<String>,
}

/// One declaration, if the reader may see it.
///
/// # Errors
/// The database refuses.
pub async fn declaration(
    reads: &Reads,
    reader: &Reader,
    name: &Name,
) -> Result<Option<Declaration>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    let (id, mrn) = match name {
        Name::Id(id) => (Some(*id), None),
        Name::Mrn(mrn) => (None, Some(mrn.as_str())),
    };
    let row = sqlx::query!(
        r#"select body as "body: Json<Declaration>" from declaration
           where (id = $1 or mrn = $2) and ($3 or filer = $4 or trader = $4)"#,
        id,
        mrn,
        reader.sees_all,
        reader.party
    )
    .fetch_optional(&mut *db)
    .await?;
    Ok(row.map(|row| row.body.0))
}

/// Declarations that the reader may see, newest first, those before `before` in that order.
///
/// # Errors
/// The database refuses.
pub async fn declarations(
    reads: &Reads,
    reader: &Reader,
    filter: &Filter,
    before: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Declaration>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    let rows = sqlx::query!(
        r#"select body as "body: Json<Declaration>" from declaration d
           where ($1 or filer = $2 or trader = $2)
             and ($3::uuid is null or id < $3)
             and ($4::text is null or mrn = $4)
             and ($5::text is null or lrn = $5)
             and ($6::text is null or exists (select from declaration_reference r
                  where r.declaration_id = d.id and r.kind = 'container' and r.value = $6))
             and ($7::text is null or exists (select from declaration_reference r
                  where r.declaration_id = d.id and r.kind = 'transport-document' and r.value = $7))
             and (cardinality($8::text[]) = 0 or status = any($8))
           order by id desc limit $9"#,
        reader.sees_all,
        reader.party,
        before,
        filter.mrn,
        filter.lrn,
        filter.container,
        filter.transport_document,
        &filter.statuses,
        rows_max
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(rows.into_iter().map(|row| row.body.0).collect())
}

/// One entry of a history, as it is shown.
pub struct HistoryRow {
    /// What happened.
    pub fact: String,
    /// When it happened.
    pub observed_at: DateTime<Utc>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// The party that caused it.
    pub by_party: String,
    /// The person.
    pub by_subject: String,
    /// For a person.
    pub detail: String,
}

/// The history of a declaration that the reader was shown already.
///
/// # Errors
/// The database refuses.
pub async fn history(
    reads: &Reads,
    reader: &Reader,
    id: Uuid,
) -> Result<Vec<HistoryRow>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    sqlx::query_as!(
        HistoryRow,
        "select fact, observed_at, recorded_at, by_party, by_subject, detail from declaration_history
         where declaration_id = $1 order by version limit $2",
        id,
        HISTORY_MAX
    )
    .fetch_all(&mut *db)
    .await
}

/// The standing holds on declarations that the reader was shown, and the visits of their goods.
///
/// # Errors
/// The database refuses.
pub async fn holds_of(
    reads: &Reads,
    declarations: &[Declaration],
) -> Result<Vec<Hold>, sqlx::Error> {
    let mut db = reads.of(&Rights::Everything).await?;
    let scopes = declarations.iter().flat_map(Declaration::hold_scopes);
    let (kinds, keys): (Vec<String>, Vec<String>) = scopes
        .map(|scope| (scope.kind.name().to_owned(), scope.key))
        .unzip();
    let rows = sqlx::query_as!(
        HoldRow,
        "select hold_id, scope_kind, scope_key, kind, placed_by_party, placed_by_subject, reason, placed_at,
                lifted_at, lifted_by_subject, lift_reason
         from hold where lifted_at is null and (scope_kind, scope_key) in (select * from unnest($1::text[], $2::text[]))",
        &kinds,
        &keys
    )
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter().map(HoldRow::hold).collect()
}

/// A document as it was filed: its content type and bytes.
///
/// # Errors
/// The database refuses.
pub async fn document(
    reads: &Reads,
    reader: &Reader,
    id: Uuid,
) -> Result<Option<(String, Vec<u8>)>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    let row = sqlx::query!(
        "select content_type, bytes from document join declaration on declaration.id = document.declaration_id
         where declaration.id = $1 and ($2 or filer = $3 or trader = $3)",
        id,
        reader.sees_all,
        reader.party
    )
    .fetch_optional(&mut *db)
    .await?;
    Ok(row.map(|row| (row.content_type, row.bytes)))
}

/// Notifications after a cursor, oldest first, each with its number. Of one declaration to whoever may see
/// it; otherwise the reader's own inbox.
///
/// # Errors
/// The database refuses.
pub async fn notifications(
    reads: &Reads,
    reader: &Reader,
    declaration_id: Option<Uuid>,
    after: i64,
    rows_max: i64,
) -> Result<Vec<(u64, Notification)>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    let rows = sqlx::query!(
        r#"select n.sequence, n.declaration_id, n.mrn, n.lrn, n.code, n.filing_version, n.issued_at, n.detail as "detail: Json<Detail>"
           from notification n
           where n.sequence > $3
             and case when $4::uuid is null then n.filer = $2
                 else n.declaration_id = $4 and ($1 or exists (select from declaration d
                      where d.id = n.declaration_id and (d.filer = $2 or d.trader = $2))) end
           order by n.sequence limit $5"#,
        reader.sees_all,
        reader.party,
        after,
        declaration_id,
        rows_max
    )
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let notification = Notification {
                code: Code::of_number(row.code)
                    .ok_or_else(|| unreadable("notification.code", row.code))?,
                declaration_id: row.declaration_id,
                mrn: row.mrn,
                lrn: row.lrn,
                filing_version: u32::try_from(row.filing_version).unwrap_or_default(),
                issued_at: row.issued_at,
                detail: row.detail.0,
            };
            Ok((count(row.sequence), notification))
        })
        .collect()
}

/// An entry of an account, as it is shown.
pub struct EntryRow {
    /// Its number.
    pub number: i64,
    /// What it does.
    pub kind: String,
    /// How much.
    pub amount: Decimal,
    /// The declaration.
    pub declaration_id: Option<Uuid>,
    /// The payment's reference.
    pub reference: String,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// A payer's account with its newest entries, if the reader is the payer or sees all.
///
/// # Errors
/// The database refuses.
pub async fn account_of(
    reads: &Reads,
    reader: &Reader,
    payer: &str,
    currency: &Currency,
) -> Result<Option<(Account, Vec<EntryRow>)>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    if !reader.sees_all && reader.party != payer {
        return Ok(None);
    }
    let row = sqlx::query!(
        "select payer, version, balance, secured from account where payer = $1",
        payer
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let entries = sqlx::query_as!(
        EntryRow,
        "select number, kind, amount, declaration_id, reference, recorded_at from account_entry
         where payer = $1 order by number desc limit $2",
        payer,
        ACCOUNT_ENTRIES_MAX
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(Some((
        account(row.payer, row.version, currency, row.balance, row.secured)?,
        entries,
    )))
}

/// A trader's guarantee, if the reader is the trader or sees all.
///
/// # Errors
/// The database refuses.
pub async fn guarantee_of(
    reads: &Reads,
    reader: &Reader,
    trader: &str,
    currency: &Currency,
) -> Result<Option<Guarantee>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    if !reader.sees_all && reader.party != trader {
        return Ok(None);
    }
    let row = sqlx::query!(
        "select trader, version, amount, in_use from guarantee where trader = $1",
        trader
    )
    .fetch_optional(&mut *db)
    .await?;
    row.map(|row| guarantee(row.trader, row.version, currency, row.amount, row.in_use))
        .transpose()
}

/// A party by its id or one of its identifiers. Parties are known to each other; their identifiers are not.
///
/// # Errors
/// The database refuses.
pub async fn party(
    reads: &Reads,
    party_id: Option<&str>,
    identifiers: &[Identifier],
) -> Result<Option<Party>, sqlx::Error> {
    let mut db = reads.of(&Rights::Everything).await?;
    let (schemes, values): (Vec<String>, Vec<String>) = identifiers
        .iter()
        .map(|identifier| (identifier.scheme.clone(), identifier.value.clone()))
        .unzip();
    let row = sqlx::query!(
        "select party_id, version, name, roles, suspended from party
         where party_id = $1 or party_id = any(array(select party_id from party_identifier
               where (scheme, value) in (select * from unnest($2::text[], $3::text[]))))
         limit 1",
        party_id,
        &schemes,
        &values
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let named = sqlx::query!(
        "select scheme, value from party_identifier where party_id = $1 order by scheme, value",
        row.party_id
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(Some(Party {
        party_id: row.party_id,
        version: count(row.version),
        name: row.name,
        roles: row.roles,
        identifiers: named
            .into_iter()
            .map(|row| Identifier {
                scheme: row.scheme,
                value: row.value,
            })
            .collect(),
        suspended: row.suspended,
    }))
}

/// The parties that identifiers name: what a filing is read with.
///
/// # Errors
/// The database refuses.
pub async fn owners(reads: &Reads, keys: &[String]) -> Result<Vec<(String, String)>, sqlx::Error> {
    let mut db = reads.of(&Rights::Everything).await?;
    super::parties::owners(&mut db, keys).await
}

/// Mandates that a party gave, passed on or holds, newest first.
///
/// # Errors
/// The database refuses.
pub async fn mandates(
    reads: &Reads,
    reader: &Reader,
    party: &str,
    ended_before: Option<DateTime<Utc>>,
    before: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Mandate>, sqlx::Error> {
    let mut db = reads.of(&reader.rights()).await?;
    let rows = sqlx::query_as!(
        MandateRow,
        "select mandate_id, version, grantor, agent, actions, goods, containers, may_be_passed_on, passed_on_by, chain,
                valid_from, valid_until, revoked_at, revoke_reason
         from mandate
         where (grantor = $1 or agent = $1 or passed_on_by = $1) and ($2::uuid is null or mandate_id < $2)
           and ($3::timestamptz is null or (revoked_at is null and (valid_until is null or valid_until > $3)))
         order by mandate_id desc limit $4",
        party,
        before,
        ended_before,
        rows_max
    )
    .fetch_all(&mut *db)
    .await?;
    rows.into_iter().map(MandateRow::mandate).collect()
}

/// Whether gate has told of any site: without one, customs would take every filer's word.
///
/// # Errors
/// The database refuses.
pub async fn knows_a_site(reads: &Reads) -> Result<bool, sqlx::Error> {
    let mut db = reads.of(&Rights::Everything).await?;
    sqlx::query_scalar!(r#"select exists (select from site) as "known!""#)
        .fetch_one(&mut *db)
        .await
}
