//! Account books: one trader's stock at one bonded centre. It must not know lines'
//! goods, lots or movements, only where the book's ledger ends.

use chrono::{DateTime, Utc};
use kernel::{BookNumber, Fault, Refusal, Unmet};
use uuid::Uuid;

use super::Rules;
use super::actor::Actor;
use super::ledger::Head;
use super::party::KnownParty;

/// The most lines of a book.
pub const LINES_PER_BOOK_MAX: u32 = 10_000;

/// An account book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// Its number.
    pub book_number: BookNumber,
    /// Grows by one with every fact of the book.
    pub version: u64,
    /// The bonded centre.
    pub site_id: String,
    /// The trader who owns the book and the goods.
    pub trader_party: String,
    /// How many lines it has: the number of the last one.
    pub lines: u32,
    /// Where its ledger ends.
    pub head: Head,
    /// When something of the book was recorded last: a movement, or that stock is held or no longer. What is
    /// recorded next is recorded later.
    pub clock: Option<DateTime<Utc>>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// The party that opened it.
    pub opened_by_party: String,
    /// The person or machine.
    pub opened_by_subject: String,
}

/// A trader opens a book of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBook {
    /// Who asks.
    pub actor: Actor,
    /// Nothing is to be written.
    pub validate_only: bool,
    /// The bonded centre.
    pub site_id: String,
    /// The number under which customs keeps it; none: one is given.
    pub book_number: Option<BookNumber>,
}

impl OpenBook {
    /// Reads what was filed.
    ///
    /// # Errors
    /// BOOK_INVALID with every fault.
    pub fn read(
        actor: Actor,
        validate_only: bool,
        site_id: &str,
        book_number: &str,
        rules: &Rules,
    ) -> Result<Self, Refusal> {
        let mut faults = Vec::new();
        if !rules.centres.contains_key(site_id) {
            let centres: Vec<&str> = rules.centres.keys().map(String::as_str).collect();
            faults.push(Fault::new(
                "SITE_NO_BONDED_CENTRE",
                "site_id",
                site_id,
                "a bonded centre",
                format!("Name a bonded centre: {}.", centres.join(", ")),
            ));
        }
        let number = match book_number.trim() {
            "" => None,
            written => BookNumber::parse(written)
                .map_err(|error| {
                    faults.push(Fault::new(
                        "BOOK_NUMBER_FORM",
                        "book_number",
                        written,
                        "twelve letters or digits",
                        error.to_string(),
                    ))
                })
                .ok(),
        };
        if !faults.is_empty() {
            return Err(Refusal::invalid(
                "BOOK_INVALID",
                "The book cannot be opened as it was filed; correct every fault and file it again.",
            )
            .with_faults(faults));
        }
        Ok(Self {
            actor,
            validate_only,
            site_id: site_id.to_owned(),
            book_number: number,
        })
    }
}

/// Decides whether the book is opened. `held` is the book that has the number already,
/// `trader` what is known of the owner, `known` whether the register's word on it could
/// all be read.
///
/// # Errors
/// BOOK_EXISTS, TRADER_UNKNOWN.
pub fn open(
    command: &OpenBook,
    book_number: BookNumber,
    held: Option<&Book>,
    trader: Option<&KnownParty>,
    known: bool,
    now: DateTime<Utc>,
) -> Result<Book, Refusal> {
    let party = &command.actor.party;
    if !known || !trader.is_some_and(KnownParty::may_own_books) {
        return Err(trader_unknown(party));
    }
    if held.is_some() {
        return Err(Refusal::already_exists(
            "BOOK_EXISTS",
            format!("There is a book {book_number} already; use another number, or none to be given one."),
        )
        .with_resource("book", book_number.as_str()));
    }
    Ok(Book {
        head: Head::start(&book_number),
        clock: None,
        book_number,
        version: 1,
        site_id: command.site_id.clone(),
        trader_party: party.clone(),
        lines: 0,
        opened_at: now,
        opened_by_party: party.clone(),
        opened_by_subject: command.actor.subject.clone(),
    })
}

/// A number for a book that came without one: "B" and eleven characters of a new id's
/// random part, in letters and digits that are not mistaken for each other.
pub fn number_from(id: Uuid) -> Result<BookNumber, Refusal> {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let random = id.as_u128();
    let letters = (0..11).filter_map(|place| {
        LETTERS.get(usize::try_from(random >> (5 * place) & 31).unwrap_or_default())
    });
    let number: String = std::iter::once('B')
        .chain(letters.map(|letter| char::from(*letter)))
        .collect();
    BookNumber::parse(&number).map_err(|error| Refusal::internal("INTERNAL", error.to_string()))
}

/// The refusal of whoever names a book that does not exist for it.
pub fn not_found(book_number: &str) -> Refusal {
    Refusal::not_found("book", book_number)
}

