//! Into bond and out of it: the customs' part of the journeys C and D, and the guarantee under both.

use futures::future::join_all;
use proto::common::v1 as common;
use proto::customs::events::v1::DeclarationFact;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;

use crate::support::*;

const LINE: [(&str, Option<u32>); 1] = [("BL1", Some(500))];
const INCREASE: &str = "QD800526I000000001";
const DECREASE: &str = "QD800526E000000001";
const OTHER_DECREASE: &str = "QD800526E000000002";

fn names(list: &str) -> wire::PreviousDocument {
    wire::PreviousDocument {
        type_code: "ZZZ".into(),
        id: list.into(),
        ..Default::default()
    }
}

/// The umbrellas into bond: 248.00 would be owed in free circulation, times so much.
fn into_bond(lrn: &str, times: u32) -> wire::Declaration {
    let mut declaration = under("7100", umbrellas(lrn));
    declaration.previous_documents.push(names(INCREASE));
    declaration.items[0].item_charge.as_mut().unwrap().value = (1_000 * times).to_string();
    declaration
}

/// The umbrellas out of bond, at the centre, under these lists.
fn out_of_bond(lrn: &str, procedure: &str, lists: &[&str]) -> wire::Declaration {
    let mut declaration = under(procedure, umbrellas(lrn));
    declaration.containers.clear();
    declaration.previous_documents = lists.iter().map(|list| names(list)).collect();
    declaration.goods_location.as_mut().unwrap().name = CENTRE_LOCATION.into();
    declaration
}

fn of_trader(mut declaration: wire::Declaration, eori: &str) -> wire::Declaration {
    for party in [&mut declaration.importer, &mut declaration.declarant] {
        *party = Some(wire::Party {
            id: eori.into(),
            ..Default::default()
        });
    }
    declaration
}

async fn in_use(scene: &Scene, trader: &str) -> i64 {
    scene.guarantee(trader).await.in_use.unwrap().units
}

#[tokio::test]
async fn journey_c_into_bond_is_accepted_on_arrival_and_suspended_under_the_guarantee() {
    let scene = Scene::new().await;
    scene.tell(&Told::announced(&LINE)).await;
    let filing = scene
        .file(wire::Declaration {
            type_code: "IMD".into(),
            ..into_bond("C-1", 1)
        })
        .await;
    assert_eq!(filing.outcome(), wire::FilingOutcome::Registered);
    assert_eq!(in_use(&scene, "trader-a").await, 0);
    scene.tell(&Told::arrived(&LINE)).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (
            record.status(),
            record.debt(),
            record.procedure_kind.as_str()
        ),
        (
            wire::DeclarationStatus::Cleared,
            wire::DebtState::Suspended,
            "INTO_BOND"
        )
    );
    assert_eq!(record.stock_lists, [INCREASE]);
    assert_eq!(in_use(&scene, "trader-a").await, 248);
    let facts = scene.facts(&filing.declaration_id).await;
    let state = facts.last().unwrap().declaration.clone().unwrap();
    assert_eq!(
        (state.stock_lists, state.site_id.as_str()),
        (vec![INCREASE.to_owned()], PORT)
    );
    assert!(!codes(&record.warnings).contains(&"GUARANTEE_NOT_CHECKED"));
}

#[tokio::test]
async fn a_guarantee_is_said_not_to_be_checked_where_some_suspended_duty_has_none_whatever_the_order()
 {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&[("BL1", None)])).await;
    for (first, second, warned) in [
        ("7100", "4000", false),
        ("4000", "7100", false),
        ("7100", "5100", true),
        ("5100", "7100", true),
    ] {
        let before = in_use(&scene, "trader-a").await;
        let lrn = format!("MIX-{first}-{second}");
        let mut declaration = into_bond(&lrn, 1);
        let mut other = under(second, declaration.clone()).items.remove(0);
        other.sequence = Some(2);
        declaration = under(first, declaration);
        declaration.items.push(other);
        declaration.goods_item_quantity = Some(2);
        let filing = scene.file(declaration).await;
        assert_eq!(
            codes(&filing.warnings).contains(&"GUARANTEE_NOT_CHECKED"),
            warned,
            "{lrn}"
        );
        assert_eq!(in_use(&scene, "trader-a").await, before + 248, "{lrn}");
        let record = scene.declaration(&filing.declaration_id).await;
        assert_eq!(record.procedure_kind, "INTO_BOND", "{lrn}");
    }
}

