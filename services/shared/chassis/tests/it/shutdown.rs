//! The first signal is a request. The second, which ends the process, cannot be tried within a test's own.

use std::process::Command;

use chassis::Shutdown;

use crate::support::within;

#[tokio::test]
async fn the_first_signal_is_a_request_to_stop() {
    let shutdown = Shutdown::on_signals().unwrap();
    let waiting = shutdown.clone().requested();
    assert!(!shutdown.is_requested());
    let sent = Command::new("kill")
        .args(["-TERM", &std::process::id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    within(waiting).await;
    assert!(shutdown.is_requested());
    within(shutdown.requested()).await;
}

#[tokio::test]
async fn everyone_who_waits_hears_a_request_once_made() {
    let shutdown = Shutdown::manual();
    let waiting: Vec<_> = (0..10)
        .map(|_| tokio::spawn(shutdown.requested()))
        .collect();
    shutdown.request();
    shutdown.request();
    for waiter in waiting {
        within(waiter).await.unwrap();
    }
}
