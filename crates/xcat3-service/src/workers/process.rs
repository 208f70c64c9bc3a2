//! One worker process as its parent sees it: started, listened to, told to end, waited for.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::link::{Hello, Said, lost};
use crate::slot::Condition;
use uuid::Uuid;

/// How workers are started: the same program with the same arguments and `--worker K`.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) program: PathBuf,
    /// The name by which it was called, which `ps` shows.
    pub(crate) name: OsString,
    pub(crate) arguments: Vec<OsString>,
}

/// What systemd says to the process that it started, which only the parent answers.
const FOR_THE_PARENT: [&str; 6] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
];

/// What happened to a process.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) worker: u32,
    pub(crate) serial: u64,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Said(Said),
    Ended(ExitStatus),
}

enum Order {
    Signal(Signal),
    Lost(Uuid),
}

/// A worker process that runs, or whose end was not heard of yet.
pub(crate) struct Process {
    pub(crate) worker: u32,
    /// Tells apart all processes that this parent ever started.
    pub(crate) serial: u64,
    /// Of which configuration it is.
    pub(crate) generation: u64,
    pub(crate) pid: u32,
    pub(crate) instance: Uuid,
    pub(crate) since: Instant,
    pub(crate) condition: Condition,
    /// When it last said anything.
    pub(crate) heard: Instant,
    /// When it was told to end: until when it may take.
    pub(crate) end_by: Option<Instant>,
    killed: bool,
    orders: UnboundedSender<Order>,
}

impl Process {
    /// Starts a worker.
    pub(crate) fn start(
        recipe: &Recipe,
        hello: &Hello,
        descriptor: Option<&Arc<OwnedFd>>,
        (generation, serial): (u64, u64),
        events: &UnboundedSender<Event>,
    ) -> io::Result<Self> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        hello.send(&ours, descriptor.map(AsFd::as_fd))?;
        let mut command = Command::new(&recipe.program);
        command
            .arg0(&recipe.name)
            .args(&recipe.arguments)
            .arg("--worker")
            .arg(hello.worker.to_string())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            // A signal from the terminal is for the parent, which tells the workers.
            .process_group(0)
            .kill_on_drop(true);
        for name in FOR_THE_PARENT {
            command.env_remove(name);
        }
        let child = command.spawn()?;
        let pid = child.id().unwrap_or_default();
        let stream = UnixStream::from_std(ours)?;
        let (orders, taken) = unbounded_channel();
        let (worker, events) = (hello.worker, events.clone());
        let tell = move |what| {
            let event = Event {
                worker,
                serial,
                what,
            };
            events.send(event).is_ok()
        };
        tokio::spawn(attend(child, stream, taken, tell));
        Ok(Self {
            worker,
            serial,
            generation,
            pid,
            instance: hello.instance,
            since: Instant::now(),
            condition: Condition::Starting,
            heard: Instant::now(),
            end_by: None,
            killed: false,
            orders,
        })
    }

    pub(crate) fn is_serving(&self) -> bool {
        self.condition == Condition::Serving
    }

    /// Tells it to end in good order, within `patience`.
    pub(crate) fn dismiss(&mut self, patience: Duration) {
        self.end_by = Some(Instant::now() + patience);
        self.order(Order::Signal(Signal::TERM));
    }

    /// Ends it at once. Returns whether this is news.
    pub(crate) fn kill(&mut self) -> bool {
        let news = !self.killed;
        self.killed = true;
        self.order(Order::Signal(Signal::KILL));
        news
    }

    /// Tells it that the run `instance` of another worker is no more.
    pub(crate) fn tell_lost(&self, instance: Uuid) {
        self.order(Order::Lost(instance));
    }

    fn order(&self, order: Order) {
        // Nobody takes orders any more where it has ended, of which an event tells.
        let _ = self.orders.send(order);
    }
}

/// Attends to a process until it has ended. It is signalled only from here, where it is known not to
/// have been waited for: its number is still its own.
async fn attend(
    mut child: Child,
    stream: UnixStream,
    mut orders: UnboundedReceiver<Order>,
    tell: impl Fn(What) -> bool,
) {
    let (from, to) = stream.into_split();
    let mut lines = BufReader::new(from).lines();
    let mut listening = true;
    let ended = loop {
        tokio::select! {
            biased;
            line = lines.next_line(), if listening => match line {
                Ok(Some(line)) => {
                    if let Some(said) = Said::parse(&line) {
                        tell(What::Said(said));
                    }
                }
                _ => listening = false,
            },
            ended = child.wait() => break ended,
            Some(order) = orders.recv() => match order {
                Order::Signal(signal) => send(&child, signal),
                // What does not fit into its buffer it would not read in time either.
                Order::Lost(instance) => drop(to.try_write(lost(instance).as_bytes())),
            },
        }
    };
    match ended {
        Ok(status) => drop(tell(What::Ended(status))),
        Err(error) => tracing::error!(%error, "cannot wait for a worker"),
    }
}

fn send(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    if let Some(pid) = pid
        && let Err(error) = kill_process(pid, signal)
    {
        tracing::warn!(%error, pid = pid.as_raw_nonzero().get(), "cannot signal a worker");
    }
}
