//! What may stand in `control_info` and `console_info`: how the drivers reach a machine.
//!
//! Each key is checked by itself; whether a driver has all that it needs is the driver's business,
//! since a node may be enrolled before its BMC has an address. A key with the drivers' prefix that no
//! driver knows is a slip of the pen and refused; any other key is the operator's own.

use serde_json::{Map, Value};

use crate::reader::{check_length, start};

/// The keys that the drivers read.
pub const KEYS: [&str; 18] = [
    "ssh_address",
    "ssh_username",
    "ssh_virt_type",
    "ssh_port",
    "ssh_password",
    "ssh_key_filename",
    "ssh_key_contents",
    "ssh_terminal_port",
    "bmc_address",
    "bmc_username",
    "bmc_password",
    "bmc_port",
    "bmc_cipher_suite",
    "bmc_kg",
    "bmc_tls",
    "bmc_system",
    "bmc_boot_uri",
    "bmc_terminal_port",
];

/// The most keys that one object may have.
const MOST_KEYS: usize = 256;

/// Brings the values of `info` (the field `field`) into one form: texts, except for the operator's
/// own keys, which stay as they are. Keys without value are left out.
///
/// # Errors
/// Names the key that is wrong, never a secret value.
pub fn checked(field: &str, info: Map<String, Value>) -> Result<Map<String, Value>, String> {
    if info.len() > MOST_KEYS {
        return Err(format!("{field} has more than {MOST_KEYS} keys"));
    }
    let mut checked = Map::new();
    for (key, value) in info {
        check_length("a key of control_info", &key)?;
        let slip =
            (key.starts_with("ssh_") || key.starts_with("bmc_")) && !KEYS.contains(&key.as_str());
        if slip {
            return Err(format!(
                "{field} has no key '{}': known are {}",
                start(&key),
                KEYS.join(", ")
            ));
        }
        if let Some(value) = checked_value(field, &key, value)? {
            checked.insert(key, value);
        }
    }
    Ok(checked)
}

fn checked_value(field: &str, key: &str, value: Value) -> Result<Option<Value>, String> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text,
        Value::Number(number) if KEYS.contains(&key) => number.to_string(),
        _ if KEYS.contains(&key) => return Err(format!("{key} in {field} must be a text")),
        other => return Ok(Some(other)),
    };
    check_length(key, &text)?;
    if text.is_empty() {
        return Ok(None);
    }
    match key {
        "ssh_virt_type" if text != "virsh" => Err(format!(
            "ssh_virt_type '{}' is not known: use virsh",
            start(&text)
        )),
        _ if key.ends_with("_port") && KEYS.contains(&key) => match text.trim().parse::<u16>() {
            Ok(port) if port > 0 => Ok(Some(Value::from(port.to_string()))),
            _ => Err(format!("{key} '{}' is not a port", start(&text))),
        },
        "bmc_tls" if !is_trust(&text) => Err(format!(
            "bmc_tls '{}' is not known: use verify, pin:SHA-256 of the certificate (64 hexadecimal digits), \
             first-use, insecure or plain",
            start(&text)
        )),
        "bmc_boot_uri" if !text.starts_with("http://") && !text.starts_with("https://") => {
            Err(format!(
                "bmc_boot_uri '{}' begins with neither http:// nor https://",
                start(&text)
            ))
        }
        "ssh_address" | "bmc_address" | "bmc_boot_uri" | "ssh_username" | "bmc_username"
        | "ssh_key_filename"
            if text.contains(|c: char| c.is_control() || c.is_whitespace()) =>
        {
            let short = start(&text);
            Err(format!(
                "{key} {short:?} must not contain spaces or control characters"
            ))
        }
        _ => Ok(Some(Value::from(text))),
    }
}

/// Whether `text` says by what a BMC is known. The driver reads it in the same way.
fn is_trust(text: &str) -> bool {
    match text.strip_prefix("pin:") {
        Some(digits) => {
            let digits = digits.chars().filter(|c| *c != ':');
            digits.clone().count() == 64 && digits.into_iter().all(|c| c.is_ascii_hexdigit())
        }
        None => ["verify", "first-use", "insecure", "plain"].contains(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(info: Value) -> Result<Value, String> {
        let Value::Object(info) = info else {
            unreachable!()
        };
        checked("control_info", info).map(Value::Object)
    }

    #[test]
    fn the_control_info_of_the_readme_is_taken() {
        let info = json!({"ssh_address": "11.5.102.1", "ssh_username": "root", "ssh_port": 22,
            "ssh_virt_type": "virsh", "ssh_key_filename": "/root/.ssh/id_rsa",
            "ssh_password": null, "rack": {"row": 3}});
        let expected = json!({"ssh_address": "11.5.102.1", "ssh_username": "root",
            "ssh_port": "22", "ssh_virt_type": "virsh", "ssh_key_filename": "/root/.ssh/id_rsa",
            "rack": {"row": 3}});
        assert_eq!(check(info), Ok(expected));
    }

    #[test]
    fn what_redfish_needs_is_taken() {
        let info = json!({"bmc_tls": format!("pin:{}", ["AB"; 32].join(":")), "bmc_system": "1",
            "bmc_boot_uri": "http://h/boot.efi"});
        assert_eq!(check(info.clone()), Ok(info));
        assert!(check(json!({"bmc_tls": "first-use"})).is_ok());
    }

    #[test]
    fn slips_are_named_and_secrets_are_not_repeated() {
        for (info, why) in [
            (json!({"ssh_adress": "h"}), "no key 'ssh_adress'"),
            (json!({"ssh_port": "70000"}), "ssh_port '70000'"),
            (json!({"ssh_port": 0}), "ssh_port '0'"),
            (json!({"ssh_virt_type": "xen"}), "use virsh"),
            (json!({"ssh_address": "h;\n reboot"}), "ssh_address"),
            (json!({"bmc_address": ["h"]}), "must be a text"),
            (
                json!({"bmc_tls": "off"}),
                "bmc_tls 'off' is not known: use verify, pin:",
            ),
            (json!({"bmc_tls": "pin:12"}), "bmc_tls 'pin:12'"),
            (
                json!({"bmc_boot_uri": "ftp://h/x"}),
                "bmc_boot_uri 'ftp://h/x'",
            ),
        ] {
            let error = check(info).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let error = check(json!({"ssh_password": {"is": "hidden"}})).unwrap_err();
        assert!(!error.contains("hidden"), "{error}");
    }
}
