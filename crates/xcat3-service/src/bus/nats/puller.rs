//! Takes work from the queue of a lane for the workers of this process that wait for some.
//!
//! A request for one message is at the broker for each worker that waits, and no more: what this
//! process has no hands for stays in the queue for other hosts. Between the broker and a worker a
//! message lies in a list from which the worker takes it without waiting, so none is lost with a
//! worker that stops waiting. What nobody takes is given back.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Subscriber;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::BatchConfig;
use async_nats::{Message, jetstream};
use futures::StreamExt;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::connection::HANDING_OVER;
use super::queue::{Made, Queue};
use super::receipt::{Held, Post};
use crate::bus::{BusError, Delivery};

/// How long a request for work waits at the broker before it is made again.
const REQUEST: Duration = Duration::from_secs(5);
/// How much later than that its answer may come.
const LATE: Duration = Duration::from_secs(2);
/// How long a message waits for a worker before it is given back.
const UNTAKEN: Duration = Duration::from_millis(200);
/// Before a queue that made trouble is opened again.
const PAUSE: Duration = Duration::from_millis(200);
/// Requests of a process that are at the broker at once.
const MOST_REQUESTS: usize = 256;
/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(1);

/// The workers of a lane and what was taken for them.
pub(super) struct Puller {
    shared: Arc<Shared>,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

struct Shared {
    queue: Queue,
    post: Post,
    hand: Mutex<Hand>,
    /// Wakes a worker: there is something in the hand.
    ready: Notify,
    /// Wakes the task that pulls: a worker waits.
    wanted: Notify,
    /// The stream that there is, as far as is known.
    stream: watch::Sender<Option<Made>>,
    closing: CancellationToken,
}

/// How many workers wait, and what was taken for them, each with the time when it came.
#[derive(Default)]
struct Hand {
    waiting: usize,
    taken: VecDeque<(Instant, Delivery)>,
}

/// A worker that waits.
struct Waiting<'a>(&'a Shared);

/// What a message on the subject for answers is.
enum Heard {
    /// The answer to a request: work, or that there is none.
    Answer,
    /// The queue has to be opened again.
    Trouble(String),
}

impl Puller {
    pub(super) fn new(queue: Queue, post: Post) -> Self {
        let shared = Shared {
            queue,
            post,
            hand: Mutex::default(),
            ready: Notify::new(),
            wanted: Notify::new(),
            stream: watch::Sender::new(None),
            closing: CancellationToken::new(),
        };
        Self {
            shared: Arc::new(shared),
            task: Mutex::default(),
        }
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.shared.queue
    }

    /// The next message. Cancel safe.
    pub(super) async fn next(&self) -> Delivery {
        self.start();
        let _waiting = Waiting::new(&self.shared);
        loop {
            if let Some(delivery) = self.shared.take() {
                self.shared.ready.notify_one();
                return delivery;
            }
            self.shared.ready.notified().await;
        }
    }

    /// Asks for no more and gives back what nobody took.
    pub(super) async fn close(&self) {
        self.shared.closing.cancel();
        let task = self.task().take();
        if let Some(task) = task {
            let _ = tokio::time::timeout(CLOSING, task).await;
        }
        self.shared.hand().taken.clear();
    }

    fn start(&self) {
        let mut task = self.task();
        let runs = task.as_ref().is_some_and(|task| !task.is_finished());
        if !runs && !self.shared.closing.is_cancelled() {
            let pulling = self.shared.clone().pull();
            *task = Some(AbortOnDropHandle::new(tokio::spawn(pulling)));
        }
    }

    fn task(&self) -> MutexGuard<'_, Option<AbortOnDropHandle<()>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.hand().waiting += 1;
        shared.wanted.notify_one();
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.hand().waiting -= 1;
    }
}

impl Shared {
    fn hand(&self) -> MutexGuard<'_, Hand> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest in the hand that is still ours. A process that stood still may find others.
    fn take(&self) -> Option<Delivery> {
        let mut hand = self.hand();
        while let Some((_, delivery)) = hand.taken.pop_front() {
            if delivery.receipt.is_fresh() {
                return Some(delivery);
            }
        }
        None
    }

    /// How many messages are to be asked for beside those that `asked` will bring.
    fn lacking(&self, asked: usize) -> usize {
        let hand = self.hand();
        let wanted = hand.waiting.min(MOST_REQUESTS);
        wanted.saturating_sub(hand.taken.len() + asked)
    }

