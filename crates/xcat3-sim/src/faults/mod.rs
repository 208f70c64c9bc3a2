//! Faults that must be survived, done for real: processes killed and stopped, broker and database taken
//! away, clients that vanish or don't read, a host cut off. After each of them every node of the job
//! has exactly one outcome, and what was done is not done again.

mod broken_parts;
mod clients;
mod conductors;
mod partition;

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::cluster::{Cluster, Plan};
use crate::report::say;

/// Nodes of each job.
const NODES: usize = 10_000;
/// The job that is done to them: each action is one too many if it is done twice.
const RESET: &str = "/nodes/power?target=reset&nodes=n[1-10000]";
/// What has to be done before: a machine that is off can't be reset.
const ON: &str = "/nodes/power?target=on&nodes=n[1-10000]";
/// The longest pause between two outcomes. Batches of a dead conductor go to another one, and
/// reservations expire, well within it.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(150);
/// A fault strikes after this many outcomes.
const IN_THE_MIDDLE: usize = 2_000;

/// A fault that is survived.
struct Fault {
    name: &'static str,
    what: &'static str,
    run: fn(&mut Cluster) -> Result<Survived>,
}

/// What came of it.
struct Survived {
    /// Nodes of the jobs.
    nodes: usize,
    /// How often something was broken.
    faults: usize,
    /// Nodes that were acted on twice, since whoever acted first died before it could say so.
    repeated: usize,
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "conductor-killed",
        what: "one of two conductors is killed (SIGKILL) in the middle of a job",
        run: conductors::one_is_killed,
    },
    Fault {
        name: "all-conductors-killed",
        what: "all conductors are killed in the middle of a job, then started",
        run: conductors::all_are_killed,
    },
    Fault {
        name: "conductor-paused",
        what: "a conductor is stopped (SIGSTOP) past its reservations, then continued",
        run: conductors::one_is_paused,
    },
    Fault {
        name: "api-killed",
        what: "the API is killed while the command line follows a job, then started",
        run: broken_parts::api_is_killed,
    },
    Fault {
        name: "nats-killed",
        what: "NATS is killed in the middle of a job, then started",
        run: broken_parts::nats_is_killed,
    },
    Fault {
        name: "postgresql-stopped",
        what: "PostgreSQL is away for a minute in the middle of a job",
        run: broken_parts::postgresql_is_stopped,
    },
    Fault {
        name: "overlapping-requests",
        what: "two requests on overlapping nodes at once",
        run: clients::two_requests_overlap,
    },
    Fault {
        name: "client-disconnects",
        what: "a client disconnects in the middle of its answer",
        run: clients::one_disconnects,
    },
    Fault {
        name: "slow-client",
        what: "a client does not read its answer",
        run: clients::one_does_not_read,
    },
];

/// Does the faults of these names, or all, and shows what came of each.
///
/// # Errors
/// One was not survived.
pub fn run(directory: &Path, names: &[String]) -> Result<()> {
    crate::lab::segment::make().context("making the network segment")?;
    let chosen = |name: &str| names.is_empty() || names.iter().any(|chosen| chosen == name);
    let mut table = Table::default();
    if FAULTS.iter().any(|fault| chosen(fault.name)) {
        let plan = Plan {
            address: Ipv4Addr::LOCALHOST,
            conductors: vec![("east", None), ("west", None)],
            latency_ms: (1_000, 2_000),
        };
        let mut cluster = Cluster::start(&directory.join("cluster"), &plan)?;
        prepare(&cluster)?;
        for fault in FAULTS.iter().filter(|fault| chosen(fault.name)) {
            table.note(fault.name, fault.what, || (fault.run)(&mut cluster));
        }
    }
    if chosen(partition::NAME) {
        table.note(partition::NAME, partition::WHAT, || {
            partition::a_host_is_cut_off(&directory.join("partition"))
        });
    }
    table.show()
}

/// Enrols the nodes and switches them on.
fn prepare(cluster: &Cluster) -> Result<()> {
    cluster.enrol(NODES)?;
    let lines = cluster.api.stream("PUT", ON)?.rest(OUTCOME_TIMEOUT)?;
    let done = lines.iter().filter(|(_, line)| line["outcome"] == "ok");
    let done = done.count();
    ensure!(done == NODES, "{done} of {NODES} nodes were switched on");
    Ok(())
}

/// The faults and what came of them.
#[derive(Default)]
struct Table {
    rows: Vec<String>,
    failed: Vec<&'static str>,
}

