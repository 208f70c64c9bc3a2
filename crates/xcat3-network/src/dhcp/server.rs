//! The DHCP socket of one interface.
//!
//! Bound to the device, so that nothing is heard from or said to any other. Requests are answered in
//! the order in which they come; a promise of a dynamic address goes out once it is saved, see
//! [`super::promise`].

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use xcat3_drivers::boot::Loaders;
use xcat3_drivers::install::InstallSettings;

use super::client::{Desk, Served};
use super::packet::Request;
use super::promise::Promise;
use super::respond::respond;
use crate::clock::now_ms;
use crate::discovered::DiscoveredMachines;
use crate::leases::LeaseTable;
use crate::progress::Sightings;
use crate::snapshot::Snapshot;

/// The port that DHCP servers listen on.
pub const PORT: u16 = 67;

/// What the servers of all interfaces share.
pub struct Shared {
    /// What requests are answered from.
    pub snapshot: Snapshot,
    /// The addresses of the dynamic ranges.
    pub leases: Mutex<LeaseTable>,
    /// Where promises go to be saved.
    pub promises: mpsc::Sender<Promise>,
    /// Where nodes that were seen are noted.
    pub sightings: Sightings,
    /// Where machines that are no nodes are noted.
    pub discovered: DiscoveredMachines,
    /// The port of our boot HTTP server.
    pub http_port: u16,
    /// The boot programs for each firmware.
    pub loaders: Loaders,
    /// What is the same for all installs.
    pub install: Arc<InstallSettings>,
    /// How long the lease of a fixed address is, in seconds.
    pub lease_s: u32,
    /// How long an address of a dynamic range is leased, in seconds.
    pub dynamic_lease_s: u32,
}

/// Opens the socket of an interface.
///
/// # Errors
/// The port is in use, or binding it is not allowed.
pub fn bind(interface: &str) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    // Many machines that are powered on together ask together.
    let _ = socket.set_recv_buffer_size(4 << 20);
    socket.bind(&SockAddr::from(SocketAddrV4::new(
        Ipv4Addr::UNSPECIFIED,
        PORT,
    )))?;
    UdpSocket::from_std(socket.into())
}

/// Answers requests until `stop`. `link` is what the interface serves, which may change meanwhile.
pub async fn serve(
    socket: UdpSocket,
    interface: String,
    link: watch::Receiver<Vec<Served>>,
    shared: Arc<Shared>,
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
                let served = link.borrow().clone();
                handle(&buffer[..length], &socket, &interface, &served, &shared).await;
            }
            Err(error) => {
                // A peer's ICMP answer or an interface that goes down; both pass.
                tracing::debug!(interface, %error, "receiving DHCP failed");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    }
}

async fn handle(
    bytes: &[u8],
    socket: &Arc<UdpSocket>,
    interface: &str,
    link: &[Served],
    shared: &Shared,
) {
    let request = match Request::decode(bytes) {
        Ok(request) => request,
        Err(reason) => {
            tracing::debug!(interface, %reason, "ignored a DHCP message");
            return;
        }
    };
    let answer = {
        let facts = shared.snapshot.read();
        let mut leases = shared.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let desk = Desk {
            facts: &facts,
            link,
            http_port: shared.http_port,
            loaders: &shared.loaders,
            install: &shared.install,
            lease_s: shared.lease_s,
            dynamic_lease_s: shared.dynamic_lease_s,
            now_ms: now_ms(),
        };
        respond(&request, &desk, &mut leases)
    };
    if answer.reply.is_some() {
        tracing::info!(interface, mac = %request.mac, "DHCP {}", answer.note);
    } else {
        tracing::debug!(interface, mac = %request.mac, "no DHCP reply: {}", answer.note);
    }
    if let (Some((node, firmware)), Some((reply, _))) = (&answer.seen, &answer.reply) {
        shared
            .sightings
            .dhcp(&shared.snapshot, node, *firmware, &request, reply);
    }
    if let Some(machine) = answer.machine {
        shared.discovered.note(machine);
    }
    let socket = socket.clone();
    if let Some(lease) = answer.save {
        let promise = Promise {
            lease,
            reply: answer.reply,
            socket,
        };
        // The writer ends after all servers have.
        let _ = shared.promises.send(promise).await;
    } else if let Some((reply, to)) = answer.reply {
        send(&socket, &reply.encode(), to).await;
    }
}

/// Sends a reply; one that is lost is asked for again.
pub(super) async fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddrV4) {
    if let Err(error) = socket.send_to(bytes, to).await {
        tracing::warn!(%to, %error, "sending a DHCP reply failed");
    }
}
