//! Every row of RFC 2131's table of requests, each firmware, relays, and bytes that are no DHCP.

use std::net::Ipv4Addr;
use std::sync::Arc;

use proptest::prelude::*;
use xcat3_core::{MacAddr, Network, Nic, Node, State};
use xcat3_drivers::boot::Loaders;
use xcat3_drivers::install::InstallSettings;
use xcat3_store::Changes;

use super::answer::Answer;
use super::client::{Desk, Served};
use super::packet::{BadPacket, Kind, Options, Reply, Request, code};
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
    node.netboot = Some("pxe".into());
    node.state = state;
    node.deploy_token = Some("0123456789abcdef".into());
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

#[test]
fn a_node_is_offered_its_address_and_all_of_its_network() {
    let (reply, to) = World::new().reply(&request(Kind::Discover, NODE));
    assert_eq!(reply.kind, Some(Kind::Offer));
    assert_eq!((reply.yiaddr, reply.xid), (ip("11.5.102.60"), 0xabcd));
    assert_eq!(to, "255.255.255.255:68");
    assert_eq!(addresses(&reply, code::SERVER_ID), [ip("11.0.0.101")]);
    assert_eq!(addresses(&reply, code::NETMASK), [ip("255.0.0.0")]);
    assert_eq!(addresses(&reply, code::ROUTER), [ip("11.0.0.254")]);
    assert_eq!(
        addresses(&reply, code::NAMESERVERS),
        [ip("11.0.0.53"), ip("11.0.0.54")]
    );
    assert_eq!(addresses(&reply, code::NTP_SERVERS), [ip("11.0.0.123")]);
    assert_eq!(addresses(&reply, code::BROADCAST), [ip("11.255.255.255")]);
    assert_eq!(text(&reply, code::DOMAIN), "lab.test");
    assert_eq!(text(&reply, code::HOSTNAME), "node1");
    assert_eq!(reply.options[&code::LEASE_TIME], 43_200u32.to_be_bytes());
    assert_eq!(reply.options[&code::RENEWAL], 21_600u32.to_be_bytes());
    assert_eq!(reply.options[&code::REBINDING], 37_800u32.to_be_bytes());
}

#[test]
fn a_client_is_given_what_it_asks_for() {
    let asks = with(
        request(Kind::Discover, NODE),
        code::WANTED,
        [code::ROUTER, code::DOMAIN],
    );
    let (reply, _) = World::new().reply(&asks);
    assert_eq!(text(&reply, code::DOMAIN), "lab.test");
    assert!(!reply.options.contains_key(&code::NTP_SERVERS));
    assert!(reply.options.contains_key(&code::NETMASK));
}

#[test]
fn a_node_s_request_is_acknowledged_for_its_own_address_only() {
    let mut world = World::new();
    let own = "11.5.102.60";
    for request in [
        selecting(NODE, "11.0.0.101", own),
        rebooting(NODE, own),
        renewing(NODE, own),
    ] {
        let (reply, _) = world.reply(&request);
        assert_eq!((reply.kind, reply.yiaddr), (Some(Kind::Ack), ip(own)));
    }
    let other = "11.4.40.111";
    for request in [
        selecting(NODE, "11.0.0.101", other),
        rebooting(NODE, other),
        renewing(NODE, other),
    ] {
        let (reply, to) = world.reply(&request);
        assert_eq!(
            (reply.kind, reply.yiaddr),
            (Some(Kind::Nak), Ipv4Addr::UNSPECIFIED)
        );
        assert_eq!(to, "255.255.255.255:68");
        assert!(
            text(&reply, code::MESSAGE).contains("11.5.102.60 is"),
            "{reply:?}"
        );
        assert!(!reply.options.contains_key(&code::LEASE_TIME));
    }
}

#[test]
fn a_renewal_is_answered_to_the_address_itself() {
    let (reply, to) = World::new().reply(&renewing(NODE, "11.5.102.60"));
    assert_eq!(to, "11.5.102.60:68");
    assert_eq!(reply.ciaddr, ip("11.5.102.60"));
    let elsewhere = Request {
        ciaddr: ip("192.0.2.1"),
        ..renewing(NODE, "11.5.102.60")
    };
    assert_eq!(World::new().reply(&elsewhere).1, "255.255.255.255:68");
}

