//! The service release.
