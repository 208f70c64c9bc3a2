//! A resource of a BMC: JSON in which every field may be missing or of another type than the schema
//! says. A missing or unexpected field reads as none. Errors are only text that is not a JSON object,
//! and text beyond the limits.
//!
//! The limits are checked before parsing: parsed JSON takes many times the memory of its text.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::sanitize;

/// The most values in one resource. A page of a thousand log entries has some 20,000.
pub(crate) const MAX_VALUES: usize = 250_000;

/// The pointer to the resource with the settings for the next boot.
pub(crate) const SETTINGS: &str = "@Redfish.Settings/SettingsObject";

/// A resource, or an object within one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// Its path; empty for an object within a resource.
    pub path: String,
    /// Its tag for conditional changes (`If-Match`), if the BMC has tags.
    pub etag: Option<String>,
    value: Value,
}

/// Why text is not a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// Not JSON, or nested too deeply.
    #[error("is not JSON: {0}")]
    NotJson(String),
    /// JSON, but not an object.
    #[error("is not a JSON object")]
    NotObject,
    /// More values than fit the limit.
    #[error("has more than {MAX_VALUES} values")]
    TooManyValues,
}

impl Resource {
    /// Parses `text`, the resource at `path`.
    ///
    /// # Errors
    /// See [`ResourceError`].
    pub fn parse(path: &str, text: &[u8]) -> Result<Self, ResourceError> {
        check_size(text)?;
        let value: Value = serde_json::from_slice(text).map_err(not_json)?;
        if !value.is_object() {
            return Err(ResourceError::NotObject);
        }
        let mut resource = Self::from_value(value).with_path(path);
        resource.etag = resource.text("@odata.etag").map(str::to_owned);
        Ok(resource)
    }

    /// Parses only the fields `names` of `text`, the resource at `path`, and of the members of a
    /// collection. Storing the other fields is most of the work when thousands of BMCs are read.
    ///
    /// # Errors
    /// See [`ResourceError`]. The members of a collection must be a list of objects.
    pub(crate) fn excerpt(path: &str, text: &[u8], names: &[&str]) -> Result<Self, ResourceError> {
        check_size(text)?;
        let mut json = serde_json::Deserializer::from_slice(text);
        let fields = Fields(names).deserialize(&mut json).map_err(not_json)?;
        json.end().map_err(not_json)?;
        Ok(Self::from_value(fields).with_path(path))
    }

    /// The object `value`, without a path.
    #[must_use]
    pub fn from_value(value: Value) -> Self {
        Self {
            value,
            ..Self::default()
        }
    }

    /// The same resource with this path.
    #[must_use]
    pub fn with_path(self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self
        }
    }

    /// The JSON.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The value at `pointer`: keys joined by `/`, as in `Boot/BootSourceOverrideTarget`. Null reads
    /// as none.
    #[must_use]
    pub fn value_at(&self, pointer: &str) -> Option<&Value> {
        let mut value = &self.value;
        for key in pointer.split('/') {
            value = value.as_object()?.get(key)?;
        }
        (!value.is_null()).then_some(value)
    }

    /// The text at `pointer`, unless it is empty.
    #[must_use]
    pub fn text(&self, pointer: &str) -> Option<&str> {
        let text = self.value_at(pointer)?.as_str()?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The text at `pointer`, sanitized and cut after 200 characters.
    #[must_use]
    pub fn short_text(&self, pointer: &str) -> Option<String> {
        self.text(pointer).map(|text| sanitize(text, 200))
    }

    /// The number at `pointer`, also if it is written as text.
    #[must_use]
    pub fn number(&self, pointer: &str) -> Option<f64> {
        let number = match self.value_at(pointer)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|number| number.is_finite())
    }

    /// The number at `pointer`, rounded, unless it is negative.
    #[must_use]
    pub fn count(&self, pointer: &str) -> Option<u64> {
        let number = self.number(pointer)?;
        // Numbers above 2^53 are not exact in JSON.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (0.0..=9.0e15)
            .contains(&number)
            .then_some(number.round() as u64)
    }

    /// The count at `pointer`, if it fits into 32 bits.
    #[must_use]
    pub fn count_u32(&self, pointer: &str) -> Option<u32> {
        self.count(pointer)
            .and_then(|count| u32::try_from(count).ok())
    }

    /// The boolean at `pointer`, also if it is written as text.
    #[must_use]
    pub fn flag(&self, pointer: &str) -> Option<bool> {
        match self.value_at(pointer)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// The objects of the list at `pointer`.
    #[must_use]
    pub fn objects(&self, pointer: &str) -> Vec<Self> {
        let objects = |list: &Vec<Value>| {
            let objects = list.iter().filter(|value| value.is_object());
            objects.cloned().map(Self::from_value).collect()
        };
        self.value_at(pointer)
            .and_then(Value::as_array)
            .map(objects)
            .unwrap_or_default()
    }

    /// The texts of the list at `pointer`.
    #[must_use]
    pub fn texts(&self, pointer: &str) -> Vec<&str> {
        let list = self.value_at(pointer).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// The target of the reference at `pointer`: `{"@odata.id": "/…"}`.
    #[must_use]
    pub fn link(&self, pointer: &str) -> Option<&str> {
        let object = self.value_at(pointer)?.as_object()?;
        let link = object.get("@odata.id")?.as_str()?;
        (!link.is_empty()).then_some(link)
    }

    /// The targets of the references in the list at `pointer`.
    #[must_use]
    pub fn links(&self, pointer: &str) -> Vec<String> {
        let link = |object: &Self| object.text("@odata.id").map(str::to_owned);
        self.objects(pointer).iter().filter_map(link).collect()
    }

    /// The name for operators: `Name`, otherwise `Id`, otherwise the end of the path.
    #[must_use]
    pub fn name(&self) -> String {
        let end = self.path.trim_end_matches('/').rsplit('/').next();
        self.short_text("Name")
            .or_else(|| self.short_text("Id"))
            .unwrap_or_else(|| sanitize(end.unwrap_or_default(), 200))
    }

    /// Whether the resource is an empty slot.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.text("Status/State") == Some("Absent")
    }

    /// The values allowed at `pointer`, if the BMC lists them.
    #[must_use]
    pub fn allowable_values(&self, pointer: &str) -> Option<Vec<&str>> {
        let allowed = self.texts(&format!("{pointer}@Redfish.AllowableValues"));
        (!allowed.is_empty()).then_some(allowed)
    }
}

