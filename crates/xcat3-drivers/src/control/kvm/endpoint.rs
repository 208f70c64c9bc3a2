//! Where a node's hypervisor is and how to log in to it, as the node's `control_info` says:
//! `ssh_address`, `ssh_port`, `ssh_username`, `ssh_virt_type` and one or several of
//! `ssh_key_filename`, `ssh_key_contents` and `ssh_password`.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;
use xcat3_core::Node;

const DEFAULT_PORT: u16 = 22;
const DEFAULT_USER: &str = "root";

/// A login on a hypervisor. Nodes with equal endpoints share one connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// TCP port of its ssh server.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// What proves it, to be tried in this order; at least one.
    pub credentials: Vec<Credential>,
}

/// Proof of who logs in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A private key in this file on the conductor's host.
    KeyFile(PathBuf),
    /// A private key. Secret.
    Key(String),
    /// A password. Secret.
    Password(String),
}

impl Endpoint {
    /// The endpoint that `node` names.
    ///
    /// # Errors
    /// The sentence for the node: which attribute is missing or wrong.
    pub fn of(node: &Node) -> Result<Self, String> {
        check_virt_type(node)?;
        let host = text(node, "ssh_address")?.ok_or("control_info has no ssh_address")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
        if host.is_empty() || host.len() > 255 || !host.chars().all(fits) {
            return Err(format!(
                "ssh_address {host:.80?} is neither a host name nor an address"
            ));
        }
        let user = text(node, "ssh_username")?.unwrap_or(DEFAULT_USER);
        if user.is_empty() || user.len() > 256 || user.chars().any(char::is_control) {
            return Err(format!("ssh_username {user:.80?} is not a user name"));
        }
        Ok(Self {
            host: host.to_owned(),
            port: port(node)?,
            user: user.to_owned(),
            credentials: credentials(node)?,
        })
    }
}

/// `host:port`, as errors name it. Nothing secret.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{self} {:?}", self.user, self.credentials)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_string())
    }
}

/// What kind of proof it is; of secrets no more than that.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyFile(path) => write!(f, "the key in {}", path.display()),
            Self::Key(_) => f.write_str("the key in ssh_key_contents"),
            Self::Password(_) => f.write_str("the password in ssh_password"),
        }
    }
}

fn check_virt_type(node: &Node) -> Result<(), String> {
    match text(node, "ssh_virt_type")? {
        None | Some("virsh") => Ok(()),
        Some(other) => Err(format!(
            "ssh_virt_type {other:.80?} is not supported: only virsh is"
        )),
    }
}

/// Command lines give numbers as text, JSON clients as numbers.
fn port(node: &Node) -> Result<u16, String> {
    let number = match node.declared.control_info.get("ssh_port") {
        None | Some(Value::Null) => return Ok(DEFAULT_PORT),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    number
        .filter(|port| *port != 0)
        .ok_or_else(|| "ssh_port is not a TCP port: give a number from 1 to 65535".to_owned())
}

fn credentials(node: &Node) -> Result<Vec<Credential>, String> {
    let file = text(node, "ssh_key_filename")?.map(|path| Credential::KeyFile(path.into()));
    let key = text(node, "ssh_key_contents")?.map(|key| Credential::Key(key.to_owned()));
    let password = text(node, "ssh_password")?.map(|word| Credential::Password(word.to_owned()));
    let all: Vec<Credential> = [file, key, password].into_iter().flatten().collect();
    if all.is_empty() {
        let wanted = "ssh_key_filename, ssh_key_contents or ssh_password";
        return Err(format!("control_info has no credentials: give {wanted}"));
    }
    Ok(all)
}

/// The text under `key`, where there is one that is not empty. The value of what is no text is not
/// shown: it may be secret.
fn text<'a>(node: &'a Node, key: &str) -> Result<Option<&'a str>, String> {
    match node.declared.control_info.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{key} in control_info is not a text")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoint(control_info: &Value) -> Result<Endpoint, String> {
        let mut node = Node::new("node1".parse().unwrap());
        node.declared.control_info = control_info.as_object().unwrap().clone();
        Endpoint::of(&node)
    }

    #[test]
    fn defaults_are_filled_in_and_ports_may_be_text() {
        let least = endpoint(&json!({"ssh_address": "kvm1", "ssh_key_filename": "/k"})).unwrap();
        assert_eq!(least.to_string(), "kvm1:22");
        assert_eq!(least.user, "root");
        let text = json!({"ssh_address": "fd00::1", "ssh_password": "x", "ssh_port": "2222",
            "ssh_virt_type": "virsh", "ssh_username": "admin"});
        assert_eq!(endpoint(&text).unwrap().to_string(), "[fd00::1]:2222");
        let number = json!({"ssh_address": "kvm1", "ssh_password": "x", "ssh_port": 2222});
        assert_eq!(endpoint(&number).unwrap().port, 2222);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let cases = [
            (json!({}), "ssh_address"),
            (json!({"ssh_address": ""}), "ssh_address"),
            (
                json!({"ssh_address": "a b", "ssh_password": "x"}),
                "ssh_address \"a b\"",
            ),
            (
                json!({"ssh_address": 7, "ssh_password": "x"}),
                "ssh_address",
            ),
            (json!({"ssh_address": "a"}), "no credentials"),
            (
                json!({"ssh_address": "a", "ssh_password": ""}),
                "no credentials",
            ),
            (
                json!({"ssh_address": "a", "ssh_password": "x", "ssh_port": 0}),
                "ssh_port",
            ),
            (
                json!({"ssh_address": "a", "ssh_password": "x", "ssh_port": "70000"}),
                "ssh_port",
            ),
            (
                json!({"ssh_address": "a", "ssh_password": "x", "ssh_port": []}),
                "ssh_port",
            ),
            (
                json!({"ssh_address": "a", "ssh_password": "x", "ssh_virt_type": "vbox"}),
                "vbox",
            ),
            (
                json!({"ssh_address": "a", "ssh_password": "x", "ssh_username": "a\nb"}),
                "username",
            ),
        ];
        for (control_info, named) in cases {
            let sentence = endpoint(&control_info).unwrap_err();
            assert!(sentence.contains(named), "{sentence}");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        let secret = json!({"ssh_address": "a", "ssh_password": "s3cret",
            "ssh_key_contents": "s3cret"});
        let shown = endpoint(&secret).unwrap();
        assert!(!format!("{shown} {shown:?}").contains("s3cret"));
        let wrong = json!({"ssh_address": "a", "ssh_password": {"s3cret": 1}});
        assert!(!endpoint(&wrong).unwrap_err().contains("s3cret"));
    }
}
