//! Lists of containers as rail and barge desks keep them: CSV with a heading, or JSON in the words of the
//! gate's messages. It must not know what gate makes of a list, nor check what gate checks.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use kernel::ContainerNumber;
use prost_reflect::{DescriptorPool, DynamicMessage};
use proto::common::v1::Fault;
use proto::gate::v1::{
    AnnounceArrivalRequest, AnnouncedContainer, LandedContainer, ListLineOutcome, ListLineResult,
    LoadedContainer, ManifestLine, RecordArrivalRequest, RecordDepartureRequest,
    RecordLoadingRequest,
};

use super::arguments::kilograms;
use crate::client::ClientError;

/// The largest list that is read, in bytes.
pub const LIST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The columns of an announced list; further ones are refused, so that a misspelt one is noticed.
pub const ANNOUNCED_COLUMNS: &[&str] = &[
    "container_number",
    "size_type",
    "seals",
    "empty",
    "transport_document",
    "line_party",
    "packages",
    "gross_mass_kg",
    "goods_description",
];

/// The columns of a list of what was lifted off.
pub const LANDED_COLUMNS: &[&str] = &["container_number", "seals_found", "size_type", "empty"];

/// The columns of a list of what was lifted on.
pub const LOADED_COLUMNS: &[&str] = &["container_number", "seals_found"];

/// The columns of a departure list.
pub const DEPARTED_COLUMNS: &[&str] = &["container_number"];

/// Why a list cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ListFileError {
    /// The file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The file is larger than any list.
    #[error("{0} has more than {LIST_BYTES_MAX} bytes; no train or barge has such a list")]
    TooLarge(PathBuf),
    /// The file is no text.
    #[error("{0} is not UTF-8 text; save the list as UTF-8")]
    NotText(PathBuf),
    /// A column is unknown or missing.
    #[error("line 1: {0}; the columns are {1}")]
    Heading(String, String),
    /// From this line on it is not clear where a row ends.
    #[error("line {0}: a quotation mark is not closed")]
    QuoteOpen(usize),
    /// Rows of a list on which a container's absence says something.
    #[error("{0}")]
    Rows(String),
    /// To gate an empty departure list means all that were loaded: nobody who made a list meant that.
    #[error(
        "{0} names no container; leave the list out to say that all that were loaded have left"
    )]
    NoContainer(PathBuf),
    /// The JSON is not of the messages' form.
    #[error(
        "{0}; write an array of {1}, or the whole request, in the words of the gate's messages"
    )]
    Json(String, &'static str),
}

impl From<ListFileError> for ClientError {
    fn from(error: ListFileError) -> Self {
        ClientError::Failed(error.to_string())
    }
}

/// What of a list's entries cannot be read, by their place from 1. They are not sent to be recorded; what becomes of
/// them stands among gate's results, and the other entries are taken all the same (gate rule 17).
#[derive(Debug, Default)]
pub struct Unread(BTreeMap<u32, Vec<Fault>>);

impl Unread {
    /// Whether every entry could be read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether none of so many entries could be read.
    pub fn is_all_of(&self, entries: usize) -> bool {
        self.0.len() >= entries
    }

    /// Takes the entries that cannot be read out of all.
    pub fn leave_out<T>(&self, entries: &mut Vec<T>) {
        let mut places = 1..;
        entries.retain(|_| {
            places
                .next()
                .is_none_or(|place| !self.0.contains_key(&place))
        });
    }

    /// The results of the whole list, in its order: `checked` are gate's on all entries, none recorded, and `answered`
    /// those on what was sent.
    pub fn among(
        mut self,
        checked: Vec<ListLineResult>,
        answered: Vec<ListLineResult>,
    ) -> Vec<ListLineResult> {
        let (mut taken, unlisted): (Vec<_>, Vec<_>) = answered
            .into_iter()
            .partition(|result| result.line_number > 0);
        let mut taken = taken.drain(..);
        let listed = checked.into_iter().filter(|result| result.line_number > 0);
        let mut results: Vec<ListLineResult> = listed
            .filter_map(|checked| match self.0.remove(&checked.line_number) {
                Some(unread) => Some(ListLineResult {
                    line_number: checked.line_number,
                    container_number: checked.container_number,
                    outcome: ListLineOutcome::Faulty.into(),
                    faults: unread.into_iter().chain(checked.faults).collect(),
                    ..Default::default()
                }),
                // Gate names places of what it was sent.
                None if checked.outcome() == ListLineOutcome::Faulty => {
                    taken.next();
                    Some(checked)
                }
                None => taken.next().map(|result| ListLineResult {
                    line_number: checked.line_number,
                    ..result
                }),
            })
            .collect();
        results.extend(unlisted);
        results
    }
}

