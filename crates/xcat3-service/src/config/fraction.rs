//! Rates as the configuration file writes them: a number from 0 to 1.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A rate from 0 (never) to 1 (always), exact to a millionth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fraction(u32);

impl Fraction {
    const WHOLE: f64 = 1_000_000.0;

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
        if (0.0..=1.0).contains(&given) {
            // In these bounds the cast loses nothing but what is below a millionth.
            Ok(Self((given * Self::WHOLE).round() as u32))
        } else {
            Err(serde::de::Error::custom(format!(
                "{given} is not a rate: give a number from 0 to 1, such as 0.02"
            )))
        }
    }
}
