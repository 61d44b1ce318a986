//! The client: asks FastCGI workers, as an asynchronous application of the outer gateway (FastCGI 1.0 §6.2; feature `client`).
//!
//! Holds the upstreams, the pool of connections to each, and what a worker's answer means. Does not hold the order of records
//! ([`crate::connection`]), the choice of variables and the header block (gateway-cgi, which CGI programs share), or the
//! processes behind an address (`crate::manager`).
//!
//! What the specification leaves open is done like this; `docs/decisions/0021-client-pool.md` says why:
//!
//! | matter | here |
//! | --- | --- |
//! | requests per connection | one at a time, id 1 always; with [`Config::multiplex`] several if the worker says so (FCGI-30) |
//! | GET_VALUES | asked in the background when the answer matters, on a connection that is thrown away (FCGI-59) |
//! | KEEP_CONN | on at most [`Config::max_kept`] connections, since each holds a process of php-fpm (FCGI-118) |
//! | both directions | at once, in the task of the caller, as fast as the slower side takes (FCGI-116) |
//! | body of unknown length | received in full first, then sent with its true length (CGI-65) |
//! | abort | by closing; php-fpm and libfcgi know no other way; on a shared connection by ABORT_REQUEST (FCGI-80) |
//! | a slow reader of an answer | slows its worker; on a shared connection [`Config::max_window_bytes`] are held, then it is aborted |
//! | several upstreams | the one with the fewest requests; one that fails is out, and tried again with growing pauses |
//! | a connection that turns out dead | asked anew, see below (FCGI-117) |
//! | OVERLOADED, CANT_MPX_CONN | another upstream, else 503 with Retry-After; UNKNOWN_ROLE 502 (FCGI-82) |
//! | no answer in time | 504; after the head, a broken response |
//! | end of the connection before END_REQUEST | 502; after the head, a broken response, never a clean end |
//! | error output | the request's error stream, by line, bounded (FCGI-83) |
//! | local redirect | [`Client::local_redirects_to`] (CGI-108); without it passed to the client as 302, like nginx does (CGI-113) |
//!
//! A request is sent again, [`Config::max_tries`] times in all, only if what was taken of its body is still there and
//! - there was no connection, or the worker said that it has not run it: at another upstream, never twice at the same; or
//! - the connection was lost before a byte of output came, and either nothing was sent or the method is idempotent (RFC 9110
//!   §9.2.2): on a fresh connection if it was a kept one, else better at another upstream. A worker that was killed under a
//!   request is such a case.
//!
//! Never after a time limit: then the worker is alive, and at work.

mod alone;
mod authorizer;
mod balance;
mod config;
mod conversation;
mod error;
mod error_log;
mod health;
mod mailbox;
mod patience;
mod places;
mod pool;
mod request_body;
mod response;
mod script;
mod shared;
mod sharing;
mod together;
mod upstreams;
mod values;
mod variables;
mod wire;

use std::fmt;
use std::sync::Arc;

use gateway_cgi::redirect::redirected;
use gateway_cgi::spool::Spool;
use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, DynAsyncApplication, Environ, ErrorStream, Hops, InputStream,
};

use crate::net::Address;
use crate::protocol::Role;
pub use authorizer::{Authorizer, Protected};
pub use balance::MAX_UPSTREAMS;
pub use config::Config;
pub use error::ClientError;
use pool::Look;
use request_body::RequestBody;
use response::{BodyWanted, ResponseBody};
pub use script::{Found, Script, Tree};
use tokio::time::Instant;
pub use upstreams::UpstreamStatus;
use upstreams::Upstreams;
pub use variables::ParamSet;
use variables::Variables;

