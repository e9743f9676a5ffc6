//! Waits until the services know each other's parties, sites and state: they exchange facts from the moment
//! they start, and who came before the first of them would be judged on less, at the barrier by a person. It
//! must not know what the facts are.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proto::bonded::v1::GetStockRequest;
use proto::customs::v1::{GetPartyRequest, get_party_request};
use proto::fabric::v1::{GetFabricStatusRequest, GetFabricStatusResponse};
use proto::gate::v1::ListSitesRequest;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{ClientError, Endpoints, Session};
use crate::parties::{self, CENTRE, DEVELOPMENT_PARTIES, PORT};
use crate::services::Service;

/// Usually they know within a second. An old folder may hold what was put aside or stopped long ago, which
/// only somebody who looks at it ends.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// So long for all that is asked at once.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);
/// Those who own goods in bond from the beginning.
const TRADERS: [&str; 2] = ["trader-a", "trader-b"];

/// Waits until customs has its parties, gate its sites and bonded its stock, and everybody has read what the
/// others published; not for ever. Gives what is missing after that.
pub async fn until_acquainted(endpoints: &Endpoints, state: &Path) -> Option<String> {
    let session = match Session::with_own(endpoints, state, parties::default::ADMIN) {
        Ok(session) => session,
        Err(error) => return Some(error.to_string()),
    };
    let until = Instant::now() + WAIT_MAX;
    loop {
        // A service that refuses says what is missing, too.
        let missing = match timeout(ANSWER_MAX, missing(&session)).await {
            Ok(Ok(None)) => return None,
            Ok(Ok(Some(missing))) => missing,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "a service does not answer".to_owned(),
        };
        if Instant::now() >= until {
            return Some(missing);
        }
        sleep(POLL).await;
    }
}

async fn missing(session: &Session) -> Result<Option<String>, ClientError> {
    for one in DEVELOPMENT_PARTIES {
        let name = get_party_request::Name::PartyId(one.party.to_owned());
        let request = GetPartyRequest { name: Some(name) };
        let mut customs = session.speaking_as(one.party)?.customs()?;
        match customs.get_party(request).await {
            Ok(_) => {}
            Err(status) if status.code() == tonic::Code::NotFound => {
                return Ok(Some(format!("customs does not know {}", one.party)));
            }
            Err(status) => return Err(status.into()),
        }
    }
    let mut gate = session.speaking_as(parties::default::TERMINAL)?.gate()?;
    let sites = gate.list_sites(ListSitesRequest {}).await?.into_inner();
    for wanted in [PORT, CENTRE] {
        if sites.sites.iter().all(|site| site.site_id != wanted) {
            return Ok(Some(format!("gate does not know {wanted}")));
        }
    }
    for trader in TRADERS {
        let mut bonded = session.speaking_as(trader)?.bonded()?;
        let stock = bonded.get_stock(GetStockRequest::default()).await?;
        if stock.into_inner().rows.is_empty() {
            return Ok(Some(format!("bonded has no stock of {trader}")));
        }
    }
    let mut statuses = Vec::new();
    for service in Service::ALL {
        let mut fabric = session.fabric_admin(service)?;
        let answer = fabric.get_fabric_status(GetFabricStatusRequest {}).await?;
        statuses.push(answer.into_inner());
    }
    Ok(behind(&statuses))
}

/// The first partition that somebody has not read to its end, or knows nothing of.
fn behind(statuses: &[GetFabricStatusResponse]) -> Option<String> {
    let heads: BTreeMap<(&str, u32), u64> = statuses
        .iter()
        .flat_map(|status| &status.produced)
        .map(|partition| {
            (
                (partition.topic.as_str(), partition.partition),
                partition.head_sequence,
            )
        })
        .collect();
    let consumed = statuses.iter().flat_map(|status| {
        status
            .consumed
            .iter()
            .map(|partition| (&status.service, partition))
    });
    consumed
        .filter(|(_, partition)| {
            // What nobody produces yet (a topic of a service to come) has no head.
            let head = heads.get(&(partition.topic.as_str(), partition.partition));
            head.is_some_and(|head| {
                partition.applied_sequence < *head || partition.knowledge_age_millis.is_none()
            })
        })
        .map(|(service, partition)| {
            let age = partition
                .knowledge_age_millis
                .map_or("unknown".to_owned(), |age| format!("{age} ms"));
            let (topic, number, applied) = (
                &partition.topic,
                partition.partition,
                partition.applied_sequence,
            );
            format!(
                "{service} has read {topic}/{number} up to {applied}, age {age} {}",
                partition.stopped_because
            )
        })
        .next()
}

#[cfg(test)]
mod tests {
    use proto::fabric::v1::{ConsumedPartition, ProducedPartition};

    use super::*;

    fn exchange(
        head_sequence: u64,
        applied_sequence: u64,
        age: Option<u64>,
    ) -> [GetFabricStatusResponse; 2] {
        let topic = "greenlane.customs.party.v1".to_owned();
        let produced = ProducedPartition {
            topic: topic.clone(),
            head_sequence,
            ..Default::default()
        };
        let consumed = ConsumedPartition {
            topic,
            applied_sequence,
            knowledge_age_millis: age,
            ..Default::default()
        };
        [
            GetFabricStatusResponse {
                service: "customs".to_owned(),
                produced: vec![produced],
                ..Default::default()
            },
            GetFabricStatusResponse {
                service: "gate".to_owned(),
                consumed: vec![consumed],
                ..Default::default()
            },
        ]
    }

    #[test]
    fn who_has_read_everything_is_not_behind() {
        assert_eq!(behind(&exchange(7, 7, Some(3))), None);
    }

    #[test]
    fn who_lacks_a_fact_or_knows_no_age_is_behind() {
        assert!(
            behind(&exchange(7, 6, Some(3))).is_some_and(|told| told.contains("gate has read"))
        );
        assert!(behind(&exchange(7, 7, None)).is_some_and(|told| told.contains("unknown")));
    }
}
