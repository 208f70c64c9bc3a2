//! A resource as a BMC tells it: JSON in which every field may be missing or of another type than
//! the schema says. What is not there or not as expected is none; nothing here is an error but
//! text that is no JSON object, or goes beyond the limits.
//!
//! Text is checked before it is parsed: what is parsed takes many times the memory of its text.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The most values in one resource. A page of a thousand log entries has some 20,000.
pub const MOST_VALUES: usize = 250_000;

/// A resource, or a part of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// Where it was read; empty for a part.
    pub path: String,
    /// What it is to be changed under (`If-Match`), where the BMC says so.
    pub etag: Option<String>,
    value: Value,
}

/// Why text is no resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoResource {
    /// It is no JSON, or nested too deeply.
    #[error("is not JSON: {0}")]
    NoJson(String),
    /// It is JSON, and no object.
    #[error("is no JSON object")]
    NoObject,
    /// More than [`MOST_VALUES`].
    #[error("has more than {MOST_VALUES} values")]
    TooMany,
}

impl Resource {
    /// The resource that `text`, read at `path`, is.
    ///
    /// # Errors
    /// See [`NoResource`].
    pub fn parse(path: &str, text: &[u8]) -> Result<Self, NoResource> {
        check_size(text)?;
        let value: Value = serde_json::from_slice(text).map_err(no_json)?;
        if !value.is_object() {
            return Err(NoResource::NoObject);
        }
        let mut resource = Self::part(value).placed(path);
        resource.etag = resource.text("@odata.etag").map(str::to_owned);
        Ok(resource)
    }

    /// Of the resource that `text`, read at `path`, is, and of its members where it is a collection, the
    /// fields of these names: keeping all of them is most of the work of a look at thousands of BMCs.
    ///
    /// # Errors
    /// See [`NoResource`]. A collection whose members are no list of objects is no resource either.
    pub(crate) fn excerpt(path: &str, text: &[u8], names: &[&str]) -> Result<Self, NoResource> {
        check_size(text)?;
        let mut json = serde_json::Deserializer::from_slice(text);
        let fields = Fields(names).deserialize(&mut json).map_err(no_json)?;
        json.end().map_err(no_json)?;
        Ok(Self::part(fields).placed(path))
    }

    /// The part that `value` is.
    #[must_use]
    pub fn part(value: Value) -> Self {
        Self {
            value,
            ..Self::default()
        }
    }

    /// It, as that which is at `path`.
    #[must_use]
    pub fn placed(self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self
        }
    }

    /// Its JSON.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// What stands at `place`: keys with `/` between them, as in `Boot/BootSourceOverrideTarget`.
    /// A value of null is none.
    #[must_use]
    pub fn at(&self, place: &str) -> Option<&Value> {
        let mut value = &self.value;
        for key in place.split('/') {
            value = value.as_object()?.get(key)?;
        }
        (!value.is_null()).then_some(value)
    }

    /// The text at `place`, where it is not empty.
    #[must_use]
    pub fn text(&self, place: &str) -> Option<&str> {
        let text = self.at(place)?.as_str()?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The same, kept, at most 200 characters.
    #[must_use]
    pub fn words(&self, place: &str) -> Option<String> {
        self.text(place).map(|text| crate::error::tame(text, 200))
    }

    /// The number at `place`, also where it is written as a text.
    #[must_use]
    pub fn number(&self, place: &str) -> Option<f64> {
        let number = match self.at(place)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|number| number.is_finite())
    }

    /// The whole number at `place`, not below zero.
    #[must_use]
    pub fn count(&self, place: &str) -> Option<u64> {
        let number = self.number(place)?;
        // 2^53: beyond, a number of JSON is not exact.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (0.0..=9.0e15)
            .contains(&number)
            .then_some(number.round() as u64)
    }

    /// The same, where it fits.
    #[must_use]
    pub fn small(&self, place: &str) -> Option<u32> {
        self.count(place)
            .and_then(|count| u32::try_from(count).ok())
    }

    /// Whether, at `place`.
    #[must_use]
    pub fn flag(&self, place: &str) -> Option<bool> {
        match self.at(place)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// The objects of the list at `place`.
    #[must_use]
    pub fn parts(&self, place: &str) -> Vec<Self> {
        let objects = |list: &Vec<Value>| {
            let objects = list.iter().filter(|value| value.is_object());
            objects.cloned().map(Self::part).collect()
        };
        self.at(place)
            .and_then(Value::as_array)
            .map(objects)
            .unwrap_or_default()
    }

    /// The texts of the list at `place`.
    #[must_use]
    pub fn texts(&self, place: &str) -> Vec<&str> {
        let list = self.at(place).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// Where the reference at `place` leads: `{"@odata.id": "/…"}`.
    #[must_use]
    pub fn link(&self, place: &str) -> Option<&str> {
        let object = self.at(place)?.as_object()?;
        let link = object.get("@odata.id")?.as_str()?;
        (!link.is_empty()).then_some(link)
    }

    /// Where the references of the list at `place` lead.
    #[must_use]
    pub fn links(&self, place: &str) -> Vec<String> {
        let link = |part: &Self| part.text("@odata.id").map(str::to_owned);
        self.parts(place).iter().filter_map(link).collect()
    }

    /// The name by which people know it: its `Name`, otherwise its `Id`, otherwise the end of its
    /// path.
    #[must_use]
    pub fn name(&self) -> String {
        let end = self.path.trim_end_matches('/').rsplit('/').next();
        self.words("Name")
            .or_else(|| self.words("Id"))
            .unwrap_or_else(|| crate::error::tame(end.unwrap_or_default(), 200))
    }

    /// Whether it says that nothing is there (an empty slot).
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.text("Status/State") == Some("Absent")
    }

    /// The texts allowed at `place`, where the BMC says which.
    #[must_use]
    pub fn allowable(&self, place: &str) -> Option<Vec<&str>> {
        let allowed = self.texts(&format!("{place}@Redfish.AllowableValues"));
        (!allowed.is_empty()).then_some(allowed)
    }
}

