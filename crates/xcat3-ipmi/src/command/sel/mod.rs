//! The system event log of a machine (IPMI v2.0, 31 and 32).

mod entry;
mod log;
mod time;

pub use entry::{Entry, EntryBody, EventData, SensorEvent};
pub use log::{Log, clear, list};
pub use time::Timestamp;
