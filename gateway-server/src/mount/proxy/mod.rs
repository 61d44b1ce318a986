//! Another HTTP server as an application: a reverse proxy.
//!
//! Holds the way of one request to an upstream and of its answer back. The connection is hyper's; what is said on it is decided
//! here. Both bodies flow at once, piece by piece, as fast as the slower side takes them; nothing is stored.
//!
//! | file | holds |
//! | --- | --- |
//! | `upstream`, `config`, `error` | where, how, and why not |
//! | `request`, `forwarded`, `hops` | the head on its way out |
//! | `response` | the head on its way back |
//! | `body` | both bodies |
//! | `pool` | connections |
//! | `tunnel` | what a connection may become |
//!
//! A request is sent again only where that cannot do a thing twice (HTTP-178): if nothing of it was sent, or if it has no body, its
//! method is idempotent, and it met a kept connection that the upstream was just closing.

mod body;
mod config;
mod error;
mod forwarded;
mod hops;
mod pool;
mod request;
mod response;
mod tunnel;
mod upstream;

use std::fmt;
use std::sync::Arc;

use gateway_fastcgi::net::after;
use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, BodyStream, Environ, Hops, InputStream, StatusCode, headers,
};
use http::header::UPGRADE;
use http::{Method, Request, Response};
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout_at};

use body::{RequestBody, ResponseBody, Watch};
use error::{failed, with_causes};
use hops::{Forwards, Pseudonym};
use pool::{Lease, Pool};

use crate::serve::{Interim, Upgrade};

pub use config::{Paths, ProxyConfig, ProxyHost};
pub use error::ProxyError;
pub use upstream::{Upstream, UpstreamError};

/// An application that has its requests answered by another HTTP server.
///
/// Clones share their connections.
///
/// # Errors
/// Every error of a call is a [`GatewayError`](gateway_spec::GatewayError) with the status of a [`ProxyError`], or the error of the
/// request's own input, untouched.
///
/// # Examples
/// ```no_run
/// use gateway_server::mount::{Proxy, ProxyConfig};
/// use gateway_server::serve::Server;
///
/// let gunicorn = Proxy::new("http://127.0.0.1:8000".parse()?, ProxyConfig::default());
/// Server::asynchronous(gunicorn).bind("127.0.0.1:8080")?.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: RFC 9110 §7; requirements HTTP-52, HTTP-62, HTTP-128 to HTTP-131, HTTP-158, HTTP-159, HTTP-175 to HTTP-183.
#[derive(Clone)]
pub struct Proxy {
    inner: Arc<Inner>,
}

struct Inner {
    upstream: Upstream,
    config: ProxyConfig,
    pool: Arc<Pool>,
    pseudonym: Pseudonym,
}

impl Proxy {
    /// A proxy to `upstream`. Nothing is connected yet.
    pub fn new(upstream: Upstream, config: ProxyConfig) -> Self {
        let pool = Arc::new(Pool::new(upstream.clone(), config.clone()));
        Self { inner: Arc::new(Inner { upstream, config, pool, pseudonym: Pseudonym::new() }) }
    }

    /// Where requests go.
    pub fn upstream(&self) -> &Upstream {
        &self.inner.upstream
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("upstream", &self.inner.upstream).finish_non_exhaustive()
    }
}

impl AsyncApplication for Proxy {
    async fn call(&self, environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        let inner = &*self.inner;
        let deadline = inner.config.total_timeout.map(|limit| (after(limit), limit));
        let max_forwards = match hops::forwards(&environ).map_err(failed)? {
            Forwards::On(left) => left,
            Forwards::AnswerHere => return Ok(AsyncResponse::new(StatusCode::NO_CONTENT, headers![], "")),
        };
        let via = inner.pseudonym.via(&environ, || inner.pool.name()).map_err(failed)?;
        let (body, watch) = RequestBody::new(input, request::expects_continue(&environ));
        let mut request =
            request::request(&environ, body, &inner.config, &inner.upstream, &via, max_forwards).map_err(failed)?;
        let upgrade = environ.extensions.get::<Upgrade>().filter(|_| inner.config.upgrade);
        if let Some(offered) = upgrade.and_then(tunnel::offer) {
            tunnel::ask(request.headers_mut(), offered);
        }
        let is_head = request.method() == Method::HEAD;
        let interim = environ.extensions.get::<Interim>();
        let exchange = inner.exchange(request, &watch, interim, environ.extensions.get::<Hops>());
        let (response, lease) = match deadline {
            None => exchange.await?,
            Some((ends, limit)) => timeout_at(ends, exchange)
                .await
                .map_err(|_| failed(ProxyError::TotalTimeout { upstream: inner.pool.name(), limit }))??,
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return inner.tunnel(response, lease, upgrade).map_err(failed);
        }
        inner.answer(response, lease, is_head, deadline).map_err(failed)
    }

    fn sends_interim(&self) -> bool {
        true
    }
}

