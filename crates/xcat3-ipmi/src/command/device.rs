//! Who a BMC is: Get Device ID, Get Device GUID and Get System GUID (IPMI v2.0, 20.1, 20.8, 22.14).

use std::fmt;

use super::{Malformed, cut};
use crate::client::Error;
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// Get Device ID.
const DEVICE_ID: Command = Command::new(0x06, 0x01);
/// Get Device GUID.
const DEVICE_GUID: Command = Command::new(0x06, 0x08);
/// Get System GUID.
const SYSTEM_GUID: Command = Command::new(0x06, 0x37);

/// What a BMC says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceId {
    /// Its kind, as its maker numbers them.
    pub id: u8,
    /// Revision of its hardware.
    pub revision: u8,
    /// It has sensors of its own (device SDRs).
    pub has_device_sdrs: bool,
    /// Its firmware is being updated, or it is starting.
    pub updating: bool,
    /// Firmware, major and minor.
    pub firmware: (u8, u8),
    /// Firmware, four bytes that its maker defines, where it tells them.
    pub auxiliary: Option<[u8; 4]>,
    /// Version of IPMI, major and minor.
    pub ipmi: (u8, u8),
    /// What it offers.
    pub support: Support,
    /// Its maker, by the number that IANA gave (private enterprise numbers).
    pub manufacturer: u32,
    /// The product, as its maker numbers them.
    pub product: u16,
}

/// What a BMC offers (20.1, "additional device support").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Support(pub u8);

impl Support {
    /// Sensors.
    #[must_use]
    pub fn sensors(self) -> bool {
        self.0 & 1 != 0
    }

    /// A repository of sensor data records.
    #[must_use]
    pub fn sdr_repository(self) -> bool {
        self.0 & 2 != 0
    }

    /// A system event log.
    #[must_use]
    pub fn event_log(self) -> bool {
        self.0 & 4 != 0
    }

    /// An inventory of replaceable units.
    #[must_use]
    pub fn fru_inventory(self) -> bool {
        self.0 & 8 != 0
    }

    /// Control of the chassis.
    #[must_use]
    pub fn chassis(self) -> bool {
        self.0 & 0x80 != 0
    }
}

impl DeviceId {
    /// Reads the answer of Get Device ID.
    ///
    /// # Errors
    /// It is cut off.
    pub fn parse(answer: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(answer);
        let cut = cut("the device id");
        let [id, revision, major, minor, ipmi, support] = reader.array().map_err(&cut)?;
        let [low, middle, high] = reader.array().map_err(&cut)?;
        let product = reader.u16().map_err(&cut)?;
        Ok(Self {
            id,
            revision: revision & 0x0f,
            has_device_sdrs: revision & 0x80 != 0,
            updating: major & 0x80 != 0,
            firmware: (major & 0x7f, decimal(minor)),
            auxiliary: reader.array().ok(),
            ipmi: (ipmi & 0x0f, ipmi >> 4),
            support: Support(support),
            // 20 bits.
            manufacturer: u32::from_le_bytes([low, middle, high & 0x0f, 0]),
            product,
        })
    }

    /// The version of its firmware, as ipmitool writes it.
    #[must_use]
    pub fn firmware_version(&self) -> String {
        format!("{}.{:02}", self.firmware.0, self.firmware.1)
    }

    /// Its maker's name, where it is one of the usual.
    #[must_use]
    pub fn manufacturer_name(&self) -> Option<&'static str> {
        let entry = MAKERS.iter().find(|entry| entry.0 == self.manufacturer);
        entry.map(|entry| entry.1)
    }
}

/// Two decimal digits. Some BMCs (quirk) give plain binary: then digits above nine appear.
fn decimal(byte: u8) -> u8 {
    match (byte >> 4, byte & 0x0f) {
        (tens @ 0..=9, ones @ 0..=9) => tens * 10 + ones,
        _ => byte,
    }
}

