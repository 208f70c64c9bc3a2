//! The yardstick: OpenStack Ironic, standalone, one process, SQLite, fake hardware, on the same disk
//! and in the same run. `ironic_load.py` sends it its requests.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::plant::Part;
use super::report::Run;
use crate::command::{command, output, run};
use crate::lab::process::Process;

const LOAD: &str = include_str!("ironic_load.py");
const ADDRESS: &str = "127.0.0.1:6385";
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Numbers of nodes, each with an empty database.
pub const COUNTS: [u32; 2] = [100, 1_000];

/// What does the same work as one of our steps.
const ALIKE: [(&str, &[&str]); 9] = [
    ("create", &["enrol with a port", "manage", "provide"]),
    ("list names", &["list names"]),
    ("info", &["details"]),
    ("update", &["update"]),
    ("power on", &["power on"]),
    ("power status", &["power status"]),
    ("deploy", &["deploy"]),
    ("take back", &["undeploy"]),
    ("delete", &["delete"]),
];

/// Runs Ironic from the Python environment and measures it.
///
/// # Errors
/// Ironic does not start, or refuses a request.
pub fn measure(environment: &Path, directory: &Path) -> Result<Value> {
    let mut runs = Vec::new();
    for count in COUNTS {
        runs.push(one(environment, directory, count)?);
    }
    let version = output(command(environment.join("bin/pip")).args(["show", "ironic"]))?;
    let version = version
        .lines()
        .find_map(|line| line.strip_prefix("Version: "));
    Ok(json!({"version": version, "runs": runs}))
}

fn one(environment: &Path, directory: &Path, count: u32) -> Result<Value> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory.join("state"))?;
    let file = directory.join("ironic.conf");
    fs::write(&file, config(directory))?;
    let script = directory.join("load.py");
    fs::write(&script, LOAD)?;
    let program = |name: &str| {
        let mut program = command(environment.join("bin").join(name));
        program.arg("--config-file").arg(&file);
        program
    };
    run(program("ironic-dbsync").arg("create_schema"))?;
    let mut ironic = Process::start(&mut program("ironic"), &directory.join("out.log"))?;
    ironic.wait_until(READY_WITHIN, || {
        let answer = super::plant::ask(ADDRESS, "/v1/nodes");
        answer.is_ok_and(|answer| answer.status == 200)
    })?;
    let mut load = command(environment.join("bin/python"));
    load.arg(&script)
        .arg(format!("http://{ADDRESS}"))
        .arg(count.to_string());
    let text = output(&mut load)?;
    let runs: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
    Ok(runs[0].clone())
}

/// As for the figures in its own documentation of standalone use, with every driver `fake`.
fn config(directory: &Path) -> String {
    let directory = directory.display();
    let fake: String = ["boot", "deploy", "inspect", "management", "power", "vendor"]
        .map(|name| format!("enabled_{name}_interfaces = fake\n"))
        .concat();
    format!(
        "[DEFAULT]\nauth_strategy = noauth\nrpc_transport = none\nhost = bench\n\
         my_ip = 127.0.0.1\nstate_path = {directory}/state\nlog_file = {directory}/ironic.log\n\
         enabled_hardware_types = fake-hardware\n{fake}\
         enabled_network_interfaces = noop\nenabled_storage_interfaces = noop\n\
         default_deploy_interface = fake\ndefault_network_interface = noop\n\
         [api]\nhost_ip = 127.0.0.1\nmax_limit = 10000\n\
         [conductor]\nautomated_clean = False\n\
         [database]\nconnection = sqlite:///{directory}/ironic.db\n\
         [dhcp]\ndhcp_provider = none\n\
         [sensor_data]\nsend_sensor_data = False\n"
    )
}

/// Ironic's times beside ours with xcat3d, which is on SQLite too, and how many times as many nodes a
/// second ours are.
#[must_use]
pub fn table(measured: &Value, runs: &[Run]) -> String {
    let version = measured["version"].as_str().unwrap_or("?");
    let mut text = String::new();
    for theirs in measured["runs"].as_array().into_iter().flatten() {
        let nodes = theirs["nodes"].as_u64().unwrap_or_default();
        let of_ours = |run: &&Run| run.part() == Part::Embedded && u64::from(run.nodes()) == nodes;
        let Some(ours) = runs.iter().find(of_ours) else {
            continue;
        };
        let _ = writeln!(
            text,
            "\nbeside Ironic {version}, {nodes} nodes\n{:<14} {:<34} {:>9} {:>9} {:>7}",
            "xcat3", "Ironic", "xcat3 s", "Ironic s", "times"
        );
        let (mut sum_of_ours, mut sum_of_theirs) = (0.0, 0.0);
        for (step, alike) in ALIKE {
            let own = ours.best(step).unwrap_or_default().as_secs_f64();
            let their: f64 = alike.iter().map(|name| seconds(theirs, name)).sum();
            sum_of_ours += own;
            sum_of_theirs += their;
            text += &row(step, &alike.join(" + "), own, their);
        }
        text += &row("all of it", "", sum_of_ours, sum_of_theirs);
    }
    text
}

fn row(step: &str, alike: &str, own: f64, their: f64) -> String {
    format!(
        "{step:<14} {alike:<34} {own:>9.3} {their:>9.2} {:>7.0}\n",
        their / own
    )
}

fn seconds(run: &Value, name: &str) -> f64 {
    let steps = run["steps"].as_array();
    let step = steps.and_then(|steps| steps.iter().find(|step| step["step"] == name));
    step.and_then(|step| step["seconds"].as_f64())
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_ours_has_one_of_theirs_that_the_load_measures() {
        for name in ALIKE.iter().flat_map(|(_, names)| *names) {
            assert!(LOAD.contains(&format!("(\"{name}\",")), "{name}");
        }
    }

    #[test]
    fn a_step_is_found_by_its_name() {
        let run = json!({"steps": [{"step": "deploy", "seconds": 2.5}]});
        assert!((seconds(&run, "deploy") - 2.5).abs() < 1e-9);
        assert!(seconds(&run, "delete").is_nan());
    }
}
