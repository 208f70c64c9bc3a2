//! Redfish (DMTF DSP0266), and OpenBMC's older REST, as a client of very many BMCs needs them: thin,
//! tolerant, with limits on everything that a BMC says.
//!
//! Nothing is assumed by a vendor's name. What a BMC can do is read from its resources: which
//! resets, which boot devices, where its settings are changed, whether it has sessions. What it says
//! is taken as far as it makes sense; a field of the wrong type is a field that is not there.
//!
//! A [`Client`] is one BMC. It does one thing at a time; lanes, retries and how many BMCs are asked
//! at once are the caller's.

mod action;
mod beacon;
mod bios;
mod boot;
mod client;
mod collection;
mod connector;
mod error;
mod glance;
mod inventory;
mod known;
mod lax;
mod link;
mod log;
mod media;
pub mod openbmc;
mod path;
mod power;
mod resource;
mod sensors;
mod systems;
mod time;
mod trust;

pub use client::{Client, Gate, Login};
pub use collection::Members;
pub use connector::{Address, Connector, Trusted};
pub use error::{Error, Said};
pub use link::{LONGEST_BODY, Patience};
pub use resource::{MOST_VALUES, NoResource, Resource};
pub use trust::{Fingerprint, Trust, UnknownTrust};
