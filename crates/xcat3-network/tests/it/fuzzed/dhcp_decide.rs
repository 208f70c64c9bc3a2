//! The DHCP decision: clients that send any requests, in any order, over any time.
//!
//! The script has eight bytes a step: operation, client, address, time, and four for options.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};

use xcat3_core::{MacAddr, Network, Nic, Node};
use xcat3_drivers::boot::Loaders;
use xcat3_drivers::install::InstallSettings;
use xcat3_network::boot::BootSettings;
use xcat3_network::dhcp::decide::{DhcpFacts, decide};
use xcat3_network::dhcp::packet::{MessageType, Options, Reply, Request, code};
use xcat3_network::facts::Facts;
use xcat3_network::leases::LeaseTable;
use xcat3_network::plan::ServedNetwork;
use xcat3_store::{Changes, Lease};

const SERVER: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 1);
const RELAY: Ipv4Addr = Ipv4Addr::new(12, 0, 0, 1);
/// Fixed to the nics of the nodes, both inside the dynamic range.
const FIXED: [Ipv4Addr; 2] = [Ipv4Addr::new(11, 0, 0, 12), Ipv4Addr::new(11, 0, 0, 13)];
const LEASE_S: u32 = 43_200;
const DYNAMIC_LEASE_S: u32 = 3_600;

struct World {
    facts: Facts,
    link: Vec<ServedNetwork>,
    boot: Arc<BootSettings>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let network = |name: &str, subnet: &str, range: &str| {
        let mut network = Network::new(name, subnet.parse().expect("a subnet"));
        network.dynamic_range = vec![range.parse().expect("a range")];
        network.gateway = network.subnet.hosts().last();
        network.domain = Some("lab.test".to_owned());
        network
    };
    let here = network("here", "11.0.0.0/24", "11.0.0.9-11.0.0.15");
    let relayed = network("relayed", "12.0.0.0/24", "12.0.0.1-12.0.0.3");
    let mut facts = Facts::default();
    let nodes = FIXED.iter().zip(0..).map(|(ip, number)| node(number, *ip));
    facts.apply(Changes {
        nodes: nodes.collect(),
        networks: vec![here.clone(), relayed],
        ..Changes::default()
    });
    World {
        facts,
        link: vec![ServedNetwork {
            network: Arc::new(here),
            server: SERVER,
        }],
        boot: Arc::new(BootSettings {
            http_port: 3011,
            loaders: Loaders::default(),
            install: InstallSettings::default(),
        }),
    }
});

fn node(number: u8, ip: Ipv4Addr) -> Node {
    let mut node = Node::new(format!("n{number}").parse().expect("a name"));
    node.declared.netboot = Some("pxe".to_owned());
    node.nics.push(Nic {
        uuid: uuid::Uuid::from_u128(u128::from(number)),
        mac: mac(number),
        name: None,
        ip: Some(ip.into()),
        netmask: None,
        primary: true,
        extra: serde_json::Map::new(),
        node: None,
    });
    node
}

/// The MACs 0 and 1 are those of the nodes.
fn mac(client: u8) -> MacAddr {
    MacAddr([0x52, 0x54, 0, 0, 0, client])
}

/// An address in the hands of a client.
struct Leased {
    client: u8,
    until_ms: i64,
}

/// Runs a script.
pub fn run(script: &[u8]) {
    let world = &*WORLD;
    let mut leases = LeaseTable::default();
    let mut leased: HashMap<Ipv4Addr, Leased> = HashMap::new();
    let mut saved: HashMap<Ipv4Addr, Lease> = HashMap::new();
    let mut now_ms = 1_000_000;
    for step in script.as_chunks::<8>().0.iter().take(500) {
        let [operation, client, address, wait, ..] = *step;
        now_ms += i64::from(wait) * i64::from(wait) * 100;
        if operation == 255 {
            // The service restarts with what it saved; offers are gone, leases are not.
            leases = LeaseTable::restored(saved.values().cloned().collect());
            continue;
        }
        let request = request(step);
        let facts = DhcpFacts {
            declared: &world.facts,
            link: &world.link,
            boot: &world.boot,
            lease_s: LEASE_S,
            dynamic_lease_s: DYNAMIC_LEASE_S,
            now_ms,
        };
        let decision = decide(&request, &facts, &mut leases);
        assert!(decision.reply.is_some() || decision.reason.is_some());
        if let Some(lease) = &decision.lease {
            saved.retain(|_, other| other.mac != lease.mac || other.network != lease.network);
            saved.insert(lease.ip, lease.clone());
        }
        let Some((reply, _)) = decision.reply else {
            if decision.lease.is_some() || declines(&request, &leased, client % 8) {
                leased.remove(&if decision.lease.is_some() {
                    request.ciaddr
                } else {
                    ip_of(address, step[4])
                });
            }
            continue;
        };
        assert!(reply.encode().len() <= 1472);
        check(&request, &reply, client % 8, now_ms, &mut leased);
    }
}

