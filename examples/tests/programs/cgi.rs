//! As a CGI program: one request in the environment and on standard input (RFC 3875 §4, §7.2).

use std::process::{Command, Output};

use crate::{GUESTBOOK, HELLO, HELLO_CGI, MIRROR, TESTBED, command, output, text};

pub(crate) fn request(program: &str, method: &str, path: &str, query: &str) -> Command {
    let mut command = command(program, &[]);
    command.envs([
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REQUEST_METHOD", method),
        ("SCRIPT_NAME", "/cgi-bin/app"),
        ("PATH_INFO", path),
        ("QUERY_STRING", query),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", "80"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REMOTE_ADDR", "127.0.0.1"),
    ]);
    command
}

fn post(program: &str, path: &str, content_type: &str, body: &str) -> Output {
    let mut command = request(program, "POST", path, "");
    command.env("CONTENT_TYPE", content_type).env("CONTENT_LENGTH", body.len().to_string());
    output(command, body.as_bytes())
}

/// Head and body of a response; the head's lines sorted out by nobody yet.
fn halves(said: &Output) -> (&str, &str) {
    text(&said.stdout).split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {said:?}"))
}

#[test]
fn cgi_91_hello_answers_with_and_without_the_choice_of_gateway() {
    for program in [HELLO, HELLO_CGI, TESTBED] {
        let said = output(request(program, "GET", "/", ""), b"");
        let (head, body) = halves(&said);
        assert_eq!((said.status.code(), body), (Some(0), "Hello, World!"), "{program}");
        assert!(head.to_ascii_lowercase().contains("content-type: text/plain"), "{head}");
        assert!(said.stderr.is_empty(), "{}", text(&said.stderr));
    }
}

#[test]
fn cgi_62_the_body_is_read_to_its_length() {
    let said = post(TESTBED, "/echo", "text/x-note", "some text");
    let (head, body) = halves(&said);
    assert_eq!(body, "some text");
    assert!(head.to_ascii_lowercase().contains("content-type: text/x-note"), "{head}");
}

#[test]
fn cgi_84_words_of_a_query_never_become_flags() {
    for words in [&["--help"][..], &["--http", "127.0.0.1:0"], &["--explain-gateway"], &["-s"], &["--no-such"]] {
        let mut command = request(TESTBED, "GET", "/hello", &words.join("+"));
        command.args(words);
        let said = output(command, b"");
        assert_eq!((said.status.code(), halves(&said).1), (Some(0), "Hello, World!"), "{words:?}");
    }
}

#[test]
fn pep_145_a_response_that_breaks_off_is_told_by_the_exit_code() {
    let said = output(request(TESTBED, "GET", "/fail/after", ""), b"");
    assert_ne!(said.status.code(), Some(0));
    assert!(text(&said.stderr).contains("failed after the first chunk"), "{}", text(&said.stderr));
}

#[test]
fn mirror_shows_the_variables_too() {
    let mut command = request(MIRROR, "GET", "/p", "q=1");
    command.env("REQUEST_URI", "/cgi-bin/app/p?q=1").env("HTTP_X_TEST", "yes");
    let said = output(command, b"");
    let (_, body) = halves(&said);
    assert!(body.starts_with("echo/1\nmethod=GET\ntarget=/cgi-bin/app/p?q=1\nlength=0\nbody=\n"), "{body}");
    for line in ["\nh.x-test=yes\n", "\nenv.SCRIPT_NAME=/cgi-bin/app\n", "\nenv.PATH_INFO=/p\n"] {
        assert!(body.contains(line), "{line:?} is not in {body}");
    }
}

#[test]
fn the_guestbook_keeps_its_entries_from_process_to_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("entries.sqlite3");
    let mut command = request(GUESTBOOK, "POST", "/", "");
    let body = "name=Ada&message=%3Chello%3E";
    command.env("GUESTBOOK_DB", &file).env("CONTENT_TYPE", "application/x-www-form-urlencoded");
    command.env("CONTENT_LENGTH", body.len().to_string());
    let said = output(command, body.as_bytes());
    let (head, _) = halves(&said);
    assert!(head.contains("303") && head.to_ascii_lowercase().contains("location: /cgi-bin/app/"), "{head}");
    let mut command = request(GUESTBOOK, "GET", "/", "");
    command.env("GUESTBOOK_DB", &file);
    let said = output(command, b"");
    let (_, page) = halves(&said);
    assert!(page.contains("<p>&lt;hello&gt;</p>") && page.contains("started for this request (CGI)"), "{page}");
}

#[test]
fn many_guestbook_processes_write_to_one_new_file_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("entries.sqlite3");
    std::thread::scope(|scope| {
        for who in 0..8 {
            let file = &file;
            scope.spawn(move || {
                let body = format!("name=process&message=note+{who}.");
                let mut command = request(GUESTBOOK, "POST", "/", "");
                command.env("GUESTBOOK_DB", file).env("CONTENT_TYPE", "application/x-www-form-urlencoded");
                command.env("CONTENT_LENGTH", body.len().to_string());
                let said = output(command, body.as_bytes());
                assert!(halves(&said).0.contains("303"), "{said:?}");
            });
        }
    });
    let mut command = request(GUESTBOOK, "GET", "/", "");
    command.env("GUESTBOOK_DB", &file);
    let said = output(command, b"");
    assert!((0..8).all(|who| halves(&said).1.contains(&format!("<p>note {who}.</p>"))), "{said:?}");
}
