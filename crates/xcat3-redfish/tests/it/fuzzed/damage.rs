//! The responses of a BMC with damage anywhere, as the fuzzer's bytes say: values of another type,
//! links to anywhere, other keys, other statuses, text that is not JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A response.
pub struct Response {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// The responses of a BMC with `documents`, damaged as `script` says.
pub fn responses(
    mut documents: BTreeMap<&'static str, Value>,
    script: &[u8],
) -> BTreeMap<&'static str, Response> {
    let paths: Vec<&'static str> = documents.keys().copied().collect();
    let mut heads: BTreeMap<&str, (u16, Option<String>)> = BTreeMap::new();
    let mut texts: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut script = Script(script);
    while let Some(path) = script.byte() {
        let path = paths[usize::from(path) % paths.len()];
        let (index, damage) = (script.or_zero() % 48, script.or_zero());
        let document = documents.entry(path).or_default();
        match damage % 24 {
            0..16 => drop(replace(document, index.into(), &substitute(damage, &paths))),
            16 | 17 => drop(replace(document, index.into(), &script.text())),
            18 => rename(document, index.into(), &script.text()),
            19 => drop(replace(document, index.into(), &script.json())),
            20 => drop(texts.insert(path, script.bytes().to_vec())),
            21 => heads.entry(path).or_insert((200, None)).0 = STATUSES[usize::from(index) % 16],
            22 => {
                let to = paths[usize::from(index) % paths.len()].to_owned();
                heads.entry(path).or_insert((200, None)).1 = Some(to);
            }
            _ => {
                let to = script.text().as_str().unwrap_or_default().to_owned();
                heads.entry(path).or_insert((200, None)).1 = Some(to);
            }
        }
    }
    let response = |(path, document): (&'static str, Value)| {
        let (status, location) = heads.remove(path).unwrap_or((200, None));
        let body = texts.remove(path);
        let response = Response {
            status,
            location,
            body: body.unwrap_or_else(|| document.to_string().into_bytes()),
        };
        (path, response)
    };
    documents.into_iter().map(response).collect()
}

const STATUSES: [u16; 16] = [
    200, 201, 202, 204, 301, 302, 307, 308, 400, 401, 403, 404, 405, 412, 500, 503,
];

/// The rest of the fuzzer's bytes.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn or_zero(&mut self) -> u8 {
        self.byte().unwrap_or(0)
    }

    /// The next bytes, after a byte with their number; all if there are fewer.
    fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.or_zero()).min(self.0.len());
        let (first, rest) = self.0.split_at(length);
        self.0 = rest;
        first
    }

    fn text(&mut self) -> Value {
        Value::from(String::from_utf8_lossy(self.bytes()))
    }

    /// The next bytes as JSON, otherwise as text.
    fn json(&mut self) -> Value {
        let bytes = self.bytes();
        let text = || Value::from(String::from_utf8_lossy(bytes));
        serde_json::from_slice(bytes).unwrap_or_else(|_| text())
    }
}

/// A value of another type.
fn substitute(which: u8, links: &[&str]) -> Value {
    match which % 24 {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(1e308),
        4 => json!(""),
        5 => json!("\u{1b}[31m\u{0}\u{202e}text"),
        6 => json!("x".repeat(20_000)),
        7 => json!([]),
        8 => json!({}),
        9 => json!([[], {}, null, 7, "x"]),
        10 => json!({"@odata.id": "https://192.0.2.1/x"}),
        11 => json!({"@odata.id": "no path"}),
        12 => json!(u64::MAX),
        13 => json!({"Members": [{"@odata.id": links[usize::from(which) % links.len()]}]}),
        _ => {
            let link = links[usize::from(which / 16) % links.len()];
            json!({"@odata.id": link})
        }
    }
}

/// Replaces the value number `index` within `value`, counted from the outside in, by `new`.
fn replace(value: &mut Value, mut index: usize, new: &Value) -> bool {
    visit(value, &mut index, &mut |found| *found = new.clone())
}

/// Renames the first member of the object number `index`.
fn rename(value: &mut Value, mut index: usize, name: &Value) {
    visit(value, &mut index, &mut |found| {
        if let Value::Object(members) = found
            && let Some(first) = members.keys().next().cloned()
            && let Some(member) = members.remove(&first)
        {
            members.insert(name.as_str().unwrap_or_default().to_owned(), member);
        }
    });
}

fn visit(value: &mut Value, index: &mut usize, act: &mut dyn FnMut(&mut Value)) -> bool {
    if *index == 0 {
        act(value);
        return true;
    }
    *index -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|inner| visit(inner, index, act)),
        Value::Object(all) => all.values_mut().any(|inner| visit(inner, index, act)),
        _ => false,
    }
}
