//! Stock lists at the gate: passes, who gets the last of a list, goods into bond and out of it, lists that are void
//! or closed short, and what cannot be known of them.

use chassis::convert::timestamp;
use chrono::{TimeDelta, Utc};
use prost::Message;
use proto::bonded::events::v1 as bonded;
use proto::common::v1 as common;
use proto::gate::events::v1 as events;
use proto::gate::v1 as api;
use proto::gate::v1::gate_service_server::GateService;
use proto::release::events::v1 as release;
use tonic::Status;

use crate::world::{
    BOX, CENTRE, NEXT_PLATE, OTHER_BOX, PLATE, PORT, World, at_the_exit, at_the_lane, call, codes,
    decision, faults, filing, fresh, kilograms, reason, visit,
};

/// Into bond, and out of it.
const INTO: &str = "QD800026I000000007";
const OUT: &str = "QD800026E000000009";

fn pieces(value: &str) -> Option<common::Quantity> {
    Some(common::Quantity {
        value: value.into(),
        unit_code: "PCE".into(),
    })
}

fn part(list: &str, pieces_of_line_1: &[&str]) -> Option<api::PreArrivalList> {
    Some(api::PreArrivalList {
        list_number: list.into(),
        lines: pieces_of_line_1
            .iter()
            .map(|value| api::PreArrivalListLine {
                line_number: 1,
                quantity: pieces(value),
            })
            .collect(),
    })
}

/// A truck that brings goods of an increase list from the port into the centre, to be changed a little.
fn transfer(plate: &str, containers: &[&str], quantity: &[&str]) -> api::SubmitPreArrivalRequest {
    api::SubmitPreArrivalRequest {
        list: part(INTO, quantity),
        second_site_id: CENTRE.into(),
        haulier_party: "haulier-a".into(),
        ..filing(api::PreArrivalKind::BondTransfer, plate, containers)
    }
}

/// A truck that takes goods of a decrease list out of the centre, to be changed a little.
fn exit(plate: &str, quantity: &[&str]) -> api::SubmitPreArrivalRequest {
    api::SubmitPreArrivalRequest {
        site_id: CENTRE.into(),
        list: part(OUT, quantity),
        ..filing(api::PreArrivalKind::BondExit, plate, &[])
    }
}

/// What bonded says of a list, to be changed a little.
fn list(number: &str, state: &str, declared: &[&str]) -> bonded::StockList {
    let line = |(index, value): (usize, &&str)| bonded::StockListLine {
        line_number: u32::try_from(index + 1).unwrap(),
        book_line: 1,
        declared: pieces(value),
        ..Default::default()
    };
    bonded::StockList {
        list_number: number.into(),
        site_id: CENTRE.into(),
        direction: if number == OUT {
            "DECREASE"
        } else {
            "INCREASE"
        }
        .into(),
        book_number: "B00000000001".into(),
        trader_party: "trader-a".into(),
        state: state.into(),
        lines: declared.iter().enumerate().map(line).collect(),
        ..Default::default()
    }
}

/// A decision of release on a list, to be changed a little.
fn on_list(number: &str, version: u64, state: &str, ask: &str) -> release::DecisionEvent {
    let mut event = decision("", version, state, "", ask);
    let read = event.decision.as_mut().unwrap();
    read.list_number = number.into();
    read.site_id = CENTRE.into();
    read.journey = if number == OUT {
        "BOND_EXIT"
    } else {
        "BOND_TRANSFER"
    }
    .into();
    event
}

fn key(number: &str) -> String {
    format!("list/{number}")
}

impl World {
    /// Bonded tells of a list, one version on.
    async fn told_list(&self, list: bonded::StockList) {
        let number = list.list_number.clone();
        let version = self.next(&number);
        self.told_list_at(bonded::StockList { version, ..list })
            .await;
    }

    async fn told_list_at(&self, list: bonded::StockList) {
        let number = list.list_number.clone();
        let now = Some(timestamp(Utc::now()));
        let event = bonded::StockListEvent {
            observed_at: now,
            recorded_at: now,
            list: Some(list),
            ..Default::default()
        };
        self.apply("bonded.stock-list", &number, &event).await;
    }

    /// Release decides on a list.
    async fn list_decided(&self, number: &str, state: &str, ask: &str) {
        let version = self.next(&key(number));
        let event = on_list(number, version, state, ask);
        self.apply("release.decision", &key(number), &event).await;
    }

    /// Ten pieces are to come into the centre in a container at the port, and may.
    async fn ten_may_come_in(&self) {
        self.arrived(&[BOX]).await;
        self.told_list(list(INTO, "APPROVED", &["10"])).await;
        self.list_decided(INTO, "GRANTED", "").await;
        self.hears().await;
    }

    /// Ten pieces are to go out of the centre, and may.
    async fn ten_may_go_out(&self) {
        self.told_list(list(OUT, "RESERVED", &["10"])).await;
        self.list_decided(OUT, "GRANTED", "").await;
        self.hears().await;
    }

    /// The operator of the centre files for haulier-a.
    async fn pass(&self, filing: api::SubmitPreArrivalRequest) -> api::PreArrival {
        let filing = api::SubmitPreArrivalRequest {
            haulier_party: "haulier-a".into(),
            ..filing
        };
        self.try_file("operator", filing).await.unwrap()
    }

    async fn enters_centre(&self, plate: &str, containers: &[&str]) -> api::TruckVisit {
        let request = api::CheckInRequest {
            site_id: CENTRE.into(),
            ..at_the_lane(plate, containers, "haulier-a")
        };
        let response = self.handlers.check_in(call("centre-gate", request)).await;
        response.unwrap().into_inner().truck_visit.unwrap()
    }

    async fn out_of_centre(&self, request: api::CheckOutRequest) -> api::CheckOutResponse {
        let request = api::CheckOutRequest {
            site_id: CENTRE.into(),
            ..request
        };
        let response = self.handlers.check_out(call("centre-gate", request)).await;
        response.unwrap().into_inner()
    }

    /// What passes of a list, as gate told it last.
    async fn passage(&self, number: &str) -> events::ListPassage {
        let mut rows = self.told("gate.list-passage").await.into_iter();
        let last = rows.rfind(|row| row.key == number).unwrap();
        let event = events::ListPassageEvent::decode(last.payload.as_ref()).unwrap();
        event.passage.unwrap()
    }

    async fn passage_story(&self, number: &str) -> Vec<String> {
        self.story("gate.list-passage", number).await
    }

    async fn answers(&self) -> Vec<(String, String, bool)> {
        let rows = self.told("gate.answer").await.into_iter();
        rows.map(|row| {
            let event = events::AnswerEvent::decode(row.payload.as_ref()).unwrap();
            let about = format!("{}{}", event.container_visit_id, event.list_number);
            let too_late = event.verdict() == events::AnswerVerdict::TooLate;
            (event.ask_id, about, too_late)
        })
        .collect()
    }

    async fn cancel(&self, party: &str, filed: &api::PreArrival) -> Result<(), Status> {
        let request = api::CancelPreArrivalRequest {
            request_id: fresh(),
            pre_arrival_id: filed.pre_arrival_id.clone(),
            reason: "plans changed".into(),
            expected_version: self.pre_arrival(filed).await.version,
        };
        let done = self.handlers.cancel_pre_arrival(call(party, request));
        done.await.map(|_| ())
    }

    /// A filing's time is over.
    async fn let_expire(&self, filed: &api::PreArrival) {
        sqlx::query(
            "update pre_arrival set expires_at = now() - interval '1 second',
                    body = jsonb_set(body, '{expires_at}', to_jsonb(now() - interval '1 second'))
             where pre_arrival_id = $1::uuid",
        )
        .bind(&filed.pre_arrival_id)
        .execute(&self.pool)
        .await
        .unwrap();
    }
}

