//! How many calls a party may make: so many a second, and so many at once after a pause, whoever calls for it and over
//! however many connections. One party's haste is its own. It must not know what a call does.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};
use kernel::Refusal;

use crate::config::QuotaConfig;

/// After so many calls, parties that have not called of late are forgotten; so many are remembered at most.
const FORGET_EVERY_CALLS: u32 = 65_536;

/// The quotas of all parties, in this process.
pub(crate) struct Quotas {
    /// Of parties that have one of their own.
    own: HashMap<String, DefaultDirectRateLimiter>,
    others: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
    calls: AtomicU32,
}

impl Quotas {
    pub(crate) fn new(config: &QuotaConfig) -> Self {
        let own = config.parties.iter().map(|own| {
            let quota = quota(own.calls_per_second_max, own.calls_burst_max);
            (own.party.clone(), RateLimiter::direct(quota))
        });
        Self {
            own: own.collect(),
            others: RateLimiter::keyed(quota(config.calls_per_second_max, config.calls_burst_max)),
            clock: DefaultClock::default(),
            calls: AtomicU32::new(0),
        }
    }

    /// Counts a call of this party.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED`, with how long to wait.
    pub(crate) fn count(&self, party: &String) -> Result<(), Refusal> {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        if calls.is_multiple_of(FORGET_EVERY_CALLS) {
            self.others.retain_recent();
        }
        let counted = match self.own.get(party) {
            Some(own) => own.check(),
            None => self.others.check_key(party),
        };
        counted.map_err(|until| self.exceeded(party, &until))
    }

    fn exceeded(
        &self,
        party: &str,
        until: &NotUntil<<DefaultClock as governor::clock::Clock>::Instant>,
    ) -> Refusal {
        let wait = until.wait_time_from(self.clock.now());
        // Whoever comes back on the dot is not told to wait for nothing.
        let wait_millis = u64::try_from((wait + Duration::from_millis(1)).as_millis());
        let quota = until.quota();
        let message = format!(
            "{party} may make {} calls a second, and {} at once after a pause; send the same request again after the delay.",
            per_second(&quota),
            quota.burst_size()
        );
        Refusal::exhausted("QUOTA_EXCEEDED", message)
            .with_retry_after_millis(wait_millis.unwrap_or(u64::MAX))
            .with_resource("party", party)
    }
}

fn quota(calls_per_second_max: u32, calls_burst_max: u32) -> Quota {
    Quota::per_second(at_least_one(calls_per_second_max)).allow_burst(at_least_one(calls_burst_max))
}

/// The configuration was checked; zero would be none at all.
fn at_least_one(calls: u32) -> NonZeroU32 {
    NonZeroU32::new(calls).unwrap_or(NonZeroU32::MIN)
}

fn per_second(quota: &Quota) -> u128 {
    let between = quota.replenish_interval().as_nanos().max(1);
    (1_000_000_000 + between / 2) / between
}

#[cfg(test)]
mod tests {
    use crate::config::PartyQuota;

    use super::*;

    fn quotas() -> Quotas {
        Quotas::new(&QuotaConfig {
            calls_per_second_max: 1,
            calls_burst_max: 2,
            parties: vec![PartyQuota {
                party: "broker-a".to_owned(),
                calls_per_second_max: 1,
                calls_burst_max: 7,
            }],
        })
    }

    fn counted(quotas: &Quotas, party: &str) -> usize {
        let party = party.to_owned();
        (0..10).filter(|_| quotas.count(&party).is_ok()).count()
    }

    #[test]
    fn a_party_beyond_its_quota_is_told_how_long_to_wait_and_others_are_not_concerned() {
        let quotas = quotas();
        assert_eq!(counted(&quotas, "haulier-a"), 2);
        let refused = quotas.count(&"haulier-a".to_owned()).unwrap_err();
        assert_eq!(refused.reason, "QUOTA_EXCEEDED");
        let wait = refused.retry_after_millis.unwrap();
        assert!((1..=1_001).contains(&wait), "{wait}");
        let told = "haulier-a may make 1 calls a second, and 2 at once";
        assert!(refused.message.starts_with(told), "{}", refused.message);
        assert_eq!(counted(&quotas, "haulier-b"), 2);
    }

    #[test]
    fn a_party_may_have_a_quota_of_its_own() {
        let quotas = quotas();
        assert_eq!(counted(&quotas, "broker-a"), 7);
        assert_eq!(counted(&quotas, "broker-b"), 2);
    }
}
