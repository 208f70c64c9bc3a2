//! Get LAN Configuration Parameters (23.2).

use xcat3_ipmi::Completion;

use super::commands::{Answer, Ask, OUT_OF_RANGE};
use super::device::is_here;

const REVISION: u8 = 0x11;
const NETMASK: [u8; 4] = [255, 0, 0, 0];
/// The first host of the simulated BMCs' network.
const GATEWAY: [u8; 4] = [127, 0, 0, 1];

/// Get LAN Configuration Parameters.
pub(super) fn get(ask: &mut Ask<'_>) -> Answer {
    let [channel, parameter, _set, _block] = ask.bytes()?;
    if !is_here(channel) {
        return Err(OUT_OF_RANGE);
    }
    if channel & 0x80 != 0 {
        return Ok(vec![REVISION]);
    }
    let suites = &ask.keeps.suites;
    let data = match parameter {
        // Set in progress: no. Support and enables of authentication by IPMI v1.5: none.
        0 | 1 => vec![0],
        2 => vec![0; 5],
        3 => ask.machines.address(ask.keeps.index).octets().to_vec(),
        // Static.
        4 => vec![1],
        5 => mac(&ask.machine().bmc_mac),
        6 => NETMASK.to_vec(),
        7 => vec![0x40, 0x40, 0x10],
        8 => 623_u16.to_le_bytes().to_vec(),
        // Answers to ARP.
        10 => vec![0x02],
        11 => vec![0],
        12 => GATEWAY.to_vec(),
        13 | 15 => vec![0; 6],
        14 => vec![0; 4],
        16 => [&b"public"[..], &[0; 12]].concat(),
        20 => vec![0, 0],
        21 => vec![0],
        22 => vec![u8::try_from(suites.len()).unwrap_or(0)],
        23 => {
            let ids = suites.iter().map(|suite| suite.id());
            [0].into_iter().chain(ids).collect()
        }
        // All of them up to administrator.
        24 => vec![0, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44],
        _ => return Err(Completion::UNKNOWN_PARAMETER),
    };
    Ok([&[REVISION], &data[..]].concat())
}

fn mac(text: &str) -> Vec<u8> {
    let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16));
    bytes.map(Result::unwrap_or_default).collect()
}
