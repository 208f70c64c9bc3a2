//! What happens to every request: it gets an id, a line in the log, and an answer even where a handler
//! panics.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::Instrument;
use uuid::Uuid;
use xcat3_api_types::reader::start;

use crate::error::ApiError;

/// The header that tells a request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("xcat3-request-id");

/// Runs a request. Neither query nor body are logged.
pub async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let req_id = format!("req-{}", Uuid::new_v4());
    let method = request.method().clone();
    let path = start(request.uri().path());
    let span = tracing::info_span!("request", %req_id);
    let run = AssertUnwindSafe(next.run(request)).catch_unwind();
    let answer = run.instrument(span).await;
    let mut answer = answer.unwrap_or_else(|_| {
        tracing::error!(%req_id, %method, path, "a handler panicked");
        ApiError::internal().into_response()
    });
    if let Ok(value) = HeaderValue::from_str(&req_id) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    let status = answer.status().as_u16();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%req_id, %method, path, status, duration_ms, "answered");
    answer
}
