//! How the journeys are played: all five at once, each step after step, with somebody away in between as a plan
//! says. Whoever is away comes back at the plan's later step, or sooner where the journey that the outage belongs
//! to cannot go on without it; the others meanwhile ask again, and wait. This file must not know what a step asks
//! of the services.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout_at};
use torture::checker;
use torture::evidence::Evidence;
use torture::play::history;

use crate::barrier::Barrier;
use crate::chance::Chance;
use crate::digest::{Digest, Figures, Ledgers};
use crate::journey::{self, Journey};
use crate::outage::{Outage, Target, Victim, Way};
use crate::parties::Parties;
use crate::script::{JOURNEYS, Step};
use crate::site::Site;
use crate::waiting::seen;

/// How often in each journey somebody is stopped.
const POINTS_VARIABLE: &str = "FAULTS_POINTS";
/// Somebody is kept away for so many steps at most ...
const STEPS_AWAY_MAX: usize = 5;
/// ... and so long: gate would soon know too little of it to let anybody through.
const TIME_AWAY_MAX: Duration = Duration::from_secs(8);
/// A call is cut within so many milliseconds.
const CALL_MILLIS_MAX: usize = 10;
/// A service that is away is asked for so long.
const PATIENCE: Duration = Duration::from_millis(300);
/// A service that is up answers a read within this time, whoever else is away.
const READ_DEADLINE: Duration = Duration::from_secs(10);

/// When, within a step, somebody is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    BeforeTheCall,
    /// So that the call or its answer may be lost.
    DuringTheCall {
        /// Counted from the call; most are answered within a few.
        millis: u64,
    },
    /// So that it may not have told anybody yet.
    AfterTheAnswer,
}

impl Moment {
    /// By chance; what calls nobody has nothing to be in the middle of.
    fn of(step: Step, chance: &Chance) -> Moment {
        let millis = u64::try_from(chance.below(CALL_MILLIS_MAX)).unwrap();
        let moment = chance.one_of(&[
            Moment::BeforeTheCall,
            Moment::DuringTheCall { millis },
            Moment::AfterTheAnswer,
        ]);
        match step.calls() {
            Some(_) => moment,
            None => Moment::BeforeTheCall,
        }
    }
}

/// One outage of a journey.
#[derive(Clone, Copy, Debug)]
struct Strike {
    step: usize,
    moment: Moment,
    way: Way,
    /// Kept away for so many steps; 0: back as soon as `up` starts it again.
    steps_away: usize,
}

/// Who is stopped, and when in which journey.
pub struct Plan {
    victim: Victim,
    /// Of each journey, in the order of its steps.
    strikes: [Vec<Strike>; JOURNEYS.len()],
}

impl Plan {
    /// A plan by chance, with as many outages in each journey as the environment says.
    pub fn of(victim: Victim, chance: &Chance) -> Plan {
        let points = match std::env::var(POINTS_VARIABLE) {
            Ok(text) => text.parse().expect("FAULTS_POINTS is a number"),
            Err(_) => 1,
        };
        let mut strikes = JOURNEYS.map(|script| {
            let mut steps = BTreeSet::new();
            while steps.len() < script.steps.len().min(points) {
                steps.insert(chance.below(script.steps.len()));
            }
            let strike = |step: usize| Strike {
                step,
                moment: Moment::of(script.steps[step], chance),
                way: chance.one_of(&[Way::Kill, Way::End, Way::Freeze]),
                steps_away: chance.below(STEPS_AWAY_MAX + 1),
            };
            steps.into_iter().map(strike).collect::<Vec<_>>()
        });
        let mut restarts: Vec<&mut Strike> = strikes
            .iter_mut()
            .flatten()
            .filter(|strike| strike.way != Way::Freeze)
            .collect();
        while restarts.len() > restarts_max(victim, points) {
            let spared = restarts.swap_remove(chance.below(restarts.len()));
            spared.way = Way::Freeze;
        }
        Plan { victim, strikes }
    }
}

