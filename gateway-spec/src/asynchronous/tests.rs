//! The asynchronous driver against the same table as the synchronous one, and the ways between the two forms.
#![allow(clippy::needless_pass_by_value)] // applications are written where they are checked

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::Stream;

use super::*;
use crate::{Application, Body, Event, Framing, GatewayError, InputError, StartResponse, headers};

const PAGE: [&str; 3] = ["500 exact=22", "+Internal Server Error\\n", "end"];

fn short(event: &Event) -> String {
    match event {
        Event::Head(head) => match head.framing {
            Framing::None => format!("{} none", head.status.as_u16()),
            Framing::Exact(length) => format!("{} exact={length}", head.status.as_u16()),
            Framing::Unknown => format!("{} unknown", head.status.as_u16()),
        },
        Event::Chunk(chunk) => format!("+{}", chunk.escape_ascii()),
        Event::Nothing => ".".to_owned(),
        Event::End => "end".to_owned(),
        Event::Abort => "abort".to_owned(),
    }
}

/// Polls a future that wakes itself by being polled again.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
    panic!("the future does not end");
}

/// Events to the end, and the failure.
fn drive(exchange: &mut AsyncExchange<'_>) -> (Vec<String>, Option<String>) {
    let mut events = Vec::new();
    loop {
        assert!(events.len() < 1000, "the exchange does not end: {events:?}");
        let event = block_on(exchange.next());
        events.push(short(&event));
        if matches!(event, Event::End | Event::Abort) {
            assert_eq!(short(&block_on(exchange.next())), short(&event), "the last event stays");
            return (events, exchange.take_failure().map(|failure| failure.to_string()));
        }
    }
}

#[track_caller]
fn check(method: &str, app: impl DynAsyncApplication, events: &[&str], failure: Option<&str>) {
    let mut exchange = AsyncExchange::call(&app, Environ::example(method, "/"), InputStream::empty());
    let (seen, failed) = drive(&mut exchange);
    assert_eq!(seen, events);
    assert_eq!(failed.as_deref(), failure);
}

/// An application from a function of nothing.
struct Answer<F>(F);

impl<F> AsyncApplication for Answer<F>
where
    F: Fn() -> Result<AsyncResponse, AppError> + Send + Sync + 'static,
{
    async fn call(&self, _: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
        (self.0)()
    }
}

fn answer(
    status: u16,
    headers: Headers,
    body: impl Fn() -> BodyStream + Send + Sync + 'static,
) -> impl DynAsyncApplication {
    Answer(move || Ok(AsyncResponse::new(StatusCode::from_u16(status)?, headers.clone(), body())))
}

#[derive(Clone, Copy)]
enum Piece {
    Data(&'static str),
    /// Not ready once.
    Wait,
    Error,
    Panic,
}
use Piece::Data;

/// Counts polls that gave something, and drops.
#[derive(Clone, Default)]
struct Counts {
    pulled: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

impl Counts {
    fn body(&self, pieces: &[Piece]) -> BodyStream {
        BodyStream::new(Probe { pieces: pieces.iter().copied().collect(), ended: false, counts: self.clone() })
    }

