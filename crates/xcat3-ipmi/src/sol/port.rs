//! The protocol as a BMC sees it, for simulators: a machine's serial port on one side, a console on the
//! other.

use std::collections::VecDeque;
use std::time::Instant;

use super::flow::{Acknowledged, Piece, Receiver, Sender};
use super::packet::{BmcPacket, ConsolePacket};

/// A machine's serial port without any I/O.
#[derive(Debug)]
pub struct Port {
    sender: Sender,
    receiver: Receiver,
    /// Number of the last break, so that one that comes again is not told again.
    last_break: u8,
    out: VecDeque<Vec<u8>>,
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
    /// A port of a console that takes payloads of so many bytes.
    #[must_use]
    pub fn new(largest_payload: u16) -> Self {
        Self {
            sender: Sender::new(largest_payload),
            receiver: Receiver::default(),
            last_break: 0,
            out: VecDeque::new(),
        }
    }

    /// Takes what the machine says; gives how many characters there was room for.
    pub fn write(&mut self, characters: &[u8], now: Instant) -> usize {
        let taken = self.sender.write(characters);
        self.send_next(now);
        taken
    }

    /// How many characters of the machine there is room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.sender.room()
    }

    /// Whether everything that the machine said has reached the console.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.sender.is_flushed()
    }

    /// The next payload to send.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    /// When [`Port::expire`] is to be called, unless something comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.sender.deadline()
    }

    /// Takes a payload that came from the console; what is no packet is dropped.
    pub fn receive(&mut self, payload: &[u8], now: Instant) -> PortInput {
        self.receive_up_to(usize::MAX, payload, now)
    }

    /// The same where the machine takes only so many characters: a packet of more is refused, and the
    /// console sends it again.
    pub fn receive_up_to(&mut self, room: usize, payload: &[u8], now: Instant) -> PortInput {
        let Ok(packet) = ConsolePacket::decode(payload) else {
            return PortInput::default();
        };
        let typed = self.take(&packet, room);
        let answer = Acknowledged {
            number: packet.acknowledged,
            accepted: packet.accepted,
            nack: packet.nack,
            unavailable: false,
        };
        self.sender.acknowledged(answer, now);
        self.send_next(now);
        typed
    }

    /// The time is `now`: what was not acknowledged is sent again. `false` where the console is gone.
    pub fn expire(&mut self, now: Instant) -> bool {
        if self.sender.is_given_up(now) {
            self.sender.clear();
            return false;
        }
        if let Some(piece) = self.sender.again(now) {
            self.out.push_back(packet(piece).encode());
        }
        true
    }

    /// Tells the console that it is over.
    pub fn deactivate(&mut self) {
        self.sender.clear();
        let last = BmcPacket {
            deactivated: true,
            ..BmcPacket::default()
        };
        self.out.push_back(last.encode());
    }

    fn take(&mut self, packet: &ConsolePacket, room: usize) -> PortInput {
        if packet.number == 0 {
            return PortInput::default();
        }
        if self.receiver.count_fresh(packet.number, &packet.data) > room {
            let refused = BmcPacket {
                acknowledged: packet.number,
                nack: true,
                unavailable: true,
                ..BmcPacket::default()
            };
            self.out.push_back(refused.encode());
            return PortInput::default();
        }
        let is_break = packet.is_break && packet.number != self.last_break;
        self.last_break = if packet.is_break { packet.number } else { 0 };
        let acknowledgement = BmcPacket {
            acknowledged: packet.number,
            accepted: u8::try_from(packet.data.len()).unwrap_or(u8::MAX),
            ..BmcPacket::default()
        };
        self.out.push_back(acknowledgement.encode());
        PortInput {
            data: self.receiver.fresh(packet.number, &packet.data).to_vec(),
            is_break,
        }
    }

    fn send_next(&mut self, now: Instant) {
        if let Some(piece) = self.sender.next(now) {
            self.out.push_back(packet(piece).encode());
        }
    }
}

fn packet(piece: &Piece) -> BmcPacket {
    BmcPacket {
        number: piece.number,
        is_break: piece.is_break,
        data: piece.data.clone(),
        ..BmcPacket::default()
    }
}
