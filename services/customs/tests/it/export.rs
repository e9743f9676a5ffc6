//! Exports from pre-lodging to exit: the journey B.

use chassis::Role;
use customs::Customs;
use customs::app::Input;
use proto::customs::events::v1::DeclarationFact;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;
use proto::gate::events::v1 as gate;

use crate::support::*;

/// trader-a's umbrellas, sent out in these containers.
fn export(lrn: &str, type_code: &str, containers: &[&str]) -> wire::Declaration {
    let goods = under("1000", umbrellas(lrn));
    wire::Declaration {
        type_code: type_code.into(),
        containers: containers.iter().map(|number| container(number)).collect(),
        exporter: goods.importer.clone(),
        importer: None,
        ..goods
    }
}

fn key(container: &str) -> String {
    format!("container/{container}")
}

#[tokio::test]
async fn journey_b_a_truck_brings_the_container_it_may_load_and_it_exits_by_train() {
    let scene = Scene::new().await;
    let filing = scene.file(export("X-1", "EXD", &[BOX])).await;
    assert_eq!(filing.outcome(), wire::FilingOutcome::Registered);
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.exit(), wire::ExitState::None);

    scene.tell(&Told::brought(BOX, &[&filing.mrn])).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (record.status(), record.filing_version, record.debt()),
        (wire::DeclarationStatus::Cleared, 2, wire::DebtState::None)
    );
    let said = scene.clearance(&key(BOX)).await.unwrap().consignments;
    assert_eq!(said.len(), 1);
    assert_eq!(
        (
            said[0].released,
            said[0].direction.as_str(),
            said[0].container_visit_id.as_str()
        ),
        (true, "EXPORT", "GUOYUAN-PORT/MSKU9070323/1")
    );

    scene.tell(&Told::gone(BOX, "X8201")).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (record.status(), record.exit()),
        (wire::DeclarationStatus::Cleared, wire::ExitState::Exited)
    );
    let facts = scene.facts(&filing.declaration_id).await;
    let last = facts.last().unwrap();
    assert_eq!(last.fact(), DeclarationFact::Exited);
    let state = last.declaration.clone().unwrap();
    assert_eq!(
        (state.exit.as_str(), state.site_id.as_str()),
        ("EXITED", PORT)
    );
    let told = scene.notifications(&filing.declaration_id).await;
    assert_eq!(told.last().map(String::as_str), Some("DMSEOG"));
}

#[tokio::test]
async fn rule_13_at_our_site_an_export_that_says_arrived_is_accepted_by_our_own_arrival() {
    let scene = Scene::new().await;
    let filing = scene.file(export("X-2", "EXA", &[BOX])).await;
    assert_eq!(filing.outcome(), wire::FilingOutcome::Registered);
    // The same container by train is no export.
    scene.tell(&Told::arrived(&[("BL1", Some(500))])).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.status(), wire::DeclarationStatus::Registered);
    scene
        .tell(&Told {
            ordinal: 2,
            ..Told::brought(BOX, &[])
        })
        .await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (
            record.status(),
            record.consignments[0].container_visit_id.as_str()
        ),
        (
            wire::DeclarationStatus::Cleared,
            "GUOYUAN-PORT/MSKU9070323/2"
        )
    );
}

#[tokio::test]
async fn rule_13_special_goods_that_go_out_arrive_by_truck_and_exit_as_an_export_does() {
    for named in [true, false] {
        let scene = Scene::new().await;
        let containers: &[&str] = if named { &[BOX] } else { &[] };
        // One that names no container is found by its number, which the truck's filing names.
        let filing = scene.file(export("X-2B", "COD", containers)).await;
        assert_eq!(filing.outcome(), wire::FilingOutcome::Registered);
        scene.tell(&Told::brought(BOX, &[&filing.mrn])).await;
        let record = scene.declaration(&filing.declaration_id).await;
        assert_eq!(
            (record.status(), record.trader_party.as_str()),
            (wire::DeclarationStatus::Cleared, "trader-a"),
            "{named}"
        );
        let said = scene.clearance(&key(BOX)).await.unwrap().consignments;
        assert_eq!(
            (said[0].released, said[0].direction.as_str()),
            (true, "EXPORT")
        );
        scene.tell(&Told::gone(BOX, "X8201")).await;
        let record = scene.declaration(&filing.declaration_id).await;
        assert_eq!(record.exit(), wire::ExitState::Exited);
    }
}

