//! What can be wrong with a BMC that is asked by IPMI, and with the network before it. Drawn from a seed,
//! the machine's number and the number of its datagram: another run with the same seed, in which a machine
//! is told the same, goes the same way.

use std::str::FromStr;
use std::time::Duration;

use xcat3_ipmi::CipherSuite;

use crate::bmc::account::Level;
use crate::bmc::notation::{self, Written};

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing is ever answered.
    BlackHole,
    /// The machine's password is another one.
    WrongPassword,
    /// The answer comes late.
    Delay(Duration),
    /// The answer is lost.
    Drop,
    /// The answer comes twice.
    Duplicate,
    /// The answer comes so much later, behind those to later questions.
    Reorder(Duration),
    /// The BMC restarts: it forgets its sessions and is silent for so long.
    Reboot(Duration),
    /// The answer is for another session than it was asked in.
    OtherSession,
    /// The BMC offers this cipher suite only, or none.
    Cipher(Option<CipherSuite>),
    /// Its accounts have no more than this privilege level; nothing: they may not log in.
    NoPrivilege(Option<Level>),
    /// All slots for sessions are taken.
    SlotsFull,
    /// The inventory has lengths that are not so.
    LyingFru,
    /// The sensor data records have lengths that are not so.
    LyingSdr,
}

/// Which machines and datagrams have which faults. Written `NAME=SHARE[/SHARE][:PARAMETER],…`: a share of
/// the machines and one of the datagrams that such a machine gets. A single share is of the datagrams of all
/// machines for `drop`, `duplicate`, `reorder` and `reboot`, and of the machines for the others.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    shares: Vec<Share>,
    seed: u64,
}

#[derive(Clone, Debug)]
struct Share {
    fault: Fault,
    machines: f64,
    datagrams: f64,
}

impl Fault {
    fn named(name: &str, parameter: Option<&str>) -> Result<Self, String> {
        let pause =
            |default: u64| parameter.map_or(Ok(Duration::from_millis(default)), notation::pause);
        let fault = match name {
            "black-hole" => Self::BlackHole,
            "wrong-password" => Self::WrongPassword,
            "delay" => return Ok(Self::Delay(pause(2000)?)),
            "drop" => Self::Drop,
            "duplicate" => Self::Duplicate,
            "reorder" => return Ok(Self::Reorder(pause(50)?)),
            "reboot" => return Ok(Self::Reboot(pause(5000)?)),
            "other-session" => Self::OtherSession,
            "cipher" => return Ok(Self::Cipher(parameter.map(suite).transpose()?)),
            "no-privilege" => {
                let level = parameter.map_or(Ok(Some(Level::User)), level);
                return Ok(Self::NoPrivilege(level?));
            }
            "slots-full" => Self::SlotsFull,
            "lying-fru" => Self::LyingFru,
            "lying-sdr" => Self::LyingSdr,
            _ => return Err(format!("'{name}' is no fault of the IPMI face")),
        };
        match parameter {
            Some(_) => Err(format!("'{name}' takes no parameter")),
            None => Ok(fault),
        }
    }

    /// Whether a single share is one of the machines.
    const fn is_of_machines(self) -> bool {
        !matches!(
            self,
            Self::Drop | Self::Duplicate | Self::Reorder(_) | Self::Reboot(_)
        )
    }
}

fn suite(text: &str) -> Result<CipherSuite, String> {
    let number = text.parse().ok().and_then(CipherSuite::from_id);
    number.ok_or_else(|| format!("'{text}' is no cipher suite: write 3 or 17"))
}

fn level(text: &str) -> Result<Option<Level>, String> {
    match text {
        "none" => Ok(None),
        "user" => Ok(Some(Level::User)),
        "operator" => Ok(Some(Level::Operator)),
        _ => Err(format!(
            "'{text}' is no level below administrator: write user, operator or none"
        )),
    }
}

fn share(written: Written<'_>) -> Result<Share, String> {
    let fault = Fault::named(written.name, written.parameter)?;
    let (machines, datagrams) = match written.of_these {
        Some(datagrams) => (written.share, datagrams),
        None if fault.is_of_machines() => (written.share, 1.0),
        None => (1.0, written.share),
    };
    Ok(Share {
        fault,
        machines,
        datagrams,
    })
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self {
            shares: notation::faults(text, share)?,
            seed: 1,
        })
    }
}

