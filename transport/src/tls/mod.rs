//! TLS for the roads: the server's certificate, its fingerprint, and what a client trusts.
//!
//! All configurations name the *ring* provider themselves, so nothing depends on a process-wide default.

mod live;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};

pub use live::LiveIdentity;

/// Where a server's certificate comes from.
#[derive(Debug, Clone, Default)]
pub enum Certificate {
    /// A chain (leaf first) and its private key, both PEM files. They are read again when they change.
    Files {
        /// File with the certificate chain.
        chain: PathBuf,
        /// File with the private key (PKCS#8, SEC 1 or PKCS#1).
        key: PathBuf,
    },
    /// Made at start: ECDSA P-256, for `localhost`, the loopback addresses and the address listened on.
    ///
    /// It is valid for less than 14 days, which is the most that browsers accept for a certificate named by its hash. A server that
    /// runs longer makes another one an hour before that ends, with another fingerprint.
    #[default]
    SelfSigned,
}

/// Whom a client believes to be the server it asked for.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// Certificates that chain to the roots that the system trusts, or to Mozilla's where it has none.
    #[default]
    WebPki,
    /// Certificates that chain to the authorities (or equal the self-signed certificates) in a PEM file.
    Authorities(PathBuf),
    /// Exactly one certificate, by the hash of its DER form. Its names and dates are not looked at.
    Fingerprint(Fingerprint),
    /// Anybody. For tests only: whoever sits on the path can read and change everything.
    Insecure,
}

/// SHA-256 of a certificate's DER form.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// What is wrong with certificates, keys or their files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read or holds no PEM item of the kind wanted.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate does not fit its key, or cannot be used.
    #[error("certificate: {0}")]
    Certificate(#[from] rustls::Error),
    /// The self-signed certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Generate(#[from] rcgen::Error),
    /// Text that should be a fingerprint is not.
    #[error("a SHA-256 fingerprint is 64 hexadecimal digits, with or without colons")]
    Fingerprint,
}

impl TlsError {
    /// A short name of the reason that stays the same, for other languages and for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "tls.file",
            Self::Certificate(_) => "tls.certificate",
            Self::Generate(_) => "tls.generate",
            Self::Fingerprint => "tls.fingerprint",
        }
    }
}

/// A loaded certificate chain with its key.
#[derive(Debug)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads or makes the certificate. `listen` goes into a self-signed certificate, unless it is unspecified.
    /// # Errors
    /// [`TlsError::File`] for unreadable files, [`TlsError::Generate`] if no certificate could be made.
    pub fn load(certificate: &Certificate, listen: Option<IpAddr>) -> Result<Self, TlsError> {
        match certificate {
            Certificate::Files { chain, key } => Self::from_files(chain, key),
            Certificate::SelfSigned => Self::self_signed(listen),
        }
    }

    /// Fingerprint of the leaf certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.chain.first().map_or(&[], |leaf| leaf.as_ref()))
    }

    /// The leaf certificate in PEM form, for clients that want it in a file.
    pub fn leaf_pem(&self) -> String {
        let leaf: &[u8] = self.chain.first().map_or(&[], |leaf| leaf.as_ref());
        pem_encode("CERTIFICATE", leaf)
    }

    /// The private key in PEM form.
    pub fn key_pem(&self) -> String {
        pem_encode("PRIVATE KEY", self.key.secret_der())
    }

    fn from_files(chain_path: &Path, key_path: &Path) -> Result<Self, TlsError> {
        let chain = certificates(chain_path)?;
        let key = PrivateKeyDer::from_pem_file(key_path).map_err(|error| file_error(key_path, &error))?;
        Ok(Self { chain, key })
    }

    fn self_signed(listen: Option<IpAddr>) -> Result<Self, TlsError> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        if let Some(address) = listen.filter(|address| !address.is_unspecified()) {
            let name = address.to_string();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut parameters = rcgen::CertificateParams::new(names)?;
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "wavetile");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        parameters.not_before = epoch + now.saturating_sub(CLOCK_SKEW);
        parameters.not_after = epoch + now + SELF_SIGNED_VALIDITY - CLOCK_SKEW;
        let certificate = parameters.self_signed(&key)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Self { chain: vec![certificate.der().clone()], key })
    }
}

