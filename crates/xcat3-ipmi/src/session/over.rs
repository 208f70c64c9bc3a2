//! Who logs in, and why a session ends: in sentences for people, and in kinds for what is done next.

use crate::handshake::Secret;
use crate::message::Completion;
use crate::rakp::Status;

/// What a user may do (6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privilege {
    /// Look at sensors and state.
    User,
    /// Power and boot device too.
    Operator,
    /// Everything.
    Administrator,
}

impl Privilege {
    pub(super) fn number(self) -> u8 {
        match self {
            Self::User => 2,
            Self::Operator => 3,
            Self::Administrator => 4,
        }
    }
}

/// Who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name, at most 16 bytes.
    pub user: Vec<u8>,
    /// Its password.
    pub password: Secret,
    /// The BMC's own key (K_G), where it has one.
    pub bmc_key: Option<Secret>,
    /// What the session is to be allowed.
    pub privilege: Privilege,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionEnd {
    /// It was closed.
    #[error("the session was closed")]
    Closed,
    /// Nothing came back, from the beginning.
    #[error("it does not answer")]
    Silent,
    /// What came back was for sessions that are not this one.
    #[error("it answers, but for other sessions than the one that it is asked for")]
    WrongSession,
    /// The BMC began a handshake and then went silent.
    #[error(
        "it answers but does not go on with the login: it may not know the user, or have no room"
    )]
    Stalled,
    /// The BMC answers the beginning of a session within another one, which once came from the same
    /// port.
    #[error("it takes the login for a part of an older session")]
    StaleSession,
    /// There was a session, and the BMC is silent to it: it restarted, forgot it, or is gone.
    #[error("it does not answer any more: the session is lost")]
    Lost,
    /// The BMC refused the handshake.
    #[error("it refused the session: {0}")]
    Refused(Status),
    /// The BMC proves that it knows another password.
    #[error("the password is not the one that the BMC has")]
    WrongPassword,
    /// The password is right, but the session's keys differ.
    #[error("the BMC key (K_G) is not the one that the BMC has")]
    WrongKey,
    /// The BMC does not allow the privilege level.
    #[error("it did not grant the privilege level: {0}")]
    Privilege(Completion),
}

impl SessionEnd {
    /// Whether the BMC knows who logs in, but denies the privilege level: a lower one may do.
    #[must_use]
    pub fn is_privilege_denied(self) -> bool {
        match self {
            Self::Refused(status) => {
                [Status::INVALID_ROLE, Status::UNAUTHORIZED_ROLE].contains(&status)
            }
            Self::Privilege(_) => true,
            _ => false,
        }
    }

    /// Whether the BMC rejects who logs in. Trying the same again is useless, and locks accounts.
    #[must_use]
    pub fn rejects_credentials(self) -> bool {
        match self {
            Self::Refused(status) => status.rejects_credentials(),
            Self::WrongPassword | Self::WrongKey | Self::Privilege(_) => true,
            Self::Closed
            | Self::Silent
            | Self::WrongSession
            | Self::Stalled
            | Self::StaleSession
            | Self::Lost => false,
        }
    }
}
