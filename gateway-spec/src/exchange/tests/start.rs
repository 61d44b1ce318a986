//! When the head goes out, and what a second start does (PEP 3333 "The start_response() Callable").

use std::fmt;
use std::sync::Weak;

use http::StatusCode;

use super::*;
use crate::{GatewayError, StartError, WriteError};

const OK: StatusCode = StatusCode::OK;
const BROKEN: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
const PAGE: [&str; 3] = ["500 exact=22", "+Internal Server Error\\n", "end"];

#[test]
fn pep_71_start_response_sends_nothing() {
    let pushed = Arc::new(Pushed::default());
    let sink = Arc::clone(&pushed);
    let hello = app(move |_, start_response| {
        let _write = start_response(OK, headers![])?;
        assert!(sink.events().is_empty(), "the head went out from start_response");
        Ok("x".into())
    });
    let mut exchange = Exchange::call_with(&hello, Environ::example("GET", "/"), Some(pushed.clone()));
    assert!(!exchange.head_sent());
    assert_eq!(drive(&mut exchange).events, ["200 exact=1", "+x", "end"]);
    assert!(pushed.events().is_empty());
}

#[test]
fn pep_72_the_head_waits_for_the_first_non_empty_chunk() {
    let counts = Counts::default();
    let probe = counts.clone();
    let app = answer(headers![], move || probe.body([Data(""), Data(""), Data(""), Data("x"), Data(""), Data("y")]));
    let mut exchange = Exchange::call(&app, Environ::example("GET", "/"));
    for _ in 0..3 {
        assert!(matches!(exchange.next(), Event::Nothing));
        assert!(!exchange.head_sent());
    }
    assert_eq!(drive(&mut exchange).events, ["200 unknown", "+x", ".", "+y", "end"]);
    assert!(exchange.head_sent());
}

#[test]
fn pep_73_a_body_without_data_sends_the_head_at_its_end() {
    let counts = Counts::default();
    let probe = counts.clone();
    check("GET", answer(headers![], Body::empty), &["200 exact=0", "end"], None);
    check("GET", answer(headers![], move || probe.body([Data("")])), &[".", "200 exact=0", "end"], None);
    assert_eq!(counts.pulled(), 2, "an ended body is not asked again");
}

#[test]
fn pep_76_data_or_an_end_before_start_response_is_an_error() {
    let missing = Some("application did not call start_response");
    check("GET", app(|_, _| Ok("data".into())), &PAGE, missing);
    check("GET", app(|_, _| Ok(Body::empty())), &PAGE, missing);
    let counts = Counts::default();
    let probe = counts.clone();
    check("GET", app(move |_, _| Ok(probe.body([Data(""), Data("x")]))), &[&["."], &PAGE[..]].concat(), missing);
    assert_eq!(counts.closed(), 1);
}

#[test]
fn pep_77_78_start_may_come_in_the_first_iteration() {
    let lazy = app(|_, start_response| {
        let mut start = Some(start_response);
        Ok(Body::iter(["", "late"].into_iter().map(move |piece| {
            if piece == "late" {
                start.take().ok_or("twice")?(OK, headers!["x-late" => "1"])?;
            }
            Ok(piece.into())
        })))
    });
    check("GET", lazy, &[".", "200 unknown", "+late", "end"], None);
}

#[test]
fn pep_82_a_restart_replaces_what_was_stored_completely() {
    let restarted = app(|_, start_response| {
        let _write = start_response(OK, headers!["x-old" => "1", "content-length" => 99])?;
        let _write = start_response.with_error(BROKEN, headers!["x-new" => "1"], "late trouble")?;
        Ok("sorry".into())
    });
    let head = head_of("GET", restarted);
    assert_eq!(head.status, BROKEN);
    assert!(head.headers.contains("x-new") && !head.headers.contains("x-old"));
    assert_eq!(head.framing, Framing::Exact(5));
}

