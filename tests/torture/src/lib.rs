//! Looks for what may never happen, whatever died meanwhile, and names it. It reads the four databases and the topics
//! as anybody with their addresses could and reckons everything itself: nothing of the services' own code is believed, so a fault
//! of theirs is not shared. It must not change anything.

pub mod checker;
pub mod evidence;
pub mod topics;
