//! What is owed on a declaration as it is filed: which types owe, how codes, origins and units are read, and
//! what the filer is told of an item that a person must assess (rule 5).

use proto::common::v1 as common;
use proto::customs::v1 as wire;

use crate::support::*;

const LINE: [(&str, Option<u32>); 1] = [("BL1", None)];

/// Goods for a thousand pounds under one commodity code of eight or ten digits, from China.
fn goods(lrn: &str, code: &str) -> wire::Declaration {
    let mut declaration = umbrellas(lrn);
    let item = &mut declaration.items[0];
    item.classifications = vec![wire::Classification {
        id: code.into(),
        identification_type_code: "TSP".into(),
    }];
    item.origins = vec![wire::Origin {
        country_code: "CN".into(),
        type_code: "1".into(),
    }];
    declaration
}

fn from(country: &str, declaration: wire::Declaration) -> wire::Declaration {
    let mut declaration = declaration;
    for origin in &mut declaration.items[0].origins {
        origin.country_code = country.into();
    }
    declaration
}

fn measure(value: &str, unit: &str) -> Option<wire::Measure> {
    Some(wire::Measure {
        value: value.into(),
        unit_code: unit.into(),
    })
}

/// The requested procedure of its items.
fn under(procedure: &str, declaration: wire::Declaration) -> wire::Declaration {
    let mut declaration = declaration;
    for code in declaration
        .items
        .iter_mut()
        .flat_map(|item| &mut item.procedures)
        .filter(|procedure| !procedure.previous_code.is_empty())
    {
        code.current_code = procedure.into();
    }
    declaration
}

/// Tax type and what is payable of it in whole pounds.
fn payable(filing: &wire::Filing) -> Vec<(&str, i64)> {
    let lines = filing.duty.iter().flat_map(|duty| &duty.lines);
    lines
        .map(|line| (line.tax_type.as_str(), line.payable.as_ref().unwrap().units))
        .collect()
}

fn warning<'f>(filing: &'f wire::Filing, code: &str) -> &'f common::Fault {
    let found = filing.warnings.iter().find(|warning| warning.code == code);
    found.unwrap_or_else(|| panic!("no {code} among {:?}", codes(&filing.warnings)))
}

async fn port() -> Scene {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    scene
}

#[tokio::test]
async fn rule_5_what_comes_from_a_special_territory_owes_as_an_import_does() {
    let scene = port().await;
    let special = |lrn, procedure, type_code: &str| wire::Declaration {
        type_code: type_code.into(),
        // At our site our own facts would say whether it is here.
        goods_location: None,
        ..under(procedure, umbrellas(lrn))
    };
    for (lrn, procedure, type_code, debt, owed) in [
        ("CO-1", "40", "COA", wire::DebtState::Secured, 248),
        ("CO-2", "71", "COA", wire::DebtState::Suspended, 0),
        ("CO-3", "53", "COY", wire::DebtState::Suspended, 0),
        ("CO-4", "10", "COA", wire::DebtState::None, 0),
        ("CO-5", "00", "COJ", wire::DebtState::None, 0),
    ] {
        let filing = scene.file(special(lrn, procedure, type_code)).await;
        let sum: i64 = payable(&filing).iter().map(|(_, pounds)| pounds).sum();
        assert_eq!(
            (filing.status(), filing.debt(), sum),
            (wire::DeclarationStatus::Cleared, debt, owed),
            "{type_code} {procedure}"
        );
        assert_eq!(
            codes(&filing.warnings).contains(&"GUARANTEE_NOT_CHECKED"),
            // The trader's guarantee covers what goes into bond, and nobody looks at one for inward processing.
            procedure == "53",
            "{type_code} {procedure}"
        );
    }
    let indicated = scene.file(special("CO-6", "40", "COD")).await;
    assert_eq!(
        (indicated.outcome(), indicated.debt()),
        (wire::FilingOutcome::Registered, wire::DebtState::Indicated)
    );
    let export = special("CO-7", "40", "EXA");
    let export = scene
        .file(wire::Declaration {
            exporter: export.importer.clone(),
            ..export
        })
        .await;
    assert_eq!(
        (export.outcome(), export.debt()),
        (wire::FilingOutcome::Accepted, wire::DebtState::None)
    );
}

