//! Files that a program names instead of sending them: `X-Sendfile` and `X-Accel-Redirect`.
//!
//! Holds what becomes of the two fields. Does not hold how a file is opened and answered with: that is as for a folder of
//! files, conditions and ranges included.
//!
//! | field | its value | known from |
//! | --- | --- | --- |
//! | `X-Sendfile` | a path in the file system, taken as it stands; a relative one starts at the root | lighttpd, mod_xsendfile |
//! | `X-Accel-Redirect` | a path of a URL, percent-encoded, below a prefix that stands for a root | nginx |
//!
//! A program that may name files reaches whatever the gateway can read, so nothing is sent unless the operator has named a
//! root, and nothing outside it ever. The fields themselves stay here: they tell clients how the disk looks.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, BodyStream, DynAsyncApplication as _, Environ, HeaderValue, Headers,
    InputStream, StatusCode,
};

use super::files::{Asked, Opened, Root, answer, is_absence, plain};
use super::{Links, Prefix, RequestPath};

/// An application whose answers may name a file.
///
/// What it sends as a body beside such a name is thrown away. Its status and its fields stay, but for validators, length and
/// range, which are the file's; conditions and ranges count where the status is 200.
///
/// # Examples
/// ```
/// use gateway_fastcgi::client::{Client, Config};
/// use gateway_server::mount::NamedFiles;
///
/// let folder = tempfile::tempdir()?;
/// let php = Client::new("unix:/run/php/php-fpm.sock".parse()?, Config::default());
/// let shop = NamedFiles::new(php).sendfile(folder.path())?.accel("/protected".parse()?, folder.path())?;
/// # let _ = shop;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct NamedFiles<A> {
    app: A,
    sendfile: Option<Folder>,
    accel: Vec<(Prefix, Folder)>,
}

/// A root, and the ways in which programs may write it.
#[derive(Debug, Clone)]
struct Folder {
    written: PathBuf,
    real: PathBuf,
    root: Arc<Root>,
}

impl Folder {
    fn new(path: &Path) -> io::Result<Self> {
        let written = std::path::absolute(path)?;
        let real = path.canonicalize()?;
        if !real.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Folder { written, root: Arc::new(Root::new(real.clone(), Links::Inside)), real })
    }

    /// What a program names by a path.
    fn named(&self, path: &Path) -> Named {
        match self.below(path) {
            Some(below) => Named::File(self.clone(), below),
            None => Named::Outside { named: shown(path), root: shown(&self.real) },
        }
    }

    /// A path as a program says it, relative to this root.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        if path.is_relative() {
            return Some(path.to_owned());
        }
        let below = path.strip_prefix(&self.written).or_else(|_| path.strip_prefix(&self.real)).ok()?;
        Some(below.to_owned())
    }
}

/// The names of the fields.
const SENDFILE: &str = "x-sendfile";
const ACCEL: &str = "x-accel-redirect";

/// How much of a body beside a name is read, so that the program can end as if it had been sent; beyond, it is cut off.
const UNREAD_BYTES: usize = 64 << 10;

impl<A> NamedFiles<A> {
    /// `app`, whose names of files count for nothing yet: the fields are taken off and logged.
    pub fn new(app: A) -> Self {
        NamedFiles { app, sendfile: None, accel: Vec::new() }
    }

    /// Lets `X-Sendfile` name files below `root`. Default none.
    ///
    /// # Errors
    /// The folder is not there, or is none.
    pub fn sendfile(mut self, root: impl AsRef<Path>) -> io::Result<Self> {
        self.sendfile = Some(Folder::new(root.as_ref())?);
        Ok(self)
    }

    /// Lets `X-Accel-Redirect` name files below `root` by paths that begin with `prefix`; the longest prefix counts. Default
    /// none. Other than nginx, no other mount is asked.
    ///
    /// # Errors
    /// The folder is not there, or is none.
    pub fn accel(mut self, prefix: Prefix, root: impl AsRef<Path>) -> io::Result<Self> {
        self.accel.push((prefix, Folder::new(root.as_ref())?));
        Ok(self)
    }

