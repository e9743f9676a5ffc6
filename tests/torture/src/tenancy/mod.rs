//! Whether anybody learns anything of what is another's. Strangers of every role ask every RPC that their role reaches,
//! with names of things that exist and are not theirs, in every field that carries a name; and ask the same with a name
//! that nobody has given. What they are answered must be the same, and show none of those things. It must not know what
//! the RPCs are: they and their fields are read from the descriptors.

// Its output is what it is for.
#![allow(clippy::print_stdout)]

mod asked;
mod learnt;
mod names;
pub mod spoken;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chassis::{DevelopmentIssuer, Role};
use chrono::{TimeDelta, Utc};
use futures::StreamExt as _;
use futures::future::join_all;
use prost_reflect::DynamicMessage;
use sqlx::{ConnectOptions as _, Connection as _};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use self::names::{Named, Place, Seen};
use self::spoken::{Answer, Rpc};
use crate::evidence::SERVICES;
use crate::play::chance::Chance;
use crate::play::journey::Journey;
use crate::play::opening;
use crate::play::script::JOURNEYS;
use crate::site::Site;

/// Who sees all that there is, each its own.
const OWNERS: [(&str, Role); 11] = [
    ("haulier-a", Role::Haulier),
    ("broker-a", Role::Broker),
    ("broker-b", Role::Broker),
    ("trader-a", Role::Trader),
    ("trader-b", Role::Trader),
    ("line-a", Role::Line),
    ("operator", Role::Operator),
    ("terminal", Role::Terminal),
    ("centre-gate", Role::Terminal),
    ("officer-1", Role::Officer),
    ("admin", Role::Admin),
];
/// Who sees nothing of it; officers and the administrator see everything and are not asked.
const STRANGERS: [Role; 6] = [
    Role::Haulier,
    Role::Broker,
    Role::Trader,
    Role::Line,
    Role::Operator,
    Role::Terminal,
];
/// What every caller may know, though it is another's: the register says who a party is, and a filing is told which
/// kinds of things are missing of what it names. Whether it shows more is asked all the same.
const OPEN_TO_ALL: [(&str, &str); 5] = [
    ("GetParty", "party_id"),
    ("GrantCommercialRelease", "haulier_party"),
    ("SubmitPreArrival", "containers.container_number"),
    ("SubmitPreArrival", "document_references"),
    ("SubmitPreArrival", "list.list_number"),
];
/// What each owner is asked for: everything, and then things by their names.
const LOOKS: usize = 6;
/// Every stranger's person: two answers differ by no name.
const SUBJECT: &str = "somebody";
const AT_ONCE: usize = 24;
/// So many forms of each RPC are looked for.
const TEMPLATES: usize = 4;
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What chance follows from.
    pub seed: u64,
    /// How many questions are asked, each twice.
    pub cases: usize,
}

/// Starts a site, plays all journeys on it, and asks. Whether nobody learnt anything.
///
/// # Errors
/// The site cannot be asked.
///
/// # Panics
/// If the site does not start, or a journey does not come to its end.
pub async fn run(options: Options) -> anyhow::Result<bool> {
    println!("seed {}; starting the site", options.seed);
    let (site, parties, _) = opening::open().await;
    join_all(JOURNEYS.map(|script| play(Journey::new(parties, script)))).await;

    let asking = Asking::begin(site, options).await?;
    let mut told = Told::default();
    let began = Instant::now();
    let mut progress = began;
    let mut cases = futures::stream::iter(0..options.cases)
        .map(|number| asking.case(number, Chance::of(options.seed, &format!("case {number}"))))
        .buffer_unordered(AT_ONCE);
    let mut done = 0_usize;
    while let Some(case) = cases.next().await {
        done += 1;
        told.take(case);
        if progress.elapsed() >= PROGRESS_EVERY {
            progress = Instant::now();
            println!(
                "{:6.1} s  {done} of {} cases",
                began.elapsed().as_secs_f64(),
                options.cases
            );
        }
    }
    println!("{told}");
    Ok(told.leaks.is_empty())
}

async fn play(mut journey: Journey<'_>) {
    for step in journey.script.steps {
        journey.act(*step).await;
        journey.consequence(*step).await;
    }
}

