//! Release's decisions on container visits, with the conditions it misses in its own words.

use fabric::{Record, Unreadable};
use prost::Message;
use proto::release::events::v1 as wire;

use super::{optional_time, required, time, told};
use crate::app::Input;
use crate::domain::condition::{Condition, Gravity};
use crate::domain::knowledge::{DecisionState, ReleaseDecision};

pub fn decode(record: &Record) -> Result<Input, Unreadable> {
    let event = wire::DecisionEvent::decode(record.payload.as_ref())?;
    let decision = required(event.decision, "decision")?;
    let state = DecisionState::parse(&decision.state)
        .ok_or_else(|| Unreadable(format!("decision state {} is not known", decision.state)))?;
    let ask = (state == DecisionState::RevocationAsked).then(|| decision.ask_id.clone());
    if ask.as_ref().is_some_and(String::is_empty) {
        return Err(Unreadable("a revocation is asked without an ask id".into()));
    }
    let conditions = decision
        .conditions
        .into_iter()
        .map(|condition| {
            let since = optional_time(condition.since.as_ref(), "conditions.since")?;
            let mut read = Condition::new(
                Gravity::Refuses,
                &condition.code,
                condition.subject,
                condition.who,
                condition.description,
            );
            read.since = since;
            read.evidence = condition.evidence;
            Ok(read)
        })
        .collect::<Result<_, Unreadable>>()?;
    let read = ReleaseDecision {
        container_visit_id: decision.container_visit_id,
        told: told(record, decision.version),
        state,
        haulier_party: decision.haulier_party,
        decided_at: time(event.observed_at.as_ref(), "observed_at")?,
        conditions,
    };
    Ok(Input::Decision(Box::new(read), ask))
}
