//! Looks for what may never happen, whatever died meanwhile, and names it. It reads the four databases and the topics
//! as anybody with their addresses could and reckons everything itself: nothing of the services' own code is believed, so a fault
//! of theirs is not shared. The simulation alone plays the fabric's own code, to look for faults in it. What plays the parties and stops somebody meanwhile stands beside it.

pub mod attacks;
pub mod bugs;
pub mod checker;
pub mod evidence;
pub mod play;
pub mod record_cost;
pub mod rig;
pub mod simulation;
pub mod site;
pub mod tenancy;
pub mod topics;

/// The simulation and the checker mostly make and drop small things.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
