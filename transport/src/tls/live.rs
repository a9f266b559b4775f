//! The certificate that a running server shows: renewed before it ends, read again when its files change.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Certificate, Fingerprint, Identity, SELF_SIGNED_LIFE, TlsError, provider};

/// A certificate with its key that may become another one while a server runs. New connections see the new one; those that
/// are open go on.
#[derive(Debug)]
pub struct LiveIdentity {
    certificate: Certificate,
    listen: Option<std::net::IpAddr>,
    shown: RwLock<Shown>,
}

#[derive(Debug)]
struct Shown {
    key: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
    version: Version,
}

/// What tells one certificate from the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Version {
    Made(SystemTime),
    /// When the two files were changed, and their lengths.
    Files([Option<(SystemTime, u64)>; 2]),
}

impl LiveIdentity {
    /// Reads or makes the certificate. `listen` goes into a self-signed one, unless it is unspecified.
    /// # Errors
    /// As for [`Identity::load`]; [`TlsError::Certificate`] if the key does not fit the certificate.
    pub fn load(certificate: &Certificate, listen: Option<std::net::IpAddr>) -> Result<Self, TlsError> {
        // Before it is read: what changes meanwhile is read again.
        let version = version(certificate, SystemTime::now());
        let shown = RwLock::new(show(certificate, listen, version)?);
        Ok(Self { certificate: certificate.clone(), listen, shown })
    }

    /// Fingerprint of the certificate that is shown now.
    pub fn fingerprint(&self) -> Fingerprint {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).fingerprint
    }

    /// Makes a new certificate if the self-signed one ends soon, and reads the files again if they have changed. Returns
    /// whether another one is shown. Blocks for files.
    /// # Errors
    /// As for [`load`](Self::load); the one before is shown on.
    pub fn refresh(&self, now: SystemTime) -> Result<bool, TlsError> {
        let before = self.shown.read().unwrap_or_else(PoisonError::into_inner).version.clone();
        let next = match before {
            Version::Made(made) if now.duration_since(made).is_ok_and(|age| age < SELF_SIGNED_LIFE) => {
                return Ok(false);
            }
            Version::Made(_) => Version::Made(now),
            Version::Files(_) => version(&self.certificate, now),
        };
        if next == before {
            return Ok(false);
        }
        let new = show(&self.certificate, self.listen, next)?;
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(true)
    }

    /// The server side of TLS 1.3, offering the application protocols `alpn`.
    /// # Errors
    /// [`TlsError::Certificate`]
    pub fn server_config(self: &Arc<Self>, alpn: &[&[u8]]) -> Result<rustls::ServerConfig, TlsError> {
        self.config_of(&[&rustls::version::TLS13], alpn)
    }

    /// The server side of TLS 1.2 and 1.3 over TCP, offering HTTP/2 and HTTP/1.1.
    /// # Errors
    /// [`TlsError::Certificate`]
    pub fn tcp_server_config(self: &Arc<Self>) -> Result<rustls::ServerConfig, TlsError> {
        self.config_of(&[&rustls::version::TLS13, &rustls::version::TLS12], &[b"h2", b"http/1.1"])
    }

    fn config_of(
        self: &Arc<Self>,
        versions: &[&'static rustls::SupportedProtocolVersion],
        alpn: &[&[u8]],
    ) -> Result<rustls::ServerConfig, TlsError> {
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }
}

impl ResolvesServerCert for LiveIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown.read().unwrap_or_else(PoisonError::into_inner).key.clone())
    }
}

fn version(certificate: &Certificate, now: SystemTime) -> Version {
    let of_file = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    match certificate {
        Certificate::SelfSigned => Version::Made(now),
        Certificate::Files { chain, key } => Version::Files([of_file(chain), of_file(key)]),
    }
}

fn show(
    certificate: &Certificate,
    listen: Option<std::net::IpAddr>,
    version: Version,
) -> Result<Shown, TlsError> {
    let identity = Identity::load(certificate, listen)?;
    let fingerprint = identity.fingerprint();
    let Identity { chain, key } = identity;
    let key = Arc::new(CertifiedKey::from_der(chain, key, &provider())?);
    Ok(Shown { key, fingerprint, version })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;
    use wavetile_testing::running::Folder;

    #[test]
    fn a_self_signed_certificate_is_renewed_before_it_ends() {
        let live = LiveIdentity::load(&Certificate::SelfSigned, None).unwrap();
        let (first, now) = (live.fingerprint(), SystemTime::now());
        let day = Duration::from_secs(24 * 3600);
        assert!(!live.refresh(now).unwrap() && !live.refresh(now + 12 * day).unwrap());
        assert_eq!(live.fingerprint(), first);
        assert!(live.refresh(now + 13 * day - Duration::from_secs(1800)).unwrap());
        assert_ne!(live.fingerprint(), first);
        assert!(!live.refresh(now + 14 * day).unwrap());
        // A clock that is set back makes a new one, too: nobody knows when the old one began.
        assert!(live.refresh(now).unwrap());
    }

    #[test]
    fn files_that_change_are_read_again_and_broken_ones_are_not_shown() {
        let folder = Folder::new("certificates");
        let [chain, key] = ["chain.pem", "key.pem"].map(|name| folder.join(name));
        let write = |identity: &Identity| {
            std::fs::write(&chain, identity.leaf_pem()).unwrap();
            std::fs::write(&key, identity.key_pem()).unwrap();
        };
        let [first, second] = [(); 2].map(|()| Identity::load(&Certificate::SelfSigned, None).unwrap());
        write(&first);
        let certificate = Certificate::Files { chain: chain.clone(), key: key.clone() };
        let live = LiveIdentity::load(&certificate, None).unwrap();
        assert_eq!(live.fingerprint(), first.fingerprint());
        assert!(!live.refresh(SystemTime::now()).unwrap());
        // The key of another certificate: whoever replaces two files replaces one of them first.
        std::fs::write(&key, second.key_pem() + "\n").unwrap();
        assert!(live.refresh(SystemTime::now()).is_err());
        assert_eq!(live.fingerprint(), first.fingerprint());
        std::fs::write(&chain, second.leaf_pem() + "\n").unwrap();
        assert!(live.refresh(SystemTime::now()).unwrap());
        assert_eq!(live.fingerprint(), second.fingerprint());
        std::fs::remove_file(&chain).unwrap();
        assert!(live.refresh(SystemTime::now()).is_err());
        assert_eq!(live.fingerprint(), second.fingerprint());
    }
}
