//! Certificates of the simulated BMCs: each machine has a key and a certificate of its own (ECDSA on
//! P-256, by ring), made when it is first asked for, signed by one authority or by itself. A machine's
//! certificate can be exchanged while it runs, as when a BMC is reset to its factory settings.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache};
use tokio_rustls::rustls::{ServerConfig, version};

/// Sessions that a machine remembers for resumption, where it does.
const REMEMBERED: usize = 16;

/// Who signs the machines' certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signed {
    /// One authority for all; its certificate is what a client is to trust.
    #[default]
    ByAuthority,
    /// Each machine itself, as BMCs come from the factory.
    BySelf,
}

/// The certificates of all machines.
pub struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    signed: Signed,
    resumption: bool,
    shown: Vec<Mutex<Option<Shown>>>,
}

/// What one machine shows.
#[derive(Clone)]
struct Shown {
    config: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
}

impl Certificates {
    /// Certificates for `count` machines, with an authority made now. With `resumption` a machine
    /// remembers TLS sessions, so that a second connection of the same client costs less.
    ///
    /// # Errors
    /// No key could be made.
    pub fn new(count: usize, signed: Signed, resumption: bool) -> Result<Self> {
        let mut params = CertificateParams::default();
        name(&mut params, "xcat3-sim authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, key()?).context("the authority")?;
        Ok(Self {
            authority,
            signed,
            resumption,
            shown: (0..count).map(|_| Mutex::new(None)).collect(),
        })
    }

    /// The authority's certificate, as PEM.
    #[must_use]
    pub fn authority_pem(&self) -> String {
        self.authority.pem()
    }

    /// The certificate that a machine shows, as DER: its SHA-256 is what a client pins.
    ///
    /// # Errors
    /// It could not be made.
    pub fn certificate(&self, index: usize, address: Ipv4Addr) -> Result<Vec<u8>> {
        Ok(self.shown(index, address)?.certificate.to_vec())
    }

    /// What a connection to the machine is served with.
    ///
    /// # Errors
    /// The certificate could not be made.
    pub fn config(&self, index: usize, address: Ipv4Addr) -> Result<Arc<ServerConfig>> {
        Ok(self.shown(index, address)?.config)
    }

    /// From now on the machine shows another certificate, of another key. Connections that are open
    /// stay so.
    pub fn change(&self, index: usize) {
        *self.slot(index) = None;
    }

    fn slot(&self, index: usize) -> MutexGuard<'_, Option<Shown>> {
        let slot = &self.shown[index];
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown(&self, index: usize, address: Ipv4Addr) -> Result<Shown> {
        let mut slot = self.slot(index);
        if let Some(shown) = &*slot {
            return Ok(shown.clone());
        }
        let made = self.make(index, address).context("a certificate")?;
        *slot = Some(made.clone());
        Ok(made)
    }

    fn make(&self, index: usize, address: Ipv4Addr) -> Result<Shown> {
        let host = format!("bmc-{index}.sim.invalid");
        let mut params = CertificateParams::new(vec![host.clone()])?;
        let address = SanType::IpAddress(address.into());
        params.subject_alt_names.push(address);
        name(&mut params, &host);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = key()?;
        let certificate = match self.signed {
            Signed::ByAuthority => params.signed_by(&key, &self.authority)?,
            Signed::BySelf => params.self_signed(&key)?,
        };
        let certificate = certificate.der().clone();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], private)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if self.resumption {
            config.session_storage = ServerSessionMemoryCache::new(REMEMBERED);
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Shown {
            config: Arc::new(config),
            certificate,
        })
    }
}

fn key() -> Result<KeyPair> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).context("an ECDSA key")
}

fn name(params: &mut CertificateParams, common: &str) {
    params.distinguished_name.push(DnType::CommonName, common);
    params
        .distinguished_name
        .push(DnType::OrganizationName, "xcat3-sim");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_keeps_its_certificate_until_it_is_changed() {
        let certificates = Certificates::new(2, Signed::ByAuthority, false).unwrap();
        let of = |index| {
            let address = Ipv4Addr::new(127, 2, 0, 1);
            certificates.certificate(index, address).unwrap()
        };
        let first = of(0);
        assert_eq!(first, of(0));
        assert_ne!(first, of(1));
        certificates.change(0);
        assert_ne!(first, of(0));
    }
}
