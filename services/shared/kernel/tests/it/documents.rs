//! Kernel values in stored documents: plain strings, judged again when they are read.

use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::DateTime;
use kernel::{ContainerNumber, Direction, Fault, Money, Plate, Quantity, Refusal, Rounding, Unmet};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{from_value, json, to_value};

fn kept<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    value: &T,
    document: serde_json::Value,
) {
    assert_eq!(to_value(value).expect("serialises"), document);
    assert_eq!(&from_value::<T>(document).expect("reads"), value);
}

#[test]
fn identifiers_are_strings() {
    kept(
        &ContainerNumber::parse("msku 907032 3").expect("valid"),
        json!("MSKU9070323"),
    );
    assert!(from_value::<ContainerNumber>(json!("MSKU9070324")).is_err());
}

#[test]
fn identifiers_are_keys() {
    let number = ContainerNumber::parse("MSKU9070323").expect("valid");
    kept(&BTreeMap::from([(number, 1)]), json!({"MSKU9070323": 1}));
}

#[test]
fn quantities_and_money_are_spelled_out() {
    kept(
        &Quantity::parse("1250.50", "KGM").expect("valid"),
        json!({"amount": "1250.5", "unit": "KGM"}),
    );
    kept(
        &Money::parse("-40.00", "GBP").expect("valid"),
        json!({"amount": "-40", "currency": "GBP"}),
    );
    assert!(from_value::<Quantity>(json!({"amount": "-1", "unit": "KGM"})).is_err());
    assert!(
        from_value::<Money>(json!({"amount": 0.1, "currency": "GBP"})).is_err(),
        "a float is no money"
    );
    kept(&Rounding::HalfEven, json!("HALF_EVEN"));
    kept(&Direction::Out, json!("OUT"));
}

#[test]
fn a_plate_keeps_its_original_spelling() {
    let plate = Plate::parse("渝a·12345").expect("valid");
    kept(&plate, json!({"country": "CN", "written": "渝a·12345"}));
}

#[test]
fn a_refusal_is_kept_whole() {
    let unmet = Unmet {
        condition: "CUSTOMS_RELEASED".to_owned(),
        subject: "MSKU9070323".to_owned(),
        who: "officer".to_owned(),
        since: DateTime::from_timestamp(1_700_000_000, 0),
        evidence: "declaration D-1, version 2".to_owned(),
        description: "Complete the physical control.".to_owned(),
    };
    let refusal = Refusal::unmet("NOT_READY", "The container may not leave yet.", vec![unmet])
        .with_fault(
            Fault::new("F1", "containers[0]", "X", "ISO 6346", "Not a number.")
                .with_pointer("42A/67A"),
        )
        .with_metadata("site", "GUOYUAN-PORT")
        .with_resource("pre_arrival", "P-1")
        .with_retry_after_millis(500);
    let document = to_value(&refusal).expect("serialises");
    assert_eq!(document["kind"], json!("UNMET"));
    assert_eq!(from_value::<Refusal>(document).expect("reads"), refusal);
}
