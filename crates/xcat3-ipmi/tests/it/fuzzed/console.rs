//! Fuzz target: a session against a BMC whose datagrams are damaged, forged, replayed and reordered, and which
//! sends arbitrary messages within the session.

use std::time::{Duration, Instant};

use xcat3_ipmi::bmc::{Incoming, Sessions};
use xcat3_ipmi::{Command, Completion, Event, PayloadType, Session, plain};

use super::script::{NUMBER, Script, bmc, console, random, reseed};

/// The most datagrams that are recorded for replay.
const MAX_RECORDED: usize = 8;
/// The longest time after which a session without replies has ended.
const MAX_SILENCE: Duration = Duration::from_secs(120);

struct Conversation<'a> {
    script: Script<'a>,
    session: Session,
    bmc: Sessions,
    bmc_session: u32,
    now: Instant,
    recorded: Vec<Vec<u8>>,
    /// Tag of the console's last handshake message, which replies repeat.
    tag: u8,
    requests: usize,
    responses: usize,
    ended: bool,
}

/// Follows the script in `bytes`.
pub fn run(bytes: &[u8]) {
    reseed();
    let now = Instant::now();
    let mut conversation = Conversation {
        script: Script(bytes),
        session: console(now),
        bmc: bmc(),
        bmc_session: 0,
        now,
        recorded: Vec::new(),
        tag: 0,
        requests: 0,
        responses: 0,
        ended: false,
    };
    for _ in 0..256 {
        let Some(step) = conversation.script.byte() else {
            break;
        };
        conversation.step(step % 16);
        conversation.check();
    }
    conversation.end();
}

impl Conversation<'_> {
    fn step(&mut self, step: u8) {
        match step {
            0 => {
                let datagram = self.script.bytes();
                self.deliver(datagram);
            }
            1..=3 => self.exchange(|_, reply| vec![reply]),
            4 => self.exchange(|script, reply| vec![script.damaged(&reply), reply]),
            5 => self.exchange(|script, reply| vec![script.cut(&reply).to_vec()]),
            6 => self.exchange(|script, reply| vec![script.damaged(&reply)]),
            7 => self.exchange(|_, reply| vec![reply.clone(), reply]),
            8 => self.exchange(|_, _| Vec::new()),
            9 => {
                let recorded = self.script.one_of(&self.recorded).map(<[u8]>::to_vec);
                self.deliver(&recorded.unwrap_or_default());
            }
            10 => self.wait(),
            11 => self.request(),
            12 => {
                let payload = self.script.bytes();
                let datagram = self.bmc.seal_message(self.bmc_session, payload);
                self.deliver(&datagram.unwrap_or_default());
            }
            13 => {
                let payload = self.script.bytes();
                let datagram = self.bmc.seal_sol(self.bmc_session, payload);
                self.deliver(&datagram.unwrap_or_default());
            }
            14 => self.forge(),
            _ => match self.script.byte().unwrap_or(0) % 4 {
                0 => self.bmc.clear(),
                1 => self.session.close(self.now),
                2 => self.session.send_sol(self.script.bytes()),
                _ => self.now += Duration::from_millis(100),
            },
        }
    }

    /// The BMC replies to what the console has sent; delivers what `fate` makes of each reply.
    fn exchange(&mut self, fate: impl Fn(&mut Script<'_>, Vec<u8>) -> Vec<Vec<u8>>) {
        while let Some(datagram) = self.session.transmit() {
            assert!(datagram.len() < 400, "{} bytes", datagram.len());
            self.tag = datagram.get(16).copied().unwrap_or(0);
            let reply = match self.bmc.receive(&datagram, self.now) {
                Ok(Incoming::Reply(reply)) => reply,
                Ok(Incoming::Request {
                    session, request, ..
                }) => {
                    self.bmc_session = session;
                    let code = Completion(self.script.byte().unwrap_or(0));
                    let response = request.response(code, self.script.bytes().to_vec());
                    self.bmc.respond(session, &response).unwrap_or_default()
                }
                Ok(Incoming::Sol { session, .. }) => {
                    self.bmc_session = session;
                    continue;
                }
                Err(_) => continue,
            };
            if self.recorded.len() == MAX_RECORDED {
                self.recorded.remove(0);
            }
            self.recorded.push(reply.clone());
            for datagram in fate(&mut self.script, reply) {
                self.deliver(&datagram);
            }
        }
    }

    fn deliver(&mut self, datagram: &[u8]) {
        let _ = self.session.receive(datagram, self.now);
    }

    /// Delivers a handshake message with the right tag and session and arbitrary content.
    fn forge(&mut self) {
        let payload_type = match self.script.byte().unwrap_or(0) % 3 {
            0 => PayloadType::OpenResponse,
            1 => PayloadType::Rakp2,
            _ => PayloadType::Rakp4,
        };
        let status = self.script.byte().unwrap_or(0);
        let mut payload = vec![self.tag, status, 4, 0];
        payload.extend_from_slice(&NUMBER.to_le_bytes());
        payload.extend_from_slice(self.script.bytes());
        self.deliver(&plain(payload_type, &payload));
    }

    fn wait(&mut self) {
        if let Some(deadline) = self.session.deadline() {
            self.now = self.now.max(deadline);
        }
        self.session.expire(self.now);
    }

    fn request(&mut self) {
        let [function, number] = random_command(&mut self.script);
        let data = self.script.bytes();
        let command = Command::new(function, number);
        self.requests += usize::from(self.session.request(command, data, self.now));
    }

    /// Checks what holds after every step.
    fn check(&mut self) {
        while let Some(event) = self.session.event() {
            match event {
                Event::Response(..) => self.responses += 1,
                Event::Ended(_) => {
                    assert!(!self.ended, "the session ended twice");
                    self.ended = true;
                }
                Event::Ready(_) => assert!(!self.ended, "ready after the end"),
                Event::Sol(_) => {}
            }
        }
        assert!(self.responses <= self.requests, "response without request");
        assert!(!self.ended || !self.session.is_idle());
        assert!(!self.ended || self.session.deadline().is_none());
    }

    /// The BMC is silent from now on: the session ends in bounded time.
    fn end(&mut self) {
        let latest = self.now + MAX_SILENCE;
        while self.session.deadline().is_some() {
            self.wait();
            while self.session.transmit().is_some() {}
            self.check();
            assert!(self.now <= latest, "the session waits for too long");
        }
    }
}

fn random_command(script: &mut Script<'_>) -> [u8; 2] {
    // Network functions are even, and of six bits.
    let function = script.byte().unwrap_or(0) & 0x3e;
    let [filler, ..] = random();
    [function, script.byte().unwrap_or(filler)]
}
