//! What is found in a filing, and what an answer tells of the document: nothing of it is dropped in silence,
//! whatever stands in it and however much.

use chassis::Role;
use prost::Message;
use proto::common::v1 as common;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;
use tonic::Status;

use crate::filing::stream;
use crate::support::*;

const ITEM: &str = "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]";
/// The largest message that customs sends.
const MESSAGE_BYTES_MAX: usize = 11_534_336;

fn text(declaration: &wire::Declaration) -> String {
    String::from_utf8(wco::write(declaration)).unwrap()
}

/// The umbrellas' document with one piece replaced.
fn changed(lrn: &str, before: &str, after: &str) -> String {
    let document = text(&umbrellas(lrn));
    assert!(document.contains(before), "{before}");
    document.replacen(before, after, 1)
}

fn minimal(lrn: &str, shipment: &str) -> String {
    format!(
        "<Declaration><FunctionCode>9</FunctionCode><FunctionalReferenceID>{lrn}</FunctionalReferenceID>\
         <TypeCode>IMA</TypeCode>{shipment}</Declaration>"
    )
}

async fn try_to_send(
    scene: &Scene,
    document: &str,
    validate_only: bool,
) -> Result<wire::Filing, Status> {
    let request = wire::FileDocumentRequest {
        request_id: id(),
        validate_only,
        document: document.to_owned().into(),
    };
    let response = scene
        .api
        .file_document(asked("broker-a", Role::Broker, request))
        .await?;
    Ok(response.into_inner().filing.unwrap())
}

async fn send(scene: &Scene, document: &str) -> wire::Filing {
    try_to_send(scene, document, false).await.unwrap()
}

fn places(faults: &[common::Fault], code: &str) -> Vec<(String, String)> {
    faults
        .iter()
        .filter(|fault| fault.code == code)
        .map(|fault| (fault.path.clone(), fault.value.clone()))
        .collect()
}

fn place(path: impl Into<String>, value: &str) -> Vec<(String, String)> {
    vec![(path.into(), value.to_owned())]
}

#[tokio::test]
async fn rule_7_a_conflict_tells_what_the_document_says_and_everything_that_is_wrong_with_it() {
    let scene = Scene::new().await;
    let first = scene.file(umbrellas("C-1")).await;
    let mut other = umbrellas("C-1");
    other.goods_item_quantity = Some(7);
    other.containers.push(container(OTHER_BOX));
    let document = text(&other);
    for dry_run in [true, false] {
        let status = try_to_send(&scene, &document, dry_run).await.unwrap_err();
        let refusal = chassis::from_status(&status);
        let codes: Vec<_> = refusal
            .faults
            .iter()
            .map(|fault| fault.code.as_str())
            .collect();
        assert_eq!(codes, ["LRN_IN_USE", "ITEM_COUNT_DIFFERS"]);
        let in_use = &refusal.faults[0];
        assert_eq!(
            (
                in_use.path.as_str(),
                in_use.pointer.as_str(),
                in_use.value.as_str()
            ),
            ("/Declaration/FunctionalReferenceID", "42A", "C-1")
        );
        assert_eq!(in_use.rule, "rule 7");
        assert!(in_use.description.contains(&first.declaration_id));
        assert_eq!(
            refusal.resource,
            Some(("declaration".to_owned(), first.declaration_id.clone()))
        );
        let told = ["lrn", "type_code", "items", "containers"]
            .map(|name| refusal.metadata.get(name).cloned().unwrap_or_default());
        let both = format!("[\"{BOX}\",\"{OTHER_BOX}\"]");
        assert_eq!(told, ["C-1", "IMA", "1", &both]);
    }
}