#[test]
fn a_client_that_chose_another_server_is_left_to_it() {
    let mut world = World::new();
    let offered = world.reply(&request(Kind::Discover, STRANGER)).0.yiaddr;
    let note = world.silence(&selecting(STRANGER, "11.0.0.7", &offered.to_string()));
    assert!(note.contains("chose the server 11.0.0.7"), "{note}");
    // The offer is free again.
    let next = world.ask(&with_ip(
        request(Kind::Discover, "52:54:00:00:00:98"),
        code::REQUESTED_IP,
        &offered.to_string(),
    ));
    assert_eq!(next.reply.unwrap().0.yiaddr, offered);
}

#[test]
fn strangers_share_the_dynamic_range_and_get_no_loader() {
    let mut world = World::new();
    let strangers = [
        "52:54:00:00:00:91",
        "52:54:00:00:00:92",
        "52:54:00:00:00:93",
    ];
    let mut given: Vec<_> = strangers
        .iter()
        .map(|mac| world.join(mac).unwrap())
        .collect();
    given.sort();
    assert_eq!(
        given,
        [ip("11.4.40.111"), ip("11.4.40.112"), ip("11.4.40.113")]
    );
    let note = world.silence(&request(Kind::Discover, STRANGER));
    assert!(
        note.contains("all addresses of the dynamic range of network c920"),
        "{note}"
    );
    let pxe = with(
        request(Kind::Discover, strangers[0]),
        code::ARCHITECTURE,
        [0, 7],
    );
    let (reply, _) = world.reply(&with(pxe, code::VENDOR_CLASS, "PXEClient"));
    assert!(reply.file.is_empty() && !reply.options.contains_key(&code::BOOT_FILE));
}

#[test]
fn a_lease_is_saved_with_what_the_client_says_of_itself() {
    let mut world = World::new();
    let offer = world
        .reply(&request(Kind::Discover, STRANGER))
        .0
        .yiaddr
        .to_string();
    let taking = with(
        selecting(STRANGER, "11.0.0.101", &offer),
        code::HOSTNAME,
        "box7",
    );
    let lease = world
        .ask(&with(taking, code::CLIENT_ID, [1, 2, 3]))
        .save
        .unwrap();
    assert_eq!(
        (lease.ip.to_string(), lease.network.as_str()),
        (offer.clone(), "c920")
    );
    assert_eq!(lease.expires_ms, world.now_ms + 3_600_000);
    assert_eq!(lease.hostname.as_deref(), Some("box7"));
    let hostile = with(
        selecting(STRANGER, "11.0.0.101", &offer),
        code::HOSTNAME,
        "a b\"\n",
    );
    assert_eq!(world.ask(&hostile).save.unwrap().hostname, None);
    // A node's own address needs no lease.
    assert!(world.ask(&rebooting(NODE, "11.5.102.60")).save.is_none());
}

#[test]
fn a_lease_survives_a_restart() {
    let mut world = World::new();
    let offer = world.reply(&request(Kind::Discover, STRANGER)).0.yiaddr;
    let lease = world
        .ask(&selecting(STRANGER, "11.0.0.101", &offer.to_string()))
        .save
        .unwrap();
    world.leases = LeaseTable::restored(vec![lease]);
    for other in 1..=2 {
        let given = world.join(&format!("52:54:00:00:00:a{other}")).unwrap();
        assert_ne!(given, offer);
    }
    assert_eq!(
        world
            .ask(&request(Kind::Discover, "52:54:00:00:00:a3"))
            .reply,
        None
    );
    let (reply, _) = world.reply(&renewing(STRANGER, &offer.to_string()));
    assert_eq!((reply.kind, reply.yiaddr), (Some(Kind::Ack), offer));
}

#[test]
fn strangers_are_refused_what_is_not_theirs() {
    let mut world = World::new();
    let taken = world.join("52:54:00:00:00:91").unwrap().to_string();
    // Of another client, fixed to a node, the server's own, outside of the range, elsewhere.
    for address in [
        &taken,
        "11.5.102.60",
        "11.0.0.101",
        "11.4.40.114",
        "192.168.7.7",
    ] {
        let (reply, _) = world.reply(&rebooting(STRANGER, address));
        assert_eq!(reply.kind, Some(Kind::Nak), "{address}");
    }
    // Without a dynamic range strangers are another server's.
    world.change(|network| network.dynamic_range.clear());
    let note = world.silence(&rebooting(STRANGER, "11.4.40.112"));
    assert!(note.contains("no dynamic range"), "{note}");
    assert!(
        world
            .silence(&request(Kind::Discover, STRANGER))
            .contains("no dynamic range")
    );
}

