//! Journey C, into bond: goods that came by train go on a truck from the port into the bonded centre, under a stock
//! list, a warehousing declaration and a pass, over two sites and two stays. Bonded is away while they pass, and
//! learns of it when it is back; what was miscounted is counted again; and when both facts are there, that the goods
//! have passed and that customs has released them, what was expected becomes stock.

use kernel::{Clock as _, SystemClock};
use proto::bonded::v1::{
    DiscrepancyKind, DiscrepancyResolution, FiledStockListLine, GetStockListResponse,
    StockListDirection, StockListState,
};
use proto::customs::v1::{
    ControlKind, DebtState, FilingOutcome, GetGuaranteeRequest, TraderGuarantee,
};
use proto::gate::v1 as gate;
use proto::gate::v1::{CheckOutOutcome, TruckVisitState};

use super::barrier::{Place, TRUCK_KILOGRAMS, WayOut};
use super::ending::Ending;
use super::journey::{
    Goods, Journey, declaration_state, phase, release_state, state_name, truck_state,
};
use super::mishap::Mishap;
use super::stock::{BookLine, amount_told, declared, list_state, quantity, totals_told};
use super::timeline::LastFact;
use super::waiting::Look;
use crate::commands::arguments::kilograms;
use crate::commands::show;
use crate::parties::{CENTRE, PORT};
use crate::services::Service;

/// The journey's name.
pub const NAME: &str = "into-bond";
/// What it is.
pub const TITLE: &str = "goods go from the port into the bonded centre, and become stock";
/// What TT_IM012a declares.
pub const GOODS: Goods = Goods {
    description: "Vanity cases",
    packages: 50,
    gross_kilograms: 150,
};

/// trader-a's vanity cases, as deploy/seed/books.toml has them.
pub const CASES: BookLine = BookLine {
    book: "BOOKTRADERA1",
    line: 1,
    unit: "NAR",
};
/// How many there are, one in each box.
const CASES_COUNT: u32 = 50;

/// What its timeline ends with.
pub const LAST_FACTS: [LastFact; 5] = [
    LastFact::of("STOCK_LIST_POSTED"),
    LastFact::of("DECLARATION_CLEARED"),
    LastFact::of("TRUCK_VISIT_CLOSED"),
    LastFact::of("CONTAINER_VISIT_DEPARTED"),
    LastFact {
        fact: "STOCK_MOVEMENT_POSTED",
        detail: "ACTUAL_INCREASE",
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
            "terminal announces a train, and records that the container stands at the port",
        )
        .await;
    journey.announce_train().await?;
    journey.record_arrival().await?;

    journey
        .step(
            "2",
            "trader-a files an increase list: what is to come into its account book",
        )
        .await;
    expect(journey).await?;

    journey
        .step(
            "3",
            "broker-a lodges the warehousing declaration, which names the list",
        )
        .await;
    declare(journey).await?;

    journey
        .step("4", "operator files the truck for the list: a gate pass")
        .await;
    let request = transfer(journey);
    let pre_arrival = journey.submit(&journey.parties.operator, request).await?;
    journey.know_pre_arrival(&pre_arrival);
    journey.until_truck_may_come("terminal").await?;

    journey
        .step(
            "5",
            "the truck takes the container from the port into the centre; meanwhile bonded is stopped",
        )
        .await;
    pass(journey).await?;

    journey
        .step("6", "operator has the container unstuffed, and counts")
        .await;
    count(journey).await?;

    journey
        .step(
            "7",
            "officer-1 has compared the documents: customs clears, the other fact",
        )
        .await;
    journey.complete_controls().await?;
    journey.until_cleared().await?;

    journey
        .step(
            "8",
            "both facts and the last pass are there: what was expected becomes stock",
        )
        .await;
    become_stock(journey).await?;
    journey.until_ended(async || ending(journey).await).await
}

/// Filed and approved: expected, and not available.
async fn expect(journey: &mut Journey<'_>) -> Result<(), Mishap> {
    let line = FiledStockListLine {
        book_line: CASES.line,
        declared: Some(CASES.quantity(CASES_COUNT)),
        statutory_1: Some(kilograms(&journey.goods.gross_kilograms.to_string())),
        statutory_2: Some(quantity(CASES_COUNT, "NAR")),
        lot_ids: Vec::new(),
    };
    journey
        .file_list(
            StockListDirection::Increase,
            CASES,
            line,
            StockListState::Filed,
        )
        .await?;
    journey.approve_list().await?;
    journey
        .until_told("STOCK_LIST_APPROVED", &["trader-a", "operator"])
        .await?;
    let stock = journey.stock(CASES, None, None).await?;
    journey.outcome(format!("stock of the line: {}", totals_told(&stock)));
    Ok(())
}

