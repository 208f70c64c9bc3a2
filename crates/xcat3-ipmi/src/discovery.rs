//! Requests outside sessions, which discovery begins with: is there a BMC at this address, and what is
//! its GUID. The responses are not authenticated.

use std::net::SocketAddr;

use crate::client::Error;
use crate::clock;
use crate::command::device::Guid;
use crate::message::{Command, Completion, Request, Response};
use crate::presession::{self, Capabilities};
use crate::retry::{RetryPolicy, next_timeout};
use crate::session::SessionEnd;
use crate::sockets::{PendingRequest, Sockets};

impl Sockets {
    /// Sends Get Channel Authentication Capabilities to `address`.
    ///
    /// # Errors
    /// There is no response, the BMC refuses, or the response is malformed.
    pub async fn capabilities(
        &self,
        address: SocketAddr,
        retry: RetryPolicy,
    ) -> Result<Capabilities, Error> {
        let request = &Capabilities::REQUEST;
        let data = self
            .request_outside_session(address, presession::CAPABILITIES, request, retry)
            .await?;
        Capabilities::decode(&data).ok_or(Error::Malformed(
            "the authentication capabilities are truncated".into(),
        ))
    }

    /// Sends Get System GUID to `address`; `None` if the GUID was never set.
    ///
    /// # Errors
    /// There is no response, the BMC refuses (not every BMC answers outside a session), or the response is
    /// malformed.
    pub async fn system_guid(
        &self,
        address: SocketAddr,
        retry: RetryPolicy,
    ) -> Result<Option<Guid>, Error> {
        let data = self
            .request_outside_session(address, presession::SYSTEM_GUID, &[], retry)
            .await?;
        Ok(Guid::parse(&data)?)
    }

    async fn request_outside_session(
        &self,
        address: SocketAddr,
        command: Command,
        data: &[u8],
        retry: RetryPolicy,
    ) -> Result<Vec<u8>, Error> {
        let socket = self.for_address(address).await?;
        let mut pending = PendingRequest::new(socket.clone(), address);
        let request = Request {
            command,
            number: pending.number(),
            data: data.to_vec(),
        };
        let datagram = presession::encode_v1_5(&request.encode());
        let mut timeout = retry.first_timeout;
        for _ in 0..retry.attempts {
            socket.send(&datagram, address).await?;
            let deadline = clock::now() + timeout;
            let response = response_to(&mut pending, command);
            match tokio::time::timeout_at(deadline.into(), response).await {
                Ok(Some(response)) if response.completion == Completion::OK => {
                    return Ok(response.data);
                }
                Ok(Some(response)) => return Err(Error::Refused(response.completion)),
                Ok(None) => break,
                Err(_) => timeout = next_timeout(timeout),
            }
        }
        Err(SessionEnd::Silent.into())
    }
}

/// The next response to `command`; `None` once the socket is gone.
async fn response_to(pending: &mut PendingRequest, command: Command) -> Option<Response> {
    loop {
        let response = pending.response().await?;
        if response.command == command {
            return Some(response);
        }
    }
}
