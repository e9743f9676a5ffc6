//! The commands of the bonded centre's operator: stock lists, what was counted, what differs, and all stock of the
//! centre.

use clap::{Subcommand, ValueEnum};
use proto::bonded::v1::{
    ApproveStockListRequest, CloseStockListShortRequest, Discrepancy, DiscrepancyResolution,
    ListDiscrepanciesRequest, RecordReceiptCountRequest, ResolveDiscrepancyRequest,
    ReversePostingRequest,
};

use super::arguments::Listing;
use super::show;
use super::stock_list::{self, CountedLine, ListsArguments, VoidArguments};
use super::trader::{self, StockArguments};
use crate::client::{ClientError, Session};

/// The operator's commands.
#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Approve, close short and look at stock lists
    #[command(
        subcommand,
        after_help = "\
Example: greenlane operator list approve QD800026I000000007
         greenlane operator list list --in filed"
    )]
    List(ListCommand),
    /// Record what was counted of an increase when it was unstuffed
    #[command(after_help = "\
Example: greenlane operator receive QD800026I000000007 1=50:NAR
         greenlane operator receive QD800026I000000007 1=48:NAR 2=10:NAR")]
    Receive {
        /// The list
        list: String,
        /// What was counted: LINE=QUANTITY:UNIT, in the declared unit
        #[arg(required = true, value_name = "COUNT")]
        counts: Vec<CountedLine>,
        /// The list's version that you have seen
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        expected_version: u64,
    },
    /// List what differs between lists and what passed or was counted; settle it
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
Example: greenlane operator discrepancies
         greenlane operator discrepancies resolve 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --post passed --reason 'two broken cases'"
    )]
    Discrepancies {
        #[command(subcommand)]
        command: Option<DiscrepancyCommand>,
        #[command(flatten)]
        arguments: DiscrepanciesArguments,
    },
    /// What stock there is, or was, in the centre: as `trader stock`, of all traders
    #[command(after_help = "\
Example: greenlane operator stock
         greenlane operator stock --by-line --trader trader-b")]
    Stock(StockArguments),
    /// Take a final posting back, by contra entries
    #[command(
        after_help = "Example: greenlane operator reverse QD800026I000000007 --reason 'posted to the wrong book'"
    )]
    Reverse {
        /// The list
        list: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// The list's version that you have seen
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        expected_version: u64,
    },
}

/// The operator's commands about lists.
#[derive(Debug, Subcommand)]
pub enum ListCommand {
    /// Approve an increase
    #[command(after_help = "Example: greenlane operator list approve QD800026I000000007")]
    Approve {
        /// The list
        list: String,
        /// The list's version that you have seen
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        expected_version: u64,
    },
    /// Show one list with its lots, discrepancies and what it waits for
    #[command(after_help = "Example: greenlane operator list show QD800026I000000007")]
    Show {
        /// The list
        list: String,
    },
    /// List the centre's lists, newest first
    #[command(after_help = "Example: greenlane operator list list --in filed")]
    List(ListsArguments),
    /// Say that no more of a list comes: what passed is posted, the rest is free again
    #[command(
        after_help = "Example: greenlane operator list close-short QD800026E000000003 --reason 'the last truck never came'"
    )]
    CloseShort {
        /// The list
        list: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// The list's version that you have seen
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        expected_version: u64,
    },
    /// Ask for a list to be void; final once gate has answered
    #[command(
        after_help = "Example: greenlane operator list void QD800026I000000007 --reason 'filed twice'"
    )]
    Void(VoidArguments),
}

/// What is done with a discrepancy.
#[derive(Debug, Subcommand)]
pub enum DiscrepancyCommand {
    /// Settle one: by what passed, or by what was counted
    #[command(after_help = "\
Example: greenlane operator discrepancies resolve 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --post passed --reason 'two broken cases'")]
    Resolve {
        /// The discrepancy's id
        discrepancy: String,
        /// What is posted for its line
        #[arg(long)]
        post: PostArgument,
        /// Why
        #[arg(long)]
        reason: String,
        /// The list's version that you have seen
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        expected_version: u64,
    },
}

