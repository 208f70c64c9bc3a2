//! The place of a process among the workers of its host, and what it is about there: whether it
//! serves, or what it waits for.
//!
//! Services say it, whoever started the process listens: the parent of a worker, or systemd.

use tokio::sync::watch;
use uuid::Uuid;

/// What a process is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// It starts, and waits for nothing that it could name.
    #[default]
    Starting,
    /// It starts, and waits for what the sentence names.
    Waiting(String),
    /// It does what it is there for.
    Serving,
}

/// The place of a process among the workers of its host. Clones are the same place.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The name of the host.
    pub hostname: String,
    /// The number of the worker, from 0.
    pub worker: u32,
    /// How many workers there are to be.
    pub workers: u32,
    /// Made for this run of it.
    pub instance: Uuid,
    condition: watch::Sender<Condition>,
}

impl Slot {
    /// A place for one run of a worker.
    #[must_use]
    pub fn new(hostname: &str, worker: u32, workers: u32, instance: Uuid) -> Self {
        Self {
            hostname: hostname.to_owned(),
            worker,
            workers,
            instance,
            condition: watch::Sender::default(),
        }
    }

    /// The place of a service that is alone of its kind on its host.
    #[must_use]
    pub fn alone(hostname: &str) -> Self {
        Self::new(hostname, 0, 1, Uuid::new_v4())
    }

    /// The worker as reservations name it: `HOST/NUMBER`.
    #[must_use]
    pub fn owner(&self) -> String {
        format!("{}/{}", self.hostname, self.worker)
    }

    /// Says that the service serves from now on.
    pub fn serving(&self) {
        self.turn(Condition::Serving);
    }

    /// Says what the service waits for before it can serve.
    pub fn waiting(&self, sentence: &str) {
        self.turn(Condition::Waiting(sentence.to_owned()));
    }

    fn turn(&self, next: Condition) {
        self.condition.send_if_modified(|now| {
            let changed = *now != next;
            *now = next;
            changed
        });
    }

    /// What it is about, now and from now on.
    #[must_use]
    pub fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    /// Returns once it serves.
    pub async fn until_serving(&self) {
        let mut condition = self.condition();
        // It can't end before the condition does: the slot holds the sender.
        let _ = condition
            .wait_for(|condition| *condition == Condition::Serving)
            .await;
    }
}
