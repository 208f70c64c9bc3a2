//! From what a machine boots next: the boot options of the chassis (IPMI v2.0, 28.12 to 28.14).

use super::{Malformed, cut};
use crate::client::Error;
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// Set System Boot Options.
const SET: Command = Command::new(0x00, 0x08);
/// Get System Boot Options.
const GET: Command = Command::new(0x00, 0x09);

/// Parameter: others see that it is being changed.
const IN_PROGRESS: u8 = 0;
/// Parameter: when the BMC forgets the flags by itself.
const FORGETTING: u8 = 3;
/// Parameter: who has seen the boot options.
const ACKNOWLEDGE: u8 = 4;
/// Parameter: the boot flags.
const FLAGS: u8 = 5;

/// The flags count.
const VALID: u8 = 0x80;
/// They hold until they are changed.
const PERSISTENT: u8 = 0x40;
/// By UEFI rather than as a PC with a BIOS.
const UEFI: u8 = 0x20;
/// The flags are kept also where no power command follows within 60 seconds.
const KEEP: u8 = 0x08;

/// From what a machine boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BootFrom {
    /// The network (PXE, or UEFI's network boot).
    Net,
    /// A disk.
    Disk,
    /// CD or DVD.
    Cdrom,
    /// Not at all: it stops in the setup of its BIOS.
    Setup,
    /// What else can be in the flags, by its number (1 to 15).
    Other(u8),
}

/// That a machine boots from something else than it would by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BootOverride {
    /// From what.
    pub from: BootFrom,
    /// Every time, not just once.
    pub persistent: bool,
    /// By UEFI.
    pub uefi: bool,
}

impl BootFrom {
    fn number(self) -> u8 {
        match self {
            Self::Net => 1,
            Self::Disk => 2,
            Self::Cdrom => 5,
            Self::Setup => 6,
            Self::Other(number) => number & 0x0f,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => None,
            1 => Some(Self::Net),
            2 => Some(Self::Disk),
            5 => Some(Self::Cdrom),
            6 => Some(Self::Setup),
            other => Some(Self::Other(other)),
        }
    }
}

impl BootOverride {
    /// Reads the answer of Get System Boot Options for parameter 5. Nothing where the machine boots
    /// as it would by itself.
    ///
    /// A BMC that gives a device without saying that it is valid (quirk: `ipmi_sim` drops the bit) is
    /// taken to mean it only with `lenient`.
    ///
    /// # Errors
    /// It is cut off, or about something else.
    pub fn parse(answer: &[u8], lenient: bool) -> Result<Option<Self>, Malformed> {
        let mut reader = Reader::new(answer);
        let what = "the answer about boot options";
        let [_version, parameter] = reader.array().map_err(cut(what))?;
        if parameter & 0x7f != FLAGS {
            let parameter = parameter & 0x7f;
            let sentence = format!("{what} is about parameter {parameter}, not {FLAGS}");
            return Err(Malformed::new(sentence));
        }
        let [first, second] = reader.array().map_err(cut("the boot flags"))?;
        // Bit 7 of the parameter: "marked invalid".
        let counts = parameter & 0x80 == 0 && (first & VALID != 0 || lenient);
        let from = BootFrom::from_number(second >> 2 & 0x0f).filter(|_| counts);
        Ok(from.map(|from| Self {
            from,
            persistent: first & PERSISTENT != 0,
            uefi: first & UEFI != 0,
        }))
    }

    /// The five bytes of parameter 5.
    fn flags(wanted: Option<Self>) -> [u8; 5] {
        let mut flags = [VALID, 0, 0, 0, 0];
        if let Some(wanted) = wanted {
            flags[0] |= if wanted.persistent { PERSISTENT } else { 0 };
            flags[0] |= if wanted.uefi { UEFI } else { 0 };
            flags[1] = wanted.from.number() << 2;
        }
        flags
    }
}

/// Asks from what the machine boots next; nothing where that was not changed.
///
/// # Errors
/// The BMC refuses, does not answer, or its answer is no boot flags.
pub async fn get(bmc: &mut impl Requester) -> Result<Option<BootOverride>, Error> {
    let answer = bmc.request(GET, &[FLAGS, 0, 0]).await?;
    Ok(BootOverride::parse(&answer, false)?)
}

