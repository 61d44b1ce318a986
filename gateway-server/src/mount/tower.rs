//! A tower service as an application: how routing, files and compression come from libraries that speak `http` types.
//!
//! Holds the translation, both ways. Does not hold a service. A service is told what is behind its mount, PATH_INFO, as
//! its path; the rest of the environ is in its request's fields and extensions.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, BodyStream, Environ, GatewayError, Headers, InputStream,
};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use super::encode_path;

/// An application that asks a tower service. The service is cloned for each request, as services are.
///
/// # Errors
/// The service's; and 400 for a request that `http` types cannot carry.
#[derive(Debug, Clone)]
pub struct TowerService<S> {
    service: S,
}

impl<S> TowerService<S> {
    /// Wraps `service`.
    pub fn new(service: S) -> Self {
        TowerService { service }
    }
}

impl<S, B> AsyncApplication for TowerService<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<AppError>,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<AppError>,
{
    async fn call(&self, environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        let request = request(environ, input)?;
        let mut service = self.service.clone();
        poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
        response(service.call(request).await.map_err(Into::into)?)
    }
}

/// A request body as a service reads it.
#[derive(Debug)]
pub struct RequestBody {
    input: InputStream,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Pin::new(&mut self.input).poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.input.length().map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

fn request(mut environ: Environ, input: InputStream) -> Result<Request<RequestBody>, AppError> {
    let extensions = std::mem::take(&mut environ.extensions);
    let mut request = Request::new(RequestBody { input });
    *request.method_mut() = Method::from_bytes(&environ.request_method()).map_err(malformed)?;
    *request.uri_mut() = uri(&environ)?;
    *request.version_mut() = match environ.server_protocol().as_bytes() {
        b"HTTP/1.0" => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    for (name, value) in environ.request_headers() {
        let name = http::HeaderName::try_from(name).map_err(malformed)?;
        request.headers_mut().append(name, http::HeaderValue::from_bytes(&value).map_err(malformed)?);
    }
    *request.extensions_mut() = extensions;
    Ok(request)
}

/// PATH_INFO, encoded again, and the query as it came.
pub(super) fn uri(environ: &Environ) -> Result<Uri, AppError> {
    let path = match environ.path_info() {
        path if path.is_empty() => "/".to_owned(),
        path => encode_path(&path),
    };
    let query = environ.query_string();
    let target = match query.is_empty() {
        true => path.into_bytes(),
        false => [path.as_bytes(), b"?", &query].concat(),
    };
    Uri::try_from(target).map_err(malformed)
}

fn malformed(error: impl Into<AppError>) -> AppError {
    GatewayError::new(StatusCode::BAD_REQUEST, "the request cannot be handed to a service").caused_by(error).into()
}

fn response<B>(response: Response<B>) -> Result<AsyncResponse, AppError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<AppError>,
{
    let (parts, body) = response.into_parts();
    let mut headers = Headers::with_capacity(parts.headers.len());
    for (name, value) in &parts.headers {
        headers.push(name.clone(), value.clone());
    }
    let length = body.size_hint().exact();
    let body = BodyStream::new(ResponseBody(Box::pin(body)));
    // A declared length is the service's word, also where there is no body to tell it: the answer to HEAD.
    let body = match length.filter(|_| !headers.contains("content-length")) {
        Some(length) => body.with_length(length),
        None => body,
    };
    Ok(AsyncResponse::new(parts.status, headers, body))
}

/// The data of a response body; trailers have no place in this contract and are dropped.
struct ResponseBody<B>(Pin<Box<B>>);

impl<B> Stream for ResponseBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<AppError>,
{
    type Item = Result<Bytes, AppError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.0.as_mut().poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}
