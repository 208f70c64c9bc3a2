//! Boot options of a machine (IPMI v2.0, 28.12 to 28.14): the device from which it boots next.

use super::{Malformed, truncated};
use crate::client::Error;
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// Set System Boot Options.
const SET: Command = Command::new(0x00, 0x08);
/// Get System Boot Options.
const GET: Command = Command::new(0x00, 0x09);

/// Parameter: set in progress.
const SET_IN_PROGRESS: u8 = 0;
/// Parameter: events that clear the valid bit of the boot flags.
const VALID_BIT_CLEARING: u8 = 3;
/// Parameter: acknowledgement of the boot options by BIOS and others.
const ACKNOWLEDGE: u8 = 4;
/// Parameter: boot flags.
const BOOT_FLAGS: u8 = 5;

/// Boot flag: the flags are valid.
const VALID: u8 = 0x80;
/// Boot flag: the flags apply to all boots.
const PERSISTENT: u8 = 0x40;
/// Boot flag: UEFI boot, not legacy BIOS boot.
const UEFI: u8 = 0x20;
/// The valid bit is not cleared when no power command follows within 60 s.
const KEEP_WITHOUT_POWER_COMMAND: u8 = 0x08;

/// A boot device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BootFrom {
    /// Network (PXE, or UEFI network boot).
    Net,
    /// Disk.
    Disk,
    /// CD or DVD.
    Cdrom,
    /// The BIOS setup.
    Setup,
    /// Another device, by its number (1 to 15).
    Other(u8),
}

/// An override of the machine's own boot order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BootOverride {
    /// The device.
    pub from: BootFrom,
    /// The override applies to all boots, not just the next one.
    pub persistent: bool,
    /// UEFI boot.
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
    /// Parses a response of Get System Boot Options for the boot flags; `None` if there is no override.
    ///
    /// # Errors
    /// The response is truncated, or has another parameter.
    pub fn parse(response: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut reader = Reader::new(response);
        let head = reader.array().map_err(truncated("the boot options"))?;
        let [_version, parameter] = head;
        let (number, is_invalid) = (parameter & 0x7f, parameter & 0x80 != 0);
        if number != BOOT_FLAGS {
            let sentence = format!("the boot options have parameter {number}, not {BOOT_FLAGS}");
            return Err(Malformed::new(sentence));
        }
        let [first, second] = reader.array().map_err(truncated("the boot flags"))?;
        let is_valid = !is_invalid && first & VALID != 0;
        let from = BootFrom::from_number(second >> 2 & 0x0f).filter(|_| is_valid);
        Ok(from.map(|from| Self {
            from,
            persistent: first & PERSISTENT != 0,
            uefi: first & UEFI != 0,
        }))
    }

    /// The five bytes of the boot flags.
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

/// Reads the boot override; `None` if there is none.
///
/// # Errors
/// The BMC refuses, there is no response, or it is malformed.
pub async fn get(bmc: &mut impl Requester) -> Result<Option<BootOverride>, Error> {
    let response = bmc.request(GET, &[BOOT_FLAGS, 0, 0]).await?;
    Ok(BootOverride::parse(&response)?)
}

/// Sets or (`None`) clears the boot override.
///
/// Like ipmitool, this first announces the change, resets the BIOS's acknowledgement, and tells the BMC to
/// keep the flags when no power command follows within a minute. BMCs without these three parameters (quirk)
/// get only the flags.
///
/// # Errors
/// The BMC refuses the flags, or there is no response.
pub async fn set(bmc: &mut impl Requester, wanted: Option<BootOverride>) -> Result<(), Error> {
    let announced = set_optional(bmc, &[SET_IN_PROGRESS, 1]).await?;
    set_optional(bmc, &[VALID_BIT_CLEARING, KEEP_WITHOUT_POWER_COMMAND]).await?;
    set_optional(bmc, &[ACKNOWLEDGE, 1, 1]).await?;
    let [a, b, c, d, e] = BootOverride::flags(wanted);
    let result = bmc.request(SET, &[BOOT_FLAGS, a, b, c, d, e]).await;
    if announced {
        if result.is_ok() {
            set_optional(bmc, &[SET_IN_PROGRESS, 2]).await?;
        }
        set_optional(bmc, &[SET_IN_PROGRESS, 0]).await?;
    }
    result.map(drop)
}

