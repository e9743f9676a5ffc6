//! The operator's view of the exchange of facts: how far each service has come, what it could not apply, and
//! sending again. Asks all services, or one; a service that does not answer does not silence the others.

use std::collections::BTreeMap;

use clap::Subcommand;
use proto::fabric::v1::{
    DiscardParkedRequest, GetFabricStatusRequest, GetFabricStatusResponse, GetParkedRequest,
    ListParkedRequest, OpenEpochRequest, ParkedRecord, RepublishRequest, RestateRequest,
    RetryParkedRequest, VerifyRequest, VerifyResponse,
};
use serde_json::{Value, json};

use super::arguments::Listing;
use super::show::when;
use crate::client::{ClientError, Session};
use crate::output::{self, Output};
use crate::services::Service;

/// The operator's commands.
#[derive(Debug, Subcommand)]
pub enum FabricCommand {
    /// How far producing and consuming have come, by topic
    #[command(after_help = "Example: greenlane fabric status --service release")]
    Status {
        /// Only of this service
        #[arg(long)]
        service: Option<Service>,
    },
    /// Send a partition again from a sequence on; consumers drop what they have
    #[command(after_help = "\
Example: greenlane fabric republish gate --topic gate.container-visit --partition 3 --from-sequence 1")]
    Republish {
        /// The service that produces the topic
        service: Service,
        /// The topic
        #[arg(long)]
        topic: String,
        /// The partition
        #[arg(long)]
        partition: u32,
        /// The first sequence to send again
        #[arg(long, value_name = "SEQUENCE")]
        from_sequence: u64,
    },
    /// Publish the last word on every key again: for a reader that is newer than what is kept, and after
    /// `new-epoch`
    #[command(after_help = "\
Example: greenlane fabric restate gate
         greenlane fabric restate customs --topic customs.party")]
    Restate {
        /// The service that produces the topics
        service: Service,
        /// Only this topic
        #[arg(long, default_value = "", hide_default_value = true)]
        topic: String,
    },
    /// After a restore from a backup: what the service says from now on wins over what it said before
    #[command(after_help = "\
Example: greenlane fabric new-epoch gate --reason 'restored from the backup of 26 November'")]
    NewEpoch {
        /// The service whose database was restored
        service: Service,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Records that could not be applied
    #[command(
        subcommand,
        after_help = "\
Example: greenlane fabric parked list --service release
         greenlane fabric parked show release greenlane.gate.hold.v1/3/1/17"
    )]
    Parked(ParkedCommand),
    /// Whether databases, topics and readers agree on all that was published, and what was lost
    #[command(after_help = "\
Example: greenlane fabric verify
         greenlane fabric verify --service customs --output json")]
    Verify {
        /// Only of this service
        #[arg(long)]
        service: Option<Service>,
    },
}

/// The commands about parked records.
#[derive(Debug, Subcommand)]
pub enum ParkedCommand {
    /// List them, oldest first within a key
    #[command(after_help = "Example: greenlane fabric parked list --service release")]
    List {
        /// Only of this service
        #[arg(long)]
        service: Option<Service>,
        /// Only of this topic
        #[arg(long, default_value = "", hide_default_value = true)]
        topic: String,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show one with its payload
    #[command(
        after_help = "Example: greenlane fabric parked show release greenlane.gate.hold.v1/3/1/17"
    )]
    Show {
        /// The service that parked it
        service: Service,
        /// The record's event id
        event: String,
    },
    /// Apply a key's records again, in order
    #[command(after_help = "\
Example: greenlane fabric parked retry release --topic gate.hold --key plate/渝A12345")]
    Retry {
        /// The service that parked them
        service: Service,
        /// The topic
        #[arg(long)]
        topic: String,
        /// The key
        #[arg(long)]
        key: String,
    },
    /// Give up on a key's oldest record, with a reason on record
    #[command(after_help = "\
