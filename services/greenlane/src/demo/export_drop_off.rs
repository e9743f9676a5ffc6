//! Journey B, export drop-off: a truck brings a laden container on its declaration, and its coming *is* the
//! arrival of the goods. A load is refused while a hold stands, and nothing is closed by that; then the container
//! leaves by train, and the declaration has exited.

use proto::customs::v1::{DebtState, FilingOutcome};
use proto::gate::v1 as gate;
use proto::gate::v1::{CheckOutOutcome, ListLineOutcome, TruckVisitState};

use super::acts::{line_outcome, only_line};
use super::barrier::{Place, TRUCK_KILOGRAMS, WayOut};
use super::ending::Ending;
use super::journey::{
    Goods, Journey, declaration_state, phase, release_state, state_name, truck_state,
};
use super::mishap::Mishap;
use super::timeline::LastFact;
use super::waiting::Look;
use crate::commands::arguments::kilograms;
use crate::parties::PORT;

/// The journey's name.
pub const NAME: &str = "export-drop-off";
/// What it is.
pub const TITLE: &str = "a truck brings a container for export, and a train takes it away";
/// What TT_EX011a declares.
pub const GOODS: Goods = Goods {
    description: "Straw envelopes for bottles",
    packages: 10,
    gross_kilograms: 10,
};

const TERMINAL_HOLD: &str = "TERMINAL_HOLD";

/// What its timeline ends with.
pub const LAST_FACTS: [LastFact; 4] = [
    LastFact::of("DECLARATION_EXITED"),
    LastFact::of("TRUCK_VISIT_CLOSED"),
    LastFact::of("CONTAINER_VISIT_DEPARTED"),
    LastFact::of("RELEASE_CONSUMED"),
];

/// Plays it to its end.
///
/// # Errors
/// It does not get there.
pub async fn play(journey: &mut Journey<'_>) -> Result<Ending, Mishap> {
    journey.take_document("")?;
    journey
        .step("1", "broker-a lodges the declaration before the goods come")
        .await;
    journey.lodge_declaration(FilingOutcome::Registered).await?;
    journey
        .until_told("DECLARATION_REGISTERED", &["broker-a", "trader-a"])
        .await?;

    journey
        .step(
            "2",
            "haulier-a files its truck: full in, on the declaration",
        )
        .await;
    let request = full_in(journey);
    let pre_arrival = journey.submit(&journey.parties.haulier, request).await?;
    journey.know_pre_arrival(&pre_arrival);
    journey.until_truck_may_come("terminal").await?;

    journey
        .step(
            "3",
            "the truck comes and is weighed: that is the arrival of the goods",
        )
        .await;
    come_in(journey).await?;
    journey.until_accepted(&[DebtState::None]).await?;

    journey
        .step(
            "4",
            "customs finds nothing left to do; the truck leaves empty, and needs no release",
        )
        .await;
    journey.until_cleared().await?;
    let way_out = WayOut {
        place: Place::Port,
        with_container: false,
        kilograms: Some(TRUCK_KILOGRAMS),
        observed_at: None,
    };
    journey.check_out(way_out, CheckOutOutcome::LetOut).await?;

    journey
        .step(
            "5",
            "a hold stands, and the load is refused; without it release says \"may load\"",
        )
        .await;
    let hold = journey
        .hold_by_terminal("the seal is to be looked at before it is lifted on")
        .await?;
    journey
        .why(&journey.parties.terminal, &[TERMINAL_HOLD])
        .await?;
    be_refused(journey).await?;
    journey
        .lift_by_terminal(&hold, "the seal is in order")
        .await?;
    journey.outcome("the hold is lifted");
    let decision = journey.until_granted().await?;
    journey
        .until_told("RELEASE_GRANTED", &["broker-a", "terminal"])
        .await?;
    journey.outcome(format!(
        "{} {}: the container may be loaded",
        decision.journey,
        release_state(&decision)
    ));

    journey
        .step(
            "6",
            "the container is lifted onto a train, and the train leaves",
        )
        .await;
    be_loaded(journey).await?;
    leave(journey).await?;
    end(journey).await
}

/// The haulier's filing: what is in the container is declared, sealed and its mass verified.
fn full_in(journey: &Journey<'_>) -> gate::SubmitPreArrivalRequest {
    let mass = Some(kilograms(&journey.laden_kilograms().to_string()));
    gate::SubmitPreArrivalRequest {
        kind: gate::PreArrivalKind::FullIn.into(),
        containers: vec![gate::PreArrivalContainer {
            seals: vec![journey.names.seal.clone()],
            gross_mass: mass.clone(),
            verified_mass: mass,
            ..journey.filed_container()
        }],
        document_references: vec![journey.ids.mrn.clone()],
        ..journey.truck(PORT)
    }
}

