//! BMCs that answer late, twice, for others, from elsewhere, cut short or with nonsense.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use xcat3_ipmi::bmc::{Incoming, Sessions};
use xcat3_ipmi::{
    CipherSuite, Completion, Error, Event, PORT, Response, RetryPolicy, Session, SessionEnd,
    Sockets, Status,
};

use crate::line::{Fate, Line, STATUS, credentials, good, random, setup};
use crate::server::Server;

fn answered() -> Event {
    Event::Response(Completion::OK, vec![0x21, 0x10, 0x40])
}

/// Short, where a test waits for a silence.
const HASTY: RetryPolicy = RetryPolicy {
    first_timeout: Duration::from_millis(50),
    attempts: 3,
};

/// Answers of the BMC meet `fate`; what the console sends arrives.
fn answers(mut fate: impl FnMut(&[u8]) -> Vec<Vec<u8>> + 'static) -> Fate {
    Box::new(move |number, datagram| match number % 2 {
        0 => vec![datagram.to_vec()],
        _ => fate(datagram),
    })
}

#[test]
fn answers_for_another_session_are_not_taken() {
    // The number of the session in the payload of a handshake, and in the head of a packet.
    for (at, over) in [(20, SessionEnd::WrongSession), (6, SessionEnd::Silent)] {
        let fate = answers(move |datagram| {
            let mut datagram = datagram.to_vec();
            datagram[at] ^= 1;
            vec![datagram]
        });
        let mut line = Line::new(credentials(), setup(), fate);
        assert_eq!(line.event(), Event::Ended(over));
    }
}

#[test]
fn refusals_for_another_session_or_request_are_not_taken() {
    let open_refused = |tag: u8, number: u32| {
        let mut payload = vec![tag, Status::NO_RESOURCES.0, 0, 0];
        payload.extend_from_slice(&number.to_le_bytes());
        xcat3_ipmi::plain(xcat3_ipmi::PayloadType::OpenResponse, &payload)
    };
    let now = Instant::now();
    let begin = || {
        let suites = [CipherSuite::Sha1];
        Session::begin(
            credentials(),
            &suites,
            7,
            RetryPolicy::default(),
            random,
            now,
        )
    };
    for (other_tag, number, is_taken) in [(0, 8, false), (1, 7, false), (0, 7, true), (0, 0, true)]
    {
        let mut session = begin();
        let tag = session.transmit().unwrap()[16].wrapping_add(other_tag);
        session.receive(&open_refused(tag, number), now).unwrap();
        let refused = Event::Ended(SessionEnd::Refused(Status::NO_RESOURCES));
        assert_eq!(
            session.event() == Some(refused),
            is_taken,
            "session {number}"
        );
    }
    // ipmi_sim's ends after the status.
    let mut session = begin();
    let tag = session.transmit().unwrap()[16];
    let payload = [tag, Status::NO_RESOURCES.0];
    let datagram = xcat3_ipmi::plain(xcat3_ipmi::PayloadType::OpenResponse, &payload);
    session.receive(&datagram, now).unwrap();
    assert!(matches!(
        session.event(),
        Some(Event::Ended(SessionEnd::Refused(_)))
    ));
}

#[test]
fn answers_cut_short_are_none() {
    for length in 0..60 {
        let fate =
            answers(move |datagram| vec![datagram[..length.min(datagram.len() - 1)].to_vec()]);
        let mut line = Line::new(credentials(), setup(), fate);
        let Event::Ended(over) = line.event() else {
            panic!("{length} bytes were enough");
        };
        assert!(
            !over.rejects_credentials() || over == SessionEnd::WrongPassword,
            "{over}"
        );
    }
}

#[test]
fn answers_that_come_one_late_are_for_what_they_answer() {
    let mut late: Option<Vec<u8>> = None;
    let fate = answers(move |datagram| {
        let before = late.replace(datagram.to_vec());
        before.into_iter().collect()
    });
    let mut line = Line::new(credentials(), setup(), fate);
    assert!(matches!(line.event(), Event::Ready(_)));
    for round in 1..=10 {
        assert_eq!(line.ask(STATUS, &[]), answered());
        assert_eq!(
            line.handled.len(),
            round,
            "each request is carried out once"
        );
    }
}

#[test]
fn a_request_whose_answer_gets_lost_is_carried_out_once() {
    let mut count = 0;
    let fate = answers(move |datagram| {
        count += 1;
        // Those of the handshake arrive; of the others each second one.
        match count > 4 && count % 2 == 1 {
            true => Vec::new(),
            false => vec![datagram.to_vec()],
        }
    });
    let mut line = Line::new(credentials(), setup(), fate);
    assert!(matches!(line.event(), Event::Ready(_)));
    for round in 1..=5 {
        assert_eq!(line.ask(STATUS, &[]), answered());
        assert_eq!(line.handled.len(), round);
    }
}

