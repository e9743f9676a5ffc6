//! Decisions and rows as messages.

use chassis::convert::{fault_message, quantity_message, timestamp};
use prost::Message;
use proto::gate::v1 as api;

use crate::app::{Answer, Exit, LineResult};
use crate::domain::arrival_list::LineOutcome;
use crate::domain::container_visit::{ContainerVisit, ManifestLine, Phase, TransportMode};
use crate::domain::hold::Hold;
use crate::domain::list_passage::{FiledList, ListLine};
use crate::domain::pre_arrival::{
    Driver, FiledContainer, PreArrival, PreArrivalKind, PreArrivalState, Vehicle,
};
use crate::domain::site::{Site, WeightPolicy};
use crate::domain::truck_visit::{
    Admission, Barrier, Completion, Inspection, InspectionResult, TruckVisit, TruckVisitState,
};
use crate::events::publish::{condition, hold_message};
use crate::store::queries::Reader;

/// A command's answer as the RPC's encoded response.
pub fn encode(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Announced(lines) => api::AnnounceArrivalResponse {
            results: results(lines),
        }
        .encode_to_vec(),
        Answer::Landed(lines) => api::RecordArrivalResponse {
            results: results(lines),
        }
        .encode_to_vec(),
        Answer::Loaded(lines) => api::RecordLoadingResponse {
            results: results(lines),
        }
        .encode_to_vec(),
        Answer::Departed(lines) => api::RecordDepartureResponse {
            results: results(lines),
        }
        .encode_to_vec(),
        Answer::ContainerVisit(visit, holds) => api::SetAvailabilityResponse {
            container_visit: Some(container_visit(visit, holds)),
        }
        .encode_to_vec(),
        Answer::Submitted(filing, warnings) => api::SubmitPreArrivalResponse {
            pre_arrival: Some(pre_arrival(filing, None, Audience::Haulier)),
            warnings: warnings.iter().map(fault_message).collect(),
        }
        .encode_to_vec(),
        Answer::Cancelled(filing) => api::CancelPreArrivalResponse {
            pre_arrival: Some(pre_arrival(filing, None, Audience::Haulier)),
        }
        .encode_to_vec(),
        Answer::Replaced(filing) => api::ReplaceVehicleResponse {
            pre_arrival: Some(pre_arrival(filing, None, Audience::Haulier)),
        }
        .encode_to_vec(),
        Answer::CheckedIn(truck, repeated) => api::CheckInResponse {
            truck_visit: Some(truck_visit(truck)),
            repeated: *repeated,
        }
        .encode_to_vec(),
        Answer::CheckInCorrected(truck) => api::CorrectCheckInResponse {
            truck_visit: Some(truck_visit(truck)),
        }
        .encode_to_vec(),
        Answer::Weighed(truck) => api::RecordWeightResponse {
            truck_visit: Some(truck_visit(truck)),
        }
        .encode_to_vec(),
        Answer::InspectionOrdered(truck, inspection_id) => api::OrderInspectionResponse {
            truck_visit: Some(truck_visit(truck)),
            inspection_id: inspection_id.clone(),
        }
        .encode_to_vec(),
        Answer::Inspected(truck) => api::RecordInspectionResponse {
            truck_visit: Some(truck_visit(truck)),
        }
        .encode_to_vec(),
        Answer::InspectionEnded(truck) => api::EndInspectionResponse {
            truck_visit: Some(truck_visit(truck)),
        }
        .encode_to_vec(),
        Answer::Reviewed(truck) => api::DecideReviewResponse {
            truck_visit: Some(truck_visit(truck)),
        }
        .encode_to_vec(),
        Answer::CheckedOut(truck, exit, departed) => {
            let outcome = match exit {
                Exit::LetOut => api::CheckOutOutcome::LetOut,
                Exit::Refused => api::CheckOutOutcome::Refused,
                Exit::ManualReview => api::CheckOutOutcome::ManualReview,
            };
            api::CheckOutResponse {
                outcome: outcome.into(),
                truck_visit: Some(truck_visit(truck)),
                departed_container_visit_ids: departed.clone(),
            }
            .encode_to_vec()
        }
        Answer::HoldPlaced(hold) => api::PlaceHoldResponse {
            hold: Some(hold_message(hold)),
        }
        .encode_to_vec(),
        Answer::HoldLifted(hold) => api::LiftHoldResponse {
            hold: Some(hold_message(hold)),
        }
        .encode_to_vec(),
        Answer::SiteDeclared => Vec::new(),
    }
}

