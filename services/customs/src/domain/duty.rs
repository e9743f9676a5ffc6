//! What is owed on a declaration: duty, trade remedies, excise and value added tax per goods item, from the
//! tariff and the exchange rates of one day. Pure reckoning: it must not know who pays, which account stands
//! for it, or what a declaration looks like on the wire.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use kernel::{Money, MoneyError, Rounding};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::filing::ProcedureKind;
use super::tariff::{Rate, Rates, Specific, Tariff, TariffLine, TaxRate, Treatment};

/// Customs duty.
pub const TAX_TYPE_DUTY: &str = "A00";
/// Value added tax.
pub const TAX_TYPE_VAT: &str = "B00";

/// What of a goods item matters for duty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DutyItem {
    /// The item's number in its declaration (data element 1/6).
    pub sequence: u32,
    /// The commodity code, 6 to 10 digits: data elements 6/14 and 6/15 put together.
    pub hs_code: Option<String>,
    /// The national additional codes (data element 6/17): "VATZ", "X522".
    pub additional_codes: Vec<String>,
    /// The country of origin (data element 5/15), two letters.
    pub origin: Option<String>,
    /// The country of preferential origin (data element 5/16), where a preference is claimed.
    pub preferential_origin: Option<String>,
    /// The customs value, in the currency it was declared in.
    pub customs_value: Option<Money>,
    /// The net mass (data element 6/1), in kilograms where it names no unit.
    pub net_mass: Option<Measure>,
    /// The supplementary quantity (data element 6/2), in the unit of the commodity's tariff line where it
    /// names none.
    pub supplementary: Option<Measure>,
    /// Requested and previous procedure (data element 1/10), four digits: "4071".
    pub procedure: String,
    /// The additional procedures (data element 1/11): "000", "C07".
    pub additional_procedures: Vec<String>,
    /// The tax bases that the filer wrote down by quantity (data element 4/4).
    pub declared_taxes: Vec<DeclaredTax>,
}

/// A mass or quantity as the filer declared it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// How much.
    pub quantity: Decimal,
    /// Its unit; empty where the filer names none.
    pub unit: String,
}

/// A tax base by quantity, as the filer declared it: 10000 LTR for tax type 522.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredTax {
    /// The tax type it stands under; often empty.
    pub tax_type: String,
    /// The quantity.
    pub quantity: Decimal,
    /// Its unit: "LTR", "ASV" (alcoholic strength in percent of volume), "LPA" (litres of pure alcohol).
    pub unit: String,
}

/// What is owed on a declaration, and what a person must still assess.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// One line per item and tax, in the order of the items.
    pub lines: Vec<AssessedLine>,
    /// The sum of what is payable.
    pub total_payable: Money,
    /// The items that could not be assessed, each with the reason. They have no lines, and
    /// `total_payable` is without them.
    pub manual_items: Vec<(u32, Manual)>,
    /// The items on which nothing is payable while their procedure lasts.
    pub suspended_items: Vec<u32>,
    /// What the goods that go into bond would owe otherwise: what a guarantee is to cover. None where none do.
    #[serde(default)]
    pub into_bond: Option<Money>,
    /// What the goods that leave bond owe in free circulation, also where they are sent abroad and owe nothing:
    /// what a guarantee no longer has to cover. None where none do.
    #[serde(default)]
    pub out_of_bond: Option<Money>,
    /// The items into or out of bond that cannot be reckoned: neither amount counts them.
    #[serde(default)]
    pub unreckoned_items: Vec<u32>,
    /// The tariff's version.
    pub tariff_version: String,
    /// The version of the exchange rates.
    pub rates_version: String,
}

/// One tax on one item.
///
/// As in the authority's tax notifications, a relief is already taken off the assessed amount: what rate and
/// base give is `assessed` + `deducted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssessedLine {
    /// The item's number.
    pub item: u32,
    /// The tax type (data element 4/3): "A00" duty, "B00" value added tax, "A30", "522" ...
    pub tax_type: String,
    /// The amount the percentage is taken of: the customs value; for value added tax the customs value with
    /// all duties and excises.
    pub base: Money,
    /// The percentage; none where the rate is a specific one alone.
    pub rate_percent: Option<Decimal>,
    /// What is owed, after relief.
    pub assessed: Money,
    /// What a relief has taken off.
    pub deducted: Money,
    /// What is to be paid now: `assessed`, or nothing while a procedure suspends it.
    pub payable: Money,
    /// How it was reckoned, for a person.
    pub basis: String,
}

impl Assessment {
    /// Whether a procedure suspends what is owed on at least one item.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        !self.suspended_items.is_empty()
    }

    /// Whether a person must assess at least one item.
    #[must_use]
    pub fn needs_manual_assessment(&self) -> bool {
        !self.manual_items.is_empty()
    }
}

