//! What is a deploying node's alone: answer file, scripts, callback and progress, below `node/TOKEN/`.
//!
//! Given only for the token of a deploy under way and only to the address of that node's boot nic: a
//! token that was overheard is of no use elsewhere. A token never appears in a log line.

use std::time::Duration;

use xcat3_core::boot::Phase;
use xcat3_core::{NodeName, Operation, Outcome, State, passwd};
use xcat3_drivers::install::{self, Document};
use xcat3_service::{JobRequest, Jobs};

use crate::content::Content;
use crate::images::Found;
use crate::progress::Step;
use crate::tree::{Asked, Boot, Refusal, Tree, parameter};

/// How long a callback waits for the conductor; the installer asks again after that. Below the time
/// that the HTTP server gives an answer.
const CALLBACK_WITHIN: Duration = Duration::from_secs(25);

/// What answers for `node/TOKEN/`. Cheap to clone.
#[derive(Clone)]
pub struct Private {
    jobs: Jobs,
}

impl Private {
    /// Callbacks become jobs of `jobs`.
    #[must_use]
    pub fn new(jobs: Jobs) -> Self {
        Self { jobs }
    }

    pub(crate) async fn look_up(
        &self,
        tree: &Tree,
        asked: &Asked<'_>,
        rest: &str,
    ) -> Result<Found, Refusal> {
        let (token, what) = rest.split_once('/').ok_or(Refusal::NotFound)?;
        // The path as it may be written into logs and records.
        let shown = format!("node/…/{what}");
        let asked = &Asked {
            path: &shown,
            ..*asked
        };
        let Some(boot) = deploy_of(tree, token) else {
            return not_deploying(tree, asked, what);
        };
        if !boot.is_peer(asked.peer) {
            tracing::warn!(node = %boot.node.name, ip = %asked.peer, "refused to give /{shown}");
            return Err(Refusal::Forbidden(asked.peer));
        }
        match what {
            "answer" => document(tree, asked, boot, Document::Answer).await,
            "early" => document(tree, asked, boot, Document::Early).await,
            "late" => document(tree, asked, boot, Document::Late).await,
            "callback" => self.callback(tree, asked, boot.node.name.clone()).await,
            "progress" => Ok(progress(tree, asked, &boot.node.name)),
            _ => Err(Refusal::NotFound),
        }
    }

    /// The installer says that it is done. Waits until that is recorded, so that the node can't reboot
    /// into its installer again.
    async fn callback(
        &self,
        tree: &Tree,
        asked: &Asked<'_>,
        name: NodeName,
    ) -> Result<Found, Refusal> {
        tree.note(asked, Step::Reaches(Phase::Callback));
        tracing::info!(node = %name, "the installer says that it is done");
        let failed = |error: xcat3_store::StoreError| Refusal::Failed(error.to_string());
        let running = self
            .jobs
            .submit(JobRequest::new(Operation::Callback, vec![name]))
            .await
            .map_err(failed)?;
        let outcomes = running.collect(CALLBACK_WITHIN).await.map_err(failed)?;
        match outcomes.into_iter().next() {
            Some((_, outcome)) if outcome.is_done() => Ok(text(outcome.to_string())),
            Some((_, outcome)) => Err(Refusal::Failed(outcome.to_string())),
            None => Err(Refusal::Failed("nothing came of it".to_owned())),
        }
    }
}

/// The deploy that a token belongs to.
fn deploy_of(tree: &Tree, token: &str) -> Option<Boot> {
    let facts = tree.snapshot.read();
    let node = facts.node_by_token(token)?;
    if node.deployment.state != State::Deploying {
        return None;
    }
    Boot::of(&facts, node, node.boot_nic()?.mac)
}

/// A token opens nothing once its deploy has ended. Only a callback from a node that is deployed is
/// answered as the first one was: its answer may have been lost.
fn not_deploying(tree: &Tree, asked: &Asked<'_>, what: &str) -> Result<Found, Refusal> {
    let facts = tree.snapshot.read();
    let mut nodes = facts.nodes_by_ip(asked.peer).iter();
    let deployed = nodes.any(|node| node.deployment.state == State::Deployed);
    if what == "callback" && deployed {
        return Ok(text(Outcome::OK.as_str()));
    }
    Err(Refusal::NotFound)
}

async fn document(
    tree: &Tree,
    asked: &Asked<'_>,
    boot: Boot,
    which: Document,
) -> Result<Found, Refusal> {
    let system = tree.snapshot.read().passwd(passwd::SYSTEM).cloned();
    let no_password =
        || Refusal::Failed("no root password is set for installed machines".to_owned());
    let system = system.ok_or_else(no_password)?;
    tree.note(asked, Step::Reaches(Phase::Installer));
    let (tree, server, name) = (tree.clone(), asked.server, boot.node.name.clone());
    // Hashing a password takes tens of milliseconds.
    let rendering = tokio::task::spawn_blocking(move || {
        let rendered = install::document(which, &boot.facts(&tree, server), &system);
        rendered.map_err(|error| error.to_string())
    });
    let rendered = rendering
        .await
        .unwrap_or_else(|_| Err("it was broken off".to_owned()));
    match rendered {
        Ok(rendered) => Ok(text(rendered)),
        Err(reason) => {
            tracing::error!(node = %name, reason, "no {which:?} document");
            Err(Refusal::Failed(reason))
        }
    }
}

fn progress(tree: &Tree, asked: &Asked<'_>, name: &NodeName) -> Found {
    let at = asked
        .query
        .and_then(|query| parameter(query, "at"))
        .unwrap_or_default();
    tree.sightings.note(
        &tree.snapshot,
        name,
        Step::Lives,
        &format!("installer: {at}"),
    );
    text("ok\n")
}

fn text(text: impl Into<bytes::Bytes>) -> Found {
    Found {
        content: Content::Memory(text.into()),
        modified: None,
    }
}
