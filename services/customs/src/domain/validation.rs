//! The rules that a filing keeps by itself, without looking at parties, containers or the calendar. Each has
//! a severity that is data, because partners' documents differ; a few refuse whatever the data says, since
//! nothing could be decided without them. It must not stop at the first fault: all are given at once.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{
    ContainerNumber, Currency, Eori, Fault, HsCode, LRN_CHARS_MAX, Lrn, Money, Mrn, Uscc,
};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::filing::{
    CONTAINERS_MAX, Direction, Filing, ITEMS_MAX, REFERENCES_MAX, WrittenAmount, WrittenMeasure,
};

/// The most warnings kept with a declaration; the last one says how many were cut.
pub const WARNINGS_MAX: usize = 1_000;
/// The longest text of a field that customs decides on, in characters.
pub const TEXT_CHARS_MAX: usize = 512;

/// What breaking a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The filing is rejected.
    Refuse,
    /// The filing is taken; the filer is told.
    Warn,
}

/// One rule, by which it is configured and cited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The fault's code.
    pub code: &'static str,
    /// The rule's name for people: the data element, standard or agreement it comes from.
    pub name: &'static str,
    /// What is wrong and what to do.
    pub text: &'static str,
    /// What breaking it does unless the severities say otherwise; `None`: always refuses, not configurable.
    pub default: Option<Severity>,
}

/// Every rule that may reject a filing.
pub const RULES: &[Rule] = &[
    TYPE_CODE_UNKNOWN,
    LRN_MISSING,
    LRN_FORM,
    ITEMS_MISSING,
    ITEMS_TOO_MANY,
    ITEM_COUNT_MISSING,
    ITEM_COUNT_DIFFERS,
    ITEM_SEQUENCE_MISSING,
    ITEM_SEQUENCE_DUPLICATE,
    PROCEDURE_MISSING,
    PROCEDURE_FORM,
    AMOUNT_FORM,
    CURRENCY_FORM,
    CURRENCY_MISSING,
    MEASURE_FORM,
    TEXT_TOO_LONG,
    TOO_MANY,
    PACKAGE_COUNT_DIFFERS,
    CONTAINER_NUMBER_FORM,
    CONTAINER_REMAINDER_TEN,
    TRANSPORT_DOCUMENT_MISSING,
    COMMODITY_CODE_MISSING,
    COMMODITY_CODE_FORM,
    HS_HEADING_UNKNOWN,
    PARTY_IDENTIFIER_FORM,
    PREVIOUS_MRN_CHECK_DIGIT,
    ACCEPTANCE_DATE_IGNORED,
    VALUATION_ADJUSTMENT_IGNORED,
    QUOTA_NOT_OPEN,
    ONWARD_SUPPLY_STATEMENT,
    EXPORTER_MISSING,
    GOODS_LOCATION_MISSING,
    PARTY_UNKNOWN,
    MANDATE_MISSING,
    PARTY_SUSPENDED,
];

const fn rule(
    code: &'static str,
    name: &'static str,
    default: Option<Severity>,
    text: &'static str,
) -> Rule {
    Rule {
        code,
        name,
        text,
        default,
    }
}

const ALWAYS: Option<Severity> = None;
const REFUSE: Option<Severity> = Some(Severity::Refuse);
const WARN: Option<Severity> = Some(Severity::Warn);

