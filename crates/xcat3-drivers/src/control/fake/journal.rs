//! What fake machines remember: a file to which every process of a host appends what it did to them,
//! a line each, `<ms since 1970> <process> <node> <action>`.
//!
//! Whoever acts reads first what others appended since. Lines are appended whole, those of one call
//! in one write, which the system does not mix with the writes of others; a line that was torn all the
//! same (a full disk, a host that went down) is passed over, and so is an empty one. A reader may find
//! a write half done. The file outlives processes that are
//! killed; it is not forced to the disk.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use xcat3_core::{BootDevice, NodeName, PowerState, PowerTarget};

use super::super::{ControlOperation, lacks};

/// From this size on a journal is compacted at the next start: about a million actions.
const LARGE: u64 = 32 << 20;
/// No line is longer.
const LONGEST_LINE: usize = 256;

/// Where a machine stands. A new one is off and boots its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Machine {
    power: PowerState,
    device: BootDevice,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            power: PowerState::Off,
            device: BootDevice::Disk,
        }
    }
}

/// A journal that is open, and where all machines in it stand.
#[derive(Debug)]
pub(super) struct Journal {
    /// Its shared lock says that the file is in use.
    file: File,
    /// Up to where it was read.
    read: u64,
    /// The beginning of a line whose end was not there yet.
    torn: Vec<u8>,
    machines: HashMap<Box<str>, Machine>,
}

/// The answer of a machine, or the reason why it can't do what it was asked.
pub(super) type Answer = Result<&'static str, Cow<'static, str>>;

