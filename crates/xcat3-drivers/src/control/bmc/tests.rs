//! Lanes over a protocol without a wire, by a virtual clock: BMCs that answer, are slow, dead, busy, forget
//! their sessions or reject the credentials.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use xcat3_core::{Node, NodeName, Outcome};

use super::super::{ControlOperation, ControlOrder, Lease};
use super::*;

/// How a BMC behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Manner {
    #[default]
    Healthy,
    Slow,
    Dead,
    Full(u32),
    Forgetful,
}

/// What happened to a BMC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    manner: Manner,
    opened: u32,
    rejected: u32,
    acted: u32,
    closed: u32,
    alive: u32,
    at_once: u32,
    most_at_once: u32,
}

type World = Arc<Mutex<HashMap<IpAddr, Seen>>>;

struct Fake(World);

struct Session {
    bmc: IpAddr,
    number: u32,
}

const QUICK: Duration = Duration::from_millis(5);
const SLOW: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(6);
const DEADLINE: Duration = Duration::from_secs(50);

impl Fake {
    fn note<T>(&self, bmc: IpAddr, note: impl FnOnce(&mut Seen) -> T) -> T {
        note(self.0.lock().unwrap().entry(bmc).or_default())
    }

    /// One exchange with `bmc`.
    async fn exchange(&self, bmc: IpAddr, turn: &Turn<'_>) -> Result<(), Failure> {
        match self.note(bmc, |seen| seen.manner) {
            Manner::Dead => {
                sleep(PATIENCE).await;
                return Err(Failure::silent("it does not answer"));
            }
            Manner::Slow => sleep(SLOW).await,
            _ => sleep(QUICK).await,
        }
        turn.answered(1);
        Ok(())
    }
}

impl Protocol for Fake {
    type Options = ();
    type Session = Session;

    fn port(&self) -> u16 {
        623
    }

    fn pace(&self) -> Pace {
        Pace {
            overdue: Duration::from_millis(500),
            stale: Duration::from_millis(1_500),
            keep_alive: Some(Duration::from_secs(30)),
        }
    }

    fn lacks(&self, operation: &ControlOperation) -> Option<String> {
        (*operation == ControlOperation::Media).then(|| "no media".to_owned())
    }

    fn options(&self, _: &Node) -> Result<(), String> {
        Ok(())
    }

    async fn open(
        &self,
        bmc: &Bmc<()>,
        address: SocketAddr,
        turn: &Turn<'_>,
    ) -> Result<Session, Failure> {
        let address = address.ip();
        self.exchange(address, turn).await?;
        let is_right = bmc.credentials.password.reveal() == "right";
        self.note(address, |seen| {
            if !is_right {
                seen.rejected += 1;
                return Err(Failure::rejected("the password is wrong"));
            }
            if let Manner::Full(times @ 1..) = seen.manner {
                seen.manner = Manner::Full(times - 1);
                return Err(Failure::busy("all slots are taken"));
            }
            seen.opened += 1;
            Ok(Session {
                bmc: address,
                number: seen.opened,
            })
        })
    }

    async fn act(
        &self,
        session: &mut Session,
        asked: Asked<'_>,
        turn: &Turn<'_>,
    ) -> Result<Outcome, Failure> {
        let forgot = self.note(session.bmc, |seen| {
            seen.at_once += 1;
            seen.most_at_once = seen.most_at_once.max(seen.at_once);
            seen.manner == Manner::Forgetful && session.number == 1 && seen.acted == 1
        });
        if forgot {
            self.note(session.bmc, |seen| seen.at_once -= 1);
            return std::future::pending().await;
        }
        let exchanged = self.exchange(session.bmc, turn).await;
        let holds = asked.lease.holds().await;
        self.note(session.bmc, |seen| seen.at_once -= 1);
        exchanged?;
        if !holds {
            return Err(Failure::lease_lost());
        }
        self.note(session.bmc, |seen| seen.acted += 1);
        Ok(Outcome::OK)
    }

    async fn keep_alive(&self, session: &mut Session) -> Result<(), Failure> {
        self.note(session.bmc, |seen| seen.alive += 1);
        Ok(())
    }

    async fn close(&self, session: Session) {
        self.note(session.bmc, |seen| seen.closed += 1);
    }
}

/// Lanes over fake BMCs at 10.0.x.y.
struct Rack {
    world: World,
    lanes: Lanes<Fake>,
    password: &'static str,
    rejections: Rejections,
}

fn address(number: usize) -> IpAddr {
    let [.., high, low] = u32::try_from(number).unwrap().to_be_bytes();
    IpAddr::from([10, 0, high, low])
}

impl Rack {
    fn new(config: &BmcConfig, manner: impl Fn(usize) -> Manner, count: usize) -> Self {
        let seen = |number| {
            let manner = manner(number);
            (
                address(number),
                Seen {
                    manner,
                    ..Seen::default()
                },
            )
        };
        let world = Arc::new(Mutex::new((0..count).map(seen).collect()));
        Self {
            lanes: Lanes::new(Fake(Arc::clone(&world)), config),
            world,
            password: "right",
            rejections: Rejections::none(),
        }
    }

