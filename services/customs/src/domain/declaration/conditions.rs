//! What is missing for the release of a declaration's goods, since when, and who must act (rule 1); and the
//! positions that others are told of its goods by that. It must not change anything, nor know who asks.

use chrono::{DateTime, Utc};
use kernel::Unmet;

use super::control::control_text;
use super::{ControlResult, Declaration, FactKind};
use crate::domain::clearance::Position;
use crate::domain::debt::DebtState;
use crate::domain::hold::{Hold, HoldKind, Scope, ScopeKind};
use crate::domain::matching::{Consignment, Matching, Obstacle};
use crate::domain::risk::ControlKind;

/// Of what is no container number so many characters are told: more than one has.
const CONTAINER_CHARS_TOLD: usize = 17;

impl Declaration {
    /// Everything that is missing for its release; empty once all goods are released.
    pub fn conditions(&self, holds: &dyn Fn(&Scope) -> Vec<Hold>) -> Vec<Unmet> {
        if self.is_void() {
            return Vec::new();
        }
        let unreleased: Vec<&Consignment> = self
            .consignments
            .iter()
            .filter(|consignment| {
                consignment.released_at.is_none() && self.is_within_reach(consignment)
            })
            .collect();
        if self.facts.when(FactKind::Released).is_some() && unreleased.is_empty() {
            return self.stops();
        }
        let mut missing = self.shared_conditions(holds);
        for consignment in unreleased {
            missing.extend(self.own_conditions(consignment, holds));
        }
        missing
    }

    /// What all goods of it wait for (rule 1).
    pub(super) fn shared_conditions(&self, holds: &dyn Fn(&Scope) -> Vec<Hold>) -> Vec<Unmet> {
        let mut missing = self.stops();
        missing.extend(self.debt_and_control_conditions());
        let scope = Scope::new(ScopeKind::Declaration, self.id.to_string());
        missing.extend(hold_conditions(&scope, holds));
        missing.extend(self.party_conditions(holds));
        // Holds that the risk rules have just placed stand from this instant on.
        missing.extend(self.news.hold_orders.iter().map(|order| Unmet {
            condition: "CUSTOMS_HOLD".to_owned(),
            subject: scope.topic_key(),
            who: "officer".to_owned(),
            since: self.accepted_at(),
            evidence: format!("rule {}", order.rule),
            description: order.reason.clone(),
        }));
        missing
    }

    /// The holds on its parties.
    fn party_conditions(&self, holds: &dyn Fn(&Scope) -> Vec<Hold>) -> Vec<Unmet> {
        self.party_scopes()
            .iter()
            .flat_map(|scope| hold_conditions(scope, holds))
            .collect()
    }

    /// What stops its goods, released or not, until an officer or gate says otherwise.
    fn stops(&self) -> Vec<Unmet> {
        let detained = self.detention.iter().map(|act| {
            let text = format!("Customs detains the goods: {}.", act.reason);
            self.unmet("GOODS_DETAINED", "officer", Some(act.at), text)
        });
        let asked = self.invalidation.iter().map(|asked| {
            let text = format!(
                "The declaration is to be void, and gate has not answered for all of it: {}.",
                asked.act.reason
            );
            self.unmet("INVALIDATION_ASKED", "terminal", Some(asked.act.at), text)
        });
        detained.chain(asked).collect()
    }

