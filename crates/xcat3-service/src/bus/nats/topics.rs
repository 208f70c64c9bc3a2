//! Nudges between processes: a message without content a nudge, a subscription of this process a topic
//! that somebody in it listens to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_nats::client::{RequestError, RequestErrorKind};
use async_nats::connection::State as Connection;
use bytes::Bytes;
use futures::StreamExt;
use tokio_util::task::AbortOnDropHandle;

use super::connection::{ANSWER, HANDING_OVER, Link};
use crate::bus::{BusError, Nudges, Topic};

/// Who listens to what.
pub(super) struct Topics {
    link: Arc<Link>,
    subscriptions: Arc<Mutex<Subscriptions>>,
}

type Subscriptions = HashMap<Topic, Weak<Subscription>>;

/// A subscription at the broker. It ends when the last listener of this process is dropped.
struct Subscription {
    topic: Topic,
    all: Arc<Mutex<Subscriptions>>,
    _task: AbortOnDropHandle<()>,
}

impl Topics {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            subscriptions: Arc::default(),
        }
    }

    /// Wakes up who listens in this process, then those in others.
    pub(super) async fn nudge(&self, topic: Topic) -> Result<(), BusError> {
        self.link.hub.nudge(topic);
        self.link.send(self.subject(topic), "").await
    }

    /// While the broker is away, this hears what happens in this process, and everything once the
    /// broker is back.
    pub(super) async fn listen(&self, topic: Topic) -> Result<Nudges, BusError> {
        let nudges = self.link.hub.listen(topic);
        let subscription = match self.existing(topic) {
            Some(subscription) => subscription,
            None => self.subscribe(topic).await?,
        };
        if self.link.client.connection_state() == Connection::Connected {
            self.round_trip().await?;
        }
        Ok(nudges.keeping(subscription))
    }

    async fn subscribe(&self, topic: Topic) -> Result<Arc<Subscription>, BusError> {
        let subscribing = self.link.client.subscribe(self.subject(topic));
        let mut messages = self.link.within(HANDING_OVER, subscribing).await?;
        let hub = self.link.hub.clone();
        let task = tokio::spawn(async move {
            while messages.next().await.is_some() {
                hub.nudge(topic);
            }
        });
        let subscription = Arc::new(Subscription {
            topic,
            all: self.subscriptions.clone(),
            _task: AbortOnDropHandle::new(task),
        });
        let weak = Arc::downgrade(&subscription);
        held(&self.subscriptions).insert(topic, weak);
        Ok(subscription)
    }

    fn existing(&self, topic: Topic) -> Option<Arc<Subscription>> {
        held(&self.subscriptions).get(&topic)?.upgrade()
    }

    /// Returns when the broker has seen all that was sent before: a question that nobody answers,
    /// which the broker says at once.
    async fn round_trip(&self) -> Result<(), BusError> {
        let subject = format!("{}.nobody", self.link.prefix);
        let asked = async {
            match self.link.client.request(subject, Bytes::new()).await {
                Err(error) if error.kind() != RequestErrorKind::NoResponders => Err(error),
                _ => Ok::<(), RequestError>(()),
            }
        };
        self.link.within(ANSWER, asked).await
    }

    fn subject(&self, topic: Topic) -> String {
        let prefix = &self.link.prefix;
        match topic {
            Topic::Job(id) => format!("{prefix}.nudge.job.{id}"),
            Topic::Changes => format!("{prefix}.nudge.changes"),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut all = held(&self.all);
        // Another may have taken its place.
        if all
            .get(&self.topic)
            .is_some_and(|weak| weak.strong_count() == 0)
        {
            all.remove(&self.topic);
        }
    }
}

fn held(subscriptions: &Mutex<Subscriptions>) -> MutexGuard<'_, Subscriptions> {
    subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
}
