//! How the journeys are played: step after step, with somebody away in between as a plan says. Whoever is
//! away comes back at the plan's later step, or sooner where the journey cannot go on without it. This file
//! must not know what a step asks of the services.

use std::fmt;
use std::time::Duration;

use crate::barrier::Barrier;
use crate::chance::Chance;
use crate::digest::{Accounts, Digest, Ledgers};
use crate::journey::{self, Journey};
use crate::outage::{Outage, Target, Victim, Way};
use crate::parties::Parties;
use crate::script::{IMPORT_PICK_UP, NOT_TODAY, Script, Step};
use crate::site::Site;
use crate::waiting::seen;

/// Somebody is kept away for so many steps at most.
const STEPS_AWAY_MAX: usize = 5;
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
    import_pick_up: Strike,
    not_today: Strike,
}

impl Plan {
    /// A plan by chance.
    pub fn of(victim: Victim, chance: &Chance) -> Plan {
        let strike = |script: &Script| {
            let step = chance.below(script.steps.len());
            Strike {
                step,
                moment: Moment::of(script.steps[step], chance),
                way: chance.one_of(&[Way::Kill, Way::End, Way::Freeze]),
                steps_away: chance.below(STEPS_AWAY_MAX + 1),
            }
        };
        Plan {
            victim,
            import_pick_up: strike(&IMPORT_PICK_UP),
            not_today: strike(&NOT_TODAY),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.victim)?;
        for (script, strike) in [
            (&IMPORT_PICK_UP, &self.import_pick_up),
            (&NOT_TODAY, &self.not_today),
        ] {
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
        stage.ledgers.settled().await;
        stage
    }

    /// Plays both journeys, and says how everything stands afterwards.
    pub async fn play_both(&self, plan: Option<&Plan>) -> Digest {
        let mut barrier = Barrier::with_two_trucks(&self.parties).await;
        let before = self.ledgers.accounts().await;
        let mut import_pick_up = Journey::new(&self.parties, &IMPORT_PICK_UP);
        let mut not_today = Journey::new(&self.parties, &NOT_TODAY);
        for (journey, strike) in [
            (&mut import_pick_up, plan.map(|plan| plan.import_pick_up)),
            (&mut not_today, plan.map(|plan| plan.not_today)),
        ] {
            match plan.zip(strike) {
                Some((plan, strike)) => {
                    let mut disturbed = Disturbed {
                        stage: self,
                        barrier: &mut barrier,
                        victim: plan.victim,
                        strike,
                        outage: None,
                    };
                    disturbed.play(journey).await;
                }
                None => self.play_from(journey, Step::Announce).await,
            }
        }
        barrier.stays_closed(None).await;
        self.digest(&[&import_pick_up, &not_today], &before).await
    }

    async fn digest(&self, journeys: &[&Journey<'_>], before: &Accounts) -> Digest {
        self.ledgers.settled().await;
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

    /// Waits until gate knows afresh what release has decided.
    pub async fn until_knowledge_is_fresh(&self) {
        journey::knowledge_is_fresh(&self.parties).await;
    }

    /// Waits until what gate knows of release's decisions is older than it may be.
    pub async fn until_knowledge_is_old(&self) {
        journey::knowledge_is_old(&self.parties).await;
    }

    /// Every service but the one that is away answers a read.
    async fn others_answer(&self, away: Victim) {
        let parties = &self.parties;
        for service in [
            Victim::Gate,
            Victim::Customs,
            Victim::Bonded,
            Victim::Release,
        ] {
            if service == away {
                continue;
            }
            let what = format!("{service} answers without {away}");
            let answer = seen(&what, async || parties.read(service).await.map(Ok));
            let in_time = tokio::time::timeout(READ_DEADLINE, answer).await;
            assert!(in_time.is_ok(), "{what}: it did not");
        }
    }
}

/// A journey while somebody is away.
struct Disturbed<'a, 'b> {
    stage: &'a Stage,
    barrier: &'a mut Barrier<'b>,
    victim: Victim,
    strike: Strike,
    outage: Option<Outage>,
}

impl Disturbed<'_, '_> {
    async fn play(&mut self, journey: &mut Journey<'_>) {
        let strike = self.strike;
        for (number, step) in journey.script.steps.iter().enumerate() {
            let struck = number == strike.step;
            if struck && strike.moment == Moment::BeforeTheCall {
                self.strike(self.target().await).await;
            }
            if struck && let Moment::DuringTheCall { millis } = strike.moment {
                let target = self.target().await;
                let moment = tokio::time::sleep(Duration::from_millis(millis));
                let called = step.calls() == Some(self.victim);
                tokio::join!(
                    journey.act(*step),
                    self.strike_in_call(target, moment, called)
                );
            } else if self.is_away() && step.calls() == Some(self.victim) {
                // The call is made while it is away, and answered when it is back.
                tokio::join!(journey.act(*step), self.end());
            } else {
                journey.act(*step).await;
            }
            if struck && strike.moment == Moment::AfterTheAnswer {
                self.strike(self.target().await).await;
            }
            let time_is_over = number >= strike.step + strike.steps_away;
            if self.is_away() && (time_is_over || step.rests_on().contains(&self.victim)) {
                self.end().await;
            }
            journey.consequence(*step).await;
        }
        self.end().await;
    }

    fn is_away(&self) -> bool {
        self.outage.is_some()
    }

    async fn target(&self) -> Target {
        Target::find(self.stage.site, self.victim).await
    }

    /// Stops the victim, and looks what the others do without it.
    async fn strike(&mut self, target: Target) {
        let kept = self.strike.steps_away > 0;
        self.outage = Some(Outage::begin(target, self.strike.way, kept).await);
        if kept {
            self.victim_is_silent().await;
        }
        self.barrier.stays_closed(Some(self.victim)).await;
        self.stage.others_answer(self.victim).await;
    }

    async fn strike_in_call(
        &mut self,
        target: Target,
        moment: impl Future<Output = ()>,
        called: bool,
    ) {
        // Chance decides what is lost, the call, the answer or nothing.
        moment.await;
        self.strike(target).await;
        if called {
            // Only then can the call be answered.
            self.end().await;
        }
    }

    /// An outage that nobody would notice tests nothing.
    async fn victim_is_silent(&self) {
        if self.victim == Victim::Kafka {
            return;
        }
        let asked = self.stage.parties.read(self.victim);
        let answer = tokio::time::timeout(PATIENCE, asked).await;
        let silent = !matches!(answer, Ok(Ok(())));
        assert!(silent, "{} answers while it is away", self.victim);
    }

    async fn end(&mut self) {
        if let Some(outage) = self.outage.take() {
            outage.end().await;
            // It may have come back knowing nothing: then it must not open either.
            self.barrier.stays_closed(None).await;
        }
    }
}
