//! What a broker declares, reduced to what customs decides on. It must not know XML, messages or tables:
//! values stand as they were written, because the document is evidence, and are read strictly on demand.

use std::collections::HashSet;

use kernel::{ContainerNumber, Lrn, StockListNumber, TransportDocumentNumber};
use serde::{Deserialize, Serialize};

/// The most goods items of a declaration (the data model's own limit).
pub const ITEMS_MAX: usize = 999;
/// The most containers of a declaration.
pub const CONTAINERS_MAX: usize = 999;
/// The most different parties that a declaration names, over all items.
pub const PARTIES_MAX: usize = 999;
/// The most references to transport and previous documents, over all items.
pub const REFERENCES_MAX: usize = 999;
/// The most taxes, statements, procedures or classifications of one item.
pub const OCCURRENCES_MAX: usize = 99;
/// The most amounts and measures of a declaration, in each of the two: twenty on each item.
pub const FIGURES_MAX: usize = 19_980;

/// A declaration as filed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filing {
    /// TypeCode as written: "IMA".
    pub type_code: String,
    /// The filer's own reference, trimmed.
    pub lrn: String,
    /// How many items the filer counted.
    pub items_declared: Option<u32>,
    /// How many packages the filer counted.
    pub packages_declared: Option<u32>,
    /// The code of the place where the goods are.
    pub goods_location: Option<String>,
    /// The distinct container numbers as written, in order.
    pub containers: Vec<String>,
    /// The parties that customs looks for, with the path at which each stands.
    pub parties: Vec<NamedParty>,
    /// The document says who sends the goods out, by number or by name.
    pub exporter_named: bool,
    /// Previous documents, of the shipment and its items.
    pub references: Vec<Reference>,
    /// The documents that the shipment names as those it is carried under.
    #[serde(default)]
    pub carriage_documents: Vec<Reference>,
    /// The codes of statements about the whole declaration.
    pub statement_codes: Vec<String>,
    /// The goods.
    pub items: Vec<FiledItem>,
}

/// One item as filed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiledItem {
    /// Its number.
    pub sequence: Option<u32>,
    /// What the goods are.
    pub description: String,
    /// Commodity code: combined nomenclature and TARIC digits in one.
    pub commodity_code: Option<String>,
    /// National additional codes: "VATZ", "X522".
    pub additional_codes: Vec<String>,
    /// Country of origin.
    pub origin: Option<String>,
    /// Country of preferential origin.
    pub preferential_origin: Option<String>,
    /// Tax bases by quantity, each with its tax type.
    pub declared_taxes: Vec<(String, WrittenMeasure)>,
    /// The value that customs is to work with, else the price.
    pub value: Option<WrittenAmount>,
    /// Gross mass.
    pub gross_mass: Option<WrittenMeasure>,
    /// Net mass.
    pub net_mass: Option<WrittenMeasure>,
    /// Quantity in the tariff's supplementary unit.
    pub supplementary: Option<WrittenMeasure>,
    /// Requested and previous procedure together: "4000".
    pub procedure: Option<String>,
    /// Additional procedure codes: "000", "F44".
    pub additional_procedures: Vec<String>,
    /// The codes of statements about the item.
    pub statement_codes: Vec<String>,
    /// The containers that hold goods of this item, as written.
    pub containers: Vec<String>,
    /// How many packages; none if the item counts none.
    pub packages: Option<u32>,
}

