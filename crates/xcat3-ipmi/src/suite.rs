//! Cipher suites (IPMI v2.0, 22.15.2): the algorithms for authentication, integrity and confidentiality of
//! a session.
//!
//! xcat3 speaks suite 3, which every BMC has, and suite 17. Suites without encryption or integrity are left
//! out: no password and no power command may cross the network in clear.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// A cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CipherSuite {
    /// 3: RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128.
    Sha1,
    /// 17: RAKP-HMAC-SHA256, HMAC-SHA256-128, AES-CBC-128.
    Sha256,
}

/// An HMAC: 20 or 32 bytes, or the first of them for shorter fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AuthCode {
    bytes: [u8; 32],
    length: usize,
}

impl CipherSuite {
    /// All suites, the stronger one first.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha1];

    /// The number of the suite.
    #[must_use]
    pub fn id(self) -> u8 {
        match self {
            Self::Sha1 => 3,
            Self::Sha256 => 17,
        }
    }

    /// The suite with this number.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.id() == id)
    }

    /// The numbers of the algorithms for authentication, integrity and confidentiality (13.28).
    pub(crate) fn algorithms(self) -> [u8; 3] {
        match self {
            Self::Sha1 => [1, 1, 1],
            Self::Sha256 => [3, 4, 1],
        }
    }

    /// The suite with these algorithms.
    pub(crate) fn from_algorithms(algorithms: [u8; 3]) -> Option<Self> {
        let has = |suite: &Self| suite.algorithms() == algorithms;
        Self::ALL.into_iter().find(has)
    }

    /// Length of a key exchange authentication code, in bytes.
    pub(crate) fn code_length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Length of a packet's authentication code, in bytes.
    pub(crate) fn integrity_length(self) -> usize {
        match self {
            Self::Sha1 => 12,
            Self::Sha256 => 16,
        }
    }

    /// The HMAC of the concatenated `parts`.
    pub(crate) fn code(self, key: &[u8], parts: &[&[u8]]) -> AuthCode {
        let mut code = AuthCode {
            bytes: [0; 32],
            length: self.code_length(),
        };
        match self {
            Self::Sha1 => hmac::<Hmac<Sha1>>(key, parts, &mut code),
            Self::Sha256 => hmac::<Hmac<Sha256>>(key, parts, &mut code),
        }
        code
    }
}

fn hmac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], code: &mut AuthCode) {
    // An HMAC accepts keys of every length.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else {
        return;
    };
    parts.iter().for_each(|part| mac.update(part));
    code.fill(&mac.finalize().into_bytes());
}

impl AuthCode {
    fn fill(&mut self, bytes: &[u8]) {
        let length = bytes.len().min(self.bytes.len());
        self.bytes[..length].copy_from_slice(&bytes[..length]);
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The first `length` bytes of the code.
    pub(crate) fn truncated(mut self, length: usize) -> Self {
        self.length = self.length.min(length);
        self
    }

    /// Compares in constant time.
    pub(crate) fn matches(&self, other: &[u8]) -> bool {
        let own = self.as_bytes();
        let differing = own.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
        own.len() == other.len() && std::hint::black_box(differing) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202, test case 2, and RFC 4231, test case 2.
    #[test]
    fn code_over_parts_is_hmac() {
        let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
        let sha1 = CipherSuite::Sha1.code(b"Jefe", &parts);
        let sha256 = CipherSuite::Sha256.code(b"Jefe", &parts);
        assert_eq!(
            hex::encode(sha1.as_bytes()),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        assert_eq!(
            hex::encode(sha256.as_bytes()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn code_with_changed_byte_does_not_match() {
        let code = CipherSuite::Sha1.code(b"key", &[b"text"]);
        let mut other = code.as_bytes().to_vec();
        assert!(code.matches(&other));
        assert!(!code.matches(&other[..19]));
        other[19] ^= 1;
        assert!(!code.matches(&other));
        assert!(code.truncated(12).matches(&other[..12]));
    }
}
