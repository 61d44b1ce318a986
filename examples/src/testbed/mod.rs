//! The application that tests and measurements ask: every way to answer, right and wrong.
//!
//! Holds the paths and the count of closed bodies. Does not hold the answers: those that carry bytes are in `content`,
//! those that tell something in `facts`, those that do it in an unusual or wrong way in `manners`.
//!
//! | path | answers |
//! | --- | --- |
//! | `/`, `/hello` | `Hello, World!` |
//! | `/echo` | the request body, as it arrives, with its Content-Type |
//! | `/download`, `/bytes/N` | 1 MiB, N bytes, with Content-Length |
//! | `/stream/N?chunk=K` | N bytes in pieces of K, without a length |
//! | `/upload` | the number of bytes in the request body |
//! | `/environ` | JSON of every variable and typed field |
//! | `/sleep/MS`, `/status/CODE`, `/cookies`, `/closed`, `/stderr`, `/stderr/N` | what they say |
//! | `/lazy`, `/write`, `/restart` | the unusual ways that PEP 3333 allows |
//! | `/fail/before`, `/fail/after`, `/panic`, `/panic/after`, `/length/short`, `/length/long` | mistakes |
//!
//! `/echo` answers while it reads. A server that reads nothing before it has sent the whole body blocks it; the worker takes
//! the rest of the body in first where its gateway stops sending once it has the answer's head, as nginx does.
//!
//! Any method does; anything else is 404, a number that makes no sense 400.

mod content;
mod facts;
mod manners;
mod route;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};

use route::Route;

/// Bodies of this application that were closed since the process started.
static CLOSED: AtomicU64 = AtomicU64::new(0);

/// Answers as the table in the [module's head](self) says.
///
/// # Errors
/// Where that is the answer, or when the request body cannot be read.
///
/// # Examples
/// ```
/// use gateway_examples::testbed;
/// use gateway_spec::{Environ, Event, Exchange};
/// let mut exchange = Exchange::call(&testbed::application, Environ::example("GET", "/bytes/3"));
/// assert!(matches!(exchange.next(), Event::Head(head) if head.status == 200));
/// assert!(matches!(exchange.next(), Event::Chunk(chunk) if chunk.len() == 3));
/// ```
pub fn application(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let body = answer(environ, start_response)?;
    Ok(body.on_close(|| {
        CLOSED.fetch_add(1, Ordering::Relaxed);
    }))
}

fn answer(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    match Route::of_request(&environ) {
        Route::Hello => content::hello(&start_response),
        Route::Echo => content::echo(environ, &start_response),
        Route::Download => content::download(&start_response),
        Route::Bytes(length) => content::bytes(length, &start_response),
        Route::Stream(length) => content::stream(length, environ.query_string(), &start_response),
        Route::Upload => content::upload(environ, &start_response),
        Route::Environ => facts::environ(&environ, &start_response),
        Route::Sleep(milliseconds) => facts::sleep(milliseconds, &start_response),
        Route::Status(code) => facts::status(code, &start_response),
        Route::Cookies => facts::cookies(&start_response),
        Route::Closed => facts::closed(CLOSED.load(Ordering::Relaxed), &start_response),
        Route::Stderr(bytes) => facts::stderr(&environ, bytes, &start_response),
        Route::Lazy => Ok(manners::lazy(start_response)),
        Route::Write => manners::write(&start_response),
        Route::Restart => manners::restart(start_response),
        Route::FailBefore => manners::fail_before(&start_response),
        Route::FailAfter => manners::fail_after(&start_response),
        Route::Panic => manners::panic(),
        Route::PanicAfter => manners::panic_after(&start_response),
        Route::LengthShort => manners::wrong_length(5, &start_response),
        Route::LengthLong => manners::wrong_length(100, &start_response),
        Route::Malformed => text(StatusCode::BAD_REQUEST, "that number makes no sense here\n", &start_response),
        Route::Unknown => text(StatusCode::NOT_FOUND, "no such path\n", &start_response),
    }
}

/// A short plain answer.
fn text(status: StatusCode, body: impl Into<Body>, start_response: &StartResponse) -> Result<Body, AppError> {
    start_response(status, headers!["content-type" => "text/plain"])?;
    Ok(body.into())
}
