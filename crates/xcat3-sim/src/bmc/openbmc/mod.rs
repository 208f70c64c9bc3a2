//! The REST of OpenBMC before Redfish, as phosphor-rest-server had it: objects of D-Bus as paths, their
//! properties as `attr`, everything below a path by `enumerate`. Served by the same listener as Redfish.
//!
//! Only what is needed to drive and read a machine is writable; the rest of D-Bus is not here.

use hyper::Method;
use serde_json::{Map, Value, json};

use super::redfish::answer::Answer;
use super::redfish::face::{Ask, Face};
use super::redfish::sessions::Refusal;

mod objects;
mod writes;

use objects::objects;

/// The answer to a request, where the path is one of this REST.
pub(crate) fn answer(face: &Face, index: usize, ask: &Ask<'_>) -> Answer {
    match (ask.method, ask.parts.as_slice()) {
        (&Method::POST, ["login"]) => return login(face, index, &ask.body),
        (_, ["login" | "logout"]) if *ask.method != Method::POST => {
            return failed(405, "405 Method Not Allowed", "Method not allowed");
        }
        _ => {}
    }
    let level = match face.admit(index, ask) {
        Ok(level) => level,
        Err(refusal) => return refused(&refusal),
    };
    if !face.may(level, index, ask) {
        return failed(403, "403 Forbidden", "The user may not do this");
    }
    match (ask.method, ask.parts.as_slice()) {
        (&Method::POST, ["logout"]) => logout(face, index, ask),
        (&Method::GET | &Method::HEAD, [.., "enumerate"]) => enumerate(face, index, ask),
        (&Method::GET | &Method::HEAD, [.., "list"]) => list(face, index, ask),
        (&Method::GET | &Method::HEAD, _) => read(face, index, ask),
        (&Method::PUT, [.., "attr", name]) => {
            let path = path_before(ask, 2);
            writes::set(face, index, &path, name, &ask.body["data"])
        }
        (&Method::POST, [.., "action", name]) => {
            let path = path_before(ask, 2);
            writes::act(face, index, &path, name)
        }
        (&Method::DELETE, _) => writes::act(face, index, &path_before(ask, 0), "Delete"),
        _ => failed(405, "405 Method Not Allowed", "Method not allowed"),
    }
}

/// The path without so many parts at its end.
fn path_before(ask: &Ask<'_>, left_out: usize) -> String {
    let kept = ask.parts.len().saturating_sub(left_out);
    format!("/{}", ask.parts[..kept].join("/"))
}

fn login(face: &Face, index: usize, body: &Value) -> Answer {
    let given = (body["data"][0].as_str(), body["data"][1].as_str());
    let (Some(user), Some(password)) = given else {
        return failed(400, "400 Bad Request", "data must be [USER, PASSWORD]");
    };
    let mut side = face.side(index);
    let access = &face.options.access;
    let opened = side
        .sessions
        .open((user, password), &face.credentials(index), access);
    match opened {
        Ok((token, _)) => done(&Value::from(format!("User '{user}' logged in")))
            .with("set-cookie", format!("SESSION={token}; Secure; HttpOnly")),
        Err(Refusal::Full) => failed(503, "503 Service Unavailable", "Too many sessions"),
        Err(_) => failed(401, "401 Unauthorized", "Invalid username or password"),
    }
}

fn logout(face: &Face, index: usize, ask: &Ask<'_>) -> Answer {
    if let Some(token) = ask.cookie("SESSION") {
        face.side(index).sessions.close_token(token);
    }
    let user = &face.options.user;
    done(&Value::from(format!("User '{user}' logged out")))
}

fn refused(refusal: &Refusal) -> Answer {
    let reason = match refusal {
        Refusal::Locked => "The account is locked",
        _ => "Login required",
    };
    failed(401, "401 Unauthorized", reason)
}

/// An object with its properties, one of these, or the children of a path that ends with a slash.
fn read(face: &Face, index: usize, ask: &Ask<'_>) -> Answer {
    let objects = objects(face, index);
    if let [.., "attr", name] = ask.parts.as_slice() {
        let object = objects.get(&path_before(ask, 2));
        return match object.and_then(|object| object.get(*name)) {
            Some(value) => done(value),
            None => not_found(ask.path),
        };
    }
    let path = path_before(ask, 0);
    if ask.path.ends_with('/') {
        let children = children(&objects, &path);
        if !children.is_empty() {
            return done(&json!(children));
        }
    }
    match objects.get(&path) {
        Some(object) => done(&Value::Object(object.clone())),
        None => not_found(ask.path),
    }
}

/// The paths one step below a path.
fn children(objects: &objects::Objects, path: &str) -> Vec<String> {
    let below = format!("{}/", path.trim_end_matches('/'));
    let mut children: Vec<String> = objects
        .keys()
        .filter_map(|one| {
            let name = one.strip_prefix(&below)?.split('/').next()?;
            Some(format!("{below}{name}"))
        })
        .collect();
    children.dedup();
    children
}

fn enumerate(face: &Face, index: usize, ask: &Ask<'_>) -> Answer {
    let below = format!("{}/", path_before(ask, 1));
    let objects = objects(face, index).into_iter();
    let found = objects.filter(|(path, _)| path.starts_with(&below));
    let found = found.map(|(path, object)| (path, Value::Object(object)));
    let found: Map<String, Value> = found.collect();
    if found.is_empty() {
        return not_found(ask.path);
    }
    done(&Value::Object(found))
}

fn list(face: &Face, index: usize, ask: &Ask<'_>) -> Answer {
    let below = format!("{}/", path_before(ask, 1));
    let objects = objects(face, index).into_keys();
    let found: Vec<String> = objects.filter(|path| path.starts_with(&below)).collect();
    done(&json!(found))
}

/// All went well; what was asked for, or null.
fn done(data: &Value) -> Answer {
    Answer::document(json!({"data": data, "message": "200 OK", "status": "ok"}))
}

fn failed(status: u16, message: &str, description: &str) -> Answer {
    let data = json!({"description": description});
    let body = json!({"data": data, "message": message, "status": "error"});
    Answer {
        status,
        ..Answer::document(body)
    }
}

fn not_found(path: &str) -> Answer {
    let description =
        format!("org.freedesktop.DBus.Error.FileNotFound: path or object not found: {path}");
    failed(404, "404 Not Found", &description)
}
