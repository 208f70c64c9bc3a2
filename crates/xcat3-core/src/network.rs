//! Managed subnets.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde_json::{Map, Value};

/// A subnet that xcat3 serves: addresses by DHCP, boot files by TFTP and HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Unique.
    pub name: String,
    /// Address and prefix length. Host bits are zero.
    pub subnet: Ipv4Net,
    /// The router that DHCP hands out.
    pub gateway: Option<Ipv4Addr>,
    /// DNS servers that DHCP hands out.
    pub nameservers: Vec<Ipv4Addr>,
    /// NTP servers that DHCP hands out.
    pub ntpservers: Vec<Ipv4Addr>,
    /// DNS domain of the nodes.
    pub domain: Option<String>,
    /// Addresses for machines that are not known.
    pub dynamic_range: Vec<AddressRange>,
    /// The DHCP server's address, where another host than the network service's serves.
    pub dhcpserver: Option<Ipv4Addr>,
    /// What the operator wants to remember of it.
    pub extra: Map<String, Value>,
}

/// An inclusive range of IPv4 addresses, written `11.4.40.111-11.4.40.113`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// The first address.
    pub first: Ipv4Addr,
    /// The last address, not below the first.
    pub last: Ipv4Addr,
}

/// Why a network can't be as it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// Not an address.
    #[error("{field} '{value}' is not an IPv4 address")]
    Address {
        /// The attribute.
        field: &'static str,
        /// What it was given.
        value: String,
    },
    /// A mask with holes.
    #[error("netmask '{0}' is not a netmask: its ones must be contiguous, like 255.255.0.0")]
    Netmask(Ipv4Addr),
    /// The subnet's address has bits set that the mask leaves to hosts.
    #[error("subnet {subnet} has host bits set under netmask {netmask}: did you mean {meant}?")]
    HostBits {
        /// As given.
        subnet: Ipv4Addr,
        /// As given.
        netmask: Ipv4Addr,
        /// The address of the network around it.
        meant: Ipv4Addr,
    },
    /// Not of the form `A-B`.
    #[error("dynamic_range '{0}' is not a range: write FIRST-LAST, like 10.0.0.100-10.0.0.200")]
    RangeForm(String),
    /// The range runs backwards.
    #[error("dynamic_range {0} runs backwards: {first} is above {last}", first = .0.first, last = .0.last)]
    RangeDescends(AddressRange),
    /// The range leaves the subnet.
    #[error("dynamic_range {range} is not inside subnet {subnet}")]
    RangeOutside {
        /// The range.
        range: AddressRange,
        /// The subnet.
        subnet: Ipv4Net,
    },
    /// The gateway is elsewhere.
    #[error("gateway {gateway} is not inside subnet {subnet}")]
    GatewayOutside {
        /// The gateway.
        gateway: Ipv4Addr,
        /// The subnet.
        subnet: Ipv4Net,
    },
}

impl Network {
    /// A network of which only name and subnet are known.
    #[must_use]
    pub fn new(name: impl Into<String>, subnet: Ipv4Net) -> Self {
        Self {
            name: name.into(),
            subnet,
            gateway: None,
            nameservers: Vec::new(),
            ntpservers: Vec::new(),
            domain: None,
            dynamic_range: Vec::new(),
            dhcpserver: None,
            extra: Map::new(),
        }
    }

    /// Checks what the parts must be to one another: gateway and dynamic ranges inside the subnet.
    ///
    /// # Errors
    /// Names the first part that does not fit.
    pub fn check(&self) -> Result<(), InvalidNetwork> {
        if let Some(gateway) = self
            .gateway
            .filter(|address| !self.subnet.contains(address))
        {
            return Err(InvalidNetwork::GatewayOutside {
                gateway,
                subnet: self.subnet,
            });
        }
        let outside = |range: &&AddressRange| {
            !(self.subnet.contains(&range.first) && self.subnet.contains(&range.last))
        };
        match self.dynamic_range.iter().find(outside) {
            Some(&range) => Err(InvalidNetwork::RangeOutside {
                range,
                subnet: self.subnet,
            }),
            None => Ok(()),
        }
    }

    /// Whether the two subnets share addresses.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.subnet.contains(&other.subnet.network())
            || other.subnet.contains(&self.subnet.network())
    }
}

