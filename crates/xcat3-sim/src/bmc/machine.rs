//! The simulated machines: what a BMC knows and can set, whatever it is asked by. Made from their number,
//! so that the same number is the same machine in every run.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

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

/// What a sensor measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorKind {
    /// Degrees Celsius.
    Temperature,
    /// Revolutions a minute.
    Fan,
    /// Volts.
    Voltage,
    /// Watts.
    Power,
}

/// A sensor and what it says.
#[derive(Clone, Debug)]
pub struct Sensor {
    /// Its name.
    pub name: &'static str,
    /// What it measures.
    pub kind: SensorKind,
    /// What it measures now, in the unit of its kind.
    pub value: f64,
    /// Above it something is wrong.
    pub upper: Option<f64>,
}

/// How bad an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is wrong.
    Ok,
    /// Something should be looked at.
    Warning,
    /// Something is broken.
    Critical,
}

/// An event of the log.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number.
    pub id: u32,
    /// When, as seconds since 1970.
    pub time: u64,
    /// How bad it is.
    pub severity: Severity,
    /// Which sensor or part.
    pub source: String,
    /// What happened.
    pub message: String,
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
    /// Its sensors.
    pub sensors: Vec<Sensor>,
    /// Its log.
    pub events: Vec<Event>,
    /// Its BIOS attributes.
    pub bios: BTreeMap<String, Value>,
    /// Those that hold from the next boot on.
    pub bios_pending: BTreeMap<String, Value>,
    /// Its virtual drives.
    pub media: Vec<Slot>,
    /// Whether secure boot is wanted.
    pub secure_boot: bool,
}

impl Machine {
    /// Turns it on; one that is on stays as it is.
    pub fn turn_on(&mut self) {
        if !self.power {
            self.restart();
        }
    }

    /// Turns it off.
    pub const fn turn_off(&mut self) {
        self.power = false;
    }

    /// Boots it, from off or from on: what was to hold once is used up, BIOS attributes that were pending
    /// hold.
    pub fn restart(&mut self) {
        self.power = true;
        self.boot_until = None;
        let pending = std::mem::take(&mut self.bios_pending);
        self.bios.extend(pending);
        if self.boot.is_some_and(|boot| !boot.persistent) {
            self.boot = None;
        }
    }

    /// Lets the LED blink from now on: until then, or for ever.
    pub const fn blink(&mut self, until: Option<Instant>) {
        self.beacon = true;
        self.beacon_until = until;
    }

    /// Ends what was to last until now.
    fn pass_time(&mut self) {
        if self.beacon_until.is_none() && self.boot_until.is_none() {
            return;
        }
        let now = Instant::now();
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

    /// Notes an event.
    pub fn event(&mut self, severity: Severity, source: &str, message: &str) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH);
        self.events.push(Event {
            id: self.events.last().map_or(0, |last| last.id) + 1,
            time: time.map_or(0, |time| time.as_secs()),
            severity,
            source: source.to_owned(),
            message: message.to_owned(),
        });
    }
}

/// All machines: one an address, from the first on.
pub struct Machines {
    base: Ipv4Addr,
    all: Vec<Mutex<Machine>>,
}

impl Machines {
    /// So many machines from this address on.
    #[must_use]
    pub fn new(base: Ipv4Addr, count: usize) -> Self {
        Self {
            base,
            all: (0..count).map(|index| Mutex::new(machine(index))).collect(),
        }
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
        machine
    }
}

fn machine(index: usize) -> Machine {
    let uuid = |kind: u8| {
        let mut bytes = [kind; 16];
        bytes[8..].copy_from_slice(&(index as u64).to_be_bytes());
        let text = hex::encode(bytes);
        let cut = [
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..],
        ];
        cut.join("-")
    };
    Machine {
        power: false,
        boot: None,
        http_boot: None,
        boot_until: None,
        beacon: false,
        beacon_until: None,
        manufacturer: "Simulated Systems".to_owned(),
        model: "S1000".to_owned(),
        serial: format!("SIM{index:07}"),
        part_number: "S1000-A".to_owned(),
        asset_tag: String::new(),
        uuid: uuid(0x11),
        bmc_uuid: uuid(0x22),
        bios_version: "1.2.3".to_owned(),
        macs: (0..2).map(|nic| mac(index, nic)).collect(),
        bmc_mac: mac(index, 255),
        sensors: sensors(index),
        events: events(),
        bios: bios(),
        bios_pending: BTreeMap::new(),
        media: vec![
            Slot {
                name: "CD1",
                kinds: &["CD", "DVD"],
                image: None,
            },
            Slot {
                name: "USB1",
                kinds: &["USBStick"],
                image: None,
            },
        ],
        secure_boot: false,
    }
}

fn mac(index: usize, nic: u8) -> String {
    let [.., a, b, c] = (index as u64).to_be_bytes();
    format!("02:{nic:02x}:00:{a:02x}:{b:02x}:{c:02x}")
}

#[allow(clippy::cast_precision_loss)]
fn sensors(index: usize) -> Vec<Sensor> {
    let drift = (index % 10) as f64;
    let sensor = |name, kind, value, upper| Sensor {
        name,
        kind,
        value,
        upper,
    };
    vec![
        sensor(
            "Inlet Temp",
            SensorKind::Temperature,
            22.0 + drift,
            Some(45.0),
        ),
        sensor(
            "CPU1 Temp",
            SensorKind::Temperature,
            48.0 + drift,
            Some(95.0),
        ),
        sensor("Fan 1", SensorKind::Fan, 4200.0 + 10.0 * drift, None),
        sensor("Fan 2", SensorKind::Fan, 4300.0 + 10.0 * drift, None),
        sensor("P12V", SensorKind::Voltage, 12.1, Some(13.2)),
        sensor("Total Power", SensorKind::Power, 240.0 + drift, None),
    ]
}

fn events() -> Vec<Event> {
    let event = |id, time, severity, source: &str, message: &str| Event {
        id,
        time,
        severity,
        source: source.to_owned(),
        message: message.to_owned(),
    };
    vec![
        event(
            1,
            1_767_225_600,
            Severity::Ok,
            "SEL",
            "The log was cleared.",
        ),
        event(
            2,
            1_767_225_660,
            Severity::Warning,
            "PS2",
            "Power supply 2 lost its input.",
        ),
        event(
            3,
            1_767_225_720,
            Severity::Ok,
            "PS2",
            "Power supply 2 has its input again.",
        ),
    ]
}

/// The BIOS attributes of a machine from the factory.
pub(crate) fn bios() -> BTreeMap<String, Value> {
    let attributes = [
        ("BootMode", Value::from("Uefi")),
        ("ProcVirtualization", Value::from("Enabled")),
        ("ProcHyperthreading", Value::from("Enabled")),
        ("NumaNodesPerSocket", Value::from(1)),
        ("AdminPhone", Value::from("")),
        ("QuietBoot", Value::from(true)),
    ];
    let named = attributes.map(|(name, value)| (name.to_owned(), value));
    named.into_iter().collect()
}
