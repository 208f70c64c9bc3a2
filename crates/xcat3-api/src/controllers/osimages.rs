//! OS images. One that is declared here has no content: only an import gives it one.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;
use xcat3_api_types::osimage::{CHANGEABLE, FIELDS};
use xcat3_api_types::reader::start;
use xcat3_api_types::{OsImageBody, OsImageList, OsImageOutcome, Patch, Selection, patch};
use xcat3_core::OsImage;

use super::{Answer, Document, created, ok, outcome};
use crate::Api;
use crate::body::Body;
use crate::error::{ApiError, Failures, Missing};
use crate::parameters::{FieldsParam, Name, Params};

fn told(image: &OsImage, selection: &Selection) -> Map<String, Value> {
    selection.of(OsImageBody::of(image).document())
}

/// Lists all OS images.
#[utoipa::path(get, path = "/osimages", tag = "osimages", params(FieldsParam),
    responses((status = 200, description = "all images", body = OsImageList), Failures))]
pub async fn list(
    State(api): State<Api>,
    Params(FieldsParam { fields }): Params<FieldsParam>,
) -> Document {
    let selection = FIELDS.parse(fields.as_deref())?;
    let images = api.store.osimages().await?;
    let list = images
        .iter()
        .map(|image| Value::Object(told(image, &selection)));
    ok(Map::from_iter([("images".to_owned(), list.collect())]))
}

/// Declares an OS image.
#[utoipa::path(post, path = "/osimages", tag = "osimages", request_body = OsImageBody,
    responses((status = 201, description = "`ok` under the image's name", body = OsImageOutcome),
        Failures))]
pub async fn create(
    State(api): State<Api>,
    Body(body): Body<OsImageBody>,
) -> Answer<OsImageOutcome> {
    let image = body.into_osimage()?;
    api.store.create_osimage(&image).await?;
    created(OsImageOutcome {
        image: outcome(image.name, "ok".to_owned()),
    })
}

/// Shows an OS image.
#[utoipa::path(get, path = "/osimages/{name}", tag = "osimages",
    params(("name" = String, Path, description = "its name"), FieldsParam),
    responses((status = 200, description = "the image", body = OsImageBody), Missing, Failures))]
pub async fn show(
    State(api): State<Api>,
    Name(name): Name,
    Params(FieldsParam { fields }): Params<FieldsParam>,
) -> Document {
    let selection = FIELDS.parse(fields.as_deref())?;
    let image = api.store.osimage(&name).await?;
    let image = image.ok_or_else(|| ApiError::missing("osimage", &name))?;
    ok(told(&image, &selection))
}

/// Which image.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// Its number.
    #[param(required, value_type = i64)]
    id: Option<String>,
    /// Only these fields, separated by commas.
    fields: Option<String>,
}

/// Shows the OS image that has a number.
#[utoipa::path(get, path = "/osimages/get_by_id", tag = "osimages", params(Number),
    responses((status = 200, description = "the image", body = OsImageBody), Missing, Failures))]
pub async fn by_id(State(api): State<Api>, Params(number): Params<Number>) -> Document {
    let selection = FIELDS.parse(number.fields.as_deref())?;
    let text = number.id.unwrap_or_default();
    let wrong = || ApiError::bad_request(format!("id '{}' is not a number", start(&text)));
    let id = text.parse().map_err(|_| wrong())?;
    let image = api.store.osimage_by_id(id).await?;
    let image = image.ok_or_else(|| ApiError::missing("osimage number", &text))?;
    ok(told(&image, &selection))
}

/// Changes an OS image.
#[utoipa::path(patch, path = "/osimages/{name}", tag = "osimages",
    params(("name" = String, Path, description = "its name")), request_body = Vec<Patch>,
    responses((status = 200, description = "the image as it is now", body = OsImageBody), Missing,
        Failures))]
pub async fn update(
    State(api): State<Api>,
    Name(name): Name,
    Body(patches): Body<Vec<Patch>>,
) -> Document {
    patch::check(&patches, "an osimage", FIELDS.known, &CHANGEABLE)?;
    let mut change = |image: &mut OsImage| {
        let document = OsImageBody::of(image).document();
        let body = OsImageBody::try_from(patch::apply(&patches, document)?)?;
        // Only what may change: the rest may be older than our checks.
        image.profile = body.profile;
        image.provmethod = body.provmethod;
        image.rootfstype = body.rootfstype;
        Ok(())
    };
    let image = api.store.update_osimage(&name, &mut change).await?;
    ok(told(&image, &Selection::default()))
}

/// Removes an OS image that no node uses.
#[utoipa::path(delete, path = "/osimages/{name}", tag = "osimages",
    params(("name" = String, Path, description = "its name")),
    responses((status = 202, description = "it is gone"), Missing, Failures))]
pub async fn delete(State(api): State<Api>, Name(name): Name) -> Result<StatusCode, ApiError> {
    if api.store.osimage(&name).await?.is_none() {
        return Err(ApiError::missing("osimage", &name));
    }
    api.store.delete_osimage(&name).await?;
    Ok(StatusCode::ACCEPTED)
}