#[tokio::test]
async fn journey_c_goods_that_went_into_bond_before_the_control_was_done_are_released_after_it() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let mut declaration = into_bond("C-1B", 1);
    declaration.items[0].description = "umbrellas TTIMPORTDOCBLOCKING".into();
    let filing = scene.file(declaration).await;
    assert_eq!(filing.status(), wire::DeclarationStatus::UnderControl);
    // Under the transfer decision they need no release to go.
    scene.tell(&Told::departed(&LINE)).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(conditions(&record), ["DOCUMENTS_CONTROL_OPEN"]);
    let (documents, conform) = (wire::ControlKind::Documents, wire::ControlResult::Conform);
    scene.complete(&record, documents, conform).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (record.status(), record.debt()),
        (wire::DeclarationStatus::Cleared, wire::DebtState::Suspended)
    );
    assert_eq!(in_use(&scene, "trader-a").await, 248);
}

#[tokio::test]
async fn rule_6_a_guarantee_that_is_too_small_is_short_with_a_notice_and_releases_nothing() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    scene.put_guarantee("trader-a", 400, 0).await.unwrap();
    let first = scene.file(into_bond("C-2", 1)).await;
    let short = scene.file(into_bond("C-3", 1)).await;
    assert_eq!(
        (first.debt(), short.debt(), short.status()),
        (
            wire::DebtState::Suspended,
            wire::DebtState::Short,
            wire::DeclarationStatus::Accepted
        )
    );
    let record = scene.declaration(&short.declaration_id).await;
    assert_eq!(
        (conditions(&record), record.conditions[0].who.as_str()),
        (vec!["GUARANTEE_SHORT"], "trader-a")
    );
    let told = scene.notifications(&short.declaration_id).await;
    assert!(told.contains(&"DMSCPI".to_owned()), "{told:?}");
    let said = scene.clearance(&format!("container/{BOX}")).await.unwrap();
    assert_eq!(
        said.consignments
            .iter()
            .filter(|said| said.released)
            .count(),
        1
    );

    let raised = scene.put_guarantee("trader-a", 500, 0).await.unwrap();
    assert_eq!(
        (raised.in_use, raised.available),
        (Some(pounds(496)), Some(pounds(4)))
    );
    let record = scene.declaration(&short.declaration_id).await;
    assert_eq!(
        (record.status(), record.debt()),
        (wire::DeclarationStatus::Cleared, wire::DebtState::Suspended)
    );
}

#[tokio::test]
async fn rule_6_under_concurrency_a_guarantee_covers_no_more_than_it_can() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    // 100,000.00 covers four times 24,800.00.
    let filed = join_all((0..12).map(|number| {
        scene.file(of_trader(
            into_bond(&format!("CC-{number}"), 100),
            TRADER_B_EORI,
        ))
    }))
    .await;
    let of = |debt| filed.iter().filter(|filing| filing.debt() == debt).count();
    assert_eq!(
        (of(wire::DebtState::Suspended), of(wire::DebtState::Short)),
        (4, 8)
    );
    assert_eq!(
        scene.guarantee("trader-b").await.available,
        Some(pounds(800))
    );
}

#[tokio::test]
async fn a_trader_without_a_guarantee_is_short_and_of_a_party_that_is_not_known_it_is_warned() {
    let scene = Scene::empty().await;
    scene.site(1).await;
    scene.tell(&Told::arrived(&LINE)).await;
    let unknown = scene.file(into_bond("C-4", 1)).await;
    assert!(codes(&unknown.warnings).contains(&"GUARANTEE_NOT_CHECKED"));
    assert_eq!(unknown.debt(), wire::DebtState::Suspended);
    let request = wire::PutPartyRequest {
        request_id: id(),
        party: Some(wire::RegisteredParty {
            party_id: "broker-a".into(),
            name: "A broker that declares its own goods".into(),
            roles: vec!["broker".into(), "trader".into()],
            identifiers: vec![wire::RegisteredIdentifier {
                scheme: "EORI".into(),
                value: TRADER_A_EORI.into(),
            }],
            ..Default::default()
        }),
        expected_version: 0,
    };
    scene.api.put_party(officer(request)).await.unwrap();
    let without = scene.file(into_bond("C-5", 1)).await;
    assert_eq!(without.debt(), wire::DebtState::Short);
    scene.put_guarantee("broker-a", 248, 0).await.unwrap();
    assert_eq!(
        scene.declaration(&without.declaration_id).await.debt(),
        wire::DebtState::Suspended
    );
}

