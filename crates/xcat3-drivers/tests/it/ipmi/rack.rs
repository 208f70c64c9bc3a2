//! A rack of BMCs on loopback addresses, made of the BMC side of `xcat3-ipmi`, on which things go wrong.
//! That this side speaks IPMI as others do is shown by ipmitool in that crate's tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use xcat3_core::Node;
use xcat3_ipmi::bmc::{Incoming, Sessions, Setup, User};
use xcat3_ipmi::{CipherSuite, Command, Completion, Request, Response, Secret};

use super::sim::{PASSWORD, USER};

const STATUS: Command = Command::new(0x00, 0x01);
const CONTROL: Command = Command::new(0x00, 0x02);
/// Where the payload type of an RMCP+ packet is, and that of Open Session Request.
const PAYLOAD_TYPE: usize = 5;
const OPEN: u8 = 0x10;

/// What goes wrong on a BMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It never answers.
    Dead,
    /// Each answer takes so long.
    Slow(Duration),
    /// Each answer comes twice.
    Duplicate,
    /// Each second answer is held back until the next, and comes after it.
    Reorder,
}

/// A BMC.
pub struct Bmc {
    /// Its sessions.
    pub sessions: Sessions,
    /// Whether its machine is on.
    pub on: bool,
    /// How many sessions it was asked to open.
    pub asked_to_open: usize,
    /// What its chassis was told.
    pub controlled: Vec<u8>,
}

/// BMCs that answer until they are dropped.
pub struct Rack {
    /// Each of them.
    pub bmcs: Vec<Arc<Mutex<Bmc>>>,
    addresses: Vec<SocketAddr>,
    _serving: JoinSet<()>,
}

impl Rack {
    /// One BMC for each of `faults`, with this many slots for sessions.
    pub async fn start(faults: &[Fault], slots: usize) -> Self {
        let (mut bmcs, mut addresses, mut serving) = (Vec::new(), Vec::new(), JoinSet::new());
        for fault in faults {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            addresses.push(socket.local_addr().unwrap());
            let bmc = Arc::new(Mutex::new(Bmc {
                sessions: Sessions::new(setup(slots), rand::random),
                on: false,
                asked_to_open: 0,
                controlled: Vec::new(),
            }));
            serving.spawn(serve(socket, Arc::clone(&bmc), *fault));
            bmcs.push(bmc);
        }
        Self {
            bmcs,
            addresses,
            _serving: serving,
        }
    }

    /// Where the first one is.
    pub fn first(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Their nodes, `n0` and so on, with this password.
    pub fn nodes(&self, password: &str) -> Vec<Node> {
        let numbered = self.addresses.iter().enumerate();
        let node = |(number, address): (usize, &SocketAddr)| {
            let mut node = Node::new(format!("n{number}").parse().unwrap());
            let info = json!({"bmc_address": address.ip().to_string(), "bmc_port": address.port(),
                "bmc_username": USER, "bmc_password": password});
            node.declared.control_info = info.as_object().unwrap().clone();
            node
        };
        numbered.map(node).collect()
    }
}

fn setup(slots: usize) -> Setup {
    let user = User {
        name: USER.as_bytes().to_vec(),
        password: Secret::new(PASSWORD.as_bytes()).unwrap(),
        level: 4,
    };
    Setup {
        users: vec![user],
        bmc_key: None,
        guid: [7; 16],
        suites: CipherSuite::ALL.to_vec(),
        slots,
    }
}

async fn serve(socket: UdpSocket, bmc: Arc<Mutex<Bmc>>, fault: Fault) {
    let socket = Arc::new(socket);
    let mut buffer = [0; 2048];
    let mut held = None;
    let mut count = 0_usize;
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        if fault == Fault::Dead {
            continue;
        }
        let answer = bmc.lock().unwrap().answer(&buffer[..length]);
        let Some(answer) = answer else {
            continue;
        };
        count += 1;
        match fault {
            Fault::Slow(pause) => {
                let socket = Arc::clone(&socket);
                tokio::spawn(async move {
                    tokio::time::sleep(pause).await;
                    socket.send_to(&answer, from).await.unwrap();
                });
            }
            Fault::Reorder if count.is_multiple_of(2) && held.is_none() => held = Some(answer),
            _ => {
                let again = (fault == Fault::Duplicate).then(|| answer.clone());
                for datagram in [Some(answer), again, held.take()].into_iter().flatten() {
                    socket.send_to(&datagram, from).await.unwrap();
                }
            }
        }
    }
}

impl Bmc {
    fn answer(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        if datagram.get(PAYLOAD_TYPE) == Some(&OPEN) {
            self.asked_to_open += 1;
        }
        match self.sessions.receive(datagram, Instant::now()).ok()? {
            Incoming::Reply(answer) => Some(answer),
            Incoming::Request {
                session, request, ..
            } => {
                let response = self.respond(&request);
                self.sessions.respond(session, &response)
            }
            Incoming::Sol { .. } => None,
        }
    }

    fn respond(&mut self, request: &Request) -> Response {
        let data = match request.command {
            STATUS => vec![0x60 | u8::from(self.on), 0x10, 0x40],
            CONTROL => {
                self.on = request.data != [0];
                self.controlled.extend(&request.data);
                Vec::new()
            }
            _ => return request.response(Completion::UNKNOWN_COMMAND, Vec::new()),
        };
        request.response(Completion::OK, data)
    }
}
