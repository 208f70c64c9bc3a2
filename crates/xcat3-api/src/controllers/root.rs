//! `/`, `/v1` and `/v1/openapi.json`: how the API describes itself.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use xcat3_api_types::{Description, Link, VersionDescription};

use super::{Answer, ok};
use crate::error::{ApiError, Failures};
use crate::router;

/// Describes the API.
#[utoipa::path(get, path = "/", tag = "about",
    responses((status = 200, description = "name, versions, links", body = Description), Failures))]
pub async fn root() -> Answer<Description> {
    ok(Description {
        name: "xCAT3 API".to_owned(),
        description: "Provisions bare metal: one request, many nodes, an answer for each."
            .to_owned(),
        default_version: v1(),
        versions: vec![v1()],
    })
}

/// Describes version 1.
#[utoipa::path(get, path = "/", tag = "about",
    responses((status = 200, description = "the version, with links", body = VersionDescription),
        Failures))]
pub async fn version() -> Answer<VersionDescription> {
    ok(v1())
}

fn v1() -> VersionDescription {
    let resources = [
        "nodes", "nics", "networks", "osimages", "passwds", "services",
    ];
    let links = resources.map(|name| Link::new(name, &format!("/v1/{name}")));
    VersionDescription {
        id: "v1".to_owned(),
        status: "CURRENT".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        min_version: "v1".to_owned(),
        links: [
            Link::new("self", "/v1"),
            Link::new("describedby", "/v1/openapi.json"),
        ]
        .into_iter()
        .chain(links)
        .collect(),
    }
}

/// This description, OpenAPI 3.1.
#[utoipa::path(get, path = "/openapi.json", tag = "about",
    responses((status = 200, description = "OpenAPI 3.1", body = Object), Failures))]
pub async fn openapi() -> Result<impl IntoResponse, ApiError> {
    static TEXT: LazyLock<Option<String>> = LazyLock::new(|| router::openapi().to_json().ok());
    let text = TEXT.as_deref().ok_or_else(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text))
}
