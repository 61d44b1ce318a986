//! Where an upstream is, as the operator writes it.
//!
//! Holds the spelling. Does not connect to anything.

use std::fmt;
use std::str::FromStr;

use gateway_fastcgi::net::{Address, AddressError};

/// An HTTP server to send requests to: `http://HOST:PORT`, perhaps with a path, `unix:PATH` or `tcp:HOST:PORT`.
///
/// A path in the URL takes the place of the mount's prefix: see [`Paths`](super::Paths).
///
/// # Examples
/// ```
/// use gateway_server::mount::Upstream;
///
/// let upstream: Upstream = "http://127.0.0.1:8000".parse()?;
/// assert_eq!((upstream.address().to_string().as_str(), upstream.base()), ("tcp:127.0.0.1:8000", None));
/// let upstream: Upstream = "http://[::1]/shop/".parse()?;
/// assert_eq!((upstream.address().to_string().as_str(), upstream.base()), ("tcp:[::1]:80", Some("/shop")));
/// assert!("https://example.org".parse::<Upstream>().is_err());
/// # Ok::<(), gateway_server::mount::UpstreamError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    address: Address,
    /// What stands in a Host field that names the upstream itself.
    authority: String,
    /// Without a slash at its end.
    base: Option<String>,
}

/// Why a text names no upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// Neither of the forms.
    #[error("expected http://HOST:PORT, http://HOST:PORT/PATH, unix:PATH or tcp:HOST:PORT")]
    Form,
    /// An upstream behind TLS.
    #[error(
        "upstreams behind TLS are not supported; use http:// to a server on this machine or in a network you trust"
    )]
    Tls,
    /// Something that a URL may have, and that would have no meaning here.
    #[error("{0:?} has no place in the URL of an upstream")]
    Part(char),
    /// The host or the port.
    #[error(transparent)]
    Address(#[from] AddressError),
}

impl Upstream {
    /// Where to connect.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The path in its URL, which takes the place of the mount's prefix: empty for `/`. `None` if the URL has none.
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// Host and port as a Host field has them; `localhost` for a UNIX socket.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The same with another address, such as a socket path made absolute.
    #[must_use]
    pub fn at(mut self, address: Address) -> Self {
        self.address = address;
        self
    }
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        if text.starts_with("https:") {
            return Err(UpstreamError::Tls);
        }
        if text.starts_with("unix:") {
            return Ok(Upstream { address: text.parse()?, authority: "localhost".to_owned(), base: None });
        }
        if let Some(authority) = text.strip_prefix("tcp:") {
            return Ok(Upstream { address: text.parse()?, authority: authority.to_owned(), base: None });
        }
        let rest = text.strip_prefix("http://").ok_or(UpstreamError::Form)?;
        if let Some(found) = rest.chars().find(|c| matches!(c, '@' | '#' | '?') || c.is_whitespace() || c.is_control())
        {
            return Err(UpstreamError::Part(found));
        }
        let (authority, base) = match rest.find('/') {
            Some(at) => rest.split_at_checked(at).map_or((rest, None), |(host, path)| (host, Some(path))),
            None => (rest, None),
        };
        let has_port =
            authority.rsplit_once(':').is_some_and(|(host, _)| !host.starts_with('[') || host.ends_with(']'));
        let address = if has_port { authority.parse()? } else { format!("{authority}:80").parse()? };
        let base = base.map(|path| path.trim_end_matches('/').to_owned());
        Ok(Upstream { address, authority: authority.to_owned(), base })
    }
}

/// As it would be written behind `http:` or as a URL.
impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Unix(path) => write!(f, "http:unix:{}", path.display()),
            Address::Tcp { .. } => {
                let slash = if self.base.as_deref() == Some("") { "/" } else { "" };
                write!(f, "http://{}{}{slash}", self.authority, self.base.as_deref().unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_and_written_again() {
        let rows = [
            ("http://127.0.0.1:8000", "tcp:127.0.0.1:8000", None, "http://127.0.0.1:8000"),
            ("http://app", "tcp:app:80", None, "http://app"),
            ("http://app/", "tcp:app:80", Some(""), "http://app/"),
            ("http://app:81/a/b/", "tcp:app:81", Some("/a/b"), "http://app:81/a/b"),
            ("http://[::1]", "tcp:[::1]:80", None, "http://[::1]"),
            ("http://[::1]:82/x", "tcp:[::1]:82", Some("/x"), "http://[::1]:82/x"),
            ("unix:/run/a.sock", "unix:/run/a.sock", None, "http:unix:/run/a.sock"),
            ("tcp:app:83", "tcp:app:83", None, "http://app:83"),
        ];
        for (text, address, base, shown) in rows {
            let upstream: Upstream = text.parse().unwrap();
            assert_eq!((upstream.address().to_string().as_str(), upstream.base()), (address, base), "{text}");
            assert_eq!(upstream.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_names_no_upstream_is_refused() {
        for text in [
            "",
            "app",
            "http:",
            "http://",
            "http:app",
            "http:///x",
            "http://a:b",
            "http://a:",
            "http://a:99999",
            "unix:",
        ] {
            assert!(text.parse::<Upstream>().is_err(), "{text}");
        }
        assert_eq!("https://a".parse::<Upstream>(), Err(UpstreamError::Tls));
        assert_eq!("http://u@a".parse::<Upstream>(), Err(UpstreamError::Part('@')));
        assert_eq!("http://a/x#y".parse::<Upstream>(), Err(UpstreamError::Part('#')));
    }
}
