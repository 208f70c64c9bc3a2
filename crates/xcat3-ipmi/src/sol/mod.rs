//! Serial over LAN (IPMI v2.0, 15 and 24): a machine's serial console through its BMC.
//!
//! [`Sol`] is the protocol without any I/O: characters and the time go in, payloads and characters come
//! out. [`Console`] drives it over a [`Connection`](crate::Connection).

mod activation;
mod console;
mod packet;
mod state;

pub use activation::{Activation, NotActivated, activate, deactivate};
pub use console::{Console, Received};
pub use packet::{FromBmc, FromConsole, LONGEST_DATA};
pub use state::{Closed, MOST_WAITING, Sol, SolEvent};
