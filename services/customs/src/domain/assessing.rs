//! From a filing to what the tariff and the risk rules ask about it, and their answer on a day. It must not
//! know how either reckons.

use chrono::{DateTime, Utc};
use kernel::{Currency, Money, Rounding};
use rust_decimal::Decimal;

use super::duty::{self, Assessment, DeclaredTax, DutyItem};
use super::filing::{Direction, Filing, WrittenAmount};
use super::risk::{self, RiskInput, RiskItem, RiskOutcome, RiskRules};
use super::tariff::{Rates, Tariff};
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

    /// What is payable on a filing by the books of that instant's day (rule 4).
    pub fn assess(&self, filing: &Filing, at: DateTime<Utc>) -> Assessment {
        let owes = filing
            .kind()
            .is_some_and(|kind| kind.direction == Direction::Import);
        let items: Vec<DutyItem> = if owes {
            self.duty_items(filing)
        } else {
            Vec::new()
        };
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
                    hs_code: item.commodity_code.clone(),
                    origin: item.origin.clone(),
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
                hs_code: item.commodity_code.clone(),
                additional_codes: item.additional_codes.clone(),
                origin: item.origin.clone(),
                preferential_origin: item.preferential_origin.clone(),
                customs_value: item.value.as_ref().and_then(|value| self.money(value)),
                net_mass_kg: item.net_mass.as_ref().and_then(|mass| decimal(&mass.value)),
                supplementary: item
                    .supplementary
                    .as_ref()
                    .and_then(|measure| decimal(&measure.value)),
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
