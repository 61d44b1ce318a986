//! The program side in memory: environment and input in, output and outcome out.

#![allow(clippy::needless_pass_by_value)] // applications own what they are called with

use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gateway_spec::{AppError, Body, Bytes, Environ, ErrorSink, ErrorStream, StartResponse, StatusCode, headers};

use super::*;

/// An output that remembers each write apart.
#[derive(Clone, Default)]
struct Writes(Arc<Mutex<Vec<Vec<u8>>>>);

impl Writes {
    fn all(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap().concat()).into_owned()
    }
}

impl Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[io::IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let len = bytes.len();
        self.0.lock().unwrap().push(bytes);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes a number of writes, each cut to three bytes, and fails the next with `kind`.
struct Failing {
    writes: usize,
    kind: io::ErrorKind,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.writes == 0 {
            return Err(self.kind.into());
        }
        self.writes -= 1;
        Ok(bytes.len().min(3))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Log(Mutex<String>);

impl ErrorSink for Log {
    fn write(&self, text: &str) {
        self.0.lock().unwrap().push_str(text);
    }
}

struct Run {
    outcome: Outcome,
    writes: Writes,
    log: String,
}

const REQUEST: [(&str, &[u8]); 6] = [
    ("GATEWAY_INTERFACE", b"CGI/1.1"),
    ("REQUEST_METHOD", b"GET"),
    ("PATH_INFO", b"/p"),
    ("SERVER_NAME", b"localhost"),
    ("SERVER_PORT", b"80"),
    ("SERVER_PROTOCOL", b"HTTP/1.1"),
];

fn environment(more: &[(&str, &[u8])]) -> Vec<(OsString, OsString)> {
    let pairs = REQUEST.iter().chain(more);
    pairs.map(|(name, value)| (OsString::from(name), OsString::from_vec(value.to_vec()))).collect()
}

fn run(app: impl Application, more: &[(&str, &[u8])], stdin: impl Read + Send + 'static) -> Run {
    let (writes, log) = (Writes::default(), Arc::new(Log::default()));
    let outcome = serve_with(&app, environment(more), stdin, writes.clone(), &ErrorStream::new(log.clone()));
    let log = log.0.lock().unwrap().clone();
    Run { outcome, writes, log }
}

fn hello(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok("Hello, World!\n".into())
}

fn echo(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let body = environ.input.read_all(1 << 20)?;
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok(body.into())
}

/// Answers with what the environ says of one variable.
fn show(name: &'static str) -> impl Application {
    move |environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
        Ok(match environ.get(name) {
            Some(value) => format!("[{}]", value.as_bytes().escape_ascii()).into(),
            None => "unset".into(),
        })
    }
}

#[test]
fn cgi_154_head_and_first_chunk_leave_in_one_write() {
    let run = run(hello, &[], io::empty());
    assert_eq!(run.outcome, Outcome::Complete);
    let writes = run.writes.0.lock().unwrap().clone();
    assert_eq!(writes.len(), 1);
    let expected = "Status: 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 14\r\n\r\nHello, World!\n";
    assert_eq!(String::from_utf8_lossy(&writes[0]), expected);
    assert_eq!(run.log, "");
}

#[test]
fn cgi_62_no_byte_past_content_length_is_read() {
    /// Counts what is asked of it and never ends.
    struct Endless(Arc<AtomicUsize>);
    impl Read for Endless {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            into.fill(b'x');
            self.0.fetch_add(into.len(), Ordering::Relaxed);
            Ok(into.len())
        }
    }
    let given = Arc::new(AtomicUsize::new(0));
    let run = run(echo, &[("CONTENT_LENGTH", b"100000")], Endless(given.clone()));
    assert_eq!(given.load(Ordering::Relaxed), 100_000);
    assert!(run.writes.all().ends_with(&"x".repeat(100_000)));
}

#[test]
fn cgi_12_72_content_length_empty_zero_and_absent_are_alike() {
    /// Reading it is the failure.
    struct Untouchable;
    impl Read for Untouchable {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("stdin was read"))
        }
    }
    for more in [&[][..], &[("CONTENT_LENGTH", &b""[..])], &[("CONTENT_LENGTH", b"0")]] {
        let run = run(echo, more, Untouchable);
        assert_eq!((run.outcome, run.log.as_str()), (Outcome::Complete, ""));
        assert!(run.writes.all().contains("content-length: 0"), "{}", run.writes.all());
    }
}

