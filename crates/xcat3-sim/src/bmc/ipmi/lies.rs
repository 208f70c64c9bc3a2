//! Answers that are not so, for clients to be tried with: of another session, with wrong lengths in the
//! inventory and the sensor data records. What they are made of is an honest answer.

use xcat3_ipmi::Request;

/// Where the session's number stands in a datagram (13.6).
const SESSION: usize = 6;
/// Where it stands in the payload of a handshake (13.18, 13.21, 13.23), seen from the datagram's begin.
const HANDSHAKE: usize = 20;
/// Payload types from this one on are those of handshakes.
const FIRST_OF_HANDSHAKE: u8 = 0x10;

/// Lies of a BMC. Which one it tells follows from the machine's number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lies {
    pub(super) fru: bool,
    pub(super) sdr: bool,
}

/// Makes the answer one to another session.
pub(super) fn other_session(datagram: &mut [u8]) {
    let kind = datagram.get(5).map_or(0, |kind| kind & 0x3f);
    let place = if kind >= FIRST_OF_HANDSHAKE {
        HANDSHAKE
    } else {
        SESSION
    };
    if let Some(byte) = datagram.get_mut(place) {
        *byte ^= 0x5a;
    }
}

impl Lies {
    /// What is told in the place of the data that answers the request.
    pub(super) fn told(self, index: usize, request: &Request, data: Vec<u8>) -> Vec<u8> {
        let number = (request.command.function, request.command.number);
        match number {
            (0x0a, 0x10 | 0x11) if self.fru => fru(index, request, data),
            (0x0a, 0x20 | 0x23) if self.sdr => sdr(index, request, data),
            _ => data,
        }
    }
}

/// In turn: the inventory is larger than it is, an area is, a field is, an answer is.
fn fru(index: usize, request: &Request, mut data: Vec<u8>) -> Vec<u8> {
    match (index % 4, request.command.number, &*request.data) {
        (0, 0x10, _) => data[..2].fill(0xff),
        // The chassis area stands behind the header, its first field at its third byte.
        (1, 0x11, [_, low, high, _]) => put(&mut data[1..], [*low, *high], 9, 0xff),
        (2, 0x11, [_, low, high, _]) => put(&mut data[1..], [*low, *high], 11, 0xff),
        (3, 0x11, _) => data[0] = 0xff,
        _ => {}
    }
    data
}

/// In turn: a record is longer than it is, empty, its name is longer, and it is followed by itself with
/// 65,535 records in all.
fn sdr(index: usize, request: &Request, mut data: Vec<u8>) -> Vec<u8> {
    match (index % 4, request.command.number, &*request.data) {
        (0, 0x23, [.., from, _]) => put(&mut data[2..], [*from, 0], 4, 0xff),
        (1, 0x23, [.., from, _]) => put(&mut data[2..], [*from, 0], 4, 0),
        (2, 0x23, [.., from, _]) => put(&mut data[2..], [*from, 0], 47, 0xdf),
        (3, 0x20, _) => data[1..3].fill(0xff),
        (3, 0x23, [_, _, low, high, ..]) => {
            let id = u16::from_le_bytes([*low, *high]).max(1);
            data[..2].copy_from_slice(&id.to_le_bytes());
        }
        _ => {}
    }
    data
}

/// Puts a byte at a place of the whole, where the part that begins at `from` has it.
fn put(part: &mut [u8], from: [u8; 2], place: usize, byte: u8) {
    let place = place.checked_sub(usize::from(u16::from_le_bytes(from)));
    if let Some(had) = place.and_then(|place| part.get_mut(place)) {
        *had = byte;
    }
}
