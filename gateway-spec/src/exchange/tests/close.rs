//! `close` runs exactly once, however an exchange ends (PEP-104).

use super::*;

fn counted(pieces: &'static [Piece]) -> (Counts, impl Application) {
    let counts = Counts::default();
    let probe = counts.clone();
    (counts, answer(headers![], move || probe.body(pieces.iter().copied())))
}

#[track_caller]
fn check_closed(counts: &Counts) {
    assert_eq!(counts.closed(), 1);
    assert_eq!(counts.dropped.load(Ordering::SeqCst), 1, "what the body holds is let go with it");
}

#[test]
fn pep_104_close_at_the_normal_end_before_the_last_event() {
    let (counts, app) = counted(&[Data("a"), Data("b")]);
    let mut exchange = Exchange::call(&app, Environ::example("GET", "/"));
    for event in ["200 unknown", "+a", "+b"] {
        assert_eq!(short(&exchange.next()), event);
        assert_eq!(counts.closed(), 0);
    }
    assert_eq!(short(&exchange.next()), "end");
    check_closed(&counts);
    exchange.close();
    drop(exchange);
    check_closed(&counts);
}

#[test]
fn pep_104_close_after_an_error_and_after_a_panic() {
    for pieces in [&[Piece::Error][..], &[Piece::Panic], &[Data("a"), Piece::Error], &[Data("a"), Piece::Panic]] {
        let pieces: &'static [Piece] = Vec::leak(pieces.to_vec());
        let (counts, app) = counted(pieces);
        let mut exchange = Exchange::call(&app, Environ::example("GET", "/"));
        let seen = drive(&mut exchange);
        assert!(seen.failure.is_some());
        check_closed(&counts);
    }
}

#[test]
fn pep_104_105_close_when_the_client_has_gone_at_any_point() {
    for pulled in 0..5 {
        for by_drop in [false, true] {
            let (counts, app) = counted(&[Data(""), Data("a"), Data("b")]);
            let mut exchange = Exchange::call(&app, Environ::example("GET", "/"));
            for _ in 0..pulled {
                exchange.next();
            }
            let head_sent = exchange.head_sent();
            assert_eq!(head_sent, pulled >= 2);
            if by_drop {
                drop(exchange);
            } else {
                exchange.close();
                assert_eq!(short(&exchange.next()), "abort");
                assert_eq!(exchange.head_sent(), head_sent, "closing sends nothing");
            }
            check_closed(&counts);
        }
    }
}

#[test]
fn pep_104_close_of_a_body_that_came_without_a_start() {
    let counts = Counts::default();
    let probe = counts.clone();
    let mut exchange = Exchange::call(&app(move |_, _| Ok(probe.body([Data("x")]))), Environ::example("GET", "/"));
    assert!(matches!(exchange.next(), Event::Head(head) if head.status == 500));
    check_closed(&counts);
}

struct BadClose {
    pieces: VecDeque<&'static str>,
    hold: Explosive,
}

/// Panics when it is dropped, if it is armed.
struct Explosive(bool);

impl Drop for Explosive {
    fn drop(&mut self) {
        assert!(!self.0, "drop panicked");
    }
}

impl Iterable for BadClose {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        Some(Ok(self.pieces.pop_front()?.into()))
    }
    fn close(&mut self) {
        assert!(self.hold.0, "close panicked");
    }
}

#[test]
fn pep_104_141_a_panic_in_close_changes_nothing_for_the_client() {
    for (armed, failure) in
        [(false, "application panicked: close panicked"), (true, "application panicked: drop panicked")]
    {
        for pieces in [&[][..], &["a"], &["", "a", "b"]] {
            let closed = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&closed);
            let app = answer(headers![], move || {
                let count = Arc::clone(&count);
                Body::new(BadClose { pieces: pieces.iter().copied().collect(), hold: Explosive(armed) }).on_close(
                    move || {
                        count.fetch_add(1, Ordering::SeqCst);
                    },
                )
            });
            let mut exchange = Exchange::call(&app, Environ::example("GET", "/"));
            let seen = drive(&mut exchange);
            assert_eq!(seen.events.last().map(String::as_str), Some("end"), "{pieces:?}");
            assert!(seen.events.iter().any(|event| event.starts_with("200")), "{pieces:?}");
            assert_eq!(seen.failure.as_deref(), Some(failure), "{pieces:?}");
            assert_eq!(closed.load(Ordering::SeqCst), 1, "what was registered runs all the same");
        }
    }
}

#[test]
fn pep_104_a_panic_in_close_is_caught_when_the_exchange_is_dropped() {
    let app = answer(headers![], || Body::new(BadClose { pieces: VecDeque::new(), hold: Explosive(false) }));
    drop(Exchange::call(&app, Environ::example("GET", "/")));
}

#[test]
fn pep_104_every_registered_function_runs_even_if_all_panic() {
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    let app = answer(headers![], move || {
        let mut body = Body::new(BadClose { pieces: VecDeque::new(), hold: Explosive(false) });
        for _ in 0..3 {
            let count = Arc::clone(&count);
            body = body.on_close(move || {
                count.fetch_add(1, Ordering::SeqCst);
                panic!("hook");
            });
        }
        body
    });
    check("GET", app, &["200 exact=0", "end"], Some("application panicked: close panicked"));
    assert_eq!(ran.load(Ordering::SeqCst), 3);
}

#[test]
fn pep_4_the_application_is_called_once_for_each_exchange() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let app = app(move |_, start_response| {
        count.fetch_add(1, Ordering::SeqCst);
        start_response(http::StatusCode::OK, headers![])?;
        Ok("x".into())
    });
    for expected in 1..=3 {
        drive(&mut Exchange::call(&app, Environ::example("GET", "/")));
        assert_eq!(calls.load(Ordering::SeqCst), expected);
    }
}

#[test]
fn pep_100_the_next_piece_is_asked_for_only_after_the_last_was_handed_out() {
    let (counts, app) = counted(&[Data("a"), Data("b"), Data("c")]);
    let mut exchange = Exchange::call(&app, Environ::example("GET", "/"));
    assert_eq!(counts.pulled(), 0, "nothing is asked for before the gateway asks");
    for (event, pulled) in [("200 unknown", 1), ("+a", 1), ("+b", 2), ("+c", 3), ("end", 4)] {
        assert_eq!(short(&exchange.next()), event);
        assert_eq!(counts.pulled(), pulled, "{event}");
    }
}
