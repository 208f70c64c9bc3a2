//! A UDP socket for all addresses of the machine: it tells which of them a datagram was sent to, and
//! answers from that one.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};

/// Room for the datagrams of ten thousand machines that are asked at once, bytes.
const BUFFER: usize = 16 * 1024 * 1024;
/// How long a thread waits before it looks whether it is to end.
const WAIT: Duration = Duration::from_millis(100);

/// The socket.
pub(super) struct Datagrams(OwnedFd);

/// From where a datagram came, and to which address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) from: SocketAddrV4,
    pub(super) to: Ipv4Addr,
}

impl Route {
    /// The way to another console from the same BMC.
    pub(super) const fn between(self, (address, port): (Ipv4Addr, u16)) -> Self {
        Self {
            from: SocketAddrV4::new(address, port),
            to: self.to,
        }
    }
}

/// Room for what the kernel says of a datagram.
pub(super) struct Room(Vec<u8>);

impl Room {
    pub(super) fn new() -> Self {
        Self(nix::cmsg_space!(in_pktinfo))
    }
}

impl Datagrams {
    /// A socket on the port (0: any), which must be nobody's: of a port that two programs share each would
    /// get datagrams that are the other's.
    pub(super) fn first(port: u16) -> io::Result<Self> {
        drop(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?);
        Self::share(port)
    }

    /// A socket on the port (0: any), which others of this process may share.
    pub(super) fn share(port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_port(true)?;
        socket.set_read_timeout(Some(WAIT))?;
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
            // Without root it is as large as the machine allows.
            socket.set_recv_buffer_size(BUFFER)?;
        }
        let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
        socket.bind(&SocketAddr::from(address).into())?;
        Ok(Self(socket.into()))
    }

    /// The same socket a second time, to send by.
    pub(super) fn again(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    pub(super) fn port(&self) -> io::Result<u16> {
        let address: SockaddrIn = nix::sys::socket::getsockname(self.0.as_raw_fd())?;
        Ok(address.port())
    }

    /// The next datagram; nothing where none came for a while.
    pub(super) fn receive(
        &self,
        buffer: &mut [u8],
        room: &mut Room,
    ) -> io::Result<Option<(usize, Route)>> {
        let mut parts = [IoSliceMut::new(buffer)];
        let descriptor = self.0.as_raw_fd();
        let flags = MsgFlags::empty();
        let message = recvmsg::<SockaddrIn>(descriptor, &mut parts, Some(&mut room.0), flags);
        let message = match message {
            Ok(message) => message,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let to = message.cmsgs()?.find_map(|said| match said {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)))
            }
            _ => None,
        });
        let from = message.address.map(SocketAddrV4::from);
        let route = from.zip(to).map(|(from, to)| Route { from, to });
        Ok(route.map(|route| (message.bytes, route)))
    }

    /// Sends an answer back by the way that the question came.
    pub(super) fn answer(&self, datagram: &[u8], route: Route) -> io::Result<()> {
        let info = in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: in_addr {
                s_addr: u32::from(route.to).to_be(),
            },
            ipi_addr: in_addr { s_addr: 0 },
        };
        let to = SockaddrIn::from(route.from);
        let parts = [IoSlice::new(datagram)];
        let said = [ControlMessage::Ipv4PacketInfo(&info)];
        sendmsg(
            self.0.as_raw_fd(),
            &parts,
            &said,
            MsgFlags::empty(),
            Some(&to),
        )?;
        Ok(())
    }
}
