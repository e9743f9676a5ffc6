//! The real documents, and what each of them is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wco::{Filing, Reading, read};

use crate::leaves;

const FOLDER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../tests/data/declarations"
);

/// A real document.
pub struct Sample {
    /// Its path below the folder of documents.
    pub name: String,
    /// Its bytes, as received.
    pub bytes: Vec<u8>,
}

/// All XML documents, sorted by path.
pub fn samples() -> Vec<Sample> {
    let mut paths = Vec::new();
    collect(Path::new(FOLDER), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| Sample {
            name: path
                .strip_prefix(FOLDER)
                .expect("below the folder")
                .display()
                .to_string(),
            bytes: std::fs::read(&path).expect("a readable file"),
        })
        .collect()
}

/// Those that are filings.
pub fn filings() -> Vec<(Sample, Filing)> {
    samples()
        .into_iter()
        .filter_map(|sample| match read(&sample.bytes) {
            Reading::Filing(filing) => Some((sample, filing)),
            Reading::Unsupported(_) | Reading::Unreadable(_) => None,
        })
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder of documents") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("xml"))
        {
            paths.push(path);
        }
    }
}

#[test]
fn every_real_document_is_told_apart() {
    let mut counts = BTreeMap::<String, usize>::new();
    for sample in samples() {
        let kind = match read(&sample.bytes) {
            Reading::Filing(_) => "filing".to_owned(),
            Reading::Unsupported(unsupported) => unsupported.kind,
            Reading::Unreadable(_) => "unreadable".to_owned(),
        };
        *counts.entry(kind).or_default() += 1;
    }
    let expected = [
        ("amendment (function 13, COR)", 16),
        ("arrival (function 13, GPR)", 3),
        ("cancellation (function 13, INV)", 2),
        ("declaration information (DeclarationFullResponse)", 2),
        ("declaration information (DeclarationVersionResponse)", 1),
        ("filing", 211),
        (
            "inventory linking (InventoryLinkingImportsValidateMovementResponse)",
            7,
        ),
        (
            "inventory linking (inventoryLinkingConsolidationRequest)",
            1,
        ),
        ("inventory linking (inventoryLinkingImportsGoodsArrival)", 2),
        ("inventory linking (inventoryLinkingMovementRequest)", 13),
        ("notification DMSACC", 68),
        ("notification DMSCLE", 66),
        ("notification DMSCPI", 2),
        ("notification DMSCPR", 1),
        ("notification DMSCTL", 2),
        ("notification DMSDOC", 3),
        ("notification DMSEOG", 4),
        ("notification DMSGER", 1),
        ("notification DMSINV", 2),
        ("notification DMSRCV", 23),
        ("notification DMSREJ", 4),
        ("notification DMSREQ", 9),
        ("notification DMSRES", 12),
        ("notification DMSROG", 4),
        ("notification DMSTAX", 117),
        ("unreadable", 1),
    ];
    let expected: BTreeMap<String, usize> = expected
        .iter()
        .map(|(kind, count)| ((*kind).to_owned(), *count))
        .collect();
    assert_eq!(counts, expected);
}

#[test]
fn the_document_that_is_not_well_formed_is_refused_at_the_comment_left_open() {
    let sample = samples()
        .into_iter()
        .find(|sample| matches!(read(&sample.bytes), Reading::Unreadable(_)))
        .expect("one document is not well-formed");
    let Reading::Unreadable(unreadable) = read(&sample.bytes) else {
        panic!("{} is well-formed", sample.name);
    };
    assert!(sample.name.starts_with("TT_EX022a"), "{}", sample.name);
    assert_eq!(
        (unreadable.line, unreadable.column),
        (52, 6),
        "{unreadable}"
    );
    assert!(unreadable.to_string().contains("comment"), "{unreadable}");
}

#[test]
fn facts_are_those_written_in_the_document() {
    for (sample, filing) in filings() {
        let leaves = leaves::of(&sample.bytes);
        let values = |ending: &str| -> Vec<String> {
            leaves
                .iter()
                .filter(|leaf| leaf.path.ends_with(ending))
                .map(|leaf| leaf.value.clone())
                .collect()
        };
        let name = &sample.name;
        let items = values("/GoodsShipment/GovernmentAgencyGoodsItem/SequenceNumeric");
        assert_eq!(filing.facts.items, items.len(), "{name}");
        assert_eq!(
            vec![filing.facts.lrn],
            values("/Declaration/FunctionalReferenceID"),
            "{name}"
        );
        assert_eq!(
            vec![filing.facts.type_code],
            values("/Declaration/TypeCode"),
            "{name}"
        );
        let mut containers = values("/TransportEquipment/ID");
        containers.sort();
        containers.dedup();
        let mut found = filing.facts.containers;
        found.sort();
        assert_eq!(found, containers, "{name}");
    }
}

#[test]
fn an_amendment_tells_its_type_and_reference() {
    let amendment = samples()
        .into_iter()
        .find(|sample| sample.name.ends_with("TT_IM061b_Amendment.xml"))
        .expect("the amendment");
    let Reading::Unsupported(unsupported) = read(&amendment.bytes) else {
        panic!("an amendment is no filing");
    };
    assert_eq!(unsupported.facts.type_code, "COR");
    assert_eq!(unsupported.facts.lrn, "TT_IM61b_v1.1_1606_02");
}
