//! Following a job over connections that break: what was streamed is counted, and a new connection
//! goes on after the last outcome that was seen (`Last-Event-ID`), so that none is missed and none told
//! twice. Gives up where the API stays away for longer than the operator's patience.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::Value;

use crate::client::{Client, root_cause};
use crate::error::Error;
use crate::stream::{Cut, EVENTS, End, Message, NDJSON, Record, Stream};

/// How long a stream may last; the client's own limit is for single answers.
const LONGEST_STREAM: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long the head of an answer may take.
const HEAD_WITHIN: Duration = Duration::from_secs(120);
/// The first and the longest wait between two tries to connect.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What is new about a job.
#[derive(Debug)]
pub enum News {
    /// What came of a node, and the text that said so.
    Outcome(Record, String),
    /// The job has ended, and the text that said so.
    End(End, String),
    /// The connection broke; a new one is tried.
    Lost(String),
    /// There is a connection again.
    Back,
}

/// A job that is followed.
pub struct Following<'a> {
    client: &'a Client,
    job: String,
    /// The number of the last outcome that was seen.
    after: i64,
    stream: Option<Stream>,
    trouble: Trouble,
}

/// Tries to reach an API that is away.
struct Trouble {
    patience: Duration,
    /// Since when nothing was heard, where the connection is lost.
    since: Option<Instant>,
    wait: Duration,
    /// Whether the operator was told.
    told: bool,
}

impl Trouble {
    fn new(patience: Duration) -> Self {
        Self {
            patience,
            since: None,
            wait: Duration::ZERO,
            told: false,
        }
    }

    /// The API was heard of.
    fn over(&mut self) {
        self.since = None;
        self.wait = Duration::ZERO;
    }

    /// Notes that the connection is lost; whether it is worth another try.
    fn again(&mut self) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        since.elapsed() < self.patience
    }

    /// Waits before the next try, each time longer; the first is at once.
    async fn pause(&mut self) {
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).clamp(WAITS.0, WAITS.1);
    }
}

/// Why there is no stream.
enum NoStream {
    /// The API is away, which may pass.
    Away(String),
    /// It was reached, or it can't be.
    Final(Error),
}

/// What the API made of a request for an operation.
pub enum Submitted<'a> {
    /// A job, to follow.
    Streamed(Box<Following<'a>>),
    /// One document: the job where that was asked for, or what an API answers that has no streams.
    Document(Value),
}

/// A request for an operation on many nodes.
pub struct Request<'r> {
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: &'r str,
    /// Its parameters.
    pub query: &'r [(&'r str, &'r str)],
    /// Its body, where it has one.
    pub body: Option<&'r Value>,
    /// What makes a repeated request the same job.
    pub key: &'r str,
    /// Whether only the job is wanted, not what comes of it.
    pub later: bool,
}

/// Sends a request for an operation. A connection that breaks before there is an answer is made anew:
/// the key sees to it that there is one job all the same. `tell` hears of it.
pub async fn submit<'a>(
    client: &'a Client,
    request: &Request<'_>,
    patience: Duration,
    mut tell: impl FnMut(&News),
) -> Result<Submitted<'a>, Error> {
    let mut trouble = Trouble::new(patience);
    loop {
        let answered = head(client, prepared(client, request)).await;
        let patient = trouble.again();
        match answered {
            Ok(response) if !(trouble.told && patient && is_away(response.status())) => {
                if trouble.told {
                    tell(&News::Back);
                }
                return submitted(client, response, patience).await;
            }
            // The very first try tells whether the address is right.
            Err(Unanswered::Refused(reason)) if !trouble.told => return Err(client.away(reason)),
            Err(Unanswered::Refused(reason) | Unanswered::Broken(reason)) if !patient => {
                return Err(client.away(reason));
            }
            Err(Unanswered::Broken(reason)) if !trouble.told => {
                tell(&News::Lost(reason));
                trouble.told = true;
            }
            Ok(_) | Err(_) => {}
        }
        trouble.pause().await;
    }
}

fn prepared(client: &Client, request: &Request<'_>) -> RequestBuilder {
    let Request {
        method,
        path,
        query,
        body,
        key,
        later,
    } = request;
    let prepared = client
        .prepare(method.clone(), path, query, *body)
        .header("idempotency-key", *key);
    if *later {
        prepared.header("prefer", "respond-async")
    } else {
        prepared.header(header::ACCEPT, NDJSON)
    }
}

/// Why a request has no answer.
enum Unanswered {
    /// There is no connection.
    Refused(String),
    /// It broke.
    Broken(String),
}

