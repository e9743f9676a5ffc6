//! The journeys, as far as release has a part in them.

use chassis::convert::timestamp;
use chrono::Duration;
use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use proto::release::v1 as api;
use proto::release::v1::release_service_server::ReleaseService;

use crate::world::{
    CONTAINER, DOCUMENT, VISIT, World, arrived, call, consignment, customs_condition, departed,
    fresh, line, noon, visit,
};

#[tokio::test]
async fn journey_a_an_import_is_granted_when_the_last_condition_is_met_and_consumed_when_it_leaves()
{
    let world = World::new().await;
    world.announced().await;
    assert_eq!(
        world.why("terminal").await,
        ["NOT_ARRIVED", "NOT_DECLARED", "COMMERCIAL_RELEASE_MISSING"]
    );
    world.clearance(vec![consignment(false, Vec::new())]).await;
    assert_eq!(
        world.why("broker-a").await,
        [
            "NOT_ARRIVED",
            "CUSTOMS_NOT_RELEASED",
            "COMMERCIAL_RELEASE_MISSING"
        ]
    );
    world
        .pre_arrival("haulier-a", gate::PreArrivalFact::Submitted)
        .await;
    world.arrived().await;
    assert_eq!(
        world.why("haulier-a").await,
        [
            "CUSTOMS_NOT_RELEASED",
            "COMMERCIAL_RELEASE_MISSING",
            "NOT_AVAILABLE"
        ]
    );
    world.customs_released().await;
    world.line_releases_to("haulier-a").await;
    assert_eq!(world.why("haulier-a").await, ["NOT_AVAILABLE"]);
    world.available().await;
    let explained = world.explain("haulier-a").await.unwrap();
    assert!(explained.may_leave);
    assert!(explained.consignments[0].customs_released);
    let decision = world.decisions().await.pop().unwrap();
    assert_eq!(
        (
            decision.state.as_str(),
            decision.haulier_party.as_str(),
            decision.journey.as_str()
        ),
        ("GRANTED", "haulier-a", "IMPORT_PICK_UP")
    );
    assert!(decision.conditions.is_empty() && !decision.evidence.is_empty());
    world.departed().await;
    assert_eq!(world.state().await, "CONSUMED");
    let versions: Vec<u64> = world
        .decisions()
        .await
        .iter()
        .map(|decision| decision.version)
        .collect();
    assert_eq!(
        versions,
        (1..=u64::try_from(versions.len()).unwrap()).collect::<Vec<_>>(),
        "versions count up by one"
    );
}

#[tokio::test]
async fn rule_3_in_journey_e_why_names_who_must_act_since_when_and_on_what_evidence_until_each_has()
{
    let world = World::new().await;
    world.announced().await;
    world
        .pre_arrival("haulier-a", gate::PreArrivalFact::Blocked)
        .await;
    world.arrived().await;
    world.available().await;
    world.line_releases_to("haulier-a").await;
    let controls = vec![
        customs_condition("DOCUMENTS_CONTROL"),
        customs_condition("PHYSICAL_CONTROL"),
    ];
    world.clearance(vec![consignment(false, controls)]).await;
    world
        .hold("gate", "T1", common::HoldKind::Terminal, false)
        .await;
    world
        .hold("customs", "H1", common::HoldKind::Customs, false)
        .await;

    let release = world.explain("haulier-a").await.unwrap().release.unwrap();
    let read: Vec<(&str, &str)> = release
        .conditions
        .iter()
        .map(|condition| (condition.code.as_str(), condition.who.as_str()))
        .collect();
    assert_eq!(
        read,
        [
            ("DOCUMENTS_CONTROL", "officer"),
            ("PHYSICAL_CONTROL", "officer"),
            ("CUSTOMS_HOLD", "officer"),
            ("TERMINAL_HOLD", "terminal")
        ]
    );
    for condition in &release.conditions {
        assert!(
            condition.since.is_some()
                && !condition.evidence.is_empty()
                && !condition.description.is_empty(),
            "{condition:?}"
        );
    }

    world.clearance(vec![consignment(false, Vec::new())]).await;
    assert_eq!(
        world.why("haulier-a").await,
        ["CUSTOMS_HOLD", "TERMINAL_HOLD"],
        "the hold says why customs has not released"
    );
    world
        .hold("customs", "H1", common::HoldKind::Customs, true)
        .await;
    world.customs_released().await;
    assert_eq!(world.why("haulier-a").await, ["TERMINAL_HOLD"]);
    assert_eq!(world.state().await, "WITHHELD");
    world
        .hold("gate", "T1", common::HoldKind::Terminal, true)
        .await;
    assert_eq!(world.state().await, "GRANTED");
    assert!(
        world
            .facts_told("haulier-a")
            .await
            .contains(&"RELEASE_GRANTED".to_owned())
    );
}

