//! Requests to the API by curl, as a script would send them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command::{command, finished, tail};

/// No request that is answered at once takes longer.
const ANSWERED_WITHIN: &str = "150";
/// Lines of a stream that may wait to be looked at.
const NDJSON: &str = "Accept: application/x-ndjson";

/// The API at one address.
#[derive(Clone, Debug)]
pub struct Api {
    url: String,
}

impl Api {
    /// The API at `address`, as `host:port`.
    #[must_use]
    pub fn at(address: &str) -> Self {
        Self {
            url: format!("http://{address}/v1"),
        }
    }

    fn curl(&self, method: &str, path: &str) -> Command {
        let mut curl = command("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--no-buffer",
            "--globoff",
            "--request",
        ]);
        curl.arg(method).arg(format!("{}{path}", self.url));
        curl
    }

    /// Sends a request and gives the document that it is answered with.
    ///
    /// # Errors
    /// There is no answer, the answer is an error, or it is no JSON.
    pub fn request(&self, method: &str, path: &str, body: Option<&str>) -> Result<Value> {
        let mut curl = self.curl(method, path);
        curl.args(["--fail-with-body", "--max-time", ANSWERED_WITHIN]);
        let file = tempfile::NamedTempFile::new()?;
        if let Some(body) = body {
            std::fs::write(file.path(), body)?;
            let from = format!("@{}", file.path().display());
            curl.args(["--header", "Content-Type: application/json"]);
            curl.arg("--data-binary").arg(from);
        }
        let output = finished(&mut curl)?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!(
                "{method} {path}: {} {}",
                error.trim(),
                tail(&text.chars().take(400).collect::<String>(), 4)
            );
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {path} answered: {text}"))
    }

    /// Sends a request whose answer comes line by line.
    ///
    /// # Errors
    /// curl can't be started.
    pub fn stream(&self, method: &str, path: &str) -> Result<Stream> {
        let mut curl = self.curl(method, path);
        curl.args(["--header", NDJSON]);
        Stream::start(curl)
    }

    /// The same without anybody who reads the answer: it fills what buffers there are and stops.
    ///
    /// # Errors
    /// curl can't be started.
    pub fn unread_stream(&self, method: &str, path: &str) -> Result<Unread> {
        let mut curl = self.curl(method, path);
        curl.args(["--header", NDJSON]);
        Unread::start(curl)
    }
}

/// An answer that comes line by line.
pub struct Stream {
    curl: Child,
    lines: Receiver<(Instant, Value)>,
}

impl Stream {
    fn start(mut curl: Command) -> Result<Self> {
        let mut curl = curl
            .stdout(Stdio::piped())
            .spawn()
            .context("can't start curl")?;
        let out = curl.stdout.take().context("curl has no output")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Ok(value) = serde_json::from_str(&line)
                    && sender.send((Instant::now(), value)).is_err()
                {
                    return;
                }
            }
        });
        Ok(Self { curl, lines })
    }

    /// The next line and when it came; nothing when the answer has ended.
    ///
    /// # Errors
    /// None comes within `patience`.
    pub fn next(&mut self, patience: Duration) -> Result<Option<(Instant, Value)>> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!("nothing came for {patience:?}"),
        }
    }

    /// The next `count` lines.
    ///
    /// # Errors
    /// The answer ends before, or stops for longer than `patience`.
    pub fn take(&mut self, count: usize, patience: Duration) -> Result<Vec<(Instant, Value)>> {
        let mut lines = Vec::with_capacity(count);
        while lines.len() < count {
            let line = self.next(patience)?;
            lines.push(line.with_context(|| {
                format!("the answer ended after {} of {count} lines", lines.len())
            })?);
        }
        Ok(lines)
    }

    /// All lines up to the end of the answer.
    ///
    /// # Errors
    /// It stops for longer than `patience`.
    pub fn rest(&mut self, patience: Duration) -> Result<Vec<(Instant, Value)>> {
        let mut lines = Vec::new();
        while let Some(line) = self.next(patience)? {
            lines.push(line);
        }
        Ok(lines)
    }

    /// Breaks the connection off.
    ///
    /// # Errors
    /// curl can't be ended.
    pub fn disconnect(mut self) -> Result<()> {
        self.curl.kill()?;
        self.curl.wait()?;
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.curl.kill();
        let _ = self.curl.wait();
    }
}

/// An answer that nobody reads yet.
pub struct Unread {
    curl: Child,
}

impl Unread {
    fn start(mut curl: Command) -> Result<Self> {
        let curl = curl
            .stdout(Stdio::piped())
            .spawn()
            .context("can't start curl")?;
        Ok(Self { curl })
    }

    /// Reads it after all, to its end.
    ///
    /// # Errors
    /// The connection broke.
    pub fn read(mut self) -> Result<Vec<Value>> {
        let mut text = String::new();
        let mut out = self.curl.stdout.take().context("curl has no output")?;
        out.read_to_string(&mut text)?;
        ensure!(self.curl.wait()?.success(), "curl: the answer broke off");
        let lines = text.lines().map(serde_json::from_str);
        Ok(lines.collect::<Result<_, _>>()?)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.curl.kill();
        let _ = self.curl.wait();
    }
}
