//! Imports from announcement to clearance: the journeys A and E, and what lies between them.

use chassis::Role;
use futures::future::join_all;
use proto::common::v1 as common;
use proto::customs::events::v1::DeclarationFact;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;
use proto::gate::events::v1 as gate;

use crate::support::*;

const LINE: [(&str, Option<u32>); 1] = [("BL1", Some(500))];

fn pre_lodged(lrn: &str) -> wire::Declaration {
    wire::Declaration {
        type_code: "IMD".into(),
        ..umbrellas(lrn)
    }
}

fn visit_key() -> String {
    format!("container/{BOX}")
}

#[tokio::test]
async fn journey_a_a_pre_lodged_import_is_matched_accepted_secured_and_cleared_on_arrival() {
    let scene = Scene::new().await;
    scene.tell(&Told::announced(&LINE)).await;
    let filing = scene.file(pre_lodged("A-1")).await;
    assert_eq!(
        (filing.outcome(), filing.debt()),
        (wire::FilingOutcome::Registered, wire::DebtState::Indicated)
    );
    assert!(
        filing
            .duty
            .as_ref()
            .is_some_and(|duty| duty.indicated && duty.lines.len() == 2)
    );
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.consignments[0].r#match(), wire::MatchState::Matched);
    assert_eq!(conditions(&record), ["GOODS_NOT_ARRIVED"]);
    assert_eq!(record.trader_party, "trader-a");

    scene.tell(&Told::arrived(&LINE)).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (record.status(), record.filing_version),
        (wire::DeclarationStatus::Cleared, 2)
    );
    assert_eq!(
        (record.debt(), record.channel()),
        (wire::DebtState::Secured, wire::Channel::Green)
    );
    assert_eq!(
        scene.notifications(&filing.declaration_id).await,
        ["DMSRCV", "DMSACC", "DMSTAX", "DMSTAX", "DMSCLE"]
    );
    let facts: Vec<_> = scene
        .facts(&filing.declaration_id)
        .await
        .iter()
        .map(|event| event.fact())
        .collect();
    assert_eq!(
        facts,
        [
            DeclarationFact::Registered,
            DeclarationFact::Matched,
            DeclarationFact::Accepted,
            DeclarationFact::Routed,
            DeclarationFact::Debt,
            DeclarationFact::Cleared
        ]
    );
    let clearance = scene.clearance(&visit_key()).await.unwrap();
    let said = &clearance.consignments[0];
    assert_eq!(
        (
            said.released,
            said.cleared,
            said.container_visit_id.as_str()
        ),
        (true, true, "GUOYUAN-PORT/MSKU9070323/1")
    );
    assert_eq!(
        (said.transport_document.as_str(), said.inspection_required()),
        ("BL1", common::InspectionRequired::No)
    );
}

#[tokio::test]
async fn rule_5_duty_of_the_authoritys_example_is_equal_to_the_cent() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let filing = scene.file(umbrellas("A-2")).await;
    let duty = filing.duty.unwrap();
    let payable: Vec<_> = duty
        .lines
        .iter()
        .map(|line| (line.tax_type.as_str(), line.payable.as_ref().unwrap().units))
        .collect();
    assert_eq!(payable, [("A00", 40), ("B00", 208)]);
}

#[tokio::test]
async fn a_declaration_lodged_after_the_arrival_is_accepted_and_cleared_at_once() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let filing = scene.file(pre_lodged("A-3")).await;
    assert_eq!(
        (filing.outcome(), filing.status()),
        (
            wire::FilingOutcome::Accepted,
            wire::DeclarationStatus::Cleared
        )
    );
    assert_eq!(
        scene.notifications(&filing.declaration_id).await,
        ["DMSACC", "DMSTAX", "DMSTAX", "DMSCLE"]
    );
}