/// Who asks, what, and whom.
struct Asking {
    rpcs: Vec<Rpc>,
    channels: BTreeMap<String, Channel>,
    issuer: DevelopmentIssuer,
    seen: Seen,
    secrets: BTreeSet<String>,
    /// By RPC, what its form may be.
    templates: BTreeMap<String, Vec<DynamicMessage>>,
}

/// One question in two forms.
struct Question {
    there: DynamicMessage,
    absent: DynamicMessage,
    /// The field in which they differ, if the answers must not.
    compared: Option<String>,
}

/// What one case came to.
struct Case {
    rpc: String,
    answered: String,
    leaks: Vec<(String, String)>,
}

impl Asking {
    async fn begin(site: &'static Site, options: Options) -> anyhow::Result<Asking> {
        let endpoints = site.endpoints().context("up has published nothing")?;
        let mut channels = BTreeMap::new();
        for service in SERVICES {
            let url = endpoints[service]["grpc"].as_str().context("no address")?;
            let channel = Endpoint::from_shared(url.to_owned())?.connect().await?;
            channels.insert(service.to_owned(), channel);
        }
        let mut asking = Asking {
            rpcs: Rpc::all()?,
            channels,
            issuer: DevelopmentIssuer::create_or_open(&site.state())?,
            seen: Seen::default(),
            secrets: BTreeSet::new(),
            templates: BTreeMap::new(),
        };
        let chance = Chance::of(options.seed, "looks");
        for look in 0..LOOKS {
            asking.look_around(site, look, &chance).await;
        }
        for service in SERVICES {
            let mut database = site.superuser_of(service)?.connect().await?;
            let ids: Vec<String> = sqlx::query_scalar(
                "select request_id::text from fabric.answer order by recorded_at limit 200",
            )
            .fetch_all(&mut database)
            .await?;
            database.close().await?;
            for id in ids {
                asking.seen.add_one(Named::Request, id);
            }
        }
        asking.secrets = asking.seen.secrets();
        println!("what is there: {:?}", asking.seen.count());
        asking.learn(options).await;
        Ok(asking)
    }

    /// Strangers find out how each RPC is asked.
    async fn learn(&mut self, options: Options) {
        let mut unlearnt = Vec::new();
        for rpc in &self.rpcs {
            let Some(role) = STRANGERS.into_iter().find(|role| rpc.admits(*role)) else {
                continue;
            };
            let mut found = Vec::new();
            for number in 0..TEMPLATES {
                let of = format!("{} {number}", rpc.name());
                let (chance, party) = (Chance::of(options.seed, &of), format!("learner-{number}"));
                let (bearer, channel) = (self.bearer(&party, role), &self.channels[&rpc.service]);
                let ask = async |message| rpc.ask(channel, &bearer, message).await;
                found.extend(learnt::template(rpc, &self.seen, &chance, ask).await);
            }
            if found.is_empty() {
                unlearnt.push(rpc.name());
            }
            self.templates.insert(rpc.name().to_owned(), found);
        }
        println!("RPCs that found fault with every form: {unlearnt:?}");
    }

    /// The owners look at what is theirs: at the lists first, then at each thing.
    async fn look_around(&mut self, site: &Site, look: usize, chance: &Chance) {
        let mut found = Vec::new();
        for (owner, role) in OWNERS {
            let token = site.run(&["token", "--as", owner]).done().stdout;
            let bearer = format!("Bearer {}", token.trim());
            for rpc in self
                .rpcs
                .iter()
                .filter(|rpc| asked::is_question(&rpc.input()) && rpc.admits(role))
            {
                let message = match look {
                    0 => DynamicMessage::new(rpc.input()),
                    _ => asked::filled(&rpc.input(), &self.seen, chance),
                };
                let channel = &self.channels[&rpc.service];
                if let Answer::Given(messages) = rpc.ask(channel, &bearer, message).await {
                    found.extend(messages);
                }
            }
        }
        found.iter().for_each(|message| self.seen.add(message));
    }