#[test]
fn nonsense_within_a_session_is_no_answer() {
    let mut line = Line::new(credentials(), setup(), good());
    assert!(matches!(line.event(), Event::Ready(_)));
    assert!(line.session.request(STATUS, &[], line.now));
    let request = line.session.transmit().unwrap();
    let Ok(Incoming::Request {
        session, request, ..
    }) = line.bmc.receive(&request, line.now)
    else {
        panic!("no request arrived");
    };
    let mut nonsense: Vec<Vec<u8>> = vec![Vec::new(), vec![0], vec![0xff; 200]];
    let mut of_another = request.response(Completion::OK, vec![1]);
    of_another.number ^= 1;
    nonsense.push(of_another.encode());
    let other_command = Response {
        command: xcat3_ipmi::Command::new(0x06, 0x01),
        ..request.response(Completion::OK, vec![1])
    };
    nonsense.push(other_command.encode());
    for message in nonsense {
        let datagram = line.bmc.seal_message(session, &message).unwrap();
        let _ = line.session.receive(&datagram, line.now);
        assert_eq!(line.session.event(), None, "{message:02x?}");
    }
    let response = request.response(Completion::OK, vec![0x21, 0x10, 0x40]);
    let datagram = line.bmc.respond(session, &response).unwrap();
    line.session.receive(&datagram, line.now).unwrap();
    assert_eq!(line.session.event(), Some(answered()));
}

/// A BMC whose every answer takes two seconds: how many datagrams it gets for a session and three
/// requests, seven exchanges in all.
#[test]
fn a_slow_bmc_is_not_asked_everything_many_times() {
    const DELAY: Duration = Duration::from_secs(2);
    let mut now = Instant::now();
    let retry = RetryPolicy::default();
    let suites = CipherSuite::ALL;
    let mut session = Session::begin(credentials(), &suites, 9, retry, random, now);
    let mut bmc = Sessions::new(setup(), random);
    let (mut under_way, mut sent, mut done) = (Vec::<(Instant, Vec<u8>)>::new(), 0, 0);
    while done < 4 {
        while let Some(datagram) = session.transmit() {
            sent += 1;
            let answer = match bmc.receive(&datagram, now) {
                Ok(Incoming::Reply(answer)) => Some(answer),
                Ok(Incoming::Request {
                    session, request, ..
                }) => bmc.respond(session, &request.response(Completion::OK, Vec::new())),
                _ => None,
            };
            under_way.extend(answer.map(|answer| (now + DELAY, answer)));
        }
        let arrives = under_way.first().map(|(at, _)| *at);
        now = [arrives, session.deadline()]
            .into_iter()
            .flatten()
            .min()
            .unwrap();
        match arrives {
            Some(at) if at <= now => {
                let _ = session.receive(&under_way.remove(0).1, now);
            }
            _ => session.expire(now),
        }
        while let Some(event) = session.event() {
            assert!(!matches!(event, Event::Ended(_)), "{event:?}");
            done += 1;
            let _ = session.request(STATUS, &[], now);
        }
    }
    assert!(sent <= 12, "{sent} datagrams");
    assert!(bmc.len() <= 4);
}

/// Takes what comes to one address and answers from another.
async fn from_elsewhere() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut bmc = Sessions::new(setup(), random);
    let serving = tokio::spawn(async move {
        let mut buffer = [0; 2048];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            if let Ok(Incoming::Reply(answer)) = bmc.receive(&buffer[..length], Instant::now()) {
                elsewhere.send_to(&answer, from).await.unwrap();
            }
        }
    });
    (address, serving)
}

#[tokio::test]
async fn answers_from_another_address_are_not_taken() {
    let (address, serving) = from_elsewhere().await;
    let sockets = Sockets::new();
    let suites = &CipherSuite::ALL;
    let silent = sockets.connect(address, credentials(), suites, HASTY).await;
    assert!(matches!(silent, Err(Error::Ended(SessionEnd::Silent))));
    let silent = sockets.capabilities(address, HASTY).await;
    assert!(matches!(silent, Err(Error::Ended(SessionEnd::Silent))));
    serving.abort();
}

#[tokio::test]
async fn nobody_at_the_address_is_a_silence() {
    // Nothing listens there: the system answers by ICMP, which is no reason to fail others.
    let free = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    assert_ne!(address.port(), PORT);
    let server = Server::start(setup()).await;
    let sockets = Sockets::new();
    let suites = &CipherSuite::ALL;
    let silent = sockets.connect(address, credentials(), suites, HASTY).await;
    assert!(matches!(silent, Err(Error::Ended(SessionEnd::Silent))));
    let retry = RetryPolicy::default();
    let other = sockets.connect(server.address, credentials(), suites, retry);
    other.await.unwrap().close().await;
}

#[tokio::test]
async fn a_session_that_is_dropped_gives_its_slot_back() {
    let server = Server::start(setup()).await;
    let sockets = Sockets::new();
    let suites = &CipherSuite::ALL;
    // More than there are slots.
    for _ in 0..20 {
        let retry = RetryPolicy::default();
        let connection = sockets.connect(server.address, credentials(), suites, retry);
        let mut connection = connection.await.unwrap();
        connection.request(STATUS, &[]).await.unwrap();
        assert_eq!(server.bmc.lock().unwrap().sessions.len(), 1);
        drop(connection);
        let limit = Instant::now() + Duration::from_secs(60);
        while !server.bmc.lock().unwrap().sessions.is_empty() {
            assert!(Instant::now() < limit, "the slot is still taken");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn many_sessions_share_a_socket() {
    let mut roomy = setup();
    roomy.slots = 500;
    let server = Server::start(roomy).await;
    let sockets = std::sync::Arc::new(Sockets::new());
    let tasks = (0..500).map(|_| {
        let (sockets, address) = (sockets.clone(), server.address);
        tokio::spawn(async move {
            let suites = &CipherSuite::ALL;
            let retry = RetryPolicy::default();
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
    assert!(server.bmc.lock().unwrap().sessions.is_empty());
}
