//! Programs that are slow, many or not wanted any more; the end of the worker.

use std::sync::mpsc;
use std::time::Instant;

use gateway_tests::client::Connection;
use rustix::process::Signal;

use crate::setup::{LIMIT, SILENT, wrapped};

#[test]
fn cgi_102_a_silent_program_is_ended_and_answered_with_504() {
    for option in ["timeout=500ms", "header_timeout=500ms"] {
        let server = wrapped(&[("silent", SILENT)], &["-o", option]);
        let start = Instant::now();
        assert_eq!(server.get("/cgi-bin/silent").status, 504, "{}", server.front.logs());
        assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
        server.expect_no_programs();
    }
}

#[test]
fn cgi_102_a_program_that_stops_inside_its_answer_breaks_it_off() {
    let script = "printf 'Content-Type: text/plain\\n\\nhalf'; exec sleep 1000";
    let server = wrapped(&[("half", script)], &["-o", "idle_timeout=500ms"]);
    assert!(!server.get("/cgi-bin/half").content.complete, "it looks whole");
    server.expect_no_programs();
}

/// Also before it has said a word: nobody else would look.
#[test]
fn cgi_179_a_client_that_goes_takes_its_program_along() {
    let begun = "printf 'Content-Type: text/plain\\n\\nhalf'; exec sleep 1000";
    let server = wrapped(&[("silent", SILENT), ("begun", begun)], &[]);
    for target in ["/cgi-bin/silent", "/cgi-bin/begun"] {
        let connection = server.begin(target, 1);
        drop(connection);
        server.expect_no_programs();
    }
}

#[test]
fn cgi_183_a_request_waits_for_a_place_and_not_for_ever() {
    let server = wrapped(&[("silent", SILENT)], &["-c", "1", "-o", "queue_timeout=300ms"]);
    let first = server.begin("/cgi-bin/silent", 1);
    assert_eq!(server.get("/cgi-bin/silent").status, 503, "{}", server.front.logs());
    drop(first);
    server.expect_no_programs();
}

#[test]
fn cgi_183_too_many_that_wait_are_told_so_at_once() {
    let server = wrapped(&[("silent", SILENT)], &["-c", "1", "--max-queue", "1", "-o", "queue_timeout=10min"]);
    let _first = server.begin("/cgi-bin/silent", 1);
    let (sender, answers) = mpsc::channel();
    // Of two more one may wait; which it is, is not said.
    for _ in 0..2 {
        let (sender, address) = (sender.clone(), server.front.address);
        std::thread::spawn(move || {
            let mut connection = Connection::open(address).unwrap();
            connection.send_raw(b"GET /cgi-bin/silent HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
            sender.send(connection.receive("GET"))
        });
    }
    let refused = answers.recv_timeout(LIMIT).expect("one is refused").expect("an answer");
    assert_eq!((refused.status, refused.field("retry-after")), (503, Some("1")), "{}", server.front.logs());
    assert_eq!(server.programs(), 1);
}

#[test]
fn fcgi_10_a_signal_lets_the_last_request_finish() {
    let script = "sleep 1; printf 'Content-Type: text/plain\\n\\ndone'";
    let mut server = wrapped(&[("slow", script)], &[]);
    let mut connection = server.begin("/cgi-bin/slow", 1);
    server.wrap.signal(Signal::TERM);
    assert_eq!(connection.receive("GET").expect("an answer").text(), "done");
    let ended = server.wrap.wait_ended(LIMIT).expect("an end");
    assert!(ended.success(), "{ended:?}\n{}", server.wrap.log());
}
