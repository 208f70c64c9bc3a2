//! Nodes: every row of the table of requests in RFC 2131, 4.3.2.

use super::*;

#[test]
fn discover_of_node_offers_address_and_network_options() {
    let (reply, to) = World::new().reply(&request(MessageType::Discover, NODE));
    assert_eq!(reply.message_type, Some(MessageType::Offer));
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
fn parameter_list_selects_options() {
    let asking = with(
        request(MessageType::Discover, NODE),
        code::PARAMETER_LIST,
        [code::ROUTER, code::DOMAIN],
    );
    let (reply, _) = World::new().reply(&asking);
    assert_eq!(text(&reply, code::DOMAIN), "lab.test");
    assert!(!reply.options.contains_key(&code::NTP_SERVERS));
    assert!(reply.options.contains_key(&code::NETMASK));
}

#[test]
fn request_of_node_is_granted_for_its_address_only() {
    let mut world = World::new();
    let own = "11.5.102.60";
    for request in [
        selecting(NODE, "11.0.0.101", own),
        rebooting(NODE, own),
        renewing(NODE, own),
    ] {
        let (reply, _) = world.reply(&request);
        assert_eq!(
            (reply.message_type, reply.yiaddr),
            (Some(MessageType::Ack), ip(own))
        );
    }
    let other = "11.4.40.111";
    for request in [
        selecting(NODE, "11.0.0.101", other),
        rebooting(NODE, other),
        renewing(NODE, other),
    ] {
        let (reply, to) = world.reply(&request);
        assert_eq!(
            (reply.message_type, reply.yiaddr),
            (Some(MessageType::Nak), Ipv4Addr::UNSPECIFIED)
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
fn renewal_is_answered_by_unicast() {
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
fn inform_gets_options_without_address() {
    let asking = Request {
        ciaddr: ip("11.9.9.9"),
        ..request(MessageType::Inform, UNKNOWN)
    };
    let (reply, to) = World::new().reply(&asking);
    assert_eq!(
        (reply.message_type, reply.yiaddr),
        (Some(MessageType::Ack), Ipv4Addr::UNSPECIFIED)
    );
    assert_eq!(to, "11.9.9.9:68");
    assert!(!reply.options.contains_key(&code::LEASE_TIME));
    assert_eq!(text(&reply, code::DOMAIN), "lab.test");
    let elsewhere = Request {
        ciaddr: ip("192.0.2.9"),
        ..request(MessageType::Inform, UNKNOWN)
    };
    assert!(
        World::new()
            .silence(&elsewhere)
            .contains("192.0.2.9 is not in network")
    );
}

#[test]
fn bootp_is_answered_for_nodes_only() {
    let mut asking = request(MessageType::Discover, NODE);
    asking.options.clear();
    let (reply, _) = World::new().reply(&asking);
    assert_eq!(
        (reply.message_type, reply.yiaddr),
        (None, ip("11.5.102.60"))
    );
    assert!(!reply.options.contains_key(&code::LEASE_TIME));
    asking.mac = mac(UNKNOWN);
    assert!(World::new().silence(&asking).contains("BOOTP"));
}

#[test]
fn node_of_other_network_gets_no_reply() {
    let reason = World::new().silence(&request(MessageType::Discover, "52:54:00:00:00:0f"));
    assert!(
        reason.contains("address 12.0.0.5 of far1 is in no network"),
        "{reason}"
    );
}
