//! Our assessments beside the authority's: its example tax notifications are recomputed from their own bases and
//! rates, and their filings are assessed anew with the seeded tariff. What differs stands, with the reason, in a
//! reviewed list, and nothing else may differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, TimeZone, Utc};
use customs::domain::assessing::Books;
use customs::domain::duty::{Assessment, TAX_TYPE_DUTY, TAX_TYPE_VAT};
use customs::domain::risk::{Channel, ControlKind, ControlOrder, RiskOutcome, RuledControl};
use customs::grpc::filing::filing as as_filed;
use kernel::{Currency, Money, Rounding};
use proto::customs::v1::Declaration;
use rust_decimal::Decimal;
use wco::Reading;
use wco::tax::{TaxLine, read_tax_notification};

use crate::support::service;

const DOCUMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/declarations");
/// What differs from the authority's figures, and why; reviewed by hand against the documents.
const REVIEWED: &str = include_str!("../../../../tests/data/tax/reviewed.tsv");

/// How many tax notifications the data holds, so that none is lost unseen.
const NOTIFICATIONS: usize = 117;

#[test]
fn rule_5_every_tax_notification_follows_from_its_own_bases_and_rates_truncated() {
    let mut ad_valorem_lines = 0;
    let mut differing = BTreeMap::new();
    let notifications = tax_notifications();
    for (file, lines) in &notifications {
        for line in lines {
            let Some(owed) = recomputed(line, Rounding::Truncate) else {
                continue;
            };
            ad_valorem_lines += 1;
            if owed != owed_by_the_authority(line) {
                differing.insert(scenario_of(file), format!("{owed} instead of {line:?}"));
            }
        }
    }
    assert_eq!(notifications.len(), NOTIFICATIONS);
    assert_eq!(ad_valorem_lines, 265);
    assert_differ_as_reviewed(&differing, "recomputed");
}

#[test]
fn rule_5_no_other_rounding_explains_the_authoritys_figures() {
    for rounding in [Rounding::HalfUp, Rounding::HalfEven] {
        let differing: BTreeSet<String> = tax_notifications()
            .iter()
            .filter(|(_, lines)| {
                lines.iter().any(|line| {
                    recomputed(line, rounding)
                        .is_some_and(|owed| owed > owed_by_the_authority(line))
                        && recomputed(line, Rounding::Truncate) == Some(owed_by_the_authority(line))
                })
            })
            .map(|(file, _)| scenario_of(file))
            .collect();
        assert_eq!(
            differing,
            ["TT_IM065a", "TT_IM189a"].map(str::to_owned).into(),
            "{rounding:?}"
        );
    }
}

#[test]
fn rule_5_every_specific_duty_follows_from_the_quantities_of_its_filing() {
    let ours: BTreeMap<String, Figures> = filings()
        .into_iter()
        .map(|(file, declaration)| {
            (
                scenario_of(&file),
                our_figures(&assess_seeded(&declaration)),
            )
        })
        .collect();
    let mut specific_lines = 0;
    let mut differing = BTreeMap::new();
    for (file, lines) in tax_notifications() {
        let scenario = scenario_of(&file);
        let theirs = figures_of_the_authority(&lines);
        for line in lines.iter().filter(|line| is_specific(line)) {
            specific_lines += 1;
            let key = (line.item, our_tax_type(&line.duty_tax_type).to_owned());
            if ours[&scenario].get(&key) != theirs.get(&key) {
                differing.insert(scenario.clone(), format!("{:?} {line:?}", ours[&scenario]));
            }
        }
    }
    assert_eq!(specific_lines, 46);
    assert_differ_as_reviewed(&differing, "specific");
}

/// A scenario has several notifications, indicative and final ones and those after an amendment: what we assess
/// from the filing as it came in equals one of them.
#[test]
fn rule_5_the_authoritys_examples_are_assessed_from_their_filings_to_the_cent() {
    let mut notified: BTreeMap<String, Vec<Figures>> = BTreeMap::new();
    for (file, lines) in tax_notifications() {
        notified
            .entry(scenario_of(&file))
            .or_default()
            .push(figures_of_the_authority(&lines));
    }
    let mut compared = 0;
    let mut differing = BTreeMap::new();
    for (file, declaration) in filings() {
        let scenario = scenario_of(&file);
        let Some(notified) = notified.get(&scenario) else {
            continue;
        };
        compared += 1;
        let ours = our_figures(&assess_seeded(&declaration));
        if !notified.contains(&ours) {
            differing.insert(scenario, format!("{ours:?} instead of {notified:?}"));
        }
    }
    assert_eq!(compared, 55);
    assert_differ_as_reviewed(&differing, "assessed");
}

