//! Goods that customs detains, and declarations that an officer makes void.

use proto::common::v1 as common;
use proto::customs::events::v1::DeclarationFact;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;
use proto::gate::events::v1::AnswerVerdict;

use crate::support::*;

const LINE: [(&str, Option<u32>); 1] = [("BL1", None)];

fn arrived(container: &'static str) -> Told {
    Told {
        container,
        ..Told::arrived(&LINE)
    }
}

async fn said(scene: &Scene, container: &str) -> Vec<(bool, Vec<String>)> {
    let said = scene.clearance(&format!("container/{container}")).await;
    said.unwrap()
        .consignments
        .into_iter()
        .map(|said| {
            let missing = said.conditions.into_iter().map(|unmet| unmet.code);
            (said.released, missing.collect())
        })
        .collect()
}

/// The umbrellas in two boxes that have arrived: released and charged.
async fn cleared(scene: &Scene, lrn: &str) -> String {
    scene.tell(&arrived(BOX)).await;
    scene.tell(&arrived(OTHER_BOX)).await;
    let filing = scene
        .file(wire::Declaration {
            containers: [BOX, OTHER_BOX].map(container).to_vec(),
            ..umbrellas(lrn)
        })
        .await;
    assert_eq!(filing.status(), wire::DeclarationStatus::Cleared);
    filing.declaration_id
}

async fn balance(scene: &Scene) -> (i64, i64) {
    let request = wire::GetAccountRequest {
        payer_party: "trader-a".into(),
    };
    let account = scene.api.get_account(officer(request)).await.unwrap();
    let account = account.into_inner().account.unwrap();
    (
        account.balance.unwrap().units,
        account.secured.unwrap().units,
    )
}

async fn detain(scene: &Scene, declaration_id: &str) -> Result<wire::DeclarationRecord, String> {
    let request = wire::DetainDeclarationRequest {
        request_id: id(),
        declaration_id: declaration_id.into(),
        expected_version: 0,
        reason: "counterfeits are suspected".into(),
    };
    let answer = scene.api.detain_declaration(officer(request)).await;
    answer
        .map(|answer| answer.into_inner().declaration.unwrap())
        .map_err(|status| reason(&status))
}

async fn end_detention(
    scene: &Scene,
    declaration_id: &str,
) -> Result<wire::DeclarationRecord, String> {
    let request = wire::EndDetentionRequest {
        request_id: id(),
        declaration_id: declaration_id.into(),
        expected_version: 0,
        reason: "they are genuine".into(),
    };
    let answer = scene.api.end_detention(officer(request)).await;
    answer
        .map(|answer| answer.into_inner().declaration.unwrap())
        .map_err(|status| reason(&status))
}

#[tokio::test]
async fn nothing_is_released_while_goods_are_detained_and_what_was_released_may_not_go() {
    let scene = Scene::new().await;
    // Before the goods have arrived ...
    scene.tell(&Told::announced(&LINE)).await;
    let filing = scene
        .file(wire::Declaration {
            type_code: "IMD".into(),
            ..umbrellas("DT-1")
        })
        .await;
    let record = detain(&scene, &filing.declaration_id).await.unwrap();
    assert_eq!(record.status(), wire::DeclarationStatus::Detained);
    scene.tell(&arrived(BOX)).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (record.status(), conditions(&record)),
        (wire::DeclarationStatus::Detained, vec!["GOODS_DETAINED"])
    );
    assert_eq!(
        detain(&scene, &filing.declaration_id).await,
        Err("ALREADY_DETAINED".into())
    );
    let record = end_detention(&scene, &filing.declaration_id).await.unwrap();
    assert_eq!(
        record.status(),
        wire::DeclarationStatus::Cleared,
        "it stands where its facts put it"
    );
    // ... and after the release.
    assert_eq!(said(&scene, BOX).await, [(true, vec![])]);
    detain(&scene, &filing.declaration_id).await.unwrap();
    assert_eq!(
        said(&scene, BOX).await,
        [(false, vec!["GOODS_DETAINED".to_owned()])]
    );
    let facts = scene.facts(&filing.declaration_id).await;
    let last = facts.last().unwrap();
    assert_eq!(
        (
            last.fact(),
            last.declaration.as_ref().unwrap().state.as_str(),
            last.recorded_by_party.as_str()
        ),
        (DeclarationFact::Detained, "DETAINED", "officer-1")
    );
    end_detention(&scene, &filing.declaration_id).await.unwrap();
    assert_eq!(said(&scene, BOX).await, [(true, vec![])]);
    assert_eq!(
        end_detention(&scene, &filing.declaration_id).await,
        Err("NOT_DETAINED".into())
    );
    scene
        .tell(&Told {
            version: 5,
            ..Told::departed(&LINE)
        })
        .await;
    assert_eq!(
        detain(&scene, &filing.declaration_id).await,
        Err("GOODS_HAVE_LEFT".into())
    );
}

