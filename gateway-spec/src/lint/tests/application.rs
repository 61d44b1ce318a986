//! Applications that break one rule each.

use super::super::rules::*;
use super::*;
use crate::Headers;

/// A GET answered with these fields and text.
fn fields(headers: Headers) -> Said {
    run(
        get(),
        app(move |_, start_response| {
            let mut headers = headers.clone();
            if !headers.contains("content-type") {
                headers.append("content-type", TEXT);
            }
            start_response(OK, headers)?;
            Ok("hello".into())
        }),
    )
}

/// A status with fields and text.
fn status(code: u16, headers: Headers, body: &'static str) -> Said {
    run(
        get(),
        app(move |_, start_response| {
            start_response(StatusCode::from_u16(code)?, headers.clone())?;
            Ok(body.into())
        }),
    )
}

fn typed(length: u64) -> Headers {
    headers!["content-type" => TEXT, "content-length" => length]
}

pub(super) fn cases() -> Vec<Case> {
    [fields_cases(), start_cases(), stop_cases(), length_cases(), write_cases(), content_cases()]
        .into_iter()
        .flatten()
        .collect()
}

fn fields_cases() -> Vec<Case> {
    vec![
        case(FIELD_NAME, "no token", fields(headers!["x y" => "1"])),
        case(FIELD_NAME, "a trailing colon", fields(headers!["x:" => "1"])),
        case(FIELD_NAME, "a trailing dash", fields(headers!["x-" => "1"])),
        case(FIELD_NAME, "a trailing underscore", fields(headers!["x_" => "1"])),
        case(FIELD_VALUE, "a line end", fields(headers!["x" => "a\r\nb: c"])),
        case(FIELD_VALUE, "a tab", fields(headers!["x" => "a\tb"])),
        case(FIELD_VALUE, "a delete", fields(headers!["x" => "a\u{7f}"])),
        case(HOP_BY_HOP, "connection", fields(headers!["connection" => "close"])),
        case(HOP_BY_HOP, "keep-alive", fields(headers!["Keep-Alive" => "5"])),
        case(HOP_BY_HOP, "trailers", fields(headers!["Trailers" => "x"])),
        case(TRANSFER_ENCODING, "chunked", fields(headers!["transfer-encoding" => "chunked"])),
        case(STATUS_FIELD, "status", fields(headers!["Status" => "200 OK"])),
        case(LATIN_1, "a snowman", fields(headers!["x" => "\u{2603}"])),
        case(LOCATION, "relative", fields(headers!["location" => "elsewhere"])),
        case(LOCATION, "empty", fields(headers!["location" => ""])),
        case(LOCATION, "no scheme", fields(headers!["location" => "a/b:c"])),
        case(LENGTH_SYNTAX, "no number", fields(headers!["content-length" => "5 bytes"])),
        case(LENGTH_SYNTAX, "two", fields(headers!["content-length" => 5, "content-length" => 5])),
        case(STATUS, "101", status(101, headers!["content-type" => TEXT], "x")),
        case(STATUS, "600", status(600, headers!["content-type" => TEXT], "x")),
    ]
}

fn start_cases() -> Vec<Case> {
    let text = || headers!["content-type" => TEXT];
    let again = app(move |_, start_response| {
        start_response(OK, text())?;
        let _ = start_response(OK, text());
        Ok("x".into())
    });
    let after_refusal = app(move |_, start_response| {
        // The server refuses what is not the application's fault.
        let _ = start_response(OK, text());
        let _ = start_response(OK, text());
        Err("gave up".into())
    });
    let (refused, said) = recording(after_refusal);
    let refusing = StartResponse::new(|status, _, _| Err(crate::StartError::Status(status)));
    let _ = refused.call(get(), refusing);
    let said = said.lock().expect("not poisoned").clone();
    vec![
        case(ONE_START, "twice", run(get(), again)),
        case(REFUSED_IS_STARTED, "again after a refusal", said),
        case(STARTED, "never, with data", run(get(), app(|_, _| Ok("x".into())))),
        case(STARTED, "never, without data", run(get(), app(|_, _| Ok(Body::empty())))),
        case(
            STARTED_FIRST,
            "in the second iteration",
            run(
                get(),
                app(move |_, start_response| {
                    Ok(Body::iter(["", "x"].into_iter().map(move |piece| {
                        if !piece.is_empty() {
                            start_response(OK, headers!["content-type" => TEXT])?;
                        }
                        Ok(piece.into())
                    })))
                }),
            ),
        ),
    ]
}

