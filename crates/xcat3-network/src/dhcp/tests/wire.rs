//! Messages as bytes, relays, and bytes that are no DHCP.

use proptest::prelude::*;

use super::super::packet::BadPacket;
use super::*;

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
