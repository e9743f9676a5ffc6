//! The bytes of published events. Each kind of each event message has a file under `golden/`, written once
//! from a fixed sample and never again; today's types must read it and write the same bytes, or a consumer
//! of yesterday's topics would lose something. A field that came later has a file of its own, named after it.
//!
//! After adding an event or a field of one: `GREENLANE_GOLDEN=write cargo test -p greenlane --test contract golden`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use prost::Message;
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    OneofDescriptor, Value,
};

/// Nesting of the sample; events are flat, and a message that holds itself must end somewhere.
const DEPTH_MAX: usize = 6;

/// Decodes as today's type and encodes again.
type Again = fn(&[u8]) -> Result<Vec<u8>, prost::DecodeError>;

fn again<M: Message + Default>(bytes: &[u8]) -> Result<Vec<u8>, prost::DecodeError> {
    Ok(M::decode(bytes)?.encode_to_vec())
}

/// Today's types of everything that stands on a topic.
fn types() -> BTreeMap<&'static str, Again> {
    use proto::{bonded, common, customs, fabric, gate, release};
    BTreeMap::from([
        (
            "greenlane.bonded.events.v1.BookEvent",
            again::<bonded::events::v1::BookEvent> as Again,
        ),
        (
            "greenlane.bonded.events.v1.StockListEvent",
            again::<bonded::events::v1::StockListEvent>,
        ),
        (
            "greenlane.common.v1.HoldEvent",
            again::<common::v1::HoldEvent>,
        ),
        (
            "greenlane.customs.events.v1.ClearanceEvent",
            again::<customs::events::v1::ClearanceEvent>,
        ),
        (
            "greenlane.customs.events.v1.DeclarationEvent",
            again::<customs::events::v1::DeclarationEvent>,
        ),
        (
            "greenlane.customs.events.v1.PartyEvent",
            again::<customs::events::v1::PartyEvent>,
        ),
        (
            "greenlane.fabric.v1.AuditCheckpoint",
            again::<fabric::v1::AuditCheckpoint>,
        ),
        (
            "greenlane.fabric.v1.AuditEntries",
            again::<fabric::v1::AuditEntries>,
        ),
        (
            "greenlane.fabric.v1.EpochOpened",
            again::<fabric::v1::EpochOpened>,
        ),
        (
            "greenlane.fabric.v1.RewindRequest",
            again::<fabric::v1::RewindRequest>,
        ),
        (
            "greenlane.fabric.v1.Watermark",
            again::<fabric::v1::Watermark>,
        ),
        (
            "greenlane.gate.events.v1.ListPassageEvent",
            again::<gate::events::v1::ListPassageEvent>,
        ),
        (
            "greenlane.gate.events.v1.AnswerEvent",
            again::<gate::events::v1::AnswerEvent>,
        ),
        (
            "greenlane.gate.events.v1.ContainerVisitEvent",
            again::<gate::events::v1::ContainerVisitEvent>,
        ),
        (
            "greenlane.gate.events.v1.PreArrivalEvent",
            again::<gate::events::v1::PreArrivalEvent>,
        ),
        (
            "greenlane.gate.events.v1.SiteEvent",
            again::<gate::events::v1::SiteEvent>,
        ),
        (
            "greenlane.gate.events.v1.TruckVisitEvent",
            again::<gate::events::v1::TruckVisitEvent>,
        ),
        (
            "greenlane.release.events.v1.DecisionEvent",
            again::<release::events::v1::DecisionEvent>,
        ),
        (
            "greenlane.release.events.v1.NoticeEvent",
            again::<release::events::v1::NoticeEvent>,
        ),
    ])
}

fn folder() -> PathBuf {
    crate::sources::root().join("tests/contract/golden")
}

/// Each golden file's name with the sample it is written from: one for each choice of a oneof.
fn samples() -> BTreeMap<String, (&'static str, Vec<u8>)> {
    let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
    let mut samples = BTreeMap::new();
    for (name, again) in types() {
        let message = pool.get_message_by_name(name).unwrap();
        for choice in choices(&message) {
            let file = match &choice {
                Some(field) => format!("{name}.{}.bin", field.name()),
                None => format!("{name}.bin"),
            };
            let bytes = sample(&message, choice.as_ref(), 0).encode_to_vec();
            // In the order in which today's types write.
            samples.insert(file, (name, again(&bytes).unwrap()));
        }
    }
    samples
}

/// The fields of which an event has one; `None` for a message without such a choice.
fn choices(message: &MessageDescriptor) -> Vec<Option<FieldDescriptor>> {
    let oneof = message.oneofs().find(|oneof| !is_optional(oneof));
    match oneof {
        Some(oneof) => oneof.fields().map(Some).collect(),
        None => vec![None],
    }
}

/// proto3's `optional` is a oneof of one field.
fn is_optional(oneof: &OneofDescriptor) -> bool {
    oneof.is_synthetic()
}

