//! Lists of containers as rail and barge desks keep them: CSV with a heading, or JSON in the words of the
//! gate's messages. It must not know what gate makes of a list, nor check what gate checks.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use kernel::ContainerNumber;
use prost_reflect::{DescriptorPool, DynamicMessage};
use proto::gate::v1::{
    AnnounceArrivalRequest, AnnouncedContainer, LandedContainer, LoadedContainer, ManifestLine,
    RecordArrivalRequest, RecordDepartureRequest, RecordLoadingRequest,
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
    /// A row cannot be read.
    #[error("line {line}: {cause}")]
    Row {
        /// The line, from 1.
        line: usize,
        /// What is wrong and what to do.
        cause: String,
    },
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

/// Reads a list of what a train or barge will bring.
///
/// # Errors
/// The file cannot be read, or is no such list.
pub fn announced(file: &Path) -> Result<AnnounceArrivalRequest, ListFileError> {
    let text = read(file)?;
    if !is_json(&text) {
        return Ok(AnnounceArrivalRequest {
            containers: announced_of_csv(&text)?,
            ..Default::default()
        });
    }
    json_request(
        &text,
        "greenlane.gate.v1.AnnounceArrivalRequest",
        "containers",
        "AnnouncedContainer",
    )
}

/// Reads a list of what was lifted off a train or barge.
///
/// # Errors
/// The file cannot be read, or is no such list.
pub fn landed(file: &Path) -> Result<RecordArrivalRequest, ListFileError> {
    let text = read(file)?;
    if !is_json(&text) {
        return Ok(RecordArrivalRequest {
            containers: landed_of_csv(&text)?,
            ..Default::default()
        });
    }
    json_request(
        &text,
        "greenlane.gate.v1.RecordArrivalRequest",
        "containers",
        "LandedContainer",
    )
}

/// Reads a list of what was lifted onto a train or barge.
///
/// # Errors
/// The file cannot be read, or is no such list.
pub fn loaded(file: &Path) -> Result<RecordLoadingRequest, ListFileError> {
    let text = read(file)?;
    if !is_json(&text) {
        return Ok(RecordLoadingRequest {
            containers: loaded_of_csv(&text)?,
            ..Default::default()
        });
    }
    json_request(
        &text,
        "greenlane.gate.v1.RecordLoadingRequest",
        "containers",
        "LoadedContainer",
    )
}

/// Reads a departure list.
///
/// # Errors
/// The file cannot be read, is no such list, or names no container.
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
fn announced_of_csv(text: &str) -> Result<Vec<AnnouncedContainer>, ListFileError> {
    let mut containers: Vec<AnnouncedContainer> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for row in rows(text, ANNOUNCED_COLUMNS)? {
        let written = row.get("container_number");
        // However it is written in each row, it is one container.
        let number = ContainerNumber::parse(written)
            .map_or_else(|_| written.to_owned(), |number| number.to_string());
        let place = match places.get(&number) {
            // Rows without a number are faulty one by one, not one container together.
            Some(place) if !number.is_empty() => *place,
            _ => containers.len(),
        };
        places.insert(number, place);
        if place == containers.len() {
            containers.push(AnnouncedContainer {
                container_number: written.to_owned(),
                size_type: row.get("size_type").to_owned(),
                seals: row.words("seals"),
                empty: row.yes_or_no("empty")?,
                manifest_lines: Vec::new(),
            });
        }
        let line = manifest_line(&row)?;
        if let (Some(container), true) =
            (containers.get_mut(place), line != ManifestLine::default())
        {
            container.manifest_lines.push(line);
        }
    }
    Ok(containers)
}

fn manifest_line(row: &Row) -> Result<ManifestLine, ListFileError> {
    let packages = match row.get("packages") {
        "" => None,
        count => Some(count.parse().map_err(|_| {
            row.wrong(format!(
                "`{count}` is no count of packages; write a whole number"
            ))
        })?),
    };
    Ok(ManifestLine {
        transport_document: row.get("transport_document").to_owned(),
        line_party: row.get("line_party").to_owned(),
        packages,
        gross_mass: Some(row.get("gross_mass_kg"))
            .filter(|mass| !mass.is_empty())
            .map(kilograms),
        goods_description: row.get("goods_description").to_owned(),
    })
}

fn landed_of_csv(text: &str) -> Result<Vec<LandedContainer>, ListFileError> {
    rows(text, LANDED_COLUMNS)?
        .iter()
        .map(|row| {
            Ok(LandedContainer {
                container_number: row.get("container_number").to_owned(),
                seals_found: row.words("seals_found"),
                size_type: row.get("size_type").to_owned(),
                empty: row.yes_or_no("empty")?,
            })
        })
        .collect()
}

fn loaded_of_csv(text: &str) -> Result<Vec<LoadedContainer>, ListFileError> {
    let row = |row: &Row| LoadedContainer {
        container_number: row.get("container_number").to_owned(),
        seals_found: row.words("seals_found"),
    };
    Ok(rows(text, LOADED_COLUMNS)?.iter().map(row).collect())
}

fn departed_of_csv(text: &str) -> Result<Vec<String>, ListFileError> {
    let row = |row: &Row| row.get("container_number").to_owned();
    Ok(rows(text, DEPARTED_COLUMNS)?.iter().map(row).collect())
}

/// One row under its heading.
struct Row {
    line: usize,
    cells: HashMap<String, String>,
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

    fn yes_or_no(&self, column: &str) -> Result<bool, ListFileError> {
        match self.get(column).to_ascii_lowercase().as_str() {
            "" | "no" | "false" | "0" => Ok(false),
            "yes" | "true" | "1" => Ok(true),
            other => Err(self.wrong(format!("{column} is `{other}`; write yes or no"))),
        }
    }

    fn wrong(&self, cause: String) -> ListFileError {
        ListFileError::Row {
            line: self.line,
            cause,
        }
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
    records
        .map(|(line, cells)| {
            if cells.len() > names.len() {
                let cause = "it has more cells than the heading; put texts with commas into quotes";
                return Err(ListFileError::Row {
                    line,
                    cause: cause.to_owned(),
                });
            }
            let cells = names.iter().cloned().zip(cells).collect();
            Ok(Row { line, cells })
        })
        .collect()
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
        return Err(ListFileError::Row {
            line: begins,
            cause: "a quotation mark is not closed".to_owned(),
        });
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
        let containers = announced_of_csv(
            "container_number,size_type,seals,transport_document,line_party,packages,gross_mass_kg\n\
             MSKU9070323,22G1,CN1 CN2,TD-1,line-a,10,1200.5\n\
             TGHU7599330,45G1,,TD-3,line-a,,\n\
             msku 907032-3,,,TD-2,line-a,5,600\n",
        )
        .unwrap();
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
        let containers = announced_of_csv("container_number,empty\r\nMSKU9070323,yes\r\n").unwrap();
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
    fn a_row_that_cannot_be_read_is_named_by_its_line() {
        let refused =
            announced_of_csv("container_number,packages\nMSKU9070323,1\nTGHU7599330,ten\n")
                .unwrap_err();
        assert!(
            refused.to_string().starts_with("line 3: `ten`"),
            "{refused}"
        );
        assert!(landed_of_csv("container_number\nA,B\n").is_err());
        assert!(landed_of_csv("container_number\n\"A\n").is_err());
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
        let containers = request.unwrap().containers;
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