/// Goes on in some way after the server gave the error back.
fn after_being_told(go_on: fn(&StartResponse, &crate::Write) -> Result<Body, AppError>) -> Said {
    let deaf = app(move |_, start_response| {
        let write = start_response(OK, headers!["content-type" => TEXT])?;
        write.write("part")?;
        assert!(start_response.with_error(OK, headers!["content-type" => TEXT], "late").is_err());
        go_on(&start_response, &write)
    });
    run(get(), deaf).into_iter().filter(|violation| violation.rule != WRITE_IS_LEGACY).collect()
}

fn stop_cases() -> Vec<Case> {
    let in_the_body = app(|_, start_response| {
        start_response(OK, headers!["content-type" => TEXT])?;
        let mut step = 0;
        Ok(Body::iter(std::iter::from_fn(move || {
            step += 1;
            match step {
                1 => Some(Ok("part".into())),
                2 => {
                    assert!(start_response.with_error(OK, headers![], "late").is_err());
                    None
                }
                _ => unreachable!("asked again"),
            }
        })))
    });
    let untyped_restart = run(get(), in_the_body);
    vec![
        case(STOP_WHEN_TOLD, "returns a body", after_being_told(|_, _| Ok("rest".into()))),
        case(
            STOP_WHEN_TOLD,
            "writes",
            after_being_told(|_, write| {
                write.write("rest")?;
                Err("too late".into())
            }),
        ),
        case(
            STOP_WHEN_TOLD,
            "starts again",
            after_being_told(|start_response, _| {
                let _ = start_response.with_error(OK, headers!["content-type" => TEXT], "again");
                Err("too late".into())
            }),
        ),
        case(STOP_WHEN_TOLD, "ends its body", untyped_restart),
    ]
}

fn length_cases() -> Vec<Case> {
    let body = |length, make: fn() -> Body| {
        run(
            get(),
            app(move |_, start_response| {
                start_response(OK, typed(length))?;
                Ok(make())
            }),
        )
    };
    let hint = |length, method: &str| {
        run(
            Environ::example(method, "/"),
            app(move |_, start_response| {
                start_response(OK, headers!["content-type" => TEXT])?;
                Ok(pieces(&["abc"]).with_length(length))
            }),
        )
    };
    vec![
        case(LENGTH, "too short", body(5, || pieces(&["abc"]))),
        case(LENGTH, "empty", body(5, || pieces(&[]))),
        case(LENGTH, "too long", body(2, || pieces(&["abc"]))),
        case(
            LENGTH,
            "too long for HEAD",
            run(
                Environ::example("HEAD", "/"),
                app(|_, start_response| {
                    start_response(OK, typed(2))?;
                    Ok("abc".into())
                }),
            ),
        ),
        case(LENGTH_HINT, "less than told", hint(5, "GET")),
        case(LENGTH_HINT, "more than told", hint(2, "GET")),
        case(LENGTH_HINT, "more than told for HEAD", hint(2, "HEAD")),
    ]
}

fn write_cases() -> Vec<Case> {
    let legacy = app(|_, start_response| {
        let write = start_response(OK, headers!["content-type" => TEXT])?;
        write.write("a")?;
        write.write("b")?;
        Ok(Body::empty())
    });
    let said = run(get(), legacy);
    assert_eq!(said.len(), 1, "said once for a request");
    let late = app(|_, start_response| {
        let write = start_response(OK, headers!["content-type" => TEXT])?;
        Ok(Body::iter(std::iter::once_with(move || {
            let _ = write.write("late");
            Ok("x".into())
        })))
    });
    let past = app(|_, start_response| {
        let write = start_response(OK, typed(1))?;
        let _ = write.write("abc");
        Ok("a".into())
    });
    let past: Said = run(get(), past).into_iter().filter(|violation| violation.rule != WRITE_IS_LEGACY).collect();
    vec![
        case(WRITE_IS_LEGACY, "write", said),
        case(WRITE_AFTER_RETURN, "write in the body", run(get(), late)),
        case(LENGTH, "write past the length", past),
    ]
}

fn content_cases() -> Vec<Case> {
    vec![
        case(CONTENT_TYPE, "data without a type", status(200, headers![], "x")),
        case(CONTENT_TYPE, "204 with a type", status(204, headers!["content-type" => TEXT], "")),
        case(NO_BODY, "204 with data", status(204, headers![], "x")),
        case(NO_BODY, "205 with data", status(205, headers![], "x")),
        case(NO_BODY, "304 with data", status(304, headers![], "x")),
        case(NO_LENGTH, "204 with a length", status(204, headers!["content-length" => 0], "")),
        case(NO_METADATA, "304 with a type", status(304, headers!["content-type" => TEXT], "")),
    ]
}