#[test]
fn a_released_address_comes_last_and_back_to_its_client() {
    let mut world = World::new();
    let first = world.join("52:54:00:00:00:91").unwrap();
    let second = world.join("52:54:00:00:00:92").unwrap();
    world.now_ms += 1000;
    for (mac, address) in [("52:54:00:00:00:92", second), ("52:54:00:00:00:91", first)] {
        let leaving = Request {
            ciaddr: address,
            ..request(Kind::Release, mac)
        };
        let answer = world.ask(&leaving);
        assert_eq!(answer.reply, None);
        assert_eq!(answer.save.unwrap().expires_ms, world.now_ms);
        world.now_ms += 1000;
    }
    assert_eq!(world.join("52:54:00:00:00:91"), Some(first));
    let third = world.join("52:54:00:00:00:93").unwrap();
    assert!(
        third != first && third != second,
        "one that was never given out comes first"
    );
    assert_eq!(world.join("52:54:00:00:00:94"), Some(second));
    // Nobody gives back what is another's.
    let leaving = Request {
        ciaddr: first,
        ..request(Kind::Release, STRANGER)
    };
    assert_eq!(world.ask(&leaving).save, None);
}

#[test]
fn a_declined_address_rests() {
    let mut world = World::new();
    let address = world.join(STRANGER).unwrap();
    let declining = with_ip(
        request(Kind::Decline, STRANGER),
        code::REQUESTED_IP,
        &address.to_string(),
    );
    assert!(
        world
            .silence(&declining)
            .contains("in use by another machine")
    );
    let next = world.join(STRANGER).unwrap();
    assert_ne!(next, address);
    assert!(world.join("52:54:00:00:00:91").is_some());
    assert_eq!(
        world.join("52:54:00:00:00:92"),
        None,
        "the declined address is not given out"
    );
    world.now_ms += 11 * 60_000;
    assert_eq!(world.join("52:54:00:00:00:92"), Some(address));
}

#[test]
fn an_address_in_the_range_that_is_fixed_is_never_leased() {
    let mut world = World::new();
    world
        .change(|network| network.dynamic_range = vec!["11.5.102.60-11.5.102.62".parse().unwrap()]);
    assert_eq!(world.join(STRANGER), Some(ip("11.5.102.62")));
    assert_eq!(world.join("52:54:00:00:00:91"), None);
}

#[test]
fn servers_gateway_network_and_broadcast_are_never_leased() {
    let mut world = World::new();
    world.change(|network| {
        network.subnet = "11.0.0.0/29".parse().unwrap();
        network.gateway = Some(ip("11.0.0.1"));
        network.nameservers = vec![ip("11.0.0.2")];
        network.ntpservers = vec![ip("11.0.0.3")];
        network.dynamic_range = vec!["11.0.0.0-11.0.0.7".parse().unwrap()];
    });
    world.link[0].server = ip("11.0.0.4");
    let offers: Vec<_> = (0..4)
        .filter_map(|n| {
            world
                .ask(&request(Kind::Discover, &format!("52:54:00:00:01:0{n}")))
                .reply
        })
        .map(|(reply, _)| reply.yiaddr)
        .collect();
    assert_eq!(offers, [ip("11.0.0.5"), ip("11.0.0.6")]);
}

#[test]
fn inform_gets_everything_but_an_address() {
    let asking = Request {
        ciaddr: ip("11.9.9.9"),
        ..request(Kind::Inform, STRANGER)
    };
    let (reply, to) = World::new().reply(&asking);
    assert_eq!(
        (reply.kind, reply.yiaddr),
        (Some(Kind::Ack), Ipv4Addr::UNSPECIFIED)
    );
    assert_eq!(to, "11.9.9.9:68");
    assert!(!reply.options.contains_key(&code::LEASE_TIME));
    assert_eq!(text(&reply, code::DOMAIN), "lab.test");
    let elsewhere = Request {
        ciaddr: ip("192.0.2.9"),
        ..request(Kind::Inform, STRANGER)
    };
    assert!(
        World::new()
            .silence(&elsewhere)
            .contains("192.0.2.9 is not in network")
    );
}