/// Private enterprise numbers of those who make BMCs and servers.
const MAKERS: [(u32, &str); 33] = [
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

/// A number that is told apart from all others.
///
/// The specification stores it from the last byte to the first; most BMCs (quirk) give it as SMBIOS
/// or RFC 4122 lay it out. [`Guid::likely`] tells which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// Reads the answer of Get System GUID or Get Device GUID. Nothing where no number was ever set.
    ///
    /// # Errors
    /// It is shorter than 16 bytes.
    pub fn parse(answer: &[u8]) -> Result<Option<Self>, Malformed> {
        let bytes = Reader::new(answer).array().map_err(cut("the GUID"))?;
        let is_set = bytes != [0; 16] && bytes != [0xff; 16];
        Ok(is_set.then_some(Self(bytes)))
    }

    /// The bytes in the order in which a UUID is written, by the first layout in which it has a
    /// version and a variant that exist, or at least a version: SMBIOS, RFC 4122, IPMI. By SMBIOS
    /// where there is none.
    #[must_use]
    pub fn likely(&self) -> [u8; 16] {
        let mut reversed = self.0;
        reversed.reverse();
        let layouts = [smbios(self.0), self.0, reversed];
        let has_version = |uuid: &&[u8; 16]| (1..=5).contains(&(uuid[6] >> 4));
        let is_whole = |uuid: &&[u8; 16]| has_version(uuid) && uuid[8] >> 6 == 2;
        let likely = layouts.iter().find(is_whole);
        *likely
            .or(layouts.iter().find(has_version))
            .unwrap_or(&layouts[0])
    }
}

/// In SMBIOS the first three fields stand with the lowest byte first.
fn smbios(bytes: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let mut uuid = [0; 16];
    uuid[..8].copy_from_slice(&[d, c, b, a, f, e, h, g]);
    uuid[8..].copy_from_slice(&rest);
    uuid
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.likely().iter().enumerate() {
            let dash = if matches!(at, 4 | 6 | 8 | 10) {
                "-"
            } else {
                ""
            };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

/// Asks a BMC who it is.
///
/// # Errors
/// The BMC refuses, does not answer, or its answer is cut off.
pub async fn id(bmc: &mut impl Requester) -> Result<DeviceId, Error> {
    Ok(DeviceId::parse(&bmc.request(DEVICE_ID, &[]).await?)?)
}

/// Asks for the machine's GUID; a BMC that has none for the machine (quirk: it does not know the
/// command) is asked for its own.
///
/// # Errors
/// The BMC refuses, does not answer, or its answer is cut off.
pub async fn guid(bmc: &mut impl Requester) -> Result<Option<Guid>, Error> {
    match bmc.request(SYSTEM_GUID, &[]).await {
        Ok(answer) => Ok(Guid::parse(&answer)?),
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

    /// As a Supermicro X11 answers, by the layout of the specification.
    const X11: [u8; 15] = [
        0x20, 0x01, 0x03, 0x88, 0x02, 0xbf, 0x7c, 0x2a, 0x00, 0x59, 0x09, 0, 0, 0, 0,
    ];

    #[test]
    fn a_device_id_says_who_it_is() {
        let device = DeviceId::parse(&X11).unwrap();
        assert_eq!(device.id, 0x20);
        assert_eq!(device.firmware_version(), "3.88");
        assert_eq!(device.ipmi, (2, 0));
        assert_eq!(device.manufacturer, 10876);
        assert_eq!(device.manufacturer_name(), Some("Supermicro"));
        assert_eq!(device.product, 0x0959);
        assert_eq!(device.auxiliary, Some([0; 4]));
        assert!(device.support.chassis() && device.support.event_log());
        assert!(!device.updating && !device.has_device_sdrs);
        assert!(DeviceId::parse(&X11[..11]).unwrap().auxiliary.is_none());
        for length in 0..11 {
            assert!(DeviceId::parse(&X11[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn guids_are_read_in_the_layout_in_which_they_make_sense() {
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
    async fn a_bmc_without_a_guid_of_the_machine_is_asked_for_its_own() {
        let own = [1; 16];
        let mut bmc = Script::new(&[(&[0x06, 0x37][..], Err(0xc1)), (&[0x06, 0x08], Ok(&own))]);
        assert_eq!(guid(&mut bmc).await.unwrap(), Some(Guid(own)));
    }
}
