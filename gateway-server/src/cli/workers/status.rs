//! The status page: what workers are doing, for people, programs and Prometheus, and a ping.
//!
//! Holds the paths and the choice of a form. Does not hold the forms (`status/forms`). The manager answers it itself, on an address
//! of its own: it can be reached when all workers are busy.

mod forms;

use crate::telemetry::openmetrics::{CONTENT_TYPE, Page};
use gateway_fastcgi::manager::{Status, WorkersHandle};
use gateway_spec::{AppError, Application, Body, Environ, StartResponse, StatusCode, headers};

/// Answers `/status` (also as `?json` and `?openmetrics`), `/metrics` and `/ping`.
pub(in crate::cli) struct StatusPage {
    pools: Vec<(String, WorkersHandle)>,
}

impl StatusPage {
    /// For these pools, by the names they are shown with.
    pub(in crate::cli) fn new(pools: Vec<(String, WorkersHandle)>) -> Self {
        Self { pools }
    }

    /// Writes the figures of all pools.
    pub(in crate::cli) fn write_metrics(&self, page: &mut Page) {
        forms::openmetrics(page, &self.statuses());
    }

    fn statuses(&self) -> Vec<(&str, Status)> {
        self.pools.iter().map(|(name, pool)| (name.as_str(), pool.status())).collect()
    }
}

/// What there is to ask for.
const FORMS: &str = "/status /status?json /status?openmetrics /metrics /ping";

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

impl Application for StatusPage {
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        let path = [environ.script_name().as_bytes(), environ.path_info().as_bytes()].concat();
        let query = environ.get("QUERY_STRING").map(|query| query.as_bytes().to_vec()).unwrap_or_default();
        let statuses = || self.statuses();
        let (status, kind, text) = match (path.as_slice(), query.as_slice()) {
            (b"/ping", _) => (StatusCode::OK, TEXT, "pong\n".to_owned()),
            (b"/metrics", _) | (b"/status", b"openmetrics") => {
                let mut page = Page::default();
                self.write_metrics(&mut page);
                (StatusCode::OK, CONTENT_TYPE, page.end())
            }
            (b"/status", b"json") => (StatusCode::OK, JSON, forms::json(&statuses())),
            (b"/" | b"/status", b"") => (StatusCode::OK, TEXT, forms::text(&statuses())),
            // php-fpm has forms that we have not: a program that asks for one must not take lines for it.
            (b"/" | b"/status", _) => {
                (StatusCode::BAD_REQUEST, TEXT, format!("400 Bad Request: no such form\n{FORMS}\n"))
            }
            _ => (StatusCode::NOT_FOUND, TEXT, format!("404 Not Found\n{FORMS}\n")),
        };
        start_response(status, headers!["content-type" => kind, "cache-control" => "no-store"])?;
        Ok(text.into())
    }
}