#[tokio::test]
async fn rule_5_a_commodity_code_counts_however_it_is_spelt() {
    let scene = port().await;
    for (lrn, code) in [
        ("HS-1", "66019100"),
        ("HS-2", "6601.91.00"),
        ("HS-3", "6601 91 00 00"),
    ] {
        let filing = scene.file(goods(lrn, code)).await;
        assert_eq!(payable(&filing), [("A00", 40), ("B00", 208)], "{code}");
    }
    // Under no kind of code, or under one that nobody knows, it is still what the goods are said to be.
    for (lrn, kind) in [("HS-4", ""), ("HS-5", "HS")] {
        let mut declaration = goods(lrn, "66019100");
        declaration.items[0].classifications[0].identification_type_code = kind.into();
        let filing = scene.file(declaration).await;
        assert_eq!(payable(&filing), [("A00", 40), ("B00", 208)], "{kind:?}");
    }
    let blotted = scene.file(goods("HS-6", "6601-91-00")).await;
    assert_eq!(blotted.debt(), wire::DebtState::Assessed);
    for code in ["COMMODITY_CODE_FORM", "TARIFF_LINE_MISSING"] {
        let told = warning(&blotted, code);
        assert_eq!(
            (told.path.replace("Classification[1]", "Classification"), told.value.as_str()),
            (
                "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/Commodity/Classification/ID".to_owned(),
                "6601-91-00"
            )
        );
        assert!(!told.pointer.is_empty(), "{code}");
    }
}

#[tokio::test]
async fn rule_3_a_risk_rule_is_not_evaded_by_the_spelling_of_a_code() {
    let scene = port().await;
    for (lrn, code) in [
        ("R-1", "93062100"),
        ("R-2", "93.06.21"),
        ("R-3", "9 3062100"),
    ] {
        let filing = scene.file(goods(lrn, code)).await;
        let record = scene.declaration(&filing.declaration_id).await;
        assert_eq!(
            (record.channel(), record.risk_rules, record.status),
            (
                wire::Channel::Yellow,
                vec!["cartridges".to_owned()],
                wire::DeclarationStatus::UnderControl.into()
            ),
            "{code}"
        );
    }
}

#[tokio::test]
async fn rule_5_a_trade_remedy_is_owed_however_the_origin_is_spelt_and_never_passed_over() {
    let scene = port().await;
    let silicon = |lrn: &str| goods(lrn, "7202998030");
    let owed = [("A00", 27), ("A30", 507), ("B00", 306)];
    for (lrn, country) in [("O-1", "CN"), ("O-2", "cn"), ("O-3", " Cn ")] {
        let filing = scene.file(from(country, silicon(lrn))).await;
        assert_eq!(payable(&filing), owed, "{country:?}");
    }
    let mut untyped = silicon("O-4");
    untyped.items[0].origins[0].type_code.clear();
    assert_eq!(payable(&scene.file(untyped).await), owed);

    let odd = scene.file(from("CHN", silicon("O-5"))).await;
    assert_eq!(
        (odd.debt(), payable(&odd).len()),
        (wire::DebtState::Assessed, 0)
    );
    for code in ["ORIGIN_FORM", "ORIGIN_MISSING"] {
        let told = warning(&odd, code);
        assert_eq!(
            (told.path.as_str(), told.value.as_str()),
            (
                "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/Origin/CountryCode",
                "CHN"
            )
        );
    }
    let mut nowhere = silicon("O-6");
    nowhere.items[0].origins.clear();
    let nowhere = scene.file(nowhere).await;
    assert_eq!(nowhere.debt(), wire::DebtState::Assessed);
    assert_eq!(warning(&nowhere, "ORIGIN_MISSING").value, "");
    // A preference names another country than that of the remedy.
    let mut preferred = silicon("O-7");
    preferred.items[0].origins[0] = wire::Origin {
        country_code: "TR".into(),
        type_code: "2".into(),
    };
    let preferred = scene.file(preferred).await;
    warning(&preferred, "ORIGIN_MISSING");
    // Where no origin owes a remedy, none is needed.
    let mut plain = goods("O-8", "66019100");
    plain.items[0].origins.clear();
    assert_eq!(
        payable(&scene.file(plain).await),
        [("A00", 40), ("B00", 208)]
    );
}

