//! Deferment accounts and debts (rules 5 and 6).

use chassis::Role;
use futures::future::join_all;
use proto::common::v1::Money;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;
use tonic::Status;

use crate::support::*;

const LINE: [(&str, Option<u32>); 1] = [("BL1", Some(500))];

async fn pay(
    scene: &Scene,
    party: &str,
    amount: Money,
    declaration_id: &str,
) -> Result<wire::RecordPaymentResponse, Status> {
    pay_under(&id(), scene, party, amount, declaration_id).await
}

/// A payment under this reference at the bank.
async fn pay_under(
    reference: &str,
    scene: &Scene,
    party: &str,
    amount: Money,
    declaration_id: &str,
) -> Result<wire::RecordPaymentResponse, Status> {
    let request = wire::RecordPaymentRequest {
        request_id: id(),
        payer_party: party.into(),
        amount: Some(amount),
        declaration_id: declaration_id.into(),
        reference: reference.into(),
    };
    Ok(scene
        .api
        .record_payment(asked(party, Role::Trader, request))
        .await?
        .into_inner())
}

async fn account(scene: &Scene, payer: &str) -> wire::Account {
    let request = wire::GetAccountRequest {
        payer_party: payer.into(),
    };
    scene
        .api
        .get_account(officer(request))
        .await
        .unwrap()
        .into_inner()
        .account
        .unwrap()
}

/// The umbrellas, a hundred times as dear: 24,800.00 is payable.
fn dear(lrn: &str) -> wire::Declaration {
    let mut declaration = umbrellas(lrn);
    declaration.items[0].item_charge.as_mut().unwrap().value = "100000".into();
    for party in [&mut declaration.importer, &mut declaration.declarant] {
        *party = Some(wire::Party {
            id: TRADER_B_EORI.into(),
            ..Default::default()
        });
    }
    declaration
}

#[tokio::test]
async fn rule_6_too_little_is_short_with_a_notice_and_money_that_comes_in_secures_it() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let mut filed = Vec::new();
    for number in 0..11 {
        filed.push(scene.file(dear(&format!("M-{number}"))).await);
    }
    // 250,000.00 bears ten times 24,800.00, not eleven times.
    assert!(
        filed[..10]
            .iter()
            .all(|filing| filing.status() == wire::DeclarationStatus::Cleared)
    );
    let short = filed.last().unwrap();
    assert_eq!(
        (short.debt(), short.status()),
        (wire::DebtState::Short, wire::DeclarationStatus::Accepted)
    );
    assert!(
        scene
            .notifications(&short.declaration_id)
            .await
            .contains(&"DMSCPI".to_owned())
    );
    let record = scene.declaration(&short.declaration_id).await;
    assert_eq!(
        (conditions(&record), record.conditions[0].who.as_str()),
        (vec!["DUTY_SHORT"], "trader-b")
    );
    let after = pay(&scene, "trader-b", pounds(30_000), "")
        .await
        .unwrap()
        .account
        .unwrap();
    assert_eq!(
        after.available,
        Some(pounds(250_000 + 30_000 - 11 * 24_800))
    );
    assert_eq!(
        scene.declaration(&short.declaration_id).await.status(),
        wire::DeclarationStatus::Cleared
    );
}

#[tokio::test]
async fn rule_6_under_concurrency_an_account_is_never_overdrawn() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let filed = join_all((0..30).map(|number| scene.file(dear(&format!("C-{number}"))))).await;
    let cleared = filed
        .iter()
        .filter(|filing| filing.status() == wire::DeclarationStatus::Cleared)
        .count();
    let short = filed
        .iter()
        .filter(|filing| filing.debt() == wire::DebtState::Short)
        .count();
    assert_eq!((cleared, short), (10, 20));
    let account = account(&scene, "trader-b").await;
    assert_eq!(
        (account.balance, account.secured),
        (Some(pounds(2_000)), Some(pounds(0)))
    );
}

#[tokio::test]
async fn a_debt_is_paid_for_one_declaration_in_parts_and_never_too_much() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let mut declaration = umbrellas("P-1");
    // Nobody we know: the broker bears the debt, and has no account.
    for party in [&mut declaration.importer, &mut declaration.declarant] {
        *party = Some(wire::Party {
            id: "GB999999999999".into(),
            ..Default::default()
        });
    }
    let filing = scene.file(declaration).await;
    assert_eq!(
        (filing.debt(), filing.status()),
        (wire::DebtState::Assessed, wire::DeclarationStatus::Accepted)
    );
    assert_eq!(
        conditions(&scene.declaration(&filing.declaration_id).await),
        ["DUTY_NOT_SECURED"]
    );
    assert_eq!(
        reason(
            &pay(&scene, "broker-a", pounds(249), &filing.declaration_id)
                .await
                .unwrap_err()
        ),
        "PAYMENT_EXCEEDS_DEBT"
    );
    assert_eq!(
        reason(
            &pay(&scene, "trader-a", pounds(1), &filing.declaration_id)
                .await
                .unwrap_err()
        ),
        "NOT_FOUND"
    );
    assert_eq!(
        pay(&scene, "broker-a", pounds(48), &filing.declaration_id)
            .await
            .unwrap()
            .debt(),
        wire::DebtState::Assessed
    );
    assert_eq!(
        pay(&scene, "broker-a", pounds(200), &filing.declaration_id)
            .await
            .unwrap()
            .debt(),
        wire::DebtState::Paid
    );
    assert_eq!(
        scene.declaration(&filing.declaration_id).await.status(),
        wire::DeclarationStatus::Cleared
    );
    assert_eq!(
        reason(
            &pay(&scene, "broker-a", pounds(1), &filing.declaration_id)
                .await
                .unwrap_err()
        ),
        "DEBT_NOT_PAYABLE"
    );
}

