//! Operations on a BMC of which any part may be spoilt, by Redfish or OpenBMC's REST, over real
//! connections: each ends in a report or a sentence, after a bounded number of requests.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use xcat3_core::control::{BootDevice, BootOrder, MediaImage, PowerTarget};
use xcat3_redfish::openbmc::Rest;
use xcat3_redfish::{Address, Client, Connector, Error, Login, Patience, Trust};

use super::documents;
use super::spoil::{self, Answer};

type Answers = BTreeMap<&'static str, Answer>;

/// More than any operation asks of a BMC of this size, however its links go.
const MOST_REQUESTS: usize = 4000;
/// Nothing here takes long: what waits for a change is to give up at once.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(9),
    request: Duration::from_secs(9),
    task: Duration::from_millis(20),
};

/// The first byte says which operation (or all), the others how the BMC is spoilt.
pub fn run(bytes: &[u8]) {
    let Some((choice, script)) = bytes.split_first() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let by_rest = choice & 1 == 1;
    let documents = match by_rest {
        true => documents::rest(),
        false => documents::redfish(),
    };
    let answers = Arc::new(spoil::answers(documents, script));
    runtime.unwrap().block_on(async {
        let (port, asked, serving) = serve(answers).await;
        let operation = choice / 2 % 16;
        let operations = if operation == 15 {
            0..15
        } else {
            operation..operation + 1
        };
        match by_rest {
            true => ask_rest(port, operations).await,
            false => ask_redfish(port, operations).await,
        }
        drop(serving);
        let asked = asked.load(Ordering::Relaxed);
        assert!(asked < MOST_REQUESTS, "{asked} requests");
    });
}

fn address(port: u16) -> Address {
    Address::new("127.0.0.1", port, Trust::Plain)
}

fn login() -> Login {
    Login {
        user: "admin".to_owned(),
        password: "s3cret".to_owned(),
    }
}

fn image() -> MediaImage {
    MediaImage {
        url: "http://h/y".to_owned(),
        boot: true,
    }
}

async fn ask_redfish(port: u16, operations: std::ops::Range<u8>) {
    let connector = Arc::new(Connector::default());
    let mut bmc = Client::new(connector, address(port), Some(login()), PATIENCE);
    let once = BootOrder::once(BootDevice::Disk);
    let changes = BTreeMap::from([("Cores".to_owned(), "2".to_owned())]);
    for operation in operations {
        match operation {
            0 => told(bmc.power_state(None).await.map(|state| state.as_str())),
            1 => told(bmc.boot_device(None).await.map(|device| device.is_some())),
            2 => told(bmc.inventory(None).await),
            3 => told(bmc.sensors(None).await),
            4 => told(bmc.event_log(None).await),
            5 => told(bmc.beacon(None).await),
            6 => told(bmc.bios(None).await),
            7 => told(bmc.media(None).await),
            8 => told(bmc.set_power(None, PowerTarget::Reset).await),
            9 => told(bmc.set_boot_device(None, once, None).await),
            10 => told(bmc.set_beacon(None, true).await),
            11 => told(bmc.set_bios(None, &changes).await),
            12 => told(bmc.insert_media(None, &image()).await),
            13 => told(bmc.eject_media(None).await),
            _ => told(bmc.clear_event_log(None).await),
        }
    }
}

async fn ask_rest(port: u16, operations: std::ops::Range<u8>) {
    let connector = Arc::new(Connector::default());
    let mut bmc = Rest::new(connector, address(port), login(), PATIENCE);
    let once = BootOrder::once(BootDevice::Disk);
    for operation in operations {
        match operation {
            0 => told(bmc.power_state().await.map(|state| state.as_str())),
            1 => told(bmc.boot_device().await.map(|device| device.is_some())),
            2 => told(bmc.inventory().await),
            3 => told(bmc.sensors().await),
            4 => told(bmc.event_log().await),
            5 => told(bmc.beacon().await),
            6 => told(bmc.set_power(PowerTarget::Reset).await),
            7 => told(bmc.set_power(PowerTarget::Off).await),
            8 => told(bmc.set_boot_device(once).await),
            9 => told(bmc.set_beacon(true).await),
            _ => told(bmc.clear_event_log().await),
        }
    }
}

/// A report can be written down, and a sentence is one: bounded, and nothing that a terminal obeys.
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

/// Serves these answers until the set is dropped: on which port, and how many requests came.
async fn serve(answers: Arc<Answers>) -> (u16, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut all = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            // So that no port stays taken for a minute: there are thousands of runs a second.
            stream.set_zero_linger().unwrap();
            all.spawn(converse(stream, Arc::clone(&answers), Arc::clone(&counted)));
        }
    });
    (port, asked, serving)
}

async fn converse(stream: TcpStream, answers: Arc<Answers>, asked: Arc<AtomicUsize>) {
    let mut stream = BufReader::new(stream);
    while let Some((method, path)) = request(&mut stream).await {
        asked.fetch_add(1, Ordering::Relaxed);
        let said = match (answers.get(path.as_str()), method == "GET") {
            (Some(answer), _) => reply(answer),
            (None, true) => reply(&plainly(404)),
            (None, false) => reply(&plainly(200)),
        };
        if stream.write_all(&said).await.is_err() {
            return;
        }
    }
}

fn plainly(status: u16) -> Answer {
    Answer {
        status,
        location: None,
        body: b"{}".to_vec(),
    }
}

/// The method and the path of a request, whose body is read away.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut first = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? <= 2 {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if first.is_empty() {
            first = line;
        }
    }
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    let mut words = first.split(' ');
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

fn reply(answer: &Answer) -> Vec<u8> {
    let body: &[u8] = if answer.status == 204 {
        b""
    } else {
        &answer.body
    };
    let mut head = format!(
        "HTTP/1.1 {} x\r\nset-cookie: sid=1\r\nx-auth-token: t\r\ncontent-length: {}\r\n",
        answer.status,
        body.len()
    );
    // A head is the business of the HTTP library; a line break would end this one.
    if let Some(location) = &answer.location {
        let location = location.replace(char::is_control, "");
        head.push_str(&format!("location: {location}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}
