//! DiscoveredMachines: offers, leases, refusals, releases of the dynamic range.

use super::*;

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
fn unknown_machines_share_the_dynamic_range_and_get_no_loader() {
    let mut world = World::new();
    let discovered = [
        "52:54:00:00:00:91",
        "52:54:00:00:00:92",
        "52:54:00:00:00:93",
    ];
    let mut given: Vec<_> = discovered
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
        request(Kind::Discover, discovered[0]),
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
fn unknown_machine_is_refused_what_is_not_its_own() {
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
    // Without a dynamic range unknown machines are another server's.
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
