//! The timeline: every fact of a journey, by whom, on both clocks, and who may read it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

/// One fact, as the timeline keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineEntry {
    /// The event's id; a commercial release is named by its own id and version.
    pub event_id: String,
    /// The service that recorded it.
    pub service: String,
    /// What happened: "CONTAINER_VISIT_ARRIVED".
    pub fact: String,
    /// The subject's kind and key.
    pub subject: String,
    /// By whom; empty where a rule or another fact caused it.
    pub party: String,
    /// When it happened.
    pub observed_at: DateTime<Utc>,
    /// When its service recorded it.
    pub recorded_at: DateTime<Utc>,
    /// The subject in a person's words.
    pub title: String,
    /// What happened, in a person's words.
    pub detail: String,
    /// The site, where there is one: its terminal reads it.
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
    /// The account book, where there is one.
    pub book_number: String,
    /// The stock list, where there is one.
    pub list_number: String,
    /// Whether everyone who may read the stays, or the stock list, may read it, also who comes to the journey
    /// later. What is not is for the list's trader, its filers and the operator.
    pub open_to_visit_readers: bool,
    /// The parties that may read it whatever else.
    pub reader_parties: BTreeSet<String>,
}
