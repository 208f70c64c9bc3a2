//! The control driver `redfish`: BMCs that speak Redfish over HTTPS.
//!
//! Lanes, credentials and concurrency are the business of [`super::bmc`]; what is asked of a BMC is
//! that of `xcat3-redfish`. Here the two meet: options of nodes, outcomes, what a failure means.

mod act;
mod options;
mod probe;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::timeout;
use xcat3_core::{Node, NodeName, Outcome};
use xcat3_redfish::openbmc::Rest;
use xcat3_redfish::{Address, Client, Connector, Login, Timeouts, Trust, TrustConfig};

use super::bmc::{Asked, Bmc, BmcConfig, Failure, Lanes, Pace, Protocol, Turn};
use super::{ControlDriver, ControlOperation, ControlOrder, ProbeOrder, probe as probing};

pub(crate) use self::act::{act, failure, gate, is_repeatable, report, told};
pub(crate) use self::options::Options;
use self::probe::Prober;

/// The port of HTTPS, and that of HTTP for BMCs without TLS.
const PORTS: (u16, u16) = (443, 80);
/// How long the end of a session may take.
pub(crate) const GOODBYE: Duration = Duration::from_secs(5);

/// How BMCs are reached over Redfish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedfishConfig {
    /// Authorities (PEM) that sign certificates of BMCs, instead of those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Where the certificates are kept that BMCs with `bmc_tls=first-use` first showed. Need not
    /// exist yet.
    pub first_use_file: PathBuf,
    /// How long a connection may take, with its TLS handshake.
    pub connect_deadline: Duration,
    /// How long the answer to one request may take.
    pub answer_deadline: Duration,
    /// How long a change of power, or a task of the BMC's, may take.
    pub change_deadline: Duration,
    /// How many addresses a second are asked whether a BMC is there.
    pub probe_rate: u32,
}

impl RedfishConfig {
    /// The defaults, with certificates of first use kept in `first_use_file`.
    #[must_use]
    pub fn new(first_use_file: PathBuf) -> Self {
        Self {
            ca_file: None,
            first_use_file,
            connect_deadline: Duration::from_secs(10),
            answer_deadline: Duration::from_secs(30),
            change_deadline: Duration::from_secs(60),
            probe_rate: 500,
        }
    }
}

/// The driver `redfish`. Made once: it keeps sessions.
pub struct Redfish {
    lanes: Lanes<Https>,
    prober: Prober,
}

impl Redfish {
    /// The driver as configured. Nothing is connected to yet.
    #[must_use]
    pub fn new(config: &RedfishConfig, lanes: &BmcConfig) -> Self {
        let https = Https::new(config);
        Self {
            prober: Prober::new(https.connector(), config.probe_rate),
            lanes: Lanes::new(https, lanes),
        }
    }

    /// How many BMCs are remembered, and with how many of them there is a session.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        self.lanes.count()
    }
}

#[async_trait]
impl ControlDriver for Redfish {
    async fn run(&self, order: ControlOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        self.lanes.run(order, outcomes).await;
    }

    async fn probe(&self, order: ProbeOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        let ask = |address| self.prober.ask(address, order.credentials, order.tls);
        probing::each(order, PORTS.0, &self.prober.pace, outcomes, ask).await;
    }
}

/// Redfish as the lanes need it.
pub(crate) struct Https {
    connector: Arc<Connector>,
    timeouts: Timeouts,
}

impl Https {
    /// As configured.
    pub fn new(config: &RedfishConfig) -> Self {
        let trusted = TrustConfig {
            ca_file: config.ca_file.clone(),
            first_use_file: Some(config.first_use_file.clone()),
        };
        Self {
            connector: Arc::new(Connector::new(trusted)),
            timeouts: Timeouts {
                connect: config.connect_deadline,
                request: config.answer_deadline,
                task: config.change_deadline,
            },
        }
    }

    /// What makes connections.
    pub fn connector(&self) -> Arc<Connector> {
        Arc::clone(&self.connector)
    }

    /// A BMC's client, which has not asked anything yet.
    pub fn client(&self, bmc: &Bmc<Options>, address: SocketAddr) -> Client {
        let (address, login) = (self.address(bmc, address), login(bmc));
        Client::new(self.connector(), address, Some(login), self.timeouts)
    }

    /// A BMC with OpenBMC's older REST, which has not asked anything yet.
    pub fn rest(&self, bmc: &Bmc<Options>, address: SocketAddr) -> Rest {
        let (address, login) = (self.address(bmc, address), login(bmc));
        Rest::new(self.connector(), address, login, self.timeouts)
    }

    /// Where `bmc` is, whose name was looked up as `address`.
    pub fn address(&self, bmc: &Bmc<Options>, mut address: SocketAddr) -> Address {
        let trust = bmc.options.trust;
        if trust == Trust::Plain && bmc.endpoint.is_usual_port {
            address.set_port(PORTS.1);
        }
        let host = bmc.endpoint.host.to_string();
        Address {
            resolved: Some(address),
            ..Address::new(&host, address.port(), trust)
        }
    }
}

/// Who logs in to `bmc`.
pub(crate) fn login(bmc: &Bmc<Options>) -> Login {
    Login {
        user: bmc.credentials.username.clone(),
        password: bmc.credentials.password.reveal().to_owned(),
    }
}

/// What times are usual for BMCs that speak HTTPS: their processors are slow, and a handshake takes
/// some of them a second.
pub(crate) const PACE: Pace = Pace {
    overdue: Duration::from_secs(2),
    stale: Duration::from_secs(15),
    // A connection that the BMC has closed is made anew, and a session too.
    keep_alive: None,
};

impl Protocol for Https {
    type Options = Options;
    type Session = Client;

    fn port(&self) -> u16 {
        PORTS.0
    }

    fn pace(&self) -> Pace {
        PACE
    }

    fn lacks(&self, _: &ControlOperation) -> Option<String> {
        None
    }

    fn options(&self, node: &Node) -> Result<Options, String> {
        Options::of(node)
    }

    /// Nothing is asked yet: what is asked first decides whether it takes a session.
    async fn open(
        &self,
        bmc: &Bmc<Options>,
        address: SocketAddr,
        _: &Turn<'_>,
    ) -> Result<Client, Failure> {
        Ok(self.client(bmc, address))
    }

    async fn act(
        &self,
        session: &mut Client,
        asked: Asked<'_>,
        turn: &Turn<'_>,
    ) -> Result<Outcome, Failure> {
        act(session, asked, turn).await
    }

    async fn close(&self, mut session: Client) {
        // What it does not hear of ends by itself after a while.
        let _ = timeout(GOODBYE, session.close()).await;
    }
}
