//! Release's decisions on container visits, with the conditions it misses in its own words.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::release::events::v1 as wire;

use super::told;
use crate::app::Input;
use crate::domain::condition::{Condition, Gravity};
use crate::domain::knowledge::{DecisionState, Journey, ReleaseDecision, list_decision_key};

pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = wire::DecisionEvent::decode(record.payload.as_ref())?;
    let decision = event::required("decision", event.decision)?;
    let state = DecisionState::parse(&decision.state)
        .ok_or_else(|| Unreadable(format!("decision state {} is not known", decision.state)))?;
    let journey = match decision.journey.as_str() {
        "" => Journey::ImportPickUp,
        word => Journey::parse(word)
            .ok_or_else(|| Unreadable(format!("journey {word} is not known")))?,
    };
    let ask = (state == DecisionState::RevocationAsked).then(|| decision.ask_id.clone());
    if ask.as_ref().is_some_and(String::is_empty) {
        return Err(Unreadable("a revocation is asked without an ask id".into()));
    }
    let conditions = decision
        .conditions
        .into_iter()
        .map(|condition| {
            let since = event::optional_time("conditions.since", condition.since.as_ref())?;
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
    let container_visit_id = if decision.list_number.is_empty() {
        decision.container_visit_id
    } else {
        list_decision_key(&decision.list_number)
    };
    let on_list = matches!(journey, Journey::BondTransfer | Journey::BondExit);
    if on_list == decision.list_number.is_empty() {
        return Err(Unreadable(format!(
            "journey {} is not one of what {container_visit_id} names",
            journey.as_str()
        )));
    }
    let read = ReleaseDecision {
        container_visit_id,
        told: told(record, decision.version),
        state,
        journey,
        haulier_party: decision.haulier_party,
        decided_at: event::time("observed_at", event.observed_at.as_ref())?,
        conditions,
        list_containers: decision.list_containers,
        barred_by: None,
    };
    Ok(Input::Decision(Box::new(read), ask))
}
