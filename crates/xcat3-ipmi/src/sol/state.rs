//! The console side of serial over LAN without I/O (IPMI v2.0, 15.11).

use std::collections::VecDeque;
use std::time::Instant;

use super::flow::{Acknowledgement, Receiver, Segment, Sender};
use super::packet::{BmcPacket, ConsolePacket};

/// What happened on a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SolEvent {
    /// Characters of the machine.
    Data(Vec<u8>),
    /// The BMC lost characters of the machine because its buffer was full.
    Overrun,
    /// The machine sent a break.
    Break,
    /// The console is closed. This is the last event.
    Closed(CloseReason),
}

/// Why a console is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The BMC deactivated serial over LAN.
    #[error("the BMC deactivated the console: another session took it, or the BMC restarted")]
    Deactivated,
    /// The BMC does not acknowledge packets.
    #[error("the BMC no longer acknowledges what is typed")]
    Unacknowledged,
}

/// A console without I/O.
#[derive(Debug)]
pub struct Sol {
    sender: Sender,
    receiver: Receiver,
    outgoing: VecDeque<Vec<u8>>,
    events: VecDeque<SolEvent>,
    closed: bool,
}

impl Sol {
    /// `max_payload` is the largest payload that the BMC accepts, in bytes.
    #[must_use]
    pub fn new(max_payload: u16) -> Self {
        Self {
            sender: Sender::new(max_payload),
            receiver: Receiver::default(),
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
            closed: false,
        }
    }

    /// Queues characters for the machine and returns how many fit: at most
    /// [`MAX_QUEUED`](super::MAX_QUEUED) characters are queued.
    pub fn write(&mut self, characters: &[u8], now: Instant) -> usize {
        if self.closed {
            return 0;
        }
        let count = self.sender.write(characters);
        self.send_next(now);
        count
    }

    /// Sends the machine a break after the outstanding segment.
    pub fn send_break(&mut self, now: Instant) {
        if !self.closed {
            self.sender.send_break();
            self.send_next(now);
        }
    }

    /// Whether the BMC has acknowledged everything that was written.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.sender.is_flushed()
    }

    /// The next payload to send.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    /// The next event.
    pub fn event(&mut self) -> Option<SolEvent> {
        self.events.pop_front()
    }

    /// When [`Sol::expire`] has to be called, unless a payload arrives before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.sender.deadline()
    }

    /// Handles a payload of the BMC. A payload that is no packet is dropped; the BMC retransmits it.
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
            self.on_segment(&packet);
        }
        if packet.deactivated {
            return self.close(CloseReason::Deactivated);
        }
        let acknowledgement = Acknowledgement {
            number: packet.acknowledged,
            accepted: packet.accepted,
            nack: packet.nack,
            unavailable: packet.unavailable,
        };
        self.sender.acknowledge(acknowledgement, now);
        self.send_next(now);
    }

    /// Handles the passing of time: retransmits what was not acknowledged, or closes the console.
    pub fn expire(&mut self, now: Instant) {
        if self.sender.is_exhausted(now) {
            self.close(CloseReason::Unacknowledged);
        } else if let Some(segment) = self.sender.retransmit(now) {
            self.outgoing.push_back(packet(segment).encode());
        }
    }

    /// Acknowledges a segment and delivers its new characters.
    fn on_segment(&mut self, packet: &BmcPacket) {
        let new = self.receiver.accept(packet.number, &packet.data);
        if !new.is_empty() {
            self.events.push_back(SolEvent::Data(new.to_vec()));
        }
        let acknowledgement = ConsolePacket {
            acknowledged: packet.number,
            accepted: u8::try_from(packet.data.len()).unwrap_or(u8::MAX),
            ..ConsolePacket::default()
        };
        self.outgoing.push_back(acknowledgement.encode());
    }

    fn send_next(&mut self, now: Instant) {
        if let Some(segment) = self.sender.next(now) {
            self.outgoing.push_back(packet(segment).encode());
        }
    }

    fn close(&mut self, reason: CloseReason) {
        self.closed = true;
        self.sender.clear();
        self.events.push_back(SolEvent::Closed(reason));
    }
}

fn packet(segment: &Segment) -> ConsolePacket {
    ConsolePacket {
        number: segment.number,
        is_break: segment.is_break,
        data: segment.data.clone(),
        ..ConsolePacket::default()
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
