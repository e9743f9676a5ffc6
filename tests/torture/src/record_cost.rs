//! What the record of what was done costs: gate's loop with it and without it, in turn, on a database each, with as many
//! filings at once as keep it busy. Signed and committed as in earnest; nothing is sent to a broker. It must not know how
//! the record is kept.

// Its output is what it is for.
#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use chassis::convert::timestamp;
use chassis::{Caller, Role};
use chrono::{DateTime, TimeDelta, Utc};
use fabric::{
    Command, Context, Decision, Fabric, FabricConfig, Fact, Handle, Origin, ReadLimits, Reads,
    Record, Service, StoreError, SubjectSet, Subjects, Timer, Unreadable, fingerprint,
};
use futures::future::join_all;
use gate::Gate;
use gate::app::{Input, Rules};
use gate::grpc::Handlers;
use prost::Message as _;
use proto::customs::events::v1 as customs;
use proto::gate::v1 as wire;
use proto::gate::v1::gate_service_server::GateService as _;
use sqlx::PgConnection;
use tokio::time::Instant;
use tonic::Request;

/// Who files: so many that none has many trucks open, each of which its next filing is weighed with.
const HAULIERS: u32 = 2_000;
/// Filings on their way at once.
const AT_ONCE: u32 = 128;
/// What is called for the first time is slow.
const WARM_UP: Duration = Duration::from_secs(5);
/// It is to cost no more, of a hundred.
const COST_PERCENT_MAX: f64 = 5.0;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Pairs of one measurement with the record and one without.
    pub rounds: usize,
    /// How long each takes.
    pub duration: Duration,
}

/// A service that keeps no record, and is otherwise the same.
struct Unrecorded<S>(S, &'static [&'static str]);

impl<S: Service> Unrecorded<S> {
    fn of(service: S) -> Self {
        let record = format!("{}.audit", S::NAME);
        let others = service.produces().iter().copied();
        let others: Vec<&'static str> = others.filter(|topic| *topic != record).collect();
        Self(service, Box::leak(others.into_boxed_slice()))
    }
}

impl<S: Service> Service for Unrecorded<S> {
    const NAME: &'static str = S::NAME;
    type Input = S::Input;
    type State = S::State;

    fn produces(&self) -> &'static [&'static str] {
        self.1
    }

    fn consumes(&self) -> &'static [&'static str] {
        self.0.consumes()
    }

    fn decode(&self, record: &Record) -> Result<S::Input, Unreadable> {
        self.0.decode(record)
    }

    fn timers(&self) -> Vec<Timer<S::Input>> {
        self.0.timers()
    }

    fn subjects(&self, input: &S::Input) -> Subjects {
        self.0.subjects(input)
    }

    fn follows(&self, input: &S::Input) -> bool {
        self.0.follows(input)
    }

    async fn follow(
        &self,
        db: &mut PgConnection,
        inputs: &[&S::Input],
    ) -> Result<Vec<Subjects>, sqlx::Error> {
        self.0.follow(db, inputs).await
    }

    async fn load(
        &self,
        db: &mut PgConnection,
        subjects: &SubjectSet,
    ) -> Result<S::State, sqlx::Error> {
        self.0.load(db, subjects).await
    }

    fn decide(&self, state: &mut S::State, input: &S::Input, context: &Context<'_>) -> Decision {
        self.0.decide(state, input, context)
    }

    fn store(
        &self,
        db: &mut PgConnection,
        state: &S::State,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.0.store(db, state, now)
    }

    fn aspect(&self, fact: &Fact) -> Option<String> {
        self.0.aspect(fact)
    }

    fn needs_knowledge(&self, input: &S::Input) -> bool {
        self.0.needs_knowledge(input)
    }
}

fn gate() -> Gate {
    Gate {
        rules: Rules {
            expiry_grace: TimeDelta::hours(4),
            decision_age_max: Duration::from_secs(3_600),
            gone_after: TimeDelta::hours(4),
            driver_retention: TimeDelta::days(30),
        },
    }
}

/// A gate that runs.
struct Running<S: Service> {
    fabric: Fabric<S>,
    handlers: Arc<Handlers>,
}

impl<S: Service<Input = Input>> Running<S> {
    async fn start(service: S, folder: &std::path::Path) -> anyhow::Result<Self> {
        let database = stack::for_tests()
            .await
            .database(
                "gate",
                async |owner_url| Ok(gate::migrate(owner_url).await?),
            )
            .await;
        let (key, _) = chassis::development_audit_key(folder)?;
        let config = FabricConfig {
            audit_key_file: Some(key),
            ..FabricConfig::for_brokers("none:9092", "")
        };
        let url = &database.service_url;
        let consumes = service.consumes();
        let fabric = Fabric::start_without_broker(Arc::new(service), config, url).await?;
        let reads = Reads::open("gate", url, ReadLimits::FEW)?;
        let (handle, admin) = (fabric.handle(), fabric.admin());
        let age = gate().rules.decision_age_max;
        let running = Self {
            handlers: Arc::new(Handlers::new(handle, admin, reads, consumes, age)),
            fabric,
        };
        running.furnish().await?;
        Ok(running)
    }

