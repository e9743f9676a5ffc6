//! The truck visit: one truck's stay, from its first recognition at a lane to gate-out. It must not know
//! why a barrier opens: `admission` finds the conditions, this file says what they do.
//!
//! ```text
//! ARRIVED -> GATED_IN | MANUAL_REVIEW | TURNED_AWAY
//! MANUAL_REVIEW -> GATED_IN | TURNED_AWAY      GATED_IN <-> RECALLED
//! GATED_IN -> GATED_OUT -> CLOSED
//! ARRIVED -> GATED_IN_FIRST -> GATED_IN        where two barriers stand on the way in
//! GATED_IN -> CLOSED                           a correction, or inferred
//! ```

use chrono::{DateTime, Utc};
use kernel::{ContainerNumber, Quantity, Refusal};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::condition::{self, Condition, Gravity, code, unmet};
use super::pre_arrival::{FiledContainer, PreArrivalKind, Vehicle};

/// The most inspections of one truck visit.
pub const INSPECTIONS_MAX: usize = 20;
/// The most inspection sites of one inspection.
pub const INSPECTION_STEPS_MAX: usize = 10;
/// The most decisions that are kept of one truck visit.
const ADMISSIONS_MAX: usize = 50;

/// Where a truck visit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TruckVisitState {
    /// A person must decide.
    ManualReview,
    /// Sent away; the visit is over.
    TurnedAway,
    /// Through the first of two barriers.
    GatedInFirst,
    /// Let in.
    GatedIn,
    /// Let in, and must not leave.
    Recalled,
    /// Let out.
    GatedOut,
    /// Over.
    Closed,
}

impl TruckVisitState {
    /// The word in tables and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ManualReview => "MANUAL_REVIEW",
            Self::TurnedAway => "TURNED_AWAY",
            Self::GatedInFirst => "GATED_IN_FIRST",
            Self::GatedIn => "GATED_IN",
            Self::Recalled => "RECALLED",
            Self::GatedOut => "GATED_OUT",
            Self::Closed => "CLOSED",
        }
    }
}

/// What can happen to a truck visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TruckVisitFact {
    /// Recognised at a lane.
    Arrived,
    /// Through the first of two barriers.
    GatedInFirst,
    /// Let in.
    GatedIn,
    /// Weighed.
    Weighed,
    /// An inspection site is done.
    Inspected,
    /// Must not leave.
    Recalled,
    /// The recall is over.
    RecallEnded,
    /// A person must decide.
    ManualReview,
    /// Sent away.
    TurnedAway,
    /// Let out.
    GatedOut,
    /// Over.
    Closed,
    /// Asked to leave and refused.
    GateOutRefused,
    /// The check-in was a mistake and is taken back.
    CheckInCorrected,
}

/// How it is known that a visit is over (gate rule 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Completion {
    /// A lane or a person saw it.
    Observed,
    /// Nobody did, and the time-out is over.
    Inferred,
}

impl Completion {
    /// The word in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observed => "OBSERVED",
            Self::Inferred => "INFERRED",
        }
    }
}

/// One of a site's two barriers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Barrier {
    /// On the way in.
    In,
    /// On the way out.
    Out,
}