#[tokio::test]
async fn an_export_that_is_filed_after_its_truck_has_come_is_accepted_at_once() {
    let scene = Scene::new().await;
    scene.tell(&Told::brought(BOX, &["X-3"])).await;
    let filing = scene.file(export("X-3", "EXD", &[BOX])).await;
    assert_eq!(
        (filing.outcome(), filing.status()),
        (
            wire::FilingOutcome::Accepted,
            wire::DeclarationStatus::Cleared
        )
    );
}

#[tokio::test]
async fn an_export_without_a_container_is_found_by_its_number_or_reference_before_or_after() {
    for (filed_first, by_number) in [(true, true), (true, false), (false, false)] {
        let scene = Scene::new().await;
        let mut name = "X-4".to_owned();
        let mut filing = None;
        if filed_first {
            let filed = scene.file(export("X-4", "EXD", &[])).await;
            if by_number {
                name = filed.mrn.clone();
            }
            filing = Some(filed);
        }
        scene.tell(&Told::brought(OTHER_BOX, &[&name])).await;
        let filing = match filing {
            Some(filing) => filing,
            None => scene.file(export("X-4", "EXD", &[])).await,
        };
        let record = scene.declaration(&filing.declaration_id).await;
        assert_eq!(
            record.status(),
            wire::DeclarationStatus::Cleared,
            "filed first {filed_first}, by number {by_number}"
        );
        let said = scene.clearance(&key(OTHER_BOX)).await.unwrap();
        assert!(said.consignments[0].released);
        // A second truck of the same declaration is released after its own arrival.
        scene.tell(&Told::brought(BOX, &[&filing.mrn])).await;
        let said = scene.clearance(&key(BOX)).await.unwrap();
        assert!(said.consignments[0].released);
        scene.tell(&Told::gone(OTHER_BOX, "X8201")).await;
        let exit = |record: wire::DeclarationRecord| record.exit();
        assert_eq!(
            exit(scene.declaration(&filing.declaration_id).await),
            wire::ExitState::None
        );
        scene.tell(&Told::gone(BOX, "X8201")).await;
        assert_eq!(
            exit(scene.declaration(&filing.declaration_id).await),
            wire::ExitState::Exited
        );
    }
}

#[tokio::test]
async fn a_reference_that_two_filers_have_names_neither_and_a_number_is_never_a_reference() {
    let scene = Scene::new().await;
    let of_b = |lrn: &str| {
        let mut declaration = export(lrn, "EXD", &[]);
        for party in [&mut declaration.exporter, &mut declaration.declarant] {
            *party = Some(wire::Party {
                id: TRADER_B_EORI.into(),
                ..Default::default()
            });
        }
        declaration
    };
    let one = scene.file(export("SAME", "EXD", &[])).await;
    let other = scene.try_file("broker-b", of_b("SAME")).await.unwrap();
    // A filer who takes another's number for its reference gets nothing by it.
    let thief = scene.try_file("broker-b", of_b(&one.mrn)).await.unwrap();
    scene.tell(&Told::brought(BOX, &["SAME"])).await;
    for filing in [&one, &other, &thief] {
        assert_eq!(
            scene.declaration(&filing.declaration_id).await.status(),
            wire::DeclarationStatus::Registered
        );
    }
    scene
        .tell(&Told {
            version: 2,
            ..Told::brought(BOX, &["SAME", &one.mrn])
        })
        .await;
    let status = |record: wire::DeclarationRecord| record.status();
    assert_eq!(
        status(scene.declaration(&one.declaration_id).await),
        wire::DeclarationStatus::Cleared
    );
    for filing in [&other, &thief] {
        assert_eq!(
            status(scene.declaration(&filing.declaration_id).await),
            wire::DeclarationStatus::Registered
        );
    }
}

#[tokio::test]
async fn rule_10_an_export_over_two_containers_is_accepted_with_the_first_and_exits_with_the_last()
{
    let scene = Scene::new().await;
    let filing = scene.file(export("X-5", "EXD", &[BOX, OTHER_BOX])).await;
    scene.tell(&Told::brought(BOX, &[&filing.mrn])).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.status(), wire::DeclarationStatus::Released);
    assert_eq!(conditions(&record), ["GOODS_UNBOUND"]);
    scene.tell(&Told::gone(BOX, "X8201")).await;
    scene.tell(&Told::brought(OTHER_BOX, &[&filing.mrn])).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (record.status(), record.exit()),
        (wire::DeclarationStatus::Cleared, wire::ExitState::None)
    );
    scene.tell(&Told::gone(OTHER_BOX, "barge 7")).await;
    assert_eq!(
        scene.declaration(&filing.declaration_id).await.exit(),
        wire::ExitState::Exited
    );
}

