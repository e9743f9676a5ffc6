//! What becomes of each of the authority's own documents when a broker files them one after the other, against
//! the reviewed table `tests/data/outcomes.tsv`. A row that differs is a fault of the code until a person has
//! read the document and says otherwise.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chassis::Role;
use kernel::derived_id;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;
use uuid::Uuid;

use crate::support::{Scene, asked, codes, documents};

const TABLE: &str = include_str!("../../../../tests/data/outcomes.tsv");
/// Its columns but for the last, which says why.
const COMPARED: usize = 9;

#[tokio::test]
async fn every_document_of_the_authority_has_the_outcome_that_was_reviewed() {
    let scene = Scene::empty().await;
    let mut first: BTreeMap<Uuid, String> = BTreeMap::new();
    let mut differing = Vec::new();
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
            document: bytes.into(),
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