#[test]
fn cgi_72_a_malformed_content_length_is_answered_with_400() {
    for value in ["x", "-1", "+1", "1 ", "0x10", "1,1", "18446744073709551616"] {
        let run = run(hello, &[("CONTENT_LENGTH", value.as_bytes())], io::empty());
        assert_eq!(run.outcome, Outcome::Complete);
        assert!(run.writes.all().starts_with("Status: 400 Bad Request\r\n"), "{value}");
        assert!(run.log.contains("CONTENT_LENGTH") && run.log.lines().count() == 1, "{}", run.log);
    }
}

#[test]
fn cgi_156_an_immense_content_length_allocates_nothing_and_a_short_body_is_an_error() {
    let run = run(echo, &[("CONTENT_LENGTH", b"18446744073709551615")], &b"short"[..]);
    assert!(run.writes.all().starts_with("Status: 500"), "{}", run.writes.all());
    assert!(run.log.contains("after 5 of 18446744073709551615 bytes"), "{}", run.log);
}

#[test]
fn cgi_55_bytes_that_are_not_utf_8_are_kept() {
    assert!(run(show("PATH_INFO"), &[("PATH_INFO", b"/caf\xe9")], io::empty()).writes.all().ends_with("[/caf\\xe9]"));
}

#[test]
fn cgi_31_37_null_variables_that_must_be_set_are_set() {
    assert!(run(show("SCRIPT_NAME"), &[], io::empty()).writes.all().ends_with("[]"));
    assert!(run(show("QUERY_STRING"), &[], io::empty()).writes.all().ends_with("[]"));
}

#[test]
fn cgi_171_pep_27_the_environ_has_neither_http_proxy_nor_the_process_environment() {
    for name in ["HTTP_PROXY", "PATH", "DATABASE_PASSWORD"] {
        assert!(run(show(name), &[(name, b"secret")], io::empty()).writes.all().ends_with("unset"), "{name}");
    }
}

#[test]
fn pep_29_33_34_35_typed_facts_of_a_cgi_program() {
    let app = |environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        let facts = (environ.url_scheme.as_str(), environ.run_once, environ.multiprocess, environ.multithread);
        Ok(format!("{facts:?}").into())
    };
    assert!(run(app, &[("HTTPS", b"on")], io::empty()).writes.all().ends_with(r#"("https", true, true, false)"#));
    assert!(run(app, &[], io::empty()).writes.all().ends_with(r#"("http", true, true, false)"#));
}

#[test]
fn cgi_140_without_a_request_the_message_tells_how_to_try_it() {
    for missing in ["REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL"] {
        let (writes, log) = (Writes::default(), Arc::new(Log::default()));
        let environment = environment(&[]).into_iter().filter(|(name, _)| name != missing);
        let outcome = serve_with(&hello, environment, io::empty(), writes.clone(), &ErrorStream::new(log.clone()));
        assert_eq!((outcome, outcome.exit_code()), (Outcome::NoRequest, 2));
        assert_eq!(writes.all(), "");
        let log = log.0.lock().unwrap();
        assert!(log.contains(missing) && log.contains("GATEWAY_INTERFACE=CGI/1.1"), "{log}");
    }
}

#[test]
fn cgi_100_an_application_that_fails_still_answers() {
    let app = |_: Environ, _: StartResponse| -> Result<Body, AppError> { Err("no database".into()) };
    let run = run(app, &[("QUERY_STRING", b"password=x")], io::empty());
    assert_eq!(run.outcome, Outcome::Complete);
    assert!(run.writes.all().starts_with("Status: 500 Internal Server Error\r\n"));
    assert_eq!(run.log, "gateway-cgi: GET /p: application failed: no database\n");
}

#[test]
fn pep_145_a_failure_after_the_head_exits_with_1() {
    let app = |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
        Ok(Body::iter([Ok(Bytes::from_static(b"half")), Err("disk".into())].into_iter()))
    };
    let run = run(app, &[], io::empty());
    assert_eq!((run.outcome, run.outcome.exit_code()), (Outcome::Aborted, 1));
    assert!(run.writes.all().ends_with("\r\n\r\nhalf"));
    assert!(run.log.contains("disk") && run.log.lines().count() == 1, "{}", run.log);
}

#[test]
fn cgi_73_head_sends_no_body() {
    let run = run(hello, &[("REQUEST_METHOD", b"HEAD")], io::empty());
    assert!(run.writes.all().ends_with("content-length: 14\r\n\r\n"), "{}", run.writes.all());
}

#[test]
fn pep_99_each_chunk_is_written_before_the_next_is_made() {
    let writes = Writes::default();
    let seen = writes.clone();
    let app = move |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
        let seen = seen.clone();
        Ok(Body::iter((0..3).map(move |at| {
            assert_eq!(seen.0.lock().unwrap().len(), at);
            Ok(Bytes::from_static(b"chunk"))
        })))
    };
    let outcome = serve_with(&app, environment(&[]), io::empty(), writes.clone(), &ErrorStream::stderr());
    assert_eq!(outcome, Outcome::Complete);
    assert_eq!(writes.0.lock().unwrap().len(), 3);
}

#[test]
fn pep_121_write_sends_at_once() {
    let writes = Writes::default();
    let seen = writes.clone();
    let app = move |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        let write = start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
        write.write("first")?;
        assert!(seen.all().ends_with("\r\n\r\nfirst"));
        write.write(" second")?;
        assert!(seen.all().ends_with("first second"));
        Ok(" third".into())
    };
    let outcome = serve_with(&app, environment(&[]), io::empty(), writes.clone(), &ErrorStream::stderr());
    assert_eq!(outcome, Outcome::Complete);
    assert!(writes.all().ends_with("\r\n\r\nfirst second third"), "{}", writes.all());
}

