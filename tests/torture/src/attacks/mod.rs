//! Attacks on the wire against a service of a real site, and what honest callers notice of them: their p99 during an
//! attack against their p99 without, in turn, the memory of the service, and whether it is still the same process. It must
//! not know how an attack is made.

// Its output is what it is for.
#![allow(clippy::print_stdout)]

mod frames;
mod kinds;

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use chassis::DevelopmentIssuer;
use chassis::convert::timestamp;
use chrono::{TimeDelta, Utc};
use clap::ValueEnum as _;
use futures::future::join_all;
use proto::gate::v1 as gate;
use tokio::time::Instant;

pub use self::kinds::Attack;
use self::kinds::Tally;
use crate::play::opening;
use crate::play::parties::Parties;
use crate::site::Site;

/// What attackers call, and honest callers too.
const FILING: &str = "/greenlane.gate.v1.GateService/SubmitPreArrival";
/// Honest callers file so many trucks a second, at times that do not depend on the answers.
const FILINGS_PER_SECOND: u32 = 50;
/// Before it is measured: what is called for the first time is slow.
const WARM_UP: Duration = Duration::from_secs(5);
/// How long an attack goes on before it is measured.
const ATTACK_BEFORE: Duration = Duration::from_secs(1);
/// What an attack leaves has so long to be cleared away.
const REST: Duration = Duration::from_secs(1);
/// The p99 of honest callers during an attack is to be at most so many times what it is without.
const P99_RATIO_MAX: f64 = 2.0;
/// Their p99, and their median, while a party asks for more than its quota.
const OVER_QUOTA_RATIO_MAX: f64 = 1.2;
/// The service's memory is to grow by no more.
const MEMORY_MIB_MAX: u64 = 256;

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Pairs of one measurement without and one with each attack.
    pub rounds: usize,
    /// How long each takes.
    pub duration: Duration,
    /// Only these; all if there are none.
    pub only: Vec<Attack>,
}

/// Whom an attacker attacks, and as whom.
pub struct Target {
    address: SocketAddr,
    bearer: String,
    /// Of the party that asks for more than its quota.
    hasty_bearer: String,
    /// The headers of a call, encoded.
    headers: Vec<u8>,
    /// The same of a call with a compressed message.
    packed_headers: Vec<u8>,
    pid: u32,
}

impl Target {
    fn of(site: &Site) -> anyhow::Result<Target> {
        let endpoints = site.endpoints().context("up has published nothing")?;
        let url = endpoints["gate"]["grpc"].as_str().context("no address")?;
        let issuer = DevelopmentIssuer::create_or_open(&site.state())?;
        // The strongest attacker is one who may call.
        let roles = [chassis::Role::Haulier];
        let lifetime = TimeDelta::hours(2);
        let bearer = |party: &str| {
            let token = issuer.token(party, &roles, &[], "somebody", Utc::now(), lifetime);
            format!("Bearer {token}")
        };
        let (bearer, hasty_bearer) = (bearer("attacker"), bearer(kinds::HASTY));
        let headers = frames::call(FILING, &bearer, None);
        let packed_headers = frames::call(FILING, &bearer, Some("gzip"));
        Ok(Target {
            address: url.trim_start_matches("http://").parse()?,
            bearer,
            hasty_bearer,
            headers,
            packed_headers,
            pid: site.service("gate").pid,
        })
    }

    /// How much memory it uses, in MiB; nothing if the process has ended.
    fn memory_mib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
        Some(kibibytes / 1_024)
    }
}

/// How long honest callers waited.
#[derive(Clone, Copy, Default)]
struct Waits {
    median: Duration,
    p99: Duration,
}

/// What came of an attack.
struct Told {
    attack: Attack,
    quiet: Vec<Waits>,
    attacked: Vec<Waits>,
    lost: usize,
    memory_before_mib: u64,
    memory_most_mib: u64,
    alive: bool,
    sent: u64,
    refused: u64,
}

