//! Applications, servers and middleware that break no rule.

use super::*;
use crate::{Input, Iterable, Scheme};

fn text() -> crate::Headers {
    headers!["content-type" => TEXT]
}

pub(super) fn applications() -> Vec<(&'static str, Box<dyn Application>)> {
    vec![
        (
            "hello",
            Box::new(app(|_, start| {
                start(OK, text())?;
                Ok("hello".into())
            })),
        ),
        (
            "with a length",
            Box::new(app(|_, start| {
                start(OK, headers!["Content-Type" => TEXT, "Content-Length" => 5])?;
                Ok(pieces(&["he", "", "llo"]))
            })),
        ),
        (
            "empty",
            Box::new(app(|_, start| {
                start(OK, headers![])?;
                Ok(Body::empty())
            })),
        ),
        (
            "no content",
            Box::new(app(|_, start| {
                start(StatusCode::NO_CONTENT, headers!["etag" => "\"x\""])?;
                Ok(Body::empty())
            })),
        ),
        (
            "not modified",
            Box::new(app(|_, start| {
                start(StatusCode::NOT_MODIFIED, headers!["etag" => "\"x\"", "content-length" => 7])?;
                Ok(Body::empty())
            })),
        ),
        (
            "reset",
            Box::new(app(|_, start| {
                start(StatusCode::RESET_CONTENT, headers![])?;
                Ok(Body::empty())
            })),
        ),
        (
            "redirect",
            Box::new(app(|_, start| {
                start(StatusCode::FOUND, headers!["location" => "https://example.org/x?y#z"])?;
                Ok(Body::empty())
            })),
        ),
        (
            "local redirect",
            Box::new(app(|_, start| {
                start(StatusCode::SEE_OTHER, headers!["location" => "/x"])?;
                Ok(Body::empty())
            })),
        ),
        (
            "cookies and Latin-1",
            Box::new(app(|_, start| {
                let mut fields = text();
                fields.append("set-cookie", "a=1").append("set-cookie", "b=2").append("x-name", vec![b'J', 0xf6]);
                start(OK, fields)?;
                Ok(Body::chunks(vec!["a".into(), "b".into()]))
            })),
        ),
        (
            "lazy",
            Box::new(app(|_, start| {
                let mut start = Some(start);
                Ok(Body::iter(["", "late"].into_iter().map(move |piece| {
                    if let Some(start) = start.take() {
                        start(OK, text())?;
                    }
                    Ok(piece.into())
                })))
            })),
        ),
        (
            "restart",
            Box::new(app(|_, start| {
                start(OK, headers!["content-type" => TEXT, "content-length" => 99])?;
                start.with_error(StatusCode::BAD_GATEWAY, text(), "no upstream")?;
                Ok("sorry".into())
            })),
        ),
        ("own error", Box::new(app(|_, _| Err("own error".into())))),
        (
            "own error in the body",
            Box::new(app(|_, start| {
                start(OK, text())?;
                Ok(Body::iter(vec![Ok("part".into()), Err("own error".into())].into_iter()))
            })),
        ),
        (
            "late restart, passed on",
            Box::new(app(|_, start| {
                start(OK, text())?;
                let mut step = 0;
                Ok(Body::iter(std::iter::from_fn(move || {
                    step += 1;
                    match step {
                        1 => Some(Ok("part".into())),
                        2 => Some(start.with_error(OK, text(), "late").map(|_| Bytes::new()).map_err(AppError::from)),
                        _ => None,
                    }
                })))
            })),
        ),
        (
            "echo",
            Box::new(app(|mut environ, start| {
                let body = environ.input.read_all(1024)?;
                start(OK, text())?;
                Ok(body.into())
            })),
        ),
        (
            "own environ",
            Box::new(app(|mut environ, start| {
                environ.remove("REQUEST_METHOD");
                environ.set("x.own", "1")?;
                start(OK, text())?;
                Ok("x".into())
            })),
        ),
    ]
}

fn environs() -> Vec<(&'static str, Environ)> {
    let mut post = Environ::example("POST", "/form");
    post.set("CONTENT_LENGTH", "5").expect("set");
    post.set("CONTENT_TYPE", TEXT).expect("set");
    post.input = Input::reader(&b"hello"[..], Some(5));
    let mut chunked = Environ::example("POST", "/");
    chunked.input = Input::reader(&b"hello"[..], None);
    let mut unusual = Environ::example("GET", "");
    for (name, value) in [
        ("SCRIPT_NAME", "/a/b"),
        ("CONTENT_LENGTH", ""),
        ("SERVER_PROTOCOL", "INCLUDED"),
        ("HTTP_HOST", "[::1]:8080"),
        ("HTTP_X_1", "y"),
        ("HTTPS", "on"),
        ("REMOTE_USER", "ada"),
        ("gateway.own_key2", "1"),
        ("PATH", "/bin"),
    ] {
        unusual.set(name, value).expect("set");
    }
    unusual.url_scheme = Scheme::Https;
    let mut two = Environ::example("GET", "//");
    two.set("SERVER_PROTOCOL", "HTTP/2").expect("set");
    two.set("HTTP_HOST", "").expect("set");
    vec![
        ("get", get()),
        ("head", Environ::example("HEAD", "/")),
        ("post", post),
        ("chunked post", chunked),
        ("unusual", unusual),
        ("HTTP/2", two),
        ("server-wide", Environ::example("OPTIONS", "*")),
        ("tunnel", Environ::example("CONNECT", "example.org:443")),
    ]
}

#[test]
fn none_of_the_rules_is_tripped_by_the_well_behaved() {
    let count = applications().len();
    for at in 0..count {
        for (request, environ) in environs() {
            let (name, app) = applications().swap_remove(at);
            let said: Vec<_> = run(environ, app).iter().map(ToString::to_string).collect();
            assert!(said.is_empty(), "{name}, {request}: {said:?}");
        }
    }
}

#[test]
fn pep_114_middleware_between_two_lints_is_checked_on_both_sides() {
    struct Buffered(Body, Vec<u8>);
    impl Iterable for Buffered {
        fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
            match self.0.next_chunk() {
                Some(Ok(piece)) => {
                    self.1.extend_from_slice(&piece);
                    Some(Ok(Bytes::new()))
                }
                None if !self.1.is_empty() => Some(Ok(std::mem::take(&mut self.1).into())),
                other => other,
            }
        }
    }
    let count = applications().len();
    for at in 0..count {
        let (name, inner) = applications().swap_remove(at);
        let (inner, inner_said) = recording(inner);
        let middleware = app(move |environ, start_response| {
            Ok(inner.call(environ, start_response)?.wrap(|body| Buffered(body, Vec::new())))
        });
        let outer_said: Said = run(get(), middleware)
            .into_iter()
            // This one holds everything back, so the empty pieces come before a lazy start.
            .filter(|violation| violation.rule.id != "PEP-77")
            .collect();
        assert!(outer_said.is_empty(), "{name}: {outer_said:?}");
        // It gives an error back later than its server did, that is: without having sent anything.
        let inner_said = inner_said.lock().expect("not poisoned").clone();
        assert!(inner_said.is_empty(), "{name}: {inner_said:?}");
    }
}