Example: greenlane fabric parked discard release greenlane.gate.hold.v1/3/1/17 --reason 'test event of another site'")]
    Discard {
        /// The service that parked it
        service: Service,
        /// The record's event id
        event: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Carries out an operator's command.
///
/// # Errors
/// What a service refuses; a service that does not answer; a chain that breaks; records that stay parked.
pub async fn run(command: FabricCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        FabricCommand::Status { service } => status(service, session).await,
        FabricCommand::Republish {
            service,
            topic,
            partition,
            from_sequence,
        } => {
            let request = RepublishRequest {
                topic,
                partition,
                from_sequence,
            };
            let answer = session.fabric_admin(service)?.republish(request).await?;
            let head = answer.into_inner().head_sequence;
            if session.output() == Output::Json {
                return output::object(
                    &json!({ "service": service.name(), "head_sequence": head }),
                );
            }
            output::line(&format!("{service} sends {from_sequence} to {head} again."))
        }
        FabricCommand::Restate { service, topic } => restate(service, topic, session).await,
        FabricCommand::NewEpoch { service, reason } => {
            let request = OpenEpochRequest { reason };
            let answer = session.fabric_admin(service)?.open_epoch(request).await?;
            let epoch = answer.into_inner().epoch;
            if session.output() == Output::Json {
                return output::object(&json!({ "service": service.name(), "epoch": epoch }));
            }
            output::line(&format!(
                "{service} is in epoch {epoch}. Now: greenlane fabric restate {service}"
            ))
        }
        FabricCommand::Parked(command) => parked(command, session).await,
        FabricCommand::Verify { service } => verify(service, session).await,
    }
}

async fn restate(service: Service, topic: String, session: &Session) -> Result<(), ClientError> {
    let request = RestateRequest { topic };
    let answer = session.fabric_admin(service)?.restate(request).await?;
    let stated: BTreeMap<String, u64> = answer.into_inner().facts.into_iter().collect();
    if session.output() == Output::Json {
        return output::object(&json!({ "service": service.name(), "facts": stated }));
    }
    for (topic, facts) in stated {
        output::line(&format!("{topic}: {facts} facts stated again."))?;
    }
    Ok(())
}

/// One service, or all of them.
fn meant(service: Option<Service>) -> Vec<Service> {
    service.map_or_else(|| Service::ALL.to_vec(), |one| vec![one])
}

/// The same object with the name of the service that it came from.
fn of_service(service: Service, mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.insert("service".to_owned(), json!(service.name()));
    }
    object
}

/// The services that did not answer, told one by one and failed on at the end.
#[derive(Default)]
struct Silent(Vec<Service>);

impl Silent {
    /// The answer, or nothing after the trouble was told.
    fn heard<T>(&mut self, service: Service, answer: Result<T, ClientError>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                output::note(&format!("{service}: {error}"));
                self.0.push(service);
                None
            }
        }
    }

    fn end(self) -> Result<(), ClientError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = self.0.iter().map(|service| service.name()).collect();
        Err(ClientError::Failed(format!(
            "no answer from {}; greenlane status tells which services are ready",
            names.join(", ")
        )))
    }
}

async fn status(service: Option<Service>, session: &Session) -> Result<(), ClientError> {
    let mut silent = Silent::default();
    let mut rows = Vec::new();
    for service in meant(service) {
        let answer = silent.heard(service, ask_status(service, session).await);
        let Some(status) = answer else { continue };
        if session.output() == Output::Json {
            output::json("greenlane.fabric.v1.GetFabricStatusResponse", &status)?;
            continue;
        }
        for reason in &status.not_ready_because {
            output::note(&format!("{service} is not ready: {reason}"));
        }
        rows.extend(by_topic(service, &status));
    }
    if session.output() == Output::Table {
        let columns = [
            "service",
            "does",
            "topic",
            "sequence",
            "behind",
            "age",
            "stopped because",
        ];
        output::table(&columns, rows)?;
    }
    silent.end()
}

async fn ask_status(
    service: Service,
    session: &Session,
) -> Result<GetFabricStatusResponse, ClientError> {
    let mut admin = session.fabric_admin(service)?;
    let answer = admin.get_fabric_status(GetFabricStatusRequest {}).await?;
    Ok(answer.into_inner())
}

