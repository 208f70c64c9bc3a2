//! Deploying nodes, taking that back, and the word of an installed machine.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use xcat3_api_types::nodes::Refused;
use xcat3_api_types::reader::start;
use xcat3_api_types::{Names, NodeOutcomes, OutcomesOrJob, StreamLine};
use xcat3_core::{NodeName, Operation};
use xcat3_service::JobRequest;
use xcat3_store::NOT_FOUND;

use super::{Answer, ok};
use crate::Api;
use crate::error::{ApiError, Failures, Missing};
use crate::parameters::{Own, Params, truth};
use crate::submission::{JobAnswers, JobHeaders, JobParams, LINES, Submission, collected};

/// What to set up.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Provision {
    /// `nodeset` installs at the next network boot, `dhcp` only serves the address, `un_nodeset` and
    /// `un_dhcp` take everything back.
    #[param(required, example = "nodeset")]
    target: Option<String>,
    /// The OS image; each node's last one where absent.
    #[param(example = "rhels7.3-x86_64")]
    osimage: Option<String>,
    /// The network to install over; the one around each node's address where absent.
    subnet: Option<String>,
    /// The same as `subnet`.
    network: Option<String>,
    /// `true` restarts an install that is under way.
    force: Option<String>,
}

impl Provision {
    fn operation(self) -> Result<Operation, ApiError> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let force = truth("force", self.force.as_deref())?;
        let target = self.target.unwrap_or_default();
        if force && target != "nodeset" {
            return Err(ApiError::bad_request("force goes with target=nodeset only"));
        }
        let (subnet, network) = (given(self.subnet), given(self.network));
        if subnet.is_some() && network.is_some() && subnet != network {
            return Err(ApiError::bad_request(
                "subnet and network are the same: give one of them",
            ));
        }
        Ok(match target.as_str() {
            "nodeset" => Operation::Deploy {
                osimage: given(self.osimage),
                subnet: subnet.or(network),
                force,
            },
            "dhcp" => Operation::ServeDhcp,
            "un_nodeset" | "un_dhcp" => Operation::Undo,
            other => {
                let other = start(other);
                let known = "use one of nodeset, dhcp, un_nodeset, un_dhcp";
                return Err(format!("'{other}' is not a provision target: {known}").into());
            }
        })
    }
}

/// Deploys nodes, or takes that back.
#[utoipa::path(put, path = "/nodes/provision", tag = "nodes", params(Provision, JobParams, JobHeaders),
    request_body = Names,
    responses((status = 202, description = "`ok`, or why not, for each; with `Prefer: respond-async` \
            the job, at `Location`", body = OutcomesOrJob),
        (status = 200, description = "with `Accept: application/x-ndjson` a line for each node as it \
            happens, of the job at `Location`",
            content((StreamLine = "application/x-ndjson", example = json!(LINES)))),
        JobAnswers, Failures))]
pub async fn set(
    State(api): State<Api>,
    Own(provision): Own<Provision>,
    submission: Submission,
) -> Result<Response, ApiError> {
    let operation = provision.operation()?;
    submission
        .carry_out(&api, operation, StatusCode::ACCEPTED)
        .await
}

/// Who calls back.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// The node whose install is done.
    #[param(required)]
    name: Option<String>,
}

/// Ends the install of a node. Sent by the installed machine; a body counts for nothing.
#[utoipa::path(put, path = "/nodes/provision/callback", tag = "nodes", params(Caller),
    responses((status = 200, description = "the node is deployed", body = NodeOutcomes),
        Missing, Failures))]
pub async fn callback(
    State(api): State<Api>,
    Params(Caller { name }): Params<Caller>,
) -> Answer<NodeOutcomes> {
    let missing = "the parameter 'name' is missing: it names the node whose install is done";
    let name = name.ok_or_else(|| ApiError::bad_request(missing))?;
    let node: NodeName = name.parse().map_err(|_| ApiError::missing("node", &name))?;
    let outcomes = collected(&api, JobRequest::new(Operation::Callback, vec![node])).await?;
    let word = outcomes
        .first()
        .map_or(NOT_FOUND, |(_, outcome)| outcome.as_str());
    match word {
        "ok" => ok(NodeOutcomes::new(outcomes, Refused::default())),
        NOT_FOUND => Err(ApiError::missing("node", &name)),
        why => Err(ApiError::conflict(format!("node {}: {why}", start(&name)))),
    }
}
