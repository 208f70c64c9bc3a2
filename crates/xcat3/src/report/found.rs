//! BMCs that were found, as rows.

use xcat3_core::hardware::FoundBmc;

use super::{Told, or_dash, together};

pub const HEADERS: [&str; 8] = [
    "ADDRESS", "SPEAKS", "MODEL", "SERIAL", "BMC", "BMC MAC", "UUID", "MACS",
];

/// The row of a BMC. Its address stands for the node.
pub fn row(found: &FoundBmc) -> Told {
    let bmc = found.bmc.as_ref();
    let maker = bmc.and_then(|bmc| bmc.manufacturer.as_deref());
    let firmware = bmc.and_then(|bmc| bmc.firmware.as_deref());
    let row = vec![
        or_dash(found.protocol.as_deref()),
        together(&[found.manufacturer.as_deref(), found.model.as_deref()]),
        or_dash(found.serial.as_deref()),
        together(&[maker, firmware]),
        or_dash(bmc.and_then(|bmc| bmc.mac.as_deref())),
        or_dash(found.uuid.as_deref()),
        or_dash(Some(&found.macs.join(","))),
    ];
    Told::rows(vec![row], &found.notes)
}
