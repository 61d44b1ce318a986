//! `gateway_cgi::main!` against a `main` of Rust's: the same application, the same request, the same everything.

use std::io::pipe;
use std::process::{Command, Output, Stdio};

use crate::cgi::request;
use crate::{TESTBED, TESTBED_CGI, output, text};

/// What a gateway sees of a program's end, the thread of a panic left out: its name and number differ.
fn seen(said: &Output) -> (Option<i32>, String, String) {
    let log = text(&said.stderr).lines().map(|line| match line.split_once(" panicked at ") {
        Some((_, place)) => format!("panicked at {place}\n"),
        None => format!("{line}\n"),
    });
    (said.status.code(), text(&said.stdout).to_owned(), log.collect())
}

#[test]
fn answers_exit_codes_and_messages_are_those_of_rusts_main() {
    let paths = ["/hello", "/no/such", "/lazy", "/write", "/restart", "/stderr", "/stream/100000", "/closed"];
    let mistakes = ["/fail/before", "/fail/after", "/panic", "/panic/after", "/length/short", "/length/long"];
    for path in paths.into_iter().chain(mistakes) {
        let [rust, ours] = [TESTBED, TESTBED_CGI].map(|program| seen(&output(request(program, "GET", path, ""), b"")));
        assert_eq!(ours, rust, "{path}");
        assert!(!ours.1.is_empty(), "{path}");
    }
}

#[test]
fn pep_141_a_panic_of_the_application_is_answered() {
    let said = output(request(TESTBED_CGI, "GET", "/panic", ""), b"");
    assert!(text(&said.stdout).starts_with("Status: 500 "), "{said:?}");
    assert_eq!(said.status.code(), Some(0));
}

#[test]
fn cgi_62_a_body_is_read_to_its_length() {
    let mut command = request(TESTBED_CGI, "POST", "/echo", "");
    command.env("CONTENT_LENGTH", "4");
    let said = output(command, b"bodymore");
    assert!(text(&said.stdout).ends_with("\r\n\r\nbody"), "{said:?}");
}

#[test]
fn cgi_140_a_program_that_nobody_asked_anything_exits_with_2() {
    for program in [TESTBED_CGI, crate::HELLO_CGI] {
        let said = output(crate::command(program, &[]), b"");
        assert_eq!((said.status.code(), text(&said.stdout)), (Some(2), ""), "{program}");
        assert!(text(&said.stderr).contains("GATEWAY_INTERFACE=CGI/1.1"), "{said:?}");
    }
}

#[test]
fn cgi_9_a_reader_that_has_gone_is_no_signal() {
    for program in [TESTBED, TESTBED_CGI] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let status = request(program, "GET", "/stream/1000000", "").stdout(writer).status().unwrap();
        assert_eq!(status.code(), Some(0), "{program}: {status}");
    }
}

#[test]
fn standard_descriptors_that_are_closed_are_opened_on_nothing() {
    for (closed, answered) in [("0<&-", true), ("1>&-", false), ("2>&-", true), ("0<&- 1>&- 2>&-", false)] {
        for program in [TESTBED, TESTBED_CGI] {
            let mut shell = Command::new("/bin/sh");
            shell.env_clear().envs(request(program, "GET", "/hello", "").get_envs().filter_map(|(n, v)| Some((n, v?))));
            shell.args(["-c", &format!("exec \"$0\" {closed}"), program]);
            let said = shell.stdin(Stdio::null()).output().unwrap();
            assert_eq!(said.status.code(), Some(0), "{program} {closed}: {said:?}");
            assert_eq!(text(&said.stdout).ends_with("Hello, World!"), answered, "{program} {closed}: {said:?}");
        }
    }
}
