//! A request body that is received in full before a program is asked (RFC 3875 §4.2).
//!
//! A program is told CONTENT_LENGTH before it reads, and a body that came in chunks has no length until it has ended:
//! it is kept in memory, past a limit in a file without a name, and then given out with its true length (CGI-21, CGI-65).
//! CGI hosts and FastCGI clients share this. Does not hold the decision which bodies need it: one with a declared length
//! does not.

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use gateway_spec::{AppError, GatewayError, InputStream};
use http::StatusCode;
use tokio::task::{JoinHandle, spawn_blocking};

/// How much of a body is kept, and where.
#[derive(Debug, Clone)]
pub struct Config {
    max_memory_bytes: usize,
    max_bytes: u64,
    directory: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_memory_bytes: 64 * 1024, max_bytes: 1024 * 1024 * 1024, directory: std::env::temp_dir() }
    }
}

impl Config {
    /// How much is held in memory before a file is used. Default 64 KiB: one read of a socket, and most forms.
    #[must_use]
    pub fn max_memory_bytes(mut self, bytes: usize) -> Self {
        self.max_memory_bytes = bytes;
        self
    }

    /// The longest body; a longer one is answered with 413. Default 1 GiB, so that one client cannot fill a disk.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Where files are made. Default the system's directory for temporary files.
    #[must_use]
    pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.directory = path.into();
        self
    }
}

/// A complete request body, which can be read from its start as often as needed.
///
/// Its file, if it has one, never has a name, so nothing is left behind however the process ends.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use gateway_cgi::spool::{Config, Spool};
/// use gateway_spec::InputStream;
///
/// let spool = Spool::receive(InputStream::from(bytes::Bytes::from("name=Ada")), &Config::default()).await?;
/// assert_eq!(spool.length(), 8);
/// assert_eq!(spool.stream().read_all(100).await?, "name=Ada");
/// assert_eq!(spool.stream().read_all(100).await?, "name=Ada");
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Spool {
    content: Content,
    length: u64,
}

#[derive(Debug, Clone)]
enum Content {
    Memory(Bytes),
    File(Arc<File>),
}

impl Spool {
    /// Receives `input` to its end. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`SpoolError`]: the body is too long, could not be received, or could not be stored.
    pub async fn receive(mut input: InputStream, config: &Config) -> Result<Self, SpoolError> {
        let mut length = 0;
        let mut held = BytesMut::new();
        let mut file: Option<Arc<File>> = None;
        while let Some(piece) = input.next().await {
            let piece = piece.map_err(SpoolError::Input)?;
            length += piece.len() as u64;
            if length > config.max_bytes {
                return Err(SpoolError::TooLong { limit: config.max_bytes });
            }
            held.extend_from_slice(&piece);
            if held.len() > config.max_memory_bytes {
                let at = length - held.len() as u64;
                file = Some(write(file, held.split().freeze(), at, config).await.map_err(SpoolError::File)?);
            }
        }
        let content = match file {
            None => Content::Memory(held.freeze()),
            Some(file) => {
                let at = length - held.len() as u64;
                Content::File(write(Some(file), held.freeze(), at, config).await.map_err(SpoolError::File)?)
            }
        };
        Ok(Self { content, length })
    }

    /// The length of the body in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The file that holds the body, positioned at its start, if it is in one: it can be a program's standard input.
    #[cfg(feature = "host")]
    pub(crate) fn file(&self) -> Option<io::Result<File>> {
        match &self.content {
            Content::Memory(_) => None,
            // Written and read by position only, so nobody has moved it.
            Content::File(file) => Some(file.try_clone()),
        }
    }

    /// The body from its start, with its length declared.
    #[must_use]
    pub fn stream(&self) -> InputStream {
        match &self.content {
            Content::Memory(bytes) => InputStream::from(bytes.clone()),
            Content::File(file) => {
                let reader = FileReader { file: Arc::clone(file), position: 0, reading: None };
                InputStream::new(reader, Some(self.length))
            }
        }
    }
}

/// Appends to the file, which is made at the first time. A disk may be slow, so it is not waited for on this thread.
async fn write(file: Option<Arc<File>>, bytes: Bytes, at: u64, config: &Config) -> io::Result<Arc<File>> {
    let directory = config.directory.clone();
    let writing = spawn_blocking(move || {
        let file = match file {
            Some(file) => file,
            None => Arc::new(tempfile::tempfile_in(directory)?),
        };
        file.write_all_at(&bytes, at)?;
        Ok(file)
    });
    writing.await?
}

