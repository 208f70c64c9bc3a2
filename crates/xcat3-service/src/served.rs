//! Waiting until what was written is served: a deploy says `ok` only when every online network
//! service answers booting nodes accordingly.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use xcat3_store::{Revision, Store, StoreError};

use crate::Bus;
use crate::feed::Ears;

/// How often the store is asked though no network service said anything.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// At most so many hosts are named.
const NAMED: usize = 5;

/// Waits until no online network service lags behind `revision`. They say on `bus` when they report
/// what they serve.
///
/// # Errors
/// At `deadline` some lag: `Ok(Err(sentence))` names them. The store can't be read: `Err`.
pub async fn wait(
    store: &Store,
    bus: &Arc<dyn Bus>,
    revision: Revision,
    deadline: Duration,
) -> Result<Result<(), String>, StoreError> {
    let end = Instant::now() + deadline;
    // Asked once before listening, which costs more where all is served already.
    if store.lagging_networks(revision).await?.is_empty() {
        return Ok(Ok(()));
    }
    let mut ears = Ears::open(bus.clone()).await;
    loop {
        let lagging = store.lagging_networks(revision).await?;
        if lagging.is_empty() {
            return Ok(Ok(()));
        }
        let now = Instant::now();
        if now >= end {
            return Ok(Err(sentence(&lagging, deadline)));
        }
        ears.nudged(end.min(now + LOOK_AGAIN)).await;
    }
}

fn sentence(lagging: &[String], deadline: Duration) -> String {
    let hosts: Vec<&str> = lagging.iter().take(NAMED).map(String::as_str).collect();
    let more = match lagging.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "it is recorded, but the network service on {}{more} does not serve it after {} s",
        hosts.join(", "),
        deadline.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_the_hosts_but_not_a_thousand() {
        let hosts: Vec<String> = (0..1000).map(|n| format!("host{n}")).collect();
        let text = sentence(&hosts, Duration::from_secs(30));
        assert!(
            text.contains("on host0, host1, host2, host3, host4 and 995 more does"),
            "{text}"
        );
        assert!(sentence(&hosts[..1], Duration::ZERO).contains("on host0 does"));
    }
}
