//! A PHP site: scripts for php-fpm and files, in one folder.
//!
//! Holds who answers a path. Does not hold the look at the disk ([`Tree`]), the workers ([`Client`]) or how a file is sent
//! ([`StaticFiles`]).
//!
//! | asked for | answer |
//! | --- | --- |
//! | `/x.php`, `/x.php/more` | the script, if it is there; `/more` is its PATH_INFO |
//! | another file that is there | the file |
//! | `/folder/` | its `index.php`, else its `index.html` |
//! | `/folder` that has one of these | a redirect to `/folder/` |
//! | all else: no such file, `/photo.jpg/x.php`, a folder without an index | the fallback if there is one, else 404 |
//! | a name that starts with a dot, anywhere; but for `/.well-known` | 404, fallback or not |
//! | what is denied, and below | 404, fallback or not |
//! | a file that may be source: `.PHP`, `.phtml`, `.inc`, `.php~`, `.php.bak` | 404, fallback or not |
//! | a script in a folder that has none | 404, fallback or not |
//! | a link that leads out of the folder | as if it were not there, unless [`Links::Anywhere`] |

mod names;

use std::path::PathBuf;

use gateway_fastcgi::client::{Client, Found, Script, Tree};
use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, Environ, GatewayError, InputStream, StatusCode, headers,
};

use super::files::{is_hidden, not_found};
use super::{Links, RequestPath, StaticFiles, encode_path};

/// The scripts and files of a folder, scripts answered by FastCGI workers.
///
/// # Examples
/// ```
/// use gateway_fastcgi::client::{Client, Config};
/// use gateway_server::mount::PhpSite;
///
/// let php = Client::new("unix:/run/php/php-fpm.sock".parse()?, Config::default());
/// let blog = PhpSite::new("/srv/blog", php).fallback("/index.php").deny("/cache");
/// # let _ = blog;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PhpSite {
    client: Client,
    tree: Tree,
    fallback: Option<String>,
    denied: Vec<String>,
    without_scripts: Vec<String>,
}

/// Who answers a path.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Script(Script),
    File {
        root: PathBuf,
        path: Vec<u8>,
    },
    /// Relative links of the index need the slash.
    WithSlash,
    Nobody,
}

impl PhpSite {
    /// The scripts and files in `root` and below. The client needs no root of its own: the site finds the scripts.
    pub fn new(root: impl Into<PathBuf>, client: Client) -> Self {
        Self::of(Tree::new(root).index(["index.php", "index.html"]), client)
    }

    /// The scripts and files of a tree.
    pub fn of(tree: Tree, client: Client) -> Self {
        PhpSite { client, tree, fallback: None, denied: Vec::new(), without_scripts: Vec::new() }
    }

    /// What answers where nothing is: a path such as `/index.php`, the front controller of WordPress, Laravel, Symfony and
    /// others. The query is kept, PATH_INFO is empty, REQUEST_URI tells the path that was asked for. Default none: 404.
    #[must_use]
    pub fn fallback(mut self, path: impl Into<String>) -> Self {
        self.fallback = Some(path.into());
        self
    }

    /// A file or folder that is not for the world, by its path below the root. Upper and lower case are one, since a file
    /// system may take them for one. Default none.
    #[must_use]
    pub fn deny(mut self, path: impl Into<String>) -> Self {
        self.denied.push(path.into());
        self
    }

    /// A folder in which nothing is a script, by its path below the root: visitors may upload files there. Default none.
    #[must_use]
    pub fn no_scripts(mut self, path: impl Into<String>) -> Self {
        self.without_scripts.push(path.into());
        self
    }

    /// Asks the disk.
    fn look(&self, path: &[u8]) -> Answer {
        if self.denied.iter().any(|denied| is_below(path, denied)) {
            return Answer::Nobody;
        }
        // The mount itself is a folder.
        let found = self.tree.locate(if path.is_empty() { b"/" } else { path });
        match found {
            Found::Script(_) | Found::File { .. } if path.is_empty() => Answer::WithSlash,
            Found::Folder => Answer::WithSlash,
            Found::Script(_) if self.without_scripts.iter().any(|folder| is_below(path, folder)) => Answer::Nobody,
            Found::Nothing if !is_hidden(path) => self.instead(),
            found => answer(found),
        }
    }

    /// The fallback's answer, whatever was asked for.
    fn instead(&self) -> Answer {
        let Some(fallback) = &self.fallback else { return Answer::Nobody };
        match self.tree.locate(fallback.as_bytes()) {
            Found::Script(script) => Answer::Script(script.without_path_info()),
            found => answer(found),
        }
    }

    async fn answer(&self, mut environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        let path = environ.path_info().as_bytes().to_vec();
        if !path.is_empty() {
            RequestPath::from_decoded(&path).map_err(refused)?;
        }
        // A disk may be slow, so it is not asked on this thread.
        let site = self.clone();
        let answer = tokio::task::spawn_blocking(move || site.look(&path)).await?;
        match answer {
            Answer::Script(script) => self.client.run(script, environ, input).await,
            Answer::File { root, path } => {
                environ.set("PATH_INFO", path)?;
                // Where links lead has been looked at.
                StaticFiles::new_in(root).links(Links::Anywhere).index(false).call(environ, input).await
            }
            Answer::WithSlash => Ok(with_slash(&environ)),
            Answer::Nobody => Ok(not_found()),
        }
    }
}

/// What was found, as it is answered; source is for nobody.
fn answer(found: Found) -> Answer {
    match found {
        Found::Script(script) => Answer::Script(script),
        Found::File { path, .. } if names::is_source(name_of(&path)) => Answer::Nobody,
        Found::File { root, path } => Answer::File { root, path },
        _ => Answer::Nobody,
    }
}

fn name_of(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Whether a path is this one or leads below it, by whole segments.
fn is_below(path: &[u8], above: &str) -> bool {
    let segments = |path| <[u8]>::split(path, |byte| *byte == b'/').filter(|segment| !segment.is_empty());
    let mut path = segments(path);
    segments(above.as_bytes()).all(|wanted| path.next().is_some_and(|segment| segment.eq_ignore_ascii_case(wanted)))
}

fn with_slash(environ: &Environ) -> AsyncResponse {
    let path = [environ.script_name().as_bytes(), environ.path_info().as_bytes()].concat();
    let query = environ.query_string();
    let mut location = format!("{}/", encode_path(&path)).into_bytes();
    if !query.is_empty() {
        location.push(b'?');
        location.extend_from_slice(&query);
    }
    AsyncResponse::new(StatusCode::PERMANENT_REDIRECT, headers!["location" => location], "")
}

fn refused(error: super::PathError) -> AppError {
    GatewayError::new(error.status(), "the path is refused").caused_by(error).into()
}

impl AsyncApplication for PhpSite {
    async fn call(&self, environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        self.answer(environ, input).await
    }
}