/// A truck's stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruckVisit {
    /// Its id.
    pub truck_visit_id: Uuid,
    /// Grows by one with every fact.
    pub version: u64,
    /// Where it is.
    pub state: TruckVisitState,
    /// Why it was sent away, recalled, put to review or not let out.
    pub conditions: Vec<Condition>,
    /// The site.
    pub site_id: String,
    /// The lane of the check-in.
    pub lane: String,
    /// The truck as recognised.
    pub vehicle: Vehicle,
    /// The filing it goes by.
    pub pre_arrival_id: Option<Uuid>,
    /// What that filing is for.
    pub kind: Option<PreArrivalKind>,
    /// The firm that filed.
    pub haulier_party: Option<String>,
    /// The firm that presented itself.
    pub carrier_party: Option<String>,
    /// The containers it brings or came for, with their visits.
    pub containers: Vec<FiledContainer>,
    /// Weight on the way in, in kilograms; none where there is no reading.
    pub weight_in: Option<Quantity>,
    /// Weight on the way out.
    pub weight_out: Option<Quantity>,
    /// Its inspections.
    pub inspections: Vec<Inspection>,
    /// A departure that waits for a person.
    pub departure_pending: Option<Departure>,
    /// When it was first recognised.
    pub arrived_at: DateTime<Utc>,
    /// When it was let in.
    pub gated_in_at: Option<DateTime<Utc>>,
    /// When it was let out.
    pub gated_out_at: Option<DateTime<Utc>>,
    /// The decisions, with what they stood on.
    pub admissions: Vec<Admission>,
    /// It asks at the first of two barriers.
    #[serde(default)]
    pub at_first_barrier: bool,
    /// When it was let through the first of two barriers.
    #[serde(default)]
    pub first_barrier_at: Option<DateTime<Utc>>,
    /// How it is known that the visit is over; none while it is not.
    #[serde(default)]
    pub completion: Option<Completion>,
    /// The stock list of which it carries a part.
    #[serde(default)]
    pub list_number: Option<String>,
    /// It brings goods from the first site of a transfer to the second.
    #[serde(default)]
    pub second_leg: bool,
}

/// A departure that was refused or is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// The containers on the truck.
    pub containers: Vec<ContainerNumber>,
    /// Its plates as read.
    #[serde(default)]
    pub plates: PlatesRead,
    /// Bonded goods are on it.
    #[serde(default)]
    pub bonded_goods: bool,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// A person may let it out.
    pub may_be_decided: bool,
}

impl Departure {
    /// A truck with nothing on it asks to leave.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self {
            containers: Vec::new(),
            plates: PlatesRead::default(),
            bonded_goods: false,
            asked_at: now,
            may_be_decided: false,
        }
    }
}

/// The plates of a truck as a lane read them, normalised; none where it read none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatesRead {
    /// The tractor's.
    pub tractor: Option<String>,
    /// The trailer's.
    pub trailer: Option<String>,
}

impl PlatesRead {
    /// Those that were read.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let plates = [&self.tractor, &self.trailer];
        plates.into_iter().filter_map(Option::as_deref)
    }
}

/// An inspection of a truck at one or more sites, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// Its id.
    pub inspection_id: Uuid,
    /// Why.
    pub reason: String,
    /// Who ordered it, and ends it.
    pub ordered_by_party: String,
    /// The person.
    pub ordered_by_subject: String,
    /// That party is an officer's.
    #[serde(default)]
    pub ordered_by_officer: bool,
    /// When.
    pub ordered_at: DateTime<Utc>,
    /// The inspection sites, in order.
    pub steps: Vec<InspectionStep>,
    /// When it was over.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it was ended.
    pub end_reason: String,
    /// The truck was let in to go to it: it keeps the truck in, and recalls nobody.
    #[serde(default)]
    pub admitted_with: bool,
    /// When customs, having asked for it, asked no longer: should it ask anew, a new one is ordered.
    pub asked_until: Option<DateTime<Utc>>,
}

/// One inspection site of an inspection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InspectionStep {
    /// The inspection site.
    pub inspection_site: String,
    /// Its result; none while it is open.
    pub result: Option<InspectionResult>,
    /// When it was recorded.
    pub recorded_at: Option<DateTime<Utc>>,
    /// What was found.
    pub note: String,
}

/// The result of an inspection site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InspectionResult {
    /// Nothing stands against it.
    Passed,
    /// Something does.
    Failed,
}

/// A decision at a barrier, with the evidence it stood on (gate rule 13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// Which barrier.
    pub barrier: Barrier,
    /// When.
    pub decided_at: DateTime<Utc>,
    /// The person or lane that decided.
    pub decided_by_subject: String,
    /// A person's reason; empty where the lane decided.
    pub reason: String,
    /// What a person set aside.
    pub conditions_overridden: Vec<Condition>,
    /// What was known.
    pub evidence: Vec<Evidence>,
    /// A contra entry: it takes the last decision at this barrier back.
    #[serde(default)]
    pub contra: bool,
}

