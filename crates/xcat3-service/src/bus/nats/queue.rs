//! The queue of a lane in JetStream: its stream, its consumer, and how work is named in it.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{
    CreateStreamError, CreateStreamErrorKind, PublishError, PublishErrorKind,
};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{self, ErrorCode};
use xcat3_core::Lane;

use super::NatsSettings;
use super::connection::{ANSWER, Link};
use crate::bus::{BusError, Work};

/// The durable consumer that all workers share.
const CONSUMER: &str = "workers";
/// Bytes of a message at most; ours have none but their subject.
const LARGEST: i32 = 1024;
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
                {
                    let _turn = self.making.lock().await;
                    self.stream().await?;
                }
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

    /// The stream of the lane, made where it is not there.
    pub(super) async fn stream(&self) -> Result<Stream, BusError> {
        let jetstream = &self.link.jetstream;
        let config = self.stream_config();
        let made = self
            .in_time(jetstream.create_stream(config.clone()))
            .await?;
        match made {
            Ok(stream) => return Ok(stream),
            // It is there with other limits or replicas: those of who came last count.
            Err(error) if is_taken(&error) => {}
            Err(error) => return Err(self.link.unavailable(error)),
        }
        let changed = self.in_time(jetstream.update_stream(config)).await?;
        changed.map_err(|error| self.link.unavailable(error))?;
        let found = self.in_time(jetstream.get_stream(self.name())).await?;
        found.map_err(|error| self.link.unavailable(error))
    }

    /// The consumer of the lane and when its stream was made; both are made where they are not there.
    pub(super) async fn consumer(&self) -> Result<(PullConsumer, Made), BusError> {
        let stream = self.stream().await?;
        let made = stream.cached_info().created.unix_timestamp_nanos();
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
        let consumer = consumer.map_err(|error| self.link.unavailable(error))?;
        Ok((consumer, made))
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

fn is_taken(error: &CreateStreamError) -> bool {
    matches!(error.kind(), CreateStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NAME_EXIST)
}