/// What a filing is judged by once and nothing is decided on later: counts before anything was cut, and every
/// value whose form or mere presence is a finding, at its place. Not kept; the document is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Particulars {
    /// How many goods items there are.
    pub items_count: usize,
    /// How many distinct container numbers there are.
    pub containers_count: usize,
    /// How many references to documents there are.
    pub references_count: usize,
    /// How many amounts and measures there are.
    pub figures_count: usize,
    /// The distinct container numbers, each where it stands first.
    pub containers: Vec<Placed>,
    /// The date of acceptance that the filer wrote.
    pub acceptance_time: Option<Placed>,
    /// Where additions, deductions or freight stand that are not part of the price.
    pub adjustments: Vec<Placed>,
    /// The amounts and measures that belong to no item.
    pub figures: Figures,
    /// Of the items, in their order.
    pub items: Vec<ItemParticulars>,
    /// What stands where a whole number belongs, and is none.
    pub not_numbers: Vec<Placed>,
    /// Elements that may stand once and stand again.
    pub repeated: Vec<Placed>,
    /// Elements of which more stand in one place than [`OCCURRENCES_MAX`], with their number.
    pub crowded: Vec<Placed>,
    /// Where free text holds characters that nobody sees, and which.
    pub hidden_characters: Vec<Placed>,
    /// How many values without a place there are beyond those that are listed.
    pub unmapped_omitted: usize,
}

/// What one item is judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemParticulars {
    /// Where its procedure stands; empty if it has none.
    pub procedure_path: String,
    /// Where its commodity code stands; empty if it has none.
    pub commodity_code_path: String,
    /// Quota order numbers claimed.
    pub quota_order_numbers: Vec<Placed>,
    /// Its amounts and measures.
    pub figures: Figures,
}

/// Amounts and measures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Amounts of money.
    pub amounts: Vec<WrittenAmount>,
    /// Masses and quantities.
    pub measures: Vec<WrittenMeasure>,
}

/// A value where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Where.
    pub path: String,
    /// The value as written.
    pub value: String,
}

/// An amount of money as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenAmount {
    /// Where it stands.
    pub path: String,
    /// The digits.
    pub value: String,
    /// The currency; empty where none is named.
    pub currency: String,
}

/// A measure as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenMeasure {
    /// Where it stands.
    pub path: String,
    /// The digits.
    pub value: String,
    /// The unit; empty where none is named.
    pub unit: String,
}

/// A party that the document names by a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedParty {
    /// As what it is named.
    pub role: PartyRole,
    /// The number as written.
    pub id: String,
    /// Where it stands.
    pub path: String,
}

/// As what a document names a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PartyRole {
    /// Who declares and answers for it.
    Declarant,
    /// The representative.
    Agent,
    /// Who brings the goods in.
    Importer,
    /// Who sends the goods out.
    Exporter,
    /// Whom the goods are shipped to.
    Consignee,
    /// Who ships the goods.
    Consignor,
    /// Whose authorisation the declaration uses: a deferment account, a guarantee, a simplified procedure.
    AuthorisationHolder,
    /// Who answers for the value added tax.
    TaxPayer,
    /// Who buys.
    Buyer,
    /// Who sells.
    Seller,
    /// Who carries the goods over the border.
    Carrier,
    /// Who has another part in the supply chain: consolidator, warehouse keeper.
    SupplyChainActor,
}

impl PartyRole {
    /// Whether a declaration acts for who is named so, and its filer needs a mandate from them (rule 14).
    ///
    /// Every party that is named by a number is looked for, and one that we do not know warns. A mandate is
    /// asked of those whose goods, rights or money the declaration disposes of: declarant and representative,
    /// whoever answers for taxes or holds an authorisation that is used, and of importer and exporter, consignee
    /// and consignor those on this side of the border. The other side of a sale, a carrier or a consolidator is
    /// named and not acted for: it may well be another client of ours, and has nothing to permit.
    pub fn is_acted_for(self, direction: Direction) -> bool {
        match self {
            Self::Declarant | Self::Agent | Self::AuthorisationHolder | Self::TaxPayer => true,
            Self::Importer | Self::Consignee => direction != Direction::Export,
            Self::Exporter | Self::Consignor => direction == Direction::Export,
            Self::Buyer | Self::Seller | Self::Carrier | Self::SupplyChainActor => false,
        }
    }
}