/// An application that has its requests answered by FastCGI workers, behind one address or several.
///
/// Clones share their connections.
///
/// # Errors
/// Every error of a call is a [`GatewayError`](gateway_spec::GatewayError) with the status of a [`ClientError`], or the
/// error of the request's own input, untouched.
///
/// # Examples
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// use gateway_fastcgi::client::{Client, Config};
/// use gateway_spec::{AsyncApplication, Environ, InputStream};
///
/// let php = Client::new("unix:/run/php/php-fpm.sock".parse()?, Config::default().root("/srv/www"));
/// let mut response = php.call(Environ::example("GET", "/index.php"), InputStream::empty()).await?;
/// while let Some(piece) = response.body.next().await {
///     println!("{} bytes", piece?.len());
/// }
/// # Ok(()) }
/// ```
///
/// In a program made with axum or anything else that speaks tower, by the feature `tower` of gateway-spec; `examples/axum.rs` is
/// such a program as a whole:
/// ```
/// # async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// use gateway_fastcgi::client::{Client, Config};
/// use gateway_spec::tower::AppService;
///
/// let client = Client::new("unix:/run/php/php-fpm.sock".parse()?, Config::default().root("/srv/www"));
/// let site: axum::Router = axum::Router::new().nest_service("/php", AppService::new(client).script_name("/php"));
/// # drop(site); Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    config: Arc<Config>,
    upstreams: Arc<Upstreams>,
    local: Option<Arc<dyn DynAsyncApplication>>,
}

impl Client {
    /// A client for the workers at `address`. Nothing is connected yet.
    pub fn new(address: Address, config: Config) -> Self {
        let config = Arc::new(config);
        Self { upstreams: Arc::new(Upstreams::new(vec![address], &config)), config, local: None }
    }

    /// One more address with workers that do the same; at most [`MAX_UPSTREAMS`] in all; more are ignored. Clones made before do not know it.
    ///
    /// # Examples
    /// ```
    /// use gateway_fastcgi::client::{Client, Config};
    ///
    /// let here = Client::new("unix:/run/app.sock".parse()?, Config::default());
    /// let both = here.and_upstream("tcp:10.0.0.2:9000".parse()?);
    /// assert_eq!(both.addresses().count(), 2);
    /// # Ok::<(), gateway_fastcgi::net::AddressError>(())
    /// ```
    #[must_use]
    pub fn and_upstream(mut self, address: Address) -> Self {
        let addresses = self.addresses().cloned().chain([address]).take(MAX_UPSTREAMS).collect();
        self.upstreams = Arc::new(Upstreams::new(addresses, &self.config));
        self
    }

    /// Says who answers local redirects: most often the server's table of mounts, which knows every path. Without it such
    /// an answer is a 302 for the client.
    #[must_use]
    pub fn local_redirects_to(mut self, app: Arc<dyn DynAsyncApplication>) -> Self {
        self.local = Some(app);
        self
    }

    /// Closes the connections that are kept, and keeps none from now on: to be called before workers are stopped, because
    /// php-cgi does not end while it has a connection.
    pub fn close_kept(&self) {
        self.upstreams.pools().for_each(|pool| pool.close_kept());
    }

