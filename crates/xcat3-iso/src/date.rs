//! Dates of ECMA-119: seven bytes (9.1.5) in directory records and Rock Ridge, seventeen (8.4.26.1) in
//! Rock Ridge's long form. A date that can't be is the epoch: it is shown, nothing depends on it.

/// Seconds since 1970 (UTC) of a seven-byte date.
pub(crate) fn short(bytes: &[u8]) -> i64 {
    let [year, month, day, hour, minute, second, zone, ..] = *bytes else {
        return 0;
    };
    let zone = i8::from_le_bytes([zone]);
    seconds(
        1900 + i64::from(year),
        [month, day, hour, minute, second],
        zone,
    )
}

/// Seconds since 1970 (UTC) of a seventeen-byte date.
pub(crate) fn long(bytes: &[u8]) -> i64 {
    let (Some(digits), Some(&zone)) = (bytes.get(..16), bytes.get(16)) else {
        return 0;
    };
    let number = |from: usize, to: usize| {
        digits[from..to].iter().try_fold(0u16, |sum, byte| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + u16::from(byte - b'0'))
        })
    };
    let Some(year) = number(0, 4) else { return 0 };
    let mut fields = [0u8; 5];
    for (field, from) in fields.iter_mut().zip([4, 6, 8, 10, 12]) {
        let Some(value) = number(from, from + 2).and_then(|value| u8::try_from(value).ok()) else {
            return 0;
        };
        *field = value;
    }
    seconds(i64::from(year), fields, i8::from_le_bytes([zone]))
}

/// `zone` counts quarters of an hour east of Greenwich.
fn seconds(year: i64, [month, day, hour, minute, second]: [u8; 5], zone: i8) -> i64 {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return 0;
    }
    let days = days_since_1970(year, i64::from(month), i64::from(day));
    let time = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    days * 86_400 + time - i64::from(zone) * 900
}

/// Days of the Gregorian calendar, with years that begin in March so that a leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
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
    fn dates_that_cannot_be_are_the_epoch() {
        assert_eq!(short(&[0; 7]), 0);
        assert_eq!(short(&[1, 2]), 0);
        assert_eq!(long(b"0000000000000000\0"), 0);
        assert_eq!(long(b"20x0022912000000\x08"), 0);
        assert_eq!(long(b"2000"), 0);
    }
}
