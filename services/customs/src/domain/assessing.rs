//! From a filing to what the tariff and the risk rules ask about it, and their answer on a day. It must not
//! know how either reckons.

use chrono::{DateTime, Utc};
use kernel::{CountryCode, Currency, HsCode, Money, Rounding};
use rust_decimal::Decimal;

use super::duty::{self, Assessment, DeclaredTax, DutyItem, Measure};
use super::filing::{Direction, FiledItem, Filing, ProcedureKind, WrittenAmount, WrittenMeasure};
use super::location::GoodsLocations;
use super::risk::{self, RiskInput, RiskItem, RiskOutcome, RiskRules};
use super::tariff::{Rates, Tariff, Treatment};
use super::validation::{Severities, decimal};

/// The books that decisions rest on: data, each with its version.
#[derive(Clone, Debug)]
pub struct Books {
    /// The tariff.
    pub tariff: Tariff,
    /// Exchange rates.
    pub rates: Rates,
    /// Risk rules.
    pub risk: RiskRules,
    /// Goods locations that cannot be declared.
    pub locations: GoodsLocations,
    /// Severities of the rules of documents.
    pub severities: Severities,
    /// What becomes of the part of a duty below the minor unit.
    pub rounding: Rounding,
}

impl Books {
    /// The currency of debts and accounts.
    pub fn currency(&self) -> &Currency {
        &self.tariff.currency
    }

    /// What is payable on a filing by the books of that instant's day (rule 4). What comes from a special
    /// territory (CO) owes as an import does. An export owes nothing; of all others, and so of what goes to a
    /// special territory, the procedure says it, item by item.
    ///
    /// The day is the one in UTC, also for goods at a site of ours: the site's zone is known by its name
    /// alone, and its rules are data that changes. Books that begin on another day in China than in London
    /// are dated by whoever keeps them.
    pub fn assess(&self, filing: &Filing, at: DateTime<Utc>) -> Assessment {
        let owes = filing
            .kind()
            .is_some_and(|kind| kind.direction != Direction::Export);
        // An export owes nothing, and is looked at for what it takes out of bond alone.
        let is_looked_at = |item: &DutyItem| {
            owes || (ProcedureKind::of(&item.procedure) == ProcedureKind::OutOfBond
                && self.tariff.treatment(&item.procedure) == Some(Treatment::Free))
        };
        let items: Vec<DutyItem> = self
            .duty_items(filing)
            .into_iter()
            .filter(is_looked_at)
            .collect();
        duty::assess(
            &items,
            &self.tariff,
            &self.rates,
            self.rounding,
            at.date_naive(),
        )
    }

    /// What the risk rules of that instant's day say about a filing (rule 3).
    pub fn judge(
        &self,
        filing: &Filing,
        filer: &str,
        trader: Option<&str>,
        at: DateTime<Utc>,
    ) -> RiskOutcome {
        let on = at.date_naive();
        let value = filing.items.iter().try_fold(Decimal::ZERO, |sum, item| {
            let money = self.money(item.value.as_ref()?)?;
            let rate = self.rates.to(money.currency().as_str(), on)?;
            sum.checked_add(money.amount().checked_mul(rate)?)
        });
        let input = RiskInput {
            type_code: filing.type_code.clone(),
            filer: filer.to_owned(),
            trader: trader.map(str::to_owned),
            value,
            items: filing
                .items
                .iter()
                .map(|item| RiskItem {
                    // What cannot be read is looked at as it was written: nobody escapes a rule by a blot.
                    hs_code: commodity_code(item).or_else(|| item.commodity_code.clone()),
                    origin: country(&item.origin).or_else(|| item.origin.clone()),
                    description: item.description.clone(),
                    procedure: item.procedure.clone().unwrap_or_default(),
                })
                .collect(),
        };
        risk::evaluate(&self.risk, &input, on)
    }

    fn duty_items(&self, filing: &Filing) -> Vec<DutyItem> {
        filing
            .items
            .iter()
            .map(|item| DutyItem {
                sequence: item.sequence.unwrap_or_default(),
                hs_code: commodity_code(item),
                additional_codes: item.additional_codes.clone(),
                origin: country(&item.origin),
                preferential_origin: country(&item.preferential_origin),
                customs_value: item.value.as_ref().and_then(|value| self.money(value)),
                net_mass: measure(&item.net_mass),
                supplementary: measure(&item.supplementary),
                procedure: item.procedure.clone().unwrap_or_default(),
                additional_procedures: item.additional_procedures.clone(),
                declared_taxes: item
                    .declared_taxes
                    .iter()
                    .filter_map(|(tax_type, base)| {
                        Some(DeclaredTax {
                            tax_type: tax_type.clone(),
                            quantity: decimal(&base.value)?,
                            unit: base.unit.clone(),
                        })
                    })
                    .collect(),
            })
            .collect()
    }

    fn money(&self, written: &WrittenAmount) -> Option<Money> {
        let currency = if written.currency.is_empty() {
            self.currency().as_str()
        } else {
            &written.currency
        };
        Money::parse(&written.value, currency).ok()
    }
}

/// The commodity code, if it can be read: dots and spaces are no part of it.
fn commodity_code(item: &FiledItem) -> Option<String> {
    let code = HsCode::parse(item.commodity_code.as_deref()?).ok()?;
    Some(code.into())
}

/// The country, if it can be read: in capitals.
fn country(written: &Option<String>) -> Option<String> {
    let code = CountryCode::parse(written.as_deref()?).ok()?;
    Some(code.into())
}

fn measure(written: &Option<WrittenMeasure>) -> Option<Measure> {
    let written = written.as_ref()?;
    Some(Measure {
        quantity: decimal(&written.value)?,
        unit: written.unit.clone(),
    })
}
