//! Who asks a BMC: a session where it has sessions, otherwise name and password in each request.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use serde_json::json;

use super::{Client, TOKEN, ask, checked};
use crate::error::{Error, Said};
use crate::link::Reply;
use crate::resource::{self, Resource};

/// A user of a BMC and its password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// Its password. Secret.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// How requests prove who asks.
#[derive(Clone)]
pub(super) enum Proof {
    /// Not found out yet.
    Unknown,
    /// They don't: there is no login.
    None,
    /// By the token of a session.
    Session {
        token: HeaderValue,
        path: Option<String>,
    },
    /// By name and password in each of them.
    Basic(HeaderValue),
}

impl Client {
    /// Finds out how requests prove who asks.
    pub(super) async fn log_in(&mut self) -> Result<(), Error> {
        if let Some(rejected) = &self.rejected {
            return Err(rejected.clone());
        }
        if !matches!(self.proof, Proof::Unknown) {
            return Ok(());
        }
        let Some(login) = self.login.clone() else {
            self.proof = Proof::None;
            return Ok(());
        };
        let root = self.root().await?;
        let session = match root.link("Links/Sessions") {
            Some(sessions) => Some(sessions.to_owned()),
            None => root
                .link("SessionService")
                .map(|service| format!("{}/Sessions", service.trim_end_matches('/'))),
        };
        let made = match session {
            Some(sessions) => {
                let sessions = self.here(&sessions, "refers")?;
                self.open_session(&sessions, &login).await?
            }
            None => None,
        };
        self.proof = made.unwrap_or_else(|| basic(&login));
        Ok(())
    }

    /// A session for `login`; none where the BMC has no sessions.
    async fn open_session(
        &mut self,
        sessions: &str,
        login: &Login,
    ) -> Result<Option<Proof>, Error> {
        let content = json!({"UserName": login.user, "Password": login.password});
        let reply = self
            .follow(ask(Method::POST, sessions, Some(&content)))
            .await?;
        match reply.status.as_u16() {
            200..=299 => {}
            404 | 405 | 501 => return Ok(None),
            401 | 403 => return Err(self.reject(&reply)),
            // Before 2018 the registry had no status for a wrong password.
            400 if resource::says(&reply.body, "ResourceAtUriUnauthorized") => {
                return Err(self.reject(&reply));
            }
            _ if is_full(&reply) => {
                let said = Said::new(&resource::saying(&reply.body));
                return Err(Error::Busy(format!("it has no free session{said}")));
            }
            _ => return checked("POST a session", reply).map(|_| None),
        }
        let Some(mut token) = reply.headers.get(&TOKEN).cloned() else {
            return Ok(None);
        };
        token.set_sensitive(true);
        let place = reply.header("location").map(str::to_owned).or_else(|| {
            let session = Resource::parse(sessions, &reply.body).ok()?;
            session.text("@odata.id").map(str::to_owned)
        });
        // A session that can't be named can't be ended, and is as good otherwise.
        let path = place.and_then(|place| self.here(&place, "refers").ok());
        Ok(Some(Proof::Session { token, path }))
    }

    pub(crate) fn reject(&mut self, reply: &Reply) -> Error {
        let said = Said::new(&resource::saying(&reply.body));
        let sentence = match &self.login {
            None => format!("it wants a login, and there is none{said}"),
            Some(login) => {
                let said = said.without(&login.password, "********");
                format!("it does not take the user or the password{said}")
            }
        };
        let error = Error::Rejected(sentence);
        self.rejected = Some(error.clone());
        error
    }
}

/// Whether a session was refused for want of room.
fn is_full(reply: &Reply) -> bool {
    let messages = [
        "SessionLimitExceeded",
        "RAC0218",
        "SYS418",
        "MaximumSessions",
    ];
    reply.status == StatusCode::SERVICE_UNAVAILABLE
        || reply.status == StatusCode::TOO_MANY_REQUESTS
        || messages
            .iter()
            .any(|message| resource::says(&reply.body, message))
}

/// Name and password in each request.
pub(super) fn basic(login: &Login) -> Proof {
    let text = STANDARD.encode(format!("{}:{}", login.user, login.password));
    let value = HeaderValue::try_from(format!("Basic {text}"));
    let mut value = value.expect("base64 fits a header");
    value.set_sensitive(true);
    Proof::Basic(value)
}
