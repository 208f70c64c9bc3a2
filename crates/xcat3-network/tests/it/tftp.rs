//! TFTP packet by packet: habits of boot ROMs, clients that vanish, too many clients.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use xcat3_network::content::Content;
use xcat3_network::tftp::packet::{Mode, Options, Packet, Request};
use xcat3_network::tftp::{Bounds, Limits, Outcome};

use crate::site::{Running, Site, bytes, recorded};

const SIZE: usize = 100_000;

fn quick() -> Bounds {
    Bounds {
        timeout: Duration::from_millis(100),
        max_timeout: Duration::from_millis(200),
        retries: 3,
        ..Bounds::default()
    }
}

fn serve(limits: Limits) -> Running {
    let site = Site::default()
        .with("kernel", Content::from(bytes(SIZE)))
        .with("loader", Content::from("loader"));
    site.serve_tftp([127, 0, 0, 2], limits)
}

fn quickly() -> Running {
    serve(Limits {
        bounds: quick(),
        ..Limits::default()
    })
}

/// A client with one port.
struct Client {
    socket: UdpSocket,
    server: SocketAddr,
    /// Where the last packet came from.
    from: SocketAddr,
}

impl Client {
    async fn new(server: SocketAddr) -> Self {
        Self {
            socket: UdpSocket::bind("127.0.0.1:0").await.expect("bound"),
            server,
            from: server,
        }
    }

    async fn request(&self, path: &str, options: Options) {
        let request = Packet::Read(Request {
            path: path.as_bytes(),
            mode: Mode::Octet,
            options,
        });
        let sent = self.socket.send_to(&request.to_bytes(), self.server).await;
        sent.expect("sent");
    }

    async fn send(&self, packet: Packet<'_>) {
        let sent = self.socket.send_to(&packet.to_bytes(), self.from).await;
        sent.expect("sent");
    }

    /// The next packet, if there is one within `time`.
    async fn receive(&mut self, time: Duration) -> Option<Vec<u8>> {
        let mut bytes = vec![0; 70_000];
        let received = self.socket.recv_from(&mut bytes);
        let received = tokio::time::timeout(time, received).await.ok()?;
        let (len, from) = received.expect("received");
        bytes.truncate(len);
        self.from = from;
        Some(bytes)
    }

    async fn next(&mut self) -> Vec<u8> {
        self.receive(Duration::from_secs(10))
            .await
            .expect("a packet")
    }

    /// The number of the next block.
    async fn block(&mut self) -> u16 {
        let bytes = self.next().await;
        match Packet::parse(&bytes) {
            Ok(Packet::Data { block, .. }) => block,
            other => panic!("a block, not {other:?}"),
        }
    }

    async fn is_silent(&mut self) {
        let received = self.receive(Duration::from_millis(500)).await;
        assert_eq!(received, None, "the server sends nothing more");
    }
}

fn size_probe() -> Options {
    Options {
        transfer_size: Some(0),
        ..Options::default()
    }
}

#[tokio::test]
async fn size_probe_is_aborted_and_followed_by_transfer() {
    let running = quickly();
    let mut client = Client::new(running.address).await;
    client.request("kernel", size_probe()).await;
    let reply = client.next().await;
    let expected = Options {
        transfer_size: Some(SIZE as u64),
        ..Options::default()
    };
    assert_eq!(Packet::parse(&reply), Ok(Packet::OptionAck(expected)));
    client
        .send(Packet::error(8, "User aborted the transfer"))
        .await;
    client.is_silent().await;
    let ended = recorded(&running.site.ended, 1).await;
    assert!(matches!(ended[0].outcome, Outcome::Aborted(_)), "{ended:?}");

    // Then the boot ROM requests the file from the same port.
    let options = Options {
        block_size: Some(1456),
        ..size_probe()
    };
    client.request("kernel", options).await;
    let reply = client.next().await;
    assert!(matches!(Packet::parse(&reply), Ok(Packet::OptionAck(_))));
    client.send(Packet::Ack(0)).await;
    assert_eq!(client.block().await, 1);
}

#[tokio::test]
async fn transfer_comes_from_requested_address_and_own_port() {
    let running = serve(Limits::default());
    let mut client = Client::new(running.address).await;
    client.request("loader", Options::default()).await;
    client.next().await;
    assert_eq!(client.from.ip(), running.address.ip());
    assert_ne!(client.from.port(), running.address.port());
    client.send(Packet::Ack(1)).await;
    let ended = recorded(&running.site.ended, 1).await;
    assert_eq!(ended[0].outcome, Outcome::Complete);
    assert_eq!((ended[0].path.as_str(), ended[0].bytes), ("loader", 6));
}

#[tokio::test]
async fn repeated_request_starts_no_second_transfer() {
    let running = serve(Limits::default());
    let mut client = Client::new(running.address).await;
    for _ in 0..5 {
        client.request("kernel", Options::default()).await;
    }
    assert_eq!(client.block().await, 1);
    let from = client.from;
    assert_eq!(from.ip(), running.address.ip());
    client.request("kernel", Options::default()).await;
    client.is_silent().await;
    client.send(Packet::Ack(1)).await;
    assert_eq!(client.block().await, 2);
    assert_eq!(client.from, from, "the first transfer goes on");
}

