//! A configuration with a mistake is refused with the file, the line and the field; nothing starts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::{Command, Output};

use gateway_tests::place::Place;
use gateway_tests::programs::program;

fn check_config(text: &str) -> Output {
    let place = Place::new();
    let file = place.write("gateway.toml", text);
    Command::new(program("gateway")).arg("check-config").arg(file).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn check_refused(text: &str, words: &[&str]) {
    let output = check_config(text);
    let said = said(&output);
    assert!(!output.status.success(), "{text:?} was accepted: {said}");
    for word in ["gateway.toml"].iter().chain(words) {
        assert!(said.contains(word), "{text:?}: the message lacks {word:?}: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn an_unknown_field_is_named_with_its_line() {
    check_refused("# one\n# two\nno_such_field = 1\n", &["3", "no_such_field"]);
}

#[test]
fn a_wrong_type_is_named_with_its_line() {
    check_refused("\nlisten = 5\n", &["2", "listen"]);
}

#[test]
fn text_that_is_no_toml_is_named_with_its_line() {
    check_refused("# fine\n= nothing\n", &["2"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = Command::new(program("gateway")).args(["check-config", "/no/such/gateway.toml"]).output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("/no/such/gateway.toml"), "{}", said(&output));
}

#[test]
fn flags_that_make_no_sense_are_refused_at_once() {
    for mount in ["nonsense", "/x=nonsense:y", "x=app:demo", "/x=fastcgi:tcp:nowhere", "/x=cgi:/no/such/file"] {
        let output = Command::new(program("gateway"))
            .args(["serve", "--listen", "127.0.0.1:0", "--mount", mount])
            .output()
            .unwrap();
        assert!(!output.status.success(), "{mount} was accepted");
        assert!(!said(&output).contains("panicked"), "{}", said(&output));
    }
}
