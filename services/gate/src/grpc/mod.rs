//! gRPC: requests become commands and queries, decisions and rows become responses. No logic; the only
//! place of the service that knows `tonic::Status`.

mod request;
pub mod respond;

use std::time::Duration;

use chassis::command::{self, Answered, Call};
use chassis::page::decode_page_token;
use chassis::{PageSize, caller, to_status};
use chrono::{DateTime, Utc};
use fabric::{Admin, Handle, Reads};
use kernel::Refusal;
use prost::Message;
use proto::common::v1::Page;
use proto::gate::v1 as api;
use proto::gate::v1::gate_service_server::GateService;
use tonic::{Request, Response, Status};

use crate::app::{self, Input};
use crate::store::queries::{self, After, TruckFilter, VisitFilter};

/// Rows of a page where the caller does not say.
const PAGE_ROWS_DEFAULT: u32 = 50;
/// Most rows of a page.
const PAGE_ROWS_MAX: u32 = 500;

/// The handlers of the service.
pub struct Handlers {
    handle: Handle<Input>,
    admin: Admin<Input>,
    reads: Reads,
    consumes: &'static [&'static str],
    decision_age_max: Duration,
}

impl Handlers {
    /// Handlers that write through the loop and read for their callers.
    pub fn new(
        handle: Handle<Input>,
        admin: Admin<Input>,
        reads: Reads,
        consumes: &'static [&'static str],
        decision_age_max: Duration,
    ) -> Self {
        Self {
            handle,
            admin,
            reads,
            consumes,
            decision_age_max,
        }
    }

    async fn decide<R: Message + Default>(
        &self,
        call: Call<'_>,
        content: &impl Message,
        input: Input,
    ) -> Result<Response<R>, Status> {
        let answered: Answered<R> = command::decide(&self.handle, call, content, input).await?;
        Ok(Response::new(answered.response))
    }
}

/// What a handler takes out of a request: who calls, and the message.
fn taken<T>(request: Request<T>) -> Result<(std::sync::Arc<chassis::Caller>, T), Status> {
    let who = std::sync::Arc::new(caller(&request)?.clone());
    Ok((who, request.into_inner()))
}

fn refused(refusal: Refusal) -> Status {
    to_status(&refusal)
}

fn unread(error: sqlx::Error) -> Status {
    tracing::warn!(%error, "a read failed");
    let refusal = Refusal::unavailable(
        "DATABASE_UNAVAILABLE",
        "the service's database does not answer; try again",
    );
    to_status(&refusal.with_retry_after_millis(1_000))
}

fn absent(kind: &str, name: &str) -> Status {
    to_status(&Refusal::not_found(kind, name))
}

/// A page's size and where it begins.
fn page(page: Option<Page>) -> Result<(PageSize, Option<After>), Status> {
    let page = page.unwrap_or_default();
    let size =
        PageSize::parse(page.page_size, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX).map_err(refused)?;
    let after: Option<(i64, String)> = decode_page_token(&page.page_token).map_err(refused)?;
    let after =
        after.and_then(|(micros, id)| Some((DateTime::<Utc>::from_timestamp_micros(micros)?, id)));
    Ok((size, after))
}

