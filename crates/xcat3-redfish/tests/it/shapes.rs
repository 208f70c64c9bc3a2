//! The documents that the fuzz target spoils are those of a whole BMC: from it everything is read.

use std::collections::BTreeMap;

use serde_json::json as j;
use tokio::runtime::Runtime;
use xcat3_core::control::PowerTarget;

use crate::fuzzed::documents;
use crate::server::{Server, json};

#[test]
fn a_bmc_that_is_whole_answers_everything() {
    Runtime::new().unwrap().block_on(async {
        let documents = documents::redfish();
        let server = Server::plain(move |asked| match asked.what.split_once(' ') {
            Some(("GET", path)) => match documents.get(path) {
                Some(document) => json("200 OK", document),
                None => json("404 Not Found", &j!({})),
            },
            _ => json("200 OK", &j!({})),
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
