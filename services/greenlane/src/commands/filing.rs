//! Filing documents from files and folders: finds them, sends several at once, and tells what became of each,
//! in order. Every file is answered, whatever the answer. Of a document it must know no more than the filer's
//! reference, by which some must wait for others; what else it says, customs tells.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chassis::command::REPEATED_METADATA;
use customs::app::told;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use kernel::{Refusal, RefusalKind};
use proto::common::v1::Fault;
use proto::customs::v1::customs_service_client::CustomsServiceClient;
use proto::customs::v1::{
    FileDeclarationsRequest, FileDocumentRequest, FileDocumentResponse, Filing, FilingOutcome,
    FilingRefusal, file_declarations_request, file_declarations_response,
};
use serde::Serialize;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tonic::metadata::MetadataMap;
use tonic::{Response, Status};
use uuid::Uuid;
use wco::limits::DOCUMENT_BYTES_MAX;

use super::show;
use crate::client::{ClientError, Session, Transport};
use crate::output::{self, Progress};

/// So many filings are on their way at once.
pub const FILINGS_IN_FLIGHT_MAX: usize = 16;
/// How deep folders are looked into.
const FOLDER_DEPTH_MAX: usize = 64;
/// A filing that the service could not take just now is sent so often in all; its request id makes that safe.
const ATTEMPTS_MAX: u32 = 8;
/// The wait before the second attempt, doubled before each further one, where the service says none.
const RETRY_MILLIS: u64 = 250;
/// The longest wait before an attempt.
const RETRY_MILLIS_MAX: u64 = 5_000;
/// The space of the request ids of documents: the same party and bytes always give the same id.
const REQUEST_IDS: Uuid = Uuid::from_u128(0x5d1c_9a52_86e0_4e0b_9d0e_3b7c_44a1_f6d8);

/// How documents are filed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// As new filings, not as repetitions of earlier ones.
    pub again: bool,
    /// Only checked: nothing is recorded.
    pub check: bool,
    /// One JSON object a line; otherwise a table.
    pub json: bool,
}

/// Files every document below the paths and tells what became of each, in order.
///
/// # Errors
/// A path is not there, and then nothing is filed. A file could not be answered: customs cannot be reached, or
/// does not take filings of this party.
pub async fn file(
    paths: &[PathBuf],
    options: Options,
    session: &Session,
) -> Result<(), ClientError> {
    let documents = find(paths)?;
    if documents.is_empty() {
        output::note("There is no *.xml below what was named; nothing was filed.");
    }
    let total = documents.len();
    let progress = Progress::begin("filing", u64::try_from(total).ok());
    let customs = session.customs()?;
    let send = async |request: FileDocumentRequest| {
        let mut customs = customs.clone();
        match customs.file_document(request.clone()).await {
            Ok(response) => Ok(response),
            Err(status) => Err(in_full(&mut customs, request, Refused::from(status)).await),
        }
    };
    let mut answers = std::pin::pin!(answers(documents, options, session.party(), &send));
    let mut report = Report::default();
    while let Some(answer) = answers.try_next().await? {
        progress.step();
        report.take(answer, options)?;
    }
    drop(progress);
    report.end(total)
}

/// What became of one file, as it is printed.
#[derive(Debug, Serialize)]
struct Line {
    file: String,
    outcome: &'static str,
    declaration_id: String,
    mrn: String,
    lrn: String,
    #[serde(rename = "type")]
    type_code: String,
    items: u32,
    containers: Vec<String>,
    faults: Vec<FaultLine>,
    warnings: Vec<FaultLine>,
    /// It is an answer given before: to the same request, or to another with the same content.
    repeated: bool,
    /// The reference of the document is in use: by this declaration.
    #[serde(skip_serializing_if = "Option::is_none")]
    existing_declaration_id: Option<String>,
    /// `unsupported`: which kind of message it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// `unreadable`: where, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

/// One fault, as it is printed.
#[derive(Debug, Serialize)]
struct FaultLine {
    code: String,
    path: String,
    pointer: String,
    value: String,
    rule: String,
    description: String,
}

/// A file that was answered, or one that failed by itself.
enum Answer {
    Given(Box<Line>),
    Missing(String, Box<Refusal>),
}

/// What has been answered so far.
#[derive(Default)]
struct Report {
    lines: Vec<Line>,
    missing: usize,
}

impl Report {
    fn take(&mut self, answer: Answer, options: Options) -> Result<(), ClientError> {
        match answer {
            Answer::Given(line) if options.json => {
                let object = serde_json::to_string(&line)
                    .map_err(|error| ClientError::Failed(error.to_string()))?;
                output::line(&object)
            }
            Answer::Given(line) => {
                self.lines.push(*line);
                Ok(())
            }
            Answer::Missing(file, refusal) => {
                self.missing += 1;
                output::note(&format!("{file} was not answered: {refusal}"));
                Ok(())
            }
        }
    }

