//! Holds on parties: they hold the stays and stock lists whose goods are the party's, that it filed for, that it
//! carried, or that the lines release to it; and nobody learns from them whose goods these are.

use std::time::{Duration, Instant};

use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use proto::release::v1 as api;
use proto::release::v1::release_service_server::ReleaseService;

use crate::lists::{OUT_OF, centre, declaration, list};
use crate::world::{VISIT, World, arrived, call, consignment, fresh, line, visit};

const DEADLINE: Duration = Duration::from_secs(20);

/// Customs holds a party, or lifts the hold.
async fn hold(world: &World, party: &str, lifted: bool) {
    hold_named(world, party, "P1", lifted).await;
}

async fn hold_named(world: &World, party: &str, id: &str, lifted: bool) {
    world
        .hold_scoped(
            (common::HoldScopeKind::Party, party),
            ("customs", id),
            lifted,
        )
        .await;
}

async fn asked_back_and_applied(world: &World) {
    let last = world.decisions().await.pop().unwrap();
    assert_eq!(last.state, "REVOCATION_ASKED");
    world
        .answer(&last.ask_id, gate::AnswerVerdict::Applied)
        .await;
    assert_eq!(world.state().await, "WITHHELD");
}

#[tokio::test]
async fn rule_2_a_granted_pick_up_is_taken_back_when_its_trader_filer_line_or_haulier_is_held_and_granted_again_when_lifted()
 {
    for party in ["trader-a", "broker-a", "line-a", "haulier-a"] {
        let world = World::new().await;
        world.granted().await;
        hold(&world, party, false).await;
        asked_back_and_applied(&world).await;
        assert_eq!(world.why("terminal").await, ["CUSTOMS_HOLD"], "{party}");
        hold(&world, party, true).await;
        assert_eq!(world.state().await, "GRANTED", "{party}");
        assert!(world.why("terminal").await.is_empty(), "{party}");
    }
}

#[tokio::test]
async fn rule_2_a_hold_on_a_party_that_the_goods_do_not_concern_holds_nothing() {
    let world = World::new().await;
    world.granted().await;
    // Gate weighs at the barrier who else comes for it.
    for party in ["trader-b", "broker-b", "line-b", "haulier-b", "terminal"] {
        hold(&world, party, false).await;
        assert_eq!(world.state().await, "GRANTED", "{party}");
    }
}

#[tokio::test]
async fn rule_2_a_hold_on_the_haulier_holds_what_the_lines_release_to_it_and_nothing_else() {
    let world = World::new().await;
    hold(&world, "haulier-a", false).await;
    world.arrived().await;
    world.customs_released().await;
    world.available().await;
    assert_eq!(
        world.why("terminal").await,
        ["COMMERCIAL_RELEASE_MISSING"],
        "to whomever it is"
    );
    world.line_releases_to("haulier-a").await;
    for (party, named) in [("terminal", true), ("haulier-a", true), ("line-a", false)] {
        let explained = world.explain(party).await.unwrap();
        assert!(!explained.may_leave, "{party}");
        let conditions = explained.release.unwrap().conditions;
        assert_eq!(conditions.len(), 1, "{party}: {conditions:?}");
        let held = &conditions[0];
        assert_eq!(
            (held.code.as_str(), held.subject.as_str()),
            ("CUSTOMS_HOLD", "hold/P1"),
            "{party}"
        );
        assert!(held.who.starts_with("officer"), "{held:?}");
        assert_eq!(
            held.since,
            Some(chassis::convert::timestamp(crate::world::noon()))
        );
        let keys: Vec<String> = explained
            .holds
            .into_iter()
            .map(|hold| hold.scope.unwrap().key)
            .collect();
        assert_eq!(keys, [if named { "haulier-a" } else { "" }], "{party}");
    }
    assert_eq!(world.state().await, "WITHHELD");
    world.line_revokes().await;
    world.line_releases_to("haulier-b").await;
    assert_eq!(world.state().await, "GRANTED");
    assert!(world.why("terminal").await.is_empty());
}

