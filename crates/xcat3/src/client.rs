//! The REST API as the command line uses it: one request, one JSON answer, or a sentence why not.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

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
        let url = format!("{}/v1{path}", self.url);
        let mut request = self.http.request(method.clone(), &url).query(query);
        if let Some(body) = body {
            request = request.json(body);
        }
        let started = Instant::now();
        let spinner = Spinner::start(&format!("waiting for {}", self.url));
        let sent = request.send().await;
        let unreachable = |error: &reqwest::Error| Error::Unreachable {
            url: self.url.clone(),
            reason: root_cause(error),
        };
        let response = sent.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let bytes = response
            .bytes()
            .await
            .map_err(|error| unreachable(&error))?;
        drop(spinner);
        if self.debug {
            let (count, took) = (bytes.len(), started.elapsed().as_millis());
            eprintln!("{method} {url} -> {status}, {count} bytes, {took} ms");
        }
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

    /// `GET`.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Error> {
        self.request(Method::GET, path, query, None).await
    }
}

/// The body that names the nodes of a request.
pub fn names_body(names: &[xcat3_core::NodeName]) -> Value {
    let nodes: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    json!({ "nodes": nodes })
}

/// The sentence in the API's error document.
fn refusal(answer: &Value, status: reqwest::StatusCode) -> String {
    let sentence = answer["error_message"]["faultstring"].as_str();
    sentence.map_or_else(|| format!("the API answered {status}"), str::to_owned)
}

/// The innermost cause of an error, which is what a person can act on.
fn root_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(inner) => root_cause(inner),
        None => error.to_string(),
    }
}
