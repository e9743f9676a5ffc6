//! Facts in and out, as the wire has them: one file per topic that is read, one for what
//! is published. It must not decide anything.

pub mod party;
pub mod publish;
