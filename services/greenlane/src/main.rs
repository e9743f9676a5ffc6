//! The one binary of Greenlane.
fn main() {}
