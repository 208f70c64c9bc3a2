//! Conductors that die or fall asleep.

use anyhow::Result;
use rustix::process::Signal;

use super::{IN_THE_MIDDLE, NODES, OUTCOME_TIMEOUT, RESET, Survived, check, job_of, nodes_of};
use crate::cluster::Cluster;
use crate::report::say;

/// Longer than any reservation is without a sign of life from its holder.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(60);

pub(super) fn one_is_killed(cluster: &mut Cluster) -> Result<Survived> {
    let survived = in_the_middle(cluster, |cluster| cluster.conductors[0].kill());
    cluster.conductors[0].start()?;
    cluster.wait_until_ready()?;
    survived
}

pub(super) fn all_are_killed(cluster: &mut Cluster) -> Result<Survived> {
    in_the_middle(cluster, |cluster| {
        for conductor in &mut cluster.conductors {
            conductor.kill()?;
        }
        for conductor in &mut cluster.conductors {
            conductor.start()?;
        }
        Ok(())
    })
}

pub(super) fn one_is_paused(cluster: &mut Cluster) -> Result<Survived> {
    let survived = in_the_middle(cluster, |cluster| {
        cluster.conductors[0].signal(Signal::STOP)?;
        std::thread::sleep(PAUSE);
        Ok(())
    });
    // Also where the job went wrong: a process that is stopped would never end.
    cluster.conductors[0].signal(Signal::CONT)?;
    cluster.wait_until_ready()?;
    survived
}

/// Breaks something in the middle of a job and checks the job's end.
fn in_the_middle(
    cluster: &mut Cluster,
    fault: impl FnOnce(&mut Cluster) -> Result<()>,
) -> Result<Survived> {
    let journal = cluster.journal.end();
    let mut stream = cluster.api.stream("PUT", RESET)?;
    let before = stream.take(IN_THE_MIDDLE, OUTCOME_TIMEOUT)?;
    fault(cluster)?;
    say(format_args!(
        "the fault came after {} outcomes",
        before.len()
    ));
    let after = stream.rest(OUTCOME_TIMEOUT)?;
    let job = job_of(&after)?;
    nodes_of(before.iter().chain(&after).map(|(_, line)| line))?;
    let told = nodes_of(before.iter().map(|(_, line)| line))?;
    let repeated = check(cluster, &job, &told, journal)?;
    Ok(Survived {
        nodes: NODES,
        faults: 1,
        repeated,
    })
}