/// Sets a parameter that not every BMC has, and returns whether this BMC has it.
async fn set_optional(bmc: &mut impl Requester, request: &[u8]) -> Result<bool, Error> {
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

    fn boot(from: BootFrom, persistent: bool, uefi: bool) -> BootOverride {
        BootOverride {
            from,
            persistent,
            uefi,
        }
    }

    #[test]
    fn flags_encoded_are_those_of_ipmitool() {
        let cases = [
            (None, [0x80, 0x00]),
            (Some(boot(BootFrom::Net, false, false)), [0x80, 0x04]),
            (Some(boot(BootFrom::Disk, true, false)), [0xc0, 0x08]),
            (Some(boot(BootFrom::Cdrom, false, true)), [0xa0, 0x14]),
            (Some(boot(BootFrom::Setup, true, true)), [0xe0, 0x18]),
            (Some(boot(BootFrom::Other(15), false, false)), [0x80, 0x3c]),
        ];
        for (wanted, bytes) in cases {
            let flags = BootOverride::flags(wanted);
            assert_eq!(flags[..2], bytes, "{wanted:?}");
            let response = [&[1, 5], &flags[..]].concat();
            assert_eq!(BootOverride::parse(&response).unwrap(), wanted);
        }
    }

    #[test]
    fn flags_not_valid_override_nothing() {
        let without_valid_bit = [0x01, 0x05, 0x00, 0x04, 0, 0, 0];
        assert_eq!(BootOverride::parse(&without_valid_bit).unwrap(), None);
        let marked_invalid = [0x01, 0x85, 0x80, 0x04, 0, 0, 0];
        assert_eq!(BootOverride::parse(&marked_invalid).unwrap(), None);
    }

    #[test]
    fn response_with_other_parameter_is_an_error() {
        let error = BootOverride::parse(&[0x01, 0x04, 0, 0]).unwrap_err();
        let sentence = "the boot options have parameter 4, not 5";
        assert_eq!(error.to_string(), sentence);
        assert!(BootOverride::parse(&[0x01, 0x05, 0x80]).is_err());
    }

    #[tokio::test]
    async fn change_is_announced_and_committed() {
        let mut bmc = Script::new(&[
            (&[0, 8, 0, 1][..], Ok(&[])),
            (&[0, 8, 3, 8], Ok(&[])),
            (&[0, 8, 4, 1, 1], Ok(&[])),
            (&[0, 8, 5, 0xa0, 4, 0, 0, 0], Ok(&[])),
            (&[0, 8, 0, 2], Ok(&[])),
            (&[0, 8, 0, 0], Ok(&[])),
        ]);
        let net = boot(BootFrom::Net, false, true);
        set(&mut bmc, Some(net)).await.unwrap();
    }

    #[tokio::test]
    async fn change_on_bmc_with_flags_only_sets_the_flags() {
        let mut bmc = Script::new(&[
            (&[0, 8, 0, 1][..], Err(0x80)),
            (&[0, 8, 3, 8], Err(0x80)),
            (&[0, 8, 4, 1, 1], Err(0xcc)),
            (&[0, 8, 5, 0x80, 0, 0, 0, 0], Ok(&[])),
        ]);
        set(&mut bmc, None).await.unwrap();
    }

    #[tokio::test]
    async fn change_refused_ends_the_announcement() {
        let mut bmc = Script::new(&[
            (&[0, 8, 0, 1][..], Ok(&[])),
            (&[0, 8, 3, 8], Ok(&[])),
            (&[0, 8, 4, 1, 1], Ok(&[])),
            (&[0, 8, 5, 0x80, 8, 0, 0, 0], Err(0xcc)),
            (&[0, 8, 0, 0], Ok(&[])),
        ]);
        let disk = boot(BootFrom::Disk, false, false);
        assert!(set(&mut bmc, Some(disk)).await.is_err());
    }
}
