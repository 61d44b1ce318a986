//! The imperative `write`, queued and pushed (PEP 3333 "The write() Callable").

use http::StatusCode;

use super::*;
use crate::{Write, WriteError};

const OK: StatusCode = StatusCode::OK;
const PAGE: [&str; 3] = ["500 exact=22", "+Internal Server Error\\n", "end"];

/// Runs with a sink and gives what was pushed, then what was pulled.
#[track_caller]
fn check_pushed(method: &str, app: impl Application, pushed: &[&str], pulled: &[&str], failure: Option<&str>) {
    let sink = Arc::new(Pushed::default());
    let mut exchange = Exchange::call_with(&app, Environ::example(method, "/"), Some(sink.clone()));
    assert_eq!(sink.events(), pushed);
    assert_eq!(exchange.head_sent(), !pushed.is_empty());
    let seen = drive(&mut exchange);
    assert_eq!(seen.events, pulled);
    assert_eq!(seen.failure.as_deref(), failure);
    assert_eq!(sink.events(), pushed, "nothing is pushed after the call");
}

/// Writes the pieces, then returns the body.
fn writer(
    status: StatusCode,
    headers: Headers,
    pieces: &'static [&'static str],
    body: &'static str,
) -> impl Application {
    app(move |_, start_response| {
        let write = start_response(status, headers.clone())?;
        for piece in pieces {
            write.write(*piece)?;
        }
        Ok(body.into())
    })
}

#[test]
fn pep_121_122_123_written_data_comes_before_the_body_queued() {
    check("GET", writer(OK, headers![], &["a", "", "b"], "c"), &["200 unknown", "+a", "+b", "+c", "end"], None);
    check("GET", writer(OK, headers![], &["a"], ""), &["200 unknown", "+a", "end"], None);
    check(
        "GET",
        writer(OK, headers!["content-length" => 3], &["a", "b"], "c"),
        &["200 exact=3", "+a", "+b", "+c", "end"],
        None,
    );
}

#[test]
fn pep_121_written_data_is_sent_before_write_returns_pushed() {
    let sink = Arc::new(Pushed::default());
    let watch = Arc::clone(&sink);
    let app = app(move |_, start_response| {
        let write = start_response(OK, headers![])?;
        write.write("")?;
        assert_eq!(watch.events(), [""; 0], "an empty piece does not release the head");
        write.write("a")?;
        assert_eq!(watch.events(), ["200 unknown", "+a"]);
        write.write("b")?;
        assert_eq!(watch.events().len(), 3);
        Ok("c".into())
    });
    let mut exchange = Exchange::call_with(&app, Environ::example("GET", "/"), Some(sink));
    assert_eq!(drive(&mut exchange).events, ["+c", "end"]);
}

#[test]
fn pep_94_an_empty_write_leaves_the_length_derivable() {
    check("GET", writer(OK, headers![], &[""], "body"), &["200 exact=4", "+body", "end"], None);
}

#[test]
fn pep_124_write_after_return_is_refused() {
    let kept: Arc<Mutex<Option<Write>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let app = app(move |_, start_response| {
        let write = start_response(OK, headers![])?;
        *keep.lock().expect("not poisoned") = Some(write.clone());
        Ok(Body::iter(std::iter::once_with(move || {
            assert_eq!(write.write("inside"), Err(WriteError::AfterReturn));
            Ok("body".into())
        })))
    });
    for sink in [None, Some(Arc::new(Pushed::default()))] {
        let push = sink.clone().map(|sink| sink as Arc<dyn PushSink>);
        let mut exchange = Exchange::call_with(&app, Environ::example("GET", "/"), push);
        let write = kept.lock().expect("not poisoned").take().expect("kept");
        assert_eq!(write.write("outside"), Err(WriteError::AfterReturn));
        assert_eq!(drive(&mut exchange).events, ["200 unknown", "+body", "end"]);
        drop(exchange);
        assert_eq!(write.write("long after"), Err(WriteError::AfterReturn));
        assert!(sink.is_none_or(|sink| sink.events().is_empty()));
    }
}

#[test]
fn pep_91_write_past_the_length_is_refused_whole() {
    let overfull = || {
        app(|_, start_response| {
            let write = start_response(OK, headers!["content-length" => 3])?;
            assert_eq!(write.write("abcd"), Err(WriteError::TooLong { declared: 3 }));
            write.write("ab")?;
            assert_eq!(write.write("cd"), Err(WriteError::TooLong { declared: 3 }));
            write.write("c")?;
            Ok(Body::empty())
        })
    };
    check("GET", overfull(), &["200 exact=3", "+ab", "+c", "end"], None);
    check_pushed("GET", overfull(), &["200 exact=3", "+ab", "+c"], &["end"], None);
}

#[test]
fn pep_90_92_written_bytes_count_towards_the_length() {
    let fields = || headers!["content-length" => 4];
    let short = Some("application sent 3 of the 4 bytes it declared");
    let long = Some("application gave more than the 4 bytes it declared");
    check("GET", writer(OK, fields(), &["ab"], "c"), &["200 exact=4", "+ab", "+c", "abort"], short);
    check_pushed("GET", writer(OK, fields(), &["ab"], "c"), &["200 exact=4", "+ab"], &["+c", "abort"], short);
    check("GET", writer(OK, fields(), &["ab"], "cde"), &["200 exact=4", "+ab", "+cd", "end"], long);
    check_pushed("GET", writer(OK, fields(), &["ab"], "cde"), &["200 exact=4", "+ab"], &["+cd", "end"], long);
}

