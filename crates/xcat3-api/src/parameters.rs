//! Query parameters and parts of paths, refused in the API's own words.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use xcat3_api_types::reader::start;

use crate::error::ApiError;

/// The query of a request. A parameter that is not known is refused, as it may be a slip.
pub struct Params<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        understood(&parts.uri).map(Self)
    }
}

/// Those parameters of a request on many nodes that are its own. What all such requests share is read
/// with the nodes: see [`shared`].
pub struct Own<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Own<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        understood(&part(&parts.uri, |key| !SHARED.contains(&key))?).map(Self)
    }
}

/// The parameters that requests on many nodes share.
const SHARED: [&str; 3] = ["nodes", "batch", "max_failures"];

/// What all requests take that name nodes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct NamesParam {
    /// The nodes as a range, instead of names in the body.
    #[param(example = "node[1-25],-node[7,9]")]
    pub nodes: Option<String>,
}

/// Those of the parameters that requests on many nodes share.
pub struct Shared<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Shared<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        shared(&parts.uri).map(Self)
    }
}

/// The same of the request for `uri`.
pub fn shared<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    understood(&part(uri, |key| SHARED.contains(&key))?)
}

/// A URI with those parameters of `uri` whose name `belongs`.
fn part(uri: &Uri, belongs: impl Fn(&str) -> bool) -> Result<Uri, ApiError> {
    let query = uri.query().unwrap_or_default();
    let key = |pair: &&str| belongs(pair.split_once('=').map_or(*pair, |(key, _)| key));
    let kept: Vec<&str> = query.split('&').filter(key).collect();
    let wrong = |_| ApiError::bad_request("the query can't be understood");
    format!("/?{}", kept.join("&")).parse().map_err(wrong)
}

fn understood<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    let query = Query::try_from_uri(uri);
    let Query(params) = query.map_err(|rejection| {
        let text = rejection.body_text().replace('`', "'");
        let why = text.rsplit("query string: ").next().unwrap_or_default();
        // What comes before is the parameter's name, which the rest says again.
        let why = why.split_once(": ").map_or(why, |(_, rest)| rest);
        let why = why.replace("unknown field", "unknown parameter");
        let why = why.replace("duplicate field", "given twice:");
        ApiError::bad_request(format!("the query can't be understood: {why}"))
    })?;
    Ok(params)
}

/// The parameter `name` where it is to be a truth value. Absent or empty it is false.
///
/// # Errors
/// It is neither `true` nor `false`.
pub fn truth(name: &str, text: Option<&str>) -> Result<bool, ApiError> {
    match text {
        Some("true") => Ok(true),
        None | Some("false" | "") => Ok(false),
        Some(other) => {
            let other = start(other);
            Err(format!("{name} '{other}' is neither true nor false").into())
        }
    }
}

/// The one variable part of a path.
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(name) = Path::from_request_parts(parts, state).await.map_err(|_| {
            ApiError::bad_request("the path holds something that is not UTF-8 text")
        })?;
        Ok(Self(name))
    }
}

/// `fields=`, which every record takes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FieldsParam {
    /// Only these fields, separated by commas. What names the record always comes along.
    pub fields: Option<String>,
}