#[tokio::test]
async fn rule_2_an_export_that_goes_by_train_waits_for_no_haulier() {
    let world = World::new().await;
    hold(&world, "haulier-a", false).await;
    world.line_releases_to("haulier-a").await;
    let by_truck = gate::ContainerVisit {
        arrival_mode: gate::TransportMode::Truck.into(),
        ..arrived()
    };
    world
        .visit(gate::ContainerVisitFact::Arrived, by_truck)
        .await;
    let export = customs::ConsignmentClearance {
        direction: "EXPORT".into(),
        ..consignment(true, Vec::new())
    };
    world.clearance(vec![export]).await;
    assert_eq!(world.state().await, "GRANTED");
}

#[tokio::test]
async fn rule_3_a_hold_of_customs_on_a_party_is_named_once() {
    let world = World::new().await;
    world.granted().await;
    hold(&world, "trader-a", false).await;
    let told_by_customs = common::Condition {
        code: "CUSTOMS_HOLD".into(),
        subject: "party/trader-a".into(),
        who: "officer-1".into(),
        since: Some(chassis::convert::timestamp(crate::world::noon())),
        evidence: vec!["hold/P1".into()],
        description: "debts".into(),
    };
    let control = crate::world::customs_condition("DOCUMENTS_CONTROL");
    world
        .clearance(vec![consignment(
            false,
            vec![told_by_customs.clone(), control],
        )])
        .await;
    assert_eq!(
        world.why("terminal").await,
        ["DOCUMENTS_CONTROL", "CUSTOMS_HOLD"]
    );
    world
        .clearance(vec![consignment(false, vec![told_by_customs])])
        .await;
    assert_eq!(world.why("terminal").await, ["CUSTOMS_HOLD"]);
    // Of a lifted one customs has not heard yet: what it says is missing is missing.
    hold(&world, "trader-a", true).await;
    assert_eq!(world.why("terminal").await, ["CUSTOMS_HOLD"]);
}

#[tokio::test]
async fn rule_2_two_holds_on_the_parties_of_a_stay_overlap_and_lifting_one_lifts_no_other() {
    let world = World::new().await;
    world.granted().await;
    hold_named(&world, "trader-a", "P1", false).await;
    hold_named(&world, "line-a", "P2", false).await;
    asked_back_and_applied(&world).await;
    assert_eq!(world.why("terminal").await.len(), 2);
    hold_named(&world, "trader-a", "P1", true).await;
    assert_eq!(world.state().await, "WITHHELD");
    hold_named(&world, "line-a", "P2", true).await;
    assert_eq!(world.state().await, "GRANTED");
}

#[tokio::test]
async fn rule_4_a_hold_on_a_party_that_stood_before_stay_declaration_and_list_were_heard_of_counts()
{
    for party in ["trader-a", "line-a", "haulier-a"] {
        let world = World::new().await;
        hold(&world, party, false).await;
        world.arrived().await;
        world.customs_released().await;
        world.line_releases_to("haulier-a").await;
        world.available().await;
        assert_eq!(world.state().await, "WITHHELD", "{party}");
        assert_eq!(world.why("terminal").await, ["CUSTOMS_HOLD"], "{party}");
    }
    let world = centre().await;
    hold(&world, "trader-a", false).await;
    world
        .declared(
            customs::DeclarationFact::Cleared,
            declaration(OUT_OF, "CLEARED"),
        )
        .await;
    world
        .list_is(
            proto::bonded::events::v1::StockListFact::Reserved,
            list(OUT_OF, "RESERVED"),
        )
        .await;
    assert_eq!(world.list_state(OUT_OF).await, "WITHHELD");
}

#[tokio::test]
async fn rule_4_a_stay_that_is_no_longer_of_the_held_partys_goods_is_held_no_longer() {
    let world = World::new().await;
    world.granted().await;
    hold(&world, "trader-a", false).await;
    asked_back_and_applied(&world).await;
    let of_another = customs::ConsignmentClearance {
        trader_party: "trader-b".into(),
        ..consignment(true, Vec::new())
    };
    world.clearance(vec![of_another.clone()]).await;
    assert_eq!(world.state().await, "GRANTED");
    hold_named(&world, "trader-b", "P2", false).await;
    asked_back_and_applied(&world).await;
    let unbound = customs::ConsignmentClearance {
        container_visit_id: String::new(),
        ..of_another
    };
    world.clearance(vec![unbound]).await;
    assert!(
        !world
            .why("terminal")
            .await
            .contains(&"CUSTOMS_HOLD".to_owned())
    );
}

