//! CGI programs that misbehave under our host: the client gets a well-formed answer (CGI-2), nothing is left behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use gateway_tests::client::{Broken, Payload, Request, Response, send};
use gateway_tests::place::Place;
use gateway_tests::process::{Running, descendants, poll_until};
use gateway_tests::servers::ours;

/// Our host with one script below `/cgi`, with mount options such as `?timeout=1s`.
fn host(script: &str, options: &str) -> Running {
    let place = Place::new();
    let file = place.write_script("script", &format!("#!/bin/sh\n{script}\n"));
    ours::gateway(place, Vec::new(), &[format!("/cgi=cgi:{}{options}", file.display())])
}

fn ask(server: &Running) -> Result<Response, Broken> {
    send(server.address, &Request::get("/cgi/x"))
}

#[track_caller]
fn check_status(script: &str, statuses: &[u16]) {
    let server = host(script, "");
    let response = ask(&server).unwrap_or_else(|e| panic!("{script}: {e}\n{}", server.logs()));
    assert!(statuses.contains(&response.status), "{script}: {} instead of {statuses:?}", response.status);
    check_no_children(server);
}

/// No child of the host is left, not even a zombie.
#[track_caller]
fn check_no_children(mut server: Running) {
    let id = server.front().id();
    let gone = poll_until(Duration::from_secs(20), || descendants(id).is_empty().then_some(()));
    assert!(gone.is_some(), "left: {:?}", descendants(id));
    assert!(!server.logs().contains("panicked"), "{}", server.logs());
}

#[test]
fn cgi_100_an_empty_answer_is_a_bad_gateway() {
    check_status("exit 0", &[502]);
}

#[test]
fn cgi_104_a_head_without_its_empty_line_is_a_bad_gateway() {
    check_status("printf 'Content-Type: text/plain\\n'", &[502]);
}

#[test]
fn cgi_120_a_head_that_is_no_head_is_a_bad_gateway() {
    check_status("echo 'segmentation fault, just kidding'; echo; echo body", &[502]);
    check_status("printf 'Status: 200\\nStatus: 404\\nContent-Type: text/plain\\n\\n'", &[502]);
    check_status("printf 'Status : 200\\nContent-Type: text/plain\\n\\n'", &[502]);
}

#[test]
fn cgi_122_a_folded_field_is_a_bad_gateway() {
    check_status("printf 'Content-Type: text/plain\\nX-Fold: a\\n b\\n\\n'", &[502]);
}

#[test]
fn cgi_127_a_status_that_is_no_status_is_a_bad_gateway() {
    check_status("printf 'Status: 40\\nContent-Type: text/plain\\n\\n'", &[502]);
    check_status("printf 'Status: 4x4\\nContent-Type: text/plain\\n\\n'", &[502]);
}

#[test]
fn a_program_that_cannot_be_started_is_an_error_for_the_client_only() {
    let place = Place::new();
    let file = place.write_script("script", "#!/no/such/interpreter\n");
    let server = ours::gateway(place, Vec::new(), &[format!("/cgi=cgi:{}", file.display())]);
    let response = ask(&server).unwrap();
    assert!(matches!(response.status, 500 | 502), "{}", response.status);
    check_no_children(server);
}

#[test]
fn cgi_133_a_body_shorter_than_its_length_is_cut() {
    let server = host("printf 'Content-Type: text/plain\\nContent-Length: 100\\n\\nshort'", "");
    match ask(&server) {
        Ok(response) => assert!(!response.content.complete || response.status == 502, "it looks whole"),
        Err(broken) => panic!("{broken}"),
    }
    check_no_children(server);
}

#[test]
fn cgi_129_line_feeds_alone_end_lines() {
    let server = host("printf 'Content-Type: text/plain\\n\\nfine'", "");
    assert_eq!(ask(&server).unwrap().text(), "fine");
    check_no_children(server);
}

#[test]
fn cgi_102_a_silent_program_is_ended_and_answered_with_504() {
    let server = host("sleep 1000", "?timeout=1s");
    let start = Instant::now();
    assert_eq!(ask(&server).unwrap().status, 504);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    check_no_children(server);
}

#[test]
fn a_program_that_ignores_term_is_killed() {
    let server = host("trap '' TERM; while :; do sleep 1000; done", "?timeout=1s");
    assert_eq!(ask(&server).unwrap().status, 504);
    check_no_children(server);
}

#[test]
fn a_grandchild_that_keeps_the_pipe_does_not_keep_the_client() {
    let server = host("printf 'Content-Type: text/plain\\n\\nbody'; sleep 1000 &", "?timeout=2s");
    let start = Instant::now();
    let response = ask(&server).unwrap();
    assert_eq!((response.status, response.text().as_str()), (200, "body"));
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

/// Each pipe is filled beyond what the kernel buffers while another waits (the three-pipe deadlock).
#[test]
fn full_pipes_in_any_order_do_not_deadlock() {
    let megabyte = "dd if=/dev/zero bs=1024 count=1024 2>/dev/null";
    let answer = "printf 'Content-Type: text/plain\\n\\n'";
    for script in [
        format!("{megabyte} >&2; cat >/dev/null; {answer}; echo end"),
        format!("cat >/dev/null; {megabyte} >&2; {answer}; {megabyte}; echo end"),
        format!("{answer}; {megabyte}; {megabyte} >&2; echo end"),
        format!("{answer}; {megabyte}; cat >/dev/null; echo end"),
    ] {
        let server = host(&script, "");
        let response = send(server.address, &Request::post("/cgi/x", Payload::Pattern(1 << 20))).unwrap();
        assert_eq!(response.status, 200, "{script}");
        assert!(response.content.complete && response.content.length % (1 << 20) == 4, "{script}");
        check_no_children(server);
    }
}
