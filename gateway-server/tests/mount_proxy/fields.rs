//! What the upstream is told, and what the client is told of its answer.

use crate::upstream::Upstream;
use gateway_server::mount::{Paths, ProxyConfig, ProxyHost};

/// The lines of a mirrored request head.
fn mirrored(running: &crate::support::Running, request: &str) -> Vec<String> {
    let mut client = running.client();
    client.send(request);
    let response = client.response();
    assert_eq!(response.status, 200, "{}", response.head);
    response.text().lines().map(str::to_owned).collect()
}

fn field<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    lines
        .iter()
        .filter_map(|line| line.split_once(": ").filter(|(found, _)| *found == name))
        .map(|pair| pair.1)
        .collect()
}

#[test]
fn a_request_goes_out_as_it_came() {
    let upstream = Upstream::mirror();
    let server = upstream.behind(ProxyConfig::default());
    let lines = mirrored(
        &server,
        "GET /a%2Cb//c?q=%20&r HTTP/1.1\r\nHost: example.org:81\r\nAccept: a\r\nAccept: b\r\nCookie: x=1\r\nCookie: y=2\r\n\
         Authorization: Basic eDp5\r\n\r\n",
    );
    assert_eq!(lines[0], "GET /a%2Cb//c?q=%20&r HTTP/1.1");
    assert_eq!(field(&lines, "host"), ["example.org:81"]);
    assert_eq!(field(&lines, "accept"), ["a, b"]);
    assert_eq!(field(&lines, "cookie"), ["x=1; y=2"]);
    assert_eq!(field(&lines, "authorization"), ["Basic eDp5"]);
}

#[test]
fn http_175_176_what_is_about_the_clients_connection_ends_here() {
    let upstream = Upstream::mirror();
    let server = upstream.behind(ProxyConfig::default());
    let lines = mirrored(
        &server,
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Mine, Cookie\r\nX-Mine: 1\r\nCookie: c=1\r\nKeep-Alive: 5\r\n\
         TE: trailers\r\nProxy-Connection: x\r\nProxy-Authorization: y\r\nUpgrade: h2c\r\nProxy: evil\r\n\r\n",
    );
    for gone in
        ["connection", "x-mine", "keep-alive", "te", "proxy-connection", "proxy-authorization", "upgrade", "proxy"]
    {
        assert_eq!(field(&lines, gone), [""; 0], "{gone}");
    }
    assert_eq!(field(&lines, "cookie"), ["c=1"]);
}

#[test]
fn http_175_what_is_about_the_upstreams_connection_ends_here() {
    let upstream = Upstream::answering(
        "HTTP/1.1 201 Made\r\nConnection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: x\r\nStatus: 201\r\n\
         Set-Cookie: a=1, x\r\nSet-Cookie: b=2\r\nServer: other\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n\r\nok",
    );
    let server = upstream.behind(ProxyConfig::default());
    let response = server.get("/");
    assert_eq!((response.status, response.text()), (201, "ok"));
    for gone in ["connection", "x-mine", "keep-alive", "proxy-authenticate", "status", "transfer-encoding"] {
        assert_eq!(response.field(gone), None, "{gone}");
    }
    let cookies: Vec<_> = response.head.lines().filter(|line| line.starts_with("set-cookie: ")).collect();
    assert_eq!(cookies, ["set-cookie: a=1, x", "set-cookie: b=2"]);
    assert_eq!(response.field("server"), Some("other"));
    assert_eq!(response.head.matches("date: ").count(), 1, "{}", response.head);
}

#[test]
fn http_52_what_strangers_say_about_themselves_is_replaced() {
    let upstream = Upstream::mirror();
    let server = upstream.behind(ProxyConfig::default());
    let lines = mirrored(
        &server,
        "GET / HTTP/1.1\r\nHost: h:1\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\
         X-Forwarded-Prefix: /evil\r\nX-Forwarded-Port: 1\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n\r\n",
    );
    assert_eq!(field(&lines, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(field(&lines, "x-forwarded-proto"), ["http"]);
    assert_eq!(field(&lines, "x-forwarded-host"), ["h:1"]);
    assert_eq!(field(&lines, "forwarded"), ["for=127.0.0.1;host=\"h:1\";proto=http"]);
    for gone in ["x-forwarded-prefix", "x-forwarded-port", "x-real-ip"] {
        assert_eq!(field(&lines, gone), [""; 0], "{gone}");
    }
}

#[test]
fn the_url_of_the_upstream_decides_about_the_prefix_unless_it_is_said() {
    let upstream = Upstream::mirror();
    let rows = [
        ("", Paths::ByUrl, "/app/x?y", None),
        ("/", Paths::ByUrl, "/x?y", Some("/app")),
        ("/base", Paths::ByUrl, "/base/x?y", Some("/app")),
        ("", Paths::Strip, "/x?y", Some("/app")),
        ("/base", Paths::Keep, "/base/app/x?y", None),
    ];
    for (path, paths, wanted, prefix) in rows {
        let server = upstream.behind_at("/app", path, ProxyConfig::default().paths(paths));
        let lines = mirrored(&server, "GET /app/x?y HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(lines[0], format!("GET {wanted} HTTP/1.1"), "{path} {paths:?}");
        assert_eq!(field(&lines, "x-forwarded-prefix").first().copied(), prefix, "{path} {paths:?}");
    }
}

#[test]
fn the_host_field_is_the_clients_unless_it_is_said() {
    let upstream = Upstream::mirror();
    let own = upstream.url().replace("http://", "");
    let rows =
        [(ProxyHost::Keep, "a:1"), (ProxyHost::Upstream, own.as_str()), (ProxyHost::Fixed("site".to_owned()), "site")];
    for (host, wanted) in rows {
        let server = upstream.behind(ProxyConfig::default().host(host));
        let lines = mirrored(&server, "GET / HTTP/1.1\r\nHost: a:1\r\n\r\n");
        assert_eq!(field(&lines, "host"), [wanted]);
        assert_eq!(field(&lines, "x-forwarded-host"), ["a:1"]);
    }
    let server = upstream.behind(ProxyConfig::default());
    let lines = mirrored(&server, "GET / HTTP/1.0\r\n\r\n");
    assert_eq!((lines[0].as_str(), field(&lines, "host")), ("GET / HTTP/1.1", vec!["127.0.0.1"]));
}

#[test]
fn http_180_each_proxy_says_its_name_and_the_clients_version() {
    let upstream = Upstream::mirror();
    let server = upstream.behind(ProxyConfig::default());
    let lines = mirrored(&server, "GET / HTTP/1.0\r\nHost: a\r\nVia: 1.1 other\r\n\r\n");
    let via = field(&lines, "via");
    assert!(via.len() == 1 && via[0].starts_with("1.1 other, 1.0 gateway-"), "{via:?}");
}

#[test]
fn http_182_max_forwards_of_options_is_counted_down_and_answered_at_zero() {
    let upstream = Upstream::mirror();
    let server = upstream.behind(ProxyConfig::default());
    let lines = mirrored(&server, "OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 5\r\n\r\n");
    assert_eq!(field(&lines, "max-forwards"), ["4"]);
    let mut client = server.client();
    client.send("OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n");
    assert_eq!(client.response().status, 204);
    client.send("OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: some\r\n\r\n");
    assert_eq!(client.response().status, 400);
    client.send("TRACE /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 5\r\n\r\n");
    assert_eq!(client.response().status, 405);
    assert_eq!(upstream.connections(), 1);
}
