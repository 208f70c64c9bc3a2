//! What typed commands need of a session: somewhere to send a request. A [`Connection`] is one; so
//! is whatever a test answers with.

use crate::client::{Connection, Error};
use crate::message::Command;

/// Something that carries a request to a BMC and brings back what it gives.
pub trait Requester: Send {
    /// Sends a request and gives the data of its response, without the completion code.
    ///
    /// # Errors
    /// The BMC refused it ([`Error::Refused`], with the completion code), or there is no answer.
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