    fn end(self, total: usize) -> Result<(), ClientError> {
        if !self.lines.is_empty() {
            let columns = [
                "file",
                "outcome",
                "mrn",
                "lrn",
                "type",
                "items",
                "containers",
                "faults",
                "repeated",
            ];
            output::table(&columns, self.lines.iter().map(Line::cells).collect())?;
            for line in &self.lines {
                line.below()
                    .iter()
                    .try_for_each(|text| output::line(&format!("{}: {text}", line.file)))?;
            }
        }
        if self.missing > 0 {
            return Err(ClientError::Failed(format!(
                "{} of {total} files were not answered; the same command again files what is missing.",
                self.missing
            )));
        }
        Ok(())
    }
}

impl Line {
    fn cells(&self) -> Vec<String> {
        vec![
            self.file.clone(),
            self.outcome.to_owned(),
            self.mrn.clone(),
            self.lrn.clone(),
            self.type_code.clone(),
            self.items.to_string(),
            self.containers.join(", "),
            self.faults.len().to_string(),
            show::yes(self.repeated),
        ]
    }

    /// Why it is not accepted or registered.
    fn below(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(kind) = &self.kind {
            lines.push(format!("it is a {kind}, which is not filed here"));
        }
        if let Some(cause) = &self.cause {
            let place = match (self.line, self.column) {
                (Some(line), Some(column)) => format!(" at line {line}, column {column}"),
                _ => String::new(),
            };
            lines.push(format!("it cannot be read{place}: {cause}"));
        }
        lines.extend(
            self.faults
                .iter()
                .map(|fault| format!("{} at {}: {}", fault.code, fault.path, fault.description)),
        );
        lines
    }

    /// A file that was not sent, because it cannot be read from its beginning on.
    fn unreadable(file: String, cause: String) -> Self {
        Self {
            outcome: "unreadable",
            line: Some(1),
            column: Some(1),
            cause: Some(cause),
            ..Self::empty(file)
        }
    }

    /// What customs answered.
    fn answered(file: String, filing: Filing, repeated: bool) -> Result<Self, ClientError> {
        let outcome = outcome(filing.outcome())?;
        let unreadable = filing.unreadable;
        Ok(Self {
            outcome,
            declaration_id: filing.declaration_id,
            mrn: filing.mrn,
            lrn: filing.lrn,
            type_code: filing.type_code,
            items: filing.items,
            containers: filing.containers,
            faults: filing.faults.into_iter().map(FaultLine::from).collect(),
            warnings: filing.warnings.into_iter().map(FaultLine::from).collect(),
            repeated: repeated || filing.answered_before,
            kind: Some(filing.unsupported_kind).filter(|kind| !kind.is_empty()),
            line: unreadable.as_ref().map(|place| place.line),
            column: unreadable.as_ref().map(|place| place.column),
            cause: unreadable.map(|place| place.cause),
            ..Self::empty(file)
        })
    }

    /// What customs refused to decide, because of the document: its reference is in use, say.
    fn refused(file: String, refusal: &Refusal, repeated: bool) -> Self {
        let mut faults: Vec<_> = refusal.faults.iter().map(FaultLine::from).collect();
        if faults.is_empty() {
            let in_the_way = match &refusal.resource {
                Some((kind, name)) => format!(" In the way: {kind} {name}."),
                None => String::new(),
            };
            faults.push(FaultLine::from(Fault {
                code: refusal.reason.clone(),
                description: format!("{}{in_the_way}", refusal.message),
                ..Default::default()
            }));
        }
        let says = |name: &str| refusal.metadata.get(name).cloned().unwrap_or_default();
        Self {
            outcome: "rejected",
            lrn: says(told::LRN),
            type_code: says(told::TYPE_CODE),
            items: says(told::ITEMS).parse().unwrap_or_default(),
            containers: serde_json::from_str(&says(told::CONTAINERS)).unwrap_or_default(),
            existing_declaration_id: refusal
                .resource
                .as_ref()
                .filter(|(kind, _)| kind == "declaration")
                .map(|(_, id)| id.clone()),
            faults,
            repeated,
            ..Self::empty(file)
        }
    }

