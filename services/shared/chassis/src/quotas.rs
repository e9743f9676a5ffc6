//! How many calls a party may make, of all and of single RPCs: so many a second, and so many at once after a pause; how
//! many of them it may have in hand, and how many streams open; whoever calls for it and over however many connections. One party's haste is its own.
//! It must not know what a call does.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};
use kernel::Refusal;

use crate::config::QuotaConfig;

/// After so many calls, parties that have not called of late are forgotten; so many are remembered at most.
const FORGET_EVERY_CALLS: u32 = 65_536;

/// A party whose streams are all open is asked to wait so long: one may end.
const STREAM_RETRY_MILLIS: u64 = 1_000;
/// A party with as many calls in hand as it may have is asked to wait so long: some end meanwhile.
const IN_HAND_RETRY_MILLIS: u64 = 100;

type Moment = <DefaultClock as governor::clock::Clock>::Instant;

/// The quotas of all parties, in this process.
pub(crate) struct Quotas {
    /// Of parties that have one of their own.
    own: HashMap<String, Own>,
    others: DefaultKeyedRateLimiter<String>,
    /// Of single RPCs, by their path; each party has the same.
    rpcs: HashMap<String, DefaultKeyedRateLimiter<String>>,
    at_once: AtOnce,
    in_hand: Arc<Counts>,
    open_streams: Arc<Counts>,
    clock: DefaultClock,
    calls: AtomicU32,
}

struct Own {
    calls: DefaultDirectRateLimiter,
    at_once: AtOnce,
}

/// How many a party may have at once.
#[derive(Clone, Copy)]
struct AtOnce {
    calls_in_hand_max: u32,
    streams_max: u32,
}

/// How many each party has at once; a party that has none is not among them.
#[derive(Default)]
struct Counts(Mutex<HashMap<String, u32>>);

impl Counts {
    /// One more, if the party has fewer than so many.
    fn take(self: &Arc<Self>, party: &str, max: u32) -> Option<Counted> {
        let mut counts = self.held();
        let count = counts.get(party).copied().unwrap_or_default();
        if count >= max {
            return None;
        }
        counts.insert(party.to_owned(), count + 1);
        Some(Counted {
            party: party.to_owned(),
            counts: Arc::clone(self),
        })
    }

    /// Whoever panicked while counting left a count that is whole.
    fn held(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call or stream of a party, counted until this is dropped.
pub(crate) struct Counted {
    party: String,
    counts: Arc<Counts>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.held();
        if let Some(count) = counts.get_mut(&self.party) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.party);
            }
        }
    }
}

impl Quotas {
    pub(crate) fn new(config: &QuotaConfig) -> Self {
        let own = config.parties.iter().map(|own| {
            let quota = quota(own.calls_per_second_max, own.calls_burst_max);
            let calls = RateLimiter::direct(quota);
            let at_once = AtOnce {
                calls_in_hand_max: own.calls_in_hand_max,
                streams_max: own.streams_max,
            };
            (own.party.clone(), Own { calls, at_once })
        });
        let rpcs = config.rpcs.iter().map(|own| {
            let quota = quota(own.calls_per_second_max, own.calls_burst_max);
            (path_of(&own.rpc), RateLimiter::keyed(quota))
        });
        Self {
            own: own.collect(),
            rpcs: rpcs.collect(),
            others: RateLimiter::keyed(quota(config.calls_per_second_max, config.calls_burst_max)),
            at_once: AtOnce {
                calls_in_hand_max: config.calls_in_hand_max,
                streams_max: config.streams_max,
            },
            in_hand: Arc::default(),
            open_streams: Arc::default(),
            clock: DefaultClock::default(),
            calls: AtomicU32::new(0),
        }
    }

    /// Counts a call of this party, of the RPC at this path.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED`, with how long to wait.
    pub(crate) fn count(&self, party: &String, path: &str) -> Result<(), Refusal> {
        self.counted(party)
            .map_err(|until| self.exceeded(party, "", &until))?;
        match self.rpcs.get(path) {
            Some(rpc) => rpc
                .check_key(party)
                .map_err(|until| self.exceeded(party, path, &until)),
            None => Ok(()),
        }
    }

