//! Machines that are no nodes: offers, leases, refusals and releases of the dynamic range.

use super::*;

#[test]
fn request_for_other_server_withdraws_offer() {
    let mut world = World::new();
    let offered = world
        .reply(&request(MessageType::Discover, UNKNOWN))
        .0
        .yiaddr;
    let reason = world.silence(&selecting(UNKNOWN, "11.0.0.7", &offered.to_string()));
    assert!(reason.contains("selected the server 11.0.0.7"), "{reason}");
    // The offer is free again.
    let next = world.decide(&with_ip(
        request(MessageType::Discover, "52:54:00:00:00:98"),
        code::REQUESTED_IP,
        &offered.to_string(),
    ));
    assert_eq!(next.reply.unwrap().0.yiaddr, offered);
}

#[test]
fn unknown_machines_get_dynamic_range_and_no_loader() {
    let mut world = World::new();
    let machines = [
        "52:54:00:00:00:91",
        "52:54:00:00:00:92",
        "52:54:00:00:00:93",
    ];
    let mut given: Vec<_> = machines
        .iter()
        .map(|mac| world.join(mac).unwrap())
        .collect();
    given.sort();
    assert_eq!(
        given,
        [ip("11.4.40.111"), ip("11.4.40.112"), ip("11.4.40.113")]
    );
    let reason = world.silence(&request(MessageType::Discover, UNKNOWN));
    assert!(
        reason.contains("the dynamic range of network c920 has no free address"),
        "{reason}"
    );
    let pxe = with(
        request(MessageType::Discover, machines[0]),
        code::ARCHITECTURE,
        [0, 7],
    );
    let (reply, _) = world.reply(&with(pxe, code::VENDOR_CLASS, "PXEClient"));
    assert!(reply.file.is_empty() && !reply.options.contains_key(&code::BOOT_FILE));
}

#[test]
fn lease_is_saved_with_hostname_of_client() {
    let mut world = World::new();
    let offer = world
        .reply(&request(MessageType::Discover, UNKNOWN))
        .0
        .yiaddr
        .to_string();
    let accepting = with(
        selecting(UNKNOWN, "11.0.0.101", &offer),
        code::HOSTNAME,
        "box7",
    );
    let lease = world
        .decide(&with(accepting, code::CLIENT_ID, [1, 2, 3]))
        .lease
        .unwrap();
    assert_eq!(
        (lease.ip.to_string(), lease.network.as_str()),
        (offer.clone(), "c920")
    );
    assert_eq!(lease.expires_ms, world.now_ms + 3_600_000);
    assert_eq!(lease.hostname.as_deref(), Some("box7"));
    let hostile = with(
        selecting(UNKNOWN, "11.0.0.101", &offer),
        code::HOSTNAME,
        "a b\"\n",
    );
    assert_eq!(world.decide(&hostile).lease.unwrap().hostname, None);
    // A fixed address needs no lease.
    assert!(
        world
            .decide(&rebooting(NODE, "11.5.102.60"))
            .lease
            .is_none()
    );
}

#[test]
fn restored_lease_is_not_granted_to_others() {
    let mut world = World::new();
    let offer = world
        .reply(&request(MessageType::Discover, UNKNOWN))
        .0
        .yiaddr;
    let lease = world
        .decide(&selecting(UNKNOWN, "11.0.0.101", &offer.to_string()))
        .lease
        .unwrap();
    world.leases = LeaseTable::restored(vec![lease]);
    for other in 1..=2 {
        let given = world.join(&format!("52:54:00:00:00:a{other}")).unwrap();
        assert_ne!(given, offer);
    }
    assert_eq!(
        world
            .decide(&request(MessageType::Discover, "52:54:00:00:00:a3"))
            .reply,
        None
    );
    let (reply, _) = world.reply(&renewing(UNKNOWN, &offer.to_string()));
    assert_eq!(
        (reply.message_type, reply.yiaddr),
        (Some(MessageType::Ack), offer)
    );
}

#[test]
fn unknown_machine_is_refused_other_addresses() {
    let mut world = World::new();
    let leased = world.join("52:54:00:00:00:91").unwrap().to_string();
    // Leased to another client, fixed to a node, the server's own, outside of the range, of no network.
    for address in [
        &leased,
        "11.5.102.60",
        "11.0.0.101",
        "11.4.40.114",
        "192.168.7.7",
    ] {
        let (reply, _) = world.reply(&rebooting(UNKNOWN, address));
        assert_eq!(reply.message_type, Some(MessageType::Nak), "{address}");
    }
    // Without a dynamic range, another server may grant addresses.
    world.change(|network| network.dynamic_range.clear());
    let reason = world.silence(&rebooting(UNKNOWN, "11.4.40.112"));
    assert!(reason.contains("no dynamic range"), "{reason}");
    assert!(
        world
            .silence(&request(MessageType::Discover, UNKNOWN))
            .contains("no dynamic range")
    );
}

#[test]
fn released_address_returns_to_its_client_and_is_reused_last() {
    let mut world = World::new();
    let first = world.join("52:54:00:00:00:91").unwrap();
    let second = world.join("52:54:00:00:00:92").unwrap();
    world.now_ms += 1000;
    for (mac, address) in [("52:54:00:00:00:92", second), ("52:54:00:00:00:91", first)] {
        let leaving = Request {
            ciaddr: address,
            ..request(MessageType::Release, mac)
        };
        let decision = world.decide(&leaving);
        assert_eq!(decision.reply, None);
        assert_eq!(decision.lease.unwrap().expires_ms, world.now_ms);
        world.now_ms += 1000;
    }
    assert_eq!(world.join("52:54:00:00:00:91"), Some(first));
    let third = world.join("52:54:00:00:00:93").unwrap();
    assert!(
        third != first && third != second,
        "an unused address comes first"
    );
    assert_eq!(world.join("52:54:00:00:00:94"), Some(second));
    // A client cannot release the address of another.
    let leaving = Request {
        ciaddr: first,
        ..request(MessageType::Release, UNKNOWN)
    };
    assert_eq!(world.decide(&leaving).lease, None);
}

#[test]
fn declined_address_is_quarantined() {
    let mut world = World::new();
    let address = world.join(UNKNOWN).unwrap();
    let declining = with_ip(
        request(MessageType::Decline, UNKNOWN),
        code::REQUESTED_IP,
        &address.to_string(),
    );
    assert!(
        world
            .silence(&declining)
            .contains("in use by another machine")
    );
    let next = world.join(UNKNOWN).unwrap();
    assert_ne!(next, address);
    assert!(world.join("52:54:00:00:00:91").is_some());
    assert_eq!(
        world.join("52:54:00:00:00:92"),
        None,
        "the declined address is not granted"
    );
    world.now_ms += 11 * 60_000;
    assert_eq!(world.join("52:54:00:00:00:92"), Some(address));
}

#[test]
fn fixed_address_in_range_is_never_leased() {
    let mut world = World::new();
    world
        .change(|network| network.dynamic_range = vec!["11.5.102.60-11.5.102.62".parse().unwrap()]);
    assert_eq!(world.join(UNKNOWN), Some(ip("11.5.102.62")));
    assert_eq!(world.join("52:54:00:00:00:91"), None);
}

#[test]
fn reserved_address_is_never_leased() {
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
                .decide(&request(
                    MessageType::Discover,
                    &format!("52:54:00:00:01:0{n}"),
                ))
                .reply
        })
        .map(|(reply, _)| reply.yiaddr)
        .collect();
    assert_eq!(offers, [ip("11.0.0.5"), ip("11.0.0.6")]);
}
