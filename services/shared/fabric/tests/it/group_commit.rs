//! The loop: shared commits, locks on what does not exist yet, answers that are
//! kept, failures that pass and failures that do not.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::counter::{
    ASKED, Counter, Input, add, add_as, counter, database, eventually, holding, stored, total,
    writers_wait,
};

#[tokio::test]
async fn concurrent_commands_share_commits_and_each_sees_those_before_it() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    let handle = fabric.handle();
    let replies = join_all((0..500).map(|_| handle.submit("lane", add("a", 1)))).await;
    let sums: BTreeSet<i64> = replies.iter().map(total).collect();
    assert_eq!(sums, (1..=500).collect());
    assert_eq!(stored(&database.service_url, "a").await, Some(500));

    let mut db = PgConnection::connect(&database.owner_url).await.unwrap();
    let commits: i64 = sqlx::query_scalar("select count(distinct recorded_at) from fabric.outbox")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert!(commits <= 50, "{commits} commits for 500 commands");
    fabric.stop().await;
}

#[tokio::test]
async fn two_writers_meeting_on_absent_rows_lose_nothing() {
    let database = database().await;
    let one = counter(&database.service_url).await;
    let other = counter(&database.service_url).await;
    let (first, second) = (one.handle(), other.handle());
    for round in 0..20 {
        let key = format!("fresh-{round}");
        let calls = (0..10).map(|n| if n % 2 == 0 { &first } else { &second });
        let replies = join_all(calls.map(|handle| handle.submit("lane", add(&key, 1)))).await;
        let sums: BTreeSet<i64> = replies.iter().map(total).collect();
        assert_eq!(sums, (1..=10).collect(), "of {key}");
    }
    let rows = one.outbox().await.unwrap();
    assert_eq!(rows.len(), 200);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_repeated_request_on_two_instances_is_decided_once_and_answered_alike() {
    let database = database().await;
    let one = counter(&database.service_url).await;
    let other = counter(&database.service_url).await;
    let (first, second) = (one.handle(), other.handle());
    for _ in 0..20 {
        let id = Uuid::new_v4();
        let key = id.to_string();
        let (a, b) = tokio::join!(
            first.submit("x", add_as(id, &key, 7)),
            second.submit("y", add_as(id, &key, 7))
        );
        assert_eq!(a.outcome, b.outcome);
        assert_eq!(usize::from(a.repeated) + usize::from(b.repeated), 1);
        assert_eq!(stored(&database.service_url, &key).await, Some(7));
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_request_id_with_other_content_is_refused() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    let id = Uuid::new_v4();
    total(&fabric.handle().submit("x", add_as(id, "a", 1)).await);
    let refused = fabric
        .handle()
        .submit("x", add_as(id, "a", 2))
        .await
        .outcome
        .unwrap_err();
    assert_eq!(refused.reason, "REQUEST_ID_REUSED");
    assert_eq!(stored(&database.service_url, "a").await, Some(1));
    fabric.stop().await;
}

#[tokio::test]
async fn a_refusal_is_an_answer_that_is_kept() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    let id = Uuid::new_v4();
    let command = || {
        let mut command = add_as(id, "a", 5);
        command.input = Input::Add {
            key: "a".into(),
            amount: 5,
            repeats_max: Some(3),
        };
        command
    };
    let first = fabric.handle().submit("x", command()).await;
    let again = fabric.handle().submit("x", command()).await;
    assert_eq!(first.outcome.as_ref().unwrap_err().reason, "FULL");
    assert_eq!(first.outcome, again.outcome);
    assert!(again.repeated);
    fabric.stop().await;
}

#[tokio::test]
async fn an_input_that_panics_fails_alone() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    let handle = fabric.handle();
    let good = join_all((0..50).map(|_| handle.submit("lane", add("good", 1))));
    let bad = handle.submit("lane", add("bad", 1));
    let more = join_all((0..50).map(|_| handle.submit("lane", add("good", 1))));
    let (good, bad, more) = tokio::join!(good, bad, more);
    assert_eq!(bad.outcome.unwrap_err().reason, "INTERNAL");
    let sums: BTreeSet<i64> = good.iter().chain(&more).map(total).collect();
    assert_eq!(sums, (1..=100).collect());
    fabric.stop().await;
}

