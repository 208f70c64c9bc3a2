//! Fuzz target: parsing of datagrams and messages. A decoded message encodes to itself.

use xcat3_ipmi::{Packet, Request, Response};

/// Takes `bytes` as a datagram and as a message.
pub fn run(bytes: &[u8]) {
    if let Ok(packet) = Packet::parse(bytes)
        && let Ok(payload) = packet.plain()
    {
        message(payload);
    }
    message(bytes);
}

fn message(bytes: &[u8]) {
    if let Some(request) = Request::decode(bytes) {
        let again = Request::decode(&request.encode());
        assert!(request.data.len() > 255 || again == Some(request));
    }
    if let Some(response) = Response::decode(bytes) {
        assert_eq!(Response::decode(&response.encode()), Some(response));
    }
}
