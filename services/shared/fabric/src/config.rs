//! What an operator can set about the loop and the broker.

use std::path::PathBuf;

use serde::Deserialize;

/// The `[fabric]` section of a service's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FabricConfig {
    /// Kafka bootstrap servers: "127.0.0.1:9092".
    pub brokers: String,
    /// Put before every topic's name, so that deployments can share a broker.
    #[serde(default)]
    pub topic_prefix: String,
    /// Copies of each topic that the broker keeps.
    #[serde(default = "one")]
    pub topic_replication: u32,
    /// Writers, each with a connection of its own.
    #[serde(default = "one")]
    pub writers: u32,
    /// Most inputs that share a commit.
    #[serde(default = "defaults::batch_inputs_max")]
    pub batch_inputs_max: u32,
    /// Most subjects that the inputs of one commit name: each is a lock, and the database's lock table
    /// holds `max_locks_per_transaction` times `max_connections` of them for everybody.
    #[serde(default = "defaults::batch_subjects_max")]
    pub batch_subjects_max: u32,
    /// Least time between the starts of two batches of a busy writer.
    #[serde(default = "defaults::batch_spacing_micros")]
    pub batch_spacing_micros: u32,
    /// Calls that may wait for a writer.
    #[serde(default = "defaults::call_queue_max")]
    pub call_queue_max: u32,
    /// Records that may wait for a writer.
    #[serde(default = "defaults::record_queue_max")]
    pub record_queue_max: u32,
    /// Keys of a partition that may be parked before the partition stops.
    #[serde(default = "defaults::parked_keys_max")]
    pub parked_keys_max: u32,
    /// How often the relay looks for rows that other instances committed. Less often while there is none.
    #[serde(default = "defaults::relay_poll_millis")]
    pub relay_poll_millis: u32,
    /// Records on their way to the broker at once.
    #[serde(default = "defaults::relay_in_flight_max")]
    pub relay_in_flight_max: u32,
    /// How often a partition with news is stamped.
    #[serde(default = "defaults::watermark_millis")]
    pub watermark_millis: u32,
    /// How often an idle partition is stamped.
    #[serde(default = "defaults::watermark_idle_millis")]
    pub watermark_idle_millis: u32,
    /// How long published rows can be sent again.
    #[serde(default = "defaults::outbox_retention_days")]
    pub outbox_retention_days: u32,
    /// How long a repeated request is known as such.
    #[serde(default = "defaults::answer_retention_days")]
    pub answer_retention_days: u32,
    /// The Ed25519 key, PKCS #8 in PEM, by which the record of what was done is signed; without one it is not.
    #[serde(default)]
    pub audit_key_file: Option<PathBuf>,
}

fn one() -> u32 {
    1
}

mod defaults {
    pub fn batch_inputs_max() -> u32 {
        512
    }
    pub fn batch_subjects_max() -> u32 {
        4_096
    }
    pub fn batch_spacing_micros() -> u32 {
        1_000
    }
    pub fn call_queue_max() -> u32 {
        4_096
    }
    pub fn record_queue_max() -> u32 {
        4_096
    }
    pub fn parked_keys_max() -> u32 {
        1_000
    }
    pub fn relay_poll_millis() -> u32 {
        10
    }
    pub fn relay_in_flight_max() -> u32 {
        4_096
    }
    pub fn watermark_millis() -> u32 {
        1_000
    }
    pub fn watermark_idle_millis() -> u32 {
        5_000
    }
    pub fn outbox_retention_days() -> u32 {
        7
    }
    pub fn answer_retention_days() -> u32 {
        30
    }
}

impl FabricConfig {
    /// The defaults, for tests and for services without a broker.
    pub fn for_brokers(brokers: &str, topic_prefix: &str) -> Self {
        Self {
            brokers: brokers.to_owned(),
            topic_prefix: topic_prefix.to_owned(),
            topic_replication: 1,
            writers: 1,
            batch_inputs_max: defaults::batch_inputs_max(),
            batch_subjects_max: defaults::batch_subjects_max(),
            batch_spacing_micros: defaults::batch_spacing_micros(),
            call_queue_max: defaults::call_queue_max(),
            record_queue_max: defaults::record_queue_max(),
            parked_keys_max: defaults::parked_keys_max(),
            relay_poll_millis: defaults::relay_poll_millis(),
            relay_in_flight_max: defaults::relay_in_flight_max(),
            watermark_millis: defaults::watermark_millis(),
            watermark_idle_millis: defaults::watermark_idle_millis(),
            outbox_retention_days: defaults::outbox_retention_days(),
            answer_retention_days: defaults::answer_retention_days(),
            audit_key_file: None,
        }
    }

    /// Every fault of the section: (key, what is wrong and what to do).
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        if self.brokers.trim().is_empty() {
            faults.push((
                "brokers".into(),
                "is empty; name the bootstrap servers, HOST:PORT[,HOST:PORT]".into(),
            ));
        }
        if !self
            .topic_prefix
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        {
            faults.push((
                "topic_prefix".into(),
                "may only hold letters, digits, '.', '_' and '-'".into(),
            ));
        }
        let bounds = [
            ("topic_replication", self.topic_replication, 1, 9),
            ("writers", self.writers, 1, 8),
            ("batch_inputs_max", self.batch_inputs_max, 1, 4_096),
            ("batch_subjects_max", self.batch_subjects_max, 1, 1_000_000),
            (
                "batch_spacing_micros",
                self.batch_spacing_micros,
                0,
                100_000,
            ),
            ("call_queue_max", self.call_queue_max, 1, 1_000_000),
            ("record_queue_max", self.record_queue_max, 1, 1_000_000),
            ("parked_keys_max", self.parked_keys_max, 1, 100_000),
            ("relay_poll_millis", self.relay_poll_millis, 1, 10_000),
            ("relay_in_flight_max", self.relay_in_flight_max, 1, 100_000),
            ("watermark_millis", self.watermark_millis, 50, 60_000),
            (
                "watermark_idle_millis",
                self.watermark_idle_millis,
                50,
                600_000,
            ),
            (
                "outbox_retention_days",
                self.outbox_retention_days,
                1,
                3_650,
            ),
            (
                "answer_retention_days",
                self.answer_retention_days,
                1,
                3_650,
            ),
        ];
        for (key, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                faults.push((
                    key.into(),
                    format!("is {value}; give a number from {least} to {most}"),
                ));
            }
        }
        faults
    }
}
