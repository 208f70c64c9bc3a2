//! Two networks, three nodes and requests of clients there.

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

use super::decide::{Decision, DhcpFacts, decide};
use super::packet::{MessageType, Options, Reply, Request, code};
use crate::boot::BootSettings;
use crate::facts::Facts;
use crate::leases::LeaseTable;
use crate::plan::ServedNetwork;

const NODE: &str = "52:54:00:00:00:01";
const UNKNOWN: &str = "52:54:00:00:00:99";

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn mac(text: &str) -> MacAddr {
    text.parse().unwrap()
}

struct World {
    facts: Facts,
    link: Vec<ServedNetwork>,
    leases: LeaseTable,
    boot: Arc<BootSettings>,
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
            link: vec![ServedNetwork {
                network: Arc::new(network),
                server: ip("11.0.0.101"),
            }],
            leases: LeaseTable::default(),
            boot: Arc::new(BootSettings {
                http_port: 3011,
                loaders: Loaders::default(),
                install: InstallSettings::default(),
            }),
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

    fn decide(&mut self, request: &Request) -> Decision {
        let facts = DhcpFacts {
            declared: &self.facts,
            link: &self.link,
            boot: &self.boot,
            lease_s: 43_200,
            dynamic_lease_s: 3_600,
            now_ms: self.now_ms,
        };
        decide(request, &facts, &mut self.leases)
    }

    fn reply(&mut self, request: &Request) -> (Reply, String) {
        let decision = self.decide(request);
        let (reply, to) = decision
            .reply
            .unwrap_or_else(|| panic!("no reply: {:?}", decision.reason));
        (reply, to.to_string())
    }

    fn silence(&mut self, request: &Request) -> String {
        let decision = self.decide(request);
        assert_eq!(decision.reply, None);
        decision.reason.expect("a reason")
    }

    /// DISCOVER and REQUEST of a machine that accepts the offer.
    fn join(&mut self, from: &str) -> Option<Ipv4Addr> {
        let offer = self
            .decide(&request(MessageType::Discover, from))
            .reply?
            .0
            .yiaddr;
        let taking = selecting(from, "11.0.0.101", &offer.to_string());
        let (ack, _) = self.reply(&taking);
        assert_eq!(
            (ack.message_type, ack.yiaddr),
            (Some(MessageType::Ack), offer)
        );
        Some(offer)
    }
}

fn request(message_type: MessageType, from: &str) -> Request {
    let byte = match message_type {
        MessageType::Discover => 1,
        MessageType::Request => 3,
        MessageType::Decline => 4,
        MessageType::Release => 7,
        MessageType::Inform => 8,
        _ => 2,
    };
    Request {
        xid: 0xabcd,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        mac: mac(from),
        options: Options::from([(code::MESSAGE_TYPE, vec![byte])]),
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
    let request = with_ip(request(MessageType::Request, from), code::SERVER_ID, server);
    with_ip(request, code::REQUESTED_IP, address)
}

fn rebooting(from: &str, address: &str) -> Request {
    with_ip(
        request(MessageType::Request, from),
        code::REQUESTED_IP,
        address,
    )
}

fn renewing(from: &str, address: &str) -> Request {
    Request {
        ciaddr: ip(address),
        ..request(MessageType::Request, from)
    }
}

fn firmware(architecture: u16, class: &str) -> Request {
    let request = request(MessageType::Discover, NODE);
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
