//! TFTP packet by packet: boot ROMs with their habits, clients that vanish, too many of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use xcat3_network::content::Content;
use xcat3_network::tftp::packet::{Mode, Options, Packet, Request};
use xcat3_network::tftp::{Bounds, Limits, Outcome};

use crate::site::{Running, Site, bytes, noted};

const SIZE: usize = 100_000;

fn quick() -> Bounds {
    Bounds {
        timeout: Duration::from_millis(100),
        longest_timeout: Duration::from_millis(200),
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

/// A client at a port.
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

    async fn ask(&self, path: &str, options: Options) {
        let request = Packet::Read(Request {
            path: path.as_bytes(),
            mode: Mode::Octet,
            options,
        });
        let sent = self.socket.send_to(&request.to_bytes(), self.server).await;
        sent.expect("sent");
    }

    async fn tell(&self, packet: Packet<'_>) {
        let sent = self.socket.send_to(&packet.to_bytes(), self.from).await;
        sent.expect("sent");
    }

    /// The next packet, if there is one within `time`.
    async fn hear(&mut self, time: Duration) -> Option<Vec<u8>> {
        let mut bytes = vec![0; 70_000];
        let received = self.socket.recv_from(&mut bytes);
        let received = tokio::time::timeout(time, received).await.ok()?;
        let (len, from) = received.expect("received");
        bytes.truncate(len);
        self.from = from;
        Some(bytes)
    }

    async fn next(&mut self) -> Vec<u8> {
        self.hear(Duration::from_secs(10)).await.expect("a packet")
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
        let heard = self.hear(Duration::from_millis(500)).await;
        assert_eq!(heard, None, "nothing more is sent");
    }
}

fn size_probe() -> Options {
    Options {
        transfer_size: Some(0),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_boot_rom_asks_for_the_size_first() {
    let running = quickly();
    let mut client = Client::new(running.address).await;
    client.ask("kernel", size_probe()).await;
    let answer = client.next().await;
    let expected = Options {
        transfer_size: Some(SIZE as u64),
        ..Options::default()
    };
    assert_eq!(Packet::parse(&answer), Ok(Packet::OptionAck(expected)));
    client
        .tell(Packet::error(8, "User aborted the transfer"))
        .await;
    client.is_silent().await;
    let ended = noted(&running.site.ended, 1).await;
    assert!(matches!(ended[0].outcome, Outcome::Aborted(_)), "{ended:?}");

    // Then it asks again, from the same port, for all of it.
    let options = Options {
        block_size: Some(1456),
        ..size_probe()
    };
    client.ask("kernel", options).await;
    let answer = client.next().await;
    assert!(matches!(Packet::parse(&answer), Ok(Packet::OptionAck(_))));
    client.tell(Packet::Ack(0)).await;
    assert_eq!(client.block().await, 1);
}

#[tokio::test]
async fn answers_come_from_the_address_asked_and_a_port_of_the_range() {
    let ports = 42_100..=42_163;
    let running = serve(Limits {
        ports: Some(ports.clone()),
        ..Limits::default()
    });
    let mut client = Client::new(running.address).await;
    client.ask("loader", Options::default()).await;
    client.next().await;
    assert_eq!(client.from.ip(), running.address.ip());
    assert!(ports.contains(&client.from.port()), "{}", client.from);
    client.tell(Packet::Ack(1)).await;
    let ended = noted(&running.site.ended, 1).await;
    assert_eq!(ended[0].outcome, Outcome::Complete);
    assert_eq!((ended[0].path.as_str(), ended[0].bytes), ("loader", 6));
}

#[tokio::test]
async fn a_repeated_request_starts_no_second_transfer() {
    let running = serve(Limits::default());
    let mut client = Client::new(running.address).await;
    for _ in 0..5 {
        client.ask("kernel", Options::default()).await;
    }
    assert_eq!(client.block().await, 1);
    let from = client.from;
    assert_eq!(from.ip(), running.address.ip());
    client.ask("kernel", Options::default()).await;
    client.is_silent().await;
    client.tell(Packet::Ack(1)).await;
    assert_eq!(client.block().await, 2);
    assert_eq!(client.from, from, "the first transfer goes on");
}

#[tokio::test]
async fn another_request_from_the_same_port_ends_the_transfer_before() {
    let running = serve(Limits::default());
    let mut client = Client::new(running.address).await;
    client.ask("kernel", Options::default()).await;
    assert_eq!(client.block().await, 1);
    client.ask("loader", Options::default()).await;
    let bytes = client.next().await;
    let whole = Packet::Data {
        block: 1,
        bytes: b"loader",
    };
    assert_eq!(Packet::parse(&bytes), Ok(whole));
    client.tell(Packet::Ack(1)).await;
    let ended = noted(&running.site.ended, 2).await;
    assert_eq!(ended[0].path, "kernel");
    assert!(matches!(ended[0].outcome, Outcome::Failed(_)), "{ended:?}");
    assert_eq!(ended[1].outcome, Outcome::Complete);
    client.is_silent().await;
}

#[tokio::test]
async fn a_client_that_hears_nothing_is_sent_it_again_and_then_given_up() {
    let running = quickly();
    let mut client = Client::new(running.address).await;
    let began = Instant::now();
    client.ask("kernel", Options::default()).await;
    for _ in 0..4 {
        assert_eq!(client.block().await, 1, "once and three times again");
    }
    client.is_silent().await;
    let ended = noted(&running.site.ended, 1).await;
    assert!(matches!(ended[0].outcome, Outcome::Failed(_)), "{ended:?}");
    assert!(began.elapsed() >= Duration::from_millis(500));
}

#[tokio::test]
async fn a_client_that_is_gone_is_given_up_at_once() {
    let running = serve(Limits::default());
    let mut client = Client::new(running.address).await;
    client.ask("kernel", Options::default()).await;
    assert_eq!(client.block().await, 1);
    client.tell(Packet::Ack(1)).await;
    drop(client);
    let began = Instant::now();
    let ended = noted(&running.site.ended, 1).await;
    assert!(matches!(ended[0].outcome, Outcome::Failed(_)), "{ended:?}");
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "the kernel says that nobody is there"
    );
}

#[tokio::test]
async fn lost_blocks_of_a_window_are_sent_again() {
    let running = quickly();
    let mut client = Client::new(running.address).await;
    let options = Options {
        window_size: Some(4),
        ..Options::default()
    };
    client.ask("kernel", options).await;
    client.next().await;
    client.tell(Packet::Ack(0)).await;
    for block in 1..=4 {
        assert_eq!(client.block().await, block);
    }
    // Block 3 was lost, so it says.
    client.tell(Packet::Ack(2)).await;
    for block in 3..=6 {
        assert_eq!(client.block().await, block);
    }
    // Nothing arrived, so that it says nothing.
    for block in 3..=6 {
        assert_eq!(client.block().await, block);
    }
    client.tell(Packet::Ack(6)).await;
    assert_eq!(client.block().await, 7);
}

#[tokio::test]
async fn strangers_do_not_disturb_a_transfer() {
    let running = serve(Limits::default());
    let mut client = Client::new(running.address).await;
    client.ask("kernel", Options::default()).await;
    assert_eq!(client.block().await, 1);
    let mut stranger = Client::new(running.address).await;
    stranger.from = client.from;
    stranger.tell(Packet::error(0, "stop")).await;
    stranger.tell(Packet::Ack(1)).await;
    client.is_silent().await;
    client.tell(Packet::Ack(1)).await;
    assert_eq!(client.block().await, 2);
}

#[tokio::test]
async fn transfers_are_limited_and_come_free() {
    let running = serve(Limits {
        transfers: 3,
        transfers_per_client: 2,
        ..Limits::default()
    });
    let mut first = Client::new(running.address).await;
    let mut second = Client::new(running.address).await;
    let mut third = Client::new(running.address).await;
    first.ask("loader", Options::default()).await;
    assert_eq!(first.block().await, 1);
    second.ask("loader", Options::default()).await;
    assert_eq!(second.block().await, 1);
    third.ask("loader", Options::default()).await;
    third.is_silent().await;
    first.tell(Packet::Ack(1)).await;
    noted(&running.site.ended, 1).await;
    third.ask("loader", Options::default()).await;
    assert_eq!(third.block().await, 1);
}

#[tokio::test]
async fn what_is_no_read_request() {
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
        let answer = client.next().await;
        let answer = Packet::parse(&answer).expect("a packet");
        assert!(
            matches!(answer, Packet::Error { code: got, .. } if got == code),
            "{answer:?}"
        );
    }
    for bytes in [
        Packet::error(0, "an error is not answered").to_bytes(),
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
async fn a_shutdown_is_told_to_clients() {
    let mut running = serve(Limits::default());
    let mut client = Client::new(running.address).await;
    client.ask("kernel", Options::default()).await;
    assert_eq!(client.block().await, 1);
    running.shutdown.cancel();
    let answer = client.next().await;
    assert!(matches!(
        Packet::parse(&answer),
        Ok(Packet::Error { code: 0, .. })
    ));
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut running.task).await;
    ended.expect("the server ends").expect("without a panic");
}
