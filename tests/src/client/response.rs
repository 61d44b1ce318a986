//! One response, and what no response may be.
//!
//! Does not hold how it is read (`reader`).

use std::io;

use super::content::Content;

/// What a server did that no server may do.
#[derive(Debug)]
pub enum Broken {
    /// The socket failed.
    Io(io::Error),
    /// The connection ended before any byte of a response: legal, but no answer.
    NoAnswer,
    /// The head ended early or breaks the grammar.
    Head(String),
    /// The framing fields contradict each other.
    Framing(String),
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the connection failed: {error}"),
            Self::NoAnswer => write!(f, "the connection was closed without an answer"),
            Self::Head(what) => write!(f, "the response's head is broken: {what}"),
            Self::Framing(what) => write!(f, "the response's framing is broken: {what}"),
        }
    }
}

/// One response.
#[derive(Clone, Debug)]
pub struct Response {
    /// `1` for HTTP/1.1, `0` for HTTP/1.0.
    pub minor_version: u8,
    /// The status code.
    pub status: u16,
    /// The fields in their order, names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub content: Content,
    /// How the body's end was marked.
    pub framing: Framing,
}

/// How a response's body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body is possible: HEAD, 1xx, 204, 304.
    None,
    /// Content-Length.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
    /// The end of the connection.
    Close,
}

impl Response {
    /// The value of a field that may be there once.
    ///
    /// # Panics
    /// If it is there twice.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name);
        let first = values.next();
        assert!(values.next().is_none(), "{name} is there twice: {:?}", self.fields);
        first
    }

    /// All values of a field, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        self.content.text()
    }

    /// True when the connection may carry another exchange.
    pub fn is_persistent(&self) -> bool {
        let close = self.all("connection").any(|v| v.to_ascii_lowercase().contains("close"));
        self.minor_version == 1 && !close && self.framing != Framing::Close && self.content.complete
    }
}