/// Refuses text with too many values before it is parsed.
fn check_size(text: &[u8]) -> Result<(), ResourceError> {
    // Every value but the first follows one of these. Those within texts count too: a text with so
    // many is refused as well.
    let is_mark = |byte: &&u8| matches!(**byte, b',' | b'[' | b'{');
    match text.len() > MAX_VALUES && text.iter().filter(is_mark).count() > MAX_VALUES {
        true => Err(ResourceError::TooManyValues),
        false => Ok(()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` takes")]
fn not_json(error: serde_json::Error) -> ResourceError {
    ResourceError::NotJson(error.to_string())
}

/// Deserializes the named fields of an object, and its `Members`.
#[derive(Clone, Copy)]
struct Fields<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if name == "Members" {
                kept.insert(name, object.next_value_seed(Members(self))?);
            } else if self.0.contains(&name.as_str()) {
                kept.insert(name, object.next_value()?);
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::Object(kept))
    }
}

/// Deserializes a list of such objects.
struct Members<'n>(Fields<'n>);

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while let Some(member) = list.next_element_seed(self.0)? {
            kept.push(member);
        }
        Ok(Value::Array(kept))
    }
}

/// The message in the body of an error response, empty if there is none.
#[must_use]
pub fn error_message(body: &[u8]) -> String {
    let Ok(resource) = Resource::parse("", body) else {
        return String::new();
    };
    let mut messages: Vec<String> = Vec::new();
    let lists = ["error/@Message.ExtendedInfo", "@Message.ExtendedInfo"];
    for message in lists.iter().flat_map(|list| resource.objects(list)) {
        if let Some(text) = message.short_text("Message")
            && !messages.contains(&text)
            && messages.len() < 3
        {
            messages.push(text);
        }
    }
    if messages.is_empty() {
        let fields = ["error/message", "data/description", "message", "error/code"];
        messages.extend(fields.iter().find_map(|field| resource.short_text(field)));
    }
    messages.join(" ")
}

/// Whether the body of an error response has the message `message` (`SessionLimitExceeded`) of any
/// registry.
#[must_use]
pub fn has_message(body: &[u8], message: &str) -> bool {
    let Ok(resource) = Resource::parse("", body) else {
        return false;
    };
    let is_it = |id: &str| id.rsplit('.').next() == Some(message);
    let mut messages = resource.objects("error/@Message.ExtendedInfo");
    messages.extend(resource.objects("@Message.ExtendedInfo"));
    resource.text("error/code").is_some_and(is_it)
        || messages
            .iter()
            .any(|message| message.text("MessageId").is_some_and(is_it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resource(text: &str) -> Resource {
        Resource::parse("/redfish/v1/Systems/1/", text.as_bytes()).unwrap()
    }

    #[test]
    fn field_of_wrong_type_reads_as_none() {
        let wrong = resource(
            r#"{"PowerState":7,"Boot":[],"Id":{},"Name":null,"Count":"4","Big":-1,"Flag":"True",
               "List":[1,{"@odata.id":"/a"},{"@odata.id":3},null],"Same":1,"Same":2,"Text":" "}"#,
        );
        assert_eq!(wrong.text("PowerState"), None);
        assert_eq!(wrong.text("Boot/BootSourceOverrideTarget"), None);
        assert_eq!(wrong.name(), "1");
        assert_eq!((wrong.count("Count"), wrong.count("Big")), (Some(4), None));
        assert_eq!(wrong.flag("Flag"), Some(true));
        assert_eq!(wrong.links("List"), ["/a"]);
        assert_eq!(wrong.count("Same"), Some(2));
        assert_eq!(wrong.text("Text"), None);
    }

    #[test]
    fn excerpt_of_collection_has_only_named_fields() {
        let text =
            br#"{"Name":"All","Members":[{"@odata.id":"/1","PowerState":"On","Bios":{}},{}]}"#;
        let excerpt = Resource::excerpt("/x", text, &["@odata.id", "PowerState"]).unwrap();
        let members = serde_json::json!([{"@odata.id": "/1", "PowerState": "On"}, {}]);
        assert_eq!(excerpt.value(), &serde_json::json!({"Members": members}));
        let nested = format!("{}1{}", "{\"Members\":[".repeat(1000), "]}".repeat(1000));
        for odd in [
            "[]",
            "{\"Members\":7}",
            "{\"Members\":[null]}",
            "{} {}",
            &nested,
        ] {
            let excerpt = Resource::excerpt("/x", odd.as_bytes(), &[]);
            assert!(
                matches!(excerpt, Err(ResourceError::NotJson(_))),
                "{odd:.40}"
            );
        }
    }

    #[test]
    fn hostile_text_is_refused() {
        let many = format!("{{\"a\":[{}1]}}", "1,".repeat(MAX_VALUES));
        assert_eq!(
            Resource::parse("", many.as_bytes()),
            Err(ResourceError::TooManyValues)
        );
        let deep = format!("{{\"a\":{}", "[".repeat(1000));
        assert!(matches!(
            Resource::parse("", deep.as_bytes()),
            Err(ResourceError::NotJson(_))
        ));
        assert_eq!(Resource::parse("", b"[]"), Err(ResourceError::NotObject));
    }

    #[test]
    fn error_message_in_each_form_is_read() {
        let extended = br#"{"error":{"code":"Base.1.0.GeneralError","message":"See.","@Message.ExtendedInfo":[
            {"MessageId":"IDRAC.2.8.RAC0218","Message":"Too many."},{"Message":"Too many."},{"Message":"Wait."}]}}"#;
        assert_eq!(error_message(extended), "Too many. Wait.");
        assert!(has_message(extended, "RAC0218") && has_message(extended, "GeneralError"));
        assert_eq!(
            error_message(br#"{"error":{"message":"Plain."}}"#),
            "Plain."
        );
        assert_eq!(error_message(br#"{"data":{"description":"Old."}}"#), "Old.");
        assert_eq!(error_message(b"<html>"), "");
    }

    proptest! {
        #[test]
        fn parse_any_text_does_not_panic(text in "[\\[\\]{}\",:0-9a-c@ \\\\]{0,200}") {
            if let Ok(resource) = Resource::parse("/x", text.as_bytes()) {
                let _ = (resource.name(), resource.text("a/b"), resource.objects("a"), resource.links("a"));
            }
            let _ = (error_message(text.as_bytes()), has_message(text.as_bytes(), "a"));
        }

        #[test]
        fn excerpt_equals_whole_resource(text in "\\{(\"[a-c]\":(1|\"a\"|\\{\"a\":2\\}|\\[\\]),?){0,6}\\}.?") {
            let whole = Resource::parse("/x", text.as_bytes());
            let excerpt = Resource::excerpt("/x", text.as_bytes(), &["a", "c"]);
            prop_assert_eq!(whole.is_ok(), excerpt.is_ok());
            if let (Ok(whole), Ok(excerpt)) = (whole, excerpt) {
                prop_assert_eq!(whole.value_at("a"), excerpt.value_at("a"));
                prop_assert_eq!(whole.value_at("c"), excerpt.value_at("c"));
                prop_assert_eq!(excerpt.value_at("b"), None);
            }
        }
    }
}