    fn seen(&self) -> (usize, usize) {
        (self.pulled.load(Ordering::SeqCst), self.closed.load(Ordering::SeqCst))
    }
}

struct Probe {
    pieces: VecDeque<Piece>,
    ended: bool,
    counts: Counts,
}

impl Stream for Probe {
    type Item = Result<Bytes, AppError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        assert!(!self.ended, "polled after its end");
        let piece = self.pieces.pop_front();
        if !matches!(piece, Some(Piece::Wait)) {
            self.counts.pulled.fetch_add(1, Ordering::SeqCst);
        }
        self.ended = piece.is_none();
        Poll::Ready(match piece {
            Some(Data(text)) => Some(Ok(Bytes::from_static(text.as_bytes()))),
            Some(Piece::Wait) => return Poll::Pending,
            Some(Piece::Error) => Some(Err("the body failed".into())),
            Some(Piece::Panic) => panic!("the body panicked"),
            None => None,
        })
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.counts.closed.fetch_add(1, Ordering::SeqCst);
    }
}

#[track_caller]
fn check_body(
    method: &str,
    status: u16,
    headers: Headers,
    pieces: &'static [Piece],
    events: &[&str],
    failure: Option<&str>,
    pulled: usize,
) {
    let counts = Counts::default();
    let probe = counts.clone();
    check(method, answer(status, headers, move || probe.body(pieces)), events, failure);
    assert_eq!(counts.seen(), (pulled, 1), "pulled and closed");
}

#[test]
fn pep_72_73_the_head_waits_for_data_or_the_end() {
    check_body(
        "GET",
        200,
        headers![],
        &[Data(""), Piece::Wait, Data("x")],
        &[".", "200 unknown", "+x", "end"],
        None,
        3,
    );
    check_body("GET", 200, headers![], &[Piece::Wait, Data("")], &[".", "200 exact=0", "end"], None, 2);
    check("GET", answer(200, headers![], BodyStream::empty), &["200 exact=0", "end"], None);
}

#[test]
fn a_body_may_let_its_head_go_first() {
    let events = |pieces: &'static [Piece]| {
        let app = answer(200, headers![], move || Counts::default().body(pieces).head_at_once());
        let mut exchange = AsyncExchange::call(&app, Environ::example("GET", "/"), InputStream::empty());
        drive(&mut exchange)
    };
    assert_eq!(events(&[Piece::Wait, Data("x")]), (vec!["200 unknown".into(), "+x".into(), "end".into()], None));
    assert_eq!(events(&[]), (vec!["200 exact=0".into(), "end".into()], None), "what is known at once is still said");
    let (seen, failed) = events(&[Piece::Wait, Piece::Error]);
    assert_eq!((seen, failed.is_some()), (vec!["200 unknown".to_owned(), "abort".to_owned()], true));
}

#[test]
fn http_130_131_a_switch_of_protocols_is_for_gateways_that_can_keep_it() {
    let switch = || answer(101, headers!["sec-websocket-accept" => "x"], BodyStream::empty);
    let app = switch();
    let mut exchange = AsyncExchange::call(&app, Environ::example("GET", "/"), InputStream::empty());
    let (seen, failed) = drive(&mut exchange);
    assert_eq!((seen[0].as_str(), failed.is_some()), (PAGE[0], true), "{failed:?}");
    let app = switch();
    let exchange = AsyncExchange::call(&app, Environ::example("GET", "/"), InputStream::empty());
    assert_eq!(drive(&mut exchange.may_switch_protocols()).0, ["101 none", "end"]);
    // Only 426 says what to switch to.
    let fields = || headers!["upgrade" => "websocket"];
    check("GET", answer(426, fields(), BodyStream::empty), &["426 exact=0", "end"], None);
    let app = answer(200, fields(), BodyStream::empty);
    let mut exchange = AsyncExchange::call(&app, Environ::example("GET", "/"), InputStream::empty());
    assert_eq!(drive(&mut exchange).0[0], PAGE[0]);
}

#[test]
fn pep_90_91_92_the_declared_length_is_kept_both_ways() {
    let five = || headers!["content-length" => 5];
    let long = Some("application gave more than the 5 bytes it declared");
    check_body("GET", 200, five(), &[Data("hello"), Data("more")], &["200 exact=5", "+hello", "end"], None, 1);
    check_body("GET", 200, five(), &[Data("hel"), Data("lo, you")], &["200 exact=5", "+hel", "+lo", "end"], long, 2);
    let short = Some("application sent 2 of the 5 bytes it declared");
    check_body("GET", 200, five(), &[Data("he")], &["200 exact=5", "+he", "abort"], short, 2);
    let nothing = Some("application sent 0 of the 5 bytes it declared");
    check_body("GET", 200, five(), &[], &["200 exact=5", "abort"], nothing, 1);
}

#[test]
fn pep_94_a_known_length_is_announced() {
    check("GET", answer(200, headers![], || "hello".into()), &["200 exact=5", "+hello", "end"], None);
    let promise = || {
        BodyStream::new(Probe { pieces: [Data("abc")].into(), ended: false, counts: Counts::default() }).with_length(3)
    };
    check("GET", answer(200, headers![], promise), &["200 exact=3", "+abc", "end"], None);
}

