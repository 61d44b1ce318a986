//! The capability query: FCGI_GET_VALUES and its result (FastCGI 1.0 §4.1).
//!
//! Holds the three names and the text of their values. Does not hold when to ask.

use super::{Pair, PairError, PairLimits, Params};
use bytes::Bytes;

/// A name that the specification defines for FCGI_GET_VALUES.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueName {
    /// FCGI_MAX_CONNS: most transport connections at a time.
    MaxConns,
    /// FCGI_MAX_REQS: most requests at a time.
    MaxReqs,
    /// FCGI_MPXS_CONNS: are there several requests at a time on one connection?
    MpxsConns,
}

impl ValueName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::MaxConns, Self::MaxReqs, Self::MpxsConns];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaxConns => "FCGI_MAX_CONNS",
            Self::MaxReqs => "FCGI_MAX_REQS",
            Self::MpxsConns => "FCGI_MPXS_CONNS",
        }
    }
}

/// What a worker says about itself; it must be true (FCGI-56).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// FCGI_MAX_CONNS
    pub max_connections: u32,
    /// FCGI_MAX_REQS
    pub max_requests: u32,
    /// FCGI_MPXS_CONNS
    pub multiplexes: bool,
}

/// Nothing longer fits into one record.
const IN_ONE_RECORD: PairLimits = PairLimits { max_name_bytes: 65_535, max_value_bytes: 65_535, max_pairs: 65_535 };

impl Capabilities {
    /// Of a worker that serves one request at a time on each of at most `connections`.
    pub fn one_at_a_time(connections: u32) -> Self {
        Self { max_connections: connections, max_requests: connections, multiplexes: false }
    }

    /// Answers the content of a GET_VALUES record by the content of GET_VALUES_RESULT.
    ///
    /// Each known name that was asked for is answered once, however often it was asked for (FCGI-60); unknown names are
    /// left out (FCGI-55). The answer is never longer than the question by more than the text of three numbers.
    ///
    /// # Errors
    /// The list is malformed.
    ///
    /// # Examples
    /// ```
    /// use gateway_fastcgi::protocol::Capabilities;
    ///
    /// let own = Capabilities { max_connections: 10, max_requests: 10, multiplexes: false };
    /// let answer = own.answer(b"\x0f\0FCGI_MPXS_CONNS\x05\0OTHER")?;
    /// assert_eq!(answer, b"\x0f\x01FCGI_MPXS_CONNS0");
    /// # Ok::<(), gateway_fastcgi::protocol::PairError>(())
    /// ```
    pub fn answer(&self, query: &[u8]) -> Result<Vec<u8>, PairError> {
        let query = Params::decode(Bytes::copy_from_slice(query), &IN_ONE_RECORD)?;
        let mut out = Vec::new();
        for name in ValueName::ALL {
            if query.iter().any(|pair| pair.name() == name.as_str().as_bytes()) {
                Pair::new(name.as_str().as_bytes(), self.text(name).as_bytes())?.encode(&mut out);
            }
        }
        Ok(out)
    }

    fn text(&self, name: ValueName) -> String {
        match name {
            ValueName::MaxConns => self.max_connections.to_string(),
            ValueName::MaxReqs => self.max_requests.to_string(),
            ValueName::MpxsConns => u8::from(self.multiplexes).to_string(),
        }
    }
}

/// What a worker answered; `None` where it said nothing, or nothing readable.
///
/// Nobody should depend on an answer: php-fpm knows one name and closes afterwards, others never answer (FCGI-59).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerValues {
    /// FCGI_MAX_CONNS
    pub max_connections: Option<u32>,
    /// FCGI_MAX_REQS
    pub max_requests: Option<u32>,
    /// FCGI_MPXS_CONNS
    pub multiplexes: Option<bool>,
}

impl PeerValues {
    /// The content of a GET_VALUES record that asks for `names`.
    pub fn query(names: &[ValueName]) -> Vec<u8> {
        let mut out = Vec::new();
        for name in names {
            if let Ok(pair) = Pair::new(name.as_str().as_bytes(), b"") {
                pair.encode(&mut out);
            }
        }
        out
    }

    /// Reads the content of a GET_VALUES_RESULT record.
    ///
    /// # Errors
    /// The list is malformed.
    pub fn decode(content: Bytes) -> Result<Self, PairError> {
        let params = Params::decode(content, &IN_ONE_RECORD)?;
        let number = |name: ValueName| {
            let text = std::str::from_utf8(params.get(name.as_str().as_bytes())?).ok()?;
            text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok())?
        };
        Ok(Self {
            max_connections: number(ValueName::MaxConns),
            max_requests: number(ValueName::MaxReqs),
            multiplexes: number(ValueName::MpxsConns).map(|n| n != 0),
        })
    }
}
