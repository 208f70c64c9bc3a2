//! Serial over LAN through `ipmi_sim`: what is typed reaches the machine's serial port, and what that
//! says comes back, whole and in order.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use xcat3_ipmi::sol::{ActivationError, Closed, Console, ConsoleEvent};

use crate::line::credentials;
use crate::peers::Peer;

const LIMIT: Duration = Duration::from_secs(60);

/// A BMC whose machine's serial port is the stream.
async fn with_serial_port() -> (Peer, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sol = format!("sol \"tcp:127.0.0.1:{port}\" 115200\n");
    let accept = async { listener.accept().await.unwrap().0 };
    tokio::join!(Peer::simulated("", &sol), accept)
}

/// Reads the console until so many characters have come.
async fn read(console: &mut Console, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        let received = tokio::time::timeout(LIMIT, console.read()).await;
        match received.expect("it comes in time").unwrap() {
            ConsoleEvent::Data(characters) => all.extend(characters),
            other => panic!("{other:?}"),
        }
    }
    all
}

#[tokio::test]
#[ignore = "real: programs"]
async fn what_is_typed_arrives_and_what_is_said_comes_back() {
    let (peer, mut port) = with_serial_port().await;
    let connection = peer.connect(credentials()).await.unwrap();
    let Ok(mut console) = Console::open(connection, false).await else {
        panic!("no console");
    };
    let text: Vec<u8> = (0..1_000)
        .flat_map(|line| format!("line {line}\r\n").into_bytes())
        .collect();
    port.write_all(&text).await.unwrap();
    assert_eq!(read(&mut console, text.len()).await, text);

    let typed = &text[..2_000];
    let echo = async {
        let mut arrived = vec![0; typed.len()];
        port.read_exact(&mut arrived).await.unwrap();
        assert_eq!(arrived, typed);
        port.write_all(b"that was all").await.unwrap();
    };
    let typing = async {
        assert_eq!(console.write(typed).await.unwrap(), typed.len());
        assert_eq!(read(&mut console, 12).await, b"that was all");
        assert!(console.is_flushed());
    };
    tokio::time::timeout(LIMIT, async { tokio::join!(echo, typing) })
        .await
        .unwrap();
    console.send_break().await.unwrap();
    let connection = console.close().await.unwrap();
    connection.close().await;
}

#[tokio::test]
#[ignore = "real: programs"]
async fn a_console_belongs_to_one_session_until_it_is_taken() {
    let (peer, mut port) = with_serial_port().await;
    let first = peer.connect(credentials()).await.unwrap();
    let Ok(first) = Console::open(first, false).await else {
        panic!("no console");
    };
    // It does not tell who loses the console; who asks sees it.
    let mut first = first.ask_every(Duration::from_millis(200));
    let second = peer.connect(credentials()).await.unwrap();
    let Err((second, why)) = Console::open(second, false).await else {
        panic!("two have the console");
    };
    assert!(matches!(why, ActivationError::InUse), "{why}");
    let Ok(mut second) = Console::open(second, true).await else {
        panic!("it can't be taken");
    };
    port.write_all(b"hello").await.unwrap();
    assert_eq!(read(&mut second, 5).await, b"hello");
    let told = tokio::time::timeout(LIMIT, first.read()).await.unwrap();
    assert_eq!(told.unwrap(), ConsoleEvent::Closed(Closed::Deactivated));
}