    /// Gives back what nobody took in time; says when the next is due.
    fn give_back_untaken(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut hand = self.hand();
        while hand
            .taken
            .front()
            .is_some_and(|(came, _)| now >= *came + UNTAKEN)
        {
            hand.taken.pop_front();
        }
        hand.taken.front().map(|(came, _)| *came + UNTAKEN)
    }

    /// Pulls until it is closed: opens the queue at each connection, then serves the workers.
    async fn pull(self: Arc<Self>) {
        let closing = self.closing.clone();
        let mut said = false;
        let mut connection = self.queue.link.watch();
        let pulling = async {
            loop {
                self.stream.send_replace(None);
                if connection.wait_for(|made| *made > 0).await.is_err() {
                    return;
                }
                connection.mark_unchanged();
                let trouble = match self.queue.open().await {
                    Ok((consumer, made)) => {
                        self.stream.send_replace(Some(made));
                        self.serve(&consumer, made, &mut connection).await
                    }
                    Err(error) => Err(error),
                };
                match trouble {
                    Ok(()) => said = false,
                    Err(error) => {
                        if !said {
                            tracing::warn!(%error, "no work is taken from the message bus");
                        }
                        said = true;
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        };
        closing.run_until_cancelled(pulling).await;
    }

    /// Asks for what is wanted and takes what comes, until the connection is another one.
    async fn serve(
        &self,
        consumer: &PullConsumer,
        made: Made,
        connection: &mut watch::Receiver<u64>,
    ) -> Result<(), BusError> {
        let link = &self.queue.link;
        let inbox = link.client.new_inbox();
        let subscribing = link.client.subscribe(inbox.clone());
        let mut answers: Subscriber = link.within(HANDING_OVER, subscribing).await?;
        // When each request that was made is over at the latest.
        let mut asked: VecDeque<Instant> = VecDeque::new();
        loop {
            while self.lacking(asked.len()) > 0 {
                let request = BatchConfig {
                    batch: 1,
                    expires: Some(REQUEST),
                    ..BatchConfig::default()
                };
                let asking = consumer.request_batch(request, inbox.clone().into());
                link.within(HANDING_OVER, asking).await?;
                asked.push_back(Instant::now() + REQUEST + LATE);
            }
            let untaken = self.give_back_untaken();
            tokio::select! {
                message = answers.next() => match message.map(|message| self.hear(message, made)) {
                    Some(Heard::Answer) => drop(asked.pop_front()),
                    Some(Heard::Trouble(reason)) => return Err(link.unavailable(reason)),
                    None => return Err(link.unavailable("the connection ended")),
                },
                () = self.wanted.notified() => {}
                _ = connection.changed() => return Ok(()),
                () = at(asked.front().copied()) => drop(asked.pop_front()),
                () = at(untaken) => {}
            }
        }
    }

    fn hear(&self, message: Message, made: Made) -> Heard {
        match message.status.map(|status| status.as_u16()) {
            None => {
                if let Some(delivery) = self.delivery(message, made) {
                    self.hand().taken.push_back((Instant::now(), delivery));
                    self.ready.notify_one();
                }
                Heard::Answer
            }
            // There was nothing, in the time that was given.
            Some(404 | 408) => Heard::Answer,
            Some(status) => Heard::Trouble(match message.description {
                Some(text) => format!("{status} {text}"),
                None => format!("status {status}"),
            }),
        }
    }

    /// The delivery that a message is; nothing where it is not ours, which is told.
    fn delivery(&self, message: Message, made: Made) -> Option<Delivery> {
        let link = self.queue.link.clone();
        let message = jetstream::Message {
            context: link.jetstream.clone(),
            message,
        };
        let attempt = message.info().ok().map(|info| info.delivered);
        let attempt = attempt.map(|attempt| u32::try_from(attempt).unwrap_or(u32::MAX));
        let work = self.queue.work(&message.subject);
        let (Some(work), Some(attempt), Some(reply)) = (work, attempt, message.reply.clone())
        else {
            tracing::error!(subject = %message.subject, "a message on the bus that is no work of xcat3");
            if let Some(reply) = message.message.reply {
                self.post.refuse(reply);
            }
            return None;
        };
        let held = Held {
            link,
            post: self.post.clone(),
            reply,
            stream: made,
            current: self.stream.subscribe(),
            patience: self.queue.patience,
            since: Mutex::new(Instant::now()),
            done: AtomicBool::new(false),
        };
        Some(Delivery {
            work,
            attempt,
            patience: self.queue.patience,
            receipt: Box::new(held),
        })
    }
}

/// Waits until `instant`, or for ever where there is none.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
