//! Networks.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value};
use tokio::time::Instant;
use xcat3_api_types::network::{CHANGEABLE, FIELDS};
use xcat3_api_types::{NetworkBody, NetworkList, NetworkOutcome, Patch, Secrets, Selection, patch};
use xcat3_core::Network;

use super::{Answer, Document, created, ok, outcome};
use crate::Api;
use crate::body::Body;
use crate::error::{ApiError, Failures, Missing};
use crate::parameters::{FieldsParam, Name, Params};

/// Between two looks at whether a network is served.
const LOOK_EVERY: Duration = Duration::from_millis(20);

fn told(network: &Network, selection: &Selection) -> Map<String, Value> {
    selection.of(NetworkBody::of(network, Secrets::Masked).document())
}

/// Lists all networks.
#[utoipa::path(get, path = "/networks", tag = "networks", params(FieldsParam),
    responses((status = 200, description = "names, or the fields asked for", body = NetworkList),
        Failures))]
pub async fn list(
    State(api): State<Api>,
    Params(FieldsParam { fields }): Params<FieldsParam>,
) -> Document {
    let fields = fields.filter(|fields| !fields.is_empty());
    let selection = FIELDS.parse(Some(fields.as_deref().unwrap_or("name")))?;
    let networks = api.store.networks().await?;
    let list = networks
        .iter()
        .map(|network| Value::Object(told(network, &selection)));
    ok(Map::from_iter([("networks".to_owned(), list.collect())]))
}

/// Defines a network. From then on it is served.
#[utoipa::path(post, path = "/networks", tag = "networks", request_body = NetworkBody,
    responses((status = 201, description = "`ok`, or that it is defined but not served, and why",
        body = NetworkOutcome), Failures))]
pub async fn create(
    State(api): State<Api>,
    Body(body): Body<NetworkBody>,
) -> Answer<NetworkOutcome> {
    let network = body.into_network()?;
    api.store.create_network(&network).await?;
    let word = match not_served(&api, &network.name).await? {
        None => "ok".to_owned(),
        Some(why) => why,
    };
    created(NetworkOutcome {
        network: outcome(network.name, word),
    })
}

/// Waits until the network services serve what is stored now, and says what keeps them from serving
/// the network `name`.
async fn not_served(api: &Api, name: &str) -> Result<Option<String>, ApiError> {
    let revision = api.store.revision().await?;
    let end = Instant::now() + api.serve_within;
    let lagging = loop {
        let lagging = api.store.lagging_networks(revision).await?;
        if lagging.is_empty() || Instant::now() >= end {
            break lagging;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let about = format!("network {name}: ");
    let notes = api.store.network_notes().await?;
    let mut whys: Vec<String> = notes
        .into_iter()
        .filter_map(|(host, note)| Some(format!("{host}: {}", note.strip_prefix(&about)?)))
        .collect();
    if whys.is_empty() && !lagging.is_empty() {
        let (hosts, seconds) = (lagging.join(", "), api.serve_within.as_secs());
        whys.push(format!(
            "the network service on {hosts} does not answer for it after {seconds} s"
        ));
    }
    let text = whys.join("; ");
    Ok((!text.is_empty()).then(|| format!("it is defined, but not served: {text}")))
}

/// Shows a network.
#[utoipa::path(get, path = "/networks/{name}", tag = "networks",
    params(("name" = String, Path, description = "its name"), FieldsParam),
    responses((status = 200, description = "the network", body = NetworkBody), Missing, Failures))]
pub async fn show(
    State(api): State<Api>,
    Name(name): Name,
    Params(FieldsParam { fields }): Params<FieldsParam>,
) -> Document {
    let selection = FIELDS.parse(fields.as_deref())?;
    let network = api.store.network(&name).await?;
    let network = network.ok_or_else(|| ApiError::missing("network", &name))?;
    ok(told(&network, &selection))
}

/// Changes a network. Answered when it is served so, or could not be in time.
#[utoipa::path(patch, path = "/networks/{name}", tag = "networks",
    params(("name" = String, Path, description = "its name")), request_body = Vec<Patch>,
    responses((status = 200, description = "the network as it is now", body = NetworkBody), Missing,
        Failures))]
pub async fn update(
    State(api): State<Api>,
    Name(name): Name,
    Body(patches): Body<Vec<Patch>>,
) -> Document {
    patch::check(&patches, "a network", FIELDS.known, &CHANGEABLE)?;
    let mut change = |network: &mut Network| {
        let document = NetworkBody::of(network, Secrets::InClear).document();
        *network = NetworkBody::try_from(patch::apply(&patches, document)?)?.into_network()?;
        Ok(())
    };
    let network = api.store.update_network(&name, &mut change).await?;
    if let Some(why) = not_served(&api, &network.name).await? {
        tracing::warn!(network = %network.name, why, "a network was changed");
    }
    ok(told(&network, &Selection::default()))
}

/// Removes a network. From then on it is not served any more.
#[utoipa::path(delete, path = "/networks/{name}", tag = "networks",
    params(("name" = String, Path, description = "its name")),
    responses((status = 202, description = "it is gone"), Missing, Failures))]
pub async fn delete(State(api): State<Api>, Name(name): Name) -> Result<StatusCode, ApiError> {
    if api.store.network(&name).await?.is_none() {
        return Err(ApiError::missing("network", &name));
    }
    api.store.delete_network(&name).await?;
    Ok(StatusCode::ACCEPTED)
}
