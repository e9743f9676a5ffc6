//! gRPC: requests become commands and queries, decisions and rows become responses. No logic; the
//! only place of the service that knows `tonic::Status`.

mod explain;
mod notices;
mod request;
pub mod respond;

use std::pin::Pin;

use chassis::command::{self, Answered, Call};
use chassis::{PageSize, Shutdown, to_status};
use chrono::{DateTime, Utc};
use fabric::{Admin, Handle, Reads};
use futures::Stream;
use kernel::Refusal;
use prost::Message;
use proto::release::v1 as api;
use proto::release::v1::release_service_server::ReleaseService;
use tonic::{Request, Response, Status};

use crate::app::Input;
use crate::domain::reader::Reader;
use crate::store;
use crate::store::reading::Which;

/// Rows of a page where the caller does not say.
const PAGE_ROWS_DEFAULT: u32 = 50;
/// Most rows of a page.
const PAGE_ROWS_MAX: u32 = 500;

/// The handlers of the service.
#[derive(Clone)]
pub struct Handlers {
    handle: Handle<Input>,
    admin: Admin<Input>,
    reads: Reads,
    shutdown: Shutdown,
}

impl Handlers {
    /// Handlers that write through the loop and read for their callers. Streams end when the service does.
    pub fn new(
        handle: Handle<Input>,
        admin: Admin<Input>,
        reads: Reads,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            handle,
            admin,
            reads,
            shutdown,
        }
    }

    /// Has a command decided by the loop.
    async fn decide<R: Message + Default>(
        &self,
        call: Call<'_>,
        content: &impl Message,
        input: Input,
    ) -> Result<Response<R>, Status> {
        let answered: Answered<R> = command::decide(&self.handle, call, content, input).await?;
        Ok(answered.into_response())
    }
}

/// A caller as the rules on reading see it.
fn reader<T>(request: &Request<T>) -> Result<Reader, Status> {
    let caller = chassis::caller(request)?;
    Ok(Reader {
        party: caller.party.clone(),
        subject: caller.subject.clone(),
        roles: caller
            .roles
            .iter()
            .map(|role| role.as_str().to_owned())
            .collect(),
        sites: caller.sites.clone(),
    })
}

fn refused(refusal: Box<Refusal>) -> Status {
    to_status(&refusal)
}

fn page_size(page: Option<&proto::common::v1::Page>) -> Result<PageSize, Status> {
    PageSize::parse(
        page.map_or(0, |page| page.page_size),
        PAGE_ROWS_DEFAULT,
        PAGE_ROWS_MAX,
    )
    .map_err(|refusal| to_status(&refusal))
}

fn database(error: sqlx::Error) -> Status {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed => {
            tracing::warn!(%error, "the database does not answer a read");
            to_status(
                &Refusal::unavailable(
                    "DATABASE_UNAVAILABLE",
                    "The service's database does not answer; try again in a moment.",
                )
                .with_retry_after_millis(1_000),
            )
        }
        error => chassis::internal(&error),
    }
}

