//! One battery of behaviours over every control driver, each against the real thing or others' simulators
//! of it, and ours: what `ipmitool`, sushy, curl and `virsh` say afterwards is what was set. Every request
//! goes to all machines at once, through the command line and `xcat3d`. Needs root.

// What of it only the driver's own tests use is dead here.
#[allow(dead_code)]
#[path = "../../../../xcat3-drivers/tests/it/ipmi/sim.rs"]
mod ipmi_sim;
mod peers;
mod witness;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::site::Outcomes;
use peers::{Peer, Peers};

/// The directory of the lab that the battery runs in.
const LAB: &str = "XCAT3_TEST_LAB";

/// Starts a lab that runs this same test, which then finds [`LAB`] set and a hypervisor beside it.
#[test]
#[ignore = "real: root, programs"]
fn one_battery_over_every_control_driver() {
    if let Some(cache) = std::env::var_os(LAB) {
        return in_a_lab(Path::new(&cache));
    }
    let cache = tempfile::tempdir().unwrap();
    let this = "controls::one_battery_over_every_control_driver";
    let status = Command::new(env!("CARGO_BIN_EXE_xcat3-sim"))
        .args(["lab", "run"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", this, "--ignored", "--nocapture"])
        .env("XCAT3_LAB_CACHE", cache.path())
        .env(LAB, cache.path())
        .status();
    assert!(status.unwrap().success(), "see above");
}

fn in_a_lab(cache: &Path) {
    let programs = std::env::var_os("XCAT3_BMC_PEERS")
        .expect("XCAT3_BMC_PEERS names a directory with BMCs by others: cargo xtask test sets it");
    let peers = peers::start(&peers::login_key(cache), Path::new(&programs));
    boot_devices(&peers);
    lights(&peers);
    reports(&peers);
    power(&peers);
}

impl Peers {
    /// What comes of all machines when they are asked this.
    fn ask(&self, words: &[&str]) -> Outcomes {
        let names: Vec<&str> = self.all.iter().map(|peer| peer.name).collect();
        let range = names.join(",");
        let (command, more) = words.split_first().unwrap();
        let outcomes = self.site.outcomes(&[&[command, &range[..]], more].concat());
        assert_eq!(outcomes.len(), self.all.len(), "{words:?}: {outcomes:?}");
        outcomes
    }

    /// All say this.
    fn all_say(&self, words: &[&str], expected: &str) {
        for (name, outcome) in self.ask(words) {
            assert_eq!(outcome.result, expected, "{words:?} of {name}");
        }
    }

    /// Those that have what is asked for do it, which is what comes of them; the others say that they lack
    /// it.
    fn those_do(&self, words: &[&str]) -> Outcomes {
        let mut outcomes = self.ask(words);
        for Peer { name, lacks, .. } in &self.all {
            let outcome = &outcomes[*name];
            let has_it = !lacks.contains(&words[0]);
            assert_eq!(outcome.outcome == "ok", has_it, "{name}: {outcome:?}");
            if !has_it {
                let says = [
                    "has no way to do",
                    "does not have this command",
                    "has no event log",
                ];
                let is_said = says.iter().any(|words| outcome.result.contains(words));
                assert!(is_said, "{name}: {outcome:?}");
                outcomes.remove(*name);
            }
        }
        outcomes
    }

    /// Every witness sees the machine so, at the latest when a machine has restarted that takes its time.
    fn all_are(&self, on: bool, after: &str) {
        for Peer { name, witness, .. } in &self.all {
            peers::wait(&format!("{name} is on: {on}, after {after}"), || {
                witness.is_on() == on
            });
        }
        self.all_say(&["power", "status"], if on { "on" } else { "off" });
    }
}

fn power(peers: &Peers) {
    peers.all_say(&["power", "off"], "ok");
    peers.all_are(false, "off");
    for (name, outcome) in peers.ask(&["power", "reset"]) {
        assert_eq!(outcome.outcome, "failed", "{name}");
        assert!(outcome.result.contains("off"), "{name}: {outcome:?}");
    }
    peers.all_are(false, "a reset of what is off");
    for target in ["on", "on", "reset", "boot", "cycle"] {
        peers.all_say(&["power", target], "ok");
        peers.all_are(true, target);
    }
    peers.all_say(&["power", "soft"], "ok");
    for target in ["off", "off"] {
        peers.all_say(&["power", target], "ok");
        peers.all_are(false, target);
    }
    for target in ["boot", "off", "cycle"] {
        peers.all_say(&["power", target], "ok");
        peers.all_are(target != "off", target);
    }
}

/// Of machines that are off: VirtualBMC tells of one that is on what it was switched on with.
fn boot_devices(peers: &Peers) {
    peers.all_say(&["power", "off"], "ok");
    for how in [&[][..], &["--persistent"], &["--uefi"]] {
        for device in ["net", "disk", "cdrom"] {
            let words = [&["bootdev", device], how].concat();
            peers.all_say(&words, "ok");
            for Peer { name, witness, .. } in &peers.all {
                assert_eq!(witness.boots_from(), device, "{name} after {words:?}");
            }
            let status = peers.ask(&["bootdev", "status"]);
            for Peer {
                name, tells_boot, ..
            } in &peers.all
            {
                let told = if *tells_boot { device } else { "none" };
                assert_eq!(status[*name].result, told, "{name} after {words:?}");
            }
        }
    }
    let setup = peers.ask(&["bootdev", "setup"]);
    for Peer {
        name, has_setup, ..
    } in &peers.all
    {
        let outcome = &setup[*name];
        assert_eq!(outcome.outcome == "ok", *has_setup, "{name}: {outcome:?}");
    }
    peers.all_are(false, "boot devices were set");
}

fn lights(peers: &Peers) {
    for (target, lit) in [("on", true), ("off", false), ("on", true)] {
        peers.those_do(&["beacon", target]);
        let told = peers.ask(&["beacon"]);
        for Peer { name, witness, .. } in &peers.all {
            // ipmi_sim does not tell.
            if let Some(seen) = witness.is_lit() {
                assert_eq!(seen, lit, "{name} after {target}");
                assert_eq!(told[*name].result, target, "{name}");
            }
        }
    }
}

fn reports(peers: &Peers) {
    let inventory = peers.those_do(&["inventory"]);
    for Peer { name, witness, .. } in &peers.all {
        let told = inventory.get(*name).map(|outcome| &outcome.report["uuid"]);
        if let (Some(Value::String(told)), Some(seen)) = (told, witness.uuid()) {
            assert_eq!(*told, seen, "{name}");
        }
    }
    for (name, outcome) in peers.those_do(&["sensors"]) {
        let sensors = outcome.report["sensors"].as_array().unwrap();
        let is_read = |sensor: &Value| sensor["value"].is_number() && sensor["unit"].is_string();
        // Neither ipmi_sim without more nor VirtualBMC has any.
        let has_none = ["ipmi-sim", "virtualbmc"].contains(&&*name);
        assert_eq!(
            sensors.iter().any(is_read),
            !has_none,
            "{name}: {sensors:?}"
        );
    }
    for words in [&["eventlog"][..], &["eventlog", "clear"]] {
        peers.those_do(words);
    }
    for (name, outcome) in peers.those_do(&["eventlog"]) {
        let events = outcome.report["events"].as_array().unwrap();
        // That it was cleared may be the first.
        assert!(events.len() < 2, "{name}: {events:?}");
    }
}
