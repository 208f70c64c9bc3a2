//! A world of two networks and three nodes, and requests to it.

mod boot;
mod dynamic;
mod fixed;
mod wire;

use std::net::Ipv4Addr;
use std::sync::Arc;

use xcat3_core::{MacAddr, Network, Nic, Node, State};
use xcat3_drivers::boot::Loaders;
use xcat3_drivers::install::InstallSettings;
use xcat3_store::Changes;

use super::answer::Answer;
use super::client::{Desk, Served};
use super::packet::{Kind, Options, Reply, Request, code};
use super::respond::respond;
use crate::facts::Facts;
use crate::leases::LeaseTable;

const NODE: &str = "52:54:00:00:00:01";
const STRANGER: &str = "52:54:00:00:00:99";

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn mac(text: &str) -> MacAddr {
    text.parse().unwrap()
}

struct World {
    facts: Facts,
    link: Vec<Served>,
    leases: LeaseTable,
    loaders: Loaders,
    install: InstallSettings,
    now_ms: i64,
}

fn node(name: &str, state: State, nics: &[(&str, &str)]) -> Node {
    let mut node = Node::new(name.parse().unwrap());
    node.declared.netboot = Some("pxe".into());
    node.deployment.state = state;
    node.deployment.token = Some("0123456789abcdef".into());
    for (position, (mac, ip)) in nics.iter().enumerate() {
        node.nics.push(Nic {
            uuid: uuid::Uuid::from_u128(position as u128),
            mac: mac.parse().unwrap(),
            name: None,
            ip: ip.parse().ok(),
            netmask: None,
            primary: position == 0,
            extra: serde_json::Map::new(),
            node: None,
        });
    }
    node
}

impl World {
    fn new() -> Self {
        let mut network = Network::new("c920", "11.0.0.0/8".parse().unwrap());
        network.gateway = Some(ip("11.0.0.254"));
        network.nameservers = vec![ip("11.0.0.53"), ip("11.0.0.54")];
        network.ntpservers = vec![ip("11.0.0.123")];
        network.domain = Some("lab.test".into());
        network.dynamic_range = vec!["11.4.40.111-11.4.40.113".parse().unwrap()];
        let mut far = Network::new("far", "12.0.0.0/24".parse().unwrap());
        far.dynamic_range = vec!["12.0.0.10-12.0.0.20".parse().unwrap()];
        let mut facts = Facts::default();
        let nics = [(NODE, "11.5.102.60"), ("52:54:00:00:00:02", "11.5.102.61")];
        facts.apply(Changes {
            nodes: vec![
                node("node1", State::Deploying, &nics),
                node("far1", State::None, &[("52:54:00:00:00:0f", "12.0.0.5")]),
                node("bare", State::None, &[("52:54:00:00:00:0e", "")]),
            ],
            networks: vec![network.clone(), far],
            ..Changes::default()
        });
        Self {
            facts,
            link: vec![Served {
                network: Arc::new(network),
                server: ip("11.0.0.101"),
            }],
            leases: LeaseTable::default(),
            loaders: Loaders::default(),
            install: InstallSettings::default(),
            now_ms: 1_000_000,
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Network)) {
        let network = Arc::make_mut(&mut self.link[0].network);
        change(network);
        let networks = vec![network.clone()];
        self.facts.apply(Changes {
            networks,
            ..Changes::default()
        });
    }

    fn ask(&mut self, request: &Request) -> Answer {
        let desk = Desk {
            facts: &self.facts,
            link: &self.link,
            http_port: 3011,
            loaders: &self.loaders,
            install: &self.install,
            lease_s: 43_200,
            dynamic_lease_s: 3_600,
            now_ms: self.now_ms,
        };
        respond(request, &desk, &mut self.leases)
    }

    fn reply(&mut self, request: &Request) -> (Reply, String) {
        let answer = self.ask(request);
        let (reply, to) = answer
            .reply
            .unwrap_or_else(|| panic!("silence: {}", answer.note));
        (reply, to.to_string())
    }

    fn silence(&mut self, request: &Request) -> String {
        let answer = self.ask(request);
        assert_eq!(answer.reply, None);
        answer.note
    }

    /// DISCOVER and REQUEST of a machine that takes what it is offered.
    fn join(&mut self, from: &str) -> Option<Ipv4Addr> {
        let offer = self.ask(&request(Kind::Discover, from)).reply?.0.yiaddr;
        let taking = selecting(from, "11.0.0.101", &offer.to_string());
        let (ack, _) = self.reply(&taking);
        assert_eq!((ack.kind, ack.yiaddr), (Some(Kind::Ack), offer));
        Some(offer)
    }
}

fn request(kind: Kind, from: &str) -> Request {
    let byte = match kind {
        Kind::Discover => 1,
        Kind::Request => 3,
        Kind::Decline => 4,
        Kind::Release => 7,
        Kind::Inform => 8,
        _ => 2,
    };
    Request {
        xid: 0xabcd,
        secs: 0,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        mac: mac(from),
        options: Options::from([(code::KIND, vec![byte])]),
    }
}

fn with(mut request: Request, code: u8, value: impl Into<Vec<u8>>) -> Request {
    request.options.insert(code, value.into());
    request
}

fn with_ip(request: Request, code: u8, address: &str) -> Request {
    with(request, code, ip(address).octets())
}

fn selecting(from: &str, server: &str, address: &str) -> Request {
    let request = with_ip(request(Kind::Request, from), code::SERVER_ID, server);
    with_ip(request, code::REQUESTED_IP, address)
}

fn rebooting(from: &str, address: &str) -> Request {
    with_ip(request(Kind::Request, from), code::REQUESTED_IP, address)
}

fn renewing(from: &str, address: &str) -> Request {
    Request {
        ciaddr: ip(address),
        ..request(Kind::Request, from)
    }
}

fn firmware(architecture: u16, class: &str) -> Request {
    let request = request(Kind::Discover, NODE);
    let request = with(request, code::ARCHITECTURE, architecture.to_be_bytes());
    with(request, code::VENDOR_CLASS, class)
}

fn addresses(reply: &Reply, code: u8) -> Vec<Ipv4Addr> {
    let bytes = reply
        .options
        .get(&code)
        .map(Vec::as_slice)
        .unwrap_or_default();
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|octets| Ipv4Addr::from(*octets))
        .collect()
}

fn text(reply: &Reply, code: u8) -> String {
    let bytes = reply.options.get(&code).cloned().unwrap_or_default();
    String::from_utf8(bytes).unwrap()
}
