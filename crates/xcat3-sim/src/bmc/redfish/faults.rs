//! Faults of the Redfish face: what can be wrong with a BMC's HTTP server, for a share of the machines
//! and of their requests. Which machines have a fault follows from their number, so that a second run
//! has the same ones.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::bmc::notation::{self, Written};

/// How large a document is that is too large for any client.
const HUGE: u64 = 100_000_000;

/// One fault.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The connection is taken and nothing ever comes back.
    BlackHole,
    /// The connection is reset as soon as it is taken.
    Refuse,
    /// The connection is reset instead of an answer.
    Reset,
    /// Answers come after this pause.
    Slow(Duration),
    /// Answers come a few bytes at a time, with this pause between them.
    Drip(Duration),
    /// 500 with an extended error.
    Error,
    /// 503 with `Retry-After: 1`.
    Busy,
    /// 307 to the same path on another host.
    Redirect(String),
    /// Every document that is read is this many bytes of JSON.
    Huge(u64),
    /// Collections lead to themselves by `Members@odata.nextLink`, members to their collection.
    Loop,
    /// The answer ends in its middle.
    Truncated,
    /// JSON under `Content-Type: text/html`.
    ContentType,
    /// HTML instead of JSON.
    Html,
    /// A megabyte of headers before the document.
    HugeHeaders,
    /// Another certificate at each connection.
    Certificate,
    /// The account has another password than all others.
    WrongPassword,
    /// The account may read and change nothing: 403.
    ReadOnly,
    /// All sessions are forgotten before the request is looked at.
    Forget,
}

impl Fault {
    fn named(name: &str, parameter: Option<&str>) -> Result<Self, String> {
        let pause = |default| parameter.map_or(Ok(default), notation::pause);
        Ok(match name {
            "black-hole" => Self::BlackHole,
            "refuse" => Self::Refuse,
            "reset" => Self::Reset,
            "slow" => Self::Slow(pause(Duration::from_secs(2))?),
            "drip" => Self::Drip(pause(Duration::from_millis(100))?),
            "error" => Self::Error,
            "busy" => Self::Busy,
            "redirect" => {
                let host = parameter.unwrap_or("https://127.255.255.254");
                Self::Redirect(host.to_owned())
            }
            "huge" => match parameter.map_or(Ok(HUGE), str::parse) {
                Ok(bytes) => Self::Huge(bytes),
                Err(_) => return Err("'huge' takes a number of bytes".to_owned()),
            },
            "loop" => Self::Loop,
            "truncated" => Self::Truncated,
            "content-type" => Self::ContentType,
            "html" => Self::Html,
            "huge-headers" => Self::HugeHeaders,
            "certificate" => Self::Certificate,
            "wrong-password" => Self::WrongPassword,
            "read-only" => Self::ReadOnly,
            "forget" => Self::Forget,
            _ => return Err(format!("'{name}' is no fault of the Redfish face")),
        })
    }

    /// Whether it strikes when a connection is made, not when it is asked.
    pub(super) const fn is_of_connections(&self) -> bool {
        matches!(self, Self::BlackHole | Self::Refuse | Self::Certificate)
    }
}

/// A fault and how many have it.
#[derive(Clone, Debug, PartialEq)]
struct Share {
    fault: Fault,
    /// Of all machines, 0 to 1.
    machines: f64,
    /// Of the requests (or connections) of such a machine, 0 to 1.
    requests: f64,
}

/// Which machines have which faults. Written `NAME=SHARE[/SHARE][:PARAMETER],…`: the first share is of
/// the machines, the second of the requests to one of these (all, where it is left out), as in
/// `black-hole=5%,slow=5%:2s,error=100%/2%`.
#[derive(Debug, Default)]
pub struct Faults {
    shares: Vec<Share>,
    set: RwLock<HashMap<usize, Vec<Fault>>>,
}

impl Clone for Faults {
    fn clone(&self) -> Self {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        Self {
            shares: self.shares.clone(),
            set: RwLock::new(set.clone()),
        }
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self {
            shares: notation::faults(text, share)?,
            set: RwLock::default(),
        })
    }
}

