//! What is in the containers: real declarations, what they say about their goods, and what is replaced in them
//! so that places, parties and containers are ours. It must not know what becomes of the goods.

use std::fs;

use proto::customs::v1::{DebtState, FilingOutcome};

use super::Journey;
use crate::play::script::Script;
use crate::site::document;

/// A real declaration and its goods.
#[derive(Debug)]
pub struct Cargo {
    /// The document.
    pub path: &'static str,
    /// What is replaced in it; of the new texts what stands in braces is the journey's own.
    replaced: &'static [(&'static str, &'static str)],
    /// Packages, as the train's list has them.
    pub packages: u32,
    /// With packing, without the container.
    pub gross_kilograms: u32,
    /// What customs answers to the filing.
    pub outcome: FilingOutcome,
    /// What may be said of the duty once the declaration is accepted.
    pub debts: &'static [DebtState],
    /// How many controls customs opens.
    pub controls: usize,
}

/// The declarations name no transport document; with one the goods are found on the train's list.
const TRANSPORT_DOCUMENT: (&str, &str) = (
    "</Consignment>",
    "<TransportContractDocument><ID>{document}</ID><TypeCode>720</TypeCode></TransportContractDocument></Consignment>",
);
const CONTAINER: (&str, &str) = ("<ID>AD12345</ID>", "<ID>{container}</ID>");
const PORT_OF_IMPORT: (&str, &str) = ("<Name>WLALONBTW</Name>", "<Name>GUOYUANPORT</Name>");
/// Where the export was named that the goods came back from: the list that takes them into the book.
const PREVIOUS_DOCUMENT: (&str, &str) = ("<ID>21GBCDS123456789B1</ID>", "<ID>{list}</ID>");
/// broker-a declares for trader-a.
const BROKER: (&str, &str) = ("<ID>GB603202734852</ID>", "<ID>GB270000000011</ID>");
const TRADER: (&str, &str) = ("<ID>GB553202734852</ID>", "<ID>GB270000000021</ID>");

/// Umbrellas: nothing that customs looks at more closely.
const UMBRELLAS: Cargo = Cargo {
    path: "TT_IM109a/TT_IM109a.xml",
    replaced: &[
        ("784830951QEHNSOQN", "{lrn}"),
        CONTAINER,
        TRANSPORT_DOCUMENT,
        PORT_OF_IMPORT,
        BROKER,
        TRADER,
    ],
    packages: 500,
    gross_kilograms: 150,
    outcome: FilingOutcome::Registered,
    debts: &[DebtState::Secured, DebtState::Paid],
    controls: 0,
};

/// Straw envelopes for bottles, for export by trader-a.
const ENVELOPES: Cargo = Cargo {
    path: "TT_EX011a/TT_EX011a.xml",
    replaced: &[
        ("7849431KJ7CH", "{lrn}"),
        ("<ID>CONU1234567</ID>", "<ID>{container}</ID>"),
        ("<Name>RMGRMGRMG</Name>", "<Name>GUOYUANPORT</Name>"),
        ("<ID>GB427168118378</ID>", "<ID>GB270000000021</ID>"),
    ],
    packages: 10,
    gross_kilograms: 10,
    outcome: FilingOutcome::Registered,
    debts: &[DebtState::None],
    controls: 0,
};

/// Vanity cases of trader-a for the bonded centre, the first time and at a price; of such goods customs compares
/// the documents before it releases them.
const VANITY_CASES: Cargo = Cargo {
    path: "TT_IM012a/TT_IM012a.xml",
    replaced: &[
        ("TT_IM12a_2402_01", "{lrn}"),
        CONTAINER,
        TRANSPORT_DOCUMENT,
        PORT_OF_IMPORT,
        ("<ID>GB201909014000</ID>", "<ID>GB270000000021</ID>"),
        (
            "<PreviousCode>22</PreviousCode>",
            "<PreviousCode>00</PreviousCode>",
        ),
        (
            "<CurrentCode>B02</CurrentCode>",
            "<CurrentCode>000</CurrentCode>",
        ),
        (
            "</GoodsMeasure>",
            "</GoodsMeasure><InvoiceLine><ItemChargeAmount currencyID=\"GBP\">5000</ItemChargeAmount></InvoiceLine>",
        ),
        PREVIOUS_DOCUMENT,
        ("<TypeCode>MRN</TypeCode>", "<TypeCode>ZZZ</TypeCode>"),
    ],
    packages: 50,
    gross_kilograms: 150,
    outcome: FilingOutcome::Accepted,
    debts: &[DebtState::Suspended],
    controls: 1,
};

/// Manioc of trader-b out of the bonded centre: of 250 boxes ten, and their mass.
const MANIOC: Cargo = Cargo {
    path: "TT_IM043a/TT_IM043a.xml",
    replaced: &[
        ("U.7867523DKITK2", "{lrn}"),
        CONTAINER,
        ("<Name>CW1117770GB</Name>", "<Name>GUOYUANBLC</Name>"),
        ("<ID>XI553202734852</ID>", "<ID>GB270000000022</ID>"),
        ("<ID>STK77471</ID>", "<ID>{list}</ID>"),
        (">250</TotalPackageQuantity>", ">10</TotalPackageQuantity>"),
        (">250</QuantityQuantity>", ">10</QuantityQuantity>"),
        (">10100</GrossMassMeasure>", ">404</GrossMassMeasure>"),
        (">10000</NetNetWeightMeasure>", ">400</NetNetWeightMeasure>"),
    ],
    packages: 10,
    gross_kilograms: 404,
    outcome: FilingOutcome::Accepted,
    debts: &[DebtState::Secured, DebtState::Paid],
    controls: 0,
};

/// Shavers, whose description asks for a control of the documents and one of the goods.
const SHAVERS: Cargo = Cargo {
    path: "TT_IM017a/Step1_TT_IM017a.xml",
    replaced: &[
        ("TT_IM17a_v1.4_1907_01", "{lrn}"),
        CONTAINER,
        TRANSPORT_DOCUMENT,
        PORT_OF_IMPORT,
        BROKER,
        TRADER,
    ],
    packages: 80,
    gross_kilograms: 180,
    outcome: FilingOutcome::Registered,
    debts: &[DebtState::Secured, DebtState::Paid],
    controls: 2,
};

impl Cargo {
    /// That of a journey.
    pub fn of(script: &Script) -> &'static Cargo {
        match script.letter {
            'A' => &UMBRELLAS,
            'B' => &ENVELOPES,
            'C' => &VANITY_CASES,
            'D' => &MANIOC,
            _ => &SHAVERS,
        }
    }
}

/// What the parties of a journey call their own.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The declaration's reference.
    pub lrn: &'a str,
    /// The container.
    pub container: &'a str,
    /// The transport document.
    pub transport_document: &'a str,
    /// The stock list.
    pub list: &'a str,
}

impl Cargo {
    /// The real document with our names in it.
    pub fn document(&self, names: &Names<'_>) -> Vec<u8> {
        let mut text = fs::read_to_string(document(self.path)).unwrap();
        for (old, new) in self.replaced {
            assert!(text.contains(old), "{old} is not in {}", self.path);
            let new = new
                .replace("{lrn}", names.lrn)
                .replace("{container}", names.container)
                .replace("{document}", names.transport_document)
                .replace("{list}", names.list);
            text = text.replace(old, &new);
        }
        text.into_bytes()
    }
}

impl Journey<'_> {
    pub(super) fn document(&self) -> Vec<u8> {
        self.cargo.document(&Names {
            lrn: &self.lrn,
            container: &self.container,
            transport_document: &self.transport_document,
            list: &self.list,
        })
    }
}