#[tokio::test]
async fn rule_13_at_our_sites_our_own_arrival_decides_and_elsewhere_the_filers_word() {
    let scene = Scene::new().await;
    let here = scene.file(umbrellas("A-4")).await;
    assert_eq!(here.outcome(), wire::FilingOutcome::Registered);
    let mut declaration = umbrellas("A-5");
    declaration.goods_location.as_mut().unwrap().name = "WLALONBTW".into();
    let elsewhere = scene.file(declaration).await;
    assert_eq!(
        (elsewhere.outcome(), elsewhere.status()),
        (
            wire::FilingOutcome::Accepted,
            wire::DeclarationStatus::Cleared
        )
    );
    assert!(codes(&elsewhere.warnings).contains(&"ACCEPTED_ON_FILERS_WORD"));
    // What binds to nothing never opens a barrier.
    scene.tell(&Told::arrived(&LINE)).await;
    let said = scene.clearance(&visit_key()).await.unwrap();
    let unbound = said
        .consignments
        .iter()
        .find(|said| said.declaration_id == elsewhere.declaration_id)
        .unwrap();
    assert_eq!(
        (
            unbound.container_visit_id.as_str(),
            unbound.unbound_because.split(": ").next()
        ),
        ("", Some("GOODS_LOCATION_ELSEWHERE"))
    );
}

#[tokio::test]
async fn rule_13_each_container_is_released_only_after_its_own_arrival() {
    let scene = Scene::new().await;
    let mut declaration = pre_lodged("A-6");
    declaration.containers.push(container(OTHER_BOX));
    let filing = scene.file(declaration).await;
    scene.tell(&Told::arrived(&LINE)).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.status(), wire::DeclarationStatus::Released);
    assert_eq!(
        record
            .consignments
            .iter()
            .filter(|consignment| consignment.released_at.is_some())
            .count(),
        1
    );
    assert!(
        scene
            .notifications(&filing.declaration_id)
            .await
            .contains(&"DMSROG".to_owned())
    );
    scene
        .tell(&Told {
            container: OTHER_BOX,
            ..Told::arrived(&LINE)
        })
        .await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.status(), wire::DeclarationStatus::Cleared);
}

#[tokio::test]
async fn rule_15_other_packages_stop_the_release_until_an_officer_decides() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&[("BL1", Some(499))])).await;
    let filing = scene.file(umbrellas("A-7")).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (record.status(), conditions(&record)),
        (wire::DeclarationStatus::Accepted, vec!["GOODS_MISMATCH"])
    );
    let request = wire::OverrideMatchRequest {
        request_id: id(),
        declaration_id: filing.declaration_id.clone(),
        expected_version: record.version,
        container_visit_id: Told::arrived(&LINE).visit_id(),
        transport_document: String::new(),
        reason: "one carton was broken up".into(),
    };
    let after = scene
        .api
        .override_match(officer(request))
        .await
        .unwrap()
        .into_inner()
        .declaration
        .unwrap();
    assert_eq!(
        (after.status(), after.consignments[0].r#match()),
        (
            wire::DeclarationStatus::Cleared,
            wire::MatchState::Overridden
        )
    );
}

#[tokio::test]
async fn rule_15_a_corrected_manifest_matches_again() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&[("BL9", Some(500))])).await;
    let filing = scene.file(umbrellas("A-8")).await;
    assert_eq!(filing.outcome(), wire::FilingOutcome::Registered);
    let said = scene.clearance(&visit_key()).await.unwrap();
    assert_eq!(
        said.consignments[0].unbound_because.split(": ").next(),
        Some("TRANSPORT_DOCUMENT_NOT_ON_MANIFEST")
    );
    scene
        .tell(&Told {
            version: 3,
            ..Told::arrived(&LINE)
        })
        .await;
    assert_eq!(
        scene.declaration(&filing.declaration_id).await.status(),
        wire::DeclarationStatus::Cleared
    );
}

#[tokio::test]
async fn what_was_said_of_goods_that_have_left_stays_of_their_visit_and_nothing_carries_over() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let filing = scene.file(umbrellas("A-9")).await;
    scene.tell(&Told::departed(&LINE)).await;
    // Whoever hears of the departure only later must not take them for goods that nobody has declared.
    let of_first = async || {
        let said = scene.clearance(&visit_key()).await.unwrap();
        let [only] = &said.consignments[..] else {
            panic!("{said:?}");
        };
        assert_eq!(only.container_visit_id, "GUOYUAN-PORT/MSKU9070323/1");
        assert!(only.released, "{said:?}");
    };
    of_first().await;
    scene
        .tell(&Told {
            ordinal: 2,
            ..Told::arrived(&LINE)
        })
        .await;
    of_first().await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        record.consignments[0].container_visit_id,
        "GUOYUAN-PORT/MSKU9070323/1"
    );
}

