//! The rules that a filing keeps by itself, without looking at parties, containers or the calendar. Each has
//! a severity that is data, because partners' documents differ; a few refuse whatever the data says, since
//! nothing could be decided without them. It must not stop at the first fault: all are given at once.

use std::collections::{BTreeMap, BTreeSet};

use kernel::{
    ContainerNumber, CountryCode, Currency, Eori, Fault, HsCode, LRN_CHARS_MAX, Lrn, Money,
    MoneyError, Mrn, QuantityError, Uscc,
};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::filing::{
    CONTAINERS_MAX, Direction, FIGURES_MAX, Figures, FiledItem, Filing, ITEMS_MAX, ItemParticulars,
    PARTIES_MAX, Particulars, ProcedureKind, REFERENCES_MAX, WrittenAmount, WrittenMeasure,
};

/// The most faults kept with a declaration: one on each item. One more then says how many were cut.
pub const FAULTS_MAX: usize = 1_000;
/// The most warnings kept with a declaration: five on each item. One more then says how many were cut. Values
/// without a place and remarks on what was decided have limits of their own and are never cut.
pub const WARNINGS_MAX: usize = 5_000;
/// Where a document has the filer's reference.
pub const LRN_PATH: &str = "/Declaration/FunctionalReferenceID";
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
    TYPE_CODE_MISSING,
    TYPE_CODE_UNKNOWN,
    LRN_MISSING,
    LRN_FORM,
    LRN_IN_USE,
    ELEMENT_REPEATED,
    NUMBER_FORM,
    UNMAPPED_TOO_MANY,
    ITEMS_MISSING,
    ITEMS_TOO_MANY,
    ITEM_COUNT_MISSING,
    ITEM_COUNT_DIFFERS,
    ITEM_SEQUENCE_MISSING,
    ITEM_SEQUENCE_DUPLICATE,
    PROCEDURE_MISSING,
    PROCEDURE_FORM,
    PROCEDURE_OTHER_WAY,
    AMOUNT_FORM,
    AMOUNT_DECIMALS,
    CURRENCY_FORM,
    CURRENCY_MISSING,
    MEASURE_FORM,
    NET_MASS_ABOVE_GROSS,
    TEXT_TOO_LONG,
    TEXT_HIDDEN_CHARACTERS,
    TOO_MANY,
    PACKAGE_COUNT_DIFFERS,
    CONTAINER_NUMBER_FORM,
    CONTAINER_REMAINDER_TEN,
    TRANSPORT_DOCUMENT_MISSING,
    TRANSPORT_DOCUMENT_FORM,
    COMMODITY_CODE_MISSING,
    COMMODITY_CODE_FORM,
    HS_HEADING_UNKNOWN,
    ORIGIN_FORM,
    PARTY_IDENTIFIER_FORM,
    PREVIOUS_MRN_CHECK_DIGIT,
    ACCEPTANCE_DATE_IGNORED,
    VALUATION_ADJUSTMENT_IGNORED,
    QUOTA_NOT_OPEN,
    ONWARD_SUPPLY_STATEMENT,
    EXPORTER_MISSING,
    GOODS_LOCATION_MISSING,
    GOODS_LOCATION_BARRED,
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

