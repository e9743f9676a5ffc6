//! The API: requests become commands or questions, decisions and rows become answers. No logic, and the only
//! place that knows `tonic::Status`.

pub mod filing;
mod request;
pub mod response;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use chassis::command::{self, Answered, Call, decide};
use chassis::page::{PageSize, decode_page_token, encode_page_token};
use chassis::telemetry::traceparent_of_current_span;
use chassis::{Caller, Role, caller, convert, internal, to_status};
use fabric::{Command, Handle, Reads, Reply, fingerprint};
use futures::{Stream, StreamExt};
use kernel::{ContainerNumber, Currency, Mrn, Refusal, Rounding};
use prost::Message;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::app::{
    AnswerUnfit, CompleteControl, Detain, EndDetention, FileDeclaration, GrantMandateCommand,
    Input, Invalidate, LiftHold, OpenControl, OverrideMatch, PlaceHold, PresentGoods, PutGuarantee,
    PutPartyCommand, RecordPayment, Release, Reroute, RevokeMandateCommand, told,
};
use crate::domain::declaration::Declaration;
use crate::domain::hold::{Hold, Scope};
use crate::domain::party::Identifier;
use crate::metrics;
use crate::store::queries::{self, Filter, Name};
use filing::{Filed, Readable};

const ROWS_DEFAULT: u32 = 50;
const ROWS_MAX: u32 = 500;
/// The most bytes of a page, whatever number of rows was asked for: below what an answer may have.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Under which name filings are compared, whichever RPC they come by.
const FILING: &str = "File";

/// Answers customs' calls.
#[derive(Clone)]
pub struct Api {
    handle: Handle<Input>,
    reads: Reads,
    currency: Currency,
    stream_filings_in_flight_max: usize,
}

/// Everything that a filing is sent with, by whichever RPC.
struct Sent {
    caller: Arc<Caller>,
    request_id: String,
    validate_only: bool,
    content: Content,
}

/// What came of a filing; of a refusal too, whether it is the stored answer to an earlier, equal request.
type Outcome = Result<Answered<wire::Filing>, (Refusal, bool)>;

enum Content {
    Message(Box<wire::Declaration>),
    Document(Bytes),
}

impl Api {
    /// An API over the loop and the connections that answer questions.
    pub fn new(
        handle: Handle<Input>,
        reads: Reads,
        currency: Currency,
        stream_filings_in_flight_max: usize,
    ) -> Self {
        Self {
            handle,
            reads,
            currency,
            stream_filings_in_flight_max,
        }
    }

    /// Reads a filing and has it decided; whether it was answered before comes with the answer.
    async fn file(&self, sent: Sent) -> Outcome {
        let reply = self
            .submit(sent)
            .await
            .map_err(|refusal| (refusal, false))?;
        let repeated = reply.repeated;
        let bytes = reply.outcome.map_err(|refusal| (refusal, repeated))?;
        let answer = wire::FileDeclarationResponse::decode(bytes)
            .ok()
            .and_then(|response| response.filing);
        let response = answer.ok_or_else(|| {
            let unreadable = Refusal::internal("INTERNAL", "The stored answer cannot be read.");
            (unreadable, false)
        })?;
        metrics::filed(response.outcome(), repeated);
        Ok(Answered { response, repeated })
    }

    async fn submit(&self, sent: Sent) -> Result<Reply, Refusal> {
        let request_id = chassis::request_id(&sent.request_id)?;
        let (method, filed, digest) = match &sent.content {
            Content::Message(declaration) => {
                let filed = filing::read_message(declaration);
                let digest = match &filed {
                    Filed::Readable(readable) => readable.digest,
                    Filed::Unfit(_) => [0; 32],
                };
                ("FileDeclaration", filed, digest)
            }
            Content::Document(bytes) => {
                let digest = fingerprint(FILING, bytes);
                ("FileDocument", filing::read_document(bytes), digest)
            }
        };
        let input = match filed {
            Filed::Readable(readable) => {
                Input::File(Box::new(self.command(&sent, *readable).await?))
            }
            Filed::Unfit(answer) => Input::AnswerUnfit(Box::new(AnswerUnfit {
                answer: wire::Filing {
                    validated_only: sent.validate_only,
                    ..*answer
                },
            })),
        };
        let command = Command {
            party: sent.caller.party.clone(),
            origin: command::origin(&sent.caller, method),
            request_id: (!sent.validate_only).then_some(request_id),
            fingerprint: digest,
            traceparent: traceparent_of_current_span(),
            input,
        };
        Ok(self.handle.submit(&sent.caller.party, command).await)
    }