#[test]
fn http_142_145_146_responses_without_a_body() {
    for (method, status, head) in
        [("HEAD", 200, "200 none"), ("GET", 204, "204 none"), ("GET", 304, "304 none"), ("HEAD", 304, "304 none")]
    {
        check_body(method, status, headers![], &[Data("dropped"), Data("never")], &[head, "end"], None, 1);
    }
    check("GET", answer(205, headers![], BodyStream::empty), &["205 exact=0", "end"], None);
    let app = answer(204, headers!["content-length" => 3], || "abc".into());
    let mut exchange = AsyncExchange::call(&app, Environ::example("GET", "/"), InputStream::empty());
    assert!(matches!(block_on(exchange.next()), Event::Head(head) if !head.headers.contains("content-length")));
}

#[test]
fn http_143_head_has_the_length_a_get_would_have_had() {
    let app = answer(200, headers![], || "hello".into());
    let mut exchange = AsyncExchange::call(&app, Environ::example("HEAD", "/"), InputStream::empty());
    assert!(
        matches!(block_on(exchange.next()), Event::Head(head) if head.headers.get("content-length").is_some_and(|v| v == "5"))
    );
    assert_eq!(drive(&mut exchange).0, ["end"]);
}

#[test]
fn pep_68_97_bad_fields_and_statuses_are_a_500_and_the_body_is_closed() {
    for fields in [
        headers!["connection" => "x"],
        headers!["transfer-encoding" => "chunked"],
        headers!["a b" => ""],
        headers!["status" => "1"],
    ] {
        let counts = Counts::default();
        let probe = counts.clone();
        let app = answer(200, fields, move || probe.body(&[Data("x")]));
        let mut exchange = AsyncExchange::call(&app, Environ::example("GET", "/"), InputStream::empty());
        assert_eq!(drive(&mut exchange).0, PAGE);
        assert_eq!(counts.seen(), (0, 1));
    }
    let exchange_app = answer(101, headers![], BodyStream::empty);
    let mut exchange = AsyncExchange::call(&exchange_app, Environ::example("GET", "/"), InputStream::empty());
    assert_eq!(drive(&mut exchange).0, PAGE);
}

#[test]
fn pep_141_145_errors_and_panics_before_and_after_the_head() {
    let error = Some("application failed: the body failed");
    let panic = Some("application panicked: the body panicked");
    check_body("GET", 200, headers![], &[Data(""), Piece::Error], &[&["."], &PAGE[..]].concat(), error, 2);
    check_body("GET", 200, headers![], &[Piece::Panic], &PAGE, panic, 1);
    check_body("GET", 200, headers![], &[Data("a"), Piece::Error], &["200 unknown", "+a", "abort"], error, 2);
    check_body("GET", 200, headers![], &[Data("a"), Piece::Panic], &["200 unknown", "+a", "abort"], panic, 2);
    check("GET", Answer(|| Err("no".into())), &PAGE, Some("application failed: no"));
    check("GET", Answer(|| panic!("in the future")), &PAGE, Some("application panicked: in the future"));
    check("HEAD", Answer(|| Err("no".into())), &["500 none", "end"], Some("application failed: no"));
}

#[test]
fn pep_141_a_panic_before_the_future_exists_is_caught() {
    struct Eager;
    impl AsyncApplication for Eager {
        #[allow(clippy::manual_async_fn)] // the code before the future is the point
        fn call(&self, _: Environ, _: InputStream) -> impl Future<Output = Result<AsyncResponse, AppError>> + Send {
            panic!("too eager");
            #[allow(unreachable_code)]
            async {
                Err("unreachable".into())
            }
        }
    }
    check("GET", Eager, &PAGE, Some("application panicked: too eager"));
}

#[test]
fn http_158_a_gateway_error_chooses_the_status() {
    let app = Answer(|| Err(GatewayError::new(StatusCode::BAD_GATEWAY, "no head").into()));
    check("GET", app, &["502 exact=12", "+Bad Gateway\\n", "end"], Some("application failed: no head"));
}

#[test]
fn pep_104_the_body_is_dropped_once_at_any_point_the_client_leaves() {
    for pulled in 0..5 {
        let counts = Counts::default();
        let probe = counts.clone();
        let app = answer(200, headers![], move || probe.body(&[Data(""), Data("a"), Data("b")]));
        let mut exchange = AsyncExchange::call(&app, Environ::example("GET", "/"), InputStream::empty());
        for _ in 0..pulled {
            block_on(exchange.next());
        }
        assert_eq!(counts.seen().1, 0);
        drop(exchange);
        assert_eq!(counts.seen().1, usize::from(pulled > 0), "after {pulled} events");
    }
}

