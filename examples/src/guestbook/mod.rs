//! A guestbook: a small real application, with forms, a database and escaped output, the same on every gateway.
//!
//! Holds what is answered to which request. Does not hold the database (`store`), the form (`form`) or the page (`page`).
//!
//! The entries lie in the SQLite file that the variable GUESTBOOK_DB names: in the environ, where the operator of a
//! FastCGI server can put it, else in the process environment; without one in `gateway-guestbook.sqlite3` in the folder
//! for temporary files. Several processes may use one file at the same time.
//!
//! Every link is made from SCRIPT_NAME, so it works wherever it is mounted; nothing is made from the Host field, which
//! the client chooses.

mod form;
mod page;
mod store;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use gateway_spec::{AppError, Application, Body, Environ, Headers, StartResponse, StatusCode, headers};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use form::{Entry, Rejected};
use page::Page;

/// The guestbook in the file that GUESTBOOK_DB names.
///
/// # Errors
/// When the database cannot be used.
///
/// # Examples
/// ```
/// use gateway_examples::guestbook::application;
/// use gateway_spec::{Environ, Event, Exchange};
/// let mut environ = Environ::example("DELETE", "/");
/// environ.set("GUESTBOOK_DB", ":memory:")?;
/// assert!(matches!(Exchange::call(&application, environ).next(), Event::Head(head) if head.status == 405));
/// # Ok::<(), gateway_spec::EnvironError>(())
/// ```
pub fn application(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    Guestbook::at(database_of(&environ)).call(environ, start_response)
}

fn database_of(environ: &Environ) -> PathBuf {
    let configured = environ.get("GUESTBOOK_DB").and_then(|value| value.to_str().ok()).map(PathBuf::from);
    configured
        .or_else(|| std::env::var_os("GUESTBOOK_DB").map(PathBuf::from))
        .unwrap_or_else(|| std::env::temp_dir().join("gateway-guestbook.sqlite3"))
}

/// A guestbook in a file of its own.
///
/// # Examples
/// ```
/// use gateway_examples::guestbook::Guestbook;
/// use gateway_spec::{Environ, Event, Exchange};
/// let mut exchange = Exchange::call(&Guestbook::at(":memory:"), Environ::example("GET", "/"));
/// assert!(matches!(exchange.next(), Event::Head(head) if head.status == 200));
/// ```
#[derive(Debug, Clone)]
pub struct Guestbook {
    database: PathBuf,
}

impl Guestbook {
    /// The guestbook in this SQLite file, which is made at the first request if it is not there.
    pub fn at(database: impl Into<PathBuf>) -> Self {
        Guestbook { database: database.into() }
    }

    fn list(&self, environ: &Environ, start_response: &StartResponse) -> Result<Body, AppError> {
        let entries = store::with(&self.database, store::Store::latest)?;
        respond(StatusCode::OK, Page::new(environ, &action(environ), &entries).render(), start_response)
    }

    fn add(&self, environ: &mut Environ, start_response: &StartResponse) -> Result<Body, AppError> {
        match form::read(environ) {
            Ok(entry) => {
                store::with(&self.database, |store| store.add(&entry))?;
                see_other(environ, start_response)
            }
            Err(Rejected { status, message, typed }) => self.again(environ, status, &message, typed, start_response),
        }
    }

    /// The page once more, with what is wrong and with what was typed, so that nobody has to type it again.
    fn again(
        &self,
        environ: &Environ,
        status: StatusCode,
        message: &str,
        typed: Option<Entry>,
        start_response: &StartResponse,
    ) -> Result<Body, AppError> {
        let entries = store::with(&self.database, store::Store::latest)?;
        let action = action(environ);
        let page = Page::new(environ, &action, &entries).with_complaint(message, typed);
        respond(status, page.render(), start_response)
    }
}

impl Application for Guestbook {
    fn call(&self, mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        let path = environ.path_info();
        if !path.is_empty() && path != "/" {
            return plain(StatusCode::NOT_FOUND, headers![], "there is nothing here\n", &start_response);
        }
        let method = environ.request_method();
        if method == "GET" || method == "HEAD" {
            self.list(&environ, &start_response)
        } else if method == "POST" {
            self.add(&mut environ, &start_response)
        } else {
            // RFC 9110 §15.5.6: a 405 says what is allowed.
            let headers = headers!["allow" => "GET, HEAD, POST"];
            plain(StatusCode::METHOD_NOT_ALLOWED, headers, "read with GET, add with POST\n", &start_response)
        }
    }
}

/// RFC 9110 §15.4.4: after a POST the client asks for the page with GET, so that a reload adds nothing.
fn see_other(environ: &Environ, start_response: &StartResponse) -> Result<Body, AppError> {
    plain(StatusCode::SEE_OTHER, headers!["location" => action(environ)], "thank you\n", start_response)
}

fn plain(
    status: StatusCode,
    mut headers: Headers,
    text: &'static str,
    start_response: &StartResponse,
) -> Result<Body, AppError> {
    headers.append("content-type", "text/plain; charset=utf-8");
    start_response(status, headers)?;
    Ok(text.into())
}

fn respond(status: StatusCode, html: String, start_response: &StartResponse) -> Result<Body, AppError> {
    let headers = headers![
        "content-type" => "text/html; charset=utf-8",
        "cache-control" => "no-store",
        "content-security-policy" =>
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "referrer-policy" => "no-referrer",
        "x-content-type-options" => "nosniff",
    ];
    start_response(status, headers)?;
    Ok(html.into())
}

/// What a path may hold without being encoded; nothing of it means anything in HTML.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Where the form goes, and the client after it: the application's own root, as an absolute path.
///
/// A path that began with two slashes would be taken for another host (RFC 3986 §4.2).
fn action(environ: &Environ) -> String {
    let script_name = environ.script_name().as_bytes();
    let start = script_name.iter().position(|byte| *byte != b'/').unwrap_or(script_name.len());
    let rest = script_name.get(start..).unwrap_or_default();
    match rest {
        [] => "/".to_owned(),
        rest => format!("/{}/", percent_encode(rest.strip_suffix(b"/").unwrap_or(rest), PATH)),
    }
}
