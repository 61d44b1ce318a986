//! What the application is told about a request, and the answers that the server gives by itself.

use super::support::*;
use gateway_server::serve::{Handler, Route, Router, Server};
use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// Every variable, one a line.
fn variables(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let lines: String = environ.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    ok(start_response, lines)
}

#[track_caller]
fn check(request: &str, expected: &[&str], absent: &[&str]) {
    let server = serve(variables);
    let mut client = server.client();
    client.send(request);
    let response = client.response();
    assert_eq!(response.status, 200);
    let lines: Vec<&str> = response.text().lines().collect();
    for line in expected {
        let line = line.replace("{port}", &server.port().to_string());
        assert!(lines.contains(&&*line), "{line} is missing: {lines:#?}");
    }
    for name in absent {
        assert!(!lines.iter().any(|line| line.starts_with(&format!("{name}="))), "{name} is there: {lines:#?}");
    }
}

#[test]
fn cgi_variables_of_a_request() {
    check(
        "GET /a%20b/c?x=%20y HTTP/1.1\r\nHost: Example.org:8\r\nUser-Agent: t\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
        &[
            "REQUEST_METHOD=GET",
            "SCRIPT_NAME=",
            "PATH_INFO=/a b/c",
            "QUERY_STRING=x=%20y",
            "REQUEST_URI=/a%20b/c?x=%20y",
            "REQUEST_SCHEME=http",
            "SERVER_NAME=Example.org",
            "SERVER_PORT={port}",
            "SERVER_PROTOCOL=HTTP/1.1",
            "GATEWAY_INTERFACE=CGI/1.1",
            "REMOTE_ADDR=127.0.0.1",
            "SERVER_ADDR=127.0.0.1",
            "HTTP_HOST=Example.org:8",
            "HTTP_USER_AGENT=t",
            "HTTP_X_A=1, 2",
        ],
        &["CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_CONNECTION", "AUTH_TYPE", "REMOTE_USER"],
    );
}

#[test]
fn cgi_38_server_name_without_a_host_is_our_address() {
    check("GET / HTTP/1.0\r\n\r\n", &["SERVER_NAME=127.0.0.1", "SERVER_PROTOCOL=HTTP/1.0"], &["HTTP_HOST"]);
    check("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", &["SERVER_NAME=[::1]", "HTTP_HOST=[::1]:8080"], &[]);
}

#[test]
fn http_30_the_targets_host_replaces_the_field() {
    check(
        "GET http://right:81/p HTTP/1.1\r\nHost: wrong\r\n\r\n",
        &["SERVER_NAME=right", "HTTP_HOST=right:81", "PATH_INFO=/p", "REQUEST_URI=http://right:81/p"],
        &[],
    );
    check("GET http://right HTTP/1.1\r\nHost: wrong\r\n\r\n", &["PATH_INFO=/", "HTTP_HOST=right"], &[]);
}

#[test]
fn http_38_paths_are_decoded_once() {
    check("GET /%252e%2e%2f HTTP/1.1\r\nHost: a\r\n\r\n", &["PATH_INFO=/%2e./"], &[]);
    let server = serve(variables);
    let mut client = server.client();
    for path in ["/%00", "/%", "/%2", "/%zz", "/a%+1"] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.response().status, 400, "{path}");
    }
}

#[test]
fn http_175_and_176_fields_about_the_connection_stay_here() {
    check(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: X-Foo, Host, Content-Length, Authorization, x-forwarded-for\r\nX-Foo: 1\r\nX-Bar: 2\r\n\
         Keep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Connection: x\r\nAuthorization: y\r\nX-Forwarded-For: z\r\nContent-Length: 2\r\n\r\nhi",
        &["HTTP_X_BAR=2", "HTTP_HOST=a", "CONTENT_LENGTH=2", "HTTP_AUTHORIZATION=y", "HTTP_X_FORWARDED_FOR=z"],
        &["HTTP_X_FOO", "HTTP_CONNECTION", "HTTP_KEEP_ALIVE", "HTTP_TE", "HTTP_UPGRADE", "HTTP_PROXY_CONNECTION"],
    );
}

#[test]
fn cgi_170_and_172_dangerous_names_do_not_become_variables() {
    check(
        "GET / HTTP/1.1\r\nHost: a\r\nProxy: evil\r\nX_Forwarded_For: evil\r\nContent_Length: 9\r\n\r\n",
        &[],
        &["HTTP_PROXY", "HTTP_X_FORWARDED_FOR", "CONTENT_LENGTH", "HTTP_CONTENT_LENGTH"],
    );
}

#[test]
fn http_70_a_chunked_body_has_no_content_length() {
    check(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Type: x/y\r\n\r\n0\r\n\r\n",
        &["CONTENT_TYPE=x/y"],
        &["CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_TYPE"],
    );
}

