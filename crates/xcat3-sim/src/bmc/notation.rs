//! How faults are written, whatever the interface: `NAME=SHARE[/SHARE][:PARAMETER]`, with commas between
//! them.

use std::time::Duration;

/// A fault as it is written, its name not yet looked up.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) name: &'a str,
    /// The share, 0 to 1.
    pub(super) share: f64,
    /// The second share, where there is one.
    pub(super) of_these: Option<f64>,
    pub(super) parameter: Option<&'a str>,
}

/// Reads `text`, and makes something of each fault in it.
///
/// # Errors
/// The sentence that names what is wrong.
pub(super) fn faults<T>(
    text: &str,
    make: impl Fn(Written<'_>) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let parts = text.split(',').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(|part| written(part).and_then(&make)).collect()
}

fn written(part: &str) -> Result<Written<'_>, String> {
    let (name, rest) = part.split_once('=').ok_or_else(|| {
        format!("'{part}' is no fault: write NAME=SHARE%, for example black-hole=5%")
    })?;
    let (shares, parameter) = match rest.split_once(':') {
        Some((shares, parameter)) => (shares, Some(parameter)),
        None => (rest, None),
    };
    let (share, of_these) = match shares.split_once('/') {
        Some((share, of_these)) => (share, Some(percent(of_these)?)),
        None => (shares, None),
    };
    Ok(Written {
        name,
        share: percent(share)?,
        of_these,
        parameter,
    })
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|text| text.parse().ok());
    match number {
        Some(number) if (0.0..=100.0).contains(&number) => Ok(number / 100.0),
        _ => Err(format!("'{text}' is no share: write it as 5%")),
    }
}

/// A pause: `2s`, `300ms`.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('s').unwrap_or_default(), 1000),
    };
    let number: Result<u64, _> = digits.parse();
    let number = number.map_err(|_| format!("'{text}' is no pause: write 2s or 300ms"))?;
    Ok(Duration::from_millis(number.saturating_mul(unit)))
}
