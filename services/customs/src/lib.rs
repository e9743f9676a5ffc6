//! The service customs.
