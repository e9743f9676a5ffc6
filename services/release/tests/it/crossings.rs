//! A revocation crosses the goods' leaving, at every interleaving: by truck from the port, and on a stock
//! list's passes. (By train: `exports`.) Gate answers by what has happened at its barrier; release hears of
//! ask, leaving and answer in any order, and comes to the same.

use futures::future::join_all;
use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;

use crate::lists::{INTO, centre, declaration, list, pass};
use crate::world::{SITE, VISIT, World, arrived, consignment, departed};

/// What release hears.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Heard {
    /// The hold that makes release ask.
    Hold,
    /// The goods have left: the container, or a first part of the list.
    Left,
    /// Nothing more of the list will pass.
    Closed,
    /// Gate's answer to the ask; there is none where release never asked.
    Answer,
    /// The hold is lifted.
    Lift,
}

/// Every order of these in which gate answers what it was asked, and a hold is placed before it is lifted.
fn orders(of: &[Heard]) -> Vec<Vec<Heard>> {
    fn all(of: &[Heard]) -> Vec<Vec<Heard>> {
        if of.is_empty() {
            return vec![Vec::new()];
        }
        let one_first = |first: &Heard| {
            let rest: Vec<Heard> = of.iter().copied().filter(|heard| heard != first).collect();
            let first = *first;
            all(&rest).into_iter().map(move |mut order| {
                order.insert(0, first);
                order
            })
        };
        of.iter().flat_map(one_first).collect()
    }
    let place = |order: &[Heard], heard| order.iter().position(|other| *other == heard);
    let mut orders = all(of);
    orders.retain(|order| {
        let hold = place(order, Heard::Hold);
        let after = |heard| place(order, heard).is_none_or(|place| Some(place) > hold);
        after(Heard::Answer) && after(Heard::Lift)
    });
    orders
}

#[tokio::test]
async fn rule_5_a_revocation_that_crosses_gate_out_of_an_import_ends_the_same_at_every_interleaving()
 {
    use Heard::{Answer, Hold, Left, Lift};
    let world = World::new().await;
    world.line_releases_to("haulier-a").await;
    let sets = [
        (
            gate::AnswerVerdict::TooLate,
            &[Hold, Left, Answer, Lift][..],
        ),
        (gate::AnswerVerdict::Applied, &[Hold, Answer, Lift]),
        // Gate says that it keeps it, and a person lets it out all the same.
        (gate::AnswerVerdict::Applied, &[Hold, Left, Answer, Lift]),
    ];
    let orders = sets
        .into_iter()
        .flat_map(|(verdict, of)| orders(of).into_iter().map(move |order| (verdict, order)));
    let world = &world;
    let played = (1..).zip(orders).map(async |(number, (verdict, order))| {
        import(world, number, verdict, &order).await;
    });
    assert_eq!(join_all(played).await.len(), 8 + 2 + 8);
}

/// Plays one order on a container of its own.
async fn import(world: &World, number: u32, verdict: gate::AnswerVerdict, order: &[Heard]) {
    let which = format!("{verdict:?} {order:?}");
    let container = format!("IMPU{number:07}");
    let visit = format!("{SITE}/{container}/1");
    let hold = format!("H{number}");
    let stay = || gate::ContainerVisit {
        container_visit_id: visit.clone(),
        container_number: container.clone(),
        available: true,
        ..arrived()
    };
    let goods = customs::ConsignmentClearance {
        declaration_id: format!("declaration-{number}"),
        container_visit_id: visit.clone(),
        ..consignment(true, Vec::new())
    };
    world.visit(gate::ContainerVisitFact::Arrived, stay()).await;
    world.clearance_of(&container, vec![goods]).await;
    let decisions = async || world.decisions_on(&visit).await;
    assert_eq!(decisions().await.pop().unwrap().state, "GRANTED");
    for heard in order {
        match heard {
            Heard::Hold | Heard::Lift => {
                let lifted = *heard == Heard::Lift;
                let kind = common::HoldKind::Customs;
                world
                    .hold_on(&visit, ("customs", &hold), kind, lifted)
                    .await;
            }
            Heard::Left => {
                world
                    .visit(gate::ContainerVisitFact::Departed, departed(stay()))
                    .await;
            }
            Heard::Closed => {}
            Heard::Answer => {
                let asked = decisions().await;
                let asked = asked.iter().find(|decision| !decision.ask_id.is_empty());
                if let Some(ask) = asked {
                    world.answer_about(&visit, &ask.ask_id, verdict).await;
                }
            }
        }
    }
    let all = decisions().await;
    counts_up(
        &all.iter().map(|one| one.version).collect::<Vec<_>>(),
        &which,
    );
    let left = order.contains(&Heard::Left);
    let last = all.last().unwrap();
    assert_eq!(
        last.state,
        if left { "CONSUMED" } else { "GRANTED" },
        "{which}"
    );
    assert_eq!(last.haulier_party, "haulier-a", "{which}");
    let times = all.iter().filter(|one| one.state == "CONSUMED").count();
    assert_eq!(times, usize::from(left), "{which}");
}

