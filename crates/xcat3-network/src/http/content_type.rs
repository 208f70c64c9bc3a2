//! Media types by file name. UEFI firmware selects `.efi`, `.iso` and `.img` by their type (UEFI 2.10,
//! 24.7); browsers display text.

/// Arbitrary bytes.
pub const OCTETS: &str = "application/octet-stream";
/// Text.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// HTML.
const HTML: &str = "text/html; charset=utf-8";

/// The media type of a file.
#[must_use]
pub fn for_path(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((_, extension)) = name.rsplit_once('.') else {
        return match name {
            "Release" | "InRelease" | "Packages" | "info" => TEXT,
            _ => OCTETS,
        };
    };
    match extension.to_ascii_lowercase().as_str() {
        "efi" => "application/efi",
        "iso" => "application/vnd.efi-iso",
        "img" => "application/vnd.efi-img",
        "ipxe" | "cfg" | "conf" | "ks" | "seed" | "sh" | "txt" | "log" => TEXT,
        "html" | "htm" => HTML,
        "xml" => "application/xml",
        "json" => "application/json",
        "gz" => "application/gzip",
        "xz" => "application/x-xz",
        "deb" | "udeb" => "application/vnd.debian.binary-package",
        "rpm" => "application/x-rpm",
        _ => OCTETS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_type_follows_the_file_name() {
        assert_eq!(for_path("loaders/snponly.EFI"), "application/efi");
        assert_eq!(for_path("images/a.b/dists/stable/Release"), TEXT);
        assert_eq!(for_path("images/a.b/vmlinuz"), OCTETS);
        assert_eq!(for_path("Packages.gz"), "application/gzip");
        assert_eq!(for_path(""), OCTETS);
    }
}
