//! A BMC's answers, of which the fuzzer's bytes spoil any part: values of another type, links to
//! anywhere, other keys, other statuses, text that is no JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json as j};

/// An answer.
pub struct Answer {
    pub status: u16,
    /// Where it says that something is.
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// The answers of a BMC whose documents are spoilt as `script` says.
pub fn answers(
    mut documents: BTreeMap<&'static str, Value>,
    script: &[u8],
) -> BTreeMap<&'static str, Answer> {
    let paths: Vec<&'static str> = documents.keys().copied().collect();
    let mut heads: BTreeMap<&str, (u16, Option<String>)> = BTreeMap::new();
    let mut texts: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut script = Script(script);
    while let Some(path) = script.byte() {
        let path = paths[usize::from(path) % paths.len()];
        let (place, kind) = (script.or_zero() % 48, script.or_zero());
        let document = documents.entry(path).or_default();
        match kind % 24 {
            0..16 => drop(replace(document, place.into(), &instead(kind, &paths))),
            16 | 17 => drop(replace(document, place.into(), &script.text())),
            18 => rename(document, place.into(), &script.text()),
            19 => drop(replace(document, place.into(), &script.json())),
            20 => drop(texts.insert(path, script.bytes().to_vec())),
            21 => heads.entry(path).or_insert((200, None)).0 = STATUSES[usize::from(place) % 16],
            22 => {
                let to = paths[usize::from(place) % paths.len()].to_owned();
                heads.entry(path).or_insert((200, None)).1 = Some(to);
            }
            _ => {
                let to = script.text().as_str().unwrap_or_default().to_owned();
                heads.entry(path).or_insert((200, None)).1 = Some(to);
            }
        }
    }
    let said = |(path, document): (&'static str, Value)| {
        let (status, location) = heads.remove(path).unwrap_or((200, None));
        let body = texts.remove(path);
        let body = body.unwrap_or_else(|| document.to_string().into_bytes());
        let answer = Answer {
            status,
            location,
            body,
        };
        (path, answer)
    };
    documents.into_iter().map(said).collect()
}

const STATUSES: [u16; 16] = [
    200, 201, 202, 204, 301, 302, 307, 308, 400, 401, 403, 404, 405, 412, 500, 503,
];

/// What is left of the bytes.
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

    /// The next bytes, as many as the one before them says or as there are.
    fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.or_zero()).min(self.0.len());
        let (first, rest) = self.0.split_at(length);
        self.0 = rest;
        first
    }

    fn text(&mut self) -> Value {
        Value::from(String::from_utf8_lossy(self.bytes()))
    }

    /// JSON where the bytes are, otherwise text.
    fn json(&mut self) -> Value {
        let bytes = self.bytes();
        let text = || Value::from(String::from_utf8_lossy(bytes));
        serde_json::from_slice(bytes).unwrap_or_else(|_| text())
    }
}

/// What may stand where something else should.
fn instead(which: u8, links: &[&str]) -> Value {
    match which % 24 {
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
fn replace(value: &mut Value, mut place: usize, new: &Value) -> bool {
    at(value, &mut place, &mut |found| *found = new.clone())
}

/// Names the first member of the object there otherwise.
fn rename(value: &mut Value, mut place: usize, name: &Value) {
    at(value, &mut place, &mut |found| {
        if let Value::Object(members) = found
            && let Some(first) = members.keys().next().cloned()
            && let Some(member) = members.remove(&first)
        {
            members.insert(name.as_str().unwrap_or_default().to_owned(), member);
        }
    });
}

fn at(value: &mut Value, place: &mut usize, act: &mut dyn FnMut(&mut Value)) -> bool {
    if *place == 0 {
        act(value);
        return true;
    }
    *place -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|inner| at(inner, place, act)),
        Value::Object(all) => all.values_mut().any(|inner| at(inner, place, act)),
        _ => false,
    }
}
