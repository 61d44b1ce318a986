//! The names that a server answers to (RFC 9110 §15.5.20, HTTP-50).
//!
//! Holds the list and the comparison. Does not hold where the name of a request comes from (`environ`).

use std::str::FromStr;

/// Names of hosts, of which a request must have one. The list that holds nothing stands for all.
///
/// A list is written with commas. `*.example.org` stands for every name below `example.org`, at any depth, but not for that name
/// itself. Case, a port and a dot at the end of a name mean nothing. A request without a host, which only HTTP/1.0 may send, has the
/// address that it came to: where that is to be served, it stands in the list, IPv6 in brackets.
///
/// # Examples
/// ```
/// use gateway_server::serve::Hosts;
///
/// let hosts: Hosts = "example.org, *.example.org, [::1]".parse()?;
/// assert!(hosts.contain(b"Example.org") && hosts.contain(b"a.b.example.org") && hosts.contain(b"[::1]"));
/// assert!(!hosts.contain(b"example.com") && !hosts.contain(b"notexample.org"));
/// assert!(Hosts::all().contain(b"anything"));
/// # Ok::<(), gateway_server::serve::HostsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Exactly(Box<str>),
    /// With its dot: `.example.org`.
    Below(Box<str>),
}

/// A list of hosts that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected names such as example.org, *.example.org or [::1], with commas between them and without ports; {name:?} is none"
)]
pub struct HostsError {
    /// The first one that is none.
    name: String,
}

impl Hosts {
    /// Every name.
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether every name is served.
    pub fn are_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this name, without a port, is served.
    pub fn contain(&self, host: &[u8]) -> bool {
        let host = host.strip_suffix(b".").unwrap_or(host);
        self.are_all() || self.0.iter().any(|pattern| pattern.matches(host))
    }
}

impl Pattern {
    fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Exactly(name) => host.eq_ignore_ascii_case(name.as_bytes()),
            Self::Below(end) => host.len().checked_sub(end.len()).is_some_and(|at| {
                at > 0 && host.get(at..).is_some_and(|rest| rest.eq_ignore_ascii_case(end.as_bytes()))
            }),
        }
    }
}

impl FromStr for Hosts {
    type Err = HostsError;

    fn from_str(text: &str) -> Result<Self, HostsError> {
        text.split(',').map(|name| pattern(name.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn pattern(text: &str) -> Result<Pattern, HostsError> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let below = name.strip_prefix('*').filter(|rest| rest.len() > 1 && rest.starts_with('.'));
    let plain = below.map_or(name, |rest| rest.get(1..).unwrap_or_default());
    if plain.contains('*') || !crate::h1::is_host(plain.as_bytes()) {
        return Err(HostsError { name: text.to_owned() });
    }
    Ok(below.map_or_else(|| Pattern::Exactly(name.into()), |rest| Pattern::Below(rest.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_50_names_are_compared_without_case_and_final_dot() {
        let hosts: Hosts = "a.example, *.b.example., 127.0.0.1, [::1]".parse().unwrap();
        for host in ["a.example", "A.EXAMPLE", "a.example.", "x.b.example", "x.y.B.example.", "127.0.0.1", "[::1]"] {
            assert!(hosts.contain(host.as_bytes()), "{host}");
        }
        for host in ["", "example", "b.example", ".b.example", "xb.example", "a.example.org", "xa.example", "127.0.0.2"]
        {
            assert!(!hosts.contain(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn http_50_what_is_no_name_is_no_list() {
        for text in ["", "a,", "a b", "a:80", "*", "*.", "**.a", "a.*", "[::1", "::1", "a/b"] {
            assert!(text.parse::<Hosts>().is_err(), "{text}");
        }
    }
}
