//! What a node says of its BMC that only Redfish knows: `bmc_tls`; and which of several systems it is
//! (`bmc_system`), and what it boots from by HTTP (`bmc_boot_uri`).

use xcat3_core::Node;
use xcat3_redfish::Trust;

use super::super::bmc::text;

/// What a session depends on beyond address and credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// By what the BMC is known.
    pub trust: Trust,
}

impl Options {
    /// What `node` says.
    ///
    /// # Errors
    /// The sentence for the node.
    pub fn of(node: &Node) -> Result<Self, String> {
        let trust = match text(node, "bmc_tls")? {
            None => Trust::default(),
            Some(word) => {
                let trust = word.parse();
                trust.map_err(|error| format!("bmc_tls {word:.80?} is not known: {error}"))?
            }
        };
        // They are read with each operation, and must be right before anything is asked.
        text(node, "bmc_system")?;
        text(node, "bmc_boot_uri")?;
        Ok(Self { trust })
    }
}

/// Which of several systems behind its BMC `node` is.
pub fn system(node: &Node) -> Option<&str> {
    text(node, "bmc_system").ok().flatten()
}

/// What `node` boots from by HTTP, where its operator knows better than DHCP.
pub fn boot_uri(node: &Node) -> Option<&str> {
    text(node, "bmc_boot_uri").ok().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(control_info: &serde_json::Value) -> Result<Options, String> {
        let mut node = Node::new("node1".parse().unwrap());
        node.declared.control_info = control_info.as_object().unwrap().clone();
        Options::of(&node)
    }

    #[test]
    fn certificates_are_checked_unless_a_node_says_otherwise() {
        assert_eq!(options(&json!({})).unwrap().trust, Trust::Authority);
        let insecure = options(&json!({"bmc_tls": "insecure"})).unwrap();
        assert_eq!(insecure.trust, Trust::Insecure);
        for (info, named) in [
            (
                json!({"bmc_tls": "off"}),
                "bmc_tls \"off\" is not known: use verify",
            ),
            (json!({"bmc_tls": "pin:12"}), "bmc_tls \"pin:12\""),
            (
                json!({"bmc_tls": 1}),
                "bmc_tls in control_info is not a text",
            ),
            (
                json!({"bmc_system": 1}),
                "bmc_system in control_info is not a text",
            ),
        ] {
            let sentence = options(&info).unwrap_err();
            assert!(sentence.contains(named), "{sentence}");
        }
    }
}
