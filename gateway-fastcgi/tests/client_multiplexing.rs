//! What the client does with a worker that serves several requests on one connection, or says that it does.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client_support;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use client_support::*;
use gateway_fastcgi::client::{Client, Config};
use gateway_spec::{Environ, InputStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

const CAN: &[(&str, &str)] = &[("FCGI_MPXS_CONNS", "1"), ("FCGI_MAX_REQS", "100"), ("FCGI_MAX_CONNS", "100")];

fn config() -> Config {
    Config::default().multiplex(true)
}

/// Asks until requests share a connection.
async fn learned(client: &Client) {
    assert_eq!(get(client).await, Outcome::whole(b"hello"));
    until("the worker was asked what it can do", || client.is_multiplexing()).await;
}

fn spawn_get(client: &Client, method: &'static str) -> JoinHandle<Outcome> {
    let client = client.clone();
    tokio::spawn(async move { ask(&client, method, InputStream::empty()).await })
}

/// Reads until so many requests are there in full; returns their ids.
async fn requests(line: &mut Line, count: usize) -> io::Result<Vec<u8>> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let (id, content) = line.next(STDIN).await?;
        if content.is_empty() {
            ids.push(id);
        }
    }
    Ok(ids)
}

/// The first connection answers one request, which is all that the first call needs; others do what they are told.
fn worker<F, D>(values: &'static [(&'static str, &'static str)], conduct: F) -> Worker
where
    F: Fn(usize, Line) -> D + Send + Sync + 'static,
    D: Future<Output = io::Result<()>> + Send + 'static,
{
    let count = AtomicUsize::new(0);
    let conduct = Arc::new(conduct);
    Worker::telling(values, move |Told { mut line, .. }| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let conduct = conduct.clone();
        async move {
            if number > 0 {
                return conduct(number, line).await;
            }
            loop {
                let id = requests(&mut line, 1).await?[0];
                line.write(&with_id(id, answer(HELLO))).await?;
            }
        }
    })
}

#[tokio::test]
async fn fcgi_30_requests_share_a_connection_under_small_ids_and_their_answers_may_interleave() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let ids = seen.clone();
    let worker = worker(CAN, move |_, mut line| {
        let ids = ids.clone();
        async move {
            for _ in 0..3 {
                let mut three = requests(&mut line, 3).await?;
                three.sort_unstable();
                ids.lock().unwrap().push(three.clone());
                let text = |id: u8| format!("Content-Type: a/b\n\n{id}").into_bytes();
                // Byte by byte, a record for each, in turns.
                let longest = text(1).len();
                for at in 0..longest {
                    for id in &three {
                        line.write(&with_id(*id, record(STDOUT, &text(*id)[at..=at]))).await?;
                    }
                }
                for id in three.iter().rev() {
                    line.write(&with_id(*id, end(0, 0))).await?;
                }
            }
            line.closed().await;
            Ok(())
        }
    });
    let client = worker.client_with(config());
    learned(&client).await;
    for _ in 0..3 {
        let three = [spawn_get(&client, "GET"), spawn_get(&client, "GET"), spawn_get(&client, "GET")];
        let mut bodies = Vec::new();
        for one in three {
            let Outcome::Whole(200, body) = one.await.unwrap() else { panic!("not answered") };
            bodies.push(String::from_utf8(body).unwrap());
        }
        bodies.sort_unstable();
        assert_eq!(bodies, ["1", "2", "3"]);
    }
    assert_eq!(*seen.lock().unwrap(), [[1, 2, 3]; 3]);
    // One for the first request, one for the question, one for the rest.
    assert_eq!(worker.connections(), 3);
}

#[tokio::test]
async fn fcgi_79_80_who_goes_away_is_aborted_and_the_others_are_answered() {
    let aborted = Arc::new(Notify::new());
    let told = aborted.clone();
    let worker = worker(CAN, move |_, mut line| {
        let told = told.clone();
        async move {
            let mut ids = requests(&mut line, 2).await?;
            ids.sort_unstable();
            for id in &ids {
                line.write(&with_id(*id, record(STDOUT, b"Content-Type: a/b\n\nbegun"))).await?;
            }
            let (gone, _) = line.next(ABORT).await?;
            // What was under way still comes, and is nobody's.
            line.write(&with_id(gone, record(STDOUT, b"late"))).await?;
            line.write(&with_id(gone, end(1, 0))).await?;
            told.notify_one();
            let other = ids.into_iter().find(|id| *id != gone).unwrap();
            line.write(&with_id(other, [record(STDOUT, b", done"), end(0, 0)].concat())).await?;
            // The id is free again.
            let next = requests(&mut line, 1).await?[0];
            assert_eq!(next, 1);
            line.write(&with_id(next, answer(HELLO))).await?;
            line.closed().await;
            Ok(())
        }
    });
    let client = worker.client_with(config());
    learned(&client).await;
    let staying = spawn_get(&client, "GET");
    let mut response = call(&client, Environ::example("GET", "/"), InputStream::empty()).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "begun");
    drop(response);
    tokio::time::timeout(LONG, aborted.notified()).await.unwrap();
    assert_eq!(staying.await.unwrap(), Outcome::whole(b"begun, done"));
    assert_eq!(get(&client).await, Outcome::whole(b"hello"));
    assert_eq!(worker.connections(), 3);
}

