//! Sequence numbers of a session (IPMI v2.0, 6.12.13): replayed packets are dropped, packets that overtook
//! one another are not.

/// How far behind the newest packet an accepted one may be.
const MAX_BEHIND: u32 = 32;
/// How far ahead of the newest packet an accepted one may be.
const MAX_AHEAD: u32 = 1 << 16;

/// The newest sequence number, and which of those before it were received.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReplayWindow {
    newest: u32,
    /// Bit n: `newest - n` was received.
    received: u64,
}

impl ReplayWindow {
    /// Records a packet and returns whether its number is new.
    pub(crate) fn accept(&mut self, number: u32) -> bool {
        if number == 0 {
            return false;
        }
        let ahead = number.wrapping_sub(self.newest);
        if self.received == 0 || (1..=MAX_AHEAD).contains(&ahead) {
            let shift = if self.received == 0 { 64 } else { ahead };
            self.received = self.received.checked_shl(shift).unwrap_or(0) | 1;
            self.newest = number;
            return true;
        }
        let behind = self.newest.wrapping_sub(number);
        let bit = 1_u64.checked_shl(behind).unwrap_or(0);
        let is_new = behind <= MAX_BEHIND && self.received & bit == 0;
        if is_new {
            self.received |= bit;
        }
        is_new
    }
}

/// The newest sequence number of payloads that must stay in order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InOrder(u32);

impl InOrder {
    /// Records a packet and returns whether its number is newer than all before.
    pub(crate) fn accept(&mut self, number: u32) -> bool {
        let ahead = number.wrapping_sub(self.0);
        let is_newest = self.0 == 0 || (1..=MAX_AHEAD).contains(&ahead);
        if is_newest {
            self.0 = number;
        }
        is_newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_repeated_is_rejected() {
        let mut window = ReplayWindow::default();
        for number in [5, 6, 9, 7, 8, 100, 70] {
            assert!(window.accept(number), "{number}");
            assert!(!window.accept(number), "{number} again");
        }
        assert!(!window.accept(0) && !window.accept(67) && !window.accept(6));
    }

    #[test]
    fn number_overtaken_is_rejected_where_order_counts() {
        let mut order = InOrder::default();
        for (number, is_newest) in [(5, true), (5, false), (7, true), (6, false), (8, true)] {
            assert_eq!(order.accept(number), is_newest, "{number}");
        }
        let mut order = InOrder(u32::MAX);
        assert!(order.accept(1) && !order.accept(u32::MAX));
    }

    #[test]
    fn number_after_overflow_is_accepted() {
        let mut window = ReplayWindow::default();
        assert!(window.accept(u32::MAX - 1) && window.accept(u32::MAX));
        assert!(window.accept(1) && window.accept(2));
        assert!(!window.accept(u32::MAX));
    }
}
