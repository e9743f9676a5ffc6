//! A site: who runs it, where trucks are inspected and how weighing is judged. It must not know what
//! stands at the site at the moment.

use kernel::Quantity;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The whole, in hundredths of a per cent.
const BASIS_POINTS: u32 = 10_000;

/// A place where containers stay and trucks pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Our id.
    pub site_id: String,
    /// Its name for people.
    pub name: String,
    /// The party that runs gate, yard and rail desk.
    pub terminal_party: String,
    /// IANA time zone.
    pub time_zone: String,
    /// Goods location codes by which declarations name it.
    pub goods_location_codes: Vec<String>,
    /// Whether goods stored there are in bond.
    pub bonded: bool,
    /// Where trucks are inspected, in the usual order.
    pub inspection_sites: Vec<String>,
    /// How weighing is judged.
    pub weight: WeightRules,
    /// How many barriers stand on the way in: 1 or 2.
    #[serde(default = "one_barrier")]
    pub barriers_in: u32,
}

fn one_barrier() -> u32 {
    1
}

/// How weighing is judged at a site (gate rule 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightRules {
    /// What a missing reading means.
    pub policy: WeightPolicy,
    /// A load may differ from what was filed by so many kilograms.
    pub tolerance_kilograms: u32,
    /// Or by so many hundredths of a per cent of what was filed, whichever is more.
    pub tolerance_basis_points: u32,
}

/// What a missing weight reading means. It is never taken for zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WeightPolicy {
    /// Go on.
    AcceptAbsent,
    /// A person looks at it.
    ReviewAbsent,
}

impl WeightRules {
    /// Whether a measured load agrees with what was filed. Both in kilograms.
    pub fn tolerates(&self, filed: &Quantity, measured: &Quantity) -> bool {
        let difference = (filed.amount() - measured.amount()).abs();
        let absolute = Decimal::from(self.tolerance_kilograms);
        // Within a quantity's digits the product is exact.
        let relative = filed.amount() * Decimal::from(self.tolerance_basis_points)
            / Decimal::from(BASIS_POINTS);
        difference <= absolute.max(relative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kilograms(amount: &str) -> Quantity {
        Quantity::parse(amount, "KGM").unwrap()
    }

    #[test]
    fn rule_5_the_larger_of_the_two_tolerances_counts() {
        let rules = WeightRules {
            policy: WeightPolicy::AcceptAbsent,
            tolerance_kilograms: 200,
            tolerance_basis_points: 200,
        };
        assert!(rules.tolerates(&kilograms("5000"), &kilograms("5200")));
        assert!(!rules.tolerates(&kilograms("5000"), &kilograms("5201")));
        assert!(rules.tolerates(&kilograms("20000"), &kilograms("19600")));
        assert!(!rules.tolerates(&kilograms("20000"), &kilograms("19599.5")));
    }
}
