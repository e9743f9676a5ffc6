//! Judges the four services of a simulated site when all is quiet: everything has come to its end, nobody has anything
//! left to decide on what he holds, no inbox has a hole, and what a lot holds is the sum of its movements.

use std::collections::BTreeMap;

use bonded::Bonded;
use bonded::domain::amount::Totals;
use chrono::DateTime;
use customs::Customs;
use customs::app::Input as CustomsInput;
use fabric::{Context, Knowledge, ParkedKeys, SubjectSet};
use gate::Gate;
use release::app::{Input as ReleaseInput, Release};
use release::domain::decision::DecisionState;
use uuid::Uuid;

use super::database::FIRST_DAY;
use super::whole::Kept;
use super::witness::Witness;

/// What release tells people by.
const NOTICES: &str = "release.notice";

/// A service and its tables.
type Held<'a, S> = (&'a S, &'a <S as Kept>::Tables);

/// What is judged.
pub struct Evidence<'a> {
    /// Where what may never happen is said.
    pub witness: &'a Witness,
    /// The tables of gate.
    pub gate: &'a <Gate as Kept>::Tables,
    /// Customs and its tables.
    pub customs: Held<'a, Customs>,
    /// The tables of bonded.
    pub bonded: &'a <Bonded as Kept>::Tables,
    /// Release and its tables.
    pub release: Held<'a, Release>,
}

/// Says what is not as it must be.
pub fn judge(evidence: &Evidence<'_>) {
    must_stay(evidence.witness, evidence.release, &ReleaseInput::Recheck);
    for input in [CustomsInput::WeighPartyHolds, CustomsInput::SecureWaiting] {
        must_stay(evidence.witness, evidence.customs, &input);
    }
    stays(evidence);
    inboxes(evidence);
    stock(evidence);
}

/// A service that decides once more on what it holds has nothing new to say.
fn must_stay<S: Kept>(witness: &Witness, (service, tables): Held<'_, S>, input: &S::Input) {
    let mut state = service.read(tables, &SubjectSet::default(), Vec::new());
    let context = Context {
        now: DateTime::from_timestamp(FIRST_DAY, 0).unwrap_or_default(),
        ids: &Uuid::nil,
        record: None,
        parked: &ParkedKeys::default(),
        knowledge: &Knowledge::default(),
    };
    let facts = service.decide(&mut state, input, &context).facts;
    // Whoever is entered late, such as an operator after a list was filed, is told of it with the next decision on it.
    for fact in facts.into_iter().filter(|fact| fact.topic != NOTICES) {
        let (name, what, key) = (S::NAME, fact.event_type, fact.key);
        witness.found(format!(
            "{name} holds what it has not decided on: {what} of {key}"
        ));
    }
}

/// Every container has left on its release, and gate has heard release's last word on it.
fn stays(evidence: &Evidence<'_>) {
    let (_, release) = evidence.release;
    for visit in release.visits() {
        let (id, decision) = (&visit.stay.container_visit_id, &visit.decision);
        if decision.state != Some(DecisionState::Consumed) {
            let state = decision.state;
            evidence
                .witness
                .found(format!("the release of {id} ends as {state:?}"));
        }
        let (said, heard) = (decision.version, evidence.gate.decision_version(id));
        if heard != Some(said) {
            let what = format!("of {id} release has said version {said}, and gate heard {heard:?}");
            evidence.witness.found(what);
        }
    }
}

fn inboxes(evidence: &Evidence<'_>) {
    let (_, customs) = evidence.customs;
    for (filer, numbers) in &customs.notifications {
        let head = customs.inboxes.get(filer).copied().unwrap_or(0);
        if !numbers.iter().copied().eq(1..=head) {
            let what = format!("the inbox of {filer} stands at {head} and holds {numbers:?}");
            evidence.witness.found(what);
        }
    }
}

fn stock(evidence: &Evidence<'_>) {
    let mut sums: BTreeMap<&str, Totals> = BTreeMap::new();
    for (place, movement) in evidence.bonded.movements.iter().enumerate() {
        let posting = &movement.posting;
        if movement.ordinal != place as u64 + 1 {
            let ordinal = movement.ordinal;
            evidence
                .witness
                .found(format!("movement {ordinal} stands at place {place}"));
        }
        let sum = sums.entry(&posting.lot_id).or_default();
        match sum.after(posting.total, &posting.amount) {
            Ok(after) => *sum = after,
            Err(error) => evidence
                .witness
                .found(format!("{}: {error}", posting.lot_id)),
        }
    }
    for (id, lot) in &evidence.bonded.lots {
        let sum = sums.get(id.as_str()).copied().unwrap_or_default();
        if sum != lot.totals {
            evidence
                .witness
                .found(format!("{id} is not the sum of its movements"));
        }
    }
}
