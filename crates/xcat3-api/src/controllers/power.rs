//! The power of nodes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use xcat3_api_types::{JobRecord, Names, NodeOutcomes, OutcomesOrJob, StreamLine};
use xcat3_core::{ControlOperation, PowerTarget};

use crate::Api;
use crate::error::{ApiError, Failures};
use crate::parameters::{Own, Params};
use crate::submission::{JobAnswers, JobHeaders, JobParams, LINES, Submission};

/// What to do.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `on`; `off`; `reset`; `boot`: reset where on, power on where off; `cycle`: off and on again; `soft`:
    /// ask the operating system to shut down.
    #[param(required, example = "on")]
    target: Option<String>,
}

/// Asks for the power state of nodes.
#[utoipa::path(get, path = "/nodes/power", tag = "nodes", params(JobParams, JobHeaders),
    request_body = Names,
    responses((status = 200, description = "`on`, `off`, or why not, for each; with \
            `Accept: application/x-ndjson` a line for each as it happens, of the job at `Location`",
            content((NodeOutcomes = "application/json"),
                (StreamLine = "application/x-ndjson", example = json!(LINES)))),
        (status = 202, description = "with `Prefer: respond-async` the job, at `Location`",
            body = JobRecord),
        JobAnswers, Failures))]
pub async fn show(
    State(api): State<Api>,
    _: Params<JobParams>,
    submission: Submission,
) -> Result<Response, ApiError> {
    let operation = ControlOperation::PowerStatus.into();
    submission.carry_out(&api, operation, StatusCode::OK).await
}

/// Changes the power state of nodes.
#[utoipa::path(put, path = "/nodes/power", tag = "nodes", params(Target, JobParams, JobHeaders), request_body = Names,
    responses((status = 202, description = "`ok`, or why not, for each; with `Prefer: respond-async` \
            the job, at `Location`", body = OutcomesOrJob),
        (status = 200, description = "with `Accept: application/x-ndjson` a line for each node as it \
            happens, of the job at `Location`",
            content((StreamLine = "application/x-ndjson", example = json!(LINES)))),
        JobAnswers, Failures))]
pub async fn set(
    State(api): State<Api>,
    Own(Target { target }): Own<Target>,
    submission: Submission,
) -> Result<Response, ApiError> {
    let target = match target.as_deref() {
        // The word of the first Python client.
        Some("reboot") => PowerTarget::Boot,
        Some(word) => word
            .parse()
            .map_err(|error| ApiError::from(format!("{error}")))?,
        None => {
            return Err(ApiError::bad_request(
                "the parameter 'target' is missing: use on, off, boot, reset, cycle or soft",
            ));
        }
    };
    let operation = ControlOperation::Power(target).into();
    submission
        .carry_out(&api, operation, StatusCode::ACCEPTED)
        .await
}