#[tokio::test]
async fn rule_1_a_release_never_carries_over_to_the_next_visit() {
    let world = World::new().await;
    world.granted().await;
    world.departed().await;
    let again = "GUOYUAN-PORT/MRKU4976720/2";
    let second = gate::ContainerVisit {
        container_visit_id: again.into(),
        ordinal: 2,
        phase: gate::ContainerVisitPhase::Arrived.into(),
        arrived_at: Some(timestamp(noon())),
        available: true,
        ..visit()
    };
    world.visit(gate::ContainerVisitFact::Arrived, second).await;
    let release = world.explain("terminal").await.unwrap().release.unwrap();
    assert_eq!(
        release.container_visit_id, again,
        "the open stay is explained before the one that is over"
    );
    let codes: Vec<&str> = release
        .conditions
        .iter()
        .map(|condition| condition.code.as_str())
        .collect();
    assert_eq!(codes, ["NOT_DECLARED", "COMMERCIAL_RELEASE_MISSING"]);
    // Given anew, after the first stay, it counts for the second.
    world.line_revokes().await;
    world.line_releases_to("haulier-a").await;
    let release = world.explain("terminal").await.unwrap().release.unwrap();
    let codes: Vec<&str> = release
        .conditions
        .iter()
        .map(|condition| condition.code.as_str())
        .collect();
    assert_eq!(codes, ["NOT_DECLARED"]);
}

#[tokio::test]
async fn groupage_leaves_only_when_every_consignment_is_covered_and_all_lines_name_one_haulier() {
    let world = World::new().await;
    let groupage = gate::ContainerVisit {
        manifest_lines: vec![line(DOCUMENT, "line-a"), line("TD-0002", "line-b")],
        phase: gate::ContainerVisitPhase::Arrived.into(),
        arrived_at: Some(timestamp(noon())),
        available: true,
        ..visit()
    };
    world
        .visit(gate::ContainerVisitFact::Arrived, groupage)
        .await;
    world.line_releases_to("haulier-a").await;
    world.customs_released().await;
    assert_eq!(
        world.why("terminal").await,
        ["NOT_DECLARED", "COMMERCIAL_RELEASE_MISSING"]
    );
    let second = customs::ConsignmentClearance {
        declaration_id: "declaration-2".into(),
        transport_document: "TD-0002".into(),
        filer_party: "broker-b".into(),
        ..consignment(true, Vec::new())
    };
    world
        .clearance(vec![consignment(true, Vec::new()), second])
        .await;
    let request = api::GrantCommercialReleaseRequest {
        request_id: fresh(),
        transport_document: "TD-0002".into(),
        haulier_party: "haulier-b".into(),
        ..api::GrantCommercialReleaseRequest::default()
    };
    world
        .handlers
        .grant_commercial_release(call("line-b", request))
        .await
        .unwrap();
    assert_eq!(
        world.why("terminal").await,
        ["COMMERCIAL_RELEASES_DISAGREE"]
    );
}

#[tokio::test]
async fn an_unbound_declaration_is_shown_with_its_reason_and_never_counted() {
    let world = World::new().await;
    world.arrived().await;
    let unbound = customs::ConsignmentClearance {
        container_visit_id: String::new(),
        unbound_because: "it names no transport document".into(),
        ..consignment(true, Vec::new())
    };
    world.clearance(vec![unbound]).await;
    let explained = world.explain("terminal").await.unwrap();
    assert_eq!(
        explained.unbound_declarations[0].reason,
        "it names no transport document"
    );
    let release = explained.release.unwrap();
    assert_eq!(release.conditions[0].code, "NOT_DECLARED");
    assert!(
        release.conditions[0]
            .description
            .contains("it names no transport document")
    );
    assert!(!explained.consignments[0].customs_released);
}

#[tokio::test]
async fn an_export_or_supplementary_declaration_releases_no_pick_up() {
    let world = World::new().await;
    world.arrived().await;
    for (direction, missing) in [("EXPORT", "NOT_DECLARED"), ("NONE", "NOT_FOR_PICK_UP")] {
        let other = customs::ConsignmentClearance {
            direction: direction.into(),
            ..consignment(true, Vec::new())
        };
        world.clearance(vec![other]).await;
        assert!(
            world.why("terminal").await.contains(&missing.to_owned()),
            "{direction}"
        );
    }
}

#[tokio::test]
async fn a_manifest_without_transport_documents_cannot_be_matched() {
    let world = World::new().await;
    let bare = gate::ContainerVisit {
        manifest_lines: Vec::new(),
        ..visit()
    };
    world.visit(gate::ContainerVisitFact::Announced, bare).await;
    assert_eq!(
        world.why("terminal").await,
        ["NOT_ARRIVED", "TRANSPORT_DOCUMENT_MISSING"]
    );
}

