//! Fuzz target: serial over LAN against a BMC that sends anything, in any order, at any time.

use std::time::{Duration, Instant};

use xcat3_ipmi::sol::{BmcPacket, ConsolePacket, MAX_DATA, Sol, SolEvent};

/// Follows the steps in `bytes`. A step begins with a byte of action and length.
pub fn run(bytes: &[u8]) {
    let mut now = Instant::now();
    let mut sol = Sol::new(bytes.first().copied().unwrap_or_default().into());
    let (mut rest, mut closed, mut last) = (bytes, false, 0);
    while let Some((head, after)) = rest.split_first() {
        let (step, after) = after.split_at(usize::from(head >> 2).min(after.len()));
        rest = after;
        match head & 3 {
            0 => sol.receive(step, now),
            1 => assert!(sol.write(step, now) <= step.len()),
            2 => acknowledge(&mut sol, last, step, now),
            _ => {
                now += Duration::from_millis(200);
                sol.expire(now);
                sol.send_break(now);
            }
        }
        while let Some(payload) = sol.transmit() {
            let packet = ConsolePacket::decode(&payload).expect("the console sends packets");
            assert!(packet.number <= 15 && packet.data.len() <= MAX_DATA);
            last = packet.number;
        }
        while let Some(event) = sol.event() {
            assert!(!closed, "event after the end");
            closed = matches!(event, SolEvent::Closed(_));
        }
        assert!(!closed || sol.deadline().is_none());
    }
}

/// Acknowledges the packet with this number, as a BMC does that follows the protocol.
fn acknowledge(sol: &mut Sol, number: u8, step: &[u8], now: Instant) {
    let packet = BmcPacket {
        acknowledged: number,
        accepted: step.first().copied().unwrap_or(u8::MAX),
        number: step.get(1).copied().unwrap_or_default(),
        nack: step.len() % 2 == 1,
        data: step.get(2..).unwrap_or_default().to_vec(),
        ..BmcPacket::default()
    };
    sol.receive(&packet.encode(), now);
}
