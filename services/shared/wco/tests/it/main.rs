//! The crate from outside: over the project's real documents, over documents
//! made to be awkward, and over documents made to do harm.

mod accounting;
mod awkward;
mod corpus;
mod fields;
mod hostile;
mod leaves;
mod pointers;
mod round_trip;
mod taxes;
