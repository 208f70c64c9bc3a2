//! The connection to the broker: made in the background, for ever, and again whenever it is lost.
//! What is said of it names host and port, never user or password.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::connection::State as Connection;
use async_nats::jetstream::{Context, context::ContextBuilder};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use bytes::Bytes;
use tokio::sync::watch;

use crate::bus::nudge::Hub;
use crate::bus::{BusError, BusSettings};

/// How long the broker may take to answer.
pub(super) const ANSWER: Duration = Duration::from_secs(2);
/// How long handing a message to the connection may take. Longer means that it is stuck.
pub(super) const HANDING_OVER: Duration = Duration::from_millis(500);
/// How often the broker is asked for a sign of life. Two that stay away, and it counts as lost.
const PING: Duration = Duration::from_secs(3);
/// How long one attempt to connect may take.
const CONNECTING: Duration = Duration::from_secs(3);
/// Copies of a stream that NATS keeps at most.
const MOST_REPLICAS: usize = 5;
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The connection and what is told about it.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) jetstream: Context,
    /// The first word of all subjects and streams.
    pub(super) prefix: String,
    /// Who listens to what in this process.
    pub(super) hub: Arc<Hub>,
    /// How often the connection was made; 0 while it is away.
    connected: watch::Receiver<u64>,
    servers: String,
}

impl Link {
    /// Starts connecting.
    pub(super) async fn open(bus: &BusSettings) -> Result<Self, BusError> {
        let url = bus.url.as_deref().unwrap_or_default();
        let servers = Servers::parse(url)?;
        let prefix = prefix(&bus.prefix)?;
        if bus.replicas.get() > MOST_REPLICAS {
            return Err(BusError::Misconfigured(format!(
                "replicas in the section [bus] is {}: a cluster of NATS keeps 1 to {MOST_REPLICAS}",
                bus.replicas
            )));
        }
        let hub = Arc::<Hub>::default();
        let (sender, connected) = watch::channel(0);
        let story = Story::new(servers.shown.clone(), hub.clone(), sender);
        let options = options(bus, &servers).await?;
        let options = options.event_callback(move |event| {
            story.tell(&event);
            std::future::ready(())
        });
        let client = options.connect(servers.addresses).await.map_err(|error| {
            BusError::Misconfigured(format!("cannot use {}: {error}", servers.shown))
        })?;
        let jetstream = ContextBuilder::new().timeout(ANSWER).build(client.clone());
        Ok(Self {
            client,
            jetstream,
            prefix,
            hub,
            connected,
            servers: servers.shown,
        })
    }

    /// Whether it is connected; else the error for who needs it now.
    pub(super) fn check(&self) -> Result<(), BusError> {
        match self.client.connection_state() {
            Connection::Connected => Ok(()),
            _ => Err(self.unavailable("it is away")),
        }
    }

    /// What `doing` gives, unless it takes longer than the broker may.
    pub(super) async fn within<T, E: std::fmt::Display>(
        &self,
        limit: Duration,
        doing: impl Future<Output = Result<T, E>>,
    ) -> Result<T, BusError> {
        match tokio::time::timeout(limit, doing).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.unavailable(error)),
            Err(_) => Err(self.unavailable("it does not answer")),
        }
    }

    pub(super) fn unavailable(&self, reason: impl std::fmt::Display) -> BusError {
        BusError::Unavailable(format!("{}: {reason}", self.servers))
    }

    /// Sends a message that nobody answers to.
    pub(super) async fn send(
        &self,
        subject: String,
        payload: &'static str,
    ) -> Result<(), BusError> {
        self.check()?;
        let payload = Bytes::from_static(payload.as_bytes());
        let handing_over = self.client.publish(subject, payload);
        self.within(HANDING_OVER, handing_over).await
    }

    /// Which connection this is, counted from 1; 0 while there is none.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.connected.clone()
    }
}

/// The servers of a URL, and how to show them.
struct Servers {
    addresses: Vec<ServerAddr>,
    shown: String,
    user: Option<(String, String)>,
}

impl Servers {
    /// Several servers of a cluster are separated by commas. User and password are the same for all
    /// and taken from the first that has them.
    fn parse(url: &str) -> Result<Self, BusError> {
        let wrong = |why: &str| {
            BusError::Misconfigured(format!(
                "the url in the section [bus] {why}: it looks like nats://HOST:PORT or tls://HOST:PORT"
            ))
        };
        let mut addresses = Vec::new();
        let (mut shown, mut user) = (Vec::new(), None);
        for part in url.split(',') {
            let parsed: ServerAddr = part.trim().parse().map_err(|_| wrong("is no URL"))?;
            if !matches!(parsed.scheme(), "nats" | "tls") || parsed.host().is_empty() {
                return Err(wrong("names no server of NATS"));
            }
            if let (None, Some(name)) = (&user, parsed.username()) {
                let password = percent_decode(parsed.password().unwrap_or_default());
                user = Some((percent_decode(name), password));
            }
            let host = match parsed.host() {
                host if host.contains(':') => format!("[{host}]"),
                host => host.to_owned(),
            };
            let place = format!("{host}:{}", parsed.port());
            let bare = format!("{}://{place}", parsed.scheme());
            addresses.push(bare.parse().map_err(|_| wrong("is no URL"))?);
            shown.push(place);
        }
        Ok(Self {
            addresses,
            shown: shown.join(", "),
            user,
        })
    }
}