#[tokio::test]
async fn a_guarantee_is_its_traders_and_the_officers_and_never_set_below_what_is_in_use() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    scene.file(into_bond("C-6", 1)).await;
    let ask = |party: &str| {
        let request = wire::GetGuaranteeRequest {
            trader_party: "trader-a".into(),
        };
        asked(party, chassis::Role::Trader, request)
    };
    let own = scene.api.get_guarantee(ask("trader-a")).await.unwrap();
    let version = own.into_inner().guarantee.unwrap().version;
    assert_eq!(
        reason(&scene.api.get_guarantee(ask("trader-b")).await.unwrap_err()),
        "NOT_FOUND"
    );
    let refused = |units, version| {
        let scene = &scene;
        async move {
            let put = scene.put_guarantee("trader-a", units, version).await;
            reason(&put.unwrap_err())
        }
    };
    assert_eq!(refused(247, 0).await, "GUARANTEE_IN_USE");
    assert_eq!(refused(-1, 0).await, "MONEY_INVALID");
    assert_eq!(refused(1_000, version + 1).await, "STALE_VERSION");
    assert_eq!(
        reason(&scene.put_guarantee("nobody", 1, 0).await.unwrap_err()),
        "NOT_FOUND"
    );
    let after = scene.put_guarantee("trader-a", 248, version).await.unwrap();
    assert_eq!(after.available, Some(pounds(0)));
}

#[tokio::test]
async fn journey_d_out_of_bond_waits_for_its_list_is_assessed_and_frees_the_guarantee() {
    for (list_first, arrived) in [(true, true), (true, false), (false, true), (false, false)] {
        let scene = Scene::new().await;
        scene.centre().await;
        scene.tell(&Told::arrived(&LINE)).await;
        scene.file(into_bond("D-0", 2)).await;
        assert_eq!(in_use(&scene, "trader-a").await, 496);
        if list_first {
            scene.list(DECREASE, 1, "RESERVED", "trader-a").await;
        }
        let declaration = wire::Declaration {
            type_code: if arrived { "IMA" } else { "IMD" }.into(),
            ..out_of_bond("D-1", "4071", &[DECREASE])
        };
        let filing = scene.file(declaration).await;
        if !list_first {
            assert_eq!(filing.outcome(), wire::FilingOutcome::Registered);
            scene.list(DECREASE, 1, "RESERVED", "trader-a").await;
        }
        let record = scene.declaration(&filing.declaration_id).await;
        assert_eq!(
            (
                record.status(),
                record.debt(),
                record.procedure_kind.as_str()
            ),
            (
                wire::DeclarationStatus::Cleared,
                wire::DebtState::Secured,
                "OUT_OF_BOND"
            ),
            "list first {list_first}, arrived {arrived}"
        );
        let facts = scene.facts(&filing.declaration_id).await;
        let state = facts.last().unwrap().declaration.clone().unwrap();
        assert_eq!(
            (state.stock_lists, state.site_id.as_str()),
            (vec![DECREASE.to_owned()], CENTRE)
        );
        let matched = facts
            .iter()
            .find(|event| event.fact() == DeclarationFact::Matched);
        assert_eq!(matched.unwrap().detail, format!("stock-list/{DECREASE}"));
        assert_eq!(
            in_use(&scene, "trader-a").await,
            496,
            "they are still in bond"
        );
        // Word of the posting may come twice, and an older word after it.
        scene.list(DECREASE, 3, "POSTED", "trader-a").await;
        scene.list(DECREASE, 3, "POSTED", "trader-a").await;
        scene.list(DECREASE, 2, "VOID_ASKED", "trader-a").await;
        assert_eq!(in_use(&scene, "trader-a").await, 248);
    }
}