/// A document that the goods travel under or were under before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Its kind: "705", "MCR", "DCR" ...
    pub type_code: String,
    /// Its number as written.
    pub id: String,
    /// Where it stands.
    pub path: String,
}

/// What the three letters of a TypeCode say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeKind {
    /// The first two letters.
    pub direction: Direction,
    /// The third.
    pub stage: Stage,
}

/// Which way the goods go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// IM.
    Import,
    /// EX.
    Export,
    /// CO: between territories; which way, the procedures say.
    Special,
}

/// What the third letter says about the goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// A, B, C, J: the goods are here, says the filer.
    Arrived,
    /// D, E, F, K: lodged before they arrive.
    PreLodged,
    /// Y, Z, Q: supplements something released before; binds and releases nothing.
    Supplementary,
}

/// What the procedure does with the goods; first what binds them most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProcedureKind {
    /// 71, 78: into bond.
    IntoBond,
    /// nn71, nn78: out of bond.
    OutOfBond,
    /// 10, 11: permanent export.
    Export,
    /// 21, 22, 23, 31, 51, 53: temporary, processing, re-export.
    Temporary,
    /// 40 and its like: free circulation or home use.
    HomeUse,
    /// Everything else.
    Special,
}

/// The requested procedures by which goods go out for a time or again: outward processing, temporary export,
/// re-export.
const OUTWARD_FOR_A_TIME: [&str; 4] = ["21", "22", "23", "31"];

impl TypeKind {
    /// Reads a TypeCode; none if it is no declaration that customs knows.
    pub fn parse(type_code: &str) -> Option<Self> {
        let (direction, stage) = type_code.split_at_checked(2)?;
        let direction = match direction {
            "IM" => Direction::Import,
            "EX" => Direction::Export,
            "CO" => Direction::Special,
            _ => return None,
        };
        let stage = match stage {
            "A" | "B" | "C" | "J" => Stage::Arrived,
            "D" | "E" | "F" | "K" => Stage::PreLodged,
            "Y" | "Z" | "Q" => Stage::Supplementary,
            _ => return None,
        };
        Some(Self { direction, stage })
    }
}

impl ProcedureKind {
    /// What a procedure of four digits does, requested and previous.
    pub fn of(procedure: &str) -> Self {
        let (requested, previous) = procedure.split_at_checked(2).unwrap_or((procedure, ""));
        match (requested, previous) {
            ("71" | "78", _) => Self::IntoBond,
            (_, "71" | "78") => Self::OutOfBond,
            ("10" | "11", _) => Self::Export,
            ("21" | "22" | "23" | "31" | "51" | "53", _) => Self::Temporary,
            ("40" | "42" | "44" | "45" | "61" | "63" | "07" | "01", _) => Self::HomeUse,
            _ => Self::Special,
        }
    }

    /// Whether a procedure of four digits takes goods out of the country, for good or for a time, that do not lie
    /// in bond. What does leaves under its stock list, whatever the procedure.
    pub fn takes_out(procedure: &str) -> bool {
        match Self::of(procedure) {
            Self::Export => true,
            Self::Temporary => OUTWARD_FOR_A_TIME
                .iter()
                .any(|requested| procedure.starts_with(requested)),
            _ => false,
        }
    }

    /// Which way a procedure of four digits has goods cross the barrier, whatever they were under before.
    fn direction(procedure: &str) -> Direction {
        let requested = procedure.get(..2).unwrap_or(procedure);
        match Self::of(requested) {
            _ if Self::takes_out(requested) => Direction::Export,
            Self::HomeUse | Self::IntoBond | Self::Temporary => Direction::Import,
            Self::OutOfBond | Self::Export | Self::Special => Direction::Special,
        }
    }

