//! What tells a chain of intermediaries about itself: Via and Max-Forwards (RFC 9110 §7.6.2, §7.6.3).
//!
//! Holds the recognition of a loop. Does not hold who the client is (`forwarded`).

use std::hash::{BuildHasher, Hasher, RandomState};

use gateway_spec::Environ;

use super::error::ProxyError;

/// The name of one proxy in Via fields: another for each, so that a request that comes back is known (HTTP-183), while two
/// gateways in a row, or two mounts of one, are no loop.
#[derive(Debug)]
pub(super) struct Pseudonym(String);

/// Whether a request goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Forwards {
    /// It goes on; Max-Forwards, if this request has a meaning for it, is to be this.
    On(Option<u32>),
    /// The client wants the answer of this hop.
    AnswerHere,
}

/// The most hops that a request with Max-Forwards is sent on for.
const MAX_FORWARDS: u32 = 100;

impl Pseudonym {
    pub(super) fn new() -> Self {
        // The standard library's hasher starts from random bytes of the system.
        Self(format!("gateway-{:016x}", RandomState::new().build_hasher().finish()))
    }

    /// The Via field of the request on its way out (HTTP-180).
    ///
    /// # Errors
    /// [`ProxyError::Loop`] if the request has been here before.
    pub(super) fn via(&self, environ: &Environ, upstream: impl Fn() -> String) -> Result<Vec<u8>, ProxyError> {
        let came = environ.header("via").map(|via| via.to_vec()).unwrap_or_default();
        if came.split(|byte| *byte == b',').any(|hop| self.is_named_by(hop)) {
            return Err(ProxyError::Loop { upstream: upstream() });
        }
        let protocol = environ.server_protocol();
        let version = protocol.as_bytes().strip_prefix(b"HTTP/").unwrap_or(b"1.1");
        let mut via = came;
        if !via.is_empty() {
            via.extend_from_slice(b", ");
        }
        via.extend_from_slice(version);
        via.push(b' ');
        via.extend_from_slice(self.0.as_bytes());
        Ok(via)
    }

    fn is_named_by(&self, hop: &[u8]) -> bool {
        let mut words = hop.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.nth(1) == Some(self.0.as_bytes())
    }
}

/// What Max-Forwards says (HTTP-182). It has a meaning for OPTIONS alone: TRACE is refused by the listener.
///
/// # Errors
/// [`ProxyError::MaxForwards`] if it is no number.
pub(super) fn forwards(environ: &Environ) -> Result<Forwards, ProxyError> {
    let Some(value) = environ.header("max-forwards").filter(|_| environ.request_method() == "OPTIONS") else {
        return Ok(Forwards::On(None));
    };
    let text = value.to_str().map_err(|_| ProxyError::MaxForwards)?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ProxyError::MaxForwards);
    }
    // Too many digits are as good as many.
    match text.parse::<u32>().unwrap_or(u32::MAX).checked_sub(1) {
        None => Ok(Forwards::AnswerHere),
        Some(left) => Ok(Forwards::On(Some(left.min(MAX_FORWARDS)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(method: &str, name: &str, value: &str) -> Environ {
        let mut environ = Environ::example(method, "/");
        environ.set(name, value).unwrap();
        environ
    }

    #[test]
    fn http_182_max_forwards_counts_down_for_options_alone() {
        let rows = [("0", Forwards::AnswerHere), ("5", Forwards::On(Some(4))), ("1", Forwards::On(Some(0)))];
        for (value, wanted) in rows {
            assert_eq!(forwards(&with("OPTIONS", "HTTP_MAX_FORWARDS", value)).unwrap(), wanted, "{value}");
        }
        let many = with("OPTIONS", "HTTP_MAX_FORWARDS", "99999999999999999999");
        assert_eq!(forwards(&many).unwrap(), Forwards::On(Some(MAX_FORWARDS)));
        for junk in ["", "-1", "+1", "x", "1, 2"] {
            assert!(forwards(&with("OPTIONS", "HTTP_MAX_FORWARDS", junk)).is_err(), "{junk}");
        }
        assert_eq!(forwards(&with("GET", "HTTP_MAX_FORWARDS", "0")).unwrap(), Forwards::On(None));
    }

    #[test]
    fn http_180_183_via_grows_by_one_and_shows_a_loop() {
        let (one, two) = (Pseudonym::new(), Pseudonym::new());
        let first = one.via(&Environ::example("GET", "/"), String::new).unwrap();
        assert_eq!(first, format!("1.1 {}", one.0).into_bytes());
        let second = two.via(&with("GET", "HTTP_VIA", std::str::from_utf8(&first).unwrap()), String::new).unwrap();
        assert_eq!(second, format!("1.1 {}, 1.1 {}", one.0, two.0).into_bytes());
        let third = one.via(&with("GET", "HTTP_VIA", std::str::from_utf8(&second).unwrap()), String::new);
        assert!(matches!(third, Err(ProxyError::Loop { .. })));
    }
}
