//! What is said before the answer: 100 Continue and other interim answers.

use crate::support::PATIENCE;
use crate::upstream::Upstream;
use gateway_server::mount::ProxyConfig;
use std::time::Instant;

const ASK: &str = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

#[test]
fn http_120_128_the_upstream_tells_the_client_to_go_on() {
    let upstream = Upstream::start(|talk| {
        let head = talk.head().unwrap();
        assert!(head.contains("expect: 100-continue\r\n"), "{head}");
        talk.send("HTTP/1.1 100 Continue\r\n\r\n");
        let body = talk.take(5);
        talk.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        talk.send(body);
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    client.send(ASK);
    assert_eq!(client.response_head().status, 100);
    client.send("hello");
    assert_eq!(client.response().text(), "hello");
}

#[test]
fn http_120_125_an_upstream_that_refuses_spares_the_client_its_body() {
    let upstream = Upstream::start(|talk| {
        talk.head().unwrap();
        talk.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
        assert_eq!(talk.take(1), b"", "nothing of the body comes");
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    client.send(ASK);
    let response = client.response();
    assert_eq!((response.status, response.text(), response.field("connection")), (413, "no", Some("close")));
}

#[test]
fn http_121_an_upstream_that_does_not_know_the_expectation_gets_the_body_all_the_same() {
    let upstream = Upstream::start(|talk| {
        talk.head().unwrap();
        let body = talk.take(5);
        talk.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        talk.send(body);
    });
    let server = upstream.behind(ProxyConfig::default());
    let begun = Instant::now();
    let mut client = server.client();
    client.send(ASK);
    assert_eq!(client.response_head().status, 100);
    assert!(begun.elapsed() < PATIENCE / 2);
    client.send("hello");
    assert_eq!(client.response().text(), "hello");
}

#[test]
fn http_127_128_interim_answers_are_passed_on_to_those_who_understand_them() {
    let upstream = Upstream::start(|talk| {
        while talk.head().is_some() {
            talk.send("HTTP/1.1 102 Processing\r\n\r\n");
            talk.send(
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\nConnection: x-mine\r\nX-Mine: 1\r\n\r\n",
            );
            talk.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response_head().status, 102);
        let hints = client.response_head();
        assert_eq!((hints.status, hints.head.matches("link: ").count(), hints.field("x-mine")), (103, 2, None));
        assert_eq!(client.response().text(), "ok");
    }
    let mut old = server.client();
    old.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_eq!(old.response().text(), "ok");
}
