//! Writes a fact into the timeline and tells the parties that it concerns. What the fact means for a
//! decision is none of its business.

use std::collections::BTreeSet;

use fabric::Fact;

use super::Heading;
use super::state::State;
use crate::domain::condition::Condition;
use crate::domain::notice::{Concern, Concerned, Notice, Sort, text_of};
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
    /// Whoever may read the stays may read it.
    pub open_to_visit_readers: bool,
}

/// Keeps and tells a fact. `text` says it to one party where the usual words do not do.
pub fn everybody(
    state: &mut State,
    sort: Sort,
    heading: &Heading,
    told: Told,
    mut concerned: Concerned,
    text: impl Fn(&str) -> Option<String>,
) -> Vec<Fact> {
    if !told.site_id.is_empty()
        && state.sites.is_loaded(&told.site_id)
        && let Some(site) = state.sites.get(&told.site_id)
    {
        concerned.add(Concern::Terminal, &site.terminal_party);
    }
    let facts = concerned
        .audience(sort)
        .into_iter()
        .map(|party| publish::notice(&notice(party, heading, &told, text(party))))
        .collect();
    let mut reader_parties: BTreeSet<String> = concerned.readers();
    if !heading.party.is_empty() {
        reader_parties.insert(heading.party.clone());
    }
    state.timeline.push(entry(heading, told, reader_parties));
    facts
}

fn notice(party: &str, heading: &Heading, told: &Told, text: Option<String>) -> Notice {
    let mut text = text.unwrap_or_else(|| text_of(&heading.fact));
    if !told.detail.is_empty() {
        text.push(' ');
        text.push_str(&told.detail);
    }
    Notice {
        party: party.to_owned(),
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
        declaration_id: told.declaration_id,
        mrn: told.mrn,
        pre_arrival_id: told.pre_arrival_id,
        truck_visit_id: told.truck_visit_id,
        book_number: told.book_number,
        open_to_visit_readers: told.open_to_visit_readers,
        reader_parties,
    }
}
