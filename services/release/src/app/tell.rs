//! Writes a fact into the timeline and tells the parties that it concerns: at once those who are known,
//! and of what is pinned to a notice board also those of whom it is learnt later. What the fact means for
//! a decision is none of its business.

use std::collections::BTreeSet;

use fabric::Fact;

use super::Heading;
use super::state::State;
use crate::domain::condition::Condition;
use crate::domain::hold::{Scope, ScopeKind};
use crate::domain::notice::{Concern, Concerned, Notice, Sort, text_of};
use crate::domain::notice_board::Pinned;
use crate::domain::timeline::TimelineEntry;
use crate::events::publish;

/// A fact, as it is told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Its event id.
    pub event_id: String,
    /// The service that recorded it.
    pub service: String,
    /// The subject's kind and key.
    pub subject: String,
    /// The subject in a person's words.
    pub title: String,
    /// What is particular about it, for a person; may be empty.
    pub detail: String,
    /// What is missing, for a refusal.
    pub conditions: Vec<Condition>,
    /// The site; empty if there is none.
    pub site_id: String,
    /// The containers that it is about.
    pub container_numbers: Vec<String>,
    /// The stays that it is about.
    pub container_visit_ids: Vec<String>,
    /// The transport document, where it is about every container of one.
    pub transport_document: String,
    /// The declaration, where there is one.
    pub declaration_id: String,
    /// Its MRN.
    pub mrn: String,
    /// The pre-arrival, where there is one.
    pub pre_arrival_id: String,
    /// The truck visit, where there is one.
    pub truck_visit_id: String,
    /// The book, where there is one.
    pub book_number: String,
    /// The stock list, where there is one.
    pub list_number: String,
    /// Whoever may read the stays, or the stock list, may read it.
    pub open_to_visit_readers: bool,
}

/// Keeps and tells a fact that is of no concern to anybody of whom it is not known yet.
pub fn everybody(
    state: &mut State,
    sort: Sort,
    heading: &Heading,
    told: Told,
    mut concerned: Concerned,
) -> Vec<Fact> {
    if heading.restated {
        return Vec::new();
    }
    concerned.extend(terminal_of(state, &told.site_id));
    let notice = notice(heading, &told);
    let to = |party: &str| Notice {
        party: party.to_owned(),
        ..notice.clone()
    };
    let facts = concerned
        .audience(sort)
        .into_iter()
        .map(|party| publish::notice(&to(party)))
        .collect();
    keep(state, heading, told, &concerned);
    facts
}

/// What is pinned, and to which board.
pub struct Pin<'a> {
    /// The board's stay, stock list or declaration.
    pub scope: &'a Scope,
    /// The fact's sort.
    pub sort: Sort,
    /// Whom the fact concerns besides those whom the whole board concerns.
    pub own: Concerned,
    /// The haulier, where it grants a release; empty where it grants it to none.
    pub granted_to: Option<String>,
}

/// Keeps a fact, pins it, and tells it. `concerned` are those whom the whole board concerns.
pub fn pinned(
    state: &mut State,
    pin: Pin<'_>,
    heading: &Heading,
    told: Told,
    concerned: &Concerned,
) -> Vec<Fact> {
    if heading.restated {
        return Vec::new();
    }
    let mut all = concerned.clone();
    all.extend(terminal_of(state, &told.site_id));
    let mut board = state.board(pin.scope);
    board.pin(Pinned {
        sort: pin.sort,
        notice: notice(heading, &told),
        granted_to: pin.granted_to,
        concerned: pin.own.clone(),
        told: BTreeSet::new(),
    });
    let notices = board.tell(&all);
    state.put_board(pin.scope, board);
    all.extend(pin.own);
    keep(state, heading, told, &all);
    notices.iter().map(publish::notice).collect()
}

/// The board of a stay.
pub fn stay_scope(container_visit_id: &str) -> Scope {
    Scope::new(ScopeKind::ContainerVisit, container_visit_id)
}

/// The board of a stock list.
pub fn list_scope(list_number: &str) -> Scope {
    Scope::new(ScopeKind::StockList, list_number)
}

/// The terminal of a site that was read.
pub fn terminal_of(state: &State, site_id: &str) -> Concerned {
    let mut concerned = Concerned::default();
    let site_id = site_id.to_owned();
    if !site_id.is_empty()
        && state.sites.is_loaded(&site_id)
        && let Some(site) = state.sites.get(&site_id)
    {
        concerned.add(Concern::Terminal, &site.terminal_party);
    }
    concerned
}

fn keep(state: &mut State, heading: &Heading, told: Told, concerned: &Concerned) {
    let of_list = !told.list_number.is_empty() && told.pre_arrival_id.is_empty();
    let mut reader_parties = if of_list && !told.open_to_visit_readers {
        concerned.owners()
    } else {
        concerned.readers()
    };
    if !heading.party.is_empty() {
        reader_parties.insert(heading.party.clone());
    }
    state.timeline.push(entry(heading, told, reader_parties));
}

fn notice(heading: &Heading, told: &Told) -> Notice {
    let mut text = text_of(&heading.fact);
    if !told.detail.is_empty() {
        text.push(' ');
        text.push_str(&told.detail);
    }
    Notice {
        party: String::new(),
        fact: heading.fact.clone(),
        service: told.service.clone(),
        subject: told.subject.clone(),
        title: told.title.clone(),
        text,
        observed_at: heading.observed_at,
        recorded_at: heading.recorded_at,
        source_event_id: told.event_id.clone(),
        container_number: told.container_numbers.first().cloned().unwrap_or_default(),
        conditions: told.conditions.clone(),
    }
}

fn entry(heading: &Heading, told: Told, reader_parties: BTreeSet<String>) -> TimelineEntry {
    TimelineEntry {
        event_id: told.event_id,
        service: told.service,
        detail: if told.detail.is_empty() {
            text_of(&heading.fact)
        } else {
            told.detail
        },
        fact: heading.fact.clone(),
        subject: told.subject,
        party: heading.party.clone(),
        observed_at: heading.observed_at,
        recorded_at: heading.recorded_at,
        title: told.title,
        site_id: told.site_id,
        container_numbers: told.container_numbers,
        container_visit_ids: told.container_visit_ids,
        transport_document: told.transport_document,
        declaration_id: told.declaration_id,
        mrn: told.mrn,
        pre_arrival_id: told.pre_arrival_id,
        truck_visit_id: told.truck_visit_id,
        book_number: told.book_number,
        list_number: told.list_number,
        open_to_visit_readers: told.open_to_visit_readers,
        reader_parties,
    }
}
