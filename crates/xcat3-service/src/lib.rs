//! What every daemon of xcat3 needs and no service owns: configuration, logging, shutdown, the state
//! directory, the bus, jobs, and the heartbeat by which services know of one another.
//!
//! Nothing here knows HTTP, DHCP or hardware.

pub mod bus;
pub mod config;
pub mod daemon;
pub mod feed;
pub mod heartbeat;
pub mod jobs;
pub mod logging;
mod memory;
pub mod served;
pub mod shutdown;
pub mod slot;
pub mod state_dir;
pub mod systemd;
pub mod workers;

pub use bus::Bus;
pub use config::Config;
pub use jobs::{JobRequest, Jobs, Running};
pub use slot::Slot;
pub use state_dir::StateDir;
