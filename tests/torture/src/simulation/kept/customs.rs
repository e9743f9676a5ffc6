//! The tables of customs in memory. Documents and histories are not kept: nothing is decided on them.

use std::collections::BTreeMap;

use customs::Customs;
use customs::app::state::{LrnClaim, State, subject};
use customs::domain::account::Account;
use customs::domain::clearance::Clearance;
use customs::domain::declaration::Declaration;
use customs::domain::guarantee::Guarantee;
use customs::domain::hold::Hold;
use customs::domain::party::{Mandate, Party};
use customs::domain::stock_list::StockList;
use customs::domain::visit::{Phase, Site, Visit};
use fabric::platform::Part;
use fabric::{SubjectSet, Working};
use kernel::Money;
use uuid::Uuid;

use crate::simulation::whole::{Kept, keep, whole};

/// By the keys of the working set; visits and holds by their own ids.
#[derive(Clone, Default)]
pub struct Tables {
    /// Declarations.
    pub declarations: BTreeMap<Uuid, Declaration>,
    lrns: BTreeMap<(String, String), LrnClaim>,
    visits: BTreeMap<String, Visit>,
    lists: BTreeMap<String, StockList>,
    sites: BTreeMap<String, Site>,
    clearances: BTreeMap<String, Clearance>,
    holds: BTreeMap<Uuid, Hold>,
    parties: BTreeMap<String, Party>,
    identifiers: BTreeMap<String, String>,
    mandates: BTreeMap<Uuid, Mandate>,
    /// Accounts, by payer.
    pub accounts: BTreeMap<String, Account>,
    payments: BTreeMap<(String, String), Money>,
    guarantees: BTreeMap<String, Guarantee>,
    /// The last number given out in each inbox.
    pub inboxes: BTreeMap<String, u64>,
    /// The numbers of the notifications in each inbox.
    pub notifications: BTreeMap<String, Vec<u64>>,
}

impl Tables {
    /// Whether customs knows the sites, and who may file for whom with what money.
    pub fn is_set_up(&self) -> bool {
        !self.sites.is_empty() && !self.accounts.is_empty()
    }
}

impl Kept for Customs {
    type Tables = Tables;

    fn read(&self, tables: &Tables, subjects: &SubjectSet, _: Vec<Part>) -> State {
        // A visit that is over, and a hold that was lifted, are read only by those who name them.
        let (named_visits, named_holds) =
            (subjects.keys(subject::VISIT), subjects.keys(subject::HOLD));
        let mut visits: BTreeMap<String, Vec<Visit>> = BTreeMap::new();
        for visit in tables.visits.values() {
            let over = !matches!(visit.phase, Phase::Announced | Phase::Arrived);
            if !over || named_visits.contains(&visit.visit_id) {
                let of = visits.entry(visit.container.to_string()).or_default();
                of.push(visit.clone());
            }
        }
        let mut holds: BTreeMap<String, Vec<Hold>> = BTreeMap::new();
        for hold in tables.holds.values() {
            if hold.lifted.is_none() || named_holds.contains(&hold.hold_id.to_string()) {
                holds
                    .entry(hold.scope.topic_key())
                    .or_default()
                    .push(hold.clone());
            }
        }
        State {
            declarations: whole(&tables.declarations),
            lrns: whole(&tables.lrns),
            visits: Working::whole(visits),
            // No export is played, and nothing else has namesakes.
            namesakes: Working::whole([]),
            lists: whole(&tables.lists),
            sites: whole(&tables.sites),
            clearances: whole(&tables.clearances),
            holds: Working::whole(holds),
            parties: whole(&tables.parties),
            identifiers: whole(&tables.identifiers),
            mandates: whole(&tables.mandates),
            accounts: whole(&tables.accounts),
            payments: whole(&tables.payments),
            guarantees: whole(&tables.guarantees),
            inboxes: whole(&tables.inboxes),
            ..State::default()
        }
    }

    fn write(tables: &mut Tables, state: &State) {
        keep(&mut tables.declarations, &state.declarations);
        keep(&mut tables.lrns, &state.lrns);
        keep(&mut tables.lists, &state.lists);
        keep(&mut tables.sites, &state.sites);
        keep(&mut tables.clearances, &state.clearances);
        keep(&mut tables.parties, &state.parties);
        keep(&mut tables.mandates, &state.mandates);
        keep(&mut tables.payments, &state.payments);
        keep(&mut tables.inboxes, &state.inboxes);
        let visits = state.visits.changed().flat_map(|(_, visits)| visits);
        tables
            .visits
            .extend(visits.map(|visit| (visit.visit_id.clone(), visit.clone())));
        let holds = state.holds.changed().flat_map(|(_, holds)| holds);
        tables
            .holds
            .extend(holds.map(|hold| (hold.hold_id, hold.clone())));
        for (id, party) in state.parties.changed() {
            tables.identifiers.retain(|_, owner| owner != id);
            let keys = party.identifiers.iter().map(|identifier| identifier.key());
            tables.identifiers.extend(keys.map(|key| (key, id.clone())));
        }
        for (payer, account) in state.accounts.changed() {
            let mut account = account.clone();
            account.new_entries.clear();
            tables.accounts.insert(payer.clone(), account);
        }
        for (trader, guarantee) in state.guarantees.changed() {
            let mut guarantee = guarantee.clone();
            guarantee.new_entries.clear();
            tables.guarantees.insert(trader.clone(), guarantee);
        }
        for posted in &state.notifications {
            let inbox = tables
                .notifications
                .entry(posted.filer.clone())
                .or_default();
            inbox.push(posted.sequence);
        }
    }
}
