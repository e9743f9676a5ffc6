//! Parties, their identifiers, and mandates.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fabric::{StoreError, SubjectSet, Working};
use kernel::ContainerNumber;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{count, number, unreadable};
use crate::app::state::{State, subject};
use crate::domain::party::{Action, Identifier, Mandate, Party};

/// Reads parties, what identifiers name, and the mandates among the parties.
pub async fn load(
    db: &mut PgConnection,
    subjects: &SubjectSet,
    state: &mut State,
) -> Result<(), sqlx::Error> {
    let parties = subjects.keys(subject::PARTY);
    if !parties.is_empty() {
        state.parties = read_parties(&mut *db, parties.clone()).await?;
    }
    let identifiers = subjects.keys(subject::IDENTIFIER);
    if !identifiers.is_empty() {
        let found = owners(&mut *db, &identifiers).await?;
        state.identifiers = Working::loaded(identifiers, found);
    }
    let ids: Vec<Uuid> = subjects
        .keys(subject::MANDATE)
        .iter()
        .filter_map(|id| Uuid::parse_str(id).ok())
        .collect();
    if !parties.is_empty() || !ids.is_empty() {
        state.mandates = mandates(db, &parties, ids).await?;
    }
    Ok(())
}

/// The parties that identifiers name, by identifier.
///
/// # Errors
/// The database refuses.
pub async fn owners(
    db: &mut PgConnection,
    keys: &[String],
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let (schemes, values): (Vec<String>, Vec<String>) = keys
        .iter()
        .filter_map(|key| key.split_once(':'))
        .map(|(scheme, value)| (scheme.to_owned(), value.to_owned()))
        .unzip();
    let rows = sqlx::query!(
        "select scheme, value, party_id from party_identifier
         where (scheme, value) in (select * from unnest($1::text[], $2::text[]))",
        &schemes,
        &values
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (format!("{}:{}", row.scheme, row.value), row.party_id))
        .collect())
}

async fn read_parties(
    db: &mut PgConnection,
    ids: Vec<String>,
) -> Result<Working<String, Party>, sqlx::Error> {
    let rows = sqlx::query!(
        "select party_id, version, name, roles, suspended from party where party_id = any($1)",
        &ids
    )
    .fetch_all(&mut *db)
    .await?;
    let mut identifiers: BTreeMap<String, Vec<Identifier>> = BTreeMap::new();
    let named = sqlx::query!("select party_id, scheme, value from party_identifier where party_id = any($1) order by scheme, value", &ids)
        .fetch_all(db)
        .await?;
    for row in named {
        identifiers
            .entry(row.party_id)
            .or_default()
            .push(Identifier {
                scheme: row.scheme,
                value: row.value,
            });
    }
    let parties: Vec<(String, Party)> = rows
        .into_iter()
        .map(|row| {
            let party = Party {
                identifiers: identifiers.remove(&row.party_id).unwrap_or_default(),
                party_id: row.party_id.clone(),
                version: count(row.version),
                name: row.name,
                roles: row.roles,
                suspended: row.suspended,
            };
            (row.party_id, party)
        })
        .collect();
    Ok(Working::loaded(ids, parties))
}

/// A row of the mandate table.
pub struct MandateRow {
    pub(super) mandate_id: Uuid,
    pub(super) version: i64,
    pub(super) grantor: String,
    pub(super) agent: String,
    pub(super) actions: Vec<String>,
    pub(super) goods: Vec<String>,
    pub(super) containers: Vec<String>,
    pub(super) may_be_passed_on: i16,
    pub(super) passed_on_by: Option<String>,
    pub(super) chain: Vec<Uuid>,
    pub(super) valid_from: DateTime<Utc>,
    pub(super) valid_until: Option<DateTime<Utc>>,
    pub(super) revoked_at: Option<DateTime<Utc>>,
    pub(super) revoke_reason: String,
}

