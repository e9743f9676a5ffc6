//! What customs, gate and release tell about lists is kept, and the lists concerned are looked at anew.

use std::collections::BTreeSet;

use fabric::{Context, Decision, Subjects};
use kernel::StockListNumber;

use super::{State, kind, lists};
use crate::domain::Rules;
use crate::domain::declaration::KnownDeclaration;
use crate::domain::hold::ListHold;
use crate::domain::passage::Passage;

pub fn subjects_of_declaration(declaration: &KnownDeclaration) -> Subjects {
    declaration.stock_lists.iter().fold(
        Subjects::new().write(kind::DECLARATION, declaration.declaration_id.as_str()),
        |subjects, list| subjects.write(kind::LIST, list.as_str()),
    )
}

pub fn subjects_of_passage(passage: &Passage) -> Subjects {
    Subjects::new().write(kind::LIST, passage.list_number.as_str())
}

pub fn subjects_of_hold(hold: &ListHold) -> Subjects {
    Subjects::new().write(kind::LIST, hold.list_number.as_str())
}

pub fn declaration(
    state: &mut State,
    told: &KnownDeclaration,
    rules: &Rules,
    context: &Context<'_>,
) -> Decision {
    let held = state.declarations.get(&told.declaration_id).cloned();
    // Most declarations are none of ours.
    if held.is_none() && told.stock_lists.is_empty() {
        return Decision::applied();
    }
    let after = told.clone().after(held.as_ref());
    let mut concerned: BTreeSet<StockListNumber> = after.stock_lists.iter().cloned().collect();
    concerned.extend(
        held.iter()
            .flat_map(|held| held.stock_lists.iter().cloned()),
    );
    state.declarations.put(after.declaration_id.clone(), after);
    Decision::applied().with_facts(lists::reconsider(state, concerned, rules, context))
}

pub fn passage(
    state: &mut State,
    told: &Passage,
    rules: &Rules,
    context: &Context<'_>,
) -> Decision {
    if told.replaces(state.passages.get(&told.list_number)) {
        state.passages.put(told.list_number.clone(), told.clone());
    }
    let number = told.list_number.clone();
    Decision::applied().with_facts(lists::reconsider(state, [number], rules, context))
}

pub fn hold(state: &mut State, told: &ListHold, rules: &Rules, context: &Context<'_>) -> Decision {
    let held = state
        .holds
        .iter()
        .find(|(key, _)| **key == told.key)
        .map(|(_, held)| held);
    let after = told.clone().after(held);
    state.holds.put(after.key.clone(), after);
    let number = told.list_number.clone();
    Decision::applied().with_facts(lists::reconsider(state, [number], rules, context))
}

/// Lists that wait for something that told nobody when it was over.
pub fn waiting(state: &mut State, rules: &Rules, context: &Context<'_>) -> Decision {
    let numbers: Vec<StockListNumber> = state
        .lists
        .iter()
        .map(|(number, _)| number.clone())
        .collect();
    Decision::applied().with_facts(lists::reconsider(state, numbers, rules, context))
}
