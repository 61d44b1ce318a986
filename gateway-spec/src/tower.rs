//! An application as a tower service, for programs that are made with axum, hyper or anything else that speaks tower (feature
//! `tower`).
//!
//! Holds the translation of a request into an environ and of the driver's events into a response. Does not hold the other way, a
//! tower service as an application, which is the gateway's.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use crate::{
    AppError, AsyncApplication, AsyncExchange, AsyncResponse, Environ, Event, Failure, Framing, GatewayError,
    InputStream, ResponseHead,
};

/// An asynchronous application as a tower service. It never fails: what an application returns as an error is its answer.
///
/// The path of a request becomes PATH_INFO, decoded; what stood before it, where a router took that away, is said with
/// [`AppService::script_name`]. A [`SocketAddr`] among the extensions of the request becomes REMOTE_ADDR and REMOTE_PORT.
///
/// # Examples
/// ```
/// # async fn run() {
/// use gateway_spec::tower::AppService;
/// use gateway_spec::{AppError, AsyncApplication, AsyncResponse, Bytes, Environ, InputStream, StatusCode, headers};
/// use tower_service::Service;
///
/// struct Hello;
/// impl AsyncApplication for Hello {
///     async fn call(&self, environ: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
///         let text = format!("{} below {}", environ.path_info().to_str()?, environ.script_name().to_str()?);
///         Ok(AsyncResponse::new(StatusCode::OK, headers!["content-type" => "text/plain"], text))
///     }
/// }
///
/// let mut service = AppService::new(Hello).script_name("/app");
/// let request = http::Request::get("/a%20b?x=1").body(http_body_util::Full::<Bytes>::default()).unwrap();
/// let response = service.call(request).await.unwrap();
/// let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
/// assert_eq!(body, "/a b below /app");
/// # }
/// # let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(std::pin::pin!(run()).as_mut().poll(&mut cx).is_ready());
/// # use std::future::Future as _;
/// ```
#[derive(Debug)]
pub struct AppService<A> {
    app: Arc<A>,
    script_name: Arc<str>,
}

impl<A> Clone for AppService<A> {
    fn clone(&self) -> Self {
        Self { app: Arc::clone(&self.app), script_name: Arc::clone(&self.script_name) }
    }
}

impl<A: AsyncApplication> AppService<A> {
    /// `app` at the root.
    pub fn new(app: A) -> Self {
        Self { app: Arc::new(app), script_name: Arc::from("") }
    }

    /// `app` below a path, which begins with `/` and does not end in one: such as the first argument of axum's `nest_service`.
    #[must_use]
    pub fn script_name(mut self, path: &str) -> Self {
        self.script_name = Arc::from(path);
        self
    }
}

impl<A, B> Service<Request<B>> for AppService<A>
where
    A: AsyncApplication,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<AppError>,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let app = Arc::clone(&self.app);
        let is_head = request.method() == http::Method::HEAD;
        let translated = environ(&request, &self.script_name);
        let (parts, body) = request.into_parts();
        let length = body.size_hint().exact();
        let input = InputStream::new(RequestBody(Box::pin(body)), length);
        let answer = async move {
            let mut environ: Environ = translated?;
            environ.extensions = parts.extensions;
            app.call(environ, input).await
        };
        let answer: Pin<Box<dyn Future<Output = Result<AsyncResponse, AppError>> + Send>> = Box::pin(answer);
        ResponseFuture { exchange: Some(AsyncExchange::from_future(answer, is_head)) }
    }
}

/// The answer of an [`AppService`], until its head is there.
pub struct ResponseFuture {
    exchange: Option<AsyncExchange<'static>>,
}