#[tokio::test]
async fn an_empty_and_goods_of_a_stock_list_that_came_by_truck_are_not_decided_here() {
    let by_truck = || gate::ContainerVisit {
        arrival_mode: gate::TransportMode::Truck.into(),
        manifest_lines: Vec::new(),
        ..arrived()
    };
    let empty = gate::ContainerVisit {
        empty: true,
        ..by_truck()
    };
    let into_bond = gate::ContainerVisit {
        list_number: "SL2600000001".into(),
        ..by_truck()
    };
    for came in [empty, into_bond] {
        let world = World::new().await;
        world.visit(gate::ContainerVisitFact::Arrived, came).await;
        let release = world.explain("terminal").await.unwrap().release.unwrap();
        assert_eq!(release.state(), api::ReleaseState::NotDecided);
        assert_eq!(release.conditions[0].code, "NOT_DECIDED_HERE");
        assert!(world.decisions().await.is_empty());
    }
}

#[tokio::test]
async fn rule_5_a_condition_that_falls_away_asks_gate_and_its_answer_is_told_to_everyone() {
    let world = World::new().await;
    world.granted().await;
    world
        .hold("gate", "T1", common::HoldKind::Terminal, false)
        .await;
    assert_eq!(world.state().await, "REVOCATION_ASKED");
    let ask = world.decisions().await.pop().unwrap();
    assert_eq!(ask.haulier_party, "haulier-a");
    world
        .answer(&ask.ask_id, gate::AnswerVerdict::Applied)
        .await;
    world
        .answer(&ask.ask_id, gate::AnswerVerdict::Applied)
        .await;
    assert_eq!(
        world
            .states()
            .await
            .split_off(world.states().await.len() - 4),
        ["GRANTED", "REVOCATION_ASKED", "REVOKED", "WITHHELD"]
    );
    for party in ["haulier-a", "broker-a", "trader-a", "line-a", "terminal"] {
        let told = world.facts_told(party).await;
        for fact in [
            "RELEASE_GRANTED",
            "RELEASE_REVOCATION_ASKED",
            "REVOCATION_APPLIED",
            "RELEASE_REVOKED",
        ] {
            assert!(
                told.iter().any(|told| told == fact),
                "{party} was not told {fact}: {told:?}"
            );
        }
    }
    world
        .hold("gate", "T1", common::HoldKind::Terminal, true)
        .await;
    assert_eq!(world.state().await, "GRANTED");
}

#[tokio::test]
async fn rule_5_too_late_is_told_and_the_departure_consumes_the_release() {
    let world = World::new().await;
    world.granted().await;
    world
        .hold("customs", "H1", common::HoldKind::Customs, false)
        .await;
    let ask = world.decisions().await.pop().unwrap();
    world
        .answer(&ask.ask_id, gate::AnswerVerdict::TooLate)
        .await;
    assert!(
        world
            .facts_told("haulier-a")
            .await
            .contains(&"REVOCATION_TOO_LATE".to_owned())
    );
    assert!(
        world
            .explain("terminal")
            .await
            .unwrap()
            .release
            .unwrap()
            .revocation_too_late
    );
    world
        .visit(
            gate::ContainerVisitFact::Departed,
            departed(crate::world::arrived()),
        )
        .await;
    assert_eq!(world.state().await, "CONSUMED");
}

#[tokio::test]
async fn what_is_explained_says_on_which_keys_it_rests() {
    let world = World::new().await;
    world.announced().await;
    let knowledge = world.explain("terminal").await.unwrap().knowledge;
    let keys: Vec<String> = knowledge
        .iter()
        .map(|age| format!("{}:{}", age.topic, age.key))
        .collect();
    for expected in [
        format!("gate.container-visit:GUOYUAN-PORT/{CONTAINER}"),
        format!("customs.clearance:container/{CONTAINER}"),
        format!("customs.clearance:transport-document/{DOCUMENT}"),
        format!("customs.hold:container-visit/{VISIT}"),
        format!("gate.hold:container-visit/{VISIT}"),
    ] {
        assert!(keys.contains(&expected), "{expected} in {keys:?}");
    }
    assert!(
        knowledge.iter().all(|age| age.age_millis.is_none()),
        "nothing was heard from a broker: unknown, not fresh"
    );
}

#[tokio::test]
async fn an_answer_about_a_stay_that_is_over_is_taken_all_the_same() {
    let world = World::new().await;
    world.granted().await;
    let short = gate::ContainerVisit {
        phase: gate::ContainerVisitPhase::ShortLanded.into(),
        ..visit()
    };
    world
        .visit(gate::ContainerVisitFact::ShortLanded, short)
        .await;
    assert_eq!(world.state().await, "REVOCATION_ASKED");
    let ask = world.decisions().await.pop().unwrap().ask_id;
    world.answer(&ask, gate::AnswerVerdict::Applied).await;
    assert_eq!(world.state().await, "WITHHELD");
}