    async fn command(&self, sent: &Sent, readable: Readable) -> Result<FileDeclaration, Refusal> {
        let mut command = FileDeclaration {
            actor: request::actor(&sent.caller),
            filing: readable.filing,
            particulars: readable.particulars,
            facts: readable.facts,
            parties: Vec::new(),
            unmapped: readable.unmapped,
            digest: readable.digest,
            content_type: readable.content_type,
            bytes: readable.bytes,
            dry_run: sent.validate_only,
        };
        let keys: Vec<String> = command.identifiers().iter().map(Identifier::key).collect();
        if !keys.is_empty() {
            let owners = queries::owners(&self.reads, &keys).await.map_err(|error| {
                tracing::warn!(%error, "the parties of a filing cannot be looked up");
                Refusal::unavailable(
                    "DATABASE_UNAVAILABLE",
                    "The register of parties cannot be read now; send the filing again.",
                )
                .with_retry_after_millis(1_000)
            })?;
            command.parties = owners.into_iter().map(|(_, party)| party).collect();
            command.parties.sort();
            command.parties.dedup();
        }
        Ok(command)
    }

    async fn answer_in_stream(
        self,
        caller: Arc<Caller>,
        request: wire::FileDeclarationsRequest,
    ) -> wire::FileDeclarationsResponse {
        let request_id = request.request_id.clone();
        let outcome = match request.filing {
            None => {
                let nothing_sent = request::one(
                    "CUSTOMS_REQUEST_INVALID",
                    "filing",
                    "",
                    "required",
                    "Send a declaration or a document.",
                );
                Err((nothing_sent, false))
            }
            Some(sent) => {
                let content = match sent {
                    wire::file_declarations_request::Filing::Declaration(declaration) => {
                        Content::Message(Box::new(declaration))
                    }
                    wire::file_declarations_request::Filing::Document(bytes) => {
                        Content::Document(bytes)
                    }
                };
                self.file(Sent {
                    caller,
                    request_id: request.request_id,
                    validate_only: request.validate_only,
                    content,
                })
                .await
            }
        };
        let (answer, repeated) = match outcome {
            Ok(filed) => (
                wire::file_declarations_response::Answer::Filing(filed.response),
                filed.repeated,
            ),
            Err((refusal, repeated)) => (
                wire::file_declarations_response::Answer::Refusal(filing_refusal(refusal)),
                repeated,
            ),
        };
        wire::FileDeclarationsResponse {
            request_id,
            repeated,
            answer: Some(answer),
        }
    }

    /// Has a command about a declaration decided that answers with the declaration alone.
    async fn on_declaration<R: Message + Default>(
        &self,
        caller: &Caller,
        method: &'static str,
        request_id: &str,
        message: &impl Message,
        lane: &str,
        input: Input,
    ) -> Result<Response<R>, Status> {
        let call = Call {
            caller,
            method,
            request_id,
            validate_only: false,
            lane,
        };
        let answered = decide::<_, R>(&self.handle, call, message, input).await?;
        Ok(answered.into_response())
    }