    /// The name in events and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::HomeUse => "HOME_USE",
            Self::IntoBond => "INTO_BOND",
            Self::OutOfBond => "OUT_OF_BOND",
            Self::Export => "EXPORT",
            Self::Temporary => "TEMPORARY",
            Self::Special => "SPECIAL",
        }
    }
}

/// The kinds of documents that goods travel under, as previous documents name them (UN/EDIFACT 1001): road
/// list, sea waybill, bill of lading, rail and road consignment note, air waybills, despatch note, parcels.
const TRANSPORT_DOCUMENT_TYPES: [&str; 13] = [
    "703", "704", "705", "710", "714", "720", "722", "730", "740", "741", "750", "760", "785",
];

impl Filing {
    /// What the TypeCode says.
    pub fn kind(&self) -> Option<TypeKind> {
        TypeKind::parse(&self.type_code)
    }

    /// Which way its goods cross the barrier: as the TypeCode says, and where that does not (CO), as the procedures
    /// do. Where items go both ways the goods are found as what comes in is, and are not for pick-up.
    pub fn direction(&self) -> Option<Direction> {
        let written = self.kind()?.direction;
        if written != Direction::Special {
            return Some(written);
        }
        let goes = |way| {
            self.procedures()
                .any(|procedure| ProcedureKind::direction(procedure) == way)
        };
        Some(if goes(Direction::Import) {
            Direction::Import
        } else if goes(Direction::Export) {
            Direction::Export
        } else {
            Direction::Special
        })
    }

    /// What its procedures do; where its items have several, the one that binds its goods most, in whatever
    /// order they stand.
    pub fn procedure_kind(&self) -> ProcedureKind {
        self.procedures()
            .map(ProcedureKind::of)
            .min()
            .unwrap_or(ProcedureKind::Special)
    }

    fn procedures(&self) -> impl Iterator<Item = &str> {
        self.items
            .iter()
            .filter_map(|item| item.procedure.as_deref())
    }

    /// Whether its goods may be picked up once released: what goes into bond needs a transfer, and what goes
    /// out of the country is no import, whatever the type code says.
    pub fn is_for_pick_up(&self) -> bool {
        !self.procedures().any(|procedure| {
            ProcedureKind::of(procedure) == ProcedureKind::IntoBond
                || ProcedureKind::takes_out(procedure)
        })
    }

    /// The filer's reference in the one spelling by which it is unique (rule 7); what is no reference stands
    /// as it was written.
    pub fn reference(&self) -> String {
        Lrn::parse(&self.lrn).map_or_else(|_| self.lrn.clone(), |lrn| lrn.to_string())
    }

    /// The containers whose numbers can be bound, normalised. One that fails its check digit names no box.
    pub fn usable_containers(&self) -> Vec<ContainerNumber> {
        let mut seen = HashSet::new();
        self.containers
            .iter()
            .filter_map(|written| ContainerNumber::parse(written).ok())
            .filter(|number| seen.insert(number.clone()))
            .collect()
    }

    /// What is named as a container and is none: nothing can be bound to it.
    pub fn unusable_containers(&self) -> Vec<&str> {
        self.containers
            .iter()
            .filter(|written| ContainerNumber::parse(written).is_err())
            .map(String::as_str)
            .collect()
    }

    /// The transport documents by which the goods are known: documents of carriage where any is named, else
    /// the MUCR, else the DUCR, which is how brokers know a consignment that came without one.
    pub fn transport_documents(&self) -> Vec<TransportDocumentNumber> {
        let of_kind = |wanted: fn(&str) -> bool| {
            self.references
                .iter()
                .filter(move |reference| wanted(&reference.type_code))
        };
        // The shipment's own are documents of carriage whatever kind they say they are.
        let of_carriage = numbers(
            self.carriage_documents
                .iter()
                .chain(of_kind(is_document_of_carriage)),
        );
        if !of_carriage.is_empty() {
            return of_carriage;
        }
        let master = numbers(of_kind(|kind| kind == "MCR"));
        if master.is_empty() {
            numbers(of_kind(|kind| kind == "DCR"))
        } else {
            master
        }
    }

