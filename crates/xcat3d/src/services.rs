//! Services that run side by side in one process and stop one after another.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures::future::select_all;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

/// What a service may take beyond the time in which it drains.
const MARGIN: Duration = Duration::from_secs(5);

/// The services of a process, in the order in which they were started.
pub(crate) struct Services {
    patience: Duration,
    running: Vec<Service>,
}

struct Service {
    name: &'static str,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Services {
    /// None yet. Each has `drain` to finish what is under way when it is told to stop.
    pub(crate) fn new(drain: Duration) -> Self {
        Self {
            patience: drain + MARGIN,
            running: Vec::new(),
        }
    }

    /// Starts a service, which is given the token that stops it.
    pub(crate) fn start<Run>(
        &mut self,
        name: &'static str,
        service: impl FnOnce(CancellationToken) -> Run,
    ) where
        Run: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = tokio::spawn(service(stop.clone()));
        self.running.push(Service { name, stop, task });
    }

    /// Lets them run until `shutdown`, or until one ends by itself, which is a failure. Then stops
    /// the others, the first started last, and waits for each.
    pub(crate) async fn until(mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let mut result = match shutdown.run_until_cancelled(self.one_ends()).await {
            None => Ok(()),
            Some(failure) => Err(failure),
        };
        while let Some(service) = self.running.pop() {
            let ended = service.end(self.patience).await;
            // The first failure is the cause of those that follow.
            result = result.and(ended);
        }
        result
    }

    /// Waits until a service ends though nobody told it to.
    async fn one_ends(&mut self) -> anyhow::Error {
        let tasks = self.running.iter_mut().map(|service| &mut service.task);
        let (ended, index, _) = select_all(tasks).await;
        let name = self.running.remove(index).name;
        match told(name, ended) {
            Ok(()) => anyhow!("the {name} ended by itself"),
            Err(error) => error,
        }
    }
}

impl Service {
    async fn end(mut self, patience: Duration) -> anyhow::Result<()> {
        self.stop.cancel();
        match tokio::time::timeout(patience, &mut self.task).await {
            Ok(ended) => told(self.name, ended),
            Err(_) => {
                tracing::warn!(service = self.name, "it did not stop in time: ending it");
                self.task.abort();
                // Only joined: that it was cut off is no news.
                let _ = self.task.await;
                Ok(())
            }
        }
    }
}

fn told(name: &'static str, ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    match ended {
        Ok(result) => result.with_context(|| format!("the {name} failed")),
        Err(_) => Err(anyhow!("the {name} broke down: see the log above")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    fn services() -> Services {
        let mut services = Services::new(Duration::ZERO);
        services.patience = Duration::from_millis(50);
        services
    }

    #[tokio::test]
    async fn they_stop_in_turn_the_last_started_first() {
        let mut services = services();
        let stopped = Arc::new(Mutex::new(Vec::new()));
        for name in ["first", "second", "third"] {
            let stopped = stopped.clone();
            services.start(name, |stop| async move {
                stop.cancelled().await;
                stopped.lock().unwrap().push(name);
                Ok(())
            });
        }
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        services.until(&shutdown).await.unwrap();
        assert_eq!(*stopped.lock().unwrap(), ["third", "second", "first"]);
    }

    #[tokio::test]
    async fn one_that_fails_ends_all_and_says_why() {
        let mut services = services();
        services.start("good one", |stop| async move {
            stop.cancelled().await;
            Ok(())
        });
        services.start("bad one", |_| async { Err(anyhow!("no more room")) });
        let error = services.until(&CancellationToken::new()).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "the bad one failed: no more room");
    }

    #[tokio::test]
    async fn one_that_breaks_down_or_just_ends_is_a_failure_too() {
        let mut panicking = services();
        panicking.start("one", |_| async { panic!("as the test wants") });
        let error = panicking
            .until(&CancellationToken::new())
            .await
            .unwrap_err();
        assert!(
            error.to_string().starts_with("the one broke down"),
            "{error}"
        );
        let mut ending = services();
        ending.start("one", |_| async { Ok(()) });
        let error = ending.until(&CancellationToken::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "the one ended by itself");
    }

    #[tokio::test]
    async fn one_that_does_not_stop_is_ended() {
        let mut services = services();
        services.start("deaf one", |_| std::future::pending());
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        services.until(&shutdown).await.unwrap();
    }
}
