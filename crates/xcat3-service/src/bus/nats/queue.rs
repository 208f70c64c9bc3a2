//! The queue of a lane in JetStream: its stream, its consumer, and how work is named in it.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{
    GetStreamError, GetStreamErrorKind, PublishError, PublishErrorKind,
};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{self, ErrorCode};
use xcat3_core::Lane;

use super::NatsSettings;
use super::connection::{ANSWER, Link};
use super::turn::{CLAIMING, Turn};
use crate::bus::{BusError, Work};

/// The durable consumer that all workers share.
const CONSUMER: &str = "workers";
/// Bytes of a message at most; ours have none but their subject.
const LARGEST: i32 = 1024;
/// How often one looks whether it was made before giving up for now.
const ROUNDS: usize = 10;
/// How many requests for work may wait at the broker: workers of all hosts together.
const MOST_WAITING: i64 = 8_192;

/// When a stream was made, which tells it from one of the same name that was lost.
pub(super) type Made = i128;

/// The queue of a lane.
pub(super) struct Queue {
    pub(super) link: Arc<Link>,
    pub(super) patience: Duration,
    lane: Lane,
    most_queued: i64,
    replicas: usize,
    making: tokio::sync::Mutex<()>,
}

impl Queue {
    pub(super) fn new(lane: Lane, settings: &NatsSettings, link: Arc<Link>) -> Self {
        Self {
            link,
            patience: settings.patience,
            lane,
            most_queued: settings.most_queued,
            replicas: settings.bus.replicas.get(),
            making: tokio::sync::Mutex::default(),
        }
    }

    /// Appends `work`, unless it is queued or held.
    pub(super) async fn put(&self, work: Work) -> Result<(), BusError> {
        match self.publish(work).await {
            Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                self.open().await?;
                self.published(self.publish(work).await)
            }
            result => self.published(result),
        }
    }

    async fn publish(&self, work: Work) -> Result<(), PublishError> {
        let jetstream = &self.link.jetstream;
        let message = PublishMessage::build();
        let acknowledged = jetstream.send_publish(self.subject(work), message).await?;
        acknowledged.await.map(|_| ())
    }

    fn published(&self, result: Result<(), PublishError>) -> Result<(), BusError> {
        let Err(error) = result else {
            return Ok(());
        };
        match refusal(&error) {
            Some(Refusal::ThereAlready) => Ok(()),
            Some(Refusal::Full) => Err(BusError::Full(1)),
            None => Err(self.link.unavailable(error)),
        }
    }

    /// The consumer of the lane and when its stream was made; both are made where they are not there.
    pub(super) async fn open(&self) -> Result<(PullConsumer, Made), BusError> {
        // Of this process one at a time; of others see `turn`.
        let _mine = self.making.lock().await;
        for _ in 0..ROUNDS {
            if let Some(found) = self.find().await? {
                return Ok(found);
            }
            match Turn::claim(&self.link, self.lane.as_str()).await? {
                Some(turn) => turn.make(self.make()).await?,
                None => tokio::time::sleep(CLAIMING).await,
            }
        }
        Err(self
            .link
            .unavailable("its queue is being made by another service"))
    }

    /// Stream and consumer where both are there and as they are wanted.
    async fn find(&self) -> Result<Option<(PullConsumer, Made)>, BusError> {
        let Some(stream) = self.find_stream().await? else {
            return Ok(None);
        };
        let made = stream.cached_info().created.unix_timestamp_nanos();
        let consumer = self
            .in_time(stream.get_consumer::<pull::Config>(CONSUMER))
            .await?;
        let consumer = consumer.ok().filter(|consumer| {
            let config = &consumer.cached_info().config;
            config.ack_wait == self.patience
        });
        let wanted = self.is_wanted(&stream.cached_info().config);
        Ok(consumer.filter(|_| wanted).map(|consumer| (consumer, made)))
    }

    async fn find_stream(&self) -> Result<Option<Stream>, BusError> {
        let finding = self.link.jetstream.get_stream(self.name());
        match self.in_time(finding).await? {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.link.unavailable(error)),
        }
    }

    /// Makes stream and consumer. Of limits and replicas those of who came last count.
    async fn make(&self) -> Result<(), BusError> {
        let jetstream = &self.link.jetstream;
        let config = self.stream_config();
        let stream = match self.find_stream().await? {
            None => {
                let stream = self.in_time(jetstream.create_stream(config)).await?;
                stream.map_err(|error| self.link.unavailable(error))?
            }
            Some(stream) if self.is_wanted(&stream.cached_info().config) => stream,
            Some(stream) => {
                let changed = self.in_time(jetstream.update_stream(config)).await?;
                changed.map_err(|error| self.link.unavailable(error))?;
                stream
            }
        };
        let consumer = stream.create_consumer(pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.patience,
            // The conductor counts attempts and gives up.
            max_deliver: -1,
            max_ack_pending: -1,
            max_waiting: MOST_WAITING,
            ..pull::Config::default()
        });
        let consumer = self.in_time(consumer).await?;
        consumer.map_err(|error| self.link.unavailable(error))?;
        Ok(())
    }

    fn is_wanted(&self, config: &stream::Config) -> bool {
        config.max_messages == self.most_queued && config.num_replicas == self.replicas
    }

    async fn in_time<T>(&self, doing: impl Future<Output = T>) -> Result<T, BusError> {
        let timely = tokio::time::timeout(ANSWER * 2, doing).await;
        timely.map_err(|_| self.link.unavailable("it does not answer"))
    }

    fn stream_config(&self) -> stream::Config {
        stream::Config {
            name: self.name(),
            subjects: vec![format!("{}.>", self.subjects())],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            num_replicas: self.replicas,
            // A batch is there at most once, and what does not fit is refused, not what waits lost.
            max_messages_per_subject: 1,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            max_messages: self.most_queued,
            max_bytes: -1,
            max_message_size: LARGEST,
            max_consumers: -1,
            ..stream::Config::default()
        }
    }

    fn name(&self) -> String {
        format!("{}-work-{}", self.link.prefix, self.lane.as_str())
    }

    fn subjects(&self) -> String {
        format!("{}.work.{}", self.link.prefix, self.lane.as_str())
    }

    fn subject(&self, work: Work) -> String {
        format!("{}.{}.{}", self.subjects(), work.job, work.batch)
    }

    /// The work that a subject names; nothing where it is not ours.
    pub(super) fn work(&self, subject: &str) -> Option<Work> {
        let rest = subject.strip_prefix(&self.subjects())?.strip_prefix('.')?;
        let (job, batch) = rest.split_once('.')?;
        let work = Work {
            job: job.parse().ok()?,
            batch: batch.parse().ok()?,
            lane: self.lane,
        };
        // One name for one batch only.
        (self.subject(work) == subject).then_some(work)
    }
}

enum Refusal {
    ThereAlready,
    Full,
}

/// Why the broker refused to store a message, where it says that a limit was reached. It gives both
/// limits one number and tells them apart by its words.
fn refusal(error: &PublishError) -> Option<Refusal> {
    let source = std::error::Error::source(error)?;
    let error = source.downcast_ref::<jetstream::Error>()?;
    if error.error_code() != ErrorCode::STREAM_STORE_FAILED {
        return None;
    }
    let text = error.to_string();
    if text.contains("per subject") {
        Some(Refusal::ThereAlready)
    } else {
        text.contains("maximum").then_some(Refusal::Full)
    }
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}
