//! What comes of a job, as the API streams it: JSON lines (NDJSON) or server-sent events (WHATWG HTML,
//! section 9.2). Reads one message after the other; what to do when a stream breaks off is in
//! [`crate::follow`].

use std::time::Duration;

use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;
use xcat3_core::NodeName;
use xcat3_core::hardware::LONGEST_REPORT;

use crate::client::root_cause;

/// The longest line that is taken, in bytes. A line is one node's outcome, which may be a report.
const LONGEST_LINE: usize = LONGEST_REPORT + (64 << 10);
/// For how long a stream may be silent. Events say every 15 seconds that they are alive, and lines are
/// followed as events after this.
const LONGEST_SILENCE: Duration = Duration::from_secs(45);

/// The media type of JSON lines.
pub const NDJSON: &str = "application/x-ndjson";
/// The media type of events.
pub const EVENTS: &str = "text/event-stream";

/// How a node's operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was done.
    Ok,
    /// It was not.
    Failed,
    /// It was not begun and won't be.
    LeftAlone,
}

/// What came of a node.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    /// Its number in the job; these grow.
    pub sequence: i64,
    /// The node.
    pub node: NodeName,
    /// How it ended.
    pub outcome: Verdict,
    /// The word that the operation answers, or the sentence that says why not.
    pub result: String,
    /// What was found, where the operation reports that.
    #[serde(default)]
    pub report: Option<Value>,
}

/// The counts of a job that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct End {
    /// Which job.
    pub job: String,
    /// `done`, `cancelled` or `stopped`.
    pub state: String,
    /// How many nodes it had.
    pub nodes: u64,
    /// On how many of them the operation was done.
    pub done: u64,
    /// On how many it failed.
    pub failed: u64,
    /// How many were not begun.
    pub left_alone: u64,
}

/// One message of a stream, with its text where programs are to have it.
#[derive(Debug)]
pub enum Message {
    /// What came of a node.
    Outcome(Record, String),
    /// All outcomes were told.
    End(End, String),
    /// There is nothing new.
    Alive,
}

/// Why a stream has no next message.
#[derive(Debug)]
pub enum Cut {
    /// It broke off.
    Broken(String),
    /// Nothing was heard for long. That may be all right.
    Silent,
    /// It says what the API would not.
    Foreign(String),
}

/// The form of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines,
    Events,
}

/// A stream of messages.
pub struct Stream {
    response: Response,
    form: Form,
    /// What was received; up to `read` it was read.
    buffer: Vec<u8>,
    read: usize,
    event: Event,
}

/// An event that is being received.
#[derive(Default)]
struct Event {
    kind: String,
    data: String,
}