#[tokio::test]
async fn a_declaration_that_is_bound_to_nothing_is_void_at_once_and_its_reference_stays_taken() {
    let scene = Scene::new().await;
    let filing = scene
        .file(wire::Declaration {
            type_code: "IMD".into(),
            ..umbrellas("IV-1")
        })
        .await;
    let record = scene.invalidate(&filing.declaration_id).await.unwrap();
    assert_eq!(
        (record.status(), record.invalidation_asked),
        (wire::DeclarationStatus::Invalidated, false)
    );
    let told = scene.notifications(&filing.declaration_id).await;
    assert_eq!(told, ["DMSRCV", "DMSINV"]);
    assert_eq!(
        reason(&scene.invalidate(&filing.declaration_id).await.unwrap_err()),
        "DECLARATION_VOID"
    );
    assert_eq!(
        detain(&scene, &filing.declaration_id).await,
        Err("DECLARATION_VOID".into())
    );
    let again = scene.try_file("broker-a", umbrellas("IV-1")).await;
    assert_eq!(reason(&again.unwrap_err()), "LRN_IN_USE");
    // The goods come, and mean nothing to it.
    scene.tell(&arrived(BOX)).await;
    assert_eq!(
        scene.declaration(&filing.declaration_id).await.status(),
        wire::DeclarationStatus::Invalidated
    );
    assert!(said(&scene, BOX).await.is_empty());
}

#[tokio::test]
async fn gate_is_asked_for_every_visit_and_nothing_leaves_until_it_has_answered() {
    let scene = Scene::new().await;
    let before = balance(&scene).await;
    let id = cleared(&scene, "IV-2").await;
    assert_eq!(balance(&scene).await, (before.0 - 248, before.1));
    let record = scene.invalidate(&id).await.unwrap();
    assert_eq!(
        (record.status(), record.invalidation_asked),
        (wire::DeclarationStatus::Cleared, true)
    );
    assert_eq!(conditions(&record), ["INVALIDATION_ASKED"]);
    for container in [BOX, OTHER_BOX] {
        assert_eq!(
            said(&scene, container).await,
            [(false, vec!["INVALIDATION_ASKED".to_owned()])]
        );
    }
    let asks = scene.asks(&id).await;
    let mut about: Vec<_> = asks.iter().map(|ask| &ask.container_visit_id).collect();
    about.sort();
    assert_eq!(
        about,
        ["GUOYUAN-PORT/CSQU3054383/1", "GUOYUAN-PORT/MSKU9070323/1"]
    );
    assert_eq!(
        reason(&scene.invalidate(&id).await.unwrap_err()),
        "INVALIDATION_PENDING"
    );
    scene.answer(&asks[0].ask_id, AnswerVerdict::Applied).await;
    scene.answer(&asks[0].ask_id, AnswerVerdict::Applied).await;
    assert_eq!(
        scene.declaration(&id).await.status(),
        wire::DeclarationStatus::Cleared
    );
    scene.answer(&asks[1].ask_id, AnswerVerdict::Applied).await;
    let record = scene.declaration(&id).await;
    assert_eq!(
        (record.status(), record.debt(), record.invalidation_asked),
        (
            wire::DeclarationStatus::Invalidated,
            wire::DebtState::None,
            false
        )
    );
    assert!(said(&scene, BOX).await.is_empty());
    assert_eq!(balance(&scene).await, before, "what was charged comes back");
    let facts = scene.facts(&id).await;
    let last = facts.last().unwrap();
    assert_eq!(
        (
            last.fact(),
            last.declaration.as_ref().unwrap().invalidation_asks.len()
        ),
        (DeclarationFact::Invalidated, 0)
    );
    // The goods may be declared anew.
    cleared(&scene, "IV-2b").await;
}

