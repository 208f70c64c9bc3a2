//! A server that answers as a test says, byte by byte: it can hold an answer back, end it early and hang
//! up, which a real server does only when it dies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take that a test waits for.
pub const GENEROUS: Duration = Duration::from_secs(60);

/// What the server was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and address.
    pub line: String,
    /// The headers, their names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Asked {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A part of an answer.
pub enum Step {
    /// Say this.
    Say(String),
    /// Wait until the test goes on.
    Wait(Arc<Mutex<Receiver<()>>>),
    /// Hang up in the middle of the answer.
    HangUp,
}

/// An answer.
pub struct Answer {
    /// Status, content type and further headers; without one nothing is said at all.
    pub head: Option<(u16, &'static str, String)>,
    /// What follows.
    pub steps: Vec<Step>,
}

/// A gate that an answer waits at, and who opens it.
pub fn gate() -> (Sender<()>, Arc<Mutex<Receiver<()>>>) {
    let (sender, receiver) = channel();
    (sender, Arc::new(Mutex::new(receiver)))
}

impl Answer {
    /// A document.
    pub fn json(status: u16, document: &serde_json::Value) -> Self {
        Self {
            head: Some((status, "application/json", String::new())),
            steps: vec![Step::Say(document.to_string())],
        }
    }

    /// The outcomes of the job as lines.
    pub fn lines(steps: Vec<Step>) -> Self {
        let location = format!("Location: /v1/jobs/{JOB}\r\n");
        Self {
            head: Some((200, "application/x-ndjson", location)),
            steps,
        }
    }

    /// The outcomes of the job as events.
    pub fn events(steps: Vec<Step>) -> Self {
        Self {
            head: Some((200, "text/event-stream", String::new())),
            steps,
        }
    }

    /// None: the connection is closed.
    pub fn none() -> Self {
        Self {
            head: None,
            steps: Vec::new(),
        }
    }
}

/// The job that streams are of.
pub const JOB: &str = "0c4d9a3e-4b0e-4f6e-9c0a-3f1d1f6f2b11";

/// A node's outcome as a line.
pub fn line(sequence: usize, outcome: &str, result: &str) -> Step {
    Step::Say(format!(
        "{{\"sequence\":{sequence},\"node\":\"n{sequence}\",\"outcome\":\"{outcome}\",\"result\":\"{result}\"}}\n"
    ))
}

/// The end of the job as a line.
pub fn end(state: &str, done: usize, failed: usize, left_alone: usize) -> Step {
    let nodes = done + failed + left_alone;
    Step::Say(format!(
        "{{\"job\":\"{JOB}\",\"state\":\"{state}\",\"nodes\":{nodes},\"done\":{done},\"failed\":{failed},\"left_alone\":{left_alone}}}\n"
    ))
}

/// The same things as events.
pub fn event(step: Step) -> Step {
    match step {
        Step::Say(text) if text.contains("sequence") => {
            let id = text.trim_start_matches("{\"sequence\":").split(',').next();
            let id = id.unwrap_or_default();
            Step::Say(format!("id: {id}\nevent: outcome\ndata: {text}\n"))
        }
        Step::Say(text) => Step::Say(format!("event: end\ndata: {text}\n")),
        other => other,
    }
}

/// A running server. It ends with the test's process.
pub struct Fake {
    /// Its address.
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Starts a server that answers the request number `n` (from 0) with `answer(request, n)`.
    pub fn start(answer: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (notes, answer) = (asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (notes, answer) = (notes.clone(), answer.clone());
                std::thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    let number = {
                        let mut notes = notes.lock().unwrap();
                        notes.push(request.clone());
                        notes.len() - 1
                    };
                    // The client may have gone away, which is no concern of ours.
                    let _ = reply(stream, answer(&request, number));
                });
            }
        });
        Self { url, asked }
    }

    /// What it was asked by now.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Waits until it was asked so many times.
    pub fn wait_for_requests(&self, count: usize) {
        let started = Instant::now();
        while self.asked().len() < count {
            assert!(started.elapsed() < GENEROUS, "{:?}", self.asked());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut text = String::new();
        reader.read_line(&mut text).ok().filter(|read| *read > 0)?;
        Some(text.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        let text = line()?;
        let Some((name, value)) = text.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut asked = Asked {
        line: first.trim_end_matches(" HTTP/1.1").to_owned(),
        headers,
        body: String::new(),
    };
    let length = asked
        .header("content-length")
        .map_or(0, |l| l.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).unwrap();
    Some(asked)
}

fn reply(mut stream: TcpStream, answer: Answer) -> std::io::Result<()> {
    let Some((status, kind, more)) = answer.head else {
        return Ok(());
    };
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{more}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )?;
    for step in answer.steps {
        match step {
            Step::Say(text) => write!(stream, "{:x}\r\n{text}\r\n", text.len())?,
            Step::Wait(gate) => {
                let _ = gate.lock().unwrap().recv_timeout(GENEROUS);
            }
            Step::HangUp => return Ok(()),
        }
        stream.flush()?;
    }
    write!(stream, "0\r\n\r\n")
}