#[tokio::test]
async fn rule_1_a_departure_of_which_nobody_wrote_down_the_time_uses_the_release_up() {
    let world = World::new().await;
    world.granted().await;
    let now = Some(timestamp(chrono::Utc::now()));
    let left = gate::ContainerVisitEvent {
        fact: gate::ContainerVisitFact::Departed.into(),
        observed_at: now,
        recorded_at: now,
        recorded_by_party: "terminal".into(),
        visit: Some(gate::ContainerVisit {
            version: 100,
            departed_at: None,
            ..departed(arrived())
        }),
    };
    let key = format!("{}/{}", visit().site_id, visit().container_number);
    world.apply("gate.container-visit", &key, &left).await;
    let second = gate::ContainerVisit {
        container_visit_id: "GUOYUAN-PORT/MRKU4976720/2".into(),
        ordinal: 2,
        available: true,
        ..arrived()
    };
    world.visit(gate::ContainerVisitFact::Arrived, second).await;
    assert!(
        world
            .why("terminal")
            .await
            .contains(&"COMMERCIAL_RELEASE_MISSING".to_owned())
    );
}

#[tokio::test]
async fn rule_1_a_departure_by_a_lane_whose_clock_is_slow_uses_the_release_up() {
    let world = World::new().await;
    world.granted().await;
    let slow = chrono::Utc::now() - chrono::Duration::minutes(10);
    let left = gate::ContainerVisitEvent {
        fact: gate::ContainerVisitFact::Departed.into(),
        observed_at: Some(timestamp(slow)),
        recorded_at: Some(timestamp(chrono::Utc::now())),
        recorded_by_party: "terminal".into(),
        visit: Some(gate::ContainerVisit {
            version: 100,
            departed_at: Some(timestamp(slow)),
            ..departed(arrived())
        }),
    };
    let key = format!("{}/{}", visit().site_id, visit().container_number);
    world.apply("gate.container-visit", &key, &left).await;
    assert_eq!(
        world.decisions().await.pop().unwrap().haulier_party,
        "haulier-a",
        "it left with whom it was granted to"
    );
    let second = gate::ContainerVisit {
        container_visit_id: "GUOYUAN-PORT/MRKU4976720/2".into(),
        ordinal: 2,
        available: true,
        ..arrived()
    };
    world.visit(gate::ContainerVisitFact::Arrived, second).await;
    assert!(
        world
            .why("terminal")
            .await
            .contains(&"COMMERCIAL_RELEASE_MISSING".to_owned())
    );
}

/// Since when something is missing, in minutes after noon.
async fn missing_since(world: &World, code: &str) -> i64 {
    let release = world.explain("officer-1").await.unwrap().release.unwrap();
    let mut conditions = release.conditions.iter();
    let found = conditions.find(|condition| condition.code == code);
    let since = found.unwrap_or_else(|| panic!("{code}: {release:?}")).since;
    (since.unwrap().seconds - noon().timestamp()) / 60
}

#[tokio::test]
async fn rule_3_what_is_declared_no_longer_is_not_declared_since_its_last_declaration_was_void() {
    let world = World::new().await;
    world.announced().await;
    assert_eq!(missing_since(&world, "NOT_DECLARED").await, 1);
    let customs_says = async |minute: i64, declarations: &[&str]| {
        let key = format!("container/{CONTAINER}");
        let event = customs::ClearanceEvent {
            version: world.next(&key),
            recorded_at: Some(timestamp(noon() + Duration::minutes(minute))),
            consignments: declarations
                .iter()
                .map(|id| customs::ConsignmentClearance {
                    declaration_id: (*id).into(),
                    ..consignment(true, Vec::new())
                })
                .collect(),
            key: key.clone(),
        };
        world.apply("customs.clearance", &key, &event).await;
    };
    customs_says(20, &["one", "two"]).await;
    customs_says(30, &["two"]).await;
    customs_says(40, &[]).await;
    assert_eq!(missing_since(&world, "NOT_DECLARED").await, 40);
    customs_says(50, &[]).await;
    assert_eq!(missing_since(&world, "NOT_DECLARED").await, 40);
    customs_says(60, &["two"]).await;
    customs_says(70, &[]).await;
    assert_eq!(missing_since(&world, "NOT_DECLARED").await, 70);
}

#[tokio::test]
async fn rule_3_a_container_has_not_landed_since_the_unloading_was_completed() {
    let world = World::new().await;
    world.announced().await;
    world.announced().await;
    world
        .visit(
            gate::ContainerVisitFact::ShortLanded,
            gate::ContainerVisit {
                phase: gate::ContainerVisitPhase::ShortLanded.into(),
                ..visit()
            },
        )
        .await;
    assert_eq!(missing_since(&world, "SHORT_LANDED").await, 3);
}
