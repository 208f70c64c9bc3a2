//! What every bus has to do. Each function is given a bus that nobody used before and whose patience
//! is short.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;
use xcat3_core::Lane;
use xcat3_service::Bus;
use xcat3_service::bus::{Delivery, Nudges, Topic, Work};
use xcat3_store::JobId;

/// The queue of most tests.
const LANE: Lane = Lane::Hardware;
/// Within this something happens, or it never will.
const SOON: Duration = Duration::from_secs(10);
/// How long the bus waits for a sign of life from a worker.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// So long nothing may happen.
const QUIET: Duration = Duration::from_millis(50);

fn works(count: i64) -> Vec<Work> {
    let job = JobId(Uuid::new_v4());
    let lane = LANE;
    (0..count).map(|batch| Work { job, batch, lane }).collect()
}

async fn take(bus: &dyn Bus) -> Delivery {
    timeout(SOON, bus.next_work(LANE))
        .await
        .expect("there is work")
        .unwrap()
}

async fn assert_no_work(bus: &dyn Bus) {
    assert!(
        timeout(QUIET, bus.next_work(LANE)).await.is_err(),
        "there must be no work"
    );
}

async fn assert_woken(nudges: &mut Nudges) {
    timeout(SOON, nudges.next()).await.expect("a nudge");
}

async fn assert_left_alone(nudges: &mut Nudges, why: &str) {
    assert!(timeout(QUIET, nudges.next()).await.is_err(), "{why}");
}

pub(crate) async fn each_piece_of_work_goes_to_one_worker(bus: &dyn Bus) {
    let works = works(100);
    bus.publish(&works).await.unwrap();
    let done = Mutex::new(Vec::new());
    let worker = async || {
        loop {
            let delivery = bus.next_work(LANE).await.unwrap();
            assert_eq!(delivery.attempt(), 1);
            let work = delivery.work();
            delivery.acknowledge().await.unwrap();
            done.lock().unwrap().push(work);
            tokio::task::yield_now().await;
        }
    };
    let workers = async { tokio::join!(worker(), worker(), worker()) };
    let all = async {
        while done.lock().unwrap().len() < works.len() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(QUIET).await;
    };
    tokio::select! {
        _ = workers => unreachable!("workers have no end"),
        ended = timeout(SOON, all) => ended.expect("all work is done"),
    }
    let done = done.into_inner().unwrap();
    assert_eq!(done.len(), 100);
    assert_eq!(
        done.into_iter().collect::<HashSet<_>>(),
        works.into_iter().collect()
    );
}

pub(crate) async fn each_lane_has_its_own_queue(bus: &dyn Bus) {
    let hardware = works(1)[0];
    let provisioning = Work {
        lane: Lane::Provisioning,
        ..works(1)[0]
    };
    bus.publish(&[hardware, provisioning]).await.unwrap();
    let taken = timeout(SOON, bus.next_work(Lane::Provisioning)).await;
    let taken = taken.expect("it does not wait behind hardware").unwrap();
    assert_eq!(taken.work(), provisioning);
    let none = timeout(QUIET, bus.next_work(Lane::Provisioning)).await;
    assert!(none.is_err(), "hardware is another lane");
    taken.acknowledge().await.unwrap();
    let taken = take(bus).await;
    assert_eq!(taken.work(), hardware);
    taken.acknowledge().await.unwrap();
}

pub(crate) async fn what_is_published_again_is_not_done_twice(bus: &dyn Bus) {
    let works = works(2);
    bus.publish(&works).await.unwrap();
    bus.publish(&works).await.unwrap();
    let held = take(bus).await;
    bus.publish(&works).await.unwrap();
    take(bus).await.acknowledge().await.unwrap();
    assert_no_work(bus).await;
    held.acknowledge().await.unwrap();
    assert_no_work(bus).await;
}

pub(crate) async fn what_a_worker_drops_goes_to_another(bus: &dyn Bus) {
    bus.publish(&works(1)).await.unwrap();
    let first = take(bus).await;
    let work = first.work();
    drop(first);
    let second = take(bus).await;
    assert_eq!((second.work(), second.attempt()), (work, 2));
    second.acknowledge().await.unwrap();
    assert_no_work(bus).await;
}

pub(crate) async fn a_silent_worker_loses_its_work(bus: &dyn Bus) {
    bus.publish(&works(1)).await.unwrap();
    let silent = take(bus).await;
    let other = take(bus).await;
    assert_eq!((other.work(), other.attempt()), (silent.work(), 2));
    drop(silent);
    assert_no_work(bus).await;
    other.acknowledge().await.unwrap();
    assert_no_work(bus).await;
}