    /// Records of declarations with their standing holds and what is missing.
    async fn records(
        &self,
        declarations: &[Declaration],
    ) -> Result<Vec<wire::DeclarationRecord>, Status> {
        let holds = queries::holds_of(&self.reads, declarations)
            .await
            .map_err(failed)?;
        let on = |scope: &Scope| -> Vec<Hold> {
            holds
                .iter()
                .filter(|hold| hold.scope == *scope)
                .cloned()
                .collect()
        };
        Ok(declarations
            .iter()
            .map(|declaration| {
                let own: Vec<Hold> = declaration.hold_scopes().iter().flat_map(&on).collect();
                response::declaration_record(declaration, &declaration.conditions(&on), &own)
            })
            .collect())
    }
}

#[tonic::async_trait]
impl CustomsService for Api {
    async fn file_declaration(
        &self,
        request: Request<wire::FileDeclarationRequest>,
    ) -> Result<Response<wire::FileDeclarationResponse>, Status> {
        let caller = Arc::new(caller(&request)?.clone());
        let message = request.into_inner();
        let Some(declaration) = message.declaration else {
            return Err(refused(request::one(
                "CUSTOMS_REQUEST_INVALID",
                "declaration",
                "",
                "required",
                "Send the declaration.",
            )));
        };
        let content = Content::Message(Box::new(declaration));
        let sent = Sent {
            caller,
            request_id: message.request_id,
            validate_only: message.validate_only,
            content,
        };
        let filed = self.file(sent).await.map_err(filing_refused)?;
        let answered = Answered {
            response: wire::FileDeclarationResponse {
                filing: Some(filed.response),
            },
            repeated: filed.repeated,
        };
        Ok(answered.into_response())
    }

    async fn file_document(
        &self,
        request: Request<wire::FileDocumentRequest>,
    ) -> Result<Response<wire::FileDocumentResponse>, Status> {
        let caller = Arc::new(caller(&request)?.clone());
        let message = request.into_inner();
        let content = Content::Document(message.document);
        let sent = Sent {
            caller,
            request_id: message.request_id,
            validate_only: message.validate_only,
            content,
        };
        let filed = self.file(sent).await.map_err(filing_refused)?;
        let answered = Answered {
            response: wire::FileDocumentResponse {
                filing: Some(filed.response),
            },
            repeated: filed.repeated,
        };
        Ok(answered.into_response())
    }

    type FileDeclarationsStream =
        Pin<Box<dyn Stream<Item = Result<wire::FileDeclarationsResponse, Status>> + Send>>;

    async fn file_declarations(
        &self,
        request: Request<Streaming<wire::FileDeclarationsRequest>>,
    ) -> Result<Response<Self::FileDeclarationsStream>, Status> {
        let caller = Arc::new(caller(&request)?.clone());
        let api = self.clone();
        let answers = request.into_inner().map(move |next| {
            let (api, caller) = (api.clone(), Arc::clone(&caller));
            async move {
                match next {
                    Ok(filing) => Ok(api.answer_in_stream(caller, filing).await),
                    Err(status) => Err(status),
                }
            }
        });
        Ok(Response::new(Box::pin(
            answers.buffer_unordered(self.stream_filings_in_flight_max),
        )))
    }

    async fn get_declaration(
        &self,
        request: Request<wire::GetDeclarationRequest>,
    ) -> Result<Response<wire::GetDeclarationResponse>, Status> {
        let reader = request::reader(caller(&request)?);
        let (name, written) = match &request.get_ref().name {
            Some(wire::get_declaration_request::Name::DeclarationId(id)) => (
                request::id("declaration", "declaration_id", id).map(Name::Id),
                id,
            ),
            Some(wire::get_declaration_request::Name::Mrn(mrn)) => (
                Ok(Name::Mrn(normalised_mrn(
                    &request::looked_for(mrn).unwrap_or_default(),
                ))),
                mrn,
            ),
            None => {
                return Err(refused(request::one(
                    "CUSTOMS_REQUEST_INVALID",
                    "name",
                    "",
                    "required",
                    "Give the declaration's id or its MRN.",
                )));
            }
        };
        let found = queries::declaration(&self.reads, &reader, &name.map_err(refused)?)
            .await
            .map_err(failed)?;
        let declaration =
            found.ok_or_else(|| refused(Refusal::not_found("declaration", written)))?;
        let mut record = self
            .records(std::slice::from_ref(&declaration))
            .await?
            .pop()
            .unwrap_or_default();
        let history = queries::history(&self.reads, &reader, declaration.id)
            .await
            .map_err(failed)?;
        record.history = history.into_iter().map(response::history_entry).collect();
        let document = queries::document(&self.reads, &reader, declaration.id)
            .await
            .map_err(failed)?;
        record.declaration = document
            .and_then(|(content_type, bytes)| filing::declaration_of(&content_type, &bytes));
        Ok(Response::new(wire::GetDeclarationResponse {
            declaration: Some(record),
        }))
    }

