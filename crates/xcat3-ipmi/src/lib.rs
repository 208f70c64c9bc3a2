//! IPMI v2.0 over LAN (RMCP+, "lanplus"): codec, sessions and an asynchronous client for many BMCs
//! at once.
//!
//! [`command`] is what can be asked of a BMC, in types. [`Session`] is one session without any I/O. The formats of packets serve both sides, so that a
//! simulated BMC is made of the same codec; that it is right is shown against other
//! implementations (ipmitool, FreeIPMI, ipmi_sim) by the tests.
//!
//! Section numbers are those of the "Intelligent Platform Management Interface Specification,
//! second generation, v2.0, revision 1.1".

mod ask;
pub mod bmc;
mod client;
pub mod command;
mod handshake;
mod message;
mod packet;
mod presession;
mod rakp;
mod requester;
mod session;
mod sockets;
pub mod sol;
mod suite;
mod window;
mod wire;

pub use client::{Connection, Error, IDLE_LIMIT};
pub use handshake::{MAX_PASSWORD, MAX_USER_NAME, Secret};
pub use message::{Command, Completion, MAX_DATA, Request, Response};
pub use packet::{Packet, PacketError, PayloadType, plain};
pub use presession::Capabilities;
pub use rakp::Status;
pub use requester::Requester;
pub use session::{Credentials, Event, Privilege, RetryPolicy, Session, SessionEnd};
pub use sockets::{PORT, Sockets};
pub use suite::{CipherSuite, Code};