#[tokio::test]
async fn an_older_word_about_a_visit_changes_nothing() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let filing = scene.file(umbrellas("A-10")).await;
    let before = scene.declaration(&filing.declaration_id).await;
    scene.tell(&Told::announced(&[("BL9", Some(1))])).await;
    scene.tell(&Told::arrived(&LINE)).await;
    assert_eq!(scene.declaration(&filing.declaration_id).await, before);
}

#[tokio::test]
async fn what_gate_says_and_customs_does_not_understand_is_not_applied() {
    let scene = Scene::new().await;
    let unknown = Told {
        phase: proto::gate::events::v1::ContainerVisitPhase::Unspecified,
        ..Told::announced(&LINE)
    };
    assert!(scene.try_to_tell(&unknown).await.is_err());
    let no_container = Told {
        container: "MSKU9070324",
        ..Told::announced(&LINE)
    };
    assert!(scene.try_to_tell(&no_container).await.is_err());
}

#[tokio::test]
async fn journey_e_controls_and_holds_each_withhold_the_release_and_say_who_must_act() {
    let scene = Scene::new().await;
    let mut declaration = pre_lodged("E-1");
    declaration.items[0].description = "TTIMPORTDOCBLOCKING and TTIMPORTPHYSICAL umbrellas".into();
    let filing = scene.file(declaration).await;
    scene.tell(&Told::arrived(&LINE)).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (record.status(), record.channel()),
        (wire::DeclarationStatus::UnderControl, wire::Channel::Red)
    );
    assert_eq!(
        conditions(&record),
        ["DOCUMENTS_CONTROL_OPEN", "PHYSICAL_CONTROL_OPEN"]
    );
    assert!(
        record
            .conditions
            .iter()
            .all(|condition| condition.who == "officer")
    );
    let said = scene
        .clearance(&visit_key())
        .await
        .unwrap()
        .consignments
        .remove(0);
    assert_eq!(
        (
            said.released,
            said.inspection_required(),
            said.conditions.len()
        ),
        (false, common::InspectionRequired::Yes, 2)
    );

    let hold = scene.hold(common::HoldScopeKind::ContainerVisit, BOX).await;
    assert_eq!(
        hold.scope.as_ref().unwrap().key,
        Told::arrived(&LINE).visit_id()
    );
    scene
        .complete(
            &record,
            wire::ControlKind::Documents,
            wire::ControlResult::Conform,
        )
        .await;
    scene
        .complete(
            &record,
            wire::ControlKind::Physical,
            wire::ControlResult::Conform,
        )
        .await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (record.status(), conditions(&record)),
        (wire::DeclarationStatus::UnderControl, vec!["CUSTOMS_HOLD"])
    );
    scene.lift(&hold).await;
    assert_eq!(
        scene.declaration(&filing.declaration_id).await.status(),
        wire::DeclarationStatus::Cleared
    );
    assert!(scene.clearance(&visit_key()).await.unwrap().consignments[0].released);
    let notifications = scene.notifications(&filing.declaration_id).await;
    assert!(
        ["DMSDOC", "DMSCTL", "DMSCLE"]
            .iter()
            .all(|name| notifications.contains(&(*name).to_owned())),
        "{notifications:?}"
    );
}

#[tokio::test]
async fn rule_2_a_hold_after_the_release_withholds_the_goods_and_takes_nothing_back() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let filing = scene.file(umbrellas("E-2")).await;
    let hold = scene
        .hold(common::HoldScopeKind::Declaration, &filing.declaration_id)
        .await;
    let second = scene
        .hold(common::HoldScopeKind::Declaration, &filing.declaration_id)
        .await;
    assert_eq!(
        scene.declaration(&filing.declaration_id).await.status(),
        wire::DeclarationStatus::Cleared
    );
    assert!(!scene.clearance(&visit_key()).await.unwrap().consignments[0].released);
    scene.lift(&hold).await;
    assert!(
        !scene.clearance(&visit_key()).await.unwrap().consignments[0].released,
        "lifting one lifts no other"
    );
    scene.lift(&second).await;
    scene.lift(&second).await;
    assert!(scene.clearance(&visit_key()).await.unwrap().consignments[0].released);
    assert_eq!(scene.outbox("customs.hold").await.len(), 4);
}

