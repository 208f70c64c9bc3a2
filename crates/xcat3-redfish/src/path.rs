//! References of a BMC to its own resources: paths, or URLs with the BMC's own address.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::connector::Address;
use crate::error::sanitize;
use crate::trust::Trust;

/// What some BMCs write into their paths, and no URL may have. Bytes beyond ASCII are encoded too.
const FORBIDDEN: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The longest path that is requested, in bytes.
const MAX_PATH_BYTES: usize = 2048;

/// Why a reference is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadReference {
    /// It leads to this host (and port).
    OtherHost(String),
    /// It is not a path.
    Invalid,
}

/// The path of `reference` on the BMC at `address`: with its query, without a fragment.
///
/// # Errors
/// The reference leads to another host or is not a path.
pub fn local_path(reference: &str, address: &Address) -> Result<String, BadReference> {
    let reference = reference.split('#').next().unwrap_or_default().trim();
    if reference.len() > MAX_PATH_BYTES {
        return Err(BadReference::Invalid);
    }
    let path = match split_url(reference) {
        None => reference,
        Some((scheme, authority, path)) => {
            check_host(scheme, authority, address)?;
            path
        }
    };
    if path.is_empty() {
        return Ok("/".to_owned());
    }
    if !path.starts_with('/') {
        return Err(BadReference::Invalid);
    }
    if path.contains(|c: char| c.is_ascii_control()) {
        return Err(BadReference::Invalid);
    }
    Ok(utf8_percent_encode(path, FORBIDDEN).to_string())
}

/// Scheme, authority and path of a URL; none if `reference` has no authority.
fn split_url(reference: &str) -> Option<(Option<&str>, &str, &str)> {
    let (scheme, rest) = match reference.strip_prefix("//") {
        Some(rest) => (None, rest),
        None => {
            let (scheme, rest) = reference.split_once("://")?;
            if scheme.contains(['/', '?']) {
                return None;
            }
            (Some(scheme), rest)
        }
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    Some((scheme, authority, path))
}

fn check_host(
    scheme: Option<&str>,
    authority: &str,
    address: &Address,
) -> Result<(), BadReference> {
    let usual = address.trust.usual_port();
    let own = match address.trust {
        Trust::Plain => "http",
        _ => "https",
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    let mut names = vec![address.to_string()];
    if address.port == usual {
        names.push(names[0].trim_end_matches(&format!(":{usual}")).to_owned());
    }
    let same_scheme = scheme.is_none_or(|scheme| scheme.eq_ignore_ascii_case(own));
    if same_scheme && names.iter().any(|name| name.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(BadReference::OtherHost(sanitize(host, 100)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_local_or_refused() {
        let mut address = Address::new("192.0.2.7", 443, Trust::Insecure);
        for (reference, path) in [
            ("/redfish/v1/Systems/1", "/redfish/v1/Systems/1"),
            (
                "/redfish/v1/Chassis/1/Thermal#/Fans/0",
                "/redfish/v1/Chassis/1/Thermal",
            ),
            ("/a b/{c}?d=1", "/a%20b/%7Bc%7D?d=1"),
            ("https://192.0.2.7/x", "/x"),
            ("https://192.0.2.7:443/x", "/x"),
            ("//192.0.2.7/x?u=http://y", "/x?u=http://y"),
        ] {
            assert_eq!(
                local_path(reference, &address),
                Ok(path.to_owned()),
                "{reference}"
            );
        }
        for (reference, host) in [
            ("https://192.0.2.8/x", "192.0.2.8"),
            ("https://192.0.2.7@evil/x", "evil"),
            ("http://192.0.2.7/x", "192.0.2.7"),
            ("//evil", "evil"),
            ("https://192.0.2.7:8443/x", "192.0.2.7:8443"),
        ] {
            let elsewhere = BadReference::OtherHost(host.to_owned());
            assert_eq!(
                local_path(reference, &address),
                Err(elsewhere),
                "{reference}"
            );
        }
        for reference in ["x", "/a\r\nb", &format!("/{}", "x".repeat(3000))] {
            assert_eq!(local_path(reference, &address), Err(BadReference::Invalid));
        }
        address.port = 8000;
        address.trust = Trust::Plain;
        assert_eq!(
            local_path("http://192.0.2.7:8000/x", &address),
            Ok("/x".to_owned())
        );
    }
}
