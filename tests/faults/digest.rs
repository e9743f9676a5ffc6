//! How everything stands, read from the four databases, without ids and times: what must be the same whoever
//! was stopped meanwhile. It must not know what happened.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use prost::Message as _;
use proto::release::events::v1::NoticeEvent;
use rust_decimal::Decimal;
use sqlx::postgres::{PgPool, PgPoolOptions};

use crate::journey::Journey;
use crate::site::Site;
use crate::waiting::{if_so, seen};

const SERVICES: [&str; 4] = ["gate", "customs", "bonded", "release"];
/// Queries come one after the other.
const CONNECTIONS_MAX: u32 = 1;

/// What is read, by database: each statement gives lines of text. `$1` is the journeys' containers and
/// transport documents; the names are put out of the lines afterwards.
const STATEMENTS: &[(&str, &str)] = &[
    (
        "gate",
        "select format('container visit %s: %s, available %s, version %s', container_visit_id, phase, body->>'available', version)
         from container_visit where container_number = any($1)",
    ),
    (
        "gate",
        "select format('pre-arrival of %s: %s', array_to_string(containers, ' '), state)
         from pre_arrival where containers && $1",
    ),
    (
        "gate",
        "select format('truck visit for %s: %s', array_to_string(containers, ' '), state)
         from truck_visit where containers && $1",
    ),
    (
        "gate",
        "select format('hold of %s on %s: %s, lifted %s', keeper, scope_key, kind, lifted_at is not null)
         from hold where split_part(scope_key, '/', 2) = any($1)",
    ),
    (
        "gate",
        "select format('knows the decision on %s: %s to %s', container_visit_id, state, haulier_party)
         from known_decision where container_number = any($1)",
    ),
    (
        "customs",
        "select format('declaration %s: %s, debt %s, outstanding %s, open %s', lrn, status, debt, outstanding, open)
         from declaration join declaration_reference on declaration_id = id and kind = 'container'
         where value = any($1)",
    ),
    (
        "customs",
        "select format('declaration on %s: %s', value, fact)
         from declaration_history join declaration_reference using (declaration_id)
         where kind = 'container' and value = any($1)",
    ),
    (
        "customs",
        "select format('notification about %s: %s, filing version %s', value, code, filing_version)
         from notification join declaration_reference using (declaration_id)
         where kind = 'container' and value = any($1)",
    ),
    (
        "customs",
        "select format('account of %s: %s %s for %s', payer, account_entry.kind, amount, value)
         from account_entry join declaration_reference using (declaration_id)
         where declaration_reference.kind = 'container' and value = any($1)",
    ),
    (
        "customs",
        "select format('visit %s: %s', visit_id, phase) from visit where container = any($1)",
    ),
    (
        "customs",
        "select format('hold on %s: %s, lifted %s', scope_key, kind, lifted_at is not null)
         from hold where split_part(scope_key, '/', 2) = any($1)",
    ),
    (
        "bonded",
        "select format('book %s line %s: incoming %s, reserved %s, in %s, out %s', book_number, line_number,
                sum(provisional_increase_declared), sum(provisional_decrease_declared),
                sum(actual_increase_declared), sum(actual_decrease_declared))
         from balance where $1 is not null group by book_number, line_number",
    ),
    (
        "bonded",
        "select format('book %s: %s movements', book_number, head_ordinal) from book where $1 is not null",
    ),
    (
        "release",
        "select format('decision on %s: %s, over %s, unknown %s', container_visit_id, decision_state, over, unknown)
         from container_visit where container_number = any($1)",
    ),
    (
        "release",
        "select format('commercial release of %s by %s to %s, revoked %s', transport_document, line_party, haulier_party, revoked_at is not null)
         from commercial_release
         where transport_document in (select unnest(transport_documents) from container_visit where container_number = any($1))",
    ),
    (
        "release",
        "select format('hold of %s on %s: %s, lifted %s', service, scope, kind, lifted_at is not null)
         from hold where split_part(scope, '/', 3) = any($1)",
    ),
    (
        "release",
        "select format('pre-arrival of %s: withdrawn %s', array_to_string(container_numbers, ' '), withdrawn)
         from pre_arrival where container_numbers && $1",
    ),
    (
        "release",
        "select format('timeline of %s: %s %s', container_numbers[1], service, fact)
         from timeline_entry where container_numbers && $1",
    ),
    (
        "release",
        "select format('timeline of %s: %s %s', transport_document, service, fact)
         from timeline_entry where transport_document = any($1)",
    ),
];

