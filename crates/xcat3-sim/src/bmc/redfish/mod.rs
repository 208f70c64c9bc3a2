//! The Redfish face of the simulated machines (DMTF DSP0266 and its schemas): an HTTPS server that
//! answers for every machine at its own address, on one socket.
//!
//! It is checked against other people's clients and made to be as different from machine to machine as
//! real BMCs are: `flavour.rs` has vendors' habits, `faults.rs` what can be wrong with a BMC.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) mod answer;
mod arguments;
mod bios;
mod certificates;
mod chassis;
mod expansion;
pub(crate) mod face;
mod faults;
mod flavour;
pub(crate) mod hardware;
mod listener;
mod logs;
mod managers;
mod media;
mod payload;
mod resources;
mod root;
pub(crate) mod sessions;
mod systems;
mod tasks;
mod update;
pub(crate) mod words;

pub use arguments::Arguments;
pub use certificates::{Certificates, Signed};
pub use faults::{Fault, Faults};
pub use flavour::{Flavour, Flavours, Habits};
pub use listener::allow_many_connections;
pub use sessions::Access;

use crate::bmc::account::Account;
use crate::bmc::machine::Machines;
use face::Face;

/// What a BMC's HTTP server offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Interfaces {
    /// Redfish only.
    #[default]
    Redfish,
    /// The REST that OpenBMC had before Redfish, only.
    OpenbmcRest,
    /// Both.
    Both,
}

/// How the Redfish face behaves.
pub struct Options {
    /// The TCP port; 0: any.
    pub port: u16,
    /// Whether by TLS.
    pub tls: bool,
    /// Who signs the certificates.
    pub signed: Signed,
    /// Whether TLS sessions are resumed.
    pub resumption: bool,
    /// The user of every machine.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// Further accounts of every machine.
    pub users: Vec<Account>,
    /// Sessions and lock-out.
    pub access: Access,
    /// What is offered.
    pub interfaces: Interfaces,
    /// Vendors' habits.
    pub flavours: Flavours,
    /// Whether every machine demands `If-Match`.
    pub if_match: bool,
    /// Whether every machine answers resets and media by tasks.
    pub tasks: bool,
    /// How long a task takes.
    pub task_time: Duration,
    /// How long after it was told to a machine's power changes.
    pub power_time: Duration,
    /// Entries of a page of a log.
    pub page: usize,
    /// Whether a connection is kept for further requests.
    pub keep_alive: bool,
    /// A connection without a request for so long is closed.
    pub idle: Duration,
    /// What is wrong with the machines.
    pub faults: Faults,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            tls: true,
            signed: Signed::ByAuthority,
            resumption: false,
            user: "admin".to_owned(),
            password: "password".to_owned(),
            users: Vec::new(),
            access: Access::default(),
            interfaces: Interfaces::default(),
            flavours: Flavours::default(),
            if_match: false,
            tasks: false,
            task_time: Duration::from_secs(1),
            power_time: Duration::ZERO,
            page: 50,
            keep_alive: true,
            idle: Duration::from_secs(300),
            faults: Faults::default(),
        }
    }
}

/// The face while it serves. Dropped, it goes on; [`Redfish::stop`] ends it.
pub struct Redfish {
    face: Arc<Face>,
    port: u16,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

/// Serves the machines by Redfish, each at its own address.
///
/// # Errors
/// The port is taken, or no key could be made.
pub fn serve_redfish(machines: Arc<Machines>, options: Options) -> Result<Redfish> {
    let certificates = Certificates::new(machines.len(), options.signed, options.resumption)?;
    let listener = listener::bind(options.port)?;
    let port = listener.local_addr()?.port();
    let face = Arc::new(Face::new(machines, options, certificates));
    let stop = CancellationToken::new();
    let serving = listener::serve(listener, Arc::clone(&face), stop.clone());
    let serving = tokio::spawn(serving);
    Ok(Redfish {
        face,
        port,
        stop,
        serving,
    })
}

impl Redfish {
    /// The port that it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that signs the machines', as PEM.
    #[must_use]
    pub fn authority_pem(&self) -> String {
        self.face.certificates.authority_pem()
    }

    /// The certificate that a machine shows, as DER.
    ///
    /// # Errors
    /// It could not be made.
    pub fn certificate(&self, index: usize, address: Ipv4Addr) -> Result<Vec<u8>> {
        self.face.certificates.certificate(index, address)
    }

    /// Has a machine show another certificate from now on.
    pub fn change_certificate(&self, index: usize) {
        self.face.certificates.change(index);
    }

    /// Has a machine have these faults and no others; with none those of its options.
    pub fn set_faults(&self, index: usize, faults: Vec<Fault>) {
        self.face.options.faults.set(index, faults);
    }

    /// Ends the sessions of a machine, as a restart of its BMC does.
    pub fn forget_sessions(&self, index: usize) {
        self.face.side(index).sessions.close_all();
    }

    /// Ends it: no connection is taken any more, open ones are broken off.
    ///
    /// # Errors
    /// It had ended by a panic.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        Ok(self.serving.await?)
    }
}
