//! The simulated machines: what a BMC knows and can set, whatever it is asked by. Made from their number,
//! so that the same number is the same machine in every run.

pub(crate) mod facts;
mod log;
mod sensors;
mod varying;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) use self::facts::bios;
pub use self::log::{Event, Happening, MOST_EVENTS, Severity};
pub use self::sensors::{Part, SENSORS, Sensor, SensorKind, State};
use self::varying::Varying;

/// What a machine can be told to boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootTarget {
    /// The network, by PXE.
    Net,
    /// The disk.
    Disk,
    /// A CD, real or virtual.
    Cdrom,
    /// The firmware's setup.
    Setup,
    /// The network, by UEFI HTTP boot.
    Http,
    /// A USB stick.
    Usb,
    /// The vendor's diagnostics.
    Diagnostics,
    /// The UEFI shell.
    Shell,
}

/// What is booted instead of the usual order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootOverride {
    /// What is booted.
    pub target: BootTarget,
    /// Whether it stays after the next boot.
    pub persistent: bool,
    /// Whether by UEFI.
    pub uefi: bool,
}

/// A virtual drive.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its id.
    pub name: &'static str,
    /// What it takes: `CD`, `DVD`, `USBStick`.
    pub kinds: &'static [&'static str],
    /// The image that is in it.
    pub image: Option<String>,
}

/// One simulated machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Whether it is on.
    pub power: bool,
    /// What it boots instead of the usual.
    pub boot: Option<BootOverride>,
    /// The URI of UEFI HTTP boot.
    pub http_boot: Option<String>,
    /// What stops to be booted by itself, and when.
    pub boot_until: Option<(Instant, BootOverride)>,
    /// Whether its LED blinks.
    pub beacon: bool,
    /// Until when it blinks, where it does not do so for ever.
    pub beacon_until: Option<Instant>,
    /// Who made it.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// Its part number.
    pub part_number: String,
    /// The owner's tag.
    pub asset_tag: String,
    /// Its UUID.
    pub uuid: String,
    /// The BMC's UUID.
    pub bmc_uuid: String,
    /// The firmware's version.
    pub bios_version: String,
    /// The addresses of its network interfaces.
    pub macs: Vec<String>,
    /// The address of the BMC's interface.
    pub bmc_mac: String,
    /// Why it was restarted last.
    pub restart_cause: RestartCause,
    /// What it does when it gets power again.
    pub restore: RestorePolicy,
    /// Its sensors.
    pub sensors: Vec<Sensor>,
    /// The states of its parts.
    pub states: Vec<State>,
    /// Its log, the oldest event first, at most [`MOST_EVENTS`].
    pub events: Vec<Event>,
    /// Whether events were lost because the log was full.
    pub events_lost: bool,
    /// Its BIOS attributes.
    pub bios: BTreeMap<String, Value>,
    /// Those that hold from the next boot on.
    pub bios_pending: BTreeMap<String, Value>,
    /// Its virtual drives.
    pub media: Vec<Slot>,
    /// Whether secure boot is wanted.
    pub secure_boot: bool,
    /// How long its operating system takes to shut down.
    soft_time: Duration,
    /// When it will have shut down.
    off_at: Option<Instant>,
    on_since: Option<Instant>,
    on_before: Duration,
    varying: Option<Varying>,
}

/// Why a machine was restarted (28.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartCause {
    /// It was not yet.
    Unknown,
    /// The BMC was told to.
    Command,
    /// Its power button was pushed.
    Button,
}

/// What a machine does when it gets power again after an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestorePolicy {
    /// It stays off.
    Off,
    /// It becomes what it was.
    Previous,
    /// It goes on.
    On,
}

impl Machine {
    /// Turns it on; one that is on stays as it is.
    pub fn turn_on(&mut self) {
        if !self.power {
            self.restart();
        }
    }

    /// Turns it off.
    pub fn turn_off(&mut self) {
        self.off_at = None;
        if !self.power {
            return;
        }
        self.on_before = self.time_on();
        self.on_since = None;
        self.is_switched();
        self.power = false;
        let message = "The system was powered off.".to_owned();
        self.note(
            log::now(),
            Severity::Ok,
            "Power",
            message,
            Happening::Power(false),
        );
    }

    /// Asks its operating system to shut down, which takes a while.
    pub fn shut_down(&mut self) {
        if self.power && self.off_at.is_none() {
            self.off_at = Some(Instant::now() + self.soft_time);
            self.pass_time();
        }
    }

