//! What is shown of an answer, and where.

use std::io::Read;
use std::process::Stdio;

use crate::worker::{
    GET_VALUES, HELLO, STDERR, STDIN, STDOUT, VALUES_RESULT, Worker, answer, command, end, record, record_of,
};

#[test]
fn fcgi_83_the_body_goes_to_standard_output_and_stderr_to_standard_error() {
    let bytes = [record(STDERR, b"from the worker\n"), answer(HELLO)].concat();
    let (done, _) = Worker::answering(bytes).get("/", &[]);
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (0, "hello\n", "from the worker\n"));
}

#[test]
fn the_head_comes_with_include_however_it_is_cut() {
    let head = "Status: 404 Gone Fishing\r\nX-A: 1\nX-A: 2\r\n\r\nno";
    let pieces: Vec<u8> = head.bytes().flat_map(|byte| record(STDOUT, &[byte])).chain(end(0, 0)).collect();
    let (done, _) = Worker::answering(pieces).get("/", &["-i"]);
    assert_eq!((done.code, done.out.as_str()), (0, "HTTP/1.1 404 Not Found\r\nx-a: 1\r\nx-a: 2\r\n\r\nno"));
}

#[test]
fn fail_turns_a_status_from_400_on_into_an_exit_code() {
    for (status, app, code) in
        [("200 OK", 0, 0), ("399 X", 0, 0), ("400 X", 0, 22), ("503 X", 0, 22), ("200 OK", 3, 22)]
    {
        let output = format!("Status: {status}\r\n\r\nbody");
        let (done, _) =
            Worker::answering([record(STDOUT, output.as_bytes()), end(app, 0)].concat()).get("/", &["--fail"]);
        assert_eq!((done.code, done.out.as_str()), (code, "body"), "{status} {app}");
    }
}

#[test]
fn fcgi_93_an_app_status_is_told_and_the_answer_stands() {
    let (done, _) = Worker::answering([record(STDOUT, HELLO.as_bytes()), end(7, 0)].concat()).get("/", &[]);
    assert_eq!((done.code, done.out.as_str()), (0, "hello\n"));
    assert_eq!(done.err, "gateway: the worker ended the request with appStatus 7\n");
}

#[test]
fn verbose_shows_parameters_fields_and_the_end() {
    let (done, asked) = Worker::answering(answer(HELLO)).get("/x?y=z", &["-v"]);
    assert_eq!(done.out, "hello\n");
    for (name, value) in &asked.params {
        assert!(done.err.contains(&format!("> {name}={value}\n")), "{name}: {}", done.err);
    }
    for line in
        ["< HTTP/1.1 200 OK\n", "< content-type: text/plain\n", "* REQUEST_COMPLETE, appStatus 0: 6 bytes of body, "]
    {
        assert!(done.err.contains(line), "{}", done.err);
    }
}

#[test]
fn fcgi_51_52_whether_the_connection_is_kept_is_looked_at() {
    let kept = "it was asked to keep the connection open, and has closed it (§5.1)";
    let (done, asked) = Worker::answering(answer(HELLO)).get("/", &["-v", "--keep"]);
    assert!(asked.begin[2] == 1 && done.err.contains(kept), "{}", done.err);

    let (done, asked) = Worker::answering(answer(HELLO)).get("/", &["-v"]);
    assert!(asked.begin[2] == 0 && done.err.ends_with("* end of the connection\n"), "{}", done.err);

    let staying = || {
        Worker::start(|line| {
            line.read_to(STDIN);
            line.write(&answer(HELLO));
            let _ = line.stream.read(&mut [0]);
        })
    };
    let (done, _) = staying().get("/", &["--dump", "--keep"]);
    assert!(done.err.contains("the worker keeps the connection open, as it was asked to (§5.1)"), "{}", done.err);
    let (done, _) = staying().get("/", &["-v"]);
    assert!(done.err.contains("was not asked to keep the connection open, and has not closed it"), "{}", done.err);
}

#[test]
fn the_dump_names_every_record_both_ways_and_takes_stderr_in() {
    let bytes = [record(STDERR, b"oops\n"), answer(HELLO)].concat();
    let (done, _) =
        Worker::answering(bytes).ask(&["post", "ADDR", "/", "-d", "a=b", "--dump", "--dump-bytes", "9B"], b"");
    assert_eq!(done.out, "hello\n");
    let titles: Vec<String> = done
        .err
        .lines()
        .filter(|line| line.contains(" ms "))
        .map(|line| line.split_once(" ms ").unwrap().1.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let params = titles.iter().position(|title| title.contains("FCGI_PARAMS")).unwrap();
    let mut titles = titles;
    titles[params] = "params".into();
    titles[0] = "connected".into();
    assert_eq!(
        titles,
        [
            "connected",
            "→ FCGI_BEGIN_REQUEST (1) id 1 8 bytes §5.1",
            "params",
            "→ FCGI_PARAMS (4) id 1 0 bytes, end of stream §3.3",
            "→ FCGI_STDIN (5) id 1 3 bytes + 5 padding §5.3",
            "→ FCGI_STDIN (5) id 1 0 bytes, end of stream §3.3",
            "← FCGI_STDERR (7) id 1 5 bytes §5.3",
            "← FCGI_STDOUT (6) id 1 34 bytes §5.3",
            "← FCGI_STDOUT (6) id 1 0 bytes, end of stream §3.3",
            "← FCGI_END_REQUEST (3) id 1 8 bytes §5.5",
            "← end of the connection",
        ],
        "{}",
        done.err
    );
    for line in
        ["│ a=b", "│ oops\\n", "│ REQUEST_METHOD    = POST", "│ Content-T", "│ … 25 more bytes", "│ appStatus 0"]
    {
        assert!(done.err.contains(line), "{line}: {}", done.err);
    }
    assert!(!done.err.contains('\x1b'), "colours are for terminals");
}

#[test]
fn fcgi_55_values_are_told_as_they_came() {
    let result = *b"\x0e\x02FCGI_MAX_CONNS10\x07\x02X_OTHERon";
    let worker = Worker::start(move |line| {
        line.read_to(GET_VALUES);
        line.write(&record_of(0, VALUES_RESULT, &result));
    });
    let (done, asked) = worker.ask(&["get", "ADDR", "--values"], b"");
    assert_eq!((done.code, done.out.as_str()), (0, "FCGI_MAX_CONNS=10\nX_OTHER=on\n"));
    let silent =
        ["FCGI_MAX_REQS", "FCGI_MPXS_CONNS"].map(|name| format!("gateway: the worker says nothing of {name}\n"));
    assert_eq!((done.err, asked.kinds), (silent.concat(), vec![GET_VALUES]));
}

#[test]
fn a_reader_that_has_enough_ends_the_command_without_a_word() {
    let worker = Worker::start(|line| {
        line.read_to(STDIN);
        line.write(&record(STDOUT, HELLO.as_bytes()));
        let more = record(STDOUT, &[b'x'; 60_000]);
        let mut all = std::iter::repeat_with(|| std::io::Write::write_all(&mut line.stream, &more));
        assert!(all.any(|written| written.is_err()));
    });
    let mut child = command(&["get", &worker.address(), "/"]).stdin(Stdio::null()).spawn().unwrap();
    let mut some = [0; 6];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(1), ""));
}
