//! How a BMC is on the network: channels and LAN configuration (IPMI v2.0, 22.24, 23.1 and 23.2).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Malformed, cut};
use crate::client::Error;
use crate::message::{Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// Get Channel Info.
const CHANNEL: Command = Command::new(0x06, 0x42);
/// Set LAN Configuration Parameters.
const SET: Command = Command::new(0x0c, 0x01);
/// Get LAN Configuration Parameters.
const GET: Command = Command::new(0x0c, 0x02);

/// The channel by which the request comes.
const THIS: u8 = 0x0e;

const IN_PROGRESS: u8 = 0;
const ADDRESS: u8 = 3;
const SOURCE: u8 = 4;
const MAC: u8 = 5;
const NETMASK: u8 = 6;
const GATEWAY: u8 = 12;
const GATEWAY_MAC: u8 = 13;
const VLAN: u8 = 20;
const FAMILIES: u8 = 51;
const IPV6_STATUS: u8 = 55;
const IPV6_STATIC: u8 = 56;
const IPV6_DYNAMIC: u8 = 59;

/// The most addresses of IPv6 that are asked for.
const MOST_ADDRESSES: u8 = 16;
/// In the bytes of an IPv6 address: it is in use.
const IPV6_ENABLED: u8 = 0x80;

/// A channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Its number.
    pub number: u8,
    /// Its medium (table 6-3): 4 is LAN.
    pub medium: u8,
    /// Its protocol (table 6-2): 1 is IPMB, which LAN speaks too.
    pub protocol: u8,
}

impl ChannelInfo {
    /// Reads the answer of Get Channel Info.
    ///
    /// # Errors
    /// It is cut off.
    pub fn parse(answer: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(answer);
        let [number, medium, protocol] = reader.array().map_err(cut("the channel"))?;
        Ok(Self {
            number: number & 0x0f,
            medium: medium & 0x7f,
            protocol: protocol & 0x1f,
        })
    }

    /// Whether it is a LAN.
    #[must_use]
    pub fn is_lan(&self) -> bool {
        self.medium == 4
    }
}

/// Where an address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressSource {
    /// It was set.
    Static,
    /// DHCP.
    Dhcp,
    /// The BIOS or the operating system gave it.
    System,
    /// Something else, by its number.
    Other(u8),
}

impl AddressSource {
    fn from_number(number: u8) -> Self {
        match number & 0x0f {
            1 => Self::Static,
            2 => Self::Dhcp,
            3 => Self::System,
            other => Self::Other(other),
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Static => 1,
            Self::Dhcp => 2,
            Self::System => 3,
            Self::Other(number) => number & 0x0f,
        }
    }
}

/// How a BMC is on the network. What it does not tell is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LanConfig {
    /// Number of the channel.
    pub channel: u8,
    /// Its IPv4 address.
    pub address: Option<Ipv4Addr>,
    /// Where that comes from.
    pub source: Option<AddressSource>,
    /// Its netmask.
    pub netmask: Option<Ipv4Addr>,
    /// Its gateway.
    pub gateway: Option<Ipv4Addr>,
    /// The gateway's MAC address.
    pub gateway_mac: Option<[u8; 6]>,
    /// Its MAC address.
    pub mac: Option<[u8; 6]>,
    /// Its VLAN, where it is in one.
    pub vlan: Option<u16>,
    /// Its IPv6 addresses that are in use, with the lengths of their prefixes.
    pub ipv6: Vec<(Ipv6Addr, u8)>,
}

/// What is to be changed of how a BMC is on the network; what is left out stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LanChange {
    /// Where the address comes from.
    pub source: Option<AddressSource>,
    /// Its address.
    pub address: Option<Ipv4Addr>,
    /// Its netmask.
    pub netmask: Option<Ipv4Addr>,
    /// Its gateway.
    pub gateway: Option<Ipv4Addr>,
    /// Its VLAN, 1 to 4,094; `Some(None)` is none.
    pub vlan: Option<Option<u16>>,
}

/// Asks about the channel by which the request comes.
///
/// # Errors
/// The BMC refuses, does not answer, or its answer is cut off.
pub async fn channel(bmc: &mut impl Requester) -> Result<ChannelInfo, Error> {
    Ok(ChannelInfo::parse(&bmc.request(CHANNEL, &[THIS]).await?)?)
}

