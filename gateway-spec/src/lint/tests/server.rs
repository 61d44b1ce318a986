//! Servers that break one rule each.

use std::io;

use super::super::rules::*;
use super::*;
use crate::{Input, InputSource, Scheme, StartError, Write};

fn hello(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    start_response(OK, headers!["content-type" => TEXT])?;
    Ok("hello".into())
}

/// A request with these variables changed; an empty list of values removes one.
fn with(changes: &[(&str, Option<&str>)]) -> Said {
    let mut environ = get();
    for (name, value) in changes {
        match value {
            Some(value) => environ.set(name, value).expect("a valid variable"),
            None => assert!(environ.remove(name)),
        }
    }
    run(environ, hello)
}

fn set(name: &str, value: &str) -> Said {
    with(&[(name, Some(value))])
}

/// What the lint says when its server's `start_response` is this one.
fn with_start(
    app: impl Application,
    start: impl Fn(u32, Option<AppError>) -> Result<Write, StartError> + Send + Sync + 'static,
) -> Said {
    let (lint, said) = recording(app);
    let calls = Mutex::new(0);
    let start_response = StartResponse::new(move |_, _, error| {
        let mut calls = calls.lock().expect("not poisoned");
        *calls += 1;
        start(*calls, error)
    });
    if let Ok(mut body) = lint.call(get(), start_response) {
        while body.next_chunk().is_some() {}
    }
    let said = said.lock().expect("not poisoned").clone();
    // Some servers can only be caught together with an application that provokes them.
    said.into_iter().filter(|violation| violation.rule.binds == Party::Server).collect()
}

fn accept() -> Result<Write, StartError> {
    Ok(Write::new(|_| Ok(())))
}

pub(super) fn cases() -> Vec<Case> {
    [variables(), sources(), starts()].into_iter().flatten().collect()
}

fn variables() -> Vec<Case> {
    let mut secure = get();
    secure.url_scheme = Scheme::Https;
    let mut other = get();
    other.url_scheme = Scheme::Other("no scheme".into());
    let path = |method: &str, path: &str| run(Environ::example(method, path), hello);
    vec![
        case(METHOD, "no method", with(&[("REQUEST_METHOD", None)])),
        case(METHOD, "an empty method", set("REQUEST_METHOD", "")),
        case(METHOD, "no token", set("REQUEST_METHOD", "GET /")),
        case(SCRIPT_NAME, "a slash", set("SCRIPT_NAME", "/")),
        case(SCRIPT_NAME, "no slash", set("SCRIPT_NAME", "app")),
        case(SCRIPT_NAME, "a slash at the end", set("SCRIPT_NAME", "/app/")),
        case(PATH_INFO, "no slash", path("GET", "x")),
        case(PATH_INFO, "an asterisk", path("GET", "*")),
        case(PATH_INFO, "an authority", path("GET", "h:80")),
        case(PATH_INFO, "no authority", path("CONNECT", "h/80")),
        case(CONTENT_FIELDS, "type", set("HTTP_CONTENT_TYPE", TEXT)),
        case(CONTENT_FIELDS, "length", set("HTTP_CONTENT_LENGTH", "0")),
        case(CONTENT_LENGTH, "no number", set("CONTENT_LENGTH", "+5")),
        case(CONTENT_LENGTH, "another length", set("CONTENT_LENGTH", "5")),
        case(SERVER, "no name", with(&[("SERVER_NAME", None)])),
        case(SERVER, "an empty name", set("SERVER_NAME", "")),
        case(SERVER, "no port", with(&[("SERVER_PORT", None)])),
        case(SERVER, "a named port", set("SERVER_PORT", "http")),
        case(SERVER, "a large port", set("SERVER_PORT", "65536")),
        case(PROTOCOL, "none", with(&[("SERVER_PROTOCOL", None)])),
        case(PROTOCOL, "a name only", set("SERVER_PROTOCOL", "HTTP")),
        case(PROTOCOL, "no version", set("SERVER_PROTOCOL", "HTTP/")),
        case(PROTOCOL, "half a version", set("SERVER_PROTOCOL", "HTTP/1.")),
        case(PROTOCOL, "words", set("SERVER_PROTOCOL", "HTTP/one")),
        case(FIELD_VARIABLES, "lower case", set("HTTP_accept", "x")),
        case(FIELD_VARIABLES, "a dash", set("HTTP_X-Y", "x")),
        case(FIELD_VARIABLES, "nothing", set("HTTP_", "x")),
        case(NO_PROXY, "httpoxy", set("HTTP_PROXY", "http://evil")),
        case(NO_TRANSFER_ENCODING, "chunked", set("HTTP_TRANSFER_ENCODING", "chunked")),
        case(HTTPS, "TLS unsaid", run(secure, hello)),
        case(HTTPS, "TLS said of http", set("HTTPS", "on")),
        case(NOT_INVENTED, "nobody", set("REMOTE_USER", "")),
        case(SCHEME, "a space", run(other, hello)),
        case(OWN_KEYS, "mixed case", set("x.Own", "1")),
        case(OWN_KEYS, "a dash", set("x-own", "1")),
        case(ONE_SPELLING, "path_info", set("path_info", "/")),
        case(HOST, "a user", set("HTTP_HOST", "u@h")),
        case(HOST, "a space", set("HTTP_HOST", "a b")),
        case(HOST, "two ports", set("HTTP_HOST", "a:1:2")),
        case(HOST, "a path", set("HTTP_HOST", "a/")),
        case(HOST, "half an address", set("HTTP_HOST", "[::1")),
        case(HOST, "after an address", set("HTTP_HOST", "[::1]x")),
    ]
}

