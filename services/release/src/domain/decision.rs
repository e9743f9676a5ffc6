//! The life of a decision on one stay or one stock list: what changes when the outcome does, what is
//! published, and how a revocation is asked of gate and answered. What an outcome is made of stands in
//! `requirements` and `list_requirements`.

use chrono::{DateTime, Utc};
use kernel::Refusal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::condition::Condition;
use super::requirements::Outcome;

/// The decision as it stands.
///
/// ```text
/// WITHHELD <-> GRANTED             while nobody revokes
/// GRANTED -> REVOKED               customs has taken something back at gate; decided anew at once
/// GRANTED -> REVOCATION_ASKED      a condition fell away, or another haulier is named
/// REVOCATION_ASKED -> REVOKED      gate: APPLIED; decided anew at once
/// any -> CONSUMED                  the container left
/// ```
///
/// What leaves in parts, as the goods of a stock list do, goes two ways more, because what has left says
/// nothing of the rest:
///
/// ```text
/// REVOCATION_ASKED -> WITHHELD | GRANTED   gate: TOO_LATE for what has left; the rest is decided anew
/// CONSUMED -> WITHHELD | GRANTED           more is to leave after all
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Where it is; none before the first decision.
    pub state: Option<DecisionState>,
    /// Since when it is there, whatever has changed meanwhile of what is missing; none where it was put there by
    /// a version of release that did not keep it.
    #[serde(default)]
    pub state_since: Option<DateTime<Utc>>,
    /// Counts up by one with everything that is published.
    pub version: u64,
    /// The journey that was asked about.
    pub journey: String,
    /// The haulier: while granted or asked back, the one it was granted to; once the container has left,
    /// the one that the commercial releases named then; else the one that they name now. None on a journey
    /// that ends with no haulier.
    pub haulier_party: Option<String>,
    /// Since when the commercial releases name that haulier.
    #[serde(default)]
    pub haulier_since: Option<DateTime<Utc>>,
    /// The containers that may leave; empty where it is about one stay, or about whatever is named at the gate.
    #[serde(default)]
    pub containers: Vec<String>,
    /// What is missing, by the newest facts.
    pub conditions: Vec<Condition>,
    /// The facts it rests on.
    pub evidence: Vec<String>,
    /// The ask, while a revocation is asked.
    pub ask_id: Option<Uuid>,
    /// Gate answered the ask with TOO_LATE.
    pub too_late: bool,
    /// When it was last published.
    pub decided_at: Option<DateTime<Utc>>,
    /// Gate may bar what it was told of this until it is told something else than a grant.
    #[serde(default)]
    pub barred: bool,
}

/// Where a decision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DecisionState {
    /// Something is missing.
    Withheld,
    /// Everything is there.
    Granted,
    /// Taken back, if gate can still apply it.
    RevocationAsked,
    /// Gate has applied it; only ever for the moment until it is decided anew.
    Revoked,
    /// The container has left, or nothing more of the list will.
    Consumed,
}

/// Gate's answer to an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// The barrier will not open on it any more.
    Applied,
    /// The goods have left.
    TooLate,
}

impl DecisionState {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Withheld => "WITHHELD",
            Self::Granted => "GRANTED",
            Self::RevocationAsked => "REVOCATION_ASKED",
            Self::Revoked => "REVOKED",
            Self::Consumed => "CONSUMED",
        }
    }
}

impl Decision {
    /// Follows the outcome of the newest facts. Gives what is to be published: the decision as it is
    /// after each step, oldest first; nothing if nobody would do anything else because of it.
    pub fn follow(
        &mut self,
        outcome: &Outcome,
        now: DateTime<Utc>,
        new_id: &dyn Fn() -> Uuid,
    ) -> Vec<Decision> {
        let Some(journey) = outcome.journey.or_else(|| self.state.map(|_| "")) else {
            return Vec::new();
        };
        if !journey.is_empty() {
            journey.clone_into(&mut self.journey);
        }
        let next = self.next(outcome);
        let mut published = self.anew(next, now);
        // Who took the container may turn out only when gate has answered a revocation.
        let changed = self.state != Some(next)
            || (next == DecisionState::Withheld
                && identities(&self.conditions) != identities(&outcome.conditions))
            || (next == DecisionState::Consumed && self.haulier_party != outcome.haulier_party)
            || (next == DecisionState::Granted && self.containers != outcome.containers);
        self.conditions.clone_from(&outcome.conditions);
        self.evidence.clone_from(&outcome.evidence);
        // Whom and what it was granted to stays named while it is asked back.
        if next != DecisionState::RevocationAsked {
            self.haulier_party.clone_from(&outcome.haulier_party);
            self.haulier_since = outcome.haulier_since;
            self.containers.clone_from(&outcome.containers);
        }
        if !changed {
            return published;
        }
        // What was too late once says nothing of a new grant, or of the next ask.
        self.too_late &= matches!(next, DecisionState::Withheld | DecisionState::Consumed);
        self.ask_id = match next {
            DecisionState::RevocationAsked => Some(new_id()),
            // Kept when the container leaves before gate has answered, so that the answer finds it.
            DecisionState::Consumed => self.ask_id,
            _ => None,
        };
        self.enter(next, now);
        published.push(self.published(now));
        published
    }

