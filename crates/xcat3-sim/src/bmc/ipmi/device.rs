//! Who a BMC is, and the minimum about its channel, users and sessions (20 and 22).

use xcat3_ipmi::Completion;

use super::bmc::NO_ACCESS;
use super::commands::{Answer, Ask, OUT_OF_RANGE};

/// The channel of the network.
pub(super) const CHANNEL: u8 = 1;
/// "This channel".
const PRESENT: u8 = 0x0e;
/// The enterprise number that the specification's channels name.
const FORUM: [u8; 3] = [0xf2, 0x1b, 0x00];
/// A field of the request is not valid.
const INVALID: Completion = Completion(0xcc);
/// The number of the first account: the user of number 1 has no name.
const FIRST_USER: u8 = 2;

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

/// Cold Reset and Warm Reset: the BMC restarts once it has answered.
pub(super) fn restart(ask: &mut Ask<'_>) -> Answer {
    ask.keeps.restarts = true;
    Ok(Vec::new())
}

/// Get Self Test Results: everything is well.
pub(super) fn self_test(_: &mut Ask<'_>) -> Answer {
    Ok(vec![0x55, 0])
}

/// Get Device GUID.
pub(super) fn own_guid(ask: &mut Ask<'_>) -> Answer {
    Ok(guid(&ask.machine().bmc_uuid).to_vec())
}

/// Get Session Info: of the one that asks (0), or of one of those that are open, by their order.
pub(super) fn session(ask: &mut Ask<'_>) -> Answer {
    let [which] = ask.bytes()?;
    let open = &ask.asker.open;
    let most = |count: usize| u8::try_from(count).unwrap_or(63).min(63);
    let slots = [most(ask.keeps.slots), most(open.len())];
    let found = match which {
        0 => open.iter().position(|one| one.0 == ask.asker.session),
        0xfe | 0xff => return Err(OUT_OF_RANGE),
        which => Some(usize::from(which) - 1),
    };
    let Some((place, (number, user, level))) = found.and_then(|at| Some((at, open.get(at)?)))
    else {
        // None by this number.
        return Ok(vec![0, slots[0], slots[1]]);
    };
    let mut accounts = ask.keeps.accounts.iter();
    let user = accounts.position(|(name, _)| name == user);
    let user = user.map_or(0, |user| most(user) + FIRST_USER);
    let mut data = vec![
        most(place + 1),
        slots[0],
        slots[1],
        user,
        *level,
        0x10 | CHANNEL,
    ];
    // Where the others' consoles are is not told.
    if *number == ask.asker.session {
        let (address, port) = ask.asker.console;
        data.extend_from_slice(&address.octets());
        data.extend_from_slice(&[0; 6]);
        data.extend_from_slice(&port.to_le_bytes());
    } else {
        data.extend_from_slice(&[0; 12]);
    }
    Ok(data)
}

/// Get Channel Access: always available, with alerts and users' levels.
pub(super) fn channel_access(ask: &mut Ask<'_>) -> Answer {
    let [channel, _] = ask.bytes()?;
    if !is_here(channel) {
        return Err(OUT_OF_RANGE);
    }
    Ok(vec![0x02, super::Level::Administrator.number()])
}

/// Get Channel Info: a network, with several sessions at a time.
pub(super) fn channel(ask: &mut Ask<'_>) -> Answer {
    let [channel] = ask.bytes()?;
    if !is_here(channel) {
        return Err(INVALID);
    }
    let mut data = vec![CHANNEL, 0x04, 0x01, 0x80];
    data.extend_from_slice(&FORUM);
    data.extend_from_slice(&[0, 0]);
    Ok(data)
}

/// Get User Access: the first user has no name and is off, the accounts follow.
pub(super) fn user_access(ask: &mut Ask<'_>) -> Answer {
    let [channel, user] = ask.bytes()?;
    if !is_here(channel) {
        return Err(OUT_OF_RANGE);
    }
    let accounts = &ask.keeps.accounts;
    let access = match user & 0x3f {
        1 => NO_ACCESS,
        user => match account(ask, user)?.1 {
            NO_ACCESS => NO_ACCESS,
            // By link authentication and by messages.
            level => 0x30 | level,
        },
    };
    // The top bits say whether the user is on.
    let on = if access == NO_ACCESS { 0x80 } else { 0x40 };
    let enabled = accounts.iter().filter(|(_, level)| *level != NO_ACCESS);
    let enabled = u8::try_from(enabled.count()).unwrap_or(0x3f);
    let all = u8::try_from(accounts.len()).unwrap_or(0x3e) + 1;
    // All users, those that are on, fixed names: of all.
    Ok(vec![all, on | enabled, all, access])
}

/// Get User Name.
pub(super) fn user_name(ask: &mut Ask<'_>) -> Answer {
    let [user] = ask.bytes()?;
    let mut bytes = vec![0; 16];
    if user & 0x3f != 1 {
        let (name, _) = account(ask, user & 0x3f)?;
        let length = name.len().min(bytes.len());
        bytes[..length].copy_from_slice(&name[..length]);
    }
    Ok(bytes)
}

/// The account of a user's number.
fn account<'a>(ask: &'a Ask<'_>, user: u8) -> Result<&'a (Vec<u8>, u8), Completion> {
    let place = user.checked_sub(FIRST_USER);
    let account = place.and_then(|place| ask.keeps.accounts.get(usize::from(place)));
    account.ok_or(OUT_OF_RANGE)
}
