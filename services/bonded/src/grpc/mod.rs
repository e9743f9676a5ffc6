//! The API: requests become commands or questions, decisions and rows become answers. No
//! logic, and the only place that knows `tonic::Status`.

pub mod list_messages;
pub mod messages;
mod read;

use std::sync::Arc;

use chassis::command::{Call, decide};
use chassis::{Caller, Role, caller, internal, to_status};
use fabric::{Handle, Reads};
use kernel::{BookNumber, Refusal};
use proto::bonded::v1 as wire;
use proto::bonded::v1::bonded_service_server::BondedService;
use tonic::{Request, Response, Status};

use crate::app::Input;
use crate::domain::Rules;
use crate::domain::actor::Actor;
use crate::domain::book::{Book, OpenBook, not_found};
use crate::domain::line::{AddBookLine, SuspendBookLine, WrittenLine};
use crate::domain::list_commands::{Change, ChangeStockList, reason};
use crate::domain::stock_list;
use crate::metrics;
use crate::store::books::{self, BookFilter};
use crate::store::list_questions::{self, ListFilter, ListFound};
use crate::store::movements::{self, MovementFilter};
use crate::store::stock;

const ROWS_DEFAULT: u32 = 50;
const ROWS_MAX: u32 = 500;
const LISTS_MAX: u32 = 100;
const MOVEMENTS_DEFAULT: u32 = 100;
const MOVEMENTS_MAX: u32 = 1_000;
const DATABASE_RETRY_MILLIS: u64 = 1_000;

/// Answers bonded's calls.
#[derive(Clone)]
pub struct Api {
    handle: Handle<Input>,
    reads: Reads,
    rules: Arc<Rules>,
}

impl Api {
    /// An API over the loop and the connections that answer questions.
    pub fn new(handle: Handle<Input>, reads: Reads, rules: Rules) -> Self {
        Self {
            handle,
            reads,
            rules: Arc::new(rules),
        }
    }

    /// Has a change of a list decided.
    async fn change<R: prost::Message + Default>(
        &self,
        caller: &Caller,
        method: &'static str,
        request_id: &str,
        message: &impl prost::Message,
        command: ChangeStockList,
    ) -> Result<Response<R>, Status> {
        let call = Call {
            caller,
            method,
            request_id,
            validate_only: false,
            lane: method,
        };
        let answered = decide(&self.handle, call, message, Input::ChangeStockList(command)).await?;
        Ok(Response::new(answered.response))
    }

    /// A list that exists for the actor.
    async fn list(&self, actor: &Actor, written: &str) -> Result<ListFound, Status> {
        let number = read::list_number(written).map_err(refused)?;
        let filter = ListFilter {
            list_number: Some(number.to_string()),
            ..Default::default()
        };
        let mut found = list_questions::stock_lists(&self.reads, actor, &filter, 1)
            .await
            .map_err(failed)?;
        found
            .pop()
            .ok_or_else(|| refused(stock_list::not_found(number.as_str())))
    }

    /// A book that exists for the actor.
    async fn book(&self, actor: &Actor, book_number: &str) -> Result<Book, Status> {
        let number = read::book_number(book_number).map_err(refused)?;
        let book = books::book(&self.reads, actor, number.as_str())
            .await
            .map_err(failed)?;
        book.ok_or_else(|| refused(not_found(number.as_str())))
    }
}

