//! The authority's documents that the demo files, embedded byte for byte, and what is replaced in them:
//! `replacements.toml` says it, nothing else does. It must not know who files them, nor what comes of it.

use serde::Deserialize;

use super::mishap::Mishap;
use super::names::Names;

/// Said once for all documents.
const REPLACEMENTS: &str = include_str!("replacements.toml");

/// The documents as they were published.
const PUBLISHED: [(&str, &str); 2] = [
    ("TT_IM109a.xml", include_str!("documents/TT_IM109a.xml")),
    (
        "Step1_TT_IM017a.xml",
        include_str!("documents/Step1_TT_IM017a.xml"),
    ),
];

/// What the authority answered to TT_IM109a: its tax notifications, secured and final.
pub const TAX_NOTIFICATIONS: [(&str, &[u8]); 2] = [
    (
        "TT_IM109a_DMSTAX_1.xml",
        include_bytes!("documents/TT_IM109a_DMSTAX_1.xml"),
    ),
    (
        "TT_IM109a_DMSTAX_2.xml",
        include_bytes!("documents/TT_IM109a_DMSTAX_2.xml"),
    ),
];

/// A document with our names in it, ready to be filed.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file it was.
    pub file: String,
    /// Its bytes now.
    pub bytes: Vec<u8>,
    /// What was replaced, as it was.
    pub replaced: Vec<Replaced>,
}

/// One replacement, done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Which element.
    pub what: String,
    /// The text as published.
    pub old: String,
    /// The text now.
    pub new: String,
    /// How often.
    pub times: usize,
    /// Why.
    pub why: String,
}

/// The identifiers by which documents name our parties.
#[derive(Clone, Debug)]
pub struct Eoris {
    /// The declarant's.
    pub broker: String,
    /// The importer's.
    pub trader: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    documents: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    journey: String,
    replacements: Vec<Replacement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replacement {
    what: String,
    why: String,
    old: String,
    new: String,
    times: usize,
}

/// The document that a journey files, with everything replaced that `replacements.toml` says.
///
/// # Errors
/// The table and the documents do not fit each other: a text is not there as often as the table says.
pub fn prepare(journey: &str, names: &Names, eoris: &Eoris) -> Result<Document, Mishap> {
    let table: Table =
        toml::from_str(REPLACEMENTS).map_err(|error| Mishap::Documents(error.to_string()))?;
    let entry = table
        .documents
        .into_iter()
        .find(|entry| entry.journey == journey)
        .ok_or_else(|| {
            Mishap::Documents(format!("replacements.toml names no document for {journey}"))
        })?;
    let (_, published) = PUBLISHED
        .iter()
        .find(|(file, _)| *file == entry.file)
        .ok_or_else(|| Mishap::Documents(format!("{} is not embedded", entry.file)))?;
    let mut text = (*published).to_owned();
    let mut replaced = Vec::new();
    for replacement in entry.replacements {
        let found = published.matches(&replacement.old).count();
        if found != replacement.times {
            let Replacement {
                what, old, times, ..
            } = &replacement;
            return Err(Mishap::Documents(format!(
                "{}: {what}: {old:?} stands there {found} times and not {times}; correct replacements.toml",
                entry.file
            )));
        }
        let new = filled(&replacement.new, names, eoris);
        text = text.replace(&replacement.old, &new);
        let Replacement {
            what,
            why,
            old,
            times,
            ..
        } = replacement;
        replaced.push(Replaced {
            what,
            old,
            new,
            times,
            why,
        });
    }
    Ok(Document {
        file: entry.file,
        bytes: text.into_bytes(),
        replaced,
    })
}

fn filled(text: &str, names: &Names, eoris: &Eoris) -> String {
    text.replace("{lrn}", &names.lrn)
        .replace("{container}", names.container.as_str())
        .replace("{transport_document}", &names.transport_document)
        .replace("{broker}", &eoris.broker)
        .replace("{trader}", &eoris.trader)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use wco::Reading;

    const JOURNEYS: [(&str, char, u32); 2] = [("import-pick-up", 'A', 500), ("not-today", 'E', 80)];

    fn prepared(journey: &str, letter: char) -> (Names, Document) {
        let names = Names::of(letter, 1_800_000_000).unwrap();
        let eoris = Eoris {
            broker: "GB111111111111".to_owned(),
            trader: "GB222222222222".to_owned(),
        };
        let document = prepare(journey, &names, &eoris).unwrap();
        (names, document)
    }

    #[test]
    fn the_documents_are_the_authoritys_byte_for_byte() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/declarations");
        let embedded = [
            ("TT_IM109a/TT_IM109a.xml", PUBLISHED[0].1.as_bytes()),
            ("TT_IM017a/Step1_TT_IM017a.xml", PUBLISHED[1].1.as_bytes()),
            (
                "TT_IM109a/Example_Notifications/02_DMSTAX(1).xml",
                TAX_NOTIFICATIONS[0].1,
            ),
            (
                "TT_IM109a/Example_Notifications/03_DMSTAX(2).xml",
                TAX_NOTIFICATIONS[1].1,
            ),
            ("LICENSE", include_bytes!("documents/LICENSE").as_slice()),
        ];
        for (file, bytes) in embedded {
            assert!(
                std::fs::read(data.join(file)).unwrap() == bytes,
                "{file} differs"
            );
        }
    }

    #[test]
    fn every_replacement_is_done_and_nothing_else_changes() {
        for (journey, letter, _) in JOURNEYS {
            let (_, document) = prepared(journey, letter);
            let mut back = String::from_utf8(document.bytes).unwrap();
            for replaced in &document.replaced {
                assert_eq!(
                    back.matches(&replaced.new).count(),
                    replaced.times,
                    "{}",
                    replaced.what
                );
                back = back.replace(&replaced.new, &replaced.old);
                assert!(!replaced.why.is_empty());
            }
            let (_, published) = PUBLISHED
                .iter()
                .find(|(file, _)| *file == document.file)
                .unwrap();
            assert_eq!(back, **published);
        }
    }

    #[test]
    fn the_documents_say_what_the_manifest_will_say() {
        for (journey, letter, packages) in JOURNEYS {
            let (names, document) = prepared(journey, letter);
            let Reading::Filing(filing) = wco::read(&document.bytes) else {
                panic!("{journey}'s document is no filing");
            };
            let declaration = &filing.declaration;
            assert_eq!(declaration.lrn, names.lrn);
            assert_eq!(declaration.total_package_quantity, Some(packages));
            assert_eq!(wco::containers(declaration), [names.container.as_str()]);
            let documents: BTreeSet<&str> = declaration
                .transport_documents
                .iter()
                .map(|document| document.id.as_str())
                .collect();
            assert_eq!(
                documents,
                BTreeSet::from([names.transport_document.as_str()])
            );
        }
    }
}
