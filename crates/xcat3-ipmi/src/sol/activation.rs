//! Beginning and ending serial over LAN (IPMI v2.0, 24.1 and 24.2).

use crate::client::Error;
use crate::command::{Malformed, cut};
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// Activate Payload.
const ACTIVATE: Command = Command::new(0x06, 0x48);
/// Deactivate Payload.
const DEACTIVATE: Command = Command::new(0x06, 0x49);
/// Get Payload Instance Info.
const INSTANCE: Command = Command::new(0x06, 0x4b);
/// Payload type serial over LAN, its first instance.
const SOL: [u8; 2] = [1, 1];
/// Encrypted and authenticated.
const PROTECTED: u8 = 0xc0;
/// Payloads of a BMC that says that it takes none (quirk: zero, or the bytes swapped).
const USUAL: u16 = 200;
const LARGEST: u16 = 1_024;

/// What a BMC says to a console that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activation {
    /// The largest payload that it takes, in bytes.
    pub takes: u16,
    /// The largest that it sends.
    pub sends: u16,
    /// The port on which it wants the payloads.
    pub port: u16,
}

/// Why a console did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// Another console has it.
    #[error("another session has the console")]
    InUse,
    /// It is switched off.
    #[error("serial over LAN is disabled on the BMC")]
    Disabled,
    /// The BMC does not allow the user, or does not do it protected as it has to be.
    #[error("the BMC does not give this user an encrypted console: {0}")]
    NotAllowed(Completion),
    /// It did not answer, or refused otherwise.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Activation {
    /// Reads the answer of Activate Payload.
    ///
    /// # Errors
    /// It is cut off.
    pub fn parse(answer: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(answer);
        let read = |reader: &mut Reader<'_>| {
            let _auxiliary: [u8; 4] = reader.array()?;
            Ok([reader.u16()?, reader.u16()?, reader.u16()?])
        };
        let [takes, sends, port] =
            read(&mut reader).map_err(cut("the activation of the console"))?;
        let sane = |size: u16| match size {
            5..=LARGEST => size,
            _ if (5..=LARGEST).contains(&size.swap_bytes()) => size.swap_bytes(),
            _ => USUAL,
        };
        Ok(Self {
            takes: sane(takes),
            sends: sane(sends),
            port,
        })
    }
}

/// Begins serial over LAN in this session.
///
/// # Errors
/// Another console has it, the BMC refuses, or does not answer.
pub async fn activate(bmc: &mut impl Requester) -> Result<Activation, ActivationError> {
    let [kind, instance] = SOL;
    match bmc
        .request(ACTIVATE, &[kind, instance, PROTECTED, 0, 0, 0])
        .await
    {
        Ok(answer) => Ok(Activation::parse(&answer).map_err(Error::from)?),
        Err(Error::Refused(refused)) => Err(match refused.0 {
            0x80 | 0x82 => ActivationError::InUse,
            0x81 => ActivationError::Disabled,
            0x83 | 0x84 | 0xd4 => ActivationError::NotAllowed(refused),
            _ => ActivationError::Failed(Error::Refused(refused)),
        }),
        Err(error) => Err(error.into()),
    }
}

/// Ends serial over LAN, whoever's session it is in: so a console is taken from another. That there is
/// none is no error.
///
/// # Errors
/// The BMC refuses or does not answer.
pub async fn deactivate(bmc: &mut impl Requester) -> Result<(), Error> {
    let [kind, instance] = SOL;
    match bmc.request(DEACTIVATE, &[kind, instance, 0, 0, 0, 0]).await {
        Ok(_) => Ok(()),
        // "Already deactivated".
        Err(Error::Refused(Completion(0x80))) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Asks which session has the console, by the BMC's number for it (0: none has). Nothing where the BMC
/// does not tell.
///
/// # Errors
/// The BMC does not answer, or its answer is cut off.
pub(super) async fn holder(bmc: &mut impl Requester) -> Result<Option<u32>, Error> {
    match bmc.request(INSTANCE, &SOL).await {
        Ok(answer) => {
            let number = Reader::new(&answer).u32();
            Ok(Some(number.map_err(cut("the console's session"))?))
        }
        Err(Error::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::script::Script;

    #[tokio::test]
    async fn a_console_begins_protected_or_says_why_not() {
        let request = [0x06, 0x48, 1, 1, 0xc0, 0, 0, 0];
        let answer = [0, 0, 0, 0, 0xf8, 0, 0, 1, 0x6f, 2, 0xff, 0xff];
        let mut bmc = Script::new(&[
            (&request, Ok(&answer)),
            (&request, Err(0x80)),
            (&request, Err(0x81)),
        ]);
        let activation = activate(&mut bmc).await.unwrap();
        assert_eq!(
            activation,
            Activation {
                takes: 248,
                sends: 256,
                port: 623
            }
        );
        assert!(matches!(
            activate(&mut bmc).await,
            Err(ActivationError::InUse)
        ));
        assert!(matches!(
            activate(&mut bmc).await,
            Err(ActivationError::Disabled)
        ));
        let mut bmc = Script::new(&[(&[0x06, 0x49, 1, 1, 0, 0, 0, 0], Err(0x80))]);
        deactivate(&mut bmc).await.unwrap();
    }

    #[test]
    fn sizes_that_make_no_sense_become_usual_ones() {
        let sizes = |takes: [u8; 2], sends: [u8; 2]| {
            let answer = [&[0; 4][..], &takes, &sends, &[0x6f, 2]].concat();
            let activation = Activation::parse(&answer).unwrap();
            (activation.takes, activation.sends)
        };
        assert_eq!(sizes([0, 0], [0xff, 0xff]), (USUAL, USUAL));
        assert_eq!(sizes([0, 0xf8], [1, 0]), (0xf8, 0x100));
        assert!(Activation::parse(&[0; 9]).is_err());
    }
}
