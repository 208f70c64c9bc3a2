//! One BMC as a Redfish service: authentication, redirects, conditional changes and refusals. Which
//! resources there are and what they mean is the business of the other modules.

mod login;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue, IF_MATCH};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::connector::{Address, Connector};
use crate::error::{BmcMessage, Error, sanitize};
use crate::http::{Gate, HttpConnection, Request, Response, Timeouts};
use crate::path::{self, BadReference};
use crate::resource::{self, Resource};
use crate::system_state::SystemPaths;
use crate::systems::SystemCache;
pub use login::Login;
pub(crate) use login::MASK;
use login::{Authentication, basic};

/// The service root of every service.
pub(crate) const ROOT: &str = "/redfish/v1/";
/// Redirects that are followed for one request.
const MAX_REDIRECTS: usize = 3;

pub(crate) const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// A BMC. The first operation connects. Connection and session are kept between operations and
/// replaced when they have ended.
pub struct Client {
    http: HttpConnection,
    login: Option<Login>,
    authentication: Authentication,
    /// Why the BMC rejected the login, which is not tried again.
    rejected: Option<Error>,
    root: Option<Arc<Resource>>,
    /// Whether no request was sent yet.
    is_fresh: bool,
    pub(crate) system_cache: SystemCache,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.http.address();
        f.debug_struct("Client")
            .field("address", address)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

/// The response to a change, or to a look at the task that the change became.
#[derive(Debug)]
pub(crate) struct ChangeResponse {
    pub status: StatusCode,
    /// The resource in the body, if the body is one.
    pub resource: Option<Resource>,
    /// The `Location` header.
    pub location: Option<String>,
    /// The `Retry-After` header, in seconds.
    pub retry_after: Option<u64>,
}

impl Client {
    /// A client of the BMC at `address`.
    #[must_use]
    pub fn new(
        connector: Arc<Connector>,
        address: Address,
        login: Option<Login>,
        timeouts: Timeouts,
    ) -> Self {
        Self {
            http: HttpConnection::new(connector, address, timeouts),
            login,
            authentication: Authentication::Pending,
            rejected: None,
            root: None,
            is_fresh: true,
            system_cache: SystemCache::default(),
        }
    }

    /// The address of the BMC.
    pub(crate) fn address(&self) -> &Address {
        self.http.address()
    }

    /// Whether there is a login and no request was sent yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_fresh && self.login.is_some()
    }

    /// The paths of the systems of all BMCs.
    pub(crate) fn system_paths(&self) -> &SystemPaths {
        self.http.system_paths()
    }

    pub(crate) fn timeouts(&self) -> Timeouts {
        self.http.timeouts()
    }

    /// Sets the gate of the next operation. While it is closed no change is sent.
    pub fn set_gate(&mut self, gate: Option<Gate>) {
        self.http.set_gate(gate);
    }

    /// Whether a change was sent since the gate was set. The BMC may have carried it out even if
    /// there was no response.
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
    /// The BMC is unreachable, has no Redfish service or rejects the login.
    pub async fn open(&mut self) -> Result<(), Error> {
        self.root().await?;
        self.log_in().await
    }

    /// Ends the session and closes the connection. Ignores errors: sessions end by themselves too.
    pub async fn close(&mut self) {
        if let Authentication::Session {
            path: Some(path), ..
        } = self.authentication.clone()
        {
            let _ = self.send_once(&Method::DELETE, &path, None, None).await;
        }
        self.authentication = Authentication::Pending;
        self.http.close();
    }

    /// The service root. Read once, without a login.
    ///
    /// # Errors
    /// The BMC is unreachable or has no Redfish service.
    pub async fn root(&mut self) -> Result<Arc<Resource>, Error> {
        if let Some(root) = &self.root {
            return Ok(Arc::clone(root));
        }
        if let Some(rejected) = &self.rejected {
            return Err(rejected.clone());
        }
        let response = self.follow(Request::new(Method::GET, ROOT, None)).await?;
        if matches!(response.status.as_u16(), 404 | 405 | 410 | 501) {
            return Err(Error::Missing("the BMC has no Redfish service".to_owned()));
        }
        let root = if response.status == StatusCode::UNAUTHORIZED {
            // Against the specification. Such a service is used without sessions.
            Resource::from_value(json!({}))
        } else {
            parse_body(ROOT, &require_success(&format!("GET {ROOT}"), response)?)?
        };
        let root = Arc::new(root);
        self.root = Some(Arc::clone(&root));
        Ok(root)
    }

