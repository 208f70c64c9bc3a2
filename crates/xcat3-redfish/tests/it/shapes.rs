//! A whole BMC of which any part may be of any other type: every operation comes to an end with a
//! report or a sentence, after a bounded number of requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json as j};
use tokio::runtime::Runtime;
use xcat3_core::control::{BootDevice, BootOrder, MediaImage, PowerTarget};
use xcat3_redfish::{Client, Error};

use crate::server::{Say, Server, json};

/// More than any operation asks of a BMC of this size, however its links go.
const MOST_REQUESTS: usize = 4000;

/// A BMC's documents by path.
fn documents() -> BTreeMap<&'static str, Value> {
    let link = |path: &str| j!({"@odata.id": path});
    let one = |path: &str| j!({"Members": [{"@odata.id": path}]});
    BTreeMap::from([
        (
            "/redfish/v1/",
            j!({"Systems": link("/s"), "Managers": link("/m"), "Chassis": link("/c"),
            "UpdateService": link("/u"), "ProtocolFeaturesSupported": {"ExpandQuery": {"NoLinks": false}}}),
        ),
        ("/s", one("/s/1")),
        (
            "/s/1",
            j!({"Id": "1", "PowerState": "On", "Boot": {"BootSourceOverrideTarget": "Pxe",
            "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget@Redfish.AllowableValues": ["Pxe", "Hdd", "Cd"]},
            "Actions": {"#ComputerSystem.Reset": {"target": "/a", "@Redfish.ActionInfo": "/i"}},
            "Processors": link("/p"), "Memory": link("/p"), "Storage": link("/d"), "EthernetInterfaces": link("/n"),
            "LogServices": link("/l"), "Bios": link("/b"), "SecureBoot": link("/b"), "VirtualMedia": link("/v"),
            "IndicatorLED": "Off", "Links": {"Chassis": [link("/c/1")], "ManagedBy": [link("/m/1")]}}),
        ),
        (
            "/i",
            j!({"Parameters": [{"Name": "ResetType", "AllowableValues": ["On", "ForceOff", "ForceRestart"]}]}),
        ),
        ("/p", one("/p/1")),
        (
            "/p/1",
            j!({"Id": "CPU1", "TotalCores": 8, "MaxSpeedMHz": 3000, "CapacityMiB": 4096}),
        ),
        ("/d", one("/d/1")),
        ("/d/1", j!({"Drives": [link("/d/2")]})),
        ("/d/2", j!({"Id": "Disk1", "CapacityBytes": 1e12})),
        ("/n", one("/n/1")),
        (
            "/n/1",
            j!({"Id": "NIC1", "MACAddress": "02:00:00:00:00:01", "SpeedMbps": 1000}),
        ),
        ("/l", one("/l/1")),
        (
            "/l/1",
            j!({"Id": "SEL", "LogEntryType": "SEL", "Entries": link("/l/2"),
            "Actions": {"#LogService.ClearLog": {"target": "/a"}}}),
        ),
        (
            "/l/2",
            j!({"Members": [{"@odata.id": "/l/3", "Id": "1", "Created": "2026-01-01T00:00:00Z",
            "Severity": "OK", "Message": "It began."}], "Members@odata.nextLink": "/l/4"}),
        ),
        (
            "/l/4",
            j!({"Members": [{"@odata.id": "/l/5", "Id": "2", "Message": "It went on."}]}),
        ),
        (
            "/b",
            j!({"Attributes": {"Cores": 4, "SMT": true}, "@Redfish.Settings": {"SettingsObject": link("/b/2")}}),
        ),
        ("/b/2", j!({"Attributes": {"Cores": 2}})),
        ("/v", one("/v/1")),
        (
            "/v/1",
            j!({"Id": "CD", "MediaTypes": ["CD"], "Inserted": true, "Image": "http://h/x",
            "Actions": {"#VirtualMedia.InsertMedia": {"target": "/a"}, "#VirtualMedia.EjectMedia": {"target": "/a"}}}),
        ),
        ("/c", one("/c/1")),
        (
            "/c/1",
            j!({"Thermal": link("/t"), "Power": link("/t"), "Sensors": link("/x"), "ThermalSubsystem": link("/t")}),
        ),
        (
            "/t",
            j!({"Temperatures": [{"Name": "CPU", "ReadingCelsius": 40.5, "Status": {"Health": "OK"}}],
            "Fans": [{"Name": "Fan", "Reading": 4000, "ReadingUnits": "RPM"}], "ThermalMetrics": link("/t")}),
        ),
        (
            "/x",
            j!({"Members": [{"@odata.id": "/x/1", "Name": "Inlet", "Reading": 20, "ReadingUnits": "Cel"}]}),
        ),
        ("/m", one("/m/1")),
        (
            "/m/1",
            j!({"ManagerType": "BMC", "FirmwareVersion": "1", "EthernetInterfaces": link("/n"),
            "LogServices": link("/l"), "VirtualMedia": link("/v")}),
        ),
        ("/u", j!({"FirmwareInventory": link("/p")})),
    ])
}

