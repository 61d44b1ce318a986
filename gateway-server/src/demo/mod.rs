//! The demonstration: one small application that shows how it was called.
//!
//! Holds the application and the front page that leads to it. `gateway serve` without mounts serves them: the front page
//! at `/`, and the same application behind each of the three gateways. Does not hold how the three are started.
//!
//! The application is synchronous and plain: what is worth seeing is that it is the same everywhere.

mod echo;
mod front;
mod page;
mod picture;
mod plain;
mod stream;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gateway_spec::{AppError, Application, Body, Environ, Headers, StartResponse, StatusCode, headers};

use crate::mount::encode_path;

pub use front::FrontPage;

/// The way by which the demonstration is called; it says so on its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A function call inside the process that listens.
    InProcess,
    /// A new process for each request.
    Cgi,
    /// A process that stays and is asked again.
    FastCgi,
}

impl Way {
    /// All three, in the order they are shown.
    pub const ALL: [Way; 3] = [Way::InProcess, Way::Cgi, Way::FastCgi];

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Way::InProcess => "In-process",
            Way::Cgi => "CGI",
            Way::FastCgi => "FastCGI",
        }
    }

    /// The segment that the demonstration is mounted at.
    pub fn segment(self) -> &'static str {
        match self {
            Way::InProcess => "inprocess",
            Way::Cgi => "cgi",
            Way::FastCgi => "fastcgi",
        }
    }
}

/// The demonstration application.
///
/// # Examples
/// ```
/// use gateway_server::demo::{Demo, Way};
/// use gateway_spec::{Environ, Event, Exchange};
/// let demo = Demo::new(Way::InProcess);
/// let mut exchange = Exchange::call(&demo, Environ::example("GET", "/"));
/// assert!(matches!(exchange.next(), Event::Head(head) if head.status == 200));
/// ```
#[derive(Debug)]
pub struct Demo {
    way: Way,
    neighbours: Neighbours,
    started: Instant,
    calls: AtomicU64,
}

/// Whether the other two ways are mounted beside this one, so that there is something to link to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Neighbours {
    Mounted,
    Absent,
}

/// What one call is told about the process it happens in.
#[derive(Debug, Clone, Copy)]
struct Call {
    way: Way,
    neighbours: Neighbours,
    /// Which call of this process it is, from 1 on.
    number: u64,
    process_age: Duration,
    began: Instant,
}

impl Demo {
    /// A demonstration that is alone.
    pub fn new(way: Way) -> Self {
        Demo { way, neighbours: Neighbours::Absent, started: Instant::now(), calls: AtomicU64::new(0) }
    }

    /// Links to the other two ways, which are mounted beside this one at their [segments](Way::segment).
    #[must_use]
    pub fn with_neighbours(mut self) -> Self {
        self.neighbours = Neighbours::Mounted;
        self
    }

    fn begin(&self) -> Call {
        Call {
            way: self.way,
            neighbours: self.neighbours,
            number: self.calls.fetch_add(1, Ordering::Relaxed) + 1,
            process_age: self.started.elapsed(),
            began: Instant::now(),
        }
    }
}

impl Application for Demo {
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        let call = self.begin();
        let method = environ.request_method().to_vec();
        match (environ.path_info().as_bytes(), method.as_slice()) {
            // Relative links need the slash.
            (b"", b"GET" | b"HEAD") => redirect(&environ, &start_response),
            (b"/", b"GET" | b"HEAD") => show(&environ, call, None, &start_response),
            (b"/echo", b"POST") => echo::answer(environ, call, &start_response),
            (b"/stream", b"GET" | b"HEAD") => stream::answer(&start_response),
            (b"/echo", _) => refuse(StatusCode::METHOD_NOT_ALLOWED, headers!["allow" => "POST"], &start_response),
            (b"" | b"/" | b"/stream", _) => {
                refuse(StatusCode::METHOD_NOT_ALLOWED, headers!["allow" => "GET, HEAD"], &start_response)
            }
            _ => refuse(StatusCode::NOT_FOUND, headers![], &start_response),
        }
    }
}

/// The page, for people or for programs as they ask (RFC 9110 §12.5.1).
fn show(
    environ: &Environ,
    call: Call,
    echoed: Option<&echo::Echoed>,
    start_response: &StartResponse,
) -> Result<Body, AppError> {
    if wants_html(environ) {
        let nonce = text::nonce();
        start_response(StatusCode::OK, html_fields(&nonce))?;
        return Ok(page::page(environ, call, echoed, &nonce).into());
    }
    start_response(StatusCode::OK, plain_fields())?;
    Ok(plain::page(environ, call, echoed).into())
}

/// Browsers name HTML; curl and other programs take anything, and read plain text better.
fn wants_html(environ: &Environ) -> bool {
    environ.header("accept").is_some_and(|accept| accept.to_latin1().contains("text/html"))
}

fn html_fields(nonce: &str) -> Headers {
    // Nothing from elsewhere, and no script but the page's own: what is shown came from the client.
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    headers![
        "content-type" => "text/html; charset=utf-8",
        "content-security-policy" => policy,
        "cache-control" => "no-store",
        "vary" => "accept",
    ]
}

fn plain_fields() -> Headers {
    headers![
        "content-type" => "text/plain; charset=utf-8",
        "cache-control" => "no-store",
        "vary" => "accept",
        "x-content-type-options" => "nosniff",
    ]
}

fn redirect(environ: &Environ, start_response: &StartResponse) -> Result<Body, AppError> {
    let location = format!("{}/", encode_path(&environ.script_name()));
    start_response(StatusCode::PERMANENT_REDIRECT, headers!["location" => location])?;
    Ok(Body::empty())
}

fn refuse(status: StatusCode, mut fields: Headers, start_response: &StartResponse) -> Result<Body, AppError> {
    fields.append("content-type", "text/plain");
    start_response(status, fields)?;
    Ok(format!("{status}\n").into())
}

#[cfg(test)]
mod tests;