#[tokio::test]
async fn a_slow_reader_keeps_nobody_waiting_and_is_given_up_when_its_window_is_full() {
    const WINDOW: usize = 256 * 1024;
    let aborted = Arc::new(Notify::new());
    let told = aborted.clone();
    let worker = worker(CAN, move |_, mut line| {
        let told = told.clone();
        async move {
            let slow = requests(&mut line, 1).await?[0];
            line.write(&with_id(slow, record(STDOUT, b"Content-Type: a/b\n\n"))).await?;
            let other = requests(&mut line, 1).await?[0];
            // Far more than the window, and the other is answered behind all of it.
            for _ in 0..(8 << 20) / 60_000 {
                line.write(&with_id(slow, record(STDOUT, &[b'x'; 60_000]))).await?;
            }
            line.write(&with_id(other, answer(HELLO))).await?;
            let (id, _) = line.next(ABORT).await?;
            assert_eq!(id, slow);
            told.notify_one();
            line.write(&with_id(slow, end(0, 0))).await?;
            line.closed().await;
            Ok(())
        }
    });
    let client = worker.client_with(config().max_window_bytes(WINDOW));
    learned(&client).await;
    let slow = call(&client, Environ::example("GET", "/"), InputStream::empty()).await;
    assert_eq!(get(&client).await, Outcome::whole(b"hello"));
    tokio::time::timeout(LONG, aborted.notified()).await.unwrap();
    let outcome = read(slow).await;
    assert!(matches!(outcome, Outcome::Broken(200, read) if read <= WINDOW), "{outcome:?}");
    assert_eq!(worker.connections(), 3);
}

#[tokio::test]
async fn a_reader_that_takes_what_comes_gets_more_than_a_window() {
    let taken = Arc::new(Semaphore::new(0));
    let wait = taken.clone();
    let worker = worker(CAN, move |_, mut line| {
        let wait = wait.clone();
        async move {
            let id = requests(&mut line, 1).await?[0];
            line.write(&with_id(id, record(STDOUT, b"Content-Type: a/b\n\n"))).await?;
            for _ in 0..20 {
                line.write(&with_id(id, record(STDOUT, &[b'x'; 50_000]))).await?;
                wait.acquire_many(50_000).await.unwrap().forget();
            }
            line.write(&with_id(id, end(0, 0))).await
        }
    });
    let client = worker.client_with(config().max_window_bytes(64 * 1024));
    learned(&client).await;
    let mut response = call(&client, Environ::example("GET", "/"), InputStream::empty()).await.unwrap();
    let mut length = 0;
    while let Some(piece) = response.body.next().await {
        let piece = piece.unwrap().len();
        length += piece;
        taken.add_permits(piece);
    }
    assert_eq!(length, 1_000_000);
}

#[tokio::test]
async fn fcgi_117_when_a_shared_connection_is_lost_only_what_may_not_be_repeated_fails() {
    let worker = worker(CAN, |number, mut line| async move {
        if number == 1 {
            requests(&mut line, 3).await?;
            return Ok(());
        }
        loop {
            let id = requests(&mut line, 1).await?[0];
            line.write(&with_id(id, answer(HELLO))).await?;
        }
    });
    let client = worker.client_with(config());
    learned(&client).await;
    let three = [spawn_get(&client, "GET"), spawn_get(&client, "POST"), spawn_get(&client, "PUT")];
    let mut outcomes = Vec::new();
    for one in three {
        outcomes.push(one.await.unwrap());
    }
    let hello = || Outcome::whole(b"hello");
    assert_eq!(outcomes, [hello(), Outcome::Failed(502), hello()]);
}