    async fn list_declarations(
        &self,
        request: Request<wire::ListDeclarationsRequest>,
    ) -> Result<Response<wire::ListDeclarationsResponse>, Status> {
        let reader = request::reader(caller(&request)?);
        let message = request.get_ref();
        let (size, before) = page::<Uuid>(message.page.as_ref())?;
        let document =
            request::transport_document("transport_document", &message.transport_document)
                .map_err(refused)?;
        let filter = Filter {
            mrn: request::looked_for(&message.mrn).map(|mrn| normalised_mrn(&mrn)),
            lrn: request::looked_for(&message.lrn),
            container: request::looked_for(&message.container_number).map(|written| {
                ContainerNumber::parse(&written)
                    .map(String::from)
                    .unwrap_or(written)
            }),
            transport_document: document.map(String::from),
            statuses: message
                .statuses()
                .map(|status| {
                    status
                        .as_str_name()
                        .trim_start_matches("DECLARATION_STATUS_")
                        .to_owned()
                })
                .collect(),
        };
        let rows =
            queries::declarations(&self.reads, &reader, &filter, before, size.rows_to_read())
                .await
                .map_err(failed)?;
        let (rows, mut next_page_token) = size.page(rows, |declaration| declaration.id);
        let mut declarations = self.records(&rows).await?;
        let fitting = fitting(&declarations);
        if fitting < declarations.len() {
            declarations.truncate(fitting);
            let last = rows.get(fitting.saturating_sub(1));
            next_page_token = encode_page_token(&last.map(|declaration| declaration.id));
        }
        Ok(Response::new(wire::ListDeclarationsResponse {
            declarations,
            next_page_token,
        }))
    }

    async fn get_document(
        &self,
        request: Request<wire::GetDocumentRequest>,
    ) -> Result<Response<wire::GetDocumentResponse>, Status> {
        let reader = request::reader(caller(&request)?);
        let written = &request.get_ref().declaration_id;
        let id = request::id("declaration", "declaration_id", written).map_err(refused)?;
        let found = queries::document(&self.reads, &reader, id)
            .await
            .map_err(failed)?;
        let (content_type, bytes) =
            found.ok_or_else(|| refused(Refusal::not_found("declaration", written)))?;
        Ok(Response::new(wire::GetDocumentResponse {
            document: bytes.into(),
            content_type,
        }))
    }

    async fn list_notifications(
        &self,
        request: Request<wire::ListNotificationsRequest>,
    ) -> Result<Response<wire::ListNotificationsResponse>, Status> {
        let reader = request::reader(caller(&request)?);
        let message = request.get_ref();
        let size = PageSize::parse(message.page_size, ROWS_DEFAULT, ROWS_MAX).map_err(refused)?;
        let declaration_id = match message.declaration_id.as_str() {
            "" => None,
            written => {
                Some(request::id("declaration", "declaration_id", written).map_err(refused)?)
            }
        };
        let after = match message.cursor.as_str() {
            "" => 0,
            written => written
                .parse::<i64>()
                .ok()
                .filter(|cursor| *cursor >= 0)
                .ok_or_else(|| {
                    refused(request::one(
                        "PAGE_TOKEN_INVALID",
                        "cursor",
                        written,
                        "cursor of a notification",
                        "Repeat the cursor exactly as it was given.",
                    ))
                })?,
        };
        let rows = queries::notifications(
            &self.reads,
            &reader,
            declaration_id,
            after,
            i64::from(size.rows()),
        )
        .await
        .map_err(failed)?;
        let mut notifications: Vec<wire::Notification> = rows
            .iter()
            .map(|(sequence, notification)| response::notification(*sequence, notification))
            .collect();
        notifications.truncate(fitting(&notifications));
        let next_cursor = notifications
            .last()
            .map_or_else(|| message.cursor.clone(), |last| last.cursor.clone());
        Ok(Response::new(wire::ListNotificationsResponse {
            notifications,
            next_cursor,
        }))
    }

