//! The number of worker processes of a daemon, as the configuration file writes it.

use serde::{Deserialize, Deserializer, Serialize};

/// More processes than this on one host are a slip of the finger.
const MOST: u32 = 256;

/// A number of worker processes, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Workers(u32);

impl Workers {
    /// One worker.
    pub const ONE: Self = Self(1);

    /// The number.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Workers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = i64::deserialize(deserializer)?;
        match u32::try_from(given) {
            Ok(count) if (1..=MOST).contains(&count) => Ok(Self(count)),
            _ => Err(serde::de::Error::custom(format!(
                "{given} is no number of workers: give one from 1 to {MOST}"
            ))),
        }
    }
}