#[tonic::async_trait]
impl BondedService for Api {
    async fn open_book(
        &self,
        request: Request<wire::OpenBookRequest>,
    ) -> Result<Response<wire::OpenBookResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let command = OpenBook::read(
            actor(caller),
            message.validate_only,
            &message.site_id,
            &message.book_number,
            &self.rules,
        )
        .map_err(refused)?;
        let call = Call {
            caller,
            method: "OpenBook",
            request_id: &message.request_id,
            validate_only: message.validate_only,
            lane: &message.book_number,
        };
        let answered = decide(&self.handle, call, message, Input::OpenBook(command)).await?;
        Ok(Response::new(answered.response))
    }

    async fn add_book_line(
        &self,
        request: Request<wire::AddBookLineRequest>,
    ) -> Result<Response<wire::AddBookLineResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let units = message.units.clone().unwrap_or_default();
        let written = WrittenLine {
            book_number: &message.book_number,
            hs_code: &message.hs_code,
            goods_description: &message.goods_description,
            unit_declared: &units.declared,
            unit_statutory_1: &units.statutory_1,
            unit_statutory_2: &units.statutory_2,
        };
        let command =
            AddBookLine::read(actor(caller), message.validate_only, written).map_err(refused)?;
        let call = Call {
            caller,
            method: "AddBookLine",
            request_id: &message.request_id,
            validate_only: message.validate_only,
            lane: &message.book_number,
        };
        let answered = decide(&self.handle, call, message, Input::AddBookLine(command)).await?;
        Ok(Response::new(answered.response))
    }

    async fn suspend_book_line(
        &self,
        request: Request<wire::SuspendBookLineRequest>,
    ) -> Result<Response<wire::SuspendBookLineResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let command = SuspendBookLine::read(
            actor(caller),
            (&message.book_number, message.line_number),
            (
                message.suspended_for_increase,
                message.suspended_for_decrease,
            ),
            &message.reason,
            message.expected_version,
        )
        .map_err(refused)?;
        let call = Call {
            caller,
            method: "SuspendBookLine",
            request_id: &message.request_id,
            validate_only: false,
            lane: &message.book_number,
        };
        let answered = decide(&self.handle, call, message, Input::SuspendBookLine(command)).await?;
        Ok(Response::new(answered.response))
    }

    async fn get_book(
        &self,
        request: Request<wire::GetBookRequest>,
    ) -> Result<Response<wire::GetBookResponse>, Status> {
        let actor = actor(caller(&request)?);
        let message = request.get_ref();
        let (size, after) =
            read::page::<i32>(message.page.as_ref(), ROWS_DEFAULT, ROWS_MAX).map_err(refused)?;
        let book = self.book(&actor, &message.book_number).await?;
        let lines = books::lines(
            &self.reads,
            &actor,
            book.book_number.as_str(),
            after.unwrap_or_default(),
            size.rows_to_read(),
        )
        .await
        .map_err(failed)?;
        let (lines, next_page_token) = size.page(lines, |line| line.id.line_number);
        Ok(Response::new(wire::GetBookResponse {
            book: Some(messages::book(&book)),
            lines: lines.iter().map(messages::line).collect(),
            next_page_token,
        }))
    }

    async fn list_books(
        &self,
        request: Request<wire::ListBooksRequest>,
    ) -> Result<Response<wire::ListBooksResponse>, Status> {
        let actor = actor(caller(&request)?);
        let message = request.get_ref();
        let (size, after) =
            read::page(message.page.as_ref(), ROWS_DEFAULT, ROWS_MAX).map_err(refused)?;
        let filter = BookFilter {
            trader_party: read::given(&message.trader_party),
            site_id: read::given(&message.site_id),
            after,
        };
        let books = books::books(&self.reads, &actor, &filter, size.rows_to_read())
            .await
            .map_err(failed)?;
        let (books, next_page_token) = size.page(books, |book| book.book_number.to_string());
        Ok(Response::new(wire::ListBooksResponse {
            books: books.iter().map(messages::book).collect(),
            next_page_token,
        }))
    }

    async fn get_stock(
        &self,
        request: Request<wire::GetStockRequest>,
    ) -> Result<Response<wire::GetStockResponse>, Status> {
        let actor = actor(caller(&request)?);
        let message = request.get_ref();
        let (size, after) =
            read::page(message.page.as_ref(), ROWS_DEFAULT, ROWS_MAX).map_err(refused)?;
        let query = read::stock_query(message, size, after).map_err(refused)?;
        if let Some(number) = &query.book_number {
            self.book(&actor, number).await?;
        }
        let rows = stock::stock(&self.reads, &actor, &query)
            .await
            .map_err(failed)?;
        let (rows, next_page_token) = size.page(rows, |row| row.key.clone());
        let rows = rows
            .iter()
            .map(messages::stock)
            .collect::<Result<_, _>>()
            .map_err(|error| internal(&error))?;
        Ok(Response::new(wire::GetStockResponse {
            rows,
            next_page_token,
        }))
    }

    async fn list_movements(
        &self,
        request: Request<wire::ListMovementsRequest>,
    ) -> Result<Response<wire::ListMovementsResponse>, Status> {
        let actor = actor(caller(&request)?);
        let message = request.get_ref();
        let (size, after) =
            read::page::<i64>(message.page.as_ref(), MOVEMENTS_DEFAULT, MOVEMENTS_MAX)
                .map_err(refused)?;
        let book = self.book(&actor, &message.book_number).await?;
        let filter = MovementFilter {
            line_number: read::line_filter(message.line_number),
            lot_id: read::given(&message.lot_id),
            after: after.unwrap_or_default(),
        };
        let rows = movements::movements(
            &self.reads,
            &actor,
            &book.book_number,
            &filter,
            size.rows_to_read(),
        )
        .await
        .map_err(failed)?;
        let (rows, next_page_token) = size.page(rows, |movement| movement.ordinal);
        Ok(Response::new(wire::ListMovementsResponse {
            movements: rows.iter().map(messages::movement).collect(),
            next_page_token,
        }))
    }

    async fn verify_chain(
        &self,
        request: Request<wire::VerifyChainRequest>,
    ) -> Result<Response<wire::VerifyChainResponse>, Status> {
        let actor = actor(caller(&request)?);
        let message = request.get_ref();
        let known = message
            .known_head
            .as_ref()
            .map(read::known_head)
            .transpose()
            .map_err(refused)?;
        let number: BookNumber = read::book_number(&message.book_number).map_err(refused)?;
        let verified = movements::verify(&self.reads, &actor, &number, known)
            .await
            .map_err(failed)?;
        let (reached, fault) = verified.ok_or_else(|| refused(not_found(number.as_str())))?;
        metrics::verified(fault.as_ref());
        if let Some(fault) = &fault {
            tracing::error!(book = number.as_str(), ordinal = fault.ordinal, kind = ?fault.kind, "a book's ledger is not what it must be");
        }
        Ok(Response::new(messages::verified(&reached, fault.as_ref())))
    }

    async fn file_stock_list(
        &self,
        request: Request<wire::FileStockListRequest>,
    ) -> Result<Response<wire::FileStockListResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let command = read::filing(actor(caller), message).map_err(refused)?;
        let call = Call {
            caller,
            method: "FileStockList",
            request_id: &message.request_id,
            validate_only: message.validate_only,
            lane: &message.book_number,
        };
        let answered = decide(&self.handle, call, message, Input::FileStockList(command)).await?;
        Ok(Response::new(answered.response))
    }

    async fn approve_stock_list(
        &self,
        request: Request<wire::ApproveStockListRequest>,
    ) -> Result<Response<wire::ApproveStockListResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let command = read::change(
            actor(caller),
            &message.list_number,
            message.expected_version,
            Change::Approve,
        )
        .map_err(refused)?;
        self.change(
            caller,
            "ApproveStockList",
            &message.request_id,
            message,
            command,
        )
        .await
    }

    async fn void_stock_list(
        &self,
        request: Request<wire::VoidStockListRequest>,
    ) -> Result<Response<wire::VoidStockListResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let command = reason(&message.reason)
            .and_then(|reason| {
                let change = Change::Void { reason };
                read::change(
                    actor(caller),
                    &message.list_number,
                    message.expected_version,
                    change,
                )
            })
            .map_err(refused)?;
        self.change(
            caller,
            "VoidStockList",
            &message.request_id,
            message,
            command,
        )
        .await
    }

    async fn close_stock_list_short(
        &self,
        request: Request<wire::CloseStockListShortRequest>,
    ) -> Result<Response<wire::CloseStockListShortResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let command = reason(&message.reason)
            .and_then(|reason| {
                let change = Change::CloseShort { reason };
                read::change(
                    actor(caller),
                    &message.list_number,
                    message.expected_version,
                    change,
                )
            })
            .map_err(refused)?;
        self.change(
            caller,
            "CloseStockListShort",
            &message.request_id,
            message,
            command,
        )
        .await
    }

    async fn record_receipt_count(
        &self,
        request: Request<wire::RecordReceiptCountRequest>,
    ) -> Result<Response<wire::RecordReceiptCountResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let command = read::counts(message)
            .and_then(|change| {
                read::change(
                    actor(caller),
                    &message.list_number,
                    message.expected_version,
                    change,
                )
            })
            .map_err(refused)?;
        self.change(
            caller,
            "RecordReceiptCount",
            &message.request_id,
            message,
            command,
        )
        .await
    }

    async fn reverse_posting(
        &self,
        request: Request<wire::ReversePostingRequest>,
    ) -> Result<Response<wire::ReversePostingResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let command = reason(&message.reason)
            .and_then(|reason| {
                let change = Change::Reverse { reason };
                read::change(
                    actor(caller),
                    &message.list_number,
                    message.expected_version,
                    change,
                )
            })
            .map_err(refused)?;
        self.change(
            caller,
            "ReversePosting",
            &message.request_id,
            message,
            command,
        )
        .await
    }

    async fn resolve_discrepancy(
        &self,
        request: Request<wire::ResolveDiscrepancyRequest>,
    ) -> Result<Response<wire::ResolveDiscrepancyResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.get_ref();
        let command = read::resolution(actor(caller), message).map_err(refused)?;
        self.change(
            caller,
            "ResolveDiscrepancy",
            &message.request_id,
            message,
            command,
        )
        .await
    }

    async fn get_stock_list(
        &self,
        request: Request<wire::GetStockListRequest>,
    ) -> Result<Response<wire::GetStockListResponse>, Status> {
        let actor = actor(caller(&request)?);
        let found = self.list(&actor, &request.get_ref().list_number).await?;
        Ok(Response::new(wire::GetStockListResponse {
            stock_list: Some(shown(&found)),
            discrepancies: list_messages::discrepancies(&found.dossier),
        }))
    }

    async fn list_stock_lists(
        &self,
        request: Request<wire::ListStockListsRequest>,
    ) -> Result<Response<wire::ListStockListsResponse>, Status> {
        let actor = actor(caller(&request)?);
        let message = request.get_ref();
        let (size, after) =
            read::page(message.page.as_ref(), ROWS_DEFAULT, LISTS_MAX).map_err(refused)?;
        let filter = ListFilter {
            list_number: None,
            book_number: read::given(&message.book_number),
            trader_party: read::given(&message.trader_party),
            state: read::state_filter(message.state),
            direction: read::direction_filter(message.direction),
            after,
        };
        let found = list_questions::stock_lists(&self.reads, &actor, &filter, size.rows_to_read())
            .await
            .map_err(failed)?;
        let (found, next_page_token) = size.page(found, |found| {
            let list = &found.dossier.list;
            (list.filed_at, list.number.to_string())
        });
        Ok(Response::new(wire::ListStockListsResponse {
            stock_lists: found.iter().map(shown).collect(),
            next_page_token,
        }))
    }

    async fn list_discrepancies(
        &self,
        request: Request<wire::ListDiscrepanciesRequest>,
    ) -> Result<Response<wire::ListDiscrepanciesResponse>, Status> {
        let actor = actor(caller(&request)?);
        let message = request.get_ref();
        let (size, after) =
            read::page(message.page.as_ref(), ROWS_DEFAULT, ROWS_MAX).map_err(refused)?;
        let list_number = read::given(&message.list_number);
        if let Some(number) = &list_number {
            self.list(&actor, number).await?;
        }
        let found = list_questions::discrepancies(
            &self.reads,
            &actor,
            list_number.as_deref(),
            message.open_only,
            after,
            size.rows_to_read(),
        )
        .await
        .map_err(failed)?;
        let (found, next_page_token) = size.page(found, |(_, one)| (one.opened_at, one.id));
        Ok(Response::new(wire::ListDiscrepanciesResponse {
            discrepancies: found
                .iter()
                .map(|(number, one)| list_messages::discrepancy(number, one))
                .collect(),
            next_page_token,
        }))
    }
}

fn shown(found: &ListFound) -> wire::StockList {
    let conditions = found.dossier.waits_for(&found.book_lines);
    list_messages::stock_list(&found.dossier, &conditions)
}

fn actor(caller: &Caller) -> Actor {
    Actor {
        party: caller.party.clone(),
        subject: caller.subject.clone(),
        trader: caller.is(Role::Trader),
        broker: caller.is(Role::Broker),
        operated_sites: if caller.is(Role::Operator) {
            caller.sites.clone()
        } else {
            Default::default()
        },
    }
}

fn refused(refusal: Refusal) -> Status {
    to_status(&refusal)
}

/// A question that the database did not answer: for now, or because something is broken.
fn failed(error: sqlx::Error) -> Status {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => to_status(
            &Refusal::unavailable(
                "DATABASE_UNAVAILABLE",
                "The database does not answer; ask again in a moment.",
            )
            .with_retry_after_millis(DATABASE_RETRY_MILLIS),
        ),
        error => internal(&error),
    }
}
