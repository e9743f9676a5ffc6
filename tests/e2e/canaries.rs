//! Canaries: a word that nobody else says, in every field of every RPC; the data of every driver that these tests file;
//! the tokens and passwords of the site. None of them may be found where operators look: logs, traces, metrics, or what
//! the record says of a call.

use std::collections::BTreeMap;
use std::fs;

use chassis::{DevelopmentIssuer, Role};
use chrono::TimeDelta;
use kernel::{Clock as _, SystemClock};
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};
use tokio::runtime::Runtime;
use tonic::transport::Endpoint;
use torture::tenancy::spoken::Rpc;

use crate::cargo::{Cargo, GREEN};
use crate::metrics::scrape;
use crate::site::{Site, until};
use crate::tracing::canaries_seen;

/// Said in every field.
const CANARY: &str = "Kanarienvogel-7af31c";
/// Said in the token of whoever says it: tokens are not to be found either.
const SINGER: &str = "kanarienvogel-subject";
/// What `Cargo` files of each driver.
const DRIVER: [&str; 2] = ["Zhang Wei", "500103198801012345"];
const SERVICES: [&str; 4] = ["gate", "customs", "bonded", "release"];
/// Messages within messages are filled so deep.
const DEPTH_MAX: u8 = 6;

/// Who speaks in a role: a party of the development seed, so that what it says is weighed.
const SPEAKERS: [(Role, &str); 7] = [
    (Role::Haulier, "haulier-a"),
    (Role::Broker, "broker-a"),
    (Role::Trader, "trader-a"),
    (Role::Line, "line-a"),
    (Role::Operator, "operator"),
    (Role::Terminal, "terminal"),
    (Role::Officer, "officer-1"),
];

/// The canaries of the traces in this text.
pub fn in_text(text: &str) -> Vec<String> {
    [CANARY]
        .iter()
        .chain(&DRIVER)
        .filter(|word| text.contains(**word))
        .map(|word| (*word).to_owned())
        .collect()
}

/// A message with the canary wherever a text or bytes may stand. Its request id is good if asked for: what has none is
/// not looked at any closer.
fn sung(of: &MessageDescriptor, request_id: bool, depth: u8) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    for field in of.fields().filter(|field| !field.is_map()) {
        let value = match field.kind() {
            Kind::String if field.name() == "request_id" && request_id => {
                Value::String(kernel::new_id().to_string())
            }
            Kind::String => Value::String(CANARY.to_owned()),
            Kind::Bytes => Value::Bytes(CANARY.into()),
            Kind::Message(_) if depth == DEPTH_MAX => continue,
            Kind::Message(inner) => Value::Message(sung(&inner, request_id, depth + 1)),
            Kind::Bool => Value::Bool(false),
            Kind::Enum(_) => Value::EnumNumber(1),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(1),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(1),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(1),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(1),
            Kind::Float | Kind::Double => continue,
        };
        let value = if field.is_list() {
            Value::List(vec![value])
        } else {
            value
        };
        message.set_field(&field, value);
    }
    message
}

/// Asks everything, each with the canary in all its fields, twice; and the tokens with which it was asked.
async fn sing(site: &Site) -> Vec<String> {
    let endpoints = site.endpoints().unwrap();
    let issuer = DevelopmentIssuer::create_or_open(&site.state()).unwrap();
    let mut channels = BTreeMap::new();
    for service in SERVICES {
        let url = endpoints[service]["grpc"].as_str().unwrap().to_owned();
        let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
        channels.insert(service, channel);
    }
    let mut tokens = Vec::new();
    let mut asked = 0;
    for (role, party) in SPEAKERS {
        let sites: &[&str] = match role {
            Role::Terminal | Role::Officer => &["GUOYUAN-PORT"],
            Role::Operator => &["GUOYUAN-BLC"],
            _ => &[],
        };
        let (now, hour) = (SystemClock.now(), TimeDelta::hours(1));
        let token = issuer.token(party, &[role], sites, SINGER, now, hour);
        for rpc in Rpc::all().unwrap().iter().filter(|rpc| rpc.admits(role)) {
            for request_id in [false, true] {
                let message = sung(&rpc.input(), request_id, 0);
                let channel = &channels[rpc.service.as_str()];
                rpc.ask(channel, &format!("Bearer {token}"), message).await;
                asked += 1;
            }
        }
        tokens.push(token);
    }
    assert!(asked > 100, "{asked} calls");
    tokens
}

/// The passwords of the services' databases.
fn passwords(site: &Site) -> Vec<String> {
    let endpoints = site.endpoints().unwrap();
    SERVICES
        .iter()
        .map(|service| {
            let url = endpoints["postgres"][service].as_str().unwrap();
            let (_, after) = url.split_once("://").unwrap();
            let (credentials, _) = after.split_once('@').unwrap();
            credentials.split_once(':').unwrap().1.to_owned()
        })
        .collect()
}

#[test]
fn no_log_trace_metric_or_record_shows_what_callers_say_or_secrets() {
    let (cargo, ..) = Cargo::expected(GREEN);
    cargo.check_in().done();
    let site = cargo.site;
    let tokens = Runtime::new().unwrap().block_on(sing(site));
    let mut words = vec![CANARY.to_owned()];
    words.extend(DRIVER.map(str::to_owned));
    words.extend(tokens.iter().cloned());
    words.extend(passwords(site));

    for service in SERVICES {
        let log = site.state().join("logs").join(format!("{service}.log"));
        let log = fs::read_to_string(&log).unwrap_or_else(|error| panic!("{service}: {error}"));
        assert!(!log.is_empty(), "{service} logs nothing");
        let metrics = scrape(site, service);
        assert!(metrics.contains("greenlane_rpc_seconds"), "{service}");
        for (place, text) in [("log", &log), ("metrics", &metrics)] {
            for word in &words {
                let line = text.lines().find(|line| line.contains(word.as_str()));
                assert_eq!(line, None, "{word} in the {place} of {service}");
            }
        }
    }
    assert!(canaries_seen().is_empty(), "{:?}", canaries_seen());

    // Who called is on record, and not what was said.
    until("the record says that somebody sang", || {
        let record = site.run_json(&["audit", "list", "gate", "--limit", "1000"]);
        record.code == 0 && record.stdout.contains(SINGER)
    });
    for service in SERVICES {
        let record = site.run_json(&["audit", "list", service, "--limit", "1000"]);
        // For whom something was asked is on record, whoever that is said to be.
        for word in words.iter().filter(|word| *word != CANARY) {
            assert!(
                !record.stdout.contains(word.as_str()),
                "{word} in the record of {service}"
            );
        }
    }
}
