//! Serial over LAN (IPMI v2.0, 15 and 24): a machine's serial console through its BMC.
//!
//! [`Sol`] is the protocol without any I/O: characters and the time go in, payloads and characters come
//! out; [`Port`] is the BMC's side of it, for simulators. [`Console`] drives it over a [`Connection`](crate::Connection).

mod activation;
mod console;
mod flow;
mod packet;
mod port;
mod state;

pub use activation::{Activation, ActivationError, activate, deactivate};
pub use console::{Console, ConsoleEvent};
pub use flow::MOST_WAITING;
pub use packet::{BmcPacket, ConsolePacket, MAX_DATA};
pub use port::{Port, PortInput};
pub use state::{Closed, Sol, SolEvent};
