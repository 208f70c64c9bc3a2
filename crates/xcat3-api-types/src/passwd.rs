//! Password entries on the wire.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use xcat3_core::Passwd;
use xcat3_core::name::check_object_name;
use xcat3_core::secret::REDACTED;

use crate::Secrets;
use crate::reader::Reader;
use crate::selection::Fields;

/// The fields of a password entry.
pub const FIELDS: Fields = Fields {
    what: "a passwd",
    known: &["key", "username", "password", "crypt_method"],
    always: "key",
    aliases: &[],
};

/// How a password may be hashed for installed machines.
pub const CRYPT_METHODS: [&str; 2] = ["sha512", "yescrypt"];

/// A password entry, as it is sent and answered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Value", deny_unknown_fields)]
pub struct PasswdBody {
    /// Unique. `system` is the root password of installed machines.
    #[schema(examples("system"))]
    pub key: String,
    /// The account.
    #[schema(examples("root"))]
    pub username: Option<String>,
    /// In clear, or already a crypt(3) hash. Answered as a mask.
    pub password: Option<String>,
    /// How to hash it where it is in clear: `sha512` or `yescrypt`.
    #[schema(examples("sha512"))]
    pub crypt_method: Option<String>,
}

impl fmt::Debug for PasswdBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswdBody")
            .field("key", &self.key)
            .field("username", &self.username)
            .field("crypt_method", &self.crypt_method)
            .finish_non_exhaustive()
    }
}

impl TryFrom<Value> for PasswdBody {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let mut reader = Reader::of("a passwd", value)?;
        let body = Self {
            key: reader.needed("key")?,
            username: reader.text("username")?,
            password: reader.text("password")?,
            crypt_method: reader.word("crypt_method", &CRYPT_METHODS)?,
        };
        reader.end()?;
        Ok(body)
    }
}

impl PasswdBody {
    /// The entry that this declares. A mask in the place of the password stands for none.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn into_passwd(self) -> Result<Passwd, String> {
        check_object_name(&self.key).map_err(|error| error.to_string())?;
        Ok(Passwd {
            key: self.key,
            username: self.username,
            password: self.password.filter(|password| password != REDACTED),
            crypt_method: self.crypt_method,
        })
    }

    /// The entry that this declares in the place of `old`. A mask in the place of the password stands
    /// for the one that it had.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn replacing(self, old: &Passwd) -> Result<Passwd, String> {
        let masked = self.password.as_deref() == Some(REDACTED);
        let mut new = self.into_passwd()?;
        if masked {
            new.password.clone_from(&old.password);
        }
        Ok(new)
    }

    /// What is told of an entry.
    #[must_use]
    pub fn of(passwd: &Passwd, secrets: Secrets) -> Self {
        let shown = |password: &String| match secrets {
            Secrets::Masked => REDACTED.to_owned(),
            Secrets::InClear => password.clone(),
        };
        Self {
            key: passwd.key.clone(),
            username: passwd.username.clone(),
            password: passwd.password.as_ref().map(shown),
            crypt_method: passwd.crypt_method.clone(),
        }
    }

    /// The document of an entry.
    #[must_use]
    pub fn document(self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("key".into(), self.key.into());
        document.insert("username".into(), self.username.into());
        document.insert("password".into(), self.password.into());
        document.insert("crypt_method".into(), self.crypt_method.into());
        document
    }
}

/// The answer of `GET /passwds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswdList {
    /// By key.
    pub passwds: Vec<PasswdKey>,
}

/// An entry in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswdKey {
    /// Its key.
    pub key: String,
}

/// The answer of `POST /passwds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswdOutcome {
    /// `ok` under the entry's key.
    pub passwd: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_password_is_masked_everywhere() {
        let body = json!({"key": "system", "username": "root", "password": "cluster"});
        let body = PasswdBody::try_from(body).unwrap();
        assert!(!format!("{body:?}").contains("cluster"));
        let passwd = body.into_passwd().unwrap();
        let shown = Value::Object(PasswdBody::of(&passwd, Secrets::Masked).document());
        assert_eq!(
            shown,
            json!({"key": "system", "username": "root", "password": REDACTED, "crypt_method": null})
        );
    }

    #[test]
    fn a_method_that_nobody_hashes_with_is_named() {
        let body = json!({"key": "system", "crypt_method": "rot13"});
        let error = PasswdBody::try_from(body).unwrap_err();
        assert!(
            error.contains("rot13") && error.contains("sha512, yescrypt"),
            "{error}"
        );
    }
}
