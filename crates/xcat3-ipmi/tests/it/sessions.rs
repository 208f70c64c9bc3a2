//! Handshakes, requests, losses and refusals.

use std::time::Duration;

use xcat3_ipmi::bmc::User;
use xcat3_ipmi::{CipherSuite, Event, Privilege, SessionEnd, Status};

use crate::line::{Line, STATUS, credentials, perfect, secret, setup, status_response};

#[test]
fn session_opened_uses_a_suite_of_both_ends() {
    for suite in CipherSuite::ALL {
        let mut setup = setup();
        setup.suites = vec![suite];
        let mut line = Line::new(credentials(), setup, perfect());
        assert_eq!(line.event(), Event::Ready(suite));
        assert_eq!(line.request(STATUS, &[]), status_response());
    }
}

#[test]
fn session_without_common_suite_is_refused() {
    let mut without = setup();
    without.suites.clear();
    let refused = SessionEnd::Refused(Status::NO_SUITE);
    assert_eq!(
        Line::new(credentials(), without, perfect()).event(),
        Event::Ended(refused)
    );
}

#[test]
fn session_closed_frees_its_slot() {
    let mut line = Line::new(credentials(), setup(), perfect());
    assert!(matches!(line.event(), Event::Ready(_)));
    line.session.close(line.now);
    assert_eq!(line.event(), Event::Ended(SessionEnd::Closed));
    assert!(line.bmc.is_empty());
}

#[test]
fn login_refused_ends_with_the_reason() {
    let mut unknown = credentials();
    unknown.user = b"nobody".to_vec();
    let mut wrong = credentials();
    wrong.password = secret("Secret");
    let mut full = setup();
    full.slots = 0;
    let mut keyed = setup();
    keyed.bmc_key = Some(secret("key"));
    let cases = [
        (unknown, setup(), SessionEnd::Refused(Status::UNKNOWN_USER)),
        (wrong, setup(), SessionEnd::WrongPassword),
        (
            credentials(),
            full,
            SessionEnd::Refused(Status::NO_RESOURCES),
        ),
        (credentials(), keyed, SessionEnd::WrongKey),
    ];
    for (credentials, setup, reason) in cases {
        let mut line = Line::new(credentials, setup, perfect());
        assert_eq!(line.event(), Event::Ended(reason));
        assert!(!line.session.is_idle() && line.session.deadline().is_none());
    }
}

#[test]
fn login_with_bmc_key_succeeds() {
    let (mut credentials, mut setup) = (credentials(), setup());
    credentials.bmc_key = Some(secret("0123456789abcdefghij"));
    setup.bmc_key = credentials.bmc_key.clone();
    let mut line = Line::new(credentials, setup, perfect());
    assert_eq!(line.event(), Event::Ready(CipherSuite::Sha256));
}

#[test]
fn privilege_above_that_of_user_is_not_granted() {
    let mut setup = setup();
    setup.users[0].level = 2;
    let mut line = Line::new(credentials(), setup.clone(), perfect());
    let event = line.event();
    assert!(
        matches!(event, Event::Ended(SessionEnd::Privilege(_))),
        "{event:?}"
    );
    let mut as_user = credentials();
    as_user.privilege = Privilege::User;
    let event = Line::new(as_user, setup, perfect()).event();
    assert!(matches!(event, Event::Ready(_)), "{event:?}");
}

#[test]
fn datagram_lost_is_sent_again() {
    for lost in 0..14 {
        let mut line = Line::new(
            credentials(),
            setup(),
            Box::new(move |number, datagram| match number == lost {
                true => Vec::new(),
                false => vec![datagram.to_vec()],
            }),
        );
        assert!(matches!(line.event(), Event::Ready(_)), "{lost} lost");
        assert_eq!(line.request(STATUS, &[]), status_response(), "{lost} lost");
    }
}

#[test]
fn datagrams_damaged_and_repeated_have_no_effect() {
    let mut line = Line::new(
        credentials(),
        setup(),
        Box::new(|number, datagram| {
            let mut damaged = datagram.to_vec();
            // Only UDP's checksum protects the datagrams before the session has keys: damage their version.
            let is_sealed = datagram[5] & 0x80 != 0;
            let index = match is_sealed {
                true => 4 + number * 7 % (damaged.len() - 4),
                false => 0,
            };
            damaged[index] ^= 1 << (number % 8);
            vec![damaged, datagram.to_vec(), datagram.to_vec()]
        }),
    );
    assert!(matches!(line.event(), Event::Ready(_)));
    for round in 1..=70 {
        assert_eq!(line.request(STATUS, &[]), status_response());
        assert_eq!(line.handled.len(), round, "each request is handled once");
    }
}

#[test]
fn bmc_silent_ends_the_session() {
    let mut line = Line::new(credentials(), setup(), Box::new(|_, _| Vec::new()));
    assert_eq!(line.event(), Event::Ended(SessionEnd::Silent));
}

#[test]
fn bmc_restarted_loses_the_session() {
    let mut line = Line::new(credentials(), setup(), perfect());
    assert!(matches!(line.event(), Event::Ready(_)));
    line.bmc.clear();
    assert_eq!(line.request(STATUS, &[]), Event::Ended(SessionEnd::Lost));
}

#[test]
fn slot_of_idle_session_is_free_after_a_minute() {
    let mut few = setup();
    few.slots = 1;
    few.users.push(User {
        name: b"other".to_vec(),
        password: secret(""),
        level: 3,
    });
    let mut line = Line::new(credentials(), few, perfect());
    assert!(matches!(line.event(), Event::Ready(_)));
    let mut other = Line::new(credentials(), setup(), perfect());
    std::mem::swap(&mut other.bmc, &mut line.bmc);
    assert_eq!(
        other.event(),
        Event::Ended(SessionEnd::Refused(Status::NO_RESOURCES))
    );
    let mut later = Line::new(credentials(), setup(), perfect());
    std::mem::swap(&mut later.bmc, &mut other.bmc);
    later.now += Duration::from_secs(61);
    later.session.expire(later.now);
    assert!(matches!(later.event(), Event::Ready(_)));
}
