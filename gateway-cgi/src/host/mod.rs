//! The host side: programs run as an asynchronous application on tokio (RFC 3875; feature `host`).
//!
//! Holds [`Cgi`] and its [`Config`]. Does not hold HTTP: whoever serves connections calls a `Cgi` like any other
//! [`AsyncApplication`].
//!
//! What RFC 3875 leaves to the implementation (CGI-15) is done like this:
//!
//! | matter | here |
//! | --- | --- |
//! | start | a clone that shares the server's memory until it is the program, so no page table is copied; a process group of its own; descriptors 0, 1 and 2 only; the thread that starts it waits until it is loaded |
//! | working directory | the program's own (CGI-141) |
//! | environment | the request's variables ([`crate::variables`]), PATH and TZ, and what [`Config::inherit`] names (CGI-176) |
//! | command line | never from the request (CGI-84); with an [`Interpreter`] the script's absolute path |
//! | what may run | a regular file that is executable, or whose extension has an [`Interpreter`]; else 403 (CGI-184) |
//! | SCRIPT_NAME | one file: as the server set it; a directory: up to the first file on the path (CGI-37); named by the request: see [`Cgi::named_by_request`] |
//! | a path that ends with a directory | its [`Config::index_names`], with their name in SCRIPT_NAME (CGI-5); without the slash 308 to it |
//! | SERVER_NAME, SERVER_PORT | the environ's, or canonical ones ([`MetaVariables::server_name`](crate::variables::MetaVariables::server_name)); a listener on a UNIX socket has no port and takes the client's, else 80 (CGI-38, CGI-39) |
//! | `..`, `.`, empty segments, names with a leading dot, `%2F`, links out of the directory | 404 (CGI-28, CGI-150, CGI-157); [`Links::Anywhere`] allows the last |
//! | TRACE, CONNECT | 405; never reach a program (CGI-75) |
//! | WebSocket handshake | 501; other upgrades are passed over (CGI-57, RFC 9110 §7.8) |
//! | body of unknown length | [`UnknownLength`]: kept until its end, up to a limit, then 413; or 411; or streamed (CGI-65) |
//! | content codings of a body | left as they are (CGI-66) |
//! | variables longer than the system takes | 431 (CGI-180) |
//! | a full house | waits for [`Config::queue_timeout`], then 503 with Retry-After (CGI-183); places of a program, of a host, of several hosts |
//! | standard error | the request's error stream, by line, bounded (CGI-178) |
//! | invalid, no or partial output | 502 (CGI-2, CGI-100, CGI-104) |
//! | silence, too long a run | 504, or a broken response; SIGTERM, then SIGKILL, to the group (CGI-102, CGI-179) |
//! | client gone | SIGTERM, then SIGKILL, to the group (CGI-179) |
//! | answer to HEAD, 204, 304 | the program's body is read and dropped, up to a limit (CGI-73, CGI-132) |
//! | end without a declared length | whole if the exit code is 0, else broken off ([`FailedExit`]) |
//! | children that outlive the program | not waited for longer than [`Config::linger`]; left alone after a normal end |
//! | NPH programs | [`Nph`]: where chosen, a complete response is read, checked and sent on in our own framing (CGI-90 … CGI-95, CGI-186) |
//! | query as arguments (ISINDEX) | not supported (CGI-84) |
//! | local redirect | [`Cgi::local_redirects_to`], at most [`MAX_REDIRECTS`](crate::redirect::MAX_REDIRECTS) in a row, none to itself; GET, or HEAD after HEAD (CGI-108, CGI-109, CGI-112) |

mod activity;
mod answer;
mod beyond;
mod body;
mod config;
mod confine;
mod error;
mod finding;
mod interpreters;
mod named;
mod pieces;
mod places;
mod process;
mod resident;
mod run;
mod script;
mod spawn;
mod stderr;

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, BodyStream, DynAsyncApplication, Environ, Hops, InputStream,
};
use tracing::Instrument;

use crate::head::{ProgramHead, ResponseKind};
use crate::redirect::redirected;
use body::RequestBody;
use named::Roots;
use pieces::Pieces;
use places::Places;
use run::Run;
use script::{Script, Scripts};
use spawn::Program;

pub use crate::redirect::RedirectError;
pub use body::UnknownLength;
pub use config::{Config, FailedExit};
pub use confine::{Confinement, Resource};
pub use error::HostError;
pub use finding::{Links, Nph};
pub use interpreters::Interpreter;
pub use places::{Crowd, SharedPlaces};
pub use process::Exit;
pub use resident::{Resident, Running};

