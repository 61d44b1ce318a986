//! The server models: the same answers from all, and what sets them apart.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "helpers of tests, where a failure is a panic"
)]

#[path = "support/slow.rs"]
mod slow_clients;

use gateway_fastcgi::net::Address;
use gateway_server::serve::{Config, Handler, Model, Route, Router, Server, ServerHandle, TrustedProxies};
use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, Body, Bytes, Environ, InputStream, StartResponse, StatusCode, headers,
};
use slow_clients::{long, take_slowly};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    port: u16,
    handle: ServerHandle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

fn serve(config: Config, router: impl Router) -> Running {
    let server = Server::routed(router).config(config.linger_timeout(Duration::from_millis(200)));
    let bound = server.bind("127.0.0.1:0").unwrap();
    let Some(Address::Tcp { port, .. }) = bound.addresses().next() else { panic!("no address") };
    let (port, handle) = (*port, bound.handle());
    Running { port, handle, thread: Some(std::thread::spawn(|| bound.run())) }
}

fn model(model: Model) -> Config {
    Config::default().threads(4).model(model)
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends these bytes and reads until the server closes.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        rest(&mut stream)
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    // A reset ends it too.
    let _ = stream.read_to_end(&mut all);
    String::from_utf8(all).unwrap()
}

/// Reads until what was read ends in `end`.
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    let mut byte = [0];
    while !all.ends_with(end.as_bytes()) {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "closed after {:?}", String::from_utf8_lossy(&all));
        all.push(byte[0]);
    }
    String::from_utf8(all).unwrap()
}

/// Says the path, what it is told of threads, and what came as a body, in two pieces.
fn echo(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let (path, many) = (environ.path_info().to_string(), environ.multithread);
    let body = environ.input.read_all(1 << 20)?;
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    let text = format!("{path} many={many} ");
    Ok(Body::chunks(vec![text.into(), body]))
}

/// The asynchronous form, which answers with what it is sent, as it is sent.
struct Mirror;

impl AsyncApplication for Mirror {
    async fn call(&self, _: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(AsyncResponse::new(StatusCode::OK, headers!["content-type" => "text/plain"], input.into_body()))
    }
}

struct Both {
    echo: Handler,
    mirror: Handler,
}

impl Router for Both {
    fn route<'a>(&'a self, path: &[u8]) -> Option<Route<'a>> {
        let handler = match path {
            b"/none" => return None,
            path if path.starts_with(b"/mirror") => &self.mirror,
            _ => &self.echo,
        };
        Some(Route { script_name_bytes: 0, handler })
    }
}

fn both(chosen: Model) -> Running {
    serve(model(chosen), Both { echo: Handler::new(echo), mirror: Handler::asynchronous(Mirror) })
}

#[test]
fn every_model_answers_alike() {
    let long = "x".repeat(300_000);
    let upload = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{long}", long.len())
    };
    let in_chunks = "POST /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                     5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n";
    for chosen in Model::ALL {
        let server = both(chosen);
        let many = chosen != Model::Iterative;
        assert!(server.get("/p").ends_with(&format!("\r\n\r\n/p many={many} ")), "{chosen}");
        assert!(server.ask(in_chunks).ends_with(&format!("/c many={many} hello!")), "{chosen}");
        for path in ["/up", "/mirror"] {
            let answer = server.ask(&upload(path));
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&long), "{chosen} {path}");
        }
        let mirrored = server.ask(&in_chunks.replace("/c", "/mirror"));
        assert!(mirrored.contains("hello!"), "{chosen}: {mirrored}");
        assert!(server.get("/none").starts_with("HTTP/1.1 404 "), "{chosen}");
        assert!(server.ask("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "), "{chosen}");
        let old = server.ask("GET /old HTTP/1.0\r\n\r\n");
        assert!(old.contains("\r\nconnection: close\r\n") && old.ends_with(&format!("/old many={many} ")), "{old}");
    }
}

#[test]
fn http_168_every_model_answers_pipelined_requests_in_order() {
    for chosen in Model::ALL {
        let server = both(chosen);
        let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n");
        let body = "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
        let all = format!("{}{body}{}{}", get("/1", ""), get("/mirror", ""), get("/4", "Connection: close\r\n"));
        let answers = server.ask(&all);
        let at = |text: &str| answers.find(text).unwrap_or_else(|| panic!("{chosen}: no {text} in {answers}"));
        assert!(at("/1 many") < at("/2 many") && at("/2 many") < at("/4 many"), "{answers}");
        assert!(answers.contains(" abc"), "{answers}");
        assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 4, "{chosen}: {answers}");
    }
}