#[tokio::test]
async fn rule_7_a_conflict_that_has_more_to_tell_than_a_status_holds_is_told_whole_by_a_stream() {
    let scene = Scene::new().await;
    let first = scene.file(umbrellas("C-2")).await;
    let mut other = umbrellas("C-2");
    other.containers = (0..999)
        .map(|number| container(&format!("N{number:010}")))
        .collect();
    let document = text(&other);
    let refusal = chassis::from_status(&try_to_send(&scene, &document, true).await.unwrap_err());
    assert_eq!(refusal.metadata.get("containers"), None);
    let request = wire::FileDeclarationsRequest {
        request_id: id(),
        validate_only: true,
        filing: Some(wire::file_declarations_request::Filing::Document(
            document.into(),
        )),
    };
    let answer = stream(&scene, vec![request])
        .await
        .remove(0)
        .answer
        .unwrap();
    let wire::file_declarations_response::Answer::Refusal(refusal) = answer else {
        panic!("a conflict is refused");
    };
    assert_eq!(codes(&refusal.faults), ["LRN_IN_USE"]);
    assert_eq!(
        (
            refusal.lrn.as_str(),
            refusal.type_code.as_str(),
            refusal.items
        ),
        ("C-2", "IMA", 1)
    );
    assert_eq!(refusal.containers.len(), 999);
    assert_eq!(refusal.declaration_id, first.declaration_id);
}

#[tokio::test]
async fn rule_7_one_reference_in_two_unicode_spellings_is_one_reference() {
    let scene = Scene::new().await;
    scene.file(umbrellas("L-\u{e9}")).await;
    let refused = scene
        .try_file("broker-a", umbrellas("L-e\u{301}"))
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "LRN_IN_USE");
}

#[tokio::test]
async fn rule_7_values_without_a_place_are_content_too() {
    let scene = Scene::new().await;
    let document = |value: &str| {
        let surprise = format!("<Surprise>{value}</Surprise><GoodsShipment>");
        changed("U-1", "<GoodsShipment>", &surprise)
    };
    let first = send(&scene, &document("one")).await;
    assert_eq!(
        places(&first.warnings, "UNMAPPED"),
        place("/Declaration/Surprise", "one")
    );
    let again = send(&scene, &document("one")).await;
    assert!(again.answered_before);
    let tried = try_to_send(&scene, &document("one"), true).await.unwrap();
    assert!(tried.answered_before && tried.validated_only);
    assert_eq!(tried.declaration_id, first.declaration_id);
    let refused = try_to_send(&scene, &document("two"), false)
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "LRN_IN_USE");
}

#[tokio::test]
async fn rule_15_a_number_of_packages_that_is_none_is_refused_and_not_passed_over() {
    let scene = Scene::new().await;
    let quantity = "<QuantityQuantity>500</QuantityQuantity>";
    for (number, written) in ["-5", "1e3", "2.5", "99999999999"].into_iter().enumerate() {
        let after = format!("<QuantityQuantity>{written}</QuantityQuantity>");
        let filing = send(&scene, &changed(&format!("Q-{number}"), quantity, &after)).await;
        assert_eq!(codes(&filing.faults), ["NUMBER_FORM"], "{written}");
        assert_eq!(
            places(&filing.faults, "NUMBER_FORM"),
            place(format!("{ITEM}/Packaging[1]/QuantityQuantity"), written)
        );
        assert!(places(&filing.warnings, "UNMAPPED").is_empty());
    }
    let count = changed(
        "Q-9",
        "<GoodsItemQuantity>1</GoodsItemQuantity>",
        "<GoodsItemQuantity>99999999999</GoodsItemQuantity>",
    );
    let filing = send(&scene, &count).await;
    assert_eq!(codes(&filing.faults), ["NUMBER_FORM"]);
    assert!(!codes(&filing.warnings).contains(&"ITEM_COUNT_MISSING"));
    let sequence = changed(
        "Q-10",
        "<SequenceNumeric>1</SequenceNumeric>",
        "<SequenceNumeric>x</SequenceNumeric>",
    );
    let filing = send(&scene, &sequence).await;
    assert_eq!(codes(&filing.faults), ["NUMBER_FORM"]);
    assert_eq!(filing.faults[0].value, "x");
}