    fn empty(file: String) -> Self {
        Self {
            file,
            outcome: "",
            declaration_id: String::new(),
            mrn: String::new(),
            lrn: String::new(),
            type_code: String::new(),
            items: 0,
            containers: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
            repeated: false,
            existing_declaration_id: None,
            kind: None,
            line: None,
            column: None,
            cause: None,
        }
    }
}

impl From<Fault> for FaultLine {
    fn from(fault: Fault) -> Self {
        Self {
            code: fault.code,
            path: fault.path,
            pointer: fault.pointer,
            value: fault.value,
            rule: fault.rule,
            description: fault.description,
        }
    }
}

impl From<&kernel::Fault> for FaultLine {
    fn from(fault: &kernel::Fault) -> Self {
        Self::from(chassis::convert::fault_message(fault))
    }
}

fn outcome(outcome: FilingOutcome) -> Result<&'static str, ClientError> {
    match outcome {
        FilingOutcome::Accepted => Ok("accepted"),
        FilingOutcome::Registered => Ok("registered"),
        FilingOutcome::Rejected => Ok("rejected"),
        FilingOutcome::Unsupported => Ok("unsupported"),
        FilingOutcome::Unreadable => Ok("unreadable"),
        FilingOutcome::Unspecified => Err(ClientError::Failed(
            "Customs answered with an outcome that this command does not know; use a newer one."
                .to_owned(),
        )),
    }
}

// ---------------------------------------------------------------- finding

/// A file as it was found, or why it cannot be looked at.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    trouble: Option<String>,
}

/// Every file named, and every `*.xml` (in any case) below every folder named, sorted by name.
///
/// # Errors
/// Something that was named is not there; every such path is told.
fn find(paths: &[PathBuf]) -> Result<Vec<Found>, ClientError> {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => look_into(path, 0, &mut found),
            Ok(_) => found.push(Found::good(path.clone())),
            Err(error) => missing.push(format!("{}: {error}", path.display())),
        }
    }
    if !missing.is_empty() {
        return Err(ClientError::Failed(format!(
            "nothing was filed, because a path cannot be found; correct it and repeat the command:\n  {}",
            missing.join("\n  ")
        )));
    }
    // By the bytes of the whole name, as `sort` sorts what is printed.
    found.sort_by(|one, other| one.path.as_os_str().cmp(other.path.as_os_str()));
    Ok(found)
}

fn look_into(folder: &Path, depth: usize, found: &mut Vec<Found>) {
    if depth > FOLDER_DEPTH_MAX {
        let trouble = format!("folders are nested more than {FOLDER_DEPTH_MAX} deep");
        found.push(Found::bad(folder.to_owned(), trouble));
        return;
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            found.push(Found::bad(folder.to_owned(), error.to_string()));
            return;
        }
    };
    for entry in entries {
        match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))) {
            // A link to a folder is not followed: it may lead back here.
            Ok((path, kind)) if kind.is_dir() => look_into(&path, depth + 1, found),
            Ok((path, _)) if is_xml(&path) && !path.is_dir() => found.push(Found::good(path)),
            Ok(_) => {}
            Err(error) => found.push(Found::bad(folder.to_owned(), error.to_string())),
        }
    }
}

fn is_xml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("xml"))
}

impl Found {
    fn good(path: PathBuf) -> Self {
        Self {
            path,
            trouble: None,
        }
    }

    fn bad(path: PathBuf, trouble: String) -> Self {
        Self {
            path,
            trouble: Some(trouble),
        }
    }
}

// ---------------------------------------------------------------- sending

/// A document with its request id, or why there is none to send.
struct Prepared {
    file: String,
    content: Result<(Uuid, Bytes), String>,
    turn: Option<Turn>,
}

/// What documents share that must be sent one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Turn {
    /// The filer's reference: with other content, the second one is the conflict.
    Reference(String),
    /// The request: the second one is the repetition.
    Request(Uuid),
}

fn prepare(found: Found, options: Options, party: &str) -> Prepared {
    let content = match found.trouble {
        Some(trouble) => Err(trouble),
        None => read(&found.path),
    };
    let content = content.map(|bytes| {
        // A check is never stored, so it must not take a filing's id.
        let id = if options.again || options.check {
            kernel::new_id()
        } else {
            request_id(party, &bytes)
        };
        (id, bytes)
    });
    let turn = content
        .as_ref()
        .ok()
        .map(|(id, bytes)| match reference(bytes) {
            Some(reference) => Turn::Reference(reference),
            None => Turn::Request(*id),
        });
    Prepared {
        file: found.path.to_string_lossy().into_owned(),
        content,
        turn,
    }
}

/// The filer's reference as customs compares it; only a filing takes one.
fn reference(bytes: &[u8]) -> Option<String> {
    match wco::read(bytes) {
        wco::Reading::Filing(filing) => kernel::Lrn::parse(&filing.facts.lrn)
            .ok()
            .map(|reference| reference.to_string()),
        wco::Reading::Unsupported(_) | wco::Reading::Unreadable(_) => None,
    }
}

fn request_id(party: &str, bytes: &[u8]) -> Uuid {
    kernel::derived_id(kernel::derived_id(REQUEST_IDS, party.as_bytes()), bytes)
}

fn read(path: &Path) -> Result<Bytes, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(DOCUMENT_BYTES_MAX).unwrap_or(u64::MAX);
    fs::File::open(path)
        .and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() <= DOCUMENT_BYTES_MAX {
        return Ok(Bytes::from(bytes));
    }
    // The words are those in which customs answers one that was sent.
    let whole = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    let too_large = wco::Cause::TooLarge(whole.max(bytes.len()));
    Err(format!("{too_large}; it was not sent"))
}

