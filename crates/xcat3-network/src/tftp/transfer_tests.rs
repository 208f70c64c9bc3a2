//! Tests of the transfer with a client that follows the RFCs, over a network that loses, duplicates
//! and reorders packets.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::tftp::packet::Mode;

const SECOND: Duration = Duration::from_secs(1);

fn terms(block: u16, window: u16) -> Terms {
    let requested = Options {
        block_size: Some(u64::from(block)),
        window_size: Some(u64::from(window)),
        ..Options::default()
    };
    Terms::negotiate(&requested, &Bounds::default(), Some(0))
}

fn without_options() -> Terms {
    Terms::negotiate(&Options::default(), &Bounds::default(), Some(0))
}

fn numbers(transfer: &mut Transfer) -> Vec<u16> {
    let mut numbers = Vec::new();
    while let Some(send) = transfer.next_send() {
        match send {
            Send::Block { number, .. } => numbers.push(number),
            Send::OptionAck(_) => numbers.push(u16::MAX),
        }
    }
    numbers
}

/// A transfer with its options already agreed to.
fn windowed(window: u16, blocks: u64, now: Instant) -> Transfer {
    let mut transfer = Transfer::new(
        terms(512, window),
        &Bounds::default(),
        blocks * 512 - 1,
        now,
    );
    assert_eq!(numbers(&mut transfer), [u16::MAX]);
    transfer.receive(&Packet::Ack(0), now);
    transfer
}

#[test]
fn negotiated_options_are_within_bounds() {
    let bounds = Bounds {
        block: 1468,
        ..Bounds::default()
    };
    let requested = Options {
        block_size: Some(65_464),
        timeout: Some(3),
        transfer_size: Some(0),
        window_size: Some(65_535),
    };
    let terms = Terms::negotiate(&requested, &bounds, Some(77));
    let expected = Options {
        block_size: Some(1468),
        timeout: Some(3),
        transfer_size: Some(77),
        window_size: Some(64),
    };
    assert_eq!(terms.option_ack, Some(expected));
    assert_eq!((terms.block, terms.window), (1468, 64));
    assert_eq!(terms.timeout, SECOND * 3);

    let absurd = Options {
        block_size: Some(7),
        timeout: Some(0),
        transfer_size: None,
        window_size: Some(0),
    };
    let terms = Terms::negotiate(&absurd, &bounds, Some(77));
    assert_eq!(terms.option_ack, None);
    assert_eq!((terms.block, terms.window), (512, 1));
    assert_eq!(
        Terms::negotiate(&requested, &bounds, None)
            .option_ack
            .and_then(|option_ack| option_ack.transfer_size),
        None
    );
}

#[test]
fn transfer_without_options_is_lock_step() {
    let now = Instant::now();
    let mut transfer = Transfer::new(without_options(), &Bounds::default(), 1024, now);
    for block in 1..=3 {
        assert_eq!(numbers(&mut transfer), [block]);
        assert_eq!(transfer.end(), None);
        transfer.receive(&Packet::Ack(block), now);
    }
    assert_eq!(transfer.end(), Some(&End::Complete));
    assert_eq!(transfer.bytes(), 1024);
}

#[test]
fn empty_file_is_one_empty_block() {
    let now = Instant::now();
    let mut transfer = Transfer::new(without_options(), &Bounds::default(), 0, now);
    let block = Send::Block {
        number: 1,
        offset: 0,
        len: 0,
    };
    assert_eq!(transfer.next_send(), Some(block));
    transfer.receive(&Packet::Ack(1), now);
    assert_eq!(transfer.end(), Some(&End::Complete));
}

#[test]
fn repeated_ack_without_window_is_ignored() {
    let now = Instant::now();
    let mut transfer = Transfer::new(without_options(), &Bounds::default(), 5000, now);
    assert_eq!(numbers(&mut transfer), [1]);
    transfer.receive(&Packet::Ack(1), now);
    assert_eq!(numbers(&mut transfer), [2]);
    for _ in 0..10 {
        transfer.receive(&Packet::Ack(1), now);
        assert_eq!(
            numbers(&mut transfer),
            [0u16; 0],
            "a repeated acknowledgement causes no packet"
        );
    }
}

#[test]
fn client_error_aborts_transfer() {
    let now = Instant::now();
    let mut transfer = windowed(1, 5, now);
    transfer.receive(&Packet::error(8, "User aborted the transfer"), now);
    assert!(matches!(transfer.end(), Some(End::Aborted { code: 8, .. })));
    assert_eq!(numbers(&mut transfer), [0u16; 0]);
    transfer.handle_timeout(now + SECOND * 100);
    assert!(
        matches!(transfer.end(), Some(End::Aborted { .. })),
        "the end is final"
    );
}

