//! The service root and what a client may read before it has proved who it is; sessions and accounts.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::expansion::MOST_LEVELS;
use super::face::{Ask, Face, refused};
use super::flavour::Expand;
use super::resources::{collection, link, text};
use crate::bmc::account::Level;

const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// What is answered to everybody: the versions, the root, its metadata, and a new session.
pub(super) fn open(face: &Face, index: usize, ask: &Ask<'_>) -> Option<Answer> {
    let parts = ask.parts.as_slice();
    if let ["redfish", "v1", "SessionService", "Sessions"] = parts
        && *ask.method == Method::POST
        && face.habits(index).sessions
    {
        return Some(login(face, index, ask));
    }
    let answer = match parts {
        ["redfish"] => Answer::document(json!({"v1": "/redfish/v1/"})),
        ["redfish", "v1"] => Answer::document(root(face, index)),
        ["redfish", "v1", "odata"] => Answer::document(json!({
            "@odata.context": "/redfish/v1/$metadata",
            "value": [
                {"name": "Service", "kind": "Singleton", "url": "/redfish/v1/"},
                {"name": "Systems", "kind": "Singleton", "url": "/redfish/v1/Systems"},
            ],
        })),
        ["redfish", "v1", "$metadata"] => Answer::text("application/xml", METADATA),
        _ => return None,
    };
    let answer = if ask.reads() {
        answer
    } else {
        Answer::not_allowed("GET")
    };
    Some(answer)
}

const METADATA: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">
  <edmx:DataServices>
    <Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">
      <EntityContainer Name="Service" Extends="ServiceRoot.v1_9_0.ServiceContainer"/>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>
"#;

fn root(face: &Face, index: usize) -> Value {
    let habits = face.habits(index);
    let machine = face.machine(index);
    let mut root = json!({
        "@odata.id": "/redfish/v1/",
        "@odata.type": "#ServiceRoot.v1_9_0.ServiceRoot",
        "Id": "RootService",
        "Name": "Root Service",
        "RedfishVersion": "1.11.0",
        "UUID": machine.bmc_uuid,
        "Vendor": machine.manufacturer,
        "Product": machine.model,
    });
    let Some(fields) = root.as_object_mut() else {
        return root;
    };
    let mut services = vec!["Systems", "Chassis", "Managers", "UpdateService", "Tasks"];
    if habits.sessions {
        services.extend(["SessionService", "AccountService"]);
    }
    for name in services {
        let target = if name == "Tasks" { "TaskService" } else { name };
        fields.insert(name.to_owned(), link(&format!("/redfish/v1/{target}")));
    }
    if habits.expand == Expand::Done {
        let expands = json!({
            "ExpandAll": true,
            "Levels": true,
            "Links": true,
            "MaxLevels": MOST_LEVELS,
            "NoLinks": true,
        });
        let features = json!({"ExpandQuery": expands});
        fields.insert("ProtocolFeaturesSupported".to_owned(), features);
    }
    if habits.links && habits.sessions {
        let links = json!({"Sessions": {"@odata.id": SESSIONS}});
        fields.insert("Links".to_owned(), links);
    }
    root
}

/// `POST …/Sessions`.
fn login(face: &Face, index: usize, ask: &Ask<'_>) -> Answer {
    let (user, password) = match (text(&ask.body, "UserName"), text(&ask.body, "Password")) {
        (Some(user), Some(password)) => (user, password),
        (None, _) => return Answer::missing("UserName"),
        (_, None) => return Answer::missing("Password"),
    };
    let mut side = face.side(index);
    let right = face.credentials(index);
    let opened = side
        .sessions
        .open((user, password), &right, &face.options.access);
    match opened {
        Ok((token, id)) => {
            let mut answer = Answer::document(session(&id, user));
            answer.status = 201;
            answer
                .with("x-auth-token", token)
                .with("location", format!("{SESSIONS}/{id}"))
        }
        Err(refusal) => refused(&refusal),
    }
}

fn session(id: &str, user: &str) -> Value {
    json!({
        "@odata.id": format!("{SESSIONS}/{id}"),
        "@odata.type": "#Session.v1_3_0.Session",
        "Id": id,
        "Name": "User Session",
        "UserName": user,
    })
}

