//! Shows what the application was given, line by line, so that two gateways can be compared with `diff`.
//!
//! ```text
//! echo/1
//! method=POST
//! target=/p?q=1          REQUEST_URI as it came
//! length=5               bytes of the request body that were read
//! body=68656c6c6f        the first 256 of them in hexadecimal
//! h.host=localhost       each request field: lower case, repeats joined
//! env.SERVER_PORT=80     under CGI and FastCGI: each other variable
//! ```
//!
//! Lines end in LF. Values are written byte for byte, but for CR and LF, which become `\x0d` and `\x0a`: a path may hold
//! them once it is decoded, and must not be able to forge a line.

use std::io::ErrorKind;

use gateway_spec::{AppError, Body, Environ, Input, StartResponse, StatusCode, Value, headers};

/// How much of the request body is shown.
const SHOWN: usize = 256;

/// Answers with what it was given; 400 if the request body ended early.
///
/// # Errors
/// When the request body cannot be read for another reason.
///
/// # Examples
/// ```
/// use gateway_spec::{Environ, Event, Exchange};
/// let mut exchange = Exchange::call(&gateway_examples::mirror::application, Environ::example("GET", "/p?q=1"));
/// let Event::Head(_) = exchange.next() else { panic!("a head comes first") };
/// let Event::Chunk(text) = exchange.next() else { panic!("then the text") };
/// assert_eq!(text, "echo/1\nmethod=GET\ntarget=/p?q=1\nlength=0\nbody=\n");
/// ```
pub fn application(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let plain = headers!["content-type" => "text/plain"];
    let body = match Received::read(&mut environ.input) {
        Ok(body) => body,
        // Every gateway says it this way (HTTP-86).
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            start_response(StatusCode::BAD_REQUEST, plain)?;
            return Ok(format!("{error}\n").into());
        }
        Err(error) => return Err(error.into()),
    };
    start_response(StatusCode::OK, plain)?;
    Ok(reflection(&environ, &body).into())
}

/// What there was of a request body.
struct Received {
    length: u64,
    start: Vec<u8>,
}

impl Received {
    /// Reads to the end and keeps the start.
    fn read(input: &mut Input) -> std::io::Result<Received> {
        let mut received = Received { length: 0, start: Vec::with_capacity(SHOWN) };
        for chunk in input.chunks() {
            let chunk = chunk?;
            received.length += chunk.len() as u64;
            let room = SHOWN - received.start.len();
            received.start.extend(chunk.iter().take(room));
        }
        Ok(received)
    }
}

fn reflection(environ: &Environ, body: &Received) -> Vec<u8> {
    let mut lines = Lines(b"echo/1\n".to_vec());
    lines.push("method", "", &environ.request_method());
    match environ.get("REQUEST_URI") {
        Some(uri) => lines.push("target", "", &uri),
        None => lines.push("target", "", &rebuilt_target(environ)),
    }
    lines.push("length", "", body.length.to_string().as_bytes());
    lines.push("body", "", hex(&body.start).as_bytes());
    for (name, value) in environ.request_headers() {
        lines.push("h.", &name, &value);
    }
    // PEP-34: another process may run the same application exactly where a server starts our processes, which is CGI and
    // FastCGI. The variables of the in-process gateway are its own and say nothing of a server.
    if environ.multiprocess || environ.run_once {
        for (name, value) in environ.iter().filter(|(name, _)| !is_request_field(*name)) {
            lines.push("env.", &name.to_string(), &value);
        }
    }
    lines.0
}

struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, kind: &str, name: &str, value: &[u8]) {
        self.0.extend_from_slice(kind.as_bytes());
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
        for byte in value {
            match byte {
                b'\n' => self.0.extend_from_slice(b"\\x0a"),
                b'\r' => self.0.extend_from_slice(b"\\x0d"),
                byte => self.0.push(*byte),
            }
        }
        self.0.push(b'\n');
    }
}

/// The target as far as it can be told where no REQUEST_URI was given, which is not a variable of CGI.
fn rebuilt_target(environ: &Environ) -> Vec<u8> {
    let mut target = [environ.script_name().as_bytes(), environ.path_info().as_bytes()].concat();
    if !environ.query_string().is_empty() {
        target.push(b'?');
        target.extend_from_slice(&environ.query_string());
    }
    target
}

fn is_request_field(name: Value<'_>) -> bool {
    name.starts_with(b"HTTP_") || name == "CONTENT_TYPE" || name == "CONTENT_LENGTH"
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direct::{call, post};

    fn request() -> Environ {
        let mut environ = Environ::builder()
            .variable("REQUEST_METHOD", "POST")
            .variable("SERVER_NAME", "localhost")
            .variable("SERVER_PORT", "80")
            .variable("SERVER_PROTOCOL", "HTTP/1.1")
            .variable("REQUEST_URI", "/p%0a?q=1")
            .variable("PATH_INFO", "/p\n")
            .variable("QUERY_STRING", "q=1")
            .header(b"Host", b"localhost")
            .header(b"X-Twice", b"one")
            .header(b"x-twice", b"two")
            .header(b"Content-Length", b"5")
            .build()
            .unwrap();
        environ.input = Input::from("hello");
        environ
    }

    const FIELDS: &str = "h.host=localhost\nh.x-twice=one, two\nh.content-length=5\n";

    #[test]
    fn in_process_it_shows_the_request_and_its_fields() {
        let answer = call(&application, request());
        let start = "echo/1\nmethod=POST\ntarget=/p%0a?q=1\nlength=5\nbody=68656c6c6f\n";
        assert_eq!((answer.status, answer.text()), (200, format!("{start}{FIELDS}").as_str()));
        assert_eq!(answer.field("content-type"), Some("text/plain"));
    }

    #[test]
    fn under_cgi_and_fastcgi_it_shows_all_other_variables_too() {
        for (multiprocess, run_once) in [(true, true), (true, false)] {
            let mut environ = request();
            (environ.multiprocess, environ.run_once) = (multiprocess, run_once);
            let text = call(&application, environ).text().to_owned();
            let (_, variables) = text.split_once(FIELDS).unwrap();
            for line in ["env.REQUEST_METHOD=POST\n", "env.SERVER_PORT=80\n", "env.PATH_INFO=/p\\x0a\n"] {
                assert!(variables.contains(line), "{line} is not in {variables}");
            }
            assert!(!variables.contains("env.HTTP_") && !variables.contains("env.CONTENT_"));
        }
    }

    #[test]
    fn only_the_start_of_a_long_body_is_shown_but_all_of_it_is_read() {
        let answer = post(&application, "/", "text/plain", &"z".repeat(300));
        assert!(answer.text().contains(&format!("length=300\nbody={}\n", "7a".repeat(256))));
    }

    #[test]
    fn http_86_a_body_that_ends_early_is_400() {
        let mut environ = request();
        environ.input = Input::reader(&b"hel"[..], Some(5));
        assert_eq!(call(&application, environ).status, 400);
    }

    #[test]
    fn without_request_uri_the_target_is_put_together() {
        let mut environ = request();
        environ.remove("REQUEST_URI");
        environ.set("SCRIPT_NAME", "/app").unwrap();
        environ.set("PATH_INFO", "/p").unwrap();
        assert!(call(&application, environ).text().contains("\ntarget=/app/p?q=1\n"));
    }
}
