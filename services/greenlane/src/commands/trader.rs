//! The trader's commands: account books and the stock in them, on both clocks, the deferment account and the
//! guarantee.

use clap::Subcommand;
use kernel::{Money, MoneyError};
use proto::bonded::v1::{
    AddBookLineRequest, Book, BookLine, FileStockListRequest, GetBookRequest, GetStockRequest,
    LineUnits, ListBooksRequest, ListMovementsRequest, Movement, OpenBookRequest, StockAmount,
    StockDetail, StockListDirection, StockRow,
};
use proto::customs::v1::{
    Account, DebtState, GetAccountRequest, GetGuaranteeRequest, RecordPaymentRequest,
    TraderGuarantee,
};

use super::arguments::{Listing, Moment};
use super::declaration;
use super::show::{self, Shown, money, quantity, when, when_exactly, word, yes};
use super::stock_list::{self, DirectionArgument, FiledLine, ListsArguments, VoidArguments};
use crate::client::{ClientError, Session};
use crate::output::{self, Output};
use crate::parties::CENTRE;

/// The trader's commands.
#[derive(Debug, Subcommand)]
pub enum TraderCommand {
    /// Open account books, add lines, look at them
    #[command(
        subcommand,
        after_help = "\
Example: greenlane trader book open --number T8013B000042
         greenlane trader book show T8013B000042"
    )]
    Book(BookCommand),
    /// File what comes into bond or goes out of it, look at it, void it
    #[command(
        subcommand,
        after_help = "\
Example: greenlane trader list file increase BOOKTRADERA1 --lrn BOND-1 --line 1=50:NAR,150:KGM,50:NAR
         greenlane trader list list --in reserved"
    )]
    List(ListCommand),
    /// What stock there is, or was, on either clock or on both
    #[command(after_help = "\
Example: greenlane trader stock
         greenlane trader stock --as-of 2026-11-01T00:00:00Z --recorded-by 2026-11-05T12:00:00Z
         greenlane trader stock --by-line --as operator")]
    Stock(StockArguments),
    /// List the movements of a book, in the order of their recording
    #[command(after_help = "Example: greenlane trader movements T8013B000042 --line 1")]
    Movements {
        /// The book
        book: String,
        /// Of this line only
        #[arg(long, default_value_t = 0)]
        line: u32,
        #[command(flatten)]
        listing: Listing,
    },
    /// Record a payment: on the deferment account, or for one declaration
    #[command(after_help = "\
Example: greenlane trader pay 5000.00 GBP --reference BANK-20261124-7
         greenlane trader pay 248.00 GBP --declaration 26GB4ZK7Q1M0X9T2A6 --reference BANK-20261124-8")]
    Pay {
        /// How much: digits with at most one point, above zero
        #[arg(allow_negative_numbers = true)]
        amount: String,
        /// The currency, three letters
        currency: String,
        /// The payment's reference at the bank
        #[arg(long)]
        reference: String,
        /// For the debt of this declaration: its id or MRN
        #[arg(long)]
        declaration: Option<String>,
        /// Whose payment; your own if not given
        #[arg(long)]
        payer: Option<String>,
    },
    /// Show the deferment account with its newest entries
    #[command(after_help = "Example: greenlane trader balance --as trader-a")]
    Balance {
        /// Whose account; your own if not given
        #[arg(long, default_value = "", hide_default_value = true)]
        payer: String,
    },
    /// Show the guarantee under which duty is suspended in bond
    #[command(after_help = "\
Example: greenlane trader guarantee
         greenlane trader guarantee --trader trader-b --as officer-1")]
    Guarantee {
        /// Whose guarantee; your own if not given
        #[arg(long, default_value = "", hide_default_value = true)]
        trader: String,
    },
}