const TYPE_CODE_UNKNOWN: Rule = rule(
    "TYPE_CODE_UNKNOWN",
    "DE 1/1 and 1/2",
    ALWAYS,
    "The declaration type is IM, EX or CO and one of A to F, J, K, Y, Z, Q.",
);
const LRN_MISSING: Rule = rule(
    "LRN_MISSING",
    "DE 2/5",
    ALWAYS,
    "Give the declaration a reference of your own.",
);
const LRN_FORM: Rule = rule(
    "LRN_FORM",
    "DE 2/5",
    ALWAYS,
    "Your own reference has 1 to 22 printable characters.",
);
const ITEMS_MISSING: Rule = rule(
    "ITEMS_MISSING",
    "DE 1/6",
    ALWAYS,
    "Declare at least one goods item.",
);
const ITEMS_TOO_MANY: Rule = rule(
    "ITEMS_TOO_MANY",
    "DE 1/6",
    ALWAYS,
    "A declaration has at most 999 goods items; divide it.",
);
const ITEM_COUNT_MISSING: Rule = rule(
    "ITEM_COUNT_MISSING",
    "DE 1/9",
    WARN,
    "Say how many goods items there are.",
);
const ITEM_COUNT_DIFFERS: Rule = rule(
    "ITEM_COUNT_DIFFERS",
    "DE 1/9",
    ALWAYS,
    "The number of goods items differs from the items declared.",
);
const ITEM_SEQUENCE_MISSING: Rule = rule(
    "ITEM_SEQUENCE_MISSING",
    "DE 1/6",
    ALWAYS,
    "Number every goods item, from 1.",
);
const ITEM_SEQUENCE_DUPLICATE: Rule = rule(
    "ITEM_SEQUENCE_DUPLICATE",
    "DE 1/6",
    ALWAYS,
    "Two goods items have the same number.",
);
const PROCEDURE_MISSING: Rule = rule(
    "PROCEDURE_MISSING",
    "DE 1/10",
    ALWAYS,
    "Name the requested and the previous procedure of every item.",
);
const PROCEDURE_FORM: Rule = rule(
    "PROCEDURE_FORM",
    "DE 1/10",
    ALWAYS,
    "A procedure is two digits requested and two digits previous.",
);
const AMOUNT_FORM: Rule = rule(
    "AMOUNT_FORM",
    "amounts",
    ALWAYS,
    "An amount is digits with at most one point, not negative.",
);
const CURRENCY_FORM: Rule = rule(
    "CURRENCY_FORM",
    "ISO 4217",
    ALWAYS,
    "A currency is three letters.",
);
const CURRENCY_MISSING: Rule = rule(
    "CURRENCY_MISSING",
    "ISO 4217",
    WARN,
    "The amount names no currency; it is taken in the tariff's own.",
);
const MEASURE_FORM: Rule = rule(
    "MEASURE_FORM",
    "measures",
    ALWAYS,
    "A mass or quantity is digits with at most one point, not negative.",
);
const TEXT_TOO_LONG: Rule = rule(
    "TEXT_TOO_LONG",
    "data model",
    ALWAYS,
    "The text is longer than 512 characters; shorten it.",
);
const TOO_MANY: Rule = rule(
    "TOO_MANY",
    "data model",
    ALWAYS,
    "There are more containers or document references than one declaration may have; divide it.",
);
const PACKAGE_COUNT_DIFFERS: Rule = rule(
    "PACKAGE_COUNT_DIFFERS",
    "DE 6/18",
    WARN,
    "The total number of packages differs from the sum over the items.",
);
const CONTAINER_NUMBER_FORM: Rule = rule(
    "CONTAINER_NUMBER_FORM",
    "ISO 6346",
    WARN,
    "The container number is kept and binds to nothing; check it against the container's door.",
);
const CONTAINER_REMAINDER_TEN: Rule = rule(
    "CONTAINER_REMAINDER_TEN",
    "ISO 6346",
    WARN,
    "The check digit of this number cannot show every error; check it against the container's door.",
);
const TRANSPORT_DOCUMENT_MISSING: Rule = rule(
    "TRANSPORT_DOCUMENT_MISSING",
    "DE 2/1",
    WARN,
    "No transport document, MUCR or DUCR: the goods cannot be found on a manifest.",
);
const COMMODITY_CODE_MISSING: Rule = rule(
    "COMMODITY_CODE_MISSING",
    "DE 6/14",
    WARN,
    "The item has no commodity code.",
);
const COMMODITY_CODE_FORM: Rule = rule(
    "COMMODITY_CODE_FORM",
    "DE 6/14",
    WARN,
    "A commodity code is six to ten digits.",
);
const HS_HEADING_UNKNOWN: Rule = rule(
    "HS_HEADING_UNKNOWN",
    "Harmonized System",
    WARN,
    "The first six digits are in no edition that customs holds.",
);
const PARTY_IDENTIFIER_FORM: Rule = rule(
    "PARTY_IDENTIFIER_FORM",
    "DE 3",
    WARN,
    "This is neither an EORI nor a USCC; the party cannot be looked up.",
);
const PREVIOUS_MRN_CHECK_DIGIT: Rule = rule(
    "PREVIOUS_MRN_CHECK_DIGIT",
    "MRN",
    WARN,
    "The check digit of this reference number is wrong.",
);
const ACCEPTANCE_DATE_IGNORED: Rule = rule(
    "ACCEPTANCE_DATE_IGNORED",
    "rule 4",
    WARN,
    "Customs accepts by its own clock; the date in the document is ignored.",
);
const VALUATION_ADJUSTMENT_IGNORED: Rule = rule(
    "VALUATION_ADJUSTMENT_IGNORED",
    "DE 4/9",
    WARN,
    "Additions, deductions and freight are not reckoned in; duty stands on the price or the value stated.",
);
const QUOTA_NOT_OPEN: Rule = rule(
    "QUOTA_NOT_OPEN",
    "DE 8/1",
    REFUSE,
    "Quota order numbers that begin with 09 are the European Union's and cannot be claimed here.",
);
const ONWARD_SUPPLY_STATEMENT: Rule = rule(
    "ONWARD_SUPPLY_STATEMENT",
    "DE 1/10, 2/2",
    REFUSE,
    "Procedures 42 and 63 (onward supply into the European Union) need the statement NIIMP.",
);
const EXPORTER_MISSING: Rule = rule(
    "EXPORTER_MISSING",
    "DE 3/1 and 3/2",
    REFUSE,
    "An export names its exporter, by number or by name.",
);
const GOODS_LOCATION_MISSING: Rule = rule(
    "GOODS_LOCATION_MISSING",
    "DE 5/23",
    WARN,
    "Say where the goods are; without it they are looked for at none of our sites.",
);
/// A party that the document names and we do not know.
pub const PARTY_UNKNOWN: Rule = rule(
    "PARTY_UNKNOWN",
    "rule 14",
    WARN,
    "No party is registered under this identifier.",
);
/// A party that we know, and that gave the filer no mandate.
pub const MANDATE_MISSING: Rule = rule(
    "MANDATE_MISSING",
    "rule 14",
    ALWAYS,
    "This party has given you no mandate to file declarations; ask it to grant one.",
);
/// A party that may not act.
pub const PARTY_SUSPENDED: Rule = rule(
    "PARTY_SUSPENDED",
    "register of parties",
    ALWAYS,
    "This party is suspended; ask customs.",
);
/// No tariff line covers an item. Only ever a warning, as are the next two.
pub const TARIFF_LINE_MISSING: Rule = rule(
    "TARIFF_LINE_MISSING",
    "rule 5",
    WARN,
    "The tariff cannot say what is due on this item; an officer assesses it.",
);
/// Goods into bond.
pub const GUARANTEE_NOT_CHECKED: Rule = rule(
    "GUARANTEE_NOT_CHECKED",
    "rule 5",
    WARN,
    "The debt is suspended; no guarantee was checked.",
);
/// Accepted without an arrival of ours.
pub const ACCEPTED_ON_FILERS_WORD: Rule = rule(
    "ACCEPTED_ON_FILERS_WORD",
    "rule 13",
    WARN,
    "Accepted on your word that the goods have arrived: none of our own facts can say so.",
);