fn share(written: Written<'_>) -> Result<Share, String> {
    Ok(Share {
        fault: Fault::named(written.name, written.parameter)?,
        machines: written.share,
        requests: written.of_these.unwrap_or(1.0),
    })
}

impl Faults {
    /// From now on the machine has these faults and no others; with none it has what the shares say.
    pub fn set(&self, index: usize, faults: Vec<Fault>) {
        let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
        if faults.is_empty() {
            set.remove(&index);
        } else {
            set.insert(index, faults);
        }
    }

    /// The faults that a machine has by the shares or by [`Faults::set`].
    #[must_use]
    pub fn of(&self, index: usize) -> Vec<Fault> {
        if let Some(faults) = self.given(index) {
            return faults;
        }
        let had = self.shares.iter().filter(|share| has(share, index));
        had.map(|share| share.fault.clone()).collect()
    }

    /// Whether a machine has the fault, by the shares or by [`Faults::set`].
    #[must_use]
    pub fn has(&self, index: usize, fault: &Fault) -> bool {
        if let Some(faults) = self.given(index) {
            return faults.contains(fault);
        }
        let mut shares = self.shares.iter().filter(|share| share.fault == *fault);
        shares.any(|share| has(share, index))
    }

    fn given(&self, index: usize) -> Option<Vec<Fault>> {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        set.get(&index).cloned()
    }

    /// The faults that strike now: of a connection to the machine, or of a request.
    pub(super) fn strike(&self, index: usize, connection: bool) -> Vec<Fault> {
        if let Some(mut faults) = self.given(index) {
            faults.retain(|fault| fault.is_of_connections() == connection);
            return faults;
        }
        let struck = self.shares.iter().filter(|share| {
            share.fault.is_of_connections() == connection
                && has(share, index)
                && (share.requests >= 1.0 || rand::random::<f64>() < share.requests)
        });
        struck.map(|share| share.fault.clone()).collect()
    }
}

/// Whether a machine is among those that have the fault. Faults are spread independently.
fn has(share: &Share, index: usize) -> bool {
    let name = std::mem::discriminant(&share.fault);
    let mut hash = Spread(0xcbf2_9ce4_8422_2325);
    std::hash::Hash::hash(&name, &mut hash);
    std::hash::Hash::hash(&index, &mut hash);
    let drawn = std::hash::Hasher::finish(&hash) >> 11;
    // 53 bits are exact in an f64.
    #[allow(clippy::cast_precision_loss)]
    let drawn = drawn as f64 / (1_u64 << 53) as f64;
    drawn < share.machines
}

/// FNV-1a with a last mix, so that close numbers are spread: the same in every run.
struct Spread(u64);

impl std::hash::Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        let mut mixed = self.0 ^ (self.0 >> 32);
        mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_about_what_was_asked_for() {
        let faults: Faults = "black-hole=5%,slow=10%:300ms".parse().unwrap();
        let count = |fault: &Fault| {
            let with = (0..10_000).filter(|index| faults.of(*index).contains(fault));
            with.count()
        };
        let dead = count(&Fault::BlackHole);
        let slow = count(&Fault::Slow(Duration::from_millis(300)));
        assert!((400..600).contains(&dead), "{dead}");
        assert!((850..1150).contains(&slow), "{slow}");
    }

    #[test]
    fn what_was_set_goes_before_the_shares() {
        let faults: Faults = "refuse=100%".parse().unwrap();
        assert_eq!(faults.strike(3, true), [Fault::Refuse]);
        faults.set(3, vec![Fault::Loop]);
        assert!(faults.strike(3, true).is_empty());
        assert_eq!(faults.strike(3, false), [Fault::Loop]);
        faults.set(3, Vec::new());
        assert_eq!(faults.of(3), [Fault::Refuse]);
    }

    #[test]
    fn nonsense_is_named() {
        for (text, says) in [
            ("slow", "write NAME=SHARE%"),
            ("slow=5", "write it as 5%"),
            ("slow=5%:2", "write 2s or 300ms"),
            ("sleepy=5%", "'sleepy' is no fault"),
            ("slow=500%", "'500%' is no share"),
        ] {
            let error = text.parse::<Faults>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
