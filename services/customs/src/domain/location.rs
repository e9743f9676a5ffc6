//! Places that a declaration cannot name as its goods location: data, dated and versioned. Pure: it must not
//! know our own sites, nor what a declaration that names such a place comes to.

use chrono::NaiveDate;
use serde::Deserialize;

use super::tariff::{Faults, SeedError, Validity, read_seed};

/// The goods locations of one version that cannot be declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodsLocations {
    /// The version that is stored on every declaration checked with it.
    pub version: String,
    barred: Vec<BarredLocation>,
}

/// A goods location that cannot be declared on some days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarredLocation {
    /// Its code, as declarations name it (data element 5/23).
    pub code: String,
    /// The days on which it is barred.
    pub validity: Validity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LocationsSeed {
    version: String,
    barred: Vec<BarredSeed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BarredSeed {
    code: String,
    from: NaiveDate,
    until: Option<NaiveDate>,
}

impl GoodsLocations {
    /// Reads the list.
    ///
    /// # Errors
    /// [`SeedError`], with every fault of the content at once.
    pub fn parse(text: &str) -> Result<Self, SeedError> {
        let seed: LocationsSeed = read_seed(text)?;
        let mut faults = Faults::default();
        let mut barred: Vec<BarredLocation> = Vec::new();
        for location in seed.barred {
            let place = format!("barred.{} from {}", location.code, location.from);
            if location.code.trim().is_empty() {
                faults.add(&place, "a goods location has a code");
            }
            barred.push(BarredLocation {
                validity: faults.validity(&place, location.from, location.until),
                code: location.code,
            });
        }
        faults.none_or(Self {
            version: seed.version,
            barred,
        })
    }

    /// The entry that bars a goods location on a day, in any case of its letters.
    #[must_use]
    pub fn barred(&self, goods_location: &str, on: NaiveDate) -> Option<&BarredLocation> {
        let named = goods_location.trim();
        self.barred.iter().find(|location| {
            location.code.eq_ignore_ascii_case(named) && location.validity.holds(on)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(written: &str) -> NaiveDate {
        written.parse().expect("a date")
    }

    #[test]
    fn a_location_is_barred_on_its_days_and_no_other_is() {
        let locations = GoodsLocations::parse(
            r#"version = "t"
               barred = [{ code = "RMGRMGRMX", from = "2020-01-01", until = "2025-12-31" }]"#,
        )
        .expect("a list");
        let barred = |code, on| locations.barred(code, day(on)).is_some();
        assert!(barred("RMGRMGRMX", "2020-01-01") && barred(" rmgrmgrmx ", "2025-12-31"));
        assert!(!barred("RMGRMGRMX", "2026-01-01") && !barred("RMGRMGRMX", "2019-12-31"));
        assert!(!barred("RMGRMGRMG", "2024-01-01") && !barred("", "2024-01-01"));
    }

    #[test]
    fn a_faulty_list_is_refused_with_all_its_faults() {
        let refused = GoodsLocations::parse(
            r#"version = "t"
               barred = [
                 { code = " ", from = "2020-01-01" },
                 { code = "A", from = "2020-01-01", until = "2019-01-01" },
               ]"#,
        );
        assert!(
            matches!(&refused, Err(SeedError::Content(faults)) if faults.len() == 2),
            "{refused:?}"
        );
    }
}
