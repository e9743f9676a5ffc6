//! Mapped plus warned equals all: no value of a filing gets lost.

use wco::{Reading, read, write};

use crate::corpus;
use crate::leaves::{self, Leaf, plain_path, plain_value};

#[test]
fn every_value_of_every_filing_is_mapped_or_listed() {
    for (sample, filing) in corpus::filings() {
        let (inside, around): (Vec<Leaf>, Vec<Leaf>) = leaves::of(&sample.bytes)
            .into_iter()
            .map(|leaf| Leaf {
                path: from_declaration(&leaf.path),
                value: leaf.value,
            })
            .partition(|leaf| leaf.path.starts_with("/Declaration"));

        let mut accounted: Vec<Leaf> = leaves::of(&write(&filing.declaration))
            .into_iter()
            .map(|leaf| Leaf {
                path: from_declaration(&leaf.path),
                value: leaf.value,
            })
            .filter(|leaf| leaf.path.starts_with("/Declaration"))
            .collect();
        accounted.extend(filing.unmapped.iter().map(|unmapped| Leaf {
            path: plain_path(&unmapped.path),
            value: plain_value(&unmapped.value),
        }));
        accounted.sort();
        let mut inside = inside;
        inside.sort();
        assert_eq!(accounted, inside, "{}", sample.name);

        let mut envelope: Vec<Leaf> = filing
            .envelope
            .iter()
            .map(|value| Leaf {
                path: plain_path(&value.path),
                value: plain_value(&value.value),
            })
            .collect();
        envelope.sort();
        let mut around = around;
        around.sort();
        assert_eq!(envelope, around, "{}", sample.name);
    }
}

#[test]
fn every_value_of_every_real_filing_has_a_place_in_the_message() {
    for (sample, filing) in corpus::filings() {
        assert_eq!(filing.unmapped, [], "{}", sample.name);
    }
}

/// An element that no declaration has, put into every class of every real
/// filing in turn, is listed and nothing else changes.
#[test]
fn a_value_put_anywhere_into_a_real_filing_is_listed() {
    for (sample, filing) in corpus::filings().into_iter().step_by(20) {
        let document = String::from_utf8(write(&filing.declaration)).expect("UTF-8");
        let content = document.find("<FunctionCode>").expect("a function code");
        for (close, _) in document.match_indices("</").filter(|(at, _)| *at > content) {
            let mut changed = document.clone();
            changed.insert_str(close, "<Surprise unit=\"u\">s</Surprise>");
            let Reading::Filing(again) = read(changed.as_bytes()) else {
                panic!("{}: no filing with a surprise at {close}", sample.name);
            };
            assert_eq!(
                again.declaration, filing.declaration,
                "{} {close}",
                sample.name
            );
            let around = again
                .envelope
                .iter()
                .filter(|one| one.path.contains("Surprise"));
            assert_eq!(
                again.unmapped.len() + around.count(),
                2,
                "{} {close}",
                sample.name
            );
        }
    }
}

fn from_declaration(path: &str) -> String {
    match path.find("/Declaration/") {
        Some(index) => path[index..].to_owned(),
        None => path.to_owned(),
    }
}
