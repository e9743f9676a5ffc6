//! `greenlane demo`: starts everything in a folder of its own, plays five journeys through the public API as
//! the parties would, shows what the services tell the parties as it happens, and removes everything. Whether
//! a journey reached its end is judged from the services. This file must not know what the journeys do.

mod acts;
mod barrier;
mod documents;
mod duty;
mod ending;
mod eoris;
mod export_drop_off;
mod holds;
mod import_pick_up;
mod into_bond;
mod journey;
mod mishap;
mod names;
mod narration;
mod not_today;
mod notices;
mod out_of_bond;
mod parties;
mod premises;
mod record;
mod script;
mod stock;
mod timeline;
mod waiting;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chassis::Shutdown;
use kernel::{Clock as _, SystemClock};

use crate::cli::ClientOptions;
use crate::client::ClientError;
use ending::Ending;
use journey::{Ids, Journey};
use mishap::Mishap;
use names::Names;
use narration::Narration;
use notices::{Notices, millis};
use parties::Parties;
use premises::{Caretaker, Premises};
use record::{Fact, Played, Summary};
use script::Script;

/// What `demo` can be told; `--state DIR` makes it play in that folder, and leave it there.
#[derive(Debug, clap::Args)]
pub struct DemoArguments {
    /// Write every fact as the services' streams gave it, one JSON object a line, and a summary last
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Plays the demo.
///
/// # Errors
/// A journey did not reach its end; or everything could not be started, stopped or written.
pub async fn run(arguments: DemoArguments, client: &ClientOptions) -> Result<(), ClientError> {
    let begun = Instant::now();
    let shutdown = Shutdown::on_signals()
        .map_err(|error| ClientError::Failed(format!("signals cannot be heard: {error}")))?;
    let json = arguments
        .json
        .as_deref()
        .map(|path| record::open(path).map(|file| (path, file)));
    let json = json.transpose().map_err(failed)?;
    let narration = Narration::on_standard_output();
    narration.line(
        "greenlane demo: five containers, ten parties, four services, played over the public API",
    );

    let mut premises = Premises::open(client.state.clone(), &shutdown).await?;
    let ready_after = begun.elapsed();
    narration.line(&format!(
        "  PostgreSQL, Kafka and four services are ready after {} s",
        tenths(ready_after)
    ));
    let folder = premises.folder().to_owned();
    let caretaker = premises.caretaker();
    let played = tokio::select! {
        played = play(&folder, &narration, &caretaker, json) => Some(played),
        () = premises.watch_over() => None,
        () = shutdown.requested() => None,
    };
    match played {
        None => {
            premises.close().await?;
            Err(ClientError::Failed(
                "stopped before the journeys had reached their end".to_owned(),
            ))
        }
        Some(Err(mishap)) => Err(premises.close_after_failure(&mishap).await),
        Some(Ok(summary)) => {
            premises.close().await?;
            conclude(&narration, &summary, begun);
            Ok(())
        }
    }
}

/// All journeys, one after the other. What was heard is written whether or not they reached their ends.
async fn play(
    folder: &Path,
    narration: &Narration,
    caretaker: &Caretaker,
    json: Option<(&Path, File)>,
) -> Result<Summary, Mishap> {
    let begun = SystemClock.now();
    let parties = Parties::of(folder)?;
    let notices = Notices::read(&parties, narration, begun)?;

    let mut facts: Vec<Fact> = Vec::new();
    let mut summary = Summary::default();
    let mut outcome = Ok(());
    for script in Script::ALL {
        let names = Names::of(script.letter(), begun.timestamp())
            .ok_or_else(|| Mishap::Documents("no container number can be made".to_owned()))?;
        let (broker, trader) = script.cast(&parties);
        let mut journey = Journey {
            name: script.name(),
            title: script.title(),
            goods: script.goods(),
            names,
            eoris: eoris::of(broker, trader).await?,
            document: None,
            parties: &parties,
            broker,
            trader,
            notices: &notices,
            narration,
            caretaker,
            step: String::new(),
            ids: Ids::default(),
            book: script.book(),
            shown: Vec::new(),
        };
        let (played, own_facts, ended) = perform(script, &mut journey).await;
        summary.journeys.push(played);
        facts.extend(own_facts);
        outcome = ended;
        if outcome.is_err() {
            break;
        }
    }
    measure(&mut summary, &facts);
    if let Some((path, file)) = json {
        record::write(path, file, &facts, &summary)?;
    }
    outcome.map(|()| summary)
}

/// One journey, its timeline, and how it went.
async fn perform(
    script: Script,
    journey: &mut Journey<'_>,
) -> (Played, Vec<Fact>, Result<(), Mishap>) {
    let begun = Instant::now();
    journey.begin(&script.things(&journey.names));
    let ended = script.play(journey).await;
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    journey.notices.shown().await;
    if ended.is_err() {
        journey.narration.gap();
        journey.narration.line(&format!(
            "  {} did not reach its end: {}",
            journey.name, journey.step
        ));
        journey.tell_last_why().await;
    }
    let (facts, told) = timeline::facts(journey, script.last_facts(), ended.is_ok()).await;
    timeline::tell(journey, &facts);
    let ending = match &ended {
        Ok(ending) => ending.clone(),
        Err(_) => how_far(script, journey).await,
    };
    let shown = std::mem::take(&mut journey.shown);
    let ending = shown
        .into_iter()
        .fold(ending, |ending, (name, is)| ending.naming(name, is));
    let played = Played {
        name: journey.name,
        reached: ended.is_ok(),
        ending,
        facts: facts.len(),
        milliseconds,
    };
    let outcome = ended.and(told).map_err(|mishap| mishap.at(&journey.step));
    (played, facts, outcome)
}

/// How far a journey came that did not reach its end, where the services still say so.
async fn how_far(script: Script, journey: &Journey<'_>) -> Ending {
    let nothing_known =
        Ending::default().naming("container_number", journey.names.container.to_string());
    script.ending(journey).await.unwrap_or(nothing_known)
}

fn measure(summary: &mut Summary, facts: &[Fact]) {
    let (notices, half, slowest) = record::latencies(facts);
    summary.notices = notices;
    summary.notice_microseconds_p50 = half.num_microseconds().unwrap_or(i64::MAX);
    summary.notice_microseconds_max = slowest.num_microseconds().unwrap_or(i64::MAX);
}

fn conclude(narration: &Narration, summary: &Summary, begun: Instant) {
    let journeys: Vec<String> = summary
        .journeys
        .iter()
        .map(|played| format!("{} in {} s", played.name, seconds(played.milliseconds)))
        .collect();
    let facts: usize = summary.journeys.iter().map(|played| played.facts).sum();
    let millis = |micros: i64| millis(chrono::TimeDelta::microseconds(micros));
    narration.gap();
    narration.line(&format!(
        "All five journeys reached their end: {}; {} s in all, {facts} facts. From a fact's recording to a party's notice: {} at p50, {} at most, {} notices.",
        journeys.join(", "),
        tenths(begun.elapsed()),
        millis(summary.notice_microseconds_p50),
        millis(summary.notice_microseconds_max),
        summary.notices,
    ));
}

fn tenths(duration: std::time::Duration) -> String {
    seconds(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{}", milliseconds / 1_000, milliseconds % 1_000 / 100)
}

fn failed(mishap: Mishap) -> ClientError {
    match mishap {
        Mishap::Refused(error) => error,
        other => ClientError::Failed(other.to_string()),
    }
}
