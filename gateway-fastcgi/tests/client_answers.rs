//! What the client makes of the answers of good and bad workers.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client_support;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use client_support::*;
use gateway_fastcgi::client::{Client, Config};
use gateway_fastcgi::net::Address;
use gateway_spec::{Disconnected, Environ, InputStream};

#[tokio::test]
async fn fcgi_90_the_worker_gets_variables_and_body_and_its_answer_arrives() {
    let asked = Arc::new(Mutex::new(Asked::default()));
    let seen = asked.clone();
    let worker = Worker::start(move |_, mut line| {
        let seen = seen.clone();
        async move {
            *seen.lock().unwrap() = line.request().await?;
            line.write(&answer(b"Status: 201 Created\nSet-Cookie: a=1\nSet-Cookie: b=2\nContent-Type: a/b\n\nmade"))
                .await
        }
    });
    let mut environ = Environ::example("POST", "/some/path?q=1");
    environ.set("CONTENT_LENGTH", "8").unwrap();
    environ.set("HTTP_PROXY", "http://evil.example").unwrap();
    let response = call(&worker.client(), environ, InputStream::from(Bytes::from("name=Ada"))).await.unwrap();
    let cookies: Vec<_> = response.headers.get_all("set-cookie").cloned().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(read(Ok(response)).await, Outcome::Whole(201, b"made".to_vec()));
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.stdin, b"name=Ada");
    for (name, value) in [
        ("REQUEST_METHOD", Some("POST")),
        ("PATH_INFO", Some("/some/path")),
        ("QUERY_STRING", Some("q=1")),
        ("CONTENT_LENGTH", Some("8")),
        ("GATEWAY_INTERFACE", Some("CGI/1.1")),
        ("REDIRECT_STATUS", Some("200")),
        ("HTTP_PROXY", None),
    ] {
        assert_eq!(asked.param(name).as_deref(), value, "{name}");
    }
}

#[tokio::test]
async fn fcgi_110_an_answer_may_be_cut_anywhere() {
    let whole = [
        padded(STDERR, b"note\n", 3),
        padded(STDOUT, b"Status: 404 Not Found\r\nContent-", 255),
        padded(STDOUT, b"Type: text/plain\r\n\r\nno", 1),
        record(STDERR, b""),
        padded(STDOUT, b"thing", 0),
        record(STDOUT, b""),
        end(0, 0),
    ]
    .concat();
    let length = whole.len();
    let worker = Worker::start(move |_, mut line| {
        let whole = whole.clone();
        async move {
            for at in 0.. {
                line.request().await?;
                let (first, second) = whole.split_at(at % (length + 1));
                line.write(first).await?;
                tokio::task::yield_now().await;
                line.write(second).await?;
            }
            Ok(())
        }
    });
    let client = worker.client();
    for at in 0..=length {
        assert_eq!(get(&client).await, Outcome::Whole(404, b"nothing".to_vec()), "cut at {at}");
    }
    assert_eq!(worker.connections(), 1);
}