/// The commands about books.
#[derive(Debug, Subcommand)]
pub enum BookCommand {
    /// Open an account book of your own
    #[command(after_help = "Example: greenlane trader book open --number T8013B000042")]
    Open {
        /// The number under which customs keeps it, twelve letters or digits; one is given if not
        #[arg(long, default_value = "", hide_default_value = true)]
        number: String,
        /// The bonded centre
        #[arg(long, default_value = CENTRE)]
        site: String,
        /// Only check: the same answer, and nothing is opened
        #[arg(long)]
        check: bool,
    },
    /// Add a line for one kind of goods
    #[command(after_help = "\
Example: greenlane trader book line T8013B000042 --hs 8471.30 --goods 'portable computers' --units NAR,KGM,NAR")]
    Line {
        /// The book
        book: String,
        /// HS code, 6 to 10 digits
        #[arg(long, value_name = "HS-CODE")]
        hs: String,
        /// What the goods are
        #[arg(long)]
        goods: String,
        /// The three units: declared, first statutory, second statutory (the first again if not given)
        #[arg(long, value_delimiter = ',', required = true, value_name = "UNITS")]
        units: Vec<String>,
        /// Only check: the same answer, and nothing is added
        #[arg(long)]
        check: bool,
    },
    /// Show a book with its lines
    #[command(after_help = "Example: greenlane trader book show T8013B000042")]
    Show {
        /// The book
        book: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// List the books that you may see
    #[command(after_help = "Example: greenlane trader book list")]
    List {
        #[command(flatten)]
        listing: Listing,
    },
}

/// The commands about stock lists.
#[derive(Debug, Subcommand)]
pub enum ListCommand {
    /// File an increase or a decrease of a book; a broker files for a trader whose mandate it holds
    #[command(after_help = "\
Example: greenlane trader list file increase BOOKTRADERA1 --lrn BOND-1 --line 1=50:NAR,150:KGM,50:NAR
         greenlane trader list file decrease BOOKTRADERB1 --lrn OUT-1 --line 2=10000:KGM --as broker-b
         greenlane trader list file decrease BOOKTRADERB1 --lrn OUT-2 --line 2=100:KGM,lot=BOOKTRADERB1/2/1 --check

An increase states the three quantities of the book's line: declared, first and second statutory. A decrease states
the declared one and is reserved from the oldest lots, or from the lots named; or it is refused with what there is.")]
    File {
        /// Into bond or out of it
        direction: DirectionArgument,
        /// The book
        book: String,
        /// The local reference number (LRN) of the declaration that goes with it
        #[arg(long)]
        lrn: String,
        /// The party that files that declaration; you, or anybody for the book's trader, if not given
        #[arg(long, default_value = "", hide_default_value = true)]
        declarant: String,
        /// A line: LINE=QUANTITY:UNIT[,QUANTITY:UNIT,QUANTITY:UNIT][,lot=LOT]; may be repeated
        #[arg(long = "line", required = true, value_name = "LINE")]
        lines: Vec<FiledLine>,
        /// Only check: the same answer, and nothing is filed or reserved
        #[arg(long)]
        check: bool,
    },
    /// Show one list with its lots, discrepancies and what it waits for
    #[command(after_help = "Example: greenlane trader list show QD800026E000000003")]
    Show {
        /// The list
        list: String,
    },
    /// List the lists that you may see, newest first
    #[command(after_help = "Example: greenlane trader list list --in reserved")]
    List(ListsArguments),
    /// Ask for a list to be void; final once gate has answered
    #[command(
        after_help = "Example: greenlane trader list void QD800026E000000003 --reason 'order cancelled'"
    )]
    Void(VoidArguments),
}

/// Which stock, and as of when.
#[derive(Debug, clap::Args)]
pub struct StockArguments {
    /// Only what took effect by this time: 2026-11-24T08:00:00Z, or from now: -1d
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    as_of: Option<Moment>,
    /// Only what was recorded by this time; an answer for an earlier time never changes
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    recorded_by: Option<Moment>,
    /// Of this book only
    #[arg(long, default_value = "", hide_default_value = true)]
    book: String,
    /// Of this line only
    #[arg(long, default_value_t = 0, requires = "book")]
    line: u32,
    /// Of this trader only, where you may see several
    #[arg(long, default_value = "", hide_default_value = true)]
    trader: String,
    /// A row for each line instead of each lot
    #[arg(long)]
    by_line: bool,
    /// Also lots and lines that hold nothing any more
    #[arg(long)]
    include_empty: bool,
    #[command(flatten)]
    listing: Listing,
}

/// Carries out a trader's command.
///
/// # Errors
/// What bonded or customs refuses.
pub async fn run(command: TraderCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        TraderCommand::Book(command) => book(command, session).await,
        TraderCommand::List(command) => list(command, session).await,
        TraderCommand::Stock(arguments) => stock(arguments, session).await,
        TraderCommand::Movements {
            book,
            line,
            listing,
        } => movements(book, line, listing, session).await,
        TraderCommand::Pay {
            amount,
            currency,
            reference,
            declaration,
            payer,
        } => {
            let amount = paid(&amount, &currency)?;
            let declaration_id = match declaration {
                Some(named) => declaration::id(&named, session).await?,
                None => String::new(),
            };
            let request = RecordPaymentRequest {
                request_id: session.request_id(),
                payer_party: payer.unwrap_or_else(|| session.party().to_owned()),
                amount: Some(chassis::convert::money_message(&amount)),
                declaration_id,
                reference,
            };
            pay(request, session).await
        }
        TraderCommand::Balance { payer } => {
            let request = GetAccountRequest { payer_party: payer };
            let answer = session.customs()?.get_account(request).await?;
            show::one(session, &answer.into_inner().account.unwrap_or_default())
        }
        TraderCommand::Guarantee { trader } => {
            let request = GetGuaranteeRequest {
                trader_party: trader,
            };
            let answer = session.customs()?.get_guarantee(request).await?;
            show::one(session, &answer.into_inner().guarantee.unwrap_or_default())
        }
    }
}

