//! Journey D, out of bond: stock is reserved by a decrease list, cleared for home use and taken away by a truck with
//! a pass. The centre's lane tells late that the truck has left: what was answered about stock before stays as it
//! was, and what is known now differs. This file must not know how stock is reckoned.

use kernel::{Clock as _, SystemClock};
use proto::bonded::v1::{FiledStockListLine, StockListDirection, StockListState, StockRow};
use proto::customs::v1::{DebtState, FilingOutcome};
use proto::gate::v1 as gate;
use proto::gate::v1::{CheckOutOutcome, TruckVisitState};

use super::acts::TARE_KILOGRAMS;
use super::barrier::{Place, TRUCK_KILOGRAMS, WayOut};
use super::ending::Ending;
use super::journey::{
    Goods, Journey, declaration_state, phase, release_state, state_name, truck_state,
};
use super::mishap::Mishap;
use super::stock::{BookLine, declared, list_state, totals_told};
use super::timeline::LastFact;
use super::waiting::Look;
use crate::commands::arguments::kilograms;
use crate::commands::show;
use crate::parties::CENTRE;

/// The journey's name.
pub const NAME: &str = "out-of-bond";
/// What it is.
pub const TITLE: &str = "stock leaves the bonded centre for home use, and is told late";
/// What TT_IM043a declares.
pub const GOODS: Goods = Goods {
    description: "Manioc (cassava)",
    packages: 250,
    gross_kilograms: 10_100,
};

/// trader-b's manioc, as deploy/seed/books.toml has it.
pub const MANIOC: BookLine = BookLine {
    book: "BOOKTRADERB1",
    line: 2,
    unit: "KGM",
};
/// What TT_IM043a declares of it, net.
const NET_KILOGRAMS: u32 = 10_000;
/// More than was ever there.
const TOO_MANY_KILOGRAMS: u32 = 1_000_000;

/// What its timeline ends with.
pub const LAST_FACTS: [LastFact; 5] = [
    LastFact::of("STOCK_LIST_POSTED"),
    LastFact::of("DECLARATION_CLEARED"),
    LastFact::of("TRUCK_VISIT_CLOSED"),
    LastFact::of("CONTAINER_VISIT_DEPARTED"),
    LastFact {
        fact: "STOCK_MOVEMENT_POSTED",
        detail: "ACTUAL_DECREASE",
    },
];

/// Plays it to its end.
///
/// # Errors
/// It does not get there.
pub async fn play(journey: &mut Journey<'_>) -> Result<Ending, Mishap> {
    journey
        .step(
            "1",
            "trader-b files decrease lists: too much is refused, what is there is reserved",
        )
        .await;
    journey
        .file_too_much(MANIOC, line(TOO_MANY_KILOGRAMS))
        .await?;
    journey
        .file_list(
            StockListDirection::Decrease,
            MANIOC,
            line(NET_KILOGRAMS),
            StockListState::Reserved,
        )
        .await?;
    journey
        .until_told("STOCK_LIST_RESERVED", &["trader-b", "operator"])
        .await?;
    let stock = journey.stock(MANIOC, None, None).await?;
    journey.outcome(format!("stock of the line: {}", totals_told(&stock)));

    journey
        .step(
            "2",
            "broker-b lodges the declaration for home use, which names the list: accepted, secured, cleared",
        )
        .await;
    let list = journey.ids.list.clone();
    journey.take_document(&list)?;
    let filing = journey.lodge_declaration(FilingOutcome::Accepted).await?;
    if filing.debt() != DebtState::Secured && filing.debt() != DebtState::Paid {
        return Err(Mishap::otherwise(
            "the duty SECURED",
            filing.debt().as_str_name(),
        ));
    }
    journey.until_cleared().await?;

    journey
        .step("3", "haulier-a files its truck for the list: a gate pass")
        .await;
    let request = exit(journey);
    let pre_arrival = journey.submit(&journey.parties.haulier, request).await?;
    journey.know_pre_arrival(&pre_arrival);
    journey.until_truck_may_come("centre-gate").await?;

    journey
        .step(
            "4",
            "the truck comes with an empty container, is loaded and weighed, and leaves; the lane is cut off, and tells so later",
        )
        .await;
    let (answered, as_of) = leave(journey).await?;

    journey
        .step(
            "5",
            "both facts are there: the decrease is final. Two clocks: what was answered, and what is known now",
        )
        .await;
    let list = journey
        .until_list("bonded has posted the list", |list| {
            list.state() == StockListState::Posted
        })
        .await?;
    journey.outcome(format!(
        "stock list {} POSTED: it took effect {} and was recorded {}",
        list.list_number,
        show::when_exactly(list.posted_effective_at.as_ref()),
        show::when_exactly(list.posted_at.as_ref())
    ));
    tell_both_clocks(journey, &answered, as_of).await?;
    journey
        .until_told("STOCK_LIST_POSTED", &["trader-b", "operator"])
        .await?;
    journey
        .until("release has the exit CONSUMED", async || {
            let state = release_state(&journey.list_decision().await?);
            Ok(Look::if_so(state == "CONSUMED", (), state))
        })
        .await?;
    journey.until_ended(async || ending(journey).await).await
}

/// So much of the line; the other units follow from the lots.
fn line(kilograms: u32) -> FiledStockListLine {
    FiledStockListLine {
        book_line: MANIOC.line,
        declared: Some(MANIOC.quantity(kilograms)),
        ..Default::default()
    }
}