/// The severities of one version, by rule code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Severities {
    /// The version of the seed.
    pub version: String,
    set: BTreeMap<String, Severity>,
}

/// Why severities cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeveritiesError {
    /// Not the expected TOML.
    #[error("the severities are not readable, correct the file: {0}")]
    Unreadable(String),
    /// A code that is no rule, or one whose severity is fixed.
    #[error("{0} is no rule whose severity can be set, remove it")]
    NotConfigurable(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeveritiesFile {
    version: String,
    severity: BTreeMap<String, Severity>,
}

impl Severities {
    /// Reads a seed: a version and a table of severities by rule code.
    ///
    /// # Errors
    /// The text is no such TOML, or names a rule that cannot be configured.
    pub fn parse(text: &str) -> Result<Self, SeveritiesError> {
        let file: SeveritiesFile =
            toml::from_str(text).map_err(|error| SeveritiesError::Unreadable(error.to_string()))?;
        for code in file.severity.keys() {
            if !RULES
                .iter()
                .any(|rule| rule.code == code && rule.default.is_some())
            {
                return Err(SeveritiesError::NotConfigurable(code.clone()));
            }
        }
        Ok(Self {
            version: file.version,
            set: file.severity,
        })
    }

    fn of(&self, rule: &Rule) -> Severity {
        match rule.default {
            None => Severity::Refuse,
            Some(default) => self.set.get(rule.code).copied().unwrap_or(default),
        }
    }
}

/// What was found: faults reject, warnings do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Every fault.
    pub faults: Vec<Fault>,
    /// Every warning.
    pub warnings: Vec<Fault>,
}

