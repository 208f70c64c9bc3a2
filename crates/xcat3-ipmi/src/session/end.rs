//! Credentials of a session, and the reasons for which a session ends.

use crate::handshake::Secret;
use crate::message::Completion;
use crate::rakp::Status;

/// A privilege level (6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privilege {
    /// Reads sensors and state.
    User,
    /// Controls power and boot device too.
    Operator,
    /// May send every command.
    Administrator,
}

impl Privilege {
    pub(super) fn level(self) -> u8 {
        match self {
            Self::User => 2,
            Self::Operator => 3,
            Self::Administrator => 4,
        }
    }
}

/// A login to a BMC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// User name, at most 16 bytes.
    pub user: Vec<u8>,
    /// Password.
    pub password: Secret,
    /// The BMC key (K_G), if the BMC has one.
    pub bmc_key: Option<Secret>,
    /// The privilege level that the session requests.
    pub privilege: Privilege,
}

/// Why a session ended. The sentences follow the name of the BMC: "BMC 10.0.0.7: does not answer".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionEnd {
    /// It was closed.
    #[error("the session was closed")]
    Closed,
    /// The BMC never replied.
    #[error("does not answer")]
    Silent,
    /// The BMC replied only for other sessions.
    #[error("answers, but for other sessions")]
    WrongSession,
    /// The BMC stopped replying during the handshake.
    #[error("stopped answering during the login: unknown user, or no free session")]
    Stalled,
    /// The BMC answered the open request within an older session that came from the same port.
    #[error("takes the login for part of an older session")]
    StaleSession,
    /// The BMC stopped replying in an open session: it restarted, forgot the session, or is gone.
    #[error("no longer answers: the session is lost")]
    Lost,
    /// The BMC refused the handshake.
    #[error("refused the session: {0}")]
    Refused(Status),
    /// The BMC proved that it has another password for the user.
    #[error("wrong password")]
    WrongPassword,
    /// The password is right and the session keys differ.
    #[error("wrong BMC key (K_G)")]
    WrongKey,
    /// The BMC did not grant the privilege level.
    #[error("did not grant the privilege level: {0}")]
    Privilege(Completion),
}

impl SessionEnd {
    /// Whether the BMC accepts the credentials but denies the privilege level. A lower level may work.
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

    /// Whether the BMC rejects the credentials. Another attempt with them is useless and may lock the
    /// account.
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
