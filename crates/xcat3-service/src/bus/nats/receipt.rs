//! What a worker says about a message that it holds: still at it, done, or given back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::Subject;
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::connection::{ANSWER, Link};
use super::queue::Made;
use crate::bus::{BusError, Receipt};

/// A message that is held. Its answers name it by its number in the stream, so they are withheld
/// once the stream is another one (the broker lost it), where that number is another message.
pub(super) struct Held {
    pub(super) link: Arc<Link>,
    pub(super) post: Post,
    /// The subject for answers.
    pub(super) reply: Subject,
    /// The stream that it came from.
    pub(super) stream: Made,
    /// The stream that there is; none while that is not known.
    pub(super) current: watch::Receiver<Option<Made>>,
    pub(super) patience: Duration,
    pub(super) since: Mutex<Instant>,
    pub(super) done: AtomicBool,
}

impl Held {
    fn sign(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Whether the broker still takes us for alive, with some time to spare. After that the message
    /// may be another's.
    fn is_ours(&self) -> bool {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.elapsed() < self.patience * 3 / 4
    }

    fn is_there(&self) -> bool {
        *self.current.borrow() == Some(self.stream)
    }
}

#[async_trait]
impl Receipt for Held {
    async fn in_progress(&self) -> Result<(), BusError> {
        self.link.check()?;
        if self.is_there() {
            self.link.send(self.reply.to_string(), "+WPI").await?;
            self.sign();
        }
        Ok(())
    }

    async fn acknowledge(&self) -> Result<(), BusError> {
        self.link.check()?;
        let mut current = self.current.clone();
        let known = current.wait_for(Option::is_some);
        let stream = *self.link.within(ANSWER, known).await?;
        self.done.store(true, Ordering::Relaxed);
        if stream == Some(self.stream) {
            let payload = Bytes::from_static(b"+ACK");
            let confirmed = self.link.client.request(self.reply.clone(), payload);
            self.link.within(ANSWER, confirmed).await?;
        }
        Ok(())
    }

    fn is_fresh(&self) -> bool {
        self.is_ours()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.done.load(Ordering::Relaxed) && self.is_ours() && self.is_there() {
            self.post.give_back(self.reply.clone());
        }
    }
}

/// Sends what is said while dropping, where nothing can be waited for.
#[derive(Clone)]
pub(super) struct Post(mpsc::UnboundedSender<Letter>);

enum Letter {
    Say(Subject, &'static str),
    Flush(oneshot::Sender<()>),
}

impl Post {
    /// Its task ends with the last who may write. There are never more letters than deliveries.
    pub(super) fn start(link: Arc<Link>) -> Self {
        let (sender, mut letters) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(letter) = letters.recv().await {
                match letter {
                    // Where the bus is away it gives the work to another by itself.
                    Letter::Say(reply, what) => {
                        let _ = link.send(reply.to_string(), what).await;
                    }
                    Letter::Flush(done) => {
                        let _ = link.within(ANSWER, link.client.flush()).await;
                        let _ = done.send(());
                    }
                }
            }
        });
        Self(sender)
    }

    fn give_back(&self, reply: Subject) {
        let _ = self.0.send(Letter::Say(reply, "-NAK"));
    }

    /// Has the broker forget a message that is not to be worked on.
    pub(super) fn refuse(&self, reply: Subject) {
        let _ = self.0.send(Letter::Say(reply, "+TERM"));
    }

    /// Waits, not for long, until all was handed to the broker.
    pub(super) async fn close(&self) {
        let (done, sent) = oneshot::channel();
        let _ = self.0.send(Letter::Flush(done));
        let _ = tokio::time::timeout(ANSWER, sent).await;
    }
}