#[tokio::test]
async fn a_container_that_a_truck_takes_away_again_is_no_exit_and_its_next_stay_is_not_released() {
    let scene = Scene::new().await;
    let filing = scene.file(export("X-6", "EXD", &[BOX])).await;
    scene.tell(&Told::brought(BOX, &[&filing.mrn])).await;
    scene.tell(&Told::gone(BOX, "")).await;
    assert_eq!(
        scene.declaration(&filing.declaration_id).await.exit(),
        wire::ExitState::None
    );
    scene
        .tell(&Told {
            ordinal: 2,
            ..Told::brought(BOX, &[&filing.mrn])
        })
        .await;
    let said = scene.clearance(&key(BOX)).await.unwrap();
    let first = "GUOYUAN-PORT/MSKU9070323/1";
    let mut visits = said.consignments.iter().map(|one| &one.container_visit_id);
    assert!(visits.all(|visit| visit == first), "{said:?}");
    // What never left the country is void, and leaves its container free for another declaration.
    let void = scene.invalidate(&filing.declaration_id).await.unwrap();
    assert_eq!(void.status(), wire::DeclarationStatus::Invalidated);
    let again = scene.file(export("X-6b", "EXD", &[BOX])).await;
    assert_eq!(again.status(), wire::DeclarationStatus::Cleared);
}

#[tokio::test]
async fn an_export_that_does_not_leave_in_time_is_overdue_once_and_may_exit_later() {
    let scene = Scene::with(Customs {
        exit_overdue_days: 0,
        ..service()
    })
    .await;
    let filing = scene.file(export("X-7", "EXD", &[BOX])).await;
    scene.tick(Input::LookForExits).await;
    assert_eq!(
        scene.declaration(&filing.declaration_id).await.exit(),
        wire::ExitState::None,
        "what was not released is not awaited"
    );
    scene.tell(&Told::brought(BOX, &[&filing.mrn])).await;
    scene.tick(Input::LookForExits).await;
    scene.tick(Input::LookForExits).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.exit(), wire::ExitState::Overdue);
    let told = scene.notifications(&filing.declaration_id).await;
    assert_eq!(told.iter().filter(|name| *name == "DMSGER").count(), 1);
    scene.tell(&Told::gone(BOX, "X8201")).await;
    assert_eq!(
        scene.declaration(&filing.declaration_id).await.exit(),
        wire::ExitState::Exited
    );
}

#[tokio::test]
async fn an_export_is_not_overdue_before_its_days_are_over() {
    let scene = Scene::new().await;
    let filing = scene.file(export("X-8", "EXD", &[BOX])).await;
    scene.tell(&Told::brought(BOX, &[&filing.mrn])).await;
    scene.tick(Input::LookForExits).await;
    assert_eq!(
        scene.declaration(&filing.declaration_id).await.exit(),
        wire::ExitState::None
    );
}

#[tokio::test]
async fn a_check_in_that_was_a_mistake_leaves_the_export_unbound() {
    let scene = Scene::new().await;
    let mut declaration = export("X-9", "EXD", &[BOX]);
    declaration.items[0].description = "ttimportphysical".into();
    let filing = scene.file(declaration).await;
    scene.tell(&Told::brought(BOX, &[&filing.mrn])).await;
    scene
        .tell(&Told {
            version: 2,
            phase: gate::ContainerVisitPhase::ShortLanded,
            ..Told::brought(BOX, &[&filing.mrn])
        })
        .await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.consignments[0].container_visit_id, "");
    assert!(conditions(&record).contains(&"GOODS_UNBOUND"));
}

#[tokio::test]
async fn an_officer_binds_an_export_to_the_container_that_a_truck_did_bring() {
    let scene = Scene::new().await;
    let filing = scene.file(export("X-10", "EXD", &[BOX])).await;
    scene.tell(&Told::brought(OTHER_BOX, &[])).await;
    let request = wire::OverrideMatchRequest {
        request_id: id(),
        declaration_id: filing.declaration_id.clone(),
        container_visit_id: format!("{PORT}/{OTHER_BOX}/1"),
        reason: "the goods were stuffed into the other box".into(),
        ..Default::default()
    };
    let after = scene
        .api
        .override_match(asked("officer-1", Role::Officer, request))
        .await
        .unwrap()
        .into_inner()
        .declaration
        .unwrap();
    assert_eq!(after.status(), wire::DeclarationStatus::Released);
    assert!(scene.clearance(&key(OTHER_BOX)).await.unwrap().consignments[0].released);
}