#[tokio::test]
async fn rule_12_of_several_containers_one_that_is_too_late_fails_the_whole_in_any_order() {
    use AnswerVerdict::{Applied, TooLate};
    for (index, verdicts) in [
        [Applied, Applied],
        [Applied, TooLate],
        [TooLate, Applied],
        [TooLate, TooLate],
    ]
    .into_iter()
    .enumerate()
    {
        for reversed in [false, true] {
            let scene = Scene::new().await;
            let id = cleared(&scene, &format!("IV-3-{index}")).await;
            scene.invalidate(&id).await.unwrap();
            let asks = scene.asks(&id).await;
            let mut answers: Vec<_> = asks.iter().zip(verdicts).collect();
            if reversed {
                answers.reverse();
            }
            // Each comes twice.
            for (ask, verdict) in answers.iter().chain(&answers) {
                scene.answer(&ask.ask_id, *verdict).await;
            }
            let record = scene.declaration(&id).await;
            let facts: Vec<_> = scene
                .facts(&id)
                .await
                .iter()
                .map(|event| event.fact())
                .collect();
            let end = facts.last().copied().unwrap();
            if verdicts.contains(&TooLate) {
                assert_eq!(record.status(), wire::DeclarationStatus::Cleared);
                assert_eq!(end, DeclarationFact::InvalidationTooLate);
                assert_eq!(said(&scene, BOX).await, [(true, vec![])]);
            } else {
                assert_eq!(record.status(), wire::DeclarationStatus::Invalidated);
                assert_eq!(end, DeclarationFact::Invalidated);
            }
            let ends = facts.iter().filter(|fact| {
                matches!(
                    fact,
                    DeclarationFact::Invalidated | DeclarationFact::InvalidationTooLate
                )
            });
            assert_eq!(ends.count(), 1);
        }
    }
}

#[tokio::test]
async fn gate_is_not_asked_about_a_list_that_goes_with_another_declaration() {
    const INCREASE: &str = "QD800526I000000001";
    let into_bond = |lrn| {
        let mut declaration = under("7100", umbrellas(lrn));
        declaration.previous_documents.push(wire::PreviousDocument {
            type_code: "ZZZ".into(),
            id: INCREASE.into(),
            ..Default::default()
        });
        // Bound to nothing: a container that nobody announced.
        declaration.containers = vec![container(OTHER_BOX)];
        declaration
    };
    for (lrn, trader, own) in [
        ("IV-20", "trader-a", true),
        ("IV-21", "trader-a", false),
        ("IV-20", "trader-b", false),
    ] {
        let scene = Scene::new().await;
        scene
            .list_under("IV-20", INCREASE, 1, "APPROVED", trader)
            .await;
        let filing = scene.file(into_bond(lrn)).await;
        let record = scene.invalidate(&filing.declaration_id).await.unwrap();
        assert_eq!(
            (
                record.invalidation_asked,
                record.status() == wire::DeclarationStatus::Invalidated
            ),
            (own, !own),
            "{lrn} {trader}"
        );
        let asked: Vec<_> = scene.asks(&filing.declaration_id).await;
        assert_eq!(asked.len(), usize::from(own), "{lrn} {trader}");
    }
}

#[tokio::test]
async fn it_is_too_late_once_goods_have_left() {
    let scene = Scene::new().await;
    let id = cleared(&scene, "IV-4").await;
    scene
        .tell(&Told {
            version: 5,
            ..Told::departed(&LINE)
        })
        .await;
    assert_eq!(
        reason(&scene.invalidate(&id).await.unwrap_err()),
        "GOODS_HAVE_LEFT"
    );
}

#[tokio::test]
async fn what_secured_a_debt_that_falls_away_is_freed_and_answers_to_others_change_nothing() {
    let scene = Scene::new().await;
    let before = balance(&scene).await;
    scene.tell(&arrived(BOX)).await;
    let mut declaration = umbrellas("IV-5");
    declaration.items[0].description = "ttimportdocnonblocking".into();
    let filing = scene.file(declaration).await;
    assert_eq!(balance(&scene).await, (before.0, before.1 + 248));
    scene.answer("not ours", AnswerVerdict::TooLate).await;
    scene.answer(&id(), AnswerVerdict::TooLate).await;
    scene.invalidate(&filing.declaration_id).await.unwrap();
    let asks = scene.asks(&filing.declaration_id).await;
    scene.answer(&asks[0].ask_id, AnswerVerdict::Applied).await;
    assert_eq!(balance(&scene).await, before);
    let request = wire::RecordPaymentRequest {
        request_id: id(),
        payer_party: "trader-a".into(),
        amount: Some(pounds(1)),
        declaration_id: filing.declaration_id.clone(),
        reference: "bank 1".into(),
    };
    let refused = scene.api.record_payment(officer(request)).await;
    assert_eq!(reason(&refused.unwrap_err()), "DEBT_NOT_PAYABLE");
}