/// What the partitions of one topic have in common, for people.
#[derive(Default)]
struct Topic {
    sequence: u64,
    behind: u64,
    age_millis: Option<u64>,
    age_unknown: bool,
    stopped: Vec<String>,
}

fn by_topic(service: Service, status: &GetFabricStatusResponse) -> Vec<Vec<String>> {
    let mut topics: BTreeMap<(&str, &str), Topic> = BTreeMap::new();
    for partition in &status.produced {
        let topic = topics.entry(("produces", &partition.topic)).or_default();
        topic.sequence += partition.head_sequence;
        topic.behind += partition
            .head_sequence
            .saturating_sub(partition.acked_sequence);
        topic.age_millis = topic
            .age_millis
            .max(Some(partition.oldest_unpublished_millis));
    }
    for partition in &status.consumed {
        let topic = topics.entry(("reads", &partition.topic)).or_default();
        topic.sequence += partition.applied_sequence;
        topic.behind += partition
            .known_head_sequence
            .saturating_sub(partition.applied_sequence);
        topic.age_millis = topic.age_millis.max(partition.knowledge_age_millis);
        topic.age_unknown |= partition.knowledge_age_millis.is_none();
        if !partition.stopped_because.is_empty() {
            topic.stopped.push(format!(
                "partition {}: {}",
                partition.partition, partition.stopped_because
            ));
        }
    }
    let rows = topics.into_iter().map(|((does, name), topic)| {
        let age = match topic.age_millis {
            Some(age) if !topic.age_unknown => output::age(age),
            _ => "unknown".to_owned(),
        };
        vec![
            service.to_string(),
            does.to_owned(),
            name.to_owned(),
            topic.sequence.to_string(),
            topic.behind.to_string(),
            age,
            topic.stopped.join("\n"),
        ]
    });
    rows.collect()
}

async fn verify(service: Option<Service>, session: &Session) -> Result<(), ClientError> {
    let mut silent = Silent::default();
    let (mut rows, mut lost) = (Vec::new(), Vec::new());
    let mut faults = Vec::new();
    for service in meant(service) {
        let answer = silent.heard(service, ask_verify(service, session).await);
        let Some(found) = answer else { continue };
        faults.extend(faults_of(service, &found));
        if session.output() == Output::Json {
            let object = output::json_of("greenlane.fabric.v1.VerifyResponse", &found)?;
            output::object(&of_service(service, object))?;
            continue;
        }
        let wrong = found.breaks.iter().chain(&found.missing);
        let wrong: Vec<&str> = wrong.map(String::as_str).collect();
        rows.push(vec![
            service.to_string(),
            found.partitions.to_string(),
            found.rows.to_string(),
            found.records.to_string(),
            wrong.join("\n"),
        ]);
        lost.extend(found.unknown.into_iter().map(|fact| {
            let state = if fact.given_up { "given up" } else { "lost" };
            vec![fact.event_id, fact.event_type, fact.key, state.to_owned()]
        }));
    }
    faults.extend(readers_ahead(service, &mut silent, session).await);
    if session.output() == Output::Table {
        let columns = ["service", "partitions", "rows", "records", "wrong"];
        output::table(&columns, rows)?;
        if !lost.is_empty() {
            output::table(&["not in the database", "says", "about", "state"], lost)?;
        }
    }
    if !faults.is_empty() {
        return Err(ClientError::Failed(faults.join("\n")));
    }
    silent.end()
}

/// What was found wrong with what one service has published, and who must act.
fn faults_of(service: Service, found: &VerifyResponse) -> Vec<String> {
    let mut faults = Vec::new();
    if !found.breaks.is_empty() {
        let breaks = found.breaks.len();
        faults.push(format!(
            "{service}: {breaks} chains do not hold: somebody changed what was published, or the database is not the one that published it"
        ));
    }
    if !found.missing.is_empty() {
        faults.push(format!(
            "{service}: the topics have holes; greenlane fabric republish {service} sends from a sequence on again"
        ));
    }
    if found.unknown.iter().any(|fact| !fact.given_up) {
        let facts = found.unknown_facts;
        faults.push(format!(
            "{service}: {facts} facts were published that its database does not know: it is older than what was published; the runbook says what to do (\"A database was restored\")"
        ));
    }
    if !found.topics_unread_because.is_empty() {
        let why = &found.topics_unread_because;
        faults.push(format!("{service}: its topics could not be read: {why}"));
    }
    faults
}

