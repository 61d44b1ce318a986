//! What the client does with several upstreams, and with one that is full.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use client_support::*;
use gateway_fastcgi::client::{Client, Config};
use gateway_fastcgi::net::Address;
use gateway_spec::{Environ, GatewayError, InputStream};
use tokio::sync::Semaphore;

const OVERLOADED: u8 = 2;
const CANT_MPX_CONN: u8 = 1;
const UNKNOWN_ROLE: u8 = 3;

/// A client of all these workers.
fn client_of(workers: &[&Worker], config: Config) -> Client {
    let mut addresses = workers.iter().map(|worker| worker.address.clone());
    let first = Client::new(addresses.next().unwrap(), config);
    addresses.fold(first, Client::and_upstream)
}

/// Answers its name, and counts what it answered.
fn named(name: &'static str) -> (Worker, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let answered = count.clone();
    let worker = Worker::start(move |_, mut line| {
        let answered = answered.clone();
        async move {
            loop {
                line.request().await?;
                answered.fetch_add(1, Ordering::SeqCst);
                line.write(&answer(format!("Content-Type: a/b\n\n{name}").as_bytes())).await?;
            }
        }
    });
    (worker, count)
}

/// Refuses every request.
fn refusing(status: u8) -> Worker {
    Worker::start(move |_, mut line| async move {
        line.request().await?;
        line.write(&end(0, status)).await
    })
}

/// An address where nobody listens.
fn nobody() -> (Address, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (Address::unix(directory.path().join("nobody")), directory)
}

async fn names(client: &Client, times: usize) -> String {
    let mut names = String::new();
    for _ in 0..times {
        let Outcome::Whole(200, body) = get(client).await else { panic!("no answer after {names}") };
        names.push_str(&String::from_utf8(body).unwrap());
    }
    names
}

#[tokio::test]
async fn upstreams_with_equally_much_to_do_take_turns() {
    let (a, b, c) = (named("a").0, named("b").0, named("c").0);
    assert_eq!(names(&client_of(&[&a, &b, &c], Config::default()), 6).await, "abcabc");
}