    async fn present_goods(
        &self,
        request: Request<wire::PresentGoodsRequest>,
    ) -> Result<Response<wire::PresentGoodsResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::PresentGoods(PresentGoods {
            command: request::declaration_command(
                caller,
                &message.declaration_id,
                message.expected_version,
                &message.reason,
            )
            .map_err(refused)?,
            presented_at: request::optional_time("presented_at", message.presented_at.as_ref())
                .map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "PresentGoods",
            &message.request_id,
            message,
            &message.declaration_id,
            input,
        )
        .await
    }

    async fn override_match(
        &self,
        request: Request<wire::OverrideMatchRequest>,
    ) -> Result<Response<wire::OverrideMatchResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let (visit_id, container) =
            request::visit("container_visit_id", &message.container_visit_id).map_err(refused)?;
        let input = Input::OverrideMatch(OverrideMatch {
            command: request::declaration_command(
                caller,
                &message.declaration_id,
                message.expected_version,
                &message.reason,
            )
            .map_err(refused)?,
            visit_id,
            container,
            transport_document: request::transport_document(
                "transport_document",
                &message.transport_document,
            )
            .map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "OverrideMatch",
            &message.request_id,
            message,
            &message.declaration_id,
            input,
        )
        .await
    }

    async fn open_control(
        &self,
        request: Request<wire::OpenControlRequest>,
    ) -> Result<Response<wire::OpenControlResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::OpenControl(OpenControl {
            command: request::declaration_command(
                caller,
                &message.declaration_id,
                message.expected_version,
                &message.reason,
            )
            .map_err(refused)?,
            order: request::control_order(message).map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "OpenControl",
            &message.request_id,
            message,
            &message.declaration_id,
            input,
        )
        .await
    }

    async fn complete_control(
        &self,
        request: Request<wire::CompleteControlRequest>,
    ) -> Result<Response<wire::CompleteControlResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::CompleteControl(CompleteControl {
            command: request::declaration_command(
                caller,
                &message.declaration_id,
                message.expected_version,
                &message.reason,
            )
            .map_err(refused)?,
            control_id: request::id("control", "control_id", &message.control_id)
                .map_err(refused)?,
            result: request::control_result(message).map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "CompleteControl",
            &message.request_id,
            message,
            &message.declaration_id,
            input,
        )
        .await
    }

    async fn reroute_declaration(
        &self,
        request: Request<wire::RerouteDeclarationRequest>,
    ) -> Result<Response<wire::RerouteDeclarationResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::Reroute(Reroute {
            command: request::declaration_command(
                caller,
                &message.declaration_id,
                message.expected_version,
                &message.reason,
            )
            .map_err(refused)?,
            channel: request::channel(message).map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "RerouteDeclaration",
            &message.request_id,
            message,
            &message.declaration_id,
            input,
        )
        .await
    }

    async fn release_declaration(
        &self,
        request: Request<wire::ReleaseDeclarationRequest>,
    ) -> Result<Response<wire::ReleaseDeclarationResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::Release(Release {
            command: request::declaration_command(
                caller,
                &message.declaration_id,
                message.expected_version,
                &message.reason,
            )
            .map_err(refused)?,
            manual_duties: request::manual_duties(&message.manual_duties).map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "ReleaseDeclaration",
            &message.request_id,
            message,
            &message.declaration_id,
            input,
        )
        .await
    }

