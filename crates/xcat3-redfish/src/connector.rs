//! Connections to BMCs: TCP, TLS by rustls with ring, and the check of the certificate.
//!
//! A pinned certificate, or one trusted on first use, is compared right after the handshake and before
//! anything is sent; the handshake proves that the BMC has its key. So all BMCs share a few TLS
//! configurations.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::error::Error;
use crate::known::{CertificateCheck, KnownCertificates};
use crate::system_state::SystemPaths;
use crate::trust::{Fingerprint, Trust};
use crate::verifier::AnyCertificate;

/// How many BMCs' TLS sessions are remembered, which makes another handshake with them cheap.
const CACHED_TLS_SESSIONS: usize = 1024;

/// The address of a BMC and how its certificate is checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Host name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How its certificate is checked.
    pub trust: Trust,
    /// The IP address and port to connect to, if the caller has looked up the name.
    pub resolved: Option<SocketAddr>,
}

impl Address {
    /// An address whose host name is looked up at each connection.
    #[must_use]
    pub fn new(host: &str, port: u16, trust: Trust) -> Self {
        Self {
            host: host.to_owned(),
            port,
            trust,
            resolved: None,
        }
    }
}

/// `host:port`, with brackets around an IPv6 address.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Settings of certificate checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustConfig {
    /// Authorities (PEM) that replace those of the system.
    pub ca_file: Option<PathBuf>,
    /// The file of certificates that are trusted on first use.
    pub first_use_file: Option<PathBuf>,
}

/// Opens connections, to all BMCs.
pub struct Connector {
    trusted: TrustConfig,
    known: Option<Arc<KnownCertificates>>,
    verifying: OnceLock<Result<Arc<ClientConfig>, String>>,
    checked: OnceLock<Arc<ClientConfig>>,
    unchecked: OnceLock<Arc<ClientConfig>>,
    system_paths: SystemPaths,
}

impl Default for Connector {
    fn default() -> Self {
        Self::new(TrustConfig::default())
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.trusted).finish()
    }
}

/// An open connection, with TLS or without.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connector {
    /// A connector with the settings `trusted`. Files are read when they are first needed.
    #[must_use]
    pub fn new(trusted: TrustConfig) -> Self {
        let known = trusted.first_use_file.clone().map(KnownCertificates::new);
        Self {
            trusted,
            known: known.map(Arc::new),
            verifying: OnceLock::new(),
            checked: OnceLock::new(),
            unchecked: OnceLock::new(),
            system_paths: SystemPaths::default(),
        }
    }

    /// The paths of the systems of all BMCs.
    pub(crate) fn system_paths(&self) -> &SystemPaths {
        &self.system_paths
    }

    /// A connection to `address`, opened and checked within `limit`.
    pub(crate) async fn connect(
        &self,
        address: &Address,
        limit: Duration,
    ) -> Result<Stream, Error> {
        let connected = timeout(limit, self.connect_now(address)).await;
        connected.unwrap_or_else(|_| {
            let seconds = limit.as_secs_f32();
            Err(Error::Unreachable(format!(
                "no connection within {seconds} s"
            )))
        })
    }

    async fn connect_now(&self, address: &Address) -> Result<Stream, Error> {
        let tcp = match address.resolved {
            Some(socket) => TcpStream::connect(socket).await,
            None => TcpStream::connect((address.host.as_str(), address.port)).await,
        };
        let tcp = tcp.map_err(|error| Error::Unreachable(format!("no connection: {error}")))?;
        // Without it small requests may wait for an acknowledgement. A failure costs only time.
        let _ = tcp.set_nodelay(true);
        let config = match address.trust {
            Trust::Plain => return Ok(Stream::Plain(tcp)),
            Trust::Authority => self.verifying()?,
            Trust::Pinned(_) | Trust::FirstUse => Arc::clone(
                self.checked
                    .get_or_init(|| any_certificate(AnyCertificate::checked)),
            ),
            Trust::Insecure => Arc::clone(
                self.unchecked
                    .get_or_init(|| any_certificate(AnyCertificate::unchecked)),
            ),
        };
        let name = ServerName::try_from(address.host.clone());
        let name = name
            .map_err(|_| Error::Unreachable("the BMC's address is not a host name".to_owned()))?;
        let stream = TlsConnector::from(config).connect(name, tcp).await;
        let stream = stream.map_err(|error| tls_failure(&error))?;
        self.check(address, &stream).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    /// The certificate that the BMC at `address` shows, not compared with any other.
    ///
    /// # Errors
    /// There is no connection within `limit`, or no TLS.
    pub async fn certificate(
        &self,
        address: &Address,
        limit: Duration,
    ) -> Result<Fingerprint, Error> {
        let unchecked = Address {
            trust: Trust::Insecure,
            ..address.clone()
        };
        match self.connect(&unchecked, limit).await? {
            Stream::Tls(stream) => fingerprint(&stream),
            Stream::Plain(_) => Err(Error::Untrusted("the BMC has no TLS".to_owned())),
        }
    }

    /// Compares the BMC's certificate with the expected one.
    async fn check(&self, address: &Address, stream: &TlsStream<TcpStream>) -> Result<(), Error> {
        if !matches!(address.trust, Trust::Pinned(_) | Trust::FirstUse) {
            return Ok(());
        }
        let shown = fingerprint(stream)?;
        match address.trust {
            Trust::Pinned(pinned) if pinned != shown => Err(Error::Untrusted(format!(
                "the BMC's certificate (SHA-256 {shown}) is not the one pinned ({pinned})"
            ))),
            Trust::FirstUse => self.check_known(address, shown).await,
            _ => Ok(()),
        }
    }

    async fn check_known(&self, address: &Address, shown: Fingerprint) -> Result<(), Error> {
        let none = "there is no file of certificates that are trusted on first use";
        let known = self.known.clone();
        let known = known.ok_or_else(|| Error::Untrusted(none.to_owned()))?;
        let path = known.path().display().to_string();
        let name = address.to_string();
        let check = tokio::task::spawn_blocking(move || known.check(&name, shown));
        match check.await.map_err(io::Error::other).flatten() {
            Ok(CertificateCheck::Known) => Ok(()),
            Ok(CertificateCheck::Changed(kept)) => Err(Error::Untrusted(format!(
                "the BMC's certificate has changed from {kept} to {shown} (SHA-256); if that is right, \
                 delete the line of {address} in {path}"
            ))),
            Err(error) => Err(Error::Untrusted(format!(
                "the file of known certificates, {path}, cannot be used: {error}"
            ))),
        }
    }

    fn verifying(&self) -> Result<Arc<ClientConfig>, Error> {
        let config = self.verifying.get_or_init(|| {
            let roots = roots(self.trusted.ca_file.as_deref())?;
            let builder = builder().with_root_certificates(roots);
            Ok(with_session_cache(builder.with_no_client_auth()))
        });
        config.clone().map_err(Error::Untrusted)
    }
}

