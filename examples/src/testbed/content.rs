//! Answers that carry bytes: fixed, counted, streamed, and the request's own.

use std::io::ErrorKind;

use bytes::Bytes;
use gateway_spec::{
    AppError, Body, Environ, GatewayError, HeaderValue, Headers, Input, Iterable, StartResponse, StatusCode, Value,
    headers,
};
use http::header;

use super::route::number;
use super::text;

/// What every answer of unremarkable bytes is cut from: no answer has to make any.
static BYTES: [u8; 1 << 20] = [b'x'; 1 << 20];

/// The piece in which `/bytes/N` comes and, unless it says otherwise, `/upload` is read.
const CHUNK: usize = 64 * 1024;

/// `/` and `/hello`: nothing is allocated here but the list of fields.
pub(super) fn hello(start_response: &StartResponse) -> Result<Body, AppError> {
    let mut headers = Headers::with_capacity(1);
    headers.push(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    start_response(StatusCode::OK, headers)?;
    Ok("Hello, World!".into())
}

/// `/echo`: the input moves into the body, so that each piece goes back as it comes in.
pub(super) fn echo(environ: Environ, start_response: &StartResponse) -> Result<Body, AppError> {
    let content_type = environ.content_type().map_or_else(|| OCTETS.as_bytes().to_vec(), |value| value.to_vec());
    start_response(StatusCode::OK, headers!["content-type" => content_type])?;
    Ok(Body::new(Echo(environ.input)))
}

struct Echo(Input);

impl Iterable for Echo {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        match self.0.chunk(CHUNK) {
            Ok(chunk) if chunk.is_empty() => None,
            Ok(chunk) => Some(Ok(chunk)),
            Err(error) => Some(Err(unreadable(error))),
        }
    }

    fn length(&self) -> Option<u64> {
        self.0.length()
    }
}

/// `/upload`: reads everything, keeps nothing, answers the count.
pub(super) fn upload(mut environ: Environ, start_response: &StartResponse) -> Result<Body, AppError> {
    let mut count = 0_u64;
    for chunk in environ.input.chunks() {
        count += chunk.map_err(unreadable)?.len() as u64;
    }
    text(StatusCode::OK, count.to_string(), start_response)
}

/// A client that sends less than it promised made the mistake, not this application (HTTP-86).
fn unreadable(error: std::io::Error) -> AppError {
    if error.kind() == ErrorKind::UnexpectedEof {
        return GatewayError::new(StatusCode::BAD_REQUEST, "request body cannot be read").caused_by(error).into();
    }
    error.into()
}

/// `/download`: 1 MiB in one piece.
pub(super) fn download(start_response: &StartResponse) -> Result<Body, AppError> {
    start_octets(start_response)?;
    Ok(Bytes::from_static(&BYTES).into())
}

/// `/bytes/N`
pub(super) fn bytes(length: u64, start_response: &StartResponse) -> Result<Body, AppError> {
    start_octets(start_response)?;
    Ok(Body::new(Slices { left: length, chunk: CHUNK }).with_length(length))
}

/// `/stream/N?chunk=K`; K is 8192 if it is not given, and at most 1 MiB.
pub(super) fn stream(length: u64, query: Value<'_>, start_response: &StartResponse) -> Result<Body, AppError> {
    let Some(chunk) = chunk_size(query.as_bytes()) else {
        return text(StatusCode::BAD_REQUEST, "chunk must be a number from 1 to 1048576\n", start_response);
    };
    start_octets(start_response)?;
    Ok(Body::new(Slices { left: length, chunk }))
}

fn chunk_size(query: &[u8]) -> Option<usize> {
    let Some(value) = query.split(|byte| *byte == b'&').find_map(|pair| pair.strip_prefix(b"chunk=")) else {
        return Some(8192);
    };
    let size = usize::try_from(number(value)?).ok()?;
    (1..=BYTES.len()).contains(&size).then_some(size)
}

/// Pieces of [`BYTES`]; does not tell its length.
struct Slices {
    left: u64,
    chunk: usize,
}

impl Iterable for Slices {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        let size = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.chunk);
        if size == 0 {
            return None;
        }
        self.left -= size as u64;
        BYTES.get(..size).map(|slice| Ok(Bytes::from_static(slice)))
    }
}

const OCTETS: &str = "application/octet-stream";

fn start_octets(start_response: &StartResponse) -> Result<(), AppError> {
    start_response(StatusCode::OK, headers!["content-type" => OCTETS])?;
    Ok(())
}
