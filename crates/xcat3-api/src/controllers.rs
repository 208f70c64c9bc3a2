//! The handlers, one file a resource.

pub mod boot_device;
pub mod discovered;
pub mod hardware;
pub mod jobs;
pub mod networks;
pub mod nics;
pub mod nodes;
pub mod osimages;
pub mod passwds;
pub mod power;
pub mod provision;
pub mod root;
pub mod services;

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use serde_json::{Map, Value};

use crate::error::ApiError;

/// An answer with its status, or why there is none.
type Answer<T> = Result<(StatusCode, Json<T>), ApiError>;

/// A document or those of its fields that were asked for.
type Document = Answer<Map<String, Value>>;

fn ok<T>(body: T) -> Answer<T> {
    Ok((StatusCode::OK, Json(body)))
}

fn created<T>(body: T) -> Answer<T> {
    Ok((StatusCode::CREATED, Json(body)))
}

fn accepted<T>(body: T) -> Answer<T> {
    Ok((StatusCode::ACCEPTED, Json(body)))
}

/// `ok`, or a sentence, under the name of what was created.
fn outcome(name: String, word: String) -> BTreeMap<String, String> {
    BTreeMap::from([(name, word)])
}
