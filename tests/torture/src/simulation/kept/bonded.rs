//! The tables of bonded in memory, with the whole ledger: from it all balances follow.

use std::collections::BTreeMap;

use bonded::Bonded;
use bonded::app::State;
use bonded::domain::book::Book;
use bonded::domain::declaration::KnownDeclaration;
use bonded::domain::hold::{HoldKey, ListHold};
use bonded::domain::ledger::Movement;
use bonded::domain::line::{BookLine, LineId};
use bonded::domain::lot::StockedLot;
use bonded::domain::mandate::KnownMandate;
use bonded::domain::party::KnownParty;
use bonded::domain::passage::Passage;
use bonded::domain::stock_list::StockList;
use fabric::SubjectSet;
use fabric::platform::Part;
use kernel::{BookNumber, StockListNumber};

use crate::simulation::whole::{Kept, keep, whole};

/// By the keys of the working set.
#[derive(Clone, Default)]
pub struct Tables {
    parties: BTreeMap<String, KnownParty>,
    /// Books.
    pub books: BTreeMap<BookNumber, Book>,
    lines: BTreeMap<LineId, BookLine>,
    openings: BTreeMap<String, ()>,
    mandates: BTreeMap<String, KnownMandate>,
    /// Lots with their totals.
    pub lots: BTreeMap<String, StockedLot>,
    serials: BTreeMap<String, BTreeMap<i32, u32>>,
    /// Stock lists.
    pub lists: BTreeMap<StockListNumber, StockList>,
    passages: BTreeMap<StockListNumber, Passage>,
    declarations: BTreeMap<String, KnownDeclaration>,
    holds: BTreeMap<HoldKey, ListHold>,
    /// Every movement, those of one book in its order.
    pub movements: Vec<Movement>,
}

impl Kept for Bonded {
    type Tables = Tables;

    fn read(&self, tables: &Tables, _: &SubjectSet, _: Vec<Part>) -> State {
        let standing = tables.holds.values().filter(|hold| hold.stands());
        State {
            parties: whole(&tables.parties),
            books: whole(&tables.books),
            lines: whole(&tables.lines),
            openings: whole(&tables.openings),
            mandates: whole(&tables.mandates),
            lots: whole(&tables.lots),
            held_lists: standing.map(|hold| hold.list_number.clone()).collect(),
            serials: whole(&tables.serials),
            epoch: 1,
            lists: whole(&tables.lists),
            passages: whole(&tables.passages),
            declarations: whole(&tables.declarations),
            holds: whole(&tables.holds),
            ..State::default()
        }
    }

    fn write(tables: &mut Tables, state: &State) {
        keep(&mut tables.parties, &state.parties);
        keep(&mut tables.books, &state.books);
        keep(&mut tables.lines, &state.lines);
        keep(&mut tables.openings, &state.openings);
        keep(&mut tables.mandates, &state.mandates);
        keep(&mut tables.lots, &state.lots);
        keep(&mut tables.serials, &state.serials);
        keep(&mut tables.lists, &state.lists);
        keep(&mut tables.passages, &state.passages);
        keep(&mut tables.declarations, &state.declarations);
        keep(&mut tables.holds, &state.holds);
        tables.movements.extend(state.movements.iter().cloned());
    }
}