impl Findings {
    /// Notes that a rule is broken, as its severity says.
    pub fn note(
        &mut self,
        severities: &Severities,
        rule: &Rule,
        path: impl Into<String>,
        value: impl AsRef<str>,
    ) {
        let fault = Fault::new(rule.code, path, value, rule.name, rule.text);
        match severities.of(rule) {
            Severity::Refuse => self.faults.push(fault),
            Severity::Warn => self.warn(fault),
        }
    }

    /// Adds a warning that a rule gives, whatever the severities say.
    pub fn remark(&mut self, rule: &Rule, path: impl Into<String>, value: impl AsRef<str>) {
        self.warn(Fault::new(rule.code, path, value, rule.name, rule.text));
    }

    /// Adds a warning, unless there are too many already.
    pub fn warn(&mut self, warning: Fault) {
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(warning);
        } else if self.warnings.len() == WARNINGS_MAX {
            self.warnings.push(Fault::new(
                "MORE_WARNINGS",
                "/Declaration",
                "",
                "limits",
                "There are more warnings than are kept.",
            ));
        }
    }
}

/// Checks a filing by itself; every fault and warning there is.
pub fn check(filing: &Filing, severities: &Severities) -> Findings {
    let mut check = Check {
        severities,
        findings: Findings::default(),
    };
    check.header(filing);
    check.items(filing);
    check.containers(filing);
    check.references(filing);
    check.parties(filing);
    check.findings
}

struct Check<'a> {
    severities: &'a Severities,
    findings: Findings,
}

