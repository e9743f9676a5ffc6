//! What the books say on a given day: the duty of a commodity, the value added tax, excises, reliefs, what a
//! procedure does to the debt, and the exchange rates. Read from seed files, dated and versioned. It must not
//! know how a declaration is assessed, who pays, or where a seed file comes from.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use kernel::{Currency, HsCode};
use rust_decimal::Decimal;
use serde::Deserialize;

/// The shortest part of a commodity code that a tariff line may stand for, in digits: the subheading that
/// all members of the Harmonized System share.
pub const HS_PREFIX_DIGITS_MIN: usize = 6;
/// The longest, in digits: a national line.
pub const HS_PREFIX_DIGITS_MAX: usize = 10;

/// The days on which an entry of the books holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first day.
    pub from: NaiveDate,
    /// The last day; none where no end is known.
    pub until: Option<NaiveDate>,
}

impl Validity {
    /// Whether the entry holds on that day; its first and its last day count.
    #[must_use]
    pub fn holds(&self, on: NaiveDate) -> bool {
        self.from <= on && self.until.is_none_or(|until| on <= until)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.until.is_none_or(|until| other.from <= until)
            && other.until.is_none_or(|until| self.from <= until)
    }
}

/// The tariff of one version: every duty, tax and relief it knows, each with its days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// The version that is stored on every declaration assessed with it.
    pub version: String,
    /// The currency all assessed amounts are in.
    pub currency: Currency,
    /// The standard rate of value added tax, in percent.
    pub vat_percent: Decimal,
    vat_by_code: BTreeMap<String, Decimal>,
    treatments: BTreeMap<String, Treatment>,
    reliefs: BTreeMap<String, Vec<String>>,
    excises: Vec<Excise>,
    lines: BTreeMap<String, Vec<TariffLine>>,
}

/// One line of the tariff: what is due on a commodity, from one origin or from all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TariffLine {
    /// The commodity code or the leading part of it, 6 to 10 digits.
    pub hs_code: String,
    /// The country of origin it is for (ISO 3166, two letters); none: all that have no line of their own.
    pub origin: Option<String>,
    /// The days on which it holds.
    pub validity: Validity,
    /// The customs duty (tax type A00).
    pub duty: Rate,
    /// Trade remedies on top: anti-dumping (A30) and countervailing (A40) duties.
    pub remedies: Vec<TaxRate>,
    /// The unit of the supplementary quantity, which a filing gives without one: "LTR", "NAR".
    pub supplementary_unit: Option<String>,
}

/// A rate together with the tax it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxRate {
    /// The tax type of data element 4/3: "A00", "A30".
    pub tax_type: String,
    /// How much of it.
    pub rate: Rate,
}

/// An excise duty, owed where the goods' item names its national additional code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excise {
    /// The national additional code of data element 6/17: "X522".
    pub additional_code: String,
    /// The days on which it holds.
    pub validity: Validity,
    /// The tax and its rate.
    pub tax: TaxRate,
}

/// How a duty is reckoned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rate {
    /// So many percent of the customs value.
    AdValorem(Decimal),
    /// So much money for a quantity.
    Specific(Specific),
    /// Both, added up.
    Compound(Decimal, Specific),
}

/// So much money for so many units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Specific {
    /// The amount.
    pub amount: Decimal,
    /// Its currency.
    pub currency: Currency,
    /// For how many units: 1, 10, 100 or 1000, so that dividing by it is always exact.
    pub per: u32,
    /// The unit: "KGM", "LTR", "LPA" (litres of pure alcohol).
    pub unit: String,
}

/// What a requested procedure (the first two digits of data element 1/10) does to duty and taxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Duty and taxes are owed.
    Due,
    /// Duty is owed now; value added tax and excise are not (07 excise warehouse, 42 and 63 onward supply).
    DutyOnly,
    /// Everything is reckoned, nothing is payable while the procedure lasts (51 inward processing, 53
    /// temporary admission).
    Conditional,
    /// Nothing is reckoned while the goods are stored (71, 78).
    Suspended,
    /// Nothing is ever owed on it (exports, clearance requests).
    Free,
}