#[test]
fn partial_ack_resumes_at_first_missing_block() {
    let now = Instant::now();
    let mut transfer = windowed(4, 100, now);
    assert_eq!(numbers(&mut transfer), [1, 2, 3, 4]);
    transfer.receive(&Packet::Ack(2), now);
    assert_eq!(numbers(&mut transfer), [3, 4, 5, 6]);
    transfer.receive(&Packet::Ack(2), now);
    assert_eq!(
        numbers(&mut transfer),
        [0u16; 0],
        "that loss was handled already"
    );
    transfer.handle_timeout(now + SECOND);
    assert_eq!(numbers(&mut transfer), [3, 4, 5, 6]);
    transfer.receive(&Packet::Ack(6), now);
    assert_eq!(numbers(&mut transfer), [7, 8, 9, 10]);
}

#[test]
fn repeated_ack_with_window_retransmits_once() {
    let now = Instant::now();
    let mut transfer = windowed(4, 100, now);
    assert_eq!(numbers(&mut transfer), [1, 2, 3, 4]);
    transfer.receive(&Packet::Ack(4), now);
    assert_eq!(numbers(&mut transfer), [5, 6, 7, 8]);
    transfer.receive(&Packet::Ack(4), now);
    assert_eq!(numbers(&mut transfer), [5, 6, 7, 8]);
    transfer.receive(&Packet::Ack(8), now);
    assert_eq!(numbers(&mut transfer), [9, 10, 11, 12]);
    for _ in 0..4 {
        transfer.receive(&Packet::Ack(8), now);
        assert_eq!(
            numbers(&mut transfer),
            [0u16; 0],
            "the second copy of 5 to 8 was acknowledged"
        );
    }
}

#[test]
fn ack_of_unsent_block_is_ignored() {
    let now = Instant::now();
    let mut transfer = windowed(4, 100, now);
    assert_eq!(numbers(&mut transfer), [1, 2, 3, 4]);
    for number in [5, 99, 65_535, 40_000] {
        transfer.receive(&Packet::Ack(number), now);
        assert_eq!(numbers(&mut transfer), [0u16; 0]);
    }
    assert_eq!(transfer.bytes(), 0);
}

#[test]
fn block_number_rolls_over() {
    let now = Instant::now();
    let mut transfer = windowed(16, 200_000, now);
    let mut last = 0u16;
    while transfer.end().is_none() {
        for number in numbers(&mut transfer) {
            assert_eq!(number, last.wrapping_add(1));
            last = number;
        }
        transfer.receive(&Packet::Ack(last), now);
    }
    assert_eq!(transfer.end(), Some(&End::Complete));
    assert_eq!(transfer.bytes(), 200_000 * 512 - 1);
}

#[test]
fn silent_client_times_out_after_backoff() {
    let start = Instant::now();
    let mut transfer = windowed(2, 100, start);
    let mut waits = Vec::new();
    let mut now = start;
    while transfer.end().is_none() {
        assert_eq!(numbers(&mut transfer), [1, 2]);
        transfer.handle_timeout(transfer.deadline() - Duration::from_nanos(1));
        assert_eq!(numbers(&mut transfer), [0u16; 0], "not before the deadline");
        waits.push((transfer.deadline() - now).as_secs());
        now = transfer.deadline();
        transfer.handle_timeout(now);
    }
    assert_eq!(waits, [1, 2, 4, 8, 8, 8]);
    assert_eq!(transfer.end(), Some(&End::TimedOut));
}

#[test]
fn option_ack_is_repeated_until_acknowledged() {
    let now = Instant::now();
    let mut transfer = Transfer::new(terms(512, 4), &Bounds::default(), 5000, now);
    assert_eq!(numbers(&mut transfer), [u16::MAX]);
    transfer.receive(&Packet::Ack(7), now);
    assert_eq!(numbers(&mut transfer), [0u16; 0]);
    transfer.handle_timeout(now + SECOND);
    assert_eq!(numbers(&mut transfer), [u16::MAX]);
    transfer.receive(&Packet::Ack(0), now + SECOND);
    assert_eq!(numbers(&mut transfer), [1, 2, 3, 4]);
}

/// A client as in RFC 7440, which acknowledges a gap by its last block in order.
struct Client {
    window: u16,
    expected: u64,
    in_window: u16,
    received: u64,
    done: bool,
}