fn results(lines: &[LineResult]) -> Vec<api::ListLineResult> {
    use api::ListLineOutcome as Wire;
    lines
        .iter()
        .map(|line| {
            let outcome = match line.outcome {
                LineOutcome::Accepted => Wire::Accepted,
                LineOutcome::Amended => Wire::Amended,
                LineOutcome::Repeated => Wire::Repeated,
                LineOutcome::SealMismatch => Wire::SealMismatch,
                LineOutcome::ShortLanded => Wire::ShortLanded,
                LineOutcome::OverLanded => Wire::OverLanded,
                LineOutcome::Faulty => Wire::Faulty,
                LineOutcome::Refused => Wire::Refused,
                LineOutcome::NotLoaded => Wire::NotLoaded,
            };
            let visit = line.visit.as_ref();
            api::ListLineResult {
                line_number: line.line_number,
                container_number: line.container_number.clone(),
                outcome: outcome.into(),
                container_visit_id: visit.map(|visit| visit.id.to_string()).unwrap_or_default(),
                version: visit.map(|visit| visit.version).unwrap_or_default(),
                faults: line.faults.iter().map(fault_message).collect(),
                conditions: line.conditions.iter().map(condition).collect(),
                warnings: line.warnings.iter().map(fault_message).collect(),
            }
        })
        .collect()
}

/// A site.
pub fn site(site: &Site) -> api::Site {
    let policy = match site.weight.policy {
        WeightPolicy::AcceptAbsent => api::WeightPolicy::AcceptAbsent,
        WeightPolicy::ReviewAbsent => api::WeightPolicy::ReviewAbsent,
    };
    api::Site {
        site_id: site.site_id.clone(),
        name: site.name.clone(),
        terminal_party: site.terminal_party.clone(),
        time_zone: site.time_zone.clone(),
        goods_location_codes: site.goods_location_codes.clone(),
        bonded: site.bonded,
        inspection_sites: site.inspection_sites.clone(),
        weight_policy: policy.into(),
        weight_tolerance: Some(proto::common::v1::Quantity {
            value: site.weight.tolerance_kilograms.to_string(),
            unit_code: "KGM".to_owned(),
        }),
        weight_tolerance_basis_points: site.weight.tolerance_basis_points,
        barriers_in: site.barriers_in,
    }
}

/// A container visit with its standing holds.
pub fn container_visit(visit: &ContainerVisit, holds: &[Hold]) -> api::ContainerVisit {
    let phase = match visit.phase {
        Phase::Announced => api::ContainerVisitPhase::Announced,
        Phase::Arrived => api::ContainerVisitPhase::Arrived,
        Phase::Departed => api::ContainerVisitPhase::Departed,
        Phase::ShortLanded => api::ContainerVisitPhase::ShortLanded,
    };
    let mode = match visit.arrival_mode {
        TransportMode::Rail => api::TransportMode::Rail,
        TransportMode::Barge => api::TransportMode::Barge,
        TransportMode::Truck => api::TransportMode::Truck,
    };
    api::ContainerVisit {
        container_visit_id: visit.id.to_string(),
        site_id: visit.site_id.clone(),
        container_number: visit.container.to_string(),
        ordinal: visit.ordinal,
        version: visit.version,
        phase: phase.into(),
        size_type: visit
            .manifest
            .size_type
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        arrival_mode: mode.into(),
        arrival_conveyance: visit.conveyance.clone().unwrap_or_default(),
        estimated_arrival: visit.estimated_arrival.map(timestamp),
        manifest_lines: visit.manifest.lines.iter().map(manifest_line).collect(),
        seals: visit.manifest.seals.clone(),
        seals_found: visit.seals_found.clone(),
        seal_mismatch: visit.seal_mismatch(),
        available: visit.available,
        empty: visit.manifest.empty,
        over_landed: visit.over_landed,
        arrived_at: visit.arrived_at.map(timestamp),
        departed_at: visit.departed_at.map(timestamp),
        arrived_with_truck_visit_id: visit.arrived_with.clone().unwrap_or_default(),
        departed_with_truck_visit_id: visit.departed_with.clone().unwrap_or_default(),
        holds: holds.iter().map(hold_message).collect(),
        document_references: visit.document_references.clone(),
        loaded_on: visit
            .loaded
            .as_ref()
            .map(|loading| loading.conveyance.clone())
            .unwrap_or_default(),
        departure_conveyance: visit
            .departure_conveyance()
            .map(|loading| loading.conveyance.clone())
            .unwrap_or_default(),
        list_number: visit.list_number.clone().unwrap_or_default(),
        verified_mass: visit.verified_mass.as_ref().map(quantity_message),
    }
}

fn manifest_line(line: &ManifestLine) -> api::ManifestLine {
    api::ManifestLine {
        transport_document: line
            .transport_document
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        line_party: line.line_party.clone(),
        packages: line.packages,
        gross_mass: line.gross_mass.as_ref().map(quantity_message),
        goods_description: line.goods_description.clone(),
    }
}

