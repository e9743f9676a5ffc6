//! Faults that are planted in a copy of the sources, one at a time, to see that the tests find them: each is a patch in
//! `bugs/` that says in its first lines what it plants (`Plants:`), and with which arguments `cargo test` is to find it
//! (`Suite:`, once for each suite that finds it by itself). It must not know what is planted.

// Whoever runs it reads what it does as it does it.
#![allow(clippy::print_stdout)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

/// Where the patches are, seen from this package.
const FOLDER: &str = "bugs";
/// So many of the tests that fail are told.
const TESTS_TOLD_MAX: usize = 3;

/// One fault to plant.
#[derive(Debug)]
pub struct Bug {
    /// The name of its patch, without the ending.
    pub name: String,
    /// What it plants.
    pub plants: String,
    patch: PathBuf,
    suites: Vec<Vec<String>>,
}

/// What became of a planted fault.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// These tests failed.
    Found(Vec<String>),
    /// All tests were green.
    Missed,
    /// No test ran: what is planted does not build.
    Unbuilt(String),
}

impl Bug {
    /// All of them, by name.
    ///
    /// # Errors
    /// A patch cannot be read, or does not say what it plants and where it is to be found.
    pub fn all() -> anyhow::Result<Vec<Bug>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
        let mut bugs = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension() == Some(OsStr::new("patch")) {
                let bug = Bug::read(&path);
                bugs.push(bug.with_context(|| path.display().to_string())?);
            }
        }
        bugs.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(bugs)
    }

    fn read(path: &Path) -> anyhow::Result<Bug> {
        let text = fs::read_to_string(path)?;
        let said = |what: &str| -> Vec<&str> {
            let lines = text.lines();
            lines.filter_map(|line| line.strip_prefix(what)).collect()
        };
        let plants = said("Plants:");
        let plants = plants.first().context("no line begins with `Plants:`")?;
        let suites = said("Suite:");
        ensure!(!suites.is_empty(), "no line begins with `Suite:`");
        let words = |line: &&str| line.split_whitespace().map(str::to_owned).collect();
        let name = path.file_stem().unwrap_or_default();
        Ok(Bug {
            name: name.to_string_lossy().into_owned(),
            plants: plants.trim().to_owned(),
            suites: suites.iter().map(words).collect(),
            patch: path.to_owned(),
        })
    }

    fn apply(&self, copy: &Path, how: &[&str]) -> anyhow::Result<()> {
        let mut git = Command::new("git");
        // Below a repository, git would look for the files in that.
        git.env("GIT_CEILING_DIRECTORIES", copy)
            .env("GIT_DIR", copy.join("none"))
            .current_dir(copy)
            .arg("apply")
            .args(how)
            .arg(&self.patch);
        let applied = git.output().context("git does not start")?;
        let said = String::from_utf8_lossy(&applied.stderr);
        ensure!(
            applied.status.success(),
            "{} does not apply: {said}",
            self.name
        );
        Ok(())
    }

    fn outcome(suite: &[String], copy: &Path) -> anyhow::Result<Outcome> {
        let cargo = std::env::var_os("CARGO").context("start it as `cargo torture bugs`")?;
        let tests = Command::new(cargo)
            .current_dir(copy)
            // Cargo takes this copy's packages for the same as those of the sources: in one folder it would take
            // what was built of the one for the other.
            .env("CARGO_TARGET_DIR", sources().join("target/bugs/target"))
            .env("SQLX_OFFLINE", "true")
            .args(["test", "--locked"])
            .args(suite)
            .output();
        Ok(judged(&tests.context("cargo does not start")?))
    }
}

