//! What is known of nodes' BMCs beside what operators declared.

use std::net::IpAddr;

use crate::node::Node;

/// Credentials that a BMC did not take. Accounts lock out, so nobody tries them again until they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BmcRejection {
    /// Of which BMC, as [`bmc_host`] gives it.
    pub host: String,
    /// A digest of the credentials and of how they were shown to the BMC; not the secret.
    pub login: i64,
    /// What the BMC said.
    pub reason: String,
    /// When, in milliseconds since 1970 (UTC).
    pub at_ms: i64,
}

/// The host of `node`'s BMC (`bmc_address`), the same for all ways to write it: an address without
/// brackets, a name in small letters. None where the node names none.
#[must_use]
pub fn bmc_host(node: &Node) -> Option<String> {
    let text = node.declared.control_info.get("bmc_address")?.as_str()?;
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    match bare.unwrap_or(text).parse::<IpAddr>() {
        Ok(address) => Some(address.to_string()),
        Err(_) if text.is_empty() => None,
        Err(_) => Some(text.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_the_same_however_it_is_written() {
        let host = |text: &str| {
            let mut node = Node::new("node1".parse().unwrap());
            node.declared
                .control_info
                .insert("bmc_address".into(), text.into());
            bmc_host(&node)
        };
        let six = Some("fd00::1".to_owned());
        assert_eq!((host("[FD00::1]"), host("fd00:0::1")), (six.clone(), six));
        assert_eq!(host("BMC-1.lab"), Some("bmc-1.lab".to_owned()));
        assert_eq!(
            (host("10.0.0.1").as_deref(), host("")),
            (Some("10.0.0.1"), None)
        );
        assert_eq!(bmc_host(&Node::new("node1".parse().unwrap())), None);
    }
}
