//! The bus over a NATS server that dies, is wiped, is full or is not there yet.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::time::timeout;
use uuid::Uuid;
use xcat3_backing::Nats as Server;
use xcat3_core::{ControlOperation, Lane, NodeName, Operation, Outcome, PowerTarget};
use xcat3_service::bus::{
    BusError, BusSettings, Delivery, Nats, NatsSettings, Nudges, Topic, Work,
};
use xcat3_service::{Bus, JobRequest, Jobs};
use xcat3_store::{JobId, Store};

use super::PATIENCE;

/// Within this something happens, or it never will.
const SOON: Duration = Duration::from_secs(30);
/// A bus that is away says so within this, many times what it takes.
const QUICKLY: Duration = Duration::from_secs(5);

fn settings(url: &str, prefix: &str) -> NatsSettings {
    let bus = BusSettings {
        url: Some(url.to_owned()),
        prefix: prefix.to_owned(),
        ..BusSettings::default()
    };
    NatsSettings {
        patience: PATIENCE,
        ..NatsSettings::of(&bus)
    }
}

fn new_prefix() -> String {
    format!("test-{}", Uuid::new_v4().simple())
}

async fn connected(url: &str, prefix: &str) -> Nats {
    let bus = Nats::connect(settings(url, prefix)).await.unwrap();
    until("connected", async || {
        bus.nudge(Topic::Changes).await.is_ok()
    })
    .await;
    bus
}

