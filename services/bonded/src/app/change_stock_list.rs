//! Somebody approves, voids, closes short, counts, settles or takes back a list.

use fabric::{Context, Decision, Subjects};
use kernel::{Refusal, StockListNumber};
use prost::Message;

use super::{State, kind, lists};
use crate::domain::Rules;
use crate::domain::list_commands::{Change, ChangeStockList, ChangeView, Target, change};
use crate::domain::list_posting::consider;
use crate::domain::stock_list::not_found;
use crate::grpc::list_messages;
use crate::store::follow::ListLead;

pub fn subjects(command: &ChangeStockList) -> Subjects {
    match &command.target {
        Target::List(number) => Subjects::new().write(kind::LIST, number.as_str()),
        Target::Discrepancy(_) => Subjects::new(),
    }
}

/// What follows from the list: its book and lines, and the mandates of a broker.
pub fn follow(command: &ChangeStockList, list: &ListLead) -> Subjects {
    lists::subjects(list).read(
        kind::MANDATES_OF_PAIR,
        lists::mandate_key(&list.trader_party, &command.actor.party),
    )
}

pub fn decide(
    state: &mut State,
    command: &ChangeStockList,
    rules: &Rules,
    context: &Context<'_>,
) -> Decision {
    let missing = || match &command.target {
        Target::List(number) => not_found(number.as_str()),
        Target::Discrepancy(id) => Refusal::not_found("discrepancy", id.to_string()),
    };
    let Some(number) = number(state, command) else {
        return Decision::refuse(missing());
    };
    let opened = lists::dossier(state, &number, context).and_then(|dossier| {
        let lines = lists::book_lines(&dossier.list);
        let desk = lists::desk(state, &dossier.list.book_number, &lines, context)?;
        Some((dossier, desk))
    });
    let Some((mut dossier, mut desk)) = opened else {
        return Decision::refuse(missing());
    };
    let held_lists = lists::held_lists(state);
    let trader = dossier.list.trader_party.clone();
    let (mandates, register_known) = lists::mandates(state, &trader, &command.actor.party, context);
    let view = ChangeView {
        mandates,
        register_known,
        held_lists: &held_lists,
    };
    let mut said = match change(command, &mut dossier, &mut desk, &view) {
        Ok(said) => said,
        Err(refusal) if refusal.reason == "NOT_FOUND" => return Decision::refuse(missing()),
        Err(refusal) => return Decision::refuse(refusal),
    };
    match consider(&mut dossier, &mut desk, rules) {
        Ok(more) => said.extend(more),
        Err(error) => {
            return Decision::refuse(Refusal::invalid(
                "MOVEMENT_INVALID",
                format!("Nothing was posted: {error}."),
            ));
        }
    }
    let conditions = dossier.waits_for(&desk.lines);
    let answer = match (&command.change, &command.target) {
        (Change::Approve, _) => list_messages::approved(&dossier, &conditions).encode_to_vec(),
        (Change::Void { .. }, _) => list_messages::voided(&dossier, &conditions).encode_to_vec(),
        (Change::CloseShort { .. }, _) => {
            list_messages::closed_short(&dossier, &conditions).encode_to_vec()
        }
        (Change::Count { .. }, _) => list_messages::counted(&dossier, &conditions).encode_to_vec(),
        (Change::Reverse { .. }, _) => {
            list_messages::reversed(&dossier, &conditions).encode_to_vec()
        }
        (Change::Resolve { .. }, Target::Discrepancy(id)) => {
            list_messages::resolved(&dossier, &conditions, *id).encode_to_vec()
        }
        (Change::Resolve { .. }, Target::List(_)) => return Decision::refuse(missing()),
    };
    let mut facts = lists::put_desk(state, desk);
    facts.extend(lists::publish_all(&said, context));
    lists::put_list(state, dossier.list);
    Decision::respond(answer).with_facts(facts)
}

/// The list that is meant, if there is one.
fn number(state: &State, command: &ChangeStockList) -> Option<StockListNumber> {
    match &command.target {
        Target::List(number) => Some(number.clone()),
        Target::Discrepancy(id) => state
            .lists
            .iter()
            .find(|(_, list)| list.discrepancies.iter().any(|one| one.id == *id))
            .map(|(number, _)| number.clone()),
    }
}