/// Makes the machine boot from something else, or (`None`) from what it would by itself.
///
/// As ipmitool does, the change is announced and the BIOS's acknowledgement is taken back first;
/// the BMC is told to keep the flags also where no power command follows within a minute. BMCs
/// that don't know these three parameters (quirk) take the flags all the same.
///
/// # Errors
/// The BMC refuses the flags or does not answer.
pub async fn set(bmc: &mut impl Requester, wanted: Option<BootOverride>) -> Result<(), Error> {
    let announced = optional(bmc, &[IN_PROGRESS, 1]).await?;
    optional(bmc, &[FORGETTING, KEEP]).await?;
    optional(bmc, &[ACKNOWLEDGE, 1, 1]).await?;
    let [a, b, c, d, e] = BootOverride::flags(wanted);
    let done = bmc.request(SET, &[FLAGS, a, b, c, d, e]).await;
    if announced {
        if done.is_ok() {
            optional(bmc, &[IN_PROGRESS, 2]).await?;
        }
        optional(bmc, &[IN_PROGRESS, 0]).await?;
    }
    done.map(drop)
}

/// Sets a parameter that a BMC need not have. Gives whether it took it.
async fn optional(bmc: &mut impl Requester, request: &[u8]) -> Result<bool, Error> {
    match bmc.request(SET, request).await {
        Ok(_) => Ok(true),
        Err(Error::Refused(refused)) if refused != Completion::INSUFFICIENT_PRIVILEGE => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::script::Script;

    fn one(from: BootFrom, persistent: bool, uefi: bool) -> BootOverride {
        BootOverride {
            from,
            persistent,
            uefi,
        }
    }

    #[test]
    fn flags_are_as_ipmitool_writes_them() {
        let cases = [
            (None, [0x80, 0x00]),
            (Some(one(BootFrom::Net, false, false)), [0x80, 0x04]),
            (Some(one(BootFrom::Disk, true, false)), [0xc0, 0x08]),
            (Some(one(BootFrom::Cdrom, false, true)), [0xa0, 0x14]),
            (Some(one(BootFrom::Setup, true, true)), [0xe0, 0x18]),
            (Some(one(BootFrom::Other(15), false, false)), [0x80, 0x3c]),
        ];
        for (wanted, bytes) in cases {
            let flags = BootOverride::flags(wanted);
            assert_eq!(flags[..2], bytes, "{wanted:?}");
            let answer = [&[1, 5], &flags[..]].concat();
            assert_eq!(BootOverride::parse(&answer, false).unwrap(), wanted);
        }
    }

    #[test]
    fn flags_that_do_not_count_override_nothing() {
        let answer = [0x01, 0x05, 0x00, 0x04, 0, 0, 0];
        assert_eq!(BootOverride::parse(&answer, false).unwrap(), None);
        let net = one(BootFrom::Net, false, false);
        assert_eq!(BootOverride::parse(&answer, true).unwrap(), Some(net));
        let invalid = [0x01, 0x85, 0x80, 0x04, 0, 0, 0];
        assert_eq!(BootOverride::parse(&invalid, true).unwrap(), None);
        let other = BootOverride::parse(&[0x01, 0x04, 0, 0], false).unwrap_err();
        let sentence = "the answer about boot options is about parameter 4, not 5";
        assert_eq!(other.to_string(), sentence);
        assert!(BootOverride::parse(&[0x01, 0x05, 0x80], false).is_err());
    }

    #[tokio::test]
    async fn a_change_is_announced_acknowledged_and_committed() {
        let mut bmc = Script::new(&[
            (&[0, 8, 0, 1][..], Ok(&[])),
            (&[0, 8, 3, 8], Ok(&[])),
            (&[0, 8, 4, 1, 1], Ok(&[])),
            (&[0, 8, 5, 0xa0, 4, 0, 0, 0], Ok(&[])),
            (&[0, 8, 0, 2], Ok(&[])),
            (&[0, 8, 0, 0], Ok(&[])),
        ]);
        let net = one(BootFrom::Net, false, true);
        set(&mut bmc, Some(net)).await.unwrap();
    }

    #[tokio::test]
    async fn bmcs_that_know_only_the_flags_take_them() {
        let mut bmc = Script::new(&[
            (&[0, 8, 0, 1][..], Err(0x80)),
            (&[0, 8, 3, 8], Err(0x80)),
            (&[0, 8, 4, 1, 1], Err(0xcc)),
            (&[0, 8, 5, 0x80, 0, 0, 0, 0], Ok(&[])),
        ]);
        set(&mut bmc, None).await.unwrap();
    }

    #[tokio::test]
    async fn flags_that_are_refused_leave_no_change_announced() {
        let mut bmc = Script::new(&[
            (&[0, 8, 0, 1][..], Ok(&[])),
            (&[0, 8, 3, 8], Ok(&[])),
            (&[0, 8, 4, 1, 1], Ok(&[])),
            (&[0, 8, 5, 0x80, 8, 0, 0, 0], Err(0xcc)),
            (&[0, 8, 0, 0], Ok(&[])),
        ]);
        let disk = one(BootFrom::Disk, false, false);
        assert!(set(&mut bmc, Some(disk)).await.is_err());
    }
}
