//! The fuzzer's bytes as the script of a conversation, a repeatable random number generator, and both ends of
//! the conversation.

use std::cell::Cell;
use std::time::Instant;

use xcat3_ipmi::bmc::{Sessions, Setup, User};
use xcat3_ipmi::{CipherSuite, Credentials, Privilege, RetryPolicy, Secret, Session};

/// Session slots of the BMC.
pub const SLOTS: usize = 3;
/// The console's number for its session.
pub const NUMBER: u32 = 0xa0a1_a2a3;

/// The remaining bytes.
pub struct Script<'a>(pub &'a [u8]);

impl<'a> Script<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next bytes: a length byte and at most as many bytes.
    pub fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte().unwrap_or(0)).min(self.0.len());
        let (first, rest) = self.0.split_at(length);
        self.0 = rest;
        first
    }

    /// One of `recorded`.
    pub fn one_of<'b>(&mut self, recorded: &'b [Vec<u8>]) -> Option<&'b [u8]> {
        let index = usize::from(self.byte()?);
        recorded
            .get(index % recorded.len().max(1))
            .map(Vec::as_slice)
    }

    /// `datagram` with one changed byte.
    pub fn damaged(&mut self, datagram: &[u8]) -> Vec<u8> {
        let (index, change) = (self.byte().unwrap_or(0), self.byte().unwrap_or(0));
        let mut datagram = datagram.to_vec();
        let length = datagram.len().max(1);
        if let Some(byte) = datagram.get_mut(usize::from(index) % length) {
            *byte ^= change;
        }
        datagram
    }

    /// The beginning of `datagram`, or all of it.
    pub fn cut<'b>(&mut self, datagram: &'b [u8]) -> &'b [u8] {
        let length = usize::from(self.byte().unwrap_or(0));
        datagram.get(..length).unwrap_or(datagram)
    }
}

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// Restarts the random numbers.
pub fn reseed() {
    STATE.set(0x5eed);
}

/// Repeatable random numbers (splitmix64).
pub fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    for half in bytes.chunks_exact_mut(8) {
        STATE.set(STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = STATE.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        half.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    bytes
}

fn secret() -> Secret {
    Secret::new(b"secret").unwrap()
}

/// A new session.
pub fn console(now: Instant) -> Session {
    let credentials = Credentials {
        user: b"admin".to_vec(),
        password: secret(),
        bmc_key: None,
        privilege: Privilege::Administrator,
    };
    let retry = RetryPolicy::default();
    Session::begin(credentials, &CipherSuite::ALL, NUMBER, retry, random, now)
}

/// A BMC with the console's user.
pub fn bmc() -> Sessions {
    let user = User {
        name: b"admin".to_vec(),
        password: secret(),
        level: 4,
    };
    let setup = Setup {
        users: vec![user],
        bmc_key: None,
        guid: [7; 16],
        suites: CipherSuite::ALL.to_vec(),
        slots: SLOTS,
    };
    Sessions::new(setup, random)
}
