//! Every reason that a service may refuse for stands once in a catalogue and has a page, which names its code; no
//! page is left over, no reason is raised that nobody can look up, and the README says where the catalogues are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::sources::{Source, below, root};

/// Where reasons are catalogued.
const CATALOGUES: [&str; 5] = [
    "services/shared/chassis/src/errors/catalogue.rs",
    "services/gate/src/error.rs",
    "services/customs/src/error.rs",
    "services/bonded/src/error.rs",
    "services/release/src/error.rs",
];
/// How a refusal is made: the first argument is its reason.
const REFUSALS: [&str; 8] = [
    "Refusal::invalid(",
    "Refusal::already_exists(",
    "Refusal::denied(",
    "Refusal::unmet(",
    "Refusal::exhausted(",
    "Refusal::unauthenticated(",
    "Refusal::unavailable(",
    "Refusal::internal(",
];

fn catalogued() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in below(&["services"]) {
        if CATALOGUES.contains(&source.path.as_str()) {
            for reason in first_arguments(&source, &["reason("]) {
                found.entry(reason).or_default().push(source.path.clone());
            }
        }
    }
    found
}

fn pages() -> BTreeSet<String> {
    fs::read_dir(root().join("docs/errors"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .filter(|name| name != "README")
        .collect()
}

/// The upper snake case literals that stand first in a call.
fn first_arguments(source: &Source, calls: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for call in calls {
        for (start, _) in source.code.match_indices(call) {
            let arguments = source.code[start + call.len()..].trim_start();
            let literal = arguments
                .strip_prefix('"')
                .and_then(|rest| rest.split_once('"'))
                .map(|(literal, _)| literal);
            let is_reason = |text: &&str| {
                !text.is_empty()
                    && text.chars().all(|letter| {
                        letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_'
                    })
            };
            found.extend(literal.filter(is_reason).map(str::to_owned));
        }
    }
    found
}

/// The reasons of a catalogue, each with the gRPC code that it travels with: `FailedPrecondition`.
fn codes() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for source in below(&["services"]) {
        if CATALOGUES.contains(&source.path.as_str()) {
            for (start, code) in source.code.match_indices("Code::") {
                let before = &source.code[..start];
                let reason = before.rsplit('"').nth(1).unwrap_or_default();
                let letters = |letter: char| !letter.is_ascii_alphabetic();
                let name = &source.code[start + code.len()..];
                let name = name.split(letters).next().unwrap_or_default();
                found.insert(reason.to_owned(), name.to_owned());
            }
        }
    }
    found
}

/// As the wire's documentation spells a code: `FAILED_PRECONDITION`.
fn spelled(code: &str) -> String {
    let mut spelled = String::new();
    for letter in code.chars() {
        if letter.is_ascii_uppercase() && !spelled.is_empty() {
            spelled.push('_');
        }
        spelled.push(letter.to_ascii_uppercase());
    }
    spelled
}

#[test]
fn every_catalogue_is_looked_at_and_the_readme_names_each_and_no_other_file() {
    let there: BTreeSet<String> = below(&["services"])
        .iter()
        .filter(|source| source.code.contains("static CATALOGUE: &[Entry]"))
        .map(|source| source.path.clone())
        .collect();
    let known: BTreeSet<String> = CATALOGUES.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(there, known);
    let readme = fs::read_to_string(root().join("docs/errors/README.md")).unwrap();
    let named: BTreeSet<String> = readme
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| quoted.ends_with(".rs"))
        .map(str::to_owned)
        .collect();
    assert_eq!(named, known);
}

#[test]
fn a_page_names_the_code_that_its_reason_travels_with() {
    let codes = codes();
    let reasons: BTreeSet<String> = catalogued().into_keys().collect();
    assert_eq!(codes.keys().cloned().collect::<BTreeSet<_>>(), reasons);
    let wrong: Vec<String> = codes
        .into_iter()
        .map(|(reason, code)| (reason, format!("gRPC code: `{}`\n", spelled(&code))))
        .filter(|(reason, line)| {
            let page = root().join(format!("docs/errors/{reason}.md"));
            !fs::read_to_string(page).unwrap_or_default().contains(line)
        })
        .map(|(reason, line)| format!("{reason}: {line}"))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_reason_stands_in_one_catalogue() {
    let twice: Vec<_> = catalogued()
        .into_iter()
        .filter(|(_, places)| places.len() > 1)
        .collect();
    assert_eq!(twice, Vec::new());
}

#[test]
fn every_reason_has_a_page_and_every_page_a_reason() {
    let reasons: BTreeSet<String> = catalogued().into_keys().collect();
    assert!(
        reasons.len() >= 20,
        "only {} reasons were found",
        reasons.len()
    );
    let pages = pages();
    let without_page: Vec<_> = reasons.difference(&pages).collect();
    let without_reason: Vec<_> = pages.difference(&reasons).collect();
    assert!(
        without_page.is_empty(),
        "write docs/errors/REASON.md for {without_page:?}"
    );
    assert!(
        without_reason.is_empty(),
        "pages of no reason: {without_reason:?}"
    );
}

#[test]
fn a_page_opens_with_its_reason_and_says_who_acts() {
    let wanting: Vec<String> = pages()
        .into_iter()
        .filter(|reason| {
            let text = fs::read_to_string(root().join(format!("docs/errors/{reason}.md"))).unwrap();
            !text.starts_with(&format!("# {reason}\n")) || !text.to_lowercase().contains("who acts")
        })
        .collect();
    assert_eq!(wanting, Vec::<String>::new());
}

#[test]
fn no_reason_is_raised_that_is_not_catalogued() {
    let known = catalogued();
    let unknown: BTreeSet<String> = below(&["services"])
        .iter()
        .filter(|source| source.path.contains("/src/"))
        .flat_map(|source| first_arguments(source, &REFUSALS))
        .filter(|reason| !known.contains_key(reason))
        .collect();
    assert_eq!(unknown, BTreeSet::new());
}
