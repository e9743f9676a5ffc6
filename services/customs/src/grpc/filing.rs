//! From a declaration message, or the XML of one, to the filing that customs decides on. Paths are those of
//! the document, whichever way it came, so that both give the same faults.

use bytes::Bytes;
use kernel::Fault;
use prost::Message;
use proto::customs::v1 as wire;

use crate::domain::filing::{
    CONTAINERS_MAX, FiledItem, Filing, ITEMS_MAX, NamedParty, PartyRole, REFERENCES_MAX, Reference,
    WrittenAmount, WrittenMeasure,
};
use crate::domain::validation::{TEXT_CHARS_MAX, item_path};

/// The most codes of one kind in one place.
const CODES_MAX: usize = 99;
const SHIPMENT: &str = "/Declaration/GoodsShipment";

/// What came of reading what was filed.
#[derive(Clone, Debug)]
pub enum Filed {
    /// A declaration.
    Readable(Box<Readable>),
    /// A document that is no filing, with its answer.
    Unfit(Box<wire::Filing>),
}

/// A declaration that was read.
#[derive(Clone, Debug)]
pub struct Readable {
    /// What customs decides on.
    pub filing: Filing,
    /// What could not be placed, as warnings.
    pub unmapped: Vec<Fault>,
    /// The digest of the content.
    pub digest: [u8; 32],
    /// What it is written in.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: Bytes,
}

/// The content type of a filed message.
pub const MESSAGE: &str = "application/x-protobuf";
/// The content type of a filed document.
pub const XML: &str = "application/xml";

/// Reads a message.
pub fn read_message(declaration: &wire::Declaration) -> Filed {
    let bytes = declaration.encode_to_vec();
    Filed::Readable(Box::new(Readable {
        filing: filing(declaration),
        unmapped: Vec::new(),
        digest: digest(&bytes),
        content_type: MESSAGE,
        bytes: bytes.into(),
    }))
}

/// Reads a document.
pub fn read_document(bytes: &Bytes) -> Filed {
    match wco::read(bytes) {
        wco::Reading::Filing(read) => Filed::Readable(Box::new(Readable {
            filing: filing(&read.declaration),
            unmapped: read.unmapped.iter().map(unmapped).collect(),
            digest: digest(&read.declaration.encode_to_vec()),
            content_type: XML,
            bytes: bytes.clone(),
        })),
        wco::Reading::Unsupported(read) => Filed::Unfit(Box::new(wire::Filing {
            outcome: wire::FilingOutcome::Unsupported.into(),
            lrn: read.facts.lrn,
            type_code: read.facts.type_code,
            items: u32::try_from(read.facts.items).unwrap_or(u32::MAX),
            containers: read.facts.containers,
            unsupported_kind: read.kind,
            ..wire::Filing::default()
        })),
        wco::Reading::Unreadable(fault) => Filed::Unfit(Box::new(wire::Filing {
            outcome: wire::FilingOutcome::Unreadable.into(),
            unreadable: Some(wire::UnreadableDocument {
                line: fault.line,
                column: fault.column,
                cause: fault.cause.to_string(),
            }),
            ..wire::Filing::default()
        })),
    }
}

/// The declaration that was filed, from its kept bytes.
pub fn declaration_of(content_type: &str, bytes: &[u8]) -> Option<wire::Declaration> {
    match content_type {
        MESSAGE => wire::Declaration::decode(bytes).ok(),
        _ => match wco::read(bytes) {
            wco::Reading::Filing(read) => Some(*read.declaration),
            wco::Reading::Unsupported(_) | wco::Reading::Unreadable(_) => None,
        },
    }
}

/// Equal content has an equal digest, as a message or as XML however it is laid out.
fn digest(canonical: &[u8]) -> [u8; 32] {
    fabric::fingerprint("greenlane.customs.v1.Declaration", canonical)
}

fn unmapped(value: &wco::Unmapped) -> Fault {
    let fault = Fault::new(
        "UNMAPPED",
        &value.path,
        &value.value,
        "data model",
        "Customs has no place for this value; it is kept in the document and not looked at.",
    );
    match &value.pointer {
        Some(pointer) => fault.with_pointer(pointer.to_string()),
        None => fault,
    }
}