    /// The lists of bonded stock that it names, whatever kind of document it calls them.
    pub fn stock_lists(&self) -> Vec<StockListNumber> {
        let mut seen = HashSet::new();
        self.references
            .iter()
            .filter_map(|reference| StockListNumber::parse(&reference.id).ok())
            .filter(|number| seen.insert(number.clone()))
            .collect()
    }

    /// The references that are meant to find the goods on a manifest, and cannot: their numbers are none.
    pub fn unusable_transport_documents(&self) -> Vec<&Reference> {
        let by_kind = self.references.iter().filter(|reference| {
            is_document_of_carriage(&reference.type_code)
                || matches!(reference.type_code.as_str(), "MCR" | "DCR")
        });
        self.carriage_documents
            .iter()
            .chain(by_kind)
            .filter(|reference| TransportDocumentNumber::parse(&reference.id).is_err())
            .collect()
    }

    /// The packages declared in one container; none where the document does not say.
    pub fn packages_in(&self, container: &ContainerNumber) -> Option<u32> {
        let only_one = self.usable_containers().len() == 1 && self.containers.len() == 1;
        let in_this = |written: &String| {
            ContainerNumber::parse(written).is_ok_and(|number| number == *container)
        };
        let assigned = self.items.iter().any(|item| !item.containers.is_empty());
        if !only_one && !assigned {
            return None;
        }
        let mut total: Option<u32> = None;
        for item in &self.items {
            let exclusive = only_one || matches!(item.containers.as_slice(), [one] if in_this(one));
            if exclusive {
                total = Some(total.unwrap_or(0).saturating_add(item.packages?));
            } else if item.containers.is_empty() || item.containers.iter().any(in_this) {
                // Spread over several containers, nobody says how.
                return None;
            }
        }
        total
    }
}

fn is_document_of_carriage(kind: &str) -> bool {
    TRANSPORT_DOCUMENT_TYPES.contains(&kind)
}

