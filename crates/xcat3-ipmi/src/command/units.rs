//! Units of sensors (IPMI v2.0, 43.17).

/// In what a sensor measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Units {
    /// The three bytes of the sensor's record.
    bytes: [u8; 3],
}

/// By the number of the basic unit.
const BASIC: [&str; 93] = [
    "",
    "degrees C",
    "degrees F",
    "degrees K",
    "V",
    "A",
    "W",
    "J",
    "C",
    "VA",
    "nits",
    "lumen",
    "lux",
    "candela",
    "kPa",
    "PSI",
    "N",
    "CFM",
    "RPM",
    "Hz",
    "us",
    "ms",
    "s",
    "min",
    "h",
    "days",
    "weeks",
    "mil",
    "inches",
    "feet",
    "cu in",
    "cu feet",
    "mm",
    "cm",
    "m",
    "cu cm",
    "cu m",
    "liters",
    "fluid ounces",
    "radians",
    "steradians",
    "revolutions",
    "cycles",
    "gravities",
    "ounces",
    "pounds",
    "ft-lb",
    "oz-in",
    "gauss",
    "gilberts",
    "H",
    "mH",
    "F",
    "uF",
    "ohms",
    "S",
    "mol",
    "Bq",
    "ppm",
    "",
    "dB",
    "dBA",
    "dBC",
    "Gy",
    "Sv",
    "color temp deg K",
    "bits",
    "kilobits",
    "megabits",
    "gigabits",
    "bytes",
    "kilobytes",
    "megabytes",
    "gigabytes",
    "words",
    "dwords",
    "qwords",
    "lines",
    "hits",
    "misses",
    "retries",
    "resets",
    "overruns",
    "underruns",
    "collisions",
    "packets",
    "messages",
    "characters",
    "errors",
    "correctable errors",
    "uncorrectable errors",
    "fatal errors",
    "grams",
];

/// By the number of the rate.
const RATES: [&str; 7] = ["", "/us", "/ms", "/s", "/min", "/h", "/day"];

/// How a raw reading is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Not at all.
    Unsigned,
    /// By the complement of one.
    OnesComplement,
    /// By the complement of two.
    TwosComplement,
}

impl Units {
    pub(crate) fn new(bytes: [u8; 3]) -> Self {
        Self { bytes }
    }

    /// How raw readings are signed; nothing where the sensor gives no numbers.
    #[must_use]
    pub fn format(self) -> Option<Format> {
        match self.bytes[0] >> 6 {
            0 => Some(Format::Unsigned),
            1 => Some(Format::OnesComplement),
            2 => Some(Format::TwosComplement),
            _ => None,
        }
    }

    /// The unit in words: "degrees C", "RPM", "V", "% CFM"; empty where there is none.
    #[must_use]
    pub fn words(self) -> String {
        let [kind, basic, other] = self.bytes;
        let of = |number: u8| BASIC.get(usize::from(number)).copied().unwrap_or("");
        let percent = if kind & 1 != 0 { "%" } else { "" };
        let mut words = match (percent, of(basic)) {
            ("%", "") => "%".to_owned(),
            ("%", unit) => format!("% {unit}"),
            (_, unit) => unit.to_owned(),
        };
        match kind >> 1 & 3 {
            1 => words = format!("{words}/{}", of(other)),
            2 => words = format!("{words}*{}", of(other)),
            _ => {}
        }
        words.push_str(RATES.get(usize::from(kind >> 3 & 7)).unwrap_or(&""));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_named_as_in_the_specification() {
        // The numbers are those of table 43-15.
        let cases = [
            ([0x80, 1, 0], "degrees C"),
            ([0, 4, 0], "V"),
            ([0, 6, 0], "W"),
            ([0, 17, 0], "CFM"),
            ([0, 18, 0], "RPM"),
            ([0, 54, 0], "ohms"),
            ([0, 60, 0], "dB"),
            ([0, 66, 0], "bits"),
            ([0, 92, 0], "grams"),
            ([0, 93, 0], ""),
            ([1, 0, 0], "%"),
            ([0x18, 70, 0], "bytes/s"),
            ([2, 4, 22], "V/s"),
            ([4, 16, 34], "N*m"),
        ];
        for (bytes, words) in cases {
            assert_eq!(Units::new(bytes).words(), words, "{bytes:?}");
        }
        assert_eq!(Units::new([0xc0, 0, 0]).format(), None);
        assert_eq!(
            Units::new([0x80, 1, 0]).format(),
            Some(Format::TwosComplement)
        );
    }
}