#[tokio::test]
async fn fcgi_110_an_answer_may_come_byte_by_byte() {
    let worker = Worker::start(|_, mut line| async move {
        line.request().await?;
        for byte in answer(HELLO) {
            line.write(&[byte]).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    });
    assert_eq!(get(&worker.client()).await, Outcome::whole(b"hello"));
}

#[tokio::test]
async fn fcgi_76_an_end_without_the_end_of_stdout_is_an_end() {
    let worker = Worker::answering([record(STDOUT, HELLO), end(0, 0)].concat());
    let client = worker.client();
    for _ in 0..3 {
        assert_eq!(get(&client).await, Outcome::whole(b"hello"));
    }
    assert_eq!(worker.connections(), 1);
}

#[tokio::test]
async fn fcgi_83_error_output_reaches_the_log_and_never_the_client() {
    let flood = record(STDERR, &[b'e'; 60_000]);
    let worker = Worker::answering(
        [
            record(STDERR, b"first\nsec"),
            record(STDOUT, HELLO),
            record(STDERR, b"ond\n"),
            flood.repeat(10),
            record(STDOUT, b" again"),
            record(STDERR, b"last"),
            end(0, 0),
        ]
        .concat(),
    );
    let (log, errors) = Log::stream();
    let mut environ = Environ::example("GET", "/");
    environ.errors = errors;
    let client = worker.client_with(Config::default().max_error_bytes(10_000));
    assert_eq!(read(call(&client, environ, InputStream::empty()).await).await, Outcome::whole(b"hello again"));
    let log = log.0.lock().unwrap();
    assert!(log.starts_with("first\nsecond\neeee") && log.ends_with("(more error output was dropped)\n"), "{log}");
    assert!(log.len() < 10_100);
}

#[tokio::test]
async fn fcgi_93_the_answer_stands_whatever_the_application_status() {
    let worker = Worker::answering([record(STDOUT, HELLO), end(3, 0)].concat());
    assert_eq!(get(&worker.client()).await, Outcome::whole(b"hello"));
}

#[tokio::test]
async fn fcgi_116_an_early_answer_needs_no_reader_of_the_body() {
    let worker = Worker::start(|_, mut line| async move {
        line.head().await?;
        line.write(&answer(HELLO)).await?;
        line.closed().await;
        Ok(())
    });
    let client = worker.client();
    let (input, taken) = Pieces::stream(5 << 20, 16 << 10, Some(5 << 20));
    assert_eq!(ask(&client, "POST", input).await, Outcome::whole(b"hello"));
    assert!(taken.load(Ordering::SeqCst) < 5 << 20);
    // The rest of the body was never sent, so nothing else can be asked on this connection.
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test]
async fn fcgi_116_120_an_answer_that_was_written_before_the_worker_closed_is_read() {
    let worker = Worker::start(|_, mut line| async move {
        line.head().await?;
        line.write(&answer(HELLO)).await
    });
    let (input, _) = Pieces::stream(5 << 20, 16 << 10, Some(5 << 20));
    let outcome = ask(&worker.client(), "POST", input).await;
    assert_eq!(outcome, Outcome::whole(b"hello"));
}

#[tokio::test]
async fn fcgi_116_both_directions_flow_at_once() {
    const BYTES: usize = 8 << 20;
    let worker = Worker::start(|_, mut line| async move {
        line.head().await?;
        line.write(&record(STDOUT, b"Content-Type: a/b\n\n")).await?;
        loop {
            let (_, content) = line.record().await?;
            if content.is_empty() {
                return line.write(&end(0, 0)).await;
            }
            line.write(&record(STDOUT, &content)).await?;
        }
    });
    let client = worker.client();
    let (input, _) = Pieces::stream(BYTES, 100_000, Some(BYTES as u64));
    assert_eq!(ask(&client, "POST", input).await, Outcome::whole(&vec![b'x'; BYTES]));
    assert_eq!(client.idle_connections(), 1);
}

#[tokio::test]
async fn nothing_is_read_ahead_of_a_slow_reader() {
    let written = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = written.clone();
    let worker = Worker::start(move |_, mut line| {
        let count = count.clone();
        async move {
            line.request().await?;
            line.write(&record(STDOUT, b"Content-Type: a/b\n\n")).await?;
            loop {
                line.write(&record(STDOUT, &[b'x'; 50_000])).await?;
                count.fetch_add(50_000, Ordering::SeqCst);
            }
        }
    });
    let mut response = call(&worker.client(), Environ::example("GET", "/"), InputStream::empty()).await.unwrap();
    response.body.next().await.unwrap().unwrap();
    // The worker stands still when its count does not move over many turns of the scheduler.
    let (mut before, mut quiet) = (0, 0);
    while quiet < 1000 {
        tokio::task::yield_now().await;
        let now = written.load(Ordering::SeqCst);
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
    }
    assert!(before < 2 << 20, "{before} bytes were taken from the worker");
}

#[tokio::test]
async fn nothing_is_taken_from_the_body_ahead_of_a_slow_worker() {
    let worker = Worker::start(|_, mut line| async move {
        line.head().await?;
        std::future::pending().await
    });
    let (input, taken) = Pieces::stream(64 << 20, 16 << 10, Some(64 << 20));
    let client = worker.client_with(Config::default().head_timeout(Duration::from_millis(100)));
    assert_eq!(ask(&client, "POST", input).await, Outcome::Failed(504));
    assert!(taken.load(Ordering::SeqCst) < 4 << 20, "{} bytes were taken", taken.load(Ordering::SeqCst));
}

#[tokio::test]
async fn fcgi_82_requests_that_were_not_run_have_a_status() {
    for (protocol_status, expected) in [(1, 503), (2, 503), (3, 502), (9, 502)] {
        let worker = Worker::answering([record(STDOUT, b""), end(0, protocol_status)].concat());
        assert_eq!(get(&worker.client()).await, Outcome::Failed(expected), "{protocol_status}");
    }
}

#[tokio::test]
async fn fcgi_110_an_answer_without_a_whole_header_block_is_a_502() {
    for output in
        [&b""[..], b"Content-Type: text/plain\n", b"no header block\n\n", b"HTTP/1.1 200 OK\n\n", b"X-A: b\n\n"]
    {
        let stdout = if output.is_empty() { Vec::new() } else { record(STDOUT, output) };
        let worker = Worker::answering([stdout, end(0, 0)].concat());
        assert_eq!(get(&worker.client()).await, Outcome::Failed(502), "{}", output.escape_ascii());
    }
}

#[tokio::test]
async fn fcgi_77_a_status_line_is_no_header_block() {
    let worker = Worker::answering(answer(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello"));
    assert_eq!(get(&worker.client()).await, Outcome::Failed(502));
}

#[tokio::test]
async fn fcgi_34_a_connection_that_ends_within_an_answer_breaks_it_visibly() {
    let whole = answer(HELLO);
    // With the last byte the answer is whole.
    for at in 1..whole.len() {
        let start = whole[..at].to_vec();
        let worker = Worker::start(move |_, mut line| {
            let start = start.clone();
            async move {
                line.request().await?;
                line.write(&start).await
            }
        });
        let outcome = get(&worker.client()).await;
        let head_is_whole = at >= 8 + HELLO.len() - 5;
        match outcome {
            Outcome::Failed(502) => assert!(!head_is_whole, "cut at {at}"),
            Outcome::Broken(200, received) => assert!(head_is_whole && received <= 5, "cut at {at}"),
            other => panic!("cut at {at}: {other:?}"),
        }
        assert_eq!(worker.connections(), 1, "a started answer is not asked for again");
    }
}

#[tokio::test]
async fn fcgi_20_111_what_breaks_the_protocol_is_a_502() {
    let mut other_id = record(STDOUT, HELLO);
    other_id[3] = 2;
    for (name, bytes) in [
        ("garbage", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("version 0", vec![0; 16]),
        ("another request's output", other_id),
        ("a record that goes the other way", record(STDIN, b"x")),
        ("an end of 7 bytes", record(END, &[0; 7])),
        ("output after its end", [record(STDOUT, b""), record(STDOUT, HELLO)].concat()),
    ] {
        let worker = Worker::answering(bytes);
        assert_eq!(get(&worker.client()).await, Outcome::Failed(502), "{name}");
    }
}

#[tokio::test]
async fn fcgi_111_output_after_the_end_spoils_the_connection_only() {
    let worker = Worker::answering([answer(HELLO), record(STDOUT, b"more")].concat());
    let client = worker.client();
    for _ in 0..3 {
        assert_eq!(get(&client).await, Outcome::whole(b"hello"));
    }
    assert_eq!(worker.connections(), 3);
}

#[tokio::test]
async fn fcgi_135_a_head_without_end_is_a_502_and_is_not_held() {
    let line_of = |length: usize| [b"X-Long: ".to_vec(), vec![b'a'; length], b"\n".to_vec()].concat();
    let long: Vec<u8> = line_of(1 << 20).chunks(60_000).flat_map(|piece| record(STDOUT, piece)).collect();
    let many = record(STDOUT, &b"X: y\n".repeat(10_000));
    for bytes in [long, many] {
        let worker = Worker::answering(bytes);
        assert_eq!(get(&worker.client()).await, Outcome::Failed(502));
    }
}

#[tokio::test]
async fn cgi_113_114_a_local_redirect_is_the_clients_to_follow() {
    for (target, location) in [("/x?y", "/x?y"), ("//host/x", "/.//host/x")] {
        let worker = Worker::answering(answer(format!("Location: {target}\n\n").as_bytes()));
        let response = call(&worker.client(), Environ::example("GET", "/"), InputStream::empty()).await.unwrap();
        let locations: Vec<_> = response.headers.get_all("location").cloned().collect();
        assert_eq!((response.status.as_u16(), locations), (302, vec![location.parse().unwrap()]));
    }
}

#[tokio::test]
async fn cgi_108_109_a_local_redirect_is_answered_by_who_knows_the_path() {
    struct Site(Client);
    impl gateway_spec::AsyncApplication for Site {
        async fn call(
            &self,
            environ: Environ,
            input: InputStream,
        ) -> Result<gateway_spec::AsyncResponse, gateway_spec::AppError> {
            if environ.path_info() == "/loop" {
                return self.0.clone().local_redirects_to(Arc::new(Site(self.0.clone()))).call(environ, input).await;
            }
            let text = format!("{} {} {:?}", environ.request_method(), environ.path_info(), input.length());
            Ok(gateway_spec::AsyncResponse::new(gateway_spec::StatusCode::OK, gateway_spec::headers![], text))
        }
    }
    let worker = Worker::start(|_, mut line| async move {
        loop {
            let asked = line.request().await?;
            let target = if asked.param("PATH_INFO").unwrap() == "/loop" { "/loop" } else { "/there?x" };
            line.write(&answer(format!("Location: {target}\n\n").as_bytes())).await?;
        }
    });
    let client = worker.client().local_redirects_to(Arc::new(Site(worker.client())));
    let outcome = ask(&client, "POST", InputStream::from(Bytes::from("body"))).await;
    assert_eq!(outcome, Outcome::whole(b"GET /there Some(0)"));
    assert_eq!(client.idle_connections(), 1);
    // CGI-112
    let environ = Environ::example("GET", "/loop");
    assert_eq!(read(call(&client, environ, InputStream::empty()).await).await, Outcome::Failed(500));
}

#[tokio::test]
async fn cgi_21_65_a_body_without_a_length_gets_its_true_one() {
    let worker = Worker::start(|_, mut line| async move {
        loop {
            let asked = line.request().await?;
            let text = format!("Content-Type: a/b\n\n{:?} {}", asked.param("CONTENT_LENGTH"), asked.stdin.len());
            line.write(&answer(text.as_bytes())).await?;
        }
    });
    let client = worker.client();
    for (bytes, expected) in [(0, "Some(\"0\") 0"), (10, "Some(\"10\") 10"), (300_000, "Some(\"300000\") 300000")] {
        let (input, _) = Pieces::stream(bytes, 7_000, None);
        assert_eq!(ask(&client, "POST", input).await, Outcome::whole(expected.as_bytes()));
    }
    // No body at all: no length either.
    assert_eq!(get(&client).await, Outcome::whole(b"None 0"));
}

#[tokio::test]
async fn cgi_65_a_body_over_the_limit_is_a_413_and_no_worker_is_asked() {
    let worker = Worker::answering(answer(HELLO));
    let client = worker.client_with(Config::default().spool(gateway_cgi::spool::Config::default().max_bytes(1000)));
    let (input, _) = Pieces::stream(1001, 100, None);
    assert_eq!(ask(&client, "POST", input).await, Outcome::Failed(413));
    assert_eq!(worker.connections(), 0);
}

#[tokio::test]
async fn fcgi_91_no_more_than_the_declared_length_is_sent() {
    let worker = Worker::start(|_, mut line| async move {
        let asked = line.request().await?;
        line.write(&answer(format!("Content-Type: a/b\n\n{}", asked.stdin.len()).as_bytes())).await
    });
    let mut environ = Environ::example("POST", "/");
    environ.set("CONTENT_LENGTH", "10").unwrap();
    let (input, _) = Pieces::stream(100, 7, None);
    assert_eq!(read(call(&worker.client(), environ, input).await).await, Outcome::whole(b"10"));
}

#[tokio::test]
async fn fcgi_80_a_body_that_does_not_arrive_aborts_the_request() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Mutex::new(Some(tell));
    let worker = Worker::start(move |_, mut line| {
        let tell = tell.lock().unwrap().take();
        async move {
            let result = line.request().await;
            let _ = tell.unwrap().send(result.is_err());
            Ok(())
        }
    });
    let client = worker.client();
    // Five of ten bytes, then nothing.
    let (input, _) = Pieces::stream(5, 5, Some(10));
    let outcome = ask(&client, "POST", input).await;
    assert!(matches!(&outcome, Outcome::Other(text) if text.contains("5 of 10")), "{outcome:?}");
    assert!(told.await.unwrap(), "the worker must not see a whole request");
    // The input's own error is passed on untouched.
    struct Gone;
    impl futures_core::Stream for Gone {
        type Item = std::io::Result<Bytes>;
        fn poll_next(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Ready(Some(Err(Disconnected.into())))
        }
    }
    let worker = Worker::answering(answer(HELLO));
    let error =
        call(&worker.client(), Environ::example("POST", "/"), InputStream::new(Gone, Some(3))).await.unwrap_err();
    assert!(Disconnected::is_cause_of(error.as_ref()));
}

#[tokio::test]
async fn fcgi_45_a_variable_that_fits_no_record_is_refused() {
    let worker = Worker::answering(answer(HELLO));
    let mut environ = Environ::example("GET", "/");
    environ.set("HTTP_X_LONG", "v".repeat(70_000)).unwrap();
    let client = worker.client();
    assert_eq!(read(call(&client, environ, InputStream::empty()).await).await, Outcome::Failed(431));
    let mut environ = Environ::example("GET", "/");
    for number in 0..10 {
        environ.set(&format!("HTTP_X_{number}"), "v".repeat(30_000)).unwrap();
    }
    assert_eq!(read(call(&client, environ, InputStream::empty()).await).await, Outcome::whole(b"hello"));
}

#[tokio::test]
async fn cgi_102_a_silent_worker_is_a_504_and_is_cut_off() {
    let worker = Worker::start(|_, mut line| async move {
        line.request().await?;
        line.closed().await;
        Ok(())
    });
    let short = Duration::from_millis(50);
    assert_eq!(get(&worker.client_with(Config::default().head_timeout(short))).await, Outcome::Failed(504));
    let total = worker.client_with(Config::default().total_timeout(Some(short)));
    assert_eq!(get(&total).await, Outcome::Failed(504));
}

#[tokio::test]
async fn cgi_102_an_answer_that_falls_silent_is_broken_off() {
    let worker = Worker::start(|_, mut line| async move {
        line.request().await?;
        line.write(&record(STDOUT, HELLO)).await?;
        line.closed().await;
        Ok(())
    });
    let client = worker.client_with(Config::default().read_timeout(Duration::from_millis(50)));
    assert_eq!(get(&client).await, Outcome::Broken(200, 5));
}

#[tokio::test]
async fn a_worker_that_waits_for_a_slow_client_is_not_blamed() {
    let worker = Worker::answering(answer(HELLO));
    let client = worker.client_with(Config::default().head_timeout(Duration::from_millis(50)));
    let (send, mut receive) = tokio::sync::mpsc::channel::<Bytes>(1);
    struct Slow(tokio::sync::mpsc::Receiver<Bytes>);
    impl futures_core::Stream for Slow {
        type Item = std::io::Result<Bytes>;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            self.0.poll_recv(cx).map(|piece| piece.map(Ok))
        }
    }
    let input = InputStream::new(Slow(std::mem::replace(&mut receive, tokio::sync::mpsc::channel(1).1)), Some(4));
    let slow_client = async {
        send.send(Bytes::from("ab")).await.unwrap();
        // Longer than the worker may take.
        tokio::time::sleep(Duration::from_millis(200)).await;
        send.send(Bytes::from("cd")).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(ask(&client, "POST", input), slow_client);
    assert_eq!(outcome, Outcome::whole(b"hello"));
}

#[tokio::test]
async fn a_worker_that_is_not_there_is_a_502() {
    let directory = tempfile::tempdir().unwrap();
    let client = Client::new(Address::unix(directory.path().join("none")), Config::default());
    assert_eq!(get(&client).await, Outcome::Failed(502));
    // A port that nobody listens on any more.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(get(&Client::new(Address::tcp("127.0.0.1", port), Config::default())).await, Outcome::Failed(502));
}
