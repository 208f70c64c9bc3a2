//! The documents that the fuzz target damages are those of a complete BMC.

use std::collections::BTreeMap;

use serde_json::json;
use tokio::runtime::Runtime;
use xcat3_core::control::PowerTarget;

use crate::fuzzed::documents;
use crate::server::{Server, respond};

#[test]
fn documents_undamaged_are_read_completely() {
    Runtime::new().unwrap().block_on(async {
        let documents = documents::redfish();
        let server = Server::plain(move |request| match request.line.split_once(' ') {
            Some(("GET", path)) => match documents.get(path) {
                Some(document) => respond("200 OK", document),
                None => respond("404 Not Found", &json!({})),
            },
            _ => respond("200 OK", &json!({})),
        })
        .await;
        let mut client = server.plain_client();
        let inventory = client.inventory(None).await.unwrap();
        assert_eq!(inventory.notes, Vec::<String>::new());
        assert_eq!(inventory.nics[0].mac.as_deref(), Some("02:00:00:00:00:01"));
        assert_eq!(inventory.drives.len(), 1);
        let sensors = client.sensors(None).await.unwrap();
        let temperature = sensors.sensors.iter().find(|sensor| sensor.name == "CPU");
        assert_eq!(temperature.unwrap().value, Some(40.5));
        assert_eq!(client.event_log(None).await.unwrap().events.len(), 2);
        assert_eq!(client.set_power(None, PowerTarget::Reset).await, Ok(()));
        let changes = BTreeMap::from([("Cores".to_owned(), "2".to_owned())]);
        assert_eq!(client.set_bios(None, &changes).await, Ok(()));
    });
}