impl Told {
    /// The rounds' ratios, in order.
    #[allow(clippy::float_arithmetic)] // neither money nor quantity
    fn ratios(&self, of: impl Fn(&Waits) -> Duration) -> Vec<f64> {
        let pairs = self.quiet.iter().zip(&self.attacked);
        let mut ratios: Vec<f64> = pairs
            .map(|(quiet, attacked)| of(attacked).as_secs_f64() / of(quiet).as_secs_f64())
            .collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    fn memory_more_mib(&self) -> u64 {
        self.memory_most_mib.saturating_sub(self.memory_before_mib)
    }

    fn is_withstood(&self) -> bool {
        let middle = |ratios: Vec<f64>| ratios.get(ratios.len() / 2).copied().unwrap_or(f64::MAX);
        let p99 = middle(self.ratios(|waits| waits.p99));
        let is_as_fast = match self.attack {
            Attack::OverQuota => {
                p99.max(middle(self.ratios(|waits| waits.median))) <= OVER_QUOTA_RATIO_MAX
            }
            _ => p99 <= P99_RATIO_MAX,
        };
        self.alive && self.lost == 0 && is_as_fast && self.memory_more_mib() <= MEMORY_MIB_MAX
    }

    fn print(&self) {
        let told = |ratios: Vec<f64>| {
            let at = |index: usize| ratios.get(index).copied().unwrap_or_default();
            let (middle, most) = (ratios.len() / 2, ratios.len().saturating_sub(1));
            format!("{:.2} times ({:.2} to {:.2})", at(middle), at(0), at(most))
        };
        let millis = |all: &[Waits]| {
            let mut all: Vec<Duration> = all.iter().map(|waits| waits.p99).collect();
            all.sort_unstable();
            all.get(all.len() / 2).map_or(0, Duration::as_millis)
        };
        let name = self.attack.to_possible_value();
        println!(
            "{:14} p99 {:4} ms without, {:4} ms with: {}; median {}; {:3} calls lost; {:3} MiB more; sent {}, thrown out {}; {}",
            name.as_ref().map_or("", |name| name.get_name()),
            millis(&self.quiet),
            millis(&self.attacked),
            told(self.ratios(|waits| waits.p99)),
            told(self.ratios(|waits| waits.median)),
            self.lost,
            self.memory_more_mib(),
            self.sent,
            self.refused,
            match (self.alive, self.is_withstood()) {
                (false, _) => "it has ended",
                (true, true) => "withstood",
                (true, false) => "not withstood",
            }
        );
    }
}

/// Starts a site and attacks its gate. Whether it withstood everything.
///
/// # Errors
/// The site cannot be asked.
///
/// # Panics
/// If the site does not start.
pub async fn run(options: Options) -> anyhow::Result<bool> {
    println!("starting the site");
    let (site, parties, _) = opening::open_with(vec![kinds::hasty_quota()]).await;
    let target = Arc::new(Target::of(site)?);
    let mut plates = 0;
    honest(parties, WARM_UP, &mut plates).await;

    let attacks = match options.only.as_slice() {
        [] => Attack::value_variants(),
        some => some,
    };
    let mut withstood = true;
    for attack in attacks {
        let told = attacked(parties, &target, *attack, &options, &mut plates).await?;
        told.print();
        withstood &= told.is_withstood();
        if !told.alive {
            break;
        }
    }
    println!(
        "{}",
        if withstood {
            "Every attack was withstood."
        } else {
            "Not every attack was withstood."
        }
    );
    Ok(withstood)
}

async fn attacked(
    parties: &'static Parties,
    target: &Arc<Target>,
    attack: Attack,
    options: &Options,
    plates: &mut u32,
) -> anyhow::Result<Told> {
    let mut told = Told {
        attack,
        quiet: Vec::new(),
        attacked: Vec::new(),
        lost: 0,
        memory_before_mib: target.memory_mib().context("gate has ended")?,
        memory_most_mib: 0,
        alive: true,
        sent: 0,
        refused: 0,
    };
    for _ in 0..options.rounds {
        // What a party may ask is no attack.
        let allowed = (attack == Attack::OverQuota)
            .then(|| Attacking::begin(Arc::clone(target), Attack::AtQuota));
        let (quiet, lost) = honest(parties, options.duration, plates).await;
        told.quiet.push(quiet);
        told.lost += lost;
        if let Some(allowed) = allowed {
            allowed.end()?;
        }
        let attacking = Attacking::begin(Arc::clone(target), attack);
        tokio::time::sleep(ATTACK_BEFORE).await;
        let (attacked, lost) = {
            let measured = honest(parties, options.duration, plates);
            tokio::pin!(measured);
            loop {
                tokio::select! {
                    measured = &mut measured => break measured,
                    () = tokio::time::sleep(Duration::from_millis(50)) => {
                        let memory = target.memory_mib().unwrap_or_default();
                        told.memory_most_mib = told.memory_most_mib.max(memory);
                    }
                }
            }
        };
        told.attacked.push(attacked);
        told.lost += lost;
        let tally = attacking.end()?;
        told.sent += tally.sent.load(Ordering::Relaxed);
        told.refused += tally.refused.load(Ordering::Relaxed);
        tokio::time::sleep(REST).await;
        told.alive = target.memory_mib().is_some();
        if !told.alive {
            break;
        }
    }
    Ok(told)
}

/// An attacker, on a thread of its own: what it does is not to be felt but by way of the service.
struct Attacking {
    tally: Arc<Tally>,
    stop: tokio::sync::oneshot::Sender<()>,
    thread: std::thread::JoinHandle<anyhow::Result<()>>,
}

impl Attacking {
    fn begin(target: Arc<Target>, attack: Attack) -> Attacking {
        let tally = Arc::new(Tally::default());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let counted = Arc::clone(&tally);
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build()?;
            runtime.block_on(async {
                tokio::select! {
                    () = attack.go_on(&target, &counted) => {}
                    _ = stopped => {}
                }
            });
            Ok(())
        });
        Attacking {
            tally,
            stop,
            thread,
        }
    }

    fn end(self) -> anyhow::Result<Arc<Tally>> {
        // It may have ended already.
        let _ = self.stop.send(());
        match self.thread.join() {
            Ok(ended) => ended.map(|()| self.tally),
            Err(_) => anyhow::bail!("the attacker panicked"),
        }
    }
}

