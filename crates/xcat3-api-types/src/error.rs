//! The document of a request that failed as a whole.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request failed as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The fault.
    pub error_message: Fault,
}

/// A fault in the form that clients of the prototype know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// Whose it is: `Client` or `Server`.
    #[schema(examples("Client"))]
    pub faultcode: String,
    /// What is wrong, in a sentence.
    #[schema(examples("node node1 does not exist"))]
    pub faultstring: String,
    /// Always null.
    pub debuginfo: Option<String>,
}

impl ErrorBody {
    /// A fault of the client's (`true`) or of the server's.
    #[must_use]
    pub fn new(of_client: bool, sentence: String) -> Self {
        let code = if of_client { "Client" } else { "Server" };
        Self {
            error_message: Fault {
                faultcode: code.to_owned(),
                faultstring: sentence,
                debuginfo: None,
            },
        }
    }
}
