//! Addresses of BMCs that are given by name. Looked up when a session is opened, within a deadline, few
//! at once (each takes a thread), and remembered for a minute.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::endpoint::{Endpoint, Host};
use super::failure::Failure;

/// How long a look-up may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long an address is believed.
const LIFETIME: Duration = Duration::from_secs(60);
/// Look-ups at once.
const AT_ONCE: usize = 32;

/// An address that was looked up, and when.
pub type Found = (IpAddr, Instant);

/// Looks names up.
pub struct Resolver(Semaphore);

impl Resolver {
    /// One that has looked nothing up yet.
    pub fn new() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }

    /// The address of `endpoint`; `found` is what was found for it last, and is renewed.
    ///
    /// # Errors
    /// The name is not known, or nobody says so in time.
    pub async fn address(
        &self,
        endpoint: &Endpoint,
        found: &mut Option<Found>,
    ) -> Result<SocketAddr, Failure> {
        let name = match &endpoint.host {
            Host::Address(address) => return Ok((*address, endpoint.port).into()),
            Host::Name(name) => name,
        };
        if let Some((address, at)) = found
            && at.elapsed() < LIFETIME
        {
            return Ok((*address, endpoint.port).into());
        }
        let look_up = async {
            let _turn = self.0.acquire().await;
            let all = tokio::net::lookup_host((name.as_ref(), endpoint.port)).await;
            all.map(|mut all| all.next())
        };
        let refused = |why: &dyn std::fmt::Display| {
            Failure::refused(format!("the name can't be looked up: {why}"))
        };
        match timeout(DEADLINE, look_up).await {
            Ok(Ok(Some(address))) => {
                *found = Some((address.ip(), Instant::now()));
                Ok(address)
            }
            Ok(Ok(None)) => Err(refused(&"it has no address")),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(refused(&"no answer within 5 s")),
        }
    }
}
