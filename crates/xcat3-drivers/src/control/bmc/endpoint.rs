//! Where a node's BMC is and how to log in to it, as the node's `control_info` says: `bmc_address`,
//! `bmc_port`, `bmc_username`, `bmc_password`. What only one protocol knows is read by its driver.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use serde_json::Value;
use sha2::{Digest, Sha256};
use xcat3_core::Node;

/// Longest user name and password that are taken, in bytes. Protocols may take fewer.
const LONGEST: usize = 256;

/// A BMC's host: an address, or a name that is looked up when the BMC is connected to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A name.
    Name(Box<str>),
}

/// Where a BMC listens. Each has one lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Its host.
    pub host: Host,
    /// UDP or TCP port.
    pub port: u16,
    /// Whether the port is the protocol's own, which sentences don't name.
    pub is_usual_port: bool,
}

/// As [`xcat3_core::bmc_host`] has it.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// As errors name it: the host, and the port where it is not the usual one.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.is_usual_port) {
            (host, true) => host.fmt(f),
            (Host::Address(IpAddr::V6(address)), false) => write!(f, "[{address}]:{}", self.port),
            (host, false) => write!(f, "{host}:{}", self.port),
        }
    }
}

/// A password. Never shown.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Password(Box<str>);

impl Password {
    /// The password with this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Its text, to be given to the BMC and nobody else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Name and password of a BMC's user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BmcCredentials {
    /// Its name.
    pub username: String,
    /// What proves it.
    pub password: Password,
}

/// Whether the credentials of `node` are those that all BMCs have which have none of their own.
#[must_use]
pub fn wants_default_credentials(node: &Node) -> bool {
    let has = |key| matches!(text(node, key), Ok(Some(_)) | Err(_));
    let by_bmc = matches!(
        node.declared.mgt.as_deref(),
        Some("ipmi" | "redfish" | "openbmc")
    );
    by_bmc && !has("bmc_username") && !has("bmc_password")
}

/// A BMC and how to log in to it. `O` is what only its protocol knows.
#[derive(Clone, Debug)]
pub struct Bmc<O> {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Who logs in.
    pub credentials: BmcCredentials,
    /// What only the protocol knows.
    pub options: O,
}

impl<O: Hash> Bmc<O> {
    /// A digest of all that a session depends on besides the host, the same in all processes.
    pub(super) fn digest(&self) -> i64 {
        let mut digest = Digester(Sha256::new());
        (self.endpoint.port, &self.credentials, &self.options).hash(&mut digest);
        digest.finish().cast_signed()
    }
}

/// SHA-256 as a [`Hasher`], which gives its first eight bytes.
struct Digester(Sha256);

impl Hasher for Digester {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        let first = digest.iter().take(8);
        first.fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// The endpoint that `node` names; `port` is the protocol's own.
///
/// # Errors
/// The sentence for the node: which attribute is missing or wrong.
pub fn endpoint(node: &Node, port: u16) -> Result<Endpoint, String> {
    let host = text(node, "bmc_address")?.ok_or("control_info has no bmc_address")?;
    let own_port = number(node, "bmc_port")?.unwrap_or(port);
    if own_port == 0 {
        return Err("bmc_port is not a port: give a number from 1 to 65535".to_owned());
    }
    Ok(Endpoint {
        host: host_of(host)?,
        port: own_port,
        is_usual_port: own_port == port,
    })
}

fn host_of(text: &str) -> Result<Host, String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse() {
        return Ok(Host::Address(address));
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if text.len() > 253 || !text.chars().all(fits) {
        return Err(format!(
            "bmc_address {text:.80?} is neither a host name nor an address"
        ));
    }
    Ok(Host::Name(text.to_ascii_lowercase().into()))
}

/// The credentials of `node`, or the `default` ones where it has none of its own.
///
/// # Errors
/// The sentence for the node: what is missing.
pub fn credentials(
    node: &Node,
    default: Option<&BmcCredentials>,
) -> Result<BmcCredentials, String> {
    let (user, password) = (text(node, "bmc_username")?, text(node, "bmc_password")?);
    let given = match (user, password) {
        (None, None) => {
            let missing = "control_info has no bmc_username and bmc_password, and there is no \
                           passwd entry 'bmc'";
            return default.cloned().ok_or_else(|| missing.to_owned());
        }
        (Some(_), None) => {
            let missing = "control_info has a bmc_username and no bmc_password";
            return Err(missing.to_owned());
        }
        // The user without a name, which some BMCs have.
        (None, Some(password)) => ("", password),
        (Some(user), Some(password)) => (user, password),
    };
    for (key, text) in [("bmc_username", given.0), ("bmc_password", given.1)] {
        if text.len() > LONGEST || text.contains('\0') {
            return Err(format!(
                "{key} in control_info is too long, or has a zero byte"
            ));
        }
    }
    Ok(BmcCredentials {
        username: given.0.to_owned(),
        password: Password::new(given.1),
    })
}

/// The text under `key` of `node`'s `control_info`, where there is one that is not empty. The value of
/// what is no text is not shown: it may be secret.
///
/// # Errors
/// It is no text.
pub fn text<'a>(node: &'a Node, key: &str) -> Result<Option<&'a str>, String> {
    match node.declared.control_info.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{key} in control_info is not a text")),
    }
}

