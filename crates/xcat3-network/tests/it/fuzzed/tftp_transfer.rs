//! The state of a TFTP transfer: a client that sends anything at any time, and then behaves.
//!
//! The script begins with block size, window and file size (two bytes each); then each step has four
//! bytes: operation, number (two bytes), time.

use std::time::{Duration, Instant};

use xcat3_network::tftp::Bounds;
use xcat3_network::tftp::packet::{Options, Packet};
use xcat3_network::tftp::transfer::{End, Send, Terms, Transfer};

struct Run {
    transfer: Transfer,
    terms: Terms,
    size: u64,
    now: Instant,
    /// The last block that was sent, and bytes that were acknowledged.
    highest: u64,
    acknowledged: u64,
}

/// Runs a script.
pub fn run(script: &[u8]) {
    let Some((header, steps)) = script.split_first_chunk::<6>() else {
        return;
    };
    let number = |index: usize| u16::from_be_bytes([header[index], header[index + 1]]);
    let requested = Options {
        block_size: Some(u64::from(number(0))),
        window_size: Some(u64::from(number(2))),
        ..Options::default()
    };
    let (bounds, size) = (Bounds::default(), u64::from(number(4)));
    let terms = Terms::negotiate(&requested, &bounds, Some(size));
    let now = Instant::now();
    let mut run = Run {
        transfer: Transfer::new(terms, &bounds, size, now),
        terms,
        size,
        now,
        highest: 0,
        acknowledged: 0,
    };
    for [operation, high, low, wait] in steps.as_chunks::<4>().0.iter().take(500) {
        run.drain();
        run.now += Duration::from_millis(u64::from(*wait) * 10);
        run.transfer.handle_timeout(run.now);
        let number = u16::from_be_bytes([*high, *low]);
        let packet = match operation % 8 {
            0 => Packet::Data {
                block: number,
                bytes: b"x",
            },
            1 if number == 7 => Packet::error(number, "enough"),
            2 => Packet::Ack(number),
            3 => Packet::OptionAck(Options::default()),
            // Mostly numbers near the current block, which matter.
            _ => Packet::Ack((run.highest as u16).wrapping_sub(number % 70)),
        };
        run.transfer.receive(&packet, run.now);
        run.check();
    }
    run.finish(&bounds);
}

impl Run {
    /// Reads all packets that the transfer sends now.
    fn drain(&mut self) {
        let mut sent = 0;
        while let Some(send) = self.transfer.next_send() {
            sent += 1;
            assert!(sent <= self.terms.window, "more than a window at once");
            let Send::Block {
                number,
                offset,
                len,
            } = send
            else {
                continue;
            };
            let block = u64::from(self.terms.block);
            let index = offset / block + 1;
            assert_eq!(offset % block, 0);
            assert_eq!(number, index as u16);
            assert_eq!(len as u64, (self.size - offset).min(block));
            self.highest = self.highest.max(index);
        }
    }

    fn check(&mut self) {
        let bytes = self.transfer.bytes();
        assert!((self.acknowledged..=self.size).contains(&bytes));
        self.acknowledged = bytes;
        if self.transfer.end() == Some(&End::Complete) {
            assert_eq!(bytes, self.size);
        }
        if self.transfer.end().is_some() {
            assert_eq!(self.transfer.next_send(), None);
        }
    }

    /// The client acknowledges the last block of each window, then falls silent.
    fn finish(&mut self, bounds: &Bounds) {
        let blocks = self.size / u64::from(self.terms.block) + 1;
        for _ in 0..2 * blocks + 4 {
            self.drain();
            let last = self.highest as u16;
            self.transfer.receive(&Packet::Ack(last), self.now);
            self.check();
        }
        for _ in 0..=bounds.retries {
            self.drain();
            self.now = self.transfer.deadline();
            self.transfer.handle_timeout(self.now);
        }
        assert!(self.transfer.end().is_some(), "the transfer never ends");
    }
}
