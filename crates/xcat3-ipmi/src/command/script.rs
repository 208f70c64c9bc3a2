//! A BMC of a test: it expects requests in their order and answers as it was told.

use std::collections::VecDeque;

use crate::client::Error;
use crate::message::{Command, Completion};
use crate::requester::Requester;

/// Network function, command and data of a request, and what is answered: data, or a completion code.
type Turn<B> = (B, Result<B, u8>);

pub(crate) struct Script(VecDeque<Turn<Vec<u8>>>);

impl Script {
    pub(crate) fn new(turns: &[Turn<&[u8]>]) -> Self {
        let own = |(request, answer): &Turn<&[u8]>| (request.to_vec(), answer.map(<[u8]>::to_vec));
        Self(turns.iter().map(own).collect())
    }
}

impl Requester for Script {
    async fn request(&mut self, command: Command, data: &[u8]) -> Result<Vec<u8>, Error> {
        let (request, answer) = self.0.pop_front().expect("no more requests");
        let sent = [&[command.function, command.number][..], data].concat();
        assert_eq!(hex::encode(sent), hex::encode(request));
        answer.map_err(|code| Error::Refused(Completion(code)))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "not asked: {:02x?}", self.0);
        }
    }
}

/// A BMC that answers by a function: request bytes (network function, command, data) to data or a
/// completion code. It counts.
pub(crate) struct Answering<F> {
    answer: F,
    pub(crate) requests: usize,
}

impl<F: FnMut(&[u8]) -> Result<Vec<u8>, u8> + Send> Answering<F> {
    pub(crate) fn new(answer: F) -> Self {
        Self {
            answer,
            requests: 0,
        }
    }
}

impl<F: FnMut(&[u8]) -> Result<Vec<u8>, u8> + Send> Requester for Answering<F> {
    async fn request(&mut self, command: Command, data: &[u8]) -> Result<Vec<u8>, Error> {
        self.requests += 1;
        let sent = [&[command.function, command.number][..], data].concat();
        (self.answer)(&sent).map_err(|code| Error::Refused(Completion(code)))
    }
}
