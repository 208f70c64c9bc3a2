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
    news: News,
}

/// What was seen since it was last written. Another worker may have seen more of the node meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct News {
    /// Whether the node was reset.
    restarted: bool,
    /// The furthest phase since then.
    reached: Phase,
}

impl News {
    const NONE: Self = Self {
        restarted: false,
        reached: Phase::Waiting,
    };

    fn with(self, step: Step) -> Self {
        match step {
            Step::Restarts(phase) => Self {
                restarted: true,
                reached: phase,
            },
            Step::Reaches(phase) => Self {
                reached: self.reached.max(phase),
                ..self
            },
            Step::Lives => self,
        }
    }

    /// How far a node is by what this worker saw, `ours`, and by what is stored, which another may
    /// have written.
    fn merged(self, ours: &Progress, stored: &Progress, now_ms: i64) -> Progress {
        let mut merged = ours.clone();
        if self.restarted {
            // Whatever others saw before that is over, and must not outlive it in the store.
            merged.seen_ms = now_ms.max(stored.seen_ms);
            return merged;
        }
        merged.phase = stored.phase.max(self.reached);
        if merged.phase == stored.phase {
            merged.since_ms = stored.since_ms;
        }
        if stored.seen_ms > ours.seen_ms {
            merged.seen_ms = stored.seen_ms;
            merged.detail.clone_from(&stored.detail);
        }
        merged
    }
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
        if let Some(node) = node.filter(|node| node.deployment.state == State::Deploying)
            && let Some(token) = &node.deployment.token
        {
            let stored = node.deployment.progress.as_ref();
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
        let news = before.map_or(News::NONE, |latest| latest.news).with(step);
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
                news,
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

    /// What is to be written for `taken`, where other workers write, too, and `stored` is what they
    /// wrote: in memory from now on as well.
    fn merge(&self, taken: &mut [(NodeName, Progress)], stored: &HashMap<NodeName, Progress>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, progress) in taken {
            if let (Some(latest), Some(stored)) = (seen.nodes.get_mut(name), stored.get(name)) {
                // What was seen since it was taken stands for itself at the next writing.
                latest.progress = latest.news.merged(&latest.progress, stored, now_ms());
                progress.clone_from(&latest.progress);
            }
        }
    }

    /// Notes that these were written.
    fn written(&self, taken: &[(NodeName, Progress)]) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { nodes, unwritten } = &mut *seen;
        for (name, _) in taken {
            if let Some(latest) = nodes.get_mut(name).filter(|_| !unwritten.contains(name)) {
                latest.news = News::NONE;
            }
        }
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
                .is_some_and(|node| node.deployment.state == State::Deploying)
        };
        let Seen { nodes, unwritten } = &mut *seen;
        nodes.retain(|name, _| unwritten.contains(name) || deploying(name));
    }
}

/// Writes sightings to the store until `stop`, and the last ones then. With `shared` other workers of
/// this host see the same nodes and write, too.
pub async fn write(
    store: Store,
    snapshot: Snapshot,
    sightings: Sightings,
    shared: bool,
    stop: CancellationToken,
) {
    loop {
        let stopped = stop
            .run_until_cancelled(tokio::time::sleep(WRITE_EVERY))
            .await
            .is_none();
        let mut news = sightings.take();
        let mut failed = Vec::new();
        if !news.is_empty() {
            let writing = async {
                if shared {
                    let names: Vec<NodeName> = news.iter().map(|(name, _)| name.clone()).collect();
                    sightings.merge(&mut news, &store.progress(&names).await?);
                }
                store.record_progress(&news).await
            };
            match tokio::time::timeout(PATIENCE, writing).await {
                Ok(Ok(())) => sightings.written(&news),
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
    fn what_two_workers_see_of_a_node_is_one_story() {
        let name: NodeName = "node1".parse().unwrap();
        let (first, second) = (Sightings::default(), Sightings::default());
        let mut stored = HashMap::from([(
            name.clone(),
            Progress {
                phase: Phase::Waiting,
                detail: String::new(),
                since_ms: 0,
                seen_ms: 0,
            },
        )]);
        let mut now = now_ms();
        let mut sees = |who: &Sightings, step| {
            now += 1;
            who.note_deploy(&name, "a", None, step, "x", now);
            let mut taken = who.take();
            who.merge(&mut taken, &stored);
            let (name, progress) = taken.remove(0);
            let phase = progress.phase;
            stored.insert(name.clone(), progress.clone());
            who.written(&[(name, progress)]);
            phase
        };
        assert_eq!(sees(&first, Step::Restarts(Phase::Dhcp)), Phase::Dhcp);
        assert_eq!(
            sees(&second, Step::Reaches(Phase::Packages)),
            Phase::Packages
        );
        // The first worker knows of DHCP only, and does not take the node back there.
        assert_eq!(sees(&first, Step::Lives), Phase::Packages);
        assert_eq!(sees(&first, Step::Reaches(Phase::Kernel)), Phase::Packages);
        // The node was reset: the second worker does not put it back to where it saw it last.
        assert_eq!(sees(&first, Step::Restarts(Phase::Dhcp)), Phase::Dhcp);
        assert_eq!(sees(&second, Step::Lives), Phase::Dhcp);
        assert_eq!(sees(&second, Step::Reaches(Phase::Loader)), Phase::Loader);
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
