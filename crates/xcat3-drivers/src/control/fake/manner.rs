//! How a fake machine behaves: slow, unreliable, or neither, as the configuration says for all and
//! its node's `control_info` for one.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use xcat3_core::Node;

use super::super::FakeConfig;

/// The longest latency and jitter that can be asked for.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How often something happens, from 0 (never) to 1 (always).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate(u32);

impl Rate {
    const WHOLE: u32 = 1_000_000;
    /// It always happens.
    pub const ALWAYS: Self = Self(Self::WHOLE);
    /// It never happens.
    pub const NEVER: Self = Self(0);

    /// A rate, exact to a millionth; nothing where `rate` is not one from 0 to 1.
    #[must_use]
    pub fn new(rate: f64) -> Option<Self> {
        // In these bounds the cast loses nothing but what is below a millionth.
        (0.0..=1.0)
            .contains(&rate)
            .then(|| Self((rate * f64::from(Self::WHOLE)).round() as u32))
    }

    /// Whether it happens this time.
    fn happens(self) -> bool {
        rand::random_range(0..Self::WHOLE) < self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f64::from(self.0) / f64::from(Self::WHOLE)).fmt(f)
    }
}

/// How one machine behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    latency: Duration,
    jitter: Duration,
    pub(super) failure: Rate,
}

impl Manner {
    /// How the machine of `node` behaves.
    ///
    /// # Errors
    /// The sentence for the node: which attribute is wrong or not known.
    pub(super) fn of(node: &Node, config: &FakeConfig) -> Result<Self, String> {
        let mut manner = Self {
            latency: config.latency,
            jitter: config.jitter,
            failure: config.failure,
        };
        let mut fail = None;
        for (key, value) in &node.declared.control_info {
            match key.as_str() {
                "latency_ms" => manner.latency = milliseconds(key, value)?,
                "jitter_ms" => manner.jitter = milliseconds(key, value)?,
                "failure" => manner.failure = rate(key, value)?,
                "fail" => fail = Some(word(value)?),
                unknown => {
                    return Err(format!(
                        "the driver 'fake' knows no {unknown:.80?} in control_info: \
                         it takes latency_ms, jitter_ms, failure and fail"
                    ));
                }
            }
        }
        manner.failure = fail.unwrap_or(manner.failure);
        Ok(manner)
    }

    /// How long it takes this time, in whole milliseconds.
    pub(super) fn takes(&self) -> Duration {
        let jitter = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX);
        match jitter {
            0 => self.latency,
            jitter => self.latency + Duration::from_millis(rand::random_range(0..=jitter)),
        }
    }

    /// Why it fails this time, if it does.
    pub(super) fn fails(&self) -> Option<String> {
        self.failure.happens().then(|| {
            let rate = self.failure;
            format!("fake failure: this machine is not real and fails at a rate of {rate}")
        })
    }
}

fn milliseconds(key: &str, value: &Value) -> Result<Duration, String> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_u64(),
    };
    let longest = LONGEST.as_millis();
    number
        .map(Duration::from_millis)
        .filter(|time| *time <= LONGEST)
        .ok_or_else(|| {
            format!("{key} in control_info is not a time: give milliseconds from 0 to {longest}")
        })
}

fn rate(key: &str, value: &Value) -> Result<Rate, String> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_f64(),
    };
    number.and_then(Rate::new).ok_or_else(|| {
        format!("{key} in control_info is not a rate: give a number from 0 to 1, such as 0.02")
    })
}

fn word(value: &Value) -> Result<Rate, String> {
    match value.as_str() {
        Some("always") => Ok(Rate::ALWAYS),
        Some("never") => Ok(Rate::NEVER),
        _ => Err("fail in control_info is neither 'always' nor 'never'".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manner(control_info: &Value) -> Result<Manner, String> {
        let mut config = FakeConfig::new("fake.journal".into());
        config.latency = Duration::from_millis(7);
        config.failure = Rate::ALWAYS;
        let mut node = Node::new("n1".parse().unwrap());
        node.declared.control_info = control_info.as_object().unwrap().clone();
        Manner::of(&node, &config)
    }

    #[test]
    fn a_node_overrides_the_configuration_in_numbers_and_in_text() {
        let plain = manner(&json!({})).unwrap();
        assert_eq!(plain.takes(), Duration::from_millis(7));
        assert!(plain.fails().unwrap().contains("fake"));
        let text = json!({"latency_ms": "250", "jitter_ms": "50", "failure": "0.02"});
        let numbers = json!({"latency_ms": 250, "jitter_ms": 50, "failure": 0.02});
        assert_eq!(manner(&text), manner(&numbers));
        let slow = manner(&text).unwrap();
        for _ in 0..100 {
            assert!((250..=300).contains(&slow.takes().as_millis()));
        }
        assert_eq!(slow.failure.to_string(), "0.02");
        let never = manner(&json!({"fail": "never", "failure": 1})).unwrap();
        assert_eq!(never.fails(), None);
        assert!(
            manner(&json!({"fail": "always"}))
                .unwrap()
                .fails()
                .is_some()
        );
    }

    #[test]
    fn what_is_wrong_or_not_known_is_named() {
        let cases = [
            (json!({"latency": 5}), "\"latency\""),
            (json!({"latency_ms": -5}), "latency_ms"),
            (json!({"latency_ms": 3_600_001}), "3600000"),
            (json!({"jitter_ms": "soon"}), "jitter_ms"),
            (json!({"failure": 1.5}), "failure"),
            (json!({"failure": "NaN"}), "failure"),
            (json!({"fail": "sometimes"}), "always"),
            (json!({"fail": null}), "always"),
        ];
        for (control_info, named) in cases {
            let sentence = manner(&control_info).unwrap_err();
            assert!(sentence.contains(named), "{sentence}");
        }
    }

    #[test]
    fn a_rate_is_about_what_it_says() {
        let rate = Rate::new(0.25).unwrap();
        let times = (0..10_000).filter(|_| rate.happens()).count();
        assert!((2_000..3_000).contains(&times), "{times} of 10,000");
    }
}
