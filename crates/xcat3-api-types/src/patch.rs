//! Patches: lists of `add`, `replace` and `remove` in the manner of RFC 6902.
//!
//! More tolerant than the RFC, as the prototype was: removing what is absent is no error, replacing
//! what is absent adds it. `test`, `move` and `copy` are not spoken.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use xcat3_core::MacAddr;

use crate::reader::{Reader, check_length, start};

/// The most patches in one request, and the most parts of a path.
const MOST: usize = 1_000;

/// What a patch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PatchOp {
    /// Sets a field, or appends to a list (`/nics_info/nics/-`).
    Add,
    /// Sets a field.
    Replace,
    /// Removes a field or an entry of a list.
    Remove,
}

/// One change of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Value", deny_unknown_fields)]
pub struct Patch {
    /// What to do.
    pub op: PatchOp,
    /// Where: field names after slashes.
    #[schema(examples("/control_info/bmc_address"))]
    pub path: String,
    /// With what; not for `remove`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub value: Option<Value>,
}

impl TryFrom<Value> for Patch {
    type Error = String;

    fn try_from(mut value: Value) -> Result<Self, String> {
        // A null is a value here: it unsets the field.
        let null = value.get("value").is_some_and(Value::is_null);
        let given = value.get_mut("value").map(Value::take);
        let mut reader = Reader::of("a patch", value)?;
        let op = reader.word("op", &["add", "replace", "remove"])?;
        let path = reader.needed("path")?;
        reader.value("value");
        reader.end()?;
        let op = match op.as_deref() {
            Some("add") => PatchOp::Add,
            Some("replace") => PatchOp::Replace,
            Some(_) => PatchOp::Remove,
            None => return Err("a patch needs the field 'op'".to_owned()),
        };
        if op != PatchOp::Remove && given.is_none() && !null {
            return Err(format!("the patch of '{}' needs a value", start(&path)));
        }
        if !path.starts_with('/') || path.len() < 2 {
            let short = start(&path);
            return Err(format!(
                "'{short}' is not a path: write /FIELD or /FIELD/KEY"
            ));
        }
        Ok(Self {
            op,
            path,
            value: given,
        })
    }
}

impl Patch {
    /// The parts of the path, unescaped (RFC 6901).
    fn parts(&self) -> Vec<String> {
        let unescaped = |part: &str| part.replace("~1", "/").replace("~0", "~");
        self.path.split('/').skip(1).map(unescaped).collect()
    }

    /// Puts the change into effect on `document`, which belongs to `what`.
    fn apply(&self, document: &mut Value) -> Result<(), String> {
        let parts = self.parts();
        let Some((last, way)) = parts.split_last() else {
            return Ok(());
        };
        let nowhere = || format!("there is nothing at '{}'", start(&self.path));
        let mut place = document;
        for part in way {
            if place.is_null() && self.op != PatchOp::Remove {
                *place = Value::Object(Map::new());
            }
            place = match place {
                Value::Object(map) => map.entry(part.clone()).or_insert(Value::Null),
                Value::Array(list) => {
                    let entry = part.parse().ok().and_then(|at: usize| list.get_mut(at));
                    entry.ok_or_else(nowhere)?
                }
                Value::Null => return Ok(()),
                _ => return Err(nowhere()),
            };
        }
        match (place, self.op) {
            (Value::Null, PatchOp::Remove) => Ok(()),
            (place @ Value::Null, _) => {
                let mut map = Map::new();
                map.insert(last.clone(), self.given());
                *place = Value::Object(map);
                Ok(())
            }
            (Value::Object(map), PatchOp::Remove) => {
                map.shift_remove(last);
                Ok(())
            }
            (Value::Object(map), _) => {
                map.insert(last.clone(), self.given());
                Ok(())
            }
            (Value::Array(list), _) => self.apply_to_list(list, last).ok_or_else(nowhere),
            _ => Err(nowhere()),
        }
    }

    fn apply_to_list(&self, list: &mut Vec<Value>, last: &str) -> Option<()> {
        if last == "-" {
            return match (self.op, same_nic(list, self.value.as_ref())) {
                (PatchOp::Remove, _) => None,
                (_, Some(nic)) => {
                    let given = self.value.as_ref()?.as_object()?.clone();
                    nic.extend(given.into_iter().filter(|(key, _)| key != "mac"));
                    Some(())
                }
                (_, None) => {
                    list.push(self.given());
                    Some(())
                }
            };
        }
        let at: usize = last.parse().ok()?;
        match self.op {
            PatchOp::Remove if at < list.len() => {
                list.remove(at);
            }
            PatchOp::Add if at <= list.len() => list.insert(at, self.given()),
            PatchOp::Replace if at < list.len() => list[at] = self.given(),
            _ => return None,
        }
        Some(())
    }

    fn given(&self) -> Value {
        self.value.clone().unwrap_or(Value::Null)
    }
}

/// The entry of a list that has the MAC address of `given`: adding a nic that is there changes it.
fn same_nic<'a>(
    list: &'a mut [Value],
    given: Option<&Value>,
) -> Option<&'a mut Map<String, Value>> {
    let mac = |value: &Value| value.get("mac")?.as_str()?.parse::<MacAddr>().ok();
    let wanted = mac(given?)?;
    let found = list.iter_mut().find(|entry| mac(entry) == Some(wanted))?;
    found.as_object_mut()
}

