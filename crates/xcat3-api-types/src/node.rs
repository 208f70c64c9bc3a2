//! A node on the wire.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use xcat3_core::node::{ARCHITECTURES, BOOT_DRIVERS, CONTROL_DRIVERS};
use xcat3_core::secret::{REDACTED, is_secret, redact};
use xcat3_core::{Node, NodeName, State};

use crate::Secrets;
use crate::control::checked;
use crate::nic::{NicBody, NicInfo, NicRecord};
use crate::reader::{Reader, kind};
use crate::selection::{Fields, Selection};

/// The fields of a node. `deploy` comes only where it is asked for by name.
pub const FIELDS: Fields = Fields {
    what: "a node",
    known: &[
        "name",
        "mgt",
        "netboot",
        "arch",
        "type",
        "state",
        "control_info",
        "console_info",
        "nics_info",
        "reservation",
        "conductor",
        "osimage",
        "deploy",
    ],
    always: "name",
    aliases: &[
        ("control", "control_info"),
        ("console", "console_info"),
        ("nics", "nics_info"),
    ],
};

/// The fields that a patch may change.
pub const CHANGEABLE: [&str; 7] = [
    "mgt",
    "netboot",
    "arch",
    "type",
    "control_info",
    "console_info",
    "nics_info",
];

/// The fields that the service itself sets. An export has them, so they may be sent back; they count
/// for nothing then.
const SET_BY_SERVICE: [&str; 5] = ["state", "reservation", "conductor", "osimage", "deploy"];

/// The most nics that a node may have.
const MOST_NICS: usize = 256;

/// A node, as it is declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Value", deny_unknown_fields)]
pub struct NodeBody {
    /// Unique; a host label that is none of the API's own words.
    #[schema(examples("node1"))]
    pub name: String,
    /// The control driver: `kvm`, `ipmi`, …
    #[schema(examples("kvm"))]
    pub mgt: Option<String>,
    /// The boot driver: `pxe`, `petitboot`, …
    #[schema(examples("pxe"))]
    pub netboot: Option<String>,
    /// The architecture.
    #[schema(examples("x86_64"))]
    pub arch: Option<String>,
    /// The operator's own classification.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Where and how the control driver reaches the machine.
    #[schema(value_type = Object)]
    pub control_info: Map<String, Value>,
    /// The same for the console driver.
    #[schema(value_type = Object)]
    pub console_info: Map<String, Value>,
    /// Its nics.
    pub nics_info: NicBodies,
}

/// The nics of a node, as they are declared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NicBodies {
    /// The first, or the one marked primary, is the one to install over.
    pub nics: Vec<NicBody>,
}

impl TryFrom<Value> for NodeBody {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let mut reader = Reader::of("a node", value)?;
        let body = Self {
            name: reader.needed("name")?,
            mgt: reader.word("mgt", &CONTROL_DRIVERS)?,
            netboot: reader.word("netboot", &BOOT_DRIVERS)?,
            arch: reader.word("arch", &ARCHITECTURES)?,
            kind: reader.text("type")?,
            control_info: checked("control_info", reader.object("control_info")?)?,
            console_info: checked("console_info", reader.object("console_info")?)?,
            nics_info: nics(reader.value("nics_info"))?,
        };
        reader.ignore(&SET_BY_SERVICE);
        reader.end()?;
        Ok(body)
    }
}

/// Reads `{"nics": [nic, …]}`; the bare list will do.
fn nics(info: Option<Value>) -> Result<NicBodies, String> {
    let list = match info {
        None => return Ok(NicBodies::default()),
        Some(Value::Array(list)) => list,
        Some(object) => {
            let mut reader = Reader::of("nics_info", object)?;
            let list = reader.value("nics");
            reader.end()?;
            match list {
                None => return Ok(NicBodies::default()),
                Some(Value::Array(list)) => list,
                Some(other) => return Err(format!("nics must be a list, not {}", kind(&other))),
            }
        }
    };
    if list.len() > MOST_NICS {
        return Err(format!("nics_info has more than {MOST_NICS} nics"));
    }
    let nics = list.into_iter().map(NicBody::try_from);
    Ok(NicBodies {
        nics: nics.collect::<Result<_, _>>()?,
    })
}

