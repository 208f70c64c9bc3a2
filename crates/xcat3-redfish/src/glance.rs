//! The first look at a system: what is asked of a BMC once and perhaps not again for hours is not worth
//! a session. Name and password go with the one request that it takes, where the BMC can tell a
//! collection with its members; two or three where not. Where the system is, is remembered, so that
//! every further first look is a single request after the TLS handshake.
//!
//! Whether a BMC takes name and password is found out by asking. One that does not is asked as any
//! other question is: in a session.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use hyper::StatusCode;

use crate::client::Client;
use crate::connector::Address;
use crate::error::Error;
use crate::link::Reply;
use crate::resource::Resource;

/// Where the systems of a service are (DSP0266 names the place; a root may name another one).
const SYSTEMS: &str = "/redfish/v1/Systems";
/// There, the systems themselves, where the service can do that (DSP0266, `$expand`: one level where
/// nothing else is said).
const SYSTEMS_EXPANDED: &str = "/redfish/v1/Systems?$expand=.";
/// What a first look is for: which system, its power and what it boots from.
const FIELDS: &[&str] = &["@odata.id", "PowerState", "Boot"];
/// BMCs that are remembered. Beyond, all are forgotten: a first look then takes a request more.
const MOST_PLACES: usize = 1 << 18;

/// What is known of the first look at each BMC.
#[derive(Default)]
pub(crate) struct Places(Mutex<HashMap<HostPort, Place>>);

/// Host and port of a BMC.
type HostPort = (Box<str>, u16);

/// How the only system of a BMC is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It was at this path. One that leads nowhere any more is found out by asking.
    At(Box<str>),
    /// The BMC takes no name and password in a request.
    InSession,
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").finish_non_exhaustive()
    }
}

impl Places {
    fn of(&self, address: &Address) -> Option<Place> {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.get(&host_port(address)).cloned()
    }

    fn note(&self, address: &Address, place: Option<Place>) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = host_port(address);
        match place {
            Some(place) => {
                if places.len() >= MOST_PLACES {
                    places.clear();
                }
                places.insert(key, place);
            }
            None => drop(places.remove(&key)),
        }
    }
}

fn host_port(address: &Address) -> HostPort {
    (address.host.as_str().into(), address.port)
}

impl Client {
    /// The system `wanted`, as [`Client::system`] finds it, for who only reads its power or boot:
    /// without a session where none is open yet, and then nothing else of it.
    pub(crate) async fn glance(&mut self, wanted: Option<&str>) -> Result<Resource, Error> {
        if wanted.is_none()
            && self.is_fresh()
            && let Some(system) = self.look_without_session().await?
        {
            return Ok(system);
        }
        Box::pin(self.system(wanted)).await
    }

    /// The only system behind the BMC; none where that can't be said without a session.
    async fn look_without_session(&mut self) -> Result<Option<Resource>, Error> {
        match self.places().of(self.address()) {
            Some(Place::InSession) => return Ok(None),
            Some(Place::At(path)) => {
                let reply = self.ask_once(&path).await?;
                if reply.status != StatusCode::NOT_FOUND {
                    return self.read(&path, &reply);
                }
                self.places().note(self.address(), None);
            }
            None => {}
        }
        let Some(systems) = self.systems_at_once().await? else {
            return Ok(None);
        };
        let mut members = systems.parts("Members").into_iter();
        let (Some(only), None) = (members.next(), members.next()) else {
            return Ok(None);
        };
        let Some(link) = only.text("@odata.id") else {
            return Ok(None);
        };
        let path = self.here(link, "refers")?;
        let system = match only.at("PowerState") {
            Some(_) => Some(only.placed(&path)),
            None => {
                let reply = self.ask_once(&path).await?;
                self.read(&path, &reply)?
            }
        };
        if system.is_some() {
            let place = Place::At(path.into());
            self.places().note(self.address(), Some(place));
        }
        Ok(system)
    }

    /// The collection of systems, with the systems in it where the service does that. Whether it does,
    /// its root tells; to ask for that would take as long as to ask again where it does not.
    async fn systems_at_once(&mut self) -> Result<Option<Resource>, Error> {
        let reply = self.ask_once(SYSTEMS_EXPANDED).await?;
        let systems = self.read(SYSTEMS, &reply)?;
        let is_told = |systems: &Resource| systems.at("Members").is_some();
        if systems.as_ref().is_some_and(is_told) || reply.status == StatusCode::UNAUTHORIZED {
            return Ok(systems);
        }
        let reply = self.ask_once(SYSTEMS).await?;
        self.read(SYSTEMS, &reply)
    }

    /// What `reply` says; none where a session may do better.
    fn read(&mut self, path: &str, reply: &Reply) -> Result<Option<Resource>, Error> {
        match reply.status.as_u16() {
            200 => Ok(Resource::excerpt(path, &reply.body, FIELDS).ok()),
            // Services that take name and password say so (DSP0266, authentication): then these are
            // wrong, and are not tried in another way. Others may take them for a session.
            401 if offers_basic(reply) => Err(self.reject(reply)),
            401 => {
                self.places().note(self.address(), Some(Place::InSession));
                Ok(None)
            }
            429 | 503 => Err(Error::Busy(format!(
                "it is busy (GET {path}: {})",
                reply.status
            ))),
            _ => Ok(None),
        }
    }
}

fn offers_basic(reply: &Reply) -> bool {
    let offers = reply.headers.get_all("www-authenticate").iter();
    let mut offers = offers.filter_map(|offer| offer.to_str().ok());
    offers.any(|offer| {
        let mut words = offer.split([' ', ',']);
        words.any(|word| word.eq_ignore_ascii_case("basic"))
    })
}
