//! The network service: DHCP, TFTP and HTTP for the managed subnets.
//!
//! Nothing is rendered into files: every reply is computed from a snapshot of the store ([`snapshot`],
//! [`facts`]) at the request. [`listeners`] runs servers on the interfaces that own an address in a
//! declared network; [`dhcp::decide`] is the DHCP decision, [`tree`] the paths of TFTP and HTTP, and
//! [`boot`] the context that all of them answer from. `docs/boot.md` tells the story.

pub mod boot;
pub mod boot_events;
mod clock;
pub mod content;
pub mod dhcp;
pub mod discovered;
pub mod facts;
mod handlers;
pub mod http;
pub mod images;
pub mod interfaces;
pub mod leases;
pub mod listeners;
pub mod path;
pub mod plan;
pub mod private;
pub mod ra;
pub mod serving;
pub mod settings;
pub mod snapshot;
pub mod tftp;
pub mod tree;

use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use xcat3_core::ServiceKind;
use xcat3_service::feed::Follower;
use xcat3_service::heartbeat;
use xcat3_service::jobs::Jobs;
use xcat3_store::Store;

use crate::boot::BootSettings;
use crate::boot_events::BootEvents;
use crate::dhcp::lease_writer;
use crate::dhcp::server::DhcpState;
use crate::discovered::DiscoveredMachines;
use crate::images::Images;
use crate::leases::LeaseTable;
use crate::listeners::{ListenerOptions, Listeners};
use crate::private::Private;
use crate::serving::Serving;
use crate::snapshot::{Feed, Snapshot};
use crate::tree::Tree;

pub use crate::settings::{Settings, Startup};

/// Longest lease time of an address of a dynamic range, in seconds: such addresses are scarce, and
/// their clients rarely stay long.
const MAX_DYNAMIC_LEASE_S: u32 = 3_600;

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The leases cannot be read. Without them addresses could be granted twice.
    #[error("cannot read the leases: {0}")]
    Leases(#[source] xcat3_store::StoreError),
}

/// Serves until `shutdown`.
///
/// # Errors
/// The store cannot be read at the start.
pub async fn run(
    startup: Startup,
    store: Store,
    jobs: Jobs,
    shutdown: CancellationToken,
) -> Result<(), ServiceError> {
    let leases = store.leases().await.map_err(ServiceError::Leases)?;
    let bus = jobs.bus().clone();
    let follower = Follower::new(&store, bus.clone()).await;
    let snapshot = Snapshot::default();
    let events = BootEvents::default();
    let discovered = DiscoveredMachines::default();
    let (settings, slot) = (startup.settings, startup.slot);
    let boot = Arc::new(BootSettings {
        http_port: settings.http_port,
        loaders: settings.loaders,
        install: startup.install,
    });
    let (pending, queue) = mpsc::channel(lease_writer::QUEUE_CAPACITY);
    let lease_s = u32::try_from(settings.lease_s.duration().as_secs()).unwrap_or(u32::MAX);
    let dhcp = Arc::new(DhcpState {
        snapshot: snapshot.clone(),
        leases: Mutex::new(LeaseTable::restored(leases)),
        pending,
        events: events.clone(),
        discovered: discovered.clone(),
        boot: boot.clone(),
        lease_s,
        dynamic_lease_s: lease_s.min(MAX_DYNAMIC_LEASE_S),
    });
    let tree = Arc::new(Tree {
        snapshot: snapshot.clone(),
        images: Images::new(&startup.images),
        loader_dirs: settings.loader_dirs.into(),
        boot,
        events: events.clone(),
        private: Private::new(jobs),
    });
    let options = ListenerOptions {
        reuse_port: slot.workers > 1,
        drain_timeout: settings.drain_s.duration(),
    };
    let serving = Serving {
        store: store.clone(),
        bus,
        report: heartbeat::report(ServiceKind::Network, &slot),
        slot,
        feed: Feed::new(store.clone(), follower, snapshot.clone()),
        snapshot: snapshot.clone(),
        images: tree.images.clone(),
        interfaces: settings.interfaces,
        router_advertisements: settings.router_advertisements,
        listeners: Listeners::new(tree, dhcp, options),
    };
    let (other_workers, stop) = (options.reuse_port, shutdown.clone());
    // The lease writer ends after the last DHCP server.
    tokio::join!(
        serving.run(&shutdown),
        lease_writer::run(store.clone(), queue),
        discovered::write(store.clone(), discovered, shutdown.clone()),
        boot_events::write(store.clone(), snapshot, events, other_workers, stop),
    );
    Ok(())
}
