//! Into bond and out of it: the decision on a stock list, whom it is told, and what explains a no.

use chassis::convert::timestamp;
use proto::bonded::events::v1 as bonded;
use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use proto::release::v1 as api;
use proto::release::v1::get_timeline_request::Subject;
use proto::release::v1::release_service_server::ReleaseService;
use tonic::Code;

use crate::lists::{
    CENTRE, DECLARATION, INTO, OUT_OF, at_the_centre, centre, declaration, into_bond, list, pass,
};
use crate::timeline::timeline;
use crate::world::{
    CONTAINER, DOCUMENT, VISIT, World, arrived, call, consignment, departed, fresh, line, noon,
};

use bonded::StockListFact as Listed;
use customs::DeclarationFact as Declared;

const NOT_ACCEPTED: &str = "DECLARATION_NOT_ACCEPTED";

fn codes(conditions: &[(String, String)]) -> Vec<&str> {
    conditions.iter().map(|(code, _)| code.as_str()).collect()
}

#[tokio::test]
async fn journey_c_a_transfer_is_granted_once_the_list_is_approved_and_the_declaration_accepted() {
    let world = centre().await;
    world.list_is(Listed::Filed, list(INTO, "FILED")).await;
    assert_eq!(
        world.why_list(INTO).await,
        [
            ("STOCK_LIST_NOT_APPROVED".into(), "operator".into()),
            ("NOT_DECLARED".into(), "broker".into())
        ]
    );
    world
        .visit(gate::ContainerVisitFact::Arrived, arrived())
        .await;
    world.clearance(vec![into_bond(false)]).await;
    world
        .truck_for_list(INTO, "haulier-a", gate::PreArrivalFact::Submitted)
        .await;
    let with = |state| customs::DeclarationState {
        containers: vec![CONTAINER.into()],
        ..declaration(INTO, state)
    };
    world
        .declared(Declared::Registered, with("REGISTERED"))
        .await;
    assert_eq!(
        codes(&world.why_list(INTO).await),
        ["STOCK_LIST_NOT_APPROVED", NOT_ACCEPTED]
    );
    world
        .list_is(Listed::Approved, list(INTO, "APPROVED"))
        .await;
    assert_eq!(
        world.why_list(INTO).await,
        [(NOT_ACCEPTED.into(), "terminal".into())]
    );
    assert_eq!(world.list_state(INTO).await, "WITHHELD");
    world.declared(Declared::Accepted, with("ACCEPTED")).await;

    let granted = world.list_decisions(INTO).await.pop().unwrap();
    assert_eq!(
        (
            granted.state.as_str(),
            granted.journey.as_str(),
            granted.list_number.as_str(),
            granted.haulier_party.as_str(),
            granted.container_visit_id.as_str(),
            granted.site_id.as_str()
        ),
        ("GRANTED", "BOND_TRANSFER", INTO, "", "", CENTRE)
    );
    assert_eq!(granted.list_containers, [CONTAINER]);
    assert!(granted.conditions.is_empty() && !granted.evidence.is_empty());
    assert!(
        world
            .explain_list("operator", INTO)
            .await
            .unwrap()
            .may_leave
    );

    let passed = vec![pass("pre-arrival-1", "PASSED", CONTAINER)];
    world
        .passage(INTO, gate::ListPassageFact::Passed, (passed.clone(), false))
        .await;
    assert_eq!(world.list_state(INTO).await, "GRANTED");
    world
        .passage(INTO, gate::ListPassageFact::Closed, (passed, true))
        .await;
    world.list_is(Listed::Posted, list(INTO, "POSTED")).await;
    let states: Vec<String> = world
        .list_decisions(INTO)
        .await
        .into_iter()
        .map(|decision| decision.state)
        .collect();
    assert_eq!(
        states,
        ["WITHHELD", "WITHHELD", "WITHHELD", "GRANTED", "CONSUMED"]
    );
    for party in [
        "broker-a",
        "trader-a",
        "operator",
        "haulier-a",
        "terminal",
        "centre-gate",
    ] {
        let told = world.told(party).await;
        for fact in ["RELEASE_GRANTED", "RELEASE_CONSUMED"] {
            let notices: Vec<_> = told.iter().filter(|notice| notice.fact == fact).collect();
            let [notice] = notices[..] else {
                panic!("{party}, {fact}: {told:?}");
            };
            assert_eq!(notice.subject, format!("stock-list/{INTO}"));
            assert!(!notice.text.contains("container"), "{}", notice.text);
        }
        let facts: Vec<&str> = told.iter().map(|notice| notice.fact.as_str()).collect();
        let owner = ["broker-a", "trader-a", "operator"].contains(&party);
        for fact in [
            "STOCK_LIST_FILED",
            "STOCK_LIST_APPROVED",
            "STOCK_LIST_POSTED",
            "LIST_PASSAGE_PASSED",
            "LIST_PASSAGE_CLOSED",
        ] {
            let times = facts.iter().filter(|told| **told == fact).count();
            assert_eq!(times, usize::from(owner), "{party}, {fact}: {facts:?}");
        }
    }
    assert!(world.told("haulier-b").await.is_empty());
}

