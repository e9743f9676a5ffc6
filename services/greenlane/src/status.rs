//! `status`: is each service ready, and how old is what it knows from each of the others. Asks every
//! service at once and waits for none longer than a moment; it must not judge what an age means.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::fabric::v1::{GetFabricStatusRequest, GetFabricStatusResponse};
use serde_json::{Value, json};

use crate::client::{ClientError, Session};
use crate::output::{self, Output};
use crate::services::Service;

/// A service that says nothing for so long does not answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Tells the status of all four services.
///
/// # Errors
/// A service is not ready or does not answer, after all were told.
pub async fn run(session: &Session) -> Result<(), ClientError> {
    let asked = Service::ALL.map(|service| ask(session, service));
    let answers: Vec<Result<Standing, String>> = futures::future::join_all(asked).await;
    let found: Vec<(Service, Result<Standing, String>)> =
        Service::ALL.into_iter().zip(answers).collect();
    match session.output() {
        Output::Json => found
            .iter()
            .try_for_each(|(service, answer)| output::object(&as_json(*service, answer)))?,
        Output::Table => {
            let rows = found
                .iter()
                .map(|(service, answer)| as_row(*service, answer));
            let columns = ["service", "ready", "knows", "lag", "unpublished", "parked"];
            output::table(&columns, rows.collect())?;
        }
    }
    let troubled: Vec<&str> = found
        .iter()
        .filter(|(_, answer)| !answer.as_ref().is_ok_and(|standing| standing.ready))
        .map(|(service, _)| service.name())
        .collect();
    if troubled.is_empty() {
        return Ok(());
    }
    Err(ClientError::Failed(format!(
        "not ready: {}; the logs are in {}",
        troubled.join(", "),
        session.state_folder().join("logs").display()
    )))
}

/// How a service stands.
struct Standing {
    ready: bool,
    not_ready_because: Vec<String>,
    sources: BTreeMap<String, Source>,
    oldest_unpublished_millis: u64,
    parked_keys: u32,
}

/// What a service knows from one topic.
#[derive(Default)]
struct Source {
    /// The age of the partition of which least is known; `None` where one is unknown.
    age_millis: Option<u64>,
    /// Records that are known to be there and are not applied yet.
    lag_records: u64,
    stopped_because: Vec<String>,
}

async fn ask(session: &Session, service: Service) -> Result<Standing, String> {
    let mut client = session
        .fabric_admin(service)
        .map_err(|error| error.to_string())?;
    let call = client.get_fabric_status(GetFabricStatusRequest {});
    match tokio::time::timeout(ANSWER_TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(Standing::of(answer.into_inner())),
        Ok(Err(status)) => Err(ClientError::from(status).to_string()),
        Err(_) => Err(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs())),
    }
}

impl Standing {
    fn of(status: GetFabricStatusResponse) -> Standing {
        let mut sources: BTreeMap<String, Source> = BTreeMap::new();
        for partition in status.consumed {
            let lag = partition
                .known_head_sequence
                .saturating_sub(partition.applied_sequence);
            let known = sources.contains_key(&partition.topic);
            let source = sources.entry(partition.topic).or_default();
            source.age_millis = match (known, source.age_millis, partition.knowledge_age_millis) {
                (false, _, age) => age,
                (true, Some(oldest), Some(age)) => Some(oldest.max(age)),
                (true, _, _) => None,
            };
            source.lag_records = source.lag_records.saturating_add(lag);
            if !partition.stopped_because.is_empty() {
                source.stopped_because.push(partition.stopped_because);
            }
        }
        let oldest = status
            .produced
            .iter()
            .map(|partition| partition.oldest_unpublished_millis)
            .max();
        Standing {
            ready: status.ready,
            not_ready_because: status.not_ready_because,
            sources,
            oldest_unpublished_millis: oldest.unwrap_or_default(),
            parked_keys: status.parked_keys,
        }
    }

