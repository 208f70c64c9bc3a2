//! IPMI v2.0 over LAN (RMCP+, "lanplus"): codec, sessions and an asynchronous client for many BMCs
//! at once.
//!
//! [`Sockets`] opens sessions with BMCs; [`command`] has a typed function for each command that xcat3
//! sends. [`Session`] is one session without I/O. The codec serves both ends, so the simulated BMCs are
//! built on it too ([`bmc`], [`sol::Port`]); tests against ipmitool, FreeIPMI and `ipmi_sim` show that
//! both ends follow the specification.
//!
//! Section numbers are those of the "Intelligent Platform Management Interface Specification,
//! second generation, v2.0, revision 1.1".

pub mod bmc;
mod client;
mod clock;
pub mod command;
mod discovery;
mod handshake;
mod message;
mod packet;
mod presession;
mod rakp;
mod requester;
mod retry;
mod session;
mod sockets;
pub mod sol;
mod suite;
mod window;
mod wire;

pub use client::{Connection, Error};
pub use handshake::{MAX_PASSWORD, MAX_USER_NAME, Secret};
pub use message::{Command, Completion, Request, Response};
pub use packet::{Packet, PacketError, PayloadType, plain};
pub use presession::Capabilities;
pub use rakp::Status;
pub use requester::Requester;
pub use retry::RetryPolicy;
pub use session::{Credentials, Event, Privilege, Session, SessionEnd};
pub use sockets::{PORT, Sockets};
pub use suite::CipherSuite;
