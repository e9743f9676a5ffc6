//! Facts that concern each other come at the same instant, in one batch or in several: none may miss
//! another, whatever leads from one to the other.

use chassis::convert::timestamp;
use fabric::{Command, Origin, fingerprint};
use futures::future::join_all;
use prost::Message;
use proto::bonded::events::v1 as bonded;
use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use release::app::{GrantCommercialRelease, Input};
use release::domain::commercial_release::ReleaseScope;

use crate::lists::{INTO, declaration, list};
use crate::world::{SITE, World, arrived, consignment, line, noon, reader};

const CONTAINERS: usize = 24;

/// A container number's shape is not judged in events: gate has.
fn number(index: usize) -> String {
    format!("TEST{index:07}")
}

fn visit_id(index: usize) -> String {
    format!("{SITE}/{}/1", number(index))
}

/// One document covers four containers, so that one commercial release leads to several.
fn document(index: usize) -> String {
    format!("TD-{}", index / 4)
}

async fn visit_comes(world: &World, index: usize) {
    let event = gate::ContainerVisitEvent {
        fact: gate::ContainerVisitFact::Available.into(),
        observed_at: Some(timestamp(noon())),
        recorded_at: Some(timestamp(noon())),
        visit: Some(gate::ContainerVisit {
            container_visit_id: visit_id(index),
            container_number: number(index),
            version: 3,
            available: true,
            manifest_lines: vec![line(&document(index), "line-a")],
            ..arrived()
        }),
        ..gate::ContainerVisitEvent::default()
    };
    let key = format!("{SITE}/{}", number(index));
    world
        .fabric
        .apply("gate.container-visit", &key, "test", event.encode_to_vec())
        .await
        .unwrap();
}

async fn clearance_comes(world: &World, index: usize) {
    let key = format!("container/{}", number(index));
    let event = customs::ClearanceEvent {
        key: key.clone(),
        version: 1,
        recorded_at: Some(timestamp(noon())),
        consignments: vec![customs::ConsignmentClearance {
            declaration_id: format!("declaration of {}", document(index)),
            container_visit_id: visit_id(index),
            transport_document: document(index),
            ..consignment(true, Vec::new())
        }],
    };
    world
        .fabric
        .apply("customs.clearance", &key, "test", event.encode_to_vec())
        .await
        .unwrap();
}

async fn line_releases(world: &World, index: usize) {
    let command = Command {
        party: "line-a".into(),
        origin: Origin::default(),
        request_id: Some(kernel::new_id()),
        fingerprint: fingerprint("test", &index.to_be_bytes()),
        traceparent: None,
        input: Input::GrantCommercialRelease(GrantCommercialRelease {
            by: reader("line-a"),
            scope: ReleaseScope {
                transport_document: document(index),
                site_id: None,
                container_number: None,
            },
            haulier_party: "haulier-a".into(),
            validate_only: false,
        }),
    };
    world
        .fabric
        .handle()
        .submit(&document(index), command)
        .await
        .outcome
        .unwrap();
}

/// The list that a container's goods go into bond on.
fn list_number(index: usize) -> String {
    format!("QD800026I{index:09}")
}

async fn list_comes(world: &World, index: usize) {
    let number = list_number(index);
    let event = bonded::StockListEvent {
        fact: bonded::StockListFact::Approved.into(),
        observed_at: Some(timestamp(noon())),
        recorded_at: Some(timestamp(noon())),
        list: Some(bonded::StockList {
            version: 1,
            declaration_lrn: number.clone(),
            ..list(&number, "APPROVED")
        }),
        ..bonded::StockListEvent::default()
    };
    world
        .fabric
        .apply("bonded.stock-list", &number, "test", event.encode_to_vec())
        .await
        .unwrap();
}

async fn declaration_comes(world: &World, index: usize) {
    let id = format!("declaration of {}", document(index));
    let event = customs::DeclarationEvent {
        fact: customs::DeclarationFact::Accepted.into(),
        observed_at: Some(timestamp(noon())),
        recorded_at: Some(timestamp(noon())),
        declaration: Some(customs::DeclarationState {
            declaration_id: format!("{id} {index}"),
            version: 1,
            lrn: list_number(index),
            stock_lists: vec![list_number(index)],
            containers: vec![number(index)],
            ..declaration(INTO, "ACCEPTED")
        }),
        ..customs::DeclarationEvent::default()
    };
    world
        .fabric
        .apply("customs.declaration", &id, "test", event.encode_to_vec())
        .await
        .unwrap();
}

async fn hold_comes(world: &World, index: usize) {
    let key = format!("container-visit/{}", visit_id(index));
    let event = common::HoldEvent {
        fact: common::HoldFact::Placed.into(),
        hold: Some(common::Hold {
            hold_id: format!("H{index}"),
            scope: Some(common::HoldScope {
                kind: common::HoldScopeKind::ContainerVisit.into(),
                key: visit_id(index),
            }),
            kind: common::HoldKind::Terminal.into(),
            placed_by_party: "terminal".into(),
            reason: "a reason".into(),
            placed_at: Some(timestamp(noon())),
            ..common::Hold::default()
        }),
        observed_at: Some(timestamp(noon())),
        recorded_at: Some(timestamp(noon())),
    };
    world
        .fabric
        .apply("gate.hold", &key, "test", event.encode_to_vec())
        .await
        .unwrap();
}

/// Every second list is held by a hold on its container.
#[tokio::test]
async fn facts_about_a_stock_list_that_come_at_the_same_instant_do_not_miss_each_other() {
    let world = World::with_writers(3).await;
    let all = (0..CONTAINERS).map(|index| {
        let world = &world;
        async move {
            let held = async {
                if index % 2 == 0 {
                    hold_comes(world, index).await;
                }
            };
            tokio::join!(
                list_comes(world, index),
                visit_comes(world, index),
                held,
                clearance_comes(world, index),
                declaration_comes(world, index)
            );
        }
    });
    join_all(all).await;
    let missing = sqlx::query_scalar::<_, String>(
        "select coalesce(string_agg(c ->> 'code', ' '), decision_state) from stock_list
         left join lateral jsonb_array_elements(body -> 'decision' -> 'conditions') c on true
         group by list_number, decision_state order by list_number",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    let expected: Vec<&str> = (0..CONTAINERS)
        .map(|index| {
            if index % 2 == 0 {
                "TERMINAL_HOLD"
            } else {
                "GRANTED"
            }
        })
        .collect();
    assert_eq!(missing, expected);
}

#[tokio::test]
async fn facts_that_come_at_the_same_instant_do_not_miss_each_other() {
    let world = World::with_writers(3).await;
    let all = (0..CONTAINERS).map(|index| {
        let world = &world;
        async move {
            tokio::join!(
                line_releases(world, index),
                visit_comes(world, index),
                clearance_comes(world, index)
            );
        }
    });
    join_all(all).await;
    let states = sqlx::query_scalar::<_, Option<String>>(
        "select decision_state from container_visit order by container_visit_id",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(states, vec![Some("GRANTED".to_owned()); CONTAINERS]);
}