/// The subnet of an address and a netmask as operators write them.
///
/// # Errors
/// The mask has holes, or the address has host bits set.
pub fn subnet_of(address: Ipv4Addr, netmask: Ipv4Addr) -> Result<Ipv4Net, InvalidNetwork> {
    let subnet =
        Ipv4Net::with_netmask(address, netmask).map_err(|_| InvalidNetwork::Netmask(netmask))?;
    if subnet.network() == address {
        Ok(subnet)
    } else {
        let meant = subnet.network();
        Err(InvalidNetwork::HostBits {
            subnet: address,
            netmask,
            meant,
        })
    }
}

/// Reads one address, or several separated by commas; spaces around them don't count.
///
/// # Errors
/// Names the attribute `field` and the part that is no address.
pub fn parse_addresses(field: &'static str, text: &str) -> Result<Vec<Ipv4Addr>, InvalidNetwork> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts.map(|part| parse_address(field, part)).collect()
}

/// Reads one address.
///
/// # Errors
/// Names the attribute `field` and what was given.
pub fn parse_address(field: &'static str, text: &str) -> Result<Ipv4Addr, InvalidNetwork> {
    let short = || text.chars().take(64).collect();
    text.parse().map_err(|_| InvalidNetwork::Address {
        field,
        value: short(),
    })
}

/// Reads one range, or several separated by commas.
///
/// # Errors
/// Names the part that is no range.
pub fn parse_ranges(text: &str) -> Result<Vec<AddressRange>, InvalidNetwork> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts.map(str::parse).collect()
}

impl AddressRange {
    /// Whether `address` is one of the range.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// The addresses of the range in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        (u32::from(self.first)..=u32::from(self.last)).map(Ipv4Addr::from)
    }
}

impl FromStr for AddressRange {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let form = || InvalidNetwork::RangeForm(text.chars().take(64).collect());
        let (first, last) = text.split_once('-').ok_or_else(form)?;
        let address = |part: &str| part.trim().parse().map_err(|_| form());
        let range = Self {
            first: address(first)?,
            last: address(last)?,
        };
        if range.first <= range.last {
            Ok(range)
        } else {
            Err(InvalidNetwork::RangeDescends(range))
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(subnet: &str) -> Network {
        Network::new("net", subnet.parse().unwrap())
    }

    #[test]
    fn the_subnet_of_the_readme_is_understood() {
        let subnet = subnet_of("11.0.0.0".parse().unwrap(), "255.0.0.0".parse().unwrap()).unwrap();
        assert_eq!(subnet.to_string(), "11.0.0.0/8");
        let ranges = parse_ranges("11.4.40.111-11.4.40.113").unwrap();
        assert_eq!(ranges[0].iter().count(), 3);
        assert_eq!(ranges[0].to_string(), "11.4.40.111-11.4.40.113");
    }

    #[test]
    fn wrong_masks_and_host_bits_are_named() {
        let mask = subnet_of("11.0.0.0".parse().unwrap(), "255.0.255.0".parse().unwrap());
        assert!(mask.unwrap_err().to_string().contains("255.0.255.0"));
        let bits = subnet_of("11.0.0.5".parse().unwrap(), "255.0.0.0".parse().unwrap());
        assert!(
            bits.unwrap_err()
                .to_string()
                .contains("did you mean 11.0.0.0?")
        );
    }

    #[test]
    fn ranges_and_gateways_outside_the_subnet_are_refused() {
        let mut outside = network("10.0.0.0/24");
        outside.dynamic_range = parse_ranges("10.0.0.200-10.0.1.3").unwrap();
        assert!(
            outside
                .check()
                .unwrap_err()
                .to_string()
                .contains("10.0.0.200-10.0.1.3")
        );
        let mut gateway = network("10.0.0.0/24");
        gateway.gateway = Some("10.0.1.1".parse().unwrap());
        assert!(
            gateway
                .check()
                .unwrap_err()
                .to_string()
                .contains("gateway 10.0.1.1")
        );
    }

    #[test]
    fn a_range_that_runs_backwards_is_an_error() {
        let error = parse_ranges("10.0.0.9-10.0.0.1").unwrap_err().to_string();
        assert!(error.contains("runs backwards"), "{error}");
        assert!(parse_ranges("10.0.0.9").is_err());
    }

    #[test]
    fn subnets_that_share_addresses_overlap() {
        assert!(network("10.0.0.0/8").overlaps(&network("10.9.0.0/16")));
        assert!(network("10.9.0.0/16").overlaps(&network("10.0.0.0/8")));
        assert!(!network("10.0.0.0/16").overlaps(&network("10.1.0.0/16")));
    }
}
