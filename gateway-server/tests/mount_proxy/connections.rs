//! Connections to the upstream: kept, closed in time, and never trusted too far.

use crate::support::eventually;
use crate::upstream::Upstream;
use gateway_server::mount::ProxyConfig;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_connection_serves_request_after_request() {
    let upstream = Upstream::answering(OK);
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    for _ in 0..20 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().text(), "ok");
    }
    assert!(upstream.connections() <= 2, "{} connections", upstream.connections());
    let unkept = upstream.behind(ProxyConfig::default().max_kept(0));
    let before = upstream.connections();
    for _ in 0..3 {
        unkept.get("/");
    }
    assert_eq!(upstream.connections() - before, 3);
}

#[test]
fn a_connection_that_nobody_uses_is_closed() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let upstream = Upstream::start(move |talk| {
        while talk.head().is_some() {
            talk.send(OK);
        }
        count.fetch_add(1, Ordering::SeqCst);
    });
    let server = upstream.behind(ProxyConfig::default().idle_timeout(Duration::from_millis(50)));
    assert_eq!(server.get("/").status, 200);
    eventually("it is closed", || ended.load(Ordering::SeqCst) == 1);
}

/// Closes its first connection under the second request on it, as a server does whose patience has just ended.
fn closing_upstream() -> (Upstream, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let upstream = Upstream::start(move |talk| {
        for request in 0.. {
            if talk.head().is_none() {
                return;
            }
            count.fetch_add(1, Ordering::SeqCst);
            if talk.number == 0 && request == 1 {
                return;
            }
            talk.send(OK);
        }
    });
    (upstream, asked)
}

#[test]
fn http_178_a_safe_request_that_met_a_closing_connection_is_sent_again() {
    let (upstream, asked) = closing_upstream();
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response().status, 200);
    }
    assert_eq!((asked.load(Ordering::SeqCst), upstream.connections()), (3, 2));
}

#[test]
fn http_178_a_request_that_may_not_be_done_twice_is_not_sent_twice() {
    let (upstream, asked) = closing_upstream();
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.response().status, 502);
    assert_eq!((asked.load(Ordering::SeqCst), upstream.connections()), (2, 1));
}

#[test]
fn a_client_that_goes_away_takes_its_request_along() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let upstream = Upstream::start(move |talk| {
        talk.head();
        talk.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        talk.wait_for_end();
        count.fetch_add(1, Ordering::SeqCst);
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response_head();
    drop(client);
    eventually("the upstream hears of it", || ended.load(Ordering::SeqCst) == 1);
}

#[test]
fn what_an_upstream_says_unasked_is_no_answer_to_the_next_request() {
    let upstream = Upstream::start(|talk| {
        while talk.head().is_some() {
            // In one piece: what comes after the next request was sent, nobody could tell from its answer.
            talk.send([OK, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"].concat());
        }
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    for _ in 0..10 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response();
        assert!(response.status == 502 || response.text() == "ok", "{}", response.text());
    }
}
