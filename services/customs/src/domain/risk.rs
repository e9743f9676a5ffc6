//! Who is looked at more closely: risk rules as data, dated and versioned, and their outcome for one
//! declaration: a channel, controls, holds. Pure: it must not know how controls are kept or who carries them
//! out, and it may be tried against a draft without filing it.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::tariff::{Faults, SeedError, Validity, read_seed};

/// The risk rules of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskRules {
    /// The version that is stored on every declaration judged by them.
    pub version: String,
    rules: Vec<RiskRule>,
}

/// One rule: when it strikes, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskRule {
    /// Its name, unique within the version: "origin-of-shavers".
    pub id: String,
    /// Why it is there, for the officer who meets its outcome.
    pub reason: String,
    /// The days on which it holds.
    pub validity: Validity,
    condition: Condition,
    consequence: Consequence,
}

/// What of a declaration the rules look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RiskInput {
    /// The declaration's type, three letters: "IMA".
    pub type_code: String,
    /// The party that filed.
    pub filer: String,
    /// The party it was filed for, where it is known.
    pub trader: Option<String>,
    /// The customs value of all items in the tariff's currency; none where it could not be reckoned.
    pub value: Option<Decimal>,
    /// The goods items.
    pub items: Vec<RiskItem>,
}

/// What of a goods item the rules look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RiskItem {
    /// The commodity code, 6 to 10 digits.
    pub hs_code: Option<String>,
    /// The country of origin, two letters.
    pub origin: Option<String>,
    /// The description of the goods.
    pub description: String,
    /// Requested and previous procedure, four digits: "4071".
    pub procedure: String,
}

/// The lane a declaration goes through, from the mildest to the strictest.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Released.
    #[default]
    Green,
    /// Released, audited later.
    Blue,
    /// Documents are looked at.
    Yellow,
    /// Goods are looked at.
    Red,
}

/// What a control looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlKind {
    /// The documents.
    Documents,
    /// The goods themselves.
    Physical,
    /// Whatever another agency asks for: veterinary, plant health, safety.
    Agency,
}

/// A control that the rules order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlOrder {
    /// What it looks at.
    pub kind: ControlKind,
    /// Whether nothing may be released before it is done.
    pub blocking: bool,
}

/// A control that rules order, with the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuledControl {
    /// What is ordered.
    pub order: ControlOrder,
    /// The rules that ask for a control of this kind, by id, in their order.
    pub rules: Vec<String>,
}

/// Whose hold the rules place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldOrderKind {
    /// Customs' own.
    Customs,
    /// Quarantine's.
    Quarantine,
}

/// A hold that the rules place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldOrder {
    /// Whose it is.
    pub kind: HoldOrderKind,
    /// The rule that places it.
    pub rule: String,
    /// That rule's reason.
    pub reason: String,
}

/// What the rules say about one declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskOutcome {
    /// The strictest channel that any rule asked for; green where none struck.
    pub channel: Channel,
    /// The controls of all rules, one of a kind; it blocks if one of its rules says so.
    pub controls: Vec<RuledControl>,
    /// The holds of all rules.
    pub holds: Vec<HoldOrder>,
    /// The rules that struck, by id, in their order.
    pub rules: Vec<String>,
    /// The version of the rules.
    pub version: String,
}

impl RiskRules {
    /// Reads risk rules.
    ///
    /// # Errors
    /// [`SeedError`], with every fault of the content at once.
    pub fn parse(text: &str) -> Result<Self, SeedError> {
        let seed: RulesSeed = read_seed(text)?;
        let mut faults = Faults::default();
        let mut rules: Vec<RiskRule> = Vec::new();
        for rule in seed.rules {
            let rule = rule.into_rule(&mut faults);
            if rules.iter().any(|other| other.id == rule.id) {
                faults.add(&rule.id, "two rules have this id");
            }
            rules.push(rule);
        }
        faults.none_or(Self {
            version: seed.version,
            rules,
        })
    }
}

