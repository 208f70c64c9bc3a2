//! Single nics. Most come and go with their nodes.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;
use uuid::Uuid;
use xcat3_api_types::nic::{CHANGEABLE, FIELDS};
use xcat3_api_types::reader::start;
use xcat3_api_types::{NicBody, NicInfo, NicList, NicRecord, Patch, Secrets, Selection, patch};
use xcat3_core::{MacAddr, Nic};

use super::{Answer, Document, created, ok, outcome};
use crate::Api;
use crate::body::Body;
use crate::error::{ApiError, Failures, Missing};
use crate::parameters::{FieldsParam, Name, Params};

fn told(nic: &Nic, selection: &Selection) -> Map<String, Value> {
    selection.of(NicRecord::of(nic, Secrets::Masked).document())
}

/// Lists all nics.
#[utoipa::path(get, path = "/nics", tag = "nics", params(FieldsParam),
    responses((status = 200, description = "`uuid` and `mac`, or the fields asked for",
        body = NicList), Failures))]
pub async fn list(
    State(api): State<Api>,
    Params(FieldsParam { fields }): Params<FieldsParam>,
) -> Document {
    let fields = fields.filter(|fields| !fields.is_empty());
    let selection = FIELDS.parse(Some(fields.as_deref().unwrap_or("uuid,mac")))?;
    let nics = api.store.nics().await?;
    let list = nics.iter().map(|nic| Value::Object(told(nic, &selection)));
    ok(Map::from_iter([("nics".to_owned(), list.collect())]))
}

/// Adds a nic to a node.
#[utoipa::path(post, path = "/nics", tag = "nics", request_body = NicBody,
    responses((status = 201, description = "`ok` under the nic's MAC address",
        body = BTreeMap<String, String>), Failures))]
pub async fn create(
    State(api): State<Api>,
    Body(body): Body<NicBody>,
) -> Answer<BTreeMap<String, String>> {
    let nic = body.into_nic()?;
    if nic.node.is_none() {
        return Err(ApiError::bad_request("a nic needs the field 'node'"));
    }
    let nic = api.store.create_nic(&nic).await?;
    created(outcome(nic.mac.to_string(), "ok".to_owned()))
}

fn uuid(text: &str) -> Result<Uuid, ApiError> {
    text.parse().map_err(|_| ApiError::missing("nic", text))
}

/// Shows a nic.
#[utoipa::path(get, path = "/nics/{uuid}", tag = "nics",
    params(("uuid" = String, Path, description = "its uuid"), FieldsParam),
    responses((status = 200, description = "the nic", body = NicRecord), Missing, Failures))]
pub async fn show(
    State(api): State<Api>,
    Name(text): Name,
    Params(FieldsParam { fields }): Params<FieldsParam>,
) -> Document {
    let selection = FIELDS.parse(fields.as_deref())?;
    let nic = api.store.nic(uuid(&text)?).await?;
    let nic = nic.ok_or_else(|| ApiError::missing("nic", &text))?;
    ok(told(&nic, &selection))
}

/// Which nic.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Its MAC address.
    #[param(required)]
    mac: Option<String>,
    /// Only these fields, separated by commas.
    fields: Option<String>,
}

/// Shows the nic that has a MAC address.
#[utoipa::path(get, path = "/nics/address", tag = "nics", params(Address),
    responses((status = 200, description = "the nic", body = NicRecord), Missing, Failures))]
pub async fn by_address(State(api): State<Api>, Params(address): Params<Address>) -> Document {
    let selection = FIELDS.parse(address.fields.as_deref())?;
    let text = address.mac.unwrap_or_default();
    let mac: MacAddr = text.parse().map_err(|error| format!("{error}"))?;
    let nic = api.store.nic_by_mac(mac).await?;
    let nic = nic.ok_or_else(|| ApiError::missing("a nic with the address", &mac.to_string()))?;
    ok(told(&nic, &selection))
}

/// Which node.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The node's name.
    #[param(required)]
    node_name: Option<String>,
    /// Only these fields, separated by commas.
    fields: Option<String>,
}

/// Shows the nics of a node.
#[utoipa::path(get, path = "/nics/node", tag = "nics", params(Owner),
    responses((status = 200, description = "the node's nics", body = NicInfo), Missing, Failures))]
pub async fn of_node(State(api): State<Api>, Params(owner): Params<Owner>) -> Document {
    let selection = FIELDS.parse(owner.fields.as_deref())?;
    let missing = "the parameter 'node_name' is missing";
    let name = owner
        .node_name
        .ok_or_else(|| ApiError::bad_request(missing))?;
    let node = name.parse().map_err(|_| ApiError::missing("node", &name))?;
    let nics = api.store.nics_of_node(&node).await?;
    let list = nics.iter().map(|nic| Value::Object(told(nic, &selection)));
    ok(Map::from_iter([("nics".to_owned(), list.collect())]))
}

/// Changes a nic. Another `node` moves it there.
#[utoipa::path(patch, path = "/nics/{uuid}", tag = "nics",
    params(("uuid" = String, Path, description = "its uuid")), request_body = Vec<Patch>,
    responses((status = 200, description = "the nic as it is now", body = NicRecord), Missing,
        Failures))]
pub async fn update(
    State(api): State<Api>,
    Name(text): Name,
    Body(patches): Body<Vec<Patch>>,
) -> Document {
    patch::check(&patches, "a nic", FIELDS.known, &CHANGEABLE)?;
    let mut change = |nic: &mut Nic| {
        let document = NicRecord::of(nic, Secrets::InClear).document();
        *nic = NicBody::try_from(patch::apply(&patches, document)?)?.into_nic()?;
        Ok(())
    };
    let nic = api.store.update_nic(uuid(&text)?, &mut change).await?;
    ok(told(&nic, &Selection::default()))
}

/// Removes a nic.
#[utoipa::path(delete, path = "/nics/{uuid}", tag = "nics",
    params(("uuid" = String, Path, description = "its uuid")),
    responses((status = 202, description = "it is gone"), Missing, Failures))]
pub async fn delete(State(api): State<Api>, Name(text): Name) -> Result<StatusCode, ApiError> {
    let uuid = uuid(&text)?;
    api.store.delete_nic(uuid).await?;
    tracing::debug!(nic = start(&text), "removed");
    Ok(StatusCode::ACCEPTED)
}
