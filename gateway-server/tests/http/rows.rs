//! Rows of RFC 9110 and RFC 9112 that no other test shows; `docs/http1.md` says for each row where its tests are.

use super::support::*;
use gateway_spec::{Body, Environ, StartResponse, StatusCode, headers};

#[test]
fn http_4_61_156_no_line_end_of_an_application_reaches_a_head() {
    let server = serve(|environ: Environ, start_response: StartResponse| {
        let value = match environ.path_info().to_str()? {
            "/crlf" => "/\r\nSet-Cookie: evil=1",
            "/cr" => "/\rSet-Cookie: evil=1",
            "/lf" => "/\nSet-Cookie: evil=1",
            "/fold" => "/\r\n Set-Cookie: evil=1",
            _ => "/\0",
        };
        start_response(StatusCode::FOUND, headers!["location" => value])?;
        Ok(Body::empty())
    });
    for path in ["/crlf", "/cr", "/lf", "/fold", "/nul"] {
        let response = server.get(path);
        assert_eq!(response.status, 500, "{path}");
        assert!(!response.head.contains("evil"), "{}", response.head);
    }
}

#[test]
fn http_26_get_and_head_reach_every_application() {
    let server = serve(|environ: Environ, start_response: StartResponse| {
        let method = environ.request_method().to_string();
        start_response(StatusCode::OK, headers!["x-method" => method, "content-type" => "text/plain"])?;
        Ok("hello".into())
    });
    let mut client = server.client();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.response_head();
    assert_eq!((head.field("x-method"), head.field("content-length")), (Some("HEAD"), Some("5")));
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let get = client.response();
    assert_eq!((get.field("x-method"), get.text()), (Some("GET"), "hello"));
}

#[test]
fn http_63_66_repeated_and_unknown_fields_reach_the_application_in_order() {
    let server = serve(|environ: Environ, start_response: StartResponse| {
        let value = |name: &str| environ.get(name).map_or(String::new(), |value| value.to_string());
        let line = ["HTTP_ACCEPT", "HTTP_COOKIE", "HTTP_X_NOBODY_KNOWS"].map(value).join("|");
        ok(start_response, line)
    });
    let mut client = server.client();
    client.send(
        "GET / HTTP/1.1\r\nHost: a\r\nAccept: b\r\nCookie: x=1\r\nAccept: a;q=0.1\r\nX-Nobody-Knows: 1\r\n\
         Cookie: y=2\r\naccept: c, d\r\n\r\n",
    );
    assert_eq!(client.response().text(), "b, a;q=0.1, c, d|x=1; y=2|1");
}

#[test]
fn http_153_the_server_field_is_sent_only_if_wanted() {
    let field = |server: Running| server.get("/").field("server").map(str::to_owned);
    assert_eq!(field(serve(echo)), None);
    let named = field(serve_with(config().server_field(true), echo)).unwrap();
    assert!(named.starts_with("gateway-server/"), "{named}");
}

#[test]
fn http_170_nothing_is_answered_after_the_server_said_close() {
    let server = serve_with(config().max_requests_per_connection(1), echo);
    let mut client = server.client();
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response();
    assert_eq!((response.text(), response.field("connection")), ("/1 ", Some("close")));
    client.expect_closed();
}

#[test]
fn http_50_requests_for_other_hosts_are_421() {
    let server = serve_with(config().hosts("example.org, *.example.org, 127.0.0.1".parse().unwrap()), echo);
    let mut client = server.client();
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: Example.org:80\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        ("GET http://www.example.org/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: example.org\r\n\r\n", 421),
        ("OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        // Without a host it is the address that counts.
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 200),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200),
        ("POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\nhi", 421),
        ("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 200),
    ] {
        client.send(request);
        assert_eq!(client.response().status, status, "{request}");
    }
}

#[test]
fn http_142_155_a_refused_head_gets_no_body() {
    let server = serve_with(config().header_timeout(std::time::Duration::from_millis(150)), echo);
    for (request, status) in [
        ("HEAD / HTTP/1.1\r\n\r\n", 400),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n", 408),
    ] {
        let mut client = server.client();
        client.send(request);
        let head = client.response_head();
        assert_eq!((head.status, head.field("connection")), (status, Some("close")), "{request}");
        assert!(head.field("content-length").is_some_and(|length| length != "0"), "as for GET: {}", head.head);
        client.expect_closed();
    }
}
