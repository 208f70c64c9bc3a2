//! Power, state and identify light of a machine (IPMI v2.0, 28.2 to 28.5).

use super::{Malformed, cut};
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

/// What a BMC says of its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChassisStatus {
    /// Whether it is on.
    pub on: bool,
    /// It is off because of a power overload.
    pub overload: bool,
    /// It is off because a panel is open.
    pub interlock: bool,
    /// A fault of the power supply or the power subsystem.
    pub power_fault: bool,
    /// An order to switch on or off went wrong.
    pub control_fault: bool,
    /// What it does when the mains come back.
    pub restore: RestorePolicy,
    /// Why it was last switched.
    pub last_event: LastPowerEvent,
    /// The chassis was opened.
    pub intrusion: bool,
    /// Its buttons are locked.
    pub locked: bool,
    /// A fault of a drive.
    pub drive_fault: bool,
    /// A fault of the cooling.
    pub cooling_fault: bool,
    /// The identify light; nothing where the BMC does not tell.
    pub identify: Option<IdentifyState>,
}

/// What a machine does when the mains come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RestorePolicy {
    /// It stays off.
    Off,
    /// It becomes what it was.
    Previous,
    /// It goes on.
    On,
    /// The BMC does not know.
    Unknown,
}

/// Why a machine was last switched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastPowerEvent {
    /// The mains failed.
    pub mains_failed: bool,
    /// By an overload.
    pub overload: bool,
    /// By an open panel.
    pub interlock: bool,
    /// By a fault.
    pub fault: bool,
    /// It was switched on by IPMI.
    pub by_command: bool,
}

/// The identify light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentifyState {
    /// Dark.
    Off,
    /// Lit for some seconds.
    Timed,
    /// Lit until it is put out.
    On,
}

/// What a machine can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChassisControl {
    /// Off at once.
    Off,
    /// On.
    On,
    /// Off, a pause, and on. Many BMCs refuse it while the machine is off.
    Cycle,
    /// Reset.
    Reset,
    /// The diagnostic interrupt (NMI).
    Diagnostic,
    /// The operating system is asked by ACPI to shut down.
    Soft,
}

/// What the identify light can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identify {
    /// Dark.
    Off,
    /// Lit for so many seconds.
    Seconds(u8),
    /// Lit until it is put out.
    On,
}

impl ChassisControl {
    fn number(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::On => 1,
            Self::Cycle => 2,
            Self::Reset => 3,
            Self::Diagnostic => 4,
            Self::Soft => 5,
        }
    }
}

impl ChassisStatus {
    /// Reads the answer of Get Chassis Status.
    ///
    /// # Errors
    /// It is cut off.
    pub fn parse(answer: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(answer);
        let [state, event, other] = reader.array().map_err(cut("the chassis status"))?;
        let is = |byte: u8, bit: u8| byte & 1 << bit != 0;
        Ok(Self {
            on: is(state, 0),
            overload: is(state, 1),
            interlock: is(state, 2),
            power_fault: is(state, 3),
            control_fault: is(state, 4),
            restore: RestorePolicy::from_bits(state >> 5 & 3),
            last_event: LastPowerEvent {
                mains_failed: is(event, 0),
                overload: is(event, 1),
                interlock: is(event, 2),
                fault: is(event, 3),
                by_command: is(event, 4),
            },
            intrusion: is(other, 0),
            locked: is(other, 1),
            drive_fault: is(other, 2),
            cooling_fault: is(other, 3),
            identify: is(other, 6)
                .then(|| IdentifyState::from_bits(other >> 4 & 3))
                .flatten(),
        })
    }
}

impl RestorePolicy {
    fn from_bits(bits: u8) -> Self {
        match bits {
            0 => Self::Off,
            1 => Self::Previous,
            2 => Self::On,
            _ => Self::Unknown,
        }
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

/// Asks for the state of the machine.
///
/// # Errors
/// The BMC refuses, does not answer, or its answer is cut off.
pub async fn status(bmc: &mut impl Requester) -> Result<ChassisStatus, Error> {
    Ok(ChassisStatus::parse(&bmc.request(STATUS, &[]).await?)?)
}

/// Switches the machine. The BMC says that it will, not that it did: ask for the status later.
///
/// # Errors
/// The BMC refuses or does not answer.
pub async fn control(bmc: &mut impl Requester, order: ChassisControl) -> Result<(), Error> {
    bmc.request(CONTROL, &[order.number()]).await?;
    Ok(())
}

/// Lights the identify light, or puts it out.
///
/// # Errors
/// The BMC refuses or does not answer. A BMC that can't leave the light on refuses [`Identify::On`] as
/// a request of a wrong length or with a field out of range.
pub async fn identify(bmc: &mut impl Requester, order: Identify) -> Result<(), Error> {
    match order {
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
    fn a_chassis_status_says_what_its_bits_mean() {
        let status = ChassisStatus::parse(&[0x21, 0x10, 0x60, 0x77]).unwrap();
        assert!(status.on && !status.overload && !status.intrusion);
        assert_eq!(status.restore, RestorePolicy::Previous);
        assert!(status.last_event.by_command && !status.last_event.mains_failed);
        assert_eq!(status.identify, Some(IdentifyState::On));
        let status = ChassisStatus::parse(&[0x1e, 0x0f, 0x0f]).unwrap();
        assert!(!status.on && status.overload && status.interlock);
        assert!(status.power_fault && status.control_fault && status.locked);
        assert!(status.drive_fault && status.cooling_fault && status.intrusion);
        assert_eq!(
            (status.restore, status.identify),
            (RestorePolicy::Off, None)
        );
        let short = ChassisStatus::parse(&[1, 0]).unwrap_err();
        assert_eq!(short.to_string(), "the chassis status is cut off");
    }

    #[tokio::test]
    async fn orders_are_as_the_specification_numbers_them() {
        let orders = [
            (ChassisControl::Off, 0),
            (ChassisControl::On, 1),
            (ChassisControl::Cycle, 2),
            (ChassisControl::Reset, 3),
            (ChassisControl::Diagnostic, 4),
            (ChassisControl::Soft, 5),
        ];
        for (order, number) in orders {
            let mut bmc = Script::new(&[(&[0x00, 0x02, number][..], Ok(&[]))]);
            control(&mut bmc, order).await.unwrap();
        }
        let lights = [
            (Identify::Off, &[0x00, 0x04, 0x00][..]),
            (Identify::Seconds(30), &[0x00, 0x04, 30]),
            (Identify::On, &[0x00, 0x04, 0x00, 0x01]),
        ];
        for (light, request) in lights {
            let mut bmc = Script::new(&[(request, Ok(&[]))]);
            identify(&mut bmc, light).await.unwrap();
        }
    }
}
