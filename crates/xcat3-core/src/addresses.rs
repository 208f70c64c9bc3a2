//! Addresses where BMCs are looked for: subnets, ranges and lists, as operators write them.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::name::NodeName;

/// The most addresses in one request.
pub const MOST_ADDRESSES: usize = 65_536;
/// So many times that may be named in all, with those that are named twice or left out again.
const MOST_NAMED: usize = 4 * MOST_ADDRESSES;

/// The text names no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddresses {
    /// A part of it makes no sense.
    #[error(
        "'{0}' is no address, subnet or range: write 10.0.0.7, 10.0.0.0/24, 10.0.0.1-10.0.0.99, \
        10.0.0.1-99 or 10.0.[0-3].[1-99]"
    )]
    Part(String),
    /// It is IPv6, whose subnets are too large to be searched.
    #[error("'{0}' is an IPv6 address; BMCs are looked for by IPv4 addresses only")]
    Version6(String),
    /// A range runs backwards.
    #[error("'{0}' runs backwards")]
    Backwards(String),
    /// Too many.
    #[error("more than {MOST_ADDRESSES} addresses in one request")]
    TooMany,
    /// None is left.
    #[error("it names no address")]
    None,
}

/// The addresses that `text` names, each once, in their order: parts with commas between them, of which
/// those that begin with `-` are left out. Of a subnet of four or more addresses neither its own
/// address nor its broadcast address is meant.
///
/// # Errors
/// It makes no sense, or names too many.
pub fn parse(text: &str) -> Result<Vec<Ipv4Addr>, InvalidAddresses> {
    let (mut wanted, mut unwanted) = (BTreeSet::new(), BTreeSet::new());
    let mut left = MOST_NAMED;
    for part in parts(text) {
        let part = part.trim();
        let (set, part) = match part.strip_prefix('-') {
            Some(rest) => (&mut unwanted, rest),
            None => (&mut wanted, part),
        };
        for (first, last) in ranges(part)? {
            let count = usize::try_from(last - first)
                .unwrap_or(usize::MAX)
                .saturating_add(1);
            left = left.checked_sub(count).ok_or(InvalidAddresses::TooMany)?;
            set.extend(first..=last);
        }
    }
    let addresses: Vec<Ipv4Addr> = wanted
        .difference(&unwanted)
        .map(|n| Ipv4Addr::from(*n))
        .collect();
    match addresses.len() {
        0 => Err(InvalidAddresses::None),
        1..=MOST_ADDRESSES => Ok(addresses),
        _ => Err(InvalidAddresses::TooMany),
    }
}

/// What a job calls the target at `address`: its dots are no part of names.
#[must_use]
pub fn target(address: Ipv4Addr) -> Option<NodeName> {
    address.to_string().replace('.', "-").parse().ok()
}

/// The address of a job's target, where it is one.
#[must_use]
pub fn of_target(name: &NodeName) -> Option<Ipv4Addr> {
    name.as_str().replace('-', ".").parse().ok()
}

/// The parts between commas that stand in no brackets.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    text.split(move |c| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
}

type Range = (u32, u32);

fn ranges(part: &str) -> Result<Vec<Range>, InvalidAddresses> {
    let start: String = part.chars().take(64).collect();
    let wrong = || InvalidAddresses::Part(start.clone());
    if part.contains(':') {
        return Err(InvalidAddresses::Version6(start));
    }
    let address = |text: &str| text.parse::<Ipv4Addr>().map(u32::from).map_err(|_| wrong());
    if let Some((base, length)) = part.split_once('/') {
        let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
        let length: u32 = length
            .parse()
            .ok()
            .filter(|l| digits && *l <= 32)
            .ok_or_else(wrong)?;
        return Ok(vec![subnet(address(base)?, length)]);
    }
    if part.contains('[') {
        return octets(part, &wrong);
    }
    let Some((first, last)) = part.split_once('-') else {
        return Ok(vec![(address(part)?, address(part)?)]);
    };
    let first = address(first)?;
    let last = match last.parse::<u8>() {
        Ok(octet) => first & !0xff | u32::from(octet),
        Err(_) => address(last)?,
    };
    if last < first {
        return Err(InvalidAddresses::Backwards(start));
    }
    Ok(vec![(first, last)])
}

fn subnet(base: u32, length: u32) -> Range {
    let hosts = u32::MAX.checked_shr(length).unwrap_or(0);
    let (first, last) = (base & !hosts, base | hosts);
    if hosts >= 3 {
        (first + 1, last - 1)
    } else {
        (first, last)
    }
}