    /// Counts a message of a stream of this party as a call.
    ///
    /// # Errors
    /// How long to wait before it is counted again.
    pub(crate) fn count_message(&self, party: &String) -> Result<(), Duration> {
        self.counted(party)
            .map_err(|until| until.wait_time_from(self.clock.now()))
    }

    fn counted(&self, party: &String) -> Result<(), NotUntil<Moment>> {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        if calls.is_multiple_of(FORGET_EVERY_CALLS) {
            self.others.retain_recent();
            self.rpcs.values().for_each(RateLimiter::retain_recent);
        }
        match self.own.get(party) {
            Some(own) => own.calls.check(),
            None => self.others.check_key(party),
        }
    }

    /// Counts a call of this party as long as it is in hand.
    ///
    /// # Errors
    /// `QUOTA_EXCEEDED`.
    pub(crate) fn take_in_hand(&self, party: &str) -> Result<Counted, Refusal> {
        let max = self.at_once(party).calls_in_hand_max;
        self.in_hand.take(party, max).ok_or_else(|| {
            let message = format!(
                "{party} may have {max} calls in hand at once; wait for answers, and send the same request again after the delay."
            );
            Refusal::exhausted("QUOTA_EXCEEDED", message)
                .with_retry_after_millis(IN_HAND_RETRY_MILLIS)
                .with_resource("party", party)
        })
    }

    /// Counts a stream that this party opens, as long as it is open.
    ///
    /// # Errors
    /// `STREAMS_EXCEEDED`.
    pub(crate) fn open_stream(&self, party: &str) -> Result<Counted, Refusal> {
        let max = self.at_once(party).streams_max;
        self.open_streams.take(party, max).ok_or_else(|| {
            let message = format!(
                "{party} may have {max} streams open at once; end one that nobody reads, or ask again after the delay."
            );
            Refusal::exhausted("STREAMS_EXCEEDED", message)
                .with_retry_after_millis(STREAM_RETRY_MILLIS)
                .with_resource("party", party)
        })
    }

    fn at_once(&self, party: &str) -> AtOnce {
        self.own.get(party).map_or(self.at_once, |own| own.at_once)
    }

    /// `path` is empty where it is the quota of all calls.
    fn exceeded(&self, party: &str, path: &str, until: &NotUntil<Moment>) -> Refusal {
        let wait = until.wait_time_from(self.clock.now());
        // Whoever comes back on the dot is not told to wait for nothing.
        let wait_millis = u64::try_from((wait + Duration::from_millis(1)).as_millis());
        let quota = until.quota();
        let of = match path.rsplit('/').next() {
            None | Some("") => String::new(),
            Some(rpc) => format!(" of {rpc}"),
        };
        let message = format!(
            "{party} may make {} calls{of} a second, and {} at once after a pause; send the same request again after the delay.",
            per_second(&quota),
            quota.burst_size()
        );
        Refusal::exhausted("QUOTA_EXCEEDED", message)
            .with_retry_after_millis(wait_millis.unwrap_or(u64::MAX))
            .with_resource("party", party)
    }
}

