//! Boot events: what each deploying node was last observed doing, from its first DHCP request to the
//! callback.
//!
//! Servers record events in memory; a task writes all changed nodes to the store at most twice a second.
//! Only nodes that are deploying have boot events.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use xcat3_core::boot::{Phase, Progress};
use xcat3_core::{NodeName, State};
use xcat3_drivers::boot::Firmware;
use xcat3_store::Store;

use crate::clock::now_ms;
use crate::dhcp::decide::Decision;
use crate::dhcp::packet::{MessageType, Request};
use crate::snapshot::Snapshot;

const WRITE_INTERVAL: Duration = Duration::from_millis(500);
const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest detail, in characters: one line for an operator.
const MAX_DETAIL: usize = 200;

/// Records boot events. Clones share them.
#[derive(Clone, Default)]
pub struct BootEvents(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    nodes: HashMap<NodeName, NodeEvents>,
    unwritten: HashSet<NodeName>,
}

/// The latest event of a node and the token of its deployment. Another deployment starts anew.
struct NodeEvents {
    token: String,
    progress: Progress,
    unwritten: Unwritten,
}

/// The events since the last write. Another worker may have observed more of the node meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unwritten {
    /// Whether the node was reset.
    restarted: bool,
    /// The furthest phase since then.
    reached: Phase,
}

impl Unwritten {
    const NONE: Self = Self {
        restarted: false,
        reached: Phase::Waiting,
    };

    fn with(self, event: Event) -> Self {
        match event {
            Event::Restarts(phase) => Self {
                restarted: true,
                reached: phase,
            },
            Event::Reaches(phase) => Self {
                reached: self.reached.max(phase),
                ..self
            },
            Event::IsAlive => self,
        }
    }