/// Reads a list of what a train or barge will bring.
///
/// # Errors
/// The file cannot be read, or is no such list.
pub fn announced(file: &Path) -> Result<(AnnounceArrivalRequest, Unread), ListFileError> {
    let text = read(file)?;
    if !is_json(&text) {
        let (containers, unread) = announced_of_csv(&text)?;
        let request = AnnounceArrivalRequest {
            containers,
            ..Default::default()
        };
        return Ok((request, unread));
    }
    let request = json_request(
        &text,
        "greenlane.gate.v1.AnnounceArrivalRequest",
        "containers",
        "AnnouncedContainer",
    )?;
    Ok((request, Unread::default()))
}

/// Reads a list of what was lifted off a train or barge.
///
/// # Errors
/// The file cannot be read, or is no such list.
pub fn landed(file: &Path) -> Result<(RecordArrivalRequest, Unread), ListFileError> {
    let text = read(file)?;
    if !is_json(&text) {
        let (containers, unread) = landed_of_csv(&text)?;
        let request = RecordArrivalRequest {
            containers,
            ..Default::default()
        };
        return Ok((request, unread));
    }
    let request = json_request(
        &text,
        "greenlane.gate.v1.RecordArrivalRequest",
        "containers",
        "LandedContainer",
    )?;
    Ok((request, Unread::default()))
}

/// Reads a list of what was lifted onto a train or barge.
///
/// # Errors
/// The file cannot be read, or is no such list.
pub fn loaded(file: &Path) -> Result<(RecordLoadingRequest, Unread), ListFileError> {
    let text = read(file)?;
    if !is_json(&text) {
        let (containers, unread) = loaded_of_csv(&text)?;
        let request = RecordLoadingRequest {
            containers,
            ..Default::default()
        };
        return Ok((request, unread));
    }
    let request = json_request(
        &text,
        "greenlane.gate.v1.RecordLoadingRequest",
        "containers",
        "LoadedContainer",
    )?;
    Ok((request, Unread::default()))
}

/// Reads a departure list.
///
/// # Errors
/// The file cannot be read, is no such list, or names no container; a row cannot be read: what is not on this list
/// stays, so none of it may be left out.
pub fn departed(file: &Path) -> Result<RecordDepartureRequest, ListFileError> {
    let text = read(file)?;
    let request = if is_json(&text) {
        json_request(
            &text,
            "greenlane.gate.v1.RecordDepartureRequest",
            "container_numbers",
            "container numbers",
        )?
    } else {
        RecordDepartureRequest {
            container_numbers: departed_of_csv(&text)?,
            ..Default::default()
        }
    };
    if request.container_numbers.is_empty() {
        return Err(ListFileError::NoContainer(file.to_owned()));
    }
    Ok(request)
}

