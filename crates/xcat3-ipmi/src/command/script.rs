//! BMCs for tests of commands: one with expected requests, one that responds by a function.

use std::collections::VecDeque;

use crate::client::Error;
use crate::message::{Command, Completion};
use crate::requester::Requester;

/// Network function, command and data of a request; then the data of its response or a completion code.
type Exchange<B> = (B, Result<B, u8>);

/// A BMC that expects these requests in this order.
pub(crate) struct Script(VecDeque<Exchange<Vec<u8>>>);

impl Script {
    pub(crate) fn new(exchanges: &[Exchange<&[u8]>]) -> Self {
        let owned = |(request, response): &Exchange<&[u8]>| {
            (request.to_vec(), response.map(<[u8]>::to_vec))
        };
        Self(exchanges.iter().map(owned).collect())
    }
}

impl Requester for Script {
    async fn request(&mut self, command: Command, data: &[u8]) -> Result<Vec<u8>, Error> {
        let (request, response) = self.0.pop_front().expect("no more requests");
        let sent = [&[command.function, command.number][..], data].concat();
        assert_eq!(hex::encode(sent), hex::encode(request));
        response.map_err(|code| Error::Refused(Completion(code)))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "requests not sent: {:02x?}", self.0);
        }
    }
}

/// A BMC that responds by a function from request bytes (network function, command, data) to data or a
/// completion code. It counts the requests.
pub(crate) struct Responder<F> {
    respond: F,
    pub(crate) requests: usize,
}

impl<F: FnMut(&[u8]) -> Result<Vec<u8>, u8> + Send> Responder<F> {
    pub(crate) fn new(respond: F) -> Self {
        Self {
            respond,
            requests: 0,
        }
    }
}

impl<F: FnMut(&[u8]) -> Result<Vec<u8>, u8> + Send> Requester for Responder<F> {
    async fn request(&mut self, command: Command, data: &[u8]) -> Result<Vec<u8>, Error> {
        self.requests += 1;
        let sent = [&[command.function, command.number][..], data].concat();
        (self.respond)(&sent).map_err(|code| Error::Refused(Completion(code)))
    }
}