#[tokio::test]
async fn sessions_that_are_cut_repeat_their_batch_and_lose_or_double_nothing() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    let handle = fabric.handle();
    let admin = stack::for_tests().await.admin_url().to_owned();
    let name = database.name.clone();
    let cutter = tokio::spawn(async move {
        let mut db = PgConnection::connect(&admin).await.unwrap();
        for _ in 0..20 {
            sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name in ('greenlane-writer', 'greenlane-relay')")
                .bind(&name)
                .execute(&mut db)
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    });
    let mut sums = BTreeSet::new();
    while !cutter.is_finished() {
        let replies = join_all((0..20).map(|_| handle.submit("lane", add("a", 1)))).await;
        sums.extend(replies.iter().map(total));
    }
    cutter.await.unwrap();
    let count = i64::try_from(sums.len()).unwrap();
    assert_eq!(sums, (1..=count).collect());
    assert_eq!(stored(&database.service_url, "a").await, Some(count));
    assert_eq!(
        i64::try_from(fabric.outbox().await.unwrap().len()).unwrap(),
        count
    );
    fabric.stop().await;
}

#[tokio::test]
async fn a_process_that_stood_still_in_a_transaction_repeats_its_batch() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    let reply = fabric.handle().submit("lane", add("frozen", 1)).await;
    assert_eq!(total(&reply), 1);
    assert_eq!(stored(&database.service_url, "frozen").await, Some(1));
    fabric.stop().await;
}

#[tokio::test]
async fn sequences_have_no_gaps_and_their_chain_verifies_until_a_row_is_edited() {
    let database = database().await;
    let one = counter(&database.service_url).await;
    let other = counter(&database.service_url).await;
    let (first, second) = (one.handle(), other.handle());
    let calls = (0..300).map(|n| {
        let handle = if n % 2 == 0 { &first } else { &second };
        let key = format!("k{}", n % 40);
        async move { handle.submit(&key, add(&key, 1)).await }
    });
    join_all(calls)
        .await
        .iter()
        .for_each(|reply| assert!(reply.outcome.is_ok()));
    let report = one.admin().verify().await.unwrap();
    assert_eq!(
        (report.rows, report.breaks.as_slice()),
        (300, [].as_slice())
    );

    let mut db = PgConnection::connect(&database.owner_url).await.unwrap();
    sqlx::query("update fabric.outbox set payload = 'x' where (partition, seq) = (select partition, max(seq) / 2 + 1 from fabric.outbox group by partition order by 2 desc limit 1)")
        .execute(&mut db)
        .await
        .unwrap();
    assert_eq!(one.admin().verify().await.unwrap().breaks.len(), 1);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_says_when_to_try_again() {
    let database = database().await;
    let config = fabric::FabricConfig {
        call_queue_max: 1,
        ..crate::counter::config("none:1", "")
    };
    let fabric = fabric::Fabric::start_without_broker(
        std::sync::Arc::new(crate::counter::Counter),
        config,
        &database.service_url,
    )
    .await
    .unwrap();
    let handle = fabric.handle();
    let replies = join_all((0..200).map(|_| handle.submit("lane", add("a", 1)))).await;
    let refused: Vec<_> = replies
        .iter()
        .filter_map(|reply| reply.outcome.as_ref().err())
        .collect();
    assert!(!refused.is_empty());
    assert!(
        refused
            .iter()
            .all(|refusal| refusal.reason == "OVERLOADED" && refusal.retry_after_millis.is_some())
    );
    let done = replies.len() - refused.len();
    assert_eq!(
        stored(&database.service_url, "a").await,
        i64::try_from(done).ok()
    );
    fabric.stop().await;
}

#[tokio::test]
async fn a_batch_locks_no_more_subjects_than_the_limit_and_loses_nothing() {
    let database = database().await;
    let few = fabric::FabricConfig {
        batch_subjects_max: 8,
        ..crate::counter::config("none:1", "")
    };
    let fabric = fabric::Fabric::start_without_broker(
        std::sync::Arc::new(Counter),
        few,
        &database.service_url,
    )
    .await
    .unwrap();
    let handle = fabric.handle();
    let keys: Vec<String> = (0..200).map(|n| format!("k{n}")).collect();
    let replies = join_all(keys.iter().map(|key| handle.submit("lane", add(key, 1)))).await;
    assert!(replies.iter().all(|reply| total(reply) == 1));
    let mut db = PgConnection::connect(&database.owner_url).await.unwrap();
    let most: i64 = sqlx::query_scalar(
        "select max(n) from (select count(*) as n from fabric.outbox group by recorded_at) as batch",
    )
    .fetch_one(&mut db)
    .await
    .unwrap();
    assert!(most <= 8, "{most} subjects in one batch");
    fabric.stop().await;
}

#[tokio::test]
async fn an_event_that_no_broker_would_take_fails_its_input_alone() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    let handle = fabric.handle();
    let (small, huge) = tokio::join!(
        handle.submit("x", add("small", 1)),
        handle.submit("x", add("huge", 1))
    );
    assert_eq!(total(&small), 1);
    assert_eq!(huge.outcome.unwrap_err().reason, "INTERNAL");
    assert_eq!(stored(&database.service_url, "huge").await, None);
    assert_eq!(fabric.outbox().await.unwrap().len(), 1);
    fabric.stop().await;
}