/// Accepted at once, because the goods are here; the duty is suspended, and the documents are looked at.
async fn declare(journey: &mut Journey<'_>) -> Result<(), Mishap> {
    let list = journey.ids.list.clone();
    journey.take_document(&list)?;
    let filing = journey.lodge_declaration(FilingOutcome::Accepted).await?;
    if filing.debt() != DebtState::Suspended {
        return Err(Mishap::otherwise(
            "the duty SUSPENDED",
            filing.debt().as_str_name(),
        ));
    }
    journey.until_matched().await?;
    let guarantee = guarantee(journey).await?;
    journey.outcome(format!(
        "duty SUSPENDED under {}'s guarantee: {} in use of {}",
        guarantee.trader_party,
        show::money(guarantee.in_use.as_ref()),
        show::money(guarantee.amount.as_ref())
    ));
    let declaration = journey.declaration().await?;
    let controls: Vec<ControlKind> = declaration
        .controls
        .iter()
        .map(|control| control.kind())
        .collect();
    if controls != [ControlKind::Documents] {
        return Err(Mishap::otherwise(
            "a documents control",
            format!("{controls:?}"),
        ));
    }
    journey.outcome(format!(
        "declaration {}: risk asks for a documents control, which the transfer need not wait for",
        declaration_state(&declaration)
    ));
    Ok(())
}

async fn guarantee(journey: &Journey<'_>) -> Result<TraderGuarantee, Mishap> {
    let request = GetGuaranteeRequest::default();
    let answer = journey.trader.customs()?.get_guarantee(request).await?;
    Ok(answer.into_inner().guarantee.unwrap_or_default())
}

/// One filing for two sites, of all that is on the list.
fn transfer(journey: &Journey<'_>) -> gate::SubmitPreArrivalRequest {
    gate::SubmitPreArrivalRequest {
        kind: gate::PreArrivalKind::BondTransfer.into(),
        containers: vec![gate::PreArrivalContainer {
            gross_mass: Some(kilograms(&journey.laden_kilograms().to_string())),
            ..journey.filed_container()
        }],
        document_references: vec![journey.ids.mrn.clone()],
        list: Some(gate::PreArrivalList {
            list_number: journey.ids.list.clone(),
            lines: Vec::new(),
        }),
        second_site_id: CENTRE.to_owned(),
        haulier_party: journey.parties.haulier.party().to_owned(),
        ..journey.truck(PORT)
    }
}

/// The first stay ends, a second begins; bonded hears of it once it is back.
async fn pass(journey: &mut Journey<'_>) -> Result<(), Mishap> {
    journey
        .check_in(Place::Port, TRUCK_KILOGRAMS, TruckVisitState::GatedIn)
        .await?;
    journey.take_away(CheckOutOutcome::LetOut).await?;
    let first = journey.stay(&journey.ids.container_visit).await?;
    journey.outcome(format!(
        "container visit {} {}",
        first.container_visit_id,
        phase(&first)
    ));

    let stopped_at = now();
    journey.caretaker.stop(Service::Bonded).await?;
    journey
        .until("bonded does not answer", async || {
            Ok(match journey.list().await {
                Err(mishap) if mishap.is_passing() => Look::Seen(()),
                Err(mishap) => Look::NotYet(mishap.to_string()),
                Ok(_) => Look::NotYet("it answers".to_owned()),
            })
        })
        .await?;
    journey.outcome("bonded is stopped: nobody can be asked about stock");
    let weight = TRUCK_KILOGRAMS + journey.laden_kilograms();
    let visit = journey
        .check_in(Place::Centre, weight, TruckVisitState::GatedIn)
        .await?;
    journey.ids.second_container_visit = visit
        .containers
        .first()
        .map(|container| container.container_visit_id.clone())
        .unwrap_or_default();
    let second = journey.stay(&journey.ids.second_container_visit).await?;
    journey.outcome(format!(
        "container visit {} {}, with the goods of {}",
        second.container_visit_id,
        phase(&second),
        second.list_number
    ));
    let way_out = WayOut {
        place: Place::Centre,
        with_container: false,
        kilograms: Some(TRUCK_KILOGRAMS),
        observed_at: None,
    };
    journey.check_out(way_out, CheckOutOutcome::LetOut).await?;

    journey.caretaker.start(Service::Bonded).await?;
    let list = journey
        .until_list("bonded has caught up: the goods have passed", |list| {
            list.passes_closed && list.passes.iter().all(|pass| pass.state == "PASSED")
        })
        .await?;
    let pass = list.passes.first().cloned().unwrap_or_default();
    let passed = list.lines.first().and_then(|line| line.passed.clone());
    journey.outcome(format!(
        "bonded is back and has caught up: pass {} PASSED {}, {} of list version {}",
        pass.pass_number,
        show::when_exactly(pass.passed_at.as_ref()),
        show::quantity(passed.as_ref()),
        list.version
    ));
    let passed_at = show::when_exactly(pass.passed_at.as_ref());
    journey.shown.extend([
        ("bonded_stopped_at", stopped_at),
        ("passed_at", passed_at),
        ("bonded_caught_up_at", now()),
    ]);
    Ok(())
}

/// To the millisecond, as times are shown.
fn now() -> String {
    show::when_exactly(Some(&chassis::convert::timestamp(SystemClock.now())))
}

