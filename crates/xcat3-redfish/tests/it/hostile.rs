//! Broken, wrong or excessive responses end as errors, within the timeouts and without much memory.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use xcat3_redfish::{Error, MAX_BODY_BYTES, Timeouts, Trust};

use crate::server::{Reaction, Server, TIMEOUTS, respond, respond_with};

/// Reads `/x` from a BMC without sessions, which reacts with `reaction`.
async fn read_x(
    reaction: impl Fn() -> Reaction + Send + Sync + 'static,
) -> (Server, Result<(), Error>) {
    let server = Server::plain(move |request| match request.line.as_str() {
        "GET /x" => reaction(),
        _ => respond("200 OK", &json!({})),
    })
    .await;
    let mut client = server.plain_client();
    let read = client.get("/x").await.map(drop);
    (server, read)
}

#[tokio::test]
async fn body_too_long_is_not_read() {
    let announced = || {
        Reaction::RespondEndlessly(
            b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n".to_vec(),
            vec![b' '; 65536],
        )
    };
    let unannounced =
        || Reaction::RespondEndlessly(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'['; 65536]);
    let sentence = "the response to GET /x is longer than 8 MiB";
    let (server, read) = read_x(announced).await;
    assert_eq!(read.unwrap_err().to_string(), sentence);
    drop(server);
    let (server, read) = read_x(unannounced).await;
    assert_eq!(read.unwrap_err().to_string(), sentence);
    // Socket buffers hold the bytes that were sent and not read.
    let sent = server.sent.load(Ordering::SeqCst);
    assert!(sent < MAX_BODY_BYTES + (64 << 20), "{sent} bytes were sent");
}

#[tokio::test]
async fn body_too_many_values_is_not_parsed() {
    let dense = format!("{{\"a\":[{}1]}}", "1,".repeat(1_000_000));
    let (_server, read) = read_x(move || {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", dense.len());
        Reaction::Respond((head + &dense).into_bytes())
    })
    .await;
    let error = read.unwrap_err().to_string();
    assert_eq!(error, "the resource /x has more than 250000 values");
}

