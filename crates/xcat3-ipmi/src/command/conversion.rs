//! From the raw reading of a sensor to a value (IPMI v2.0, 36.3): `L((M x + B 10^K1) 10^K2)`.

use super::units::Format;

/// Conversion of raw readings into values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// Signedness of the raw reading.
    pub format: Format,
    /// Ten bits, signed.
    pub m: i16,
    /// Ten bits, signed.
    pub b: i16,
    /// Exponent of B (K1), four bits, signed.
    pub b_exponent: i8,
    /// Exponent of the result (K2), four bits, signed.
    pub result_exponent: i8,
    /// Number of the linearisation function L (43.1, byte 24).
    pub linearisation: u8,
}

impl Conversion {
    /// From the bytes of M (two), B (two), accuracy and exponents.
    pub(crate) fn from_bytes(format: Format, factors: [u8; 6], linearisation: u8) -> Self {
        let [m, m_high, b, b_high, _accuracy, exponents] = factors;
        Self {
            format,
            m: ten_bits(m, m_high),
            b: ten_bits(b, b_high),
            b_exponent: four_bits(exponents & 0x0f),
            result_exponent: four_bits(exponents >> 4),
            linearisation: linearisation & 0x7f,
        }
    }

    /// Whether M, B and the exponents differ for each reading and have to be read from the BMC.
    #[must_use]
    pub fn is_nonlinear(&self) -> bool {
        self.linearisation >= 0x70
    }

    /// The value of a raw reading; `None` if it is no number (for example the reciprocal of zero).
    #[must_use]
    pub fn value(&self, raw: u8) -> Option<f64> {
        let sum = f64::from(self.m) * self.signed(raw)
            + f64::from(self.b) * 10_f64.powi(self.b_exponent.into());
        let value = self.linearised(sum * 10_f64.powi(self.result_exponent.into()));
        // Turns -0 into 0.
        value.is_finite().then_some(value + 0.0)
    }

    fn signed(&self, raw: u8) -> f64 {
        let complement = raw.cast_signed();
        match self.format {
            Format::Unsigned => f64::from(raw),
            Format::TwosComplement => f64::from(complement),
            Format::OnesComplement if complement < 0 => f64::from(complement) + 1.0,
            Format::OnesComplement => f64::from(complement),
        }
    }

    fn linearised(&self, x: f64) -> f64 {
        match self.linearisation {
            1 => x.ln(),
            2 => x.log10(),
            3 => x.log2(),
            4 => x.exp(),
            5 => 10_f64.powf(x),
            6 => x.exp2(),
            7 => x.recip(),
            8 => x.powi(2),
            9 => x.powi(3),
            10 => x.sqrt(),
            11 => x.cbrt(),
            _ => x,
        }
    }
}

/// A signed number of ten bits: the low byte, and the two highest bits of another byte.
fn ten_bits(low: u8, high: u8) -> i16 {
    let bits = i16::from(low) | i16::from(high >> 6) << 8;
    (bits << 6) >> 6
}

fn four_bits(bits: u8) -> i8 {
    (bits << 4).cast_signed() >> 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversion(factors: [u8; 6], linearisation: u8) -> Conversion {
        Conversion::from_bytes(Format::Unsigned, factors, linearisation)
    }

    fn assert_near(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        let close = (value - expected).abs() <= expected.abs() * 1e-9;
        assert!(close, "{value} is not {expected}");
    }

    #[test]
    fn readings_of_real_sensors_are_those_of_ipmitool() {
        // A 12 V rail: M 61, B 0, K2 -3. A fan: M 75. A core voltage: M 15, K2 -3.
        assert_near(conversion([0x3d, 0, 0, 0, 0, 0xd0], 0).value(0xc5), 12.017);
        assert_near(conversion([75, 0, 0, 0, 0, 0], 0).value(80), 6000.0);
        assert_near(conversion([15, 0, 0, 0, 0, 0xd0], 0).value(0x5a), 1.35);
        // B with an exponent: 2 x + 5 * 10^1, all through 10.
        assert_near(conversion([2, 0, 5, 0, 0, 0xf1], 0).value(10), 7.0);
        // Negative M and B of ten bits.
        let negative = conversion([0xff, 0xc0, 0x00, 0xc0, 0, 0], 0);
        assert_eq!((negative.m, negative.b), (-1, -256));
        assert_near(negative.value(4), -260.0);
    }

    #[test]
    fn reading_negative_depends_on_format() {
        let with = |format, raw| {
            Conversion::from_bytes(format, [1, 0, 0, 0, 0, 0], 0)
                .value(raw)
                .unwrap()
        };
        assert_eq!(with(Format::Unsigned, 0xf6), 246.0);
        assert_eq!(with(Format::TwosComplement, 0xf6), -10.0);
        assert_eq!(with(Format::OnesComplement, 0xf5), -10.0);
        assert_eq!(
            with(Format::OnesComplement, 0xff).to_bits(),
            0.0_f64.to_bits()
        );
    }

    #[test]
    fn linearisation_numbers_are_those_of_specification() {
        let two: [f64; 12] = [
            2.0,
            2_f64.ln(),
            2_f64.log10(),
            1.0,
            2_f64.exp(),
            100.0,
            4.0,
            0.5,
            4.0,
            8.0,
            2_f64.sqrt(),
            2_f64.cbrt(),
        ];
        for (number, expected) in (0..).zip(two) {
            assert_near(conversion([1, 0, 0, 0, 0, 0], number).value(2), expected);
        }
        assert_eq!(conversion([1, 0, 0, 0, 0, 0], 7).value(0), None);
        assert_eq!(conversion([1, 0, 0, 0, 0, 0], 1).value(0), None);
        assert!(conversion([1, 0, 0, 0, 0, 0], 0x70).is_nonlinear());
    }

    proptest::proptest! {
        #[test]
        fn reading_arbitrary_is_finite_or_none(factors: [u8; 6], linearisation: u8, raw: u8) {
            let value = conversion(factors, linearisation).value(raw);
            proptest::prop_assert!(value.is_none_or(f64::is_finite));
        }
    }
}
