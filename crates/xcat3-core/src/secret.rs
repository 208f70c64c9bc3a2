//! Which attributes are secret, and how they look to those who may not see them.

use serde_json::{Map, Value};

/// What stands in the place of a secret.
pub const REDACTED: &str = "********";

/// Keys of `control_info` and `console_info` whose values are secret.
pub const SECRET_KEYS: [&str; 4] = ["bmc_password", "bmc_kg", "ssh_password", "ssh_key_contents"];

/// Whether the value under `key` must not leave in clear. Beside the known keys, whatever calls
/// itself a password, secret or token is one.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_KEYS.contains(&key.as_str())
        || ["password", "passwd", "secret", "token"]
            .iter()
            .any(|word| key.contains(word))
}

/// A copy of `attributes` with every secret replaced by [`REDACTED`], at any depth.
#[must_use]
pub fn redact(attributes: &Map<String, Value>) -> Map<String, Value> {
    let shown = |(key, value): (&String, &Value)| {
        let value = match value {
            Value::Null => Value::Null,
            _ if is_secret(key) => Value::from(REDACTED),
            other => redacted(other),
        };
        (key.clone(), value)
    };
    attributes.iter().map(shown).collect()
}

fn redacted(value: &Value) -> Value {
    match value {
        Value::Object(inner) => Value::Object(redact(inner)),
        Value::Array(list) => list.iter().map(redacted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_hidden_and_the_rest_is_not() {
        let given = json!({"bmc_password": "x", "ssh_key_contents": "k", "bmc_address": "1.2.3.4",
            "deep": {"API_TOKEN": "t", "port": 22}, "ssh_password": null, "list": [1, {"token": "t"}]});
        let shown = Value::Object(redact(given.as_object().unwrap()));
        assert_eq!(
            shown,
            json!({"bmc_password": REDACTED, "ssh_key_contents": REDACTED, "bmc_address": "1.2.3.4",
                "deep": {"API_TOKEN": REDACTED, "port": 22}, "ssh_password": null,
                "list": [1, {"token": REDACTED}]})
        );
    }
}