fn counts_up(versions: &[u64], which: &str) {
    assert!(
        versions.is_sorted_by(|one, next| one + 1 == *next),
        "{which}: {versions:?}"
    );
}

#[tokio::test]
async fn rule_5_a_revocation_that_crosses_a_lists_passages_ends_the_same_at_every_interleaving() {
    use Heard::{Answer, Closed, Hold, Left, Lift};
    let sets = [
        // A truck had left with a part, and more is to come.
        (gate::AnswerVerdict::TooLate, &[Hold, Left, Answer][..]),
        (gate::AnswerVerdict::TooLate, &[Hold, Left, Answer, Lift]),
        // It was the last.
        (gate::AnswerVerdict::TooLate, &[Hold, Left, Closed, Answer]),
        (
            gate::AnswerVerdict::TooLate,
            &[Hold, Left, Closed, Answer, Lift],
        ),
        // Nothing had left.
        (gate::AnswerVerdict::Applied, &[Hold, Answer]),
        (gate::AnswerVerdict::Applied, &[Hold, Answer, Lift]),
        // Nothing had left, and a person let a truck out all the same.
        (gate::AnswerVerdict::Applied, &[Hold, Answer, Left]),
        (
            gate::AnswerVerdict::Applied,
            &[Hold, Answer, Left, Closed, Lift],
        ),
    ];
    // Every look at what was published reads all of it: a world for each set of orders, all at once.
    let played = sets.map(async |(verdict, of)| {
        let (world, orders) = (centre().await, orders(of));
        let lists = (1..).zip(&orders);
        let played =
            lists.map(async |(number, order)| on_list(&world, number, verdict, order).await);
        join_all(played).await.len()
    });
    assert_eq!(join_all(played).await, [3, 8, 12, 40, 1, 2, 3, 40]);
}