impl Journal {
    /// Opens the journal at `path`, makes it where there is none, and compacts it where it is large
    /// and no other process has it open.
    ///
    /// # Errors
    /// The file can't be opened or read.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::open_compacting(path, LARGE)
    }

    fn open_compacting(path: &Path, mut large: u64) -> io::Result<Self> {
        loop {
            let file = open(path)?;
            match file.try_lock() {
                Ok(()) if file.metadata()?.len() >= large => {
                    compact(path, file)?;
                    // However much is left, once is enough.
                    large = u64::MAX;
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {
                    // Another may be compacting it: then the name is that of another file now.
                    file.lock_shared()?;
                    if is_at(&file, path)? {
                        let mut journal = Self::of(file);
                        journal.catch_up()?;
                        return Ok(journal);
                    }
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    fn of(file: File) -> Self {
        Self {
            file,
            read: 0,
            torn: Vec::new(),
            machines: HashMap::new(),
        }
    }

    /// Does `operation` to the machines of `nodes`, and gives their answers in the same order.
    ///
    /// # Errors
    /// The file can't be read or written; nothing was done.
    pub(super) fn act(
        &mut self,
        operation: &ControlOperation,
        nodes: &[&NodeName],
    ) -> io::Result<Vec<Answer>> {
        self.catch_up()?;
        let mut lines = String::new();
        if !self.torn.is_empty() {
            // Its writer died over it, or is not done yet: then the rest stands before what follows
            // here. What it says in full holds in either case.
            let torn = self.torn.clone();
            self.replay(&torn);
            lines.push('\n');
        }
        let (now, process) = (now_ms(), std::process::id());
        let mut answers = Vec::with_capacity(nodes.len());
        for node in nodes {
            let answer = match step(operation, self.machine(node.as_str())) {
                Step::Answer(answer) => answer,
                Step::Act(action) => {
                    self.apply(node.as_str(), action);
                    let action = action.as_str();
                    // Writing to a string can't fail.
                    let _ = writeln!(lines, "{now} {process} {node} {action}");
                    Ok("ok")
                }
            };
            answers.push(answer);
        }
        if lines.len() > 1 {
            self.append(lines.as_bytes())?;
        }
        Ok(answers)
    }

    fn machine(&self, node: &str) -> Machine {
        self.machines.get(node).copied().unwrap_or_default()
    }

    fn apply(&mut self, node: &str, action: Action) {
        // Most are there already, and looking up needs no copy of the name.
        match self.machines.get_mut(node) {
            Some(machine) => machine.apply(action),
            None => {
                let mut machine = Machine::default();
                machine.apply(action);
                self.machines.insert(node.into(), machine);
            }
        }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(lines);
        let end = self.file.stream_position();
        match written.and(end) {
            // Nobody else wrote in between, so that there is nothing to be read.
            Ok(end) if end == self.read + lines.len() as u64 => {
                self.read = end;
                self.torn.clear();
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => {
                // What is true is what the file says.
                *self = Self::of(self.file.try_clone()?);
                Err(error)
            }
        }
    }

    /// Reads what was appended since the last time.
    fn catch_up(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() == self.read {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.read))?;
        let mut chunk = vec![0; 256 << 10];
        loop {
            let length = self.file.read(&mut chunk)?;
            if length == 0 {
                return Ok(());
            }
            self.read += length as u64;
            let mut rest = &chunk[..length];
            while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
                let line = std::mem::take(&mut self.torn);
                match line.is_empty() {
                    true => self.replay(&rest[..end]),
                    false => self.replay(&[&line, &rest[..end]].concat()),
                }
                rest = &rest[end + 1..];
            }
            // Of what is too long to be a line the beginning suffices to know it.
            let room = LONGEST_LINE.saturating_sub(self.torn.len());
            self.torn.extend_from_slice(&rest[..rest.len().min(room)]);
        }
    }

    /// Takes in a line. One that is torn says nothing.
    fn replay(&mut self, line: &[u8]) {
        if line.len() >= LONGEST_LINE {
            return;
        }
        let mut words = line.split(|&byte| byte == b' ').skip(2);
        let (Some(node), Some(action), None) = (words.next(), words.next(), words.next()) else {
            return;
        };
        let (Ok(node), Ok(action)) = (str::from_utf8(node), str::from_utf8(action)) else {
            return;
        };
        if let Some(action) = Action::parse(action) {
            self.apply(node, action);
        }
    }
}

/// What is done to a machine, as its line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Power(PowerTarget),
    Boot(BootDevice),
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Power(target) => target.as_str(),
            Self::Boot(device) => device.as_str(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let power = text.parse().map(Self::Power);
        power.or_else(|_| text.parse().map(Self::Boot)).ok()
    }
}

impl Machine {
    fn apply(&mut self, action: Action) {
        match action {
            Action::Power(PowerTarget::Off | PowerTarget::Soft) => self.power = PowerState::Off,
            Action::Power(
                PowerTarget::On | PowerTarget::Boot | PowerTarget::Reset | PowerTarget::Cycle,
            ) => {
                self.power = PowerState::On;
            }
            Action::Boot(device) => self.device = device,
        }
    }
}

/// What an operation comes to.
enum Step {
    /// This answer; nothing is done.
    Answer(Answer),
    /// This.
    Act(Action),
}

fn step(operation: &ControlOperation, machine: Machine) -> Step {
    match operation {
        ControlOperation::PowerStatus => Step::Answer(Ok(machine.power.as_str())),
        ControlOperation::BootDeviceStatus => Step::Answer(Ok(machine.device.as_str())),
        ControlOperation::Power(PowerTarget::Reset) if machine.power == PowerState::Off => {
            Step::Answer(Err(Cow::Borrowed(
                "the fake machine is off: it can be switched on or booted, but not reset",
            )))
        }
        ControlOperation::Power(target) => Step::Act(Action::Power(*target)),
        ControlOperation::SetBootDevice(order) => Step::Act(Action::Boot(order.device)),
        other => Step::Answer(Err(Cow::Owned(lacks("fake", other)))),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let of = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match path.metadata() {
        Ok(there) => Ok(of(there) == of(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Puts in the place of the journal `file`, which nobody else has open, one that says only where
/// each machine stands.
fn compact(path: &Path, file: File) -> io::Result<()> {
    if !is_at(&file, path)? {
        return Ok(());
    }
    let mut journal = Journal::of(file);
    journal.catch_up()?;
    let mut lines = String::new();
    let (now, process) = (now_ms(), std::process::id());
    for (node, machine) in &journal.machines {
        let power = machine.power.as_str();
        let device = machine.device.as_str();
        // Writing to a string can't fail.
        let _ = writeln!(lines, "{now} {process} {node} {power}");
        let _ = writeln!(lines, "{now} {process} {node} {device}");
    }
    let beside = path.with_extension("compacted");
    std::fs::write(&beside, lines)?;
    std::fs::rename(&beside, path)
}

fn now_ms() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_millis()
}

#[cfg(test)]
mod tests;
