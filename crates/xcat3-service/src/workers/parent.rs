//! The parent: keeps as many workers as the configuration says, all of the newest configuration.
//!
//! One loop hears of everything (a worker said something or ended, a signal came, a time is up) and
//! after each brings what runs in line with what should ([`Parent::arrange`]). Configurations are
//! numbered; workers of an older one are replaced place by place, so that the others go on serving.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use uuid::Uuid;

use super::link::{Hello, Said};
use super::place::{Place, told};
use super::process::{Event, Process, Recipe, What};
use super::{CANNOT_START, Daemon, Handover, Supervision};
use crate::daemon::Arguments;
use crate::slot::Condition;
use crate::systemd::Systemd;
use crate::{Config, StateDir, daemon, logging};

/// The loop looks around at least so often.
const LOOK: Duration = Duration::from_secs(1);
/// How long a daemon that starts waits for its address. The workers of one that was killed are ended by the
/// system, a moment after it, and hold the address until then.
const ORPHANS_END_WITHIN: Duration = Duration::from_secs(3);

/// What all workers are given, as of the newest configuration.
struct Given {
    config: Config,
    supervision: Supervision,
    state: StateDir,
    socket: Option<(SocketAddr, Arc<OwnedFd>)>,
}

struct Parent<'a> {
    daemon: &'a Daemon,
    recipe: Recipe,
    given: Given,
    generation: u64,
    started: u64,
    places: Vec<Place>,
    events: UnboundedSender<Event>,
    systemd: Systemd,
    /// Whether all workers ever served.
    was_ready: bool,
    /// Whether workers are being replaced and systemd waits to hear that they were.
    reloading: bool,
    stopping: bool,
    /// A worker could not even start: the daemon can't.
    failed: bool,
    woke: Instant,
    pinged: Option<Instant>,
}

enum Told {
    Of(Event),
    ToStop(&'static str),
    ToReload,
    Nothing,
}

/// Runs the parent of `daemon` until it was told to stop and every worker has ended.
pub(super) fn run(
    daemon: &Daemon,
    arguments: &Arguments,
    read: impl Fn() -> anyhow::Result<Config>,
) -> anyhow::Result<()> {
    let config = read()?;
    let supervision = (daemon.supervision)(&config)?;
    logging::set_level(config.general().log);
    let state = daemon::state_dir(arguments, &config)?;
    let _lock = state.lock(daemon.kind.as_str())?;
    // One thread: the system takes the thread that started a worker for its parent.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    runtime.block_on(async {
        let (events, heard) = unbounded_channel();
        let given = Given {
            socket: socket(daemon, &supervision, ORPHANS_END_WITHIN)?,
            config,
            supervision,
            state,
        };
        let parent = Parent {
            daemon,
            recipe: Recipe {
                program: std::env::current_exe().context("cannot find this program")?,
                name: std::env::args_os()
                    .next()
                    .unwrap_or_else(|| daemon.name.into()),
                arguments: std::env::args_os().skip(1).collect(),
            },
            given,
            generation: 1,
            started: 0,
            places: Vec::new(),
            events,
            systemd: Systemd::of_environment(),
            was_ready: false,
            reloading: false,
            stopping: false,
            failed: false,
            woke: Instant::now(),
            pinged: None,
        };
        parent.run(heard, arguments, &read).await
    })
}

fn socket(
    daemon: &Daemon,
    supervision: &Supervision,
    patience: Duration,
) -> anyhow::Result<Option<(SocketAddr, Arc<OwnedFd>)>> {
    let (Some(bind), Some(address)) = (daemon.bind, supervision.listen) else {
        return Ok(None);
    };
    Ok(Some((address, Arc::new(bind(address, patience)?))))
}

