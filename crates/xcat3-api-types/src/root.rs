//! How the API describes itself at `/` and `/v1`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The version that un-versioned paths mean.
    pub default_version: VersionDescription,
    /// All versions.
    pub versions: Vec<VersionDescription>,
}

/// A version of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionDescription {
    /// `v1`.
    pub id: String,
    /// `CURRENT`.
    pub status: String,
    /// The release of xcat3 that answers.
    pub version: String,
    /// The oldest version that is spoken.
    pub min_version: String,
    /// Where it is.
    pub links: Vec<Link>,
}

/// Where something is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// What it is to the document that it stands in.
    pub rel: String,
    /// Its path on this server.
    pub href: String,
}

impl Link {
    /// A link.
    #[must_use]
    pub fn new(rel: &str, href: &str) -> Self {
        Self {
            rel: rel.to_owned(),
            href: href.to_owned(),
        }
    }
}
