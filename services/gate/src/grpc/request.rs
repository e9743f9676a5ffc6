//! Requests as commands. Nothing is judged here: what cannot be said in the domain's words is left out,
//! and the decision names it.

use chassis::{Caller, Role};
use chrono::{DateTime, Utc};
use proto::common::v1 as common;
use proto::gate::v1 as api;

use crate::domain::Actor;
use crate::domain::arrival_list::{
    ListHead, WrittenAnnouncement, WrittenLanding, WrittenManifestLine,
};
use crate::domain::container_visit::TransportMode;
use crate::domain::departure_list::WrittenLoad;
use crate::domain::filing::{WrittenPlate, WrittenQuantity};
use crate::domain::hold::{HoldKind, Scope, ScopeKind};
use crate::domain::list_passage::{WrittenList, WrittenListLine};
use crate::domain::pre_arrival::{
    PreArrivalKind, WrittenContainer, WrittenDriver, WrittenPreArrival, WrittenVehicle,
};
use crate::domain::truck_visit::{Barrier, InspectionResult, Verdict};
use crate::store::queries::Reader;

/// Who asks.
pub fn actor(caller: &Caller) -> Actor {
    Actor {
        party: caller.party.clone(),
        subject: caller.subject.clone(),
        is_officer: caller.is(Role::Officer),
        is_terminal: caller.is(Role::Terminal),
        is_operator: caller.is(Role::Operator),
        is_haulier: caller.is(Role::Haulier),
        sites: caller.sites.iter().cloned().collect(),
    }
}

/// Who reads.
pub fn reader(caller: &Caller) -> Reader {
    Reader {
        party: caller.party.clone(),
        is_officer: caller.is(Role::Officer),
        is_terminal: caller.is(Role::Terminal),
        is_line: caller.is(Role::Line),
    }
}

/// A time; none if it is not set or no time.
pub fn time(at: Option<&prost_types::Timestamp>) -> Option<DateTime<Utc>> {
    let at = at?;
    DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?)
}

/// A quantity.
pub fn quantity(quantity: Option<common::Quantity>) -> Option<WrittenQuantity> {
    quantity.map(|quantity| WrittenQuantity {
        value: quantity.value,
        unit: quantity.unit_code,
    })
}

/// A list's head.
pub fn head(site_id: String, mode: i32, conveyance: String) -> ListHead {
    let mode = match api::TransportMode::try_from(mode) {
        Ok(api::TransportMode::Rail) => Some(TransportMode::Rail),
        Ok(api::TransportMode::Barge) => Some(TransportMode::Barge),
        _ => None,
    };
    ListHead {
        site_id,
        mode,
        conveyance,
    }
}

/// An announced container.
pub fn announcement(container: api::AnnouncedContainer) -> WrittenAnnouncement {
    let line = |line: api::ManifestLine| WrittenManifestLine {
        transport_document: line.transport_document,
        line_party: line.line_party,
        packages: line.packages,
        gross_mass: quantity(line.gross_mass),
        goods_description: line.goods_description,
    };
    WrittenAnnouncement {
        container_number: container.container_number,
        size_type: container.size_type,
        seals: container.seals,
        empty: container.empty,
        lines: container.manifest_lines.into_iter().map(line).collect(),
    }
}

/// A container found.
pub fn landing(container: api::LandedContainer) -> WrittenLanding {
    WrittenLanding {
        container_number: container.container_number,
        seals_found: container.seals_found,
        size_type: container.size_type,
        empty: container.empty,
    }
}

/// A container lifted on.
pub fn load(container: api::LoadedContainer) -> WrittenLoad {
    WrittenLoad {
        container_number: container.container_number,
        seals_found: container.seals_found,
    }
}

