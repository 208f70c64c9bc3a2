//! What each deploying node was last seen doing: its way from the first DHCP request to the callback.
//!
//! Noted in memory by every server, written to the store for all nodes at once at most twice a second.
//! Only nodes that are deploying are noted; what others fetch is nobody's progress.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use xcat3_core::boot::{Phase, Progress};
use xcat3_core::{NodeName, State};
use xcat3_drivers::boot::Firmware;
use xcat3_store::Store;

use crate::clock::now_ms;
use crate::dhcp::packet::{Kind, Reply, Request};
use crate::snapshot::Snapshot;

const WRITE_EVERY: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(5);
/// A detail is one line for an operator, not a document.
const LONGEST_DETAIL: usize = 200;

/// Where sightings of nodes are noted. Cheap to clone.
#[derive(Clone, Default)]
pub struct Sightings(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    nodes: HashMap<NodeName, Latest>,
    unwritten: HashSet<NodeName>,
}

/// The latest sighting, and of which deploy: a new one starts anew.
struct Latest {
    token: String,
    progress: Progress,
}

/// What may become of a node's phase at a sighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The node is in this phase now, wherever it was: it was reset.
    Restarts(Phase),
    /// The node is in this phase, or further already.
    Reaches(Phase),
    /// Says only that the node is alive.
    Lives,
}

impl Sightings {
    /// Notes what a node was seen doing, where it is deploying.
    pub fn note(&self, snapshot: &Snapshot, name: &NodeName, step: Step, detail: &str) {
        let node = snapshot.read().node(name).cloned();
        if let Some(node) = node.filter(|node| node.state == State::Deploying)
            && let Some(token) = &node.deploy_token
        {
            let stored = node.progress.as_ref();
            self.note_deploy(name, token, stored, step, detail, now_ms());
        }
    }

    /// Notes a sighting of the deploy with this token. What was stored counts where this process has
    /// seen nothing of it yet: it may have been restarted.
    fn note_deploy(
        &self,
        name: &NodeName,
        token: &str,
        stored: Option<&Progress>,
        step: Step,
        detail: &str,
        now_ms: i64,
    ) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.nodes.get(name).filter(|latest| latest.token == token);
        let before = before.map(|latest| &latest.progress).or(stored);
        let was = before.map_or((Phase::Waiting, now_ms), |before| {
            (before.phase, before.since_ms)
        });
        let phase = match step {
            Step::Restarts(phase) => phase,
            Step::Reaches(phase) => was.0.max(phase),
            Step::Lives => was.0,
        };
        let since_ms = if phase == was.0 { was.1 } else { now_ms };
        let detail = detail
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_DETAIL)
            .collect();
        let progress = Progress {
            phase,
            detail,
            since_ms,
            seen_ms: now_ms,
        };
        seen.nodes.insert(
            name.clone(),
            Latest {
                token: token.to_owned(),
                progress,
            },
        );
        seen.unwritten.insert(name.clone());
    }

    /// Notes that a node was given an address.
    pub fn dhcp(
        &self,
        snapshot: &Snapshot,
        name: &NodeName,
        firmware: Firmware,
        request: &Request,
        reply: &Reply,
    ) {
        if !matches!(reply.kind, Some(Kind::Offer | Kind::Ack)) {
            return;
        }
        let step = match firmware {
            // A running installer asks for its address like any system.
            Firmware::Other => Step::Lives,
            // iPXE asks again after it was loaded by the firmware's own PXE.
            Firmware::Ipxe if self.is_loading(name) => Step::Lives,
            _ => Step::Restarts(Phase::Dhcp),
        };
        let detail = format!("DHCP: {} to {} ({firmware:?})", reply.yiaddr, request.mac);
        self.note(snapshot, name, step, &detail);
    }

    fn is_loading(&self, name: &NodeName) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.nodes
            .get(name)
            .is_some_and(|latest| matches!(latest.progress.phase, Phase::Loader))
    }

    /// Takes what was not written yet.
    fn take(&self) -> Vec<(NodeName, Progress)> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = std::mem::take(&mut seen.unwritten);
        let progress = |name: NodeName| {
            let progress = seen.nodes.get(&name)?.progress.clone();
            Some((name, progress))
        };
        names.into_iter().filter_map(progress).collect()
    }

    /// Puts back what could not be written, and forgets nodes that are no longer deploying.
    fn settle(&self, snapshot: &Snapshot, failed: Vec<(NodeName, Progress)>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.unwritten
            .extend(failed.into_iter().map(|(name, _)| name));
        let facts = snapshot.read();
        let deploying = |name: &NodeName| {
            facts
                .node(name)
                .is_some_and(|node| node.state == State::Deploying)
        };
        let Seen { nodes, unwritten } = &mut *seen;
        nodes.retain(|name, _| unwritten.contains(name) || deploying(name));
    }
}

