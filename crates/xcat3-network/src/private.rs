//! The paths of one deployment, below `node/TOKEN/`: answer file, scripts, callback and progress.
//!
//! They are served only while the deployment runs and only to the address of the node's boot nic: a
//! token that others overheard is of no use to them. No log line contains a token.

use std::time::Duration;

use xcat3_core::boot::Phase;
use xcat3_core::{NodeName, Operation, Outcome, State, passwd};
use xcat3_drivers::install::{self, Document};
use xcat3_service::{JobRequest, Jobs};

use crate::boot::BootContext;
use crate::boot_events::Event;
use crate::content::Content;
use crate::images::Found;
use crate::tree::{FileRequest, Refusal, Tree, parameter};

/// How long a callback waits for the conductor; after that the installer repeats it. Shorter than the
/// timeout of the HTTP server for responses.
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(25);

/// Serves `node/TOKEN/`.
#[derive(Clone)]
pub struct Private {
    jobs: Jobs,
}

impl Private {
    /// Callbacks are submitted to `jobs`.
    #[must_use]
    pub fn new(jobs: Jobs) -> Self {
        Self { jobs }
    }

    pub(crate) async fn look_up(
        &self,
        tree: &Tree,
        request: &FileRequest<'_>,
        rest: &str,
    ) -> Result<Found, Refusal> {
        let (token, what) = rest.split_once('/').ok_or(Refusal::NotFound)?;
        // The path without the token, for logs and boot events.
        let path = format!("node/…/{what}");
        let request = &FileRequest {
            path: &path,
            ..*request
        };
        let Some(context) = deployment(tree, request, token) else {
            return not_deploying(tree, request, what);
        };
        if !context.is_at(request.peer) {
            let node = &context.node().name;
            tracing::warn!(%node, ip = %request.peer, path, "request with the token of another node refused");
            return Err(Refusal::Forbidden(request.peer));
        }
        match what {
            "answer" => document(tree, request, context, Document::Answer).await,
            "early" => document(tree, request, context, Document::Early).await,
            "late" => document(tree, request, context, Document::Late).await,
            "callback" => {
                self.callback(tree, request, context.node().name.clone())
                    .await
            }
            "progress" => Ok(progress(tree, request, &context.node().name)),
            _ => Err(Refusal::NotFound),
        }
    }

    /// The installer reports that it is done. Waits until the state is recorded, so that the node cannot
    /// reboot into its installer again.
    async fn callback(
        &self,
        tree: &Tree,
        request: &FileRequest<'_>,
        name: NodeName,
    ) -> Result<Found, Refusal> {
        tree.record(request, Event::Reaches(Phase::Callback));
        tracing::info!(node = %name, "installer finished");
        let failed = |error: xcat3_store::StoreError| Refusal::Failed(error.to_string());
        let running = self
            .jobs
            .submit(JobRequest::new(Operation::Callback, vec![name]))
            .await
            .map_err(failed)?;
        let outcomes = running.collect(CALLBACK_TIMEOUT).await.map_err(failed)?;
        match outcomes.into_iter().next() {
            Some((_, outcome)) if outcome.is_done() => Ok(text(outcome.to_string())),
            Some((_, outcome)) => Err(Refusal::Failed(outcome.to_string())),
            None => Err(Refusal::Failed(
                "the conductor did not record the callback in time".to_owned(),
            )),
        }
    }
}

/// The running deployment with a token.
fn deployment(tree: &Tree, request: &FileRequest<'_>, token: &str) -> Option<BootContext> {
    let facts = tree.snapshot.read();
    let context = BootContext::by_token(&facts, &tree.boot, token, request.server)?;
    (context.node().deployment.state == State::Deploying).then_some(context)
}

/// A token is invalid once its deployment has ended. Only the callback of a deployed node gets the same
/// response again: the first one may have been lost.
fn not_deploying(tree: &Tree, request: &FileRequest<'_>, what: &str) -> Result<Found, Refusal> {
    let facts = tree.snapshot.read();
    let mut nodes = facts.nodes_by_ip(request.peer).iter();
    let deployed = nodes.any(|node| node.deployment.state == State::Deployed);
    if what == "callback" && deployed {
        return Ok(text(Outcome::OK.as_str()));
    }
    Err(Refusal::NotFound)
}

async fn document(
    tree: &Tree,
    request: &FileRequest<'_>,
    context: BootContext,
    which: Document,
) -> Result<Found, Refusal> {
    let system = tree.snapshot.read().passwd(passwd::SYSTEM).cloned();
    let no_password =
        || Refusal::Failed("no root password is set for installed machines".to_owned());
    let system = system.ok_or_else(no_password)?;
    tree.record(request, Event::Reaches(Phase::Installer));
    let name = context.node().name.clone();
    // Hashing a password takes tens of milliseconds.
    let rendering = tokio::task::spawn_blocking(move || {
        let rendered = install::document(which, &context.driver_facts(), &system);
        rendered.map_err(|error| error.to_string())
    });
    let rendered = rendering
        .await
        .unwrap_or_else(|_| Err("rendering the document panicked".to_owned()));
    match rendered {
        Ok(rendered) => Ok(text(rendered)),
        Err(reason) => {
            tracing::error!(node = %name, document = ?which, reason, "cannot render installer document");
            Err(Refusal::Failed(reason))
        }
    }
}

fn progress(tree: &Tree, request: &FileRequest<'_>, name: &NodeName) -> Found {
    let at = request
        .query
        .and_then(|query| parameter(query, "at"))
        .unwrap_or_default();
    let detail = format!("installer: {at}");
    tree.events
        .record(&tree.snapshot, name, Event::IsAlive, &detail);
    text("ok\n")
}

fn text(text: impl Into<bytes::Bytes>) -> Found {
    Found {
        content: Content::Memory(text.into()),
        modified: None,
    }
}
