//! Journey E, not today: risk says red, a hold of the terminal and one of customs come on top, and the truck
//! comes all the same. Whatever is in the way is said to whoever asks, and each goes by itself; an inspection
//! ordered after gate-in keeps the truck inside until it is done.

use proto::common::v1::Condition;
use proto::customs::v1::{Channel, ControlKind, FilingOutcome};
use proto::gate::v1::{CheckOutOutcome, TruckVisitState};

use super::acts::codes;
use super::barrier::{Place, TRUCK_KILOGRAMS};
use super::ending::Ending;
use super::import_pick_up::{SECURED, end};
use super::journey::{Goods, Journey};
use super::mishap::Mishap;
use super::waiting::Look;

/// The journey's name.
pub const NAME: &str = "not-today";
/// What it is.
pub const TITLE: &str =
    "customs looks closer, two holds come on top, and the truck comes all the same";
/// What TT_IM017a declares.
pub const GOODS: Goods = Goods {
    description: "Electric shavers and parts of them",
    packages: 80,
    gross_kilograms: 180,
};

const DOCUMENTS_CONTROL: &str = "DOCUMENTS_CONTROL_OPEN";
const PHYSICAL_CONTROL: &str = "PHYSICAL_CONTROL_OPEN";
const TERMINAL_HOLD: &str = "TERMINAL_HOLD";
const CUSTOMS_HOLD: &str = "CUSTOMS_HOLD";

/// Plays it to its end.
///
/// # Errors
/// It does not get there.
pub async fn play(journey: &mut Journey<'_>) -> Result<Ending, Mishap> {
    journey.take_document("")?;
    red_channel(journey).await?;

    journey
        .step(
            "2",
            "the pre-arrival stays BLOCKED; terminal adds hold T1, officer-1 adds customs hold H1",
        )
        .await;
    let t1 = journey
        .hold_by_terminal("T1: the box is damaged, the yard has to look")
        .await?;
    let h1 = journey
        .hold_by_customs("H1: the seal is compared with the consignor's")
        .await?;
    let everything = [
        DOCUMENTS_CONTROL,
        PHYSICAL_CONTROL,
        CUSTOMS_HOLD,
        TERMINAL_HOLD,
    ];
    journey.why(&journey.parties.officer, &everything).await?;
    until_gate_knows(journey, &everything).await?;

    journey
        .step("3", "haulier-a's truck comes all the same")
        .await;
    let turned_away = journey
        .check_in(Place::Port, TRUCK_KILOGRAMS, TruckVisitState::TurnedAway)
        .await?;
    if let Some(unsaid) = everything
        .iter()
        .find(|code| !names(&turned_away.conditions, code))
    {
        return Err(Mishap::otherwise(
            format!("{unsaid} among the reasons"),
            codes(&turned_away.conditions),
        ));
    }
    journey
        .until_told("TRUCK_VISIT_TURNED_AWAY", &["haulier-a", "terminal"])
        .await?;

    journey
        .step(
            "4",
            "officer-1 completes the controls; H1 is lifted; T1 is lifted",
        )
        .await;
    journey.complete_controls().await?;
    journey
        .why(&journey.parties.officer, &[CUSTOMS_HOLD, TERMINAL_HOLD])
        .await?;
    journey.lift_by_customs(&h1, "the seal is in order").await?;
    journey.outcome("H1 is lifted");
    journey
        .why(&journey.parties.officer, &[TERMINAL_HOLD])
        .await?;
    journey.lift_by_terminal(&t1, "only paint").await?;
    journey.outcome("T1 is lifted");
    journey.until_ready().await?;

    journey
        .step(
            "5",
            "the truck comes in; then an inspection is ordered: it may not leave before it is done",
        )
        .await;
    journey
        .check_in(Place::Port, TRUCK_KILOGRAMS, TruckVisitState::GatedIn)
        .await?;
    journey
        .until_told("TRUCK_VISIT_GATED_IN", &["haulier-a", "terminal"])
        .await?;
    let recalled = journey
        .order_inspection("the scanner saw a density that is not declared")
        .await?;
    journey.take_away(CheckOutOutcome::Refused).await?;
    journey
        .until_told("TRUCK_VISIT_GATE_OUT_REFUSED", &["haulier-a", "terminal"])
        .await?;
    journey.pass_inspection(recalled).await?;
    journey
        .until_told("TRUCK_VISIT_RECALL_ENDED", &["haulier-a", "terminal"])
        .await?;
    journey.take_away(CheckOutOutcome::LetOut).await?;
    end(journey).await
}

/// Step 1: as an import pick-up until the goods are here, but risk says red. The line and the terminal have
/// done their part, so that only customs is left to act.
async fn red_channel(journey: &mut Journey<'_>) -> Result<(), Mishap> {
    journey
        .step(
            "1",
            "as an import pick-up: train, declaration, pre-arrival, arrival; but risk says red",
        )
        .await;
    journey.announce_train().await?;
    journey.lodge_declaration(FilingOutcome::Registered).await?;
    journey.until_matched().await?;
    journey.pre_arrive().await?;
    journey.record_arrival().await?;
    let declaration = journey.until_accepted(&SECURED).await?;
    if declaration.channel() != Channel::Red {
        return Err(Mishap::otherwise(
            "the red channel",
            declaration.channel().as_str_name(),
        ));
    }
    let mut controls: Vec<ControlKind> = declaration
        .controls
        .iter()
        .map(|control| control.kind())
        .collect();
    controls.sort_unstable();
    if controls != [ControlKind::Documents, ControlKind::Physical] {
        return Err(Mishap::otherwise(
            "a documents control and a physical control",
            format!("{controls:?}"),
        ));
    }
    journey.release_commercially().await?;
    journey.make_available().await?;
    let conditions = journey
        .why(
            &journey.parties.officer,
            &[DOCUMENTS_CONTROL, PHYSICAL_CONTROL],
        )
        .await?;
    officer_must_act(&conditions)
}

fn officer_must_act(conditions: &[Condition]) -> Result<(), Mishap> {
    match conditions
        .iter()
        .find(|condition| condition.who != "officer")
    {
        Some(other) => Err(Mishap::otherwise(
            "the officer as the one to act",
            &other.who,
        )),
        None => Ok(()),
    }
}

/// A truck that came now must be told everything, so gate must have heard of it.
async fn until_gate_knows(journey: &Journey<'_>, wanted: &[&str]) -> Result<(), Mishap> {
    journey
        .until(
            "gate knows everything that is in the truck's way",
            async || {
                let pre_arrival = journey.pre_arrival().await?;
                let named = |code: &&str| names(&pre_arrival.conditions, code);
                Ok(Look::if_so(
                    wanted.iter().all(named),
                    (),
                    codes(&pre_arrival.conditions),
                ))
            },
        )
        .await
}

fn names(conditions: &[Condition], code: &str) -> bool {
    conditions.iter().any(|condition| condition.code == code)
}
