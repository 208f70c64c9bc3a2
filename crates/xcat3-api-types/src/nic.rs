//! Nics on the wire.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use xcat3_core::secret::redact;
use xcat3_core::{MacAddr, Nic, NodeName};

use crate::Secrets;
use crate::reader::{Reader, start};
use crate::selection::Fields;

/// The fields of a nic.
pub const FIELDS: Fields = Fields {
    what: "a nic",
    known: &[
        "uuid", "mac", "name", "ip", "netmask", "primary", "extra", "node",
    ],
    always: "uuid",
    aliases: &[],
};

/// The fields that a patch may change.
pub const CHANGEABLE: [&str; 7] = ["mac", "name", "ip", "netmask", "primary", "extra", "node"];

/// A nic, as it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Value", deny_unknown_fields)]
pub struct NicBody {
    /// Made by the server. What an export wrote may be sent back; it counts for nothing then.
    pub uuid: Option<String>,
    /// Unique among all nics, in any usual notation.
    #[schema(examples("52:54:00:36:ac:b1"))]
    pub mac: String,
    /// What the operating system calls it.
    #[schema(examples("eth0"))]
    pub name: Option<String>,
    /// The fixed address that it is given, v4 or v6.
    #[schema(examples("11.5.102.60"))]
    pub ip: Option<String>,
    /// The mask of its network where it differs from that of the network around `ip`.
    pub netmask: Option<String>,
    /// Whether the node installs over this nic.
    pub primary: Option<bool>,
    /// What the operator wants to remember of it.
    #[schema(value_type = Object)]
    pub extra: Map<String, Value>,
    /// Name of its node.
    #[schema(examples("node1"))]
    pub node: Option<String>,
}

impl TryFrom<Value> for NicBody {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let mut reader = Reader::of("a nic", value)?;
        let body = Self {
            uuid: reader.text("uuid")?,
            mac: reader.needed("mac")?,
            name: reader.text("name")?,
            ip: reader.text("ip")?,
            netmask: reader.text("netmask")?,
            primary: reader.truth("primary")?,
            extra: reader.object("extra")?,
            node: reader.text("node")?,
        };
        reader.end()?;
        Ok(body)
    }
}

impl NicBody {
    /// The nic that this declares.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn into_nic(self) -> Result<Nic, String> {
        let mac: MacAddr = self.mac.trim().parse().map_err(sentence)?;
        if mac.is_group() || mac.0 == [0; 6] {
            return Err(format!(
                "mac {mac} can't be that of a nic: it is no single address"
            ));
        }
        let named = |why: String| format!("nic {mac}: {why}");
        let ip = address("ip", self.ip.as_deref()).map_err(named)?;
        let netmask = address("netmask", self.netmask.as_deref()).map_err(named)?;
        check_addresses(ip, netmask).map_err(named)?;
        check_interface(self.name.as_deref()).map_err(named)?;
        let node: Option<NodeName> = self
            .node
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(sentence)?;
        Ok(Nic {
            uuid: self
                .uuid
                .as_deref()
                .and_then(|text| text.parse().ok())
                .unwrap_or(Uuid::nil()),
            mac,
            name: self.name,
            ip,
            netmask,
            primary: self.primary.unwrap_or(false),
            extra: self.extra,
            node,
        })
    }
}

fn sentence(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn address(field: &str, text: Option<&str>) -> Result<Option<IpAddr>, String> {
    let Some(text) = text.map(str::trim) else {
        return Ok(None);
    };
    let wrong = |_| format!("{field} '{}' is not an IP address", start(text));
    text.parse().map(Some).map_err(wrong)
}

fn check_addresses(ip: Option<IpAddr>, netmask: Option<IpAddr>) -> Result<(), String> {
    if let Some(ip) = ip {
        let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
        if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() || broadcast {
            return Err(format!("ip {ip} can't be the address of a nic"));
        }
    }
    match (netmask, ip) {
        (Some(IpAddr::V4(mask)), _)
            if u32::from(mask).leading_ones() != u32::from(mask).count_ones() =>
        {
            Err(format!(
                "netmask {mask} is not a netmask: its ones must be contiguous"
            ))
        }
        (Some(IpAddr::V6(mask)), _)
            if u128::from(mask).leading_ones() != u128::from(mask).count_ones() =>
        {
            Err(format!(
                "netmask {mask} is not a netmask: its ones must be contiguous"
            ))
        }
        (Some(mask), Some(ip)) if mask.is_ipv4() != ip.is_ipv4() => {
            Err(format!("netmask {mask} and ip {ip} are of different kinds"))
        }
        _ => Ok(()),
    }
}

/// What Linux takes as the name of an interface.
fn check_interface(name: Option<&str>) -> Result<(), String> {
    let Some(name) = name else { return Ok(()) };
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    if name.len() <= 15 && name.bytes().all(allowed) && name != "." && name != ".." {
        return Ok(());
    }
    let short = start(name);
    Err(format!(
        "name '{short}' can't name an interface: use at most 15 characters, no spaces"
    ))
}

/// A nic, as it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NicRecord {
    /// Made by the server.
    #[schema(value_type = String, format = "uuid")]
    pub uuid: Uuid,
    /// In lower case with colons.
    #[schema(value_type = String, examples("52:54:00:36:ac:b1"))]
    pub mac: MacAddr,
    /// What the operating system calls it.
    pub name: Option<String>,
    /// The fixed address that it is given.
    #[schema(value_type = Option<String>, examples("11.5.102.60"))]
    pub ip: Option<IpAddr>,
    /// The mask of its network where it differs from that of the network around `ip`.
    #[schema(value_type = Option<String>)]
    pub netmask: Option<IpAddr>,
    /// Whether the node installs over this nic.
    pub primary: bool,
    /// What the operator wants to remember of it.
    #[schema(value_type = Object)]
    pub extra: Map<String, Value>,
    /// Name of its node.
    #[schema(value_type = Option<String>, examples("node1"))]
    pub node: Option<NodeName>,
}