impl Future for ResponseFuture {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(exchange) = &mut self.exchange else { return Poll::Pending };
        let event = ready!(poll_something(exchange, cx));
        let mut body = ResponseBody { exchange: self.exchange.take(), length: None };
        let Event::Head(head) = event else {
            // An exchange that fails before its head makes one for the failure, so this is one without an application.
            let mut response = Response::new(body);
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return Poll::Ready(Ok(response));
        };
        let ResponseHead { status, headers, framing, .. } = head;
        body.length = match framing {
            Framing::None => Some(0),
            Framing::Exact(length) => Some(length),
            Framing::Unknown => None,
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        for (name, value) in headers {
            response.headers_mut().append(name, value);
        }
        if let Framing::Exact(length) = framing {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        Poll::Ready(Ok(response))
    }
}

/// The body of an answer. Dropping it tells the application that nobody wants the rest.
pub struct ResponseBody {
    exchange: Option<AsyncExchange<'static>>,
    length: Option<u64>,
}

/// The application broke its answer off.
#[derive(Debug, thiserror::Error)]
#[error("the answer was broken off: {0}")]
pub struct Broken(String);

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(exchange) = &mut self.exchange else { return Poll::Ready(None) };
        let end = match ready!(poll_something(exchange, cx)) {
            Event::Chunk(chunk) => {
                self.length = self.length.map(|length| length.saturating_sub(chunk.len() as u64));
                return Poll::Ready(Some(Ok(Frame::data(chunk))));
            }
            Event::Abort => {
                let why = exchange.take_failure().map_or_else(String::new, |failure: Failure| failure.to_string());
                Some(Err(Broken(why)))
            }
            Event::End | Event::Head(_) | Event::Nothing => None,
        };
        self.exchange = None;
        Poll::Ready(end)
    }

    fn is_end_stream(&self) -> bool {
        self.exchange.is_none() || self.length == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// The next event that says something. An application that has nothing yet lets other tasks run first.
fn poll_something(exchange: &mut AsyncExchange<'static>, cx: &mut Context<'_>) -> Poll<Event> {
    match ready!(exchange.poll_event(cx)) {
        Event::Nothing => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        event => Poll::Ready(event),
    }
}

/// The data of a request body; trailers have no place in this contract.
struct RequestBody<B>(Pin<Box<B>>);

impl<B> Stream for RequestBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<AppError>,
{
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.0.as_mut().poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(std::io::Error::other(error)))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

fn environ<B: Body>(request: &Request<B>, script_name: &str) -> Result<Environ, AppError> {
    let uri = request.uri();
    let path = decoded(uri.path()).ok_or_else(|| refused("the path cannot be decoded without losing something"))?;
    let target = uri.path_and_query().map_or(uri.path(), |target| target.as_str());
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority: Option<http::uri::Authority> =
        uri.authority().cloned().or_else(|| host.and_then(|host| host.parse().ok()));
    let server_name = authority.as_ref().map_or("localhost", |authority| authority.host());
    let is_https = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
    let usual_port = if is_https { 443 } else { 80 };
    let server_port = authority.as_ref().and_then(http::uri::Authority::port_u16).unwrap_or(usual_port);
    let mut builder = Environ::builder()
        .variable("GATEWAY_INTERFACE", "CGI/1.1")
        .variable("REQUEST_METHOD", request.method().as_str())
        .variable("SCRIPT_NAME", script_name)
        .variable("PATH_INFO", path)
        .variable("QUERY_STRING", uri.query().unwrap_or_default())
        .variable("REQUEST_URI", format!("{script_name}{target}"))
        .variable("SERVER_NAME", server_name)
        .variable("SERVER_PORT", server_port.to_string())
        .variable("SERVER_PROTOCOL", protocol(request.version()))
        .variable("SERVER_SOFTWARE", concat!("gateway-spec/", env!("CARGO_PKG_VERSION")));
    if is_https {
        builder.set("HTTPS", "on");
    }
    if let Some(peer) = request.extensions().get::<SocketAddr>() {
        builder.set("REMOTE_ADDR", peer.ip().to_canonical().to_string());
        builder.set("REMOTE_PORT", peer.port().to_string());
    }
    for (name, value) in request.headers() {
        builder.add_header(name.as_str().as_bytes(), value.as_bytes());
    }
    // HTTP/2 has no Host field, and applications look for it.
    if let (None, Some(authority)) = (host, uri.authority()) {
        builder.add_header(b"host", authority.as_str().as_bytes());
    }
    Ok(builder
        .build()
        .map_err(|error| GatewayError::new(StatusCode::BAD_REQUEST, error.to_string()).caused_by(error))?)
}

fn refused(reason: &str) -> AppError {
    GatewayError::new(StatusCode::BAD_REQUEST, reason).into()
}

/// A path decoded once; `None` if an escape is malformed, or stands for what would cut or split the path for its next reader.
fn decoded(path: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || u8::try_from(char::from(bytes.next()?).to_digit(16)?).ok();
        match digit()? << 4 | digit()? {
            b'\0' | b'\r' | b'\n' | b'/' => return None,
            byte => decoded.push(byte),
        }
    }
    Some(decoded)
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgi_28_paths_that_would_be_read_in_two_ways_are_refused() {
        assert_eq!(decoded("/a%20b/%C3%A4").as_deref(), Some("/a b/ä".as_bytes()));
        for path in ["/%", "/%4", "/%zz", "/%00", "/a%2Fb", "/x.php/%0a", "/%0D"] {
            assert_eq!(decoded(path), None, "{path}");
        }
    }

    #[test]
    fn the_environ_says_what_the_request_said() {
        let mut request = Request::post("http://example.org:8080/a%20b?x=%20")
            .header("x-note", "n")
            .header("proxy", "http://evil.example")
            .body(http_body_util::Full::new(Bytes::from("abc")))
            .unwrap();
        request.extensions_mut().insert(SocketAddr::from(([192, 0, 2, 1], 999)));
        let environ = environ(&request, "/app").unwrap();
        for (name, value) in [
            ("REQUEST_METHOD", "POST"),
            ("SCRIPT_NAME", "/app"),
            ("PATH_INFO", "/a b"),
            ("QUERY_STRING", "x=%20"),
            ("REQUEST_URI", "/app/a%20b?x=%20"),
            ("SERVER_NAME", "example.org"),
            ("SERVER_PORT", "8080"),
            ("HTTP_HOST", "example.org:8080"),
            ("HTTP_X_NOTE", "n"),
            ("REMOTE_ADDR", "192.0.2.1"),
        ] {
            assert_eq!(environ.get(name).map(|value| value.to_vec()), Some(value.into()), "{name}");
        }
        assert!(environ.get("HTTP_PROXY").is_none());
    }
}
