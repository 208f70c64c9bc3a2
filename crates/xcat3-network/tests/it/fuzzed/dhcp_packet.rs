//! DHCP messages of clients as bytes, and replies to them.

use xcat3_network::dhcp::packet::{MessageType, Reply, Request, code};

/// Longest reply without the option of a relay, in bytes.
const MAX_REPLY: usize = 1472;

/// Decodes `bytes`, and encodes a reply that repeats options of the request.
pub fn run(bytes: &[u8]) {
    let Ok(request) = Request::decode(bytes) else {
        return;
    };
    let _ = request.message_type();
    assert!(request.architectures().count() <= bytes.len() / 2);
    if let Some(name) = request.hostname() {
        assert!((1..=255).contains(&name.len()) && name.is_ascii());
    }
    let mut reply = Reply::new(&request, Some(MessageType::Ack));
    for echoed in [code::RELAY, code::CLIENT_ID, code::HOSTNAME, code::DOMAIN] {
        reply.set(echoed, request.option(echoed).unwrap_or_default());
    }
    reply.set_addresses(code::NAMESERVERS, &[request.ciaddr; 20]);
    reply.file = "undionly.kpxe".to_owned();
    let mut encoded = reply.encode();
    assert!(encoded.len() >= 300);
    let parts = |code: u8| {
        let len = request.option(code).map_or(0, <[u8]>::len);
        len + 2 * len.div_ceil(255)
    };
    // These options cannot be dropped: the relay and the client rely on them.
    let fixed = parts(code::RELAY) + parts(code::CLIENT_ID);
    assert!(encoded.len() <= MAX_REPLY + fixed);
    // Read as a request, the reply has the same header and options.
    encoded[0] = 1;
    let decoded = Request::decode(&encoded).expect("the reply is well-formed");
    assert_eq!((decoded.xid, decoded.mac), (request.xid, request.mac));
    assert_eq!(decoded.message_type(), Some(MessageType::Ack));
    for echoed in [code::RELAY, code::CLIENT_ID] {
        let sent = request.option(echoed).filter(|value| !value.is_empty());
        assert_eq!(decoded.option(echoed), sent, "option {echoed}");
    }
}