/// One thing that was known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What about.
    pub subject: String,
    /// What was known.
    pub value: String,
    /// The event that told it; empty for gate's own facts.
    pub event_id: String,
    /// The fact's version.
    pub version: u64,
    /// How old the knowledge was, in milliseconds; none where it is gate's own or unknown.
    pub knowledge_age_millis: Option<u64>,
}

/// What a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let in.
    LetIn,
    /// Send away.
    TurnAway,
    /// Let out.
    LetOut,
    /// Keep in.
    KeepIn,
}

impl Inspection {
    /// The first inspection site that has not passed the truck.
    pub fn next_step(&self) -> Option<&InspectionStep> {
        self.steps
            .iter()
            .find(|step| step.result != Some(InspectionResult::Passed))
    }

    /// Whether it is not over.
    pub fn is_open(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Who ends it, as everyone may read it: a terminal by name, an authority by its role.
    pub fn ended_by(&self) -> &str {
        if self.ordered_by_officer {
            "officer"
        } else {
            &self.ordered_by_party
        }
    }
}

impl TruckVisit {
    /// Whether the truck is here, or waits at the lane.
    pub fn is_open(&self) -> bool {
        matches!(
            self.state,
            TruckVisitState::ManualReview
                | TruckVisitState::GatedInFirst
                | TruckVisitState::GatedIn
                | TruckVisitState::Recalled
        )
    }

    /// Whether the truck is inside.
    pub fn is_inside(&self) -> bool {
        matches!(
            self.state,
            TruckVisitState::GatedIn | TruckVisitState::Recalled
        )
    }

    /// Whether it came to take a container or goods away from here.
    pub fn picks_up(&self) -> bool {
        self.kind.is_some_and(PreArrivalKind::picks_up) && !self.second_leg
    }

    /// Whether it may bring a container, whose stay begins when it is let in: goods out of bond are taken in one
    /// that stands here, or in one that the truck brings.
    pub fn brings(&self) -> bool {
        let kind = self.kind;
        kind.is_some_and(PreArrivalKind::brings)
            || kind == Some(PreArrivalKind::BondExit)
            || self.second_leg
    }

    /// The firm that filed and the one that presented itself.
    pub fn firms(&self) -> impl Iterator<Item = &str> {
        let firms = [&self.haulier_party, &self.carrier_party];
        firms.into_iter().filter_map(Option::as_deref)
    }

    /// Where it has to go first.
    pub fn next_inspection_site(&self) -> Option<&str> {
        self.inspections
            .iter()
            .filter(|inspection| inspection.is_open())
            .find_map(|inspection| inspection.next_step())
            .map(|step| step.inspection_site.as_str())
    }

    /// Checks the version that a person saw; 0 is not checked.
    ///
    /// # Errors
    /// `STALE_VERSION`.
    pub fn must_be_at(&self, expected_version: u64) -> Result<(), Refusal> {
        if expected_version == 0 || expected_version == self.version {
            Ok(())
        } else {
            Err(Refusal::stale(self.version))
        }
    }

    /// What the conditions at the way in make of it. The caller adds the admission where it is let in.
    pub fn decided_at_entry(
        &mut self,
        conditions: Vec<Condition>,
        now: DateTime<Utc>,
    ) -> TruckVisitFact {
        let fact = match condition::gravest(&conditions) {
            None if self.at_first_barrier => {
                self.state = TruckVisitState::GatedInFirst;
                self.first_barrier_at = Some(now);
                TruckVisitFact::GatedInFirst
            }
            None => {
                self.state = TruckVisitState::GatedIn;
                self.gated_in_at = Some(now);
                TruckVisitFact::GatedIn
            }
            Some(Gravity::NeedsPerson) => {
                self.state = TruckVisitState::ManualReview;
                TruckVisitFact::ManualReview
            }
            Some(_) => {
                self.completion = Some(Completion::Observed);
                self.state = TruckVisitState::TurnedAway;
                TruckVisitFact::TurnedAway
            }
        };
        self.conditions = conditions;
        self.version += 1;
        fact
    }