/// What customs decides on. A message is bounded only by its size, so of everything that has a limit one more
/// than that is taken: enough for the rule to see that it is broken.
pub fn filing(declaration: &wire::Declaration) -> Filing {
    let adjusted = |valuation: &Option<wire::CustomsValuation>| {
        valuation.as_ref().is_some_and(|valuation| {
            !valuation.charge_deductions.is_empty() || valuation.freight_charge.is_some()
        })
    };
    let of_items = declaration
        .items
        .iter()
        .any(|item| adjusted(&item.customs_valuation));
    Filing {
        type_code: clipped(&declaration.type_code),
        lrn: clipped(&declaration.lrn),
        items_declared: declaration.goods_item_quantity,
        packages_declared: declaration.total_package_quantity,
        goods_location: declaration
            .goods_location
            .as_ref()
            .and_then(|location| text(&location.name).or_else(|| text(&location.id))),
        containers: wco::containers(declaration)
            .iter()
            .take(CONTAINERS_MAX + 1)
            .map(|written| clipped(written))
            .collect(),
        parties: parties(declaration),
        exporter_named: declaration.exporter.as_ref().is_some_and(|exporter| {
            text(&exporter.id)
                .or_else(|| text(&exporter.name))
                .is_some()
        }),
        references: references(declaration),
        statement_codes: codes(
            declaration
                .additional_information
                .iter()
                .map(|information| &information.statement_code),
        ),
        acceptance_time_written: declaration.acceptance_time.is_some(),
        valuation_adjusted: adjusted(&declaration.customs_valuation) || of_items,
        invoice_amount: declaration
            .invoice_amount
            .as_ref()
            .map(|amount| written_amount("/Declaration/InvoiceAmount".to_owned(), amount)),
        items: declaration
            .items
            .iter()
            .take(ITEMS_MAX + 1)
            .enumerate()
            .map(|(index, item)| filed_item(index, item))
            .collect(),
    }
}

fn parties(declaration: &wire::Declaration) -> Vec<NamedParty> {
    let export = declaration.type_code.trim().starts_with("EX");
    let id = |party: &Option<wire::Party>| {
        party
            .as_ref()
            .map(|party| party.id.clone())
            .unwrap_or_default()
    };
    let agent = declaration
        .agent
        .as_ref()
        .map(|agent| agent.id.clone())
        .unwrap_or_default();
    let owner = if export {
        (
            PartyRole::Exporter,
            id(&declaration.exporter),
            "/Declaration/Exporter",
        )
    } else {
        (
            PartyRole::Importer,
            id(&declaration.importer),
            "/Declaration/GoodsShipment/Importer",
        )
    };
    [
        (
            PartyRole::Declarant,
            id(&declaration.declarant),
            "/Declaration/Declarant",
        ),
        (PartyRole::Agent, agent, "/Declaration/Agent"),
        owner,
    ]
    .into_iter()
    .filter_map(|(role, id, path)| {
        text(&id).map(|id| NamedParty {
            role,
            id,
            path: path.to_owned(),
        })
    })
    .collect()
}

fn references(declaration: &wire::Declaration) -> Vec<Reference> {
    let mut references = Vec::new();
    let mut add = |type_code: &str, id: &str, path: String| {
        if let Some(id) = text(id)
            && references.len() <= REFERENCES_MAX
        {
            references.push(Reference {
                type_code: clipped(type_code),
                id,
                path,
            });
        }
    };
    for (index, document) in declaration.transport_documents.iter().enumerate() {
        // A document of carriage is one whatever kind it says it is.
        let kind = text(&document.type_code).unwrap_or_else(|| "705".to_owned());
        add(
            &kind,
            &document.id,
            format!(
                "{SHIPMENT}/Consignment/TransportContractDocument[{}]",
                index + 1
            ),
        );
    }
    for (index, document) in declaration.previous_documents.iter().enumerate() {
        add(
            &document.type_code,
            &document.id,
            format!("{SHIPMENT}/PreviousDocument[{}]", index + 1),
        );
    }
    for (item_index, item) in declaration.items.iter().enumerate() {
        for (index, document) in item.previous_documents.iter().enumerate() {
            add(
                &document.type_code,
                &document.id,
                format!("{}/PreviousDocument[{}]", item_path(item_index), index + 1),
            );
        }
    }
    references
}

