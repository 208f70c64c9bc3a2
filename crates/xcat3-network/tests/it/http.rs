//! HTTP with clients that are slow, greedy, gone or not clients at all.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use xcat3_network::content::Content;
use xcat3_network::http::Limits;

use crate::site::{Running, Site, bytes, file, noted};

const LARGE: usize = 64 << 20;

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

/// All that comes until the server closes, which must be soon.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let read = tokio::time::timeout(Duration::from_secs(20), read).await;
    read.expect("the server closes the connection")
        .expect("read");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn answer(address: SocketAddr, request: &str) -> String {
    rest(&mut connect(address, request).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_one_behind_the_other() {
    let running = serve(Limits::default());
    let last = "GET /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let with_body = "GET /small HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    let requests = [&get("small"), with_body, "\r\n", &get("small"), last].concat();
    let text = answer(running.address, &requests).await;
    let statuses: Vec<&str> = text
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| &answer[..3])
        .collect();
    assert_eq!(statuses, ["200", "200", "200", "404"], "{text}");
    assert!(text.ends_with("There is no such file.\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_clients() {
    let running = serve(Limits::default());
    let text = answer(running.address, "GET /small HTTP/1.0\r\n\r\n").await;
    assert!(
        text.contains("\r\nConnection: close\r\n") && text.ends_with("\r\n\r\nsmall"),
        "{text}"
    );
    let kept = "GET /small HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let text = answer(
        running.address,
        &[kept, "GET /small HTTP/1.0\r\n\r\n"].concat(),
    )
    .await;
    assert_eq!(text.matches("HTTP/1.1 200").count(), 2, "{text}");
    assert!(text.contains("\r\nConnection: keep-alive\r\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_told_so() {
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
        let text = answer(running.address, request).await;
        let expected = format!("HTTP/1.1 {status} ");
        assert!(text.starts_with(&expected), "{request:.40}: {text}");
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
        assert!(text.trim_end().ends_with('.'), "a sentence: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_drip_by_drip_is_cut_off_while_others_are_served() {
    let running = serve(Limits {
        request_time: Duration::from_millis(700),
        ..Limits::default()
    });
    let address = running.address;
    let began = Instant::now();
    let mut slow = connect(address, "GET /small HT").await;
    let (mut input, mut output) = slow.split();
    let drip = async {
        for _ in 0..200 {
            if output.write_all(b"T").await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let reading = async {
        let mut answer = [0; 12];
        input.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 408");
    };
    let quick = async {
        let mut stream = connect(address, &get("small")).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200");
        assert!(
            began.elapsed() < Duration::from_millis(600),
            "the slow one is still there"
        );
    };
    tokio::select! {
        () = async { tokio::join!(reading, quick); } => {}
        () = drip => panic!("the slow client was borne for {:?}", began.elapsed()),
    }
    let body = "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc";
    assert!(answer(address, body).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_connections_is_bounded_and_passes() {
    let running = serve(Limits {
        connections: 8,
        idle_time: Duration::from_millis(300),
        ..Limits::default()
    });
    let mut flood = Vec::new();
    for _ in 0..60 {
        flood.push(
            TcpStream::connect(running.address)
                .await
                .expect("in the backlog"),
        );
    }
    let began = Instant::now();
    let mut last = connect(running.address, &get("small")).await;
    let mut status = [0; 12];
    last.read_exact(&mut status).await.expect("an answer");
    assert_eq!(&status, b"HTTP/1.1 200");
    assert!(
        began.elapsed() > Duration::from_secs(1),
        "eight at a time had their turn before"
    );
    for mut idle in flood {
        assert_eq!(rest(&mut idle).await, "", "closed when idle for too long");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_does_not_get_all_connections() {
    let running = serve(Limits {
        connections_per_client: 3,
        ..Limits::default()
    });
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(running.address, &get("small")).await;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.expect("an answer");
        held.push(stream);
    }
    let mut fourth = TcpStream::connect(running.address)
        .await
        .expect("connected");
    assert!(rest(&mut fourth).await.starts_with("HTTP/1.1 503 "));
    held.clear();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let mut again = TcpStream::connect(running.address)
            .await
            .expect("connected");
        let _ = again.write_all(get("small").as_bytes()).await;
        let mut status = [0; 12];
        if again.read_exact(&mut status).await.is_ok() && &status == b"HTTP/1.1 200" {
            break;
        }
        assert!(Instant::now() < until, "closed connections are given back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_or_stalls_is_noted() {
    let running = serve(Limits {
        send_time: Duration::from_millis(300),
        ..Limits::default()
    });
    let mut stalled = Vec::new();
    for (count, path) in ["large", "memory"].into_iter().enumerate() {
        let mut vanishing = connect(running.address, &get(path)).await;
        let mut some = vec![0; 10_000];
        vanishing.read_exact(&mut some).await.expect("a beginning");
        drop(vanishing);
        stalled.push(connect(running.address, &get(path)).await);
        let sent = noted(&running.site.sent, count * 2 + 2).await;
        for sent in &sent[count * 2..] {
            assert_eq!(sent.path, path);
            assert!(!sent.complete && sent.bytes < sent.size, "{sent:?}");
            assert_eq!((sent.status, sent.size), (200, LARGE as u64));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_became_shorter_ends_the_connection() {
    let running = serve(Limits::default());
    let mut stream = connect(running.address, &get("shorter")).await;
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes));
    read.await.expect("the connection ends").expect("read");
    assert!(bytes.starts_with(b"HTTP/1.1 200 OK") && bytes.len() < 200_000);
    let sent = noted(&running.site.sent, 1).await;
    assert!(
        !sent[0].complete && sent[0].bytes == 100_000,
        "{:?}",
        sent[0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_that_are_slow_or_panic_cost_only_their_client() {
    let running = serve(Limits {
        answer_time: Duration::from_millis(100),
        ..Limits::default()
    });
    let close = "GET /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    assert!(
        answer(running.address, close)
            .await
            .starts_with("HTTP/1.1 503 ")
    );
    assert_eq!(answer(running.address, &get("panic")).await, "");
    let close = "GET /small HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    assert!(
        answer(running.address, close)
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_answers_end_and_closes_idle_connections() {
    let mut running = serve(Limits::default());
    let mut idle = connect(running.address, &get("small")).await;
    let mut busy = connect(running.address, &get("large")).await;
    let mut status = [0; 12];
    idle.read_exact(&mut status).await.expect("an answer");
    busy.read_exact(&mut status).await.expect("an answer");
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