    /// A check-in that was a mistake is taken back by a contra entry (gate rule 16): the visit is over.
    ///
    /// # Errors
    /// `CHECK_IN_FINAL`: it was not let in, or is no longer here.
    pub fn check_in_corrected(&mut self, contra: Admission) -> Result<TruckVisitFact, Refusal> {
        let let_in = self.is_inside() || self.state == TruckVisitState::GatedInFirst;
        if !let_in {
            return Err(check_in_final(format!(
                "The truck visit is {}: only a truck that was let in and is still here has a check-in to take back.",
                self.state.as_str()
            )));
        }
        if self.second_leg && self.is_inside() {
            return Err(check_in_final(
                "The goods of its stock list have passed with it: they are counted where they are."
                    .to_owned(),
            ));
        }
        self.admitted(contra);
        self.closed(Completion::Observed);
        self.conditions.clear();
        self.departure_pending = None;
        Ok(TruckVisitFact::CheckInCorrected)
    }

    /// It was let in so long ago that it must have left, and nobody saw it leave (gate rule 15). One that must
    /// not leave is not taken for gone.
    pub fn inferred_gone(&mut self, let_in_before: DateTime<Utc>) -> Option<TruckVisitFact> {
        let long_ago = self.gated_in_at.is_some_and(|at| at <= let_in_before);
        if self.state != TruckVisitState::GatedIn || !long_ago {
            return None;
        }
        self.closed(Completion::Inferred);
        self.departure_pending = None;
        Some(TruckVisitFact::Closed)
    }

    /// What stands against leaving, found anew while the truck is inside: recalled, free again, or nothing new.
    pub fn reconsidered_inside(&mut self, conditions: Vec<Condition>) -> Option<TruckVisitFact> {
        let (state, fact) = match self.state {
            TruckVisitState::GatedIn if !conditions.is_empty() => {
                (TruckVisitState::Recalled, TruckVisitFact::Recalled)
            }
            TruckVisitState::Recalled if conditions.is_empty() => {
                (TruckVisitState::GatedIn, TruckVisitFact::RecallEnded)
            }
            TruckVisitState::Recalled if !condition::same(&conditions, &self.conditions) => {
                (TruckVisitState::Recalled, TruckVisitFact::Recalled)
            }
            _ => return None,
        };
        self.state = state;
        self.conditions = conditions;
        self.departure_pending = None;
        self.version += 1;
        Some(fact)
    }

    /// The way out stays closed for these reasons.
    pub fn kept_in(&mut self, asked: Departure, conditions: Vec<Condition>) -> TruckVisitFact {
        let may_be_decided = condition::gravest(&conditions) < Some(Gravity::Binding);
        self.departure_pending = Some(Departure {
            may_be_decided,
            ..asked
        });
        self.conditions = conditions;
        self.version += 1;
        TruckVisitFact::GateOutRefused
    }

    /// It leaves the lane, or the site, empty and without having been let in: the visit is over.
    pub fn left_undecided(&mut self) -> TruckVisitFact {
        self.state = TruckVisitState::TurnedAway;
        self.completion = Some(Completion::Observed);
        self.version += 1;
        TruckVisitFact::TurnedAway
    }

    /// The firm that carries for the haulier: not one that merely says so.
    pub fn nominated_carrier(&self) -> Option<&str> {
        let refused = |condition: &Condition| condition.code == code::CARRIER_NOT_NOMINATED;
        let carrier = self.carrier_party.as_deref();
        carrier.filter(|_| !self.conditions.iter().any(refused))
    }

    /// The inspections that stand when the truck is let in are those it is routed to.
    pub fn routed_to_inspections(&mut self) {
        for inspection in &mut self.inspections {
            inspection.admitted_with |= inspection.is_open();
        }
    }