#[test]
fn http_28_33_34_35_36_the_server_answers_for_itself() {
    let server = serve(|_: Environ, _: StartResponse| -> Result<Body, AppError> { panic!("not the application's") });
    let mut client = server.client();
    client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    let options = client.response();
    assert_eq!((options.status, options.body.len()), (200, 0));
    assert!(options.field("allow").unwrap().contains("HEAD"));
    client.send("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n");
    let trace = client.response();
    assert_eq!(trace.status, 405);
    assert!(trace.field("allow").is_some());
    client.send("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    assert_eq!(client.response().status, 501);
    client.expect_closed();
}

#[test]
fn http_151_every_response_has_a_date() {
    let server = serve_with(
        config().header_timeout(Duration::from_millis(150)),
        |environ: Environ, start_response: StartResponse| match environ.path_info().to_str()?.strip_prefix("/status/") {
            Some(status) => {
                start_response(StatusCode::from_bytes(status.as_bytes())?, headers!["location" => "/"])?;
                Ok(Body::empty())
            }
            None => Err("a failure".into()),
        },
    );
    let status = |status: u16, version: &str| format!("GET /status/{status} HTTP/{version}\r\nHost: a\r\n\r\n");
    let mut asked: Vec<(u16, String)> =
        [200, 204, 206, 301, 304, 403, 404, 500].into_iter().map(|code| (code, status(code, "1.1"))).collect();
    asked.push((200, status(200, "1.0")));
    asked.push((500, "GET /fails HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()));
    // What the server answers by itself: about itself, to what is malformed, to what it does not know, and to the slow.
    asked.push((200, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()));
    asked.push((400, "GET / HTTP/1.1\r\n\r\n".to_owned()));
    asked.push((405, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()));
    asked.push((505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n".to_owned()));
    asked.push((408, "GET / HTTP/1.1\r\n".to_owned()));
    for (status, request) in asked {
        let mut client = server.client();
        client.send(&request);
        let response = client.response_head();
        assert_eq!(response.status, status, "{request}");
        let dates: Vec<&str> = response.head.lines().filter_map(|line| line.strip_prefix("date: ")).collect();
        let [date] = dates[..] else { panic!("{request}: {dates:?}") };
        // The two older forms would be read as well, but not written the same.
        let told = httpdate::parse_http_date(date).unwrap();
        assert_eq!(httpdate::fmt_http_date(told), date, "{request}");
        let age = SystemTime::now().duration_since(told).unwrap();
        assert!(age < Duration::from_secs(10), "{request}: {date} was {age:?} ago");
    }
}

#[test]
fn http_151_the_date_is_written_anew() {
    let server = serve(echo);
    let mut client = server.client();
    let mut dates = BTreeSet::new();
    eventually("another second", || {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        dates.insert(client.response().field("date").unwrap().to_owned());
        dates.len() > 1
    });
}

#[test]
fn http_152_155_refusals_say_why_except_to_head() {
    struct Nowhere;
    impl Router for Nowhere {
        fn route<'a>(&'a self, _path: &[u8]) -> Option<Route<'a>> {
            None
        }
    }
    let server = start(Server::routed(Nowhere).config(config()));
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let get = client.response();
    assert_eq!((get.status, get.text()), (404, "Not Found\n"));
    assert_eq!(get.field("content-type"), Some("text/plain"));
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response_head().field("content-length"), Some("10"));
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(client.response().status, 404);
    client.expect_closed();
}

#[test]
fn a_router_chooses_by_the_decoded_path() {
    struct Two(Handler, Handler);
    impl Router for Two {
        fn route<'a>(&'a self, path: &[u8]) -> Option<Route<'a>> {
            Some(match path.strip_prefix(b"/a b") {
                Some([] | [b'/', ..]) => Route { script_name_bytes: 4, handler: &self.0 },
                _ => Route { script_name_bytes: 0, handler: &self.1 },
            })
        }
    }
    let server = start(Server::routed(Two(Handler::new(variables), Handler::new(echo))).config(config()));
    let mounted = server.get("/a%20b/rest");
    assert!(mounted.text().contains("SCRIPT_NAME=/a b\nPATH_INFO=/rest\n"), "{}", mounted.text());
    assert_eq!(server.get("/else").text(), "/else ");
}

#[test]
fn a_unix_socket_serves_as_well() {
    use std::io::{Read, Write};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let bound = Server::new(variables).config(config()).bind(&format!("unix:{}", path.display())).unwrap();
    let handle = bound.handle();
    let thread = std::thread::spawn(|| bound.run());
    let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a:90\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("\nSERVER_PORT=90\n") && text.contains("\nREMOTE_ADDR=127.0.0.1\n"), "{text}");
    assert!(!text.contains("SERVER_ADDR="), "{text}");
    handle.stop();
    thread.join().unwrap().unwrap();
    assert!(!path.exists());
}
