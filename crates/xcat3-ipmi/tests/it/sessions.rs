//! Handshakes, requests, losses, refusals.

use xcat3_ipmi::bmc::User;
use xcat3_ipmi::{CipherSuite, Completion, Event, Privilege, SessionEnd, Status};

use crate::line::{Line, STATUS, credentials, good, secret, setup};

fn answered() -> Event {
    Event::Response(Completion::OK, vec![0x21, 0x10, 0x40])
}

#[test]
fn a_session_takes_the_best_suite_that_both_have() {
    for suite in CipherSuite::ALL {
        let mut setup = setup();
        setup.suites = vec![suite];
        let mut line = Line::new(credentials(), setup, good());
        assert_eq!(line.event(), Event::Ready(suite));
        assert_eq!(line.ask(STATUS, &[]), answered());
        line.session.close(line.now);
        assert_eq!(line.event(), Event::Ended(SessionEnd::Closed));
        assert!(line.bmc.is_empty(), "its slot is free again");
    }
    let mut none = setup();
    none.suites.clear();
    let refused = SessionEnd::Refused(Status::NO_SUITE);
    assert_eq!(
        Line::new(credentials(), none, good()).event(),
        Event::Ended(refused)
    );
}

#[test]
fn whoever_is_not_let_in_is_told_why() {
    let mut stranger = credentials();
    stranger.user = b"nobody".to_vec();
    let mut forgetful = credentials();
    forgetful.password = secret("Secret");
    let mut full = setup();
    full.slots = 0;
    let mut keyed = setup();
    keyed.bmc_key = Some(secret("key"));
    let cases = [
        (stranger, setup(), SessionEnd::Refused(Status::UNKNOWN_USER)),
        (forgetful, setup(), SessionEnd::WrongPassword),
        (
            credentials(),
            full,
            SessionEnd::Refused(Status::NO_RESOURCES),
        ),
        (credentials(), keyed, SessionEnd::WrongKey),
    ];
    for (credentials, setup, why) in cases {
        let mut line = Line::new(credentials, setup, good());
        assert_eq!(line.event(), Event::Ended(why));
        assert!(!line.session.is_idle() && line.session.deadline().is_none());
    }
}

#[test]
fn the_key_of_a_bmc_is_part_of_the_proof() {
    let (mut credentials, mut setup) = (credentials(), setup());
    credentials.bmc_key = Some(secret("0123456789abcdefghij"));
    setup.bmc_key = credentials.bmc_key.clone();
    let mut line = Line::new(credentials, setup, good());
    assert_eq!(line.event(), Event::Ready(CipherSuite::Sha256));
}

#[test]
fn a_level_above_the_users_is_not_granted() {
    let mut setup = setup();
    setup.users[0].level = 2;
    let mut line = Line::new(credentials(), setup.clone(), good());
    let Event::Ended(SessionEnd::Privilege(_)) = line.event() else {
        panic!("it was granted");
    };
    let mut modest = credentials();
    modest.privilege = Privilege::User;
    assert!(matches!(
        Line::new(modest, setup, good()).event(),
        Event::Ready(_)
    ));
}

#[test]
fn a_line_that_loses_each_datagram_once_costs_time_only() {
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
        assert_eq!(line.ask(STATUS, &[]), answered(), "{lost} lost");
    }
}

#[test]
fn a_line_that_repeats_and_damages_changes_nothing() {
    let mut line = Line::new(
        credentials(),
        setup(),
        Box::new(|number, datagram| {
            let mut damaged = datagram.to_vec();
            // What comes before the session has keys is protected by the checksum of UDP alone.
            let first = if datagram[5] & 0x80 == 0 { 0 } else { 4 };
            let at = if first == 0 {
                0
            } else {
                first + number * 7 % (damaged.len() - first)
            };
            damaged[at] ^= 1 << (number % 8);
            vec![damaged, datagram.to_vec(), datagram.to_vec()]
        }),
    );
    assert!(matches!(line.event(), Event::Ready(_)));
    for round in 1..=70 {
        assert_eq!(line.ask(STATUS, &[]), answered());
        assert_eq!(line.handled.len(), round, "each request is done once");
    }
}

#[test]
fn a_bmc_that_says_nothing_is_given_up() {
    let mut line = Line::new(credentials(), setup(), Box::new(|_, _| Vec::new()));
    assert_eq!(line.event(), Event::Ended(SessionEnd::Silent));
}

#[test]
fn a_session_is_lost_with_a_bmc_that_restarts() {
    let mut line = Line::new(credentials(), setup(), good());
    assert!(matches!(line.event(), Event::Ready(_)));
    line.bmc.clear();
    assert_eq!(line.ask(STATUS, &[]), Event::Ended(SessionEnd::Lost));
}

#[test]
fn slots_of_those_who_vanished_are_free_again() {
    let mut few = setup();
    few.slots = 1;
    few.users.push(User {
        name: b"other".to_vec(),
        password: secret(""),
        level: 3,
    });
    let mut line = Line::new(credentials(), few, good());
    assert!(matches!(line.event(), Event::Ready(_)));
    let mut other = Line::new(credentials(), setup(), good());
    std::mem::swap(&mut other.bmc, &mut line.bmc);
    assert_eq!(
        other.event(),
        Event::Ended(SessionEnd::Refused(Status::NO_RESOURCES))
    );
    let mut later = Line::new(credentials(), setup(), good());
    std::mem::swap(&mut later.bmc, &mut other.bmc);
    later.now += std::time::Duration::from_secs(61);
    later.session.expire(later.now);
    assert!(matches!(later.event(), Event::Ready(_)));
}
