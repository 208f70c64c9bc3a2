//! The control driver `ipmi`: BMCs that speak IPMI v2.0 over LAN (RMCP+, "lanplus").
//!
//! Sessions, credentials and concurrency are the business of the [lanes](super::bmc); the wire is that of
//! `xcat3-ipmi`. Here is what each operation asks of a BMC.

mod beacon;
mod board;
mod boot;
mod event_log;
mod exchange;
mod inventory;
mod login;
mod power;
mod probe;
mod sensors;

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use xcat3_core::{Node, NodeName, Outcome};
use xcat3_ipmi::{Connection, PORT, RetryPolicy, Sockets};

use self::exchange::Exchange;
use self::login::Options;
use self::probe::Prober;
use super::bmc::{Asked, Bmc, BmcConfig, Failure, Lanes, Pace, Protocol, Turn};
use super::{ControlDriver, ControlOperation, ControlOrder, ProbeOrder, lacks, probe as probing};

/// How patiently BMCs are asked over IPMI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpmiConfig {
    /// How long to wait for an answer before a datagram is sent again; each later wait is half as
    /// long again.
    pub retransmit: Duration,
    /// How often a datagram is sent in all before a BMC is taken for silent.
    pub attempts: u32,
    /// How many addresses a second are asked whether a BMC is there.
    pub probe_rate: u32,
}

impl Default for IpmiConfig {
    fn default() -> Self {
        Self {
            retransmit: Duration::from_millis(500),
            attempts: 5,
            probe_rate: 2_000,
        }
    }
}

/// The driver `ipmi`. Made once: it keeps sessions.
pub struct Ipmi {
    lanes: Lanes<Rmcp>,
    prober: Prober,
}

impl Ipmi {
    /// The driver as configured. Nothing is connected to yet.
    #[must_use]
    pub fn new(config: &IpmiConfig, lanes: &BmcConfig) -> Self {
        let rmcp = Rmcp {
            sockets: Sockets::new(),
            retry: RetryPolicy {
                first_timeout: config.retransmit,
                attempts: config.attempts.max(1),
            },
        };
        Self {
            lanes: Lanes::new(rmcp, lanes),
            prober: Prober::new(config.probe_rate),
        }
    }

    /// How many BMCs are remembered, and with how many of them there is a session.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        self.lanes.count()
    }
}

#[async_trait]
impl ControlDriver for Ipmi {
    async fn run(&self, order: ControlOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        self.lanes.run(order, outcomes).await;
    }

    async fn probe(&self, order: ProbeOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        let ask = |address| self.prober.ask(address, order.credentials);
        probing::each(order, PORT, &self.prober.pace, outcomes, ask).await;
    }
}

/// RMCP+ as the lanes need it.
struct Rmcp {
    sockets: Sockets,
    retry: RetryPolicy,
}

impl Protocol for Rmcp {
    type Options = Options;
    type Session = Connection;

    fn port(&self) -> u16 {
        PORT
    }

    fn pace(&self) -> Pace {
        Pace {
            overdue: self.retry.first_timeout,
            // Two datagrams were lost, or the session is.
            stale: self.retry.first_timeout * 3,
            // BMCs end sessions after 60 s (6.12.15).
            keep_alive: Some(Duration::from_secs(30)),
        }
    }

    fn lacks(&self, operation: &ControlOperation) -> Option<String> {
        match operation {
            ControlOperation::PowerStatus
            | ControlOperation::Power(_)
            | ControlOperation::BootDeviceStatus
            | ControlOperation::SetBootDevice(_)
            | ControlOperation::BeaconStatus
            | ControlOperation::Beacon(_)
            | ControlOperation::Inventory
            | ControlOperation::Sensors
            | ControlOperation::EventLog
            | ControlOperation::ClearEventLog => None,
            _ => Some(lacks("ipmi", operation)),
        }
    }

    fn options(&self, node: &Node) -> Result<Options, String> {
        Options::of(node)
    }

    async fn open(
        &self,
        bmc: &Bmc<Options>,
        address: SocketAddr,
        turn: &Turn<'_>,
    ) -> Result<Connection, Failure> {
        login::open(&self.sockets, self.retry, (bmc, address), turn).await
    }

    async fn act(
        &self,
        session: &mut Connection,
        asked: Asked<'_>,
        turn: &Turn<'_>,
    ) -> Result<Outcome, Failure> {
        let mut exchange = Exchange::new(session, turn);
        let (bmc, lease) = (&mut exchange, asked.lease);
        match asked.operation {
            ControlOperation::PowerStatus => power::status(bmc).await,
            ControlOperation::Power(target) => power::set(bmc, *target, lease).await,
            ControlOperation::BootDeviceStatus => boot::status(bmc).await,
            ControlOperation::SetBootDevice(order) => boot::set(bmc, *order, lease).await,
            ControlOperation::BeaconStatus => beacon::status(bmc).await,
            ControlOperation::Beacon(on) => beacon::set(bmc, *on, lease).await,
            ControlOperation::Inventory => inventory::report(bmc).await,
            ControlOperation::Sensors => sensors::report(bmc).await,
            ControlOperation::EventLog => event_log::report(bmc).await,
            ControlOperation::ClearEventLog => event_log::clear(bmc, lease).await,
            other => Err(Failure::refused(lacks("ipmi", other))),
        }
    }

    async fn keep_alive(&self, session: &mut Connection) -> Result<(), Failure> {
        session.keep_alive().await.map_err(exchange::failure)
    }

    async fn close(&self, session: Connection) {
        session.close().await;
    }
}
