//! Which packets of a session came already (IPMI v2.0, 6.12.13): replayed ones are dropped, some that
//! overtook one another are not.

/// How far behind the newest packet another one may be.
const BEHIND: u32 = 32;
/// How far ahead of the newest one a packet may be: more were hardly lost.
const AHEAD: u32 = 1 << 16;

/// The newest number and which of those before it came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    newest: u32,
    /// Bit n: `newest - n` came.
    came: u64,
}

impl Window {
    /// Whether a packet of this number is new; it is not any more afterwards.
    pub(crate) fn takes(&mut self, number: u32) -> bool {
        if number == 0 {
            return false;
        }
        let ahead = number.wrapping_sub(self.newest);
        if self.came == 0 || (1..=AHEAD).contains(&ahead) {
            let shift = if self.came == 0 { 64 } else { ahead };
            self.came = self.came.checked_shl(shift).unwrap_or(0) | 1;
            self.newest = number;
            return true;
        }
        let behind = self.newest.wrapping_sub(number);
        let bit = 1_u64.checked_shl(behind).unwrap_or(0);
        let is_new = behind <= BEHIND && self.came & bit == 0;
        if is_new {
            self.came |= bit;
        }
        is_new
    }
}

/// The newest number of payloads that must not overtake one another.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Latest(u32);

impl Latest {
    /// Whether a packet of this number is newer than all before.
    pub(crate) fn is_latest(&mut self, number: u32) -> bool {
        let ahead = number.wrapping_sub(self.0);
        let is_latest = self.0 == 0 || (1..=AHEAD).contains(&ahead);
        if is_latest {
            self.0 = number;
        }
        is_latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_taken_once() {
        let mut window = Window::default();
        for number in [5, 6, 9, 7, 8, 100, 70] {
            assert!(window.takes(number), "{number}");
            assert!(!window.takes(number), "{number} again");
        }
        assert!(!window.takes(0) && !window.takes(67) && !window.takes(6));
    }

    #[test]
    fn what_was_overtaken_is_not_the_latest() {
        let mut latest = Latest::default();
        for (number, is_latest) in [(5, true), (5, false), (7, true), (6, false), (8, true)] {
            assert_eq!(latest.is_latest(number), is_latest, "{number}");
        }
        let mut latest = Latest(u32::MAX);
        assert!(latest.is_latest(1) && !latest.is_latest(u32::MAX));
    }

    #[test]
    fn numbers_go_round() {
        let mut window = Window::default();
        assert!(window.takes(u32::MAX - 1) && window.takes(u32::MAX));
        assert!(window.takes(1) && window.takes(2));
        assert!(!window.takes(u32::MAX));
    }
}
