//! What the client does with its connections.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client_support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use client_support::*;
use gateway_fastcgi::client::{Client, ClientError, Config};
use gateway_fastcgi::net::Address;
use gateway_spec::{Environ, GatewayError, InputStream};
use tokio::sync::{Notify, Semaphore};

/// Remembers the KEEP_CONN flag of each request, and answers it.
fn flag_keeper() -> (Worker, Arc<Mutex<Vec<u8>>>) {
    let flags = Arc::new(Mutex::new(Vec::new()));
    let seen = flags.clone();
    let worker = Worker::start(move |_, mut line| {
        let seen = seen.clone();
        async move {
            loop {
                let asked = line.request().await?;
                seen.lock().unwrap().push(asked.flags);
                line.write(&answer(HELLO)).await?;
                if asked.flags == 0 {
                    return Ok(()); // FCGI-51
                }
            }
        }
    });
    (worker, flags)
}

#[tokio::test]
async fn fcgi_52_a_connection_is_used_again_and_again() {
    let (worker, flags) = flag_keeper();
    let client = worker.client();
    for _ in 0..10 {
        assert_eq!(get(&client).await, Outcome::whole(b"hello"));
        assert_eq!(client.idle_connections(), 1);
    }
    assert_eq!((worker.connections(), flags.lock().unwrap().as_slice()), (1, &[1; 10][..]));
}

#[tokio::test]
async fn fcgi_51_without_kept_connections_each_request_has_its_own() {
    let (worker, flags) = flag_keeper();
    for config in [Config::default().max_kept(0), Config::default().max_connection_age(Duration::ZERO)] {
        let client = worker.client_with(config);
        for _ in 0..2 {
            assert_eq!(get(&client).await, Outcome::whole(b"hello"));
            assert_eq!(client.idle_connections(), 0);
        }
    }
    assert_eq!((worker.connections(), flags.lock().unwrap().as_slice()), (4, &[0; 4][..]));
}

#[tokio::test]
async fn fcgi_118_no_more_connections_are_kept_than_allowed() {
    let gate = Arc::new(Semaphore::new(0));
    let flags = Arc::new(Mutex::new(Vec::new()));
    let (held, seen) = (gate.clone(), flags.clone());
    let worker = Worker::start(move |_, mut line| {
        let (held, seen) = (held.clone(), seen.clone());
        async move {
            loop {
                let asked = line.request().await?;
                seen.lock().unwrap().push(asked.flags);
                held.acquire().await.unwrap().forget();
                line.write(&answer(HELLO)).await?;
            }
        }
    });
    let client = worker.client_with(Config::default().max_kept(2));
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { get(&client).await })
        })
        .collect();
    until("all requests are under way", || flags.lock().unwrap().len() == 5).await;
    gate.add_permits(5);
    for call in calls {
        assert_eq!(call.await.unwrap(), Outcome::whole(b"hello"));
    }
    assert_eq!(flags.lock().unwrap().iter().filter(|flags| **flags == 1).count(), 2);
    assert_eq!(client.idle_connections(), 2);
}

#[tokio::test]
async fn requests_beyond_the_connections_wait_or_are_refused() {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let worker = Worker::start(move |_, mut line| {
        let held = held.clone();
        async move {
            loop {
                line.request().await?;
                held.acquire().await.unwrap().forget();
                line.write(&answer(HELLO)).await?;
            }
        }
    });
    let client = worker.client_with(Config::default().max_connections(1).max_queue(1));
    let first = tokio::spawn({
        let client = client.clone();
        async move { get(&client).await }
    });
    until("the first request is under way", || worker.connections() == 1).await;
    let second = client.clone();
    let mut second = std::pin::pin!(get(&second));
    // One poll puts it in the queue.
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(second.as_mut().poll(cx).is_pending())).await);
    assert_eq!(get(&client).await, Outcome::Failed(503));
    gate.add_permits(2);
    assert_eq!((first.await.unwrap(), second.await), (Outcome::whole(b"hello"), Outcome::whole(b"hello")));
    assert_eq!(worker.connections(), 1);
}

#[tokio::test]
async fn a_request_that_waits_too_long_is_a_503() {
    let worker = Worker::start(|_, mut line| async move {
        line.closed().await;
        Ok(())
    });
    let config = Config::default().max_connections(1).queue_timeout(Duration::from_millis(30));
    let client = worker.client_with(config);
    let first = tokio::spawn({
        let client = client.clone();
        async move { get(&client).await }
    });
    until("the first request is under way", || worker.connections() == 1).await;
    assert_eq!(get(&client).await, Outcome::Failed(503));
    first.abort();
}

