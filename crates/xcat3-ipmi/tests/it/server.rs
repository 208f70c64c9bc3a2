//! A BMC on a UDP socket of the loopback, made of the crate's BMC side. Real clients talk to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use xcat3_ipmi::bmc::{Incoming, Sessions, Setup};
use xcat3_ipmi::{Command, Completion, Request, Response};

use crate::line::{STATUS, random};

const CONTROL: Command = Command::new(0x00, 0x02);
const DEVICE_ID: Command = Command::new(0x06, 0x01);

/// The BMC. It runs until this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) bmc: Arc<Mutex<Bmc>>,
    session_count: watch::Receiver<usize>,
    task: tokio::task::JoinHandle<()>,
}

pub(crate) struct Bmc {
    pub(crate) sessions: Sessions,
    pub(crate) on: bool,
    /// Commands of the requests that arrived, in order.
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
        let (count, session_count) = watch::channel(0);
        let task = tokio::spawn(serve(socket, bmc.clone(), count));
        Self {
            address,
            bmc,
            session_count,
            task,
        }
    }

    /// Waits until the BMC has this many sessions.
    pub(crate) async fn wait_for_sessions(&self, count: usize) {
        let mut session_count = self.session_count.clone();
        session_count.wait_for(|now| *now == count).await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, bmc: Arc<Mutex<Bmc>>, count: watch::Sender<usize>) {
    let mut buffer = [0; 2048];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let (reply, sessions) = {
            let mut bmc = bmc.lock().unwrap();
            (bmc.reply(&buffer[..length]), bmc.sessions.len())
        };
        count.send_replace(sessions);
        if let Some(reply) = reply {
            socket.send_to(&reply, from).await.unwrap();
        }
    }
}

impl Bmc {
    fn reply(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        match self.sessions.receive(datagram, Instant::now()).ok()? {
            Incoming::Reply(reply) => Some(reply),
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
                self.on = request
                    .data
                    .first()
                    .is_some_and(|action| action & 0x0f != 0);
                Vec::new()
            }
            DEVICE_ID => vec![0x20, 1, 2, 0, 2, 0xbf, 0xf2, 0x1b, 0, 1, 0],
            _ => return request.response(Completion::UNKNOWN_COMMAND, Vec::new()),
        };
        request.response(Completion::OK, data)
    }
}