#[test]
fn pep_82_empty_chunks_do_not_keep_a_restart_out() {
    let restarted = app(|_, start_response| {
        start_response(OK, headers![])?;
        let mut step = 0;
        Ok(Body::iter(std::iter::from_fn(move || {
            step += 1;
            match step {
                1 => Some(Ok(Bytes::new())),
                2 => Some(
                    start_response
                        .with_error(BROKEN, headers![], "trouble")
                        .map(|_| Bytes::from_static(b"sorry"))
                        .map_err(AppError::from),
                ),
                _ => None,
            }
        })))
    });
    check("GET", restarted, &[".", "500 unknown", "+sorry", "end"], None);
}

#[derive(Debug)]
struct Marked(Arc<String>);

impl fmt::Display for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Marked {}

/// Sends a chunk, then tries to start again.
fn late_restart(mark: Arc<String>) -> impl Application {
    app(move |_, start_response| {
        start_response(OK, headers![])?;
        let mark = Arc::clone(&mark);
        let mut sent = false;
        Ok(Body::iter(std::iter::from_fn(move || {
            if !std::mem::replace(&mut sent, true) {
                return Some(Ok(Bytes::from_static(b"part")));
            }
            let error = start_response.with_error(BROKEN, headers![], Marked(Arc::clone(&mark))).expect_err("too late");
            match &error {
                StartError::HeadersSent(cause) => {
                    let cause = cause.downcast_ref::<Marked>().expect("the error that was passed");
                    assert!(Arc::ptr_eq(&cause.0, &mark), "the very error");
                }
                other => panic!("{other}"),
            }
            Some(Err(error.into()))
        })))
    })
}

#[test]
fn pep_83_84_a_restart_after_the_head_gives_the_error_back_and_aborts() {
    check(
        "GET",
        late_restart(Arc::new("disk full".to_owned())),
        &["200 unknown", "+part", "abort"],
        Some("application failed: disk full"),
    );
}

#[test]
fn pep_87_88_a_second_start_without_error_is_refused() {
    let twice = app(|_, start_response| {
        start_response(OK, headers![])?;
        start_response(OK, headers![])?;
        Ok("never".into())
    });
    check("GET", twice, &PAGE, Some("application failed: start_response was called a second time without an error"));

    let after_refusal = app(|_, start_response| {
        assert!(start_response(OK, headers!["bad name" => "x"]).is_err());
        assert!(matches!(start_response(OK, headers![]), Err(StartError::AlreadyStarted)));
        // With an error it may (PEP-86).
        let _write = start_response.with_error(OK, headers![], "bad name")?;
        Ok("recovered".into())
    });
    check("GET", after_refusal, &["200 exact=9", "+recovered", "end"], None);
}

#[test]
fn pep_88_a_refused_restart_voids_what_was_stored() {
    let voided = app(|_, start_response| {
        start_response(OK, headers![])?;
        assert!(start_response.with_error(BROKEN, headers!["connection" => "close"], "x").is_err());
        Ok("unheaded".into())
    });
    check("GET", voided, &PAGE, Some("application did not call start_response"));
}

#[test]
fn pep_89_the_reason_for_a_restart_is_let_go_at_once() {
    let witness: Mutex<Weak<String>> = Mutex::default();
    let restarted = app(move |_, start_response| {
        let reason = Arc::new("reason".to_owned());
        *witness.lock().expect("not poisoned") = Arc::downgrade(&reason);
        start_response(OK, headers![])?;
        let _write = start_response.with_error(OK, headers![], Marked(reason))?;
        assert!(witness.lock().expect("not poisoned").upgrade().is_none(), "the driver keeps the error");
        Ok("x".into())
    });
    check("GET", restarted, &["200 exact=1", "+x", "end"], None);
}

