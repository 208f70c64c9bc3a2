//! A request to have an operation carried out on many nodes: which nodes, in what waves, told how.
//!
//! It becomes a job. A client of the prototype waits for all outcomes and gets one document; who asks
//! for it follows the outcomes as they happen, or only hears which job it is.

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use xcat3_api_types::nodes::Named;
use xcat3_api_types::reader::start;
use xcat3_api_types::{ErrorBody, JobRecord, NodeOutcomes, OutcomesOrJob, StreamLine};
use xcat3_core::{NodeName, Operation, Outcome};
use xcat3_service::{JobRequest, Running};
use xcat3_store::{JobId, StoreError};

use crate::Api;
use crate::body;
use crate::controllers::jobs::document;
use crate::error::ApiError;
use crate::follow::{Form, follow};
use crate::many::Asked;
use crate::negotiation::{Told, idempotency_key, told};
use crate::parameters::shared;

/// What every operation on many nodes takes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct JobParams {
    /// The nodes as a range, instead of names in the body.
    #[param(example = "node[1-25],-node[7,9]")]
    pub nodes: Option<String>,
    /// How many nodes are worked on at once: the next so many begin when all of these have ended.
    #[param(value_type = Option<u64>, minimum = 1, example = 500)]
    pub batch: Option<String>,
    /// How many nodes may fail, or what share of all (`2%`); one more, and what has not begun is
    /// left alone.
    #[param(example = "2%")]
    pub max_failures: Option<String>,
}

/// The headers that every operation on many nodes understands, for the API's description.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is used")]
pub struct JobHeaders {
    /// `application/x-ndjson`: 200, and a line for each node as it happens.
    #[param(rename = "Accept", required = false, example = "application/x-ndjson")]
    accept: Option<String>,
    /// `respond-async` (RFC 7240): 202, and the job; its outcomes are at `Location`.
    #[param(rename = "Prefer", required = false, example = "respond-async")]
    prefer: Option<String>,
    /// 1 to 255 visible ASCII characters. The same request with the same key is the same job; another
    /// request with it is refused with 422.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        example = "8e03978e-40d5-43dd-bc93-6894a57f9324"
    )]
    idempotency_key: Option<String>,
}

/// A stream, for the API's description.
pub const LINES: &str = concat!(
    r#"{"sequence":7,"node":"node1","outcome":"ok","result":"ok"}"#,
    "\n",
    r#"{"sequence":9,"node":"node2","outcome":"failed","result":"Locked temporarily"}"#,
    "\n",
    r#"{"job":"0c4d9a3e-4b0e-4f6e-9c0a-3f1d1f6f2b11","state":"done","nodes":2,"done":1,"failed":1,"left_alone":0}"#,
    "\n"
);

/// What every operation on many nodes may answer beside its outcomes, for the API's description.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub enum JobAnswers {
    /// The key belongs to a request for something else.
    #[response(status = 422)]
    OtherRequest(ErrorBody),
}

/// The answer of an operation that reports what it found, for the API's description.
pub const REPORTS: &str = "a report, or why there is none, for each; with `Accept: application/x-ndjson` \
    a line for each as it happens, of the job at `Location`";

/// Its other answer, for the API's description.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub enum Later {
    /// With `Prefer: respond-async` the job, at `Location`.
    #[response(status = 202)]
    Job(JobRecord),
}

/// The answers of an operation that changes something, for the API's description.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub enum Changed {
    /// `ok`, or why not, for each; with `Prefer: respond-async` the job, at `Location`.
    #[response(status = 202)]
    Together(OutcomesOrJob),
    /// With `Accept: application/x-ndjson` a line for each node as it happens, of the job at `Location`.
    #[response(status = 200, content_type = "application/x-ndjson")]
    Lines(StreamLine),
}

/// Such a request, without its operation.
pub struct Submission {
    asked: Asked,
    wave: Option<usize>,
    limit: Option<Limit>,
    key: Option<String>,
    told: Told,
}

/// How many nodes may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// So many.
    Nodes(u64),
    /// So many thousandths of a percent of all.
    Share(u64),
}

impl Limit {
    fn of(text: &str) -> Result<Self, ApiError> {
        let wrong = || {
            let text = start(text);
            format!("max_failures '{text}' is neither a number of nodes nor a share like 2%").into()
        };
        let Some(share) = text.strip_suffix('%') else {
            return text.parse().map(Self::Nodes).map_err(|_| wrong());
        };
        let (whole, fraction) = share.split_once('.').unwrap_or((share, "0"));
        let digits =
            |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(wrong());
        }
        let thousandths = format!("{whole}{fraction:0<3}")
            .parse()
            .map_err(|_| wrong())?;
        if thousandths > 100_000 {
            return Err(wrong());
        }
        Ok(Self::Share(thousandths))
    }

    fn nodes(self, all: usize) -> u64 {
        match self {
            Self::Nodes(nodes) => nodes,
            Self::Share(thousandths) => {
                u64::try_from(all)
                    .unwrap_or(u64::MAX)
                    .saturating_mul(thousandths)
                    / 100_000
            }
        }
    }
}

fn wave(text: &str) -> Result<usize, ApiError> {
    let number: Option<usize> = text.parse().ok();
    number.filter(|number| *number > 0).ok_or_else(|| {
        let text = start(text);
        format!("batch '{text}' is not a number of nodes, 1 or more").into()
    })
}

impl<S: Sync> FromRequest<S> for Submission {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (mut submission, range) = Self::without_nodes(&request)?;
        submission.asked = Asked::read(range, request).await?;
        Ok(submission)
    }
}

