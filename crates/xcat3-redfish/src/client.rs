//! One BMC as a Redfish service: redirects, conditional changes, collections and what
//! refusals say. Which resources there are, and what for, is not known here.

mod login;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use bytes::Bytes;
use futures::future::BoxFuture;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, IF_MATCH};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::connector::{Address, Connector};
use crate::error::{Error, Said};
use crate::glance::Places;
use crate::link::{Ask, Link, Patience, Reply};
use crate::path::{self, Elsewhere};
use crate::resource::{self, Resource};
pub use login::Login;
use login::{Proof, basic};

/// Where every service begins.
pub(crate) const ROOT: &str = "/redfish/v1/";
/// Redirections that are followed for one request.
const MOST_REDIRECTS: usize = 3;

const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// Whether a BMC may still be acted upon, asked right before each action.
pub type Gate = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// A BMC. Nothing is asked before something is needed; connection and session are kept between
/// requests and made anew where they have ended.
pub struct Client {
    link: Link,
    login: Option<Login>,
    proof: Proof,
    /// Why the BMC rejected the login. It is not tried again.
    rejected: Option<Error>,
    root: Option<Arc<Resource>>,
    gate: Option<Gate>,
    has_acted: bool,
    /// Whether anything was asked yet.
    is_fresh: bool,
    pub(crate) found: crate::systems::Found,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.link.address();
        f.debug_struct("Client")
            .field("address", address)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

/// The answer to a change.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    /// Its resource, where the body is one.
    pub resource: Option<Resource>,
    /// Where it says that something is.
    pub location: Option<String>,
    /// After how many seconds to ask again.
    pub retry_after: Option<u64>,
}

