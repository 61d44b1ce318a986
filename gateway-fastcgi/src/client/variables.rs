//! The parameters of one request: the variables of gateway-cgi, which CGI programs get as well (FCGI-90).
//!
//! Holds them in one buffer, so that a request can be sent twice. Does not hold which variables there are.

use std::ops::Range;

use gateway_cgi::variables::MetaVariables;
use gateway_spec::Environ;

use super::script::Script;

/// Names and values, in order.
#[derive(Debug, Default)]
pub(super) struct Variables {
    bytes: Vec<u8>,
    pairs: Vec<(Range<usize>, Range<usize>)>,
}

impl Variables {
    /// The variables for this request and script; `length` is that of the body, if there is one.
    pub(super) fn choose(
        configured: &MetaVariables,
        script: Option<Script>,
        environ: &Environ,
        length: Option<u64>,
    ) -> Self {
        let mut variables = Self { bytes: Vec::with_capacity(2048), pairs: Vec::with_capacity(48) };
        let add = |name: &[u8], value: &[u8]| variables.add(name, value);
        match script {
            None => configured.for_each(environ, length, add),
            Some(script) => script.configure(configured.clone()).for_each(environ, length, add),
        }
        variables
    }

    /// All pairs.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let part = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.pairs.iter().map(move |(name, value)| (part(name), part(value)))
    }

    fn add(&mut self, name: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.pairs.push((start..middle, middle..self.bytes.len()));
    }
}