fn states(passage: &events::ListPassage) -> Vec<&str> {
    passage
        .passes
        .iter()
        .map(|pass| pass.state.as_str())
        .collect()
}

#[tokio::test]
async fn rule_4_goods_go_from_the_port_into_the_centre_on_one_filing_and_two_truck_visits() {
    let world = World::new().await;
    world.ten_may_come_in().await;
    let filed = world.pass(transfer(PLATE, &[BOX], &[])).await;
    assert_eq!(
        filed.state(),
        api::PreArrivalState::Ready,
        "{:?}",
        filed.conditions
    );
    let pass = kernel::GatePassNumber::parse(&filed.pass_number).unwrap();
    assert_eq!(pass.direction(), kernel::Direction::In);
    assert!(filed.pass_number.starts_with("Z8000I"), "{pass}");
    assert_eq!(filed.filer_party, "operator");
    assert_eq!(filed.list.as_ref().unwrap().lines[0].quantity, pieces("10"));

    // The first site: the stay there ends, the filing is not used.
    let first = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        first.state(),
        api::TruckVisitState::GatedIn,
        "{:?}",
        first.conditions
    );
    let there = world.pre_arrival(&filed).await;
    assert_eq!(there.state(), api::PreArrivalState::Ready);
    assert_eq!(there.truck_visit_id, first.truck_visit_id);
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(
        out.outcome(),
        api::CheckOutOutcome::LetOut,
        "{:?}",
        out.truck_visit
    );
    let left = world.container(&visit(BOX)).await;
    assert_eq!(left.phase(), api::ContainerVisitPhase::Departed);
    assert_eq!(world.passage_story(INTO).await, ["pass-issued"]);

    // The second: another stay begins, and the goods have passed.
    let second = world.enters_centre(PLATE, &[BOX]).await;
    assert_eq!(
        second.state(),
        api::TruckVisitState::GatedIn,
        "{:?}",
        second.conditions
    );
    let used = world.pre_arrival(&filed).await;
    assert_eq!(used.state(), api::PreArrivalState::Used);
    assert_eq!(used.second_truck_visit_id, second.truck_visit_id);
    assert_eq!(used.truck_visit_id, first.truck_visit_id);
    let stay = world.container(&format!("{CENTRE}/{BOX}/1")).await;
    assert_eq!(stay.phase(), api::ContainerVisitPhase::Arrived);
    assert_eq!(stay.list_number, INTO);
    assert!(!stay.empty);
    assert_eq!(
        world.passage_story(INTO).await,
        ["pass-issued", "passed", "closed"]
    );
    let passage = world.passage(INTO).await;
    assert!(passage.closed);
    assert_eq!(
        (passage.site_id.as_str(), passage.direction.as_str()),
        (CENTRE, "INCREASE")
    );
    let passed = &passage.passes[0];
    assert_eq!(passed.state, "PASSED");
    assert_eq!(passed.pass_number, filed.pass_number);
    assert_eq!(passed.lines[0].quantity, pieces("10"));
    assert_eq!((passed.list_version, passed.last), (1, true));
    assert_eq!(passed.known_by, "OBSERVED");
    assert_eq!(passed.container_number, BOX);

    // The truck leaves the centre empty; with the container it may not.
    let with_box = world.out_of_centre(at_the_exit(PLATE, &[BOX])).await;
    assert_eq!(with_box.outcome(), api::CheckOutOutcome::Refused);
    let empty = world.out_of_centre(at_the_exit(PLATE, &[])).await;
    assert_eq!(empty.outcome(), api::CheckOutOutcome::LetOut);
}

#[tokio::test]
async fn rule_4_goods_go_out_of_bond_in_parts_and_the_last_closes_the_list() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    let one = world
        .try_file("haulier-a", exit(PLATE, &["4"]))
        .await
        .unwrap();
    let other = world.pass(exit(NEXT_PLATE, &[])).await;
    assert_eq!(other.list.as_ref().unwrap().lines[0].quantity, pieces("6"));
    assert_ne!(one.pass_number, other.pass_number);
    assert!(one.pass_number.starts_with("Z8000E"));
    for (plate, last) in [(NEXT_PLATE, false), (PLATE, true)] {
        let truck = world.enters_centre(plate, &[]).await;
        assert_eq!(
            truck.state(),
            api::TruckVisitState::GatedIn,
            "{:?}",
            truck.conditions
        );
        let out = world.out_of_centre(at_the_exit(plate, &[])).await;
        assert_eq!(
            out.outcome(),
            api::CheckOutOutcome::LetOut,
            "{:?}",
            out.truck_visit
        );
        let passage = world.passage(OUT).await;
        assert_eq!(passage.closed, last);
        let pass = passage
            .passes
            .iter()
            .find(|p| p.last == last && p.state == "PASSED");
        assert!(pass.is_some(), "{passage:?}");
    }
    assert_eq!(
        world.passage_story(OUT).await,
        ["pass-issued", "pass-issued", "passed", "passed", "closed"]
    );
}

#[tokio::test]
async fn rule_4_of_64_trucks_racing_for_the_last_of_a_list_one_wins_and_the_others_hear_what_is_left()
 {
    let world = World::with(TimeDelta::hours(4), 2, |_| {}).await;
    world.told_list(list(OUT, "RESERVED", &["40"])).await;
    world.list_decided(OUT, "GRANTED", "").await;
    world
        .try_file("haulier-a", exit(PLATE, &["39"]))
        .await
        .unwrap();
    let plates: Vec<String> = (0..64).map(|n| format!("渝B{:05}", 10_000 + n)).collect();
    let filings = plates.iter().map(|plate| {
        let world = &world;
        async move { world.try_file("haulier-b", exit(plate, &["1"])).await }
    });
    let results = futures::future::join_all(filings).await;
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for refused in lost {
        let refused = refused.unwrap_err();
        let told = chassis::from_status(&refused);
        assert_eq!(told.reason, "STOCK_LIST_EXCEEDED");
        let left = told.metadata.iter().find(|(name, _)| *name == "left");
        assert_eq!(left.map(|(_, left)| left.as_str()), Some("1: 0 PCE"));
    }
    let passage = world.passage(OUT).await;
    assert_eq!(passage.passes.len(), 2);
    assert_eq!(world.passage_story(OUT).await.len(), 2);
}

#[tokio::test]
async fn rule_4_a_part_that_is_given_back_can_be_filed_anew_and_closes_or_reopens_the_list() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    let first = world.pass(exit(PLATE, &["6"])).await;
    let second = world.pass(exit(NEXT_PLATE, &["4"])).await;
    let refused = world.try_file(
        "operator",
        api::SubmitPreArrivalRequest {
            haulier_party: "haulier-b".into(),
            ..exit("渝C00001", &["1"])
        },
    );
    assert_eq!(reason(&refused.await.unwrap_err()), "STOCK_LIST_EXCEEDED");
    world.enters_centre(PLATE, &[]).await;
    world.out_of_centre(at_the_exit(PLATE, &[])).await;
    // Nothing usable is left once the other is cancelled; a further pass opens the list again.
    world.cancel("haulier-a", &second).await.unwrap();
    assert!(world.passage(OUT).await.closed);
    let third = world.pass(exit("渝C00001", &[])).await;
    assert_eq!(third.list.unwrap().lines[0].quantity, pieces("4"));
    assert!(!world.passage(OUT).await.closed);
    assert_eq!(
        world.passage_story(OUT).await,
        [
            "pass-issued",
            "pass-issued",
            "passed",
            "pass-withdrawn",
            "closed",
            "pass-issued",
            "reopened"
        ]
    );
    let passage = world.passage(OUT).await;
    assert_eq!(states(&passage), ["PASSED", "WITHDRAWN", "ISSUED"]);
    assert_eq!(passage.version, 7);
    let cancelled = world.cancel("operator", &first).await.unwrap_err();
    assert_eq!(reason(&cancelled), "PRE_ARRIVAL_OVER");
}

