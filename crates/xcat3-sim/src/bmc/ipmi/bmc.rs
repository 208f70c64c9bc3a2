//! One BMC: its sessions, and what it keeps that is not the machine's.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use xcat3_ipmi::bmc::{Incoming, Sessions, Setup, User};
use xcat3_ipmi::{CipherSuite, Command, Completion, Request, Secret};

use super::boot::BootOptions;
use super::commands;
use super::device::guid;
use super::faults::Fault;
use super::lies::Lies;
use super::sol::SerialOverLan;
use super::{Level, Options};
use crate::bmc::machine::Machines;

/// Get Session Info.
const SESSION_INFO: Command = Command::new(0x06, 0x3d);
/// The privilege level of an account that may not log in (22.27).
pub(super) const NO_ACCESS: u8 = 0x0f;

/// The BMC.
pub(super) struct Bmc {
    sessions: Sessions,
    /// How long a restart takes.
    restart_time: Duration,
    /// It restarts until then.
    restarts_until: Option<Instant>,
    datagrams: u64,
    /// [`Bmc::wake`] will be called.
    has_alarm: bool,
    pub(super) keeps: Keeps,
}

/// Address and port of a console.
pub(super) type Console = (Ipv4Addr, u16);
/// A datagram and the console that it goes to.
pub(super) type Datagram = (Console, Vec<u8>);

/// How a BMC is that has the faults of its machine.
struct Flawed {
    level: Option<Level>,
    suites: Vec<CipherSuite>,
    slots: usize,
    lies: Lies,
}

impl Flawed {
    fn new(options: &Options, index: usize) -> Self {
        let mut flawed = Self {
            level: Some(options.level),
            suites: CipherSuite::ALL.to_vec(),
            slots: options.slots,
            lies: Lies::default(),
        };
        for fault in options.faults.of(index) {
            match fault {
                Fault::Cipher(suite) => flawed.suites = suite.into_iter().collect(),
                Fault::NoPrivilege(level) => flawed.level = flawed.level.min(level),
                Fault::SlotsFull => flawed.slots = 0,
                Fault::LyingFru => flawed.lies.fru = true,
                Fault::LyingSdr => flawed.lies.sdr = true,
                _ => {}
            }
        }
        flawed
    }
}

/// What a BMC keeps between requests, beyond the machine's state.
pub(super) struct Keeps {
    /// The machine's number.
    pub(super) index: usize,
    /// Names and highest levels of its users.
    pub(super) accounts: Vec<(Vec<u8>, u8)>,
    /// The cipher suites that it offers.
    pub(super) suites: Vec<CipherSuite>,
    /// Its slots for sessions.
    pub(super) slots: usize,
    /// The port that it is asked on.
    pub(super) port: u16,
    pub(super) sol: SerialOverLan,
    /// What it lies about.
    pub(super) lies: Lies,
    /// It is to restart.
    pub(super) restarts: bool,
    pub(super) boot: BootOptions,
    /// Reservation of the event log, 0: none was made or it was cancelled.
    pub(super) log_reservation: u16,
    /// Reservation of the sensor data records.
    pub(super) record_reservation: u16,
    /// When the event log was cleared last, as seconds since 1970.
    pub(super) log_erased: u32,
}

/// Who asks.
pub(super) struct Asker {
    /// Address and port of the console.
    pub(super) console: Console,
    /// The number of the session.
    pub(super) session: u32,
    /// Its privilege level.
    pub(super) level: u8,
    /// When.
    pub(super) now: Instant,
    /// Number, user and level of the sessions that are open, for who asks for them.
    pub(super) open: Vec<(u32, Vec<u8>, u8)>,
}

fn user(name: &str, password: &str, level: u8) -> User {
    User {
        name: name.as_bytes().to_vec(),
        // That it fits was seen to before.
        password: Secret::new(password.as_bytes())
            .or_else(|| Secret::new(&[]))
            .expect("the empty password fits"),
        level,
    }
}