/// How many outages of a play may be such that `up` starts somebody again: for Kafka that takes seconds, and
/// before a service it waits twice as long each time.
fn restarts_max(victim: Victim, points: usize) -> usize {
    match victim {
        Victim::Kafka => points + 1,
        _ => points + 2,
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.victim)?;
        for (script, strikes) in JOURNEYS.iter().zip(&self.strikes) {
            for strike in strikes {
                let Strike {
                    step,
                    moment,
                    way,
                    steps_away,
                } = strike;
                let step = script.steps[*step];
                write!(
                    formatter,
                    " {} {way:?} {moment:?} of {step:?}, for {steps_away} steps;",
                    script.name
                )?;
            }
        }
        Ok(())
    }
}

/// The site, its parties and databases, and the trucks at its barrier.
pub struct Stage {
    site: &'static Site,
    /// Everybody who takes part.
    pub parties: Parties,
    ledgers: Ledgers,
}

impl Stage {
    /// Opens it, once all services know each other's parties, sites and state.
    pub async fn open(site: &'static Site) -> Stage {
        let stage = Stage {
            site,
            parties: Parties::of(site),
            ledgers: Ledgers::open(site),
        };
        journey::stock_is_seeded(&stage.parties).await;
        stage.ledgers.settled().await;
        stage
    }

    /// Plays all journeys, and says how everything stands afterwards.
    pub async fn play_all(&self, plan: Option<&Plan>) -> Digest {
        let barrier = Mutex::new(Barrier::with_its_trucks(&self.parties).await);
        let before = self.ledgers.figures().await;
        let mut journeys = JOURNEYS.map(|script| Journey::new(&self.parties, script));
        match plan {
            Some(plan) => {
                let plays = journeys.iter_mut().zip(&plan.strikes);
                join_all(plays.map(|(journey, strikes)| {
                    let disturbed = Disturbed {
                        stage: self,
                        barrier: &barrier,
                        victim: plan.victim,
                        strikes,
                        away: None,
                    };
                    Box::pin(disturbed.play(journey))
                }))
                .await;
            }
            None => {
                let plays = journeys.iter_mut();
                join_all(plays.map(|journey| {
                    let begin = journey.script.steps[0];
                    self.play_from(journey, begin)
                }))
                .await;
            }
        }
        barrier.lock().await.stays_closed(None).await;
        self.digest(&journeys, &before).await
    }

    async fn digest(&self, journeys: &[Journey<'_>], before: &Figures) -> Digest {
        self.ledgers.settled().await;
        let endpoints = self.site.endpoints().expect("it runs");
        let evidence = Evidence::read(&endpoints).await.unwrap();
        assert_eq!(checker::violations(&evidence), []);
        let lost = checker::history::violations(&evidence, &history::all());
        assert_eq!(lost, []);
        self.ledgers.digest(journeys, before).await
    }

    /// Plays what comes before a step.
    pub async fn play_until(&self, journey: &mut Journey<'_>, end: Step) {
        for step in journey.script.steps.iter().take_while(|step| **step != end) {
            journey.act(*step).await;
            journey.consequence(*step).await;
        }
    }

    /// Plays a step and what comes after it.
    pub async fn play_from(&self, journey: &mut Journey<'_>, begin: Step) {
        for step in journey
            .script
            .steps
            .iter()
            .skip_while(|step| **step != begin)
        {
            journey.act(*step).await;
            journey.consequence(*step).await;
        }
    }

    /// Waits until what gate knows of release's decisions is older than it may be.
    pub async fn until_knowledge_is_old(&self) {
        journey::knowledge_is_old(&self.parties).await;
    }

    /// Every service but the one that is away answers a read.
    async fn others_answer(&self, away: Victim) {
        let others = Victim::SERVICES
            .into_iter()
            .filter(|service| *service != away);
        join_all(others.map(async |service| {
            let what = format!("{service} answers without {away}");
            let answer = seen(&what, async || self.parties.read(service).await.map(Ok));
            let in_time = tokio::time::timeout(READ_DEADLINE, answer).await;
            assert!(in_time.is_ok(), "{what}: it did not");
        }))
        .await;
    }
}

/// A journey while somebody is away.
struct Disturbed<'a, 'b> {
    stage: &'a Stage,
    barrier: &'a Mutex<Barrier<'b>>,
    victim: Victim,
    strikes: &'a [Strike],
    away: Option<Away<'a, 'b>>,
}

/// The victim, away for one journey. There is one barrier, so there is one outage at a time.
struct Away<'a, 'b> {
    outage: Outage,
    barrier: MutexGuard<'a, Barrier<'b>>,
    /// The last step for which it may be away.
    last_step: usize,
    until: Instant,
}

impl<'a, 'b> Disturbed<'a, 'b> {
    async fn play(mut self, journey: &mut Journey<'_>) {
        for (number, step) in journey.script.steps.iter().enumerate() {
            match self.strikes.iter().find(|strike| strike.step == number) {
                Some(strike) => self.act_struck(journey, *step, strike).await,
                None => self.go_on(*step, journey.act(*step)).await,
            }
            let time_is_over = self
                .away
                .as_ref()
                .is_some_and(|away| number >= away.last_step);
            if time_is_over || step.rests_on().contains(&self.victim) {
                self.end().await;
            }
            self.in_time(journey.consequence(*step)).await;
        }
        self.end().await;
    }