#[tokio::test]
async fn a_re_export_out_of_bond_owes_nothing_and_frees_the_guarantee_all_the_same() {
    let scene = Scene::new().await;
    scene.centre().await;
    scene.tell(&Told::arrived(&LINE)).await;
    scene.file(into_bond("D-2", 1)).await;
    scene.list(DECREASE, 1, "RESERVED", "trader-a").await;
    let goods = out_of_bond("D-3", "3171", &[DECREASE]);
    let filing = scene
        .file(wire::Declaration {
            type_code: "EXA".into(),
            exporter: goods.importer.clone(),
            importer: None,
            ..goods
        })
        .await;
    assert_eq!(
        (filing.debt(), filing.status()),
        (wire::DebtState::None, wire::DeclarationStatus::Cleared)
    );
    scene.list(DECREASE, 2, "POSTED", "trader-a").await;
    assert_eq!(in_use(&scene, "trader-a").await, 0);
}

#[tokio::test]
async fn what_leaves_bond_never_frees_more_than_is_in_use() {
    let scene = Scene::new().await;
    scene.centre().await;
    scene.list(DECREASE, 1, "RESERVED", "trader-a").await;
    let filing = scene.file(out_of_bond("D-4", "4071", &[DECREASE])).await;
    assert_eq!(filing.status(), wire::DeclarationStatus::Cleared);
    scene.list(DECREASE, 2, "POSTED", "trader-a").await;
    assert_eq!(in_use(&scene, "trader-a").await, 0);
}

#[tokio::test]
async fn goods_that_leave_bond_let_the_timer_cover_what_was_short() {
    let scene = Scene::new().await;
    scene.centre().await;
    scene.tell(&Told::arrived(&LINE)).await;
    scene.put_guarantee("trader-a", 248, 0).await.unwrap();
    scene.file(into_bond("D-5", 1)).await;
    let short = scene.file(into_bond("D-6", 1)).await;
    assert_eq!(short.debt(), wire::DebtState::Short);
    scene.tick(customs::app::Input::SecureWaiting).await;
    let debt = |record: wire::DeclarationRecord| record.debt();
    assert_eq!(
        debt(scene.declaration(&short.declaration_id).await),
        wire::DebtState::Short
    );
    scene.list(DECREASE, 1, "RESERVED", "trader-a").await;
    scene.file(out_of_bond("D-7", "4071", &[DECREASE])).await;
    scene.list(DECREASE, 2, "POSTED", "trader-a").await;
    scene.tick(customs::app::Input::SecureWaiting).await;
    assert_eq!(
        debt(scene.declaration(&short.declaration_id).await),
        wire::DebtState::Suspended
    );
}

#[tokio::test]
async fn another_traders_list_or_a_void_one_or_none_releases_nothing() {
    let scene = Scene::new().await;
    scene.centre().await;
    scene.list(DECREASE, 1, "RESERVED", "trader-b").await;
    scene.list(OTHER_DECREASE, 2, "VOIDED", "trader-a").await;
    for (lrn, lists, missing, why) in [
        (
            "D-8",
            &[DECREASE][..],
            "GOODS_MISMATCH",
            "STOCK_LIST_OF_ANOTHER",
        ),
        (
            "D-9",
            &[OTHER_DECREASE],
            "GOODS_MISMATCH",
            "STOCK_LIST_VOID",
        ),
        (
            "D-10",
            &["QD800526E000000009"],
            "GOODS_UNBOUND",
            "STOCK_LIST_NOT_RESERVED",
        ),
        ("D-11", &[], "GOODS_UNBOUND", "NO_STOCK_LIST"),
        // An increase sets nothing aside.
        ("D-12", &[INCREASE], "GOODS_UNBOUND", "NO_STOCK_LIST"),
    ] {
        let filing = scene.file(out_of_bond(lrn, "4071", lists)).await;
        let record = scene.declaration(&filing.declaration_id).await;
        assert!(conditions(&record).contains(&missing), "{lrn}: {record:?}");
        assert_eq!(record.consignments[0].match_reason, why, "{lrn}");
        assert_eq!(record.consignments[0].released_at, None, "{lrn}");
    }
}

