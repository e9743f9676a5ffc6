//! The service bonded.
