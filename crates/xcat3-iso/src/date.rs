//! Dates of ECMA-119: seven bytes (9.1.5) in directory records and Rock Ridge, seventeen (8.4.26.1) in
//! Rock Ridge's long form. An invalid date reads as the epoch: dates are only displayed.

use time::{Date, Month, PrimitiveDateTime, Time};

/// The seven-byte date `bytes` in seconds since 1970 (UTC).
pub(crate) fn short(bytes: &[u8]) -> i64 {
    let [year, month, day, hour, minute, second, zone, ..] = *bytes else {
        return 0;
    };
    let year = 1900 + i32::from(year);
    seconds(year, [month, day, hour, minute, second], zone).unwrap_or(0)
}

/// The seventeen-byte date `bytes` in seconds since 1970 (UTC).
pub(crate) fn long(bytes: &[u8]) -> i64 {
    let parsed = || {
        let digits = std::str::from_utf8(bytes.get(..16)?).ok()?;
        let zone = *bytes.get(16)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let field = |start: usize| digits[start..start + 2].parse().ok();
        let fields = [field(4)?, field(6)?, field(8)?, field(10)?, field(12)?];
        seconds(digits[..4].parse().ok()?, fields, zone)
    };
    parsed().unwrap_or(0)
}

/// `zone` is a signed number of quarters of an hour east of Greenwich.
fn seconds(year: i32, [month, day, hour, minute, second]: [u8; 5], zone: u8) -> Option<i64> {
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let time = Time::from_hms(hour, minute, second).ok()?;
    let local = PrimitiveDateTime::new(date, time).assume_utc();
    Some(local.unix_timestamp() - i64::from(zone.cast_signed()) * 900)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_valid_is_seconds_since_1970() {
        assert_eq!(short(&[70, 1, 1, 0, 0, 0, 0]), 0);
        assert_eq!(short(&[80, 1, 1, 0, 0, 0, 0]), 315_532_800);
        assert_eq!(
            short(&[100, 2, 29, 12, 0, 0, 8]),
            951_818_400,
            "two hours east"
        );
        assert_eq!(
            short(&[125, 3, 1, 0, 0, 0, 256u16.wrapping_sub(4) as u8]),
            1_740_790_800
        );
        assert_eq!(long(b"2000022912000000\x08"), 951_818_400);
    }

    #[test]
    fn date_invalid_is_the_epoch() {
        assert_eq!(short(&[0; 7]), 0);
        assert_eq!(short(&[125, 2, 30, 0, 0, 0, 0]), 0);
        assert_eq!(short(&[1, 2]), 0);
        assert_eq!(long(b"0000000000000000\0"), 0);
        assert_eq!(long(b"20x0022912000000\x08"), 0);
        assert_eq!(long(b"2000"), 0);
    }
}
