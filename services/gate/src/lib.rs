//! The service gate.