impl Client {
    /// The BMC at `address`.
    #[must_use]
    pub fn new(
        connector: Arc<Connector>,
        address: Address,
        login: Option<Login>,
        patience: Patience,
    ) -> Self {
        Self {
            link: Link::new(connector, address, patience),
            login,
            proof: Proof::Unknown,
            rejected: None,
            root: None,
            gate: None,
            has_acted: false,
            is_fresh: true,
            found: crate::systems::Found::default(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.link.address()
    }

    /// Whether there is a login and nothing was asked yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_fresh && self.login.is_some()
    }

    /// Where the systems of BMCs are.
    pub(crate) fn places(&self) -> &Places {
        self.link.places()
    }

    pub(crate) fn patience(&self) -> Patience {
        self.link.patience()
    }

    /// From now on nothing is changed where `gate` says no.
    pub fn guard(&mut self, gate: Option<Gate>) {
        self.gate = gate;
        self.has_acted = false;
    }

    /// Whether anything was asked since then that changes something: it may have been done, also
    /// where there was no answer.
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
    /// There is no Redfish service, it can't be reached or does not take the login.
    pub async fn open(&mut self) -> Result<(), Error> {
        self.root().await?;
        self.log_in().await
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

    /// Whether there is a connection, as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.is_open()
    }

    /// Ends the session and closes the connection. What goes wrong then is nobody's loss.
    pub async fn close(&mut self) {
        if let Proof::Session {
            path: Some(path), ..
        } = self.proof.clone()
        {
            let _ = self.once(&Method::DELETE, &path, None, None).await;
        }
        self.proof = Proof::Unknown;
        self.link.close();
    }

    /// The service root, which is asked for once, without a login.
    ///
    /// # Errors
    /// There is no Redfish service, or it can't be reached.
    pub async fn root(&mut self) -> Result<Arc<Resource>, Error> {
        if let Some(root) = &self.root {
            return Ok(Arc::clone(root));
        }
        if let Some(rejected) = &self.rejected {
            return Err(rejected.clone());
        }
        let ask = ask(Method::GET, ROOT, None);
        let reply = self.follow(ask).await?;
        if matches!(reply.status.as_u16(), 404 | 405 | 410 | 501) {
            return Err(Error::Missing("it has no Redfish service".to_owned()));
        }
        let root = if reply.status == StatusCode::UNAUTHORIZED {
            // Against the specification; then there is no asking for sessions either.
            Resource::part(json!({}))
        } else {
            body(ROOT, &checked(&format!("GET {ROOT}"), reply)?)?
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
        let what = format!("GET {}", crate::error::tame(path, 200));
        let reply = self.request(&Method::GET, path, None, None).await?;
        body(path, &checked(&what, reply)?)
    }

    /// Changes `resource` to `change`, where the BMC says so only if nobody else has changed it
    /// meanwhile; then what it has become is read, and changed after all.
    pub(crate) async fn patch(
        &mut self,
        resource: &Resource,
        change: &Value,
    ) -> Result<Answer, Error> {
        self.begin_change().await?;
        let path = resource.path.clone();
        let mut etag = resource.etag.clone();
        let mut reply = self
            .request(&Method::PATCH, &path, Some(change), etag.as_deref())
            .await?;
        if matches!(reply.status.as_u16(), 412 | 428) {
            etag = self.get(&path).await?.etag;
            reply = self
                .request(&Method::PATCH, &path, Some(change), etag.as_deref())
                .await?;
        }
        if reply.status == StatusCode::PRECONDITION_FAILED {
            // There are BMCs that don't know their own weak tags again.
            let strong = etag.as_deref().and_then(|etag| etag.strip_prefix("W/"));
            reply = self
                .request(&Method::PATCH, &path, Some(change), strong)
                .await?;
        }
        answer(&format!("PATCH {}", crate::error::tame(&path, 200)), reply)
    }

    /// Sends `content` to `path`, to create something or to have an action carried out.
    pub(crate) async fn post(&mut self, path: &str, content: &Value) -> Result<Answer, Error> {
        self.begin_change().await?;
        let reply = self
            .request(&Method::POST, path, Some(content), None)
            .await?;
        answer(&format!("POST {}", crate::error::tame(path, 200)), reply)
    }

    /// What is at `path` now, whatever the status: of a task.
    pub(crate) async fn look(&mut self, path: &str) -> Result<Answer, Error> {
        let reply = self.request(&Method::GET, path, None, None).await?;
        answer(&format!("GET {}", crate::error::tame(path, 200)), reply)
    }

    /// Asks for `path` with name and password in the request itself, whatever the BMC has for sessions.
    pub(crate) async fn ask_once(&mut self, path: &str) -> Result<Reply, Error> {
        let mut ask = ask(Method::GET, path, None);
        if let Some(Proof::Basic(basic)) = self.login.as_ref().map(basic) {
            ask.headers.insert(AUTHORIZATION, basic);
        }
        self.follow(ask).await
    }

    /// Asks with proof of who asks. Where the session has ended a new one is made, once.
    async fn request(
        &mut self,
        method: &Method,
        path: &str,
        content: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Reply, Error> {
        let path = &self.here(path, "refers")?;
        self.log_in().await?;
        let reply = self.once(method, path, content, etag).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            return Ok(reply);
        }
        if !matches!(self.proof, Proof::Session { .. }) {
            return Err(self.reject(&reply));
        }
        self.proof = Proof::Unknown;
        self.log_in().await?;
        let reply = self.once(method, path, content, etag).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            return Ok(reply);
        }
        // The login itself was taken: what it may do is another question.
        self.proof = Proof::Unknown;
        let said = Said::new(&resource::saying(&reply.body));
        let sentence = format!("it does not let its user do {method} {path}{said}");
        Err(Error::Missing(sentence))
    }

    async fn once(
        &mut self,
        method: &Method,
        path: &str,
        content: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Reply, Error> {
        let mut ask = ask(method.clone(), path, content);
        match &self.proof {
            Proof::Unknown | Proof::None => {}
            Proof::Session { token, .. } => drop(ask.headers.insert(TOKEN, token.clone())),
            Proof::Basic(basic) => drop(ask.headers.insert(AUTHORIZATION, basic.clone())),
        }
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            ask.headers.insert(IF_MATCH, etag);
        }
        self.follow(ask).await
    }

    /// Asks, and asks again where the answer leads, as long as that is the same BMC.
    async fn follow(&mut self, mut ask: Ask) -> Result<Reply, Error> {
        self.is_fresh = false;
        for _ in 0..=MOST_REDIRECTS {
            let reply = self.link.exchange(&ask).await?;
            let keeps_method = matches!(reply.status.as_u16(), 307 | 308);
            let leads = keeps_method || matches!(reply.status.as_u16(), 301..=303);
            if !leads || !(keeps_method || ask.method == Method::GET) {
                return Ok(reply);
            }
            let Some(location) = reply.header("location") else {
                return Ok(reply);
            };
            ask.path = self.here(location, "redirects")?;
        }
        Err(Error::Nonsense(format!(
            "{ask} is redirected again and again"
        )))
    }

    /// The path of `reference`, which must be on this BMC.
    pub(crate) fn here(&self, reference: &str, verb: &str) -> Result<String, Error> {
        path::here(reference, self.link.address()).map_err(|elsewhere| match elsewhere {
            Elsewhere::Host(host) => Error::Nonsense(format!(
                "it {verb} to another host, {host}, which is not followed"
            )),
            Elsewhere::Nowhere => {
                let shown = crate::error::tame(reference, 80);
                Error::Nonsense(format!("it {verb} to {shown:?}, which is no path"))
            }
        })
    }
}

fn ask(method: Method, path: &str, content: Option<&Value>) -> Ask {
    Ask {
        method,
        path: path.to_owned(),
        headers: HeaderMap::new(),
        body: content.map(|content| Bytes::from(content.to_string())),
    }
}

/// `reply` where it is a success.
fn checked(what: &str, reply: Reply) -> Result<Reply, Error> {
    if reply.status.is_success() {
        return Ok(reply);
    }
    let said = Said::new(&resource::saying(&reply.body));
    let status = reply.status.as_u16();
    if matches!(status, 429 | 503) {
        return Err(Error::Busy(format!("it is busy ({what}: {status}{said})")));
    }
    Err(Error::Refused {
        what: what.to_owned(),
        status,
        said,
    })
}

fn answer(what: &str, reply: Reply) -> Result<Answer, Error> {
    let reply = checked(what, reply)?;
    Ok(Answer {
        status: reply.status,
        resource: Resource::parse("", &reply.body).ok(),
        location: reply.header("location").map(str::to_owned),
        retry_after: reply
            .header("retry-after")
            .and_then(|text| text.trim().parse().ok()),
    })
}

/// The resource that `reply` to a `GET` of `path` is.
fn body(path: &str, reply: &Reply) -> Result<Resource, Error> {
    let shown = crate::error::tame(path, 200);
    let resource = Resource::parse(path, &reply.body);
    let mut resource =
        resource.map_err(|error| Error::Nonsense(format!("what it says at {shown} {error}")))?;
    if let Some(etag) = reply.header("etag") {
        resource.etag = Some(etag.to_owned());
    }
    Ok(resource)
}