#[tokio::test]
async fn a_control_that_found_something_needs_an_officers_release() {
    let scene = Scene::new().await;
    let mut declaration = umbrellas("E-3");
    declaration.items[0].description = "TTIMPORTPHYSICAL".into();
    scene.tell(&Told::arrived(&LINE)).await;
    let filing = scene.file(declaration).await;
    let release = || wire::ReleaseDeclarationRequest {
        request_id: id(),
        declaration_id: filing.declaration_id.clone(),
        reason: "a wrong colour, no harm".into(),
        ..Default::default()
    };
    let refused = scene
        .api
        .release_declaration(officer(release()))
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "NOT_RELEASABLE");
    let record = scene.declaration(&filing.declaration_id).await;
    scene
        .complete(
            &record,
            wire::ControlKind::Physical,
            wire::ControlResult::NotConform,
        )
        .await;
    assert_eq!(
        conditions(&scene.declaration(&filing.declaration_id).await),
        ["OFFICER_DECISION"]
    );
    let after = scene
        .api
        .release_declaration(officer(release()))
        .await
        .unwrap()
        .into_inner()
        .declaration
        .unwrap();
    assert_eq!(after.status(), wire::DeclarationStatus::Cleared);
}

#[tokio::test]
async fn rule_3_an_officer_routes_again_and_what_is_not_asked_any_more_is_withdrawn() {
    let scene = Scene::new().await;
    let mut declaration = umbrellas("E-4");
    declaration.items[0].description = "TTIMPORTPHYSICAL".into();
    scene.tell(&Told::arrived(&LINE)).await;
    let filing = scene.file(declaration).await;
    let reroute = |channel: wire::Channel| wire::RerouteDeclarationRequest {
        request_id: id(),
        declaration_id: filing.declaration_id.clone(),
        channel: channel.into(),
        reason: "known goods".into(),
        ..Default::default()
    };
    let yellow = scene
        .api
        .reroute_declaration(officer(reroute(wire::Channel::Yellow)))
        .await
        .unwrap()
        .into_inner()
        .declaration
        .unwrap();
    assert_eq!(conditions(&yellow), ["DOCUMENTS_CONTROL_OPEN"]);
    let blue = scene
        .api
        .reroute_declaration(officer(reroute(wire::Channel::Blue)))
        .await
        .unwrap()
        .into_inner()
        .declaration
        .unwrap();
    assert_eq!(
        blue.status(),
        wire::DeclarationStatus::Released,
        "released, audited later"
    );
    scene
        .complete(
            &blue,
            wire::ControlKind::Documents,
            wire::ControlResult::Conform,
        )
        .await;
    assert_eq!(
        scene.declaration(&filing.declaration_id).await.status(),
        wire::DeclarationStatus::Cleared
    );
    let late = scene
        .api
        .reroute_declaration(officer(reroute(wire::Channel::Red)))
        .await
        .unwrap_err();
    assert_eq!(reason(&late), "ALREADY_CLEARED");
}

#[tokio::test]
async fn rule_3_a_channel_whose_controls_have_no_room_any_more_is_refused_whole() {
    let scene = Scene::new().await;
    let mut declaration = umbrellas("E-4B");
    declaration.items[0].description = "TTIMPORTPHYSICAL".into();
    scene.tell(&Told::arrived(&LINE)).await;
    let filing = scene.file(declaration).await;
    let order = || wire::OpenControlRequest {
        request_id: id(),
        declaration_id: filing.declaration_id.clone(),
        kind: wire::ControlKind::Agency.into(),
        reason: "samples for the laboratory".into(),
        ..Default::default()
    };
    let full = scene.declaration(&filing.declaration_id).await;
    let ordered = (full.controls.len()..100).map(|_| scene.api.open_control(officer(order())));
    for answer in join_all(ordered).await {
        answer.unwrap();
    }
    let refused = scene.api.open_control(officer(order())).await.unwrap_err();
    assert_eq!(reason(&refused), "TOO_MANY_CONTROLS");
    let before = scene.declaration(&filing.declaration_id).await;
    let blue = wire::RerouteDeclarationRequest {
        request_id: id(),
        declaration_id: filing.declaration_id.clone(),
        channel: wire::Channel::Blue.into(),
        reason: "known goods".into(),
        ..Default::default()
    };
    let refused = scene.api.reroute_declaration(officer(blue)).await;
    assert_eq!(reason(&refused.unwrap_err()), "TOO_MANY_CONTROLS");
    assert_eq!(scene.declaration(&filing.declaration_id).await, before);
}

