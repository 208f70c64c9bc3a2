//! The requests that are measured, in their order, and what a good answer to each is.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::http::{Answer, Request, send};
use super::memory::{self, Memory};
use super::plant::{API, Plant, SUBNET};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Nothing,
    Nodes,
    Names,
    Patch,
}

/// What tells that a node's part of the request was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Good {
    /// A list of so many things under `nodes`.
    Listed,
    /// One node.
    Shown,
    /// This word under each node's name.
    Word(&'static str),
    /// A line for each node, and one at the end.
    Streamed,
}

/// A request on all nodes.
struct Step {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    body: Body,
    good: Good,
}

const fn step(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    body: Body,
    good: Good,
) -> Step {
    Step {
        name,
        method,
        path,
        body,
        good,
    }
}

const DEPLOY: &str = "/v1/nodes/provision?target=nodeset&osimage=bench&subnet=bench";

const STEPS: &[Step] = &[
    step("create", "POST", "/v1/nodes", Body::Nodes, Good::Word("ok")),
    step(
        "list names",
        "GET",
        "/v1/nodes",
        Body::Nothing,
        Good::Listed,
    ),
    step(
        "show one",
        "GET",
        "/v1/nodes/n1",
        Body::Nothing,
        Good::Shown,
    ),
    step("info", "GET", "/v1/nodes/info", Body::Names, Good::Listed),
    step(
        "update",
        "PATCH",
        "/v1/nodes",
        Body::Patch,
        Good::Word("updated"),
    ),
    step(
        "power on",
        "PUT",
        "/v1/nodes/power?target=on",
        Body::Names,
        Good::Word("ok"),
    ),
    step(
        "power status",
        "GET",
        "/v1/nodes/power",
        Body::Names,
        Good::Word("on"),
    ),
    step(
        "power on, streamed",
        "PUT",
        "/v1/nodes/power?target=on",
        Body::Names,
        Good::Streamed,
    ),
    step("deploy", "PUT", DEPLOY, Body::Names, Good::Word("ok")),
    step(
        "take back",
        "PUT",
        "/v1/nodes/provision?target=un_nodeset",
        Body::Names,
        Good::Word("ok"),
    ),
    step(
        "delete",
        "DELETE",
        "/v1/nodes",
        Body::Names,
        Good::Word("deleted"),
    ),
];

/// What a step came to.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What was done.
    pub step: &'static str,
    /// From the request's beginning to the answer's end.
    pub whole: Duration,
    /// From the request's beginning to the first outcome, where outcomes are streamed.
    pub first: Option<Duration>,
    /// How many requests it took.
    pub requests: u32,
    /// How many nodes were not done, and what is said of the first of them.
    pub undone: Option<(usize, String)>,
    /// Of each process.
    pub memory: Vec<Memory>,
}

/// Does all steps with `count` nodes.
///
/// # Errors
/// The API can't be reached, or its answer can't be understood.
pub fn run(plant: &Plant, count: u32) -> Result<Vec<Measured>> {
    let names: Vec<String> = (1..=count).map(|number| format!("n{number}")).collect();
    let done = STEPS.iter().map(|step| {
        let body = body(step.body, &names)?;
        memory::reset(&plant.programs)?;
        let measured = send_step(step, &body);
        let answer = measured.with_context(|| format!("{}: {}", step.name, plant.logs()))?;
        let memory = memory::measure(&plant.programs);
        let undone = undone(step, &answer, &names)
            .with_context(|| format!("the answer to '{}'", step.name))?;
        let streams = answer.content_type.starts_with("application/x-ndjson");
        Ok(Measured {
            step: step.name,
            whole: answer.whole,
            first: streams.then_some(answer.first),
            requests: 1,
            undone,
            memory,
        })
    });
    done.collect()
}