    /// Two strangers ask who have never asked anything.
    async fn case(&self, number: usize, chance: Chance) -> Case {
        let role = chance.one_of(&STRANGERS);
        let strangers = [2 * number, 2 * number + 1].map(|number| format!("stranger-{number}"));
        let bearers = strangers.clone().map(|party| self.bearer(&party, role));
        let reached = self.rpcs.iter().filter(|rpc| rpc.admits(role));
        let rpc = chance.one_of(&reached.collect::<Vec<_>>());
        let question = self.question(rpc, &chance);
        let mut own: BTreeSet<String> = strangers.into_iter().collect();
        own.extend(texts(&question.there));
        own.extend(texts(&question.absent));
        let channel = &self.channels[&rpc.service];
        let brief = brief(&question.there);
        let answers = [
            rpc.ask(channel, &bearers[0], question.there).await,
            rpc.ask(channel, &bearers[1], question.absent).await,
        ];
        let mut case = Case {
            rpc: rpc.name().to_owned(),
            answered: sort(&answers[0]),
            leaks: Vec::new(),
        };
        for answer in &answers {
            for secret in self.shown(answer, &own) {
                let what = format!("{} shows what is another's", rpc.name());
                let answer = comparable(answer, &own);
                let example = format!("{role} was shown {secret}, asked {brief}\n    {answer}");
                case.leaks.push((what, example));
            }
        }
        let [there, absent] = answers.map(|answer| comparable(&answer, &own));
        if let Some(field) = question.compared
            && there != absent
            && !OPEN_TO_ALL.contains(&(rpc.name(), field.as_str()))
        {
            let what = format!(
                "{}, {field}: what is not theirs is answered otherwise than what is not there",
                rpc.name()
            );
            let [there, absent] = where_they_differ(&there, &absent);
            let example =
                format!("{role}, asked {brief}\n    there:     {there}\n    not there: {absent}");
            case.leaks.push((what, example));
        }
        case
    }

    /// What is asked, with one name of something that is there, and with one of nothing in its place.
    fn question(&self, rpc: &Rpc, chance: &Chance) -> Question {
        let mut there = self.form(rpc, chance);
        let carried = names::names(&there);
        let chosen = (!carried.is_empty()).then(|| &carried[chance.below(carried.len())]);
        let is_chosen = |place: &Place| chosen.is_some_and(|(chosen, ..)| chosen == place);
        if let Some((place, [Named::Request], _)) = chosen
            && let Some(another) = self.seen.one(&[Named::Request], chance)
        {
            names::put(&mut there, place, &another);
        }
        let nothing_else_is_there = chance.below(2) == 0;
        let mut absent = there.clone();
        for (place, kinds, name) in &carried {
            if is_chosen(place) {
                names::put(&mut absent, place, &names::absent(name, chance));
            } else if kinds.contains(&Named::Request) {
                // The two are two requests.
                names::put(&mut absent, place, &names::absent(name, chance));
            } else if nothing_else_is_there {
                let nothing = names::absent(name, chance);
                names::put(&mut there, place, &nothing);
                names::put(&mut absent, place, &nothing);
            }
        }
        // A place in a list of another's is a place in one's own.
        let is_place = |kinds: &[Named]| {
            kinds
                .iter()
                .any(|kind| [Named::Page, Named::Cursor].contains(kind))
        };
        // A thing that is named twice is one in the one question and two in the other.
        let is_named_once = |name: &String| {
            let same = carried.iter().filter(|(_, _, other)| other == name);
            same.count() == 1
        };
        let compared = chosen.filter(|(_, kinds, name)| !is_place(kinds) && is_named_once(name));
        Question {
            compared: compared.map(|(place, ..)| names::path(place)),
            there,
            absent,
        }
    }

    /// What is asked: in a form that was found to be good, with other names; or in any.
    fn form(&self, rpc: &Rpc, chance: &Chance) -> DynamicMessage {
        let good = self
            .templates
            .get(rpc.name())
            .filter(|good| !good.is_empty());
        let Some(good) = good.filter(|_| chance.below(2) == 0) else {
            return asked::filled(&rpc.input(), &self.seen, chance);
        };
        let mut message = good[chance.below(good.len())].clone();
        for (place, kinds, _) in names::names(&message) {
            if let Some(other) = self.seen.one(kinds, chance) {
                names::put(&mut message, &place, &other);
            }
        }
        names::renew_request(&mut message);
        message
    }

    /// The token of a party of this role that nobody knows, and that works where nobody does.
    fn bearer(&self, party: &str, role: Role) -> String {
        let sites: &[&str] = match role {
            Role::Operator | Role::Terminal => &["ELSEWHERE-PORT"],
            _ => &[],
        };
        let lifetime = TimeDelta::hours(1);
        let token = self
            .issuer
            .token(party, &[role], sites, SUBJECT, Utc::now(), lifetime);
        format!("Bearer {token}")
    }