    /// A step's act, begun or not, with the victim away or not.
    async fn go_on(&mut self, step: Step, acting: impl Future<Output = ()>) {
        if self.away.is_some() && step.calls() == Some(self.victim) {
            // The call is made while it is away, and answered when it is back.
            tokio::join!(acting, self.end());
        } else {
            self.in_time(acting).await;
        }
    }

    async fn act_struck(&mut self, journey: &mut Journey<'_>, step: Step, strike: &Strike) {
        self.end().await;
        let barrier = self.barrier.lock().await;
        let target = Target::find(self.stage.site, self.victim).await;
        match strike.moment {
            Moment::BeforeTheCall => {
                self.strike(strike, target, barrier).await;
                self.go_on(step, journey.act(step)).await;
            }
            Moment::DuringTheCall { millis } => {
                let acting = journey.act(step);
                // Chance decides what is lost, the call, the answer or nothing.
                let striking = Box::pin(async {
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    self.strike(strike, target, barrier).await;
                });
                let unanswered = match select(acting, striking).await {
                    Either::Left(((), striking)) => {
                        striking.await;
                        None
                    }
                    Either::Right(((), acting)) => Some(acting),
                };
                if let Some(acting) = unanswered {
                    self.go_on(step, acting).await;
                }
            }
            Moment::AfterTheAnswer => {
                journey.act(step).await;
                self.strike(strike, target, barrier).await;
            }
        }
    }

    /// Stops the victim, and looks what the others do without it.
    async fn strike(
        &mut self,
        strike: &Strike,
        target: Target,
        mut barrier: MutexGuard<'a, Barrier<'b>>,
    ) {
        let kept = strike.steps_away > 0;
        let outage = Outage::begin(target, strike.way, kept).await;
        let until = Instant::now() + TIME_AWAY_MAX;
        tokio::join!(
            Box::pin(self.victim_is_silent(kept)),
            barrier.stays_closed(Some(self.victim)),
            Box::pin(self.stage.others_answer(self.victim)),
        );
        self.away = Some(Away {
            outage,
            barrier,
            last_step: strike.step + strike.steps_away,
            until,
        });
    }

    /// An outage that nobody would notice tests nothing.
    async fn victim_is_silent(&self, kept: bool) {
        if self.victim == Victim::Kafka || !kept {
            return;
        }
        let asked = self.stage.parties.read(self.victim);
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        let silent = !matches!(answer, Ok(Ok(())));
        assert!(silent, "{} answers while it is away", self.victim);
    }

    /// Goes on with the journey; what takes too long needs whoever is away.
    async fn in_time(&mut self, going_on: impl Future<Output = ()>) {
        let mut going_on = std::pin::pin!(going_on);
        if let Some(away) = &self.away
            && timeout_at(away.until, &mut going_on).await.is_ok()
        {
            return;
        }
        self.end().await;
        going_on.await;
    }

    async fn end(&mut self) {
        if let Some(Away {
            outage,
            mut barrier,
            ..
        }) = self.away.take()
        {
            outage.end().await;
            // It may have come back knowing nothing: then it must not open either.
            barrier.stays_closed(None).await;
        }
    }
}
