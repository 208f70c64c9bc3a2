//! Bodies and answers of the requests on hardware beyond power and boot device: BIOS attributes and
//! virtual media as clients declare them, and reports as they are answered together.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;
use xcat3_core::control::MediaImage;

use crate::nodes::{Named, NamedNode, read};
use crate::reader::{kind, start};

/// The most BIOS attributes in one request.
pub const MOST_ATTRIBUTES: usize = 1_000;
/// The longest name of a BIOS attribute, in bytes.
const LONGEST_NAME: usize = 256;
/// The longest value of a BIOS attribute, in bytes.
const LONGEST_VALUE: usize = 1_024;
/// The longest address of an image, in bytes.
const LONGEST_URL: usize = 2_048;
/// By what a BMC can get an image.
const SCHEMES: [&str; 4] = ["http", "https", "nfs", "cifs"];

/// BIOS attributes to be set, the same on each node.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BiosBody {
    /// The nodes. Absent where the query names them.
    #[serde(default, deserialize_with = "read::some_names")]
    #[schema(value_type = Option<Vec<NamedNode>>)]
    pub nodes: Option<Vec<Named>>,
    /// The attributes, by the names that the machines' BIOS has for them. Numbers and truth values may
    /// be written as such or as texts.
    #[serde(default, deserialize_with = "attributes")]
    #[schema(value_type = BTreeMap<String, String>, example = json!({"BootMode": "Uefi"}))]
    pub attributes: BTreeMap<String, String>,
}

/// An image to be put into the virtual drives of nodes. What the query says may stand here instead: an
/// address that holds a password should, since addresses of requests are logged by many a proxy.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MediaBody {
    /// The nodes. Absent where the query names them.
    #[serde(default, deserialize_with = "read::some_names")]
    #[schema(value_type = Option<Vec<NamedNode>>)]
    pub nodes: Option<Vec<Named>>,
    /// Where the BMCs get the image: `http://`, `https://`, `nfs://` or `cifs://`.
    #[schema(example = "http://10.0.0.1/rescue.iso")]
    pub url: Option<String>,
    /// Whether the machines also boot from it once, next.
    pub boot: Option<bool>,
}

/// A report for each node, in the order of the request.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its description is used")]
pub struct NodeReports {
    /// Under each name what was found, an object; a text is a sentence that says why there is nothing.
    nodes: BTreeMap<String, Value>,
}

/// The image at `url`.
///
/// # Errors
/// A BMC can't get it: the sentence says what is wrong, without what may be secret.
pub fn image(url: &str, boot: bool) -> Result<MediaImage, String> {
    let image = MediaImage {
        url: url.to_owned(),
        boot,
    };
    if url.len() > LONGEST_URL {
        return Err(format!("url is longer than {LONGEST_URL} bytes"));
    }
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("url holds a space or a control character; write it as %20".to_owned());
    }
    let known = "use http://, https://, nfs:// or cifs://";
    let Some((scheme, rest)) = url.split_once("://") else {
        // Nothing tells what of it may be a password.
        return Err(format!("url has no scheme: {known}"));
    };
    if !SCHEMES
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return Err(format!("url '{}': {known}", start(&image.shown())));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    if name.is_empty() {
        return Err(format!("url '{}' names no host", start(&image.shown())));
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        let shown = start(&image.shown());
        return Err(format!("url '{shown}': its port is no number up to 65535"));
    }
    Ok(image)
}

fn attributes<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    from.deserialize_map(Attributes)
}

struct Attributes;

impl<'de> Visitor<'de> for Attributes {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of attributes as 'attributes'")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut attributes = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if attributes.len() >= MOST_ATTRIBUTES {
                let why = format!("more than {MOST_ATTRIBUTES} attributes in one request");
                return Err(A::Error::custom(why));
            }
            let value = attribute(&name, map.next_value()?).map_err(A::Error::custom)?;
            if attributes.insert(name.clone(), value).is_some() {
                let why = format!("attribute {} is given twice", start(&name));
                return Err(A::Error::custom(why));
            }
        }
        Ok(attributes)
    }
}

