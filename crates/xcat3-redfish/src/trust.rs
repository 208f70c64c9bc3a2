//! How the certificate of a BMC is checked: by authorities, by a pin, on first use, or not at all if
//! the operator says so.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of `certificate`, in DER.
    #[must_use]
    pub fn from_certificate(certificate: &[u8]) -> Self {
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

/// Also takes the form of `openssl x509 -fingerprint -sha256`: capitals and colons.
impl FromStr for Fingerprint {
    type Err = ParseTrustError;

    fn from_str(text: &str) -> Result<Self, ParseTrustError> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| ParseTrustError)?;
        Ok(Self(bytes))
    }
}

/// How the certificate of a BMC is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// A trusted authority must have signed it for the BMC's name or address (`verify`).
    #[default]
    Authority,
    /// It must be this one (`pin:SHA-256`).
    Pinned(Fingerprint),
    /// It must be the one that the BMC showed first (`first-use`).
    FirstUse,
    /// Any certificate is accepted (`insecure`).
    Insecure,
    /// There is no TLS: the password can be read on the network (`plain`).
    Plain,
}

/// The text is not a way to check a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "use verify, pin:SHA-256 of the certificate (64 hexadecimal digits), first-use, insecure or plain"
)]
pub struct ParseTrustError;

impl Trust {
    /// The usual port of HTTP or HTTPS.
    pub(crate) fn usual_port(self) -> u16 {
        match self {
            Self::Plain => 80,
            _ => 443,
        }
    }
}

impl FromStr for Trust {
    type Err = ParseTrustError;

    fn from_str(text: &str) -> Result<Self, ParseTrustError> {
        match text.split_once(':') {
            Some(("pin", fingerprint)) => Ok(Self::Pinned(fingerprint.parse()?)),
            Some(_) => Err(ParseTrustError),
            None => match text {
                "verify" => Ok(Self::Authority),
                "first-use" => Ok(Self::FirstUse),
                "insecure" => Ok(Self::Insecure),
                "plain" => Ok(Self::Plain),
                _ => Err(ParseTrustError),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_in_each_form_is_parsed() {
        let digits = "ab".repeat(32);
        let pinned: Trust = format!("pin:{digits}").parse().unwrap();
        assert_eq!(pinned, Trust::Pinned(Fingerprint([0xab; 32])));
        let colons = vec!["AB"; 32].join(":");
        assert_eq!(format!("pin:{colons}").parse(), Ok(pinned));
        assert_eq!("first-use".parse(), Ok(Trust::FirstUse));
        for wrong in ["", "pin", "pin:ab", "pin:zz", "none", "verify:x"] {
            assert_eq!(wrong.parse::<Trust>(), Err(ParseTrustError), "{wrong}");
        }
    }
}
