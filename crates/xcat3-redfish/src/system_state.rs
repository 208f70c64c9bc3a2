//! Power and boot device of a system, read without a session where possible: a BMC that is read once
//! an hour is not worth a session. Name and password go with the one request, if the BMC expands a
//! collection with its members; two or three requests otherwise. The path of the system is remembered,
//! so that every further read is a single request after the TLS handshake.
//!
//! The first read finds out whether a BMC accepts name and password in a request. One that does not is
//! read in a session.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use hyper::StatusCode;

use crate::client::Client;
use crate::connector::Address;
use crate::error::Error;
use crate::http::Response;
use crate::resource::Resource;

/// The systems of a service (DSP0266 names this path; the service root may name another one).
const SYSTEMS: &str = "/redfish/v1/Systems";
/// The same with the systems themselves, where the service expands (DSP0266, `$expand`: one level
/// unless the query says otherwise).
const SYSTEMS_EXPANDED: &str = "/redfish/v1/Systems?$expand=.";
/// The fields that are read: which system, its power and its boot device.
const FIELDS: &[&str] = &["@odata.id", "PowerState", "Boot"];
/// BMCs that are remembered. Beyond this all are forgotten, which costs each one request more.
const MAX_REMEMBERED: usize = 1 << 18;

/// How the system of each BMC is read.
#[derive(Default)]
pub(crate) struct SystemPaths(Mutex<HashMap<HostPort, SystemAccess>>);

/// Host and port of a BMC.
type HostPort = (Box<str>, u16);

/// How the only system of a BMC is read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum SystemAccess {
    /// By a request for this path. An outdated path is answered with 404.
    Path(Box<str>),
    /// In a session: the BMC accepts no name and password in a request.
    SessionOnly,
}

impl fmt::Debug for SystemPaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemPaths").finish_non_exhaustive()
    }
}

impl SystemPaths {
    fn get(&self, address: &Address) -> Option<SystemAccess> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&host_port(address)).cloned()
    }

    fn set(&self, address: &Address, access: SystemAccess) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(host_port(address), access);
    }

    fn forget(&self, address: &Address) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&host_port(address));
    }
}

fn host_port(address: &Address) -> HostPort {
    (address.host.as_str().into(), address.port)
}

impl Client {
    /// The system that `selector` selects ([`Client::system`]). Read without a session if none is
    /// open; the resource then has only [`FIELDS`].
    pub(crate) async fn system_state(&mut self, selector: Option<&str>) -> Result<Resource, Error> {
        if selector.is_none()
            && self.is_fresh()
            && let Some(system) = self.read_without_session().await?
        {
            return Ok(system);
        }
        Box::pin(self.system(selector)).await
    }

    /// The only system behind the BMC; none if it takes a session to read it.
    async fn read_without_session(&mut self) -> Result<Option<Resource>, Error> {
        match self.system_paths().get(self.address()) {
            Some(SystemAccess::SessionOnly) => return Ok(None),
            Some(SystemAccess::Path(path)) => {
                let response = self.get_with_password(&path).await?;
                if response.status != StatusCode::NOT_FOUND {
                    return self.read(&path, &response);
                }
                self.system_paths().forget(self.address());
            }
            None => {}
        }
        let Some(systems) = self.read_systems().await? else {
            return Ok(None);
        };
        let mut members = systems.objects("Members").into_iter();
        let (Some(only), None) = (members.next(), members.next()) else {
            return Ok(None);
        };
        let Some(link) = only.text("@odata.id") else {
            return Ok(None);
        };
        let path = self.local_path(link)?;
        let system = match only.value_at("PowerState") {
            Some(_) => Some(only.with_path(&path)),
            None => {
                let response = self.get_with_password(&path).await?;
                self.read(&path, &response)?
            }
        };
        if system.is_some() {
            let access = SystemAccess::Path(path.into());
            self.system_paths().set(self.address(), access);
        }
        Ok(system)
    }

    /// The collection of systems, expanded if the service does that. Asking the service root whether
    /// it does would take as long as asking again without.
    async fn read_systems(&mut self) -> Result<Option<Resource>, Error> {
        let response = self.get_with_password(SYSTEMS_EXPANDED).await?;
        let systems = self.read(SYSTEMS, &response)?;
        let has_members = |systems: &Resource| systems.value_at("Members").is_some();
        if systems.as_ref().is_some_and(has_members) || response.status == StatusCode::UNAUTHORIZED
        {
            return Ok(systems);
        }
        let response = self.get_with_password(SYSTEMS).await?;
        self.read(SYSTEMS, &response)
    }

    /// The resource in `response`; none if a session may do better.
    fn read(&mut self, path: &str, response: &Response) -> Result<Option<Resource>, Error> {
        match response.status.as_u16() {
            200 => Ok(Resource::excerpt(path, &response.body, FIELDS).ok()),
            // Services that accept name and password say so (DSP0266, authentication). Here they are
            // wrong and are not tried in another way. Other services may accept them for a session.
            401 if offers_basic(response) => Err(self.reject(response)),
            401 => {
                let access = SystemAccess::SessionOnly;
                self.system_paths().set(self.address(), access);
                Ok(None)
            }
            429 | 503 => Err(Error::Busy(format!(
                "the BMC is busy (GET {path}: {})",
                response.status
            ))),
            _ => Ok(None),
        }
    }
}

fn offers_basic(response: &Response) -> bool {
    let offers = response.headers.get_all("www-authenticate").iter();
    let mut offers = offers.filter_map(|offer| offer.to_str().ok());
    offers.any(|offer| {
        let mut words = offer.split([' ', ',']);
        words.any(|word| word.eq_ignore_ascii_case("basic"))
    })
}