/// Whether a request declines an address that is leased to its client.
fn declines(request: &Request, leased: &HashMap<Ipv4Addr, Leased>, client: u8) -> bool {
    let ip = request.address(code::REQUESTED_IP);
    request.message_type() == Some(MessageType::Decline)
        && ip.is_some_and(|ip| leased.get(&ip).is_some_and(|lease| lease.client == client))
}

/// Checks the address of a reply, and keeps account of what is leased.
fn check(
    request: &Request,
    reply: &Reply,
    client: u8,
    now_ms: i64,
    leased: &mut HashMap<Ipv4Addr, Leased>,
) {
    let ip = reply.yiaddr;
    assert_eq!(reply.mac, request.mac);
    if reply.message_type == Some(MessageType::Nak) || ip.is_unspecified() {
        return;
    }
    let of_node = FIXED.get(usize::from(client)).copied();
    assert_eq!(of_node.unwrap_or(ip), ip, "a node gets its fixed address");
    if of_node.is_some() {
        return;
    }
    assert!(!FIXED.contains(&ip), "{ip} is fixed to a node");
    assert_ne!(ip, RELAY, "the address of the relay");
    if let Some(lease) = leased.get(&ip) {
        let is_free = lease.client == client || lease.until_ms <= now_ms;
        assert!(is_free, "{ip} is leased to two clients");
    }
    if reply.message_type == Some(MessageType::Ack) {
        let is_here = |ip: &Ipv4Addr| ip.octets()[0] == reply.yiaddr.octets()[0];
        leased.retain(|other, lease| lease.client != client || !is_here(other));
        let seconds = reply.options[&code::LEASE_TIME][..].try_into();
        let seconds = u32::from_be_bytes(seconds.expect("four bytes"));
        assert!((60..=DYNAMIC_LEASE_S).contains(&seconds));
        let until_ms = now_ms + i64::from(seconds) * 1000;
        leased.insert(ip, Leased { client, until_ms });
    }
}

fn ip_of(address: u8, bits: u8) -> Ipv4Addr {
    match bits & 1 {
        0 => Ipv4Addr::new(11, 0, 0, address % 20),
        _ => Ipv4Addr::new(12, 0, 0, address % 6),
    }
}

fn request(step: &[u8; 8]) -> Request {
    let [operation, client, address, _, bits, first, second, third] = *step;
    let ip = ip_of(address, bits);
    let mut options = Options::new();
    let mut ciaddr = Ipv4Addr::UNSPECIFIED;
    let mut set = |code: u8, value: &[u8]| options.insert(code, value.to_vec());
    let message_type = match operation % 10 {
        0 | 1 => 1,
        2..=4 => 3,
        5 => 7,
        6 => 4,
        7 => 8,
        8 => first,
        _ => 0,
    };
    if operation % 10 != 9 {
        set(code::MESSAGE_TYPE, &[message_type]);
    }
    match operation % 10 {
        1 | 3 | 6 => drop(set(code::REQUESTED_IP, &ip.octets())),
        2 => {
            set(code::REQUESTED_IP, &ip.octets());
            let server = if bits & 2 == 0 { SERVER } else { RELAY };
            set(code::SERVER_ID, &server.octets());
        }
        _ => ciaddr = ip,
    }
    if bits & 4 != 0 {
        set(code::LEASE_TIME, &[0, first, second, third]);
    }
    if bits & 8 != 0 {
        set(code::VENDOR_CLASS, b"PXEClient:Arch:00007");
        set(code::ARCHITECTURE, &[0, first]);
    }
    if bits & 16 != 0 {
        set(code::MACHINE_ID, &[second; 17]);
        set(code::USER_CLASS, b"iPXE");
    }
    if bits & 32 != 0 {
        set(code::PARAMETER_LIST, &[first, second, third]);
    }
    if bits & 64 != 0 {
        set(code::RELAY, &[5, first % 8, 12, 0, 0, second, third]);
    }
    Request {
        xid: u32::from_be_bytes([operation, client, address, bits]),
        flags: u16::from(second) << 8,
        ciaddr,
        giaddr: if bits & 128 != 0 || bits & 1 != 0 {
            RELAY
        } else {
            Ipv4Addr::UNSPECIFIED
        },
        mac: mac(client % 8),
        options,
    }
}
