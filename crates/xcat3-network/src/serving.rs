//! The loop that keeps the service in step: with the store, with the host's interfaces, and with
//! those who wait until a change is served.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use xcat3_core::service::HEARTBEAT_S;
use xcat3_service::bus::Topic;
use xcat3_service::{Bus, Slot};
use xcat3_store::{Revision, ServiceReport, Store};

use crate::facts::Touched;
use crate::images::Images;
use crate::interfaces::{AddressChanges, local_addresses};
use crate::listeners::Listeners;
use crate::plan::{Service, plan};
use crate::snapshot::{Feed, Snapshot};

/// How often interfaces are looked at though the kernel told of no change, and ports that could not
/// be had are tried again.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// The service says that it is there at least so often.
const BEAT: Duration = Duration::from_secs(HEARTBEAT_S);
/// How long the store may take to note what is served.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is kept in step.
pub struct Serving {
    /// The store.
    pub store: Store,
    /// Where who waits for a change is told that it is served.
    pub bus: Arc<dyn Bus>,
    /// Who serves.
    pub report: ServiceReport,
    /// Its place, which is told when it serves.
    pub slot: Slot,
    /// Where changes come from.
    pub feed: Feed,
    /// Where they go.
    pub snapshot: Snapshot,
    /// Open images, to be closed when they go.
    pub images: Images,
    /// Interfaces that may be used; none: all.
    pub interfaces: Vec<String>,
    /// Whether router solicitations are answered.
    pub router_advertisements: bool,
    /// The servers.
    pub listeners: Listeners,
}

/// What was last said of an outcome, so that the log says each thing once.
#[derive(Default)]
struct Said {
    served: Option<(Revision, Option<String>)>,
    beat: Option<Instant>,
    notes: Vec<String>,
    away: bool,
}

impl Serving {
    /// Keeps in step until `shutdown`, then stops all servers.
    pub async fn until(mut self, shutdown: &CancellationToken) {
        shutdown.run_until_cancelled(self.follow()).await;
        self.listeners.stop_all().await;
        let ServiceReport {
            hostname,
            kind,
            instance,
            ..
        } = &self.report;
        let retiring = self.store.retire_service(hostname, *kind, *instance);
        if !matches!(tokio::time::timeout(PATIENCE, retiring).await, Ok(Ok(()))) {
            tracing::warn!("the network service counts as online for a while yet");
        }
    }

    async fn follow(&mut self) {
        let changes = AddressChanges::new()
            .inspect_err(|error| tracing::warn!(%error, "changes of interfaces are seen late"))
            .ok();
        let mut said = Said::default();
        let mut look = Instant::now();
        loop {
            let touched = self.pull(&mut said).await;
            if touched.images {
                self.images.forget_stale(&self.snapshot.read());
                self.images.remove(&touched.gone, &self.store).await;
            }
            if touched.networks || Instant::now() >= look {
                look = Instant::now() + LOOK_AGAIN;
                self.reconcile(&mut said).await;
            }
            self.report(&mut said).await;
            tokio::select! {
                () = self.feed.changed() => {}
                () = next(changes.as_ref()) => look = Instant::now(),
            }
        }
    }

    async fn pull(&mut self, said: &mut Said) -> Touched {
        match self.feed.pull().await {
            Ok(touched) => {
                if said.away {
                    tracing::info!("the store is back");
                }
                said.away = false;
                touched.unwrap_or_default()
            }
            Err(error) => {
                if !said.away {
                    tracing::warn!(%error, "the store is away: serving what is known");
                }
                said.away = true;
                Touched::default()
            }
        }
    }

    async fn reconcile(&mut self, said: &mut Said) {
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
        if self.slot.worker > 0 {
            // A broadcast reaches the sockets of all workers; one answer is enough, and one process
            // only gives the addresses of a dynamic range.
            plan.servers
                .retain(|server, _| matches!(server.service, Service::Tftp | Service::Http));
        }
        if !self.router_advertisements {
            plan.servers
                .retain(|server, _| server.service != Service::RouterAdvertisements);
        }
        let notes = self.listeners.reconcile(plan).await;
        for note in notes.iter().filter(|note| !said.notes.contains(note)) {
            tracing::warn!("{note}");
        }
        said.notes = notes;
    }

    /// Tells those who wait for a change that it is served, and now and then that we are there.
    async fn report(&mut self, said: &mut Said) {
        let note = (!said.notes.is_empty()).then(|| said.notes.join("; "));
        let news = (self.feed.revision(), note);
        let is_due = said.beat.is_none_or(|beat| beat.elapsed() >= BEAT);
        if said.away || (said.served.as_ref() == Some(&news) && !is_due) {
            return;
        }
        self.report.served = Some(news.0);
        self.report.note.clone_from(&news.1);
        match tokio::time::timeout(PATIENCE, self.store.heartbeat(&self.report)).await {
            Ok(Ok(())) => {
                self.slot.serving();
                said.beat = Some(Instant::now());
                if said.served.as_ref() != Some(&news)
                    && let Err(error) = self.bus.nudge(Topic::Changes).await
                {
                    tracing::debug!(%error, "who waits for it notices late what is served");
                }
                said.served = Some(news);
            }
            Ok(Err(error)) => tracing::debug!(%error, "could not report what is served"),
            Err(_) => tracing::debug!("could not report what is served in time"),
        }
    }
}

async fn next(changes: Option<&AddressChanges>) {
    match changes {
        Some(changes) => changes.next().await,
        None => std::future::pending().await,
    }
}
