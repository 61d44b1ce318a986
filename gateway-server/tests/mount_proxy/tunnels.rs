//! Connections that become tunnels.

use crate::support::{Client, eventually};
use crate::upstream::{Talk, Upstream};
use gateway_server::mount::ProxyConfig;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket, other/2\r\n\
                   Sec-WebSocket-Key: k\r\n\r\n";
const AGREE: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\n";

/// Agrees, and gives back what it is sent, until the end of it.
fn echo(talk: &mut Talk) {
    talk.head();
    talk.send(AGREE);
    loop {
        let byte = talk.take(1);
        if byte.is_empty() {
            return;
        }
        talk.send(byte);
    }
}

fn tunnel(server: &crate::support::Running) -> Client {
    let mut client = server.client();
    client.send(ASK);
    assert_eq!(client.response_head().status, 101);
    client
}

#[test]
fn http_130_a_switch_that_both_want_makes_a_tunnel() {
    let asked = Arc::new(std::sync::Mutex::new(String::new()));
    let heard = Arc::clone(&asked);
    let upstream = Upstream::start(move |talk| {
        *heard.lock().unwrap() = talk.head().unwrap();
        // What comes right behind the answer belongs to the tunnel.
        talk.send([AGREE, "hello"].concat());
        let said = talk.take(6);
        talk.send(said);
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    // And so does what comes right behind the request.
    client.send([ASK, "\x00early"].concat());
    let head = client.response_head();
    assert_eq!(
        (head.status, head.field("upgrade"), head.field("connection")),
        (101, Some("websocket"), Some("upgrade"))
    );
    assert_eq!((head.field("sec-websocket-accept"), head.field("content-length")), (Some("a"), None));
    assert_eq!(client.take(11), b"hello\x00early");
    client.expect_closed();
    let asked = asked.lock().unwrap();
    assert!(asked.contains("connection: upgrade\r\n") && asked.contains("upgrade: WebSocket, other/2\r\n"), "{asked}");
}

#[test]
fn much_goes_both_ways_at_once() {
    let upstream = Upstream::start(echo);
    let server = upstream.behind(ProxyConfig::default());
    let mut client = tunnel(&server);
    let many: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let mut sender = client.stream.try_clone().unwrap();
    let sent = many.clone();
    let sending = std::thread::spawn(move || std::io::Write::write_all(&mut sender, &sent).unwrap());
    assert!(client.take(many.len()) == many);
    sending.join().unwrap();
    client.finish_sending();
    client.expect_closed();
}

#[test]
fn the_end_of_one_side_is_the_end_for_the_other() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let upstream = Upstream::start(move |talk| {
        talk.head();
        talk.send(AGREE);
        talk.wait_for_end();
        // It may still say something then.
        talk.send("bye");
        count.fetch_add(1, Ordering::SeqCst);
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = tunnel(&server);
    client.finish_sending();
    assert_eq!(client.rest(), b"bye");
    // Gone without a word.
    drop(tunnel(&server));
    eventually("the upstream hears of it", || ended.load(Ordering::SeqCst) == 2);
}

#[test]
fn a_silent_tunnel_ends() {
    let upstream = Upstream::start(echo);
    let server = upstream.behind(ProxyConfig::default().tunnel_timeout(Duration::from_millis(200)));
    let mut client = tunnel(&server);
    for _ in 0..4 {
        client.send("x");
        assert_eq!(client.take(1), b"x");
        std::thread::sleep(Duration::from_millis(100));
    }
    client.expect_closed();
}

#[test]
fn an_upstream_that_does_not_switch_just_answers() {
    let upstream = Upstream::answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    for _ in 0..2 {
        client.send(ASK);
        let response = client.response();
        assert_eq!((response.status, response.text()), (403, "no"));
    }
}

/// Bytes behind a wish for a switch are the next request unless the switch is made: never sent to the upstream unread.
#[test]
fn http_106_130_what_follows_a_refused_switch_is_a_request_like_any_other() {
    let upstream = Upstream::start(|talk| {
        while let Some(head) = talk.head() {
            let line = head.lines().next().unwrap().to_owned();
            talk.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{line}", line.len()));
        }
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    client
        .send([ASK, "GET /admin HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n", "GET bad\r\n\r\n"].concat());
    assert_eq!(client.response().text(), "GET /chat HTTP/1.1");
    assert_eq!(client.response().text(), "GET /admin HTTP/1.1");
    assert_eq!(client.response().status, 400);
}

#[test]
fn http_131_an_upstream_that_wants_a_switch_says_to_what() {
    let upstream = Upstream::answering(
        "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
    );
    let response = upstream.behind(ProxyConfig::default()).get("/");
    assert_eq!((response.status, response.field("upgrade")), (426, Some("websocket")));
    assert_eq!(response.field("connection"), Some("upgrade"));
}

#[test]
fn http_130_a_switch_to_what_was_not_offered_is_502() {
    let upstream =
        Upstream::answering("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: irc\r\n\r\n");
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    client.send(ASK);
    assert_eq!(client.response().status, 502);
}

/// Tells whether its request asked for a switch.
fn asked() -> Upstream {
    Upstream::start(|talk| {
        while let Some(head) = talk.head() {
            let body = if head.contains("upgrade") { "asked" } else { "plain" };
            talk.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{body}"));
            talk.take(if head.contains("content-length: 2") { 2 } else { 0 });
        }
    })
}

#[test]
fn http_129_130_what_cannot_become_a_tunnel_is_asked_as_usual() {
    let upstream = asked();
    let server = upstream.behind(ProxyConfig::default());
    let rows = [
        ("HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
        ("without Connection", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"),
        (
            "HTTP again",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
        ),
        (
            "a body and a wish to go on",
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nExpect: 100-continue\r\n\
             Content-Length: 2\r\n\r\nab",
        ),
    ];
    for (name, request) in rows {
        let mut client = server.client();
        client.send(request);
        assert_eq!(client.response().text(), "plain", "{name}");
    }
    let forbidden = upstream.behind(ProxyConfig::default().upgrade(false));
    let mut client = forbidden.client();
    client.send(ASK);
    assert_eq!(client.response().text(), "plain");
}
