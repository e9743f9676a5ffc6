//! Reads the authority's tax notification (function 13, DMSTAX): per item and
//! tax what was assessed, on which base, at which rate. Serves to set our own
//! assessment beside the authority's; computes nothing itself.

use rust_decimal::Decimal;

use crate::document::{Document, Element, Token};
use crate::fault::{Cause, Fault};
use crate::intake::without_glued_prefix;
use crate::limits::{OCCURRENCES_MAX, VALUE_BYTES_MAX};
use crate::read::{Unreadable, unreadable};

/// One tax on one item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaxLine {
    /// Number of the goods item, from 1; 0 where the notification names none.
    pub item: u32,
    /// Which tax: "A00" customs duty, "B00" VAT (DE 4/3).
    pub duty_tax_type: String,
    /// Preference it was reckoned under: "100" (DE 4/17); empty where not said.
    pub duty_regime_code: String,
    /// Base of an ad valorem tax, in `currency` (DE 4/4).
    pub ad_valorem_base: Option<Decimal>,
    /// Base of a specific tax (DE 4/4).
    pub specific_base: Option<Decimal>,
    /// Unit of the specific base, as written.
    pub specific_base_unit: String,
    /// Rate in percent of the ad valorem base (DE 4/5).
    pub rate_percent: Option<Decimal>,
    /// What the tax comes to (DE 4/6).
    pub assessed: Option<Decimal>,
    /// What is taken off it.
    pub deducted: Option<Decimal>,
    /// What is to be paid (DE 4/7).
    pub payable: Option<Decimal>,
    /// ISO 4217 currency of the amounts, as written.
    pub currency: String,
}

/// The lines of a tax notification, in document order. A document that is none,
/// or a figure that is no decimal number, is refused with its place.
pub fn read_tax_notification(bytes: &[u8]) -> Result<Vec<TaxLine>, Unreadable> {
    read_lines(bytes).map_err(|fault| unreadable(bytes, fault))
}

fn read_lines(bytes: &[u8]) -> Result<Vec<TaxLine>, Fault> {
    let mut notification = Notification::default();
    let mut document = Document::open(bytes)?;
    let mut open: Vec<Element<'_>> = Vec::new();
    let mut text = String::new();
    loop {
        match document.next()? {
            Token::Open(element) => {
                text.clear();
                notification.begin(without_glued_prefix(element.name), element.offset)?;
                open.push(element);
            }
            Token::Text(piece) => {
                if text.trim().is_empty() {
                    text.clear();
                } else if text.len() + piece.len() > 2 * VALUE_BYTES_MAX {
                    return Err(Fault::at(document.offset(), Cause::ValueTooLong));
                }
                text.push_str(&piece);
            }
            Token::Close => {
                let Some(element) = open.pop() else { break };
                let parent = open.last().map_or("", |parent| parent.name);
                notification.value(without_glued_prefix(parent), &element, text.trim())?;
                text.clear();
            }
            Token::End => break,
        }
    }
    if notification.function_code != "13" {
        return Err(Fault::at(0, Cause::NotATaxNotification));
    }
    Ok(notification.lines)
}

#[derive(Default)]
struct Notification {
    function_code: String,
    item: u32,
    lines: Vec<TaxLine>,
}

impl Notification {
    fn begin(&mut self, name: &str, offset: usize) -> Result<(), Fault> {
        match name {
            "GovernmentAgencyGoodsItem" => self.item = 0,
            "DutyTaxFee" => {
                if self.lines.len() >= OCCURRENCES_MAX {
                    let element = "DutyTaxFee";
                    let max = OCCURRENCES_MAX;
                    return Err(Fault::at(
                        offset,
                        Cause::TooManyOccurrences { element, max },
                    ));
                }
                self.lines.push(TaxLine {
                    item: self.item,
                    ..TaxLine::default()
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn value(&mut self, parent: &str, element: &Element<'_>, value: &str) -> Result<(), Fault> {
        let name = without_glued_prefix(element.name);
        match (parent, name) {
            ("Response", "FunctionCode") => value.clone_into(&mut self.function_code),
            ("GovernmentAgencyGoodsItem", "SequenceNumeric") => {
                self.item = value.parse().unwrap_or_default();
            }
            ("DutyTaxFee" | "Payment", _) => {
                if let Some(line) = self.lines.last_mut() {
                    line.take(name, element, value)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl TaxLine {
    fn take(&mut self, name: &str, element: &Element<'_>, value: &str) -> Result<(), Fault> {
        match name {
            "TypeCode" => value.clone_into(&mut self.duty_tax_type),
            "DutyRegimeCode" => value.clone_into(&mut self.duty_regime_code),
            "AdValoremTaxBaseAmount" => self.ad_valorem_base = decimal(value, element)?,
            "SpecificTaxBaseQuantity" => {
                self.specific_base = decimal(value, element)?;
                self.specific_base_unit = attribute(element, "unitCode");
            }
            "TaxRateNumeric" => self.rate_percent = decimal(value, element)?,
            "TaxAssessedAmount" => {
                self.assessed = decimal(value, element)?;
                self.currency = attribute(element, "currencyID");
            }
            "DeductAmount" => self.deducted = decimal(value, element)?,
            "PaymentAmount" => self.payable = decimal(value, element)?,
            _ => {}
        }
        Ok(())
    }
}

fn decimal(value: &str, element: &Element<'_>) -> Result<Option<Decimal>, Fault> {
    if value.is_empty() {
        return Ok(None);
    }
    Decimal::from_str_exact(value).map(Some).map_err(|_| {
        let shown = crate::document::shortened(value);
        Fault::at(element.offset, Cause::NotADecimal(shown))
    })
}

fn attribute(element: &Element<'_>, name: &str) -> String {
    element
        .attributes
        .iter()
        .find(|attribute| attribute.name == name)
        .map(|attribute| attribute.value.clone())
        .unwrap_or_default()
}
