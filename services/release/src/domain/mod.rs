//! What release knows and how it decides: stays of containers, stock lists, what customs says about the
//! goods, commercial releases, holds, and the decision that follows from them. Pure: time and ids are
//! arguments; it must not know databases, topics' bytes, or calls.

pub mod clearance;
pub mod commercial_release;
pub mod condition;
pub mod container_visit;
pub mod decision;
pub mod declaration;
pub mod hold;
pub mod list_requirements;
pub mod notice;
pub mod notice_board;
pub mod party;
pub mod pre_arrival;
pub mod reader;
pub mod requirements;
pub mod site;
pub mod stock_list;
pub mod timeline;
pub mod version;
