//! From a declaration message, or the XML of one, to the filing that customs decides on. Paths are those of
//! the document, whichever way it came, so that both give the same faults.

use std::collections::HashSet;

use bytes::Bytes;
use kernel::Fault;
use prost::Message;
use proto::customs::v1 as wire;

use crate::domain::filing::{
    CONTAINERS_MAX, FIGURES_MAX, Figures, FiledItem, Filing, ITEMS_MAX, ItemParticulars,
    NamedParty, OCCURRENCES_MAX, PARTIES_MAX, Particulars, PartyRole, Placed, REFERENCES_MAX,
    Reference, WrittenAmount, WrittenMeasure,
};
use crate::domain::validation::{TEXT_CHARS_MAX, WARNINGS_MAX, hidden_characters, item_path};

/// The kinds of codes that stand beside the commodity code: TARIC digits, additional and national codes, CUS
/// numbers.
const KINDS_BESIDE_TSP: [&str; 4] = ["TRC", "TRA", "GN", "CV"];
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
    /// What the filing is judged by.
    pub particulars: Particulars,
    /// What it says about itself, as it is answered.
    pub facts: wco::Facts,
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
        particulars: particulars(declaration),
        facts: told(wco::Facts::of(declaration)),
        unmapped: Vec::new(),
        digest: digest(&bytes, &[]),
        content_type: MESSAGE,
        bytes: bytes.into(),
    }))
}