#[tokio::test]
async fn a_pass_that_expires_or_whose_truck_leaves_without_the_goods_is_withdrawn() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    let expiring = world.pass(exit(NEXT_PLATE, &["3"])).await;
    world.let_expire(&expiring).await;
    world.pass(exit(PLATE, &["5"])).await;
    let truck = world.enters_centre(PLATE, &[]).await;
    assert_eq!(truck.state(), api::TruckVisitState::GatedIn);
    let without = api::CheckOutRequest {
        without_goods: true,
        ..at_the_exit(PLATE, &[])
    };
    let out = world.out_of_centre(without).await;
    assert_eq!(out.outcome(), api::CheckOutOutcome::LetOut);
    world.until(&expiring, api::PreArrivalState::Expired).await;
    let passage = world.passage(OUT).await;
    assert_eq!(states(&passage), ["WITHDRAWN", "WITHDRAWN"]);
    assert!(!passage.closed);
}

#[tokio::test]
async fn who_says_that_he_leaves_without_the_goods_and_weighs_more_is_looked_at() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    world.pass(exit(PLATE, &[])).await;
    let request = api::CheckInRequest {
        site_id: CENTRE.into(),
        weight: kilograms("9000"),
        ..at_the_lane(PLATE, &[], "haulier-a")
    };
    let inside = world.handlers.check_in(call("centre-gate", request)).await;
    inside.unwrap();
    let leaving = |weight: &str| api::CheckOutRequest {
        without_goods: true,
        weight: kilograms(weight),
        ..at_the_exit(PLATE, &[])
    };
    let heavier = world.out_of_centre(leaving("12000")).await;
    assert_eq!(heavier.outcome(), api::CheckOutOutcome::ManualReview);
    let same = world.out_of_centre(leaving("9000")).await;
    assert_eq!(same.outcome(), api::CheckOutOutcome::LetOut);
}

#[tokio::test]
async fn a_faulty_filing_with_a_list_is_refused_with_all_its_faults() {
    let world = World::new().await;
    world.told_list(list(OUT, "RESERVED", &["10", "5"])).await;
    let fault = |filing: api::SubmitPreArrivalRequest, party: &'static str| {
        let world = &world;
        async move { world.try_file(party, filing).await.unwrap_err() }
    };
    let not_bonded = api::SubmitPreArrivalRequest {
        site_id: PORT.into(),
        list: part("QD1", &["0"]),
        haulier_party: "haulier-b".into(),
        ..exit(PLATE, &[])
    };
    let told = fault(not_bonded, "haulier-a").await;
    let expected = [
        "LIST_NUMBER_INVALID",
        "LIST_QUANTITY_INVALID",
        "CENTRE_UNKNOWN",
        "HAULIER_INVALID",
    ];
    assert_eq!(faults(&told), expected);
    let one_way_only = api::SubmitPreArrivalRequest {
        list: part(INTO, &[]),
        ..exit(PLATE, &[])
    };
    assert_eq!(
        faults(&fault(one_way_only, "haulier-a").await),
        ["LIST_DIRECTION"]
    );
    let no_list = api::SubmitPreArrivalRequest {
        list: None,
        ..exit(PLATE, &[])
    };
    assert_eq!(faults(&fault(no_list, "haulier-a").await), ["LIST_MISSING"]);
    let not_expected = api::SubmitPreArrivalRequest {
        list: part(OUT, &[]),
        ..filing(api::PreArrivalKind::FullOut, PLATE, &[BOX])
    };
    assert_eq!(
        faults(&fault(not_expected, "haulier-a").await),
        ["LIST_NOT_EXPECTED"]
    );
    let nowhere = api::SubmitPreArrivalRequest {
        second_site_id: String::new(),
        ..transfer(PLATE, &[BOX], &[])
    };
    let told = fault(nowhere, "haulier-a").await;
    assert_eq!(faults(&told), ["SECOND_SITE_INVALID", "CENTRE_UNKNOWN"]);
    let unknown = fault(transfer(PLATE, &[BOX], &[]), "haulier-a").await;
    assert_eq!(reason(&unknown), "NOT_FOUND");
    let mut other_unit = exit(PLATE, &[]);
    other_unit.list = Some(api::PreArrivalList {
        list_number: OUT.into(),
        lines: vec![
            api::PreArrivalListLine {
                line_number: 1,
                quantity: kilograms("1"),
            },
            api::PreArrivalListLine {
                line_number: 3,
                quantity: pieces("1"),
            },
        ],
    });
    let told = fault(other_unit, "haulier-a").await;
    assert_eq!(
        faults(&told),
        ["LIST_QUANTITY_INVALID", "LIST_LINE_UNKNOWN"]
    );
    // Nothing of all this was stored.
    assert!(world.told("gate.list-passage").await.is_empty());
}

#[tokio::test]
async fn a_haulier_files_for_itself_and_the_operator_for_hauliers_at_its_own_centre() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    let operator_for = |haulier: &str| api::SubmitPreArrivalRequest {
        haulier_party: haulier.into(),
        ..exit(PLATE, &["1"])
    };
    let for_another = world.try_file("haulier-b", operator_for("haulier-a")).await;
    assert_eq!(faults(&for_another.unwrap_err()), ["HAULIER_INVALID"]);
    for nobody in ["", "operator"] {
        let refused = world.try_file("operator", operator_for(nobody)).await;
        assert_eq!(faults(&refused.unwrap_err()), ["HAULIER_INVALID"]);
    }
    let full_out = api::SubmitPreArrivalRequest {
        haulier_party: "haulier-a".into(),
        ..filing(api::PreArrivalKind::FullOut, PLATE, &[BOX])
    };
    let refused = world.try_file("operator", full_out).await;
    assert_eq!(faults(&refused.unwrap_err()), ["HAULIER_INVALID"]);
    let filed = world
        .try_file("operator", operator_for("haulier-a"))
        .await
        .unwrap();
    let seen = |party: &'static str| {
        let request = api::GetPreArrivalRequest {
            pre_arrival_id: filed.pass_number.clone(),
        };
        let asked = world.handlers.get_pre_arrival(call(party, request));
        async move { asked.await.is_ok() }
    };
    assert!(seen("operator").await && seen("haulier-a").await && seen("centre-gate").await);
    assert!(!seen("haulier-b").await && !seen("terminal").await);
}

