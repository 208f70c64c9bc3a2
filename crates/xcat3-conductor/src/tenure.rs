//! Keeping the reservation of a batch while it is worked on: it is put off again and again, so that
//! it can be short, and whoever lost it acts and writes no more.
//!
//! A process that was stopped and goes on finds that its time is over. Until it has asked the store
//! it does not know whether somebody took the nodes meanwhile, so that drivers wait for the answer
//! ([`Lease`]). While the database is away nobody can take them: then the answer is that they are
//! still held.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use xcat3_drivers::control::{Lease, LeaseHolder};
use xcat3_store::StoreError;

use crate::outcomes::Recorder;

/// A reservation and until when it is known to last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenure {
    pub(crate) fence: i64,
    /// By the clock of this process, from before the store was asked.
    pub(crate) until: Instant,
    /// For how long it is put off each time.
    pub(crate) length: Duration,
}

/// Why a batch was not carried out to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfinished {
    /// Somebody else has its nodes.
    #[error(
        "the reservation was lost: of nodes that others hold now nothing is done or written any more"
    )]
    Lost,
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Tenure {
    /// Does `work` with a lease that lasts as long as the reservation, and tells whether it lasted to
    /// the end.
    pub(crate) async fn during<T, Work>(
        self,
        recorder: &Recorder<'_>,
        work: impl FnOnce(Lease) -> Work,
    ) -> (T, bool)
    where
        Work: Future<Output = T>,
    {
        let (holder, lease) = Lease::until(self.until);
        let mut work = std::pin::pin!(work(lease));
        tokio::select! {
            biased;
            () = self.keep(&holder, recorder) => {
                holder.lose();
                // It stops by itself, and still tells what was done to the nodes that are left.
                (work.await, false)
            }
            ended = &mut work => (ended, true),
        }
    }

    /// Puts the end of the reservation off until nodes of it are lost.
    async fn keep(mut self, holder: &LeaseHolder, recorder: &Recorder<'_>) {
        loop {
            tokio::time::sleep_until(self.until - self.length * 2 / 3).await;
            let asked = Instant::now();
            let extend = || recorder.store.extend(self.fence, self.length);
            let held = recorder.patience.persist("reservation", extend).await;
            let left = recorder.left.load(Ordering::Acquire);
            match held {
                Ok(held) if held.len() >= left => {
                    self.until = asked + self.length;
                    holder.extend(self.until);
                }
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(%error, "a reservation could not be kept");
                    return;
                }
            }
        }
    }
}
