//! BMCs whose replies are late, repeated, truncated or nonsense, come from another address, or are for other
//! sessions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use xcat3_ipmi::bmc::{Incoming, Sessions};
use xcat3_ipmi::{
    CipherSuite, Command, Completion, Error, Event, PORT, PayloadType, Response, RetryPolicy,
    Session, SessionEnd, Sockets, Status, plain,
};

use crate::line::{Fate, Line, STATUS, credentials, perfect, random, setup, status_response};
use crate::server::Server;

/// A line on which datagrams of the console arrive and `fate` decides about those of the BMC.
fn replies(mut fate: impl FnMut(&[u8]) -> Vec<Vec<u8>> + 'static) -> Fate {
    Box::new(move |number, datagram| match number % 2 {
        0 => vec![datagram.to_vec()],
        _ => fate(datagram),
    })
}

#[test]
fn reply_for_another_session_is_dropped() {
    // Offset of the session number in the payload of a handshake, and in the header of a packet.
    for (offset, reason) in [(20, SessionEnd::WrongSession), (6, SessionEnd::Silent)] {
        let fate = replies(move |datagram| {
            let mut datagram = datagram.to_vec();
            datagram[offset] ^= 1;
            vec![datagram]
        });
        let mut line = Line::new(credentials(), setup(), fate);
        assert_eq!(line.event(), Event::Ended(reason));
    }
}

/// A session that has sent its open request, and the tag of that request.
fn opening(now: Instant) -> (Session, u8) {
    let suites = [CipherSuite::Sha1];
    let retry = RetryPolicy::default();
    let mut session = Session::begin(credentials(), &suites, 7, retry, random, now);
    let tag = session.transmit().unwrap()[16];
    (session, tag)
}

#[test]
fn refusal_for_another_session_or_request_is_dropped() {
    let now = Instant::now();
    for (other_tag, number, is_accepted) in
        [(0, 8, false), (1, 7, false), (0, 7, true), (0, 0, true)]
    {
        let (mut session, tag) = opening(now);
        let tag = tag.wrapping_add(other_tag);
        let mut payload = vec![tag, Status::NO_RESOURCES.0, 0, 0];
        payload.extend_from_slice(&u32::to_le_bytes(number));
        let datagram = plain(PayloadType::OpenResponse, &payload);
        session.receive(&datagram, now).unwrap();
        let refused = Event::Ended(SessionEnd::Refused(Status::NO_RESOURCES));
        assert_eq!(
            session.event() == Some(refused),
            is_accepted,
            "session {number}"
        );
    }
}

#[test]
fn refusal_that_ends_after_the_status_is_accepted() {
    let now = Instant::now();
    let (mut session, tag) = opening(now);
    let payload = [tag, Status::NO_RESOURCES.0];
    let datagram = plain(PayloadType::OpenResponse, &payload);
    session.receive(&datagram, now).unwrap();
    let refused = SessionEnd::Refused(Status::NO_RESOURCES);
    assert_eq!(session.event(), Some(Event::Ended(refused)));
}

#[test]
fn reply_truncated_opens_no_session() {
    for length in 0..60 {
        let fate =
            replies(move |datagram| vec![datagram[..length.min(datagram.len() - 1)].to_vec()]);
        let mut line = Line::new(credentials(), setup(), fate);
        let Event::Ended(reason) = line.event() else {
            panic!("{length} bytes were enough");
        };
        assert!(
            !reason.rejects_credentials() || reason == SessionEnd::WrongPassword,
            "{reason}"
        );
    }
}

#[test]
fn reply_one_request_late_is_for_its_own_request() {
    let mut late: Option<Vec<u8>> = None;
    let fate = replies(move |datagram| {
        let before = late.replace(datagram.to_vec());
        before.into_iter().collect()
    });
    let mut line = Line::new(credentials(), setup(), fate);
    assert!(matches!(line.event(), Event::Ready(_)));
    for round in 1..=10 {
        assert_eq!(line.request(STATUS, &[]), status_response());
        assert_eq!(line.handled.len(), round, "each request is handled once");
    }
}

#[test]
fn request_with_lost_response_is_handled_once() {
    let mut count = 0;
    let fate = replies(move |datagram| {
        count += 1;
        // The replies of the handshake arrive, then every second one.
        match count > 4 && count % 2 == 1 {
            true => Vec::new(),
            false => vec![datagram.to_vec()],
        }
    });
    let mut line = Line::new(credentials(), setup(), fate);
    assert!(matches!(line.event(), Event::Ready(_)));
    for round in 1..=5 {
        assert_eq!(line.request(STATUS, &[]), status_response());
        assert_eq!(line.handled.len(), round);
    }
}

#[test]
fn message_within_session_that_is_no_response_is_dropped() {
    let mut line = Line::new(credentials(), setup(), perfect());
    assert!(matches!(line.event(), Event::Ready(_)));
    assert!(line.session.request(STATUS, &[], line.now));
    let request = line.session.transmit().unwrap();
    let Ok(Incoming::Request {
        session, request, ..
    }) = line.bmc.receive(&request, line.now)
    else {
        panic!("no request arrived");
    };
    let mut other_number = request.response(Completion::OK, vec![1]);
    other_number.number ^= 1;
    let other_command = Response {
        command: Command::new(0x06, 0x01),
        ..request.response(Completion::OK, vec![1])
    };
    let messages = [
        Vec::new(),
        vec![0],
        vec![0xff; 200],
        other_number.encode(),
        other_command.encode(),
    ];
    for message in messages {
        let datagram = line.bmc.seal_message(session, &message).unwrap();
        let _ = line.session.receive(&datagram, line.now);
        assert_eq!(line.session.event(), None, "{message:02x?}");
    }
    let response = request.response(Completion::OK, vec![0x21, 0x10, 0x40]);
    let datagram = line.bmc.respond(session, &response).unwrap();
    line.session.receive(&datagram, line.now).unwrap();
    assert_eq!(line.session.event(), Some(status_response()));
}