/// What is said anew whenever its conditions change. How often that is depends on which facts came together,
/// and says nothing about the end: that it was said does.
const SAID_AGAIN: [&str; 2] = ["PRE_ARRIVAL_BLOCKED", "RELEASE_WITHHELD"];

/// A decision that another has replaced is told to nobody who is heard of later: what was in the way before a
/// party came is no news to it, and may be the business of somebody else. So whether a party was told of one
/// on the way depends on whether release heard first of the party or of what was in the way. What is decided
/// in the end is told to everybody.
const ON_THE_WAY: &str = "RELEASE_WITHHELD";

/// Lines, and how often each is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest(BTreeMap<String, usize>);

impl Digest {
    fn add(&mut self, line: String) {
        let once = SAID_AGAIN.iter().any(|fact| line.contains(fact));
        let times = self.0.entry(line).or_default();
        *times = if once { 1 } else { *times + 1 };
    }

    /// Asserts that another says the same, and shows where it does not.
    #[track_caller]
    pub fn must_equal(&self, other: &Digest, when: &str) {
        let mut differences = String::new();
        let lines: std::collections::BTreeSet<&String> =
            self.0.keys().chain(other.0.keys()).collect();
        for line in lines {
            let times = |digest: &Digest| digest.0.get(line).copied().unwrap_or_default();
            let (wanted, found) = (times(self), times(other));
            if wanted != found {
                let _ = writeln!(differences, "  {wanted} times, now {found} times: {line}");
            }
        }
        assert!(
            differences.is_empty(),
            "the final state differs after {when}\n{differences}"
        );
    }
}

/// Each payer's balance and what of it is secured.
pub type Accounts = BTreeMap<String, (Decimal, Decimal)>;