impl Check<'_> {
    fn note(&mut self, rule: &Rule, path: impl Into<String>, value: impl AsRef<str>) {
        self.findings.note(self.severities, rule, path, value);
    }

    fn header(&mut self, filing: &Filing) {
        if filing.kind().is_none() {
            self.note(
                &TYPE_CODE_UNKNOWN,
                "/Declaration/TypeCode",
                &filing.type_code,
            );
        }
        if filing.lrn.is_empty() {
            self.note(&LRN_MISSING, "/Declaration/FunctionalReferenceID", "");
        } else if filing.lrn.chars().count() > LRN_CHARS_MAX || Lrn::parse(&filing.lrn).is_err() {
            self.note(&LRN_FORM, "/Declaration/FunctionalReferenceID", &filing.lrn);
        }
        if filing.acceptance_time_written {
            self.note(
                &ACCEPTANCE_DATE_IGNORED,
                "/Declaration/AcceptanceDateTime",
                "",
            );
        }
        if filing.valuation_adjusted {
            self.note(
                &VALUATION_ADJUSTMENT_IGNORED,
                "/Declaration/GoodsShipment/CustomsValuation",
                "",
            );
        }
        if filing.goods_location.is_none() {
            self.note(
                &GOODS_LOCATION_MISSING,
                "/Declaration/GoodsShipment/Consignment/GoodsLocation/Name",
                "",
            );
        }
        if let Some(amount) = &filing.invoice_amount {
            self.amount(amount);
        }
    }

    fn items(&mut self, filing: &Filing) {
        const COUNT: &str = "/Declaration/GoodsItemQuantity";
        if filing.items.is_empty() {
            self.note(
                &ITEMS_MISSING,
                "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem",
                "",
            );
        }
        if filing.items.len() > ITEMS_MAX {
            self.note(&ITEMS_TOO_MANY, COUNT, filing.items.len().to_string());
            return;
        }
        match filing.items_declared {
            None => self.note(&ITEM_COUNT_MISSING, COUNT, ""),
            Some(count) if usize::try_from(count) != Ok(filing.items.len()) => {
                self.note(&ITEM_COUNT_DIFFERS, COUNT, count.to_string());
            }
            Some(_) => {}
        }
        self.packages(filing);
        let mut sequences = BTreeSet::new();
        for (index, item) in filing.items.iter().enumerate() {
            let path = item_path(index);
            match item.sequence {
                None => self.note(
                    &ITEM_SEQUENCE_MISSING,
                    format!("{path}/SequenceNumeric"),
                    "",
                ),
                Some(sequence) if !sequences.insert(sequence) => {
                    self.note(
                        &ITEM_SEQUENCE_DUPLICATE,
                        format!("{path}/SequenceNumeric"),
                        sequence.to_string(),
                    );
                }
                Some(_) => {}
            }
            self.procedure(
                &path,
                item.procedure.as_deref(),
                &item.statement_codes,
                filing,
            );
            self.commodity(&path, item.commodity_code.as_deref());
            if item.description.chars().nth(TEXT_CHARS_MAX).is_some() {
                self.note(
                    &TEXT_TOO_LONG,
                    format!("{path}/Commodity/Description"),
                    &item.description,
                );
            }
            for quota in item
                .quota_order_numbers
                .iter()
                .filter(|number| number.starts_with("09"))
            {
                self.note(
                    &QUOTA_NOT_OPEN,
                    format!("{path}/Commodity/DutyTaxFee/QuotaOrderID"),
                    quota,
                );
            }
            item.value
                .iter()
                .chain(&item.other_amounts)
                .for_each(|amount| self.amount(amount));
            let measures = [&item.gross_mass, &item.net_mass, &item.supplementary];
            let bases = item.declared_taxes.iter().map(|(_, base)| base);
            measures
                .into_iter()
                .flatten()
                .chain(bases)
                .for_each(|measure| self.measure(measure));
        }
    }

    fn packages(&mut self, filing: &Filing) {
        let counted: Option<u64> = filing
            .items
            .iter()
            .map(|item| item.packages.map(u64::from))
            .sum();
        if let (Some(declared), Some(counted)) = (filing.packages_declared, counted)
            && u64::from(declared) != counted
        {
            self.note(
                &PACKAGE_COUNT_DIFFERS,
                "/Declaration/TotalPackageQuantity",
                declared.to_string(),
            );
        }
    }

    fn procedure(
        &mut self,
        path: &str,
        procedure: Option<&str>,
        statements: &[String],
        filing: &Filing,
    ) {
        let at = format!("{path}/GovernmentProcedure/CurrentCode");
        let Some(procedure) = procedure else {
            return self.note(&PROCEDURE_MISSING, at, "");
        };
        if procedure.len() != 4 || !procedure.bytes().all(|digit| digit.is_ascii_digit()) {
            return self.note(&PROCEDURE_FORM, at, procedure);
        }
        let import = filing
            .kind()
            .is_some_and(|kind| kind.direction == Direction::Import);
        let stated = statements
            .iter()
            .chain(&filing.statement_codes)
            .any(|code| code == "NIIMP");
        if import && (procedure.starts_with("42") || procedure.starts_with("63")) && !stated {
            self.note(&ONWARD_SUPPLY_STATEMENT, at, procedure);
        }
    }

    fn commodity(&mut self, path: &str, code: Option<&str>) {
        let at = format!("{path}/Commodity/Classification/ID");
        let Some(code) = code else {
            return self.note(&COMMODITY_CODE_MISSING, at, "");
        };
        match HsCode::parse(code) {
            Err(_) => self.note(&COMMODITY_CODE_FORM, at, code),
            Ok(parsed) if !parsed.known_heading() => self.note(&HS_HEADING_UNKNOWN, at, code),
            Ok(_) => {}
        }
    }

    fn amount(&mut self, amount: &WrittenAmount) {
        if amount.currency.is_empty() {
            self.note(
                &CURRENCY_MISSING,
                format!("{}/@currencyID", amount.path),
                "",
            );
        } else if Currency::parse(&amount.currency).is_err() {
            self.note(
                &CURRENCY_FORM,
                format!("{}/@currencyID", amount.path),
                &amount.currency,
            );
        }
        // The digits are judged apart from the currency, so that both faults are told.
        if Money::parse(&amount.value, "XXX").map_or(true, |money| money.is_negative()) {
            self.note(&AMOUNT_FORM, &amount.path, &amount.value);
        }
    }

    fn measure(&mut self, measure: &WrittenMeasure) {
        if decimal(&measure.value).is_none() {
            self.note(&MEASURE_FORM, &measure.path, &measure.value);
        }
    }

    fn containers(&mut self, filing: &Filing) {
        if filing.containers.len() > CONTAINERS_MAX {
            return self.note(
                &TOO_MANY,
                "/Declaration/GoodsShipment/Consignment/TransportEquipment",
                filing.containers.len().to_string(),
            );
        }
        for written in &filing.containers {
            let path = "/Declaration/GoodsShipment/Consignment/TransportEquipment/ID";
            match ContainerNumber::parse(written) {
                Err(_) => self.note(&CONTAINER_NUMBER_FORM, path, written),
                Ok(number) if number.remainder_ten() => {
                    self.note(&CONTAINER_REMAINDER_TEN, path, written)
                }
                Ok(_) => {}
            }
        }
    }

    fn references(&mut self, filing: &Filing) {
        if filing.references.len() > REFERENCES_MAX {
            return self.note(
                &TOO_MANY,
                "/Declaration/GoodsShipment/PreviousDocument",
                filing.references.len().to_string(),
            );
        }
        if filing.transport_documents().is_empty() {
            self.note(
                &TRANSPORT_DOCUMENT_MISSING,
                "/Declaration/GoodsShipment/PreviousDocument",
                "",
            );
        }
        for reference in &filing.references {
            if Mrn::parse(&reference.id).is_ok_and(|mrn| mrn.verify().is_err()) {
                self.note(
                    &PREVIOUS_MRN_CHECK_DIGIT,
                    format!("{}/ID", reference.path),
                    &reference.id,
                );
            }
        }
    }

    fn parties(&mut self, filing: &Filing) {
        if filing
            .kind()
            .is_some_and(|kind| kind.direction == Direction::Export)
            && !filing.exporter_named
        {
            self.note(&EXPORTER_MISSING, "/Declaration/Exporter", "");
        }
        for party in &filing.parties {
            if Eori::parse(&party.id).is_err() && Uscc::parse(&party.id).is_err() {
                self.note(
                    &PARTY_IDENTIFIER_FORM,
                    format!("{}/ID", party.path),
                    &party.id,
                );
            }
        }
    }
}