    fn debt_and_control_conditions(&self) -> Vec<Unmet> {
        let Some(accepted_at) = self.accepted_at() else {
            return vec![self.unmet(
                "GOODS_NOT_ARRIVED",
                self.who_reports_arrival(),
                self.facts.when(FactKind::Registered),
                "The goods have not arrived; the declaration is accepted when they do.".into(),
            )];
        };
        let mut missing = Vec::new();
        for control in self
            .controls
            .iter()
            .filter(|control| control.blocking && control.done.is_none())
        {
            let what = control_text(control.kind);
            missing.push(self.unmet(
                control_condition(control.kind),
                "officer",
                Some(control.opened_at),
                format!("A {what} is open: {}.", control.reason),
            ));
        }
        if self.officer_release.is_none()
            && let Some(found) = self
                .controls
                .iter()
                .filter_map(|control| control.done.as_ref())
                .find(|done| done.result == ControlResult::NotConform)
        {
            missing.push(
                self.unmet(
                    "OFFICER_DECISION",
                    "officer",
                    Some(found.act.at),
                    "A control found goods or documents not as declared; an officer must decide."
                        .into(),
                ),
            );
        }
        let payer = self
            .payer
            .as_deref()
            .or(self.trader.as_deref())
            .unwrap_or(&self.filer);
        match self.debt.state() {
            DebtState::Assessed if self.duty_is_manual() => {
                missing.push(self.unmet(
                    "DUTY_MANUAL_ASSESSMENT",
                    "officer",
                    Some(accepted_at),
                    "Tariff and rates cannot say what every item owes; an officer assesses the duty."
                        .into(),
                ));
            }
            DebtState::Assessed => {
                missing.push(self.unmet(
                    "DUTY_NOT_SECURED",
                    payer,
                    Some(accepted_at),
                    format!(
                        "{} is payable and not secured: no deferment account bears it; pay it.",
                        self.outstanding_text()
                    ),
                ));
            }
            DebtState::Short if self.debt.uncovered().is_some() => {
                missing.push(self.unmet(
                    "GUARANTEE_SHORT",
                    payer,
                    self.debt.short_since,
                    format!(
                        "The trader's guarantee covers too little for {}; have it raised, or clear goods out of bond.",
                        self.debt.uncovered().map(ToString::to_string).unwrap_or_default()
                    ),
                ));
            }
            DebtState::Short => {
                missing.push(self.unmet(
                    "DUTY_SHORT",
                    payer,
                    self.debt.short_since,
                    format!(
                        "The deferment account holds too little for {}; pay in, or pay this debt.",
                        self.outstanding_text()
                    ),
                ));
            }
            _ => {}
        }
        missing
    }

    /// Something that all goods of it wait for.
    fn unmet(
        &self,
        condition: &str,
        who: &str,
        since: Option<DateTime<Utc>>,
        description: String,
    ) -> Unmet {
        Unmet {
            condition: condition.to_owned(),
            subject: format!("declaration/{}", self.id),
            who: who.to_owned(),
            since,
            evidence: String::new(),
            description,
        }
    }

    fn who_reports_arrival(&self) -> &str {
        self.site
            .as_ref()
            .map_or("terminal", |site| site.terminal_party.as_str())
    }

    /// What one consignment waits for besides.
    pub(super) fn own_conditions(
        &self,
        consignment: &Consignment,
        holds: &dyn Fn(&Scope) -> Vec<Hold>,
    ) -> Vec<Unmet> {
        let mut missing = self.match_conditions(consignment);
        if let Some(visit) = &consignment.visit_id {
            let scope = Scope::new(ScopeKind::ContainerVisit, visit);
            missing.extend(hold_conditions(&scope, holds));
        }
        missing
    }

    fn match_conditions(&self, consignment: &Consignment) -> Vec<Unmet> {
        let subject = consignment.subject();
        let unmet = |condition: &str, who: &str, description: String| Unmet {
            condition: condition.to_owned(),
            subject: subject.clone(),
            who: who.to_owned(),
            since: self.facts.when(FactKind::Filed),
            evidence: String::new(),
            description,
        };
        match &consignment.matching {
            Matching::Unbound(obstacle) => vec![unmet(
                "GOODS_UNBOUND",
                &self.filer,
                self.obstacle_text(*obstacle),
            )],
            // No officer decides which list is meant.
            Matching::Mismatch(obstacle) if consignment.list.is_some() => vec![unmet(
                "GOODS_MISMATCH",
                &self.filer,
                self.obstacle_text(*obstacle),
            )],
            Matching::Mismatch(obstacle) => vec![unmet(
                "GOODS_MISMATCH",
                "officer",
                self.obstacle_text(*obstacle),
            )],
            Matching::Matched | Matching::Overridden
                if consignment.arrived_at.is_none() && self.accepted_at().is_some() =>
            {
                vec![unmet(
                    "GOODS_NOT_ARRIVED",
                    self.who_reports_arrival(),
                    "The container has not arrived; it is released after its own arrival.".into(),
                )]
            }
            _ => Vec::new(),
        }
    }

    /// What stands in the way of goods: its name, what is wrong and who acts, for a person.
    fn obstacle_text(&self, obstacle: Obstacle) -> String {
        let unreadable = (obstacle == Obstacle::NoContainer)
            .then(|| self.unreadable_containers())
            .flatten();
        let text = unreadable.unwrap_or_else(|| obstacle.text().to_owned());
        format!("{}: {text}", obstacle.name())
    }

