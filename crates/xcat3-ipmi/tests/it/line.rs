//! A console and a BMC with a line between them, on a clock that only the line moves.

use std::time::{Duration, Instant};

use xcat3_ipmi::bmc::{Incoming, Sessions, Setup, User};
use xcat3_ipmi::{
    CipherSuite, Command, Completion, Credentials, Event, Privilege, Request, RetryPolicy, Secret,
    Session,
};

pub(crate) const STATUS: Command = Command::new(0x00, 0x01);
/// Data of every response of the BMC.
const STATUS_DATA: [u8; 3] = [0x21, 0x10, 0x40];

/// What arrives of the n-th datagram on the line, counted from 0 in both directions.
pub(crate) type Fate = Box<dyn FnMut(usize, &[u8]) -> Vec<Vec<u8>>>;

pub(crate) struct Line {
    pub(crate) session: Session,
    pub(crate) bmc: Sessions,
    pub(crate) now: Instant,
    /// Requests that the BMC carried out.
    pub(crate) handled: Vec<Request>,
    fate: Fate,
    datagrams: usize,
}

pub(crate) fn random() -> [u8; 16] {
    rand::random()
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes()).unwrap()
}

pub(crate) fn credentials() -> Credentials {
    Credentials {
        user: b"admin".to_vec(),
        password: secret("secret"),
        bmc_key: None,
        privilege: Privilege::Administrator,
    }
}

pub(crate) fn setup() -> Setup {
    Setup {
        users: vec![User {
            name: b"admin".to_vec(),
            password: secret("secret"),
            level: 4,
        }],
        bmc_key: None,
        guid: [7; 16],
        suites: CipherSuite::ALL.to_vec(),
        slots: 4,
    }
}

/// The response to [`STATUS`].
pub(crate) fn status_response() -> Event {
    Event::Response(Completion::OK, STATUS_DATA.to_vec())
}

/// A line that loses nothing.
pub(crate) fn perfect() -> Fate {
    Box::new(|_, datagram| vec![datagram.to_vec()])
}

impl Line {
    pub(crate) fn new(credentials: Credentials, setup: Setup, fate: Fate) -> Self {
        let now = Instant::now();
        let retry = RetryPolicy::default();
        let suites = CipherSuite::ALL;
        Self {
            session: Session::begin(credentials, &suites, 0xa0a1_a2a3, retry, random, now),
            bmc: Sessions::new(setup, random),
            now,
            handled: Vec::new(),
            fate,
            datagrams: 0,
        }
    }

    /// Carries datagrams and moves the clock until the session has an event.
    pub(crate) fn event(&mut self) -> Event {
        for _ in 0..10_000 {
            if let Some(event) = self.session.event() {
                return event;
            }
            match self.session.transmit() {
                Some(datagram) => self.carry(&datagram),
                None => self.wait(),
            }
        }
        panic!("the session has no event");
    }

    fn wait(&mut self) {
        match self.session.deadline() {
            Some(deadline) => self.now = self.now.max(deadline),
            None => self.now += Duration::from_secs(1),
        }
        self.session.expire(self.now);
    }

    fn carry(&mut self, datagram: &[u8]) {
        for datagram in self.arriving(datagram) {
            let Some(reply) = self.reply(&datagram) else {
                continue;
            };
            for reply in self.arriving(&reply) {
                // Tests look at the events, not at what the session drops.
                let _ = self.session.receive(&reply, self.now);
            }
        }
    }

    fn arriving(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.datagrams += 1;
        (self.fate)(self.datagrams - 1, datagram)
    }

    fn reply(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        match self.bmc.receive(datagram, self.now).ok()? {
            Incoming::Reply(reply) => Some(reply),
            Incoming::Request {
                session, request, ..
            } => {
                let response = request.response(Completion::OK, STATUS_DATA.to_vec());
                self.handled.push(request);
                self.bmc.respond(session, &response)
            }
            Incoming::Sol { .. } => None,
        }
    }

    /// Sends a request and returns the next event.
    pub(crate) fn request(&mut self, command: Command, data: &[u8]) -> Event {
        assert!(self.session.request(command, data, self.now));
        self.event()
    }
}