pub(crate) async fn a_worker_that_gives_signs_of_life_keeps_its_work(bus: &dyn Bus) {
    bus.publish(&works(1)).await.unwrap();
    let delivery = take(bus).await;
    let pause = delivery.patience() / 4;
    for _ in 0..8 {
        delivery.in_progress().await.unwrap();
        assert!(
            timeout(pause, bus.next_work(LANE)).await.is_err(),
            "it was taken from a live worker"
        );
    }
    delivery.acknowledge().await.unwrap();
}

pub(crate) async fn a_waiting_worker_is_woken(bus: &dyn Bus) {
    let works = works(3);
    let publish = async {
        tokio::time::sleep(QUIET).await;
        bus.publish(&works).await.unwrap();
    };
    let waiting = async { tokio::join!(take(bus), take(bus), take(bus)) };
    let (_, taken) = tokio::join!(publish, waiting);
    let taken: HashSet<Work> = [taken.0.work(), taken.1.work(), taken.2.work()].into();
    assert_eq!(taken, works.into_iter().collect());
}

pub(crate) async fn a_worker_that_stops_waiting_loses_no_work(bus: &dyn Bus) {
    for _ in 0..20 {
        let waiting = timeout(Duration::from_millis(1), bus.next_work(LANE));
        let published = works(1);
        let (taken, _) = tokio::join!(waiting, bus.publish(&published));
        if let Ok(taken) = taken {
            taken.unwrap().acknowledge().await.unwrap();
        } else {
            take(bus).await.acknowledge().await.unwrap();
        }
    }
    assert_no_work(bus).await;
}

pub(crate) async fn nudges_reach_those_who_listen_to_the_topic(bus: &dyn Bus) {
    let [one, other, before] = [0, 1, 2].map(|_| Topic::Job(JobId(Uuid::new_v4())));
    let mut past = bus.listen(before).await.unwrap();
    bus.nudge(one).await.unwrap();
    // Nudges arrive in their order: with this one the other has been everywhere.
    bus.nudge(before).await.unwrap();
    assert_woken(&mut past).await;
    let (mut a, mut b) = (
        bus.listen(one).await.unwrap(),
        bus.listen(one).await.unwrap(),
    );
    let mut c = bus.listen(other).await.unwrap();
    assert_left_alone(&mut a, "what happened before listening is past").await;
    bus.nudge(one).await.unwrap();
    assert_woken(&mut a).await;
    assert_woken(&mut b).await;
    assert_left_alone(&mut a, "one nudge wakes once").await;
    assert_left_alone(&mut c, "it is another topic").await;
    bus.nudge(other).await.unwrap();
    assert_woken(&mut c).await;
    assert_left_alone(&mut b, "it is another topic").await;
    drop(a);
    bus.nudge(one).await.unwrap();
    assert_woken(&mut b).await;
    let mut changes = bus.listen(Topic::Changes).await.unwrap();
    bus.nudge(Topic::Changes).await.unwrap();
    assert_woken(&mut changes).await;
    assert_left_alone(&mut b, "it is another topic").await;
}

pub(crate) async fn a_listener_that_does_not_look_holds_up_nobody(bus: &dyn Bus) {
    let topic = Topic::Job(JobId(Uuid::new_v4()));
    let (mut idle, mut quick) = (
        bus.listen(topic).await.unwrap(),
        bus.listen(topic).await.unwrap(),
    );
    for _ in 0..10_000 {
        timeout(SOON, bus.nudge(topic))
            .await
            .expect("nobody is held up")
            .unwrap();
    }
    assert_woken(&mut quick).await;
    assert_woken(&mut idle).await;
    let mut woken = 1;
    while timeout(QUIET, idle.next()).await.is_ok() {
        woken += 1;
    }
    assert!(woken < 1_000, "many nudges count as one, not {woken}");
}

pub(crate) async fn what_is_done_can_come_again(bus: &dyn Bus) {
    let works = works(1);
    for _ in 0..3 {
        bus.publish(&works).await.unwrap();
        let delivery = take(bus).await;
        assert_eq!((delivery.work(), delivery.attempt()), (works[0], 1));
        delivery.acknowledge().await.unwrap();
    }
    assert_no_work(bus).await;
}

pub(crate) async fn work_that_its_worker_lost_is_done_when_either_says_so(bus: &dyn Bus) {
    bus.publish(&works(1)).await.unwrap();
    let slow = take(bus).await;
    let other = take(bus).await;
    slow.acknowledge().await.unwrap();
    drop(other);
    assert_no_work(bus).await;
    tokio::time::sleep(PATIENCE * 2).await;
    assert_no_work(bus).await;
}

pub(crate) async fn a_bus_that_is_closed_keeps_what_waits_for_others(bus: &dyn Bus) {
    let works = works(3);
    bus.publish(&works).await.unwrap();
    let held = take(bus).await;
    held.in_progress().await.unwrap();
    held.acknowledge().await.unwrap();
    timeout(SOON, bus.close()).await.expect("closing ends");
}
