//! A worker written by hand, record by record, so that it can misbehave in every way.
// Each test file uses a part of it.
#![allow(dead_code, unreachable_pub)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use gateway_fastcgi::client::{Client, Config};
use gateway_fastcgi::net::Address;
use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, Environ, ErrorSink, ErrorStream, GatewayError, InputStream,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// Limits a test that would otherwise wait for ever.
pub const LONG: Duration = Duration::from_secs(30);

pub const BEGIN: u8 = 1;
pub const ABORT: u8 = 2;
pub const END: u8 = 3;
pub const PARAMS: u8 = 4;
pub const STDIN: u8 = 5;
pub const STDOUT: u8 = 6;
pub const STDERR: u8 = 7;
pub const GET_VALUES: u8 = 9;
pub const GET_VALUES_RESULT: u8 = 10;

/// One record with id 1 and no padding.
pub fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    padded(kind, content, 0)
}

/// The same with padding of wild bytes.
pub fn padded(kind: u8, content: &[u8], padding: u8) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut bytes = vec![1, kind, 0, 1, high, low, padding, 0xee];
    bytes.extend_from_slice(content);
    bytes.extend(std::iter::repeat_n(0xff, usize::from(padding)));
    bytes
}

/// The same bytes for the request with this id.
pub fn with_id(id: u8, mut records: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while at < records.len() {
        records[at + 3] = id;
        at += 8 + usize::from(records[at + 4]) * 256 + usize::from(records[at + 5]) + usize::from(records[at + 6]);
    }
    records
}

/// END_REQUEST.
pub fn end(app_status: u8, protocol_status: u8) -> Vec<u8> {
    record(END, &[0, 0, 0, app_status, protocol_status, 0, 0, 0])
}

/// A whole answer in the usual form.
pub fn answer(output: &[u8]) -> Vec<u8> {
    [record(STDOUT, output), record(STDOUT, b""), end(0, 0)].concat()
}

pub const HELLO: &[u8] = b"Content-Type: text/plain\r\n\r\nhello";

/// A request as the worker got it.
#[derive(Debug, Default, Clone)]
pub struct Asked {
    pub flags: u8,
    pub params: Vec<(String, Vec<u8>)>,
    pub stdin: Vec<u8>,
}

impl Asked {
    pub fn param(&self, name: &str) -> Option<String> {
        let (_, value) = self.params.iter().find(|(known, _)| known == name)?;
        Some(String::from_utf8(value.clone()).unwrap())
    }
}

/// The worker's end of a connection.
pub struct Line(pub UnixStream);

impl Line {
    /// The next record of any request: type, id and content.
    pub async fn any_record(&mut self) -> io::Result<(u8, u8, Vec<u8>)> {
        let mut header = [0; 8];
        self.0.read_exact(&mut header).await?;
        let [_, kind, _, id, high, low, padding, _] = header;
        let mut content = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        self.0.read_exact(&mut content).await?;
        self.0.read_exact(&mut vec![0; usize::from(padding)]).await?;
        Ok((kind, id, content))
    }

    /// The next record of any request that is of this type, and its id.
    pub async fn next(&mut self, wanted: u8) -> io::Result<(u8, Vec<u8>)> {
        loop {
            let (kind, id, content) = self.any_record().await?;
            if kind == wanted {
                return Ok((id, content));
            }
        }
    }

    /// The next record: type and content.
    pub async fn record(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut header = [0; 8];
        self.0.read_exact(&mut header).await?;
        let [version, kind, _, id, high, low, padding, _] = header;
        assert_eq!((version, id), (1, 1));
        let mut content = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        self.0.read_exact(&mut content).await?;
        self.0.read_exact(&mut vec![0; usize::from(padding)]).await?;
        if content.is_empty() {
            assert_eq!(padding, 0, "php-fpm reads no padding behind an empty record (FCGI-46)");
        }
        Ok((kind, content))
    }

    /// BEGIN_REQUEST and all parameters.
    pub async fn head(&mut self) -> io::Result<Asked> {
        let (kind, begin) = self.record().await?;
        assert_eq!((kind, &begin[..2]), (BEGIN, &[0, 1][..]));
        let mut asked = Asked { flags: begin[2], ..Asked::default() };
        loop {
            let (kind, content) = self.record().await?;
            assert_eq!(kind, PARAMS);
            if content.is_empty() {
                return Ok(asked);
            }
            // Each record by itself, as PHP does (FCGI-45).
            read_pairs(&content, &mut asked.params);
        }
    }

    /// A whole request.
    pub async fn request(&mut self) -> io::Result<Asked> {
        let mut asked = self.head().await?;
        loop {
            let (kind, content) = self.record().await?;
            assert_eq!(kind, STDIN);
            if content.is_empty() {
                return Ok(asked);
            }
            asked.stdin.extend(content);
        }
    }

    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// Waits until the client has closed.
    pub async fn closed(&mut self) {
        let mut rest = [0; 4096];
        while !matches!(self.0.read(&mut rest).await, Ok(0) | Err(_)) {}
    }
}

pub fn read_pairs(mut bytes: &[u8], pairs: &mut Vec<(String, Vec<u8>)>) {
    fn length(bytes: &mut &[u8]) -> usize {
        let (first, rest) = bytes.split_first().unwrap();
        if *first < 128 {
            *bytes = rest;
            return usize::from(*first);
        }
        let (four, rest) = bytes.split_first_chunk::<4>().unwrap();
        *bytes = rest;
        usize::try_from(u32::from_be_bytes(*four) & 0x7fff_ffff).unwrap()
    }
    while !bytes.is_empty() {
        let (name, value) = (length(&mut bytes), length(&mut bytes));
        let (name, rest) = bytes.split_at(name);
        let (value, rest) = rest.split_at(value);
        pairs.push((String::from_utf8(name.to_vec()).unwrap(), value.to_vec()));
        bytes = rest;
    }
}