#[tokio::test]
async fn journey_d_an_exit_is_granted_once_the_goods_are_reserved_and_customs_has_released_them() {
    let world = centre().await;
    world
        .declared(Declared::Accepted, declaration(OUT_OF, "ACCEPTED"))
        .await;
    assert!(world.list_decisions(OUT_OF).await.is_empty());
    world
        .list_is(Listed::Reserved, list(OUT_OF, "RESERVED"))
        .await;
    assert_eq!(
        world.why_list(OUT_OF).await,
        [("CUSTOMS_NOT_RELEASED".into(), "officer".into())]
    );
    world
        .declared(Declared::Released, declaration(OUT_OF, "RELEASED"))
        .await;
    let granted = world.list_decisions(OUT_OF).await.pop().unwrap();
    assert_eq!(
        (granted.state.as_str(), granted.journey.as_str()),
        ("GRANTED", "BOND_EXIT")
    );
    world
        .declared(Declared::Cleared, declaration(OUT_OF, "CLEARED"))
        .await;
    assert_eq!(world.list_decisions(OUT_OF).await.len(), 2);
    world
        .passage(
            OUT_OF,
            gate::ListPassageFact::Closed,
            (vec![pass("pre-arrival-1", "PASSED", "")], true),
        )
        .await;
    assert_eq!(world.list_state(OUT_OF).await, "CONSUMED");
}

#[tokio::test]
async fn each_standing_of_the_declaration_lets_a_list_move_or_says_who_must_act() {
    let world = centre().await;
    for number in [INTO, OUT_OF] {
        let (fact, state) = if number == INTO {
            (Listed::Approved, "APPROVED")
        } else {
            (Listed::Reserved, "RESERVED")
        };
        world.list_is(fact, list(number, state)).await;
        for (standing, into, out_of) in [
            ("SUBMITTED", NOT_ACCEPTED, NOT_ACCEPTED),
            ("REGISTERED", NOT_ACCEPTED, NOT_ACCEPTED),
            ("ACCEPTED", "", "CUSTOMS_NOT_RELEASED"),
            ("UNDER_CONTROL", "", "CUSTOMS_NOT_RELEASED"),
            ("RELEASED", "", ""),
            ("CLEARED", "", ""),
            ("DETAINED", "DECLARATION_DETAINED", "DECLARATION_DETAINED"),
            ("REJECTED", "DECLARATION_OVER", "DECLARATION_OVER"),
            ("INVALIDATED", "DECLARATION_OVER", "DECLARATION_OVER"),
            ("EXPIRED", "DECLARATION_OVER", "DECLARATION_OVER"),
        ] {
            world
                .declared(Declared::Routed, declaration(number, standing))
                .await;
            let expected = if number == INTO { into } else { out_of };
            let why = world.why_list(number).await;
            let expected: Vec<&str> = Some(expected)
                .filter(|code| !code.is_empty())
                .into_iter()
                .collect();
            assert_eq!(codes(&why), expected, "{number} {standing}");
        }
        let asked = customs::DeclarationState {
            invalidation_asks: vec![customs::InvalidationAsk::default()],
            ..declaration(number, "CLEARED")
        };
        world.declared(Declared::InvalidationAsked, asked).await;
        assert_eq!(
            codes(&world.why_list(number).await),
            ["DECLARATION_INVALIDATION_ASKED"]
        );
    }
}

#[tokio::test]
async fn each_standing_of_the_list_lets_it_move_or_says_who_must_act() {
    let world = centre().await;
    for (number, states) in [
        (
            INTO,
            [
                ("FILED", "STOCK_LIST_NOT_APPROVED", "operator"),
                ("APPROVED", "", ""),
                ("VOID_ASKED", "STOCK_LIST_VOID_ASKED", "terminal"),
                ("VOIDED", "STOCK_LIST_VOID", "trader"),
            ],
        ),
        (
            OUT_OF,
            [
                ("FILED", "STOCK_LIST_NOT_RESERVED", "trader"),
                ("RESERVED", "", ""),
                ("VOID_ASKED", "STOCK_LIST_VOID_ASKED", "terminal"),
                ("VOIDED", "STOCK_LIST_VOID", "trader"),
            ],
        ),
    ] {
        world
            .declared(Declared::Cleared, declaration(number, "CLEARED"))
            .await;
        for (state, code, who) in states {
            world.list_is(Listed::Filed, list(number, state)).await;
            let why = world.why_list(number).await;
            let expected: Vec<(String, String)> = Some((code.to_owned(), who.to_owned()))
                .filter(|_| !code.is_empty())
                .into_iter()
                .collect();
            assert_eq!(why, expected, "{number} {state}");
        }
    }
}

#[tokio::test]
async fn a_declaration_that_is_not_the_lists_own_neither_lets_it_move_nor_stops_it() {
    for (what, other) in [
        (
            "not of the list's trader",
            customs::DeclarationState {
                trader_party: "trader-b".into(),
                ..declaration(INTO, "ACCEPTED")
            },
        ),
        (
            "not of the list's trader",
            customs::DeclarationState {
                trader_party: String::new(),
                ..declaration(INTO, "ACCEPTED")
            },
        ),
        (
            "another reference",
            customs::DeclarationState {
                lrn: "LRN-2".into(),
                ..declaration(INTO, "ACCEPTED")
            },
        ),
        (
            "does not move goods",
            customs::DeclarationState {
                procedure_kind: "OUT_OF_BOND".into(),
                ..declaration(INTO, "ACCEPTED")
            },
        ),
    ] {
        let world = centre().await;
        let other = |state: &str| customs::DeclarationState {
            declaration_id: "declaration-2".into(),
            state: state.into(),
            containers: vec!["CSQU3054383".into()],
            ..other.clone()
        };
        world
            .list_is(Listed::Approved, list(INTO, "APPROVED"))
            .await;
        world.declared(Declared::Accepted, other("ACCEPTED")).await;
        let explained = world.explain_list("operator", INTO).await.unwrap();
        let conditions = explained.release.unwrap().conditions;
        assert_eq!(conditions.len(), 1, "{what}: {conditions:?}");
        assert_eq!(conditions[0].code, "NOT_DECLARED");
        assert!(conditions[0].description.contains(what), "{conditions:?}");
        world.list_granted(INTO).await;
        world.declared(Declared::Detained, other("DETAINED")).await;
        let decision = world.list_decisions(INTO).await.pop().unwrap();
        assert_eq!(decision.state, "GRANTED", "{what}");
        assert!(decision.list_containers.is_empty(), "{what}");
    }
}