    fn one(manner: Manner) -> Self {
        Self::new(&BmcConfig::default(), |_| manner, 1)
    }

    fn seen(&self) -> Seen {
        self.world.lock().unwrap()[&address(0)]
    }

    /// Asks the BMCs of these numbers; the outcome of each, and when it came.
    async fn ask(
        &self,
        numbers: impl Iterator<Item = usize>,
        lease: &Lease,
    ) -> Vec<(usize, Outcome, Duration)> {
        let nodes: Vec<Node> = numbers
            .map(|number| {
                let mut node = Node::new(format!("n{number}").parse().unwrap());
                let address = address(number).to_string();
                node.declared
                    .control_info
                    .insert("bmc_address".into(), address.into());
                node
            })
            .collect();
        let credentials = BmcCredentials {
            username: "admin".into(),
            password: Password::new(self.password),
        };
        let order = ControlOrder {
            operation: &ControlOperation::PowerStatus,
            nodes: &nodes,
            deadline: DEADLINE,
            lease,
            default_credentials: Some(&credentials),
            rejections: &self.rejections,
        };
        let start = Instant::now();
        let (sender, mut receiver) = mpsc::channel::<(NodeName, Outcome)>(16);
        let gather = async {
            let mut told = Vec::new();
            while let Some((name, outcome)) = receiver.recv().await {
                let number = name.as_str()[1..].parse().unwrap();
                told.push((number, outcome, start.elapsed()));
            }
            told
        };
        tokio::join!(self.lanes.run(order, sender), gather).1
    }

    /// Asks the first BMC.
    async fn first(&self) -> (Outcome, Duration) {
        let mut told = self.ask(0..1, &Lease::endless()).await;
        let (_, outcome, elapsed) = told.remove(0);
        assert!(told.is_empty(), "told twice");
        (outcome, elapsed)
    }
}

/// When the last healthy one of 10,000 BMCs answered.
async fn last_healthy(manner: impl Fn(usize) -> Manner) -> Duration {
    const COUNT: usize = 10_000;
    let rack = Rack::new(&BmcConfig::default(), &manner, COUNT);
    let told = rack.ask(0..COUNT, &Lease::endless()).await;
    assert_eq!(told.len(), COUNT);
    let mut last = Duration::ZERO;
    for (number, outcome, elapsed) in told {
        match manner(number) {
            Manner::Healthy => {
                assert_eq!(outcome, Outcome::OK);
                last = last.max(elapsed);
            }
            Manner::Slow => assert_eq!(outcome, Outcome::OK),
            _ => assert!(outcome.to_string().contains("does not answer"), "{outcome}"),
        }
    }
    last
}