/// Plays one order on a list of its own.
async fn on_list(world: &World, number: u32, verdict: gate::AnswerVerdict, order: &[Heard]) {
    let which = format!("{verdict:?} {order:?}");
    let list_number = format!("QD800026I{number:09}");
    let number_of = list_number.as_str();
    let hold = format!("L{number}");
    let own = |list: proto::bonded::events::v1::StockList| proto::bonded::events::v1::StockList {
        declaration_lrn: format!("LRN-{number}"),
        ..list
    };
    world
        .list_is(
            proto::bonded::events::v1::StockListFact::Approved,
            own(list(number_of, "APPROVED")),
        )
        .await;
    let declared = customs::DeclarationState {
        declaration_id: format!("list-declaration-{number}"),
        lrn: format!("LRN-{number}"),
        ..declaration(INTO, "ACCEPTED")
    };
    let declared = customs::DeclarationState {
        stock_lists: vec![list_number.clone()],
        ..declared
    };
    world
        .declared(customs::DeclarationFact::Accepted, declared)
        .await;
    assert_eq!(world.list_state(number_of).await, "GRANTED");
    let place = |heard| order.iter().position(|other| *other == heard);
    for heard in order {
        match heard {
            Heard::Hold | Heard::Lift => {
                let scope = (common::HoldScopeKind::StockList, number_of);
                world
                    .hold_scoped(scope, ("customs", &hold), *heard == Heard::Lift)
                    .await;
            }
            // Heard after the end, the first part's passage is old news: gate's newest word stands.
            Heard::Left
                if place(Heard::Closed).is_some_and(|closed| Some(closed) < place(Heard::Left)) => {
            }
            Heard::Left => {
                let passes = vec![pass("p1", "PASSED", ""), pass("p2", "ISSUED", "")];
                world
                    .passage(number_of, gate::ListPassageFact::Passed, (passes, false))
                    .await;
            }
            Heard::Closed => {
                let passes = vec![pass("p1", "PASSED", ""), pass("p2", "PASSED", "")];
                world
                    .passage(number_of, gate::ListPassageFact::Closed, (passes, true))
                    .await;
            }
            Heard::Answer => {
                let asked = world.list_decisions(number_of).await;
                let asked = asked.iter().find(|decision| !decision.ask_id.is_empty());
                if let Some(ask) = asked {
                    world
                        .answer_about_list(number_of, &ask.ask_id, verdict)
                        .await;
                }
            }
        }
    }
    let all = world.list_decisions(number_of).await;
    counts_up(
        &all.iter().map(|one| one.version).collect::<Vec<_>>(),
        &which,
    );
    let (closed, lifted) = (order.contains(&Heard::Closed), order.contains(&Heard::Lift));
    let last = all.last().unwrap();
    let expected = match (closed, lifted) {
        (true, _) => "CONSUMED",
        (false, true) => "GRANTED",
        (false, false) => "WITHHELD",
    };
    assert_eq!(last.state, expected, "{which}: {all:?}");
    if expected == "WITHHELD" {
        assert_eq!(last.conditions[0].code, "CUSTOMS_HOLD", "{which}");
    }
    let asks = all.iter().filter(|one| one.state == "REVOCATION_ASKED");
    let closed_first = closed && place(Heard::Closed) < place(Heard::Hold);
    assert_eq!(asks.count(), usize::from(!closed_first), "{which}: {all:?}");
}

/// What release hears of a list and of a declaration that names it by mistake.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistaken {
    /// The list is approved.
    Approved,
    /// The declaration that goes with it is accepted.
    Own,
    /// The other one is accepted, and customs asks gate whether it can be void.
    Asked,
    /// Gate bars what it knows to be granted, and has answered that nothing goes on the other.
    Answer,
    /// The other is void.
    Void,
}

/// Gate bars the decision that it knows when customs asks, whichever that is; only one that is newer and no grant
/// frees it.
#[tokio::test]
async fn rule_5_a_list_is_free_again_in_whatever_order_a_declaration_that_does_not_count_is_void() {
    use Mistaken::{Answer, Approved, Asked, Own, Void};
    let mut orders: Vec<Vec<Mistaken>> = vec![Vec::new()];
    for heard in [Approved, Own, Asked, Answer, Void] {
        orders = orders
            .iter()
            .flat_map(|order| {
                (0..=order.len()).map(move |place| {
                    let mut order = order.clone();
                    order.insert(place, heard);
                    order
                })
            })
            .collect();
    }
    let place = |order: &[Mistaken], heard| order.iter().position(|other| *other == heard);
    orders.retain(|order| place(order, Asked) < place(order, Void));
    assert_eq!(orders.len(), 60);
    let halves = orders.chunks(15).map(async |orders| {
        let world = centre().await;
        let lists = (1..).zip(orders);
        join_all(lists.map(async |(number, order)| mistaken(&world, number, order).await)).await;
    });
    join_all(halves).await;
}