/// An RPC of the configuration as the wire has it.
pub(crate) fn path_of(rpc: &str) -> String {
    format!("/{rpc}")
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
    use crate::config::{PartyQuota, RpcQuota};

    use super::*;

    fn quotas() -> Quotas {
        Quotas::new(&QuotaConfig {
            calls_per_second_max: 1,
            calls_burst_max: 2,
            calls_in_hand_max: 2,
            streams_max: 1,
            parties: vec![PartyQuota {
                party: "broker-a".to_owned(),
                calls_per_second_max: 1,
                calls_burst_max: 7,
                calls_in_hand_max: 3,
                streams_max: 2,
            }],
            rpcs: vec![RpcQuota {
                rpc: "a.B/Dear".to_owned(),
                calls_per_second_max: 1,
                calls_burst_max: 3,
            }],
        })
    }

    fn counted(quotas: &Quotas, party: &str) -> usize {
        let party = party.to_owned();
        (0..10)
            .filter(|_| quotas.count(&party, "/a.B/Cheap").is_ok())
            .count()
    }

    #[test]
    fn a_party_beyond_its_quota_is_told_how_long_to_wait_and_others_are_not_concerned() {
        let quotas = quotas();
        assert_eq!(counted(&quotas, "haulier-a"), 2);
        let refused = quotas
            .count(&"haulier-a".to_owned(), "/a.B/Cheap")
            .unwrap_err();
        assert_eq!(refused.reason, "QUOTA_EXCEEDED");
        let wait = refused.retry_after_millis.unwrap();
        assert!((1..=1_001).contains(&wait), "{wait}");
        let told = "haulier-a may make 1 calls a second, and 2 at once";
        assert!(refused.message.starts_with(told), "{}", refused.message);
        assert_eq!(counted(&quotas, "haulier-b"), 2);
    }

    #[test]
    fn an_rpc_may_have_a_quota_within_that_of_all_calls_and_each_party_has_its_own() {
        let quotas = quotas();
        let broker = "broker-a".to_owned();
        let dear = |party: &String| quotas.count(party, "/a.B/Dear");
        assert_eq!((0..6).filter(|_| dear(&broker).is_ok()).count(), 3);
        let told = "broker-a may make 1 calls of Dear a second, and 3 at once";
        assert!(quotas.count(&broker, "/a.B/Cheap").is_ok(), "of seven");
        let mut fresh = quotas.count(&"broker-c".to_owned(), "/a.B/Dear");
        assert!(fresh.is_ok(), "{fresh:?}");
        fresh = quotas.rpcs["/a.B/Dear"]
            .check_key(&broker)
            .map_err(|until| quotas.exceeded(&broker, "/a.B/Dear", &until));
        assert!(fresh.unwrap_err().message.starts_with(told));
    }

    #[test]
    fn a_party_has_so_many_streams_open_and_a_place_that_it_gives_back_is_free() {
        let quotas = quotas();
        let first = quotas.open_stream("haulier-a").unwrap();
        let refused = quotas.open_stream("haulier-a").err().unwrap();
        assert_eq!(refused.reason, "STREAMS_EXCEEDED");
        assert_eq!(refused.retry_after_millis, Some(STREAM_RETRY_MILLIS));
        let _others =
            ["broker-a", "broker-a", "haulier-b"].map(|party| quotas.open_stream(party).unwrap());
        assert!(quotas.open_stream("broker-a").is_err());
        drop(first);
        assert_eq!(quotas.open_streams.held().len(), 2);
        let _again = quotas.open_stream("haulier-a").unwrap();
    }

    #[test]
    fn a_party_has_so_many_calls_in_hand_whatever_others_have() {
        let quotas = quotas();
        let first = quotas.take_in_hand("haulier-a").unwrap();
        let _second = quotas.take_in_hand("haulier-a").unwrap();
        let refused = quotas.take_in_hand("haulier-a").err().unwrap();
        assert_eq!(refused.reason, "QUOTA_EXCEEDED");
        assert_eq!(refused.retry_after_millis, Some(IN_HAND_RETRY_MILLIS));
        let _others = ["broker-a", "broker-a", "broker-a", "haulier-b"]
            .map(|party| quotas.take_in_hand(party).unwrap());
        assert!(quotas.take_in_hand("broker-a").is_err());
        drop(first);
        let _again = quotas.take_in_hand("haulier-a").unwrap();
    }

    #[test]
    fn a_party_may_have_a_quota_of_its_own() {
        let quotas = quotas();
        assert_eq!(counted(&quotas, "broker-a"), 7);
        assert_eq!(counted(&quotas, "broker-b"), 2);
    }
}
