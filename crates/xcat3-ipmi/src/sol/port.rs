//! The BMC side of serial over LAN without I/O, for simulated BMCs: a machine's serial port at one end, a
//! console at the other.

use std::collections::VecDeque;
use std::time::Instant;

use super::flow::{Acknowledgement, Receiver, Segment, Sender};
use super::packet::{BmcPacket, ConsolePacket};

/// A machine's serial port.
#[derive(Debug)]
pub struct Port {
    sender: Sender,
    receiver: Receiver,
    /// Packet number of the last break, which a retransmission repeats.
    last_break: u8,
    outgoing: VecDeque<Vec<u8>>,
}

/// What a console sent to a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortInput {
    /// Characters.
    pub data: Vec<u8>,
    /// A break.
    pub is_break: bool,
}

impl Port {
    /// `max_payload` is the largest payload that the console accepts, in bytes.
    #[must_use]
    pub fn new(max_payload: u16) -> Self {
        Self {
            sender: Sender::new(max_payload),
            receiver: Receiver::default(),
            last_break: 0,
            outgoing: VecDeque::new(),
        }
    }

    /// Queues characters of the machine and returns how many fit.
    pub fn write(&mut self, characters: &[u8], now: Instant) -> usize {
        let count = self.sender.write(characters);
        self.send_next(now);
        count
    }

    /// How many more characters of the machine fit into the queue.
    #[must_use]
    pub fn room(&self) -> usize {
        self.sender.room()
    }

    /// Whether the console has acknowledged all characters of the machine.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.sender.is_flushed()
    }

    /// The next payload to send.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    /// When [`Port::expire`] has to be called, unless a payload arrives before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.sender.deadline()
    }

    /// Handles a payload of the console. A payload that is no packet is dropped.
    pub fn receive(&mut self, payload: &[u8], now: Instant) -> PortInput {
        self.receive_up_to(usize::MAX, payload, now)
    }

    /// Handles a payload when the machine accepts at most `room` characters: a packet with more is refused,
    /// and the console retransmits it.
    pub fn receive_up_to(&mut self, room: usize, payload: &[u8], now: Instant) -> PortInput {
        let Ok(packet) = ConsolePacket::decode(payload) else {
            return PortInput::default();
        };
        let input = self.on_segment(&packet, room);
        let acknowledgement = Acknowledgement {
            number: packet.acknowledged,
            accepted: packet.accepted,
            nack: packet.nack,
            unavailable: false,
        };
        self.sender.acknowledge(acknowledgement, now);
        self.send_next(now);
        input
    }

    /// Handles the passing of time: retransmits what was not acknowledged. Returns `false` if the console is
    /// gone.
    pub fn expire(&mut self, now: Instant) -> bool {
        if self.sender.is_exhausted(now) {
            self.sender.clear();
            return false;
        }
        if let Some(segment) = self.sender.retransmit(now) {
            self.outgoing.push_back(packet(segment).encode());
        }
        true
    }

    /// Notifies the console that serial over LAN was deactivated.
    pub fn deactivate(&mut self) {
        self.sender.clear();
        let last = BmcPacket {
            deactivated: true,
            ..BmcPacket::default()
        };
        self.outgoing.push_back(last.encode());
    }

    fn on_segment(&mut self, packet: &ConsolePacket, room: usize) -> PortInput {
        if packet.number == 0 {
            return PortInput::default();
        }
        if self.receiver.count_new(packet.number, &packet.data) > room {
            let refusal = BmcPacket {
                acknowledged: packet.number,
                nack: true,
                unavailable: true,
                ..BmcPacket::default()
            };
            self.outgoing.push_back(refusal.encode());
            return PortInput::default();
        }
        let is_break = packet.is_break && packet.number != self.last_break;
        self.last_break = if packet.is_break { packet.number } else { 0 };
        let acknowledgement = BmcPacket {
            acknowledged: packet.number,
            accepted: u8::try_from(packet.data.len()).unwrap_or(u8::MAX),
            ..BmcPacket::default()
        };
        self.outgoing.push_back(acknowledgement.encode());
        PortInput {
            data: self.receiver.accept(packet.number, &packet.data).to_vec(),
            is_break,
        }
    }

    fn send_next(&mut self, now: Instant) {
        if let Some(segment) = self.sender.next(now) {
            self.outgoing.push_back(packet(segment).encode());
        }
    }
}

fn packet(segment: &Segment) -> BmcPacket {
    BmcPacket {
        number: segment.number,
        is_break: segment.is_break,
        data: segment.data.clone(),
        ..BmcPacket::default()
    }
}