impl NodeBody {
    /// The node that this declares. A mask in the place of a secret stands for none.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn into_node(self) -> Result<Node, String> {
        let name: NodeName = self.name.parse().map_err(|error| format!("{error}"))?;
        let mut nics = Vec::with_capacity(self.nics_info.nics.len());
        for body in self.nics_info.nics {
            let mut nic = body.into_nic()?;
            if let Some(other) = nic.node.filter(|node| *node != name) {
                return Err(format!("nic {} names node {other} as its own", nic.mac));
            }
            nic.node = Some(name.clone());
            nics.push(nic);
        }
        if nics.iter().filter(|nic| nic.primary).count() > 1 {
            return Err("more than one nic is marked primary".to_owned());
        }
        let mut node = Node::new(name);
        node.declared.mgt = self.mgt;
        node.declared.netboot = self.netboot;
        node.declared.arch = self.arch;
        node.declared.kind = self.kind;
        node.declared.control_info = unmasked(self.control_info, &Map::new());
        node.declared.console_info = unmasked(self.console_info, &Map::new());
        node.nics = nics;
        Ok(node)
    }

    /// Puts what this declares in the place of what was declared of `node`. A mask in the place of a
    /// secret stands for what the node had.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn replace(self, node: &mut Node) -> Result<(), String> {
        let (control, console) = (self.control_info.clone(), self.console_info.clone());
        let new = self.into_node()?;
        node.declared.mgt = new.declared.mgt;
        node.declared.netboot = new.declared.netboot;
        node.declared.arch = new.declared.arch;
        node.declared.kind = new.declared.kind;
        node.declared.control_info = unmasked(control, &node.declared.control_info);
        node.declared.console_info = unmasked(console, &node.declared.console_info);
        node.nics = new.nics;
        Ok(())
    }
}

/// `info` with each mask replaced by what `old` has there, or left out.
fn unmasked(info: Map<String, Value>, old: &Map<String, Value>) -> Map<String, Value> {
    let real = |(key, value): (String, Value)| {
        if value == REDACTED && is_secret(&key) {
            return old.get(&key).map(|value| (key, value.clone()));
        }
        Some((key, value))
    };
    info.into_iter().filter_map(real).collect()
}

/// A node, as it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeRecord {
    /// Unique.
    #[schema(value_type = String, examples("node1"))]
    pub name: NodeName,
    /// The control driver.
    pub mgt: Option<String>,
    /// The boot driver.
    pub netboot: Option<String>,
    /// The architecture.
    pub arch: Option<String>,
    /// The operator's own classification.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Null, `dhcp`, `deploying`, `deployed` or `failed`.
    pub state: Option<String>,
    /// Where and how the control driver reaches the machine. Secrets are masked.
    #[schema(value_type = Object)]
    pub control_info: Map<String, Value>,
    /// The same for the console driver.
    #[schema(value_type = Object)]
    pub console_info: Map<String, Value>,
    /// Its nics.
    pub nics_info: NicInfo,
    /// Who holds it for an operation now.
    pub reservation: Option<String>,
    /// Host name of the conductor that last acted on it.
    pub conductor: Option<String>,
    /// The OS image that it has or is being given.
    pub osimage: Option<String>,
    /// How far a deploy has come. Only where `fields` names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<DeployRecord>,
}

/// How far a node's deploy has come, or why it failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeployRecord {
    /// `waiting`, `dhcp`, `loader`, `boot-script`, `kernel`, `installer`, `packages`, `callback`.
    pub phase: Option<String>,
    /// When it entered the phase, in milliseconds since 1970 (UTC).
    pub since_ms: Option<i64>,
    /// When it was last seen, in milliseconds since 1970 (UTC).
    pub seen_ms: Option<i64>,
    /// The last thing that it asked for.
    pub detail: Option<String>,
    /// Why it failed, in a sentence.
    pub failure: Option<String>,
}

impl DeployRecord {
    pub(crate) fn of(node: &Node) -> Self {
        let shown = matches!(
            node.deployment.state,
            State::Deploying | State::Failed | State::Deployed
        );
        let progress = node.deployment.progress.as_ref().filter(|_| shown);
        Self {
            phase: progress.map(|progress| progress.phase.to_string()),
            since_ms: progress.map(|progress| progress.since_ms),
            seen_ms: progress.map(|progress| progress.seen_ms),
            detail: progress.map(|progress| progress.detail.clone()),
            failure: node.deployment.failure.clone(),
        }
    }

    fn document(self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("phase".into(), self.phase.into());
        document.insert("since_ms".into(), self.since_ms.into());
        document.insert("seen_ms".into(), self.seen_ms.into());
        document.insert("detail".into(), self.detail.into());
        document.insert("failure".into(), self.failure.into());
        document
    }
}

