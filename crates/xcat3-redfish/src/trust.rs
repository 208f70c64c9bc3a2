//! By what a BMC is known to be the right one: authorities, a pinned certificate, the certificate
//! that it showed the first time, or nothing at all where the operator says so.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of `certificate`, in DER.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

/// Lower-case hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As `openssl x509 -fingerprint -sha256` writes it, too: with colons, in capitals.
impl FromStr for Fingerprint {
    type Err = UnknownTrust;

    fn from_str(text: &str) -> Result<Self, UnknownTrust> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| UnknownTrust)?;
        Ok(Self(bytes))
    }
}

/// By what a BMC is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Its certificate is signed by an authority that is trusted, and for its name or address
    /// (`verify`).
    #[default]
    Authority,
    /// Its certificate is this one (`pin:SHA-256`).
    Pinned(Fingerprint),
    /// Its certificate is the one that it showed the first time (`first-use`).
    FirstUse,
    /// Whoever answers is believed (`insecure`).
    Insecure,
    /// Without TLS: whoever listens reads the password (`plain`).
    Plain,
}

/// The text names no way to know a BMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "use verify, pin:SHA-256 of the certificate (64 hexadecimal digits), first-use, insecure or plain"
)]
pub struct UnknownTrust;

impl FromStr for Trust {
    type Err = UnknownTrust;

    fn from_str(text: &str) -> Result<Self, UnknownTrust> {
        match text.split_once(':') {
            Some(("pin", fingerprint)) => Ok(Self::Pinned(fingerprint.parse()?)),
            Some(_) => Err(UnknownTrust),
            None => match text {
                "verify" => Ok(Self::Authority),
                "first-use" => Ok(Self::FirstUse),
                "insecure" => Ok(Self::Insecure),
                "plain" => Ok(Self::Plain),
                _ => Err(UnknownTrust),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_know_a_bmc_are_read_as_they_are_written() {
        let digits = "ab".repeat(32);
        let pinned: Trust = format!("pin:{digits}").parse().unwrap();
        assert_eq!(pinned, Trust::Pinned(Fingerprint([0xab; 32])));
        let colons = vec!["AB"; 32].join(":");
        assert_eq!(format!("pin:{colons}").parse(), Ok(pinned));
        assert_eq!("first-use".parse(), Ok(Trust::FirstUse));
        for wrong in ["", "pin", "pin:ab", "pin:zz", "none", "verify:x"] {
            assert_eq!(wrong.parse::<Trust>(), Err(UnknownTrust), "{wrong}");
        }
    }
}