#[test]
fn the_import_pick_up_owes_forty_pounds_of_duty_and_two_hundred_and_eight_of_tax() {
    let declaration = filing("TT_IM109a/TT_IM109a.xml");
    let assessment = assess_seeded(&declaration);
    let lines: Vec<(&str, String, String)> = assessment
        .lines
        .iter()
        .map(|line| {
            (
                line.tax_type.as_str(),
                line.base.to_string(),
                line.payable.to_string(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            (
                TAX_TYPE_DUTY,
                "1000.00 GBP".to_owned(),
                "40.00 GBP".to_owned()
            ),
            (
                TAX_TYPE_VAT,
                "1040.00 GBP".to_owned(),
                "208.00 GBP".to_owned()
            ),
        ]
    );
    assert_eq!(assessment.total_payable.to_string(), "248.00 GBP");
    assert!(!assessment.needs_manual_assessment() && !assessment.is_suspended());
}

#[test]
fn the_into_bond_filing_is_suspended_and_owes_nothing() {
    let assessment = assess_seeded(&filing("TT_IM012a/TT_IM012a.xml"));
    assert!(assessment.is_suspended());
    assert!(assessment.lines.is_empty());
    assert!(assessment.total_payable.is_zero());
}

#[test]
fn rule_3_the_filing_not_released_today_is_red_with_documents_and_goods_to_be_controlled() {
    let outcome = judge_seeded(&filing("TT_IM017a/Step1_TT_IM017a.xml"));
    assert_eq!(outcome.channel, Channel::Red);
    let rules = ["example-documents-blocking", "example-physical"];
    assert_eq!(
        outcome.controls,
        [
            (ControlKind::Documents, rules[0]),
            (ControlKind::Physical, rules[1])
        ]
        .map(|(kind, rule)| RuledControl {
            order: ControlOrder {
                kind,
                blocking: true
            },
            rules: vec![rule.to_owned()],
        })
    );
    assert_eq!(outcome.rules, rules);
}

#[test]
fn rule_3_the_filings_of_the_other_journeys_are_not_stopped() {
    for file in [
        "TT_IM109a/TT_IM109a.xml",
        "TT_EX011a/TT_EX011a.xml",
        "TT_IM043a/TT_IM043a.xml",
        "TT_IM194a/Step1_TT_IM194a.xml",
    ] {
        let outcome = judge_seeded(&filing(file));
        assert_eq!(outcome.channel, Channel::Green, "{file}");
        assert!(
            outcome.controls.is_empty() && outcome.holds.is_empty(),
            "{file}"
        );
    }
    // Goods into bond that state no value may be dear: audited later, and not stopped.
    let into_bond = judge_seeded(&filing("TT_IM012a/TT_IM012a.xml"));
    assert_eq!(
        (into_bond.channel, into_bond.rules),
        (Channel::Blue, vec!["dear-consignments".to_owned()])
    );
    assert!(into_bond.controls.is_empty() && into_bond.holds.is_empty());
}

#[test]
fn the_seeded_tariff_has_a_line_for_every_commodity_of_the_data_from_its_origin() {
    let tariff = books().tariff;
    let mut commodities = BTreeSet::new();
    for (_, declaration) in filings() {
        for item in as_filed(&declaration).items {
            let Some(hs_code) = item.commodity_code else {
                continue;
            };
            for origin in [item.origin, item.preferential_origin, None] {
                assert!(
                    tariff
                        .line(&hs_code, origin.as_deref(), today().date_naive())
                        .is_some(),
                    "no line for {hs_code} from {origin:?}"
                );
            }
            commodities.insert(hs_code);
        }
    }
    assert!(commodities.len() > 100, "{} commodities", commodities.len());
}

#[test]
fn every_filing_of_the_data_is_assessed_or_says_which_items_a_person_must_assess() {
    let mut manual = BTreeMap::new();
    for (file, declaration) in filings() {
        for (_, why) in assess_seeded(&declaration).manual_items {
            manual
                .entry(why.to_string())
                .or_insert_with(Vec::new)
                .push(file.clone());
        }
    }
    let whys: Vec<&str> = manual.keys().map(String::as_str).collect();
    assert_eq!(
        whys,
        [
            "no commodity code",
            "no customs value",
            "tax 589 is per LTR, and no such quantity is declared"
        ],
        "{manual:#?}"
    );
}

/// What is assessed and what is payable, per item and tax; without what is nothing.
type Figures = BTreeMap<(u32, String), (Decimal, Decimal)>;

/// Securities, deposits and amounts entered by hand: how the authority collected, not what was owed.
const COLLECTED_OTHERWISE: [&str; 6] = ["ACS", "MDC", "MDP", "MOD", "STA", "T24"];

fn figures_of_the_authority(lines: &[TaxLine]) -> Figures {
    figures(
        lines
            .iter()
            .filter(|line| !COLLECTED_OTHERWISE.contains(&line.duty_tax_type.as_str()))
            .map(|line| {
                (
                    line.item,
                    our_tax_type(&line.duty_tax_type),
                    line.assessed.expect("an assessed amount"),
                    line.payable.expect("an amount to pay"),
                )
            }),
    )
}

fn our_figures(assessment: &Assessment) -> Figures {
    figures(assessment.lines.iter().map(|line| {
        (
            line.item,
            line.tax_type.as_str(),
            line.assessed.amount(),
            line.payable.amount(),
        )
    }))
}

fn figures<'a>(lines: impl Iterator<Item = (u32, &'a str, Decimal, Decimal)>) -> Figures {
    let mut figures = Figures::new();
    for (item, tax_type, assessed, payable) in lines {
        let sum = figures.entry((item, tax_type.to_owned())).or_default();
        sum.0 += assessed;
        sum.1 += payable;
    }
    figures.retain(|_, (assessed, payable)| !assessed.is_zero() || !payable.is_zero());
    figures
}

