//! The worker's side: it ends with its parent, says that it lives and what it is about, and runs the
//! service until it is told to end.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::process::ExitCode;

use anyhow::Context;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::link::{Hello, Said, parse_lost};
use super::{BEAT, CANNOT_START};
use crate::slot::{Condition, Slot};
use crate::{Config, StateDir, logging, shutdown};

/// What a worker is given by its parent.
pub struct Worker {
    /// The configuration.
    pub config: Config,
    /// The state directory, which the parent keeps others out of.
    pub state: StateDir,
    /// Its place among the workers of this host.
    pub slot: Slot,
    /// The socket that the workers share, bound and maybe not yet listening.
    pub socket: Option<OwnedFd>,
    /// Runs of other workers of this host that are no more.
    pub lost: UnboundedReceiver<Uuid>,
    /// Cancelled when it is to end.
    pub shutdown: CancellationToken,
}

/// Runs worker `number` of the daemon `name`: `service` until it ends.
pub(crate) fn run<Run, Running>(name: &str, number: u32, debug: bool, service: Run) -> ExitCode
where
    Run: FnOnce(Worker) -> Running,
    Running: Future<Output = anyhow::Result<()>>,
{
    let (hello, socket, stream) = match meet_parent(number) {
        Ok(met) => met,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            return ExitCode::from(CANNOT_START);
        }
    };
    logging::start(&logging::Choice {
        level: hello.config.general().log,
        label: Some(format!("worker {number}")),
        ..logging::Choice::new(debug)
    });
    let slot = Slot::new(
        &hello.config.host(),
        hello.worker,
        hello.workers,
        hello.instance,
    );
    let condition = slot.condition();
    match serve(hello, socket, stream, slot, service) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            if *condition.borrow() == Condition::Serving {
                ExitCode::FAILURE
            } else {
                ExitCode::from(CANNOT_START)
            }
        }
    }
}

fn meet_parent(number: u32) -> anyhow::Result<(Hello, Option<OwnedFd>, StdStream)> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .context("cannot tie the worker to its parent")?;
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let (hello, socket) = Hello::receive(&stdin)
        .context("--worker is for the daemon itself, which starts its workers so")?;
    // A parent that died before the signal was asked for sends none.
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get());
    anyhow::ensure!(
        hello.worker == number && parent == Some(hello.parent),
        "the parent of worker {number} is gone"
    );
    Ok((hello, socket, StdStream::from(stdin)))
}

fn serve<Run, Running>(
    hello: Hello,
    socket: Option<OwnedFd>,
    stream: StdStream,
    slot: Slot,
    service: Run,
) -> anyhow::Result<()>
where
    Run: FnOnce(Worker) -> Running,
    Running: Future<Output = anyhow::Result<()>>,
{
    let state = StateDir::open(&hello.state)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    runtime.block_on(async {
        let shutdown = shutdown::on_signal().context("cannot listen for signals")?;
        ignore_hangups()?;
        stream.set_nonblocking(true)?;
        let (from, to) = UnixStream::from_std(stream)?.into_split();
        let (found, lost) = unbounded_channel();
        tokio::spawn(listen(from, found));
        tokio::spawn(speak(to, slot.clone()));
        let worker = Worker {
            config: hello.config,
            state,
            slot,
            socket,
            lost,
            shutdown,
        };
        service(worker).await
    })
}

/// SIGHUP is for the parent; one that is sent to all processes must not end the workers.
fn ignore_hangups() -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    tokio::spawn(async move { while hangup.recv().await.is_some() {} });
    Ok(())
}

/// Tells the parent that this process lives and what it is about. It is a task among those of the
/// service, so that it falls silent when they no longer get their turn.
async fn speak(to: OwnedWriteHalf, slot: Slot) {
    let mut condition = slot.condition();
    condition.mark_changed();
    let mut beats = tokio::time::interval(BEAT);
    loop {
        let said = tokio::select! {
            _ = beats.tick() => Said::Beat,
            _ = condition.changed() => Said::Is(condition.borrow_and_update().clone()),
        };
        if write(&to, said.line().as_bytes()).await.is_err() {
            tracing::error!("the parent is gone: ending at once");
            std::process::exit(1);
        }
    }
}

async fn write(to: &OwnedWriteHalf, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn listen(from: OwnedReadHalf, found: UnboundedSender<Uuid>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(instance) = parse_lost(&line)
            && found.send(instance).is_err()
        {
            // The service does not care.
        }
    }
}