#[test]
fn pep_104_dropping_a_waiting_exchange_drops_the_applications_future() {
    struct Waiting(Arc<AtomicUsize>);
    struct Held(Arc<AtomicUsize>);
    impl Drop for Held {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    impl AsyncApplication for Waiting {
        async fn call(&self, _: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
            let _held = Held(Arc::clone(&self.0));
            std::future::pending().await
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let app = Waiting(Arc::clone(&dropped));
    let mut exchange = AsyncExchange::call(&app, Environ::example("GET", "/"), InputStream::empty());
    assert!(exchange.poll_event(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    drop(exchange);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn pep_104_141_a_body_that_panics_when_dropped_changes_nothing_for_the_client() {
    struct Bomb(VecDeque<&'static str>);
    impl Stream for Bomb {
        type Item = Result<Bytes, AppError>;
        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(self.0.pop_front().map(|text| Ok(text.into())))
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    for (pieces, events) in [(&[][..], &["200 exact=0", "end"][..]), (&["a"], &["200 unknown", "+a", "end"])] {
        let body = move || BodyStream::new(Bomb(pieces.iter().copied().collect()));
        check("GET", answer(200, headers![], body), events, Some("application panicked: bomb"));
        // Refused head, and a client that has gone.
        let app = answer(200, headers!["te" => "x"], body);
        let mut exchange = AsyncExchange::call(&app, Environ::example("GET", "/"), InputStream::empty());
        assert_eq!(drive(&mut exchange).0, PAGE);
        let app = answer(200, headers![], body);
        let mut exchange = AsyncExchange::call(&app, Environ::example("GET", "/"), InputStream::empty());
        block_on(exchange.next());
        drop(exchange);
    }
}

#[test]
fn applications_work_behind_pointers() {
    let app: Arc<dyn DynAsyncApplication> = Arc::new(answer(200, headers![], || "x".into()));
    check("GET", Arc::clone(&app), &["200 exact=1", "+x", "end"], None);
    let mut exchange = AsyncExchange::call(&*app, Environ::example("GET", "/"), InputStream::empty());
    assert_eq!(drive(&mut exchange).0, ["200 exact=1", "+x", "end"]);
}

/// Every result of a synchronous application, driven directly and in the asynchronous form.
#[test]
fn a_synchronous_application_answers_alike_in_the_asynchronous_form() {
    type Sync = fn(Environ, StartResponse) -> Result<Body, AppError>;
    const OK: StatusCode = StatusCode::OK;
    let apps: [(&str, Sync); 9] = [
        ("hello", |_, start| start(OK, headers![]).map(|_| "hello".into()).map_err(AppError::from)),
        ("empty", |_, start| start(OK, headers![]).map(|_| Body::empty()).map_err(AppError::from)),
        ("reset", |_, start| start(StatusCode::RESET_CONTENT, headers![]).map(|_| "x".into()).map_err(AppError::from)),
        ("none", |_, start| start(StatusCode::NO_CONTENT, headers![]).map(|_| "x".into()).map_err(AppError::from)),
        ("pieces", |_, start| {
            start(OK, headers![])?;
            Ok(Body::iter(["a", "", "b"].into_iter().map(|piece| Ok(piece.into()))))
        }),
        ("short", |_, start| start(OK, headers!["content-length" => 9]).map(|_| "x".into()).map_err(AppError::from)),
        ("error", |_, _| Err("no".into())),
        ("upstream", |_, _| Err(GatewayError::new(StatusCode::BAD_GATEWAY, "gone").into())),
        ("late error", |_, start| {
            start(OK, headers![])?;
            Ok(Body::iter(vec![Ok("a".into()), Err("late".into())].into_iter()))
        }),
    ];
    for (name, app) in apps {
        for method in ["GET", "HEAD"] {
            let mut direct = crate::Exchange::call(&app, Environ::example(method, "/"));
            let mut events = Vec::new();
            while !matches!(events.last().map(String::as_str), Some("end" | "abort")) {
                events.push(short(&direct.next()));
            }
            let inline = InlineApplication::new(app);
            let mut exchange = AsyncExchange::call(&inline, Environ::example(method, "/"), InputStream::empty());
            let (seen, failure) = drive(&mut exchange);
            assert_eq!(seen, events, "{name} {method}");
            assert_eq!(failure, direct.take_failure().map(|failure| failure.to_string()), "{name} {method}");
        }
    }
}

#[test]
fn pep_141_what_does_not_break_an_inline_answer_goes_to_its_error_stream() {
    #[derive(Default)]
    struct Log(std::sync::Mutex<String>);
    impl crate::ErrorSink for Log {
        fn write(&self, text: &str) {
            self.0.lock().expect("not poisoned").push_str(text);
        }
    }
    fn long(_: Environ, start: StartResponse) -> Result<Body, AppError> {
        start(StatusCode::OK, headers!["content-length" => 1])?;
        Ok("xyz".into())
    }
    let log = Arc::new(Log::default());
    let mut environ = Environ::example("GET", "/");
    environ.errors = crate::ErrorStream::new(log.clone());
    let app = InlineApplication::new(long);
    let mut exchange = AsyncExchange::call(&app, environ, InputStream::empty());
    assert_eq!(drive(&mut exchange).0, ["200 exact=1", "+x", "end"]);
    assert_eq!(*log.0.lock().expect("not poisoned"), "application gave more than the 1 bytes it declared\n");
}

#[test]
fn an_inline_application_gets_its_body_whole_or_not_at_all() {
    fn count(mut environ: Environ, start: StartResponse) -> Result<Body, AppError> {
        let body = environ.input.read_all(100)?;
        start(StatusCode::OK, headers![])?;
        Ok(body.len().to_string().into())
    }
    let app = InlineApplication::new(count).max_input_bytes(8);
    for (input, expected) in [("12345678", "200 exact=1"), ("123456789", "413 exact=18")] {
        let input = InputStream::from(Bytes::from_static(input.as_bytes()));
        let mut exchange = AsyncExchange::call(&app, Environ::example("POST", "/"), input);
        assert_eq!(drive(&mut exchange).0.first().map(String::as_str), Some(expected));
    }
    let _: &dyn Application = &(count as fn(Environ, StartResponse) -> Result<Body, AppError>);
}

struct Feed(VecDeque<Option<std::io::Result<Bytes>>>);

impl Stream for Feed {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.pop_front() {
            Some(Some(piece)) => Poll::Ready(Some(piece)),
            Some(None) => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

fn feed(pieces: &[&'static str], length: Option<u64>) -> InputStream {
    let pieces = pieces.iter().flat_map(|piece| [None, Some(Ok(Bytes::from_static(piece.as_bytes())))]);
    InputStream::new(Feed(pieces.collect()), length)
}

#[test]
fn pep_45_an_input_stream_ends_at_its_length() {
    let mut input = feed(&["he", "", "lloNEXT"], Some(5));
    assert_eq!(block_on(input.read_all(100)).expect("a body"), "hello");
    assert!(block_on(input.next()).is_none());
    assert!(block_on(feed(&["abc"], None).read_all(2)).is_err(), "longer than the caller allows");
}

#[test]
fn http_86_an_input_stream_that_stops_early_is_an_error() {
    let mut input = feed(&["abc"], Some(5));
    let error = block_on(input.read_all(100)).expect_err("incomplete");
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<InputError>());
    assert_eq!(cause, Some(&InputError::Incomplete { declared: 5, received: 3 }));
}

#[test]
fn an_input_stream_can_be_the_body() {
    struct Echo;
    impl AsyncApplication for Echo {
        async fn call(&self, _: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
            Ok(AsyncResponse::new(StatusCode::OK, headers![], input.into_body()))
        }
    }
    let mut exchange = AsyncExchange::call(&Echo, Environ::example("POST", "/"), feed(&["he", "llo"], Some(5)));
    assert_eq!(drive(&mut exchange).0, ["200 exact=5", "+he", "+llo", "end"]);
    let mut exchange = AsyncExchange::call(&Echo, Environ::example("POST", "/"), feed(&["he"], Some(5)));
    assert_eq!(drive(&mut exchange).0, ["200 exact=5", "+he", "abort"]);
    let mut exchange = AsyncExchange::call(&Echo, Environ::example("POST", "/"), feed(&["he"], None));
    assert_eq!(drive(&mut exchange).0, ["200 unknown", "+he", "end"]);
}
