//! Which firmware or loader asks for an address, told from its DHCP request.
//!
//! RFC 4578 (options 93, 94, 97), its IANA registry "Processor Architecture Types", the PXE and UEFI
//! specifications' vendor classes (option 60), and iPXE's user class (option 77).

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Firmware {
    /// PXE of a PC BIOS.
    Bios,
    /// PXE of UEFI on x86_64.
    UefiX64,
    /// PXE of UEFI on aarch64.
    UefiArm64,
    /// HTTP boot of UEFI on x86_64.
    UefiHttpX64,
    /// HTTP boot of UEFI on aarch64.
    UefiHttpArm64,
    /// iPXE, which loads a script.
    Ipxe,
    /// Petitboot on OpenPOWER, which reads a configuration file (option 209).
    Opal,
    /// An operating system, or a firmware that is not known.
    Other,
}

/// What a DHCP request says of its sender's firmware.
#[derive(Clone, Copy, Debug, Default)]
pub struct FirmwareOptions<'a> {
    /// Option 93, the first architecture in it.
    pub architecture: Option<u16>,
    /// Option 60.
    pub vendor_class: Option<&'a [u8]>,
    /// Option 77, with or without the length byte of RFC 3004.
    pub user_class: Option<&'a [u8]>,
}

impl Firmware {
    /// Tells the firmware from the options of a request.
    #[must_use]
    pub fn detect(options: FirmwareOptions<'_>) -> Self {
        let class = options.vendor_class.unwrap_or_default();
        let (pxe, http) = (
            class.starts_with(b"PXEClient"),
            class.starts_with(b"HTTPClient"),
        );
        if options
            .user_class
            .is_some_and(|user| user.ends_with(b"iPXE"))
        {
            return Self::Ipxe;
        }
        match options.architecture {
            Some(14) => Self::Opal,
            Some(0) if pxe => Self::Bios,
            // Type 9 is EFI byte code, which x86_64 machines of the first years call themselves.
            Some(7 | 9) if pxe => Self::UefiX64,
            Some(11) if pxe => Self::UefiArm64,
            Some(16) if http => Self::UefiHttpX64,
            Some(19) if http => Self::UefiHttpArm64,
            None if pxe => Self::Bios,
            _ => Self::Other,
        }
    }

    /// Whether it loads its boot program by HTTP and wants `HTTPClient` in the reply's option 60.
    #[must_use]
    pub fn is_http(self) -> bool {
        matches!(self, Self::UefiHttpX64 | Self::UefiHttpArm64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(architecture: Option<u16>, vendor: &str, user: &str) -> Firmware {
        Firmware::detect(FirmwareOptions {
            architecture,
            vendor_class: (!vendor.is_empty()).then_some(vendor.as_bytes()),
            user_class: (!user.is_empty()).then_some(user.as_bytes()),
        })
    }

    #[test]
    fn each_firmware_is_told_apart() {
        assert_eq!(
            detect(Some(0), "PXEClient:Arch:00000:UNDI:002001", ""),
            Firmware::Bios
        );
        assert_eq!(
            detect(Some(7), "PXEClient:Arch:00007:UNDI:003001", ""),
            Firmware::UefiX64
        );
        assert_eq!(
            detect(Some(11), "PXEClient:Arch:00011", ""),
            Firmware::UefiArm64
        );
        assert_eq!(
            detect(Some(16), "HTTPClient:Arch:00016", ""),
            Firmware::UefiHttpX64
        );
        assert_eq!(detect(Some(14), "", ""), Firmware::Opal);
        assert_eq!(
            detect(Some(0), "PXEClient:Arch:00000", "iPXE"),
            Firmware::Ipxe
        );
        assert_eq!(
            detect(Some(7), "PXEClient:Arch:00007", "\u{4}iPXE"),
            Firmware::Ipxe
        );
        assert_eq!(detect(None, "", ""), Firmware::Other);
        assert_eq!(detect(Some(16), "d-i", ""), Firmware::Other);
    }
}
