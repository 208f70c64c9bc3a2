//! The end-to-end test that runs everywhere: the small guest, with each firmware, from power on by
//! way of our DHCP, TFTP and HTTP to a login, the callback, and its disk.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::journey::{Site, Size, Traveller};
use crate::lab::Lab;
use crate::lab::guest::Firmware;
use crate::media::{DISK_SAYS, Medium};
use crate::product::Product;
use crate::report::{Phases, say};

/// Emulated, on a machine that compiles at the same time.
const BOOT_WITHIN: Duration = Duration::from_secs(150);
const READY: &str = "small-guest: ready for ssh";

/// Boots a small guest with each of the firmwares.
pub fn run(directory: &Path, cache: &Path, firmwares: &[Firmware]) -> Result<()> {
    let mut phases = Phases::default();
    let iso = Medium::Small.iso(cache)?;
    let lab = Lab::start(&directory.join("lab"), &iso)?;
    let product = Product::start(&directory.join("product"), None).context("starting xcat3d")?;
    let mut site = Site { lab, product };
    say(format_args!("guests run on {:?}", site.lab.acceleration));
    phases.end("start lab and xcat3d");
    let image = site
        .prepare(&iso)
        .inspect_err(|_| say(site.evidence(None)))?;
    phases.end("network, import, password");
    let (mut passed, mut failed) = (0, Vec::new());
    for (number, &firmware) in (1..).zip(firmwares) {
        say(format_args!("\n=== {} ===", firmware.name()));
        match boot(&mut site, number, firmware, &image) {
            Ok(()) => passed += 1,
            Err(error) => {
                say(format_args!("FAILED: {error:#}"));
                failed.push(firmware.name());
            }
        }
        phases.end(firmware.name());
    }
    say(format_args!(
        "\n{}\n{passed} passed, {} failed",
        phases.table(),
        failed.len()
    ));
    ensure!(
        failed.is_empty(),
        "these firmwares did not boot as they should: {}",
        failed.join(", ")
    );
    Ok(())
}

fn boot(site: &mut Site, number: u8, firmware: Firmware, image: &str) -> Result<()> {
    // One processor: QEMU's emulation of several is what crashes now and then.
    let memory = if firmware == Firmware::UefiSnponly {
        1024
    } else {
        512
    };
    let mut node = site.enrol(
        number,
        &Size {
            firmware,
            processors: 1,
            memory,
            disk: 1,
        },
    )?;
    let result = travel(site, &mut node, firmware, image);
    if result.is_err() {
        say(site.evidence(Some(&mut node)));
    }
    // The next firmware has the machine for itself.
    let _ = site.product.run(&["xcat3", "power", &node.name, "off"]);
    result
}

fn travel(site: &mut Site, node: &mut Traveller, firmware: Firmware, image: &str) -> Result<()> {
    let name = node.name.clone();
    power(site, &name, "status", "off")?;
    site.product
        .run(&["xcat3", "deploy", &name, "--osimage", image])?;
    if firmware == Firmware::BiosUndionly {
        say("\nxcat3d is killed and started again; it still knows of the deploy");
        site.product.kill_daemon()?;
        site.product.start_daemon()?;
    }
    let started = Instant::now();
    let note = |what: &str| {
        say(format_args!(
            "{:>7.1} s  {what}",
            started.elapsed().as_secs_f64()
        ));
    };
    site.product.run(&["xcat3", "power", &name, "on"])?;
    let mut phases = BTreeSet::new();
    site.follow(node, BOOT_WITHIN, |node, view| {
        if let Some(phase) = view
            .phase
            .as_ref()
            .filter(|phase| phases.insert((*phase).clone()))
        {
            note(&format!(
                "{phase}: {}",
                view.detail.as_deref().unwrap_or_default()
            ));
        }
        view.is("deployed") && node.guest.console.has(READY)
    })?;
    note("deployed");
    power(site, &name, "status", "on")?;
    let script = "hostname; . /etc/os-release; echo \"$PRETTY_NAME\"; cut -d' ' -f1 /proc/uptime";
    let answer = site.ssh(node, script, Duration::from_secs(30))?;
    note(&format!(
        "ssh {}: {}",
        node.ip,
        answer.trim().replace('\n', ", ")
    ));
    ensure!(
        answer.starts_with(&format!("{name}\n")),
        "its name is not {name}: {answer}"
    );
    ensure!(
        answer.contains("small guest"),
        "another system answers: {answer}"
    );
    site.ssh(
        node,
        "(sleep 1; reboot -f) >/dev/null 2>&1 &",
        Duration::from_secs(10),
    )?;
    // The disk that the small guest writes starts from a BIOS only.
    let says = if firmware == Firmware::UefiSnponly {
        "boots its disk"
    } else {
        DISK_SAYS
    };
    site.hear(node, says, BOOT_WITHIN)
        .context("after the install")?;
    note("boots from disk");
    ensure!(
        site.product.node(&name)?.is("deployed"),
        "the node did not stay deployed"
    );
    Ok(())
}

/// Runs `xcat3 power NODE TARGET` and checks its answer.
fn power(site: &Site, name: &str, target: &str, expected: &str) -> Result<()> {
    let answer = site.product.run(&["xcat3", "power", name, target])?;
    ensure!(
        answer.contains(&format!("{name}: {expected}")),
        "{name} is not {expected}"
    );
    Ok(())
}
