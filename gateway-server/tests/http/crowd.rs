//! A thousand clients at once in calls that block, with the default configuration: each gets an answer or an honest 503, and nobody else
//! waits for them.

use super::support::*;
use gateway_fastcgi::net::Address;
use gateway_server::serve::{Config, Handler, Route, Router, Server};
use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, BodyStream, Environ, InputStream, StartResponse, StatusCode, headers,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Barrier;

const CROWD: usize = 1000;
const CALL: Duration = Duration::from_millis(100);

/// Calls that block under `/slow`; under `/quick` one that does not; elsewhere an asynchronous one, that needs no place.
struct Site {
    slow: Handler,
    quick: Handler,
    free: Handler,
}

impl Site {
    fn new() -> Self {
        let slow = |_: Environ, start_response: StartResponse| {
            std::thread::sleep(CALL);
            ok(start_response, "slow")
        };
        let quick = |_: Environ, start_response: StartResponse| ok(start_response, "quick");
        Self { slow: Handler::new(slow), quick: Handler::new(quick), free: Handler::asynchronous(Free) }
    }
}

impl Router for Site {
    fn route<'a>(&'a self, path: &[u8]) -> Option<Route<'a>> {
        let handler = match path {
            b"/slow" => &self.slow,
            b"/quick" => &self.quick,
            _ => &self.free,
        };
        Some(Route { script_name_bytes: 0, handler })
    }
}

struct Free;

impl AsyncApplication for Free {
    async fn call(&self, _: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
        Ok(AsyncResponse::new(StatusCode::OK, headers!["content-type" => "text/plain"], BodyStream::from("free")))
    }
}

/// Both ends of a thousand connections are in this process.
fn raise_limit_of_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = (3 * CROWD) as u64;
    if limit.current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).unwrap();
    }
}

/// Asks once, with everybody else; the status, and whether the answer says when to come again.
async fn one_of_the_crowd(port: u16, all_there: Arc<Barrier>) -> (u16, bool) {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    all_there.wait().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest[..3].parse().ok());
    (status.unwrap_or_else(|| panic!("{answer:?}")), answer.contains("\r\nretry-after: "))
}

/// Asks again and again until told to stop: how many answers of each status, and the longest that one took.
fn neighbour(port: u16, path: &'static str, is_over: &AtomicBool) -> (usize, usize, Duration) {
    let (mut answered, mut refused, mut longest) = (0, 0, Duration::ZERO);
    while !is_over.load(Ordering::SeqCst) {
        let mut client = Client::connect(port);
        let begun = Instant::now();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response();
        longest = longest.max(begun.elapsed());
        match response.status {
            200 => answered += 1,
            503 => {
                assert!(response.field("retry-after").is_some());
                refused += 1;
            }
            status => panic!("{status}"),
        }
    }
    (answered, refused, longest)
}

#[test]
fn http_158_a_thousand_clients_in_calls_that_block_get_answers_or_503_and_nothing_stalls() {
    raise_limit_of_descriptors();
    let bound = Server::routed(Site::new()).config(Config::default()).bind("127.0.0.1:0").unwrap();
    let Some(&Address::Tcp { port, .. }) = bound.addresses().next() else { panic!("no address") };
    let handle = bound.handle();
    let server = std::thread::spawn(|| bound.run());

    let is_over = Arc::new(AtomicBool::new(false));
    let neighbours = ["/free", "/quick"].map(|path| {
        let is_over = Arc::clone(&is_over);
        std::thread::spawn(move || neighbour(port, path, &is_over))
    });
    let crowd = async {
        let all_there = Arc::new(Barrier::new(CROWD + 1));
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..CROWD {
            asking.spawn(one_of_the_crowd(port, Arc::clone(&all_there)));
        }
        all_there.wait().await;
        let begun = Instant::now();
        let answers = tokio::time::timeout(PATIENCE, asking.join_all()).await.expect("all answers in time");
        (answers, begun.elapsed())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (answers, took) = runtime.block_on(crowd);
    is_over.store(true, Ordering::SeqCst);
    let [free, quick] = neighbours.map(|neighbour| neighbour.join().unwrap());
    handle.stop();
    server.join().unwrap().unwrap();

    let answered = answers.iter().filter(|(status, _)| *status == 200).count();
    let refused = answers.iter().filter(|answer| **answer == (503, true)).count();
    println!("of {CROWD}: {answered} answered, {refused} refused, all in {took:?}");
    println!("meanwhile (200, 503, longest): without a place {free:?}, with a place {quick:?}");
    assert_eq!(answered + refused, CROWD, "{answers:?}");
    // Nobody is refused while there is a place: each place has answered at least one.
    let places = Config::default_threads() + 256;
    assert!(refused == 0 || answered >= places, "{answered} answered by {places} places");
    assert!(free.0 > 0 && free.1 == 0 && free.2 < PATIENCE / 2, "{free:?}");
    assert!(quick.0 + quick.1 > 0 && quick.2 < PATIENCE / 2, "{quick:?}");
}