/// Decodes `%XX`; bytes that are not UTF-8 are replaced.
fn percent_decode(text: &str) -> String {
    let bytes = percent_encoding::percent_decode_str(text);
    bytes.decode_utf8_lossy().into_owned()
}

fn prefix(prefix: &str) -> Result<String, BusError> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(fine) {
        return Err(BusError::Misconfigured(format!(
            "the prefix {prefix:?} in the section [bus] is not made of 1 to 64 letters, digits, - and _"
        )));
    }
    Ok(prefix.to_owned())
}

async fn options(bus: &BusSettings, servers: &Servers) -> Result<ConnectOptions, BusError> {
    let mut options = ConnectOptions::new()
        .name("xcat3")
        .retry_on_initial_connect()
        .no_echo()
        .ping_interval(PING)
        .connection_timeout(CONNECTING)
        .request_timeout(Some(ANSWER))
        .reconnect_delay_callback(wait);
    if let Some((user, password)) = &servers.user {
        options = options.user_and_password(user.clone(), password.clone());
    }
    if let Some(path) = &bus.credentials {
        options = options.credentials_file(path).await.map_err(|error| {
            let path = path.display();
            BusError::Misconfigured(format!("cannot use the credentials in {path}: {error}"))
        })?;
    }
    if let Some(path) = &bus.ca_file {
        std::fs::metadata(path).map_err(|error| {
            let path = path.display();
            BusError::Misconfigured(format!("cannot use the certificates in {path}: {error}"))
        })?;
        options = options.add_root_certificates(path.clone());
    }
    Ok(options)
}

/// The wait before the next attempt to connect.
fn wait(attempts: usize) -> Duration {
    match u32::try_from(attempts) {
        Ok(0 | 1) => Duration::ZERO,
        Ok(attempts @ ..=7) => (Duration::from_millis(10) * 2_u32.pow(attempts)).min(LONGEST_WAIT),
        _ => LONGEST_WAIT,
    }
}

/// Tells the log what becomes of the connection, each thing once, and those who wait for it.
struct Story {
    servers: String,
    hub: Arc<Hub>,
    connected: watch::Sender<u64>,
    made: std::sync::atomic::AtomicU64,
    said: AtomicBool,
}

impl Story {
    fn new(servers: String, hub: Arc<Hub>, connected: watch::Sender<u64>) -> Self {
        Self {
            servers,
            hub,
            connected,
            made: 0.into(),
            said: AtomicBool::new(false),
        }
    }

    fn tell(&self, event: &Event) {
        let servers = &self.servers;
        match event {
            Event::Connected => {
                let made = self.made.fetch_add(1, Ordering::Relaxed) + 1;
                self.said.store(false, Ordering::Relaxed);
                self.connected.send_replace(made);
                // What was nudged meanwhile was not heard.
                self.hub.nudge_all();
                tracing::info!(servers, "connected to the message bus");
            }
            Event::Disconnected => {
                self.connected.send_replace(0);
                if !self.said.swap(true, Ordering::Relaxed) {
                    tracing::warn!(servers, "the message bus is away: trying to reach it again");
                }
            }
            Event::Closed => {
                self.connected.send_replace(0);
            }
            Event::ServerError(error) => {
                tracing::warn!(servers, %error, "the message bus refuses something");
            }
            other => {
                if *self.connected.borrow() == 0 && !self.said.swap(true, Ordering::Relaxed) {
                    tracing::warn!(servers, reason = %other, "cannot reach the message bus: trying again");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_shown_without_its_password() {
        let servers = Servers::parse("nats://me:s%40cret%2@h1, tls://[::1]:4333").unwrap();
        assert_eq!(servers.shown, "h1:4222, [::1]:4333");
        assert_eq!(servers.user, Some(("me".into(), "s@cret%2".into())));
        assert!(!format!("{:?}", servers.addresses).contains("cret"));
        assert!(servers.addresses[1].tls_required() && servers.addresses[1].host() == "::1");
    }

    #[tokio::test]
    async fn what_cannot_be_meant_is_said_without_the_password() {
        for url in ["http://u:secret@h", "nats://u:secret@h:port", "nats://", ""] {
            let Err(BusError::Misconfigured(said)) = Servers::parse(url).map(|_| ()) else {
                panic!("{url}");
            };
            assert!(said.contains("[bus]") && !said.contains("secret"), "{said}");
        }
        let bus = BusSettings {
            url: Some("nats://u:secret@127.0.0.1:1".into()),
            ..BusSettings::default()
        };
        assert!(!format!("{bus:?}").contains("secret"));
        let wrong = [
            BusSettings {
                prefix: "a.b".into(),
                ..bus.clone()
            },
            BusSettings {
                credentials: Some("/nowhere/creds".into()),
                ..bus.clone()
            },
            BusSettings {
                ca_file: Some("/nowhere/ca".into()),
                ..bus
            },
        ];
        for bus in wrong {
            let error = Link::open(&bus).await.map(|_| ()).unwrap_err();
            assert!(matches!(error, BusError::Misconfigured(_)), "{error}");
        }
    }

    #[test]
    fn attempts_to_connect_never_stop_and_never_press() {
        assert_eq!(wait(1), Duration::ZERO);
        assert!(wait(2) >= Duration::from_millis(10));
        assert!(
            (0..100)
                .chain([usize::MAX])
                .all(|n| wait(n) <= LONGEST_WAIT)
        );
    }
}