#[test]
fn http_120_every_model_sends_continue_when_the_application_reads() {
    for chosen in Model::ALL {
        for path in ["/e", "/mirror"] {
            let server = both(chosen);
            let mut stream = server.connect();
            let head = "HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
            stream.write_all(format!("POST {path} {head}").as_bytes()).unwrap();
            assert_eq!(read_until(&mut stream, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n", "{chosen} {path}");
            stream.write_all(b"hello").unwrap();
            let answer = rest(&mut stream);
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"), "{chosen} {path}: {answer}");
        }
    }
}

#[test]
fn http_174_every_model_gives_up_on_a_slow_head_and_a_slow_body() {
    for chosen in Model::ALL {
        let config = model(chosen).header_timeout(Duration::from_millis(150)).body_timeout(Duration::from_millis(150));
        let server = serve(config, Both { echo: Handler::new(echo), mirror: Handler::asynchronous(Mirror) });
        assert!(server.ask("GET / HTTP/1.1\r\nHo").starts_with("HTTP/1.1 408 "), "{chosen}");
        // In a loop the mirror has answered before the body is late.
        let paths = if chosen.is_blocking() { &["/e", "/mirror"][..] } else { &["/e"] };
        for path in paths {
            let cut = server.ask(&format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"));
            assert!(cut.starts_with("HTTP/1.1 408 "), "{chosen} {path}: {cut}");
        }
    }
}

const SHORT: Duration = Duration::from_millis(150);

/// No pause is too long, but a hundred bytes a second are not enough.
fn demanding(chosen: Model) -> Config {
    model(chosen).rate_grace(SHORT).min_body_bytes_per_second(100_000).min_write_bytes_per_second(100_000_000)
}

/// Sends a head, and then a piece again and again, never pausing for long; the answer, once the server has closed.
fn drip(server: &Running, head: &str, piece: &'static [u8]) -> String {
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    let mut sending = stream.try_clone().unwrap();
    let begun = Instant::now();
    let dripping = std::thread::spawn(move || {
        while begun.elapsed() < PATIENCE && sending.write_all(piece).is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let answer = rest(&mut stream);
    drop(stream);
    dripping.join().unwrap();
    assert!(begun.elapsed() < PATIENCE / 2, "held for {:?}", begun.elapsed());
    answer
}

#[test]
fn http_174_181_every_model_sheds_a_body_that_drips() {
    for chosen in Model::ALL {
        let server = serve(demanding(chosen), Both { echo: Handler::new(echo), mirror: Handler::asynchronous(Mirror) });
        // In a loop the mirror has answered before the body is late.
        let paths = if chosen.is_blocking() { &["/e", "/mirror"][..] } else { &["/e"] };
        for path in paths {
            let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n");
            let answer = drip(&server, &head, b"x");
            assert!(answer.starts_with("HTTP/1.1 408 "), "{chosen} {path}: {answer}");
        }
    }
}

#[test]
fn every_model_takes_a_body_that_drips_where_no_rate_is_asked_for() {
    for chosen in Model::ALL {
        let server = serve(demanding(chosen).min_body_bytes_per_second(0), Handler::new(echo));
        let head = "POST /e HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 40\r\n\r\n";
        let answer = drip(&server, head, b"x");
        assert!(answer.ends_with(&"x".repeat(40)), "{chosen}: {answer}");
    }
}

#[test]
fn http_167_181_no_model_reads_an_unread_body_that_drips_for_ever() {
    for chosen in Model::ALL {
        let app = |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
            start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
            Ok("no".into())
        };
        let server = serve(model(chosen).body_timeout(SHORT), Handler::new(app));
        let answer = drip(&server, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", b"x");
        assert!(answer.ends_with("no"), "{chosen}: {answer}");
    }
}

#[test]
fn http_174_181_every_model_cuts_a_response_that_is_taken_too_slowly() {
    for chosen in Model::ALL {
        let server = serve(demanding(chosen), Handler::new(long));
        let mut stream = server.connect();
        stream.write_all(b"GET /100000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let begun = Instant::now();
        let length = take_slowly(&mut stream, Duration::from_millis(20));
        assert!(length < 100_000 * (64 << 10) && begun.elapsed() < PATIENCE / 2, "{chosen}: {length}");
    }
}

#[test]
fn no_model_cuts_a_response_because_the_system_is_slow_to_say_that_there_is_room() {
    for chosen in Model::ALL {
        let server = serve(model(chosen).write_timeout(Duration::from_millis(60)), Handler::new(long));
        let mut stream = server.connect();
        stream.write_all(b"GET /128 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let length = take_slowly(&mut stream, Duration::from_millis(5));
        assert!(length > 128 * (64 << 10), "{chosen}: {length}");
    }
}

#[test]
fn http_181_every_model_with_room_for_it_turns_away_a_peer_with_too_many_connections() {
    // With the iterative one nobody ever has two.
    for chosen in [Model::Threads, Model::EventLoop, Model::EventLoops] {
        let counted = model(chosen).max_connections_per_peer(1).uncounted_peers(TrustedProxies::default());
        let server = serve(counted, Handler::new(echo));
        let mut first = server.connect();
        first.write_all(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        read_until(&mut first, "many=true ");
        let mut second = server.connect();
        // It may be closed before this is sent.
        let _ = second.write_all(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(rest(&mut second), "", "{chosen}");
        first.write_all(b"GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        assert!(rest(&mut first).ends_with("/3 many=true "), "{chosen}");
    }
}

#[test]
fn http_165_the_models_that_wait_keep_connections_open_while_nobody_else_needs_the_thread() {
    for chosen in [Model::Iterative, Model::Threads] {
        let server = both(chosen);
        let mut stream = server.connect();
        for round in 0..3 {
            stream.write_all(b"GET /again HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            let answer = read_until(&mut stream, " ");
            let answer = answer + &read_until(&mut stream, " many=") + &read_until(&mut stream, " ");
            assert!(!answer.contains("connection: close"), "{chosen} {round}: {answer}");
        }
    }
}

#[test]
fn a_silent_connection_gives_way_when_no_thread_is_free() {
    for config in [model(Model::Iterative), model(Model::Threads).connection_threads(2)] {
        let server = serve(config, Handler::new(echo));
        let _silent: Vec<TcpStream> = (0..2).map(|_| server.connect()).collect();
        // Each is answered, though both threads, or the only one, are taken.
        for _ in 0..2 {
            assert!(server.get("/next").contains("/next"), "nobody gave way");
        }
    }
}

/// A call that waits until it is told to go on, and says that it has begun.
fn gate() -> (Handler, Receiver<()>, Sender<()>) {
    let (begun, seen) = channel();
    let (go, wait) = channel::<()>();
    let (begun, wait) = (Mutex::new(begun), Mutex::new(wait));
    let app = move |environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        if environ.path_info().as_bytes() == b"/wait" {
            begun.lock().unwrap().send(())?;
            wait.lock().unwrap().recv()?;
        }
        start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
        Ok(Bytes::from_static(b"done").into())
    };
    (Handler::new(app), seen, go)
}

#[test]
fn a_call_that_blocks_holds_up_others_in_the_models_with_one_thread_only() {
    for chosen in Model::ALL {
        let (handler, seen, go) = gate();
        let server = serve(model(chosen), handler);
        let mut waiting = server.connect();
        waiting.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        seen.recv_timeout(PATIENCE).unwrap();
        let mut other = server.connect();
        other.write_all(b"GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let held_up = matches!(chosen, Model::Iterative | Model::EventLoop);
        if held_up {
            other.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
            assert!(other.read(&mut [0]).is_err(), "{chosen}: answered while the only thread was in a call");
            other.set_read_timeout(Some(PATIENCE)).unwrap();
            go.send(()).unwrap();
            assert!(rest(&mut other).ends_with("done"), "{chosen}");
        } else {
            assert!(rest(&mut other).ends_with("done"), "{chosen}");
            go.send(()).unwrap();
        }
        assert!(rest(&mut waiting).ends_with("done"), "{chosen}");
    }
}

#[test]
fn threads_serve_as_many_at_once_as_there_may_be_and_the_rest_waits_in_the_queue() {
    const THREADS: usize = 3;
    let meeting = Arc::new(Barrier::new(THREADS));
    let app = move |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        meeting.wait();
        start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
        Ok("met".into())
    };
    let server = serve(model(Model::Threads).connection_threads(THREADS), Handler::new(app));
    // Twice as many as there are threads: they meet in two groups.
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..2 * THREADS).map(|_| scope.spawn(|| server.get("/"))).collect();
        for answer in asked {
            assert!(answer.join().unwrap().ends_with("met"));
        }
    });
}

#[test]
fn every_model_finishes_what_is_in_progress_when_it_stops() {
    for chosen in Model::ALL {
        let (handler, seen, go) = gate();
        let mut server = serve(model(chosen), handler);
        let mut idle = server.connect();
        if chosen != Model::Iterative {
            idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            read_until(&mut idle, "done");
        }
        let mut waiting = server.connect();
        waiting.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        seen.recv_timeout(PATIENCE).unwrap();
        server.handle.stop();
        if chosen == Model::Threads || chosen == Model::EventLoops {
            assert_eq!(rest(&mut idle), "", "{chosen}: the idle one is closed at once");
        }
        go.send(()).unwrap();
        let answer = rest(&mut waiting);
        assert!(answer.contains("connection: close") && answer.ends_with("done"), "{chosen}: {answer}");
        server.thread.take().unwrap().join().unwrap().unwrap();
    }
}

#[test]
fn the_models_that_wait_do_not_wait_for_ever_when_they_stop() {
    for chosen in [Model::Iterative, Model::Threads] {
        let (handler, seen, _go) = gate();
        let mut server = serve(model(chosen).stop_timeout(Duration::from_millis(100)), handler);
        let mut waiting = server.connect();
        waiting.write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        seen.recv_timeout(PATIENCE).unwrap();
        let begun = Instant::now();
        server.handle.stop();
        assert_eq!(rest(&mut waiting), "", "cut");
        server.thread.take().unwrap().join().unwrap().unwrap();
        assert!(begun.elapsed() < PATIENCE / 2, "{chosen}");
    }
}

#[test]
fn names_of_models_are_read_as_they_are_written() {
    for chosen in Model::ALL {
        assert_eq!(chosen.to_string().parse(), Ok(chosen));
    }
    let error = "fork".parse::<Model>().unwrap_err().to_string();
    assert!(error.contains("\"fork\"") && Model::ALL.iter().all(|model| error.contains(model.name())), "{error}");
}
