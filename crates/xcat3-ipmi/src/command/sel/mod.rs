//! The system event log (IPMI v2.0, 31 and 32): what happened to a machine, as its BMC noted it.

mod entry;
mod log;
mod time;

pub use entry::{Data, Entry, Event, EventKind};
pub use log::{Log, LogInfo, clear, info, list};
pub use time::Timestamp;