/// The session service; `parts` are those behind `SessionService`.
pub(super) fn sessions(face: &Face, index: usize, ask: &Ask<'_>, parts: &[&str]) -> Answer {
    if !face.habits(index).sessions {
        return Answer::not_found(ask.path);
    }
    let access = &face.options.access;
    let mut side = face.side(index);
    match (ask.method, parts) {
        (&Method::PATCH, []) => {
            let Some(seconds) = ask.body["SessionTimeout"].as_u64() else {
                return Answer::missing("SessionTimeout");
            };
            if !(30..=86400).contains(&seconds) {
                return Answer::bad_value("SessionTimeout", &ask.body["SessionTimeout"]);
            }
            side.sessions.set_timeout(Duration::from_secs(seconds));
            Answer::empty(204)
        }
        (_, []) if ask.reads() => Answer::document(json!({
            "@odata.id": "/redfish/v1/SessionService",
            "@odata.type": "#SessionService.v1_1_6.SessionService",
            "Id": "SessionService",
            "Name": "Session Service",
            "ServiceEnabled": true,
            "SessionTimeout": side.sessions.timeout(access).as_secs(),
            "Sessions": {"@odata.id": SESSIONS},
        })),
        (_, ["Sessions"]) if ask.reads() => {
            let open = side.sessions.list(access);
            let ids: Vec<String> = open.iter().map(|one| one.id.clone()).collect();
            collection(ask, "Session", "Sessions", &ids)
        }
        (_, ["Sessions", id]) if ask.reads() => {
            let mut open = side.sessions.list(access).iter();
            match open.find(|one| one.id == *id) {
                Some(one) => Answer::document(session(&one.id, &one.user)),
                None => Answer::not_found(ask.path),
            }
        }
        (&Method::DELETE, ["Sessions", id]) => {
            if side.sessions.close(id) {
                Answer::empty(204)
            } else {
                Answer::not_found(ask.path)
            }
        }
        (_, [] | ["Sessions"] | ["Sessions", _]) => Answer::not_allowed("GET"),
        _ => Answer::not_found(ask.path),
    }
}

/// The account service: accounts can't be changed.
pub(super) fn accounts(face: &Face, index: usize, ask: &Ask<'_>, parts: &[&str]) -> Answer {
    if !ask.reads() {
        return Answer::not_allowed("GET");
    }
    match parts {
        [] => {
            let mut service = json!({
                "@odata.id": "/redfish/v1/AccountService",
                "@odata.type": "#AccountService.v1_7_2.AccountService",
                "Id": "AccountService",
                "Name": "Account Service",
                "ServiceEnabled": true,
                "Accounts": {"@odata.id": "/redfish/v1/AccountService/Accounts"},
            });
            if let Some((failures, pause)) = face.options.access.lockout {
                service["AccountLockoutThreshold"] = failures.into();
                service["AccountLockoutDuration"] = pause.as_secs().into();
            }
            Answer::document(service)
        }
        ["Accounts"] => {
            let count = 1 + face.options.users.len();
            let ids: Vec<String> = (1..=count).map(|id| id.to_string()).collect();
            collection(ask, "ManagerAccount", "Accounts", &ids)
        }
        ["Accounts", id] => match account(face, id) {
            Some((user, role)) => Answer::document(json!({
                "@odata.id": format!("/redfish/v1/AccountService/Accounts/{id}"),
                "@odata.type": "#ManagerAccount.v1_6_3.ManagerAccount",
                "Id": id,
                "Name": "User Account",
                "UserName": user,
                "RoleId": role,
                "Enabled": true,
                "Locked": face.side(index).sessions.locked(),
            })),
            None => Answer::not_found(ask.path),
        },
        _ => Answer::not_found(ask.path),
    }
}

/// Name and role of the account of this id: the first is the one of all machines' administrator.
fn account<'a>(face: &'a Face, id: &str) -> Option<(&'a str, &'static str)> {
    let place = id.parse::<usize>().ok()?.checked_sub(1)?;
    let Some(place) = place.checked_sub(1) else {
        return Some((&face.options.user, Level::Administrator.role()));
    };
    let other = face.options.users.get(place)?;
    Some((&other.name, other.level.role()))
}
