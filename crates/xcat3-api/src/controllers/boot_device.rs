//! What nodes boot from next.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use xcat3_api_types::{Names, NodeOutcomes};
use xcat3_core::{BootDevice, Operation};

use super::{Answer, accepted, ok};
use crate::Api;
use crate::error::{ApiError, Failures};
use crate::many::{Asked, operate};
use crate::parameters::{NamesParam, Own, Params};

/// What to boot from.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `net`, `disk` or `cdrom`.
    #[param(required, example = "net")]
    target: Option<String>,
}

/// Asks what nodes boot from next.
#[utoipa::path(get, path = "/nodes/boot_device", tag = "nodes", params(NamesParam),
    request_body = Names,
    responses((status = 200, description = "`net`, `disk`, `cdrom`, or why not, for each",
        body = NodeOutcomes), Failures))]
pub async fn show(
    State(api): State<Api>,
    _: Params<NamesParam>,
    asked: Asked,
) -> Answer<NodeOutcomes> {
    ok(operate(&api, Operation::BootDeviceStatus, asked).await?)
}

/// Sets what nodes boot from next.
#[utoipa::path(put, path = "/nodes/boot_device", tag = "nodes", params(Target, NamesParam),
    request_body = Names,
    responses((status = 202, description = "`ok`, or why not, for each", body = NodeOutcomes),
        Failures))]
pub async fn set(
    State(api): State<Api>,
    Own(Target { target }): Own<Target>,
    asked: Asked,
) -> Answer<NodeOutcomes> {
    let missing = "the parameter 'target' is missing: use net, disk or cdrom";
    let word = target.ok_or_else(|| ApiError::bad_request(missing))?;
    let device: BootDevice = word
        .parse()
        .map_err(|error| ApiError::from(format!("{error}")))?;
    accepted(operate(&api, Operation::SetBootDevice(device), asked).await?)
}
