//! All lanes of a protocol: which BMC has which, what is done in one, and which are not needed any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{MutexGuard, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use xcat3_core::Outcome;

use super::BmcConfig;
use super::backoff;
use super::endpoint::{Bmc, Endpoint};
use super::failure::{Failure, Kind};
use super::lane::{Kept, Lane, Line};
use super::limit::Bounds;
use super::protocol::{Asked, Protocol};
use super::resolve::Resolver;
use super::slots::{Slot, Slots, Turn};
use super::sweep;

/// For how long an endpoint is remembered that nobody asks.
const UNUSED: Duration = Duration::from_secs(600);
/// How many endpoints are remembered at most, beside those that are being asked.
const MOST: usize = 131_072;

/// The lanes of a protocol. Made once: it keeps sessions.
pub struct Lanes<P: Protocol> {
    pub(super) shared: Arc<Shared<P>>,
    sweeping: OnceLock<AbortHandle>,
}

/// What the lanes share with the task that looks after kept sessions.
pub struct Shared<P: Protocol> {
    pub(super) protocol: P,
    pub(super) slots: Slots,
    pub(super) session_idle: Duration,
    resolver: Resolver,
    lanes: Mutex<HashMap<Endpoint, LaneOf<P>>>,
    closing: mpsc::UnboundedSender<P::Session>,
    /// Where sessions come out that are to be closed, until somebody does.
    to_close: Mutex<Option<mpsc::UnboundedReceiver<P::Session>>>,
}

/// Sessions that are not needed any more, and lanes whose session has to be kept alive.
pub(super) type Tidied<P> = (Vec<<P as Protocol>::Session>, Vec<LaneOf<P>>);
/// A lane of a protocol, shared.
type LaneOf<P> = Arc<Lane<<P as Protocol>::Session>>;

impl<P: Protocol> Drop for Lanes<P> {
    fn drop(&mut self) {
        if let Some(sweeping) = self.sweeping.get() {
            sweeping.abort();
        }
    }
}

impl<P: Protocol> Lanes<P> {
    /// Lanes as configured. Nothing is connected to yet.
    #[must_use]
    pub fn new(protocol: P, config: &BmcConfig) -> Self {
        let (closing, to_close) = mpsc::unbounded_channel();
        let shared = Shared {
            protocol,
            slots: Slots::new(Bounds {
                least: config.least_at_once,
                first: config.least_at_once.saturating_mul(2),
                most: config.most_at_once,
            }),
            session_idle: config.session_idle,
            resolver: Resolver::new(),
            lanes: Mutex::default(),
            closing,
            to_close: Mutex::new(Some(to_close)),
        };
        Self {
            shared: Arc::new(shared),
            sweeping: OnceLock::new(),
        }
    }

    /// From the first use on, kept sessions are looked after.
    pub(super) fn look_after(&self) {
        self.sweeping.get_or_init(|| {
            let to_close = self.shared.to_close.lock();
            let to_close = to_close.unwrap_or_else(PoisonError::into_inner).take();
            tokio::spawn(sweep::sweep(Arc::downgrade(&self.shared), to_close)).abort_handle()
        });
    }
}

