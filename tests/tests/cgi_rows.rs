//! Rows of RFC 3875 that only a whole request shows: through `gateway serve` to a shell script and back.
//!
//! Holds what no other test of a row holds; `docs/cgi.md` says for each row where its tests are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::needless_pass_by_value)] // what an application looks like

use std::collections::BTreeMap;
use std::net::SocketAddr;

use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
use gateway_tests::client::{Connection, Content, Payload, Request, Response, send};
use gateway_tests::place::Place;
use gateway_tests::process::Running;
use gateway_tests::servers::ours;

/// Our host with one script that answers everything below `/cgi`.
fn host(script: &str) -> Running {
    let place = Place::new();
    let file = place.write_script("script", &format!("#!/bin/sh\n{script}\n"));
    ours::gateway(place, Vec::new(), &[format!("/cgi=cgi:{}", file.display())])
}

/// A script that answers with its variables, one a line.
fn variables() -> Running {
    host("printf 'Content-Type: text/plain\\n\\n'; env")
}

fn ask(server: &Running, request: &Request) -> Response {
    let response = send(server.address, request).unwrap_or_else(|e| panic!("{e}\n{}", server.logs()));
    assert!(response.content.complete, "{}", server.logs());
    response
}

/// What the script was told.
#[track_caller]
fn told(server: &Running, request: &Request) -> BTreeMap<String, String> {
    let response = ask(server, request);
    assert_eq!(response.status, 200, "{request:?}\n{}", server.logs());
    let text = response.text();
    text.lines().filter_map(|line| line.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

fn value<'a>(variables: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    variables.get(name).map(String::as_str)
}

/// A part of a path as a URL has it; `;`, `=` and `?` are encoded too (RFC 3875 §3.3).
fn encoded(path: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(byte);
    path.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[test]
fn cgi_5_6_14_the_script_uri_gives_the_same_variables_again() {
    let server = variables();
    for target in [
        "/cgi",
        "/cgi/",
        "/cgi/a/b?x=%26&y=a+b",
        "/cgi/p%3Bq%3Dr%3Fs?",
        "/cgi/a+b&c:@$,[]?/?",
        "/cgi/%C3%A9%25/%20/.x",
        "/cgi//x//",
    ] {
        let first = told(&server, &Request::get(target));
        let part = |name: &str| first[name].clone();
        let query = if part("QUERY_STRING").is_empty() { String::new() } else { format!("?{}", part("QUERY_STRING")) };
        let uri = format!("{}{}{query}", encoded(&part("SCRIPT_NAME")), encoded(&part("PATH_INFO")));
        let second = told(&server, &Request::get(&uri));
        for name in ["SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"] {
            assert_eq!(value(&first, name), value(&second, name), "{name} of {target}, asked for again as {uri}");
        }
    }
}

#[test]
fn cgi_13_27_36_the_case_of_values_is_kept() {
    let server = variables();
    let told = told(&server, &Request::new("get", "/cgi/AbC?xYz").field("X-Mixed", "aBc"));
    assert_eq!(value(&told, "REQUEST_METHOD"), Some("get"));
    assert_eq!(value(&told, "PATH_INFO"), Some("/AbC"));
    assert_eq!(value(&told, "QUERY_STRING"), Some("xYz"));
    assert_eq!(value(&told, "HTTP_X_MIXED"), Some("aBc"));
}

#[test]
fn cgi_22_a_content_type_is_told_as_sent_and_never_guessed() {
    let server = variables();
    let post = |body: &str| Request::post("/cgi", body);
    assert_eq!(value(&told(&server, &post("<html>")), "CONTENT_TYPE"), None);
    let typed = post("x").field("Content-Type", "Text/Plain; Charset=ISO-8859-1");
    assert_eq!(value(&told(&server, &typed), "CONTENT_TYPE"), Some("Text/Plain; Charset=ISO-8859-1"));
}

#[test]
fn cgi_32_39_the_address_and_the_port_are_those_of_the_connection() {
    let server = variables();
    let told = told(&server, &Request::get("/cgi").field("Host", "example.org:99"));
    assert_eq!(value(&told, "REMOTE_ADDR"), Some("127.0.0.1"));
    assert_eq!(value(&told, "SERVER_PORT"), Some(&*server.address.port().to_string()));
}

#[test]
fn cgi_58_no_spelling_of_transfer_encoding_reaches_a_program() {
    let server = variables();
    let request = Request::post("/cgi", Payload::Chunked(10)).field("Transfer_Encoding", "chunked");
    let told = told(&server, &request);
    assert_eq!(value(&told, "CONTENT_LENGTH"), Some("10"));
    let named: Vec<_> = told.keys().filter(|name| name.contains("TRANSFER")).collect();
    assert!(named.is_empty(), "{named:?}");
}

#[test]
fn cgi_66_content_codings_are_left_to_the_program() {
    let server = host("printf 'Content-Type: text/plain\\n\\n%s %s ' $HTTP_CONTENT_ENCODING $CONTENT_LENGTH; cat");
    let request = Request::post("/cgi", "no gzip, but who looks").field("Content-Encoding", "gzip");
    assert_eq!(ask(&server, &request).text(), "gzip 22 no gzip, but who looks");
}

#[test]
fn cgi_80_81_83_84_174_no_query_becomes_an_argument() {
    let server = host("printf 'Content-Type: text/plain\\n\\n%s' \"$# $QUERY_STRING\"");
    let long = "w+".repeat(3000);
    for query in ["a+b", "-s", "%2Ds", "+-s", "%ADs", "%AD", "$(x)", "`x`", "--", "", &long] {
        let response = ask(&server, &Request::get(&format!("/cgi?{query}")));
        assert_eq!(response.text(), format!("0 {query}"));
    }
}

#[test]
fn cgi_106_each_version_of_http_gets_the_answer_in_its_own_form() {
    let server = host("printf 'Content-Type: text/plain\\n\\nbody of %s' $SERVER_PROTOCOL");
    let new = ask(&server, &Request::get("/cgi"));
    assert_eq!((new.text().as_str(), new.field("transfer-encoding")), ("body of HTTP/1.1", Some("chunked")));
    let mut old = Connection::open(server.address).unwrap();
    old.send_raw(b"GET /cgi HTTP/1.0\r\nHost: h\r\n\r\n").unwrap();
    let old = old.receive("GET").unwrap();
    assert_eq!((old.text().as_str(), old.field("transfer-encoding")), ("body of HTTP/1.0", None));
    assert!(new.field("date").is_some() && old.field("date").is_some());
}

#[test]
fn cgi_111_a_redirect_with_a_document_keeps_its_status_and_its_document() {
    for status in [301, 302, 303, 307, 308] {
        let fields = format!("Status: {status} Elsewhere\\nLocation: http://example.org/x\\nContent-Type: text/plain");
        let server = host(&format!("printf '{fields}\\n\\nover there'"));
        let response = ask(&server, &Request::get("/cgi"));
        assert_eq!((response.status, response.text().as_str()), (status, "over there"));
        assert_eq!(response.field("location"), Some("http://example.org/x"));
        assert_eq!(response.field("content-type"), Some("text/plain"));
    }
}

#[test]
fn cgi_124_no_content_type_is_made_up() {
    let server = host("printf 'Status: 200\\n\\n<!doctype html><title>x</title>'");
    let response = ask(&server, &Request::get("/cgi"));
    assert_eq!((response.status, response.field("content-type")), (200, None));
}

#[test]
fn cgi_64_a_program_that_speaks_http_itself_gets_its_body_as_it_was_sent() {
    let place = Place::new();
    let text = "#!/bin/sh\nprintf 'HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\n'; cat\n";
    let file = place.write_script("nph-echo", text);
    let server = ours::gateway(place, Vec::new(), &[format!("/cgi=cgi:{}?nph=named", file.display())]);
    let response = ask(&server, &Request::post("/cgi", Payload::Pattern(100_000)));
    assert_eq!((response.status, response.content), (200, Content::of_pattern(100_000)));
}

#[test]
fn cgi_41_the_server_field_says_what_programs_are_told() {
    fn tells(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
        let software = environ.get("SERVER_SOFTWARE").map(|value| value.as_bytes().to_vec());
        Ok(software.unwrap_or_default().into())
    }
    let config = gateway_server::serve::Config::default().threads(1).server_field(true);
    let bound = gateway_server::serve::Server::new(tells).config(config).bind("127.0.0.1:0").unwrap();
    let address = bound.addresses().next().unwrap().to_string();
    let address: SocketAddr = address.trim_start_matches("tcp:").parse().unwrap();
    let handle = bound.handle();
    let thread = std::thread::spawn(|| bound.run());
    let answer = send(address, &Request::get("/"));
    handle.stop();
    thread.join().unwrap().unwrap();
    let answer = answer.unwrap();
    assert_eq!(answer.field("server"), Some(&*answer.text()));
    assert!(answer.text().contains('/'), "{}", answer.text());
}