    async fn detain_declaration(
        &self,
        request: Request<wire::DetainDeclarationRequest>,
    ) -> Result<Response<wire::DetainDeclarationResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::Detain(Detain {
            command: request::declaration_command(
                caller,
                &message.declaration_id,
                message.expected_version,
                &message.reason,
            )
            .map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "DetainDeclaration",
            &message.request_id,
            message,
            &message.declaration_id,
            input,
        )
        .await
    }

    async fn end_detention(
        &self,
        request: Request<wire::EndDetentionRequest>,
    ) -> Result<Response<wire::EndDetentionResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::EndDetention(EndDetention {
            command: request::declaration_command(
                caller,
                &message.declaration_id,
                message.expected_version,
                &message.reason,
            )
            .map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "EndDetention",
            &message.request_id,
            message,
            &message.declaration_id,
            input,
        )
        .await
    }

    async fn invalidate_declaration(
        &self,
        request: Request<wire::InvalidateDeclarationRequest>,
    ) -> Result<Response<wire::InvalidateDeclarationResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::Invalidate(Invalidate {
            command: request::declaration_command(
                caller,
                &message.declaration_id,
                message.expected_version,
                &message.reason,
            )
            .map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "InvalidateDeclaration",
            &message.request_id,
            message,
            &message.declaration_id,
            input,
        )
        .await
    }

    async fn get_guarantee(
        &self,
        request: Request<wire::GetGuaranteeRequest>,
    ) -> Result<Response<wire::GetGuaranteeResponse>, Status> {
        let caller = caller(&request)?;
        let trader = request::party(caller, &request.get_ref().trader_party).map_err(refused)?;
        let found = queries::guarantee_of(
            &self.reads,
            &request::reader(caller),
            &trader,
            &self.currency,
        )
        .await
        .map_err(failed)?;
        let guarantee = found.ok_or_else(|| refused(Refusal::not_found("guarantee", trader)))?;
        Ok(Response::new(wire::GetGuaranteeResponse {
            guarantee: Some(response::guarantee(&guarantee)),
        }))
    }

