//! What a batch has read under its locks and changed: the tables of customs in memory. It must not know SQL;
//! the store fills and writes it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use fabric::Working;
use kernel::{ContainerNumber, Money, StockListNumber};
use uuid::Uuid;

use crate::domain::account::Account;
use crate::domain::clearance::Clearance;
use crate::domain::declaration::{Declaration, Names};
use crate::domain::guarantee::Guarantee;
use crate::domain::hold::{Hold, Scope};
use crate::domain::matching::container_key;
use crate::domain::notification::Notification;
use crate::domain::party::{Mandate, Party};
use crate::domain::stock_list::StockList;
use crate::domain::visit::{Site, Visit, name_of};

/// The kinds of subjects. Who writes one holds it alone.
pub mod subject {
    /// A filer's reference: `FILER/LRN`.
    pub const LRN: &str = "lrn";
    /// A declaration, and the holds on it.
    pub const DECLARATION: &str = "declaration";
    /// A clearance key, `container/NUMBER` or `transport-document/NUMBER`; with a container its visits and
    /// the holds on them.
    pub const KEY: &str = "clearance-key";
    /// A container visit by id: read even if it is over.
    pub const VISIT: &str = "visit";
    /// All sites; there are few, and they hardly change.
    pub const SITES: &str = "sites";
    /// The one key of [`SITES`].
    pub const ALL: &str = "all";
    /// A number by which documents name a party.
    pub const IDENTIFIER: &str = "identifier";
    /// A party, with the mandates to act for it.
    pub const PARTY: &str = "party";
    /// A mandate by id.
    pub const MANDATE: &str = "mandate";
    /// A payer's account and guarantee.
    pub const ACCOUNT: &str = "account";
    /// A payment onto an account, by payer and reference at the bank: `PAYER/REFERENCE`.
    pub const PAYMENT: &str = "payment";
    /// A stock list.
    pub const LIST: &str = "stock-list";
    /// A number by which a truck's filing names an export, with the visits that it named.
    pub const NAME: &str = "name";
    /// A filer's inbox.
    pub const INBOX: &str = "inbox";
    /// A hold by id.
    pub const HOLD: &str = "hold";
    /// The holds on a scope: "plate/B12345".
    pub const SCOPE: &str = "hold-scope";
}

/// The working set.
#[derive(Default)]
pub struct State {
    /// Declarations.
    pub declarations: Working<Uuid, Declaration>,
    /// Taken references, by filer and LRN.
    pub lrns: Working<(String, String), LrnClaim>,
    /// Container visits, by container: those that are not over, and those asked for by id.
    pub visits: Working<String, Vec<Visit>>,
    /// The filers of the open exports that have a name, by that name.
    pub namesakes: Working<String, BTreeSet<String>>,
    /// Stock lists, by number.
    pub lists: Working<String, StockList>,
    /// Sites.
    pub sites: Working<String, Site>,
    /// Clearances, by key.
    pub clearances: Working<String, Clearance>,
    /// Holds, by the key of their scope: those that stand, and those asked for by id.
    pub holds: Working<String, Vec<Hold>>,
    /// Parties.
    pub parties: Working<String, Party>,
    /// The party of an identifier.
    pub identifiers: Working<String, String>,
    /// Mandates among the parties that were read.
    pub mandates: Working<Uuid, Mandate>,
    /// Accounts, by payer.
    pub accounts: Working<String, Account>,
    /// What was first credited under a payment's reference, by payer and reference.
    pub payments: Working<(String, String), Money>,
    /// Guarantees, by trader.
    pub guarantees: Working<String, Guarantee>,
    /// The last number given out in each inbox.
    pub inboxes: Working<String, u64>,
    /// New documents.
    pub documents: Vec<Document>,
    /// New entries of declarations' histories.
    pub history: Vec<HistoryEntry>,
    /// New notifications.
    pub notifications: Vec<Posted>,
}

/// A reference that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LrnClaim {
    /// By which declaration.
    pub declaration_id: Uuid,
    /// The digest of its content.
    pub digest: [u8; 32],
    /// The first answer, encoded.
    pub answer: Vec<u8>,
}

/// A document as it was filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The declaration.
    pub declaration_id: Uuid,
    /// What it is written in.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: bytes::Bytes,
}