/// Plays one order on a list of its own.
async fn mistaken(world: &World, number: u32, order: &[Mistaken]) {
    let list_number = format!("QD800026I{number:09}");
    let own = customs::DeclarationState {
        declaration_id: format!("own-{number}"),
        lrn: format!("LRN-{number}"),
        stock_lists: vec![list_number.clone()],
        ..declaration(INTO, "ACCEPTED")
    };
    let other = |state: &str, asked: bool| customs::DeclarationState {
        declaration_id: format!("other-{number}"),
        lrn: format!("LRN-other-{number}"),
        state: state.into(),
        invalidation_asks: asked
            .then(|| customs::InvalidationAsk {
                ask_id: format!("ask-{number}"),
                list_number: list_number.clone(),
                container_visit_id: String::new(),
            })
            .into_iter()
            .collect(),
        ..own.clone()
    };
    let mut barred_at_most = 0;
    let once_more = [Mistaken::Void, Mistaken::Answer];
    for (place, heard) in order.iter().chain(&once_more).enumerate() {
        let before = world.list_decisions(&list_number).await;
        match heard {
            Mistaken::Approved => {
                let approved = proto::bonded::events::v1::StockList {
                    declaration_lrn: format!("LRN-{number}"),
                    ..list(&list_number, "APPROVED")
                };
                world
                    .list_is(proto::bonded::events::v1::StockListFact::Approved, approved)
                    .await;
            }
            Mistaken::Own => {
                world
                    .declared(customs::DeclarationFact::Accepted, own.clone())
                    .await;
            }
            Mistaken::Asked => {
                world
                    .declared(
                        customs::DeclarationFact::InvalidationAsked,
                        other("ACCEPTED", true),
                    )
                    .await;
            }
            Mistaken::Answer => {
                let ask = format!("ask-{number}");
                let verdict = gate::AnswerVerdict::Applied;
                world.answer_about_list(&list_number, &ask, verdict).await;
            }
            Mistaken::Void => {
                if place < order.len() {
                    barred_at_most = before.last().map_or(0, |decision| decision.version);
                }
                world
                    .declared(
                        customs::DeclarationFact::Invalidated,
                        other("INVALIDATED", false),
                    )
                    .await;
            }
        }
        if place >= order.len() {
            let after = world.list_decisions(&list_number).await;
            assert_eq!(after.len(), before.len(), "{order:?}, and {heard:?} again");
        }
    }
    let all = world.list_decisions(&list_number).await;
    let states: Vec<_> = all
        .iter()
        .map(|one| (one.version, one.state.as_str()))
        .collect();
    counts_up(
        &all.iter().map(|one| one.version).collect::<Vec<_>>(),
        &format!("{order:?}"),
    );
    assert_eq!(states.last().unwrap().1, "GRANTED", "{order:?}: {states:?}");
    let frees = |one: &&(u64, &str)| one.0 > barred_at_most && one.1 != "GRANTED";
    assert!(
        states.iter().any(|one| frees(&one)),
        "{order:?}: {states:?}"
    );
    let revoked = states.iter().filter(|one| one.1 == "REVOKED").count();
    assert!(revoked <= 1, "{order:?}: {states:?}");
}

#[tokio::test]
async fn rule_5_a_stay_is_granted_anew_once_a_declaration_that_did_not_count_for_it_is_void() {
    let world = World::new().await;
    world.granted().await;
    let other = |stay: &str| customs::ConsignmentClearance {
        declaration_id: "declaration-2".into(),
        direction: "EXPORT".into(),
        container_visit_id: stay.into(),
        ..consignment(true, Vec::new())
    };
    let goods = || consignment(true, Vec::new());
    world.clearance(vec![goods(), other(VISIT)]).await;
    let before = world.decisions().await;
    assert_eq!(before.last().unwrap().state, "GRANTED");
    world.clearance(vec![goods()]).await;
    let anew = world.decisions().await.split_off(before.len());
    let states: Vec<&str> = anew.iter().map(|one| one.state.as_str()).collect();
    assert_eq!(states, ["REVOKED", "GRANTED"]);
    assert_eq!(anew[1].haulier_party, "haulier-a");
    world.clearance(vec![goods()]).await;
    assert_eq!(world.decisions().await.len(), before.len() + 2);
}