#[tonic::async_trait]
impl ReleaseService for Handlers {
    async fn explain_release(
        &self,
        request: Request<api::ExplainReleaseRequest>,
    ) -> Result<Response<api::ExplainReleaseResponse>, Status> {
        let reader = reader(&request)?;
        let which = request::which(request.into_inner()).map_err(refused)?;
        let mut db = store::reading::snapshot(&self.reads, &reader)
            .await
            .map_err(database)?;
        let visits = store::reading::visits(&mut db, &which, &reader)
            .await
            .map_err(database)?;
        let knowledge = self
            .admin
            .knowledge()
            .await
            .map_err(|refusal| to_status(&refusal))?;
        if let Which::List(number) = &which {
            let numbers = [number.clone()];
            let lists = store::reading::lists(&mut db, &numbers, &reader)
                .await
                .map_err(database)?;
            let list = lists.first().ok_or_else(|| to_status(&not_found(&which)))?;
            let behind = store::reading::behind_list(&mut db, list)
                .await
                .map_err(database)?;
            return Ok(Response::new(explain::list_explanation(
                list, &behind, &knowledge, &reader,
            )));
        }
        let Some((visit, others)) = visits.split_first() else {
            return Err(to_status(&not_found(&which)));
        };
        let behind = store::reading::behind(&mut db, visit)
            .await
            .map_err(database)?;
        let mut lists = store::reading::lists_named(&mut db, &explain::into_bond(visit, &behind))
            .await
            .map_err(database)?;
        lists.extend(Some(visit.stay.list_number.clone()).filter(|list| !list.is_empty()));
        let lists = store::reading::lists(&mut db, &lists, &reader)
            .await
            .map_err(database)?;
        let mut list_releases = Vec::new();
        for list in &lists {
            let behind = store::reading::behind_list(&mut db, list)
                .await
                .map_err(database)?;
            list_releases.push(explain::list_release(list, &behind, &reader));
        }
        drop(db);
        let explained = explain::explanation(visit, others, &behind, &knowledge, &reader);
        Ok(Response::new(explain::with_lists(
            explained,
            list_releases,
            visit,
        )))
    }

    async fn get_container_release(
        &self,
        request: Request<api::GetContainerReleaseRequest>,
    ) -> Result<Response<api::GetContainerReleaseResponse>, Status> {
        let reader = reader(&request)?;
        let which = Which::Visit(request.into_inner().container_visit_id);
        let mut db = store::reading::snapshot(&self.reads, &reader)
            .await
            .map_err(database)?;
        let visits = store::reading::visits(&mut db, &which, &reader)
            .await
            .map_err(database)?;
        let visit = visits
            .first()
            .ok_or_else(|| to_status(&not_found(&which)))?;
        Ok(Response::new(api::GetContainerReleaseResponse {
            release: Some(respond::release(visit, &reader)),
        }))
    }

    async fn grant_commercial_release(
        &self,
        request: Request<api::GrantCommercialReleaseRequest>,
    ) -> Result<Response<api::GrantCommercialReleaseResponse>, Status> {
        let by = reader(&request)?;
        let caller = chassis::caller(&request)?.clone();
        let message = request.into_inner();
        let command = request::grant_commercial_release(message.clone(), by).map_err(refused)?;
        let call = Call {
            caller: &caller,
            method: "GrantCommercialRelease",
            request_id: &message.request_id,
            validate_only: message.validate_only,
            lane: &message.transport_document,
        };
        self.decide(call, &message, Input::GrantCommercialRelease(command))
            .await
    }

    async fn revoke_commercial_release(
        &self,
        request: Request<api::RevokeCommercialReleaseRequest>,
    ) -> Result<Response<api::RevokeCommercialReleaseResponse>, Status> {
        let by = reader(&request)?;
        let caller = chassis::caller(&request)?.clone();
        let message = request.into_inner();
        let command = request::revoke_commercial_release(message.clone(), by).map_err(refused)?;
        let call = Call {
            caller: &caller,
            method: "RevokeCommercialRelease",
            request_id: &message.request_id,
            validate_only: message.validate_only,
            lane: &message.transport_document,
        };
        self.decide(call, &message, Input::RevokeCommercialRelease(command))
            .await
    }

    async fn place_hold(
        &self,
        request: Request<api::PlaceHoldRequest>,
    ) -> Result<Response<api::PlaceHoldResponse>, Status> {
        let by = reader(&request)?;
        let caller = chassis::caller(&request)?.clone();
        let message = request.into_inner();
        let command = request::place_hold(message.clone(), by).map_err(refused)?;
        let call = Call {
            caller: &caller,
            method: "PlaceHold",
            request_id: &message.request_id,
            validate_only: message.validate_only,
            lane: message
                .scope
                .as_ref()
                .map_or("", |scope| scope.key.as_str()),
        };
        self.decide(call, &message, Input::PlaceHold(command)).await
    }