#[tokio::test]
async fn both_sites_of_a_transfer_see_it_and_the_pass_number_finds_it_at_the_lane() {
    let world = World::new().await;
    world.ten_may_come_in().await;
    let filed = world.pass(transfer(PLATE, &[BOX], &[])).await;
    for party in ["terminal", "centre-gate"] {
        let request = api::ListPreArrivalsRequest::default();
        let listed = world.handlers.list_pre_arrivals(call(party, request)).await;
        assert_eq!(
            listed.unwrap().into_inner().pre_arrivals.len(),
            1,
            "{party}"
        );
    }
    let request = api::CheckInRequest {
        pre_arrival: filed.pass_number.to_lowercase(),
        ..at_the_lane(PLATE, &[BOX], "haulier-a")
    };
    let truck = world
        .try_check_in(request)
        .await
        .unwrap()
        .truck_visit
        .unwrap();
    assert_eq!(
        truck.state(),
        api::TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
    // Inside, it is neither cancelled nor driven by another, and at the centre it is not expected yet.
    let cancelled = world.cancel("haulier-a", &filed).await.unwrap_err();
    assert_eq!(reason(&cancelled), "PRE_ARRIVAL_UNDER_WAY");
    let too_early = world.enters_centre(PLATE, &[BOX]).await;
    assert_eq!(codes(&too_early.conditions), ["NO_PRE_ARRIVAL"]);
    world.check_out(PLATE, &[BOX]).await;
    let cancelled = world.cancel("haulier-a", &filed).await.unwrap_err();
    assert_eq!(reason(&cancelled), "PRE_ARRIVAL_UNDER_WAY");
    let at_the_port = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(codes(&at_the_port.conditions), ["NO_PRE_ARRIVAL"]);
}

#[tokio::test]
async fn a_transfer_whose_truck_leaves_the_port_empty_may_come_again() {
    let world = World::new().await;
    world.ten_may_come_in().await;
    let filed = world.pass(transfer(PLATE, &[BOX], &[])).await;
    for _ in 0..2 {
        let inside = world.check_in(PLATE, &[BOX], "haulier-a").await;
        assert_eq!(
            inside.state(),
            api::TruckVisitState::GatedIn,
            "{:?}",
            inside.conditions
        );
        let empty = world.check_out(PLATE, &[]).await;
        assert_eq!(empty.outcome(), api::CheckOutOutcome::LetOut);
        let open = world.pre_arrival(&filed).await;
        assert_eq!(open.state(), api::PreArrivalState::Ready);
        assert!(open.truck_visit_id.is_empty());
    }
    assert_eq!(states(&world.passage(INTO).await), ["ISSUED"]);
    world.cancel("operator", &filed).await.unwrap();
    assert_eq!(states(&world.passage(INTO).await), ["WITHDRAWN"]);
}

#[tokio::test]
async fn a_transfer_is_ready_only_on_a_transfer_decision_that_names_its_container_or_none() {
    let world = World::new().await;
    world.arrived(&[BOX]).await;
    world.told_list(list(INTO, "FILED", &["10"])).await;
    world.hears().await;
    let filed = world.pass(transfer(PLATE, &[BOX], &[])).await;
    assert_eq!(codes(&filed.conditions), ["RELEASE_NOT_GRANTED"]);
    assert!(filed.pass_number.is_empty());
    let told = |journey: &'static str, containers: Vec<String>| {
        let world = &world;
        async move {
            let mut event = on_list(INTO, world.next(&key(INTO)), "GRANTED", "");
            let read = event.decision.as_mut().unwrap();
            read.journey = journey.into();
            read.list_containers = containers;
            world.apply("release.decision", &key(INTO), &event).await;
        }
    };
    told("BOND_EXIT", Vec::new()).await;
    let now = world.pre_arrival(&filed).await;
    assert_eq!(codes(&now.conditions), ["RELEASE_NOT_GRANTED"]);
    told("BOND_TRANSFER", vec![OTHER_BOX.into()]).await;
    let now = world.pre_arrival(&filed).await;
    assert_eq!(codes(&now.conditions), ["CONTAINER_NOT_ON_LIST"]);
    told("BOND_TRANSFER", vec![BOX.into(), OTHER_BOX.into()]).await;
    let now = world.pre_arrival(&filed).await;
    assert_eq!(
        now.state(),
        api::PreArrivalState::Ready,
        "{:?}",
        now.conditions
    );
    let number = now.pass_number.clone();
    assert_eq!(number.len(), 24);
    // The number stays whatever happens to the decision.
    world.list_decided(INTO, "WITHHELD", "").await;
    told("BOND_TRANSFER", Vec::new()).await;
    assert_eq!(world.pre_arrival(&filed).await.pass_number, number);
}

#[tokio::test]
async fn a_transfer_names_its_containers_when_it_is_filed_at_the_way_in_and_at_the_way_out() {
    let world = World::new().await;
    world.arrived(&[BOX]).await;
    world.told_list(list(INTO, "APPROVED", &["10"])).await;
    let told = |containers: &'static [&'static str]| {
        let world = &world;
        async move {
            let mut event = on_list(INTO, world.next(&key(INTO)), "GRANTED", "");
            let read = event.decision.as_mut().unwrap();
            read.list_containers = containers.iter().map(ToString::to_string).collect();
            world.apply("release.decision", &key(INTO), &event).await;
        }
    };
    told(&[BOX]).await;
    world.hears().await;
    let none = transfer(PLATE, &[], &[]);
    let refused = world.try_file("haulier-a", none).await.unwrap_err();
    assert_eq!(faults(&refused), ["CONTAINERS_MISSING"]);
    world.pass(transfer(PLATE, &[BOX], &[])).await;
    let without = world.check_in(PLATE, &[], "haulier-a").await;
    assert_eq!(codes(&without.conditions), ["CONTAINERS_DIFFER"]);
    let inside = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        inside.state(),
        api::TruckVisitState::GatedIn,
        "{:?}",
        inside.conditions
    );
    // The declaration is amended, and names another.
    told(&[OTHER_BOX]).await;
    let recalled = world.truck(&inside).await;
    assert_eq!(codes(&recalled.conditions), ["CONTAINER_NOT_ON_LIST"]);
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(out.outcome(), api::CheckOutOutcome::Refused);
    // Without the container it leaves without the goods.
    let out = world.check_out(PLATE, &[]).await;
    assert_eq!(out.outcome(), api::CheckOutOutcome::LetOut);
    assert_eq!(states(&world.passage(INTO).await), ["ISSUED"]);
}

#[tokio::test]
async fn a_hold_on_the_list_counts_at_the_barrier_and_recalls_the_truck_inside() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    let filed = world.pass(exit(PLATE, &[])).await;
    let scope = (common::HoldScopeKind::StockList, OUT);
    world.told_hold("customs", "H1", scope, false).await;
    let held = world.pre_arrival(&filed).await;
    assert_eq!(codes(&held.conditions), ["CUSTOMS_HOLD"]);
    world.hears().await;
    let away = world.enters_centre(PLATE, &[]).await;
    assert_eq!(away.state(), api::TruckVisitState::TurnedAway);
    world.told_hold("customs", "H1", scope, true).await;
    let inside = world.enters_centre(PLATE, &[]).await;
    assert_eq!(
        inside.state(),
        api::TruckVisitState::GatedIn,
        "{:?}",
        inside.conditions
    );
    world.told_hold("release", "H2", scope, false).await;
    let recalled = world.truck(&inside).await;
    assert_eq!(recalled.state(), api::TruckVisitState::Recalled);
    let refused = world.out_of_centre(at_the_exit(PLATE, &[])).await;
    assert_eq!(refused.outcome(), api::CheckOutOutcome::Refused);
    world.told_hold("release", "H2", scope, true).await;
    let out = world.out_of_centre(at_the_exit(PLATE, &[])).await;
    assert_eq!(out.outcome(), api::CheckOutOutcome::LetOut);
}