#[tokio::test]
async fn an_element_that_stands_again_is_refused_and_its_goods_and_containers_are_told() {
    let scene = Scene::new().await;
    let second = format!(
        "<GoodsShipment><Consignment><TransportEquipment><ID>{OTHER_BOX}</ID></TransportEquipment></Consignment>\
         <GovernmentAgencyGoodsItem><SequenceNumeric>2</SequenceNumeric></GovernmentAgencyGoodsItem></GoodsShipment>"
    );
    let document = changed(
        "R-1",
        "</GoodsShipment>",
        &format!("</GoodsShipment>{second}"),
    );
    let document = document.replacen(
        "<GoodsItemQuantity>1</GoodsItemQuantity>",
        "<GoodsItemQuantity>2</GoodsItemQuantity>",
        1,
    );
    let filing = send(&scene, &document).await;
    assert_eq!(codes(&filing.faults), ["ELEMENT_REPEATED"]);
    assert_eq!(filing.faults[0].path, "/Declaration/GoodsShipment[2]");
    assert_eq!(filing.faults[0].pointer, "42A/67A");
    assert_eq!(filing.items, 2);
    assert_eq!(filing.containers, [BOX, OTHER_BOX]);
    assert_eq!(places(&filing.warnings, "UNMAPPED").len(), 2);
    for (lrn, element, again) in [
        ("R-2", "TypeCode", "EXA"),
        ("R-3", "FunctionalReferenceID", "R-4"),
    ] {
        let document = changed(
            lrn,
            "<GoodsShipment>",
            &format!("<{element}>{again}</{element}><GoodsShipment>"),
        );
        let filing = send(&scene, &document).await;
        assert_eq!(
            places(&filing.faults, "ELEMENT_REPEATED"),
            place(format!("/Declaration/{element}[2]"), again)
        );
        assert_eq!(
            (filing.lrn.as_str(), filing.type_code.as_str()),
            (lrn, "IMA")
        );
    }
}

#[tokio::test]
async fn rule_8_a_declaration_without_a_type_is_rejected_and_the_type_is_named_as_missing() {
    let scene = Scene::new().await;
    let document = changed("M-1", "<TypeCode>IMA</TypeCode>", "");
    let filing = send(&scene, &document).await;
    assert_eq!(filing.outcome(), wire::FilingOutcome::Rejected);
    assert_eq!(codes(&filing.faults), ["TYPE_CODE_MISSING"]);
    assert_eq!(
        places(&filing.faults, "TYPE_CODE_MISSING"),
        place("/Declaration/TypeCode", "")
    );
    assert_eq!(filing.faults[0].pointer, "42A");
}

#[tokio::test]
async fn what_is_odd_in_masses_amounts_and_texts_warns_at_its_field() {
    let scene = Scene::new().await;
    let mut declaration = umbrellas("O-1");
    let measure = |value: &str| {
        Some(wire::Measure {
            value: value.into(),
            unit_code: "KGM".into(),
        })
    };
    let item = &mut declaration.items[0];
    item.net_mass = measure("10.5");
    item.gross_mass = measure("10.4");
    item.item_charge = Some(wire::Amount {
        value: "1000.005".into(),
        currency: "GBP".into(),
    });
    item.description = "umbrellas \u{202e}sgur".into();
    let filing = send(&scene, &text(&declaration)).await;
    assert!(filing.faults.is_empty(), "{:?}", filing.faults);
    for (code, path, value) in [
        (
            "NET_MASS_ABOVE_GROSS",
            "Commodity/GoodsMeasure/NetNetWeightMeasure",
            "10.5",
        ),
        (
            "AMOUNT_DECIMALS",
            "Commodity/InvoiceLine/ItemChargeAmount",
            "1000.005",
        ),
        ("TEXT_HIDDEN_CHARACTERS", "Commodity/Description", "U+202E"),
    ] {
        assert_eq!(
            places(&filing.warnings, code),
            place(format!("{ITEM}/{path}"), value)
        );
    }
}

