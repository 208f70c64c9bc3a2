//! What machines are made of: a row for each, a row that like machines share, or all of it.

use xcat3_core::hardware::{Drive, Inventory, MemoryModule, Processor};

use super::{Told, or_dash, together};
use crate::plain::plain;

pub const HEADERS: [&str; 9] = [
    "NODE",
    "MODEL",
    "SERIAL",
    "BIOS",
    "BMC",
    "PROCESSORS",
    "MEMORY",
    "DRIVES",
    "NICS",
];
/// What like machines share.
pub const SHARED: [&str; 6] = ["MODEL", "BIOS", "BMC", "PROCESSORS", "MEMORY", "DRIVES"];

/// The row of one machine.
pub fn row(all: &Inventory) -> Told {
    let mut row = like(all);
    row.insert(1, or_dash(all.serial.as_deref()));
    row.push(nics(all));
    Told::rows(vec![row], &all.notes)
}

/// The row that machines share which are alike.
pub fn shared(all: &Inventory) -> Told {
    Told::rows(vec![like(all)], &all.notes)
}

fn like(all: &Inventory) -> Vec<String> {
    let bmc = all.bmc.as_ref().and_then(|bmc| bmc.firmware.as_deref());
    vec![
        together(&[all.manufacturer.as_deref(), all.model.as_deref()]),
        or_dash(all.bios_version.as_deref()),
        or_dash(bmc),
        counted(all.processors.iter().map(processor)),
        or_dash(all.memory_mib.map(mib).as_deref()),
        counted(all.drives.iter().map(drive)),
    ]
}

/// Things that are the same, counted: `2x this, that`.
fn counted(things: impl Iterator<Item = String>) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for thing in things {
        match counts.iter_mut().find(|(known, _)| *known == thing) {
            Some((_, count)) => *count += 1,
            None => counts.push((thing, 1)),
        }
    }
    let text = |(thing, count): &(String, usize)| match count {
        1 => thing.clone(),
        count => format!("{count}x {thing}"),
    };
    or_dash(Some(
        &counts.iter().map(text).collect::<Vec<_>>().join(", "),
    ))
}

fn processor(processor: &Processor) -> String {
    let cores = processor.cores.map(|cores| format!("{cores} cores"));
    together(&[processor.model.as_deref(), cores.as_deref()])
}

fn drive(drive: &Drive) -> String {
    let size = drive.bytes.map(bytes);
    together(&[
        size.as_deref(),
        drive.protocol.as_deref(),
        drive.media.as_deref(),
    ])
}

fn nics(all: &Inventory) -> String {
    let first = all.nics.iter().find_map(|nic| nic.mac.as_deref());
    match (all.nics.len(), first) {
        (0, _) => "-".to_owned(),
        (count, None) => count.to_string(),
        (1, Some(mac)) => mac.to_owned(),
        (count, Some(mac)) => format!("{mac} +{}", count - 1),
    }
}

fn mib(mib: u64) -> String {
    match mib {
        0..1024 => format!("{mib} MiB"),
        _ if mib.is_multiple_of(1024) => format!("{} GiB", mib / 1024),
        _ => format!("{:.1} GiB", mib as f64 / 1024.0),
    }
}

/// In the units of those who sell drives.
fn bytes(bytes: u64) -> String {
    let (unit, word) = match bytes {
        0..1_000_000_000 => (1e6, "MB"),
        1_000_000_000..1_000_000_000_000 => (1e9, "GB"),
        _ => (1e12, "TB"),
    };
    let size = format!("{:.2}", bytes as f64 / unit);
    let size = size.trim_end_matches('0').trim_end_matches('.');
    format!("{size} {word}")
}

/// All that a machine is made of, below its name.
pub fn all(node: &str, all: &Inventory) -> Told {
    let mut text = Text(format!("{node}:\n"));
    for (name, value) in [
        ("Manufacturer", &all.manufacturer),
        ("Model", &all.model),
        ("Serial", &all.serial),
        ("Part number", &all.part_number),
        ("Asset tag", &all.asset_tag),
        ("UUID", &all.uuid),
        ("BIOS", &all.bios_version),
    ] {
        text.field(name, value.as_deref());
    }
    if let Some(bmc) = &all.bmc {
        let made = together(&[bmc.manufacturer.as_deref(), bmc.model.as_deref()]);
        text.list(
            "BMC",
            &[Some(&made), bmc.firmware.as_deref(), bmc.mac.as_deref()],
        );
    }
    if let Some(boot) = &all.secure_boot {
        let on = boot.enabled.map(|on| if on { "on" } else { "off" });
        text.list("Secure Boot", &[on, boot.mode.as_deref()]);
    }
    text.field("Memory", all.memory_mib.map(mib).as_deref());
    parts(all, &mut text);
    boards(all, &mut text);
    let mut told = Told::rows(Vec::new(), &all.notes);
    told.text = text.0 + "\n";
    told
}

fn parts(all: &Inventory, text: &mut Text) {
    for cpu in &all.processors {
        let mhz = cpu.mhz.map(|mhz| format!("{mhz} MHz"));
        let threads = cpu.threads.map(|threads| format!("{threads} threads"));
        let what = processor(cpu);
        let place = format!("Processor {}", cpu.name);
        text.list(&place, &[Some(&what), threads.as_deref(), mhz.as_deref()]);
    }
    for module in &all.memory {
        let MemoryModule {
            slot,
            kind,
            manufacturer,
            part_number,
            serial,
            ..
        } = module;
        let (size, mhz) = (
            module.mib.map(mib),
            module.mhz.map(|mhz| format!("{mhz} MHz")),
        );
        let known = [&size, kind, &mhz, manufacturer, part_number, serial];
        text.list(
            &format!("Memory {slot}"),
            &known.map(|known| known.as_deref()),
        );
    }
    for one in &all.drives {
        let what = drive(one);
        let place = format!("Drive {}", one.name);
        text.list(
            &place,
            &[Some(&what), one.model.as_deref(), one.serial.as_deref()],
        );
    }
    for nic in &all.nics {
        let link = nic.link.map(|link| if link { "link" } else { "no link" });
        let speed = nic
            .mbps
            .filter(|mbps| *mbps > 0)
            .map(|mbps| format!("{mbps} Mbit/s"));
        let place = format!("Nic {}", nic.name);
        text.list(&place, &[nic.mac.as_deref(), link, speed.as_deref()]);
    }
    for firmware in &all.firmware {
        text.field(
            &format!("Firmware {}", firmware.name),
            firmware.version.as_deref(),
        );
    }
}

fn boards(all: &Inventory, text: &mut Text) {
    for board in &all.boards {
        let known = [
            &board.manufacturer,
            &board.product,
            &board.serial,
            &board.part_number,
            &board.version,
        ];
        text.list(
            &format!("Board {}", board.name),
            &known.map(|known| known.as_deref()),
        );
        for (name, value) in &board.fields {
            text.field(&format!("  {name}"), Some(value));
        }
    }
}

/// Lines below a node's name. What BMCs say is made plain.
struct Text(String);

impl Text {
    fn field(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let (name, value) = (plain(name), plain(value));
            self.0.push_str(&format!("  {name}: {value}\n"));
        }
    }

    fn list(&mut self, name: &str, values: &[Option<&str>]) {
        let known = values.iter().copied().flatten();
        let known: Vec<&str> = known
            .filter(|text| !text.is_empty() && *text != "-")
            .collect();
        self.field(name, Some(known.join(", ").as_str()));
    }
}
