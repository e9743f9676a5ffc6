//! What must be so before customs releases and before it clears (rule 1), and what of a declaration it releases
//! (rule 10).

use chassis::Role;
use customs::app::{HELD_DECLARATIONS_MAX, Input};
use futures::future::join_all;
use proto::common::v1 as common;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;

use crate::support::*;

const LINE: [(&str, Option<u32>); 1] = [("BL1", None)];
/// Boxes whose numbers pass their check digit.
const BOXES: [&str; 5] = [
    "MSKU9070323",
    "CSQU3054383",
    "HJCU8281988",
    "TOLU4734787",
    "TRHU6875483",
];

fn arrived(container: &'static str) -> Told {
    Told {
        container,
        ..Told::arrived(&LINE)
    }
}

fn key(container: &str) -> String {
    format!("container/{container}")
}

/// The umbrellas, announced in a box and not arrived.
async fn pre_lodged(
    scene: &Scene,
    container_number: &'static str,
    change: impl FnOnce(&mut wire::Declaration),
) -> String {
    scene
        .tell(&Told {
            container: container_number,
            ..Told::announced(&LINE)
        })
        .await;
    let mut declaration = wire::Declaration {
        type_code: "IMD".into(),
        containers: vec![container(container_number)],
        ..umbrellas(container_number)
    };
    change(&mut declaration);
    let filing = scene.file(declaration).await;
    assert_eq!(filing.outcome(), wire::FilingOutcome::Registered);
    filing.declaration_id
}

/// Nothing says that the goods may go, and one thing is missing for it.
async fn assert_not_released(scene: &Scene, declaration_id: &str, missing: &[&str]) {
    let record = scene.declaration(declaration_id).await;
    assert_eq!(conditions(&record), missing);
    assert!(
        matches!(
            record.status(),
            wire::DeclarationStatus::Accepted | wire::DeclarationStatus::UnderControl
        ),
        "{missing:?}: {:?}",
        record.status()
    );
    for consignment in &record.consignments {
        assert_eq!(consignment.released_at, None, "{missing:?}");
        let told = scene
            .clearance(&key(&consignment.container_number))
            .await
            .unwrap();
        assert!(
            told.consignments.iter().all(|said| !said.released),
            "{missing:?}"
        );
    }
    let told = scene.notifications(declaration_id).await;
    assert!(
        !told.iter().any(|name| name == "DMSROG" || name == "DMSCLE"),
        "{missing:?}: {told:?}"
    );
}

async fn assert_cleared(scene: &Scene, declaration_id: &str) {
    let record = scene.declaration(declaration_id).await;
    assert_eq!(
        (record.status(), conditions(&record)),
        (wire::DeclarationStatus::Cleared, Vec::new())
    );
    for consignment in &record.consignments {
        let told = scene
            .clearance(&key(&consignment.container_number))
            .await
            .unwrap();
        assert!(
            told.consignments
                .iter()
                .all(|said| said.released && said.cleared)
        );
    }
}

fn describe(declaration: &mut wire::Declaration, description: &str) {
    declaration.items[0].description = description.to_owned();
}

#[tokio::test]
async fn rule_3_a_control_names_the_rules_that_ordered_it_and_no_other() {
    let scene = Scene::new().await;
    let id = pre_lodged(&scene, BOXES[0], |declaration| {
        describe(
            declaration,
            "ivory; ttimportdocblocking and ttimportphysical",
        );
        declaration.items[0].classifications[0].id = "96019000".into();
    })
    .await;
    scene.tell(&arrived(BOXES[0])).await;
    let record = scene.declaration(&id).await;
    let reasons: Vec<_> = record
        .controls
        .iter()
        .map(|control| (control.kind(), control.reason.as_str()))
        .collect();
    assert_eq!(
        reasons,
        [
            (
                wire::ControlKind::Documents,
                "rules example-documents-blocking, ivory-and-bone"
            ),
            (wire::ControlKind::Physical, "rule example-physical"),
            (wire::ControlKind::Agency, "rule ivory-and-bone"),
        ]
    );
}

