//! The worker over real sockets, asked by a small gateway made of the client machine.
#![cfg(feature = "worker")]
// The lints know tests by their attribute; what only tests call is test code too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::needless_pass_by_value)] // an application's signature is the contract's

mod gateway;

use gateway::{Answer, Gateway, Running, get, post};
use gateway_fastcgi::calls::Calls;
use gateway_fastcgi::connection::Limits;
use gateway_fastcgi::net::Address;
use gateway_fastcgi::protocol::{ProtocolStatus, RecordType, RequestId};
use gateway_fastcgi::worker::{AllowList, Duplex, WorkerConfig};
use gateway_spec::{AppError, Body, Disconnected, Environ, StartResponse, StatusCode, headers};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

fn hello(_environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok("Hello, World!".into())
}

fn echo(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers![])?;
    let mut input = std::mem::take(&mut environ.input);
    Ok(Body::iter(std::iter::from_fn(move || match input.chunk(65_536) {
        Ok(chunk) if chunk.is_empty() => None,
        Ok(chunk) => Some(Ok(chunk)),
        Err(error) => Some(Err(error.into())),
    })))
}

/// Answers the number of bytes read; 499 if the gateway went away meanwhile.
fn count(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let mut buffer = [0; 8192];
    let mut total = 0;
    loop {
        match environ.input.read(&mut buffer)? {
            0 => break,
            length => total += length,
        }
    }
    start_response(StatusCode::OK, headers![])?;
    Ok(total.to_string().into())
}

/// Something that happens in another thread, and can be waited for.
#[derive(Clone, Default)]
struct Signal(Arc<(Mutex<usize>, Condvar)>);

impl Signal {
    fn raise(&self) {
        *self.0.0.lock().unwrap() += 1;
        self.0.1.notify_all();
    }

    fn times(&self) -> usize {
        *self.0.0.lock().unwrap()
    }

    #[track_caller]
    fn wait(&self, times: usize) {
        let guard = self.0.0.lock().unwrap();
        let waited = self.0.1.wait_timeout_while(guard, Duration::from_secs(20), |now| *now < times).unwrap();
        assert!(!waited.1.timed_out(), "it did not happen");
    }
}