    /// It has left: out, and its visit over, both observed.
    pub fn left(&mut self, now: DateTime<Utc>) {
        self.state = TruckVisitState::GatedOut;
        self.gated_out_at = Some(now);
        self.conditions.clear();
        self.departure_pending = None;
        self.version += 1;
    }

    /// Nothing is left to do about it.
    pub fn closed(&mut self, completion: Completion) {
        self.state = TruckVisitState::Closed;
        self.completion = Some(completion);
        self.version += 1;
    }

    /// Records a decision; the oldest give way beyond a limit that no honest visit reaches.
    pub fn admitted(&mut self, admission: Admission) {
        if self.admissions.len() >= ADMISSIONS_MAX {
            self.admissions.remove(0);
        }
        self.admissions.push(admission);
    }

    /// A reading of the weighbridge, or that there was none.
    pub fn weighed(&mut self, barrier: Barrier, weight: Option<Quantity>) -> TruckVisitFact {
        match barrier {
            Barrier::In => self.weight_in = weight,
            Barrier::Out => self.weight_out = weight,
        }
        self.version += 1;
        TruckVisitFact::Weighed
    }

    /// Orders an inspection.
    ///
    /// # Errors
    /// The truck is not here, or has too many inspections.
    pub fn inspection_ordered(&mut self, inspection: Inspection) -> Result<(), Refusal> {
        if !self.is_open() {
            return Err(over(self));
        }
        if self.inspections.len() >= INSPECTIONS_MAX {
            return Err(Refusal::exhausted(
                "INSPECTIONS_EXHAUSTED",
                "This truck has too many inspections; end one first.",
            ));
        }
        self.inspections.push(inspection);
        Ok(())
    }

    /// Records an inspection site's result. The inspection is over when all sites have passed and the last
    /// result comes from who ordered it (gate rules 2 and 3).
    ///
    /// # Errors
    /// No such inspection or site, it is over, or an earlier site is open.
    pub fn inspected(
        &mut self,
        inspection_id: Uuid,
        site: &str,
        result: InspectionResult,
        note: &str,
        by_party: &str,
        now: DateTime<Utc>,
    ) -> Result<TruckVisitFact, Refusal> {
        if !self.is_open() {
            return Err(over(self));
        }
        let inspection = open_inspection(&mut self.inspections, inspection_id)?;
        let Some(at) = inspection
            .steps
            .iter()
            .position(|step| step.inspection_site == site)
        else {
            return Err(Refusal::not_found("inspection site", site));
        };
        if let Some(earlier) = inspection.steps[..at]
            .iter()
            .find(|step| step.result != Some(InspectionResult::Passed))
        {
            return Err(Refusal::unmet(
                "INSPECTION_OUT_OF_ORDER",
                format!(
                    "{} comes first; record its passing before {site}.",
                    earlier.inspection_site
                ),
                Vec::new(),
            ));
        }
        let step = &mut inspection.steps[at];
        step.result = Some(result);
        step.recorded_at = Some(now);
        note.clone_into(&mut step.note);
        let all_passed = inspection
            .steps
            .iter()
            .all(|step| step.result == Some(InspectionResult::Passed));
        if all_passed && inspection.ordered_by_party == by_party {
            inspection.ended_at = Some(now);
            "all inspection sites passed".clone_into(&mut inspection.end_reason);
        }
        self.version += 1;
        Ok(TruckVisitFact::Inspected)
    }