#[test]
fn plain_bootp_serves_nodes_only() {
    let mut asking = request(Kind::Discover, NODE);
    asking.options.clear();
    let (reply, _) = World::new().reply(&asking);
    assert_eq!((reply.kind, reply.yiaddr), (None, ip("11.5.102.60")));
    assert!(!reply.options.contains_key(&code::LEASE_TIME));
    asking.mac = mac(STRANGER);
    assert!(World::new().silence(&asking).contains("BOOTP"));
}

#[test]
fn a_node_of_another_network_is_not_answered_here() {
    let note = World::new().silence(&request(Kind::Discover, "52:54:00:00:00:0f"));
    assert!(
        note.contains("far1: its address 12.0.0.5 is in no network"),
        "{note}"
    );
}

#[test]
fn a_node_without_an_address_is_leased_one_and_boots_nothing() {
    let (reply, _) = World::new().reply(&with(
        with(
            request(Kind::Discover, "52:54:00:00:00:0e"),
            code::VENDOR_CLASS,
            "PXEClient",
        ),
        code::ARCHITECTURE,
        [0, 0],
    ));
    assert_eq!(reply.yiaddr, ip("11.4.40.111"));
    assert!(!reply.options.contains_key(&code::BOOT_FILE));
}

#[test]
fn each_firmware_is_sent_to_its_loader() {
    for (architecture, file) in [
        (0, "undionly.kpxe"),
        (7, "snponly.efi"),
        (9, "snponly.efi"),
        (11, "snponly-arm64.efi"),
    ] {
        let asks = with(
            firmware(architecture, "PXEClient:Arch:00000"),
            code::MACHINE_ID,
            [0; 17],
        );
        let (reply, _) = World::new().reply(&asks);
        assert_eq!(
            (reply.file.as_str(), reply.siaddr),
            (file, ip("11.0.0.101"))
        );
        assert_eq!(text(&reply, code::BOOT_FILE), file);
        assert_eq!(text(&reply, code::TFTP_SERVER), "11.0.0.101");
        assert_eq!(text(&reply, code::VENDOR_CLASS), "PXEClient");
        assert_eq!(reply.options[&code::VENDOR], [6, 1, 8, 255]);
        assert_eq!(reply.options[&code::MACHINE_ID], [0; 17]);
    }
    for (architecture, file) in [(16, "snponly.efi"), (19, "snponly-arm64.efi")] {
        let (reply, _) = World::new().reply(&firmware(architecture, "HTTPClient:Arch:00016"));
        assert_eq!(text(&reply, code::VENDOR_CLASS), "HTTPClient");
        assert_eq!(
            text(&reply, code::BOOT_FILE),
            format!("http://11.0.0.101:3011/loaders/{file}")
        );
        assert!(!reply.options.contains_key(&code::VENDOR));
    }
}

#[test]
fn ipxe_is_sent_to_its_script_and_need_not_wait() {
    let (reply, _) = World::new().reply(&with(firmware(7, "PXEClient"), code::USER_CLASS, "iPXE"));
    assert_eq!(
        text(&reply, code::BOOT_FILE),
        "http://11.0.0.101:3011/boot/52-54-00-00-00-01.ipxe"
    );
    assert_eq!(reply.options[&code::IPXE], [176, 1, 1]);
    assert!(!reply.options.contains_key(&code::VENDOR_CLASS));
    // A stranger's iPXE need not wait either, but has nothing to load.
    let stranger = Request {
        mac: mac(STRANGER),
        ..with(firmware(7, "PXEClient"), code::USER_CLASS, "iPXE")
    };
    let (reply, _) = World::new().reply(&stranger);
    assert!(
        reply.options.contains_key(&code::IPXE) && !reply.options.contains_key(&code::BOOT_FILE)
    );
}

#[test]
fn only_the_boot_nic_boots() {
    let second = Request {
        mac: mac("52:54:00:00:00:02"),
        ..firmware(7, "PXEClient")
    };
    let (reply, _) = World::new().reply(&second);
    assert_eq!(reply.yiaddr, ip("11.5.102.61"));
    assert!(!reply.options.contains_key(&code::BOOT_FILE) && reply.siaddr.is_unspecified());
}

