//! The channel of a declaration and its controls: chosen by the risk rules at acceptance; ordered, completed
//! and re-routed by officers (rule 3). It must not know how a risk rule speaks, nor what waits for a control.

use chrono::{DateTime, Utc};
use kernel::Refusal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Declaration, Fact, FactKind, World, act};
use crate::domain::notification::{Code, Detail};
use crate::domain::risk::{Channel, ControlKind, ControlOrder};
use crate::domain::{Act, Actor};

/// The most controls of a declaration.
pub const CONTROLS_MAX: usize = 100;

/// A control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Its id.
    pub id: Uuid,
    /// What is looked at.
    pub kind: ControlKind,
    /// Whether the goods wait for it.
    pub blocking: bool,
    /// The officer who ordered it; none: the risk rules.
    pub ordered_by: Option<Actor>,
    /// Why.
    pub reason: String,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// Its end.
    pub done: Option<ControlDone>,
}

/// The end of a control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlDone {
    /// What was found.
    pub result: ControlResult,
    /// By whom, when, and what was noted.
    pub act: Act,
}

/// What a control found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ControlResult {
    /// As declared.
    Conform,
    /// Not as declared.
    NotConform,
    /// Not asked for any more.
    Withdrawn,
}

impl Declaration {
    pub(super) fn judge(&mut self, world: &mut World<'_>) {
        let outcome =
            world
                .books
                .judge(&self.filing, &self.filer, self.trader.as_deref(), world.now);
        self.channel = Some(outcome.channel);
        let reason = if outcome.rules.is_empty() {
            "no rule spoke".to_owned()
        } else {
            rules_text(&outcome.rules)
        };
        self.risk_rules = outcome.rules;
        self.risk_version = outcome.version;
        self.news.hold_orders = outcome.holds;
        self.record(Fact::Routed, world, reason);
        for control in outcome.controls {
            self.add_control(control.order, None, &rules_text(&control.rules), world);
        }
    }

    fn add_control(
        &mut self,
        order: ControlOrder,
        by: Option<&Actor>,
        reason: &str,
        world: &mut World<'_>,
    ) -> Uuid {
        let id = (world.ids)();
        self.controls.push(Control {
            id,
            kind: order.kind,
            blocking: order.blocking,
            ordered_by: by.cloned(),
            reason: reason.to_owned(),
            opened_at: world.now,
            done: None,
        });
        if self.facts.when(FactKind::Released).is_none() {
            self.facts.learn(FactKind::ControlOrdered, world.now);
        }
        let what = control_text(order.kind);
        self.record(Fact::ControlOpened, world, format!("{what}: {reason}"));
        let code = if order.kind == ControlKind::Documents {
            Code::Documents
        } else {
            Code::Control
        };
        self.notify(
            code,
            world,
            Detail {
                control_id: Some(id),
                text: format!("A {what} was ordered."),
                ..Detail::default()
            },
        );
        id
    }

    /// An officer orders a control.
    ///
    /// # Errors
    /// `NOT_ACCEPTED`, `ALREADY_CLEARED`, `RELEASED_ALREADY` for a blocking one, `TOO_MANY_CONTROLS`.
    pub fn open_control(
        &mut self,
        order: ControlOrder,
        reason: &str,
        world: &mut World<'_>,
    ) -> Result<Uuid, Refusal> {
        self.must_be_in_hand()?;
        if order.blocking && self.facts.when(FactKind::Released).is_some() {
            return Err(released_already());
        }
        self.must_have_room_for(1)?;
        let by = world.actor.cloned();
        let id = self.add_control(order, by.as_ref(), reason, world);
        self.advance(world);
        Ok(id)
    }

    /// An officer records what a control found.
    ///
    /// # Errors
    /// NOT_FOUND for a control it has not; `CONTROL_DONE` for one that is done.
    pub fn complete_control(
        &mut self,
        control_id: Uuid,
        result: ControlResult,
        note: &str,
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        let act = act(note, world);
        let Some(control) = self
            .controls
            .iter_mut()
            .find(|control| control.id == control_id)
        else {
            return Err(Refusal::not_found("control", control_id.to_string()));
        };
        if control.done.is_some() {
            return Err(Refusal::unmet(
                "CONTROL_DONE",
                "The control is done already; order another one.",
                Vec::new(),
            ));
        }
        control.done = Some(ControlDone { result, act });
        let what = control_text(control.kind);
        self.record(
            Fact::ControlDone,
            world,
            format!("{what}: {}", result_text(result)),
        );
        self.advance(world);
        Ok(())
    }

