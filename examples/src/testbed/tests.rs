//! Every path, called directly: the yardstick that every gateway is compared with.

use std::sync::{Arc, Mutex, PoisonError};

use gateway_spec::{Environ, ErrorSink, ErrorStream, Input};
use serde_json::Value as Json;

use super::application;
use crate::direct::{Answer, call, get, post};

/// Only one test at a time may look at the count of closed bodies, or make one.
static COUNTING: Mutex<()> = Mutex::new(());

fn ask(target: &str) -> Answer {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    get(&application, target)
}

fn send(target: &str, content_type: &str, body: &str) -> Answer {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    post(&application, target, content_type, body)
}

#[track_caller]
fn check_text(target: &str, status: u16, body: &str) {
    let answer = ask(target);
    assert_eq!((answer.status, answer.text()), (status, body), "{target}");
    assert_eq!(answer.field("content-type"), Some("text/plain"), "{target}");
    assert_eq!(answer.field("content-length"), Some(body.len().to_string().as_str()), "{target}");
    assert!(answer.complete && answer.failure.is_none(), "{target}: {:?}", answer.failure);
}

#[test]
fn hello_is_thirteen_bytes_at_both_its_paths() {
    check_text("/", 200, "Hello, World!");
    check_text("/hello", 200, "Hello, World!");
}

#[test]
fn short_answers_are_what_they_say() {
    check_text("/sleep/1", 200, "slept 1 ms\n");
    check_text("/sleep/60001", 400, "at most 60000 milliseconds\n");
    check_text("/status/404", 404, "status 404\n");
    check_text("/status/200", 200, "status 200\n");
    check_text("/status/599", 599, "status 599\n");
    check_text("/status/100", 400, "a status is a number from 200 to 599\n");
    check_text("/status/600", 400, "a status is a number from 200 to 599\n");
    check_text("/status/x", 400, "that number makes no sense here\n");
    check_text("/no/such/path", 404, "no such path\n");
}

#[test]
fn a_status_without_content_has_none_and_describes_none() {
    for code in [204, 205, 304] {
        let answer = ask(&format!("/status/{code}"));
        assert_eq!((answer.status, answer.body.len()), (code, 0));
        assert_eq!(answer.field("content-type"), None, "{code}");
    }
}

#[test]
fn echo_gives_back_body_and_type_and_length() {
    let answer = send("/echo", "text/x-note", "some text");
    assert_eq!((answer.status, answer.text()), (200, "some text"));
    assert_eq!(answer.field("content-type"), Some("text/x-note"));
    assert_eq!(answer.field("content-length"), Some("9"));
    let empty = ask("/echo");
    assert_eq!(empty.field("content-type"), Some("application/octet-stream"));
    assert_eq!((empty.body.len(), empty.field("content-length")), (0, Some("0")));
}

#[test]
fn echo_streams_a_body_of_unknown_length_piece_by_piece() {
    let mut environ = Environ::example("POST", "/echo");
    environ.input = Input::reader(std::io::repeat(b'e').take_bytes(200_000), None);
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = call(&application, environ);
    assert_eq!((answer.body.len(), answer.field("content-length")), (200_000, None));
    assert!(answer.chunks.len() > 2 && answer.chunks.iter().all(|length| *length <= 65_536), "{:?}", answer.chunks);
}

/// `Read::take`, spelled so that the trait need not be imported for one call.
trait TakeBytes: std::io::Read + Sized {
    fn take_bytes(self, limit: u64) -> std::io::Take<Self> {
        std::io::Read::take(self, limit)
    }
}
impl<R: std::io::Read> TakeBytes for R {}

#[test]
fn upload_answers_the_count() {
    assert_eq!(send("/upload", "text/plain", "12345").text(), "5");
    assert_eq!(ask("/upload").text(), "0");
}

#[test]
fn http_86_a_body_that_ends_early_is_the_clients_fault() {
    let mut environ = Environ::example("POST", "/upload");
    environ.input = Input::reader(&b"abc"[..], Some(5));
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(call(&application, environ).status, 400);
}

#[test]
fn download_and_bytes_have_their_length() {
    for (target, length) in [("/download", 1 << 20), ("/bytes/0", 0), ("/bytes/1", 1), ("/bytes/200000", 200_000)] {
        let answer = ask(target);
        assert_eq!((answer.status, answer.body.len(), answer.complete), (200, length, true), "{target}");
        assert_eq!(answer.field("content-length"), Some(length.to_string().as_str()), "{target}");
        assert!(answer.body.iter().all(|byte| *byte == b'x'), "{target}");
    }
}

#[test]
fn stream_has_no_length_and_comes_in_pieces_as_asked() {
    let answer = ask("/stream/2500?chunk=1000");
    assert_eq!((answer.chunks.as_slice(), answer.field("content-length")), (&[1000, 1000, 500][..], None));
    assert_eq!(ask("/stream/10000").chunks, [8192, 1808]);
    let empty = ask("/stream/0");
    assert_eq!((empty.status, empty.body.len()), (200, 0));
    for chunk in ["0", "", "x", "1048577", "-1"] {
        assert_eq!(ask(&format!("/stream/1?chunk={chunk}")).status, 400, "{chunk}");
    }
}

