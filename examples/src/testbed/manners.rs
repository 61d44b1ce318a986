//! Answers given in an unusual way that PEP 3333 allows, or in a wrong way that a gateway has to bear.

use bytes::Bytes;
use gateway_spec::{AppError, Body, Iterable, StartResponse, StatusCode, headers};

/// `/lazy`: the response starts in the first iteration of its body (PEP-77).
pub(super) fn lazy(start_response: StartResponse) -> Body {
    Body::new(Lazy { start_response, left: 2 })
}

struct Lazy {
    start_response: StartResponse,
    left: u32,
}

impl Iterable for Lazy {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        match self.left {
            0 => return None,
            2 => {
                if let Err(error) = start_plain(&self.start_response) {
                    return Some(Err(error));
                }
            }
            _ => {}
        }
        self.left -= 1;
        Some(Ok(Bytes::from_static(b"started late\n")))
    }
}

/// `/write`: two pieces through `write`, then one as the body (PEP-120, PEP-126).
pub(super) fn write(start_response: &StartResponse) -> Result<Body, AppError> {
    let write = start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    write.write("written first\n")?;
    write.write("written second\n")?;
    Ok("returned last\n".into())
}

/// `/restart`: something fails before the first chunk, and the response starts again with the error (PEP-82).
pub(super) fn restart(start_response: StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/csv", "x-first" => "yes"])?;
    Ok(Body::new(Restart(Some(start_response))))
}

struct Restart(Option<StartResponse>);

impl Iterable for Restart {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        let start_response = self.0.take()?;
        let headers = headers!["content-type" => "text/plain"];
        match start_response.with_error(StatusCode::INTERNAL_SERVER_ERROR, headers, "no rows today") {
            Ok(_) => Some(Ok(Bytes::from_static(b"no report: started again\n"))),
            Err(error) => Some(Err(error.into())),
        }
    }
}

/// `/fail/before`: an error after the start, before anything was sent.
pub(super) fn fail_before(start_response: &StartResponse) -> Result<Body, AppError> {
    start_plain(start_response)?;
    Err("fail/before: failed before the first chunk".into())
}

/// `/fail/after`: an error when a part was sent.
pub(super) fn fail_after(start_response: &StartResponse) -> Result<Body, AppError> {
    start_plain(start_response)?;
    let pieces = [Ok(Bytes::from_static(b"the first part\n")), Err("fail/after: failed after the first chunk".into())];
    Ok(Body::iter(pieces.into_iter()))
}

/// `/panic`
#[expect(clippy::panic, reason = "that is what this path is for")]
pub(super) fn panic() -> Result<Body, AppError> {
    panic!("panic: asked for, before the response started");
}

/// `/panic/after`: a panic when a part was sent.
#[expect(clippy::panic, reason = "that is what this path is for")]
pub(super) fn panic_after(start_response: &StartResponse) -> Result<Body, AppError> {
    start_plain(start_response)?;
    let mut pieces = Some(Bytes::from_static(b"the first part\n"));
    Ok(Body::iter(std::iter::from_fn(move || match pieces.take() {
        Some(piece) => Some(Ok(piece)),
        None => panic!("panic/after: asked for, after the first chunk"),
    })))
}

/// `/length/short` and `/length/long`: 13 bytes in two pieces under a Content-Length that says otherwise.
pub(super) fn wrong_length(declared: u64, start_response: &StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/plain", "content-length" => declared])?;
    Ok(Body::chunks(vec![Bytes::from_static(b"Hello, "), Bytes::from_static(b"World!")]))
}

fn start_plain(start_response: &StartResponse) -> Result<(), AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok(())
}