/// Refuses text with too many values, before it is parsed.
fn check_size(text: &[u8]) -> Result<(), NoResource> {
    // Every value but the first stands behind one of these. Those in texts are counted too; who writes
    // so many has too many values all the same.
    let is_mark = |byte: &&u8| matches!(**byte, b',' | b'[' | b'{');
    match text.len() > MOST_VALUES && text.iter().filter(is_mark).count() > MOST_VALUES {
        true => Err(NoResource::TooMany),
        false => Ok(()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` takes")]
fn no_json(error: serde_json::Error) -> NoResource {
    NoResource::NoJson(error.to_string())
}

/// An object of which the fields of these names are kept, and its `Members`.
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

/// A list of such objects.
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

/// What a BMC says in the body of an error.
#[must_use]
pub fn saying(body: &[u8]) -> String {
    let Ok(resource) = Resource::parse("", body) else {
        return String::new();
    };
    let mut said: Vec<String> = Vec::new();
    let places = ["error/@Message.ExtendedInfo", "@Message.ExtendedInfo"];
    for message in places.iter().flat_map(|place| resource.parts(place)) {
        if let Some(text) = message.words("Message")
            && !said.contains(&text)
            && said.len() < 3
        {
            said.push(text);
        }
    }
    if said.is_empty() {
        let places = ["error/message", "data/description", "message", "error/code"];
        said.extend(places.iter().find_map(|place| resource.words(place)));
    }
    said.join(" ")
}

/// Whether the body of an error has a message of this name (`SessionLimitExceeded`), whatever its
/// registry.
#[must_use]
pub fn says(body: &[u8], message: &str) -> bool {
    let Ok(resource) = Resource::parse("", body) else {
        return false;
    };
    let is_it = |id: &str| id.rsplit('.').next() == Some(message);
    let mut said = resource.parts("error/@Message.ExtendedInfo");
    said.extend(resource.parts("@Message.ExtendedInfo"));
    resource.text("error/code").is_some_and(is_it)
        || said
            .iter()
            .any(|part| part.text("MessageId").is_some_and(is_it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resource(text: &str) -> Resource {
        Resource::parse("/redfish/v1/Systems/1/", text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_of_another_type_is_not_there() {
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
    fn an_excerpt_of_a_collection_has_its_members() {
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
            assert!(matches!(excerpt, Err(NoResource::NoJson(_))), "{odd:.40}");
        }
    }

    #[test]
    fn hostile_text_is_refused_before_it_takes_memory() {
        let many = format!("{{\"a\":[{}1]}}", "1,".repeat(MOST_VALUES));
        assert_eq!(
            Resource::parse("", many.as_bytes()),
            Err(NoResource::TooMany)
        );
        let deep = format!("{{\"a\":{}", "[".repeat(1000));
        assert!(matches!(
            Resource::parse("", deep.as_bytes()),
            Err(NoResource::NoJson(_))
        ));
        assert_eq!(Resource::parse("", b"[]"), Err(NoResource::NoObject));
    }

    #[test]
    fn errors_are_read_in_each_of_their_forms() {
        let extended = br#"{"error":{"code":"Base.1.0.GeneralError","message":"See.","@Message.ExtendedInfo":[
            {"MessageId":"IDRAC.2.8.RAC0218","Message":"Too many."},{"Message":"Too many."},{"Message":"Wait."}]}}"#;
        assert_eq!(saying(extended), "Too many. Wait.");
        assert!(says(extended, "RAC0218") && says(extended, "GeneralError"));
        assert_eq!(saying(br#"{"error":{"message":"Plain."}}"#), "Plain.");
        assert_eq!(saying(br#"{"data":{"description":"Old."}}"#), "Old.");
        assert_eq!(saying(b"<html>"), "");
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "[\\[\\]{}\",:0-9a-c@ \\\\]{0,200}") {
            if let Ok(resource) = Resource::parse("/x", text.as_bytes()) {
                let _ = (resource.name(), resource.text("a/b"), resource.parts("a"), resource.links("a"));
            }
            let _ = (saying(text.as_bytes()), says(text.as_bytes(), "a"));
        }

        #[test]
        fn an_excerpt_has_what_the_whole_has(text in "\\{(\"[a-c]\":(1|\"a\"|\\{\"a\":2\\}|\\[\\]),?){0,6}\\}.?") {
            let whole = Resource::parse("/x", text.as_bytes());
            let excerpt = Resource::excerpt("/x", text.as_bytes(), &["a", "c"]);
            prop_assert_eq!(whole.is_ok(), excerpt.is_ok());
            if let (Ok(whole), Ok(excerpt)) = (whole, excerpt) {
                prop_assert_eq!(whole.at("a"), excerpt.at("a"));
                prop_assert_eq!(whole.at("c"), excerpt.at("c"));
                prop_assert_eq!(excerpt.at("b"), None);
            }
        }
    }
}
