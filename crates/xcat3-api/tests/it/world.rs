//! A store in a file, a bus, a conductor, and the API on a port of its own.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;
use xcat3_conductor::{Conductor, Settings};
use xcat3_core::osimage::{BootFile, ImageContent};
use xcat3_core::setting::Seconds;
use xcat3_core::{NodeName, OsImage, Outcome};
use xcat3_service::bus::{Bus, InProcess, Topic};
use xcat3_service::{Config, Jobs, Slot};
use xcat3_store::Store;

use crate::hardware::Machines;
use crate::wire::{Answered, Wire, request};

/// An image that can be deployed.
pub const IMAGE: &str = "debian12-x86_64";

/// A system that serves until it is dropped.
pub struct World {
    _dir: TempDir,
    pub store: Store,
    pub bus: Arc<dyn Bus>,
    pub machines: Machines,
    pub address: SocketAddr,
    pub shutdown: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl World {
    /// With a conductor that drives rehearsed machines.
    pub async fn new() -> Self {
        Self::with(Machines::ready()).await
    }

    /// The same with other machines.
    pub async fn with(machines: Machines) -> Self {
        let world = Self::start(xcat3_api::Settings::default(), machines, true).await;
        // Some tests look at what services there are.
        while world.store.services().await.unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world
    }

    /// Nobody carries jobs out, and requests wait for them `seconds`.
    pub async fn without_conductor(seconds: u64) -> Self {
        let config = xcat3_api::Settings {
            answer_within_s: Seconds::new(seconds),
            ..xcat3_api::Settings::default()
        };
        Self::start(config, Machines::held(), false).await
    }

    async fn start(config: xcat3_api::Settings, machines: Machines, with_conductor: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("xcat3.db").display());
        let bus = Arc::new(InProcess::default());
        Self::over(&url, bus, dir, config, machines, with_conductor).await
    }

