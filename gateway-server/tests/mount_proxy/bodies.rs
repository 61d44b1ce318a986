//! Bodies: both ways at once, at the pace of the slower side, and never longer or shorter than they were.

use crate::support::eventually;
use crate::upstream::Upstream;
use gateway_server::mount::ProxyConfig;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn a_body_of_known_length_keeps_it_and_one_of_unknown_length_is_chunked() {
    let upstream = Upstream::start(|talk| {
        while let Some(head) = talk.head() {
            let chunked = head.contains("transfer-encoding: chunked\r\n");
            let body = if chunked { talk.take(15) } else { talk.take(5) };
            let body = [head.as_bytes(), &body].concat();
            talk.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()));
            talk.send(body);
        }
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    let response = client.response();
    assert!(response.text().contains("content-length: 5\r\n") && response.text().ends_with("\r\n\r\nhello"));
    // The first piece comes alone, so that nobody can know the length.
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    client.send("0\r\n\r\n");
    let response = client.response();
    let text = response.text();
    let is_chunked = text.contains("transfer-encoding: chunked\r\n") && text.ends_with("5\r\nhello\r\n0\r\n\r\n");
    let is_counted = text.contains("content-length: 5\r\n") && text.ends_with("\r\n\r\nhello");
    assert!(is_chunked != is_counted, "{text}");
}

#[test]
fn both_bodies_flow_at_the_same_time() {
    let upstream = Upstream::start(|talk| {
        talk.head().unwrap();
        talk.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..3 {
            // One chunk in, one chunk out.
            let chunk = talk.take(6);
            assert_eq!((&chunk[..3], &chunk[4..]), (&b"1\r\n"[..], &b"\r\n"[..]));
            talk.send(chunk);
        }
        talk.send("0\r\n\r\n");
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in ["a", "b", "c"] {
        client.send(format!("1\r\n{piece}\r\n"));
        if piece == "a" {
            assert_eq!(client.response_head().status, 200);
        }
        assert_eq!(client.chunk(), piece.as_bytes());
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.chunk(), b"");
}

#[test]
fn the_head_of_an_answer_does_not_wait_for_its_body() {
    let upstream = Upstream::start(|talk| {
        talk.head().unwrap();
        talk.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        talk.wait_for_end();
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response_head().field("content-type"), Some("text/event-stream"));
}

#[test]
fn a_slow_client_slows_the_upstream() {
    const MANY: usize = 64 << 20;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let upstream = Upstream::start(move |talk| {
        talk.head().unwrap();
        talk.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {MANY}\r\n\r\n"));
        let piece = [b'x'; 64 << 10];
        while talk.send(piece) && count.fetch_add(piece.len(), Ordering::SeqCst) + piece.len() < MANY {}
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response_head();
    // It comes to rest far from its end: what is under way is in the buffers of the system.
    let seen = AtomicUsize::new(usize::MAX);
    eventually("the upstream stops", || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        let now = sent.load(Ordering::SeqCst);
        seen.swap(now, Ordering::SeqCst) == now
    });
    let rest = sent.load(Ordering::SeqCst);
    assert!(rest < MANY, "{rest} bytes were taken from the upstream before the client took any");
    assert_eq!(client.take(MANY).len(), MANY);
}

#[test]
fn http_142_144_answers_without_a_body_have_none() {
    let upstream = Upstream::start(|talk| {
        while let Some(head) = talk.head() {
            let answer = match head.split(' ').nth(1) {
                Some("/304") => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 7\r\n\r\n",
                Some("/204") => "HTTP/1.1 204 No Content\r\n\r\n",
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
            };
            talk.send(answer);
        }
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    for (request, status, length) in [("HEAD /", 200, Some("7")), ("GET /304", 304, Some("7")), ("GET /204", 204, None)]
    {
        client.send(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let head = client.response_head();
        assert_eq!((head.status, head.field("content-length")), (status, length), "{request}");
    }
    assert_eq!(upstream.connections(), 1, "each leaves its connection in order");
}

#[test]
fn an_old_upstream_ends_its_answers_by_closing() {
    let upstream = Upstream::start(|talk| {
        talk.head().unwrap();
        talk.send("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end");
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    for asked in 1..=3 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response();
        assert_eq!((response.text(), response.field("transfer-encoding")), ("to the end", Some("chunked")));
        assert_eq!(upstream.connections(), asked);
    }
}