#[tokio::test(start_paused = true)]
async fn the_dead_and_the_slow_cost_the_others_nothing() {
    let all_well = last_healthy(|_| Manner::Healthy).await;
    let mixed = last_healthy(|number| match number % 20 {
        3 => Manner::Dead,
        11 => Manner::Slow,
        _ => Manner::Healthy,
    })
    .await;
    // Virtual time: only waiting counts. Each dead one holds a slot for half a second, so what is left is
    // the time of the last few.
    assert!(
        mixed < all_well + Duration::from_millis(600),
        "{all_well:?} {mixed:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_is_shared_in_turn_then_closed_and_the_endpoint_forgotten() {
    let rack = Rack::one(Manner::Healthy);
    let told = rack
        .ask(std::iter::repeat_n(0, 20), &Lease::endless())
        .await;
    assert!(told.iter().all(|(_, outcome, _)| *outcome == Outcome::OK));
    let seen = rack.seen();
    assert_eq!((seen.opened, seen.acted, seen.most_at_once), (1, 20, 1));
    assert_eq!(rack.lanes.count(), (1, 1));
    sleep(BmcConfig::default().session_idle + Duration::from_secs(3)).await;
    assert_eq!((rack.seen().closed, rack.lanes.count()), (1, (1, 0)));
    sleep(Duration::from_secs(900)).await;
    assert_eq!(rack.lanes.count(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_kept_for_long_is_kept_alive() {
    let config = BmcConfig {
        session_idle: Duration::from_secs(300),
        ..BmcConfig::default()
    };
    let rack = Rack::new(&config, |_| Manner::Healthy, 1);
    rack.first().await;
    sleep(Duration::from_secs(200)).await;
    let seen = rack.seen();
    assert!((5..8).contains(&seen.alive) && seen.closed == 0, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_were_rejected_are_not_tried_again_until_they_change() {
    let mut rack = Rack::one(Manner::Healthy);
    rack.password = "wrong";
    let (outcome, _) = rack.first().await;
    assert_eq!(outcome.to_string(), "BMC 10.0.0.0: the password is wrong");
    for _ in 0..5 {
        sleep(Duration::from_secs(1_000)).await;
        let (outcome, elapsed) = rack.first().await;
        assert!(
            outcome
                .to_string()
                .contains("it rejected these credentials"),
            "{outcome}"
        );
        assert!(elapsed < QUICK);
    }
    assert_eq!(rack.seen().rejected, 1);
    rack.password = "right";
    assert_eq!(rack.first().await.0, Outcome::OK);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_were_rejected_once_are_tried_by_no_other_process() {
    let wrong = |rejections| Rack {
        password: "wrong",
        rejections,
        ..Rack::one(Manner::Healthy)
    };
    let mut rack = wrong(Rejections::none());
    rack.first().await;
    let new = rack.rejections.take();
    assert_eq!(new.len(), 1);
    assert_eq!(new[0].rejection.host, "10.0.0.0");
    let written = vec![new[0].rejection.clone()];
    let mut other = wrong(Rejections::new(Instant::now(), written));
    let (outcome, _) = other.first().await;
    let said = outcome.to_string();
    let (before, after) = said.split_once(" s ago ").unwrap();
    assert!(
        before.starts_with("BMC 10.0.0.0: it rejected these credentials"),
        "{said}"
    );
    assert!(after.starts_with("(the password is wrong)"), "{said}");
    assert_eq!(other.seen(), Seen::default());
    other.password = "right";
    assert_eq!(other.first().await.0, Outcome::OK);
    // Who looked before it was written down does not try either.
    sleep(QUICK).await;
    new[0].noted();
    rack.first().await;
    assert_eq!(rack.seen().rejected, 1);
    // Who looks later goes by what is written down: nothing any more.
    sleep(QUICK).await;
    rack.rejections = Rejections::none();
    rack.first().await;
    assert_eq!(rack.seen().rejected, 2);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_left_alone_for_a_while_and_tried_again() {
    let rack = Rack::one(Manner::Dead);
    for _ in 0..2 {
        let (outcome, elapsed) = rack.first().await;
        assert_eq!(outcome.to_string(), "BMC 10.0.0.0: it does not answer");
        assert!(elapsed >= PATIENCE);
    }
    let (outcome, elapsed) = rack.first().await;
    let said = outcome.to_string();
    assert!(
        said.contains("has not answered for 12 s; it is asked again in"),
        "{said}"
    );
    assert!(elapsed < QUICK, "told at once");
    rack.world
        .lock()
        .unwrap()
        .get_mut(&address(0))
        .unwrap()
        .manner = Manner::Healthy;
    sleep(Duration::from_secs(11)).await;
    assert_eq!(rack.first().await.0, Outcome::OK);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_the_bmc_forgot_is_opened_anew() {
    let rack = Rack::one(Manner::Forgetful);
    assert_eq!(rack.first().await.0, Outcome::OK);
    let (outcome, elapsed) = rack.first().await;
    assert_eq!(outcome, Outcome::OK);
    assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
    assert_eq!(rack.seen().opened, 2);
}

#[tokio::test(start_paused = true)]
async fn who_is_busy_is_asked_again_until_it_is_not() {
    let rack = Rack::one(Manner::Full(3));
    let (outcome, elapsed) = rack.first().await;
    assert_eq!(outcome, Outcome::OK);
    assert!(elapsed > Duration::from_secs(1), "{elapsed:?}");
    let rack = Rack::one(Manner::Full(u32::MAX));
    let (outcome, elapsed) = rack.first().await;
    assert_eq!(outcome.to_string(), "BMC 10.0.0.0: all slots are taken");
    assert!(elapsed < DEADLINE);
}

#[tokio::test(start_paused = true)]
async fn without_a_lease_nothing_is_done_or_said() {
    let rack = Rack::one(Manner::Healthy);
    let (holder, lease) = Lease::until(Instant::now() + DEADLINE);
    holder.lose();
    assert_eq!(rack.ask(0..1, &lease).await, []);
    assert_eq!(rack.seen().acted, 0);
}

#[tokio::test(start_paused = true)]
async fn everyone_is_told_by_the_deadline_also_who_had_no_turn() {
    let config = BmcConfig {
        least_at_once: 1,
        most_at_once: 1,
        ..BmcConfig::default()
    };
    let rack = Rack::new(&config, |_| Manner::Dead, 300);
    let told = rack.ask(0..300, &Lease::endless()).await;
    assert_eq!(told.len(), 300);
    assert!(
        told.iter()
            .all(|(.., elapsed)| *elapsed <= DEADLINE + QUICK)
    );
    let without_turn = |(_, outcome, _): &&(usize, Outcome, Duration)| {
        outcome
            .to_string()
            .contains("too many others were before it")
    };
    let count = told.iter().filter(without_turn).count();
    assert!(count > 100, "{count}");
}
