//! Connections to BMCs: TCP, TLS by rustls with ring, and whether the peer is the right one.
//!
//! With a pinned certificate or the first one seen, the certificate is looked at right after the
//! handshake, before anything is sent; that it is the peer's own the handshake shows. So all BMCs
//! share a few configurations, however many there are.

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
use crate::glance::Places;
use crate::known::{KnownCertificates, Verdict};
use crate::lax::Lax;
use crate::trust::{Fingerprint, Trust};

/// How many BMCs' TLS sessions are remembered, so that another handshake with them is cheap.
const REMEMBERED: usize = 1024;

/// Where a BMC is and by what it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// By what it is known.
    pub trust: Trust,
    /// Where to connect to, where the name has been looked up.
    pub resolved: Option<SocketAddr>,
}

impl Address {
    /// A BMC that is looked up where it is given by name.
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

/// What is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trusted {
    /// Authorities (PEM) instead of those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Where the certificates that BMCs first showed are kept.
    pub first_use_file: Option<PathBuf>,
}

/// Makes connections. One for all BMCs.
pub struct Connector {
    trusted: Trusted,
    known: Option<Arc<KnownCertificates>>,
    verifying: OnceLock<Result<Arc<ClientConfig>, String>>,
    checked: OnceLock<Arc<ClientConfig>>,
    unchecked: OnceLock<Arc<ClientConfig>>,
    places: Places,
}

impl Default for Connector {
    fn default() -> Self {
        Self::new(Trusted::default())
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.trusted).finish()
    }
}

/// A connection, with TLS or without.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connector {
    /// A connector that trusts `trusted`. Files are read when they are first needed.
    #[must_use]
    pub fn new(trusted: Trusted) -> Self {
        let known = trusted.first_use_file.clone().map(KnownCertificates::new);
        Self {
            trusted,
            known: known.map(Arc::new),
            verifying: OnceLock::new(),
            checked: OnceLock::new(),
            unchecked: OnceLock::new(),
            places: Places::default(),
        }
    }

    /// Where the systems of the BMCs are that it connected to.
    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    /// A connection to `address`, whose certificate is the right one.
    pub(crate) async fn connect(
        &self,
        address: &Address,
        patience: Duration,
    ) -> Result<Stream, Error> {
        let late = || {
            let seconds = patience.as_secs_f32();
            Error::Unreachable(format!("no connection within {seconds} s"))
        };
        let made = timeout(patience, self.connect_now(address)).await;
        made.map_err(|_| late())?
    }

    async fn connect_now(&self, address: &Address) -> Result<Stream, Error> {
        let tcp = match address.resolved {
            Some(socket) => TcpStream::connect(socket).await,
            None => TcpStream::connect((address.host.as_str(), address.port)).await,
        };
        let tcp = tcp.map_err(|error| Error::Unreachable(format!("no connection: {error}")))?;
        // Without it small requests may wait for an acknowledgement; where it fails they just do.
        let _ = tcp.set_nodelay(true);
        let config = match address.trust {
            Trust::Plain => return Ok(Stream::Plain(tcp)),
            Trust::Authority => self.verifying()?,
            Trust::Pinned(_) | Trust::FirstUse => {
                Arc::clone(self.checked.get_or_init(|| lax(Lax::checked)))
            }
            Trust::Insecure => Arc::clone(self.unchecked.get_or_init(|| lax(Lax::unchecked))),
        };
        let name = ServerName::try_from(address.host.clone());
        let name =
            name.map_err(|_| Error::Unreachable("its address is no host name".to_owned()))?;
        let stream = TlsConnector::from(config).connect(name, tcp).await;
        let stream = stream.map_err(|error| tls_failure(&error))?;
        self.check(address, &stream).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    /// The certificate that whoever answers at `address` shows now, whatever is expected of it.
    ///
    /// # Errors
    /// There is no connection within `patience`, or no TLS.
    pub async fn certificate(
        &self,
        address: &Address,
        patience: Duration,
    ) -> Result<Fingerprint, Error> {
        let anybody = Address {
            trust: Trust::Insecure,
            ..address.clone()
        };
        match self.connect(&anybody, patience).await? {
            Stream::Tls(stream) => shown(&stream),
            Stream::Plain(_) => Err(Error::Untrusted("it has no TLS".to_owned())),
        }
    }

    /// Whether the certificate that the peer has shown is the one expected.
    async fn check(&self, address: &Address, stream: &TlsStream<TcpStream>) -> Result<(), Error> {
        if !matches!(address.trust, Trust::Pinned(_) | Trust::FirstUse) {
            return Ok(());
        }
        let shown = shown(stream)?;
        match address.trust {
            Trust::Pinned(pinned) if pinned != shown => Err(Error::Untrusted(format!(
                "its certificate (SHA-256 {shown}) is not the one pinned ({pinned})"
            ))),
            Trust::FirstUse => self.check_known(address, shown).await,
            _ => Ok(()),
        }
    }

    async fn check_known(&self, address: &Address, shown: Fingerprint) -> Result<(), Error> {
        let none = "there is no file for certificates that are trusted on first use";
        let known = self.known.clone();
        let known = known.ok_or_else(|| Error::Untrusted(none.to_owned()))?;
        let path = known.path().display().to_string();
        let name = address.to_string();
        let check = tokio::task::spawn_blocking(move || known.check(&name, shown));
        match check.await.map_err(io::Error::other).flatten() {
            Ok(Verdict::Known) => Ok(()),
            Ok(Verdict::Changed(kept)) => Err(Error::Untrusted(format!(
                "its certificate has changed: it was {kept} (SHA-256) and is {shown} now; if that is right, \
                 delete the line of {address} in {path}"
            ))),
            Err(error) => Err(Error::Untrusted(format!(
                "known certificates are kept in {path}, which cannot be used: {error}"
            ))),
        }
    }

    fn verifying(&self) -> Result<Arc<ClientConfig>, Error> {
        let made = self.verifying.get_or_init(|| {
            let roots = roots(self.trusted.ca_file.as_deref())?;
            let builder = builder().with_root_certificates(roots);
            Ok(finished(builder.with_no_client_auth()))
        });
        made.clone().map_err(Error::Untrusted)
    }
}

