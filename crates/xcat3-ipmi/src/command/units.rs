//! Units of sensors (IPMI v2.0, 43.17).

/// The unit of a sensor's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Units {
    /// The three unit bytes of the sensor's record.
    bytes: [u8; 3],
}

/// Names of the basic units by number.
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

/// Suffixes of the rate units by number.
const RATES: [&str; 7] = ["", "/us", "/ms", "/s", "/min", "/h", "/day"];

/// Signedness of a raw reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Unsigned.
    Unsigned,
    /// One's complement.
    OnesComplement,
    /// Two's complement.
    TwosComplement,
}

impl Units {
    /// The unit of a sensor without numeric readings.
    pub(crate) const NONE: Self = Self {
        bytes: [0xc0, 0, 0],
    };

    pub(crate) fn new(bytes: [u8; 3]) -> Self {
        Self { bytes }
    }

    /// Signedness of raw readings; `None` if the sensor has no numeric readings.
    #[must_use]
    pub fn format(self) -> Option<Format> {
        match self.bytes[0] >> 6 {
            0 => Some(Format::Unsigned),
            1 => Some(Format::OnesComplement),
            2 => Some(Format::TwosComplement),
            _ => None,
        }
    }

    /// The name of the unit: "degrees C", "RPM", "V", "% CFM"; empty if there is none.
    #[must_use]
    pub fn name(self) -> String {
        let [flags, basic, modifier] = self.bytes;
        let unit = |number: u8| BASIC.get(usize::from(number)).copied().unwrap_or("");
        let percent = if flags & 1 != 0 { "%" } else { "" };
        let mut name = match (percent, unit(basic)) {
            ("%", "") => "%".to_owned(),
            ("%", unit) => format!("% {unit}"),
            (_, unit) => unit.to_owned(),
        };
        match flags >> 1 & 3 {
            1 => name = format!("{name}/{}", unit(modifier)),
            2 => name = format!("{name}*{}", unit(modifier)),
            _ => {}
        }
        name.push_str(RATES.get(usize::from(flags >> 3 & 7)).unwrap_or(&""));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_numbers_of_specification() {
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
        for (bytes, name) in cases {
            assert_eq!(Units::new(bytes).name(), name, "{bytes:?}");
        }
        assert_eq!(Units::new([0xc0, 0, 0]).format(), None);
        assert_eq!(
            Units::new([0x80, 1, 0]).format(),
            Some(Format::TwosComplement)
        );
    }
}