/// Checks that each patch changes a field that may be changed.
///
/// # Errors
/// Names the first that does not, and says whether there is no such field or it can't be changed.
pub fn check(
    patches: &[Patch],
    what: &str,
    fields: &[&str],
    changeable: &[&str],
) -> Result<(), String> {
    if patches.len() > MOST {
        return Err(format!("more than {MOST} patches in one request"));
    }
    for patch in patches {
        check_length("the path of a patch", &patch.path)?;
        let parts = patch.parts();
        let field = parts.first().map_or("", String::as_str);
        if parts.len() > MOST {
            return Err(format!("the path of a patch has more than {MOST} parts"));
        }
        if changeable.contains(&field) {
            continue;
        }
        let (field, may) = (start(field), changeable.join(", "));
        return Err(if fields.contains(&field.as_str()) {
            format!("'{field}' of {what} can't be changed: what can is {may}")
        } else {
            format!("{what} has no field '{field}': what can be changed is {may}")
        });
    }
    Ok(())
}

/// `document` with the patches in effect, one after the other.
///
/// # Errors
/// Names the path that leads nowhere.
pub fn apply(patches: &[Patch], document: Map<String, Value>) -> Result<Value, String> {
    let mut document = Value::Object(document);
    for patch in patches {
        patch.apply(&mut document)?;
    }
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(document: Value, patches: &Value) -> Result<Value, String> {
        let patches: Vec<Patch> = patches
            .as_array()
            .unwrap()
            .iter()
            .map(|patch| Patch::try_from(patch.clone()))
            .collect::<Result<_, _>>()?;
        let Value::Object(document) = document else {
            unreachable!()
        };
        apply(&patches, document)
    }

    #[test]
    fn fields_and_keys_are_set_and_removed() {
        let changed = patched(
            json!({"mgt": "kvm", "type": "a", "control_info": {"bmc_password": "p"}}),
            &json!([
                {"op": "replace", "path": "/mgt", "value": "ipmi"},
                {"op": "add", "path": "/control_info/bmc_address", "value": "h"},
                {"op": "remove", "path": "/control_info/bmc_password"},
                {"op": "remove", "path": "/control_info/absent"},
                {"op": "remove", "path": "/console_info/absent/deep"},
                {"op": "add", "path": "/type", "value": null},
            ]),
        );
        let mut expected =
            json!({"mgt": "ipmi", "type": null, "control_info": {"bmc_address": "h"}});
        expected["console_info"] = Value::Null;
        assert_eq!(changed, Ok(expected));
    }

    #[test]
    fn nics_are_added_changed_and_removed() {
        let nic = |mac: &str| json!({"mac": mac, "ip": "1.1.1.1"});
        let before =
            json!({"nics_info": {"nics": [nic("52:54:00:00:00:01"), nic("52:54:00:00:00:02")]}});
        let changed = patched(
            before,
            &json!([
                {"op": "add", "path": "/nics_info/nics/-", "value": {"mac": "52-54-00-00-00-02", "ip": "2.2.2.2"}},
                {"op": "add", "path": "/nics_info/nics/-", "value": {"mac": "52:54:00:00:00:03"}},
                {"op": "remove", "path": "/nics_info/nics/0"},
                {"op": "replace", "path": "/nics_info/nics/1/ip", "value": "3.3.3.3"},
            ]),
        );
        let expected = json!({"nics_info": {"nics": [
            {"mac": "52:54:00:00:00:02", "ip": "2.2.2.2"},
            {"mac": "52:54:00:00:00:03", "ip": "3.3.3.3"}]}});
        assert_eq!(changed, Ok(expected));
    }

    #[test]
    fn what_leads_nowhere_is_named() {
        for (patch, why) in [
            (json!({"op": "remove", "path": "/list/7"}), "'/list/7'"),
            (
                json!({"op": "add", "path": "/list/x", "value": 1}),
                "'/list/x'",
            ),
            (
                json!({"op": "add", "path": "/mgt/x/y", "value": 1}),
                "'/mgt/x/y'",
            ),
            (json!({"op": "add", "path": "/mgt"}), "needs a value"),
            (
                json!({"op": "add", "path": "mgt", "value": 1}),
                "not a path",
            ),
            (json!({"op": "move", "path": "/mgt"}), "'move'"),
            (json!({"path": "/mgt"}), "'op'"),
            (json!({"op": "remove", "path": "/mgt", "from": 1}), "'from'"),
        ] {
            let document = json!({"mgt": "kvm", "list": [1]});
            let error = patched(document, &json!([patch])).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn only_what_may_be_changed_may_be_patched() {
        let patch = |path: &str| {
            let patch = Patch::try_from(json!({"op": "add", "path": path, "value": 1})).unwrap();
            check(&[patch], "a node", &["name", "mgt"], &["mgt"])
        };
        assert_eq!(patch("/mgt"), Ok(()));
        assert!(patch("/name").unwrap_err().contains("can't be changed"));
        assert!(patch("/oops/x").unwrap_err().contains("no field 'oops'"));
        let huge = format!("/{}", "x".repeat(60_000));
        assert!(patch(&huge).unwrap_err().len() < 300);
    }
}
