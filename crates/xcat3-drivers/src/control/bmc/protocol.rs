//! What a protocol has to be able to do to be driven by [lanes](super::Lanes).

use std::future::Future;
use std::hash::Hash;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;
use xcat3_core::{Node, Outcome};

use super::super::{ControlOperation, Lease};
use super::endpoint::Bmc;
use super::failure::Failure;
use super::rejections::Rejections;
use super::slots::Turn;

/// What times are usual for a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// A BMC that takes longer than this for an answer gives its slot to another one.
    pub overdue: Duration,
    /// A kept session on which nothing comes for this long is taken for dead, and a new one is opened. At
    /// least twice as long as its BMC took for an answer before.
    pub stale: Duration,
    /// How long a kept session may be silent before it is kept alive; nothing where the BMC lets it
    /// live for longer than it is kept.
    pub keep_alive: Option<Duration>,
}

/// What is asked of a node's BMC.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The node.
    pub node: &'a Node,
    /// What is done.
    pub operation: &'a ControlOperation,
    /// To be asked right before each action that changes something; where it does not hold, answer
    /// [`Failure::lease_lost`].
    pub lease: &'a Lease,
    /// Credentials that BMCs are known to reject.
    pub rejections: &'a Rejections,
    /// When the caller gives up: nobody reads what comes later.
    pub end: Instant,
}

/// A protocol that BMCs speak.
///
/// All futures may be dropped before they end. A session whose [`Protocol::act`] was dropped is closed and
/// not used again.
pub trait Protocol: Send + Sync + 'static {
    /// What a node says beyond address and credentials. Where any of it changes, a new session is opened,
    /// and rejected credentials are tried again.
    type Options: Hash + Send + Sync;
    /// A session with a BMC.
    type Session: Send + 'static;

    /// The protocol's own port.
    fn port(&self) -> u16;

    /// What times are usual.
    fn pace(&self) -> Pace;

    /// Why nodes can't be asked for `operation`, where the protocol has nothing of the kind.
    fn lacks(&self, operation: &ControlOperation) -> Option<String>;

    /// What `node` says beyond address and credentials.
    ///
    /// # Errors
    /// The sentence for the node.
    fn options(&self, node: &Node) -> Result<Self::Options, String>;

    /// Opens a session with the BMC at `address`.
    fn open(
        &self,
        bmc: &Bmc<Self::Options>,
        address: SocketAddr,
        turn: &Turn<'_>,
    ) -> impl Future<Output = Result<Self::Session, Failure>> + Send;

    /// Does what is asked, and tells `turn` of each answer. What it asks of the BMC first must change
    /// nothing, or be as good twice as once: the session may be stale, and then it is all done again
    /// in a new one.
    fn act(
        &self,
        session: &mut Self::Session,
        asked: Asked<'_>,
        turn: &Turn<'_>,
    ) -> impl Future<Output = Result<Outcome, Failure>> + Send;

    /// Shows the BMC that the session is alive.
    fn keep_alive(
        &self,
        session: &mut Self::Session,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        let _ = session;
        async { Ok(()) }
    }

    /// Gives the BMC its slot back.
    fn close(&self, session: Self::Session) -> impl Future<Output = ()> + Send;
}