/// The fingerprint of the BMC's certificate.
fn fingerprint(stream: &TlsStream<TcpStream>) -> Result<Fingerprint, Error> {
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = chain.and_then(<[CertificateDer<'_>]>::first);
    certificate
        .map(|certificate| Fingerprint::from_certificate(certificate))
        .ok_or_else(|| Error::Untrusted("the BMC shows no certificate".to_owned()))
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(ring::default_provider())))
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions();
    builder.expect("ring has suites for both versions")
}

fn any_certificate(verifier: fn(Arc<CryptoProvider>) -> AnyCertificate) -> Arc<ClientConfig> {
    let verifier = Arc::new(verifier(provider()));
    let builder = builder()
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    with_session_cache(builder.with_no_client_auth())
}

fn with_session_cache(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.resumption = Resumption::in_memory_sessions(CACHED_TLS_SESSIONS);
    Arc::new(config)
}

/// The authorities of `file`, or those of the system.
fn roots(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return match roots.is_empty() {
            true => Err("this host trusts no authorities: set ca_file".to_owned()),
            false => Ok(roots),
        };
    };
    let path = file.display();
    let wrong = |error: &dyn fmt::Display| {
        format!("the file of authorities, {path}, cannot be used: {error}")
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    match roots.is_empty() {
        true => Err(wrong(&"it has no certificate")),
        false => Ok(roots),
    }
}

/// A failed handshake as an error for operators.
fn tls_failure(error: &io::Error) -> Error {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let remedy = "pin it (bmc_tls=pin:SHA-256) or trust it on first use (bmc_tls=first-use)";
    match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => Error::Untrusted(format!(
            "the BMC's certificate is not trusted: {}; to accept it, {remedy}",
            describe(wrong)
        )),
        Some(error) => Error::Unreachable(format!("no TLS connection: {error}")),
        None => Error::Unreachable(format!("no TLS connection: {error}")),
    }
}

fn describe(wrong: &rustls::CertificateError) -> String {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, UnknownIssuer,
    };
    match wrong {
        UnknownIssuer => "no trusted authority has signed it".to_owned(),
        Expired | ExpiredContext { .. } => "it has expired".to_owned(),
        NotValidYet | NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        NotValidForName | NotValidForNameContext { .. } => {
            "it is for another name or address".to_owned()
        }
        other => other.to_string(),
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