/// Answers the first request of its first connection, then closes when `close` says so.
fn dying(close: Arc<Notify>, read_second: bool) -> Worker {
    Worker::start(move |number, mut line| {
        let close = close.clone();
        async move {
            line.request().await?;
            line.write(&answer(HELLO)).await?;
            if number == 0 {
                if read_second {
                    line.request().await?;
                } else {
                    close.notified().await;
                }
                return Ok(());
            }
            line.closed().await;
            Ok(())
        }
    })
}

#[tokio::test]
async fn fcgi_117_a_connection_that_was_closed_meanwhile_is_not_used() {
    for method in ["GET", "POST"] {
        let close = Arc::new(Notify::new());
        let worker = dying(close.clone(), false);
        let client = worker.client();
        assert_eq!(get(&client).await, Outcome::whole(b"hello"));
        close.notify_one();
        // Let the worker close.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(ask(&client, method, InputStream::from(Bytes::from("body"))).await, Outcome::whole(b"hello"));
        assert_eq!(worker.connections(), 2);
    }
}

#[tokio::test]
async fn fcgi_117_a_kept_connection_that_dies_under_an_idempotent_request_is_replaced_once() {
    for method in ["GET", "PUT", "DELETE"] {
        let worker = dying(Arc::default(), true);
        let client = worker.client();
        assert_eq!(get(&client).await, Outcome::whole(b"hello"));
        let body = InputStream::from(Bytes::from("body"));
        assert_eq!(ask(&client, method, body).await, Outcome::whole(b"hello"), "{method}");
        assert_eq!(worker.connections(), 2);
    }
}

#[tokio::test]
async fn fcgi_117_a_request_that_may_have_been_run_is_not_sent_twice() {
    for method in ["POST", "PATCH"] {
        let worker = dying(Arc::default(), true);
        let client = worker.client();
        assert_eq!(get(&client).await, Outcome::whole(b"hello"));
        let body = InputStream::from(Bytes::from("body"));
        assert_eq!(ask(&client, method, body).await, Outcome::Failed(502), "{method}");
        assert_eq!(worker.connections(), 1);
    }
}

#[tokio::test]
async fn fcgi_117_the_number_of_attempts_is_bounded() {
    let worker = Worker::start(|number, mut line| async move {
        line.request().await?;
        if number == 0 {
            line.write(&answer(HELLO)).await?;
            line.request().await?;
        }
        Ok(())
    });
    let client = worker.client_with(Config::default().max_tries(3));
    assert_eq!(get(&client).await, Outcome::whole(b"hello"));
    // One on the kept connection, two on fresh ones.
    assert_eq!(get(&client).await, Outcome::Failed(502));
    assert_eq!(worker.connections(), 3);
    assert_eq!(get(&client).await, Outcome::Failed(502));
    assert_eq!(worker.connections(), 6);
}

#[tokio::test]
async fn fcgi_117_a_worker_that_dies_under_an_idempotent_request_costs_nothing_but_time() {
    let worker = Worker::start(|number, mut line| async move {
        line.request().await?;
        if number == 2 {
            line.write(&[record(STDERR, b"what a worker says on its way is no answer"), answer(HELLO)].concat())
                .await?;
        } else {
            line.write(&record(STDERR, b"dying")).await?;
        }
        Ok(())
    });
    assert_eq!(ask(&worker.client(), "PUT", InputStream::from(Bytes::from("body"))).await, Outcome::whole(b"hello"));
    assert_eq!(worker.connections(), 3);
    assert_eq!(ask(&worker.client(), "POST", InputStream::from(Bytes::from("body"))).await, Outcome::Failed(502));
    assert_eq!(worker.connections(), 4);
}

#[tokio::test]
async fn fcgi_117_an_answer_that_has_begun_is_not_asked_for_again() {
    let worker = Worker::start(|_, mut line| async move {
        line.request().await?;
        line.write(&record(STDOUT, b"Content-")).await
    });
    assert_eq!(get(&worker.client()).await, Outcome::Failed(502));
    assert_eq!(worker.connections(), 1);
}

