//! Serial over LAN (IPMI v2.0, 15 and 24): the serial console of a machine through its BMC.
//!
//! [`Console`] is a console over a [`Connection`](crate::Connection). [`Sol`] is its protocol without I/O,
//! [`Port`] is the BMC side of the protocol for simulated BMCs.

mod activation;
mod console;
mod flow;
mod packet;
mod port;
mod state;

pub use activation::ActivationError;
pub use console::{Console, ConsoleEvent};
pub use flow::MAX_QUEUED;
pub use packet::{BmcPacket, ConsolePacket, MAX_DATA};
pub use port::{Port, PortInput};
pub use state::{CloseReason, Sol, SolEvent};
