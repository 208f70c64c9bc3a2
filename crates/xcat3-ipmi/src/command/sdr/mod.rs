//! Sensor data records (IPMI v2.0, 33 and 43): what sensors there are, what they measure, and what
//! else can be asked.

mod reading;
mod record;
mod repository;

pub use reading::{State, Thresholds, Value, read, thresholds};
#[cfg(test)]
pub(crate) use record::tests;
pub use record::{
    ControllerLocator, EventOnly, FruLocator, Key, Kind, Record, Sensor, ThresholdBytes,
};
pub use repository::{Repository, RepositoryInfo, list};
