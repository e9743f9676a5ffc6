//! The broker's commands: filing declarations, and what came of them.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use proto::customs::v1::{GetDocumentRequest, ListNotificationsRequest, Notification};

use super::declaration::{self, Filter};
use super::filing::{self, Options};
use super::show::{self, Shown, money, when};
use crate::client::{ClientError, Session};
use crate::output::{self, Output};

/// The most notifications that one call asks for.
const NOTIFICATIONS_PAGE_MAX: usize = 100;

/// The broker's commands.
#[derive(Debug, Subcommand)]
pub enum BrokerCommand {
    /// File the XML of declarations, from files and folders
    #[command(after_help = "\
Folders are searched for *.xml, in any case and at any depth. Into a file or pipe every answer is one JSON
object a line, in sorted order:

  {\"file\": \"...\", \"outcome\": \"accepted|registered|rejected|unsupported|unreadable\", \"declaration_id\": \"...\",
   \"mrn\": \"...\", \"lrn\": \"...\", \"type\": \"IMA\", \"items\": 3, \"containers\": [...], \"faults\": [...],
   \"warnings\": [...], \"repeated\": false}

The same bytes filed again give the first answer, with \"repeated\": true; --again files them anew. Every file
is answered, and the exit code is 0 whatever the answers. A path that is not there ends the command before
anything is filed. A file above 10 MiB is not sent: it is answered as unreadable, each time in the same words.

Example: greenlane broker file declarations/ urgent.xml > answers.jsonl")]
    File {
        /// Files and folders
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// File anew what was filed before, after a rejection say
        #[arg(long)]
        again: bool,
        /// Only check: the same faults and warnings, and nothing is recorded
        #[arg(long)]
        check: bool,
    },
    /// Show one declaration with its duty, controls and history
    #[command(after_help = "Example: greenlane broker show 26GB4ZK7Q1M0X9T2A6")]
    Show {
        /// The declaration's id or MRN
        declaration: String,
    },
    /// List declarations, newest first
    #[command(after_help = "Example: greenlane broker list --container MSKU9070323")]
    List {
        #[command(flatten)]
        filter: Filter,
    },
    /// Read the notifications about what you filed, oldest first
    #[command(after_help = "\
Example: greenlane broker inbox
         greenlane broker inbox --from CURSOR --output json")]
    Inbox {
        /// Go on after this notification's cursor
        #[arg(
            long,
            default_value = "",
            hide_default_value = true,
            value_name = "CURSOR"
        )]
        from: String,
        /// Only about this declaration: its id or MRN
        #[arg(long)]
        declaration: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_name = "COUNT")]
        limit: usize,
    },
    /// Get a document as it was filed, byte for byte
    #[command(after_help = "Example: greenlane broker document 26GB4ZK7Q1M0X9T2A6 --to filed.xml")]
    Document {
        /// The declaration's id or MRN
        declaration: String,
        /// Into this file; to standard output if not given
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

/// Carries out a broker's command.
///
/// # Errors
/// What customs refuses; a file that could not be answered or written.
pub async fn run(command: BrokerCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        BrokerCommand::File {
            paths,
            again,
            check,
        } => {
            let options = Options {
                again,
                check,
                json: session.output() == Output::Json || !io::stdout().is_terminal(),
            };
            filing::file(&paths, options, session).await
        }
        BrokerCommand::Show { declaration } => {
            show::one(session, &declaration::get(&declaration, session).await?)
        }
        BrokerCommand::List { filter } => declaration::list(filter, &[], session).await,
        BrokerCommand::Inbox {
            from,
            declaration,
            limit,
        } => inbox(from, declaration, limit, session).await,
        BrokerCommand::Document { declaration, to } => {
            document(&declaration, to.as_deref(), session).await
        }
    }
}

async fn inbox(
    from: String,
    declaration: Option<String>,
    limit: usize,
    session: &Session,
) -> Result<(), ClientError> {
    let declaration_id = match declaration {
        Some(named) => declaration::id(&named, session).await?,
        None => String::new(),
    };
    let mut customs = session.customs()?;
    let mut notifications: Vec<Notification> = Vec::new();
    let mut cursor = from;
    loop {
        let wanted = limit
            .saturating_sub(notifications.len())
            .min(NOTIFICATIONS_PAGE_MAX);
        if wanted == 0 {
            break;
        }
        let request = ListNotificationsRequest {
            declaration_id: declaration_id.clone(),
            cursor: cursor.clone(),
            page_size: i32::try_from(wanted).unwrap_or(i32::MAX),
        };
        let answer = customs.list_notifications(request).await?.into_inner();
        cursor = answer.next_cursor;
        if answer.notifications.is_empty() {
            break;
        }
        notifications.extend(answer.notifications);
    }
    show::many(session, &notifications)?;
    if !cursor.is_empty() {
        output::note(&format!("To go on from here: --from {cursor}"));
    }
    Ok(())
}

async fn document(
    declaration: &str,
    to: Option<&Path>,
    session: &Session,
) -> Result<(), ClientError> {
    let request = GetDocumentRequest {
        declaration_id: declaration::id(declaration, session).await?,
    };
    let answer = session.customs()?.get_document(request).await?.into_inner();
    match to {
        Some(file) => {
            std::fs::write(file, &answer.document).map_err(|error| ClientError::file(file, error))
        }
        None => {
            let mut stdout = io::stdout().lock();
            stdout
                .write_all(&answer.document)
                .and_then(|()| stdout.flush())
                .map_err(ClientError::Output)
        }
    }
}

impl Shown for Notification {
    const MESSAGE: &'static str = "greenlane.customs.v1.Notification";
    const COLUMNS: &'static [&'static str] = &[
        "issued",
        "notification",
        "mrn",
        "lrn",
        "version",
        "payable",
        "text",
    ];

    fn cells(&self) -> Vec<String> {
        let payable = self
            .duty
            .as_ref()
            .and_then(|duty| duty.total_payable.as_ref());
        vec![
            when(self.issued_at.as_ref()),
            self.name.clone(),
            self.mrn.clone(),
            self.lrn.clone(),
            self.filing_version.to_string(),
            money(payable),
            self.text.clone(),
        ]
    }
}