/// What is paid, as typed.
///
/// # Errors
/// It is no amount above zero, or the currency is none.
fn paid(amount: &str, currency: &str) -> Result<Money, ClientError> {
    let wrong_amount = |why: &str| {
        ClientError::Usage(format!(
            "AMOUNT `{amount}` is nothing to pay: {why}. Write it as in: greenlane trader pay 5000.00 GBP --reference BANK-20261124-7"
        ))
    };
    let money = Money::parse(amount, currency).map_err(|error| match error {
        MoneyError::Currency(error) => ClientError::Usage(format!(
            "CURRENCY `{currency}` is none: {error}. Write its three letters, such as GBP"
        )),
        error => wrong_amount(&error.to_string()),
    })?;
    if money.is_zero() || money.is_negative() {
        return Err(wrong_amount("a payment is above zero"));
    }
    Ok(money)
}

async fn pay(request: RecordPaymentRequest, session: &Session) -> Result<(), ClientError> {
    let answer = session.customs()?.record_payment(request).await?;
    let answer = answer.into_inner();
    if session.output() == Output::Json {
        return output::json("greenlane.customs.v1.RecordPaymentResponse", &answer);
    }
    if answer.debt() != DebtState::Unspecified {
        let debt = word(answer.debt().as_str_name(), "DEBT_STATE_");
        output::line(&format!("Recorded; the declaration's debt is now {debt}."))?;
    }
    match &answer.account {
        Some(account) => show::one(session, account),
        None => Ok(()),
    }
}

async fn book(command: BookCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        BookCommand::Open {
            number,
            site,
            check,
        } => {
            let request = OpenBookRequest {
                request_id: session.request_id(),
                validate_only: check,
                site_id: site,
                book_number: number,
            };
            let answer = session.bonded()?.open_book(request).await?;
            show::one(session, &answer.into_inner().book.unwrap_or_default())
        }
        BookCommand::Line {
            book,
            hs,
            goods,
            units,
            check,
        } => {
            let request = AddBookLineRequest {
                request_id: session.request_id(),
                validate_only: check,
                book_number: book,
                hs_code: hs,
                goods_description: goods,
                units: Some(line_units(units)),
            };
            let answer = session.bonded()?.add_book_line(request).await?.into_inner();
            for warning in show::faults("Warning", &answer.warnings) {
                output::note(&warning);
            }
            show::one(session, &answer.line.unwrap_or_default())
        }
        BookCommand::Show { book, listing } => show_book(book, listing, session).await,
        BookCommand::List { listing } => {
            let mut bonded = session.bonded()?;
            let books: Vec<Book> = listing
                .fetch(async |page| {
                    let request = ListBooksRequest {
                        page: Some(page),
                        ..Default::default()
                    };
                    let answer = bonded.list_books(request).await?.into_inner();
                    Ok((answer.books, answer.next_page_token))
                })
                .await?;
            show::many(session, &books)
        }
    }
}

async fn list(command: ListCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        ListCommand::File {
            direction,
            book,
            lrn,
            declarant,
            lines,
            check,
        } => {
            let request = FileStockListRequest {
                request_id: session.request_id(),
                validate_only: check,
                direction: StockListDirection::from(direction).into(),
                book_number: book,
                declaration_lrn: lrn,
                declaration_filer_party: declarant,
                lines: lines.into_iter().map(|FiledLine(line)| line).collect(),
            };
            let answer = session
                .bonded()?
                .file_stock_list(request)
                .await?
                .into_inner();
            for skipped in &answer.skipped {
                output::note(&format!(
                    "Passed over: lot {} with {} ({}).",
                    skipped.lot_id,
                    quantity(skipped.declared.as_ref()),
                    skipped.reason
                ));
            }
            show::one(session, &answer.stock_list.unwrap_or_default())
        }
        ListCommand::Show { list } => stock_list::show(list, session).await,
        ListCommand::List(arguments) => stock_list::list(arguments, session).await,
        ListCommand::Void(arguments) => stock_list::void(arguments, session).await,
    }
}