#[tokio::test]
async fn rule_1_an_open_blocking_control_of_any_kind_keeps_goods_from_being_released() {
    let scene = Scene::new().await;
    let conform = wire::ControlResult::Conform;
    for (container, description, open, kind) in [
        (
            BOXES[0],
            "ttimportdocblocking",
            "DOCUMENTS_CONTROL_OPEN",
            wire::ControlKind::Documents,
        ),
        (
            BOXES[1],
            "ttimportphysical",
            "PHYSICAL_CONTROL_OPEN",
            wire::ControlKind::Physical,
        ),
    ] {
        let id = pre_lodged(&scene, container, |declaration| {
            describe(declaration, description);
        })
        .await;
        scene.tell(&arrived(container)).await;
        assert_not_released(&scene, &id, &[open]).await;
        let record = scene.declaration(&id).await;
        scene.complete(&record, kind, conform).await;
        assert_cleared(&scene, &id).await;
    }
    // Two controls, one done: the other alone still stops it.
    let id = pre_lodged(&scene, BOXES[2], |declaration| {
        describe(declaration, "carved ivory");
        declaration.items[0].classifications[0].id = "96019000".into();
    })
    .await;
    scene.tell(&arrived(BOXES[2])).await;
    let record = scene.declaration(&id).await;
    scene
        .complete(&record, wire::ControlKind::Documents, conform)
        .await;
    assert_not_released(&scene, &id, &["AGENCY_CONTROL_OPEN"]).await;
    scene
        .complete(&record, wire::ControlKind::Agency, conform)
        .await;
    assert_cleared(&scene, &id).await;
}

#[tokio::test]
async fn rule_1_a_debt_that_is_not_met_keeps_goods_from_being_released() {
    let scene = Scene::new().await;
    let pay = |party: &str, units, declaration_id: &str| {
        let request = wire::RecordPaymentRequest {
            request_id: id(),
            payer_party: party.into(),
            amount: Some(common::Money {
                currency_code: "GBP".into(),
                units,
                nanos: 0,
            }),
            declaration_id: declaration_id.into(),
            reference: id(),
        };
        scene
            .api
            .record_payment(asked(party, Role::Trader, request))
    };
    let by = |declaration: &mut wire::Declaration, eori: &str| {
        for party in [&mut declaration.importer, &mut declaration.declarant] {
            *party = Some(wire::Party {
                id: eori.into(),
                ..Default::default()
            });
        }
    };

    // ASSESSED: the broker bears it, and has no account.
    let unpaid = pre_lodged(&scene, BOXES[0], |declaration| {
        by(declaration, "GB999999999999");
    })
    .await;
    scene.tell(&arrived(BOXES[0])).await;
    assert_not_released(&scene, &unpaid, &["DUTY_NOT_SECURED"]).await;
    pay("broker-a", 247, &unpaid).await.unwrap();
    assert_not_released(&scene, &unpaid, &["DUTY_NOT_SECURED"]).await;
    pay("broker-a", 1, &unpaid).await.unwrap();
    assert_cleared(&scene, &unpaid).await;
    assert_eq!(
        scene.declaration(&unpaid).await.debt(),
        wire::DebtState::Paid
    );

    // SHORT: the account is too small.
    let short = pre_lodged(&scene, BOXES[1], |declaration| {
        by(declaration, TRADER_B_EORI);
        declaration.items[0].item_charge.as_mut().unwrap().value = "2000000".into();
        declaration.invoice_amount = None;
    })
    .await;
    scene.tell(&arrived(BOXES[1])).await;
    let record = scene.declaration(&short).await;
    // A dear consignment is audited after release; that control blocks nothing.
    assert_eq!(record.channel(), wire::Channel::Blue);
    assert_not_released(&scene, &short, &["DUTY_SHORT"]).await;
    pay("trader-b", 1_000_000, "").await.unwrap();
    let record = scene.declaration(&short).await;
    assert_eq!(record.debt(), wire::DebtState::Secured);
    assert_ne!(record.consignments[0].released_at, None);

    // ASSESSED, and nobody knows how much it is.
    let unknown = pre_lodged(&scene, BOXES[2], |declaration| {
        declaration.items[0].classifications.clear();
    })
    .await;
    scene.tell(&arrived(BOXES[2])).await;
    assert_not_released(&scene, &unknown, &["DUTY_MANUAL_ASSESSMENT"]).await;
    let request = wire::ReleaseDeclarationRequest {
        request_id: id(),
        declaration_id: unknown.clone(),
        reason: "reckoned by hand".into(),
        manual_duties: vec![wire::ManualDuty {
            item: 1,
            tax_type: "A00".into(),
            payable: Some(common::Money {
                currency_code: "GBP".into(),
                units: 40,
                nanos: 0,
            }),
        }],
        ..Default::default()
    };
    scene
        .api
        .release_declaration(officer(request))
        .await
        .unwrap();
    assert_cleared(&scene, &unknown).await;
}