impl<P: Protocol> Shared<P> {
    /// The lane of `endpoint`, the same for all who ask.
    pub(super) fn lane(&self, endpoint: &Endpoint) -> LaneOf<P> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(endpoint) {
            return Arc::clone(lane);
        }
        if lanes.len() >= MOST {
            // What was learnt of endpoints without session is learnt again.
            lanes.retain(|_, lane| {
                let is_kept =
                    |lane: &Lane<_>| lane.line.try_lock().is_ok_and(|line| line.kept.is_some());
                Arc::strong_count(lane) > 1 || is_kept(lane)
            });
        }
        let lane = Arc::new(Lane::new());
        lanes.insert(endpoint.clone(), Arc::clone(&lane));
        lane
    }

    /// Forgets endpoints that nobody asked for long, and gives the sessions that are not needed any
    /// more, and the lanes whose session has to be kept alive.
    pub(super) fn tidy(&self) -> Tidied<P> {
        let (mut unused, mut silent) = (Vec::new(), Vec::new());
        let keep_alive = self.protocol.pace().keep_alive;
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|_, lane| {
            // Whoever has it, or gets it now, has asked for it: only those who hold the map can.
            if Arc::strong_count(lane) > 1 {
                return true;
            }
            let Ok(mut line) = lane.line.try_lock() else {
                return true;
            };
            let idle =
                |kept: &mut Kept<_>| kept.is_busy || kept.used.elapsed() >= self.session_idle;
            unused.extend(line.kept.take_if(idle).map(|kept| kept.session));
            if let Some(kept) = &line.kept {
                if keep_alive.is_some_and(|pause| kept.alive.elapsed() >= pause) {
                    silent.push(Arc::clone(lane));
                }
                return true;
            }
            lane.has_rejected() || !lane.is_forgettable(UNUSED)
        });
        (unused, silent)
    }

    /// How many endpoints are remembered, and how many sessions are open.
    pub(super) fn count(&self) -> (usize, usize) {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = |lane: &&Arc<Lane<_>>| {
            let line = lane.line.try_lock();
            line.map_or(true, |line| line.kept.is_some())
        };
        (lanes.len(), lanes.values().filter(is_open).count())
    }

    /// Closes a session by and by.
    fn let_go(&self, session: P::Session) {
        // Without a task that closes it the process is about to end.
        let _ = self.closing.send(session);
    }

    /// Does what is asked of `bmc`, in turn with all others who ask it.
    pub(super) async fn ask(
        &self,
        bmc: &Bmc<P::Options>,
        lane: &Lane<P::Session>,
        asked: Asked<'_>,
        slot: Slot<'_>,
    ) -> Result<Outcome, Failure> {
        let turn = Turn::new(&self.slots, slot, self.protocol.pace().overdue);
        let mut line = take_turn(lane, &turn).await;
        let digest = bmc.digest();
        let mut again = 0;
        loop {
            let rejections = asked.rejections;
            lane.check(digest, rejections.begun())
                .and_then(|()| rejections.check(&bmc.endpoint.host, digest))
                .map_err(Failure::refused)?;
            turn.take().await;
            let failure = match self
                .once((bmc, digest), (lane, &mut line), asked, &turn)
                .await
            {
                Ok(outcome) => return Ok(outcome),
                Err(failure) => failure,
            };
            again += 1;
            let wait = match failure.kind {
                _ if !failure.repeatable => None,
                Kind::Lost if again == 1 => Some(Duration::ZERO),
                // A new session is lost as well: once more, and no oftener.
                Kind::Lost if again > 2 => None,
                Kind::Lost | Kind::Busy => backoff::wait(again, rand::random()),
                _ => None,
            };
            match wait.filter(|wait| Instant::now() + *wait < asked.end) {
                None => return Err(failure),
                Some(Duration::ZERO) => {}
                Some(wait) => turn.pause(wait).await,
            }
        }
    }

    /// Asks once, in the kept session or a new one, and notes what that says of the BMC.
    async fn once(
        &self,
        (bmc, digest): (&Bmc<P::Options>, i64),
        (lane, line): (&Lane<P::Session>, &mut Line<P::Session>),
        asked: Asked<'_>,
        turn: &Turn<'_>,
    ) -> Result<Outcome, Failure> {
        let start = Instant::now();
        let unfit = |kept: &mut Kept<_>| kept.is_busy || kept.digest != digest;
        if let Some(kept) = line.kept.take_if(unfit) {
            self.let_go(kept.session);
        }
        let is_kept = line.kept.is_some();
        let acted = match self.session((bmc, digest), (lane, line), turn).await {
            Ok(()) => self.act(line, is_kept, asked, turn).await,
            Err(failure) => Err(failure),
        };
        let Err(mut failure) = acted else {
            lane.answered();
            return acted;
        };
        if failure.kind == Kind::Silent && is_kept {
            // The BMC may have forgotten the session, and not be silent at all.
            failure.kind = Kind::Lost;
        }
        match failure.kind {
            Kind::Silent => lane.silent(start),
            Kind::Rejected => {
                let host = &bmc.endpoint.host;
                let noted = asked.rejections.add(host, digest, &failure.reason);
                lane.rejected(digest, &failure.reason, noted);
            }
            Kind::Busy | Kind::Refused => lane.answered(),
            Kind::Lost | Kind::LeaseLost => {}
        }
        if matches!(failure.kind, Kind::Silent | Kind::Rejected | Kind::Lost) {
            line.kept = None;
        }
        Err(failure)
    }

    /// Opens a session where none is kept.
    async fn session(
        &self,
        (bmc, digest): (&Bmc<P::Options>, i64),
        (lane, line): (&Lane<P::Session>, &mut Line<P::Session>),
        turn: &Turn<'_>,
    ) -> Result<(), Failure> {
        if line.kept.is_some() {
            return Ok(());
        }
        turn.begin();
        let opening = async {
            let address = self
                .resolver
                .address(&bmc.endpoint, &mut line.address)
                .await?;
            self.protocol.open(bmc, address, turn).await
        };
        let session = turn.during(opening).await?;
        lane.accepted(digest);
        let now = Instant::now();
        line.kept = Some(Kept {
            session,
            digest,
            used: now,
            alive: now,
            is_busy: false,
        });
        Ok(())
    }

    async fn act(
        &self,
        line: &mut Line<P::Session>,
        is_kept: bool,
        asked: Asked<'_>,
        turn: &Turn<'_>,
    ) -> Result<Outcome, Failure> {
        let Some(kept) = &mut line.kept else {
            return Err(Failure::lost("there is no session"));
        };
        kept.is_busy = true;
        turn.begin();
        let patience = self.protocol.pace().stale.max(line.took * 2);
        let stale = async {
            sleep(patience).await;
            if !is_kept || turn.first_answer().is_some() {
                std::future::pending::<()>().await;
            }
        };
        let acted = tokio::select! {
            biased;
            acted = turn.during(self.protocol.act(&mut kept.session, asked, turn)) => acted,
            () = stale => Err(Failure::silent("it does not answer in the session any more")),
        };
        kept.is_busy = false;
        kept.used = Instant::now();
        kept.alive = kept.used;
        line.took = turn.first_answer().unwrap_or(line.took);
        acted
    }
}

/// The lane, when it is free; meanwhile others have the slot.
async fn take_turn<'l, S>(lane: &'l Lane<S>, turn: &Turn<'_>) -> MutexGuard<'l, Line<S>> {
    match lane.line.try_lock() {
        Ok(line) => line,
        Err(_) => {
            turn.give_back();
            lane.line.lock().await
        }
    }
}
