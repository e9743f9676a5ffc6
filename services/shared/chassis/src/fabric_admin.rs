//! The RPCs by which an operator looks at and mends a service's exchange of
//! facts: the same in every service, over `fabric::Admin`. It decides nothing.

use std::time::Duration;

use fabric::{
    Act, Admin, ConsumedStatus, Health, ParkedPlace, ParkedRecord, ProducedStatus, UnknownFact,
    fingerprint,
};
use prost::Message;
use proto::fabric::v1 as wire;
use proto::fabric::v1::fabric_admin_service_server::{
    FabricAdminService, FabricAdminServiceServer,
};
use tonic::{Request, Response, Status};

use crate::admin::Readiness;
use crate::command::origin;
use crate::config::ServerConfig;
use crate::convert::timestamp;
use crate::errors::to_status;
use crate::page::{PageSize, decode_page_token};
use crate::request::caller;

const PARKED_ROWS_DEFAULT: u32 = 50;
const PARKED_ROWS_MAX: u32 = 200;

/// The parts of a fabric without which a service must not be sent work. The
/// broker is not among them: without it a service answers on what it knows.
pub(crate) const NEEDED: [&str; 3] = ["database", "history", "writer"];

/// The service, ready to be added to a server.
pub fn service<I: Send + Sync + 'static>(
    admin: Admin<I>,
    config: &ServerConfig,
) -> FabricAdminServiceServer<FabricAdmin<I>> {
    crate::configured!(FabricAdminServiceServer::new(FabricAdmin { admin }), config)
}

/// Keeps the readiness as the fabric's health says, until the fabric is gone.
pub fn follow_health(health: &Health, readiness: &Readiness) -> tokio::task::JoinHandle<()> {
    let mut faults = health.watch();
    let readiness = readiness.clone();
    tokio::spawn(async move {
        loop {
            let now = faults.borrow_and_update().clone();
            for part in NEEDED {
                readiness.set(part, now.get(part).map_or(Ok(()), |why| Err(why.as_str())));
            }
            if faults.changed().await.is_err() {
                return;
            }
        }
    })
}

/// Answers for one service.
pub struct FabricAdmin<I> {
    admin: Admin<I>,
}

impl<I: Send + Sync + 'static> FabricAdmin<I> {
    /// Puts on record what somebody is about to do.
    async fn record(
        &self,
        method: &'static str,
        request: &Request<impl Message>,
    ) -> Result<(), Status> {
        let caller = caller(request)?;
        let act = Act {
            party: caller.party.clone(),
            origin: origin(caller, method),
            fingerprint: fingerprint(method, &request.get_ref().encode_to_vec()),
        };
        self.admin.record(act).await.map_err(refused)
    }
}

