//! What becomes of each of the authority's own documents when a broker files them one after the other, against
//! the reviewed table `tests/data/outcomes.tsv`. A row that differs is a fault of the code until a person has
//! read the document and says otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chassis::Role;
use kernel::derived_id;
use proto::common::v1 as common;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;
use uuid::Uuid;

use crate::leaves::{self, Leaf, plain_path, plain_value};
use crate::support::{Scene, asked, codes, documents};

const TABLE: &str = include_str!("../../../../tests/data/outcomes.tsv");
/// Its columns but for the last, which says why.
const COMPARED: usize = 9;
/// Every code that a document of the authority is taken with, what it says of the document, and whether it
/// names a value; one that names none says that something is missing, or speaks of the whole.
const WARNINGS: &str = include_str!("../../../../tests/data/warnings.tsv");

#[tokio::test]
async fn every_document_of_the_authority_has_the_outcome_that_was_reviewed() {
    let scene = Scene::empty().await;
    let mut first: BTreeMap<Uuid, String> = BTreeMap::new();
    let mut differing = Vec::new();
    let (mut warned, mut misplaced) = (BTreeSet::new(), Vec::new());
    let mut rows = TABLE.lines().skip(1);
    for file in files() {
        let name = file
            .strip_prefix(documents())
            .unwrap()
            .display()
            .to_string();
        let bytes = std::fs::read(&file).unwrap();
        // As `broker file` does: the request follows from the bytes.
        let request_id = derived_id(Uuid::NAMESPACE_OID, &bytes);
        let request = wire::FileDocumentRequest {
            request_id: request_id.to_string(),
            validate_only: false,
            document: bytes.clone().into(),
        };
        let response = scene
            .api
            .file_document(asked("broker-a", Role::Broker, request))
            .await
            .unwrap();
        let repeated = response.metadata().contains_key("greenlane-repeated");
        let earlier = first
            .entry(request_id)
            .or_insert_with(|| name.clone())
            .clone();
        assert_eq!(repeated, earlier != name, "{name}");
        let filing = response.into_inner().filing.unwrap();
        let found = row(&name, &filing, if repeated { &earlier } else { "" });
        let reviewed: Vec<&str> = rows.next().unwrap_or_default().split('\t').collect();
        assert!(
            reviewed.last().is_some_and(|why| !why.is_empty()),
            "{name}: nobody says why"
        );
        let leaves = if filing.warnings.is_empty() {
            Vec::new()
        } else {
            leaves::of(&bytes)
        };
        for warning in &filing.warnings {
            warned.insert((warning.code.clone(), !warning.value.is_empty()));
            if !stands(&leaves, warning) {
                misplaced.push(format!("{name}: {warning:?}"));
            }
        }
        if reviewed.iter().take(COMPARED).ne(found.iter()) {
            differing.push(format!(
                "{}\n  reviewed: {}",
                found.join("\t"),
                reviewed.join("\t")
            ));
        }
    }
    assert_eq!(
        rows.next(),
        None,
        "the table names a document that is not there"
    );
    assert!(
        differing.is_empty(),
        "{} rows differ from the reviewed table:\n{}",
        differing.len(),
        differing.join("\n")
    );
    assert!(
        misplaced.is_empty(),
        "{} warnings name what does not stand in the document where they say:\n{}",
        misplaced.len(),
        misplaced.join("\n")
    );
    assert_eq!(warned, explained_warnings());
}

/// The codes of the reviewed list, with whether they name a value.
fn explained_warnings() -> BTreeSet<(String, bool)> {
    let rows = WARNINGS.lines().skip(1);
    rows.map(|row| match row.split('\t').collect::<Vec<_>>()[..] {
        [code, value @ ("value" | ""), why] if !why.is_empty() => {
            (code.to_owned(), value == "value")
        }
        _ => panic!("a row has code, \"value\" or nothing, and a reason: {row:?}"),
    })
    .collect()
}

/// Whether the value of a warning stands in the document at its path. Commodity codes and procedures are
/// written in two parts, one beside the other.
fn stands(leaves: &[Leaf], warning: &common::Fault) -> bool {
    let path = plain_path(&warning.path);
    if !path.starts_with('/') || warning.rule.is_empty() || warning.description.is_empty() {
        return false;
    }
    if warning.value.is_empty() {
        return true;
    }
    let second_part = path.replace("/CurrentCode", "/PreviousCode");
    let at = |path: &str| -> Vec<&str> {
        let there = leaves.iter().filter(|leaf| leaf.path.ends_with(path));
        there.map(|leaf| leaf.value.as_str()).collect()
    };
    let (firsts, seconds) = (at(&path), at(&second_part));
    let value = plain_value(&warning.value);
    // Long values are cut, with a mark of it.
    let cut = value.strip_suffix('…').unwrap_or(&value);
    firsts
        .iter()
        .any(|first| *first == value || (cut != value && first.starts_with(cut)))
        || firsts.iter().any(|first| {
            let rest = warning.value.strip_prefix(first);
            rest.is_some_and(|rest| seconds.contains(&plain_value(rest).as_str()))
        })
}

fn row(name: &str, filing: &wire::Filing, repeats: &str) -> Vec<String> {
    let outcome = filing
        .outcome()
        .as_str_name()
        .trim_start_matches("FILING_OUTCOME_")
        .to_lowercase();
    let at = filing
        .unreadable
        .as_ref()
        .map(|at| format!("{}:{}", at.line, at.column));
    assert_eq!(
        filing.mrn.is_empty(),
        !matches!(outcome.as_str(), "accepted" | "registered"),
        "{name}"
    );
    vec![
        name.to_owned(),
        outcome,
        at.unwrap_or_else(|| filing.unsupported_kind.clone()),
        filing.type_code.clone(),
        filing.lrn.clone(),
        filing.items.to_string(),
        filing.containers.join(";"),
        codes(&filing.faults).join(";"),
        repeats.to_owned(),
    ]
}

/// Every XML file of the authority, whatever the case of its ending, sorted by the bytes of its path.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(&documents(), &mut files);
    files.sort_by(|one, other| {
        one.as_os_str()
            .as_encoded_bytes()
            .cmp(other.as_os_str().as_encoded_bytes())
    });
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("xml"))
        {
            files.push(path);
        }
    }
}
