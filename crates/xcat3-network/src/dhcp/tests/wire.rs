//! Messages as bytes, relays, and malformed messages.

use proptest::prelude::*;

use super::super::packet::BadPacket;
use super::*;

#[test]
fn relayed_request_is_answered_to_the_relay() {
    let relayed = Request {
        giaddr: ip("12.0.0.1"),
        ..request(MessageType::Discover, UNKNOWN)
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
        ..rebooting(UNKNOWN, "12.0.0.99")
    };
    let (reply, to) = World::new().reply(&wrong);
    assert_eq!(
        (reply.message_type, reply.flags & 0x8000, to.as_str()),
        (Some(MessageType::Nak), 0x8000, "12.0.0.1:67")
    );
    let foreign = Request {
        giaddr: ip("13.0.0.1"),
        ..request(MessageType::Discover, UNKNOWN)
    };
    assert!(World::new().silence(&foreign).contains("no network"));
}

#[test]
fn relay_option_selects_network() {
    let relayed = Request {
        giaddr: ip("192.0.2.1"),
        ..request(MessageType::Discover, UNKNOWN)
    };
    let by_link = with(relayed.clone(), code::RELAY, [1, 1, 7, 5, 4, 12, 0, 0, 0]);
    assert_eq!(World::new().reply(&by_link).0.yiaddr, ip("12.0.0.10"));
    let by_subnet = with_ip(relayed, code::SUBNET_SELECTION, "12.0.0.0");
    assert_eq!(World::new().reply(&by_subnet).0.yiaddr, ip("12.0.0.10"));
}

#[test]
fn encoded_reply_has_rfc_layout() {
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
    assert_eq!(read.option(code::MESSAGE_TYPE), Some(&[2][..]));
}

#[test]
fn reply_length_respects_client_maximum() {
    let mut world = World::new();
    world.change(|network| network.nameservers = vec![ip("11.0.0.53"); 120]);
    let (reply, _) = world.reply(&request(MessageType::Discover, NODE));
    assert!(reply.encode().len() <= 548);
    let (reply, _) = world.reply(&with(
        request(MessageType::Discover, NODE),
        code::MAX_SIZE,
        [5, 220],
    ));
    assert!(reply.encode().len() > 548);
    let (small, _) = World::new().reply(&with(
        request(MessageType::Discover, NODE),
        code::PARAMETER_LIST,
        [0],
    ));
    assert_eq!(small.encode().len(), 300);
}

#[test]
fn long_and_overloaded_options_are_joined() {
    let mut bytes = vec![0u8; 236];
    bytes[..3].copy_from_slice(&[1, 1, 6]);
    bytes[28..34].copy_from_slice(&mac(NODE).0);
    bytes[44..48].copy_from_slice(&[12, 1, b'n', 255]);
    bytes[108..112].copy_from_slice(&[60, 1, b'P', 255]);
    bytes.extend_from_slice(&[99, 130, 83, 99, 53, 1, 1, 52, 1, 3, 0, 0, 93, 2, 0, 7]);
    bytes.extend_from_slice(&[93, 2, 0, 16, 255, 61, 1, 1]);
    let request = Request::decode(&bytes).unwrap();
    assert_eq!(request.message_type(), Some(MessageType::Discover));
    assert_eq!(request.architectures().collect::<Vec<_>>(), [7, 16]);
    assert_eq!(request.option(code::VENDOR_CLASS), Some(&b"P"[..]));
    assert_eq!(request.hostname().as_deref(), Some("n"));
    assert_eq!(request.option(code::CLIENT_ID), None);
}

#[test]
fn malformed_request_is_refused_with_reason() {
    assert_eq!(Request::decode(&[1; 100]), Err(BadPacket::Short(100)));
    assert_eq!(Request::decode(&[2; 300]), Err(BadPacket::NotARequest));
    for (hardware, length, mac) in [
        (32, 20, [2; 6]),
        (1, 16, [2; 6]),
        (1, 6, [255; 6]),
        (1, 6, [0; 6]),
    ] {
        let mut bytes = [0u8; 300];
        bytes[..3].copy_from_slice(&[1, hardware, length]);
        bytes[28..34].copy_from_slice(&mac);
        assert_eq!(Request::decode(&bytes), Err(BadPacket::NotEthernet));
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_not_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..700), like in any::<bool>()) {
        if like && bytes.len() > 241 {
            bytes[..3].copy_from_slice(&[1, 1, 6]);
            bytes[24..28].copy_from_slice(&[0; 4]);
            bytes[28..34].copy_from_slice(&mac(UNKNOWN).0);
            bytes[236..241].copy_from_slice(&[99, 130, 83, 99, 53]);
        }
        if let Ok(request) = Request::decode(&bytes)
            && let Some((reply, _)) = World::new().decide(&request).reply
        {
            prop_assert!(reply.encode().len() <= 1472 + 1472);
        }
    }
}