/// Who is to be sent next: a document waits until an earlier one with its reference, or of its bytes, is
/// answered. So of two the first is filed and the second is the repetition or the conflict, on every run.
#[derive(Default)]
struct Turns(HashMap<Turn, Arc<Mutex<()>>>);

impl Turns {
    fn of(&mut self, prepared: &Prepared) -> Option<Arc<Mutex<()>>> {
        let turn = prepared.turn.clone()?;
        Some(self.0.entry(turn).or_default().clone())
    }
}

/// The answers in the order of the documents, whatever the order in which they come.
fn answers<S>(
    documents: Vec<Found>,
    options: Options,
    party: &str,
    send: &S,
) -> impl Stream<Item = Result<Answer, ClientError>>
where
    S: AsyncFn(FileDocumentRequest) -> Result<Response<FileDocumentResponse>, Refused>,
{
    let mut turns = Turns::default();
    // Read one after the other, so that of two equal files the first is also the first to be sent.
    futures::stream::iter(documents)
        .then(move |document| {
            let prepared = prepare(document, options, party);
            let turn = turns.of(&prepared);
            async move {
                match turn {
                    Some(turn) => (prepared, Some(turn.lock_owned().await)),
                    None => (prepared, None),
                }
            }
        })
        .map(move |(prepared, turn)| answer(prepared, turn, options, send))
        .buffered(FILINGS_IN_FLIGHT_MAX)
}

async fn answer<S>(
    prepared: Prepared,
    turn: Option<OwnedMutexGuard<()>>,
    options: Options,
    send: &S,
) -> Result<Answer, ClientError>
where
    S: AsyncFn(FileDocumentRequest) -> Result<Response<FileDocumentResponse>, Refused>,
{
    let (request_id, document) = match prepared.content {
        Ok(content) => content,
        Err(cause) => {
            let line = Line::unreadable(prepared.file, cause);
            return Ok(Answer::Given(Box::new(line)));
        }
    };
    let request = FileDocumentRequest {
        request_id: request_id.to_string(),
        validate_only: options.check,
        document,
    };
    let sent = send_until_taken(request, send).await;
    drop(turn);
    let line = match sent {
        Ok(response) => {
            let repeated = says_repeated(response.metadata());
            let filing = response.into_inner().filing.unwrap_or_default();
            Line::answered(prepared.file, filing, repeated)?
        }
        Err(refused) if is_about_the_document(&refused.refusal) => {
            Line::refused(prepared.file, &refused.refusal, refused.repeated)
        }
        Err(refused) if refused.refusal.kind == RefusalKind::Internal => {
            return Ok(Answer::Missing(prepared.file, Box::new(refused.refusal)));
        }
        Err(refused) => return Err(ClientError::from(refused.refusal)),
    };
    Ok(Answer::Given(Box::new(line)))
}

/// Why a document was not decided.
#[derive(Debug)]
struct Refused {
    refusal: Refusal,
    /// It is the stored answer to an earlier, equal request.
    repeated: bool,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self {
            refusal: chassis::from_status(&status),
            repeated: says_repeated(status.metadata()),
        }
    }
}

/// The refusal with all that it has to tell. A status has room for little and says what it left out; a stream
/// answers the same request in a message, which has room for everything.
async fn in_full(
    customs: &mut CustomsServiceClient<Transport>,
    request: FileDocumentRequest,
    refused: Refused,
) -> Refused {
    if !is_cut(&refused.refusal) {
        return refused;
    }
    let again = FileDeclarationsRequest {
        request_id: request.request_id,
        validate_only: request.validate_only,
        filing: Some(file_declarations_request::Filing::Document(
            request.document,
        )),
    };
    let answer = match customs
        .file_declarations(futures::stream::iter([again]))
        .await
    {
        Ok(answers) => answers.into_inner().message().await,
        Err(status) => Err(status),
    };
    match answer.ok().flatten().and_then(|answer| answer.answer) {
        Some(file_declarations_response::Answer::Refusal(whole)) => Refused {
            refusal: completed(refused.refusal, whole),
            ..refused
        },
        // What is known is told.
        _ => refused,
    }
}

/// Whether a status had no room for what a reference in use tells of the document.
fn is_cut(refusal: &Refusal) -> bool {
    let left_out = |name: &str| !refusal.metadata.contains_key(name);
    refusal.reason == "LRN_IN_USE"
        && (!left_out("faults_omitted")
            || [told::LRN, told::TYPE_CODE, told::ITEMS, told::CONTAINERS]
                .into_iter()
                .any(left_out))
}

