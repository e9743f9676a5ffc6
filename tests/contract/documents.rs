//! What the documents say is so: every command that they have typed is understood, every one that they name
//! is there, and so is every file.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::sources::root;
use crate::written_commands::{in_blocks, in_text, spans};

/// For people who type commands.
const GUIDES: [&str; 2] = ["README.md", "docs/runbook.md"];
/// These would start servers; that they are understood, their help says.
const STARTING: [&str; 2] = ["up", "demo"];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// How the command ends, with nothing running, and what it says.
fn outcome(words: &[String]) -> (Option<i32>, String) {
    let nothing_runs = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_greenlane"))
        .args(words)
        .current_dir(root())
        .env_remove("GREENLANE_TOKEN")
        .env("GREENLANE_STATE", nothing_runs.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), told)
}

/// The words with a question for help behind them: nothing is done, and what does not exist is refused.
/// SERVICE stands for any.
fn asking_for_help(words: &[String]) -> Vec<String> {
    let named = words.iter().map(|word| word.replace("SERVICE", "gate"));
    named.chain(["--help".to_owned()]).collect()
}

#[test]
fn every_command_that_a_guide_has_typed_is_understood_whole() {
    let mut typed = 0;
    for guide in GUIDES {
        for command in in_blocks(&read(guide), "greenlane") {
            typed += 1;
            let words = &command[1..];
            let starts = words
                .first()
                .is_some_and(|word| STARTING.contains(&word.as_str()));
            let (code, told) = if starts {
                outcome(&asking_for_help(words))
            } else {
                outcome(words)
            };
            // Wrong use would be 2; whoever asks is told that nothing runs.
            let understood =
                code == Some(0) || (code == Some(1) && told.contains("nothing runs in"));
            assert!(
                understood,
                "{guide}: {command:?} ends with {code:?}: {told}"
            );
        }
    }
    assert!(typed >= 5, "only {typed} commands were found");
}

#[test]
fn every_command_that_a_guide_names_is_there_with_its_options() {
    for guide in GUIDES {
        for command in in_text(&read(guide), "greenlane") {
            let (code, told) = outcome(&asking_for_help(&command[1..]));
            assert_eq!(code, Some(0), "{guide}: {command:?}: {told}");
        }
    }
}

#[test]
fn the_demo_is_run_as_the_readme_says() {
    let commands = in_blocks(&read("README.md"), "cargo");
    let run = commands.iter().find_map(|command| {
        let at = command.iter().position(|word| word == "--")?;
        Some(command[at + 1..].to_vec())
    });
    assert_eq!(outcome(&asking_for_help(&run.unwrap())).0, Some(0));
}

#[test]
fn every_file_that_a_guide_names_is_there() {
    for guide in GUIDES {
        let text = read(guide);
        let folder = Path::new(guide).parent().unwrap();
        for target in links(&text) {
            let there = root().join(folder).join(&target).exists();
            assert!(there, "{guide} links to {target}, which is not there");
        }
        let typed = in_blocks(&text, "greenlane").into_iter().flatten();
        let named = spans(&text).into_iter().filter(|span| !span.contains(' '));
        for path in typed.chain(named).filter(|word| is_path(word)) {
            for path in alternatives(&path) {
                let there = root().join(&path).exists();
                assert!(there, "{guide} names {path}, which is not there");
            }
        }
    }
}

/// What stands in brackets behind a link's text.
fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .filter(|target| !target.contains("://"))
        .collect()
}

/// A path from the root: folders of the repository, and no name of a topic, an address or a key.
fn is_path(word: &str) -> bool {
    ["docs/", "tests/", "deploy/", "proto/", "services/", ".ci/"]
        .iter()
        .any(|folder| word.starts_with(folder))
        || word.ends_with(".csv")
        || word.ends_with(".xml")
}

/// `{a,b}` is either; REASON stands for any.
fn alternatives(path: &str) -> Vec<String> {
    let path = path.replace("REASON", "NOT_FOUND");
    let Some((before, rest)) = path.split_once('{') else {
        return vec![path];
    };
    let (choices, after) = rest.split_once('}').unwrap();
    choices
        .split(',')
        .map(|choice| format!("{before}{choice}{after}"))
        .collect()
}
