//! What a simulated BMC answers: who is let in, which resource is meant, ETags and their conditions.
//! No I/O: a request goes in, an answer comes out, the machine has changed or not.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hyper::header::{AUTHORIZATION, HeaderMap, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, Uri};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::answer::{Answer, JSON};
use super::certificates::Certificates;
use super::expansion::expanded;
use super::faults::Fault;
use super::flavour::Habits;
use super::sessions::{Proof, Refusal, Sessions};
use super::tasks::Tasks;
use super::{Interfaces, Options};
use super::{resources, root};
use crate::bmc::account::Level;
use crate::bmc::machine::{Machine, Machines};
use crate::bmc::openbmc;

/// The password of machines that have another one than all others.
const OTHER_PASSWORD: &str = "changed by somebody else";

/// A request.
pub struct Ask<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path as it was sent.
    pub path: &'a str,
    /// The path in its parts, without empty ones.
    pub parts: Vec<&'a str>,
    /// What stands after the question mark.
    pub query: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its document; null where there is none.
    pub body: Value,
}

impl<'a> Ask<'a> {
    /// A request of these parts.
    #[must_use]
    pub fn new(method: &'a Method, uri: &'a Uri, headers: &'a HeaderMap, body: Value) -> Self {
        let path = uri.path();
        Self {
            method,
            path,
            parts: path.split('/').filter(|part| !part.is_empty()).collect(),
            query: uri.query().unwrap_or_default(),
            headers,
            body,
        }
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A cookie.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        let pairs = self.header("cookie")?.split(';');
        let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// A parameter of the query, as `$skip`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        let pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let same = |key: &str| key == name || key.strip_prefix("%24") == name.strip_prefix('$');
        let mut pairs = pairs.filter(|(key, _)| same(key));
        pairs.next().map(|(_, value)| value)
    }

    /// Whether only the document is wanted, or its head.
    #[must_use]
    pub fn reads(&self) -> bool {
        matches!(*self.method, Method::GET | Method::HEAD)
    }
}

/// The Redfish face of all machines.
pub struct Face {
    pub(super) machines: Arc<Machines>,
    pub(crate) options: Options,
    pub(super) certificates: Certificates,
    sides: Vec<OnceLock<Box<Mutex<Side>>>>,
}

/// What a machine's Redfish service remembers beside the machine itself.
#[derive(Default)]
pub(crate) struct Side {
    /// Its sessions.
    pub(crate) sessions: Sessions,
    /// Its tasks.
    pub(crate) tasks: Tasks,
}

impl Face {
    /// A face of these machines.
    pub(super) fn new(
        machines: Arc<Machines>,
        options: Options,
        certificates: Certificates,
    ) -> Self {
        let sides = (0..machines.len()).map(|_| OnceLock::new()).collect();
        Self {
            machines,
            options,
            certificates,
            sides,
        }
    }

    /// Which machine has the address.
    pub(super) fn index(&self, address: Ipv4Addr) -> Option<usize> {
        self.machines.index_of(address)
    }

