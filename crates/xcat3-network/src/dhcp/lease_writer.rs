//! Saves leases and then sends their replies (RFC 2131, 3.1: an address is in stable storage before the
//! ACK), many in one statement.
//!
//! While one batch is being saved the next one collects, so a reply waits for two transactions at most.
//! While the store is away addresses are granted for minutes only, and saved once the store is back:
//! memory keeps them apart until then, and they end before a restart could forget much.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use xcat3_store::{Lease, Store};

use super::packet::{Reply, code};
use super::reply::set_lease_time;

/// A lease that must be saved, and the reply that waits for it.
pub struct PendingLease {
    /// The lease to save.
    pub lease: Lease,
    /// The reply and its destination; a release has none.
    pub reply: Option<(Reply, SocketAddrV4)>,
    /// The socket of the interface.
    pub socket: Arc<UdpSocket>,
}

/// Most leases in one transaction.
const MAX_BATCH: usize = 1_000;
/// Capacity of the queue; servers wait while it is full.
pub const QUEUE_CAPACITY: usize = 4_096;
/// How long saving a batch may take before its replies are sent for minutes only.
const SAVE_TIMEOUT: Duration = Duration::from_secs(1);
/// Lease time, in seconds, of an address whose lease is not saved.
const UNSAVED_LEASE_S: u32 = 300;
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Saves leases and sends their replies until all senders are gone.
pub async fn run(store: Store, mut queue: mpsc::Receiver<PendingLease>) {
    let mut unsaved: HashMap<Ipv4Addr, Lease> = HashMap::new();
    let mut batch = Vec::new();
    loop {
        let received = queue.recv_many(&mut batch, MAX_BATCH);
        let ended = if unsaved.is_empty() {
            received.await == 0
        } else {
            // Unsaved leases are saved again even if no request arrives for hours.
            tokio::time::timeout(RETRY_INTERVAL, received).await == Ok(0)
        };
        for pending in &batch {
            unsaved.insert(pending.lease.ip, pending.lease.clone());
        }
        let saved = save(&store, &mut unsaved).await;
        for pending in batch.drain(..) {
            if let Some((mut reply, destination)) = pending.reply {
                if !saved && reply.options.contains_key(&code::LEASE_TIME) {
                    set_lease_time(&mut reply, UNSAVED_LEASE_S);
                }
                send(&pending.socket, &reply, destination).await;
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
    let count = leases.len();
    match tokio::time::timeout(SAVE_TIMEOUT, store.save_leases(&leases)).await {
        Ok(Ok(())) => {
            unsaved.clear();
            return true;
        }
        Ok(Err(error)) => tracing::warn!(%error, leases = count, "cannot save leases yet"),
        Err(_) => {
            let error = "the store does not respond in time";
            tracing::warn!(error, leases = count, "cannot save leases yet");
        }
    }
    false
}

/// Sends a reply. A client whose reply is lost repeats its request.
pub(super) async fn send(socket: &UdpSocket, reply: &Reply, destination: SocketAddrV4) {
    if let Err(error) = socket.send_to(&reply.encode(), destination).await {
        tracing::warn!(%destination, %error, "cannot send a DHCP reply");
    }
}