    /// An officer chooses another channel (rule 3).
    ///
    /// # Errors
    /// `NOT_ACCEPTED`, `ALREADY_CLEARED`, `RELEASED_ALREADY`, `TOO_MANY_CONTROLS`.
    pub fn reroute(
        &mut self,
        channel: Channel,
        reason: &str,
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        self.must_be_in_hand()?;
        if self.facts.when(FactKind::Released).is_some() {
            return Err(released_already());
        }
        let asked = controls_of(channel);
        let missing: Vec<ControlOrder> = asked
            .iter()
            .copied()
            .filter(|order| !self.controls.iter().any(|control| control.is_open(*order)))
            .collect();
        self.must_have_room_for(missing.len())?;
        self.channel = Some(channel);
        self.record(Fact::Routed, world, format!("by an officer: {reason}"));
        let withdrawn = act(&format!("rerouted: {reason}"), world);
        for index in 0..self.controls.len() {
            let unasked = self.controls.get(index).is_some_and(|control| {
                control.done.is_none()
                    && control.kind != ControlKind::Agency
                    && !asked.iter().any(|order| control.is_open(*order))
            });
            if let Some(control) = self.controls.get_mut(index).filter(|_| unasked) {
                control.done = Some(ControlDone {
                    result: ControlResult::Withdrawn,
                    act: withdrawn.clone(),
                });
                let what = control_text(control.kind);
                self.record(Fact::ControlDone, world, format!("{what}: withdrawn"));
            }
        }
        let by = world.actor.cloned();
        for order in missing {
            self.add_control(order, by.as_ref(), reason, world);
        }
        self.advance(world);
        Ok(())
    }

    fn must_have_room_for(&self, controls: usize) -> Result<(), Refusal> {
        if self.controls.len() + controls <= CONTROLS_MAX {
            return Ok(());
        }
        Err(Refusal::exhausted(
            "TOO_MANY_CONTROLS",
            format!(
                "A declaration has at most {CONTROLS_MAX} controls in its life; place a hold on what is to stay."
            ),
        ))
    }
}

impl Control {
    /// Whether it was ordered so, and waits to be done.
    fn is_open(&self, order: ControlOrder) -> bool {
        self.done.is_none() && self.kind == order.kind && self.blocking == order.blocking
    }
}

fn released_already() -> Refusal {
    Refusal::unmet(
        "RELEASED_ALREADY",
        "Goods of it are released and a release is not taken back; place a hold, or order a control that does not block.",
        Vec::new(),
    )
}

/// The rules that something rests on.
fn rules_text(rules: &[String]) -> String {
    let word = if rules.len() == 1 { "rule" } else { "rules" };
    format!("{word} {}", rules.join(", "))
}

/// The controls that a channel asks for.
fn controls_of(channel: Channel) -> Vec<ControlOrder> {
    let order = |kind, blocking| ControlOrder { kind, blocking };
    match channel {
        Channel::Green => Vec::new(),
        Channel::Blue => vec![order(ControlKind::Documents, false)],
        Channel::Yellow => vec![order(ControlKind::Documents, true)],
        Channel::Red => vec![
            order(ControlKind::Documents, true),
            order(ControlKind::Physical, true),
        ],
    }
}

pub(super) fn control_text(kind: ControlKind) -> &'static str {
    match kind {
        ControlKind::Documents => "control of the documents",
        ControlKind::Physical => "control of the goods",
        ControlKind::Agency => "control by another authority",
    }
}

fn result_text(result: ControlResult) -> &'static str {
    match result {
        ControlResult::Conform => "as declared",
        ControlResult::NotConform => "not as declared",
        ControlResult::Withdrawn => "withdrawn",
    }
}
