//! The tables of the four services in memory: what a batch reads of them, and what it leaves.

pub mod bonded;
pub mod customs;
pub mod gate;
pub mod release;
