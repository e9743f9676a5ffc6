//! The README's commands, typed as they stand there against a running site.

use std::fs;
use std::path::{Path, PathBuf};

use crate::site::{Output, until};
use crate::world::world;

#[path = "../contract/written_commands.rs"]
#[allow(dead_code)] // The contract's tests read more.
mod written_commands;

/// The site runs already.
const STARTING: [&str; 2] = ["up", "demo"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_command_of_the_readme_does_what_is_asked() {
    let site = world();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let commands = written_commands::in_blocks(&readme, "greenlane");
    assert!(commands.len() >= 5, "only {} were found", commands.len());
    for command in commands {
        let mut arguments: Vec<&str> = command.iter().skip(1).map(String::as_str).collect();
        match arguments.first() {
            Some(first) if STARTING.contains(first) => continue,
            // It would wait for more.
            Some(&"watch") => arguments.push("--stored"),
            _ => {}
        }
        let mut last = None;
        // What one service was told, another learns a moment later.
        until(&format!("{command:?} is done"), || {
            let mut typed = site.command(&arguments);
            let output = Output::of(typed.current_dir(root()));
            let done = output.code == 0;
            if !done {
                eprintln!("{output:?}");
            }
            last = Some(output);
            done
        });
        let output = last.unwrap();
        assert!(
            !output.stdout.is_empty(),
            "{command:?} says nothing: {output:?}"
        );
    }
}