#[tokio::test]
async fn what_is_too_large_for_a_declaration_is_answered_with_all_it_says_about_itself() {
    let scene = Scene::new().await;
    let items = "<GovernmentAgencyGoodsItem/>".repeat(1_500);
    let many = send(
        &scene,
        &minimal("T-1", &format!("<GoodsShipment>{items}</GoodsShipment>")),
    )
    .await;
    assert_eq!(
        (
            many.outcome(),
            many.items,
            many.type_code.as_str(),
            many.lrn.as_str()
        ),
        (wire::FilingOutcome::Rejected, 1_500, "IMA", "T-1")
    );
    assert_eq!(
        places(&many.faults, "ITEMS_TOO_MANY"),
        place("/Declaration/GoodsItemQuantity", "1500")
    );

    let boxes: String = (0..1_500)
        .map(|number| format!("<TransportEquipment><ID>N{number}</ID></TransportEquipment>"))
        .collect();
    let shipment = format!("<GoodsShipment><Consignment>{boxes}</Consignment></GoodsShipment>");
    let filing = send(&scene, &minimal("T-2", &shipment)).await;
    assert_eq!(filing.containers.len(), 1_500);
    assert_eq!(filing.containers[1_499], "N1499");
    assert_eq!(
        places(&filing.faults, "TOO_MANY"),
        place(
            "/Declaration/GoodsShipment/Consignment/TransportEquipment",
            "1500"
        )
    );

    let long = "L".repeat(3_000);
    let filing = send(&scene, &minimal(&long, "")).await;
    assert_eq!(filing.lrn, long);
    assert!(codes(&filing.faults).contains(&"LRN_FORM"));
}

#[tokio::test]
async fn more_faults_than_an_answer_has_room_for_are_counted() {
    let scene = Scene::new().await;
    let fee = "<DutyTaxFee><SpecificTaxBaseQuantity>x</SpecificTaxBaseQuantity></DutyTaxFee>";
    let item = format!(
        "<GovernmentAgencyGoodsItem><Commodity>{}</Commodity></GovernmentAgencyGoodsItem>",
        fee.repeat(99)
    );
    let shipment = format!("<GoodsShipment>{}</GoodsShipment>", item.repeat(500));
    let filing = send(&scene, &minimal("M-1", &shipment)).await;
    let closing = filing.faults.last().unwrap();
    let counted: usize = closing.value.parse().unwrap();
    assert_eq!(
        (filing.faults.len(), closing.code.as_str()),
        (1_001, "MORE_FAULTS")
    );
    assert!(counted > 19_000, "{counted}");
    assert_eq!(
        places(&filing.faults, "TOO_MANY"),
        place("/Declaration", "49500")
    );
    assert!(filing.encoded_len() < MESSAGE_BYTES_MAX);
}

#[tokio::test]
async fn every_value_without_a_place_is_named_with_its_path_and_mandatory_remarks_stay() {
    let scene = Scene::new().await;
    let mut declaration = declared("TT_IM012a/TT_IM012a.xml", "W-1");
    let item = declaration.items[0].clone();
    declaration.items = (1..=200)
        .map(|sequence| wire::GoodsItem {
            sequence: Some(sequence),
            ..item.clone()
        })
        .collect();
    declaration.goods_item_quantity = Some(200);
    let surprises: String = (0..8)
        .map(|number| format!("<S{number} a=\"b\"/>"))
        .collect();
    let document = text(&declaration).replace(
        "</GovernmentAgencyGoodsItem>",
        &format!("{surprises}</GovernmentAgencyGoodsItem>"),
    );
    let filing = send(&scene, &document).await;
    assert_eq!(filing.faults, []);
    let mut named: Vec<_> = places(&filing.warnings, "UNMAPPED")
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    named.sort();
    named.dedup();
    assert_eq!(named.len(), 1_600);
    assert!(codes(&filing.warnings).contains(&"GUARANTEE_NOT_CHECKED"));

    let too_many = "<S>1</S>".repeat(10_007);
    let filing = send(&scene, &minimal("W-2", &too_many)).await;
    assert_eq!(
        places(&filing.faults, "UNMAPPED_TOO_MANY"),
        place("/Declaration", "7")
    );
    assert!(filing.encoded_len() < MESSAGE_BYTES_MAX);
}