#[tokio::test]
async fn fcgi_117_a_long_body_is_not_sent_twice() {
    let worker = dying(Arc::default(), true);
    let client = worker.client();
    assert_eq!(get(&client).await, Outcome::whole(b"hello"));
    let (input, _) = Pieces::stream(1 << 20, 10_000, Some(1 << 20));
    assert_eq!(ask(&client, "PUT", input).await, Outcome::Failed(502));
    assert_eq!(worker.connections(), 1);
}

#[tokio::test]
async fn fcgi_80_a_body_that_is_dropped_closes_the_connection() {
    let closed = Arc::new(Notify::new());
    let told = closed.clone();
    let worker = Worker::start(move |_, mut line| {
        let told = told.clone();
        async move {
            line.request().await?;
            line.write(&record(STDOUT, HELLO)).await?;
            line.closed().await;
            told.notify_one();
            Ok(())
        }
    });
    let client = worker.client();
    let mut response = call(&client, Environ::example("GET", "/"), InputStream::empty()).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "hello");
    drop(response);
    tokio::time::timeout(LONG, closed.notified()).await.unwrap();
    assert_eq!(client.idle_connections(), 0);
}

#[tokio::test]
async fn fcgi_80_a_call_that_is_dropped_closes_the_connection() {
    let closed = Arc::new(Notify::new());
    let told = closed.clone();
    let worker = Worker::start(move |_, mut line| {
        let told = told.clone();
        async move {
            line.request().await?;
            line.closed().await;
            told.notify_one();
            Ok(())
        }
    });
    let client = worker.client();
    let call = tokio::spawn(async move { get(&client).await });
    until("the request is under way", || worker.connections() == 1).await;
    call.abort();
    tokio::time::timeout(LONG, closed.notified()).await.unwrap();
}

#[tokio::test]
async fn an_answer_whose_length_was_had_frees_its_connection_though_its_end_comes_late() {
    let late = Arc::new(Notify::new());
    let wait = late.clone();
    let worker = Worker::start(move |_, mut line| {
        let wait = wait.clone();
        async move {
            loop {
                line.request().await?;
                line.write(&record(STDOUT, b"Content-Type: a/b\nContent-Length: 5\n\nhello")).await?;
                wait.notified().await;
                line.write(&end(0, 0)).await?;
            }
        }
    });
    let client = worker.client();
    for _ in 0..3 {
        let mut response = call(&client, Environ::example("GET", "/"), InputStream::empty()).await.unwrap();
        assert_eq!(response.body.next().await.unwrap().unwrap(), "hello");
        // A gateway stops here: it has all that was declared.
        drop(response);
        late.notify_one();
        until("the connection is free", || client.idle_connections() == 1).await;
    }
    assert_eq!(worker.connections(), 1);
}

#[tokio::test]
async fn the_connection_is_free_before_the_last_piece_is_used() {
    let worker = Worker::answering(answer(HELLO));
    let client = worker.client();
    let mut response = call(&client, Environ::example("GET", "/"), InputStream::empty()).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "hello");
    assert_eq!(client.idle_connections(), 1);
}

