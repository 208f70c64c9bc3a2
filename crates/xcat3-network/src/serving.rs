//! The loop of the service: it applies changes of the store, starts and stops servers, and reports the
//! served revision to the store, where others wait for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use xcat3_core::service::HEARTBEAT_S;
use xcat3_service::bus::Topic;
use xcat3_service::{Bus, Slot};
use xcat3_store::{Revision, ServiceReport, Store, StoreError};

use crate::facts::Touched;
use crate::images::Images;
use crate::interfaces::{AddressChanges, local_addresses};
use crate::listeners::Listeners;
use crate::plan::{Plan, Protocol, plan};
use crate::snapshot::{Feed, Snapshot};

/// How often interfaces are listed without a notification of the kernel, and failed servers are started
/// again.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(3);
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(HEARTBEAT_S);
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// The service.
pub struct Serving {
    /// The store.
    pub store: Store,
    /// Where a newly served revision is announced.
    pub bus: Arc<dyn Bus>,
    /// The heartbeat of this worker.
    pub report: ServiceReport,
    /// This worker.
    pub slot: Slot,
    /// The source of changes.
    pub feed: Feed,
    /// The facts that servers answer from.
    pub snapshot: Snapshot,
    /// The open images.
    pub images: Images,
    /// The interfaces that may be used; empty means all.
    pub interfaces: Vec<String>,
    /// Whether router solicitations are answered.
    pub router_advertisements: bool,
    /// The running servers.
    pub listeners: Listeners,
}

/// What was logged and reported last, so that each fact is logged and reported once.
#[derive(Default)]
struct Reported {
    served: Option<(Revision, Option<String>)>,
    heartbeat: Option<Instant>,
    /// A sentence for each network that is not served.
    problems: Vec<String>,
    /// Why the changes after the served revision cannot be read.
    unreadable: Option<String>,
    store_is_away: bool,
    is_ready: bool,
}

impl Reported {
    /// The note of the heartbeat.
    fn note(&self) -> Option<String> {
        let sentences: Vec<&str> = self
            .unreadable
            .iter()
            .chain(&self.problems)
            .map(String::as_str)
            .collect();
        (!sentences.is_empty()).then(|| sentences.join("; "))
    }
}

impl Serving {
    /// Serves until `shutdown`, then stops all servers.
    pub async fn run(mut self, shutdown: &CancellationToken) {
        shutdown.run_until_cancelled(self.follow()).await;
        self.listeners.stop_all().await;
        let ServiceReport {
            hostname,
            kind,
            instance,
            ..
        } = &self.report;
        let retiring = self.store.retire_service(hostname, *kind, *instance);
        if !matches!(
            tokio::time::timeout(STORE_TIMEOUT, retiring).await,
            Ok(Ok(()))
        ) {
            tracing::warn!(
                "cannot sign off: the service counts as online until its heartbeat expires"
            );
        }
    }

    async fn follow(&mut self) {
        let changes = AddressChanges::new()
            .inspect_err(|error| {
                let interval_s = RECONCILE_INTERVAL.as_secs();
                tracing::warn!(%error, interval_s, "cannot subscribe to interface changes: polling");
            })
            .ok();
        let mut reported = Reported::default();
        let mut reconcile_at = Instant::now();
        loop {
            let touched = self.pull(&mut reported).await;
            if touched.images {
                self.images.close_stale(&self.snapshot.read());
                self.images.remove(&touched.deleted, &self.store).await;
            }
            if touched.networks || Instant::now() >= reconcile_at {
                reconcile_at = Instant::now() + RECONCILE_INTERVAL;
                self.reconcile(&mut reported).await;
            }
            self.report(&mut reported).await;
            tokio::select! {
                () = self.feed.changed() => {}
                () = next_change(changes.as_ref()) => reconcile_at = Instant::now(),
            }
        }
    }