#[tokio::test]
async fn goods_without_a_container_are_presented_and_released_by_transport_document() {
    let scene = Scene::new().await;
    let mut declaration = pre_lodged("E-5");
    declaration.containers.clear();
    let filing = scene.file(declaration).await;
    assert_eq!(filing.outcome(), wire::FilingOutcome::Registered);
    let present = |party: &str, role| {
        let request = wire::PresentGoodsRequest {
            request_id: id(),
            declaration_id: filing.declaration_id.clone(),
            reason: "on the quay".into(),
            ..Default::default()
        };
        asked(party, role, request)
    };
    let refused = scene
        .api
        .present_goods(present("centre-gate", Role::Terminal))
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "NOT_FOUND", "another site's terminal");
    let after = scene
        .api
        .present_goods(present("terminal", Role::Terminal))
        .await
        .unwrap()
        .into_inner()
        .declaration
        .unwrap();
    assert_eq!(
        (after.status(), after.filing_version),
        (wire::DeclarationStatus::Cleared, 2)
    );
    assert!(
        scene
            .clearance("transport-document/BL1")
            .await
            .unwrap()
            .consignments[0]
            .released
    );
}

#[tokio::test]
async fn goods_bound_to_a_visit_are_not_presented() {
    let scene = Scene::new().await;
    scene.tell(&Told::announced(&LINE)).await;
    let filing = scene.file(pre_lodged("E-6")).await;
    let request = wire::PresentGoodsRequest {
        request_id: id(),
        declaration_id: filing.declaration_id,
        reason: "there".into(),
        ..Default::default()
    };
    assert_eq!(
        reason(&scene.api.present_goods(officer(request)).await.unwrap_err()),
        "ARRIVAL_DECIDED_BY_VISIT"
    );
}

#[tokio::test]
async fn rule_9_a_stale_version_is_refused_with_the_current_one() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let filing = scene.file(umbrellas("E-7")).await;
    let request = wire::OpenControlRequest {
        request_id: id(),
        declaration_id: filing.declaration_id.clone(),
        expected_version: 1,
        kind: wire::ControlKind::Physical.into(),
        blocking: true,
        reason: "a tip".into(),
    };
    let refused = scene.api.open_control(officer(request)).await.unwrap_err();
    assert_eq!(reason(&refused), "STALE_VERSION");
}

#[tokio::test]
async fn a_supplementary_declaration_and_one_that_goes_no_way_release_nothing_under_a_container() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let special = under("0020", umbrellas("S-2"));
    for (type_code, declaration) in [("IMY", umbrellas("S-1")), ("COJ", special)] {
        let filing = scene
            .file(wire::Declaration {
                type_code: type_code.into(),
                ..declaration
            })
            .await;
        assert_eq!(
            filing.outcome(),
            wire::FilingOutcome::Accepted,
            "{type_code}"
        );
    }
    assert!(scene.clearance(&visit_key()).await.is_none());
}

#[tokio::test]
async fn rule_13_special_goods_at_our_site_are_matched_and_our_own_arrival_accepts_them() {
    let scene = Scene::new().await;
    scene.tell(&Told::announced(&LINE)).await;
    let special = |lrn| wire::Declaration {
        type_code: "COA".into(),
        ..umbrellas(lrn)
    };
    let filing = scene.file(special("CO-1")).await;
    assert_eq!(filing.outcome(), wire::FilingOutcome::Registered);
    assert!(!codes(&filing.warnings).contains(&"ACCEPTED_ON_FILERS_WORD"));
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.consignments[0].r#match(), wire::MatchState::Matched);
    assert_eq!(conditions(&record), ["GOODS_NOT_ARRIVED"]);
    let said = scene.clearance(&visit_key()).await.unwrap().consignments;
    assert_eq!(
        (said[0].direction.as_str(), said[0].released),
        ("IMPORT", false)
    );

    scene.tell(&Told::arrived(&LINE)).await;
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(
        (record.status(), record.debt(), record.direction.as_str()),
        (
            wire::DeclarationStatus::Cleared,
            wire::DebtState::Secured,
            "IMPORT"
        )
    );
    let said = scene.clearance(&visit_key()).await.unwrap().consignments;
    assert_eq!(
        (said[0].released, said[0].container_visit_id.as_str()),
        (true, "GUOYUAN-PORT/MSKU9070323/1")
    );

    // A container that nobody has announced keeps it unbound.
    let unknown = scene
        .file(wire::Declaration {
            containers: vec![container(OTHER_BOX)],
            ..special("CO-2")
        })
        .await;
    assert_eq!(unknown.outcome(), wire::FilingOutcome::Registered);
    let record = scene.declaration(&unknown.declaration_id).await;
    assert!(conditions(&record).contains(&"GOODS_UNBOUND"));
}

