//! What is measured: simulated BMCs, and `xcat3d` with a node for each of them.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::steps::Status;
use crate::bench_bulk::http::{Answer, Request, send};
use crate::bench_bulk::memory;
use crate::command::command;
use crate::lab::process::Process;

/// Who may log in to the BMCs.
pub const USER: &str = "admin";
/// With which password.
pub const PASSWORD: &str = "rehearsal";
const API: &str = "127.0.0.1:3010";
/// Where Redfish BMCs listen.
pub const REDFISH_PORT: u16 = 443;
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The certificate that signed those of the BMCs.
const AUTHORITY: &str = "authority.pem";
const STATUS: &str = "/v1/nodes/power";

/// Which BMCs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPMI over LAN with this cipher suite.
    Ipmi {
        /// 3 or 17.
        suite: u8,
    },
    /// Redfish over TLS.
    Redfish,
}

/// Simulated BMCs and the product.
pub struct Fleet {
    // The product ends before what it drives.
    product: std::cell::RefCell<Option<Process>>,
    _simulator: Process,
    directory: PathBuf,
    programs: PathBuf,
    count: u32,
    names: Vec<u8>,
    addresses: Vec<Ipv4Addr>,
}

impl Fleet {
    /// Starts the simulator with more arguments, and the product with a node for each BMC.
    ///
    /// # Errors
    /// A program does not come up, or the nodes are refused.
    pub fn start(directory: &Path, kind: Kind, count: u32, more: &[&str]) -> Result<Self> {
        let directory = directory.join("fleet");
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        let own = std::env::current_exe()?;
        let programs = own.parent().context("this program is in no directory")?;
        let nodes = directory.join("nodes.json");
        let mgt = match kind {
            Kind::Ipmi { .. } => "ipmi",
            Kind::Redfish => "redfish",
        };
        let mut start = command(&own);
        start
            .args(["bmc", "--count", &count.to_string()])
            .args([
                "--user",
                USER,
                "--password",
                PASSWORD,
                "--mgt",
                mgt,
                "--nodes",
            ])
            .arg(&nodes)
            .args(more);
        if kind == Kind::Redfish {
            start.args(["--redfish-port", &REDFISH_PORT.to_string(), "--redfish-ca"]);
            start.arg(directory.join(AUTHORITY));
        }
        let log = directory.join("simulator.log");
        let mut simulator = Process::start(&mut start, &log)?;
        let ready = || fs::read_to_string(&log).is_ok_and(|text| text.contains("ready"));
        simulator.wait_until(READY_WITHIN, ready)?;
        let state = directory.join("state");
        let state = state.to_str().context("the directory's name is no text")?;
        let authority = directory.join(AUTHORITY);
        let authority = authority
            .to_str()
            .context("the directory's name is no text")?;
        let mut config = format!(
            "state_dir = {}\n[api]\nanswer_within_s = 300\n",
            Value::from(state)
        );
        if kind == Kind::Redfish {
            config += &format!("[control.redfish]\nca_file = {}\n", Value::from(authority));
        }
        fs::write(directory.join("xcat3.conf"), config)?;
        let mut nodes: Value = serde_json::from_slice(&fs::read(&nodes)?)?;
        let (names, addresses) = prepare(&mut nodes, kind)?;
        let fleet = Self {
            product: std::cell::RefCell::new(None),
            _simulator: simulator,
            directory,
            programs: programs.to_owned(),
            count,
            names,
            addresses,
        };
        fleet.restart()?;
        let answer = fleet.ask(
            "POST",
            "/v1/nodes",
            "application/json",
            nodes.to_string().as_bytes(),
        )?;
        let text = String::from_utf8_lossy(&answer.body);
        let enrolled = text.matches("\"ok\"").count();
        ensure!(
            enrolled == count as usize,
            "{enrolled} of {count} nodes are enrolled: {text:.300}"
        );
        Ok(fleet)
    }

    /// Starts the product anew, on the same database: without a session.
    fn restart(&self) -> Result<()> {
        self.pause();
        let mut start = command(self.programs.join("xcat3d"));
        start
            .arg("--config-file")
            .arg(self.directory.join("xcat3.conf"));
        start.env("HOME", &self.directory).env("RUST_LOG", "warn");
        let mut product = Process::start(&mut start, &self.directory.join("xcat3d.log"))?;
        let answers = || self.ask("GET", "/v1", "application/json", &[]).is_ok();
        product.wait_until(READY_WITHIN, answers)?;
        *self.product.borrow_mut() = Some(product);
        Ok(())
    }

    /// Asks for the power status of all, in one request.
    ///
    /// # Errors
    /// The answer is not one outcome for each.
    pub fn power_status(&self) -> Result<Status> {
        let answer = self.ask("GET", STATUS, "application/x-ndjson", &self.names)?;
        Status::of(&answer, self.count)
    }

    /// The same by a product that has no session yet.
    ///
    /// # Errors
    /// As above, or it does not come up.
    pub fn restarted_status(&self) -> Result<Status> {
        self.restart()?;
        self.power_status()
    }

    /// Ends the product, so that another fleet's can be asked; the BMCs go on.
    pub fn pause(&self) {
        drop(self.product.borrow_mut().take());
    }

    /// What the product holds in memory, in KiB.
    ///
    /// # Errors
    /// It does not run.
    pub fn product_kib(&self) -> Result<u64> {
        let all = memory::measure(&self.programs);
        let product = all.into_iter().find(|memory| memory.process == "xcat3d");
        Ok(product.context("xcat3d does not run")?.resident_kib)
    }

    /// The addresses of the BMCs.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.addresses.iter().copied()
    }

    /// The file with the certificate that signed those of Redfish BMCs.
    pub fn authority(&self) -> PathBuf {
        self.directory.join(AUTHORITY)
    }

    fn ask(&self, method: &str, path: &str, accept: &str, body: &[u8]) -> Result<Answer> {
        let request = Request {
            method,
            path,
            accept,
            body,
        };
        send(API, request)
    }
}

/// Sets the suite of IPMI nodes; gives the names of all as a body, and their BMCs' addresses.
fn prepare(nodes: &mut Value, kind: Kind) -> Result<(Vec<u8>, Vec<Ipv4Addr>)> {
    let list = nodes["nodes"].as_array_mut().context("no nodes")?;
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    for node in list {
        if let Kind::Ipmi { suite } = kind {
            node["control_info"]["bmc_cipher_suite"] = Value::from(suite.to_string());
        }
        names.push(serde_json::json!({"name": node["name"]}));
        let address = node["control_info"]["bmc_address"].as_str();
        addresses.push(address.context("a node without bmc_address")?.parse()?);
    }
    let names = serde_json::json!({"nodes": names}).to_string();
    Ok((names.into_bytes(), addresses))
}
