//! A BMC whose responses are the fuzzer's bytes, whatever the request.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use xcat3_ipmi::{Command, Completion, Error, Requester};

/// A response is a length byte and as many bytes. A length of 0xf0 or more is a refusal.
pub struct Responses<'a>(pub &'a [u8]);

impl Requester for Responses<'_> {
    async fn request(&mut self, _: Command, _: &[u8]) -> Result<Vec<u8>, Error> {
        // After the last response there are only refusals.
        let (length, rest) = self.0.split_first().unwrap_or((&0xfb, &[]));
        if *length >= 0xf0 {
            self.0 = rest;
            return Err(Error::Refused(Completion(0xc0 | length & 0x0f)));
        }
        let (response, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        self.0 = rest;
        Ok(response.to_vec())
    }
}

/// The result of a future that never waits.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the future waits"),
    }
}