    async fn put_guarantee(
        &self,
        request: Request<wire::PutGuaranteeRequest>,
    ) -> Result<Response<wire::PutGuaranteeResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::PutGuarantee(PutGuarantee {
            actor: request::actor(caller),
            trader: request::party(caller, &message.trader_party).map_err(refused)?,
            amount: convert::money("amount", message.amount.as_ref())
                .map_err(|fault| refused(convert::refusal_of(fault)))?,
            reason: request::reason_of(&message.reason).map_err(refused)?,
            expected_version: message.expected_version,
        });
        self.on_declaration(
            caller,
            "PutGuarantee",
            &message.request_id,
            message,
            &message.trader_party,
            input,
        )
        .await
    }

    async fn place_hold(
        &self,
        request: Request<wire::PlaceHoldRequest>,
    ) -> Result<Response<wire::PlaceHoldResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::PlaceHold(PlaceHold {
            actor: request::actor(caller),
            target: request::target(message.scope.as_ref()).map_err(refused)?,
            kind: request::hold_kind(message).map_err(refused)?,
            reason: request::reason_of(&message.reason).map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "PlaceHold",
            &message.request_id,
            message,
            &caller.party,
            input,
        )
        .await
    }

    async fn lift_hold(
        &self,
        request: Request<wire::LiftHoldRequest>,
    ) -> Result<Response<wire::LiftHoldResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::LiftHold(LiftHold {
            actor: request::actor(caller),
            hold_id: request::id("hold", "hold_id", &message.hold_id).map_err(refused)?,
            reason: request::reason_of(&message.reason).map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "LiftHold",
            &message.request_id,
            message,
            &caller.party,
            input,
        )
        .await
    }

    async fn record_payment(
        &self,
        request: Request<wire::RecordPaymentRequest>,
    ) -> Result<Response<wire::RecordPaymentResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let amount = convert::money("amount", message.amount.as_ref())
            .map_err(|fault| refused(convert::refusal_of(fault)))?;
        if amount.is_zero() || amount.is_negative() {
            return Err(refused(request::one(
                "MONEY_INVALID",
                "amount",
                &amount.to_string(),
                "payments",
                "Pay more than nothing.",
            )));
        }
        if !amount
            .round_to_minor(Rounding::Truncate)
            .is_ok_and(|whole| whole == amount)
        {
            return Err(refused(request::one(
                "MONEY_INVALID",
                "amount",
                &amount.to_string(),
                "payments",
                "Nobody can pay less than the currency's minor unit: leave out the digits behind it.",
            )));
        }
        let declaration_id = match message.declaration_id.as_str() {
            "" => None,
            written => {
                Some(request::id("declaration", "declaration_id", written).map_err(refused)?)
            }
        };
        let input = Input::RecordPayment(RecordPayment {
            actor: request::actor(caller),
            officer: caller.is(Role::Officer),
            payer: request::party(caller, &message.payer_party).map_err(refused)?,
            amount,
            declaration_id,
            reference: request::payment_reference(&message.reference).map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "RecordPayment",
            &message.request_id,
            message,
            &message.payer_party,
            input,
        )
        .await
    }

    async fn get_account(
        &self,
        request: Request<wire::GetAccountRequest>,
    ) -> Result<Response<wire::GetAccountResponse>, Status> {
        let caller = caller(&request)?;
        let payer = request::party(caller, &request.get_ref().payer_party).map_err(refused)?;
        let found = queries::account_of(
            &self.reads,
            &request::reader(caller),
            &payer,
            &self.currency,
        )
        .await
        .map_err(failed)?;
        let (account, entries) =
            found.ok_or_else(|| refused(Refusal::not_found("account", payer)))?;
        let entries = entries
            .into_iter()
            .map(|entry| response::account_entry(entry, &self.currency))
            .collect();
        Ok(Response::new(wire::GetAccountResponse {
            account: Some(response::account(&account, entries)),
        }))
    }

    async fn put_party(
        &self,
        request: Request<wire::PutPartyRequest>,
    ) -> Result<Response<wire::PutPartyResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::PutParty(PutPartyCommand {
            asked: request::put_party(message).map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "PutParty",
            &message.request_id,
            message,
            &caller.party,
            input,
        )
        .await
    }

    async fn get_party(
        &self,
        request: Request<wire::GetPartyRequest>,
    ) -> Result<Response<wire::GetPartyResponse>, Status> {
        let caller = caller(&request)?;
        let (party_id, identifiers, written) = match &request.get_ref().name {
            Some(wire::get_party_request::Name::Identifier(asked)) => (
                None,
                Identifier::candidates(&asked.value),
                asked.value.clone(),
            ),
            Some(wire::get_party_request::Name::PartyId(id)) => (
                Some(request::party(caller, id).map_err(refused)?),
                Vec::new(),
                id.clone(),
            ),
            None => (Some(caller.party.clone()), Vec::new(), caller.party.clone()),
        };
        let found = queries::party(&self.reads, party_id.as_deref(), &identifiers)
            .await
            .map_err(failed)?;
        let party = found.ok_or_else(|| refused(Refusal::not_found("party", written)))?;
        let own = party.party_id == caller.party || request::reader(caller).sees_all;
        Ok(Response::new(wire::GetPartyResponse {
            party: Some(response::party(&party, own)),
        }))
    }

    async fn grant_mandate(
        &self,
        request: Request<wire::GrantMandateRequest>,
    ) -> Result<Response<wire::GrantMandateResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let asked = request::grant_mandate(caller, message).map_err(refused)?;
        let input = Input::GrantMandate(GrantMandateCommand {
            asked,
            mandate_id: None,
        });
        self.on_declaration(
            caller,
            "GrantMandate",
            &message.request_id,
            message,
            &caller.party,
            input,
        )
        .await
    }

    async fn revoke_mandate(
        &self,
        request: Request<wire::RevokeMandateRequest>,
    ) -> Result<Response<wire::RevokeMandateResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let input = Input::RevokeMandate(RevokeMandateCommand {
            actor: request::actor(caller),
            officer: caller.is(Role::Officer),
            mandate_id: request::id("mandate", "mandate_id", &message.mandate_id)
                .map_err(refused)?,
            reason: request::reason_of(&message.reason).map_err(refused)?,
        });
        self.on_declaration(
            caller,
            "RevokeMandate",
            &message.request_id,
            message,
            &caller.party,
            input,
        )
        .await
    }

    async fn list_mandates(
        &self,
        request: Request<wire::ListMandatesRequest>,
    ) -> Result<Response<wire::ListMandatesResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let (size, before) = page::<Uuid>(message.page.as_ref())?;
        let party = request::party(caller, &message.party_id).map_err(refused)?;
        let reader = request::reader(caller);
        if party != caller.party && !reader.sees_all {
            return Err(refused(Refusal::not_found("party", party)));
        }
        let ended_before =
            (!message.include_ended).then(|| kernel::Clock::now(&kernel::SystemClock));
        let rows = queries::mandates(
            &self.reads,
            &reader,
            &party,
            ended_before,
            before,
            size.rows_to_read(),
        )
        .await
        .map_err(failed)?;
        let (rows, next_page_token) = size.page(rows, |mandate| mandate.mandate_id);
        Ok(Response::new(wire::ListMandatesResponse {
            mandates: rows.iter().map(response::mandate).collect(),
            next_page_token,
        }))
    }
}

