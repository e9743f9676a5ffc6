//! Between the wire's common messages and the kernel's values: times, money, quantities, faults and
//! conditions. What comes from the wire is judged and refused with its path; it must not know any message
//! of a single service.

use chrono::{DateTime, Utc};
use kernel::{Currency, Fault, Money, Quantity, Refusal, Unmet};
use prost::Message as _;
use prost_types::Timestamp;
use proto::common::v1 as wire;

/// A time for the wire.
pub fn timestamp(time: DateTime<Utc>) -> Timestamp {
    Timestamp {
        seconds: time.timestamp(),
        // Below a billion, but for leap seconds, which the wire does not know.
        nanos: i32::try_from(time.timestamp_subsec_nanos().min(999_999_999)).unwrap_or_default(),
    }
}

/// A time from the wire.
///
/// # Errors
///
/// A fault `TIME_INVALID` at `path` where it is missing, or not between the years 1 and 9999.
pub fn time(path: &str, timestamp: Option<&Timestamp>) -> Result<DateTime<Utc>, Fault> {
    let Some(timestamp) = timestamp else {
        return Err(Fault::new(
            "TIME_INVALID",
            path,
            "",
            "required",
            "Give the time.",
        ));
    };
    optional_time(path, Some(timestamp)).and_then(|time| {
        time.ok_or_else(|| Fault::new("TIME_INVALID", path, "", "required", "Give the time."))
    })
}

/// A time from the wire that may be left out.
///
/// # Errors
///
/// A fault `TIME_INVALID` at `path` where it is given but not between the years 1 and 9999.
pub fn optional_time(
    path: &str,
    timestamp: Option<&Timestamp>,
) -> Result<Option<DateTime<Utc>>, Fault> {
    // The bounds that google.protobuf.Timestamp sets itself.
    const SECONDS_MIN: i64 = -62_135_596_800;
    const SECONDS_MAX: i64 = 253_402_300_799;
    let Some(timestamp) = timestamp else {
        return Ok(None);
    };
    let in_bounds = (SECONDS_MIN..=SECONDS_MAX).contains(&timestamp.seconds);
    let nanos = u32::try_from(timestamp.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000 && in_bounds);
    let time = nanos.and_then(|nanos| DateTime::from_timestamp(timestamp.seconds, nanos));
    time.map(Some).ok_or_else(|| {
        let value = format!("{} s {} ns", timestamp.seconds, timestamp.nanos);
        Fault::new(
            "TIME_INVALID",
            path,
            value,
            "google.protobuf.Timestamp",
            "Give a time between the years 1 and 9999.",
        )
    })
}

/// Money for the wire.
pub fn money_message(money: &Money) -> wire::Money {
    let (units, nanos) = money.units_nanos();
    wire::Money {
        currency_code: money.currency().to_string(),
        units,
        nanos,
    }
}

/// Money from the wire.
///
/// # Errors
///
/// A fault `MONEY_INVALID` at `path`.
pub fn money(path: &str, message: Option<&wire::Money>) -> Result<Money, Fault> {
    let Some(message) = message else {
        return Err(Fault::new(
            "MONEY_INVALID",
            path,
            "",
            "required",
            "Give the amount and its currency.",
        ));
    };
    let value = || {
        format!(
            "{} {} units {} nanos",
            message.currency_code, message.units, message.nanos
        )
    };
    let invalid = |error: &dyn std::fmt::Display| {
        Fault::new(
            "MONEY_INVALID",
            path,
            value(),
            "ISO 4217; units and nanos of one sign",
            error.to_string(),
        )
    };
    let currency = Currency::parse(&message.currency_code).map_err(|error| invalid(&error))?;
    Money::from_units_nanos(message.units, message.nanos, currency).map_err(|error| invalid(&error))
}

/// A quantity for the wire.
pub fn quantity_message(quantity: &Quantity) -> wire::Quantity {
    wire::Quantity {
        value: quantity.amount().to_string(),
        unit_code: quantity.unit().to_string(),
    }
}