/// Asks how the BMC is on the network of this channel.
///
/// # Errors
/// The BMC does not answer, or an answer is malformed. A parameter that it refuses to tell is left out.
pub async fn get(bmc: &mut impl Requester, channel: u8) -> Result<LanConfig, Error> {
    let mut ask = Ask { bmc, channel };
    let ipv4 = |bytes: [u8; 4]| Some(Ipv4Addr::from(bytes)).filter(|ip| !ip.is_unspecified());
    let mac = |bytes: [u8; 6]| Some(bytes).filter(|mac| *mac != [0; 6]);
    let vlan = ask.parameter(VLAN, 0).await?.map(u16::from_le_bytes);
    let source = ask.parameter(SOURCE, 0).await?;
    Ok(LanConfig {
        channel,
        address: ask.parameter(ADDRESS, 0).await?.and_then(ipv4),
        source: source.map(|[number]| AddressSource::from_number(number)),
        netmask: ask.parameter(NETMASK, 0).await?.and_then(ipv4),
        gateway: ask.parameter(GATEWAY, 0).await?.and_then(ipv4),
        gateway_mac: ask.parameter(GATEWAY_MAC, 0).await?.and_then(mac),
        mac: ask.parameter(MAC, 0).await?.and_then(mac),
        vlan: vlan
            .filter(|vlan| vlan & 0x8000 != 0)
            .map(|vlan| vlan & 0x0fff),
        ipv6: ask.ipv6().await?,
    })
}

/// Changes how the BMC is on the network of this channel. A new address cuts the session that changes
/// it: then the BMC does not answer any more.
///
/// # Errors
/// The BMC refuses, or does not answer.
pub async fn set(bmc: &mut impl Requester, channel: u8, change: LanChange) -> Result<(), Error> {
    let mut ask = Ask { bmc, channel };
    let announced = match ask.set(IN_PROGRESS, &[1]).await {
        Ok(()) => true,
        Err(Error::Refused(Completion::INSUFFICIENT_PRIVILEGE)) => {
            return Err(Error::Refused(Completion::INSUFFICIENT_PRIVILEGE));
        }
        // Quirk: BMCs without it take each parameter at once.
        Err(Error::Refused(_)) => false,
        Err(error) => return Err(error),
    };
    let done = ask.change(change).await;
    if announced {
        // To be kept, and over. What went wrong is not to be kept.
        let last: &[u8] = if done.is_ok() { &[2, 0] } else { &[0] };
        for step in last {
            match ask.set(IN_PROGRESS, &[*step]).await {
                Ok(()) | Err(Error::Refused(_)) => {}
                Err(error) => return done.and(Err(error)),
            }
        }
    }
    done
}

/// Requests about one channel.
struct Ask<'a, B> {
    bmc: &'a mut B,
    channel: u8,
}