    /// Customs has taken back at gate what this is about, and what it took back is void: gate bars whatever grant it
    /// knew then, on whatever that rests. Whoever knows that it is void says so before the decision is followed.
    pub fn bar(&mut self) {
        self.barred = true;
    }

    /// Before a grant of what gate may bar: that it is no longer granted, or as it stood, so that the grant that follows
    /// is a new one.
    fn anew(&mut self, next: DecisionState, now: DateTime<Utc>) -> Vec<Decision> {
        if !self.barred || next != DecisionState::Granted {
            return Vec::new();
        }
        self.ask_id = None;
        self.enter(
            match self.state {
                Some(DecisionState::Granted) => DecisionState::Revoked,
                _ => DecisionState::Withheld,
            },
            now,
        );
        vec![self.published(now)]
    }

    /// The state that follows from this one under an outcome.
    fn next(&self, outcome: &Outcome) -> DecisionState {
        let grantable =
            outcome.conditions.is_empty() && outcome.haulier_party.is_some() == outcome.to_haulier;
        match self.state {
            _ if outcome.departed => DecisionState::Consumed,
            Some(DecisionState::Consumed) if !outcome.in_parts => DecisionState::Consumed,
            // Only gate's answer ends an ask: it may already have opened the barrier.
            Some(DecisionState::RevocationAsked) if !(outcome.in_parts && self.too_late) => {
                DecisionState::RevocationAsked
            }
            Some(DecisionState::Granted) if !grantable || !self.covers(outcome) => {
                DecisionState::RevocationAsked
            }
            _ if grantable => DecisionState::Granted,
            _ => DecisionState::Withheld,
        }
    }

    /// Whether nothing that was granted is granted no more. No containers means any.
    fn covers(&self, outcome: &Outcome) -> bool {
        let still = |container| outcome.containers.contains(container);
        let all = outcome.containers.is_empty()
            || (!self.containers.is_empty() && self.containers.iter().all(still));
        outcome.haulier_party == self.haulier_party && all
    }

    /// Takes gate's answer to an ask. Applied: the release is revoked, and decided anew by the caller. Too
    /// late: on record, and what leaves in parts is decided anew by the caller.
    /// An answer to another ask, or to one that is answered, changes nothing.
    pub fn answered(
        &mut self,
        ask_id: Uuid,
        verdict: Verdict,
        now: DateTime<Utc>,
    ) -> Vec<Decision> {
        if self.ask_id != Some(ask_id) || self.too_late {
            return Vec::new();
        }
        match (verdict, self.state) {
            (Verdict::TooLate, _) => {
                self.too_late = true;
                Vec::new()
            }
            (Verdict::Applied, Some(DecisionState::RevocationAsked)) => {
                self.enter(DecisionState::Revoked, now);
                vec![self.published(now)]
            }
            (Verdict::Applied, _) => Vec::new(),
        }
    }

    /// Whether somebody may ask to have it taken back.
    ///
    /// # Errors
    /// `STALE_VERSION`; `RELEASE_NOT_GRANTED` while there is nothing to take back.
    pub fn may_be_revoked(&self, expected_version: u64) -> Result<(), Box<Refusal>> {
        if expected_version != 0 && expected_version != self.version {
            return Err(Box::new(Refusal::stale(self.version)));
        }
        if self.state == Some(DecisionState::Granted) {
            return Ok(());
        }
        let state = self.state.map_or("NOT_DECIDED", DecisionState::name);
        Err(Box::new(
            Refusal::unmet("RELEASE_NOT_GRANTED", "Only a granted release can be taken back; place a hold to keep one from being granted.", Vec::new())
                .with_metadata("state", state),
        ))
    }

