//! All of release's SQL. Reads are by the keys of a whole batch, writes one statement per table
//! whatever the batch's size: rows travel as one JSON array, because rows with lists in them do not
//! fit into parallel arrays. It decides nothing but who may read which row.

pub mod links;
pub mod notices;
pub mod reading;
mod rows;
pub mod timeline;
mod write;

use fabric::{SubjectSet, Working};
use sqlx::PgConnection;

use crate::app::kind;
use crate::app::state::{Group, State, StoppedPartitions};
use crate::domain::clearance::{container_key, transport_document_key};
use crate::domain::container_visit::VISITS_PER_CONTAINER_MAX;
use crate::domain::hold::Scope;

pub use write::store;

/// What is read for a batch, or for one explanation.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Container numbers: their stays, what customs says under them, their pre-arrivals.
    pub containers: Vec<String>,
    /// Transport documents: their commercial releases, and what customs says under them.
    pub documents: Vec<String>,
    /// Hold scopes, as text: the holds that stand on them.
    pub scopes: Vec<String>,
    /// Holds by "service/id", lifted ones too.
    pub holds: Vec<String>,
    /// Sites.
    pub sites: Vec<String>,
    /// Parties.
    pub parties: Vec<String>,
    /// Pre-arrivals.
    pub pre_arrivals: Vec<String>,
    /// Declarations.
    pub declarations: Vec<String>,
    /// Stock lists: they, and their pre-arrivals.
    pub lists: Vec<String>,
    /// Whether the operators of bonded centres are wanted.
    pub operators: bool,
}

/// Reads the state of every locked subject.
///
/// # Errors
/// If the database does not answer, or a row cannot be understood.
pub async fn load(db: &mut PgConnection, subjects: &SubjectSet) -> Result<State, sqlx::Error> {
    let keys = Keys {
        containers: subjects.keys(kind::CONTAINER),
        documents: subjects.keys(kind::DOCUMENT),
        scopes: subjects.keys(kind::HOLD_SCOPE),
        holds: subjects.keys(kind::HOLD),
        sites: subjects.keys(kind::SITE),
        parties: subjects.keys(kind::PARTY),
        pre_arrivals: subjects.keys(kind::PRE_ARRIVAL),
        declarations: subjects.keys(kind::DECLARATION),
        lists: subjects.keys(kind::STOCK_LIST),
        operators: subjects.has(kind::BOOK) || subjects.has(kind::STOCK_LIST),
    };
    let mut state = load_keys(db, &keys).await?;
    let scopes = keys.scopes.iter().filter_map(|scope| Scope::parse(scope));
    state.boards = Working::loaded(scopes, rows::boards(db, &keys.scopes).await?);
    Ok(state)
}

/// Reads everything about these keys.
///
/// # Errors
/// If the database does not answer, or a row cannot be understood.
pub async fn load_keys(db: &mut PgConnection, keys: &Keys) -> Result<State, sqlx::Error> {
    let clearance_keys: Vec<String> = keys
        .containers
        .iter()
        .map(|number| container_key(number))
        .chain(
            keys.documents
                .iter()
                .map(|document| transport_document_key(document)),
        )
        .collect();
    let visits = rows::visits(db, &keys.containers).await?;
    let clearances = rows::clearances(db, &clearance_keys).await?;
    let releases = rows::releases(db, &keys.documents).await?;
    let holds = rows::holds(db, &keys.scopes, &keys.holds).await?;
    let sites = rows::sites(db, &keys.sites).await?;
    let parties = rows::parties(db, &keys.parties).await?;
    let pre_arrivals =
        rows::pre_arrivals(db, &keys.pre_arrivals, &keys.containers, &keys.lists).await?;
    let lists = rows::lists(db, &keys.lists).await?;
    let declarations = rows::declarations(db, &keys.declarations).await?;
    let operators = if keys.operators {
        rows::operators(db).await?
    } else {
        Vec::new()
    };
    let stopped = stopped_partitions(db).await?;
    Ok(State {
        sites: Working::loaded(
            keys.sites.iter().cloned(),
            sites.into_iter().map(|site| (site.site_id.clone(), site)),
        ),
        parties: Working::loaded(
            keys.parties.iter().cloned(),
            parties
                .into_iter()
                .map(|party| (party.party_id.clone(), party)),
        ),
        containers: grouped(keys.containers.iter().cloned(), visits, |visit| {
            (
                visit.stay.container_number.clone(),
                visit.stay.container_visit_id.clone(),
            )
        }),
        clearances: Working::loaded(
            clearance_keys,
            clearances
                .into_iter()
                .map(|clearance| (clearance.key.clone(), clearance)),
        ),
        releases: grouped(keys.documents.iter().cloned(), releases, |release| {
            (release.scope.transport_document.clone(), release.id)
        }),
        holds: grouped(
            keys.scopes.iter().filter_map(|scope| Scope::parse(scope)),
            holds,
            |hold| (hold.scope.clone(), hold.id.clone()),
        ),
        pre_arrivals: Working::loaded(
            keys.pre_arrivals.iter().cloned(),
            pre_arrivals
                .into_iter()
                .map(|pre_arrival| (pre_arrival.pre_arrival_id.clone(), pre_arrival)),
        ),
        declarations: Working::loaded(
            keys.declarations.iter().cloned(),
            declarations
                .into_iter()
                .map(|declaration| (declaration.declaration_id.clone(), declaration)),
        ),
        lists: Working::loaded(
            keys.lists.iter().cloned(),
            lists
                .into_iter()
                .map(|list| (list.list_number.clone(), list)),
        ),
        // Nothing is told to explain a decision: boards are read for batches only.
        boards: Working::default(),
        stopped,
        operators,
        timeline: Vec::new(),
    })
}

/// The consumed partitions that have stopped.
async fn stopped_partitions(db: &mut PgConnection) -> Result<StoppedPartitions, sqlx::Error> {
    let rows = sqlx::query!(
        "select topic, partition from fabric.position where stopped_because is not null"
    )
    .fetch_all(db)
    .await?;
    Ok(StoppedPartitions::of(
        rows.into_iter()
            .map(|row| (row.topic, row.partition.unsigned_abs())),
    ))
}

/// Rows by what they belong to.
fn grouped<G: Ord + Clone + std::fmt::Debug, K: Ord + Clone, V: PartialEq>(
    keys: impl IntoIterator<Item = G>,
    rows: Vec<V>,
    place: impl Fn(&V) -> (G, K),
) -> Working<G, Group<K, V>> {
    let mut groups: std::collections::BTreeMap<G, Vec<(K, V)>> = std::collections::BTreeMap::new();
    for row in rows {
        let (group, key) = place(&row);
        groups.entry(group).or_default().push((key, row));
    }
    Working::loaded(
        keys,
        groups
            .into_iter()
            .map(|(group, rows)| (group, Group::of(rows))),
    )
}

/// The stays of a container that are read together.
fn visits_per_container_max() -> i64 {
    i64::try_from(VISITS_PER_CONTAINER_MAX).unwrap_or(i64::MAX)
}

/// Numbers that the database keeps signed.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Numbers that the database keeps signed.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A row that this version cannot understand.
fn undecodable(what: String) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}