#[tokio::test]
async fn rule_11_goods_leave_bond_without_a_decision_only_by_a_named_person_with_a_reason() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    world.pass(exit(PLATE, &[])).await;
    let inside = world.enters_centre(PLATE, &[]).await;
    world.list_decided(OUT, "WITHHELD", "").await;
    let recalled = world.truck(&inside).await;
    assert_eq!(recalled.state(), api::TruckVisitState::Recalled);
    let refused = world.out_of_centre(at_the_exit(PLATE, &[])).await;
    assert_eq!(refused.outcome(), api::CheckOutOutcome::Refused);
    let decided = api::DecideReviewRequest {
        request_id: fresh(),
        truck_visit_id: inside.truck_visit_id.clone(),
        verdict: api::ReviewVerdict::LetOut.into(),
        reason: "customs has called".into(),
        expected_version: 0,
    };
    let decided = world
        .handlers
        .decide_review(call("centre-gate", decided))
        .await;
    let truck = decided.unwrap().into_inner().truck_visit.unwrap();
    assert_eq!(truck.state(), api::TruckVisitState::Closed);
    assert_eq!(states(&world.passage(OUT).await), ["PASSED"]);
}

#[tokio::test]
async fn rule_12_a_void_is_applied_where_nothing_moves_and_no_pass_is_issued_any_more() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    let filed = world.pass(exit(PLATE, &["4"])).await;
    let asked = bonded::StockList {
        void_ask_id: "ask-1".into(),
        ..list(OUT, "VOID_ASKED", &["10"])
    };
    world.told_list(asked).await;
    let passage = world.passage(OUT).await;
    assert_eq!(
        (passage.void_ask_id.as_str(), passage.void_applied),
        ("ask-1", true)
    );
    assert_eq!(states(&passage), ["WITHDRAWN"]);
    assert!(!passage.closed);
    let blocked = world.pre_arrival(&filed).await;
    assert_eq!(codes(&blocked.conditions), ["PASS_WITHDRAWN"]);
    let away = world.enters_centre(PLATE, &[]).await;
    assert_eq!(away.state(), api::TruckVisitState::TurnedAway);
    // Void, whatever bonded says next.
    world.told_list(list(OUT, "RESERVED", &["10"])).await;
    let refused = world.try_file("haulier-a", exit(PLATE, &["1"])).await;
    assert_eq!(reason(&refused.unwrap_err()), "STOCK_LIST_NOT_OPEN");
    assert_eq!(
        world.passage_story(OUT).await,
        ["pass-issued", "pass-withdrawn", "void-applied"]
    );
}

#[tokio::test]
async fn rule_12_a_void_of_a_list_that_gate_never_heard_of_is_applied_and_remembered() {
    let world = World::new().await;
    let asked = bonded::StockList {
        void_ask_id: "ask-1".into(),
        ..list(OUT, "VOID_ASKED", &["10"])
    };
    world.told_list(asked.clone()).await;
    world.told_list(asked).await;
    assert_eq!(world.passage_story(OUT).await, ["void-applied"]);
    world.told_list(list(OUT, "RESERVED", &["10"])).await;
    let refused = world.try_file("haulier-a", exit(PLATE, &["1"])).await;
    assert_eq!(reason(&refused.unwrap_err()), "STOCK_LIST_NOT_OPEN");
}

#[tokio::test]
async fn rule_12_a_void_is_too_late_while_a_truck_is_inside_on_the_road_or_has_passed() {
    let world = World::new().await;
    world.ten_may_come_in().await;
    world.pass(transfer(PLATE, &[BOX], &[])).await;
    let ask = |number: usize| bonded::StockList {
        void_ask_id: format!("ask-{number}"),
        ..list(INTO, "VOID_ASKED", &["10"])
    };
    for number in 1..=3 {
        match number {
            1 => drop(world.check_in(PLATE, &[BOX], "haulier-a").await),
            2 => drop(world.check_out(PLATE, &[BOX]).await),
            _ => drop(world.enters_centre(PLATE, &[BOX]).await),
        }
        world.told_list(ask(number)).await;
        let passage = world.passage(INTO).await;
        assert_eq!(passage.void_ask_id, format!("ask-{number}"));
        assert!(!passage.void_applied);
        // It stands as before.
        world.told_list(list(INTO, "APPROVED", &["10"])).await;
    }
    assert_eq!(states(&world.passage(INTO).await), ["PASSED"]);
    let story = world.passage_story(INTO).await;
    assert_eq!(
        story.iter().filter(|fact| *fact == "void-too-late").count(),
        3
    );
    assert!(
        !story.iter().any(|fact| fact == "pass-withdrawn"),
        "{story:?}"
    );
}

#[tokio::test]
async fn rule_12_release_takes_a_decision_on_a_list_back_until_its_goods_have_left() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    world.pass(exit(PLATE, &[])).await;
    let inside = world.enters_centre(PLATE, &[]).await;
    world.list_decided(OUT, "REVOCATION_ASKED", "ask-1").await;
    assert_eq!(world.answers().await, [("ask-1".into(), OUT.into(), false)]);
    assert_eq!(
        world.truck(&inside).await.state(),
        api::TruckVisitState::Recalled
    );
    let refused = world.out_of_centre(at_the_exit(PLATE, &[])).await;
    assert_eq!(refused.outcome(), api::CheckOutOutcome::Refused);
    world.list_decided(OUT, "GRANTED", "").await;
    let out = world.out_of_centre(at_the_exit(PLATE, &[])).await;
    assert_eq!(
        out.outcome(),
        api::CheckOutOutcome::LetOut,
        "{:?}",
        out.truck_visit
    );
    world.list_decided(OUT, "REVOCATION_ASKED", "ask-2").await;
    world.list_decided(OUT, "REVOCATION_ASKED", "ask-2").await;
    assert_eq!(
        world.answers().await[1..],
        [("ask-2".to_owned(), OUT.to_owned(), true)]
    );
}

#[tokio::test]
async fn a_list_that_is_closed_short_takes_back_what_has_not_come_and_is_closed() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    world.pass(exit(PLATE, &["4"])).await;
    world.pass(exit(NEXT_PLATE, &["3"])).await;
    let never = world.pass(exit("渝C00001", &["3"])).await;
    world.enters_centre(PLATE, &[]).await;
    world.out_of_centre(at_the_exit(PLATE, &[])).await;
    world.enters_centre(NEXT_PLATE, &[]).await;
    world
        .told_list(bonded::StockList {
            closed_short: true,
            ..list(OUT, "RESERVED", &["10"])
        })
        .await;
    // A truck that is inside may still leave with its part.
    let passage = world.passage(OUT).await;
    assert_eq!(states(&passage), ["PASSED", "ISSUED", "WITHDRAWN"]);
    assert!(!passage.closed);
    let blocked = world.pre_arrival(&never).await;
    assert_eq!(codes(&blocked.conditions), ["PASS_WITHDRAWN"]);
    let refused = world.try_file("haulier-a", exit("渝C00002", &["1"])).await;
    assert_eq!(reason(&refused.unwrap_err()), "STOCK_LIST_NOT_OPEN");
    world.hears().await;
    let out = world.out_of_centre(at_the_exit(NEXT_PLATE, &[])).await;
    assert_eq!(
        out.outcome(),
        api::CheckOutOutcome::LetOut,
        "{:?}",
        out.truck_visit
    );
    let passage = world.passage(OUT).await;
    assert!(passage.closed && passage.passes[1].last);
}

