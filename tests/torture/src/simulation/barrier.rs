//! Judges what the barrier of a simulated site did: nothing left without a release that held not long before, and
//! nothing that gate itself held.

use std::time::Duration;

use prost::Message;
use proto::common::v1::{HoldEvent, HoldFact};
use proto::gate::events::v1::{ContainerVisitEvent, ContainerVisitFact};
use proto::release::events::v1::{DecisionEvent, DecisionFact};

use super::database::{Database, Published};
use super::witness::Witness;

/// Ages are kept in milliseconds, and a decision takes a moment.
const GRAIN: Duration = Duration::from_millis(500);

/// What is judged.
pub struct Evidence<'a> {
    /// Where what may never happen is said.
    pub witness: &'a Witness,
    /// The database of gate.
    pub gate: &'a Database,
    /// And the one of release.
    pub release: &'a Database,
    /// How old a release may be; none where clocks were set and ages say nothing.
    pub decision_age_max: Option<Duration>,
}

/// Says everything that may never happen and did.
pub fn judge(evidence: &Evidence<'_>) {
    let told = evidence.gate.published(<[Published]>::to_vec);
    let decided = evidence.release.published(<[Published]>::to_vec);
    for (at, visit) in departures(&told) {
        if is_held(&told, &visit, at) {
            evidence
                .witness
                .found(format!("{visit} left at {at:?}, although gate held it"));
        }
        let Some(age_max) = evidence.decision_age_max else {
            continue;
        };
        let since = at.saturating_sub(age_max + GRAIN);
        if !was_granted(&said_of(&decided, &visit), since, at) {
            evidence.witness.found(format!(
                "{visit} left at {at:?}, and its release did not hold at any time since {since:?}"
            ));
        }
    }
}

/// The stays that are over, and since when.
fn departures(told: &[Published]) -> Vec<(Duration, String)> {
    events::<ContainerVisitEvent>(told, "gate.container-visit")
        .filter(|(.., event)| event.fact() == ContainerVisitFact::Departed)
        .filter_map(|(at, _, event)| Some((at, event.visit?.container_visit_id)))
        .collect()
}

/// Whether a hold of gate's own on a stay stood at a time.
fn is_held(told: &[Published], visit: &str, at: Duration) -> bool {
    let scope = format!("container-visit/{visit}");
    let mut standing = 0_i32;
    for (when, key, event) in events::<HoldEvent>(told, "gate.hold") {
        if key != scope {
            continue;
        }
        // What is committed at once may have been decided either way round.
        match event.fact() {
            HoldFact::Placed if when < at => standing += 1,
            HoldFact::Lifted if when <= at => standing -= 1,
            _ => {}
        }
    }
    standing > 0
}

/// What release has said of a stay, and when.
fn said_of(decided: &[Published], visit: &str) -> Vec<(Duration, DecisionFact)> {
    events::<DecisionEvent>(decided, "release.decision")
        .filter(|(_, key, _)| *key == visit)
        .map(|(at, _, event)| (at, event.fact()))
        .collect()
}

/// Whether a release was granted at any time from one to another, by what was said of it.
fn was_granted(said: &[(Duration, DecisionFact)], since: Duration, until: Duration) -> bool {
    let mut granted = false;
    for (at, fact) in said.iter().take_while(|(at, _)| *at <= until) {
        if granted && *at >= since {
            return true;
        }
        granted = *fact == DecisionFact::Granted;
    }
    granted
}

/// The events of a topic: when they were committed, their keys, what they say.
fn events<'a, M: Message + Default>(
    all: &'a [Published],
    topic: &'a str,
) -> impl Iterator<Item = (Duration, &'a str, M)> {
    all.iter()
        .filter(move |fact| fact.row.topic == topic)
        .filter_map(|fact| {
            let event = M::decode(fact.row.payload.clone()).ok()?;
            Some((fact.at, fact.row.key.as_str(), event))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: [(Duration, DecisionFact); 3] = [
        (Duration::from_secs(1), DecisionFact::Withheld),
        (Duration::from_secs(10), DecisionFact::Granted),
        (Duration::from_secs(20), DecisionFact::RevocationAsked),
    ];

    fn is_covered(since: u64, until: u64) -> bool {
        let (since, until) = (Duration::from_secs(since), Duration::from_secs(until));
        was_granted(&SAID, since, until)
    }

    #[test]
    fn a_release_covers_what_leaves_while_it_holds_and_a_little_later() {
        assert!(is_covered(5, 11) && is_covered(12, 18) && is_covered(15, 21));
        assert!(is_covered(0, 100));
    }

    #[test]
    fn a_release_covers_nothing_before_it_is_granted_or_long_after_it_is_taken_back() {
        assert!(!is_covered(0, 9) && !is_covered(0, 0) && !is_covered(21, 27));
    }
}
