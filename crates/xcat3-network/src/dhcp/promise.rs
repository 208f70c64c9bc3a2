//! Promises of dynamic addresses: saved first, sent then (RFC 2131, 3.1: an address is in stable storage
//! before the ACK), many in one statement.
//!
//! While one batch is being saved the next one collects, so a promise waits for two transactions at
//! most. While the store is away addresses are still promised, for minutes only, and saved once it
//! is back: memory keeps them apart until then, and they end before a restart could forget much.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use xcat3_store::{Lease, Store};

use super::packet::{Reply, code};
use super::server::send;

/// A lease that must be saved, and the reply that waits for it.
pub struct Promise {
    /// What to save.
    pub lease: Lease,
    /// What to send then, and where to; a release has none.
    pub reply: Option<(Reply, SocketAddrV4)>,
    /// Through which interface.
    pub socket: Arc<UdpSocket>,
}

/// At most so many in one transaction.
const BATCH: usize = 1_000;
/// At most so many wait before servers wait too.
pub const QUEUE: usize = 4_096;
/// How long a batch may take before its replies go without.
const PATIENCE: Duration = Duration::from_secs(1);
/// What is promised while nothing can be saved.
const UNSAVED_LEASE_S: u32 = 300;
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Saves and sends promises until all who make them are gone.
pub async fn keep(store: Store, mut promises: mpsc::Receiver<Promise>) {
    let mut unsaved: HashMap<Ipv4Addr, Lease> = HashMap::new();
    let mut batch = Vec::new();
    loop {
        let received = promises.recv_many(&mut batch, BATCH);
        let ended = if unsaved.is_empty() {
            received.await == 0
        } else {
            // Nobody may ask again for hours; what is not saved is tried again anyway.
            tokio::time::timeout(TRY_AGAIN, received).await == Ok(0)
        };
        for promise in &batch {
            unsaved.insert(promise.lease.ip, promise.lease.clone());
        }
        let saved = save(&store, &mut unsaved).await;
        for promise in batch.drain(..) {
            if let Some((mut reply, to)) = promise.reply {
                if !saved {
                    shorten(&mut reply);
                }
                send(&promise.socket, &reply.encode(), to).await;
            }
        }
        if ended {
            return;
        }
    }
}

async fn save(store: &Store, unsaved: &mut HashMap<Ipv4Addr, Lease>) -> bool {
    let leases: Vec<Lease> = unsaved.values().cloned().collect();
    if leases.is_empty() {
        return true;
    }
    match tokio::time::timeout(PATIENCE, store.save_leases(&leases)).await {
        Ok(Ok(())) => {
            unsaved.clear();
            return true;
        }
        Ok(Err(error)) => tracing::warn!(%error, leases = leases.len(), "leases are not saved yet"),
        Err(_) => tracing::warn!(
            leases = leases.len(),
            "leases are not saved yet: the store is slow"
        ),
    }
    false
}

fn shorten(reply: &mut Reply) {
    if reply.options.contains_key(&code::LEASE_TIME) {
        reply.set_seconds(code::LEASE_TIME, UNSAVED_LEASE_S);
        reply.set_seconds(code::RENEWAL, UNSAVED_LEASE_S / 2);
        reply.set_seconds(code::REBINDING, UNSAVED_LEASE_S / 8 * 7);
    }
}
