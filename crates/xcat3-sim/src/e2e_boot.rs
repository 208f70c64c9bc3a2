//! The end-to-end test that runs everywhere: the small guest, with each firmware, from power on by
//! way of our DHCP, TFTP and HTTP to a login, the callback, and its disk.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::journey::{Site, Traveller};
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
    let site = Site { lab, product };
    say(format_args!("guests run on {:?}", site.lab.acceleration));
    phases.end("start lab and xcat3d");
    let image = site
        .prepare(&iso)
        .inspect_err(|_| say(site.evidence(None)))?;
    phases.end("network, import, password");
    let (mut passed, mut failed) = (0, Vec::new());
    for (number, &firmware) in (1..).zip(firmwares) {
        say(format_args!("\n=== {} ===", firmware.name()));
        match boot(&site, number, firmware, &image) {
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

fn boot(site: &Site, number: u8, firmware: Firmware, image: &str) -> Result<()> {
    let memory = if firmware == Firmware::UefiSnponly {
        1024
    } else {
        512
    };
    let mut node = site.enrol(number, firmware, memory, 1)?;
    let result = travel(site, &mut node, firmware, image);
    if result.is_err() {
        say(site.evidence(Some(&node)));
    }
    // The next firmware has the machine for itself.
    let _ = site.product.run(&["xcat3", "power", &node.name, "off"]);
    result
}

fn travel(site: &Site, node: &mut Traveller, firmware: Firmware, image: &str) -> Result<()> {
    let name = node.name.clone();
    let power = |target| site.product.run(&["xcat3", "power", &name, target]);
    ensure!(
        power("status")?.contains(&format!("{name}: off")),
        "a new machine is off"
    );
    site.product
        .run(&["xcat3", "deploy", &name, "--osimage", image])?;
    power("on")?;
    let mut phases = BTreeSet::new();
    site.follow(node, READY, BOOT_WITHIN, |view, _| {
        if let Some(phase) = view
            .phase
            .as_ref()
            .filter(|phase| phases.insert((*phase).clone()))
        {
            say(format_args!(
                "    {phase}: {}",
                view.detail.as_deref().unwrap_or_default()
            ));
        }
    })?;
    ensure!(
        power("status")?.contains(&format!("{name}: on")),
        "a running machine is on"
    );
    let script = "hostname; . /etc/os-release; echo \"$PRETTY_NAME\"; cut -d' ' -f1 /proc/uptime";
    let answer = site.ssh(node, script, Duration::from_secs(30))?;
    say(format_args!(
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
    let says = match firmware {
        Firmware::UefiSnponly => "boots its disk",
        _ => DISK_SAYS,
    };
    site.hear(node, says, BOOT_WITHIN)
        .context("after the install")?;
    ensure!(
        site.product.node(&name)?.is("deployed"),
        "the node did not stay deployed"
    );
    Ok(())
}
