//! The kernel as its users see it: published test vectors, hostile input, and what documents keep.

mod documents;
mod hostile;
mod vectors;
