//! The load generator against small servers, right and wrong ones.

use super::*;
use crate::bench::result::Errors;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

/// A server in threads, one for each connection.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// Has `serve` look after each connection; its number is counted from 0.
    fn start(serve: impl Fn(usize, TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server =
            Server { address: listener.local_addr().unwrap(), connections: Arc::default(), stopped: Arc::default() };
        let (connections, stopped, serve) = (server.connections.clone(), server.stopped.clone(), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (stream, serve) = (stream.unwrap(), serve.clone());
                let number = connections.fetch_add(1, Ordering::SeqCst);
                // It ends in an error when the load closes the connection.
                thread::spawn(move || serve(number, stream));
            }
        });
        server
    }

    /// Answers each request with what `answer` says, where requests are counted from 0 on each connection.
    fn answering(answer: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start(move |_, stream| {
            let mut reader = BufReader::new(stream);
            for number in 0.. {
                request_len(&mut reader)?;
                reader.get_mut().write_all(&answer(number))?;
            }
            Ok(())
        })
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn load(&self, connections: usize) -> Load {
        load(self.address, connections)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// Reads a whole request, and says how long its body was; an error at the end of the connection.
fn request_len(reader: &mut impl BufRead) -> io::Result<u64> {
    let len = request_head(reader)?;
    io::copy(&mut reader.by_ref().take(len), &mut io::sink())
}

/// Reads the head of a request, and says how long its body will be.
fn request_head(reader: &mut impl BufRead) -> io::Result<u64> {
    let mut len = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            len = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            return Ok(len);
        }
    }
}

fn load(address: SocketAddr, connections: usize) -> Load {
    let request = Arc::new(Request::get(address, "/"));
    let duration = Duration::from_millis(60);
    Load { address, request, connections, threads: 1, pace: Pace::Closed, warm_up: Duration::ZERO, duration }
}

fn ok(body_len: usize) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {body_len}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + body_len, b'.');
    answer
}

/// Everything right: as many latencies as requests, and nothing else.
#[track_caller]
fn check_right(outcome: &Outcome) {
    assert_eq!(outcome.errors, Errors::default());
    assert!(outcome.requests > 0);
    assert_eq!(outcome.latency.len(), outcome.requests);
    assert!(outcome.cpu > Duration::ZERO);
}

/// Nothing but errors of one kind.
#[track_caller]
fn check_all(outcome: &Outcome, of: impl Fn(&Errors) -> u64) {
    assert_eq!(outcome.requests, 0);
    assert!(of(&outcome.errors) > 0, "{:?}", outcome.errors);
    assert_eq!(of(&outcome.errors), outcome.errors.total(), "{:?}", outcome.errors);
}

#[test]
fn right_answers_are_counted_for_the_time_that_was_asked_for() {
    let outcome = Server::answering(|_| ok(13)).load(3).run().unwrap();
    check_right(&outcome);
    assert!(outcome.seconds >= 0.06, "{}", outcome.seconds);
    assert!(outcome.latency.max() < 60_000_000_000);
}

#[test]
fn what_is_answered_before_and_after_the_time_is_work_and_no_figure() {
    let asked = Arc::new(AtomicUsize::default());
    let count = Arc::clone(&asked);
    let server = Server::answering(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        ok(13)
    });
    let outcome = Load { warm_up: Duration::from_millis(60), ..server.load(3) }.run().unwrap();
    check_right(&outcome);
    assert!(outcome.answered > outcome.requests, "{outcome:?}");
    assert!(outcome.seconds >= 0.06 && outcome.seconds < 5.0, "{}", outcome.seconds);
    assert_eq!(asked.load(Ordering::SeqCst) as u64, outcome.answered, "every request had its answer");
}

#[test]
fn the_warm_up_of_an_open_loop_is_no_part_of_its_figures_either() {
    let server = Server::answering(|_| ok(13));
    let (pace, warm_up) = (Pace::Open { rate: 1000.0 }, Duration::from_millis(50));
    let outcome = Load { pace, warm_up, ..server.load(2) }.run().unwrap();
    check_right(&outcome);
    assert_eq!((outcome.answered, outcome.requests), (110, 60));
}

#[test]
fn every_connection_is_used_and_kept() {
    let server = Server::answering(|_| ok(13));
    let load = Load { threads: 3, ..server.load(256) };
    check_right(&load.run().unwrap());
    assert_eq!(server.connections(), 256);
}

#[test]
fn answers_in_chunks_are_right() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    check_right(&Server::answering(|_| answer.to_vec()).load(2).run().unwrap());
}

