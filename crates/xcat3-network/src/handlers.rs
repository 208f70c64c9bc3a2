//! The tree as the TFTP and the HTTP server ask for it: their requests in, their answers out.

use std::time::{Duration, SystemTime};

use crate::content::Content;
use crate::images::Found;
use crate::tree::{Asked, Refusal, Tree, ipv4_of};
use crate::{http, tftp};

impl tftp::Handler for Tree {
    async fn open(&self, client: &tftp::Client, path: &str) -> Result<Content, tftp::Refusal> {
        let asked = Asked {
            by: "TFTP",
            path,
            query: None,
            peer: ipv4_of(client.peer),
            server: ipv4_of(client.local),
        };
        match self.look_up(&asked).await {
            Ok(found) => Ok(found.content),
            Err(refusal) => {
                let sentence = refusal.to_string();
                tracing::debug!(ip = %asked.peer, "TFTP /{path}: {sentence}");
                Err(match refusal {
                    Refusal::NotFound => tftp::Refusal::NotFound(sentence),
                    Refusal::Forbidden(_) => tftp::Refusal::Denied(sentence),
                    Refusal::Failed(_) => tftp::Refusal::Failed(sentence),
                })
            }
        }
    }

    fn ended(&self, transfer: &tftp::Ended) {
        let (path, ip) = (transfer.path.as_str(), transfer.client.peer.ip());
        let (bytes, outcome) = (transfer.bytes, &transfer.outcome);
        tracing::info!(%ip, bytes, "TFTP /{path}: {outcome:?}");
    }
}

impl http::Handler for Tree {
    async fn respond(&self, request: &http::Request<'_>) -> http::Response {
        let is_callback = request.path.ends_with("/callback");
        let fits = match request.method {
            http::Method::Get => true,
            http::Method::Head => !is_callback,
            http::Method::Put | http::Method::Post => is_callback,
        };
        if !fits {
            return http::Response::wrong_method();
        }
        let asked = Asked {
            by: method(request.method),
            path: request.path,
            query: request.query,
            peer: ipv4_of(request.peer),
            server: ipv4_of(request.local),
        };
        match self.look_up(&asked).await {
            Ok(found) => answer(request.path, found),
            Err(Refusal::NotFound) => http::Response::not_found("There is no such file."),
            Err(refusal @ Refusal::Forbidden(_)) => http::Response::forbidden(&refusal.to_string()),
            Err(Refusal::Failed(reason)) => http::Response::text(503, format!("{reason}\n")),
        }
    }

    fn sent(&self, sent: &http::SentResponse<'_>) {
        let (request, status) = (sent.request, sent.status);
        let (ip, path) = (request.peer.ip(), without_token(request.path));
        let by = method(request.method);
        if status >= 400 || !sent.complete {
            let (bytes, size) = (sent.bytes, sent.size);
            tracing::info!(%ip, status, bytes, size, "{by} /{path}");
        } else {
            tracing::debug!(%ip, status, bytes = sent.bytes, "{by} /{path}");
        }
    }
}

fn answer(path: &str, found: Found) -> http::Response {
    let Some(modified) = found.modified else {
        return http::Response {
            content: found.content,
            ..http::Response::text(200, "")
        };
    };
    let since = Duration::from_secs(u64::try_from(modified).unwrap_or_default());
    let tag = format!("\"{modified:x}-{:x}\"", found.content.len());
    http::Response {
        etag: Some(tag),
        modified: SystemTime::UNIX_EPOCH.checked_add(since),
        ..http::Response::file(path, found.content)
    }
}

fn method(method: http::Method) -> &'static str {
    match method {
        http::Method::Get => "GET",
        http::Method::Head => "HEAD",
        http::Method::Put => "PUT",
        http::Method::Post => "POST",
    }
}

/// A path as it may stand in a log.
fn without_token(path: &str) -> String {
    match path.strip_prefix("node/") {
        Some(rest) => format!("node/…/{}", rest.split_once('/').unwrap_or_default().1),
        None => path.to_owned(),
    }
}
