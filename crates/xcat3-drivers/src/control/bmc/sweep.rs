//! The task that looks after kept sessions: it closes those that nobody needs any more, so that BMCs
//! have their few slots back, and keeps the others alive.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::lane::Lane;
use super::lanes::Shared;
use super::protocol::Protocol;

/// Between two looks at all lanes.
const PAUSE: Duration = Duration::from_secs(1);
/// How long closing a session or a sign of life may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// How many are closed or kept alive at once.
const AT_ONCE: usize = 128;

/// Looks after the sessions of `shared` until that is gone.
pub async fn sweep<P: Protocol>(
    shared: Weak<Shared<P>>,
    to_close: Option<mpsc::UnboundedReceiver<P::Session>>,
) {
    let Some(mut to_close) = to_close else {
        return;
    };
    let mut looks = interval(PAUSE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let (unused, silent) = shared.tidy();
        close(&shared, unused).await;
        let mut dropped = Vec::new();
        while let Ok(session) = to_close.try_recv() {
            dropped.push(session);
        }
        close(&shared, dropped).await;
        keep_alive(&shared, silent).await;
    }
}

/// Closes `sessions`, some of them at once.
pub async fn close<P: Protocol>(shared: &Shared<P>, sessions: Vec<P::Session>) {
    let mut closing = FuturesUnordered::new();
    for session in sessions {
        if closing.len() >= AT_ONCE {
            closing.next().await;
        }
        closing.push(timeout(DEADLINE, shared.protocol.close(session)));
    }
    while closing.next().await.is_some() {}
}

async fn keep_alive<P: Protocol>(shared: &Shared<P>, lanes: Vec<Arc<Lane<P::Session>>>) {
    let mut asking = FuturesUnordered::new();
    for lane in lanes {
        if asking.len() >= AT_ONCE {
            asking.next().await;
        }
        asking.push(async move {
            // Whoever has the lane keeps the session alive.
            let Ok(mut line) = lane.line.try_lock() else {
                return;
            };
            let Some(kept) = &mut line.kept else {
                return;
            };
            kept.is_busy = true;
            let asked = shared.protocol.keep_alive(&mut kept.session);
            if let Ok(Ok(())) = timeout(DEADLINE, asked).await {
                (kept.is_busy, kept.alive) = (false, Instant::now());
            } else {
                line.kept = None;
            }
        });
    }
    while asking.next().await.is_some() {}
}