/// The authority keeps a second set of tax types for Northern Ireland, and splits the value added tax into that
/// on the value and that on the duty; we know one set.
fn our_tax_type(tax_type: &str) -> &str {
    match tax_type {
        "A50" => TAX_TYPE_DUTY,
        "A80" => "A30",
        "A90" => "A40",
        "B05" => TAX_TYPE_VAT,
        other => other,
    }
}

/// Whether a line was reckoned by quantity, for want of a rate in percent.
fn is_specific(line: &TaxLine) -> bool {
    line.rate_percent.is_none() && !COLLECTED_OTHERWISE.contains(&line.duty_tax_type.as_str())
}

/// What a line's own base and rate come to; none where it has no rate in percent.
fn recomputed(line: &TaxLine, rounding: Rounding) -> Option<Decimal> {
    let base = Money::new(line.ad_valorem_base?, pounds()).expect("a base");
    let factor = line.rate_percent? / Decimal::ONE_HUNDRED;
    Some(base.times(factor, rounding).expect("an amount").amount())
}

/// The authority takes a relief off the assessed amount.
fn owed_by_the_authority(line: &TaxLine) -> Decimal {
    line.assessed.expect("an assessed amount") + line.deducted.unwrap_or_default()
}

/// Exactly the scenarios that the reviewed list names for a test differ, no more and no fewer.
fn assert_differ_as_reviewed(differing: &BTreeMap<String, String>, test: &str) {
    let mut reviewed = BTreeSet::new();
    for row in REVIEWED.lines().skip(1) {
        match row.split('\t').collect::<Vec<_>>()[..] {
            [scenario, of, why] if !why.is_empty() => {
                if of == test {
                    reviewed.insert(scenario);
                }
            }
            _ => panic!("a row of the reviewed list has scenario, test and reason: {row:?}"),
        }
    }
    let found: BTreeSet<&str> = differing.keys().map(String::as_str).collect();
    assert_eq!(found, reviewed, "{differing:#?}");
}

/// As customs assesses it: the declaration as it is filed, by the seeded books.
fn assess_seeded(declaration: &Declaration) -> Assessment {
    books().assess(&as_filed(declaration), today())
}

fn judge_seeded(declaration: &Declaration) -> RiskOutcome {
    books().judge(
        &as_filed(declaration),
        "broker-a",
        Some("trader-a"),
        today(),
    )
}

fn books() -> Books {
    service().books
}

fn tax_notifications() -> Vec<(String, Vec<TaxLine>)> {
    documents()
        .into_iter()
        .filter_map(|(file, bytes)| Some((file, read_tax_notification(&bytes).ok()?)))
        .collect()
}

fn filings() -> Vec<(String, Declaration)> {
    documents()
        .into_iter()
        .filter_map(|(file, bytes)| match wco::read(&bytes) {
            Reading::Filing(filing) => Some((file, *filing.declaration)),
            _ => None,
        })
        .collect()
}

fn filing(file: &str) -> Declaration {
    let bytes = std::fs::read(Path::new(DOCUMENTS).join(file)).expect("a document of the data");
    match wco::read(&bytes) {
        Reading::Filing(filing) => *filing.declaration,
        other => panic!("{file} is no filing: {other:?}"),
    }
}

/// Every XML document of the data, by its path within it.
fn documents() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(DOCUMENTS);
    let mut documents = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).expect("a folder of the data");
        for path in entries.map(|entry| entry.expect("an entry of the data").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if is_xml(&path) {
                let file = path.strip_prefix(root).expect("a path within the data");
                let bytes = std::fs::read(&path).expect("a document of the data");
                documents.push((file.display().to_string(), bytes));
            }
        }
    }
    documents.sort();
    documents
}

fn is_xml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("xml"))
}

fn scenario_of(file: &str) -> String {
    file.split('/').next().unwrap_or_default().to_owned()
}

fn pounds() -> Currency {
    Currency::parse("GBP").expect("a currency")
}

fn today() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 15, 12, 0, 0)
        .single()
        .expect("a time")
}
