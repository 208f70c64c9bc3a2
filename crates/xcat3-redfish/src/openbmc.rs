//! The REST that OpenBMC had before Redfish (phosphor-rest-server): objects of D-Bus as paths below
//! `/xyz/openbmc_project`, their properties as `attr`, everything below a path by `enumerate`.
//!
//! Only what is worth having where there is nothing better: power, boot device, identify light,
//! sensors, inventory, event log. There are no BIOS attributes and no virtual media.

mod operations;
mod reports;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use bytes::Bytes;
use hyper::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Gate, Login};
use crate::connector::{Address, Connector};
use crate::error::{Error, Said};
use crate::link::{Ask, Link, Patience, Reply};
use crate::resource::{self, Resource};

/// Where all objects are.
const ROOT: &str = "/xyz/openbmc_project";
/// What the reply to a login may have instead of a cookie.
const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// A BMC with OpenBMC's older REST. Connection and session are kept, and made anew where they have
/// ended.
pub struct Rest {
    link: Link,
    login: Login,
    /// The header that proves who asks.
    proof: Option<(HeaderName, HeaderValue)>,
    rejected: Option<Error>,
    gate: Option<Gate>,
    has_acted: bool,
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = self.link.address();
        f.debug_struct("Rest")
            .field("address", address)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

impl Rest {
    /// The BMC at `address`. Nothing is asked yet.
    #[must_use]
    pub fn new(
        connector: Arc<Connector>,
        address: Address,
        login: Login,
        patience: Patience,
    ) -> Self {
        Self {
            link: Link::new(connector, address, patience),
            login,
            proof: None,
            rejected: None,
            gate: None,
            has_acted: false,
        }
    }

    /// From now on nothing is changed where `gate` says no.
    pub fn guard(&mut self, gate: Option<Gate>) {
        self.gate = gate;
        self.has_acted = false;
    }

    /// Whether anything was asked since then that changes something.
    #[must_use]
    pub fn has_acted(&self) -> bool {
        self.has_acted
    }

    /// Counts the answers of the BMC.
    #[must_use]
    pub fn answers(&self) -> Arc<AtomicU32> {
        self.link.answers()
    }

    /// Connects and logs in, which otherwise happens when something is first asked.
    ///
    /// # Errors
    /// There is no such service, it can't be reached or does not take the login.
    pub async fn open(&mut self) -> Result<(), Error> {
        if let Some(rejected) = &self.rejected {
            return Err(rejected.clone());
        }
        if self.proof.is_some() {
            return Ok(());
        }
        let content = json!({"data": [self.login.user, self.login.password]});
        let reply = self.once(&Method::POST, "/login", Some(&content)).await?;
        let said = || {
            let said = Said::new(&resource::saying(&reply.body));
            said.without(&self.login.password, "********")
        };
        match reply.status.as_u16() {
            200..=299 => {}
            401 | 403 => {
                let sentence = format!("it does not take the user or the password{}", said());
                let error = Error::Rejected(sentence);
                self.rejected = Some(error.clone());
                return Err(error);
            }
            404 | 405 | 410 => {
                let none = "it has neither Redfish nor OpenBMC's REST";
                return Err(Error::Missing(none.to_owned()));
            }
            429 | 503 => return Err(Error::Busy(format!("it has no free session{}", said()))),
            _ => return checked("POST /login", reply).map(drop),
        }
        self.proof = Some(proof(&reply)?);
        Ok(())
    }

    /// Ends the session and closes the connection. What goes wrong then is nobody's loss.
    pub async fn close(&mut self) {
        if self.proof.is_some() {
            let content = json!({"data": []});
            let _ = self.once(&Method::POST, "/logout", Some(&content)).await;
        }
        self.proof = None;
        self.link.close();
    }

    /// What is at `place` below the root: the `data` of the answer.
    async fn get(&mut self, place: &str) -> Result<Resource, Error> {
        let path = format!("{ROOT}{place}");
        let reply = self.request(&Method::GET, &path, None).await?;
        let answer = Resource::parse(&path, &reply.body)
            .map_err(|error| Error::Nonsense(format!("what it says at {path} {error}")))?;
        let data = answer.at("data").cloned();
        Ok(Resource::part(data.unwrap_or(Value::Null)).placed(&path))
    }

    /// Sets the property `name` of the object at `place`.
    async fn set(&mut self, place: &str, name: &str, value: &Value) -> Result<(), Error> {
        self.begin_change().await?;
        let path = format!("{ROOT}{place}/attr/{name}");
        let content = json!({ "data": value });
        let reply = self.request(&Method::PUT, &path, Some(&content)).await;
        reply.map(drop)
    }

    /// Calls the method `name` of the object at `place`.
    async fn call(&mut self, place: &str, name: &str) -> Result<(), Error> {
        self.begin_change().await?;
        let path = format!("{ROOT}{place}/action/{name}");
        let content = json!({"data": []});
        let reply = self.request(&Method::POST, &path, Some(&content)).await;
        reply.map(drop)
    }

    async fn begin_change(&mut self) -> Result<(), Error> {
        if let Some(gate) = &self.gate
            && !gate().await
        {
            return Err(Error::Stopped);
        }
        self.has_acted = true;
        Ok(())
    }

    /// Asks with proof of who asks; where the session has ended in a new one, once.
    async fn request(
        &mut self,
        method: &Method,
        path: &str,
        content: Option<&Value>,
    ) -> Result<Reply, Error> {
        self.open().await?;
        let what = format!("{method} {path}");
        let reply = self.once(method, path, content).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            return checked(&what, reply);
        }
        self.proof = None;
        self.open().await?;
        checked(&what, self.once(method, path, content).await?)
    }

    async fn once(
        &mut self,
        method: &Method,
        path: &str,
        content: Option<&Value>,
    ) -> Result<Reply, Error> {
        let mut ask = Ask {
            method: method.clone(),
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: content.map(|content| Bytes::from(content.to_string())),
        };
        if let Some((name, value)) = &self.proof {
            ask.headers.insert(name.clone(), value.clone());
        }
        self.link.exchange(&ask).await
    }
}

/// The cookie or token of the session that was opened.
fn proof(reply: &Reply) -> Result<(HeaderName, HeaderValue), Error> {
    let none = || Error::Nonsense("it opened a session and does not say which".to_owned());
    if let Some(token) = reply.headers.get(&TOKEN) {
        let mut token = token.clone();
        token.set_sensitive(true);
        return Ok((TOKEN, token));
    }
    let cookies = reply.headers.get_all("set-cookie").iter();
    let pairs = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let pairs: Vec<&str> = pairs.map(str::trim).collect();
    let cookie = HeaderValue::from_str(&pairs.join("; ")).map_err(|_| none())?;
    if cookie.is_empty() {
        return Err(none());
    }
    let mut cookie = cookie;
    cookie.set_sensitive(true);
    Ok((COOKIE, cookie))
}

/// `reply` where it is a success.
fn checked(what: &str, reply: Reply) -> Result<Reply, Error> {
    let status = reply.status.as_u16();
    let said = Said::new(&resource::saying(&reply.body));
    match status {
        200..=299 => Ok(reply),
        429 | 503 => Err(Error::Busy(format!("it is busy ({what}: {status}{said})"))),
        _ => Err(Error::Refused {
            what: what.to_owned(),
            status,
            said,
        }),
    }
}
