//! Activate and Deactivate Payload for serial over LAN (IPMI v2.0, 24.1 and 24.2).

use crate::client::Error;
use crate::command::{Malformed, truncated};
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// Activate Payload.
const ACTIVATE: Command = Command::new(0x06, 0x48);
/// Deactivate Payload.
const DEACTIVATE: Command = Command::new(0x06, 0x49);
/// Get Payload Instance Info.
const INSTANCE_INFO: Command = Command::new(0x06, 0x4b);
/// Payload type serial over LAN, first instance.
const SOL: [u8; 2] = [1, 1];
/// Encryption and authentication.
const PROTECTED: u8 = 0xc0;
/// Payload size for a BMC that reports an impossible one (quirk: zero, or the bytes swapped).
const DEFAULT_PAYLOAD: u16 = 200;
const MAX_PAYLOAD: u16 = 1_024;
/// Completion code of Deactivate Payload: already deactivated.
const ALREADY_DEACTIVATED: Completion = Completion(0x80);

/// Why serial over LAN could not be activated.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// Another session has the console.
    #[error("another session has the console")]
    InUse,
    /// Serial over LAN is disabled.
    #[error("serial over LAN is disabled on the BMC")]
    Disabled,
    /// The user may not use serial over LAN, or the BMC has no encryption for it.
    #[error("the BMC does not allow this user an encrypted console: {0}")]
    NotAllowed(Completion),
    /// The request failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Activates serial over LAN in this session and returns the largest payload that the BMC accepts, in bytes.
///
/// # Errors
/// Another session has the console, the BMC refuses, or there is no response.
pub(super) async fn activate(bmc: &mut impl Requester) -> Result<u16, ActivationError> {
    let [payload_type, instance] = SOL;
    let request = [payload_type, instance, PROTECTED, 0, 0, 0];
    match bmc.request(ACTIVATE, &request).await {
        Ok(response) => Ok(payload_size(&response).map_err(Error::from)?),
        Err(Error::Refused(refused)) => Err(match refused.0 {
            0x80 | 0x82 => ActivationError::InUse,
            0x81 => ActivationError::Disabled,
            0x83 | 0x84 | 0xd4 => ActivationError::NotAllowed(refused),
            _ => ActivationError::Failed(Error::Refused(refused)),
        }),
        Err(error) => Err(error.into()),
    }
}

/// The inbound payload size in a response of Activate Payload.
fn payload_size(response: &[u8]) -> Result<u16, Malformed> {
    let mut reader = Reader::new(response);
    let read = |reader: &mut Reader<'_>| {
        let _auxiliary: [u8; 4] = reader.array()?;
        let inbound = reader.u16()?;
        let _outbound_and_port: [u8; 4] = reader.array()?;
        Ok(inbound)
    };
    let size = read(&mut reader).map_err(truncated("the response to Activate Payload"))?;
    Ok(match size {
        5..=MAX_PAYLOAD => size,
        _ if (5..=MAX_PAYLOAD).contains(&size.swap_bytes()) => size.swap_bytes(),
        _ => DEFAULT_PAYLOAD,
    })
}

/// Deactivates serial over LAN, also that of another session: so a console is taken over. It is no error if
/// serial over LAN is not active.
///
/// # Errors
/// The BMC refuses, or there is no response.
pub(super) async fn deactivate(bmc: &mut impl Requester) -> Result<(), Error> {
    let [payload_type, instance] = SOL;
    let request = [payload_type, instance, 0, 0, 0, 0];
    match bmc.request(DEACTIVATE, &request).await {
        Ok(_) | Err(Error::Refused(ALREADY_DEACTIVATED)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The BMC's number of the session that has the console (0: none); `None` if the BMC does not report it.
///
/// # Errors
/// There is no response, or it is truncated.
pub(super) async fn owner(bmc: &mut impl Requester) -> Result<Option<u32>, Error> {
    match bmc.request(INSTANCE_INFO, &SOL).await {
        Ok(response) => {
            let number = Reader::new(&response).u32();
            Ok(Some(number.map_err(truncated("the payload instance"))?))
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
    async fn activation_refused_says_why() {
        let request = [0x06, 0x48, 1, 1, 0xc0, 0, 0, 0];
        let response = [0, 0, 0, 0, 0xf8, 0, 0, 1, 0x6f, 2, 0xff, 0xff];
        let mut bmc = Script::new(&[
            (&request, Ok(&response)),
            (&request, Err(0x80)),
            (&request, Err(0x81)),
            (&request, Err(0xd4)),
        ]);
        assert_eq!(activate(&mut bmc).await.unwrap(), 248);
        let mut refused = async || activate(&mut bmc).await.unwrap_err();
        assert!(matches!(refused().await, ActivationError::InUse));
        assert!(matches!(refused().await, ActivationError::Disabled));
        assert!(matches!(refused().await, ActivationError::NotAllowed(_)));
    }

    #[tokio::test]
    async fn deactivation_of_inactive_console_succeeds() {
        let mut bmc = Script::new(&[(&[0x06, 0x49, 1, 1, 0, 0, 0, 0], Err(0x80))]);
        deactivate(&mut bmc).await.unwrap();
    }

    #[test]
    fn payload_size_impossible_becomes_default() {
        let size = |inbound: [u8; 2]| {
            let response = [&[0; 4][..], &inbound, &[0xff, 0xff, 0x6f, 2]].concat();
            payload_size(&response).unwrap()
        };
        assert_eq!(size([0, 0]), DEFAULT_PAYLOAD);
        assert_eq!(size([0xff, 0xff]), DEFAULT_PAYLOAD);
        assert_eq!(size([0, 0xf8]), 0xf8);
        assert_eq!(size([1, 0]), 0x100);
        assert!(payload_size(&[0; 9]).is_err());
    }
}
