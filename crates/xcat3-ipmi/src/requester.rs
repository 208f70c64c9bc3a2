//! The interface between typed commands and a session: a way to send a request. A [`Connection`] is one;
//! tests have others.

use crate::client::{Connection, Error};
use crate::message::Command;

/// Sends requests to a BMC.
pub trait Requester: Send {
    /// Sends a request and returns the data of its response, without the completion code.
    ///
    /// # Errors
    /// The BMC refused the request ([`Error::Refused`] has the completion code), or there is no response.
    fn request(
        &mut self,
        command: Command,
        data: &[u8],
    ) -> impl Future<Output = Result<Vec<u8>, Error>> + Send;
}

impl Requester for Connection {
    async fn request(&mut self, command: Command, data: &[u8]) -> Result<Vec<u8>, Error> {
        Connection::request(self, command, data).await
    }
}
