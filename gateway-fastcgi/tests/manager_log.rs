//! What the manager's log says about workers.
#![cfg(feature = "manager")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_fastcgi::manager::{Config, Limits, Workers};
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

const LONG: Duration = Duration::from_secs(30);

/// The log of a worker that runs this script, until `end` has come about.
async fn log_until(script: &str, config: Config, end: impl AsyncFnOnce(&Workers)) -> String {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let workers = Workers::spawn("/bin/sh", ["-c", script], 1, config).unwrap();
    tokio::time::timeout(LONG, end(&workers)).await.expect("it never came about");
    drop(workers);
    log.0.lock().unwrap().clone()
}

async fn one_has_ended(workers: &Workers) {
    workers.wait_until(|status| status.last_exit.is_some() && status.workers.is_empty()).await;
}

async fn log_of(script: &str) -> String {
    log_until(script, Config::default(), one_has_ended).await
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
    // Ready at once: what serves may end.
    let ready = Config::default().stable_after(Duration::ZERO);
    let first = async |workers: &Workers| workers.wait_until(|status| status.last_exit.is_some()).await;
    let log = log_until("exit 0", ready, first).await;
    assert!(log.contains("worker ended") && !log.contains("WARN"), "{log}");
    // So may what is told after how many requests: it may have served them all before it counts as ready.
    let limited = Config::default().limits(Limits::default().max_requests(5));
    let log = log_until("exit 0", limited, one_has_ended).await;
    assert!(log.contains("worker ended") && !log.contains("WARN"), "{log}");
}

#[tokio::test]
async fn fcgi_123_a_worker_that_ends_before_it_is_ready_is_a_warning_with_its_last_words() {
    let quick = Config::default().min_restart_delay(Duration::from_millis(1));
    let third = async |workers: &Workers| workers.wait_until(|status| status.starts >= 3).await;
    for (script, message) in
        [("echo usage >&2; exit 0", "worker ended before"), ("echo usage >&2; exit 9", "worker died")]
    {
        let log = log_until(script, quick.clone(), third).await;
        let warnings: Vec<_> = log.lines().filter(|line| line.starts_with("WARN")).collect();
        let ends = warnings.iter().filter(|line| line.contains(message) && line.contains("wrote=\"usage\"")).count();
        let of_pool = warnings.iter().filter(|line| line.contains("no worker has been ready so far")).count();
        assert!(ends >= 2 && of_pool == 1 && warnings.len() == ends + 1, "{log}");
    }
}

#[tokio::test]
async fn a_reload_that_fails_without_an_old_worker_promises_none() {
    let log = log_until("exit 3", Config::default(), async |workers| {
        one_has_ended(workers).await;
        workers.reload().await.unwrap_err();
    });
    let log = log.await;
    assert!(log.contains("there is no old worker") && !log.contains("old workers go on"), "{log}");
}

#[tokio::test]
async fn fcgi_11_error_output_is_logged_by_line_to_the_last_word() {
    let log = log_of("printf 'one\\ntwo\\n\\033[31mred' >&2; exit 1").await;
    let texts: Vec<_> = log.lines().filter_map(|line| line.split_once("text=")).map(|(_, text)| text).collect();
    assert_eq!(texts, ["\"one\"", "\"two\"", r#""\\u{1b}[31mred""#]);
}