/// Why a seed file is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// It is not TOML of the expected shape.
    #[error("the seed cannot be read, correct it: {0}")]
    Syntax(String),
    /// Its shape is right, but its content contradicts itself or the field's formats.
    #[error("the seed has {} faults, correct them all: {}", .0.len(), .0.join("; "))]
    Content(Vec<String>),
}

impl Tariff {
    /// Reads a tariff.
    ///
    /// # Errors
    /// [`SeedError`], with every fault of the content at once.
    pub fn parse(text: &str) -> Result<Self, SeedError> {
        let seed: TariffSeed = read_seed(text)?;
        let mut faults = Faults::default();
        let tariff = Self {
            vat_percent: faults.percent("vat_percent", &seed.vat_percent),
            vat_by_code: seed
                .vat_codes
                .into_iter()
                .map(|(code, percent)| {
                    let percent = faults.percent(&format!("vat_codes.{code}"), &percent);
                    (code, percent)
                })
                .collect(),
            treatments: seed.procedures.into_treatments(&mut faults),
            reliefs: index_reliefs(seed.reliefs, &mut faults),
            excises: undisputed_excises(seed.excises, &mut faults),
            lines: index_lines(seed.lines, &mut faults),
            version: seed.version,
            currency: seed.currency,
        };
        faults.none_or(tariff)
    }

    /// The line for a commodity from an origin on a day: the longest leading part of the code that the
    /// tariff knows, 10 to 6 digits, and of that length the origin's own line before the one for all. None
    /// where the tariff has no line: then a person assesses, and nothing is rejected (duty rule 5).
    #[must_use]
    pub fn line(&self, hs_code: &str, origin: Option<&str>, on: NaiveDate) -> Option<&TariffLine> {
        (HS_PREFIX_DIGITS_MIN..=HS_PREFIX_DIGITS_MAX)
            .rev()
            .filter_map(|digits| self.lines.get(hs_code.get(..digits)?))
            .find_map(|lines| {
                let mut valid = lines.iter().filter(|line| line.validity.holds(on));
                let for_origin =
                    |line: &&TariffLine| line.origin.is_some() && line.origin.as_deref() == origin;
                valid
                    .clone()
                    .find(for_origin)
                    .or_else(|| valid.find(|line| line.origin.is_none()))
            })
    }

    /// Whether goods of a commodity owe trade remedies on a day from some origins and not from all, so that
    /// nothing can be said about them without their origin. Looks where [`Self::line`] would, for any origin.
    #[must_use]
    pub fn remedies_follow_origin(&self, hs_code: &str, on: NaiveDate) -> bool {
        for digits in (HS_PREFIX_DIGITS_MIN..=HS_PREFIX_DIGITS_MAX).rev() {
            let lines = hs_code
                .get(..digits)
                .and_then(|prefix| self.lines.get(prefix));
            let valid = || {
                let lines = lines.into_iter().flatten();
                lines.filter(|line| line.validity.holds(on))
            };
            if valid().any(|line| line.origin.is_some() && !line.remedies.is_empty()) {
                return true;
            }
            if valid().any(|line| line.origin.is_none()) {
                return false;
            }
        }
        false
    }

    /// What a procedure of four digits does to duty and taxes; none where the tariff does not say.
    #[must_use]
    pub fn treatment(&self, procedure: &str) -> Option<Treatment> {
        self.treatments.get(procedure.get(..2)?).copied()
    }

    /// The rate of value added tax in percent: the standard one, or that of a national additional code
    /// ("VATZ").
    #[must_use]
    pub fn vat_percent(&self, additional_codes: &[String]) -> Decimal {
        additional_codes
            .iter()
            .find_map(|code| self.vat_by_code.get(code))
            .copied()
            .unwrap_or(self.vat_percent)
    }