impl Faults {
    /// The same shares, drawn by another seed.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether a machine never answers.
    #[must_use]
    pub fn is_black_hole(&self, index: usize) -> bool {
        self.has(index, Fault::BlackHole)
    }

    /// Whether a machine has another password than was said.
    #[must_use]
    pub fn has_wrong_password(&self, index: usize) -> bool {
        self.has(index, Fault::WrongPassword)
    }

    fn has(&self, index: usize, fault: Fault) -> bool {
        self.of(index).any(|had| had == fault)
    }

    /// The faults that a machine has, those of some of its datagrams included.
    pub(super) fn of(&self, index: usize) -> impl Iterator<Item = Fault> + '_ {
        let shares = self.shares.iter().enumerate();
        let had = shares.filter(move |(place, share)| self.is_of(share, *place, index));
        had.map(|(_, share)| share.fault)
    }

    /// What strikes the datagram of this number that comes to a machine.
    pub(super) fn strike(&self, index: usize, number: u64) -> impl Iterator<Item = Fault> + '_ {
        let shares = self.shares.iter().enumerate();
        let struck = shares.filter(move |(place, share)| {
            self.is_of(share, *place, index)
                && self.drawn([*place as u64, index as u64, number + 1]) < share.datagrams
        });
        struck.map(|(_, share)| share.fault)
    }

    fn is_of(&self, share: &Share, place: usize, index: usize) -> bool {
        self.drawn([place as u64, index as u64, 0]) < share.machines
    }

    /// A number of 0 to 1 that follows from the seed and what it is for.
    #[allow(clippy::cast_precision_loss)]
    fn drawn(&self, what: [u64; 3]) -> f64 {
        let mixed = what
            .iter()
            .fold(self.seed, |mixed, part| mix(mixed ^ *part));
        // 53 bits are exact in an f64.
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The last steps of SplitMix64: neighbouring numbers become unlike ones.
const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_about_what_was_asked_for_and_the_same_for_a_seed() {
        let faults: Faults = "black-hole=5%,wrong-password=10%,drop=20%".parse().unwrap();
        let count = |had: &dyn Fn(usize) -> bool| (0..10_000).filter(|index| had(*index)).count();
        let dead = count(&|index| faults.is_black_hole(index));
        assert!((400..600).contains(&dead), "{dead}");
        let wrong = count(&|index| faults.has_wrong_password(index));
        assert!((850..1150).contains(&wrong), "{wrong}");
        let both = |index| faults.is_black_hole(index) && faults.has_wrong_password(index);
        let both = count(&both);
        assert!((20..90).contains(&both), "{both}: faults are independent");
        let lost = |faults: &Faults| -> Vec<bool> {
            let drops = |number| faults.strike(7, number).any(|fault| fault == Fault::Drop);
            (0..10_000).map(drops).collect()
        };
        let first = lost(&faults);
        let number = first.iter().filter(|lost| **lost).count();
        assert!((1800..2200).contains(&number), "{number}");
        assert_eq!(first, lost(&faults.clone()));
        assert_ne!(first, lost(&faults.with_seed(2)));
    }

    #[test]
    fn a_single_share_is_of_machines_or_of_datagrams() {
        let faults: Faults = "delay=0%:2s,drop=100%".parse().unwrap();
        assert_eq!(faults.strike(0, 0).collect::<Vec<_>>(), [Fault::Drop]);
        let faults: Faults = "delay=100%/100%:300ms,drop=0%/100%".parse().unwrap();
        let delay = Fault::Delay(Duration::from_millis(300));
        assert_eq!(faults.strike(0, 0).collect::<Vec<_>>(), [delay]);
    }

    #[test]
    fn nonsense_is_named() {
        for (text, says) in [
            ("drop", "write NAME=SHARE%"),
            ("drop=5", "write it as 5%"),
            ("drop=101%", "write it as 5%"),
            ("drop=5%:2s", "takes no parameter"),
            ("delay=5%:2", "write 2s or 300ms"),
            ("sleepy=5%", "'sleepy' is no fault"),
            ("cipher=5%:4", "write 3 or 17"),
            ("no-privilege=5%:king", "write user, operator or none"),
            ("slots-full=5%:3", "takes no parameter"),
        ] {
            let error = text.parse::<Faults>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
