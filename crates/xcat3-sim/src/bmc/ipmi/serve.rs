//! The threads that answer, and what a fault does to an answer on its way.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddrV4;
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
/// Accounts beside the first: users have numbers of six bits, and the first of these has no name.
const MOST_OTHERS: usize = 61;
/// Answers that wait for their time; what is beyond is lost, as in a network.
const LATE: usize = 100_000;

/// The face while it serves. PacketError, it goes on; [`Ipmi::stop`] ends it.
pub struct Ipmi {
    face: Arc<Face>,
    port: u16,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads share.
struct Face {
    machines: Arc<Machines>,
    /// The port that it answers on.
    port: u16,
    options: Options,
    bmcs: Vec<OnceLock<Box<Mutex<Bmc>>>>,
    ends: AtomicBool,
}

/// Something that is done later.
struct Late {
    at: Instant,
    what: Due,
}

enum Due {
    /// An answer is sent.
    Datagram(Route, Vec<u8>),
    /// The BMC of this machine sends again what was not acknowledged. There is one a machine.
    Alarm(usize),
}

/// What becomes of a datagram on its way.
#[derive(Clone, Copy)]
struct Fate {
    pause: Duration,
    copies: u8,
    misled: bool,
    /// The BMC restarts, and takes so long.
    reboots: Option<Duration>,
}

impl Default for Fate {
    fn default() -> Self {
        Self {
            pause: Duration::ZERO,
            copies: 1,
            misled: false,
            reboots: None,
        }
    }
}

/// Serves the machines by IPMI, each at its own address.
///
/// # Errors
/// The port is taken, or user or password are too long for IPMI.
pub fn serve_ipmi(machines: Arc<Machines>, options: Options) -> Result<Ipmi> {
    let others = options.users.iter();
    let others = others.map(|other| (&other.name, &other.password));
    for (user, password) in others.chain([(&options.user, &options.password)]) {
        let fits = Secret::new(password.as_bytes());
        fits.with_context(|| format!("the password of '{user}': IPMI takes at most 20 bytes"))?;
        anyhow::ensure!(
            user.len() <= xcat3_ipmi::MAX_USER_NAME,
            "the user '{user}': IPMI takes names of at most 16 bytes"
        );
    }
    anyhow::ensure!(
        options.users.len() <= MOST_OTHERS,
        "a BMC has at most {MOST_OTHERS} accounts beside the first"
    );
    let listening = |port| format!("listening on UDP port {port} for IPMI");
    let first = Datagrams::first(options.port).with_context(|| listening(options.port))?;
    let port = first.port()?;
    let late = first.again()?;
    let mut sockets = vec![first];
    for _ in 1..options.threads.max(1) {
        sockets.push(Datagrams::share(port).with_context(|| listening(port))?);
    }
    let face = Arc::new(Face {
        bmcs: (0..machines.len()).map(|_| OnceLock::new()).collect(),
        machines,
        port,
        options,
        ends: AtomicBool::new(false),
    });
    let (sender, receiver) = channel();
    let face_of_late = Arc::clone(&face);
    let mut threads = vec![spawn(move || face_of_late.do_late(&late, &receiver))];
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
        let made = || {
            let bmc = Bmc::new(&self.machines, index, self.port, &self.options);
            Box::new(Mutex::new(bmc))
        };
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
        let mut fate = self.draw(index, &mut bmc);
        if let Some(time) = fate.reboots {
            bmc.reboot(now + time);
        }
        let from = (*route.from.ip(), route.from.port());
        let answers = bmc.receive(datagram, &self.machines, from, now);
        for (place, (console, datagram)) in answers.into_iter().enumerate() {
            if place > 0 {
                // What came strikes its answer; what goes besides has a fate of its own.
                fate = self.draw(index, &mut bmc);
            }
            self.send(
                fate,
                route.between(console),
                datagram,
                socket,
                &mut |at, what| {
                    let _ = late.send(Late { at, what });
                },
            );
        }
        if let Some(at) = bmc.take_alarm() {
            let what = Due::Alarm(index);
            let _ = late.send(Late { at, what });
        }
    }

    /// Wakes a BMC whose time has come.
    fn wake(&self, index: usize, socket: &Datagrams, late: &mut dyn FnMut(Instant, Due)) {
        let mut bmc = self.bmc(index);
        for ((address, port), datagram) in bmc.wake(Instant::now()) {
            let fate = self.draw(index, &mut bmc);
            let route = Route {
                from: SocketAddrV4::new(address, port),
                to: self.machines.address(index),
            };
            self.send(fate, route, datagram, socket, late);
        }
        if let Some(at) = bmc.take_alarm() {
            late(at, Due::Alarm(index));
        }
    }

    fn draw(&self, index: usize, bmc: &mut Bmc) -> Fate {
        let mut fate = Fate::default();
        for fault in self.options.faults.strike(index, bmc.count_datagram()) {
            match fault {
                Fault::Delay(time) | Fault::Reorder(time) => fate.pause += time,
                Fault::Drop => fate.copies = 0,
                Fault::Duplicate => fate.copies *= 2,
                Fault::Reboot(time) => fate.reboots = Some(time),
                Fault::OtherSession => fate.misled = true,
                // Those of the whole BMC: it was made with them.
                _ => {}
            }
        }
        fate
    }

    fn send(
        &self,
        fate: Fate,
        route: Route,
        mut datagram: Vec<u8>,
        socket: &Datagrams,
        late: &mut dyn FnMut(Instant, Due),
    ) {
        if fate.misled {
            lies::other_session(&mut datagram);
        }
        for _ in 0..fate.copies {
            if fate.pause.is_zero() {
                // A network that takes no more loses it.
                let _ = socket.answer(&datagram, route);
            } else {
                let at = Instant::now() + fate.pause;
                late(at, Due::Datagram(route, datagram.clone()));
            }
        }
    }

    /// Does what is due when its time has come, until nobody can bring more.
    fn do_late(&self, socket: &Datagrams, incoming: &Receiver<Late>) {
        let mut waiting: BinaryHeap<Reverse<Late>> = BinaryHeap::new();
        loop {
            let now = Instant::now();
            while waiting.peek().is_some_and(|Reverse(late)| late.at <= now) {
                let Some(Reverse(Late { what, .. })) = waiting.pop() else {
                    break;
                };
                match what {
                    Due::Datagram(route, datagram) => drop(socket.answer(&datagram, route)),
                    Due::Alarm(index) => self.wake(index, socket, &mut |at, what| {
                        waiting.push(Reverse(Late { at, what }));
                    }),
                }
            }
            let next = waiting.peek().map(|Reverse(late)| late.at);
            let pause = next.map_or(Duration::from_secs(3600), |at| {
                at.saturating_duration_since(now)
            });
            match incoming.recv_timeout(pause) {
                Ok(late) if waiting.len() < LATE || matches!(late.what, Due::Alarm(_)) => {
                    waiting.push(Reverse(late));
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
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
