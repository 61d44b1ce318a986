//! A server with TLS in a thread, certificates, and a client that trusts them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gateway_fastcgi::net::Address;
use gateway_server::serve::{Config, Endpoint, Server, ServerHandle, Tls};
use gateway_spec::{AppError, Application, Body, Environ, StartResponse, StatusCode, headers};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate, for `localhost` if nothing else is said, with its key, as files.
pub(crate) struct Files {
    folder: TempDir,
    name: String,
    pub(crate) der: CertificateDer<'static>,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self::of("localhost")
    }

    /// A certificate for this name.
    pub(crate) fn of(name: &str) -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap(), name: name.to_owned(), der: Vec::new().into() };
        files.renewed()
    }

    /// Writes another certificate into the same files.
    pub(crate) fn renewed(mut self) -> Self {
        let made = rcgen::generate_simple_self_signed(vec![self.name.clone()]).unwrap();
        std::fs::write(self.cert(), made.cert.pem()).unwrap();
        std::fs::write(self.key(), made.signing_key.serialize_pem()).unwrap();
        self.der = made.cert.der().clone();
        self
    }

    pub(crate) fn cert(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    pub(crate) fn tls(&self) -> Tls {
        Tls::from_files(self.cert(), self.key()).unwrap()
    }
}

/// A running server; stopped and joined on drop.
pub(crate) struct Running {
    pub(crate) port: u16,
    handle: ServerHandle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

pub(crate) fn config() -> Config {
    Config::default().threads(4).linger_timeout(Duration::from_millis(300)).stop_timeout(PATIENCE)
}

pub(crate) fn serve(app: impl Application, config: Config, change: impl FnOnce(Endpoint) -> Endpoint) -> Running {
    let bound = Server::new(app).config(config).bind("127.0.0.1:0").unwrap().with(change);
    let Some(Address::Tcp { port, .. }) = bound.addresses().next() else { panic!("no address") };
    let (port, handle) = (*port, bound.handle());
    Running { port, handle, thread: Some(std::thread::spawn(|| bound.run())) }
}

/// The application that says its variables, behind TLS.
pub(crate) fn serve_tls(files: &Files) -> Running {
    let tls = files.tls();
    serve(variables, config(), |endpoint| endpoint.tls(tls))
}

impl Running {
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// A client over TLS that trusts `certificate` and nothing else.
    pub(crate) fn client(&self, certificate: &CertificateDer<'static>) -> Client {
        Client::over(self.connect(), certificate)
    }

    pub(crate) fn stop(&self) {
        self.handle.stop();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(crate) struct Client {
    pub(crate) stream: StreamOwned<ClientConnection, TcpStream>,
    received: Vec<u8>,
}

impl Client {
    pub(crate) fn over(socket: TcpStream, certificate: &CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        Self { stream: StreamOwned::new(session, socket), received: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    pub(crate) fn get(&mut self, path: &str) -> (u16, String) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        self.response()
    }

    /// The next response, which has a Content-Length: status and body.
    pub(crate) fn response(&mut self) -> (u16, String) {
        let head_end = loop {
            if let Some(at) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more(), "closed after {:?}", String::from_utf8_lossy(&self.received));
        };
        let head = String::from_utf8(self.received.drain(..head_end).collect()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect(&head);
        let length: usize = length.parse().unwrap();
        while self.received.len() < length {
            assert!(self.more(), "closed within a body");
        }
        let body = String::from_utf8(self.received.drain(..length).collect()).unwrap();
        (head[9..12].parse().unwrap(), body)
    }

    /// Reads until the end; whether it was said by a closure alert.
    pub(crate) fn ends_cleanly(&mut self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return false,
                Err(e) => panic!("{e}"),
            }
        }
    }

    fn more(&mut self) -> bool {
        let mut buffer = [0; 64 << 10];
        let read = self.stream.read(&mut buffer).unwrap();
        self.received.extend_from_slice(&buffer[..read]);
        read > 0
    }
}

/// Says its variables, one a line, and the scheme.
pub(crate) fn variables(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let mut text = format!("scheme={}\n", environ.url_scheme);
    for (name, value) in environ.iter() {
        text += &format!("{}={}\n", name, value);
    }
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok(text.into())
}
