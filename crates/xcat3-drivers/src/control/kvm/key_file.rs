//! Private keys in files on the conductor's host. What is in them is left to the ssh library.

use std::path::Path;

use tokio::io::AsyncReadExt;

use super::endpoint::Credential;
use super::failure::Failure;
use super::ssh::system_said;

/// No private key is longer.
const MAX_SIZE: u64 = 64 << 10;

/// The text of the key file at `path`.
///
/// # Errors
/// A sentence that names the file and says what is wrong; nothing of its content.
pub async fn read(path: &Path) -> Result<String, Failure> {
    let wrong =
        |reason: &str| Failure::Credential(format!("the key file {} {reason}", path.display()));
    let cannot = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => wrong("does not exist on the conductor's host"),
        std::io::ErrorKind::PermissionDenied => wrong("may not be read by the conductor"),
        _ => wrong(&format!("cannot be read: {}", system_said(error))),
    };
    // Opening a pipe would wait for its writer.
    let metadata = tokio::fs::metadata(path)
        .await
        .map_err(|error| cannot(&error))?;
    if !metadata.is_file() {
        return Err(wrong("is not a regular file"));
    }
    let file = tokio::fs::File::open(path)
        .await
        .map_err(|error| cannot(&error))?;
    let mut text = Vec::new();
    file.take(MAX_SIZE)
        .read_to_end(&mut text)
        .await
        .map_err(|error| cannot(&error))?;
    String::from_utf8(text).map_err(|_| wrong("is not a private key in OpenSSH or PEM format"))
}

/// The sentence for a credential that holds no key which can be used.
#[must_use]
pub fn unusable(credential: &Credential, encrypted: bool) -> String {
    if encrypted {
        format!("{credential} is encrypted: give one without a passphrase")
    } else {
        format!("{credential} is not a private key in OpenSSH or PEM format")
    }
}
