//! WCO pointers: the data model's own way of naming a place in a declaration, as
//! authorities' answers and amendments use it. The table holds the classes and
//! data elements that occur in the authority's example notifications and
//! amendments, and those of the same model that declarations use and the
//! authority publishes for its own services.

use std::fmt;

/// A place in a declaration: classes from the outside in, and the data element.
/// Displayed as the classes alone, `42A/67A/68A`: sequences stand in the path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pointer {
    /// The classes, outermost first; never empty.
    pub sections: Vec<Section>,
    /// The data element in the innermost class, where it is known: "145".
    pub tag: Option<&'static str>,
}

/// One class of a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Section {
    /// The class: "68A" (DocumentSectionCode).
    pub code: &'static str,
    /// Which one of several, from 1 (SequenceNumeric).
    pub sequence: Option<u32>,
}

impl Pointer {
    /// The pointer of a path as [`crate::Unmapped`] spells it. Ends at the
    /// innermost class that is known; `None` where not even the first is.
    pub fn of_path(path: &str) -> Option<Self> {
        let mut sections = Vec::new();
        let mut tag = None;
        let mut class = "";
        for step in path.split('/').skip(1) {
            let (name, sequence) = name_and_sequence(step);
            match code_of(name) {
                Some(code) => {
                    sections.push(Section { code, sequence });
                    class = name;
                }
                None => {
                    tag = tag_of(class, name);
                    break;
                }
            }
        }
        (!sections.is_empty()).then_some(Self { sections, tag })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, section) in self.sections.iter().enumerate() {
            if index > 0 {
                formatter.write_str("/")?;
            }
            formatter.write_str(section.code)?;
        }
        Ok(())
    }
}

fn name_and_sequence(step: &str) -> (&str, Option<u32>) {
    step.strip_suffix(']')
        .and_then(|step| step.rsplit_once('['))
        .map_or((step, None), |(name, number)| (name, number.parse().ok()))
}

/// Class of an element (WCO data model 3.6).
fn code_of(element: &str) -> Option<&'static str> {
    let code = match element {
        "Declaration" => "42A",
        "AdditionalDocument" => "02A",
        "AdditionalInformation" => "03A",
        "Address" => "04A",
        "Agent" => "05A",
        "Amendment" => "06A",
        "BorderTransportMeans" => "15A",
        "AEOMutualRecognitionParty" => "16C",
        "AuthorisationHolder" => "17C",
        "Carrier" => "18A",
        "Classification" => "21A",
        "WriteOff" => "22C",
        "Commodity" => "23A",
        "Consignee" => "27A",
        "Consignment" => "28A",
        "TransportEquipment" => "31B",
        "UCR" => "35B",
        "CustomsValuation" => "41A",
        "Warehouse" => "43B",
        "Seal" => "44B",
        "DepartureTransportMeans" => "46A",
        "DutyTaxFee" => "50A",
        "DomesticDutyTaxParty" => "55B",
        "ExitOffice" => "56A",
        "Exporter" => "57A",
        "Declarant" => "57B",
        "Freight" => "62A",
        "GoodsLocation" => "64A",
        "GoodsMeasure" => "65A",
        "GoodsShipment" => "67A",
        "GovernmentAgencyGoodsItem" => "68A",
        "GovernmentProcedure" => "70A",
        "InvoiceLine" => "79A",
        "Packaging" => "93A",
        "Payment" => "94A",
        "ExportCountry" => "95B",
        "SupervisingOffice" => "97B",
        "PreviousDocument" => "99A",
        "Destination" => "99B",
        _ => return None,
    };
    Some(code)
}

/// Data element within a class.
fn tag_of(class: &str, element: &str) -> Option<&'static str> {
    let tag = match (class, element) {
        ("Declaration", "FunctionCode") => "017",
        ("Declaration", "FunctionalReferenceID") => "D026",
        ("Declaration", "TypeCode") => "D013",
        ("Declaration", "GoodsItemQuantity") => "228",
        ("Declaration", "InvoiceAmount") => "109",
        ("Declaration", "TotalPackageQuantity") => "146",
        ("AdditionalDocument", "CategoryCode") => "D031",
        ("AdditionalDocument", "ID") => "D005",
        ("AdditionalDocument", "LPCOExemptionCode") => "360",
        ("AdditionalDocument", "Name") => "D028",
        ("AdditionalDocument", "TypeCode") => "D006",
        ("AdditionalInformation", "StatementCode") => "226",
        ("AdditionalInformation", "StatementDescription") => "225",
        ("Address", "CityName") => "241",
        ("Address", "CountryCode") => "242",
        ("Address", "Line") => "239",
        ("Address", "PostcodeID") => "245",
        ("Address", "TypeCode") => "410",
        ("Agent", "ID") => "R004",
        ("Agent", "FunctionCode") => "102",
        ("AuthorisationHolder", "ID") => "R144",
        ("AuthorisationHolder", "CategoryCode") => "R145",
        ("Classification", "ID") => "145",
        ("Classification", "IdentificationTypeCode") => "337",
        ("Commodity", "Description") => "137",
        ("CustomsValuation", "FreightChargeAmount") => "117",
        ("Declarant", "ID") => "R123",
        ("DutyTaxFee", "SpecificTaxBaseQuantity") => "129",
        ("DutyTaxFee", "TypeCode") => "113",
        ("ExitOffice", "ID") => "G005",
        ("Exporter", "ID") => "R032",
        ("Exporter", "Name") => "R031",
        ("GoodsLocation", "ID") => "L017",
        ("GoodsLocation", "Name") => "L016",
        ("GoodsLocation", "TypeCode") => "L110",
        ("GoodsMeasure", "GrossMassMeasure") => "126",
        ("GoodsMeasure", "NetNetWeightMeasure") => "128",
        ("GoodsMeasure", "TariffQuantity") => "130",
        ("GoodsShipment", "TransactionNatureCode") => "103",
        ("GovernmentAgencyGoodsItem", "CustomsValueAmount") => "108",
        ("GovernmentAgencyGoodsItem", "StatisticalValueAmount") => "114",
        ("GovernmentProcedure", "CurrentCode") => "166",
        ("GovernmentProcedure", "PreviousCode") => "161",
        ("InvoiceLine", "ItemChargeAmount") => "112",
        ("Packaging", "MarksNumbersID") => "142",
        ("Packaging", "QuantityQuantity") => "144",
        ("Packaging", "TypeCode") => "141",
        ("Payment", "MethodCode") => "107",
        ("Payment", "PaymentAmount") => "378",
        ("Payment", "TaxAssessedAmount") => "120",
        ("PreviousDocument", "CategoryCode") => "D031",
        ("PreviousDocument", "ID") => "D018",
        ("PreviousDocument", "LineNumeric") => "171",
        ("PreviousDocument", "TypeCode") => "D019",
        ("Seal", "ID") => "165",
        ("SupervisingOffice", "ID") => "G012",
        ("TransportEquipment", "ID") => "159",
        _ => return None,
    };
    Some(tag)
}