/// Runs CGI programs: one file, or those in a directory. It is an application, so any gateway can serve it.
///
/// Clones share their places ([`Config::max_children`]). Making one marks the descriptors that this process has inherited
/// as its own, so that no program gets them (CGI-177).
///
/// # Errors
/// Every error of a call is a [`GatewayError`](gateway_spec::GatewayError) with the status of a [`HostError`].
///
/// # Examples
/// ```
/// use gateway_cgi::host::{Cgi, Config};
/// use gateway_spec::{AsyncApplication, Environ, InputStream};
/// # use std::os::unix::fs::PermissionsExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let directory = tempfile::tempdir()?;
/// let script = directory.path().join("hello");
/// std::fs::write(&script, "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nHello, World!\\n'\n")?;
/// std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
///
/// let cgi = Cgi::directory(&directory, Config::new())?;
/// let mut response = cgi.call(Environ::example("GET", "/hello"), InputStream::empty()).await?;
/// assert_eq!(response.status, 200);
/// assert_eq!(response.body.next().await.transpose()?.as_deref(), Some(&b"Hello, World!\n"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Cgi {
    scripts: Scripts,
    config: Arc<Config>,
    places: Arc<Places>,
    /// Variables of this process that programs get, as they were when this host was made.
    inherited: Arc<[(Vec<u8>, Vec<u8>)]>,
    local: Option<Arc<dyn DynAsyncApplication>>,
}

impl Cgi {
    /// One program, which answers every path: SCRIPT_NAME and PATH_INFO stay as they are.
    ///
    /// # Errors
    /// The file is not there, is no regular file, or is not executable and has no interpreter.
    pub fn file(path: impl AsRef<Path>, config: Config) -> io::Result<Self> {
        Ok(Self::new(Scripts::file(path.as_ref(), &config.finding)?, config))
    }

    /// The programs in a directory and below: PATH_INFO names one, and what follows becomes its PATH_INFO.
    ///
    /// # Errors
    /// The directory is not there, or is none.
    pub fn directory(path: impl AsRef<Path>, config: Config) -> io::Result<Self> {
        Ok(Self::new(Scripts::directory(path.as_ref())?, config))
    }

    /// The programs that requests name themselves: for a host behind a FastCGI server, whose configuration says what to run.
    ///
    /// SCRIPT_FILENAME is the program's path; SCRIPT_NAME and PATH_INFO stay as they are then. Without it the program is the
    /// first file on the way of SCRIPT_NAME and PATH_INFO from DOCUMENT_ROOT, and the rest becomes PATH_INFO. It starts in its
    /// own directory, or in FCGI_CHDIR; `-` there means the directory of this process.
    ///
    /// Whoever can send a request names a file, so only executable files run that are below one of `roots` after all links
    /// are followed, or are one of them, and that are not hidden there. Others are answered with 403 or 404.
    ///
    /// # Errors
    /// A root is not there.
    ///
    /// # Examples
    /// ```
    /// use gateway_cgi::host::{Cgi, Config};
    /// use gateway_spec::{AsyncApplication, Environ, GatewayError, InputStream};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// # let directory = tempfile::tempdir()?;
    /// let cgi = Cgi::named_by_request([&directory], Config::new())?;
    /// let mut environ = Environ::example("GET", "/");
    /// environ.set("SCRIPT_FILENAME", "/bin/sh")?;
    /// let refused = cgi.call(environ, InputStream::empty()).await.expect_err("outside the root");
    /// assert!(refused.downcast_ref::<GatewayError>().is_some_and(|error| error.status() == 403));
    /// # Ok(())
    /// # }
    /// ```
    pub fn named_by_request(roots: impl IntoIterator<Item = impl AsRef<Path>>, config: Config) -> io::Result<Self> {
        Ok(Self::new(Scripts::Named(Roots::new(roots)?), config))
    }

    fn new(scripts: Scripts, config: Config) -> Self {
        crate::descriptors::keep_private();
        let places = Arc::new(Places::new(&config));
        let inherited = |name: &OsString| Some((name.as_bytes().to_vec(), std::env::var_os(name)?.into_vec()));
        let inherited = config.inherited.iter().filter_map(inherited).collect();
        Cgi { scripts, config: Arc::new(config), places, inherited, local: None }
    }

    /// Says who answers local redirects: most often the server's table of mounts, which knows every path. Without it
    /// such an answer is a 502.
    #[must_use]
    pub fn local_redirects_to(mut self, app: Arc<dyn DynAsyncApplication>) -> Self {
        self.local = Some(app);
        self
    }

