//! The truck at the barriers, and what happens to it in between: one function for each act, which calls gate
//! as the party that acts and tells what was decided. It must not know why a truck comes when it does.

use proto::gate::v1 as gate;

use super::acts::{TARE_KILOGRAMS, codes};
use super::journey::{Journey, state_name};
use super::mishap::Mishap;
use crate::commands::arguments::{kilograms, vehicle};
use crate::parties::PORT;

/// The mass of the truck with its empty chassis.
const TRUCK_KILOGRAMS: u32 = 15_200;

impl Journey<'_> {
    /// The truck stands at a lane on its way in; `wanted` is what must be decided.
    ///
    /// # Errors
    /// Gate decides otherwise.
    pub async fn check_in(
        &mut self,
        wanted: gate::TruckVisitState,
    ) -> Result<gate::TruckVisit, Mishap> {
        let terminal = &self.parties.terminal;
        let request = gate::CheckInRequest {
            request_id: terminal.request_id(),
            site_id: PORT.to_owned(),
            lane: "IN-1".to_owned(),
            vehicle: Some(vehicle(&self.names.plate, None, "")),
            container_numbers: vec![self.names.container.to_string()],
            carrier_party: self.parties.haulier.party().to_owned(),
            pre_arrival: self.ids.pre_arrival.clone(),
            weight: Some(kilograms(&TRUCK_KILOGRAMS.to_string())),
            observed_at: None,
            barrier_number: 0,
        };
        let answer = terminal.gate()?.check_in(request).await?.into_inner();
        let visit = answer.truck_visit.unwrap_or_default();
        self.ids.truck_visit.clone_from(&visit.truck_visit_id);
        self.outcome(format!(
            "truck {} at lane {}: {}",
            self.names.plate,
            visit.lane,
            truck_state(&visit)
        ));
        self.narration.conditions(&visit.conditions);
        if visit.state() != wanted {
            let expected = state_name(wanted.as_str_name(), "TRUCK_VISIT_STATE_");
            return Err(Mishap::otherwise(
                format!("the truck {expected}"),
                truck_told(&visit),
            ));
        }
        Ok(visit)
    }

    /// The truck stands at a lane on its way out, with the container; `wanted` is what must be decided.
    ///
    /// # Errors
    /// Gate decides otherwise.
    pub async fn check_out(
        &self,
        wanted: gate::CheckOutOutcome,
    ) -> Result<gate::TruckVisit, Mishap> {
        let terminal = &self.parties.terminal;
        let loaded = TRUCK_KILOGRAMS + TARE_KILOGRAMS + self.goods.gross_kilograms;
        let request = gate::CheckOutRequest {
            request_id: terminal.request_id(),
            site_id: PORT.to_owned(),
            lane: "OUT-1".to_owned(),
            truck_visit_id: self.ids.truck_visit.clone(),
            vehicle: Some(vehicle(&self.names.plate, None, "")),
            container_numbers: vec![self.names.container.to_string()],
            weight: Some(kilograms(&loaded.to_string())),
            observed_at: None,
            without_goods: false,
        };
        let answer = terminal.gate()?.check_out(request).await?.into_inner();
        let outcome = state_name(answer.outcome().as_str_name(), "CHECK_OUT_OUTCOME_");
        let decided = answer.outcome();
        let visit = answer.truck_visit.unwrap_or_default();
        self.outcome(format!("{outcome}: truck visit {}", truck_state(&visit)));
        self.narration.conditions(&visit.conditions);
        if decided != wanted {
            let expected = state_name(wanted.as_str_name(), "CHECK_OUT_OUTCOME_");
            return Err(Mishap::otherwise(
                format!("the departure {expected}"),
                format!("{outcome}, {}", truck_told(&visit)),
            ));
        }
        Ok(visit)
    }

    /// The officer orders an inspection of the truck that is in: it is recalled.
    ///
    /// # Errors
    /// Gate refuses, or does not recall it.
    pub async fn order_inspection(&self, reason: &str) -> Result<gate::TruckVisit, Mishap> {
        let officer = &self.parties.officer;
        let request = gate::OrderInspectionRequest {
            request_id: officer.request_id(),
            truck_visit_id: self.ids.truck_visit.clone(),
            inspection_sites: Vec::new(),
            reason: reason.to_owned(),
            expected_version: 0,
        };
        let answer = officer
            .gate()?
            .order_inspection(request)
            .await?
            .into_inner();
        let visit = answer.truck_visit.unwrap_or_default();
        self.outcome(format!(
            "truck visit {}; first to {}",
            truck_state(&visit),
            visit.next_inspection_site
        ));
        if visit.state() != gate::TruckVisitState::Recalled {
            return Err(Mishap::otherwise("the truck RECALLED", truck_told(&visit)));
        }
        Ok(visit)
    }

    /// The officer records that the truck passed every site of its inspection: the recall is over.
    ///
    /// # Errors
    /// Gate refuses, or still recalls it.
    pub async fn pass_inspection(&self, recalled: gate::TruckVisit) -> Result<(), Mishap> {
        let officer = &self.parties.officer;
        let mut visit = recalled;
        // A site is recorded once, so there are no more rounds than sites.
        for _ in 0..visit
            .inspections
            .iter()
            .map(|inspection| inspection.steps.len())
            .sum()
        {
            let Some(inspection) = visit
                .inspections
                .iter()
                .find(|inspection| inspection.ended_at.is_none())
            else {
                break;
            };
            let site = visit.next_inspection_site.clone();
            let request = gate::RecordInspectionRequest {
                request_id: officer.request_id(),
                truck_visit_id: visit.truck_visit_id.clone(),
                inspection_id: inspection.inspection_id.clone(),
                inspection_site: site.clone(),
                result: gate::InspectionResult::Passed.into(),
                note: "in order".to_owned(),
                observed_at: None,
            };
            let answer = officer
                .gate()?
                .record_inspection(request)
                .await?
                .into_inner();
            visit = answer.truck_visit.unwrap_or_default();
            self.outcome(format!(
                "{site}: passed; truck visit {}",
                truck_state(&visit)
            ));
        }
        if visit.state() != gate::TruckVisitState::GatedIn {
            return Err(Mishap::otherwise(
                "the truck GATED_IN, its recall over",
                truck_told(&visit),
            ));
        }
        Ok(())
    }
}

fn truck_state(visit: &gate::TruckVisit) -> String {
    state_name(visit.state().as_str_name(), "TRUCK_VISIT_STATE_")
}

fn truck_told(visit: &gate::TruckVisit) -> String {
    format!("{}: {}", truck_state(visit), codes(&visit.conditions))
}