#[test]
fn pep_64_65_68_69_70_bad_fields_are_refused_inside_start_response() {
    let refused: Vec<Headers> = vec![
        headers!["x:" => "1"],
        headers!["x y" => "1"],
        headers!["" => "1"],
        headers!["x" => "a\rb"],
        headers!["x" => "a\nb"],
        headers!["x" => "a\0b"],
        headers!["x" => "a\u{1f}"],
        headers!["x" => "a\u{7f}"],
        headers!["Connection" => "close"],
        headers!["KEEP-ALIVE" => "5"],
        headers!["proxy-authenticate" => "Basic"],
        headers!["Proxy-Authorization" => "x"],
        headers!["proxy-connection" => "x"],
        headers!["te" => "trailers"],
        headers!["trailer" => "x"],
        headers!["Trailers" => "x"],
        headers!["Transfer-Encoding" => "chunked"],
        headers!["upgrade" => "h2c"],
        headers!["Status" => "404"],
        headers!["content-length" => "5x"],
        headers!["content-length" => ""],
        headers!["content-length" => "-1"],
        headers!["content-length" => 5, "Content-LENGTH" => 6],
        headers!["content-length" => 5, "content-length" => 5],
        headers!["content-length" => "5, 5"],
    ];
    for fields in refused {
        let shown = format!("{fields:?}");
        let app = app(move |_, start_response| match start_response(OK, fields.clone()) {
            Ok(_) => Ok("accepted".into()),
            Err(error) => Err(error.into()),
        });
        assert_eq!(head_of("GET", app).status, BROKEN, "{shown}");
    }
}

#[test]
fn http_141_a_status_outside_200_to_599_is_refused() {
    for code in [100, 101, 199, 600, 999] {
        let status = StatusCode::from_u16(code).expect("a code");
        let app = app(move |_, start_response| {
            start_response(status, headers![])?;
            Ok("x".into())
        });
        assert_eq!(head_of("GET", app).status, BROKEN, "{code}");
    }
}

#[test]
fn pep_131_a_latin_1_byte_passes_as_one_byte() {
    let head = head_of("GET", answer(headers!["x" => vec![b'a', 0xe9]], || "x".into()));
    assert_eq!(head.headers.get("x").expect("the field").as_bytes(), [b'a', 0xe9]);
}

#[test]
fn pep_67_names_compare_without_regard_to_case() {
    assert_eq!(head_of("GET", answer(headers!["CONTENT-length" => 3], || "abc".into())).framing, Framing::Exact(3));
}

#[test]
fn pep_152_fields_keep_their_order_and_their_repeats() {
    let head = head_of(
        "GET",
        answer(headers!["b" => "1", "set-cookie" => "x", "a" => "2", "set-cookie" => "y"], || "".into()),
    );
    let fields: Vec<_> =
        head.headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
    assert_eq!(fields, ["b=1", "set-cookie=x", "a=2", "set-cookie=y", "content-length=0"]);
}

#[test]
fn pep_141_an_error_or_a_panic_before_the_head_is_a_500_page() {
    check("GET", app(|_, _| Err("no database".into())), &PAGE, Some("application failed: no database"));
    check("GET", app(|_, _| panic!("at the disco")), &PAGE, Some("application panicked: at the disco"));
    let stored = app(|_, start_response| {
        start_response(OK, headers!["content-length" => 1])?;
        Err("after start".into())
    });
    check("GET", stored, &PAGE, Some("application failed: after start"));
    for (piece, failure) in [
        (Piece::Error, "application failed: the body failed"),
        (Piece::Panic, "application panicked: the body panicked"),
    ] {
        let counts = Counts::default();
        let probe = counts.clone();
        let app = answer(headers!["content-length" => 1], move || probe.body([Data(""), piece]));
        check("GET", app, &[&["."], &PAGE[..]].concat(), Some(failure));
        assert_eq!(counts.closed(), 1);
    }
}

#[test]
fn pep_141_a_panic_without_a_text_is_a_500_page_too() {
    check("GET", app(|_, _| std::panic::panic_any(7)), &PAGE, Some("application panicked: not a text"));
}

