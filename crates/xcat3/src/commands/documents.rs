//! Commands on what is known by a name and nothing else: networks, OS images, passwords.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Value, json};

use super::Context;
use crate::args::record::{NamedAttributes, ShowArgs};
use crate::attributes;
use crate::error::Error;
use crate::output;

/// A kind of document and where the API has it.
pub struct Kind {
    /// What people call it.
    word: &'static str,
    /// Path of the collection.
    path: &'static str,
    /// Key of the list in its answer.
    list: &'static str,
    /// Key of the outcome in the answer to a create.
    created: &'static str,
    /// The field that names it.
    name: &'static str,
}

pub const NETWORK: Kind = Kind {
    word: "network",
    path: "/networks",
    list: "networks",
    created: "network",
    name: "name",
};
pub const OSIMAGE: Kind = Kind {
    word: "osimage",
    path: "/osimages",
    list: "images",
    created: "image",
    name: "name",
};
pub const PASSWD: Kind = Kind {
    word: "passwd",
    path: "/passwds",
    list: "passwds",
    created: "passwd",
    name: "key",
};

pub async fn create(
    context: &Context,
    kind: &Kind,
    args: &NamedAttributes,
) -> Result<ExitCode, Error> {
    let mut document = attributes::document(&password_from_stdin(&args.attributes)?)?;
    document.insert(kind.name.to_owned(), Value::from(args.name.as_str()));
    let body = Value::Object(document);
    let answer = context
        .client
        .request(Method::POST, kind.path, &[], Some(&body))
        .await?;
    if context.style.json {
        output::print_json(&answer);
    }
    let outcome = answer[kind.created][&args.name].as_str().unwrap_or("ok");
    if !context.style.json {
        println!("{}: {outcome}", args.name);
    }
    Ok(if outcome == "ok" {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

pub async fn list(context: &Context, kind: &Kind) -> Result<(), Error> {
    let answer = context.client.get(kind.path, &[]).await?;
    let entries = answer[kind.list].as_array().cloned().unwrap_or_default();
    let line = |entry: &Value| {
        format!(
            "{} ({})",
            entry[kind.name].as_str().unwrap_or_default(),
            kind.word
        )
    };
    output::list(
        &entries.iter().map(line).collect::<Vec<_>>(),
        &answer,
        context.style.json,
    );
    Ok(())
}

pub async fn show(context: &Context, kind: &Kind, args: &ShowArgs) -> Result<(), Error> {
    let fields = args.fields.as_deref().map(attributes::fields);
    let query: Vec<(&str, &str)> = fields
        .iter()
        .map(|fields| ("fields", fields.as_str()))
        .collect();
    let answer = context
        .client
        .get(&path_of(kind, &args.name)?, &query)
        .await?;
    output::print_json(&answer);
    Ok(())
}

pub async fn update(context: &Context, kind: &Kind, args: &NamedAttributes) -> Result<(), Error> {
    let patches = json!(attributes::patches(&password_from_stdin(
        &args.attributes
    )?)?);
    let path = path_of(kind, &args.name)?;
    let answer = context
        .client
        .request(Method::PATCH, &path, &[], Some(&patches))
        .await?;
    output::print_json(&answer);
    Ok(())
}

pub async fn delete(context: &Context, kind: &Kind, name: &str) -> Result<(), Error> {
    let path = path_of(kind, name)?;
    let answer = context
        .client
        .request(Method::DELETE, &path, &[], None)
        .await?;
    if context.style.json {
        output::print_json(&answer);
    } else {
        println!("{name} deleted");
    }
    Ok(())
}

/// The attributes with `password=-` replaced by a line of standard input, so that a password need not
/// stand in the shell's history and in the list of processes.
fn password_from_stdin(attributes: &[String]) -> Result<Vec<String>, Error> {
    let read = |attribute: &String| {
        if attribute != "password=-" {
            return Ok(attribute.clone());
        }
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        match (read, line.trim_end_matches(['\r', '\n'])) {
            (Ok(_), password) if !password.is_empty() => Ok(format!("password={password}")),
            _ => Err(Error::Argument(
                "password=-: standard input is empty".to_owned(),
            )),
        }
    };
    attributes.iter().map(read).collect()
}

/// The path of one document. A name that would be another path is refused here.
fn path_of(kind: &Kind, name: &str) -> Result<String, Error> {
    xcat3_core::name::check_object_name(name)
        .map_err(|error| Error::Argument(error.to_string()))?;
    Ok(format!("{}/{name}", kind.path))
}