#[tokio::test]
async fn goods_in_bond_are_asked_for_by_visit_and_list_and_their_guarantee_is_freed() {
    let scene = Scene::new().await;
    scene.tell(&arrived(BOX)).await;
    let mut declaration = under("7100", umbrellas("IV-6"));
    declaration.previous_documents.push(wire::PreviousDocument {
        type_code: "ZZZ".into(),
        id: "QD800526I000000001".into(),
        ..Default::default()
    });
    let filing = scene.file(declaration).await;
    assert_eq!(scene.guarantee("trader-a").await.in_use, Some(pounds(248)));
    scene.invalidate(&filing.declaration_id).await.unwrap();
    let asks = scene.asks(&filing.declaration_id).await;
    let about: Vec<_> = asks
        .iter()
        .map(|ask| (ask.container_visit_id.as_str(), ask.list_number.as_str()))
        .collect();
    assert_eq!(
        about,
        [
            ("GUOYUAN-PORT/MSKU9070323/1", ""),
            ("", "QD800526I000000001")
        ]
    );
    for ask in &asks {
        scene.answer(&ask.ask_id, AnswerVerdict::Applied).await;
    }
    assert_eq!(scene.guarantee("trader-a").await.in_use, Some(pounds(0)));
    assert_eq!(
        scene.declaration(&filing.declaration_id).await.status(),
        wire::DeclarationStatus::Invalidated
    );
}

#[tokio::test]
async fn a_detained_declaration_is_made_void_and_a_late_end_of_the_detention_changes_nothing() {
    let scene = Scene::new().await;
    let id = cleared(&scene, "IV-7").await;
    detain(&scene, &id).await.unwrap();
    scene.invalidate(&id).await.unwrap();
    for ask in scene.asks(&id).await {
        scene.answer(&ask.ask_id, AnswerVerdict::Applied).await;
    }
    assert_eq!(
        scene.declaration(&id).await.status(),
        wire::DeclarationStatus::Invalidated
    );
    assert_eq!(
        end_detention(&scene, &id).await,
        Err("DECLARATION_VOID".into())
    );
}

#[tokio::test]
async fn holds_and_controls_go_on_while_gate_is_asked() {
    let scene = Scene::new().await;
    let id = cleared(&scene, "IV-8").await;
    scene.invalidate(&id).await.unwrap();
    let hold = scene.hold(common::HoldScopeKind::Declaration, &id).await;
    let asks = scene.asks(&id).await;
    scene.answer(&asks[0].ask_id, AnswerVerdict::TooLate).await;
    assert_eq!(
        said(&scene, BOX).await,
        [(false, vec![])],
        "the hold stands"
    );
    scene.lift(&hold).await;
    assert_eq!(said(&scene, BOX).await, [(true, vec![])]);
}

#[tokio::test]
async fn an_ask_that_crosses_the_gate_out_is_too_late_whichever_word_comes_first() {
    for gate_out_first in [true, false] {
        let scene = Scene::new().await;
        let id = cleared(&scene, "IV-9").await;
        scene.invalidate(&id).await.unwrap();
        let asks = scene.asks(&id).await;
        let crossing = asks
            .iter()
            .find(|ask| ask.container_visit_id.contains(BOX))
            .unwrap();
        let gone = Told {
            version: 5,
            ..Told::departed(&LINE)
        };
        if gate_out_first {
            scene.tell(&gone).await;
        }
        scene.answer(&crossing.ask_id, AnswerVerdict::TooLate).await;
        if !gate_out_first {
            scene.tell(&gone).await;
        }
        let record = scene.declaration(&id).await;
        assert_eq!(
            (record.status(), record.invalidation_asked),
            (wire::DeclarationStatus::Cleared, false)
        );
        for container in [BOX, OTHER_BOX] {
            assert_eq!(said(&scene, container).await, [(true, vec![])]);
        }
    }
}