#[tokio::test]
async fn rule_14_what_cannot_be_known_of_a_list_admits_nobody() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    let filed = world.pass(exit(PLATE, &[])).await;
    for (topic, name) in [
        ("bonded.stock-list", OUT.to_owned()),
        ("release.decision", key(OUT)),
    ] {
        world.park(topic, &name).await;
        world.until(&filed, api::PreArrivalState::Blocked).await;
        let away = world.enters_centre(PLATE, &[]).await;
        assert_eq!(codes(&away.conditions), ["KNOWLEDGE_UNKNOWN"], "{topic}");
        assert_eq!(away.state(), api::TruckVisitState::TurnedAway);
        world.give_up_parked().await;
        world.until(&filed, api::PreArrivalState::Ready).await;
        world.stop(topic, &name, true).await;
        let unsure = world.enters_centre(PLATE, &[]).await;
        assert_eq!(
            unsure.state(),
            api::TruckVisitState::ManualReview,
            "{topic}"
        );
        assert_eq!(codes(&unsure.conditions), ["KNOWLEDGE_UNKNOWN"]);
        world.stop(topic, &name, false).await;
        let away = api::DecideReviewRequest {
            request_id: fresh(),
            truck_visit_id: unsure.truck_visit_id.clone(),
            verdict: api::ReviewVerdict::TurnAway.into(),
            reason: "come again".into(),
            expected_version: 0,
        };
        let away = world
            .handlers
            .decide_review(call("centre-gate", away))
            .await;
        away.unwrap();
    }
    world.heard_seconds_ago(600).await;
    let old = world.enters_centre(PLATE, &[]).await;
    assert_eq!(codes(&old.conditions), ["KNOWLEDGE_TOO_OLD"]);
}

#[tokio::test]
async fn rule_13_the_evidence_of_a_pass_names_the_list_and_the_decision_on_it() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    world.pass(exit(PLATE, &[])).await;
    let truck = world.enters_centre(PLATE, &[]).await;
    let truck = world.truck(&truck).await;
    let about: Vec<&str> = truck.admissions[0]
        .evidence
        .iter()
        .map(|evidence| evidence.subject.as_str())
        .collect();
    for subject in [
        format!("stock-list/{OUT}"),
        format!("list-passage/{OUT}"),
        format!("decision/{}", key(OUT)),
    ] {
        assert!(about.contains(&subject.as_str()), "{subject} in {about:?}");
    }
}

#[tokio::test]
async fn rule_15_goods_that_left_the_port_and_were_not_seen_to_come_are_taken_for_passed() {
    let world = World::new().await;
    world.ten_may_come_in().await;
    let filed = world.pass(transfer(PLATE, &[BOX], &[])).await;
    world.check_in(PLATE, &[BOX], "haulier-a").await;
    // Inside it does not expire, whatever was planned.
    world.let_expire(&filed).await;
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(
        out.outcome(),
        api::CheckOutOutcome::LetOut,
        "{:?}",
        out.truck_visit
    );
    let on_the_road = world.pre_arrival(&filed).await;
    assert_eq!(on_the_road.state(), api::PreArrivalState::Ready);
    let seven_days = Utc::now() + TimeDelta::days(7);
    let expires = on_the_road.expires_at.unwrap();
    assert!((expires.seconds - seven_days.timestamp()).abs() < 60);
    world.let_expire(&filed).await;
    world.until(&filed, api::PreArrivalState::Used).await;
    let passage = world.passage(INTO).await;
    assert_eq!(passage.passes[0].known_by, "INFERRED");
    assert!(passage.closed);
}

#[tokio::test]
async fn goods_on_the_road_go_on_into_the_centre_whatever_release_says_and_stop_before_a_hold() {
    let world = World::new().await;
    world.ten_may_come_in().await;
    world.pass(transfer(PLATE, &[BOX], &[])).await;
    world.check_in(PLATE, &[BOX], "haulier-a").await;
    world.check_out(PLATE, &[BOX]).await;
    world.list_decided(INTO, "CONSUMED", "").await;
    let scope = (common::HoldScopeKind::StockList, INTO);
    world.told_hold("customs", "H1", scope, false).await;
    world.hears().await;
    let held = world.enters_centre(PLATE, &[BOX]).await;
    assert_eq!(codes(&held.conditions), ["CUSTOMS_HOLD"]);
    world.told_hold("customs", "H1", scope, true).await;
    let inside = world.enters_centre(PLATE, &[BOX]).await;
    assert_eq!(
        inside.state(),
        api::TruckVisitState::GatedIn,
        "{:?}",
        inside.conditions
    );
}

#[tokio::test]
async fn goods_go_out_of_bond_in_the_container_that_the_truck_brings_or_not_at_all() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    let in_a_box = api::SubmitPreArrivalRequest {
        containers: filing(api::PreArrivalKind::BondExit, PLATE, &[BOX]).containers,
        ..exit(PLATE, &[])
    };
    world.pass(in_a_box).await;
    let truck = world.enters_centre(PLATE, &[BOX]).await;
    assert_eq!(
        truck.state(),
        api::TruckVisitState::GatedIn,
        "{:?}",
        truck.conditions
    );
    let stay = world.container(&format!("{CENTRE}/{BOX}/1")).await;
    assert!(stay.empty && stay.list_number.is_empty());
    let out = world.out_of_centre(at_the_exit(PLATE, &[BOX])).await;
    assert_eq!(
        out.outcome(),
        api::CheckOutOutcome::LetOut,
        "{:?}",
        out.truck_visit
    );
    assert_eq!(
        out.departed_container_visit_ids,
        [format!("{CENTRE}/{BOX}/1")]
    );
    let passage = world.passage(OUT).await;
    assert_eq!(passage.passes[0].container_numbers, [BOX]);
    assert_eq!(states(&passage), ["PASSED"]);
}

/// Ten pieces come into the centre in a container, whose truck the centre's lane saw at that time.
async fn ten_came_in(world: &World, seen_at: chrono::DateTime<Utc>) {
    world.check_in(PLATE, &[BOX], "haulier-a").await;
    world.check_out(PLATE, &[BOX]).await;
    let request = api::CheckInRequest {
        site_id: CENTRE.into(),
        observed_at: Some(timestamp(seen_at)),
        ..at_the_lane(PLATE, &[BOX], "haulier-a")
    };
    let inside = world.handlers.check_in(call("centre-gate", request)).await;
    let inside = inside.unwrap().into_inner().truck_visit.unwrap();
    assert_eq!(
        inside.state(),
        api::TruckVisitState::GatedIn,
        "{:?}",
        inside.conditions
    );
    world.out_of_centre(at_the_exit(PLATE, &[])).await;
}

/// What bonded says of the list into bond once its goods were unstuffed and counted.
fn unstuffed(state: &str, at: chrono::DateTime<Utc>) -> bonded::StockList {
    bonded::StockList {
        unstuffed_at: Some(timestamp(at)),
        ..list(INTO, state, &["10"])
    }
}

