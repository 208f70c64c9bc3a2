//! Authentication with a BMC: a session if the BMC has sessions, otherwise name and password in each
//! request.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use serde_json::json;

use super::{Client, TOKEN, require_success};
use crate::error::{BmcMessage, Error};
use crate::http::{Request, Response};
use crate::resource::{self, Resource};

/// Shown instead of a password that a BMC repeats.
pub(crate) const MASK: &str = "********";

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

/// How requests are authenticated.
#[derive(Clone)]
pub(super) enum Authentication {
    /// Not known yet.
    Pending,
    /// Not at all: there is no login.
    Anonymous,
    /// By the token of a session.
    Session {
        token: HeaderValue,
        path: Option<String>,
    },
    /// By name and password in each request.
    Basic(HeaderValue),
}

impl Client {
    /// Authenticates, unless that has happened already.
    pub(super) async fn log_in(&mut self) -> Result<(), Error> {
        if let Some(rejected) = &self.rejected {
            return Err(rejected.clone());
        }
        if !matches!(self.authentication, Authentication::Pending) {
            return Ok(());
        }
        let Some(login) = self.login.clone() else {
            self.authentication = Authentication::Anonymous;
            return Ok(());
        };
        let root = self.root().await?;
        let sessions = match root.link("Links/Sessions") {
            Some(sessions) => Some(sessions.to_owned()),
            None => root
                .link("SessionService")
                .map(|service| format!("{}/Sessions", service.trim_end_matches('/'))),
        };
        let session = match sessions {
            Some(sessions) => {
                let sessions = self.local_path(&sessions)?;
                self.open_session(&sessions, &login).await?
            }
            None => None,
        };
        self.authentication = session.unwrap_or_else(|| basic(&login));
        Ok(())
    }

    /// A new session of `login`; none if the BMC has no sessions.
    async fn open_session(
        &mut self,
        sessions: &str,
        login: &Login,
    ) -> Result<Option<Authentication>, Error> {
        let content = json!({"UserName": login.user, "Password": login.password});
        let request = Request::new(Method::POST, sessions, Some(&content));
        let response = self.follow(request).await?;
        match response.status.as_u16() {
            200..=299 => {}
            404 | 405 | 501 => return Ok(None),
            401 | 403 => return Err(self.reject(&response)),
            // Before 2018 the message registry had no status for a wrong password.
            400 if resource::has_message(&response.body, "ResourceAtUriUnauthorized") => {
                return Err(self.reject(&response));
            }
            _ if is_full(&response) => {
                let message = BmcMessage::new(&resource::error_message(&response.body));
                return Err(Error::Busy(format!("the BMC has no free session{message}")));
            }
            _ => return require_success("POST a session", response).map(|_| None),
        }
        let Some(mut token) = response.headers.get(&TOKEN).cloned() else {
            return Ok(None);
        };
        token.set_sensitive(true);
        let location = response.header("location").map(str::to_owned).or_else(|| {
            let session = Resource::parse(sessions, &response.body).ok()?;
            session.text("@odata.id").map(str::to_owned)
        });
        // A session without a path works, but cannot be ended.
        let path = location.and_then(|location| self.local_path(&location).ok());
        Ok(Some(Authentication::Session { token, path }))
    }

    /// Records that the BMC rejected the login.
    pub(crate) fn reject(&mut self, response: &Response) -> Error {
        let message = BmcMessage::new(&resource::error_message(&response.body));
        let error = match &self.login {
            None => Error::Rejected(format!("the BMC wants a login, and there is none{message}")),
            Some(login) => login.rejected(message),
        };
        self.rejected = Some(error.clone());
        error
    }
}

impl Login {
    /// The error of a BMC that rejects this login with `message`.
    pub(crate) fn rejected(&self, message: BmcMessage) -> Error {
        let message = message.without(&self.password, MASK);
        Error::Rejected(format!("the BMC rejects the user or the password{message}"))
    }
}

/// Whether a session was refused because all are in use.
fn is_full(response: &Response) -> bool {
    let messages = [
        "SessionLimitExceeded",
        "RAC0218",
        "SYS418",
        "MaximumSessions",
    ];
    response.status == StatusCode::SERVICE_UNAVAILABLE
        || response.status == StatusCode::TOO_MANY_REQUESTS
        || messages
            .iter()
            .any(|message| resource::has_message(&response.body, message))
}

/// Name and password in each request.
pub(super) fn basic(login: &Login) -> Authentication {
    let text = STANDARD.encode(format!("{}:{}", login.user, login.password));
    let value = HeaderValue::try_from(format!("Basic {text}"));
    let mut value = value.expect("base64 fits a header");
    value.set_sensitive(true);
    Authentication::Basic(value)
}