/// A message with something in every field, the same each time.
fn sample(
    message: &MessageDescriptor,
    choice: Option<&FieldDescriptor>,
    depth: usize,
) -> DynamicMessage {
    let mut filled = DynamicMessage::new(message.clone());
    for field in message.fields() {
        let left_out = field
            .containing_oneof()
            .filter(|oneof| !is_optional(oneof))
            .is_some_and(|oneof| match choice {
                Some(chosen) if chosen.containing_oneof().as_ref() == Some(&oneof) => {
                    *chosen != field
                }
                _ => oneof.fields().next().as_ref() != Some(&field),
            });
        let too_deep = depth >= DEPTH_MAX && matches!(field.kind(), Kind::Message(_));
        if !left_out && !too_deep {
            filled.set_field(&field, field_sample(&field, depth));
        }
    }
    filled
}

fn field_sample(field: &FieldDescriptor, depth: usize) -> Value {
    if field.is_map() {
        let key = MapKey::String(format!("{} key", field.name()));
        let value = match field.kind() {
            Kind::Message(entry) => value_sample(&entry.map_entry_value_field(), depth),
            _ => Value::Bool(true),
        };
        return Value::Map([(key, value)].into());
    }
    let value = value_sample(field, depth);
    match field.cardinality() {
        Cardinality::Repeated => Value::List(vec![value.clone(), value]),
        _ => value,
    }
}

fn value_sample(field: &FieldDescriptor, depth: usize) -> Value {
    let number = field.number();
    match field.kind() {
        Kind::Double | Kind::Float => panic!("{} is a float", field.full_name()),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(i64::from(number)),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(number),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(u64::from(number)),
        Kind::Bool => Value::Bool(true),
        Kind::String => Value::String(format!("{} 货", field.name())),
        Kind::Bytes => Value::Bytes(field.name().as_bytes().to_vec().into()),
        Kind::Message(message) => Value::Message(sample(&message, None, depth + 1)),
        Kind::Enum(kind) => {
            let last = kind.values().map(|value| value.number()).max();
            Value::EnumNumber(last.unwrap_or_default())
        }
    }
}

/// The fields of a sample, by full name, that no golden file of its event has: they were added since.
fn not_in_golden_files(name: &str, sample: &[u8]) -> BTreeSet<String> {
    let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
    let event = pool.get_message_by_name(name).unwrap();
    let fields = |bytes: &[u8]| {
        let mut fields = BTreeSet::new();
        collect_fields(
            &DynamicMessage::decode(event.clone(), bytes).unwrap(),
            &mut fields,
        );
        fields
    };
    let golden = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap());
    let golden = golden.filter(|entry| {
        let file = entry.file_name();
        file.to_str().unwrap().starts_with(&format!("{name}."))
    });
    golden.fold(fields(sample), |missing, entry| {
        &missing - &fields(&fs::read(entry.path()).unwrap())
    })
}

/// The full names of the fields that are set in a message and in those within it.
fn collect_fields(message: &DynamicMessage, fields: &mut BTreeSet<String>) {
    for (field, value) in message.fields() {
        fields.insert(field.full_name().to_owned());
        let values = match value {
            Value::List(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            if let Value::Message(within) = value {
                collect_fields(within, fields);
            }
        }
    }
}

#[test]
fn every_event_message_of_the_protos_has_its_type_here() {
    let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
    let published: BTreeSet<String> = pool
        .all_messages()
        .filter(|message| message.full_name().starts_with("greenlane."))
        .filter(|message| message.name().ends_with("Event"))
        .map(|message| message.full_name().to_owned())
        .collect();
    let here: BTreeSet<String> = types()
        .into_keys()
        .filter(|name| name.ends_with("Event"))
        .map(str::to_owned)
        .collect();
    assert_eq!(published, here);
}

#[test]
fn golden_events_are_read_and_written_alike_by_todays_types() {
    let samples = samples();
    let folder = folder();
    if std::env::var_os("GREENLANE_GOLDEN").is_some_and(|value| value == "write") {
        fs::create_dir_all(&folder).unwrap();
        for (file, (_, bytes)) in &samples {
            // What was published once is never written anew.
            if !folder.join(file).exists() {
                fs::write(folder.join(file), bytes).unwrap();
            }
        }
        for (file, (name, bytes)) in &samples {
            if let Some(field) = not_in_golden_files(name, bytes).first() {
                let (_, field) = field.rsplit_once('.').unwrap();
                let file = file.replace(".bin", &format!(".{field}.bin"));
                fs::write(folder.join(file), bytes).unwrap();
            }
        }
    }
    let missing: Vec<&String> = samples
        .keys()
        .filter(|file| !folder.join(file).exists())
        .collect();
    assert!(
        missing.is_empty(),
        "run with GREENLANE_GOLDEN=write for {missing:?}"
    );
    let added: BTreeSet<String> = samples
        .values()
        .flat_map(|(name, bytes)| not_in_golden_files(name, bytes))
        .collect();
    assert!(
        added.is_empty(),
        "run with GREENLANE_GOLDEN=write for the fields {added:?}"
    );
    let types = types();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        let message = types
            .keys()
            .filter(|name| file.starts_with(&format!("{name}.")))
            .max_by_key(|name| name.len());
        let message = message.unwrap_or_else(|| panic!("{file} is of no event"));
        let golden = fs::read(&path).unwrap();
        assert!(!golden.is_empty(), "{file} is empty");
        let written = types[message](&golden);
        assert_eq!(written.as_deref(), Ok(golden.as_slice()), "{file}");
    }
}
