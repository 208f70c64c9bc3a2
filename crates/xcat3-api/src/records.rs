//! `{"nodes": [record, …]}` of very many nodes, written page by page as the client takes it, so that
//! neither the nodes nor the text are ever all in memory.

use std::io;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, Stream};
use xcat3_core::{Node, NodeName};
use xcat3_store::Store;

use crate::error::ApiError;

/// Nodes a page: one statement of the store.
const PAGE: usize = 1_000;

/// The records of those of the nodes `names` that exist, in that order, as `write` puts them.
///
/// # Errors
/// The store can't be read. Where it fails after the first page, the answer breaks off.
pub async fn records<Write>(
    store: Store,
    names: Vec<NodeName>,
    write: Write,
) -> Result<Response, ApiError>
where
    Write: Fn(&Node, &mut Vec<u8>) -> serde_json::Result<()> + Send + 'static,
{
    let mut pages = Pages {
        store,
        names,
        next: 0,
        written: false,
        write,
    };
    let mut text = br#"{"nodes":["#.to_vec();
    pages.page(&mut text).await?;
    let body = if pages.next < pages.names.len() {
        Body::from_stream(pages.stream(text.into()))
    } else {
        text.extend(END);
        Body::from(text)
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

const END: &[u8] = b"]}";

struct Pages<Write> {
    store: Store,
    names: Vec<NodeName>,
    /// The place of the first name that was not looked up.
    next: usize,
    /// Whether a record was written.
    written: bool,
    write: Write,
}

impl<Write> Pages<Write>
where
    Write: Fn(&Node, &mut Vec<u8>) -> serde_json::Result<()> + Send + 'static,
{
    /// Appends the next page to `text`.
    async fn page(&mut self, text: &mut Vec<u8>) -> Result<(), ApiError> {
        let end = self.names.len().min(self.next.saturating_add(PAGE));
        let nodes = self.store.nodes(&self.names[self.next..end]).await?;
        self.next = end;
        for node in &nodes {
            if self.written {
                text.push(b',');
            }
            self.written = true;
            (self.write)(node, text).map_err(|_| ApiError::internal())?;
        }
        Ok(())
    }

    /// `first`, then the other pages as they are asked for, then the end.
    fn stream(self, first: Bytes) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let state = (Some(self), Some(first));
        stream::try_unfold(state, |(pages, first)| async move {
            if let Some(first) = first {
                return Ok(Some((first, (pages, None))));
            }
            let Some(mut pages) = pages else {
                return Ok(None);
            };
            let mut text = Vec::new();
            pages.page(&mut text).await.map_err(|error| {
                tracing::error!(?error, "the answer broke off");
                io::Error::other("the store can't be read")
            })?;
            let more = pages.next < pages.names.len();
            if !more {
                text.extend(END);
            }
            Ok(Some((Bytes::from(text), (more.then_some(pages), None))))
        })
    }
}