    /// What is wrong with a document that names containers of which none can be read, and who acts.
    fn unreadable_containers(&self) -> Option<String> {
        let unreadable = self.filing.unusable_containers();
        let (first, others) = unreadable.split_first()?;
        let written: String = first.chars().take(CONTAINER_CHARS_TOLD).collect();
        let others = match others.len() {
            0 => String::new(),
            others => format!(" (and {others} more)"),
        };
        Some(format!(
            "{written}{others} is no container number, so the goods are in no container that we can find; the filer has the declaration invalidated and files it again with the number on the container, or an officer decides the match."
        ))
    }

    /// Its positions under one clearance key, by transport document.
    pub fn positions(
        &self,
        key: &str,
        holds: &dyn Fn(&Scope) -> Vec<Hold>,
    ) -> Vec<(String, Position)> {
        if self.is_void() {
            return Vec::new();
        }
        let held = |scope: &Scope| holds(scope).iter().any(Hold::stands);
        let mut stops = self.stops();
        // Who weighs a visit's or declaration's holds does not know which parties a declaration concerns.
        stops.extend(self.party_conditions(holds));
        let whole_held = held(&Scope::new(ScopeKind::Declaration, self.id.to_string()));
        let physical = self
            .controls
            .iter()
            .any(|control| control.kind == ControlKind::Physical && control.done.is_none());
        self.consignments
            .iter()
            .filter(|consignment| consignment.clearance_key().as_deref() == Some(key))
            .map(|consignment| {
                let visit_id = consignment.visit_id.clone().unwrap_or_default();
                let visit_held = consignment
                    .visit_id
                    .as_ref()
                    .is_some_and(|visit| held(&Scope::new(ScopeKind::ContainerVisit, visit)));
                let released = consignment.released_at.is_some()
                    && !whole_held
                    && !visit_held
                    && stops.is_empty();
                let mut conditions = stops.clone();
                if consignment.released_at.is_none() {
                    conditions.extend(self.debt_and_control_conditions());
                    conditions.extend(self.match_conditions(consignment));
                }
                let unbound = consignment
                    .matching
                    .obstacle()
                    .filter(|_| consignment.visit_id.is_none());
                let position = Position {
                    mrn: self
                        .mrn
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    visit_id,
                    unbound_because: unbound
                        .map(|obstacle| {
                            // Readers put it into a sentence of their own.
                            self.obstacle_text(obstacle)
                                .trim_end_matches('.')
                                .to_owned()
                        })
                        .unwrap_or_default(),
                    released,
                    cleared: released && self.facts.when(FactKind::Cleared).is_some(),
                    inspection: self.accepted_at().map(|_| physical),
                    conditions,
                    filer: self.filer.clone(),
                    trader: self.trader.clone().unwrap_or_default(),
                    declaration_version: self.version,
                    direction: self.direction_told().to_owned(),
                    departed: consignment.departed,
                };
                (
                    consignment
                        .transport_document
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    position,
                )
            })
            .collect()
    }

    /// The direction as the others are told: an import that is not for pick-up opens no import barrier.
    fn direction_told(&self) -> &'static str {
        match self.direction_name() {
            "IMPORT" if !self.filing.is_for_pick_up() => "NONE",
            direction => direction,
        }
    }

    fn outstanding_text(&self) -> String {
        self.debt.outstanding().map_or_else(
            |_| "the debt".to_owned(),
            |outstanding| outstanding.to_string(),
        )
    }
}

fn control_condition(kind: ControlKind) -> &'static str {
    match kind {
        ControlKind::Documents => "DOCUMENTS_CONTROL_OPEN",
        ControlKind::Physical => "PHYSICAL_CONTROL_OPEN",
        ControlKind::Agency => "AGENCY_CONTROL_OPEN",
    }
}

/// The standing holds on a scope.
fn hold_conditions(scope: &Scope, holds: &dyn Fn(&Scope) -> Vec<Hold>) -> Vec<Unmet> {
    holds(scope)
        .iter()
        .filter(|hold| hold.stands())
        .map(hold_condition)
        .collect()
}

fn hold_condition(hold: &Hold) -> Unmet {
    let condition = match hold.kind {
        HoldKind::Customs => "CUSTOMS_HOLD",
        HoldKind::Quarantine => "QUARANTINE_HOLD",
    };
    Unmet {
        condition: condition.to_owned(),
        subject: hold.scope.topic_key(),
        who: hold.placed_by_party.clone(),
        since: Some(hold.placed_at),
        evidence: format!("hold/{}", hold.hold_id),
        description: hold.reason.clone(),
    }
}
