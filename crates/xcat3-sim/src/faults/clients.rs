//! Clients that get in one another's way, vanish, or don't read.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{
    IN_THE_MIDDLE, NODES, OUTCOME_TIMEOUT, RESET, Survived, check, job_of, nodes_of, recorded,
};
use crate::cluster::Cluster;
use crate::cluster::journal::Actions;
use crate::report::say;

const FIRST: &str = "/nodes/power?target=reset&nodes=n[1-7000]";
/// Begins with the nodes that the first ends with: conductors take batches in the order of the queue, so the
/// last batch of the first request and the first batch of the second are under way at the same time.
const SECOND: &str = "/nodes/power?target=reset&nodes=n[6501-7000,3001-6500,7001-10000]";
const LOCKED: &str = "Locked temporarily";
/// Nodes of each of the two requests.
const OF_EACH: usize = 7_000;

/// What both requests came to on one node.
#[derive(Default)]
struct Outcomes {
    done: usize,
    locked: usize,
}

pub(super) fn two_requests_overlap(cluster: &mut Cluster) -> Result<Survived> {
    let journal = cluster.journal.end();
    let mut first = cluster.api.stream("PUT", FIRST)?;
    let mut second = cluster.api.stream("PUT", SECOND)?;
    let mut outcomes: HashMap<String, Outcomes> = HashMap::new();
    for lines in [first.rest(OUTCOME_TIMEOUT)?, second.rest(OUTCOME_TIMEOUT)?] {
        let nodes = nodes_of(lines.iter().map(|(_, line)| line))?;
        ensure!(
            nodes.len() == OF_EACH,
            "{} of {OF_EACH} nodes have an outcome",
            nodes.len()
        );
        let recorded = recorded(cluster, &job_of(&lines)?)?;
        ensure!(
            recorded == nodes,
            "other nodes are recorded than were streamed"
        );
        for (_, line) in &lines {
            let Some(node) = line["node"].as_str() else {
                continue;
            };
            let outcomes = outcomes.entry(node.to_owned()).or_default();
            match line["outcome"].as_str() {
                Some("ok") => outcomes.done += 1,
                _ if line["result"] == LOCKED => outcomes.locked += 1,
                _ => bail!("neither done nor locked: {line}"),
            }
        }
    }
    check_overlap(&outcomes, &cluster.journal.since(journal)?)?;
    Ok(Survived {
        nodes: 2 * OF_EACH,
        faults: 1,
        repeated: 0,
    })
}

/// Checks that the requests met, that each locked node was done for the other request, and that each
/// node was acted on as often as outcomes say so.
fn check_overlap(outcomes: &HashMap<String, Outcomes>, actions: &Actions) -> Result<()> {
    for (node, Outcomes { done, locked }) in outcomes {
        ensure!(
            *done > 0,
            "{node} was locked {locked} times and done for nobody"
        );
        let acted = actions.get(node).copied().unwrap_or(0);
        ensure!(
            acted == *done,
            "{node} was done {done} times and acted on {acted} times"
        );
    }
    let locked: usize = outcomes.values().map(|outcomes| outcomes.locked).sum();
    let done: usize = outcomes.values().map(|outcomes| outcomes.done).sum();
    say(format_args!(
        "{done} done, {locked} locked by the other request, of {}",
        2 * OF_EACH
    ));
    ensure!(
        locked > 0,
        "no node was locked: the requests did not overlap"
    );
    Ok(())
}

pub(super) fn one_disconnects(cluster: &mut Cluster) -> Result<Survived> {
    let journal = cluster.journal.end();
    let mut stream = cluster.api.stream("PUT", RESET)?;
    let before = stream.take(IN_THE_MIDDLE, OUTCOME_TIMEOUT)?;
    stream.disconnect()?;
    let jobs = cluster.api.request("GET", "/jobs?limit=1", None)?;
    let job = jobs["jobs"][0]["id"].as_str().context("no job is listed")?;
    let known = nodes_of(before.iter().map(|(_, line)| line))?;
    let repeated = check(cluster, job, &known, journal)?;
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
    let others = nodes_of(others.rest(OUTCOME_TIMEOUT)?.iter().map(|(_, line)| line))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(counts: &[(&str, usize, usize)]) -> HashMap<String, Outcomes> {
        let outcome = |&(node, done, locked): &(&str, usize, usize)| {
            (node.to_owned(), Outcomes { done, locked })
        };
        counts.iter().map(outcome).collect()
    }

    fn actions(counts: &[(&str, usize)]) -> Actions {
        counts
            .iter()
            .map(|&(node, count)| (node.to_owned(), count))
            .collect()
    }

    #[test]
    fn overlap_with_a_locked_node_is_survived() {
        let outcomes = outcomes(&[("n1", 1, 1), ("n2", 2, 0), ("n3", 1, 0)]);
        let actions = actions(&[("n1", 1), ("n2", 2), ("n3", 1)]);
        check_overlap(&outcomes, &actions).unwrap();
    }

    #[test]
    fn overlap_without_a_locked_node_or_with_wrong_actions_is_not_survived() {
        let none = outcomes(&[("n1", 2, 0)]);
        assert!(check_overlap(&none, &actions(&[("n1", 2)])).is_err());
        let met = outcomes(&[("n1", 1, 1)]);
        assert!(check_overlap(&met, &actions(&[("n1", 2)])).is_err());
        assert!(check_overlap(&outcomes(&[("n1", 0, 2)]), &actions(&[])).is_err());
    }
}
