//! Time limits as the configuration file writes them: whole seconds, never none.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

/// The longest limit that makes sense: ten years.
const LONGEST: u64 = 10 * 366 * 86_400;

/// A time limit of at least one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Seconds(u64);

impl Seconds {
    /// A limit of `seconds`, at least one.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        Self(if seconds == 0 { 1 } else { seconds })
    }

    /// The limit.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = i64::deserialize(deserializer)?;
        match u64::try_from(given) {
            Ok(seconds) if (1..=LONGEST).contains(&seconds) => Ok(Self(seconds)),
            _ => Err(serde::de::Error::custom(format!(
                "{given} is not a time limit: give whole seconds from 1 to {LONGEST}"
            ))),
        }
    }
}