fn line_units(units: Vec<String>) -> LineUnits {
    let mut units = units.into_iter();
    let declared = units.next().unwrap_or_default();
    let statutory_1 = units.next().unwrap_or_default();
    let statutory_2 = units.next().unwrap_or_else(|| statutory_1.clone());
    LineUnits {
        declared,
        statutory_1,
        statutory_2,
    }
}

/// The book, then its lines; for machines, the book's object and one for each line.
async fn show_book(book: String, listing: Listing, session: &Session) -> Result<(), ClientError> {
    let mut bonded = session.bonded()?;
    let mut shown: Option<Book> = None;
    let lines: Vec<BookLine> = listing
        .fetch(async |page| {
            let request = GetBookRequest {
                book_number: book.clone(),
                page: Some(page),
            };
            let answer = bonded.get_book(request).await?.into_inner();
            shown = answer.book;
            Ok((answer.lines, answer.next_page_token))
        })
        .await?;
    show::one(session, &shown.unwrap_or_default())?;
    show::many(session, &lines)
}

/// Shows stock.
///
/// # Errors
/// What bonded refuses.
pub async fn stock(arguments: StockArguments, session: &Session) -> Result<(), ClientError> {
    let detail = if arguments.by_line {
        StockDetail::Line
    } else {
        StockDetail::Lot
    };
    let mut bonded = session.bonded()?;
    let rows: Vec<StockRow> = arguments
        .listing
        .fetch(async |page| {
            let request = GetStockRequest {
                book_number: arguments.book.clone(),
                line_number: arguments.line,
                effective_at: arguments.as_of.map(Moment::timestamp),
                recorded_at: arguments.recorded_by.map(Moment::timestamp),
                detail: detail.into(),
                include_empty: arguments.include_empty,
                page: Some(page),
                trader_party: arguments.trader.clone(),
            };
            let answer = bonded.get_stock(request).await?.into_inner();
            Ok((answer.rows, answer.next_page_token))
        })
        .await?;
    show::many(session, &rows)
}

async fn movements(
    book: String,
    line: u32,
    listing: Listing,
    session: &Session,
) -> Result<(), ClientError> {
    let mut bonded = session.bonded()?;
    let rows: Vec<Movement> = listing
        .fetch(async |page| {
            let request = ListMovementsRequest {
                book_number: book.clone(),
                line_number: line,
                lot_id: String::new(),
                page: Some(page),
            };
            let answer = bonded.list_movements(request).await?.into_inner();
            Ok((answer.movements, answer.next_page_token))
        })
        .await?;
    show::many(session, &rows)
}

/// An amount in the declared unit; the statutory ones follow from it.
fn declared(amount: Option<&StockAmount>) -> String {
    quantity(amount.and_then(|amount| amount.declared.as_ref()))
}

impl Shown for StockRow {
    const MESSAGE: &'static str = "greenlane.bonded.v1.StockRow";
    const COLUMNS: &'static [&'static str] = &[
        "book",
        "trader",
        "line",
        "hs",
        "goods",
        "lot",
        "entered",
        "until",
        "stock",
        "reserved",
        "incoming",
        "held",
        "available",
    ];

    fn cells(&self) -> Vec<String> {
        let totals = self.totals.clone().unwrap_or_default();
        let lot = self.lot.clone().unwrap_or_default();
        vec![
            self.book_number.clone(),
            self.trader_party.clone(),
            self.line_number.to_string(),
            self.hs_code.clone(),
            self.goods_description.clone(),
            lot.lot_id,
            when(lot.entry_date.as_ref()),
            when(lot.storage_until.as_ref()),
            declared(totals.book.as_ref()),
            declared(totals.reserved.as_ref()),
            declared(totals.incoming.as_ref()),
            declared(totals.held.as_ref()),
            declared(totals.available.as_ref()),
        ]
    }
}

impl Shown for Movement {
    const MESSAGE: &'static str = "greenlane.bonded.v1.Movement";
    const COLUMNS: &'static [&'static str] = &[
        "no",
        "line",
        "lot",
        "total",
        "declared",
        "statutory 1",
        "statutory 2",
        "cause",
        "effective",
        "recorded",
        "by",
        "takes back",
    ];

    fn cells(&self) -> Vec<String> {
        let amount = self.amount.clone().unwrap_or_default();
        let cause = self.cause.clone().unwrap_or_default();
        let kind = word(cause.kind().as_str_name(), "CAUSE_KIND_");
        vec![
            self.ordinal.to_string(),
            self.line_number.to_string(),
            self.lot_id.clone(),
            word(self.total().as_str_name(), "STOCK_TOTAL_"),
            quantity(amount.declared.as_ref()),
            quantity(amount.statutory_1.as_ref()),
            quantity(amount.statutory_2.as_ref()),
            format!("{kind} {}", cause.reference),
            when_exactly(self.effective_at.as_ref()),
            when_exactly(self.recorded_at.as_ref()),
            self.recorded_by_party.clone(),
            self.reverses_movement_id.clone(),
        ]
    }
}