#[test]
fn pep_94_head_has_the_fields_of_get_and_no_body() {
    for target in ["/hello", "/download", "/bytes/100", "/stream/100", "/environ", "/cookies", "/lazy", "/length/long"]
    {
        let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
        let (get, head) = (get(&application, target), call(&application, Environ::example("HEAD", target)));
        assert_eq!((head.status, head.body.len(), head.complete), (get.status, 0, true), "{target}");
        if target != "/environ" {
            let fields = |answer: &Answer| answer.headers.clone().into_iter().collect::<Vec<_>>();
            assert_eq!(fields(&head), fields(&get), "{target}");
        }
    }
}

#[test]
fn environ_shows_every_variable_and_loses_no_byte() {
    let mut environ = Environ::example("POST", "/environ/x?q=%20");
    environ.set("X_BYTES", b"caf\xc3\xa9 \xff\\n").unwrap();
    environ.set("CONTENT_LENGTH", "5").unwrap();
    environ.input = Input::from("12345");
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = call(&application, environ);
    let json: Json = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(json["variables"]["X_BYTES"], "café \\xff\\\\n");
    assert_eq!(json["variables"]["QUERY_STRING"], "q=%20");
    assert_eq!(json["typed"]["path_info"], "/environ/x");
    assert_eq!((&json["typed"]["content_length"], &json["typed"]["input_length"]), (&5.into(), &5.into()));
    assert_eq!((&json["typed"]["url_scheme"], &json["typed"]["run_once"]), (&"http".into(), &false.into()));
}

#[test]
fn cookies_are_two_fields() {
    let answer = ask("/cookies");
    assert_eq!(answer.headers.get_all("set-cookie").count(), 2);
}

#[test]
fn pep_77_lazy_starts_in_its_first_iteration() {
    let answer = ask("/lazy");
    assert_eq!((answer.status, answer.text()), (200, "started late\nstarted late\n"));
}

#[test]
fn pep_126_what_was_written_comes_before_what_was_returned() {
    assert_eq!(ask("/write").text(), "written first\nwritten second\nreturned last\n");
}

#[test]
fn pep_82_restart_replaces_status_and_fields() {
    let answer = ask("/restart");
    assert_eq!((answer.status, answer.text()), (500, "no report: started again\n"));
    assert_eq!((answer.field("x-first"), answer.field("content-type")), (None, Some("text/plain")));
    assert!(answer.complete);
}

#[test]
fn pep_141_failures_before_the_head_are_500() {
    for (target, said) in [("/fail/before", "failed before the first chunk"), ("/panic", "asked for")] {
        let answer = ask(target);
        assert_eq!((answer.status, answer.complete), (500, true), "{target}");
        assert!(answer.failure.is_some_and(|failure| failure.contains(said)), "{target}");
    }
}

#[test]
fn pep_145_failures_after_the_head_abort() {
    for target in ["/fail/after", "/panic/after"] {
        let answer = ask(target);
        assert_eq!((answer.status, answer.text(), answer.complete), (200, "the first part\n", false), "{target}");
        assert!(answer.failure.is_some(), "{target}");
    }
}

#[test]
fn pep_90_92_a_wrong_content_length_is_cut_or_aborts() {
    let short = ask("/length/short");
    assert_eq!((short.field("content-length"), short.text()), (Some("5"), "Hello"));
    assert!(short.complete);
    let long = ask("/length/long");
    assert_eq!((long.field("content-length"), long.text()), (Some("100"), "Hello, World!"));
    assert!(!long.complete && long.failure.is_some());
}

#[test]
fn pep_104_every_body_is_closed_once_whatever_became_of_it() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let count = || get(&application, "/closed").text().parse::<u64>().unwrap();
    let before = count();
    let targets = [
        "/hello",
        "/stream/100",
        "/lazy",
        "/write",
        "/restart",
        "/fail/after",
        "/panic/after",
        "/length/long",
        "/length/short",
    ];
    for target in targets {
        let _ = get(&application, target);
        let _ = call(&application, Environ::example("HEAD", target));
    }
    // These two fail before there is a body.
    let _ = (get(&application, "/fail/before"), get(&application, "/panic"));
    let expected = before + 1 + 2 * targets.len() as u64;
    assert_eq!(count(), expected);
}

#[test]
fn stderr_writes_one_line_to_the_error_stream() {
    struct Kept(Mutex<String>);
    impl ErrorSink for Kept {
        fn write(&self, text: &str) {
            self.0.lock().unwrap().push_str(text);
        }
    }
    let kept = Arc::new(Kept(Mutex::default()));
    let mut environ = Environ::example("GET", "/stderr");
    environ.errors = ErrorStream::new(kept.clone());
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(call(&application, environ).status, 200);
    assert_eq!(*kept.0.lock().unwrap(), "testbed: a line for the error stream\n");
}
