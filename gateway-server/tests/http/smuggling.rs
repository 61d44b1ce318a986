//! Requests that two readers could cut differently: refused, closed, and nothing behind them is ever answered.

use super::support::*;

#[test]
fn http_105_to_114_ambiguous_requests_are_refused_and_closed() {
    let server = serve(echo);
    let hidden = "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let table = [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
        ("Content-Length: 5\r\nContent-Length: 5", 400),
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        ("Content-Length: 5, 5", 400),
        ("Content-Length: +5", 400),
        ("Content-Length: 18446744073709551621", 400),
        ("Transfer-Encoding: xchunked", 400),
        ("Transfer-Encoding: chunked\x0b", 400),
        ("Transfer-Encoding : chunked", 400),
        ("Transfer-Encoding:\r\n chunked", 400),
        ("Transfer-Encoding: chunked,", 400),
        ("Transfer-Encoding: \"chunked\"", 400),
        ("Transfer-Encoding: identity", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", 400),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Host: b", 400),
        ("Foo", 400),
        ("X: a\n\r\n", 400),
        ("Expect: nothing", 417),
    ];
    for (field, status) in table {
        let mut client = server.client();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n{hidden}"));
        let response = client.response();
        assert_eq!((response.status, response.field("connection")), (status, Some("close")), "{field}");
        client.expect_closed();
    }
}

#[test]
fn http_91_broken_chunks_are_refused_and_closed() {
    let server = serve(echo);
    for body in
        ["0x5\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5;\nx\r\n", "5 \r\nhello\r\n"]
    {
        let mut client = server.client();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
        client.try_send("GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response();
        assert_eq!((response.status, response.field("connection")), (400, Some("close")), "{body}");
        client.expect_closed();
    }
}

#[test]
fn http_95_trailers_do_not_become_variables() {
    let server = serve(|mut environ: gateway_spec::Environ, start_response: gateway_spec::StartResponse| {
        environ.input.read_all(100)?;
        let seen = environ.iter().any(|(name, _)| name == "HTTP_X_AUTH");
        ok(start_response, seen.to_string())
    });
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Auth: root\r\n\r\n");
    assert_eq!(client.response().text(), "false");
}
