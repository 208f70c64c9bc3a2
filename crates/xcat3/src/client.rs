//! The REST API as the command line uses it: one request, one JSON answer, or a sentence why not. What
//! streams its answer is in [`crate::follow`].

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use xcat3_core::{NodeName, noderange};

use crate::error::Error;
use crate::output::Spinner;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take: the API's own deadline for nodes is far below.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);

/// A connection to the API.
pub struct Client {
    http: reqwest::Client,
    url: String,
    debug: bool,
}

impl Client {
    /// A client of the API at `url`, for example `http://localhost:3010`.
    pub fn new(url: &str, debug: bool) -> Result<Self, Error> {
        let parsed = reqwest::Url::parse(url);
        if !parsed
            .as_ref()
            .is_ok_and(|url| url.scheme() == "http" && url.has_host())
        {
            let text = format!("'{url}' is not an address of the API: write http://HOST:3010");
            return Err(Error::Argument(text));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|error| Error::Argument(error.to_string()))?;
        Ok(Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
            debug,
        })
    }

    /// The API's answer to a request. An empty answer is `null`.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let request = self.prepare(method, path, query, body);
        let spinner = Spinner::start(&format!("waiting for {}", self.url));
        let response = self.send(request).await;
        let response = response.map_err(|error| self.away(root_cause(&error)))?;
        let answer = self.answer(response).await;
        drop(spinner);
        answer
    }

    /// A request that is not sent yet.
    pub fn prepare(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> RequestBuilder {
        let url = format!("{}/v1{path}", self.url);
        let request = self.http.request(method, &url).query(query);
        match body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    /// Sends a request and waits for the head of the answer.
    pub async fn send(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        let started = Instant::now();
        let request = request.build()?;
        let asked = format!("{} {}", request.method(), request.url());
        let response = self.http.execute(request).await?;
        if self.debug {
            let (status, took) = (response.status(), started.elapsed().as_millis());
            eprintln!("{asked} -> {status}, {took} ms");
        }
        Ok(response)
    }

    /// The document that a response brings. An empty one is `null`.
    pub async fn answer(&self, response: Response) -> Result<Value, Error> {
        let (status, url) = (response.status(), response.url().to_string());
        let bytes = response.bytes().await;
        let bytes = bytes.map_err(|error| self.away(root_cause(&error)))?;
        let answer = if bytes.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_slice(&bytes)
        };
        match answer {
            Ok(answer) if status.is_success() => Ok(answer),
            Ok(answer) => Err(Error::Refused(refusal(&answer, status))),
            Err(_) => Err(Error::Protocol {
                url,
                reason: format!("status {status}, and no JSON"),
            }),
        }
    }

    /// The API can't be reached.
    pub fn away(&self, reason: String) -> Error {
        Error::Unreachable {
            url: self.url.clone(),
            reason,
        }
    }

    /// What answers there is not the API.
    pub fn foreign(&self, reason: String) -> Error {
        Error::Protocol {
            url: self.url.clone(),
            reason,
        }
    }

    /// `GET`.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Error> {
        self.request(Method::GET, path, query, None).await
    }
}

/// The longest range that goes into the address of a request, in bytes.
const LONGEST_RANGE: usize = 2_000;

/// The nodes of a request: as a range in its address where that is short, else each by name in its body.
pub struct Nodes {
    /// The nodes.
    pub names: Vec<NodeName>,
    range: String,
    /// Whether the request names them in its own way.
    apart: bool,
}

impl Nodes {
    /// The nodes that an operator's text names.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let names = noderange::parse(text)?;
        let range = if text.len() <= LONGEST_RANGE {
            text.to_owned()
        } else {
            noderange::fold(&names)
        };
        Ok(Self {
            names,
            range,
            apart: false,
        })
    }

    /// The same for nodes that are known by name.
    pub fn of(names: Vec<NodeName>) -> Self {
        let range = noderange::fold(&names);
        Self {
            names,
            range,
            apart: false,
        }
    }

    /// Targets that are no nodes: the request names them in its own way.
    pub fn targets(names: Vec<NodeName>) -> Self {
        Self {
            names,
            range: String::new(),
            apart: true,
        }
    }

    /// The parameter that names them, if one can.
    pub fn query(&self) -> Option<(&'static str, &str)> {
        let short = !self.apart && self.range.len() <= LONGEST_RANGE;
        short.then_some(("nodes", self.range.as_str()))
    }

    /// The body that names them where no parameter does.
    pub fn body(&self) -> Option<Value> {
        let named = |name: &NodeName| json!({"name": name});
        match self.query() {
            Some(_) => None,
            None if self.apart => None,
            None => Some(json!({"nodes": self.names.iter().map(named).collect::<Vec<_>>()})),
        }
    }
}

/// The sentence in the API's error document.
fn refusal(answer: &Value, status: StatusCode) -> String {
    let sentence = answer["error_message"]["faultstring"].as_str();
    sentence.map_or_else(|| format!("the API answered {status}"), str::to_owned)
}

/// The innermost cause of an error, which is what a person can act on.
pub fn root_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(inner) => root_cause(inner),
        None => error.to_string(),
    }
}
