//! One place among the workers of a daemon: the process that has it, the one that is to take it over,
//! those that leave it, and when a process that died is followed by another.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::Instant;

use super::Pace;
use super::backoff::Backoff;
use super::process::Process;

/// A place among the workers.
pub(crate) struct Place {
    /// Who has it.
    pub(crate) holder: Option<Process>,
    /// Who has it once it serves.
    pub(crate) successor: Option<Process>,
    /// Who was told to end.
    pub(crate) leaving: Vec<Process>,
    /// Before that nobody is started.
    pub(crate) start_at: Option<Instant>,
    backoff: Backoff,
}

impl Place {
    /// A place that nobody has.
    pub(crate) fn new(pace: &Pace) -> Self {
        Self {
            holder: None,
            successor: None,
            leaving: Vec::new(),
            start_at: None,
            backoff: Backoff::new(pace.first_wait, pace.longest_wait, pace.well_after),
        }
    }

    pub(crate) fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        self.holder
            .iter_mut()
            .chain(&mut self.successor)
            .chain(&mut self.leaving)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.holder.is_none() && self.successor.is_none() && self.leaving.is_empty()
    }

    /// Whether its holder is of `generation` and serves.
    pub(crate) fn serves(&self, generation: u64) -> bool {
        let holder = self.holder.as_ref();
        holder.is_some_and(|process| process.generation == generation && process.is_serving())
    }

    /// Tells all who are there to end within `patience`.
    pub(crate) fn clear(&mut self, patience: Duration) {
        let all = self.holder.take().into_iter().chain(self.successor.take());
        for mut process in all {
            process.dismiss(patience);
            self.leaving.push(process);
        }
    }

    /// The successor serves: it takes over.
    pub(crate) fn hand_over(&mut self, patience: Duration) {
        if let Some(successor) = self.successor.take()
            && let Some(mut former) = self.holder.replace(successor)
        {
            former.dismiss(patience);
            self.leaving.push(former);
        }
    }

    /// Takes out the process `serial`, which has ended, and whether it was to.
    pub(crate) fn remove(&mut self, serial: u64) -> Option<(Process, bool)> {
        if let Some(at) = self.leaving.iter().position(|one| one.serial == serial) {
            return Some((self.leaving.swap_remove(at), true));
        }
        let died = self.successor.take_if(|one| one.serial == serial);
        let died = died.or_else(|| self.holder.take_if(|one| one.serial == serial));
        if self.holder.is_none() {
            self.holder = self.successor.take();
        }
        died.map(|process| (process, false))
    }

    /// Notes that one died after it `ran`, and gives the wait until another is started.
    pub(crate) fn wait_after(&mut self, ran: Duration) -> Duration {
        let wait = self.backoff.after(ran);
        self.start_at = Some(Instant::now() + wait);
        wait
    }
}

/// How a process ended, in words.
pub(crate) fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => {
            let name = rustix::process::Signal::from_named_raw(signal).map_or("", name);
            format!("signal {signal}{name}")
        }
        (None, None) => status.to_string(),
    }
}

fn name(signal: rustix::process::Signal) -> &'static str {
    use rustix::process::Signal;
    match signal {
        Signal::KILL => " (SIGKILL)",
        Signal::TERM => " (SIGTERM)",
        Signal::INT => " (SIGINT)",
        Signal::SEGV => " (SIGSEGV)",
        Signal::ABORT => " (SIGABRT)",
        Signal::BUS => " (SIGBUS)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_process_is_told_in_words() {
        assert_eq!(told(ExitStatus::from_raw(9)), "signal 9 (SIGKILL)");
        assert_eq!(told(ExitStatus::from_raw(0x4e00)), "exit code 78");
        assert_eq!(told(ExitStatus::from_raw(16)), "signal 16");
    }
}