    /// A machine.
    pub(crate) fn machine(&self, index: usize) -> MutexGuard<'_, Machine> {
        self.machines.machine(index)
    }

    /// The habits of a machine.
    pub(crate) fn habits(&self, index: usize) -> Habits {
        let mut habits = self.options.flavours.of(index).habits();
        habits.if_match |= self.options.if_match;
        habits
    }

    /// What a machine's service remembers.
    pub(crate) fn side(&self, index: usize) -> MutexGuard<'_, Side> {
        let side = self.sides[index].get_or_init(Box::default);
        side.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a request.
    pub(super) fn answer(self: &Arc<Self>, index: usize, ask: &Ask<'_>) -> Answer {
        let interfaces = self.options.interfaces;
        if ask.parts.first() != Some(&"redfish") {
            return if interfaces == Interfaces::Redfish {
                Answer::not_found(ask.path)
            } else {
                openbmc::answer(self, index, ask)
            };
        }
        if interfaces == Interfaces::OpenbmcRest {
            return Answer::not_found(ask.path);
        }
        if let Some(answer) = root::open(self, index, ask) {
            return answer;
        }
        let level = match self.admit(index, ask) {
            Ok(level) => level,
            Err(refusal) => return refused(&refusal),
        };
        if !self.may(level, index, ask) {
            let message = "There are insufficient privileges for the account.";
            return Answer::error(403, "InsufficientPrivilege", message);
        }
        if let Some(answer) = self.precondition(index, ask) {
            return answer;
        }
        let mut answer = resources::answer(self, index, ask);
        if ask.reads() && answer.status == 200 {
            return tagged(expanded(self, index, ask, answer), ask);
        }
        if answer.is_success() && *ask.method == Method::PATCH && answer.status == 200 {
            answer = tagged(answer, ask);
        }
        answer
    }

    /// Whether an account of this level may ask for it. An operator sets systems and media; managers, their
    /// logs included, are an administrator's.
    pub(crate) fn may(&self, level: Level, index: usize, ask: &Ask<'_>) -> bool {
        if ask.reads() {
            return true;
        }
        let is_managers = ask.parts.contains(&"Managers") && !ask.parts.contains(&"VirtualMedia");
        let is_own_session = ask.parts.contains(&"Sessions") || ask.parts == ["logout"];
        let least = match (is_own_session, is_managers) {
            (true, _) => Level::User,
            (_, true) => Level::Administrator,
            _ => Level::Operator,
        };
        level >= least && !self.options.faults.has(index, &Fault::ReadOnly)
    }

    /// Lets a request in by its token or its Basic credentials, and tells what its account may do.
    pub(crate) fn admit(&self, index: usize, ask: &Ask<'_>) -> Result<Level, Refusal> {
        let token = ask.header("x-auth-token").or_else(|| ask.cookie("SESSION"));
        let proof = match token {
            Some(token) => Proof::Token(token),
            None => match ask.header(AUTHORIZATION.as_str()) {
                Some(value) => Proof::Authorization(value),
                None => Proof::Nothing,
            },
        };
        let access = &self.options.access;
        let right = self.credentials(index);
        let user = self.side(index).sessions.admit(&proof, &right, access)?;
        let mut others = self.options.users.iter();
        let other = others.find(|other| other.name == user && user != self.options.user);
        Ok(other.map_or(Level::Administrator, |other| other.level))
    }

    /// Name and password of the accounts of a machine.
    pub(crate) fn credentials(&self, index: usize) -> Vec<(&str, &str)> {
        let other = self.options.faults.has(index, &Fault::WrongPassword);
        let password = if other {
            OTHER_PASSWORD
        } else {
            &self.options.password
        };
        let others = self.options.users.iter();
        let others = others.map(|other| (&*other.name, &*other.password));
        [(&*self.options.user, password)]
            .into_iter()
            .chain(others)
            .collect()
    }

    /// Refuses a change whose `If-Match` is missing where it is demanded, or is of an old document.
    fn precondition(self: &Arc<Self>, index: usize, ask: &Ask<'_>) -> Option<Answer> {
        if !matches!(*ask.method, Method::PATCH | Method::PUT) {
            return None;
        }
        let Some(given) = ask.header(IF_MATCH.as_str()) else {
            let message = "The request requires an If-Match header with the ETag of the resource.";
            let demanded = self.habits(index).if_match;
            return demanded.then(|| Answer::error(428, "PreconditionRequired", message));
        };
        let read = Ask {
            method: &Method::GET,
            path: ask.path,
            parts: ask.parts.clone(),
            query: "",
            headers: ask.headers,
            body: Value::Null,
        };
        let current = resources::answer(self, index, &read);
        if current.status != 200 {
            return Some(current);
        }
        let matches = given.trim() == "*" || given.contains(&etag(&current.body.to_string()));
        let message = "The ETag supplied did not match the ETag required to change this resource.";
        (!matches).then(|| Answer::error(412, "PreconditionFailed", message))
    }

    /// Does something later, as a BMC does that answers before it acts.
    pub(crate) fn later(
        self: &Arc<Self>,
        pause: Duration,
        work: impl FnOnce(&Self) + Send + 'static,
    ) {
        let face = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            work(&face);
        });
    }
}

/// The answer to who is not let in.
pub(crate) fn refused(refusal: &Refusal) -> Answer {
    match refusal {
        Refusal::Wrong => {
            let message = "There is no valid session established with the implementation.";
            let answer = Answer::error(401, "NoValidSession", message);
            answer.with("www-authenticate", "Basic realm=\"Redfish\"".to_owned())
        }
        Refusal::Locked => {
            let message = "The account is locked after too many wrong passwords.";
            Answer::error(401, "ResourceAtUriUnauthorized", message)
        }
        Refusal::Full => {
            let message = "The session establishment failed due to the number of simultaneous \
                           sessions exceeding the limit of the implementation.";
            Answer::error(503, "SessionLimitExceeded", message)
        }
    }
}

/// The ETag of a document: a digest of it.
fn etag(document: &str) -> String {
    let digest = Sha256::digest(document);
    format!("\"{}\"", hex::encode(&digest[..8]))
}

/// The answer with its ETag, or 304 where the client has it already.
fn tagged(mut answer: Answer, ask: &Ask<'_>) -> Answer {
    let Some(fields) = answer.body.as_object() else {
        return answer;
    };
    if !fields.contains_key("@odata.id") {
        return answer;
    }
    let mut text = answer.body.to_string();
    let tag = etag(&text);
    if ask.reads() && ask.header(IF_NONE_MATCH.as_str()) == Some(tag.as_str()) {
        return Answer::empty(304).with("etag", tag);
    }
    // The document is an object with fields: its tag comes last, without writing all of it again.
    text.pop();
    text.push_str(",\"@odata.etag\":");
    text.push_str(&Value::from(tag.as_str()).to_string());
    text.push('}');
    answer.text = Some((JSON, text));
    answer.with("etag", tag)
}

#[cfg(test)]
mod tests;