fn sources() -> Vec<Case> {
    struct Generous;
    impl InputSource for Generous {
        fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
            Ok(Bytes::from(vec![b'x'; max + 1]))
        }
    }
    let mut environ = Environ::example("POST", "/");
    environ.set("CONTENT_LENGTH", "5").expect("set");
    environ.input = Input::new(Generous, Some(5));
    let reading = app(|mut environ, start_response| {
        assert_eq!(environ.input.chunk(2)?, "xx");
        hello(environ, start_response)
    });
    vec![case(INPUT_READ, "too much", run(environ, reading))]
}

fn starts() -> Vec<Case> {
    let restarting = || {
        app(|_, start_response| {
            start_response(OK, headers!["content-type" => TEXT])?;
            start_response.with_error(OK, headers!["content-type" => TEXT], "trouble")?;
            Ok("x".into())
        })
    };
    let late = app(|_, start_response| {
        start_response(OK, headers!["content-type" => TEXT])?.write("part")?;
        start_response.with_error(OK, headers!["content-type" => TEXT], "trouble")?;
        Ok("x".into())
    });
    let twice = app(|_, start_response| {
        start_response(OK, headers!["content-type" => TEXT])?;
        start_response(OK, headers!["content-type" => TEXT])?;
        Ok("x".into())
    });
    let meddling = app(|_, start_response| {
        start_response(OK, headers!["content-type" => TEXT, "upgrade" => "h2c"])?;
        Ok("x".into())
    });
    vec![
        case(
            RESTART_ALLOWED,
            "too early",
            with_start(restarting(), |_, error| match error {
                Some(error) => Err(StartError::HeadersSent(error)),
                None => accept(),
            }),
        ),
        case(
            SAME_ERROR,
            "another error",
            with_start(late, |_, error| match error {
                Some(error) => Err(StartError::HeadersSent(format!("not {error}").into())),
                None => accept(),
            }),
        ),
        case(SECOND_START_REFUSED, "accepts everything", with_start(twice, |_, _| accept())),
        case(BAD_FIELDS_REFUSED, "accepts everything", with_start(meddling, |_, _| accept())),
    ]
}