    /// Takes the fields off, and finds the file that they name.
    fn named(&self, fields: &mut Headers) -> Option<Named> {
        if !fields.iter().any(|(name, _)| matches!(name.as_str(), SENDFILE | ACCEL)) {
            return None;
        }
        let (sendfile, accel) = (take(fields, SENDFILE), take(fields, ACCEL));
        match (&self.sendfile, self.accel.as_slice(), sendfile, accel) {
            (_, [_, ..], _, Some(value)) => Some(self.by_url(value.as_bytes())),
            (Some(folder), _, Some(value), _) => {
                let path = Path::new(OsStr::from_bytes(value.as_bytes()));
                Some(folder.named(path))
            }
            (_, _, None, None) => None,
            (_, _, sendfile, _) => {
                let (field, key) = if sendfile.is_some() { (SENDFILE, "sendfile") } else { (ACCEL, "accel") };
                tracing::warn!(
                    field,
                    key,
                    "a program names a file, but the mount has no such key; the field is dropped"
                );
                None
            }
        }
    }

    fn by_url(&self, url: &[u8]) -> Named {
        let path = url.split(|byte| *byte == b'?').next().unwrap_or_default();
        let outside = || {
            let prefixes: Vec<String> = self.accel.iter().map(|(prefix, _)| prefix.to_string()).collect();
            Named::Outside { named: url.escape_ascii().to_string(), root: prefixes.join(", ") }
        };
        let Ok(path) = RequestPath::decode(path) else { return outside() };
        let mounted = self.accel.iter().filter_map(|(prefix, folder)| Some((prefix, folder, prefix.strip(&path)?)));
        let Some((_, folder, rest)) = mounted.max_by_key(|(prefix, ..)| prefix.script_name().len()) else {
            return outside();
        };
        let below = rest.strip_prefix(b"/").unwrap_or(rest);
        Named::File(folder.clone(), PathBuf::from(OsStr::from_bytes(below)))
    }
}

/// What a program names.
enum Named {
    File(Folder, PathBuf),
    /// Nothing that it may: what it said, and below what it may name files. For the log.
    Outside {
        named: String,
        root: String,
    },
}

fn take(fields: &mut Headers, name: &str) -> Option<HeaderValue> {
    let value = fields.get(name).cloned()?;
    fields.remove(name);
    Some(value)
}

impl<A: AsyncApplication> AsyncApplication for NamedFiles<A> {
    #[allow(clippy::manual_async_fn, reason = "the arguments of an async fn are moved once more when it begins")]
    fn call(
        &self,
        environ: Environ,
        input: InputStream,
    ) -> impl Future<Output = Result<AsyncResponse, AppError>> + Send {
        let is_configured = self.sendfile.is_some() || !self.accel.is_empty();
        let asked = is_configured.then(|| Box::new(Asked::of(&environ)));
        // In a box of its own, so that this future does not hold its room twice.
        let answered = self.app.call_boxed(environ, input);
        async move {
            let mut response = answered.await?;
            match self.named(&mut response.headers) {
                None => Ok(response),
                Some(named) => Box::pin(answer_named(named, response, asked)).await,
            }
        }
    }

    fn sends_interim(&self) -> bool {
        self.app.sends_interim()
    }
}

/// The answer to a program's answer that names a file.
async fn answer_named(
    named: Named,
    response: AsyncResponse,
    asked: Option<Box<Asked>>,
) -> Result<AsyncResponse, AppError> {
    let AsyncResponse { status, headers, body } = response;
    tokio::spawn(read_away(body));
    match open(named).await? {
        Some(Opened { file, metadata }) => Ok(file_answer(status, headers, asked, file, &metadata)),
        None => Ok(plain(StatusCode::NOT_FOUND, Headers::new())),
    }
}

/// HTTP-195: what a condition says counts only where the answer would be a plain success.
fn file_answer(
    status: StatusCode,
    mut fields: Headers,
    asked: Option<Box<Asked>>,
    file: std::fs::File,
    metadata: &std::fs::Metadata,
) -> AsyncResponse {
    fields.remove("content-range");
    let is_plain = status == StatusCode::OK;
    let asked = asked.map(|asked| if is_plain { *asked } else { asked.unconditional() }).unwrap_or_default();
    let mut answer = answer(file, metadata, fields, &asked);
    if !is_plain {
        answer.status = status;
    }
    answer
}