#[tokio::test]
async fn each_reason_why_a_value_has_no_place_has_its_own_words() {
    let scene = Scene::new().await;
    let odd = "<Surprise>1</Surprise>stray<GoodsShipment>";
    let filing = send(&scene, &changed("V-1", "<GoodsShipment>", odd)).await;
    let mut told: Vec<_> = filing
        .warnings
        .iter()
        .filter(|warning| warning.code == "UNMAPPED")
        .map(|warning| warning.description.as_str())
        .collect();
    assert_eq!(told.len(), 2);
    told.dedup();
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn every_amount_and_measure_is_checked_where_it_stands() {
    let scene = Scene::new().await;
    let amount = || {
        Some(wire::Amount {
            value: "-12e4".into(),
            currency: "GBP".into(),
        })
    };
    let measure = || {
        Some(wire::Measure {
            value: "-12e4".into(),
            unit_code: "KGM".into(),
        })
    };
    let mut declaration = umbrellas("A-1");
    declaration.customs_valuation = Some(wire::CustomsValuation {
        freight_charge: amount(),
        charge_deductions: vec![wire::ChargeDeduction {
            amount: amount(),
            ..Default::default()
        }],
        ..Default::default()
    });
    let item = &mut declaration.items[0];
    item.customs_valuation = None;
    item.duty_tax_fees = vec![
        wire::DutyTaxFee::default(),
        wire::DutyTaxFee {
            tax_assessed_amount: amount(),
            payment_amount: amount(),
            specific_tax_base_quantity: measure(),
            ..Default::default()
        },
    ];
    item.additional_documents = vec![wire::AdditionalDocument {
        write_off_quantity: measure(),
        ..Default::default()
    }];
    let filing = scene.file(declaration).await;
    let mut paths: Vec<_> = filing
        .faults
        .iter()
        .map(|fault| fault.path.as_str())
        .collect();
    paths.sort_unstable();
    let shipment = "/Declaration/GoodsShipment/CustomsValuation";
    let fee = format!("{ITEM}/Commodity/DutyTaxFee[2]");
    assert_eq!(
        paths,
        [
            format!("{shipment}/ChargeDeduction[1]/OtherChargeDeductionAmount"),
            format!("{shipment}/FreightChargeAmount"),
            format!("{ITEM}/AdditionalDocument[1]/WriteOff/QuantityQuantity"),
            format!("{fee}/Payment/PaymentAmount"),
            format!("{fee}/Payment/TaxAssessedAmount"),
            format!("{fee}/SpecificTaxBaseQuantity"),
        ]
    );
}

#[tokio::test]
async fn a_warning_points_at_the_very_place() {
    let scene = Scene::new().await;
    let mut declaration = umbrellas("P-1");
    declaration.containers = vec![container(BOX), container("CONU1234567")];
    declaration.acceptance_time = Some(wire::DocumentTime {
        value: "20200101".into(),
        format_code: "102".into(),
    });
    declaration.customs_valuation = None;
    let item = &mut declaration.items[0];
    item.containers = vec![container(BOX), container("CONU7654321")];
    item.customs_valuation = Some(wire::CustomsValuation {
        charge_deductions: vec![wire::ChargeDeduction {
            charges_type_code: "AK".into(),
            amount: Some(wire::Amount {
                value: "5".into(),
                currency: "GBP".into(),
            }),
        }],
        ..Default::default()
    });
    for code in &mut item.classifications {
        if code.identification_type_code == "TSP" {
            code.id = "000001".into();
        }
    }
    let index = item
        .classifications
        .iter()
        .position(|code| code.identification_type_code == "TSP")
        .unwrap();
    let filing = scene.file(declaration).await;
    assert_eq!(filing.faults, []);
    assert_eq!(
        places(&filing.warnings, "CONTAINER_NUMBER_FORM"),
        [
            (
                "/Declaration/GoodsShipment/Consignment/TransportEquipment[2]/ID".to_owned(),
                "CONU1234567".to_owned()
            ),
            (
                format!("{ITEM}/Commodity/TransportEquipment[2]/ID"),
                "CONU7654321".to_owned()
            ),
        ]
    );
    assert_eq!(
        places(&filing.warnings, "ACCEPTANCE_DATE_IGNORED"),
        place("/Declaration/AcceptanceDateTime/DateTimeString", "20200101")
    );
    assert_eq!(
        places(&filing.warnings, "VALUATION_ADJUSTMENT_IGNORED"),
        place(
            format!("{ITEM}/CustomsValuation/ChargeDeduction[1]/OtherChargeDeductionAmount"),
            "5"
        )
    );
    let heading = places(&filing.warnings, "HS_HEADING_UNKNOWN");
    let at = format!("{ITEM}/Commodity/Classification[{}]/ID", index + 1);
    assert!(
        matches!(heading.as_slice(), [(path, _)] if *path == at),
        "{:?}",
        filing.warnings
    );
}

#[tokio::test]
async fn a_document_of_carriage_counts_whatever_kind_it_says_it_is() {
    let scene = Scene::new().await;
    let mut declaration = umbrellas("D-1");
    declaration.previous_documents.clear();
    declaration.transport_documents = ["BL7", "BL8"]
        .into_iter()
        .zip(["N705", "787"])
        .map(|(id, type_code)| wire::TransportDocument {
            id: id.into(),
            type_code: type_code.into(),
        })
        .collect();
    declaration
        .transport_documents
        .push(wire::TransportDocument {
            id: "B".repeat(36),
            type_code: "N705".into(),
        });
    let filing = scene.file(declaration).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.transport_documents, ["BL7", "BL8"]);
    assert_eq!(
        places(&filing.warnings, "TRANSPORT_DOCUMENT_FORM"),
        place(
            "/Declaration/GoodsShipment/Consignment/TransportContractDocument[3]/ID",
            &"B".repeat(36)
        )
    );
    assert!(!codes(&filing.warnings).contains(&"TRANSPORT_DOCUMENT_MISSING"));
}