#[tokio::test]
async fn a_slow_upstream_gets_fewer_requests() {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let slow = Worker::start(move |_, mut line| {
        let held = held.clone();
        async move {
            line.request().await?;
            held.acquire().await.unwrap().forget();
            line.write(&answer(b"Content-Type: a/b\n\ns")).await
        }
    });
    let (quick, answered) = named("q");
    let client = client_of(&[&slow, &quick], Config::default());
    let stuck = tokio::spawn({
        let client = client.clone();
        async move { get(&client).await }
    });
    until("the slow one has a request", || slow.connections() == 1).await;
    assert_eq!(names(&client, 20).await, "q".repeat(20));
    assert_eq!((slow.connections(), answered.load(Ordering::SeqCst)), (1, 20));
    gate.add_permits(1);
    assert_eq!(stuck.await.unwrap(), Outcome::whole(b"s"));
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_costs_no_request_whatever_its_method() {
    let (address, _directory) = nobody();
    let (there, _) = named("a");
    let client = Client::new(address, Config::default()).and_upstream(there.address.clone());
    for method in ["POST", "GET", "PATCH", "POST"] {
        let body = InputStream::from(Bytes::from("body"));
        assert_eq!(ask(&client, method, body).await, Outcome::whole(b"a"), "{method}");
    }
}

#[tokio::test]
async fn tcp_and_unix_upstreams_can_be_mixed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = Address::from(listener.local_addr().unwrap());
    let (unix, answered) = named("a");
    let client = Client::new(tcp, Config::default()).and_upstream(unix.address.clone());
    let to_tcp = tokio::spawn({
        let client = client.clone();
        async move { get(&client).await }
    });
    drop(listener.accept().await.unwrap());
    assert_eq!(to_tcp.await.unwrap(), Outcome::whole(b"a"), "the first attempt was lost with the connection");
    assert_eq!(answered.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_upstream_that_fails_again_and_again_is_left_alone_and_comes_back() {
    let is_well = Arc::new(AtomicBool::new(false));
    let health = is_well.clone();
    let ill = Worker::start(move |_, mut line| {
        let health = health.clone();
        async move {
            line.request().await?;
            if health.load(Ordering::SeqCst) {
                line.write(&answer(b"Content-Type: a/b\n\ni")).await?;
            }
            Ok(())
        }
    });
    let (well, _) = named("w");
    let config = Config::default().max_failures(2).max_backoff(Duration::from_millis(50));
    let client = client_of(&[&ill, &well], config);
    // No request is lost, and after two it is out.
    assert_eq!(names(&client, 10).await, "w".repeat(10));
    let tried = ill.connections();
    assert!((2..=6).contains(&tried), "{tried} attempts: two failures and perhaps some trials");
    is_well.store(true, Ordering::SeqCst);
    let back = async {
        while get(&client).await != Outcome::whole(b"i") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, back).await.expect("it never came back");
    let names = names(&client, 10).await;
    assert_eq!(names.matches('i').count(), 5, "{names}");
}

#[tokio::test]
async fn when_all_upstreams_are_out_they_are_tried_all_the_same() {
    let (first, _a) = nobody();
    let (second, _b) = nobody();
    let path = second.unix_path().unwrap().to_owned();
    let config = Config::default().max_backoff(Duration::from_secs(3600));
    let client = Client::new(first, config).and_upstream(second);
    assert_eq!(get(&client).await, Outcome::Failed(502));
    assert_eq!(get(&client).await, Outcome::Failed(502));
    let listener = tokio::net::UnixListener::bind(path).unwrap();
    let asked = tokio::spawn(async move { get(&client).await });
    let mut line = Line(listener.accept().await.unwrap().0);
    line.request().await.unwrap();
    line.write(&answer(HELLO)).await.unwrap();
    assert_eq!(asked.await.unwrap(), Outcome::whole(b"hello"));
}

#[tokio::test]
async fn fcgi_82_a_request_that_one_upstream_refuses_is_asked_of_another() {
    for status in [OVERLOADED, CANT_MPX_CONN] {
        let full = refusing(status);
        let (free, _) = named("f");
        let client = client_of(&[&full, &free], Config::default());
        for method in ["POST", "GET", "POST"] {
            let body = InputStream::from(Bytes::from("body"));
            assert_eq!(ask(&client, method, body).await, Outcome::whole(b"f"), "{method}");
        }
        assert_eq!(full.connections(), 1, "it rests for a while");
    }
}

#[tokio::test]
async fn fcgi_82_when_all_upstreams_refuse_the_answer_is_503_with_retry_after() {
    for status in [OVERLOADED, CANT_MPX_CONN] {
        let (one, two) = (refusing(status), refusing(status));
        let client = client_of(&[&one, &two], Config::default());
        let error = call(&client, Environ::example("POST", "/"), InputStream::empty()).await.unwrap_err();
        let error = error.downcast_ref::<GatewayError>().unwrap();
        assert_eq!((error.status().as_u16(), error.fields().get("retry-after").unwrap().as_bytes()), (503, &b"1"[..]));
        assert_eq!((one.connections(), two.connections()), (1, 1), "each is asked once");
    }
}

#[tokio::test]
async fn fcgi_82_a_role_that_is_unknown_is_a_502_at_once() {
    let (one, two) = (refusing(UNKNOWN_ROLE), refusing(UNKNOWN_ROLE));
    assert_eq!(get(&client_of(&[&one, &two], Config::default())).await, Outcome::Failed(502));
    assert_eq!(one.connections() + two.connections(), 1);
}

#[tokio::test]
async fn fcgi_82_a_body_that_is_too_long_to_be_had_again_is_not_sent_to_another() {
    let (full, free) = (refusing(OVERLOADED), named("f").0);
    let (input, _) = Pieces::stream(1 << 20, 10_000, Some(1 << 20));
    assert_eq!(ask(&client_of(&[&full, &free], Config::default()), "POST", input).await, Outcome::Failed(503));
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_again() {
    let silent = Worker::start(|_, mut line| async move {
        line.closed().await;
        Ok(())
    });
    let config = Config::default().max_connections(1).max_queue(9).queue_timeout(Duration::from_millis(20));
    let client = silent.client_with(config);
    let first = tokio::spawn({
        let client = client.clone();
        async move { get(&client).await }
    });
    until("the first request is under way", || silent.connections() == 1).await;
    let error = call(&client, Environ::example("GET", "/"), InputStream::empty()).await.unwrap_err();
    let error = error.downcast_ref::<GatewayError>().unwrap();
    assert_eq!((error.status().as_u16(), error.fields().get("retry-after").unwrap().as_bytes()), (503, &b"1"[..]));
    first.abort();
}

/// Processes behind two addresses die all the time; whoever asks does not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_idempotent_request_is_lost_while_workers_die() {
    fn dying(every: usize) -> Worker {
        let served = Arc::new(AtomicUsize::new(0));
        Worker::start(move |_, mut line| {
            let served = served.clone();
            async move {
                loop {
                    line.request().await?;
                    if served.fetch_add(1, Ordering::SeqCst).is_multiple_of(every) {
                        return Ok(());
                    }
                    line.write(&answer(HELLO)).await?;
                }
            }
        })
    }
    let (one, two) = (dying(7), dying(11));
    let client = client_of(&[&one, &two], Config::default().max_tries(8).max_backoff(Duration::from_millis(1)));
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    assert_eq!(get(&client).await, Outcome::whole(b"hello"));
                }
            })
        })
        .collect();
    for call in calls {
        tokio::time::timeout(LONG, call).await.unwrap().unwrap();
    }
}