fn read(file: &Path) -> Result<String, ListFileError> {
    let unreadable = |error| ListFileError::Unreadable(file.to_owned(), error);
    let mut bytes = Vec::new();
    File::open(file)
        .map_err(unreadable)?
        .take(LIST_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LIST_BYTES_MAX) {
        return Err(ListFileError::TooLarge(file.to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| ListFileError::NotText(file.to_owned()))?;
    // Spreadsheets open their UTF-8 with a byte-order mark.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// A whole request, or an array of its containers, which stand in `field`.
fn json_request<M: prost::Message + Default>(
    text: &str,
    message: &'static str,
    field: &'static str,
    element: &'static str,
) -> Result<M, ListFileError> {
    let wrong = |error: &dyn std::error::Error| ListFileError::Json(error.to_string(), element);
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    let request = match value {
        serde_json::Value::Array(containers) => serde_json::json!({ field: containers }),
        whole => whole,
    };
    let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).map_err(|error| wrong(&error))?;
    let descriptor = pool
        .get_message_by_name(message)
        .ok_or_else(|| ListFileError::Json(format!("{message} is unknown"), element))?;
    let request =
        DynamicMessage::deserialize(descriptor, request).map_err(|error| wrong(&error))?;
    request.transcode_to().map_err(|error| wrong(&error))
}

/// Rows about the same container are its consignments: groupage has several.
fn announced_of_csv(text: &str) -> Result<(Vec<AnnouncedContainer>, Unread), ListFileError> {
    let mut entries: Vec<Entry<AnnouncedContainer>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for mut row in rows(text, ANNOUNCED_COLUMNS)? {
        let container_number = row.get("container_number").to_owned();
        let said = AnnouncedContainer {
            container_number: container_number.clone(),
            size_type: row.get("size_type").to_owned(),
            seals: row.words("seals"),
            empty: row.yes_or_no("empty"),
            manifest_lines: manifest_lines(&mut row),
        };
        // However it is written in each row, it is one container.
        let number = ContainerNumber::parse(&container_number)
            .map_or(container_number, |number| number.to_string());
        // Rows without a number are faulty one by one, not one container together.
        let earlier = places.get(&number).filter(|_| !number.is_empty());
        match earlier.and_then(|place| entries.get_mut(*place)) {
            Some(entry) => entry.add(said, row),
            None => {
                places.insert(number, entries.len());
                entries.push(Entry::new(said, row));
            }
        }
    }
    Ok(told(entries))
}

/// The consignment of a row; none where it says nothing of one.
fn manifest_lines(row: &mut Row) -> Vec<ManifestLine> {
    let line = ManifestLine {
        transport_document: row.get("transport_document").to_owned(),
        line_party: row.get("line_party").to_owned(),
        packages: row.count("packages"),
        gross_mass: Some(row.get("gross_mass_kg"))
            .filter(|mass| !mass.is_empty())
            .map(kilograms),
        goods_description: row.get("goods_description").to_owned(),
    };
    Some(line)
        .filter(|line| *line != ManifestLine::default())
        .into_iter()
        .collect()
}

fn landed_of_csv(text: &str) -> Result<(Vec<LandedContainer>, Unread), ListFileError> {
    let entry = |mut row: Row| {
        let container = LandedContainer {
            container_number: row.get("container_number").to_owned(),
            seals_found: row.words("seals_found"),
            size_type: row.get("size_type").to_owned(),
            empty: row.yes_or_no("empty"),
        };
        Entry::new(container, row)
    };
    let entries = rows(text, LANDED_COLUMNS)?.into_iter().map(entry).collect();
    Ok(told(entries))
}

fn loaded_of_csv(text: &str) -> Result<(Vec<LoadedContainer>, Unread), ListFileError> {
    let entry = |row: Row| {
        let container = LoadedContainer {
            container_number: row.get("container_number").to_owned(),
            seals_found: row.words("seals_found"),
        };
        Entry::new(container, row)
    };
    let entries = rows(text, LOADED_COLUMNS)?.into_iter().map(entry).collect();
    Ok(told(entries))
}

fn departed_of_csv(text: &str) -> Result<Vec<String>, ListFileError> {
    let rows = rows(text, DEPARTED_COLUMNS)?;
    let faults: Vec<String> = rows
        .iter()
        .flat_map(|row| &row.faults)
        .map(|fault| format!("{}: {}", fault.path, fault.description))
        .collect();
    if !faults.is_empty() {
        return Err(ListFileError::Rows(faults.join("\n")));
    }
    let number = |row: &Row| row.get("container_number").to_owned();
    Ok(rows.iter().map(number).collect())
}

/// A container of a list: what its rows say, and what of them cannot be read.
struct Entry<T> {
    said: T,
    line: usize,
    faults: Vec<Fault>,
}

impl<T> Entry<T> {
    fn new(said: T, row: Row) -> Self {
        Self {
            said,
            line: row.line,
            faults: row.faults,
        }
    }
}

impl Entry<AnnouncedContainer> {
    /// A further row of the same container: another consignment. What it says of the container itself, the first
    /// has said, and it says the same or nothing.
    fn add(&mut self, further: AnnouncedContainer, mut row: Row) {
        let first = &self.said;
        let same = [
            ("size_type", first.size_type == further.size_type),
            ("seals", first.seals == further.seals),
            ("empty", first.empty == further.empty),
        ];
        for (column, same) in same {
            if !same && !row.get(column).is_empty() {
                row.faulty(
                    column,
                    "a container is described once",
                    format!(
                        "Line {} says something else of this container; say the same, or leave it out.",
                        self.line
                    ),
                );
            }
        }
        self.faults.extend(row.faults);
        self.said.manifest_lines.extend(further.manifest_lines);
    }
}

/// What a list says, and what of it cannot be read.
fn told<T>(entries: Vec<Entry<T>>) -> (Vec<T>, Unread) {
    let mut unread = BTreeMap::new();
    let said = (1..).zip(entries).map(|(place, entry)| {
        if !entry.faults.is_empty() {
            unread.insert(place, entry.faults);
        }
        entry.said
    });
    let said = said.collect();
    (said, Unread(unread))
}

/// One row under its heading, and what of it cannot be read.
struct Row {
    line: usize,
    cells: HashMap<String, String>,
    faults: Vec<Fault>,
}

impl Row {
    fn get(&self, column: &str) -> &str {
        self.cells
            .get(column)
            .map(String::as_str)
            .unwrap_or_default()
    }

    fn words(&self, column: &str) -> Vec<String> {
        self.get(column)
            .split([' ', ';'])
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn yes_or_no(&mut self, column: &str) -> bool {
        match self.get(column).to_ascii_lowercase().as_str() {
            "" | "no" | "false" | "0" => false,
            "yes" | "true" | "1" => true,
            _ => {
                self.faulty(column, "yes or no", "Write yes or no.".to_owned());
                false
            }
        }
    }

    fn count(&mut self, column: &str) -> Option<u32> {
        let count = self.get(column);
        if count.is_empty() {
            return None;
        }
        let parsed = count.parse().ok();
        if parsed.is_none() {
            self.faulty(column, "a count", "Write a whole number.".to_owned());
        }
        parsed
    }

    fn faulty(&mut self, column: &str, rule: &str, description: String) {
        self.faults.push(Fault {
            code: "CELL_INVALID".to_owned(),
            path: format!("line {}, {column}", self.line),
            value: self.get(column).to_owned(),
            rule: rule.to_owned(),
            description,
            ..Default::default()
        });
    }
}

fn rows(text: &str, columns: &[&str]) -> Result<Vec<Row>, ListFileError> {
    let mut records = csv(text)?.into_iter();
    let heading = |cause: String| ListFileError::Heading(cause, columns.join(", "));
    let (_, names) = records
        .next()
        .ok_or_else(|| heading("the list is empty".to_owned()))?;
    let names: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    if let Some(unknown) = names.iter().find(|name| !columns.contains(&name.as_str())) {
        return Err(heading(format!("there is no column `{unknown}`")));
    }
    if !names.iter().any(|name| name == "container_number") {
        return Err(heading("the column container_number is missing".to_owned()));
    }
    let row = |(line, cells): (usize, Vec<String>)| {
        let too_long = (cells.len() > names.len()).then(|| Fault {
            code: "ROW_TOO_LONG".to_owned(),
            path: format!("line {line}"),
            rule: "a cell for each column of the heading".to_owned(),
            description: "It has more cells than the heading; put texts with commas into quotes."
                .to_owned(),
            ..Default::default()
        });
        Row {
            line,
            cells: names.iter().cloned().zip(cells).collect(),
            faults: too_long.into_iter().collect(),
        }
    };
    Ok(records.map(row).collect())
}

/// The records of a CSV text (RFC 4180) with the line at which each begins; empty lines are left out.
fn csv(text: &str) -> Result<Vec<(usize, Vec<String>)>, ListFileError> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut cell = String::new();
    let (mut line, mut begins) = (1, 1);
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\n' {
            line += 1;
        }
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.trim().is_empty() => {
                cell.clear();
                quoted = true;
            }
            _ if quoted => cell.push(character),
            ',' => record.push(std::mem::take(&mut cell).trim().to_owned()),
            '\n' => {
                record.push(std::mem::take(&mut cell).trim().to_owned());
                records.push((begins, std::mem::take(&mut record)));
                begins = line;
            }
            _ => cell.push(character),
        }
    }
    if quoted {
        return Err(ListFileError::QuoteOpen(begins));
    }
    record.push(cell.trim().to_owned());
    records.push((begins, record));
    records.retain(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()));
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_container_are_its_consignments() {
        let (containers, unread) = announced_of_csv(
            "container_number,size_type,seals,transport_document,line_party,packages,gross_mass_kg\n\
             MSKU9070323,22G1,CN1 CN2,TD-1,line-a,10,1200.5\n\
             TGHU7599330,45G1,,TD-3,line-a,,\n\
             msku 907032-3,,,TD-2,line-a,5,600\n",
        )
        .unwrap();
        assert!(unread.is_empty());
        assert_eq!(containers.len(), 2);
        assert_eq!(containers[0].seals, ["CN1", "CN2"]);
        let documents: Vec<_> = containers[0]
            .manifest_lines
            .iter()
            .map(|line| line.transport_document.as_str())
            .collect();
        assert_eq!(documents, ["TD-1", "TD-2"]);
        assert_eq!(containers[0].manifest_lines[0].packages, Some(10));
        assert_eq!(
            containers[0].manifest_lines[0].gross_mass,
            Some(kilograms("1200.5"))
        );
        assert_eq!(containers[1].manifest_lines[0].packages, None);
        assert_eq!(containers[1].manifest_lines[0].gross_mass, None);
    }

    #[test]
    fn an_empty_container_has_no_consignment() {
        let list = "container_number,empty\r\nMSKU9070323,yes\r\n";
        let (containers, _) = announced_of_csv(list).unwrap();
        assert!(containers[0].empty);
        assert!(containers[0].manifest_lines.is_empty());
    }

    #[test]
    fn a_text_in_quotes_may_hold_commas_quotes_and_lines() {
        let records = csv("a,\"b, \"\"c\"\"\nd\"\n\ne,f\n").unwrap();
        assert_eq!(
            records,
            [
                (1, vec!["a".to_owned(), "b, \"c\"\nd".to_owned()]),
                (4, vec!["e".to_owned(), "f".to_owned()])
            ]
        );
    }

    #[test]
    fn a_misspelt_column_is_named() {
        let refused = announced_of_csv("container_number,seal\nMSKU9070323,1\n").unwrap_err();
        assert!(
            refused.to_string().contains("no column `seal`"),
            "{refused}"
        );
        let refused = announced_of_csv("size_type\n22G1\n").unwrap_err();
        assert!(refused.to_string().contains("container_number is missing"));
        assert!(announced_of_csv("").is_err());
    }

    #[test]
    fn rule_17_a_row_that_cannot_be_read_is_a_faulty_line_with_all_its_faults_among_the_results() {
        let (mut containers, unread) = announced_of_csv(
            "container_number,empty,packages\n\
             MSKU9070323,no,1\n\
             TGHU7599330,perhaps,ten\n\
             CSQU3054383,no,3\n\
             MSCU6639870,no,3,too,many\n",
        )
        .unwrap();
        let line = |line_number, outcome: ListLineOutcome, code: &str| ListLineResult {
            line_number,
            outcome: outcome.into(),
            faults: Some(code)
                .filter(|code| !code.is_empty())
                .map(|code| Fault {
                    path: code.to_owned(),
                    ..Default::default()
                })
                .into_iter()
                .collect(),
            ..Default::default()
        };
        let (accepted, faulty) = (ListLineOutcome::Accepted, ListLineOutcome::Faulty);
        let checked = vec![
            line(1, faulty, "containers[0]"),
            line(2, accepted, ""),
            line(3, accepted, ""),
            line(4, faulty, "containers[3]"),
        ];
        unread.leave_out(&mut containers);
        let sent: Vec<_> = containers
            .iter()
            .map(|container| container.container_number.as_str())
            .collect();
        assert_eq!(sent, ["MSKU9070323", "CSQU3054383"]);
        let answered = vec![
            line(1, faulty, "containers[0]"),
            line(2, accepted, ""),
            line(0, accepted, ""),
        ];
        let results = unread.among(checked, answered);
        let told: Vec<_> = results
            .iter()
            .map(|result| {
                let paths: Vec<_> = result.faults.iter().map(|fault| &*fault.path).collect();
                (result.line_number, result.outcome(), paths)
            })
            .collect();
        assert_eq!(
            told,
            [
                (1, faulty, vec!["containers[0]"]),
                (2, faulty, vec!["line 3, empty", "line 3, packages"]),
                (3, accepted, vec![]),
                (4, faulty, vec!["line 5", "containers[3]"]),
                (0, accepted, vec![]),
            ]
        );
    }

    #[test]
    fn a_further_row_that_says_something_else_of_its_container_makes_it_faulty() {
        let (_, unread) = announced_of_csv(
            "container_number,size_type,seals,transport_document\n\
             MSKU9070323,22G1,CN1,TD-1\n\
             MSKU9070323,45G1,CN1,TD-2\n\
             MSKU9070323,,CN2,TD-3\n",
        )
        .unwrap();
        let paths: Vec<_> = unread.0[&1].iter().map(|fault| &*fault.path).collect();
        assert_eq!(paths, ["line 3, size_type", "line 4, seals"]);
    }

    #[test]
    fn a_departure_list_with_a_row_that_cannot_be_read_is_refused_with_all_of_them() {
        let refused = departed_of_csv("container_number\nA,B\nC\nD,E\n").unwrap_err();
        let told = refused.to_string();
        assert!(told.contains("line 2: It has more cells"), "{told}");
        assert!(told.contains("line 4: It has more cells"), "{told}");
    }

    #[test]
    fn a_quotation_mark_that_is_not_closed_is_named_by_its_line() {
        let refused = landed_of_csv("container_number\nA\n\"B\n").unwrap_err();
        assert!(refused.to_string().starts_with("line 3: "), "{refused}");
    }

    #[test]
    fn json_is_an_array_of_containers_or_the_whole_request() {
        let array = r#"[{"container_number": "MSKU9070323", "manifest_lines": [{"transport_document": "TD-1", "packages": 3}]}]"#;
        let request: AnnounceArrivalRequest = json_request(
            array,
            "greenlane.gate.v1.AnnounceArrivalRequest",
            "containers",
            "AnnouncedContainer",
        )
        .unwrap();
        assert_eq!(request.containers[0].manifest_lines[0].packages, Some(3));
        let whole = r#"{"conveyance": "X8044", "containers": [{"container_number": "MSKU9070323", "seals_found": ["CN1"]}], "complete": true}"#;
        let request: RecordArrivalRequest = json_request(
            whole,
            "greenlane.gate.v1.RecordArrivalRequest",
            "containers",
            "LandedContainer",
        )
        .unwrap();
        assert!(request.complete);
        assert_eq!(request.containers[0].seals_found, ["CN1"]);
    }

    #[test]
    fn a_loading_list_names_seals_and_a_departure_list_only_containers() {
        let folder = tempfile::tempdir().unwrap();
        let list = |text: &str| {
            let path = folder.path().join("list");
            std::fs::write(&path, text).unwrap();
            path
        };
        let request = loaded(&list(
            "container_number,seals_found\nMSKU9070323,CN1 CN2\nTGHU7599330,\n",
        ));
        let containers = request.unwrap().0.containers;
        assert_eq!(containers[0].seals_found, ["CN1", "CN2"]);
        assert_eq!(containers[1].container_number, "TGHU7599330");
        for text in ["container_number\nMSKU9070323\n", r#"["MSKU9070323"]"#] {
            let request = departed(&list(text)).unwrap();
            assert_eq!(request.container_numbers, ["MSKU9070323"], "{text}");
        }
    }

    #[test]
    fn a_departure_list_without_a_container_does_not_let_all_leave() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        for text in ["container_number\n", "[]", "{}"] {
            std::fs::write(&path, text).unwrap();
            let refused = departed(&path).unwrap_err();
            assert!(refused.to_string().contains("names no container"), "{text}");
        }
    }

    #[test]
    fn a_field_that_no_message_has_is_refused() {
        let refused = json_request::<RecordArrivalRequest>(
            r#"[{"number": "MSKU9070323"}]"#,
            "greenlane.gate.v1.RecordArrivalRequest",
            "containers",
            "LandedContainer",
        );
        assert!(refused.unwrap_err().to_string().contains("number"));
    }
}
