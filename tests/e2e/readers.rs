//! Row level security: the database by itself lets each reader through to its own rows, whatever a service's queries
//! ask for. Here nothing is asked but whole tables, after a truck has come for a container.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::runtime::Runtime;

use crate::cargo::{Cargo, GREEN, HAULIER};
use crate::world::world;

/// What everybody may read.
const OPEN_TO_ALL: [&str; 1] = ["gate.site"];

/// Whose they are is no matter of a column.
const ANY: &str = "true";

/// A table, somebody of whose there must be rows in it, and which these are where that is a matter of a column.
const TABLES: &[(&str, &str, &str)] = &[
    (
        "gate.container_visit",
        "line-a as line",
        "'line-a' = any(line_parties)",
    ),
    ("gate.pre_arrival", HAULIER, "haulier_party = 'haulier-a'"),
    ("gate.driver", HAULIER, "haulier_party = 'haulier-a'"),
    ("gate.truck_visit", HAULIER, ANY),
    ("customs.declaration", "broker-a", "filer = 'broker-a'"),
    (
        "customs.declaration",
        "trader-a",
        "trader = 'trader-a' or filer = 'trader-a'",
    ),
    ("customs.declaration_reference", "broker-a", ANY),
    ("customs.document", "broker-a", ANY),
    ("customs.declaration_history", "trader-a", ANY),
    ("customs.notification", "trader-a", ANY),
    ("customs.account", "trader-a", "payer = 'trader-a'"),
    ("customs.account_entry", "trader-a", "payer = 'trader-a'"),
    ("customs.guarantee", "trader-a", "trader = 'trader-a'"),
    ("customs.mandate", "broker-a", "agent = 'broker-a'"),
    (
        "bonded.book",
        "trader-a as trader",
        "trader_party = 'trader-a'",
    ),
    ("bonded.book_line", "trader-a as trader", ANY),
    ("bonded.lot", "trader-a as trader", ANY),
    ("bonded.movement", "trader-a as trader", ANY),
    ("bonded.balance", "trader-a as trader", ANY),
    (
        "release.container_visit",
        HAULIER,
        "'haulier-a' = any(reader_parties)",
    ),
    (
        "release.declaration",
        "broker-a",
        "filer_party = 'broker-a'",
    ),
    ("release.timeline_entry", HAULIER, ANY),
    (
        "release.fabric.outbox",
        HAULIER,
        "topic = 'release.notice' and key = 'haulier-a'",
    ),
];

fn connected(service: &str) -> (Runtime, PgConnection) {
    let runtime = Runtime::new().unwrap();
    let url = world().endpoints().unwrap()["postgres"][service]
        .as_str()
        .unwrap()
        .to_owned();
    let db = runtime.block_on(PgConnection::connect(&url)).unwrap();
    (runtime, db)
}

/// From now on the connection reads for a party: "trader-a", or "trader-a as trader".
async fn read_as(db: &mut PgConnection, who: &str) {
    let (party, role) = who.split_once(" as ").unwrap_or((who, ""));
    sqlx::query("select fabric.read_as($1, array_remove(array[$2], ''), '{}')")
        .bind(party)
        .bind(role)
        .execute(db)
        .await
        .unwrap();
}

async fn read_all(db: &mut PgConnection) {
    db.execute("select fabric.read_all()").await.unwrap();
}

async fn rows(db: &mut PgConnection, table: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(db)
        .await
        .unwrap()
}

/// What readers may read of a service: each table, and whether a policy says which rows.
async fn open_tables(db: &mut PgConnection) -> BTreeMap<String, bool> {
    sqlx::query_as::<_, (String, bool)>(
        "select c.oid::regclass::text,
                c.relrowsecurity and exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'readers')
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^(pg_|information_schema)'
           and has_any_column_privilege(fabric.role_of('reader'), c.oid, 'select, insert, update, references')",
    )
    .fetch_all(db)
    .await
    .unwrap()
    .into_iter()
    .collect()
}

#[test]
fn the_database_alone_shows_each_reader_its_own_rows_and_strangers_none() {
    let (cargo, ..) = Cargo::expected(GREEN);
    cargo.check_in().done();
    for service in ["gate", "customs", "bonded", "release"] {
        let (runtime, mut db) = connected(service);
        runtime.block_on(async {
            let open = open_tables(&mut db).await;
            assert!(!open.is_empty(), "{service}");
            for (table, guarded) in &open {
                assert!(guarded, "{service}.{table} is open and no policy guards it");
            }
            read_as(&mut db, "nobody-we-know as trader").await;
            for table in open.keys() {
                let found = rows(&mut db, table).await;
                let name = format!("{service}.{table}");
                assert_eq!(
                    found > 0,
                    OPEN_TO_ALL.contains(&name.as_str()),
                    "{name}: {found} rows for a stranger"
                );
            }
            for (name, party, theirs) in TABLES {
                let Some((_, table)) = name.split_once('.').filter(|(of, _)| *of == service) else {
                    continue;
                };
                assert!(open.contains_key(table), "{name} is not open: {open:?}");
                // Others are at work: what is there before and what is there after have what is seen between them.
                let there = format!("{table} where {theirs}");
                read_all(&mut db).await;
                let before = rows(&mut db, &there).await;
                read_as(&mut db, party).await;
                let seen = rows(&mut db, table).await;
                read_all(&mut db).await;
                let after = rows(&mut db, &there).await;
                assert!(seen > 0, "{name} for {party}");
                let least = if *theirs == ANY { 1 } else { before };
                assert!(
                    (least..=after).contains(&seen),
                    "{name} for {party}: {seen} of {before} to {after}"
                );
            }
        });
    }
}

#[test]
fn a_reader_sees_nothing_without_a_name_and_no_table_that_is_not_opened_and_writes_none() {
    let (runtime, mut db) = connected("gate");
    runtime.block_on(async {
        read_as(&mut db, "").await;
        assert_eq!(rows(&mut db, "pre_arrival").await, 0);
        for sql in [
            "select from known_party",
            "select from fabric.answer",
            "select from fabric.outbox",
            "select from fabric.audit",
            "delete from pre_arrival",
            "alter table pre_arrival disable row level security",
        ] {
            let refused = db.execute(sql).await.unwrap_err();
            let code = refused.as_database_error().and_then(|error| error.code());
            assert_eq!(code.as_deref(), Some("42501"), "{sql}: {refused}");
        }
        read_all(&mut db).await;
        db.execute("select from known_party").await.unwrap();
    });
}