/// Files trucks for so long, each at its time: the waits from there, and how many were not answered.
async fn honest(parties: &'static Parties, duration: Duration, plates: &mut u32) -> (Waits, usize) {
    let begin = Instant::now();
    let count = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX) * FILINGS_PER_SECOND;
    let calls = (0..count).map(|number| {
        *plates += 1;
        let request = truck(*plates);
        let at = begin + Duration::from_secs(1) * number / FILINGS_PER_SECOND;
        async move {
            tokio::time::sleep_until(at).await;
            let answered = parties.haulier.gate().submit_pre_arrival(request).await;
            (at.elapsed(), answered.is_err())
        }
    });
    let answered = join_all(calls.collect::<Vec<_>>()).await;
    let lost = answered.iter().filter(|(_, lost)| *lost).count();
    let mut waits: Vec<Duration> = answered.into_iter().map(|(wait, _)| wait).collect();
    waits.sort_unstable();
    let at = |hundredth: usize| waits.get(waits.len() * hundredth / 100).copied();
    let waits = Waits {
        median: at(50).unwrap_or_default(),
        p99: at(99).unwrap_or_default(),
    };
    (waits, lost)
}

/// An empty truck of its own.
pub(crate) fn truck(number: u32) -> gate::SubmitPreArrivalRequest {
    let series = *b"BCDEFGHJKLMNPQRSTUVWXYZ"
        .get(number as usize / 100_000)
        .unwrap_or(&b'A');
    gate::SubmitPreArrivalRequest {
        request_id: kernel::new_id().to_string(),
        site_id: "GUOYUAN-PORT".to_owned(),
        kind: gate::PreArrivalKind::EmptyVehicle.into(),
        vehicle: Some(gate::Vehicle {
            tractor: Some(gate::Plate {
                text: format!("渝{}{:05}", char::from(series), number % 100_000),
                country_code: String::new(),
            }),
            trailer: None,
        }),
        driver: Some(gate::Driver {
            name: "Zhang Wei".to_owned(),
            licence: "500103198801012345".to_owned(),
            phone: String::new(),
        }),
        planned_arrival: Some(timestamp(Utc::now() + TimeDelta::minutes(30))),
        ..Default::default()
    }
}
