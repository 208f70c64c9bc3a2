use std::time::Duration;

use proptest::prelude::*;

use super::super::flow::{ATTEMPTS, MOST_WAITING, RETRY};
use super::super::port::{Port, PortInput};
use super::*;

fn sent(sol: &mut Sol) -> ConsolePacket {
    ConsolePacket::decode(&sol.transmit().expect("something is sent")).unwrap()
}

fn acknowledge(number: u8, accepted: u8) -> Vec<u8> {
    let packet = BmcPacket {
        acknowledged: number,
        accepted,
        ..BmcPacket::default()
    };
    packet.encode()
}

fn characters(number: u8, data: &[u8]) -> Vec<u8> {
    let packet = BmcPacket {
        number,
        data: data.to_vec(),
        ..BmcPacket::default()
    };
    packet.encode()
}

#[test]
fn characters_go_one_packet_at_a_time() {
    let now = Instant::now();
    let mut sol = Sol::new(8);
    assert_eq!(sol.write(b"hello world", now), 11);
    let first = sent(&mut sol);
    assert_eq!((first.number, &*first.data), (1, &b"hell"[..]));
    assert_eq!(sol.transmit(), None, "the second waits for the first");
    sol.receive(&acknowledge(1, 4), now);
    assert_eq!(&*sent(&mut sol).data, b"o wo");
    // An acknowledgement of another packet is none of this one.
    sol.receive(&acknowledge(1, 4), now);
    assert_eq!(sol.transmit(), None);
    sol.receive(&acknowledge(2, 4), now);
    let last = sent(&mut sol);
    assert_eq!((last.number, &*last.data), (3, &b"rld"[..]));
    assert!(!sol.is_flushed());
    sol.receive(&acknowledge(3, 3), now);
    assert!(sol.is_flushed() && sol.deadline().is_none());
}

#[test]
fn what_was_not_taken_is_sent_again_with_a_new_number() {
    let now = Instant::now();
    let mut sol = Sol::new(100);
    sol.write(b"abcdef", now);
    assert_eq!(sent(&mut sol).number, 1);
    sol.receive(&acknowledge(1, 2), now);
    let rest = sent(&mut sol);
    assert_eq!((rest.number, &*rest.data), (2, &b"cdef"[..]));
    // Nothing was taken, and nothing can be now: the same packet comes again later.
    let busy = BmcPacket {
        acknowledged: 2,
        nack: true,
        unavailable: true,
        ..BmcPacket::default()
    };
    for _ in 0..3 * ATTEMPTS {
        sol.receive(&busy.encode(), now);
        assert_eq!(sol.transmit(), None);
        sol.expire(now + RETRY);
        assert_eq!(sent(&mut sol), rest);
    }
    sol.receive(&acknowledge(2, 4), now);
    assert!(sol.is_flushed());
}

#[test]
fn a_packet_without_acknowledgement_is_repeated_and_given_up() {
    let mut now = Instant::now();
    let mut sol = Sol::new(100);
    sol.write(b"a", now);
    let first = sent(&mut sol);
    for _ in 1..ATTEMPTS {
        sol.expire(now);
        assert_eq!(sol.transmit(), None, "it is not time yet");
        now = sol.deadline().unwrap();
        sol.expire(now);
        assert_eq!(sent(&mut sol), first);
    }
    sol.expire(sol.deadline().unwrap());
    assert_eq!(sol.event(), Some(SolEvent::Closed(Closed::Unacknowledged)));
    assert_eq!((sol.write(b"b", now), sol.deadline()), (0, None));
}