    /// Boots it, from off or from on: what was to hold once is used up, BIOS attributes that were pending
    /// hold.
    pub fn restart(&mut self) {
        self.restart_cause = RestartCause::Command;
        self.off_at = None;
        if self.power {
            let message = "The system was restarted.".to_owned();
            self.note(
                log::now(),
                Severity::Ok,
                "Power",
                message,
                Happening::Restarted,
            );
        } else {
            self.on_since = Some(Instant::now());
            self.is_switched();
            self.power = true;
            let message = "The system was powered on.".to_owned();
            self.note(
                log::now(),
                Severity::Ok,
                "Power",
                message,
                Happening::Power(true),
            );
        }
        self.boot_until = None;
        let pending = std::mem::take(&mut self.bios_pending);
        self.bios.extend(pending);
        if self.boot.is_some_and(|boot| !boot.persistent) {
            self.boot = None;
        }
    }

    /// Pushes its power button.
    pub fn push_button(&mut self) {
        if self.power {
            self.shut_down();
        } else {
            self.turn_on();
            self.restart_cause = RestartCause::Button;
        }
    }

    /// How long it has been on in its life.
    #[must_use]
    pub fn time_on(&self) -> Duration {
        let now = self
            .on_since
            .map_or(Duration::ZERO, |since| since.elapsed());
        self.on_before + now
    }

    /// Lets the LED blink from now on: until then, or for ever.
    pub const fn blink(&mut self, until: Option<Instant>) {
        self.beacon = true;
        self.beacon_until = until;
    }

    /// Ends what was to last until now.
    fn pass_time(&mut self) {
        if self.beacon_until.is_none() && self.boot_until.is_none() && self.off_at.is_none() {
            return;
        }
        let now = Instant::now();
        if self.off_at.is_some_and(|at| at <= now) {
            self.turn_off();
        }
        if !self.beacon || self.beacon_until.is_some_and(|until| until <= now) {
            self.beacon_until = None;
            self.beacon = false;
        }
        if let Some((until, boot)) = self.boot_until
            && until <= now
        {
            self.boot_until = None;
            // Unless something else was set since.
            self.boot = self.boot.filter(|now| *now != boot);
        }
    }
}

/// All machines: one an address, from the first on.
pub struct Machines {
    base: Ipv4Addr,
    all: Vec<Mutex<Machine>>,
    started: Instant,
    /// How far their time is ahead, milliseconds.
    ahead: AtomicU64,
}

impl Machines {
    /// So many machines from this address on. Their readings stay as they are.
    #[must_use]
    pub fn new(base: Ipv4Addr, count: usize) -> Self {
        let machine = |index| Mutex::new(facts::machine(index));
        Self {
            base,
            all: (0..count).map(machine).collect(),
            started: Instant::now(),
            ahead: AtomicU64::new(0),
        }
    }

    /// Has readings and states go with the time from now on.
    #[must_use]
    pub fn varying(mut self) -> Self {
        for (index, machine) in self.all.iter_mut().enumerate() {
            let machine = machine.get_mut().unwrap_or_else(PoisonError::into_inner);
            machine.varying = Some(Varying::new(index));
            machine.vary(0);
        }
        self
    }

    /// Has operating systems take so long to shut down.
    #[must_use]
    pub fn with_soft_time(mut self, time: Duration) -> Self {
        for machine in &mut self.all {
            let machine = machine.get_mut().unwrap_or_else(PoisonError::into_inner);
            machine.soft_time = time;
        }
        self
    }

    /// Lets time pass for the readings of machines that vary.
    pub fn advance(&self, time: Duration) {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.ahead.fetch_add(time, Ordering::Relaxed);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Which machine answers at the address.
    #[must_use]
    pub fn index_of(&self, address: Ipv4Addr) -> Option<usize> {
        let distance = u32::from(address).checked_sub(u32::from(self.base))?;
        let index = usize::try_from(distance).ok()?;
        (index < self.all.len()).then_some(index)
    }

    /// The address of a machine's BMC.
    #[must_use]
    pub fn address(&self, index: usize) -> Ipv4Addr {
        let offset = u32::try_from(index).unwrap_or(u32::MAX);
        Ipv4Addr::from(u32::from(self.base).wrapping_add(offset))
    }

    /// A machine.
    pub fn machine(&self, index: usize) -> MutexGuard<'_, Machine> {
        let machine = self.all[index].lock();
        let mut machine = machine.unwrap_or_else(PoisonError::into_inner);
        machine.pass_time();
        let ahead = Duration::from_millis(self.ahead.load(Ordering::Relaxed));
        machine.vary((self.started.elapsed() + ahead).as_secs());
        machine
    }
}
