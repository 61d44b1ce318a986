//! What is told of requests: the access log, request ids and metrics.
//!
//! Holds the choice, [`Telemetry`], which a [`Config`](crate::serve::Config) carries. Without one a request is told of nowhere and costs nothing
//! more. Does not hold events of `tracing`, which the gateways write wherever something happens.
//!
//! | file | holds |
//! | --- | --- |
//! | `request_id` | ids |
//! | `record` | one request, until its end |
//! | `field`, `format` | what a line of the access log has |
//! | `line`, `clock`, `text` | writing one |
//! | `access_log`, `gathered` | gathering and writing lines |
//! | `metrics`, `openmetrics` | counters, and how they are told |
//! | `shard` | which thread works where |

mod access_log;
mod clock;
mod field;
mod format;
mod gathered;
mod line;
mod metrics;
pub(crate) mod openmetrics;
mod record;
mod request_id;
mod shard;
#[cfg(test)]
mod tests;
mod text;

use gateway_spec::{Environ, VariableName};

pub use access_log::AccessLog;
pub use field::{AccessField, UnknownField};
pub use format::AccessFormat;
pub use metrics::Metrics;
pub(crate) use metrics::{Reason, Shed};
pub(crate) use record::{Ended, Ending, Line, Record, application_time, queue_time};
pub use request_id::RequestId;

/// What a server tells of its requests, and to whom.
///
/// # Examples
/// ```
/// use gateway_server::serve::Config;
/// use gateway_server::telemetry::Telemetry;
///
/// let config = Config::default().telemetry(Telemetry::new().request_ids(true));
/// # drop(config);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    access_log: Option<AccessLog>,
    metrics: Option<Metrics>,
    request_ids: bool,
}

impl Telemetry {
    /// Nothing is told.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a line for each request. Default: none.
    #[must_use]
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.access_log = Some(log);
        self
    }

    /// Gives each request an id, as UNIQUE_ID and as HTTP_X_REQUEST_ID in place of what a client sent; one that a trusted proxy
    /// ([`Config::trusted_proxies`](crate::serve::Config::trusted_proxies)) sends as X-Request-Id, or else as the trace-id of a traceparent, is
    /// kept. Default no.
    #[must_use]
    pub fn request_ids(mut self, make: bool) -> Self {
        self.request_ids = make;
        self
    }

    /// Counts requests and connections. Default: nobody counts.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Begins the record of a request that goes to an application.
    pub(crate) fn begin(&self, environ: &mut Environ, ids: IdsOf) -> Record<'_> {
        Record::of(self, environ, ids)
    }

    /// Begins the record of a request that goes nowhere.
    pub(crate) fn refuse(&self, remote: &str, line: Option<Line<'_>>) -> Record<'_> {
        Record::of_refused(self, remote, line)
    }

    /// Whoever counts.
    pub(crate) fn counters(&self) -> Option<&Metrics> {
        self.metrics.as_ref()
    }

    /// Gives a request its id.
    fn mark(&self, environ: &mut Environ, ids: IdsOf) -> Option<RequestId> {
        let id = self.request_ids.then(|| match ids {
            IdsOf::Ours => RequestId::new(),
            IdsOf::TrustedPeer => theirs(environ).unwrap_or_default(),
        })?;
        for name in [UNIQUE_ID, HTTP_X_REQUEST_ID] {
            // No id holds what a variable must not.
            let _ = environ.set_known(name, id.as_bytes());
        }
        Some(id)
    }
}

const UNIQUE_ID: VariableName = VariableName::new("UNIQUE_ID");
const HTTP_X_REQUEST_ID: VariableName = VariableName::new("HTTP_X_REQUEST_ID");

/// Whose ids count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdsOf {
    /// What the client sends is not believed.
    Ours,
    /// A proxy in front of us may have made one.
    TrustedPeer,
}

/// The id that a request came with.
fn theirs(environ: &Environ) -> Option<RequestId> {
    let field = |name| environ.get(name).map(gateway_spec::Value::as_bytes);
    let id = field("HTTP_X_REQUEST_ID").and_then(RequestId::parse);
    id.or_else(|| field("HTTP_TRACEPARENT").and_then(RequestId::of_traceparent))
}