/// The bytes of a file in order, read piece by piece without moving the file's own position.
struct FileReader {
    file: Arc<File>,
    position: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

/// How much is read from the file at once: few changes of thread, and little memory for a body of any length.
const READ_BYTES: usize = 64 * 1024;

impl Stream for FileReader {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let (file, position) = (&self.file, self.position);
        let file = Arc::clone(file);
        let reading = self.reading.get_or_insert_with(|| {
            spawn_blocking(move || {
                let mut buffer = vec![0; READ_BYTES];
                let read = file.read_at(&mut buffer, position)?;
                buffer.truncate(read);
                Ok(Bytes::from(buffer))
            })
        });
        let done = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let piece = done??;
        self.position += piece.len() as u64;
        Poll::Ready(if piece.is_empty() { None } else { Some(Ok(piece)) })
    }
}

/// Why a body could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// It is longer than the limit; the answer is 413.
    #[error("the request body is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// It could not be received: the client's doing.
    #[error("the request body did not arrive")]
    Input(#[source] io::Error),
    /// The system could not store it.
    #[error("the request body could not be stored")]
    File(#[source] io::Error),
}

impl SpoolError {
    /// The error as an application returns it: with the status for the client, or the error of the input as it came.
    #[must_use]
    pub fn into_app_error(self) -> AppError {
        match self {
            Self::TooLong { .. } => GatewayError::new(StatusCode::PAYLOAD_TOO_LARGE, self.to_string()).into(),
            Self::Input(error) => error.into(),
            Self::File(error) => {
                GatewayError::new(StatusCode::INTERNAL_SERVER_ERROR, "the request body could not be stored")
                    .caused_by(error)
                    .into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of these pieces, then perhaps an error.
    struct Pieces(Vec<io::Result<Bytes>>);

    impl Stream for Pieces {
        type Item = io::Result<Bytes>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(if self.0.is_empty() { None } else { Some(self.0.remove(0)) })
        }
    }

    fn input(body: &[u8], piece: usize) -> InputStream {
        InputStream::new(Pieces(body.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()), None)
    }

    fn body(length: usize) -> Vec<u8> {
        (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    #[tokio::test]
    async fn cgi_65_a_body_without_a_length_gets_its_true_one_wherever_it_is_kept() {
        let config = Config::default().max_memory_bytes(1000);
        for (length, piece) in [(0, 1), (1, 1), (1000, 100), (1001, 100), (300_000, 7_777), (200_000, 200_000)] {
            let body = body(length);
            let spool = Spool::receive(input(&body, piece), &config).await.unwrap();
            assert_eq!(spool.length(), length as u64);
            assert_eq!(matches!(spool.content, Content::File(_)), length > 1000, "{length}");
            for _ in 0..2 {
                let mut stream = spool.stream();
                assert_eq!(stream.length(), Some(length as u64));
                assert_eq!(stream.read_all(length).await.unwrap(), body);
            }
        }
    }

    #[tokio::test]
    async fn a_body_can_be_read_twice_at_the_same_time() {
        let spool =
            Spool::receive(input(&body(200_000), 9_000), &Config::default().max_memory_bytes(10)).await.unwrap();
        let (mut one, mut two) = (spool.stream(), spool.stream());
        let first = one.next().await.unwrap().unwrap();
        assert_eq!(first, two.next().await.unwrap().unwrap());
        let (rest_of_one, rest_of_two) = (one.read_all(200_000).await.unwrap(), two.read_all(200_000).await.unwrap());
        assert_eq!(rest_of_one, rest_of_two);
    }

    #[tokio::test]
    async fn cgi_65_a_body_over_the_limit_is_answered_with_413() {
        let config = Config::default().max_memory_bytes(10).max_bytes(100);
        assert!(Spool::receive(input(&body(100), 9), &config).await.is_ok());
        let error = Spool::receive(input(&body(101), 9), &config).await.unwrap_err();
        assert!(matches!(error, SpoolError::TooLong { limit: 100 }));
        let error = error.into_app_error();
        assert_eq!(error.downcast_ref::<GatewayError>().unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn an_error_of_the_input_is_passed_on_as_it_is() {
        let pieces = vec![Ok(Bytes::from("abc")), Err(gateway_spec::Disconnected.into())];
        let error = Spool::receive(InputStream::new(Pieces(pieces), None), &Config::default()).await.unwrap_err();
        let error = error.into_app_error();
        assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn no_file_with_a_name_is_ever_there() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::default().max_memory_bytes(10).directory(directory.path());
        let spool = Spool::receive(input(&body(5_000), 100), &config).await.unwrap();
        assert!(matches!(spool.content, Content::File(_)));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_an_error_of_the_system() {
        let config = Config::default().max_memory_bytes(10).directory("/nonexistent");
        let error = Spool::receive(input(&body(5_000), 100), &config).await.unwrap_err().into_app_error();
        assert_eq!(error.downcast_ref::<GatewayError>().unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