/// The number under `key`. Command lines give numbers as text, JSON clients as numbers.
///
/// # Errors
/// It is no number from 0 to 65535.
pub fn number(node: &Node, key: &str) -> Result<Option<u16>, String> {
    let number = match node.declared.control_info.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    let wrong = || format!("{key} in control_info is not a number from 0 to 65535");
    number.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(control_info: &Value) -> Node {
        let mut node = Node::new("node1".parse().unwrap());
        node.declared.mgt = Some("ipmi".into());
        node.declared.control_info = control_info.as_object().unwrap().clone();
        node
    }

    #[test]
    fn endpoints_are_read_and_named() {
        for (info, shown) in [
            (json!({"bmc_address": "10.0.0.1"}), "10.0.0.1"),
            (
                json!({"bmc_address": "10.0.0.1", "bmc_port": "623"}),
                "10.0.0.1",
            ),
            (
                json!({"bmc_address": "10.0.0.1", "bmc_port": 6230}),
                "10.0.0.1:6230",
            ),
            (
                json!({"bmc_address": "fd00::1", "bmc_port": 6230}),
                "[fd00::1]:6230",
            ),
            (json!({"bmc_address": "[fd00::1]"}), "fd00::1"),
            (
                json!({"bmc_address": "BMC-1.lab", "bmc_port": 1}),
                "bmc-1.lab:1",
            ),
        ] {
            assert_eq!(endpoint(&node(&info), 623).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (info, named) in [
            (json!({}), "no bmc_address"),
            (json!({"bmc_address": 7}), "bmc_address"),
            (json!({"bmc_address": "a b"}), "bmc_address \"a b\""),
            (json!({"bmc_address": "a", "bmc_port": 0}), "bmc_port"),
            (json!({"bmc_address": "a", "bmc_port": "70000"}), "bmc_port"),
        ] {
            let sentence = endpoint(&node(&info), 623).unwrap_err();
            assert!(sentence.contains(named), "{sentence}");
        }
        for (info, named) in [
            (json!({}), "no passwd entry 'bmc'"),
            (json!({"bmc_username": "root"}), "no bmc_password"),
            (json!({"bmc_password": {"s3cret": 1}}), "bmc_password"),
            (json!({"bmc_password": "s3cret\u{0}"}), "zero byte"),
        ] {
            let sentence = credentials(&node(&info), None).unwrap_err();
            assert!(sentence.contains(named), "{sentence}");
            assert!(!sentence.contains("s3cret"), "{sentence}");
        }
    }

    #[test]
    fn own_credentials_come_before_the_common_ones() {
        let common = BmcCredentials {
            username: "ADMIN".into(),
            password: Password::new("s3cret"),
        };
        let own = node(&json!({"bmc_username": "root", "bmc_password": "0penBmc"}));
        assert_eq!(credentials(&own, Some(&common)).unwrap().username, "root");
        let none = node(&json!({}));
        assert_eq!(credentials(&none, Some(&common)).as_ref(), Ok(&common));
        assert!(wants_default_credentials(&none) && !wants_default_credentials(&own));
        assert!(!format!("{common:?}").contains("s3cret"));
    }
}
