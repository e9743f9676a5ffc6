//! Waits until the services know each other's parties, sites and state: they exchange facts from the moment
//! they start, and a filing that came before the first of them would be judged on less. It must not know
//! what the facts are.

use std::collections::BTreeMap;

use proto::bonded::v1::GetStockRequest;
use proto::customs::v1::{GetPartyRequest, get_party_request};
use proto::fabric::v1::{GetFabricStatusRequest, GetFabricStatusResponse};
use proto::gate::v1::ListSitesRequest;

use super::documents::Eoris;
use super::mishap::Mishap;
use super::notices::Notices;
use super::parties::Parties;
use super::waiting::{Look, if_there, until};
use crate::client::Session;
use crate::parties::{CENTRE, PORT};
use crate::services::Service;

/// Waits until customs has its parties and gate its sites, and everybody has read what the others published.
///
/// # Errors
/// It does not come to that.
pub async fn until_acquainted(parties: &Parties, notices: &Notices) -> Result<(), Mishap> {
    until(
        notices,
        "customs has its parties and gate its sites",
        async || {
            for session in parties.told() {
                if own_party(session).await?.is_none() {
                    return Ok(Look::NotYet(format!(
                        "customs does not know {}",
                        session.party()
                    )));
                }
            }
            let sites = parties
                .terminal
                .gate()?
                .list_sites(ListSitesRequest {})
                .await?
                .into_inner()
                .sites;
            let missing = [PORT, CENTRE]
                .into_iter()
                .find(|wanted| sites.iter().all(|site| site.site_id != *wanted));
            Ok(Look::if_so(
                missing.is_none(),
                (),
                format!("gate does not know {}", missing.unwrap_or_default()),
            ))
        },
    )
    .await?;
    until(
        notices,
        "bonded has the traders' books with their opening stock",
        async || {
            for trader in [&parties.trader, &parties.other_trader] {
                let stock = trader
                    .bonded()?
                    .get_stock(GetStockRequest::default())
                    .await?;
                if stock.into_inner().rows.is_empty() {
                    return Ok(Look::NotYet(format!("no stock of {}", trader.party())));
                }
            }
            Ok(Look::Seen(()))
        },
    )
    .await?;
    until(
        notices,
        "every service has read what the others published",
        async || {
            let mut statuses = Vec::new();
            for service in Service::ALL {
                let answer = parties
                    .admin
                    .fabric_admin(service)?
                    .get_fabric_status(GetFabricStatusRequest {})
                    .await?;
                statuses.push(answer.into_inner());
            }
            let behind = behind(&statuses);
            Ok(Look::if_so(
                behind.is_none(),
                (),
                behind.unwrap_or_default(),
            ))
        },
    )
    .await
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

/// The EORIs by which documents name a broker and a trader: as customs has them.
///
/// # Errors
/// Customs refuses, or has none of the form that British documents carry.
pub async fn eoris(broker: &Session, trader: &Session) -> Result<Eoris, Mishap> {
    Ok(Eoris {
        broker: eori(broker).await?,
        trader: eori(trader).await?,
    })
}

async fn eori(session: &Session) -> Result<String, Mishap> {
    let identifiers = own_party(session)
        .await?
        .map(|party| party.identifiers)
        .unwrap_or_default();
    let eori = identifiers
        .iter()
        .find(|identifier| identifier.scheme == "EORI" && identifier.value.starts_with("GB"));
    eori.map(|identifier| identifier.value.clone())
        .ok_or_else(|| {
            Mishap::otherwise(
                format!("an EORI GB... of {}", session.party()),
                format!("{identifiers:?}"),
            )
        })
}

async fn own_party(
    session: &Session,
) -> Result<Option<proto::customs::v1::RegisteredParty>, Mishap> {
    let name = get_party_request::Name::PartyId(session.party().to_owned());
    let answer = if_there(
        session
            .customs()?
            .get_party(GetPartyRequest { name: Some(name) })
            .await,
    )?;
    Ok(answer.and_then(|answer| answer.party))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::fabric::v1::{ConsumedPartition, ProducedPartition};

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