#[test]
fn a_relay_is_answered_and_gets_its_option_back() {
    let relayed = Request {
        giaddr: ip("12.0.0.1"),
        ..request(Kind::Discover, STRANGER)
    };
    let relayed = with(
        with(relayed, code::RELAY, [1, 2, 0xca, 0xfe]),
        code::CLIENT_ID,
        [255, 1, 2],
    );
    let (reply, to) = World::new().reply(&relayed);
    assert_eq!(
        (reply.yiaddr, reply.giaddr),
        (ip("12.0.0.10"), ip("12.0.0.1"))
    );
    assert_eq!(to, "12.0.0.1:67");
    assert_eq!(reply.options[&code::RELAY], [1, 2, 0xca, 0xfe]);
    assert_eq!(reply.options[&code::CLIENT_ID], [255, 1, 2]);
    // A refusal must be broadcast by the relay.
    let wrong = Request {
        giaddr: ip("12.0.0.1"),
        ..rebooting(STRANGER, "12.0.0.99")
    };
    let (reply, to) = World::new().reply(&wrong);
    assert_eq!(
        (reply.kind, reply.flags & 0x8000, to.as_str()),
        (Some(Kind::Nak), 0x8000, "12.0.0.1:67")
    );
    let lost = Request {
        giaddr: ip("13.0.0.1"),
        ..request(Kind::Discover, STRANGER)
    };
    assert!(World::new().silence(&lost).contains("no network"));
}

#[test]
fn a_relay_may_name_the_network() {
    let relayed = Request {
        giaddr: ip("192.0.2.1"),
        ..request(Kind::Discover, STRANGER)
    };
    let by_link = with(relayed.clone(), code::RELAY, [1, 1, 7, 5, 4, 12, 0, 0, 0]);
    assert_eq!(World::new().reply(&by_link).0.yiaddr, ip("12.0.0.10"));
    let by_subnet = with_ip(relayed, code::SUBNET_SELECTION, "12.0.0.0");
    assert_eq!(World::new().reply(&by_subnet).0.yiaddr, ip("12.0.0.10"));
}

#[test]
fn a_reply_is_written_as_the_rfc_says() {
    let relayed = with(firmware(0, "PXEClient"), code::RELAY, vec![9; 300]);
    let (reply, _) = World::new().reply(&Request {
        giaddr: ip("11.0.0.9"),
        flags: 0x8000,
        ..relayed
    });
    let bytes = reply.encode();
    assert_eq!(bytes[..3], [2, 1, 6]);
    assert_eq!(bytes[10..12], [0x80, 0]);
    assert_eq!(bytes[16..20], [11, 5, 102, 60]);
    assert_eq!(bytes[28..34], mac(NODE).0);
    assert!(bytes[108..].starts_with(b"undionly.kpxe\0"));
    assert_eq!(bytes[236..240], [99, 130, 83, 99]);
    // Option 82 is the last, in parts of at most 255 bytes (RFC 3396), and stands there once.
    assert_eq!(bytes.last(), Some(&255));
    let relay = bytes.len() - 1 - (2 + 45) - (2 + 255);
    assert_eq!(bytes[relay..relay + 3], [82, 255, 9]);
    let mut again = bytes.clone();
    again[0] = 1;
    let read = Request::decode(&again).unwrap();
    assert_eq!(read.option(code::RELAY), Some(&[9; 300][..]));
    assert_eq!(read.option(code::KIND), Some(&[2][..]));
}

#[test]
fn a_reply_fits_what_its_client_takes() {
    let mut world = World::new();
    world.change(|network| network.nameservers = vec![ip("11.0.0.53"); 120]);
    let (reply, _) = world.reply(&request(Kind::Discover, NODE));
    assert!(reply.encode().len() <= 548);
    let (reply, _) = world.reply(&with(
        request(Kind::Discover, NODE),
        code::MAX_SIZE,
        [5, 220],
    ));
    assert!(reply.encode().len() > 548);
    let (small, _) = World::new().reply(&with(request(Kind::Discover, NODE), code::WANTED, [0]));
    assert_eq!(small.encode().len(), 300);
}

