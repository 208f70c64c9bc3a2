//! The control driver `openbmc`: BMCs with OpenBMC, by Redfish where they have it and otherwise by the
//! REST that it had before.
//!
//! Which of the two it is, is found out when a session is opened. All else is as in the driver
//! [`redfish`](super::redfish).

use std::net::SocketAddr;
use std::pin::pin;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::timeout;
use xcat3_core::{Node, NodeName, Outcome};
use xcat3_redfish::openbmc::Rest;
use xcat3_redfish::{Client, Error};

use super::bmc::{Asked, Bmc, BmcConfig, Failure, Lanes, Pace, Protocol, Turn};
use super::redfish::{self, GOODBYE, Https, Options, RedfishConfig, told};
use super::{ControlDriver, ControlOperation, ControlOrder, lacks};

/// The driver `openbmc`. Made once: it keeps sessions.
pub struct Openbmc {
    lanes: Lanes<Either>,
}

impl Openbmc {
    /// The driver as configured. Nothing is connected to yet.
    #[must_use]
    pub fn new(config: &RedfishConfig, lanes: &BmcConfig) -> Self {
        let either = Either(Https::new(config));
        Self {
            lanes: Lanes::new(either, lanes),
        }
    }
}

#[async_trait]
impl ControlDriver for Openbmc {
    async fn run(&self, order: ControlOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        self.lanes.run(order, outcomes).await;
    }
}

/// Redfish or REST as the lanes need them.
struct Either(Https);

/// A session with a BMC.
enum Session {
    Redfish(Box<Client>),
    Rest(Box<Rest>),
}

impl Protocol for Either {
    type Options = Options;
    type Session = Session;

    fn port(&self) -> u16 {
        self.0.port()
    }

    fn pace(&self) -> Pace {
        self.0.pace()
    }

    fn lacks(&self, _: &ControlOperation) -> Option<String> {
        None
    }

    fn options(&self, node: &Node) -> Result<Options, String> {
        Options::of(node)
    }

    async fn open(
        &self,
        bmc: &Bmc<Options>,
        address: SocketAddr,
        turn: &Turn<'_>,
    ) -> Result<Session, Failure> {
        let mut client = self.0.client(bmc, address);
        let answers = client.response_counter();
        let root = told(&answers, turn, pin!(client.root())).await;
        match root {
            Ok(_) => {
                let opened = told(&answers, turn, pin!(client.open())).await;
                opened.map_err(redfish::failure)?;
                Ok(Session::Redfish(Box::new(client)))
            }
            Err(Error::Missing(_)) => {
                let mut rest = self.0.rest(bmc, address);
                let answers = rest.response_counter();
                let opened = told(&answers, turn, pin!(rest.open())).await;
                opened.map_err(redfish::failure)?;
                Ok(Session::Rest(Box::new(rest)))
            }
            Err(error) => Err(redfish::failure(error)),
        }
    }

    async fn act(
        &self,
        session: &mut Session,
        asked: Asked<'_>,
        turn: &Turn<'_>,
    ) -> Result<Outcome, Failure> {
        let rest = match session {
            Session::Redfish(client) => return redfish::act(client, asked, turn).await,
            Session::Rest(rest) => rest,
        };
        rest.set_gate(Some(redfish::gate(asked.lease)));
        let answers = rest.response_counter();
        let operation = asked.operation;
        let done = told(&answers, turn, pin!(operate(rest, operation))).await;
        done.map_err(|error| {
            let failure = redfish::failure(error);
            match rest.has_sent_change() && !redfish::is_repeatable(operation) {
                true => failure.once(),
                false => failure,
            }
        })
    }

    async fn close(&self, session: Session) {
        let closing = async {
            match session {
                Session::Redfish(mut client) => client.close().await,
                Session::Rest(mut rest) => rest.close().await,
            }
        };
        let _ = timeout(GOODBYE, closing).await;
    }
}

async fn operate(rest: &mut Rest, operation: &ControlOperation) -> Result<Outcome, Error> {
    let done = |()| Outcome::OK;
    match operation {
        ControlOperation::PowerStatus => {
            let state = rest.power_state().await?;
            Ok(Outcome::Done(state.as_str()))
        }
        ControlOperation::Power(target) => rest.set_power(*target).await.map(done),
        ControlOperation::BootDeviceStatus => {
            let device = rest.boot_device().await?;
            Ok(Outcome::Done(
                device.map_or("none", |device| device.as_str()),
            ))
        }
        ControlOperation::SetBootDevice(order) => rest.set_boot_device(*order).await.map(done),
        ControlOperation::Inventory => rest.inventory().await.map(redfish::report),
        ControlOperation::Sensors => rest.sensors().await.map(redfish::report),
        ControlOperation::EventLog => rest.event_log().await.map(redfish::report),
        ControlOperation::ClearEventLog => rest.clear_event_log().await.map(done),
        ControlOperation::BeaconStatus => {
            let is_lit = rest.beacon().await?;
            Ok(Outcome::Done(if is_lit { "on" } else { "off" }))
        }
        ControlOperation::Beacon(on) => rest.set_beacon(*on).await.map(done),
        ControlOperation::Bios
        | ControlOperation::SetBios(_)
        | ControlOperation::Media
        | ControlOperation::InsertMedia(_)
        | ControlOperation::EjectMedia => {
            let lacks = lacks("openbmc", operation);
            Err(Error::Missing(format!(
                "{lacks} where the BMC has no Redfish"
            )))
        }
    }
}
