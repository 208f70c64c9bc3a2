//! Sessions: reused, made anew once where they have ended, never tried again with credentials that
//! were rejected; Basic where there are none. And conditional changes and tasks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json as j;
use xcat3_core::control::{PowerState, PowerTarget};
use xcat3_redfish::{Connector, Error, Trusted};

use crate::server::{Asked, Say, Server, json, with};

const SESSIONS: &str = "POST /redfish/v1/SessionService/Sessions";
/// What a BMC is asked first.
const EXPANDED: &str = "GET /redfish/v1/Systems?$expand=.";

/// A BMC with sessions, of which those up to `ended` have ended, and one system.
fn bmc(asked: &Asked, made: &AtomicUsize, ended: usize) -> Say {
    let valid = (ended + 1..=made.load(Ordering::SeqCst))
        .any(|number| asked.head.contains(&format!("x-auth-token: t{number}\r\n")));
    match asked.what.as_str() {
        "GET /redfish/v1/" => json(
            "200 OK",
            &j!({"Systems": {"@odata.id": "/redfish/v1/Systems"},
            "Links": {"Sessions": {"@odata.id": "/redfish/v1/SessionService/Sessions"}}}),
        ),
        SESSIONS => {
            let number = made.fetch_add(1, Ordering::SeqCst) + 1;
            let headers = format!(
                "x-auth-token: t{number}\r\nlocation: /redfish/v1/SessionService/Sessions/{number}\r\n"
            );
            with("201 Created", &headers, &j!({}))
        }
        _ if !valid => json("401 Unauthorized", &j!({})),
        "GET /redfish/v1/Systems" => json(
            "200 OK",
            &j!({"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]}),
        ),
        "GET /redfish/v1/Systems/1" => json("200 OK", &j!({"PowerState": "On"})),
        _ => json("200 OK", &j!({})),
    }
}

#[tokio::test]
async fn a_session_and_its_connection_are_used_again_and_ended() {
    let made = AtomicUsize::new(0);
    let server = Server::plain(move |asked| bmc(asked, &made, 0)).await;
    let mut client = server.plain_client();
    for _ in 0..5 {
        assert_eq!(client.power_state(None).await, Ok(PowerState::On));
    }
    client.close().await;
    let asked = server.asked();
    // The first look has name and password in the request, which this BMC does not take.
    assert_eq!(asked[0], EXPANDED);
    let expected = ["GET /redfish/v1/", SESSIONS, "GET /redfish/v1/Systems"];
    assert_eq!(asked[1..4], expected);
    assert_eq!(asked[4..9], ["GET /redfish/v1/Systems/1"; 5]);
    assert_eq!(asked[9..], ["DELETE /redfish/v1/SessionService/Sessions/1"]);
    assert_eq!(server.connections(), 1);
    let login = j!({"UserName": "admin", "Password": "s3cret"}).to_string();
    assert_eq!(server.asked.lock().unwrap()[2].body, login);
}

/// `Basic` of the tests' login, in small letters as heads are here.
const BASIC: &str = "authorization: basic ywrtaw46cznjcmv0\r\n";

#[tokio::test]
async fn a_first_look_takes_no_session_and_the_next_one_a_single_request() {
    const PLAIN: &str = "GET /redfish/v1/Systems";
    const SYSTEM: &str = "GET /redfish/v1/Systems/1";
    let reference = j!({"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]});
    let whole = j!({"Members": [{"@odata.id": "/redfish/v1/Systems/1", "PowerState": "Off"}]});
    let refusal = j!({"error": {"message": "There is no such parameter."}});
    // A service that expands collections, one that does not know of it, two that refuse it.
    for (expanded, first) in [
        (json("200 OK", &whole), &[EXPANDED][..]),
        (json("200 OK", &reference), &[EXPANDED, SYSTEM]),
        (
            json("501 Not Implemented", &refusal),
            &[EXPANDED, PLAIN, SYSTEM],
        ),
        (json("200 OK", &refusal), &[EXPANDED, PLAIN, SYSTEM]),
    ] {
        let made = AtomicUsize::new(0);
        let reference = json("200 OK", &reference);
        let server = Server::plain(move |asked| match asked.what.as_str() {
            _ if !asked.head.contains(BASIC) => bmc(asked, &made, 0),
            EXPANDED => expanded.clone(),
            PLAIN => reference.clone(),
            SYSTEM => json("200 OK", &j!({"PowerState": "Off"})),
            _ => bmc(asked, &made, 0),
        })
        .await;
        let connector = Arc::new(Connector::new(Trusted::default()));
        let fresh = || server.client_of(&connector);
        let mut client = fresh();
        assert_eq!(client.power_state(None).await, Ok(PowerState::Off));
        assert_eq!(server.asked(), first);
        assert_eq!(server.connections(), 1);
        // What is asked again is worth a session, whose BMC says otherwise here.
        assert_eq!(client.power_state(None).await, Ok(PowerState::On));
        assert_eq!(server.count(SESSIONS), 1);
        let before = server.asked().len();
        assert_eq!(fresh().power_state(None).await, Ok(PowerState::Off));
        assert_eq!(server.asked()[before..], [SYSTEM]);
    }
}

#[tokio::test]
async fn a_system_that_has_moved_is_found_again() {
    let moved = Arc::new(AtomicUsize::new(1));
    let number = Arc::clone(&moved);
    let server = Server::plain(move |asked| {
        let path = format!("/redfish/v1/Systems/{}", number.load(Ordering::SeqCst));
        match asked.what.strip_prefix("GET ") {
            Some("/redfish/v1/Systems") => json("200 OK", &j!({"Members": [{"@odata.id": path}]})),
            Some(asked) if asked == path => json("200 OK", &j!({"PowerState": "On"})),
            _ => json("404 Not Found", &j!({})),
        }
    })
    .await;
    let connector = Arc::new(Connector::new(Trusted::default()));
    for place in [1, 2] {
        moved.store(place, Ordering::SeqCst);
        let told = server.client_of(&connector).power_state(None).await;
        assert_eq!(told, Ok(PowerState::On));
    }
    assert_eq!(server.count("GET /redfish/v1/Systems"), 2);
}

#[tokio::test]
async fn a_session_that_has_ended_is_made_anew_once() {
    let made = AtomicUsize::new(0);
    let server = Server::plain(move |asked| bmc(asked, &made, 1)).await;
    let mut client = server.plain_client();
    assert_eq!(client.power_state(None).await, Ok(PowerState::On));
    assert_eq!(server.count(SESSIONS), 2);
    let made = AtomicUsize::new(0);
    let server = Server::plain(move |asked| bmc(asked, &made, 1000)).await;
    let mut client = server.plain_client();
    let told = client.power_state(None).await.unwrap_err().to_string();
    assert_eq!(told, "it does not let its user do GET /redfish/v1/Systems");
    assert_eq!(server.count(SESSIONS), 2);
}

#[tokio::test]
async fn rejected_credentials_are_not_tried_again() {
    let server = Server::plain(|asked| match asked.what.as_str() {
        "GET /redfish/v1/" => json("200 OK", &j!({"Links": {"Sessions": {"@odata.id": "/s"}}})),
        _ => json(
            "401 Unauthorized",
            &j!({"error": {"message": "No: s3cret."}}),
        ),
    })
    .await;
    let mut client = server.plain_client();
    for _ in 0..3 {
        let told = client.power_state(None).await.unwrap_err();
        let sentence = "it does not take the user or the password: No: ********";
        assert_eq!(told, Error::Rejected(sentence.to_owned()));
    }
    // Without sessions, where it may not take name and password, and in one.
    let asked = [EXPANDED, "GET /redfish/v1/", "POST /s"];
    assert_eq!(server.asked(), asked);
    assert!(!format!("{client:?}").contains("s3cret"));
}

#[tokio::test]
async fn name_and_password_are_tried_once_where_the_bmc_takes_them() {
    let server = Server::plain(|_| {
        let offer = "www-authenticate: Basic realm=\"BMC\"\r\n";
        with(
            "401 Unauthorized",
            offer,
            &j!({"error": {"message": "No."}}),
        )
    })
    .await;
    let mut client = server.plain_client();
    for _ in 0..3 {
        let told = client.power_state(None).await.unwrap_err();
        assert!(matches!(told, Error::Rejected(_)), "{told}");
    }
    assert_eq!(server.asked(), [EXPANDED]);
}

#[tokio::test]
async fn without_sessions_every_request_has_name_and_password() {
    let server = Server::plain(|asked| {
        let basic = asked.head.contains(BASIC);
        match asked.what.as_str() {
            "GET /redfish/v1/" => json("200 OK", &j!({})),
            _ if !basic => json("401 Unauthorized", &j!({})),
            "GET /redfish/v1/Systems" => json("200 OK", &j!({"Members": [{"@odata.id": "/s"}]})),
            _ => json("200 OK", &j!({"PowerState": "Off"})),
        }
    })
    .await;
    let mut client = server.plain_client();
    assert_eq!(client.power_state(None).await, Ok(PowerState::Off));
    let full = Server::plain(|asked| match asked.what.as_str() {
        "GET /redfish/v1/" => json("200 OK", &j!({"Links": {"Sessions": {"@odata.id": "/s"}}})),
        _ => json(
            "400 Bad Request",
            &j!({"error": {"@Message.ExtendedInfo":
            [{"MessageId": "Base.1.8.SessionLimitExceeded", "Message": "Too many."}]}}),
        ),
    })
    .await;
    let told = full.plain_client().power_state(None).await.unwrap_err();
    assert_eq!(
        told,
        Error::Busy("it has no free session: Too many".to_owned())
    );
}

#[tokio::test]
async fn a_connection_that_the_bmc_closed_is_made_anew() {
    let server = Server::plain(|asked| match asked.what.as_str() {
        "GET /redfish/v1/Systems" => json("200 OK", &j!({"Members": [{"@odata.id": "/s"}]})),
        "GET /s" => {
            let body = j!({"PowerState": "On"}).to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            Say::Cut((head + &body).into_bytes())
        }
        _ => json("200 OK", &j!({})),
    })
    .await;
    let mut client = server.plain_client();
    for _ in 0..3 {
        assert_eq!(client.power_state(None).await, Ok(PowerState::On));
        // The end of the connection must have come before the next question.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_change_is_made_under_the_tag_that_was_read_last() {
    let server = Server::plain(|asked| match asked.what.as_str() {
        "GET /redfish/v1/Systems" => json("200 OK", &j!({"Members": [{"@odata.id": "/s"}]})),
        "GET /s" => with(
            "200 OK",
            "etag: W/\"2\"\r\n",
            &j!({"Bios": {"@odata.id": "/b"}}),
        ),
        "GET /b" => with(
            "200 OK",
            "etag: W/\"2\"\r\n",
            &j!({"Attributes": {"Cores": 4}}),
        ),
        "PATCH /b" if asked.head.contains("if-match: \"2\"\r\n") => json("200 OK", &j!({})),
        "PATCH /b" => json("412 Precondition Failed", &j!({})),
        _ => json("200 OK", &j!({})),
    })
    .await;
    let mut client = server.plain_client();
    let changes = BTreeMap::from([("Cores".to_owned(), "8".to_owned())]);
    assert_eq!(client.set_bios(None, &changes).await, Ok(()));
    let asked = server.asked.lock().unwrap();
    let bodies = asked.iter().filter(|asked| asked.what == "PATCH /b");
    let sent = j!({"Attributes": {"Cores": 8}}).to_string();
    assert!(bodies.clone().count() == 3 && bodies.into_iter().all(|asked| asked.body == sent));
}

/// A BMC whose resets are tasks that end as `end`.
async fn with_tasks(end: &'static str) -> Result<(), Error> {
    let looks = AtomicUsize::new(0);
    let server = Server::plain(move |asked| match asked.what.as_str() {
        "GET /redfish/v1/Systems" => json("200 OK", &j!({"Members": [{"@odata.id": "/s"}]})),
        "GET /s" => json(
            "200 OK",
            &j!({"PowerState": "On", "Actions": {"#ComputerSystem.Reset":
            {"target": "/reset", "ResetType@Redfish.AllowableValues": ["ForceRestart"]}}}),
        ),
        "POST /reset" => with(
            "202 Accepted",
            "location: /task\r\nretry-after: 0\r\n",
            &j!({}),
        ),
        "GET /task" => match looks.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => with(
                "202 Accepted",
                "retry-after: 0\r\n",
                &j!({"TaskState": "Running"}),
            ),
            _ => json(
                "200 OK",
                &j!({"TaskState": end, "Messages": [{"Message": "It burns."}]}),
            ),
        },
        _ => json("200 OK", &j!({})),
    })
    .await;
    let mut client = server.plain_client();
    let done = client.set_power(None, PowerTarget::Reset).await;
    assert_eq!(server.count("POST /reset"), 1);
    assert_eq!(server.count("GET /task"), 3);
    done
}

#[tokio::test]
async fn tasks_are_followed_to_their_end() {
    assert_eq!(with_tasks("Completed").await, Ok(()));
    let told = with_tasks("Exception").await.unwrap_err().to_string();
    assert_eq!(
        told,
        "ComputerSystem.Reset was begun and ended as Exception: It burns"
    );
}

#[tokio::test]
async fn nothing_is_changed_once_the_gate_is_closed() {
    let server = Server::plain(|asked| match asked.what.as_str() {
        "GET /redfish/v1/Systems" => json("200 OK", &j!({"Members": [{"@odata.id": "/s"}]})),
        "GET /s" => json(
            "200 OK",
            &j!({"PowerState": "On", "Actions": {"#ComputerSystem.Reset": {"target": "/reset"}}}),
        ),
        _ => json("200 OK", &j!({})),
    })
    .await;
    let mut client = server.plain_client();
    client.guard(Some(std::sync::Arc::new(|| Box::pin(async { false }))));
    assert_eq!(
        client.set_power(None, PowerTarget::Off).await,
        Err(Error::Stopped)
    );
    assert_eq!(server.count("POST /reset"), 0);
}