/// A bus that nobody used before, on the server of all tests.
pub(crate) async fn bus() -> Nats {
    connected(&Server::shared_url().unwrap(), &new_prefix()).await
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !condition().await {
        assert!(Instant::now() < end, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn works(count: i64) -> Vec<Work> {
    let (job, lane) = (JobId(Uuid::new_v4()), Lane::Hardware);
    (0..count).map(|batch| Work { job, batch, lane }).collect()
}

async fn take(bus: &Nats) -> Delivery {
    let taken = timeout(SOON, bus.next_work(Lane::Hardware)).await;
    taken.expect("there is work").unwrap()
}

/// Publishes until the broker took it.
async fn publish(bus: &Nats, works: &[Work]) {
    until("published", async || bus.publish(works).await.is_ok()).await;
}

/// Who publishes and who works are two connections, as on two hosts.
pub(crate) struct Apart {
    here: Nats,
    there: Nats,
}

impl Apart {
    pub(crate) async fn new() -> Self {
        let (url, prefix) = (Server::shared_url().unwrap(), new_prefix());
        Self {
            here: connected(&url, &prefix).await,
            there: connected(&url, &prefix).await,
        }
    }
}

#[async_trait]
impl Bus for Apart {
    async fn publish(&self, work: &[Work]) -> Result<(), BusError> {
        self.here.publish(work).await
    }

    async fn next_work(&self, lane: Lane) -> Result<Delivery, BusError> {
        self.there.next_work(lane).await
    }

    async fn nudge(&self, topic: Topic) -> Result<(), BusError> {
        self.here.nudge(topic).await
    }

    async fn listen(&self, topic: Topic) -> Result<Nudges, BusError> {
        self.there.listen(topic).await
    }

    async fn close(&self) {
        self.here.close().await;
        self.there.close().await;
    }
}

#[tokio::test]
#[ignore = "real: NATS"]
async fn work_of_a_process_that_died_goes_to_another() {
    let (url, prefix) = (Server::shared_url().unwrap(), new_prefix());
    let bus = connected(&url, &prefix).await;
    let works = works(3);
    publish(&bus, &works).await;
    let dies = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let died = runtime.block_on(async {
            let bus = connected(&url, &prefix).await;
            let delivery = take(&bus).await;
            let work = delivery.work();
            // A process that is killed gives nothing back.
            std::mem::forget((delivery, bus));
            work
        });
        runtime.shutdown_background();
        died
    });
    let died = tokio::task::spawn_blocking(|| dies.join().unwrap())
        .await
        .unwrap();
    let mut attempts = HashMap::new();
    for _ in 0..3 {
        let delivery = take(&bus).await;
        attempts.insert(delivery.work(), delivery.attempt());
        delivery.acknowledge().await.unwrap();
    }
    let expected = works
        .iter()
        .map(|work| (*work, 1 + u32::from(*work == died)));
    assert_eq!(attempts, expected.collect());
}

#[tokio::test]
#[ignore = "real: NATS"]
async fn a_full_queue_refuses_and_loses_nothing() {
    let url = Server::shared_url().unwrap();
    let mut settings = settings(&url, &new_prefix());
    settings.most_queued = 5;
    let bus = Nats::connect(settings).await.unwrap();
    let works = works(12);
    until("connected", async || {
        !matches!(
            bus.publish(&works[..1]).await,
            Err(BusError::Unavailable(_))
        )
    })
    .await;
    let refused = bus.publish(&works).await;
    assert!(matches!(refused, Err(BusError::Full(7))), "{refused:?}");
    let refused = bus.publish(&works[..5]).await;
    assert!(refused.is_ok(), "what is there is no news: {refused:?}");
    let elsewhere = Work {
        lane: Lane::Provisioning,
        ..works[0]
    };
    bus.publish(&[elsewhere])
        .await
        .expect("the other lane has room");
    // The worker goes on while who publishes tries again.
    let mut done = HashSet::new();
    while done.len() < works.len() {
        let delivery = take(&bus).await;
        assert!(done.insert(delivery.work()), "once each");
        delivery.acknowledge().await.unwrap();
        let left: Vec<Work> = works
            .iter()
            .filter(|work| !done.contains(work))
            .copied()
            .collect();
        let _ = bus.publish(&left).await;
    }
}

#[tokio::test]
#[ignore = "real: NATS"]
async fn a_broker_that_is_away_is_told_of_at_once_and_found_again() {
    let mut server = Server::start().unwrap();
    let bus = connected(&server.url(), "xcat3").await;
    let works = works(4);
    publish(&bus, &works).await;
    let held = take(&bus).await;
    server.kill();
    let asked = Instant::now();
    until("away", async || bus.nudge(Topic::Changes).await.is_err()).await;
    let refusals = [
        bus.publish(&works).await,
        bus.nudge(Topic::Changes).await,
        held.in_progress().await,
    ];
    for refusal in refusals {
        let Err(BusError::Unavailable(said)) = refusal else {
            panic!("{refusal:?}");
        };
        assert!(!said.contains(server.password()), "{said}");
    }
    assert!(asked.elapsed() < QUICKLY);
    server.start_again().unwrap();
    publish(&bus, &works).await;
    // Three wait, the fourth is still ours.
    let mut done = HashSet::from([held.work()]);
    until("acknowledged", async || held.in_progress().await.is_ok()).await;
    held.acknowledge().await.unwrap();
    for _ in 0..3 {
        let delivery = take(&bus).await;
        assert!(
            done.insert(delivery.work()),
            "publishing again doubles nothing"
        );
        delivery.acknowledge().await.unwrap();
    }
}

#[tokio::test]
#[ignore = "real: NATS"]
async fn a_broker_that_lost_everything_is_filled_again() {
    let mut server = Server::start().unwrap();
    let bus = connected(&server.url(), "xcat3").await;
    let works = works(4);
    publish(&bus, &works).await;
    let held = take(&bus).await;
    server.kill();
    server.forget_all().unwrap();
    server.start_again().unwrap();
    publish(&bus, &works).await;
    // The old delivery is number one of a stream that is gone. Done with it, number one of the new
    // one, which nobody has done, must stay.
    until("known", async || held.in_progress().await.is_ok()).await;
    held.acknowledge().await.unwrap();
    let mut done = HashSet::new();
    while done.len() < works.len() {
        let delivery = take(&bus).await;
        assert!(done.insert(delivery.work()));
        delivery.acknowledge().await.unwrap();
    }
}

#[tokio::test]
#[ignore = "real: NATS"]
async fn a_broker_may_come_later() {
    let mut server = Server::prepare().unwrap();
    let bus = Arc::new(
        Nats::connect(settings(&server.url(), "xcat3"))
            .await
            .unwrap(),
    );
    let works = works(1);
    assert!(matches!(
        bus.publish(&works).await,
        Err(BusError::Unavailable(_))
    ));
    let mut nudges = timeout(QUICKLY, bus.listen(Topic::Changes))
        .await
        .unwrap()
        .unwrap();
    let waiting = tokio::spawn({
        let bus = bus.clone();
        async move { take(&bus).await.work() }
    });
    server.start_again().unwrap();
    publish(&bus, &works).await;
    assert_eq!(waiting.await.unwrap(), works[0]);
    let other = connected(&server.url(), "xcat3").await;
    until("heard", async || {
        other.nudge(Topic::Changes).await.unwrap();
        timeout(Duration::from_millis(100), nudges.next())
            .await
            .is_ok()
    })
    .await;
}

#[tokio::test]
#[ignore = "real: NATS"]
async fn a_listener_that_is_gone_leaves_nothing_at_the_broker() {
    let (url, prefix) = (Server::shared_url().unwrap(), new_prefix());
    let bus = connected(&url, &prefix).await;
    let address: async_nats::ServerAddr = url.parse().unwrap();
    let (user, password) = (address.username().unwrap(), address.password().unwrap());
    let options = async_nats::ConnectOptions::new();
    let options = options.user_and_password(user.into(), password.into());
    let client = options
        .connect(format!("127.0.0.1:{}", address.port()))
        .await
        .unwrap();
    let job = JobId(Uuid::new_v4());
    let subject = format!("{prefix}.nudge.job.{job}");
    // A question that nobody is there to hear is refused at once, one that nobody answers is not.
    let heard = async || {
        let asked = client.request(subject.clone(), "".into());
        match timeout(Duration::from_millis(200), asked).await {
            Ok(Err(error)) => error.kind() != async_nats::client::RequestErrorKind::NoResponders,
            _ => true,
        }
    };
    assert!(!heard().await);
    let (one, two) = (
        bus.listen(Topic::Job(job)).await,
        bus.listen(Topic::Job(job)).await,
    );
    assert!(heard().await);
    drop(one);
    assert!(heard().await, "the other listens still");
    drop(two);
    until("unsubscribed", async || !heard().await).await;
    let _again = bus.listen(Topic::Job(job)).await.unwrap();
    assert!(heard().await);
}

/// A conductor in a few lines: `done` counts what was done to each node.
async fn conduct(bus: Arc<Nats>, store: Store, done: Arc<Mutex<HashMap<NodeName, u32>>>) {
    loop {
        let delivery = bus.next_work(Lane::Hardware).await.unwrap();
        let work = delivery.work();
        if let Some(batch) = store.begin_batch(work.job, work.batch).await.unwrap() {
            for name in batch.names {
                *done.lock().unwrap().entry(name.clone()).or_default() += 1;
                // Slow enough for the broker to die in the middle.
                tokio::time::sleep(Duration::from_millis(5)).await;
                let outcomes = [(name, Outcome::OK)];
                store.settle(work.job, None, &outcomes).await.unwrap();
            }
            store
                .finish_batch(work.job, work.batch, None)
                .await
                .unwrap();
            let _ = bus.nudge(Topic::Job(work.job)).await;
        }
        let _ = delivery.acknowledge().await;
    }
}

/// What a conductor's reconciler does, only more often.
async fn reconcile(bus: Arc<Nats>, store: Store) {
    loop {
        let unfinished = store.unfinished_batches().await.unwrap();
        let work = |(job, batch, lane)| Work { job, batch, lane };
        let work: Vec<Work> = unfinished.into_iter().map(work).collect();
        let _ = bus.publish(&work).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
#[ignore = "real: NATS"]
async fn a_job_survives_its_broker_being_killed_and_wiped() {
    let mut server = Server::start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("xcat3.db").display());
    let store = Store::open(&url).await.unwrap();
    let names: Vec<NodeName> = (0..600).map(|n| format!("n{n}").parse().unwrap()).collect();
    let front = Arc::new(connected(&server.url(), "xcat3").await);
    let done = Arc::default();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let bus = Arc::new(connected(&server.url(), "xcat3").await);
        tasks.spawn(reconcile(bus.clone(), store.clone()));
        for _ in 0..2 {
            tasks.spawn(conduct(bus.clone(), store.clone(), Arc::clone(&done)));
        }
    }
    let jobs = Jobs::new(store.clone(), front.clone()).with_batch_size(10);
    let operation = Operation::Control(ControlOperation::Power(PowerTarget::On));
    let mut running = jobs
        .submit(JobRequest::new(operation, names.clone()))
        .await
        .unwrap();
    let mut told = Vec::new();
    let mut faults = [150, 300, 450].into_iter().enumerate().peekable();
    while let Some(outcomes) = timeout(SOON, running.next()).await.unwrap().unwrap() {
        told.extend(outcomes.into_iter().map(|(_, name, _)| name));
        if let Some((number, _)) = faults.next_if(|(_, after)| told.len() > *after) {
            server.kill();
            if number == 1 {
                server.forget_all().unwrap();
            }
            server.start_again().unwrap();
        }
    }
    assert!(faults.next().is_none(), "the broker was killed three times");
    told.sort_unstable();
    let mut expected = names;
    expected.sort_unstable();
    assert_eq!(told, expected, "one outcome a node");
    tasks.shutdown().await;
}

#[tokio::test]
#[ignore = "real: NATS"]
async fn services_that_start_at_once_make_one_queue() {
    let (url, prefix) = (Server::shared_url().unwrap(), new_prefix());
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let bus = Nats::connect(settings(&url, &prefix)).await.unwrap();
        starting.spawn(async move {
            let delivery = take(&bus).await;
            let work = delivery.work();
            delivery.acknowledge().await.unwrap();
            work
        });
    }
    let works = works(8);
    publish(&connected(&url, &prefix).await, &works).await;
    let done: HashSet<Work> = starting.join_all().await.into_iter().collect();
    assert_eq!(done, works.into_iter().collect());
}