#[tokio::test]
async fn no_more_requests_share_a_connection_than_the_worker_said() {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let shared = Arc::new(Mutex::new(Vec::new()));
    let seen = shared.clone();
    let worker = worker(&[("FCGI_MPXS_CONNS", "1"), ("FCGI_MAX_REQS", "2")], move |_, mut line| {
        let (held, seen) = (held.clone(), seen.clone());
        async move {
            let ids = requests(&mut line, 2).await?;
            seen.lock().unwrap().push(ids.len());
            held.acquire().await.unwrap().forget();
            for id in ids {
                line.write(&with_id(id, answer(HELLO))).await?;
            }
            line.closed().await;
            Ok(())
        }
    });
    let client = worker.client_with(config());
    learned(&client).await;
    let four: Vec<_> = (0..4).map(|_| spawn_get(&client, "GET")).collect();
    until("two connections have two requests each", || *shared.lock().unwrap() == [2, 2]).await;
    gate.add_permits(2);
    for one in four {
        assert_eq!(one.await.unwrap(), Outcome::whole(b"hello"));
    }
}

#[tokio::test]
async fn fcgi_82_a_worker_that_refuses_to_multiplex_after_all_gets_a_connection_for_each_request() {
    let worker = worker(CAN, |number, mut line| async move {
        for request in 0.. {
            let id = requests(&mut line, 1).await?[0];
            let reply = if number == 1 && request > 0 { end(0, 1) } else { answer(HELLO) };
            line.write(&with_id(id, reply)).await?;
        }
        Ok(())
    });
    let client = worker.client_with(config());
    learned(&client).await;
    for _ in 0..5 {
        assert_eq!(ask(&client, "POST", InputStream::from(Bytes::from("x"))).await, Outcome::whole(b"hello"));
    }
    assert!(!client.is_multiplexing());
}

#[tokio::test]
async fn fcgi_59_workers_that_cannot_do_not_know_or_do_not_answer_get_a_connection_for_each_request() {
    for what in ["no", "close", "silence", "unknown"] {
        let asked = Arc::new(Notify::new());
        let told = asked.clone();
        let worker = Worker::start(move |_, mut line| {
            let told = told.clone();
            async move {
                let (kind, ..) = line.any_record().await?;
                if kind != GET_VALUES {
                    loop {
                        requests(&mut line, 1).await?;
                        line.write(&answer(HELLO)).await?;
                    }
                }
                told.notify_one();
                match what {
                    "no" => line.write(&with_id(0, record(GET_VALUES_RESULT, b"\x0f\x01FCGI_MPXS_CONNS0"))).await,
                    "unknown" => line.write(&with_id(0, record(11, &[9, 0, 0, 0, 0, 0, 0, 0]))).await,
                    "close" => Ok(()),
                    _ => std::future::pending().await,
                }
            }
        });
        let client = worker.client_with(config());
        assert_eq!(get(&client).await, Outcome::whole(b"hello"), "{what}");
        tokio::time::timeout(LONG, asked.notified()).await.unwrap();
        for _ in 0..3 {
            assert_eq!(get(&client).await, Outcome::whole(b"hello"), "{what}");
        }
        assert!(!client.is_multiplexing(), "{what}");
        assert_eq!(worker.connections(), 2, "{what}: one for requests, one for the question");
    }
}

#[tokio::test]
async fn bodies_on_one_connection_all_arrive_and_an_early_answer_stands() {
    const LENGTH: usize = 2_000_000;
    let worker = worker(CAN, |_, mut line| async move {
        let mut lengths = std::collections::HashMap::new();
        let mut early = None;
        loop {
            let (kind, id, content) = line.any_record().await?;
            let length = lengths.entry(id).or_insert(0);
            match kind {
                STDIN if Some(id) == early => {}
                STDIN if !content.is_empty() => {
                    *length += content.len();
                    // One is answered when its body has hardly begun.
                    if early.is_none() {
                        early = Some(id);
                        line.write(&with_id(id, answer(b"Content-Type: a/b\n\nearly"))).await?;
                    }
                }
                STDIN => {
                    let text = format!("Content-Type: a/b\n\n{length}");
                    line.write(&with_id(id, answer(text.as_bytes()))).await?;
                }
                _ => {}
            }
        }
    });
    let client = worker.client_with(config());
    learned(&client).await;
    let uploads: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            let (input, _) = Pieces::stream(LENGTH, 30_000, Some(LENGTH as u64));
            tokio::spawn(async move { ask(&client, "POST", input).await })
        })
        .collect();
    let mut bodies = Vec::new();
    for upload in uploads {
        let Outcome::Whole(200, body) = upload.await.unwrap() else { panic!("not answered") };
        bodies.push(String::from_utf8(body).unwrap());
    }
    bodies.sort_unstable();
    assert_eq!(bodies, ["2000000", "2000000", "2000000", "early"]);
}

