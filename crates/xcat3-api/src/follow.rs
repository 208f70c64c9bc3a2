//! What comes of a job as it happens: a line for each node (NDJSON), or an event (server-sent events).
//!
//! The store is read a page at a time, and only when the client has taken what it was given. A client
//! that reads slowly, or not at all, costs its socket and one page; one that goes away costs nothing;
//! the job knows of neither. At shutdown a stream ends without its last line, and whoever follows it
//! goes on elsewhere after the last number that it saw.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use xcat3_api_types::{JobEnd, OutcomeRecord};
use xcat3_service::Running;
use xcat3_store::StoreError;

use crate::Api;
use crate::controllers::jobs::record;
use crate::negotiation::NDJSON;

/// How often an idle stream of events says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Between two tries to read a store that is away.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The form of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON documents, one a line.
    Lines,
    /// Server-sent events.
    Events,
}

impl Form {
    fn media_type(self) -> &'static str {
        match self {
            Self::Lines => NDJSON,
            Self::Events => "text/event-stream",
        }
    }

    fn outcome(self, outcome: &OutcomeRecord, text: &mut Vec<u8>) -> serde_json::Result<()> {
        if self == Self::Events {
            let head = format!("id: {}\nevent: outcome\ndata: ", outcome.sequence);
            text.extend_from_slice(head.as_bytes());
        }
        self.document(outcome, text)
    }

    fn end(self, end: &JobEnd, text: &mut Vec<u8>) -> serde_json::Result<()> {
        if self == Self::Events {
            text.extend_from_slice(b"event: end\ndata: ");
        }
        self.document(end, text)
    }

    fn document(
        self,
        document: &impl serde::Serialize,
        text: &mut Vec<u8>,
    ) -> serde_json::Result<()> {
        serde_json::to_writer(&mut *text, document)?;
        let end: &[u8] = if self == Self::Events { b"\n\n" } else { b"\n" };
        text.extend_from_slice(end);
        Ok(())
    }
}

/// The outcomes of a job as they happen, and at the end its counts.
pub fn follow(api: Api, running: Running, form: Form) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(form.media_type()),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Proxies would collect lines before they pass them on.
        (
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    let following = Following { api, running, form };
    let parts = stream::try_unfold(Some(following), |following| async {
        match following {
            None => Ok(None),
            Some(following) => following.part().await,
        }
    });
    (headers, Body::from_stream(parts)).into_response()
}

struct Following {
    api: Api,
    running: Running,
    form: Form,
}

/// A part of a stream, and what follows it: nothing after the last part. Without a part the stream
/// ends here.
type Part = Option<(Bytes, Option<Following>)>;

impl Following {
    async fn part(mut self) -> io::Result<Part> {
        let shutdown = self.api.shutdown.clone();
        let part = tokio::select! {
            biased;
            () = shutdown.cancelled() => None,
            part = self.text() => Some(part?),
        };
        Ok(part.map(|(text, last)| (Bytes::from(text), (!last).then_some(self))))
    }

    /// The next text, and whether it is the last.
    async fn text(&mut self) -> io::Result<(Vec<u8>, bool)> {
        let mut text = Vec::new();
        loop {
            let next = match self.form {
                Form::Lines => self.running.next().await,
                Form::Events => match tokio::time::timeout(KEEP_ALIVE, self.running.next()).await {
                    Ok(next) => next,
                    Err(_) => return Ok((b": alive\n\n".to_vec(), false)),
                },
            };
            match next {
                Ok(Some(outcomes)) => {
                    let job = self.running.id();
                    let last = outcomes.last().map(|(sequence, ..)| *sequence);
                    tracing::trace!(%job, count = outcomes.len(), last, "a page of outcomes");
                    for (sequence, name, outcome) in outcomes {
                        let outcome = OutcomeRecord::new(sequence, name, outcome);
                        self.form.outcome(&outcome, &mut text)?;
                    }
                    return Ok((text, false));
                }
                Ok(None) => {
                    let end = self.end().await?;
                    self.form.end(&end, &mut text)?;
                    return Ok((text, true));
                }
                Err(error) => self.patience(error).await?,
            }
        }
    }

    async fn end(&self) -> io::Result<JobEnd> {
        loop {
            match self.api.store.job(self.running.id()).await {
                Ok(Some(status)) => return Ok(record(&status).into()),
                Ok(None) => return Err(io::Error::other("the job is not kept any more")),
                Err(error) => self.patience(error).await?,
            }
        }
    }

    /// Waits where the store is away for now.
    async fn patience(&self, error: StoreError) -> io::Result<()> {
        let job = self.running.id();
        if let StoreError::Unavailable(_) = error {
            tracing::warn!(%job, %error, "a stream waits for the database");
            tokio::time::sleep(TRY_AGAIN).await;
            return Ok(());
        }
        tracing::error!(%job, %error, "a stream broke off");
        Err(io::Error::other(error))
    }
}
