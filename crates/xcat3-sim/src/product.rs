//! The product as its users run it: `xcat3d`, `xcat3` and `xcat3-copycds`, from the directory that
//! this program is in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{command, finished, output, tail};
use crate::lab::hypervisor::make_key;
use crate::lab::process::Process;
use crate::report::say;

const API: &str = "http://127.0.0.1:3010";
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running xcat3d and those who use it.
pub struct Product {
    programs: PathBuf,
    directory: PathBuf,
    config: Option<PathBuf>,
    daemon: Option<Process>,
}

impl Product {
    /// Starts xcat3d with an empty state directory and, where given, a configuration.
    pub fn start(directory: &Path, config: Option<&str>) -> Result<Self> {
        let own = std::env::current_exe()?;
        let programs = own
            .parent()
            .context("this program is in no directory")?
            .to_owned();
        fs::create_dir_all(directory.join("operator/.ssh"))?;
        let mut product = Self {
            programs,
            directory: directory.to_owned(),
            config: None,
            daemon: None,
        };
        make_key(&product.operators_key(), "operator@lab")?;
        if let Some(text) = config {
            let file = directory.join("xcat3.conf");
            fs::write(&file, text)?;
            product.config = Some(file);
        }
        product.start_daemon()?;
        Ok(product)
    }

    /// Starts xcat3d, again after [`Product::kill_daemon`].
    pub fn start_daemon(&mut self) -> Result<()> {
        let mut start = self.program("xcat3d");
        if let Some(config) = &self.config {
            start.arg("--config-file").arg(config);
        }
        // Every file that a node fetches, and not our own questions to the API.
        start.env("RUST_LOG", "info,xcat3_network=debug,xcat3_api=warn");
        let mut daemon = Process::start(&mut start, &self.log())?;
        daemon.wait_until(READY_WITHIN, || self.get("/v1").is_ok())?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Ends xcat3d as a power cut would.
    pub fn kill_daemon(&mut self) -> Result<()> {
        self.daemon.take().context("xcat3d does not run")?.kill()
    }

    /// Memory of xcat3d that is in use, in KiB.
    pub fn memory(&self) -> Result<u64> {
        let daemon = self.daemon.as_ref().context("xcat3d does not run")?;
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("no VmRSS")?.parse()?)
    }

    /// The operator's private ssh key.
    #[must_use]
    pub fn operators_key(&self) -> PathBuf {
        self.directory.join("operator/.ssh/id_ed25519")
    }

    fn log(&self) -> PathBuf {
        self.directory.join("xcat3d.log")
    }

    /// The last lines of xcat3d's log that are about something.
    #[must_use]
    pub fn log_lines(&self, count: usize, about: &dyn Fn(&str) -> bool) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| about(line)).collect();
        tail(&lines.join("\n"), count)
    }

    /// A command of one of the product's programs.
    #[must_use]
    pub fn program(&self, name: &str) -> Command {
        let mut command = command(self.programs.join(name));
        command.env("HOME", self.directory.join("operator"));
        command.env("XCAT3_STATE_DIR", self.directory.join("state"));
        command.env("XCAT3_URL", API);
        command
    }

    /// Shows the command line, runs it, and shows what it printed.
    ///
    /// # Errors
    /// It failed.
    pub fn run(&self, words: &[&str]) -> Result<String> {
        say(format_args!("\n$ {}", words.join(" ")));
        let (name, arguments) = words.split_first().context("an empty command")?;
        let result = finished(self.program(name).args(arguments))?;
        let text = String::from_utf8_lossy(&[result.stdout, result.stderr].concat()).into_owned();
        for line in text.lines() {
            say(line);
        }
        if !result.status.success() {
            bail!("`{}` failed ({})", words.join(" "), result.status);
        }
        Ok(text)
    }

    /// What the API answers to a GET.
    pub fn get(&self, path: &str) -> Result<Value> {
        let mut curl = command("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--fail-with-body",
            "--max-time",
            "20",
        ]);
        let text = output(curl.arg(format!("{API}{path}")))?;
        serde_json::from_str(&text).with_context(|| format!("GET {path} answered: {text}"))
    }

    /// The state of a node, and how far its deploy has come in words.
    pub fn node(&self, name: &str) -> Result<NodeView> {
        let record = self.get(&format!("/v1/nodes/{name}?fields=name,state,deploy"))?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(NodeView {
            state: text(&record["state"]),
            phase: text(&record["deploy"]["phase"]),
            detail: text(&record["deploy"]["detail"]),
            failure: text(&record["deploy"]["failure"]),
        })
    }
}

/// What the API tells of a node.
#[derive(Clone, Debug, Default)]
pub struct NodeView {
    /// Its provisioning state.
    pub state: Option<String>,
    /// The phase of its deploy.
    pub phase: Option<String>,
    /// The last that was seen of it.
    pub detail: Option<String>,
    /// Why its deploy failed.
    pub failure: Option<String>,
}

impl NodeView {
    /// Whether it is in this state.
    #[must_use]
    pub fn is(&self, state: &str) -> bool {
        self.state.as_deref() == Some(state)
    }
}