#[test]
fn long_answers_are_right() {
    check_right(&Server::answering(|_| ok(1 << 20)).load(2).run().unwrap());
    let chunk = [b"80000\r\n".as_slice(), &vec![b'x'; 0x80000], b"\r\n"].concat();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice();
    let answer = [head, &chunk, &chunk, b"0\r\n\r\n"].concat();
    check_right(&Server::answering(move |_| answer.clone()).load(2).run().unwrap());
}

#[test]
fn another_status_is_wrong() {
    let server = Server::answering(|_| b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    check_all(&server.load(2).run().unwrap(), |errors| errors.wrong);
    assert_eq!(server.connections(), 2, "the connection is not to blame");
}

#[test]
fn another_length_than_the_first_is_wrong() {
    let outcome = Server::answering(|number| ok(if number == 0 { 5 } else { 6 })).load(1).run().unwrap();
    assert_eq!(outcome.requests, 1);
    assert!(outcome.errors.wrong > 0);
}

#[test]
fn another_length_than_expected_is_wrong() {
    let server = Server::answering(|_| ok(5));
    let request = |body_len| Arc::new(Request::get(server.address, "/").expecting(BodyLen::Exactly(body_len)));
    check_all(&Load { request: request(6), ..server.load(1) }.run().unwrap(), |errors| errors.wrong);
    check_right(&Load { request: request(5), ..server.load(1) }.run().unwrap());
}

#[test]
fn bytes_after_an_answer_are_wrong() {
    let answer = || [ok(5), b"!".to_vec()].concat();
    check_all(&Server::answering(move |_| answer()).load(1).run().unwrap(), |errors| errors.wrong);
    // Too many to be received at once with the answer.
    let long = || [ok(1 << 20), vec![b'!'; 1 << 20]].concat();
    check_all(&Server::answering(move |_| long()).load(1).run().unwrap(), |errors| errors.wrong);
}

#[test]
fn an_answer_cut_short_is_broken() {
    let server = Server::start(|_, stream| {
        let mut reader = BufReader::new(stream);
        request_len(&mut reader)?;
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
    });
    check_all(&server.load(2).run().unwrap(), |errors| errors.broken);
}

#[test]
fn a_server_that_drops_every_connection_is_not_stormed() {
    let server = Server::start(|_, _| Ok(()));
    let load = Load { duration: Duration::from_millis(300), ..server.load(1) };
    let outcome = load.run().unwrap();
    check_all(&outcome, |errors| errors.broken + errors.connect);
    // Rests of 1, 2, 4 … 128 ms: 255 ms are over after the eighth.
    assert!(outcome.errors.total() <= 20, "{:?}", outcome.errors);
}

#[test]
fn nobody_listens() {
    // A port that is taken, so that nobody else can listen there meanwhile.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let outcome = load(address, 2).run().unwrap();
    check_all(&outcome, |errors| errors.connect);
    assert!(outcome.errors.total() <= 40, "{:?}", outcome.errors);
    let asked = ask(address, &Request::get(address, "/"), Duration::from_secs(5));
    assert!(matches!(asked, Err(AskError::Failed(connection::Failure::Connect(_)))), "{asked:?}");
}

/// One answer on each connection.
fn closing(answer: &'static [u8]) -> Server {
    Server::start(move |_, stream| {
        let mut reader = BufReader::new(stream);
        request_len(&mut reader)?;
        reader.get_mut().write_all(answer)
    })
}

#[test]
fn a_connection_that_is_closed_after_an_answer_is_opened_again() {
    let said = closing(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    let unsaid = closing(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let without_length = closing(b"HTTP/1.1 200 OK\r\n\r\nok");
    for server in [said, unsaid, without_length] {
        let outcome = server.load(2).run().unwrap();
        check_right(&outcome);
        assert!(server.connections() as u64 >= outcome.requests);
        let open = Load { pace: Pace::Open { rate: 500.0 }, ..server.load(2) };
        let outcome = open.run().unwrap();
        assert_eq!((outcome.requests, outcome.errors), (30, Errors::default()));
    }
}

#[test]
fn no_answer_is_a_timeout() {
    let server = Server::start(|_, mut stream| io::copy(&mut stream, &mut io::sink()).map(drop));
    let patience = Patience { answer: Duration::from_millis(20), ..Patience::USUAL };
    check_all(&server.load(2).run_with(patience).unwrap(), |errors| errors.timeout);
    let asked = ask(server.address, &Request::get(server.address, "/"), Duration::from_millis(20));
    assert!(matches!(asked, Err(AskError::Timeout(_))), "{asked:?}");
}

#[test]
fn closed_loop_requests_in_flight_at_the_end_are_not_counted() {
    let server = Server::start(|_, mut stream| io::copy(&mut stream, &mut io::sink()).map(drop));
    let outcome = server.load(2).run().unwrap();
    assert_eq!((outcome.requests, outcome.errors), (0, Errors::default()));
}

#[test]
fn open_loop_makes_as_many_requests_as_the_rate_says() {
    let server = Server::answering(|_| ok(13));
    let load = Load { threads: 2, pace: Pace::Open { rate: 2000.0 }, ..server.load(8) };
    let outcome = load.run().unwrap();
    check_right(&outcome);
    assert_eq!(outcome.requests, 120);
}

#[test]
fn open_loop_requests_that_nobody_answers_are_all_timeouts() {
    let server = Server::start(|_, mut stream| io::copy(&mut stream, &mut io::sink()).map(drop));
    let load = Load { pace: Pace::Open { rate: 1000.0 }, ..server.load(3) };
    let patience = Patience { settle: Duration::from_millis(10), ..Patience::USUAL };
    let outcome = load.run_with(patience).unwrap();
    assert_eq!(outcome.errors, Errors { timeout: 60, ..Errors::default() }, "three in flight, the others in line");
    let patience = Patience { answer: Duration::from_millis(10), ..Patience::USUAL };
    let outcome = load.run_with(patience).unwrap();
    assert_eq!(outcome.errors, Errors { timeout: 60, ..Errors::default() }, "given up one after the other");
}

#[test]
fn open_loop_a_stall_is_in_the_latency_of_all_requests_that_were_due_in_it() {
    const STALL: Duration = Duration::from_millis(100);
    let server = Server::answering(|number| {
        if number == 10 {
            let (_kept, silence) = mpsc::channel::<()>();
            let _ = silence.recv_timeout(STALL);
        }
        ok(13)
    });
    let duration = Duration::from_millis(200);
    let outcome = Load { pace: Pace::Open { rate: 1000.0 }, duration, ..server.load(1) }.run().unwrap();
    check_right(&outcome);
    assert_eq!(outcome.requests, 200);
    // The tenth and those due in the first half of its stall wait for half of it at least; that the server was slow
    // before could only make it more.
    let half = u64::try_from(STALL.as_nanos() / 2).unwrap();
    let late = outcome.latency.count_between(half, u64::MAX);
    assert!(late >= 50, "{late}");
}

#[test]
fn a_long_body_is_sent_whole_each_time() {
    const LEN: u64 = 1 << 20;
    let server = Server::start(|_, stream| {
        let mut reader = BufReader::new(stream);
        loop {
            let answer = if request_len(&mut reader)? == LEN { ok(1) } else { ok(2) };
            reader.get_mut().write_all(&answer)?;
        }
    });
    let request = Arc::new(Request::post(server.address, "/", 1 << 20).expecting(BodyLen::Exactly(1)));
    check_right(&Load { request, ..server.load(2) }.run().unwrap());
    assert_eq!(server.connections(), 2);
}

#[test]
fn an_answer_may_come_before_the_body_is_sent() {
    let server = Server::start(|_, stream| {
        let mut reader = BufReader::new(stream);
        loop {
            let len = request_head(&mut reader)?;
            reader.get_mut().write_all(&ok(5))?;
            io::copy(&mut reader.by_ref().take(len), &mut io::sink())?;
        }
    });
    let request = Arc::new(Request::post(server.address, "/", 8 << 20));
    check_right(&Load { request, ..server.load(2) }.run().unwrap());
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_single_question_is_answered_with_the_moments_around_it() {
    let server = Server::answering(|_| b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc".to_vec());
    let before = clock::now();
    let answer = ask(server.address, &Request::get(server.address, "/"), Duration::from_secs(5)).unwrap();
    assert_eq!((answer.status, answer.body_len), (404, 3));
    assert!(before <= answer.began && answer.began < answer.ended && answer.ended <= clock::now());
}

#[test]
fn a_load_that_cannot_be_is_refused() {
    let address = "127.0.0.1:1".parse().unwrap();
    let kind = |load: Load| load.run().unwrap_err().kind();
    assert_eq!(kind(load(address, 0)), io::ErrorKind::InvalidInput);
    let load = Load { pace: Pace::Open { rate: 0.0 }, ..load(address, 1) };
    assert_eq!(kind(load), io::ErrorKind::InvalidInput);
}