#[tokio::test]
async fn cgi_73_the_body_of_an_answer_to_head_is_dropped_and_the_connection_kept() {
    let worker =
        Worker::answering([record(STDOUT, HELLO), record(STDOUT, &[b'x'; 60_000]).repeat(5), end(0, 0)].concat());
    let client = worker.client();
    for _ in 0..3 {
        let response = call(&client, Environ::example("HEAD", "/"), InputStream::empty()).await.unwrap();
        assert_eq!(response.status, 200);
        drop(response);
        until("the connection is free", || client.idle_connections() == 1).await;
    }
    assert_eq!(worker.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_is_always_in_use_is_replaced_when_it_is_old() {
    let worker = Worker::answering(answer(HELLO));
    let client = worker.client_with(Config::default().max_connection_age(Duration::from_millis(100)));
    let mut requests = 0;
    let asking = async {
        while worker.connections() < 3 {
            assert_eq!(get(&client).await, Outcome::whole(b"hello"));
            requests += 1;
        }
    };
    tokio::time::timeout(LONG, asking).await.expect("connections are kept for ever");
    assert!(requests > worker.connections(), "{requests}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_time() {
    let closed = Arc::new(Notify::new());
    let told = closed.clone();
    let worker = Worker::start(move |_, mut line| {
        let told = told.clone();
        async move {
            line.request().await?;
            line.write(&answer(HELLO)).await?;
            line.closed().await;
            told.notify_one();
            Ok(())
        }
    });
    let client = worker.client_with(Config::default().idle_timeout(Duration::from_millis(20)));
    for _ in 0..2 {
        assert_eq!(get(&client).await, Outcome::whole(b"hello"));
        tokio::time::timeout(LONG, closed.notified()).await.unwrap();
        assert_eq!(client.idle_connections(), 0);
    }
    assert_eq!(worker.connections(), 2);
}

#[tokio::test]
async fn kept_connections_can_be_closed_for_good() {
    let (worker, _) = flag_keeper();
    let client = worker.client();
    assert_eq!(get(&client).await, Outcome::whole(b"hello"));
    client.close_kept();
    assert_eq!(client.idle_connections(), 0);
    assert_eq!(get(&client).await, Outcome::whole(b"hello"));
    assert_eq!((client.idle_connections(), worker.connections()), (0, 2));
}

#[tokio::test]
async fn a_full_queue_of_the_worker_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let mut waiting = Vec::new();
    let full = loop {
        match tokio::net::UnixStream::connect(&path).await {
            Ok(stream) => waiting.push(stream),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::WouldBlock);
    let client = |timeout| Client::new(Address::unix(&path), Config::default().connect_timeout(timeout));
    let hasty = client(Duration::from_millis(30));
    let error = call(&hasty, Environ::example("GET", "/"), InputStream::empty()).await.unwrap_err();
    let error = error.downcast_ref::<GatewayError>().unwrap();
    assert_eq!(error.status(), 504);
    assert!(std::error::Error::source(error).unwrap().is::<ClientError>());
    // The queue is emptied while a client waits.
    let patient = client(LONG);
    let patient = tokio::spawn(async move { get(&patient).await });
    let served = waiting.len();
    drop(waiting);
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::UnixListener::from_std(listener).unwrap();
    for _ in 0..served {
        drop(listener.accept().await.unwrap());
    }
    let mut line = Line(tokio::time::timeout(LONG, listener.accept()).await.unwrap().unwrap().0);
    line.request().await.unwrap();
    line.write(&answer(HELLO)).await.unwrap();
    assert_eq!(patient.await.unwrap(), Outcome::whole(b"hello"));
}

#[tokio::test]
async fn dropping_the_client_closes_its_connections() {
    let closed = Arc::new(Notify::new());
    let told = closed.clone();
    let worker = Worker::start(move |_, mut line| {
        let told = told.clone();
        async move {
            line.request().await?;
            line.write(&answer(HELLO)).await?;
            line.closed().await;
            told.notify_one();
            Ok(())
        }
    });
    let client = worker.client();
    assert_eq!(get(&client).await, Outcome::whole(b"hello"));
    drop(client);
    tokio::time::timeout(LONG, closed.notified()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_at_once_all_get_their_own_answer() {
    let worker = Worker::start(|_, mut line| async move {
        loop {
            let asked = line.request().await?;
            let text = format!("Content-Type: a/b\n\n{}", asked.param("QUERY_STRING").unwrap());
            line.write(&answer(text.as_bytes())).await?;
            if asked.flags == 0 {
                return Ok(());
            }
        }
    });
    let client = worker.client_with(Config::default().max_connections(8).max_kept(4));
    let calls: Vec<_> = (0..200)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move {
                let environ = Environ::example("GET", &format!("/?{number}"));
                (number, read(call(&client, environ, InputStream::empty()).await).await)
            })
        })
        .collect();
    for call in calls {
        let (number, outcome) = call.await.unwrap();
        assert_eq!(outcome, Outcome::whole(number.to_string().as_bytes()));
    }
}

/// php-cgi behaves like this: it accepts the next connection when the one it has is closed.
#[tokio::test]
async fn fcgi_118_kept_connections_give_way_to_requests_that_no_worker_has_accepted() {
    let process = Arc::new(Semaphore::new(1));
    let one = process.clone();
    let worker = Worker::start(move |_, mut line| {
        let one = one.clone();
        async move {
            let _busy = one.acquire().await.unwrap();
            loop {
                line.request().await?;
                line.write(&answer(HELLO)).await?;
            }
        }
    });
    let client = worker.client();
    let ask = || {
        let client = client.clone();
        tokio::spawn(async move { get(&client).await })
    };
    let asked: Vec<_> = std::iter::repeat_with(ask).take(4).collect();
    for answer in asked {
        let in_time = tokio::time::timeout(Duration::from_secs(20), answer).await;
        assert_eq!(in_time.expect("a kept connection is in the way").unwrap(), Outcome::whole(b"hello"));
    }
}
