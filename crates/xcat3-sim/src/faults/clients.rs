//! Clients that get in one another's way, vanish, or don't read.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{IN_THE_MIDDLE, NODES, PATIENCE, RESET, Survived, check, job_of, nodes_of};
use crate::cluster::Cluster;
use crate::report::say;

const FIRST: &str = "/nodes/power?target=reset&nodes=n[1-7000]";
const SECOND: &str = "/nodes/power?target=reset&nodes=n[3001-10000]";
const LOCKED: &str = "Locked temporarily";

pub(super) fn two_requests_overlap(cluster: &mut Cluster) -> Result<Survived> {
    let journal = cluster.journal.end();
    let mut first = cluster.api.stream("PUT", FIRST)?;
    let mut second = cluster.api.stream("PUT", SECOND)?;
    let lines = [first.rest(PATIENCE)?, second.rest(PATIENCE)?];
    let (mut done, mut locked) = (0, 0);
    for lines in &lines {
        let nodes = nodes_of(lines.iter().map(|(_, line)| line))?;
        ensure!(
            nodes.len() == 7_000,
            "{} of 7000 nodes answered",
            nodes.len()
        );
        for (_, line) in lines.iter().filter(|(_, line)| line["node"].is_string()) {
            match line["outcome"].as_str() {
                Some("ok") => done += 1,
                _ if line["result"] == LOCKED => locked += 1,
                _ => anyhow::bail!("neither done nor locked: {line}"),
            }
        }
    }
    let actions: usize = cluster.journal.since(journal)?.values().sum();
    ensure!(
        actions == done,
        "{done} outcomes say that it was done, but {actions} actions were"
    );
    say(format_args!(
        "{done} done, {locked} locked by the other request, of 14000"
    ));
    Ok(Survived {
        nodes: 14_000,
        faults: 1,
        repeated: 0,
    })
}

pub(super) fn one_disconnects(cluster: &mut Cluster) -> Result<Survived> {
    let journal = cluster.journal.end();
    let mut stream = cluster.api.stream("PUT", RESET)?;
    let before = stream.take(IN_THE_MIDDLE, PATIENCE)?;
    stream.disconnect()?;
    let jobs = cluster.api.request("GET", "/jobs?limit=1", None)?;
    let job = jobs["jobs"][0]["id"].as_str().context("no job is listed")?;
    let told = nodes_of(before.iter().map(|(_, line)| line))?;
    let repeated = check(cluster, job, &told, journal)?;
    Ok(Survived {
        nodes: NODES,
        faults: 1,
        repeated,
    })
}

pub(super) fn one_does_not_read(cluster: &mut Cluster) -> Result<Survived> {
    let journal = cluster.journal.end();
    let unread = cluster.api.unread_stream("PUT", RESET)?;
    // Meanwhile others are served, and their job ends though the first client reads nothing.
    let path = "/nodes/power?nodes=n[1-10000]";
    let mut others = cluster.api.stream("GET", path)?;
    let others = nodes_of(others.rest(PATIENCE)?.iter().map(|(_, line)| line))?;
    ensure!(others.len() == NODES, "{} others were served", others.len());
    let jobs = cluster.api.request("GET", "/jobs?limit=2", None)?;
    let power = |job: &&Value| job["operation"] == "power reset";
    let listed = jobs["jobs"].as_array().context("no jobs")?;
    let job = listed.iter().find(power).context("the job is not listed")?;
    let job = job["id"].as_str().context("a job without id")?.to_owned();
    let repeated = check(cluster, &job, &std::collections::HashSet::new(), journal)?;
    let lines = unread.read()?;
    let now = std::time::Instant::now();
    let lines: Vec<_> = lines.into_iter().map(|line| (now, line)).collect();
    ensure!(job_of(&lines)? == job, "the answer is of another job");
    let nodes = nodes_of(lines.iter().map(|(_, line)| line))?;
    ensure!(
        nodes.len() == NODES,
        "it read {} outcomes in the end",
        nodes.len()
    );
    Ok(Survived {
        nodes: 2 * NODES,
        faults: 1,
        repeated,
    })
}
