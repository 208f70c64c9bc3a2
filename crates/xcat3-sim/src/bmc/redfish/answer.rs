//! What the resources answer with: a status, headers and a JSON document, and the extended error
//! messages of DSP0266 section 8.6.

use serde_json::{Value, json};

/// The media type of documents.
pub(crate) const JSON: &str = "application/json; charset=utf-8";

/// An answer before it is put on the wire.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond those that every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// The document; null for none.
    pub body: Value,
    /// Instead of the document: a media type and a text of it.
    pub text: Option<(&'static str, String)>,
}

impl Answer {
    /// 200 with a document.
    #[must_use]
    pub const fn document(body: Value) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body,
            text: None,
        }
    }

    /// A status without a document.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Value::Null,
            text: None,
        }
    }

    /// 200 with a text that is no JSON.
    #[must_use]
    pub fn text(kind: &'static str, text: &str) -> Self {
        Self {
            text: Some((kind, text.to_owned())),
            ..Self::empty(200)
        }
    }

    /// An error with one extended message out of the Base registry.
    #[must_use]
    pub fn error(status: u16, id: &str, message: &str) -> Self {
        let message_id = format!("Base.1.8.{id}");
        let body = json!({"error": {
            "code": message_id,
            "message": message,
            "@Message.ExtendedInfo": [{
                "@odata.type": "#Message.v1_1_1.Message",
                "MessageId": message_id,
                "Message": message,
                "Severity": "Critical",
                "Resolution": "None.",
            }],
        }});
        Self {
            status,
            headers: Vec::new(),
            body,
            text: None,
        }
    }

    /// There is no such resource.
    #[must_use]
    pub fn not_found(path: &str) -> Self {
        let message = format!("The resource at the URI {path} was not found.");
        Self::error(404, "ResourceMissingAtURI", &message)
    }

    /// The resource does not know the method; `allow` are those that it knows.
    #[must_use]
    pub fn not_allowed(allow: &str) -> Self {
        let message = "The HTTP method is not allowed on this resource.";
        let answer = Self::error(405, "OperationNotAllowed", message);
        answer.with("Allow", allow.to_owned())
    }

    /// A property has a value that it can't have.
    #[must_use]
    pub fn bad_value(property: &str, value: &Value) -> Self {
        let message = format!(
            "The value '{}' for the property {property} is not in the list of acceptable values.",
            words(value)
        );
        Self::error(400, "PropertyValueNotInList", &message)
    }

    /// A property is not there, or can't be set.
    #[must_use]
    pub fn unknown_property(property: &str) -> Self {
        let message = format!("The property {property} is not in the list of valid properties.");
        Self::error(400, "PropertyUnknown", &message)
    }

    /// A property or parameter is missing.
    #[must_use]
    pub fn missing(property: &str) -> Self {
        let message = format!("The property {property} is required and must be in the request.");
        Self::error(400, "PropertyMissing", &message)
    }

    /// It can't be done now.
    #[must_use]
    pub fn conflict(message: &str) -> Self {
        Self::error(409, "ResourceInUse", message)
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Whether it says that all went well.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status < 300
    }
}

/// A value as it stands in a sentence, cut where it is long.
fn words(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(100).collect()
}
