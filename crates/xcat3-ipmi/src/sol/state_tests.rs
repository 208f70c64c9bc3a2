//! Tests of both ends of serial over LAN.

use std::time::Duration;

use proptest::prelude::*;

use super::super::flow::{MAX_ATTEMPTS, MAX_QUEUED, RETRY_INTERVAL};
use super::super::port::{Port, PortInput};
use super::*;

fn sent(sol: &mut Sol) -> ConsolePacket {
    ConsolePacket::decode(&sol.transmit().expect("a packet is sent")).unwrap()
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
fn characters_unacknowledged_hold_back_the_next_packet() {
    let now = Instant::now();
    let mut sol = Sol::new(8);
    assert_eq!(sol.write(b"hello world", now), 11);
    let first = sent(&mut sol);
    assert_eq!((first.number, &*first.data), (1, &b"hell"[..]));
    assert_eq!(sol.transmit(), None, "the second waits for the first");
    sol.receive(&acknowledge(1, 4), now);
    assert_eq!(&*sent(&mut sol).data, b"o wo");
    // A repeated acknowledgement of the first packet does not count for the second.
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
fn characters_not_accepted_are_sent_again_with_new_number() {
    let now = Instant::now();
    let mut sol = Sol::new(100);
    sol.write(b"abcdef", now);
    assert_eq!(sent(&mut sol).number, 1);
    sol.receive(&acknowledge(1, 2), now);
    let rest = sent(&mut sol);
    assert_eq!((rest.number, &*rest.data), (2, &b"cdef"[..]));
    // While the BMC is unavailable, the same packet is retransmitted without end.
    let busy = BmcPacket {
        acknowledged: 2,
        nack: true,
        unavailable: true,
        ..BmcPacket::default()
    };
    for _ in 0..3 * MAX_ATTEMPTS {
        sol.receive(&busy.encode(), now);
        assert_eq!(sol.transmit(), None);
        sol.expire(now + RETRY_INTERVAL);
        assert_eq!(sent(&mut sol), rest);
    }
    sol.receive(&acknowledge(2, 4), now);
    assert!(sol.is_flushed());
}

#[test]
fn packet_never_acknowledged_closes_the_console() {
    let mut now = Instant::now();
    let mut sol = Sol::new(100);
    sol.write(b"a", now);
    let first = sent(&mut sol);
    for _ in 1..MAX_ATTEMPTS {
        sol.expire(now);
        assert_eq!(sol.transmit(), None, "the deadline is not reached");
        now = sol.deadline().unwrap();
        sol.expire(now);
        assert_eq!(sent(&mut sol), first);
    }
    sol.expire(sol.deadline().unwrap());
    assert_eq!(
        sol.event(),
        Some(SolEvent::Closed(CloseReason::Unacknowledged))
    );
    assert_eq!((sol.write(b"b", now), sol.deadline()), (0, None));
}

#[test]
fn packet_repeated_is_acknowledged_and_delivered_once() {
    let now = Instant::now();
    let mut sol = Sol::new(100);
    sol.receive(&characters(1, b"log"), now);
    let answer = sent(&mut sol);
    assert_eq!(
        (answer.number, answer.acknowledged, answer.accepted),
        (0, 1, 3)
    );
    assert_eq!(sol.event(), Some(SolEvent::Data(b"log".to_vec())));
    // The BMC did not get the acknowledgement: the retransmitted packet has grown.
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
fn break_overrun_and_deactivation_become_events() {
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
    assert_eq!(
        sol.event(),
        Some(SolEvent::Closed(CloseReason::Deactivated))
    );
    sol.receive(&characters(3, b"more"), now);
    assert_eq!(sol.event(), None);
}

#[test]
fn queue_full_accepts_no_characters() {
    let now = Instant::now();
    let mut sol = Sol::new(104);
    assert_eq!(sol.write(&[b'x'; 10_000], now), MAX_QUEUED);
    assert_eq!(
        sol.write(&[b'x'; 10_000], now),
        100,
        "a hundred characters are outstanding"
    );
    assert_eq!(sol.write(b"x", now), 0);
}

/// A line that loses packets, but never so many that one end gives up the other.
struct Line<'a> {
    fates: std::slice::Iter<'a, u8>,
    losses: u32,
}

impl<'a> Line<'a> {
    fn new(fates: &'a [u8]) -> Self {
        Self {
            fates: fates.iter(),
            losses: MAX_ATTEMPTS - 1,
        }
    }

    /// The fate of the next packet; `None` if it is lost.
    fn next(&mut self) -> Option<u8> {
        let fate = self.fates.next().copied().unwrap_or_default();
        if fate % 4 == 1 && self.losses > 0 {
            self.losses -= 1;
            return None;
        }
        Some(fate)
    }
}

/// Types into a console over a line that loses and repeats packets, towards a BMC that accepts some characters
/// of each packet. Returns what the BMC received.
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
            now = sol.deadline().expect("a segment is outstanding");
            sol.expire(now);
            continue;
        };
        let packet = ConsolePacket::decode(&payload).unwrap();
        let Some(fate) = line.next() else {
            continue;
        };
        let taken = packet.data.len().min(usize::from(fate / 16) + 1);
        if packet.number != last {
            received.extend_from_slice(&packet.data[..taken]);
            last = packet.number;
            let answer = acknowledge(packet.number, u8::try_from(taken).unwrap());
            sol.receive(&answer, now);
            if fate % 4 == 2 {
                sol.receive(&answer, now);
            }
        }
    }
    received
}

