//! What the filer should know about a filing that was not rejected: which value leaves an item to an officer
//! and where it stands in the document, and that nobody looked at a guarantee. It must not reckon duty, and
//! it refuses nothing.

use kernel::Fault;

use super::Declaration;
use crate::domain::duty::Manual;
use crate::domain::filing::{FiledItem, ProcedureKind};
use crate::domain::validation::{
    CUSTOMS_VALUE_UNUSABLE, EXCHANGE_RATE_MISSING, EXCISE_RATE_MISSING, Findings,
    GUARANTEE_NOT_CHECKED, MEASURE_UNIT_UNSUITED, ORIGIN_MISSING, PROCEDURE_NOT_IN_TARIFF,
    QUANTITY_MISSING, Rule, TARIFF_LINE_MISSING, item_path,
};

impl Declaration {
    /// What the filer should know about a filing that was not rejected.
    pub(super) fn remark_on_filing(&mut self) {
        let mut findings = Findings {
            faults: Vec::new(),
            warnings: std::mem::take(&mut self.warnings),
        };
        if let Some(duty) = self.debt.duty() {
            for (sequence, why) in &duty.manual_items {
                let mut items = self.filing.items.iter().enumerate();
                if let Some((index, item)) =
                    items.find(|(_, item)| item.sequence.unwrap_or_default() == *sequence)
                {
                    findings.warn(left_to_an_officer(&item_path(index), item, why));
                }
            }
            let guaranteed = self.to_guarantee(duty).is_some();
            let is_looked_at = |sequence: &u32| {
                guaranteed
                    && !duty.unreckoned_items.contains(sequence)
                    && self.goes_into_bond(*sequence)
            };
            if !duty.suspended_items.iter().all(is_looked_at) {
                findings.remark(
                    &GUARANTEE_NOT_CHECKED,
                    "/Declaration/ObligationGuarantee",
                    "",
                );
            }
        }
        self.warnings = findings.warnings;
    }

    /// Whether an item goes into bond. Inward processing and temporary admission are suspended too, and nobody
    /// looks at a guarantee for them.
    fn goes_into_bond(&self, sequence: u32) -> bool {
        self.filing
            .items
            .iter()
            .filter(|item| item.sequence.unwrap_or_default() == sequence)
            .all(|item| {
                item.procedure.as_deref().map(ProcedureKind::of) == Some(ProcedureKind::IntoBond)
            })
    }
}

/// What the filer is told of an item that a person must assess: which value stands in the way, and where.
fn left_to_an_officer(path: &str, item: &FiledItem, why: &Manual) -> Fault {
    let written = |value: &Option<String>| value.clone().unwrap_or_default();
    let (rule, at, value): (&Rule, String, String) = match why {
        Manual::UnknownProcedure(procedure) => (
            &PROCEDURE_NOT_IN_TARIFF,
            format!("{path}/GovernmentProcedure/CurrentCode"),
            procedure.clone(),
        ),
        Manual::NoCommodityCode | Manual::NoTariffLine { .. } => (
            &TARIFF_LINE_MISSING,
            format!("{path}/Commodity/Classification/ID"),
            written(&item.commodity_code),
        ),
        Manual::NoOrigin { .. } => (
            &ORIGIN_MISSING,
            format!("{path}/Origin/CountryCode"),
            written(&item.origin),
        ),
        Manual::NoExciseRate { code, .. } => (
            &EXCISE_RATE_MISSING,
            format!("{path}/Commodity/Classification/ID"),
            code.clone(),
        ),
        Manual::NoCustomsValue | Manual::NegativeCustomsValue(_) | Manual::OutOfRange => {
            let (at, value) = item.value.as_ref().map_or_else(
                || (format!("{path}/CustomsValueAmount"), String::new()),
                |value| (value.path.clone(), value.value.clone()),
            );
            (&CUSTOMS_VALUE_UNUSABLE, at, value)
        }
        Manual::NoExchangeRate { currency, .. } => {
            // The other currency there may be is that of the tariff's own rate.
            let declared = item
                .value
                .as_ref()
                .filter(|value| value.currency == *currency);
            let (at, value) = declared.map_or_else(
                || (path.to_owned(), String::new()),
                |value| (format!("{}/@currencyID", value.path), currency.clone()),
            );
            (&EXCHANGE_RATE_MISSING, at, value)
        }
        Manual::NoQuantity { .. } => (
            &QUANTITY_MISSING,
            format!("{path}/Commodity/GoodsMeasure"),
            String::new(),
        ),
        Manual::NetMassUnit { declared, .. } => (
            &MEASURE_UNIT_UNSUITED,
            format!("{path}/Commodity/GoodsMeasure/NetNetWeightMeasure/@unitCode"),
            declared.clone(),
        ),
        Manual::SupplementaryUnit { declared, .. } => (
            &MEASURE_UNIT_UNSUITED,
            format!("{path}/Commodity/GoodsMeasure/TariffQuantity/@unitCode"),
            declared.clone(),
        ),
    };
    Fault::new(
        rule.code,
        at,
        value,
        rule.name,
        format!("An officer assesses this item: {why}."),
    )
}