/// One entry of a declaration's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The declaration.
    pub declaration_id: Uuid,
    /// Its version after it.
    pub version: u64,
    /// What happened.
    pub fact: &'static str,
    /// When it happened.
    pub observed_at: DateTime<Utc>,
    /// The party that caused it; empty where a rule did.
    pub by_party: String,
    /// The person.
    pub by_subject: String,
    /// For a person.
    pub detail: String,
}

/// A notification in its inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Whose inbox.
    pub filer: String,
    /// Its number there.
    pub sequence: u64,
    /// The notification.
    pub notification: Notification,
}

impl State {
    /// The visits of a container that were read.
    pub fn visits_of(&self, container: &ContainerNumber) -> Vec<Visit> {
        let key = container.to_string();
        if self.visits.is_loaded(&key) {
            self.visits.get(&key).cloned().unwrap_or_default()
        } else {
            Vec::new()
        }
    }

    /// The visits whose truck's filing named a declaration, of those whose key was read. A reference names it only
    /// while no other filer has an open export under the same one.
    pub fn visits_naming(&self, names: &Names<'_>) -> Vec<Visit> {
        let reference = names.lrn.and_then(name_of).filter(|reference| {
            self.namesakes.is_loaded(reference)
                && self
                    .namesakes
                    .get(reference)
                    .is_none_or(|filers| filers.iter().all(|filer| filer == names.filer))
        });
        let is_named = |visit: &&Visit| {
            visit
                .named
                .iter()
                .any(|name| name == names.mrn || Some(name) == reference.as_ref())
        };
        self.visits
            .iter()
            .flat_map(|(_, visits)| visits)
            .filter(is_named)
            .filter(|visit| self.clearances.is_loaded(&container_key(&visit.container)))
            .cloned()
            .collect()
    }

    /// A stock list that was read, if it is known.
    pub fn list(&self, number: &StockListNumber) -> Option<StockList> {
        let key = number.to_string();
        if self.lists.is_loaded(&key) {
            self.lists.get(&key).cloned()
        } else {
            None
        }
    }

    /// The holds on a scope that were read. A scope that was minted in this batch has none yet.
    pub fn holds_on(&self, scope: &Scope) -> Vec<Hold> {
        let key = scope.topic_key();
        if self.holds.is_loaded(&key) {
            self.holds.get(&key).cloned().unwrap_or_default()
        } else {
            Vec::new()
        }
    }

    /// A hold that was read, by its id.
    pub fn hold(&self, hold_id: Uuid) -> Option<Hold> {
        self.holds
            .iter()
            .flat_map(|(_, holds)| holds)
            .find(|hold| hold.hold_id == hold_id)
            .cloned()
    }

    /// Writes a hold, new or changed.
    pub fn put_hold(&mut self, hold: Hold) {
        let key = hold.scope.topic_key();
        let mut holds = self.holds_on(&hold.scope);
        holds.retain(|there| there.hold_id != hold.hold_id);
        holds.push(hold);
        self.holds.put(key, holds);
    }

    /// Writes a visit, new or changed.
    pub fn put_visit(&mut self, visit: Visit) {
        let mut visits = self.visits_of(&visit.container);
        visits.retain(|there| there.visit_id != visit.visit_id);
        let key = visit.container.to_string();
        visits.push(visit);
        self.visits.put(key, visits);
    }

    /// The site that a goods location names.
    pub fn site_at(&self, goods_location: &str) -> Option<&Site> {
        self.sites
            .iter()
            .map(|(_, site)| site)
            .find(|site| site.is_at(goods_location))
    }

    /// The parties among those that were read that a number in a document names.
    pub fn party_named(&self, written: &str) -> Option<&Party> {
        crate::domain::party::Identifier::candidates(written)
            .iter()
            .find_map(|identifier| {
                let party_id = self.identifiers.get(&identifier.key())?;
                // One that was entered after the filing was read was not named, and so not read.
                if self.parties.is_loaded(party_id) {
                    self.parties.get(party_id)
                } else {
                    None
                }
            })
    }

    /// The account of a payer that was read.
    pub fn account_of(&self, payer: Option<&str>) -> Option<Account> {
        self.accounts.get(&payer?.to_owned()).cloned()
    }

    /// The guarantee of a trader that was read.
    pub fn guarantee_of(&self, trader: Option<&str>) -> Option<Guarantee> {
        self.guarantees.get(&trader?.to_owned()).cloned()
    }
}
