//! The DHCP socket of one interface.
//!
//! The socket is bound to the device, so that it receives from and sends to that interface only.
//! Requests are answered in the order in which they arrive; a reply that grants a dynamic address is
//! sent after its lease is saved, by [`super::lease_writer`].

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::decide::{Decision, DhcpFacts, decide};
use super::lease_writer::{PendingLease, send};
use super::packet::Request;
use crate::boot::BootSettings;
use crate::boot_events::BootEvents;
use crate::clock::now_ms;
use crate::discovered::DiscoveredMachines;
use crate::leases::LeaseTable;
use crate::plan::ServedNetwork;
use crate::snapshot::Snapshot;

/// The port of DHCP servers.
pub const PORT: u16 = 67;

/// State of the DHCP servers of all interfaces.
pub struct DhcpState {
    /// What requests are answered from.
    pub snapshot: Snapshot,
    /// The addresses of the dynamic ranges.
    pub leases: Mutex<LeaseTable>,
    /// The queue of leases to save.
    pub pending: mpsc::Sender<PendingLease>,
    /// Records the boot events of nodes.
    pub events: BootEvents,
    /// Records machines that are no nodes.
    pub discovered: DiscoveredMachines,
    /// The settings of boot answers.
    pub boot: Arc<BootSettings>,
    /// Lease time of a fixed address, in seconds.
    pub lease_s: u32,
    /// Lease time of an address of a dynamic range, in seconds.
    pub dynamic_lease_s: u32,
}

/// Opens the socket of an interface.
///
/// # Errors
/// The port is in use, or binding it is not permitted.
pub fn bind(interface: &str) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    // Many machines that are powered on together send their requests together.
    let _ = socket.set_recv_buffer_size(4 << 20);
    socket.bind(&SockAddr::from(SocketAddrV4::new(
        Ipv4Addr::UNSPECIFIED,
        PORT,
    )))?;
    UdpSocket::from_std(socket.into())
}

/// Answers requests until `stop`. `link` has the networks of the interface, which may change meanwhile.
pub async fn serve(
    socket: UdpSocket,
    interface: String,
    link: watch::Receiver<Vec<ServedNetwork>>,
    state: Arc<DhcpState>,
    stop: CancellationToken,
) {
    let socket = Arc::new(socket);
    let mut buffer = vec![0u8; 4096];
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        match received {
            Ok((length, _)) => {
                let link = link.borrow().clone();
                handle(&buffer[..length], &socket, &interface, &link, &state).await;
            }
            Err(error) => {
                // An ICMP message of a client, or an interface that goes down; both are temporary.
                tracing::debug!(interface, %error, "cannot receive DHCP requests");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    }
}

async fn handle(
    bytes: &[u8],
    socket: &Arc<UdpSocket>,
    interface: &str,
    link: &[ServedNetwork],
    state: &DhcpState,
) {
    let request = match Request::decode(bytes) {
        Ok(request) => request,
        Err(reason) => {
            tracing::debug!(interface, %reason, "malformed DHCP message ignored");
            return;
        }
    };
    let decision = {
        let declared = state.snapshot.read();
        let mut leases = state.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let facts = DhcpFacts {
            declared: &declared,
            link,
            boot: &state.boot,
            lease_s: state.lease_s,
            dynamic_lease_s: state.dynamic_lease_s,
            now_ms: now_ms(),
        };
        decide(&request, &facts, &mut leases)
    };
    log(interface, &request, &decision);
    state
        .events
        .record_dhcp(&state.snapshot, &request, &decision);
    if let Some(machine) = decision.discovered {
        state.discovered.record(machine);
    }
    match (decision.lease, decision.reply) {
        (Some(lease), reply) => {
            let socket = socket.clone();
            // Sending fails only after all servers have stopped.
            let pending = PendingLease {
                lease,
                reply,
                socket,
            };
            let _ = state.pending.send(pending).await;
        }
        (None, Some((reply, destination))) => send(socket, &reply, destination).await,
        (None, None) => {}
    }
}

fn log(interface: &str, request: &Request, decision: &Decision) {
    let (mac, node) = (
        request.mac,
        decision.node.as_ref().map(|name| name.as_str()),
    );
    let (firmware, reason) = (decision.firmware, decision.reason.as_deref());
    match &decision.reply {
        Some((reply, _)) => tracing::info!(
            interface,
            %mac,
            node,
            ?firmware,
            message_type = ?reply.message_type,
            ip = %reply.yiaddr,
            loader = reply.file,
            reason,
            "DHCP reply"
        ),
        None => tracing::debug!(interface, %mac, node, reason, "DHCP request without reply"),
    }
}
