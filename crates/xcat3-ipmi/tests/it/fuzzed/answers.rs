//! A BMC that answers requests with what the fuzzer's bytes say, whatever was asked.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use xcat3_ipmi::{Command, Completion, Error, Requester};

/// A piece of the bytes an answer: its length, then it. A length of 0xf0 and more is a refusal.
pub struct Answers<'a>(pub &'a [u8]);

impl Requester for Answers<'_> {
    async fn request(&mut self, _: Command, _: &[u8]) -> Result<Vec<u8>, Error> {
        // After the last there is nothing but refusals.
        let (length, rest) = self.0.split_first().unwrap_or((&0xfb, &[]));
        if *length >= 0xf0 {
            self.0 = rest;
            return Err(Error::Refused(Completion(0xc0 | length & 0x0f)));
        }
        let (answer, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        self.0 = rest;
        Ok(answer.to_vec())
    }
}

/// What comes of a future that never waits.
pub fn outcome<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits"),
    }
}