#[tokio::test]
async fn rule_5_a_measure_counts_in_its_unit_or_the_item_is_left_to_an_officer() {
    let scene = port().await;
    let of = |lrn: &str, code: &str, mass, supplementary| {
        let mut declaration = goods(lrn, code);
        declaration.items[0].net_mass = mass;
        declaration.items[0].tariff_quantity = supplementary;
        declaration
    };
    let duty = |filing: &wire::Filing| payable(filing).first().map(|line| line.1);
    let meat = "02071290"; // 27.00 GBP per 100 kilograms
    for (lrn, unit, expected) in [("U-1", "", 2), ("U-2", "KGM", 2), ("U-3", "TNE", 2_700)] {
        let filing = scene.file(of(lrn, meat, measure("10", unit), None)).await;
        assert_eq!(duty(&filing), Some(expected), "{unit}");
    }
    let grams = scene
        .file(of("U-4", meat, measure("10", "GRM"), None))
        .await;
    let told = warning(&grams, "MEASURE_UNIT_UNSUITED");
    assert_eq!(
        (duty(&grams), grams.debt()),
        (None, wire::DebtState::Assessed)
    );
    assert_eq!(
        (told.path.as_str(), told.value.as_str()),
        (
            "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/Commodity/GoodsMeasure/NetNetWeightMeasure/@unitCode",
            "GRM"
        )
    );
    let wine = "22041094"; // 26.00 GBP per 100 litres
    for (lrn, unit) in [("U-5", ""), ("U-6", "LTR")] {
        let filing = scene.file(of(lrn, wine, None, measure("1000", unit))).await;
        assert_eq!(duty(&filing), Some(260), "{unit}");
    }
    let hectolitres = scene
        .file(of("U-7", wine, None, measure("10", "HLT")))
        .await;
    let told = warning(&hectolitres, "MEASURE_UNIT_UNSUITED");
    assert_eq!((duty(&hectolitres), told.value.as_str()), (None, "HLT"));
    assert_eq!(
        told.path,
        "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/Commodity/GoodsMeasure/TariffQuantity/@unitCode"
    );
    assert!(told.description.contains("HLT") && told.description.contains("LTR"));
}

/// What is done to the item of a declaration.
type Change = fn(&mut wire::GoodsItem);

#[tokio::test]
async fn rule_5_every_reason_for_an_officers_assessment_has_a_code_and_a_place_of_its_own() {
    let scene = port().await;
    let changed = |lrn: &str, change: Change| {
        let mut declaration = goods(lrn, "66019100");
        change(&mut declaration.items[0]);
        declaration
    };
    let cases: [(&str, Change, &str, &str, &str); 6] = [
        (
            "W-1",
            |item| item.classifications.clear(),
            "TARIFF_LINE_MISSING",
            "Commodity/Classification/ID",
            "",
        ),
        (
            "W-2",
            |item| item.procedures[0].current_code = "99".into(),
            "PROCEDURE_NOT_IN_TARIFF",
            "GovernmentProcedure/CurrentCode",
            "9900",
        ),
        (
            "W-3",
            |item| item.item_charge.as_mut().unwrap().currency = "XAU".into(),
            "EXCHANGE_RATE_MISSING",
            "Commodity/InvoiceLine/ItemChargeAmount/@currencyID",
            "XAU",
        ),
        (
            "W-4",
            |item| item.item_charge = None,
            "CUSTOMS_VALUE_UNUSABLE",
            "CustomsValueAmount",
            "",
        ),
        (
            "W-5",
            |item| {
                item.classifications[0].id = "02071290".into();
                item.net_mass = None;
            },
            "QUANTITY_MISSING",
            "Commodity/GoodsMeasure",
            "",
        ),
        (
            "W-6",
            |item| {
                item.classifications.push(wire::Classification {
                    id: "X999".into(),
                    identification_type_code: "GN".into(),
                })
            },
            "EXCISE_RATE_MISSING",
            "Commodity/Classification/ID",
            "X999",
        ),
    ];
    for (lrn, change, code, at, value) in cases {
        let filing = scene.file(changed(lrn, change)).await;
        let told = warning(&filing, code);
        assert_eq!(
            (told.path.as_str(), told.value.as_str()),
            (
                format!("/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/{at}").as_str(),
                value
            ),
            "{code}"
        );
        assert!(
            told.description
                .starts_with("An officer assesses this item: "),
            "{code}: {}",
            told.description
        );
        assert_eq!(filing.debt(), wire::DebtState::Assessed, "{code}");
        let record = scene.declaration(&filing.declaration_id).await;
        assert_eq!(conditions(&record), ["DUTY_MANUAL_ASSESSMENT"], "{code}");
    }
}

#[tokio::test]
async fn rule_8_a_goods_location_that_cannot_be_declared_rejects_with_its_place_and_value() {
    let scene = port().await;
    let at = |lrn: &str, name: &str| {
        let mut declaration = umbrellas(lrn);
        declaration.goods_location.as_mut().unwrap().name = name.into();
        declaration
    };
    let barred = scene.file(at("L-1", "RMGRMGRMX")).await;
    assert_eq!(
        (barred.outcome(), codes(&barred.faults)),
        (wire::FilingOutcome::Rejected, vec!["GOODS_LOCATION_BARRED"])
    );
    let fault = &barred.faults[0];
    assert_eq!(
        (
            fault.path.as_str(),
            fault.value.as_str(),
            fault.rule.as_str()
        ),
        (
            "/Declaration/GoodsShipment/Consignment/GoodsLocation/Name",
            "RMGRMGRMX",
            "DE 5/23"
        )
    );
    assert!(fault.pointer.starts_with("42A/67A"), "{}", fault.pointer);
    let other = scene.file(at("L-2", "RMGRMGRMG")).await;
    assert_eq!(other.outcome(), wire::FilingOutcome::Accepted);
}
