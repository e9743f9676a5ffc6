//! What a monitoring system scrapes from the admin port of each running service: ages, not counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::site::{Site, until};
use crate::world::world;

/// Older than this is nothing that a quiet site knows or holds back, in seconds.
const YOUNG_SECONDS: f64 = 30.0;

/// Each sample's name with its labels, and its value.
type Samples = BTreeMap<String, f64>;

pub fn scrape(site: &Site, service: &str) -> String {
    chassis::install_tls_provider();
    let admin = site.endpoints().unwrap()[service]["admin"]
        .as_str()
        .unwrap()
        .to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let answer = reqwest::get(format!("{admin}/metrics")).await.unwrap();
        answer.text().await.unwrap()
    })
}

fn samples(text: &str) -> Samples {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// The topics that a service produces or consumes, as its status tells.
fn topics(status: &Value, of: &str) -> Vec<String> {
    let mut topics: Vec<String> = status[of]
        .as_array()
        .unwrap()
        .iter()
        .map(|partition| partition["topic"].as_str().unwrap().to_owned())
        .collect();
    topics.dedup();
    topics
}

/// What is not there, or not as it should be.
fn wanting(samples: &Samples, status: &Value) -> String {
    let mut found = String::new();
    let mut check = |name: &str, topic: &str, most: f64| {
        let sample = format!("{name}{{topic=\"{topic}\"}}");
        match samples.get(&sample) {
            Some(value) if (0.0..=most).contains(value) => {}
            other => writeln!(found, "{sample} is {other:?}").unwrap(),
        }
    };
    for topic in topics(status, "produced") {
        check(
            "greenlane_oldest_unpublished_seconds",
            &topic,
            YOUNG_SECONDS,
        );
    }
    for topic in topics(status, "consumed") {
        check("greenlane_watermark_age_seconds", &topic, YOUNG_SECONDS);
        check("greenlane_consumer_lag_seconds", &topic, YOUNG_SECONDS);
        check("greenlane_parked_keys", &topic, f64::MAX);
        check("greenlane_stopped_partitions", &topic, 0.0);
    }
    found
}

#[test]
fn every_service_tells_its_ages_by_topic() {
    let site = world();
    for service in ["gate", "customs", "bonded", "release"] {
        let status = site
            .run_json(&["fabric", "status", "--service", service])
            .done();
        let [status] = status.objects().try_into().unwrap();
        let mut left = String::new();
        until("the ages are there and young", || {
            left = wanting(&samples(&scrape(site, service)), &status);
            if !left.is_empty() {
                eprintln!("{service} lacks:\n{left}");
            }
            left.is_empty()
        });
        let text = scrape(site, service);
        for name in [
            "greenlane_oldest_unpublished_seconds",
            "greenlane_watermark_age_seconds",
            "greenlane_consumer_lag_seconds",
            "greenlane_parked_keys",
            "greenlane_stopped_partitions",
        ] {
            assert!(text.contains(&format!("# HELP {name} ")), "{name}: {text}");
        }
    }
}

#[test]
fn every_service_measures_its_loop_and_its_calls() {
    let site = world();
    site.run(&["fabric", "status"]).done();
    for service in ["gate", "customs", "bonded", "release"] {
        for name in [
            "greenlane_batch_inputs_count",
            "greenlane_batch_seconds_count",
            "greenlane_queue_wait_seconds_count",
            "greenlane_rpc_seconds_count",
        ] {
            until(&format!("{service} has measured {name}"), || {
                samples(&scrape(site, service))
                    .iter()
                    .any(|(sample, value)| sample.starts_with(name) && *value > 0.0)
            });
        }
    }
}
