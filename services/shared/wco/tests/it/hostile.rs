//! Documents made to do harm: mutated real ones, and ones built to be large
//! where they are cheap. Set `WCO_FUZZ_SECONDS` to mutate for longer.

use std::thread;
use std::time::{Duration, Instant};

use prost::Message;
use wco::limits::{DEPTH_MAX, DOCUMENT_BYTES_MAX, NAME_BYTES_MAX, UNMAPPED_VALUES_MAX};
use wco::tax::read_tax_notification;
use wco::{Cause, Reading, read};

use crate::corpus;

#[test]
fn no_mutation_of_a_real_document_does_harm() {
    let seconds = std::env::var("WCO_FUZZ_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(2);
    let seeds = [0x9E37_79B9_7F4A_7C15, 0x517C_C1B7_2722_0A95];
    let tried: usize = thread::scope(|scope| {
        let duration = Duration::from_secs(seconds);
        let workers = seeds.map(|seed| scope.spawn(move || fuzz_for(duration, seed)));
        workers.map(|worker| worker.join().unwrap()).iter().sum()
    });
    assert!(tried > 100, "only {tried} documents were tried");
}

#[test]
fn documents_that_are_large_where_they_are_cheap_stay_cheap() {
    let fill = |unit: &str, room: usize| unit.repeat(room / unit.len());
    let room = DOCUMENT_BYTES_MAX - 1_000;
    let open = "<MetaData><Declaration><FunctionCode>9</FunctionCode><TypeCode>IMA</TypeCode>";
    let close = "</Declaration></MetaData>";
    let shipment = format!("{open}<GoodsShipment><GovernmentAgencyGoodsItem>");
    let shipment_close = format!("</GovernmentAgencyGoodsItem></GoodsShipment>{close}");
    let documents = [
        format!("{open}{}{close}", fill("<A>1</A>", room)),
        format!("{open}{}{close}", fill("<AdditionalDocument/>", room)),
        format!("{open}{}{close}", fill(" ", room)),
        format!("{open}{}{close}", fill("<!-- -->", room)),
        format!("{open}<TypeName>{}</TypeName>{close}", fill("&amp;", room)),
        format!("{open}<A b='{}'/>{close}", fill("x", room)),
        format!("{open}<{}/>{close}", fill("x", room)),
        format!("{open}<A {}/>{close}", fill("a='1' ", room)),
        format!("{shipment}{}{shipment_close}", fill("<Origin/>", room)),
        fill("<MetaData>", room),
        fill("<", room),
        fill("&", room),
    ];
    for document in documents {
        check(document.as_bytes());
    }
    let too_large = vec![b' '; DOCUMENT_BYTES_MAX + 1];
    let Reading::Unreadable(unreadable) = read(&too_large) else {
        panic!("too large a document was read");
    };
    assert_eq!(unreadable.cause, Cause::TooLarge(DOCUMENT_BYTES_MAX + 1));
}

/// Mutates real documents for a time; says how many were tried.
fn fuzz_for(duration: Duration, seed: u64) -> usize {
    let samples: Vec<Vec<u8>> = corpus::samples()
        .into_iter()
        .map(|sample| sample.bytes)
        .collect();
    let mut mutator = Mutator { state: seed };
    let end = Instant::now() + duration;
    let mut tried = 0;
    while Instant::now() < end {
        let mut document = mutator.choose(&samples).clone();
        for _ in 0..=mutator.below(4) {
            let other = mutator.choose(&samples);
            mutator.mutate(&mut document, other);
        }
        check(&document);
        tried += 1;
    }
    tried
}

/// Whatever the bytes, the answer is one of three, places lie inside of the
/// document, and an answer holds no more than was sent.
fn check(document: &[u8]) {
    match read(document) {
        Reading::Filing(filing) => {
            let values = filing.declaration.encoded_len();
            assert!(values <= document.len(), "{values} from {}", document.len());
            assert!(filing.unmapped.len() <= UNMAPPED_VALUES_MAX);
            let path_bytes_max = (DEPTH_MAX + 1) * (NAME_BYTES_MAX + 8);
            assert!(
                filing
                    .unmapped
                    .iter()
                    .all(|one| one.path.len() <= path_bytes_max)
            );
            let listed: usize = filing.unmapped.iter().map(|one| one.value.len()).sum();
            assert!(values + listed <= 2 * document.len());
        }
        Reading::Unsupported(unsupported) => assert!(!unsupported.kind.is_empty()),
        Reading::Unreadable(unreadable) => {
            let lines = document.iter().filter(|byte| **byte == b'\n').count();
            let line = usize::try_from(unreadable.line).expect("a line number");
            assert!(line >= 1 && line <= lines + 1, "{unreadable}");
            assert!(unreadable.column >= 1, "{unreadable}");
        }
    }
    // Any answer will do, but it must be one.
    let _ = read_tax_notification(document);
}

struct Mutator {
    state: u64,
}

impl Mutator {
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let bound = u64::try_from(bound.max(1)).expect("a small bound");
        usize::try_from((self.state >> 11) % bound).expect("below a small bound")
    }

    fn choose<'s>(&mut self, samples: &'s [Vec<u8>]) -> &'s Vec<u8> {
        &samples[self.below(samples.len())]
    }

    fn range(&mut self, length: usize, longest: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let end = (start + self.below(longest)).min(length);
        start..end
    }

    fn mutate(&mut self, document: &mut Vec<u8>, other: &[u8]) {
        const TOKENS: [&[u8]; 26] = [
            b"<",
            b">",
            b"/",
            b"&",
            b";",
            b"\"",
            b"'",
            b"=",
            b"]]>",
            b"<![CDATA[",
            b"<!--",
            b"-->",
            b"--",
            b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
            b"<?xml version=\"1.0\"?>",
            b"<?x?>",
            b"&#0;",
            b"&#x10FFFF;",
            b"&#99999999999;",
            b"\0",
            b"\xEF\xBB\xBF",
            b"\xFF",
            b"\xE6\xB8",
            b"<Declaration>",
            b"</Declaration>",
            b"<GovernmentAgencyGoodsItem/>",
        ];
        match self.below(8) {
            0 => {
                let at = self.below(document.len());
                if let Some(byte) = document.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            1 => {
                let range = self.range(document.len(), 200);
                document.drain(range);
            }
            2 => {
                let range = self.range(document.len(), 2_000);
                let copy = document[range].to_vec();
                let at = self.below(document.len() + 1);
                document.splice(at..at, copy);
            }
            3 => document.truncate(self.below(document.len() + 1)),
            4 => {
                let token = TOKENS[self.below(TOKENS.len())];
                let times = 1 + self.below(40);
                let at = self.below(document.len() + 1);
                document.splice(at..at, token.repeat(times));
            }
            5 => {
                let replaced = self.range(document.len(), 500);
                let foreign = self.range(other.len(), 2_000);
                document.splice(replaced, other[foreign].iter().copied());
            }
            6 => self.change_markup(document),
            _ => {
                let token = TOKENS[self.below(TOKENS.len())];
                let at = self.below(document.len() + 1);
                document.splice(at..at, token.iter().copied());
            }
        }
    }

    /// Repeats a whole element or an opening tag, so that documents often stay
    /// well-formed and the deeper layers see them.
    fn change_markup(&mut self, document: &mut Vec<u8>) {
        let from = self.below(document.len());
        let Some(start) = document[from..].iter().position(|byte| *byte == b'<') else {
            return;
        };
        let start = from + start;
        let tags = 2 * (1 + self.below(6));
        let mut end = start;
        for _ in 0..tags {
            match document[end..].iter().position(|byte| *byte == b'>') {
                Some(offset) => end += offset + 1,
                None => return,
            }
        }
        let copy = document[start..end].repeat(1 + self.below(20));
        document.splice(end..end, copy);
    }
}