    async fn pull(&mut self, reported: &mut Reported) -> Touched {
        let revision = self.feed.revision();
        match self.feed.pull().await {
            Ok(touched) => {
                if reported.store_is_away {
                    tracing::info!("store is back");
                }
                if reported.unreadable.take().is_some() {
                    tracing::info!("changes are readable again");
                }
                reported.store_is_away = false;
                touched.unwrap_or_default()
            }
            Err(error @ StoreError::Corrupt(_)) => {
                // The store works, so the heartbeat goes on and says why the revision is not served:
                // without it this service would count as offline, and nobody would wait for it.
                reported.store_is_away = false;
                let sentence =
                    format!("cannot read the changes after revision {revision}: {error}");
                if reported.unreadable.as_ref() != Some(&sentence) {
                    tracing::error!(%error, revision, "cannot read changes: serving the last revision");
                }
                reported.unreadable = Some(sentence);
                Touched::default()
            }
            Err(error) => {
                if !reported.store_is_away {
                    tracing::warn!(%error, revision, "store is away: serving the last revision");
                }
                reported.store_is_away = true;
                Touched::default()
            }
        }
    }

    async fn reconcile(&mut self, reported: &mut Reported) {
        let addresses = match local_addresses() {
            Ok(addresses) => addresses,
            Err(error) => {
                tracing::warn!(%error, "cannot list the addresses of this host");
                return;
            }
        };
        let mut plan = plan(
            self.snapshot.read().networks(),
            &addresses,
            &self.interfaces,
        );
        self.restrict(&mut plan);
        let problems = self.listeners.reconcile(plan).await;
        for problem in &problems {
            if !reported.problems.contains(problem) {
                tracing::warn!(problem, "cannot serve a network");
            }
        }
        reported.problems = problems;
    }

    /// Removes the servers that this worker does not run.
    fn restrict(&self, plan: &mut Plan) {
        if self.slot.worker > 0 {
            // A broadcast reaches the sockets of all workers. The first worker alone replies, and owns
            // the addresses of the dynamic ranges.
            plan.servers
                .retain(|server, _| matches!(server.protocol, Protocol::Tftp | Protocol::Http));
        }
        if !self.router_advertisements {
            plan.servers
                .retain(|server, _| server.protocol != Protocol::RouterAdvertisements);
        }
    }

    /// Reports a newly served revision at once, and otherwise sends the heartbeat.
    async fn report(&mut self, reported: &mut Reported) {
        let served = (self.feed.revision(), reported.note());
        let is_new = reported.served.as_ref() != Some(&served);
        let is_due = reported
            .heartbeat
            .is_none_or(|sent| sent.elapsed() >= HEARTBEAT_INTERVAL);
        if reported.store_is_away || !(is_new || is_due) {
            return;
        }
        self.report.served = Some(served.0);
        self.report.note.clone_from(&served.1);
        match tokio::time::timeout(STORE_TIMEOUT, self.store.heartbeat(&self.report)).await {
            Ok(Ok(())) => {
                self.announce_readiness(served.0, reported);
                reported.heartbeat = Some(Instant::now());
                if is_new && let Err(error) = self.bus.nudge(Topic::Changes).await {
                    tracing::debug!(%error, "cannot announce the served revision");
                }
                reported.served = Some(served);
            }
            Ok(Err(error)) => tracing::debug!(%error, "cannot report the served revision"),
            Err(_) => {
                let error = "the store does not respond in time";
                tracing::debug!(error, "cannot report the served revision");
            }
        }
    }
}

impl Serving {
    /// Tells the parent process whether this worker serves.
    fn announce_readiness(&self, revision: Revision, reported: &mut Reported) {
        match &reported.unreadable {
            // Nothing was ever read.
            Some(sentence) if revision == 0 => self.slot.waiting(sentence),
            _ => {
                if !reported.is_ready {
                    tracing::info!(revision, "network service ready");
                }
                reported.is_ready = true;
                self.slot.serving();
            }
        }
    }
}

async fn next_change(changes: Option<&AddressChanges>) {
    match changes {
        Some(changes) => changes.next().await,
        None => std::future::pending().await,
    }
}