/// Tries every rule that holds on a day (customs rule 3): the strictest channel wins, controls and holds are
/// united. A rule never weakens another, so their order does not matter.
#[must_use]
pub fn evaluate(rules: &RiskRules, input: &RiskInput, on: NaiveDate) -> RiskOutcome {
    let mut outcome = RiskOutcome {
        channel: Channel::default(),
        controls: Vec::new(),
        holds: Vec::new(),
        rules: Vec::new(),
        version: rules.version.clone(),
    };
    let mut by_kind: BTreeMap<ControlKind, (bool, Vec<String>)> = BTreeMap::new();
    let struck = rules
        .rules
        .iter()
        .filter(|rule| rule.validity.holds(on) && rule.condition.holds(input));
    for rule in struck {
        outcome.channel = outcome.channel.max(rule.consequence.channel);
        for control in &rule.consequence.controls {
            let (blocking, rules) = by_kind.entry(control.kind).or_default();
            *blocking |= control.blocking;
            // A rule may order a control of one kind twice, blocking and not.
            if rules.last() != Some(&rule.id) {
                rules.push(rule.id.clone());
            }
        }
        if let Some(kind) = rule.consequence.hold {
            outcome.holds.push(HoldOrder {
                kind,
                rule: rule.id.clone(),
                reason: rule.reason.clone(),
            });
        }
        outcome.rules.push(rule.id.clone());
    }
    outcome.controls = by_kind
        .into_iter()
        .map(|(kind, (blocking, rules))| RuledControl {
            order: ControlOrder { kind, blocking },
            rules,
        })
        .collect();
    outcome
}

/// When a rule strikes: everything that is given must hold, and of a list one entry. What is asked of an item
/// must hold of one and the same item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Condition {
    /// Leading letters of the type: "IM" or "IMA".
    type_codes: Vec<String>,
    filers: Vec<String>,
    traders: Vec<String>,
    /// The value of the whole declaration is more than this, or is not known.
    value_over: Option<WholeAmount>,
    /// Leading digits of the procedure: "40" or "4071".
    procedures: Vec<String>,
    hs_prefixes: Vec<String>,
    origins: Vec<String>,
    /// Whatever its case.
    description_contains: Vec<String>,
}

/// A threshold in whole units of the tariff's currency.
type WholeAmount = u64;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Consequence {
    channel: Channel,
    #[serde(default)]
    controls: Vec<ControlOrder>,
    hold: Option<HoldOrderKind>,
}

impl Condition {
    fn holds(&self, input: &RiskInput) -> bool {
        self.holds_of_declaration(input)
            && (!self.asks_of_item() || input.items.iter().any(|item| self.holds_of_item(item)))
    }

    fn holds_of_declaration(&self, input: &RiskInput) -> bool {
        one_begins(&self.type_codes, Some(&input.type_code))
            && one_equals(&self.filers, Some(&input.filer))
            && one_equals(&self.traders, input.trader.as_deref())
            && self.value_over.is_none_or(|limit| {
                // A value that nobody could reckon is no reason to look away.
                input.value.is_none_or(|value| value > Decimal::from(limit))
            })
    }

    fn asks_of_item(&self) -> bool {
        [
            &self.procedures,
            &self.hs_prefixes,
            &self.origins,
            &self.description_contains,
        ]
        .iter()
        .any(|asked| !asked.is_empty())
    }

    fn holds_of_item(&self, item: &RiskItem) -> bool {
        one_begins(&self.procedures, Some(&item.procedure))
            && one_begins(&self.hs_prefixes, item.hs_code.as_deref())
            && one_equals(&self.origins, item.origin.as_deref())
            && self.description_holds(&item.description)
    }