#[test]
fn pep_145_an_error_or_a_panic_after_the_head_aborts() {
    for (piece, failure) in [
        (Piece::Error, "application failed: the body failed"),
        (Piece::Panic, "application panicked: the body panicked"),
    ] {
        let counts = Counts::default();
        let probe = counts.clone();
        let app = answer(headers![], move || probe.body([Data("part"), piece, Data("never")]));
        check("GET", app, &["200 unknown", "+part", "abort"], Some(failure));
        assert_eq!((counts.closed(), counts.pulled()), (1, 2));
    }
}

#[test]
fn http_158_a_gateway_error_chooses_the_status_of_the_page() {
    let upstream = |code: u16| app(move |_, _| Err(GatewayError::new(StatusCode::from_u16(code)?, "upstream").into()));
    check("GET", upstream(504), &["504 exact=16", "+Gateway Timeout\\n", "end"], Some("application failed: upstream"));
    check(
        "GET",
        upstream(413),
        &["413 exact=18", "+Payload Too Large\\n", "end"],
        Some("application failed: upstream"),
    );
    check("GET", upstream(200), &PAGE, Some("application failed: upstream"));
    check("GET", upstream(101), &PAGE, Some("application failed: upstream"));
}

#[test]
fn http_158_a_gateway_error_may_add_fields_to_the_page_that_an_application_could_send() {
    let busy = |name: &'static str, value: &'static str| {
        app(move |_, _| Err(GatewayError::new(StatusCode::SERVICE_UNAVAILABLE, "busy").field(name, value).into()))
    };
    let head = head_of("GET", busy("retry-after", "10"));
    assert_eq!(head.headers.get("retry-after").expect("the field"), "10");
    for (name, value) in [("connection", "close"), ("content-length", "1"), ("content-type", "a/b"), ("status", "200")]
    {
        let head = head_of("GET", busy(name, value));
        assert_eq!((head.status.as_u16(), head.headers.len()), (503, 2), "{name}: {head:?}");
        assert_eq!(head.headers.get("content-type").expect("a type"), "text/plain; charset=utf-8", "{name}");
    }
}

#[test]
fn http_155_the_error_page_for_head_has_its_length_and_no_body() {
    check("HEAD", app(|_, _| Err("x".into())), &["500 none", "end"], Some("application failed: x"));
    let head = head_of("HEAD", app(|_, _| Err("x".into())));
    assert_eq!(head.headers.get("content-length").expect("a length"), "22");
}

#[test]
fn a_failure_ends_what_the_application_may_say() {
    // A body that starts again while it is closed, after its failure was decided.
    struct Stubborn(StartResponse);
    impl Iterable for Stubborn {
        fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
            Some(Err("first".into()))
        }
    }
    impl Drop for Stubborn {
        fn drop(&mut self) {
            let _ = self.0.with_error(OK, headers!["content-length" => 3], "me again");
        }
    }
    let stubborn = app(|_, start_response| Ok(Body::new(Stubborn(start_response))));
    check("GET", stubborn, &PAGE, Some("application failed: first"));

    let kept: Arc<Mutex<Option<StartResponse>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let failing = app(move |_, start_response| {
        *keep.lock().expect("not poisoned") = Some(start_response);
        Err("first".into())
    });
    let mut exchange = Exchange::call(&failing, Environ::example("GET", "/"));
    let start_response = kept.lock().expect("not poisoned").take().expect("kept");
    assert!(start_response.with_error(OK, headers![], "me again").is_err());
    assert_eq!(drive(&mut exchange).events, PAGE);
}

#[test]
fn a_start_that_outlives_its_exchange_is_harmless() {
    let kept: Arc<Mutex<Option<StartResponse>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let keeping = app(move |_, start_response| {
        *keep.lock().expect("not poisoned") = Some(start_response);
        Ok(Body::empty())
    });
    drop(Exchange::call(&keeping, Environ::example("GET", "/")));
    let start_response = kept.lock().expect("not poisoned").take().expect("kept");
    if let Ok(write) = start_response(OK, headers![]) {
        assert_eq!(write.write("x"), Err(WriteError::AfterReturn));
    }
}