/// Four numbers, lists in brackets among them.
fn octets(
    part: &str,
    wrong: &dyn Fn() -> InvalidAddresses,
) -> Result<Vec<Range>, InvalidAddresses> {
    let octets: Vec<&str> = part.split('.').collect();
    let octets: &[&str; 4] = octets.as_slice().try_into().map_err(|_| wrong())?;
    let mut named: Vec<u32> = vec![0];
    for octet in octets {
        let numbers = numbers(octet, wrong)?;
        if named.len().saturating_mul(numbers.len()) > MOST_NAMED {
            return Err(InvalidAddresses::TooMany);
        }
        let with = |high: &u32| {
            let high = high << 8;
            numbers
                .iter()
                .map(move |number| high | u32::from(*number))
                .collect::<Vec<u32>>()
        };
        named = named.iter().flat_map(with).collect();
    }
    Ok(named
        .into_iter()
        .map(|address| (address, address))
        .collect())
}

fn numbers(octet: &str, wrong: &dyn Fn() -> InvalidAddresses) -> Result<Vec<u8>, InvalidAddresses> {
    let number = |text: &str| text.parse::<u8>().map_err(|_| wrong());
    let Some(list) = octet.strip_prefix('[') else {
        return Ok(vec![number(octet)?]);
    };
    let list = list.strip_suffix(']').ok_or_else(wrong)?;
    let mut numbers = BTreeSet::new();
    for item in list.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            return Err(InvalidAddresses::Backwards(item.to_owned()));
        }
        numbers.extend(first..=last);
    }
    Ok(numbers.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> String {
        match parse(text) {
            Ok(addresses) if addresses.len() > 4 => format!(
                "{} {} {}",
                addresses.len(),
                addresses[0],
                addresses[addresses.len() - 1]
            ),
            Ok(addresses) => addresses
                .iter()
                .map(|a| format!("{a} "))
                .collect::<String>(),
            Err(error) => error.to_string().chars().take(40).collect(),
        }
    }

    #[test]
    fn addresses_are_named_as_operators_write_them() {
        for (text, expected) in [
            ("10.0.0.7", "10.0.0.7 "),
            ("10.0.0.9/32", "10.0.0.9 "),
            ("10.0.0.9/31", "10.0.0.8 10.0.0.9 "),
            ("10.0.0.9/30", "10.0.0.9 10.0.0.10 "),
            ("10.0.3.4/24", "254 10.0.3.1 10.0.3.254"),
            ("10.0.0.0/16", "65534 10.0.0.1 10.0.255.254"),
            ("10.0.0.250-10.0.1.3", "10 10.0.0.250 10.0.1.3"),
            ("10.0.0.1-3", "10.0.0.1 10.0.0.2 10.0.0.3 "),
            ("10.0.[0-3].[1-254]", "1016 10.0.0.1 10.0.3.254"),
            ("10.0.0.[3,1-2],10.0.0.2", "10.0.0.1 10.0.0.2 10.0.0.3 "),
            ("10.0.0.1-5, -10.0.0.2-4", "10.0.0.1 10.0.0.5 "),
            (
                "255.255.255.254-255.255.255.255",
                "255.255.255.254 255.255.255.255 ",
            ),
        ] {
            assert_eq!(named(text), expected, "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_costs_nothing() {
        for text in [
            "",
            "x",
            "10.0.0",
            "10.0.0.256",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0.0.1-",
            "10.0.[0-3.1",
            "10.0.0.[]",
            "10.0.[0-3].[1-254]-9",
            "10.0.0.1/24/24",
        ] {
            assert!(
                matches!(parse(text), Err(InvalidAddresses::Part(_))),
                "{text}"
            );
        }
        assert!(matches!(
            parse("fd00::1"),
            Err(InvalidAddresses::Version6(_))
        ));
        assert!(matches!(
            parse("10.0.0.9-8"),
            Err(InvalidAddresses::Backwards(_))
        ));
        assert!(matches!(
            parse("10.0.0.[9-8]"),
            Err(InvalidAddresses::Backwards(_))
        ));
        assert_eq!(parse("10.0.0.1,-10.0.0.1"), Err(InvalidAddresses::None));
        for text in [
            "0.0.0.0/0",
            "10.0.0.0/15",
            "[0-255].[0-255].[0-255].[0-255]",
            "1.1.1.1-9.9.9.9",
        ] {
            assert_eq!(parse(text), Err(InvalidAddresses::TooMany), "{text}");
        }
        let again = ["10.0.0.0/16"; 1_000].join(",");
        assert_eq!(parse(&again), Err(InvalidAddresses::TooMany));
    }

    #[test]
    fn a_target_is_its_address() {
        let address = Ipv4Addr::new(10, 0, 0, 255);
        let name = target(address).unwrap();
        assert_eq!(name.as_str(), "10-0-0-255");
        assert_eq!(of_target(&name), Some(address));
        assert_eq!(of_target(&"node1".parse().unwrap()), None);
    }
}
