//! The bus over a NATS server with JetStream, 2.9 or newer, for services on several hosts.
//!
//! Each lane is a stream with work-queue retention on file storage ([`queue`]) and one durable pull
//! consumer, from which each process asks for as many messages as it has workers waiting ([`puller`]).
//! A batch is a subject of its own of which the stream keeps one message: publishing work that is
//! queued or held is refused by the broker, so publishing again is harmless and takes no space. There
//! is no window of remembered message ids beside that rule: it would refuse what may come again.
//!
//! Nudges are core NATS messages, kept nowhere ([`topics`]).
//!
//! What is not here: the database of who does what. A stream that was wiped, or was full, is filled
//! again from the store by the conductors.

mod connection;
mod puller;
mod queue;
mod receipt;
mod topics;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use xcat3_core::Lane;

use super::{Bus, BusError, BusSettings, Delivery, Nudges, Topic, Work};
use connection::Link;
use puller::Puller;
use queue::Queue;
use receipt::Post;
use topics::Topics;

/// How long a worker may be silent before its work goes to another.
const PATIENCE: Duration = Duration::from_secs(30);
/// Batches that wait in a lane at most: of 1,000 nodes each, a hundred million nodes.
const MOST_QUEUED: i64 = 100_000;
/// How many publications wait for their acknowledgement at once.
const IN_FLIGHT: usize = 256;

/// What a bus over NATS is made with.
#[derive(Clone, Debug)]
pub struct NatsSettings {
    /// Where the broker is and what it is told.
    pub bus: BusSettings,
    /// How long a worker may be silent before its work goes to another.
    pub patience: Duration,
    /// How many batches may be in a lane; more are refused.
    pub most_queued: i64,
}

impl NatsSettings {
    /// The settings of a service by its configuration.
    #[must_use]
    pub fn of(bus: &BusSettings) -> Self {
        Self {
            bus: bus.clone(),
            patience: PATIENCE,
            most_queued: MOST_QUEUED,
        }
    }
}

/// A bus over NATS: one connection of this process, which comes back by itself.
pub struct Nats {
    link: Arc<Link>,
    hardware: Puller,
    provisioning: Puller,
    post: Post,
    topics: Topics,
}

impl Nats {
    /// A bus over the broker that `settings` name. It need not be there yet: connecting goes on until
    /// it is, and meanwhile the bus says that it is unavailable.
    ///
    /// # Errors
    /// The settings can't be meant: [`BusError::Misconfigured`].
    pub async fn connect(settings: NatsSettings) -> Result<Self, BusError> {
        let link = Arc::new(Link::open(&settings.bus).await?);
        let post = Post::start(link.clone());
        let puller = |lane| {
            let queue = Queue::new(lane, &settings, link.clone());
            Puller::new(queue, post.clone())
        };
        Ok(Self {
            hardware: puller(Lane::Hardware),
            provisioning: puller(Lane::Provisioning),
            topics: Topics::new(link.clone()),
            post,
            link,
        })
    }

    fn puller(&self, lane: Lane) -> &Puller {
        match lane {
            Lane::Hardware => &self.hardware,
            Lane::Provisioning => &self.provisioning,
        }
    }
}

#[async_trait]
impl Bus for Nats {
    async fn publish(&self, work: &[Work]) -> Result<(), BusError> {
        if work.is_empty() {
            return Ok(());
        }
        self.link.check()?;
        let put = |work: Work| async move { self.puller(work.lane).queue().put(work).await };
        let mut published = stream::iter(work.iter().copied())
            .map(put)
            .buffer_unordered(IN_FLIGHT);
        let mut refused = 0;
        while let Some(result) = published.next().await {
            match result {
                Ok(()) => {}
                Err(BusError::Full(more)) => refused += more,
                // What the broker did not answer to is published again by the conductors.
                Err(error) => return Err(error),
            }
        }
        match refused {
            0 => Ok(()),
            refused => Err(BusError::Full(refused)),
        }
    }

    async fn next_work(&self, lane: Lane) -> Result<Delivery, BusError> {
        Ok(self.puller(lane).next().await)
    }

    async fn nudge(&self, topic: Topic) -> Result<(), BusError> {
        self.topics.nudge(topic).await
    }

    async fn listen(&self, topic: Topic) -> Result<Nudges, BusError> {
        self.topics.listen(topic).await
    }

    async fn check(&self) -> Result<(), BusError> {
        self.link.check()
    }

    async fn close(&self) {
        tokio::join!(self.hardware.close(), self.provisioning.close());
        self.post.close().await;
    }
}