    /// Whoever ordered an inspection ends it.
    ///
    /// # Errors
    /// No such inspection, it is over, or somebody else ordered it.
    pub fn inspection_ended(
        &mut self,
        inspection_id: Uuid,
        party: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<TruckVisitFact, Refusal> {
        let inspection = open_inspection(&mut self.inspections, inspection_id)?;
        if inspection.ordered_by_party != party {
            return Err(Refusal::denied(
                "INSPECTION_NOT_YOURS",
                format!(
                    "{} ordered this inspection and ends it.",
                    inspection.ordered_by_party
                ),
            ));
        }
        inspection.ended_at = Some(now);
        reason.clone_into(&mut inspection.end_reason);
        self.version += 1;
        Ok(TruckVisitFact::Inspected)
    }

    /// A person's decision must fit where the visit is, and sets nothing aside that binds.
    ///
    /// # Errors
    /// Nothing is to be decided that way, or something binds.
    pub fn may_be_decided(
        &self,
        verdict: Verdict,
        conditions: &[Condition],
    ) -> Result<(), Refusal> {
        let fits = match verdict {
            Verdict::LetIn | Verdict::TurnAway => self.state == TruckVisitState::ManualReview,
            Verdict::LetOut | Verdict::KeepIn => {
                self.is_inside() && self.departure_pending.is_some()
            }
        };
        if !fits {
            return Err(Refusal::unmet(
                "NOTHING_TO_DECIDE",
                format!(
                    "The truck visit is {}; nothing waits for this decision.",
                    self.state.as_str()
                ),
                Vec::new(),
            ));
        }
        let opens = matches!(verdict, Verdict::LetIn | Verdict::LetOut);
        let binding: Vec<Condition> = conditions
            .iter()
            .filter(|c| c.gravity == Gravity::Binding)
            .cloned()
            .collect();
        if opens && !binding.is_empty() {
            return Err(Refusal::unmet(
                "HELD",
                "A hold or an inspection stands in the way; whoever ordered it ends it.",
                unmet(&binding),
            ));
        }
        Ok(())
    }
}

/// A check-in that cannot be taken back.
pub fn check_in_final(message: String) -> Refusal {
    Refusal::unmet("CHECK_IN_FINAL", message, Vec::new())
}

fn open_inspection(inspections: &mut [Inspection], id: Uuid) -> Result<&mut Inspection, Refusal> {
    let Some(inspection) = inspections
        .iter_mut()
        .find(|inspection| inspection.inspection_id == id)
    else {
        return Err(Refusal::not_found("inspection", id.to_string()));
    };
    if inspection.is_open() {
        Ok(inspection)
    } else {
        Err(Refusal::unmet(
            "INSPECTION_OVER",
            "The inspection is over; order a new one.",
            Vec::new(),
        ))
    }
}

fn over(visit: &TruckVisit) -> Refusal {
    Refusal::unmet(
        "TRUCK_VISIT_OVER",
        format!("The truck visit is {}.", visit.state.as_str()),
        Vec::new(),
    )
}

#[cfg(test)]
mod tests {
    use kernel::Plate;

    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn truck(state: TruckVisitState) -> TruckVisit {
        TruckVisit {
            truck_visit_id: Uuid::from_u128(1),
            version: 1,
            state,
            conditions: Vec::new(),
            site_id: "PORT".into(),
            lane: "IN-1".into(),
            vehicle: Vehicle {
                tractor: Plate::parse_of("CN", "渝A12345").unwrap(),
                trailer: None,
            },
            pre_arrival_id: None,
            kind: Some(PreArrivalKind::FullOut),
            haulier_party: Some("haulier-a".into()),
            carrier_party: None,
            containers: Vec::new(),
            weight_in: None,
            weight_out: None,
            inspections: Vec::new(),
            departure_pending: None,
            arrived_at: NOW,
            gated_in_at: None,
            gated_out_at: None,
            admissions: Vec::new(),
            at_first_barrier: false,
            first_barrier_at: None,
            completion: None,
            list_number: None,
            second_leg: false,
        }
    }

    fn condition(gravity: Gravity) -> Condition {
        Condition::new(gravity, "CODE", "subject", "who", "why")
    }