#[test]
fn http_142_written_data_is_dropped_where_no_body_belongs() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 205), ("HEAD", 205)] {
        let status = StatusCode::from_u16(status).expect("a status");
        let head = format!("{} {}", status.as_u16(), if status == 205 { "exact=0" } else { "none" });
        let app = || writer(status, headers![], &["dropped", "too"], "and this");
        check(method, app(), &[&head, "end"], None);
        check_pushed(method, app(), &[&head], &["end"], None);
    }
}

#[test]
fn http_144_written_data_does_not_make_a_length_for_head() {
    let head = head_of("HEAD", writer(OK, headers!["content-length" => 11], &["abc"], ""));
    assert_eq!(head.headers.get("content-length").expect("kept"), "11");
    assert!(!head_of("HEAD", writer(OK, headers![], &["abc"], "d")).headers.contains("content-length"));
}

#[test]
fn pep_83_a_restart_after_write_is_too_late_even_if_queued() {
    let app = || {
        app(|_, start_response| {
            let write = start_response(OK, headers![])?;
            write.write("part")?;
            start_response.with_error(StatusCode::BAD_GATEWAY, headers![], "trouble")?;
            Ok("never".into())
        })
    };
    // Queued: nothing has reached the client, so it gets a whole error page instead of half an answer.
    check("GET", app(), &PAGE, Some("application failed: trouble"));
    check_pushed("GET", app(), &["200 unknown", "+part"], &["abort"], Some("application failed: trouble"));
}

#[test]
fn pep_145_a_failure_after_write() {
    for panics in [false, true] {
        let app = || {
            app(move |_, start_response| {
                start_response(OK, headers![])?.write("part")?;
                assert!(!panics, "boom");
                Err("boom".into())
            })
        };
        let failure = if panics { "application panicked: boom" } else { "application failed: boom" };
        check("GET", app(), &PAGE, Some(failure));
        check("HEAD", app(), &["500 none", "end"], Some(failure));
        check_pushed("GET", app(), &["200 unknown", "+part"], &["abort"], Some(failure));
    }
}

#[test]
fn pep_145_a_body_that_fails_after_write() {
    let counts = Counts::default();
    let probe = counts.clone();
    let app = app(move |_, start_response| {
        start_response(OK, headers![])?.write("part")?;
        Ok(probe.body([Data(""), Piece::Error]))
    });
    check("GET", app, &["200 unknown", "+part", ".", "abort"], Some("application failed: the body failed"));
    assert_eq!(counts.closed(), 1);
}

#[test]
fn pep_82_write_after_a_restart_goes_with_the_new_head() {
    let app = || {
        app(|_, start_response| {
            let old = start_response(OK, headers!["content-length" => 1])?;
            let _new = start_response.with_error(StatusCode::BAD_GATEWAY, headers![], "trouble")?;
            old.write("sorry")?;
            Ok(Body::empty())
        })
    };
    check("GET", app(), &["502 unknown", "+sorry", "end"], None);
    check_pushed("GET", app(), &["502 unknown", "+sorry"], &["end"], None);
}

#[test]
fn pep_88_write_after_a_refused_restart_has_no_head_to_go_with() {
    let app = || {
        app(|_, start_response| {
            let write = start_response(OK, headers![])?;
            assert!(start_response.with_error(OK, headers!["te" => "x"], "trouble").is_err());
            assert_eq!(write.write("headless"), Err(WriteError::NotStarted));
            Ok(Body::empty())
        })
    };
    check("GET", app(), &PAGE, Some("application did not call start_response"));
    check_pushed("GET", app(), &[], &PAGE, Some("application did not call start_response"));
}

#[test]
fn a_lost_peer_is_told_to_the_writer() {
    for limit in [0, 1, 2] {
        let sink = Arc::new(Pushed { limit: Some(limit), ..Pushed::default() });
        let app = app(|_, start_response| {
            let write = start_response(OK, headers![])?;
            write.write("one")?;
            write.write("two")?;
            Ok("three".into())
        });
        let mut exchange = Exchange::call_with(&app, Environ::example("GET", "/"), Some(sink));
        assert_eq!(short(&exchange.next()), "abort", "{limit}");
        match exchange.take_failure() {
            Some(Failure::Application(error)) => assert!(Disconnected::is_cause_of(error.as_ref()), "{limit}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_sink_that_panics_is_an_aborted_exchange() {
    struct Bad;
    impl PushSink for Bad {
        fn push(&self, _: Event) -> Result<(), Disconnected> {
            panic!("bad sink")
        }
    }
    let mut exchange =
        Exchange::call_with(&writer(OK, headers![], &["x"], ""), Environ::example("GET", "/"), Some(Arc::new(Bad)));
    let seen = drive(&mut exchange);
    assert_eq!(seen.events, ["abort"]);
    assert_eq!(seen.failure.as_deref(), Some("application panicked: bad sink"));
}

#[test]
fn two_writing_threads_never_overtake_the_head() {
    let app = app(|_, start_response| {
        let write = start_response(OK, headers![])?;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| write.write("x").expect("written")));
            }
        });
        Ok(Body::empty())
    });
    let sink = Arc::new(Pushed::default());
    let mut exchange = Exchange::call_with(&app, Environ::example("GET", "/"), Some(sink.clone()));
    let events = sink.events();
    assert_eq!((events.len(), events[0].as_str()), (201, "200 unknown"));
    assert_eq!(drive(&mut exchange).events, ["end"]);
}