    /// Where the workers are, at least at one address.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.upstreams.pools().map(|pool| pool.address())
    }

    /// Whether requests to an upstream share connections by now: the worker has to say first that it can do that.
    pub fn is_multiplexing(&self) -> bool {
        self.upstreams.pools().any(|pool| pool.is_multiplexing())
    }

    /// How many connections are kept open without a request on them.
    pub fn idle_connections(&self) -> usize {
        self.upstreams.pools().map(|pool| pool.idle_connections()).sum()
    }

    /// What each upstream is doing, in the order in which they were added.
    pub fn statuses(&self) -> Vec<UpstreamStatus> {
        self.upstreams.statuses()
    }

    /// How many requests wait for a place at an upstream.
    pub fn waiting(&self) -> usize {
        self.upstreams.waiting()
    }

    /// Has a script that was found already answer the request, whose PATH_INFO is the path that it was found by.
    ///
    /// # Errors
    /// As [`Client::call`](AsyncApplication::call).
    pub async fn run(
        &self,
        script: Script,
        mut environ: Environ,
        input: InputStream,
    ) -> Result<AsyncResponse, AppError> {
        let place = script.place(&mut environ).map_err(ClientError::into_app_error)?;
        self.answer(Some(Box::new(place)), &mut environ, input).await
    }

    async fn answer(
        &self,
        script: Option<Box<script::Place>>,
        environ: &mut Environ,
        input: InputStream,
    ) -> Result<AsyncResponse, AppError> {
        let (body, length) = match sized(environ.content_length(), input) {
            Ok(sized) => sized,
            Err(input) => Box::pin(self.spooled(input)).await.map_err(ClientError::into_app_error)?,
        };
        let (request, wanted) = self.request(script.as_deref(), environ, length);
        let answered = self.upstreams.ask(&request, body).await.map_err(ClientError::into_app_error)?;
        let (conversation, mut head, start) = answered;
        if let (Some(local), Some(target)) = (&self.local, &head.local_redirect) {
            let second = redirected(environ, target).map_err(|why| ClientError::Redirect(why).into_app_error())?;
            // CGI-107: it has no body, so only its end is waited for.
            drop(ResponseBody::new(conversation, start, &head, BodyWanted::No));
            return local.call_boxed(second, InputStream::empty()).await;
        }
        head.redirect_the_client();
        let body = ResponseBody::new(conversation, start, &head, wanted).into_stream();
        Ok(AsyncResponse::new(head.status, head.headers, body))
    }

    fn request(&self, script: Option<&script::Place>, environ: &Environ, length: Option<u64>) -> (Request, BodyWanted) {
        let method = environ.request_method();
        let wanted = if method == "HEAD" { BodyWanted::No } else { BodyWanted::Yes };
        let is_idempotent = is_idempotent(method.as_bytes());
        let request = Request {
            role: Role::RESPONDER,
            variables: Variables::choose(&self.config, script, environ, length),
            errors: environ.errors.clone(),
            hops: environ.extensions.get::<Hops>().cloned(),
            is_idempotent,
            look: if is_idempotent && length.is_none_or(|length| length == 0) { Look::Quick } else { Look::Careful },
            deadline: self.deadline(),
        };
        (request, wanted)
    }

    fn deadline(&self) -> Option<Instant> {
        self.config.total_timeout.and_then(|limit| Instant::now().checked_add(limit))
    }

    /// A body without a length would make a worker wait for ever or see nothing at all, so its length is found first.
    async fn spooled(&self, input: InputStream) -> Result<(RequestBody, Option<u64>), ClientError> {
        let spool = Spool::receive(input, &self.config.spool).await.map_err(ClientError::Spool)?;
        Ok((RequestBody::new(spool.stream()), Some(spool.length())))
    }
}

/// The request body and its length; `None` if no body accompanies the request (CGI-21). The input comes back if it has no length.
fn sized(declared: Option<u64>, input: InputStream) -> Result<(RequestBody, Option<u64>), InputStream> {
    match (input.length(), declared) {
        (Some(0), declared) => Ok((RequestBody::empty(), declared.map(|_| 0))),
        (Some(length), _) => Ok((RequestBody::new(input), Some(length))),
        // The stream does not know what the request declared, and is held to it here (FCGI-91).
        (None, Some(length)) => Ok((RequestBody::new(InputStream::new(input, Some(length))), Some(length))),
        (None, None) => Err(input),
    }
}

/// What is asked, without the body.
struct Request {
    role: Role,
    variables: Variables,
    errors: ErrorStream,
    /// Where it is noted who was asked, and when they answered.
    hops: Option<Hops>,
    is_idempotent: bool,
    look: Look,
    deadline: Option<Instant>,
}

/// RFC 9110 §9.2.2: asking twice does no more than asking once.
fn is_idempotent(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE")
}

impl AsyncApplication for Client {
    #[allow(clippy::manual_async_fn, reason = "the arguments of an async fn are moved once more when it begins")]
    fn call(
        &self,
        mut environ: Environ,
        input: InputStream,
    ) -> impl Future<Output = Result<AsyncResponse, AppError>> + Send {
        async move {
            let script = self.config.script.find(&mut environ).await.map_err(ClientError::into_app_error)?;
            self.answer(script, &mut environ, input).await
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("addresses", &self.addresses().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