fn big(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[track_caller]
fn check_hello(answer: &Answer) {
    assert_eq!(answer.head, "Status: 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n");
    assert_eq!(answer.body, b"Hello, World!");
    assert_eq!((answer.end.app_status, answer.end.protocol_status), (0, ProtocolStatus::REQUEST_COMPLETE));
}

#[test]
fn fcgi_52_hello_over_a_unix_socket_that_is_kept() {
    let running = Running::unix(hello, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    for _ in 0..100 {
        check_hello(&gateway.ask(&get("/"), b""));
    }
}

#[test]
fn fcgi_4_hello_over_tcp() {
    let running = Running::tcp(hello, WorkerConfig::default());
    check_hello(&Gateway::connect(&running).ask(&get("/"), b""));
}

#[test]
fn fcgi_51_without_keep_conn_the_worker_closes() {
    let running = Running::unix(hello, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    check_hello(&gateway.ask_last(&get("/"), b""));
    assert!(gateway.is_closed());
}

#[test]
fn fcgi_50_a_gateway_may_close_between_requests() {
    // One place: the next connection is served only if the end of the last one was taken for what it is.
    let running = Running::unix(hello, WorkerConfig::default().max_connections(1));
    drop(Gateway::connect(&running));
    for _ in 0..3 {
        let mut gateway = Gateway::connect(&running);
        check_hello(&gateway.ask(&get("/"), b""));
        gateway.finish_sending();
        assert!(gateway.is_closed());
    }
}

#[test]
fn head_has_no_body() {
    let running = Running::unix(hello, WorkerConfig::default());
    let mut request = get("/");
    request[0].1 = "HEAD".to_owned();
    let answer = Gateway::connect(&running).ask(&request, b"");
    assert!(answer.head.contains("content-length: 13"));
    assert_eq!(answer.body, b"");
}

#[test]
fn fcgi_116_bodies_of_all_sizes_come_back() {
    let running = Running::unix(echo, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    for length in [0, 1, 65_535, 65_536, 65_537, 1 << 20] {
        let body = big(length);
        let answer = gateway.ask(&post("/echo", length), &body);
        assert!(answer.body == body, "{length} bytes");
    }
}

#[test]
fn fcgi_113_a_body_of_unknown_length_ends_with_stdin() {
    let running = Running::unix(echo, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    for length in [0, 1, 300_000] {
        let body = big(length);
        let mut request = post("/echo", length);
        request.retain(|(name, _)| name != "CONTENT_LENGTH");
        assert!(gateway.ask(&request, &body).body == body, "{length} bytes");
    }
}

#[test]
fn fcgi_94_a_body_shorter_than_declared_is_an_error_for_the_application() {
    let running = Running::unix(count, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    for (declared, sent) in [(10, 9), (200_000, 100_000)] {
        let answer = gateway.ask(&post("/", declared), &big(sent));
        assert!(answer.head.starts_with("Status: 500 "), "{}", answer.head);
    }
    let answer = gateway.ask(&post("/", 10), &big(12));
    assert_eq!(answer.body, b"10", "never more than declared");
}

#[test]
fn fcgi_92_121_an_early_answer_leaves_the_connection_usable() {
    let running = Running::unix(hello, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    for length in [10, 1 << 20] {
        check_hello(&gateway.ask(&post("/", length), &big(length)));
        check_hello(&gateway.ask(&get("/"), b""));
    }
}

#[test]
fn fcgi_116_a_gateway_that_writes_first_and_reads_later_gets_through() {
    let answer_first = |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        Ok(big(2 << 20).into())
    };
    let running = Running::unix(answer_first, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    let body = big(2 << 20);
    let answer = gateway.ask_half_duplex(&post("/", body.len()), &body);
    assert!(answer.body == body);
}

#[test]
fn fcgi_116_a_gateway_that_sends_nothing_after_the_first_output_gets_a_whole_answer() {
    let running = Running::unix(echo, WorkerConfig::default().duplex(Duplex::Half));
    let mut gateway = Gateway::connect(&running);
    for length in [70_000, 3 << 20] {
        let body = big(length);
        gateway.begin(&post("/echo", length));
        for piece in body.chunks(32 * 1024) {
            gateway.send_stdin(piece);
            assert!(gateway.has_got_nothing(), "output came before the end of the body");
        }
        gateway.end_stdin();
        assert!(gateway.answer().body == body);
    }
}

#[test]
fn fcgi_116_what_a_half_duplex_gateway_sends_is_kept_up_to_a_limit() {
    // Reads as much as it is told, having begun to answer; then the number of bytes, or what was wrong.
    let app = |mut environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        let most = environ.path_info().as_bytes()[1..].iter().fold(0, |all, digit| all * 10 + u64::from(digit - b'0'));
        start_response(StatusCode::OK, headers![])?.write("begun ")?;
        let mut read = Vec::new();
        let outcome = std::mem::take(&mut environ.input).take(most).read_to_end(&mut read);
        Ok(format!("{} {:?}", read.len(), outcome.map_err(|error| error.kind()).err()).into())
    };
    let config = WorkerConfig::default().duplex(Duplex::Half).max_spool_bytes(600_000);
    let running = Running::unix(app, config);
    let mut gateway = Gateway::connect(&running);
    for (sent, asked, expected) in [
        (600_000, "/999999", "begun 600000 None"),
        (1_000_000, "/500000", "begun 500000 None"),
        (1_000_000, "/999999", "Some(FileTooLarge)"),
        (70_000, "/999999", "begun 70000 None"),
    ] {
        let answer = gateway.ask_half_duplex(&post(asked, sent), &big(sent));
        let body = String::from_utf8(answer.body).unwrap();
        assert!(body.ends_with(expected), "{sent} {asked}: {body}");
        assert_eq!(answer.end.protocol_status, ProtocolStatus::REQUEST_COMPLETE);
    }
}

#[test]
fn fcgi_79_abort_while_the_body_is_read() {
    let seen = Signal::default();
    let told = seen.clone();
    let app = move |mut environ: Environ, _: StartResponse| -> Result<Body, AppError> {
        let error = environ.input.read_all(usize::MAX).unwrap_err();
        assert!(Disconnected::is_cause_of(&error));
        told.raise();
        Err(error.into())
    };
    let running = Running::unix(app, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    gateway.begin(&post("/", 1 << 20));
    gateway.send_stdin(&big(1000));
    gateway.abort();
    let answer = gateway.answer();
    assert_eq!((answer.head.as_str(), answer.body.len()), ("", 0));
    seen.wait(1);
    // Exactly one END_REQUEST: a second one would be an error of the client machine.
    assert!(gateway.nothing_follows());
}

/// Never ends, and counts its closing.
fn endless(closed: Signal) -> impl Fn(Environ, StartResponse) -> Result<Body, AppError> + Send + Sync + 'static {
    move |environ, start_response| {
        start_response(StatusCode::OK, headers![])?;
        let closed = closed.clone();
        let chunk = match environ.path_info().as_bytes() {
            b"/busy" => vec![7; 100_000],
            _ => Vec::new(),
        };
        let mut first = Some(b"first".to_vec());
        let body =
            Body::iter(std::iter::from_fn(move || Some(Ok(first.take().unwrap_or_else(|| chunk.clone()).into()))));
        Ok(body.on_close(move || closed.raise()))
    }
}

#[test]
fn fcgi_79_abort_while_output_is_sent_ends_the_request_once_and_closes_the_body() {
    for path in ["/busy", "/waiting"] {
        let closed = Signal::default();
        let running = Running::unix(endless(closed.clone()), WorkerConfig::default());
        let mut gateway = Gateway::connect(&running);
        gateway.begin(&get(path));
        gateway.end_stdin();
        gateway.read_until_stdout();
        gateway.abort();
        assert_eq!(gateway.answer().end.protocol_status, ProtocolStatus::REQUEST_COMPLETE);
        closed.wait(1);
        assert!(gateway.nothing_follows());
        assert_eq!(closed.times(), 1);
    }
}

#[test]
fn fcgi_80_a_closed_connection_closes_the_body() {
    for path in ["/busy", "/waiting"] {
        let closed = Signal::default();
        let running = Running::unix(endless(closed.clone()), WorkerConfig::default());
        let mut gateway = Gateway::connect(&running);
        gateway.begin(&get(path));
        gateway.end_stdin();
        gateway.read_until_stdout();
        drop(gateway);
        closed.wait(1);
    }
}

/// Writes without an end, and tells what it learned when that failed.
fn writing(learned: Signal) -> impl Fn(Environ, StartResponse) -> Result<Body, AppError> + Send + Sync + 'static {
    move |_, start_response| {
        let write = start_response(StatusCode::OK, headers![])?;
        loop {
            if let Err(error) = write.write(vec![b'x'; 1000]) {
                assert!(Disconnected::is_cause_of(&error), "{error}");
                learned.raise();
                return Err(error.into());
            }
        }
    }
}

#[test]
fn fcgi_79_write_tells_an_application_that_its_answer_is_not_wanted_any_more() {
    let learned = Signal::default();
    let running = Running::unix(writing(learned.clone()), WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    gateway.begin(&get("/"));
    gateway.end_stdin();
    gateway.read_until_stdout();
    gateway.abort();
    assert_eq!(gateway.answer().end.protocol_status, ProtocolStatus::REQUEST_COMPLETE);
    learned.wait(1);
    assert!(gateway.nothing_follows());
}

#[test]
fn fcgi_80_write_tells_an_application_that_its_gateway_is_gone() {
    let learned = Signal::default();
    let running = Running::unix(writing(learned.clone()), WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    gateway.begin(&get("/"));
    gateway.end_stdin();
    gateway.read_until_stdout();
    drop(gateway);
    learned.wait(1);
}

#[test]
fn pep_104_bodies_are_closed_once_on_every_path() {
    let closed = Signal::default();
    let told = closed.clone();
    let app = move |environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        let told = told.clone();
        let body = match environ.path_info().as_bytes() {
            b"/fails" => Body::iter([Ok("x".into()), Err("broken".into())].into_iter()),
            b"/panics" => Body::iter(std::iter::from_fn(|| panic!("on purpose"))),
            _ => "x".into(),
        };
        Ok(body.on_close(move || told.raise()))
    };
    let running = Running::unix(app, WorkerConfig::default());
    for (number, path) in ["/", "/fails", "/panics", "/"].iter().enumerate() {
        let mut gateway = Gateway::connect(&running);
        gateway.begin(&get(path));
        gateway.end_stdin();
        let _ = gateway.try_answer();
        closed.wait(number + 1);
        assert_eq!(closed.times(), number + 1, "{path}");
    }
}

#[test]
fn pep_145_a_response_that_is_broken_off_is_not_ended() {
    let app = |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers!["content-length" => 10])?;
        Ok(Body::iter([Ok("four".into()), Err("broken".into())].into_iter()))
    };
    let running = Running::unix(app, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    gateway.begin(&get("/"));
    gateway.end_stdin();
    assert_eq!(gateway.try_answer().unwrap_err(), "connection closed inside a request");
    check_end_of_head(&gateway.stdout);
}

#[track_caller]
fn check_end_of_head(stdout: &[u8]) {
    assert!(stdout.ends_with(b"\r\n\r\nfour"), "what was sent arrives");
}

#[test]
fn a_panic_is_answered_and_the_worker_lives() {
    let app = |environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        assert_ne!(environ.path_info(), "/panic", "on purpose");
        hello(environ, start_response)
    };
    let running = Running::unix(app, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    assert!(gateway.ask(&get("/panic"), b"").head.starts_with("Status: 500 "));
    check_hello(&gateway.ask(&get("/"), b""));
}

#[test]
fn pep_121_write_is_sent_before_it_returns() {
    let asked = Signal::default();
    let go_on = asked.clone();
    let app = move |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        let write = start_response(StatusCode::OK, headers![])?;
        write.write("written")?;
        go_on.wait(1);
        Ok("returned".into())
    };
    let running = Running::unix(app, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    gateway.begin(&get("/"));
    gateway.end_stdin();
    while !gateway.stdout.ends_with(b"written") {
        gateway.read_some();
    }
    asked.raise();
    assert_eq!(gateway.answer().body, b"writtenreturned");
}

#[test]
fn pep_100_a_chunk_is_sent_before_the_next_is_asked_for() {
    let asked = Signal::default();
    let go_on = asked.clone();
    let app = move |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        let go_on = go_on.clone();
        let mut chunks = ["one", "two"].into_iter();
        Ok(Body::iter(std::iter::from_fn(move || {
            let chunk = chunks.next()?;
            if chunk == "two" {
                go_on.wait(1);
            }
            Some(Ok(chunk.into()))
        })))
    };
    let running = Running::unix(app, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    gateway.begin(&get("/"));
    gateway.end_stdin();
    while !gateway.stdout.ends_with(b"one") {
        gateway.read_some();
    }
    asked.raise();
    assert_eq!(gateway.answer().body, b"onetwo");
}

#[test]
fn fcgi_83_the_error_stream_goes_to_stderr() {
    let app = |environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        environ.errors.write("disk is nearly full\n");
        hello(environ, start_response)
    };
    let running = Running::unix(app, WorkerConfig::default());
    let answer = Gateway::connect(&running).ask(&get("/"), b"");
    check_hello(&answer);
    assert_eq!(answer.stderr, b"disk is nearly full\n");
}

#[test]
fn fcgi_122_what_a_request_leaves_behind_cannot_write_into_the_next() {
    let left: Arc<Mutex<Vec<Environ>>> = Arc::default();
    let shelf = Arc::clone(&left);
    let app = move |mut environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        if environ.path_info() == "/leave" {
            shelf.lock().unwrap().push(environ);
        } else {
            let mut old = shelf.lock().unwrap().pop().unwrap();
            old.errors.write("late\n");
            old.errors.flush();
            assert!(Disconnected::is_cause_of(&old.input.read_all(1 << 20).unwrap_err()));
            assert_eq!(environ.input.read_all(1 << 20).unwrap().len(), 100_000);
        }
        start_response(StatusCode::OK, headers![])?;
        Ok("ok".into())
    };
    let running = Running::unix(app, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    assert_eq!(gateway.ask(&post("/leave", 100_000), &big(100_000)).body, b"ok");
    let answer = gateway.ask(&post("/next", 100_000), &big(100_000));
    assert_eq!((answer.body.as_slice(), answer.stderr.as_slice()), (&b"ok"[..], &b""[..]));
}

/// `/stay` says that it is there and waits to be let go; everything else answers at once.
fn staying() -> (impl gateway_spec::Application, Signal, Signal) {
    let (inside, leave) = (Signal::default(), Signal::default());
    let (entered, left) = (inside.clone(), leave.clone());
    let app = move |environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        if environ.path_info() == "/stay" {
            entered.raise();
            left.wait(1);
        }
        hello(environ, start_response)
    };
    (app, inside, leave)
}

#[test]
fn fcgi_72_a_full_house_says_so() {
    let (app, inside, leave) = staying();
    let config = WorkerConfig::default().shared_calls(Calls::new(1, 0));
    let running = Running::unix(app, config);
    let mut first = Gateway::connect(&running);
    first.begin(&get("/stay"));
    first.end_stdin();
    inside.wait(1);
    let mut second = Gateway::connect(&running);
    assert_eq!(second.ask(&get("/"), b"").end.protocol_status, ProtocolStatus::OVERLOADED);
    leave.raise();
    check_hello(&first.answer());
    check_hello(&second.ask(&get("/"), b""));
}

#[test]
fn blocked_calls_do_not_hold_up_others() {
    let (app, inside, leave) = staying();
    // Two threads of the runtime, one of which may run applications: the others overflow.
    let config = WorkerConfig::default().shared_calls(Calls::new(1, 64));
    let running = Running::unix(app, config);
    let mut stuck: Vec<Gateway> = (0..8).map(|_| Gateway::connect(&running)).collect();
    for gateway in &mut stuck {
        gateway.begin(&get("/stay"));
        gateway.end_stdin();
    }
    inside.wait(8);
    let mut quick = Gateway::connect(&running);
    check_hello(&quick.ask(&get("/"), b""));
    leave.raise();
    for gateway in &mut stuck {
        check_hello(&gateway.answer());
    }
}

#[test]
fn one_call_that_blocks_on_an_idle_worker_stops_nobody() {
    for _ in 0..5 {
        let (app, inside, leave) = staying();
        let running = Running::unix(app, WorkerConfig::default());
        let (mut first, mut second) = (Gateway::connect(&running), Gateway::connect(&running));
        check_hello(&first.ask(&get("/"), b""));
        check_hello(&second.ask(&get("/"), b""));
        first.begin(&get("/stay"));
        first.end_stdin();
        inside.wait(1);
        // All other threads were asleep when the call began: somebody must wake up all the same.
        check_hello(&second.ask(&get("/"), b""));
        leave.raise();
        check_hello(&first.answer());
    }
}

#[test]
fn fcgi_70_a_request_that_is_none_is_answered_and_the_connection_lives() {
    let running = Running::unix(hello, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    let mut without_method = get("/");
    without_method.retain(|(name, _)| name != "REQUEST_METHOD");
    let mut wrong_length = post("/", 3);
    wrong_length.push(("CONTENT_LENGTH".to_owned(), "three".to_owned()));
    for request in [without_method, wrong_length] {
        assert!(gateway.ask(&request, b"abc").head.starts_with("Status: 400 "));
    }
    check_hello(&gateway.ask(&get("/"), b""));
}

#[test]
fn fcgi_20_34_broken_records_end_the_connection_only() {
    let running = Running::unix(hello, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    check_hello(&gateway.ask(&get("/"), b""));
    gateway.send_raw(&[2, 1, 0, 1, 0, 8, 0, 0]);
    assert!(gateway.is_closed());
    check_hello(&Gateway::connect(&running).ask(&get("/"), b""));
}

#[test]
fn fcgi_42_parameters_over_the_limit_end_the_connection() {
    let config = WorkerConfig::default().limits(Limits::default().max_params_bytes(1000));
    let running = Running::unix(hello, config);
    let mut gateway = Gateway::connect(&running);
    let mut request = get("/");
    request.push(("X_LONG".to_owned(), "x".repeat(1000)));
    gateway.begin(&request);
    assert!(gateway.is_closed());
}

#[test]
fn fcgi_56_get_values_tells_the_configuration() {
    let running = Running::unix(hello, WorkerConfig::default().max_connections(3));
    let values = Gateway::connect(&running).values();
    assert_eq!((values.max_connections, values.max_requests, values.multiplexes), (Some(3), Some(192), Some(true)));
}

#[test]
fn fcgi_119_silent_and_idle_peers_are_let_go() {
    let short = Duration::from_millis(20);
    let running = Running::unix(hello, WorkerConfig::default().silent_timeout(short));
    assert!(Gateway::connect(&running).is_closed());
    let running = Running::unix(hello, WorkerConfig::default().idle_timeout(short));
    let mut gateway = Gateway::connect(&running);
    check_hello(&gateway.ask(&get("/"), b""));
    assert!(gateway.is_closed());
}

#[test]
fn a_gateway_that_stops_within_a_request_is_let_go() {
    let running = Running::unix(count, WorkerConfig::default().read_timeout(Duration::from_millis(300)));
    for length in [100, 1 << 20] {
        // One that never has several requests on a connection.
        let mut gateway = Gateway::connect(&running);
        let mut request = post("/", length);
        request.push(("SERVER_SOFTWARE".to_owned(), "nginx/1.30".to_owned()));
        gateway.begin(&request);
        gateway.send_stdin(b"some");
        assert!(gateway.is_closed());
    }
    // One that might: its other requests would go on.
    let mut gateway = Gateway::connect(&running);
    gateway.begin(&post("/", 100));
    gateway.send_stdin(b"some");
    let head = gateway.answer().head;
    assert!(head.starts_with("Status: 408 "), "{head}");
}

#[test]
fn a_gateway_that_takes_nothing_is_let_go() {
    let closed = Signal::default();
    let config = WorkerConfig::default().write_timeout(Duration::from_millis(20));
    let running = Running::unix(endless(closed.clone()), config);
    let mut gateway = Gateway::connect(&running);
    gateway.begin(&get("/busy"));
    gateway.end_stdin();
    closed.wait(1);
}

#[test]
fn fcgi_120_the_answer_survives_unread_input() {
    let running = Running::tcp(hello, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    let body = big(1 << 20);
    check_hello(&gateway.ask_last(&post("/", body.len()), &body));
}

#[test]
fn fcgi_5_strangers_are_not_served() {
    let config = WorkerConfig::default().allow("10.9.9.9".parse::<AllowList>().unwrap());
    let running = Running::tcp(hello, config.clone());
    assert!(Gateway::connect(&running).is_closed());
    let running = Running::unix(hello, config);
    check_hello(&Gateway::connect(&running).ask(&get("/"), b""));
}

#[test]
fn fcgi_137_a_neighbour_of_a_listed_address_is_refused() {
    // The first twelve bytes of `::2` are those of `::1`, from where the gateway comes.
    for (listed, served) in [("::1", true), ("::2", false), ("::ffff:127.0.0.1", false), ("127.0.0.1", false)] {
        let config = WorkerConfig::default().allow(listed.parse::<AllowList>().unwrap());
        let running = Running::tcp_at("::1", hello, config);
        let mut gateway = Gateway::connect(&running);
        if served {
            check_hello(&gateway.ask(&get("/"), b""));
        } else {
            assert!(gateway.is_closed(), "{listed} is listed");
        }
    }
}

#[test]
fn fcgi_132_an_empty_path_info_beside_a_long_file_name_is_nothing_special() {
    let app = |environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        let text = |name: &str| environ.get(name).map_or(0, |value| value.as_bytes().len());
        Ok(format!("{} {}", text("PATH_INFO"), text("SCRIPT_FILENAME")).into())
    };
    let running = Running::unix(app, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    for length in [1, 32, 2000, 60_000] {
        let mut request = get("");
        request[1].1 = "/x.php".to_owned();
        request.push(("SCRIPT_FILENAME".to_owned(), format!("/{}", "x".repeat(length))));
        assert_eq!(gateway.ask(&request, b"").body, format!("0 {}", length + 1).into_bytes());
    }
}

#[test]
fn fcgi_78_variables_are_ready_to_be_an_environment() {
    let app = |environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        Ok(environ.entries().collect::<Vec<_>>().concat().into())
    };
    let running = Running::unix(app, WorkerConfig::default());
    let mut request = get("/a");
    request.push(("HTTP_X".to_owned(), "a=b".to_owned()));
    let body = Gateway::connect(&running).ask(&request, b"").body;
    for entry in ["PATH_INFO=/a", "HTTP_X=a=b", "QUERY_STRING=", "SERVER_PORT=80"] {
        assert!(body.split_inclusive(|b| *b == 0).any(|e| e == format!("{entry}\0").as_bytes()), "{entry}");
    }
}

#[test]
fn fcgi_5_over_unix_sockets_only_those_who_are_named_are_served() {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let nobody_here = AllowList::everybody().user(uid + 1).group(gid + 1);
    for allowed in [
        nobody_here.clone().user(uid),
        nobody_here.clone().group(gid),
        nobody_here.clone().process(std::process::id()),
        "10.9.9.9".parse().unwrap(),
    ] {
        let running = Running::unix(hello, WorkerConfig::default().allow(allowed));
        check_hello(&Gateway::connect(&running).ask(&get("/"), b""));
    }
    let running = Running::unix(hello, WorkerConfig::default().allow(nobody_here));
    assert!(Gateway::connect(&running).is_closed());
}

#[test]
fn fcgi_10_a_shutdown_finishes_current_requests() {
    let inside = Signal::default();
    let leave = Signal::default();
    let (entered, left) = (inside.clone(), leave.clone());
    let app = move |environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        if environ.path_info().as_bytes() == b"/busy" {
            entered.raise();
            left.wait(1);
        }
        hello(environ, start_response)
    };
    let running = Running::unix(app, WorkerConfig::default());
    let Address::Unix(path) = running.address.clone() else { panic!("a unix socket") };
    let mut idle = Gateway::connect(&running);
    check_hello(&idle.ask(&get("/"), b""));
    let mut busy = Gateway::connect(&running);
    busy.begin(&get("/busy"));
    busy.end_stdin();
    inside.wait(1);
    running.handle.shutdown();
    assert!(idle.hears_farewell());
    leave.raise();
    check_hello(&busy.answer());
    assert!(busy.hears_farewell());
    drop((idle, busy));
    running.ended();
    assert!(!path.exists());
}

#[test]
fn fcgi_10_a_request_that_crosses_the_farewell_is_answered() {
    let running = Running::unix(hello, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    check_hello(&gateway.ask(&get("/"), b""));
    running.handle.shutdown();
    for body in ["", "a body"] {
        assert!(gateway.hears_farewell());
        gateway.renew();
        check_hello(&gateway.ask(&post("/", body.len()), body.as_bytes()));
    }
    assert!(gateway.hears_farewell());
    drop(gateway);
    running.ended();
}

#[test]
fn fcgi_10_a_gateway_that_does_not_heed_the_farewell_is_left_all_the_same() {
    let running = Running::unix(hello, WorkerConfig::default().linger(Duration::from_millis(20)));
    let mut idle = Gateway::connect(&running);
    check_hello(&idle.ask(&get("/"), b""));
    let mut eager = Gateway::connect(&running);
    check_hello(&eager.ask(&get("/"), b""));
    running.handle.shutdown();
    // One request after the other, until there is no answer: then the request has not been read either.
    loop {
        eager.renew();
        eager.begin(&get("/"));
        eager.end_stdin();
        let Ok(answer) = eager.try_answer() else { break };
        check_hello(&answer);
    }
    assert!(idle.hears_farewell());
    assert!(idle.is_closed());
    running.ended();
}

#[test]
fn fcgi_10_a_connection_that_was_accepted_before_a_shutdown_gets_its_first_request_answered() {
    let running = Running::unix(hello, WorkerConfig::default());
    let mut silent = Gateway::connect(&running);
    // Accepted after the silent one, so that one has been accepted too.
    let mut next = Gateway::connect(&running);
    check_hello(&next.ask(&get("/"), b""));
    running.handle.shutdown();
    assert!(next.hears_farewell());
    check_hello(&silent.ask(&get("/"), b""));
    assert!(silent.hears_farewell());
    drop((next, silent));
    running.ended();
}

#[test]
fn a_request_that_outlives_the_grace_is_cut_off() {
    let inside = Signal::default();
    let cut = Signal::default();
    let (entered, seen) = (inside.clone(), cut.clone());
    let app = move |mut environ: Environ, _: StartResponse| -> Result<Body, AppError> {
        entered.raise();
        let error = environ.input.read_all(usize::MAX).unwrap_err();
        seen.raise();
        Err(error.into())
    };
    let running = Running::unix(app, WorkerConfig::default().grace(Duration::from_millis(20)));
    let mut gateway = Gateway::connect(&running);
    gateway.begin(&post("/", 1 << 20));
    inside.wait(1);
    running.handle.shutdown();
    cut.wait(1);
    running.ended();
}

#[test]
fn fcgi_31_connections_over_the_limit_wait_their_turn() {
    let running = Running::unix(hello, WorkerConfig::default().max_connections(1));
    let mut first = Gateway::connect(&running);
    check_hello(&first.ask(&get("/"), b""));
    let mut second = Gateway::connect(&running);
    second.begin(&get("/"));
    second.end_stdin();
    drop(first);
    check_hello(&second.answer());
}

#[test]
fn fcgi_3_a_worker_takes_over_a_listening_socket() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let app = move |environ: Environ, start_response: StartResponse| {
        counted.fetch_add(1, Ordering::Relaxed);
        hello(environ, start_response)
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let running = Running::inherited(app, WorkerConfig::default(), socket.into());
    check_hello(&Gateway::connect(&running).ask(&get("/"), b""));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    running.handle.shutdown();
    running.ended();
    assert!(path.exists(), "the file belongs to whoever made it");
}

#[test]
fn fcgi_93_one_answer_is_one_write_in_the_steady_state() {
    let running = Running::unix(hello, WorkerConfig::default());
    let mut gateway = Gateway::connect(&running);
    for _ in 0..10 {
        gateway.begin(&get("/"));
        gateway.end_stdin();
        let (mut records, wire) = gateway.one_read();
        assert!(wire.len().is_multiple_of(8));
        records.retain(|(id, _)| *id == RequestId::ONE.get());
        let kinds: Vec<RecordType> = records.into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(kinds, [RecordType::STDOUT, RecordType::STDOUT, RecordType::END_REQUEST]);
    }
}

#[test]
fn a_body_that_is_waited_for_gives_its_place_on_a_worker_to_others() {
    let calls = Calls::new(1, 1);
    let running = Running::unix(count, WorkerConfig::default().shared_calls(calls.clone()));
    let mut slow = Gateway::connect(&running);
    slow.begin(&post("/", 1_000_000));
    slow.send_stdin(&big(100_000));
    let begun = std::time::Instant::now();
    while calls.busy() != (0, 1) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", calls.busy());
        std::thread::yield_now();
    }
    slow.send_stdin(&big(900_000));
    slow.end_stdin();
    assert_eq!(slow.answer().body, b"1000000");
}