/// A quantity from the wire.
///
/// # Errors
///
/// A fault `QUANTITY_INVALID` at `path`.
pub fn quantity(path: &str, message: Option<&wire::Quantity>) -> Result<Quantity, Fault> {
    let Some(message) = message else {
        return Err(Fault::new(
            "QUANTITY_INVALID",
            path,
            "",
            "required",
            "Give the quantity and its unit.",
        ));
    };
    Quantity::parse(&message.value, &message.unit_code).map_err(|error| {
        let value = format!("{} {}", message.value, message.unit_code);
        Fault::new(
            "QUANTITY_INVALID",
            path,
            value,
            "decimal number without exponent; UN/ECE recommendation 20",
            error.to_string(),
        )
    })
}

/// A fault as part of an answer: a rejected filing is an answer, not an error.
pub fn fault_message(fault: &Fault) -> wire::Fault {
    wire::Fault {
        code: fault.code.clone(),
        path: fault.path.clone(),
        pointer: fault.pointer.clone(),
        value: fault.value.clone(),
        rule: fault.rule.clone(),
        description: fault.description.clone(),
    }
}

/// An unmet condition as part of an answer to "why not?".
pub fn condition_message(unmet: &Unmet) -> wire::Condition {
    let evidence = if unmet.evidence.is_empty() {
        Vec::new()
    } else {
        vec![unmet.evidence.clone()]
    };
    wire::Condition {
        code: unmet.condition.clone(),
        subject: unmet.subject.clone(),
        who: unmet.who.clone(),
        since: unmet.since.map(timestamp),
        evidence,
        description: unmet.description.clone(),
    }
}

/// A refusal made of one fault, for a command whose fields are read one by one.
pub fn refusal_of(fault: Fault) -> Refusal {
    Refusal::invalid(
        &fault.code,
        format!("{}: {}", fault.path, fault.description),
    )
    .with_fault(fault)
}

/// The aspect of a fact about a hold: several may stand on one scope, each with a life of its own.
pub fn hold_aspect(payload: &[u8]) -> String {
    let event = wire::HoldEvent::decode(payload).unwrap_or_default();
    event.hold.unwrap_or_default().hold_id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_comes_back_as_it_went() {
        for millis in [0, -1, 1_767_225_600_123] {
            let instant = DateTime::from_timestamp_millis(millis).unwrap();
            assert_eq!(time("at", Some(&timestamp(instant))), Ok(instant));
        }
    }

    #[test]
    fn a_time_that_is_none_is_a_fault_at_its_path() {
        for wrong in [
            None,
            Some(Timestamp {
                seconds: 0,
                nanos: -1,
            }),
            Some(Timestamp {
                seconds: 0,
                nanos: 1_000_000_000,
            }),
            Some(Timestamp {
                seconds: i64::MAX,
                nanos: 0,
            }),
        ] {
            let fault = time("planned_at", wrong.as_ref()).unwrap_err();
            assert_eq!(
                (fault.code.as_str(), fault.path.as_str()),
                ("TIME_INVALID", "planned_at")
            );
        }
        assert_eq!(optional_time("planned_at", None), Ok(None));
    }

    #[test]
    fn money_comes_back_as_it_went() {
        let duty = Money::parse("-40.05", "GBP").unwrap();
        let message = money_message(&duty);
        assert_eq!((message.units, message.nanos), (-40, -50_000_000));
        assert_eq!(money("duty", Some(&message)).unwrap(), duty);
    }

    #[test]
    fn money_of_two_signs_is_a_fault() {
        let message = wire::Money {
            currency_code: "GBP".to_owned(),
            units: 1,
            nanos: -1,
        };
        assert_eq!(
            money("duty", Some(&message)).unwrap_err().code,
            "MONEY_INVALID"
        );
        assert_eq!(money("duty", None).unwrap_err().path, "duty");
    }

    #[test]
    fn a_quantity_comes_back_as_it_went() {
        let mass = Quantity::parse("1234.500", "KGM").unwrap();
        let message = quantity_message(&mass);
        assert_eq!(message.value, "1234.5");
        assert_eq!(quantity("mass", Some(&message)).unwrap(), mass);
        let exponent = wire::Quantity {
            value: "1e3".to_owned(),
            unit_code: "KGM".to_owned(),
        };
        assert_eq!(
            quantity("mass", Some(&exponent)).unwrap_err().code,
            "QUANTITY_INVALID"
        );
    }
}
