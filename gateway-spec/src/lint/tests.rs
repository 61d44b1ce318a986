//! Every rule is tripped by who breaks it, and none by the well-behaved.
#![allow(clippy::needless_pass_by_value)] // applications are written where they are checked

use std::collections::BTreeSet;
use std::sync::Mutex;

use bytes::Bytes;
use http::StatusCode;

use super::*;
use crate::{ErrorSink, ErrorStream, Event, Exchange, headers};

mod application;
mod server;
mod well_behaved;

const OK: StatusCode = StatusCode::OK;
const TEXT: &str = "text/plain";

/// What the lint said: rule, blamed party, what was seen.
type Said = Vec<Violation>;

#[derive(Default)]
struct Log(Mutex<String>);

impl ErrorSink for Log {
    fn write(&self, text: &str) {
        self.0.lock().expect("not poisoned").push_str(text);
    }
}

impl Log {
    fn text(&self) -> String {
        self.0.lock().expect("not poisoned").clone()
    }
}

fn app<F>(f: F) -> impl Application
where
    F: Fn(Environ, StartResponse) -> Result<Body, AppError> + Send + Sync + 'static,
{
    f
}

/// A lint that only remembers.
fn recording(app: impl Application) -> (Lint<impl Application>, Arc<Mutex<Said>>) {
    let said: Arc<Mutex<Said>> = Arc::default();
    let log = Arc::clone(&said);
    let lint = Lint::new(app).on_violation(move |violation| {
        log.lock().expect("not poisoned").push(violation.clone());
        Verdict::Ignore
    });
    (lint, said)
}

/// Runs `app` under the driver and gives what the lint said.
fn run(environ: Environ, app: impl Application) -> Said {
    let (lint, said) = recording(app);
    let mut exchange = Exchange::call(&lint, environ);
    while !matches!(exchange.next(), Event::End | Event::Abort) {}
    drop(exchange);
    said.lock().expect("not poisoned").clone()
}

fn get() -> Environ {
    Environ::example("GET", "/")
}

/// Someone who breaks one rule.
struct Case {
    rule: &'static Rule,
    name: &'static str,
    said: Said,
}

fn case(rule: &'static Rule, name: &'static str, said: Said) -> Case {
    Case { rule, name, said }
}

#[track_caller]
fn check_cases(cases: Vec<Case>, party: Party) {
    for Case { rule, name, said } in &cases {
        assert_eq!(rule.binds, party, "{name}");
        let seen: Vec<_> = said.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|violation| violation.rule == *rule), "{} is not tripped by {name}: {seen:?}", rule.id);
        assert!(said.iter().all(|violation| violation.rule == *rule), "{name} trips more than {}: {seen:?}", rule.id);
    }
    let tripped: BTreeSet<_> = cases.iter().map(|case| case.rule.id).collect();
    let all: BTreeSet<_> = RULES.iter().filter(|rule| rule.binds == party).map(|rule| rule.id).collect();
    assert_eq!(tripped, all, "every rule about the {party} has a case, and no other");
}

#[test]
fn every_rule_about_the_application_is_tripped_by_a_case_of_its_own() {
    check_cases(application::cases(), Party::Application);
}

#[test]
fn every_rule_about_the_server_is_tripped_by_a_case_of_its_own() {
    check_cases(server::cases(), Party::Server);
}

#[test]
fn ids_are_unique_and_texts_are_sentences() {
    let ids: BTreeSet<_> = RULES.iter().map(|rule| (rule.id, rule.binds.to_string())).collect();
    assert_eq!(ids.len(), RULES.len());
    for rule in RULES {
        assert!(rule.text.ends_with('.') && !rule.source.is_empty(), "{}", rule.id);
    }
}

fn untyped() -> impl Application {
    app(|_, start_response| {
        start_response(OK, headers![])?;
        Ok("x".into())
    })
}

fn unfinished() -> impl Application {
    app(|_, start_response| {
        start_response(OK, headers!["content-type" => TEXT, "content-length" => 2])?;
        Ok(Body::iter(std::iter::once(Ok("x".into()))))
    })
}

fn events(lint: &impl Application, environ: Environ) -> (Vec<&'static str>, Option<String>) {
    let mut exchange = Exchange::call(lint, environ);
    let mut events = Vec::new();
    loop {
        events.push(match exchange.next() {
            Event::Head(head) if head.status == OK => "200",
            Event::Head(_) => "500",
            Event::Chunk(_) => "chunk",
            Event::Nothing => "nothing",
            Event::End => "end",
            Event::Abort => "abort",
        });
        if matches!(events.last(), Some(&"end" | &"abort")) {
            return (events, exchange.take_failure().map(|failure| failure.to_string()));
        }
    }
}

