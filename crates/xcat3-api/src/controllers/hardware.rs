//! What the hardware of nodes tells and takes beside power and boot device: inventory, sensors, event
//! log, identify light, BIOS attributes, virtual media.
//!
//! The paths are not below `/nodes`, where a node may be called `bios`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use xcat3_api_types::nodes::Named;
use xcat3_api_types::{
    BiosBody, MediaBody, Names, NodeOutcomes, NodeReports, StreamLine, hardware,
};
use xcat3_core::ControlOperation;

use crate::Api;
use crate::error::{ApiError, Failures};
use crate::parameters::{Own, Params, truth};
use crate::submission::{
    Changed, JobAnswers, JobHeaders, JobParams, LINES, Later, NamesNodes, REPORTS, Submission,
    SubmissionWith,
};

type Told = Result<Response, ApiError>;

async fn ask(api: &Api, submission: Submission, operation: ControlOperation) -> Told {
    let operation = operation.into();
    submission.carry_out(api, operation, StatusCode::OK).await
}

async fn change(api: &Api, submission: Submission, operation: ControlOperation) -> Told {
    let (operation, status) = (operation.into(), StatusCode::ACCEPTED);
    submission.carry_out(api, operation, status).await
}

/// Asks what nodes are made of.
#[utoipa::path(get, path = "/hardware/inventory", tag = "hardware", params(JobParams, JobHeaders),
    request_body = Names,
    responses((status = 200, description = REPORTS,
            content((NodeReports = "application/json"), (StreamLine = "application/x-ndjson"))),
        Later, JobAnswers, Failures))]
pub async fn inventory(
    State(api): State<Api>,
    _: Params<JobParams>,
    submission: Submission,
) -> Told {
    ask(&api, submission, ControlOperation::Inventory).await
}

/// Reads the sensors of nodes.
#[utoipa::path(get, path = "/hardware/sensors", tag = "hardware", params(JobParams, JobHeaders),
    request_body = Names,
    responses((status = 200, description = REPORTS,
            content((NodeReports = "application/json"), (StreamLine = "application/x-ndjson"))),
        Later, JobAnswers, Failures))]
pub async fn sensors(State(api): State<Api>, _: Params<JobParams>, submission: Submission) -> Told {
    ask(&api, submission, ControlOperation::Sensors).await
}

/// Reads the event logs of nodes.
#[utoipa::path(get, path = "/hardware/eventlog", tag = "hardware", params(JobParams, JobHeaders),
    request_body = Names,
    responses((status = 200, description = REPORTS,
            content((NodeReports = "application/json"), (StreamLine = "application/x-ndjson"))),
        Later, JobAnswers, Failures))]
pub async fn event_log(
    State(api): State<Api>,
    _: Params<JobParams>,
    submission: Submission,
) -> Told {
    ask(&api, submission, ControlOperation::EventLog).await
}

/// Empties the event logs of nodes.
#[utoipa::path(delete, path = "/hardware/eventlog", tag = "hardware", params(JobParams, JobHeaders),
    request_body = Names, responses(Changed, JobAnswers, Failures))]
pub async fn clear_event_log(
    State(api): State<Api>,
    _: Params<JobParams>,
    submission: Submission,
) -> Told {
    change(&api, submission, ControlOperation::ClearEventLog).await
}

/// Asks whether the identify lights of nodes are on.
#[utoipa::path(get, path = "/hardware/beacon", tag = "hardware", params(JobParams, JobHeaders),
    request_body = Names,
    responses((status = 200, description = "`on`, `off`, or why not, for each; with \
            `Accept: application/x-ndjson` a line for each as it happens, of the job at `Location`",
            content((NodeOutcomes = "application/json"),
                (StreamLine = "application/x-ndjson", example = json!(LINES)))),
        Later, JobAnswers, Failures))]
pub async fn beacon(State(api): State<Api>, _: Params<JobParams>, submission: Submission) -> Told {
    ask(&api, submission, ControlOperation::BeaconStatus).await
}

/// On or off.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Light {
    /// `on` or `off`.
    #[param(required, example = "on")]
    target: Option<String>,
}

/// Switches the identify lights of nodes.
#[utoipa::path(put, path = "/hardware/beacon", tag = "hardware",
    params(Light, JobParams, JobHeaders), request_body = Names,
    responses(Changed, JobAnswers, Failures))]
