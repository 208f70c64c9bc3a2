//! The protocol as its console sees it (IPMI v2.0, 15.11): one packet of characters is under way each
//! way, is acknowledged, and repeated until it is.

use std::collections::VecDeque;
use std::time::Instant;

use super::flow::{Acknowledged, Piece, Receiver, Sender};
use super::packet::{BmcPacket, ConsolePacket};

/// What comes of a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SolEvent {
    /// Characters of the machine.
    Data(Vec<u8>),
    /// The machine sent more than the BMC could keep: some was lost.
    Overrun,
    /// The machine sent a break.
    Break,
    /// Nothing comes any more.
    Closed(Closed),
}

/// Why a console is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The BMC ended it: another console took it, or the BMC was reset.
    #[error("the BMC ended serial over LAN: another console took it, or it was reset")]
    Deactivated,
    /// The BMC does not acknowledge what is sent.
    #[error("the BMC does not acknowledge what is typed")]
    Unacknowledged,
}

/// A console without any I/O.
#[derive(Debug)]
pub struct Sol {
    sender: Sender,
    receiver: Receiver,
    out: VecDeque<Vec<u8>>,
    events: VecDeque<SolEvent>,
    closed: bool,
}

impl Sol {
    /// A console of a BMC that takes payloads of so many bytes ([`Activation`](super::Activation)).
    #[must_use]
    pub fn new(largest_payload: u16) -> Self {
        Self {
            sender: Sender::new(largest_payload),
            receiver: Receiver::default(),
            out: VecDeque::new(),
            events: VecDeque::new(),
            closed: false,
        }
    }

    /// Takes characters for the machine; gives how many: no more than
    /// [`MOST_WAITING`](super::MOST_WAITING) wait.
    pub fn write(&mut self, characters: &[u8], now: Instant) -> usize {
        if self.closed {
            return 0;
        }
        let taken = self.sender.write(characters);
        self.send_next(now);
        taken
    }

    /// Sends the machine a break, after what is under way.
    pub fn send_break(&mut self, now: Instant) {
        if !self.closed {
            self.sender.send_break();
            self.send_next(now);
        }
    }

    /// Whether everything that was written has reached the BMC.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.sender.is_flushed()
    }

    /// The next payload to send.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    /// The next event.
    pub fn event(&mut self) -> Option<SolEvent> {
        self.events.pop_front()
    }

    /// When [`Sol::expire`] is to be called, unless something comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.sender.deadline()
    }

    /// Takes a payload that came from the BMC. One that is no packet is dropped: the BMC repeats it.
    pub fn receive(&mut self, payload: &[u8], now: Instant) {
        let Ok(packet) = BmcPacket::decode(payload) else {
            return;
        };
        if self.closed {
            return;
        }
        if packet.is_break {
            self.events.push_back(SolEvent::Break);
        }
        if packet.overrun {
            self.events.push_back(SolEvent::Overrun);
        }
        if packet.number != 0 {
            self.take(&packet);
        }
        if packet.deactivated {
            return self.close(Closed::Deactivated);
        }
        let answer = Acknowledged {
            number: packet.acknowledged,
            accepted: packet.accepted,
            nack: packet.nack,
            unavailable: packet.unavailable,
        };
        self.sender.acknowledged(answer, now);
        self.send_next(now);
    }

    /// The time is `now`: what was not acknowledged is sent again, or given up.
    pub fn expire(&mut self, now: Instant) {
        if self.sender.is_given_up(now) {
            self.close(Closed::Unacknowledged);
        } else if let Some(piece) = self.sender.again(now) {
            self.out.push_back(packet(piece).encode());
        }
    }

    /// Characters of the machine, and an acknowledgement.
    fn take(&mut self, packet: &BmcPacket) {
        let fresh = self.receiver.fresh(packet.number, &packet.data);
        if !fresh.is_empty() {
            self.events.push_back(SolEvent::Data(fresh.to_vec()));
        }
        let acknowledgement = ConsolePacket {
            acknowledged: packet.number,
            accepted: u8::try_from(packet.data.len()).unwrap_or(u8::MAX),
            ..ConsolePacket::default()
        };
        self.out.push_back(acknowledgement.encode());
    }

    fn send_next(&mut self, now: Instant) {
        if let Some(piece) = self.sender.next(now) {
            self.out.push_back(packet(piece).encode());
        }
    }

    fn close(&mut self, why: Closed) {
        self.closed = true;
        self.sender.clear();
        self.events.push_back(SolEvent::Closed(why));
    }
}

fn packet(piece: &Piece) -> ConsolePacket {
    ConsolePacket {
        number: piece.number,
        is_break: piece.is_break,
        data: piece.data.clone(),
        ..ConsolePacket::default()
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