#[tokio::test]
async fn more_references_than_may_be_locked_are_refused_and_counted() {
    let scene = Scene::new().await;
    let mut declaration = umbrellas("D-2");
    declaration.previous_documents = (0..1_200)
        .map(|number| wire::PreviousDocument {
            type_code: "705".into(),
            id: format!("BL{number}"),
            ..Default::default()
        })
        .collect();
    let filing = scene.file(declaration).await;
    assert_eq!(
        places(&filing.faults, "TOO_MANY"),
        place("/Declaration/GoodsShipment/PreviousDocument", "1200")
    );
}

/// The hundredth tax is not looked at, so it must not be there: it may claim a quota.
#[tokio::test]
async fn more_elements_in_one_place_than_are_looked_at_are_refused() {
    let scene = Scene::new().await;
    let mut declaration = umbrellas("D-3");
    declaration.items[0].duty_tax_fees = vec![wire::DutyTaxFee::default(); 99];
    declaration.items[0].duty_tax_fees.push(wire::DutyTaxFee {
        quota_order_id: "094067".into(),
        ..Default::default()
    });
    let filing = scene.file(declaration).await;
    assert_eq!(
        places(&filing.faults, "TOO_MANY"),
        place(format!("{ITEM}/Commodity/DutyTaxFee"), "100")
    );
}

#[tokio::test]
async fn a_page_of_filings_that_say_much_ends_where_an_answer_is_full() {
    let scene = Scene::new().await;
    let much = "<S>1</S>".repeat(9_000);
    for number in 0..8 {
        send(&scene, &minimal(&format!("P-{number}"), &much)).await;
    }
    let mut token = String::new();
    let (mut lrns, mut pages) = (Vec::new(), 0);
    loop {
        let request = wire::ListDeclarationsRequest {
            page: Some(common::Page {
                page_size: 0,
                page_token: token,
            }),
            ..Default::default()
        };
        let request = asked("broker-a", Role::Broker, request);
        let page = scene.api.list_declarations(request).await.unwrap();
        let page = page.into_inner();
        assert!(page.encoded_len() < MESSAGE_BYTES_MAX);
        lrns.extend(page.declarations.into_iter().map(|record| record.lrn));
        pages += 1;
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let newest_first: Vec<String> = (0..8).rev().map(|number| format!("P-{number}")).collect();
    assert_eq!(lrns, newest_first);
    assert!(pages > 1, "all in one page");
}
