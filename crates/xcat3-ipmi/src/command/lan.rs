//! LAN configuration of a BMC (IPMI v2.0, 22.24 and 23.2): its MAC address.

use super::{Malformed, truncated};
use crate::client::Error;
use crate::message::Command;
use crate::presession::THIS_CHANNEL;
use crate::requester::Requester;
use crate::wire::Reader;

/// Get Channel Info.
const CHANNEL_INFO: Command = Command::new(0x06, 0x42);
/// Get LAN Configuration Parameters.
const GET: Command = Command::new(0x0c, 0x02);
/// Parameter: MAC address.
const MAC: u8 = 5;

/// Reads the MAC address of the channel over which the request is sent; `None` if it is not set.
///
/// # Errors
/// The BMC refuses, there is no response, or it is truncated.
pub async fn mac_address(bmc: &mut impl Requester) -> Result<Option<[u8; 6]>, Error> {
    let channel = channel(bmc).await?;
    let response = bmc.request(GET, &[channel, MAC, 0, 0]).await?;
    let mac = parse_mac(&response)?;
    Ok(Some(mac).filter(|mac| *mac != [0; 6]))
}

/// The number of the channel over which the request is sent. A BMC without Get Channel Info gets "this
/// channel" instead; the number comes first because not every BMC accepts that here (quirk).
async fn channel(bmc: &mut impl Requester) -> Result<u8, Error> {
    match bmc.request(CHANNEL_INFO, &[THIS_CHANNEL]).await {
        Ok(response) => {
            let number = Reader::new(&response).u8();
            Ok(number.map_err(truncated("the channel info"))? & 0x0f)
        }
        Err(Error::Refused(_)) => Ok(THIS_CHANNEL),
        Err(error) => Err(error),
    }
}

fn parse_mac(response: &[u8]) -> Result<[u8; 6], Malformed> {
    let mut reader = Reader::new(response);
    let mac = reader.u8().and_then(|_revision| reader.array());
    mac.map_err(truncated("the MAC address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::script::Script;

    const CHANNEL_1: [u8; 9] = [0x01, 0x04, 0x01, 0x81, 0xf2, 0x1b, 0, 0, 0];

    #[tokio::test]
    async fn mac_address_is_read_from_the_channel_of_the_session() {
        let mut bmc = Script::new(&[
            (&[0x06, 0x42, 0x0e], Ok(&CHANNEL_1)),
            (&[0x0c, 2, 1, 5, 0, 0], Ok(&[0x11, 2, 0, 0, 0, 0, 7])),
        ]);
        let mac = mac_address(&mut bmc).await.unwrap();
        assert_eq!(mac, Some([2, 0, 0, 0, 0, 7]));
    }

    #[tokio::test]
    async fn mac_address_of_bmc_without_channel_info_is_read_from_this_channel() {
        let mut bmc = Script::new(&[
            (&[0x06, 0x42, 0x0e], Err(0xc1)),
            (&[0x0c, 2, 0x0e, 5, 0, 0], Ok(&[0x11, 2, 0, 0, 0, 0, 7])),
        ]);
        assert!(mac_address(&mut bmc).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn mac_address_unset_or_truncated_is_none_or_an_error() {
        let request = [0x0c, 2, 1, 5, 0, 0];
        let mut bmc = Script::new(&[
            (&[0x06, 0x42, 0x0e], Ok(&CHANNEL_1)),
            (&request, Ok(&[0x11, 0, 0, 0, 0, 0, 0])),
            (&[0x06, 0x42, 0x0e], Ok(&CHANNEL_1)),
            (&request, Ok(&[0x11, 2, 0])),
        ]);
        assert_eq!(mac_address(&mut bmc).await.unwrap(), None);
        let error = mac_address(&mut bmc).await.unwrap_err().to_string();
        assert_eq!(error, "malformed response: the MAC address is truncated");
    }
}