/// A connection of which the first BEGIN_REQUEST was read.
pub struct Told {
    pub line: Line,
    pub first: u8,
}

/// A worker that listens, and does with its n-th connection (from 0) what it was told.
pub struct Worker {
    pub address: Address,
    pub connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
    _directory: TempDir,
}

impl Worker {
    pub fn start<F, D>(conduct: F) -> Self
    where
        F: Fn(usize, Line) -> D + Send + 'static,
        D: Future<Output = io::Result<()>> + Send + 'static,
    {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // Errors are the client's closing, which the tests look at from the other side.
                tokio::spawn(conduct(count.fetch_add(1, Ordering::SeqCst), Line(stream)));
            }
        });
        Self { address: Address::unix(path), connections, task, _directory: directory }
    }

    /// A worker that says this of itself when asked, and does with other connections what it was told. It may start a
    /// connection with what was read of it: the first record.
    pub fn telling<F, D>(values: &'static [(&'static str, &'static str)], conduct: F) -> Self
    where
        F: Fn(Told) -> D + Send + Sync + 'static,
        D: Future<Output = io::Result<()>> + Send + 'static,
    {
        let conduct = Arc::new(conduct);
        Self::start(move |_, mut line| {
            let conduct = conduct.clone();
            async move {
                let (kind, id, _) = line.any_record().await?;
                if kind == GET_VALUES {
                    assert_eq!(id, 0);
                    let mut pairs = Vec::new();
                    for (name, value) in values {
                        pairs.extend([u8::try_from(name.len()).unwrap(), u8::try_from(value.len()).unwrap()]);
                        pairs.extend_from_slice(name.as_bytes());
                        pairs.extend_from_slice(value.as_bytes());
                    }
                    return line.write(&with_id(0, record(GET_VALUES_RESULT, &pairs))).await;
                }
                assert_eq!(kind, BEGIN);
                conduct(Told { line, first: id }).await
            }
        })
    }

    /// A worker that reads every request in full and answers this, on connections that stay open.
    pub fn answering(answer: Vec<u8>) -> Self {
        Self::start(move |_, mut line| {
            let answer = answer.clone();
            async move {
                loop {
                    line.request().await?;
                    line.write(&answer).await?;
                }
            }
        })
    }

    pub fn client(&self) -> Client {
        self.client_with(Config::default())
    }

    pub fn client_with(&self, config: Config) -> Client {
        Client::new(self.address.clone(), config)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What came of a call: status and body, or the status of its error.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Whole(u16, Vec<u8>),
    /// The head came, the body broke off after so many bytes.
    Broken(u16, usize),
    Failed(u16),
    /// An error without a status of its own.
    Other(String),
}

impl Outcome {
    pub fn whole(body: &[u8]) -> Self {
        Self::Whole(200, body.to_vec())
    }
}

pub async fn call(client: &Client, environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
    tokio::time::timeout(LONG, client.call(environ, input)).await.expect("no answer")
}

pub async fn read(response: Result<AsyncResponse, AppError>) -> Outcome {
    let mut response = match response {
        Ok(response) => response,
        Err(error) => {
            return match error.downcast_ref::<GatewayError>() {
                Some(error) => Outcome::Failed(error.status().as_u16()),
                None => Outcome::Other(error.to_string()),
            };
        }
    };
    let status = response.status.as_u16();
    let mut body = Vec::new();
    while let Some(piece) = tokio::time::timeout(LONG, response.body.next()).await.expect("no more of the answer") {
        match piece {
            Ok(piece) => body.extend_from_slice(&piece),
            Err(_) => return Outcome::Broken(status, body.len()),
        }
    }
    Outcome::Whole(status, body)
}

pub async fn get(client: &Client) -> Outcome {
    ask(client, "GET", InputStream::empty()).await
}

pub async fn ask(client: &Client, method: &str, input: InputStream) -> Outcome {
    let mut environ = Environ::example(method, "/");
    environ.errors = Log::stream().1;
    if let Some(length @ 1..) = input.length() {
        environ.set("CONTENT_LENGTH", length.to_string()).unwrap();
    }
    read(call(client, environ, input).await).await
}

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LONG, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// A body of so many bytes in pieces, which counts the pieces that were taken.
pub struct Pieces {
    pub left: usize,
    pub piece: usize,
    pub taken: Arc<AtomicUsize>,
}

impl Pieces {
    pub fn stream(bytes: usize, piece: usize, declared: Option<u64>) -> (InputStream, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        (InputStream::new(Pieces { left: bytes, piece, taken: taken.clone() }, declared), taken)
    }
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let length = self.left.min(self.piece);
        self.left -= length;
        self.taken.fetch_add(length, Ordering::SeqCst);
        Poll::Ready(if length == 0 { None } else { Some(Ok(Bytes::from(vec![b'x'; length]))) })
    }
}

/// Collects what is written to the request's error stream.
#[derive(Default)]
pub struct Log(pub Mutex<String>);

impl Log {
    pub fn stream() -> (Arc<Self>, ErrorStream) {
        let log = Arc::new(Self::default());
        (log.clone(), ErrorStream::new(log))
    }
}

impl ErrorSink for Log {
    fn write(&self, text: &str) {
        self.0.lock().unwrap().push_str(text);
    }
}
