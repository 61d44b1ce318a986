//! Rows of RFC 3875 that bind a program and are seen only from outside; `docs/cgi.md` names the tests of all rows.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)] // helpers of tests, and what an application looks like

use std::ffi::OsString;
use std::io;
use std::sync::{Arc, Mutex};

use gateway_cgi::program::{Outcome, serve_with};
use gateway_spec::{AppError, Body, Environ, ErrorStream, StartResponse, StatusCode, headers};

/// What a program wrote.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tells_versions(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    let value = |name: &str| environ.get(name).map(|value| value.as_bytes().to_vec()).unwrap_or_default();
    Ok([value("GATEWAY_INTERFACE"), value("SERVER_PROTOCOL")].join(&b' ').into())
}

#[test]
fn cgi_25_40_versions_change_nothing_for_a_program() {
    for (interface, protocol) in [
        ("CGI/1.1", "HTTP/1.1"),
        ("CGI/1.01", "HTTP/1.0"),
        ("CGI/1.13", "http/1.1"),
        ("CGI/2.4", "HTTP/2"),
        ("CGI/1.1", "INCLUDED"),
    ] {
        let environment = [
            ("GATEWAY_INTERFACE", interface),
            ("SERVER_PROTOCOL", protocol),
            ("REQUEST_METHOD", "GET"),
            ("SERVER_NAME", "localhost"),
            ("SERVER_PORT", "80"),
        ]
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let written = Written::default();
        let outcome = serve_with(&tells_versions, environment, io::empty(), written.clone(), &ErrorStream::stderr());
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(outcome, Outcome::Complete, "{interface} {protocol}");
        let (head, body) = text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n")).unwrap();
        assert!(head.starts_with("Status: 200 OK"), "{head}");
        assert_eq!(body, format!("{interface} {protocol}"));
    }
}
