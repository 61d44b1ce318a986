//! TLS on a listening socket, by rustls.
//!
//! Holds the certificates of an address, and their exchange for others while connections go on. Does not hold the reading of their
//! files (`files`), which of them a client is shown (`choice`), or a connection (`stream`).

mod choice;
mod files;
mod stream;

use choice::Choice;
use rustls::ServerConfig;
use rustls::crypto::ring;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

pub use files::TlsError;
pub(super) use stream::{HandshakeError, TlsStream};

/// Certificates with their keys, each from two files, to be shown on listening sockets ([`Endpoint::tls`](super::Endpoint::tls)).
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
    files: Vec<Files>,
    current: Arc<RwLock<Current>>,
}

/// Where a certificate and its key are.
#[derive(Debug, Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
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
        Self::read(vec![Files::of(certificate.as_ref(), key.as_ref())])
    }

    /// With one more certificate, for clients that ask for a name in it (SNI, RFC 6066 §3): an address can be many hosts, and a host may have
    /// certificates with keys of several kinds. Who asks for a name that is in none, or for no name, is shown the first.
    ///
    /// # Errors
    /// As [`Tls::from_files`].
    ///
    /// # Examples
    /// ```no_run
    /// use gateway_server::serve::Tls;
    ///
    /// let tls = Tls::from_files("example.org.pem", "example.org.key")?.and_files("example.net.pem", "example.net.key")?;
    /// # Ok::<(), gateway_server::serve::TlsError>(())
    /// ```
    pub fn and_files(self, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        let mut files = self.files;
        files.push(Files::of(certificate.as_ref(), key.as_ref()));
        Self::read(files)
    }

    fn read(files: Vec<Files>) -> Result<Self, TlsError> {
        let current = Arc::new(RwLock::new(read(&files)?));
        Ok(Self { files, current })
    }

    /// Reads all files again. Connections that are there keep what they have; new ones get the new certificates.
    ///
    /// # Errors
    /// As [`Tls::from_files`]; then nothing has changed.
    pub fn reload(&self) -> Result<(), TlsError> {
        let new = read(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// When the first of the certificates ends to be valid, of those that say so in a form that is understood.
    pub fn expires(&self) -> Option<SystemTime> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).expires
    }

    /// The files of the certificates.
    pub fn certificate_files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|files| &*files.certificate)
    }

    /// For one connection; `http2`: whether HTTP/2 is offered.
    pub(super) fn config(&self, http2: bool) -> Arc<ServerConfig> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(if http2 { &current.config } else { &current.only_http1 })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Files {
    fn of(certificate: &Path, key: &Path) -> Self {
        Self { certificate: certificate.to_owned(), key: key.to_owned() }
    }
}

fn read(files: &[Files]) -> Result<Current, TlsError> {
    let mut choice = Choice::default();
    let mut expires = None;
    for Files { certificate, key } in files {
        let (certified, end) = files::certified_key(certificate, key)?;
        choice.add(certified);
        expires = end.into_iter().chain(expires).min();
    }
    let file = || files.first().map(|files| files.certificate.clone()).unwrap_or_default();
    let only_http1 = config(choice).map_err(|source| TlsError::Unusable { file: file(), source, advice: "" })?;
    let mut config = only_http1.clone();
    config.alpn_protocols.insert(0, b"h2".to_vec());
    Ok(Current { config: Arc::new(config), only_http1: Arc::new(only_http1), expires })
}

fn config(choice: Choice) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(choice));
    // Sessions are resumed from tickets, so that nothing is kept here for clients that may never come back.
    config.ticketer = ring::Ticketer::new()?;
    // What is offered by ALPN, the best first.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