#[tokio::test]
async fn a_command_does_not_wait_for_a_long_row_of_records_about_its_subject() {
    const RECORDS: i64 = 60;
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    let records = (0..RECORDS).map(|_| fabric.apply(ASKED, "followed", "asked", vec![1]));
    let command = async {
        eventually("some are applied", Duration::from_secs(20), || async {
            let applied = stored(&database.service_url, "followed").await;
            applied.is_some_and(|count| count >= 3)
        })
        .await;
        total(&fabric.handle().submit("x", add("followed", 1_000)).await)
    };
    let (applied, after) = tokio::join!(join_all(records), command);
    assert!(applied.iter().all(Result::is_ok), "{applied:?}");
    let before = after - 1_000;
    assert!(before < RECORDS / 2, "it waited for {before} of {RECORDS}");
    fabric.stop().await;
}

#[tokio::test]
async fn a_record_is_applied_although_commands_about_its_subject_keep_coming() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    let handle = fabric.handle();
    let keep_coming = join_all((0..8).map(|_| async {
        loop {
            total(&handle.submit("x", add("followed", 0)).await);
        }
    }));
    let record = fabric.apply(ASKED, "followed", "asked", vec![1]);
    tokio::select! {
        _ = keep_coming => unreachable!("they never end"),
        applied = tokio::time::timeout(Duration::from_secs(20), record) => {
            assert_eq!(applied, Ok(Ok(())));
        }
    }
    assert_eq!(stored(&database.service_url, "followed").await, Some(1));
    fabric.stop().await;
}

#[tokio::test]
async fn a_command_for_which_nobody_waits_any_more_is_not_begun() {
    let database = database().await;
    let fabric = counter(&database.service_url).await;
    let held = holding(
        &database,
        "begin; lock table counter in access exclusive mode",
    )
    .await;
    let begun = {
        let handle = fabric.handle();
        tokio::spawn(async move { handle.submit("x", add("k", 1)).await })
    };
    writers_wait(&database, 1).await;
    let given_up = fabric.handle();
    let given_up = given_up.submit("x", add("k", 10));
    let given_up = tokio::time::timeout(Duration::from_millis(20), given_up).await;
    assert!(
        given_up.is_err(),
        "nothing is answered before it is committed"
    );
    let handle = fabric.handle();
    let (_, last) = tokio::join!(held.close(), handle.submit("x", add("k", 100)));
    assert_eq!(total(&begun.await.unwrap()), 1);
    assert_eq!(total(&last), 101, "without the ten");
    fabric.stop().await;
}