#[tokio::test]
async fn rule_2_an_export_is_taken_back_while_its_trader_is_held() {
    let world = World::new().await;
    world
        .visit(
            gate::ContainerVisitFact::Arrived,
            gate::ContainerVisit {
                arrival_mode: gate::TransportMode::Truck.into(),
                manifest_lines: Vec::new(),
                ..arrived()
            },
        )
        .await;
    let export = customs::ConsignmentClearance {
        direction: "EXPORT".into(),
        ..consignment(true, Vec::new())
    };
    world.clearance(vec![export]).await;
    assert_eq!(world.state().await, "GRANTED");
    hold(&world, "trader-a", false).await;
    asked_back_and_applied(&world).await;
    hold(&world, "trader-a", true).await;
    assert_eq!(world.state().await, "GRANTED");
}

#[tokio::test]
async fn rule_2_a_bond_exit_list_is_withheld_while_its_trader_or_its_declarations_filer_is_held() {
    let world = centre().await;
    world.list_granted(OUT_OF).await;
    for (party, id) in [("trader-a", "P1"), ("broker-a", "P2")] {
        hold_named(&world, party, id, false).await;
        let ask = world.list_ask(OUT_OF).await;
        world
            .answer_about_list(OUT_OF, &ask, gate::AnswerVerdict::Applied)
            .await;
        assert_eq!(world.list_state(OUT_OF).await, "WITHHELD", "{party}");
        assert_eq!(
            world.why_list(OUT_OF).await,
            [("CUSTOMS_HOLD".into(), "officer".into())],
            "{party}"
        );
        hold_named(&world, party, id, true).await;
        assert_eq!(world.list_state(OUT_OF).await, "GRANTED", "{party}");
    }
}

#[tokio::test]
async fn rule_2_a_legal_hold_of_release_itself_on_a_party_takes_the_grant_back() {
    let world = World::new().await;
    world.granted().await;
    let request = api::PlaceHoldRequest {
        request_id: fresh(),
        scope: Some(common::HoldScope {
            kind: common::HoldScopeKind::Party.into(),
            key: "trader-a".into(),
        }),
        kind: common::HoldKind::Legal.into(),
        reason: "a court asks".into(),
        ..api::PlaceHoldRequest::default()
    };
    let placed = world
        .handlers
        .place_hold(call("officer-1", request))
        .await
        .unwrap()
        .into_inner();
    world.read_back().await;
    asked_back_and_applied(&world).await;
    assert_eq!(world.why("terminal").await, ["LEGAL_HOLD"]);
    let request = api::LiftHoldRequest {
        request_id: fresh(),
        hold_id: placed.hold.unwrap().hold_id,
        reason: "withdrawn".into(),
        ..api::LiftHoldRequest::default()
    };
    world
        .handlers
        .lift_hold(call("officer-1", request))
        .await
        .unwrap();
    world.read_back().await;
    assert_eq!(world.state().await, "GRANTED");
}

#[tokio::test]
async fn a_haulier_is_told_that_something_is_held_and_not_whose_goods_these_are() {
    let world = World::new().await;
    world.granted().await;
    hold(&world, "trader-a", false).await;
    for (party, named) in [
        ("haulier-a", false),
        ("line-a", false),
        ("trader-a", true),
        ("terminal", true),
        ("officer-1", true),
    ] {
        let explained = world.explain(party).await.unwrap();
        assert_eq!(explained.holds.len(), 1, "{party}");
        assert!(!explained.may_leave);
        assert_eq!(
            format!("{explained:?}").contains("trader-a"),
            named,
            "{party}: {explained:?}"
        );
    }
    for party in ["haulier-a", "line-a"] {
        let told = world.told(party).await;
        assert!(
            told.iter()
                .any(|notice| notice.fact == "RELEASE_REVOCATION_ASKED"),
            "{party}: {told:?}"
        );
        assert!(
            !format!("{told:?}").contains("trader-a"),
            "{party}: {told:?}"
        );
    }
}