impl Stream {
    /// The stream that a response brings, if it brings one; else the response.
    pub fn of(response: Response) -> Result<Self, Box<Response>> {
        let kind = response.headers().get(reqwest::header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let form = match kind {
            NDJSON => Form::Lines,
            EVENTS => Form::Events,
            _ => return Err(Box::new(response)),
        };
        Ok(Self {
            response,
            form,
            buffer: Vec::new(),
            read: 0,
            event: Event::default(),
        })
    }

    /// The next message.
    pub async fn next(&mut self) -> Result<Message, Cut> {
        loop {
            let line = self.line().await?;
            let message = match self.form {
                Form::Lines if line.is_empty() => None,
                Form::Lines => Some(message(line)?),
                Form::Events => self.event.take(&line)?,
            };
            if let Some(message) = message {
                return Ok(message);
            }
        }
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<String, Cut> {
        let mut searched = self.read;
        loop {
            let end = self.buffer[searched..].iter().position(|&b| b == b'\n');
            if let Some(length) = end {
                let end = searched + length;
                let line = &self.buffer[self.read..end];
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let text = String::from_utf8(line.to_vec());
                self.read = end + 1;
                return text.map_err(|_| Cut::Foreign("a line is not UTF-8 text".to_owned()));
            }
            if self.buffer.len() - self.read > LONGEST_LINE {
                return Err(Cut::Foreign(format!(
                    "a line is longer than {LONGEST_LINE} bytes"
                )));
            }
            self.buffer.drain(..self.read);
            self.read = 0;
            searched = self.buffer.len();
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> Result<(), Cut> {
        let chunk = tokio::time::timeout(LONGEST_SILENCE, self.response.chunk()).await;
        match chunk {
            Err(_) => Err(Cut::Silent),
            Ok(Err(error)) => Err(Cut::Broken(root_cause(&error))),
            // The last line comes before the end, so whoever is here has not seen it.
            Ok(Ok(None)) => Err(Cut::Broken("the API ended the connection".to_owned())),
            Ok(Ok(Some(chunk))) => {
                self.buffer.extend_from_slice(&chunk);
                Ok(())
            }
        }
    }
}

impl Event {
    /// Takes a line; the message, where the line ends one.
    fn take(&mut self, line: &str) -> Result<Option<Message>, Cut> {
        if line.is_empty() {
            let event = std::mem::take(self);
            return match event.kind.as_str() {
                "outcome" | "end" => message(event.data).map(Some),
                _ => Ok(None),
            };
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => return Ok(Some(Message::Alive)),
            "event" => self.kind = value.to_owned(),
            "data" if self.data.len() + value.len() > LONGEST_LINE => {
                return Err(Cut::Foreign(format!(
                    "an event is longer than {LONGEST_LINE} bytes"
                )));
            }
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            // Numbers of events are in their data too.
            _ => {}
        }
        Ok(None)
    }
}

/// Tells the two kinds of documents apart by a field that only one has.
#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Outcome(Record),
    End(End),
}

fn message(text: String) -> Result<Message, Cut> {
    match serde_json::from_str(&text) {
        Ok(Document::Outcome(record)) => Ok(Message::Outcome(record, text)),
        Ok(Document::End(end)) => Ok(Message::End(end, text)),
        Err(_) => {
            let start: String = text.chars().take(80).collect();
            Err(Cut::Foreign(format!("it streams '{start}'")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<String> {
        let mut event = Event::default();
        let mut said = Vec::new();
        for line in text.lines() {
            said.push(match event.take(line) {
                Ok(None) => continue,
                Ok(Some(Message::Outcome(record, _))) => {
                    format!("{} {} {:?}", record.sequence, record.node, record.outcome)
                }
                Ok(Some(Message::End(end, _))) => format!("{} {}", end.state, end.nodes),
                Ok(Some(Message::Alive)) => "alive".to_owned(),
                Err(cut) => format!("{cut:?}"),
            });
        }
        said
    }

    #[test]
    fn events_are_told_apart() {
        let text = "id: 7\nevent: outcome\ndata: {\"sequence\":7,\"node\":\"n1\",\"outcome\":\"left_alone\",\"result\":\"x\"}\n\n\
            : alive\n\nevent: other\ndata: x\n\nretry: 5\n\n\
            event:end\ndata:{\"job\":\"j\",\"state\":\"done\",\ndata:\"nodes\":1,\"done\":0,\"failed\":0,\"left_alone\":1}\n\n";
        assert_eq!(events(text), ["7 n1 LeftAlone", "alive", "done 1"]);
    }

    #[test]
    fn what_the_api_would_not_say_is_refused() {
        for text in [
            "event: outcome\ndata: {\"sequence\":7}\n\n",
            "event: outcome\ndata: {\"sequence\":7,\"node\":\"../x\",\"outcome\":\"ok\",\"result\":\"x\"}\n\n",
            "event: end\ndata:\n\n",
        ] {
            let said = events(text);
            assert!(said[0].starts_with("Foreign"), "{said:?}");
        }
        let mut event = Event::default();
        let line = format!("data: {}", "x".repeat(LONGEST_LINE / 2));
        assert!(event.take(&line).is_ok() && event.take(&line).is_ok());
        assert!(event.take(&line).is_err(), "an event grows without bound");
    }
}
