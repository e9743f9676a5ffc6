//! The wire: messages and services generated from `proto/greenlane`, and the
//! descriptors they came from. The comments that matter to a caller stand in
//! the `.proto` files.

// Generated code carries the protos' comments, which are not written as rustdoc.
#![allow(missing_docs, clippy::all, rustdoc::all)]

pub mod codec;

mod generated {
    include!(concat!(env!("OUT_DIR"), "/greenlane.rs"));
}

pub use generated::greenlane::*;

/// Every file with its options, as `google.protobuf.FileDescriptorSet` bytes:
/// for reflection, permissions and JSON.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/greenlane.bin"));
