//! Timestamps of the event log (IPMI v2.0, 37).

/// Seconds since 1970 or, on a BMC whose clock is not set, since the BMC started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u32);

/// The first timestamp that is a date. Smaller ones count from the start of the BMC.
const FIRST_DATE: u32 = 0x2000_0000;
/// The timestamp is not set.
const UNSET: u32 = u32::MAX;
const DAY: u32 = 86_400;

impl Timestamp {
    /// Seconds since 1970; `None` if the BMC's clock was not set.
    #[must_use]
    pub fn unix(self) -> Option<u32> {
        (FIRST_DATE..UNSET).contains(&self.0).then_some(self.0)
    }

    /// The date in RFC 3339. BMCs do not report their time zone, so it is taken as UTC.
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
    let (month, next_year) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_of_set_clock_is_a_date() {
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
    }

    #[test]
    fn timestamp_of_unset_clock_is_no_date() {
        for seconds in [42, FIRST_DATE - 1, UNSET] {
            assert_eq!(Timestamp(seconds).rfc3339(), None, "{seconds}");
        }
    }
}