/// Readers that have applied more of a service, or of any, than that has published.
async fn readers_ahead(of: Option<Service>, silent: &mut Silent, session: &Session) -> Vec<String> {
    let mut read = Vec::new();
    for service in Service::ALL {
        if silent.0.contains(&service) {
            continue;
        }
        let answer = silent.heard(service, ask_status(service, session).await);
        let consumed = answer.map(|status| status.consumed).unwrap_or_default();
        read.extend(consumed.into_iter().map(|position| (service, position)));
    }
    // After what was read: meanwhile they go on.
    let mut heads = BTreeMap::new();
    for service in meant(of) {
        if silent.0.contains(&service) {
            continue;
        }
        let answer = silent.heard(service, ask_status(service, session).await);
        let produced = answer.map(|status| status.produced).unwrap_or_default();
        heads.extend(produced.into_iter().map(|head| {
            let place = (head.epoch, head.head_sequence);
            ((head.topic, head.partition), place)
        }));
    }
    let ahead = read.into_iter().filter_map(|(reader, position)| {
        let (topic, partition) = (position.topic, position.partition);
        let (epoch, head) = *heads.get(&(topic.clone(), partition))?;
        let applied = position.applied_sequence;
        let is_ahead = applied > 0 && (position.epoch, applied) > (epoch, head);
        is_ahead.then(|| {
            format!(
                "{reader} has applied {topic}/{partition} up to {}/{applied}, and its producer knows of {epoch}/{head}",
                position.epoch
            )
        })
    });
    ahead.collect()
}

async fn ask_verify(service: Service, session: &Session) -> Result<VerifyResponse, ClientError> {
    let answer = session
        .fabric_admin(service)?
        .verify(VerifyRequest {})
        .await?;
    Ok(answer.into_inner())
}

async fn parked(command: ParkedCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        ParkedCommand::List {
            service,
            topic,
            listing,
        } => list_parked(service, topic, listing, session).await,
        ParkedCommand::Show { service, event } => {
            let request = GetParkedRequest { event_id: event };
            let answer = session.fabric_admin(service)?.get_parked(request).await?;
            let record = answer.into_inner().parked.unwrap_or_default();
            show_parked(&record, service, session)
        }
        ParkedCommand::Retry {
            service,
            topic,
            key,
        } => retry(service, RetryParkedRequest { topic, key }, session).await,
        ParkedCommand::Discard {
            service,
            event,
            reason,
        } => {
            let request = DiscardParkedRequest {
                event_id: event,
                reason,
            };
            let answer = session
                .fabric_admin(service)?
                .discard_parked(request)
                .await?;
            let still_parked = answer.into_inner().still_parked;
            if session.output() == Output::Json {
                return output::object(
                    &json!({ "service": service.name(), "still_parked": still_parked }),
                );
            }
            output::line(&format!(
                "Discarded; {still_parked} records of the key are still parked."
            ))
        }
    }
}

async fn list_parked(
    service: Option<Service>,
    topic: String,
    listing: Listing,
    session: &Session,
) -> Result<(), ClientError> {
    let mut silent = Silent::default();
    let mut rows = Vec::new();
    for service in meant(service) {
        let answer = silent.heard(service, ask_parked(service, &topic, listing, session).await);
        for record in answer.unwrap_or_default() {
            if session.output() == Output::Json {
                show_parked(&record, service, session)?;
            } else {
                rows.push(parked_row(service, &record));
            }
        }
    }
    if session.output() == Output::Table {
        if rows.is_empty() {
            output::line("Nothing is parked.")?;
        } else {
            output::table(PARKED_COLUMNS, rows)?;
        }
    }
    silent.end()
}

