//! Commands on services.

use comfy_table::{Table, presets};
use serde_json::Value;

use super::Context;
use crate::error::Error;
use crate::output;

pub async fn list(context: &Context) -> Result<(), Error> {
    let answer = context.client.get("/services", &[]).await?;
    print(context, &answer);
    Ok(())
}

pub async fn show(context: &Context, name: &str) -> Result<(), Error> {
    let answer = context
        .client
        .get("/services/hostname", &[("name", name)])
        .await?;
    print(context, &answer);
    Ok(())
}

fn print(context: &Context, answer: &Value) {
    let services = answer["services"].as_array().cloned().unwrap_or_default();
    if context.style.json || services.is_empty() {
        output::list(&[], answer, context.style.json);
        return;
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["HOST", "TYPE", "STATE", "WORKERS"]);
    for service in &services {
        let text = |key: &str| service[key].as_str().unwrap_or_default().to_owned();
        let online = if service["online"] == true {
            "online"
        } else {
            "offline"
        };
        table.add_row([
            text("hostname"),
            text("type"),
            online.to_owned(),
            service["workers"].to_string(),
        ]);
    }
    println!("{table}");
}
