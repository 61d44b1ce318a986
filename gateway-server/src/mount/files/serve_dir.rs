//! Which file a path means, asked of tower-http.
//!
//! Holds the question and what comes back. Does not hold conditions or ranges: tower-http knows no If-Range, answers 416 to
//! units it does not know, gives HEAD a part, and panics at a file from before 1970 (0.7.1). So it is asked a plain GET for
//! its part, which is the name of the file, its type, its precompressed form and the redirect of a folder; the file that it
//! opened by our root is answered with by `answer`.

use std::future::{Future, Ready, ready};
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use gateway_spec::{AppError, AsyncResponse, Environ, Headers, StatusCode};
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::ServeDir;
use tower_http::services::fs::{self, Backend};

use super::answer::plain;
use super::root::{Opened, Root, is_absence};
use crate::mount::tower;

/// What a path means.
#[derive(Debug)]
pub(super) enum Meant {
    /// This file, with the fields that describe it.
    File(Opened, Headers),
    /// No file: a redirect, or a refusal.
    Answer(AsyncResponse),
}

/// What of the library is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) index: bool,
    pub(super) precompressed: bool,
}

/// What is asked: the path of `environ`, and which codings the client takes.
pub(super) fn request(environ: &Environ) -> Result<http::Request<()>, AppError> {
    let mut request = http::Request::new(());
    *request.uri_mut() = tower::uri(environ)?;
    if let Some(codings) = environ.get("HTTP_ACCEPT_ENCODING")
        && let Ok(codings) = http::HeaderValue::from_bytes(codings.as_bytes())
    {
        request.headers_mut().insert(http::header::ACCEPT_ENCODING, codings);
    }
    Ok(request)
}

/// Asks what a path means below `root`. `prefix` stands before it in redirects.
pub(super) async fn ask(root: Root, wish: Wish, prefix: String, request: http::Request<()>) -> Result<Meant, AppError> {
    let looked = Looked { root: Arc::new(root), last: Arc::default() };
    let mut library = ServeDir::with_backend("", looked.clone())
        .append_index_html_on_directories(wish.index)
        .redirect_path_prefix(prefix);
    if wish.precompressed {
        library = library.precompressed_br().precompressed_gzip().precompressed_zstd();
    }
    let response = match library.try_call(request).await {
        Ok(response) => response,
        Err(error) if is_absence(&error) => return Ok(Meant::Answer(plain(StatusCode::NOT_FOUND, Headers::new()))),
        Err(error) => return Err(error.into()),
    };
    let (head, _) = response.into_parts();
    let fields = || head.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Ok(match (head.status, looked.take()) {
        (StatusCode::OK, Some(opened)) => Meant::File(opened, fields()),
        (status, _) if status.is_redirection() => Meant::Answer(AsyncResponse::new(status, fields(), "")),
        (status, _) => Meant::Answer(plain(status, Headers::new())),
    })
}

/// The file system as the library sees it for one request: below a root, regular files and folders only. What was opened last
/// is kept, so that nothing is opened twice.
#[derive(Debug, Clone)]
struct Looked {
    root: Arc<Root>,
    last: Arc<Mutex<Option<(PathBuf, Opened)>>>,
}

impl Looked {
    fn take(&self) -> Option<Opened> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.take().map(|(_, opened)| opened)
    }

    /// The size, the kind and the time of what is at `path`, which stays open.
    async fn look(self, path: PathBuf) -> io::Result<Seen> {
        if let Some((known, opened)) = &*self.last.lock().unwrap_or_else(PoisonError::into_inner)
            && *known == path
        {
            return Ok(Seen::of(opened));
        }
        let opened = self.root.open(path.clone()).await?;
        let seen = Seen::of(&opened);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((path, opened));
        Ok(seen)
    }
}

type Io<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl Backend for Looked {
    type File = Seen;
    type Metadata = Seen;
    type OpenFuture = Io<Seen>;
    type MetadataFuture = Io<Seen>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let look = self.clone().look(path);
        Box::pin(async move {
            let seen = look.await?;
            if seen.kind == Kind::File { Ok(seen) } else { Err(io::ErrorKind::NotFound.into()) }
        })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        Box::pin(self.clone().look(path))
    }
}

/// What the library may know of a file. Its bytes are none of its business.
#[derive(Debug, Clone, Copy)]
struct Seen {
    kind: Kind,
    size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    Neither,
}

impl Seen {
    fn of(Opened { metadata, .. }: &Opened) -> Self {
        let kind = match (metadata.is_file(), metadata.is_dir()) {
            (true, _) => Kind::File,
            (_, true) => Kind::Folder,
            _ => Kind::Neither,
        };
        Seen { kind, size: metadata.len() }
    }
}

impl fs::Metadata for Seen {
    fn is_dir(&self) -> bool {
        self.kind == Kind::Folder
    }

    /// A time that it can write; validators are ours.
    fn modified(&self) -> io::Result<SystemTime> {
        Ok(UNIX_EPOCH)
    }

    fn len(&self) -> u64 {
        self.size
    }
}

impl fs::File for Seen {
    type Metadata = Seen;
    type MetadataFuture<'a> = Ready<io::Result<Seen>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(*self))
    }
}

impl AsyncRead for Seen {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for Seen {
    fn start_seek(self: Pin<&mut Self>, _: io::SeekFrom) -> io::Result<()> {
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(0))
    }
}