/// A filing.
pub fn pre_arrival(request: api::SubmitPreArrivalRequest) -> WrittenPreArrival {
    let kind = match api::PreArrivalKind::try_from(request.kind) {
        Ok(api::PreArrivalKind::FullOut) => Some(PreArrivalKind::FullOut),
        Ok(api::PreArrivalKind::EmptyIn) => Some(PreArrivalKind::EmptyIn),
        Ok(api::PreArrivalKind::EmptyOut) => Some(PreArrivalKind::EmptyOut),
        Ok(api::PreArrivalKind::EmptyVehicle) => Some(PreArrivalKind::EmptyVehicle),
        Ok(api::PreArrivalKind::FullIn) => Some(PreArrivalKind::FullIn),
        Ok(api::PreArrivalKind::BondTransfer) => Some(PreArrivalKind::BondTransfer),
        Ok(api::PreArrivalKind::BondExit) => Some(PreArrivalKind::BondExit),
        _ => None,
    };
    let container = |container: api::PreArrivalContainer| WrittenContainer {
        number: container.container_number,
        size_type: container.size_type,
        seals: container.seals,
        gross_mass: quantity(container.gross_mass),
        dangerous_goods_class: container.dangerous_goods_class,
        verified_mass: quantity(container.verified_mass),
        reefer_set_point_celsius: container.reefer_set_point_celsius,
    };
    let line = |line: api::PreArrivalListLine| WrittenListLine {
        line_number: line.line_number,
        quantity: quantity(line.quantity),
    };
    let list = |list: api::PreArrivalList| WrittenList {
        list_number: list.list_number,
        lines: list.lines.into_iter().map(line).collect(),
    };
    WrittenPreArrival {
        list: request.list.map(list),
        second_site_id: request.second_site_id,
        haulier_party: request.haulier_party,
        site_id: request.site_id,
        kind,
        vehicle: request.vehicle.map(vehicle),
        driver: request.driver.map(driver),
        containers: request.containers.into_iter().map(container).collect(),
        document_references: request.document_references,
        planned_arrival: time(request.planned_arrival.as_ref()),
    }
}

/// A truck.
pub fn vehicle(vehicle: api::Vehicle) -> WrittenVehicle {
    let plate = |plate: api::Plate| WrittenPlate {
        text: plate.text,
        country: plate.country_code,
    };
    WrittenVehicle {
        tractor: vehicle.tractor.map(plate),
        trailer: vehicle.trailer.map(plate),
    }
}

/// A driver.
pub fn driver(driver: api::Driver) -> WrittenDriver {
    WrittenDriver {
        name: driver.name,
        licence: driver.licence,
        phone: driver.phone,
    }
}

/// A barrier.
pub fn barrier(barrier: i32) -> Option<Barrier> {
    match api::Barrier::try_from(barrier) {
        Ok(api::Barrier::In) => Some(Barrier::In),
        Ok(api::Barrier::Out) => Some(Barrier::Out),
        _ => None,
    }
}

/// An inspection's result.
pub fn inspection_result(result: i32) -> Option<InspectionResult> {
    match api::InspectionResult::try_from(result) {
        Ok(api::InspectionResult::Passed) => Some(InspectionResult::Passed),
        Ok(api::InspectionResult::Failed) => Some(InspectionResult::Failed),
        _ => None,
    }
}

/// A verdict.
pub fn verdict(verdict: i32) -> Option<Verdict> {
    match api::ReviewVerdict::try_from(verdict) {
        Ok(api::ReviewVerdict::LetIn) => Some(Verdict::LetIn),
        Ok(api::ReviewVerdict::TurnAway) => Some(Verdict::TurnAway),
        Ok(api::ReviewVerdict::LetOut) => Some(Verdict::LetOut),
        Ok(api::ReviewVerdict::KeepIn) => Some(Verdict::KeepIn),
        _ => None,
    }
}

/// What is to be held. Numbers and plates are normalised, as they are where they are looked for.
pub fn scope(scope: Option<common::HoldScope>) -> Option<Scope> {
    let scope = scope?;
    let kind = match common::HoldScopeKind::try_from(scope.kind) {
        Ok(common::HoldScopeKind::ContainerVisit) => ScopeKind::ContainerVisit,
        Ok(common::HoldScopeKind::Plate) => ScopeKind::Plate,
        Ok(common::HoldScopeKind::Party) => ScopeKind::Party,
        _ => return None,
    };
    let key = scope.key.trim();
    let key = match kind {
        ScopeKind::Plate => kernel::Plate::normalise(key).ok()?,
        ScopeKind::ContainerVisit => {
            kernel::ContainerNumber::parse(key).map_or_else(|_| key.to_owned(), |n| n.to_string())
        }
        _ => key.to_owned(),
    };
    Some(Scope::new(kind, key))
}

/// The kind of a hold.
pub fn hold_kind(kind: i32) -> Option<HoldKind> {
    match common::HoldKind::try_from(kind) {
        Ok(common::HoldKind::Terminal) => Some(HoldKind::Terminal),
        Ok(common::HoldKind::Safety) => Some(HoldKind::Safety),
        _ => None,
    }
}
