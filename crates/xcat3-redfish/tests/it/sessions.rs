//! Sessions, name and password in requests, conditional changes, tasks and the gate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use xcat3_core::control::{PowerState, PowerTarget};
use xcat3_redfish::{Connector, Error, TrustConfig};

use crate::server::{Reaction, ReceivedRequest, Server, respond, respond_with};

const SESSIONS: &str = "POST /redfish/v1/SessionService/Sessions";
/// The first request to a BMC.
const EXPANDED: &str = "GET /redfish/v1/Systems?$expand=.";

/// A BMC with one system and with sessions, the first `ended` of which have ended.
fn bmc(request: &ReceivedRequest, opened: &AtomicUsize, ended: usize) -> Reaction {
    let valid = (ended + 1..=opened.load(Ordering::SeqCst)).any(|number| {
        request
            .head
            .contains(&format!("x-auth-token: t{number}\r\n"))
    });
    match request.line.as_str() {
        "GET /redfish/v1/" => respond(
            "200 OK",
            &json!({"Systems": {"@odata.id": "/redfish/v1/Systems"},
            "Links": {"Sessions": {"@odata.id": "/redfish/v1/SessionService/Sessions"}}}),
        ),
        SESSIONS => {
            let number = opened.fetch_add(1, Ordering::SeqCst) + 1;
            let headers = format!(
                "x-auth-token: t{number}\r\nlocation: /redfish/v1/SessionService/Sessions/{number}\r\n"
            );
            respond_with("201 Created", &headers, &json!({}))
        }
        _ if !valid => respond("401 Unauthorized", &json!({})),
        "GET /redfish/v1/Systems" => respond(
            "200 OK",
            &json!({"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]}),
        ),
        "GET /redfish/v1/Systems/1" => respond("200 OK", &json!({"PowerState": "On"})),
        _ => respond("200 OK", &json!({})),
    }
}

#[tokio::test]
async fn session_several_requests_is_reused_and_ended() {
    let opened = AtomicUsize::new(0);
    let server = Server::plain(move |request| bmc(request, &opened, 0)).await;
    let mut client = server.plain_client();
    for _ in 0..5 {
        assert_eq!(client.power_state(None).await, Ok(PowerState::On));
    }
    client.close().await;
    let lines = server.request_lines();
    // The first request has name and password, which this BMC does not accept.
    assert_eq!(lines[0], EXPANDED);
    let expected = ["GET /redfish/v1/", SESSIONS, "GET /redfish/v1/Systems"];
    assert_eq!(lines[1..4], expected);
    assert_eq!(lines[4..9], ["GET /redfish/v1/Systems/1"; 5]);
    assert_eq!(lines[9..], ["DELETE /redfish/v1/SessionService/Sessions/1"]);
    assert_eq!(server.connections(), 1);
    let login = json!({"UserName": "admin", "Password": "s3cret"}).to_string();
    assert_eq!(server.requests.lock().unwrap()[2].body, login);
}

/// The header with name and password, in lower case.
const BASIC: &str = "authorization: basic ywrtaw46cznjcmv0\r\n";

#[tokio::test]
async fn power_state_first_read_opens_no_session() {
    const PLAIN: &str = "GET /redfish/v1/Systems";
    const SYSTEM: &str = "GET /redfish/v1/Systems/1";
    let reference = json!({"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]});
    let whole = json!({"Members": [{"@odata.id": "/redfish/v1/Systems/1", "PowerState": "Off"}]});
    let refusal = json!({"error": {"message": "There is no such parameter."}});
    // One service expands collections, one ignores the parameter, two refuse it.
    for (expanded, first) in [
        (respond("200 OK", &whole), &[EXPANDED][..]),
        (respond("200 OK", &reference), &[EXPANDED, SYSTEM]),
        (
            respond("501 Not Implemented", &refusal),
            &[EXPANDED, PLAIN, SYSTEM],
        ),
        (respond("200 OK", &refusal), &[EXPANDED, PLAIN, SYSTEM]),
    ] {
        let opened = AtomicUsize::new(0);
        let reference = respond("200 OK", &reference);
        let server = Server::plain(move |request| match request.line.as_str() {
            _ if !request.head.contains(BASIC) => bmc(request, &opened, 0),
            EXPANDED => expanded.clone(),
            PLAIN => reference.clone(),
            SYSTEM => respond("200 OK", &json!({"PowerState": "Off"})),
            _ => bmc(request, &opened, 0),
        })
        .await;
        let connector = Arc::new(Connector::new(TrustConfig::default()));
        let fresh = || server.client_of(&connector);
        let mut client = fresh();
        assert_eq!(client.power_state(None).await, Ok(PowerState::Off));
        assert_eq!(server.request_lines(), first);
        assert_eq!(server.connections(), 1);
        // The second read opens a session. This BMC reports another state there.
        assert_eq!(client.power_state(None).await, Ok(PowerState::On));
        assert_eq!(server.count(SESSIONS), 1);
        let before = server.request_lines().len();
        assert_eq!(fresh().power_state(None).await, Ok(PowerState::Off));
        assert_eq!(server.request_lines()[before..], [SYSTEM]);
    }
}

#[tokio::test]
async fn power_state_moved_system_is_found_again() {
    let moved = Arc::new(AtomicUsize::new(1));
    let number = Arc::clone(&moved);
    let server = Server::plain(move |request| {
        let path = format!("/redfish/v1/Systems/{}", number.load(Ordering::SeqCst));
        match request.line.strip_prefix("GET ") {
            Some("/redfish/v1/Systems") => {
                respond("200 OK", &json!({"Members": [{"@odata.id": path}]}))
            }
            Some(requested) if requested == path => respond("200 OK", &json!({"PowerState": "On"})),
            _ => respond("404 Not Found", &json!({})),
        }
    })
    .await;
    let connector = Arc::new(Connector::new(TrustConfig::default()));
    for number in [1, 2] {
        moved.store(number, Ordering::SeqCst);
        let state = server.client_of(&connector).power_state(None).await;
        assert_eq!(state, Ok(PowerState::On));
    }
    assert_eq!(server.count("GET /redfish/v1/Systems"), 2);
}

#[tokio::test]
async fn session_ended_is_replaced_once() {
    let opened = AtomicUsize::new(0);
    let server = Server::plain(move |request| bmc(request, &opened, 1)).await;
    let mut client = server.plain_client();
    assert_eq!(client.power_state(None).await, Ok(PowerState::On));
    assert_eq!(server.count(SESSIONS), 2);
    let opened = AtomicUsize::new(0);
    let server = Server::plain(move |request| bmc(request, &opened, 1000)).await;
    let mut client = server.plain_client();
    let error = client.power_state(None).await.unwrap_err().to_string();
    let sentence = "the BMC does not allow its user GET /redfish/v1/Systems";
    assert_eq!(error, sentence);
    assert_eq!(server.count(SESSIONS), 2);
}

#[tokio::test]
async fn login_rejected_is_not_tried_again() {
    let server = Server::plain(|request| match request.line.as_str() {
        "GET /redfish/v1/" => respond(
            "200 OK",
            &json!({"Links": {"Sessions": {"@odata.id": "/s"}}}),
        ),
        _ => respond(
            "401 Unauthorized",
            &json!({"error": {"message": "No: s3cret."}}),
        ),
    })
    .await;
    let mut client = server.plain_client();
    for _ in 0..3 {
        let error = client.power_state(None).await.unwrap_err();
        let sentence = "the BMC rejects the user or the password: No: ********";
        assert_eq!(error, Error::Rejected(sentence.to_owned()));
    }
    // Once in the request itself, which the BMC may not support, and once for a session.
    let lines = [EXPANDED, "GET /redfish/v1/", "POST /s"];
    assert_eq!(server.request_lines(), lines);
    assert!(!format!("{client:?}").contains("s3cret"));
}

#[tokio::test]
async fn login_rejected_by_basic_service_is_tried_once() {
    let server = Server::plain(|_| {
        let offer = "www-authenticate: Basic realm=\"BMC\"\r\n";
        respond_with(
            "401 Unauthorized",
            offer,
            &json!({"error": {"message": "No."}}),
        )
    })
    .await;
    let mut client = server.plain_client();
    for _ in 0..3 {
        let error = client.power_state(None).await.unwrap_err();
        assert!(matches!(error, Error::Rejected(_)), "{error}");
    }
    assert_eq!(server.request_lines(), [EXPANDED]);
}

#[tokio::test]
async fn login_service_without_sessions_is_basic() {
    let server = Server::plain(|request| {
        let basic = request.head.contains(BASIC);
        match request.line.as_str() {
            "GET /redfish/v1/" => respond("200 OK", &json!({})),
            _ if !basic => respond("401 Unauthorized", &json!({})),
            "GET /redfish/v1/Systems" => {
                respond("200 OK", &json!({"Members": [{"@odata.id": "/s"}]}))
            }
            _ => respond("200 OK", &json!({"PowerState": "Off"})),
        }
    })
    .await;
    let mut client = server.plain_client();
    assert_eq!(client.power_state(None).await, Ok(PowerState::Off));
    let full = Server::plain(|request| match request.line.as_str() {
        "GET /redfish/v1/" => respond(
            "200 OK",
            &json!({"Links": {"Sessions": {"@odata.id": "/s"}}}),
        ),
        _ => respond(
            "400 Bad Request",
            &json!({"error": {"@Message.ExtendedInfo":
            [{"MessageId": "Base.1.8.SessionLimitExceeded", "Message": "Too many."}]}}),
        ),
    })
    .await;
    let error = full.plain_client().power_state(None).await.unwrap_err();
    assert_eq!(
        error,
        Error::Busy("the BMC has no free session: Too many".to_owned())
    );
}

#[tokio::test]
async fn connection_closed_by_bmc_is_replaced() {
    let server = Server::plain(|request| match request.line.as_str() {
        "GET /redfish/v1/Systems" => respond("200 OK", &json!({"Members": [{"@odata.id": "/s"}]})),
        "GET /s" => {
            let body = json!({"PowerState": "On"}).to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            Reaction::RespondAndClose((head + &body).into_bytes())
        }
        _ => respond("200 OK", &json!({})),
    })
    .await;
    let mut client = server.plain_client();
    for number in 1..=3 {
        assert_eq!(client.power_state(None).await, Ok(PowerState::On));
        server.wait_for_closed(number).await;
    }
}

#[tokio::test]
async fn change_under_outdated_tag_is_repeated_with_new_tag() {
    let server = Server::plain(|request| match request.line.as_str() {
        "GET /redfish/v1/Systems" => respond("200 OK", &json!({"Members": [{"@odata.id": "/s"}]})),
        "GET /s" => respond_with(
            "200 OK",
            "etag: W/\"2\"\r\n",
            &json!({"Bios": {"@odata.id": "/b"}}),
        ),
        "GET /b" => respond_with(
            "200 OK",
            "etag: W/\"2\"\r\n",
            &json!({"Attributes": {"Cores": 4}}),
        ),
        "PATCH /b" if request.head.contains("if-match: \"2\"\r\n") => respond("200 OK", &json!({})),
        "PATCH /b" => respond("412 Precondition Failed", &json!({})),
        _ => respond("200 OK", &json!({})),
    })
    .await;
    let mut client = server.plain_client();
    let changes = BTreeMap::from([("Cores".to_owned(), "8".to_owned())]);
    assert_eq!(client.set_bios(None, &changes).await, Ok(()));
    let requests = server.requests.lock().unwrap();
    let bodies = requests.iter().filter(|request| request.line == "PATCH /b");
    let sent = json!({"Attributes": {"Cores": 8}}).to_string();
    assert!(bodies.clone().count() == 3 && bodies.into_iter().all(|request| request.body == sent));
}

/// A BMC whose resets are tasks that end as `end`.
async fn with_tasks(end: &'static str) -> Result<(), Error> {
    let looks = AtomicUsize::new(0);
    let server = Server::plain(move |request| match request.line.as_str() {
        "GET /redfish/v1/Systems" => respond("200 OK", &json!({"Members": [{"@odata.id": "/s"}]})),
        "GET /s" => respond(
            "200 OK",
            &json!({"PowerState": "On", "Actions": {"#ComputerSystem.Reset":
            {"target": "/reset", "ResetType@Redfish.AllowableValues": ["ForceRestart"]}}}),
        ),
        "POST /reset" => respond_with(
            "202 Accepted",
            "location: /task\r\nretry-after: 0\r\n",
            &json!({}),
        ),
        "GET /task" => match looks.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => respond_with(
                "202 Accepted",
                "retry-after: 0\r\n",
                &json!({"TaskState": "Running"}),
            ),
            _ => respond(
                "200 OK",
                &json!({"TaskState": end, "Messages": [{"Message": "It burns."}]}),
            ),
        },
        _ => respond("200 OK", &json!({})),
    })
    .await;
    let mut client = server.plain_client();
    let done = client.set_power(None, PowerTarget::Reset).await;
    assert_eq!(server.count("POST /reset"), 1);
    assert_eq!(server.count("GET /task"), 3);
    done
}

#[tokio::test]
async fn task_ended_decides_the_outcome() {
    assert_eq!(with_tasks("Completed").await, Ok(()));
    let error = with_tasks("Exception").await.unwrap_err().to_string();
    assert_eq!(
        error,
        "ComputerSystem.Reset was started and ended as Exception: It burns"
    );
}

#[tokio::test]
async fn change_gate_closed_is_not_sent() {
    let server = Server::plain(|request| match request.line.as_str() {
        "GET /redfish/v1/Systems" => respond("200 OK", &json!({"Members": [{"@odata.id": "/s"}]})),
        "GET /s" => respond(
            "200 OK",
            &json!({"PowerState": "On", "Actions": {"#ComputerSystem.Reset": {"target": "/reset"}}}),
        ),
        _ => respond("200 OK", &json!({})),
    })
    .await;
    let mut client = server.plain_client();
    client.set_gate(Some(std::sync::Arc::new(|| Box::pin(async { false }))));
    assert_eq!(
        client.set_power(None, PowerTarget::Off).await,
        Err(Error::Stopped)
    );
    assert_eq!(server.count("POST /reset"), 0);
}