/// Assesses the items of a declaration on a day (customs rule 5): duty and excise on the customs value or
/// the quantity, value added tax on the customs value with them, every amount rounded to the minor unit on
/// its own.
///
/// What cannot be reckoned is never guessed: such an item comes back in `manual_items`, without lines.
#[must_use]
pub fn assess(
    items: &[DutyItem],
    tariff: &Tariff,
    rates: &Rates,
    rounding: Rounding,
    on: NaiveDate,
) -> Assessment {
    let desk = Desk {
        tariff,
        rates,
        rounding,
        on,
    };
    let mut assessment = Assessment {
        lines: Vec::new(),
        total_payable: Money::zero(tariff.currency.clone()),
        manual_items: Vec::new(),
        suspended_items: Vec::new(),
        into_bond: None,
        out_of_bond: None,
        unreckoned_items: Vec::new(),
        tariff_version: tariff.version.clone(),
        rates_version: rates.version.clone(),
    };
    for item in items {
        if let Err(why) = desk.assess_item(item, &mut assessment) {
            assessment.manual_items.push((item.sequence, why));
        }
        if desk.reckon_bond(item, &mut assessment).is_err() {
            assessment.unreckoned_items.push(item.sequence);
        }
    }
    assessment
}

/// Why an item is left to a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Manual {
    /// The tariff has no word on the procedure.
    #[error("the tariff does not say what procedure {0:?} does to duty")]
    UnknownProcedure(String),
    /// None is declared, or none that can be read.
    #[error("no commodity code")]
    NoCommodityCode,
    /// The tariff does not know the goods.
    #[error("no tariff line for commodity {hs_code} from {origin} on {on}")]
    NoTariffLine {
        /// The commodity code.
        hs_code: String,
        /// The country of origin, or that there is none.
        origin: String,
        /// The day.
        on: NaiveDate,
    },
    /// None is declared, or none that can be read, and it decides what is owed.
    #[error(
        "no country of origin, and commodity {hs_code} from some countries owes trade remedies on {on}"
    )]
    NoOrigin {
        /// The commodity code.
        hs_code: String,
        /// The day.
        on: NaiveDate,
    },
    /// The tariff does not know the excise.
    #[error("no excise rate for additional code {code} on {on}")]
    NoExciseRate {
        /// The national additional code.
        code: String,
        /// The day.
        on: NaiveDate,
    },
    /// No value is declared.
    #[error("no customs value")]
    NoCustomsValue,
    /// A value below zero is declared.
    #[error("the customs value is negative: {0}")]
    NegativeCustomsValue(Money),
    /// The rates do not know the currency.
    #[error("no exchange rate for {currency} on {on}")]
    NoExchangeRate {
        /// The currency.
        currency: String,
        /// The day.
        on: NaiveDate,
    },
    /// A tax goes by a quantity that is not declared.
    #[error("tax {tax_type} is per {unit}, and no such quantity is declared")]
    NoQuantity {
        /// The tax type.
        tax_type: String,
        /// What the tax is per.
        unit: String,
    },
    /// A tax goes by the net mass, and its unit cannot be reckoned with.
    #[error("tax {tax_type} is per {unit}, and the net mass is declared in {declared}")]
    NetMassUnit {
        /// The tax type.
        tax_type: String,
        /// What the tax is per.
        unit: String,
        /// The unit of the net mass.
        declared: String,
    },
    /// A tax goes by the supplementary quantity, and its unit is not that of the tariff line.
    #[error(
        "tax {tax_type} is per {unit}, and the supplementary quantity is declared in {declared}"
    )]
    SupplementaryUnit {
        /// The tax type.
        tax_type: String,
        /// What the tax is per.
        unit: String,
        /// The unit of the supplementary quantity.
        declared: String,
    },
    /// More than an amount can hold.
    #[error("an amount is out of range")]
    OutOfRange,
}

impl From<MoneyError> for Manual {
    fn from(_: MoneyError) -> Self {
        // The desk never mixes currencies, so what is left is size.
        Self::OutOfRange
    }
}

/// What one assessment stands on.
struct Desk<'a> {
    tariff: &'a Tariff,
    rates: &'a Rates,
    rounding: Rounding,
    on: NaiveDate,
}

