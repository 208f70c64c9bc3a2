//! Bodies of requests: JSON whatever the `Content-Type`, with any method, up to a limit.
//!
//! The prototype's clients send bodies with GET and DELETE, so both are read like any other.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The largest body of a request on many nodes.
const BULK_LIMIT: usize = 256 << 20;
/// The largest body of any other request.
const LIMIT: usize = 1 << 20;
/// How much more than the limit is read and thrown away, so that the sender hears why.
const TOLERATED: usize = 256 << 20;
/// How much room is made at most for what is announced and not there yet.
const RESERVED: usize = 32 << 20;
/// How long the body may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(300);
/// Above this size a body is parsed off the threads that serve requests.
const PARSED_APART: usize = 1 << 20;

/// What the body of a request on many nodes is.
const BULK: &str = "an object with the field 'nodes'";

/// The body of a request on one thing.
pub struct Body<T>(pub T);

/// The body of a request on many nodes.
pub struct Bulk<T>(pub T);

impl<S: Sync, T: DeserializeOwned + Send + 'static> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        read(request, LIMIT, parse).await.map(Self)
    }
}

impl<S: Sync, T: DeserializeOwned + Send + 'static> FromRequest<S> for Bulk<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        read_bulk(request, parse_bulk).await.map(Self)
    }
}

/// The body of a request on many nodes, as `parse` understands it.
pub async fn read_bulk<T: Send + 'static>(
    request: Request,
    parse: fn(&[u8]) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    read(request, BULK_LIMIT, parse).await
}

async fn read<T>(
    request: Request,
    limit: usize,
    parse: fn(&[u8]) -> Result<T, ApiError>,
) -> Result<T, ApiError>
where
    T: Send + 'static,
{
    let arriving = bytes_of(request, limit);
    let arrived = tokio::time::timeout(ARRIVES_WITHIN, arriving).await;
    let bytes = arrived.unwrap_or_else(|_| {
        let seconds = ARRIVES_WITHIN.as_secs();
        let sentence = format!("the request's body did not arrive within {seconds} s");
        Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, sentence))
    })?;
    if bytes.len() <= PARSED_APART {
        return parse(&bytes);
    }
    tokio::task::spawn_blocking(move || parse(&bytes))
        .await
        .unwrap_or_else(|_| Err(ApiError::internal()))
}

async fn bytes_of(request: Request, limit: usize) -> Result<Bytes, ApiError> {
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced: Option<usize> = announced.and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = request.into_body();
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or(0).min(limit).min(RESERVED));
    let mut length: usize = 0;
    if announced.is_some_and(|length| length > limit.saturating_add(TOLERATED)) {
        return Err(too_large(limit));
    }
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|_| ApiError::bad_request("the request's body broke off before its end"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length <= limit {
            bytes.extend_from_slice(&data);
        } else {
            bytes = BytesMut::new();
            if length > limit.saturating_add(TOLERATED) {
                break;
            }
        }
    }
    if length > limit {
        return Err(too_large(limit));
    }
    Ok(bytes.freeze())
}

fn too_large(limit: usize) -> ApiError {
    let mib = limit >> 20;
    let sentence = format!("the request's body is larger than {mib} MiB, which is the most taken");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, sentence)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::bad_request(
            "this request needs a body, a JSON document",
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| ApiError::bad_request(sentence(&error)))
}

/// A list would do for an object to the parser, but to nobody else.
pub fn parse_bulk<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        let sentence = format!("the body can't be understood: expected {BULK}");
        return Err(ApiError::bad_request(sentence));
    }
    parse(bytes)
}

/// The parser's message without the words of Rust and without the values that it quotes.
fn sentence(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (line, column) = (error.line(), error.column());
    let place = format!(" at line {line} column {column}");
    let message = text.strip_suffix(&place).unwrap_or(&text).replace('`', "'");
    let message = match message.split_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid ") => {
            let expected = expected.strip_prefix("struct ").unwrap_or(expected);
            let expected = match expected {
                "Names" | "NodeEntries" | "NodePatches" | "BesideRange" | "BiosBody"
                | "MediaBody" => BULK,
                other => other,
            };
            format!("expected {expected}")
        }
        _ => message,
    };
    let what = match error.classify() {
        serde_json::error::Category::Data => "the body can't be understood",
        _ => "the body is not JSON",
    };
    match line {
        // Values that were read before they were looked at have no place any more.
        0 => format!("{what}: {message}"),
        _ => format!("{what}: {message} (line {line}, column {column})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xcat3_api_types::{Names, PasswdBody};

    fn refusal<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> String {
        let error = serde_json::from_str::<T>(text).unwrap_err();
        sentence(&error)
    }

    #[test]
    fn bad_json_has_its_line_and_column() {
        let text = refusal::<Names>("{\"nodes\": [\n  {\"name\": \"a\",}]}");
        assert!(text.starts_with("the body is not JSON: "), "{text}");
        assert!(text.ends_with("(line 2, column 16)"), "{text}");
    }

    #[test]
    fn what_was_sent_is_not_quoted() {
        for text in [
            refusal::<Names>("\"hidden\""),
            refusal::<Names>("{\"nodes\": \"hidden\"}"),
            refusal::<PasswdBody>("\"hidden\""),
            refusal::<PasswdBody>("{\"key\": \"k\", \"password\": [\"hidden\"]}"),
        ] {
            assert!(
                !text.contains("hidden") && !text.contains("struct"),
                "{text}"
            );
        }
    }
}
