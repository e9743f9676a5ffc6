//! The truck at the barriers of both sites, and what happens to it in between: one function for each act, which
//! calls gate as the party that acts and tells what was decided. It must not know why a truck comes when it does.

use chrono::{DateTime, Utc};
use proto::gate::v1 as gate;

use super::acts::codes;
use super::journey::{Journey, state_name, truck_state};
use super::mishap::Mishap;
use crate::client::Session;
use crate::commands::arguments::{kilograms, vehicle};
use crate::parties::{CENTRE, PORT};

/// The mass of the truck with its empty chassis.
pub const TRUCK_KILOGRAMS: u32 = 15_200;

/// Where a truck comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The river port.
    Port,
    /// The bonded centre.
    Centre,
}

impl Place {
    /// The site's id.
    pub fn site(self) -> &'static str {
        match self {
            Place::Port => PORT,
            Place::Centre => CENTRE,
        }
    }
}

/// A truck on its way out, as the lane sees it.
#[derive(Clone, Copy, Debug)]
pub struct WayOut {
    /// From where.
    pub place: Place,
    /// With the container.
    pub with_container: bool,
    /// What the weighbridge at the lane reads; none where it reads nothing.
    pub kilograms: Option<u32>,
    /// When the lane saw it, where it tells so later.
    pub observed_at: Option<DateTime<Utc>>,
}

impl Journey<'_> {
    fn gate_staff(&self, place: Place) -> &Session {
        match place {
            Place::Port => &self.parties.terminal,
            Place::Centre => &self.parties.centre_gate,
        }
    }

    /// The truck stands at a lane on its way in, and weighs so much; `wanted` is what must be decided.
    ///
    /// # Errors
    /// Gate decides otherwise.
    pub async fn check_in(
        &mut self,
        place: Place,
        weight: u32,
        wanted: gate::TruckVisitState,
    ) -> Result<gate::TruckVisit, Mishap> {
        let staff = self.gate_staff(place);
        let request = gate::CheckInRequest {
            request_id: staff.request_id(),
            site_id: place.site().to_owned(),
            lane: "IN-1".to_owned(),
            vehicle: Some(vehicle(&self.names.plate, None, "")),
            container_numbers: vec![self.names.container.to_string()],
            carrier_party: self.parties.haulier.party().to_owned(),
            pre_arrival: self.ids.pre_arrival.clone(),
            weight: Some(kilograms(&weight.to_string())),
            observed_at: None,
            barrier_number: 0,
        };
        let answer = staff.gate()?.check_in(request).await?.into_inner();
        let visit = answer.truck_visit.unwrap_or_default();
        self.ids.truck_visits.push(visit.truck_visit_id.clone());
        self.notices.follow_also(&visit.truck_visit_id);
        self.outcome(format!(
            "truck {} at lane {} of {}, {weight} kg: {}",
            self.names.plate,
            visit.lane,
            place.site(),
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

    /// The truck stands at a lane on its way out; `wanted` is what must be decided.
    ///
    /// # Errors
    /// Gate decides otherwise.
    pub async fn check_out(
        &self,
        way_out: WayOut,
        wanted: gate::CheckOutOutcome,
    ) -> Result<gate::TruckVisit, Mishap> {
        let staff = self.gate_staff(way_out.place);
        let container = self.names.container.to_string();
        let request = gate::CheckOutRequest {
            request_id: staff.request_id(),
            site_id: way_out.place.site().to_owned(),
            lane: "OUT-1".to_owned(),
            truck_visit_id: self.ids.truck_visit().to_owned(),
            vehicle: Some(vehicle(&self.names.plate, None, "")),
            container_numbers: Some(container)
                .filter(|_| way_out.with_container)
                .into_iter()
                .collect(),
            weight: way_out
                .kilograms
                .map(|weight| kilograms(&weight.to_string())),
            observed_at: way_out.observed_at.map(chassis::convert::timestamp),
            without_goods: false,
        };
        let answer = staff.gate()?.check_out(request).await?.into_inner();
        let outcome = state_name(answer.outcome().as_str_name(), "CHECK_OUT_OUTCOME_");
        let decided = answer.outcome();
        let visit = answer.truck_visit.unwrap_or_default();
        self.outcome(format!(
            "{outcome} of {}: truck visit {}",
            way_out.place.site(),
            truck_state(&visit)
        ));
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

    /// As [`Journey::check_out`] from the port, with the laden container.
    ///
    /// # Errors
    /// Gate decides otherwise.
    pub async fn take_away(
        &self,
        wanted: gate::CheckOutOutcome,
    ) -> Result<gate::TruckVisit, Mishap> {
        let way_out = WayOut {
            place: Place::Port,
            with_container: true,
            kilograms: Some(TRUCK_KILOGRAMS + self.laden_kilograms()),
            observed_at: None,
        };
        self.check_out(way_out, wanted).await
    }

    /// The officer orders an inspection of the truck that is in: it is recalled.
    ///
    /// # Errors
    /// Gate refuses, or does not recall it.
    pub async fn order_inspection(&self, reason: &str) -> Result<gate::TruckVisit, Mishap> {
        let officer = &self.parties.officer;
        let request = gate::OrderInspectionRequest {
            request_id: officer.request_id(),
            truck_visit_id: self.ids.truck_visit().to_owned(),
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

fn truck_told(visit: &gate::TruckVisit) -> String {
    format!("{}: {}", truck_state(visit), codes(&visit.conditions))
}