    /// The progress of a node from the events of this worker, `ours`, and from `stored`, which another
    /// worker may have written.
    fn merged(self, ours: &Progress, stored: &Progress, now_ms: i64) -> Progress {
        let mut merged = ours.clone();
        if self.restarted {
            // The reset supersedes what other workers observed, so its time must be the latest.
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

/// What an event says about the phase of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The node was reset and is in this phase.
    Restarts(Phase),
    /// The node is in this phase or a later one.
    Reaches(Phase),
    /// The node is alive.
    IsAlive,
}

impl BootEvents {
    /// Records an event of a node that is deploying.
    pub fn record(&self, snapshot: &Snapshot, name: &NodeName, event: Event, detail: &str) {
        let node = snapshot.read().node(name).cloned();
        if let Some(node) = node.filter(|node| node.deployment.state == State::Deploying)
            && let Some(token) = &node.deployment.token
        {
            let stored = node.deployment.progress.as_ref();
            self.record_deployment(name, token, stored, event, detail, now_ms());
        }
    }

    /// Records an event of the deployment with this token. `stored` counts where this process has no
    /// event of the deployment: it may have been restarted.
    fn record_deployment(
        &self,
        name: &NodeName,
        token: &str,
        stored: Option<&Progress>,
        event: Event,
        detail: &str,
        now_ms: i64,
    ) {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let former = recorded.nodes.get(name).filter(|node| node.token == token);
        let unwritten = former.map_or(Unwritten::NONE, |node| node.unwritten);
        let former = former.map(|node| &node.progress).or(stored);
        let (former_phase, former_since_ms) = former.map_or((Phase::Waiting, now_ms), |former| {
            (former.phase, former.since_ms)
        });
        let phase = match event {
            Event::Restarts(phase) => phase,
            Event::Reaches(phase) => former_phase.max(phase),
            Event::IsAlive => former_phase,
        };
        let printable = detail.chars().filter(|c| !c.is_control());
        let progress = Progress {
            phase,
            detail: printable.take(MAX_DETAIL).collect(),
            since_ms: if phase == former_phase {
                former_since_ms
            } else {
                now_ms
            },
            seen_ms: now_ms,
        };
        let events = NodeEvents {
            token: token.to_owned(),
            progress,
            unwritten: unwritten.with(event),
        };
        recorded.nodes.insert(name.clone(), events);
        recorded.unwritten.insert(name.clone());
    }

    /// Records that a node was granted an address.
    pub fn record_dhcp(&self, snapshot: &Snapshot, request: &Request, decision: &Decision) {
        let (Some(name), Some(firmware), Some((reply, _))) =
            (&decision.node, decision.firmware, &decision.reply)
        else {
            return;
        };
        if !matches!(
            reply.message_type,
            Some(MessageType::Offer | MessageType::Ack)
        ) {
            return;
        }
        let event = match firmware {
            // A running installer requests its address like any system.
            Firmware::Other => Event::IsAlive,
            // iPXE requests an address again after the firmware's PXE has loaded it.
            Firmware::Ipxe if self.is_loading(name) => Event::IsAlive,
            _ => Event::Restarts(Phase::Dhcp),
        };
        let detail = format!("DHCP: {} to {} ({firmware:?})", reply.yiaddr, request.mac);
        self.record(snapshot, name, event, &detail);
    }

    fn is_loading(&self, name: &NodeName) -> bool {
        let recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let node = recorded.nodes.get(name);
        node.is_some_and(|node| node.progress.phase == Phase::Loader)
    }

    /// Returns the progress that is not written yet.
    fn drain_unwritten(&self) -> Vec<(NodeName, Progress)> {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = std::mem::take(&mut recorded.unwritten);
        let progress = |name: NodeName| {
            let progress = recorded.nodes.get(&name)?.progress.clone();
            Some((name, progress))
        };
        names.into_iter().filter_map(progress).collect()
    }

    /// Merges `drained` with `stored`, which other workers may have written, also in memory.
    fn merge(
        &self,
        drained: &mut [(NodeName, Progress)],
        stored: &HashMap<NodeName, Progress>,
        now_ms: i64,
    ) {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, progress) in drained {
            if let (Some(node), Some(stored)) = (recorded.nodes.get_mut(name), stored.get(name)) {
                node.progress = node.unwritten.merged(&node.progress, stored, now_ms);
                progress.clone_from(&node.progress);
            }
        }
    }

    /// Marks the progress as written, except where a further event was recorded meanwhile.
    fn mark_written(&self, written: &[(NodeName, Progress)]) {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Recorded { nodes, unwritten } = &mut *recorded;
        for (name, _) in written {
            if let Some(node) = nodes.get_mut(name).filter(|_| !unwritten.contains(name)) {
                node.unwritten = Unwritten::NONE;
            }
        }
    }

    /// Marks `failed` as unwritten again, and forgets nodes that are no longer deploying.
    fn requeue(&self, snapshot: &Snapshot, failed: Vec<(NodeName, Progress)>) {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = failed.into_iter().map(|(name, _)| name);
        recorded.unwritten.extend(names);
        let facts = snapshot.read();
        let is_deploying = |name: &NodeName| {
            let node = facts.node(name);
            node.is_some_and(|node| node.deployment.state == State::Deploying)
        };
        let Recorded { nodes, unwritten } = &mut *recorded;
        nodes.retain(|name, _| unwritten.contains(name) || is_deploying(name));
    }
}

/// Writes boot events to the store until `stop`, and a last time then. With `other_workers` the events
/// are merged with what other workers of this host write of the same nodes.
pub async fn write(
    store: Store,
    snapshot: Snapshot,
    events: BootEvents,
    other_workers: bool,
    stop: CancellationToken,
) {
    loop {
        let waiting = stop.run_until_cancelled(tokio::time::sleep(WRITE_INTERVAL));
        let stopped = waiting.await.is_none();
        let mut progress = events.drain_unwritten();
        let mut failed = Vec::new();
        if !progress.is_empty() {
            let writing = async {
                if other_workers {
                    let names: Vec<NodeName> =
                        progress.iter().map(|(name, _)| name.clone()).collect();
                    let stored = store.progress(&names).await?;
                    events.merge(&mut progress, &stored, now_ms());
                }
                store.record_progress(&progress).await
            };
            match tokio::time::timeout(STORE_TIMEOUT, writing).await {
                Ok(Ok(())) => events.mark_written(&progress),
                Ok(Err(error)) => {
                    tracing::debug!(%error, nodes = progress.len(), "cannot save boot events yet");
                    failed = progress;
                }
                Err(_) => {
                    let error = "the store does not respond in time";
                    tracing::debug!(error, nodes = progress.len(), "cannot save boot events yet");
                    failed = progress;
                }
            }
        }
        events.requeue(&snapshot, failed);
        if stopped {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(events: &BootEvents, name: &NodeName) -> (Phase, i64) {
        let recorded = events.0.lock().unwrap();
        let progress = &recorded.nodes[name].progress;
        (progress.phase, progress.since_ms)
    }

    #[test]
    fn phase_advances_until_the_machine_is_reset() {
        let (events, name) = (BootEvents::default(), "node1".parse().unwrap());
        let mut now = 0;
        let mut record = |token: &str, step| {
            now += 1;
            events.record_deployment(&name, token, None, step, "x", now);
            phase(&events, &name)
        };
        assert_eq!(record("a", Event::IsAlive), (Phase::Waiting, 1));
        assert_eq!(record("a", Event::Restarts(Phase::Dhcp)), (Phase::Dhcp, 2));
        assert_eq!(
            record("a", Event::Reaches(Phase::Packages)),
            (Phase::Packages, 3)
        );
        assert_eq!(
            record("a", Event::Reaches(Phase::Kernel)),
            (Phase::Packages, 3)
        );
        assert_eq!(record("a", Event::IsAlive), (Phase::Packages, 3));
        assert_eq!(record("a", Event::Restarts(Phase::Dhcp)), (Phase::Dhcp, 6));
        assert_eq!(
            record("b", Event::Reaches(Phase::Loader)),
            (Phase::Loader, 7)
        );
    }

    #[test]
    fn restarted_service_continues_from_stored_progress() {
        let (events, name) = (BootEvents::default(), "node1".parse().unwrap());
        let stored = Progress {
            phase: Phase::Packages,
            detail: String::new(),
            since_ms: 5,
            seen_ms: 7,
        };
        events.record_deployment(&name, "a", Some(&stored), Event::IsAlive, "x", 9);
        assert_eq!(phase(&events, &name), (Phase::Packages, 5));
        events.record_deployment(
            &name,
            "a",
            Some(&stored),
            Event::Restarts(Phase::Dhcp),
            "x",
            10,
        );
        events.record_deployment(&name, "a", Some(&stored), Event::IsAlive, "x", 11);
        assert_eq!(phase(&events, &name), (Phase::Dhcp, 10));
    }

    #[test]
    fn events_of_two_workers_are_merged() {
        let name: NodeName = "node1".parse().unwrap();
        let (first, second) = (BootEvents::default(), BootEvents::default());
        let mut stored = HashMap::from([(
            name.clone(),
            Progress {
                phase: Phase::Waiting,
                detail: String::new(),
                since_ms: 0,
                seen_ms: 0,
            },
        )]);
        let mut now = 1_000;
        let mut observe = |worker: &BootEvents, step| {
            now += 1;
            worker.record_deployment(&name, "a", None, step, "x", now);
            let mut drained = worker.drain_unwritten();
            worker.merge(&mut drained, &stored, now);
            let (name, progress) = drained.remove(0);
            let phase = progress.phase;
            stored.insert(name.clone(), progress.clone());
            worker.mark_written(&[(name, progress)]);
            phase
        };
        assert_eq!(observe(&first, Event::Restarts(Phase::Dhcp)), Phase::Dhcp);
        assert_eq!(
            observe(&second, Event::Reaches(Phase::Packages)),
            Phase::Packages
        );
        // The first worker observed DHCP only, and does not move the node back to that phase.
        assert_eq!(observe(&first, Event::IsAlive), Phase::Packages);
        assert_eq!(
            observe(&first, Event::Reaches(Phase::Kernel)),
            Phase::Packages
        );
        // The node was reset: the second worker does not restore the phase that it observed before.
        assert_eq!(observe(&first, Event::Restarts(Phase::Dhcp)), Phase::Dhcp);
        assert_eq!(observe(&second, Event::IsAlive), Phase::Dhcp);
        assert_eq!(
            observe(&second, Event::Reaches(Phase::Loader)),
            Phase::Loader
        );
    }

    #[test]
    fn detail_is_one_short_line() {
        let (events, name) = (BootEvents::default(), "node1".parse::<NodeName>().unwrap());
        let detail = format!("GET /a\r\nb{}", "c".repeat(1000));
        events.record_deployment(&name, "a", None, Event::IsAlive, &detail, 1);
        let written = events.drain_unwritten();
        assert_eq!(written[0].1.detail.len(), MAX_DETAIL);
        assert!(written[0].1.detail.starts_with("GET /ab"));
        assert!(events.drain_unwritten().is_empty());
    }
}
