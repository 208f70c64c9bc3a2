//! The work queue of the in-process bus as plain values: no waiting, no clock of its own.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::Work;

/// Work in the order in which it came, and who holds what.
#[derive(Debug)]
pub(super) struct Queue {
    patience: Duration,
    ready: VecDeque<Work>,
    /// How often each was given to a worker, be it queued or held.
    known: HashMap<Work, u32>,
    /// What is held. There are as many as there are workers at most, however much is queued.
    held: HashMap<Work, Hold>,
    last_ticket: u64,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    ticket: u64,
    until: Instant,
}

/// A piece of work as one worker holds it. The ticket tells it from earlier holders of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) work: Work,
    pub(super) ticket: u64,
    pub(super) attempt: u32,
}

impl Queue {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            ready: VecDeque::new(),
            known: HashMap::new(),
            held: HashMap::new(),
            last_ticket: 0,
        }
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Appends `work` unless it is queued or held already.
    pub(super) fn put(&mut self, work: Work) {
        self.known.entry(work).or_insert_with(|| {
            self.ready.push_back(work);
            0
        });
    }

    /// Takes the oldest work that nobody holds; work of silent holders counts as such.
    pub(super) fn take(&mut self, now: Instant) -> Option<Taken> {
        self.expire(now);
        let work = self.ready.pop_front()?;
        let attempts = self.known.entry(work).or_default();
        *attempts = attempts.saturating_add(1);
        self.last_ticket += 1;
        let hold = Hold {
            ticket: self.last_ticket,
            until: now + self.patience,
        };
        self.held.insert(work, hold);
        Some(Taken {
            work,
            ticket: self.last_ticket,
            attempt: *attempts,
        })
    }

    /// The holder is alive. A holder whose work went to another changes nothing.
    pub(super) fn touch(&mut self, taken: Taken, now: Instant) {
        let until = now + self.patience;
        if let Some(hold) = self.hold_of(taken) {
            hold.until = until;
        }
    }

    /// The work is done, whoever did it: doing it again could only repeat it.
    pub(super) fn done(&mut self, work: Work) {
        let known = self.known.remove(&work).is_some();
        if self.held.remove(&work).is_none() && known {
            // Its worker lost it meanwhile.
            self.ready.retain(|ready| *ready != work);
        }
    }

    /// The holder gives up: the work is the next to be taken.
    pub(super) fn give_back(&mut self, taken: Taken) {
        if self.hold_of(taken).is_some() {
            self.release(taken.work);
        }
    }

    /// When the first silent holder loses its work.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.held.values().map(|hold| hold.until).min()
    }

    fn hold_of(&mut self, taken: Taken) -> Option<&mut Hold> {
        let hold = self.held.get_mut(&taken.work)?;
        (hold.ticket == taken.ticket).then_some(hold)
    }

    fn expire(&mut self, now: Instant) {
        let silent = self.held.iter().filter(|(_, hold)| hold.until <= now);
        let works: Vec<Work> = silent.map(|(work, _)| *work).collect();
        works.into_iter().for_each(|work| self.release(work));
    }

    fn release(&mut self, work: Work) {
        if self.held.remove(&work).is_some() {
            self.ready.push_front(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;
    use xcat3_core::Lane;
    use xcat3_store::JobId;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn works(count: i64) -> Vec<Work> {
        let job = JobId(Uuid::new_v4());
        let lane = Lane::Hardware;
        (0..count).map(|batch| Work { job, batch, lane }).collect()
    }

    fn queue(works: &[Work]) -> Queue {
        let mut queue = Queue::new(PATIENCE);
        works.iter().for_each(|work| queue.put(*work));
        queue
    }

    #[test]
    fn work_comes_in_order_once() {
        let works = works(3);
        let (mut queue, now) = (queue(&works), Instant::now());
        works.iter().for_each(|work| queue.put(*work));
        let taken: Vec<Work> = std::iter::from_fn(|| queue.take(now))
            .map(|t| t.work)
            .collect();
        assert_eq!(taken, works);
        queue.put(works[0]);
        assert_eq!(
            queue.take(now),
            None,
            "what is being worked on is not queued again"
        );
    }

    #[test]
    fn what_is_done_can_be_put_again_and_is_not_given_to_others() {
        let works = works(1);
        let (mut queue, now) = (queue(&works), Instant::now());
        let taken = queue.take(now).unwrap();
        queue.done(taken.work);
        assert_eq!(queue.take(now + PATIENCE * 2), None);
        assert_eq!(queue.next_expiry(), None);
        queue.put(works[0]);
        assert_eq!(queue.take(now).unwrap().attempt, 1);
    }

    #[test]
    fn a_silent_holder_loses_its_work_and_one_that_speaks_does_not() {
        let works = works(2);
        let (mut queue, now) = (queue(&works), Instant::now());
        let (silent, alive) = (queue.take(now).unwrap(), queue.take(now).unwrap());
        let later = now + PATIENCE;
        queue.touch(alive, later - Duration::from_secs(1));
        assert_eq!(queue.next_expiry(), Some(later));
        let again = queue.take(later).unwrap();
        assert_eq!((again.work, again.attempt), (silent.work, 2));
        assert_eq!(queue.take(later), None);
        queue.give_back(silent);
        assert_eq!(
            queue.take(later),
            None,
            "a late give-back of a former holder changes nothing"
        );
    }

    #[test]
    fn what_is_given_back_comes_first() {
        let works = works(2);
        let (mut queue, now) = (queue(&works), Instant::now());
        let first = queue.take(now).unwrap();
        queue.give_back(first);
        assert_eq!(queue.take(now).unwrap().work, first.work);
    }
}
