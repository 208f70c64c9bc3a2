//! What a kernel image says of itself (Linux/x86 boot protocol, Documentation/arch/x86/boot.rst).

/// The release of an x86 kernel, such as `6.12.38+deb13-amd64`: the first word of its version text.
/// Kernels of other architectures don't say.
pub(super) fn release(image: &[u8]) -> Option<String> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let pointer = image.get(0x20e..0x210)?;
    let at = usize::from(u16::from_le_bytes([pointer[0], pointer[1]])) + 0x200;
    let text = image.get(at..at + 256).or_else(|| image.get(at..))?;
    let end = text.iter().position(|byte| !byte.is_ascii_graphic())?;
    let release = std::str::from_utf8(&text[..end]).ok()?;
    let plausible = release.starts_with(|c: char| c.is_ascii_digit()) && pointer != [0, 0];
    plausible.then(|| release.to_owned())
}

/// Whether the bytes are an x86 kernel.
pub(super) fn is_x86_kernel(image: &[u8]) -> bool {
    image.get(0x202..0x206) == Some(b"HdrS")
}

/// Whether the bytes begin as an initial RAM disk does: gzip, xz, zstd, lz4, bzip2 or plain cpio.
pub(super) fn is_initrd(bytes: &[u8]) -> bool {
    let beginnings: [&[u8]; 6] = [
        b"\x1f\x8b",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"\x02\x21\x4c\x18",
        b"BZh",
        b"07070",
    ];
    beginnings
        .iter()
        .any(|beginning| bytes.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kernel(version: &[u8], pointer: u16) -> Vec<u8> {
        let mut image = vec![0; 0x1000];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20e..0x210].copy_from_slice(&pointer.to_le_bytes());
        let at = 0x200 + usize::from(pointer);
        if let Some(place) = image.get_mut(at..at + version.len()) {
            place.copy_from_slice(version);
        }
        image
    }

    #[test]
    fn the_release_is_the_first_word() {
        let image = kernel(
            b"6.12.38+deb13-amd64 (debian-kernel@lists.debian.org) #1",
            0x300,
        );
        assert_eq!(release(&image).as_deref(), Some("6.12.38+deb13-amd64"));
    }

    #[test]
    fn what_does_not_say_is_none() {
        assert_eq!(release(&kernel(b"6.1", 0)), None);
        assert_eq!(release(&kernel(b"", 0x300)), None);
        assert_eq!(release(&kernel(b"6.1", 0xffff)), None);
        assert_eq!(release(b"\x7fELF"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(version in proptest::collection::vec(any::<u8>(), 0..40), pointer: u16) {
            let _ = release(&kernel(&version, pointer));
        }
    }
}
