//! The right to act on machines, as a driver sees it: it lasts only as long as the reservation of
//! their nodes, and a process that was stopped for longer than that must not go on where it was.

use tokio::sync::watch;
use tokio::time::Instant;

/// Whether the machines of an order may be acted upon now. A driver asks right before each action.
#[derive(Clone, Debug)]
pub struct Lease(Option<watch::Receiver<Term>>);

/// The other end of a [`Lease`]: puts off its end. Dropped, the lease is lost.
#[derive(Debug)]
pub struct LeaseHolder(watch::Sender<Term>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Term {
    Until(Instant),
    Lost,
}

impl Lease {
    /// A lease that ends at `until`, unless its holder puts that off.
    #[must_use]
    pub fn until(until: Instant) -> (LeaseHolder, Self) {
        let (sender, receiver) = watch::channel(Term::Until(until));
        (LeaseHolder(sender), Self(Some(receiver)))
    }

    /// A lease without end: nobody else acts on these machines, or what is done to them can be done
    /// by several at once.
    #[must_use]
    pub fn endless() -> Self {
        Self(None)
    }

    /// Whether the machines may be acted upon. While it is not known, because the lease has run out
    /// and its holder is still trying to renew it, this waits. Cancel safe.
    pub async fn holds(&self) -> bool {
        let Some(receiver) = &self.0 else {
            return true;
        };
        let mut receiver = receiver.clone();
        loop {
            let term = *receiver.borrow_and_update();
            match term {
                Term::Until(until) if Instant::now() < until => return true,
                Term::Lost => return false,
                Term::Until(_) => {
                    if receiver.changed().await.is_err() {
                        return false;
                    }
                }
            }
        }
    }
}

impl LeaseHolder {
    /// The lease lasts until `until`.
    pub fn extend(&self, until: Instant) {
        self.0.send_replace(Term::Until(until));
    }

    /// The lease is over for good.
    pub fn lose(&self) {
        self.0.send_replace(Term::Lost);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_lease_that_ran_out_waits_for_its_holder() {
        let (holder, lease) = Lease::until(Instant::now() + LONG);
        assert!(lease.holds().await);
        holder.extend(Instant::now());
        let waiting = tokio::time::timeout(Duration::from_millis(20), lease.holds());
        assert!(waiting.await.is_err(), "nobody knows yet");
        let renewed = async {
            holder.extend(Instant::now() + LONG);
            holder
        };
        let (holds, holder) = tokio::join!(lease.holds(), renewed);
        assert!(holds);
        holder.extend(Instant::now());
        let lost = async { holder.lose() };
        let (holds, ()) = tokio::join!(lease.holds(), lost);
        assert!(!holds);
    }

    #[tokio::test]
    async fn a_lease_ends_with_its_holder_and_one_without_end_does_not() {
        let (holder, lease) = Lease::until(Instant::now());
        drop(holder);
        assert!(!lease.holds().await);
        assert!(Lease::endless().holds().await);
    }
}