#[tokio::test]
async fn a_declaration_lodged_anew_after_one_that_is_void_counts_in_its_place() {
    let world = centre().await;
    world
        .list_is(Listed::Approved, list(INTO, "APPROVED"))
        .await;
    world
        .declared(Declared::Invalidated, declaration(INTO, "INVALIDATED"))
        .await;
    assert_eq!(codes(&world.why_list(INTO).await), ["DECLARATION_OVER"]);
    let anew = customs::DeclarationState {
        declaration_id: "declaration-2".into(),
        ..declaration(INTO, "ACCEPTED")
    };
    world.declared(Declared::Accepted, anew).await;
    assert_eq!(world.list_state(INTO).await, "GRANTED");
    // A second one that lives must be good as well.
    world
        .declared(Declared::Registered, declaration(INTO, "REGISTERED"))
        .await;
    assert_eq!(world.list_state(INTO).await, "REVOCATION_ASKED");
}

#[tokio::test]
async fn rule_2_a_hold_on_the_list_its_declaration_or_its_container_withholds_it_and_no_other_does()
{
    use common::HoldScopeKind as Kind;
    let world = centre().await;
    world
        .visit(gate::ContainerVisitFact::Arrived, arrived())
        .await;
    world.clearance(vec![into_bond(false)]).await;
    world.list_granted_for(INTO, vec![CONTAINER.into()]).await;
    let elsewhere = at_the_centre();
    world
        .visit(gate::ContainerVisitFact::Arrived, elsewhere.clone())
        .await;
    let centre_visit = elsewhere.container_visit_id.as_str();
    for (number, (kind, key), holds) in [
        (1, (Kind::StockList, INTO), true),
        (2, (Kind::Declaration, DECLARATION), true),
        (3, (Kind::ContainerVisit, VISIT), true),
        (4, (Kind::StockList, OUT_OF), false),
        (5, (Kind::Declaration, "declaration-2"), false),
        (6, (Kind::ContainerVisit, centre_visit), false),
        (7, (Kind::Plate, "渝A12345"), false),
        (8, (Kind::Party, "haulier-a"), false),
    ] {
        let id = format!("H{number}");
        world
            .hold_scoped((kind, key), ("customs", &id), false)
            .await;
        let why = world.why_list(INTO).await;
        if holds {
            assert_eq!(why, [("CUSTOMS_HOLD".into(), "officer".into())], "{key}");
            let ask = world.list_ask(INTO).await;
            world
                .answer_about_list(INTO, &ask, gate::AnswerVerdict::Applied)
                .await;
            assert_eq!(world.list_state(INTO).await, "WITHHELD", "{key}");
        } else {
            assert!(why.is_empty(), "{key}: {why:?}");
        }
        world.hold_scoped((kind, key), ("customs", &id), true).await;
        assert_eq!(world.list_state(INTO).await, "GRANTED", "{key}");
    }
    // Once it has passed, what becomes of the box is another stay's affair.
    world
        .passage(
            INTO,
            gate::ListPassageFact::Passed,
            (vec![pass("pre-arrival-1", "PASSED", CONTAINER)], false),
        )
        .await;
    world
        .hold_scoped((Kind::ContainerVisit, VISIT), ("gate", "T9"), false)
        .await;
    assert_eq!(world.list_state(INTO).await, "GRANTED");
}

