//! Fuzz target: a session of the console against a BMC whose datagrams are damaged, forged, replayed
//! and reordered, and which says whatever it likes within the session.

use std::time::{Duration, Instant};

use xcat3_ipmi::bmc::{Incoming, Sessions};
use xcat3_ipmi::{Command, Completion, Event, PayloadType, Session, plain};

use super::script::{NUMBER, Script, bmc, console, random, reseed};

/// Datagrams that are kept to be delivered later or again.
const KEPT: usize = 8;
/// The longest time that a session may take to notice that nobody answers.
const LONGEST: Duration = Duration::from_secs(120);

struct Conversation<'a> {
    script: Script<'a>,
    session: Session,
    bmc: Sessions,
    bmc_session: u32,
    now: Instant,
    kept: Vec<Vec<u8>>,
    /// The first byte of the last handshake message of the console: what answers must repeat.
    tag: u8,
    asked: usize,
    answered: usize,
    over: bool,
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
        kept: Vec::new(),
        tag: 0,
        asked: 0,
        answered: 0,
        over: false,
    };
    for _ in 0..256 {
        let Some(step) = conversation.script.byte() else {
            break;
        };
        conversation.step(step % 16);
        conversation.look();
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
            1..=3 => self.exchange(|_, answer| vec![answer]),
            4 => self.exchange(|script, answer| vec![script.damaged(&answer), answer]),
            5 => self.exchange(|script, answer| vec![script.cut(&answer).to_vec()]),
            6 => self.exchange(|script, answer| vec![script.damaged(&answer)]),
            7 => self.exchange(|_, answer| vec![answer.clone(), answer]),
            8 => self.exchange(|_, _| Vec::new()),
            9 => {
                let kept = self.script.one_of(&self.kept).map(<[u8]>::to_vec);
                self.deliver(&kept.unwrap_or_default());
            }
            10 => self.wait(),
            11 => self.ask(),
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

    /// The BMC answers what the console has sent; `fate` is what becomes of each answer.
    fn exchange(&mut self, fate: impl Fn(&mut Script<'_>, Vec<u8>) -> Vec<Vec<u8>>) {
        while let Some(datagram) = self.session.transmit() {
            assert!(datagram.len() < 400, "{} bytes", datagram.len());
            self.tag = datagram.get(16).copied().unwrap_or(0);
            let answer = match self.bmc.receive(&datagram, self.now) {
                Ok(Incoming::Reply(answer)) => answer,
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
            if self.kept.len() == KEPT {
                self.kept.remove(0);
            }
            self.kept.push(answer.clone());
            for datagram in fate(&mut self.script, answer) {
                self.deliver(&datagram);
            }
        }
    }

    fn deliver(&mut self, datagram: &[u8]) {
        let _ = self.session.receive(datagram, self.now);
    }

    /// A message of a handshake that has the right tag and session, and nothing else that is right.
    fn forge(&mut self) {
        let kind = match self.script.byte().unwrap_or(0) % 3 {
            0 => PayloadType::OpenResponse,
            1 => PayloadType::Rakp2,
            _ => PayloadType::Rakp4,
        };
        let status = self.script.byte().unwrap_or(0);
        let mut payload = vec![self.tag, status, 4, 0];
        payload.extend_from_slice(&NUMBER.to_le_bytes());
        payload.extend_from_slice(self.script.bytes());
        self.deliver(&plain(kind, &payload));
    }

    fn wait(&mut self) {
        if let Some(deadline) = self.session.deadline() {
            self.now = self.now.max(deadline);
        }
        self.session.expire(self.now);
    }

    fn ask(&mut self) {
        let [function, number] = random_command(&mut self.script);
        let data = self.script.bytes();
        let command = Command::new(function, number);
        self.asked += usize::from(self.session.request(command, data, self.now));
    }

    /// What must be so after every step.
    fn look(&mut self) {
        while let Some(event) = self.session.event() {
            match event {
                Event::Response(..) => self.answered += 1,
                Event::Ended(_) => {
                    assert!(!self.over, "it is over twice");
                    self.over = true;
                }
                Event::Ready(_) => assert!(!self.over, "ready after it was over"),
                Event::Sol(_) => {}
            }
        }
        assert!(self.answered <= self.asked, "an answer without a question");
        assert!(!self.over || !self.session.is_idle());
        assert!(!self.over || self.session.deadline().is_none());
    }

    /// Nothing comes any more: whatever was under way ends in time.
    fn end(&mut self) {
        let latest = self.now + LONGEST;
        while self.session.deadline().is_some() {
            self.wait();
            while self.session.transmit().is_some() {}
            self.look();
            assert!(self.now <= latest, "it waits for ever");
        }
    }
}

fn random_command(script: &mut Script<'_>) -> [u8; 2] {
    // Network functions are even, and of six bits.
    let function = script.byte().unwrap_or(0) & 0x3e;
    let [filler, ..] = random();
    [function, script.byte().unwrap_or(filler)]
}