#[tokio::test]
async fn rule_1_a_debt_that_is_none_or_suspended_or_secured_or_paid_keeps_nothing_back() {
    let scene = Scene::new().await;
    for (container, procedure, debt) in [
        (BOXES[0], "00", wire::DebtState::None),
        (BOXES[1], "71", wire::DebtState::Suspended),
        (BOXES[2], "40", wire::DebtState::Secured),
    ] {
        let id = pre_lodged(&scene, container, |declaration| {
            let procedures = declaration
                .items
                .iter_mut()
                .flat_map(|item| &mut item.procedures);
            for code in procedures.filter(|code| !code.previous_code.is_empty()) {
                code.current_code = procedure.into();
            }
        })
        .await;
        scene.tell(&arrived(container)).await;
        assert_eq!(scene.declaration(&id).await.debt(), debt);
        assert_cleared(&scene, &id).await;
    }
}

#[tokio::test]
async fn rule_1_a_hold_of_customs_keeps_goods_from_being_released() {
    let scene = Scene::new().await;
    let held = pre_lodged(&scene, BOXES[0], |_| {}).await;
    let on_declaration = scene.hold(common::HoldScopeKind::Declaration, &held).await;
    scene.tell(&arrived(BOXES[0])).await;
    assert_not_released(&scene, &held, &["CUSTOMS_HOLD"]).await;
    scene.lift(&on_declaration).await;
    assert_cleared(&scene, &held).await;

    let held = pre_lodged(&scene, BOXES[1], |_| {}).await;
    let on_visit = scene
        .hold(common::HoldScopeKind::ContainerVisit, BOXES[1])
        .await;
    scene.tell(&arrived(BOXES[1])).await;
    assert_not_released(&scene, &held, &["CUSTOMS_HOLD"]).await;
    scene.lift(&on_visit).await;
    assert_cleared(&scene, &held).await;
}

#[tokio::test]
async fn rule_1_a_hold_on_its_trader_keeps_a_declaration_from_being_released() {
    let scene = Scene::new().await;
    let released = pre_lodged(&scene, BOXES[0], |_| {}).await;
    scene.tell(&arrived(BOXES[0])).await;
    assert_cleared(&scene, &released).await;
    let waiting = pre_lodged(&scene, BOXES[1], |_| {}).await;

    let on_trader = scene.hold(common::HoldScopeKind::Party, "trader-a").await;
    scene.tell(&arrived(BOXES[1])).await;
    assert_not_released(&scene, &waiting, &["CUSTOMS_HOLD"]).await;
    let later = pre_lodged(&scene, BOXES[2], |_| {}).await;
    scene.tell(&arrived(BOXES[2])).await;
    assert_not_released(&scene, &later, &["CUSTOMS_HOLD"]).await;
    let record = scene.declaration(&later).await;
    assert_eq!(
        (
            record.conditions[0].subject.as_str(),
            record.holds[0].hold_id.as_str()
        ),
        ("party/trader-a", on_trader.hold_id.as_str())
    );
    // As under every hold of customs, what was released is not released to others meanwhile; they are told why.
    let told = scene.clearance(&key(BOXES[0])).await.unwrap();
    let said = &told.consignments[0];
    assert_eq!(
        (said.released, said.conditions[0].code.as_str()),
        (false, "CUSTOMS_HOLD")
    );

    // The other party that they all concern: lifting one hold lifts no other.
    let on_filer = scene.hold(common::HoldScopeKind::Party, "broker-a").await;
    scene.lift(&on_trader).await;
    for id in [&waiting, &later] {
        assert_not_released(&scene, id, &["CUSTOMS_HOLD"]).await;
    }
    scene.lift(&on_filer).await;
    for id in [&released, &waiting, &later] {
        assert_cleared(&scene, id).await;
    }
}

#[tokio::test]
async fn a_hold_on_a_party_concerns_no_declaration_of_others() {
    let scene = Scene::new().await;
    scene.hold(common::HoldScopeKind::Party, "trader-b").await;
    let id = pre_lodged(&scene, BOXES[0], |_| {}).await;
    scene.tell(&arrived(BOXES[0])).await;
    assert_cleared(&scene, &id).await;
}