fn logged() -> (Environ, Arc<Log>) {
    let log = Arc::new(Log::default());
    let mut environ = get();
    environ.errors = ErrorStream::new(log.clone());
    (environ, log)
}

#[test]
fn by_default_a_should_is_reported_and_a_must_fails() {
    let (environ, log) = logged();
    let seen = events(&lint(untyped()), environ);
    assert_eq!(seen, (vec!["200", "chunk", "end"], None));
    assert_eq!(
        log.text(),
        "lint: the application broke HTTP-152 (should): Content-Type is there when there is content, and not with status \
         204. Seen: data without a Content-Type\n"
    );

    let (environ, log) = logged();
    let (seen, failure) = events(&lint(unfinished()), environ);
    assert_eq!(seen, ["200", "chunk", "abort"]);
    assert!(failure.is_some_and(|failure| failure.contains("the application broke HTTP-150 (must)")));
    assert_eq!(log.text(), "", "said once");

    let (mut environ, _) = logged();
    environ.set("SERVER_PORT", "http").expect("set");
    let (seen, failure) = events(&lint(app(|_, _| panic!("called all the same"))), environ);
    assert_eq!(seen, ["500", "chunk", "end"]);
    assert!(failure.is_some_and(|failure| failure.contains("the server broke PEP-18 (must)")));
}

#[test]
fn what_is_done_can_be_chosen() {
    let strict = lint(untyped()).on_violation(|_| Verdict::Fail);
    assert_eq!(events(&strict, get()).0, ["500", "chunk", "end"]);
    let (environ, log) = logged();
    let lenient = lint(unfinished()).on_violation(|_| Verdict::Report);
    let (seen, failure) = events(&lenient, environ);
    assert_eq!(seen, ["200", "chunk", "abort"]);
    assert_eq!(failure.as_deref(), Some("application sent 1 of the 2 bytes it declared"), "the driver's own word");
    assert!(log.text().contains("HTTP-150"));
}

#[test]
fn a_violation_that_comes_too_late_to_fail_is_written_to_the_error_stream() {
    let (environ, log) = logged();
    let late = app(|_, start_response| {
        let write = start_response(OK, headers!["content-type" => TEXT])?;
        Ok(Body::from("x").on_close(move || {
            let _ = write.write("late");
        }))
    });
    let (seen, failure) = events(&lint(late), environ);
    assert_eq!((seen, failure), (vec!["200", "chunk", "end"], None));
    assert!(log.text().contains("the application broke PEP-124 (must)"), "{}", log.text());
}

#[test]
fn pep_104_the_linted_body_is_closed_like_any_other() {
    let closed = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&closed);
    let app = app(move |_, start_response| {
        start_response(OK, headers!["content-type" => TEXT])?;
        let count = Arc::clone(&count);
        Ok(Body::from("x").on_close(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }))
    });
    let lint = lint(app);
    drop(Exchange::call(&lint, get()));
    events(&lint, get());
    assert_eq!(closed.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[test]
fn the_lint_changes_nothing_about_the_answer() {
    for method in ["GET", "HEAD"] {
        let plain = well_behaved::applications();
        let linted = well_behaved::applications();
        for ((name, plain), (_, linted)) in plain.into_iter().zip(linted) {
            let environ = || Environ::example(method, "/");
            let linted: Box<dyn Application> = linted;
            assert_eq!(answer(&plain, environ()), answer(&lint(linted), environ()), "{name} {method}");
        }
    }
}

/// An answer as text, pieces marked.
fn answer(app: &impl Application, environ: Environ) -> String {
    let mut exchange = Exchange::call(app, environ);
    let mut text = String::new();
    loop {
        let event = exchange.next();
        text += &match &event {
            Event::Head(head) => format!("{} {:?} {:?}|", head.status, head.headers, head.framing),
            Event::Chunk(chunk) => format!("{}|", chunk.escape_ascii()),
            other => format!("{other:?}|"),
        };
        if matches!(event, Event::End | Event::Abort) {
            return text;
        }
    }
}

/// A body of these pieces and of no known length.
fn pieces(pieces: &'static [&'static str]) -> Body {
    Body::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))))
}
