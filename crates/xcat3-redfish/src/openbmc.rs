//! The REST API that OpenBMC had before Redfish (phosphor-rest-server): objects of D-Bus as paths below
//! `/xyz/openbmc_project`, their properties as `attr`, everything below a path by `enumerate`.
//!
//! Covers power, boot device, identify light, sensors, inventory and event log. BIOS attributes and
//! virtual media are not worth having here.

mod operations;
mod reports;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use hyper::header::{COOKIE, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Login, MASK, TOKEN, require_success};
use crate::connector::{Address, Connector};
use crate::error::{BmcMessage, Error};
use crate::http::{Gate, HttpConnection, Request, Response, Timeouts};
use crate::resource::{self, Resource};

/// The path of all objects.
const ROOT: &str = "/xyz/openbmc_project";

/// A BMC with OpenBMC's older REST API. Connection and session are kept between operations and
/// replaced when they have ended.
pub struct Rest {
    http: HttpConnection,
    login: Login,
    /// The header that authenticates requests.
    session: Option<(HeaderName, HeaderValue)>,
    rejected: Option<Error>,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.http.address();
        f.debug_struct("Rest")
            .field("address", address)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

impl Rest {
    /// A client of the BMC at `address`.
    #[must_use]
    pub fn new(
        connector: Arc<Connector>,
        address: Address,
        login: Login,
        timeouts: Timeouts,
    ) -> Self {
        Self {
            http: HttpConnection::new(connector, address, timeouts),
            login,
            session: None,
            rejected: None,
        }
    }

    /// Sets the gate of the next operation. While it is closed no change is sent.
    pub fn set_gate(&mut self, gate: Option<Gate>) {
        self.http.set_gate(gate);
    }

    /// Whether a change was sent since the gate was set.
    #[must_use]
    pub fn has_sent_change(&self) -> bool {
        self.http.has_sent_change()
    }

    /// Counts the responses of the BMC.
    #[must_use]
    pub fn response_counter(&self) -> Arc<AtomicU32> {
        self.http.response_counter()
    }

    /// Connects and logs in, which the first operation does otherwise.
    ///
    /// # Errors
    /// The BMC is unreachable, has no such API or rejects the login.
    pub async fn open(&mut self) -> Result<(), Error> {
        if let Some(rejected) = &self.rejected {
            return Err(rejected.clone());
        }
        if self.session.is_some() {
            return Ok(());
        }
        let content = json!({"data": [self.login.user, self.login.password]});
        let response = self
            .send_once(&Method::POST, "/login", Some(&content))
            .await?;
        let message = BmcMessage::new(&resource::error_message(&response.body));
        match response.status.as_u16() {
            200..=299 => {}
            401 | 403 => {
                let error = self.login.rejected(message);
                self.rejected = Some(error.clone());
                return Err(error);
            }
            404 | 405 | 410 => {
                let none = "the BMC has neither Redfish nor OpenBMC's REST API";
                return Err(Error::Missing(none.to_owned()));
            }
            429 | 503 => {
                let message = message.without(&self.login.password, MASK);
                return Err(Error::Busy(format!("the BMC has no free session{message}")));
            }
            _ => return require_success("POST /login", response).map(drop),
        }
        self.session = Some(session_header(&response)?);
        Ok(())
    }

    /// Ends the session and closes the connection. Ignores errors: sessions end by themselves too.
    pub async fn close(&mut self) {
        if self.session.is_some() {
            let content = json!({"data": []});
            let _ = self
                .send_once(&Method::POST, "/logout", Some(&content))
                .await;
        }
        self.session = None;
        self.http.close();
    }

    /// The `data` in the response for the object at `object`, a path below the root.
    async fn get(&mut self, object: &str) -> Result<Resource, Error> {
        let path = format!("{ROOT}{object}");
        let response = self.send(&Method::GET, &path, None).await?;
        let content = Resource::parse(&path, &response.body)
            .map_err(|error| Error::InvalidResponse(format!("the object {path} {error}")))?;
        let data = content.value_at("data").cloned();
        Ok(Resource::from_value(data.unwrap_or(Value::Null)).with_path(&path))
    }

    /// Sets the property `name` of the object at `object`.
    async fn set(&mut self, object: &str, name: &str, value: &Value) -> Result<(), Error> {
        self.http.begin_change().await?;
        let path = format!("{ROOT}{object}/attr/{name}");
        let content = json!({ "data": value });
        let response = self.send(&Method::PUT, &path, Some(&content)).await;
        response.map(drop)
    }

    /// Calls the method `name` of the object at `object`.
    async fn call(&mut self, object: &str, name: &str) -> Result<(), Error> {
        self.http.begin_change().await?;
        let path = format!("{ROOT}{object}/action/{name}");
        let content = json!({"data": []});
        let response = self.send(&Method::POST, &path, Some(&content)).await;
        response.map(drop)
    }

    /// Sends an authenticated request. Opens a new session, once, if the present one has ended.
    async fn send(
        &mut self,
        method: &Method,
        path: &str,
        content: Option<&Value>,
    ) -> Result<Response, Error> {
        self.open().await?;
        let request = format!("{method} {path}");
        let response = self.send_once(method, path, content).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return require_success(&request, response);
        }
        self.session = None;
        self.open().await?;
        require_success(&request, self.send_once(method, path, content).await?)
    }

    async fn send_once(
        &mut self,
        method: &Method,
        path: &str,
        content: Option<&Value>,
    ) -> Result<Response, Error> {
        let mut request = Request::new(method.clone(), path, content);
        if let Some((name, value)) = &self.session {
            request.headers.insert(name.clone(), value.clone());
        }
        self.http.exchange(&request).await
    }
}

/// The token or the cookies of the session that `response` opens.
fn session_header(response: &Response) -> Result<(HeaderName, HeaderValue), Error> {
    let none = || {
        let sentence = "the BMC opened a session without a token or a cookie";
        Error::InvalidResponse(sentence.to_owned())
    };
    if let Some(token) = response.headers.get(&TOKEN) {
        let mut token = token.clone();
        token.set_sensitive(true);
        return Ok((TOKEN, token));
    }
    let cookies = response.headers.get_all("set-cookie").iter();
    let pairs = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let pairs: Vec<&str> = pairs.map(str::trim).collect();
    let mut cookie = HeaderValue::from_str(&pairs.join("; ")).map_err(|_| none())?;
    if cookie.is_empty() {
        return Err(none());
    }
    cookie.set_sensitive(true);
    Ok((COOKIE, cookie))
}
