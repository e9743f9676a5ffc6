//! Who may do what in which database.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use stack::{ServiceDatabase, StackError, for_tests, provision};

use crate::support::{connect, execute, text};

const INSUFFICIENT_PRIVILEGE: &str = "42501";

async fn migrate(owner_url: &str) -> anyhow::Result<()> {
    let mut owner = PgConnection::connect(owner_url).await?;
    execute(
        &mut owner,
        "CREATE SCHEMA fabric;
         CREATE TABLE visit (id bigserial PRIMARY KEY, plate text NOT NULL);
         CREATE TABLE fabric.outbox (seq bigint GENERATED ALWAYS AS IDENTITY, value text NOT NULL);
         INSERT INTO visit (plate) VALUES ('渝A12345')",
    )
    .await
    .map_err(anyhow::Error::msg)?;
    Ok(())
}

async fn gate() -> ServiceDatabase {
    for_tests().await.database("gate", migrate).await
}

/// The database of `url`, as its role sees the one of `other`.
async fn knock(url: &str, other: &str) -> Result<(), String> {
    let (server, _) = url.rsplit_once('/').unwrap();
    match PgConnection::connect(&format!("{server}/{other}")).await {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) => Err(error.code().unwrap_or_default().into_owned()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_service_reaches_its_own_database_and_no_other() {
    let gate = gate().await;
    let customs = for_tests()
        .await
        .database("customs", async |_: &str| Ok(()))
        .await;
    for url in [&gate.service_url, &gate.owner_url] {
        assert_eq!(knock(url, &gate.name).await, Ok(()));
        for other in [customs.name.as_str(), "postgres", "template1"] {
            assert_eq!(
                knock(url, other).await,
                Err(INSUFFICIENT_PRIVILEGE.to_owned()),
                "{other}"
            );
        }
    }
}

#[tokio::test]
async fn a_service_reads_and_writes_what_its_owner_made_in_any_schema() {
    let gate = gate().await;
    let mut service = connect(&gate.service_url).await;
    for sql in [
        "INSERT INTO visit (plate) VALUES ('B')",
        "UPDATE visit SET plate = 'C' WHERE plate = 'B'",
        "DELETE FROM visit WHERE plate = 'C'",
        "INSERT INTO fabric.outbox (value) VALUES ('fact')",
    ] {
        assert_eq!(execute(&mut service, sql).await, Ok(()), "{sql}");
    }
    // What the owner makes after the template was copied counts as well.
    let mut owner = connect(&gate.owner_url).await;
    execute(
        &mut owner,
        "CREATE SCHEMA later; CREATE TABLE later.thing (id int)",
    )
    .await
    .unwrap();
    assert_eq!(
        execute(&mut service, "INSERT INTO later.thing VALUES (1)").await,
        Ok(())
    );
}

#[tokio::test]
async fn a_service_owns_nothing_and_changes_no_structure() {
    let gate = gate().await;
    let mut service = connect(&gate.service_url).await;
    for sql in [
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE TABLE fabric.mine (id int)",
        "DROP TABLE visit",
        "ALTER TABLE visit DISABLE ROW LEVEL SECURITY",
        "TRUNCATE visit",
        "CREATE ROLE accomplice",
        "CREATE DATABASE mine",
        "CREATE TEMPORARY TABLE mine (id int)",
    ] {
        assert_eq!(
            execute(&mut service, sql).await,
            Err(INSUFFICIENT_PRIVILEGE.to_owned()),
            "{sql}"
        );
    }
    let rights = "SELECT concat_ws(' ', rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls) \
                  FROM pg_roles WHERE rolname = current_user";
    assert_eq!(text(&mut service, rights).await, "f f f f f");
    assert_eq!(
        text(&mut service, "SHOW plan_cache_mode").await,
        "force_custom_plan"
    );
}

#[tokio::test]
async fn commits_are_durable_in_tests_too() {
    let mut service = connect(&gate().await.service_url).await;
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        assert_eq!(
            text(&mut service, &format!("SHOW {setting}")).await,
            "on",
            "{setting}"
        );
    }
}

#[tokio::test]
async fn the_server_listens_on_this_machine_only() {
    let mut admin = connect(for_tests().await.admin_url()).await;
    assert_eq!(text(&mut admin, "SHOW listen_addresses").await, "127.0.0.1");
    assert_eq!(text(&mut admin, "SHOW unix_socket_directories").await, "");
}

#[tokio::test]
async fn every_test_gets_its_own_copy_of_what_was_migrated_once() {
    static MIGRATED: AtomicU32 = AtomicU32::new(0);
    let stack = for_tests().await;
    let count = async |url: &str| {
        MIGRATED.fetch_add(1, Ordering::Relaxed);
        migrate(url).await
    };
    let (one, two) = tokio::join!(
        stack.database("release", count),
        stack.database("release", count)
    );
    assert_eq!(MIGRATED.load(Ordering::Relaxed), 1);
    assert_ne!(one.name, two.name);
    execute(&mut connect(&one.service_url).await, "DELETE FROM visit")
        .await
        .unwrap();
    let plates = "SELECT string_agg(plate, ',') FROM visit";
    assert_eq!(
        text(&mut connect(&two.service_url).await, plates).await,
        "渝A12345"
    );
}

#[tokio::test]
async fn provisioning_again_or_twice_at_once_keeps_what_is_there() {
    let admin = for_tests().await.admin_url();
    let (one, two) = tokio::join!(
        provision(admin, "bonded", "seed"),
        provision(admin, "bonded", "seed")
    );
    let bonded = one.unwrap();
    assert_eq!(bonded, two.unwrap());
    migrate(&bonded.owner_url).await.unwrap();
    assert_eq!(provision(admin, "bonded", "seed").await.unwrap(), bonded);
    let mut service = connect(&bonded.service_url).await;
    assert_eq!(
        text(&mut service, "SELECT plate FROM visit").await,
        "渝A12345"
    );
    assert_eq!(bonded.name, "greenlane_bonded");
}

#[tokio::test]
async fn an_unfit_service_name_never_reaches_the_database() {
    let refused = provision(
        "postgres://nobody@127.0.0.1:1/postgres",
        "gate; DROP",
        "seed",
    )
    .await;
    assert!(matches!(refused, Err(StackError::ServiceName(_))));
}

#[test]
fn a_database_shows_no_password_when_printed() {
    let database = ServiceDatabase {
        name: "greenlane_gate".to_owned(),
        owner_url: "postgres://o:secret@h/d".to_owned(),
        service_url: "postgres://s:secret@h/d".to_owned(),
    };
    assert!(!format!("{database:?}").contains("secret"));
}