/// A BMC that takes two seconds for each reply, a session and three requests: seven exchanges in all.
#[test]
fn bmc_slow_gets_few_repetitions() {
    const DELAY: Duration = Duration::from_secs(2);
    let mut now = Instant::now();
    let retry = RetryPolicy::default();
    let suites = CipherSuite::ALL;
    let mut session = Session::begin(credentials(), &suites, 9, retry, random, now);
    let mut bmc = Sessions::new(setup(), random);
    let (mut in_transit, mut sent, mut events) = (Vec::<(Instant, Vec<u8>)>::new(), 0, 0);
    while events < 4 {
        while let Some(datagram) = session.transmit() {
            sent += 1;
            let reply = match bmc.receive(&datagram, now) {
                Ok(Incoming::Reply(reply)) => Some(reply),
                Ok(Incoming::Request {
                    session, request, ..
                }) => bmc.respond(session, &request.response(Completion::OK, Vec::new())),
                _ => None,
            };
            in_transit.extend(reply.map(|reply| (now + DELAY, reply)));
        }
        let arrival = in_transit.first().map(|(arrival, _)| *arrival);
        let next = [arrival, session.deadline()].into_iter().flatten().min();
        now = next.unwrap();
        match arrival {
            Some(arrival) if arrival <= now => {
                let _ = session.receive(&in_transit.remove(0).1, now);
            }
            _ => session.expire(now),
        }
        while let Some(event) = session.event() {
            assert!(!matches!(event, Event::Ended(_)), "{event:?}");
            events += 1;
            let _ = session.request(STATUS, &[], now);
        }
    }
    assert!(sent <= 12, "{sent} datagrams");
    assert!(bmc.len() <= 4);
}

/// A BMC that receives at one address and replies from another.
async fn replying_from_another_address() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut bmc = Sessions::new(setup(), random);
    let task = tokio::spawn(async move {
        let mut buffer = [0; 2048];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            if let Ok(Incoming::Reply(reply)) = bmc.receive(&buffer[..length], Instant::now()) {
                other.send_to(&reply, from).await.unwrap();
            }
        }
    });
    (address, task)
}

/// Asserts that nothing at `address` counts as a reply.
async fn assert_silent(sockets: &Sockets, address: SocketAddr) {
    let (suites, retry) = (&CipherSuite::ALL, RetryPolicy::default());
    let session = sockets.connect(address, credentials(), suites, retry).await;
    assert!(matches!(session, Err(Error::Ended(SessionEnd::Silent))));
    let capabilities = sockets.capabilities(address, retry).await;
    assert!(matches!(
        capabilities,
        Err(Error::Ended(SessionEnd::Silent))
    ));
}

#[tokio::test(start_paused = true)]
async fn reply_from_another_address_is_dropped() {
    let (address, task) = replying_from_another_address().await;
    assert_silent(&Sockets::new(), address).await;
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn port_without_listener_is_silent_and_affects_no_other_session() {
    // The system replies by ICMP.
    let free = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    assert_ne!(address.port(), PORT);
    let server = Server::start(setup()).await;
    let sockets = Sockets::new();
    assert_silent(&sockets, address).await;
    tokio::time::resume();
    let (suites, retry) = (&CipherSuite::ALL, RetryPolicy::default());
    let other = sockets.connect(server.address, credentials(), suites, retry);
    other.await.unwrap().close().await;
}

#[tokio::test]
async fn session_dropped_frees_its_slot() {
    let server = Server::start(setup()).await;
    let sockets = Sockets::new();
    let (suites, retry) = (&CipherSuite::ALL, RetryPolicy::default());
    // More sessions than slots.
    for _ in 0..20 {
        let connection = sockets.connect(server.address, credentials(), suites, retry);
        let mut connection = connection.await.unwrap();
        connection.request(STATUS, &[]).await.unwrap();
        server.wait_for_sessions(1).await;
        drop(connection);
        server.wait_for_sessions(0).await;
    }
}

#[tokio::test]
async fn sessions_on_one_socket_get_their_own_responses() {
    let mut setup = setup();
    setup.slots = 500;
    let server = Server::start(setup).await;
    let sockets = Arc::new(Sockets::new());
    let tasks = (0..500).map(|_| {
        let (sockets, address) = (sockets.clone(), server.address);
        tokio::spawn(async move {
            let (suites, retry) = (&CipherSuite::ALL, RetryPolicy::default());
            let connection = sockets.connect(address, credentials(), suites, retry);
            let mut connection = connection.await.unwrap();
            for _ in 0..3 {
                let status = connection.request(STATUS, &[]).await.unwrap();
                assert_eq!(status, [0x60, 0x10, 0x40]);
            }
            connection.close().await;
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    server.wait_for_sessions(0).await;
}