#[tokio::test]
async fn a_container_whose_goods_were_unstuffed_and_counted_leaves_the_centre_as_an_empty() {
    let world = World::new().await;
    world.ten_may_come_in().await;
    world.pass(transfer(PLATE, &[BOX], &[])).await;
    let came_at = Utc::now();
    ten_came_in(&world, came_at).await;
    let taking = api::SubmitPreArrivalRequest {
        site_id: CENTRE.into(),
        ..filing(api::PreArrivalKind::EmptyOut, NEXT_PLATE, &[BOX])
    };
    let filed = world.try_file("haulier-b", taking).await.unwrap();
    assert_eq!(codes(&filed.conditions), ["NOT_KNOWN_EMPTY"]);
    // What was counted before it came was in another.
    let before = came_at - TimeDelta::minutes(1);
    for told in [
        list(INTO, "APPROVED", &["10"]),
        unstuffed("APPROVED", before),
    ] {
        world.told_list(told).await;
        let blocked = world.pre_arrival(&filed).await;
        assert_eq!(codes(&blocked.conditions), ["NOT_KNOWN_EMPTY"]);
    }
    let stay_id = format!("{CENTRE}/{BOX}/1");
    let version = world.container(&stay_id).await.version;
    // It is empty once, however often that is said.
    for state in ["APPROVED", "POSTED"] {
        world.told_list(unstuffed(state, Utc::now())).await;
        let stay = world.container(&stay_id).await;
        assert!(stay.empty);
        assert_eq!(stay.version, version + 1);
    }
    let key = format!("{CENTRE}/{BOX}");
    let story = world.story("gate.container-visit", &key).await;
    assert_eq!(story, ["arrived", "emptied"]);
    let rows = world.told("gate.container-visit").await;
    let last = rows.iter().rfind(|row| row.key == key).unwrap();
    let told = events::ContainerVisitEvent::decode(last.payload.as_ref()).unwrap();
    assert_eq!(told.fact(), events::ContainerVisitFact::Emptied);
    assert!(told.visit.unwrap().empty);
    let ready = world.pre_arrival(&filed).await;
    assert_eq!(
        ready.state(),
        api::PreArrivalState::Ready,
        "{:?}",
        ready.conditions
    );
    world.hears().await;
    let request = api::CheckInRequest {
        site_id: CENTRE.into(),
        ..at_the_lane(NEXT_PLATE, &[BOX], "haulier-b")
    };
    let inside = world.handlers.check_in(call("centre-gate", request)).await;
    inside.unwrap();
    let out = world.out_of_centre(at_the_exit(NEXT_PLATE, &[BOX])).await;
    assert_eq!(
        out.outcome(),
        api::CheckOutOutcome::LetOut,
        "{:?}",
        out.truck_visit
    );
    assert_eq!(out.departed_container_visit_ids, [stay_id]);
}

#[tokio::test]
async fn a_container_is_empty_also_if_its_coming_is_recorded_after_its_unstuffing() {
    let world = World::new().await;
    world.ten_may_come_in().await;
    world.pass(transfer(PLATE, &[BOX], &[])).await;
    let counted_at = Utc::now() - TimeDelta::minutes(1);
    world.told_list(unstuffed("APPROVED", counted_at)).await;
    // A lane that sends what it saw through an outage.
    ten_came_in(&world, counted_at - TimeDelta::minutes(9)).await;
    let stay = world.container(&format!("{CENTRE}/{BOX}/1")).await;
    assert!(stay.empty);
    let key = format!("{CENTRE}/{BOX}");
    let story = world.story("gate.container-visit", &key).await;
    assert_eq!(story, ["arrived", "emptied"]);
}

#[tokio::test]
async fn rule_5_goods_out_of_bond_weigh_no_more_than_was_filed_with_the_container_that_the_truck_brought()
 {
    let world = World::new().await;
    world.ten_may_go_out().await;
    let mut in_a_box = exit(PLATE, &[]);
    in_a_box.containers = filing(api::PreArrivalKind::BondExit, PLATE, &[BOX]).containers;
    in_a_box.containers[0].gross_mass = kilograms("12350");
    world.pass(in_a_box).await;
    let request = api::CheckInRequest {
        site_id: CENTRE.into(),
        weight: kilograms("17450"),
        ..at_the_lane(PLATE, &[BOX], "haulier-a")
    };
    let inside = world.handlers.check_in(call("centre-gate", request)).await;
    inside.unwrap();
    let leaving = |weight: &str| api::CheckOutRequest {
        weight: kilograms(weight),
        ..at_the_exit(PLATE, &[BOX])
    };
    for (weight, outcome) in [
        ("17450", api::CheckOutOutcome::ManualReview),
        ("31000", api::CheckOutOutcome::ManualReview),
        ("27550", api::CheckOutOutcome::LetOut),
    ] {
        let out = world.out_of_centre(leaving(weight)).await;
        assert_eq!(out.outcome(), outcome, "{weight}: {:?}", out.truck_visit);
    }
}

#[tokio::test]
async fn rule_5_loose_goods_out_of_bond_weigh_what_their_pass_says_or_a_person_looks() {
    let world = World::new().await;
    let declared = |value: &str, unit: &str| {
        Some(common::Quantity {
            value: value.into(),
            unit_code: unit.into(),
        })
    };
    let mut in_masses = list(OUT, "RESERVED", &["", ""]);
    in_masses.lines[0].declared = declared("9000", "KGM");
    in_masses.lines[1].declared = declared("5", "TNE");
    world.told_list(in_masses).await;
    world.list_decided(OUT, "GRANTED", "").await;
    world.hears().await;
    let mut filing = exit(PLATE, &[]);
    filing.list.as_mut().unwrap().lines = [("1500", "KGM"), ("0.5", "TNE")]
        .iter()
        .zip(1..)
        .map(|((value, unit), line_number)| api::PreArrivalListLine {
            line_number,
            quantity: declared(value, unit),
        })
        .collect();
    world.pass(filing).await;
    let request = api::CheckInRequest {
        site_id: CENTRE.into(),
        weight: kilograms("15000"),
        ..at_the_lane(PLATE, &[], "haulier-a")
    };
    let inside = world.handlers.check_in(call("centre-gate", request)).await;
    inside.unwrap();
    let leaving = |weight: &str| api::CheckOutRequest {
        weight: kilograms(weight),
        ..at_the_exit(PLATE, &[])
    };
    for weight in ["40000", "17501", "16499", "15000", "14000"] {
        let out = world.out_of_centre(leaving(weight)).await;
        assert_eq!(
            out.outcome(),
            api::CheckOutOutcome::ManualReview,
            "{weight}: {:?}",
            out.truck_visit
        );
        let conditions = out.truck_visit.unwrap().conditions;
        assert_eq!(codes(&conditions), ["WEIGHT_OUT_OF_TOLERANCE"]);
    }
    let out = world.out_of_centre(leaving("17500")).await;
    assert_eq!(out.outcome(), api::CheckOutOutcome::LetOut);
}

#[tokio::test]
async fn rule_5_loose_goods_that_are_counted_in_pieces_are_not_compared_with_their_weight() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    world.pass(exit(PLATE, &[])).await;
    let request = api::CheckInRequest {
        site_id: CENTRE.into(),
        weight: kilograms("15000"),
        ..at_the_lane(PLATE, &[], "haulier-a")
    };
    let inside = world.handlers.check_in(call("centre-gate", request)).await;
    inside.unwrap();
    let heavy = api::CheckOutRequest {
        weight: kilograms("40000"),
        ..at_the_exit(PLATE, &[])
    };
    let out = world.out_of_centre(heavy).await;
    assert_eq!(out.outcome(), api::CheckOutOutcome::LetOut);
}

#[tokio::test]
async fn a_dry_run_of_a_pass_says_what_it_would_carry_and_takes_nothing_from_the_list() {
    let world = World::new().await;
    world.ten_may_go_out().await;
    let dry = api::SubmitPreArrivalRequest {
        validate_only: true,
        ..exit(PLATE, &[])
    };
    let shown = world.try_file("haulier-a", dry).await.unwrap();
    assert_eq!(shown.state(), api::PreArrivalState::Ready);
    assert_eq!(shown.list.unwrap().lines[0].quantity, pieces("10"));
    assert!(shown.pre_arrival_id.is_empty() && shown.pass_number.is_empty());
    assert!(world.told("gate.list-passage").await.is_empty());
    world.pass(exit(PLATE, &["10"])).await;
}

