//! The tool as it is started: built with the tests, so that whoever has run these can start it at once.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn the_tool_says_what_it_can_do() {
    let asked = Command::new(env!("CARGO_BIN_EXE_torture"))
        .arg("--help")
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}");
    let help = String::from_utf8(asked.stdout).unwrap();
    for command in [
        "bugs",
        "simulate",
        "catch-up",
        "tenancy",
        "attack",
        "record-cost",
        "check",
    ] {
        let line = format!("\n  {command} ");
        assert!(help.contains(&line), "{command}: {help}");
    }
}