    /// The resource at `path`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get(&mut self, path: &str) -> Result<Resource, Error> {
        let request = format!("GET {}", sanitize(path, 200));
        let response = self.send(&Method::GET, path, None, None).await?;
        parse_body(path, &require_success(&request, response)?)
    }

    /// Applies `change` to `resource`, under its tag (`If-Match`). If someone else has changed the
    /// resource meanwhile, reads its new tag and applies the change once more.
    pub(crate) async fn patch(
        &mut self,
        resource: &Resource,
        change: &Value,
    ) -> Result<ChangeResponse, Error> {
        self.http.begin_change().await?;
        let path = resource.path.clone();
        let mut etag = resource.etag.clone();
        let mut response = self
            .send(&Method::PATCH, &path, Some(change), etag.as_deref())
            .await?;
        if matches!(response.status.as_u16(), 412 | 428) {
            etag = self.get(&path).await?.etag;
            response = self
                .send(&Method::PATCH, &path, Some(change), etag.as_deref())
                .await?;
        }
        if response.status == StatusCode::PRECONDITION_FAILED {
            // Some BMCs do not recognise their own weak tags.
            let strong = etag.as_deref().and_then(|etag| etag.strip_prefix("W/"));
            response = self
                .send(&Method::PATCH, &path, Some(change), strong)
                .await?;
        }
        change_response(&format!("PATCH {}", sanitize(&path, 200)), response)
    }

    /// Sends `content` to `path`, to create a resource or to invoke an action.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        content: &Value,
    ) -> Result<ChangeResponse, Error> {
        self.http.begin_change().await?;
        let response = self.send(&Method::POST, path, Some(content), None).await?;
        change_response(&format!("POST {}", sanitize(path, 200)), response)
    }

    /// The present state of the task at `path`.
    pub(crate) async fn poll(&mut self, path: &str) -> Result<ChangeResponse, Error> {
        let response = self.send(&Method::GET, path, None, None).await?;
        change_response(&format!("GET {}", sanitize(path, 200)), response)
    }

    /// Reads `path` with name and password in the request, even if the BMC has sessions.
    pub(crate) async fn get_with_password(&mut self, path: &str) -> Result<Response, Error> {
        let mut request = Request::new(Method::GET, path, None);
        if let Some(Authentication::Basic(basic)) = self.login.as_ref().map(basic) {
            request.headers.insert(AUTHORIZATION, basic);
        }
        self.follow(request).await
    }

    /// Sends an authenticated request. Opens a new session, once, if the present one has ended.
    async fn send(
        &mut self,
        method: &Method,
        path: &str,
        content: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Response, Error> {
        let path = &self.local_path(path)?;
        self.log_in().await?;
        let response = self.send_once(method, path, content, etag).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        if !matches!(self.authentication, Authentication::Session { .. }) {
            return Err(self.reject(&response));
        }
        self.authentication = Authentication::Pending;
        self.log_in().await?;
        let response = self.send_once(method, path, content, etag).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        // The BMC accepted the login itself: its user lacks a privilege.
        self.authentication = Authentication::Pending;
        let message = BmcMessage::new(&resource::error_message(&response.body));
        let sentence = format!("the BMC does not allow its user {method} {path}{message}");
        Err(Error::Missing(sentence))
    }

    async fn send_once(
        &mut self,
        method: &Method,
        path: &str,
        content: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Response, Error> {
        let mut request = Request::new(method.clone(), path, content);
        let headers = &mut request.headers;
        match &self.authentication {
            Authentication::Pending | Authentication::Anonymous => {}
            Authentication::Session { token, .. } => drop(headers.insert(TOKEN, token.clone())),
            Authentication::Basic(basic) => drop(headers.insert(AUTHORIZATION, basic.clone())),
        }
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            headers.insert(IF_MATCH, etag);
        }
        self.follow(request).await
    }

    /// Sends `request` and follows redirects that stay on the same BMC.
    async fn follow(&mut self, mut request: Request) -> Result<Response, Error> {
        self.is_fresh = false;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.http.exchange(&request).await?;
            let keeps_method = matches!(response.status.as_u16(), 307 | 308);
            let is_redirect = keeps_method || matches!(response.status.as_u16(), 301..=303);
            if !is_redirect || !(keeps_method || request.method == Method::GET) {
                return Ok(response);
            }
            let Some(location) = response.header("location") else {
                return Ok(response);
            };
            request.path = self.resolve(location, "redirects")?;
        }
        Err(Error::InvalidResponse(format!(
            "{request} was redirected more than {MAX_REDIRECTS} times"
        )))
    }

    /// The path of `reference`, which must lead to this BMC.
    pub(crate) fn local_path(&self, reference: &str) -> Result<String, Error> {
        self.resolve(reference, "refers")
    }

    fn resolve(&self, reference: &str, verb: &str) -> Result<String, Error> {
        path::local_path(reference, self.http.address()).map_err(|bad| match bad {
            BadReference::OtherHost(host) => Error::InvalidResponse(format!(
                "the BMC {verb} to another host, {host}, which is not followed"
            )),
            BadReference::Invalid => {
                let reference = sanitize(reference, 80);
                Error::InvalidResponse(format!(
                    "the BMC {verb} to {reference:?}, which is not a path"
                ))
            }
        })
    }
}

/// `response`, if it is a success.
pub(crate) fn require_success(request: &str, response: Response) -> Result<Response, Error> {
    if response.status.is_success() {
        return Ok(response);
    }
    let message = BmcMessage::new(&resource::error_message(&response.body));
    let status = response.status.as_u16();
    if matches!(status, 429 | 503) {
        let sentence = format!("the BMC is busy ({request}: {status}{message})");
        return Err(Error::Busy(sentence));
    }
    Err(Error::Refused {
        request: request.to_owned(),
        status,
        message,
    })
}

fn change_response(request: &str, response: Response) -> Result<ChangeResponse, Error> {
    let response = require_success(request, response)?;
    Ok(ChangeResponse {
        status: response.status,
        resource: Resource::parse("", &response.body).ok(),
        location: response.header("location").map(str::to_owned),
        retry_after: response
            .header("retry-after")
            .and_then(|text| text.trim().parse().ok()),
    })
}

/// The resource in the response to a `GET` of `path`.
fn parse_body(path: &str, response: &Response) -> Result<Resource, Error> {
    let mut resource = Resource::parse(path, &response.body).map_err(|error| {
        let path = sanitize(path, 200);
        Error::InvalidResponse(format!("the resource {path} {error}"))
    })?;
    if let Some(etag) = response.header("etag") {
        resource.etag = Some(etag.to_owned());
    }
    Ok(resource)
}
