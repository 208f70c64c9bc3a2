//! When something happened, by the clock of a BMC (IPMI v2.0, 37).

/// Seconds since 1970, or since the BMC started where its clock was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u32);

/// Below are seconds since the BMC started.
const FIRST_DATE: u32 = 0x2000_0000;
/// No time.
const NONE: u32 = u32::MAX;
const DAY: u32 = 86_400;

impl Timestamp {
    /// Seconds since 1970; nothing where the BMC did not know the time.
    #[must_use]
    pub fn unix(self) -> Option<u32> {
        (FIRST_DATE..NONE).contains(&self.0).then_some(self.0)
    }

    /// Seconds since the BMC started, where it did not know more.
    #[must_use]
    pub fn since_start(self) -> Option<u32> {
        (self.0 < FIRST_DATE).then_some(self.0)
    }

    /// As RFC 3339 writes it. BMCs don't tell their time zone: it is taken for UTC.
    #[must_use]
    pub fn rfc3339(self) -> Option<String> {
        let seconds = self.unix()?;
        let (year, month, day) = date(seconds / DAY);
        let (hour, minute) = (seconds % DAY / 3_600, seconds % 3_600 / 60);
        let second = seconds % 60;
        Some(format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        ))
    }
}

/// Year, month and day of the n-th day after 1970-01-01.
fn date(days: u32) -> (u32, u32, u32) {
    // Years that begin in March have their leap day at the end.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, turn) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + turn, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_where_the_clock_was_set() {
        // By `date -u -d @…`.
        let cases = [
            (0x2000_0000, "1987-01-05T18:48:32Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, text) in cases {
            assert_eq!(Timestamp(seconds).rfc3339().as_deref(), Some(text));
        }
        assert_eq!(Timestamp(42).since_start(), Some(42));
        assert_eq!(
            (Timestamp(42).rfc3339(), Timestamp(NONE).rfc3339()),
            (None, None)
        );
        assert_eq!(Timestamp(NONE).since_start(), None);
    }
}