#[tokio::test]
async fn rule_2_a_legal_hold_of_release_itself_withholds_a_list() {
    let world = centre().await;
    world.list_granted(INTO).await;
    let request = api::PlaceHoldRequest {
        request_id: fresh(),
        scope: Some(common::HoldScope {
            kind: common::HoldScopeKind::StockList.into(),
            key: INTO.into(),
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
    let ask = world.list_ask(INTO).await;
    world
        .answer_about_list(INTO, &ask, gate::AnswerVerdict::Applied)
        .await;
    assert_eq!(codes(&world.why_list(INTO).await), ["LEGAL_HOLD"]);
    for party in ["broker-a", "trader-a", "operator"] {
        let told = world.facts_told(party).await;
        let times = told.iter().filter(|fact| *fact == "HOLD_PLACED").count();
        assert_eq!(times, 1, "{party}: {told:?}");
    }
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
    assert_eq!(world.list_state(INTO).await, "GRANTED");
}

#[tokio::test]
async fn rule_5_a_list_that_loses_a_condition_is_asked_back_and_everyone_who_was_told_is_told() {
    let world = centre().await;
    world
        .truck_for_list(INTO, "haulier-a", gate::PreArrivalFact::Submitted)
        .await;
    world.list_granted(INTO).await;
    world
        .declared(Declared::Detained, declaration(INTO, "DETAINED"))
        .await;
    // Who goes before gate has answered was told of the grant, and is told of its end.
    world
        .truck_for_list(INTO, "haulier-a", gate::PreArrivalFact::Cancelled)
        .await;
    let ask = world.list_ask(INTO).await;
    for _ in 0..2 {
        world
            .answer_about_list(INTO, &ask, gate::AnswerVerdict::Applied)
            .await;
    }
    let states: Vec<String> = world
        .list_decisions(INTO)
        .await
        .into_iter()
        .map(|decision| decision.state)
        .collect();
    assert_eq!(
        states.split_at(states.len() - 4).1,
        ["GRANTED", "REVOCATION_ASKED", "REVOKED", "WITHHELD"]
    );
    for party in [
        "broker-a",
        "trader-a",
        "operator",
        "haulier-a",
        "centre-gate",
    ] {
        let told = world.told(party).await;
        for fact in [
            "RELEASE_GRANTED",
            "RELEASE_REVOCATION_ASKED",
            "RELEASE_REVOKED",
        ] {
            let times = told.iter().filter(|notice| notice.fact == fact).count();
            assert_eq!(times, 1, "{party}, {fact}: {told:?}");
        }
        assert!(
            told.iter()
                .any(|notice| notice.fact == "REVOCATION_APPLIED"),
            "{party}: {told:?}"
        );
    }
    world
        .declared(Declared::DetentionEnded, declaration(INTO, "ACCEPTED"))
        .await;
    assert_eq!(world.list_state(INTO).await, "GRANTED");
}

#[tokio::test]
async fn rule_5_what_has_left_was_too_late_and_the_rest_of_the_list_is_decided_anew() {
    let world = centre().await;
    world.list_granted(INTO).await;
    world
        .hold_scoped(
            (common::HoldScopeKind::StockList, INTO),
            ("customs", "H1"),
            false,
        )
        .await;
    let ask = world.list_ask(INTO).await;
    world
        .answer_about_list(INTO, &ask, gate::AnswerVerdict::TooLate)
        .await;
    let withheld = world.list_decisions(INTO).await.pop().unwrap();
    assert_eq!(
        withheld.state, "WITHHELD",
        "for the trucks that are still to come"
    );
    assert_eq!(withheld.conditions[0].code, "CUSTOMS_HOLD");
    let explained = world.explain_list("operator", INTO).await.unwrap();
    assert!(explained.release.unwrap().revocation_too_late);
    assert!(
        world
            .facts_told("trader-a")
            .await
            .contains(&"REVOCATION_TOO_LATE".to_owned())
    );
    world
        .hold_scoped(
            (common::HoldScopeKind::StockList, INTO),
            ("customs", "H1"),
            true,
        )
        .await;
    assert_eq!(world.list_state(INTO).await, "GRANTED");
}

#[tokio::test]
async fn a_list_of_which_more_is_to_pass_after_all_is_decided_anew() {
    let world = centre().await;
    world.list_granted(INTO).await;
    let first = || pass("pre-arrival-1", "PASSED", "");
    world
        .passage(INTO, gate::ListPassageFact::Closed, (vec![first()], true))
        .await;
    assert_eq!(world.list_state(INTO).await, "CONSUMED");
    let both = vec![first(), pass("pre-arrival-2", "ISSUED", "")];
    world
        .passage(INTO, gate::ListPassageFact::Reopened, (both, false))
        .await;
    assert_eq!(world.list_state(INTO).await, "GRANTED");
    let both = vec![first(), pass("pre-arrival-2", "PASSED", "")];
    world
        .passage(INTO, gate::ListPassageFact::Closed, (both, true))
        .await;
    assert_eq!(world.list_state(INTO).await, "CONSUMED");
}

#[tokio::test]
async fn a_list_that_is_to_be_void_is_asked_back_and_a_void_one_moves_nothing() {
    let world = centre().await;
    world.list_granted(OUT_OF).await;
    world
        .list_is(Listed::VoidAsked, list(OUT_OF, "VOID_ASKED"))
        .await;
    let ask = world.list_ask(OUT_OF).await;
    world
        .answer_about_list(OUT_OF, &ask, gate::AnswerVerdict::Applied)
        .await;
    assert_eq!(
        codes(&world.why_list(OUT_OF).await),
        ["STOCK_LIST_VOID_ASKED"]
    );
    world
        .list_is(Listed::VoidTooLate, list(OUT_OF, "RESERVED"))
        .await;
    assert_eq!(world.list_state(OUT_OF).await, "GRANTED");
    world
        .list_is(Listed::VoidAsked, list(OUT_OF, "VOID_ASKED"))
        .await;
    let ask = world.list_ask(OUT_OF).await;
    world.list_is(Listed::Voided, list(OUT_OF, "VOIDED")).await;
    world
        .answer_about_list(OUT_OF, &ask, gate::AnswerVerdict::Applied)
        .await;
    assert_eq!(world.list_state(OUT_OF).await, "WITHHELD");
    assert_eq!(codes(&world.why_list(OUT_OF).await), ["STOCK_LIST_VOID"]);
}

#[tokio::test]
async fn a_container_that_the_declaration_no_longer_names_is_asked_back_with_the_list() {
    let world = centre().await;
    let other = "CSQU3054383";
    let other_visit = format!("GUOYUAN-PORT/{other}/1");
    world
        .visit(gate::ContainerVisitFact::Arrived, arrived())
        .await;
    let stay = gate::ContainerVisit {
        container_visit_id: other_visit.clone(),
        container_number: other.into(),
        ..arrived()
    };
    world.visit(gate::ContainerVisitFact::Arrived, stay).await;
    world.clearance(vec![into_bond(false)]).await;
    let goods = customs::ConsignmentClearance {
        container_visit_id: other_visit,
        ..into_bond(false)
    };
    world.clearance_of(other, vec![goods]).await;
    let both = vec![other.to_owned(), CONTAINER.to_owned()];
    world.list_granted_for(INTO, both.clone()).await;
    let one = customs::DeclarationState {
        containers: vec![CONTAINER.into()],
        ..declaration(INTO, "ACCEPTED")
    };
    world.declared(Declared::Routed, one).await;
    let asked = world.list_decisions(INTO).await.pop().unwrap();
    assert_eq!(asked.state, "REVOCATION_ASKED");
    assert_eq!(asked.list_containers, both);
    world
        .answer_about_list(INTO, &asked.ask_id, gate::AnswerVerdict::Applied)
        .await;
    let anew = world.list_decisions(INTO).await.pop().unwrap();
    assert_eq!(anew.state, "GRANTED");
    assert_eq!(anew.list_containers, [CONTAINER]);
}

/// A container at the port with goods that go into bond and, where it is groupage, others.
async fn groupage(world: &World) {
    let stay = gate::ContainerVisit {
        manifest_lines: vec![line(DOCUMENT, "line-a"), line("TD-0002", "line-a")],
        available: true,
        ..arrived()
    };
    world.visit(gate::ContainerVisitFact::Arrived, stay).await;
}

fn other_goods(released: bool) -> customs::ConsignmentClearance {
    customs::ConsignmentClearance {
        declaration_id: "declaration-2".into(),
        transport_document: "TD-0002".into(),
        filer_party: "broker-b".into(),
        trader_party: "trader-b".into(),
        ..consignment(released, Vec::new())
    }
}

#[tokio::test]
async fn groupage_goes_into_bond_only_when_every_consignment_in_the_container_is_covered() {
    let world = centre().await;
    groupage(&world).await;
    world
        .list_is(Listed::Approved, list(INTO, "APPROVED"))
        .await;
    let declared = customs::DeclarationState {
        containers: vec![CONTAINER.into()],
        ..declaration(INTO, "ACCEPTED")
    };
    world.declared(Declared::Accepted, declared).await;
    let not_covered = async |subjects: &[&str]| {
        let explained = world.explain_list("operator", INTO).await.unwrap();
        let release = explained.release.unwrap();
        assert_eq!(release.conditions, release.left_out);
        let missing: Vec<(&str, &str)> = release
            .conditions
            .iter()
            .map(|condition| (condition.code.as_str(), condition.subject.as_str()))
            .collect();
        let expected: Vec<(&str, &str)> = subjects
            .iter()
            .map(|subject| ("CONSIGNMENT_NOT_COVERED", *subject))
            .collect();
        assert_eq!(missing, expected);
    };
    not_covered(&["transport-document/TD-0001", "transport-document/TD-0002"]).await;
    world.clearance(vec![into_bond(false)]).await;
    not_covered(&["transport-document/TD-0002"]).await;
    world
        .clearance(vec![into_bond(false), other_goods(false)])
        .await;
    not_covered(&["transport-document/TD-0002"]).await;
    assert_eq!(world.list_state(INTO).await, "WITHHELD");
    world
        .clearance(vec![into_bond(false), other_goods(true)])
        .await;
    assert_eq!(world.list_state(INTO).await, "GRANTED");
    // Released no more: asked back.
    world
        .clearance(vec![into_bond(false), other_goods(false)])
        .await;
    assert_eq!(world.list_state(INTO).await, "REVOCATION_ASKED");
}

#[tokio::test]
async fn rule_10_of_the_containers_that_a_lists_declaration_names_those_go_that_may() {
    let world = centre().await;
    let numbers: Vec<String> = (0..5).map(|index| format!("TEST{index:07}")).collect();
    let visit = |index: usize| format!("GUOYUAN-PORT/{}/1", numbers[index]);
    let arrives = async |index: usize, others: &[&str]| {
        let mut lines = vec![line(DOCUMENT, "line-a")];
        lines.extend(others.iter().map(|other| line(other, "line-a")));
        let stay = gate::ContainerVisit {
            container_visit_id: visit(index),
            container_number: numbers[index].clone(),
            manifest_lines: lines,
            ..arrived()
        };
        world.visit(gate::ContainerVisitFact::Arrived, stay).await;
        let goods = customs::ConsignmentClearance {
            container_visit_id: visit(index),
            ..into_bond(false)
        };
        world.clearance_of(&numbers[index], vec![goods]).await;
    };
    // Three have come with goods of the list, one with others' too; the last is not announced.
    for index in 0..3 {
        arrives(index, &[]).await;
    }
    arrives(3, &["TD-0002"]).await;
    world.list_granted_for(INTO, numbers.clone()).await;
    let granted = world.list_decisions(INTO).await.pop().unwrap();
    assert_eq!(granted.list_containers, numbers[..3]);
    let explained = world.explain_list("operator", INTO).await.unwrap();
    assert!(explained.may_leave);
    let left_out = explained.release.unwrap().left_out;
    let codes: Vec<&str> = left_out.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["CONSIGNMENT_NOT_COVERED", "CONTAINER_UNKNOWN"]);
    // One leaves, another comes: the grant goes on, for more.
    let gone = gate::ContainerVisit {
        container_visit_id: visit(0),
        container_number: numbers[0].clone(),
        ..arrived()
    };
    world
        .visit(gate::ContainerVisitFact::Departed, departed(gone))
        .await;
    arrives(4, &[]).await;
    let granted = world.list_decisions(INTO).await;
    assert!(
        granted[1..].iter().all(|one| one.state == "GRANTED"),
        "{granted:?}"
    );
    let last = granted.last().unwrap();
    assert_eq!(
        last.list_containers,
        [0, 1, 2, 4].map(|index: usize| numbers[index].clone())
    );
}

#[tokio::test]
async fn a_container_with_goods_for_bond_is_never_picked_up_and_goes_by_the_decision_on_its_list() {
    let world = centre().await;
    groupage(&world).await;
    world.line_releases_to("haulier-a").await;
    let second = api::GrantCommercialReleaseRequest {
        request_id: fresh(),
        transport_document: "TD-0002".into(),
        haulier_party: "haulier-a".into(),
        ..api::GrantCommercialReleaseRequest::default()
    };
    world
        .handlers
        .grant_commercial_release(call("line-a", second))
        .await
        .unwrap();
    world
        .clearance(vec![into_bond(true), other_goods(true)])
        .await;
    assert_eq!(world.why("terminal").await, ["NOT_FOR_PICK_UP"]);
    // Not even where the same goods are declared for home use as well.
    world
        .clearance(vec![
            into_bond(true),
            customs::ConsignmentClearance {
                declaration_id: "declaration-3".into(),
                ..consignment(true, Vec::new())
            },
            other_goods(true),
        ])
        .await;
    assert_eq!(world.why("terminal").await, ["NOT_FOR_PICK_UP"]);
    assert_eq!(world.state().await, "WITHHELD");

    world
        .truck_for_list(INTO, "haulier-a", gate::PreArrivalFact::Submitted)
        .await;
    world.list_is(Listed::Filed, list(INTO, "FILED")).await;
    let declared = customs::DeclarationState {
        containers: vec![CONTAINER.into()],
        ..declaration(INTO, "ACCEPTED")
    };
    world.declared(Declared::Accepted, declared).await;
    let explained = world.explain("terminal").await.unwrap();
    assert!(!explained.may_leave);
    let [of_list] = &explained.list_releases[..] else {
        panic!("{:?}", explained.list_releases);
    };
    assert_eq!(of_list.list_number, INTO);
    assert_eq!(of_list.conditions[0].code, "STOCK_LIST_NOT_APPROVED");
    world
        .list_is(Listed::Approved, list(INTO, "APPROVED"))
        .await;
    let explained = world.explain("terminal").await.unwrap();
    assert!(explained.may_leave);
    assert_eq!(
        explained.release.unwrap().state(),
        api::ReleaseState::Withheld,
        "it goes by the list, and is not released to be picked up"
    );
    let [goods, others] = &explained.consignments[..] else {
        panic!("{:?}", explained.consignments);
    };
    assert!(goods.not_for_pick_up && !others.not_for_pick_up);
    assert_eq!(goods.declarations.len(), 2, "{goods:?}");
    world
        .clearance(vec![into_bond(false), other_goods(true)])
        .await;
    let goods = world.explain("terminal").await.unwrap().consignments;
    assert!(goods[0].not_for_pick_up);
    assert_eq!(goods[0].declarations, ["26GB0000000000001"]);
    assert!(!goods[0].customs_released, "nor need it be");
    let to_haulier = world.explain("haulier-a").await.unwrap().consignments;
    assert!(to_haulier[0].not_for_pick_up);
    assert!(to_haulier[0].declarations.is_empty(), "whose it is");
}

#[tokio::test]
async fn rule_3_what_is_missing_of_a_list_is_missing_since_it_was_first_missing_whatever_changes() {
    let world = centre().await;
    let since = async |code: &str| {
        let explained = world.explain_list("operator", INTO).await.unwrap();
        let release = explained.release.unwrap();
        let conditions = release.conditions.iter();
        let found = conditions.clone().find(|condition| condition.code == code);
        let found = found.unwrap_or_else(|| panic!("{code}: {release:?}"));
        found.since.unwrap().seconds - timestamp(noon()).seconds
    };
    world.list_is(Listed::Filed, list(INTO, "FILED")).await;
    let withheld = world.explain_list("operator", INTO).await.unwrap();
    let withheld = withheld.release.unwrap().state_since.unwrap();
    world
        .list_is(Listed::Approved, list(INTO, "APPROVED"))
        .await;
    assert_eq!(since("NOT_DECLARED").await, 60, "since the list was filed");
    let registered = || declaration(INTO, "REGISTERED");
    world.declared(Declared::Registered, registered()).await;
    world.declared(Declared::Mismatched, registered()).await;
    world
        .declared(Declared::MatchOverridden, registered())
        .await;
    assert_eq!(since(NOT_ACCEPTED).await, 60, "since it was lodged");
    world
        .declared(Declared::Detained, declaration(INTO, "DETAINED"))
        .await;
    assert_eq!(
        since("DECLARATION_DETAINED").await,
        240,
        "since it was detained"
    );
    world
        .list_is(Listed::VoidAsked, list(INTO, "VOID_ASKED"))
        .await;
    assert_eq!(since("STOCK_LIST_VOID_ASKED").await, 180);
    let release = world.explain_list("operator", INTO).await.unwrap();
    let release = release.release.unwrap();
    assert_eq!(release.state(), api::ReleaseState::Withheld);
    assert_eq!(release.state_since, Some(withheld));
    assert_ne!(release.decided_at, release.state_since);
}

#[tokio::test]
async fn what_came_into_the_centre_under_a_list_waits_for_no_release_of_its_own() {
    let world = centre().await;
    world
        .visit(gate::ContainerVisitFact::Arrived, arrived())
        .await;
    world.clearance(vec![into_bond(true)]).await;
    world.list_granted_for(INTO, vec![CONTAINER.into()]).await;
    world
        .visit(gate::ContainerVisitFact::Departed, departed(arrived()))
        .await;
    assert_eq!(world.state().await, "CONSUMED");
    let stay = at_the_centre();
    let id = stay.container_visit_id.clone();
    world.visit(gate::ContainerVisitFact::Arrived, stay).await;
    assert!(world.decisions_on(&id).await.is_empty());
    let subject = api::explain_release_request::Subject::ContainerVisitId(id);
    let request = api::ExplainReleaseRequest {
        subject: Some(subject),
        site_id: String::new(),
    };
    let explained = world
        .handlers
        .explain_release(call("centre-gate", request))
        .await
        .unwrap()
        .into_inner();
    assert!(!explained.may_leave);
    assert_eq!(explained.list_releases[0].list_number, INTO);
    let release = explained.release.unwrap();
    assert_eq!(release.state(), api::ReleaseState::NotDecided);
    assert_eq!(release.conditions[0].code, "NOT_DECIDED_HERE");
    assert_eq!(world.list_state(INTO).await, "GRANTED");
}

#[tokio::test]
async fn only_those_concerned_may_ask_about_a_list() {
    let world = centre().await;
    world
        .truck_for_list(INTO, "haulier-a", gate::PreArrivalFact::Submitted)
        .await;
    world.list_granted(INTO).await;
    for party in [
        "haulier-a",
        "broker-a",
        "trader-a",
        "operator",
        "terminal",
        "centre-gate",
        "officer-1",
        "admin",
    ] {
        let explained = world.explain_list(party, INTO).await.unwrap();
        assert!(explained.may_leave, "{party}");
    }
    for party in ["haulier-b", "broker-b", "trader-b", "line-a"] {
        let status = world.explain_list(party, INTO).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{party}");
    }
    let status = world.explain_list("operator", OUT_OF).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let status = world.explain_list("operator", "QD1").await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn rule_4_whoever_is_heard_of_late_is_told_of_the_list_what_was_before() {
    let world = centre().await;
    world.list_granted(INTO).await;
    assert!(world.told("haulier-a").await.is_empty());
    world
        .truck_for_list(INTO, "haulier-a", gate::PreArrivalFact::Submitted)
        .await;
    let told = world.facts_told("haulier-a").await;
    assert_eq!(told, ["PRE_ARRIVAL_SUBMITTED", "RELEASE_GRANTED"]);
    let terminal = world.facts_told("terminal").await;
    assert!(
        terminal.contains(&"RELEASE_GRANTED".to_owned()),
        "{terminal:?}"
    );
    let broker = world.facts_told("broker-a").await;
    assert!(
        broker.contains(&"STOCK_LIST_APPROVED".to_owned()),
        "{broker:?}"
    );
}

#[tokio::test]
async fn rule_10_a_journey_into_bond_has_one_timeline_over_both_sites() {
    let world = centre().await;
    world.announced().await;
    world.arrived().await;
    world.clearance(vec![into_bond(true)]).await;
    world.list_is(Listed::Filed, list(INTO, "FILED")).await;
    world
        .truck_for_list(INTO, "haulier-a", gate::PreArrivalFact::Submitted)
        .await;
    world.list_granted_for(INTO, vec![CONTAINER.into()]).await;
    world.departed().await;
    world
        .visit(gate::ContainerVisitFact::Arrived, at_the_centre())
        .await;
    world
        .passage(
            INTO,
            gate::ListPassageFact::Closed,
            (vec![pass("pre-arrival-1", "PASSED", CONTAINER)], true),
        )
        .await;
    world
        .list_is(Listed::DiscrepancyOpened, list(INTO, "APPROVED"))
        .await;
    let facts = async |party: &str, subject: Subject| -> Vec<String> {
        let entries = timeline(&world, party, subject, 50).await;
        entries.into_iter().map(|entry| entry.fact).collect()
    };
    let of_list = [
        "STOCK_LIST_FILED",
        "STOCK_LIST_APPROVED",
        "RELEASE_GRANTED",
        "LIST_PASSAGE_CLOSED",
        "RELEASE_CONSUMED",
        "STOCK_LIST_DISCREPANCY_OPENED",
        "DECLARATION_ACCEPTED",
    ];
    for party in ["trader-a", "broker-a", "officer-1"] {
        for subject in [
            Subject::ListNumber(INTO.into()),
            Subject::ContainerNumber(CONTAINER.into()),
        ] {
            let read = facts(party, subject.clone()).await;
            for fact in of_list {
                assert!(
                    read.contains(&fact.to_owned()),
                    "{party} {subject:?} {fact}: {read:?}"
                );
            }
        }
    }
    let read = facts("operator", Subject::ListNumber(INTO.into())).await;
    for fact in ["STOCK_LIST_DISCREPANCY_OPENED", "PRE_ARRIVAL_SUBMITTED"] {
        assert!(read.contains(&fact.to_owned()), "{fact}: {read:?}");
    }
    let both = facts("officer-1", Subject::ContainerNumber(CONTAINER.into())).await;
    for fact in ["CONTAINER_VISIT_ANNOUNCED", "CONTAINER_VISIT_DEPARTED"] {
        assert!(both.contains(&fact.to_owned()), "{both:?}");
    }
    // Whose truck carries a part reads what is decided, and not the trader's stock.
    let read = facts("haulier-a", Subject::ListNumber(INTO.into())).await;
    assert!(read.contains(&"RELEASE_GRANTED".to_owned()), "{read:?}");
    assert!(
        !read.iter().any(|fact| fact.starts_with("STOCK_LIST_")),
        "{read:?}"
    );
    let request = api::GetTimelineRequest {
        subject: Some(Subject::ListNumber(INTO.into())),
        page: None,
    };
    let status = world
        .handlers
        .get_timeline(call("trader-b", request))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn what_is_explained_of_a_list_says_on_which_keys_it_rests() {
    let world = centre().await;
    world
        .visit(gate::ContainerVisitFact::Arrived, arrived())
        .await;
    world.clearance(vec![into_bond(true)]).await;
    world.list_granted_for(INTO, vec![CONTAINER.into()]).await;
    let knowledge = world
        .explain_list("operator", INTO)
        .await
        .unwrap()
        .knowledge;
    let keys: Vec<String> = knowledge
        .iter()
        .map(|age| format!("{}:{}", age.topic, age.key))
        .collect();
    for expected in [
        format!("bonded.stock-list:{INTO}"),
        format!("gate.list-passage:{INTO}"),
        format!("customs.declaration:{DECLARATION}"),
        format!("customs.hold:stock-list/{INTO}"),
        format!("gate.hold:declaration/{DECLARATION}"),
        format!("gate.hold:container-visit/{VISIT}"),
        format!("gate.container-visit:GUOYUAN-PORT/{CONTAINER}"),
        format!("customs.clearance:container/{CONTAINER}"),
    ] {
        assert!(keys.contains(&expected), "{expected} in {keys:?}");
    }
}

#[tokio::test]
async fn rule_10_container_level_release_lets_three_of_a_declarations_five_containers_go() {
    let world = World::new().await;
    let container = |index: usize| format!("TEST{index:07}");
    let visit = |index: usize| format!("GUOYUAN-PORT/{}/1", container(index));
    world.line_releases_to("haulier-a").await;
    for index in 0..5 {
        let stay = gate::ContainerVisit {
            container_visit_id: visit(index),
            container_number: container(index),
            available: true,
            ..arrived()
        };
        world.visit(gate::ContainerVisitFact::Arrived, stay).await;
        let goods = customs::ConsignmentClearance {
            container_visit_id: visit(index),
            ..consignment(index < 3, Vec::new())
        };
        world.clearance_of(&container(index), vec![goods]).await;
    }
    for index in 0..5 {
        let decision = world.decisions_on(&visit(index)).await.pop().unwrap();
        let expected = if index < 3 { "GRANTED" } else { "WITHHELD" };
        assert_eq!(decision.state, expected, "{index}: {decision:?}");
    }
    // A hold on the declaration stops all of what is still here, whatever customs has released.
    world
        .visit(
            gate::ContainerVisitFact::Departed,
            departed(gate::ContainerVisit {
                container_visit_id: visit(0),
                container_number: container(0),
                ..arrived()
            }),
        )
        .await;
    world
        .hold_scoped(
            (common::HoldScopeKind::Declaration, DECLARATION),
            ("customs", "H1"),
            false,
        )
        .await;
    for (index, expected) in [
        (0, "CONSUMED"),
        (1, "REVOCATION_ASKED"),
        (2, "REVOCATION_ASKED"),
        (3, "WITHHELD"),
        (4, "WITHHELD"),
    ] {
        let decision = world.decisions_on(&visit(index)).await.pop().unwrap();
        assert_eq!(decision.state, expected, "{index}");
    }
}

#[tokio::test]
async fn groupage_is_picked_up_once_every_consignment_is_covered_and_asked_back_when_one_is_not() {
    let world = World::new().await;
    groupage(&world).await;
    world.line_releases_to("haulier-a").await;
    let request = api::GrantCommercialReleaseRequest {
        request_id: fresh(),
        transport_document: "TD-0002".into(),
        haulier_party: "haulier-a".into(),
        ..api::GrantCommercialReleaseRequest::default()
    };
    world
        .handlers
        .grant_commercial_release(call("line-a", request))
        .await
        .unwrap();
    let first = || consignment(true, Vec::new());
    for (goods, state) in [
        (vec![first()], "WITHHELD"),
        (vec![first(), other_goods(false)], "WITHHELD"),
        (vec![first(), other_goods(true)], "GRANTED"),
        (vec![first(), other_goods(false)], "REVOCATION_ASKED"),
    ] {
        world.clearance(goods).await;
        assert_eq!(world.state().await, state);
    }
}
