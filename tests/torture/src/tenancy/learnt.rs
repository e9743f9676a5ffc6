//! How each RPC is asked so that it does not refuse the form already: by asking it, and mending what it finds fault with.
//! It must not know what the RPCs are; which fields are at fault is theirs to say.

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

use super::asked;
use super::names::{self, Place, Seen, Step};
use super::spoken::{Answer, Rpc};
use crate::play::chance::Chance;

/// How often at most an RPC is asked until its form is right.
const TRIES_MAX: usize = 150;
/// After so many tries that mended nothing another message is tried.
const STUCK_TRIES: usize = 25;

/// A message that an RPC finds no fault with, if one was found within the tries.
pub async fn template(
    rpc: &Rpc,
    seen: &Seen,
    chance: &Chance,
    ask: impl AsyncFn(DynamicMessage) -> Answer,
) -> Option<DynamicMessage> {
    let fresh = || asked::filled(&rpc.input(), seen, chance);
    let mut message = fresh();
    let mut fewest = usize::MAX;
    let mut stuck = 0;
    let mut before = message.clone();
    for _ in 0..TRIES_MAX {
        let Answer::Refused { faults, .. } = ask(message.clone()).await else {
            return Some(message);
        };
        if faults.is_empty() {
            return Some(message);
        }
        if faults.len() <= fewest {
            stuck = if faults.len() < fewest { 0 } else { stuck + 1 };
            fewest = faults.len();
            before = message.clone();
        } else {
            stuck += 1;
            message = before.clone();
        }
        if stuck > STUCK_TRIES {
            (stuck, fewest) = (0, usize::MAX);
            message = fresh();
            continue;
        }
        let place = place(&faults[chance.below(faults.len())]);
        // Left out, or said otherwise; what is only within something that is not there is said with it.
        let other = (chance.below(2) == 0)
            .then(|| said(&fresh(), &place))
            .flatten();
        mend(&mut message, &place, other);
        names::renew_request(&mut message);
    }
    None
}

/// "containers[0].seals" as a place.
fn place(path: &str) -> Place {
    let mut place = Vec::new();
    for part in path.split('.') {
        let (field, index) = match part.split_once('[') {
            Some((field, index)) => (field, index.trim_end_matches(']').parse().ok()),
            None => (part, None),
        };
        place.push(Step::Field(field.to_owned()));
        place.extend(index.map(Step::At));
    }
    place
}

/// What a message says at a place.
fn said(message: &DynamicMessage, place: &[Step]) -> Option<Value> {
    let [Step::Field(field), rest @ ..] = place else {
        return None;
    };
    let value = message.get_field_by_name(field)?;
    match rest {
        [] => message.has_field_by_name(field).then(|| value.into_owned()),
        rest => said_within(&value, rest),
    }
}

fn said_within(value: &Value, place: &[Step]) -> Option<Value> {
    match (value, place) {
        (value, []) => Some(value.clone()),
        (Value::List(values), [Step::At(index), rest @ ..]) => {
            said_within(values.get(*index)?, rest)
        }
        (Value::Message(message), place) => said(message, place),
        _ => None,
    }
}

/// Says something else at a place; nothing: leaves the field out.
fn mend(message: &mut DynamicMessage, place: &[Step], value: Option<Value>) {
    let [Step::Field(name), rest @ ..] = place else {
        return;
    };
    let Some(field) = message.descriptor().get_field_by_name(name) else {
        return;
    };
    if rest.is_empty() || !message.has_field(&field) {
        match value {
            Some(value) if value.is_valid_for_field(&field) => message.set_field(&field, value),
            _ => message.clear_field(&field),
        }
        return;
    }
    mend_within(message.get_field_mut(&field), rest, value);
}

fn mend_within(value: &mut Value, place: &[Step], other: Option<Value>) {
    match (value, place) {
        (Value::List(values), [Step::At(index)]) => match other {
            Some(other) if *index < values.len() => values[*index] = other,
            _ if *index < values.len() => drop(values.remove(*index)),
            _ => {}
        },
        (Value::List(values), [Step::At(index), rest @ ..]) => {
            if let Some(value) = values.get_mut(*index) {
                mend_within(value, rest, other);
            }
        }
        (Value::Message(message), place) => mend(message, place, other),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_reflect::{Kind, MessageDescriptor};

    use super::*;

    /// What says something of its own and names nothing.
    const NAMES_NOTHING: [&str; 67] = [
        "address_type_code",
        "category_code",
        "charges_type_code",
        "city_name",
        "condition_code",
        "container_code",
        "country_code",
        "currency",
        "currency_code",
        "current_code",
        "dangerous_goods_class",
        "declaration_office_id",
        "declared",
        "description",
        "destination_country_code",
        "duty_regime_code",
        "exit_office_id",
        "export_country_id",
        "format_code",
        "freight_payment_method_code",
        "goods",
        "goods_description",
        "hs_code",
        "identification_type_code",
        "inspection_site",
        "inspection_sites",
        "lane",
        "licence",
        "line",
        "loading_location_id",
        "location_id",
        "marks",
        "method_code",
        "mode_code",
        "name",
        "nationality_code",
        "note",
        "payment_method_code",
        "phone",
        "postcode_id",
        "previous_code",
        "quota_order_id",
        "reason",
        "reefer_set_point_celsius",
        "role_code",
        "roles",
        "scheme",
        "seals",
        "seals_found",
        "second_site_id",
        "security_details_code",
        "site_id",
        "size_type",
        "statement_code",
        "statement_description",
        "statement_type_code",
        "status_code",
        "statutory_1",
        "statutory_2",
        "supervising_office_id",
        "tax_type",
        "topic",
        "transaction_nature_code",
        "type_code",
        "unit_code",
        "valuation_indicator_code",
        "value",
    ];

    /// The names of all text fields of such a message, however deep.
    fn text_fields(of: &MessageDescriptor, depth: usize) -> Vec<String> {
        let mut found = Vec::new();
        for field in of.fields() {
            match field.kind() {
                Kind::String => found.push(field.name().to_owned()),
                Kind::Message(inner) if depth < asked::DEPTH_MAX => {
                    found.extend(text_fields(&inner, depth + 1));
                }
                _ => {}
            }
        }
        found
    }

    #[test]
    fn every_text_of_every_request_is_known_to_name_something_or_nothing() {
        let rpcs = Rpc::all().unwrap();
        let fields: BTreeSet<String> = rpcs
            .iter()
            .flat_map(|rpc| text_fields(&rpc.input(), 0))
            .collect();
        let unknown: Vec<&String> = fields
            .iter()
            .filter(|field| {
                names::named(field).is_empty() && !NAMES_NOTHING.contains(&field.as_str())
            })
            .collect();
        assert!(
            unknown.is_empty(),
            "say in names.rs what these name, or here that they name nothing: {unknown:?}"
        );
    }

    #[test]
    fn a_fault_is_mended_where_it_stands() {
        let rpcs = Rpc::all().unwrap();
        let submit = rpcs
            .iter()
            .find(|rpc| rpc.name() == "SubmitPreArrival")
            .unwrap();
        let chance = Chance::of(1, "mended");
        let mut message = asked::filled(&submit.input(), &Seen::default(), &chance);
        let there = place("containers[0].size_type");
        assert_eq!(
            said(&message, &there),
            Some(Value::String("45G1".to_owned()))
        );
        mend(&mut message, &there, Some(Value::String("22G1".to_owned())));
        assert_eq!(
            said(&message, &there),
            Some(Value::String("22G1".to_owned()))
        );
        mend(&mut message, &place("containers[0]"), None);
        assert_eq!(said(&message, &there), None);
    }
}
