//! Names of a BMC's users (IPMI v2.0, 22.27 to 22.29). Passwords are not its business.

use super::text::{Encoding, decode};
use super::{Malformed, cut};
use crate::client::Error;
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// Get User Access.
const ACCESS: Command = Command::new(0x06, 0x44);
/// Set User Name.
const SET_NAME: Command = Command::new(0x06, 0x45);
/// Get User Name.
const GET_NAME: Command = Command::new(0x06, 0x46);

/// Bytes of a name.
const LENGTH: usize = 16;
/// Some BMCs give this for a user that has no name: "the data is not there".
const NO_NAME: Completion = Completion(0xcc);

/// What users there are on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserAccess {
    /// How many there can be; their numbers begin with 1.
    pub most: u8,
    /// How many are enabled.
    pub enabled: u8,
    /// What this one may do at most: 2 user, 3 operator, 4 administrator, 15 nothing.
    pub level: u8,
}

impl UserAccess {
    /// Reads the answer of Get User Access.
    ///
    /// # Errors
    /// It is cut off.
    pub fn parse(answer: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(answer);
        let bytes: [u8; 4] = reader.array().map_err(cut("the user's access"))?;
        let [most, enabled, _fixed, level] = bytes;
        Ok(Self {
            most: most & 0x3f,
            enabled: enabled & 0x3f,
            level: level & 0x0f,
        })
    }
}

/// Asks what a user (1 to 63) may do on a channel (0x0e: this one).
///
/// # Errors
/// The BMC refuses, does not answer, or its answer is cut off.
pub async fn access(bmc: &mut impl Requester, channel: u8, user: u8) -> Result<UserAccess, Error> {
    Ok(UserAccess::parse(
        &bmc.request(ACCESS, &[channel, user]).await?,
    )?)
}

/// Asks for the name of a user; empty where it has none.
///
/// # Errors
/// The BMC refuses or does not answer.
pub async fn name(bmc: &mut impl Requester, user: u8) -> Result<String, Error> {
    match bmc.request(GET_NAME, &[user]).await {
        Ok(answer) => Ok(decode(
            Encoding::EightBit,
            &answer[..answer.len().min(LENGTH)],
        )),
        Err(Error::Refused(NO_NAME | Completion::NOT_PRESENT)) => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// Names a user.
///
/// # Errors
/// The name has more than 16 bytes, or the BMC refuses or does not answer.
pub async fn set_name(bmc: &mut impl Requester, user: u8, name: &str) -> Result<(), Error> {
    let mut request = [0; 1 + LENGTH];
    request[0] = user;
    let place = request[1..].get_mut(..name.len());
    let place = place.ok_or(Malformed::from("a user's name has at most 16 bytes"))?;
    place.copy_from_slice(name.as_bytes());
    bmc.request(SET_NAME, &request).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::script::Script;

    #[tokio::test]
    async fn users_have_names_of_sixteen_bytes() {
        let padded = *b"\x02admin\0\0\0\0\0\0\0\0\0\0\0";
        let sent = [&[0x06, 0x45][..], &padded].concat();
        let mut bmc = Script::new(&[
            (&sent, Ok(&[])),
            (&[0x06, 0x46, 2], Ok(&padded[1..])),
            (&[0x06, 0x46, 3], Err(0xcc)),
        ]);
        set_name(&mut bmc, 2, "admin").await.unwrap();
        assert_eq!(name(&mut bmc, 2).await.unwrap(), "admin");
        assert_eq!(name(&mut bmc, 3).await.unwrap(), "");
        assert!(set_name(&mut bmc, 2, "seventeen letters").await.is_err());
        let access = UserAccess::parse(&[0x3f, 0x02, 0x01, 0x34]).unwrap();
        assert_eq!((access.most, access.enabled, access.level), (63, 2, 4));
    }
}
