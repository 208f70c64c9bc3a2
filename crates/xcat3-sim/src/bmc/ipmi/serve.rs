//! The threads that answer, and what a fault does to an answer on its way.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use xcat3_ipmi::Secret;

use super::Options;
use super::bmc::Bmc;
use super::faults::Fault;
use super::lies;
use super::socket::{Datagrams, Room, Route};
use crate::bmc::machine::Machines;

/// The longest datagram that is read, bytes.
const LONGEST: usize = 2048;
/// Answers that wait for their time; what is beyond is lost, as in a network.
const LATE: usize = 100_000;

/// The face while it serves. Dropped, it goes on; [`Ipmi::stop`] ends it.
pub struct Ipmi {
    face: Arc<Face>,
    port: u16,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads share.
struct Face {
    machines: Arc<Machines>,
    options: Options,
    bmcs: Vec<OnceLock<Box<Mutex<Bmc>>>>,
    ends: AtomicBool,
}

/// An answer that is sent later.
struct Late {
    at: Instant,
    route: Route,
    datagram: Vec<u8>,
}

/// Serves the machines by IPMI, each at its own address.
///
/// # Errors
/// The port is taken, or user or password are too long for IPMI.
pub fn serve_ipmi(machines: Arc<Machines>, options: Options) -> Result<Ipmi> {
    let fits = Secret::new(options.password.as_bytes());
    fits.context("a password of IPMI has at most 20 bytes")?;
    anyhow::ensure!(
        options.user.len() <= xcat3_ipmi::LONGEST_USER,
        "a user of IPMI has at most 16 bytes"
    );
    let bind = |port| {
        let socket = Datagrams::bind(port);
        socket.with_context(|| format!("listening on UDP port {port} for IPMI"))
    };
    let first = bind(options.port)?;
    let port = first.port()?;
    let late = first.again()?;
    let mut sockets = vec![first];
    for _ in 1..options.threads.max(1) {
        sockets.push(bind(port)?);
    }
    let face = Arc::new(Face {
        bmcs: (0..machines.len()).map(|_| OnceLock::new()).collect(),
        machines,
        options,
        ends: AtomicBool::new(false),
    });
    let (sender, receiver) = channel();
    let mut threads = vec![spawn(move || send_late(&late, &receiver))];
    for socket in sockets {
        let (face, sender) = (Arc::clone(&face), sender.clone());
        threads.push(spawn(move || face.serve(&socket, &sender)));
    }
    Ok(Ipmi {
        face,
        port,
        threads,
    })
}

impl Ipmi {
    /// The port that it answers on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends the sessions of a machine, as a restart of its BMC does.
    pub fn forget_sessions(&self, index: usize) {
        self.face.bmc(index).forget();
    }

    /// How many sessions a machine has open, those under way included.
    #[must_use]
    pub fn sessions(&self, index: usize) -> usize {
        let bmc = self.face.bmcs.get(index).and_then(OnceLock::get);
        bmc.map_or(0, |bmc| {
            bmc.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .sessions()
        })
    }

    /// Ends it: nothing is answered any more.
    ///
    /// # Errors
    /// One of its threads had ended by a panic.
    pub fn stop(self) -> Result<()> {
        self.face.ends.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let ended = thread.join();
            ended.map_err(|_| anyhow!("a thread of the IPMI face panicked"))?;
        }
        Ok(())
    }
}

impl Face {
    fn bmc(&self, index: usize) -> MutexGuard<'_, Bmc> {
        let made = || Box::new(Mutex::new(Bmc::new(&self.machines, index, &self.options)));
        let bmc = self.bmcs[index].get_or_init(made);
        bmc.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, socket: &Datagrams, late: &Sender<Late>) {
        let mut buffer = [0; LONGEST];
        let mut room = Room::new();
        while !self.ends.load(Ordering::Relaxed) {
            match socket.receive(&mut buffer, &mut room) {
                Ok(Some((length, route))) => self.take(&buffer[..length], route, socket, late),
                Ok(None) => {}
                // What a sender did wrong (an ICMP error) must not keep the others out.
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    fn take(&self, datagram: &[u8], route: Route, socket: &Datagrams, late: &Sender<Late>) {
        let Some(index) = self.machines.index_of(route.to) else {
            return;
        };
        if self.options.faults.is_black_hole(index) {
            return;
        }
        let mut bmc = self.bmc(index);
        let now = Instant::now();
        let struck = self.options.faults.strike(index, bmc.count_datagram());
        let (mut pause, mut copies, mut misled) = (Duration::ZERO, 1, false);
        for fault in struck {
            match fault {
                Fault::Delay(time) | Fault::Reorder(time) => pause += time,
                Fault::Drop => copies = 0,
                Fault::Duplicate => copies *= 2,
                Fault::Reboot(time) => bmc.reboot(now + time),
                Fault::OtherSession => misled = true,
                // Those of the whole BMC: it was made with them.
                _ => {}
            }
        }
        let from = (*route.from.ip(), route.from.port());
        let Some(mut answer) = bmc.receive(datagram, &self.machines, from, now) else {
            return;
        };
        drop(bmc);
        if misled {
            lies::other_session(&mut answer);
        }
        for _ in 0..copies {
            if pause.is_zero() {
                // A network that takes no more loses it.
                let _ = socket.answer(&answer, route);
            } else {
                let _ = late.send(Late {
                    at: now + pause,
                    route,
                    datagram: answer.clone(),
                });
            }
        }
    }
}

/// Sends answers when their time has come, until all who have some are gone.
fn send_late(socket: &Datagrams, incoming: &Receiver<Late>) {
    let mut waiting: BinaryHeap<Reverse<Late>> = BinaryHeap::new();
    loop {
        let now = Instant::now();
        while let Some(Reverse(late)) = waiting.peek() {
            if late.at > now {
                break;
            }
            if let Some(Reverse(late)) = waiting.pop() {
                let _ = socket.answer(&late.datagram, late.route);
            }
        }
        let next = waiting.peek().map(|Reverse(late)| late.at);
        let pause = next.map_or(Duration::from_secs(3600), |at| {
            at.saturating_duration_since(now)
        });
        match incoming.recv_timeout(pause) {
            Ok(late) if waiting.len() < LATE => waiting.push(Reverse(late)),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Late {}

impl PartialOrd for Late {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Late {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
