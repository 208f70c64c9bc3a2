//! The IPMI face, as other people's tools see it.

mod accounts;
mod changing;
mod faults;
mod program;
mod sol;
mod tools;

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;

use xcat3_sim::bmc::Machines;
use xcat3_sim::bmc::ipmi::{Ipmi, Options, serve_ipmi};

/// Simulated machines that answer by IPMI until it is dropped.
pub(crate) struct Plant {
    pub(crate) machines: Arc<Machines>,
    pub(crate) ipmi: Option<Ipmi>,
}

impl Plant {
    /// So many machines from an address on that no other test has.
    pub(crate) fn new(base: Ipv4Addr, count: usize, options: Options) -> Self {
        let machines = Arc::new(Machines::new(base, count));
        let ipmi = serve_ipmi(Arc::clone(&machines), options).unwrap();
        Self {
            machines,
            ipmi: Some(ipmi),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.ipmi.as_ref().unwrap().port()
    }

    /// What `ipmitool` prints and whether it is content, asked of a machine.
    pub(crate) fn ipmitool(
        &self,
        index: usize,
        options: &[&str],
        words: &[&str],
    ) -> (bool, String) {
        let address = self.machines.address(index).to_string();
        let port = self.port().to_string();
        let mut tool = Command::new("ipmitool");
        tool.args(["-I", "lanplus", "-H", &address, "-p", &port])
            .args(["-U", "admin", "-P", "password"])
            .args(options)
            .args(words);
        run(&mut tool)
    }

    /// What `ipmitool` prints, which has to be content.
    pub(crate) fn tell(&self, index: usize, suite: &str, words: &[&str]) -> String {
        let (content, text) = self.ipmitool(index, &["-C", suite], words);
        assert!(content, "ipmitool {words:?}: {text}");
        text
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        if let Some(ipmi) = self.ipmi.take() {
            ipmi.stop().unwrap();
        }
    }
}

/// Runs a tool: whether it succeeded, and all that it printed.
pub(crate) fn run(tool: &mut Command) -> (bool, String) {
    let output = tool.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.success(), text)
}

/// The line that begins so, with blanks put together.
pub(crate) fn line(text: &str, begin: &str) -> String {
    let found = text.lines().find(|line| line.trim().starts_with(begin));
    let found = found.unwrap_or_else(|| panic!("no line begins with '{begin}': {text}"));
    found.split_whitespace().collect::<Vec<_>>().join(" ")
}
