//! What a worker gets: parameters and bodies.

use std::io::Write;

use crate::worker::{HELLO, PARAMS, STDIN, STDOUT, Worker, answer, end, fcgi, record};

/// SCRIPT_NAME, PATH_INFO, SCRIPT_FILENAME and DOCUMENT_ROOT.
fn places(uri: &str, flags: &[&str]) -> [Option<String>; 4] {
    let (done, asked) = Worker::answering(answer(HELLO)).get(uri, flags);
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{uri}");
    ["SCRIPT_NAME", "PATH_INFO", "SCRIPT_FILENAME", "DOCUMENT_ROOT"].map(|name| asked.param(name).map(str::to_owned))
}

#[track_caller]
fn check_places(uri: &str, flags: &[&str], wanted: [Option<&str>; 4]) {
    assert_eq!(places(uri, flags), wanted.map(|value| value.map(str::to_owned)), "{uri} {flags:?}");
}

#[test]
fn fcgi_90_a_uri_is_cut_as_our_gateway_cuts_it() {
    let (_, asked) = Worker::answering(answer(HELLO)).get("/caf%C3%A9/x?a=b%20c&d", &[]);
    for (name, value) in [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", "/café/x"),
        ("QUERY_STRING", "a=b%20c&d"),
        ("REQUEST_URI", "/caf%C3%A9/x?a=b%20c&d"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", "80"),
        ("HTTP_HOST", "localhost"),
        ("REDIRECT_STATUS", "200"),
    ] {
        assert_eq!(asked.param(name), Some(value), "{name}");
    }
    for name in ["CONTENT_LENGTH", "CONTENT_TYPE", "SCRIPT_FILENAME", "HTTPS"] {
        assert_eq!(asked.param(name), None, "{name}");
    }
}

#[test]
fn fcgi_112_a_script_has_its_file() {
    let php = |uri, flags: &[&str], name, info, file, root| {
        check_places(uri, flags, [Some(name), Some(info), Some(file), root]);
    };
    php("/a/x.php/y", &["--root", "/srv"], "/a/x.php", "/y", "/srv/a/x.php", Some("/srv"));
    php("/status", &["--root", "/"], "/status", "", "/status", Some("/"));
    php("/x", &["--root", "/srv", "--script-filename", "/srv/i.php"], "/x", "", "/srv/i.php", Some("/srv"));
    php("/a/b", &["--script-name", "/a", "--script-filename", "/f"], "/a", "/b", "/f", None);
}

#[test]
fn a_whole_url_and_a_host_field_say_who_is_asked() {
    let (_, asked) = Worker::answering(answer(HELLO)).get("https://example.org:8443/x", &[]);
    let seen =
        ["HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "HTTPS", "REQUEST_URI"].map(|name| asked.param(name).unwrap());
    assert_eq!(seen, ["example.org:8443", "example.org", "8443", "on", "/x"]);
    let (_, asked) = Worker::answering(answer(HELLO)).get("/", &["-H", "Host: example.net"]);
    assert_eq!((asked.param("HTTP_HOST"), asked.param("SERVER_NAME")), (Some("example.net"), Some("example.net")));
}

#[test]
fn fields_become_parameters_and_parameters_win() {
    let flags = [
        "-H",
        "Cookie: a=1",
        "-H",
        "cookie: b=2",
        "-H",
        "X-Note:  n ",
        "-p",
        "HTTP_X_NOTE=m",
        "-p",
        "own=",
        "-p",
        "REMOTE_ADDR=10.0.0.1=x",
        "--without",
        "REDIRECT_STATUS",
        "-H",
        "Authorization: Basic eA==",
    ];
    let (done, asked) = Worker::answering(answer(HELLO)).get("/", &flags);
    assert_eq!(done.code, 0, "{}", done.err);
    for (name, value) in [
        ("HTTP_COOKIE", Some("a=1; b=2")),
        ("HTTP_X_NOTE", Some("m")),
        ("own", Some("")),
        ("REMOTE_ADDR", Some("10.0.0.1=x")),
        ("REDIRECT_STATUS", None),
        ("HTTP_AUTHORIZATION", Some("Basic eA==")),
    ] {
        assert_eq!(asked.param(name), value, "{name}");
    }
}

#[test]
fn cgi_21_a_body_has_its_length_wherever_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    let body: Vec<u8> = (0..300_000_u32).map(|at| b'a' + u8::try_from(at % 26).unwrap()).collect();
    std::fs::write(&file, &body).unwrap();
    let at_file = format!("@{}", file.display());
    let text = String::from_utf8(body.clone()).unwrap();
    for (data, wanted) in [("a=b", b"a=b".to_vec()), ("", vec![]), (&at_file, body.clone()), ("-", body)] {
        let (done, asked) =
            Worker::answering(answer(HELLO)).ask(&["post", "ADDR", "/", "--data", data], text.as_bytes());
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{data}");
        assert!(asked.stdin == wanted, "{data}: {} bytes", asked.stdin.len());
        assert_eq!(asked.param("CONTENT_LENGTH"), Some(wanted.len().to_string().as_str()), "{data}");
        assert_eq!(asked.param("CONTENT_TYPE"), Some("application/x-www-form-urlencoded"), "{data}");
    }
}

#[test]
fn a_post_without_a_body_says_so_and_other_methods_can_be_named() {
    let (_, asked) = Worker::answering(answer(HELLO)).ask(&["post", "ADDR", "/"], b"");
    assert_eq!((asked.param("CONTENT_LENGTH"), asked.param("CONTENT_TYPE")), (Some("0"), None));
    assert_eq!(asked.kinds.iter().filter(|kind| **kind == STDIN).count(), 1);
    let flags = ["get", "ADDR", "/", "-X", "PUT", "-d", "{}", "-H", "Content-Type: application/json"];
    let (_, asked) = Worker::answering(answer(HELLO)).ask(&flags, b"");
    let seen = ["REQUEST_METHOD", "CONTENT_LENGTH", "CONTENT_TYPE"].map(|name| asked.param(name).unwrap());
    assert_eq!(seen, ["PUT", "2", "application/json"]);
}

#[test]
fn fcgi_45_long_parameters_are_sent_whole() {
    let value = format!("LONG={}", "x".repeat(40_000));
    let more = format!("MORE={}", "y".repeat(40_000));
    let (_, asked) = Worker::answering(answer(HELLO)).get("/", &["-p", &value, "-p", &more]);
    assert_eq!((asked.param("LONG").unwrap().len(), asked.param("MORE").unwrap().len()), (40_000, 40_000));
    assert_eq!(asked.kinds.iter().filter(|kind| **kind == PARAMS).count(), 3);
    let value = format!("LONG={}", "x".repeat(65_536));
    let (done, _) = Worker::start(|_| {}).get("/", &["-p", &value]);
    assert_eq!((done.code, done.err.contains("does not fit into one record")), (2, true), "{}", done.err);
}

#[test]
fn fcgi_116_an_answer_that_comes_before_the_body_was_taken_is_taken() {
    let (body, long) = (vec![b'x'; 5_000_000], vec![b'y'; 60_000]);
    let worker = Worker::start(move |line| {
        line.read_to(PARAMS);
        line.write(&record(STDOUT, HELLO.as_bytes()));
        for _ in 0..50 {
            line.write(&record(STDOUT, &long));
        }
        line.read_to(STDIN);
        line.stream.write_all(&end(0, 0)).unwrap();
    });
    let (done, asked) = worker.ask(&["post", "ADDR", "/", "-d", "-"], &body);
    assert_eq!((done.code, done.out.len(), asked.stdin.len()), (0, 3_000_006, body.len()), "{}", done.err);
}

#[test]
fn fcgi_92_a_worker_that_wants_no_more_of_the_body_is_heard() {
    let worker = Worker::start(|line| {
        line.read_to(PARAMS);
        line.write(&answer(HELLO));
    });
    let (done, _) = worker.ask(&["post", "ADDR", "/", "-d", "-"], &vec![b'x'; 3_000_000]);
    assert_eq!((done.code, done.out.as_str()), (0, "hello\n"), "{}", done.err);
}

#[test]
fn every_mistake_in_the_command_is_told_and_nobody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    let missing = format!("@{}", missing.display());
    let flags = [
        "get",
        "unix:",
        "x y",
        "--param",
        "A",
        "--role",
        "king",
        "--timeout",
        "5",
        "--data",
        &missing,
        "--dump-bytes",
        "x",
    ];
    let done = fcgi(&flags, b"");
    assert_eq!((done.code, done.out.as_str()), (2, ""));
    for flag in ["ADDR", "--timeout", "--dump-bytes"] {
        assert!(done.err.contains(&format!("gateway: {flag}: ")), "{flag}: {}", done.err);
    }
    let address = format!("unix:{}/s", folder.path().display());
    for (flags, wanted) in [
        (&["x"][..], "gateway: URI: \"x\" is not allowed; allowed is a path such as /search?q=x"),
        (&["/../x"], "gateway: URI: \"/../x\": dot segment"),
        (&["/", "-p", "A"], "gateway: --param: \"A\" is not allowed; allowed is NAME=VALUE"),
        (&["/", "-H", "A"], "gateway: --header: \"A\" is not allowed; allowed is NAME: VALUE"),
        (&["/", "-H", "Proxy: x"], "gateway: --header: \"Proxy\": no gateway of ours passes this field on"),
        (&["/", "-d", &missing], "none: No such file or directory"),
        (&["/", "--role", "king"], "allowed is responder, authorizer or filter"),
        (&["/", "--role", "filter"], "gateway: --file: missing"),
        (&["/", "--file", "x"], "only a Filter gets a file"),
        (&["/", "--role", "authorizer", "-d", "x"], "an Authorizer gets no body"),
        (&["/x", "--script-name", "/y"], "the path does not start with it"),
        (&[], "required"),
    ] {
        let done = fcgi(&[&["get", address.as_str()], flags].concat(), b"");
        assert!(done.code == 2 && done.err.contains(wanted), "{flags:?}: {} {}", done.code, done.err);
    }
}
