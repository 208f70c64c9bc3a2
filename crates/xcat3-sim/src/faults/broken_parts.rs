//! API, broker and database that go away and come back.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{IN_THE_MIDDLE, NODES, OUTCOME_TIMEOUT, RESET, Survived, check, job_of, nodes_of};
use crate::cluster::{Cluster, READY_WITHIN};
use crate::command::{command, output, run};
use crate::lab::segment::{NETMASK, SERVER, SUBNET, guest, guest_mac};
use crate::report::say;

/// How long the broker is away.
const BROKER_AWAY: Duration = Duration::from_secs(15);
/// How long the database is away.
const DATABASE_AWAY: Duration = Duration::from_secs(60);

pub(super) fn api_is_killed(cluster: &mut Cluster) -> Result<Survived> {
    let journal = cluster.journal.end();
    let mut follower = cluster.xcat3();
    follower.args(["power", "n[1-10000]", "reset", "--json"]);
    follower.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut follower = follower.spawn().context("can't start xcat3")?;
    let out = follower.stdout.take().context("xcat3 has no output")?;
    let mut lines = BufReader::new(out).lines();
    let mut told = Vec::new();
    let mut read = |count: usize| -> Result<Vec<Value>> {
        let next = lines.by_ref().take(count);
        next.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
    };
    told.extend(read(IN_THE_MIDDLE)?);
    cluster.front[0].kill()?;
    cluster.front[0].start()?;
    let before = nodes_of(&told)?;
    told.extend(read(usize::MAX)?);
    let output = follower.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "xcat3 ended with {}: {said}",
        output.status
    );
    let nodes = nodes_of(&told)?;
    ensure!(nodes.len() == NODES, "xcat3 told of {} nodes", nodes.len());
    let job = told.last().and_then(|line| line["job"].as_str());
    let job = job.context("the last line names no job")?;
    let repeated = check(cluster, job, &before, journal)?;
    ensure!(repeated == 0, "the API's death repeated {repeated} actions");
    cluster.wait_until_ready()?;
    Ok(Survived {
        nodes: NODES,
        faults: 1,
        repeated,
    })
}

pub(super) fn nats_is_killed(cluster: &mut Cluster) -> Result<Survived> {
    let survived = while_streaming(cluster, |cluster| {
        cluster.nats.kill();
        std::thread::sleep(BROKER_AWAY);
        Ok(cluster.nats.start_again()?)
    })?;
    cluster.wait_until_ready()?;
    Ok(survived)
}

pub(super) fn postgresql_is_stopped(cluster: &mut Cluster) -> Result<Survived> {
    let script = boots(cluster)?;
    let survived = while_streaming(cluster, |cluster| {
        cluster.postgres.stop();
        let end = Instant::now() + DATABASE_AWAY;
        let mut answers = 0;
        while Instant::now() < end {
            let again = boot_script().context("while the database is away")?;
            ensure!(
                again == script,
                "a booting node is told something else: {again}"
            );
            answers += 1;
            std::thread::sleep(Duration::from_secs(1));
        }
        say(format_args!(
            "meanwhile a booting node had its boot script {answers} times"
        ));
        Ok(cluster.postgres.start_again()?)
    })?;
    cluster.wait_until_ready()?;
    Ok(survived)
}

/// Defines the network and a node that boots in it, and gives the node's boot script.
fn boots(cluster: &Cluster) -> Result<String> {
    run(cluster.xcat3().args([
        "network-create",
        "lab",
        &format!("subnet={SUBNET}"),
        &format!("netmask={NETMASK}"),
    ]))?;
    let nic = format!(
        "mac={},ip={},name=eth0,primary=True",
        guest_mac(1),
        guest(1)
    );
    run(cluster.xcat3().args([
        "create",
        "boots",
        "--nic",
        &nic,
        "mgt=fake",
        "netboot=pxe",
        "arch=x86_64",
    ]))?;
    cluster.wait(
        "a known node has its boot script",
        READY_WITHIN,
        boot_script,
    )
}

fn boot_script() -> Result<String> {
    let name = guest_mac(1).replace(':', "-");
    let mut curl = command("curl");
    curl.args(["--silent", "--show-error", "--fail", "--max-time", "10"]);
    output(curl.arg(format!("http://{SERVER}:3011/boot/{name}.ipxe")))
}

/// Takes a part away in the middle of a job and gives it back. The stream may break off meanwhile: it
/// is taken up where it stopped.
fn while_streaming(
    cluster: &mut Cluster,
    fault: impl FnOnce(&mut Cluster) -> Result<()>,
) -> Result<Survived> {
    let journal = cluster.journal.end();
    let mut stream = cluster.api.stream("PUT", RESET)?;
    let mut lines = stream.take(IN_THE_MIDDLE, OUTCOME_TIMEOUT)?;
    let told = nodes_of(lines.iter().map(|(_, line)| line))?;
    let jobs = cluster.api.request("GET", "/jobs?limit=1", None)?;
    let job = jobs["jobs"][0]["id"]
        .as_str()
        .context("no job is listed")?
        .to_owned();
    fault(cluster)?;
    lines.extend(stream.rest(OUTCOME_TIMEOUT)?);
    if job_of(&lines).is_err() {
        say(format_args!(
            "the answer broke off after {} outcomes",
            lines.len()
        ));
    }
    let repeated = check(cluster, &job, &told, journal)?;
    nodes_of(lines.iter().map(|(_, line)| line))?;
    Ok(Survived {
        nodes: NODES,
        faults: 1,
        repeated,
    })
}
