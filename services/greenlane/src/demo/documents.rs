//! The authority's documents that the demo files, embedded byte for byte, and what is replaced in them:
//! `replacements.toml` says it, nothing else does. It must not know who files them, nor what comes of it.

use serde::Deserialize;

use super::mishap::Mishap;
use super::names::Names;

/// Said once for all documents.
const REPLACEMENTS: &str = include_str!("replacements.toml");

/// The documents as they were published.
const PUBLISHED: [(&str, &str); 5] = [
    ("TT_IM109a.xml", include_str!("documents/TT_IM109a.xml")),
    ("TT_EX011a.xml", include_str!("documents/TT_EX011a.xml")),
    ("TT_IM012a.xml", include_str!("documents/TT_IM012a.xml")),
    ("TT_IM043a.xml", include_str!("documents/TT_IM043a.xml")),
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
    /// The broker's.
    pub broker: String,
    /// The trader's.
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

/// The document that a journey files, with everything replaced that `replacements.toml` says. `list` is the stock
/// list that the document names; empty where there is none.
///
/// # Errors
/// The table and the documents do not fit each other: a text is not there as often as the table says.
pub fn prepare(
    journey: &str,
    names: &Names,
    eoris: &Eoris,
    list: &str,
) -> Result<Document, Mishap> {
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
        let new = filled(&replacement.new, names, eoris, list);
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

fn filled(text: &str, names: &Names, eoris: &Eoris, list: &str) -> String {
    text.replace("{lrn}", &names.lrn)
        .replace("{container}", names.container.as_str())
        .replace("{transport_document}", &names.transport_document)
        .replace("{broker}", &eoris.broker)
        .replace("{trader}", &eoris.trader)
        .replace("{list}", list)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use wco::Reading;

    /// What the train's list or the truck's filing will say of each journey's goods.
    struct Told {
        journey: &'static str,
        letter: char,
        packages: u32,
        /// The transport document is on a manifest.
        by_train: bool,
        list: &'static str,
    }

    const TOLD: [Told; 5] = [
        told("import-pick-up", 'A', 500, true, ""),
        told("export-drop-off", 'B', 10, false, ""),
        told("into-bond", 'C', 50, true, "QD800026I000000001"),
        told("out-of-bond", 'D', 250, false, "QD800026E000000001"),
        told("not-today", 'E', 80, true, ""),
    ];

    const fn told(
        journey: &'static str,
        letter: char,
        packages: u32,
        by_train: bool,
        list: &'static str,
    ) -> Told {
        Told {
            journey,
            letter,
            packages,
            by_train,
            list,
        }
    }

    fn prepared(told: &Told) -> (Names, Document) {
        let names = Names::of(told.letter, 1_800_000_000).unwrap();
        let eoris = Eoris {
            broker: "GB111111111111".to_owned(),
            trader: "GB222222222222".to_owned(),
        };
        let document = prepare(told.journey, &names, &eoris, told.list).unwrap();
        (names, document)
    }

    #[test]
    fn the_documents_are_the_authoritys_byte_for_byte() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/declarations");
        let embedded = [
            ("TT_IM109a/TT_IM109a.xml", PUBLISHED[0].1.as_bytes()),
            ("TT_EX011a/TT_EX011a.xml", PUBLISHED[1].1.as_bytes()),
            ("TT_IM012a/TT_IM012a.xml", PUBLISHED[2].1.as_bytes()),
            ("TT_IM043a/TT_IM043a.xml", PUBLISHED[3].1.as_bytes()),
            ("TT_IM017a/Step1_TT_IM017a.xml", PUBLISHED[4].1.as_bytes()),
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
        for told in &TOLD {
            let (_, document) = prepared(told);
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
        for told in &TOLD {
            let (names, document) = prepared(told);
            let Reading::Filing(filing) = wco::read(&document.bytes) else {
                panic!("{}'s document is no filing", told.journey);
            };
            let declaration = &filing.declaration;
            assert_eq!(declaration.lrn, names.lrn);
            assert_eq!(declaration.total_package_quantity, Some(told.packages));
            assert_eq!(wco::containers(declaration), [names.container.as_str()]);
            let of_items = declaration
                .items
                .iter()
                .flat_map(|item| &item.previous_documents);
            let named: Vec<&str> = declaration
                .previous_documents
                .iter()
                .chain(of_items)
                .map(|document| document.id.as_str())
                .filter(|id| kernel::StockListNumber::parse(id).is_ok())
                .collect();
            let lists: Vec<&str> = Some(told.list)
                .into_iter()
                .filter(|list| !list.is_empty())
                .collect();
            assert_eq!(named, lists);
            if !told.by_train {
                continue;
            }
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
