//! Password hashes that installed machines understand: crypt(5) of libxcrypt.

use rand::Rng;
use sha_crypt::{PasswordHasher, ShaCrypt};
use xcat3_core::Passwd;
use yescrypt::Yescrypt;

/// Bytes of salt. sha512-crypt takes at most 16 characters, which 12 bytes are.
const SALT_BYTES: usize = 12;

/// Why there is no hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// No password is set.
    #[error("passwd '{0}' has no password")]
    Missing(String),
    /// The method is not known.
    #[error("passwd '{key}' has crypt_method '{method}': use sha512 or yescrypt")]
    Method {
        /// The entry.
        key: String,
        /// Its method.
        method: String,
    },
    /// The library refused; never expected.
    #[error("passwd '{0}' can't be hashed")]
    Hash(String),
}

/// How to hash a password in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Sha512,
    Yescrypt,
}

/// The crypt(5) hash of an entry: the entry's own where it holds one already, else one with a new
/// salt. Without a `crypt_method` it is sha512, which every installer understands.
///
/// # Errors
/// There is no password, or the method is not known.
pub fn crypt(entry: &Passwd) -> Result<String, PasswordError> {
    let missing = || PasswordError::Missing(entry.key.clone());
    let password = entry
        .password
        .as_deref()
        .filter(|p| !p.is_empty())
        .ok_or_else(missing)?;
    if is_hash(password) {
        return Ok(password.to_owned());
    }
    let mut salt = [0u8; SALT_BYTES];
    rand::rng().fill_bytes(&mut salt);
    let hash = match method(entry)? {
        Method::Sha512 => ShaCrypt::SHA512.hash_password_with_salt(password.as_bytes(), &salt),
        Method::Yescrypt => Yescrypt::default().hash_password_with_salt(password.as_bytes(), &salt),
    };
    hash.map(|hash| hash.as_str().to_owned())
        .map_err(|_| PasswordError::Hash(entry.key.clone()))
}

/// Whether a text is a crypt(5) hash already: `$id$…`, with nothing that an answer file would split.
#[must_use]
pub fn is_hash(text: &str) -> bool {
    let mut fields = text.split('$');
    let id = (fields.next(), fields.next());
    matches!(
        id,
        (
            Some(""),
            Some("1" | "5" | "6" | "y" | "7" | "gy" | "2a" | "2b" | "2y")
        )
    ) && fields.count() >= 2
        && text.bytes().all(|b| b.is_ascii_graphic())
}

fn method(entry: &Passwd) -> Result<Method, PasswordError> {
    match entry.crypt_method.as_deref() {
        None | Some("" | "sha512") => Ok(Method::Sha512),
        Some("yescrypt") => Ok(Method::Yescrypt),
        Some(other) => Err(PasswordError::Method {
            key: entry.key.clone(),
            method: other.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn entry(password: &str, method: Option<&str>) -> Passwd {
        Passwd {
            key: "system".into(),
            username: None,
            password: Some(password.into()),
            crypt_method: method.map(Into::into),
        }
    }

    /// crypt(3) of the C library, through perl, which every Debian system has.
    fn libc_crypt(password: &str, setting: &str) -> String {
        let script = "print crypt($ARGV[0], $ARGV[1])";
        let output = Command::new("perl")
            .args(["-e", script, password, setting])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn the_c_library_agrees_with_every_hash() {
        for (method, prefix) in [
            (None, "$6$"),
            (Some("sha512"), "$6$"),
            (Some("yescrypt"), "$y$"),
        ] {
            let hash = crypt(&entry("Schlüssel 'x'", method)).unwrap();
            assert!(hash.starts_with(prefix), "{hash}");
            assert_eq!(libc_crypt("Schlüssel 'x'", &hash), hash);
            assert_ne!(libc_crypt("other", &hash), hash);
        }
    }

    #[test]
    fn two_hashes_of_a_password_differ_and_a_hash_is_kept() {
        let clear = entry("x", None);
        assert_ne!(crypt(&clear).unwrap(), crypt(&clear).unwrap());
        let hash = "$6$saltsalt$abcdefghijklmnop";
        assert_eq!(crypt(&entry(hash, None)).unwrap(), hash);
        assert!(!is_hash("$6$only"));
        assert!(!is_hash("$6$salt$hash with space"));
    }

    #[test]
    fn an_unknown_method_is_named() {
        let error = crypt(&entry("x", Some("md5"))).unwrap_err().to_string();
        assert!(error.contains("'md5'"), "{error}");
    }
}