    #[test]
    fn the_gravest_condition_decides_at_the_way_in() {
        let person = condition(Gravity::NeedsPerson);
        for (conditions, state) in [
            (vec![], TruckVisitState::GatedIn),
            (vec![person.clone()], TruckVisitState::ManualReview),
            (
                vec![person.clone(), condition(Gravity::Refuses)],
                TruckVisitState::TurnedAway,
            ),
            (
                vec![condition(Gravity::Binding), person],
                TruckVisitState::TurnedAway,
            ),
        ] {
            let mut truck = truck(TruckVisitState::ManualReview);
            truck.decided_at_entry(conditions, NOW);
            assert_eq!((truck.state, truck.version), (state, 2));
            assert_eq!(
                truck.gated_in_at.is_some(),
                state == TruckVisitState::GatedIn
            );
        }
    }

    #[test]
    fn a_truck_is_recalled_and_free_again_and_only_news_is_told() {
        let mut truck = truck(TruckVisitState::GatedIn);
        let held = vec![condition(Gravity::Binding)];
        assert_eq!(truck.reconsidered_inside(Vec::new()), None);
        assert_eq!(
            truck.reconsidered_inside(held.clone()),
            Some(TruckVisitFact::Recalled)
        );
        assert_eq!(truck.reconsidered_inside(held), None);
        assert_eq!(
            truck.reconsidered_inside(Vec::new()),
            Some(TruckVisitFact::RecallEnded)
        );
        assert_eq!((truck.state, truck.version), (TruckVisitState::GatedIn, 3));
    }

    #[test]
    fn what_is_not_inside_is_neither_recalled_nor_freed() {
        for state in [
            TruckVisitState::ManualReview,
            TruckVisitState::TurnedAway,
            TruckVisitState::GatedOut,
            TruckVisitState::Closed,
        ] {
            let mut truck = truck(state);
            let held = vec![condition(Gravity::Binding)];
            assert_eq!(truck.reconsidered_inside(held), None);
            assert_eq!((truck.state, truck.version), (state, 1));
        }
    }

    #[test]
    fn rule_11_a_person_decides_only_what_waits_and_sets_nothing_aside_that_binds() {
        let waiting = truck(TruckVisitState::ManualReview);
        let refuses = [condition(Gravity::Refuses)];
        let binds = [condition(Gravity::Binding)];
        let nothing_waits = |truck: &TruckVisit, verdict| {
            truck.may_be_decided(verdict, &[]).unwrap_err().reason == "NOTHING_TO_DECIDE"
        };
        assert!(nothing_waits(&waiting, Verdict::LetOut));
        assert_eq!(
            waiting
                .may_be_decided(Verdict::LetIn, &binds)
                .unwrap_err()
                .reason,
            "HELD"
        );
        waiting.may_be_decided(Verdict::TurnAway, &binds).unwrap();

        let mut inside = truck(TruckVisitState::GatedIn);
        assert!(nothing_waits(&inside, Verdict::LetIn));
        assert!(nothing_waits(&inside, Verdict::LetOut));
        inside.kept_in(Departure::at(NOW), refuses.to_vec());
        assert!(inside.departure_pending.as_ref().unwrap().may_be_decided);
        inside.may_be_decided(Verdict::LetOut, &refuses).unwrap();
        inside.kept_in(Departure::at(NOW), binds.to_vec());
        assert!(!inside.departure_pending.as_ref().unwrap().may_be_decided);
        assert_eq!(
            inside
                .may_be_decided(Verdict::LetOut, &binds)
                .unwrap_err()
                .reason,
            "HELD"
        );
    }

    #[test]
    fn rule_13_the_oldest_decisions_give_way_beyond_the_limit() {
        let mut truck = truck(TruckVisitState::GatedIn);
        for number in 0..=ADMISSIONS_MAX {
            truck.admitted(Admission {
                barrier: Barrier::In,
                decided_at: NOW,
                decided_by_subject: number.to_string(),
                reason: String::new(),
                conditions_overridden: Vec::new(),
                evidence: Vec::new(),
                contra: false,
            });
        }
        assert_eq!(truck.admissions.len(), ADMISSIONS_MAX);
        assert_eq!(truck.admissions[0].decided_by_subject, "1");
    }
}
