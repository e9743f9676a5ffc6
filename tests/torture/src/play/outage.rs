//! A process that is away for a while: killed, told to end, or frozen. `up` starts what ended again by
//! itself; to keep it away longer, its successor is frozen as soon as it appears. It must not know when this
//! happens or what is done meanwhile.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use stack::process::Signal;

use crate::play::waiting::{if_so, seen};
use crate::site::{Process, Site};

/// How often it is looked for a successor.
const WATCH: Duration = Duration::from_millis(10);

/// Who can be stopped.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    Gate,
    Customs,
    Bonded,
    Release,
    Kafka,
    Postgres,
}

impl Victim {
    /// Those that answer callers.
    pub const SERVICES: [Victim; 4] = [
        Victim::Gate,
        Victim::Customs,
        Victim::Bonded,
        Victim::Release,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Victim::Gate => "gate",
            Victim::Customs => "customs",
            Victim::Bonded => "bonded",
            Victim::Release => "release",
            Victim::Kafka => "kafka",
            Victim::Postgres => "postgres",
        }
    }

    /// Its process, if there is one now.
    pub fn process(self, site: &Site) -> Option<Process> {
        let wanted = match self {
            Victim::Kafka => "kafka.Kafka\0".to_owned(),
            // Its processes for connections have other names.
            Victim::Postgres => "/postgres\0-D\0".to_owned(),
            service => format!("serve\0{}\0", service.name()),
        };
        let is_it = |process: &Process| process.command_line().contains(&wanted);
        site.children()
            .into_iter()
            .find(|process| process.lives() && is_it(process))
    }
}

impl fmt::Display for Victim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// How somebody is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `SIGKILL`: a crash.
    Kill,
    /// `SIGTERM`: an orderly end.
    End,
    /// `SIGSTOP`: it is there, holds its connections, and says nothing.
    Freeze,
}

/// Somebody who is about to be stopped: looked for before, so that it happens in the very moment.
pub struct Target {
    site: &'static Site,
    victim: Victim,
    /// Its process.
    pub process: Process,
}

impl Target {
    /// The victim's process, once there is one.
    pub async fn find(site: &'static Site, victim: Victim) -> Target {
        let process = seen(&format!("{victim} runs"), async || {
            Ok(victim.process(site).ok_or_else(|| "it does not".to_owned()))
        })
        .await;
        Target {
            site,
            victim,
            process,
        }
    }
}

/// Somebody who is away. Dropped, it comes back too.
pub struct Outage {
    site: &'static Site,
    victim: Victim,
    over: Arc<AtomicBool>,
    keeper: Option<JoinHandle<()>>,
}

impl Outage {
    /// Stops somebody; returns when it is away. If it is to be kept away, it does not come back before
    /// [`Outage::end`]; a frozen one never does.
    pub async fn begin(target: Target, way: Way, kept: bool) -> Outage {
        let Target {
            site,
            victim,
            process,
        } = target;
        let over = Arc::new(AtomicBool::new(false));
        let signal = match way {
            Way::Kill => Signal::SIGKILL,
            Way::End => Signal::SIGTERM,
            Way::Freeze => Signal::SIGSTOP,
        };
        process.signal(signal);
        if way != Way::Freeze {
            seen(&format!("{victim} has ended"), async || {
                Ok(if_so(!process.lives(), (), "it lives"))
            })
            .await;
        }
        let keeper = (kept || way == Way::Freeze).then(|| {
            let over = over.clone();
            let frozen = (way == Way::Freeze).then_some(process);
            std::thread::spawn(move || keep_away(site, victim, frozen, &over))
        });
        Outage {
            site,
            victim,
            over,
            keeper,
        }
    }

    /// Lets it come back; returns when its process is there. It may not answer yet.
    pub async fn end(mut self) {
        self.let_go();
        let (site, victim) = (self.site, self.victim);
        seen(&format!("{victim} is back"), async || {
            Ok(if_so(victim.process(site).is_some(), (), "no process"))
        })
        .await;
    }

    fn let_go(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(keeper) = self.keeper.take() {
            // A panic there was told there.
            let _ = keeper.join();
        }
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Freezes every process that appears in the victim's place of the one that is frozen, if one is, and thaws it at
/// the end.
fn keep_away(site: &Site, victim: Victim, mut frozen: Option<Process>, over: &AtomicBool) {
    while !over.load(Ordering::Acquire) {
        // It is long to look for all children, and while this one lives it has no successor.
        if !frozen.as_ref().is_some_and(Process::lives)
            && let Some(present) = victim.process(site)
            && frozen.as_ref() != Some(&present)
        {
            present.signal(Signal::SIGSTOP);
            frozen = Some(present);
        }
        std::thread::sleep(WATCH);
    }
    // Only one can be there: `up` starts none beside one that lives.
    if let Some(process) = &frozen {
        process.signal(Signal::SIGCONT);
    }
}
