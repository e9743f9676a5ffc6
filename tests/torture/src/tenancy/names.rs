//! Which fields name something: their kind, what one that names nothing looks like, and all names of a message, however
//! deep. It must not know whose the things are.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{ContainerNumber, Mrn, Plate};
use prost_reflect::{DynamicMessage, Kind, Value};

use crate::play::chance::Chance;

/// Tries to find a number of the right form that names nothing.
const TRIES_MAX: usize = 10_000;

/// Sorts of names: fields of one sort may carry each other's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// An account book.
    Book,
    /// A commercial release.
    CommercialRelease,
    /// A container.
    Container,
    /// A control.
    Control,
    /// A train or a barge.
    Conveyance,
    /// A place in a stream.
    Cursor,
    /// A declaration, by its id.
    Declaration,
    /// A discrepancy.
    Discrepancy,
    /// A bill of lading or the like.
    Document,
    /// An event.
    Event,
    /// A hold.
    Hold,
    /// An inspection.
    Inspection,
    /// A stock list.
    List,
    /// A lot.
    Lot,
    /// A declaration, by its filer's reference.
    Lrn,
    /// A mandate.
    Mandate,
    /// A declaration, by customs' reference.
    Mrn,
    /// A place in a list.
    Page,
    /// A party.
    Party,
    /// A truck's plate.
    Plate,
    /// A pre-arrival, by id or number.
    PreArrival,
    /// A request.
    Request,
    /// A payment, by the bank's reference.
    Payment,
    /// A stay of a container.
    Stay,
    /// A truck visit.
    TruckVisit,
}

/// What a field of this name may name, in a question or an answer; nothing if it carries no name.
pub fn named(field: &str) -> &'static [Named] {
    match field {
        "book_number" => &[Named::Book],
        "commercial_release_id" => &[Named::CommercialRelease],
        "container_number" | "container_numbers" | "containers" => &[Named::Container],
        "control_id" => &[Named::Control],
        "conveyance" | "loaded_on" => &[Named::Conveyance],
        "cursor" | "next_cursor" => &[Named::Cursor],
        "declaration_id" => &[Named::Declaration],
        "discrepancy_id" => &[Named::Discrepancy],
        "transport_document" | "transport_documents" | "ucr" => &[Named::Document],
        "event_id" | "source_event_id" | "evidence" => &[Named::Event],
        "hold_id" => &[Named::Hold],
        "inspection_id" => &[Named::Inspection],
        "list_number" | "stock_list_number" | "stock_lists" => &[Named::List],
        "lot_id" | "lot_ids" => &[Named::Lot],
        "lrn" | "declaration_lrn" => &[Named::Lrn],
        "mandate_id" | "passed_on_from" => &[Named::Mandate],
        "mrn" => &[Named::Mrn],
        "page_token" | "next_page_token" => &[Named::Page],
        "agent_party"
        | "carrier_party"
        | "declaration_filer_party"
        | "grantor_party"
        | "haulier_party"
        | "line_party"
        | "passed_on_by_party"
        | "party_id"
        | "payer_party"
        | "trader_party"
        | "filer_party" => &[Named::Party],
        "plate" | "text" => &[Named::Plate],
        "pre_arrival_id" | "pre_arrival" | "number" => &[Named::PreArrival],
        "request_id" => &[Named::Request],
        "reference" => &[Named::Payment],
        "container_visit_id" | "other_container_visit_ids" => &[Named::Stay],
        "truck_visit_id" | "second_truck_visit_id" => &[Named::TruckVisit],
        // What a hold is on, and whose records are parked.
        "key" => &[
            Named::Stay,
            Named::Declaration,
            Named::List,
            Named::Plate,
            Named::Party,
            Named::Container,
        ],
        "document_references" => &[Named::Mrn, Named::Lrn],
        // Of a declaration's documents.
        "id" | "reference_id" => &[Named::Mrn, Named::Document],
        _ => &[],
    }
}