/// The client side of TLS 1.3 for `trust`, asking for the application protocols `alpn`. Early data stays off: a
/// replayed JPIP request would change the state of a session.
/// # Errors
/// [`TlsError::File`] if the authorities cannot be read.
pub fn client_config(trust: &Trust, alpn: &[&[u8]]) -> Result<rustls::ClientConfig, TlsError> {
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut roots = rustls::RootCertStore::empty();
    let mut config = match trust {
        Trust::WebPki => {
            let (found, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if found == 0 {
                roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Trust::Authorities(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate)?;
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Trust::Fingerprint(_) | Trust::Insecure => {
            let expected = match trust {
                Trust::Fingerprint(fingerprint) => Some(*fingerprint),
                _ => None,
            };
            let verifier = Arc::new(PinVerifier { expected, provider: provider() });
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.enable_early_data = false;
    Ok(config)
}

/// 128 bits from the provider's generator, for session identifiers.
/// # Panics
/// If the operating system gives no random bytes: there is no safe way to go on.
pub fn random_u128() -> u128 {
    let mut bytes = [0; 16];
    provider().secure_random.fill(&mut bytes).expect("the operating system provides random bytes");
    u128::from_be_bytes(bytes)
}

impl Fingerprint {
    /// Fingerprint of a certificate in DER form.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = TlsError;

    fn from_str(text: &str) -> Result<Self, TlsError> {
        let mut digits = text.trim().bytes().filter(|&byte| byte != b':');
        let mut nibble = || {
            let digit = digits.next().and_then(|byte| char::from(byte).to_digit(16));
            digit.and_then(|digit| u8::try_from(digit).ok()).ok_or(TlsError::Fingerprint)
        };
        let mut bytes = [0; 32];
        for byte in &mut bytes {
            *byte = nibble()? << 4 | nibble()?;
        }
        if digits.next().is_some() {
            return Err(TlsError::Fingerprint);
        }
        Ok(Self(bytes))
    }
}

/// Accepts one certificate, or any if `expected` is none. The handshake's signature is checked all the same: knowing a
/// certificate does not prove holding its key.
#[derive(Debug)]
struct PinVerifier {
    expected: Option<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.expected {
            Some(expected) if expected != Fingerprint::of(leaf) => {
                let reason = rustls::CertificateError::ApplicationVerificationFailure;
                Err(rustls::Error::InvalidCertificate(reason))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let items = CertificateDer::pem_file_iter(path).map_err(|error| file_error(path, &error))?;
    let items: Vec<_> = items.collect::<Result<_, _>>().map_err(|error| file_error(path, &error))?;
    if items.is_empty() {
        return Err(TlsError::File { path: path.to_owned(), reason: "holds no certificate".to_owned() });
    }
    Ok(items)
}

fn file_error(path: &Path, error: &rustls::pki_types::pem::Error) -> TlsError {
    TlsError::File { path: path.to_owned(), reason: error.to_string() }
}

/// PEM (RFC 7468): base 64 in lines of 64 characters.
fn pem_encode(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut digits = Vec::new();
    for group in der.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for position in 0..4 {
            let digit = (word >> (18 - 6 * position)) & 63;
            digits.push(if position <= group.len() { ALPHABET[digit as usize] } else { b'=' });
        }
    }
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in digits.chunks(64) {
        text.extend(line.iter().map(|&digit| char::from(digit)));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// Browsers refuse hashes of certificates that are valid for more than 14 days.
const SELF_SIGNED_VALIDITY: Duration = Duration::from_secs(13 * 24 * 3600);
/// After this time another one is shown.
const SELF_SIGNED_LIFE: Duration = SELF_SIGNED_VALIDITY.saturating_sub(Duration::from_secs(2 * 3600));
const CLOCK_SKEW: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fingerprints_are_read_with_and_without_colons() {
        let fingerprint = Fingerprint::of(b"abc");
        let text = fingerprint.to_string();
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(text.parse::<Fingerprint>().unwrap(), fingerprint);
        let pairs: Vec<&str> =
            text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
        assert_eq!(pairs.join(":").to_uppercase().parse::<Fingerprint>().unwrap(), fingerprint);
        assert!(text[1..].parse::<Fingerprint>().is_err());
        assert!(format!("{text}0").parse::<Fingerprint>().is_err());
        assert!(text.replace('b', "g").parse::<Fingerprint>().is_err());
    }

    #[test]
    fn a_self_signed_leaf_survives_pem() {
        let identity = Identity::load(&Certificate::SelfSigned, None).unwrap();
        let read = CertificateDer::from_pem_slice(identity.leaf_pem().as_bytes()).unwrap();
        assert_eq!(Fingerprint::of(&read), identity.fingerprint());
        let other = Identity::load(&Certificate::SelfSigned, None).unwrap();
        assert_ne!(other.fingerprint(), identity.fingerprint());
    }

    #[test]
    fn missing_files_are_named() {
        let certificate =
            Certificate::Files { chain: "/nowhere/chain.pem".into(), key: "/nowhere/key.pem".into() };
        let error = Identity::load(&certificate, None).unwrap_err();
        assert!(error.to_string().contains("/nowhere/chain.pem"), "{error}");
    }
}
