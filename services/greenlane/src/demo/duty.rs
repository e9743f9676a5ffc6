//! Our duty beside the authority's: what its own tax notifications say of the document that the demo files
//! must be what customs assesses, to the cent. It must not know how duty is reckoned.

use std::collections::BTreeMap;

use proto::customs::v1::DutyStatement;
use rust_decimal::Decimal;

use super::documents::TAX_NOTIFICATIONS;
use super::mishap::Mishap;

/// One tax on one item, as both have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The item.
    pub item: u32,
    /// "A00" customs duty, "B00" VAT.
    pub tax_type: String,
    /// What is payable as our customs has it.
    pub ours: Amount,
    /// What is payable as the authority's notification has it.
    pub theirs: Amount,
}

/// An amount with its currency; equal only to the cent, and in the same currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    value: Decimal,
    currency: String,
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Two places, as both write it; a third would be shown.
        let mut value = self.value;
        value.rescale(value.scale().max(2));
        write!(f, "{value} {}", self.currency)
    }
}

/// Assessed and payable, per item and tax.
type Taxes = BTreeMap<(u32, String), (Amount, Amount)>;

/// Sets ours beside each of the authority's notifications.
///
/// # Errors
/// They differ, in whatever: the message names both.
pub fn compare(ours: &DutyStatement) -> Result<Vec<Agreed>, Mishap> {
    let assessed = ours_of(ours)?;
    let mut agreed = Vec::new();
    for (file, bytes) in TAX_NOTIFICATIONS {
        let theirs = theirs_of(file, bytes)?;
        if assessed != theirs {
            let expected = format!("duty as in the authority's {file}: {}", listed(&theirs));
            return Err(Mishap::otherwise(expected, listed(&assessed)));
        }
        // The same items and taxes, in the same order.
        let beside = assessed.iter().zip(theirs.into_values());
        agreed = beside
            .map(|(((item, tax_type), (_, ours)), (_, theirs))| Agreed {
                item: *item,
                tax_type: tax_type.clone(),
                ours: ours.clone(),
                theirs,
            })
            .collect();
    }
    Ok(agreed)
}

fn ours_of(statement: &DutyStatement) -> Result<Taxes, Mishap> {
    let mut taxes = Taxes::new();
    for line in &statement.lines {
        let amount = |money: Option<&proto::common::v1::Money>| {
            let money = chassis::convert::money("duty", money).map_err(|fault| {
                Mishap::otherwise("an amount in every duty line", fault.description)
            })?;
            Ok::<_, Mishap>(Amount {
                value: money.amount().normalize(),
                currency: money.currency().to_string(),
            })
        };
        let (assessed, payable) = (
            amount(line.assessed.as_ref())?,
            amount(line.payable.as_ref())?,
        );
        taxes.insert((line.item, line.tax_type.clone()), (assessed, payable));
    }
    Ok(taxes)
}

fn theirs_of(file: &str, bytes: &[u8]) -> Result<Taxes, Mishap> {
    let lines = wco::tax::read_tax_notification(bytes)
        .map_err(|error| Mishap::Documents(format!("{file} cannot be read: {error}")))?;
    let mut taxes = Taxes::new();
    for line in lines {
        let amount = |value: Option<Decimal>| {
            let value = value.ok_or_else(|| {
                Mishap::Documents(format!("{file} names no amount for {}", line.duty_tax_type))
            })?;
            Ok::<_, Mishap>(Amount {
                value: value.normalize(),
                currency: line.currency.clone(),
            })
        };
        let (assessed, payable) = (amount(line.assessed)?, amount(line.payable)?);
        taxes.insert((line.item, line.duty_tax_type.clone()), (assessed, payable));
    }
    Ok(taxes)
}

fn listed(taxes: &Taxes) -> String {
    let line = |((item, tax), (assessed, payable)): (&(u32, String), &(Amount, Amount))| {
        format!("item {item} {tax} {assessed} assessed, {payable} payable")
    };
    taxes.iter().map(line).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::common::v1::Money;
    use proto::customs::v1::DutyLine;

    fn line(tax_type: &str, units: i64, nanos: i32) -> DutyLine {
        let money = Money {
            currency_code: "GBP".to_owned(),
            units,
            nanos,
        };
        DutyLine {
            item: 1,
            tax_type: tax_type.to_owned(),
            assessed: Some(money.clone()),
            payable: Some(money),
            ..Default::default()
        }
    }

    #[test]
    fn duty_equal_to_the_authoritys_is_agreed() {
        let ours = DutyStatement {
            lines: vec![line("A00", 40, 0), line("B00", 208, 0)],
            ..Default::default()
        };
        let agreed: Vec<_> = compare(&ours)
            .unwrap()
            .iter()
            .map(|tax| (tax.ours.to_string(), tax.theirs.to_string()))
            .collect();
        let both = |amount: &str| (amount.to_owned(), amount.to_owned());
        assert_eq!(agreed, [both("40.00 GBP"), both("208.00 GBP")]);
    }

    #[test]
    fn a_cent_more_or_a_tax_less_is_told_with_both() {
        let a_cent_more = vec![line("A00", 40, 10_000_000), line("B00", 208, 0)];
        for lines in [a_cent_more, vec![line("A00", 40, 0)], Vec::new()] {
            let ours = DutyStatement {
                lines,
                ..Default::default()
            };
            let told = compare(&ours).unwrap_err().to_string();
            assert!(told.contains("item 1 A00 40.00 GBP assessed"), "{told}");
        }
    }
}