impl Bmc {
    /// `port`: the one that it answers on.
    pub(super) fn new(machines: &Machines, index: usize, port: u16, options: &Options) -> Self {
        let password = if options.faults.has_wrong_password(index) {
            format!("other{index}")
        } else {
            options.password.clone()
        };
        let flawed = Flawed::new(options, index);
        let level = |level| {
            flawed
                .level
                .map_or(NO_ACCESS, |most| most.min(level).number())
        };
        let mut users = vec![user(&options.user, &password, level(options.level))];
        let others = options.users.iter();
        users.extend(others.map(|other| user(&other.name, &other.password, level(other.level))));
        let accounts = users.iter().map(|user| (user.name.clone(), user.level));
        let accounts = accounts.collect();
        let setup = Setup {
            users,
            bmc_key: None,
            guid: guid(&machines.machine(index).uuid),
            suites: flawed.suites.clone(),
            slots: flawed.slots,
        };
        Self {
            sessions: Sessions::new(setup, rand::random).with_idle_timeout(options.idle),
            restart_time: options.restart_time,
            restarts_until: None,
            datagrams: 0,
            has_alarm: false,
            keeps: Keeps {
                index,
                accounts,
                suites: flawed.suites,
                slots: options.slots,
                port,
                sol: SerialOverLan::default(),
                lies: flawed.lies,
                restarts: false,
                boot: BootOptions::default(),
                log_reservation: 0,
                record_reservation: 0,
                log_erased: 0,
            },
        }
    }

    /// The number of the datagram that has come.
    pub(super) const fn count_datagram(&mut self) -> u64 {
        self.datagrams += 1;
        self.datagrams
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn forget(&mut self) {
        self.sessions.clear();
        self.keeps.sol.forget();
    }

    /// Restarts: it is silent until then, and has no sessions any more.
    pub(super) fn reboot(&mut self, until: Instant) {
        self.forget();
        self.restarts_until = Some(until);
    }

    /// When [`Bmc::wake`] is to be called; told once.
    pub(super) fn take_alarm(&mut self) -> Option<Instant> {
        if self.has_alarm {
            return None;
        }
        let alarm = self.keeps.sol.deadline();
        self.has_alarm = alarm.is_some();
        alarm
    }

    /// The time that [`Bmc::take_alarm`] told has come.
    pub(super) fn wake(&mut self, now: Instant) -> Vec<Datagram> {
        self.has_alarm = false;
        let session = self.keeps.sol.session();
        if session.is_some_and(|session| !self.sessions.is_open(session, now)) {
            self.keeps.sol.forget();
        }
        self.keeps.sol.expire(now);
        self.characters().collect()
    }

    /// The datagrams that follow from one.
    pub(super) fn receive(
        &mut self,
        datagram: &[u8],
        machines: &Machines,
        console: Console,
        now: Instant,
    ) -> Vec<Datagram> {
        if self.restarts_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        self.restarts_until = None;
        let Ok(incoming) = self.sessions.receive(datagram, now) else {
            return Vec::new();
        };
        let session = self.keeps.sol.session();
        if session.is_some_and(|session| !self.sessions.is_open(session, now)) {
            self.keeps.sol.forget();
        }
        let answer = match incoming {
            Incoming::Reply(answer) => Some(answer),
            Incoming::Request {
                session,
                level,
                request,
            } => {
                let asker = Asker {
                    console,
                    session,
                    level,
                    now,
                    open: self.open_for(&request, now),
                };
                self.carry_out(machines, &asker, &request)
            }
            Incoming::Sol { session, payload } => {
                self.keeps.sol.receive(session, console, &payload, now);
                None
            }
        };
        let answer = answer.map(|answer| (console, answer));
        answer.into_iter().chain(self.characters()).collect()
    }

    /// The open sessions, where the request is about them.
    fn open_for(&self, request: &Request, now: Instant) -> Vec<(u32, Vec<u8>, u8)> {
        if request.command != SESSION_INFO {
            return Vec::new();
        }
        let open = self.sessions.list(now).into_iter();
        open.map(|(number, user, level)| (number, user.to_vec(), level))
            .collect()
    }

    fn carry_out(
        &mut self,
        machines: &Machines,
        asker: &Asker,
        request: &Request,
    ) -> Option<Vec<u8>> {
        let answer = commands::answer(&mut self.keeps, machines, asker, request);
        let (completion, data) = match answer {
            Ok(data) => (Completion::OK, data),
            Err(completion) => (completion, Vec::new()),
        };
        let response = request.response(completion, data);
        let datagram = self.sessions.respond(asker.session, &response);
        if std::mem::take(&mut self.keeps.restarts) {
            self.reboot(asker.now + self.restart_time);
        }
        datagram
    }

    /// Datagrams of serial over LAN that are due.
    fn characters(&mut self) -> impl Iterator<Item = Datagram> + '_ {
        let due = std::iter::from_fn(|| self.keeps.sol.transmit());
        due.filter_map(|(session, console, payload)| {
            Some((console, self.sessions.seal_sol(session, &payload)?))
        })
    }
}