impl Parent<'_> {
    async fn run(
        mut self,
        mut heard: UnboundedReceiver<Event>,
        arguments: &Arguments,
        read: &impl Fn() -> anyhow::Result<Config>,
    ) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        loop {
            self.arrange();
            if self.stopping && self.places.iter().all(Place::is_empty) {
                break;
            }
            let told = tokio::select! {
                Some(event) = heard.recv() => Told::Of(event),
                _ = terminate.recv() => Told::ToStop("SIGTERM"),
                _ = interrupt.recv() => Told::ToStop("SIGINT"),
                _ = hangup.recv() => Told::ToReload,
                () = tokio::time::sleep_until(self.next_look()) => Told::Nothing,
            };
            match told {
                Told::Of(event) => self.hear(event),
                Told::ToStop(name) if self.stopping => {
                    tracing::warn!(signal = name, "told to stop twice: ending at once");
                    std::process::exit(1);
                }
                Told::ToStop(name) => {
                    tracing::info!(signal = name, "stopping");
                    self.stop();
                }
                Told::ToReload => self.reload(arguments, read),
                Told::Nothing => {}
            }
        }
        anyhow::ensure!(!self.failed, "a worker cannot start: it said why above");
        tracing::info!("all workers have ended");
        Ok(())
    }

    fn stop(&mut self) {
        self.stopping = true;
        let patience = self.daemon.patience(&self.given.supervision);
        self.systemd.stopping(patience + self.daemon.pace.margin);
        self.systemd.status("stopping");
    }

    /// Reads the configuration again. One that is wrong changes nothing.
    fn reload(&mut self, arguments: &Arguments, read: &impl Fn() -> anyhow::Result<Config>) {
        if self.stopping {
            return;
        }
        match read().and_then(|config| self.take(config, arguments)) {
            Ok(()) => {
                self.generation += 1;
                self.reloading = true;
                self.systemd.reloading();
                tracing::info!("the configuration was read again: replacing the workers in turn");
            }
            Err(error) => {
                tracing::error!("the configuration stays as it was: {error:#}");
            }
        }
    }

    /// Takes over a configuration for workers that start from now on.
    fn take(&mut self, config: Config, arguments: &Arguments) -> anyhow::Result<()> {
        let supervision = (self.daemon.supervision)(&config)?;
        let listens = self.given.socket.as_ref().map(|(address, _)| *address);
        if listens != supervision.listen {
            self.given.socket = socket(self.daemon, &supervision, Duration::ZERO)?;
        }
        if daemon::state_path(arguments, &config)? != self.given.state.path() {
            tracing::warn!("state_dir changed, which takes effect when the daemon is started anew");
        }
        logging::set_level(config.general().log);
        self.given.config = config;
        self.given.supervision = supervision;
        Ok(())
    }

    fn hear(&mut self, event: Event) {
        let Some(place) = self.places.get_mut(event.worker as usize) else {
            return;
        };
        match event.what {
            What::Ended(status) => self.bury(event.worker, event.serial, status),
            What::Said(said) => {
                let mut processes = place.processes();
                let Some(process) = processes.find(|one| one.serial == event.serial) else {
                    return;
                };
                process.heard = Instant::now();
                if let Said::Is(condition) = said {
                    if condition == Condition::Serving {
                        tracing::info!(worker = event.worker, pid = process.pid, "it serves");
                    }
                    process.condition = condition;
                }
            }
        }
    }

    /// A process has ended.
    fn bury(&mut self, worker: u32, serial: u64, status: ExitStatus) {
        let place = &mut self.places[worker as usize];
        let Some((process, was_told)) = place.remove(serial) else {
            return;
        };
        let (pid, end) = (process.pid, told(status));
        if was_told {
            tracing::info!(worker, pid, "it has ended: {end}");
        } else if status.code() == Some(CANNOT_START.into()) && !self.was_ready {
            // What is wrong now was wrong from the start: somebody waits to hear so.
            self.failed = true;
            self.stop();
        } else {
            let wait = place.wait_after(process.since.elapsed());
            let again = wait.as_millis();
            tracing::warn!(
                worker,
                pid,
                "a worker died ({end}): another starts in {again} ms"
            );
        }
        if !status.success() {
            self.tell_lost(&process);
        }
    }

    /// Has another worker sign off one that could not do it itself.
    fn tell_lost(&mut self, lost: &Process) {
        let mut holders = self.places.iter().filter_map(|place| place.holder.as_ref());
        if let Some(other) = holders.find(|holder| holder.is_serving()) {
            other.tell_lost(lost.instance);
        }
    }

    /// Brings what runs in line with what should.
    fn arrange(&mut self) {
        let now = Instant::now();
        self.end_the_overdue(now);
        let wanted = match self.stopping {
            true => 0,
            false => self.given.supervision.workers.count() as usize,
        };
        let patience = self.daemon.patience(&self.given.supervision);
        for place in self.places.iter_mut().skip(wanted) {
            place.clear(patience);
        }
        while self.places.len() > wanted && self.places.last().is_some_and(Place::is_empty) {
            self.places.pop();
        }
        while self.places.len() < wanted {
            self.places.push(Place::new(&self.daemon.pace));
        }
        let mut its_turn = true;
        for worker in 0..wanted {
            self.fill(worker, its_turn, now);
            its_turn = its_turn && self.places[worker].serves(self.generation);
        }
        if !self.stopping {
            self.tell_systemd(wanted, its_turn, now);
        }
    }

    /// Sees to it that somebody has a place and, in its turn, that it is a worker of the newest
    /// configuration.
    fn fill(&mut self, worker: usize, its_turn: bool, now: Instant) {
        let generation = self.generation;
        let patience = self.daemon.patience(&self.given.supervision);
        let handover = self.daemon.handover();
        let place = &mut self.places[worker];
        let may_start = place.start_at.is_none_or(|at| at <= now);
        match &place.holder {
            None if handover == Handover::EndFirst && !place.leaving.is_empty() => {}
            None if may_start => self.places[worker].holder = self.start(worker),
            Some(holder) if holder.generation < generation && its_turn => match handover {
                Handover::EndFirst => place.clear(patience),
                Handover::StartFirst => match &mut place.successor {
                    None if may_start => self.places[worker].successor = self.start(worker),
                    Some(next) if next.generation < generation => {
                        // The configuration changed again meanwhile.
                        next.dismiss(patience);
                        place.leaving.extend(place.successor.take());
                    }
                    Some(next) if next.is_serving() => place.hand_over(patience),
                    _ => {}
                },
            },
            _ => {}
        }
    }

    fn start(&mut self, worker: usize) -> Option<Process> {
        let number = u32::try_from(worker).unwrap_or(u32::MAX);
        let hello = Hello {
            parent: std::process::id().cast_signed(),
            worker: number,
            workers: self.given.supervision.workers.count(),
            instance: Uuid::new_v4(),
            state: self.given.state.path().to_owned(),
            config: self.given.config.clone(),
        };
        let socket = self.given.socket.as_ref().map(|(_, socket)| socket);
        self.started += 1;
        let of = (self.generation, self.started);
        match Process::start(&self.recipe, &hello, socket, of, &self.events) {
            Ok(process) => {
                tracing::info!(worker, pid = process.pid, "started a worker");
                self.places[worker].start_at = None;
                Some(process)
            }
            Err(error) => {
                let wait = self.places[worker].wait_after(Duration::ZERO);
                let again = wait.as_millis();
                tracing::error!(worker, %error, "cannot start a worker: trying again in {again} ms");
                None
            }
        }
    }

    /// Kills who was told to end and did not, and who fell silent.
    fn end_the_overdue(&mut self, now: Instant) {
        let silence = self.daemon.pace.silence;
        // Who was stopped itself could hear nobody.
        let was_away = now - self.woke > LOOK + silence / 4;
        self.woke = now;
        for process in self.places.iter_mut().flat_map(Place::processes) {
            let (worker, pid) = (process.worker, process.pid);
            if was_away {
                process.heard = now;
            }
            let why = match process.end_by {
                Some(end) if end <= now => "it did not end in time",
                None if now - process.heard > silence => "there was no sign of life for too long",
                _ => continue,
            };
            if process.kill() {
                tracing::error!(worker, pid, "killing a worker: {why}");
            }
        }
    }

    fn tell_systemd(&mut self, wanted: usize, all_new: bool, now: Instant) {
        let leaving = self.places.iter().any(|place| !place.leaving.is_empty());
        let status = self.status(wanted);
        if all_new && (!self.was_ready || (self.reloading && !leaving)) {
            tracing::info!("{status}");
            self.systemd.ready(&status);
            self.was_ready = true;
            self.reloading = false;
        }
        self.systemd.status(&status);
        let Some(beat) = self.systemd.beat() else {
            return;
        };
        if self.pinged.is_none_or(|pinged| now - pinged >= beat / 2) && !self.has_a_hung_one(now) {
            self.systemd.alive();
            self.pinged = Some(now);
        }
    }

    /// Whether a worker is silent and could not even be killed.
    fn has_a_hung_one(&mut self, now: Instant) -> bool {
        let limit = self.daemon.pace.silence + self.daemon.pace.margin;
        let mut all = self.places.iter_mut().flat_map(Place::processes);
        all.any(|process| process.end_by.is_none() && now - process.heard > limit)
    }

    fn status(&self, wanted: usize) -> String {
        let holders = || self.places.iter().filter_map(|place| place.holder.as_ref());
        let serving = holders().filter(|holder| holder.is_serving()).count();
        let mut status = format!("{serving} of {wanted} workers serve");
        let waiting = holders().find_map(|holder| match &holder.condition {
            Condition::Waiting(sentence) => Some(sentence),
            _ => None,
        });
        if let Some(sentence) = waiting {
            status.push_str("; ");
            status.push_str(sentence);
        }
        status
    }

    /// When something is due though nobody says anything.
    fn next_look(&mut self) -> Instant {
        let now = Instant::now();
        let beat = self.systemd.beat().map_or(LOOK, |beat| beat / 2);
        let mut next = now + LOOK.min(beat).min(self.daemon.pace.silence / 4);
        for place in &mut self.places {
            let due = place.start_at.into_iter();
            let ends: Vec<Instant> = place.processes().filter_map(|one| one.end_by).collect();
            for at in due.chain(ends).filter(|at| *at > now) {
                next = next.min(at);
            }
        }
        next
    }
}
