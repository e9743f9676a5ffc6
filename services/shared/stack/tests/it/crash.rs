//! What a `kill -9` leaves behind, and that it can be taken up again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use stack::process::Signal;
use stack::{Stack, StackError, StackOptions};

use crate::support::{
    DEADLINE, Parent, connect, execute, open_folder, processes_in, text, wait_until_deserted,
};

fn without_kafka(command: &mut Command) {
    command.arg("--no-kafka");
}

fn small(folder: &std::path::Path) -> StackOptions {
    StackOptions {
        kafka: false,
        durable_jvm: false,
        ..StackOptions::lasting(folder)
    }
}

#[tokio::test]
async fn no_server_survives_the_kill_of_its_parent() {
    let (_room, folder) = open_folder();
    let mut parent = Parent::start(&folder, |_| {}).await;
    let running = processes_in(&folder);
    assert!(
        running.iter().filter(|name| *name == "postgres").count() > 1,
        "{running:?}"
    );
    assert!(running.iter().any(|name| name == "java"), "{running:?}");
    parent.kill().await;
    wait_until_deserted(&folder).await;
}

#[tokio::test]
async fn a_folder_left_by_a_kill_starts_again_with_its_rows_and_its_port() {
    let (_room, folder) = open_folder();
    let mut parent = Parent::start(&folder, without_kafka).await;
    let mut connection = connect(&parent.postgres).await;
    execute(
        &mut connection,
        "CREATE TABLE visit (plate text); INSERT INTO visit VALUES ('A1')",
    )
    .await
    .unwrap();
    parent.kill().await;
    // At once: the dying server may still be there.
    let again = Stack::start(small(&folder)).await.unwrap();
    assert_eq!(again.postgres_admin_url(), parent.postgres);
    let mut connection = connect(again.postgres_admin_url()).await;
    assert_eq!(text(&mut connection, "SELECT plate FROM visit").await, "A1");
    again.stop().await.unwrap();
    wait_until_deserted(&folder).await;
}

#[tokio::test]
async fn a_killed_postgres_starts_again_even_if_its_number_went_to_another_process() {
    let (_room, folder) = open_folder();
    let mut stack = Stack::start(small(&folder)).await.unwrap();
    let mut connection = connect(stack.postgres_admin_url()).await;
    execute(
        &mut connection,
        "CREATE TABLE visit (plate text); INSERT INTO visit VALUES ('A1')",
    )
    .await
    .unwrap();
    stack.kill_postgres().await.unwrap();
    assert!(processes_in(&folder).is_empty());
    assert_eq!(stack.postgres_pid(), None);
    let data = folder.join("postgres").join("data");
    fs::write(
        data.join("postmaster.pid"),
        format!("{}\n{}\n", std::process::id(), data.display()),
    )
    .unwrap();
    stack.start_postgres().await.unwrap();
    let mut connection = connect(stack.postgres_admin_url()).await;
    assert_eq!(text(&mut connection, "SELECT plate FROM visit").await, "A1");
    stack.stop_and_remove().await.unwrap();
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_dropped_stack_leaves_nobody_behind() {
    let (_room, folder) = open_folder();
    let stack = Stack::start(small(&folder)).await.unwrap();
    assert!(!processes_in(&folder).is_empty());
    drop(stack);
    wait_until_deserted(&folder).await;
}

#[tokio::test]
async fn a_folder_in_use_is_refused_and_its_holder_named() {
    let (_room, folder) = open_folder();
    let mut parent = Parent::start(&folder, without_kafka).await;
    let refused = Stack::start(small(&folder)).await.err().expect("refused");
    assert!(
        matches!(refused, StackError::FolderInUse { pid: Some(pid), .. } if pid == parent.process.pid()),
        "{refused}"
    );
    parent.terminate().await;
    Stack::start(small(&folder))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_folder_that_only_its_owner_may_enter_works_and_is_removed_whole() {
    let room = tempfile::tempdir().unwrap();
    fs::set_permissions(room.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let folder = room.path().join("state");
    let stack = Stack::start(small(&folder)).await.unwrap();
    let data = folder.join("postgres").canonicalize().unwrap();
    let mut connection = connect(stack.postgres_admin_url()).await;
    assert_eq!(
        text(&mut connection, "SELECT current_user::text").await,
        "greenlane"
    );
    drop(connection);
    stack.stop().await.unwrap();
    let stack = Stack::start(small(&folder)).await.unwrap();
    stack.stop_and_remove().await.unwrap();
    assert!(!folder.exists());
    assert!(!data.exists());
}

#[tokio::test]
async fn what_is_missing_is_named_before_anything_is_started() {
    let (_room, folder) = open_folder();
    let mut parent = Parent::begin(&folder, |command| {
        command
            .env("PATH", "/nowhere")
            .env_remove("JAVA_HOME")
            .env("XDG_CACHE_HOME", "/nowhere");
    });
    let status = parent
        .process
        .wait_with_deadline(DEADLINE)
        .await
        .unwrap()
        .expect("ended");
    let output = parent.output();
    assert_eq!(status.code(), Some(1), "{output}");
    for part in [
        "nothing was started",
        "Java 17 or later",
        "Maven",
        "get it with",
    ] {
        assert!(output.contains(part), "{part} is not in: {output}");
    }
    assert!(!folder.join("postgres").exists());
}

#[tokio::test]
async fn a_stack_told_to_end_while_it_starts_leaves_nobody_behind() {
    let (_room, folder) = open_folder();
    let mut parent = Parent::begin(&folder, |_| {});
    let until = std::time::Instant::now() + DEADLINE;
    while !folder.join("kafka").exists() {
        assert!(std::time::Instant::now() < until, "{}", parent.output());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    parent.process.signal(Signal::SIGTERM).unwrap();
    parent
        .process
        .wait_with_deadline(DEADLINE)
        .await
        .unwrap()
        .expect("ended");
    wait_until_deserted(&folder).await;
}
