//! What nodes boot from next.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use xcat3_api_types::{JobRecord, Names, NodeOutcomes, OutcomesOrJob, StreamLine};
use xcat3_core::{BootDevice, BootOrder, ControlOperation};

use crate::Api;
use crate::error::{ApiError, Failures};
use crate::parameters::{Own, Params, truth};
use crate::submission::{JobAnswers, JobHeaders, JobParams, LINES, Submission};

/// What to boot from.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `net`, `disk`, `cdrom`, `setup`, or `http` (UEFI HTTP boot).
    #[param(required, example = "net")]
    target: Option<String>,
    /// `true`: until it is set again, and not only for the next boot. What knows only this (`kvm`,
    /// `fake`) takes `false` for `true`.
    #[param(value_type = Option<bool>)]
    persistent: Option<String>,
    /// `true`: by UEFI, `false`: as the BMC thinks fit.
    #[param(value_type = Option<bool>)]
    uefi: Option<String>,
}

/// Asks what nodes boot from next.
#[utoipa::path(get, path = "/nodes/boot_device", tag = "nodes", params(JobParams, JobHeaders),
    request_body = Names,
    responses((status = 200, description = "`net`, `disk`, `cdrom`, `setup`, `http`, `none` \
            where the machine's own order counts, or why not, for each; with `Accept: application/x-ndjson` a line for each as it happens, of the job at `Location`",
            content((NodeOutcomes = "application/json"),
                (StreamLine = "application/x-ndjson", example = json!(LINES)))),
        (status = 202, description = "with `Prefer: respond-async` the job, at `Location`",
            body = JobRecord), JobAnswers, Failures))]
pub async fn show(
    State(api): State<Api>,
    _: Params<JobParams>,
    submission: Submission,
) -> Result<Response, ApiError> {
    let operation = ControlOperation::BootDeviceStatus.into();
    submission.carry_out(&api, operation, StatusCode::OK).await
}

/// Sets what nodes boot from next.
#[utoipa::path(put, path = "/nodes/boot_device", tag = "nodes", params(Target, JobParams, JobHeaders),
    request_body = Names,
    responses((status = 202, description = "`ok`, or why not, for each; with `Prefer: respond-async` \
            the job, at `Location`", body = OutcomesOrJob),
        (status = 200, description = "with `Accept: application/x-ndjson` a line for each node as it \
            happens, of the job at `Location`",
            content((StreamLine = "application/x-ndjson", example = json!(LINES)))),
        JobAnswers, Failures))]
pub async fn set(
    State(api): State<Api>,
    Own(target): Own<Target>,
    submission: Submission,
) -> Result<Response, ApiError> {
    let missing = "the parameter 'target' is missing: use net, disk, cdrom, setup or http";
    let word = target
        .target
        .ok_or_else(|| ApiError::bad_request(missing))?;
    let device: BootDevice = word
        .parse()
        .map_err(|error| ApiError::from(format!("{error}")))?;
    let order = BootOrder {
        device,
        persistent: truth("persistent", target.persistent.as_deref())?,
        uefi: truth("uefi", target.uefi.as_deref())?,
    };
    let operation = ControlOperation::SetBootDevice(order).into();
    submission
        .carry_out(&api, operation, StatusCode::ACCEPTED)
        .await
}