#[tokio::test]
async fn response_malformed_is_an_error() {
    for (bytes, sentence) in [
        (&b"SSH-2.0-dropbear\r\n\r\n"[..], "is not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<htm>",
            "the resource /x is not JSON",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
            "the resource /x is not a JSON object",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"a\":",
            "the connection broke before the response to GET /x",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "GET /x",
        ),
        (b"", "GET /x"),
    ] {
        let (_server, read) = read_x(move || Reaction::RespondAndClose(bytes.to_vec())).await;
        let error = read.unwrap_err();
        assert!(error.to_string().contains(sentence), "{error}");
    }
    let endless_head =
        || Reaction::RespondEndlessly(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".repeat(1000));
    let (_server, read) = read_x(endless_head).await;
    assert!(read.unwrap_err().to_string().contains("is not HTTP"));
}

#[tokio::test]
async fn response_late_closes_the_connection() {
    let server = Server::plain(|request| match request.line.as_str() {
        "GET /x" => {
            Reaction::RespondAndStall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{".to_vec())
        }
        _ => respond("200 OK", &json!({})),
    })
    .await;
    let mut client = server.plain_client_within(Timeouts {
        request: Duration::from_secs(1),
        ..TIMEOUTS
    });
    let error = client.get("/x").await.unwrap_err();
    assert_eq!(error.to_string(), "no response to GET /x within 1 s");
    // The rest of a late response must not be taken for the next one.
    assert!(client.get("/y").await.is_ok());
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn redirect_to_another_host_is_not_followed() {
    let server = Server::plain(|request| match request.line.as_str() {
        "GET /moved" => respond_with("308 Moved", "location: /moved/\r\n", &json!({})),
        "GET /moved/" => respond("200 OK", &json!({"Id": "here"})),
        "GET /away" => respond_with("302 Found", "location: http://192.0.2.1/x\r\n", &json!({})),
        "GET /round" => respond_with("301 Moved", "location: /round\r\n", &json!({})),
        _ => respond("200 OK", &json!({})),
    })
    .await;
    let mut client = server.plain_client();
    assert_eq!(client.get("/moved").await.unwrap().text("Id"), Some("here"));
    let away = client.get("/away").await.unwrap_err().to_string();
    assert_eq!(
        away,
        "the BMC redirects to another host, 192.0.2.1, which is not followed"
    );
    let round = client.get("/round").await.unwrap_err().to_string();
    assert_eq!(round, "GET /round was redirected more than 3 times");
    let link = client
        .get("http://192.0.2.1/x")
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        link,
        "the BMC refers to another host, 192.0.2.1, which is not followed"
    );
}

#[tokio::test]
async fn collection_pages_in_a_loop_end() {
    let member = |id: u32| json!({"@odata.id": format!("/m/{id}"), "Id": id.to_string()});
    let server = Server::plain(move |request| match request.line.as_str() {
        "GET /all" => respond(
            "200 OK",
            &json!({"Members": [member(1)], "Members@odata.nextLink": "/all?2"}),
        ),
        "GET /all?2" => respond(
            "200 OK",
            &json!({"Members": [member(2)], "Members@odata.nextLink": "/all"}),
        ),
        "GET /ever" => respond(
            "200 OK",
            &json!({"Members": [], "Members@odata.nextLink": "/ever?1"}),
        ),
        other => match other
            .strip_prefix("GET /ever?")
            .and_then(|page| page.parse::<u32>().ok())
        {
            Some(page) => {
                let next = format!("/ever?{}", page + 1);
                respond(
                    "200 OK",
                    &json!({"Members": [], "Members@odata.nextLink": next}),
                )
            }
            None => respond("200 OK", &json!({})),
        },
    })
    .await;
    let mut client = server.plain_client();
    let members = client.members("/all", 100).await.unwrap();
    assert_eq!(members.all.len(), 2);
    assert_eq!(members.notes, ["/all: its pages form a loop"]);
    let members = client.members("/ever", 100).await.unwrap();
    assert_eq!(members.notes, ["/ever: its pages form a loop"]);
    assert!(server.request_lines().len() < 300);
    let few = client.members("/all", 1).await.unwrap();
    assert_eq!(few.notes, ["/all: only the first 1 members were read"]);
}

#[tokio::test]
async fn fields_of_wrong_types_read_as_missing() {
    let server = Server::plain(|request| match request.line.as_str() {
        "GET /redfish/v1/" => respond("200 OK", &json!({"Systems": {"@odata.id": 7}, "Links": [], "Managers": "x",
            "Chassis": null, "ProtocolFeaturesSupported": true})),
        "GET /redfish/v1/Systems" => respond("200 OK", &json!({"Members": [7, null, {"@odata.id": "/s"}, {"@odata.id": {}}]})),
        "GET /s" => respond("200 OK", &json!({"PowerState": true, "Boot": {"BootSourceOverrideTarget": [1]},
            "Processors": {"@odata.id": "/p"}, "Memory": {"@odata.id": "/m"}, "EthernetInterfaces": [],
            "Links": {"Chassis": {"@odata.id": "/c"}, "ManagedBy": 3}, "MemorySummary": "much",
            "Manufacturer": {"Name": "x"}, "SerialNumber": "S1", "Bios": {"@odata.id": "/b"},
            "Actions": {"#ComputerSystem.Reset": []}, "UUID": false})),
        "GET /p" => respond("200 OK", &json!({"Members": {"@odata.id": "/p/1"}})),
        "GET /m" => respond("200 OK", &json!({"Members": [{"@odata.id": "/m/1", "CapacityMiB": "4096", "Status": []}]})),
        "GET /b" => respond("200 OK", &json!({"Attributes": ["x"], "@Redfish.Settings": 7})),
        _ => respond("404 Not Found", &json!({"error": "x"})),
    })
    .await;
    let mut client = server.plain_client();
    let error = client.power_state(None).await.unwrap_err().to_string();
    assert_eq!(error, "the BMC does not report the power state");
    assert_eq!(client.boot_device(None).await, Ok(None));
    let inventory = client.inventory(None).await.unwrap();
    assert_eq!(inventory.serial.as_deref(), Some("S1"));
    assert_eq!(inventory.memory[0].mib, Some(4096));
    assert!(inventory.manufacturer.is_none() && inventory.processors.is_empty());
    assert!(client.bios(None).await.unwrap().attributes.is_empty());
    for result in [
        client
            .sensors(None)
            .await
            .map(|report| assert!(!report.notes.is_empty())),
        client.event_log(None).await.map(drop),
        client.media(None).await.map(drop),
        client.beacon(None).await.map(drop),
    ] {
        assert!(!result.as_ref().is_err_and(Error::is_fatal), "{result:?}");
    }
}

#[tokio::test]
async fn connect_nobody_listening_is_unreachable() {
    let server = Server::plain(|_| respond("200 OK", &json!({}))).await;
    let mut client = server.client(Trust::Plain, xcat3_redfish::TrustConfig::default());
    drop(server);
    // The port is free once the server's task has ended.
    let error = loop {
        match client.get("/x").await {
            Err(Error::Unreachable(error)) => break error,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert!(error.starts_with("no connection: "), "{error}");
}
