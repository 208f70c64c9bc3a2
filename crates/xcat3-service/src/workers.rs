//! Worker processes: a small parent starts them, starts again what died, hands over a configuration
//! that changed, and ends them; a worker runs the service.
//!
//! The parent ([`parent`]) runs no service and opens neither database nor bus, so that there is little
//! which could end it. `docs/daemons.md` says what operators see of this.

mod backoff;
mod child;
mod link;
mod parent;
mod place;
mod process;

use std::future::Future;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;

use xcat3_core::ServiceKind;
use xcat3_core::setting::Seconds;

use crate::config::{ConfigError, Workers};
use crate::daemon::Arguments;
use crate::{Config, logging};

pub use child::Worker;

/// How often a worker says that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// The exit code of a worker that could not begin to serve, for a reason which it said (`EX_CONFIG`
/// of sysexits.h).
const CANNOT_START: u8 = 78;

/// A daemon that has worker processes.
pub struct Daemon {
    /// Its name, as `ps` shows it.
    pub name: &'static str,
    /// What it is there for.
    pub kind: ServiceKind,
    /// Reads the sections of the configuration that the service uses: refuses values that are not understood.
    pub supervision: fn(&Config) -> Result<Supervision, ConfigError>,
    /// How the one socket that all workers share is bound, where there is one, and how long to wait for
    /// an address that is in use.
    pub bind: Option<fn(SocketAddr, Duration) -> anyhow::Result<OwnedFd>>,
    /// How patient the parent is.
    pub pace: Pace,
}

/// What a parent needs to know of the settings of its service.
#[derive(Clone, Copy, Debug)]
pub struct Supervision {
    /// How many workers there are to be.
    pub workers: Workers,
    /// How long a worker that was told to end may go on with what is under way.
    pub drain: Seconds,
    /// The address that all workers share, where the daemon has one.
    pub listen: Option<SocketAddr>,
}

/// How patient a parent is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The wait before a worker that died is started again; doubles with each death.
    pub first_wait: Duration,
    /// The longest such wait.
    pub longest_wait: Duration,
    /// Who ran for so long begins with the first wait again.
    pub well_after: Duration,
    /// A worker that says nothing for so long is killed.
    pub silence: Duration,
    /// What a worker may take to end beyond the time in which it drains.
    pub margin: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(30),
            well_after: Duration::from_secs(60),
            silence: Duration::from_secs(30),
            margin: Duration::from_secs(10),
        }
    }
}

/// In which order a worker makes way for its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handover {
    /// The successor serves before the worker is told to end: there is no gap.
    StartFirst,
    /// The worker has ended before its successor starts: they would act under one name.
    EndFirst,
}

impl Daemon {
    /// The daemon `name` of a kind, without a socket that its workers share.
    #[must_use]
    pub fn new(
        name: &'static str,
        kind: ServiceKind,
        supervision: fn(&Config) -> Result<Supervision, ConfigError>,
    ) -> Self {
        Self {
            name,
            kind,
            supervision,
            bind: None,
            pace: Pace::default(),
        }
    }

    /// How long a worker may take to end.
    fn patience(&self, supervision: &Supervision) -> Duration {
        supervision.drain.duration() + self.pace.margin
    }

    /// Only the API's workers share all that they hold. Two conductors of one name would take each
    /// other's reservations, two network services would answer one broadcast twice.
    fn handover(&self) -> Handover {
        match self.kind {
            ServiceKind::Api => Handover::StartFirst,
            ServiceKind::Conductor | ServiceKind::Network => Handover::EndFirst,
        }
    }
}

/// Runs the daemon: as the parent, or, where the arguments say so, as a worker which runs `service`.
///
/// `read` reads the configuration, at the start and whenever it is to be read again; what it refuses
/// is no configuration.
pub fn main<Run, Running>(
    daemon: &Daemon,
    arguments: &Arguments,
    read: impl Fn() -> anyhow::Result<Config>,
    service: Run,
) -> ExitCode
where
    Run: FnOnce(Worker) -> Running,
    Running: Future<Output = anyhow::Result<()>>,
{
    if let Some(number) = arguments.worker {
        return child::run(daemon.name, number, arguments.debug, service);
    }
    logging::start(&logging::Choice::new(arguments.debug));
    match parent::run(daemon, arguments, read) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", daemon.name);
            ExitCode::FAILURE
        }
    }
}
