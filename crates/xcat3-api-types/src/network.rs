//! Networks on the wire.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use xcat3_core::Network;
use xcat3_core::name::check_object_name;
use xcat3_core::network::{parse_address, parse_addresses, parse_ranges, subnet_of};
use xcat3_core::secret::redact;

use crate::Secrets;
use crate::reader::{Reader, start};
use crate::selection::Fields;

/// The fields of a network.
pub const FIELDS: Fields = Fields {
    what: "a network",
    known: &[
        "name",
        "subnet",
        "netmask",
        "gateway",
        "nameservers",
        "ntpservers",
        "domain",
        "dynamic_range",
        "dhcpserver",
        "extra",
    ],
    always: "name",
    aliases: &[],
};

/// The fields that a patch may change.
pub const CHANGEABLE: [&str; 9] = [
    "subnet",
    "netmask",
    "gateway",
    "nameservers",
    "ntpservers",
    "domain",
    "dynamic_range",
    "dhcpserver",
    "extra",
];

/// A network, as it is sent and answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Value", deny_unknown_fields)]
pub struct NetworkBody {
    /// Unique.
    #[schema(examples("c920"))]
    pub name: String,
    /// Its address; `11.0.0.0/8` where there is no netmask.
    #[schema(examples("11.0.0.0"))]
    pub subnet: String,
    /// Its mask.
    #[schema(examples("255.0.0.0"))]
    pub netmask: Option<String>,
    /// The router that nodes are told of.
    #[schema(examples("11.0.0.101"))]
    pub gateway: Option<String>,
    /// DNS servers that nodes are told of: one address or several, separated by commas.
    #[schema(examples("11.0.0.101"))]
    pub nameservers: Option<String>,
    /// NTP servers that nodes are told of: one address or several, separated by commas.
    pub ntpservers: Option<String>,
    /// DNS domain of the nodes.
    pub domain: Option<String>,
    /// Addresses for machines that are not known: one range or several, separated by commas.
    #[schema(examples("11.4.40.111-11.4.40.113"))]
    pub dynamic_range: Option<String>,
    /// The DHCP server's address, where another host than the network service's serves.
    pub dhcpserver: Option<String>,
    /// What the operator wants to remember of it.
    #[schema(value_type = Object)]
    pub extra: Map<String, Value>,
}

impl TryFrom<Value> for NetworkBody {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let mut reader = Reader::of("a network", value)?;
        let body = Self {
            name: reader.needed("name")?,
            subnet: reader.needed("subnet")?,
            netmask: reader.text("netmask")?,
            gateway: reader.text("gateway")?,
            nameservers: reader.text("nameservers")?,
            ntpservers: reader.text("ntpservers")?,
            domain: reader.text("domain")?,
            dynamic_range: reader.text("dynamic_range")?,
            dhcpserver: reader.text("dhcpserver")?,
            extra: reader.object("extra")?,
        };
        reader.end()?;
        Ok(body)
    }
}

impl NetworkBody {
    /// The network that this declares.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn into_network(self) -> Result<Network, String> {
        self.checked()
            .map_err(|error| format!("network {}: {error}", start(&self.name)))
    }

    fn checked(&self) -> Result<Network, Box<dyn std::error::Error>> {
        check_object_name(&self.name)?;
        let (address, netmask) = address_and_mask(&self.subnet, self.netmask.as_deref())?;
        let mut network = Network::new(&self.name, subnet_of(address, netmask)?);
        let address = |field, text: &Option<String>| {
            let text = text.as_deref().map(str::trim);
            text.map(|text| parse_address(field, text)).transpose()
        };
        let several = |field, text: &Option<String>| {
            parse_addresses(field, text.as_deref().unwrap_or_default())
        };
        network.gateway = address("gateway", &self.gateway)?;
        network.nameservers = several("nameservers", &self.nameservers)?;
        network.ntpservers = several("ntpservers", &self.ntpservers)?;
        network.domain = self.domain.clone();
        check_domain(network.domain.as_deref())?;
        network.dynamic_range = parse_ranges(self.dynamic_range.as_deref().unwrap_or_default())?;
        network.dhcpserver = address("dhcpserver", &self.dhcpserver)?;
        network.extra = self.extra.clone();
        network.check()?;
        Ok(network)
    }

    /// What is told of a network.
    #[must_use]
    pub fn of(network: &Network, secrets: Secrets) -> Self {
        let several = |addresses: &[Ipv4Addr]| joined(addresses.iter());
        Self {
            name: network.name.clone(),
            subnet: network.subnet.network().to_string(),
            netmask: Some(network.subnet.netmask().to_string()),
            gateway: network.gateway.map(|address| address.to_string()),
            nameservers: several(&network.nameservers),
            ntpservers: several(&network.ntpservers),
            domain: network.domain.clone(),
            dynamic_range: joined(network.dynamic_range.iter()),
            dhcpserver: network.dhcpserver.map(|address| address.to_string()),
            extra: match secrets {
                Secrets::Masked => redact(&network.extra),
                Secrets::InClear => network.extra.clone(),
            },
        }
    }

    /// The document of a network.
    #[must_use]
    pub fn document(self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("name".into(), self.name.into());
        document.insert("subnet".into(), self.subnet.into());
        document.insert("netmask".into(), self.netmask.into());
        document.insert("gateway".into(), self.gateway.into());
        document.insert("nameservers".into(), self.nameservers.into());
        document.insert("ntpservers".into(), self.ntpservers.into());
        document.insert("domain".into(), self.domain.into());
        document.insert("dynamic_range".into(), self.dynamic_range.into());
        document.insert("dhcpserver".into(), self.dhcpserver.into());
        document.insert("extra".into(), self.extra.into());
        document
    }
}