impl Inner {
    /// Sends a request and waits for the head of its answer.
    async fn exchange(
        &self,
        request: Request<RequestBody>,
        watch: &Arc<Watch>,
        interim: Option<&Interim>,
        hops: Option<&Hops>,
    ) -> Result<(Response<Incoming>, Lease), AppError> {
        let began = Instant::now();
        let mut lease = self.pool.lease().await.map_err(failed)?;
        let asked = hops.map(|hops| {
            hops.waited(began.elapsed());
            hops.asked(self.pool.name());
            (hops, Instant::now())
        });
        let told = |answered: (Response<Incoming>, Lease)| {
            if let Some((hops, began)) = asked {
                hops.answered(self.pool.name(), began.elapsed());
            }
            answered
        };
        let may_be_repeated = lease.is_reused() && request.body().is_empty() && is_idempotent(request.method());
        let spare = may_be_repeated.then(|| request::copy_of_head(&request));
        let trouble = match self.send(&mut lease, request, watch, interim).await {
            Ok(response) => return Ok(told((response, lease))),
            Err(trouble) => trouble,
        };
        let again = match (trouble, spare) {
            (Trouble::Unsent(request), _) if lease.is_reused() => *request,
            (Trouble::Closed(_), Some((method, uri, fields))) => {
                let mut request = Request::new(RequestBody::new(InputStream::empty(), false).0);
                (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, fields);
                request
            }
            (trouble, _) => return Err(self.explain(trouble, watch)),
        };
        let mut lease = lease.renewed().await.map_err(failed)?;
        match self.send(&mut lease, again, watch, interim).await {
            Ok(response) => Ok(told((response, lease))),
            Err(trouble) => Err(self.explain(trouble, watch)),
        }
    }

    async fn send(
        &self,
        lease: &mut Lease,
        mut request: Request<RequestBody>,
        watch: &Arc<Watch>,
        interim: Option<&Interim>,
    ) -> Result<Response<Incoming>, Trouble> {
        pass_interim_on(&mut request, watch, interim);
        let limit = self.config.header_timeout;
        let mut answer = std::pin::pin!(lease.sender().try_send_request(request));
        loop {
            let ends = watch.last_progress() + limit;
            match timeout_at(ends, answer.as_mut()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(mut failed)) => {
                    return Err(match failed.take_message() {
                        Some(request) => Trouble::Unsent(Box::new(request)),
                        None => Trouble::of(failed.into_error()),
                    });
                }
                // The upstream may have taken more of the request in the meantime.
                Err(_) if Instant::now() < watch.last_progress() + limit => {}
                Err(_) => return Err(Trouble::Silent),
            }
        }
    }

    /// What an attempt's trouble means for the client.
    fn explain(&self, trouble: Trouble, watch: &Watch) -> AppError {
        if let Some(error) = watch.take_failure() {
            return error.into();
        }
        let upstream = self.pool.name();
        failed(match trouble {
            Trouble::Unsent(_) => {
                ProxyError::Answer { upstream, reason: "the connection ended before the request was sent".to_owned() }
            }
            Trouble::Closed(error) | Trouble::Other(error) => {
                ProxyError::Answer { upstream, reason: with_causes(&error) }
            }
            Trouble::Silent => ProxyError::HeadTimeout { upstream, limit: self.config.header_timeout },
        })
    }

    fn tunnel(
        &self,
        mut response: Response<Incoming>,
        lease: Lease,
        upgrade: Option<&Upgrade>,
    ) -> Result<AsyncResponse, ProxyError> {
        let switched = hyper::upgrade::on(&mut response);
        let agreed = response.headers().get(UPGRADE);
        let tunnelled = response::fields(&response, false).and_then(|fields| {
            let upgrade = upgrade.ok_or("it switched protocols unasked")?;
            tunnel::tunnel(upgrade, agreed, fields, switched, lease, self.config.tunnel_timeout)
        });
        tunnelled.map_err(|reason| ProxyError::Answer { upstream: self.pool.name(), reason })
    }

    fn answer(
        &self,
        response: Response<Incoming>,
        lease: Lease,
        is_head: bool,
        deadline: Option<(Instant, std::time::Duration)>,
    ) -> Result<AsyncResponse, ProxyError> {
        let status = response.status();
        let has_body = !is_head && status != StatusCode::NOT_MODIFIED;
        let fields = response::fields(&response, has_body)
            .map_err(|reason| ProxyError::Answer { upstream: self.pool.name(), reason })?;
        let body = response.into_body();
        let length = body.size_hint().exact().filter(|_| has_body);
        let body = BodyStream::new(ResponseBody::new(body, lease, self.config.read_timeout, deadline)).head_at_once();
        let body = length.into_iter().fold(body, BodyStream::with_length);
        Ok(AsyncResponse::new(status, fields, body))
    }
}

/// HTTP-128: what the upstream says before its answer is the client's to hear; but 100 is for the one who sends the body.
fn pass_interim_on(request: &mut Request<RequestBody>, watch: &Arc<Watch>, interim: Option<&Interim>) {
    let (watch, interim) = (Arc::clone(watch), interim.cloned());
    hyper::ext::on_informational(request, move |said| match (said.status(), &interim) {
        (StatusCode::CONTINUE, _) => watch.go_on(),
        (status, Some(interim)) => {
            interim.send(status, &response::interim_fields(said.headers()));
        }
        _ => {}
    });
}

/// What became of an attempt that brought no answer.
enum Trouble {
    /// Nothing was sent: the connection had ended.
    Unsent(Box<Request<RequestBody>>),
    /// The connection ended before the head of an answer did.
    Closed(hyper::Error),
    /// Nothing came in time.
    Silent,
    Other(hyper::Error),
}

impl Trouble {
    fn of(error: hyper::Error) -> Self {
        let is_end = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
        if is_end || is_reset(&error) { Trouble::Closed(error) } else { Trouble::Other(error) }
    }
}

/// What a connection does that is closed with bytes unread.
fn is_reset(error: &hyper::Error) -> bool {
    use std::error::Error as _;
    let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|io| matches!(io.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe))
}

/// RFC 9110 §9.2.2: what may be done twice.
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}
