//! A client of very many BMCs that speak Redfish (DMTF DSP0266), or OpenBMC's older REST API: thin,
//! tolerant, with limits on everything that a BMC sends.
//!
//! The client reads from a BMC's resources what the BMC offers (resets, boot devices, settings,
//! sessions) and never decides by a vendor's name. A field of the wrong type reads as a missing field.
//!
//! A [`Client`] is one BMC and carries out one operation at a time. Lanes, retries and the number of
//! concurrent BMCs are the business of the caller.

mod action;
mod beacon;
mod bios;
mod boot;
mod client;
mod collection;
mod connector;
mod error;
mod http;
mod inventory;
mod known;
mod log;
mod media;
pub mod openbmc;
mod path;
mod power;
mod resource;
mod sensors;
mod system_state;
mod systems;
mod trust;
mod verifier;

pub use client::{Client, Login};
pub use collection::Members;
pub use connector::{Address, Connector, TrustConfig};
pub use error::{BmcMessage, Error};
pub use http::{Gate, MAX_BODY_BYTES, Timeouts};
pub use resource::{Resource, ResourceError};
pub use trust::{Fingerprint, ParseTrustError, Trust};
