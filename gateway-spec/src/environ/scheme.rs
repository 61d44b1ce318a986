//! The scheme of the URL that a client used, `wsgi.url_scheme` (PEP-29).
//!
//! Holds the type. Does not hold who finds out what it is: that is the gateway.

use std::fmt;

/// The scheme of a request's URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    #[default]
    Http,
    /// `https`
    Https,
    /// Any other.
    Other(Box<str>),
}

impl Scheme {
    /// The scheme as it stands in a URL.
    pub fn as_str(&self) -> &str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Other(name) => name,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
