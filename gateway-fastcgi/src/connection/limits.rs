//! How much a peer may make one connection remember.

use crate::protocol::PairLimits;

/// Limits of a [`super::WorkerConnection`]; each has a default and a reason.
///
/// # Examples
/// ```
/// use gateway_fastcgi::connection::Limits;
///
/// let limits = Limits::default().max_params_bytes(16 * 1024);
/// # let _ = limits;
/// ```
#[derive(Debug, Clone)]
pub struct Limits {
    pub(super) max_requests: usize,
    pub(super) max_params_bytes: usize,
    pub(super) pairs: PairLimits,
    pub(super) max_records_before_begin: u32,
    pub(super) max_discarded_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_requests: 64,
            max_params_bytes: 128 * 1024,
            pairs: PairLimits { max_name_bytes: 4 * 1024, max_value_bytes: 64 * 1024, max_pairs: 2_000 },
            max_records_before_begin: 64,
            max_discarded_bytes: 64 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// Requests at a time on one connection, where several are served at all. Default 64: more than gateways open by
    /// default, and as many windows for request bodies as a connection may cost. One more gets OVERLOADED.
    #[must_use]
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.max_requests = requests.max(1);
        self
    }

    /// [`Limits::max_requests`] as it is set.
    pub fn most_requests(&self) -> usize {
        self.max_requests
    }

    /// Parameters of one request, as on the wire. Default 128 KiB: nginx, lighttpd, mod_fcgid and HAProxy never send more
    /// than 64 KiB, and httpd's default limits on fields come to less than this (FCGI-42).
    #[must_use]
    pub fn max_params_bytes(mut self, bytes: usize) -> Self {
        self.max_params_bytes = bytes;
        self
    }

    /// One parameter's name. Default 4 KiB: the longest name of a request field that servers let through.
    #[must_use]
    pub fn max_name_bytes(mut self, bytes: u32) -> Self {
        self.pairs.max_name_bytes = bytes;
        self
    }

    /// One parameter's value. Default 64 KiB: what fits into one record of the gateways that send one.
    #[must_use]
    pub fn max_value_bytes(mut self, bytes: u32) -> Self {
        self.pairs.max_value_bytes = bytes;
        self
    }

    /// Parameters of one request. Default 2000: each costs an index entry, and an empty one but two bytes on the wire.
    #[must_use]
    pub fn max_params(mut self, pairs: u32) -> Self {
        self.pairs.max_pairs = pairs;
        self
    }

    /// Records of any kind before the first request. Default 64: a gateway sends one GET_VALUES, if any (FCGI-136).
    #[must_use]
    pub fn max_records_before_begin(mut self, records: u32) -> Self {
        self.max_records_before_begin = records;
        self
    }

    /// Bytes between two requests that belong to none, most of them input that the application did not read (FCGI-121).
    /// Default 64 MiB: they are dropped at once and cost only time; past that a new connection is cheaper.
    #[must_use]
    pub fn max_discarded_bytes(mut self, bytes: u64) -> Self {
        self.max_discarded_bytes = bytes;
        self
    }
}
