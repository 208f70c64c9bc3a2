//! Simulated BMCs in this process, and curl to ask them.

use std::net::Ipv4Addr;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use xcat3_sim::bmc::machine::{Machine, Machines};
use xcat3_sim::bmc::redfish::{Options, Redfish, serve_redfish};

const BASE: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 250);

/// Machines that answer by Redfish.
pub struct Plant {
    pub machines: Arc<Machines>,
    pub redfish: Option<Redfish>,
    runtime: Runtime,
    files: TempDir,
    scheme: &'static str,
}

impl Plant {
    /// So many machines with the options.
    pub fn of(count: usize, options: Options) -> Self {
        let runtime = Runtime::new().unwrap();
        let machines = Arc::new(Machines::new(BASE, count));
        let scheme = if options.tls { "https" } else { "http" };
        let _inside = runtime.enter();
        let redfish = serve_redfish(Arc::clone(&machines), options).unwrap();
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("ca.pem"), redfish.authority_pem()).unwrap();
        Self {
            machines,
            redfish: Some(redfish),
            runtime: {
                drop(_inside);
                runtime
            },
            files,
            scheme,
        }
    }

    pub fn face(&self) -> &Redfish {
        self.redfish.as_ref().unwrap()
    }

    pub fn ca(&self) -> String {
        self.files.path().join("ca.pem").display().to_string()
    }

    /// The address of a path at a machine.
    pub fn url(&self, index: usize, path: &str) -> String {
        let address = self.machines.address(index);
        format!("{}://{address}:{}{path}", self.scheme, self.face().port())
    }

    /// A copy of what the machine holds.
    pub fn held(&self, index: usize) -> Machine {
        self.machines.machine(index).clone()
    }

    /// curl with the authority and these words.
    pub fn curl(&self, words: &[&str]) -> Output {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "60", "--globoff"]);
        curl.args(["--cacert", &self.ca()]).args(words);
        curl.stdin(Stdio::null()).output().unwrap()
    }

    /// curl as the user, for a status and a document.
    pub fn ask(&self, index: usize, path: &str, words: &[&str]) -> (u16, Value) {
        let url = self.url(index, path);
        let mut all = vec!["--user", "admin:password", "--write-out", "\n%{http_code}"];
        all.extend_from_slice(words);
        all.push(&url);
        let output = self.curl(&all);
        let text = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{path}: {error}");
        let (body, status) = text.rsplit_once('\n').unwrap();
        let document = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(body).unwrap_or_else(|_| panic!("{path}: no JSON: {body}"))
        };
        (status.parse().unwrap(), document)
    }

    /// A document that must be there.
    pub fn get(&self, index: usize, path: &str) -> Value {
        let (status, document) = self.ask(index, path, &[]);
        assert_eq!(status, 200, "{path}: {document}");
        document
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        if let Some(redfish) = self.redfish.take() {
            let _ = self.runtime.block_on(redfish.stop());
        }
    }
}