#[tokio::test]
async fn a_hold_on_a_party_of_very_many_declarations_ends_for_them_batch_by_batch() {
    let scene = Scene::new().await;
    let hold = scene.hold(common::HoldScopeKind::Party, "trader-b").await;
    let batch = usize::try_from(HELD_DECLARATIONS_MAX).unwrap();
    let declared = |number: usize| {
        let mut declaration = umbrellas(&format!("MANY-{number}"));
        declaration.goods_location.as_mut().unwrap().name = "WLALONBTW".into();
        declaration.containers.clear();
        declaration.previous_documents[0].id = format!("BL{number}");
        for party in [&mut declaration.importer, &mut declaration.declarant] {
            *party = Some(wire::Party {
                id: TRADER_B_EORI.into(),
                ..Default::default()
            });
        }
        declaration
    };
    let filed = join_all((0..=batch).map(|number| scene.file(declared(number)))).await;
    assert!(
        filed
            .iter()
            .all(|filing| filing.status() == wire::DeclarationStatus::Accepted)
    );
    let cleared = || async {
        let records = join_all(
            filed
                .iter()
                .map(|filing| scene.declaration(&filing.declaration_id)),
        );
        let is_cleared =
            |record: &&wire::DeclarationRecord| record.status() == wire::DeclarationStatus::Cleared;
        records.await.iter().filter(is_cleared).count()
    };
    scene.tick(Input::WeighPartyHolds).await;
    assert_eq!(cleared().await, 0);
    scene.lift(&hold).await;
    assert_eq!(cleared().await, batch);
    scene.tick(Input::WeighPartyHolds).await;
    assert_eq!(cleared().await, batch + 1);
}

#[tokio::test]
async fn an_import_under_an_outward_procedure_opens_no_import_barrier() {
    let scene = Scene::new().await;
    for (container, procedure, direction) in [
        (BOXES[0], "1000", "NONE"),
        (BOXES[1], "2100", "NONE"),
        (BOXES[2], "3151", "NONE"),
        (BOXES[3], "5300", "IMPORT"),
    ] {
        let id = pre_lodged(&scene, container, |declaration| {
            *declaration = under(procedure, std::mem::take(declaration));
        })
        .await;
        let warnings = scene.declaration(&id).await.warnings;
        assert_eq!(
            codes(&warnings).contains(&"PROCEDURE_OTHER_WAY"),
            direction == "NONE",
            "{procedure}"
        );
        let told = scene.clearance(&key(container)).await.unwrap();
        assert_eq!(told.consignments[0].direction, direction, "{procedure}");
    }
}

#[tokio::test]
async fn goods_in_no_container_that_can_be_found_are_told_of_with_the_reason() {
    let scene = Scene::new().await;
    for (number, containers, wrong) in [
        (
            "BL1",
            vec![],
            "NO_CONTAINER: The declaration names no container",
        ),
        (
            "BL2",
            vec![container("AD12345"), container("AD12346")],
            "NO_CONTAINER: AD12345 (and 1 more) is no container number",
        ),
    ] {
        let mut declaration = umbrellas(number);
        declaration.containers = containers;
        declaration.previous_documents[0].id = number.into();
        scene.file(declaration).await;
        let told = scene
            .clearance(&format!("transport-document/{number}"))
            .await
            .unwrap();
        let because = &told.consignments[0].unbound_because;
        assert!(
            because.starts_with(wrong) && because.contains("the filer"),
            "{because}"
        );
    }
}

#[tokio::test]
async fn rule_1_goods_that_do_not_match_where_matching_is_asked_for_are_not_released() {
    let scene = Scene::new().await;
    let id = pre_lodged(&scene, BOXES[0], |_| {}).await;
    scene
        .tell(&Told {
            container: BOXES[0],
            ..Told::arrived(&[("BL1", Some(499))])
        })
        .await;
    assert_not_released(&scene, &id, &["GOODS_MISMATCH"]).await;
    scene
        .tell(&Told {
            container: BOXES[0],
            version: 3,
            ..Told::arrived(&[("BL1", Some(500))])
        })
        .await;
    assert_cleared(&scene, &id).await;
}