    /// The sites, and the hauliers.
    async fn furnish(&self) -> anyhow::Result<()> {
        let handle: Handle<Input> = self.fabric.handle();
        for site in gate::seed::sites()? {
            let command = Command {
                party: "seed".into(),
                origin: Origin::default(),
                request_id: Some(kernel::new_id()),
                fingerprint: fingerprint("DeclareSite", site.site_id.as_bytes()),
                traceparent: None,
                input: Input::DeclareSite(site),
            };
            let reply = handle.submit("site", command).await;
            anyhow::ensure!(reply.outcome.is_ok(), "a site is refused");
        }
        let known = (0..HAULIERS).map(|number| async move {
            let party = haulier(number);
            let event = customs::PartyEvent {
                recorded_at: Some(timestamp(Utc::now())),
                fact: Some(customs::party_event::Fact::Party(customs::Party {
                    party_id: party.clone(),
                    name: party.clone(),
                    version: 1,
                    ..Default::default()
                })),
            };
            let payload = event.encode_to_vec();
            self.fabric
                .apply("customs.party", &party, "greenlane.customs.party", payload)
                .await
        });
        for known in join_all(known).await {
            known.map_err(anyhow::Error::msg)?;
        }
        Ok(())
    }

    /// Files trucks for so long: how many a second.
    #[allow(clippy::float_arithmetic)] // neither money nor quantity
    async fn measured(&self, duration: Duration) -> anyhow::Result<f64> {
        static TRUCKS: AtomicU32 = AtomicU32::new(0);
        let answered = AtomicU64::new(0);
        let begin = Instant::now();
        let filing = async || -> anyhow::Result<()> {
            while begin.elapsed() < duration {
                let number = TRUCKS.fetch_add(1, Ordering::Relaxed);
                let asked = self.handlers.submit_pre_arrival(filing(number));
                asked.await.context("a filing is refused")?;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        for filed in join_all((0..AT_ONCE).map(|_| filing())).await {
            filed?;
        }
        let answered = u32::try_from(answered.into_inner())?;
        Ok(f64::from(answered) / begin.elapsed().as_secs_f64())
    }
}

fn haulier(number: u32) -> String {
    format!("haulier-{number}")
}

fn filing(number: u32) -> Request<wire::SubmitPreArrivalRequest> {
    let mut request = Request::new(crate::attacks::truck(number));
    request.extensions_mut().insert(Arc::new(Caller {
        subject: "dispatch".to_owned(),
        party: haulier(number % HAULIERS),
        roles: [Role::Haulier].into(),
        sites: [].into(),
        address: Some(std::net::Ipv4Addr::LOCALHOST.into()),
    }));
    request
}

/// Measures, and says whether the record costs no more than it may.
///
/// # Errors
/// A filing is refused, or the database does not answer.
#[allow(clippy::float_arithmetic)] // neither money nor quantity
pub async fn run(options: Options) -> anyhow::Result<bool> {
    let folder = tempfile::tempdir()?;
    println!("starting a gate with the record, and one without");
    let with = Running::start(gate(), folder.path()).await?;
    let without = Running::start(Unrecorded::of(gate()), folder.path()).await?;
    with.measured(WARM_UP).await?;
    without.measured(WARM_UP).await?;
    let mut ratios = Vec::new();
    for round in 0..options.rounds {
        // Whoever is measured first finds the machine as the round before left it.
        let (with, without) = if round % 2 == 0 {
            let with = with.measured(options.duration).await?;
            (with, without.measured(options.duration).await?)
        } else {
            let without = without.measured(options.duration).await?;
            (with.measured(options.duration).await?, without)
        };
        println!("{with:8.0} filings a second with the record, {without:8.0} without");
        ratios.push(with / without);
    }
    ratios.sort_by(f64::total_cmp);
    let cost = |ratio: Option<&f64>| ratio.map_or(100.0, |ratio| (1.0 - ratio) * 100.0);
    let median = cost(ratios.get(ratios.len() / 2));
    println!(
        "The record costs {median:.1} % of throughput ({:.1} to {:.1} %).",
        cost(ratios.last()),
        cost(ratios.first())
    );
    with.fabric.stop().await;
    without.fabric.stop().await;
    Ok(median <= COST_PERCENT_MAX)
}