async fn ask_parked(
    service: Service,
    topic: &str,
    listing: Listing,
    session: &Session,
) -> Result<Vec<ParkedRecord>, ClientError> {
    let mut admin = session.fabric_admin(service)?;
    listing
        .fetch(async |page| {
            let request = ListParkedRequest {
                topic: topic.to_owned(),
                page: Some(page),
            };
            let answer = admin.list_parked(request).await?.into_inner();
            Ok((answer.parked, answer.next_page_token))
        })
        .await
}

const PARKED_COLUMNS: &[&str] = &[
    "service", "event", "type", "key", "parked", "attempts", "cause",
];

fn parked_row(service: Service, record: &ParkedRecord) -> Vec<String> {
    vec![
        service.to_string(),
        record.event_id.clone(),
        record.event_type.clone(),
        record.key.clone(),
        when(record.parked_at.as_ref()),
        record.attempts.to_string(),
        record.cause.clone(),
    ]
}

fn show_parked(
    record: &ParkedRecord,
    service: Service,
    session: &Session,
) -> Result<(), ClientError> {
    if session.output() == Output::Json {
        let object = output::json_of("greenlane.fabric.v1.ParkedRecord", record)?;
        return output::object(&of_service(service, object));
    }
    let headings = PARKED_COLUMNS.iter().map(|heading| (*heading).to_owned());
    let rows = headings.zip(parked_row(service, record));
    output::table(
        &[],
        rows.map(|(heading, cell)| vec![heading, cell]).collect(),
    )?;
    output::line(&format!("payload: {} bytes", record.payload.len()))?;
    hex_lines(&record.payload)
        .iter()
        .try_for_each(|text| output::line(text))
}

/// Bytes for people: sixteen a line.
fn hex_lines(bytes: &[u8]) -> Vec<String> {
    bytes
        .chunks(16)
        .map(|chunk| {
            let hex: Vec<_> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
            let text: String = chunk
                .iter()
                .map(|byte| match char::from(*byte) {
                    visible @ ' '..='~' => visible,
                    _ => '.',
                })
                .collect();
            format!("  {:<47}  {text}", hex.join(" "))
        })
        .collect()
}

async fn retry(
    service: Service,
    request: RetryParkedRequest,
    session: &Session,
) -> Result<(), ClientError> {
    let answer = session.fabric_admin(service)?.retry_parked(request).await?;
    let answer = answer.into_inner();
    if session.output() == Output::Json {
        output::json("greenlane.fabric.v1.RetryParkedResponse", &answer)?;
    } else {
        output::line(&format!(
            "{} applied, {} still parked.",
            answer.applied, answer.still_parked
        ))?;
    }
    if answer.still_parked > 0 {
        return Err(ClientError::Failed(format!(
            "the first that stayed failed: {}",
            answer.cause
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proto::fabric::v1::ConsumedPartition;

    use super::*;

    #[test]
    fn a_topic_is_as_old_as_its_oldest_partition_and_unknown_if_one_is() {
        let partition = |partition, knowledge_age_millis| ConsumedPartition {
            topic: "gate.hold".to_owned(),
            partition,
            applied_sequence: 5,
            known_head_sequence: 7,
            knowledge_age_millis,
            ..Default::default()
        };
        let mut status = GetFabricStatusResponse {
            consumed: vec![partition(0, Some(100)), partition(1, Some(4_200))],
            ..Default::default()
        };
        let rows = by_topic(Service::Release, &status);
        assert_eq!(
            rows,
            [["release", "reads", "gate.hold", "10", "4", "4.2 s", ""]]
        );
        status.consumed.push(partition(2, None));
        assert_eq!(by_topic(Service::Release, &status)[0][5], "unknown");
    }

    #[test]
    fn bytes_are_shown_in_hex_and_as_text() {
        assert_eq!(
            hex_lines(b"plate\x00"),
            ["  70 6c 61 74 65 00                                plate."]
        );
    }
}
