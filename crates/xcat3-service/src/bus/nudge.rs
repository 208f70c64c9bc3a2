//! Nudges inside a process: any number of listeners a topic, none of which can hold up the others.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::Topic;

/// Wakes its holder up when a topic is nudged.
#[derive(Debug)]
pub struct Nudges {
    count: watch::Receiver<u64>,
    /// What must last as long as somebody listens.
    _kept: Option<Arc<dyn Any + Send + Sync>>,
}

impl Nudges {
    /// Waits until the topic was nudged since the last call (or since listening began). Many nudges
    /// in between count as one, so that a slow listener costs nothing.
    pub async fn next(&mut self) {
        if self.count.changed().await.is_err() {
            // The bus is gone, so no nudge will come.
            std::future::pending::<()>().await;
        }
    }

    /// The same, and `kept` is dropped with it.
    pub(super) fn keeping(self, kept: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            _kept: Some(kept),
            ..self
        }
    }
}

/// Who listens to what.
#[derive(Debug, Default)]
pub(super) struct Hub {
    topics: Mutex<HashMap<Topic, watch::Sender<u64>>>,
}

impl Hub {
    pub(super) fn nudge(&self, topic: Topic) {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = topics.get(&topic) {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    pub(super) fn listen(&self, topic: Topic) -> Nudges {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.retain(|_, sender| sender.receiver_count() > 0);
        Nudges {
            count: topics.entry(topic).or_default().subscribe(),
            _kept: None,
        }
    }

    /// Wakes up everybody, for when it is not known what was missed.
    pub(super) fn nudge_all(&self) {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        for sender in topics.values() {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;
    use xcat3_store::JobId;

    #[test]
    fn topics_that_nobody_listens_to_are_forgotten() {
        let hub = Hub::default();
        for _ in 0..1000 {
            drop(hub.listen(Topic::Job(JobId(Uuid::new_v4()))));
        }
        assert!(hub.topics.lock().unwrap().len() <= 1);
    }
}