    async fn lift_hold(
        &self,
        request: Request<api::LiftHoldRequest>,
    ) -> Result<Response<api::LiftHoldResponse>, Status> {
        let by = reader(&request)?;
        let caller = chassis::caller(&request)?.clone();
        let message = request.into_inner();
        let command = request::lift_hold(message.clone(), by).map_err(refused)?;
        let call = Call {
            caller: &caller,
            method: "LiftHold",
            request_id: &message.request_id,
            validate_only: message.validate_only,
            lane: &message.hold_id,
        };
        self.decide(call, &message, Input::LiftHold(command)).await
    }

    async fn revoke_release(
        &self,
        request: Request<api::RevokeReleaseRequest>,
    ) -> Result<Response<api::RevokeReleaseResponse>, Status> {
        let by = reader(&request)?;
        let caller = chassis::caller(&request)?.clone();
        let message = request.into_inner();
        let command = request::revoke_release(message.clone(), by).map_err(refused)?;
        let call = Call {
            caller: &caller,
            method: "RevokeRelease",
            request_id: &message.request_id,
            validate_only: message.validate_only,
            lane: &message.container_visit_id,
        };
        self.decide(call, &message, Input::RevokeRelease(command))
            .await
    }

    type StreamNoticesStream =
        Pin<Box<dyn Stream<Item = Result<api::StreamNoticesResponse, Status>> + Send>>;

    async fn stream_notices(
        &self,
        request: Request<api::StreamNoticesRequest>,
    ) -> Result<Response<Self::StreamNoticesStream>, Status> {
        let reader = reader(&request)?;
        let cursor = notices::cursor("cursor", &request.into_inner().cursor).map_err(refused)?;
        Ok(Response::new(Box::pin(notices::stream(
            self.reads.clone(),
            self.handle.committed(),
            self.shutdown.token(),
            reader.party,
            cursor,
        ))))
    }

    async fn list_notices(
        &self,
        request: Request<api::ListNoticesRequest>,
    ) -> Result<Response<api::ListNoticesResponse>, Status> {
        let reader = reader(&request)?;
        let page = request.into_inner().page;
        let size = page_size(page.as_ref())?;
        let cursor = notices::cursor("page.page_token", &page.unwrap_or_default().page_token)
            .map_err(refused)?;
        let stored = store::notices::after(&self.reads, &reader.party, cursor, size.rows_to_read())
            .await
            .map_err(database)?;
        let (stored, next_page_token) = size.page(stored, |notice| notice.cursor);
        let notices = stored
            .iter()
            .map(notices::notice)
            .collect::<Result<_, _>>()?;
        Ok(Response::new(api::ListNoticesResponse {
            notices,
            next_page_token,
        }))
    }

    async fn get_timeline(
        &self,
        request: Request<api::GetTimelineRequest>,
    ) -> Result<Response<api::GetTimelineResponse>, Status> {
        let reader = reader(&request)?;
        let message = request.into_inner();
        let page = message.page.clone().unwrap_or_default();
        let size = page_size(message.page.as_ref())?;
        let whose = request::whose(message.subject).map_err(refused)?;
        let after: Option<(DateTime<Utc>, String)> =
            chassis::page::decode_page_token(&page.page_token)
                .map_err(|refusal| to_status(&refusal))?;
        let first = after.is_none();
        let entries =
            store::timeline::read(&self.reads, &whose, &reader, after, size.rows_to_read())
                .await
                .map_err(database)?;
        if entries.is_empty() && first {
            return Err(to_status(&Refusal::not_found(
                "timeline",
                request::whose_key(&whose),
            )));
        }
        let (entries, next_page_token) =
            size.page(entries, |entry| (entry.recorded_at, entry.event_id.clone()));
        let entries = entries
            .iter()
            .map(|entry| respond::timeline_entry(entry, &whose, &reader))
            .collect();
        Ok(Response::new(api::GetTimelineResponse {
            entries,
            next_page_token,
        }))
    }
}

fn not_found(which: &Which) -> Refusal {
    match which {
        Which::Visit(id) => Refusal::not_found("container visit", id),
        Which::List(number) => Refusal::not_found("stock list", number),
        Which::Container { number, .. } => Refusal::not_found("container", number),
    }
}