/// A name of the same form that nobody has given.
pub fn absent(like: &str, chance: &Chance) -> String {
    if uuid::Uuid::parse_str(like).is_ok() {
        return kernel::new_id().to_string();
    }
    // "SITE/CONTAINER/ID" and the like: the last part says which.
    if let Some((before, last)) = like.rsplit_once('/') {
        return format!("{before}/{}", absent(last, chance));
    }
    // Of a number whose remainder is ten callers are warned: both, or neither.
    let container = |written: &str| {
        let number = ContainerNumber::parse(written).ok();
        number.map(|number| number.remainder_ten())
    };
    let is_proper = |written: &str| {
        (container(like).is_none() || container(written) == container(like))
            && (Mrn::parse(like).is_err() || Mrn::parse(written).is_ok())
    };
    let tries = (0..TRIES_MAX).map(|_| varied(like, chance));
    let mut proper = tries.filter(|written| written != like && is_proper(written));
    proper.next().unwrap_or_else(|| format!("{like}X"))
}

/// With other digits at its end; with other letters where it has none.
fn varied(like: &str, chance: &Chance) -> String {
    let digits = like.chars().any(|char| char.is_ascii_digit());
    let mut varied: Vec<char> = like.chars().collect();
    for char in varied.iter_mut().rev().take(8) {
        if char.is_ascii_digit() {
            *char = chance.one_of(&['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        } else if !digits && char.is_ascii_lowercase() {
            *char = chance.one_of(&['q', 'v', 'w', 'x', 'y', 'z']);
        }
    }
    varied.into_iter().collect()
}

/// Where a name stands in a message: fields, and places in lists.
pub type Place = Vec<Step>;

/// One step towards it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Into a field.
    Field(String),
    /// To a place in a list.
    At(usize),
}

/// "vehicle.plate.text", "containers.container_number": without places in lists.
pub fn path(place: &Place) -> String {
    let fields = place.iter().filter_map(|step| match step {
        Step::Field(name) => Some(name.as_str()),
        Step::At(_) => None,
    });
    fields.collect::<Vec<_>>().join(".")
}

/// Every name in a message with its place, as far as it is not empty.
pub fn names(message: &DynamicMessage) -> Vec<(Place, &'static [Named], String)> {
    let mut found = Vec::new();
    gather(message, &mut Vec::new(), &mut found);
    found
}

fn gather(
    message: &DynamicMessage,
    place: &mut Place,
    found: &mut Vec<(Place, &'static [Named], String)>,
) {
    for (field, value) in message.fields() {
        place.push(Step::Field(field.name().to_owned()));
        let kinds = named(field.name());
        match value {
            Value::List(values) => {
                for (index, value) in values.iter().enumerate() {
                    place.push(Step::At(index));
                    gather_value(value, kinds, place, found);
                    place.pop();
                }
            }
            value => gather_value(value, kinds, place, found),
        }
        place.pop();
    }
}

fn gather_value(
    value: &Value,
    kinds: &'static [Named],
    place: &mut Place,
    found: &mut Vec<(Place, &'static [Named], String)>,
) {
    match value {
        Value::Message(message) => gather(message, place, found),
        Value::String(text) if !kinds.is_empty() && !text.is_empty() => {
            found.push((place.clone(), kinds, text.clone()));
        }
        _ => {}
    }
}

/// Puts a name into a place.
pub fn put(message: &mut DynamicMessage, place: &[Step], name: &str) {
    let [Step::Field(field), rest @ ..] = place else {
        return;
    };
    let Some(value) = message.get_field_by_name_mut(field) else {
        return;
    };
    put_value(value, rest, name);
}

fn put_value(value: &mut Value, place: &[Step], name: &str) {
    match (value, place) {
        (value @ Value::String(_), []) => *value = Value::String(name.to_owned()),
        (Value::List(values), [Step::At(index), rest @ ..]) => {
            if let Some(value) = values.get_mut(*index) {
                put_value(value, rest, name);
            }
        }
        (Value::Message(message), place) => put(message, place, name),
        _ => {}
    }
}

/// Makes another request of a command.
pub fn renew_request(message: &mut DynamicMessage) {
    if message.has_field_by_name("request_id") {
        message.set_field_by_name("request_id", Value::String(kernel::new_id().to_string()));
    }
}

/// What somebody sees, name for name.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    values: BTreeMap<Named, BTreeSet<String>>,
}

impl Seen {
    /// Adds all names of a message.
    pub fn add(&mut self, message: &DynamicMessage) {
        for (_, kinds, name) in names(message) {
            // A field that may name several sorts says of an answer nothing about which; a text is not always a plate.
            if let [kind] = kinds
                && (*kind != Named::Plate || Plate::parse(&name).is_ok())
            {
                self.values.entry(*kind).or_default().insert(name);
            }
        }
    }

    /// Adds a name.
    pub fn add_one(&mut self, kind: Named, name: String) {
        self.values.entry(kind).or_default().insert(name);
    }

    /// One of what a field of these sorts may name.
    pub fn one(&self, kinds: &[Named], chance: &Chance) -> Option<String> {
        let kind = chance.one_of(kinds);
        let known: Vec<&String> = self.values.get(&kind).into_iter().flatten().collect();
        (!known.is_empty()).then(|| chance.one_of(&known).clone())
    }

    /// How many there are of each sort.
    pub fn count(&self) -> Vec<(Named, usize)> {
        let counted = self.values.iter();
        counted.map(|(kind, names)| (*kind, names.len())).collect()
    }

    /// What must never be shown to others: names that are long enough to say something, and are no party's, no
    /// train's and no place in a list of one's own.
    pub fn secrets(&self) -> BTreeSet<String> {
        let public = [
            Named::Party,
            Named::Conveyance,
            Named::Cursor,
            Named::Page,
            Named::Request,
        ];
        let secret = self
            .values
            .iter()
            .filter(|(kind, _)| !public.contains(kind));
        let names = secret.flat_map(|(_, names)| names);
        names.filter(|name| name.len() >= 7).cloned().collect()
    }
}

/// Every text of a message, however deep.
pub fn texts(message: &DynamicMessage, found: &mut Vec<String>) {
    fn of(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Message(message) => texts(message, found),
            Value::List(values) => values.iter().for_each(|value| of(value, found)),
            Value::Map(values) => values.values().for_each(|value| of(value, found)),
            _ => {}
        }
    }
    message.fields().for_each(|(_, value)| of(value, found));
}

/// A message as text, without what differs between any two answers: times, and which things are named.
pub fn shown(message: &DynamicMessage, text: &mut String) {
    text.push('{');
    for (field, value) in message.fields() {
        let is_time = match field.kind() {
            Kind::Message(message) => message.full_name().starts_with("google.protobuf."),
            _ => false,
        };
        if is_time {
            continue;
        }
        text.push_str(field.name());
        text.push('=');
        let is_name = !named(field.name()).is_empty() || field.name().ends_with("_id");
        shown_value(value, is_name, text);
        text.push(' ');
    }
    text.push('}');
}

fn shown_value(value: &Value, is_name: bool, text: &mut String) {
    match value {
        Value::String(_) if is_name => text.push_str("NAME"),
        Value::String(written) => text.push_str(written),
        Value::Message(message) => shown(message, text),
        Value::List(values) => {
            text.push('[');
            for value in values {
                shown_value(value, is_name, text);
                text.push(' ');
            }
            text.push(']');
        }
        value => text.push_str(&format!("{value:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_nothing_has_the_form_of_what_does() {
        let chance = Chance::of(1, "absent");
        for like in [
            "CSQU3054383",
            "24GB34XYZ1234567A9",
            "EL-2026-000123",
            "渝A12345",
        ] {
            let absent = absent(like, &chance);
            assert_ne!(absent, like);
            assert_eq!(absent.chars().count(), like.chars().count(), "{absent}");
        }
        for (like, ten) in [("CSQU3054383", false), ("MRKU4976720", true)] {
            let absent = absent(like, &chance);
            let number = ContainerNumber::parse(&absent).unwrap();
            assert_eq!(number.remainder_ten(), ten, "{absent}");
        }
    }
}