#[tokio::test]
async fn rule_13_special_goods_elsewhere_or_that_nothing_can_bind_are_accepted_on_the_filers_word()
{
    let scene = Scene::new().await;
    scene.tell(&Told::announced(&LINE)).await;
    let special = |lrn| wire::Declaration {
        type_code: "COA".into(),
        ..umbrellas(lrn)
    };
    let elsewhere = wire::Declaration {
        goods_location: None,
        ..special("CO-3")
    };
    let loose = wire::Declaration {
        containers: Vec::new(),
        ..special("CO-4")
    };
    for declaration in [elsewhere, loose] {
        let filing = scene.file(declaration).await;
        assert_eq!(filing.status(), wire::DeclarationStatus::Cleared);
        assert!(codes(&filing.warnings).contains(&"ACCEPTED_ON_FILERS_WORD"));
    }
}

#[tokio::test]
async fn bonded_goods_are_no_import_for_pick_up() {
    let scene = Scene::new().await;
    scene.tell(&Told::arrived(&LINE)).await;
    let mut declaration = umbrellas("B-1");
    for procedure in declaration
        .items
        .iter_mut()
        .flat_map(|item| &mut item.procedures)
        .filter(|procedure| !procedure.previous_code.is_empty())
    {
        procedure.current_code = "71".into();
    }
    let filing = scene.file(declaration).await;
    assert_eq!(
        (filing.debt(), filing.status()),
        (wire::DebtState::Suspended, wire::DeclarationStatus::Cleared)
    );
    // Into bond is no import for pick-up: it opens no import barrier.
    let told = scene.clearance(&visit_key()).await.unwrap();
    assert_eq!(told.consignments[0].direction, "NONE");
}

#[tokio::test]
async fn rule_13_an_arrival_counts_even_where_gates_clock_is_ahead_of_ours_or_says_no_time() {
    let ahead = chassis::convert::timestamp(chrono::Utc::now() + chrono::Duration::hours(1));
    let recorded = Some(chassis::convert::timestamp(noon()));
    for (lrn, arrived_at) in [("A-30", Some(ahead)), ("A-31", None)] {
        let scene = Scene::new().await;
        scene.tell(&Told::announced(&LINE)).await;
        let filing = scene.file(pre_lodged(lrn)).await;
        let told = Told::arrived(&LINE);
        let event = gate::ContainerVisitEvent {
            fact: gate::ContainerVisitFact::Arrived.into(),
            recorded_at: recorded,
            visit: Some(gate::ContainerVisit {
                container_visit_id: told.visit_id(),
                site_id: PORT.into(),
                container_number: BOX.into(),
                ordinal: 1,
                version: 2,
                phase: gate::ContainerVisitPhase::Arrived.into(),
                manifest_lines: vec![gate::ManifestLine {
                    transport_document: "BL1".into(),
                    packages: Some(500),
                    ..Default::default()
                }],
                arrived_at,
                ..Default::default()
            }),
            ..Default::default()
        };
        scene
            .fabric
            .apply(
                "gate.container-visit",
                &format!("{PORT}/{BOX}"),
                "greenlane.gate.container-visit.arrived",
                prost::Message::encode_to_vec(&event),
            )
            .await
            .unwrap();
        let record = scene.declaration(&filing.declaration_id).await;
        assert_eq!(record.status(), wire::DeclarationStatus::Cleared, "{lrn}");
    }
}
