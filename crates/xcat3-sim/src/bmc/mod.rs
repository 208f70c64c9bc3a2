//! Simulated BMCs: machines that hold what a BMC tells and sets, and the faces by which it is asked.

pub mod command;
mod openbmc;
pub mod redfish;
