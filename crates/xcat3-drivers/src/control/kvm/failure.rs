//! Why a hypervisor can't be driven, in the words that its nodes are told.

use std::path::PathBuf;
use std::time::Duration;

use super::known_hosts::HostKey;

/// Why nothing can be done on a hypervisor (or no more than was). Shown after the name of the
/// hypervisor. Contains no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing listens on its ssh port.
    #[error("connection refused")]
    Refused,
    /// No answer to the attempt to connect.
    #[error("no connection within {} s", .0.as_secs_f32())]
    Unreachable(Duration),
    /// The system says why it can't connect: no route, unknown host name, …
    #[error("cannot connect: {0}")]
    Connect(String),
    /// Connected, but the ssh handshake did not come to its end.
    #[error("it accepts connections but did not complete the ssh handshake within {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// The handshake went wrong.
    #[error("the ssh handshake failed: {0}")]
    Handshake(String),
    /// Its key differs from the one that is known.
    #[error(
        "HOST KEY CHANGED: it shows {fingerprint}, {} has another key for it in line {line}; either \
         somebody is in between or the host was reinstalled, in which case remove that line",
        file.display()
    )]
    KeyChanged {
        /// Where keys are kept.
        file: PathBuf,
        /// The line of the key that was expected.
        line: usize,
        /// Of the key that it shows.
        fingerprint: String,
    },
    /// Its key is one that was revoked.
    #[error("its host key {fingerprint} is revoked by line {line} of {}", file.display())]
    KeyRevoked {
        /// Where keys are kept.
        file: PathBuf,
        /// The line that says so.
        line: usize,
        /// Of the key that it shows.
        fingerprint: String,
    },
    /// It is not known and keys are not trusted on first use.
    #[error(
        "its host key is not known and trust on first use is off: check that it is {fingerprint} and \
         add '{} {}' for this host to {}", key.kind, key.blob, file.display()
    )]
    KeyUnknown {
        /// Where keys are kept.
        file: PathBuf,
        /// The key that it shows.
        key: HostKey,
        /// Its fingerprint.
        fingerprint: String,
    },
    /// The file of known keys can't be used.
    #[error("its host key cannot be checked: {}: {reason}", file.display())]
    KnownHosts {
        /// Where keys are kept.
        file: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A credential can't be used.
    #[error("{0}")]
    Credential(String),
    /// The hypervisor does not accept any of the credentials.
    #[error("permission denied: it does not let {user} in with {credentials}")]
    Denied {
        /// Who.
        user: String,
        /// With what; no secret.
        credentials: String,
    },
    /// Logging in took too long.
    #[error("no answer to the login within {} s", .0.as_secs_f32())]
    LoginSilent(Duration),
    /// It once answered on this connection, and does not any more.
    #[error("no answer on the ssh connection within {} s", .0.as_secs_f32())]
    Dead(Duration),
    /// The connection ended.
    #[error("the ssh connection was lost")]
    Lost,
    /// It does not run commands for us.
    #[error("it refused to run a command: {0}")]
    NoCommand(String),
    /// A command said nothing for too long.
    #[error("no answer from virsh within {} s", .0.as_secs_f32())]
    CommandSilent(Duration),
    /// A command said too much.
    #[error("virsh printed more than {0} MiB")]
    TooMuch(usize),
    /// `virsh` is not there.
    #[error("virsh is not installed there (or not in the PATH of {0})")]
    VirshMissing(String),
    /// libvirt's socket does not answer.
    #[error("libvirtd does not run there: {0}")]
    LibvirtDown(String),
    /// libvirt's socket is not for this user.
    #[error("{user} may not use libvirt there: {said}")]
    LibvirtDenied {
        /// Who.
        user: String,
        /// What virsh said.
        said: String,
    },
    /// Something else was printed than expected.
    #[error("virsh failed: {0}")]
    Virsh(String),
}

/// What a remote program printed, fit for a sentence: the last lines, on one line, at most 300
/// characters, and without `error: ` at the beginning.
#[must_use]
pub fn said(output: &str) -> String {
    let lines = output
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let words: Vec<String> = lines
        .map(|line| line.strip_prefix("error: ").unwrap_or(line))
        .map(|line| line.chars().filter(|c| !c.is_control()).collect())
        .collect();
    let text = words.join("; ");
    match text.char_indices().rev().nth(299) {
        Some((start, _)) if start > 0 => format!("…{}", &text[start..]),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_becomes_one_short_line() {
        assert_eq!(
            said("error: Failed to start domain 'a'\n\nerror: no\x1b[31m space\n"),
            "Failed to start domain 'a'; no[31m space"
        );
        assert_eq!(said(&"é".repeat(301)), format!("…{}", "é".repeat(300)));
        assert_eq!(said(&"é".repeat(300)), "é".repeat(300));
        assert_eq!(said(""), "");
    }
}
