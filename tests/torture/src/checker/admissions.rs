//! On what gate's lanes opened a barrier by themselves, as gate has it on record: on facts that were told, and that it
//! knew afresh. What a person has decided is not looked at.

use std::collections::BTreeSet;

use super::{Kind, Violation};
use crate::evidence::Evidence;

/// Gate's own limit, unless it is configured otherwise, in milliseconds.
const AGE_MILLIS_MAX: u64 = 30_000;

pub(super) fn violations(evidence: &Evidence) -> Vec<Violation> {
    let exchanges = evidence.exchanges.values();
    let told: BTreeSet<String> = exchanges
        .flat_map(|one| &one.events)
        .map(|event| event.id())
        .collect();
    let mut found = Vec::new();
    for admission in evidence.admissions.iter().filter(|one| !one.by_a_person) {
        let truck = &admission.truck_visit;
        for known in &admission.known {
            let what = format!("{truck}: {} ({})", known.subject, known.event_id);
            if !known.event_id.is_empty() && !told.contains(&known.event_id) {
                found.push(Violation::new(Kind::AdmittedOnNothing, what.clone()));
            }
            // What lets goods go; a decision that was not weighed, as its goods are on a list, has no age.
            let lets_go = known.subject.starts_with("decision/");
            let age = known.knowledge_age_millis.filter(|_| lets_go);
            if let Some(age) = age.filter(|age| *age > AGE_MILLIS_MAX) {
                let what = format!("{what}: its age was {age} ms");
                found.push(Violation::new(Kind::AdmittedOnOldKnowledge, what));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::exchange::tests::having_published;
    use super::*;
    use crate::evidence::{Admission, Known};

    const VISIT: &str = "GUOYUAN-PORT/MSKU9070323/1";

    fn found(change: impl Fn(&mut Admission)) -> Vec<Kind> {
        let exchange = having_published("release.decision", VISIT, &[Vec::new()]);
        let event_id = exchange.events[0].id();
        let mut admission = Admission {
            truck_visit: "truck".to_owned(),
            by_a_person: false,
            known: vec![Known {
                subject: format!("decision/{VISIT}"),
                event_id,
                knowledge_age_millis: Some(30_000),
            }],
        };
        change(&mut admission);
        let evidence = Evidence {
            exchanges: [("release".to_owned(), exchange)].into(),
            admissions: vec![admission],
            ..Evidence::default()
        };
        let violations = violations(&evidence);
        violations.into_iter().map(|one| one.kind).collect()
    }

    #[test]
    fn a_barrier_that_opened_on_what_was_told_and_known_afresh_is_sound() {
        assert_eq!(found(|_| ()), []);
    }

    #[test]
    fn a_barrier_that_opened_on_old_knowledge_is_found() {
        let aged = |age| found(|one| one.known[0].knowledge_age_millis = age);
        assert_eq!(aged(Some(30_001)), [Kind::AdmittedOnOldKnowledge]);
        assert_eq!(aged(None), []);
    }

    #[test]
    fn a_barrier_that_opened_on_what_nobody_told_is_found() {
        let found = found(|one| {
            "greenlane.release.decision.v1/0/1/9".clone_into(&mut one.known[0].event_id)
        });
        assert_eq!(found, [Kind::AdmittedOnNothing]);
    }

    #[test]
    fn what_a_person_decided_is_the_persons() {
        let decided = found(|one| {
            one.by_a_person = true;
            one.known[0].knowledge_age_millis = Some(30_001);
        });
        assert_eq!(decided, []);
    }
}
