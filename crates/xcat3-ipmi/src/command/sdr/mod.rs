//! Sensor data records (IPMI v2.0, 33 and 43): the sensors and replaceable units of a machine, and the
//! readings of the sensors.

mod reading;
mod record;
mod repository;

pub use reading::{Reading, SensorState, read};
#[cfg(test)]
pub(crate) use record::tests;
pub use record::{FruLocator, Record, Sensor, SensorKey};
pub use repository::{Repository, list};