/// A body that names nodes and says more.
pub trait NamesNodes: DeserializeOwned + Default + Send + 'static {
    /// Takes the nodes out that it names, if it does.
    fn take_nodes(&mut self) -> Option<Vec<Named>>;
}

/// Such a request whose body says more than which nodes. Without a body `T` is its default.
pub struct SubmissionWith<T>(pub Submission, pub T);

impl<S: Sync, T: NamesNodes> FromRequest<S> for SubmissionWith<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (mut submission, range) = Submission::without_nodes(&request)?;
        let parse = |bytes: &[u8]| match bytes.trim_ascii().is_empty() {
            true => Ok(T::default()),
            false => body::parse_bulk(bytes),
        };
        let mut body: T = body::read_bulk(request, parse).await?;
        submission.asked = Asked::of(range, body.take_nodes()).await?;
        Ok(Self(submission, body))
    }
}

impl Submission {
    /// A request on targets that are no nodes: what it says beside them.
    ///
    /// # Errors
    /// It names nodes, or can't be understood.
    pub fn on_targets(request: &Request, targets: Vec<NodeName>) -> Result<Self, ApiError> {
        let (mut submission, range) = Self::without_nodes(request)?;
        if range.is_some() {
            let sentence = "it takes addresses, not nodes: the parameter 'nodes' means nothing";
            return Err(ApiError::bad_request(sentence));
        }
        submission.asked.names = targets;
        Ok(submission)
    }

    /// All but the nodes, and the range in the query that names them, if one does.
    fn without_nodes(request: &Request) -> Result<(Self, Option<String>), ApiError> {
        let params: JobParams = shared(request.uri())?;
        let submission = Self {
            asked: Asked::default(),
            wave: params.batch.as_deref().map(wave).transpose()?,
            limit: params.max_failures.as_deref().map(Limit::of).transpose()?,
            key: idempotency_key(request.headers())?,
            told: told(request.headers()),
        };
        Ok((submission, params.nodes))
    }

    /// Has `operation` carried out and answers as the client asked for; together and in one document
    /// with `status`.
    ///
    /// # Errors
    /// The store did not take the job, or the key belongs to another request. Where the answer is a
    /// job: a name is none.
    pub async fn carry_out(
        mut self,
        api: &Api,
        operation: Operation,
        status: StatusCode,
    ) -> Result<Response, ApiError> {
        if self.told == Told::Together {
            let refused = std::mem::take(&mut self.asked.refused);
            let outcomes = if self.asked.names.is_empty() {
                Vec::new()
            } else {
                collected(api, self.request(operation)).await?
            };
            let answer = NodeOutcomes::new(outcomes, refused);
            return Ok((status, Json(answer)).into_response());
        }
        if let Some((text, why)) = self.asked.refused.first() {
            // Outcomes of a job are of nodes that can be.
            let sentence =
                format!("'{text}' can't name a node, so that there can be no job: {why}");
            return Err(ApiError::bad_request(sentence));
        }
        let told = self.told;
        let running = submit(api, self.request(operation)).await?;
        let location = location(running.id())?;
        let mut answer = if told == Told::Streamed {
            follow(api.clone(), running, Form::Lines)
        } else {
            let mut answer = document(api, running.id()).await?.into_response();
            *answer.status_mut() = StatusCode::ACCEPTED;
            let applied = HeaderName::from_static("preference-applied");
            let preference = HeaderValue::from_static("respond-async");
            answer.headers_mut().insert(applied, preference);
            answer
        };
        answer.headers_mut().insert(header::LOCATION, location);
        Ok(answer)
    }

    fn request(self, operation: Operation) -> JobRequest {
        let max_failures = self.limit.map(|limit| limit.nodes(self.asked.names.len()));
        JobRequest {
            wave: self.wave,
            max_failures,
            key: self.key,
            ..JobRequest::new(operation, self.asked.names)
        }
    }
}

fn location(job: JobId) -> Result<HeaderValue, ApiError> {
    let path = format!("/v1/jobs/{job}");
    HeaderValue::try_from(path).map_err(|_| ApiError::internal())
}

async fn submit(api: &Api, request: JobRequest) -> Result<Running, ApiError> {
    let running = api
        .jobs
        .submit(request)
        .await
        .map_err(|error| match error {
            // Only a key can be in the way.
            StoreError::Conflict(why) => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, why),
            other => other.into(),
        })?;
    tracing::debug!(job = %running.id(), repeated = running.repeated(), "a job");
    Ok(running)
}

/// What came of an operation on nodes, in the order given.
pub async fn collected(
    api: &Api,
    request: JobRequest,
) -> Result<Vec<(NodeName, Outcome)>, ApiError> {
    let running = submit(api, request).await?;
    Ok(running.collect(api.answer_within).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_a_share() {
        for (text, of_65536) in [
            ("0", 0),
            ("17", 17),
            ("2%", 1_310),
            ("0.5%", 327),
            ("0%", 0),
            ("100%", 65_536),
            ("100.000%", 65_536),
        ] {
            assert_eq!(Limit::of(text).unwrap().nodes(65_536), of_65536, "{text}");
        }
        assert_eq!(Limit::of("29%").unwrap().nodes(100), 29);
        for bad in [
            "",
            "%",
            "-1",
            "x",
            "101%",
            "1.2345%",
            "1.%",
            ".5%",
            "2 %",
            "99999999999999999999",
        ] {
            assert!(Limit::of(bad).is_err(), "{bad}");
        }
        assert!(wave("0").is_err() && wave("x").is_err() && wave("500").is_ok());
    }
}