#[tonic::async_trait]
impl GateService for Handlers {
    async fn announce_arrival(
        &self,
        request: Request<api::AnnounceArrivalRequest>,
    ) -> Result<Response<api::AnnounceArrivalResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::AnnounceArrival(app::AnnounceArrival {
            actor: request::actor(&who),
            validate_only: asked.validate_only,
            head: request::head(asked.site_id.clone(), asked.mode, asked.conveyance.clone()),
            estimated_arrival: request::time(asked.estimated_arrival.as_ref()),
            lines: asked
                .containers
                .iter()
                .cloned()
                .map(request::announcement)
                .collect(),
        });
        let call = Call {
            caller: &who,
            method: "AnnounceArrival",
            request_id: &asked.request_id,
            validate_only: asked.validate_only,
            lane: &asked.conveyance,
        };
        self.decide(call, &asked, input).await
    }

    async fn record_arrival(
        &self,
        request: Request<api::RecordArrivalRequest>,
    ) -> Result<Response<api::RecordArrivalResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::RecordArrival(app::RecordArrival {
            actor: request::actor(&who),
            validate_only: asked.validate_only,
            head: request::head(asked.site_id.clone(), asked.mode, asked.conveyance.clone()),
            arrived_at: request::time(asked.arrived_at.as_ref()),
            lines: asked
                .containers
                .iter()
                .cloned()
                .map(request::landing)
                .collect(),
            complete: asked.complete,
        });
        let call = Call {
            caller: &who,
            method: "RecordArrival",
            request_id: &asked.request_id,
            validate_only: asked.validate_only,
            lane: &asked.conveyance,
        };
        self.decide(call, &asked, input).await
    }

    async fn record_loading(
        &self,
        request: Request<api::RecordLoadingRequest>,
    ) -> Result<Response<api::RecordLoadingResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::RecordLoading(app::RecordLoading {
            actor: request::actor(&who),
            validate_only: asked.validate_only,
            head: request::head(asked.site_id.clone(), asked.mode, asked.conveyance.clone()),
            loaded_at: request::time(asked.loaded_at.as_ref()),
            lines: asked
                .containers
                .iter()
                .cloned()
                .map(request::load)
                .collect(),
        });
        let call = Call {
            caller: &who,
            method: "RecordLoading",
            request_id: &asked.request_id,
            validate_only: asked.validate_only,
            lane: &asked.conveyance,
        };
        self.decide(call, &asked, input).await
    }

    async fn record_departure(
        &self,
        request: Request<api::RecordDepartureRequest>,
    ) -> Result<Response<api::RecordDepartureResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::RecordDeparture(app::RecordDeparture {
            actor: request::actor(&who),
            validate_only: asked.validate_only,
            head: request::head(asked.site_id.clone(), asked.mode, asked.conveyance.clone()),
            departed_at: request::time(asked.departed_at.as_ref()),
            containers: asked.container_numbers.clone(),
        });
        let call = Call {
            caller: &who,
            method: "RecordDeparture",
            request_id: &asked.request_id,
            validate_only: asked.validate_only,
            lane: &asked.conveyance,
        };
        self.decide(call, &asked, input).await
    }

    async fn submit_pre_arrival(
        &self,
        request: Request<api::SubmitPreArrivalRequest>,
    ) -> Result<Response<api::SubmitPreArrivalResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::SubmitPreArrival(app::SubmitPreArrival {
            actor: request::actor(&who),
            validate_only: asked.validate_only,
            written: request::pre_arrival(asked.clone()),
        });
        let lane = asked
            .containers
            .first()
            .map(|container| container.container_number.clone())
            .unwrap_or_default();
        let call = Call {
            caller: &who,
            method: "SubmitPreArrival",
            request_id: &asked.request_id,
            validate_only: asked.validate_only,
            lane: &lane,
        };
        self.decide(call, &asked, input).await
    }

    async fn cancel_pre_arrival(
        &self,
        request: Request<api::CancelPreArrivalRequest>,
    ) -> Result<Response<api::CancelPreArrivalResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::CancelPreArrival(app::CancelPreArrival {
            actor: request::actor(&who),
            pre_arrival_id: asked.pre_arrival_id.parse().ok(),
            expected_version: asked.expected_version,
        });
        self.decide(
            kept(
                &who,
                "CancelPreArrival",
                &asked.request_id,
                &asked.pre_arrival_id,
            ),
            &asked,
            input,
        )
        .await
    }

    async fn replace_vehicle(
        &self,
        request: Request<api::ReplaceVehicleRequest>,
    ) -> Result<Response<api::ReplaceVehicleResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::ReplaceVehicle(app::ReplaceVehicle {
            actor: request::actor(&who),
            validate_only: asked.validate_only,
            pre_arrival_id: asked.pre_arrival_id.parse().ok(),
            expected_version: asked.expected_version,
            vehicle: asked.vehicle.clone().map(request::vehicle),
            driver: asked.driver.clone().map(request::driver),
        });
        let call = Call {
            validate_only: asked.validate_only,
            ..kept(
                &who,
                "ReplaceVehicle",
                &asked.request_id,
                &asked.pre_arrival_id,
            )
        };
        self.decide(call, &asked, input).await
    }

    async fn get_pre_arrival(
        &self,
        request: Request<api::GetPreArrivalRequest>,
    ) -> Result<Response<api::GetPreArrivalResponse>, Status> {
        let (who, asked) = taken(request)?;
        let reader = request::reader(&who);
        let found = queries::pre_arrival(&self.reads, &reader, &asked.pre_arrival_id)
            .await
            .map_err(unread)?;
        let (filing, driver) = found.ok_or_else(|| absent("pre-arrival", &asked.pre_arrival_id))?;
        // Only who employs the driver and who meets him see the person's data.
        let driver = driver.filter(|_| !who.is(chassis::Role::Officer));
        let pre_arrival = Some(respond::pre_arrival(
            &filing,
            driver.as_ref(),
            respond::audience(&reader, &filing),
        ));
        Ok(Response::new(api::GetPreArrivalResponse { pre_arrival }))
    }

    async fn list_pre_arrivals(
        &self,
        request: Request<api::ListPreArrivalsRequest>,
    ) -> Result<Response<api::ListPreArrivalsResponse>, Status> {
        let (who, asked) = taken(request)?;
        let (size, after) = page(asked.page.clone())?;
        let filter = TruckFilter {
            state: word(asked.state().as_str_name(), "PRE_ARRIVAL_STATE_"),
            site_id: asked.site_id,
            plate: kernel::Plate::normalise(&asked.plate).unwrap_or_default(),
            container_number: number(&asked.container_number),
            pre_arrival_id: None,
        };
        let reader = request::reader(&who);
        let rows = queries::pre_arrivals(
            &self.reads,
            &reader,
            &filter,
            after.as_ref(),
            size.rows_to_read(),
        )
        .await
        .map_err(unread)?;
        let (rows, next_page_token) = size.page(rows, |row| {
            (
                row.submitted_at.timestamp_micros(),
                row.pre_arrival_id.to_string(),
            )
        });
        Ok(Response::new(api::ListPreArrivalsResponse {
            pre_arrivals: rows
                .iter()
                .map(|row| respond::pre_arrival(row, None, respond::audience(&reader, row)))
                .collect(),
            next_page_token,
        }))
    }

    async fn check_in(
        &self,
        request: Request<api::CheckInRequest>,
    ) -> Result<Response<api::CheckInResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::CheckIn(app::CheckIn {
            actor: request::actor(&who),
            site_id: asked.site_id.clone(),
            lane: asked.lane.clone(),
            vehicle: asked.vehicle.clone().map(request::vehicle),
            containers: asked.container_numbers.clone(),
            carrier_party: asked.carrier_party.clone(),
            pre_arrival: asked.pre_arrival.clone(),
            weight: request::quantity(asked.weight.clone()),
            observed_at: request::time(asked.observed_at.as_ref()),
            barrier_number: asked.barrier_number,
        });
        let lane = asked.container_numbers.first().cloned().unwrap_or_default();
        self.decide(
            kept(&who, "CheckIn", &asked.request_id, &lane),
            &asked,
            input,
        )
        .await
    }

    async fn record_weight(
        &self,
        request: Request<api::RecordWeightRequest>,
    ) -> Result<Response<api::RecordWeightResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::RecordWeight(app::RecordWeight {
            actor: request::actor(&who),
            truck_visit_id: asked.truck_visit_id.parse().ok(),
            barrier: request::barrier(asked.barrier),
            weight: request::quantity(asked.weight.clone()),
            observed_at: request::time(asked.observed_at.as_ref()),
        });
        self.decide(
            kept(
                &who,
                "RecordWeight",
                &asked.request_id,
                &asked.truck_visit_id,
            ),
            &asked,
            input,
        )
        .await
    }

    async fn order_inspection(
        &self,
        request: Request<api::OrderInspectionRequest>,
    ) -> Result<Response<api::OrderInspectionResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::OrderInspection(app::OrderInspection {
            actor: request::actor(&who),
            truck_visit_id: asked.truck_visit_id.parse().ok(),
            inspection_sites: asked.inspection_sites.clone(),
            reason: asked.reason.clone(),
            expected_version: asked.expected_version,
        });
        self.decide(
            kept(
                &who,
                "OrderInspection",
                &asked.request_id,
                &asked.truck_visit_id,
            ),
            &asked,
            input,
        )
        .await
    }

    async fn record_inspection(
        &self,
        request: Request<api::RecordInspectionRequest>,
    ) -> Result<Response<api::RecordInspectionResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::RecordInspection(app::RecordInspection {
            actor: request::actor(&who),
            truck_visit_id: asked.truck_visit_id.parse().ok(),
            inspection_id: asked.inspection_id.parse().ok(),
            inspection_site: asked.inspection_site.clone(),
            result: request::inspection_result(asked.result),
            note: asked.note.clone(),
            observed_at: request::time(asked.observed_at.as_ref()),
        });
        self.decide(
            kept(
                &who,
                "RecordInspection",
                &asked.request_id,
                &asked.truck_visit_id,
            ),
            &asked,
            input,
        )
        .await
    }

    async fn end_inspection(
        &self,
        request: Request<api::EndInspectionRequest>,
    ) -> Result<Response<api::EndInspectionResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::EndInspection(app::EndInspection {
            actor: request::actor(&who),
            truck_visit_id: asked.truck_visit_id.parse().ok(),
            inspection_id: asked.inspection_id.parse().ok(),
            reason: asked.reason.clone(),
        });
        self.decide(
            kept(
                &who,
                "EndInspection",
                &asked.request_id,
                &asked.truck_visit_id,
            ),
            &asked,
            input,
        )
        .await
    }

    async fn decide_review(
        &self,
        request: Request<api::DecideReviewRequest>,
    ) -> Result<Response<api::DecideReviewResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::DecideReview(app::DecideReview {
            actor: request::actor(&who),
            truck_visit_id: asked.truck_visit_id.parse().ok(),
            verdict: request::verdict(asked.verdict),
            reason: asked.reason.clone(),
            expected_version: asked.expected_version,
        });
        self.decide(
            kept(
                &who,
                "DecideReview",
                &asked.request_id,
                &asked.truck_visit_id,
            ),
            &asked,
            input,
        )
        .await
    }

    async fn correct_check_in(
        &self,
        request: Request<api::CorrectCheckInRequest>,
    ) -> Result<Response<api::CorrectCheckInResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::CorrectCheckIn(app::CorrectCheckIn {
            actor: request::actor(&who),
            truck_visit_id: asked.truck_visit_id.parse().ok(),
            reason: asked.reason.clone(),
            expected_version: asked.expected_version,
        });
        self.decide(
            kept(
                &who,
                "CorrectCheckIn",
                &asked.request_id,
                &asked.truck_visit_id,
            ),
            &asked,
            input,
        )
        .await
    }

    async fn check_out(
        &self,
        request: Request<api::CheckOutRequest>,
    ) -> Result<Response<api::CheckOutResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::CheckOut(app::CheckOut {
            actor: request::actor(&who),
            site_id: asked.site_id.clone(),
            truck_visit_id: asked.truck_visit_id.parse().ok(),
            vehicle: asked.vehicle.clone().map(request::vehicle),
            containers: asked.container_numbers.clone(),
            without_goods: asked.without_goods,
            weight: request::quantity(asked.weight.clone()),
            observed_at: request::time(asked.observed_at.as_ref()),
        });
        let lane = asked.container_numbers.first().cloned().unwrap_or_default();
        self.decide(
            kept(&who, "CheckOut", &asked.request_id, &lane),
            &asked,
            input,
        )
        .await
    }

    async fn get_truck_visit(
        &self,
        request: Request<api::GetTruckVisitRequest>,
    ) -> Result<Response<api::GetTruckVisitResponse>, Status> {
        let (who, asked) = taken(request)?;
        let missing = || absent("truck visit", &asked.truck_visit_id);
        let id = asked.truck_visit_id.parse().map_err(|_| missing())?;
        let truck = queries::truck_visit(&self.reads, &request::reader(&who), id)
            .await
            .map_err(unread)?;
        let truck = truck.ok_or_else(missing)?;
        let runs_gate = who.is(chassis::Role::Terminal) || who.is(chassis::Role::Officer);
        let truck_visit = if runs_gate {
            respond::truck_visit_with_admissions(&truck)
        } else {
            respond::truck_visit(&truck)
        };
        Ok(Response::new(api::GetTruckVisitResponse {
            truck_visit: Some(truck_visit),
        }))
    }

    async fn list_truck_visits(
        &self,
        request: Request<api::ListTruckVisitsRequest>,
    ) -> Result<Response<api::ListTruckVisitsResponse>, Status> {
        let (who, asked) = taken(request)?;
        let (size, after) = page(asked.page.clone())?;
        let filter = TruckFilter {
            state: word(asked.state().as_str_name(), "TRUCK_VISIT_STATE_"),
            site_id: asked.site_id,
            plate: kernel::Plate::normalise(&asked.plate).unwrap_or_default(),
            container_number: String::new(),
            pre_arrival_id: asked.pre_arrival_id.parse().ok(),
        };
        let rows = queries::truck_visits(
            &self.reads,
            &request::reader(&who),
            &filter,
            after.as_ref(),
            size.rows_to_read(),
        )
        .await
        .map_err(unread)?;
        let (rows, next_page_token) = size.page(rows, |row| {
            (
                row.arrived_at.timestamp_micros(),
                row.truck_visit_id.to_string(),
            )
        });
        Ok(Response::new(api::ListTruckVisitsResponse {
            truck_visits: rows.iter().map(respond::truck_visit).collect(),
            next_page_token,
        }))
    }

    async fn place_hold(
        &self,
        request: Request<api::PlaceHoldRequest>,
    ) -> Result<Response<api::PlaceHoldResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::PlaceHold(app::PlaceHold {
            actor: request::actor(&who),
            validate_only: asked.validate_only,
            site_id: asked.site_id.clone(),
            scope: request::scope(asked.scope.clone()),
            kind: request::hold_kind(asked.kind),
            reason: asked.reason.clone(),
        });
        let lane = asked
            .scope
            .as_ref()
            .map(|scope| scope.key.clone())
            .unwrap_or_default();
        let call = Call {
            validate_only: asked.validate_only,
            ..kept(&who, "PlaceHold", &asked.request_id, &lane)
        };
        self.decide(call, &asked, input).await
    }

    async fn lift_hold(
        &self,
        request: Request<api::LiftHoldRequest>,
    ) -> Result<Response<api::LiftHoldResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::LiftHold(app::LiftHold {
            actor: request::actor(&who),
            hold_id: asked.hold_id.clone(),
            reason: asked.reason.clone(),
        });
        self.decide(
            kept(&who, "LiftHold", &asked.request_id, &asked.hold_id),
            &asked,
            input,
        )
        .await
    }

    async fn set_availability(
        &self,
        request: Request<api::SetAvailabilityRequest>,
    ) -> Result<Response<api::SetAvailabilityResponse>, Status> {
        let (who, asked) = taken(request)?;
        let input = Input::SetAvailability(app::SetAvailability {
            actor: request::actor(&who),
            container_visit_id: asked.container_visit_id.clone(),
            available: asked.available,
            expected_version: asked.expected_version,
        });
        self.decide(
            kept(
                &who,
                "SetAvailability",
                &asked.request_id,
                &asked.container_visit_id,
            ),
            &asked,
            input,
        )
        .await
    }

    async fn get_container_visit(
        &self,
        request: Request<api::GetContainerVisitRequest>,
    ) -> Result<Response<api::GetContainerVisitResponse>, Status> {
        let (who, asked) = taken(request)?;
        let reader = request::reader(&who);
        let visit = queries::container_visit(&self.reads, &reader, &asked.container_visit_id)
            .await
            .map_err(unread)?
            .ok_or_else(|| absent("container visit", &asked.container_visit_id))?;
        let holds = queries::holds(&self.reads, &reader, &[asked.container_visit_id])
            .await
            .map_err(unread)?;
        let container_visit = Some(respond::container_visit(&visit, &holds));
        Ok(Response::new(api::GetContainerVisitResponse {
            container_visit,
        }))
    }

    async fn list_container_visits(
        &self,
        request: Request<api::ListContainerVisitsRequest>,
    ) -> Result<Response<api::ListContainerVisitsResponse>, Status> {
        let (who, asked) = taken(request)?;
        let (size, after) = page(asked.page.clone())?;
        let filter = VisitFilter {
            phase: word(asked.phase().as_str_name(), "CONTAINER_VISIT_PHASE_"),
            site_id: asked.site_id,
            container_number: number(&asked.container_number),
            transport_document: asked.transport_document.trim().to_uppercase(),
            conveyance: asked.conveyance.trim().to_uppercase(),
        };
        let reader = request::reader(&who);
        let rows = queries::container_visits(
            &self.reads,
            &reader,
            &filter,
            after.as_ref(),
            size.rows_to_read(),
        )
        .await
        .map_err(unread)?;
        let (rows, next_page_token) = size.page(rows, |(at, visit)| {
            (at.timestamp_micros(), visit.id.to_string())
        });
        let ids: Vec<String> = rows.iter().map(|(_, visit)| visit.id.to_string()).collect();
        let holds = queries::holds(&self.reads, &reader, &ids)
            .await
            .map_err(unread)?;
        let visit = |visit: &crate::domain::ContainerVisit| {
            let own: Vec<_> = holds
                .iter()
                .filter(|hold| hold.scope.key == visit.id.as_str())
                .cloned()
                .collect();
            respond::container_visit(visit, &own)
        };
        Ok(Response::new(api::ListContainerVisitsResponse {
            container_visits: rows.iter().map(|(_, row)| visit(row)).collect(),
            next_page_token,
        }))
    }

    async fn get_knowledge(
        &self,
        _request: Request<api::GetKnowledgeRequest>,
    ) -> Result<Response<api::GetKnowledgeResponse>, Status> {
        let status = self.admin.status().await.map_err(refused)?;
        let source = |topic: &&str| {
            let partitions = status
                .consumed
                .iter()
                .filter(|partition| partition.topic == *topic);
            let ages: Vec<Option<Duration>> = partitions
                .map(|partition| partition.knowledge_age)
                .collect();
            let unknown = ages.iter().filter(|age| age.is_none()).count();
            let oldest = ages
                .iter()
                .flatten()
                .max()
                .map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
            api::KnowledgeSource {
                topic: (*topic).to_owned(),
                age_millis: oldest.filter(|_| unknown == 0),
                unknown_partitions: u32::try_from(unknown).unwrap_or(u32::MAX),
                parked_keys: status.parked_keys.get(*topic).copied().unwrap_or_default(),
            }
        };
        Ok(Response::new(api::GetKnowledgeResponse {
            sources: self.consumes.iter().map(source).collect(),
            decision_age_max_millis: u64::try_from(self.decision_age_max.as_millis())
                .unwrap_or(u64::MAX),
        }))
    }

    async fn list_sites(
        &self,
        _request: Request<api::ListSitesRequest>,
    ) -> Result<Response<api::ListSitesResponse>, Status> {
        let sites = queries::sites(&self.reads).await.map_err(unread)?;
        Ok(Response::new(api::ListSitesResponse {
            sites: sites.iter().map(respond::site).collect(),
        }))
    }
}

/// A call whose answer is kept.
fn kept<'a>(
    caller: &'a chassis::Caller,
    method: &'static str,
    request_id: &'a str,
    lane: &'a str,
) -> Call<'a> {
    Call {
        caller,
        method,
        request_id,
        validate_only: false,
        lane,
    }
}

/// An enum's word as the tables spell it; empty if it is not said.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix)
        .filter(|word| *word != "UNSPECIFIED")
        .unwrap_or_default()
        .to_owned()
}

/// A container number as the tables spell it.
fn number(written: &str) -> String {
    kernel::ContainerNumber::parse(written).map_or_else(
        |_| written.trim().to_uppercase(),
        |number| number.to_string(),
    )
}
