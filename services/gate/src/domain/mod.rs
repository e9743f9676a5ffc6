//! The gate's decisions: what a container visit, a pre-arrival, a truck visit and a hold are, what may
//! happen to them, and when a barrier opens. Pure: state in, decision out; time and new ids are arguments.
//! It must not know tables, wires, clocks or runtimes.

pub mod actor;
pub mod admission;
pub mod arrival_list;
pub mod condition;
pub mod container_visit;
pub mod departure_list;
pub mod disclosure;
pub mod filing;
pub mod hold;
pub mod knowledge;
pub mod list_passage;
pub mod pre_arrival;
pub mod readiness;
pub mod site;
pub mod truck_visit;

pub use actor::Actor;
pub use condition::{Condition, Gravity};
pub use container_visit::{ContainerVisit, ContainerVisitId};
pub use hold::Hold;
pub use pre_arrival::PreArrival;
pub use site::Site;
pub use truck_visit::TruckVisit;