impl NicRecord {
    /// What is told of a nic.
    #[must_use]
    pub fn of(nic: &Nic, secrets: Secrets) -> Self {
        Self {
            uuid: nic.uuid,
            mac: nic.mac,
            name: nic.name.clone(),
            ip: nic.ip,
            netmask: nic.netmask,
            primary: nic.primary,
            extra: match secrets {
                Secrets::Masked => redact(&nic.extra),
                Secrets::InClear => nic.extra.clone(),
            },
            node: nic.node.clone(),
        }
    }

    /// The document of a nic.
    #[must_use]
    pub fn document(self) -> Map<String, Value> {
        let text = |address: Option<IpAddr>| address.map(|address| address.to_string());
        let mut document = Map::new();
        document.insert("uuid".into(), self.uuid.to_string().into());
        document.insert("mac".into(), self.mac.to_string().into());
        document.insert("name".into(), self.name.into());
        document.insert("ip".into(), text(self.ip).into());
        document.insert("netmask".into(), text(self.netmask).into());
        document.insert("primary".into(), self.primary.into());
        document.insert("extra".into(), self.extra.into());
        let node = self.node.map(|node| node.as_str().to_owned());
        document.insert("node".into(), node.into());
        document
    }
}

/// The nics of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NicInfo {
    /// In the order in which they were declared.
    pub nics: Vec<NicRecord>,
}

/// The answer of `GET /nics`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NicList {
    /// By MAC address.
    pub nics: Vec<NicKey>,
}

/// A nic in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NicKey {
    /// Made by the server.
    #[schema(value_type = String, format = "uuid")]
    pub uuid: Uuid,
    /// In lower case with colons.
    #[schema(value_type = String, examples("52:54:00:36:ac:b1"))]
    pub mac: MacAddr,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nic(value: Value) -> Result<Nic, String> {
        NicBody::try_from(value)?.into_nic()
    }

    #[test]
    fn any_notation_and_any_word_for_true_will_do() {
        let known = nic(
            json!({"mac": "5254.0036.ACB1", "ip": "11.5.102.60", "primary": "True",
            "name": "eth0", "node": "n1", "extra": null}),
        )
        .unwrap();
        let told = NicRecord::of(&known, Secrets::Masked).document();
        assert_eq!(told["mac"], "52:54:00:36:ac:b1");
        assert_eq!(told["primary"], true);
        let again = nic(Value::Object(told)).unwrap();
        assert_eq!(again, known, "what is answered can be sent back");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (field, value, why) in [
            ("mac", "52:54:00", "52:54:00"),
            ("mac", "01:00:5e:00:00:01", "no single address"),
            ("ip", "11.5.102.600", "ip '11.5.102.600'"),
            ("ip", "255.255.255.255", "can't be"),
            ("netmask", "255.0.255.0", "contiguous"),
            ("netmask", "ffff::", "different kinds"),
            ("name", "eth 0", "'eth 0'"),
            ("node", "power", "reserved"),
            ("primary", "maybe", "primary"),
            ("speed", "10G", "no field 'speed'"),
        ] {
            let mut body = json!({"mac": "52:54:00:36:ac:b1", "ip": "11.5.102.60"});
            body[field] = value.into();
            let error = nic(body).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        assert!(nic(json!({"ip": "1.2.3.4"})).unwrap_err().contains("'mac'"));
    }
}
