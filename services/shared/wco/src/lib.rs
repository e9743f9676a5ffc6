//! Customs documents in the WCO data model's XML: tells what a document is,
//! turns a filing into the declaration message and back, and accounts for every
//! value on the way. Pure: bytes in, answers out; no clock, no I/O, no knowledge
//! of tariffs, parties or rules. Documents come from strangers: everything is
//! bounded, nothing panics, and whatever cannot be read is an answer with a line
//! and a column.

mod document;
mod fault;
mod intake;
pub mod limits;
mod mapping;
pub mod pointer;
mod read;
pub mod tax;
mod write;

pub use fault::Cause;
pub use intake::{Repeated, Unmapped, UnmappedReason};
pub use pointer::Pointer;
pub use read::{
    EnvelopeValue, Facts, Filing, Reading, Unreadable, Unsupported, additional_procedures,
    containers, procedure, read,
};
pub use write::write;