/// Who reads a filing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Its haulier, or who filed for it: is told what `domain::disclosure` says.
    Haulier,
    /// The site's own people, and officers: see all that stands against it.
    Site,
}

/// As whom a party reads a filing that it may read.
pub fn audience(reader: &Reader, filing: &PreArrival) -> Audience {
    let is_own = [filing.haulier_party.as_str(), filing.filer()].contains(&reader.party.as_str());
    if reader.is_officer || !is_own {
        Audience::Site
    } else {
        Audience::Haulier
    }
}

/// A pre-arrival; with the driver where the reader may see one.
pub fn pre_arrival(
    filing: &PreArrival,
    driver: Option<&Driver>,
    audience: Audience,
) -> api::PreArrival {
    let state = match filing.state {
        PreArrivalState::Blocked => api::PreArrivalState::Blocked,
        PreArrivalState::Ready => api::PreArrivalState::Ready,
        PreArrivalState::Used => api::PreArrivalState::Used,
        PreArrivalState::Cancelled => api::PreArrivalState::Cancelled,
        PreArrivalState::Expired => api::PreArrivalState::Expired,
    };
    let kind = match filing.kind {
        PreArrivalKind::FullOut => api::PreArrivalKind::FullOut,
        PreArrivalKind::EmptyIn => api::PreArrivalKind::EmptyIn,
        PreArrivalKind::EmptyOut => api::PreArrivalKind::EmptyOut,
        PreArrivalKind::EmptyVehicle => api::PreArrivalKind::EmptyVehicle,
        PreArrivalKind::FullIn => api::PreArrivalKind::FullIn,
        PreArrivalKind::BondTransfer => api::PreArrivalKind::BondTransfer,
        PreArrivalKind::BondExit => api::PreArrivalKind::BondExit,
    };
    let conditions = match audience {
        Audience::Haulier => &filing.told,
        Audience::Site => &filing.conditions,
    };
    let filed = filing.containers.iter();
    api::PreArrival {
        // A dry run has no id.
        pre_arrival_id: if filing.pre_arrival_id.is_nil() {
            String::new()
        } else {
            filing.pre_arrival_id.to_string()
        },
        number: filing.number.clone(),
        version: filing.version,
        state: state.into(),
        conditions: conditions.iter().map(condition).collect(),
        site_id: filing.site_id.clone(),
        kind: kind.into(),
        haulier_party: filing.haulier_party.clone(),
        vehicle: Some(vehicle(&filing.vehicle)),
        driver_id: filing.driver_id.to_string(),
        driver: driver.map(|driver| api::Driver {
            name: driver.name.clone(),
            licence: driver.licence.clone(),
            phone: driver.phone.clone(),
        }),
        containers: filed
            .map(|container| filed_container(container, audience))
            .collect(),
        document_references: filing.document_references.clone(),
        planned_arrival: Some(timestamp(filing.planned_arrival)),
        expires_at: Some(timestamp(filing.expires_at)),
        submitted_at: Some(timestamp(filing.submitted_at)),
        truck_visit_id: filing
            .truck_visit_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        list: filing.list.as_ref().map(filed_list),
        second_site_id: filing.second_site_id.clone().unwrap_or_default(),
        pass_number: filing
            .pass_number
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        filer_party: filing.filer().to_owned(),
        second_truck_visit_id: filing
            .second_truck_visit_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
    }
}

fn filed_list(list: &FiledList) -> api::PreArrivalList {
    let line = |line: &ListLine| api::PreArrivalListLine {
        line_number: line.line_number,
        quantity: Some(quantity_message(&line.quantity)),
    };
    api::PreArrivalList {
        list_number: list.list_number.to_string(),
        lines: list.lines.iter().map(line).collect(),
    }
}

fn vehicle(vehicle: &Vehicle) -> api::Vehicle {
    let plate = |plate: &kernel::Plate| api::Plate {
        text: plate.as_written().to_owned(),
        country_code: plate.country().to_string(),
    };
    api::Vehicle {
        tractor: Some(plate(&vehicle.tractor)),
        trailer: vehicle.trailer.as_ref().map(plate),
    }
}

fn filed_container(container: &FiledContainer, audience: Audience) -> api::PreArrivalContainer {
    let bound = container.container_visit_id.as_deref();
    let told = bound.filter(|_| container.visit_is_told || audience == Audience::Site);
    api::PreArrivalContainer {
        container_number: container.number.to_string(),
        size_type: container
            .size_type
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        seals: container.seals.clone(),
        gross_mass: container.gross_mass.as_ref().map(quantity_message),
        dangerous_goods_class: container.dangerous_goods_class.clone(),
        container_visit_id: told.unwrap_or_default().to_owned(),
        verified_mass: container.verified_mass.as_ref().map(quantity_message),
        reefer_set_point_celsius: container
            .reefer_set_point_celsius
            .map(|celsius| celsius.to_string())
            .unwrap_or_default(),
    }
}

