//! `broker file` over the project's copy of real declarations, and what is special about it: every file is
//! answered, in order, and the same bytes are answered the same.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::cargo::{Cargo, GREEN, one};
use crate::site::document;
use crate::world::world;

const OUTCOMES: [&str; 5] = [
    "accepted",
    "registered",
    "rejected",
    "unsupported",
    "unreadable",
];

const FIELDS: [&str; 11] = [
    "file",
    "outcome",
    "declaration_id",
    "mrn",
    "lrn",
    "type",
    "items",
    "containers",
    "faults",
    "warnings",
    "repeated",
];

fn xml_below(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap();
        if path.is_dir() {
            xml_below(&path, found);
        } else if name.to_lowercase().ends_with(".xml") {
            found.push(name.to_owned());
        }
    }
}

#[test]
fn every_file_of_the_corpus_is_answered_in_order_and_the_second_run_repeats_the_first() {
    let folder = document("");
    let folder = folder.trim_end_matches('/');
    let mut expected = Vec::new();
    xml_below(Path::new(folder), &mut expected);
    expected.sort();

    let first = world().run(&["broker", "file", folder]).done().objects();
    let files: Vec<_> = first
        .iter()
        .map(|answer| answer["file"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(files, expected);
    for answer in &first {
        for field in FIELDS {
            assert!(answer.get(field).is_some(), "{field} is missing: {answer}");
        }
        let outcome = answer["outcome"].as_str().unwrap();
        assert!(OUTCOMES.contains(&outcome), "{answer}");
        let has_mrn = answer["mrn"] != "";
        assert_eq!(
            has_mrn,
            outcome == "accepted" || outcome == "registered",
            "{answer}"
        );
    }
    same_bytes_have_the_same_answer(&first);

    let second = world().run(&["broker", "file", folder]).done().objects();
    assert_eq!(second.len(), first.len());
    for (mut then, now) in first.into_iter().zip(second) {
        then["repeated"] = json!(true);
        assert_eq!(then, now);
    }
}

/// Of two files of the same bytes the second is answered as the first.
fn same_bytes_have_the_same_answer(answers: &[Value]) {
    let mut by_content: HashMap<Vec<u8>, &Value> = HashMap::new();
    let mut repetitions = 0;
    for answer in answers {
        let bytes = fs::read(answer["file"].as_str().unwrap()).unwrap();
        let Some(earlier) = by_content.get(&bytes) else {
            by_content.insert(bytes, answer);
            continue;
        };
        let mut expected = (*earlier).clone();
        expected["file"] = answer["file"].clone();
        expected["repeated"] = json!(true);
        assert_eq!(*answer, expected);
        repetitions += 1;
    }
    assert!(repetitions > 0, "the corpus holds the same bytes twice");
}

#[test]
fn what_cannot_be_read_is_answered_without_being_sent() {
    let cargo = Cargo::new(GREEN);
    let large = cargo.write("large.xml", "");
    let file = fs::File::options().write(true).open(&large).unwrap();
    file.set_len(10 * 1024 * 1024 + 1).unwrap();
    let broken = cargo.write("broken.xml", "<MetaData>\n<Declaration></MetaData>");
    let arguments = ["broker", "file", &large, &broken];
    let answers = world().run(&arguments).done().objects();
    let [broken, unsent] = answers.try_into().unwrap();
    for answer in [&broken, &unsent] {
        assert_eq!(answer["outcome"], "unreadable", "{answer}");
        assert_ne!(answer["cause"], "", "{answer}");
    }
    assert_eq!(broken["line"], 2, "{broken}");
    assert_eq!((&unsent["line"], &unsent["column"]), (&json!(1), &json!(1)));
    let cause = unsent["cause"].as_str().unwrap();
    assert!(cause.contains("10485760 bytes (10 MiB)"), "{cause}");
    let again = world().run(&["broker", "file", &large]).done().objects();
    assert_eq!(again, [unsent], "the same answer each time");
}

#[test]
fn a_path_that_is_not_there_is_refused_before_anything_is_filed() {
    let cargo = Cargo::new(GREEN);
    let document = cargo.document();
    let missing = format!("{document}.missing");
    let refused = world()
        .run(&["broker", "file", &document, &missing])
        .refused();
    assert!(refused.stderr.contains(&missing), "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
    let filed = one(world().run_json(&["broker", "file", &document]));
    assert_eq!(filed["repeated"], false, "{filed}");
}

#[test]
fn the_document_comes_back_byte_for_byte() {
    let cargo = Cargo::new(GREEN);
    let path = cargo.document();
    let mrn = cargo.lodge()["mrn"].as_str().unwrap().to_owned();
    let printed = world().run(&["broker", "document", &mrn]).done();
    assert_eq!(printed.stdout, fs::read_to_string(&path).unwrap());
    let copy = cargo.write("copy.xml", "");
    world()
        .run(&["broker", "document", &mrn, "--to", &copy])
        .done();
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&path).unwrap());
}

#[test]
fn after_a_rejection_the_same_bytes_may_be_filed_again() {
    let cargo = Cargo::new(GREEN);
    let text = fs::read_to_string(cargo.document()).unwrap();
    // Without a reference no declaration is taken.
    let reference = format!(
        "<FunctionalReferenceID>{}</FunctionalReferenceID>",
        cargo.lrn
    );
    assert!(text.contains(&reference));
    let path = cargo.write("faulty.xml", &text.replace(&reference, ""));
    let file = |extra: &[&str]| {
        let mut arguments = vec!["broker", "file", path.as_str()];
        arguments.extend(extra);
        one(world().run(&arguments).done())
    };
    let first = file(&[]);
    assert_eq!(first["outcome"], "rejected", "{first}");
    assert_ne!(first["declaration_id"], "");
    assert_eq!(first["mrn"], "");
    assert!(!first["faults"].as_array().unwrap().is_empty());
    let second = file(&[]);
    assert_eq!(second["repeated"], true);
    assert_eq!(second["declaration_id"], first["declaration_id"]);
    let anew = file(&["--again"]);
    assert_eq!(anew["repeated"], false);
    assert_ne!(anew["declaration_id"], first["declaration_id"]);
    let mut checked = file(&["--check"]);
    assert_eq!(checked["declaration_id"], "", "a check records nothing");
    assert_eq!(checked["faults"].take(), first["faults"]);
}

/// Of two files with one reference the first in order is filed, however many are on their way at once, and the
/// second is told with all that it says and all that is wrong with it, also what no status has room for.
#[test]
fn of_two_files_with_one_reference_the_second_is_the_conflict() {
    let cargo = Cargo::new(GREEN);
    let text = fs::read_to_string(cargo.document()).unwrap();
    let boxes: String = (0..900)
        .map(|number| format!("<TransportEquipment><ID>N{number:010}</ID></TransportEquipment>"))
        .collect();
    let wrong = text
        .replace(
            "<GoodsItemQuantity>1</GoodsItemQuantity>",
            "<GoodsItemQuantity>7</GoodsItemQuantity>",
        )
        .replacen("</Consignment>", &format!("{boxes}</Consignment>"), 1);
    // The first is the larger by far, so that it would be the later one to arrive.
    let large = text.replacen(
        "<FunctionCode>",
        &format!("<!--{}--><FunctionCode>", "x".repeat(2_000_000)),
        1,
    );
    let first = cargo.write("a.xml", &large);
    let second = cargo.write("b.xml", &wrong);
    let answers = world()
        .run(&["broker", "file", &first, &second])
        .done()
        .objects();
    let [first, second] = answers.try_into().unwrap();
    assert_ne!(first["mrn"], "", "{first}");
    assert_eq!(second["outcome"], "rejected", "{second}");
    for told in ["lrn", "type", "items"] {
        assert_eq!(second[told], first[told], "{told}: {second}");
    }
    assert_eq!(second["containers"].as_array().unwrap().len(), 901);
    let codes: Vec<_> = second["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["LRN_IN_USE", "ITEM_COUNT_DIFFERS"]);
    assert_eq!(second["faults"][0]["value"], first["lrn"]);
    assert_eq!(second["existing_declaration_id"], first["declaration_id"]);
}

#[test]
fn a_broker_without_the_right_is_refused_and_told() {
    let cargo = Cargo::new(GREEN);
    let path = cargo.document();
    let refused = world().run(&["--as", "haulier-a", "broker", "file", &path]);
    let told = refused.refused().stderr;
    assert!(told.contains("ROLE_REQUIRED"), "{told}");
}
