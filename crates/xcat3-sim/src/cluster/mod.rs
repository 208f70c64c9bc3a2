//! A cluster of xcat3 on one machine: hosts with daemons of their own, over real NATS and PostgreSQL.
//!
//! Its nodes are fake ones (`mgt=fake`), whose driver writes down each action: the journal is the
//! proof that nothing was done twice. Only their power is driven here; nothing boots.

pub mod curl;
pub mod daemon;
pub mod journal;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use xcat3_backing::{Database, Nats, Postgres};

use curl::Api;
use daemon::Daemon;
use journal::Journal;

/// Until all services report for duty, and until they do again after a fault.
pub const READY_WITHIN: Duration = Duration::from_secs(90);

/// Where PostgreSQL and NATS listen, and for whom.
pub struct Plan {
    /// The address that hosts reach PostgreSQL, NATS and the API at.
    pub address: Ipv4Addr,
    /// The hosts that have a conductor, and the network namespace (by a process in it) of each.
    pub conductors: Vec<(&'static str, Option<u32>)>,
    /// How long each action of a fake node takes, in milliseconds, and how much longer at most.
    pub latency_ms: (u32, u32),
}

/// A running cluster.
pub struct Cluster {
    /// Its API.
    pub api: Api,
    /// The broker.
    pub nats: Nats,
    /// Before its server, so that it goes first.
    database: Database,
    /// The database server.
    pub postgres: Postgres,
    /// The host with API and network service.
    pub front: Vec<Daemon>,
    /// One host each.
    pub conductors: Vec<Daemon>,
    /// What was done to nodes.
    pub journal: Journal,
    /// The address of the API, `host:port`.
    pub listen: String,
    programs: PathBuf,
}

impl Cluster {
    /// Starts all of it: database, broker, a host with API and network service, and the conductors.
    ///
    /// # Errors
    /// A part does not come up; with the last of its log.
    pub fn start(directory: &Path, plan: &Plan) -> Result<Self> {
        let own = std::env::current_exe()?;
        let programs = own.parent().context("this program is in no directory")?;
        fs::create_dir_all(directory)?;
        let nats = Nats::start_on(plan.address)?;
        let postgres = Postgres::start_on(plan.address)?;
        let database = postgres.database()?;
        let listen = format!("{}:3010", plan.address);
        let mut cluster = Self {
            api: Api::at(&listen),
            nats,
            postgres,
            database,
            front: Vec::new(),
            conductors: Vec::new(),
            journal: Journal::at(&directory.join("fake.journal")),
            listen,
            programs: programs.to_owned(),
        };
        let database = cluster.database.url();
        let make = |program: &str, host: &str, namespace| {
            let text = configuration(directory, host, &cluster, &database, plan);
            let config = directory.join(format!("{host}-{program}.conf"));
            fs::write(&config, text)?;
            let name = format!("{program} on {host}");
            anyhow::Ok(Daemon::new(
                &programs.join(program),
                name,
                config,
                namespace,
            ))
        };
        let front = vec![
            make("xcat3-api", "front", None)?,
            make("xcat3-network", "front", None)?,
        ];
        let conductors = plan.conductors.iter();
        let conductors =
            conductors.map(|&(host, namespace)| make("xcat3-conductor", host, namespace));
        let conductors = conductors.collect::<Result<_>>()?;
        (cluster.front, cluster.conductors) = (front, conductors);
        for daemon in cluster.front.iter_mut().chain(&mut cluster.conductors) {
            daemon.start()?;
        }
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// Waits until every service that was started is online.
    ///
    /// # Errors
    /// One is not in time.
    pub fn wait_until_ready(&self) -> Result<()> {
        let expected = self.front.len() + self.conductors.len();
        let ready = || {
            let services = self.api.request("GET", "/services", None)?;
            let services = services["services"].as_array().cloned();
            let online = services.unwrap_or_default();
            let online = online.iter().filter(|service| service["online"] == true);
            let count = online.count();
            ensure!(
                count == expected,
                "{count} of {expected} services are online"
            );
            Ok(())
        };
        self.wait("all services report for duty", READY_WITHIN, ready)
    }

    /// Waits until `look` says yes.
    ///
    /// # Errors
    /// It says no until the time is over: with its last reason and what the daemons logged.
    pub fn wait<T>(&self, what: &str, within: Duration, look: impl Fn() -> Result<T>) -> Result<T> {
        let end = Instant::now() + within;
        loop {
            match look() {
                Ok(found) => return Ok(found),
                Err(error) if Instant::now() > end => {
                    let logs = self.last_lines(8);
                    bail!("not so after {within:?}: {what}: {error:#}\n{logs}")
                }
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    /// The last lines that each daemon logged.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> String {
        let daemons = self.front.iter().chain(&self.conductors);
        let lines =
            daemons.map(|daemon| format!("--- {}\n{}", daemon.name, daemon.last_lines(count)));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Enrols `count` fake nodes, `n1` and so on.
    ///
    /// # Errors
    /// One of them was not taken.
    pub fn enrol(&self, count: usize) -> Result<()> {
        let node = |number: usize| {
            let (high, low) = (number >> 8, number & 0xff);
            json!({"name": format!("n{number}"), "mgt": "fake", "netboot": "pxe", "arch": "x86_64",
                "nics_info": {"nics": [{"mac": format!("52:54:00:{:02x}:{:02x}:{low:02x}", high >> 8, high & 0xff),
                    "name": "eth0", "primary": true}]}})
        };
        let nodes: Vec<Value> = (1..=count).map(node).collect();
        let body = json!({ "nodes": nodes }).to_string();
        let answer = self.api.request("POST", "/nodes", Some(&body))?;
        let taken = answer["nodes"].as_object();
        let taken = taken.context("no outcomes")?.values();
        let taken = taken.filter(|outcome| *outcome == "ok").count();
        ensure!(taken == count, "{taken} of {count} nodes were enrolled");
        Ok(())
    }

    /// A command of the command line, `xcat3`, for this API.
    #[must_use]
    pub fn xcat3(&self) -> std::process::Command {
        let mut command = crate::command::command(self.programs.join("xcat3"));
        command.env("XCAT3_URL", format!("http://{}", self.listen));
        command
    }
}

/// The configuration file of a host's daemons.
fn configuration(
    directory: &Path,
    host: &str,
    cluster: &Cluster,
    database: &str,
    plan: &Plan,
) -> String {
    let (nats, listen) = (cluster.nats.url(), &cluster.listen);
    let state = directory.join(host);
    let (state, journal) = (state.display(), directory.join("fake.journal"));
    let (journal, (latency, jitter)) = (journal.display(), plan.latency_ms);
    format!(
        "hostname = \"{host}\"
state_dir = \"{state}\"
database = \"{database}\"

[bus]
url = \"{nats}\"

[api]
listen = \"{listen}\"
workers = 2

[conductor]
workers = 2
batches_at_once = 2

[control.fake]
journal = \"{journal}\"
latency_ms = {latency}
jitter_ms = {jitter}
"
    )
}