    /// How many programs run right now, of all clones together; a place that is waited for elsewhere may be counted for a moment.
    pub fn running(&self) -> usize {
        self.places.taken()
    }

    /// Starts the program and waits for its head.
    async fn run(&self, environ: &mut Environ, input: InputStream) -> Result<(ProgramHead, Pieces), HostError> {
        beyond::check_method(environ)?;
        let config = &self.config;
        let script = self.scripts.find(environ, &config.finding)?;
        let body = RequestBody::prepare(environ.content_length(), input, config).await?;
        let program = self.program(&script, environ, body.length);
        let (answer, receiver) = answer::channel(config.finding.form(&script.path), environ.request_method() == "HEAD");
        let errors = environ.errors.clone();
        let hops = environ.extensions.get::<Hops>().cloned();
        let noted = hops.map(|hops| (hops, Instant::now()));
        let permit = self.places.take(&script.path, config.queue_timeout).await?;
        let noted = noted.map(|(hops, began)| {
            hops.waited(began.elapsed());
            hops.asked(script.path.to_string_lossy());
            (hops, Instant::now())
        });
        let (stdin, input) = body.into_stdin();
        let has_body = input.is_some();
        let run = Run { program, stdin, input, errors, config: config.clone(), permit };
        let name = environ.script_name().to_string();
        let mut pieces = Pieces::new(name, receiver, run.supervise(answer).in_current_span());
        if has_body {
            pieces.let_go();
        }
        let head = pieces.head().await?;
        if let Some((hops, began)) = noted {
            hops.answered(script.path.to_string_lossy(), began.elapsed());
        }
        Ok((head, pieces))
    }

    /// What is started, with its whole environment (CGI-140, CGI-141, CGI-176).
    fn program(&self, script: &Script, environ: &Environ, body: Option<u64>) -> Program {
        let file = script.path.as_os_str().as_bytes();
        let mut program = match self.config.finding.interpreters.of(&script.path) {
            None => Program::new(&script.path),
            Some(interpreter) => {
                let mut program = Program::new(&interpreter.program);
                interpreter.arguments.iter().for_each(|argument| program.argument(argument.as_bytes()));
                program.argument(file);
                program.called(file);
                program
            }
        };
        self.config.arguments.iter().for_each(|argument| program.argument(argument.as_bytes()));
        for (name, value) in self.inherited.iter() {
            program.variable(name, value);
        }
        let variables = crate::variables::Script { filename: Some(file), document_root: None };
        self.config.variables.for_each_of(variables, environ, body, |name, value| {
            // No request can put another PATH in the place of the gateway's.
            if !self.inherited.iter().any(|(inherited, _)| inherited == name) {
                program.variable(name, value);
            }
        });
        let directory = self.config.confinement.directory.as_deref();
        if let Some(directory) = directory.or_else(|| self.scripts.working_directory(script, environ)) {
            program.directory(directory);
        }
        program
    }

    /// Answers with what a request for `target` gives (CGI-108).
    async fn follow(&self, from: Environ, target: &str) -> Result<AsyncResponse, AppError> {
        let script = from.script_name().to_string();
        let refused = |why| HostError::Redirect { target: target.to_owned(), why }.into_app_error(&script);
        let local = self.local.as_ref().ok_or_else(|| refused(RedirectError::NowhereToGo))?;
        let environ = redirected(&from, target).map_err(refused)?;
        drop(from);
        local.call_boxed(environ, InputStream::empty()).await
    }
}

impl AsyncApplication for Cgi {
    async fn call(&self, mut environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        if let Some(refusal) = beyond::no_websocket(&environ) {
            return Ok(refusal);
        }
        let (head, pieces) = match self.run(&mut environ, input).await {
            Err(HostError::NoSlash) => return Ok(beyond::with_slash(&environ)),
            other => other.map_err(|error| error.into_app_error(&environ.script_name().to_string()))?,
        };
        if let ResponseKind::LocalRedirect { target } = &head.kind {
            drop(pieces);
            return self.follow(environ, target).await;
        }
        let ProgramHead { status, headers, content_length, .. } = head;
        let body = BodyStream::new(pieces);
        // A length belongs to the body only where there is one: the answer to HEAD may declare what it does not have.
        let bodiless = environ.request_method() == "HEAD" || matches!(status.as_u16(), 204 | 304);
        let body = match content_length {
            Some(length) if !bodiless => body.with_length(length),
            _ => body,
        };
        Ok(AsyncResponse { status, headers, body })
    }
}

impl std::fmt::Debug for Cgi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cgi").field("scripts", &self.scripts).field("config", &self.config).finish_non_exhaustive()
    }
}
