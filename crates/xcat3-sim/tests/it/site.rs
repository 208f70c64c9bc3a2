//! A whole site for tests: `xcat3d` with an empty database, simulated BMCs as programs of their own, and
//! the command line that asks. All on loopback, on ports that nobody else has.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A program that ends with its owner.
pub struct Program(pub Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What came of a node.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// `ok` or `failed`.
    pub outcome: String,
    /// The word or sentence.
    pub result: String,
    /// The report, where there is one.
    pub report: Value,
}

/// Outcomes by node.
pub type Outcomes = BTreeMap<String, Outcome>;

/// The product and the BMCs that it drives.
pub struct Site {
    // The product ends before what it drives.
    product: Program,
    simulators: Vec<Program>,
    directory: tempfile::TempDir,
    api: String,
}

impl Site {
    /// Starts `xcat3d` with more configuration than where it listens.
    pub fn start(config: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), config)
    }

    /// The same with its files in this directory, which the configuration may name.
    pub fn start_in(directory: tempfile::TempDir, config: &str) -> Self {
        // Nobody else takes the port between now and then: the system gives out others first.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let file = directory.path().join("xcat3.conf");
        let state = Value::from(directory.path().join("state").display().to_string());
        let text = format!("state_dir = {state}\n[api]\nlisten = \"127.0.0.1:{port}\"\n{config}");
        fs::write(&file, text).unwrap();
        let site = Self {
            product: product(directory.path()),
            simulators: Vec::new(),
            directory,
            api: format!("http://127.0.0.1:{port}"),
        };
        site.wait();
        site
    }

    /// Ends `xcat3d` without a warning and starts it anew, on the same database.
    pub fn restart(&mut self) {
        let _ = self.product.0.kill();
        let _ = self.product.0.wait();
        self.product = product(self.directory.path());
        self.wait();
    }

    fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.cli(&["service-list"]).status.success() {
            assert!(Instant::now() < until, "xcat3d does not come up");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// A directory for the test's files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts `count` simulated BMCs from the address `base` on, and gives the nodes that are driven by
    /// them, named `PREFIX0` and so on. They are not enrolled yet.
    pub fn simulate(
        &mut self,
        prefix: &str,
        base: &str,
        count: usize,
        more: &[&str],
    ) -> Vec<Value> {
        let file = self.directory.path().join(format!("{prefix}.json"));
        let mut simulator = Command::new(program("xcat3-sim"));
        simulator
            .args(["bmc", "--count", &count.to_string(), "--base", base])
            .args(more)
            .arg("--nodes")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut simulator = simulator.spawn().unwrap();
        let mut line = String::new();
        let out = simulator.stdout.take().unwrap();
        self.simulators.push(Program(simulator));
        BufReader::new(out).read_line(&mut line).unwrap();
        assert!(line.starts_with("ready"), "{prefix}: {line}");
        let nodes: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let mut nodes = nodes["nodes"].as_array().unwrap().clone();
        for (number, node) in nodes.iter_mut().enumerate() {
            node["name"] = json!(format!("{prefix}{number}"));
            // Simulators of one kind give their machines the same addresses.
            node.as_object_mut().unwrap().remove("nics_info");
        }
        nodes
    }

    /// Enrols nodes.
    pub fn enrol(&self, nodes: &[Value]) {
        let file = self.directory.path().join("enrol.json");
        fs::write(&file, json!({ "nodes": nodes }).to_string()).unwrap();
        let answer = self.curl(
            "POST",
            "/v1/nodes",
            &["--data", &format!("@{}", file.display())],
        );
        let enrolled = answer.matches("\"ok\"").count();
        assert_eq!(enrolled, nodes.len(), "{answer}");
    }

    /// What the API answers to a request.
    pub fn curl(&self, method: &str, path: &str, more: &[&str]) -> String {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--globoff", "--max-time", "120"])
            .args([
                "--request",
                method,
                "--header",
                "Content-Type: application/json",
            ])
            .args(more)
            .arg(format!("{}{path}", self.api))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs `xcat3` with these words.
    pub fn cli(&self, words: &[&str]) -> Output {
        Command::new(program("xcat3"))
            .args(["--xcat3-url", &self.api])
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What comes of the nodes when `xcat3` is run with these words and `--json`.
    pub fn outcomes(&self, words: &[&str]) -> Outcomes {
        let output = self.cli(&[words, &["--json"]].concat());
        let said = text(&output.stdout);
        let lines = said.lines().map(|line| {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| {
                panic!("{error}: {line}: {}", text(&output.stderr));
            });
            line
        });
        let outcomes = lines.filter(|line| line["node"].is_string()).map(|line| {
            let of = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            let outcome = Outcome {
                outcome: of("outcome"),
                result: of("result"),
                report: line["report"].clone(),
            };
            (of("node"), outcome)
        });
        outcomes.collect()
    }

    /// The most memory that `xcat3d` has held so far, in KiB.
    pub fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.product.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.unwrap().parse().unwrap()
    }
}

/// `xcat3d` with the configuration in `directory`, which has its files too.
fn product(directory: &Path) -> Program {
    let log = File::create(directory.join("xcat3d.log")).unwrap();
    let product = Command::new(program("xcat3d"))
        .arg("--config-file")
        .arg(directory.join("xcat3.conf"))
        .env("HOME", directory)
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    Program(product.unwrap())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program of the workspace, which stands beside the simulator.
fn program(name: &str) -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_xcat3-sim")).with_file_name(name);
    assert!(
        beside.exists(),
        "{} is not built: cargo build --workspace",
        beside.display()
    );
    beside
}