impl Desk<'_> {
    /// Assesses one item; changes the assessment only if all of the item can be reckoned.
    fn assess_item(&self, item: &DutyItem, assessment: &mut Assessment) -> Result<(), Manual> {
        let treatment = self
            .tariff
            .treatment(&item.procedure)
            .ok_or_else(|| Manual::UnknownProcedure(item.procedure.clone()))?;
        let lines = match treatment {
            Treatment::Free => return Ok(()),
            Treatment::Suspended => Vec::new(),
            Treatment::Due => self.taxes(item)?,
            Treatment::DutyOnly => self.duties(item)?.1,
            Treatment::Conditional => self.taxes(item)?.into_iter().map(not_yet_payable).collect(),
        };
        let mut total = assessment.total_payable.clone();
        for line in &lines {
            total = total.checked_add(&line.payable)?;
        }
        assessment.total_payable = total;
        assessment.lines.extend(lines);
        if matches!(treatment, Treatment::Suspended | Treatment::Conditional) {
            assessment.suspended_items.push(item.sequence);
        }
        Ok(())
    }

    /// Adds what an item would owe in free circulation to what goes into bond or leaves it.
    fn reckon_bond(&self, item: &DutyItem, assessment: &mut Assessment) -> Result<(), Manual> {
        let total = match ProcedureKind::of(&item.procedure) {
            ProcedureKind::IntoBond => &mut assessment.into_bond,
            ProcedureKind::OutOfBond => &mut assessment.out_of_bond,
            _ => return Ok(()),
        };
        let so_far = total.get_or_insert_with(|| Money::zero(self.tariff.currency.clone()));
        let mut sum = so_far.clone();
        for line in self.taxes(item)? {
            sum = sum.checked_add(&line.assessed)?;
        }
        *so_far = sum;
        Ok(())
    }

    /// Duties, excises and value added tax.
    fn taxes(&self, item: &DutyItem) -> Result<Vec<AssessedLine>, Manual> {
        let (tariff_line, mut lines) = self.duties(item)?;
        let value = self.customs_value(item)?;
        let codes: BTreeSet<&String> = item.additional_codes.iter().collect();
        for code in codes.into_iter().filter(|code| is_excise(code)) {
            let excise = self
                .tariff
                .excise(code, self.on)
                .ok_or_else(|| Manual::NoExciseRate {
                    code: code.clone(),
                    on: self.on,
                })?;
            lines.push(self.tax(item, tariff_line, &excise.tax, &value)?);
        }
        let mut base = value;
        for line in &lines {
            base = base.checked_add(&line.assessed)?;
        }
        let vat = TaxRate {
            tax_type: TAX_TYPE_VAT.to_owned(),
            rate: Rate::AdValorem(self.tariff.vat_percent(&item.additional_codes)),
        };
        lines.push(self.tax(item, tariff_line, &vat, &base)?);
        Ok(lines)
    }

    /// Customs duty and trade remedies alone.
    fn duties(&self, item: &DutyItem) -> Result<(&TariffLine, Vec<AssessedLine>), Manual> {
        let origin = item.origin.as_deref();
        let preferred = item.preferential_origin.as_deref().or(origin);
        let tariff_line = self.tariff_line(item, preferred)?;
        let hs_code = item.hs_code.as_deref().unwrap_or_default();
        if origin.is_none() && self.tariff.remedies_follow_origin(hs_code, self.on) {
            return Err(Manual::NoOrigin {
                hs_code: hs_code.to_owned(),
                on: self.on,
            });
        }
        let value = self.customs_value(item)?;
        let duty = TaxRate {
            tax_type: TAX_TYPE_DUTY.to_owned(),
            rate: tariff_line.duty.clone(),
        };
        let lines = std::iter::once(&duty)
            // A preference softens the duty; a remedy follows the goods from where they were made.
            .chain(&self.tariff_line(item, origin)?.remedies)
            .map(|tax| self.tax(item, tariff_line, tax, &value))
            .collect::<Result<_, _>>()?;
        Ok((tariff_line, lines))
    }

    fn tariff_line(&self, item: &DutyItem, origin: Option<&str>) -> Result<&TariffLine, Manual> {
        let hs_code = item.hs_code.as_deref().ok_or(Manual::NoCommodityCode)?;
        self.tariff
            .line(hs_code, origin, self.on)
            .ok_or_else(|| Manual::NoTariffLine {
                hs_code: hs_code.to_owned(),
                origin: origin.unwrap_or("an unnamed origin").to_owned(),
                on: self.on,
            })
    }

    /// The customs value in the tariff's currency.
    fn customs_value(&self, item: &DutyItem) -> Result<Money, Manual> {
        let value = item.customs_value.as_ref().ok_or(Manual::NoCustomsValue)?;
        if value.is_negative() {
            return Err(Manual::NegativeCustomsValue(value.clone()));
        }
        let rate = self.exchange_rate(value.currency().as_str())?;
        Ok(Money::new(value.amount(), self.tariff.currency.clone())?.times(rate, self.rounding)?)
    }

    /// What one unit of a currency is worth in the tariff's. Rates that lead to another currency are none.
    fn exchange_rate(&self, currency: &str) -> Result<Decimal, Manual> {
        Some(self.rates)
            .filter(|rates| rates.currency == self.tariff.currency)
            .and_then(|rates| rates.to(currency, self.on))
            .ok_or_else(|| Manual::NoExchangeRate {
                currency: currency.to_owned(),
                on: self.on,
            })
    }

    fn tax(
        &self,
        item: &DutyItem,
        tariff_line: &TariffLine,
        tax: &TaxRate,
        base: &Money,
    ) -> Result<AssessedLine, Manual> {
        let (percent, specific) = match &tax.rate {
            Rate::AdValorem(percent) => (Some(*percent), None),
            Rate::Specific(specific) => (None, Some(specific)),
            Rate::Compound(percent, specific) => (Some(*percent), Some(specific)),
        };
        let mut owed = Money::zero(self.tariff.currency.clone());
        let mut basis = Vec::new();
        if let Some(percent) = percent {
            owed = owed.checked_add(&base.times(hundredth(percent)?, self.rounding)?)?;
            basis.push(format!("{percent} % of {base}"));
        }
        if let Some(specific) = specific {
            let quantity = quantity_in(item, tariff_line, &specific.unit)
                .ok_or_else(|| no_quantity(item, tariff_line, &tax.tax_type, &specific.unit))?;
            owed = owed.checked_add(&self.specific(specific, quantity)?)?;
            basis.push(format!(
                "{} {} per {} {} of {quantity}",
                specific.amount, specific.currency, specific.per, specific.unit
            ));
        }
        let mut basis = basis.join(" + ");
        let nothing = Money::zero(self.tariff.currency.clone());
        let (assessed, deducted) = match self
            .tariff
            .relief(&item.additional_procedures, &tax.tax_type)
        {
            None => (owed, nothing),
            Some(relief) => {
                basis.push_str(&format!(", relieved by additional procedure {relief}"));
                (nothing, owed)
            }
        };
        Ok(AssessedLine {
            item: item.sequence,
            tax_type: tax.tax_type.clone(),
            base: base.clone(),
            rate_percent: percent,
            payable: assessed.clone(),
            assessed,
            deducted,
            basis,
        })
    }

    /// A specific duty in the tariff's currency. The exchange rate is part of the factor, so that only one
    /// rounding takes place.
    fn specific(&self, specific: &Specific, quantity: Decimal) -> Result<Money, Manual> {
        let rate = self.exchange_rate(specific.currency.as_str())?;
        let factor = quantity
            .checked_div(Decimal::from(specific.per))
            .and_then(|units| units.checked_mul(rate))
            .ok_or(Manual::OutOfRange)?;
        Ok(Money::new(specific.amount, self.tariff.currency.clone())?
            .times(factor, self.rounding)?)
    }
}

