//! Nodes: every row of the table of requests in RFC 2131, 4.3.2.

use super::*;

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
