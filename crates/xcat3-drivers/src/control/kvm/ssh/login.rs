//! Logging in (RFC 4252, and RFC 4256 for servers that ask for passwords interactively).

use std::sync::Arc;

use russh::MethodKind;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg};

use super::super::endpoint::{Credential, Endpoint};
use super::super::failure::Failure;
use super::super::key_file;
use super::host_key::HostKeyCheck;

/// A credential ready for use.
pub(super) enum Proof {
    Key(Arc<PrivateKey>),
    Password(String),
}

impl Proof {
    pub(super) async fn of(credential: &Credential) -> Result<Self, Failure> {
        let text = match credential {
            Credential::Password(password) => return Ok(Self::Password(password.clone())),
            Credential::Key(text) => text.clone(),
            Credential::KeyFile(path) => key_file::read(path).await?,
        };
        let key = russh::keys::decode_secret_key(&text, None).map_err(|error| {
            let encrypted =
                matches!(error, russh::keys::Error::KeyIsEncrypted) || text.contains("ENCRYPTED");
            Failure::Credential(key_file::unusable(credential, encrypted))
        })?;
        Ok(Self::Key(Arc::new(key)))
    }
}

/// Logs in with the first of `proofs` that is accepted.
pub(super) async fn log_in(
    handle: &mut Handle<HostKeyCheck>,
    endpoint: &Endpoint,
    proofs: &[Proof],
) -> Result<(), Failure> {
    for proof in proofs {
        let user = endpoint.user.as_str();
        let accepted = match proof {
            Proof::Key(key) => with_key(handle, user, key).await,
            Proof::Password(password) => with_password(handle, user, password).await,
        };
        match accepted {
            Ok(true) => return Ok(()),
            Ok(false) if !handle.is_closed() => {}
            Ok(false) | Err(_) => return Err(Failure::Lost),
        }
    }
    let credentials: Vec<String> = endpoint
        .credentials
        .iter()
        .map(ToString::to_string)
        .collect();
    Err(Failure::Denied {
        user: endpoint.user.clone(),
        credentials: credentials.join(" or "),
    })
}

async fn with_key(
    handle: &mut Handle<HostKeyCheck>,
    user: &str,
    key: &Arc<PrivateKey>,
) -> Result<bool, russh::Error> {
    let hash = match key.algorithm() {
        Algorithm::Rsa { .. } => handle
            .best_supported_rsa_hash()
            .await?
            .flatten()
            .or(Some(HashAlg::Sha256)),
        _ => None,
    };
    let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
    Ok(handle.authenticate_publickey(user, key).await?.success())
}

/// Tries the method `password` and, where the server wants that instead, answers the one question
/// that `keyboard-interactive` asks.
async fn with_password(
    handle: &mut Handle<HostKeyCheck>,
    user: &str,
    password: &str,
) -> Result<bool, russh::Error> {
    match handle.authenticate_password(user, password).await? {
        AuthResult::Success => return Ok(true),
        AuthResult::Failure {
            remaining_methods, ..
        } => {
            if !remaining_methods.contains(&MethodKind::KeyboardInteractive) {
                return Ok(false);
            }
        }
    }
    let mut reply = handle
        .authenticate_keyboard_interactive_start(user, None)
        .await?;
    let mut asked = false;
    loop {
        let answers = match reply {
            KeyboardInteractiveAuthResponse::Success => return Ok(true),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => match &prompts[..] {
                [] => Vec::new(),
                [prompt] if !prompt.echo && !asked => {
                    asked = true;
                    vec![password.to_owned()]
                }
                _ => return Ok(false),
            },
        };
        reply = handle
            .authenticate_keyboard_interactive_respond(answers)
            .await?;
    }
}