/// Writes sightings to the store until `stop`, and the last ones then.
pub async fn write(
    store: Store,
    snapshot: Snapshot,
    sightings: Sightings,
    stop: CancellationToken,
) {
    loop {
        let stopped = stop
            .run_until_cancelled(tokio::time::sleep(WRITE_EVERY))
            .await
            .is_none();
        let news = sightings.take();
        let mut failed = Vec::new();
        if !news.is_empty() {
            match tokio::time::timeout(PATIENCE, store.record_progress(&news)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the progress of nodes is not saved yet");
                    failed = news;
                }
                Err(_) => failed = news,
            }
        }
        sightings.settle(&snapshot, failed);
        if stopped {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(sightings: &Sightings, name: &NodeName) -> (Phase, i64) {
        let seen = sightings.0.lock().unwrap();
        let progress = &seen.nodes[name].progress;
        (progress.phase, progress.since_ms)
    }

    #[test]
    fn a_phase_goes_forward_until_the_machine_is_reset() {
        let (sightings, name) = (Sightings::default(), "node1".parse().unwrap());
        let mut now = 0;
        let mut note = |token: &str, step| {
            now += 1;
            sightings.note_deploy(&name, token, None, step, "x", now);
            phase(&sightings, &name)
        };
        assert_eq!(note("a", Step::Lives), (Phase::Waiting, 1));
        assert_eq!(note("a", Step::Restarts(Phase::Dhcp)), (Phase::Dhcp, 2));
        assert_eq!(
            note("a", Step::Reaches(Phase::Packages)),
            (Phase::Packages, 3)
        );
        assert_eq!(
            note("a", Step::Reaches(Phase::Kernel)),
            (Phase::Packages, 3)
        );
        assert_eq!(note("a", Step::Lives), (Phase::Packages, 3));
        assert_eq!(note("a", Step::Restarts(Phase::Dhcp)), (Phase::Dhcp, 6));
        assert_eq!(note("b", Step::Reaches(Phase::Loader)), (Phase::Loader, 7));
    }

    #[test]
    fn a_restarted_service_goes_on_from_what_is_stored() {
        let (sightings, name) = (Sightings::default(), "node1".parse().unwrap());
        let stored = Progress {
            phase: Phase::Packages,
            detail: String::new(),
            since_ms: 5,
            seen_ms: 7,
        };
        sightings.note_deploy(&name, "a", Some(&stored), Step::Lives, "x", 9);
        assert_eq!(phase(&sightings, &name), (Phase::Packages, 5));
        sightings.note_deploy(
            &name,
            "a",
            Some(&stored),
            Step::Restarts(Phase::Dhcp),
            "x",
            10,
        );
        sightings.note_deploy(&name, "a", Some(&stored), Step::Lives, "x", 11);
        assert_eq!(phase(&sightings, &name), (Phase::Dhcp, 10));
    }

    #[test]
    fn a_detail_is_one_short_line() {
        let (sightings, name) = (Sightings::default(), "node1".parse::<NodeName>().unwrap());
        let detail = format!("GET /a\r\nb{}", "c".repeat(1000));
        sightings.note_deploy(&name, "a", None, Step::Lives, &detail, 1);
        let written = sightings.take();
        assert_eq!(written[0].1.detail.len(), LONGEST_DETAIL);
        assert!(written[0].1.detail.starts_with("GET /ab"));
        assert!(sightings.take().is_empty());
    }
}
