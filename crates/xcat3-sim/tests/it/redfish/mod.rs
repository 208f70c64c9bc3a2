//! The Redfish face asked by other people's clients: curl, and OpenStack's sushy. What they say must be
//! what the machine holds.

mod access;
mod driven;
mod driver;
mod driver_openbmc;
mod faults;
mod openbmc;
mod plant;
mod program;
pub mod sushy;
mod sushy_emulator;
