//! Cryptography of a handshake (IPMI v2.0, 13.28 to 13.32): authentication codes of the RAKP messages, keys
//! of the session, encryption of its payloads.

use std::fmt;

use aes::Aes128;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};

use crate::suite::{AuthCode, CipherSuite};

/// The longest password of IPMI v2.0, in bytes.
pub const MAX_PASSWORD: usize = 20;
/// The longest user name, in bytes.
pub const MAX_USER_NAME: usize = 16;
/// Length of an AES block and of an initialisation vector, in bytes.
pub(crate) const BLOCK: usize = 16;
/// Length of the constants from which keys are derived, in bytes.
const CONSTANT: usize = 20;

/// A password or BMC key, padded with zeros for the HMAC. Its debug form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; MAX_PASSWORD]);

impl Secret {
    /// The secret with these bytes; `None` if there are more than [`MAX_PASSWORD`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut padded = [0; MAX_PASSWORD];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self(padded))
    }

    /// Whether the secret is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; MAX_PASSWORD]
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The values that both sides exchange before the session has keys. The console opens the session, the BMC
/// is the managed system.
#[derive(Clone, Debug)]
pub(crate) struct KeyExchange {
    pub(crate) suite: CipherSuite,
    pub(crate) console_session: u32,
    pub(crate) bmc_session: u32,
    pub(crate) console_random: [u8; 16],
    pub(crate) bmc_random: [u8; 16],
    pub(crate) guid: [u8; 16],
    /// Requested privilege level, with the bit for look-up by name only.
    pub(crate) role: u8,
    pub(crate) user: Vec<u8>,
}

impl KeyExchange {
    fn name_length(&self) -> [u8; 2] {
        // Both ends limit user names to 16 bytes.
        let length = u8::try_from(self.user.len()).unwrap_or(u8::MAX);
        [self.role, length]
    }

    /// Key exchange authentication code of RAKP message 2 (13.31).
    pub(crate) fn rakp2_code(&self, password: &Secret) -> AuthCode {
        let parts: [&[u8]; 7] = [
            &self.console_session.to_le_bytes(),
            &self.bmc_session.to_le_bytes(),
            &self.console_random,
            &self.bmc_random,
            &self.guid,
            &self.name_length(),
            &self.user,
        ];
        self.suite.code(&password.0, &parts)
    }

    /// Key exchange authentication code of RAKP message 3.
    pub(crate) fn rakp3_code(&self, password: &Secret) -> AuthCode {
        let parts: [&[u8]; 4] = [
            &self.bmc_random,
            &self.console_session.to_le_bytes(),
            &self.name_length(),
            &self.user,
        ];
        self.suite.code(&password.0, &parts)
    }

    /// Derives the session keys from the BMC key or, if the BMC has none, the password.
    pub(crate) fn keys(&self, bmc_key: &Secret) -> SessionKeys {
        let derived = self.derive(bmc_key);
        let mut cipher_key = [0; BLOCK];
        cipher_key.copy_from_slice(&derived.cipher.as_bytes()[..BLOCK]);
        SessionKeys {
            suite: self.suite,
            session: derived.session,
            packet: derived.packet,
            cipher: cipher_key,
        }
    }

    fn derive(&self, bmc_key: &Secret) -> Derived {
        let parts: [&[u8]; 4] = [
            &self.console_random,
            &self.bmc_random,
            &self.name_length(),
            &self.user,
        ];
        let session = self.suite.code(&bmc_key.0, &parts);
        let derived = |number: u8| {
            let constant = [number; CONSTANT];
            self.suite.code(session.as_bytes(), &[&constant])
        };
        Derived {
            session,
            packet: derived(1),
            cipher: derived(2),
        }
    }

    /// Integrity check value of RAKP message 4.
    pub(crate) fn rakp4_code(&self, keys: &SessionKeys) -> AuthCode {
        let parts: [&[u8]; 3] = [
            &self.console_random,
            &self.bmc_session.to_le_bytes(),
            &self.guid,
        ];
        let code = self.suite.code(keys.session.as_bytes(), &parts);
        code.truncated(self.suite.integrity_length())
    }
}

/// SIK, K1 and K2 in full length.
struct Derived {
    session: AuthCode,
    packet: AuthCode,
    cipher: AuthCode,
}

/// The keys of a session: SIK, K1 and the first bytes of K2. The debug form does not show them.
#[derive(Clone)]
pub(crate) struct SessionKeys {
    pub(crate) suite: CipherSuite,
    session: AuthCode,
    packet: AuthCode,
    cipher: [u8; BLOCK],
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKeys({:?}, …)", self.suite)
    }
}

impl SessionKeys {
    /// Authentication code of a packet with these bytes.
    pub(crate) fn packet_code(&self, bytes: &[u8]) -> AuthCode {
        let code = self.suite.code(self.packet.as_bytes(), &[bytes]);
        code.truncated(self.suite.integrity_length())
    }

    /// Encrypts `payload` and appends it (13.29): the initialisation vector, then the blocks. The padding is
    /// 1, 2, 3 … and its length.
    pub(crate) fn encrypt(&self, payload: &[u8], vector: [u8; BLOCK], output: &mut Vec<u8>) {
        let mut plain = payload.to_vec();
        let padding = BLOCK - 1 - payload.len() % BLOCK;
        plain.extend((1..).take(padding));
        plain.push(u8::try_from(padding).unwrap_or_default());
        let length = plain.len();
        let encryptor = cbc::Encryptor::<Aes128>::new(&self.cipher.into(), &vector.into());
        output.extend_from_slice(&vector);
        if let Ok(cipher) = encryptor.encrypt_padded::<NoPadding>(&mut plain, length) {
            output.extend_from_slice(cipher);
        }
    }

    /// Decrypts a payload; `None` if its length or padding is impossible.
    pub(crate) fn decrypt(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (vector, cipher) = bytes.split_first_chunk::<BLOCK>()?;
        if cipher.is_empty() || cipher.len() % BLOCK != 0 {
            return None;
        }
        let mut plain = cipher.to_vec();
        let decryptor = cbc::Decryptor::<Aes128>::new(&self.cipher.into(), vector.into());
        decryptor.decrypt_padded::<NoPadding>(&mut plain).ok()?;
        let padding = usize::from(plain.pop()?);
        let payload = plain.len().checked_sub(padding)?;
        // Only the length of the padding is checked: some BMCs pad with other bytes than the specification
        // says, and the packet's authentication code covers the padding.
        plain.truncate(payload);
        Some(plain)
    }
}

#[cfg(test)]
mod vectors;
