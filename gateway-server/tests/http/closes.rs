//! The body is closed exactly once, whatever happens (PEP-104).

use super::support::*;
use gateway_spec::{AppError, Body, Bytes, Environ, StartResponse, StatusCode, headers};
use std::time::Duration;

/// An application that does what the path says, and counts the bodies it made and those that were closed.
#[derive(Clone, Default)]
struct Closing {
    made: Counter,
    closed: Counter,
}

impl Closing {
    fn body(&self, pieces: impl Iterator<Item = Result<Bytes, AppError>> + Send + 'static) -> Body {
        let closed = self.closed.clone();
        self.made.add();
        Body::iter(pieces).on_close(move || closed.add())
    }

    fn call(&self, environ: &Environ, start_response: StartResponse) -> Result<Body, AppError> {
        let piece = || Ok(Bytes::from_static(b"piece"));
        let path = environ.path_info().to_str()?.to_owned();
        if path == "/before" {
            return Err("before the head".into());
        }
        if path == "/panic" {
            panic!("on purpose");
        }
        start_response(StatusCode::OK, headers![])?;
        Ok(match &*path {
            "/first" => self.body(std::iter::once(Err("in the first iteration".into()))),
            "/after" => self.body([piece(), Err("after the head".into())].into_iter()),
            "/panic/after" => {
                let mut first = true;
                self.body(std::iter::from_fn(move || {
                    assert!(std::mem::take(&mut first), "on purpose");
                    Some(Ok(Bytes::from_static(b"piece")))
                }))
            }
            "/endless" => self.body(std::iter::repeat_with(|| Ok(Bytes::from(vec![b'x'; 64 << 10])))),
            _ => self.body([piece(), piece()].into_iter()),
        })
    }

    fn serve(&self) -> Running {
        self.serve_with(config())
    }

    fn serve_with(&self, config: gateway_server::Config) -> Running {
        let app = self.clone();
        serve_with(config, move |environ: Environ, start_response: StartResponse| app.call(&environ, start_response))
    }

    #[track_caller]
    fn check_closed(&self, bodies: usize) {
        eventually("the body is closed", || self.closed.now() >= bodies);
        assert_eq!((self.made.now(), self.closed.now()), (bodies, bodies));
    }
}

#[test]
fn pep_104_after_a_normal_end() {
    let app = Closing::default();
    let server = app.serve();
    assert_eq!(server.get("/").text(), "piecepiece");
    app.check_closed(1);
}

#[test]
fn pep_104_after_head() {
    let app = Closing::default();
    let server = app.serve();
    let mut client = server.client();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(client.response_head().status, 200);
    client.expect_closed();
    app.check_closed(1);
}

#[test]
fn pep_141_an_error_before_the_head_is_a_500_and_the_connection_lives() {
    let app = Closing::default();
    let server = app.serve();
    let mut client = server.client();
    for path in ["/before", "/panic", "/first"] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.response().status, 500, "{path}");
    }
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().text(), "piecepiece");
    app.check_closed(2);
}

#[test]
fn http_159_an_error_after_the_head_is_seen_as_truncation() {
    for path in ["/after", "/panic/after"] {
        let app = Closing::default();
        let server = app.serve();
        let mut client = server.client();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.response_head().status, 200);
        assert_eq!(client.chunk(), b"piece");
        client.expect_closed();
        app.check_closed(1);
    }
}

#[test]
fn http_159_an_old_client_sees_truncation_too() {
    let app = Closing::default();
    let server = app.serve();
    let mut client = server.client();
    client.send("GET /after HTTP/1.0\r\n\r\n");
    use std::io::Read;
    let mut received = Vec::new();
    let end = client.stream.read_to_end(&mut received);
    assert_eq!(end.map_err(|e| e.kind()), Err(std::io::ErrorKind::ConnectionReset));
    app.check_closed(1);
}

#[test]
fn http_150_a_short_body_closes_the_connection() {
    let server = serve(|_: Environ, start_response: StartResponse| {
        start_response(StatusCode::OK, headers!["content-length" => 10])?;
        Ok("short".into())
    });
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response_head().field("content-length"), Some("10"));
    assert_eq!(client.rest(), b"short");
}

#[test]
fn http_150_a_long_body_is_cut() {
    let server = serve(|_: Environ, start_response: StartResponse| {
        start_response(StatusCode::OK, headers!["content-length" => 3])?;
        Ok("longer".into())
    });
    let mut client = server.client();
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().text(), "lon");
    }
}

#[test]
fn pep_104_when_the_client_goes_away() {
    let app = Closing::default();
    let server = app.serve();
    let mut client = server.client();
    client.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    client.take(1000);
    drop(client);
    app.check_closed(1);
    assert_eq!(server.get("/").text(), "piecepiece");
}

#[test]
fn pep_104_when_the_client_does_not_read() {
    let app = Closing::default();
    let server = app.serve_with(config().write_timeout(Duration::from_millis(200)));
    let mut client = server.client();
    client.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    client.take(1000);
    app.check_closed(1);
    client.rest();
}