/// A truck visit with the decisions and what they stood on: for who runs the gate, and officers.
pub fn truck_visit_with_admissions(truck: &TruckVisit) -> api::TruckVisit {
    api::TruckVisit {
        admissions: truck.admissions.iter().map(admission).collect(),
        ..truck_visit(truck)
    }
}

/// A truck visit, without what the decisions stood on.
pub fn truck_visit(truck: &TruckVisit) -> api::TruckVisit {
    let state = match truck.state {
        TruckVisitState::ManualReview => api::TruckVisitState::ManualReview,
        TruckVisitState::TurnedAway => api::TruckVisitState::TurnedAway,
        TruckVisitState::GatedInFirst => api::TruckVisitState::GatedInFirst,
        TruckVisitState::GatedIn => api::TruckVisitState::GatedIn,
        TruckVisitState::Recalled => api::TruckVisitState::Recalled,
        TruckVisitState::GatedOut => api::TruckVisitState::GatedOut,
        TruckVisitState::Closed => api::TruckVisitState::Closed,
    };
    api::TruckVisit {
        truck_visit_id: truck.truck_visit_id.to_string(),
        version: truck.version,
        state: state.into(),
        conditions: truck.conditions.iter().map(condition).collect(),
        site_id: truck.site_id.clone(),
        lane: truck.lane.clone(),
        vehicle: Some(vehicle(&truck.vehicle)),
        pre_arrival_id: truck
            .pre_arrival_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        haulier_party: truck.haulier_party.clone().unwrap_or_default(),
        carrier_party: truck.carrier_party.clone().unwrap_or_default(),
        containers: truck
            .containers
            .iter()
            .map(|container| filed_container(container, Audience::Site))
            .collect(),
        weight_in: truck.weight_in.as_ref().map(quantity_message),
        weight_out: truck.weight_out.as_ref().map(quantity_message),
        inspections: truck.inspections.iter().map(inspection).collect(),
        next_inspection_site: truck.next_inspection_site().unwrap_or_default().to_owned(),
        departure_pending: truck
            .departure_pending
            .as_ref()
            .map(|pending| api::Departure {
                container_numbers: pending.containers.iter().map(ToString::to_string).collect(),
                asked_at: Some(timestamp(pending.asked_at)),
                may_be_decided: pending.may_be_decided,
            }),
        arrived_at: Some(timestamp(truck.arrived_at)),
        gated_in_at: truck.gated_in_at.map(timestamp),
        gated_out_at: truck.gated_out_at.map(timestamp),
        admissions: Vec::new(),
        completion: match truck.completion {
            None => api::Completion::Unspecified,
            Some(Completion::Observed) => api::Completion::Observed,
            Some(Completion::Inferred) => api::Completion::Inferred,
        }
        .into(),
    }
}

fn inspection(inspection: &Inspection) -> api::Inspection {
    let steps = inspection.steps.iter().map(|step| {
        let result = match step.result {
            None => api::InspectionResult::Unspecified,
            Some(InspectionResult::Passed) => api::InspectionResult::Passed,
            Some(InspectionResult::Failed) => api::InspectionResult::Failed,
        };
        api::InspectionStep {
            inspection_site: step.inspection_site.clone(),
            result: result.into(),
            recorded_at: step.recorded_at.map(timestamp),
            note: step.note.clone(),
        }
    });
    api::Inspection {
        inspection_id: inspection.inspection_id.to_string(),
        reason: inspection.reason.clone(),
        ordered_by_party: inspection.ordered_by_party.clone(),
        ordered_by_subject: inspection.ordered_by_subject.clone(),
        ordered_at: Some(timestamp(inspection.ordered_at)),
        steps: steps.collect(),
        ended_at: inspection.ended_at.map(timestamp),
        end_reason: inspection.end_reason.clone(),
    }
}

fn admission(admission: &Admission) -> api::Admission {
    let barrier = match admission.barrier {
        Barrier::In => api::Barrier::In,
        Barrier::Out => api::Barrier::Out,
    };
    let evidence = admission.evidence.iter().map(|evidence| api::Evidence {
        subject: evidence.subject.clone(),
        value: evidence.value.clone(),
        event_id: evidence.event_id.clone(),
        version: evidence.version,
        knowledge_age_millis: evidence.knowledge_age_millis,
    });
    api::Admission {
        barrier: barrier.into(),
        decided_at: Some(timestamp(admission.decided_at)),
        decided_by_subject: admission.decided_by_subject.clone(),
        reason: admission.reason.clone(),
        conditions_overridden: admission
            .conditions_overridden
            .iter()
            .map(condition)
            .collect(),
        evidence: evidence.collect(),
        contra: admission.contra,
    }
}