#[tokio::test]
async fn a_payment_under_a_reference_that_was_credited_is_not_credited_again() {
    let scene = Scene::new().await;
    let before = account(&scene, "trader-b").await;
    let send = |party: &'static str, units| pay_under("bank 7", &scene, party, pounds(units), "");
    let sent = join_all((0..5).map(|_| send("trader-b", 300))).await;
    let after = account(&scene, "trader-b").await;
    assert_eq!(
        (after.balance.clone(), after.version),
        (Some(pounds(250_300)), before.version + 1)
    );
    for answer in sent.into_iter().chain([send("trader-b", 300).await]) {
        let account = answer.unwrap().account.unwrap();
        assert_eq!(account.balance, Some(pounds(250_300)));
    }
    let refused = send("trader-b", 250).await.unwrap_err();
    assert_eq!(
        (reason(&refused).as_str(), refused.code()),
        ("PAYMENT_REFERENCE_USED", tonic::Code::AlreadyExists)
    );
    assert_eq!(account(&scene, "trader-b").await, after);
    // Another payer's bank may use the same.
    let other = account(&scene, "trader-a").await;
    send("trader-a", 250).await.unwrap();
    assert_eq!(account(&scene, "trader-a").await.version, other.version + 1);
}

#[tokio::test]
async fn a_payment_for_a_debt_under_a_reference_that_was_credited_is_not_credited_again() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let mut declaration = umbrellas("P-7");
    for party in [&mut declaration.importer, &mut declaration.declarant] {
        *party = Some(wire::Party {
            id: "GB999999999999".into(),
            ..Default::default()
        });
    }
    let filed = scene.file(declaration).await.declaration_id;
    let send = |reference, units| pay_under(reference, &scene, "broker-a", pounds(units), &filed);
    for _ in 0..2 {
        let answer = send("bank 1", 48).await.unwrap();
        assert_eq!(answer.debt(), wire::DebtState::Assessed);
    }
    assert_eq!(
        reason(&send("bank 1", 200).await.unwrap_err()),
        "PAYMENT_REFERENCE_USED"
    );
    // Had the first been credited twice, this would be too much.
    for _ in 0..2 {
        let answer = send("bank 2", 200).await.unwrap();
        assert_eq!(answer.debt(), wire::DebtState::Paid);
    }
    let told = scene.facts(&filed).await;
    let version = scene.declaration(&filed).await.version;
    assert_eq!(
        send("bank 2", 200).await.unwrap().debt(),
        wire::DebtState::Paid
    );
    assert_eq!(scene.facts(&filed).await, told);
    assert_eq!(scene.declaration(&filed).await.version, version);
}

#[tokio::test]
async fn rule_5_an_item_that_the_tariff_does_not_cover_is_assessed_by_an_officer() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let mut declaration = umbrellas("P-2");
    declaration.items[0].classifications.clear();
    let filing = scene.file(declaration).await;
    assert_eq!(
        (filing.outcome(), filing.debt()),
        (wire::FilingOutcome::Accepted, wire::DebtState::Assessed)
    );
    assert!(codes(&filing.warnings).contains(&"TARIFF_LINE_MISSING"));
    let release = |manual_duties| wire::ReleaseDeclarationRequest {
        request_id: id(),
        declaration_id: filing.declaration_id.clone(),
        reason: "reckoned by hand".into(),
        manual_duties,
        ..Default::default()
    };
    assert_eq!(
        reason(
            &scene
                .api
                .release_declaration(officer(release(Vec::new())))
                .await
                .unwrap_err()
        ),
        "MANUAL_DUTY_INVALID"
    );
    let duties = vec![wire::ManualDuty {
        item: 1,
        tax_type: "A00".into(),
        payable: Some(pounds(40)),
    }];
    let after = scene
        .api
        .release_declaration(officer(release(duties)))
        .await
        .unwrap()
        .into_inner()
        .declaration
        .unwrap();
    assert_eq!(
        (after.status(), after.debt()),
        (wire::DeclarationStatus::Cleared, wire::DebtState::Secured)
    );
}

#[tokio::test]
async fn an_account_is_its_payers_and_the_officers() {
    let scene = Scene::new().await;
    let ask = |party: &str| {
        asked(
            party,
            Role::Trader,
            wire::GetAccountRequest {
                payer_party: "trader-a".into(),
            },
        )
    };
    assert!(scene.api.get_account(ask("trader-a")).await.is_ok());
    assert_eq!(
        reason(&scene.api.get_account(ask("trader-b")).await.unwrap_err()),
        "NOT_FOUND"
    );
    let entries = account(&scene, "trader-a").await.entries;
    assert_eq!(
        entries
            .iter()
            .map(|entry| entry.kind.as_str())
            .collect::<Vec<_>>(),
        ["PAID_IN"]
    );
}

#[tokio::test]
async fn rule_5_a_payment_below_the_minor_unit_is_refused_and_changes_nothing() {
    let scene = Scene::new().await;
    let before = account(&scene, "trader-b").await;
    let odd = Money {
        currency_code: "GBP".into(),
        units: 5,
        nanos: 1_000_000,
    };
    let refused = pay(&scene, "trader-b", odd, "").await.unwrap_err();
    assert!(refused.message().contains("minor unit"), "{refused:?}");
    assert_eq!(account(&scene, "trader-b").await, before);
}