impl Shown for Book {
    const MESSAGE: &'static str = "greenlane.bonded.v1.Book";
    const COLUMNS: &'static [&'static str] = &[
        "book",
        "trader",
        "site",
        "state",
        "lines",
        "movements",
        "opened",
    ];

    fn cells(&self) -> Vec<String> {
        let movements = self.head.as_ref().map(|head| head.ordinal.to_string());
        vec![
            self.book_number.clone(),
            self.trader_party.clone(),
            self.site_id.clone(),
            word(self.state().as_str_name(), "BOOK_STATE_"),
            self.lines.to_string(),
            movements.unwrap_or_default(),
            when(self.opened_at.as_ref()),
        ]
    }
}

impl Shown for BookLine {
    const MESSAGE: &'static str = "greenlane.bonded.v1.BookLine";
    const COLUMNS: &'static [&'static str] = &[
        "book",
        "line",
        "hs",
        "goods",
        "units",
        "no increase",
        "no decrease",
        "why",
    ];

    fn cells(&self) -> Vec<String> {
        let units = self.units.clone().unwrap_or_default();
        vec![
            self.book_number.clone(),
            self.line_number.to_string(),
            self.hs_code.clone(),
            self.goods_description.clone(),
            [units.declared, units.statutory_1, units.statutory_2].join(", "),
            yes(self.suspended_for_increase),
            yes(self.suspended_for_decrease),
            self.suspension_reason.clone(),
        ]
    }
}

impl Shown for TraderGuarantee {
    const MESSAGE: &'static str = "greenlane.customs.v1.TraderGuarantee";
    const COLUMNS: &'static [&'static str] =
        &["guarantee of", "covers", "in use", "available", "version"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.trader_party.clone(),
            money(self.amount.as_ref()),
            money(self.in_use.as_ref()),
            money(self.available.as_ref()),
            self.version.to_string(),
        ]
    }
}

impl Shown for Account {
    const MESSAGE: &'static str = "greenlane.customs.v1.Account";
    const COLUMNS: &'static [&'static str] =
        &["account of", "balance", "secured", "available", "entries"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.payer_party.clone(),
            money(self.balance.as_ref()),
            money(self.secured.as_ref()),
            money(self.available.as_ref()),
            self.version.to_string(),
        ]
    }

    fn below(&self) -> Vec<String> {
        let entries = self.entries.iter().map(|entry| {
            format!(
                "{} {} {} {} {}{}",
                entry.number,
                when(entry.recorded_at.as_ref()),
                entry.kind,
                money(entry.amount.as_ref()),
                entry.declaration_id,
                entry.reference
            )
        });
        entries.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nothing_to_pay_is_told_with_its_field_its_value_and_what_is_expected() {
        for (amount, currency, field) in [
            ("-5", "GBP", "AMOUNT `-5`"),
            ("0", "GBP", "AMOUNT `0`"),
            ("abc", "GBP", "AMOUNT `abc`"),
            ("5", "pounds", "CURRENCY `pounds`"),
        ] {
            let error = paid(amount, currency).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let told = error.to_string();
            assert!(told.starts_with(field), "{told}");
            assert!(told.contains("GBP"), "{told}");
        }
        assert_eq!(paid("5000.00", "GBP").unwrap().to_string(), "5000.00 GBP");
    }

    #[test]
    fn a_minus_before_an_amount_is_no_flag() {
        #[derive(clap::Parser)]
        struct Typed {
            #[command(subcommand)]
            command: TraderCommand,
        }
        for amount in ["-5", "-5.00"] {
            let typed = ["trader", "pay", amount, "GBP", "--reference", "x"];
            let typed = <Typed as clap::Parser>::try_parse_from(typed);
            let Ok(Typed {
                command: TraderCommand::Pay { amount: read, .. },
            }) = typed
            else {
                panic!("{amount}");
            };
            assert_eq!(read, amount);
        }
    }

    #[test]
    fn one_statutory_unit_stands_for_both() {
        let units = line_units(vec!["NAR".to_owned(), "KGM".to_owned()]);
        assert_eq!(units.declared, "NAR");
        assert_eq!(units.statutory_1, "KGM");
        assert_eq!(units.statutory_2, "KGM");
    }
}
