//! What was done is on record, and whoever changes the record is found.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use fabric::audit::verify::AuditReport;
use fabric::audit::{self, Recorded};
use fabric::{Act, Attempt, Origin, fingerprint};
use futures::future::join_all;
use proto::fabric::v1::{AuditedAct, AuditedAttempt, AuditedCommand, audit_entry};
use proto::gate::v1 as api;
use proto::gate::v1::PreArrivalKind;
use sqlx::{Connection as _, PgConnection};

use crate::lists;
use crate::world::{BOX, PLATE, World, filing};

async fn record(world: &World) -> Vec<Recorded> {
    audit::newest(&world.reads, |_| true, 1_000).await.unwrap()
}

async fn commands(world: &World) -> Vec<AuditedCommand> {
    let commands = record(world).await.into_iter().rev();
    let commands = commands.filter_map(|recorded| match recorded.entry.what {
        Some(audit_entry::What::Command(command)) if command.party != "seed" => Some(command),
        _ => None,
    });
    commands.collect()
}

/// There is no broker here; the topic is looked at in the end-to-end tests.
async fn verified(world: &World) -> AuditReport {
    audit::verify::rows(&world.reads, "gate", &[])
        .await
        .unwrap()
}

#[tokio::test]
async fn each_command_is_recorded_with_who_asked_for_whom_and_what_came_of_it() {
    let world = World::new().await;
    let filed = filing(PreArrivalKind::EmptyVehicle, PLATE, &[]);
    let dry = api::SubmitPreArrivalRequest {
        validate_only: true,
        ..filed.clone()
    };
    let faulty = api::SubmitPreArrivalRequest {
        request_id: kernel::new_id().to_string(),
        site_id: "NOWHERE".into(),
        ..filed.clone()
    };
    world.try_file("haulier-a", dry).await.unwrap();
    world.try_file("haulier-a", filed.clone()).await.unwrap();
    world.try_file("haulier-a", filed.clone()).await.unwrap();
    world.try_file("haulier-b", faulty).await.unwrap_err();
    let commands = commands(&world).await;
    let told: Vec<_> = commands
        .iter()
        .map(|c| {
            let id = if c.request_id.is_empty() {
                "dry"
            } else {
                "kept"
            };
            (c.party.as_str(), id, c.repeated, c.refused_because.as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("haulier-a", "dry", false, ""),
            ("haulier-a", "kept", false, ""),
            ("haulier-a", "kept", true, ""),
            ("haulier-b", "kept", false, "FILING_INVALID"),
        ]
    );
    for command in &commands {
        assert_eq!(command.method, "SubmitPreArrival");
        assert_eq!(command.subject, format!("clerk of {}", command.party));
        assert_eq!(command.content_sha256.len(), 32);
        assert_eq!(
            command.answer_sha256.is_empty(),
            !command.refused_because.is_empty()
        );
    }
    assert_eq!(commands[1].answer_sha256, commands[2].answer_sha256);
}

#[tokio::test]
async fn whoever_was_not_let_in_is_recorded_with_the_next_commit() {
    let world = World::new().await;
    let attempts = world.fabric.handle().attempts();
    let attempt = Attempt {
        address: Some("192.0.2.7".parse().unwrap()),
        method: "CheckIn".into(),
        reason: "TOKEN_EXPIRED".into(),
        ..Attempt::default()
    };
    for _ in 0..3 {
        attempts.note(attempt.clone());
    }
    world.file(PreArrivalKind::EmptyVehicle, PLATE, &[]).await;
    let mut found = BTreeMap::new();
    for recorded in record(&world).await {
        if let Some(audit_entry::What::Attempt(AuditedAttempt {
            address,
            reason,
            times,
            ..
        })) = recorded.entry.what
        {
            *found.entry((address, reason)).or_insert(0) += times;
        }
    }
    let expected = ("192.0.2.7".to_owned(), "TOKEN_EXPIRED".to_owned());
    assert_eq!(found, BTreeMap::from([(expected, 3)]));
}

#[tokio::test]
async fn what_an_operator_asks_of_the_exchange_of_facts_is_on_record_before_it_is_done() {
    let world = World::new().await;
    let origin = Origin {
        subject: "operator of admin".into(),
        address: Some("192.0.2.7".parse().unwrap()),
        method: "DiscardParked",
    };
    let act = Act {
        party: "admin".into(),
        origin,
        fingerprint: fingerprint("DiscardParked", b"an event"),
    };
    world.fabric.admin().record(act).await.unwrap();
    let newest = record(&world).await.into_iter().next().unwrap();
    let wanted = AuditedAct {
        party: "admin".into(),
        subject: "operator of admin".into(),
        address: "192.0.2.7".into(),
        method: "DiscardParked".into(),
        content_sha256: fingerprint("DiscardParked", b"an event").to_vec().into(),
    };
    assert_eq!(newest.entry.what, Some(audit_entry::What::Act(wanted)));
    assert_eq!(verified(&world).await.faults, Vec::<String>::new());
}

#[tokio::test]
async fn writers_that_meet_in_a_partition_of_the_record_go_on_and_leave_no_gap() {
    // One more than there are partitions: two of them begin in the same.
    let world = World::with(TimeDelta::hours(4), fabric::PARTITIONS + 1, |_| {}).await;
    let before = commands(&world).await.len();
    let filings = (0..80).map(|number| {
        let plate = format!("渝D{number:05}");
        // The first container decides which writer takes the filing.
        let boxes = [lists::container_number(number)];
        let boxes = boxes.each_ref().map(String::as_str);
        let filing = filing(PreArrivalKind::EmptyIn, &plate, &boxes);
        world.try_file("haulier-a", filing)
    });
    for filed in join_all(filings).await {
        filed.unwrap();
    }
    assert_eq!(commands(&world).await.len(), before + 80);
    assert_eq!(verified(&world).await.faults, Vec::<String>::new());
}

#[tokio::test]
async fn a_record_that_was_changed_in_the_database_is_found_and_the_service_itself_cannot() {
    let world = World::new().await;
    world.arrived(&[BOX]).await;
    world.file(PreArrivalKind::FullOut, PLATE, &[BOX]).await;
    let sound = verified(&world).await;
    assert!(sound.rows >= 3, "{sound:?}");
    assert_eq!(sound.faults, Vec::<String>::new());
    let by_service = sqlx::query("update fabric.audit set key_id = 'x'")
        .execute(&world.pool)
        .await;
    assert!(by_service.is_err(), "the service changes nothing");
    let mut owner = PgConnection::connect(&world.database.owner_url)
        .await
        .unwrap();
    let one = "(partition, epoch, seq) = (select partition, epoch, seq from fabric.audit order by recorded_at limit 1)";
    for change in [
        format!("update fabric.audit set entries = entries || 'x' where {one}"),
        format!("update fabric.audit set key = key || 'x' where {one}"),
        format!("update fabric.audit set signature = 'x' where {one}"),
        format!("update fabric.audit set recorded_at = recorded_at + interval '1 us' where {one}"),
        format!("delete from fabric.audit where {one}"),
        "delete from fabric.audit a using fabric.head h where h.topic = 'gate.audit' and h.partition = a.partition and h.seq = a.seq".to_owned(),
        format!("insert into fabric.audit select partition, epoch, seq + 100, key, recorded_at, entries, key_id, signature, chain from fabric.audit where {one}"),
    ] {
        let mut changing = owner.begin().await.unwrap();
        sqlx::query("create table public.kept as select * from fabric.audit").execute(&mut *changing).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(change.clone())).execute(&mut *changing).await.unwrap();
        changing.commit().await.unwrap();
        let found = verified(&world).await;
        assert!(found.faults_found > 0, "{change}");
        sqlx::raw_sql("delete from fabric.audit; insert into fabric.audit select * from public.kept; drop table public.kept")
            .execute(&mut owner)
            .await
            .unwrap();
    }
    assert_eq!(verified(&world).await.faults, Vec::<String>::new());
}
