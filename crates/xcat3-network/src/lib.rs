//! The network service: DHCP, TFTP and HTTP for the managed subnets.
//!
//! Nothing is rendered into files: every answer is computed from a snapshot of the store
//! ([`snapshot`], [`facts`]) when it is asked for. [`listeners`] starts servers on the interfaces that
//! own an address in a defined network; [`tree`] is what they serve. `docs/boot.md` tells the story.

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
pub mod progress;
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

use crate::dhcp::promise;
use crate::dhcp::server::Shared;
use crate::discovered::DiscoveredMachines;
use crate::images::Images;
use crate::leases::LeaseTable;
use crate::listeners::{Among, Listeners};
use crate::private::Private;
use crate::progress::Sightings;
use crate::snapshot::{Feed, Snapshot};
use crate::tree::Tree;

pub use crate::settings::{Settings, Startup};

/// The longest lease of an address of a dynamic range, in seconds. Such addresses are few, and who
/// has one is seldom there for long.
const DYNAMIC_LEASE_S: u32 = 3_600;

/// Why the service ended.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The leases could not be read at the start; without them addresses would be given out twice.
    #[error("cannot read the leases: {0}")]
    Leases(#[source] xcat3_store::StoreError),
}

/// Serves until `shutdown`.
///
/// # Errors
/// The store can't be read at the start. Once it runs nothing ends it.
pub async fn run(
    startup: Startup,
    store: Store,
    jobs: Jobs,
    shutdown: CancellationToken,
) -> Result<(), ServiceError> {
    let settings = startup.settings;
    let leases = store.leases().await.map_err(ServiceError::Leases)?;
    let bus = jobs.bus().clone();
    let follower = Follower::new(&store, bus.clone()).await;
    let snapshot = Snapshot::default();
    let sightings = Sightings::default();
    let discovered = DiscoveredMachines::default();
    let install = Arc::new(startup.install);
    let (promises, kept) = mpsc::channel(promise::QUEUE);
    let lease_s = u32::try_from(settings.lease_s.duration().as_secs()).unwrap_or(u32::MAX);
    let shared = Arc::new(Shared {
        snapshot: snapshot.clone(),
        leases: Mutex::new(LeaseTable::restored(leases)),
        promises,
        sightings: sightings.clone(),
        discovered: discovered.clone(),
        http_port: settings.http_port,
        loaders: settings.loaders,
        install: install.clone(),
        lease_s,
        dynamic_lease_s: lease_s.min(DYNAMIC_LEASE_S),
    });
    let tree = Arc::new(Tree {
        snapshot: snapshot.clone(),
        images: Images::new(&startup.images),
        loader_dirs: settings.loader_dirs.into(),
        install,
        sightings: sightings.clone(),
        http_port: settings.http_port,
        private: Private::new(jobs),
    });
    let among = Among {
        shared: startup.slot.workers > 1,
        drain: settings.drain_s.duration(),
    };
    let serving = serving::Serving {
        store: store.clone(),
        bus,
        report: heartbeat::report(ServiceKind::Network, &startup.slot),
        slot: startup.slot,
        feed: Feed::new(store.clone(), follower, snapshot.clone()),
        snapshot: snapshot.clone(),
        images: tree.images.clone(),
        interfaces: settings.interfaces,
        router_advertisements: settings.router_advertisements,
        listeners: Listeners::new(tree, shared, among),
    };
    // The writer of promises ends by itself once the last server that makes any is gone.
    tokio::join!(
        serving.until(&shutdown),
        promise::keep(store.clone(), kept),
        discovered::write(store.clone(), discovered, shutdown.clone()),
        progress::write(
            store.clone(),
            snapshot,
            sightings,
            among.shared,
            shutdown.clone()
        ),
    );
    Ok(())
}
