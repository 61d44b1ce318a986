//! `--request`: one request from the command line, answered without a gateway, for development.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use gateway_spec::{Application, Environ, EnvironError, Event, Exchange, HeaderName, HeaderValue, Input, Method};
use percent_encoding::percent_decode_str;

/// A request as the command line describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryRequest {
    /// The method, case kept.
    pub method: String,
    /// The request target: a path and maybe a query.
    pub target: String,
    /// Header fields in their order.
    pub headers: Vec<(String, String)>,
    /// The body: text, or `@` and the name of a file.
    pub body: Option<String>,
}

impl MemoryRequest {
    /// Reads `GET /path`; a version after it is allowed and ignored.
    pub(super) fn parse(line: &str) -> Option<MemoryRequest> {
        let mut words = line.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next());
        let is_version = version.is_none_or(|version| version.starts_with("HTTP/"));
        let is_target = target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if words.next().is_some() || !is_version || !is_target || Method::from_bytes(method.as_bytes()).is_err() {
            return None;
        }
        let (method, target) = (method.to_owned(), target.to_owned());
        Some(MemoryRequest { method, target, headers: Vec::new(), body: None })
    }

    pub(super) fn add_header(&mut self, field: &str) -> Option<()> {
        let (name, value) = field.split_once(':')?;
        let value = value.trim();
        HeaderName::from_bytes(name.as_bytes()).ok()?;
        HeaderValue::from_str(value).ok()?;
        self.headers.push((name.to_owned(), value.to_owned()));
        Some(())
    }

    /// The environ of this request, with `body`.
    fn environ(&self, body: Vec<u8>) -> Result<Environ, EnvironError> {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let path: Vec<u8> = percent_decode_str(path).collect();
        let mut builder = Environ::builder()
            .variable("GATEWAY_INTERFACE", "CGI/1.1")
            .variable("REQUEST_METHOD", &self.method)
            .variable("REQUEST_URI", &self.target)
            .variable("SCRIPT_NAME", "")
            .variable("PATH_INFO", path)
            .variable("QUERY_STRING", query)
            .variable("SERVER_NAME", "localhost")
            .variable("SERVER_PORT", "80")
            .variable("SERVER_PROTOCOL", "HTTP/1.1")
            .variable("SERVER_SOFTWARE", concat!("gateway-server/", env!("CARGO_PKG_VERSION")))
            .variable("REMOTE_ADDR", "127.0.0.1");
        let has_host = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        if !has_host {
            builder.add_header(b"Host", b"localhost");
        }
        // The length is that of the body given, whatever a field says.
        for (name, value) in self.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length")) {
            builder.add_header(name.as_bytes(), value.as_bytes());
        }
        if self.body.is_some() {
            builder.add_header(b"Content-Length", body.len().to_string().as_bytes());
        }
        builder.input(Input::from(body)).build()
    }
}

impl fmt::Display for MemoryRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)
    }
}

/// What an argument's body is: itself, or what the file holds that it names.
fn body_of(argument: Option<&str>) -> io::Result<Vec<u8>> {
    match argument.map(|argument| (argument, argument.strip_prefix('@'))) {
        None => Ok(Vec::new()),
        Some((text, None)) => Ok(text.as_bytes().to_vec()),
        Some((_, Some(file))) => {
            std::fs::read(file).map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))
        }
    }
}

/// Answers `request` on `out`: status line, fields, empty line, body. What went wrong goes to `errors`.
///
/// Line ends in the head are LF: it is for reading. The exit code is 1 if the response was broken off.
pub(super) fn answer(
    app: &impl Application,
    request: &MemoryRequest,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> io::Result<ExitCode> {
    let body = body_of(request.body.as_deref())?;
    let environ = request.environ(body).map_err(io::Error::other)?;
    let mut exchange = Exchange::call(app, environ);
    let code = loop {
        match exchange.next() {
            Event::Head(head) => {
                writeln!(
                    out,
                    "HTTP/1.1 {} {}",
                    head.status.as_str(),
                    head.status.canonical_reason().unwrap_or_default()
                )?;
                for (name, value) in &head.headers {
                    write!(out, "{name}: ")?;
                    out.write_all(value.as_bytes())?;
                    writeln!(out)?;
                }
                writeln!(out)?;
            }
            Event::Chunk(chunk) => out.write_all(&chunk)?,
            Event::Nothing => {}
            Event::End => break ExitCode::SUCCESS,
            Event::Abort => break ExitCode::FAILURE,
        }
        out.flush()?;
    };
    if let Some(failure) = exchange.take_failure() {
        writeln!(errors, "{request}: {failure}")?;
    }
    Ok(code)
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "applications are handed start_response for good")]
mod tests {
    use super::*;
    use gateway_spec::{AppError, Body, StartResponse, StatusCode, headers};

    fn show(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        let body = environ.input.read_all(100)?;
        start_response(StatusCode::OK, headers!["content-type" => "text/plain", "x-many" => "1", "x-many" => "2"])?;
        let host = environ.header("host").unwrap_or_default();
        let length = environ.content_length();
        Ok(format!("{} {} {host} {length:?} {}\n", environ.path_info(), environ.query_string(), body.escape_ascii())
            .into())
    }

    fn broken(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        Ok(Body::iter([Ok("part".into()), Err("the rest is lost".into())].into_iter()))
    }

    fn answered(app: &impl Application, request: &MemoryRequest) -> (String, String, ExitCode) {
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let code = answer(app, request, &mut out, &mut errors).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(errors).unwrap(), code)
    }

    fn same(left: ExitCode, right: ExitCode) -> bool {
        format!("{left:?}") == format!("{right:?}")
    }

    #[test]
    fn a_request_is_answered_with_status_fields_and_body() {
        let mut request = MemoryRequest::parse("POST /a%20b?q=%20 HTTP/1.1").unwrap();
        request.add_header("Host: example.org").unwrap();
        request.add_header("Content-Length: 99").unwrap();
        request.body = Some("hello".to_owned());
        let body = "/a b q=%20 example.org Some(5) hello\n";
        let head = format!(
            "HTTP/1.1 200 OK\ncontent-type: text/plain\nx-many: 1\nx-many: 2\ncontent-length: {}\n\n",
            body.len()
        );
        let (out, errors, code) = answered(&show, &request);
        assert_eq!((out, errors), (head + body, String::new()));
        assert!(same(code, ExitCode::SUCCESS));
    }

    #[test]
    fn the_body_may_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from a file").unwrap();
        let mut request = MemoryRequest::parse("PUT /").unwrap();
        request.body = Some(format!("@{}", file.path().display()));
        assert!(answered(&show, &request).0.ends_with("Some(11) from a file\n"));
        request.body = Some("@/no/such/file".to_owned());
        let error = answer(&show, &request, &mut Vec::new(), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/file: "), "{error}");
    }

    #[test]
    fn pep_145_a_broken_response_is_told_by_the_exit_code() {
        let (out, errors, code) = answered(&broken, &MemoryRequest::parse("GET /").unwrap());
        assert!(out.ends_with("\n\npart"), "{out}");
        assert_eq!(errors, "GET /: application failed: the rest is lost\n");
        assert!(same(code, ExitCode::FAILURE));
    }
}
