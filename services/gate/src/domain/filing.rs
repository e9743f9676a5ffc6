//! Reading what people filed: every field is judged and all faults are given at once, each with code,
//! path, value and rule. It must not know what the fields are for.

use chrono::{DateTime, TimeDelta, Utc};
use kernel::{ContainerNumber, Fault, Plate, Quantity, Refusal, SizeType, Text};

/// The longest seal number, in characters.
pub const SEAL_CHARS_MAX: usize = 20;
/// The most seals on one container.
pub const SEALS_MAX: usize = 12;
/// How far a reported time may lie ahead of the database's clock, in seconds.
pub const CLOCK_SKEW_SECONDS_MAX: i64 = 300;
/// How long ago something may have been observed, in hours: a lane that buffers what it saw through an outage
/// of a day and a night sends it afterwards; what is older is a clock that is wrong.
pub const OBSERVED_AGO_HOURS_MAX: i64 = 36;
/// How long ago a train or barge may have come, in hours: 30 days, because the desk sends a list again when it
/// corrects one.
pub const ARRIVED_AGO_HOURS_MAX: i64 = 720;
/// The greatest mass that is believed, in kilograms.
const MASS_KILOGRAMS_MAX: u32 = 250_000;

/// The faults found so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

/// A quantity as it was filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenQuantity {
    /// The number.
    pub value: String,
    /// The unit.
    pub unit: String,
}

/// A plate as it was filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenPlate {
    /// As written.
    pub text: String,
    /// Two letters; empty for China.
    pub country: String,
}

/// A container number that may hide an error: its check digit stands for the remainder 10, as it does for 0.
/// Such a number is taken all the same.
pub fn worth_a_look(path: &str, container: &ContainerNumber) -> Option<Fault> {
    container.remainder_ten().then(|| {
        Fault::new(
            "CONTAINER_REMAINDER_TEN",
            path,
            container.as_str(),
            "ISO 6346",
            "The check digit of this number cannot show every error; check it against the container's door.",
        )
    })
}

impl Faults {
    /// Notes a fault.
    pub fn add(
        &mut self,
        code: &str,
        path: &str,
        value: &str,
        rule: &str,
        description: impl Into<String>,
    ) {
        self.0
            .push(Fault::new(code, path, value, rule, description));
    }

    /// The value, or its error as a fault.
    pub fn take<T, E: std::fmt::Display>(
        &mut self,
        read: Result<T, E>,
        code: &str,
        path: &str,
        value: &str,
        rule: &str,
    ) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(code, path, value, rule, error.to_string());
                None
            }
        }
    }

    /// A container number.
    pub fn container(&mut self, path: &str, written: &str) -> Option<ContainerNumber> {
        self.take(
            ContainerNumber::parse(written),
            "CONTAINER_NUMBER_INVALID",
            path,
            written,
            "ISO 6346",
        )
    }

    /// A size-type that may be left out.
    pub fn size_type(&mut self, path: &str, written: &str) -> Option<SizeType> {
        if written.trim().is_empty() {
            return None;
        }
        self.take(
            SizeType::parse(written),
            "SIZE_TYPE_INVALID",
            path,
            written,
            "ISO 6346",
        )
    }

    /// Seals: upper case, without spaces, in the order given.
    pub fn seals(&mut self, path: &str, written: &[String]) -> Vec<String> {
        if written.len() > SEALS_MAX {
            let count = written.len().to_string();
            self.add(
                "TOO_MANY",
                path,
                &count,
                "at most 12 seals",
                "Name the seals on the doors only.",
            );
            return Vec::new();
        }
        let mut seals = Vec::new();
        for (index, seal) in written.iter().enumerate() {
            let path = format!("{path}[{index}]");
            if let Some(seal) = self.text(&path, seal, SEAL_CHARS_MAX) {
                seals.push(seal.to_uppercase().replace(' ', ""));
            }
        }
        seals
    }

    /// A text that must be there.
    pub fn text(&mut self, path: &str, written: &str, chars_max: usize) -> Option<String> {
        let rule = format!("1 to {chars_max} characters");
        self.take(
            Text::parse(written, chars_max),
            "TEXT_INVALID",
            path,
            written,
            &rule,
        )
    }

    /// A text that may be left out.
    pub fn optional_text(&mut self, path: &str, written: &str, chars_max: usize) -> String {
        let rule = format!("at most {chars_max} characters");
        let read = Text::parse_optional(written, chars_max);
        self.take(read, "TEXT_INVALID", path, written, &rule)
            .flatten()
            .unwrap_or_default()
    }

    /// A mass in kilograms that may be left out. Zero is no mass: a reading that is not there is left out.
    pub fn mass(&mut self, path: &str, written: Option<&WrittenQuantity>) -> Option<Quantity> {
        let written = written?;
        let shown = format!("{} {}", written.value, written.unit);
        let rule = "a mass in KGM above 0";
        let read = Quantity::parse(&written.value, &written.unit);
        let mass = self.take(read, "MASS_INVALID", path, &shown, rule)?;
        if mass.unit().as_str() != "KGM"
            || mass.is_zero()
            || mass.amount() > MASS_KILOGRAMS_MAX.into()
        {
            self.add("MASS_INVALID", path, &shown, rule, "Give a mass in kilograms (KGM), above 0 and at most 250,000; leave it out where there is none.");
            return None;
        }
        Some(mass)
    }

    /// A plate.
    pub fn plate(&mut self, path: &str, written: &WrittenPlate) -> Option<Plate> {
        let country = match written.country.trim() {
            "" => "CN",
            country => country,
        };
        let rule = "GA 36 for Chinese plates; with a country for foreign ones";
        self.take(
            Plate::parse_of(country, &written.text),
            "PLATE_INVALID",
            path,
            &written.text,
            rule,
        )
    }

    /// When something was observed: now, where nothing is said; never in the future, nor long ago.
    pub fn observed(
        &mut self,
        path: &str,
        observed_at: Option<DateTime<Utc>>,
        ago_hours_max: i64,
        now: DateTime<Utc>,
    ) -> DateTime<Utc> {
        let Some(observed_at) = observed_at else {
            return now;
        };
        if observed_at < now - TimeDelta::hours(ago_hours_max) {
            self.add(
                "TIME_LONG_AGO",
                path,
                &observed_at.to_rfc3339(),
                &format!("at most {ago_hours_max} hours ago"),
                "Give the time at which it happened; check the clock of the device.",
            );
        }
        if observed_at > now + TimeDelta::seconds(CLOCK_SKEW_SECONDS_MAX) {
            self.add(
                "TIME_IN_FUTURE",
                path,
                &observed_at.to_rfc3339(),
                "not after now",
                "Give the time at which it happened; check the clock of the device.",
            );
        }
        observed_at
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A filing with faults is refused whole, with all of them.
    pub fn into_refusal(self) -> Refusal {
        Refusal::invalid(
            "FILING_INVALID",
            "The filing has faults, all of them listed; nothing was stored.",
        )
        .with_faults(self.0)
    }

    /// The faults.
    pub fn into_vec(self) -> Vec<Fault> {
        self.0
    }
}
