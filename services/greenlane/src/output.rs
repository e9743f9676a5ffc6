//! What a command writes: tables for people, one JSON object a line for machines, and progress on
//! standard error where somebody watches. It must not know any message by name: their JSON comes from the
//! descriptors that the services reflect.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use comfy_table::{ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;

use crate::client::ClientError;

/// Nobody is told about the progress of what takes less than this.
const PROGRESS_DELAY: Duration = Duration::from_secs(1);
/// The spinner's pace.
const PROGRESS_TICK: Duration = Duration::from_millis(120);

/// How answers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Tables and sentences, for people.
    #[default]
    Table,
    /// One JSON object a line, for machines.
    Json,
}

/// Prints a table; without columns it has no heading.
///
/// # Errors
/// Standard output is gone.
pub fn table(columns: &[&str], rows: Vec<Vec<String>>) -> Result<(), ClientError> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    if !columns.is_empty() {
        table.set_header(columns.iter().map(|column| column.to_uppercase()));
    }
    table.add_rows(rows);
    let lines: Vec<String> = table.lines().collect();
    // Cells are padded on both sides; a line begins with its first word.
    lines
        .iter()
        .try_for_each(|text| line(text.strip_prefix(' ').unwrap_or(text).trim_end()))
}

/// Prints a message as one line of JSON, named as its proto names it: `greenlane.gate.v1.TruckVisit`.
///
/// # Errors
/// The platform has no message of that name and form, or standard output is gone.
pub fn json<M: Message>(name: &str, message: &M) -> Result<(), ClientError> {
    object(&json_of(name, message)?)
}

/// Prints an object that is no message, as one line of JSON.
///
/// # Errors
/// Standard output is gone.
pub fn object(object: &Value) -> Result<(), ClientError> {
    line(&object.to_string())
}

/// Prints one line.
///
/// # Errors
/// Standard output is gone.
pub fn line(text: &str) -> Result<(), ClientError> {
    let mut stdout = io::stdout().lock();
    // Flushed, so that whoever follows a watch through a pipe sees each line when it comes.
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(ClientError::Output)
}

/// Tells the person at the terminal something that is not part of the answer.
pub fn note(text: &str) {
    // Nobody can be told that standard error is gone.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The progress of one piece of work; ends when dropped.
pub struct Progress {
    bar: ProgressBar,
    begun: Instant,
    watched: bool,
}

impl Progress {
    /// Begins to tell of something that may take a while: `total` steps, or unknown. Shown on standard
    /// error after a second, and only to a terminal.
    pub fn begin(what: &str, total: Option<u64>) -> Progress {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let template = match total {
            Some(_) => "{msg} {wide_bar} {pos}/{len} {eta}",
            None => "{spinner} {msg} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Progress {
            bar,
            begun: Instant::now(),
            watched: io::stderr().is_terminal(),
        }
    }

    /// One more step is done.
    pub fn step(&self) {
        self.show_when_due();
        self.bar.inc(1);
    }

    /// What is being done now.
    pub fn say(&self, what: &str) {
        self.show_when_due();
        self.bar.set_message(what.to_owned());
    }

    fn show_when_due(&self) {
        if self.watched && self.bar.is_hidden() && self.begun.elapsed() >= PROGRESS_DELAY {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.bar.enable_steady_tick(PROGRESS_TICK);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A message as JSON, fields named as in its proto and none left out.
///
/// # Errors
/// The platform has no message of that name and form.
pub fn json_of<M: Message>(name: &str, message: &M) -> Result<Value, ClientError> {
    static MESSAGES: LazyLock<Result<DescriptorPool, prost_reflect::DescriptorError>> =
        LazyLock::new(|| DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET));
    let unknown =
        |why: String| ClientError::Failed(format!("{name} cannot be written as JSON: {why}"));
    let messages = MESSAGES
        .as_ref()
        .map_err(|error| unknown(error.to_string()))?;
    let descriptor = messages
        .get_message_by_name(name)
        .ok_or_else(|| unknown("the platform has no such message".to_owned()))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(|error| unknown(error.to_string()))?;
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false)
        .skip_default_fields(false);
    dynamic
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| unknown(error.to_string()))
}

/// An age for people: "0.4 s", "12 s", "3 min", "2 h".
pub fn age(millis: u64) -> String {
    match millis {
        0..10_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        10_000..120_000 => format!("{} s", millis / 1_000),
        120_000..7_200_000 => format!("{} min", millis / 60_000),
        _ => format!("{} h", millis / 3_600_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_json_with_its_protos_names() {
        let status = proto::fabric::v1::GetFabricStatusResponse {
            service: "gate".to_owned(),
            consumed: vec![proto::fabric::v1::ConsumedPartition {
                topic: "customs.party".to_owned(),
                applied_sequence: 9_007_199_254_740_993,
                ..Default::default()
            }],
            ..Default::default()
        };
        let json = json_of("greenlane.fabric.v1.GetFabricStatusResponse", &status).unwrap();
        assert_eq!(json["service"], "gate");
        assert_eq!(json["ready"], false, "fields are not left out");
        assert_eq!(
            json["consumed"][0]["applied_sequence"],
            9_007_199_254_740_993_u64
        );
        assert_eq!(json["not_ready_because"], serde_json::json!([]));
    }

    #[test]
    fn what_is_no_message_of_ours_is_told() {
        let error = json_of("greenlane.gate.v1.NoSuchThing", &()).unwrap_err();
        assert!(error.to_string().contains("NoSuchThing"), "{error}");
    }

    #[test]
    fn people_read_ages() {
        assert_eq!(age(420), "0.4 s");
        assert_eq!(age(59_999), "59 s");
        assert_eq!(age(180_000), "3 min");
    }
}