/// The path of an item in the document.
pub fn item_path(index: usize) -> String {
    format!(
        "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[{}]",
        index + 1
    )
}

/// A mass or quantity as a number: digits with at most one point, not negative, of bounded length.
pub fn decimal(written: &str) -> Option<Decimal> {
    kernel::Quantity::parse(written, "XX")
        .ok()
        .map(|quantity| quantity.amount())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::filing::{FiledItem, NamedParty, PartyRole};

    fn severities() -> Severities {
        Severities::parse("version = \"t\"\n[severity]\n").expect("valid")
    }

    fn item(sequence: u32) -> FiledItem {
        FiledItem {
            sequence: Some(sequence),
            procedure: Some("4000".into()),
            commodity_code: Some("6601910000".into()),
            value: Some(WrittenAmount {
                path: "p".into(),
                value: "1000".into(),
                currency: "GBP".into(),
            }),
            packages: Some(5),
            ..FiledItem::default()
        }
    }

    fn sound() -> Filing {
        Filing {
            type_code: "IMA".into(),
            lrn: "LRN-1".into(),
            items_declared: Some(1),
            packages_declared: Some(5),
            goods_location: Some("GUOYUANPORT".into()),
            references: vec![crate::domain::filing::Reference {
                type_code: "705".into(),
                id: "BL1".into(),
                path: "p".into(),
            }],
            items: vec![item(1)],
            ..Filing::default()
        }
    }

    fn codes(faults: &[Fault]) -> Vec<&str> {
        faults.iter().map(|fault| fault.code.as_str()).collect()
    }

    #[test]
    fn a_sound_filing_has_neither_fault_nor_warning() {
        assert_eq!(check(&sound(), &severities()), Findings::default());
    }

    #[test]
    fn rule_8_all_faults_are_given_at_once_each_with_path_value_and_rule() {
        let mut filing = sound();
        filing.type_code = "IMX".into();
        filing.lrn = "x".repeat(23);
        filing.items_declared = Some(3);
        filing.items = vec![item(1), item(1)];
        filing.items[1].procedure = None;
        filing.items[1].value = Some(WrittenAmount {
            path: "/v".into(),
            value: "1e3".into(),
            currency: "pounds".into(),
        });
        let found = check(&filing, &severities());
        assert_eq!(
            codes(&found.faults),
            [
                "TYPE_CODE_UNKNOWN",
                "LRN_FORM",
                "ITEM_COUNT_DIFFERS",
                "ITEM_SEQUENCE_DUPLICATE",
                "PROCEDURE_MISSING",
                "CURRENCY_FORM",
                "AMOUNT_FORM"
            ]
        );
        let currency = &found.faults[5];
        assert_eq!(
            (
                currency.path.as_str(),
                currency.value.as_str(),
                currency.rule.as_str()
            ),
            ("/v/@currencyID", "pounds", "ISO 4217")
        );
    }

    #[test]
    fn a_filing_without_lrn_and_items_is_refused_whatever_the_severities_say() {
        let filing = Filing {
            type_code: "IMA".into(),
            ..Filing::default()
        };
        assert_eq!(
            codes(&check(&filing, &severities()).faults),
            ["LRN_MISSING", "ITEMS_MISSING"]
        );
        assert!(matches!(
            Severities::parse("version = \"t\"\n[severity]\nLRN_MISSING = \"warn\"\n"),
            Err(SeveritiesError::NotConfigurable(code)) if code == "LRN_MISSING"
        ));
    }

    #[test]
    fn an_unusable_container_number_warns_and_can_be_made_to_refuse() {
        let mut filing = sound();
        filing.containers = vec!["CONU1234567".into()];
        let found = check(&filing, &severities());
        assert_eq!(
            (codes(&found.faults), codes(&found.warnings)),
            (vec![], vec!["CONTAINER_NUMBER_FORM"])
        );
        let strict =
            Severities::parse("version = \"s\"\n[severity]\nCONTAINER_NUMBER_FORM = \"refuse\"\n")
                .expect("valid");
        assert_eq!(
            codes(&check(&filing, &strict).faults),
            ["CONTAINER_NUMBER_FORM"]
        );
    }

    #[test]
    fn a_quota_of_the_european_union_is_refused() {
        let mut filing = sound();
        filing.items[0].quota_order_numbers = vec!["054077".into(), "094067".into()];
        let found = check(&filing, &severities());
        assert_eq!(
            (codes(&found.faults), found.faults[0].value.as_str()),
            (vec!["QUOTA_NOT_OPEN"], "094067")
        );
    }

    #[test]
    fn onward_supply_needs_its_statement() {
        let mut filing = sound();
        filing.items[0].procedure = Some("4200".into());
        assert_eq!(
            codes(&check(&filing, &severities()).faults),
            ["ONWARD_SUPPLY_STATEMENT"]
        );
        filing.items[0].statement_codes = vec!["NIIMP".into()];
        assert!(check(&filing, &severities()).faults.is_empty());
    }

    #[test]
    fn an_export_names_its_exporter() {
        let mut filing = Filing {
            type_code: "EXA".into(),
            ..sound()
        };
        assert_eq!(
            codes(&check(&filing, &severities()).faults),
            ["EXPORTER_MISSING"]
        );
        filing.exporter_named = true;
        assert!(check(&filing, &severities()).faults.is_empty());
    }

    #[test]
    fn an_odd_party_number_and_a_wrong_previous_mrn_warn() {
        let mut filing = sound();
        filing.parties = vec![NamedParty {
            role: PartyRole::Importer,
            id: "?".into(),
            path: "/i".into(),
        }];
        filing.references[0].id = "21GB01X14031469017".into();
        assert_eq!(
            codes(&check(&filing, &severities()).warnings),
            ["PREVIOUS_MRN_CHECK_DIGIT", "PARTY_IDENTIFIER_FORM"]
        );
    }

    #[test]
    fn warnings_are_bounded() {
        let mut findings = Findings::default();
        for _ in 0..WARNINGS_MAX + 5 {
            findings.warn(Fault::new("UNMAPPED", "p", "v", "r", "d"));
        }
        assert_eq!(findings.warnings.len(), WARNINGS_MAX + 1);
        assert_eq!(
            findings.warnings.last().map(|last| last.code.as_str()),
            Some("MORE_WARNINGS")
        );
    }
}
