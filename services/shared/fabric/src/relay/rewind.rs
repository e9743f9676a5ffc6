//! The topic on which a consumer asks for records again. Every instance asks for
//! what its own writers miss, whether or not it relays; the active relay reads what
//! others ask of it. Requests are outside any sequence and read from the topic's
//! end: who asks repeats it until it is served.

use futures::stream::StreamExt;
use prost::Message as _;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::Message as _;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{mpsc, watch};

use crate::config::FabricConfig;
use crate::kafka::{self, Connection};
use crate::sequence::{PARTITIONS, partition_of};
use crate::store::Part;

/// Requests that may wait for the relay.
const REQUESTS_MAX: usize = 64;

/// Asks the relays of other services for what the writers of this instance miss.
pub(crate) async fn ask(
    service: &'static str,
    config: FabricConfig,
    mut asks: mpsc::Receiver<(Part, u64)>,
    mut stop: watch::Receiver<bool>,
) {
    // Most instances never miss anything.
    let mut producer = None;
    loop {
        tokio::select! {
            ask = asks.recv() => {
                let Some((part, from)) = ask else { break };
                if let Err(error) = send(service, &config, &mut producer, &part, from) {
                    tracing::warn!(error, "could not ask for missing records; asking again later");
                }
            }
            () = crate::fabric::told_to_stop(&mut stop) => break,
        }
    }
    kafka::close(producer);
}

fn send(
    service: &str,
    config: &FabricConfig,
    producer: &mut Option<FutureProducer<Connection>>,
    part: &Part,
    from: u64,
) -> Result<(), String> {
    let producer = match producer {
        Some(producer) => producer,
        None => producer.insert(
            kafka::producer(config, Connection::default()).map_err(|error| error.to_string())?,
        ),
    };
    let request = proto::fabric::v1::RewindRequest {
        topic: part.0.clone(),
        partition: part.1,
        from_sequence: from,
        asked_by: service.to_owned(),
    };
    let key = format!("{}/{}", part.0, part.1);
    let name = kafka::topic_name(&config.topic_prefix, kafka::REWIND_TOPIC);
    let payload = request.encode_to_vec();
    let id = kernel::new_id().to_string();
    let record = FutureRecord::to(&name)
        .partition(partition_of(&key).cast_signed())
        .key(&key)
        .payload(&payload)
        .headers(kafka::headers(
            &format!("/greenlane/{service}"),
            &id,
            kafka::REWIND_TYPE,
            &[],
            None,
        ));
    producer
        .send_result(record)
        .map(|_| ())
        .map_err(|(error, _)| error.to_string())
}

/// Requests to send again, as the active relay reads them; reading ends with it.
pub(crate) fn requests(
    config: &FabricConfig,
    topics: &'static [&'static str],
) -> mpsc::Receiver<(Part, u64)> {
    let (sender, requests) = mpsc::channel(REQUESTS_MAX);
    let config = config.clone();
    tokio::spawn(async move {
        let consumer = match reader(&config) {
            Ok(consumer) => consumer,
            Err(error) => {
                tracing::warn!(error, "requests to send again cannot be read");
                return;
            }
        };
        tokio::select! {
            () = forward(&consumer, topics, &sender) => {}
            () = sender.closed() => {}
        }
        kafka::close(consumer);
    });
    requests
}

fn reader(config: &FabricConfig) -> Result<StreamConsumer<Connection>, String> {
    let consumer = kafka::consumer(config, "latest").map_err(|error| error.to_string())?;
    let name = kafka::topic_name(&config.topic_prefix, kafka::REWIND_TOPIC);
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(&name, partition.cast_signed(), Offset::End)
            .map_err(|error| error.to_string())?;
    }
    consumer.assign(&list).map_err(|error| error.to_string())?;
    Ok(consumer)
}

async fn forward(
    consumer: &StreamConsumer<Connection>,
    topics: &[&str],
    sender: &mpsc::Sender<(Part, u64)>,
) {
    let mut stream = consumer.stream();
    while let Some(message) = stream.next().await {
        let Ok(message) = message else { continue };
        let Ok(request) =
            proto::fabric::v1::RewindRequest::decode(message.payload().unwrap_or_default())
        else {
            continue;
        };
        if topics.contains(&request.topic.as_str()) && request.partition < PARTITIONS {
            let part = (request.topic, request.partition);
            let _ = sender.send((part, request.from_sequence)).await;
        }
    }
}
