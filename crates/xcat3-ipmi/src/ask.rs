//! Asking an address whether a BMC is there, without credentials: what discovery begins with.

use std::net::SocketAddr;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::client::Error;
use crate::message::{Command, Completion, Request};
use crate::presession::{self, Capabilities};
use crate::session::{RetryPolicy, SessionEnd};
use crate::sockets::{Asking, Sockets};

impl Sockets {
    /// What the BMC at `address` says of itself to anyone. Nothing of it is proven.
    ///
    /// # Errors
    /// Nobody answers there, or what does makes no sense.
    pub async fn capabilities(
        &self,
        address: SocketAddr,
        retry: RetryPolicy,
    ) -> Result<Capabilities, Error> {
        let request = &Capabilities::REQUEST;
        let data = self
            .ask_raw(address, presession::CAPABILITIES, request, retry)
            .await?;
        Capabilities::read(&data).ok_or(Error::Malformed("authentication capabilities".into()))
    }

    /// The GUID of the BMC at `address`, which many tell to anyone. Nothing of it is proven.
    ///
    /// # Errors
    /// Nobody answers there, or not to this.
    pub async fn system_guid(
        &self,
        address: SocketAddr,
        retry: RetryPolicy,
    ) -> Result<[u8; 16], Error> {
        let data = self
            .ask_raw(address, presession::SYSTEM_GUID, &[], retry)
            .await?;
        let guid = data.first_chunk().copied();
        guid.ok_or(Error::Malformed("a GUID that is too short".into()))
    }

    async fn ask_raw(
        &self,
        address: SocketAddr,
        command: Command,
        data: &[u8],
        retry: RetryPolicy,
    ) -> Result<Vec<u8>, Error> {
        let socket = self.towards(address).await?;
        let (number, mut answers) = socket.ask(address);
        let asking = Asking::new(socket, address, number);
        let request = Request {
            command,
            number,
            data: data.to_vec(),
        };
        let datagram = presession::version_1(&request.encode());
        let mut wait = retry.first_timeout;
        for _ in 0..retry.attempts {
            asking.socket().send(&datagram, address).await?;
            let until = Instant::now() + wait;
            wait += wait / 2;
            if let Some(answer) = answer(&mut answers, command, until).await {
                return match answer {
                    (Completion::OK, data) => Ok(data),
                    (refused, _) => Err(Error::Refused(refused)),
                };
            }
        }
        Err(SessionEnd::Silent.into())
    }
}

/// The first of `answers` that is to `command`, unless none comes in time.
async fn answer(
    answers: &mut mpsc::Receiver<crate::Response>,
    command: Command,
    until: Instant,
) -> Option<(Completion, Vec<u8>)> {
    loop {
        let answer = tokio::time::timeout_at(until.into(), answers.recv()).await;
        let answer = answer.ok().flatten()?;
        if answer.command == command {
            return Some((answer.completion, answer.data));
        }
    }
}
