//! What a program is told, and what its client gets.

use gateway_tests::client::{Content, Payload, Request};

use crate::setup::{ENV, behind_nginx, scripts, wrapped};

#[test]
fn cgi_37_141_the_path_is_split_behind_the_program_which_starts_in_its_folder() {
    let server = wrapped(&[("env", ENV), ("sub", "exit 1")], &[]);
    let folder = server.front.place().join("lib/cgi-bin").display().to_string();
    for (target, told) in
        [("/cgi-bin/env", "/cgi-bin/env||||"), ("/cgi-bin/env/a//b%20c?x=%41+2", "/cgi-bin/env|/a//b c|x=%41+2|")]
    {
        let told = told.trim_end_matches("||").to_owned();
        let response = server.get(target);
        assert_eq!(response.status, 200, "{}", server.front.logs());
        assert!(response.text().starts_with(&told), "{target}: {}", response.text());
        assert!(response.text().ends_with(&format!("|GET|{folder}/env|{folder}|")), "{}", response.text());
    }
}

#[test]
fn a_program_that_nginx_names_keeps_the_variables_that_nginx_sends() {
    let server = wrapped(&[("report", ENV)], &[]);
    let folder = server.front.place().join("lib/cgi-bin").display().to_string();
    let told = format!("/report|/2024/q1|x|GET|{folder}/report|{folder}|");
    assert_eq!(server.get("/report/2024/q1?x").text(), told);
}

#[test]
fn cgi_60_63_large_bodies_go_both_ways_at_once_or_are_left_unread() {
    const LENGTH: u64 = 24 << 20;
    let echo = "printf 'Content-Type: application/octet-stream\\n\\n'; exec cat";
    let deaf = "printf 'Content-Type: text/plain\\n\\nunread'";
    let server = wrapped(&[("echo", echo), ("deaf", deaf)], &[]);
    let response = server.send(&Request::post("/cgi-bin/echo", Payload::Pattern(LENGTH)));
    let wanted = Content::of_pattern(LENGTH);
    assert_eq!((response.status, response.content.length, response.content.hash), (200, LENGTH, wanted.hash));
    assert_eq!(server.send(&Request::post("/cgi-bin/deaf", Payload::Pattern(LENGTH))).text(), "unread");
    server.expect_no_programs();
}

#[test]
fn cgi_184_only_programs_below_the_roots_run() {
    let server = wrapped(&[("env", ENV)], &[]);
    for (target, status) in [
        ("/cgi-bin/env", 200),
        ("/cgi-bin/missing", 404),
        ("/cgi-bin/.hidden", 404),
        ("/cgi-bin/", 404),
        ("/cgi-bin/plain", 403),
        ("/cgi-bin/link", 403),
    ] {
        assert_eq!(server.get(target).status, status, "{target}\n{}", server.front.logs());
    }
    let outside = server.front.place().join("outside").canonicalize().unwrap();
    let said = format!("the program {} is below none of the roots", outside.display());
    assert!(server.wrap.log().contains(&said), "{}", server.wrap.log());
}

#[test]
fn a_root_may_be_one_program_and_links_may_lead_anywhere_if_the_operator_says_so() {
    let place = scripts(&[("env", ENV), ("report", ENV)]);
    let report = place.join("lib/cgi-bin/report").display().to_string();
    let server = behind_nginx(place, &["-p", &report]);
    assert_eq!((server.get("/report").status, server.get("/cgi-bin/env").status), (200, 403));
    drop(server);
    let server = wrapped(&[], &["-o", "links=anywhere"]);
    assert_eq!(server.get("/cgi-bin/link").status, 200);
}

#[test]
fn cgi_2_100_104_what_is_no_answer_is_a_bad_gateway_with_its_reason_in_the_log() {
    let server =
        wrapped(&[("empty", "exit 3"), ("noise", "echo hello"), ("lost", "printf 'Status: 200\\n'; kill -9 $$")], &[]);
    for (target, said) in [("empty", "exit code 3"), ("noise", "line 1"), ("lost", "signal 9")] {
        assert_eq!(server.get(&format!("/cgi-bin/{target}")).status, 502, "{target}");
        assert!(server.wrap.log().contains(said), "{target}: {}", server.wrap.log());
    }
}

#[test]
fn cgi_113_a_location_without_status_sends_the_client_there() {
    let server = wrapped(&[("go", "printf 'Location: /cgi-bin/env?x=%%41\\n\\n'")], &[]);
    let response = server.get("/cgi-bin/go");
    assert_eq!(response.status, 302, "{}", server.front.logs());
    assert!(response.field("location").is_some_and(|place| place.ends_with("/cgi-bin/env?x=%41")), "{response:?}");
}

#[test]
fn cgi_178_standard_error_goes_to_our_log_or_to_nginx() {
    let talk = "echo 'a word to the operator' >&2; printf 'Content-Type: text/plain\\n\\nok'";
    let server = wrapped(&[("talk", talk)], &[]);
    assert_eq!(server.get("/cgi-bin/talk?secret").text(), "ok");
    let log = server.wrap.log();
    assert!(log.contains("path=\"/cgi-bin/talk\" text=\"a word to the operator\""), "{log}");
    assert!(!server.nginx_log().contains("a word") && !log.contains("secret"), "{}", server.front.logs());
    drop(server);
    for flags in [&["-f"][..], &["--stderr", "fastcgi"]] {
        let server = wrapped(&[("talk", talk)], flags);
        assert_eq!(server.get("/cgi-bin/talk").text(), "ok");
        assert!(server.nginx_log().contains("a word to the operator"), "{}", server.nginx_log());
        assert!(!server.wrap.log().contains("a word"), "{}", server.wrap.log());
    }
}

/// More than the pipe and the connection hold, before a byte of the answer.
#[test]
fn cgi_178_much_standard_error_keeps_nothing_waiting() {
    let chatter =
        "i=0; while [ $i -lt 20000 ]; do echo 'a line that is long enough to fill a pipe soon' >&2; i=$((i+1)); done";
    let server = wrapped(&[("chatter", &format!("{chatter}; printf 'Content-Type: text/plain\\n\\nok'"))], &["-f"]);
    assert_eq!(server.get("/cgi-bin/chatter").text(), "ok", "{}", server.nginx_log());
}

#[test]
fn options_of_programs_are_those_of_a_cgi_mount() {
    let script = "printf 'Content-Type: text/plain\\n\\n'; printf '%s|' \"$APP_MODE\" \"$HTTP_AUTHORIZATION\" \"$1\"";
    let ask = Request::get("/cgi-bin/show").field("Authorization", "Basic QQ==");
    let options = ["-o", "env.APP_MODE=a=b", "-o", "authorization=true", "-o", "argument=--word"];
    assert_eq!(wrapped(&[("show", script)], &options).send(&ask).text(), "a=b|Basic QQ==|--word|");
    assert_eq!(wrapped(&[("show", script)], &[]).send(&ask).text(), "|||");
}

#[test]
fn cgi_158_programs_are_confined_as_a_cgi_mount_confines_them() {
    let script = "printf 'Content-Type: text/plain\\n\\n'; ulimit -n; umask; pwd";
    let options = ["-o", "max_files=17", "-o", "umask=077", "-o", "directory=/"];
    assert_eq!(wrapped(&[("show", script)], &options).get("/cgi-bin/show").text(), "17\n0077\n/\n");
}
