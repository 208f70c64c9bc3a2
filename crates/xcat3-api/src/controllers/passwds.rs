//! Passwords that installed machines are given. They are taken, never told.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value};
use xcat3_api_types::passwd::FIELDS;
use xcat3_api_types::{PasswdBody, PasswdList, PasswdOutcome, Patch, Secrets, Selection, patch};
use xcat3_core::Passwd;

use super::{Answer, Document, created, ok, outcome};
use crate::Api;
use crate::body::Body;
use crate::error::{ApiError, Failures, Missing};
use crate::parameters::{FieldsParam, Name, Params};

fn told(passwd: &Passwd, selection: &Selection) -> Map<String, Value> {
    selection.of(PasswdBody::of(passwd, Secrets::Masked).document())
}

/// Lists all password entries.
#[utoipa::path(get, path = "/passwds", tag = "passwds", params(FieldsParam),
    responses((status = 200, description = "keys, or the fields asked for", body = PasswdList),
        Failures))]
pub async fn list(
    State(api): State<Api>,
    Params(FieldsParam { fields }): Params<FieldsParam>,
) -> Document {
    let fields = fields.filter(|fields| !fields.is_empty());
    let selection = FIELDS.parse(Some(fields.as_deref().unwrap_or("key")))?;
    let passwds = api.store.passwds().await?;
    let list = passwds
        .iter()
        .map(|passwd| Value::Object(told(passwd, &selection)));
    ok(Map::from_iter([("passwds".to_owned(), list.collect())]))
}

/// Sets a password.
#[utoipa::path(post, path = "/passwds", tag = "passwds", request_body = PasswdBody,
    responses((status = 201, description = "`ok` under the entry's key", body = PasswdOutcome),
        Failures))]
pub async fn create(State(api): State<Api>, Body(body): Body<PasswdBody>) -> Answer<PasswdOutcome> {
    let passwd = body.into_passwd()?;
    api.store.create_passwd(&passwd).await?;
    created(PasswdOutcome {
        passwd: outcome(passwd.key, "ok".to_owned()),
    })
}

/// Shows a password entry. The password is masked.
#[utoipa::path(get, path = "/passwds/{key}", tag = "passwds",
    params(("key" = String, Path, description = "its key"), FieldsParam),
    responses((status = 200, description = "the entry", body = PasswdBody), Missing, Failures))]
pub async fn show(
    State(api): State<Api>,
    Name(key): Name,
    Params(FieldsParam { fields }): Params<FieldsParam>,
) -> Document {
    let selection = FIELDS.parse(fields.as_deref())?;
    let passwd = api.store.passwd(&key).await?;
    let passwd = passwd.ok_or_else(|| ApiError::missing("passwd", &key))?;
    ok(told(&passwd, &selection))
}

/// Changes a password entry.
#[utoipa::path(patch, path = "/passwds/{key}", tag = "passwds",
    params(("key" = String, Path, description = "its key")), request_body = Vec<Patch>,
    responses((status = 200, description = "the entry as it is now", body = PasswdBody), Missing,
        Failures))]
pub async fn update(
    State(api): State<Api>,
    Name(key): Name,
    Body(patches): Body<Vec<Patch>>,
) -> Document {
    let changeable = ["username", "password", "crypt_method"];
    patch::check(&patches, "a passwd", FIELDS.known, &changeable)?;
    let mut change = |passwd: &mut Passwd| {
        let document = PasswdBody::of(passwd, Secrets::InClear).document();
        let body = PasswdBody::try_from(patch::apply(&patches, document)?)?;
        *passwd = body.replacing(passwd)?;
        Ok(())
    };
    let passwd = api.store.update_passwd(&key, &mut change).await?;
    ok(told(&passwd, &Selection::default()))
}

/// Removes a password entry.
#[utoipa::path(delete, path = "/passwds/{key}", tag = "passwds",
    params(("key" = String, Path, description = "its key")),
    responses((status = 202, description = "it is gone"), Missing, Failures))]
pub async fn delete(State(api): State<Api>, Name(key): Name) -> Result<StatusCode, ApiError> {
    if api.store.passwd(&key).await?.is_none() {
        return Err(ApiError::missing("passwd", &key));
    }
    api.store.delete_passwd(&key).await?;
    Ok(StatusCode::ACCEPTED)
}
