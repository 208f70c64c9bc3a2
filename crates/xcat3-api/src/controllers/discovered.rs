//! Machines that are no nodes: those that boot over the network, and BMCs that are looked for.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;
use xcat3_api_types::discovered::{DiscoveredList, Forgotten};
use xcat3_api_types::reader::start;
use xcat3_api_types::{NodeReports, StreamLine};
use xcat3_core::{CertificateTrust, Discovery, MacAddr, NodeName, Operation, addresses};

use super::{Answer, accepted, ok};
use crate::Api;
use crate::error::{ApiError, Failures};
use crate::parameters::{Own, Params};
use crate::submission::{JobAnswers, JobHeaders, Later, REPORTS, Submission};

/// The most machines that one request names.
const MOST_NAMED: usize = 1_000;

/// Nothing is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Lists the machines that booted over the network in the last 30 days and are no nodes.
#[utoipa::path(get, path = "/discovered", tag = "discovered",
    responses((status = 200, description = "the machines, by when they were first seen",
        body = DiscoveredList), Failures))]
pub async fn list(State(api): State<Api>, _: Params<Nothing>) -> Answer<DiscoveredList> {
    let discovered = api.store.discovered_machines().await?;
    let discovered = discovered.into_iter().map(Into::into).collect();
    ok(DiscoveredList { discovered })
}

/// Which.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// MAC addresses, separated by commas. All machines where absent.
    #[param(example = "52:54:00:36:ac:b1,52:54:00:36:ac:b2")]
    mac: Option<String>,
}

/// Forgets such machines. Those that ask again are listed again.
#[utoipa::path(delete, path = "/discovered", tag = "discovered", params(Which),
    responses((status = 202, description = "how many are forgotten", body = Forgotten), Failures))]
pub async fn forget(
    State(api): State<Api>,
    Params(Which { mac }): Params<Which>,
) -> Answer<Forgotten> {
    let macs = mac.map(|texts| {
        let macs = texts.split(',').take(MOST_NAMED + 1).map(|text| {
            let mac: Result<MacAddr, _> = text.trim().parse();
            mac.map_err(|error| ApiError::bad_request(error.to_string()))
        });
        macs.collect::<Result<Vec<MacAddr>, ApiError>>()
    });
    let macs = macs.transpose()?;
    if macs.as_ref().is_some_and(|macs| macs.len() > MOST_NAMED) {
        let sentence = format!("more than {MOST_NAMED} machines in one request");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, sentence));
    }
    let forgotten = api.store.forget_discovered(macs.as_deref()).await?;
    accepted(Forgotten { forgotten })
}

/// Where and how to look.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Where {
    /// Addresses, subnets and ranges of IPv4, separated by commas; what begins with `-` is left out. At
    /// most 65,536 addresses.
    #[param(
        required,
        example = "10.0.0.0/24,10.0.1.1-10.0.1.99,10.0.[2-3].[1-99],-10.0.0.7"
    )]
    addresses: Option<String>,
    /// The control driver that asks: `ipmi` or `redfish`.
    #[param(required, example = "ipmi")]
    mgt: Option<String>,
    /// The port to ask; that of the protocol where absent.
    #[param(value_type = Option<u16>)]
    port: Option<String>,
    /// Whose certificates are trusted before anyone logs in, with `redfish`: `verify` (those of a trusted
    /// authority, where absent), `first-use` (the one that each shows now) or `insecure`.
    #[param(example = "first-use")]
    tls: Option<String>,
}

impl Where {
    fn read(self) -> Result<(Discovery, Vec<NodeName>), ApiError> {
        let mgt = match self.mgt.as_deref() {
            Some(mgt @ ("ipmi" | "redfish")) => mgt.to_owned(),
            Some(other) => {
                let other = start(other);
                return Err(
                    format!("BMCs are not looked for by '{other}': use ipmi or redfish").into(),
                );
            }
            None => {
                let missing = "the parameter 'mgt' is missing: use ipmi or redfish";
                return Err(ApiError::bad_request(missing));
            }
        };
        let port = self.port.filter(|port| !port.is_empty()).map(|text| {
            let port: Option<u16> = text.parse().ok().filter(|port| *port > 0);
            port.ok_or_else(|| format!("port '{}' is no number from 1 to 65535", start(&text)))
        });
        let port = port.transpose()?;
        let tls = match self.tls.filter(|word| !word.is_empty()) {
            None => CertificateTrust::default(),
            Some(_) if mgt != "redfish" => {
                return Err(ApiError::bad_request("'tls' is for mgt=redfish"));
            }
            Some(word) => word
                .parse()
                .map_err(|how| format!("tls '{}' is not known: {how}", start(&word)))?,
        };
        let missing = "the parameter 'addresses' is missing: it says where to look";
        let text = self
            .addresses
            .ok_or_else(|| ApiError::bad_request(missing))?;
        let addresses = addresses::parse(&text).map_err(|error| error.to_string())?;
        let names = addresses
            .into_iter()
            .filter_map(addresses::target)
            .collect();
        Ok((Discovery { mgt, port, tls }, names))
    }
}

/// Looks for BMCs.
///
/// Each address is a target of the job, named with hyphens for its dots. What is found there is its
/// report; `silent` says that nobody answers.
#[utoipa::path(get, path = "/discover", tag = "discovered",
    params(Where, ("batch" = Option<u64>, Query, description = "how many addresses are asked at once"),
        ("max_failures" = Option<String>, Query, description = "after how many failures to stop"),
        JobHeaders),
    responses((status = 200, description = REPORTS,
            content((NodeReports = "application/json"), (StreamLine = "application/x-ndjson"))),
        Later, JobAnswers, Failures))]
pub async fn discover(
    State(api): State<Api>,
    Own(place): Own<Where>,
    request: Request,
) -> Result<Response, ApiError> {
    let (discovery, targets) = place.read()?;
    let submission = Submission::on_targets(&request, targets)?;
    let operation = Operation::Discover(discovery);
    submission.carry_out(&api, operation, StatusCode::OK).await
}