/// The truck goes in, and the container's stay begins.
async fn come_in(journey: &mut Journey<'_>) -> Result<(), Mishap> {
    let weight = TRUCK_KILOGRAMS + journey.laden_kilograms();
    let visit = journey
        .check_in(Place::Port, weight, TruckVisitState::GatedIn)
        .await?;
    let stay = visit
        .containers
        .first()
        .map(|container| container.container_visit_id.clone())
        .filter(|id| !id.is_empty())
        .ok_or_else(|| Mishap::otherwise("a stay of the container", "none"))?;
    journey.outcome(format!("container visit {stay} is opened"));
    journey.ids.container_visit = stay;
    journey
        .until_told("CONTAINER_VISIT_ARRIVED", &["terminal"])
        .await
}

async fn load(
    journey: &Journey<'_>,
    validate_only: bool,
) -> Result<Vec<gate::ListLineResult>, Mishap> {
    let terminal = &journey.parties.terminal;
    let request = gate::RecordLoadingRequest {
        request_id: terminal.request_id(),
        validate_only,
        site_id: PORT.to_owned(),
        mode: gate::TransportMode::Rail.into(),
        conveyance: journey.names.train.clone(),
        loaded_at: None,
        containers: vec![gate::LoadedContainer {
            container_number: journey.names.container.to_string(),
            seals_found: vec![journey.names.seal.clone()],
        }],
    };
    let answer = terminal.gate()?.record_loading(request).await?;
    Ok(answer.into_inner().results)
}

/// What is held is not loaded: it stays in the yard, and nothing is closed.
async fn be_refused(journey: &Journey<'_>) -> Result<(), Mishap> {
    let results = load(journey, false).await?;
    let refused = results
        .first()
        .filter(|line| line.outcome() == ListLineOutcome::Refused)
        .filter(|line| line.conditions.iter().any(|one| one.code == TERMINAL_HOLD));
    let Some(refused) = refused else {
        let outcomes: Vec<String> = results.iter().map(line_outcome).collect();
        return Err(Mishap::otherwise(
            format!("a load REFUSED for {TERMINAL_HOLD}"),
            outcomes.join(", "),
        ));
    };
    journey.outcome(format!(
        "load onto {}: {}",
        journey.names.train,
        line_outcome(refused)
    ));
    journey.narration.conditions(&refused.conditions);
    let stay = journey.stay(&journey.ids.container_visit).await?;
    if phase(&stay) != "ARRIVED" || !stay.loaded_on.is_empty() {
        return Err(Mishap::otherwise(
            "the container in the yard still",
            format!("{}, loaded on {:?}", phase(&stay), stay.loaded_on),
        ));
    }
    journey.outcome("it stays in the yard, ARRIVED");
    Ok(())
}

/// The container is loaded as soon as gate has heard that it may be.
async fn be_loaded(journey: &Journey<'_>) -> Result<(), Mishap> {
    journey
        .until("gate would let the container be loaded", async || {
            let results = load(journey, true).await?;
            let outcomes: Vec<String> = results.iter().map(line_outcome).collect();
            Ok(Look::if_so(
                only_line(results).is_ok(),
                (),
                outcomes.join(", "),
            ))
        })
        .await?;
    let line = only_line(load(journey, false).await?)?;
    journey.outcome(format!(
        "load onto {}: {}",
        journey.names.train,
        line_outcome(&line)
    ));
    journey
        .until_told("CONTAINER_VISIT_LOADED", &["terminal", "broker-a"])
        .await
}

async fn leave(journey: &Journey<'_>) -> Result<(), Mishap> {
    let terminal = &journey.parties.terminal;
    let request = gate::RecordDepartureRequest {
        request_id: terminal.request_id(),
        validate_only: false,
        site_id: PORT.to_owned(),
        mode: gate::TransportMode::Rail.into(),
        conveyance: journey.names.train.clone(),
        departed_at: None,
        container_numbers: vec![journey.names.container.to_string()],
    };
    let answer = terminal.gate()?.record_departure(request).await?;
    let line = only_line(answer.into_inner().results)?;
    journey.outcome(format!(
        "departure of {}: {}",
        journey.names.train,
        line_outcome(&line)
    ));
    Ok(())
}

async fn end(journey: &Journey<'_>) -> Result<Ending, Mishap> {
    journey
        .until_told("DECLARATION_EXITED", &["broker-a", "trader-a"])
        .await?;
    journey
        .until_told("RELEASE_CONSUMED", &["broker-a", "terminal"])
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
    let exit = state_name(declaration.exit().as_str_name(), "EXIT_STATE_");
    Ok(Ending::default()
        .naming("container_number", journey.names.container.to_string())
        .naming("container_visit_id", &ids.container_visit)
        .with("container_visit", phase(&stay), &["DEPARTED"])
        .naming("departed_by", &stay.departure_conveyance)
        .with("release", release_state(&release), &["CONSUMED"])
        .naming("truck_visit_id", ids.truck_visit())
        .with("truck_visit", truck_state(&truck), &["CLOSED"])
        .naming("mrn", &ids.mrn)
        .with("declaration", declaration_state(&declaration), &["CLEARED"])
        .with("exit", exit, &["EXITED"]))
}