/// Both ends send over a line that loses packets. Returns what each end received.
fn exchange(typed: &[u8], printed: &[u8], fates: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut now = Instant::now();
    let (mut sol, mut port) = (Sol::new(20), Port::new(30));
    let (mut at_machine, mut at_console) = (Vec::new(), Vec::new());
    let mut line = Line::new(fates);
    assert_eq!(sol.write(typed, now), typed.len());
    assert_eq!(port.write(printed, now), printed.len());
    for _ in 0..100_000 {
        if let Some(payload) = sol.transmit() {
            if line.next().is_some() {
                at_machine.extend(port.receive(&payload, now).data);
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
            at_console.extend(characters);
        }
    }
    (at_machine, at_console)
}

#[test]
fn port_deactivated_closes_the_console() {
    let now = Instant::now();
    let (mut sol, mut port) = (Sol::new(20), Port::new(20));
    sol.send_break(now);
    let typed = port.receive(&sol.transmit().unwrap(), now);
    assert!(typed.is_break && typed.data.is_empty());
    sol.receive(&port.transmit().unwrap(), now);
    assert!(sol.is_flushed());
    port.deactivate();
    sol.receive(&port.transmit().unwrap(), now);
    assert_eq!(
        sol.event(),
        Some(SolEvent::Closed(CloseReason::Deactivated))
    );
    // A console that never acknowledges counts as gone.
    let mut now = now;
    assert_eq!(port.write(b"lost", now), 4);
    while port.expire(now) {
        now = port.deadline().unwrap();
    }
    assert!(port.is_flushed());
}

proptest! {
    #[test]
    fn characters_typed_over_lossy_line_arrive_once(
        typed in prop::collection::vec(any::<u8>(), 0..600),
        fates in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        prop_assert_eq!(echo(&typed, &fates), typed);
    }

    #[test]
    fn characters_in_both_directions_over_lossy_line_arrive_once(
        typed in prop::collection::vec(any::<u8>(), 0..600),
        printed in prop::collection::vec(any::<u8>(), 0..600),
        fates in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        prop_assert_eq!(exchange(&typed, &printed, &fates), (typed, printed));
    }

    #[test]
    fn payloads_arbitrary_queue_a_bounded_reply(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..60),
    ) {
        let now = Instant::now();
        let mut sol = Sol::new(30);
        sol.write(b"something to say", now);
        for payload in payloads {
            sol.receive(&payload, now);
            while sol.event().is_some() {}
            prop_assert!(sol.outgoing.len() <= 2 * 60 + 2);
        }
    }
}

#[test]
fn packet_refused_by_full_machine_is_retransmitted() {
    let now = Instant::now();
    let (mut sol, mut port) = (Sol::new(20), Port::new(30));
    sol.write(b"reboot", now);
    let typed = sol.transmit().unwrap();
    assert_eq!(port.receive_up_to(5, &typed, now), PortInput::default());
    sol.receive(&port.transmit().unwrap(), now);
    assert!(!sol.is_flushed(), "nothing was accepted");
    let later = now + Duration::from_secs(1);
    sol.expire(later);
    let again = sol.transmit().unwrap();
    assert_eq!(port.receive_up_to(6, &again, later).data, b"reboot");
    assert!(port.receive_up_to(0, &again, later).data.is_empty());
    sol.receive(&port.transmit().unwrap(), later);
    assert!(sol.is_flushed());
}
