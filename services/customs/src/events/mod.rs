//! The facts that customs tells and reads: public events on one side, customs' own words on the other.

pub mod bonded_stock_list;
pub mod gate_answer;
pub mod gate_container_visit;
pub mod gate_site;
pub mod publish;