/// Opens what is named, if it is a file within its root. The client is told nothing of why not; the log is.
async fn open(named: Named) -> Result<Option<Opened>, AppError> {
    let (folder, below) = match named {
        Named::File(folder, below) => (folder, below),
        Named::Outside { named, root } => {
            tracing::warn!(path = named, root, "a program names a file outside the root of its mount");
            return Ok(None);
        }
    };
    let (path, root) = (shown(&below), shown(&folder.real));
    match folder.root.open(below).await {
        Ok(opened) if opened.metadata.is_file() => Ok(Some(opened)),
        Ok(_) => {
            tracing::warn!(path, root, "a program names what is no regular file");
            Ok(None)
        }
        Err(error) if is_absence(&error) => {
            tracing::warn!(path, root, %error, "a program names a file that is not there, or not for it");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// A path in the log, without what could forge a line of it.
fn shown(path: &Path) -> String {
    path.as_os_str().as_bytes().escape_ascii().to_string()
}

/// Lets the program come to its end: it has done its work, and only its words are not wanted.
async fn read_away(mut body: BodyStream) {
    let mut read = 0;
    while let Some(Ok(piece)) = body.next().await {
        read += piece.len();
        if read > UNREAD_BYTES {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(app: &NamedFiles<()>, field: &str, value: &str) -> Option<Option<String>> {
        let mut fields = Headers::new();
        fields.append(field.to_owned(), value.to_owned()).append("content-type", "text/plain");
        let named = app.named(&mut fields);
        assert_eq!(fields.len(), 1, "the field is taken off");
        named.map(|named| match named {
            Named::File(_, below) => Some(below.display().to_string()),
            Named::Outside { .. } => None,
        })
    }

    #[test]
    fn names_are_relative_to_the_root_that_was_configured() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("deep")).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&root, &link).unwrap();
        let app = NamedFiles::new(()).sendfile(&link).unwrap();
        let app = app.accel("/p".parse().unwrap(), &root).unwrap();
        let app = app.accel("/p/deep".parse().unwrap(), root.join("deep")).unwrap();
        let rows = [
            (SENDFILE, format!("{}/a b%20.txt", link.display()), Some("a b%20.txt")),
            (SENDFILE, format!("{}/x", root.display()), Some("x")),
            (SENDFILE, "x/y".to_owned(), Some("x/y")),
            (SENDFILE, "/etc/passwd".to_owned(), None),
            (SENDFILE, format!("{}x", root.display()), None),
            (ACCEL, "/p/a%20b.txt?query".to_owned(), Some("a b.txt")),
            (ACCEL, "/p/deep/x".to_owned(), Some("x")),
            (ACCEL, "/p".to_owned(), Some("")),
            (ACCEL, "/pp/x".to_owned(), None),
            (ACCEL, "/other".to_owned(), None),
            (ACCEL, "/p/../x".to_owned(), None),
            (ACCEL, "/p/%2e%2e/x".to_owned(), None),
            (ACCEL, "/p/%00".to_owned(), None),
            (ACCEL, "p/x".to_owned(), None),
            (ACCEL, "@named".to_owned(), None),
        ];
        for (field, value, expected) in rows {
            assert_eq!(named(&app, field, &value), Some(expected.map(str::to_owned)), "{field}: {value}");
        }
    }

    #[test]
    fn without_a_root_the_fields_are_dropped() {
        let app = NamedFiles::new(());
        assert_eq!(named(&app, SENDFILE, "/etc/passwd"), None);
        assert_eq!(named(&app, ACCEL, "/etc/passwd"), None);
        let folder = tempfile::tempdir().unwrap();
        let only_sendfile = NamedFiles::new(()).sendfile(folder.path()).unwrap();
        assert_eq!(named(&only_sendfile, ACCEL, "/x"), None);
    }
}