#[tokio::test]
async fn a_list_of_another_reference_matches_charges_and_clears_nothing_whichever_is_heard_of_first()
 {
    for list_first in [true, false] {
        let scene = Scene::new().await;
        scene.centre().await;
        let tell = |version, state| scene.list_under("D-21", DECREASE, version, state, "trader-a");
        if list_first {
            tell(1, "RESERVED").await;
        }
        let wrong = scene.file(out_of_bond("D-20", "4071", &[DECREASE])).await;
        if !list_first {
            tell(1, "RESERVED").await;
        }
        assert_eq!(wrong.outcome(), wire::FilingOutcome::Registered);
        let record = scene.declaration(&wrong.declaration_id).await;
        assert_eq!(
            (
                record.consignments[0].match_reason.as_str(),
                record.debt(),
                record.status()
            ),
            (
                "STOCK_LIST_OTHER_REFERENCE",
                wire::DebtState::Indicated,
                wire::DeclarationStatus::Registered
            )
        );
        let unmet = record
            .conditions
            .iter()
            .find(|unmet| unmet.code == "GOODS_MISMATCH")
            .unwrap();
        assert_eq!(unmet.who, "broker-a");
        assert!(
            unmet.description.contains("files it again"),
            "{}",
            unmet.description
        );

        let right = scene.file(out_of_bond("D-21", "4071", &[DECREASE])).await;
        assert_eq!(
            (right.status(), right.debt()),
            (wire::DeclarationStatus::Cleared, wire::DebtState::Secured)
        );
        let accepted = scene
            .facts(&right.declaration_id)
            .await
            .into_iter()
            .find(|event| event.fact() == DeclarationFact::Accepted);
        let detail = accepted.unwrap().detail;
        assert!(detail.contains("bonded centre"), "{detail}");

        // None of its goods leaves with the list, and gate is asked nothing about it.
        tell(2, "POSTED").await;
        let void = scene.invalidate(&wrong.declaration_id).await.unwrap();
        assert_eq!(void.status(), wire::DeclarationStatus::Invalidated);
        assert_eq!(void.debt(), wire::DebtState::None);
        assert_eq!(void.duty.unwrap().total_payable, None);
        let too_late = scene.invalidate(&right.declaration_id).await.unwrap_err();
        assert_eq!(reason(&too_late), "GOODS_HAVE_LEFT");
    }
}

#[tokio::test]
async fn rule_13_special_goods_out_of_bond_stand_under_their_list() {
    let scene = Scene::new().await;
    scene.centre().await;
    let special = wire::Declaration {
        type_code: "COA".into(),
        ..out_of_bond("D-22", "4071", &[DECREASE])
    };
    let filing = scene.file(special).await;
    assert_eq!(filing.outcome(), wire::FilingOutcome::Registered);
    scene
        .list_under("D-22", DECREASE, 1, "RESERVED", "trader-a")
        .await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (record.status(), record.consignments[0].r#match()),
        (wire::DeclarationStatus::Cleared, wire::MatchState::Matched)
    );
}

#[tokio::test]
async fn rule_10_goods_on_two_lists_are_released_list_by_list() {
    let scene = Scene::new().await;
    scene.centre().await;
    let filing = scene
        .file(out_of_bond("D-13", "4071", &[DECREASE, OTHER_DECREASE]))
        .await;
    scene.list(DECREASE, 1, "RESERVED", "trader-a").await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.status(), wire::DeclarationStatus::Released);
    scene.list(OTHER_DECREASE, 1, "RESERVED", "trader-a").await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.status(), wire::DeclarationStatus::Cleared);
}

#[tokio::test]
async fn a_hold_on_goods_out_of_bond_withholds_them() {
    let scene = Scene::new().await;
    scene.centre().await;
    let filing = scene.file(out_of_bond("D-14", "4071", &[DECREASE])).await;
    let hold = scene
        .hold(common::HoldScopeKind::Declaration, &filing.declaration_id)
        .await;
    scene.list(DECREASE, 1, "RESERVED", "trader-a").await;
    let status = |record: wire::DeclarationRecord| record.status();
    assert_eq!(
        status(scene.declaration(&filing.declaration_id).await),
        wire::DeclarationStatus::Accepted
    );
    scene.lift(&hold).await;
    assert_eq!(
        status(scene.declaration(&filing.declaration_id).await),
        wire::DeclarationStatus::Cleared
    );
}