/// The line of a procedure under which nothing is payable as long as its conditions are kept.
fn not_yet_payable(line: AssessedLine) -> AssessedLine {
    AssessedLine {
        payable: Money::zero(line.payable.currency().clone()),
        basis: format!("{}, not payable while the procedure lasts", line.basis),
        ..line
    }
}

/// National additional codes of excises begin with this letter and end in the tax type.
fn is_excise(additional_code: &str) -> bool {
    additional_code.starts_with('X')
}

fn hundredth(percent: Decimal) -> Result<Decimal, Manual> {
    percent
        .checked_mul(Decimal::new(1, 2))
        .ok_or(Manual::OutOfRange)
}

/// The item's quantity in the unit of a rate, from whatever the filer gave that says it; none where nothing
/// does, or where it is negative.
fn quantity_in(item: &DutyItem, tariff_line: &TariffLine, unit: &str) -> Option<Decimal> {
    let written = |unit: &str| {
        declared(item, unit).or_else(|| {
            item.supplementary
                .as_ref()
                .filter(|measure| {
                    tariff_line.supplementary_unit.as_deref() == Some(unit) && is_in(measure, unit)
                })
                .map(|measure| measure.quantity)
        })
    };
    let litres = || written("LTR").or_else(|| written("HLT")?.checked_mul(Decimal::ONE_HUNDRED));
    let quantity = match unit {
        // What is in the glass counts: volume and strength before the litres of pure alcohol that the filer
        // worked out, and the effective strength of a sparkling wine before that on its label.
        "LPA" => declared(item, "EAS")
            .or_else(|| declared(item, "ASV"))
            .zip(litres())
            .and_then(|(strength, litres)| litres.checked_mul(hundredth(strength).ok()?))
            .or_else(|| written("LPA")),
        "LTR" => litres(),
        "HLT" => litres()?.checked_mul(Decimal::new(1, 2)),
        "KGM" => kilograms(item),
        // Kilograms of tobacco; all of the goods where the filer does not tell them apart.
        "KTC" => written("KTC").or_else(|| kilograms(item)),
        _ => written(unit),
    };
    quantity.filter(|quantity| *quantity >= Decimal::ZERO)
}

/// The net mass in kilograms, where it is declared in them or in tonnes; no other unit is guessed at.
fn kilograms(item: &DutyItem) -> Option<Decimal> {
    let mass = item.net_mass.as_ref()?;
    match mass.unit.as_str() {
        "TNE" => mass.quantity.checked_mul(Decimal::ONE_THOUSAND),
        _ => is_in(mass, "KGM").then_some(mass.quantity),
    }
}

/// A measure without a unit is in the one that its data element is always in.
fn is_in(measure: &Measure, unit: &str) -> bool {
    measure.unit.is_empty() || measure.unit == unit
}

/// Why nothing says the quantity: the measure that would is in a unit that cannot be reckoned with, or there
/// is none.
fn no_quantity(item: &DutyItem, tariff_line: &TariffLine, tax_type: &str, unit: &str) -> Manual {
    let (tax_type, unit) = (tax_type.to_owned(), unit.to_owned());
    let by_mass = matches!(unit.as_str(), "KGM" | "KTC");
    let mass = item.net_mass.as_ref().filter(|_| by_mass);
    if let Some(mass) = mass.filter(|mass| !is_in(mass, "KGM")) {
        return Manual::NetMassUnit {
            tax_type,
            unit,
            declared: mass.unit.clone(),
        };
    }
    let expected = tariff_line.supplementary_unit.as_deref();
    let unsuited = |measure: &&Measure| expected.is_some_and(|unit| !is_in(measure, unit));
    match item.supplementary.as_ref().filter(unsuited) {
        Some(measure) if !by_mass => Manual::SupplementaryUnit {
            tax_type,
            unit,
            declared: measure.unit.clone(),
        },
        _ => Manual::NoQuantity { tax_type, unit },
    }
}

fn declared(item: &DutyItem, unit: &str) -> Option<Decimal> {
    item.declared_taxes
        .iter()
        .find(|tax| tax.unit == unit)
        .map(|tax| tax.quantity)
}