/// All that is on the list, in a container that the truck brings.
fn exit(journey: &Journey<'_>) -> gate::SubmitPreArrivalRequest {
    gate::SubmitPreArrivalRequest {
        kind: gate::PreArrivalKind::BondExit.into(),
        containers: vec![gate::PreArrivalContainer {
            gross_mass: Some(kilograms(&journey.laden_kilograms().to_string())),
            ..journey.filed_container()
        }],
        document_references: vec![journey.ids.mrn.clone()],
        list: Some(gate::PreArrivalList {
            list_number: journey.ids.list.clone(),
            lines: Vec::new(),
        }),
        ..journey.truck(CENTRE)
    }
}

/// The truck goes in, is loaded, weighed and gone. Between its going and the lane's telling the trader asks for its
/// stock: the answer, and as of when it was asked for.
async fn leave(
    journey: &mut Journey<'_>,
) -> Result<(StockRow, chrono::DateTime<chrono::Utc>), Mishap> {
    let weight = TRUCK_KILOGRAMS + TARE_KILOGRAMS;
    let visit = journey
        .check_in(Place::Centre, weight, TruckVisitState::GatedIn)
        .await?;
    journey.ids.container_visit = visit
        .containers
        .first()
        .map(|container| container.container_visit_id.clone())
        .unwrap_or_default();
    weigh(journey).await?;

    let left_at = SystemClock.now();
    let as_of = SystemClock.now();
    let answered = journey.stock(MANIOC, Some(as_of), None).await?;
    journey.outcome(format!(
        "the truck passes the lane at {}; trader-b asks for its stock as of {}",
        left_at.format("%H:%M:%S%.3f"),
        as_of.format("%H:%M:%S%.3f")
    ));
    let way_out = WayOut {
        place: Place::Centre,
        with_container: true,
        kilograms: None,
        observed_at: Some(left_at),
    };
    journey.check_out(way_out, CheckOutOutcome::LetOut).await?;
    Ok((answered, as_of))
}

/// The loaded truck stands on the weighbridge of the way out.
async fn weigh(journey: &Journey<'_>) -> Result<(), Mishap> {
    let staff = &journey.parties.centre_gate;
    let loaded = TRUCK_KILOGRAMS + journey.laden_kilograms();
    let request = gate::RecordWeightRequest {
        request_id: staff.request_id(),
        truck_visit_id: journey.ids.truck_visit().to_owned(),
        barrier: gate::Barrier::Out.into(),
        weight: Some(kilograms(&loaded.to_string())),
        observed_at: None,
    };
    let answer = staff.gate()?.record_weight(request).await?;
    let visit = answer.into_inner().truck_visit.unwrap_or_default();
    journey.outcome(format!(
        "loaded and weighed: {} in, {} out",
        show::quantity(visit.weight_in.as_ref()),
        show::quantity(visit.weight_out.as_ref())
    ));
    Ok(())
}

/// The same question on three instants of the clock of recording: as it was answered, now, and as it was answered
/// asked again. The first and the last are the same for ever.
async fn tell_both_clocks(
    journey: &mut Journey<'_>,
    answered: &StockRow,
    as_of: chrono::DateTime<chrono::Utc>,
) -> Result<(), Mishap> {
    let known = journey.stock(MANIOC, Some(as_of), None).await?;
    let asked_again = journey
        .stock(MANIOC, Some(as_of), answered.recorded_at)
        .await?;
    let told = |row: &StockRow| {
        format!(
            "recorded by {}: {}",
            show::when_exactly(row.recorded_at.as_ref()),
            totals_told(row)
        )
    };
    let clock = as_of.format("%H:%M:%S%.3f");
    for (how, row) in [
        ("as it was answered", answered),
        ("as it is known now", &known),
        ("as it was, asked again", &asked_again),
    ] {
        journey.outcome(format!("stock as of {clock}, {how:22}  {}", told(row)));
    }
    if asked_again.totals != answered.totals {
        return Err(Mishap::otherwise(told(answered), told(&asked_again)));
    }
    if known.totals == answered.totals {
        return Err(Mishap::otherwise(
            "the late fact in what is known now",
            told(&known),
        ));
    }
    journey.shown.push(("stock_as_answered", told(answered)));
    journey.shown.push(("stock_as_known_now", told(&known)));
    journey
        .shown
        .push(("stock_asked_again", told(&asked_again)));
    Ok(())
}

/// How everything stands: what the services say now, nothing remembered.
///
/// # Errors
/// A service refuses.
pub async fn ending(journey: &Journey<'_>) -> Result<Ending, Mishap> {
    let ids = &journey.ids;
    let stay = journey.stay(&ids.container_visit).await?;
    let truck = journey.truck_visit(ids.truck_visit()).await?;
    let declaration = journey.declaration_if_filed().await?;
    let debt = state_name(declaration.debt().as_str_name(), "DEBT_STATE_");
    let exit = if ids.list.is_empty() {
        String::new()
    } else {
        release_state(&journey.list_decision().await?)
    };
    let list = journey.list().await?.stock_list.unwrap_or_default();
    let lots = list.lines.iter().flat_map(|line| &line.lots);
    let decreased: Vec<String> = lots
        .map(|lot| show::quantity(declared(lot.actual.as_ref())))
        .collect();
    Ok(Ending::default()
        .naming("container_number", journey.names.container.to_string())
        .naming("container_visit_id", &ids.container_visit)
        .with("container_visit", phase(&stay), &["DEPARTED"])
        .naming("truck_visit_id", ids.truck_visit())
        .with("truck_visit", truck_state(&truck), &["CLOSED"])
        .with("exit", exit, &["CONSUMED"])
        .naming("mrn", &ids.mrn)
        .with("declaration", declaration_state(&declaration), &["CLEARED"])
        .with("debt", debt, &["SECURED", "PAID"])
        .naming("list_number", &ids.list)
        .with("stock_list", list_state(&list), &["POSTED"])
        .with("actual_decrease", decreased.join(", "), &["10000 KGM"]))
}