/// Plants each, one after the other, and runs its suites; those named only, if any are, and only the suites with a word
/// in them, if one is given. Whether every suite found what it is to find.
///
/// # Errors
/// A patch does not apply, or there is none of a name.
pub fn run(only: &[String], suites_with: Option<&String>) -> anyhow::Result<bool> {
    let mut bugs = Bug::all()?;
    for name in only {
        let known = bugs.iter().any(|bug| bug.name == *name);
        ensure!(known, "there is no {name}.patch");
    }
    bugs.retain(|bug| only.is_empty() || only.contains(&bug.name));
    for bug in &mut bugs {
        let wanted = |suite: &Vec<String>| suites_with.is_none_or(|word| suite.contains(word));
        bug.suites.retain(wanted);
    }
    bugs.retain(|bug| !bug.suites.is_empty());
    let copy = copy().context("the sources cannot be copied")?;
    let mut found = 0;
    for bug in &bugs {
        println!("{}: {}", bug.name, bug.plants);
        bug.apply(&copy, &[])?;
        let mut by_all = true;
        for suite in &bug.suites {
            let began = Instant::now();
            let outcome = Bug::outcome(suite, &copy);
            if outcome.is_err() {
                bug.apply(&copy, &["--reverse"])?;
            }
            let outcome = outcome?;
            println!("    {}", told(&outcome, began.elapsed()));
            by_all &= matches!(outcome, Outcome::Found(_));
        }
        // The next begins with sound sources.
        bug.apply(&copy, &["--reverse"])?;
        found += usize::from(by_all);
    }
    println!("{found} of {} planted bugs were found.", bugs.len());
    Ok(found == bugs.len())
}

fn told(outcome: &Outcome, time: Duration) -> String {
    let seconds = time.as_secs();
    match outcome {
        Outcome::Found(tests) => {
            let more = match tests.len().saturating_sub(TESTS_TOLD_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let some = &tests[..tests.len().min(TESTS_TOLD_MAX)];
            format!("found in {seconds} s: {}{more}", some.join(", "))
        }
        Outcome::Missed => format!("MISSED: all tests were green after {seconds} s"),
        Outcome::Unbuilt(why) => format!("NOT BUILT: {why}"),
    }
}

fn judged(tests: &Output) -> Outcome {
    let said = String::from_utf8_lossy(&tests.stdout);
    let failed = |line: &str| {
        let test = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some(test.to_owned())
    };
    let failed: BTreeSet<String> = said.lines().filter_map(failed).collect();
    if !failed.is_empty() {
        Outcome::Found(failed.into_iter().collect())
    } else if tests.status.success() {
        Outcome::Missed
    } else {
        let said = String::from_utf8_lossy(&tests.stderr);
        let why = said.lines().find(|line| line.starts_with("error"));
        Outcome::Unbuilt(why.unwrap_or("no test failed by name").to_owned())
    }
}

/// The sources as they stand now, in a folder of their own. What has not changed since the last copy is not written:
/// it would be built again.
fn copy() -> anyhow::Result<PathBuf> {
    let from = sources();
    let to = from.join("target/bugs/sources");
    let mut git = Command::new("git");
    git.current_dir(&from).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listed = git.output().context("git does not start")?;
    ensure!(listed.status.success(), "git does not list the sources");
    let listed = String::from_utf8(listed.stdout)?;
    fs::create_dir_all(&to)?;
    let mut kept = BTreeSet::new();
    for name in listed.split_terminator('\0') {
        // One that was removed and not committed is still listed.
        if let Some(bytes) = read(&from.join(name))? {
            let target = to.join(name);
            if read(&target)?.as_ref() != Some(&bytes) {
                fs::create_dir_all(target.parent().unwrap_or(&to))?;
                fs::write(&target, bytes)?;
            }
            kept.insert(target);
        }
    }
    remove_others(&to, &kept)?;
    Ok(to)
}

fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn sources() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = package.ancestors().nth(2);
    sources.unwrap_or(package).to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn every_planted_bug_still_applies_to_the_sources() {
        for bug in Bug::all().unwrap() {
            bug.apply(&sources(), &["--check"]).unwrap();
        }
    }

    #[test]
    fn a_bug_is_found_by_the_tests_that_fail_and_missed_if_none_does() {
        let ended = |code: i32, stdout: &str, stderr: &str| {
            judged(&Output {
                status: ExitStatus::from_raw(code << 8),
                stdout: stdout.into(),
                stderr: stderr.into(),
            })
        };
        let found = ended(101, "test a::b ... FAILED\ntest a::c ... ok\n", "");
        assert_eq!(found, Outcome::Found(vec!["a::b".to_owned()]));
        assert_eq!(ended(0, "test a::b ... ok\n", ""), Outcome::Missed);
        let unbuilt = ended(101, "", "warning: x\nerror[E0308]: mismatched types\n");
        assert_eq!(
            unbuilt,
            Outcome::Unbuilt("error[E0308]: mismatched types".to_owned())
        );
    }
}
