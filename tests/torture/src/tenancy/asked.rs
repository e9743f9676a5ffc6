//! What is asked: messages of any RPC, filled by field name with things that exist, and the same with one of them
//! replaced by what nobody has given. It must not know who asks.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use super::names::{Named, Seen, named};
use crate::play::chance::Chance;

/// Messages within messages: no request goes deeper.
pub const DEPTH_MAX: usize = 8;

/// A message in which every field says something.
pub fn filled(of: &MessageDescriptor, seen: &Seen, chance: &Chance) -> DynamicMessage {
    message(of, seen, chance, 0)
}

fn message(of: &MessageDescriptor, seen: &Seen, chance: &Chance, depth: usize) -> DynamicMessage {
    let mut filled = DynamicMessage::new(of.clone());
    if depth > DEPTH_MAX {
        return filled;
    }
    if of.full_name() == "google.protobuf.Timestamp" {
        let now = chrono::Utc::now().timestamp() + 3_600;
        filled.set_field_by_name("seconds", Value::I64(now));
        return filled;
    }
    let one_each = of.oneofs().filter(|group| !group.is_synthetic());
    let chosen: Vec<FieldDescriptor> = one_each
        .filter_map(|group| group.fields().nth(chance.below(group.fields().len())))
        .collect();
    // Where one of several names is wanted, all at once are too many; a command wants all that it has.
    let is_question = is_question(of);
    for field in of.fields() {
        if is_question && !named(field.name()).is_empty() && chance.below(2) == 0 {
            continue;
        }
        let group = field.containing_oneof();
        if group.is_some_and(|group| !group.is_synthetic()) && !chosen.contains(&field) {
            continue;
        }
        let Some(value) = value(&field, seen, chance, depth) else {
            continue;
        };
        let value = if field.is_list() {
            Value::List(vec![value])
        } else {
            value
        };
        filled.set_field(&field, value);
    }
    filled
}

/// Whether an RPC with this request changes nothing.
pub fn is_question(request: &MessageDescriptor) -> bool {
    ["Get", "List", "Stream", "Explain", "Verify"]
        .iter()
        .any(|word| request.name().starts_with(word))
}

/// Nothing: leave the field as it is.
fn value(field: &FieldDescriptor, seen: &Seen, chance: &Chance, depth: usize) -> Option<Value> {
    if field.is_map() {
        return None;
    }
    Some(match field.kind() {
        Kind::String => Value::String(text(field, seen, chance)?),
        Kind::Bool => Value::Bool(field.name() == "validate_only" && chance.below(2) == 0),
        // Parts of a billionth; a currency has no such coin.
        Kind::Int32 if field.name() == "nanos" => Value::I32(0),
        Kind::Int32 => Value::I32(1),
        Kind::Int64 => Value::I64(1),
        Kind::Uint32 => Value::U32(1),
        Kind::Uint64 => Value::U64(1),
        Kind::Bytes => Value::Bytes(bytes::Bytes::from_static(b"<Declaration/>")),
        Kind::Enum(kind) => {
            let numbers: Vec<i32> = kind.values().map(|value| value.number()).collect();
            Value::EnumNumber(chance.one_of(&numbers))
        }
        Kind::Message(of) => Value::Message(message(&of, seen, chance, depth + 1)),
        _ => return None,
    })
}

fn text(field: &FieldDescriptor, seen: &Seen, chance: &Chance) -> Option<String> {
    let name = field.name();
    let parent = field.parent_message();
    if name == "request_id" {
        return Some(kernel::new_id().to_string());
    }
    let kinds = named(name);
    if kinds.contains(&Named::Page) || kinds.contains(&Named::Cursor) {
        // Of most lists another's place is none at all.
        return (chance.below(8) == 0)
            .then(|| seen.one(kinds, chance))
            .flatten();
    }
    if !kinds.is_empty() {
        return seen.one(kinds, chance);
    }
    let text = match (parent.name(), name) {
        ("Quantity", "value") => "1",
        (_, "unit_code") => "KGM",
        (_, "currency_code" | "currency") => "GBP",
        (_, "site_id") => chance.one_of(&["GUOYUAN-PORT", "GUOYUAN-BLC"]),
        (_, "second_site_id") => "GUOYUAN-BLC",
        (_, "size_type") => "45G1",
        (_, "country_code") => "CN",
        (_, "hs_code") => "6601910000",
        (_, "lane") => "1",
        (_, "reason" | "note") => "as asked",
        (_, "reefer_set_point_celsius" | "dangerous_goods_class") => return None,
        _ => "X1",
    };
    Some(text.to_owned())
}