    /// The oldest knowledge of each other service, with that service's name.
    fn ages_by_service(&self) -> BTreeMap<String, Option<u64>> {
        let mut ages: BTreeMap<String, Option<u64>> = BTreeMap::new();
        for (topic, source) in &self.sources {
            let service = producer_of(topic);
            ages.entry(service)
                .and_modify(|oldest| {
                    *oldest = match (*oldest, source.age_millis) {
                        (Some(oldest), Some(age)) => Some(oldest.max(age)),
                        _ => None,
                    };
                })
                .or_insert(source.age_millis);
        }
        ages
    }

    fn lag_records(&self) -> u64 {
        self.sources
            .values()
            .fold(0, |sum, source| sum.saturating_add(source.lag_records))
    }
}

/// `gate.container-visit` comes from gate.
fn producer_of(topic: &str) -> String {
    let (producer, _) = topic.split_once('.').unwrap_or((topic, ""));
    producer.to_owned()
}

fn as_row(service: Service, answer: &Result<Standing, String>) -> Vec<String> {
    let standing = match answer {
        Ok(standing) => standing,
        Err(why) => return vec![service.to_string(), format!("no: {why}")],
    };
    let ready = if standing.ready {
        "yes".to_owned()
    } else {
        format!("no: {}", standing.not_ready_because.join("; "))
    };
    let ages = standing.ages_by_service();
    let knows: Vec<String> = ages
        .iter()
        .map(|(source, age)| match age {
            Some(age) => format!("{source} {}", output::age(*age)),
            None => format!("{source} unknown"),
        })
        .collect();
    vec![
        service.to_string(),
        ready,
        knows.join(", "),
        standing.lag_records().to_string(),
        output::age(standing.oldest_unpublished_millis),
        standing.parked_keys.to_string(),
    ]
}

fn as_json(service: Service, answer: &Result<Standing, String>) -> Value {
    let standing = match answer {
        Ok(standing) => standing,
        Err(why) => {
            return json!({ "service": service.name(), "ready": false, "not_ready_because": [why] });
        }
    };
    let knowledge: Vec<Value> = standing
        .sources
        .iter()
        .map(|(topic, source)| {
            json!({
                "topic": topic,
                "age_millis": source.age_millis,
                "lag_records": source.lag_records,
                "stopped_because": source.stopped_because,
            })
        })
        .collect();
    json!({
        "service": service.name(),
        "ready": standing.ready,
        "not_ready_because": standing.not_ready_because,
        "knowledge": knowledge,
        "lag_records": standing.lag_records(),
        "oldest_unpublished_millis": standing.oldest_unpublished_millis,
        "parked_keys": standing.parked_keys,
    })
}

#[cfg(test)]
mod tests {
    use proto::fabric::v1::ConsumedPartition;

    use super::*;

    fn partition(topic: &str, age: Option<u64>, applied: u64, head: u64) -> ConsumedPartition {
        ConsumedPartition {
            topic: topic.to_owned(),
            knowledge_age_millis: age,
            applied_sequence: applied,
            known_head_sequence: head,
            ..Default::default()
        }
    }

    #[test]
    fn knowledge_is_as_old_as_its_oldest_partition() {
        let standing = Standing::of(GetFabricStatusResponse {
            consumed: vec![
                partition("customs.party", Some(40), 3, 3),
                partition("customs.party", Some(900), 1, 4),
                partition("customs.hold", Some(10), 0, 2),
            ],
            ..Default::default()
        });
        assert_eq!(
            standing.ages_by_service(),
            BTreeMap::from([("customs".to_owned(), Some(900))])
        );
        assert_eq!(standing.lag_records(), 5);
    }

    #[test]
    fn what_one_partition_does_not_know_is_unknown() {
        let status = |ages: [Option<u64>; 3]| GetFabricStatusResponse {
            consumed: ages.map(|age| partition("gate.hold", age, 0, 0)).to_vec(),
            ..Default::default()
        };
        for ages in [
            [None, Some(1), Some(2)],
            [Some(1), None, Some(2)],
            [Some(1), Some(2), None],
        ] {
            let standing = Standing::of(status(ages));
            assert_eq!(
                standing.ages_by_service(),
                BTreeMap::from([("gate".to_owned(), None)])
            );
        }
    }
}
