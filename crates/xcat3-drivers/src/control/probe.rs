//! Looking for BMCs: many addresses, most of them silent, asked at a bounded rate.
//!
//! What is asked of one address is the driver's; here is how many are asked at once, how fast, and that
//! each has one outcome: a report, silence, or why it can't be told.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::time::Instant;
use xcat3_core::hardware::FoundBmc;
use xcat3_core::{CertificateTrust, NodeName, Outcome, Report};

use super::BmcCredentials;

/// Addresses of one batch that are waited for at once.
const AT_ONCE: usize = 2_048;
/// Logins at once, of all batches.
const LOGINS: usize = 128;
/// How long one address may take in all, once it is asked.
const LONGEST: Duration = Duration::from_secs(60);

/// Where to look.
#[derive(Clone, Copy, Debug)]
pub struct ProbeOrder<'a> {
    /// The targets, as the job names them, and their addresses.
    pub targets: &'a [(NodeName, Ipv4Addr)],
    /// The port to ask; that of the protocol where absent.
    pub port: Option<u16>,
    /// Who logs in to what is found. Without it only what a BMC tells anyone is reported.
    pub credentials: Option<&'a BmcCredentials>,
    /// Whose certificates are trusted before anyone logs in.
    pub tls: CertificateTrust,
}

/// What a driver found at an address: nothing where nobody answers.
pub(super) type Probed = Option<FoundBmc>;

/// What all probes of a driver share.
pub(super) struct Pace {
    /// Between two addresses.
    gap: Duration,
    /// When the next may be asked.
    next: Mutex<Instant>,
    logins: Semaphore,
}

impl Pace {
    /// At most `rate` addresses a second.
    pub fn new(rate: u32) -> Self {
        Self {
            gap: Duration::from_secs(1) / rate.max(1),
            next: Mutex::new(Instant::now()),
            logins: Semaphore::new(LOGINS),
        }
    }

    /// Waits for the next turn to ask an address.
    async fn turn(&self) {
        let mut next = self.next.lock().await;
        // Timers count milliseconds: several turns may come together, no second has too many.
        tokio::time::sleep_until(*next).await;
        *next = (*next + self.gap).max(Instant::now() - Duration::from_millis(20));
    }

    /// A turn to log in.
    pub async fn login(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        self.logins.acquire().await.ok()
    }
}

/// Asks each target of `order` by `ask`, and sends one outcome for each. Ends early where nobody listens
/// any more.
pub(super) async fn each<F>(
    order: ProbeOrder<'_>,
    port: u16,
    pace: &Pace,
    outcomes: mpsc::Sender<(NodeName, Outcome)>,
    ask: impl Fn(SocketAddr) -> F,
) where
    F: Future<Output = Probed>,
{
    let port = order.port.unwrap_or(port);
    let mut asking = FuturesUnordered::new();
    for (name, address) in order.targets {
        if outcomes.is_closed() {
            return;
        }
        if asking.len() >= AT_ONCE {
            asking.next().await;
        }
        let asked = ask(SocketAddr::from((*address, port)));
        asking.push(one(name, asked, pace, &outcomes));
    }
    while asking.next().await.is_some() {}
}

/// One target, when it is its turn.
async fn one(
    name: &NodeName,
    asked: impl Future<Output = Probed>,
    pace: &Pace,
    outcomes: &mpsc::Sender<(NodeName, Outcome)>,
) {
    pace.turn().await;
    let outcome = match tokio::time::timeout(LONGEST, asked).await {
        Ok(Some(found)) => told(&found),
        Ok(None) => Outcome::SILENT,
        Err(_) => {
            let seconds = LONGEST.as_secs();
            let why = format!("what answers there took more than {seconds} s to say what it is");
            Outcome::failed(why)
        }
    };
    // Nobody listens any more when the batch was given up.
    let _ = outcomes.send((name.clone(), outcome)).await;
}

fn told(found: &FoundBmc) -> Outcome {
    Report::of(found).map_or_else(Outcome::failed, Outcome::Report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn addresses_are_asked_at_a_bounded_rate_and_each_has_one_outcome() {
        let pace = Pace::new(1_000);
        let targets: Vec<(NodeName, Ipv4Addr)> = (0..5_000_u32)
            .map(|n| (format!("t{n}").parse().unwrap(), Ipv4Addr::from(n)))
            .collect();
        let order = ProbeOrder {
            targets: &targets,
            port: Some(7),
            credentials: None,
            tls: CertificateTrust::Verify,
        };
        let (sender, mut receiver) = mpsc::channel(10_000);
        let started = Instant::now();
        let ask = |address: SocketAddr| async move {
            assert_eq!(address.port(), 7);
            let std::net::IpAddr::V4(ip) = address.ip() else {
                unreachable!()
            };
            match u32::from(ip) {
                0 => std::future::pending().await,
                n if n % 100 == 0 => Some(FoundBmc::default()),
                _ => None,
            }
        };
        each(order, 623, &pace, sender, ask).await;
        let took = started.elapsed();
        assert!(
            took >= Duration::from_secs(60) && took < Duration::from_secs(70),
            "{took:?}"
        );
        let mut counts = [0; 3];
        while let Some((_, outcome)) = receiver.recv().await {
            counts[match outcome {
                Outcome::Report(_) => 0,
                Outcome::SILENT => 1,
                _ => 2,
            }] += 1;
        }
        assert_eq!(counts, [49, 4_950, 1]);
    }
}
