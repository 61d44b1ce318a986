//! A server in a thread, and a client of HTTP/2.

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gateway_fastcgi::net::Address;
use gateway_server::serve::{Config, Endpoint, Server, ServerHandle};
use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn config() -> Config {
    Config::default().threads(4).linger_timeout(Duration::from_millis(300)).stop_timeout(PATIENCE)
}

/// A running server; stopped and joined on drop.
pub(crate) struct Running {
    pub(crate) port: u16,
    handle: ServerHandle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

/// A server that takes HTTP/2 by prior knowledge.
pub(crate) fn serve(server: Server) -> Running {
    serve_on(server, |endpoint| endpoint.http2(true))
}

pub(crate) fn serve_on(server: Server, change: impl FnOnce(Endpoint) -> Endpoint) -> Running {
    let bound = server.bind("127.0.0.1:0").unwrap().with(change);
    let Some(Address::Tcp { port, .. }) = bound.addresses().next() else { panic!("no address") };
    let (port, handle) = (*port, bound.handle());
    Running { port, handle, thread: Some(std::thread::spawn(|| bound.run())) }
}

impl Running {
    pub(crate) fn stop(&self) {
        self.handle.stop();
    }

    /// A connection for bytes.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub(crate) async fn client(&self) -> Client {
        Client::over(tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()).await
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

/// Runs a test that is a client.
pub(crate) fn client_runs(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("in time") });
}

/// One connection.
pub(crate) struct Client {
    send: SendRequest<Bytes>,
    pub(crate) connection: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    pub(crate) async fn over(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (send, connection) = h2::client::handshake(io).await.unwrap();
        Self { send, connection: tokio::spawn(connection) }
    }

    /// Sends a head; the body follows through what comes back.
    pub(crate) async fn send(
        &mut self,
        request: Request<()>,
        is_whole: bool,
    ) -> Result<(ResponseFuture, h2::SendStream<Bytes>), h2::Error> {
        let mut ready = self.send.clone().ready().await?;
        ready.send_request(request, is_whole)
    }

    /// One request without a body, and the whole answer.
    pub(crate) async fn ask(&mut self, request: Request<()>) -> Result<Answer, h2::Error> {
        let (response, _) = self.send(request, true).await?;
        Answer::of(response.await?).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(request("GET", path)).await.unwrap()
    }
}

pub(crate) fn request(method: &str, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("http://example.org{path}")).body(()).unwrap()
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn of(response: Response<h2::RecvStream>) -> Result<Self, h2::Error> {
        let (head, mut stream) = response.into_parts();
        let mut body = Vec::new();
        while let Some(piece) = stream.data().await {
            let piece = piece?;
            stream.flow_control().release_capacity(piece.len())?;
            body.extend_from_slice(&piece);
        }
        Ok(Self { status: head.status.as_u16(), fields: head.headers, body })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn says(&self, line: &str) {
        assert!(self.text().lines().any(|said| said == line), "{line} is not in {}", self.text());
    }
}

/// Says its variables, one a line, and the scheme.
pub(crate) fn variables(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let mut text = format!("scheme={}\n", environ.url_scheme);
    for (name, value) in environ.iter() {
        text += &format!("{name}={value}\n");
    }
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok(text.into())
}

/// Says how long the body was, and what it began with.
pub(crate) fn count(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let body = environ.input.read_all(64 << 20)?;
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok(format!("{} {}", body.len(), String::from_utf8_lossy(&body[..body.len().min(5)])).into())
}

/// Counts what it is told to count.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Waits until it is `wanted`; fails if it does not come to that.
    pub(crate) async fn reaches(&self, wanted: usize) {
        let begun = Instant::now();
        while self.now() != wanted {
            assert!(begun.elapsed() < PATIENCE, "{} instead of {wanted}", self.now());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What it is once it does not grow any more.
    pub(crate) async fn settled(&self) -> usize {
        let mut before = usize::MAX;
        loop {
            let now = self.now();
            if now == before {
                return now;
            }
            before = now;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }
}

/// One frame (RFC 9113 §4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// `GET http://a/`, whole.
pub(crate) fn get_frame(stream: u32) -> Vec<u8> {
    frame(1, 0x5, stream, b"\x82\x86\x84\x41\x01a")
}

/// Reads frames until one of that kind; its flags and payload. Nothing if the connection ends first.
pub(crate) fn frame_of_kind(stream: &mut TcpStream, wanted: u8) -> Option<(u8, Vec<u8>)> {
    loop {
        let (kind, flags, payload) = next_frame(stream)?;
        if kind == wanted {
            return Some((flags, payload));
        }
    }
}

/// The next frame: kind, flags, payload. SETTINGS are answered as they must be.
pub(crate) fn next_frame(stream: &mut TcpStream) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    read(stream, &mut head)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let mut payload = vec![0; length];
    read(stream, &mut payload)?;
    let (kind, flags) = (head[3], head[4]);
    if kind == 4 && flags & 1 == 0 {
        let _ = stream.write_all(&frame(4, 1, 0, b""));
    }
    Some((kind, flags, payload))
}

fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> Option<()> {
    match stream.read_exact(buffer) {
        Ok(()) => Some(()),
        Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            None
        }
        Err(e) => panic!("{e}"),
    }
}