/// The distinct numbers of references, in their order.
fn numbers<'a>(references: impl Iterator<Item = &'a Reference>) -> Vec<TransportDocumentNumber> {
    let mut seen = HashSet::new();
    references
        .filter_map(|reference| TransportDocumentNumber::parse(&reference.id).ok())
        .filter(|number| seen.insert(number.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(written: &str) -> ContainerNumber {
        ContainerNumber::parse(written).expect("valid")
    }

    fn reference(type_code: &str, id: &str) -> Reference {
        Reference {
            type_code: type_code.into(),
            id: id.into(),
            path: String::new(),
        }
    }

    #[test]
    fn the_third_letter_says_whether_the_goods_are_here() {
        assert_eq!(
            TypeKind::parse("IMA").map(|kind| kind.stage),
            Some(Stage::Arrived)
        );
        assert_eq!(
            TypeKind::parse("EXK").map(|kind| kind.stage),
            Some(Stage::PreLodged)
        );
        assert_eq!(
            TypeKind::parse("COY").map(|kind| kind.stage),
            Some(Stage::Supplementary)
        );
        for unknown in ["", "IM", "IMX", "XXA", "IMAA", "ÄM"] {
            assert_eq!(TypeKind::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_procedure_into_bond_is_told_from_one_out_of_it() {
        assert_eq!(ProcedureKind::of("7122"), ProcedureKind::IntoBond);
        assert_eq!(ProcedureKind::of("4071"), ProcedureKind::OutOfBond);
        assert_eq!(ProcedureKind::of("3171"), ProcedureKind::OutOfBond);
        assert_eq!(ProcedureKind::of("4000"), ProcedureKind::HomeUse);
        assert_eq!(ProcedureKind::of("1040"), ProcedureKind::Export);
        assert_eq!(ProcedureKind::of("0020"), ProcedureKind::Special);
        assert_eq!(ProcedureKind::of("4"), ProcedureKind::Special);
    }

    #[test]
    fn which_way_special_goods_go_follows_from_their_procedures() {
        let direction = |type_code: &str, procedures: &[&str]| {
            let item = |&procedure: &&str| FiledItem {
                procedure: Some(procedure.to_owned()),
                ..FiledItem::default()
            };
            Filing {
                type_code: type_code.into(),
                items: procedures.iter().map(item).collect(),
                ..Filing::default()
            }
            .direction()
        };
        for procedure in ["4000", "7100", "4071", "5100", "53"] {
            assert_eq!(
                direction("COA", &[procedure]),
                Some(Direction::Import),
                "{procedure}"
            );
        }
        for procedure in ["1040", "2100", "3171", "10"] {
            assert_eq!(
                direction("COD", &[procedure]),
                Some(Direction::Export),
                "{procedure}"
            );
        }
        for none in [&[][..], &["0020"], &["0090"]] {
            assert_eq!(direction("COJ", none), Some(Direction::Special), "{none:?}");
        }
        for both in [["1040", "4000"], ["4000", "1040"]] {
            assert_eq!(direction("COA", &both), Some(Direction::Import));
        }
        assert_eq!(direction("EXA", &["4000"]), Some(Direction::Export));
        assert_eq!(direction("IMA", &["1040"]), Some(Direction::Import));
        assert_eq!(direction("XXA", &["4000"]), None);
    }

    #[test]
    fn a_document_of_carriage_goes_before_the_brokers_references() {
        let mut filing = Filing {
            references: vec![reference("DCR", "9GB1"), reference("MCR", "GB/M1")],
            ..Filing::default()
        };
        assert_eq!(
            filing
                .transport_documents()
                .iter()
                .map(|number| number.as_str())
                .collect::<Vec<_>>(),
            ["GB/M1"]
        );
        filing.references.push(reference("705", "cosu1"));
        assert_eq!(
            filing
                .transport_documents()
                .iter()
                .map(|number| number.as_str())
                .collect::<Vec<_>>(),
            ["COSU1"]
        );
        filing.references.truncate(1);
        filing.carriage_documents = vec![reference("N705", "BL9"), reference("787", "BL9")];
        assert_eq!(
            filing
                .transport_documents()
                .iter()
                .map(|number| number.as_str())
                .collect::<Vec<_>>(),
            ["BL9"],
            "whatever kind it says it is"
        );
        filing.carriage_documents.clear();
        assert_eq!(
            filing
                .transport_documents()
                .iter()
                .map(|number| number.as_str())
                .collect::<Vec<_>>(),
            ["9GB1"]
        );
    }

    #[test]
    fn packages_of_one_container_are_those_of_all_items() {
        let item = |packages| FiledItem {
            packages: Some(packages),
            ..FiledItem::default()
        };
        let filing = Filing {
            containers: vec!["MSKU9070323".into()],
            items: vec![item(3), item(4)],
            ..Filing::default()
        };
        assert_eq!(filing.packages_in(&number("MSKU9070323")), Some(7));
    }

    #[test]
    fn packages_of_several_containers_are_known_only_where_each_item_names_its_own() {
        let item = |packages, containers: &[&str]| FiledItem {
            packages: Some(packages),
            containers: containers
                .iter()
                .map(|&written| written.to_owned())
                .collect(),
            ..FiledItem::default()
        };
        let mut filing = Filing {
            containers: vec!["MSKU9070323".into(), "CSQU3054383".into()],
            items: vec![item(3, &["MSKU9070323"]), item(4, &["CSQU3054383"])],
            ..Filing::default()
        };
        assert_eq!(filing.packages_in(&number("CSQU3054383")), Some(4));
        filing.items.push(item(1, &[]));
        assert_eq!(filing.packages_in(&number("CSQU3054383")), None);
    }
}