/// The certificate that the peer has shown.
fn shown(stream: &TlsStream<TcpStream>) -> Result<Fingerprint, Error> {
    let shown = stream.get_ref().1.peer_certificates();
    let shown = shown.and_then(<[CertificateDer<'_>]>::first);
    let shown = shown.map(|certificate| Fingerprint::of(certificate));
    shown.ok_or_else(|| Error::Untrusted("it shows no certificate".to_owned()))
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

fn lax(verifier: fn(Arc<CryptoProvider>) -> Lax) -> Arc<ClientConfig> {
    let verifier = Arc::new(verifier(provider()));
    let builder = builder()
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    finished(builder.with_no_client_auth())
}

fn finished(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.resumption = Resumption::in_memory_sessions(REMEMBERED);
    Arc::new(config)
}

/// The authorities of `file`, or those that the system trusts.
fn roots(file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return match roots.is_empty() {
            true => Err("this host trusts no authorities: name one by ca_file".to_owned()),
            false => Ok(roots),
        };
    };
    let path = file.display();
    let wrong =
        |error: &dyn fmt::Display| format!("the authorities in {path} cannot be used: {error}");
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    match roots.is_empty() {
        true => Err(wrong(&"there is no certificate in it")),
        false => Ok(roots),
    }
}

/// Why a handshake failed, in a sentence.
fn tls_failure(error: &io::Error) -> Error {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let how = "pin it (bmc_tls=pin:SHA-256) or trust it on first use (bmc_tls=first-use)";
    match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => Error::Untrusted(format!(
            "its certificate cannot be trusted: {}; to accept it, {how}",
            certificate_words(wrong)
        )),
        Some(error) => Error::Unreachable(format!("no TLS connection: {error}")),
        None => Error::Unreachable(format!("no TLS connection: {error}")),
    }
}

fn certificate_words(wrong: &rustls::CertificateError) -> String {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, UnknownIssuer,
    };
    match wrong {
        UnknownIssuer => "no authority that is trusted has signed it".to_owned(),
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