/// Reads a document.
pub fn read_document(bytes: &Bytes) -> Filed {
    match wco::read(bytes) {
        wco::Reading::Filing(read) => Filed::Readable(Box::new(Readable {
            filing: filing(&read.declaration),
            particulars: of_document(particulars(&read.declaration), &read),
            unmapped: read.unmapped.iter().filter_map(unmapped).collect(),
            digest: digest(&read.declaration.encode_to_vec(), &read.unmapped),
            facts: read.facts,
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

/// Equal content has an equal digest, as a message or as XML however it is laid out. What has no place in the
/// message is content too.
fn digest(canonical: &[u8], unmapped: &[wco::Unmapped]) -> [u8; 32] {
    const METHOD: &str = "greenlane.customs.v1.Declaration";
    let digest = fabric::fingerprint(METHOD, canonical);
    unmapped.iter().fold(digest, |so_far, value| {
        let path = fabric::fingerprint(&value.path, &so_far);
        fabric::fingerprint(&value.value, &path)
    })
}

/// The warning about a value without a place. One that is no number is a fault, by a rule of its own.
fn unmapped(value: &wco::Unmapped) -> Option<Fault> {
    let text = match value.reason {
        wco::UnmappedReason::Unknown => {
            "Customs does not know this element or attribute; it is kept in the document and not looked at."
        }
        wco::UnmappedReason::Repeated => {
            "This stands in an element that may stand only once here; it is kept in the document and not looked at."
        }
        wco::UnmappedReason::StrayText => {
            "Text between elements says nothing to customs; it is kept in the document and not looked at."
        }
        wco::UnmappedReason::NotANumber => return None,
    };
    let fault = Fault::new("UNMAPPED", &value.path, &value.value, "data model", text);
    Some(match &value.pointer {
        Some(pointer) => fault.with_pointer(pointer.to_string()),
        None => fault,
    })
}

/// What only a document can hold.
fn of_document(particulars: Particulars, read: &wco::Filing) -> Particulars {
    let placed = |path: &str, value: &str| Placed {
        path: path.to_owned(),
        value: clipped(value),
    };
    Particulars {
        items_count: read.facts.items,
        containers_count: particulars
            .containers_count
            .max(read.facts.containers.len()),
        not_numbers: read
            .unmapped
            .iter()
            .filter(|value| value.reason == wco::UnmappedReason::NotANumber)
            .map(|value| placed(&value.path, &value.value))
            .collect(),
        repeated: read
            .repeated
            .iter()
            .map(|element| placed(&element.path, &element.value))
            .collect(),
        unmapped_omitted: read.unmapped_omitted,
        ..particulars
    }
}

/// What a message says about itself, in no more and no other characters than a document has room for.
fn told(facts: wco::Facts) -> wco::Facts {
    const CHARS_MAX: usize = wco::limits::VALUE_BYTES_MAX / 4;
    let within = |text: String| writable(text.chars().take(CHARS_MAX));
    wco::Facts {
        type_code: within(facts.type_code),
        lrn: within(facts.lrn),
        containers: facts.containers.into_iter().map(within).collect(),
        ..facts
    }
}

/// What customs decides on. A message is bounded only by its size, so of everything that has a limit one more
/// than that is taken: enough for the rule to see that it is broken.
pub fn filing(declaration: &wire::Declaration) -> Filing {
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
        references: previous_documents(declaration),
        carriage_documents: carriage_documents(declaration),
        statement_codes: codes(
            declaration
                .additional_information
                .iter()
                .map(|information| &information.statement_code),
        ),
        items: declaration
            .items
            .iter()
            .take(ITEMS_MAX + 1)
            .enumerate()
            .map(|(index, item)| filed_item(index, item))
            .collect(),
    }
}

/// Everyone whom the document names by a number, once in each role, where it stands first.
fn parties(declaration: &wire::Declaration) -> Vec<NamedParty> {
    let mut seen = HashSet::new();
    let mut named = Vec::new();
    let mut add = |role, id: &str, path: String| {
        if let Some(id) = text(id)
            && named.len() <= PARTIES_MAX
            && seen.insert((role, id.clone()))
        {
            named.push(NamedParty { role, id, path });
        }
    };
    if let Some(agent) = &declaration.agent {
        add(PartyRole::Agent, &agent.id, "/Declaration/Agent".to_owned());
    }
    for (role, party, path) in parties_at(declaration) {
        if let Some(party) = party {
            add(role, &party.id, path);
        }
    }
    let shipment = |name: &str| format!("{SHIPMENT}/{name}");
    for (index, holder) in declaration.authorisation_holders.iter().enumerate() {
        let path = occurrence("/Declaration/AuthorisationHolder", index);
        add(PartyRole::AuthorisationHolder, &holder.id, path);
    }
    for (index, actor) in declaration.supply_chain_actors.iter().enumerate() {
        let path = occurrence(&shipment("AEOMutualRecognitionParty"), index);
        add(PartyRole::SupplyChainActor, &actor.id, path);
    }
    for (index, payer) in declaration.domestic_duty_tax_parties.iter().enumerate() {
        let path = occurrence(&shipment("DomesticDutyTaxParty"), index);
        add(PartyRole::TaxPayer, &payer.id, path);
    }
    for (item_index, item) in declaration.items.iter().enumerate() {
        let at = item_path(item_index);
        if let Some(party) = &item.consignee {
            add(PartyRole::Consignee, &party.id, format!("{at}/Consignee"));
        }
        for (index, payer) in item.domestic_duty_tax_parties.iter().enumerate() {
            let path = occurrence(&format!("{at}/DomesticDutyTaxParty"), index);
            add(PartyRole::TaxPayer, &payer.id, path);
        }
    }
    named
}

/// The parties of which there is one each, with where they stand.
fn parties_at(declaration: &wire::Declaration) -> [(PartyRole, &Option<wire::Party>, String); 8] {
    let shipment = |name: &str| format!("{SHIPMENT}/{name}");
    [
        (
            PartyRole::Declarant,
            &declaration.declarant,
            "/Declaration/Declarant".to_owned(),
        ),
        (
            PartyRole::Exporter,
            &declaration.exporter,
            "/Declaration/Exporter".to_owned(),
        ),
        (
            PartyRole::Importer,
            &declaration.importer,
            shipment("Importer"),
        ),
        (
            PartyRole::Consignee,
            &declaration.consignee,
            shipment("Consignee"),
        ),
        (PartyRole::Buyer, &declaration.buyer, shipment("Buyer")),
        (PartyRole::Seller, &declaration.seller, shipment("Seller")),
        (
            PartyRole::Carrier,
            &declaration.carrier,
            "/Declaration/Consignment/Carrier".to_owned(),
        ),
        (
            PartyRole::Consignor,
            &declaration.consignor,
            "/Declaration/Consignment/Consignor".to_owned(),
        ),
    ]
}

/// The documents that the shipment is carried under.
fn carriage_documents(declaration: &wire::Declaration) -> Vec<Reference> {
    references(
        declaration
            .transport_documents
            .iter()
            .enumerate()
            .map(|(index, document)| {
                let at = format!("{SHIPMENT}/Consignment/TransportContractDocument");
                (&document.type_code, &document.id, occurrence(&at, index))
            }),
    )
}

/// The documents that the goods were under before.
fn previous_documents(declaration: &wire::Declaration) -> Vec<Reference> {
    let of_items = declaration
        .items
        .iter()
        .enumerate()
        .flat_map(|(index, item)| listed(&item.previous_documents, item_path(index)));
    references(listed(&declaration.previous_documents, SHIPMENT.to_owned()).chain(of_items))
}

fn listed(
    documents: &[wire::PreviousDocument],
    parent: String,
) -> impl Iterator<Item = (&String, &String, String)> {
    documents.iter().enumerate().map(move |(index, document)| {
        let path = occurrence(&format!("{parent}/PreviousDocument"), index);
        (&document.type_code, &document.id, path)
    })
}

fn references<'a>(
    documents: impl Iterator<Item = (&'a String, &'a String, String)>,
) -> Vec<Reference> {
    documents
        .filter_map(|(type_code, id, path)| {
            Some(Reference {
                type_code: clipped(type_code),
                id: text(id)?,
                path,
            })
        })
        .take(REFERENCES_MAX + 1)
        .collect()
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
    let origin = |type_code: &str| {
        item.origins
            .iter()
            .find(|origin| origin.type_code.trim() == type_code)
            .and_then(|origin| text(&origin.country_code))
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
        // Where they come from by a preference says nothing of where they were made.
        origin: origin("1").or_else(|| origin("")),
        preferential_origin: origin("2"),
        declared_taxes: item
            .duty_tax_fees
            .iter()
            .enumerate()
            .take(OCCURRENCES_MAX)
            .filter_map(|(index, fee)| {
                let base = fee.specific_tax_base_quantity.as_ref()?;
                let at = format!("{}/SpecificTaxBaseQuantity", fee_path(&path, index));
                Some((clipped(&fee.type_code), written_measure(at, base)))
            })
            .collect(),
        value: stated.or(price),
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

/// Combined nomenclature and TARIC digits in one; additional and national codes are no part of it. A code under
/// no kind, or under one that nobody knows, is still what the filer says the goods are.
fn commodity_code(item: &wire::GoodsItem) -> Option<String> {
    let of = |is_meant: &dyn Fn(&str) -> bool| {
        item.classifications
            .iter()
            .find(|code| is_meant(code.identification_type_code.trim()))
            .and_then(|code| text(&code.id))
    };
    let mut code =
        of(&|kind| kind == "TSP").or_else(|| of(&|kind| !KINDS_BESIDE_TSP.contains(&kind)))?;
    code.push_str(&of(&|kind| kind == "TRC").unwrap_or_default());
    Some(code)
}

/// What a filing is judged by. Of figures, of which a message may hold more than there is memory for, no more
/// are taken than there may be.
pub fn particulars(declaration: &wire::Declaration) -> Particulars {
    let mut figures = Taken::default();
    let containers = containers_at(declaration);
    let references_of_items = declaration
        .items
        .iter()
        .map(|item| item.previous_documents.len())
        .sum::<usize>();
    let mut of_shipment = Figures::default();
    figures.amount(
        &mut of_shipment,
        || "/Declaration/InvoiceAmount".to_owned(),
        &declaration.invoice_amount,
    );
    figures.valuation(&mut of_shipment, SHIPMENT, &declaration.customs_valuation);
    figures.write_offs(
        &mut of_shipment,
        "/Declaration",
        &declaration.additional_documents,
    );
    let items: Vec<ItemParticulars> = declaration
        .items
        .iter()
        .take(ITEMS_MAX)
        .enumerate()
        .map(|(index, item)| item_particulars(index, item, &mut figures))
        .collect();
    let shipment_adjusted = adjusted(SHIPMENT, &declaration.customs_valuation);
    let items_adjusted = declaration
        .items
        .iter()
        .take(ITEMS_MAX)
        .enumerate()
        .filter_map(|(index, item)| adjusted(&item_path(index), &item.customs_valuation));
    Particulars {
        items_count: declaration.items.len(),
        containers_count: containers.1,
        containers: containers.0,
        references_count: declaration.transport_documents.len()
            + declaration.previous_documents.len()
            + references_of_items,
        figures_count: figures.count,
        acceptance_time: declaration.acceptance_time.as_ref().map(|time| Placed {
            path: "/Declaration/AcceptanceDateTime/DateTimeString".to_owned(),
            value: clipped(&time.value),
        }),
        adjustments: shipment_adjusted
            .into_iter()
            .chain(items_adjusted)
            .collect(),
        figures: of_shipment,
        items,
        crowded: crowded(declaration),
        hidden_characters: texts_with_hidden_characters(declaration),
        ..Particulars::default()
    }
}

/// Where names, addresses and descriptions hold characters that nobody sees.
fn texts_with_hidden_characters(declaration: &wire::Declaration) -> Vec<Placed> {
    let mut texts = Texts::default();
    if let Some(agent) = &declaration.agent {
        let at = "/Declaration/Agent";
        texts.look_at(|| format!("{at}/Name"), &agent.name);
        texts.address(at, &agent.address);
    }
    for (_, party, at) in parties_at(declaration) {
        texts.party(&at, party);
    }
    texts.statements("/Declaration", &declaration.additional_information);
    texts.documents("/Declaration", &declaration.additional_documents);
    for (index, item) in declaration.items.iter().take(ITEMS_MAX).enumerate() {
        let at = item_path(index);
        texts.look_at(|| format!("{at}/Commodity/Description"), &item.description);
        texts.party(&format!("{at}/Consignee"), &item.consignee);
        texts.statements(&at, &item.additional_information);
        texts.documents(&at, &item.additional_documents);
        for (index, packaging) in item.packagings.iter().enumerate() {
            let path = || {
                let at = occurrence(&format!("{at}/Packaging"), index);
                format!("{at}/MarksNumbersID")
            };
            texts.look_at(path, &packaging.marks);
        }
    }
    texts.hiding
}

/// The texts in which something is hidden, one more of them than there are warnings.
#[derive(Default)]
struct Texts {
    hiding: Vec<Placed>,
}

impl Texts {
    fn look_at(&mut self, path: impl FnOnce() -> String, text: &str) {
        if self.hiding.len() <= WARNINGS_MAX
            && let Some(value) = hidden_characters(text)
        {
            self.hiding.push(Placed {
                path: path(),
                value,
            });
        }
    }

    fn party(&mut self, at: &str, party: &Option<wire::Party>) {
        let Some(party) = party else { return };
        self.look_at(|| format!("{at}/Name"), &party.name);
        self.address(at, &party.address);
    }

    fn address(&mut self, at: &str, address: &Option<wire::Address>) {
        let Some(address) = address else { return };
        self.look_at(|| format!("{at}/Address/Line"), &address.line);
        self.look_at(|| format!("{at}/Address/CityName"), &address.city_name);
    }

    fn statements(&mut self, parent: &str, statements: &[wire::AdditionalInformation]) {
        for (index, statement) in statements.iter().enumerate() {
            let path = || {
                let at = occurrence(&format!("{parent}/AdditionalInformation"), index);
                format!("{at}/StatementDescription")
            };
            self.look_at(path, &statement.statement_description);
        }
    }

    fn documents(&mut self, parent: &str, documents: &[wire::AdditionalDocument]) {
        for (index, document) in documents.iter().enumerate() {
            let path = || {
                let at = occurrence(&format!("{parent}/AdditionalDocument"), index);
                format!("{at}/Name")
            };
            self.look_at(path, &document.name);
        }
    }
}

/// Where more elements stand than are looked at: what is decided on must not depend on which of them are.
fn crowded(declaration: &wire::Declaration) -> Vec<Placed> {
    let statements = "AdditionalInformation";
    let header = (
        format!("/Declaration/{statements}"),
        declaration.additional_information.len(),
    );
    let of_items = declaration
        .items
        .iter()
        .take(ITEMS_MAX)
        .enumerate()
        .flat_map(|(index, item)| {
            let path = item_path(index);
            [
                (statements, item.additional_information.len()),
                ("Commodity/Classification", item.classifications.len()),
                ("Commodity/DutyTaxFee", item.duty_tax_fees.len()),
                ("GovernmentProcedure", item.procedures.len()),
            ]
            .map(|(name, count)| (format!("{path}/{name}"), count))
        });
    std::iter::once(header)
        .chain(of_items)
        .filter(|(_, count)| *count > OCCURRENCES_MAX)
        .map(|(path, count)| Placed {
            path,
            value: count.to_string(),
        })
        .collect()
}

/// Each distinct container number where it stands first, in the order of the answer, and how many there are.
fn containers_at(declaration: &wire::Declaration) -> (Vec<Placed>, usize) {
    let shipment = format!("{SHIPMENT}/Consignment");
    let of_items = declaration
        .items
        .iter()
        .enumerate()
        .map(|(index, item)| (format!("{}/Commodity", item_path(index)), &item.containers));
    let mut seen = HashSet::new();
    let mut placed = Vec::new();
    for (parent, containers) in std::iter::once((shipment, &declaration.containers)).chain(of_items)
    {
        for (index, container) in containers.iter().enumerate() {
            let new = !container.id.is_empty() && seen.insert(container.id.as_str());
            if new && placed.len() <= CONTAINERS_MAX {
                placed.push(Placed {
                    path: format!(
                        "{}/ID",
                        occurrence(&format!("{parent}/TransportEquipment"), index)
                    ),
                    value: clipped(&container.id),
                });
            }
        }
    }
    (placed, seen.len())
}

/// Where a valuation is adjusted by what is no part of the price.
fn adjusted(parent: &str, valuation: &Option<wire::CustomsValuation>) -> Option<Placed> {
    let valuation = valuation.as_ref()?;
    let (at, amount) = match valuation.charge_deductions.first() {
        Some(charge) => (
            "ChargeDeduction[1]/OtherChargeDeductionAmount",
            charge.amount.as_ref(),
        ),
        None => (
            "FreightChargeAmount",
            Some(valuation.freight_charge.as_ref()?),
        ),
    };
    Some(Placed {
        path: format!("{parent}/CustomsValuation/{at}"),
        value: amount
            .map(|amount| clipped(&amount.value))
            .unwrap_or_default(),
    })
}

fn item_particulars(index: usize, item: &wire::GoodsItem, taken: &mut Taken) -> ItemParticulars {
    let path = item_path(index);
    let mut figures = Figures::default();
    let amounts = [
        ("CustomsValueAmount", &item.customs_value),
        ("Commodity/InvoiceLine/ItemChargeAmount", &item.item_charge),
        ("StatisticalValueAmount", &item.statistical_value),
    ];
    for (at, amount) in amounts {
        taken.amount(&mut figures, || format!("{path}/{at}"), amount);
    }
    let measures = [
        ("GrossMassMeasure", &item.gross_mass),
        ("NetNetWeightMeasure", &item.net_mass),
        ("TariffQuantity", &item.tariff_quantity),
    ];
    for (at, measure) in measures {
        let at = || format!("{path}/Commodity/GoodsMeasure/{at}");
        taken.measure(&mut figures, at, measure);
    }
    for (index, fee) in item.duty_tax_fees.iter().enumerate() {
        let at = |tag: &str| format!("{}/{tag}", fee_path(&path, index));
        taken.measure(
            &mut figures,
            || at("SpecificTaxBaseQuantity"),
            &fee.specific_tax_base_quantity,
        );
        taken.amount(
            &mut figures,
            || at("Payment/TaxAssessedAmount"),
            &fee.tax_assessed_amount,
        );
        taken.amount(
            &mut figures,
            || at("Payment/PaymentAmount"),
            &fee.payment_amount,
        );
    }
    taken.valuation(&mut figures, &path, &item.customs_valuation);
    taken.write_offs(&mut figures, &path, &item.additional_documents);
    let quota_order_numbers = item
        .duty_tax_fees
        .iter()
        .enumerate()
        .filter_map(|(index, fee)| {
            Some(Placed {
                path: format!("{}/QuotaOrderID", fee_path(&path, index)),
                value: text(&fee.quota_order_id)?,
            })
        })
        .take(OCCURRENCES_MAX)
        .collect();
    ItemParticulars {
        procedure_path: item
            .procedures
            .iter()
            .position(|procedure| !procedure.previous_code.is_empty())
            .map(|index| occurrence(&format!("{path}/GovernmentProcedure"), index))
            .unwrap_or_default(),
        commodity_code_path: commodity_code_index(item)
            .map(|index| occurrence(&format!("{path}/Commodity/Classification"), index))
            .unwrap_or_default(),
        quota_order_numbers,
        figures,
    }
}

/// Figures as they are taken from a declaration, and how many it has.
#[derive(Default)]
struct Taken {
    count: usize,
}

impl Taken {
    fn amount(
        &mut self,
        figures: &mut Figures,
        path: impl FnOnce() -> String,
        amount: &Option<wire::Amount>,
    ) {
        if let Some(amount) = amount
            && self.has_room()
        {
            figures.amounts.push(written_amount(path(), amount));
        }
    }

    fn measure(
        &mut self,
        figures: &mut Figures,
        path: impl FnOnce() -> String,
        measure: &Option<wire::Measure>,
    ) {
        if let Some(measure) = measure
            && self.has_room()
        {
            figures.measures.push(written_measure(path(), measure));
        }
    }

    fn valuation(
        &mut self,
        figures: &mut Figures,
        parent: &str,
        valuation: &Option<wire::CustomsValuation>,
    ) {
        let Some(valuation) = valuation else { return };
        let at = format!("{parent}/CustomsValuation");
        self.amount(
            figures,
            || format!("{at}/FreightChargeAmount"),
            &valuation.freight_charge,
        );
        for (index, charge) in valuation.charge_deductions.iter().enumerate() {
            let path = || {
                let at = occurrence(&format!("{at}/ChargeDeduction"), index);
                format!("{at}/OtherChargeDeductionAmount")
            };
            self.amount(figures, path, &charge.amount);
        }
    }

    fn write_offs(
        &mut self,
        figures: &mut Figures,
        parent: &str,
        documents: &[wire::AdditionalDocument],
    ) {
        for (index, document) in documents.iter().enumerate() {
            let path = || {
                let at = occurrence(&format!("{parent}/AdditionalDocument"), index);
                format!("{at}/WriteOff/QuantityQuantity")
            };
            self.measure(figures, path, &document.write_off_quantity);
        }
    }

    fn has_room(&mut self) -> bool {
        self.count += 1;
        self.count <= FIGURES_MAX
    }
}

/// Where the code stands that [`commodity_code`] takes.
fn commodity_code_index(item: &wire::GoodsItem) -> Option<usize> {
    let at = |is_meant: &dyn Fn(&str) -> bool| {
        item.classifications.iter().position(|code| {
            is_meant(code.identification_type_code.trim()) && text(&code.id).is_some()
        })
    };
    at(&|kind| kind == "TSP").or_else(|| at(&|kind| !KINDS_BESIDE_TSP.contains(&kind)))
}

/// The path of one of several elements.
fn occurrence(path: &str, index: usize) -> String {
    format!("{path}[{}]", index + 1)
}

fn fee_path(item: &str, index: usize) -> String {
    occurrence(&format!("{item}/Commodity/DutyTaxFee"), index)
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
        .take(OCCURRENCES_MAX)
        .collect()
}

fn text(written: &str) -> Option<String> {
    let text = clipped(written);
    (!text.is_empty()).then_some(text)
}

/// A text without the spaces around it, cut one character behind the longest there may be, and without the one
/// character that a row cannot hold.
fn clipped(written: &str) -> String {
    writable(written.trim().chars().take(TEXT_CHARS_MAX + 1))
}

fn writable(characters: impl Iterator<Item = char>) -> String {
    characters
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
    fn hidden_characters_are_found_in_every_free_text_at_its_place() {
        let hiding = || "a\u{200b}b".to_owned();
        let party = || {
            Some(wire::Party {
                name: hiding(),
                address: Some(wire::Address {
                    line: hiding(),
                    city_name: hiding(),
                    ..Default::default()
                }),
                ..Default::default()
            })
        };
        let statement = || wire::AdditionalInformation {
            statement_description: hiding(),
            ..Default::default()
        };
        let document = || wire::AdditionalDocument {
            name: hiding(),
            ..Default::default()
        };
        let item = wire::GoodsItem {
            description: format!("{}\u{200b}", "x".repeat(100_000)),
            consignee: party(),
            additional_information: vec![statement()],
            additional_documents: vec![document()],
            packagings: vec![wire::Packaging {
                marks: hiding(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let declaration = wire::Declaration {
            exporter: party(),
            additional_information: vec![statement()],
            additional_documents: vec![Default::default(), document()],
            items: vec![wire::GoodsItem::default(), item],
            ..Default::default()
        };
        let item = item_path(1);
        let expected = [
            "/Declaration/Exporter/Name".to_owned(),
            "/Declaration/Exporter/Address/Line".to_owned(),
            "/Declaration/Exporter/Address/CityName".to_owned(),
            "/Declaration/AdditionalInformation[1]/StatementDescription".to_owned(),
            "/Declaration/AdditionalDocument[2]/Name".to_owned(),
            format!("{item}/Commodity/Description"),
            format!("{item}/Consignee/Name"),
            format!("{item}/Consignee/Address/Line"),
            format!("{item}/Consignee/Address/CityName"),
            format!("{item}/AdditionalInformation[1]/StatementDescription"),
            format!("{item}/AdditionalDocument[1]/Name"),
            format!("{item}/Packaging[1]/MarksNumbersID"),
        ];
        let found = particulars(&declaration).hidden_characters;
        assert!(found.iter().all(|text| text.value == "U+200B"), "{found:?}");
        let places: Vec<String> = found.into_iter().map(|text| text.path).collect();
        assert_eq!(places, expected);
    }

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