async fn head(client: &Client, request: RequestBuilder) -> Result<Response, Unanswered> {
    let sent = client.send(request.timeout(LONGEST_STREAM));
    match tokio::time::timeout(HEAD_WITHIN, sent).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) if error.is_connect() => Err(Unanswered::Refused(root_cause(&error))),
        Ok(Err(error)) => Err(Unanswered::Broken(root_cause(&error))),
        Err(_) => {
            let seconds = HEAD_WITHIN.as_secs();
            let reason = format!("it did not answer for {seconds} seconds");
            Err(Unanswered::Broken(reason))
        }
    }
}

/// Whether an answer says that the API, or what it needs, is away for now.
fn is_away(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

async fn refused(client: &Client, response: Response) -> Error {
    match client.answer(response).await {
        Ok(_) => client.foreign("it answers what was not asked for".to_owned()),
        Err(error) => error,
    }
}

async fn submitted(
    client: &Client,
    response: Response,
    patience: Duration,
) -> Result<Submitted<'_>, Error> {
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|location| location.to_str().ok());
    let job = location.and_then(|location| location.rsplit('/').next());
    let job = job.unwrap_or_default().to_owned();
    if !response.status().is_success() {
        return client.answer(response).await.map(Submitted::Document);
    }
    match Stream::of(response) {
        Err(response) => client.answer(*response).await.map(Submitted::Document),
        Ok(_) if job.is_empty() => {
            Err(client.foreign("it streams without saying which job".to_owned()))
        }
        Ok(stream) => Ok(Submitted::Streamed(Box::new(Following {
            client,
            job,
            after: 0,
            stream: Some(stream),
            trouble: Trouble::new(patience),
        }))),
    }
}

impl<'a> Following<'a> {
    /// Follows a job from its beginning.
    pub async fn open(client: &'a Client, job: &str, patience: Duration) -> Result<Self, Error> {
        let mut following = Self {
            client,
            job: job.to_owned(),
            after: 0,
            stream: None,
            trouble: Trouble::new(patience),
        };
        let connected = following.connect().await;
        following.stream = Some(connected.map_err(|why| match why {
            NoStream::Away(reason) => client.away(reason),
            NoStream::Final(error) => error,
        })?);
        Ok(following)
    }

    /// The job's id.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// What is new; waits for it.
    pub async fn next(&mut self) -> Result<News, Error> {
        loop {
            let Some(stream) = &mut self.stream else {
                if self.reconnect().await? {
                    return Ok(News::Back);
                }
                continue;
            };
            let message = stream.next().await;
            if message.is_ok() {
                self.trouble.over();
            }
            match message {
                Ok(Message::Outcome(record, text)) => {
                    if record.sequence > self.after {
                        self.after = record.sequence;
                        return Ok(News::Outcome(record, text));
                    }
                }
                Ok(Message::End(end, text)) => return Ok(News::End(end, text)),
                Ok(Message::Alive) => {}
                Err(Cut::Foreign(reason)) => return Err(self.client.foreign(reason)),
                Err(Cut::Silent) => self.stream = None,
                Err(Cut::Broken(reason)) => {
                    self.stream = None;
                    if !self.trouble.again() {
                        return Err(self.lost(reason));
                    }
                    if !self.trouble.told {
                        self.trouble.told = true;
                        return Ok(News::Lost(reason));
                    }
                }
            }
        }
    }

    /// Tries once to connect again; whether there is a connection that the operator should hear of.
    async fn reconnect(&mut self) -> Result<bool, Error> {
        let patient = self.trouble.again();
        self.trouble.pause().await;
        match self.connect().await {
            Ok(stream) => {
                self.stream = Some(stream);
                Ok(std::mem::take(&mut self.trouble.told))
            }
            Err(NoStream::Final(error)) => Err(error),
            Err(NoStream::Away(_)) if patient => Ok(false),
            Err(NoStream::Away(reason)) => Err(self.lost(reason)),
        }
    }

    fn lost(&self, reason: String) -> Error {
        Error::Lost {
            job: self.job.clone(),
            seconds: self.trouble.patience.as_secs(),
            reason,
        }
    }

    async fn connect(&self) -> Result<Stream, NoStream> {
        let path = format!("/jobs/{}/events", self.job);
        let request = self
            .client
            .prepare(Method::GET, &path, &[], None)
            .header(header::ACCEPT, EVENTS)
            .header("last-event-id", self.after);
        let response = match head(self.client, request).await {
            Ok(response) => response,
            Err(Unanswered::Refused(reason) | Unanswered::Broken(reason)) => {
                return Err(NoStream::Away(reason));
            }
        };
        if is_away(response.status()) {
            let error = refused(self.client, response).await;
            return Err(NoStream::Away(error.to_string()));
        }
        if !response.status().is_success() {
            return Err(NoStream::Final(refused(self.client, response).await));
        }
        Stream::of(response).map_err(|_| {
            let reason = "it does not stream the events of a job".to_owned();
            NoStream::Final(self.client.foreign(reason))
        })
    }
}
