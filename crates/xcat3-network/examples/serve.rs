//! Serves the files of the command line over HTTP and TFTP, each by its name: the server that
//! `cargo xtask bench files` measures, and a boot server for a desk.
//!
//! `serve HTTP-ADDRESS TFTP-ADDRESS FILE...`, for example `serve 127.0.0.1:8080 127.0.0.1:6969 a.iso`

use std::collections::HashMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::Parser;
use tokio_util::sync::CancellationToken;
use xcat3_network::content::Content;
use xcat3_network::{http, tftp};

#[derive(Parser)]
#[command(about = "Serves files over HTTP and TFTP")]
struct Arguments {
    /// Where HTTP listens
    http: SocketAddr,
    /// Where TFTP listens
    tftp: SocketAddr,
    /// The files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Open files by their names.
struct Files(HashMap<String, Opened>);

struct Opened {
    content: Content,
    modified: SystemTime,
    etag: String,
}

fn open(path: &Path) -> Result<(String, Opened)> {
    let problem = || format!("{} can't be served", path.display());
    let name = path.file_name().with_context(problem)?;
    let file = File::open(path).with_context(problem)?;
    let metadata = file.metadata().with_context(problem)?;
    let modified = metadata.modified().with_context(problem)?;
    let since = modified.duration_since(SystemTime::UNIX_EPOCH)?;
    let opened = Opened {
        content: Content::extents(Arc::new(file), [(0, metadata.len())]),
        modified,
        etag: format!("\"{:x}-{:x}\"", since.as_nanos(), metadata.len()),
    };
    Ok((name.to_string_lossy().into_owned(), opened))
}

impl http::Handler for Files {
    async fn respond(&self, request: &http::Request<'_>) -> http::Response {
        match self.0.get(request.path) {
            Some(opened) => http::Response {
                etag: Some(opened.etag.clone()),
                modified: Some(opened.modified),
                ..http::Response::file(request.path, opened.content.clone())
            },
            None => http::Response::not_found("There is no such file."),
        }
    }
}

impl tftp::Handler for Files {
    async fn open(&self, _: &tftp::Client, path: &str) -> Result<Content, tftp::Refusal> {
        let opened = self.0.get(path).map(|opened| opened.content.clone());
        opened.ok_or_else(|| tftp::Refusal::NotFound("There is no such file.".to_owned()))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let files = arguments.files.iter().map(|path| open(path));
    let files = Arc::new(Files(files.collect::<Result<_>>()?));
    let http = http::Server::bind(arguments.http, None, http::Limits::default())
        .with_context(|| format!("HTTP can't listen on {}", arguments.http))?;
    let tftp = tftp::Server::bind(arguments.tftp, None, tftp::Limits::default())
        .with_context(|| format!("TFTP can't listen on {}", arguments.tftp))?;
    eprintln!(
        "HTTP on {}, TFTP on {}; Ctrl-C ends it",
        http.local_addr(),
        tftp.local_addr()
    );
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let interrupted = tokio::spawn(async move {
        let result = tokio::signal::ctrl_c().await;
        stop.cancel();
        result
    });
    tokio::join!(
        http.run(Arc::clone(&files), shutdown.clone()),
        tftp.run(files, shutdown)
    );
    Ok(interrupted.await??)
}
