//! TFTP packets and the negotiation of their options.

use std::time::Duration;

use xcat3_network::path::normalise;
use xcat3_network::tftp::Bounds;
use xcat3_network::tftp::packet::{Options, Packet};
use xcat3_network::tftp::transfer::Terms;

/// Parses `bytes`; what is parsed is written and parsed to the same.
pub fn run(bytes: &[u8]) {
    let Ok(packet) = Packet::parse(bytes) else {
        return;
    };
    let written = packet.to_bytes();
    assert_eq!(Packet::parse(&written), Ok(packet.clone()));
    match packet {
        Packet::Read(request) | Packet::Write(request) => {
            assert!(!request.path.is_empty() && !request.path.contains(&0));
            let _ = normalise(&String::from_utf8_lossy(request.path));
            negotiate(&request.options);
        }
        Packet::OptionAck(options) => negotiate(&options),
        _ => {}
    }
}

fn negotiate(options: &Options) {
    let bounds = Bounds::default();
    let terms = Terms::negotiate(options, &bounds, Some(7));
    assert!((8..=bounds.block).contains(&terms.block));
    assert!((1..=bounds.window).contains(&terms.window));
    let range = Duration::from_secs(1)..=Duration::from_secs(255);
    assert!(range.contains(&terms.timeout));
    if let Some(accepted) = terms.option_ack {
        // RFC 2347: a server acknowledges requested options only.
        assert!(options.block_size.is_some() || accepted.block_size.is_none());
        assert!(options.window_size.is_some() || accepted.window_size.is_none());
        assert!(options.timeout.is_some() || accepted.timeout.is_none());
        assert!(options.transfer_size.is_some() || accepted.transfer_size.is_none());
    }
}