fn trader_unknown(party: &str) -> Refusal {
    Refusal::unmet(
        "TRADER_UNKNOWN",
        format!(
            "The register of parties does not name {party} as a trader that may act; have it registered, or try again once the register is heard again."
        ),
        vec![Unmet {
            condition: "TRADER_UNKNOWN".into(),
            subject: party.to_owned(),
            who: "officer".into(),
            since: None,
            evidence: String::new(),
            description: "Customs registers the party as a trader, or lifts its suspension.".into(),
        }],
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::domain::ledger::tests::instant;

    pub(crate) fn rules() -> Rules {
        Rules {
            centres: BTreeMap::from([(
                "GUOYUAN-BLC".to_owned(),
                kernel::CustomsArea::parse("8000").unwrap(),
            )]),
            storage_limit_months: 24,
        }
    }

    pub(crate) fn trader(party: &str) -> Actor {
        Actor {
            party: party.into(),
            subject: "clerk".into(),
            trader: true,
            broker: false,
            operated_sites: BTreeSet::new(),
        }
    }

    pub(crate) fn operator(site: &str) -> Actor {
        Actor {
            party: "operator".into(),
            subject: "desk".into(),
            trader: false,
            broker: false,
            operated_sites: BTreeSet::from([site.to_owned()]),
        }
    }

    fn known(party: &str) -> KnownParty {
        KnownParty {
            party_id: party.into(),
            version: (1, 1),
            name: party.into(),
            roles: vec!["trader".into()],
            suspended: false,
        }
    }

    pub(crate) fn book() -> Book {
        let command = OpenBook::read(
            trader("trader-a"),
            false,
            "GUOYUAN-BLC",
            "booktradera1",
            &rules(),
        )
        .unwrap();
        let number = command.book_number.clone().unwrap();
        open(
            &command,
            number,
            None,
            Some(&known("trader-a")),
            true,
            instant(0),
        )
        .unwrap()
    }

    #[test]
    fn a_trader_opens_a_book_of_its_own() {
        let book = book();
        assert_eq!(
            (book.trader_party.as_str(), book.version, book.head.ordinal),
            ("trader-a", 1, 0)
        );
        assert_eq!(book.book_number.as_str(), "BOOKTRADERA1");
    }

    #[test]
    fn all_faults_of_a_book_are_told_at_once() {
        let refusal = OpenBook::read(trader("trader-a"), false, "GUOYUAN-PORT", "short", &rules())
            .unwrap_err();
        let codes: Vec<_> = refusal
            .faults
            .iter()
            .map(|fault| fault.code.as_str())
            .collect();
        assert_eq!(codes, ["SITE_NO_BONDED_CENTRE", "BOOK_NUMBER_FORM"]);
    }

    #[test]
    fn nobody_opens_a_book_whom_the_register_does_not_name_as_a_trader_that_may_act() {
        let command =
            OpenBook::read(trader("trader-a"), false, "GUOYUAN-BLC", "", &rules()).unwrap();
        let number = number_from(Uuid::from_u128(1)).unwrap();
        let suspended = KnownParty {
            suspended: true,
            ..known("trader-a")
        };
        for (party, heard) in [
            (None, true),
            (Some(&suspended), true),
            (Some(&known("trader-a")), false),
        ] {
            let refusal =
                open(&command, number.clone(), None, party, heard, instant(0)).unwrap_err();
            assert_eq!(refusal.reason, "TRADER_UNKNOWN");
        }
    }

    #[test]
    fn a_number_is_given_once() {
        let held = book();
        let command = OpenBook::read(
            trader("trader-b"),
            false,
            "GUOYUAN-BLC",
            "BOOKTRADERA1",
            &rules(),
        )
        .unwrap();
        let number = held.book_number.clone();
        let refusal = open(
            &command,
            number,
            Some(&held),
            Some(&known("trader-b")),
            true,
            instant(0),
        )
        .unwrap_err();
        assert_eq!(refusal.reason, "BOOK_EXISTS");
        assert!(
            !refusal.message.contains("trader-a"),
            "the owner stays unnamed"
        );
    }

    #[test]
    fn numbers_from_different_ids_differ() {
        let numbers: BTreeSet<_> = (0..1_000)
            .map(|_| number_from(kernel::new_id()).unwrap())
            .collect();
        assert_eq!(numbers.len(), 1_000);
    }

    #[test]
    fn a_book_exists_for_its_trader_and_for_the_operator_of_its_centre_only() {
        let book = book();
        assert!(trader("trader-a").sees(&book));
        assert!(!trader("trader-b").sees(&book));
        assert!(operator("GUOYUAN-BLC").sees(&book));
        assert!(!operator("GUOYUAN-PORT").sees(&book));
        let broker = Actor {
            trader: false,
            ..trader("trader-a")
        };
        assert!(!broker.sees(&book));
    }
}