    fn enter(&mut self, state: DecisionState, now: DateTime<Utc>) {
        if self.state != Some(state) {
            self.state = Some(state);
            self.state_since = Some(now);
        }
    }

    fn published(&mut self, now: DateTime<Utc>) -> Decision {
        self.version = self.version.saturating_add(1);
        self.decided_at = Some(now);
        self.barred &= self.state == Some(DecisionState::Granted);
        self.clone()
    }
}

fn identities(conditions: &[Condition]) -> Vec<(String, String, String)> {
    let mut identities: Vec<_> = conditions.iter().map(Condition::identity).collect();
    identities.sort();
    identities
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::condition::Who;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn outcome(missing: &[&str], haulier: &str) -> Outcome {
        let condition = |code: &&str| Condition {
            code: (*code).to_owned(),
            subject: "container-visit/S/C/1".to_owned(),
            who: Who::role("terminal"),
            since: None,
            evidence: Vec::new(),
            description: String::new(),
        };
        Outcome {
            journey: Some("IMPORT_PICK_UP"),
            departed: false,
            in_parts: false,
            to_haulier: true,
            containers: Vec::new(),
            haulier_party: (!haulier.is_empty()).then(|| haulier.to_owned()),
            haulier_since: None,
            conditions: missing.iter().map(condition).collect(),
            evidence: Vec::new(),
        }
    }

    fn states(published: &[Decision]) -> Vec<DecisionState> {
        published
            .iter()
            .filter_map(|decision| decision.state)
            .collect()
    }

    fn ask() -> Uuid {
        Uuid::from_u128(7)
    }

    #[test]
    fn withheld_is_published_when_first_known_and_when_the_conditions_change() {
        let mut decision = Decision::default();
        assert_eq!(
            states(&decision.follow(&outcome(&["A"], ""), now(), &ask)),
            [DecisionState::Withheld]
        );
        assert!(
            decision
                .follow(&outcome(&["A"], "h"), now(), &ask)
                .is_empty()
        );
        assert_eq!(
            states(&decision.follow(&outcome(&["A", "B"], "h"), now(), &ask)),
            [DecisionState::Withheld]
        );
        assert_eq!(decision.version, 2);
    }

    #[test]
    fn a_state_is_since_it_was_entered_and_not_since_the_last_change_of_what_is_missing() {
        let later = |minutes| now() + chrono::TimeDelta::minutes(minutes);
        let mut decision = Decision::default();
        decision.follow(&outcome(&["A"], ""), now(), &ask);
        decision.follow(&outcome(&["B"], ""), later(1), &ask);
        assert_eq!(decision.decided_at, Some(later(1)));
        assert_eq!(decision.state_since, Some(now()));
        decision.follow(&outcome(&[], "h"), later(2), &ask);
        assert_eq!(decision.state_since, Some(later(2)));
        decision.follow(&outcome(&["A"], "h"), later(3), &ask);
        decision.answered(ask(), Verdict::Applied, later(4));
        assert_eq!(decision.state_since, Some(later(4)));
    }

    #[test]
    fn rule_5_a_grant_that_loses_a_condition_is_asked_back_and_decided_anew_once_gate_applied_it() {
        let mut decision = Decision::default();
        decision.follow(&outcome(&[], "h"), now(), &ask);
        assert_eq!(
            states(&decision.follow(&outcome(&["A"], "h"), now(), &ask)),
            [DecisionState::RevocationAsked]
        );
        assert!(
            decision.follow(&outcome(&[], "h"), now(), &ask).is_empty(),
            "only gate's answer ends an ask"
        );
        assert!(
            decision
                .answered(Uuid::from_u128(8), Verdict::Applied, now())
                .is_empty(),
            "another ask's answer"
        );
        assert_eq!(
            states(&decision.answered(ask(), Verdict::Applied, now())),
            [DecisionState::Revoked]
        );
        assert_eq!(
            states(&decision.follow(&outcome(&[], "h"), now(), &ask)),
            [DecisionState::Granted]
        );
        assert_eq!(decision.version, 4);
        assert_eq!(decision.ask_id, None);
    }

    #[test]
    fn rule_5_too_late_stays_on_record_until_the_departure_consumes_the_release() {
        let mut decision = Decision::default();
        decision.follow(&outcome(&[], "h"), now(), &ask);
        decision.follow(&outcome(&["A"], "h"), now(), &ask);
        decision.answered(ask(), Verdict::TooLate, now());
        assert!(decision.too_late);
        assert_eq!(decision.state, Some(DecisionState::RevocationAsked));
        let left = Outcome {
            departed: true,
            ..outcome(&[], "h")
        };
        assert_eq!(
            states(&decision.follow(&left, now(), &ask)),
            [DecisionState::Consumed]
        );
        assert!(decision.follow(&left, now(), &ask).is_empty());
    }

    #[test]
    fn a_grant_to_another_haulier_is_asked_back_from_the_first() {
        let mut decision = Decision::default();
        decision.follow(&outcome(&[], "h"), now(), &ask);
        let published = decision.follow(&outcome(&[], "other"), now(), &ask);
        assert_eq!(states(&published), [DecisionState::RevocationAsked]);
        assert_eq!(published[0].haulier_party.as_deref(), Some("h"));
        decision.answered(ask(), Verdict::Applied, now());
        let published = decision.follow(&outcome(&[], "other"), now(), &ask);
        assert_eq!(published[0].haulier_party.as_deref(), Some("other"));
    }

    #[test]
    fn a_journey_without_a_haulier_is_granted_to_none_and_another_journey_takes_it_back() {
        let may_load = Outcome {
            journey: Some("EXPORT"),
            to_haulier: false,
            ..outcome(&[], "")
        };
        let mut decision = Decision::default();
        assert!(
            states(&decision.follow(&outcome(&[], ""), now(), &ask)) == [DecisionState::Withheld]
        );
        let granted = decision.follow(&may_load, now(), &ask);
        assert_eq!(states(&granted), [DecisionState::Granted]);
        assert_eq!(
            (
                granted[0].journey.as_str(),
                granted[0].haulier_party.as_deref()
            ),
            ("EXPORT", None)
        );
        assert_eq!(
            states(&decision.follow(&outcome(&[], "h"), now(), &ask)),
            [DecisionState::RevocationAsked]
        );
    }

    /// Goods of a stock list that may move in these containers.
    fn list(missing: &[&str], containers: &[&str]) -> Outcome {
        Outcome {
            journey: Some("BOND_TRANSFER"),
            in_parts: true,
            to_haulier: false,
            containers: containers.iter().map(|one| (*one).to_owned()).collect(),
            ..outcome(missing, "")
        }
    }

    #[test]
    fn rule_5_of_what_leaves_in_parts_the_rest_is_decided_anew_once_gate_was_too_late() {
        for (missing, then) in [
            (&["A"][..], DecisionState::Withheld),
            (&[], DecisionState::Granted),
        ] {
            let mut decision = Decision::default();
            decision.follow(&list(&[], &[]), now(), &ask);
            decision.follow(&list(&["A"], &[]), now(), &ask);
            assert!(
                decision.follow(&list(missing, &[]), now(), &ask).is_empty(),
                "only gate's answer ends an ask"
            );
            decision.answered(ask(), Verdict::TooLate, now());
            let anew = decision.follow(&list(missing, &[]), now(), &ask);
            assert_eq!(states(&anew), [then]);
        }
    }

    #[test]
    fn rule_5_what_leaves_in_parts_can_be_asked_back_again_after_gate_was_too_late() {
        let mut decision = Decision::default();
        decision.follow(&list(&[], &[]), now(), &ask);
        decision.follow(&list(&["A"], &[]), now(), &ask);
        decision.answered(ask(), Verdict::TooLate, now());
        decision.follow(&list(&[], &[]), now(), &ask);
        assert!(!decision.too_late);
        let again = || Uuid::from_u128(9);
        decision.follow(&list(&["A"], &[]), now(), &again);
        assert_eq!(
            states(&decision.answered(again(), Verdict::Applied, now())),
            [DecisionState::Revoked]
        );
    }

    #[test]
    fn what_leaves_in_parts_is_decided_anew_if_more_is_to_leave_after_all() {
        let mut decision = Decision::default();
        decision.follow(&list(&[], &[]), now(), &ask);
        let closed = Outcome {
            departed: true,
            ..list(&[], &[])
        };
        assert_eq!(
            states(&decision.follow(&closed, now(), &ask)),
            [DecisionState::Consumed]
        );
        assert_eq!(
            states(&decision.follow(&list(&["A"], &[]), now(), &ask)),
            [DecisionState::Withheld]
        );
    }

    #[test]
    fn a_grant_of_fewer_containers_is_asked_back_and_one_of_more_is_published() {
        let mut decision = Decision::default();
        decision.follow(&list(&[], &["A"]), now(), &ask);
        let more = decision.follow(&list(&[], &["A", "B"]), now(), &ask);
        assert_eq!(states(&more), [DecisionState::Granted]);
        assert_eq!(more[0].containers, ["A", "B"]);
        let fewer = decision.follow(&list(&[], &["B"]), now(), &ask);
        assert_eq!(states(&fewer), [DecisionState::RevocationAsked]);
        assert_eq!(fewer[0].containers, ["A", "B"]);
        decision.answered(ask(), Verdict::Applied, now());
        let anew = decision.follow(&list(&[], &["B"]), now(), &ask);
        assert_eq!(anew[0].containers, ["B"]);
        // Any container is more than some, and some are fewer than any.
        let any = decision.follow(&list(&[], &[]), now(), &ask);
        assert_eq!(states(&any), [DecisionState::Granted]);
        let some = decision.follow(&list(&[], &["B"]), now(), &ask);
        assert_eq!(states(&some), [DecisionState::RevocationAsked]);
    }

    /// What gate would do on what is published, where it bars the newest that it knows: only something else than a
    /// grant frees it (gate rule 12).
    fn is_free(published: &[Decision]) -> bool {
        let mut barred = true;
        for decision in published {
            barred &= decision.state == Some(DecisionState::Granted);
        }
        !barred
    }

    #[test]
    fn rule_5_what_customs_took_back_at_gate_is_granted_anew_from_wherever_the_decision_stood() {
        let closed = Outcome {
            departed: true,
            ..list(&[], &[])
        };
        let granted = || vec![list(&[], &[])];
        for (before, too_late, published) in [
            (
                Vec::new(),
                false,
                vec![DecisionState::Withheld, DecisionState::Granted],
            ),
            (
                granted(),
                false,
                vec![DecisionState::Revoked, DecisionState::Granted],
            ),
            (
                vec![list(&["A"], &[])],
                false,
                vec![DecisionState::Withheld, DecisionState::Granted],
            ),
            (
                vec![list(&[], &[]), list(&["A"], &[])],
                true,
                vec![DecisionState::Withheld, DecisionState::Granted],
            ),
            (
                vec![list(&[], &[]), closed],
                false,
                vec![DecisionState::Withheld, DecisionState::Granted],
            ),
        ] {
            let mut decision = Decision::default();
            for outcome in &before {
                decision.follow(outcome, now(), &ask);
            }
            if too_late {
                decision.answered(ask(), Verdict::TooLate, now());
            }
            let version = decision.version;
            decision.bar();
            let anew = decision.follow(&list(&[], &[]), now(), &ask);
            assert_eq!(states(&anew), published, "{before:?}");
            assert!(is_free(&anew));
            assert_eq!(decision.version, version + 2);
            assert!(anew.iter().all(|decision| decision.ask_id.is_none()));
            assert!(
                decision.follow(&list(&[], &[]), now(), &ask).is_empty(),
                "once: {before:?}"
            );
        }
    }

    #[test]
    fn what_is_not_granted_says_nothing_anew_until_it_is_and_a_change_meanwhile_is_enough() {
        let mut decision = Decision::default();
        decision.follow(&list(&["A"], &[]), now(), &ask);
        decision.bar();
        assert!(decision.follow(&list(&["A"], &[]), now(), &ask).is_empty());
        decision.follow(&list(&["B"], &[]), now(), &ask);
        assert_eq!(
            states(&decision.follow(&list(&[], &[]), now(), &ask)),
            [DecisionState::Granted]
        );
        decision.bar();
        decision.follow(&list(&["A"], &[]), now(), &ask);
        let applied = decision.answered(ask(), Verdict::Applied, now());
        assert_eq!(states(&applied), [DecisionState::Revoked]);
        assert_eq!(
            states(&decision.follow(&list(&[], &[]), now(), &ask)),
            [DecisionState::Granted]
        );
    }

    #[test]
    fn nothing_is_decided_on_a_stay_without_a_journey() {
        let none = Outcome {
            journey: None,
            ..outcome(&["NOT_DECIDED_HERE"], "")
        };
        assert!(Decision::default().follow(&none, now(), &ask).is_empty());
    }

    #[test]
    fn only_a_granted_release_can_be_taken_back_and_only_at_its_version() {
        let mut decision = Decision::default();
        assert_eq!(
            decision.may_be_revoked(0).unwrap_err().reason,
            "RELEASE_NOT_GRANTED"
        );
        decision.follow(&outcome(&[], "h"), now(), &ask);
        assert!(decision.may_be_revoked(1).is_ok());
        assert_eq!(
            decision.may_be_revoked(9).unwrap_err().reason,
            "STALE_VERSION"
        );
    }
}
