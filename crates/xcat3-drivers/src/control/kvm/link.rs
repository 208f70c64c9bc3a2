//! The one connection to a hypervisor: opened when needed, shared by all who need it, opened again
//! when it was lost.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use super::super::KvmConfig;
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::ssh::Connection;

/// An attempt to connect, which all who wait for it share, and its result.
type Attempt = Shared<BoxFuture<'static, Result<Arc<Connection>, Failure>>>;

/// The way to one hypervisor.
pub struct Link {
    endpoint: Endpoint,
    config: KvmConfig,
    last: Mutex<Option<Attempt>>,
}

impl Link {
    /// A way to `endpoint`. Nothing is connected yet.
    pub fn new(endpoint: Endpoint, config: KvmConfig) -> Self {
        Self {
            endpoint,
            config,
            last: Mutex::new(None),
        }
    }

    /// Where it leads to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether there is, or may soon be, a connection.
    pub fn is_in_use(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().is_some_and(is_good)
    }

    /// The connection. Those who ask while it is being opened wait for the same attempt, so that
    /// a hypervisor which does not answer costs each of them one deadline, not one for each.
    ///
    /// # Errors
    /// It can't be opened.
    pub async fn connection(&self) -> Result<Arc<Connection>, Failure> {
        let attempt = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            match last.as_ref().filter(|attempt| is_good(attempt)) {
                Some(attempt) => attempt.clone(),
                None => {
                    let attempt = self.attempt();
                    *last = Some(attempt.clone());
                    attempt
                }
            }
        };
        attempt.await
    }

    /// Forgets `connection`, so that the next who asks gets a new one.
    pub fn forget(&self, connection: &Arc<Connection>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |attempt: &Attempt| matches!(attempt.peek(), Some(Ok(open)) if Arc::ptr_eq(open, connection));
        if last.as_ref().is_some_and(is_it) {
            *last = None;
        }
    }

    fn attempt(&self) -> Attempt {
        let (endpoint, config) = (self.endpoint.clone(), self.config.clone());
        let opening = async move { Connection::open(&endpoint, &config).await.map(Arc::new) };
        let attempt = opening.boxed().shared();
        // It goes on when those who wait for it give up; its own deadlines end it.
        tokio::spawn(attempt.clone());
        attempt
    }
}

/// Whether an attempt is under way or led to a connection that still stands.
fn is_good(attempt: &Attempt) -> bool {
    match attempt.peek() {
        None => true,
        Some(Ok(connection)) => !connection.is_closed(),
        Some(Err(_)) => false,
    }
}
