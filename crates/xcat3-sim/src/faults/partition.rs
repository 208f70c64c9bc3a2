//! Three hosts in network namespaces, one of which is cut off and healed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{
    IN_THE_MIDDLE, NODES, OUTCOME_TIMEOUT, RESET, Survived, check, job_of, nodes_of, prepare,
};
use crate::cluster::{Cluster, Plan};
use crate::command::{command, run};
use crate::lab::segment::{BRIDGE, SERVER};
use crate::report::say;

pub(super) const NAME: &str = "host-cut-off";
pub(super) const WHAT: &str =
    "three hosts in network namespaces: one is cut off for a minute, then healed";
/// Longer than a reservation and than the broker's patience.
const CUT_OFF: Duration = Duration::from_secs(60);

pub(super) fn a_host_is_cut_off(directory: &Path) -> Result<Survived> {
    let (east, west) = (Host::make("east", 21)?, Host::make("west", 22)?);
    let plan = Plan {
        address: SERVER,
        conductors: vec![("east", Some(east.id())), ("west", Some(west.id()))],
        latency_ms: (1_000, 2_000),
    };
    let cluster = Cluster::start(directory, &plan)?;
    prepare(&cluster)?;
    let journal = cluster.journal.end();
    let mut stream = cluster.api.stream("PUT", RESET)?;
    let before = stream.take(IN_THE_MIDDLE, OUTCOME_TIMEOUT)?;
    let told = nodes_of(before.iter().map(|(_, line)| line))?;
    west.link("down")?;
    say(format_args!(
        "west is cut off after {} outcomes",
        before.len()
    ));
    let after = stream.rest(OUTCOME_TIMEOUT)?;
    let job = job_of(&after)?;
    let repeated = check(&cluster, &job, &told, journal)?;
    std::thread::sleep(CUT_OFF);
    let offline = || {
        let services = cluster.api.request("GET", "/services", None)?;
        let services = services["services"].as_array().context("no services")?;
        let gone = services
            .iter()
            .any(|service| service["hostname"] == "west" && service["online"] == false);
        ensure!(gone, "west still counts as online");
        Ok(())
    };
    cluster.wait("west counts as offline", OUTCOME_TIMEOUT, offline)?;
    west.link("up")?;
    cluster
        .wait_until_ready()
        .context("after west was healed")?;
    let journal = cluster.journal.end();
    let mut stream = cluster.api.stream("PUT", RESET)?;
    let lines = stream.rest(OUTCOME_TIMEOUT)?;
    let nothing = std::collections::HashSet::new();
    let again = check(&cluster, &job_of(&lines)?, &nothing, journal)?;
    ensure!(
        again == 0,
        "{again} nodes were acted on twice without any fault"
    );
    Ok(Survived {
        nodes: 2 * NODES,
        faults: 1,
        repeated,
    })
}

/// A host: a network namespace with a cable to the lab's bridge.
struct Host {
    name: &'static str,
    holder: Child,
}

impl Host {
    fn make(name: &'static str, number: u8) -> Result<Self> {
        let mut holder = Command::new("unshare");
        holder.args(["--net", "--kill-child", "--", "sleep", "infinity"]);
        let holder = holder
            .stdin(Stdio::null())
            .spawn()
            .context("can't start unshare")?;
        let host = Self { name, holder };
        host.wait_for_namespace()?;
        let id = host.id();
        ip(&format!(
            "link add {name} type veth peer name eth0 netns {id}"
        ))?;
        ip(&format!("link set {name} master {BRIDGE} up"))?;
        host.inside(&format!("address add 10.77.0.{number}/24 dev eth0"))?;
        host.inside("link set lo up")?;
        host.inside("link set eth0 up")?;
        Ok(host)
    }

    /// `unshare` becomes the command it runs: its own process is in the new namespace soon.
    fn wait_for_namespace(&self) -> Result<()> {
        let own = std::fs::read_link("/proc/self/ns/net")?;
        for _ in 0..200 {
            let theirs = std::fs::read_link(format!("/proc/{}/ns/net", self.id()))?;
            if theirs != own {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        anyhow::bail!("{} got no network namespace", self.name)
    }

    /// A process in the namespace.
    fn id(&self) -> u32 {
        self.holder.id()
    }

    /// Plugs the host's cable in or out.
    fn link(&self, state: &str) -> Result<()> {
        ip(&format!("link set {} {state}", self.name))
    }

    fn inside(&self, words: &str) -> Result<()> {
        let mut enter = command("nsenter");
        enter.args(["--net", "--target", &self.id().to_string(), "--", "ip"]);
        run(enter.args(words.split(' ')))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn ip(words: &str) -> Result<()> {
    run(command("ip").args(words.split(' ')))
}
