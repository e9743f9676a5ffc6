//! How a service changes its state and exchanges facts: one group-commit loop
//! for every input, answers that are kept, events in a sequence without gaps
//! from the commit that made them to the commit that applies them, and records
//! that cannot be applied set aside by key.
//!
//! It must not know what a container, a declaration or a hold is: a service
//! tells it by implementing [`Service`]. Its tables stand in the schema
//! `fabric` of each service's database.

mod admin;
pub mod audit;
mod config;
mod consumer;
mod fabric;
mod handle;
mod kafka;
pub mod platform;
mod reads;
mod relay;
mod restate;
mod sequence;
mod service;
mod store;
mod subject;
mod trace;
mod verify;
mod working;
mod writer;

pub use admin::{Admin, ConsumedStatus, FabricStatus, ParkedPlace, ParkedRecord, ProducedStatus};
pub use audit::{Act, Attempt, Attempts, AuditKeyError};
pub use config::{FabricConfig, KafkaAccess};
pub use fabric::{Fabric, FabricError, Health};
pub use handle::{Command, Handle, Origin, Reply, fingerprint};
pub use kafka::topic_name;
pub use reads::{ReadLimits, Reads, Rights, restrict};
pub use sequence::{PARTITIONS, event_id, partition_of};
pub use service::{
    Context, Decision, Fact, Knowledge, ParkedKeys, Record, RecordHead, Service, StoreError, Timer,
    Unreadable,
};
pub use store::{MigrateError, OutboxRow, answered, epoch, migrate, migrate_service};
pub use subject::{SubjectSet, Subjects};
pub use verify::{UnknownFact, VerifyReport};
pub use working::Working;