    /// The excise that a national additional code calls for on a day; none where no rate is known.
    #[must_use]
    pub fn excise(&self, additional_code: &str, on: NaiveDate) -> Option<&Excise> {
        self.excises
            .iter()
            .find(|excise| excise.additional_code == additional_code && excise.validity.holds(on))
    }

    /// The additional procedure (data element 1/11) that relieves an item of a tax, if one of its own does.
    #[must_use]
    pub fn relief<'a>(
        &self,
        additional_procedures: &'a [String],
        tax_type: &str,
    ) -> Option<&'a str> {
        additional_procedures
            .iter()
            .find(|procedure| {
                self.reliefs
                    .get(*procedure)
                    .is_some_and(|tax_types| tax_types.iter().any(|one| one == tax_type))
            })
            .map(String::as_str)
    }
}

/// The exchange rates of one version, each with its days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    /// The version that is stored on every declaration assessed with them.
    pub version: String,
    /// The currency that the rates lead to.
    pub currency: Currency,
    rates: BTreeMap<String, Vec<(Validity, Decimal)>>,
}

impl Rates {
    /// Reads exchange rates.
    ///
    /// # Errors
    /// [`SeedError`], with every fault of the content at once.
    pub fn parse(text: &str) -> Result<Self, SeedError> {
        let seed: RatesSeed = read_seed(text)?;
        let mut faults = Faults::default();
        let mut rates: BTreeMap<String, Vec<(Validity, Decimal)>> = BTreeMap::new();
        for rate in seed.rates {
            let place = format!("rates.{} from {}", rate.currency, rate.from);
            let Some(value) = faults.decimal(&place, &rate.value) else {
                continue;
            };
            if value <= Decimal::ZERO {
                faults.add(&place, "an exchange rate is more than zero");
                continue;
            }
            let validity = faults.validity(&place, rate.from, rate.until);
            let dated = rates.entry(rate.currency.as_str().to_owned()).or_default();
            if dated.iter().any(|(other, _)| other.overlaps(&validity)) {
                faults.add(&place, "two rates of one currency hold on the same day");
            }
            dated.push((validity, value));
        }
        faults.none_or(Self {
            version: seed.version,
            currency: seed.to,
            rates,
        })
    }

    /// What one unit of a currency is worth on a day, in the currency of the rates; 1 for that currency
    /// itself, none where no rate is known.
    #[must_use]
    pub fn to(&self, currency: &str, on: NaiveDate) -> Option<Decimal> {
        if currency == self.currency.as_str() {
            return Some(Decimal::ONE);
        }
        self.rates
            .get(currency)?
            .iter()
            .find(|(validity, _)| validity.holds(on))
            .map(|(_, rate)| *rate)
    }
}

/// Reads a seed file's text into its shape.
pub(super) fn read_seed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, SeedError> {
    toml::from_str(text).map_err(|error| SeedError::Syntax(error.to_string()))
}