/// The four databases.
pub struct Ledgers(BTreeMap<&'static str, PgPool>);

impl Ledgers {
    /// Those of a site that runs.
    pub fn open(site: &Site) -> Ledgers {
        let endpoints = site.endpoints().expect("up has published its endpoints");
        let open = |service: &'static str| {
            let url = endpoints["postgres"][service].as_str().unwrap();
            let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX);
            (service, pool.connect_lazy(url).unwrap())
        };
        Ledgers(SERVICES.into_iter().map(open).collect())
    }

    /// Waits until everybody has read all that the others published, and nothing new came of it.
    pub async fn settled(&self) {
        seen("everything is read by everybody", async || {
            let before = self.heads().await;
            let behind = self.behind(&before).await;
            let quiet = self.heads().await == before;
            Ok(match behind {
                Some(behind) => Err(behind),
                None => if_so(quiet, (), "more is being published"),
            })
        })
        .await;
    }

    /// Every payer's account.
    pub async fn accounts(&self) -> Accounts {
        let rows: Vec<(String, Decimal, Decimal)> =
            sqlx::query_as("select payer, balance, secured from account")
                .fetch_all(&self.0["customs"])
                .await
                .unwrap();
        rows.into_iter()
            .map(|(payer, balance, secured)| (payer, (balance, secured)))
            .collect()
    }

    /// How these journeys stand, and what they changed in the accounts since `before`.
    pub async fn digest(&self, journeys: &[&Journey<'_>], before: &Accounts) -> Digest {
        let mut digest = Digest::default();
        let names: Vec<String> = journeys
            .iter()
            .flat_map(|journey| [&journey.container, &journey.transport_document])
            .cloned()
            .collect();
        for (service, statement) in STATEMENTS {
            let lines: Vec<String> = sqlx::query_scalar(*statement)
                .bind(&names)
                .fetch_all(&self.0[service])
                .await
                .unwrap_or_else(|error| panic!("{error}: {statement}"));
            for line in lines {
                digest.add(format!("{service}: {}", without_names(&line, journeys)));
            }
        }
        for (payer, (balance, secured)) in self.accounts().await {
            let (balance_before, secured_before) = before.get(&payer).copied().unwrap_or_default();
            digest.add(format!(
                "customs: account of {payer} changed by {}, secured by {}",
                (balance - balance_before).normalize(),
                (secured - secured_before).normalize()
            ));
        }
        for (party, fact, subject) in self.notices(&names).await {
            if fact == ON_THE_WAY {
                continue;
            }
            let subject = without_names(&subject, journeys);
            digest.add(format!("notice to {party}: {fact} {subject}"));
        }
        digest
    }

    /// What parties were told about these containers or documents: the party, the fact, what it is about.
    async fn notices(&self, names: &[String]) -> Vec<(String, String, String)> {
        let payloads: Vec<Vec<u8>> = sqlx::query_scalar(
            "select payload from fabric.outbox where topic like '%release.notice%' order by partition, seq",
        )
        .fetch_all(&self.0["release"])
        .await
        .unwrap();
        let mut told: BTreeMap<(String, String), (String, String, String)> = BTreeMap::new();
        for payload in payloads {
            let notice = NoticeEvent::decode(payload.as_slice()).unwrap();
            let about = [notice.container_number, notice.title]
                .into_iter()
                .find(|name| names.contains(name));
            if let Some(about) = about {
                let fact = (notice.party_id.clone(), notice.source_event_id);
                let twice = told.insert(fact, (notice.party_id, notice.fact, about));
                assert_eq!(twice, None, "a party was told twice of one fact");
            }
        }
        told.into_values().collect()
    }

    async fn heads(&self) -> BTreeMap<(String, i32), (i64, i64)> {
        let mut heads = BTreeMap::new();
        for pool in self.0.values() {
            heads.extend(
                standing(pool, "select topic, partition, epoch, seq from fabric.head").await,
            );
        }
        heads
    }

    /// The first partition that somebody has not read to its end, has stopped reading, or put records of aside.
    async fn behind(&self, heads: &BTreeMap<(String, i32), (i64, i64)>) -> Option<String> {
        for (service, pool) in &self.0 {
            let parked: Vec<String> =
                sqlx::query_scalar("select event_id || ': ' || cause from fabric.parked")
                    .fetch_all(pool)
                    .await
                    .unwrap();
            if !parked.is_empty() {
                return Some(format!("{service} has parked {parked:?}"));
            }
            let positions = standing(
                pool,
                "select topic, partition, epoch, seq from fabric.position",
            )
            .await;
            for (partition, applied) in positions {
                let head = heads.get(&partition);
                if head.is_some_and(|head| *head != applied) {
                    return Some(format!(
                        "{service} has read {partition:?} up to {applied:?} of {head:?}"
                    ));
                }
            }
        }
        None
    }
}

async fn standing(pool: &PgPool, statement: &'static str) -> BTreeMap<(String, i32), (i64, i64)> {
    let rows: Vec<(String, i32, i64, i64)> =
        sqlx::query_as(statement).fetch_all(pool).await.unwrap();
    rows.into_iter()
        .map(|(topic, partition, epoch, seq)| ((topic, partition), (epoch, seq)))
        .collect()
}

/// What differs from run to run, put out of a line: the names of containers, documents and filings.
fn without_names(line: &str, journeys: &[&Journey<'_>]) -> String {
    journeys.iter().fold(line.to_owned(), |line, journey| {
        let names = [
            &journey.container,
            &journey.transport_document,
            &journey.lrn,
        ];
        let cargo = format!("the cargo of {}", journey.script.name);
        names
            .into_iter()
            .fold(line, |line, name| line.replace(name, &cargo))
    })
}