fn send_step(step: &Step, body: &[u8]) -> Result<Answer> {
    let accept = match step.good {
        Good::Streamed => "application/x-ndjson",
        _ => "application/json",
    };
    let Step { method, path, .. } = *step;
    let answer = send(
        API,
        Request {
            method,
            path,
            accept,
            body,
        },
    )?;
    ensure!(
        answer.status < 300,
        "status {}: {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    );
    Ok(answer)
}

/// The body of a request, written node by node: a document of a million nodes takes ten times the
/// memory of its text.
fn body(body: Body, names: &[String]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    if body == Body::Nothing {
        return Ok(text);
    }
    text.extend_from_slice(b"{\"nodes\":[");
    for (name, number) in names.iter().zip(1u32..) {
        if number > 1 {
            text.push(b',');
        }
        let entry = match body {
            Body::Nodes => node(name, number),
            _ => json!({"name": name}),
        };
        serde_json::to_writer(&mut text, &entry)?;
    }
    text.push(b']');
    if body == Body::Patch {
        let patches = json!([{"op": "add", "path": "/type", "value": "bench"}]);
        text.extend_from_slice(b",\"patches\":");
        serde_json::to_writer(&mut text, &patches)?;
    }
    text.push(b'}');
    Ok(text)
}

/// A node with a nic that has an address in the network.
fn node(name: &str, number: u32) -> Value {
    let subnet: std::net::Ipv4Addr = SUBNET.parse().unwrap_or(std::net::Ipv4Addr::UNSPECIFIED);
    let address = std::net::Ipv4Addr::from(u32::from(subnet) + 256 + number);
    let [a, b, c, d] = number.to_be_bytes();
    let mac = format!("52:54:{a:02x}:{b:02x}:{c:02x}:{d:02x}");
    json!({
        "name": name, "mgt": "fake", "netboot": "pxe", "arch": "x86_64",
        "nics_info": {"nics": [{"mac": mac, "ip": address.to_string(), "primary": true}]},
    })
}

/// How many nodes were not done, and what is said of the first of them.
fn undone(step: &Step, answer: &Answer, names: &[String]) -> Result<Option<(usize, String)>> {
    let body = &answer.body;
    let text = || String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    let done = match step.good {
        Good::Streamed if answer.content_type.starts_with("application/x-ndjson") => {
            return streamed(body, names.len());
        }
        Good::Streamed => return Ok(Some((names.len(), "answered without a stream".into()))),
        Good::Shown => {
            let node: Value = serde_json::from_slice(body).with_context(text)?;
            return Ok((node["name"] != names[0].as_str()).then(|| (1, text())));
        }
        Good::Listed => {
            let list: Value = serde_json::from_slice(body).with_context(text)?;
            list["nodes"].as_array().map_or(0, Vec::len)
        }
        Good::Word(word) => {
            let answer: Value = serde_json::from_slice(body).with_context(text)?;
            let outcomes = answer["nodes"].as_object().with_context(text)?;
            let other = outcomes.iter().find(|(_, outcome)| *outcome != word);
            let done = outcomes.values().filter(|outcome| *outcome == word).count();
            if let Some((name, outcome)) = other {
                return Ok(Some((names.len() - done, format!("{name}: {outcome}"))));
            }
            done
        }
    };
    Ok((done != names.len()).then(|| (names.len().abs_diff(done), text())))
}

fn streamed(body: &[u8], count: usize) -> Result<Option<(usize, String)>> {
    let text = std::str::from_utf8(body)?;
    let mut ok = 0;
    let mut other = None;
    let mut ended = false;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        if line["node"].is_null() {
            ended = line["state"] == "done";
        } else if line["outcome"] == "ok" {
            ok += 1;
        } else {
            other.get_or_insert(line.to_string());
        }
    }
    let complete = ok == count && ended;
    let why = || other.unwrap_or_else(|| format!("{ok} outcomes, ended: {ended}"));
    Ok((!complete).then(|| (count.abs_diff(ok), why())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str, content_type: &str) -> Answer {
        Answer {
            status: 200,
            content_type: content_type.to_owned(),
            body: body.as_bytes().to_vec(),
            first: Duration::ZERO,
            whole: Duration::ZERO,
            ..Answer::default()
        }
    }

    fn missing(good: Good, body: &str, content_type: &str) -> Option<(usize, String)> {
        let names = ["n1".to_owned(), "n2".to_owned()];
        let step = step("", "", "", Body::Nothing, good);
        undone(&step, &answer(body, content_type), &names).unwrap()
    }

    #[test]
    fn only_the_word_for_each_node_is_good() {
        let json = "application/json";
        let ok = Good::Word("ok");
        assert_eq!(
            missing(ok, r#"{"nodes":{"n1":"ok","n2":"ok"}}"#, json),
            None
        );
        let (count, why) = missing(ok, r#"{"nodes":{"n1":"ok","n2":"no"}}"#, json).unwrap();
        assert_eq!((count, why.as_str()), (1, "n2: \"no\""));
        assert_eq!(missing(ok, r#"{"nodes":{"n1":"ok"}}"#, json).unwrap().0, 1);
        assert!(missing(Good::Listed, r#"{"nodes":["n1"]}"#, json).is_some());
        assert_eq!(
            missing(Good::Listed, r#"{"nodes":["n1","n2"]}"#, json),
            None
        );
    }

    #[test]
    fn a_stream_is_good_with_a_line_for_each_node_and_an_end() {
        let ndjson = "application/x-ndjson";
        let lines = "{\"node\":\"n1\",\"outcome\":\"ok\"}\n{\"node\":\"n2\",\"outcome\":\"ok\"}\n";
        let end = "{\"job\":\"j\",\"state\":\"done\"}\n";
        assert_eq!(
            missing(Good::Streamed, &format!("{lines}{end}"), ndjson),
            None
        );
        assert!(missing(Good::Streamed, lines, ndjson).is_some());
        assert!(missing(Good::Streamed, end, ndjson).is_some());
        assert!(missing(Good::Streamed, lines, "application/json").is_some());
    }

    #[test]
    fn every_node_has_an_address_and_a_mac_of_its_own() {
        let nics = |number| node("n", number)["nics_info"]["nics"][0].clone();
        assert_eq!(nics(1)["ip"], "10.64.1.1");
        assert_eq!(nics(65_536)["ip"], "10.65.1.0");
        assert_eq!(nics(65_536)["mac"], "52:54:00:01:00:00");
        assert_eq!(nics(1_000_000)["ip"], "10.79.67.64");
    }

    #[test]
    fn bodies_are_documents() {
        let names = ["n1".to_owned(), "n2".to_owned()];
        let document =
            |kind| -> Value { serde_json::from_slice(&body(kind, &names).unwrap()).unwrap() };
        assert_eq!(
            document(Body::Names),
            json!({"nodes": [{"name": "n1"}, {"name": "n2"}]})
        );
        assert_eq!(document(Body::Patch)["patches"][0]["path"], "/type");
        assert_eq!(document(Body::Nodes)["nodes"][1], node("n2", 2));
        assert!(body(Body::Nothing, &names).unwrap().is_empty());
    }
}