#[cfg(test)]
mod tests {
    use kernel::Currency;
    use proptest::prelude::*;

    use super::*;

    const TARIFF: &str = r#"
        version = "tariff-test-1"
        currency = "GBP"
        vat_percent = "20"
        vat_codes = { VATZ = "0" }
        reliefs = [{ additional_procedure = "C07", tax_types = ["A00"] }]
        excises = [
          { additional_code = "X333", tax_type = "333", from = "2020-01-01", rate = { specific = { amount = "28.50", currency = "GBP", per = 1, unit = "LPA" } } },
        ]
        lines = [
          { hs = "66019100", from = "2020-01-01", duty = { percent = "4" } },
          { hs = "66019100", origin = "FR", from = "2020-01-01", duty = { percent = "0" } },
          { hs = "04039099", from = "2020-01-01", duty = { percent = "8.3", specific = { amount = "26.60", currency = "EUR", per = 100, unit = "KGM" } } },
          { hs = "22041094", from = "2020-01-01", duty = { specific = { amount = "26.00", currency = "GBP", per = 100, unit = "LTR" } }, supplementary_unit = "LTR" },
          { hs = "72029980", origin = "CN", from = "2020-01-01", duty = { percent = "2.7" }, remedies = [
            { tax_type = "A30", rate = { percent = "50.7" } },
          ] },
          { hs = "72029980", from = "2020-01-01", duty = { percent = "2.7" } },
          { hs = "72029980", origin = "TR", from = "2020-01-01", duty = { percent = "0" } },
        ]
        procedures = { due = ["40"], duty_only = ["42"], conditional = ["51"], suspended = ["71"], free = ["10"] }
    "#;

    const RATES: &str = r#"
        version = "rates-test-1"
        to = "GBP"
        rates = [
          { currency = "EUR", from = "2020-01-01", value = "0.8523" },
          { currency = "USD", from = "2020-01-01", value = "0.7790" },
        ]
    "#;

    fn assess_all(items: &[DutyItem], rounding: Rounding) -> Assessment {
        let tariff = Tariff::parse(TARIFF).expect("a tariff");
        let rates = Rates::parse(RATES).expect("rates");
        let on = NaiveDate::from_ymd_opt(2026, 1, 15).expect("a day");
        assess(items, &tariff, &rates, rounding, on)
    }

    fn assess_one(item: DutyItem) -> Assessment {
        assess_all(&[item], Rounding::Truncate)
    }

    /// Umbrellas for a thousand pounds from China, into free circulation.
    fn umbrellas() -> DutyItem {
        DutyItem {
            sequence: 1,
            hs_code: Some("6601910000".to_owned()),
            origin: Some("CN".to_owned()),
            customs_value: Some(money("1000", "GBP")),
            procedure: "4000".to_owned(),
            additional_procedures: vec!["000".to_owned()],
            ..DutyItem::default()
        }
    }

    fn money(amount: &str, currency: &str) -> Money {
        Money::parse(amount, currency).expect("an amount")
    }

    fn quantity(written: &str) -> Decimal {
        Decimal::from_str_exact(written).expect("a quantity")
    }

    fn measure(written: &str, unit: &str) -> Measure {
        Measure {
            quantity: quantity(written),
            unit: unit.to_owned(),
        }
    }

    /// Tax type, assessed, deducted, payable.
    fn lines(assessment: &Assessment) -> Vec<(&str, String, String, String)> {
        assessment
            .lines
            .iter()
            .map(|line| {
                (
                    line.tax_type.as_str(),
                    line.assessed.to_string(),
                    line.deducted.to_string(),
                    line.payable.to_string(),
                )
            })
            .collect()
    }