    /// Over a database and a bus that the test has in its hands.
    pub async fn over(
        url: &str,
        bus: Arc<dyn Bus>,
        dir: TempDir,
        config: xcat3_api::Settings,
        machines: Machines,
        with_conductor: bool,
    ) -> Self {
        LazyLock::force(&LOGGING);
        let store = Store::open(url).await.unwrap();
        let shutdown = CancellationToken::new();
        if with_conductor {
            let control = Arc::new(machines.clone());
            let conductor = Conductor::new(
                settings(),
                Slot::alone("conductor1"),
                store.clone(),
                bus.clone(),
                control,
            );
            let stop = shutdown.clone();
            tokio::spawn(async move { conductor.run(stop).await });
        }
        let listener = xcat3_api::bind("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let jobs = Jobs::new(store.clone(), bus.clone());
        let slot = Slot::alone(&Config::default().host());
        let (stop, of_api) = (shutdown.clone(), store.clone());
        tokio::spawn(async move {
            let served = xcat3_api::serve(listener, &config, &slot, of_api, jobs, stop).await;
            served.unwrap();
        });
        Self {
            _dir: dir,
            store,
            bus,
            machines,
            address,
            shutdown,
        }
    }

    /// Sends a request with a JSON body, or none where it is null.
    pub async fn ask(&self, method: &str, target: &str, body: Value) -> Answered {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        self.ask_text(method, target, &body).await
    }

    pub async fn ask_text(&self, method: &str, target: &str, body: &str) -> Answered {
        let mut wire = Wire::to(self.address).await;
        wire.exchange(&request(method, target, body)).await
    }

    /// Sends a request that is to be answered by `status`, and gives the answer's document.
    pub async fn expect(&self, status: u16, method: &str, target: &str, body: Value) -> Value {
        let answered = self.ask(method, target, body).await;
        assert_eq!(answered.status, status, "{method} {target}: {answered:?}");
        answered.json()
    }

    /// Sends a request that is to be refused by `status`, and gives the sentence.
    pub async fn refused(&self, status: u16, method: &str, target: &str, body: Value) -> String {
        let answered = self.ask(method, target, body).await;
        assert_eq!(answered.status, status, "{method} {target}: {answered:?}");
        answered.sentence()
    }

    /// Records what came of nodes of a job, as a conductor does.
    pub async fn record(&self, job: &str, outcomes: &[(NodeName, Outcome)]) {
        let job = job.parse().unwrap();
        self.store.settle(job, None, outcomes).await.unwrap();
        self.bus.nudge(Topic::Job(job)).await.unwrap();
    }

    /// Waits until a job is in `state`, and gives it.
    pub async fn job_in(&self, state: &str, job: &str) -> Value {
        let target = format!("/v1/jobs/{job}?limit=0");
        for _ in 0..1_200 {
            let answer = self.expect(200, "GET", &target, Value::Null).await;
            if answer["job"]["state"] == state && answer["job"]["finished_ms"] != Value::Null {
                return answer["job"].clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("job {job} did not end as {state} within a minute");
    }

    /// Enrols node1 to nodeN, which can be driven and deployed.
    pub async fn enrol(&self, count: u8) {
        let node = |number: u8| {
            let mac = format!("52:54:00:00:00:{number:02x}");
            json!({"name": format!("node{number}"), "mgt": "kvm", "netboot": "pxe",
                "arch": "x86_64", "control_info": {"ssh_address": "11.0.0.1"},
                "nics_info": {"nics": [{"mac": mac, "ip": format!("11.0.1.{number}"),
                    "primary": "True", "name": "eth0"}]}})
        };
        let nodes: Vec<Value> = (1..=count).map(node).collect();
        let answer = self
            .expect(201, "POST", "/v1/nodes", json!({"nodes": nodes}))
            .await;
        assert!(
            answer["nodes"]
                .as_object()
                .unwrap()
                .values()
                .all(|word| word == "ok")
        );
    }

    /// Defines network, image and root password.
    pub async fn make_deployable(&self) {
        let network = json!({"name": "c920", "subnet": "11.0.0.0", "netmask": "255.0.0.0",
            "dynamic_range": "11.4.40.111-11.4.40.113"});
        self.expect(201, "POST", "/v1/networks", network).await;
        let passwd = json!({"key": "system", "username": "root", "password": "cluster"});
        self.expect(201, "POST", "/v1/passwds", passwd).await;
        let mut image = OsImage::new(IMAGE, "debian", "12", "x86_64");
        image.content = Some(ImageContent {
            iso: format!("{IMAGE}.iso"),
            iso_size: 1,
            iso_sha256: String::new(),
            codename: Some("bookworm".into()),
            kernel: Some(BootFile::Iso("linux".into())),
            initrd: Some(BootFile::Iso("initrd.gz".into())),
        });
        self.store.create_osimage(&image).await.unwrap();
    }
}

fn settings() -> Settings {
    Settings {
        batches_at_once: NonZeroUsize::new(8).unwrap(),
        provisioning_at_once: NonZeroUsize::new(4).unwrap(),
        reservation_s: Seconds::new(30),
        operation_deadline_s: Seconds::new(20),
        serve_deadline_s: Duration::from_millis(300).into(),
        first_contact_s: Seconds::new(86_400),
        silence_s: Seconds::new(3_600),
        drain_s: Seconds::new(1),
        ..Settings::default()
    }
}

/// The body that names nodes.
pub fn names(names: &[&str]) -> Value {
    let named: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    json!({"nodes": named})
}

/// Everything that was logged by this process.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

static LOGGING: LazyLock<()> = LazyLock::new(|| {
    let filter = "trace,sqlx=debug,hyper=info,mio=info";
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Log)
        .init();
});

/// What was logged until now, by all tests.
pub fn log() -> String {
    String::from_utf8_lossy(&LOG.lock().unwrap()).into_owned()
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
