//! Our gateway in front of CGI programs that are not ours, in Perl and Python; FastCGI workers are in `foreign_workers`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use gateway_tests::client::{Content, Payload, Request, Response, send};
use gateway_tests::place::Place;
use gateway_tests::process::Running;
use gateway_tests::servers::ours;

const MIB: u64 = 1 << 20;

fn ask(server: &Running, request: &Request) -> Response {
    let mut request = request.clone();
    request.target = format!("/app{}", request.target);
    send(server.address, &request).unwrap_or_else(|e| panic!("{}: {e}\n{}", request.target, server.logs()))
}

/// What every one of these programs answers.
fn check_program(server: &Running) {
    let hello = ask(server, &Request::get("/hello"));
    assert_eq!((hello.status, hello.text().as_str()), (200, "Hello, World!"), "{}", server.logs());
    let head = ask(server, &Request::new("HEAD", "/hello"));
    assert_eq!((head.status, head.content.length), (200, 0));
    let upload = ask(server, &Request::post("/upload", Payload::Pattern(64 * MIB)));
    assert_eq!(upload.text(), (64 * MIB).to_string());
    // The gateway owes a program the length that a chunked body has (PHP, Perl and Python trust CONTENT_LENGTH).
    let chunked = ask(server, &Request::post("/upload", Payload::Chunked(MIB)));
    assert_eq!(chunked.text(), MIB.to_string());
    let echo = ask(server, &Request::post("/echo", Payload::Pattern(8 * MIB)).field("Content-Type", "text/x-note"));
    assert_eq!(echo.content, Content::of_pattern(8 * MIB));
    assert!(echo.field("content-type").is_some_and(|t| t.starts_with("text/x-note")), "{:?}", echo.fields);
    let stream = ask(server, &Request::get("/stream"));
    assert!(stream.content.complete && stream.content.length == 64 * MIB, "{} bytes", stream.content.length);
    let cookies = ask(server, &Request::get("/cookies"));
    assert_eq!(cookies.all("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
    let missing = ask(server, &Request::get("/missing"));
    assert_eq!((missing.status, missing.text().as_str()), (404, "nothing here"));
    let redirect = ask(server, &Request::get("/redirect"));
    assert_eq!((redirect.status, redirect.field("location")), (302, Some("http://example.org/there")));
    let stderr = ask(server, &Request::get("/stderr"));
    assert_eq!((stderr.status, stderr.text().as_str()), (200, "written"));
    assert!(server.logs().contains("a line for the error stream"), "the error stream is not in the log");
    check_variables(server);
}

fn check_variables(server: &Running) {
    let request = Request::get("/environ/a%2520b?x=%20&y").field("X-Note", "n").field("Proxy", "http://evil.example");
    let answer: serde_json::Value = serde_json::from_str(&ask(server, &request).text()).unwrap();
    let variable = |name: &str| answer["variables"][name].as_str().map(str::to_owned);
    for (name, value) in [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", "/app"),
        ("PATH_INFO", "/environ/a%20b"),
        ("QUERY_STRING", "x=%20&y"),
        ("REQUEST_URI", "/app/environ/a%2520b?x=%20&y"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("HTTP_X_NOTE", "n"),
    ] {
        assert_eq!(variable(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(variable("HTTP_PROXY"), None);
}

fn cgi(name: &str, text: &str) -> Running {
    let place = Place::new();
    let script = place.write_script(name, text);
    ours::gateway(place, Vec::new(), &[format!("/app=cgi:{}", script.display())])
}

#[test]
fn perl_over_cgi() {
    check_program(&cgi("testbed.pl", include_str!("../programs/testbed.pl")));
}

#[test]
fn python_over_cgi() {
    check_program(&cgi("testbed.py", include_str!("../programs/testbed.py")));
}
