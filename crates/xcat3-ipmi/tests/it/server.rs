//! A BMC on a UDP socket of the loopback, made of the crate's BMC side, which real clients talk to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::net::UdpSocket;
use xcat3_ipmi::bmc::{Incoming, Sessions, Setup};
use xcat3_ipmi::{Command, Completion, Request, Response};

use crate::line::{STATUS, random};

const CONTROL: Command = Command::new(0x00, 0x02);
const DEVICE_ID: Command = Command::new(0x06, 0x01);

/// It answers until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) bmc: Arc<Mutex<Bmc>>,
    serving: tokio::task::JoinHandle<()>,
}

pub(crate) struct Bmc {
    pub(crate) sessions: Sessions,
    pub(crate) on: bool,
    /// Requests that came to the machine, in their order.
    pub(crate) handled: Vec<Command>,
}

impl Server {
    pub(crate) async fn start(setup: Setup) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let bmc = Arc::new(Mutex::new(Bmc {
            sessions: Sessions::new(setup, random),
            on: false,
            handled: Vec::new(),
        }));
        let serving = tokio::spawn(serve(socket, bmc.clone()));
        Self {
            address,
            bmc,
            serving,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(socket: UdpSocket, bmc: Arc<Mutex<Bmc>>) {
    let mut buffer = [0; 2048];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let answer = bmc.lock().unwrap().answer(&buffer[..length]);
        if let Some(answer) = answer {
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

impl Bmc {
    fn answer(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
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
        self.handled.push(request.command);
        let data = match request.command {
            STATUS => vec![0x60 | u8::from(self.on), 0x10, 0x40],
            CONTROL => {
                self.on = request.data.first().is_some_and(|what| what & 0x0f != 0);
                Vec::new()
            }
            DEVICE_ID => vec![0x20, 1, 2, 0, 2, 0xbf, 0xf2, 0x1b, 0, 1, 0],
            _ => return request.response(Completion::UNKNOWN_COMMAND, Vec::new()),
        };
        request.response(Completion::OK, data)
    }
}