impl MandateRow {
    /// The mandate that the row says.
    ///
    /// # Errors
    /// An action, container or count that no program wrote.
    pub fn mandate(self) -> Result<Mandate, sqlx::Error> {
        let actions: Option<Vec<Action>> = self
            .actions
            .iter()
            .map(|name| Action::parse(name))
            .collect();
        let numbers = self.containers.iter();
        let containers: Result<Vec<ContainerNumber>, _> = numbers
            .map(|written| ContainerNumber::parse(written))
            .collect();
        Ok(Mandate {
            mandate_id: self.mandate_id,
            version: count(self.version),
            grantor: self.grantor,
            agent: self.agent,
            actions: actions
                .ok_or_else(|| unreadable("mandate.actions", self.actions.join(", ")))?,
            goods: self.goods,
            containers: containers
                .map_err(|_| unreadable("mandate.containers", self.containers.join(", ")))?,
            may_be_passed_on: u8::try_from(self.may_be_passed_on).map_err(|_| {
                unreadable(
                    "mandate.may_be_passed_on",
                    self.may_be_passed_on.to_string(),
                )
            })?,
            passed_on_by: self.passed_on_by,
            chain: self.chain,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            revoked_at: self.revoked_at,
            revoke_reason: self.revoke_reason,
        })
    }
}

async fn mandates(
    db: &mut PgConnection,
    parties: &[String],
    ids: Vec<Uuid>,
) -> Result<Working<Uuid, Mandate>, sqlx::Error> {
    let rows = sqlx::query_as!(
        MandateRow,
        "select mandate_id, version, grantor, agent, actions, goods, containers, may_be_passed_on, passed_on_by, chain,
                valid_from, valid_until, revoked_at, revoke_reason
         from mandate
         where ((grantor = any($1) and agent = any($1)) or chain && $2)
               and revoked_at is null and (valid_until is null or valid_until > clock_timestamp())
            or mandate_id = any($2)",
        parties,
        &ids
    )
    .fetch_all(db)
    .await?;
    let found: Result<Vec<_>, sqlx::Error> = rows
        .into_iter()
        .map(|row| row.mandate().map(|mandate| (mandate.mandate_id, mandate)))
        .collect();
    Ok(Working::loaded(ids, found?))
}

/// Writes parties, identifiers and mandates.
pub async fn store(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    store_parties(db, state).await?;
    store_mandates(db, state).await
}

async fn store_parties(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    // Seldom: a row each is a statement each.
    for (_, party) in state.parties.changed() {
        let done = sqlx::query!(
            "insert into party (party_id, version, name, roles, suspended) values ($1, $2, $3, $4, $5)
             on conflict (party_id) do update set version = excluded.version, name = excluded.name, roles = excluded.roles,
                 suspended = excluded.suspended
             where party.version < excluded.version",
            party.party_id,
            number(party.version)?,
            party.name,
            &party.roles,
            party.suspended
        )
        .execute(&mut *db)
        .await?;
        StoreError::check_rows("store a party", 1, done.rows_affected())?;
        let (schemes, values): (Vec<String>, Vec<String>) = party
            .identifiers
            .iter()
            .map(|identifier| (identifier.scheme.clone(), identifier.value.clone()))
            .unzip();
        sqlx::query!(
            "delete from party_identifier
             where party_id = $1 and (scheme, value) not in (select * from unnest($2::text[], $3::text[]))",
            party.party_id,
            &schemes,
            &values
        )
        .execute(&mut *db)
        .await?;
        sqlx::query!(
            "insert into party_identifier (scheme, value, party_id)
             select scheme, value, $3 from unnest($1::text[], $2::text[]) as row (scheme, value)
             on conflict (scheme, value) do nothing",
            &schemes,
            &values,
            party.party_id
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

async fn store_mandates(db: &mut PgConnection, state: &State) -> Result<(), StoreError> {
    for (_, mandate) in state.mandates.changed() {
        let actions: Vec<String> = mandate
            .actions
            .iter()
            .map(|action| action.name().to_owned())
            .collect();
        let numbers = mandate.containers.iter();
        let containers: Vec<String> = numbers.map(|number| number.as_str().to_owned()).collect();
        let done = sqlx::query!(
            "insert into mandate (mandate_id, version, grantor, agent, actions, valid_from, valid_until, revoked_at, revoke_reason,
                                  goods, containers, may_be_passed_on, passed_on_by, chain)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             on conflict (mandate_id) do update set version = excluded.version, revoked_at = excluded.revoked_at,
                 revoke_reason = excluded.revoke_reason
             where mandate.version < excluded.version",
            mandate.mandate_id,
            number(mandate.version)?,
            mandate.grantor,
            mandate.agent,
            &actions,
            mandate.valid_from,
            mandate.valid_until,
            mandate.revoked_at,
            mandate.revoke_reason,
            &mandate.goods,
            &containers,
            i16::from(mandate.may_be_passed_on),
            mandate.passed_on_by,
            &mandate.chain
        )
        .execute(&mut *db)
        .await?;
        StoreError::check_rows("store a mandate", 1, done.rows_affected())?;
    }
    Ok(())
}