/// The document of a node: its declared fields and those that the service sets, or those of them that
/// were asked for.
#[must_use]
pub fn document(node: &Node, selection: &Selection, secrets: Secrets) -> Map<String, Value> {
    let state = node.deployment.state.as_str().map(str::to_owned);
    let mut document = Map::new();
    document.insert("name".into(), node.name.as_str().into());
    let declared = declared(node, secrets);
    for (field, value) in declared {
        document.insert(field.into(), value);
        if field == "type" {
            document.insert("state".into(), state.clone().into());
        }
    }
    document.insert(
        "reservation".into(),
        node.observed.reservation.clone().into(),
    );
    document.insert("conductor".into(), node.observed.conductor.clone().into());
    document.insert("osimage".into(), node.deployment.osimage.clone().into());
    if selection.names("deploy") {
        let deploy = DeployRecord::of(node).document();
        document.insert("deploy".into(), deploy.into());
    }
    selection.of(document)
}

/// What an operator declared of a node, under the names of [`CHANGEABLE`].
#[must_use]
pub fn declared(node: &Node, secrets: Secrets) -> [(&'static str, Value); 7] {
    let info = |info: &Map<String, Value>| match secrets {
        Secrets::Masked => redact(info),
        Secrets::InClear => info.clone(),
    };
    let nic = |nic| Value::Object(NicRecord::of(nic, secrets).document());
    let mut nics = Map::new();
    nics.insert("nics".into(), node.nics.iter().map(nic).collect());
    [
        ("mgt", node.declared.mgt.clone().into()),
        ("netboot", node.declared.netboot.clone().into()),
        ("arch", node.declared.arch.clone().into()),
        ("type", node.declared.kind.clone().into()),
        ("control_info", info(&node.declared.control_info).into()),
        ("console_info", info(&node.declared.console_info).into()),
        ("nics_info", nics.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(value: Value) -> Result<Node, String> {
        NodeBody::try_from(value)?.into_node()
    }

    fn sent() -> Value {
        json!({"name": "node1", "mgt": "kvm", "netboot": "pxe", "arch": "x86_64", "type": null,
            "control_info": {"ssh_address": "h", "ssh_password": "hidden"},
            "nics_info": {"nics": [{"mac": "52:54:00:36:ac:b1", "primary": "True"}]}})
    }

    #[test]
    fn what_is_answered_has_every_field_and_no_secret() {
        let node = node(sent()).unwrap();
        let told = document(&node, &Selection::default(), Secrets::Masked);
        let names: Vec<&str> = told.keys().map(String::as_str).collect();
        assert_eq!(names, &FIELDS.known[..12]);
        assert!(!Value::Object(told.clone()).to_string().contains("hidden"));
        let record: NodeRecord = serde_json::from_value(Value::Object(told)).unwrap();
        assert_eq!(record.state, None);
        let clear = document(&node, &Selection::default(), Secrets::InClear);
        assert_eq!(clear["control_info"]["ssh_password"], "hidden");
    }

    #[test]
    fn an_export_can_be_sent_back_and_a_mask_is_no_password() {
        let told = document(
            &node(sent()).unwrap(),
            &Selection::default(),
            Secrets::Masked,
        );
        let again = node(Value::Object(told)).unwrap();
        assert_eq!(again.control("ssh_password"), None);
        assert_eq!(again.control("ssh_address"), Some("h"));
    }

    #[test]
    fn a_mask_keeps_what_the_node_had() {
        let mut known = node(sent()).unwrap();
        let mut body = sent();
        body["control_info"]["ssh_password"] = REDACTED.into();
        body["control_info"]["ssh_address"] = "other".into();
        NodeBody::try_from(body)
            .unwrap()
            .replace(&mut known)
            .unwrap();
        assert_eq!(known.control("ssh_password"), Some("hidden"));
        assert_eq!(known.control("ssh_address"), Some("other"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let nic = json!({"mac": "52:54:00:36:ac:b1", "primary": true});
        for (field, value, why) in [
            ("name", json!("power"), "reserved"),
            ("mgt", json!("telepathy"), "mgt 'telepathy'"),
            ("netboot", json!("floppy"), "netboot 'floppy'"),
            ("arch", json!("vax"), "arch 'vax'"),
            ("colour", json!("red"), "no field 'colour'"),
            (
                "control_info",
                json!("hidden"),
                "control_info must be an object",
            ),
            ("nics_info", json!({"nics": 3}), "nics must be a list"),
            ("nics_info", json!({"nics": [{"mac": "x"}]}), "'x'"),
            ("nics_info", json!({"cards": []}), "no field 'cards'"),
            (
                "nics_info",
                json!({"nics": [nic.clone(), nic]}),
                "more than one nic",
            ),
            (
                "nics_info",
                json!([{"mac": "52:54:00:36:ac:b1", "node": "node2"}]),
                "node node2",
            ),
        ] {
            let mut body = sent();
            body[field] = value;
            let error = node(body).unwrap_err();
            assert!(error.contains(why), "{error}");
            assert!(!error.contains("hidden"), "{error}");
        }
    }
}
