//! HTTP with clients that are slow, greedy, gone, or no HTTP clients.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::net::RecvFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use xcat3_network::content::Content;
use xcat3_network::http::Limits;

use crate::site::{Running, Site, bytes, file, recorded};

const LARGE: usize = 64 << 20;
/// Ends a test that hangs.
const GUARD: Duration = Duration::from_secs(30);

fn serve(limits: Limits) -> Running {
    let large = vec![7; LARGE];
    Site::default()
        .with("large", file(&large, None))
        .with("memory", Content::from(large))
        .with("small", Content::from("small"))
        .with("shorter", file(&bytes(100_000), Some(&[(0, 200_000)])))
        .serve_http(limits)
}

fn get(path: &str) -> String {
    format!("GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

async fn connect(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(request.as_bytes()).await.expect("written");
    stream
}

/// Everything until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let read = tokio::time::timeout(GUARD, read).await;
    read.expect("the server closes the connection")
        .expect("read");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn respond(address: SocketAddr, request: &str) -> String {
    rest(&mut connect(address, request).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_served_in_order() {
    let running = serve(Limits::default());
    let last = "GET /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let with_body = "GET /small HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    let requests = [&get("small"), with_body, "\r\n", &get("small"), last].concat();
    let text = respond(running.address, &requests).await;
    let statuses: Vec<&str> = text
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|response| &response[..3])
        .collect();
    assert_eq!(statuses, ["200", "200", "200", "404"], "{text}");
    assert!(text.ends_with("There is no such file.\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http10_client_is_served() {
    let running = serve(Limits::default());
    let text = respond(running.address, "GET /small HTTP/1.0\r\n\r\n").await;
    assert!(
        text.contains("\r\nConnection: close\r\n") && text.ends_with("\r\n\r\nsmall"),
        "{text}"
    );
    let persistent = "GET /small HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let text = respond(
        running.address,
        &[persistent, "GET /small HTTP/1.0\r\n\r\n"].concat(),
    )
    .await;
    assert_eq!(text.matches("HTTP/1.1 200").count(), 2, "{text}");
    assert!(text.contains("\r\nConnection: keep-alive\r\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_request_gets_status_and_sentence() {
    let running = serve(Limits::default());
    let header = format!("GET / HTTP/1.1\r\nHost: h\r\nA: {}", "a".repeat(20_000));
    for (request, status) in [
        ("\x16\x03\x01\x02\0\x01\0\x01", "400"),
        ("GET /\r\n\r\n", "400"),
        ("GET /../../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
        (
            "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n",
            "400",
        ),
        ("BREW / HTTP/1.1\r\nHost: h\r\n\r\n", "405"),
        (
            "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "400",
        ),
        (
            "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999\r\n\r\n",
            "413",
        ),
        (&header, "431"),
    ] {
        let text = respond(running.address, request).await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(text.starts_with(&expected), "{request:.40}: {text}");
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
        assert!(text.trim_end().ends_with('.'), "a sentence: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_request_does_not_delay_other_clients() {
    let running = serve(Limits {
        request_timeout: Duration::from_secs(3_600),
        ..Limits::default()
    });
    let _slow = connect(running.address, "GET /small HT").await;
    let close = "GET /small HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let response = respond(running.address, close).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
}

#[tokio::test(flavor = "multi_thread")]
async fn request_sent_byte_by_byte_times_out() {
    let running = serve(Limits {
        request_timeout: Duration::from_millis(300),
        ..Limits::default()
    });
    let mut slow = connect(running.address, "GET /small HT").await;
    let (mut input, mut output) = slow.split();
    let dripping = async {
        while output.write_all(b"T").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::future::pending::<()>().await;
    };
    let reading = async {
        let mut response = [0; 12];
        input.read_exact(&mut response).await.expect("a response");
        assert_eq!(&response, b"HTTP/1.1 408");
    };
    tokio::select! {
        () = reading => {}
        () = dripping => {}
        () = tokio::time::sleep(GUARD) => panic!("the slow request is not cut off"),
    }
    let body = "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc";
    let response = respond(running.address, body).await;
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_limit_wait_until_idle_ones_close() {
    let running = serve(Limits {
        connections: 8,
        idle_timeout: Duration::from_millis(300),
        ..Limits::default()
    });
    let mut flood = Vec::new();
    for _ in 0..60 {
        let stream = TcpStream::connect(running.address).await;
        flood.push(stream.expect("in the backlog"));
    }
    let mut last = connect(running.address, &get("small")).await;
    let mut status = [0; 12];
    last.read_exact(&mut status).await.expect("a response");
    assert_eq!(&status, b"HTTP/1.1 200");
    // The kernel hands connections over in order, so the last one was accepted as one of eight.
    let closed = flood.iter().filter(|stream| is_closed(stream)).count();
    assert!(closed >= 60 - 7, "{closed} connections were closed before");
    for mut idle in flood {
        assert_eq!(rest(&mut idle).await, "", "closed after the idle timeout");
    }
}

/// Whether the server has closed a connection on which it sent nothing.
fn is_closed(stream: &TcpStream) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(
        rustix::net::recv(stream, &mut [0u8; 1][..], flags),
        Ok((0, _))
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_limit_of_client_get_503() {
    let running = serve(Limits {
        connections_per_client: 3,
        ..Limits::default()
    });
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(running.address, &get("small")).await;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.expect("a response");
        open.push(stream);
    }
    let mut fourth = TcpStream::connect(running.address)
        .await
        .expect("connected");
    assert!(rest(&mut fourth).await.starts_with("HTTP/1.1 503 "));
    open.clear();
    let until = Instant::now() + GUARD;
    loop {
        let mut again = TcpStream::connect(running.address)
            .await
            .expect("connected");
        let _ = again.write_all(get("small").as_bytes()).await;
        let mut status = [0; 12];
        if again.read_exact(&mut status).await.is_ok() && &status == b"HTTP/1.1 200" {
            break;
        }
        assert!(Instant::now() < until, "closed connections are not freed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vanished_or_stalled_client_is_reported_incomplete() {
    let running = serve(Limits {
        send_timeout: Duration::from_millis(300),
        ..Limits::default()
    });
    let mut stalled = Vec::new();
    for (count, path) in ["large", "memory"].into_iter().enumerate() {
        let mut vanishing = connect(running.address, &get(path)).await;
        let mut some = vec![0; 10_000];
        vanishing.read_exact(&mut some).await.expect("a beginning");
        drop(vanishing);
        stalled.push(connect(running.address, &get(path)).await);
        let sent = recorded(&running.site.sent, count * 2 + 2).await;
        for sent in &sent[count * 2..] {
            assert_eq!(sent.path, path);
            assert!(!sent.complete && sent.bytes < sent.size, "{sent:?}");
            assert_eq!((sent.status, sent.size), (200, LARGE as u64));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn file_that_became_shorter_ends_connection() {
    let running = serve(Limits::default());
    let mut stream = connect(running.address, &get("shorter")).await;
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes));
    read.await.expect("the connection ends").expect("read");
    assert!(bytes.starts_with(b"HTTP/1.1 200 OK") && bytes.len() < 200_000);
    let sent = recorded(&running.site.sent, 1).await;
    assert!(
        !sent[0].complete && sent[0].bytes == 100_000,
        "{:?}",
        sent[0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_or_panicking_handler_affects_only_its_client() {
    let running = serve(Limits {
        respond_timeout: Duration::from_millis(100),
        ..Limits::default()
    });
    let close = "GET /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    assert!(
        respond(running.address, close)
            .await
            .starts_with("HTTP/1.1 503 ")
    );
    assert_eq!(respond(running.address, &get("panic")).await, "");
    let close = "GET /small HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    assert!(
        respond(running.address, close)
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_finishes_responses_and_closes_idle_connections() {
    let mut running = serve(Limits::default());
    let mut idle = connect(running.address, &get("small")).await;
    let mut busy = connect(running.address, &get("large")).await;
    let mut status = [0; 12];
    idle.read_exact(&mut status).await.expect("a response");
    busy.read_exact(&mut status).await.expect("a response");
    running.shutdown.cancel();
    assert!(rest(&mut idle).await.ends_with("small"));
    let mut bytes = Vec::new();
    busy.read_to_end(&mut bytes).await.expect("read");
    assert!(
        bytes.len() > LARGE,
        "the rest of its header and all of its body"
    );
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut running.task).await;
    ended.expect("the server ends").expect("without a panic");
    assert!(TcpStream::connect(running.address).await.is_err());
}
