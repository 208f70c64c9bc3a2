//! Simulated BMCs: machines that hold what a BMC tells and sets, and the faces by which it is asked.

mod account;
pub mod command;
pub mod ipmi;
pub mod machine;
pub mod nodes;
mod notation;
mod openbmc;
pub mod redfish;

pub use ipmi::serve_ipmi;
pub use machine::Machines;
pub use redfish::serve_redfish;
