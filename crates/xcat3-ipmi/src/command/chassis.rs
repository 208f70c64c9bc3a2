//! Power and identify light of a machine (IPMI v2.0, 28.2 to 28.5).

use super::{Malformed, truncated};
use crate::client::Error;
use crate::message::Command;
use crate::requester::Requester;
use crate::wire::Reader;

/// Get Chassis Status.
const STATUS: Command = Command::new(0x00, 0x01);
/// Chassis Control.
const CONTROL: Command = Command::new(0x00, 0x02);
/// Chassis Identify.
const IDENTIFY: Command = Command::new(0x00, 0x04);

/// The response of Get Chassis Status, as far as xcat3 uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChassisStatus {
    /// The machine is on.
    pub on: bool,
    /// State of the identify light; `None` if the BMC does not report it.
    pub identify: Option<IdentifyState>,
}

/// State of the identify light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentifyState {
    /// Off.
    Off,
    /// On for a limited time.
    Timed,
    /// On until it is switched off.
    On,
}

/// An action of Chassis Control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChassisControl {
    /// Power off at once.
    Off,
    /// Power on.
    On,
    /// Power off, wait, power on. Many BMCs refuse it while the machine is off.
    Cycle,
    /// Hard reset.
    Reset,
    /// Ask the operating system by ACPI to shut down.
    Soft,
}

/// An action of Chassis Identify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identify {
    /// Switch the light off.
    Off,
    /// Switch the light on for this many seconds.
    Seconds(u8),
    /// Switch the light on until it is switched off.
    On,
}

impl ChassisControl {
    fn number(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::On => 1,
            Self::Cycle => 2,
            Self::Reset => 3,
            Self::Soft => 5,
        }
    }
}

impl ChassisStatus {
    /// Parses a response of Get Chassis Status.
    ///
    /// # Errors
    /// The response is truncated.
    pub fn parse(response: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(response);
        let state = reader.array().map_err(truncated("the chassis status"))?;
        let [power, _last_event, other] = state;
        let reports_identify = other & 0x40 != 0;
        Ok(Self {
            on: power & 1 != 0,
            identify: reports_identify
                .then(|| IdentifyState::from_bits(other >> 4 & 3))
                .flatten(),
        })
    }
}

impl IdentifyState {
    fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Off),
            1 => Some(Self::Timed),
            2 => Some(Self::On),
            _ => None,
        }
    }
}

/// Reads the chassis status.
///
/// # Errors
/// The BMC refuses, there is no response, or it is truncated.
pub async fn status(bmc: &mut impl Requester) -> Result<ChassisStatus, Error> {
    Ok(ChassisStatus::parse(&bmc.request(STATUS, &[]).await?)?)
}

/// Switches the machine. The BMC confirms that it will act, not that it has: read the status later.
///
/// # Errors
/// The BMC refuses, or there is no response.
pub async fn control(bmc: &mut impl Requester, action: ChassisControl) -> Result<(), Error> {
    bmc.request(CONTROL, &[action.number()]).await?;
    Ok(())
}

/// Switches the identify light.
///
/// # Errors
/// The BMC refuses, or there is no response. A BMC that cannot leave the light on refuses [`Identify::On`]
/// with "wrong length" or "field out of range".
pub async fn identify(bmc: &mut impl Requester, action: Identify) -> Result<(), Error> {
    match action {
        Identify::Off => bmc.request(IDENTIFY, &[0]).await?,
        Identify::Seconds(seconds) => bmc.request(IDENTIFY, &[seconds]).await?,
        Identify::On => bmc.request(IDENTIFY, &[0, 1]).await?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::script::Script;

    #[test]
    fn chassis_status_bits_become_power_and_identify_state() {
        let status = ChassisStatus::parse(&[0x21, 0x10, 0x60, 0x77]).unwrap();
        assert_eq!(
            (status.on, status.identify),
            (true, Some(IdentifyState::On))
        );
        let status = ChassisStatus::parse(&[0x1e, 0x0f, 0x50]).unwrap();
        assert_eq!(
            (status.on, status.identify),
            (false, Some(IdentifyState::Timed))
        );
        let status = ChassisStatus::parse(&[0x1e, 0x0f, 0x2f]).unwrap();
        assert_eq!((status.on, status.identify), (false, None));
    }

    #[test]
    fn chassis_status_truncated_is_an_error() {
        let error = ChassisStatus::parse(&[1, 0]).unwrap_err();
        assert_eq!(error.to_string(), "the chassis status is truncated");
    }

    #[tokio::test]
    async fn actions_have_numbers_of_specification() {
        let actions = [
            (ChassisControl::Off, 0),
            (ChassisControl::On, 1),
            (ChassisControl::Cycle, 2),
            (ChassisControl::Reset, 3),
            (ChassisControl::Soft, 5),
        ];
        for (action, number) in actions {
            let mut bmc = Script::new(&[(&[0x00, 0x02, number][..], Ok(&[]))]);
            control(&mut bmc, action).await.unwrap();
        }
        let actions = [
            (Identify::Off, &[0x00, 0x04, 0x00][..]),
            (Identify::Seconds(30), &[0x00, 0x04, 30]),
            (Identify::On, &[0x00, 0x04, 0x00, 0x01]),
        ];
        for (action, request) in actions {
            let mut bmc = Script::new(&[(request, Ok(&[]))]);
            identify(&mut bmc, action).await.unwrap();
        }
    }
}