pub async fn set_beacon(
    State(api): State<Api>,
    Own(Light { target }): Own<Light>,
    submission: Submission,
) -> Told {
    let on = match target.as_deref() {
        Some("on") => true,
        Some("off") => false,
        Some(other) => {
            let other = xcat3_api_types::reader::start(other);
            return Err(format!("'{other}' is not a state of the light: use on or off").into());
        }
        None => {
            let missing = "the parameter 'target' is missing: use on or off";
            return Err(ApiError::bad_request(missing));
        }
    };
    change(&api, submission, ControlOperation::Beacon(on)).await
}

/// Asks for the BIOS attributes of nodes.
#[utoipa::path(get, path = "/hardware/bios", tag = "hardware", params(JobParams, JobHeaders),
    request_body = Names,
    responses((status = 200, description = REPORTS,
            content((NodeReports = "application/json"), (StreamLine = "application/x-ndjson"))),
        Later, JobAnswers, Failures))]
pub async fn bios(State(api): State<Api>, _: Params<JobParams>, submission: Submission) -> Told {
    ask(&api, submission, ControlOperation::Bios).await
}

/// Sets BIOS attributes of nodes. They count from the next boot on.
#[utoipa::path(put, path = "/hardware/bios", tag = "hardware", params(JobParams, JobHeaders),
    request_body = BiosBody, responses(Changed, JobAnswers, Failures))]
pub async fn set_bios(
    State(api): State<Api>,
    _: Params<JobParams>,
    SubmissionWith(submission, body): SubmissionWith<BiosBody>,
) -> Told {
    if body.attributes.is_empty() {
        let missing = "the body sets no BIOS attribute: {\"attributes\": {\"NAME\": \"VALUE\"}}";
        return Err(ApiError::bad_request(missing));
    }
    let operation = ControlOperation::SetBios(body.attributes);
    change(&api, submission, operation).await
}

impl NamesNodes for BiosBody {
    fn take_nodes(&mut self) -> Option<Vec<Named>> {
        self.nodes.take()
    }
}

/// Asks what is in the virtual drives of nodes.
#[utoipa::path(get, path = "/hardware/media", tag = "hardware", params(JobParams, JobHeaders),
    request_body = Names,
    responses((status = 200, description = REPORTS,
            content((NodeReports = "application/json"), (StreamLine = "application/x-ndjson"))),
        Later, JobAnswers, Failures))]
pub async fn media(State(api): State<Api>, _: Params<JobParams>, submission: Submission) -> Told {
    ask(&api, submission, ControlOperation::Media).await
}

/// Which image.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Where the BMCs get it: `http://`, `https://`, `nfs://` or `cifs://`. Here or in the body.
    #[param(example = "http://10.0.0.1/rescue.iso")]
    url: Option<String>,
    /// `true`: the machines also boot from it once, next.
    #[param(value_type = Option<bool>)]
    boot: Option<String>,
}

/// Puts an image into the virtual drives of nodes.
#[utoipa::path(put, path = "/hardware/media", tag = "hardware",
    params(Image, JobParams, JobHeaders), request_body = MediaBody,
    responses(Changed, JobAnswers, Failures))]
pub async fn insert_media(
    State(api): State<Api>,
    Own(Image { url, boot }): Own<Image>,
    SubmissionWith(submission, body): SubmissionWith<MediaBody>,
) -> Told {
    if (url.is_some() && body.url.is_some()) || (boot.is_some() && body.boot.is_some()) {
        let twice = "the image is named twice, by the query and by the body: use one of them";
        return Err(ApiError::bad_request(twice));
    }
    let missing = "'url' is missing, which says where the BMCs get the image";
    let url = url.or(body.url).filter(|url| !url.is_empty());
    let url = url.ok_or_else(|| ApiError::bad_request(missing))?;
    let boot = truth("boot", boot.as_deref())? || body.boot.unwrap_or(false);
    let operation = ControlOperation::InsertMedia(hardware::image(&url, boot)?);
    change(&api, submission, operation).await
}

impl NamesNodes for MediaBody {
    fn take_nodes(&mut self) -> Option<Vec<Named>> {
        self.nodes.take()
    }
}

/// Empties the virtual drives of nodes.
#[utoipa::path(delete, path = "/hardware/media", tag = "hardware", params(JobParams, JobHeaders),
    request_body = Names, responses(Changed, JobAnswers, Failures))]
pub async fn eject_media(
    State(api): State<Api>,
    _: Params<JobParams>,
    submission: Submission,
) -> Told {
    change(&api, submission, ControlOperation::EjectMedia).await
}