/// A page asked for: its size and the key it begins after.
#[allow(clippy::result_large_err)]
fn page<K: serde::de::DeserializeOwned>(
    asked: Option<&proto::common::v1::Page>,
) -> Result<(PageSize, Option<K>), Status> {
    let asked = asked.cloned().unwrap_or_default();
    let size = PageSize::parse(asked.page_size, ROWS_DEFAULT, ROWS_MAX).map_err(refused)?;
    Ok((size, decode_page_token(&asked.page_token).map_err(refused)?))
}

/// How many of a page's rows fit into one answer; the first always does.
fn fitting(rows: &[impl prost::Message]) -> usize {
    let mut bytes = 0;
    let fit = rows.iter().take_while(|row| {
        bytes += row.encoded_len();
        bytes <= PAGE_BYTES_MAX
    });
    fit.count().max(1)
}

fn normalised_mrn(written: &str) -> String {
    Mrn::parse(written)
        .map(String::from)
        .unwrap_or_else(|_| written.to_owned())
}

fn filing_refused((refusal, repeated): (Refusal, bool)) -> Status {
    command::refused(&refusal, repeated)
}

fn filing_refusal(refusal: Refusal) -> wire::FilingRefusal {
    let told = |name: &str| refusal.metadata.get(name).cloned().unwrap_or_default();
    wire::FilingRefusal {
        reason: refusal.reason,
        message: refusal.message,
        faults: refusal.faults.iter().map(convert::fault_message).collect(),
        retry_after_millis: refusal.retry_after_millis.unwrap_or_default(),
        declaration_id: refusal
            .resource
            .filter(|(kind, _)| kind == "declaration")
            .map(|(_, id)| id)
            .unwrap_or_default(),
        lrn: told(told::LRN),
        type_code: told(told::TYPE_CODE),
        items: told(told::ITEMS).parse().unwrap_or_default(),
        containers: serde_json::from_str(&told(told::CONTAINERS)).unwrap_or_default(),
    }
}

fn refused(refusal: Refusal) -> Status {
    to_status(&refusal)
}

fn failed(error: sqlx::Error) -> Status {
    internal(&error)
}