#[tokio::test]
async fn rule_16_a_mistaken_check_in_on_a_pass_is_taken_back_and_goods_that_passed_are_not() {
    let world = World::new().await;
    world.ten_may_come_in().await;
    let filed = world.pass(transfer(PLATE, &[BOX], &[])).await;
    let correct = |party: &'static str, truck: &api::TruckVisit| {
        let request = api::CorrectCheckInRequest {
            request_id: fresh(),
            truck_visit_id: truck.truck_visit_id.clone(),
            reason: "another truck".into(),
            expected_version: 0,
        };
        let done = world.handlers.correct_check_in(call(party, request));
        async move { done.await.map(|_| ()) }
    };
    let mistaken = world.check_in(PLATE, &[BOX], "haulier-a").await;
    correct("terminal", &mistaken).await.unwrap();
    let open = world.pre_arrival(&filed).await;
    assert_eq!(open.state(), api::PreArrivalState::Ready);
    assert!(open.truck_visit_id.is_empty());
    world.check_in(PLATE, &[BOX], "haulier-a").await;
    world.check_out(PLATE, &[BOX]).await;
    let inside = world.enters_centre(PLATE, &[BOX]).await;
    let refused = correct("centre-gate", &inside).await.unwrap_err();
    assert_eq!(reason(&refused), "CHECK_IN_FINAL");
}

/// A declaration that customs takes back, or does not.
async fn declaration(world: &World, state: &str, asks: &[(&str, &str, &str)]) {
    world
        .declared_as("D1", &[], |declaration| {
            declaration.type_code = "IMA".into();
            declaration.state = state.into();
            declaration.invalidation_asks = asks
                .iter()
                .map(
                    |(ask, visit, list)| proto::customs::events::v1::InvalidationAsk {
                        ask_id: (*ask).into(),
                        container_visit_id: (*visit).into(),
                        list_number: (*list).into(),
                    },
                )
                .collect();
        })
        .await;
}

#[tokio::test]
async fn rule_12_customs_takes_a_declaration_back_and_is_answered_once_for_each_container_and_list()
{
    let world = World::new().await;
    world.ready(&[BOX]).await;
    world.ten_may_go_out().await;
    let pass = world.pass(exit(NEXT_PLATE, &["1"])).await;
    let stay = visit(BOX);
    let asks: [(&str, &str, &str); 3] = [
        ("ask-1", &stay, ""),
        ("ask-2", "", OUT),
        ("ask-3", "GUOYUAN-PORT/CSQU3054383/7", ""),
    ];
    declaration(&world, "ACCEPTED", &asks).await;
    declaration(&world, "ACCEPTED", &asks).await;
    let told = world.answers().await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|(_, _, too_late)| !too_late), "{told:?}");
    // Applied: no barrier opens on what release has not taken back yet, nor on what it grants unaware.
    let away = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(codes(&away.conditions), ["RELEASE_REVOKED"]);
    world.list_decided(OUT, "GRANTED", "").await;
    let blocked = world.pre_arrival(&pass).await;
    assert_eq!(codes(&blocked.conditions), ["RELEASE_REVOKED"]);
    // Release has understood, and grants on another declaration.
    declaration(&world, "INVALIDATED", &[]).await;
    assert_eq!(
        world.pre_arrival(&pass).await.state(),
        api::PreArrivalState::Blocked
    );
    world.list_decided(OUT, "WITHHELD", "").await;
    world.list_decided(OUT, "GRANTED", "").await;
    assert_eq!(
        world.pre_arrival(&pass).await.state(),
        api::PreArrivalState::Ready
    );
}

#[tokio::test]
async fn rule_12_a_declaration_that_customs_lets_stand_bars_nothing_any_more() {
    let world = World::new().await;
    let filed = world.ready(&[BOX]).await;
    world.ten_may_go_out().await;
    world.pass(exit(NEXT_PLATE, &[])).await;
    world.enters_centre(NEXT_PLATE, &[]).await;
    world.out_of_centre(at_the_exit(NEXT_PLATE, &[])).await;
    let stay = visit(BOX);
    let asks: [(&str, &str, &str); 2] = [("ask-1", &stay, ""), ("ask-2", "", OUT)];
    declaration(&world, "RELEASED", &asks).await;
    let told = world.answers().await;
    assert_eq!(told[1], ("ask-2".to_owned(), OUT.to_owned(), true));
    assert_eq!(
        world.pre_arrival(&filed).await.state(),
        api::PreArrivalState::Blocked
    );
    declaration(&world, "RELEASED", &[]).await;
    assert_eq!(
        world.pre_arrival(&filed).await.state(),
        api::PreArrivalState::Ready
    );
}

/// Numbers that look random and follow from the seed (xorshift).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }
}

/// Something that bonded, release or a truck does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Happens {
    /// Bonded's word on the list, at this version; from the third on it is closed short.
    List(u64),
    /// Release's decision at this version: granted, withheld, granted.
    Decision(u64),
    /// The truck stands at the way out.
    Leaves,
}

async fn happen(world: &World, what: Happens) {
    match what {
        Happens::List(version) => {
            let closed_short = version >= 3;
            let told = list(OUT, "RESERVED", &["10"]);
            world
                .told_list_at(bonded::StockList {
                    version,
                    closed_short,
                    ..told
                })
                .await;
        }
        Happens::Decision(version) => {
            let state = if version == 2 { "WITHHELD" } else { "GRANTED" };
            let event = on_list(OUT, version, state, "");
            world.apply("release.decision", &key(OUT), &event).await;
        }
        Happens::Leaves => {
            world.hears().await;
            let request = api::CheckOutRequest {
                site_id: CENTRE.into(),
                ..at_the_exit(PLATE, &[])
            };
            // Where a decision keeps it in it asks again.
            let _ = world.handlers.check_out(call("centre-gate", request)).await;
        }
    }
}

/// Each at least once, some again, in any order.
fn shuffled(mut facts: Vec<Happens>, dice: &mut Dice) -> Vec<Happens> {
    for _ in 0..dice.throw(4) {
        facts.push(facts[dice.throw(facts.len())]);
    }
    for at in (1..facts.len()).rev() {
        facts.swap(at, dice.throw(at + 1));
    }
    facts
}

#[tokio::test]
async fn what_bonded_release_and_trucks_do_in_any_order_and_any_number_ends_in_the_same_passage() {
    let bytes = *kernel::new_id().as_bytes();
    let seed = u64::from_be_bytes(bytes[8..].try_into().unwrap());
    let mut dice = Dice(seed | 1);
    for _ in 0..8 {
        let world = World::new().await;
        happen(&world, Happens::List(1)).await;
        let gone = world.pass(exit(PLATE, &["4"])).await;
        let never = world.pass(exit(NEXT_PLATE, &["5"])).await;
        let (list, decision) = (Happens::List, Happens::Decision);
        let before = vec![list(1), list(2), decision(1), decision(2), decision(3)];
        let before = shuffled(before, &mut dice);
        for what in &before {
            happen(&world, *what).await;
        }
        world.hears().await;
        let truck = world.enters_centre(PLATE, &[]).await;
        let about = format!("seed {seed}: {before:?}");
        assert_eq!(
            truck.state(),
            api::TruckVisitState::GatedIn,
            "{about}: {truck:?}"
        );
        let after = vec![
            list(2),
            list(3),
            list(4),
            decision(2),
            decision(3),
            Happens::Leaves,
        ];
        let after = shuffled(after, &mut dice);
        for what in &after {
            happen(&world, *what).await;
        }
        let passage = world.passage(OUT).await;
        let about = format!("{about} {after:?}: {passage:?}");
        assert_eq!(states(&passage), ["PASSED", "WITHDRAWN"], "{about}");
        assert!(passage.closed, "{about}");
        assert_eq!(
            passage.passes[0].pre_arrival_id, gone.pre_arrival_id,
            "{about}"
        );
        assert_eq!(passage.passes[0].lines[0].quantity, pieces("4"), "{about}");
        let never = world.pre_arrival(&never).await;
        assert_eq!(codes(&never.conditions), ["PASS_WITHDRAWN"], "{about}");
    }
}
