//! Why a BMC did not do what it was asked, and what follows from that for its lane.

use std::fmt;

/// What a failure means for the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing came back. Several of these, and the BMC is left alone for a while.
    Silent,
    /// The BMC does not take the credentials. They are not tried again until they change.
    Rejected,
    /// It can't now, but may soon: its session slots are taken, it starts up. It is asked again.
    Busy,
    /// The session is over, another one may do: it is asked again in a new one.
    Lost,
    /// It answered, and refused. The session goes on.
    Refused,
    /// The lease was lost: nothing is said of the node.
    LeaseLost,
}

/// Why a BMC did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What follows.
    pub kind: Kind,
    /// The sentence for the node, without the BMC's address.
    pub reason: String,
    /// Whether the same may be asked once more: it was surely not done, or twice is as good as once.
    pub repeatable: bool,
}

impl Failure {
    fn new(kind: Kind, reason: impl fmt::Display) -> Self {
        Self {
            kind,
            reason: reason.to_string(),
            repeatable: true,
        }
    }

    /// Nothing came back.
    #[must_use]
    pub fn silent(reason: impl fmt::Display) -> Self {
        Self::new(Kind::Silent, reason)
    }

    /// The BMC does not take the credentials.
    #[must_use]
    pub fn rejected(reason: impl fmt::Display) -> Self {
        Self::new(Kind::Rejected, reason)
    }

    /// The BMC can't now.
    #[must_use]
    pub fn busy(reason: impl fmt::Display) -> Self {
        Self::new(Kind::Busy, reason)
    }

    /// The session is over.
    #[must_use]
    pub fn lost(reason: impl fmt::Display) -> Self {
        Self::new(Kind::Lost, reason)
    }

    /// The BMC refused.
    #[must_use]
    pub fn refused(reason: impl fmt::Display) -> Self {
        Self::new(Kind::Refused, reason)
    }

    /// The lease was lost.
    #[must_use]
    pub fn lease_lost() -> Self {
        Self::new(Kind::LeaseLost, "the reservation was lost").once()
    }

    /// What was asked may have been done, and must not be done twice.
    #[must_use]
    pub fn once(self) -> Self {
        Self {
            repeatable: false,
            ..self
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
