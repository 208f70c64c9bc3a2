//! Values of the configuration file that several crates' settings are made of: their range is checked as they
//! are read, so that a wrong one is refused with its line.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest span that makes sense: ten years.
const MAX_SECONDS: u64 = 10 * 366 * 86_400;

/// A span of time, written as whole seconds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(Duration);

impl Seconds {
    /// A span of `seconds`, at least one.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        Self(Duration::from_secs(if seconds == 0 { 1 } else { seconds }))
    }

    /// The span.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

/// Tests use spans below a second, which the file cannot name.
impl From<Duration> for Seconds {
    fn from(span: Duration) -> Self {
        Self(span)
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.as_secs())
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = i64::deserialize(deserializer)?;
        match u64::try_from(given) {
            Ok(seconds) if (1..=MAX_SECONDS).contains(&seconds) => Ok(Self::new(seconds)),
            _ => Err(serde::de::Error::custom(format!(
                "{given} is not a time limit: give whole seconds from 1 to {MAX_SECONDS}"
            ))),
        }
    }
}

/// A rate from 0 (never) to 1 (always), exact to a millionth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fraction(u32);

impl Fraction {
    const WHOLE: f64 = 1_000_000.0;

    /// The rate `value`; nothing where it is not between 0 and 1.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        // In these bounds the cast loses nothing but what is below a millionth.
        (0.0..=1.0)
            .contains(&value)
            .then(|| Self((value * Self::WHOLE).round() as u32))
    }

    /// The rate as a number from 0 to 1.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from(self.0) / Self::WHOLE
    }
}

impl Serialize for Fraction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.value())
    }
}

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = f64::deserialize(deserializer)?;
        Self::new(given).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "{given} is not a rate: give a number from 0 to 1, such as 0.02"
            ))
        })
    }
}