#[tonic::async_trait]
impl<I: Send + Sync + 'static> FabricAdminService for FabricAdmin<I> {
    async fn get_fabric_status(
        &self,
        _request: Request<wire::GetFabricStatusRequest>,
    ) -> Result<Response<wire::GetFabricStatusResponse>, Status> {
        let status = self.admin.status().await.map_err(refused)?;
        Ok(Response::new(wire::GetFabricStatusResponse {
            service: status.service.to_owned(),
            ready: !NEEDED.iter().any(|part| status.faults.contains_key(part)),
            not_ready_because: status
                .faults
                .iter()
                .map(|(part, why)| format!("{part}: {why}"))
                .collect(),
            produced: status.produced.into_iter().map(produced).collect(),
            consumed: status.consumed.into_iter().map(consumed).collect(),
            parked_keys: status.parked_keys.values().sum(),
        }))
    }

    async fn republish(
        &self,
        request: Request<wire::RepublishRequest>,
    ) -> Result<Response<wire::RepublishResponse>, Status> {
        self.record("Republish", &request).await?;
        let asked = request.into_inner();
        let head_sequence = self
            .admin
            .republish(&asked.topic, asked.partition, asked.from_sequence)
            .await
            .map_err(refused)?;
        Ok(Response::new(wire::RepublishResponse { head_sequence }))
    }

    async fn restate(
        &self,
        request: Request<wire::RestateRequest>,
    ) -> Result<Response<wire::RestateResponse>, Status> {
        self.record("Restate", &request).await?;
        let asked = request.into_inner();
        let topic = Some(asked.topic.as_str()).filter(|topic| !topic.is_empty());
        let facts = self.admin.restate(topic).await.map_err(refused)?;
        Ok(Response::new(wire::RestateResponse {
            facts: facts.into_iter().collect(),
        }))
    }

    async fn open_epoch(
        &self,
        request: Request<wire::OpenEpochRequest>,
    ) -> Result<Response<wire::OpenEpochResponse>, Status> {
        // The epoch's own first record says who opened it and why. Before it, after a restore, a commit would bear a number
        // that was lost, and the record would not agree with what was published.
        let by = caller(&request)?.subject.clone();
        let epoch = self
            .admin
            .open_epoch(&by, &request.get_ref().reason)
            .await
            .map_err(refused)?;
        Ok(Response::new(wire::OpenEpochResponse { epoch }))
    }

    async fn list_parked(
        &self,
        request: Request<wire::ListParkedRequest>,
    ) -> Result<Response<wire::ListParkedResponse>, Status> {
        let asked = request.into_inner();
        let page = asked.page.unwrap_or_default();
        let size = PageSize::parse(page.page_size, PARKED_ROWS_DEFAULT, PARKED_ROWS_MAX)
            .map_err(refused)?;
        let after: Option<ParkedPlace> = decode_page_token(&page.page_token).map_err(refused)?;
        let topic = Some(asked.topic.as_str()).filter(|topic| !topic.is_empty());
        let rows = self
            .admin
            .parked(topic, after.as_ref(), size.rows())
            .await
            .map_err(refused)?;
        let (rows, next_page_token) = size.page(rows, ParkedRecord::place);
        let without_payload = |row| wire::ParkedRecord {
            payload: bytes::Bytes::new(),
            ..parked(row)
        };
        Ok(Response::new(wire::ListParkedResponse {
            parked: rows.into_iter().map(without_payload).collect(),
            next_page_token,
        }))
    }

    async fn get_parked(
        &self,
        request: Request<wire::GetParkedRequest>,
    ) -> Result<Response<wire::GetParkedResponse>, Status> {
        let record = self
            .admin
            .parked_record(&request.into_inner().event_id)
            .await
            .map_err(refused)?;
        Ok(Response::new(wire::GetParkedResponse {
            parked: Some(parked(record)),
        }))
    }

    async fn retry_parked(
        &self,
        request: Request<wire::RetryParkedRequest>,
    ) -> Result<Response<wire::RetryParkedResponse>, Status> {
        self.record("RetryParked", &request).await?;
        let asked = request.into_inner();
        let (applied, still_parked, cause) = self
            .admin
            .retry_parked(&asked.topic, &asked.key)
            .await
            .map_err(refused)?;
        Ok(Response::new(wire::RetryParkedResponse {
            applied,
            still_parked,
            cause,
        }))
    }

    async fn discard_parked(
        &self,
        request: Request<wire::DiscardParkedRequest>,
    ) -> Result<Response<wire::DiscardParkedResponse>, Status> {
        self.record("DiscardParked", &request).await?;
        let by = caller(&request)?.subject.clone();
        let asked = request.into_inner();
        let still_parked = self
            .admin
            .discard_parked(&asked.event_id, &by, &asked.reason)
            .await
            .map_err(refused)?;
        Ok(Response::new(wire::DiscardParkedResponse { still_parked }))
    }

    async fn verify(
        &self,
        _request: Request<wire::VerifyRequest>,
    ) -> Result<Response<wire::VerifyResponse>, Status> {
        let report = self.admin.verify().await.map_err(refused)?;
        Ok(Response::new(wire::VerifyResponse {
            partitions: report.partitions,
            rows: report.rows,
            breaks: report.breaks,
            records: report.records,
            missing: report.missing,
            unknown: report.unknown.into_iter().map(unknown).collect(),
            unknown_facts: report.unknown_facts,
            topics_unread_because: report.topics_unread.unwrap_or_default(),
        }))
    }
}

fn refused(refusal: kernel::Refusal) -> Status {
    to_status(&refusal)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn produced(status: ProducedStatus) -> wire::ProducedPartition {
    wire::ProducedPartition {
        topic: status.topic,
        partition: status.partition,
        epoch: status.epoch,
        head_sequence: status.head_sequence,
        acked_sequence: status.acked_sequence,
        head_chain: status.head_chain,
        oldest_unpublished_millis: millis(status.oldest_unpublished),
    }
}

fn consumed(status: ConsumedStatus) -> wire::ConsumedPartition {
    wire::ConsumedPartition {
        topic: status.topic,
        partition: status.partition,
        epoch: status.epoch,
        applied_sequence: status.applied_sequence,
        known_head_sequence: status.known_head_sequence,
        knowledge_age_millis: status.knowledge_age.map(millis),
        stopped_because: status.stopped_because.unwrap_or_default(),
    }
}

fn unknown(fact: UnknownFact) -> wire::UnknownFact {
    wire::UnknownFact {
        event_id: fact.event_id,
        topic: fact.topic,
        key: fact.key,
        event_type: fact.event_type,
        given_up: fact.given_up,
    }
}

fn parked(record: ParkedRecord) -> wire::ParkedRecord {
    wire::ParkedRecord {
        topic: record.topic,
        partition: record.partition,
        key: record.key,
        epoch: record.epoch,
        sequence: record.sequence,
        event_id: record.event_id,
        event_type: record.event_type,
        cause: record.cause,
        attempts: record.attempts,
        parked_at: Some(timestamp(record.parked_at)),
        payload: record.payload,
    }
}
