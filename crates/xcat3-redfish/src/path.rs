//! References of a BMC to its own resources: paths, or full addresses that must be its own.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::connector::Address;
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

/// The longest path that is asked for.
const LONGEST: usize = 2048;

/// A reference does not lead to the BMC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// To this host (and port).
    Host(String),
    /// It makes no sense.
    Nowhere,
}

/// The path (with its query, without a fragment) of `reference` on the BMC at `address`.
///
/// # Errors
/// It leads elsewhere.
pub fn here(reference: &str, address: &Address) -> Result<String, Elsewhere> {
    let reference = reference.split('#').next().unwrap_or_default().trim();
    if reference.len() > LONGEST {
        return Err(Elsewhere::Nowhere);
    }
    let path = match full(reference) {
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
        return Err(Elsewhere::Nowhere);
    }
    if path.contains(|c: char| c.is_ascii_control()) {
        return Err(Elsewhere::Nowhere);
    }
    Ok(utf8_percent_encode(path, FORBIDDEN).to_string())
}

/// Scheme, authority and the rest, of a reference that has an authority.
fn full(reference: &str) -> Option<(Option<&str>, &str, &str)> {
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

fn check_host(scheme: Option<&str>, authority: &str, address: &Address) -> Result<(), Elsewhere> {
    let (own, usual) = match address.trust {
        Trust::Plain => ("http", 80),
        _ => ("https", 443),
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
    Err(Elsewhere::Host(crate::error::tame(host, 100)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_stay_on_the_bmc() {
        let mut address = Address::new("192.0.2.7", 443, Trust::Insecure);
        let here_is = |reference: &str, address: &Address| here(reference, address);
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
                here_is(reference, &address),
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
            let elsewhere = Elsewhere::Host(host.to_owned());
            assert_eq!(here_is(reference, &address), Err(elsewhere), "{reference}");
        }
        for reference in ["x", "/a\r\nb", &format!("/{}", "x".repeat(3000))] {
            assert_eq!(here_is(reference, &address), Err(Elsewhere::Nowhere));
        }
        address.port = 8000;
        address.trust = Trust::Plain;
        assert_eq!(
            here_is("http://192.0.2.7:8000/x", &address),
            Ok("/x".to_owned())
        );
    }
}
