//! Local redirects: the answer is what a request for another path would have given (RFC 3875 §6.2.2).
//!
//! Holds the request that is made from the first one, for hosts of programs and for FastCGI clients. Does not hold who
//! answers it.

use gateway_spec::Environ;
use http::StatusCode;

/// How many local redirects may follow one another (CGI-112): as many as httpd follows; lighttpd follows 5.
pub const MAX_REDIRECTS: u8 = 10;

/// Counts the redirects behind a request; kept in its extensions.
#[derive(Debug, Clone, Copy, Default)]
struct Redirects(u8);

/// Makes the request for `target` out of the one that was redirected.
///
/// It is a GET without a body, as in httpd and lighttpd: the first program may have read the body (CGI-109). HEAD stays
/// HEAD. What described the body goes with it. REDIRECT_URL says where it came from.
///
/// # Errors
/// [`RedirectError`]: the target cannot be decoded, or is what was asked for already, or this is one redirect too many.
///
/// # Examples
/// ```
/// use gateway_cgi::redirect::redirected;
/// use gateway_spec::Environ;
///
/// let second = redirected(&Environ::example("POST", "/login"), "/welcome?first")?;
/// assert_eq!(second.request_method(), "GET");
/// assert_eq!(second.path_info(), "/welcome");
/// # Ok::<(), gateway_cgi::redirect::RedirectError>(())
/// ```
pub fn redirected(from: &Environ, target: &str) -> Result<Environ, RedirectError> {
    let Redirects(before) = from.extensions.get::<Redirects>().copied().unwrap_or_default();
    if before >= MAX_REDIRECTS {
        return Err(RedirectError::TooMany { limit: MAX_REDIRECTS });
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = decode(path).ok_or(RedirectError::Malformed)?;
    let method = if from.request_method() == "HEAD" { "HEAD" } else { "GET" };
    let url = [from.script_name().as_bytes(), from.path_info().as_bytes()].concat();
    let is_same = url == path && from.query_string() == query;
    if is_same && from.request_method() == method {
        return Err(RedirectError::ToItself);
    }
    let mut builder = Environ::builder();
    for (name, value) in from.iter() {
        if !is_of_the_first_request(name.as_bytes()) {
            builder = builder.variable(name.as_bytes(), value.as_bytes());
        }
    }
    let mut environ = builder
        .variable("REQUEST_METHOD", method)
        .variable("SCRIPT_NAME", "")
        .variable("PATH_INFO", path)
        .variable("QUERY_STRING", query)
        .variable("REQUEST_URI", target)
        .variable("REDIRECT_URL", url)
        .errors(from.errors.clone())
        .url_scheme(from.url_scheme.clone())
        .multithread(from.multithread)
        .multiprocess(from.multiprocess)
        .run_once(from.run_once)
        .build()
        .map_err(|_| RedirectError::Malformed)?;
    environ.extensions = from.extensions.clone();
    environ.extensions.insert(Redirects(before + 1));
    Ok(environ)
}

/// Variables about the body, which is gone, and about the place of the first program.
fn is_of_the_first_request(name: &[u8]) -> bool {
    let about_the_body = name.starts_with(b"CONTENT_") || name.starts_with(b"HTTP_CONTENT_") || name == b"HTTP_EXPECT";
    about_the_body || matches!(name, b"PATH_TRANSLATED" | b"SCRIPT_FILENAME")
}

/// Percent-decodes a path once; `None` if an escape is broken (RFC 3986 §2.1).
fn decode(path: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
            let (high, low) = (digit()?, digit()?);
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

/// Why a local redirect is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// The gateway was not told where local redirects go.
    #[error("no application was given for local redirects")]
    NowhereToGo,
    /// The target is no path that could be decoded.
    #[error("the path is malformed")]
    Malformed,
    /// The target is what the client asked for: the program would be asked the same again (CGI-112).
    #[error("it leads to itself")]
    ToItself,
    /// The limit of redirects in a row (CGI-112).
    #[error("{limit} redirects in a row")]
    TooMany {
        /// The limit, [`MAX_REDIRECTS`].
        limit: u8,
    },
}

impl RedirectError {
    /// The status that a gateway answers with: 500 for a chain without an end, which is the site's own mistake, else 502.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::ToItself | Self::TooMany { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NowhereToGo | Self::Malformed => StatusCode::BAD_GATEWAY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgi_108_109_the_second_request_is_a_get_for_the_target() {
        let mut from = Environ::example("POST", "/cgi/start?old=1");
        from.set("CONTENT_LENGTH", "5").unwrap();
        from.set("CONTENT_TYPE", "text/plain").unwrap();
        from.set("HTTP_COOKIE", "a=1").unwrap();
        let to = redirected(&from, "/new%20place?q=%41").unwrap();
        assert_eq!((to.request_method().to_str(), to.path_info().to_str()), (Ok("GET"), Ok("/new place")));
        assert_eq!(to.query_string(), "q=%41");
        assert_eq!(to.get("REQUEST_URI").unwrap(), "/new%20place?q=%41");
        assert_eq!(to.get("REDIRECT_URL").unwrap(), "/cgi/start");
        assert_eq!(to.get("HTTP_COOKIE").unwrap(), "a=1");
        assert!(to.get("CONTENT_LENGTH").is_none() && to.get("CONTENT_TYPE").is_none());
        assert_eq!(redirected(&Environ::example("HEAD", "/"), "/x").unwrap().request_method(), "HEAD");
    }

    #[test]
    fn cgi_112_redirects_in_a_row_are_limited() {
        let mut environ = Environ::example("GET", "/");
        for at in 0..MAX_REDIRECTS {
            environ = redirected(&environ, &format!("/again?{at}")).unwrap();
        }
        assert_eq!(redirected(&environ, "/again").map(drop), Err(RedirectError::TooMany { limit: MAX_REDIRECTS }));
    }

    #[test]
    fn cgi_112_a_redirect_to_itself_is_refused_unless_it_is_another_request() {
        let environ = |method| {
            let mut environ = Environ::example(method, "/app/a%20b?q=1");
            environ.set("SCRIPT_NAME", "/app").unwrap();
            environ.set("PATH_INFO", "/a b").unwrap();
            environ
        };
        for target in ["/app/a%20b?q=1", "/%61pp/a%20b?q=1"] {
            for method in ["GET", "HEAD"] {
                let refused = redirected(&environ(method), target).map(drop);
                assert_eq!(refused, Err(RedirectError::ToItself), "{method} {target}");
            }
            // A form that was sent is answered with its page.
            assert_eq!(redirected(&environ("POST"), target).unwrap().request_method(), "GET");
        }
        for target in ["/app/a%20b", "/app/a%20b?q=2", "/app/a%20b/?q=1"] {
            assert!(redirected(&environ("GET"), target).is_ok(), "{target}");
        }
    }

    #[test]
    fn cgi_109_nothing_describes_the_body_that_is_gone() {
        let mut from = Environ::example("PUT", "/x");
        let names = ["CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_CONTENT_ENCODING", "HTTP_CONTENT_RANGE", "HTTP_EXPECT"];
        for name in names {
            from.set(name, "1").unwrap();
        }
        let to = redirected(&from, "/y").unwrap();
        assert!(names.iter().all(|name| to.get(name).is_none()));
        assert_eq!(to.request_method(), "GET");
    }

    #[test]
    fn cgi_114_two_slashes_stay_a_path() {
        let to = redirected(&Environ::example("GET", "/"), "//evil.example/x").unwrap();
        assert_eq!((to.path_info().to_str(), to.server_name().to_str()), (Ok("//evil.example/x"), Ok("localhost")));
    }

    #[test]
    fn cgi_142_a_target_that_cannot_be_decoded_is_refused() {
        for target in ["/%", "/%4", "/%zz", "/%00"] {
            assert_eq!(redirected(&Environ::example("GET", "/"), target).map(drop), Err(RedirectError::Malformed));
        }
    }
}
