//! The body of an answer as it goes over the wire: whole, or in the ways that faults send it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// Bytes of a piece where an answer drips.
const DROP: usize = 7;
/// Bytes of a piece of a huge document.
const PIECE: usize = 64 * 1024;

/// The pause before a connection breaks, so that what was sent arrives.
const ON_THEIR_WAY: Duration = Duration::from_millis(50);

/// The body of an answer.
pub enum Payload {
    /// All of it at once.
    Whole(Bytes),
    /// A few bytes at a time with pauses between them.
    Drip {
        /// What is still to be sent.
        rest: Bytes,
        /// The pause.
        pause: Duration,
        /// The pause that runs.
        sleep: Pin<Box<Sleep>>,
    },
    /// These bytes, and then the connection breaks.
    Broken {
        /// What is sent.
        bytes: Bytes,
        /// As long as it takes for them to be on their way.
        sleep: Pin<Box<Sleep>>,
    },
    /// A JSON document of many bytes, made as it is sent.
    Huge {
        /// Bytes still to come, without the end.
        left: u64,
        /// How far it is.
        stage: Stage,
    },
}

/// Parts of a huge document.
#[derive(Clone, Copy, PartialEq)]
pub enum Stage {
    /// Its beginning was not sent yet.
    Begin,
    /// Within its one long text.
    Middle,
    /// Everything was sent.
    Done,
}

impl Payload {
    /// A body that drips.
    pub fn drip(rest: Bytes, pause: Duration) -> Self {
        let sleep = Box::pin(sleep(pause));
        Self::Drip { rest, pause, sleep }
    }

    /// A body that ends too early.
    pub fn broken(bytes: Bytes) -> Self {
        let sleep = Box::pin(sleep(ON_THEIR_WAY));
        Self::Broken { bytes, sleep }
    }

    /// A JSON document of about so many bytes.
    pub const fn huge(bytes: u64) -> Self {
        Self::Huge {
            left: bytes,
            stage: Stage::Begin,
        }
    }
}

/// The error with which a broken answer ends.
#[derive(Debug)]
pub struct BrokenOff;

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken off, as the fault says")
    }
}

impl std::error::Error for BrokenOff {}

impl Body for Payload {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let next = match self.get_mut() {
            Self::Whole(bytes) => taken(bytes),
            Self::Broken { bytes, sleep } => match taken(bytes) {
                Some(bytes) => Some(bytes),
                None => {
                    ready!(sleep.as_mut().poll(cx));
                    return Poll::Ready(Some(Err(BrokenOff)));
                }
            },
            Self::Drip { rest, pause, sleep } => {
                ready!(sleep.as_mut().poll(cx));
                sleep.as_mut().reset(Instant::now() + *pause);
                let size = rest.len().min(DROP);
                taken(&mut rest.split_to(size))
            }
            Self::Huge { left, stage } => huge(left, stage),
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Drip { rest, .. } => SizeHint::with_exact(rest.len() as u64),
            Self::Broken { .. } | Self::Huge { .. } => SizeHint::default(),
        }
    }
}

fn taken(bytes: &mut Bytes) -> Option<Bytes> {
    let bytes = std::mem::take(bytes);
    (!bytes.is_empty()).then_some(bytes)
}

fn huge(left: &mut u64, stage: &mut Stage) -> Option<Bytes> {
    static ROOM: [u8; PIECE] = [b'x'; PIECE];
    match stage {
        Stage::Begin => {
            *stage = Stage::Middle;
            Some(Bytes::from_static(b"{\"Name\":\""))
        }
        Stage::Middle if *left == 0 => {
            *stage = Stage::Done;
            Some(Bytes::from_static(b"\"}"))
        }
        Stage::Middle => {
            let size = usize::try_from(*left).map_or(PIECE, |left| left.min(PIECE));
            *left -= size as u64;
            Some(Bytes::from_static(&ROOM[..size]))
        }
        Stage::Done => None,
    }
}