#[tokio::test]
async fn rule_1_cleared_needs_all_controls_done_and_the_debt_final_and_released_does_not() {
    let scene = Scene::new().await;
    let account = || {
        let request = wire::GetAccountRequest {
            payer_party: "trader-a".into(),
        };
        async {
            scene
                .api
                .get_account(officer(request))
                .await
                .unwrap()
                .into_inner()
                .account
                .unwrap()
        }
    };
    let units = |money: &Option<common::Money>| money.as_ref().unwrap().units;
    let before = account().await;
    let id = pre_lodged(&scene, BOXES[0], |declaration| {
        describe(declaration, "ttimportdocnonblocking");
    })
    .await;
    scene.tell(&arrived(BOXES[0])).await;
    let record = scene.declaration(&id).await;
    assert_eq!(
        (record.status(), record.debt(), record.cleared_at),
        (
            wire::DeclarationStatus::Released,
            wire::DebtState::Secured,
            None
        )
    );
    let told = scene.clearance(&key(BOXES[0])).await.unwrap();
    assert!(told.consignments[0].released && !told.consignments[0].cleared);
    // The security is held, and not yet charged.
    let held = account().await;
    assert_eq!(
        (units(&held.balance), units(&held.secured)),
        (units(&before.balance), units(&before.secured) + 248)
    );
    assert_eq!(
        scene.notifications(&id).await.last().map(String::as_str),
        Some("DMSROG")
    );
    scene
        .complete(
            &record,
            wire::ControlKind::Documents,
            wire::ControlResult::Conform,
        )
        .await;
    assert_cleared(&scene, &id).await;
    let charged = account().await;
    assert_eq!(
        (units(&charged.balance), units(&charged.secured)),
        (units(&before.balance) - 248, units(&before.secured))
    );
    let told = scene.notifications(&id).await;
    assert_eq!(told[told.len() - 2..], ["DMSTAX", "DMSCLE"]);
}

#[tokio::test]
async fn rule_10_a_declaration_over_five_containers_releases_three() {
    let scene = Scene::new().await;
    let filing = scene
        .file(wire::Declaration {
            type_code: "IMD".into(),
            containers: BOXES.map(container).to_vec(),
            ..umbrellas("FIVE")
        })
        .await;
    scene.tell(&arrived(BOXES[0])).await;
    // The fourth box is there too and held; the fifth never came.
    scene
        .tell(&Told {
            container: BOXES[3],
            ..Told::announced(&LINE)
        })
        .await;
    let hold = scene
        .hold(common::HoldScopeKind::ContainerVisit, BOXES[3])
        .await;
    for container in &BOXES[1..4] {
        scene.tell(&arrived(container)).await;
    }
    let released = || async {
        let mut released = Vec::new();
        for container in BOXES {
            let told = scene.clearance(&key(container)).await.unwrap();
            let [said] = told.consignments.as_slice() else {
                panic!("{told:?}")
            };
            assert!(!said.cleared || said.released);
            released.push(said.released);
        }
        released
    };
    assert_eq!(released().await, [true, true, true, false, false]);
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.status(), wire::DeclarationStatus::Released);
    assert_eq!(conditions(&record), ["CUSTOMS_HOLD", "GOODS_UNBOUND"]);
    scene.lift(&hold).await;
    assert_eq!(released().await, [true, true, true, true, false]);
    scene.tell(&arrived(BOXES[4])).await;
    assert_eq!(released().await, [true; 5]);
    assert_cleared(&scene, &filing.declaration_id).await;
}

#[tokio::test]
async fn rule_10_goods_without_a_container_are_released_by_consignment() {
    let scene = Scene::new().await;
    let document = |number: &str| wire::PreviousDocument {
        type_code: "705".into(),
        id: number.into(),
        ..Default::default()
    };
    let filing = scene
        .file(wire::Declaration {
            type_code: "IMD".into(),
            containers: Vec::new(),
            previous_documents: vec![document("BL1"), document("BL2")],
            ..umbrellas("BULK")
        })
        .await;
    let said = |number: &'static str| {
        let scene = &scene;
        async move {
            let told = scene
                .clearance(&format!("transport-document/{number}"))
                .await;
            let told = told.unwrap_or_else(|| panic!("nothing is said of {number}"));
            let [said] = told.consignments.as_slice() else {
                panic!("{told:?}")
            };
            (said.transport_document.clone(), said.released)
        }
    };
    for number in ["BL1", "BL2"] {
        assert_eq!(said(number).await, (number.to_owned(), false));
    }
    let request = wire::PresentGoodsRequest {
        request_id: id(),
        declaration_id: filing.declaration_id.clone(),
        reason: "on the quay".into(),
        ..Default::default()
    };
    scene.api.present_goods(officer(request)).await.unwrap();
    for number in ["BL1", "BL2"] {
        assert_eq!(said(number).await, (number.to_owned(), true));
    }
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (record.status(), record.consignments.len()),
        (wire::DeclarationStatus::Cleared, 2)
    );
}
