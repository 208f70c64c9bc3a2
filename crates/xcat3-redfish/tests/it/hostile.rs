//! What a BMC says that is broken, wrong or too much ends as a sentence, soon, and without memory.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json as j;
use xcat3_redfish::{Error, LONGEST_BODY, Patience, Trust};

use crate::server::{PATIENCE, Say, Server, json, with};

/// A client whose BMC has no sessions and answers `GET /x` with `say`.
async fn ask(say: impl Fn() -> Say + Send + Sync + 'static) -> (Server, Result<(), Error>) {
    let server = Server::plain(move |asked| match asked.what.as_str() {
        "GET /x" => say(),
        _ => json("200 OK", &j!({})),
    })
    .await;
    let mut client = server.plain_client();
    let told = client.get("/x").await.map(drop);
    (server, told)
}

#[tokio::test]
async fn a_hundred_megabytes_are_not_read() {
    let announced = || {
        Say::Endless(
            b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n".to_vec(),
            vec![b' '; 65536],
        )
    };
    let unannounced = || Say::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'['; 65536]);
    let (server, told) = ask(announced).await;
    assert_eq!(
        told.unwrap_err().to_string(),
        "the answer to GET /x is longer than 8 MiB"
    );
    drop(server);
    let (server, told) = ask(unannounced).await;
    assert_eq!(
        told.unwrap_err().to_string(),
        "the answer to GET /x is longer than 8 MiB"
    );
    // What was sent beyond what is read waits in the buffers of sockets.
    let sent = server.sent.load(Ordering::SeqCst);
    assert!(sent < LONGEST_BODY + (64 << 20), "{sent} bytes were sent");
}

#[tokio::test]
async fn text_that_would_take_much_memory_is_not_parsed() {
    let dense = format!("{{\"a\":[{}1]}}", "1,".repeat(1_000_000));
    let (_server, told) = ask(move || {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", dense.len());
        Say::All((head + &dense).into_bytes())
    })
    .await;
    let told = told.unwrap_err().to_string();
    assert_eq!(told, "what it says at /x has more than 250000 values");
}

#[tokio::test]
async fn what_is_no_http_no_json_or_cut_off_is_told() {
    for (bytes, sentence) in [
        (&b"SSH-2.0-dropbear\r\n\r\n"[..], "is not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<htm>",
            "what it says at /x is not JSON",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
            "what it says at /x is no JSON object",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"a\":",
            "the connection broke before the answer to GET /x",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "GET /x",
        ),
        (b"", "GET /x"),
    ] {
        let (_server, told) = ask(move || Say::Cut(bytes.to_vec())).await;
        let told = told.unwrap_err();
        assert!(told.to_string().contains(sentence), "{told}");
    }
    let endless_head = || Say::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".repeat(1000));
    let (_server, told) = ask(endless_head).await;
    assert!(told.unwrap_err().to_string().contains("is not HTTP"));
}

#[tokio::test]
async fn a_slow_drip_ends_at_the_deadline() {
    let server = Server::plain(|asked| match asked.what.as_str() {
        "GET /redfish/v1/" => json("200 OK", &j!({})),
        _ => Say::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{".to_vec()),
    })
    .await;
    let address = server.plain_client().address().clone();
    let connector = std::sync::Arc::default();
    let patience = Patience {
        request: Duration::from_secs(1),
        ..PATIENCE
    };
    let mut client = xcat3_redfish::Client::new(connector, address, None, patience);
    let told = client.get("/x").await.unwrap_err();
    assert_eq!(told.to_string(), "no answer to GET /x within 1 s");
    assert!(
        !client.is_connected(),
        "what comes late is no answer to the next question"
    );
}

#[tokio::test]
async fn redirects_are_followed_on_the_same_bmc_only() {
    let server = Server::plain(|asked| match asked.what.as_str() {
        "GET /moved" => with("308 Moved", "location: /moved/\r\n", &j!({})),
        "GET /moved/" => json("200 OK", &j!({"Id": "here"})),
        "GET /away" => with("302 Found", "location: http://192.0.2.1/x\r\n", &j!({})),
        "GET /round" => with("301 Moved", "location: /round\r\n", &j!({})),
        _ => json("200 OK", &j!({})),
    })
    .await;
    let mut client = server.plain_client();
    assert_eq!(client.get("/moved").await.unwrap().text("Id"), Some("here"));
    let away = client.get("/away").await.unwrap_err().to_string();
    assert_eq!(
        away,
        "it redirects to another host, 192.0.2.1, which is not followed"
    );
    let round = client.get("/round").await.unwrap_err().to_string();
    assert_eq!(round, "GET /round is redirected again and again");
    let link = client
        .get("http://192.0.2.1/x")
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        link,
        "it refers to another host, 192.0.2.1, which is not followed"
    );
}

