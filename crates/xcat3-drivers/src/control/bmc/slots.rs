//! Slots: the right to expect an answer soon. As many as the [adaptive limit](super::limit) says.
//!
//! A BMC that does not answer in time gives its slot back and is waited for without one, so that
//! the dead and the slow keep nobody from being asked.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout_at};

use super::limit::{Bounds, Limit};

/// The slots of a driver.
pub struct Slots {
    free: Semaphore,
    state: Mutex<State>,
}

struct State {
    limit: Limit,
    /// How many there are, free or not.
    granted: usize,
    /// How many of them go when they become free.
    surplus: usize,
}

impl Slots {
    /// Slots within these bounds.
    pub fn new(bounds: Bounds) -> Self {
        let limit = Limit::new(bounds);
        Self {
            free: Semaphore::new(limit.get()),
            state: Mutex::new(State {
                granted: limit.get(),
                limit,
                surplus: 0,
            }),
        }
    }

    /// Waits for a slot, in turn. Cancel safe, but whoever gives up loses the place in the queue.
    pub async fn acquire(&self) -> Slot<'_> {
        Slot {
            slots: self,
            // Nobody closes the semaphore.
            permit: self.free.acquire().await.ok(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: impl FnOnce(&mut Limit)) {
        let mut state = self.state();
        note(&mut state.limit);
        let wanted = state.limit.get();
        let (granted, surplus) = (state.granted, state.surplus);
        let stay = granted - surplus;
        if wanted > stay {
            let kept = surplus.min(wanted - stay);
            state.surplus -= kept;
            let new = wanted - stay - kept;
            state.granted += new;
            self.free.add_permits(new);
        } else if wanted < stay {
            let gone = self.free.forget_permits(stay - wanted);
            state.granted -= gone;
            state.surplus += stay - wanted - gone;
        }
    }

    #[cfg(test)]
    fn limit(&self) -> usize {
        self.state().limit.get()
    }
}

/// A slot, until this is dropped.
pub struct Slot<'a> {
    slots: &'a Slots,
    permit: Option<SemaphorePermit<'a>>,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let mut state = self.slots.state();
        if state.surplus > 0 {
            state.surplus -= 1;
            state.granted -= 1;
            permit.forget();
        }
    }
}

/// One operation on one BMC, as the slots see it. The protocol tells it of each answer.
pub struct Turn<'a> {
    slots: &'a Slots,
    overdue: Duration,
    state: Mutex<TurnState<'a>>,
}

struct TurnState<'a> {
    slot: Option<Slot<'a>>,
    asked: Instant,
    /// How long the first answer took.
    first: Option<Duration>,
}

impl<'a> Turn<'a> {
    /// A turn that may wait for each answer as long as `overdue` before its `slot` goes to another.
    pub(super) fn new(slots: &'a Slots, slot: Slot<'a>, overdue: Duration) -> Self {
        let state = TurnState {
            slot: Some(slot),
            asked: Instant::now(),
            first: None,
        };
        Self {
            slots,
            overdue,
            state: Mutex::new(state),
        }
    }

    /// An answer came, the last of `exchanges` since the turn heard of one.
    pub fn answered(&self, exchanges: u32) {
        let mut state = self.state();
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(state.asked) / exchanges.max(1);
        state.asked = now;
        state.first.get_or_insert(elapsed);
        if state.slot.is_some() {
            self.slots.note(|limit| limit.in_time(elapsed));
        }
    }

    /// Waits without a slot, and for one afterwards: for pauses that the operation is made of.
    pub async fn pause(&self, length: Duration) {
        self.give_back();
        sleep(length).await;
        self.take().await;
    }

    /// The slot goes to others.
    pub(super) fn give_back(&self) {
        self.state().slot = None;
    }

    /// Waits for a slot, where there is none any more.
    pub(super) async fn take(&self) {
        if self.state().slot.is_some() {
            return;
        }
        let slot = self.slots.acquire().await;
        let mut state = self.state();
        (state.slot, state.asked) = (Some(slot), Instant::now());
    }

    /// From now on an answer is awaited.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        (state.asked, state.first) = (Instant::now(), None);
    }

    /// How long the first answer took since it began; nothing where none came.
    pub(super) fn first_answer(&self) -> Option<Duration> {
        self.state().first
    }

    /// Does `work`; where an answer is overdue, without the slot from then on.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            let Some(due) = self.due() else {
                return work.await;
            };
            if let Ok(done) = timeout_at(due, &mut work).await {
                return done;
            }
            let mut state = self.state();
            if state.slot.is_some() && Instant::now() >= state.asked + self.overdue {
                state.slot = None;
                drop(state);
                self.slots.note(Limit::late);
            }
        }
    }

    /// When the slot goes to another; nothing where there is none.
    fn due(&self) -> Option<Instant> {
        let state = self.state();
        state.slot.is_some().then(|| state.asked + self.overdue)
    }

    fn state(&self) -> MutexGuard<'_, TurnState<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERDUE: Duration = Duration::from_millis(500);

    fn slots(number: usize) -> Slots {
        Slots::new(Bounds {
            least: number,
            first: number,
            most: number,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_in_time_keeps_nobody_waiting() {
        let slots = slots(1);
        let start = Instant::now();
        let dead = async {
            let turn = Turn::new(&slots, slots.acquire().await, OVERDUE);
            turn.during(sleep(OVERDUE * 20)).await;
            start.elapsed()
        };
        let healthy = async {
            tokio::task::yield_now().await;
            drop(slots.acquire().await);
            start.elapsed()
        };
        let (dead, healthy) = tokio::join!(dead, healthy);
        assert_eq!(healthy.as_millis(), OVERDUE.as_millis());
        assert_eq!(dead.as_millis(), (OVERDUE * 20).as_millis());
    }

    #[tokio::test(start_paused = true)]
    async fn each_answer_is_waited_for_anew() {
        let slots = slots(1);
        let turn = Turn::new(&slots, slots.acquire().await, OVERDUE);
        let answers = async {
            for _ in 0..10 {
                sleep(OVERDUE * 3 / 4).await;
                turn.answered(1);
            }
        };
        turn.during(answers).await;
        assert_eq!(slots.free.available_permits(), 0, "the slot was kept");
        drop(turn);
        assert_eq!(slots.free.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn slots_come_and_go_with_the_limit() {
        let slots = Slots::new(Bounds {
            least: 4,
            first: 64,
            most: 256,
        });
        let mut held = Vec::new();
        for _ in 0..64 {
            held.push(slots.acquire().await);
        }
        for _ in 0..5_000 {
            slots.note(Limit::late);
        }
        assert_eq!(slots.limit(), 4);
        held.truncate(10);
        assert_eq!(
            slots.free.available_permits(),
            0,
            "more are held than may be"
        );
        held.clear();
        assert_eq!(slots.free.available_permits(), 4);
        for _ in 0..50_000 {
            slots.note(|limit| limit.in_time(Duration::from_millis(1)));
        }
        assert_eq!(slots.free.available_permits(), 256);
    }
}
