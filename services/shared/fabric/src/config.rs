//! What an operator can set about the loop and the broker.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// The `[fabric]` section of a service's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FabricConfig {
    /// Kafka bootstrap servers: "127.0.0.1:9092".
    pub brokers: String,
    /// How they know this service, and it them.
    #[serde(default)]
    pub kafka: KafkaAccess,
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

/// The `[fabric.kafka]` section: TLS, and as whom the service comes. In plain text, and as nobody, where no authority is
/// named. What is left empty counts as not set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaAccess {
    /// The authorities (PEM) that the brokers' certificates must be from.
    pub ca_file: PathBuf,
    /// The service's own certificate with its chain (PEM), ...
    pub certificate_file: PathBuf,
    /// ... and its key.
    pub key_file: PathBuf,
    /// The service's name with the brokers, by SASL PLAIN (RFC 4616): over TLS they are told the password.
    pub user: String,
    /// Its password.
    pub password: SecretString,
}

impl KafkaAccess {
    fn faults(&self, faults: &mut Vec<(String, String)>) {
        let is_set = |path: &PathBuf| !path.as_os_str().is_empty();
        let mut fault = |key: &str, what: &str| faults.push((format!("kafka.{key}"), what.into()));
        match (is_set(&self.certificate_file), is_set(&self.key_file)) {
            (true, false) => fault(
                "key_file",
                "is empty; name the key of kafka.certificate_file",
            ),
            (false, true) => fault(
                "certificate_file",
                "is empty; name the certificate of kafka.key_file",
            ),
            _ => {}
        }
        let has_password = !self.password.expose_secret().is_empty();
        match (self.user.is_empty(), has_password) {
            (false, false) => fault("password", "is empty; give the password of kafka.user"),
            (true, true) => fault("user", "is empty; name whose kafka.password it is"),
            _ => {}
        }
        let shows_something = has_password
            || !self.user.is_empty()
            || is_set(&self.certificate_file)
            || is_set(&self.key_file);
        if shows_something && !is_set(&self.ca_file) {
            fault(
                "ca_file",
                "is empty; name the authorities of the brokers' certificates: without TLS nothing is shown to a broker",
            );
        }
    }
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
            kafka: KafkaAccess::default(),
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
        self.kafka.faults(&mut faults);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty(access: KafkaAccess) -> Vec<String> {
        let config = FabricConfig {
            kafka: access,
            ..FabricConfig::for_brokers("127.0.0.1:9092", "")
        };
        config.faults().into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn plain_text_and_tls_with_a_certificate_or_a_password_are_no_faults() {
        let tls = KafkaAccess {
            ca_file: "ca.pem".into(),
            ..KafkaAccess::default()
        };
        let by_certificate = KafkaAccess {
            certificate_file: "own.pem".into(),
            key_file: "own.key.pem".into(),
            ..tls.clone()
        };
        let by_password = KafkaAccess {
            user: "gate".into(),
            password: "secret".into(),
            ..tls.clone()
        };
        for access in [KafkaAccess::default(), tls, by_certificate, by_password] {
            assert_eq!(faulty(access), [""; 0]);
        }
    }

    #[test]
    fn half_of_a_pair_and_what_would_be_shown_without_tls_are_faults() {
        let half = KafkaAccess {
            key_file: "own.key.pem".into(),
            user: "gate".into(),
            ..KafkaAccess::default()
        };
        let wanted = ["kafka.certificate_file", "kafka.password", "kafka.ca_file"];
        assert_eq!(faulty(half), wanted);
        let other_half = KafkaAccess {
            ca_file: "ca.pem".into(),
            certificate_file: "own.pem".into(),
            password: "secret".into(),
            ..KafkaAccess::default()
        };
        assert_eq!(faulty(other_half), ["kafka.key_file", "kafka.user"]);
    }
}
