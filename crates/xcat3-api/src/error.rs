//! Why a request failed as a whole, and how that is told: one form for every status.
//!
//! A node's failure is no error: it is an outcome in the answer.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use xcat3_api_types::ErrorBody;
use xcat3_api_types::reader::start;
use xcat3_store::StoreError;

/// The longest sentence that is told. None of ours is near it; it keeps out what was quoted.
const LONGEST: usize = 1_000;

/// After how many seconds a request may be sent again that came while the database was away.
const AGAIN_AFTER_S: &str = "2";

/// A status and a sentence.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    sentence: String,
}

impl ApiError {
    pub fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
        }
    }

    /// What was sent is wrong.
    pub fn bad_request(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    /// The one thing asked for is not there.
    pub fn missing(what: &str, name: &str) -> Self {
        let sentence = format!("{what} {} does not exist", start(name));
        Self::new(StatusCode::NOT_FOUND, sentence)
    }

    /// It stands in the way of something else.
    pub fn conflict(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, sentence)
    }

    /// Something of ours broke; the log has more.
    pub fn internal() -> Self {
        let sentence = "the API failed at this request; its log says why under the request's id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, sentence)
    }
}

/// A sentence about what was sent.
impl From<String> for ApiError {
    fn from(sentence: String) -> Self {
        Self::bad_request(sentence)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Invalid(sentence) => Self::bad_request(sentence),
            StoreError::NotFound(sentence) => Self::new(StatusCode::NOT_FOUND, sentence),
            StoreError::Conflict(sentence) => Self::conflict(sentence),
            StoreError::DiskFull => {
                tracing::error!(%error, "a request failed");
                Self::new(StatusCode::INSUFFICIENT_STORAGE, error.to_string())
            }
            StoreError::Unavailable(_) => {
                tracing::error!(%error, "a request failed");
                let sentence = "the database can't be used now; try again later";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence)
            }
            StoreError::Corrupt(_) => {
                tracing::error!(%error, "a request failed");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut sentence = self.sentence;
        if sentence.len() > LONGEST {
            sentence = sentence.chars().take(LONGEST).chain(['…']).collect();
        }
        let body = ErrorBody::new(self.status.is_client_error(), sentence);
        let mut answer = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            answer
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static(AGAIN_AFTER_S));
        }
        answer
    }
}

/// The answers that every request may get beside its own, for the API's description.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub enum Failures {
    /// What was sent is wrong; the sentence says what and where.
    #[response(status = 400)]
    BadRequest(ErrorBody),
    /// The body is larger than is taken, or what it says is in the way of something else.
    #[response(status = "4XX")]
    Client(ErrorBody),
    /// The API or its database failed. The request may be sent again.
    #[response(status = "5XX")]
    Server(ErrorBody),
}

/// The answer where the one thing asked for is not there, for the API's description.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "only its description is used")]
pub enum Missing {
    /// It does not exist.
    #[response(status = 404)]
    Missing(ErrorBody),
}

/// For a path that is none.
pub async fn no_path(uri: axum::http::Uri) -> ApiError {
    let sentence = format!("there is nothing at {}", start(uri.path()));
    ApiError::new(StatusCode::NOT_FOUND, sentence)
}

/// For a path that is one, but not with this method.
pub async fn no_method(method: axum::http::Method, uri: axum::http::Uri) -> ApiError {
    let (method, path) = (start(method.as_str()), start(uri.path()));
    let sentence = format!("{path} does not take {method}");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, sentence)
}