/// The faults found in a seed, so that a person corrects them all at once.
#[derive(Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    pub(super) fn add(&mut self, place: &str, fault: &str) {
        self.0.push(format!("{place}: {fault}"));
    }

    pub(super) fn decimal(&mut self, place: &str, written: &str) -> Option<Decimal> {
        match Decimal::from_str_exact(written) {
            Ok(value) => Some(value),
            Err(_) => {
                self.add(place, &format!("{written:?} is not a decimal number"));
                None
            }
        }
    }

    pub(super) fn validity(
        &mut self,
        place: &str,
        from: NaiveDate,
        until: Option<NaiveDate>,
    ) -> Validity {
        if until.is_some_and(|until| until < from) {
            self.add(place, "the last day comes before the first");
        }
        Validity { from, until }
    }

    /// The value, if nothing was found.
    pub(super) fn none_or<T>(self, value: T) -> Result<T, SeedError> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(SeedError::Content(self.0))
        }
    }

    fn percent(&mut self, place: &str, written: &str) -> Decimal {
        let percent = self.decimal(place, written).unwrap_or_default();
        if percent < Decimal::ZERO {
            self.add(place, "a rate is not negative");
        }
        percent
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TariffSeed {
    version: String,
    currency: Currency,
    vat_percent: String,
    vat_codes: BTreeMap<String, String>,
    procedures: ProceduresSeed,
    reliefs: Vec<ReliefSeed>,
    excises: Vec<ExciseSeed>,
    lines: Vec<LineSeed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProceduresSeed {
    due: Vec<String>,
    duty_only: Vec<String>,
    conditional: Vec<String>,
    suspended: Vec<String>,
    free: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReliefSeed {
    additional_procedure: String,
    tax_types: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExciseSeed {
    additional_code: String,
    from: NaiveDate,
    until: Option<NaiveDate>,
    tax_type: String,
    rate: RateSeed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineSeed {
    hs: HsCode,
    origin: Option<String>,
    from: NaiveDate,
    until: Option<NaiveDate>,
    duty: RateSeed,
    #[serde(default)]
    remedies: Vec<RemedySeed>,
    supplementary_unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RemedySeed {
    tax_type: String,
    rate: RateSeed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateSeed {
    percent: Option<String>,
    specific: Option<SpecificSeed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpecificSeed {
    amount: String,
    currency: Currency,
    per: u32,
    unit: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RatesSeed {
    version: String,
    to: Currency,
    rates: Vec<DatedRateSeed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatedRateSeed {
    currency: Currency,
    from: NaiveDate,
    until: Option<NaiveDate>,
    value: String,
}

impl ProceduresSeed {
    fn into_treatments(self, faults: &mut Faults) -> BTreeMap<String, Treatment> {
        let lists = [
            (Treatment::Due, self.due),
            (Treatment::DutyOnly, self.duty_only),
            (Treatment::Conditional, self.conditional),
            (Treatment::Suspended, self.suspended),
            (Treatment::Free, self.free),
        ];
        let mut treatments = BTreeMap::new();
        for (treatment, procedures) in lists {
            for procedure in procedures {
                let place = format!("procedures {procedure}");
                if procedure.len() != 2 || !procedure.bytes().all(|digit| digit.is_ascii_digit()) {
                    faults.add(&place, "a requested procedure has two digits");
                }
                if treatments.insert(procedure, treatment).is_some() {
                    faults.add(&place, "it stands in two lists");
                }
            }
        }
        treatments
    }
}

impl ExciseSeed {
    fn into_excise(self, faults: &mut Faults) -> Option<Excise> {
        let place = format!("excises.{} from {}", self.additional_code, self.from);
        Some(Excise {
            validity: faults.validity(&place, self.from, self.until),
            tax: TaxRate {
                rate: self.rate.into_rate(&place, faults)?,
                tax_type: self.tax_type,
            },
            additional_code: self.additional_code,
        })
    }
}

impl LineSeed {
    fn into_line(self, faults: &mut Faults) -> Option<TariffLine> {
        let place = format!(
            "lines.{} {} from {}",
            self.hs,
            self.origin.as_deref().unwrap_or("all origins"),
            self.from
        );
        Some(TariffLine {
            validity: faults.validity(&place, self.from, self.until),
            duty: self.duty.into_rate(&place, faults)?,
            remedies: self
                .remedies
                .into_iter()
                .filter_map(|remedy| {
                    Some(TaxRate {
                        rate: remedy.rate.into_rate(&place, faults)?,
                        tax_type: remedy.tax_type,
                    })
                })
                .collect(),
            hs_code: self.hs.as_str().to_owned(),
            origin: self.origin,
            supplementary_unit: self.supplementary_unit,
        })
    }
}

impl RateSeed {
    fn into_rate(self, place: &str, faults: &mut Faults) -> Option<Rate> {
        let percent = self.percent.map(|percent| faults.percent(place, &percent));
        let specific = match self.specific {
            Some(specific) => Some(specific.into_specific(place, faults)?),
            None => None,
        };
        match (percent, specific) {
            (Some(percent), None) => Some(Rate::AdValorem(percent)),
            (None, Some(specific)) => Some(Rate::Specific(specific)),
            (Some(percent), Some(specific)) => Some(Rate::Compound(percent, specific)),
            (None, None) => {
                faults.add(place, "a rate has a percent, a specific part, or both");
                None
            }
        }
    }
}

impl SpecificSeed {
    fn into_specific(self, place: &str, faults: &mut Faults) -> Option<Specific> {
        let amount = faults.decimal(place, &self.amount)?;
        if amount < Decimal::ZERO {
            faults.add(place, "a rate is not negative");
        }
        if !matches!(self.per, 1 | 10 | 100 | 1000) {
            faults.add(place, "a specific rate is per 1, 10, 100 or 1000 units");
        }
        Some(Specific {
            amount,
            currency: self.currency,
            per: self.per,
            unit: self.unit,
        })
    }
}

fn index_reliefs(seeds: Vec<ReliefSeed>, faults: &mut Faults) -> BTreeMap<String, Vec<String>> {
    let mut reliefs = BTreeMap::new();
    for relief in seeds {
        let place = format!("reliefs.{}", relief.additional_procedure);
        if reliefs
            .insert(relief.additional_procedure, relief.tax_types)
            .is_some()
        {
            faults.add(&place, "it stands there twice; name all its taxes at once");
        }
    }
    reliefs
}

fn undisputed_excises(seeds: Vec<ExciseSeed>, faults: &mut Faults) -> Vec<Excise> {
    let mut excises: Vec<Excise> = Vec::new();
    for seed in seeds {
        let Some(excise) = seed.into_excise(faults) else {
            continue;
        };
        if excises.iter().any(|other| {
            other.additional_code == excise.additional_code
                && other.validity.overlaps(&excise.validity)
        }) {
            faults.add(
                &format!(
                    "excises.{} from {}",
                    excise.additional_code, excise.validity.from
                ),
                "two rates of one excise hold on the same day",
            );
        }
        excises.push(excise);
    }
    excises
}

fn index_lines(seeds: Vec<LineSeed>, faults: &mut Faults) -> BTreeMap<String, Vec<TariffLine>> {
    let mut lines: BTreeMap<String, Vec<TariffLine>> = BTreeMap::new();
    for seed in seeds {
        let Some(line) = seed.into_line(faults) else {
            continue;
        };
        let same_code = lines.entry(line.hs_code.clone()).or_default();
        if same_code
            .iter()
            .any(|other| other.origin == line.origin && other.validity.overlaps(&line.validity))
        {
            faults.add(
                &format!("lines.{} from {}", line.hs_code, line.validity.from),
                "two lines of one code and origin hold on the same day",
            );
        }
        same_code.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"
        version = "test-1"
        currency = "GBP"
        vat_percent = "20"
        reliefs = [{ additional_procedure = "C07", tax_types = ["A00"] }]
        vat_codes = { VATZ = "0" }
        procedures = { due = ["40"], duty_only = ["07"], conditional = ["51"], suspended = ["71"], free = ["10"] }
        excises = []
    "#;

    fn day(written: &str) -> NaiveDate {
        written.parse().expect("a date")
    }

    fn tariff(lines: &str) -> Result<Tariff, SeedError> {
        Tariff::parse(&format!("{HEAD}\nlines = [{lines}]"))
    }

    fn percent_of(tariff: &Tariff, code: &str, origin: Option<&str>, on: &str) -> Option<Rate> {
        tariff
            .line(code, origin, day(on))
            .map(|line| line.duty.clone())
    }

    fn ad_valorem(percent: i64) -> Option<Rate> {
        Some(Rate::AdValorem(Decimal::from(percent)))
    }

    #[test]
    fn the_longest_leading_part_of_a_code_decides() {
        let tariff = tariff(
            r#"{ hs = "660191", from = "2020-01-01", duty = { percent = "1" } },
               { hs = "66019100", from = "2020-01-01", duty = { percent = "2" } },
               { hs = "6601910010", from = "2020-01-01", duty = { percent = "3" } }"#,
        )
        .expect("a tariff");
        for (code, percent) in [
            ("6601910010", 3),
            ("6601910000", 2),
            ("66019100", 2),
            ("6601911100", 1),
            ("660191", 1),
        ] {
            assert_eq!(
                percent_of(&tariff, code, None, "2026-01-01"),
                ad_valorem(percent),
                "{code}"
            );
        }
        for unknown in [
            "6601920000",
            "66019",
            "",
            "66019\u{fc}",
            "\u{fc}\u{fc}\u{fc}\u{fc}",
        ] {
            assert_eq!(
                percent_of(&tariff, unknown, None, "2026-01-01"),
                None,
                "{unknown}"
            );
        }
    }

    #[test]
    fn an_origins_own_line_comes_before_the_one_for_all() {
        let tariff = tariff(
            r#"{ hs = "66019100", from = "2020-01-01", duty = { percent = "4" } },
               { hs = "66019100", origin = "FR", from = "2020-01-01", duty = { percent = "0" } },
               { hs = "66019900", origin = "FR", from = "2020-01-01", duty = { percent = "0" } }"#,
        )
        .expect("a tariff");
        let on = "2026-01-01";
        assert_eq!(
            percent_of(&tariff, "6601910000", Some("FR"), on),
            ad_valorem(0)
        );
        assert_eq!(
            percent_of(&tariff, "6601910000", Some("CN"), on),
            ad_valorem(4)
        );
        assert_eq!(percent_of(&tariff, "6601910000", None, on), ad_valorem(4));
        assert_eq!(percent_of(&tariff, "6601990000", Some("CN"), on), None);
    }

    #[test]
    fn remedies_follow_the_origin_where_the_line_of_some_origin_has_them() {
        let tariff = tariff(
            r#"{ hs = "72029980", origin = "CN", from = "2020-01-01", until = "2025-12-31", duty = { percent = "2" }, remedies = [{ tax_type = "A30", rate = { percent = "50" } }] },
               { hs = "72029980", from = "2020-01-01", duty = { percent = "2" } },
               { hs = "720299", origin = "MA", from = "2020-01-01", duty = { percent = "2" }, remedies = [{ tax_type = "A30", rate = { percent = "50" } }] },
               { hs = "66019100", origin = "FR", from = "2020-01-01", duty = { percent = "0" } },
               { hs = "73045989", from = "2020-01-01", duty = { percent = "0" }, remedies = [{ tax_type = "A30", rate = { percent = "39" } }] }"#,
        )
        .expect("a tariff");
        for (code, on, expected) in [
            ("7202998030", "2025-12-31", true),
            ("7202998030", "2026-01-01", false),
            ("7202991000", "2026-01-01", true),
            ("6601910000", "2026-01-01", false),
            ("7304598900", "2026-01-01", false),
            ("x", "2026-01-01", false),
        ] {
            let follows = tariff.remedies_follow_origin(code, day(on));
            assert_eq!(follows, expected, "{code} on {on}");
        }
    }

    #[test]
    fn rule_4_the_day_decides_which_line_holds() {
        let tariff = tariff(
            r#"{ hs = "66019100", from = "2020-01-01", until = "2025-12-31", duty = { percent = "4" } },
               { hs = "66019100", from = "2026-01-01", duty = { percent = "5" } }"#,
        )
        .expect("a tariff");
        let rate = |on| percent_of(&tariff, "66019100", None, on);
        assert_eq!(rate("2019-12-31"), None);
        assert_eq!(rate("2020-01-01"), ad_valorem(4));
        assert_eq!(rate("2025-12-31"), ad_valorem(4));
        assert_eq!(rate("2026-01-01"), ad_valorem(5));
    }

    #[test]
    fn a_tariffs_faults_are_told_all_at_once() {
        let refused = tariff(
            r#"{ hs = "66019100", from = "2020-01-01", duty = { percent = "-4" } },
               { hs = "66019100", from = "2021-01-01", duty = { percent = "5" } },
               { hs = "66019200", from = "2021-01-01", until = "2020-01-01", duty = { percent = "5" } },
               { hs = "66019300", from = "2021-01-01", duty = { percent = "1e3" } },
               { hs = "66019400", from = "2021-01-01", duty = {} },
               { hs = "66019500", from = "2021-01-01", duty = { specific = { amount = "1", currency = "GBP", per = 3, unit = "KGM" } } }"#,
        );
        let Err(SeedError::Content(faults)) = refused else {
            panic!("a faulty tariff was taken: {refused:?}");
        };
        assert_eq!(faults.len(), 6, "{faults:#?}");
    }

    #[test]
    fn a_relief_an_excise_and_a_procedure_stand_in_a_tariff_once() {
        let excise = r#"{ additional_code = "X333", tax_type = "333", from = "2020-01-01", rate = { percent = "1" } }"#;
        let twice = HEAD
            .replace("excises = []", &format!("excises = [{excise}, {excise}]"))
            .replace("duty_only = [\"07\"]", "duty_only = [\"40\"]")
            .replace(
                "reliefs = [",
                "reliefs = [{ additional_procedure = \"C07\", tax_types = [\"B00\"] }, ",
            );
        let refused = Tariff::parse(&format!("{twice}\nlines = []"));
        let Err(SeedError::Content(faults)) = refused else {
            panic!("a faulty tariff was taken: {refused:?}");
        };
        assert_eq!(faults.len(), 3, "{faults:#?}");
    }

    #[test]
    fn a_misspelt_or_unsuitable_field_of_a_tariff_is_refused() {
        for lines in [
            r#"{ hs = "66019100", from = "2020-01-01", dty = { percent = "4" } }"#,
            r#"{ hs = "66019", from = "2020-01-01", duty = { percent = "4" } }"#,
            r#"{ hs = "66019100", from = "2020-01-01", duty = { percent = 4.5 } }"#,
            r#"{ hs = "66019100", from = "2020-02-30", duty = { percent = "4" } }"#,
        ] {
            let refused = tariff(lines);
            assert!(
                matches!(refused, Err(SeedError::Syntax(_))),
                "{lines}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_procedure_is_known_by_its_first_two_digits() {
        let tariff = tariff("").expect("a tariff");
        assert_eq!(tariff.treatment("4071"), Some(Treatment::Due));
        assert_eq!(tariff.treatment("7100"), Some(Treatment::Suspended));
        assert_eq!(tariff.treatment("9900"), None);
        assert_eq!(tariff.treatment("4"), None);
    }

    #[test]
    fn an_exchange_rate_is_that_of_the_day() {
        let rates = Rates::parse(
            r#"version = "test-1"
               to = "GBP"
               rates = [
                 { currency = "EUR", from = "2020-01-01", until = "2025-12-31", value = "0.9" },
                 { currency = "EUR", from = "2026-01-01", value = "0.8523" },
               ]"#,
        )
        .expect("rates");
        assert_eq!(rates.to("EUR", day("2025-12-31")), Some(Decimal::new(9, 1)));
        assert_eq!(
            rates.to("EUR", day("2026-01-01")),
            Some(Decimal::new(8523, 4))
        );
        assert_eq!(rates.to("EUR", day("2019-12-31")), None);
        assert_eq!(rates.to("GBP", day("1999-01-01")), Some(Decimal::ONE));
        assert_eq!(rates.to("USD", day("2026-01-01")), None);
    }

    #[test]
    fn two_rates_of_one_day_and_a_rate_of_nothing_are_refused() {
        let refused = Rates::parse(
            r#"version = "test-1"
               to = "GBP"
               rates = [
                 { currency = "EUR", from = "2020-01-01", value = "0.9" },
                 { currency = "EUR", from = "2026-01-01", value = "0.8523" },
                 { currency = "USD", from = "2026-01-01", value = "0" },
               ]"#,
        );
        let Err(SeedError::Content(faults)) = refused else {
            panic!("faulty rates were taken: {refused:?}");
        };
        assert_eq!(faults.len(), 2, "{faults:#?}");
    }
}