impl Table {
    fn note(&mut self, name: &'static str, what: &str, fault: impl FnOnce() -> Result<Survived>) {
        say(format_args!("\n=== {what} ==="));
        let started = Instant::now();
        let result = fault();
        let seconds = started.elapsed().as_secs_f64();
        let row = match &result {
            Ok(survived) => format!(
                "{name:<24} {:>8} {:>7} {:>5} {:>9} {seconds:>8.1}",
                survived.nodes, survived.faults, 0, survived.repeated
            ),
            Err(error) => {
                say(format_args!("FAILED: {error:#}"));
                self.failed.push(name);
                format!("{name:<24} failed after {seconds:.1} s")
            }
        };
        self.rows.push(row);
    }

    fn show(&self) -> Result<()> {
        say(format_args!(
            "\n{:<24} {:>8} {:>7} {:>5} {:>9} {:>8}",
            "fault", "nodes", "faults", "lost", "repeated", "seconds"
        ));
        self.rows.iter().for_each(say);
        let failed = self.failed.join(", ");
        ensure!(self.failed.is_empty(), "not survived: {failed}");
        Ok(())
    }
}

/// The job that a stream of outcomes is of, by its last line.
fn job_of(lines: &[(Instant, Value)]) -> Result<String> {
    let last = lines.last().context("the answer is empty")?;
    let job = last.1["job"].as_str();
    Ok(job
        .with_context(|| format!("the last line names no job: {}", last.1))?
        .to_owned())
}

/// The nodes that a stream has told of, each once.
fn nodes_of<'a>(lines: impl IntoIterator<Item = &'a Value>) -> Result<HashSet<String>> {
    let mut nodes = HashSet::new();
    for line in lines {
        if let Some(node) = line["node"].as_str() {
            ensure!(nodes.insert(node.to_owned()), "{node} has two outcomes");
        }
    }
    Ok(nodes)
}

/// Checks that a job has ended well: one outcome a node, as its page says and as its stream said, and
/// each node acted on, those of `told` (whose outcome was known before the fault) exactly once. Gives
/// how many were acted on more than once.
fn check(cluster: &Cluster, job: &str, told: &HashSet<String>, journal_from: u64) -> Result<usize> {
    let ended = || {
        let page = cluster
            .api
            .request("GET", &format!("/jobs/{job}?limit=1"), None)?;
        let status = page["job"].clone();
        ensure!(status["state"] == "done", "the job is {}", status["state"]);
        Ok(status)
    };
    let status = cluster.wait("the job ends", OUTCOME_TIMEOUT, ended)?;
    if status["done"] != NODES {
        let path = format!("/jobs/{job}?limit=1000");
        let page = cluster.api.request("GET", &path, None)?;
        let outcomes = page["outcomes"].as_array().context("no outcomes")?;
        let other = outcomes.iter().find(|line| line["outcome"] != "ok");
        bail!("not all of {NODES} nodes were done: {status}, as {other:?}");
    }
    let nodes = recorded(cluster, job)?;
    ensure!(
        nodes.len() == NODES,
        "{} outcomes are recorded",
        nodes.len()
    );
    let actions = cluster.journal.since(journal_from)?;
    let missed = nodes.iter().find(|node| !actions.contains_key(*node));
    ensure!(
        missed.is_none(),
        "{missed:?} has an outcome but was not acted on"
    );
    let again = told.iter().find(|node| actions.get(*node) != Some(&1));
    ensure!(
        again.is_none(),
        "{again:?} was done, and was acted on again"
    );
    let repeated = actions.values().filter(|&&times| times > 1).count();
    say(format_args!(
        "{NODES} nodes have one outcome each; {} were done before the fault, none of them again; \
         {repeated} were under way and were acted on twice",
        told.len()
    ));
    Ok(repeated)
}

/// The nodes of all recorded outcomes of a job, page by page.
fn recorded(cluster: &Cluster, job: &str) -> Result<HashSet<String>> {
    let (mut nodes, mut after) = (HashSet::new(), 0);
    loop {
        let path = format!("/jobs/{job}?limit=1000&after={after}");
        let page = cluster.api.request("GET", &path, None)?;
        let outcomes = page["outcomes"].as_array().context("no outcomes")?;
        for node in nodes_of(outcomes)? {
            ensure!(!nodes.contains(&node), "{node} is on two pages");
            nodes.insert(node);
        }
        match page["next"].as_i64() {
            Some(next) if !outcomes.is_empty() => after = next,
            _ => return Ok(nodes),
        }
    }
}
