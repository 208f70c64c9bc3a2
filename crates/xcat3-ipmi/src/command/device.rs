//! Identity of a BMC: Get Device ID, Get Device GUID and Get System GUID (IPMI v2.0, 20.1, 20.8, 22.14).

use std::fmt;

use super::{Malformed, truncated};
use crate::client::Error;
use crate::message::{Command, Completion};
use crate::presession::SYSTEM_GUID;
use crate::requester::Requester;
use crate::wire::Reader;

/// Get Device ID.
const DEVICE_ID: Command = Command::new(0x06, 0x01);
/// Get Device GUID.
const DEVICE_GUID: Command = Command::new(0x06, 0x08);

/// The response of Get Device ID, as far as xcat3 uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceId {
    /// The BMC has records of its own sensors (device SDRs).
    pub has_device_sdrs: bool,
    /// The BMC has a repository of sensor data records.
    pub has_sdr_repository: bool,
    /// Firmware version, major and minor.
    pub firmware: (u8, u8),
    /// IANA private enterprise number of the manufacturer.
    pub manufacturer: u32,
    /// Product number of the manufacturer.
    pub product: u16,
}

impl DeviceId {
    /// Parses a response of Get Device ID.
    ///
    /// # Errors
    /// The response is truncated.
    pub fn parse(response: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(response);
        let truncated = truncated("the device ID");
        let head = reader.array().map_err(&truncated)?;
        let [_id, revision, major, minor, _ipmi_version, support] = head;
        let [low, middle, high] = reader.array().map_err(&truncated)?;
        let product = reader.u16().map_err(&truncated)?;
        Ok(Self {
            has_device_sdrs: revision & 0x80 != 0,
            has_sdr_repository: support & 2 != 0,
            firmware: (major & 0x7f, decimal(minor)),
            // 20 bits.
            manufacturer: u32::from_le_bytes([low, middle, high & 0x0f, 0]),
            product,
        })
    }

    /// The firmware version in the format of ipmitool.
    #[must_use]
    pub fn firmware_version(&self) -> String {
        format!("{}.{:02}", self.firmware.0, self.firmware.1)
    }

    /// Name of the manufacturer, if it is a common one.
    #[must_use]
    pub fn manufacturer_name(&self) -> Option<&'static str> {
        let entry = MANUFACTURERS
            .iter()
            .find(|entry| entry.0 == self.manufacturer);
        entry.map(|entry| entry.1)
    }
}

/// Decodes two BCD digits. Some BMCs send plain binary (quirk): a digit above nine shows it.
fn decimal(byte: u8) -> u8 {
    match (byte >> 4, byte & 0x0f) {
        (tens @ 0..=9, ones @ 0..=9) => tens * 10 + ones,
        _ => byte,
    }
}

/// Private enterprise numbers of manufacturers of BMCs and servers.
const MANUFACTURERS: [(u32, &str); 33] = [
    (2, "IBM"),
    (11, "Hewlett-Packard"),
    (42, "Oracle (Sun)"),
    (116, "Hitachi"),
    (119, "NEC"),
    (186, "Toshiba"),
    (343, "Intel"),
    (373, "Tatung"),
    (399, "Hewlett-Packard"),
    (674, "Dell"),
    (2011, "Huawei"),
    (2623, "ASUS"),
    (4163, "Peppercon"),
    (4741, "Raritan"),
    (5703, "NVIDIA"),
    (5771, "Cisco"),
    (6653, "Tyan"),
    (7154, "IPMI forum"),
    (7244, "Quanta"),
    (9237, "Newisys"),
    (10297, "Advantech"),
    (10368, "Fujitsu Siemens"),
    (10876, "Supermicro"),
    (15370, "Gigabyte"),
    (16394, "PICMG"),
    (19046, "Lenovo"),
    (20301, "IBM"),
    (20974, "Xyratex"),
    (27768, "Netweb"),
    (33010, "Pathfinder"),
    (37945, "Inspur"),
    (40092, "Wiwynn"),
    (49769, "Yadro"),
];

