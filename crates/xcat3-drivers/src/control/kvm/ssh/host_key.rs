//! Judging the key that a host shows, before anything is told to the host.

use std::io;

use russh::client;
use russh::keys::{HashAlg, PublicKeyOrCertificate};

use super::super::super::KvmConfig;
use super::super::failure::Failure;
use super::super::known_hosts::{self, HostKey, HostName, Verdict};
use super::system_said;

/// Judges the key that a host shows, before anything is told to the host.
pub(super) struct HostKeyCheck {
    pub(super) host: HostName,
    pub(super) config: KvmConfig,
}

impl client::Handler for HostKeyCheck {
    type Error = Failure;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Failure> {
        let shown = shown.public_key();
        let fingerprint = shown.fingerprint(HashAlg::Sha256).to_string();
        let text = shown.to_openssh().unwrap_or_default();
        let mut words = text.split(' ').map(str::to_owned);
        let (Some(kind), Some(blob)) = (words.next(), words.next()) else {
            return Err(Failure::Handshake("its host key is malformed".to_owned()));
        };
        let (host, config) = (self.host.clone(), self.config.clone());
        let judging = move || judge(&config, &host, HostKey { kind, blob }, fingerprint);
        match tokio::task::spawn_blocking(judging).await {
            Ok(judged) => judged.map(|()| true),
            Err(error) => Err(Failure::Handshake(error.to_string())),
        }
    }
}

/// Whether `key` is the host's, learning it where that is allowed.
fn judge(
    config: &KvmConfig,
    host: &HostName,
    key: HostKey,
    fingerprint: String,
) -> Result<(), Failure> {
    let file = config.known_hosts.clone();
    let verdict = known_hosts::read(&file)
        .map(|known| known_hosts::check(&known, host, &key))
        .and_then(|verdict| match verdict {
            Verdict::Unknown if config.trust_on_first_use => {
                tracing::info!(?host, kind = key.kind, fingerprint, "trusting a host key");
                match known_hosts::remember(&file, host, &key)? {
                    Verdict::Unknown => Ok(Verdict::Known),
                    other => Ok(other),
                }
            }
            other => Ok(other),
        })
        .map_err(|error| unusable(config, &error))?;
    match verdict {
        Verdict::Known => Ok(()),
        Verdict::Unknown => Err(Failure::KeyUnknown {
            file,
            key,
            fingerprint,
        }),
        Verdict::Changed { line } => Err(Failure::KeyChanged {
            file,
            line,
            fingerprint,
        }),
        Verdict::Revoked { line } => Err(Failure::KeyRevoked {
            file,
            line,
            fingerprint,
        }),
    }
}

/// The file of known keys can't be used.
pub(super) fn unusable(config: &KvmConfig, error: &io::Error) -> Failure {
    Failure::KnownHosts {
        file: config.known_hosts.clone(),
        reason: system_said(error),
    }
}