/// Whoever places a hold on a party does not come to read what the party moves at other people's sites.
#[tokio::test]
async fn a_hold_on_a_party_opens_none_of_its_stays_to_the_party_that_placed_it() {
    let world = World::new().await;
    world.granted().await;
    let event = common::HoldEvent {
        fact: common::HoldFact::Placed.into(),
        hold: Some(common::Hold {
            hold_id: "T1".into(),
            scope: Some(common::HoldScope {
                kind: common::HoldScopeKind::Party.into(),
                key: "trader-a".into(),
            }),
            kind: common::HoldKind::Terminal.into(),
            placed_by_party: "centre-gate".into(),
            reason: "a reason".into(),
            placed_at: Some(chassis::convert::timestamp(crate::world::noon())),
            ..common::Hold::default()
        }),
        observed_at: Some(chassis::convert::timestamp(crate::world::noon())),
        recorded_at: Some(chassis::convert::timestamp(crate::world::noon())),
    };
    world.apply("gate.hold", "party/trader-a", &event).await;
    assert_eq!(world.state().await, "REVOCATION_ASKED");
    assert!(world.explain("centre-gate").await.is_err());
}

#[tokio::test]
async fn an_unread_hold_on_a_party_takes_a_grant_back_and_names_the_party_to_nobody_else() {
    let world = World::new().await;
    world.granted().await;
    sqlx::query(
        "insert into fabric.parked (event_id, topic, partition, epoch, seq, key, event_type, payload, cause, parked_at)
         values ('parked', 'customs.hold', 0, 1, 1, 'party/trader-a', 'test', '', 'cannot be read', now())",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let explained = world.explain("haulier-a").await.unwrap();
    assert!(!explained.may_leave);
    assert!(
        explained
            .knowledge
            .iter()
            .any(|age| age.parked && age.key == "party")
    );
    assert!(!format!("{explained:?}").contains("trader-a"));
    let of_itself = world.explain("trader-a").await.unwrap().knowledge;
    assert!(
        of_itself
            .iter()
            .any(|age| age.parked && age.key == "party/trader-a")
    );
    let begin = Instant::now();
    while world.state().await != "REVOCATION_ASKED" {
        assert!(begin.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = world.decisions().await.pop().unwrap();
    assert!(!format!("{asked:?}").contains("trader-a"), "{asked:?}");
}

/// Stays of the party in the given state of decision, and whether a hold on a party was weighed for them.
async fn reached(world: &World, state: &str, held: bool) -> i64 {
    sqlx::query_scalar(
        "select count(*) from container_visit where decision_state = $1 and (party_holds <> '{}') = $2",
    )
    .bind(state)
    .bind(held)
    .fetch_one(&world.pool)
    .await
    .unwrap()
}

async fn until_reached(world: &World, state: &str, held: bool, stays: i64) {
    let begin = Instant::now();
    loop {
        let reached = reached(world, state, held).await;
        if reached == stays {
            return;
        }
        assert!(
            begin.elapsed() < DEADLINE,
            "{state}: {reached} of {stays} were reached"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// More stays of one line than are looked at together.
#[tokio::test]
async fn a_hold_on_a_party_reaches_every_stay_that_it_concerns_however_many_and_so_does_its_end() {
    let world = World::new().await;
    world
        .visit(
            gate::ContainerVisitFact::Announced,
            gate::ContainerVisit {
                manifest_lines: vec![line("TD-0002", "line-b")],
                ..visit()
            },
        )
        .await;
    sqlx::query(
        "insert into container_visit
             (container_visit_id, container_number, site_id, over, unknown, transport_documents, reader_parties,
              decision_state, decision_version, known_since, recorded_at, body, goods_parties)
         select 'GUOYUAN-PORT/OTHR' || n || '/1', 'OTHR' || n, site_id, over, unknown, transport_documents, reader_parties,
                decision_state, decision_version, known_since, recorded_at,
                jsonb_set(jsonb_set(body, '{stay,container_number}', to_jsonb('OTHR' || n)),
                          '{stay,container_visit_id}', to_jsonb('GUOYUAN-PORT/OTHR' || n || '/1')), goods_parties
         from container_visit, generate_series(1000, 1450) as n",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let all = reached(&world, "WITHHELD", false).await;
    assert_eq!(all, 452, "{VISIT} and the others");
    hold(&world, "line-b", false).await;
    let at_once = reached(&world, "WITHHELD", true).await;
    assert!(at_once >= 200, "{at_once}");
    until_reached(&world, "WITHHELD", true, all).await;
    hold(&world, "line-b", true).await;
    until_reached(&world, "WITHHELD", false, all).await;
}
