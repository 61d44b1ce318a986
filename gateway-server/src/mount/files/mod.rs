//! A folder of files as an application.
//!
//! Holds what may be served. The rest is beside it: which file a path means (`serve_dir`, which asks tower-http), the
//! confinement to the folder (`root`), conditional requests (`conditions`), parts (`ranges`) and the answer (`answer`), which is
//! also that of files which programs name.
//!
//! | asked for | answer |
//! | --- | --- |
//! | a regular file | the file, with ETag and Last-Modified; one range of it if asked for |
//! | a file with a `.br`, `.gz` or `.zst` beside it, with [`StaticFiles::precompressed`] | that, if the client takes it |
//! | a folder with `index.html` | that file; without the closing slash a redirect to the same path with it |
//! | a folder without one | 404: nothing is listed |
//! | a name that starts with a dot, anywhere in the path | 404: `.git`, `.env` and `.htpasswd` are not for the world; but for `/.well-known` (RFC 8615) |
//! | an empty segment, a name that is not UTF-8 | 404 |
//! | a symbolic link that leads out of the folder | 404, unless [`Links::Anywhere`] |
//! | a device, a pipe, a socket | 404 |
//! | another method than GET and HEAD | 405 |

mod answer;
mod conditions;
mod ranges;
mod root;
mod serve_dir;

use std::io;
use std::path::{Path, PathBuf};

use gateway_spec::{AppError, AsyncApplication, AsyncResponse, Environ, Headers, InputStream, StatusCode, headers};

pub(super) use answer::{answer, plain};
pub(super) use conditions::Asked;
pub(super) use root::{Opened, Root, is_absence};

use super::encode_path;
use serve_dir::{Meant, Wish};

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
    root: PathBuf,
    links: Links,
    wish: Wish,
}

/// What becomes of symbolic links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Links {
    /// Those that lead to somewhere inside the folder are followed. Since Linux 5.6 the system itself sees to it; before, whoever
    /// can write to the folder could still change one between the look and the opening.
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
        StaticFiles { root, links: Links::default(), wish: Wish { index: true, precompressed: false } }
    }

    /// Whether `index.html` answers for its folder. Default yes.
    #[must_use]
    pub fn index(mut self, yes: bool) -> Self {
        self.wish.index = yes;
        self
    }

    /// What becomes of symbolic links. Default [`Links::Inside`].
    #[must_use]
    pub fn links(mut self, links: Links) -> Self {
        self.links = links;
        self
    }

    /// Whether `x.css.br`, `x.css.gz` or `x.css.zst` is sent for `x.css` to a client that takes it, by the client's preference.
    /// Whoever makes them keeps them fresh; `x.css` itself must be there too. Default no: each costs a look.
    #[must_use]
    pub fn precompressed(mut self, yes: bool) -> Self {
        self.wish.precompressed = yes;
        self
    }
}

impl AsyncApplication for StaticFiles {
    async fn call(&self, environ: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
        let asked = Asked::of(&environ);
        if !asked.is_get_or_head() {
            return Ok(plain(StatusCode::METHOD_NOT_ALLOWED, headers!["allow" => "GET, HEAD"]));
        }
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
        let (root, request) = (Root::new(self.root.clone(), self.links), serve_dir::request(&environ)?);
        drop(environ);
        Ok(match serve_dir::ask(root, self.wish, script_name, request).await? {
            Meant::File(Opened { file, metadata }, fields) => answer(file, &metadata, fields, &asked),
            Meant::Answer(answer) => answer,
        })
    }
}

pub(super) fn not_found() -> AsyncResponse {
    plain(StatusCode::NOT_FOUND, Headers::new())
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