#[test]
fn what_comes_is_acknowledged_and_told_once() {
    let now = Instant::now();
    let mut sol = Sol::new(100);
    sol.receive(&characters(1, b"log"), now);
    let answer = sent(&mut sol);
    assert_eq!(
        (answer.number, answer.acknowledged, answer.accepted),
        (0, 1, 3)
    );
    assert_eq!(sol.event(), Some(SolEvent::Data(b"log".to_vec())));
    // The acknowledgement was lost: the packet comes again, and has grown.
    sol.receive(&characters(1, b"login"), now);
    assert_eq!(sent(&mut sol).accepted, 5);
    assert_eq!(sol.event(), Some(SolEvent::Data(b"in".to_vec())));
    sol.receive(&characters(1, b"login"), now);
    assert_eq!((sent(&mut sol).accepted, sol.event()), (5, None));
    sol.receive(&characters(2, b"login"), now);
    assert_eq!(sol.event(), Some(SolEvent::Data(b"login".to_vec())));
    sol.receive(&[1, 2], now);
    assert_eq!(sol.event(), None);
}

#[test]
fn breaks_overruns_and_the_end_are_told() {
    let now = Instant::now();
    let mut sol = Sol::new(100);
    sol.write(b"x", now);
    sol.send_break(now);
    assert_eq!(&*sent(&mut sol).data, b"x");
    sol.receive(&acknowledge(1, 1), now);
    let packet = sent(&mut sol);
    assert!(packet.is_break && packet.data.is_empty() && packet.number == 2);
    let last = BmcPacket {
        number: 1,
        acknowledged: 2,
        overrun: true,
        is_break: true,
        deactivated: true,
        data: b"bye".to_vec(),
        ..BmcPacket::default()
    };
    sol.receive(&last.encode(), now);
    assert_eq!(sol.event(), Some(SolEvent::Break));
    assert_eq!(sol.event(), Some(SolEvent::Overrun));
    assert_eq!(sol.event(), Some(SolEvent::Data(b"bye".to_vec())));
    assert_eq!(sol.event(), Some(SolEvent::Closed(Closed::Deactivated)));
    sol.receive(&characters(3, b"more"), now);
    assert_eq!(sol.event(), None);
}

#[test]
fn no_more_waits_than_may() {
    let now = Instant::now();
    let mut sol = Sol::new(104);
    assert_eq!(sol.write(&[b'x'; 10_000], now), MOST_WAITING);
    assert_eq!(
        sol.write(&[b'x'; 10_000], now),
        100,
        "a hundred are under way"
    );
    assert_eq!(sol.write(b"x", now), 0);
}

/// What becomes of each packet on a line that loses some: never so many that a side has to give the
/// other up.
struct Line<'a> {
    fates: std::slice::Iter<'a, u8>,
    losses: u32,
}

impl<'a> Line<'a> {
    fn new(fates: &'a [u8]) -> Self {
        Self {
            fates: fates.iter(),
            losses: ATTEMPTS - 1,
        }
    }

    /// The next packet's fate; none where it is lost.
    fn next(&mut self) -> Option<u8> {
        let fate = self.fates.next().copied().unwrap_or_default();
        if fate % 4 == 1 && self.losses > 0 {
            self.losses -= 1;
            return None;
        }
        Some(fate)
    }
}

/// A line that loses and repeats, between a console and a BMC that takes some characters at a time.
fn echo(typed: &[u8], fates: &[u8]) -> Vec<u8> {
    let mut now = Instant::now();
    let mut sol = Sol::new(20);
    let (mut received, mut last) = (Vec::new(), 0);
    let mut line = Line::new(fates);
    let mut rest = typed;
    for _ in 0..100_000 {
        rest = &rest[sol.write(rest, now)..];
        if rest.is_empty() && sol.is_flushed() {
            break;
        }
        let Some(payload) = sol.transmit() else {
            now = sol.deadline().expect("something is under way");
            sol.expire(now);
            continue;
        };
        let packet = ConsolePacket::decode(&payload).unwrap();
        // Lost on its way there.
        let Some(fate) = line.next() else {
            continue;
        };
        let taken = packet.data.len().min(usize::from(fate / 16) + 1);
        if packet.number != last {
            received.extend_from_slice(&packet.data[..taken]);
            last = packet.number;
            let answer = acknowledge(packet.number, u8::try_from(taken).unwrap());
            // Twice on its way back.
            sol.receive(&answer, now);
            if fate % 4 == 2 {
                sol.receive(&answer, now);
            }
        }
    }
    received
}