fn joined(parts: impl Iterator<Item = impl ToString>) -> Option<String> {
    let texts: Vec<String> = parts.map(|part| part.to_string()).collect();
    Some(texts.join(",")).filter(|text| !text.is_empty())
}

/// Reads `11.0.0.0` with its netmask, or `11.0.0.0/8`.
fn address_and_mask(
    subnet: &str,
    netmask: Option<&str>,
) -> Result<(Ipv4Addr, Ipv4Addr), Box<dyn std::error::Error>> {
    let given = netmask
        .map(|text| parse_address("netmask", text.trim()))
        .transpose()?;
    let (address, prefix) = match subnet.trim().split_once('/') {
        None => (subnet.trim(), None),
        Some((address, prefix)) => (address, Some(mask_of(prefix)?)),
    };
    let address = parse_address("subnet", address)?;
    match (given, prefix) {
        (Some(mask), Some(prefix)) if mask != prefix => {
            Err(format!("netmask {mask} and the prefix of subnet {subnet} are not the same").into())
        }
        (Some(mask), _) | (None, Some(mask)) => Ok((address, mask)),
        (None, None) => Err("a network needs the field 'netmask'".into()),
    }
}

fn mask_of(prefix: &str) -> Result<Ipv4Addr, String> {
    let bits = prefix.parse().ok().filter(|bits: &u32| *bits <= 32);
    let bits = bits.ok_or_else(|| format!("'/{}' is not a prefix length", start(prefix)))?;
    Ok(Ipv4Addr::from(u32::MAX.checked_shl(32 - bits).unwrap_or(0)))
}

/// A domain ends up in DHCP options, answer files and DNS: it is host labels and nothing else.
fn check_domain(domain: Option<&str>) -> Result<(), String> {
    let Some(domain) = domain else { return Ok(()) };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let text = domain.strip_suffix('.').unwrap_or(domain);
    if text.len() <= 253 && text.split('.').all(label) {
        return Ok(());
    }
    Err(format!("domain '{}' is not a domain name", start(domain)))
}

/// The answer of `GET /networks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkList {
    /// By name.
    pub networks: Vec<NetworkName>,
}

/// A network in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkName {
    /// Its name.
    pub name: String,
}

/// The answer of `POST /networks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkOutcome {
    /// Under the network's name `ok`, or a sentence: it is defined, but not served, and why.
    pub network: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn network(value: Value) -> Result<Network, String> {
        NetworkBody::try_from(value)?.into_network()
    }

    #[test]
    fn the_network_of_the_readme_comes_back_as_it_was_sent() {
        let sent = json!({"name": "c920", "subnet": "11.0.0.0", "netmask": "255.0.0.0",
            "gateway": "11.0.0.101", "nameservers": "11.0.0.101", "ntpservers": null,
            "domain": "cluster.net", "dynamic_range": "11.4.40.111-11.4.40.113",
            "dhcpserver": null, "extra": {}});
        let known = network(sent.clone()).unwrap();
        let told = NetworkBody::of(&known, Secrets::Masked).document();
        assert_eq!(Value::Object(told), sent);
    }

    #[test]
    fn a_prefix_will_do_for_a_netmask() {
        let known = network(json!({"name": "n", "subnet": "10.1.0.0/16"})).unwrap();
        assert_eq!(known.subnet.to_string(), "10.1.0.0/16");
        let whole = network(json!({"name": "n", "subnet": "0.0.0.0/0"})).unwrap();
        assert_eq!(whole.subnet.to_string(), "0.0.0.0/0");
        for subnet in ["10.1.0.0/33", "10.1.0.0/x", "10.1.0.0"] {
            assert!(network(json!({"name": "n", "subnet": subnet})).is_err());
        }
        let both = json!({"name": "n", "subnet": "10.1.0.0/16", "netmask": "255.0.0.0"});
        assert!(network(both).unwrap_err().contains("not the same"));
    }

    #[test]
    fn what_is_wrong_is_named_with_the_network() {
        let with = |field: &str, value: &str| {
            let mut body = json!({"name": "n", "subnet": "10.0.0.0", "netmask": "255.255.255.0"});
            body[field] = value.into();
            network(body).unwrap_err()
        };
        for (field, value, why) in [
            ("netmask", "255.0.255.0", "255.0.255.0"),
            ("subnet", "10.0.0.5", "did you mean 10.0.0.0?"),
            ("subnet", "fe80::", "subnet 'fe80::'"),
            ("gateway", "10.0.1.1", "gateway 10.0.1.1"),
            ("nameservers", "10.0.0.1,x", "nameservers 'x'"),
            ("dynamic_range", "10.0.0.9-10.0.0.1", "runs backwards"),
            ("dynamic_range", "10.0.0.9-10.0.1.1", "not inside"),
            ("domain", "a b", "domain 'a b'"),
            ("domain", "a\nd-i evil", "domain"),
        ] {
            let error = with(field, value);
            assert!(
                error.contains(why) && error.starts_with("network n: "),
                "{error}"
            );
        }
    }
}
