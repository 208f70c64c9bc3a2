//! A node as it is told, written straight into an answer.
//!
//! The same text as that of [`crate::node::document`], without making JSON values of each node first:
//! for answers about very many nodes.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use xcat3_core::secret::{REDACTED, is_secret};
use xcat3_core::{Nic, Node};

use crate::node::DeployRecord;
use crate::{Secrets, Selection};

/// A node, those of its fields that were asked for, its secrets masked or in clear.
#[derive(Clone, Copy)]
pub struct ToldNode<'a> {
    /// The node.
    pub node: &'a Node,
    /// Which fields.
    pub selection: &'a Selection,
    /// How its secrets are told.
    pub secrets: Secrets,
}

impl Serialize for ToldNode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (node, secrets) = (self.node, self.secrets);
        let mut object = serializer.serialize_map(None)?;
        let mut field = Fields(&mut object, self.selection);
        field.put("name", &node.name)?;
        field.put("mgt", &node.declared.mgt)?;
        field.put("netboot", &node.declared.netboot)?;
        field.put("arch", &node.declared.arch)?;
        field.put("type", &node.declared.kind)?;
        field.put("state", &node.deployment.state.as_str())?;
        field.put(
            "control_info",
            &Attributes(&node.declared.control_info, secrets),
        )?;
        field.put(
            "console_info",
            &Attributes(&node.declared.console_info, secrets),
        )?;
        field.put("nics_info", &NicsInfo(&node.nics, secrets))?;
        field.put("reservation", &node.observed.reservation)?;
        field.put("conductor", &node.observed.conductor)?;
        field.put("osimage", &node.deployment.osimage)?;
        if self.selection.names("deploy") {
            field.put("deploy", &DeployRecord::of(node))?;
        }
        object.end()
    }
}

/// An object that takes only fields that were asked for.
struct Fields<'a, M>(&'a mut M, &'a Selection);

impl<M: SerializeMap> Fields<'_, M> {
    fn put(&mut self, field: &'static str, value: &impl Serialize) -> Result<(), M::Error> {
        if self.1.takes(field) {
            self.0.serialize_entry(field, value)?;
        }
        Ok(())
    }
}

/// Attributes with secrets masked at any depth, as [`xcat3_core::secret::redact`] does it.
struct Attributes<'a>(&'a Map<String, Value>, Secrets);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(map, secrets) = *self;
        if secrets == Secrets::InClear {
            return map.serialize(serializer);
        }
        let mut object = serializer.serialize_map(Some(map.len()))?;
        for (key, value) in map {
            match value {
                Value::Null => object.serialize_entry(key, value)?,
                _ if is_secret(key) => object.serialize_entry(key, REDACTED)?,
                other => object.serialize_entry(key, &Attribute(other, secrets))?,
            }
        }
        object.end()
    }
}

/// A value whose own key is no secret's.
struct Attribute<'a>(&'a Value, Secrets);

impl Serialize for Attribute<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(inner) => Attributes(inner, self.1).serialize(serializer),
            Value::Array(list) => {
                let attribute = |value| Attribute(value, self.1);
                serializer.collect_seq(list.iter().map(attribute))
            }
            other => other.serialize(serializer),
        }
    }
}

struct NicsInfo<'a>(&'a [Nic], Secrets);

impl Serialize for NicsInfo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(1))?;
        object.serialize_entry("nics", &Nics(self.0, self.1))?;
        object.end()
    }
}

struct Nics<'a>(&'a [Nic], Secrets);

impl Serialize for Nics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for nic in self.0 {
            list.serialize_element(&ToldNic(nic, self.1))?;
        }
        list.end()
    }
}

struct ToldNic<'a>(&'a Nic, Secrets);

impl Serialize for ToldNic<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(nic, secrets) = self;
        let mut object = serializer.serialize_map(Some(8))?;
        object.serialize_entry("uuid", &nic.uuid)?;
        object.serialize_entry("mac", &nic.mac)?;
        object.serialize_entry("name", &nic.name)?;
        object.serialize_entry("ip", &nic.ip)?;
        object.serialize_entry("netmask", &nic.netmask)?;
        object.serialize_entry("primary", &nic.primary)?;
        object.serialize_entry("extra", &Attributes(&nic.extra, *secrets))?;
        object.serialize_entry("node", &nic.node)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeBody;
    use crate::node::{FIELDS, document};
    use serde_json::json;
    use xcat3_core::boot::{Phase, Progress};
    use xcat3_core::{Node, State};

    fn nodes() -> [Node; 2] {
        let full = json!({"name": "node1", "mgt": "kvm", "netboot": "pxe", "arch": "x86_64",
            "type": "a \"b\"\n", "control_info": {"ssh_password": "hidden", "ssh_address": "h",
                "mine": {"token": "hidden", "x": [1, 2.5, null, {"secret": "hidden"}]}},
            "console_info": {"bmc_password": "hidden"},
            "nics_info": {"nics": [
                {"mac": "52-54-00-36-AC-B1", "ip": "fd00::1", "primary": true,
                    "extra": {"wifi_secret": "hidden", "y": null}},
                {"mac": "52:54:00:36:ac:b2", "ip": "11.0.0.1", "netmask": "255.0.0.0", "name": "eth1"}]}});
        let mut full = NodeBody::try_from(full).unwrap().into_node().unwrap();
        full.deployment.state = State::Deploying;
        full.observed.reservation = Some("conductor1/0".into());
        full.deployment.progress = Some(Progress {
            phase: Phase::Waiting,
            detail: "\u{1f}".into(),
            since_ms: 1,
            seen_ms: 2,
        });
        [full, Node::new("bare".parse().unwrap())]
    }

    #[test]
    fn it_is_the_same_text_as_that_of_the_document() {
        for node in &nodes() {
            for fields in [
                None,
                Some("mgt,nics"),
                Some("deploy"),
                Some("osimage,control"),
            ] {
                for secrets in [Secrets::Masked, Secrets::InClear] {
                    let selection = &FIELDS.parse(fields).unwrap();
                    let expected = serde_json::to_string(&document(node, selection, secrets));
                    let told = ToldNode {
                        node,
                        selection,
                        secrets,
                    };
                    let told = serde_json::to_string(&told).unwrap();
                    assert_eq!(told, expected.unwrap());
                    let hidden = told.contains("hidden");
                    assert!(!hidden || secrets == Secrets::InClear);
                }
            }
        }
    }
}