    fn description_holds(&self, description: &str) -> bool {
        if self.description_contains.is_empty() {
            return true;
        }
        let description = description.to_lowercase();
        self.description_contains
            .iter()
            .any(|part| description.contains(part.as_str()))
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn one_equals(asked: &[String], found: Option<&str>) -> bool {
    asked.is_empty() || found.is_some_and(|found| asked.iter().any(|one| one == found))
}

fn one_begins(asked: &[String], found: Option<&str>) -> bool {
    asked.is_empty() || found.is_some_and(|found| asked.iter().any(|one| found.starts_with(one)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesSeed {
    version: String,
    rules: Vec<RuleSeed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleSeed {
    id: String,
    reason: String,
    from: NaiveDate,
    until: Option<NaiveDate>,
    when: Condition,
    then: Consequence,
}

impl RuleSeed {
    fn into_rule(self, faults: &mut Faults) -> RiskRule {
        let validity = faults.validity(&self.id, self.from, self.until);
        if self.when.is_empty() {
            faults.add(
                &self.id,
                "a rule that asks for nothing strikes everyone; name what it is about",
            );
        }
        let released = matches!(self.then.channel, Channel::Green | Channel::Blue);
        if released && self.then.controls.iter().any(|control| control.blocking) {
            faults.add(
                &self.id,
                "a blocking control needs the yellow or the red channel",
            );
        }
        RiskRule {
            id: self.id,
            reason: self.reason,
            validity,
            condition: Condition {
                description_contains: self
                    .when
                    .description_contains
                    .iter()
                    .map(|part| part.to_lowercase())
                    .collect(),
                ..self.when
            },
            consequence: self.then,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(written: &str) -> NaiveDate {
        written.parse().expect("a date")
    }

    fn rules(text: &str) -> Result<RiskRules, SeedError> {
        RiskRules::parse(&format!("version = \"test-1\"\n{text}"))
    }

    /// A rule with a condition, a channel and one blocking control.
    fn rule(id: &str, when: &str, channel: &str, control: &str) -> String {
        format!(
            "[[rules]]\nid = \"{id}\"\nreason = \"for the test\"\nfrom = \"2020-01-01\"\n\
             when = {{ {when} }}\n\
             then = {{ channel = \"{channel}\", controls = [{{ kind = \"{control}\", blocking = true }}] }}\n"
        )
    }

    fn input() -> RiskInput {
        RiskInput {
            type_code: "IMA".to_owned(),
            filer: "broker-a".to_owned(),
            trader: Some("trader-a".to_owned()),
            value: Some(Decimal::from(1000)),
            items: vec![
                RiskItem {
                    hs_code: Some("6601910000".to_owned()),
                    origin: Some("CN".to_owned()),
                    description: "Umbrellas with telescopic shafts".to_owned(),
                    procedure: "4000".to_owned(),
                },
                RiskItem {
                    hs_code: Some("9503004100".to_owned()),
                    origin: Some("DE".to_owned()),
                    description: "Teddy bears".to_owned(),
                    procedure: "4071".to_owned(),
                },
            ],
        }
    }

    fn strikes(when: &str) -> bool {
        let rules = rules(&rule("it", when, "yellow", "documents")).expect("a rule");
        !evaluate(&rules, &input(), day("2026-01-01"))
            .rules
            .is_empty()
    }

    #[test]
    fn without_a_rule_that_strikes_a_declaration_is_green() {
        let rules = rules(&rule(
            "bears",
            "hs_prefixes = [\"0101\"]",
            "red",
            "physical",
        ))
        .expect("a rule");
        let outcome = evaluate(&rules, &input(), day("2026-01-01"));
        assert_eq!(outcome.channel, Channel::Green);
        assert!(outcome.controls.is_empty() && outcome.rules.is_empty());
        assert_eq!(outcome.version, "test-1");
    }

    #[test]
    fn each_condition_strikes_what_it_names_and_nothing_else() {
        for (when, expected) in [
            ("type_codes = [\"IM\"]", true),
            ("type_codes = [\"EX\", \"IMA\"]", true),
            ("type_codes = [\"IMD\"]", false),
            ("filers = [\"broker-a\"]", true),
            ("filers = [\"broker-b\", \"broker\"]", false),
            ("traders = [\"trader-a\"]", true),
            ("traders = [\"trader-b\"]", false),
            ("value_over = 999", true),
            ("value_over = 1000", false),
            ("procedures = [\"4071\"]", true),
            ("procedures = [\"40\"]", true),
            ("procedures = [\"71\"]", false),
            ("hs_prefixes = [\"9503\"]", true),
            ("hs_prefixes = [\"9504\"]", false),
            ("origins = [\"CN\"]", true),
            ("origins = [\"US\"]", false),
            ("description_contains = [\"TEDDY\"]", true),
            ("description_contains = [\"tiger\"]", false),
        ] {
            assert_eq!(strikes(when), expected, "{when}");
        }
    }

    #[test]
    fn everything_a_rule_asks_of_an_item_must_hold_of_the_same_item() {
        assert!(strikes("origins = [\"CN\"], hs_prefixes = [\"6601\"]"));
        assert!(!strikes("origins = [\"CN\"], hs_prefixes = [\"9503\"]"));
        assert!(!strikes("origins = [\"CN\"], filers = [\"broker-b\"]"));
    }

    #[test]
    fn a_value_that_is_not_known_counts_as_over_the_limit() {
        let rules =
            rules(&rule("dear", "value_over = 5000", "yellow", "documents")).expect("a rule");
        let unknown = RiskInput {
            value: None,
            ..input()
        };
        let on = day("2026-01-01");
        assert_eq!(evaluate(&rules, &input(), on).channel, Channel::Green);
        assert_eq!(evaluate(&rules, &unknown, on).channel, Channel::Yellow);
    }

    #[test]
    fn rule_3_the_strictest_channel_wins_and_controls_are_united_in_any_order() {
        let mut texts = [
            rule("a", "type_codes = [\"IM\"]", "yellow", "documents"),
            rule("b", "origins = [\"CN\"]", "red", "physical"),
            "[[rules]]\nid = \"c\"\nreason = \"audit\"\nfrom = \"2020-01-01\"\nwhen = { filers = [\"broker-a\"] }\n\
             then = { channel = \"blue\", hold = \"quarantine\", controls = [{ kind = \"documents\", blocking = false }, { kind = \"agency\", blocking = false }] }\n"
                .to_owned(),
        ];
        let on = day("2026-01-01");
        for _ in 0..texts.len() {
            texts.rotate_left(1);
            let rules = rules(&texts.concat()).expect("rules");
            let outcome = evaluate(&rules, &input(), on);
            assert_eq!(outcome.channel, Channel::Red);
            let ordered = outcome.controls.into_iter().map(|mut control| {
                control.rules.sort();
                let ControlOrder { kind, blocking } = control.order;
                (kind, blocking, control.rules.join(" "))
            });
            assert_eq!(
                ordered.collect::<Vec<_>>(),
                [
                    (ControlKind::Documents, true, "a c".to_owned()),
                    (ControlKind::Physical, true, "b".to_owned()),
                    (ControlKind::Agency, false, "c".to_owned()),
                ],
                "each names the rules that asked for it and no other"
            );
            assert_eq!(outcome.rules.len(), 3);
            assert_eq!(
                outcome.holds,
                [HoldOrder {
                    kind: HoldOrderKind::Quarantine,
                    rule: "c".to_owned(),
                    reason: "audit".to_owned(),
                }]
            );
        }
    }

    #[test]
    fn a_rule_strikes_only_on_its_days() {
        let text = rule("bears", "hs_prefixes = [\"9503\"]", "yellow", "documents").replace(
            "from = \"2020-01-01\"",
            "from = \"2026-01-01\"\nuntil = \"2026-06-30\"",
        );
        let rules = rules(&text).expect("a rule");
        for (on, channel) in [
            ("2025-12-31", Channel::Green),
            ("2026-01-01", Channel::Yellow),
            ("2026-06-30", Channel::Yellow),
            ("2026-07-01", Channel::Green),
        ] {
            assert_eq!(evaluate(&rules, &input(), day(on)).channel, channel, "{on}");
        }
    }

    #[test]
    fn rules_that_contradict_themselves_are_refused_all_at_once() {
        let refused = rules(
            &[
                rule("everyone", "", "red", "physical"),
                rule("twice", "origins = [\"CN\"]", "red", "physical"),
                rule("twice", "origins = [\"US\"]", "red", "physical"),
                rule("mild", "origins = [\"US\"]", "green", "physical"),
            ]
            .concat(),
        );
        let Err(SeedError::Content(faults)) = refused else {
            panic!("faulty rules were taken: {refused:?}");
        };
        assert_eq!(faults.len(), 3, "{faults:#?}");
    }

    #[test]
    fn a_misspelt_condition_is_refused() {
        let refused = rules(&rule("it", "origin = [\"CN\"]", "red", "physical"));
        assert!(matches!(refused, Err(SeedError::Syntax(_))), "{refused:?}");
    }
}