fn completed(refusal: Refusal, whole: FilingRefusal) -> Refusal {
    let faults = whole.faults.into_iter().map(|fault| kernel::Fault {
        code: fault.code,
        path: fault.path,
        pointer: fault.pointer,
        value: fault.value,
        rule: fault.rule,
        description: fault.description,
    });
    Refusal {
        faults: faults.collect(),
        ..refusal
    }
    .with_metadata(told::LRN, whole.lrn)
    .with_metadata(told::TYPE_CODE, whole.type_code)
    .with_metadata(told::ITEMS, whole.items.to_string())
    .with_metadata(
        told::CONTAINERS,
        serde_json::json!(whole.containers).to_string(),
    )
}

/// Whether an answer or a refusal is the stored one to an earlier, equal request.
fn says_repeated(metadata: &MetadataMap) -> bool {
    metadata
        .get(REPEATED_METADATA)
        .is_some_and(|value| value.as_bytes() == b"true")
}

/// Sends until there is an answer, or a refusal that waiting does not help.
async fn send_until_taken<S>(
    request: FileDocumentRequest,
    send: &S,
) -> Result<Response<FileDocumentResponse>, Refused>
where
    S: AsyncFn(FileDocumentRequest) -> Result<Response<FileDocumentResponse>, Refused>,
{
    let mut attempt = 1;
    loop {
        let refused = match send(request.clone()).await {
            Ok(response) => return Ok(response),
            Err(refused) => refused,
        };
        if attempt == ATTEMPTS_MAX || !passes_by_itself(&refused.refusal) {
            return Err(refused);
        }
        let asked = refused.refusal.retry_after_millis;
        tokio::time::sleep(wait_before_next(attempt, asked)).await;
        attempt += 1;
    }
}

fn passes_by_itself(refusal: &Refusal) -> bool {
    matches!(
        refusal.kind,
        RefusalKind::Unavailable | RefusalKind::Exhausted
    ) || refusal.reason == "DEADLINE"
}

fn wait_before_next(attempt: u32, asked_millis: Option<u64>) -> Duration {
    let doubled = RETRY_MILLIS.saturating_mul(2_u64.saturating_pow(attempt.saturating_sub(1)));
    Duration::from_millis(asked_millis.unwrap_or(doubled).min(RETRY_MILLIS_MAX))
}