#[tokio::test]
async fn fcgi_83_error_output_on_a_shared_connection_goes_to_its_own_request() {
    let worker = worker(CAN, |_, mut line| async move {
        let ids = requests(&mut line, 2).await?;
        for id in &ids {
            line.write(&with_id(*id, record(STDERR, format!("error of {id}\n").as_bytes()))).await?;
        }
        for id in ids {
            line.write(&with_id(id, answer(format!("Content-Type: a/b\n\nerror of {id}\n").as_bytes()))).await?;
        }
        line.closed().await;
        Ok(())
    });
    let client = worker.client_with(config());
    learned(&client).await;
    let asks: Vec<_> = (0..2)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let (log, errors) = Log::stream();
                let mut environ = Environ::example("GET", "/");
                environ.errors = errors;
                let Outcome::Whole(200, body) = read(call(&client, environ, InputStream::empty()).await).await else {
                    panic!("not answered")
                };
                assert_eq!(log.0.lock().unwrap().as_bytes(), body);
            })
        })
        .collect();
    for one in asks {
        one.await.unwrap();
    }
}

#[tokio::test]
async fn a_shared_connection_that_is_always_in_use_is_replaced_when_it_is_old() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let worker = worker(CAN, move |number, mut line| {
        let seen = seen.clone();
        async move {
            loop {
                let id = requests(&mut line, 1).await?[0];
                seen.lock().unwrap().push(number);
                line.write(&with_id(id, answer(HELLO))).await?;
            }
        }
    });
    let client = worker.client_with(config().max_connection_age(Duration::from_millis(100)));
    learned(&client).await;
    let asking = async {
        while asked.lock().unwrap().last() < Some(&3) {
            assert_eq!(get(&client).await, Outcome::whole(b"hello"));
        }
    };
    tokio::time::timeout(LONG, asking).await.expect("connections are kept for ever");
    // Old ones get nothing more once a new one is there.
    let asked = asked.lock().unwrap();
    assert!(asked.is_sorted() && asked.len() > 3, "{asked:?}");
}

#[tokio::test]
async fn an_idle_shared_connection_is_closed_in_time_and_so_is_one_of_a_dropped_client() {
    let closed = Arc::new(Semaphore::new(0));
    let told = closed.clone();
    let worker = worker(CAN, move |_, mut line| {
        let told = told.clone();
        async move {
            let id = requests(&mut line, 1).await?[0];
            line.write(&with_id(id, answer(HELLO))).await?;
            line.closed().await;
            told.add_permits(1);
            Ok(())
        }
    });
    for idle_timeout in [Duration::from_millis(20), LONG] {
        let client = worker.client_with(config().idle_timeout(idle_timeout));
        learned(&client).await;
        assert_eq!(get(&client).await, Outcome::whole(b"hello"));
        if idle_timeout == LONG {
            assert!(client.idle_connections() > 0);
            drop(client);
        }
        tokio::time::timeout(LONG, closed.acquire()).await.unwrap().unwrap().forget();
    }
}

#[tokio::test]
async fn fcgi_56_a_worker_that_takes_many_connections_has_many_kept() {
    for (values, expected) in [
        (&[("FCGI_MAX_CONNS", "1000"), ("FCGI_MAX_REQS", "1000"), ("FCGI_MPXS_CONNS", "0")][..], 12),
        (&[("FCGI_MAX_CONNS", "9")][..], 8),
        (&[("FCGI_MPXS_CONNS", "0")][..], 4),
    ] {
        let gate = Arc::new(Semaphore::new(0));
        let held = gate.clone();
        let waiting = Arc::new(AtomicUsize::new(0));
        let count = waiting.clone();
        let worker = Worker::telling(values, move |Told { mut line, .. }| {
            let (held, count) = (held.clone(), count.clone());
            async move {
                loop {
                    requests(&mut line, 1).await?;
                    count.fetch_add(1, Ordering::SeqCst);
                    held.acquire().await.unwrap().forget();
                    line.write(&answer(HELLO)).await?;
                }
            }
        });
        let client = worker.client();
        let mut kept = 0;
        // The first round makes it ask, and some later one keeps more.
        for round in 1.. {
            assert!(round < 2000, "{values:?}: {kept} of {expected} connections are kept");
            let calls: Vec<_> = (0..12).map(|_| spawn_get(&client, "GET")).collect();
            until("all requests are under way", || waiting.load(Ordering::SeqCst) == 12 * round).await;
            gate.add_permits(12);
            for call in calls {
                assert_eq!(call.await.unwrap(), Outcome::whole(b"hello"));
            }
            kept = client.idle_connections();
            if kept == expected && round > 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(kept, expected);
    }
}
