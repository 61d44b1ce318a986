//! What the manager's log says about workers.
#![cfg(feature = "manager")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_fastcgi::manager::{Config, Workers};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes each event as one line: level, then `name=value` of every field.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = event.metadata().level().to_string();
        event.record(&mut Fields(&mut line));
        let mut log = self.0.lock().unwrap();
        log.push_str(&line);
        log.push('\n');
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The log of workers that run this script until one has ended.
async fn log_of(script: &str) -> String {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let workers = Workers::spawn("/bin/sh", ["-c", script], 1, Config::default()).unwrap();
    let ended = workers.wait_until(|status| status.last_exit.is_some() && status.workers.is_empty());
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the worker never ended");
    drop(workers);
    log.0.lock().unwrap().clone()
}

#[tokio::test]
async fn fcgi_123_the_log_says_why_a_worker_died() {
    let log = log_of("exit 7").await;
    assert!(log.contains("WARN") && log.contains("exit=exit status: 7") && log.contains("restart_in=100ms"), "{log}");
    let log = log_of("kill -SEGV $$").await;
    assert!(log.contains("exit=signal: 11 (SIGSEGV)"), "{log}");
}

#[tokio::test]
async fn fcgi_9_an_end_that_was_meant_is_no_warning() {
    let log = log_of("exit 0").await;
    assert!(log.contains("worker ended") && !log.contains("WARN"), "{log}");
}

#[tokio::test]
async fn fcgi_11_error_output_is_logged_by_line_to_the_last_word() {
    let log = log_of("printf 'one\\ntwo\\n\\033[31mred' >&2; exit 1").await;
    let texts: Vec<_> = log.lines().filter_map(|line| line.split_once("text=")).map(|(_, text)| text).collect();
    assert_eq!(texts, ["\"one\"", "\"two\"", r#""\\u{1b}[31mred""#]);
}
