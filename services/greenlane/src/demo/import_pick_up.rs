//! Journey A, import pick-up: a train brings a container, customs clears its goods, the line and the terminal
//! let it go, a truck takes it away. Each party files once, and the barrier opens by itself.

use proto::customs::v1::{DebtState, FilingOutcome};
use proto::gate::v1::{CheckOutOutcome, TruckVisitState};

use super::barrier::{Place, TRUCK_KILOGRAMS};
use super::duty;
use super::ending::Ending;
use super::journey::{Goods, Journey, declaration_state, phase, release_state, truck_state};
use super::mishap::Mishap;
use super::timeline::LastFact;

/// The journey's name.
pub const NAME: &str = "import-pick-up";
/// What it is.
pub const TITLE: &str = "a container comes by train, is cleared, and leaves by truck";
/// What TT_IM109a declares.
pub const GOODS: Goods = Goods {
    description: "Umbrellas with telescopic shafts",
    packages: 500,
    gross_kilograms: 150,
};
/// What may be said of the duty of goods that are here.
pub const SECURED: [DebtState; 2] = [DebtState::Secured, DebtState::Paid];

/// What its timeline ends with.
pub const LAST_FACTS: [LastFact; 4] = [
    LastFact::of("DECLARATION_CLEARED"),
    LastFact::of("TRUCK_VISIT_GATED_OUT"),
    LastFact::of("CONTAINER_VISIT_DEPARTED"),
    LastFact::of("RELEASE_CONSUMED"),
];

/// Plays it to its end.
///
/// # Errors
/// It does not get there.
pub async fn play(journey: &mut Journey<'_>) -> Result<Ending, Mishap> {
    journey.take_document("")?;
    journey.step("1", "terminal announces a train").await;
    journey.announce_train().await?;

    journey
        .step(
            "2",
            "broker-a lodges the declaration before the goods are here",
        )
        .await;
    journey.lodge_declaration(FilingOutcome::Registered).await?;
    journey.until_matched().await?;

    journey
        .step("3", "haulier-a files its truck: empty in, full out")
        .await;
    journey.pre_arrive().await?;
    let missing = [
        "NOT_ARRIVED",
        "GOODS_NOT_ARRIVED",
        "COMMERCIAL_RELEASE_MISSING",
    ];
    journey.why(&journey.parties.haulier, &missing).await?;

    journey
        .step(
            "4",
            "terminal records that the container stands at the port",
        )
        .await;
    journey.record_arrival().await?;
    let declaration = journey.until_accepted(&SECURED).await?;
    for tax in duty::compare(&declaration.duty.unwrap_or_default())? {
        let duty::Agreed {
            item,
            tax_type,
            ours,
            theirs,
        } = tax;
        journey.outcome(format!("duty on item {item}, {tax_type}: {ours}, and the authority's own notification says {theirs}"));
    }

    journey
        .step(
            "5",
            "customs finds nothing left to do: the goods are cleared",
        )
        .await;
    journey.until_cleared().await?;

    journey
        .step(
            "6",
            "line-a gives commercial release, terminal says that the container is available",
        )
        .await;
    journey.release_commercially().await?;
    journey.make_available().await?;

    journey
        .step("7", "release grants the container; the truck may come")
        .await;
    journey.until_ready().await?;

    journey.step("8", "haulier-a's truck comes in").await;
    journey
        .check_in(Place::Port, TRUCK_KILOGRAMS, TruckVisitState::GatedIn)
        .await?;
    journey
        .until_told("TRUCK_VISIT_GATED_IN", &["haulier-a", "terminal"])
        .await?;

    journey
        .step(
            "9",
            "the truck leaves with the container: decided again at the barrier",
        )
        .await;
    journey.take_away(CheckOutOutcome::LetOut).await?;
    end(journey).await
}

/// Waits until the services say that it is over, and everybody concerned has been told.
///
/// # Errors
/// It is not, or they were not.
pub async fn end(journey: &Journey<'_>) -> Result<Ending, Mishap> {
    journey
        .until_told("RELEASE_CONSUMED", &["haulier-a", "broker-a", "terminal"])
        .await?;
    journey.until_ended(async || ending(journey).await).await
}

/// How everything stands: what the services say now, nothing remembered.
///
/// # Errors
/// A service refuses.
pub async fn ending(journey: &Journey<'_>) -> Result<Ending, Mishap> {
    let ids = &journey.ids;
    let stay = journey.stay(&ids.container_visit).await?;
    let release = journey.decision(&ids.container_visit).await?;
    let truck = journey.truck_visit(ids.truck_visit()).await?;
    let declaration = journey.declaration_if_filed().await?;
    Ok(Ending::default()
        .naming("container_number", journey.names.container.to_string())
        .naming("container_visit_id", &ids.container_visit)
        .with("container_visit", phase(&stay), &["DEPARTED"])
        .with("release", release_state(&release), &["CONSUMED"])
        .naming("truck_visit_id", ids.truck_visit())
        .with("truck_visit", truck_state(&truck), &["GATED_OUT", "CLOSED"])
        .naming("mrn", &ids.mrn)
        .with("declaration", declaration_state(&declaration), &["CLEARED"]))
}