fn filed_item(index: usize, item: &wire::GoodsItem) -> FiledItem {
    let path = item_path(index);
    let amount = |at: &str, amount: &Option<wire::Amount>| {
        amount
            .as_ref()
            .map(|amount| written_amount(format!("{path}/{at}"), amount))
    };
    let measure = |at: &str, measure: &Option<wire::Measure>| {
        measure
            .as_ref()
            .map(|measure| written_measure(format!("{path}/Commodity/GoodsMeasure/{at}"), measure))
    };
    let stated = amount("CustomsValueAmount", &item.customs_value);
    let price = amount("Commodity/InvoiceLine/ItemChargeAmount", &item.item_charge);
    let statistical = amount("StatisticalValueAmount", &item.statistical_value);
    let origin = |type_code: &str| {
        item.origins
            .iter()
            .find(|origin| origin.type_code == type_code)
            .and_then(|origin| text(&origin.country_code))
    };
    let (value, other) = if stated.is_some() {
        (stated, price)
    } else {
        (price, None)
    };
    FiledItem {
        sequence: item.sequence,
        description: clipped(&item.description),
        commodity_code: commodity_code(item),
        additional_codes: codes(
            item.classifications
                .iter()
                .filter(|code| code.identification_type_code == "GN")
                .map(|code| &code.id),
        ),
        origin: origin("1").or_else(|| {
            item.origins
                .first()
                .and_then(|origin| text(&origin.country_code))
        }),
        preferential_origin: origin("2"),
        declared_taxes: item
            .duty_tax_fees
            .iter()
            .take(CODES_MAX)
            .filter_map(|fee| {
                let base = fee.specific_tax_base_quantity.as_ref()?;
                let at = format!("{path}/Commodity/DutyTaxFee/SpecificTaxBaseQuantity");
                Some((clipped(&fee.type_code), written_measure(at, base)))
            })
            .collect(),
        value,
        other_amounts: other.into_iter().chain(statistical).collect(),
        gross_mass: measure("GrossMassMeasure", &item.gross_mass),
        net_mass: measure("NetNetWeightMeasure", &item.net_mass),
        supplementary: measure("TariffQuantity", &item.tariff_quantity),
        procedure: wco::procedure(item).map(|procedure| {
            format!(
                "{}{}",
                clipped(&procedure.current_code),
                clipped(&procedure.previous_code)
            )
        }),
        additional_procedures: codes(wco::additional_procedures(item)),
        quota_order_numbers: codes(item.duty_tax_fees.iter().map(|fee| &fee.quota_order_id)),
        statement_codes: codes(
            item.additional_information
                .iter()
                .map(|information| &information.statement_code),
        ),
        containers: item
            .containers
            .iter()
            .take(CONTAINERS_MAX + 1)
            .filter_map(|container| text(&container.id))
            .collect(),
        packages: packages(item),
    }
}

/// Combined nomenclature and TARIC digits in one; additional and national codes are no part of it.
fn commodity_code(item: &wire::GoodsItem) -> Option<String> {
    let of = |kind: &str| {
        item.classifications
            .iter()
            .find(|code| code.identification_type_code == kind)
            .and_then(|code| text(&code.id))
    };
    let mut code = of("TSP")?;
    code.push_str(&of("TRC").unwrap_or_default());
    Some(code)
}

fn packages(item: &wire::GoodsItem) -> Option<u32> {
    if item.packagings.is_empty() {
        return None;
    }
    item.packagings
        .iter()
        .try_fold(0_u32, |sum, packaging| sum.checked_add(packaging.quantity?))
}

fn written_amount(path: String, amount: &wire::Amount) -> WrittenAmount {
    WrittenAmount {
        path,
        value: clipped(&amount.value),
        currency: clipped(&amount.currency),
    }
}

fn written_measure(path: String, measure: &wire::Measure) -> WrittenMeasure {
    WrittenMeasure {
        path,
        value: clipped(&measure.value),
        unit: clipped(&measure.unit_code),
    }
}

/// Codes that are there, as many as one place of a real document could hold.
fn codes<S: AsRef<str>>(written: impl Iterator<Item = S>) -> Vec<String> {
    written
        .filter_map(|code| text(code.as_ref()))
        .take(CODES_MAX)
        .collect()
}

fn text(written: &str) -> Option<String> {
    let text = clipped(written);
    (!text.is_empty()).then_some(text)
}

/// A text without the spaces around it, cut one character behind the longest there may be, and without the one
/// character that a row cannot hold.
fn clipped(written: &str) -> String {
    written
        .trim()
        .chars()
        .take(TEXT_CHARS_MAX + 1)
        .map(|character| {
            if character == '\0' {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_no_document_could_be_is_cut_and_still_seen_to_be_too_much() {
        let declaration = wire::Declaration {
            type_code: "IMA\0".into(),
            lrn: "L".repeat(100_000),
            items: vec![
                wire::GoodsItem {
                    description: "x".repeat(100_000),
                    ..Default::default()
                };
                ITEMS_MAX + 50
            ],
            ..Default::default()
        };
        let filing = filing(&declaration);
        assert_eq!(
            (filing.type_code.as_str(), filing.lrn.len()),
            ("IMA\u{fffd}", TEXT_CHARS_MAX + 1)
        );
        assert_eq!(
            (filing.items.len(), filing.items[0].description.len()),
            (ITEMS_MAX + 1, TEXT_CHARS_MAX + 1)
        );
    }
}