#[test]
fn cgi_9_a_reader_that_has_gone_closes_the_body_and_exits_quietly() {
    for writes in 0..3 {
        let (closed, log) = (Arc::new(AtomicUsize::new(0)), Arc::new(Log::default()));
        let counted = closed.clone();
        let app = move |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
            start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
            let counted = counted.clone();
            let body = Body::iter(std::iter::repeat_with(|| Ok(Bytes::from_static(b"more"))));
            Ok(body.on_close(move || {
                counted.fetch_add(1, Ordering::Relaxed);
            }))
        };
        let stdout = Failing { writes, kind: io::ErrorKind::BrokenPipe };
        let outcome = serve_with(&app, environment(&[]), io::empty(), stdout, &ErrorStream::new(log.clone()));
        assert_eq!((outcome, outcome.exit_code()), (Outcome::ClientGone, 0));
        assert_eq!(closed.load(Ordering::Relaxed), 1);
        assert_eq!(*log.0.lock().unwrap(), "");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_reported_and_exits_with_1() {
    let log = Arc::new(Log::default());
    let stdout = Failing { writes: 1, kind: io::ErrorKind::StorageFull };
    let outcome = serve_with(&hello, environment(&[]), io::empty(), stdout, &ErrorStream::new(log.clone()));
    assert_eq!(outcome, Outcome::Aborted);
    assert!(log.0.lock().unwrap().starts_with("gateway-cgi: GET /p: writing the output failed: "));
}

/// A file without a name.
fn unnamed_file(bytes: &[u8]) -> File {
    let path = std::env::temp_dir().join(format!("gateway-cgi-{}-{}", std::process::id(), bytes.len()));
    let mut options = File::options();
    let mut file = options.create(true).truncate(true).read(true).write(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Answers with the file, through a pipe as a gateway gives one; what came out, and how it ended.
fn through_a_pipe(file: &File, declared: usize) -> (Vec<u8>, Outcome) {
    let file = file.try_clone().unwrap();
    let app = move |_: Environ, start_response: StartResponse| {
        start_response(StatusCode::OK, headers!["content-type" => "x/y", "content-length" => declared])?;
        let file = file.try_clone()?;
        Ok(Body::file_part(gateway_spec::FilePart::new(file, 3, declared as u64)))
    };
    let (mut reader, writer) = io::pipe().unwrap();
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        all
    });
    let stdout = File::from(OwnedFd::from(writer));
    let outcome = serve_with(&app, environment(&[]), io::empty(), stdout, &ErrorStream::stderr());
    let all = reading.join().unwrap();
    let head = all.windows(2).position(|two| two == b"\n\n").or_else(|| all.windows(4).position(|w| w == b"\r\n\r\n"));
    let body = all.get(head.unwrap()..).unwrap().trim_ascii_start().to_vec();
    (body, outcome)
}

#[test]
fn pep_195_197_a_file_is_copied_to_standard_output_whole() {
    let bytes: Vec<u8> = (0..1_000_003_u32).map(|at| u8::try_from(b'a' as u32 + at % 23).unwrap()).collect();
    let (body, outcome) = through_a_pipe(&unnamed_file(&bytes), bytes.len() - 10);
    assert_eq!(outcome, Outcome::Complete);
    assert!(body == bytes[3..bytes.len() - 7]);
}

#[test]
fn http_211_a_file_that_is_shorter_than_it_was_ends_the_program_with_an_error() {
    let file = unnamed_file(&[b'a'; 200_000]);
    let (body, outcome) = through_a_pipe(&file, 300_000);
    assert_eq!((body.len(), outcome), (199_997, Outcome::Aborted));
}
