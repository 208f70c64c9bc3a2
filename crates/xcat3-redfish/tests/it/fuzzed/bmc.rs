//! Operations on a BMC with damage anywhere, by Redfish or OpenBMC's REST API, over real connections:
//! each ends in a report or an error, after a bounded number of requests.

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
use xcat3_redfish::{Address, Client, Connector, Error, Login, Timeouts, Trust};

use super::damage::{self, Response};
use super::documents;

type Responses = BTreeMap<&'static str, Response>;

/// More requests than any operation needs for a BMC of this size, wherever its links lead.
const MAX_REQUESTS: usize = 4000;
/// Nothing here takes long. Waiting for a change must give up at once.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(9),
    request: Duration::from_secs(9),
    task: Duration::from_millis(20),
};

/// The first byte selects the operation (or all), the others the damage.
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
    let responses = Arc::new(damage::responses(documents, script));
    runtime.unwrap().block_on(async {
        let (port, requests, serving) = serve(responses).await;
        let operation = choice / 2 % 16;
        let operations = if operation == 15 {
            0..15
        } else {
            operation..operation + 1
        };
        match by_rest {
            true => operate_rest(port, operations).await,
            false => operate_redfish(port, operations).await,
        }
        drop(serving);
        let requests = requests.load(Ordering::Relaxed);
        assert!(requests < MAX_REQUESTS, "{requests} requests");
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

async fn operate_redfish(port: u16, operations: std::ops::Range<u8>) {
    let connector = Arc::new(Connector::default());
    let mut bmc = Client::new(connector, address(port), Some(login()), TIMEOUTS);
    let once = BootOrder::once(BootDevice::Disk);
    let changes = BTreeMap::from([("Cores".to_owned(), "2".to_owned())]);
    for operation in operations {
        match operation {
            0 => check(bmc.power_state(None).await.map(|state| state.as_str())),
            1 => check(bmc.boot_device(None).await.map(|device| device.is_some())),
            2 => check(bmc.inventory(None).await),
            3 => check(bmc.sensors(None).await),
            4 => check(bmc.event_log(None).await),
            5 => check(bmc.beacon(None).await),
            6 => check(bmc.bios(None).await),
            7 => check(bmc.media(None).await),
            8 => check(bmc.set_power(None, PowerTarget::Reset).await),
            9 => check(bmc.set_boot_device(None, once, None).await),
            10 => check(bmc.set_beacon(None, true).await),
            11 => check(bmc.set_bios(None, &changes).await),
            12 => check(bmc.insert_media(None, &image()).await),
            13 => check(bmc.eject_media(None).await),
            _ => check(bmc.clear_event_log(None).await),
        }
    }
}

async fn operate_rest(port: u16, operations: std::ops::Range<u8>) {
    let connector = Arc::new(Connector::default());
    let mut bmc = Rest::new(connector, address(port), login(), TIMEOUTS);
    let once = BootOrder::once(BootDevice::Disk);
    for operation in operations {
        match operation {
            0 => check(bmc.power_state().await.map(|state| state.as_str())),
            1 => check(bmc.boot_device().await.map(|device| device.is_some())),
            2 => check(bmc.inventory().await),
            3 => check(bmc.sensors().await),
            4 => check(bmc.event_log().await),
            5 => check(bmc.beacon().await),
            6 => check(bmc.set_power(PowerTarget::Reset).await),
            7 => check(bmc.set_power(PowerTarget::Off).await),
            8 => check(bmc.set_boot_device(once).await),
            9 => check(bmc.set_beacon(true).await),
            _ => check(bmc.clear_event_log().await),
        }
    }
}

/// Checks that a report can be serialized and that an error is short and without control characters.
fn check<T: serde::Serialize>(result: Result<T, Error>) {
    match result {
        Ok(report) => drop(serde_json::to_string(&report).unwrap()),
        Err(error) => {
            let sentence = error.to_string();
            assert!(sentence.len() < 3000, "{sentence}");
            assert!(!sentence.contains(char::is_control), "{sentence:?}");
        }
    }
}

/// Serves these responses until the set is dropped. Returns the port and the number of requests.
async fn serve(responses: Arc<Responses>) -> (u16, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut all = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            // Closed ports are free at once: there are thousands of runs a second.
            stream.set_zero_linger().unwrap();
            all.spawn(converse(
                stream,
                Arc::clone(&responses),
                Arc::clone(&counted),
            ));
        }
    });
    (port, requests, serving)
}

async fn converse(stream: TcpStream, responses: Arc<Responses>, requests: Arc<AtomicUsize>) {
    let mut stream = BufReader::new(stream);
    while let Some((method, path)) = request(&mut stream).await {
        requests.fetch_add(1, Ordering::Relaxed);
        let response = match (responses.get(path.as_str()), method == "GET") {
            (Some(response), _) => encode(response),
            (None, true) => encode(&empty(404)),
            (None, false) => encode(&empty(200)),
        };
        if stream.write_all(&response).await.is_err() {
            return;
        }
    }
}

fn empty(status: u16) -> Response {
    Response {
        status,
        location: None,
        body: b"{}".to_vec(),
    }
}

/// Reads a request with its body. Returns its method and path.
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

fn encode(response: &Response) -> Vec<u8> {
    let body: &[u8] = if response.status == 204 {
        b""
    } else {
        &response.body
    };
    let mut head = format!(
        "HTTP/1.1 {} x\r\nset-cookie: sid=1\r\nx-auth-token: t\r\ncontent-length: {}\r\n",
        response.status,
        body.len()
    );
    // A line break would end the header: broken heads are the business of the HTTP library.
    if let Some(location) = &response.location {
        let location = location.replace(char::is_control, "");
        head.push_str(&format!("location: {location}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}
