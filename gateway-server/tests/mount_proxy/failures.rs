//! Upstreams that are not there, answer nonsense, fall silent or break off.

use crate::support::PATIENCE;
use crate::upstream::{Talk, Upstream};
use gateway_server::mount::{Proxy, ProxyConfig, ProxyError};
use gateway_spec::{AsyncApplication, Environ, GatewayError, InputStream};
use std::time::Duration;

#[test]
fn http_158_an_upstream_that_is_not_there_is_502_and_named_in_the_log() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rows = [
        (format!("http://{free}"), format!("no connection to http://{free}: Connection refused")),
        ("unix:/nowhere/x.sock".to_owned(), "no connection to http:unix:/nowhere/x.sock: No such file".to_owned()),
    ];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (url, wanted) in rows {
        let proxy = Proxy::new(url.parse().unwrap(), ProxyConfig::default());
        let answer = runtime.block_on(proxy.call(Environ::example("GET", "/"), InputStream::empty()));
        let error = answer.err().unwrap();
        let error = error.downcast_ref::<GatewayError>().unwrap();
        assert_eq!(error.status(), 502);
        assert!(error.to_string().starts_with(&wanted), "{error}");
    }
}

#[test]
fn http_62_158_answers_that_are_none_are_502() {
    let rows = [
        ("http_62_folded", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
        ("no HTTP", "hello\r\n\r\n"),
        ("nothing", ""),
        ("half a head", "HTTP/1.1 200 OK\r\nX: "),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        ("no length", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na"),
        ("a coding below chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("an unknown status", "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"),
        ("a name with a space", "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n"),
        ("a switch nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    ];
    for (name, answer) in rows {
        let upstream = Upstream::start(move |talk| {
            talk.head();
            talk.send(answer);
        });
        let server = upstream.behind(ProxyConfig::default());
        let response = server.get("/");
        assert_eq!((response.status, response.text()), (502, "Bad Gateway\n"), "{name}");
        assert_eq!(upstream.connections(), 1, "{name}: not asked again");
    }
}

#[test]
fn heads_without_end_are_502() {
    let upstream = Upstream::start(move |talk| {
        talk.head();
        talk.send("HTTP/1.1 200 OK\r\n");
        while talk.send("X-More: of the same\r\n".repeat(50)) {}
    });
    assert_eq!(upstream.behind(ProxyConfig::default()).get("/").status, 502);
    assert_eq!(upstream.behind(ProxyConfig::default().max_fields(100_000)).get("/").status, 502);
}

#[test]
fn http_158_silence_is_504() {
    let silent = Upstream::start(Talk::wait_for_end);
    let short = Duration::from_millis(50);
    assert_eq!(silent.behind(ProxyConfig::default().header_timeout(short)).get("/").status, 504);
    assert_eq!(silent.behind(ProxyConfig::default().total_timeout(Some(short))).get("/").status, 504);
}

#[test]
fn http_158_more_requests_than_places_are_503() {
    let silent = Upstream::start(Talk::wait_for_end);
    let one = ProxyConfig::default().max_connections(1);
    for (config, wanted) in
        [(one.clone().max_queue(0), "1 "), (one.max_queue(5).queue_timeout(Duration::from_millis(50)), "within 50ms")]
    {
        let server = silent.behind(config);
        let mut first = server.client();
        let before = silent.connections();
        first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        crate::support::eventually("the first is at the upstream", || silent.connections() > before);
        let second = server.get("/");
        assert_eq!((second.status, second.field("retry-after")), (503, Some("1")), "{wanted}");
    }
}

#[test]
fn http_159_an_answer_that_is_cut_short_is_cut_short_for_the_client() {
    let rows = [
        ("a length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        ("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        ("no chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n"),
    ];
    for (name, answer) in rows {
        let upstream = Upstream::start(move |talk| {
            talk.head();
            talk.send(answer);
        });
        let server = upstream.behind(ProxyConfig::default());
        let mut client = server.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response_head().status, 200, "{name}");
        let rest = String::from_utf8(client.rest()).unwrap();
        assert!(rest.contains("half") && !rest.ends_with("0\r\n\r\n"), "{name}: {rest:?}");
    }
}

#[test]
fn an_upstream_that_falls_silent_within_its_answer_is_cut_off() {
    let upstream = Upstream::start(|talk| {
        talk.head();
        talk.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        talk.wait_for_end();
    });
    let server = upstream.behind(ProxyConfig::default().read_timeout(Duration::from_millis(50)));
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.response_head();
    assert_eq!(client.rest(), b"half");
}

#[test]
fn a_request_that_breaks_off_is_the_clients_fault() {
    let upstream = Upstream::start(Talk::wait_for_end);
    let server = upstream.behind(ProxyConfig::default());
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("5\r\nhello\r\nzz\r\n");
    assert_eq!(client.response().status, 400);
}

#[test]
fn http_183_a_proxy_that_leads_to_itself_is_no_storm() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    // Bound again at once by the gateway itself, whose upstream it is.
    let proxy = Proxy::new(format!("http://{address}").parse().unwrap(), ProxyConfig::default());
    let bound = gateway_server::serve::Server::asynchronous(proxy)
        .config(crate::support::config())
        .bind(&address.to_string())
        .unwrap();
    let handle = bound.handle();
    let serving = std::thread::spawn(|| bound.run());
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let answer = std::io::read_to_string(stream).unwrap();
    assert!(answer.starts_with("HTTP/1.1 508 Loop Detected\r\n"), "{answer}");
    handle.stop();
    serving.join().unwrap().unwrap();
    assert_eq!(ProxyError::Loop { upstream: String::new() }.status(), 508);
}