#[test]
fn long_and_overloaded_options_are_read() {
    let mut bytes = vec![0u8; 236];
    bytes[..3].copy_from_slice(&[1, 1, 6]);
    bytes[28..34].copy_from_slice(&mac(NODE).0);
    bytes[44..48].copy_from_slice(&[12, 1, b'n', 255]);
    bytes[108..112].copy_from_slice(&[60, 1, b'P', 255]);
    bytes.extend_from_slice(&[99, 130, 83, 99, 53, 1, 1, 52, 1, 3, 0, 0, 93, 2, 0, 7]);
    bytes.extend_from_slice(&[93, 2, 0, 16, 255, 61, 1, 1]);
    let request = Request::decode(&bytes).unwrap();
    assert_eq!(request.kind(), Some(Kind::Discover));
    assert_eq!(request.architectures().collect::<Vec<_>>(), [7, 16]);
    assert_eq!(request.option(code::VENDOR_CLASS), Some(&b"P"[..]));
    assert_eq!(request.hostname().as_deref(), Some("n"));
    assert_eq!(request.option(code::CLIENT_ID), None);
}

#[test]
fn what_is_no_request_says_why() {
    assert_eq!(Request::decode(&[1; 100]), Err(BadPacket::Short(100)));
    assert_eq!(Request::decode(&[2; 300]), Err(BadPacket::NotARequest));
    for (kind, length, mac) in [
        (32, 20, [2; 6]),
        (1, 16, [2; 6]),
        (1, 6, [255; 6]),
        (1, 6, [0; 6]),
    ] {
        let mut bytes = [0u8; 300];
        bytes[..3].copy_from_slice(&[1, kind, length]);
        bytes[28..34].copy_from_slice(&mac);
        assert_eq!(Request::decode(&bytes), Err(BadPacket::NotEthernet));
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..700), like in any::<bool>()) {
        if like && bytes.len() > 241 {
            bytes[..3].copy_from_slice(&[1, 1, 6]);
            bytes[24..28].copy_from_slice(&[0; 4]);
            bytes[28..34].copy_from_slice(&mac(STRANGER).0);
            bytes[236..241].copy_from_slice(&[99, 130, 83, 99, 53]);
        }
        if let Ok(request) = Request::decode(&bytes)
            && let Some((reply, _)) = World::new().ask(&request).reply
        {
            prop_assert!(reply.encode().len() <= 1472 + 1472);
        }
    }

    #[test]
    fn no_address_is_two_clients_and_no_fixed_one_is_leased(
        steps in prop::collection::vec((0u8..6, 0u8..8, 0u8..12, 0i64..400_000), 1..120)
    ) {
        let mut world = World::new();
        world.change(|network| network.dynamic_range = vec!["11.5.102.57-11.5.102.63".parse().unwrap()]);
        let mut held: std::collections::HashMap<Ipv4Addr, (u8, i64)> = std::collections::HashMap::new();
        for (step, client, last, wait_ms) in steps {
            world.now_ms += wait_ms;
            let from = format!("52:54:00:00:02:0{client}");
            let address = format!("11.5.102.{}", 55 + u16::from(last));
            let asking = match step {
                0 => request(Kind::Discover, &from),
                1 => with_ip(request(Kind::Discover, &from), code::REQUESTED_IP, &address),
                2 => selecting(&from, "11.0.0.101", &address),
                3 => renewing(&from, &address),
                4 => Request { ciaddr: ip(&address), ..request(Kind::Release, &from) },
                _ => with_ip(request(Kind::Decline, &from), code::REQUESTED_IP, &address),
            };
            let answer = world.ask(&asking);
            let Some((reply, _)) = answer.reply else {
                if let Some(lease) = answer.save { held.remove(&lease.ip); }
                if step == 5 && held.get(&ip(&address)).is_some_and(|(owner, _)| *owner == client) {
                    held.remove(&ip(&address));
                }
                continue;
            };
            if reply.kind == Some(Kind::Nak) { continue; }
            let given = reply.yiaddr;
            prop_assert!(![ip("11.5.102.60"), ip("11.5.102.61")].contains(&given), "{given} is fixed");
            prop_assert!((ip("11.5.102.57")..=ip("11.5.102.63")).contains(&given));
            if let Some((owner, until)) = held.get(&given) {
                prop_assert!(*owner == client || *until <= world.now_ms, "{given} is of two clients");
            }
            if reply.kind == Some(Kind::Ack) {
                held.retain(|_, (owner, _)| *owner != client);
                held.insert(given, (client, world.now_ms + 3_600_000));
            }
        }
    }
}
