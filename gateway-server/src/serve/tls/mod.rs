//! TLS on a listening socket, by rustls.
//!
//! Holds which certificate is shown, and its exchange for another while connections go on. Does not hold the reading of its files
//! (`files`), or a connection (`stream`).

mod files;
mod stream;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

pub use files::TlsError;
pub(super) use stream::{HandshakeError, TlsStream};

/// A certificate with its key, from two files, to be shown on listening sockets ([`Endpoint::tls`](super::Endpoint::tls)).
///
/// Clones share it: what one of them reloads, all show from the next connection on. Versions 1.2 and 1.3 are spoken; HTTP/2 is
/// offered beside HTTP/1.1 if the feature `http2` is on (RFC 7301).
///
/// # Examples
/// ```no_run
/// use gateway_server::serve::Tls;
///
/// let tls = Tls::from_files("/etc/ssl/site.pem", "/etc/ssl/site.key")?;
/// // Later, when the files have been renewed; if they cannot be used, the old ones stay:
/// tls.reload()?;
/// # Ok::<(), gateway_server::serve::TlsError>(())
/// ```
#[derive(Clone)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Arc<RwLock<Current>>,
}

struct Current {
    /// With HTTP/2 among the protocols that are offered.
    config: Arc<ServerConfig>,
    only_http1: Arc<ServerConfig>,
    expires: Option<SystemTime>,
}

impl Tls {
    /// Reads both files, which are in PEM form: the certificate first and then those that lead to its issuer; the key in PKCS #8,
    /// PKCS #1 or SEC1 form. The key may stand in the certificate's file, which is then named twice.
    ///
    /// # Errors
    /// [`TlsError`] says which file it is, in which line, and what to do.
    pub fn from_files(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.as_ref().to_owned(), key.as_ref().to_owned());
        let current = read(&certificate, &key)?;
        Ok(Self { certificate, key, current: Arc::new(RwLock::new(current)) })
    }

    /// Reads the files again. Connections that are there keep what they have; new ones get the new certificate.
    ///
    /// # Errors
    /// As [`Tls::from_files`]; then nothing has changed.
    pub fn reload(&self) -> Result<(), TlsError> {
        let new = read(&self.certificate, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// When the certificate ends to be valid, if it says so in a form that is understood.
    pub fn expires(&self) -> Option<SystemTime> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).expires
    }

    /// The file of the certificate.
    pub fn certificate_file(&self) -> &Path {
        &self.certificate
    }

    /// For one connection; `http2`: whether HTTP/2 is offered.
    pub(super) fn config(&self, http2: bool) -> Arc<ServerConfig> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(if http2 { &current.config } else { &current.only_http1 })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.certificate).field("key", &self.key).finish_non_exhaustive()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Current, TlsError> {
    let (chosen, expires) = files::certified_key(certificate, key)?;
    let only_http1 = config(chosen).map_err(|source| TlsError::Unusable { file: certificate.to_owned(), source })?;
    let mut config = only_http1.clone();
    config.alpn_protocols.insert(0, b"h2".to_vec());
    Ok(Current { config: Arc::new(config), only_http1: Arc::new(only_http1), expires })
}

fn config(chosen: CertifiedKey) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(chosen)));
    // Sessions are resumed from tickets, so that nothing is kept here for clients that may never come back.
    config.ticketer = ring::Ticketer::new()?;
    // What is offered by ALPN, the best first.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