/// A GUID in the byte order of the BMC.
///
/// The specification stores it from the last byte to the first; most BMCs send it in the layout of SMBIOS or
/// RFC 4122 (quirk). [`Guid::to_uuid`] finds the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// Parses a response of Get System GUID or Get Device GUID; `None` if the GUID was never set.
    ///
    /// # Errors
    /// The response is shorter than 16 bytes.
    pub fn parse(response: &[u8]) -> Result<Option<Self>, Malformed> {
        let bytes = Reader::new(response).array();
        let bytes = bytes.map_err(truncated("the GUID"))?;
        let is_set = bytes != [0; 16] && bytes != [0xff; 16];
        Ok(is_set.then_some(Self(bytes)))
    }

    /// The bytes in the order in which a UUID is written. Of the layouts SMBIOS, RFC 4122 and IPMI it takes
    /// the first with a valid version and variant, or else the first with a valid version, or else SMBIOS.
    #[must_use]
    pub fn to_uuid(&self) -> [u8; 16] {
        let mut reversed = self.0;
        reversed.reverse();
        let layouts = [smbios(self.0), self.0, reversed];
        let has_version = |uuid: &&[u8; 16]| (1..=5).contains(&(uuid[6] >> 4));
        let is_whole = |uuid: &&[u8; 16]| has_version(uuid) && uuid[8] >> 6 == 2;
        let whole = layouts.iter().find(is_whole);
        *whole
            .or(layouts.iter().find(has_version))
            .unwrap_or(&layouts[0])
    }
}

/// Swaps between the layouts of SMBIOS and RFC 4122: SMBIOS has the first three fields low byte first.
fn smbios(bytes: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let mut uuid = [0; 16];
    uuid[..8].copy_from_slice(&[d, c, b, a, f, e, h, g]);
    uuid[8..].copy_from_slice(&rest);
    uuid
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.to_uuid().iter().enumerate() {
            let dash = if matches!(index, 4 | 6 | 8 | 10) {
                "-"
            } else {
                ""
            };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

/// Reads the device ID.
///
/// # Errors
/// The BMC refuses, there is no response, or it is truncated.
pub async fn id(bmc: &mut impl Requester) -> Result<DeviceId, Error> {
    Ok(DeviceId::parse(&bmc.request(DEVICE_ID, &[]).await?)?)
}

/// Reads the system GUID, or the device GUID of a BMC without Get System GUID (quirk).
///
/// # Errors
/// The BMC refuses, there is no response, or it is truncated.
pub async fn guid(bmc: &mut impl Requester) -> Result<Option<Guid>, Error> {
    match bmc.request(SYSTEM_GUID, &[]).await {
        Ok(response) => Ok(Guid::parse(&response)?),
        Err(Error::Refused(Completion::UNKNOWN_COMMAND | Completion::NOT_PRESENT)) => {
            Ok(Guid::parse(&bmc.request(DEVICE_GUID, &[]).await?)?)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::script::Script;

    /// The response of a Supermicro X11, in the layout of the specification.
    const X11: [u8; 15] = [
        0x20, 0x01, 0x03, 0x88, 0x02, 0xbf, 0x7c, 0x2a, 0x00, 0x59, 0x09, 0, 0, 0, 0,
    ];

    #[test]
    fn device_id_of_real_bmc_is_parsed() {
        let device = DeviceId::parse(&X11).unwrap();
        assert_eq!(device.firmware_version(), "3.88");
        assert_eq!(device.manufacturer, 10876);
        assert_eq!(device.manufacturer_name(), Some("Supermicro"));
        assert_eq!(device.product, 0x0959);
        assert!(device.has_sdr_repository && !device.has_device_sdrs);
    }

    #[test]
    fn device_id_truncated_is_an_error() {
        assert!(DeviceId::parse(&X11[..11]).is_ok());
        for length in 0..11 {
            assert!(DeviceId::parse(&X11[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn guid_in_each_layout_becomes_the_same_uuid() {
        let written = "12345678-9abc-4def-8123-456789abcdef";
        let straight: Vec<u8> = hex::decode(written.replace('-', "")).unwrap();
        let straight: [u8; 16] = straight.try_into().unwrap();
        let mut reversed = straight;
        reversed.reverse();
        for bytes in [straight, smbios(straight), reversed] {
            let guid = Guid::parse(&bytes).unwrap().unwrap();
            assert_eq!(guid.to_string(), written, "{bytes:02x?}");
        }
        assert_eq!(Guid::parse(&[0; 16]).unwrap(), None);
        assert_eq!(Guid::parse(&[0xff; 16]).unwrap(), None);
        assert!(Guid::parse(&[1; 15]).is_err());
    }

    #[tokio::test]
    async fn guid_of_bmc_without_system_guid_is_the_device_guid() {
        let own = [1; 16];
        let mut bmc = Script::new(&[(&[0x06, 0x37][..], Err(0xc1)), (&[0x06, 0x08], Ok(&own))]);
        assert_eq!(guid(&mut bmc).await.unwrap(), Some(Guid(own)));
    }
}
