//! Commands on nics.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Value, json};

use super::Context;
use crate::attributes;
use crate::error::Error;
use crate::output;

pub async fn create(context: &Context, given: &[String]) -> Result<ExitCode, Error> {
    let nic = attributes::nic(&given.join(","))?;
    if nic["node"].is_null() {
        return Err(Error::Argument(
            "a nic needs a node: add node=NAME".to_owned(),
        ));
    }
    let answer = context
        .client
        .request(Method::POST, "/nics", &[], Some(&nic))
        .await?;
    output::print_json(&answer);
    let done = answer
        .as_object()
        .is_some_and(|map| map.values().all(|value| value == "ok"));
    Ok(if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

pub async fn list(context: &Context) -> Result<(), Error> {
    let answer = context.client.get("/nics", &[]).await?;
    let nics = answer["nics"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |nic: &Value| format!("{} (uuid) {} (mac)", text(&nic["uuid"]), text(&nic["mac"]));
    output::list(
        &nics.iter().map(line).collect::<Vec<_>>(),
        &answer,
        context.style.json,
    );
    Ok(())
}

pub async fn show(
    context: &Context,
    uuid: Option<&str>,
    mac: Option<&str>,
    fields: Option<&str>,
) -> Result<(), Error> {
    let mut query: Vec<(&str, &str)> = fields
        .map(|fields| ("fields", fields))
        .into_iter()
        .collect();
    let path = match (uuid, mac) {
        (Some(uuid), _) => path_of(uuid)?,
        (None, mac) => {
            query.push(("mac", mac.unwrap_or_default()));
            "/nics/address".to_owned()
        }
    };
    output::print_json(&context.client.get(&path, &query).await?);
    Ok(())
}

pub async fn update(context: &Context, uuid: &str, given: &[String]) -> Result<(), Error> {
    let patches = json!(attributes::patches(given)?);
    let path = path_of(uuid)?;
    let answer = context
        .client
        .request(Method::PATCH, &path, &[], Some(&patches))
        .await?;
    output::print_json(&answer);
    Ok(())
}

pub async fn delete(context: &Context, uuid: &str) -> Result<(), Error> {
    context
        .client
        .request(Method::DELETE, &path_of(uuid)?, &[], None)
        .await?;
    println!("{uuid} deleted");
    Ok(())
}

/// The path of one nic. A text that would be another path is refused here.
fn path_of(uuid: &str) -> Result<String, Error> {
    let wrong = || Error::Argument(format!("'{uuid}' is not the UUID of a nic, see nic-list"));
    let plain = uuid.len() == 36 && uuid.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if plain {
        Ok(format!("/nics/{uuid}"))
    } else {
        Err(wrong())
    }
}
