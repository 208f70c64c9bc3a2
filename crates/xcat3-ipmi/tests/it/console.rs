//! Serial over LAN through `ipmi_sim`, whose machine has its serial port on a TCP connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use xcat3_ipmi::sol::{ActivationError, CloseReason, Console, ConsoleEvent};

use crate::line::credentials;
use crate::peers::Peer;

/// A BMC and the serial port of its machine.
async fn with_serial_port() -> (Peer, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sol = format!("sol \"tcp:127.0.0.1:{port}\" 115200\n");
    let accept = async { listener.accept().await.unwrap().0 };
    tokio::join!(Peer::ipmi_sim("", &sol), accept)
}

/// Reads `count` characters from the console.
async fn read(console: &mut Console, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        match console.read().await.unwrap() {
            ConsoleEvent::Data(characters) => all.extend(characters),
            other => panic!("{other:?}"),
        }
    }
    all
}

#[tokio::test]
#[ignore = "real: programs"]
async fn characters_in_both_directions_arrive_in_order() {
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
    let machine = async {
        let mut arrived = vec![0; typed.len()];
        port.read_exact(&mut arrived).await.unwrap();
        assert_eq!(arrived, typed);
        port.write_all(b"goodbye").await.unwrap();
    };
    let typing = async {
        assert_eq!(console.write(typed).await.unwrap(), typed.len());
        assert_eq!(read(&mut console, 7).await, b"goodbye");
        assert!(console.is_flushed());
    };
    tokio::join!(machine, typing);
    console.send_break().await.unwrap();
    let connection = console.close().await.unwrap();
    connection.close().await;
}

#[tokio::test]
#[ignore = "real: programs"]
async fn console_taken_over_closes_the_first_one() {
    let (peer, mut port) = with_serial_port().await;
    let first = peer.connect(credentials()).await.unwrap();
    let Ok(first) = Console::open(first, false).await else {
        panic!("no console");
    };
    // ipmi_sim does not notify the console that loses; its next keep-alive request notices.
    let mut first = first.with_keep_alive_interval(Duration::from_millis(200));
    let second = peer.connect(credentials()).await.unwrap();
    let Err((second, error)) = Console::open(second, false).await else {
        panic!("both sessions have the console");
    };
    assert!(matches!(error, ActivationError::InUse), "{error}");
    let Ok(mut second) = Console::open(second, true).await else {
        panic!("the console cannot be taken over");
    };
    port.write_all(b"hello").await.unwrap();
    assert_eq!(read(&mut second, 5).await, b"hello");
    let last = first.read().await.unwrap();
    assert_eq!(last, ConsoleEvent::Closed(CloseReason::Deactivated));
}