#[tokio::test]
async fn other_request_from_same_port_replaces_transfer() {
    let running = serve(Limits::default());
    let mut client = Client::new(running.address).await;
    client.request("kernel", Options::default()).await;
    assert_eq!(client.block().await, 1);
    client.request("loader", Options::default()).await;
    let bytes = client.next().await;
    let whole = Packet::Data {
        block: 1,
        bytes: b"loader",
    };
    assert_eq!(Packet::parse(&bytes), Ok(whole));
    client.send(Packet::Ack(1)).await;
    let ended = recorded(&running.site.ended, 2).await;
    assert_eq!(ended[0].path, "kernel");
    assert!(matches!(ended[0].outcome, Outcome::Failed(_)), "{ended:?}");
    assert_eq!(ended[1].outcome, Outcome::Complete);
    client.is_silent().await;
}

#[tokio::test]
async fn silent_client_gets_retransmissions_until_timeout() {
    let running = quickly();
    let mut client = Client::new(running.address).await;
    client.request("kernel", Options::default()).await;
    for _ in 0..4 {
        assert_eq!(client.block().await, 1, "once and three retransmissions");
    }
    client.is_silent().await;
    let ended = recorded(&running.site.ended, 1).await;
    assert!(matches!(ended[0].outcome, Outcome::Failed(_)), "{ended:?}");
}

#[tokio::test]
async fn closed_client_port_ends_transfer() {
    let running = serve(Limits::default());
    let mut client = Client::new(running.address).await;
    client.request("kernel", Options::default()).await;
    assert_eq!(client.block().await, 1);
    client.send(Packet::Ack(1)).await;
    drop(client);
    let ended = recorded(&running.site.ended, 1).await;
    // Known from the ICMP message, not from the retransmission timeouts.
    let closed = Outcome::Failed("the client closed its port".to_owned());
    assert_eq!(ended[0].outcome, closed);
}

#[tokio::test]
async fn lost_blocks_of_window_are_retransmitted() {
    let running = quickly();
    let mut client = Client::new(running.address).await;
    let options = Options {
        window_size: Some(4),
        ..Options::default()
    };
    client.request("kernel", options).await;
    client.next().await;
    client.send(Packet::Ack(0)).await;
    for block in 1..=4 {
        assert_eq!(client.block().await, block);
    }
    // The client reports that block 3 was lost.
    client.send(Packet::Ack(2)).await;
    for block in 3..=6 {
        assert_eq!(client.block().await, block);
    }
    // Nothing arrives, so the client sends nothing.
    for block in 3..=6 {
        assert_eq!(client.block().await, block);
    }
    client.send(Packet::Ack(6)).await;
    assert_eq!(client.block().await, 7);
}

#[tokio::test]
async fn packets_of_other_clients_do_not_affect_transfer() {
    let running = serve(Limits::default());
    let mut client = Client::new(running.address).await;
    client.request("kernel", Options::default()).await;
    assert_eq!(client.block().await, 1);
    let mut other = Client::new(running.address).await;
    other.from = client.from;
    other.send(Packet::error(0, "stop")).await;
    other.send(Packet::Ack(1)).await;
    client.is_silent().await;
    client.send(Packet::Ack(1)).await;
    assert_eq!(client.block().await, 2);
}

#[tokio::test]
async fn transfers_beyond_limit_wait_for_free_slot() {
    let running = serve(Limits {
        transfers: 3,
        transfers_per_client: 2,
        ..Limits::default()
    });
    let mut first = Client::new(running.address).await;
    let mut second = Client::new(running.address).await;
    let mut third = Client::new(running.address).await;
    first.request("loader", Options::default()).await;
    assert_eq!(first.block().await, 1);
    second.request("loader", Options::default()).await;
    assert_eq!(second.block().await, 1);
    third.request("loader", Options::default()).await;
    third.is_silent().await;
    first.send(Packet::Ack(1)).await;
    recorded(&running.site.ended, 1).await;
    third.request("loader", Options::default()).await;
    assert_eq!(third.block().await, 1);
}

#[tokio::test]
async fn packet_other_than_read_request_is_refused_or_ignored() {
    let running = serve(Limits::default());
    let mut client = Client::new(running.address).await;
    let write = Request {
        path: b"new",
        mode: Mode::Octet,
        options: Options::default(),
    };
    for (bytes, code) in [
        (Packet::Write(write).to_bytes(), 2),
        (b"\0\x01name without an end".to_vec(), 4),
        (b"\0\x01name\0mail\0".to_vec(), 4),
    ] {
        client
            .socket
            .send_to(&bytes, running.address)
            .await
            .expect("sent");
        let reply = client.next().await;
        let reply = Packet::parse(&reply).expect("a packet");
        assert!(
            matches!(reply, Packet::Error { code: got, .. } if got == code),
            "{reply:?}"
        );
    }
    for bytes in [
        Packet::error(0, "an error gets no reply").to_bytes(),
        Packet::Ack(1).to_bytes(),
        vec![0, 9, 1],
        vec![],
        vec![0xff; 60_000],
    ] {
        client
            .socket
            .send_to(&bytes, running.address)
            .await
            .expect("sent");
    }
    client.is_silent().await;
}

#[tokio::test]
async fn shutdown_sends_error_to_clients() {
    let mut running = serve(Limits::default());
    let mut client = Client::new(running.address).await;
    client.request("kernel", Options::default()).await;
    assert_eq!(client.block().await, 1);
    running.shutdown.cancel();
    let reply = client.next().await;
    assert!(matches!(
        Packet::parse(&reply),
        Ok(Packet::Error { code: 0, .. })
    ));
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut running.task).await;
    ended.expect("the server ends").expect("without a panic");
}
