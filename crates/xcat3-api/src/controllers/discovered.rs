//! Machines that boot over the network without being known.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use xcat3_api_types::discovered::{DiscoveredList, Forgotten};
use xcat3_core::MacAddr;

use super::{Answer, accepted, ok};
use crate::Api;
use crate::error::{ApiError, Failures};
use crate::parameters::Params;

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
    let strangers = api.store.strangers().await?;
    let discovered = strangers.into_iter().map(Into::into).collect();
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
    let forgotten = api.store.forget_strangers(macs.as_deref()).await?;
    accepted(Forgotten { forgotten })
}
