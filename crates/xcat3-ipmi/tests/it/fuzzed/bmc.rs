//! Fuzz target: the BMC side against arbitrary datagrams, and against a console whose datagrams are damaged,
//! replayed and reordered.

use std::time::{Duration, Instant};

use xcat3_ipmi::bmc::{Incoming, Sessions};
use xcat3_ipmi::{Command, Completion, Session};

use super::script::{SLOTS, Script, bmc, console, reseed};

/// The most datagrams that are recorded for replay.
const MAX_RECORDED: usize = 8;

struct Port<'a> {
    script: Script<'a>,
    session: Session,
    bmc: Sessions,
    now: Instant,
    recorded: Vec<Vec<u8>>,
}

/// Follows the script in `bytes`.
pub fn run(bytes: &[u8]) {
    reseed();
    let now = Instant::now();
    let mut port = Port {
        script: Script(bytes),
        session: console(now),
        bmc: bmc(),
        now,
        recorded: Vec::new(),
    };
    for _ in 0..256 {
        let Some(step) = port.script.byte() else {
            break;
        };
        port.step(step % 12);
        while port.session.event().is_some() {}
        assert!(port.bmc.len() <= SLOTS, "more sessions than slots");
    }
}

impl Port<'_> {
    fn step(&mut self, step: u8) {
        match step {
            0 => {
                let datagram = self.script.bytes().to_vec();
                self.deliver(&datagram);
            }
            1..=3 => self.deliver_sent(|_, datagram| vec![datagram]),
            4 => self.deliver_sent(|script, datagram| vec![script.damaged(&datagram), datagram]),
            5 => self.deliver_sent(|script, datagram| vec![script.cut(&datagram).to_vec()]),
            6 => self.deliver_sent(|_, datagram| vec![datagram.clone(), datagram]),
            7 => {
                let recorded = self.script.one_of(&self.recorded).map(<[u8]>::to_vec);
                let damaged = self.script.damaged(&recorded.unwrap_or_default());
                self.deliver(&damaged);
            }
            8 => {
                let command = Command::new(
                    self.script.byte().unwrap_or(0) & 0x3e,
                    self.script.byte().unwrap_or(0),
                );
                let data = self.script.bytes();
                let _ = self.session.request(command, data, self.now);
            }
            9 => self.session = console(self.now),
            10 => {
                if let Some(deadline) = self.session.deadline() {
                    self.now = self.now.max(deadline);
                }
                self.session.expire(self.now);
            }
            _ => match self.script.byte().unwrap_or(0) % 4 {
                0 => self.session.close(self.now),
                1 => self.session.send_sol(self.script.bytes()),
                2 => self.bmc.clear(),
                _ => self.now += Duration::from_secs(20),
            },
        }
    }

    /// Delivers what `fate` makes of the console's datagrams.
    fn deliver_sent(&mut self, fate: impl Fn(&mut Script<'_>, Vec<u8>) -> Vec<Vec<u8>>) {
        while let Some(datagram) = self.session.transmit() {
            if self.recorded.len() == MAX_RECORDED {
                self.recorded.remove(0);
            }
            self.recorded.push(datagram.clone());
            for datagram in fate(&mut self.script, datagram) {
                self.deliver(&datagram);
            }
        }
    }

    fn deliver(&mut self, datagram: &[u8]) {
        let reply = match self.bmc.receive(datagram, self.now) {
            Ok(Incoming::Reply(reply)) => reply,
            Ok(Incoming::Request {
                session,
                request,
                level,
            }) => {
                assert!((2..=4).contains(&level));
                let response = request.response(Completion::OK, request.data.clone());
                let reply = self.bmc.respond(session, &response);
                reply.expect("the session of a request exists")
            }
            Ok(Incoming::Sol { session, payload }) => {
                let reply = self.bmc.seal_sol(session, &payload);
                reply.expect("the session of a payload exists")
            }
            Err(_) => return,
        };
        let _ = self.session.receive(&reply, self.now);
    }
}