    /// What is another's and stands in an answer, though not in the question.
    fn shown(&self, answer: &Answer, own: &BTreeSet<String>) -> Vec<String> {
        let words: Vec<String> = match answer {
            Answer::Given(messages) => messages.iter().flat_map(texts).collect(),
            Answer::Refused { text, .. } => vec![text.clone()],
        };
        let is_part =
            |char: char| char.is_alphanumeric() || char == '-' || char == '_' || char == '/';
        let mut parts: BTreeSet<&str> = BTreeSet::new();
        for word in &words {
            parts.insert(word);
            parts.extend(word.split(|char| !is_part(char)));
        }
        parts
            .into_iter()
            .filter(|part| self.secrets.contains(*part) && !own.contains(*part))
            .map(str::to_owned)
            .collect()
    }
}

fn texts(message: &DynamicMessage) -> Vec<String> {
    let mut found = Vec::new();
    names::texts(message, &mut found);
    found
}

/// Which sort of answer it is.
fn sort(answer: &Answer) -> String {
    match answer {
        Answer::Given(_) => "given".to_owned(),
        Answer::Refused { code, reason, .. } => match code {
            Code::InvalidArgument => "invalid".to_owned(),
            _ => format!("{code:?} {reason}"),
        },
    }
}

/// An answer as text without the names that were asked with, and without what differs between any two answers.
fn comparable(answer: &Answer, own: &BTreeSet<String>) -> String {
    match answer {
        Answer::Given(messages) => {
            let mut text = String::new();
            messages
                .iter()
                .for_each(|message| names::shown(message, &mut text));
            without(text, own)
        }
        Answer::Refused {
            code, reason, text, ..
        } => {
            format!("{code:?} {reason} {}", without(text.clone(), own))
        }
    }
}

fn without(mut text: String, own: &BTreeSet<String>) -> String {
    // The longest first: one may stand within another.
    let mut own: Vec<&String> = own.iter().filter(|name| name.len() >= 4).collect();
    own.sort_by_key(|name| std::cmp::Reverse(name.len()));
    for name in own {
        text = text.replace(name.as_str(), "NAME");
    }
    let is_part = |char: char| char.is_ascii_hexdigit() || char == '-';
    let mut words: Vec<String> = Vec::new();
    for word in text.split_inclusive(|char| !is_part(char)) {
        let bare = word.trim_end_matches(|char| !is_part(char));
        let known = if uuid::Uuid::parse_str(bare).is_ok() {
            word.replace(bare, "NAME")
        } else {
            word.to_owned()
        };
        words.push(known);
    }
    words.concat()
}

/// Both from a little before their first difference.
fn where_they_differ(there: &str, absent: &str) -> [String; 2] {
    let same = there.chars().zip(absent.chars());
    let same = same.take_while(|(one, other)| one == other).count();
    [there, absent].map(|answer| {
        answer
            .chars()
            .skip(same.saturating_sub(80))
            .take(400)
            .collect()
    })
}

fn brief(message: &DynamicMessage) -> String {
    let text = message.to_string();
    text.chars().take(600).collect()
}

/// What all cases came to.
#[derive(Default)]
struct Told {
    cases: usize,
    /// By RPC, how often each sort of answer was given.
    answered: BTreeMap<String, BTreeMap<String, usize>>,
    /// By what was told, how often, and the first example.
    leaks: BTreeMap<String, (usize, String)>,
}

impl Told {
    fn take(&mut self, case: Case) {
        self.cases += 1;
        let of_rpc = self.answered.entry(case.rpc).or_default();
        *of_rpc.entry(case.answered).or_default() += 1;
        for (what, example) in case.leaks {
            let (count, _) = self.leaks.entry(what).or_insert((0, example));
            *count += 1;
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rpc, answers) in &self.answered {
            let answers: Vec<String> = answers
                .iter()
                .map(|(answer, count)| format!("{answer} {count}"))
                .collect();
            writeln!(formatter, "{rpc}: {}", answers.join(", "))?;
        }
        for (what, (count, example)) in &self.leaks {
            writeln!(formatter, "{what} ({count} times); {example}")?;
        }
        match self.leaks.len() {
            0 => write!(
                formatter,
                "{} cases: nobody learnt anything of what is another's.",
                self.cases
            ),
            leaks => write!(
                formatter,
                "{} cases: {leaks} ways to learn of what is another's.",
                self.cases
            ),
        }
    }
}