const TYPE_CODE_MISSING: Rule = rule(
    "TYPE_CODE_MISSING",
    "DE 1/1 and 1/2",
    ALWAYS,
    "Say what is declared: IM, EX or CO and one of A to F, J, K, Y, Z, Q.",
);
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
/// Another declaration of the filer has the reference.
pub const LRN_IN_USE: Rule = rule(
    "LRN_IN_USE",
    "rule 7",
    ALWAYS,
    "Your own reference belongs to another declaration of yours; give this one its own.",
);
const ELEMENT_REPEATED: Rule = rule(
    "ELEMENT_REPEATED",
    "data model",
    ALWAYS,
    "This element may stand only once here and stands again; customs cannot know which is meant.",
);
const NUMBER_FORM: Rule = rule(
    "NUMBER_FORM",
    "data model",
    ALWAYS,
    "Here stands a whole number from 0 to 4294967295, in digits alone.",
);
const UNMAPPED_TOO_MANY: Rule = rule(
    "UNMAPPED_TOO_MANY",
    "data model",
    ALWAYS,
    "So many more values have no place than can be listed; leave out what customs does not know, or divide the declaration.",
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
const PROCEDURE_OTHER_WAY: Rule = rule(
    "PROCEDURE_OTHER_WAY",
    "DE 1/1 and 1/10",
    WARN,
    "The type and the requested procedure go different ways: home use and bond are asked for by imports, 10, 11, 21, 22, 23 and 31 by exports; check both.",
);
const AMOUNT_FORM: Rule = rule(
    "AMOUNT_FORM",
    "amounts",
    ALWAYS,
    "An amount is digits with at most one point, not negative.",
);
const AMOUNT_DIGITS: Rule = Rule {
    text: "An amount has at most 15 digits before and 9 after the point; this one has more.",
    ..AMOUNT_FORM
};
const AMOUNT_DECIMALS: Rule = rule(
    "AMOUNT_DECIMALS",
    "ISO 4217",
    WARN,
    "The amount has more decimals than its currency; it is taken as it stands, check the point.",
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
const MEASURE_DIGITS: Rule = Rule {
    text: "A mass or quantity has at most 15 digits before and 6 after the point; this one has more.",
    ..MEASURE_FORM
};
const NET_MASS_ABOVE_GROSS: Rule = rule(
    "NET_MASS_ABOVE_GROSS",
    "DE 6/1 and 6/5",
    WARN,
    "The net mass of the item is above its gross mass; correct the one that is wrong.",
);
const TEXT_HIDDEN_CHARACTERS: Rule = rule(
    "TEXT_HIDDEN_CHARACTERS",
    "data model",
    WARN,
    "The text holds characters that nobody sees and that can make it read otherwise than it is written; leave them out.",
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
    "There are more of these than one declaration may have (999 containers, 999 parties, 999 references to documents, 99 of other elements in one place, 19980 amounts and measures); divide it.",
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
const TRANSPORT_DOCUMENT_FORM: Rule = rule(
    "TRANSPORT_DOCUMENT_FORM",
    "DE 2/1",
    WARN,
    "A transport document, MUCR or DUCR has 1 to 35 printable characters; by this one the goods cannot be found on a manifest.",
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
const ORIGIN_FORM: Rule = rule(
    "ORIGIN_FORM",
    "DE 5/15 and 5/16",
    WARN,
    "A country of origin is two letters; the goods are taken to have none.",
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
/// A place that is on the list of those that cannot be declared.
pub const GOODS_LOCATION_BARRED: Rule = rule(
    "GOODS_LOCATION_BARRED",
    "DE 5/23",
    REFUSE,
    "This goods location cannot be declared; name the place where the goods are.",
);
/// A party that the document names and we do not know.
pub const PARTY_UNKNOWN: Rule = rule(
    "PARTY_UNKNOWN",
    "rule 14",
    WARN,
    "No party is registered under this identifier.",
);
/// A party that we know, and that gave the filer no mandate that allows this filing.
pub const MANDATE_MISSING: Rule = rule(
    "MANDATE_MISSING",
    "rule 14",
    ALWAYS,
    "You hold no mandate of this party to declare these goods in these containers; ask it to grant FILE_DECLARATION.",
);
/// A party that may not act.
pub const PARTY_SUSPENDED: Rule = rule(
    "PARTY_SUSPENDED",
    "register of parties",
    ALWAYS,
    "This party is suspended; ask customs.",
);
/// No tariff line covers an item. Only ever a warning, as is all that follows.
pub const TARIFF_LINE_MISSING: Rule = rule(
    "TARIFF_LINE_MISSING",
    "rule 5",
    WARN,
    "No line of the tariff covers this item; an officer assesses it.",
);
/// The tariff does not say what a procedure does to duty.
pub const PROCEDURE_NOT_IN_TARIFF: Rule = rule(
    "PROCEDURE_NOT_IN_TARIFF",
    "rule 5",
    WARN,
    "The tariff does not say what is owed under this procedure; an officer assesses the item.",
);
/// Without the origin nobody knows what is owed.
pub const ORIGIN_MISSING: Rule = rule(
    "ORIGIN_MISSING",
    "rule 5",
    WARN,
    "From some countries these goods owe trade remedies, and no country of origin can be read; an officer assesses the item.",
);
/// The tariff does not know an excise.
pub const EXCISE_RATE_MISSING: Rule = rule(
    "EXCISE_RATE_MISSING",
    "rule 5",
    WARN,
    "The tariff has no rate for this excise; an officer assesses the item.",
);
/// An item without a value, or with one that is out of range.
pub const CUSTOMS_VALUE_UNUSABLE: Rule = rule(
    "CUSTOMS_VALUE_UNUSABLE",
    "rule 5",
    WARN,
    "There is no value, or none that can be reckoned with; an officer assesses the item.",
);
/// The rates do not know a currency.
pub const EXCHANGE_RATE_MISSING: Rule = rule(
    "EXCHANGE_RATE_MISSING",
    "rule 5",
    WARN,
    "There is no exchange rate for this currency on the day; an officer assesses the item.",
);
/// A tax goes by a quantity that nobody declared.
pub const QUANTITY_MISSING: Rule = rule(
    "QUANTITY_MISSING",
    "rule 5",
    WARN,
    "A tax goes by a quantity that is not declared; an officer assesses the item.",
);
/// A tax goes by a quantity that is declared in a unit that cannot be reckoned with.
pub const MEASURE_UNIT_UNSUITED: Rule = rule(
    "MEASURE_UNIT_UNSUITED",
    "rule 5",
    WARN,
    "A tax goes by this quantity and its unit is not the one it is taken in; an officer assesses the item.",
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
            Severity::Refuse => push_or_count(&mut self.faults, fault, FAULTS_MAX, &MORE_FAULTS),
            Severity::Warn => {
                push_or_count(&mut self.warnings, fault, WARNINGS_MAX, &MORE_WARNINGS);
            }
        }
    }

    /// Adds a warning that a rule gives, whatever the severities say.
    pub fn remark(&mut self, rule: &Rule, path: impl Into<String>, value: impl AsRef<str>) {
        self.warn(Fault::new(rule.code, path, value, rule.name, rule.text));
    }

    /// Adds a warning about what was decided. There are few for each item, so that none is ever left out.
    pub fn warn(&mut self, warning: Fault) {
        self.warnings.push(warning);
    }

    /// Adds the values without a place, all of them: the reader of the document lists no more than there is
    /// room for, and a filing that has more is refused. Comes after what is noted.
    pub fn unmapped(&mut self, warnings: impl IntoIterator<Item = Fault>) {
        self.warnings.extend(warnings);
    }
}

const MORE_FAULTS: Rule = rule(
    "MORE_FAULTS",
    "limits",
    ALWAYS,
    "So many more faults were found; mend those that are named and file again.",
);
const MORE_WARNINGS: Rule = rule(
    "MORE_WARNINGS",
    "limits",
    WARN,
    "So many more warnings were found than are kept.",
);

/// Adds a finding while there is room; from then on the last one counts those that are left out.
fn push_or_count(found: &mut Vec<Fault>, finding: Fault, max: usize, closing: &Rule) {
    if found.len() < max {
        return found.push(finding);
    }
    match found.last_mut().filter(|last| last.code == closing.code) {
        Some(last) => {
            let counted: usize = last.value.parse().unwrap_or_default();
            last.value = counted.saturating_add(1).to_string();
        }
        None => found.push(Fault::new(
            closing.code,
            "/Declaration",
            "1",
            closing.name,
            closing.text,
        )),
    }
}

/// Checks a filing by itself; every fault and warning there is.
pub fn check(filing: &Filing, particulars: &Particulars, severities: &Severities) -> Findings {
    let mut check = Check {
        severities,
        particulars,
        not_numbers: particulars
            .not_numbers
            .iter()
            .map(|placed| placed.path.as_str())
            .collect(),
        findings: Findings::default(),
    };
    check.header(filing);
    check.document();
    check.items(filing);
    check.containers();
    check.references(filing);
    check.parties(filing);
    check.findings
}

struct Check<'a> {
    severities: &'a Severities,
    particulars: &'a Particulars,
    /// Where something stands that is no number: it is not missing.
    not_numbers: BTreeSet<&'a str>,
    findings: Findings,
}

impl Check<'_> {
    fn note(&mut self, rule: &Rule, path: impl Into<String>, value: impl AsRef<str>) {
        self.findings.note(self.severities, rule, path, value);
    }

    fn header(&mut self, filing: &Filing) {
        if filing.type_code.is_empty() {
            self.note(&TYPE_CODE_MISSING, "/Declaration/TypeCode", "");
        } else if filing.kind().is_none() {
            self.note(
                &TYPE_CODE_UNKNOWN,
                "/Declaration/TypeCode",
                &filing.type_code,
            );
        }
        if filing.lrn.is_empty() {
            self.note(&LRN_MISSING, LRN_PATH, "");
        } else if filing.lrn.chars().count() > LRN_CHARS_MAX || Lrn::parse(&filing.lrn).is_err() {
            self.note(&LRN_FORM, LRN_PATH, &filing.lrn);
        }
        if let Some(time) = &self.particulars.acceptance_time {
            self.note(&ACCEPTANCE_DATE_IGNORED, &time.path, &time.value);
        }
        for adjustment in &self.particulars.adjustments {
            self.note(
                &VALUATION_ADJUSTMENT_IGNORED,
                &adjustment.path,
                &adjustment.value,
            );
        }
        if filing.goods_location.is_none() {
            self.note(
                &GOODS_LOCATION_MISSING,
                "/Declaration/GoodsShipment/Consignment/GoodsLocation/Name",
                "",
            );
        }
        self.figures(&self.particulars.figures);
        if self.particulars.figures_count > FIGURES_MAX {
            self.note(
                &TOO_MANY,
                "/Declaration",
                self.particulars.figures_count.to_string(),
            );
        }
    }

    /// What the message that is decided on does not show.
    fn document(&mut self) {
        let particulars = self.particulars;
        for number in &particulars.not_numbers {
            self.note(&NUMBER_FORM, &number.path, &number.value);
        }
        for text in &particulars.hidden_characters {
            self.note(&TEXT_HIDDEN_CHARACTERS, &text.path, &text.value);
        }
        for element in &particulars.repeated {
            self.note(&ELEMENT_REPEATED, &element.path, &element.value);
        }
        for element in &particulars.crowded {
            self.note(&TOO_MANY, &element.path, &element.value);
        }
        if particulars.unmapped_omitted > 0 {
            self.note(
                &UNMAPPED_TOO_MANY,
                "/Declaration",
                particulars.unmapped_omitted.to_string(),
            );
        }
    }

    /// A number is missing, unless something stands there that is none.
    fn missing_number(&mut self, rule: &Rule, path: String) {
        if !self.not_numbers.contains(path.as_str()) {
            self.note(rule, path, "");
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
        let counted = self.particulars.items_count.max(filing.items.len());
        if filing.items.len() > ITEMS_MAX {
            self.note(&ITEMS_TOO_MANY, COUNT, counted.to_string());
            return;
        }
        match filing.items_declared {
            None => self.missing_number(&ITEM_COUNT_MISSING, COUNT.to_owned()),
            Some(count) if usize::try_from(count) != Ok(counted) => {
                self.note(&ITEM_COUNT_DIFFERS, COUNT, count.to_string());
            }
            Some(_) => {}
        }
        self.packages(filing);
        let mut sequences = BTreeSet::new();
        let none = ItemParticulars::default();
        for (index, item) in filing.items.iter().enumerate() {
            let path = item_path(index);
            let particulars = self.particulars.items.get(index).unwrap_or(&none);
            match item.sequence {
                None => {
                    let at = format!("{path}/SequenceNumeric");
                    self.missing_number(&ITEM_SEQUENCE_MISSING, at);
                }
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
                place_or(&particulars.procedure_path, &path, "GovernmentProcedure"),
                item.procedure.as_deref(),
                &item.statement_codes,
                filing,
            );
            self.commodity(
                place_or(
                    &particulars.commodity_code_path,
                    &path,
                    "Commodity/Classification",
                ),
                item.commodity_code.as_deref(),
            );
            for origin in [&item.origin, &item.preferential_origin]
                .into_iter()
                .flatten()
                .filter(|origin| CountryCode::parse(origin).is_err())
            {
                self.note(&ORIGIN_FORM, format!("{path}/Origin/CountryCode"), origin);
            }
            if item.description.chars().nth(TEXT_CHARS_MAX).is_some() {
                self.note(
                    &TEXT_TOO_LONG,
                    format!("{path}/Commodity/Description"),
                    &item.description,
                );
            }
            for quota in particulars
                .quota_order_numbers
                .iter()
                .filter(|number| number.value.starts_with("09"))
            {
                self.note(&QUOTA_NOT_OPEN, &quota.path, &quota.value);
            }
            self.figures(&particulars.figures);
            self.masses(item);
        }
    }

    /// Masses in different units are not compared, nor one that cannot be read.
    fn masses(&mut self, item: &FiledItem) {
        let (Some(net), Some(gross)) = (&item.net_mass, &item.gross_mass) else {
            return;
        };
        if mass_unit(net) == mass_unit(gross)
            && let (Some(least), Some(most)) = (decimal(&net.value), decimal(&gross.value))
            && least > most
        {
            self.note(&NET_MASS_ABOVE_GROSS, &net.path, &net.value);
        }
    }

    fn figures(&mut self, figures: &Figures) {
        for amount in &figures.amounts {
            self.amount(amount);
        }
        for measure in &figures.measures {
            self.measure(measure);
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
        parent: String,
        procedure: Option<&str>,
        statements: &[String],
        filing: &Filing,
    ) {
        let at = format!("{parent}/CurrentCode");
        let Some(procedure) = procedure else {
            return self.note(&PROCEDURE_MISSING, at, "");
        };
        if procedure.len() != 4 || !procedure.bytes().all(|digit| digit.is_ascii_digit()) {
            return self.note(&PROCEDURE_FORM, at, procedure);
        }
        let direction = filing.kind().map(|kind| kind.direction);
        let requested = ProcedureKind::of(procedure.get(..2).unwrap_or_default());
        let other_way = match direction {
            Some(Direction::Export) => {
                matches!(requested, ProcedureKind::HomeUse | ProcedureKind::IntoBond)
            }
            Some(Direction::Import) => {
                requested == ProcedureKind::Export || ProcedureKind::takes_out(procedure)
            }
            _ => false,
        };
        if other_way {
            self.note(&PROCEDURE_OTHER_WAY, at.as_str(), procedure);
        }
        let import = direction == Some(Direction::Import);
        let stated = statements
            .iter()
            .chain(&filing.statement_codes)
            .any(|code| code == "NIIMP");
        if import && (procedure.starts_with("42") || procedure.starts_with("63")) && !stated {
            self.note(&ONWARD_SUPPLY_STATEMENT, at, procedure);
        }
    }

    fn commodity(&mut self, parent: String, code: Option<&str>) {
        let at = format!("{parent}/ID");
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
        let currency = Currency::parse(&amount.currency);
        if amount.currency.is_empty() {
            self.note(
                &CURRENCY_MISSING,
                format!("{}/@currencyID", amount.path),
                "",
            );
        } else if currency.is_err() {
            self.note(
                &CURRENCY_FORM,
                format!("{}/@currencyID", amount.path),
                &amount.currency,
            );
        }
        // The digits are judged apart from the currency, so that both faults are told.
        let rule = match Money::parse(&amount.value, "XXX") {
            Ok(money) if !money.is_negative() => match currency {
                Ok(currency) if decimals(money.amount()) > currency.minor_digits() => {
                    &AMOUNT_DECIMALS
                }
                _ => return,
            },
            Err(MoneyError::TooManyDigits) => &AMOUNT_DIGITS,
            Ok(_) | Err(_) => &AMOUNT_FORM,
        };
        self.note(rule, &amount.path, &amount.value);
    }

    fn measure(&mut self, measure: &WrittenMeasure) {
        let rule = match kernel::Quantity::parse(&measure.value, "XX") {
            Ok(_) => return,
            Err(QuantityError::TooManyDigits) => &MEASURE_DIGITS,
            Err(_) => &MEASURE_FORM,
        };
        self.note(rule, &measure.path, &measure.value);
    }

    fn containers(&mut self) {
        if self.particulars.containers_count > CONTAINERS_MAX {
            return self.note(
                &TOO_MANY,
                "/Declaration/GoodsShipment/Consignment/TransportEquipment",
                self.particulars.containers_count.to_string(),
            );
        }
        for container in &self.particulars.containers {
            let (path, written) = (&container.path, &container.value);
            if written.chars().nth(TEXT_CHARS_MAX).is_some() {
                self.note(&TEXT_TOO_LONG, path, written);
                continue;
            }
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
        if self.particulars.references_count > REFERENCES_MAX {
            return self.note(
                &TOO_MANY,
                "/Declaration/GoodsShipment/PreviousDocument",
                self.particulars.references_count.to_string(),
            );
        }
        let unusable = filing.unusable_transport_documents();
        for reference in &unusable {
            self.note(
                &TRANSPORT_DOCUMENT_FORM,
                format!("{}/ID", reference.path),
                &reference.id,
            );
        }
        if filing.transport_documents().is_empty() && unusable.is_empty() {
            self.note(
                &TRANSPORT_DOCUMENT_MISSING,
                "/Declaration/GoodsShipment/PreviousDocument",
                "",
            );
        }
        for reference in filing.carriage_documents.iter().chain(&filing.references) {
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
        if filing.parties.len() > PARTIES_MAX {
            return self.note(&TOO_MANY, "/Declaration", filing.parties.len().to_string());
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

/// How many digits after the point say something: `10.00` has none.
fn decimals(amount: Decimal) -> u32 {
    amount.normalize().scale()
}

/// The unit of a mass: kilograms where none is written.
fn mass_unit(mass: &WrittenMeasure) -> &str {
    match mass.unit.as_str() {
        "" => "KGM",
        unit => unit,
    }
}

/// The characters of a text that nobody sees: those that turn the direction of writing, and those without a
/// width. Each once, as `U+202E`; none where there are none.
pub fn hidden_characters(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let hidden = text.chars().filter(|character| {
        matches!(
            character,
            '\u{061c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{2064}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
    });
    let distinct: BTreeSet<u32> = hidden.map(u32::from).collect();
    let names: Vec<String> = distinct
        .into_iter()
        .map(|number| format!("U+{number:04X}"))
        .collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// A place, or the one of this name in the item where nothing stands.
fn place_or(place: &str, item: &str, name: &str) -> String {
    if place.is_empty() {
        format!("{item}/{name}")
    } else {
        place.to_owned()
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
    use crate::domain::filing::{NamedParty, PartyRole, Placed, Reference};

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

    /// What is found in a filing that has nothing but what is decided on.
    fn found(filing: &Filing, severities: &Severities) -> Findings {
        check(filing, &Particulars::default(), severities)
    }

    /// What is found in a sound filing with these particulars.
    fn found_in(particulars: &Particulars) -> Findings {
        check(&sound(), particulars, &severities())
    }

    fn placed(path: &str, value: &str) -> Placed {
        Placed {
            path: path.into(),
            value: value.into(),
        }
    }

    fn amount(value: &str, currency: &str) -> WrittenAmount {
        WrittenAmount {
            path: "/v".into(),
            value: value.into(),
            currency: currency.into(),
        }
    }

    fn measure(value: &str) -> WrittenMeasure {
        WrittenMeasure {
            path: "/m".into(),
            value: value.into(),
            unit: "KGM".into(),
        }
    }

    fn codes(faults: &[Fault]) -> Vec<&str> {
        faults.iter().map(|fault| fault.code.as_str()).collect()
    }

    #[test]
    fn a_sound_filing_has_neither_fault_nor_warning() {
        assert_eq!(found(&sound(), &severities()), Findings::default());
    }

    #[test]
    fn rule_8_all_faults_are_given_at_once_each_with_path_value_and_rule() {
        let mut filing = sound();
        filing.type_code = "IMX".into();
        filing.lrn = "x".repeat(23);
        filing.items_declared = Some(3);
        filing.items = vec![item(1), item(1)];
        filing.items[1].procedure = None;
        let mut particulars = Particulars {
            items: vec![ItemParticulars::default(); 2],
            ..Particulars::default()
        };
        particulars.items[1].figures.amounts = vec![amount("1e3", "pounds")];
        let found = check(&filing, &particulars, &severities());
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
            codes(&found(&filing, &severities()).faults),
            ["LRN_MISSING", "ITEMS_MISSING"]
        );
        assert!(matches!(
            Severities::parse("version = \"t\"\n[severity]\nLRN_MISSING = \"warn\"\n"),
            Err(SeveritiesError::NotConfigurable(code)) if code == "LRN_MISSING"
        ));
    }

    #[test]
    fn rule_8_a_type_that_is_missing_is_told_as_missing_and_one_that_is_unknown_by_its_value() {
        for (written, code) in [("", "TYPE_CODE_MISSING"), ("IMX", "TYPE_CODE_UNKNOWN")] {
            let filing = Filing {
                type_code: written.into(),
                ..sound()
            };
            let faults = found(&filing, &severities()).faults;
            assert_eq!(codes(&faults), [code]);
            assert_eq!(
                (faults[0].path.as_str(), faults[0].value.as_str()),
                ("/Declaration/TypeCode", written)
            );
        }
    }

    #[test]
    fn a_net_mass_above_the_gross_mass_warns_at_the_net_mass() {
        let warned = |net: &str, net_unit: &str, gross: &str, gross_unit: &str| {
            let mass = |path: &str, value: &str, unit: &str| {
                Some(WrittenMeasure {
                    path: path.into(),
                    value: value.into(),
                    unit: unit.into(),
                })
            };
            let mut filing = sound();
            filing.items[0].net_mass = mass("/net", net, net_unit);
            filing.items[0].gross_mass = mass("/gross", gross, gross_unit);
            let found = found(&filing, &severities());
            assert!(found.faults.is_empty(), "{:?}", found.faults);
            found.warnings
        };
        for (net, net_unit, gross, gross_unit) in [
            ("100.001", "KGM", "100", "KGM"),
            ("100.001", "", "100", "KGM"),
        ] {
            let warnings = warned(net, net_unit, gross, gross_unit);
            assert_eq!(codes(&warnings), ["NET_MASS_ABOVE_GROSS"]);
            assert_eq!(
                (warnings[0].path.as_str(), warnings[0].value.as_str()),
                ("/net", net)
            );
        }
        for (net, net_unit, gross, gross_unit) in [
            ("100.000", "KGM", "100", "KGM"),
            ("100", "KGM", "1", "TNE"),
            ("x", "KGM", "1", "KGM"),
        ] {
            assert_eq!(codes(&warned(net, net_unit, gross, gross_unit)), [""; 0]);
        }
    }

    #[test]
    fn an_amount_with_more_decimals_than_its_currency_warns() {
        let warned = |value: &str, currency: &str| {
            let found = found_in(&Particulars {
                figures: Figures {
                    amounts: vec![amount(value, currency)],
                    ..Figures::default()
                },
                ..Particulars::default()
            });
            assert!(found.faults.is_empty(), "{:?}", found.faults);
            found.warnings
        };
        for (value, currency) in [("10.001", "GBP"), ("100.5", "JPY"), ("1.0005", "KWD")] {
            let warnings = warned(value, currency);
            assert_eq!(codes(&warnings), ["AMOUNT_DECIMALS"], "{value} {currency}");
            assert_eq!(
                (warnings[0].path.as_str(), warnings[0].value.as_str()),
                ("/v", value)
            );
        }
        for (value, currency) in [
            ("10.01", "GBP"),
            ("10.0100", "GBP"),
            ("100.00", "JPY"),
            ("1.005", "KWD"),
        ] {
            assert_eq!(
                codes(&warned(value, currency)),
                [""; 0],
                "{value} {currency}"
            );
        }
        assert_eq!(codes(&warned("10.001", "")), ["CURRENCY_MISSING"]);
    }

    #[test]
    fn a_procedure_that_goes_the_other_way_than_the_type_warns() {
        let warned = |type_code: &str, procedure: &str| {
            let mut filing = sound();
            filing.type_code = type_code.into();
            filing.exporter_named = true;
            filing.items[0].procedure = Some(procedure.into());
            let found = found(&filing, &severities());
            assert!(found.faults.is_empty(), "{:?}", found.faults);
            found.warnings
        };
        for (type_code, procedure) in [
            ("EXA", "4000"),
            ("EXD", "4071"),
            ("EXA", "7100"),
            ("IMA", "1040"),
            ("IMA", "1071"),
            ("IMA", "2100"),
            ("IMA", "2200"),
            ("IMD", "2300"),
            ("IMA", "3151"),
        ] {
            let warnings = warned(type_code, procedure);
            assert_eq!(
                codes(&warnings),
                ["PROCEDURE_OTHER_WAY"],
                "{type_code} {procedure}"
            );
            let at = format!("{}/GovernmentProcedure/CurrentCode", item_path(0));
            assert_eq!(
                (&warnings[0].path, warnings[0].value.as_str()),
                (&at, procedure)
            );
        }
        for (type_code, procedure) in [
            ("EXA", "1040"),
            ("EXA", "3171"),
            ("EXA", "2100"),
            ("IMA", "4071"),
            ("IMA", "3171"),
            ("IMA", "5100"),
            ("IMA", "5300"),
            ("COA", "1000"),
            ("IMA", "0012"),
        ] {
            assert_eq!(
                codes(&warned(type_code, procedure)),
                [""; 0],
                "{type_code} {procedure}"
            );
        }
    }

    #[test]
    fn characters_that_nobody_sees_are_named_and_visible_ones_of_any_script_are_not() {
        for (text, named) in [
            ("umb\u{202e}rella\u{202c}s\u{202e}", "U+202C U+202E"),
            ("um\u{200b}brella", "U+200B"),
            ("\u{feff}umbrella", "U+FEFF"),
            ("\u{2066}umbrella\u{2069}", "U+2066 U+2069"),
        ] {
            assert_eq!(hidden_characters(text).as_deref(), Some(named));
        }
        for text in [
            "",
            "umbrella\t",
            "Regenschirm für 2 €",
            "雨伞 · 渝A12345",
            "مظلة",
            "☂️",
        ] {
            assert_eq!(hidden_characters(text), None, "{text}");
        }
        let found = found_in(&Particulars {
            hidden_characters: vec![placed("/d", "U+202E")],
            ..Particulars::default()
        });
        assert_eq!(
            (codes(&found.warnings), found.warnings[0].path.as_str()),
            (vec!["TEXT_HIDDEN_CHARACTERS"], "/d")
        );
    }

    #[test]
    fn an_unusable_container_number_warns_where_it_stands_and_can_be_made_to_refuse() {
        let path = "/Declaration/GoodsShipment/Consignment/TransportEquipment[2]/ID";
        let particulars = Particulars {
            containers: vec![placed(path, "CONU1234567")],
            containers_count: 1,
            ..Particulars::default()
        };
        let found = found_in(&particulars);
        assert_eq!(
            (codes(&found.faults), codes(&found.warnings)),
            (vec![], vec!["CONTAINER_NUMBER_FORM"])
        );
        assert_eq!(found.warnings[0].path, path);
        let strict =
            Severities::parse("version = \"s\"\n[severity]\nCONTAINER_NUMBER_FORM = \"refuse\"\n")
                .expect("valid");
        assert_eq!(
            codes(&check(&sound(), &particulars, &strict).faults),
            ["CONTAINER_NUMBER_FORM"]
        );
    }

    #[test]
    fn a_quota_of_the_european_union_is_refused_at_the_tax_that_claims_it() {
        let particulars = Particulars {
            items: vec![ItemParticulars {
                quota_order_numbers: vec![placed("/a", "054077"), placed("/b", "094067")],
                ..ItemParticulars::default()
            }],
            ..Particulars::default()
        };
        let faults = found_in(&particulars).faults;
        assert_eq!(codes(&faults), ["QUOTA_NOT_OPEN"]);
        assert_eq!(
            (faults[0].path.as_str(), faults[0].value.as_str()),
            ("/b", "094067")
        );
    }

    #[test]
    fn onward_supply_needs_its_statement() {
        let mut filing = sound();
        filing.items[0].procedure = Some("4200".into());
        assert_eq!(
            codes(&found(&filing, &severities()).faults),
            ["ONWARD_SUPPLY_STATEMENT"]
        );
        filing.items[0].statement_codes = vec!["NIIMP".into()];
        assert!(found(&filing, &severities()).faults.is_empty());
    }

    #[test]
    fn an_export_names_its_exporter() {
        let mut filing = Filing {
            type_code: "EXA".into(),
            ..sound()
        };
        assert_eq!(
            codes(&found(&filing, &severities()).faults),
            ["EXPORTER_MISSING"]
        );
        filing.exporter_named = true;
        assert!(found(&filing, &severities()).faults.is_empty());
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
            codes(&found(&filing, &severities()).warnings),
            ["PREVIOUS_MRN_CHECK_DIGIT", "PARTY_IDENTIFIER_FORM"]
        );
    }

    #[test]
    fn what_is_no_number_is_a_fault_and_not_missing_too() {
        let mut filing = sound();
        filing.items_declared = None;
        filing.items[0].sequence = None;
        let sequence = format!("{}/SequenceNumeric", item_path(0));
        let particulars = Particulars {
            not_numbers: vec![
                placed("/Declaration/GoodsItemQuantity", "99999999999"),
                placed(&sequence, "x"),
            ],
            ..Particulars::default()
        };
        let found = check(&filing, &particulars, &severities());
        assert_eq!(codes(&found.faults), ["NUMBER_FORM", "NUMBER_FORM"]);
        assert_eq!(
            (
                found.faults[1].path.as_str(),
                found.faults[1].value.as_str()
            ),
            (sequence.as_str(), "x")
        );
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    }

    #[test]
    fn what_stands_again_and_what_cannot_be_listed_is_refused() {
        let particulars = Particulars {
            repeated: vec![placed("/Declaration/GoodsShipment[2]", "")],
            crowded: vec![placed("/i/Commodity/DutyTaxFee", "100")],
            unmapped_omitted: 7,
            ..Particulars::default()
        };
        let faults = found_in(&particulars).faults;
        assert_eq!(
            codes(&faults),
            ["ELEMENT_REPEATED", "TOO_MANY", "UNMAPPED_TOO_MANY"]
        );
        assert_eq!(faults[2].value, "7");
    }

    #[test]
    fn a_figure_with_too_many_digits_is_told_so_and_another_how_it_is_spelled() {
        let figures = |value: &str| Particulars {
            figures: Figures {
                amounts: vec![amount(value, "GBP")],
                measures: vec![measure(value)],
            },
            ..Particulars::default()
        };
        let told = |value: &str| {
            let faults = found_in(&figures(value)).faults;
            assert_eq!(codes(&faults), ["AMOUNT_FORM", "MEASURE_FORM"], "{value}");
            faults
                .iter()
                .map(|fault| fault.description.contains("this one has more"))
                .collect::<Vec<_>>()
        };
        assert_eq!(told("0.12345678901"), [true, true]);
        assert_eq!(told("-12e4"), [false, false]);
        assert_eq!(told("-1"), [false, false]);
        assert!(found_in(&figures("0.5")).faults.is_empty());
    }

    #[test]
    fn more_than_a_declaration_may_have_is_counted_whole() {
        let particulars = Particulars {
            containers_count: 1_500,
            references_count: 20_000,
            figures_count: FIGURES_MAX + 1,
            ..Particulars::default()
        };
        let faults = found_in(&particulars).faults;
        assert_eq!(codes(&faults), ["TOO_MANY", "TOO_MANY", "TOO_MANY"]);
        let values: Vec<_> = faults.iter().map(|fault| fault.value.as_str()).collect();
        assert_eq!(values, ["19981", "1500", "20000"]);
        let filing = Filing {
            items: (0..1_000).map(item).collect(),
            ..sound()
        };
        let particulars = Particulars {
            items_count: 1_500,
            ..Particulars::default()
        };
        let faults = check(&filing, &particulars, &severities()).faults;
        assert_eq!(
            (codes(&faults), faults[0].value.as_str()),
            (vec!["ITEMS_TOO_MANY"], "1500")
        );
    }

    #[test]
    fn a_document_of_carriage_whose_number_is_none_is_told_and_not_missing() {
        let filing = Filing {
            references: Vec::new(),
            carriage_documents: vec![Reference {
                type_code: "N705".into(),
                id: "x".repeat(36),
                path: "/t[1]".into(),
            }],
            ..sound()
        };
        let warnings = found(&filing, &severities()).warnings;
        assert_eq!(
            (codes(&warnings), warnings[0].path.as_str()),
            (vec!["TRANSPORT_DOCUMENT_FORM"], "/t[1]/ID")
        );
    }

    #[test]
    fn faults_and_warnings_are_bounded_and_the_last_says_how_many_are_left_out() {
        let mut findings = Findings::default();
        for _ in 0..FAULTS_MAX + 5 {
            findings.note(&severities(), &NUMBER_FORM, "p", "v");
        }
        for _ in 0..WARNINGS_MAX + 7 {
            findings.note(&severities(), &CURRENCY_MISSING, "p", "v");
        }
        let last = |found: &[Fault]| {
            let last = found.last().expect("a finding");
            (found.len(), last.code.clone(), last.value.clone())
        };
        assert_eq!(
            last(&findings.faults),
            (FAULTS_MAX + 1, "MORE_FAULTS".to_owned(), "5".to_owned())
        );
        assert_eq!(
            last(&findings.warnings),
            (WARNINGS_MAX + 1, "MORE_WARNINGS".to_owned(), "7".to_owned())
        );
    }

    #[test]
    fn values_without_a_place_and_remarks_are_never_left_out() {
        let mut findings = Findings::default();
        for _ in 0..WARNINGS_MAX + 1 {
            findings.note(&severities(), &CURRENCY_MISSING, "p", "v");
        }
        let unmapped = Fault::new("UNMAPPED", "p", "v", "r", "d");
        findings.unmapped(vec![unmapped; 10_000]);
        findings.remark(&GUARANTEE_NOT_CHECKED, "p", "");
        let count = |code: &str| {
            codes(&findings.warnings)
                .iter()
                .filter(|one| **one == code)
                .count()
        };
        assert_eq!(
            (
                count("UNMAPPED"),
                count("GUARANTEE_NOT_CHECKED"),
                count("MORE_WARNINGS")
            ),
            (10_000, 1, 1)
        );
    }
}