/// Counted one short: a discrepancy, and nothing is posted. Counted again: it is over by itself.
async fn count(journey: &Journey<'_>) -> Result<(), Mishap> {
    let short = journey.count(CASES.quantity(CASES_COUNT - 1)).await?;
    let open = short.discrepancies.iter().any(|discrepancy| {
        discrepancy.kind() == DiscrepancyKind::Count
            && discrepancy.resolution() == DiscrepancyResolution::Unspecified
    });
    if !open {
        return Err(Mishap::otherwise(
            "an open discrepancy of the count",
            "none",
        ));
    }
    let right = journey.count(CASES.quantity(CASES_COUNT)).await?;
    let explained = right
        .discrepancies
        .iter()
        .all(|discrepancy| discrepancy.resolution() == DiscrepancyResolution::Explained);
    if !explained || right.discrepancies.is_empty() {
        return Err(Mishap::otherwise(
            "the discrepancy EXPLAINED",
            format!("{:?}", right.discrepancies),
        ));
    }
    journey
        .until_told("STOCK_LIST_DISCREPANCY_RESOLVED", &["trader-a", "operator"])
        .await
}

/// The list is final: a lot with its entry date and storage limit, and the stock that is asked for shows it.
async fn become_stock(journey: &Journey<'_>) -> Result<(), Mishap> {
    let list = journey
        .until_list("bonded has posted the list", |list| {
            list.state() == StockListState::Posted
        })
        .await?;
    let lot_id = lot_of(&list);
    let row = journey.lot(CASES, &lot_id).await?;
    let lot = row.lot.clone().unwrap_or_default();
    journey.outcome(format!(
        "lot {lot_id}: {}, entered {}, may be stored until {}",
        amount_told(row.totals.clone().unwrap_or_default().book.as_ref()),
        show::when(lot.entry_date.as_ref()),
        show::when(lot.storage_until.as_ref())
    ));
    let stock = journey.stock(CASES, None, None).await?;
    journey.outcome(format!("stock of the line: {}", totals_told(&stock)));
    journey
        .until_told("STOCK_LIST_POSTED", &["trader-a", "operator"])
        .await?;
    journey
        .until("release has the transfer CONSUMED", async || {
            let state = release_state(&journey.list_decision().await?);
            Ok(Look::if_so(state == "CONSUMED", (), state))
        })
        .await
}

fn lot_of(list: &proto::bonded::v1::StockList) -> String {
    let lots = list.lines.iter().flat_map(|line| &line.lots);
    lots.map(|lot| lot.lot_id.clone())
        .next()
        .unwrap_or_default()
}

/// How everything stands: what the services say now, nothing remembered.
///
/// # Errors
/// A service refuses.
pub async fn ending(journey: &Journey<'_>) -> Result<Ending, Mishap> {
    let ids = &journey.ids;
    let first = journey.stay(&ids.container_visit).await?;
    let second = journey.stay(&ids.second_container_visit).await?;
    let truck_id = |nth: usize| ids.truck_visits.get(nth).map_or("", String::as_str);
    let truck = journey.truck_visit(truck_id(0)).await?;
    let second_truck = journey.truck_visit(truck_id(1)).await?;
    let declaration = journey.declaration_if_filed().await?;
    let debt = state_name(declaration.debt().as_str_name(), "DEBT_STATE_");
    let transfer = if ids.list.is_empty() {
        String::new()
    } else {
        release_state(&journey.list_decision().await?)
    };
    let GetStockListResponse {
        stock_list,
        discrepancies,
    } = journey.list().await?;
    let list = stock_list.unwrap_or_default();
    let open = discrepancies
        .iter()
        .filter(|one| one.resolution() == DiscrepancyResolution::Unspecified)
        .count();
    let lot_id = lot_of(&list);
    let in_stock = if lot_id.is_empty() {
        String::new()
    } else {
        let totals = journey
            .lot(CASES, &lot_id)
            .await?
            .totals
            .unwrap_or_default();
        show::quantity(declared(totals.book.as_ref()))
    };
    Ok(Ending::default()
        .naming("container_number", journey.names.container.to_string())
        .naming("container_visit_id", &ids.container_visit)
        .with("container_visit", phase(&first), &["DEPARTED"])
        .naming("truck_visit_id", truck_id(0))
        .with("truck_visit", truck_state(&truck), &["CLOSED"])
        .naming("second_container_visit_id", &ids.second_container_visit)
        .with("second_container_visit", phase(&second), &["ARRIVED"])
        .naming("second_truck_visit_id", truck_id(1))
        .with(
            "second_truck_visit",
            truck_state(&second_truck),
            &["CLOSED"],
        )
        .with("transfer", transfer, &["CONSUMED"])
        .naming("mrn", &ids.mrn)
        .with("declaration", declaration_state(&declaration), &["CLEARED"])
        .with("debt", debt, &["SUSPENDED"])
        .naming("list_number", &ids.list)
        .with("stock_list", list_state(&list), &["POSTED"])
        .with("open_discrepancies", open.to_string(), &["0"])
        .naming("lot_id", lot_id)
        .with("in_stock", in_stock, &["50 NAR"]))
}