impl<B: Requester> Ask<'_, B> {
    /// A parameter; nothing where the BMC does not tell it.
    async fn parameter<const N: usize>(
        &mut self,
        parameter: u8,
        set: u8,
    ) -> Result<Option<[u8; N]>, Error> {
        let answer = match self
            .bmc
            .request(GET, &[self.channel, parameter, set, 0])
            .await
        {
            Ok(answer) => answer,
            Err(Error::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut reader = Reader::new(&answer);
        let value = reader.u8().and_then(|_revision| reader.array());
        let what = |short| cut("the answer")(short).within(format!("LAN parameter {parameter}"));
        Ok(Some(value.map_err(what)?))
    }

    /// Addresses of IPv6 that are in use, where there is IPv6.
    async fn ipv6(&mut self) -> Result<Vec<(Ipv6Addr, u8)>, Error> {
        let families: Option<[u8; 1]> = self.parameter(FAMILIES, 0).await?;
        let mut addresses = Vec::new();
        if families.is_none_or(|[families]| families == 0) {
            return Ok(addresses);
        }
        let most: Option<[u8; 2]> = self.parameter(IPV6_STATUS, 0).await?;
        let [fixed, dynamic] = most.unwrap_or([1, 1]);
        for (parameter, count) in [(IPV6_STATIC, fixed), (IPV6_DYNAMIC, dynamic)] {
            for set in 0..count.min(MOST_ADDRESSES) {
                // Set, source (bit 7: in use), address, length of the prefix, status.
                let entry: Option<[u8; 20]> = self.parameter(parameter, set).await?;
                let Some([_, source, bytes @ .., prefix, status]) = entry else {
                    break;
                };
                let address = Ipv6Addr::from(bytes);
                let in_use = parameter == IPV6_DYNAMIC || source & IPV6_ENABLED != 0;
                if in_use && status == 0 && !address.is_unspecified() {
                    addresses.push((address, prefix));
                }
            }
        }
        Ok(addresses)
    }

    async fn set(&mut self, parameter: u8, value: &[u8]) -> Result<(), Error> {
        let request = [&[self.channel, parameter], value].concat();
        self.bmc.request(SET, &request).await?;
        Ok(())
    }

    /// The address comes last: the session may not outlive it.
    async fn change(&mut self, change: LanChange) -> Result<(), Error> {
        if let Some(vlan) = change.vlan {
            let vlan = vlan.map_or(0, |vlan| 0x8000 | vlan & 0x0fff);
            self.set(VLAN, &vlan.to_le_bytes()).await?;
        }
        if let Some(source) = change.source {
            self.set(SOURCE, &[source.number()]).await?;
        }
        let values = [
            (NETMASK, change.netmask),
            (GATEWAY, change.gateway),
            (ADDRESS, change.address),
        ];
        for (parameter, value) in values {
            if let Some(value) = value {
                self.set(parameter, &value.octets()).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::script::{Answering, Script};

    /// A BMC with IPv4, a VLAN and one address of IPv6.
    fn configured(request: &[u8]) -> Result<Vec<u8>, u8> {
        let &[0x0c, 0x02, 1, parameter, set, 0] = request else {
            return Err(0xc1);
        };
        let mut address = vec![0, 0x80, 0x20, 0x01, 0x0d, 0xb8];
        address.extend([0; 11]);
        address.extend([7, 64, 0]);
        let value = match (parameter, set) {
            (3, _) => vec![10, 1, 0, 7],
            (4, _) => vec![0x02],
            (5, _) => vec![2, 0, 0, 0, 0, 7],
            (6, _) => vec![255, 255, 0, 0],
            (12, _) => vec![10, 1, 0, 1],
            (13, _) => vec![0; 6],
            (20, _) => vec![0x64, 0x80],
            (51, _) => vec![2],
            (55, _) => vec![2, 1, 3],
            (56, 0) => address,
            (56, 1) => [&[1, 0x80][..], &[0; 18]].concat(),
            _ => return Err(0x80),
        };
        Ok([&[0x11], &value[..]].concat())
    }

    #[tokio::test]
    async fn a_configuration_is_what_the_bmc_tells() {
        let config = get(&mut Answering::new(configured), 1).await.unwrap();
        assert_eq!(config.address, Some(Ipv4Addr::new(10, 1, 0, 7)));
        assert_eq!(config.source, Some(AddressSource::Dhcp));
        assert_eq!(config.netmask, Some(Ipv4Addr::new(255, 255, 0, 0)));
        assert_eq!(config.gateway, Some(Ipv4Addr::new(10, 1, 0, 1)));
        assert_eq!(
            (config.mac, config.gateway_mac),
            (Some([2, 0, 0, 0, 0, 7]), None)
        );
        assert_eq!(config.vlan, Some(100));
        assert_eq!(config.ipv6, [("2001:db8::7".parse().unwrap(), 64)]);
        let nothing = get(&mut Answering::new(|_: &[u8]| Err(0x80)), 1)
            .await
            .unwrap();
        assert_eq!(
            nothing,
            LanConfig {
                channel: 1,
                ..LanConfig::default()
            }
        );
        let mut short = Answering::new(|_: &[u8]| Ok(vec![0x11, 1]));
        let error = get(&mut short, 1).await.unwrap_err().to_string();
        assert!(
            error.ends_with("LAN parameter 20: the answer is cut off"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_change_is_announced_and_the_address_comes_last() {
        let mut bmc = Script::new(&[
            (&[0x0c, 1, 1, 0, 1], Ok(&[])),
            (&[0x0c, 1, 1, 20, 0x64, 0x80], Ok(&[])),
            (&[0x0c, 1, 1, 4, 1], Ok(&[])),
            (&[0x0c, 1, 1, 6, 255, 255, 0, 0], Ok(&[])),
            (&[0x0c, 1, 1, 12, 10, 1, 0, 1], Ok(&[])),
            (&[0x0c, 1, 1, 3, 10, 1, 0, 7], Ok(&[])),
            (&[0x0c, 1, 1, 0, 2], Err(0x80)),
            (&[0x0c, 1, 1, 0, 0], Ok(&[])),
        ]);
        let change = LanChange {
            source: Some(AddressSource::Static),
            address: Some(Ipv4Addr::new(10, 1, 0, 7)),
            netmask: Some(Ipv4Addr::new(255, 255, 0, 0)),
            gateway: Some(Ipv4Addr::new(10, 1, 0, 1)),
            vlan: Some(Some(100)),
        };
        set(&mut bmc, 1, change).await.unwrap();
        let mut bmc = Script::new(&[
            (&[0x0c, 1, 1, 0, 1], Ok(&[])),
            (&[0x0c, 1, 1, 20, 0, 0], Err(0x82)),
            (&[0x0c, 1, 1, 0, 0], Ok(&[])),
        ]);
        let change = LanChange {
            vlan: Some(None),
            ..LanChange::default()
        };
        assert!(set(&mut bmc, 1, change).await.is_err());
    }

    #[tokio::test]
    async fn the_channel_of_the_session_is_found() {
        let answer = [0x01, 0x04, 0x01, 0x81, 0xf2, 0x1b, 0, 0, 0];
        let mut bmc = Script::new(&[(&[0x06, 0x42, 0x0e], Ok(&answer))]);
        let found = channel(&mut bmc).await.unwrap();
        assert_eq!((found.number, found.is_lan()), (1, true));
        assert!(ChannelInfo::parse(&answer[..2]).is_err());
    }
}