/// Both sides over a line that loses; what each has received in the end.
fn talk(typed: &[u8], said: &[u8], fates: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut now = Instant::now();
    let (mut sol, mut port) = (Sol::new(20), Port::new(30));
    let (mut arrived, mut heard) = (Vec::new(), Vec::new());
    let mut line = Line::new(fates);
    assert_eq!(sol.write(typed, now), typed.len());
    assert_eq!(port.write(said, now), said.len());
    for _ in 0..100_000 {
        if let Some(payload) = sol.transmit() {
            if line.next().is_some() {
                arrived.extend(port.receive(&payload, now).data);
            }
        } else if let Some(payload) = port.transmit() {
            if line.next().is_some() {
                sol.receive(&payload, now);
            }
        } else if sol.is_flushed() && port.is_flushed() {
            break;
        } else {
            now = sol
                .deadline()
                .into_iter()
                .chain(port.deadline())
                .min()
                .unwrap();
            sol.expire(now);
            assert!(port.expire(now));
        }
        while let Some(SolEvent::Data(characters)) = sol.event() {
            heard.extend(characters);
        }
    }
    (arrived, heard)
}

#[test]
fn a_port_takes_breaks_and_ends_consoles() {
    let now = Instant::now();
    let (mut sol, mut port) = (Sol::new(20), Port::new(20));
    sol.send_break(now);
    let typed = port.receive(&sol.transmit().unwrap(), now);
    assert!(typed.is_break && typed.data.is_empty());
    sol.receive(&port.transmit().unwrap(), now);
    assert!(sol.is_flushed());
    port.deactivate();
    sol.receive(&port.transmit().unwrap(), now);
    assert_eq!(sol.event(), Some(SolEvent::Closed(Closed::Deactivated)));
    // A console that does not acknowledge is gone in the end.
    let mut now = now;
    assert_eq!(port.write(b"lost", now), 4);
    while port.expire(now) {
        now = port.deadline().unwrap();
    }
    assert!(port.is_flushed());
}

proptest! {
    #[test]
    fn all_that_is_typed_arrives_once(
        typed in prop::collection::vec(any::<u8>(), 0..600),
        fates in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        prop_assert_eq!(echo(&typed, &fates), typed);
    }

    #[test]
    fn both_sides_bring_everything_over_once(
        typed in prop::collection::vec(any::<u8>(), 0..600),
        said in prop::collection::vec(any::<u8>(), 0..600),
        fates in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        prop_assert_eq!(talk(&typed, &said, &fates), (typed, said));
    }

    #[test]
    fn whatever_comes_it_goes_on(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..60)) {
        let now = Instant::now();
        let mut sol = Sol::new(30);
        sol.write(b"something to say", now);
        for payload in payloads {
            sol.receive(&payload, now);
            while sol.event().is_some() {}
            prop_assert!(sol.out.len() <= 2 * 60 + 2);
        }
    }
}

#[test]
fn a_machine_that_takes_no_more_gets_it_later() {
    let now = Instant::now();
    let (mut sol, mut port) = (Sol::new(20), Port::new(30));
    sol.write(b"reboot", now);
    let typed = sol.transmit().unwrap();
    assert_eq!(port.receive_up_to(5, &typed, now), PortInput::default());
    sol.receive(&port.transmit().unwrap(), now);
    assert!(!sol.is_flushed(), "nothing was taken");
    let later = now + Duration::from_secs(1);
    sol.expire(later);
    let again = sol.transmit().unwrap();
    assert_eq!(port.receive_up_to(6, &again, later).data, b"reboot");
    assert!(port.receive_up_to(0, &again, later).data.is_empty());
    sol.receive(&port.transmit().unwrap(), later);
    assert!(sol.is_flushed());
}
