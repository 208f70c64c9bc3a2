//! The tree as handler of the TFTP and the HTTP server.

use std::time::{Duration, SystemTime};

use crate::content::Content;
use crate::images::Found;
use crate::tree::{FileRequest, Refusal, Tree, ipv4_of};
use crate::{http, tftp};

impl tftp::Handler for Tree {
    async fn open(&self, client: &tftp::Client, path: &str) -> Result<Content, tftp::Refusal> {
        let request = FileRequest {
            method: "TFTP",
            path,
            query: None,
            peer: ipv4_of(client.peer),
            server: ipv4_of(client.local),
        };
        match self.look_up(&request).await {
            Ok(found) => Ok(found.content),
            Err(refusal) => {
                let reason = refusal.to_string();
                let path = without_token(path);
                tracing::debug!(ip = %request.peer, path, reason, "TFTP request refused");
                Err(match refusal {
                    Refusal::NotFound => tftp::Refusal::NotFound(reason),
                    Refusal::Forbidden(_) => tftp::Refusal::Denied(reason),
                    Refusal::Failed(_) => tftp::Refusal::Failed(reason),
                })
            }
        }
    }

    fn ended(&self, transfer: &tftp::Ended) {
        let (path, ip) = (without_token(&transfer.path), transfer.client.peer.ip());
        let (bytes, outcome) = (transfer.bytes, &transfer.outcome);
        tracing::info!(%ip, path, bytes, ?outcome, "TFTP transfer ended");
    }
}

impl http::Handler for Tree {
    async fn respond(&self, request: &http::Request<'_>) -> http::Response {
        let is_callback = request.path.ends_with("/callback");
        let is_allowed = match request.method {
            http::Method::Get => true,
            http::Method::Head => !is_callback,
            http::Method::Put | http::Method::Post => is_callback,
        };
        if !is_allowed {
            return http::Response::wrong_method();
        }
        let file = FileRequest {
            method: method_name(request.method),
            path: request.path,
            query: request.query,
            peer: ipv4_of(request.peer),
            server: ipv4_of(request.local),
        };
        match self.look_up(&file).await {
            Ok(found) => response(request.path, found),
            Err(Refusal::NotFound) => http::Response::not_found("There is no such file."),
            Err(refusal @ Refusal::Forbidden(_)) => http::Response::forbidden(&refusal.to_string()),
            Err(Refusal::Failed(reason)) => http::Response::text(503, format!("{reason}\n")),
        }
    }

    fn sent(&self, sent: &http::SentResponse<'_>) {
        let (request, status) = (sent.request, sent.status);
        let (ip, path) = (request.peer.ip(), without_token(request.path));
        let (method, bytes, size) = (method_name(request.method), sent.bytes, sent.size);
        if status >= 400 || !sent.complete {
            tracing::info!(%ip, method, path, status, bytes, size, "HTTP request failed");
        } else {
            tracing::debug!(%ip, method, path, status, bytes, "HTTP request served");
        }
    }
}

fn response(path: &str, found: Found) -> http::Response {
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

fn method_name(method: http::Method) -> &'static str {
    match method {
        http::Method::Get => "GET",
        http::Method::Head => "HEAD",
        http::Method::Put => "PUT",
        http::Method::Post => "POST",
    }
}

/// A path for the log, without its token.
fn without_token(path: &str) -> String {
    match path.strip_prefix("node/") {
        Some(rest) => format!("node/…/{}", rest.split_once('/').unwrap_or_default().1),
        None => path.to_owned(),
    }
}
