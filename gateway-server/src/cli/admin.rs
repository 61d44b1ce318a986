//! The admin listener of `gateway serve`: whether it is well, what it has counted, what its workers are doing.
//!
//! Holds the paths, and the figures of those parts that keep their own. Does not hold counters ([`crate::telemetry`]) or the page about workers
//! (`workers/status`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gateway_cgi::host::Cgi;
use gateway_fastcgi::calls::Calls;
use gateway_fastcgi::client::Client;
use gateway_spec::{AppError, Application, Body, Environ, StartResponse, StatusCode, headers};

use super::workers::StatusPage;
use crate::telemetry::Metrics;
use crate::telemetry::openmetrics::{CONTENT_TYPE, Kind, Page};

/// Whether requests are served: not before all is ready, nor once a stop has begun.
#[derive(Debug, Clone, Default)]
pub(super) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub(super) fn set(&self, is_ready: bool) {
        self.0.store(is_ready, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is behind the mounts, by the prefix of each.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    pub(super) calls: Option<Calls>,
    pub(super) clients: Vec<(String, Client)>,
    pub(super) hosts: Vec<(String, Cgi)>,
}

/// Answers `/healthz`, `/readyz`, `/metrics`, `/status` and `/ping`.
pub(super) struct AdminPage {
    pub(super) readiness: Readiness,
    pub(super) metrics: Metrics,
    pub(super) sources: Sources,
    pub(super) workers: StatusPage,
}

impl AdminPage {
    fn metrics(&self) -> String {
        let mut page = Page::default();
        self.metrics.write(&mut page);
        self.sources.write(&mut page);
        self.workers.write_metrics(&mut page);
        page.end()
    }
}

impl Sources {
    /// Gives those that were added since there were so many the prefix of their mount.
    pub(super) fn name_since(&mut self, (clients, hosts): (usize, usize), prefix: &str) {
        self.clients.iter_mut().skip(clients).for_each(|(name, _)| prefix.clone_into(name));
        self.hosts.iter_mut().skip(hosts).for_each(|(name, _)| prefix.clone_into(name));
    }

    fn write(&self, page: &mut Page) {
        if let Some(calls) = &self.calls {
            let (inline, blocking) = calls.busy();
            page.family("gateway_calls", Kind::Gauge, "calls of synchronous applications that run now, by where");
            page.sample("gateway_calls", &[("place", "worker")], inline);
            page.sample("gateway_calls", &[("place", "blocking")], blocking);
        }
        page.family("gateway_cgi_programs", Kind::Gauge, "CGI programs that run now");
        for (mount, cgi) in &self.hosts {
            page.sample("gateway_cgi_programs", &[("mount", mount)], cgi.running());
        }
        page.family("gateway_upstream_queue", Kind::Gauge, "requests that wait for a place at an upstream");
        for (mount, client) in &self.clients {
            page.sample("gateway_upstream_queue", &[("mount", mount)], client.waiting());
        }
        let upstreams: Vec<_> = self
            .clients
            .iter()
            .flat_map(|(mount, client)| client.statuses().into_iter().map(move |status| (mount, status)))
            .map(|(mount, status)| (mount, status.address.to_string(), status))
            .collect();
        let mut each = |name: &str, about: &str, read: &dyn Fn(&gateway_fastcgi::client::UpstreamStatus) -> usize| {
            page.family(name, Kind::Gauge, about);
            for (mount, address, status) in &upstreams {
                page.sample(name, &[("mount", mount), ("upstream", address)], read(status));
            }
        };
        each("gateway_upstream_requests", "requests that an upstream has", &|status| status.requests);
        each("gateway_upstream_idle_connections", "connections kept without a request", &|status| {
            status.idle_connections
        });
        each("gateway_upstream_out", "whether an upstream gets no requests, because it failed or is full", &|status| {
            usize::from(status.is_out)
        });
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

const PATHS: [&str; 6] = ["/", "/healthz", "/readyz", "/metrics", "/status", "/ping"];

/// What can be asked for.
const THERE_IS: &str = "/healthz /readyz /metrics /status /status?json /ping\n";

impl Application for AdminPage {
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        let path = environ.path_info().as_bytes();
        if !PATHS.iter().any(|known| known.as_bytes() == path) {
            start_response(StatusCode::NOT_FOUND, headers!["content-type" => TEXT, "cache-control" => "no-store"])?;
            return Ok(format!("404 Not Found\n{THERE_IS}").into());
        }
        let method = environ.request_method();
        if method != "GET" && method != "HEAD" {
            let fields = headers!["content-type" => TEXT, "allow" => "GET, HEAD"];
            start_response(StatusCode::METHOD_NOT_ALLOWED, fields)?;
            return Ok("405 Method Not Allowed\n".into());
        }
        let (status, kind, text) = match path {
            b"/healthz" => (StatusCode::OK, TEXT, "ok\n".to_owned()),
            b"/readyz" if self.readiness.is_ready() => (StatusCode::OK, TEXT, "ready\n".to_owned()),
            b"/readyz" => (StatusCode::SERVICE_UNAVAILABLE, TEXT, "not ready\n".to_owned()),
            b"/metrics" => (StatusCode::OK, CONTENT_TYPE, self.metrics()),
            b"/" => (StatusCode::OK, TEXT, THERE_IS.to_owned()),
            _ => return self.workers.call(environ, start_response),
        };
        start_response(status, headers!["content-type" => kind, "cache-control" => "no-store"])?;
        Ok(text.into())
    }
}