/// Which discrepancies are listed.
#[derive(Clone, Debug, clap::Args)]
pub struct DiscrepanciesArguments {
    /// Only of this list
    #[arg(long, default_value = "", hide_default_value = true)]
    list: String,
    /// Only those that are open
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    listing: Listing,
}

/// What is posted where something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PostArgument {
    /// What passed the gate
    Passed,
    /// What was counted
    Counted,
}

/// Carries out an operator's command.
///
/// # Errors
/// What bonded refuses.
pub async fn run(command: OperatorCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        OperatorCommand::List(command) => list(command, session).await,
        OperatorCommand::Receive {
            list,
            counts,
            expected_version,
        } => {
            let request = RecordReceiptCountRequest {
                request_id: session.request_id(),
                list_number: list,
                counts: counts.into_iter().map(|CountedLine(count)| count).collect(),
                expected_version,
            };
            let answer = session.bonded()?.record_receipt_count(request).await?;
            let answer = answer.into_inner();
            show::one(session, &answer.stock_list.unwrap_or_default())?;
            if answer.discrepancies.is_empty() {
                return Ok(());
            }
            show::many(session, &answer.discrepancies)
        }
        OperatorCommand::Discrepancies {
            command: Some(command),
            ..
        } => resolve(command, session).await,
        OperatorCommand::Discrepancies {
            command: None,
            arguments,
        } => discrepancies(arguments, session).await,
        OperatorCommand::Stock(arguments) => trader::stock(arguments, session).await,
        OperatorCommand::Reverse {
            list,
            reason,
            expected_version,
        } => {
            let request = ReversePostingRequest {
                request_id: session.request_id(),
                list_number: list,
                reason,
                expected_version,
            };
            let answer = session.bonded()?.reverse_posting(request).await?;
            show::one(session, &answer.into_inner().stock_list.unwrap_or_default())
        }
    }
}

async fn list(command: ListCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        ListCommand::Approve {
            list,
            expected_version,
        } => {
            let request = ApproveStockListRequest {
                request_id: session.request_id(),
                list_number: list,
                expected_version,
            };
            let answer = session.bonded()?.approve_stock_list(request).await?;
            show::one(session, &answer.into_inner().stock_list.unwrap_or_default())
        }
        ListCommand::Show { list } => stock_list::show(list, session).await,
        ListCommand::List(arguments) => stock_list::list(arguments, session).await,
        ListCommand::CloseShort {
            list,
            reason,
            expected_version,
        } => {
            let request = CloseStockListShortRequest {
                request_id: session.request_id(),
                list_number: list,
                reason,
                expected_version,
            };
            let answer = session.bonded()?.close_stock_list_short(request).await?;
            show::one(session, &answer.into_inner().stock_list.unwrap_or_default())
        }
        ListCommand::Void(arguments) => stock_list::void(arguments, session).await,
    }
}

async fn discrepancies(
    arguments: DiscrepanciesArguments,
    session: &Session,
) -> Result<(), ClientError> {
    let mut bonded = session.bonded()?;
    let rows: Vec<Discrepancy> = arguments
        .listing
        .fetch(async |page| {
            let request = ListDiscrepanciesRequest {
                page: Some(page),
                list_number: arguments.list.clone(),
                open_only: arguments.open,
            };
            let answer = bonded.list_discrepancies(request).await?.into_inner();
            Ok((answer.discrepancies, answer.next_page_token))
        })
        .await?;
    show::many(session, &rows)
}

async fn resolve(command: DiscrepancyCommand, session: &Session) -> Result<(), ClientError> {
    let DiscrepancyCommand::Resolve {
        discrepancy,
        post,
        reason,
        expected_version,
    } = command;
    let resolution = match post {
        PostArgument::Passed => DiscrepancyResolution::PostPassed,
        PostArgument::Counted => DiscrepancyResolution::PostCounted,
    };
    let request = ResolveDiscrepancyRequest {
        request_id: session.request_id(),
        discrepancy_id: discrepancy,
        resolution: resolution.into(),
        reason,
        expected_version,
    };
    let answer = session.bonded()?.resolve_discrepancy(request).await?;
    let answer = answer.into_inner();
    show::one(session, &answer.discrepancy.unwrap_or_default())?;
    show::one(session, &answer.stock_list.unwrap_or_default())
}
