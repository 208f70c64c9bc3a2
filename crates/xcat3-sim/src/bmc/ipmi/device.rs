//! Who a BMC is, and the minimum about its channel, users and sessions (20 and 22).

use xcat3_ipmi::Completion;

use super::commands::{Answer, Ask, OUT_OF_RANGE};

/// The channel of the network.
pub(super) const CHANNEL: u8 = 1;
/// "This channel".
const PRESENT: u8 = 0x0e;
/// The enterprise number that the specification's channels name.
const FORUM: [u8; 3] = [0xf2, 0x1b, 0x00];
/// Users that a BMC has: the first has no name and is off, the second is the one of the options.
const USERS: u8 = 2;

/// The bytes of a UUID as SMBIOS lays them out: its first three fields the other way round.
pub(super) fn guid(uuid: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    let digits: String = uuid.chars().filter(|digit| *digit != '-').collect();
    // The model's UUIDs are well-formed; another one would be all zero, which is "none".
    let _ = hex::decode_to_slice(digits, &mut bytes);
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

/// Whether the byte names the channel of the network.
pub(super) const fn is_here(channel: u8) -> bool {
    matches!(channel & 0x0f, CHANNEL | PRESENT)
}

/// Get Device ID.
pub(super) fn id(_: &mut Ask<'_>) -> Answer {
    // Revision with SDRs, firmware 1.23, IPMI 2.0, all of chassis, FRU, SEL, SDR and sensors; no
    // enterprise number is ours, product 1.
    let supports = 0x8f;
    Ok(vec![
        0x20, 0x81, 0x01, 0x23, 0x02, supports, 0, 0, 0, 1, 0, 0, 0, 0, 0,
    ])
}

/// Get Self Test Results: everything is well.
pub(super) fn self_test(_: &mut Ask<'_>) -> Answer {
    Ok(vec![0x55, 0])
}

/// Get Device GUID.
pub(super) fn own_guid(ask: &mut Ask<'_>) -> Answer {
    Ok(guid(&ask.machine().bmc_uuid).to_vec())
}

/// Get Session Info: of the one that asks.
pub(super) fn session(ask: &mut Ask<'_>) -> Answer {
    let [which] = ask.bytes()?;
    let slots = u8::try_from(ask.keeps.slots).unwrap_or(63).min(63);
    let open = u8::try_from(ask.asker.sessions).unwrap_or(63).min(63);
    if which != 0 {
        // The others are not told: none by this number.
        return Ok(vec![0, slots, open]);
    }
    let (address, port) = ask.asker.console;
    let mut data = vec![1, slots, open, USERS, ask.asker.level, 0x10 | CHANNEL];
    data.extend_from_slice(&address.octets());
    data.extend_from_slice(&[0; 6]);
    data.extend_from_slice(&port.to_le_bytes());
    Ok(data)
}

/// Get Channel Access: always available.
pub(super) fn channel_access(ask: &mut Ask<'_>) -> Answer {
    let [channel, _] = ask.bytes()?;
    if !is_here(channel) {
        return Err(OUT_OF_RANGE);
    }
    Ok(vec![0x02, ask.keeps.level])
}

/// Get Channel Info: a network, with several sessions at a time.
pub(super) fn channel(ask: &mut Ask<'_>) -> Answer {
    let [channel] = ask.bytes()?;
    if !is_here(channel) {
        return Err(Completion::ABSENT);
    }
    let mut data = vec![CHANNEL, 0x04, 0x01, 0x80];
    data.extend_from_slice(&FORUM);
    data.extend_from_slice(&[0, 0]);
    Ok(data)
}

/// Get User Access.
pub(super) fn user_access(ask: &mut Ask<'_>) -> Answer {
    let [channel, user] = ask.bytes()?;
    if !is_here(channel) {
        return Err(OUT_OF_RANGE);
    }
    let access = match user & 0x3f {
        1 => 0x0f,
        USERS => 0x30 | ask.keeps.level,
        _ => return Err(OUT_OF_RANGE),
    };
    // Users, of these enabled (with that said by the top bits of a user), with fixed names.
    Ok(vec![USERS, 0x40 | 1, 1, access])
}

/// Get User Name.
pub(super) fn user_name(ask: &mut Ask<'_>) -> Answer {
    let [user] = ask.bytes()?;
    let mut name = vec![0; 16];
    match user & 0x3f {
        1 => {}
        USERS => {
            let user = ask.keeps.user.as_bytes();
            let length = user.len().min(name.len());
            name[..length].copy_from_slice(&user[..length]);
        }
        _ => return Err(OUT_OF_RANGE),
    }
    Ok(name)
}
