//! The power of nodes.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use xcat3_api_types::{Names, NodeOutcomes};
use xcat3_core::{Operation, PowerTarget};

use super::{Answer, accepted, ok};
use crate::Api;
use crate::error::{ApiError, Failures};
use crate::many::{Asked, operate};
use crate::parameters::{NamesParam, Own, Params};

/// What to do.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `on`, `off`, `reset`, or `boot`: reset where on, power on where off.
    #[param(required, example = "on")]
    target: Option<String>,
}

/// Asks for the power state of nodes.
#[utoipa::path(get, path = "/nodes/power", tag = "nodes", params(NamesParam),
    request_body = Names,
    responses((status = 200, description = "`on`, `off`, or why not, for each", body = NodeOutcomes),
        Failures))]
pub async fn show(
    State(api): State<Api>,
    _: Params<NamesParam>,
    asked: Asked,
) -> Answer<NodeOutcomes> {
    ok(operate(&api, Operation::PowerStatus, asked).await?)
}

/// Changes the power state of nodes.
#[utoipa::path(put, path = "/nodes/power", tag = "nodes", params(Target, NamesParam), request_body = Names,
    responses((status = 202, description = "`ok`, or why not, for each", body = NodeOutcomes),
        Failures))]
pub async fn set(
    State(api): State<Api>,
    Own(Target { target }): Own<Target>,
    asked: Asked,
) -> Answer<NodeOutcomes> {
    let target = match target.as_deref() {
        // The word of the first Python client.
        Some("reboot") => PowerTarget::Boot,
        Some(word) => word
            .parse()
            .map_err(|error| ApiError::from(format!("{error}")))?,
        None => {
            return Err(ApiError::bad_request(
                "the parameter 'target' is missing: use on, off, boot or reset",
            ));
        }
    };
    accepted(operate(&api, Operation::Power(target), asked).await?)
}
