//! Processes that report for duty.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;
use xcat3_api_types::reader::start;
use xcat3_api_types::service::FIELDS;
use xcat3_api_types::{Selection, ServiceList, ServiceRecord};
use xcat3_core::Service;

use super::{Document, ok};
use crate::Api;
use crate::error::{ApiError, Failures, Missing};
use crate::parameters::{FieldsParam, Params};

/// Lists the services.
#[utoipa::path(get, path = "/services", tag = "services", params(FieldsParam),
    responses((status = 200, description = "all services", body = ServiceList), Failures))]
pub async fn list(
    State(api): State<Api>,
    Params(FieldsParam { fields }): Params<FieldsParam>,
) -> Document {
    let selection = FIELDS.parse(fields.as_deref())?;
    ok(listed(api.store.services().await?, &selection))
}

/// Which host.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The host's name.
    #[param(required)]
    name: Option<String>,
    /// Only these fields, separated by commas.
    fields: Option<String>,
}

/// Lists the services of a host.
#[utoipa::path(get, path = "/services/hostname", tag = "services", params(Host),
    responses((status = 200, description = "the host's services", body = ServiceList), Missing,
        Failures))]
pub async fn by_hostname(State(api): State<Api>, Params(host): Params<Host>) -> Document {
    let selection = FIELDS.parse(host.fields.as_deref())?;
    let missing = "the parameter 'name' is missing: it names the host";
    let name = host.name.ok_or_else(|| ApiError::bad_request(missing))?;
    let mut services = api.store.services().await?;
    services.retain(|service| service.hostname == name);
    if services.is_empty() {
        let name = start(&name);
        return Err(ApiError::new(
            axum::http::StatusCode::NOT_FOUND,
            format!("no service of a host {name} has ever reported"),
        ));
    }
    ok(listed(services, &selection))
}

fn listed(services: Vec<Service>, selection: &Selection) -> Map<String, Value> {
    let record = |service| {
        let record = ServiceRecord::from(service);
        let mut document = Map::new();
        document.insert("hostname".into(), record.hostname.into());
        document.insert("type".into(), record.kind.into());
        document.insert("online".into(), record.online.into());
        document.insert("workers".into(), record.workers.into());
        Value::Object(selection.of(document))
    };
    let list = services.into_iter().map(record).collect();
    Map::from_iter([("services".to_owned(), list)])
}