    fn line<'a>(
        tax_type: &'a str,
        assessed: &str,
        deducted: &str,
        payable: &str,
    ) -> (&'a str, String, String, String) {
        let pounds = |amount: &str| format!("{amount} GBP");
        (
            tax_type,
            pounds(assessed),
            pounds(deducted),
            pounds(payable),
        )
    }

    fn why(assessment: &Assessment) -> Option<String> {
        match assessment.manual_items.as_slice() {
            [(_, why)] => Some(why.to_string()),
            _ => None,
        }
    }

    #[test]
    fn rule_5_value_added_tax_is_taken_of_value_and_duty() {
        let assessment = assess_one(umbrellas());
        assert_eq!(
            lines(&assessment),
            [
                line("A00", "40.00", "0.00", "40.00"),
                line("B00", "208.00", "0.00", "208.00"),
            ]
        );
        assert_eq!(assessment.total_payable, money("248", "GBP"));
        assert_eq!(assessment.lines[0].basis, "4 % of 1000.00 GBP");
        assert_eq!(assessment.lines[1].base, money("1040", "GBP"));
        assert_eq!(assessment.tariff_version, "tariff-test-1");
        assert_eq!(assessment.rates_version, "rates-test-1");
    }

    #[test]
    fn rule_5_the_rounding_is_data() {
        // 4 % of 1.63 is 0.0652; 20 % of 1.69 is 0.338, of 1.70 0.34.
        let item = || DutyItem {
            customs_value: Some(money("1.63", "GBP")),
            ..umbrellas()
        };
        let truncated = assess_all(&[item()], Rounding::Truncate);
        let half_up = assess_all(&[item()], Rounding::HalfUp);
        assert_eq!(truncated.total_payable, money("0.39", "GBP"));
        assert_eq!(half_up.total_payable, money("0.41", "GBP"));
    }

    #[test]
    fn rule_5_specific_and_ad_valorem_parts_add_up_each_in_its_currency() {
        let assessment = assess_one(DutyItem {
            hs_code: Some("0403909900".to_owned()),
            net_mass: Some(measure("100", "")),
            customs_value: Some(money("111", "GBP")),
            additional_codes: vec!["VATZ".to_owned()],
            ..umbrellas()
        });
        // 8.3 % of 111.00 is 9.21; 26.60 EUR are 22.67 GBP.
        assert_eq!(
            lines(&assessment),
            [
                line("A00", "31.88", "0.00", "31.88"),
                line("B00", "0.00", "0.00", "0.00"),
            ]
        );
        assert_eq!(
            assessment.lines[0].basis,
            "8.3 % of 111.00 GBP + 26.60 EUR per 100 KGM of 100"
        );
    }

    #[test]
    fn rule_5_excise_is_reckoned_by_what_is_in_the_glass_and_taxed_with_the_rest() {
        let declared = |unit: &str, amount: &str| DeclaredTax {
            tax_type: "333".to_owned(),
            quantity: quantity(amount),
            unit: unit.to_owned(),
        };
        let assessment = assess_one(DutyItem {
            hs_code: Some("2204109490".to_owned()),
            // Said twice, owed once.
            additional_codes: vec!["X333".to_owned(), "X333".to_owned()],
            customs_value: Some(money("4000", "GBP")),
            supplementary: Some(measure("2000", "")),
            declared_taxes: vec![
                declared("ASV", "13"),
                declared("EAS", "12.5"),
                declared("LPA", "260"),
            ],
            ..umbrellas()
        });
        assert_eq!(
            lines(&assessment),
            [
                line("A00", "520.00", "0.00", "520.00"),
                line("333", "7125.00", "0.00", "7125.00"),
                line("B00", "2329.00", "0.00", "2329.00"),
            ]
        );
    }

    #[test]
    fn a_value_in_another_currency_is_converted_once_and_rounded() {
        let assessment = assess_one(DutyItem {
            customs_value: Some(money("140.01", "USD")),
            ..umbrellas()
        });
        assert_eq!(assessment.lines[0].base, money("109.06", "GBP"));
    }

    #[test]
    fn a_relief_is_deducted_and_stays_out_of_the_value_added_taxs_base() {
        let assessment = assess_one(DutyItem {
            additional_procedures: vec!["C07".to_owned()],
            ..umbrellas()
        });
        assert_eq!(
            lines(&assessment),
            [
                line("A00", "0.00", "40.00", "0.00"),
                line("B00", "200.00", "0.00", "200.00"),
            ]
        );
        assert_eq!(
            assessment.lines[0].basis,
            "4 % of 1000.00 GBP, relieved by additional procedure C07"
        );
    }

    #[test]
    fn a_preference_softens_the_duty_and_not_the_trade_remedy() {
        let assessment = assess_one(DutyItem {
            hs_code: Some("7202998030".to_owned()),
            preferential_origin: Some("TR".to_owned()),
            ..umbrellas()
        });
        assert_eq!(
            lines(&assessment),
            [
                line("A00", "0.00", "0.00", "0.00"),
                line("A30", "507.00", "0.00", "507.00"),
                line("B00", "301.40", "0.00", "301.40"),
            ]
        );
    }

    #[test]
    fn rule_5_warehousing_carries_no_duty_now() {
        let assessment = assess_one(DutyItem {
            procedure: "7100".to_owned(),
            hs_code: None,
            ..umbrellas()
        });
        assert!(assessment.is_suspended() && assessment.lines.is_empty());
        assert!(!assessment.needs_manual_assessment());
        assert!(assessment.total_payable.is_zero());
        assert_eq!(
            assessment.unreckoned_items,
            [1],
            "nobody knows what to cover"
        );
    }

    #[test]
    fn what_goes_into_bond_or_leaves_it_is_reckoned_as_in_free_circulation() {
        let of = |procedure: &str| {
            assess_one(DutyItem {
                procedure: procedure.to_owned(),
                ..umbrellas()
            })
        };
        let sums = |assessment: &Assessment| {
            [
                assessment.total_payable.to_string(),
                format!("{:?}", assessment.into_bond.as_ref().map(Money::to_string)),
                format!(
                    "{:?}",
                    assessment.out_of_bond.as_ref().map(Money::to_string)
                ),
            ]
        };
        let some = "Some(\"248.00 GBP\")";
        assert_eq!(sums(&of("7100")), ["0.00 GBP", some, "None"]);
        assert_eq!(sums(&of("4071")), ["248.00 GBP", "None", some]);
        assert_eq!(sums(&of("1071")), ["0.00 GBP", "None", some], "sent abroad");
        assert_eq!(sums(&of("4000")), ["248.00 GBP", "None", "None"]);
    }

    #[test]
    fn inward_processing_is_reckoned_and_not_payable() {
        let assessment = assess_one(DutyItem {
            procedure: "5100".to_owned(),
            ..umbrellas()
        });
        assert_eq!(
            lines(&assessment),
            [
                line("A00", "40.00", "0.00", "0.00"),
                line("B00", "208.00", "0.00", "0.00"),
            ]
        );
        assert_eq!(assessment.suspended_items, [1]);
        assert!(assessment.total_payable.is_zero());
    }

    #[test]
    fn onward_supply_owes_duty_alone_and_an_export_nothing() {
        let of = |procedure: &str| {
            assess_one(DutyItem {
                procedure: procedure.to_owned(),
                ..umbrellas()
            })
        };
        assert_eq!(lines(&of("4200")), [line("A00", "40.00", "0.00", "40.00")]);
        let export = of("1040");
        assert!(export.lines.is_empty() && !export.is_suspended());
        assert!(!export.needs_manual_assessment());
    }

    #[test]
    fn rule_5_what_cannot_be_reckoned_is_left_to_a_person_with_the_reason() {
        let cases: [(DutyItem, &str); 8] = [
            (
                DutyItem {
                    hs_code: None,
                    ..umbrellas()
                },
                "no commodity code",
            ),
            (
                DutyItem {
                    hs_code: Some("9999999999".to_owned()),
                    ..umbrellas()
                },
                "no tariff line for commodity 9999999999 from CN on 2026-01-15",
            ),
            (
                DutyItem {
                    customs_value: None,
                    ..umbrellas()
                },
                "no customs value",
            ),
            (
                DutyItem {
                    customs_value: Some(money("-1", "GBP")),
                    ..umbrellas()
                },
                "the customs value is negative: -1.00 GBP",
            ),
            (
                DutyItem {
                    customs_value: Some(money("1", "XAU")),
                    ..umbrellas()
                },
                "no exchange rate for XAU on 2026-01-15",
            ),
            (
                DutyItem {
                    hs_code: Some("04039099".to_owned()),
                    ..umbrellas()
                },
                "tax A00 is per KGM, and no such quantity is declared",
            ),
            (
                DutyItem {
                    additional_codes: vec!["X999".to_owned()],
                    ..umbrellas()
                },
                "no excise rate for additional code X999 on 2026-01-15",
            ),
            (
                DutyItem {
                    procedure: "9900".to_owned(),
                    ..umbrellas()
                },
                "the tariff does not say what procedure \"9900\" does to duty",
            ),
        ];
        for (item, expected) in cases {
            let assessment = assess_one(item);
            assert_eq!(why(&assessment).as_deref(), Some(expected));
            assert!(assessment.lines.is_empty(), "{expected}");
            assert!(assessment.total_payable.is_zero(), "{expected}");
        }
    }

    #[test]
    fn rule_5_a_mass_counts_in_the_unit_that_it_is_declared_in_or_is_left_to_a_person() {
        let of = |amount, unit| {
            assess_one(DutyItem {
                hs_code: Some("0403909900".to_owned()),
                net_mass: Some(measure(amount, unit)),
                customs_value: Some(money("0", "GBP")),
                ..umbrellas()
            })
        };
        // 26.60 EUR per 100 kilograms, and value added tax.
        for (amount, unit, payable) in [
            ("10", "", "2.71"),
            ("10", "KGM", "2.71"),
            ("10", "TNE", "2720.53"),
        ] {
            assert_eq!(
                of(amount, unit).total_payable,
                money(payable, "GBP"),
                "{unit}"
            );
        }
        assert_eq!(
            why(&of("10", "GRM")).as_deref(),
            Some("tax A00 is per KGM, and the net mass is declared in GRM")
        );
    }

    #[test]
    fn rule_5_a_supplementary_quantity_counts_in_the_tariff_lines_unit_alone() {
        let of = |unit, declared_taxes| {
            assess_one(DutyItem {
                hs_code: Some("2204109490".to_owned()),
                supplementary: Some(measure("20", unit)),
                declared_taxes,
                ..umbrellas()
            })
        };
        let told = |assessment: &Assessment| (assessment.lines.len(), why(assessment));
        let named = of("LTR", Vec::new());
        assert_eq!(named.lines, of("", Vec::new()).lines);
        assert_eq!(named.lines[0].assessed, money("5.20", "GBP"));
        assert_eq!(
            told(&of("HLT", Vec::new())),
            (
                0,
                Some(
                    "tax A00 is per LTR, and the supplementary quantity is declared in HLT"
                        .to_owned()
                )
            )
        );
        // What another part of the item says in a unit that is known still counts.
        let hectolitres = DeclaredTax {
            tax_type: String::new(),
            quantity: quantity("20"),
            unit: "HLT".to_owned(),
        };
        assert_eq!(
            of("HLT", vec![hectolitres]).lines[0].assessed,
            money("520", "GBP")
        );
    }

    #[test]
    fn rule_5_without_an_origin_a_trade_remedy_is_not_passed_over() {
        let of = |origin: Option<&str>| {
            assess_one(DutyItem {
                hs_code: Some("7202998030".to_owned()),
                origin: origin.map(str::to_owned),
                preferential_origin: Some("TR".to_owned()),
                ..umbrellas()
            })
        };
        assert_eq!(
            why(&of(None)).as_deref(),
            Some(
                "no country of origin, and commodity 7202998030 from some countries owes trade remedies on 2026-01-15"
            )
        );
        assert_eq!(why(&of(Some("TR"))), None);
        let plain = assess_one(DutyItem {
            origin: None,
            ..umbrellas()
        });
        assert_eq!(why(&plain), None, "no origin of these owes a remedy");
    }

    #[test]
    fn rates_that_lead_to_another_currency_than_the_tariffs_are_not_used() {
        let tariff = Tariff::parse(TARIFF).expect("a tariff");
        let rates = Rates::parse(&RATES.replace("to = \"GBP\"", "to = \"CNY\"")).expect("rates");
        let on = NaiveDate::from_ymd_opt(2026, 1, 15).expect("a day");
        let assessment = assess(&[umbrellas()], &tariff, &rates, Rounding::Truncate, on);
        assert_eq!(
            why(&assessment).as_deref(),
            Some("no exchange rate for GBP on 2026-01-15")
        );
    }

    #[test]
    fn an_item_left_to_a_person_does_not_hide_the_others() {
        let unknown = DutyItem {
            sequence: 2,
            hs_code: None,
            ..umbrellas()
        };
        let assessment = assess_all(&[umbrellas(), unknown], Rounding::Truncate);
        assert_eq!(assessment.total_payable, money("248", "GBP"));
        assert_eq!(assessment.manual_items, [(2, Manual::NoCommodityCode)]);
    }

    #[test]
    fn amounts_out_of_range_are_left_to_a_person() {
        let dear = |sequence| DutyItem {
            sequence,
            customs_value: Some(money("999999999999999", "GBP")),
            ..umbrellas()
        };
        let items: Vec<DutyItem> = (1..=10).map(dear).collect();
        let assessment = assess_all(&items, Rounding::Truncate);
        assert_eq!(assessment.manual_items.len(), 10);
        assert!(assessment.total_payable.is_zero());
    }

    prop_compose! {
        fn any_item()(
            hs_code in prop::option::of(prop::sample::select(vec!["6601910000", "0403909900", "2204109490", "7202998030", "1234567890", "x"])),
            origin in prop::option::of(prop::sample::select(vec!["CN", "FR", "TR", ""])),
            value in prop::option::of((0_i64..1_000_000_000_000, 0_u32..4, prop::sample::select(vec!["GBP", "EUR", "USD", "JPY"]))),
            mass in prop::option::of((any::<i64>(), 0_u32..6, prop::sample::select(vec!["", "KGM", "TNE", "LTR", "HLT"]))),
            procedure in prop::sample::select(vec!["4000", "4071", "4200", "5100", "7100", "1040", "9900", ""]),
            additional_procedure in prop::sample::select(vec!["000", "C07"]),
            code in prop::sample::select(vec!["VATZ", "X333", "X1", ""]),
        ) -> DutyItem {
            DutyItem {
                sequence: 1,
                hs_code: hs_code.map(str::to_owned),
                additional_codes: vec![code.to_owned()],
                origin: origin.map(str::to_owned),
                preferential_origin: None,
                customs_value: value.map(|(units, scale, currency)| {
                    Money::new(Decimal::new(units, scale), Currency::parse(currency).expect("a currency")).expect("an amount")
                }),
                net_mass: mass.map(|(units, scale, unit)| Measure { quantity: Decimal::new(units, scale), unit: unit.to_owned() }),
                supplementary: mass.map(|(units, scale, unit)| Measure { quantity: Decimal::new(units, scale), unit: unit.to_owned() }),
                procedure: procedure.to_owned(),
                additional_procedures: vec![additional_procedure.to_owned()],
                declared_taxes: Vec::new(),
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_filed_the_total_is_the_sum_of_what_is_payable_and_nothing_is_negative(
            items in prop::collection::vec(any_item(), 0..6),
            rounding in prop::sample::select(vec![Rounding::Truncate, Rounding::HalfUp, Rounding::HalfEven]),
        ) {
            let assessment = assess_all(&items, rounding);
            let mut total = Decimal::ZERO;
            for line in &assessment.lines {
                for amount in [&line.base, &line.assessed, &line.deducted, &line.payable] {
                    prop_assert!(!amount.is_negative());
                    prop_assert!(amount.amount().scale() <= 2, "{amount}");
                }
                prop_assert!(line.payable == line.assessed || line.payable.is_zero());
                total += line.payable.amount();
            }
            prop_assert_eq!(assessment.total_payable.amount(), total);
        }

        #[test]
        fn items_are_assessed_independently_of_each_other(
            items in prop::collection::vec(any_item(), 0..6),
        ) {
            let together = assess_all(&items, Rounding::Truncate);
            let alone: Vec<AssessedLine> = items
                .iter()
                .flat_map(|item| assess_one(item.clone()).lines)
                .collect();
            prop_assert_eq!(together.lines, alone);
        }

        #[test]
        fn duty_and_value_added_tax_never_fall_when_the_value_rises(
            pence in 0_i64..1_000_000_000,
            more in 0_i64..1_000_000,
        ) {
            let owed = |pence| {
                assess_one(DutyItem {
                    customs_value: Some(
                        Money::new(Decimal::new(pence, 2), Currency::parse("GBP").expect("a currency"))
                            .expect("an amount"),
                    ),
                    ..umbrellas()
                })
                .total_payable
                .amount()
            };
            prop_assert!(owed(pence) <= owed(pence + more));
        }
    }
}
