//! Passwords that installed machines are given.

use std::fmt;

/// The key under which the root password of installed machines stands.
pub const SYSTEM: &str = "system";

/// A password entry. [`SYSTEM`] is the root password of installed machines.
#[derive(Clone, PartialEq, Eq)]
pub struct Passwd {
    /// Unique.
    pub key: String,
    /// The account.
    pub username: Option<String>,
    /// In clear, or already a crypt(3) hash (`$6$…`, `$y$…`). Secret.
    pub password: Option<String>,
    /// How to hash it where it is in clear: `sha512` or `yescrypt`.
    pub crypt_method: Option<String>,
}

impl fmt::Debug for Passwd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwd")
            .field("key", &self.key)
            .field("username", &self.username)
            .field("crypt_method", &self.crypt_method)
            .finish_non_exhaustive()
    }
}