impl Client {
    fn receive(&mut self, send: Send, block: u16) -> Option<Packet<'static>> {
        let Send::Block {
            number,
            offset,
            len,
        } = send
        else {
            return (self.expected == 1).then_some(Packet::Ack(0));
        };
        if number != self.expected as u16 {
            self.in_window = 0;
            return Some(Packet::Ack((self.expected - 1) as u16));
        }
        assert_eq!(
            offset, self.received,
            "offset does not match the block number"
        );
        self.received += len as u64;
        self.expected += 1;
        self.in_window += 1;
        self.done = len < usize::from(block);
        if self.in_window == self.window || self.done {
            self.in_window = 0;
            return Some(Packet::Ack((self.expected - 1) as u16));
        }
        None
    }

    /// The client's own timeout.
    fn time_out(&mut self) -> Option<Packet<'static>> {
        self.in_window = 0;
        (self.expected > 1).then_some(Packet::Ack((self.expected - 1) as u16))
    }
}

/// Delivers a packet, or below `harm` loses, duplicates or reorders it, by a random byte.
fn deliver<T: Copy>(queue: &mut VecDeque<T>, packet: T, random: u8, harm: u8) {
    match random {
        random if random >= harm => queue.push_back(packet),
        random if random % 3 == 0 => {}
        random if random % 3 == 1 => queue.extend([packet, packet]),
        _ => queue.push_front(packet),
    }
}

fn run(size: u64, block: u16, window: u16, harm: u8, randoms: &[u8]) -> (Option<End>, u64, usize) {
    let bounds = Bounds {
        retries: 1000,
        ..Bounds::default()
    };
    let mut now = Instant::now();
    let mut transfer = Transfer::new(terms(block, window), &bounds, size, now);
    let mut client = Client {
        window,
        expected: 1,
        in_window: 0,
        received: 0,
        done: false,
    };
    let mut randoms = randoms.iter().cycle().copied();
    let mut random = move || randoms.next().unwrap_or(255);
    let (mut down, mut up) = (VecDeque::new(), VecDeque::new());
    let mut packets = 0;
    while transfer.end().is_none() && packets < 1_000_000 {
        while let Some(send) = transfer.next_send() {
            packets += 1;
            deliver(&mut down, send, random(), harm);
        }
        if let Some(send) = down.pop_front()
            && let Some(Packet::Ack(number)) = client.receive(send, block)
        {
            deliver(&mut up, number, random(), harm);
        }
        if let Some(number) = up.pop_front() {
            transfer.receive(&Packet::Ack(number), now);
        } else if down.is_empty() {
            if let Some(Packet::Ack(number)) = client.time_out() {
                deliver(&mut up, number, random(), harm);
            }
            now = transfer.deadline();
            transfer.handle_timeout(now);
        }
    }
    assert!(client.done || transfer.end() != Some(&End::Complete));
    (transfer.end().cloned(), client.received, packets)
}

proptest! {
    #[test]
    fn file_arrives_whole_over_bad_network(
        size in 0u64..60_000, block in 64u16..1500, window in 1u16..20,
        randoms in prop::collection::vec(any::<u8>(), 97..200),
    ) {
        prop_assume!(randoms.iter().filter(|random| **random >= 60).count() > 40);
        let (end, received, packets) = run(size, block, window, 60, &randoms);
        prop_assert_eq!(end, Some(End::Complete), "after {} packets", packets);
        prop_assert_eq!(received, size);
    }

    #[test]
    fn good_network_has_no_retransmission(size in 0u64..200_000, block in 8u16..1500, window in 1u16..64) {
        let (end, received, packets) = run(size, block, window, 0, &[0]);
        prop_assert_eq!(end, Some(End::Complete));
        prop_assert_eq!(received, size);
        prop_assert_eq!(packets as u64, size / u64::from(block) + 2, "options and each block once");
    }

    #[test]
    fn arbitrary_packets_do_not_panic(
        window in 1u16..64, packets in prop::collection::vec((0u8..4, any::<u16>(), 0u64..3), 0..200)
    ) {
        let mut now = Instant::now();
        let mut transfer = Transfer::new(terms(8, window), &Bounds::default(), 10_000, now);
        let request = crate::tftp::packet::Request {
            path: b"a", mode: Mode::Octet, options: Options::default(),
        };
        for (kind, number, seconds) in packets {
            prop_assert!(numbers(&mut transfer).len() <= usize::from(window));
            now += SECOND * seconds as u32;
            transfer.handle_timeout(now);
            transfer.receive(&match kind {
                0 => Packet::Data { block: number, bytes: b"x" },
                1 => Packet::Read(request),
                _ => Packet::Ack(number % 100),
            }, now);
        }
    }
}
