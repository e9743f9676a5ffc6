//! The register's word on traders.

use bonded::app::Input;
use bonded::domain::book::OpenBook;
use prost::Message;
use proto::customs::events::v1 as customs;

use crate::support::{CENTRE, Harness, rules, trader};

fn open(party: &str) -> Input {
    Input::OpenBook(OpenBook::read(trader(party), false, CENTRE, "", &rules()).unwrap())
}

#[tokio::test]
async fn nobody_opens_a_book_before_the_register_has_named_it_as_a_trader() {
    let harness = Harness::empty().await;
    assert_eq!(
        harness
            .decide("trader-a", open("trader-a"))
            .await
            .unwrap_err()
            .reason,
        "TRADER_UNKNOWN"
    );
    harness.register("trader-a", 1, &["haulier"], false).await;
    assert_eq!(
        harness
            .decide("trader-a", open("trader-a"))
            .await
            .unwrap_err()
            .reason,
        "TRADER_UNKNOWN"
    );
    harness
        .register("trader-a", 2, &["haulier", "trader"], false)
        .await;
    assert!(harness.decide("trader-a", open("trader-a")).await.is_ok());
}

#[tokio::test]
async fn the_highest_version_of_a_party_wins_in_any_order() {
    let harness = Harness::empty().await;
    harness.register("trader-a", 3, &["trader"], true).await;
    harness.register("trader-a", 2, &["trader"], false).await;
    let refusal = harness
        .decide("trader-a", open("trader-a"))
        .await
        .unwrap_err();
    assert_eq!(refusal.reason, "TRADER_UNKNOWN", "it is suspended");
    assert_eq!(refusal.unmet[0].subject, "trader-a");
    harness.register("trader-a", 4, &["trader"], false).await;
    assert!(harness.decide("trader-a", open("trader-a")).await.is_ok());
}

#[tokio::test]
async fn an_unknown_fact_about_a_party_parks_its_key() {
    let harness = Harness::empty().await;
    harness.register("trader-a", 1, &["trader"], false).await;
    let nothing = customs::PartyEvent::default().encode_to_vec();
    assert!(
        harness
            .fabric
            .apply(
                "customs.party",
                "trader-a",
                "greenlane.customs.party.changed",
                nothing
            )
            .await
            .is_err()
    );
}
