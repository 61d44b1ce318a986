//! A folder of files as an application.
//!
//! Holds what may be served. Does not hold how: types, ranges, conditions and index pages are tower-http's.
//!
//! | asked for | answer |
//! | --- | --- |
//! | a regular file | the file, with ETag and Last-Modified; one range of it if asked for |
//! | a folder with `index.html` | that file; without the closing slash a redirect to the same path with it |
//! | a folder without one | 404: nothing is listed |
//! | a name that starts with a dot, anywhere in the path | 404: `.git`, `.env` and `.htpasswd` are not for the world; but for `/.well-known` (RFC 8615) |
//! | an empty segment, a name that is not UTF-8 | 404 |
//! | a symbolic link that leads out of the folder | 404, unless [`Links::Anywhere`] |
//! | a device, a pipe, a socket | 404 |
//! | another method than GET and HEAD | 405 |

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use gateway_spec::{AppError, AsyncApplication, AsyncResponse, Environ, InputStream, StatusCode, headers};
use tower_http::services::ServeDir;
use tower_http::services::fs::{Backend, TokioBackend, TokioFile};

use super::encode_path;
use super::tower::TowerService;

/// Serves the files of a folder.
///
/// # Examples
/// ```
/// use gateway_server::mount::{Links, StaticFiles};
/// let folder = tempfile::tempdir()?;
/// let files = StaticFiles::new(folder.path())?.links(Links::Anywhere).index(false);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StaticFiles {
    guard: Guard,
    index: bool,
}

/// What becomes of symbolic links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Links {
    /// Those that lead to somewhere inside the folder are followed. Whoever can write to the folder could still change one
    /// between the look and the opening: this guards against forgotten links, not against enemies inside.
    #[default]
    Inside,
    /// All are followed.
    Anywhere,
}

impl StaticFiles {
    /// The files in `folder` and below.
    ///
    /// # Errors
    /// The folder is not there, or is none.
    pub fn new(folder: impl AsRef<Path>) -> io::Result<Self> {
        let root = folder.as_ref().canonicalize()?;
        if !root.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(StaticFiles::new_in(root))
    }

    /// The files in `root`, whose links have been followed. Nothing is looked at.
    pub(super) fn new_in(root: PathBuf) -> Self {
        StaticFiles { guard: Guard { root, links: Links::default() }, index: true }
    }

    /// Whether `index.html` answers for its folder. Default yes.
    #[must_use]
    pub fn index(mut self, yes: bool) -> Self {
        self.index = yes;
        self
    }

    /// What becomes of symbolic links. Default [`Links::Inside`].
    #[must_use]
    pub fn links(mut self, links: Links) -> Self {
        self.guard.links = links;
        self
    }
}

impl AsyncApplication for StaticFiles {
    async fn call(&self, environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        let script_name = encode_path(&environ.script_name());
        let path = environ.path_info();
        if path.is_empty() {
            // Relative links of the index page need the slash.
            let location = format!("{script_name}/");
            return Ok(AsyncResponse::new(StatusCode::PERMANENT_REDIRECT, headers!["location" => location], ""));
        }
        if !is_served(&path) {
            return Ok(not_found());
        }
        let files = ServeDir::with_backend(&self.guard.root, self.guard.clone())
            .append_index_html_on_directories(self.index)
            .redirect_path_prefix(script_name)
            // A server may take several ranges at once for none (RFC 9110 §14.2).
            .ignore_multi_range_requests(true);
        TowerService::new(files).call(environ, input).await
    }
}

pub(super) fn not_found() -> AsyncResponse {
    AsyncResponse::new(StatusCode::NOT_FOUND, headers!["content-type" => "text/plain"], "404 Not Found\n")
}

/// Whether every segment is a name that may be asked for. The last one is empty for a folder.
fn is_served(path: &[u8]) -> bool {
    let inner = path.strip_prefix(b"/").unwrap_or(path);
    let inner = inner.strip_suffix(b"/").unwrap_or(inner);
    path == b"/" || (inner.split(|byte| *byte == b'/').all(|name| !name.is_empty()) && !is_hidden(path))
}

/// Whether a name in the path starts with a dot. `/.well-known` is for the world (RFC 8615), at the top only.
pub(super) fn is_hidden(path: &[u8]) -> bool {
    let mut names = path.strip_prefix(b"/").unwrap_or(path).split(|byte| *byte == b'/').enumerate();
    names.any(|(at, name)| name.starts_with(b".") && !(at == 0 && name == b".well-known"))
}

/// The file system, less what is not for the world.
#[derive(Debug, Clone)]
struct Guard {
    root: PathBuf,
    links: Links,
}

type Io<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

impl Guard {
    async fn look(self, path: PathBuf) -> io::Result<(PathBuf, std::fs::Metadata)> {
        let path = match self.links {
            Links::Anywhere => path,
            Links::Inside => {
                let real = tokio::fs::canonicalize(path).await?;
                if !real.starts_with(&self.root) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                real
            }
        };
        let metadata = tokio::fs::metadata(&path).await?;
        Ok((path, metadata))
    }
}

impl Backend for Guard {
    type File = TokioFile;
    type Metadata = std::fs::Metadata;
    type OpenFuture = Io<TokioFile>;
    type MetadataFuture = Io<std::fs::Metadata>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let look = self.clone().look(path);
        Box::pin(async move {
            let (path, metadata) = look.await?;
            // Opening a pipe would wait for its other end.
            if !metadata.is_file() {
                return Err(io::ErrorKind::NotFound.into());
            }
            TokioBackend.open(path).await
        })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let look = self.clone().look(path);
        Box::pin(async move { Ok(look.await?.1) })
    }
}