/// The value of an attribute as a text. A sentence never repeats it: it may be a password.
fn attribute(name: &str, value: Value) -> Result<String, String> {
    let shown = start(name);
    if name.is_empty()
        || name.len() > LONGEST_NAME
        || name.chars().any(|c| c.is_control() || c == '=')
    {
        return Err(format!(
            "'{shown}' can't name a BIOS attribute: use 1 to {LONGEST_NAME} bytes without '=' and control characters"
        ));
    }
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        other => {
            let kind = kind(&other);
            return Err(format!("attribute {shown} must be a text, not {kind}"));
        }
    };
    if text.len() > LONGEST_VALUE {
        return Err(format!(
            "attribute {shown} is longer than {LONGEST_VALUE} bytes"
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("attribute {shown} holds a control character"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_an_address_that_a_bmc_can_get() {
        for url in [
            "http://10.0.0.1/a.iso",
            "HTTPS://user:x@host:8443/a.iso?token=1",
            "nfs://host/export/a.iso",
            "cifs://[fd00::1]:445/share/a.iso",
        ] {
            assert_eq!(image(url, true).map(|image| image.url), Ok(url.to_owned()));
        }
        for (url, why) in [
            (
                "ftp://u:secret@host/a.iso",
                "use http://, https://, nfs:// or cifs://",
            ),
            ("host:secret/a.iso", "no scheme"),
            ("http://", "names no host"),
            ("http:///a.iso", "names no host"),
            ("http://u:secret@/a.iso", "names no host"),
            ("http://:80/a.iso", "names no host"),
            ("http://host:secret/a.iso", "port"),
            ("http://host/a b.iso", "space"),
            ("http://host/a\n.iso", "control character"),
            (
                &format!("http://host/{}", "x".repeat(3_000)),
                "longer than 2048",
            ),
        ] {
            let said = image(url, false).unwrap_err();
            assert!(said.contains(why), "{url}: {said}");
            let shown = url.starts_with("http://host:secret") || !said.contains("secret");
            assert!(shown && said.len() < 300, "{said}");
        }
    }

    #[test]
    fn attributes_are_texts_and_bounded() {
        let read = |text: &str| serde_json::from_str::<BiosBody>(text).map_err(|e| e.to_string());
        let body = read(r#"{"attributes": {"SMT": "Off", "Cores": 4, "Wake": true, "Tag": ""}}"#);
        let body = body.unwrap();
        assert!(body.nodes.is_none());
        let all: Vec<String> = body
            .attributes
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        assert_eq!(all, ["Cores=4", "SMT=Off", "Tag=", "Wake=true"]);
        let long = "x".repeat(2_000);
        let many: Vec<String> = (0..1_001).map(|n| format!("\"a{n}\":1")).collect();
        for (text, why) in [
            (
                r#"{"attributes": {"a": null}}"#.to_owned(),
                "attribute a must be a text",
            ),
            (
                r#"{"attributes": {"a": ["secret"]}}"#.to_owned(),
                "attribute a must be a text",
            ),
            (
                r#"{"attributes": {"a": "secret\n"}}"#.to_owned(),
                "control character",
            ),
            (
                r#"{"attributes": {"a=b": "secret"}}"#.to_owned(),
                "can't name",
            ),
            (r#"{"attributes": {"": "secret"}}"#.to_owned(), "can't name"),
            (
                r#"{"attributes": {"a": "secret", "a": "secret"}}"#.to_owned(),
                "twice",
            ),
            (
                format!(r#"{{"attributes": {{"a": "{long}"}}}}"#),
                "longer than 1024",
            ),
            (
                format!(r#"{{"attributes": {{"{long}": 1}}}}"#),
                "can't name",
            ),
            (
                format!(r#"{{"attributes": {{{}}}}}"#, many.join(",")),
                "more than 1000",
            ),
            (r#"{"attribute": {}}"#.to_owned(), "unknown field"),
        ] {
            let said = read(&text).unwrap_err();
            assert!(said.contains(why) && !said.contains("secret"), "{said}");
            assert!(said.len() < 400, "{said}");
        }
    }
}