/// What may stand where something else should.
fn instead(which: u8, links: &[&str]) -> Value {
    match which % 16 {
        0 => Value::Null,
        1 => j!(true),
        2 => j!(-1),
        3 => j!(1e308),
        4 => j!(""),
        5 => j!("\u{1b}[31m\u{0}\u{202e}text"),
        6 => j!("x".repeat(20_000)),
        7 => j!([]),
        8 => j!({}),
        9 => j!([[], {}, null, 7, "x"]),
        10 => j!({"@odata.id": "https://192.0.2.1/x"}),
        11 => j!({"@odata.id": "no path"}),
        12 => j!(u64::MAX),
        13 => j!({"Members": [{"@odata.id": links[usize::from(which) % links.len()]}]}),
        _ => {
            let link = links[usize::from(which / 16) % links.len()];
            j!({"@odata.id": link})
        }
    }
}

/// Puts `new` in the place of the value number `place` of `value`, counted from the outside in.
fn replace(value: &mut Value, place: &mut usize, new: &Value) -> bool {
    if *place == 0 {
        *value = new.clone();
        return true;
    }
    *place -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|inner| replace(inner, place, new)),
        Value::Object(all) => all.values_mut().any(|inner| replace(inner, place, new)),
        _ => false,
    }
}

/// The documents, of which each three bytes spoil a value.
fn spoilt(script: &[u8]) -> BTreeMap<&'static str, Value> {
    let mut documents = documents();
    let paths: Vec<&'static str> = documents.keys().copied().collect();
    for step in script.chunks_exact(3) {
        let path = paths[usize::from(step[0]) % paths.len()];
        let document = documents.get_mut(path).unwrap();
        let mut place = usize::from(step[1] % 48);
        replace(document, &mut place, &instead(step[2], &paths));
    }
    documents
}

fn told<T: serde::Serialize>(result: Result<T, Error>) {
    match result {
        Ok(report) => drop(serde_json::to_string(&report).unwrap()),
        Err(error) => {
            let sentence = error.to_string();
            assert!(sentence.len() < 3000, "{sentence}");
            assert!(!sentence.contains(char::is_control), "{sentence:?}");
        }
    }
}

async fn ask_all(client: &mut Client) {
    let word = |result: Result<(), Error>| result.map(|()| "ok");
    told(client.power_state(None).await.map(|state| state.as_str()));
    told(
        client
            .boot_device(None)
            .await
            .map(|device| device.map(|device| device.as_str())),
    );
    told(client.inventory(None).await);
    told(client.sensors(None).await);
    told(client.event_log(None).await);
    told(client.beacon(None).await);
    told(client.bios(None).await);
    told(client.media(None).await);
    told(word(client.set_power(None, PowerTarget::Reset).await));
    let order = BootOrder::once(BootDevice::Disk);
    told(word(client.set_boot_device(None, order, None).await));
    told(word(client.set_beacon(None, true).await));
    let changes = BTreeMap::from([("Cores".to_owned(), "2".to_owned())]);
    told(word(client.set_bios(None, &changes).await));
    let image = MediaImage {
        url: "http://h/y".to_owned(),
        boot: true,
    };
    told(word(client.insert_media(None, &image).await));
    told(word(client.eject_media(None).await));
    told(word(client.clear_event_log(None).await));
}

/// Asks everything of a BMC that is spoilt by `script`.
fn run(runtime: &Runtime, script: &[u8]) {
    let documents = Arc::new(spoilt(script));
    runtime.block_on(async {
        let server = Server::plain(move |asked| answer(&documents, &asked.what)).await;
        let mut client = server.plain_client();
        ask_all(&mut client).await;
        let asked = server.asked().len();
        assert!(asked < MOST_REQUESTS, "{asked} requests");
    });
}

fn answer(documents: &BTreeMap<&'static str, Value>, what: &str) -> Say {
    match what.split_once(' ') {
        Some(("GET", path)) => match documents.get(path) {
            Some(document) => json("200 OK", document),
            None => json("404 Not Found", &j!({})),
        },
        _ => json("200 OK", &j!({})),
    }
}

#[test]
fn a_bmc_that_is_whole_answers_everything() {
    Runtime::new().unwrap().block_on(async {
        let documents = documents();
        let server = Server::plain(move |asked| answer(&documents, &asked.what)).await;
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_bmc_that_is_spoilt_anywhere_ends_in_reports_and_sentences(
        script in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        run(&runtime, &script);
    }
}
