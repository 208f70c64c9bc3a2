//! The program as a process: start it, talk to it, end it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A running `xcat3d`; it ends with the test.
pub(crate) struct Running {
    pub(crate) child: Child,
    stderr: BufReader<ChildStderr>,
    /// The line by which it says that it is ready.
    pub(crate) ready: String,
}

pub(crate) fn command(state: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xcat3d"));
    command.arg("--state-dir").arg(state).args(arguments);
    command.env_remove("RUST_LOG").env_remove("XCAT3_STATE_DIR");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn start(state: &Path) -> Running {
    let mut child = command(state, &["--listen", "127.0.0.1:0"])
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut ready = String::new();
    while !ready.contains("REST API on") {
        ready.clear();
        assert!(
            stderr.read_line(&mut ready).unwrap() > 0,
            "it ended before it was ready"
        );
    }
    Running {
        child,
        stderr,
        ready,
    }
}

impl Running {
    /// Sends a request to its API and gives the status and the document that it answers.
    pub(crate) fn request(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (_, rest) = self.ready.split_once("http://").unwrap();
        let address = rest.split([',', ' ']).next().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let body = body.to_string();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (_, document) = answer.split_once("\r\n\r\n").unwrap();
        (
            status,
            serde_json::from_str(document).unwrap_or(Value::Null),
        )
    }

    /// Sends it a signal and gives its exit code and what it said since.
    pub(crate) fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already in the tests that end it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The one sentence that it says before it ends with exit code 1.
pub(crate) fn refusal(state: &Path, arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = command(state, arguments).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("xcat3d: "), "{stderr}");
    stderr
}

pub(crate) fn state() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) const ANY_PORT: [&str; 2] = ["--listen", "127.0.0.1:0"];
