//! The domain of xcat3: nodes, nics, networks, OS images, passwords, services, jobs, node ranges and
//! the provisioning state machine.
//!
//! Nothing here does I/O, is asynchronous or reads a clock: every other crate builds on these types
//! and any of them can be tested with plain values.

pub mod addresses;
pub mod bmc;
pub mod boot;
pub mod control;
pub mod discovered;
pub mod hardware;
pub mod job;
pub mod mac;
pub mod name;
pub mod natural;
pub mod network;
pub mod nic;
pub mod node;
pub mod noderange;
pub mod osimage;
pub mod passwd;
pub mod provision;
pub mod secret;
pub mod service;
pub mod setting;

pub use bmc::{BmcRejection, bmc_host};
pub use control::{BootDevice, BootOrder, ControlOperation, PowerState, PowerTarget};
pub use discovered::DiscoveredMachine;
pub use hardware::Report;
pub use job::{CertificateTrust, Discovery, Lane, Operation, Outcome};
pub use mac::MacAddr;
pub use name::NodeName;
pub use network::Network;
pub use nic::Nic;
pub use node::Node;
pub use osimage::OsImage;
pub use passwd::Passwd;
pub use provision::State;
pub use service::{Service, ServiceKind};