fn is_about_the_document(refusal: &Refusal) -> bool {
    matches!(
        refusal.kind,
        RefusalKind::Invalid | RefusalKind::AlreadyExists | RefusalKind::Unmet
    )
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::HashSet;

    use super::*;
    use crate::output::Output;

    const FILED: Options = Options {
        again: false,
        check: false,
        json: true,
    };

    fn names(found: &[Found], folder: &Path) -> Vec<String> {
        found
            .iter()
            .map(|found| {
                let inside = found.path.strip_prefix(folder).unwrap();
                inside.to_string_lossy().into_owned()
            })
            .collect()
    }

    #[test]
    fn every_xml_below_a_folder_is_found_in_any_case_and_sorted() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("b/deep")).unwrap();
        for name in [
            "b/deep/2.XML",
            "b/1.xml",
            "a.Xml",
            "b/notes.txt",
            "xml",
            "b.xml",
        ] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let found = find(&[folder.path().to_owned()]).unwrap();
        assert_eq!(
            names(&found, folder.path()),
            ["a.Xml", "b.xml", "b/1.xml", "b/deep/2.XML"]
        );
    }

    #[test]
    fn a_link_back_to_the_folder_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("1.xml"), "1").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again.xml")).unwrap();
        let found = find(&[folder.path().to_owned()]).unwrap();
        assert_eq!(names(&found, folder.path()), ["1.xml"]);
    }

    #[test]
    fn a_file_is_named_as_it_was_given_whatever_its_ending() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("declaration.txt");
        fs::write(&file, "1").unwrap();
        let found = find(std::slice::from_ref(&file)).unwrap();
        assert_eq!(found, [Found::good(file)]);
    }

    #[test]
    fn a_path_that_is_not_there_is_an_error_that_names_it_and_nothing_is_found() {
        let (folder, _) = folder_of(&[("1.xml", "1")]);
        let paths = ["/nowhere/1.xml", "/nowhere/2"].map(PathBuf::from);
        let refused =
            find(&[folder.path().to_owned(), paths[0].clone(), paths[1].clone()]).unwrap_err();
        assert_eq!(refused.exit_code(), 1);
        let told = refused.account(Output::Table);
        for path in &paths {
            let path = path.to_str().unwrap();
            assert!(told.contains(&format!("{path}: No such file")), "{told}");
        }
    }

    #[test]
    fn a_file_of_a_folder_that_cannot_be_opened_is_answered_as_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("1.xml");
        std::os::unix::fs::symlink("/nowhere/1.xml", &file).unwrap();
        let found = find(&[folder.path().to_owned()]).unwrap().pop().unwrap();
        let prepared = prepare(found, FILED, "broker-a");
        assert_eq!(Path::new(&prepared.file), file);
        let line = Line::unreadable(prepared.file, prepared.content.unwrap_err());
        let object = serde_json::to_value(&line).unwrap();
        assert_eq!(object["outcome"], "unreadable");
        assert_eq!((&object["line"], &object["column"]), (&1.into(), &1.into()));
        assert!(object["cause"].as_str().unwrap().contains("No such file"));
    }

    #[test]
    fn a_document_of_just_the_limit_is_read_and_a_larger_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("1.xml");
        let of_length = |length: u64| fs::File::create(&file).unwrap().set_len(length).unwrap();
        of_length(10_485_760);
        assert!(read(&file).is_ok());
        for (length, told) in [
            (10_485_761, "10485761 bytes"),
            (20_971_520, "20971520 bytes"),
        ] {
            of_length(length);
            let refused = read(&file).unwrap_err();
            assert_eq!(
                refused,
                format!(
                    "the document has {told}; send at most 10485760 bytes (10 MiB); it was not sent"
                )
            );
            assert_eq!(read(&file), Err(refused), "the same answer each time");
        }
    }

    #[test]
    fn the_request_id_follows_from_party_and_bytes() {
        let id = request_id("broker-a", b"<Declaration/>");
        assert_eq!(id, request_id("broker-a", b"<Declaration/>"));
        assert_ne!(id, request_id("broker-b", b"<Declaration/>"));
        assert_ne!(id, request_id("broker-a", b"<Declaration />"));
        assert_eq!(id.get_version_num(), 5);
    }

    #[test]
    fn an_answer_is_printed_with_every_field_of_the_law() {
        let filing = Filing {
            outcome: FilingOutcome::Accepted.into(),
            declaration_id: "D-1".to_owned(),
            mrn: "26GB".to_owned(),
            lrn: "L-1".to_owned(),
            type_code: "IMA".to_owned(),
            items: 3,
            containers: vec!["CONU1234567".to_owned()],
            warnings: vec![Fault {
                code: "UNMAPPED".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let line = Line::answered("x/1.xml".to_owned(), filing, true).unwrap();
        let object = serde_json::to_value(&line).unwrap();
        assert_eq!(
            object,
            serde_json::json!({
                "file": "x/1.xml", "outcome": "accepted", "declaration_id": "D-1", "mrn": "26GB",
                "lrn": "L-1", "type": "IMA", "items": 3, "containers": ["CONU1234567"], "faults": [],
                "warnings": [{"code": "UNMAPPED", "path": "", "pointer": "", "value": "", "rule": "", "description": ""}],
                "repeated": true
            })
        );
    }

    #[test]
    fn a_refusal_about_the_document_is_its_answer() {
        let fault = |code: &str, value: &str| kernel::Fault::new(code, "/p", value, "r", "d");
        let refusal = Refusal::already_exists("LRN_IN_USE", "The reference L-1 is in use.")
            .with_resource("declaration", "D-1")
            .with_faults([fault("LRN_IN_USE", "L-1"), fault("AMOUNT_FORM", "1e3")])
            .with_metadata("lrn", "L-1")
            .with_metadata("type_code", "IMA")
            .with_metadata("items", "3")
            .with_metadata("containers", r#"["CONU1234567"]"#);
        assert!(is_about_the_document(&refusal) && !is_cut(&refusal));
        let line = Line::refused("1.xml".to_owned(), &refusal, false);
        let object = serde_json::to_value(&line).unwrap();
        let described = |code, value| serde_json::json!({"code": code, "path": "/p", "pointer": "", "value": value, "rule": "r", "description": "d"});
        assert_eq!(
            object,
            serde_json::json!({
                "file": "1.xml", "outcome": "rejected", "declaration_id": "", "mrn": "",
                "lrn": "L-1", "type": "IMA", "items": 3, "containers": ["CONU1234567"],
                "faults": [described("LRN_IN_USE", "L-1"), described("AMOUNT_FORM", "1e3")],
                "warnings": [], "repeated": false, "existing_declaration_id": "D-1"
            })
        );
    }

    #[test]
    fn a_refusal_that_was_cut_is_completed_from_the_streams_answer() {
        let cut = Refusal::already_exists("LRN_IN_USE", "In use.")
            .with_resource("declaration", "D-1")
            .with_metadata("lrn", "L-1")
            .with_metadata("faults_omitted", "2");
        assert!(is_cut(&cut));
        let whole = FilingRefusal {
            lrn: "L-1".to_owned(),
            type_code: "IMA".to_owned(),
            items: 999,
            containers: vec!["A".to_owned(), "B".to_owned()],
            faults: vec![Fault::default(), Fault::default(), Fault::default()],
            ..Default::default()
        };
        let line = Line::refused("1.xml".to_owned(), &completed(cut, whole), false);
        assert_eq!((line.type_code.as_str(), line.items), ("IMA", 999));
        assert_eq!((line.containers.len(), line.faults.len()), (2, 3));
        assert_eq!(line.existing_declaration_id.as_deref(), Some("D-1"));
    }

    #[test]
    fn an_answer_that_was_given_to_the_same_content_before_is_a_repeated_one() {
        let filing = Filing {
            outcome: FilingOutcome::Accepted.into(),
            answered_before: true,
            ..Default::default()
        };
        assert!(
            Line::answered("1.xml".to_owned(), filing, false)
                .unwrap()
                .repeated
        );
    }

    /// A folder with these documents, and what is found in it.
    fn folder_of(documents: &[(&str, &str)]) -> (tempfile::TempDir, Vec<Found>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in documents {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let found = find(&[folder.path().to_owned()]).unwrap();
        (folder, found)
    }

    fn accepted(lrn: &str, repeated: bool) -> Response<FileDocumentResponse> {
        let mut response = Response::new(FileDocumentResponse {
            filing: Some(Filing {
                outcome: FilingOutcome::Accepted.into(),
                lrn: lrn.to_owned(),
                ..Default::default()
            }),
        });
        if repeated {
            let metadata = response.metadata_mut();
            metadata.insert(REPEATED_METADATA, "true".parse().unwrap());
        }
        response
    }

    fn text_of(request: &FileDocumentRequest) -> String {
        String::from_utf8(request.document.to_vec()).unwrap()
    }

    async fn lines<S>(documents: Vec<Found>, options: Options, send: S) -> Vec<Line>
    where
        S: AsyncFn(FileDocumentRequest) -> Result<Response<FileDocumentResponse>, Status>,
    {
        let send = async |request| send(request).await.map_err(Refused::from);
        let answers: Vec<Answer> = answers(documents, options, "broker-a", &send)
            .try_collect()
            .await
            .unwrap();
        answers
            .into_iter()
            .map(|answer| match answer {
                Answer::Given(line) => *line,
                Answer::Missing(file, refusal) => panic!("{file}: {refusal}"),
            })
            .collect()
    }

    #[tokio::test]
    async fn answers_come_in_the_order_of_the_files_however_long_each_takes() {
        let names: Vec<String> = (10..60).map(|number| format!("{number}.xml")).collect();
        let documents: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), name.as_str()))
            .collect();
        let (_folder, found) = folder_of(&documents);
        let in_flight = Cell::new(0);
        let most = Cell::new(0);
        let answered = lines(found, FILED, async |request| {
            in_flight.set(in_flight.get() + 1);
            most.set(most.get().max(in_flight.get()));
            let lrn = text_of(&request);
            // The earlier a file, the later its answer.
            let number: usize = lrn.trim_end_matches(".xml").parse().unwrap();
            for _ in number..80 {
                tokio::task::yield_now().await;
            }
            in_flight.set(in_flight.get() - 1);
            Ok(accepted(&lrn, false))
        })
        .await;
        let order: Vec<_> = answered.iter().map(|line| line.lrn.clone()).collect();
        assert_eq!(order, names);
        assert_eq!(most.get(), FILINGS_IN_FLIGHT_MAX);
    }

    #[tokio::test]
    async fn of_two_equal_files_the_second_is_the_repetition() {
        let (_folder, found) =
            folder_of(&[("1.xml", "same"), ("2.xml", "same"), ("3.xml", "other")]);
        let seen: RefCell<HashSet<String>> = RefCell::default();
        let answered = lines(found, FILED, async |request| {
            // A slow first answer must not let the second overtake it.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            let repeated = !seen.borrow_mut().insert(request.request_id.clone());
            Ok(accepted(&text_of(&request), repeated))
        })
        .await;
        let repeated: Vec<_> = answered.iter().map(|line| line.repeated).collect();
        assert_eq!(repeated, [false, true, false]);
        assert_eq!(seen.borrow().len(), 2);
    }

    #[tokio::test]
    async fn of_files_that_share_a_reference_the_first_is_sent_first_and_others_do_not_wait() {
        let document = |lrn: &str, office: &str| {
            format!(
                "<Declaration><FunctionCode>9</FunctionCode><FunctionalReferenceID>{lrn}</FunctionalReferenceID>\
                 <TypeCode>IMA</TypeCode><DeclarationOfficeID>{office}</DeclarationOfficeID></Declaration>"
            )
        };
        let documents = [
            // The same reference, once composed and once not.
            ("1.xml", document("L-\u{e9}", "first")),
            ("2.xml", document("L-2", "alone")),
            ("3.xml", document("L-e\u{301}", "second")),
        ];
        let documents = documents
            .each_ref()
            .map(|(name, text)| (*name, text.as_str()));
        let (_folder, found) = folder_of(&documents);
        let sent: RefCell<Vec<String>> = RefCell::default();
        let finished: RefCell<Vec<String>> = RefCell::default();
        lines(found, FILED, async |request| {
            let text = text_of(&request);
            let office = ["first", "second", "alone"]
                .into_iter()
                .find(|office| text.contains(office))
                .unwrap();
            sent.borrow_mut().push(office.to_owned());
            for _ in 0..if office == "first" { 40 } else { 1 } {
                tokio::task::yield_now().await;
            }
            finished.borrow_mut().push(office.to_owned());
            Ok(accepted(office, false))
        })
        .await;
        assert_eq!(*sent.borrow(), ["first", "alone", "second"]);
        assert_eq!(*finished.borrow(), ["alone", "first", "second"]);
    }

    #[tokio::test]
    async fn a_repeated_refusal_is_a_repetition_too() {
        let (_folder, found) = folder_of(&[("1.xml", "same"), ("2.xml", "same")]);
        let seen: RefCell<HashSet<String>> = RefCell::default();
        let answered = lines(found, FILED, async |request| {
            let repeated = !seen.borrow_mut().insert(request.request_id);
            let in_use = Refusal::already_exists("LRN_IN_USE", "The reference L-1 is in use.");
            Err(chassis::command::refused(&in_use, repeated))
        })
        .await;
        let repeated: Vec<_> = answered.iter().map(|line| line.repeated).collect();
        assert_eq!(repeated, [false, true]);
        assert!(answered.iter().all(|line| line.outcome == "rejected"));
    }

    #[tokio::test]
    async fn again_files_equal_files_under_ids_of_their_own() {
        let (_folder, found) = folder_of(&[("1.xml", "same"), ("2.xml", "same")]);
        let seen: RefCell<HashSet<String>> = RefCell::default();
        let again = Options {
            again: true,
            ..FILED
        };
        let answered = lines(found, again, async |request| {
            let repeated = !seen.borrow_mut().insert(request.request_id.clone());
            Ok(accepted(&text_of(&request), repeated))
        })
        .await;
        assert!(answered.iter().all(|line| !line.repeated));
        assert_eq!(seen.borrow().len(), 2);
    }

    #[tokio::test]
    async fn a_full_service_is_asked_again_under_the_same_id() {
        let (_folder, found) = folder_of(&[("1.xml", "one")]);
        let seen: RefCell<Vec<String>> = RefCell::default();
        let answered = lines(found, FILED, async |request| {
            seen.borrow_mut().push(request.request_id.clone());
            if seen.borrow().len() < 3 {
                let full = Refusal::exhausted("OVERLOADED", "x").with_retry_after_millis(1);
                return Err(chassis::to_status(&full));
            }
            Ok(accepted("one", false))
        })
        .await;
        assert_eq!(answered[0].outcome, "accepted");
        let ids = seen.borrow();
        assert_eq!(ids.len(), 3);
        assert!(ids.iter().all(|id| *id == ids[0]));
    }

    #[tokio::test]
    async fn what_this_party_may_not_do_ends_the_command() {
        let (_folder, found) = folder_of(&[("1.xml", "one"), ("2.xml", "two")]);
        let denied = async |_: FileDocumentRequest| {
            Err(Refused::from(chassis::to_status(&Refusal::denied(
                "ROLE_REQUIRED",
                "x",
            ))))
        };
        let answers: Result<Vec<Answer>, _> = answers(found, FILED, "haulier-a", &denied)
            .try_collect()
            .await;
        assert!(
            matches!(answers, Err(ClientError::Refused(refusal)) if refusal.reason == "ROLE_REQUIRED")
        );
    }

    #[tokio::test]
    async fn one_failure_of_the_service_does_not_silence_the_other_files() {
        let (_folder, found) = folder_of(&[("1.xml", "one"), ("2.xml", "two")]);
        let failing = async |request: FileDocumentRequest| match text_of(&request).as_str() {
            "one" => Err(Refused::from(chassis::to_status(&Refusal::internal(
                "INTERNAL", "x",
            )))),
            _ => Ok(accepted("two", false)),
        };
        let answers: Vec<Answer> = answers(found, FILED, "broker-a", &failing)
            .try_collect()
            .await
            .unwrap();
        assert!(matches!(&answers[0], Answer::Missing(file, _) if file.ends_with("1.xml")));
        assert!(matches!(&answers[1], Answer::Given(line) if line.lrn == "two"));
        let mut report = Report::default();
        for answer in answers {
            let table = Options {
                json: false,
                ..FILED
            };
            report.take(answer, table).unwrap();
        }
        assert!(report.end(2).is_err());
    }

    #[test]
    fn waits_between_attempts_grow_and_have_a_limit() {
        assert_eq!(wait_before_next(1, None), Duration::from_millis(250));
        assert_eq!(wait_before_next(3, None), Duration::from_secs(1));
        assert_eq!(wait_before_next(7, None), Duration::from_secs(5));
        assert_eq!(wait_before_next(7, Some(100)), Duration::from_millis(100));
    }
}