#[tokio::test]
async fn pages_that_go_in_a_circle_end() {
    let member = |id: u32| j!({"@odata.id": format!("/m/{id}"), "Id": id.to_string()});
    let server = Server::plain(move |asked| match asked.what.as_str() {
        "GET /all" => json(
            "200 OK",
            &j!({"Members": [member(1)], "Members@odata.nextLink": "/all?2"}),
        ),
        "GET /all?2" => json(
            "200 OK",
            &j!({"Members": [member(2)], "Members@odata.nextLink": "/all"}),
        ),
        "GET /ever" => json(
            "200 OK",
            &j!({"Members": [], "Members@odata.nextLink": "/ever?1"}),
        ),
        other => match other
            .strip_prefix("GET /ever?")
            .and_then(|page| page.parse::<u32>().ok())
        {
            Some(page) => {
                let next = format!("/ever?{}", page + 1);
                json(
                    "200 OK",
                    &j!({"Members": [], "Members@odata.nextLink": next}),
                )
            }
            None => json("200 OK", &j!({})),
        },
    })
    .await;
    let mut client = server.plain_client();
    let members = client.members("/all", 100).await.unwrap();
    assert_eq!(members.all.len(), 2);
    assert_eq!(members.notes, ["/all: its pages go in a circle"]);
    let members = client.members("/ever", 100).await.unwrap();
    assert_eq!(members.notes, ["/ever: its pages go in a circle"]);
    assert!(server.asked().len() < 300);
    let few = client.members("/all", 1).await.unwrap();
    assert_eq!(few.notes, ["/all: only the first 1 were read"]);
}

#[tokio::test]
async fn wrong_types_everywhere_are_what_is_not_there() {
    let server = Server::plain(|asked| match asked.what.as_str() {
        "GET /redfish/v1/" => json("200 OK", &j!({"Systems": {"@odata.id": 7}, "Links": [], "Managers": "x",
            "Chassis": null, "ProtocolFeaturesSupported": true})),
        "GET /redfish/v1/Systems" => json("200 OK", &j!({"Members": [7, null, {"@odata.id": "/s"}, {"@odata.id": {}}]})),
        "GET /s" => json("200 OK", &j!({"PowerState": true, "Boot": {"BootSourceOverrideTarget": [1]},
            "Processors": {"@odata.id": "/p"}, "Memory": {"@odata.id": "/m"}, "EthernetInterfaces": [],
            "Links": {"Chassis": {"@odata.id": "/c"}, "ManagedBy": 3}, "MemorySummary": "much",
            "Manufacturer": {"Name": "x"}, "SerialNumber": "S1", "Bios": {"@odata.id": "/b"},
            "Actions": {"#ComputerSystem.Reset": []}, "UUID": false})),
        "GET /p" => json("200 OK", &j!({"Members": {"@odata.id": "/p/1"}})),
        "GET /m" => json("200 OK", &j!({"Members": [{"@odata.id": "/m/1", "CapacityMiB": "4096", "Status": []}]})),
        "GET /b" => json("200 OK", &j!({"Attributes": ["x"], "@Redfish.Settings": 7})),
        _ => json("404 Not Found", &j!({"error": "x"})),
    })
    .await;
    let mut client = server.plain_client();
    let told = client.power_state(None).await.unwrap_err().to_string();
    assert_eq!(told, "it does not tell its power state");
    assert_eq!(client.boot_device(None).await, Ok(None));
    let inventory = client.inventory(None).await.unwrap();
    assert_eq!(inventory.serial.as_deref(), Some("S1"));
    assert_eq!(inventory.memory[0].mib, Some(4096));
    assert!(inventory.manufacturer.is_none() && inventory.processors.is_empty());
    assert!(client.bios(None).await.unwrap().attributes.is_empty());
    for told in [
        client
            .sensors(None)
            .await
            .map(|report| assert!(!report.notes.is_empty())),
        client.event_log(None).await.map(drop),
        client.media(None).await.map(drop),
        client.beacon(None).await.map(drop),
    ] {
        assert!(!told.as_ref().is_err_and(Error::is_final), "{told:?}");
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_told() {
    let server = Server::plain(|_| json("200 OK", &j!({}))).await;
    let mut client = server.client(Trust::Plain, xcat3_redfish::Trusted::default());
    drop(server);
    // The port is free once the server's task has ended.
    let told = loop {
        match client.get("/x").await {
            Err(Error::Unreachable(told)) => break told,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert!(told.starts_with("no connection: "), "{told}");
}
