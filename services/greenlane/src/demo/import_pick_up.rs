//! Journey A, import pick-up: a train brings a container, customs clears its goods, the line and the terminal
//! let it go, a truck takes it away. Each party files once, and the barrier opens by itself.

use proto::customs::v1::DeclarationStatus;
use proto::gate::v1::{CheckOutOutcome, TruckVisitState};

use super::duty;
use super::journey::{Ending, Goods, Journey};
use super::mishap::Mishap;
use super::waiting::Look;

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

/// Plays it to its end.
///
/// # Errors
/// It does not get there.
pub async fn play(journey: &mut Journey<'_>) -> Result<Ending, Mishap> {
    journey.step("1", "terminal announces a train").await;
    journey.announce_train().await?;

    journey
        .step(
            "2",
            "broker-a lodges the declaration before the goods are here",
        )
        .await;
    journey.lodge_declaration().await?;

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
    let declaration = journey.until_accepted().await?;
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
    until_cleared(journey).await?;

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
    journey.check_in(TruckVisitState::GatedIn).await?;
    journey
        .until_told("TRUCK_VISIT_GATED_IN", &["haulier-a", "terminal"])
        .await?;

    journey
        .step(
            "9",
            "the truck leaves with the container: decided again at the barrier",
        )
        .await;
    journey.check_out(CheckOutOutcome::LetOut).await?;
    journey.end().await
}

async fn until_cleared(journey: &Journey<'_>) -> Result<(), Mishap> {
    journey
        .until("customs has cleared the declaration", async || {
            let declaration = journey.declaration().await?;
            let cleared = declaration.status() == DeclarationStatus::Cleared;
            Ok(Look::if_so(cleared, (), declaration.status().as_str_name()))
        })
        .await?;
    journey.outcome(format!("{} is CLEARED", journey.ids.mrn));
    journey
        .until_told("DECLARATION_CLEARED", &["broker-a", "trader-a"])
        .await
}
